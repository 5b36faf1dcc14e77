"""What a policy says over a stretch of time, role by role, as stretches of one mode. Pure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from controller.inventory import Policy, Site
from controller.model import Mode, Window
from controller.modes import modes_at
from controller.windows import NO_HOLIDAYS, next_edge

_MOST: Final = 1_000
"""Edges that are looked at; a month has a few hundred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeSpan:
    """The strictest mode of any service over that time; None: it is not known, and ``why``."""

    window: Window
    mode: Mode | None
    why: str = ""


def mode_spans(
    site: Site, policy: Policy, window: Window, *, holidays: AbstractSet[date] = NO_HOLIDAYS
) -> dict[str, tuple[ModeSpan, ...]]:
    """Of each source role of the site, without gaps: what this policy says of that time, in force or not."""
    zone, roles = ZoneInfo(site.time_zone), [policy.roles[role] for role in site.networks]
    found: dict[str, list[ModeSpan]] = {role: [] for role in sorted(site.networks)}
    at, left = window.start, _MOST
    while at < window.end and left:
        edge = next_edge(roles, zone, at, holidays=holidays)
        end = min(edge, window.end) if edge is not None and left > 1 else window.end
        for role, mode in modes_at(site, policy, at, holidays=holidays).items():
            _add(found[role], at, end, mode)
        at, left = end, left - 1
    return {role: tuple(spans) for role, spans in found.items()}


def _add(spans: list[ModeSpan], start: datetime, end: datetime, mode: Mode) -> None:
    if spans and spans[-1].mode is mode:
        start = spans.pop().window.start
    spans.append(ModeSpan(window=Window(start, end), mode=mode))
