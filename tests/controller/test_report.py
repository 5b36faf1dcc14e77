"""The report of a site: figures add up, time has its edges, and what is not known is never called zero or enforced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.evidence.model import EpisodeKind
from controller.exceptions import ExceptionRequest
from controller.inventory.moves import parts_of
from controller.model import FORGOTTEN, NOBODY, CoverageState, EventAction, ExceptionState, Observation, Quality, Window
from controller.reconciling import Finding
from controller.reports.forms import Form, rendered
from controller.reports.making import TOP, UNCOUNTED, SiteReport, SourceTrouble, fleet_report, plain
from controller.service import Controller
from controller.settings import Settings
from controller.store import Store
from core.clock import ManualClock
from core.ids import DeviceName, ExceptionId, SiteName
from tests.controller.offices import YAML, snapshot
from tests.controller.offices import offices as write_inventory
from tests.controller.proving import proof
from tests.controller.reporting import (
    DAY,
    FW,
    NOW,
    OLD_FW,
    SECOND_FW,
    E,
    approved,
    at,
    busy_day,
    check_golden,
    event,
    look,
    report,
    seen,
    status,
)
from tests.controller.test_store_episodes import an_episode
from vendors.model import Reading
from vendors.oracle import Answered

B, M, A = EventAction.BLOCKED, EventAction.MONITORED, EventAction.ALLOWED
FIVE = timedelta(minutes=5)


def hours(found: SiteReport) -> list[str]:
    """The local hours that have a bucket."""
    return [f"{bucket.start:%H:%M%z}" for bucket in found.by_hour]


def hits(found: SiteReport, action: EventAction = B) -> dict[str, int | None]:
    return {f"{b.start:%H:%M}": b.hits[action] for b in found.by_hour if b.hits[action] != 0}


# --- what is promised to programs -----------------------------------------------------------------------------------


def test_the_json_has_every_promised_key() -> None:
    document = busy_day().to_json()
    promised = {"site", "from", "to", "snapshot", "mode", "totals", "devices", "top_sources", "top_destinations"}
    assert promised | {"by_hour", "exceptions", "coverage"} <= document.keys()
    assert document["totals"].keys() == {"blocked", "monitored", "allowed"}
    assert all(figures.keys() == {"hits", "packets", "bytes"} for figures in document["totals"].values())
    states = ("enforced", "partial", "monitored", "off", "not_enforced", "unknown")
    assert document["coverage"].keys() == {f"{state}_seconds" for state in states}
    assert (document["from"], document["to"]) == ("2026-11-24T23:00:00Z", "2026-11-25T23:00:00Z")


def test_the_json_of_a_whole_day() -> None:
    check_golden("report_site.json", json.dumps(busy_day().to_json(), indent=2, ensure_ascii=False) + "\n")


def test_the_json_of_the_fleet() -> None:
    other = replace(report(devices={}), site=SiteName("austin"), title="Austin office")
    found = fleet_report([busy_day(), other], window=DAY, now=NOW, sources=busy_day().intelligence)
    check_golden("report_fleet.json", json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n")


# --- figures add up -------------------------------------------------------------------------------------------------


def test_totals_roles_devices_and_hours_are_the_same_hits() -> None:
    found = busy_day()
    for action in EventAction:
        whole = found.totals[action].hits
        assert whole == sum(bucket.hits[action] or 0 for bucket in found.by_hour)
        assert whole == sum(line.totals[action].hits or 0 for line in found.devices)
    for action in (B, M):  # an exception's rule is about no role
        assert found.totals[action].hits == sum(by[action].hits or 0 for by in found.by_role.values())


MOMENTS = st.integers(1, 24 * 60)


@given(st.lists(st.tuples(MOMENTS, st.integers(0, 10**12), st.sampled_from(EventAction)), max_size=30))
def test_the_hours_hold_every_hit_exactly_once(drawn: list[tuple[int, int, EventAction]]) -> None:
    looks = [look(0, E, E), look(0.25, E, E)]
    of_all = [event(at(minute / 60), count, action=action) for minute, count, action in drawn]
    found = report(events=of_all, observations=looks)
    for action in EventAction:
        assert found.totals[action].hits == sum(b.hits[action] or 0 for b in found.by_hour)


@given(st.integers(-1000, 3000), st.integers(1, 5000), st.integers(0, 4000))
def test_coverage_adds_up_to_the_time_that_has_passed(start: int, length: int, now: int) -> None:
    window = Window(at(0) + timedelta(seconds=start), at(0) + timedelta(seconds=start + length))
    found = report(window=window, now=at(0) + timedelta(seconds=now), observations=[look(0, E, E), look(0.2, E, None)])
    passed = max(0, min(start + length, now) - start)
    assert sum(found.to_json()["coverage"].values()) == passed


def test_coverage_of_a_day_adds_up_to_its_seconds() -> None:
    document = busy_day().to_json()
    assert sum(document["coverage"].values()) == 24 * 3600
    assert document["coverage"]["enforced_seconds"] == 21 * 3600
    spans = document["coverage_spans"]
    assert (spans[0]["from"], spans[-1]["to"]) == (document["from"], document["to"])
    assert all(one["to"] == two["from"] for one, two in pairwise(spans))


def test_the_fleet_is_the_sum_of_its_sites_and_the_worst_comes_first() -> None:
    good = replace(report(events=[event(at(9), 5)], observations=_all_day(E)), site=SiteName("good"))
    off = replace(report(observations=_all_day(CoverageState.OFF)), site=SiteName("off"))
    fleet = fleet_report([good, busy_day(), off], window=DAY, now=NOW)
    assert [s.site for s in fleet.sites] == ["off", "berlin", "good"]
    assert [s.enforced_share for s in fleet.sites] == [None, 0.875, 1.0]
    assert fleet.totals[B].hits == 5 + (busy_day().totals[B].hits or 0)
    assert sum(fleet.seconds.values()) == 3 * 24 * 3600


def _all_day(state: CoverageState) -> list[Observation]:
    return [look(quarter / 4, state, state) for quarter in range(-1, 97)]


# --- the edges of time ----------------------------------------------------------------------------------------------


@pytest.fixture
def controller(tmp_path: Path, migrated: Path) -> Iterator[Controller]:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    write_inventory(tmp_path)
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path)
    with Controller.open(settings, clock=ManualClock(NOW)) as opened:
        yield opened


def record(store: Store, *events: object) -> None:
    store.record_events(FW, Reading(epoch="e", read_at=NOW, rules=()), events)  # type: ignore[arg-type]


def test_what_was_decided_of_an_exception_is_told_by_what_it_was_then(controller: Controller) -> None:
    """Not by what became of the exception since; who approved it did not end it."""
    desk, now = controller.exceptions, controller.clock.now()
    wish = ExceptionRequest(
        sites=("berlin",), sources=("10.20.1.7",), service="tiktok", starts=now, ends=now + timedelta(hours=2),
        reason="campaign", owner="marketing", code="other",
    )  # fmt: skip
    one, other = desk.request(wish, actor="ann"), desk.request(replace(wish, sources=("10.20.1.8",)), actor="ann")
    desk.approve(one.id, actor="bob")
    desk.deny(other.id, actor="cyd", reason="no")
    desk.revoke(one.id, actor="dan", reason="done")
    found = controller.site_report("berlin", Window(now - timedelta(days=1), now + timedelta(days=1)))
    told = {change.what.partition(": ")[0]: change.by for change in found.found.changes if "exception" in change.what}
    assert told == {
        f"exception {one.id} approved": "bob",
        f"exception {other.id} denied": "cyd",
        f"exception {one.id} revoked": "dan",
    }


def test_i13_of_the_fleet_too_nothing_is_unknown_where_nobody_counted(controller: Controller) -> None:
    record(controller.store, event(at(9), 5))
    found = controller.fleet_report(DAY)
    assert {line.site: line.totals[B].hits for line in found.sites} == {"berlin": 5, "austin": None}
    assert found.totals[B].hits == 5
    assert found.before is not None
    assert found.before.totals[B].hits is None
    assert [UNCOUNTED in line.notes for line in found.sites if line.site == "austin"] == [True]
    ahead = controller.fleet_report(Window(NOW + timedelta(days=1), NOW + timedelta(days=2)))
    assert ahead.totals[B].hits is None


def test_what_was_counted_at_a_site_that_left_the_inventory_is_told_and_in_no_figure(controller: Controller) -> None:
    gone = event(at(9), 1200, site=SiteName("lost"), device=OLD_FW)
    record(controller.store, event(at(9), 5), gone)
    found = controller.fleet_report(DAY)
    said = (
        "lost is no longer in the inventory: what was counted there in this time (1,200 blocked) is in no figure here."
    )
    assert (found.notes, found.totals[B].hits) == ((said,), 5)
    for form in (Form.HTML, Form.MARKDOWN, Form.CSV):
        assert "lost is no longer in the inventory" in rendered(found, form).decode()
    assert controller.fleet_report(Window(DAY.start - FIVE, DAY.start)).notes == ()
    berlin, lost = frozenset({SiteName("berlin")}), frozenset({SiteName("lost")})
    assert controller.within(berlin).fleet_report(DAY).notes == (), "of no concern to who sees Berlin alone"
    assert controller.within(lost).fleet_report(DAY).notes == (said,)


def test_a_firewall_that_left_is_told_though_it_counted_nothing() -> None:
    looks = [look(1, E, E, device=OLD_FW), look(1.25, E, E, device=OLD_FW)]
    note = "fw-old: no longer in the inventory; its hits are counted, its time is not."
    assert note in report(devices={FW: None}, observations=looks).notes
    long_ago = [replace(one, at=one.at - timedelta(days=3)) for one in looks]
    assert note not in report(devices={FW: None}, observations=long_ago).notes


def test_a_clock_that_was_another_one_then_is_told(tmp_path: Path) -> None:
    """Work hours stand in the night on a map that is by another clock."""
    clock = ManualClock(DAY.start - timedelta(days=1))
    write_inventory(tmp_path)
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path)
    with Controller.open(settings, clock=clock) as controller:
        here = controller.inventory
        controller.store.follow_inventory(here.digest, parts_of(here), said=here.model_dump(mode="json"))
        clock.advance(timedelta(days=2))
        assert not any("clock of this site" in note for note in controller.site_report("berlin", DAY).notes)
    write_inventory(tmp_path, YAML.replace("Europe/Berlin", "Asia/Tokyo"))
    with Controller.open(settings, clock=clock) as controller:
        told = [note for note in controller.site_report("berlin", DAY).notes if "clock of this site" in note]
        [note] = told
        assert note.startswith("The clock of this site was Europe/Berlin when this time began, and is Asia/Tokyo now: ")


def test_an_event_from_the_beginning_on_counts_and_one_from_the_end_on_does_not(controller: Controller) -> None:
    """An event is about the time before its end: it belongs to the window that holds that time."""
    before, first = event(DAY.start, 1), event(DAY.start + FIVE, 10)
    last, after = event(DAY.end, 100), event(DAY.end + FIVE, 1000)
    record(controller.store, before, first, last, after)
    found = controller.site_report("berlin", DAY)
    assert found.totals[B].hits == 110
    assert hits(found) == {"00:00": 10, "23:00": 100}


def test_windows_side_by_side_count_every_event_once(controller: Controller) -> None:
    record(controller.store, *(event(at(half / 2), 2**half) for half in range(10)))
    parts = [Window(at(hour), at(hour + 1)) for hour in range(-1, 6)]
    found = [controller.site_report("berlin", part).totals[B].hits for part in parts]
    assert sum(count or 0 for count in found) == 2**10 - 1


def test_a_report_that_ends_when_it_was_asked_for_has_the_mode_of_now(controller: Controller) -> None:
    """Also where no inventory was ever taken up, as by commands alone."""
    asked = controller.clock.now()
    controller.clock.advance(timedelta(seconds=2))  # type: ignore[attr-defined]
    assert controller.site_report("berlin", Window(at(8), asked)).mode == {"company": "monitor", "guest": "off"}
    assert controller.site_report("berlin", Window(at(8), at(9))).mode == {"company": None, "guest": None}


def test_the_mode_is_that_of_the_windows_last_moment(controller: Controller) -> None:
    """A report on work hours says what was enforced in them, not what began when they were over."""
    now = controller.clock.now()
    controller.clock.advance(DAY.start - now)  # type: ignore[attr-defined]
    controller.follow_inventory()
    controller.clock.advance(now - DAY.start)  # type: ignore[attr-defined]
    work = Window(at(8), at(18))
    assert controller.site_report("berlin", work).mode["company"] == "enforce"
    assert controller.site_report("berlin", Window(at(8), at(18.5))).mode["company"] == "monitor"
    assert controller.site_report("berlin", Window(at(23), NOW + FIVE)).mode["company"] == "monitor"


def test_what_was_taken_back_is_no_finding_and_is_not_counted(controller: Controller) -> None:
    leak, evasion = EpisodeKind.LEAK, EpisodeKind.EVASION
    kept = [("e1", leak, 80), ("e2", leak, 0), ("e3", evasion, 0), ("e4", EpisodeKind.CONTACT, 0)]
    controller.store.record("", [an_episode(i, at(9), kind=kind, confidence=sure) for i, kind, sure in kept])
    found = controller.site_report("berlin", DAY).found
    assert found is not None
    assert [one.id for one in found.findings] == ["e1"]
    assert found.counts == {"leak": 1}
    assert sorted((line.kind, line.episodes) for line in found.apps) == [("contact", 1), ("leak", 1)]


def test_endpoints_firewalls_and_coverage_are_held_against_each_other(controller: Controller) -> None:
    """As on request, and in a pack; who was forgotten is nobody."""
    installed = {"kind": EpisodeKind.INSTALLED, "source": None}
    controller.store.record("", [
        an_episode("e1", at(9), host="PC-1", **installed), an_episode("e2", at(9), host="pc-2", **installed),
        an_episode("e3", at(9), host="pc-1", source=ip_address("10.20.0.7"), confidence=85),
        an_episode("e4", at(9), host=FORGOTTEN, source=None),
    ])  # fmt: skip
    pairs = (seen("10.20.0.7", 3, at(10)), seen("10.20.0.8", 3, at(10)), seen(str(NOBODY), 3, at(10)))
    record(controller.store, event(at(10), 3, sources=pairs))
    found = controller.site_report("berlin", DAY, in_house=True)
    assert {row.client: row.finding for row in found.reconciled.rows} == {
        "pc-1": Finding.BLOCKED, "pc-2": Finding.BLIND, "10.20.0.8": Finding.STRANGER,
    }  # fmt: skip
    assert found.reconciled == controller.reconciling.reconcile(DAY, ("berlin",)).sites[SiteName("berlin")]
    later = controller.site_report("berlin", Window(at(9.9), at(11)), in_house=True).reconciled
    assert (later.has_list, later.rows) == (False, ()), "without a list nobody is a stranger to it"


def test_a_leak_is_believed_more_than_the_devices(controller: Controller) -> None:
    """In the report of the site, in the one of the fleet, and in what is said of the range before."""
    for quarter in range(-8, 97):
        controller.store.add_observation(look(quarter / 4, E, E))
    controller.store.record_proofs("r1", [proof(at(9), Answered.PASSES)])
    open_time = controller.site_report("berlin", DAY).seconds(CoverageState.NOT_ENFORCED)
    assert open_time > 0
    (berlin,) = (line for line in controller.fleet_report(DAY).sites if line.site == "berlin")
    assert berlin.seconds(CoverageState.NOT_ENFORCED) == open_time
    after = controller.site_report("berlin", Window(DAY.end, NOW)).before
    assert after is not None
    assert after.enforced_share == 0.0, "not tried again: unknown"


def test_other_sites_and_times_are_left_out(controller: Controller) -> None:
    record(controller.store, event(at(9), 5), event(at(9), 7, site=SiteName("austin"), device=DeviceName("fw-austin")))
    assert controller.site_report("berlin", DAY).totals[B].hits == 5
    assert controller.fleet_report(DAY).totals[B].hits == 12


def test_what_the_sources_said_is_asked_of_their_records(controller: Controller) -> None:
    """A list that stays the same is the same snapshot for months; its sources still answer every hour."""
    controller.refresh_intel(actor="test")
    controller.clock.advance(timedelta(days=3))  # type: ignore[attr-defined]
    stale = "source curated is STALE: it last answered 3 d ago, more than 1d"
    assert [str(trouble) for trouble in controller.site_report("berlin", DAY).intelligence] == [stale]
    assert [str(trouble) for trouble in controller.fleet_report(DAY).intelligence] == [stale]
    assert f"Intelligence: {stale}." in controller.site_report("berlin", DAY).notes
    assert not controller.refresh_intel(actor="test").changed
    assert dict(controller.snapshot().source_ages)["curated"] == controller.clock.now()
    assert not any("Intelligence" in note for note in controller.site_report("berlin", DAY).notes)


# --- the site's own clock -------------------------------------------------------------------------------------------


def local_day(day: str, zone: str) -> Window:
    """From midnight to midnight on the site's clock."""
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    return Window(start.astimezone(UTC), (start + timedelta(days=1)).astimezone(UTC))


@pytest.mark.parametrize(
    ("day", "zone", "count", "missing", "twice"),
    [
        pytest.param("2026-11-25", "Europe/Berlin", 24, "", "", id="ordinary"),
        pytest.param("2026-03-29", "Europe/Berlin", 23, "02", "", id="berlin-spring"),
        pytest.param("2026-10-25", "Europe/Berlin", 25, "", "02", id="berlin-autumn"),
        pytest.param("2026-03-08", "America/Chicago", 23, "02", "", id="chicago-spring"),
        pytest.param("2026-11-01", "America/Chicago", 25, "", "01", id="chicago-autumn"),
        pytest.param("2026-09-06", "America/Santiago", 23, "00", "", id="midnight-does-not-come"),
        pytest.param("2026-11-25", "Asia/Kathmandu", 24, "", "", id="a-quarter-past"),
    ],
)
def test_a_day_has_as_many_hours_as_its_clock_shows(day: str, zone: str, count: int, missing: str, twice: str) -> None:
    window = local_day(day, zone)
    found = report(window=window, zone=zone, now=window.end)
    shown = [f"{bucket.start:%H}" for bucket in found.by_hour]
    assert len(shown) == count == window.seconds / 3600
    assert {f"{n:02}" for n in range(24)} - set(shown) == ({missing} if missing else set())
    assert {hour for hour in shown if shown.count(hour) > 1} == ({twice} if twice else set())
    starts = [bucket.start.astimezone(UTC) for bucket in found.by_hour]
    assert starts[0] == window.start
    assert {two - one for one, two in pairwise(starts)} == {timedelta(hours=1)}


def test_the_hour_that_comes_twice_is_counted_apart() -> None:
    window = local_day("2026-10-25", "Europe/Berlin")
    first, second = window.start + timedelta(hours=2.5), window.start + timedelta(hours=3.5)
    found = report(window=window, now=window.end, events=[event(first, 3), event(second, 4)])
    twice = [(f"{b.start:%H:%M%z}", b.hits[B]) for b in found.by_hour if b.hits[B]]
    assert twice == [("02:00+0200", 3), ("02:00+0100", 4)]
    keys = [bucket["hour"] for bucket in found.to_json()["by_hour"]]
    assert len(set(keys)) == len(keys) == 25


def test_the_first_hour_may_begin_before_the_window_and_the_future_has_none() -> None:
    found = report(window=Window(at(8.25), at(12)), now=at(10.5))
    assert hours(found) == ["08:00+0100", "09:00+0100", "10:00+0100"]


def test_a_long_report_counts_by_the_day_of_the_site() -> None:
    window = Window(local_day("2026-10-01", "Europe/Berlin").start, local_day("2026-12-01", "Europe/Berlin").start)
    end = local_day("2026-10-25", "Europe/Berlin").end
    found = report(window=window, now=NOW + timedelta(days=30), events=[event(end, 3), event(end + FIVE, 4)])
    assert found.is_by_day
    assert len(found.by_hour) == 61
    assert {f"{b.start:%Y-%m-%d %H:%M}": b.hits[B] for b in found.by_hour if b.hits[B]} == {
        "2026-10-25 00:00": 3,
        "2026-10-26 00:00": 4,
    }


# --- unknown is unknown ---------------------------------------------------------------------------------------------


def test_i13_an_empty_period_is_unknown_and_not_compliant() -> None:
    found = report()
    assert found.seconds(CoverageState.UNKNOWN) == 24 * 3600
    assert found.enforced_share == 0
    assert found.totals[B].hits is None
    assert UNCOUNTED in found.notes
    assert {hits for bucket in found.by_hour for hits in bucket.hits.values()} == {None}
    assert {hits for days in found.heat_map.values() for day in days for hits in day} == {None}
    quiet = report(observations=[look(0, E, E), look(0.25, E, E)])
    assert (quiet.totals[B].hits, quiet.heat_map[B][0][0]) == (0, 0), "somebody looked, and nothing was there"
    assert found.notes[0].startswith("For 1 d nobody proved what the site was doing")


def test_i13_a_period_that_lies_ahead_has_nothing_and_says_nothing() -> None:
    found = report(now=DAY.start)
    assert found.enforced_share is None
    assert found.totals[B].hits is None
    assert found.by_hour == ()
    assert sum(found.to_json()["coverage"].values()) == 0


def test_i13_a_figure_that_a_device_does_not_count_is_null_and_never_zero() -> None:
    uncounted = event(at(9.5), None, device=SECOND_FW)
    found = report(events=[event(at(9.5), 5), event(at(11.5), 7), uncounted], devices={FW: status(), SECOND_FW: None})
    document = found.to_json()
    assert document["totals"]["blocked"] == {"hits": None, "packets": None, "bytes": None}
    assert document["totals"]["monitored"] == {"hits": 0, "packets": 0, "bytes": 0}
    assert hits(found) == {"09:00": None, "11:00": 7}
    assert [line.totals[B].hits for line in found.devices] == [12, None]
    assert any("do not count hits" in note for note in found.notes)
    assert fleet_report([found], window=DAY, now=NOW).totals[B].hits is None


def test_i13_of_a_device_that_was_never_read_nothing_is_known() -> None:
    failed = status(SECOND_FW, last_seen_at=None, error="TG4001 no route")
    found = report(devices={FW: None, SECOND_FW: failed})
    assert [line.totals[B].hits for line in found.devices] == [None, None]
    assert f"{FW}: never looked at." in found.notes
    assert f"{SECOND_FW}: the last attempt failed: TG4001 no route" in found.notes


def test_a_device_that_left_the_inventory_keeps_its_hits_and_is_named() -> None:
    found = report(events=[event(at(9), 5), event(at(10), 7, device=OLD_FW)])
    assert [(line.name, line.is_known, line.totals[B].hits) for line in found.devices] == [
        (FW, True, 5),
        (OLD_FW, False, 7),
    ]
    assert found.totals[B].hits == 12
    assert any(note.startswith(f"{OLD_FW}: no longer in the inventory") for note in found.notes)


def test_lower_bounds_and_lost_sources_are_said() -> None:
    events = [event(at(9), 5, quality=Quality.AT_LEAST), event(at(10), 5, sources_truncated=True)]
    troubles = (SourceTrouble(source="dns", what="stale", why="it has never answered"),)
    notes = report(events=events, of=snapshot(), sources=troubles).notes
    assert "1 of 2 events are lower bounds: counters restarted inside their window." in notes
    assert any("some sources are missing" in note for note in notes)
    assert notes[0] == "Intelligence: source dns is STALE: it has never answered."


# --- who and where to -----------------------------------------------------------------------------------------------


def test_the_top_lists_add_up_over_events_and_are_cut_at_twenty() -> None:
    clients = tuple(seen(f"10.20.0.{n}", n, at(9)) for n in range(1, 31))
    found = report(
        events=[event(at(9), 1, sources=clients), event(at(10), 1, sources=(seen("10.20.0.1", 90, at(10)),))]
    )
    assert len(found.top_sources) == TOP
    first = found.top_sources[0]
    assert (first.name, first.packets, first.octets, first.last_seen) == ("10.20.0.1", 91, 91 * 60, at(10))
    assert [line.packets for line in found.top_sources] == [91, *range(30, 11, -1)]
    assert [(line.name, line.packets) for line in found.top_destinations] == [("103.136.220.9", 465 + 90)]


def test_what_was_blocked_and_what_was_let_through_are_two_lines() -> None:
    use = (seen("10.20.0.1", 2, at(9)),)
    found = report(events=[event(at(9), 1, sources=use), event(at(9), 1, action=A, role=None, sources=use)])
    assert [(line.action, line.role) for line in found.top_sources] == [(A, None), (B, "company")]


def test_i13_a_client_whose_packets_nobody_counted_is_listed_without_a_number() -> None:
    found = report(events=[event(at(9), 1, sources=(seen("10.20.0.1", None, at(9)), seen("10.20.0.2", 5, at(9))))])
    assert [(line.name, line.packets) for line in found.top_sources] == [("10.20.0.2", 5), ("10.20.0.1", None)]


# --- exceptions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "is_shown"),
    [
        pytest.param({}, True, id="inside"),
        pytest.param({"starts": at(-5), "ends": at(0)}, False, id="over-as-the-window-begins"),
        pytest.param({"starts": at(-5), "ends": at(0.1)}, True, id="over-just-after"),
        pytest.param({"starts": at(24), "ends": at(30)}, False, id="begins-as-the-window-ends"),
        pytest.param({"starts": at(-99), "ends": at(99), "decided_at": at(-99)}, True, id="around-it"),
        pytest.param({"state": ExceptionState.REQUESTED, "decided_at": None}, False, id="nobody-decided"),
        pytest.param({"state": ExceptionState.DENIED, "ended_at": at(14)}, False, id="denied"),
        pytest.param({"state": ExceptionState.REVOKED, "ended_at": at(12)}, False, id="revoked-before-it-began"),
        pytest.param({"state": ExceptionState.REVOKED, "ended_at": at(14)}, True, id="revoked-while-live"),
        pytest.param({"decided_at": at(16.5)}, False, id="approved-when-it-was-over"),
    ],
)
def test_only_exceptions_that_were_live_in_the_window_are_shown(change: dict[str, object], is_shown: bool) -> None:
    found = report(exceptions=[approved(**change)])
    assert len(found.exceptions) == is_shown


def test_an_exception_that_has_not_begun_is_not_shown_as_in_force() -> None:
    assert report(exceptions=[approved()], now=at(12.9)).exceptions == ()
    assert len(report(exceptions=[approved()], now=at(13.1)).exceptions) == 1


def test_an_exception_says_how_it_was_used() -> None:
    own, other = approved(), approved(id=ExceptionId("01hzexception0000000000002"))
    use = event(at(14), 9, action=A, role=None, exception=own.id)
    lines = report(exceptions=[own, other], events=[use, event(at(14), 5)]).to_json()["exceptions"]
    assert [(line["hits"], line["packets"]) for line in lines] == [(9, 27), (0, 0)]
    assert lines[0].items() >= {"reason": "campaign", "approved_by": "bob", "ticket": "MKT-1"}.items()


# --- hostile text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Büro \N{CJK UNIFIED IDEOGRAPH-6771} שלום", "Büro \N{CJK UNIFIED IDEOGRAPH-6771} שלום"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[2Jgone\x00\x07\r", "\ufffd[2Jgone\ufffd\ufffd\ufffd"),
        ("\x9b31mred", "\ufffd31mred"),
        ("exe\u202efdp.txt\u2066", "exe\ufffdfdp.txt\ufffd"),
    ],
)
def test_text_shows_and_never_acts(text: str, shown: str) -> None:
    assert plain(text) == shown
