"""Times as people type them. Pure: the caller brings the clock.

A time names its zone (``2026-11-25T18:00Z``, ``…+01:00``): the machine's own zone is a guess nobody notices. A bare
date is midnight UTC; ``now`` is now; a span such as ``90m``, ``24h`` or ``7d`` counts from now, in the direction that
the option says.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from controller.errors import Invalid

_SPAN: Final = re.compile(r"(?:(?P<d>\d{1,5})d)?(?:(?P<h>\d{1,5})h)?(?:(?P<m>\d{1,6})m)?(?:(?P<s>\d{1,7})s)?", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_EARLIEST, _LATEST = 2000, 2999
"""Years. Times outside are typing errors, and the edges of the calendar have no UTC."""


def parse_span(text: str, *, option: str) -> timedelta:
    """``90m``, ``1h30m``, ``7d``. Raises ``Invalid`` naming the option."""
    span = _span(text)
    if span is None:
        raise Invalid(f"{option}: {text[:40]!r} is no span of time", hint="write it as 90m, 2h, 1h30m or 7d")
    return span


def _span(text: str) -> timedelta | None:
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None or not match[0]:
        return None
    days, hours, minutes, seconds = (int(match[unit] or 0) for unit in "dhms")
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds) or None


def parse_time(text: str, *, option: str, now: datetime, backwards: bool) -> datetime:
    """Aware UTC. ``backwards`` says which way a span counts. Raises ``Invalid`` naming the option."""
    word = text.strip()
    if word.lower() == "now":
        return now
    span = _span(word)
    try:
        found = (now - span if backwards else now + span) if span else _written(word)
    except (ValueError, OverflowError) as exc:
        raise Invalid(f"{option}: {text[:40]!r} is no time", hint=_hint(backwards=backwards)) from exc
    if found.tzinfo is None:
        raise Invalid(f"{option}: {text[:40]!r} names no time zone", hint=f"write {word}Z for UTC, or {word}+01:00")
    if not _EARLIEST <= found.year <= _LATEST:
        raise Invalid(f"{option}: the year must lie between {_EARLIEST} and {_LATEST}")
    return found.astimezone(UTC)


def _written(word: str) -> datetime:
    if _DATE.fullmatch(word):
        return datetime.fromisoformat(word).replace(tzinfo=UTC)
    return datetime.fromisoformat(word)


def _hint(*, backwards: bool) -> str:
    span = "24h for a day ago" if backwards else "2h for two hours from now"
    return f"write it as 2026-11-25T18:00Z, 2026-11-25T19:00+01:00, 2026-11-25 or {span}"
