"""What a policy said in the past: by the inventories of then, and unknown where nobody can tell; never as it is now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from controller.mode_spans import ModeSpan
from controller.model import Mode, Window
from controller.policy_terms import NO_SITE, NOT_KEPT, NOT_TAKEN_UP, OTHER_HOLIDAYS, UNREADABLE
from controller.service import Controller
from controller.settings import Settings
from core.clock import ManualClock
from core.ids import SiteName
from tests.controller.offices import NOON, YAML, offices

HOUR = timedelta(hours=1)
MIDNIGHT = NOON - 12 * HOUR  # of Berlin
BERLIN = SiteName("berlin")
STRICT = YAML.replace("mode: monitor\n", "mode: enforce\n")
HOLIDAY = YAML.replace("time_zone: Europe/Berlin", "time_zone: Europe/Berlin\n    calendars: [ours]").replace(
    "fri], from", "fri], on: workdays, from"
)


@contextmanager
def working_by(folder: Path, text: str, at: datetime, *, taken_up: bool = True) -> Iterator[Controller]:
    """The controller of that time; as ``tokgate serve`` began with the inventory, or as a command beside it."""
    offices(folder, text)
    settings = Settings(inventory=folder / "inventory.yaml", data_dir=folder)
    with Controller.open(settings, clock=ManualClock(at)) as opened:
        if taken_up:
            opened.follow_inventory()
        yield opened


@pytest.fixture
def folder(tmp_path: Path, migrated: Path) -> Path:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    return tmp_path


def told(spans: Sequence[ModeSpan]) -> list[tuple[float, Mode | str]]:
    """From which hour of the day on; and how it was, or why nobody knows."""
    return [((span.window.start - MIDNIGHT) / HOUR, span.mode or span.why) for span in spans]


def test_i13_each_time_is_told_by_the_inventory_of_that_time(folder: Path) -> None:
    for text, at in ((YAML, 6), (STRICT, 20)):
        with working_by(folder, text, MIDNIGHT + at * HOUR):
            pass
    with working_by(folder, STRICT, MIDNIGHT + 22 * HOUR, taken_up=False) as now:
        day = now.policies.spans("berlin", Window(MIDNIGHT, MIDNIGHT + 32 * HOUR))
        assert told(day["company"]) == [
            (0, NOT_KEPT), (6, Mode.MONITOR), (8, Mode.ENFORCE), (18, Mode.MONITOR), (20, Mode.ENFORCE),
        ]  # fmt: skip
        assert told(day["guest"]) == [(0, NOT_KEPT), (6, Mode.OFF)]
        assert told(now.policies.spans("berlin", Window(MIDNIGHT + 7 * HOUR, MIDNIGHT + 9 * HOUR))["company"]) == [
            (7, Mode.MONITOR), (8, Mode.ENFORCE),
        ]  # fmt: skip
        report = now.site_report("berlin", Window(MIDNIGHT, MIDNIGHT + 19 * HOUR))
        assert report.mode == {"company": Mode.MONITOR, "guest": Mode.OFF}, "not what it says now"
        assert now.site_report("berlin", Window(MIDNIGHT, MIDNIGHT + HOUR)).mode == {"company": None, "guest": None}


def test_what_no_serve_took_up_is_not_told_of_the_past(folder: Path) -> None:
    with working_by(folder, YAML, MIDNIGHT):
        pass
    with working_by(folder, STRICT, MIDNIGHT + 19 * HOUR, taken_up=False) as now:
        found = now.policies.spans("berlin", Window(MIDNIGHT + HOUR, MIDNIGHT + 20 * HOUR))
        assert told(found["company"]) == [(1, NOT_TAKEN_UP), (19, Mode.ENFORCE)], "from now on it is known"
        assert now.policies.modes("berlin", MIDNIGHT + 19 * HOUR)["company"] is Mode.ENFORCE


def test_a_switch_of_then_made_it_milder_then(folder: Path) -> None:
    with working_by(folder, YAML, MIDNIGHT) as now:
        clock = now.clock
        assert isinstance(clock, ManualClock)
        clock.advance(9 * HOUR)
        now.interventions.switch(Mode.MONITOR, sites=["berlin"], actor="ann", reason="outage", ends=clock.now() + HOUR)
        clock.advance(9 * HOUR)
        found = now.policies.spans("berlin", Window(MIDNIGHT + 8 * HOUR, clock.now()))
    assert told(found["company"]) == [(8, Mode.ENFORCE), (9, Mode.MONITOR), (10, Mode.ENFORCE)]


def test_days_off_that_are_not_known_any_more_make_it_unknown(folder: Path) -> None:
    for number, days in enumerate(("2026-11-25", "2026-12-24")):
        with working_by(
            folder, HOLIDAY + f"calendars: {{ours: {{dates: [{days}]}}}}\n", MIDNIGHT + number * HOUR
        ) as now:
            pass
    with working_by(folder, (folder / "inventory.yaml").read_text(), MIDNIGHT + 9 * HOUR) as now:
        found = now.policies.spans("berlin", Window(MIDNIGHT, MIDNIGHT + 9 * HOUR))
    assert told(found["company"]) == [(0, OTHER_HOLIDAYS), (1, Mode.MONITOR), (8, Mode.ENFORCE)]
    assert told(found["guest"])[0] == (0, OTHER_HOLIDAYS)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        pytest.param({"sites": {}, "policies": {}}, NO_SITE, id="no-site"),
        pytest.param({"sites": {"berlin": {"name": "berlin", "new": 1}}, "policies": {}}, UNREADABLE, id="unreadable"),
    ],
)
def test_an_inventory_that_says_nothing_of_the_site_leaves_it_unknown(
    folder: Path, said: dict[str, object], why: str
) -> None:
    with working_by(folder, YAML, MIDNIGHT, taken_up=False) as now:
        now.store.follow_inventory("other", {}, said=said)
        now.clock.advance(HOUR)  # type: ignore[attr-defined]
        now.follow_inventory()
        found = now.policies.spans("berlin", Window(MIDNIGHT, MIDNIGHT + 2 * HOUR))
    assert told(found["company"]) == [(0, why), (1, Mode.MONITOR)]
