"""The times that people ask about, as a calendar names them: a day, a week, a month, a quarter, a year. Pure.

A range begins at midnight on the clock of a zone and ends before a midnight, so a day has 23, 24 or 25 hours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from controller.errors import Invalid
from controller.model import Window
from controller.wall_clock import zone_named

HINT: Final = (
    "write a day 2026-11-25, a week 2026-W48, a month 2026-11, a quarter 2026-Q4, a year 2026, several as "
    "2026-11-01..2026-11-15, or today, yesterday, this-week, last-week, this-month, last-month, this-quarter, "
    "last-quarter, this-year, last-year"
)
_WRITTEN: Final = re.compile(
    r"(?P<year>\d{4})(?:-(?:W(?P<week>\d\d)|Q(?P<quarter>[1-4])|(?P<month>\d\d)(?:-(?P<day>\d\d))?))?", re.ASCII
)
_WORDS: Final[Mapping[str, tuple[str, int]]] = {
    "today": ("day", 0),
    "yesterday": ("day", -1),
    **{
        f"{word}-{unit}": (unit, step)
        for unit in ("week", "month", "quarter", "year")
        for word, step in (("this", 0), ("last", -1))
    },
}
_YEARS: Final = range(2000, 3000)
LONGEST_DAYS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A range: whole days from ``first`` to ``last``, on the clock of a zone. ``unit``: what it is one of."""

    unit: str  # "day", "week", "month", "quarter", "year"; "days" for several that are none of these
    first: date
    last: date
    zone: str

    @property
    def window(self) -> Window:
        return Window(midnight(self.first, self.zone), midnight(self.last + timedelta(days=1), self.zone))

    @property
    def before(self) -> Asked:
        """The range of the same kind that ends where this one begins."""
        end = self.first - timedelta(days=1)
        if self.unit == "days":
            return Asked(unit="days", first=self.first - (self.last - self.first) - _DAY, last=end, zone=self.zone)
        return unit_at(self.unit, end, self.zone)

    @property
    def name(self) -> str:
        """As it can be asked for again."""
        match self.unit:
            case "day":
                return f"{self.first}"
            case "week":
                year, week, _ = self.first.isocalendar()
                return f"{year}-W{week:02}"
            case "month":
                return f"{self.first:%Y-%m}"
            case "quarter":
                return f"{self.first.year}-Q{(self.first.month + 2) // 3}"
            case "year":
                return f"{self.first.year}"
        return f"{self.first}..{self.last}"


_DAY: Final = timedelta(days=1)


def midnight(day: date, zone: str) -> datetime:
    """The first moment of the day there, UTC: where the clock skips midnight, when it goes on."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def parse_range(text: str, *, zone: str, now: datetime, field: str = "range") -> Asked:
    """Raises ``Invalid`` that begins with ``field``, or with ``zone`` for one that does not exist here."""
    zone_named(zone)
    word = text.strip()
    if word.lower() in _WORDS:
        unit, step = _WORDS[word.lower()]
        asked = unit_at(unit, now.astimezone(ZoneInfo(zone)).date(), zone)
        return asked.before if step else asked
    first, dots, last = word.partition("..")
    try:
        begin = _written(first, zone)
        end = _written(last, zone) if dots else begin
    except ValueError as exc:
        raise Invalid(f"{field}: {text[:60]!r} is no range of days", hint=HINT) from exc
    if end.last < begin.first:
        raise Invalid(f"{field}: {text[:60]!r} ends before it begins", hint=HINT)
    if (end.last - begin.first).days >= LONGEST_DAYS:
        raise Invalid(f"{field}: a report spans {LONGEST_DAYS} days at most")
    return begin if not dots else Asked(unit="days", first=begin.first, last=end.last, zone=zone)


def _written(text: str, zone: str) -> Asked:
    """Raises ``ValueError``."""
    found = _WRITTEN.fullmatch(text.strip().upper())
    if found is None or int(found["year"]) not in _YEARS:
        raise ValueError(text)
    year = int(found["year"])
    if found["week"]:
        return unit_at("week", date.fromisocalendar(year, int(found["week"]), 1), zone)
    if found["quarter"]:
        return unit_at("quarter", date(year, int(found["quarter"]) * 3, 1), zone)
    if found["day"]:
        return unit_at("day", date(year, int(found["month"]), int(found["day"])), zone)
    if found["month"]:
        return unit_at("month", date(year, int(found["month"]), 1), zone)
    return unit_at("year", date(year, 1, 1), zone)


def unit_at(unit: str, day: date, zone: str) -> Asked:
    """The one that holds the day."""
    match unit:
        case "day":
            first = last = day
        case "week":
            first = day - timedelta(days=day.weekday())
            last = first + 6 * _DAY
        case "month":
            first, last = day.replace(day=1), _month_end(day)
        case "quarter":
            begin = (day.month - 1) // 3 * 3 + 1
            first, last = date(day.year, begin, 1), _month_end(date(day.year, begin + 2, 1))
        case _:
            first, last = date(day.year, 1, 1), date(day.year, 12, 31)
    return Asked(unit=unit, first=first, last=last, zone=zone)


def _month_end(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - _DAY


def window_before(window: Window) -> Window:
    """As long, and right before."""
    return Window(window.start - (window.end - window.start), window.start)
