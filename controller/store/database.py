"""Where the store's rows are: connections, transactions, and what went wrong in words. Only the shelves call this.

Two kinds: a file of SQLite (``sqlite``), and a database of PostgreSQL (``postgres``). What is written here holds for
both: one writer over all threads, processes and machines, so that what a write reads first is still so when it is
committed; and every read is one consistent picture.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Executable, QueuePool, Row

from controller.address import DatabaseAddress
from controller.errors import StoreError
from controller.locks import Locks
from controller.rehearsal import rehearsal
from controller.store.processes import Process
from core.errors import ConfigError

WRITE_WAIT: Final = timedelta(seconds=30)
READERS: Final = 8
HURRY_SECONDS: Final = 0.5
_HURRIED: ContextVar[bool] = ContextVar("hurried", default=False)


def is_hurried() -> bool:
    return _HURRIED.get()


class WouldWait(Exception):  # not an error: the caller asks again from a thread that may wait
    """What was asked for has to wait for others."""


@contextmanager
def hurried() -> Iterator[None]:
    """What writes in the block, or reads when no connection is free, raises ``WouldWait`` instead of waiting; and so
    does what a server of PostgreSQL has not answered within ``HURRY_SECONDS``."""
    mark = _HURRIED.set(True)
    try:
        yield
    finally:
        _HURRIED.reset(mark)


class Database(ABC):
    """One store, open. ``write`` and ``read`` are the only ways in; both raise ``StoreError``."""

    write_wait: timedelta = WRITE_WAIT
    locks: Locks
    process: Process
    _readers: Engine

    @property
    @abstractmethod
    def place(self) -> str:
        """What messages call it."""

    @property
    def path(self) -> Path:
        """Its file. Raises ``StoreError`` for a store that is none."""
        raise StoreError(f"{self.place} is no file")

    # --- transactions ---------------------------------------------------------------------------------------------

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, alone over all threads and processes: committed when the block ends, undone when it raises.

        In a rehearsal it is a part of that one's. Raises ``StoreError``, also when another process has been writing for
        too long.
        """
        if is_hurried():
            raise WouldWait
        running = rehearsal()
        way = self._committed() if running is None else running.part(self._undone())
        with self._told(), way as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent picture. Keep it short: a long reader keeps old rows from being cleared away.

        Raises ``StoreError``.
        """
        self._refuse_to_wait()
        running = rehearsal()
        written = running is not None and running.has_written
        picture = running.part(self._undone()) if running is not None and written else self._picture()
        with self._told(), picture as connection:
            yield connection

    def rows(self, statement: Executable, parameters: Mapping[str, Any]) -> Sequence[Row[*tuple[Any, ...]]]:
        """What one statement reads: a picture by itself, so nobody has to say where it begins and ends.

        Raises ``StoreError``.
        """
        if rehearsal() is not None:
            with self.read() as connection:
                return connection.execute(statement, parameters).all()
        self._refuse_to_wait()
        with self._told():
            return self._rows(statement, parameters)

    def _refuse_to_wait(self) -> None:
        if is_hurried() and self._is_taken():
            raise WouldWait

    def _is_taken(self) -> bool:
        """Whether whoever reads now waits for another to be done, or for a connection to be made."""
        pool = self._readers.pool
        assert isinstance(pool, QueuePool)
        return pool.checkedin() == 0

    @abstractmethod
    def _committed(self) -> AbstractContextManager[Connection]:
        """A transaction, alone, committed when the block ends."""

    @abstractmethod
    def _undone(self) -> AbstractContextManager[Connection]:
        """A transaction, alone, that is never committed."""

    @abstractmethod
    def _picture(self) -> AbstractContextManager[Connection]:
        """A transaction that only reads."""

    def _rows(self, statement: Executable, parameters: Mapping[str, Any]) -> Sequence[Row[*tuple[Any, ...]]]:
        """Of one statement, outside of every transaction."""
        with self._picture() as connection:
            return connection.execute(statement, parameters).all()

    @abstractmethod
    def _told(self) -> AbstractContextManager[None]:
        """Turn what SQLAlchemy and the driver raise into ``StoreError``."""

    # --- upkeep ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def checkpoint(self) -> None:
        """After old rows were dropped: give back what they took, as far as that is ours to do."""

    @abstractmethod
    def check(self, *, full: bool, budget: timedelta) -> list[str]:
        """What is wrong with what is stored, in words; empty when nothing. Stops looking after ``budget``."""

    @abstractmethod
    def refuse_unwritable(self) -> None:
        """Raises ``StoreError`` when the next write is likely to fail."""

    @abstractmethod
    def backup(self, target: Path) -> None:
        """A consistent copy while others read and write. Raises ``StoreError``, also where that is another's to do."""

    @abstractmethod
    def keep_before_upgrade(self, folder: Path, revision: str, at: datetime) -> None:
        """A backup in that folder before the schema changes. Raises ``StoreError`` where none can be made here."""

    @abstractmethod
    def damaged(self, what: str) -> StoreError:
        """It is not what was written."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it; what was answered is kept already."""


def open_database(data_dir: Path, address: DatabaseAddress | None) -> Database:
    """The store at that address; without one the file in that folder. Raises ``StoreError``."""
    if address is None:
        from controller.store.sqlite import SqliteDatabase

        return SqliteDatabase(data_dir)
    _refuse_without_driver()
    from controller.store.postgres import PostgresDatabase

    return PostgresDatabase(address)


def _refuse_without_driver() -> None:
    if find_spec("psycopg") is None:
        raise ConfigError(
            "TOKGATE_DATABASE needs psycopg, which is not installed", hint="pip install 'tokgate[postgresql]'"
        )


def is_there(data_dir: Path, address: DatabaseAddress | None) -> bool:
    """Whether there may be a store: a file that is not there is none; a server has to be asked."""
    from controller.store.sqlite import FILE

    return address is not None or (data_dir / FILE).exists()


@contextmanager
def locks_of(data_dir: Path, address: DatabaseAddress | None) -> Iterator[Locks]:
    """The locks of that store, without opening it. Raises ``StoreError``."""
    from controller.locks import FileLocks

    if address is None:
        yield FileLocks(data_dir)
        return
    _refuse_without_driver()
    from controller.store.postgres import advisory_locks

    locks = advisory_locks(address)
    try:
        yield locks
    finally:
        locks.close()
