"""What people ask about policies: what holds at a moment, over a week, and what another one would have done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from controller.calendars import CalendarBook
from controller.emergencies import EmergencyDesk
from controller.errors import Invalid, NotFound
from controller.freezing import Frozen, frozen_at
from controller.inventory import Inventory, Policy, Site
from controller.inventory.fields import did_you_mean
from controller.inventory.proposals import check_policy, read_policy
from controller.mode_spans import ModeSpan
from controller.model import EmergencyKind as Kind
from controller.model import Mode, Window
from controller.modes import has_calendar
from controller.policy_terms import modes_of, said_now, spans_said, terms
from controller.policy_week import PolicyNow, PolicyWeek, policy_now, policy_week
from controller.store import Store
from controller.whatif import WhatIf, replay
from core.clock import Clock

OUR_YEARS: Final = range(1970, 9999)
"""Days of other years are refused: a day before or behind them, or another zone, would leave what a date can be."""
LONGEST: Final = timedelta(days=92)
"""That is replayed at once."""
JUST_NOW: Final = timedelta(minutes=1)
"""A moment that is over for no longer is told by the inventory of now: whoever asks of now says so a moment before."""
_YEARS: Final = 1
"""Ahead and back for which holidays are known for sure."""


def is_of_our_time(day: date) -> bool:
    """Whether one can count on from it in either direction."""
    return day.year in OUR_YEARS


class PolicyDesk:
    """One for a controller. Changes nothing."""

    def __init__(
        self, store: Store, inventory: Inventory, clock: Clock, calendars: CalendarBook, emergencies: EmergencyDesk
    ) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._calendars = calendars
        self._emergencies = emergencies

    def policy(self, name: str) -> Policy:
        """Raises ``NotFound``."""
        try:
            return self._inventory.policies[name]
        except KeyError:
            known = did_you_mean(name, self._inventory.policies)
            raise NotFound(f"no policy {name[:40]!r} in the inventory{known}") from None

    def sites_of(self, name: str) -> tuple[str, ...]:
        """The sites that have the policy."""
        return tuple(site.name for site in self._inventory.sites.values() if site.policy == name)

    def at(self, site: str, at: datetime | None = None) -> PolicyNow:
        """What holds there at a moment, by default now. Raises ``NotFound``, ``CalendarUnknown``, ``Invalid``."""
        found, moment = self._inventory.site(site), at or self._clock.now()
        policy = self._emergencies.policy_of(found, moment)
        holidays = self._holidays(found, moment.date())
        asked = holidays if has_calendar(found, policy) else None
        return policy_now(
            found,
            policy,
            moment,
            holidays=asked,
            frozen=self._emergencies.paused(site, moment) or self._frozen(found, moment, holidays),
            emergencies=tuple(str(e) for e in self._emergencies.active(moment) if e.is_at(site)),
            own=self._inventory.policies[found.policy],
        )

    def week(self, site: str, day: date | None = None) -> PolicyWeek:
        """The week of a day; this one when none is given. Raises as ``at``."""
        if day is not None and not is_of_our_time(day):
            raise Invalid(f"week: a day from {OUR_YEARS[0]} to {OUR_YEARS[-1]}")
        found = self._inventory.site(site)
        today = self._clock.now().astimezone(ZoneInfo(found.time_zone)).date()
        policy = self._inventory.policies[found.policy]
        return policy_week(found, policy, day or today, holidays=self._holidays(found, day or today))

    def spans(self, site: str, window: Window) -> dict[str, tuple[ModeSpan, ...]]:
        """What the policy said over that time, of each source role, by the inventories and switches that were in force
        then; unknown where nobody can tell, never what it says today. Raises ``NotFound``."""
        return self._spans(site, window, now=self._clock.now())

    def _spans(self, site: str, window: Window, *, now: datetime) -> dict[str, tuple[ModeSpan, ...]]:
        current = said_now(self._inventory, site)
        past = self._store.inventory_versions(Window(window.start, max(window.end, now)))
        found = terms(current.site.name, past, current, window, now)
        switches = [e for e in self._emergencies.during(window, site) if e.kind is Kind.SWITCH]
        return spans_said(found, current, switches, self._calendars.days)

    def modes(self, site: str, at: datetime) -> dict[str, Mode | None]:
        """Of each source role at that moment; None: it is not known. Raises ``NotFound``."""
        now = self._clock.now()
        is_now = now - at < JUST_NOW
        return modes_of(self._spans(site, Window(at, at + timedelta.resolution), now=at if is_now else now))

    def what_if(self, site: str, window: Window, other: str | Path | Mapping[str, Any]) -> WhatIf:
        """What another policy would have done with what was recorded in that time: by name, from a file, or as data.

        Raises ``NotFound``, ``Invalid``, ``CalendarUnknown``.
        """
        if window.start >= window.end:
            raise Invalid("from: must lie before to")
        if window.end - window.start > LONGEST:
            raise Invalid(f"from: at most {LONGEST.days} days are replayed")
        found = self._inventory.site(site)
        name, policy = self._other(found, other)
        holidays = self._calendars.all_of(found) if _asks(found, policy, self._inventory) else frozenset()
        return replay(
            found,
            self._inventory.policies[found.policy],
            policy,
            self._store.events_between(found.name, window),
            window,
            name=name,
            holidays=holidays,
        )

    def _other(self, site: Site, other: str | Path | Mapping[str, Any]) -> tuple[str, Policy]:
        if isinstance(other, Path):
            return str(other), read_policy(other, self._inventory, site)
        if not isinstance(other, str):
            return "proposed", check_policy(other, self._inventory, site)
        policy = self.policy(other)
        if missing := [role for role in site.networks if role not in policy.roles]:
            raise Invalid(f"policy: {other} does not name the role {missing[0]!r} of site {site.name}")
        return other, policy

    def _holidays(self, site: Site, day: date) -> frozenset[date]:
        """Raises ``Invalid`` for a day so far away that nobody knows them."""
        holidays = self._calendars.of(site)
        if holidays and abs(day.year - self._clock.now().year) > _YEARS:
            raise Invalid("at: holidays are known a year back and ahead")
        return holidays

    def _frozen(self, site: Site, at: datetime, holidays: frozenset[date]) -> Frozen | None:
        said = self._inventory.changes_of(site)
        return frozen_at(said, ZoneInfo(site.time_zone), at, holidays=holidays) if said else None


def _asks(site: Site, policy: Policy, inventory: Inventory) -> bool:
    return has_calendar(site, policy) or has_calendar(site, inventory.policies[site.policy])


__all__ = ["LONGEST", "PolicyDesk"]
