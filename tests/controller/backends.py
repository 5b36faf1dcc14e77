"""Both kinds of store behind one set of tests: opened again, and looked at and harmed behind their back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection

from controller.address import DatabaseAddress
from controller.store import Store
from controller.store.schema import REVISION, metadata
from core.clock import Clock, SystemClock
from tests.postgres import Server

SQLITE, POSTGRESQL = "sqlite", "postgresql"
only_a_file = pytest.mark.parametrize("store", [SQLITE], indirect=True)
"""For what is SQLite's alone."""
only_a_server = pytest.mark.parametrize("store", [POSTGRESQL], indirect=True)


def address_of(store: Store) -> DatabaseAddress | None:
    return getattr(store._db, "address", None)


def again(store: Store, clock: Clock, *, migrate: bool = False, **changes: Any) -> Store:
    """As another process would find it."""
    return Store.open(store._data_dir, address=address_of(store), clock=clock, migrate=migrate, **changes)


def is_file(store: Store) -> bool:
    return address_of(store) is None


def behind(store: Store, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """What it answers; not by way of the store. Each value stands for a ``?``."""
    with store._db._writer.begin() as connection:  # type: ignore[attr-defined]
        if not is_file(store):
            statement = statement.replace("%", "%%").replace("?", "%s")
        found = connection.exec_driver_sql(statement, values)
        return [tuple(row) for row in found] if found.returns_rows else []


def migrate_once(store: Store, migration: str) -> None:
    """Run this migration alone, over a store from which what it makes was taken away."""
    module = import_module(f"controller.store.migrations.versions.{migration}")
    with store._db.write() as connection, Operations.context(MigrationContext.configure(connection)):
        module.upgrade()


def count(store: Store, table: str) -> int:
    return int(behind(store, f"SELECT count(*) FROM {table}")[0][0])


@contextmanager
def refusing(store: Store, table: str) -> Iterator[None]:
    """Nothing can be added to one table meanwhile, as on a full disk."""
    if is_file(store):
        begin = [f"CREATE TRIGGER no BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"]
        end = ["DROP TRIGGER no"]
    else:
        said = "BEGIN RAISE EXCEPTION 'the disk is full'; END"
        begin = [
            f"CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $${said}$$",
            f"CREATE TRIGGER no BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION no()",
        ]
        end = [f"DROP TRIGGER no ON {table}", "DROP FUNCTION no"]
    for statement in begin:
        behind(store, statement)
    yield
    for statement in end:
        behind(store, statement)


@contextmanager
def written_elsewhere(store: Store) -> Iterator[Connection]:
    """Another process is writing."""
    with again(store, SystemClock()) as other, suppress(_Undo), other._db.write() as connection:
        yield connection
        raise _Undo


class _Undo(Exception):
    """Of what the other process wrote nothing stays."""


def kept(store: Store) -> bytes:
    """Everything that is kept anywhere: every file of the folder, and every row."""
    files = [path.read_bytes() for path in store._data_dir.rglob("*") if path.is_file()]
    if not is_file(store):
        for table in metadata.tables:
            files += [str(row).encode() for (row,) in behind(store, f"SELECT CAST(t AS text) FROM {table} t")]
    return b"\0".join(files)


class Databases:
    """One database for all tests, emptied before each: that takes milliseconds, a new one a tenth of a second."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self._folder = folder
        self._name = ""

    def empty(self) -> DatabaseAddress:
        """A store at the newest schema with nothing in it."""
        if not self._name or not self._is_as_made():
            self._name = self.server.create()
            Store.open(self._folder, address=self.server.address(self._name), clock=SystemClock()).close()
        return self.server.address(self._name)

    def _is_as_made(self) -> bool:
        """Emptied, unless a test left other tables or sessions behind."""
        with psycopg.connect(self.server.conninfo(self._name), autocommit=True) as connection:
            tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
            if connection.execute(tables.encode()).fetchone() != (len(metadata.tables) + 1,):
                return False
            if connection.execute(b"SELECT version_num FROM alembic_version").fetchall() != [(REVISION,)]:
                return False
            connection.execute(_EMPTYING.encode())
        return True


_EMPTYING = "; ".join(
    [
        "SET session_replication_role = replica",
        *(f"DELETE FROM {name}" for name in metadata.tables if name != "meta"),
        "DELETE FROM meta WHERE key <> 'instance'",
    ]
)
