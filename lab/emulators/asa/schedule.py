"""Time ranges: what `time-range` holds, how it prints and when it is active, by the wall clock of the device."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lab.emulators.asa.answers import Invalid
from lab.emulators.asa.lines import Cursor
from lab.emulators.asa.words import DAYS, MONTHS

LINGER: Final = timedelta(seconds=80)
"""After its end an entry goes inactive 80 to 100 seconds late (ASA 5500 configuration guide, time ranges)."""
_SETS: Final = {"daily": DAYS, "weekdays": DAYS[:5], "weekend": DAYS[5:]}
_WEEK: Final = 7 * 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Absolute:
    start: datetime | None = None
    end: datetime | None = None

    def text(self) -> str:
        parts = [f"{word} {_moment(at)}" for word, at in (("start", self.start), ("end", self.end)) if at]
        return " ".join(["absolute", *parts])

    def holds(self, now: datetime) -> bool:
        return (self.start is None or self.start <= now) and (self.end is None or now < self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Periodic:
    """Each of the days from ``start`` to ``end``; or, with ``until``, from the one day to that day. In minutes."""

    days: tuple[str, ...]  # names of days, or one of daily, weekdays, weekend
    start: int
    end: int
    until: str = ""

    def text(self) -> str:
        until = f"{self.until} " if self.until else ""
        return f"periodic {' '.join(self.days)} {_clock(self.start)} to {until}{_clock(self.end)}"

    def holds(self, now: datetime) -> bool:
        minute = now.weekday() * 1440 + now.hour * 60 + now.minute
        return any((minute - first) % _WEEK < length for first, length in self._spans())

    def _spans(self) -> list[tuple[int, int]]:
        days = _SETS.get(self.days[0], self.days)
        if self.until:
            first = DAYS.index(days[0]) * 1440 + self.start
            return [(first, (DAYS.index(self.until) * 1440 + self.end - first) % _WEEK)]
        return [(DAYS.index(day) * 1440 + self.start, max(0, self.end - self.start)) for day in days]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    name: str
    absolute: Absolute | None = None
    periodic: tuple[Periodic, ...] = ()

    def lines(self) -> list[str]:
        first = [self.absolute.text()] if self.absolute else []
        return first + [span.text() for span in self.periodic]

    def active(self, now: datetime, *, last_minute: bool = False) -> bool:
        """Also for a little while after its end. ``last_minute``: the minute that it ends at is a part of it."""
        late = LINGER + timedelta(minutes=1) if last_minute else LINGER
        return self._holds(now) or self._holds(now - late) or (last_minute and self._holds(now - timedelta(minutes=1)))

    def _holds(self, now: datetime) -> bool:
        within = self.absolute is None or self.absolute.holds(now)
        return within and (not self.periodic or any(span.holds(now) for span in self.periodic))


def read_absolute(cursor: Cursor) -> Absolute:
    """``absolute [start HH:MM D MONTH YYYY] [end HH:MM D MONTH YYYY]``."""
    at, found = cursor.at, dict[str, datetime]()
    while not cursor.done or not found:
        word = cursor.choice(["start", "end"])
        if word in found:
            raise Invalid(at)
        found[word] = _read_moment(cursor)
    absolute = Absolute(start=found.get("start"), end=found.get("end"))
    if absolute.start and absolute.end and absolute.end <= absolute.start:
        raise Invalid(at)
    return absolute


def read_periodic(cursor: Cursor) -> Periodic:
    """``periodic DAYS H:MM to [DAY] H:MM``."""
    days = [cursor.choice([*DAYS, *_SETS])]
    while days[0] not in _SETS and not cursor.peek()[:1].isdigit():
        days.append(cursor.choice(DAYS))
    start = _read_clock(cursor)
    cursor.choice(["to"])
    at = cursor.at
    until = "" if cursor.peek()[:1].isdigit() else cursor.choice(DAYS)
    if until and (len(days) > 1 or days[0] in _SETS):
        raise Invalid(at)
    end_at, end = cursor.at, _read_clock(cursor)
    if not until and end <= start:
        raise Invalid(end_at)
    cursor.end()
    named = days if days[0] in _SETS else sorted(set(days), key=DAYS.index)
    return Periodic(days=tuple(named), start=start, end=end, until=until)


def _read_clock(cursor: Cursor) -> int:
    at, word = cursor.at, cursor.take()
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", word, re.ASCII)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise Invalid(at)
    return int(found[1]) * 60 + int(found[2])


def _read_moment(cursor: Cursor) -> datetime:
    minutes = _read_clock(cursor)
    day, month = cursor.number(1, 31), MONTHS.index(cursor.choice(MONTHS)) + 1
    at, year = cursor.at, cursor.number(1993, 2099)
    try:
        return datetime(year, month, day, minutes // 60, minutes % 60)  # noqa: DTZ001  # of a wall clock
    except ValueError:
        raise Invalid(at) from None


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"


def _moment(at: datetime) -> str:
    return f"{at:%H:%M} {at.day:02} {MONTHS[at.month - 1]} {at.year}"
