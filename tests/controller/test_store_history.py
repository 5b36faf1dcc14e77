"""The past of the intelligence in the store: the words of each refresh, alerts, and what bounds both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, insert, text

from controller.address import DatabaseAddress
from controller.alerts import AlertNote
from controller.errors import StoreOutdated
from controller.model import ExceptionState
from controller.store import AlertQuery, EventQuery, ExceptionQuery, Store
from controller.store.bulk import as_rows
from controller.store.database import open_database
from controller.store.evidence import columns_of
from controller.store.jsons import EXCEPTION, STATUS
from controller.store.schema import REVISION, events, micros
from controller.store.upgrade import MIGRATIONS
from core.clock import ManualClock
from core.ids import DeviceName, EventId, ExceptionId, new_id
from ipsets.model import Provenance, Snapshot
from ipsets.snapshot import dumps
from tests.controller.backends import behind, count
from tests.controller.offices import an_exception
from tests.controller.test_store import event, holds, reading
from tests.controller.test_store_snapshots import NOW, ONE, TWO

HOUR = timedelta(hours=1)
ASKED = an_exception("10.20.1.7", state=ExceptionState.REQUESTED)


def saying(snapshot: Snapshot, detail: str) -> Snapshot:
    """The same list, and its source says something else of it."""
    word = Provenance(source="curated", first_seen=NOW, last_seen=NOW, detail=detail)
    return replace(snapshot, indicators=tuple(replace(i, sources=(word,)) for i in snapshot.indicators))


def keep(store: Store, clock: ManualClock, *found: Snapshot) -> None:
    """One refresh an hour."""
    for snapshot in found:
        store.save_snapshot(snapshot)
        clock.advance(HOUR)


def test_each_refresh_is_remembered_in_its_own_words(store: Store, clock: ManualClock) -> None:
    begun = clock.now()
    one, two = saying(ONE, "first"), saying(ONE, "second")
    keep(store, clock, one, two, TWO, one)
    assert store.snapshot(ONE.id) == one, "the last words stand with the snapshot"
    for hour, words in {0: one, 0.9: one, 1: two, 2.5: two, 3: one, 9: one}.items():
        assert store.said_at(ONE, begun + hour * HOUR) == words, hour
    assert store.said_at(ONE, begun - HOUR) is None
    assert store.said_at(TWO, begun + HOUR) is None
    assert store.said_at(TWO, begun + 5 * HOUR) == TWO
    assert (count(store, "words"), count(store, "refreshes")) == (3, 4)


def test_the_same_words_are_kept_once_however_often_they_are_said(store: Store, clock: ManualClock) -> None:
    begun = clock.now()
    for hour in range(24):
        at = begun + hour * HOUR
        word = Provenance(source="curated", first_seen=NOW, last_seen=at, detail="AS138699")
        found = tuple(replace(i, sources=(word,)) for i in ONE.indicators)
        keep(store, clock, replace(ONE, indicators=found, source_ages=(("curated", at),)))
    assert (count(store, "words"), count(store, "refreshes")) == (1, 24)
    then = store.said_at(ONE, begun + 7.5 * HOUR)
    assert then is not None
    assert then.indicators[0].sources[0].last_seen == begun + 7 * HOUR


def test_words_are_bounded_and_none_are_taken_for_others(store: Store, clock: ManualClock) -> None:
    begun = clock.now()
    keep(store, clock, *(saying(ONE, f"word {at}") for at in range(3)))
    [(size,)] = behind(store, "SELECT max(size) FROM words")
    store.words_bytes = 3 * size
    keep(store, clock, saying(ONE, "word 0"), saying(ONE, "word 3"))
    assert (count(store, "words"), count(store, "refreshes")) == (3, 5)
    assert store.said_at(ONE, begun) == saying(ONE, "word 0"), "used lately, so it stayed"
    assert store.said_at(ONE, begun + HOUR) is None, "gone, and not told in the words of the hour before"
    assert store.said_at(ONE, begun + 2 * HOUR) == saying(ONE, "word 2")


def test_what_the_retention_no_longer_keeps_is_dropped(store: Store, clock: ManualClock) -> None:
    begun = clock.now()
    store.save_source_records([], alerts=[AlertNote(kind="moved", subject="AS1", message="it moved", detail={})])
    keep(store, clock, saying(ONE, "first"), saying(ONE, "second"))
    store.set_current(ONE.id)
    store.housekeeping(retention=2 * HOUR)
    assert (count(store, "words"), count(store, "refreshes"), count(store, "alerts")) == (2, 2, 1)
    clock.advance(HOUR / 2)
    store.housekeeping(retention=2 * HOUR)
    assert (count(store, "words"), count(store, "refreshes"), count(store, "alerts")) == (1, 1, 0)
    assert store.said_at(ONE, begun + HOUR) == saying(ONE, "second")


def test_alerts_are_listed_the_newest_first_and_never_numbered_twice(store: Store, clock: ManualClock) -> None:
    for at in range(3):
        kind = "moved" if at % 2 else "renamed"
        note = AlertNote(kind=kind, subject=f"AS{at}", message="it moved", detail={"count": at})
        store.save_source_records([], alerts=[note])
        clock.advance(HOUR)
    assert [(a.subject, a.kind, a.detail) for a in store.alerts()] == [
        ("AS2", "renamed", {"count": 2}),
        ("AS1", "moved", {"count": 1}),
        ("AS0", "renamed", {"count": 0}),
    ]
    newest = store.alerts()[0]
    assert [a.subject for a in store.alerts(before=newest.id, limit=1)] == ["AS1"]
    assert [a.subject for a in store.alerts(wanted=AlertQuery(kind="renamed"))] == ["AS2", "AS0"]
    assert [a.subject for a in store.alerts(wanted=AlertQuery(since=newest.at))] == ["AS2"]
    store.housekeeping(retention=timedelta(0))
    store.save_source_records([], alerts=[AlertNote(kind="moved", subject="AS9", message="again", detail={})])
    assert store.alerts()[0].id == newest.id + 1


@contextmanager
def left_at(revision: str, place: tuple[Path, DatabaseAddress | None]) -> Iterator[Connection]:
    """A store as the version of that schema left it."""
    database = open_database(*place)
    with database.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        yield connection
    database.close()


def test_an_upgrade_knows_what_devices_held_before_it(
    blank: tuple[Path, DatabaseAddress | None], clock: ManualClock
) -> None:
    held = holds(DeviceName("fw-berlin"), ASKED.id)
    with left_at("0006", blank) as connection:
        row = {"device": held.device, "body": STATUS.dumps(held)}
        connection.execute(text("INSERT INTO device_status VALUES (:device, :body)"), row)
    with Store.open(blank[0], address=blank[1], clock=clock, is_backed_up=True) as store:
        assert store.holding([ASKED.id]) == {ASKED.id: (held.device,)}


def test_an_upgrade_keeps_every_event_and_each_of_them_once(
    blank: tuple[Path, DatabaseAddress | None], clock: ManualClock
) -> None:
    """Their proofs lie in another order since 0021."""
    found = [event(NOW + n * timedelta(minutes=5), exception=ExceptionId("e1") if n % 2 else None) for n in range(9)]
    with left_at("0020", blank) as connection:
        connection.execute(insert(events), as_rows(columns_of(found)))
    with Store.open(blank[0], address=blank[1], clock=clock, is_backed_up=True) as store:
        same = [replace(one, id=EventId(new_id())) for one in found]
        assert store.record_events(found[0].device, reading(), same) == 0
        assert set(store.events(EventQuery()).items) == set(found)
        assert set(store.events(EventQuery(exception="e1")).items) == set(found[1::2])
        assert store.event_count(EventQuery(device=found[0].device), most=99) == 9


def first_schema(place: tuple[Path, DatabaseAddress | None]) -> None:
    """A snapshot in force, and nothing known of its words before."""
    with left_at("0001", place) as connection:
        row = {"id": ONE.id, "at": micros(ONE.created_at), "body": dumps(ONE)}
        connection.execute(text("INSERT INTO snapshots VALUES (:id, :at, NULL, 1, 1, :body)"), row)
        asked = {"id": ASKED.id, "at": micros(ASKED.starts), "end": micros(ASKED.ends), "body": EXCEPTION.dumps(ASKED)}
        connection.execute(text("INSERT INTO exceptions VALUES (:id, 'requested', :at, :end, :body)"), asked)
        connection.execute(text("INSERT INTO exceptions VALUES ('broken', 'ended', 1, 2, '{}')"))
        connection.execute(text("INSERT INTO meta VALUES ('instance', :id)"), {"id": "0" * 26})
        connection.execute(text("INSERT INTO meta VALUES ('current_snapshot', :id)"), {"id": ONE.id})


def test_a_store_of_the_first_version_is_brought_up_to_date(
    blank: tuple[Path, DatabaseAddress | None], clock: ManualClock
) -> None:
    first_schema(blank)
    folder, address = blank
    if address is not None:
        with pytest.raises(StoreOutdated, match=r"no backup is made here.*pg_dump .*tokgate db upgrade"):
            Store.open(folder, address=address, clock=clock)
    with Store.open(folder, address=address, clock=clock, is_backed_up=address is not None) as store:
        assert store.schema_version == REVISION != "0001"
        assert store.current_snapshot() == ONE
        assert store.said_at(ONE, clock.now()) is None, "nobody wrote it down then"
        assert store.alerts() == []
        wanted = ExceptionQuery(owner=ASKED.owner, text=ASKED.reason.upper())
        assert next(store.exception_batches(wanted, first=9)) == [(ASKED, ())], "old ones are found by what they say"
        keep(store, clock, saying(ONE, "later"))
        assert store.said_at(ONE, clock.now()) == saying(ONE, "later")
        assert store.check() == []
    if address is None:
        assert [backup.name[:10] for backup in (folder / "backups").iterdir()] == ["store-0001"]


def test_words_that_cannot_be_stored_leave_the_snapshot_as_it_was(store: Store, clock: ManualClock) -> None:
    keep(store, clock, ONE)
    behind(store, "DROP TABLE refreshes")
    with pytest.raises(Exception, match="refreshes"):
        store.save_snapshot(saying(ONE, "later"))
    assert store.snapshot(ONE.id) == ONE
