"""The emulated PAN-OS's own dialogue and traffic at every position of its switches."""

from __future__ import annotations

from typing import Final

import pytest

from tests.lab.emulators.panos import TURNED, positions
from tests.lab.emulators.turning import failing

FILES: Final = tuple(f"test_panos_{name}" for name in ("dialogue", "traffic", "replay", "properties"))
ABOUT: Final[dict[str, tuple[str, ...]]] = {
    "error_prefix=Server error : ": (
        "test_a_commit_lock_keeps_others_from_committing_and_goes_with_the_holder_s_commit",
        "test_a_config_lock_keeps_others_from_the_candidate",
        "test_a_lock_of_a_session_that_is_gone_stays",
        "test_a_superuser_breaks_another_s_commit_lock",
        "test_any_stands_alone",
        "test_only_lists_of_addresses_go_into_a_rule",
        "test_references_follow_a_renamed_object_or_hold_it",
        "test_refusals_may_read_otherwise",
        "test_what_is_refused_is_told_in_the_device_s_words_and_changes_nothing",
    ),
    "error_prefix=Server error: ": (
        "test_a_commit_lock_keeps_others_from_committing_and_goes_with_the_holder_s_commit",
        "test_a_config_lock_keeps_others_from_the_candidate",
        "test_a_lock_of_a_session_that_is_gone_stays",
        "test_a_superuser_breaks_another_s_commit_lock",
        "test_any_stands_alone",
        "test_only_lists_of_addresses_go_into_a_rule",
        "test_references_follow_a_renamed_object_or_hold_it",
        "test_refusals_may_read_otherwise",
        "test_what_is_refused_is_told_in_the_device_s_words_and_changes_nothing",
    ),
    "caret=False": (
        "test_refusals_may_read_otherwise",
        "test_settings_of_the_session_are_checked",
        "test_the_caret_stands_below_the_word_that_is_wrong",
        "test_what_is_refused_is_told_in_the_device_s_words_and_changes_nothing",
    ),
    "missing=Invalid syntax.": (
        "test_it_may_be_pulled_at_once",
        "test_what_is_refused_is_told_in_the_device_s_words_and_changes_nothing",
        "test_what_panorama_pushes_is_enforced_around_the_local_rules_and_cannot_be_edited_here",
    ),
    "missing=No such node": (
        "test_it_may_be_pulled_at_once",
        "test_what_is_refused_is_told_in_the_device_s_words_and_changes_nothing",
        "test_what_panorama_pushes_is_enforced_around_the_local_rules_and_cannot_be_edited_here",
    ),
    "missing=Object not present": (
        "test_it_may_be_pulled_at_once",
        "test_what_is_refused_is_told_in_the_device_s_words_and_changes_nothing",
        "test_what_panorama_pushes_is_enforced_around_the_local_rules_and_cannot_be_edited_here",
    ),
    "other_type=refused": (
        "test_a_group_is_static_or_dynamic",
        "test_another_type_takes_the_place_of_the_old_one_or_is_refused",
    ),
    "rule_references=commit": (
        "test_only_lists_of_addresses_go_into_a_rule",
        "test_what_is_refused_is_told_in_the_device_s_words_and_changes_nothing",
    ),
    "any_and_more=set": (
        "test_a_rule_may_be_refused_at_commit_only",
        "test_any_stands_alone",
    ),
    "empty_group=accepted": ("test_what_is_not_whole_fails_to_commit_and_stays_a_candidate",),
    "one_name_space=False": ("test_what_is_refused_is_told_in_the_device_s_words_and_changes_nothing",),
    "rename_follows=False": ("test_references_follow_a_renamed_object_or_hold_it",),
    "no_changes=There are no changes to commit": ("test_nothing_is_enforced_before_the_commit",),
    "no_changes=The result of this commit would be the same": ("test_nothing_is_enforced_before_the_commit",),
    "config_lock_survives_commit=False": ("test_a_config_lock_may_go_with_the_commit",),
    "revert_partial=False": ("test_revert_drops_everybody_s_edits_or_only_one_s",),
    "whole_config=xml": ("test_whole_configurations_print_in_braces_or_as_xml",),
    "candidate_survives_reboot=True": ("test_a_restart_ends_sessions_and_loses_what_was_not_committed",),
    "ha_off=High availability is disabled": ("test_a_box_alone_says_so",),
    "list_host_mask=False": ("test_a_list_is_pulled_once_a_rule_uses_it_and_then_again_without_a_commit",),
    "append_end_token=False": ("test_an_entry_without_a_slash_may_go_on",),
    "categories_shown=False": ("test_a_list_of_urls_is_a_category_of_a_rule",),
    "list_header=True": (
        "test_a_list_is_pulled_once_a_rule_uses_it_and_then_again_without_a_commit",
        "test_what_exceeds_the_platform_is_skipped_and_a_long_list_is_shown_in_part",
    ),
    "rule_deny_subtype=deny": ("test_what_a_denied_session_is_called",),
    "csv_header=True": (
        "test_rules_say_what_is_logged",
        "test_the_log_tells_who_was_denied",
        "test_what_a_denied_session_is_called",
    ),
    "job_table=plain": (
        "test_a_slow_commit_is_a_job_with_a_share_done_and_later_ones_wait",
        "test_jobs_come_in_three_tables",
        "test_what_is_not_whole_fails_to_commit_and_stays_a_candidate",
    ),
    "job_table=wide": (
        "test_a_slow_commit_is_a_job_with_a_share_done_and_later_ones_wait",
        "test_jobs_come_in_three_tables",
    ),
    "sessions_survive=True": ("test_an_open_session_ends_when_a_commit_denies_it",),
    "schedule_end_inclusive=True": (
        "test_a_rule_takes_what_all_its_attributes_take",
        "test_the_last_minute_of_a_schedule_may_belong_to_it",
    ),
    "session_networks=False": ("test_sessions_are_filtered_by_their_ends_and_ended_by_their_number",),
    "clear_answer=False": ("test_sessions_are_filtered_by_their_ends_and_ended_by_their_number",),
    "log_query=False": (
        "test_a_query_may_be_unknown",
        "test_the_log_tells_who_was_denied",
    ),
}
"""What is not about a switch holds at all of its positions.

The tests that say how a box usually is in just this, by the position that has it otherwise. Each must fail there."""


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("position", positions())
def test_the_dialogue_holds_at_every_position(position: str) -> None:
    assert failing(FILES, variable=TURNED, position=position) == set(ABOUT.get(position, ()))
