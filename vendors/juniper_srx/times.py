"""Times of the week as a scheduler of the firewall. Pure.

Each day is said, with its windows, `all-day` or `exclude`, so that none depends on what an unnamed day does. A time is
`hh`, `hh:mm` or `hh:mm:ss` up to 23:59:59, and a day has two windows at most (Junos configuration model,
junos-es-conf-schedulers). There is no 24:00: a window up to midnight ends at 23:59:59.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from vendors import week
from vendors.juniper_srx.statements import Statement
from vendors.model import WeekSpan

When = tuple[WeekSpan, ...]
MOST_SPANS: Final = 2
_LAST: Final = "23:59:59"


def name_of(when: When) -> str:
    """A name by content: rules of the same times share one, and other times are another."""
    text = " ".join(f"{span.day}/{span.start}-{span.end}" for span in when)
    return f"tokgate-t-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def statements_of(when: When) -> frozenset[Statement]:
    days = ((name, [span for span in when if span.day == day]) for day, name in enumerate(week.NAMES))
    return frozenset(words for name, spans in days for words in _day(name, spans))


def _day(name: str, spans: list[WeekSpan]) -> Iterator[Statement]:
    if not spans:
        yield (name, "exclude")
    for span in spans:
        if (span.start, span.end) == (0, week.DAY):
            yield (name, "all-day")
        else:
            yield (name, "start-time", _written(span.start), "stop-time", _written(span.end))


def _written(minute: int) -> str:
    return _LAST if minute == week.DAY else week.clock(minute)


def when_in(inside: Iterable[Statement]) -> When | None:
    """The times of a scheduler of ours; None when it says anything that we do not write."""
    spans = []
    for words in sorted(inside):
        match words:
            case ("description", _) | (_, "exclude"):
                continue
            case (day, "all-day") if day in week.NAMES:
                spans.append(WeekSpan(week.NAMES.index(day), 0, week.DAY))
            case (day, "start-time", start, "stop-time", stop) if day in week.NAMES:
                first, last = _minute(start), _minute(stop)
                if first is None or last is None or first >= last:
                    return None
                spans.append(WeekSpan(week.NAMES.index(day), first, last))
            case _:
                return None
    return week.normal(spans) or None


def _minute(text: str) -> int | None:
    if text == _LAST:
        return week.DAY
    parts = text.split(":")
    if not 1 <= len(parts) <= 3 or not all(part.isdigit() for part in parts) or any(part != "00" for part in parts[2:]):
        return None
    return int(parts[0]) * 60 + (int(parts[1]) if len(parts) > 1 else 0)
