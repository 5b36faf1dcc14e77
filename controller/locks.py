"""Locks that hold over threads and processes: one per device, one for the store's writer, one for ``serve`` (I8).

Beside a store that is a file each is ``flock`` on a file that stays: the kernel gives it back when its holder dies,
however it dies. The file says who holds it, for the message to whoever has to wait; that text is a courtesy and decides
nothing. A store in PostgreSQL has its locks there, over machines too: ``controller.store.advisory``.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

from controller.errors import Busy, StoreError
from controller.rehearsal import rehearsal
from core.ids import NAME

DEVICE_WAIT: Final = timedelta(minutes=3)
"""Longer than one job's budget: whoever waits its turn gets it, and nobody waits for ever."""
NOW: Final = timedelta(0)
WAIT_FOR_END: Final = "wait for it to end, then try again"
FIRST_PAUSE: Final = 0.002
LONGEST_PAUSE: Final = 0.1


class Lock(Protocol):
    """One lock, by its name the same in every process over the same store."""

    def hold(self, *, wait: timedelta, device: str | None = None) -> AbstractContextManager[None]:
        """Hold it while the block runs. Raises ``Busy`` after ``wait``, naming who has it; ``StoreError``."""
        ...

    def is_held(self) -> bool:
        """Whether whoever is in ``hold`` has it still; a lock in a database goes with the connection to it."""
        ...

    def regain(self) -> bool:
        """Take it again, for whoever is in ``hold`` and lost it; False: somebody else has it. Raises ``StoreError``."""
        ...

    def holder(self) -> str | None:
        """Who has it, in words; None when nobody has, or it is not known."""
        ...


class Locks(Protocol):
    """Every lock of one store."""

    def named(self, name: str, *, what: str, hint: str = WAIT_FOR_END) -> Lock:
        """``what`` is what the message to a waiting caller calls it."""
        ...


class FileLock:
    """One lock file. ``what`` is what the message to a waiting caller calls it."""

    def __init__(self, path: Path, *, what: str, hint: str = WAIT_FOR_END) -> None:
        self.path = path
        self._what = what
        self._hint = hint
        self._turn = threading.Lock()

    @contextmanager
    def hold(self, *, wait: timedelta, device: str | None = None) -> Iterator[None]:
        """Hold the lock while the block runs. A rehearsal that has the store waits for nobody who may want the store.

        Raises:
            Busy: somebody else still holds it after ``wait``; the message names them.
            StoreError: the lock file cannot be opened, or its disk knows no locks.
        """
        wait = patience(wait)
        deadline = time.monotonic() + wait.total_seconds()
        if not self._turn.acquire(timeout=max(wait.total_seconds(), 0)):
            raise self._busy(device)
        try:
            descriptor = self._open()
            try:
                self._lock(descriptor, deadline, device)
                _write_holder(descriptor)
                try:
                    yield
                finally:
                    _forget_holder(descriptor)
            finally:
                os.close(descriptor)  # this also gives the lock back
        finally:
            self._turn.release()

    def _open(self) -> int:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise StoreError(
                f"the lock file {self.path} cannot be opened: {exc.strerror}", hint="check the data folder and its disk"
            ) from exc

    def _lock(self, descriptor: int, deadline: float, device: str | None) -> None:
        pause = FIRST_PAUSE
        while not self._try(descriptor):
            if time.monotonic() + pause > deadline:
                raise self._busy(device)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _try(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            if exc.errno in (errno.EWOULDBLOCK, errno.EINTR):
                return False
            raise StoreError(
                f"{self.path} cannot be locked: {exc.strerror}", hint="the data folder must be on a local disk"
            ) from exc
        return True

    def _busy(self, device: str | None) -> Busy:
        return busy(self._what, self.holder(), hint=self._hint, device=device)

    def is_held(self) -> bool:
        return True  # it goes with nothing but its holder

    def regain(self) -> bool:
        return True

    def holder(self) -> str | None:
        """``process 4711 on host gw1 since 2026-11-25 18:00:00Z``, or None when the file does not say."""
        try:
            said = json.loads(self.path.read_text(encoding="utf-8"))
            return f"process {int(said['pid'])} on host {said['host']} since {said['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _write_holder(descriptor: int) -> None:
    """Best effort: a full disk must not keep anybody from holding a lock."""
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}).encode()
    try:
        os.pwrite(descriptor, text, 0)
        os.ftruncate(descriptor, len(text))
    except OSError:
        return


def _forget_holder(descriptor: int) -> None:
    try:
        os.ftruncate(descriptor, 0)
    except OSError:
        return


def patience(wait: timedelta) -> timedelta:
    """A rehearsal that has the store waits for nobody who may want the store."""
    running = rehearsal()
    return NOW if running is not None and running.has_written else wait


def busy(what: str, holder: str | None, *, hint: str, device: str | None = None) -> Busy:
    return Busy(f"{what} is held by {holder or 'somebody else'}", hint=hint, device=device)


class FileLocks:
    """Lock files in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def named(self, name: str, *, what: str, hint: str = WAIT_FOR_END) -> FileLock:
        return FileLock(self._folder / f"{name}.lock", what=what, hint=hint)


class DeviceLocks:
    """One lock for each device."""

    def __init__(self, locks: Locks) -> None:
        self._all = locks
        self._locks: dict[str, Lock] = {}
        self._guard = threading.Lock()

    @contextmanager
    def hold(self, device: str, *, wait: timedelta = DEVICE_WAIT) -> Iterator[None]:
        """Be alone with the device while the block runs. Raises ``Busy`` naming who holds it, ``StoreError``."""
        with self._lock(device).hold(wait=wait, device=device):
            yield

    def refuse_lost(self, device: str) -> None:
        """Asked right before a change is sent. Raises ``StoreError``: somebody else may be alone with it by now."""
        if not self._lock(device).is_held():
            raise StoreError(
                f"{device}: the connection that holds its lock broke, so nothing was sent",
                hint="the next sync reads the device and tries again",
            )

    def _lock(self, device: str) -> Lock:
        if not NAME.fullmatch(device):
            raise ValueError(f"{device!r} is no device name")
        with self._guard:
            if (known := self._locks.get(device)) is None:
                known = self._locks[device] = self._all.named(f"locks/{device}", what="the device")
            return known


class ServeLease:
    """The right to run the schedule over one store: one process at a time, for as long as the block runs."""

    def __init__(self, locks: Locks, *, over: str) -> None:
        self._lock = locks.named(
            "serve",
            what=f"the schedule over {over}",
            hint="one `tokgate serve` runs over one store; stop the other one first",
        )
        self._held = ExitStack()

    def __enter__(self) -> ServeLease:
        """Raises ``Busy`` naming the process that has it."""
        self._held.enter_context(self._lock.hold(wait=NOW))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def is_held(self) -> bool:
        """Whether it is ours, still or again. Raises ``StoreError``."""
        return self._lock.is_held() or self._lock.regain()

    def holder(self) -> str | None:
        """Who serves now, as far as it is known."""
        return self._lock.holder()
