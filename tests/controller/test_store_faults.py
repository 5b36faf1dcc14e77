"""The store against killed processes, two writers and a full disk: what it answered is there, whole, once."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NoReturn

import pytest

from controller import tokens
from controller.address import DatabaseAddress
from controller.audit import AuditNote
from controller.errors import StoreError
from controller.model import DetectionEvent, EventAction, Quality, Scope, Window
from controller.store import EventQuery, Store
from core.clock import ManualClock, SystemClock
from core.ids import DeviceName, EventId, SiteName, new_id
from vendors.model import Reading, RuleName

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


Place = tuple[Path, DatabaseAddress | None]


def opened(place: Place) -> Store:
    folder, address = place
    return Store.open(folder, address=address, clock=SystemClock())


@dataclass
class Writer:
    """A process of its own that records events and audit entries as fast as it can, and says what was answered.

    Forked, not started anew, so that ten of them cost no ten imports; whoever forks one has no store open.
    """

    place: Place
    name: str
    most: int = 1_000_000

    def __post_init__(self) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            self._work(writing)
        os.close(writing)
        self._said = os.fdopen(reading)

    def _work(self, out: int) -> NoReturn:
        status = 1
        try:
            record_on(self.place, DeviceName(self.name), self.most, lambda number: os.write(out, b"%d\n" % number))
            status = 0
        finally:
            os._exit(status)

    def answered(self, lines: int | None = None) -> int:
        """The last number that was answered: wait for so many, or for all there are until the process ends."""
        said = self._said if lines is None else islice(self._said, lines)
        return max((int(line) for line in said if line.endswith("\n")), default=0)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        self._said.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def record_on(place: Place, device: DeviceName, most: int, answer: Callable[[int], object]) -> None:
    """Go on where the store says that the last one ended."""
    with opened(place) as store:
        last = store.last_reading(device)
        for number in range(int(last.epoch) + 1 if last else 1, most + 1):
            start = NOW + timedelta(minutes=number)
            reading = Reading(epoch=str(number), read_at=start, rules=())
            store.record_events(device, reading, [event(device, number, start)])
            store.append_audit(AuditNote(actor=device, action="event", subject=str(number)))
            answer(number)
            if number % 25 == 0:
                store.housekeeping(retention=timedelta(days=3650))


def event(device: DeviceName, number: int, start: datetime) -> DetectionEvent:
    return DetectionEvent(
        id=EventId(new_id()),
        site=SiteName("berlin"),
        device=device,
        rule=RuleName("deny-company"),
        role="company",
        exception=None,
        action=EventAction.BLOCKED,
        window=Window(start, start + timedelta(minutes=1)),
        hits=number,
        packets=1,
        octets=1,
        quality=Quality.EXACT,
        snapshot=None,
    )


def events_of(store: Store, device: str) -> list[int]:
    """The numbers of every event of a device, sorted."""
    found: list[int] = []
    cursor = None
    while True:
        page = store.events(EventQuery(device=device, limit=500, cursor=cursor))
        found += [event.hits or 0 for event in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return sorted(found)


def test_i02_a_killed_writer_loses_nothing_it_answered_and_doubles_nothing(blank: Place) -> None:
    chance = random.Random(20261125)
    best = 0
    for _ in range(12):
        writer = Writer(blank, "fw-a")
        best = max(best, writer.answered(chance.randint(5, 40)))
        writer.kill()
        best = max(best, writer.answered())
        assert writer.wait() == -signal.SIGKILL
    assert best > 60
    with opened(blank) as store:
        assert store.check() == []
        recorded = events_of(store, "fw-a")
        assert recorded == list(range(1, len(recorded) + 1))
        assert len(recorded) - best in (0, 1)
        last = store.last_reading(DeviceName("fw-a"))
        assert last is not None
        assert int(last.epoch) == len(recorded)


def test_i08_three_processes_write_one_chain(blank: Place) -> None:
    names = ("fw-a", "fw-b", "fw-c")
    writers = [Writer(blank, name, 80) for name in names]
    assert [writer.answered() for writer in writers] == [80, 80, 80]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    with opened(blank) as store:
        assert store.check() == []
        assert [events_of(store, name) for name in names] == [list(range(1, 81))] * 3
        entries = store.audit_entries(limit=1000)
        assert sorted(e.subject for e in entries if e.actor == "fw-b") == sorted(str(n) for n in range(1, 81))
        assert len(entries) == 240


def test_another_program_that_holds_the_file_is_told_in_words(tmp_path: Path) -> None:
    with Store.open(tmp_path, clock=ManualClock(NOW)) as store:
        with store._db.write() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=50")
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked by another program"):
            store.set_done("resolve", NOW)
        other.execute("ROLLBACK")
        other.close()
        store.set_done("resolve", NOW)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tokgate-test", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.root
def test_i02_a_full_disk_refuses_the_change_whole_and_heals(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    with small_disk(tmp_path / "disk", "2m") as disk, Store.open(disk, clock=clock) as store:
        token, text = tokens.create(
            store, clock, name="ci", scopes=[Scope.READ], lifetime=timedelta(days=1), actor="alice"
        )
        kept = fill(store)
        with pytest.raises(StoreError, match=r"is full.*free space there"):
            store.ping()
        assert [e.subject for e in store.audit_entries(limit=10_000)] == [*reversed(kept), token.id]
        assert store.verify_audit() == []
        assert tokens.authenticate(store, clock, text.reveal()).id == token.id  # who reads may go on
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        store.append_audit(AuditNote(actor="alice", action="healed", subject="x"))
        assert len(store.audit_entries(limit=10_000)) == len(kept) + 2
        assert store.check() == []


def fill(store: Store) -> list[str]:
    """Write until the disk is full; what was answered until then."""
    kept: list[str] = []
    for number in range(10_000):
        try:
            note = AuditNote(actor="alice", action="fill", subject=str(number), detail={"x": "y" * 5000})
            store.append_audit(note)
        except StoreError as exc:
            assert "is full: nothing was recorded" in str(exc), str(exc)  # noqa: PT017
            return kept
        kept.append(str(number))
    pytest.fail("the disk never filled")


@pytest.mark.root
def test_i02_a_full_disk_cannot_make_a_store(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", "64k") as disk,
        pytest.raises(StoreError, match=r"full|cannot be (used|written)"),
    ):
        Store.open(disk, clock=ManualClock(NOW))
