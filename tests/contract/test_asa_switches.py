"""The contract for Cisco ASA under every position of what no public source settles, and of how releases print.

By default on two boxes with all of it turned at once; with ``-m soak`` one position at a time, every scenario.
"""

from __future__ import annotations

from typing import Any, Final, get_args

import pytest

from lab.emulators.asa import Model, Switches
from lab.emulators.faults import Moment
from tests.contract.rig_asa import AsaRig
from tests.contract.turning import killed_at_every_line, run
from tests.lab.emulators.asa import turned

OLD: Final = Model(version="9.0(1)", login_history=False, parent_counts=False, trailing_blank=True)


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKGATE_TEST_PASSWORD", AsaRig.password)


def everything() -> list[Any]:
    """Every switch away from where it usually is, and what is left on another box."""
    first = Switches(**{name: values[0] for name, values in turned().items()})
    second = Switches(**{name: values[-1] for name, values in turned().items()})
    return [pytest.param(first, OLD, id="first"), pytest.param(second, Model(), id="second")]


def positions() -> list[Any]:
    one_by_one = [
        pytest.param(Switches(**{name: value}), Model(), id=f"{name}={value!r}")
        for name, values in turned().items()
        for value in values
    ]
    return [*one_by_one, pytest.param(Switches(), OLD, id="old")]


QUICK: Final = (
    "test_i03_the_first_push_blocks_and_the_second_plan_is_empty",
    "test_names_are_blocked_by_what_they_resolve_to",
    "test_i11_counters_grow_by_what_was_tried",
    "test_i08_a_lock_that_somebody_holds_is_waited_for_and_then_told",
    "test_all_of_it_goes_when_nothing_is_wanted",
)


@pytest.mark.usefixtures("password")
@pytest.mark.parametrize(("switches", "model"), everything())
def test_the_contract_holds_with_everything_turned(switches: Switches, model: Model) -> None:
    run(lambda: AsaRig(switches=switches, model=model), QUICK)


@pytest.mark.soak
@pytest.mark.usefixtures("password")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("switches", "model"), [*positions(), *everything()])
def test_every_scenario_holds_at_every_position(switches: Switches, model: Model) -> None:
    run(lambda: AsaRig(switches=switches, model=model))


@pytest.mark.soak
@pytest.mark.usefixtures("password")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", get_args(Moment))
@pytest.mark.parametrize(("switches", "model"), positions())
def test_a_session_that_dies_leaves_it_strict_at_every_position(
    switches: Switches, model: Model, moment: Moment, request: pytest.FixtureRequest
) -> None:
    rig = AsaRig(switches=switches, model=model)
    with rig.serving():
        killed_at_every_line(rig, moment, request)
