"""Ranges as calendars name them: whole days on the clock of a zone, whatever its clock does."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import Invalid
from controller.model import Window
from controller.offsets import offset_at, steady
from controller.reports.ranges import midnight, parse_range

NOW = datetime(2026, 11, 25, 22, 30, tzinfo=UTC)  # half past eleven at night in Berlin, the 26th in Kolkata
ZONES = ("UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo")


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-11-25", "2026-11-25", "2026-11-25"),
        ("2026-W01", "2025-12-29", "2026-01-04"),
        ("2026-W53", "2026-12-28", "2027-01-03"),
        ("2026-02", "2026-02-01", "2026-02-28"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-Q4", "2026-10-01", "2026-12-31"),
        ("2026", "2026-01-01", "2026-12-31"),
        ("2026-11-01..2026-11-15", "2026-11-01", "2026-11-15"),
        ("2026-W10..2026-03", "2026-03-02", "2026-03-31"),
        ("yesterday", "2026-11-24", "2026-11-24"),
        ("this-week", "2026-11-23", "2026-11-29"),
        ("last-month", "2026-10-01", "2026-10-31"),
        ("last-quarter", "2026-07-01", "2026-09-30"),
        ("last-year", "2025-01-01", "2025-12-31"),
    ],
)
def test_what_people_write(text: str, first: str, last: str) -> None:
    asked = parse_range(text, zone="Europe/Berlin", now=NOW)
    assert (str(asked.first), str(asked.last)) == (first, last)
    assert parse_range(asked.name, zone="Europe/Berlin", now=NOW) == asked


def test_i12_today_is_the_zones() -> None:
    assert parse_range("today", zone="Europe/Berlin", now=NOW).first == date(2026, 11, 25)
    assert parse_range("today", zone="Asia/Kolkata", now=NOW).first == date(2026, 11, 26)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_i12_a_day_is_as_long_as_the_clock_makes_it(day: str, hours: int) -> None:
    window = parse_range(day, zone="Europe/Berlin", now=NOW).window
    assert window.end - window.start == timedelta(hours=hours)


def test_i12_a_day_without_a_midnight_begins_when_the_clock_goes_on() -> None:
    """In Cairo clocks go forward at midnight."""
    begin = midnight(date(2026, 4, 24), "Africa/Cairo")
    assert begin.astimezone(ZoneInfo("Africa/Cairo")).strftime("%d %H:%M") == "24 01:00"


@pytest.mark.parametrize(
    ("text", "before"),
    [("2026-W01", "2025-W52"), ("2026-03", "2026-02"), ("2026-Q1", "2025-Q4"), ("2026-11-25", "2026-11-24"),
     ("2026", "2025"), ("2026-11-11..2026-11-20", "2026-11-01..2026-11-10")],
)  # fmt: skip
def test_the_range_before_ends_where_this_one_begins(text: str, before: str) -> None:
    asked = parse_range(text, zone="Europe/Berlin", now=NOW)
    assert asked.before.name == before
    assert asked.before.window.end == asked.window.start


@pytest.mark.parametrize(
    "text",
    ["", "2026-13", "2026-W54", "2026-11-31", "26-11", "soon", "2026-Q5", "1999", "2026-11-02..2026-11-01", "2026..",
     "..2026", "2026-11..2026-12..2027-01", "2024..2026", "٢٠٢٦"],
)  # fmt: skip
def test_what_is_no_range_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(Invalid, match="range: ") as caught:
        parse_range(text, zone="Europe/Berlin", now=NOW)
    assert "400 days" in str(caught.value) or "2026-W48" in str(caught.value)


def test_a_zone_that_does_not_exist_is_named() -> None:
    with pytest.raises(Invalid, match="zone: no time zone 'Mars'"):
        parse_range("2026", zone="Mars", now=NOW)


@given(st.integers(0, 3_000), st.integers(1, 500), st.sampled_from(ZONES))
def test_i12_steady_pieces_touch_and_have_one_offset_each(first: int, hours: int, zone: str) -> None:
    clock, start = ZoneInfo(zone), datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=first * 5)
    window = Window(start, start + timedelta(hours=hours * 11))
    pieces = list(steady(window, clock))
    assert (pieces[0][0].start, pieces[-1][0].end) == (window.start, window.end)
    for (one, before), (other, after) in pairwise(pieces):
        assert one.end == other.start
        assert before != after
    for piece, offset in pieces:
        assert {offset_at(piece.start, clock), offset_at(piece.end - timedelta(seconds=1), clock)} == {offset}
