"""A person's word on which snapshot is in force: it holds over refreshes, is told, and refused when it would harm."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from controller.errors import Conflict, Invalid, StoreError
from controller.model import Window
from controller.service import Controller
from controller.settings import Settings
from core.clock import ManualClock
from ipsets.errors import GuardTripped, NoSnapshot, SnapshotCorrupt
from tests.controller.offices import NOON, YAML

ONE = "103.136.220.0/23\ntiktok.com\n"
TWO = ONE + "16.162.0.0/24\n"
HOUR = timedelta(hours=1)


class Place:
    """A controller whose one source is a list that the test rewrites."""

    def __init__(self, folder: Path, opened: Controller, clock: ManualClock) -> None:
        self.folder, self.opened, self.clock = folder, opened, clock

    def found(self, text: str, *, force: bool = False) -> bool:
        """An hour later the list says this. Whether another snapshot is in force then."""
        self.clock.advance(HOUR)
        (self.folder / "list.txt").write_text(text, encoding="utf-8")
        return self.opened.refresh_intel(actor="timer", force=force).changed

    @property
    def current(self) -> str:
        return self.opened.snapshot().id

    def told(self) -> list[tuple[str, str, str]]:
        return [(e.action, e.subject, e.reason) for e in reversed(self.opened.audit())]


def opening(folder: Path, clock: ManualClock) -> Controller:
    lists = YAML.replace(
        "{kind: curated}", f"{{kind: list, name: mine, file: {folder}/list.txt, dedicated: true, max_shrink: 1}}"
    )
    (folder / "inventory.yaml").write_text(lists, encoding="utf-8")
    return Controller.open(Settings(inventory=folder / "inventory.yaml", data_dir=folder), clock=clock)


@pytest.fixture
def place(tmp_path: Path, migrated: Path) -> Iterator[Place]:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    clock = ManualClock(NOON)
    with opening(tmp_path, clock) as opened:
        yield Place(tmp_path, opened, clock)


def pinned_back(place: Place) -> tuple[str, str]:
    """Two snapshots, and the first one pinned."""
    place.found(ONE)
    first = place.current
    assert place.found(TWO)
    second = place.current
    place.clock.advance(HOUR)
    place.opened.pin_snapshot(first[:10], actor="ada", reason="it broke the payroll")
    return first, second


def test_i02_a_pinned_snapshot_stays_in_force_over_refreshes(place: Place) -> None:
    first, second = pinned_back(place)
    assert place.current == first
    place.clock.advance(HOUR)
    result = place.opened.refresh_intel(actor="timer")
    assert (place.current, result.changed) == (first, False)
    assert result.snapshot is not None
    assert result.snapshot.id == first
    assert result.waiting is not None
    assert result.waiting.id == second
    assert result.diff is not None
    assert [change.entry for change in result.diff.added] == ["16.162.0.0/24"]


def test_a_pin_outlives_the_process(place: Place) -> None:
    first, _ = pinned_back(place)
    with opening(place.folder, place.clock) as again:
        assert not again.refresh_intel(actor="timer", force=True).changed
        assert again.snapshot().id == first
        pin = again.pin()
    assert pin is not None
    assert (pin.snapshot, pin.actor, pin.reason, pin.at) == (first, "ada", "it broke the payroll", place.clock.now())


def test_after_the_pin_the_next_refresh_decides(place: Place) -> None:
    first, second = pinned_back(place)
    was = place.opened.unpin_snapshot(actor="ada", reason="repaired")
    assert was.snapshot == first
    assert (place.opened.pin(), place.current) == (None, first), "until a refresh, nothing moves"
    assert place.found(TWO)
    assert place.current == second
    with pytest.raises(Conflict, match="no snapshot is pinned"):
        place.opened.unpin_snapshot(actor="ada", reason="again")


def test_i14_each_word_stands_in_the_audit_log_with_what_it_changed(place: Place) -> None:
    first, second = (each[:12] for each in pinned_back(place))
    place.opened.pin_snapshot(first, actor="ada", reason="still")
    place.opened.unpin_snapshot(actor="ada", reason="repaired")
    assert place.told() == [
        ("snapshot.current", first, ""),
        ("snapshot.current", second, ""),
        ("snapshot.current", first, "it broke the payroll"),
        ("snapshot.pin", first, "it broke the payroll"),
        ("snapshot.pin", first, "still"),
        ("snapshot.unpin", first, "repaired"),
    ]
    assert place.opened.verify_audit() == []


def test_rolling_back_pins_the_one_before_and_twice_is_back_again(place: Place) -> None:
    place.found(ONE)
    with pytest.raises(NoSnapshot, match="no other snapshot"):
        place.opened.roll_back(actor="ada", reason="what?")
    first = place.current
    place.found(TWO)
    second = place.current
    assert place.opened.roll_back(actor="ada", reason="broken").snapshot == first
    assert not place.found(TWO), "what the timer finds does not undo it"
    assert place.current == first
    assert place.opened.roll_back(actor="ada", reason="it was not that").snapshot == second
    assert place.current == second
    assert ("snapshot.rollback", first[:12], "broken") in place.told()


# --- while something is withdrawn -------------------------------------------------------------------------------------


def withdrawn(place: Place) -> str:
    """The id of the list without it."""
    place.opened.interventions.withdraw(
        "103.136.220.0/24", actor="ada", reason="payroll", ends=place.clock.now() + HOUR
    )
    return place.current


@pytest.mark.parametrize("ended", [False, True], ids=["while it holds", "after its end"])
def test_i05_rolling_back_goes_to_another_list_and_never_to_one_without_what_was_withdrawn(
    place: Place, ended: bool
) -> None:
    place.found(ONE)
    first = place.current
    place.found(TWO)
    less = withdrawn(place)
    if ended:
        place.clock.advance(HOUR)
        place.opened.interventions.end_due()
    place.opened.roll_back(actor="ada", reason="broken")
    assert place.current != less
    assert (place.current == first) is ended
    place.clock.advance(HOUR)
    place.opened.interventions.end_due()
    assert place.current == first


def test_i05_pinning_what_is_in_force_pins_the_list_behind_it(place: Place) -> None:
    place.found(TWO)
    whole = place.current
    less = withdrawn(place)
    assert place.opened.pin_snapshot(None, actor="ada", reason="hold it").snapshot == less
    place.clock.advance(HOUR)
    place.opened.interventions.end_due()
    assert place.current == whole
    pin = place.opened.pin()
    assert pin is not None
    assert (pin.snapshot, pin.reason) == (whole, "hold it")


@pytest.mark.parametrize("after", [TWO, TWO + "16.162.1.0/24\n"], ids=["nothing new", "something new"])
@pytest.mark.parametrize("is_pinned", [False, True], ids=["followed", "pinned"])
def test_i05_without_a_schedule_the_next_refresh_notices_the_end(place: Place, is_pinned: bool, after: str) -> None:
    place.found(TWO)
    whole = place.current
    less = withdrawn(place)
    if is_pinned:
        place.opened.pin_snapshot(None, actor="ada", reason="hold it")
    place.found(after)
    assert place.current != less
    assert (place.current == whole) is (is_pinned or after == TWO)
    assert "103.136.220.0/23" in map(str, place.opened.snapshot().services[0].networks)
    assert not place.opened.emergencies.active()


def test_the_past_is_told_with_the_pin_in_it(place: Place) -> None:
    pinned_back(place)
    at = place.clock.now()
    place.clock.advance(HOUR)
    assert not place.opened.explain("16.162.0.9").explanation.covered
    assert not place.opened.explain("16.162.0.9", at=at).explanation.covered
    assert place.opened.explain("16.162.0.9", at=at - timedelta(seconds=1)).explanation.covered
    found = place.opened.explain("tiktok.com")
    assert found.pin is not None
    assert found.pin.actor == "ada"


def test_every_report_says_who_pinned_what_and_why(place: Place) -> None:
    place.found(ONE)
    window = Window(NOON, NOON + HOUR)
    assert not any("pinned" in note for note in place.opened.site_report("berlin", window).notes)
    place.opened.pin_snapshot(place.current, actor="ada", reason="it broke the payroll")
    [note] = [n for n in place.opened.site_report("berlin", window).notes if "pinned" in n]
    assert f"pinned to snapshot {place.current[:12]}" in note
    assert "by ada: it broke the payroll." in note


# --- refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["replace(body, '16.162.0.0/24', '16.0.0.0/8')", "substr(body, 1, 100)", "''"])
def test_i02_a_damaged_snapshot_is_not_put_in_force_though_it_was_read_before(place: Place, change: str) -> None:
    """What is kept in memory is not the word of the disk: it is read again first."""
    first, second = pinned_back(place)
    assert place.opened.snapshot(second).id == second
    execute(place, f"UPDATE snapshots SET body = {change} WHERE id = '{second}'")
    with pytest.raises(SnapshotCorrupt):
        place.opened.pin_snapshot(second, actor="ada", reason="forth")
    pin = place.opened.pin()
    assert pin is not None
    assert (pin.snapshot, place.current) == (first, first)
    assert place.told()[-1][0] == "snapshot.pin", "and nothing was logged as done"


def execute(place: Place, statement: str) -> None:
    connection = sqlite3.connect(place.folder / "store.db")
    with connection:
        connection.execute(statement)
    connection.close()


def test_i07_one_that_holds_what_is_never_blocked_today_is_refused(place: Place) -> None:
    place.found(ONE)
    place.found(TWO)
    second = place.current
    place.found(ONE, force=True)
    inventory = place.folder / "inventory.yaml"
    text = inventory.read_text(encoding="utf-8")
    grown = text.replace("max_shrink: 1}]}", "max_shrink: 1}], guard: {never_block: [16.162.0.128/25]}}")
    assert grown != text
    inventory.write_text(grown, encoding="utf-8")
    settings = Settings(inventory=inventory, data_dir=place.folder)
    with Controller.open(settings, clock=place.clock) as again:
        first = again.snapshot().id
        with pytest.raises(GuardTripped, match=r"16\.162\.0\.0/24 touches your never_block list") as told:
            again.pin_snapshot(second, actor="ada", reason="back")
        assert [v.entry for v in told.value.verdicts] == ["16.162.0.0/24"]
        assert (again.pin(), again.snapshot().id) == (None, first)


@pytest.mark.parametrize("wrong", ["ffff0000", "zz", "", "%"])
def test_one_that_is_not_there_cannot_be_pinned(place: Place, wrong: str) -> None:
    place.found(ONE)
    with pytest.raises(NoSnapshot):
        place.opened.pin_snapshot(wrong, actor="ada", reason="x")
    assert place.opened.pin() is None


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "\x1b[2J", "x" * 501])
def test_a_word_without_a_reason_is_none(place: Place, reason: str) -> None:
    pinned_back(place)
    for act in (
        lambda: place.opened.pin_snapshot(place.current, actor="ada", reason=reason),
        lambda: place.opened.roll_back(actor="ada", reason=reason),
        lambda: place.opened.unpin_snapshot(actor="ada", reason=reason),
    ):
        with pytest.raises(Invalid, match="reason"):
            act()


def test_without_intelligence_there_is_nothing_to_pin(place: Place) -> None:
    with pytest.raises(NoSnapshot):
        place.opened.pin_snapshot(None, actor="ada", reason="x")
    with pytest.raises(NoSnapshot):
        place.opened.roll_back(actor="ada", reason="x")


def test_a_pin_that_cannot_be_read_stops_refreshes_and_not_what_is_in_force(place: Place) -> None:
    first, _ = pinned_back(place)
    execute(place, "UPDATE meta SET value = '{' WHERE key = 'pinned_snapshot'")
    with pytest.raises(StoreError, match="the stored pin"):
        place.opened.refresh_intel(actor="timer")
    assert place.current == first
    place.opened.pin_snapshot(None, actor="ada", reason="said again")
    assert not place.opened.refresh_intel(actor="timer").changed
