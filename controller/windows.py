"""Work hours: which mode a source role has at a moment, in its whole week, and when that may next change.

Pure. ``desired`` asks ``mode_at``; people are shown ``next_edge``. A window is a question about now, put to the wall
clock of the site's own zone, so a clock change leaves no edge to miss: in the night of 25 hours the hour that comes
twice is answered twice, and a time that does not exist is simply never asked about. Nothing here remembers an edge.

A window may hold on holidays only, or on all other days, and for some services only. Services that the same windows
name have the same mode at every moment: such a set is one rule on a device (``service_sets``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise, product
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from controller.model import Mode
from vendors.model import WeekSpan
from vendors.week import DAY, normal

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HORIZON: Final = timedelta(days=15)
"""Windows repeat weekly; two weeks and a day also pass the one week in which a clock change swallowed the window."""
NO_HOLIDAYS: Final[AbstractSet[date]] = frozenset()

_PROBE: Final = timedelta(hours=1)
_SOON: Final = timedelta(days=2)
_TICK: Final = timedelta(microseconds=1)
_MIDNIGHT: Final = time(0)
_MONDAY: Final = datetime(2024, 1, 1)  # noqa: DTZ001  a reading of the wall clock
_ONE_DAY: Final = timedelta(days=1)


class DayKind(StrEnum):
    """On which of its days a window holds. A workday is a day that is no holiday, whatever its name."""

    ANY = "any"
    HOLIDAYS = "holidays"
    WORKDAYS = "workdays"


class Hours(Protocol):
    """From ``start`` to ``end`` (excluded) on ``days``; ``end`` at or before ``start`` is on the day after."""

    @property
    def days(self) -> Collection[str]: ...
    @property
    def start(self) -> time: ...
    @property
    def end(self) -> time: ...


class DayHours(Hours, Protocol):
    """Hours on some kind of days only."""

    @property
    def on(self) -> DayKind: ...


class ModeWindow(DayHours, Protocol):
    """Hours with another mode; for these services, or for all when it names none."""

    @property
    def mode(self) -> Mode: ...
    @property
    def services(self) -> Collection[str]: ...


class RoleModes(Protocol):
    """A role's mode, and the windows in which it has another."""

    @property
    def mode(self) -> Mode: ...
    @property
    def windows(self) -> Sequence[ModeWindow]: ...


def mode_at(
    role: RoleModes,
    zone: ZoneInfo,
    at: datetime,
    *,
    service: str | None = None,
    holidays: AbstractSet[date] = NO_HOLIDAYS,
) -> Mode:
    """The mode of ``role`` at ``at`` (aware): of the first window open then in ``zone``, else the role's own.

    For a ``service``; None: for one that no window names.
    """
    return wall_mode(role, at.astimezone(zone), service, holidays)


def wall_mode(role: RoleModes, local: datetime, service: str | None, holidays: AbstractSet[date]) -> Mode:
    """As ``mode_at``, by a reading of the wall clock, with or without its zone."""
    ours = (window for window in role.windows if not window.services or service in window.services)
    return next((window.mode for window in ours if is_open(window, local, holidays)), role.mode)


def is_inside(hours: Hours, local: datetime) -> bool:
    """Whether the wall clock ``local`` stands inside the hours, whatever kind of day it is."""
    return _day_of(hours, local) is not None


def is_open(window: DayHours, local: datetime, holidays: AbstractSet[date] = NO_HOLIDAYS) -> bool:
    """Whether the wall clock ``local`` stands inside the window."""
    day = _day_of(window, local)
    if day is None or window.on is DayKind.ANY:
        return day is not None
    return (day in holidays) is (window.on is DayKind.HOLIDAYS)


def _day_of(hours: Hours, local: datetime) -> date | None:
    """The day whose hours ``local`` stands in. A night belongs to the day on which it starts."""
    now, today = local.time(), local.date()
    if hours.start < hours.end:
        day = today if hours.start <= now < hours.end else None
    else:
        day = today if now >= hours.start else today - _ONE_DAY if now < hours.end else None
    return day if day is not None and DAYS[day.weekday()] in hours.days else None


def service_sets(role: RoleModes, services: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """The services in sets that have one mode at every moment, for the same windows name them.

    First the set that no window names, when there is one; inside a set, and else, in the given order.
    """
    naming = [frozenset(window.services) for window in role.windows if window.services]
    found: dict[tuple[bool, ...], list[str]] = {}
    for service in services:
        found.setdefault(tuple(service in names for names in naming), []).append(service)
    return tuple(tuple(names) for _, names in sorted(found.items(), key=lambda item: any(item[0])))


def needs_calendar(role: RoleModes) -> bool:
    """Whether any of its windows asks which days are holidays."""
    return any(window.on is not DayKind.ANY for window in role.windows)


def week_of(role: RoleModes, *, service: str | None = None) -> Mapping[Mode, tuple[WeekSpan, ...] | None]:
    """When in the week of the site's wall clock the role has each mode that it ever has; None: always.

    For a role whose windows need no calendar: one with holidays has no week.
    """
    assert not needs_calendar(role)
    cuts = sorted({0, DAY, *(_minute(t) for window in role.windows for t in (window.start, window.end))})
    spans: dict[Mode, list[WeekSpan]] = {}
    for day, (start, end) in product(range(len(DAYS)), pairwise(cuts)):
        mode = wall_mode(role, _MONDAY + timedelta(days=day, minutes=start), service, NO_HOLIDAYS)
        spans.setdefault(mode, []).append(WeekSpan(day, start, end))
    return {mode: normal(found) for mode, found in spans.items()}


def idle_windows(role: RoleModes, services: Collection[str]) -> tuple[int, ...]:
    """The windows, numbered from 0, that decide at no moment: whenever one is open, an earlier one is open as well.

    Two weeks with every second day a holiday, and with all and none of them, hold each case that a window can ask for.
    """
    days = [(_MONDAY + timedelta(days=number)).date() for number in range(2 * len(DAYS))]
    kinds = [frozenset(days), NO_HOLIDAYS, frozenset(days[::2]), frozenset(days[1::2])]
    minutes = {0, *(_minute(at) for window in role.windows for at in (window.start, window.end))}
    moments = [_MONDAY + timedelta(days=n, minutes=minute) for n in range(len(days)) for minute in sorted(minutes)]
    deciding = {
        next((number for number, window in ours if is_open(window, moment, holidays)), None)
        for service in services
        for ours in ([(n, w) for n, w in enumerate(role.windows) if not w.services or service in w.services],)
        for holidays, moment in product(kinds, moments)
    }
    return tuple(number for number in range(len(role.windows)) if number not in deciding)


def _minute(at: time) -> int:
    """Times of windows are whole minutes."""
    return at.hour * 60 + at.minute


def next_edge(
    roles: Iterable[RoleModes], zone: ZoneInfo, after: datetime, *, holidays: AbstractSet[date] = NO_HOLIDAYS
) -> datetime | None:
    """The first moment after ``after`` at which any of the roles has another mode, for any service; UTC.

    None: no mode changes any more, as far as the holidays are known. Between ``after`` and the answer every role keeps
    its modes.
    """
    asked = tuple((role, name) for role in roles for name in (None, *_named(role)))

    def modes(at: datetime) -> list[Mode]:
        local = at.astimezone(zone)
        return [wall_mode(role, local, name, holidays) for role, name in asked]

    windows = [window for role, name in asked if name is None for window in role.windows]
    now = modes(after)
    return next((moment for moment in edges(windows, zone, after, holidays) if modes(moment) != now), None)


def _named(role: RoleModes) -> Iterator[str]:
    """One service of every set that windows name."""
    named = dict.fromkeys(name for window in role.windows for name in window.services)
    return (names[0] for names in service_sets(role, named))


def offset_changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every moment in (start, end] at which the zone's UTC offset changes, in order; UTC."""
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    probes = [*(first + n * _PROBE for n in range(-(-(last - first) // _PROBE))), last]
    for before, after in pairwise(probes):
        if _offset(zone, before) != _offset(zone, after):
            yield _bisect(zone, before, after)


def edges(
    windows: Sequence[DayHours], zone: ZoneInfo, after: datetime, holidays: AbstractSet[date] = NO_HOLIDAYS
) -> Iterator[datetime]:
    """All moments within the horizon at which a wall clock can pass a window's edge, or jump over one; UTC.

    Where a window asks for holidays also those around each holiday that lies beyond.
    """
    if not windows:
        return
    times = frozenset({_MIDNIGHT, *(t for window in windows for t in (window.start, window.end))})
    first = after.astimezone(UTC)
    last = first + HORIZON
    for begin, end in pairwise((first, first + _SOON, last)):  # most are asked for the next one only
        yield from _edges_on(_days(begin, end, zone), times, zone, begin, end)
    if any(window.on is not DayKind.ANY for window in windows):
        for holiday in sorted(day for day in holidays if day >= last.astimezone(zone).date() - _ONE_DAY):
            around = tuple(holiday + timedelta(days=n) for n in (0, 1, 2))
            until = max(last, _start_of(around[-1], zone))
            yield from _edges_on(around, times, zone, last, until)
            last = until


def _days(begin: datetime, end: datetime, zone: ZoneInfo) -> tuple[date, ...]:
    """The days of a span by the zone's calendar, and one more at either side."""
    day, last = begin.astimezone(zone).date() - _ONE_DAY, end.astimezone(zone).date() + _ONE_DAY
    return tuple(day + n * _ONE_DAY for n in range((last - day).days + 1))


@lru_cache(256)  # sites of one zone and policy are asked about in a row
def _edges_on(
    days: tuple[date, ...], times: frozenset[time], zone: ZoneInfo, first: datetime, until: datetime
) -> tuple[datetime, ...]:
    """Those in (first, until]."""
    walls = {moment for day in days for t in times for moment in _moments(day, t, zone)}
    jumps = offset_changes(zone, max(first, min(walls) - _PROBE), until) if first < until else ()
    return tuple(sorted(m for m in walls | set(jumps) if first < m <= until))


def _start_of(day: date, zone: ZoneInfo) -> datetime:
    return max(_moments(day, _MIDNIGHT, zone))


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
