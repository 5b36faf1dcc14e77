"""What is kept added up says what the events and looks themselves say, to the last hit, over both kinds of store."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, update

from controller.coverage import coverage
from controller.model import CoverageState, DetectionEvent, EventAction, Observation, Quality, SourceSeen, Window
from controller.store import Store
from controller.store.schema import hit_days, hit_times, observations
from controller.sums import Sums, Timed, sums_of, total
from core.clock import ManualClock
from core.ids import DeviceName, EventId, ExceptionId, SiteName
from tests.controller.backends import behind, count, migrate_once
from vendors.model import Reading, RuleName

BERLIN, AUSTIN = SiteName("berlin"), SiteName("austin")
START = datetime(2026, 9, 20, 3, 7, 11, 5, tzinfo=UTC)
FIVE = timedelta(minutes=5)
ADDED = ("hit_times", "hit_days", "hit_seen")


def some_events(seed: int, *, days: int = 70, count: int = 400) -> list[DetectionEvent]:
    """Scattered over months, a clock change among them; some counted in part, some without a role."""
    dice = random.Random(seed)
    return [_event(dice, number, START + timedelta(days=days) * dice.random()) for number in range(count)]


def _event(dice: random.Random, number: int, end: datetime) -> DetectionEvent:
    action = dice.choice(list(EventAction))
    excepted = action is EventAction.ALLOWED
    return DetectionEvent(
        id=EventId(f"01event{number}"),
        site=dice.choice((BERLIN, BERLIN, AUSTIN)),
        device=DeviceName(f"fw-{dice.randrange(2)}"),
        rule=RuleName(f"rule-{number}"),
        role=None if excepted else dice.choice(("company", "guest")),
        exception=ExceptionId("01exception") if excepted else None,
        action=action,
        window=Window(end - FIVE, end),
        hits=dice.choice((None, *range(9))),
        packets=dice.randrange(50),
        octets=dice.choice((None, 2**40)),
        quality=dice.choice(list(Quality)),
        snapshot=None,
        sources=tuple(_pair(dice, end) for _ in range(dice.randrange(4))),
        sources_truncated=dice.random() < 0.1,
    )


def _pair(dice: random.Random, end: datetime) -> SourceSeen:
    return SourceSeen(
        source=ip_address(f"10.0.0.{dice.randrange(6)}"),
        destination=ip_address(f"103.136.220.{dice.randrange(4)}"),
        packets=dice.choice((None, 3, 4)),
        octets=dice.randrange(9),
        last_seen=end - timedelta(seconds=dice.randrange(200)),
    )


def record(store: Store, events: Iterable[DetectionEvent]) -> None:
    store.record_events(DeviceName("fw"), Reading(epoch="e", read_at=START, rules=()), list(events))


def tables(store: Store) -> dict[str, list[tuple[object, ...]]]:
    return {name: sorted(behind(store, f"SELECT * FROM {name}")) for name in ADDED}


def as_shown(sums: Sums, zone: ZoneInfo, *, by_day: bool) -> tuple[object, ...]:
    """What a report makes of them."""
    time = "%Y-%m-%d" if by_day else "%Y-%m-%d %H %z"
    return (
        dict(sums.cells),
        dict(sums.seen),
        _together(sums.by_time, lambda at: at.astimezone(zone).strftime(time)),
        _together(sums.by_hour, lambda at: at.astimezone(zone).strftime("%a %H")),
    )


def _together(times: Iterable[Timed], name: object) -> dict[object, object]:
    found: dict[object, list[object]] = {}
    for timed in times:
        found.setdefault((name(timed.at), timed.action), []).append(timed.figures)  # type: ignore[operator]
    return {key: total(counts) for key, counts in found.items()}  # type: ignore[arg-type]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/Chicago"])
@pytest.mark.parametrize("by_day", [True, False], ids=["days", "hours"])
def test_sums_are_those_of_the_events(store: Store, zone: str, by_day: bool) -> None:
    dice, clock = random.Random(zone), ZoneInfo(zone)
    record(store, some_events(1))
    for _ in range(12):
        first = START + timedelta(days=75) * (dice.random() - 0.03)
        window = Window(first, first + timedelta(days=60) * dice.random() ** 3 + timedelta(minutes=1))
        if dice.random() < 0.5:  # as people ask: whole days of the site
            day = window.start.astimezone(clock).replace(hour=0, minute=0, second=0, microsecond=0)
            window = Window(day.astimezone(UTC), (day + timedelta(days=dice.randrange(1, 50))).astimezone(UTC))
        kept = store.hit_sums(BERLIN, window, zone=clock, by_day=by_day)
        told = sums_of(store.events_between(BERLIN, window))
        assert as_shown(kept, clock, by_day=by_day) == as_shown(told, clock, by_day=by_day)
        assert store.clients_counted(BERLIN, window) == told.seen
        fleet = store.fleet_hits(window, [BERLIN, AUSTIN])
        assert total(fleet.get(BERLIN, {}).values()) == told.all


def test_an_event_that_comes_twice_is_counted_once(store: Store) -> None:
    events = some_events(2, count=30)
    record(store, events)
    before = tables(store)
    record(store, events)
    assert tables(store) == before
    assert store.check_sums().wrong == 0


def test_what_is_made_again_is_what_was_kept(store: Store) -> None:
    for part in range(4):
        record(store, some_events(3)[part::4])
    before = tables(store)
    found = store.check_sums()
    assert found.wrong == 0
    assert found.rows > 800
    store.rebuild_sums()
    assert tables(store) == before


def test_a_sum_that_went_wrong_is_noticed_and_put_right(store: Store) -> None:
    record(store, some_events(4, count=60))
    before = tables(store)
    with store._db.write() as connection:
        connection.execute(update(hit_times).where(hit_times.c.grain == "half").values(hits=hit_times.c.hits + 1))
        connection.execute(hit_days.delete().where(hit_days.c.site == AUSTIN))
    assert store.check_sums().wrong > 10
    assert store.rebuild_sums().wrong > 10
    assert tables(store) == before


def test_old_days_go_whole_and_the_rest_still_adds_up(store: Store, clock: ManualClock) -> None:
    record(store, some_events(5))
    store.housekeeping(retention=timedelta(days=40))
    kept = tables(store)
    assert 0 < len(kept["hit_times"]) < 1_000
    assert store.check_sums().wrong == 0
    store.rebuild_sums()
    assert tables(store) == kept


def test_an_upgrade_adds_up_what_is_there(store: Store) -> None:
    record(store, some_events(6))
    for look in some_looks(6):
        store.add_observation(look)
    before, stretches = tables(store), behind(store, _STRETCHES)
    for later in (*ADDED, "stretches", "coverage_kept"):
        behind(store, f"DROP TABLE {later}")
    behind(store, "DROP INDEX ix_run_devices_done")
    migrate_once(store, "v0011_sums")
    assert tables(store) == before
    assert behind(store, _STRETCHES) == stretches


# --- looks ----------------------------------------------------------------------------------------------------------

_STRETCHES = 'SELECT site, device, "first", "last", gap, looks, found, "left", cause FROM stretches ORDER BY 2, 3'
_STATES = (CoverageState.ENFORCED, CoverageState.OFF, CoverageState.NOT_ENFORCED)


def some_looks(seed: int, *, count: int = 300) -> Iterator[Observation]:
    """Mostly steady, at two devices; some fail, some find another state than was left, and one gap is long."""
    dice, at = random.Random(seed), START
    held = dict.fromkeys(("fw-0", "fw-1"), CoverageState.ENFORCED)
    for _ in range(count):
        at += timedelta(minutes=15 if dice.random() < 0.97 else 200)
        for device, state in held.items():
            found: CoverageState | None = state
            if dice.random() < 0.05:
                found = None
            elif dice.random() < 0.1:
                held[device] = dice.choice(_STATES)
                found = dice.choice((state, held[device]))
            left = None if found is None else held[device]
            cause = "unreachable" if found is None else ""
            yield Observation(device=DeviceName(device), site=BERLIN, at=at, found=found, left=left, cause=cause)


@pytest.mark.parametrize("freshness", [timedelta(minutes=30), timedelta(minutes=10), timedelta(hours=4)], ids=str)
def test_i13_stretches_prove_what_their_looks_prove(store: Store, freshness: timedelta) -> None:
    for look in some_looks(7):
        store.add_observation(look)
    assert count(store, "stretches") < count(store, "observations") / 2
    dice = random.Random(7)
    for _ in range(20):
        first = START + timedelta(hours=80 * dice.random() - 2)
        window = Window(first, first + timedelta(hours=60 * dice.random()))
        asked = {"devices": (DeviceName("fw-0"), DeviceName("fw-1")), "now": window.end, "freshness": freshness}
        kept = coverage(store.looks(BERLIN, window, freshness=freshness), window, **asked)  # type: ignore[arg-type]
        told = coverage(store.observations(BERLIN, window), window, **asked)  # type: ignore[arg-type]
        assert kept == told


def test_a_clock_that_was_set_back_makes_no_stretch_of_what_it_is_not(store: Store) -> None:
    looks = [*some_looks(8, count=20)]
    for look in [*looks, *(_earlier(look) for look in looks[-6:])]:
        store.add_observation(look)
    window = Window(START, START + timedelta(hours=10))
    assert store.looks(BERLIN, window, freshness=timedelta(minutes=30)) == store.observations(BERLIN, window)


def _earlier(look: Observation) -> Observation:
    at = look.at - timedelta(hours=1, minutes=7)
    return Observation(device=look.device, site=look.site, at=at, found=look.found, left=look.left)


def test_i13_days_that_are_kept_are_what_their_looks_prove(store: Store) -> None:
    """Over months, with and without days that are kept; what was worked out with other devices does not count."""
    both, one = (DeviceName("fw-0"), DeviceName("fw-1")), (DeviceName("fw-0"),)
    looks = [*some_looks(9, count=3_000)]
    rows = [
        {name: getattr(look, name) for name in ("site", "device", "at", "found", "left", "cause")} for look in looks
    ]
    with store._db.write() as connection:
        connection.execute(insert(observations), rows)
    store.rebuild_sums()
    fresh, end = timedelta(minutes=30), looks[-1].at + timedelta(hours=3)
    store.keep_coverage({BERLIN: both}, now=end, freshness=fresh, target=fresh)
    assert count(store, "coverage_sums") > 30
    dice = random.Random(9)
    for _ in range(12):
        first = START + (end - START) * (dice.random() - 0.1)
        window = Window(first, first + timedelta(days=60) * dice.random())
        for devices in (both, one):
            sites = {BERLIN: devices, AUSTIN: devices}
            kept = store.fleet_coverage(window, sites, now=end, freshness=fresh)
            wide = Window(START - timedelta(days=9), end)
            told = coverage(store.observations(BERLIN, wide), wide, devices=devices, now=end, freshness=fresh)
            told = told.within(Window(window.start, min(window.end, end)))
            assert kept[BERLIN] == {state: told.total(state) for state in CoverageState}
