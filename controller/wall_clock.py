"""Moments as a clock on a wall shows them, and what people mean who read theirs from it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from controller.errors import Invalid


def zone_word(local: datetime) -> str:
    """What its zone is called just then, which tells the hour that comes twice apart: ``CET``, ``UTC-03``."""
    name = local.tzname() or "UTC"
    return f"UTC{name}" if name[:1] in "+-" else name


def span_in_words(starts: datetime, ends: datetime, zone: tzinfo = UTC) -> str:
    """``from 2026-11-25 12:00 to 2026-11-25 20:00 CET``; both name the zone where its clock is changed between."""
    first, last = starts.astimezone(zone), ends.astimezone(zone)
    begin = "" if zone_word(first) == zone_word(last) else f" {zone_word(first)}"
    return f"from {first:%Y-%m-%d %H:%M}{begin} to {last:%Y-%m-%d %H:%M} {zone_word(last)}"


def zone_named(name: str) -> ZoneInfo:
    """Raises ``Invalid`` for one that does not exist here."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as exc:
        raise Invalid(f"zone: no time zone {name[:60]!r}", hint="write it as Europe/Berlin") from exc


def moment_of(wall: datetime, zone: ZoneInfo, field: str) -> datetime:
    """When the clock shows that, UTC; the first time where it does so twice. Raises ``Invalid`` where it never does."""
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    if (shown := moment.astimezone(zone).replace(tzinfo=None, fold=0)) != wall:
        raise Invalid(
            f"{field}: {wall:%H:%M} is skipped by the clocks of {zone.key} on {wall:%Y-%m-%d}",
            hint=f"they go forward then; {shown:%H:%M} is the same moment by the clock that is changed",
        )
    return moment


def comes_twice(wall: datetime, zone: ZoneInfo) -> bool:
    """Whether the clock shows that twice, as in the night in which it is set back."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    assert first is not None  # of a zone
    assert second is not None
    return first > second
