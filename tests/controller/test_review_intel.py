"""Refreshing intelligence more than once: what is shown is the latest, and two at once do not undo each other."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from controller.service import Controller
from controller.settings import Settings
from core.clock import ManualClock
from tests.controller.offices import NOON, YAML
from tests.ipsets.origins import Asked, Reply, web

OLD = "103.136.220.0/23\ntiktok.com\n"


def settings(folder: Path, migrated: Path, source: Path | str) -> Settings:
    where = f"file: {source}" if isinstance(source, Path) else f"url: {source}/list.txt"
    lists = YAML.replace("{kind: curated}", f"{{kind: list, name: mine, {where}, dedicated: true, max_shrink: 1}}")
    (folder / "store.db").write_bytes(migrated.read_bytes())
    (folder / "inventory.yaml").write_text(lists, encoding="utf-8")
    return Settings(inventory=folder / "inventory.yaml", data_dir=folder)


def test_the_snapshot_in_force_tells_when_its_sources_last_confirmed_it(tmp_path: Path, migrated: Path) -> None:
    """The same content again is the same snapshot, confirmed later; how old it is counts from then."""
    (tmp_path / "list.txt").write_text(OLD, encoding="utf-8")
    clock = ManualClock(NOON)
    with Controller.open(settings(tmp_path, migrated, tmp_path / "list.txt"), clock=clock) as opened:
        opened.refresh_intel(actor="test")
        assert dict(opened.snapshot().source_ages) == {"mine": NOON}
        clock.advance(timedelta(hours=5))
        assert not opened.refresh_intel(actor="test").changed
        assert dict(opened.snapshot().source_ages) == {"mine": clock.now()}


@pytest.mark.timeout(30)
def test_a_refresh_that_began_earlier_does_not_undo_a_later_one(tmp_path: Path, migrated: Path) -> None:
    """The first one still reads its source, and will get the old list; the second one would overtake it."""
    reading, go = threading.Event(), threading.Event()

    def answer(_: Asked, number: int) -> Reply:
        if number == 2:
            reading.set()
            go.wait(20)
        return Reply(body=OLD if number < 3 else OLD + "16.162.0.0/24\n", headers={"Content-Type": "text/plain"})

    with (
        web(answer) as server,
        Controller.open(settings(tmp_path, migrated, server.url), clock=ManualClock(NOON)) as opened,
    ):
        opened.refresh_intel(actor="test")
        earlier = threading.Thread(target=lambda: opened.refresh_intel(actor="earlier"))
        earlier.start()
        assert reading.wait(10)
        later = threading.Thread(target=lambda: opened.refresh_intel(actor="later"))
        later.start()
        later.join(1)
        go.set()
        earlier.join()
        later.join()
        held = {str(network) for service in opened.snapshot().services for network in service.networks}
        assert "16.162.0.0/24" in held
        assert [entry.actor for entry in opened.audit()] == ["later", "test"]
