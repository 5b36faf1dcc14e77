"""How far a zone's clock is from UTC, and until when it stays so. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from controller.model import Window

_LEAP: Final = timedelta(days=7)
"""No zone changes its clock twice in so short a time."""


def offset_at(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def steady(window: Window, zone: ZoneInfo) -> Iterator[tuple[Window, timedelta]]:
    """The window in pieces, each with one offset; they touch, and there are as many as clock changes and one more."""
    start = window.start
    while start < window.end:
        offset, end = offset_at(start, zone), start
        while end < window.end and offset_at(end, zone) == offset:
            end += _LEAP
        if end >= window.end and offset_at(window.end - timedelta.resolution, zone) == offset:
            yield Window(start, window.end), offset
            return
        change = _change(max(start, end - _LEAP), min(end, window.end), zone)
        yield Window(start, change), offset
        start = change


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first moment of the new offset: clocks change on whole seconds."""
    old = offset_at(before, zone)
    low, high = int(before.timestamp()), -int(-after.timestamp() // 1)
    while high - low > 1:
        middle = (low + high) // 2
        if offset_at(datetime.fromtimestamp(middle, UTC), zone) == old:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)
