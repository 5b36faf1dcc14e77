"""Schedulers: when a policy with a `scheduler-name` holds. The device's own clock and zone decide (Juniper/yang)."""

from __future__ import annotations

from datetime import datetime

from lab.emulators.srx.schema import DAYS
from lab.emulators.srx.tree import Node


def holds(root: Node, name: str, now: datetime, *, inclusive: bool = False) -> bool:
    """``now``: in the device's zone. ``inclusive``: also in the second of a `stop-time`."""
    schedulers = root.at("schedulers")
    scheduler = None if schedulers is None else schedulers.child("scheduler", name)
    return scheduler is not None and _on_date(scheduler, now) and _on_day(scheduler, now, inclusive=inclusive)


def _on_date(scheduler: Node, now: datetime) -> bool:
    ranges = scheduler.all("start-date")
    return not ranges or any(_moment(a, now) <= now < _moment(b, now) for a, b in (r.part.values for r in ranges))


def _moment(text: str, now: datetime) -> datetime:
    """`[YYYY-]MM-DD.hh:mm`."""
    dated = text if text.count("-") == 2 else f"{now.year}-{text}"
    return datetime.strptime(dated, "%Y-%m-%d.%H:%M").replace(tzinfo=now.tzinfo)


def _on_day(scheduler: Node, now: datetime, *, inclusive: bool) -> bool:
    """A weekday's own entry counts instead of `daily`."""
    day = scheduler.at(DAYS[now.weekday()]) or scheduler.at("daily")
    if day is None:
        return not any(scheduler.has(name) for name in ("daily", *DAYS))
    if day.has("exclude"):
        return False
    minute = f"{now:%H:%M:%S}"
    windows = [window.part.values for window in day.all("start-time")]
    return day.has("all-day") or any(
        _full(start) <= minute < _full(stop) or (inclusive and minute == _full(stop)) for start, stop in windows
    )


def _full(time: str) -> str:
    return f"{time}{':00' * (2 - time.count(':'))}"
