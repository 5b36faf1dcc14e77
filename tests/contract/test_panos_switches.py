"""The contract for PAN-OS under every position of what no public source settles.

By default on two boxes with all of it turned at once; with ``-m soak`` one position at a time, every scenario.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, get_args

import pytest

from lab.emulators.faults import Moment
from lab.emulators.panos import Switches
from tests.contract.rig_panos import PanOsRig
from tests.contract.turning import killed_at_every_line, run
from tests.lab.emulators.panos import positions

POSITIONS: Final = positions()


def everything() -> list[Switches]:
    """Every switch away from where it usually is, as far as two boxes can have it."""
    boxes = [Switches(), Switches()]
    for at, box in enumerate(boxes):
        for name in {name for name, _ in POSITIONS.values()}:
            others = [value for switch, value in POSITIONS.values() if switch == name]
            box = replace(box, **{name: others[min(at, len(others) - 1)]})  # type: ignore[arg-type]
        boxes[at] = box
    return boxes


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKGATE_TEST_PASSWORD", PanOsRig.password)


QUICK: Final = (
    "test_i03_the_first_push_blocks_and_the_second_plan_is_empty",
    "test_names_are_blocked_by_what_they_resolve_to",
    "test_i11_counters_grow_by_what_was_tried",
    "test_i01_somebodys_pending_changes_stop_the_push_and_are_not_committed",
    "test_i08_a_lock_that_somebody_holds_is_waited_for_and_then_told",
    "test_the_standby_unit_is_not_written_to",
    "test_all_of_it_goes_when_nothing_is_wanted",
)


@pytest.mark.usefixtures("password")
@pytest.mark.parametrize("switches", everything(), ids=["first", "second"])
def test_the_contract_holds_with_everything_turned(switches: Switches) -> None:
    run(lambda: PanOsRig(switches), QUICK)


@pytest.mark.soak
@pytest.mark.usefixtures("password")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("switch", "value"), POSITIONS.values(), ids=POSITIONS)
def test_every_scenario_holds_at_every_position(switch: str, value: object) -> None:
    switches = replace(Switches(), **{switch: value})  # type: ignore[arg-type]
    run(lambda: PanOsRig(switches))


@pytest.mark.soak
@pytest.mark.usefixtures("password")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", get_args(Moment))
@pytest.mark.parametrize(("switch", "value"), POSITIONS.values(), ids=POSITIONS)
def test_a_session_that_dies_leaves_it_strict_at_every_position(
    switch: str, value: object, moment: Moment, request: pytest.FixtureRequest
) -> None:
    rig = PanOsRig(replace(Switches(), **{switch: value}))  # type: ignore[arg-type]
    with rig.serving():
        killed_at_every_line(rig, moment, request)
