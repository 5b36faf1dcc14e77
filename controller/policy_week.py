"""What a policy is at a moment and over a week, as a person looks at it. Pure.

A week is told by the wall clock: a day of 23 or 25 hours has the same times on its clock, and says how long it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from controller.freezing import Frozen
from controller.inventory import Policy, PolicyWindow, RolePolicy, Site
from controller.model import Mode
from controller.modes import Services, sets_at
from controller.windows import DAYS, NO_HOLIDAYS, DayKind, is_open, next_edge, service_sets, wall_mode
from vendors.week import DAY, clock

DAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_GROUPS: Final = {DAYS: "daily", DAYS[:5]: "weekdays", DAYS[5:]: "weekend"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleNow:
    """The mode of one role for some services, and why."""

    role: str
    services: Services
    mode: Mode
    why: str  # the window that decides, in words; or that none is open


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyNow:
    """A policy at one site and moment."""

    site: str
    policy: str
    time_zone: str
    at: datetime
    local: datetime  # the wall clock of the site
    holiday: bool | None  # None: nothing asks for it
    roles: tuple[RoleNow, ...]
    next_edge: datetime | None
    frozen: Frozen | None
    emergencies: tuple[str, ...] = ()  # what holds there besides, in words

    @property
    def words(self) -> str:
        return ", ".join(f"{now.role}={now.mode.value}" for now in self.roles)


def policy_now(
    site: Site,
    policy: Policy,
    at: datetime,
    *,
    holidays: AbstractSet[date] | None = None,
    frozen: Frozen | None = None,
    emergencies: tuple[str, ...] = (),
    own: Policy | None = None,
) -> PolicyNow:
    """What holds at ``at`` (aware). ``holidays`` of the site; None where nothing asks for them.

    ``policy``: as emergency switches leave it; ``own``: as the inventory has it, where that may be another.
    """
    zone, free = ZoneInfo(site.time_zone), holidays if holidays is not None else NO_HOLIDAYS
    local = at.astimezone(zone)
    found = sets_at(site, policy, at, holidays=free)
    return PolicyNow(
        site=site.name,
        policy=site.policy,
        time_zone=site.time_zone,
        at=at,
        local=local,
        holiday=None if holidays is None else local.date() in holidays,
        roles=tuple(
            RoleNow(
                role=role,
                services=names,
                mode=mode,
                why=_why_so(mode, (own or policy).roles[role], local, names[0], free),
            )
            for role, sets in found.items()
            for names, mode in sets.items()
        ),
        next_edge=next_edge([policy.roles[role] for role in found], zone, at, holidays=free),
        frozen=frozen,
        emergencies=emergencies,
    )


def _why_so(mode: Mode, own: RolePolicy, local: datetime, service: str, holidays: AbstractSet[date]) -> str:
    """By which window; where an emergency action has it milder than the policy says, that first."""
    why, said = _why(own, local, service, holidays), wall_mode(own, local, service, holidays)
    return why if mode is said else f"emergency action; without it {said.value}: {why}"


def _why(role: RolePolicy, local: datetime, service: str, holidays: AbstractSet[date]) -> str:
    ours = [window for window in role.windows if not window.services or service in window.services]
    window = next((window for window in ours if is_open(window, local, holidays)), None)
    if window is not None:
        return f"window {window_words(window)}"
    return "no window is open" if ours else "at all times"


def window_words(window: PolicyWindow) -> str:
    """``weekdays 08:00–18:00``, ``daily on holidays``."""
    days = _GROUPS.get(tuple(window.days), " ".join(window.days))
    hours = "" if window.start == window.end == time(0) else f" {window.start:%H:%M}–{_end(window)}"
    return days + hours + (f" on {window.on.value}" if window.on is not DayKind.ANY else "")


def _end(window: PolicyWindow) -> str:
    return "24:00" if window.end == time(0) else f"{window.end:%H:%M}"


# --- a week ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start`` to ``end`` (excluded), minutes on the wall clock of a day."""

    start: int
    end: int
    mode: Mode

    @property
    def words(self) -> str:
        return f"{clock(self.start)}–{clock(self.end)} {self.mode.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekDay:
    """One day of a week at a site."""

    date: date
    holiday: bool
    hours: float  # 23 or 25 where the clock is changed

    @property
    def name(self) -> str:
        return DAY_NAMES[self.date.weekday()]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekLine:
    """One role, for some services: the spans of each day."""

    role: str
    services: Services
    days: tuple[tuple[Span, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWeek:
    """Seven days of a policy at a site, from a Monday on."""

    site: str
    title: str
    policy: str
    time_zone: str
    days: tuple[WeekDay, ...]
    lines: tuple[WeekLine, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Days that are not like others."""
        said = [f"{day.name}, {day.date}, is a holiday" for day in self.days if day.holiday]
        for day in self.days:
            if day.hours > 24:
                said.append(f"{day.name}, {day.date}, has {day.hours:g} hours: what the clock shows twice holds twice")
            elif day.hours < 24:
                said.append(f"{day.name}, {day.date}, has {day.hours:g} hours: what the clock skips never comes")
        return tuple(said)


def policy_week(site: Site, policy: Policy, day: date, *, holidays: AbstractSet[date] = NO_HOLIDAYS) -> PolicyWeek:
    """The week that ``day`` lies in."""
    monday = day - timedelta(days=day.weekday())
    days = [monday + timedelta(days=n) for n in range(7)]
    zone = ZoneInfo(site.time_zone)
    return PolicyWeek(
        site=site.name,
        title=site.title,
        policy=site.policy,
        time_zone=site.time_zone,
        days=tuple(WeekDay(date=d, holiday=d in holidays, hours=_hours(d, zone)) for d in days),
        lines=tuple(
            WeekLine(
                role=role,
                services=names,
                days=tuple(tuple(_spans(policy.roles[role], names[0], d, holidays)) for d in days),
            )
            for role in sorted(site.networks)
            for names in service_sets(policy.roles[role], policy.services)
        ),
    )


def _hours(day: date, zone: ZoneInfo) -> float:
    first, last = (datetime.combine(d, time(0), tzinfo=zone).astimezone(UTC) for d in (day, day + timedelta(days=1)))
    return (last - first) / timedelta(hours=1)


def _spans(role: RolePolicy, service: str, day: date, holidays: AbstractSet[date]) -> Iterator[Span]:
    cuts = {0, DAY, *(t.hour * 60 + t.minute for w in role.windows for t in (w.start, w.end))}
    midnight = datetime.combine(day, time(0))
    last: Span | None = None
    for start, end in pairwise(sorted(cuts)):
        mode = wall_mode(role, midnight + timedelta(minutes=start), service, holidays)
        if last is not None and last.mode is mode:
            last = Span(last.start, end, mode)
            continue
        if last is not None:
            yield last
        last = Span(start, end, mode)
    if last is not None:
        yield last


def week_text(week: PolicyWeek) -> tuple[str, ...]:
    """The week in words, a line for each role and day: what stands for the picture where nobody sees it."""
    lines = []
    for line in week.lines:
        for day, spans in zip(week.days, line.days, strict=True):
            said = spans[0].mode.value + " all day" if len(spans) == 1 else ", ".join(span.words for span in spans)
            lines.append(f"{line_title(week, line)}, {day.name} {day.date}: {said}")
    return tuple(lines)


def line_title(week: PolicyWeek, line: WeekLine) -> str:
    """The role; with the services where the role has more than one line."""
    several = sum(other.role == line.role for other in week.lines) > 1
    return f"{line.role} ({', '.join(line.services)})" if several else line.role


__all__ = [
    "PolicyNow",
    "PolicyWeek",
    "RoleNow",
    "Span",
    "WeekDay",
    "WeekLine",
    "line_title",
    "policy_now",
    "policy_week",
    "week_text",
    "window_words",
]
