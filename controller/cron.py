"""Times as cron writes them, on the clock of a zone, with days of the week by name. Pure.

``minute hour day-of-month month day-of-week``: each ``*``, a number, a range ``8-18``, a step ``*/15``, or several with
commas; days of the week are ``mon`` to ``sun``, never numbers, which mean other days to other programs (I12). A day
has to fit both kinds of day, where cron itself takes either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from controller.windows import DAYS

_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12))
_PART: Final = re.compile(r"(?:(?P<all>\*)|(?P<first>\d{1,2})(?:-(?P<last>\d{1,2}))?)(?:/(?P<step>\d{1,2}))?", re.ASCII)
_BACK: Final = 366 * 8
"""Days that are looked back: the 29th of February comes once in eight years at worst."""


@dataclass(frozen=True, slots=True)
class Cron:
    """When something is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[str]

    def last(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """The latest time at or before ``now`` at which it was due, UTC; None: never in eight years.

        A time that the clock skips is due when it goes on; one that comes twice is due the first time.
        """
        day = now.astimezone(zone).date()
        for _ in range(_BACK):
            if self._is_on(day):
                due = [at for at in self._times(day, zone) if at <= now]
                if due:
                    return max(due)
            day -= timedelta(days=1)
        return None

    def _is_on(self, day: date) -> bool:
        return day.month in self.months and day.day in self.days and DAYS[day.weekday()] in self.weekdays

    def _times(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        for hour in self.hours:
            for minute in self.minutes:
                yield datetime.combine(day, time(hour, minute), zone).astimezone(UTC)


def parse_cron(text: str) -> Cron:
    """Raises ``ValueError`` saying what is wrong."""
    words = text.split()
    if len(words) != len(_FIELDS) + 1:
        raise ValueError("expected `minute hour day-of-month month day-of-week`, as in `30 6 * * mon`")
    minutes, hours, days, months = (_numbers(word, *field) for word, field in zip(words, _FIELDS, strict=False))
    return Cron(minutes, hours, days, months, _named(words[-1]))


def _numbers(word: str, what: str, least: int, most: int) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{part[:20]!r} is no {what}")
        first = least if match["all"] else int(match["first"])
        last = most if match["all"] or (match["step"] and not match["last"]) else int(match["last"] or first)
        step = int(match["step"] or 1)
        if not least <= first <= last <= most or not step:
            raise ValueError(f"{part[:20]!r}: a {what} is from {least} to {most}")
        found |= set(range(first, last + 1, step))
    return frozenset(found)


def _named(word: str) -> frozenset[str]:
    if word == "*":
        return frozenset(DAYS)
    found: set[str] = set()
    for part in word.lower().split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{part[:20]!r}: days of the week are named, {', '.join(DAYS)}")
        found |= _between(DAYS, first, last) if dash else {first}
    return frozenset(found)


def _between(days: Sequence[str], first: str, last: str) -> set[str]:
    start, end = days.index(first), days.index(last)
    return set(days[start : end + 1]) if start <= end else {*days[start:], *days[: end + 1]}
