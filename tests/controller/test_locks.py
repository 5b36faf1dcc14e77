"""A lock holds over threads and processes, names its holder, and is free the moment its holder is gone."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from controller.address import DatabaseAddress
from controller.audit import AuditNote
from controller.errors import Busy, StoreError
from controller.locks import DeviceLocks, FileLocks, ServeLease
from controller.rehearsal import Rehearsal, rehearsed
from controller.store import Store
from controller.store.database import locks_of
from tests.controller.backends import address_of

AT_ONCE = timedelta(0)
SOON = timedelta(seconds=10)
ROOT = Path(__file__).parents[2]

HOLDER = """
import sys
from datetime import timedelta
from pathlib import Path
from controller.address import DatabaseAddress
from controller.locks import DeviceLocks
from controller.store.database import locks_of
address = DatabaseAddress(sys.argv[2]) if sys.argv[2:] else None
with locks_of(Path(sys.argv[1]), address) as locks, DeviceLocks(locks).hold("fw-a", wait=timedelta(seconds=5)):
    print("held", flush=True)
    sys.stdin.read()
"""


@dataclass
class Place:
    """Where locks are: in files of that folder, or in that database."""

    folder: Path
    address: DatabaseAddress | None

    @contextmanager
    def devices(self) -> Iterator[DeviceLocks]:
        with locks_of(self.folder, self.address) as locks:
            yield DeviceLocks(locks)

    @contextmanager
    def lease(self) -> Iterator[ServeLease]:
        with locks_of(self.folder, self.address) as locks:
            yield ServeLease(locks, over="it")


@pytest.fixture
def place(store: Store) -> Place:
    return Place(store._data_dir, address_of(store))


@contextmanager
def another_process(place: Place) -> Iterator[subprocess.Popen[str]]:
    """Holds ``fw-a`` until it is told to end or killed."""
    command = [sys.executable, "-c", HOLDER, str(place.folder), *([place.address.url] if place.address else [])]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_i08_another_process_waits_its_turn_and_is_told_for_whom(place: Place) -> None:
    said = "since 20" if place.address is None else "(127.0.0.1)"
    with (
        another_process(place) as process,
        place.devices() as locks,
        pytest.raises(Busy, match=rf"fw-a.*held by process {process.pid} on host \S+ {re.escape(said)}") as caught,
        locks.hold("fw-a", wait=AT_ONCE),
    ):
        pass
    assert caught.value.device == "fw-a"


def test_i08_a_killed_holder_holds_nothing(place: Place) -> None:
    with another_process(place) as process, place.devices() as locks:
        process.kill()
        process.wait()
        with locks.hold("fw-a", wait=AT_ONCE if place.address is None else SOON):  # a server hears of it a moment later
            pass


def test_i08_threads_take_turns_also_over_two_sets_of_locks(place: Place) -> None:
    inside, most = 0, 0

    def work(locks: DeviceLocks) -> None:
        nonlocal inside, most
        for _ in range(25):
            with locks.hold("fw-a", wait=SOON):
                inside += 1
                most = max(most, inside)
                inside -= 1

    with place.devices() as some, place.devices() as others:
        threads = [threading.Thread(target=work, args=((some, others)[n % 2],)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (inside, most) == (0, 1)


def test_devices_do_not_wait_for_each_other(place: Place) -> None:
    with place.devices() as locks, locks.hold("fw-a", wait=AT_ONCE), locks.hold("fw-b", wait=AT_ONCE):
        pass


def test_an_error_inside_gives_the_lock_back(place: Place) -> None:
    with place.devices() as locks:
        with pytest.raises(ZeroDivisionError), locks.hold("fw-a", wait=AT_ONCE):
            raise ZeroDivisionError
        with locks.hold("fw-a", wait=AT_ONCE):
            locks.refuse_lost("fw-a")


def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="no device name"),
        DeviceLocks(FileLocks(tmp_path)).hold("../fw", wait=AT_ONCE),
    ):
        pass


def test_a_folder_that_cannot_be_used_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"), DeviceLocks(FileLocks(tmp_path / "file")).hold("fw-a"):
        pass


def test_one_process_serves(place: Place) -> None:
    with place.lease() as one, place.lease() as other:
        with one as lease, pytest.raises(Busy, match="one `tokgate serve`"), other:
            pass
        assert lease.holder() is None
        with other as again:
            assert "process" in str(again.holder())
            assert again.is_held()


def test_a_rehearsal_that_has_the_store_waits_for_no_lock(store: Store, place: Place) -> None:
    """Whoever holds the lock may be waiting for the store: a dry run must not make a change fail."""
    change = Rehearsal()
    with locks_of(place.folder, place.address) as others, rehearsed(change):
        with others.named("in-force", what="the list").hold(wait=AT_ONCE):
            store.append_audit(AuditNote(actor="ann", action="a", subject="s"))
            began = time.monotonic()
            with pytest.raises(Busy), store.locks.named("in-force", what="the list").hold(wait=timedelta(seconds=60)):
                pass
        assert time.monotonic() - began < 30
    change.end()
    assert store.audit_entries() == []
