"""Times of the week as a ``time-range`` of the firewall. Pure.

    time-range tokgate-w-1a2b3c4d5e6f7a8b
     periodic Monday 8:00 to 18:00
     periodic Friday 18:00 to Saturday 0:00

One line for each window, by the wall clock of the device. There is no 24:00: a window up to midnight ends at 0:00 of
the next day (ASA command reference, ``periodic``). A time-range has no description, so that its name says whose it is
and what it holds: other times are another name. An entry goes inactive 80 to 100 seconds after its end (ASA 5500
configuration guide), so that windows that touch leave no gap.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from vendors import week
from vendors.model import WeekSpan

When = tuple[WeekSpan, ...]
RANGE: Final = "tokgate-w-"
"""Before the name of each of ours."""
_NAME: Final = re.compile(rf"{RANGE}[0-9a-f]{{16}}")
_PERIODIC: Final = re.compile(
    r"periodic (?P<days>[a-z]+(?: [a-z]+)*) (?P<start>\d{1,2}:\d\d) to (?:(?P<until>[a-z]+) )?(?P<end>\d{1,2}:\d\d)"
)
_SETS: Final = {"daily": week.NAMES, "weekdays": week.NAMES[:5], "weekend": week.NAMES[5:]}
_MINUTES: Final = 7 * week.DAY


def is_our_name(name: str) -> bool:
    """Whether a time-range of this name is ours: nothing else about it says so, so the form has to be right."""
    return _NAME.fullmatch(name) is not None


def name_of(when: When) -> str:
    """By content."""
    text = " ".join(f"{span.day}/{span.start}-{span.end}" for span in when)
    return f"{RANGE}{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def lines_of(when: When) -> tuple[str, ...]:
    """As the device prints them."""
    return tuple(_line(span) for span in when)


def _line(span: WeekSpan) -> str:
    day = week.NAMES[span.day].capitalize()
    if span.end < week.DAY:
        return f"periodic {day} {_clock(span.start)} to {_clock(span.end)}"
    return f"periodic {day} {_clock(span.start)} to {week.NAMES[(span.day + 1) % 7].capitalize()} 0:00"


def _clock(minute: int) -> str:
    return f"{minute // 60}:{minute % 60:02}"


def when_in(lines: Iterable[str]) -> When | None:
    """The times that lines of a time-range mean, in whatever way they say it; None when it is not one week's.

    A range that is ``absolute`` too, or has no line, is none: it ends some day, or holds always.
    """
    spans: list[WeekSpan] = []
    for line in lines:
        found = _PERIODIC.fullmatch(" ".join(line.lower().split()))
        if found is None:
            return None
        days, until = found["days"].split(), found["until"]
        named = [day for word in days for day in _SETS.get(word, (word,))]
        first, last = _minute(found["start"]), _minute(found["end"])
        if any(day not in week.NAMES for day in (*named, *([until] if until else []))):
            return None
        if first is None or last is None or (until and len(named) > 1):
            return None
        for day in named:
            begin = week.NAMES.index(day) * week.DAY + first
            end = (week.NAMES.index(until) if until else week.NAMES.index(day)) * week.DAY + last
            if end <= begin and not until:
                return None
            spans += _days(begin, begin + ((end - begin) % _MINUTES or _MINUTES))
    return week.normal(spans) if spans else None


def _days(begin: int, end: int) -> Iterable[WeekSpan]:
    """A stretch of minutes of the week, cut at midnight; it may go on into the next week."""
    while begin < end:
        stop = min(end, (begin // week.DAY + 1) * week.DAY)
        day = begin // week.DAY
        yield WeekSpan(day % 7, begin - day * week.DAY, stop - day * week.DAY)
        begin = stop


def _minute(text: str) -> int | None:
    hours, minutes = map(int, text.split(":"))
    return hours * 60 + minutes if hours < 24 and minutes < 60 else None
