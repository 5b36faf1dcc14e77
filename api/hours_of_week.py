"""Hours of the week as lists are narrowed by them, in addresses and over the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from controller.model import Window
from controller.store import HoursOfWeek
from controller.wall_clock import zone_named

LONGEST: Final = timedelta(days=800)
"""So far back the clock of a zone is looked up where no beginning is asked for."""


class Weekday(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


def hours_of_week(
    weekday: Weekday | None, hour: int | None, *, zone: str, since: datetime | None, until: datetime | None,
    now: datetime,
) -> HoursOfWeek | None:  # fmt: skip
    """None: nothing is asked of the hour. Raises ``Invalid`` for a zone that does not exist here."""
    if weekday is None and hour is None:
        return None
    end = until or now
    start = max(since or end - LONGEST, end - LONGEST)
    return HoursOfWeek(
        zone=zone_named(zone),
        window=Window(start, max(end, start)),
        weekday=None if weekday is None else list(Weekday).index(weekday),
        hour=hour,
    )


__all__ = ["Weekday", "hours_of_week"]
