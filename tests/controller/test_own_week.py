"""Devices that keep the windows of a policy by their own clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.coverage import coverage
from controller.desired import desired_for, own_week
from controller.inventory import Inventory
from controller.model import CoverageState, DeviceRun, Mode, Outcome, Window
from controller.store import Store
from controller.windows import mode_at, week_of
from core.clock import ManualClock
from core.ids import DeviceName, SiteName
from tests.controller.memory import Bench, Firewall, bench, start_run
from tests.controller.offices import NOON, YAML, facts, offices
from tests.controller.test_review_sync import in_force
from tests.controller.test_windows import Role, any_role
from tests.vendors.playing import EVERYTHING
from vendors.diff import mark_of
from vendors.model import Observed, RuleName, WeekSpan
from vendors.week import holds_at

BERLIN = ZoneInfo("Europe/Berlin")
SEEN = NOON.astimezone(BERLIN).replace(tzinfo=None)
WORK = tuple(WeekSpan(day, 8 * 60, 18 * 60) for day in range(5))
LOOKED = Observed(groups=(), rules=(), mark=None, foreign="f", epoch="e", can=EVERYTHING, wall_time=SEEN)
MINUTE = timedelta(minutes=1)


@given(role=any_role, minute=st.integers(0, 60 * 24 * 400))
def test_i12_the_week_says_at_every_minute_what_the_clock_says(role: Role, minute: int) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    wall = at.astimezone(BERLIN).replace(tzinfo=None)
    holding = [mode for mode, when in week_of(role).items() if holds_at(when, wall)]
    assert holding == [mode_at(role, BERLIN, at)]


def test_a_role_without_windows_has_one_mode_always(tmp_path: Path) -> None:
    assert week_of(offices(tmp_path).policies["spare"].roles["company"]) == {Mode.ENFORCE: None}


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return offices(tmp_path)


def why(inventory: Inventory, observed: Observed) -> str | None:
    device = inventory.device("fw-berlin")
    return own_week(facts(inventory), device, observed, began=NOON, ended=NOON + timedelta(seconds=5))


def test_a_device_whose_clock_shows_the_time_of_the_site_keeps_the_week(inventory: Inventory) -> None:
    assert why(inventory, LOOKED) == ""
    desired = desired_for(facts(inventory), inventory.device("fw-berlin"), NOON, keeps_week=True)
    held = {rule.name: rule.when for rule in desired.rules}
    assert held[RuleName("deny-company")] == WORK
    assert held[RuleName("mon-company")] is not None


@pytest.mark.parametrize("off", [timedelta(hours=-1), timedelta(hours=1), 3 * MINUTE, -3 * MINUTE])
def test_i12_a_clock_that_is_off_keeps_nothing(inventory: Inventory, off: timedelta) -> None:
    assert "more than 2 min off" in (why(inventory, replace(LOOKED, wall_time=SEEN + off)) or "")


def test_a_device_that_tells_no_time_keeps_nothing(inventory: Inventory) -> None:
    assert why(inventory, replace(LOOKED, wall_time=None)) == "its clock was not told"


def test_more_windows_a_day_than_the_device_takes_are_kept_by_the_controller(tmp_path: Path) -> None:
    text = YAML.replace(
        'to: "18:00", mode: enforce}',
        'to: "12:00", mode: enforce}, {days: [mon], from: "13:00", to: "14:00", mode: enforce}',
    )
    busy = offices(tmp_path, text)
    assert why(busy, replace(LOOKED, can=replace(EVERYTHING, max_spans=2))) == "it takes at most 2 windows a day"
    assert why(busy, replace(LOOKED, can=replace(EVERYTHING, max_spans=3))) == ""


def test_without_windows_or_schedules_there_is_nothing_to_say(inventory: Inventory) -> None:
    assert why(inventory, replace(LOOKED, can=replace(EVERYTHING, schedules=False))) is None
    austin = inventory.device("fw-austin")
    assert own_week(facts(inventory, "austin"), austin, LOOKED, began=NOON, ended=NOON) is None


def test_the_inventory_may_leave_it_to_the_controller(tmp_path: Path) -> None:
    text = YAML.replace("own_addresses: [198.18.7.1]", "own_addresses: [198.18.7.1], schedules: controller")
    assert why(offices(tmp_path, text), LOOKED) == "its inventory says so"


# --- the work -------------------------------------------------------------------------------------------------------


@pytest.fixture
def worked(
    tmp_path: Path, store: Store, clock: ManualClock, inventory: Inventory
) -> tuple[Bench, Firewall, ManualClock]:
    in_force(store, "103.136.220.0/23")
    made, firewall = bench(tmp_path, store, inventory, clock)
    firewall.wall = lambda: clock.now().astimezone(BERLIN).replace(tzinfo=None)
    return made, firewall, clock


def synced(made: Bench, clock: ManualClock) -> DeviceRun:
    return made.sync(made.inventory.device("fw-berlin"), start_run(made.store, clock))


def spans(made: Bench, start: datetime, end: datetime) -> list[tuple[CoverageState, datetime]]:
    window = Window(start, end)
    looks = made.store.observations(SiteName("berlin"), window)
    found = coverage(looks, window, devices=[DeviceName("fw-berlin")], now=end, freshness=made.freshness)
    return [(span.state, span.window.end) for span in found.spans]


def test_an_edge_changes_nothing_on_a_device_and_what_it_did_is_known(
    worked: tuple[Bench, Firewall, ManualClock],
) -> None:
    made, firewall, clock = worked
    evening = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)  # 18:00 in Berlin
    clock.jump(evening - 3 * MINUTE)
    assert synced(made, clock).outcome is Outcome.APPLIED
    before = firewall.state
    clock.jump(evening + 3 * MINUTE)
    assert synced(made, clock).outcome is Outcome.UNCHANGED
    assert firewall.state == before
    start, end = evening - 3 * MINUTE, evening + 3 * MINUTE
    assert spans(made, start, end) == [(CoverageState.ENFORCED, evening), (CoverageState.MONITORED, end)]


def test_i13_what_it_did_in_a_long_silence_stays_unknown(worked: tuple[Bench, Firewall, ManualClock]) -> None:
    made, _, clock = worked
    evening = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)
    clock.jump(evening - 3 * MINUTE)
    synced(made, clock)
    clock.jump(evening + timedelta(hours=2))
    synced(made, clock)
    states = [state for state, _ in spans(made, evening - 3 * MINUTE, evening + timedelta(hours=2))]
    assert CoverageState.UNKNOWN in states
    assert CoverageState.MONITORED not in states


def test_i13_a_hand_on_its_rules_leaves_no_edge_behind(worked: tuple[Bench, Firewall, ManualClock]) -> None:
    made, firewall, clock = worked
    evening = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)
    clock.jump(evening - 3 * MINUTE)
    synced(made, clock)
    assert firewall.state is not None
    left = firewall.state
    firewall.state = replace(left, rules=tuple(replace(rule, when=None) for rule in left.rules))
    firewall.stamp = mark_of(left)
    clock.jump(evening + 3 * MINUTE)
    synced(made, clock)
    assert (CoverageState.ENFORCED, evening) not in spans(made, evening - 3 * MINUTE, evening + 3 * MINUTE)


def test_a_clock_that_loses_its_zone_gives_the_week_back_to_the_controller(
    worked: tuple[Bench, Firewall, ManualClock],
) -> None:
    made, firewall, clock = worked
    synced(made, clock)
    firewall.wall = lambda: clock.now().replace(tzinfo=None)  # UTC
    assert synced(made, clock).outcome is Outcome.APPLIED
    assert firewall.state is not None
    assert [(rule.name, rule.when) for rule in firewall.state.rules] == [("spare", None), ("deny-company", None)]
