"""A store for each test, copied from one that was migrated once: the migrations have tests of their own.

What asks for ``store`` runs twice: over a file of SQLite, and over a database of PostgreSQL.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.address import DatabaseAddress
from controller.store import Store
from core.clock import ManualClock
from tests.controller.backends import POSTGRESQL, SQLITE, Databases
from tests.postgres import Server

NOON = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty store at the newest schema."""
    folder = tmp_path_factory.mktemp("migrated")
    with Store.open(folder, clock=ManualClock(NOON)) as store:
        return store.path


@pytest.fixture(scope="session")
def databases(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    return Databases(postgres, tmp_path_factory.mktemp("databases"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def blank(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, DatabaseAddress | None]]:
    """Where a store may be made: a folder, and the address of a database without anything in it, or None."""
    if request.param == SQLITE:
        yield tmp_path, None
        return
    server: Server = request.getfixturevalue("postgres")
    name = server.create()
    yield tmp_path, server.address(name)
    server.drop(name)


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock, migrated: Path) -> Iterator[Store]:
    """An empty store; its folder is ``tmp_path``."""
    address = None
    if request.param == SQLITE:
        shutil.copy(migrated, tmp_path / "store.db")
    else:
        databases: Databases = request.getfixturevalue("databases")
        address = databases.empty()
    with Store.open(tmp_path, address=address, clock=clock, migrate=False) as opened:
        yield opened
