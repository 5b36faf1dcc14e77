"""Locks in PostgreSQL, over threads, processes and machines: advisory locks on one connection of their own (I8).

A session's advisory locks end with its connection, however its process ends. So the connection is never pooled, and
nothing that pools transactions may stand before the server. It is made again when it breaks; what was held on it is
lost then, and somebody else may have it: ``is_held`` asks. What stands for the whole process is taken again by itself.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, Final, NamedTuple

import psycopg
import structlog

from controller.errors import StoreError
from controller.locks import FIRST_PAUSE, LONGEST_PAUSE, WAIT_FOR_END, busy, patience
from core.ids import new_id

log = structlog.get_logger()

_TAKE: Final = "SELECT pg_try_advisory_lock(%s), pg_backend_pid()"
_GIVE: Final = "SELECT pg_advisory_unlock(%s)"
_IN_LOCKS: Final = """
    l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.classid = %s::bigint::oid AND l.objid = %s::bigint::oid
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
"""
_IS_OURS: Final = f"SELECT EXISTS (SELECT 1 FROM pg_locks l WHERE {_IN_LOCKS} AND l.pid = pg_backend_pid())"  # noqa: S608
_IS_TAKEN: Final = f"SELECT EXISTS (SELECT 1 FROM pg_locks l WHERE {_IN_LOCKS})"  # noqa: S608
_WHO: Final = f"""
    SELECT a.application_name, host(a.client_addr), a.pid FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE {_IN_LOCKS}
"""  # noqa: S608
_APPLICATION: Final = "tokgate"


def application_name() -> str:
    """What the server calls our connections; the message to whoever waits for a lock is made of it."""
    return f"{_APPLICATION} {os.getpid()} {socket.gethostname()}"[:63]


def key_of(schema: str, name: str) -> int:
    """The number of a lock. Equal numbers by chance, one in 2**64, would only make one wait for the other."""
    digest = hashlib.blake2b(f"tokgate:{schema}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


class _Taken(NamedTuple):
    """On which connection a lock was taken: none of an earlier one is held any more."""

    connection: int


class AdvisoryLocks:
    """Every lock of this process over one store. Thread-safe."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]], *, translate: Callable[[], Any]) -> None:
        """``translate()`` is a context that turns what psycopg raises into ``StoreError``. Raises ``StoreError``."""
        self._connect = connect
        self._told = translate
        self._guard = threading.RLock()
        self._connection: psycopg.Connection[Any] | None = None
        self._count = 0  # of connections so far
        self._pid = 0  # of the backend
        self._schema = ""
        self._standing: set[int] = set()
        self._turns: dict[int, threading.Lock] = {}
        with self._told():
            self._reconnect()

    def named(self, name: str, *, what: str, hint: str = WAIT_FOR_END) -> AdvisoryLock:
        key = self.key(name)
        with self._guard:
            turn = self._turns.setdefault(key, threading.Lock())
        return AdvisoryLock(self, key, turn, what=what, hint=hint)

    def key(self, name: str) -> int:
        return key_of(self._schema, name)

    def close(self) -> None:
        """Give everything back. Once more does nothing."""
        with self._guard:
            self._standing.clear()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # --- one key --------------------------------------------------------------------------------------------------

    def take(self, key: int) -> _Taken | None:
        """Take it if it is free; None: somebody else has it. Raises ``StoreError``."""
        with self._told(), self._guard:
            is_taken, pid = self._ask(_TAKE, key)
            if pid != self._pid:
                raise StoreError(
                    "the connection that holds our locks in PostgreSQL is handed from one session to another",
                    hint="let TOKGATE_DATABASE lead to the server itself, not to a pooler of transactions",
                )
            return _Taken(self._count) if is_taken else None

    def give(self, key: int, taken: _Taken) -> bool:
        """Give it back. False: it was lost before."""
        with self._guard:
            if taken.connection != self._count:
                return False
            try:
                with self._told():
                    return bool(self._ask(_GIVE, key)[0]) and taken.connection == self._count
            except StoreError:
                return False

    def holds(self, key: int) -> bool:
        """Whether this session has it. Raises ``StoreError``."""
        with self._told(), self._guard:
            return bool(self._ask(_IS_OURS, *_halves(key))[0])

    def is_taken(self, key: int) -> bool:
        """Whether anybody has it. Raises ``StoreError``."""
        with self._told(), self._guard:
            return bool(self._ask(_IS_TAKEN, *_halves(key))[0])

    def holder(self, key: int) -> str | None:
        """``process 4711 on host gw1 (10.1.2.3)``; None when nobody has it."""
        with self._told(), self._guard:
            row = self._ask(_WHO, *_halves(key))
        if row is None:
            return None
        said, address, pid = row
        words = str(said or "").split(" ", 2)
        where = f" ({address})" if address else ""
        if len(words) == 3 and words[0] == _APPLICATION:
            return f"process {words[1]} on host {words[2]}{where}"
        return f"backend {pid} of the server{where}"

    def stand(self, name: str) -> None:
        """Hold it for as long as this is open, over every connection: it is taken again on each."""
        key = self.key(name)
        with self._told(), self._guard:
            self._standing.add(key)
            self._ask(_TAKE, key)

    def leave(self, name: str) -> None:
        key = self.key(name)
        with self._guard, suppress(StoreError):
            if key in self._standing and self._connection is not None:
                self._standing.discard(key)
                with self._told():
                    self._ask(_GIVE, key)

    def renew(self) -> None:
        """See that there is a connection, and that what stands is held on it. Raises ``StoreError``."""
        with self._told(), self._guard:
            self._ask("SELECT 1")

    # --- the connection -------------------------------------------------------------------------------------------

    def _ask(self, statement: str, *values: object) -> Any:
        """The first row. A connection that broke since the last time is made anew, once."""
        if self._connection is not None and not self._connection.closed:
            try:
                return self._connection.execute(statement.encode(), values).fetchone()
            except psycopg.OperationalError as exc:
                if not (self._connection.closed or self._connection.broken):
                    raise
                log.warning("locks.connection_lost", error=str(exc).partition("\n")[0])
        self._reconnect()
        assert self._connection is not None
        return self._connection.execute(statement.encode(), values).fetchone()

    def _reconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        made = self._connect()
        made.autocommit = True
        row: Sequence[Any] | None = made.execute("SELECT pg_backend_pid(), current_schema()").fetchone()
        assert row is not None
        self._connection, (self._pid, schema) = made, row
        self._schema = str(schema or "")
        self._count += 1
        for key in sorted(self._standing):
            made.execute(_TAKE.encode(), (key,))


def _halves(key: int) -> tuple[int, int]:
    """As the server shows it: its upper and its lower 32 bits."""
    return (key >> 32) & 0xFFFFFFFF, key & 0xFFFFFFFF


class AdvisoryLock:
    """One lock by its name; as ``controller.locks.Lock`` says."""

    def __init__(self, locks: AdvisoryLocks, key: int, turn: threading.Lock, *, what: str, hint: str) -> None:
        self._locks = locks
        self._key = key
        self._turn = turn  # of the threads here: a session takes the same lock any number of times
        self._what = what
        self._hint = hint
        self._taken = _Taken(0)

    @contextmanager
    def hold(self, *, wait: timedelta, device: str | None = None) -> Iterator[None]:
        """Hold it while the block runs. Raises ``Busy`` after ``wait``, naming who has it; ``StoreError``."""
        wait = patience(wait)
        deadline = time.monotonic() + wait.total_seconds()
        if not self._turn.acquire(timeout=max(wait.total_seconds(), 0)):
            raise busy(self._what, self.holder(), hint=self._hint, device=device)
        try:
            self._taken = self._take(deadline, device)
            try:
                yield
            finally:
                if not self._locks.give(self._key, self._taken):
                    log.warning("locks.lost", lock=self._what, device=device)
        finally:
            self._turn.release()

    def _take(self, deadline: float, device: str | None) -> _Taken:
        pause = FIRST_PAUSE
        while (taken := self._locks.take(self._key)) is None:
            if time.monotonic() + pause > deadline:
                raise busy(self._what, self.holder(), hint=self._hint, device=device)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        return taken

    def is_held(self) -> bool:
        return self._locks.holds(self._key)

    def regain(self) -> bool:
        taken = self._locks.take(self._key)
        self._taken = taken or self._taken
        return taken is not None

    def holder(self) -> str | None:
        return self._locks.holder(self._key)


class AdvisoryProcess:
    """This opening of the store: a lock that stands while it is open."""

    def __init__(self, locks: AdvisoryLocks) -> None:
        self.id = new_id()
        self._locks = locks
        self._locks.stand(_process(self.id))

    def renew(self) -> None:
        """Before work begins under this name. Raises ``StoreError``."""
        self._locks.renew()

    def is_alive(self, other: str) -> bool:
        """Whether the process of that id still runs. Raises ``StoreError``."""
        return other == self.id or self._locks.is_taken(self._locks.key(_process(other)))

    def sweep(self) -> None:
        """Nothing is left of a process that is gone."""

    def close(self) -> None:
        self._locks.leave(_process(self.id))


def _process(process_id: str) -> str:
    return f"process/{process_id}"
