"""A store for each test, copied from one that was migrated once: the migrations have tests of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.store import Store
from core.clock import ManualClock

NOON = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty store at the newest schema."""
    folder = tmp_path_factory.mktemp("migrated")
    with Store.open(folder, clock=ManualClock(NOON)) as store:
        return store.path


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock, migrated: Path) -> Iterator[Store]:
    """An empty store in ``tmp_path``."""
    shutil.copy(migrated, tmp_path / "store.db")
    with Store.open(tmp_path, clock=clock, migrate=False) as opened:
        yield opened
