"""A lock holds over threads and processes, names its holder, and is free the moment its holder is gone."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from controller.audit import AuditNote
from controller.errors import Busy, StoreError
from controller.locks import DeviceLocks, FileLock, ServeLease
from controller.rehearsal import Rehearsal, rehearsed
from controller.store import Store

AT_ONCE = timedelta(0)
SOON = timedelta(seconds=10)
ROOT = Path(__file__).parents[2]

HOLDER = """
import sys
from datetime import timedelta
from pathlib import Path
from controller.locks import DeviceLocks
with DeviceLocks(Path(sys.argv[1])).hold("fw-a", wait=timedelta(seconds=5)):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Holds ``fw-a`` until it is told to end or killed."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_i08_another_process_waits_its_turn_and_is_told_for_whom(tmp_path: Path) -> None:
    with (
        another_process(tmp_path) as process,
        pytest.raises(Busy, match=rf"fw-a.*held by process {process.pid} on host \S+ since 20") as caught,
        DeviceLocks(tmp_path).hold("fw-a", wait=AT_ONCE),
    ):
        pass
    assert caught.value.device == "fw-a"


def test_i08_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        process.kill()
        process.wait()
        with DeviceLocks(tmp_path).hold("fw-a", wait=AT_ONCE):
            pass


def test_i08_threads_take_turns_also_over_two_sets_of_locks(tmp_path: Path) -> None:
    inside, most = 0, 0
    sets = (DeviceLocks(tmp_path), DeviceLocks(tmp_path))

    def work(locks: DeviceLocks) -> None:
        nonlocal inside, most
        for _ in range(25):
            with locks.hold("fw-a", wait=SOON):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work, args=(sets[n % 2],)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_devices_do_not_wait_for_each_other(tmp_path: Path) -> None:
    locks = DeviceLocks(tmp_path)
    with locks.hold("fw-a", wait=AT_ONCE), locks.hold("fw-b", wait=AT_ONCE):
        pass


def test_an_error_inside_gives_the_lock_back(tmp_path: Path) -> None:
    locks = DeviceLocks(tmp_path)
    with pytest.raises(ZeroDivisionError), locks.hold("fw-a", wait=AT_ONCE):
        raise ZeroDivisionError
    with locks.hold("fw-a", wait=AT_ONCE):
        pass


def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no device name"), DeviceLocks(tmp_path).hold("../fw", wait=AT_ONCE):
        pass


def test_a_folder_that_cannot_be_used_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"), DeviceLocks(tmp_path / "file").hold("fw-a"):
        pass


def test_one_process_serves(tmp_path: Path) -> None:
    with (
        ServeLease(tmp_path) as lease,
        pytest.raises(Busy, match="one `tokgate serve`"),
        ServeLease(tmp_path),
    ):
        pass
    assert lease.holder() is None
    with ServeLease(tmp_path) as again:
        assert "process" in str(again.holder())


def test_a_rehearsal_that_has_the_store_waits_for_no_lock(store: Store, tmp_path: Path) -> None:
    """Whoever holds the lock may be waiting for the store: a dry run must not make a change fail."""
    path, change = tmp_path / "in-force.lock", Rehearsal()
    with FileLock(path, what="the list").hold(wait=AT_ONCE), rehearsed(change):
        store.append_audit(AuditNote(actor="ann", action="a", subject="s"))
        began = time.monotonic()
        with pytest.raises(Busy), FileLock(path, what="the list").hold(wait=timedelta(seconds=60)):
            pass
        assert time.monotonic() - began < 30
    change.end()
    assert store.audit_entries() == []
