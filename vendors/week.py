"""Times of the week, as minutes of local days. Pure; used by the controller, the difference and the adapters.

``None`` stands for always, as in ``Rule.when``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from vendors.model import WeekSpan

DAY: Final = 24 * 60
"""Minutes of a local day: a day of 23 or 25 hours has the same times on its clock."""
NAMES: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""Of ``WeekSpan.day``."""
ALWAYS: Final = tuple(WeekSpan(day, 0, DAY) for day in range(7))


def normal(spans: Iterable[WeekSpan]) -> tuple[WeekSpan, ...] | None:
    """Sorted, overlapping and touching spans of a day as one; None when they are the whole week."""
    merged = tuple(_merged(sorted(spans)))
    return None if merged == ALWAYS else merged


def _merged(spans: Iterable[WeekSpan]) -> Iterator[WeekSpan]:
    open_: WeekSpan | None = None
    for span in spans:
        if open_ is not None and span.day == open_.day and span.start <= open_.end:
            open_ = WeekSpan(open_.day, open_.start, max(open_.end, span.end))
            continue
        if open_ is not None:
            yield open_
        open_ = span
    if open_ is not None:
        yield open_


def either(first: tuple[WeekSpan, ...] | None, second: tuple[WeekSpan, ...] | None) -> tuple[WeekSpan, ...] | None:
    """When the one or the other holds."""
    return None if first is None or second is None else normal((*first, *second))


def holds_at(when: tuple[WeekSpan, ...] | None, local: datetime) -> bool:
    """Whether ``local``, a reading of the wall clock, is inside."""
    minute = local.hour * 60 + local.minute
    return when is None or any(span.day == local.weekday() and span.start <= minute < span.end for span in when)


def clock(minute: int) -> str:
    """``08:30``."""
    return f"{minute // 60:02}:{minute % 60:02}"


def most_a_day(when: tuple[WeekSpan, ...] | None) -> int:
    """How many spans the fullest day has."""
    return max(Counter(span.day for span in when or ()).values(), default=0)


__all__ = ["ALWAYS", "DAY", "NAMES", "clock", "either", "holds_at", "most_a_day", "normal"]
