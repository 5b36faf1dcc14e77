"""A source that grows too fast, from refresh to refresh: what is enforced, what is said, and who may end it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from controller.errors import Invalid, NotFound
from controller.model import Window
from controller.service import Controller
from controller.settings import Settings
from controller.store import AlertQuery
from core.clock import ManualClock
from ipsets.text import entry_text
from tests.controller.offices import NOON, YAML

LISTED = [f"n{number}.example.com" for number in range(20)]
MANY = [f"m{number}.example.org" for number in range(400)]
SOURCES = "{kind: curated}, {kind: list, name: partner, file: %s, stale_after: 3h, age_out: last_seen+30d}"


class Place:
    """A controller whose second source is a file that the test writes."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.folder, self.clock = folder, clock
        self.file = folder / "partner.txt"
        inventory = folder / "inventory.yaml"
        inventory.write_text(YAML.replace("{kind: curated}", SOURCES % self.file), encoding="utf-8")
        self.write(LISTED)
        self.opened = Controller.open(Settings(inventory=inventory, data_dir=folder), clock=clock)

    def write(self, lines: list[str]) -> None:
        self.file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def refresh(self, lines: list[str]) -> list[dict[str, Any]]:
        """What the log says of sources in a refresh, an hour later, that finds these lines."""
        self.write(lines)
        self.clock.advance(timedelta(hours=1))
        with capture_logs() as logs:
            self.opened.refresh_intel(actor="test", force=True)
        return [dict(entry) for entry in logs if str(entry["event"]).startswith("source.")]

    def enforced(self) -> set[str]:
        return {entry_text(d).removeprefix(".") for s in self.opened.snapshot().services for d in s.domains}


class TickingClock(ManualClock):
    """Goes on a little with every look at it, as real ones do."""

    def now(self) -> datetime:
        self.advance(timedelta(milliseconds=40))
        return super().now()


@pytest.fixture
def place(tmp_path: Path, migrated: Path) -> Iterator[Place]:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    made = Place(tmp_path, ManualClock(NOON))
    made.refresh(LISTED)
    with made.opened:
        yield made


def events(logs: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [entry for entry in logs if entry["event"] == name]


def test_i02_a_list_that_explodes_changes_nothing_and_says_so_on_every_refresh(place: Place) -> None:
    before = place.opened.snapshot()
    assert set(LISTED) <= place.enforced()
    for _ in range(2):
        [said] = events(place.refresh([*LISTED, *MANY]), "source.watched")
        assert (said["log_level"], said["source"]) == ("warning", "partner")
        assert "grew from 20 to 420 entries in one refresh" in said["why"]
        assert place.opened.snapshot().id == before.id
    [trouble] = place.opened.troubles()
    assert (trouble.source, trouble.what) == ("partner", "watched")
    window = Window(NOON, place.clock.now())
    assert place.opened.site_report("berlin", window).intelligence == (trouble,)
    assert place.opened.fleet_report(window).intelligence == (trouble,)


def test_a_trouble_is_an_alert_once_and_again_when_it_comes_again(place: Place) -> None:
    def alerts() -> list[tuple[str, str]]:
        return [(a.kind, a.subject) for a in place.opened.alerts() if a.kind in ("watched", "stale")]

    place.refresh([*LISTED, *MANY])
    place.refresh([*LISTED, *MANY])
    assert alerts() == [("watched", "partner")]
    assert (
        "grew from 20 to 420 entries in one refresh"
        in place.opened.alerts(wanted=AlertQuery(kind="watched"))[0].message
    )
    place.refresh(LISTED)
    place.refresh([*LISTED, *MANY])
    assert alerts() == [("watched", "partner")] * 2
    place.clock.advance(timedelta(days=2))
    place.file.unlink()
    for _ in range(2):
        place.clock.advance(timedelta(hours=1))
        place.opened.refresh_intel(actor="test", force=True)
    assert alerts()[0] == ("stale", "partner")
    assert len(alerts()) == 3, "told once"


def test_i02_no_word_slips_in_between_the_answer_and_its_judgement(tmp_path: Path, migrated: Path) -> None:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    place = Place(tmp_path, TickingClock(NOON))
    with place.opened:
        place.refresh(LISTED)
        before = place.opened.snapshot()
        place.refresh([*LISTED, *MANY])
        assert place.opened.snapshot().id == before.id


def test_what_does_not_count_is_explained(place: Place) -> None:
    place.refresh([*LISTED, *MANY])
    found = place.opened.explain(MANY[0]).explanation
    assert not found.covered
    assert found.decisions[0].rule == "watched"
    assert "partner grew from 20 to 420 entries in one refresh" in found.decisions[0].reason
    assert place.opened.explain(LISTED[0]).explanation.covered


def test_it_counts_again_when_its_size_returns(place: Place) -> None:
    place.refresh([*LISTED, *MANY])
    [said] = events(place.refresh([*LISTED, *MANY[:5]]), "source.counts_again")
    assert said["source"] == "partner"
    assert set(MANY) & place.enforced() == set(MANY[:5]), "what it took back is gone for good"
    assert place.opened.troubles() == ()


def test_i14_a_person_who_vouches_is_heard_with_the_next_refresh_and_stands_in_the_audit_log(place: Place) -> None:
    place.refresh([*LISTED, *MANY])
    for _ in range(2):
        trusted = place.opened.trust_source("partner", actor="cli:ada", reason=" the list was split ")
        assert trusted.conduct.watch is None
        assert place.opened.troubles() == ()
        assert not set(MANY) & place.enforced(), "not yet"
    logs = place.refresh([*LISTED, *MANY])
    assert events(logs, "source.watched") == []
    assert set(MANY) <= place.enforced()
    again, first = (e for e in place.opened.audit() if e.action == "source.trust")
    assert (first.actor, first.subject, first.reason) == ("cli:ada", "partner", "the list was split")
    assert "grew from 20 to 420 entries in one refresh" in first.detail
    assert "grew" not in again.detail
    assert place.opened.verify_audit() == []


def test_who_vouches_names_a_source_and_a_reason(place: Place) -> None:
    with pytest.raises(NotFound, match="partners"):
        place.opened.trust_source("partners", actor="cli:ada", reason="x")
    with pytest.raises(Invalid, match="reason"):
        place.opened.trust_source("partner", actor="cli:ada", reason=" ")
    assert [e.action for e in place.opened.audit() if e.action == "source.trust"] == []


def test_a_source_that_fails_for_too_long_is_stale_by_its_own_limit_and_stays_in_force(place: Place) -> None:
    place.file.unlink()
    place.file.mkdir()
    for hours in (1, 2, 3, 4):
        place.clock.advance(timedelta(hours=1))
        with capture_logs() as logs:
            place.opened.refresh_intel(actor="test")
        stale = events([dict(entry) for entry in logs], "source.stale")
        assert [e["why"] for e in stale] == (["it last answered 4 h ago, more than 3h"] if hours == 4 else []), hours
    assert set(LISTED) <= place.enforced()


def test_a_growth_while_a_snapshot_is_pinned_is_noticed_all_the_same(place: Place) -> None:
    place.opened.pin_snapshot(None, actor="cli:ada", reason="a freeze")
    place.refresh([*LISTED, *MANY])
    assert [t.what for t in place.opened.troubles()] == ["watched"]
