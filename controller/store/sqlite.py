"""The store in one SQLite file.

WAL, ``synchronous=FULL``: what was answered survives a power cut. One writer over all processes, under a file lock,
and only it checkpoints: SQLite before 3.51.3 can damage a WAL database when two connections write and checkpoint at the
same moment. Readers have connections of their own, and every read is one consistent picture.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from controller.errors import Busy, StoreError
from controller.locks import FileLocks
from controller.store.database import READERS, Database
from controller.store.processes import FileProcess

FILE: Final = "store.db"
CHECKPOINT_BYTES: Final = 4 * 1024 * 1024
"""A write-ahead log larger than this is written back right after the write that made it so."""
MIN_FREE_BYTES: Final = 16 * 1024 * 1024
NETWORK_DISKS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs"}
)
_COMMON: Final = (
    "PRAGMA synchronous=FULL",
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
)


class SqliteDatabase(Database):
    """One store file, open."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        self.locks = FileLocks(data_dir)
        self._lock = self.locks.named("store", what="the store")
        self._prepare(data_dir)
        self._writer = self._engine(size=1, setup=("PRAGMA journal_mode=WAL", *_COMMON), begin="BEGIN IMMEDIATE")
        self._readers = self._engine(size=READERS, setup=(*_COMMON, "PRAGMA query_only=ON"), begin="BEGIN")
        try:
            self.process = FileProcess(data_dir)
        except OSError as exc:
            raise StoreError(
                f"{data_dir} cannot be written: {exc.strerror}", hint="free space, check its mode"
            ) from exc

    @property
    def path(self) -> Path:
        return self._path

    @property
    def place(self) -> str:
        return str(self._path)

    def _prepare(self, data_dir: Path) -> None:
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            kind = disk_kind(data_dir.resolve(), Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as exc:
            raise StoreError(
                f"the data folder {data_dir} cannot be used: {exc.strerror}",
                hint="make it a folder that tokgate may write, or set TOKGATE_DATA_DIR",
            ) from exc
        if kind in NETWORK_DISKS:
            raise StoreError(
                f"the data folder {data_dir} lies on a network disk ({kind}), where locks and syncs do not hold",
                hint="set TOKGATE_DATA_DIR to a local disk",
            )

    def _engine(self, *, size: int, setup: tuple[str, ...], begin: str) -> Engine:
        engine = create_engine(
            f"sqlite+pysqlite:///{self._path}",
            poolclass=QueuePool,
            pool_size=size,
            max_overflow=0,
            pool_timeout=self.write_wait.total_seconds(),
            hide_parameters=True,
            connect_args={"timeout": 10, "isolation_level": None, "check_same_thread": False},
        )

        def connected(connection: Any, _record: object) -> None:
            for statement in setup:
                connection.execute(statement).close()

        def began(connection: Connection) -> None:
            raw = (
                connection.connection.driver_connection
            )  # a read is short enough for the way through the layers to tell
            assert isinstance(raw, sqlite3.Connection)
            raw.execute(begin).close()

        event.listen(engine, "connect", connected)
        event.listen(engine, "begin", began)
        return engine

    # --- transactions ---------------------------------------------------------------------------------------------

    @contextmanager
    def _committed(self) -> Iterator[Connection]:
        with self._alone():
            with self._writer.begin() as connection:
                yield connection
            if self._log_bytes() > CHECKPOINT_BYTES:
                self._write_back("PASSIVE")

    def _picture(self) -> AbstractContextManager[Connection]:
        return self._readers.begin()

    def _told(self) -> AbstractContextManager[None]:
        return told(self._path)

    @contextmanager
    def _undone(self) -> Iterator[Connection]:
        with self._alone(), self._writer.connect() as connection:
            transaction = connection.begin()
            try:
                yield connection
            finally:
                transaction.rollback()

    def checkpoint(self) -> None:
        """Write the log back into the file and cut it, as far as readers allow."""
        with self._alone(), told(self._path):
            self._write_back("TRUNCATE")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A store that others hold is a store that cannot be written; ``Busy`` is kept for devices and the schedule."""
        try:
            with self._lock.hold(wait=self.write_wait):
                yield
        except Busy as exc:
            raise StoreError(exc.message, hint=exc.hint) from exc

    def _write_back(self, mode: str) -> None:
        with _raw(self._writer) as connection:
            connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()

    def _log_bytes(self) -> int:
        try:
            return self._path.with_name(FILE + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    # --- health ---------------------------------------------------------------------------------------------------

    def check(self, *, full: bool, budget: timedelta) -> list[str]:
        """What SQLite finds wrong with the file, in its words; empty when nothing. Stops looking after ``budget``."""
        deadline = time.monotonic() + budget.total_seconds()
        pragma = "integrity_check" if full else "quick_check"
        with told(self._path), _raw(self._readers) as connection:
            connection.set_progress_handler(lambda: int(time.monotonic() > deadline), 10_000)
            try:
                rows = connection.execute(f"PRAGMA {pragma}(20)").fetchall()
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                    return []
                raise
            finally:
                connection.set_progress_handler(None, 0)
        found = (line for row in rows for line in str(row[0]).splitlines())
        return [line for line in found if line != "ok" and not line.startswith("***")]

    def refuse_unwritable(self) -> None:
        """Raises ``StoreError`` when so little is free that the next write may fail."""
        try:
            disk = os.statvfs(self._path)
        except OSError as exc:
            raise StoreError(f"{self._path} is gone: {exc.strerror}", hint="restore the data folder") from exc
        free = disk.f_bavail * disk.f_frsize
        if free < MIN_FREE_BYTES:
            raise _full(self._path, f"only {free // 1024} KiB are free")

    def backup(self, target: Path) -> None:
        """A consistent copy while others read and write: written aside, synced, then given its name."""
        aside = target.with_name(f".{target.name}.part")
        try:
            aside.unlink(missing_ok=True)
            os.close(os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with told(aside):
                self._copy(aside)
            _sync(aside)
            aside.rename(target)
            _sync(target.parent)
        except OSError as exc:
            raise StoreError(
                f"the backup {target} cannot be written: {exc.strerror}", hint="choose another place"
            ) from exc
        finally:
            aside.unlink(missing_ok=True)

    def keep_before_upgrade(self, folder: Path, revision: str, at: datetime) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.backup(folder / f"store-{revision}-{at:%Y%m%dT%H%M%S}.db")

    def damaged(self, what: str) -> StoreError:
        return damaged(self._path, what)

    def _copy(self, aside: Path) -> None:
        copy = sqlite3.connect(aside, isolation_level=None)
        try:
            with _raw(self._readers) as connection:
                connection.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE").fetchall()
            wrong = [row[0] for row in copy.execute("PRAGMA quick_check(1)") if row[0] != "ok"]
        finally:
            copy.close()
        if wrong:
            raise StoreError(f"the copy of the store is damaged: {wrong[0]}", hint="run `tokgate db check`")

    def close(self) -> None:
        """The last connection to close checkpoints, so closing is the writer's turn too."""
        try:
            with self._lock.hold(wait=self.write_wait):
                self._dispose()
        except (Busy, StoreError):  # whoever writes now keeps the file open, so ours is not the last
            self._dispose()

    def _dispose(self) -> None:
        self._readers.dispose()
        self._writer.dispose()
        self.process.close()


@contextmanager
def _raw(engine: Engine) -> Iterator[sqlite3.Connection]:
    """A connection outside any transaction of SQLAlchemy's."""
    fairy = engine.raw_connection()
    try:
        connection = fairy.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        yield connection
    finally:
        fairy.close()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_kind(folder: Path, mountinfo: str) -> str:
    """The kind of file system that ``folder`` lies on, from the text of ``/proc/self/mountinfo``; ``""`` if unknown."""
    best = ("", "")
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4].replace("\\040", " ")
        if folder.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, after.split()[0])
    return best[1]


# --- errors in words --------------------------------------------------------------------------------------------------


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLAlchemy and SQLite raise into ``StoreError``."""
    try:
        yield
    except SQLAlchemyError as exc:
        raise _in_words(path, exc.orig if isinstance(exc, DBAPIError) else exc) from exc
    except sqlite3.Error as exc:
        raise _in_words(path, exc) from exc


def _in_words(path: Path, cause: BaseException | None) -> StoreError:
    code = getattr(cause, "sqlite_errorcode", None)
    match code and code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return _full(path, "nothing was recorded")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, str(cause))
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return StoreError(f"{path} cannot be opened for writing: {cause}", hint="check its owner, mode and mount")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreError(f"{path} is locked by another program: {cause}", hint="end whatever else has it open")
        case sqlite3.SQLITE_IOERR:
            return StoreError(
                f"{path}: the disk failed: {cause}", hint="free space, or repair the disk, then try again"
            )
        case _:
            return StoreError(f"{path}: {type(cause).__name__}: {cause}", hint="run `tokgate db check`")


def _full(path: Path, what: str) -> StoreError:
    return StoreError(
        f"the disk of {path} is full: {what}",
        hint="free space there; what the firewalls hold stays in force, and nothing is sent to them until then",
    )


def damaged(path: Path, what: str) -> StoreError:
    """The file is not what SQLite wrote."""
    return StoreError(
        f"{path} is damaged: {what}",
        hint="stop tokgate, keep the file, put a backup in its place; what the firewalls hold stays in force",
    )
