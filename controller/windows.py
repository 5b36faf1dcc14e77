"""Work hours: which mode a source role has at a moment, in its whole week, and when that may next change.

Pure. ``desired`` asks ``mode_at``; people are shown ``next_edge``. A window is a question about now, put to the wall
clock of the site's own zone, so a clock change leaves no edge to miss: in the night of 25 hours the hour that comes
twice is answered twice, and a time that does not exist is simply never asked about. Nothing here remembers an edge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise, product
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from controller.model import Mode
from vendors.model import WeekSpan
from vendors.week import DAY, normal

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HORIZON: Final = timedelta(days=15)
"""Windows repeat weekly; two weeks and a day also pass the one week in which a clock change swallowed the window."""

_PROBE: Final = timedelta(hours=1)
_TICK: Final = timedelta(microseconds=1)
_MIDNIGHT: Final = time(0)
_MONDAY: Final = datetime(2024, 1, 1)  # noqa: DTZ001  a reading of the wall clock


class ModeWindow(Protocol):
    """From ``start`` to ``end`` (excluded) on ``days``; ``end`` at or before ``start`` is on the day after."""

    @property
    def days(self) -> Collection[str]: ...
    @property
    def start(self) -> time: ...
    @property
    def end(self) -> time: ...
    @property
    def mode(self) -> Mode: ...


class RoleModes(Protocol):
    """A role's mode, and the windows in which it has another."""

    @property
    def mode(self) -> Mode: ...
    @property
    def windows(self) -> Sequence[ModeWindow]: ...


def mode_at(role: RoleModes, zone: ZoneInfo, at: datetime) -> Mode:
    """The mode of ``role`` at ``at`` (aware): of the first window open then in ``zone``, else the role's own."""
    local = at.astimezone(zone)
    return next((window.mode for window in role.windows if is_inside(window, local)), role.mode)


def is_inside(window: ModeWindow, local: datetime) -> bool:
    """Whether the wall clock ``local`` stands inside the window. A night belongs to the day on which it starts."""
    now, today = local.time(), local.weekday()
    if window.start < window.end:
        return DAYS[today] in window.days and window.start <= now < window.end
    return (DAYS[today] in window.days and now >= window.start) or (DAYS[today - 1] in window.days and now < window.end)


def week_of(role: RoleModes) -> Mapping[Mode, tuple[WeekSpan, ...] | None]:
    """When in the week of the site's wall clock the role has each mode that it ever has; None: always."""
    cuts = sorted({0, DAY, *(_minute(t) for window in role.windows for t in (window.start, window.end))})
    spans: dict[Mode, list[WeekSpan]] = {}
    for day, (start, end) in product(range(len(DAYS)), pairwise(cuts)):
        spans.setdefault(_wall_mode(role, day, start), []).append(WeekSpan(day, start, end))
    return {mode: normal(found) for mode, found in spans.items()}


def _wall_mode(role: RoleModes, day: int, minute: int) -> Mode:
    local = _MONDAY + timedelta(days=day, minutes=minute)
    return next((window.mode for window in role.windows if is_inside(window, local)), role.mode)


def _minute(at: time) -> int:
    """Times of windows are whole minutes."""
    return at.hour * 60 + at.minute


def next_edge(roles: Iterable[RoleModes], zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first moment after ``after`` at which any of the roles has another mode than at ``after``; UTC.

    None: no mode ever changes. Between ``after`` and the answer every role keeps its mode.
    """
    asked = tuple(roles)
    now = [mode_at(role, zone, after) for role in asked]
    for moment in _candidates(asked, zone, after):
        if [mode_at(role, zone, moment) for role in asked] != now:
            return moment
    return None


def offset_changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every moment in (start, end] at which the zone's UTC offset changes, in order; UTC."""
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    probes = [*(first + n * _PROBE for n in range(-(-(last - first) // _PROBE))), last]
    for before, after in pairwise(probes):
        if _offset(zone, before) != _offset(zone, after):
            yield _bisect(zone, before, after)


def _candidates(roles: Sequence[RoleModes], zone: ZoneInfo, after: datetime) -> list[datetime]:
    """All moments within the horizon at which a wall clock can pass a window's edge, or jump over one."""
    times = {_MIDNIGHT} | {t for role in roles for window in role.windows for t in (window.start, window.end)}
    if len(times) == 1 and not any(role.windows for role in roles):
        return []
    first, until = after.astimezone(UTC), after.astimezone(UTC) + HORIZON
    walls = {
        moment for day in _dates(first.astimezone(zone).date()) for t in times for moment in _moments(day, t, zone)
    }
    return sorted(m for m in walls | set(offset_changes(zone, first, until)) if first < m <= until)


def _dates(first: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range(-1, HORIZON.days + 2))


def _moments(day: date, at: time, zone: ZoneInfo) -> Iterator[datetime]:
    """The one or two moments of a wall time. One that does not exist yields harmless neighbours."""
    for fold in (0, 1):
        yield datetime.combine(day, at, tzinfo=zone).replace(fold=fold).astimezone(UTC)


def _offset(zone: ZoneInfo, at: datetime) -> timedelta | None:
    return at.astimezone(zone).utcoffset()


def _bisect(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first moment of the new offset; the zone database knows whole seconds."""
    old = _offset(zone, before)
    while after - before > _TICK:
        middle = before + (after - before) / 2
        before, after = (middle, after) if _offset(zone, middle) == old else (before, middle)
    return after
