"""Freezes and change windows: what waits, what goes on, and what a person may override."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import Invalid, InventoryError
from controller.freezing import frozen_at, held_at, period
from controller.inventory import Inventory
from controller.inventory.changes import Changes, ChangeWindow, Freeze, Hold
from controller.model import CoverageState, DeviceRun, Outcome
from controller.schedule import Scheduler
from controller.service import Controller
from controller.settings import Settings
from controller.store import RunQuery, Store
from core.clock import ManualClock
from core.ids import SiteName
from tests.controller.memory import Bench, Firewall, bench, start_run
from tests.controller.offices import NIGHT, NOON, YAML, an_exception, offices
from tests.controller.test_review_facade import at_the_bench
from tests.controller.test_review_sync import in_force
from tests.controller.test_schedule import until
from tests.controller.test_windows import at
from vendors.model import Desired

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


def freeze(**said: object) -> Freeze:
    return Freeze.model_validate(said)


def window(**said: object) -> ChangeWindow:
    return ChangeWindow.model_validate(said)


YEAR_END = freeze(starts="2026-12-18T18:00", ends="2027-01-04T06:00", reason="year end")
NIGHTS = window(days="weekdays", **{"from": "20:00", "to": "06:00"})


@pytest.mark.parametrize(
    ("said", "local", "held"),
    [
        pytest.param([Changes(freezes=(YEAR_END,))], "2026-12-18T17:59", None, id="a-minute-early"),
        pytest.param([Changes(freezes=(YEAR_END,))], "2026-12-18T18:00", "frozen: year end", id="its-start"),
        pytest.param([Changes(freezes=(YEAR_END,))], "2027-01-04T05:59", "frozen: year end", id="its-last-minute"),
        pytest.param([Changes(freezes=(YEAR_END,))], "2027-01-04T06:00", None, id="its-end"),
        pytest.param([Changes(windows=(NIGHTS,))], "2026-06-01T12:00", "outside the change windows", id="noon"),
        pytest.param([Changes(windows=(NIGHTS,))], "2026-06-01T20:00", None, id="evening"),
        pytest.param([Changes(windows=(NIGHTS,))], "2026-06-06T05:59", None, id="fridays-night"),
        pytest.param(
            [Changes(windows=(NIGHTS,), freezes=(YEAR_END,))], "2026-12-21T21:00", "frozen: year end", id="deny-wins"
        ),
        pytest.param(
            [Changes(windows=(NIGHTS,)), Changes(freezes=(YEAR_END,))],
            "2026-12-21T21:00",
            "frozen: year end",
            id="of-the-defaults-too",
        ),
        pytest.param(
            [Changes(windows=(window(days="daily"),)), Changes(windows=(NIGHTS,))],
            "2026-06-01T12:00",
            None,
            id="the-nearest-windows",
        ),
    ],
)
def test_i12_deny_beats_allow_by_the_sites_clock(said: list[Changes], local: str, held: str | None) -> None:
    found = held_at(tuple(said), BERLIN, at(local, "Europe/Berlin"))
    assert (found[1] if found else None) == held


def test_the_strictest_freeze_speaks_and_says_until_when() -> None:
    strict = freeze(starts="2026-12-24", ends="2026-12-27", hold="everything", reason="nobody is there")
    found = frozen_at((Changes(freezes=(YEAR_END, strict)),), BERLIN, at("2026-12-25T12:00", "Europe/Berlin"))
    assert found is not None
    assert (found.hold, found.reason) == (Hold.EVERYTHING, "frozen: nobody is there")
    assert found.until == at("2027-01-04T06:00", "Europe/Berlin")


@pytest.mark.parametrize(
    ("starts", "ends", "hours"),
    [
        pytest.param("2026-10-25T02:30", "2026-10-25T04:00", 2.5, id="starts-in-the-hour-that-comes-twice"),
        pytest.param("2026-10-25T01:00", "2026-10-25T02:30", 2.5, id="ends-in-the-hour-that-comes-twice"),
        pytest.param("2027-03-28T02:30", "2027-03-28T04:00", 1.5, id="starts-at-a-time-that-does-not-exist"),
        pytest.param("2027-03-28T01:00", "2027-03-28T02:30", 1.5, id="ends-at-a-time-that-does-not-exist"),
        pytest.param("2026-10-25", "2026-10-26", 25, id="the-day-of-25-hours"),
    ],
)
def test_i12_where_the_clock_is_not_clear_a_freeze_is_longer(starts: str, ends: str, hours: float) -> None:
    first, last = period(datetime.fromisoformat(starts), datetime.fromisoformat(ends), BERLIN)
    assert last - first == timedelta(hours=hours)


@settings(max_examples=40, deadline=None)
@given(
    start=st.sampled_from(["2026-10-24T20:00", "2027-03-27T20:00"]),
    offset=st.integers(0, 8 * 60),
    length=st.integers(1, 12 * 60),
    night=st.tuples(st.integers(0, 23), st.integers(0, 23)).filter(lambda pair: pair[0] != pair[1]),
)
def test_i12_until_is_the_first_minute_that_lets_changes_go(
    start: str, offset: int, length: int, night: tuple[int, int]
) -> None:
    """Minute by minute over the night of 25 hours, and of 23; a dated freeze never has a hole."""
    wall = datetime.fromisoformat(start) + timedelta(minutes=offset)
    dated = freeze(starts=wall, ends=wall + timedelta(minutes=length))
    said = (Changes(freezes=(dated,), windows=(window(**{"from": f"{night[0]:02}:00", "to": f"{night[1]:02}:00"}),)),)
    moments = [at(start, "Europe/Berlin") + n * MINUTE for n in range(30 * 60)]
    held = [held_at(said, BERLIN, moment) is not None for moment in moments]
    frozen = [m for m in moments if (f := held_at(said, BERLIN, m)) is not None and f[1] == "frozen"]
    assert frozen == [frozen[0] + n * MINUTE for n in range(len(frozen))]
    found = frozen_at(said, BERLIN, moments[0])
    first = next((m for m, is_held in zip(moments, held, strict=True) if not is_held), None)
    assert (found is None) is not held[0]
    if found is not None and first is not None:
        assert found.until == first


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("{starts: 2026-12-18T18:00}", "go together"),
        ("{starts: 2026-12-18T18:00, ends: 2026-12-17}", "must lie after"),
        ("{starts: 2026-12-18T18:00Z, ends: 2027-01-04}", "without a zone"),
        ("{starts: 18.12.2026, ends: 2027-01-04}", "is no time"),
        ("{reason: x}", "not both"),
        ("{starts: 2026-12-18, ends: 2027-01-04, days: [fri]}", "not both"),
        ("{days: [fri], hold: all}", "expected 'changes' or 'everything'"),
        ("{on: holidays}", "no calendar says which days"),
    ],
)
def test_a_bad_freeze_is_refused(tmp_path: Path, said: str, why: str) -> None:
    with pytest.raises(InventoryError) as caught:
        offices(tmp_path, frozen(said))
    assert why in str(caught.value)


def frozen(said: str) -> str:
    return YAML.replace("  berlin:\n", f"  berlin:\n    changes: {{freezes: [{said}]}}\n")


# --- the work --------------------------------------------------------------------------------------------------------

WEEK = "{starts: 2026-11-25T13:00, ends: 2026-11-30, reason: audit}"


class Site:
    """One device that holds what it should, an hour before a freeze."""

    def __init__(self, folder: Path, store: Store, clock: ManualClock, said: str) -> None:
        self.inventory: Inventory = offices(folder, frozen(said))
        in_force(store, "103.136.220.0/23")
        self.store, self.clock = store, clock
        self.work: Bench
        self.firewall: Firewall
        self.work, self.firewall = bench(folder, store, self.inventory, clock)
        clock.jump(NOON)
        assert self.sync().outcome is Outcome.APPLIED
        clock.jump(NOON + timedelta(hours=2))

    def sync(self, **how: bool) -> DeviceRun:
        return self.work.sync(self.inventory.device("fw-berlin"), start_run(self.store, self.clock), **how)

    @property
    def held(self) -> Desired:
        assert self.firewall.state is not None
        return self.firewall.state

    def rules(self) -> list[str]:
        return [rule.name for rule in self.held.rules if rule.name != "spare"]


@pytest.fixture
def site(tmp_path: Path, store: Store, clock: ManualClock) -> Site:
    return Site(tmp_path, store, clock, WEEK)


def test_a_device_that_holds_what_it_should_is_not_disturbed(site: Site) -> None:
    assert site.sync().outcome is Outcome.UNCHANGED


def test_i02_a_new_list_waits_and_goes_out_when_the_freeze_ends(site: Site) -> None:
    before = site.held
    made = in_force(site.store, "103.136.220.0/23", "16.162.0.0/24")
    run = site.sync()
    assert (run.outcome, run.error_code) == (Outcome.HELD, "TG5020")
    assert f"frozen: audit until 2026-11-29 23:00Z, and snapshot {made.id[:12]} waits" in str(run.error)
    assert site.held == before
    site.clock.jump(datetime(2026, 11, 29, 23, tzinfo=UTC))
    assert site.sync().outcome is Outcome.APPLIED
    assert site.held != before


def test_an_edge_goes_on_with_the_list_that_the_device_holds(site: Site) -> None:
    lists = {g for g in site.held.groups if g.name.startswith("dst-")}
    in_force(site.store, "103.136.220.0/23", "16.162.0.0/24")
    site.clock.jump(NIGHT)
    assert site.sync().outcome is Outcome.APPLIED
    assert site.rules() == ["mon-company"]
    assert {g for g in site.held.groups if g.name.startswith("dst-")} == lists
    assert (again := site.sync()).outcome is Outcome.HELD
    assert "waits" in str(again.error)


def test_an_exception_begins_and_ends(site: Site) -> None:
    exception = an_exception("10.20.1.7/32", starts=NOON, ends=NOON + timedelta(hours=4))
    site.store.add_exception(exception)
    assert site.sync().outcome is Outcome.APPLIED
    assert f"exc-{exception.id}" in site.rules()
    site.clock.jump(exception.ends)
    assert site.sync().outcome is Outcome.APPLIED
    assert site.rules() == ["deny-company"]


def test_what_a_hand_took_off_is_put_back(site: Site) -> None:
    good = site.held
    site.firewall.stamp = site.firewall.mark
    site.firewall.state = Desired(groups=good.groups, rules=(), owner=good.owner, snapshot=good.snapshot)
    in_force(site.store, "16.162.0.0/24")
    assert site.sync().outcome is Outcome.APPLIED
    site.firewall.stamp = None
    assert site.held.rules == good.rules
    assert site.held.groups == good.groups


def test_an_edit_of_the_inventory_waits(site: Site, tmp_path: Path) -> None:
    before = site.held
    site.inventory = offices(tmp_path, frozen(WEEK).replace("10.20.0.0/16", "10.20.0.0/17"))
    site.work = replace(site.work, inventory=site.inventory)
    run = site.sync()
    assert (run.outcome, run.error_code) == (Outcome.HELD, "TG5020")
    assert site.held == before


def test_hold_everything_holds_edges_too(tmp_path: Path, store: Store, clock: ManualClock) -> None:
    site = Site(tmp_path, store, clock, WEEK.replace("reason", "hold: everything, reason"))
    site.clock.jump(NIGHT)
    run = site.sync()
    assert (run.outcome, run.error_code) == (Outcome.HELD, "TG5020")
    assert site.rules() == ["deny-company"]


def test_a_first_push_waits(tmp_path: Path, store: Store, clock: ManualClock) -> None:
    in_force(store, "103.136.220.0/23")
    made, firewall = bench(tmp_path, store, offices(tmp_path, frozen(WEEK)), clock)
    clock.jump(NIGHT)
    run = made.sync(made.inventory.device("fw-berlin"), start_run(store, clock))
    assert (run.outcome, run.error_code) == (Outcome.HELD, "TG5020")
    assert firewall.state is None


def test_an_override_does_not_wait(site: Site) -> None:
    in_force(site.store, "103.136.220.0/23", "16.162.0.0/24")
    assert site.sync(override_freeze=True).outcome is Outcome.APPLIED


def test_i05_a_change_that_has_begun_ends(site: Site, clock: ManualClock) -> None:
    """The freeze begins while the device is being changed."""
    clock.jump(NOON + timedelta(minutes=59))
    in_force(site.store, "103.136.220.0/23", "16.162.0.0/24")
    site.firewall.on["before-apply"] = lambda: clock.jump(NOON + timedelta(hours=2))
    assert site.sync().outcome is Outcome.APPLIED


def test_i13_a_held_list_leaves_the_time_enforced(site: Site) -> None:
    in_force(site.store, "103.136.220.0/23", "16.162.0.0/24")
    site.sync()
    from controller.model import Window

    looks = site.store.observations(SiteName("berlin"), Window(NOON, NIGHT))
    assert looks[-1].left is CoverageState.ENFORCED


# --- the loop, and a person -------------------------------------------------------------------------------------------


@pytest.fixture
def controller(tmp_path: Path, migrated: Path, clock: ManualClock) -> Iterator[Controller]:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    offices(tmp_path, frozen(WEEK))
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path)
    with Controller.open(settings, clock=clock, migrate=False) as opened:
        yield opened


def test_the_loop_knows_which_sites_are_frozen(controller: Controller, clock: ManualClock) -> None:
    clock.jump(NOON + timedelta(hours=2))
    assert controller.freezes() == {SiteName("berlin"): "changes: frozen: audit"}
    assert str(controller.frozen("berlin")) == "frozen: audit until 2026-11-29 23:00Z"
    assert controller.frozen("austin") is None
    clock.jump(datetime(2026, 11, 29, 23, tzinfo=UTC))
    assert controller.freezes() == {}


def test_the_end_of_a_freeze_wakes_the_loop(controller: Controller, clock: ManualClock) -> None:
    """What is held is tried once, and again as soon as the freeze ends; not before."""
    from controller.views import Selection

    firewall = at_the_bench(controller)
    in_force(controller.store, "103.136.220.0/23")
    clock.jump(NOON)
    controller.sync(Selection(), actor="test")
    assert firewall.state is not None
    clock.jump(NOON + timedelta(hours=2))
    in_force(controller.store, "103.136.220.0/23", "16.162.0.0/24")
    schedule = Scheduler(controller)

    def outcomes() -> list[Outcome]:
        """Of the site's runs so far, the first of all first, after two turns of the loop."""
        for _ in range(2):
            for job in ("resolve", "counters", "sync", "housekeeping", "calendars"):
                controller.store.set_done(job, clock.now())
            schedule.tick()
            until(lambda: not any(controller.is_under_way(run.id) for run in controller.runs()))
        return [run.devices[0].outcome for run in reversed(controller.runs(wanted=RunQuery(site=SiteName("berlin"))))]

    assert outcomes() == [Outcome.APPLIED, Outcome.HELD]
    assert outcomes() == [Outcome.APPLIED, Outcome.HELD]
    clock.jump(NOON + timedelta(hours=3))
    assert outcomes() == [Outcome.APPLIED, Outcome.HELD]
    clock.jump(datetime(2026, 11, 30, 11, tzinfo=UTC))  # noon, as before: nothing but the freeze is different
    assert outcomes() == [Outcome.APPLIED, Outcome.HELD, Outcome.APPLIED]
    schedule.stop()


def test_i14_an_override_needs_a_reason_and_is_in_the_audit_log(controller: Controller, clock: ManualClock) -> None:
    from controller.views import Selection

    in_force(controller.store, "103.136.220.0/23")
    berlin = Selection(sites=("berlin",))
    with pytest.raises(Invalid, match="reason"):
        controller.sync(berlin, actor="cli:ann", override_freeze=True)
    controller.sync(berlin, actor="cli:ann", reason="ticket 4711", override_freeze=True)
    (entry,) = [e for e in controller.audit() if e.action == "run.cli"]
    assert (entry.reason, '"override_freeze":true' in entry.detail.replace(" ", "")) == ("ticket 4711", True)
