"""Schedules: when a rule is active. The firewall's local time counts."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from lab.emulators.panos.tree import Node

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def active(schedule: Node, now: datetime, *, inclusive: bool) -> bool:
    """``now`` in the device's zone; ``inclusive``: the last minute belongs to the span."""
    kind = schedule.kids.get("schedule-type", Node())
    once = kind.members("non-recurring")
    if once:
        return any(_between(*_moments(span, now), now, inclusive=inclusive) for span in once)
    recurring = kind.kids.get("recurring", Node())
    spans = recurring.members("daily") or recurring.members("weekly", _DAYS[now.weekday()])
    minute = now.hour * 60 + now.minute
    return any(start <= minute < end + inclusive for start, end in map(_minutes, spans))


def _minutes(span: str) -> tuple[int, int]:
    start, _, end = span.partition("-")
    return _of_day(start), _of_day(end)


def _of_day(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _moments(span: str, now: datetime) -> tuple[datetime, datetime]:
    start, _, end = span.partition("-")
    first, last = (datetime.strptime(each, "%Y/%m/%d@%H:%M").replace(tzinfo=now.tzinfo) for each in (start, end))
    return first, last


def _between(start: datetime, end: datetime, now: datetime, *, inclusive: bool) -> bool:
    return start <= now < end or (inclusive and now.replace(second=0, microsecond=0) == end)
