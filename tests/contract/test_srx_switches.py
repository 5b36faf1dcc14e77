"""The contract for Juniper SRX under every position of what no public source settles, and of how releases print.

By default on two boxes with all of it turned at once; with ``-m soak`` one position at a time, every scenario.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, get_args

import pytest

from lab.emulators.faults import Moment
from lab.emulators.srx import Model, Switches
from tests.contract.rig_srx import SrxRig
from tests.contract.turning import killed_at_every_line, run
from tests.lab.emulators.srx import OLD, positions, turned

KEPT_LOCK: Final = "stale_lock=True"
"""A lock that a dead session leaves behind is a person's to break: the change is refused, and says who holds it."""


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKGATE_TEST_PASSWORD", SrxRig.password)


def everything() -> list[Any]:
    """Every switch away from where it usually is, as far as one box can have it, and what is left on another."""
    usual, boxes = Switches(), [Switches(), Switches()]
    for at, box in enumerate(boxes):
        for name, values in turned().items():
            others = [value for value in values if value != getattr(usual, name)]
            box = replace(box, **{name: others[min(at, len(others) - 1)]})
        boxes[at] = replace(box, stale_lock=False)
    return [
        pytest.param(boxes[0], OLD, id="first"),
        pytest.param(boxes[1], replace(OLD, hit_layout="lower"), id="second"),
    ]


QUICK: Final = (
    "test_i03_the_first_push_blocks_and_the_second_plan_is_empty",
    "test_names_are_blocked_by_what_they_resolve_to",
    "test_i11_counters_grow_by_what_was_tried",
    "test_i01_somebodys_pending_changes_stop_the_push_and_are_not_committed",
    "test_i08_a_lock_that_somebody_holds_is_waited_for_and_then_told",
    "test_all_of_it_goes_when_nothing_is_wanted",
)


@pytest.mark.usefixtures("password")
@pytest.mark.parametrize(("switches", "model"), everything())
def test_the_contract_holds_with_everything_turned(switches: Switches, model: Model) -> None:
    run(lambda: SrxRig(switches=switches, model=model), QUICK)


@pytest.mark.soak
@pytest.mark.usefixtures("password")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("switches", "model"), [*positions(), *everything()])
def test_every_scenario_holds_at_every_position(switches: Switches, model: Model) -> None:
    run(lambda: SrxRig(switches=switches, model=model))


@pytest.mark.soak
@pytest.mark.usefixtures("password")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", get_args(Moment))
@pytest.mark.parametrize(("switches", "model"), [one for one in positions() if one.id != KEPT_LOCK])
def test_a_session_that_dies_leaves_it_strict_at_every_position(
    switches: Switches, model: Model, moment: Moment, request: pytest.FixtureRequest
) -> None:
    rig = SrxRig(switches=switches, model=model)
    with rig.serving():
        killed_at_every_line(rig, moment, request)
