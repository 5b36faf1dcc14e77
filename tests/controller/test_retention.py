"""What a site no longer keeps goes, or loses who it was about; figures stay, a hold holds, and the log says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from controller.coverage_desk import tried_of
from controller.inventory import Inventory
from controller.model import DetectionEvent, EventAction, Window
from controller.privacy_desk import PrivacyDesk
from controller.reports.making import UNTOLD
from controller.retention_desk import RetentionDesk
from controller.store import EventQuery, Store
from controller.sums import SOURCE, Sums, total
from core.clock import ManualClock
from core.ids import DeviceName, EventId, SiteName, new_id
from tests.controller import reporting
from tests.controller.export.records import event, seen
from tests.controller.offices import NOON, YAML, offices
from tests.controller.proving import proof
from tests.controller.test_store_episodes import an_episode
from vendors.model import Reading
from vendors.oracle import Answered

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ALL = Window(datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
BERLIN, AUSTIN = SiteName("berlin"), SiteName("austin")
OLD, NEW = 40, 2
"""Days ago."""


def at(days: int, site: SiteName, *sources: str) -> DetectionEvent:
    end = NOON - days * DAY
    pairs = tuple(seen(source, "103.136.220.9") for source in sources)
    return event(
        id=EventId(new_id()),
        site=site,
        device=DeviceName(f"fw-{site}"),
        window=Window(end - timedelta(minutes=5), end),
        sources=pairs,
    )


@pytest.fixture
def full(store: Store, clock: ManualClock) -> Store:
    """At two sites something old and something new, each with clients."""
    for site in (BERLIN, AUSTIN):
        for days in (OLD, NEW):
            one = at(days, site, "10.20.0.7", "10.20.0.8")
            store.record_events(one.device, Reading(epoch="e", read_at=NOON, rules=()), [one])
            window = Window(NOON - days * DAY - timedelta(hours=1), NOON - days * DAY)
            store.record(new_id(), [an_episode(new_id(), site=site, user="ann", window=window)])
    return store


def desk(store: Store, clock: ManualClock, berlin: str, *, general: str = "{}") -> RetentionDesk:
    text = YAML.replace("    title: Berlin office\n", f"    title: Berlin office\n    privacy: {berlin}\n")
    inventory: Inventory = offices(store._data_dir, f"{text}privacy: {general}\n")
    privacy = PrivacyDesk(store=store, inventory=inventory, clock=clock)
    return RetentionDesk(store=store, inventory=inventory, clock=clock, privacy=privacy, longest=timedelta(days=400))


def sums(store: Store, site: SiteName) -> Sums:
    return store.hit_sums(site, ALL, zone=ZoneInfo("UTC"), by_day=True)


def ages(store: Store, site: SiteName) -> list[int]:
    return [(NOON - e.window.end).days for e in store.events(EventQuery(site=site)).items]


def clients(found: Sums) -> dict[str, int]:
    names = dict[str, int]()
    for who, figures in found.seen.items():
        if who.side == SOURCE:
            names[who.name] = names.get(who.name, 0) + figures.packets
    return names


def test_events_go_and_their_figures_stay(full: Store, clock: ManualClock) -> None:
    before = sums(full, BERLIN).all
    (first, other) = (
        d for d in desk(full, clock, "{retention: {events: 30}}").run() if d.kept.site in ("berlin", "austin")
    )
    assert {d.kept.site: d.counts.get("events", 0) for d in (first, other)} == {"berlin": 1, "austin": 0}
    assert (ages(full, BERLIN), ages(full, AUSTIN)) == ([NEW], [NEW, OLD])
    assert sums(full, BERLIN).all == before
    assert clients(sums(full, BERLIN)).keys() == {"10.20.0.7", "10.20.0.8", "forgotten"}
    assert full.check_sums().wrong == 0
    assert full.rebuild_sums().wrong == 0
    assert sums(full, BERLIN).all == before, "and are not made anew of events that are gone"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu"])
@pytest.mark.parametrize("days", [1, 60])
def test_totals_and_hours_stay_whatever_the_clock_of_the_site(
    full: Store, clock: ManualClock, zone: str, days: int
) -> None:
    """A day of the site is no day of UTC: of what is left of it sums know the hours alone."""
    here = ZoneInfo(zone)
    day = (NOON - OLD * DAY).astimezone(here).replace(hour=0, minute=0)
    window = Window(day.astimezone(UTC), (day + days * DAY).astimezone(UTC))
    before = full.hit_sums(BERLIN, window, zone=here, by_day=False)
    desk(full, clock, "{retention: {events: 30}}").run()
    after = full.hit_sums(BERLIN, window, zone=here, by_day=False)
    assert before.all.hits > 0
    assert after.all == before.all
    assert total(timed.figures for timed in after.by_time) == before.all
    fleet = full.fleet_hits(window, [BERLIN])[BERLIN]
    assert total(fleet.values()).hits == after.all.hits


def test_of_a_part_of_a_day_only_the_totals_are_known(full: Store, clock: ManualClock) -> None:
    desk(full, clock, "{retention: {events: 30}}").run()
    old = NOON - OLD * DAY
    found = full.hit_sums(BERLIN, Window(old - 3 * HOUR, old + 3 * HOUR), zone=ZoneInfo("UTC"), by_day=False)
    assert found.cells == {}
    assert sum(count.hits for count in found.untold.values()) == found.all.hits > 0
    told = reporting.report(window=Window(old - 3 * HOUR, old + 3 * HOUR), sums=found)
    assert told.totals[EventAction.BLOCKED].hits == found.all.hits
    assert [line.totals[EventAction.BLOCKED].hits for line in told.devices] == [None]
    assert UNTOLD in told.notes


def test_who_it_was_is_forgotten_and_how_much_is_not(full: Store, clock: ManualClock) -> None:
    before = clients(sums(full, BERLIN))
    desk(full, clock, "{retention: {identities: 30}}").run()
    new, old = full.events(EventQuery(site="berlin")).items
    assert [pair.client for pair in old.sources] == ["forgotten"]
    assert [str(pair.source) for pair in new.sources] == ["10.20.0.7", "10.20.0.8"]
    episodes = full.episodes_between(BERLIN, ALL)
    assert [(e.source is None, e.host, e.user) for e in episodes] == [
        (True, "forgotten", ""),
        (False, "phone-1", "ann"),
    ]
    after = clients(sums(full, BERLIN))
    assert after == {"10.20.0.7": before["10.20.0.7"] // 2, "10.20.0.8": before["10.20.0.8"] // 2, "forgotten": 10}
    assert clients(sums(full, AUSTIN)) == before
    assert full.check_sums().wrong == 0, "what is added up again says the same"


def test_a_look_changes_nothing_and_says_what_a_run_does(full: Store, clock: ManualClock) -> None:
    made = desk(
        full, clock, "{retention: {events: 30, episodes: 10, identities: 1}}", general="{retention: {proofs: 1}}"
    )
    looked = made.look()
    assert ages(full, BERLIN) == [NEW, OLD]
    assert [(d.kept.site, d.counts) for d in made.run(actor="cli:ann")] == [(d.kept.site, d.counts) for d in looked]
    assert [d.counts for d in made.run()] == [{} for _ in looked], "done twice it is done once"


def test_what_went_is_in_the_audit_log_once(full: Store, clock: ManualClock) -> None:
    made = desk(full, clock, "{retention: {events: 30, episodes: 10}}")
    made.run(actor="cli:ann")
    made.run(actor="cli:ann")
    (entry,) = [e for e in full.audit_entries(limit=20) if e.action == "retention.drop"]
    detail = json.loads(entry.detail)
    assert (entry.actor, entry.subject, detail["after"]["dropped"]["events"]) == ("cli:ann", "berlin", 1)
    assert detail["before"]["events"].startswith("2026-10-26T00:00"), "whole days"
    assert full.verify_audit() == []


def test_what_leaked_stays_in_the_coverage_of_that_time(full: Store, clock: ManualClock) -> None:
    """A pack of last month and one of the same month made later say the same."""
    began = NOON - OLD * DAY
    rounds = [
        (0, Answered.OURS),
        (1, Answered.PASSES),
        (2, Answered.PASSES),
        (3, Answered.UNKNOWN),
        (4, Answered.OURS),
        (5, Answered.OURS),
    ]
    for number, said in rounds:
        when, more = began + number * HOUR / 2, {"round": f"r{number}"}
        full.record_proofs(f"r{number}", [proof(when, said, **more), proof(when, target="103.136.220.11", **more)])
    whole = Window(began - HOUR, began + 4 * HOUR)
    before = tried_of(full.proofs_between(BERLIN, whole))
    assert [tried.leaks for tried in before] == [False, True, True, False, False]
    made = desk(full, clock, "{retention: {proofs: 7}}")
    assert made.one("berlin").counts["proofs"] == 9
    made.run()
    kept = full.proofs_between(BERLIN, whole)
    assert tried_of(kept) == before[1:4], "each that shows the leak, and the first that shows that it is over"
    assert len(kept) == 3
    assert "proofs" not in made.one("berlin").counts, "done twice it is done once"


def test_a_hold_keeps_everything_of_its_site(full: Store, clock: ManualClock) -> None:
    made = desk(
        full, clock, "{retention: {events: 1, identities: 1}, hold: 'case 4711'}", general="{identities: pseudonyms}"
    )
    made.privacy._key_over(made.privacy.at("berlin"), ALL)
    made.run()
    full.housekeeping(retention=DAY, held=made.held)
    assert (ages(full, BERLIN), ages(full, AUSTIN)) == ([NEW, OLD], [])
    assert len(full.episodes_between(BERLIN, ALL)) == 2
    assert full.identity_key("month", Window(datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)))


def test_keys_go_with_the_identities_that_they_name(full: Store, clock: ManualClock) -> None:
    made = desk(
        full, clock, "{retention: {identities: 20}}", general="{identities: pseudonyms, retention: {identities: 50}}"
    )
    made.privacy._key_over(made.privacy.at("berlin"), ALL)
    made.run()
    september, october = (datetime(2026, month, 1, tzinfo=UTC) for month in (9, 10))
    assert full.identity_key("month", Window(september, october)) is None, "no site knows anybody of then"
    assert full.identity_key("month", Window(october, datetime(2026, 11, 1, tzinfo=UTC))) is not None


def test_nothing_outlasts_what_the_fleet_keeps(full: Store, clock: ManualClock) -> None:
    kept = desk(full, clock, "{retention: {events: 3000, identities: 3000, proofs: 7}}").kept("berlin")
    assert (kept.events.days, kept.identities.days, kept.proofs.days, kept.episodes.days) == (400, 400, 7, 400)
    assert desk(full, clock, "{retention: {events: 10}}").kept("berlin").identities.days == 10
