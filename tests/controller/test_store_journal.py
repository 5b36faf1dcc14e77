"""Whoever follows the journal misses nothing and sees nothing twice, however many write meanwhile."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.errors import StoreError
from controller.model import DetectionEvent, EventAction, Quality, Window
from controller.store import EventQuery, Store
from core.clock import ManualClock
from core.ids import DeviceName, EventId, SiteName, new_id
from tests.controller.backends import behind, refusing
from vendors.model import Reading, RuleName

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
BERLIN, PARIS = SiteName("berlin"), SiteName("paris")


def event(device: str, minute: int, site: str = "berlin") -> DetectionEvent:
    start = NOON + timedelta(minutes=minute)
    return DetectionEvent(
        id=EventId(new_id()),
        site=SiteName(site),
        device=DeviceName(device),
        rule=RuleName("deny-company"),
        role="company",
        exception=None,
        action=EventAction.BLOCKED,
        window=Window(start, start + timedelta(minutes=1)),
        hits=1,
        packets=1,
        octets=60,
        quality=Quality.EXACT,
        snapshot=None,
    )


def record(store: Store, *found: DetectionEvent) -> None:
    for one in found:
        store.record_events(one.device, Reading(epoch="e", read_at=one.window.end, rules=()), [one])


def test_a_follower_sees_everything_once_and_in_order_while_others_write(store: Store) -> None:
    """Later windows are recorded before earlier ones here, as with devices that are polled slowly."""
    made = {f"fw-{n}": [event(f"fw-{n}", minute) for minute in range(30, 0, -1)] for n in range(4)}
    writers = [threading.Thread(target=record, args=(store, *found)) for found in made.values()]
    seen, since = list[str](), 0
    for writer in writers:
        writer.start()
    alive = True
    while alive:
        alive = any(writer.is_alive() for writer in writers)
        page = store.journal(since, limit=7)
        seen += [entry.subject for entry in page.entries]
        assert since <= page.until
        since = page.until
        while len(page.entries) == 7:
            page = store.journal(since, limit=7)
            seen += [entry.subject for entry in page.entries]
            since = page.until
    expected = [one.id for found in made.values() for one in found]
    assert len(seen) == len(set(seen))
    assert sorted(seen) == sorted(expected)
    assert [one for one in seen if one in {e.id for e in made["fw-2"]}] == [e.id for e in made["fw-2"]]


def test_what_was_there_already_is_not_entered_again(store: Store) -> None:
    one = event("fw-1", 1)
    record(store, one, one)
    assert [entry.subject for entry in store.journal(0, limit=10).entries] == [one.id]


def test_who_sees_one_site_passes_over_the_others(store: Store) -> None:
    record(store, event("fw-1", 1, "paris"), mine := event("fw-2", 2), event("fw-1", 3, "paris"))
    page = store.journal(0, limit=10, sites=frozenset({BERLIN}))
    assert [entry.subject for entry in page.entries] == [mine.id]
    assert page.until == page.head
    assert store.journal(page.until, limit=10, sites=frozenset({PARIS})).entries == ()


def test_what_housekeeping_took_unread_is_told(store: Store, clock: ManualClock) -> None:
    record(store, event("fw-1", 1), event("fw-1", 2))
    read = store.journal(0, limit=10).until
    clock.advance(timedelta(days=40))
    record(store, kept := event("fw-1", 40 * 24 * 60))
    store.housekeeping(retention=timedelta(days=30))
    page = store.journal(read - 1, limit=10)
    assert (page.missing, [entry.subject for entry in page.entries]) == (1, [kept.id])
    assert store.journal(read, limit=10).missing == store.journal(0, limit=10).missing == 0
    clock.advance(timedelta(days=40))
    store.housekeeping(retention=timedelta(days=30))
    assert store.journal(0, limit=10).head == read + 1  # the last number is never given out again
    record(store, event("fw-1", 80 * 24 * 60))
    assert [entry.seq for entry in store.journal(read + 1, limit=10).entries] == [read + 2]


def test_a_time_is_found_by_when_it_was_recorded(store: Store, clock: ManualClock) -> None:
    record(store, event("fw-1", 1))
    first = store.journal(0, limit=1).until
    clock.advance(timedelta(hours=1))
    since = clock.now()
    record(store, event("fw-1", 2))
    assert store.journal_before(since) == first
    assert store.journal_before(since + timedelta(seconds=1)) == first + 1
    assert store.journal_before(NOON - timedelta(days=1)) == first - 1


def test_numbers_begin_behind_nothing(store: Store) -> None:
    page = store.journal(0, limit=10)
    assert (page.entries, page.until, page.missing, page.head) == ((), 0, 0, 0)
    assert behind(store, "SELECT count(*) FROM journal") == [(0,)]


def test_rows_that_come_many_at_once_are_kept_to_the_letter(store: Store) -> None:
    """More than a few go another way into PostgreSQL; text that means something there means nothing."""
    texts = ["tab\there", "line\nand\r", "back\\slash", "\\N", "\\.", "ümläut", "", "quo'te\"", "nul\0"]
    found = [
        replace(event("fw-1", n), rule=RuleName(f"{n} {texts[n % len(texts)]}"), role=texts[n % len(texts)] or None)
        for n in range(120)
    ]
    reading = Reading(epoch="e", read_at=found[0].window.end, rules=())
    assert store.record_events(found[0].device, reading, found) == 120
    assert store.record_events(found[0].device, reading, [*found[:3], *found]) == 0
    kept = {one.id: one for one in store.events_named([one.id for one in found])}
    assert len(kept) == len(store.journal(0, limit=500).entries) == 120
    for one in found:
        rule, role = kept[one.id].rule, kept[one.id].role
        assert (rule, role) in ((one.rule, one.role), (_without_nul(one.rule), _without_nul(one.role)))
        assert replace(kept[one.id], rule=one.rule, role=one.role) == one


def test_many_rows_that_cannot_be_kept_leave_nothing_behind(store: Store) -> None:
    """They go in together, the journal before them."""
    found = [event("fw-1", n) for n in range(600)]
    before, after = (Reading(epoch=epoch, read_at=NOON, rules=()) for epoch in ("before", "after"))
    store.record_events(found[0].device, before, found[:100])
    with refusing(store, "events"), pytest.raises(StoreError):
        store.record_events(found[0].device, after, found)
    assert store.last_reading(found[0].device) == before
    assert len(store.journal(0, limit=1_000).entries) == store.event_count(EventQuery(), most=1_000) == 100
    assert store.check_sums().wrong == 0
    assert store.record_events(found[0].device, after, found) == 500


def _without_nul(text: str | None) -> str | None:
    return text and text.replace("\0", "\N{REPLACEMENT CHARACTER}")
