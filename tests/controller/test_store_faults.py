"""The store against killed processes, two writers and a full disk: what it answered is there, whole, once."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller import tokens
from controller.audit import AuditNote
from controller.errors import StoreError
from controller.model import Scope
from controller.store import EventQuery, Store
from core.clock import ManualClock, SystemClock

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]

WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from controller.model import DetectionEvent, EventAction, Quality, Window
from controller.store import AuditNote, Store
from core.clock import SystemClock
from core.ids import DeviceName, EventId, SiteName, new_id
from vendors.model import Reading, RuleName

folder, name, most = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = Store.open(folder, clock=SystemClock())
device = DeviceName(name)
last = store.last_reading(device)
number = int(last.epoch) if last else 0
print("open", number, flush=True)
while number < most:
    number += 1
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    event = DetectionEvent(
        id=EventId(new_id()), site=SiteName("berlin"), device=device, rule=RuleName("deny-company"), role="company",
        exception=None, action=EventAction.BLOCKED, window=Window(start, start + timedelta(minutes=1)), hits=number,
        packets=1, octets=1, quality=Quality.EXACT, snapshot=None,
    )
    store.record_events(device, Reading(epoch=str(number), read_at=start, rules=()), [event])
    store.append_audit(AuditNote(actor=name, action="event", subject=str(number)))
    print("done", number, flush=True)
    if number % 25 == 0:
        store.housekeeping(retention=timedelta(days=3650))
store.close()
"""


def writer(folder: Path, name: str, most: int = 1_000_000) -> subprocess.Popen[str]:
    """A process that records events and audit entries as fast as it can, and says what was answered."""
    command = [sys.executable, "-c", WRITER, str(folder), name, str(most)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)


def answered(process: subprocess.Popen[str]) -> int:
    """The last number whose recording was answered; reads to the end of what the process said."""
    assert process.stdout is not None
    with process.stdout:
        said = [line.split() for line in process.stdout if line.endswith("\n")]
    return int(said[-1][1]) if said else 0


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


def test_i02_a_killed_writer_loses_nothing_it_answered_and_doubles_nothing(tmp_path: Path) -> None:
    chance = random.Random(20261125)
    best = 0
    for _ in range(10):
        process = writer(tmp_path, "fw-a")
        best = max(best, read_lines(process, chance.randint(5, 30)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        best = max(best, answered(process))
    assert best > 60
    with Store.open(tmp_path, clock=SystemClock()) as store:
        assert store.check() == []
        recorded = events_of(store, "fw-a")
        assert recorded == list(range(1, len(recorded) + 1))
        assert len(recorded) - best in (0, 1)
        last = store.last_reading("fw-a")  # type: ignore[arg-type]
        assert last is not None
        assert int(last.epoch) == len(recorded)


def read_lines(process: subprocess.Popen[str], count: int) -> int:
    """Wait for that many lines; the number in the last one."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(count)]
    return int(lines[-1].split()[1])


def test_i08_two_processes_write_one_chain(tmp_path: Path) -> None:
    with Store.open(tmp_path, clock=SystemClock()) as store:
        processes = [writer(tmp_path, name, 80) for name in ("fw-a", "fw-b", "fw-c")]
        assert [answered(process) for process in processes] == [80, 80, 80]
        assert [process.wait() for process in processes] == [0, 0, 0]
        assert store.check() == []
        assert [events_of(store, name) for name in ("fw-a", "fw-b", "fw-c")] == [list(range(1, 81))] * 3
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
