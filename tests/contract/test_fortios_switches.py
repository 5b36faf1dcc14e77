"""The contract for FortiOS under every position of what no public source settles, and on every release.

By default on two boxes with all of it turned at once; with ``-m soak`` one position at a time, every scenario.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, get_args

import pytest

from lab.emulators.faults import Moment
from lab.emulators.fortios.switches import Model, Switches
from tests.contract.rig_fortios import FortiOsRig
from tests.contract.turning import killed_at_every_line, run
from tests.lab.emulators.fortios import positions, turned


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKGATE_TEST_PASSWORD", FortiOsRig.password)


def everything() -> list[Any]:
    """All switches turned: on one box to their first other position, on the second to their last."""
    boxes = [Switches(), Switches()]
    for name, others in turned().items():
        boxes = [replace(box, **{name: others[at]}) for box, at in zip(boxes, (0, -1), strict=True)]
    return [
        pytest.param(boxes[0], Model(version=(6, 0, 7)), id="first"),
        pytest.param(boxes[1], Model(version=(7, 6, 2)), id="second"),
    ]


QUICK: Final = (
    "test_i03_the_first_push_blocks_and_the_second_plan_is_empty",
    "test_names_are_blocked_by_what_they_resolve_to",
    "test_i11_counters_grow_by_what_was_tried",
    "test_i08_a_lock_that_somebody_holds_is_waited_for_and_then_told",
    "test_the_standby_unit_is_not_written_to",
    "test_all_of_it_goes_when_nothing_is_wanted",
)


@pytest.mark.usefixtures("password")
@pytest.mark.parametrize(("switches", "model"), everything())
def test_the_contract_holds_with_everything_turned(switches: Switches, model: Model) -> None:
    run(lambda: FortiOsRig(switches=switches, model=model), QUICK)


@pytest.mark.soak
@pytest.mark.usefixtures("password")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("switches", "model"), [*positions(), *everything()])
def test_every_scenario_holds_at_every_position(switches: Switches, model: Model) -> None:
    run(lambda: FortiOsRig(switches=switches, model=model))


@pytest.mark.soak
@pytest.mark.usefixtures("password")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", get_args(Moment))
@pytest.mark.parametrize(("switches", "model"), positions())
def test_a_session_that_dies_leaves_it_strict_at_every_position(
    switches: Switches, model: Model, moment: Moment, request: pytest.FixtureRequest
) -> None:
    rig = FortiOsRig(switches=switches, model=model)
    with rig.serving():
        killed_at_every_line(rig, moment, request)
