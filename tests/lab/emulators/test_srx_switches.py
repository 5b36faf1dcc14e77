"""The emulated SRX's own dialogue and traffic at every position of its switches: what is not about one holds at all."""

from __future__ import annotations

from typing import Final

import pytest

from lab.emulators.srx import Model, Switches
from tests.lab.emulators.srx import TURNED, positions
from tests.lab.emulators.turning import failing

FILES: Final = tuple(f"test_srx_{name}" for name in ("dialogue", "traffic", "replay", "properties"))
ABOUT: Final[dict[str, tuple[str, ...]]] = {
    "words_swapped=True": (
        "test_a_user_without_the_right_has_no_configure",
        "test_entries_are_listed_by_family",
        "test_hit_counts_can_be_narrowed_and_ordered",
        "test_operational_refusals",
    ),
    "located_values=False": ("test_a_load_tells_errors_by_line_and_column_and_keeps_the_rest",),
    "cluster_banner=split": ("test_a_cluster_shows_who_is_primary_above_its_prompts",),
    "commit_nodes=False": ("test_nodes_share_configuration_and_lock_but_not_counters",),
    "always_quoted=True": ("test_statements_print_in_the_schemas_order_and_lists_in_the_users",),
    "ipv6_kept=True": ("test_statements_print_in_the_schemas_order_and_lists_in_the_users",),
    "compare_indent=four": (
        "test_an_incomplete_policy_is_marked_and_does_not_commit",
        "test_deactivate_prints_its_line_behind_the_statement",
        "test_delete_takes_empty_containers_along_but_not_entries_of_lists",
        "test_insert_moves_and_show_compare_marks_what_now_stands_earlier",
        "test_rollback_fills_the_candidate_alone",
    ),
    "neighbours=none": ("test_a_load_tells_errors_by_line_and_column_and_keeps_the_rest",),
    "unknown_address=never heard of {}": ("test_a_commit_is_refused_and_the_candidate_stays",),
    "disabled_word=never heard of {}": ("test_a_policy_holds_in_its_schedulers_hours",),
    "stale_lock=True": (
        "test_a_dying_exclusive_session_leaves_nothing_or_its_lock",
        "test_a_session_that_dies_anywhere_leaves_no_lock_and_no_half_done_change",
        "test_one_exclusive_session_keeps_others_from_editing",
    ),
    "stream_logs_kept=True": ("test_where_records_do_not_go",),
    "clear_takes_prefix=False": ("test_sessions_are_shown_and_cleared_by_hand",),
    "stop_inclusive=True": ("test_a_policy_holds_in_its_schedulers_hours",),
    "feed_request=True": ("test_entries_are_listed_by_family",),
    "default_log_mode=stream": ("test_records_have_the_shape_of_published_ones", "test_where_records_do_not_go"),
}
"""The tests that say how a box usually is in just this, by the position that has it otherwise. Each must fail there."""


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("switches", "model"), [one for one in positions() if "=" in str(one.id)])
def test_the_dialogue_holds_at_every_position(switches: Switches, model: Model, request: pytest.FixtureRequest) -> None:
    position = request.node.callspec.id
    assert failing(FILES, variable=TURNED, position=position) == set(ABOUT.get(position, ()))
