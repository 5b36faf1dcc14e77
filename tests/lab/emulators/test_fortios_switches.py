"""The emulated FortiGate's own dialogue and traffic at every position of its switches: what is not about one holds."""

from __future__ import annotations

from typing import Final

import pytest

from lab.emulators.fortios.switches import Model, Switches
from tests.lab.emulators.fortios import TURNED, WIDE, positions
from tests.lab.emulators.turning import failing

FILES: Final = tuple(f"test_fortios_{name}" for name in ("dialogue", "state", "traffic", "replay", "properties"))
_CHECKED: Final = ("test_an_entry_that_fails_its_check_is_discarded",)
_REFUSED: Final = ("test_a_refused_line_changes_nothing",)
ABOUT: Final[dict[str, tuple[str, ...]]] = {
    "mandatory=check": _CHECKED,
    "empty_group=True": _CHECKED,
    "unnamed_policies=False": (
        "test_a_manager_shows_in_the_configuration_and_overwrites_policies",
        "test_a_policy_that_denies_prints_no_action",
        "test_a_policy_that_is_created_again_counts_anew",
        "test_a_vdom_judges_its_own_traffic",
        "test_before_6_4_the_other_family_has_its_own_policies",
        "test_families_have_policies_of_their_own_before_6_4",
        "test_policies_stand_in_the_order_of_moves_not_of_numbers",
        "test_unnamed_policies_are_a_switch",
    ),
    "script_filter=False": _REFUSED,
    "transaction_words=wordy": (
        "test_a_lost_session_leaves_its_transaction_until_its_time_is_out",
        "test_a_second_transaction_of_one_session_is_refused",
        "test_a_transaction_ends_where_the_same_lines_without_one_do",
        "test_a_transaction_expires_with_a_warning_and_frees_its_objects",
        "test_a_transaction_is_seen_by_its_session_alone_until_it_is_committed",
        "test_an_aborted_transaction_leaves_nothing",
        "test_the_console_is_not_configured_in_a_transaction",
        "test_two_transactions_do_not_meet",
    ),
    "lock_text=one_line": (
        "test_a_lost_session_leaves_its_transaction_until_its_time_is_out",
        "test_two_transactions_do_not_meet",
    ),
    "clear_prints_nothing=False": ("test_clearing_one_counter_leaves_the_others",),
    "feed_comments=False": ("test_a_list_is_pulled_shown_and_matched",),
    "ha_prompt=True": ("test_a_change_on_either_member_is_on_both",),
    f"echo_width={WIDE}": _REFUSED,
    f"line_limit={WIDE}": _REFUSED,
    "long_host_names_cut=False": ("test_a_long_host_name_is_cut_in_the_prompt",),
    "session_filter_shared=True": ("test_a_filter_of_sessions_is_shown_and_is_one_command_lines_own_or_everybodys",),
    "sudo=False": ("test_sudo_runs_one_command_elsewhere",),
}
"""The tests that say how a box usually is in just this, by the position that has it otherwise. Each must fail there."""


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("switches", "model"), [one for one in positions() if "=" in str(one.id)])
def test_the_dialogue_holds_at_every_position(switches: Switches, model: Model, request: pytest.FixtureRequest) -> None:
    position = request.node.callspec.id
    assert failing(FILES, variable=TURNED, position=position) == set(ABOUT.get(position, ()))
