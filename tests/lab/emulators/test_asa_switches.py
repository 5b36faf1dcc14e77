"""The emulated ASA's own dialogue and traffic at every position of its switches: what is not about one holds at all."""

from __future__ import annotations

from typing import Final

import pytest

from tests.lab.emulators.asa import TURNED, turned
from tests.lab.emulators.turning import failing

FILES: Final = tuple(f"test_asa_{name}" for name in ("dialogue", "traffic", "replay", "properties"))
ABOUT: Final[dict[str, tuple[str, ...]]] = {
    "last_minute_holds=True": ("test_a_rule_outside_its_time_range_is_passed_by_and_lingers_after_it",),
    "refusal='WARNING: '": (
        "test_a_group_without_members_may_be_taken_in_an_entry",
        "test_another_session_may_hold_the_configuration",
        "test_what_is_refused_is_refused_in_these_words_and_changes_nothing",
    ),
    "refusal=''": (
        "test_a_group_without_members_may_be_taken_in_an_entry",
        "test_another_session_may_hold_the_configuration",
        "test_what_is_refused_is_refused_in_these_words_and_changes_nothing",
    ),
    "standby_token='standby'": (
        "test_a_failover_turns_roles_and_the_prompt_of_the_same_session",
        "test_the_standby_unit_warns_at_every_line_and_takes_it_for_itself",
    ),
    "standby_indent=0": ("test_the_standby_unit_warns_at_every_line_and_takes_it_for_itself",),
    "standby_indent=2": ("test_the_standby_unit_warns_at_every_line_and_takes_it_for_itself",),
    "auto_enable=True": (
        "test_a_login_tells_who_came_before_and_lands_at_the_lowest_prompt",
        "test_older_images_print_the_line_about_help_alone",
        "test_the_lowest_prompt_knows_little",
        "test_the_secret_is_asked_for_unseen_and_again_when_it_is_wrong",
        "test_three_wrong_secrets_are_enough",
        "test_who_changed_the_configuration_is_told",
    ),
    "password_stars=True": (
        "test_a_user_may_raise_the_session_by_logging_in_again",
        "test_the_secret_is_asked_for_unseen_and_again_when_it_is_wrong",
        "test_three_wrong_secrets_are_enough",
    ),
    "padded_curpriv=True": ("test_a_user_may_raise_the_session_by_logging_in_again",),
    "named_header=True": (
        "test_a_line_goes_where_it_says_and_the_others_move",
        "test_a_list_of_remarks_alone_has_a_header",
        "test_a_name_blocks_what_it_resolves_to_and_nothing_before",
        "test_an_element_that_stands_there_twice_is_counted_once",
        "test_denies_without_log_are_told_packet_by_packet",
        "test_entries_of_groups_count_as_a_whole_and_element_by_element",
        "test_names_need_a_server_and_an_interface_to_ask_through",
        "test_old_releases_print_no_count_for_the_whole",
    ),
    "brief_zero_rows=True": ("test_the_brief_form_has_the_columns_of_the_capture",),
    "resolved_line=True": ("test_a_name_blocks_what_it_resolves_to_and_nothing_before",),
    "short_zero_hash=True": (
        "test_denies_without_log_are_told_packet_by_packet",
        "test_logged_flows_are_told_first_and_at_the_end_of_their_interval",
    ),
    "masked_hosts=True": ("test_what_is_refused_is_refused_in_these_words_and_changes_nothing",),
    "member_warning=True": ("test_what_is_refused_is_refused_in_these_words_and_changes_nothing",),
    "empty_group_in_ace='accepted'": ("test_a_group_without_members_may_be_taken_in_an_entry",),
    "missing_run='told'": (
        "test_missing_parts_of_the_configuration_print_nothing_or_say_so",
        "test_the_configuration_prints_in_the_devices_own_words",
    ),
    "wide_zero=True": ("test_the_width_is_configured_and_not_set_in_exec_mode",),
    "copy_rate=True": ("test_what_was_not_saved_is_gone_after_a_reload",),
    "conn_answer=False": ("test_connections_are_shown_from_the_lower_level_on_and_by_both_ends",),
    "conn_v6_ranges=False": ("test_connections_are_shown_from_the_lower_level_on_and_by_both_ends",),
    "conn_v6_brackets=True": ("test_connections_are_shown_from_the_lower_level_on_and_by_both_ends",),
}
"""The tests that say how a box usually is in just this, by the position that has it otherwise. Each must fail there."""


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("position", [f"{name}={value!r}" for name, values in turned().items() for value in values])
def test_the_dialogue_holds_at_every_position(position: str) -> None:
    assert failing(FILES, variable=TURNED, position=position) == set(ABOUT.get(position, ()))
