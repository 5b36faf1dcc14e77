"""What another policy would have done with what was recorded. Pure.

An event is a count over a span of time, by one rule of one role. Where the other policy has one mode for all of that
span and all services of that rule, that is the answer; where an edge lies inside, or the services differ, nobody can
tell how the count is split, and it is *unknown*. What was off was not counted, so of that time only its length is told.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from controller.desired import subject_of
from controller.inventory import Policy, RolePolicy, Site
from controller.model import DetectionEvent, EventAction, Mode, Window
from controller.modes import MARK_LENGTH, marks_of
from controller.windows import HORIZON, edges, mode_at
from vendors.exempting import MARK
from vendors.model import RuleName

NOTES: Final = (
    "what was blocked are attempts: a client that is blocked tries again, so blocked and watched counts do not compare",
    "what an edge of the other policy splits, or several services with different modes share, is unknown",
)


class Would(StrEnum):
    """What would have become of it."""

    BLOCKED = "blocked"
    MONITORED = "monitored"
    UNSEEN = "unseen"  # passed, and not counted
    EXCEPTED = "allowed-by-exception"  # exceptions stand above every policy
    UNKNOWN = "unknown"


_WOULD: Final[Mapping[Mode, Would]] = {
    Mode.ENFORCE: Would.BLOCKED,
    Mode.MONITOR: Would.MONITORED,
    Mode.OFF: Would.UNSEEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What was recorded of a role as one action, and would have been another."""

    role: str | None  # None: an exception
    was: EventAction
    would: Would
    events: int
    hits: int | None  # None: a device does not count them
    packets: int | None
    octets: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecorded:
    """How long the present policy was off for a role and service, and so counted nothing, where the other is not."""

    role: str
    service: str
    would: Would
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The answer."""

    site: str
    policy: str
    window: Window
    rows: tuple[Replayed, ...]
    unrecorded: tuple[Unrecorded, ...]
    notes: tuple[str, ...] = NOTES


class _Line:
    """The modes of one service over a time: since when which."""

    def __init__(
        self, role: RolePolicy | None, service: str, zone: ZoneInfo, window: Window, holidays: AbstractSet[date]
    ) -> None:
        self.starts = [window.start]
        at = window.start
        while role is not None and at < window.end:
            until = min(window.end, at + HORIZON)
            self.starts += [moment for moment in edges(role.windows, zone, at, holidays) if moment <= until]
            at = until
        self.modes = [
            Mode.OFF if role is None else mode_at(role, zone, moment, service=service, holidays=holidays)
            for moment in self.starts
        ]

    def over(self, window: Window) -> set[Mode]:
        """Every mode that it has in there."""
        first = max(bisect_right(self.starts, window.start) - 1, 0)
        last = bisect_right(self.starts, window.end - timedelta.resolution)
        return set(self.modes[first : max(last, first + 1)])


def replay(
    site: Site,
    present: Policy,
    other: Policy,
    events: Iterable[DetectionEvent],
    window: Window,
    *,
    name: str,
    holidays: AbstractSet[date],
) -> WhatIf:
    """What ``other``, named ``name``, would have made of the site's events. The site's roles are in both policies."""
    known = tuple(events)
    whole = Window(min([window.start, *(e.window.start for e in known)]), window.end)
    zone = ZoneInfo(site.time_zone)
    lines = {
        (role, service): _Line(other.roles[role] if service in other.services else None, service, zone, whole, holidays)
        for role in site.networks
        for service in (*present.services, *other.services)
    }
    sums: dict[tuple[str, EventAction, Would], list[DetectionEvent]] = {}
    for event in known:
        would = _would(event, present, lines)
        sums.setdefault((event.role or "", event.action, would), []).append(event)
    return WhatIf(
        site=site.name,
        policy=name,
        window=window,
        rows=tuple(_row(*key, found) for key, found in sorted(sums.items())),
        unrecorded=tuple(_unrecorded(site, present, other, lines, window, zone, holidays)),
    )


def _would(event: DetectionEvent, present: Policy, lines: Mapping[tuple[str, str], _Line]) -> Would:
    if event.action is EventAction.ALLOWED or event.role is None:
        return Would.EXCEPTED
    services = services_of(event.rule, present)
    found = [lines.get((event.role, service)) for service in services]
    if not found or None in found:  # a role or a set of services that there is no more
        return Would.UNKNOWN
    modes = {mode for line in found if line is not None for mode in line.over(event.window)}
    return _WOULD[modes.pop()] if len(modes) == 1 else Would.UNKNOWN


def services_of(rule: RuleName, policy: Policy) -> tuple[str, ...]:
    """The services that a rule of this policy stands for; none when it is a rule of another policy."""
    role, _ = subject_of(rule)
    if role is None or role not in policy.roles:
        return ()
    parts = rule.split(MARK)
    mark = parts[1] if len(parts) > 1 and len(parts[1]) == MARK_LENGTH else ""
    marks = marks_of(policy.roles[role], policy.services)
    return next((services for services, known in marks.items() if known == mark), ())


def _row(role: str, was: EventAction, would: Would, events: list[DetectionEvent]) -> Replayed:
    return Replayed(
        role=role or None,
        was=was,
        would=would,
        events=len(events),
        hits=_sum(e.hits for e in events),
        packets=_sum(e.packets for e in events),
        octets=_sum(e.octets for e in events),
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


def _unrecorded(
    site: Site,
    present: Policy,
    other: Policy,
    lines: Mapping[tuple[str, str], _Line],
    window: Window,
    zone: ZoneInfo,
    holidays: AbstractSet[date],
) -> Iterable[Unrecorded]:
    for role in sorted(site.networks):
        for service in other.services:
            now = _Line(present.roles[role] if service in present.services else None, service, zone, window, holidays)
            for would in (Would.BLOCKED, Would.MONITORED):
                seconds = _seconds(now, lines[role, service], window, would)
                if seconds:
                    yield Unrecorded(role=role, service=service, would=would, seconds=seconds)


def _seconds(now: _Line, then: _Line, window: Window, would: Would) -> float:
    cuts = sorted({window.start, window.end, *now.starts, *then.starts})
    inside = [moment for moment in cuts if window.start <= moment <= window.end]
    total = 0.0
    for start, end in pairwise(inside):
        part = Window(start, end)
        if now.over(part) == {Mode.OFF} and {_WOULD[mode] for mode in then.over(part)} == {would}:
            total += part.seconds
    return total


__all__ = ["NOTES", "Replayed", "Unrecorded", "WhatIf", "Would", "replay", "services_of"]
