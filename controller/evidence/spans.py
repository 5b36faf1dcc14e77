"""Times, as the fewest spans that hold them: what lies no further apart than a gap is one. Pure, whatever the order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime, timedelta

Spans = list[tuple[datetime, datetime]]
"""Sorted, and further apart than the gap they were made with."""


def widen(spans: Spans, at: datetime, gap: timedelta) -> None:
    """Take one more time in."""
    place = bisect_left(spans, (at, at))
    first = place - 1 if place and at - spans[place - 1][1] <= gap else place
    last = place + 1 if place < len(spans) and spans[place][0] - at <= gap else place
    held = spans[first:last]
    start, end = min([at, *(s for s, _ in held)]), max([at, *(e for _, e in held)])
    spans[first:last] = [(start, end)]


def is_near(spans: Iterable[tuple[datetime, datetime]], at: datetime, gap: timedelta) -> bool:
    """Whether one of them is no further away."""
    return any(start - gap <= at <= end + gap for start, end in spans)


def is_right_after(spans: Iterable[tuple[datetime, datetime]], at: datetime, gap: timedelta) -> bool:
    """Whether it lies behind the beginning of one of them, and no further than ``gap`` behind its end."""
    return any(start < at <= end + gap for start, end in spans)


__all__ = ["Spans", "is_near", "is_right_after", "widen"]
