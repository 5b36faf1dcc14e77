"""A policy as people look at it: at a moment, over a week, as a picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli.policy import grid_row
from controller.emergencies import at_most
from controller.inventory import Inventory
from controller.model import Mode
from controller.policy_svg import render_week
from controller.policy_week import policy_now, policy_week, week_text
from controller.windows import mode_at
from tests.controller.offices import NIGHT, NOON, offices
from tests.controller.test_service_windows import APART

FREE = frozenset({date(2026, 12, 25)})
GUESTS = "mode: off, windows: [{on: holidays, mode: monitor}, {from: '12:15', to: '13:00', mode: enforce}]"
TEXT = APART.replace("guest: {mode: off}", f"guest: {{{GUESTS}}}").replace(
    "time_zone: Europe/Berlin", "time_zone: Europe/Berlin\n    calendars: [de]"
)
TEXT += "calendars:\n  de: {country: DE}\n"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return offices(tmp_path, TEXT)


def test_a_moment_says_which_window_decides(inventory: Inventory) -> None:
    site, policy = inventory.site("berlin"), inventory.policies["standard"]
    now = policy_now(site, policy, NOON, holidays=FREE)
    assert [(r.role, r.services, r.mode, r.why) for r in now.roles] == [
        ("company", ("tiktok", "app-lemon8"), Mode.ENFORCE, "at all times"),
        ("company", ("app-capcut",), Mode.ENFORCE, "window weekdays 08:00–18:00"),
        ("guest", ("tiktok", "app-capcut", "app-lemon8"), Mode.OFF, "no window is open"),
    ]
    assert (now.holiday, now.local.hour, now.next_edge) == (False, 12, datetime(2026, 11, 25, 11, 15, tzinfo=UTC))
    assert policy_now(site, policy, NIGHT).holiday is None
    mild = policy_now(site, at_most(policy, Mode.MONITOR), NOON, holidays=FREE, own=policy)
    assert [(r.mode, r.why) for r in mild.roles][1:] == [
        (Mode.MONITOR, "emergency action; without it enforce: window weekdays 08:00–18:00"),
        (Mode.OFF, "no window is open"),
    ]
    christmas = policy_now(site, policy, datetime(2026, 12, 25, 9, tzinfo=UTC), holidays=FREE)
    assert (christmas.holiday, christmas.roles[-1].why) == (True, "window daily on holidays")
    spare = policy_now(inventory.site("austin"), inventory.policies["spare"], NOON, holidays=FREE)
    assert [(r.mode, r.why) for r in spare.roles] == [(Mode.ENFORCE, "at all times")]


@pytest.mark.parametrize(
    ("day", "hours", "note"),
    [
        pytest.param(date(2026, 10, 25), 25.0, "has 25 hours: what the clock shows twice holds twice", id="25"),
        pytest.param(date(2027, 3, 28), 23.0, "has 23 hours: what the clock skips never comes", id="23"),
    ],
)
def test_i12_a_week_says_that_a_day_is_longer_or_shorter(
    inventory: Inventory, day: date, hours: float, note: str
) -> None:
    week = policy_week(inventory.site("berlin"), inventory.policies["standard"], day)
    assert [d.hours for d in week.days] == [24.0] * 6 + [hours]
    assert note in week.notes[0]


@given(minute=st.integers(0, 60 * 24 * 500))
def test_i12_every_minute_of_a_week_is_what_the_clock_says(
    tmp_path_factory: pytest.TempPathFactory, minute: int
) -> None:
    inventory = KNOWN.setdefault("it", offices(tmp_path_factory.mktemp("week"), TEXT)) if not KNOWN else KNOWN["it"]
    zone, at = ZoneInfo("Europe/Berlin"), datetime.fromtimestamp(1790000000 // 60 * 60 + minute * 60, UTC)
    local, policy = at.astimezone(zone), inventory.policies["standard"]
    week = policy_week(inventory.site("berlin"), policy, local.date(), holidays=FREE)
    clock = local.hour * 60 + local.minute
    for line in week.lines:
        spans = line.days[local.weekday()]
        assert [s.start for s in spans[1:]] == [s.end for s in spans[:-1]]
        found = [s.mode for s in spans if s.start <= clock < s.end]
        assert found == [mode_at(policy.roles[line.role], zone, at, service=line.services[0], holidays=FREE)]


KNOWN: dict[str, Inventory] = {}


def test_the_picture_says_itself_in_words_and_holds_every_span(inventory: Inventory) -> None:
    week = policy_week(inventory.site("berlin"), inventory.policies["standard"], date(2026, 12, 25), holidays=FREE)
    root = ET.fromstring(render_week(week))
    assert root.get("role") == "img"
    title, words = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert words is not None
    assert title.text == "Berlin office: policy standard, 2026-12-21 to 2026-12-27"
    assert all(line in str(words.text) for line in week_text(week))
    assert "Friday, 2026-12-25, is a holiday" in str(words.text)
    told = [t.text for t in root.iter(f"{SVG}title")][1:]
    assert len(told) == sum(len(spans) for line in week.lines for spans in line.days)
    assert "Monday 08:00–18:00 enforce" in told
    assert "prefers-color-scheme:dark" in render_week(week)


def test_a_title_that_is_wider_than_the_picture_is_cut_before_the_week(tmp_path: Path) -> None:
    long = offices(tmp_path, TEXT.replace("title: Berlin office", f"title: {'very ' * 12}long"))
    root = ET.fromstring(render_week(policy_week(long.site("berlin"), long.policies["standard"], date(2026, 12, 25))))
    drawn = next(t.text for t in root.iter(f"{SVG}text") if t.get("class") == "title")
    assert drawn == "very very very very very v…: policy standard, 2026-12-21 to 2026-12-27"
    assert str(root.findtext(f"{SVG}title")).startswith("very " * 12 + "long: policy")


def test_a_title_cannot_break_out_of_the_picture(tmp_path: Path) -> None:
    evil = offices(tmp_path, TEXT.replace("title: Berlin office", 'title: "<script>alert(1)</script>"'))
    text = render_week(policy_week(evil.site("berlin"), evil.policies["standard"], date(2026, 12, 25)))
    assert "<script" not in text
    ET.fromstring(text)


def test_a_row_of_the_grid_shows_where_half_an_hour_holds_two_modes(inventory: Inventory) -> None:
    week = policy_week(inventory.site("berlin"), inventory.policies["standard"], date(2026, 12, 25), holidays=FREE)
    assert grid_row(week.lines[1].days[0]) == "·" * 16 + "█" * 20 + "·" * 12
    assert grid_row(week.lines[2].days[0]) == "·" * 24 + "▚█" + "·" * 22
    assert grid_row(week.lines[2].days[4]) == "▒" * 48
