"""The modes of a site's source roles, now and over the week: for all services alike, or for each set of them.

Pure. A set of services that the same windows name is one rule on a device, so its name is made here too: a set that
no window names has none, and its rule is ``deny-company``; another has a short mark, ``deny-company--x7q``, that says
which services it is of and does not change while others come and go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from functools import lru_cache
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from controller.inventory import Policy, RolePolicy, Site
from controller.model import Mode
from controller.windows import NO_HOLIDAYS, needs_calendar, service_sets, wall_mode, week_of
from vendors.model import WeekSpan

Services: TypeAlias = tuple[str, ...]
SetModes: TypeAlias = Mapping[str, Mapping[Services, Mode]]
"""Of each source role, the mode of each set of services."""
Weeks: TypeAlias = Mapping[str, Mapping[Services, Mapping[Mode, tuple[WeekSpan, ...] | None]]]
"""Of each source role and set of services, when it has which mode; None: always."""

STRICTEST: Final = (Mode.ENFORCE, Mode.MONITOR, Mode.OFF)
MARK_LENGTH: Final = 3
"""Longer than the letter of a part that exceptions make (``vendors.exempting``), so the two are never taken for one."""
_LETTERS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def sets_at(
    site: Site, policy: Policy, at: datetime, *, holidays: AbstractSet[date] = NO_HOLIDAYS
) -> dict[str, dict[Services, Mode]]:
    """The modes of every source role of a site, asked in the site's own zone (I12)."""
    local = at.astimezone(ZoneInfo(site.time_zone))
    sets = _sets_of(_Same(policy))
    return {
        role: {names: wall_mode(policy.roles[role], local, names[0], holidays) for names in sets[role]}
        for role in sorted(site.networks)
    }


class _Same:
    """A policy, told from others by identity: comparing what they say takes longer than what is asked of them."""

    __slots__ = ("policy",)

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.policy is other.policy

    def __hash__(self) -> int:
        return id(self.policy)


@lru_cache(maxsize=1024)  # asked for every site every second
def _sets_of(same: _Same) -> Mapping[str, tuple[Services, ...]]:
    policy = same.policy
    return {role: service_sets(rules, policy.services) for role, rules in policy.roles.items()}


def modes_at(site: Site, policy: Policy, at: datetime, *, holidays: AbstractSet[date] = NO_HOLIDAYS) -> dict[str, Mode]:
    """One word for every role: the strictest that any of its services has."""
    return {role: strictest(modes.values()) for role, modes in sets_at(site, policy, at, holidays=holidays).items()}


def strictest(modes: Iterable[Mode]) -> Mode:
    """Off, when there are none."""
    return min(modes, key=STRICTEST.index, default=Mode.OFF)


def weeks_of(site: Site, policy: Policy) -> Weeks:
    """The whole week of every source role of a site, by the site's wall clock; for a policy without a calendar."""
    return {
        role: {
            names: week_of(policy.roles[role], service=names[0])
            for names in service_sets(policy.roles[role], policy.services)
        }
        for role in sorted(site.networks)
    }


def at_once(modes: SetModes) -> Weeks:
    """Modes of one moment, as if they held always."""
    return {role: {names: {mode: None} for names, mode in sets.items()} for role, sets in modes.items()}


def has_calendar(site: Site, policy: Policy) -> bool:
    """Whether a holiday can change anything at the site."""
    return any(needs_calendar(policy.roles[role]) for role in site.networks if role in policy.roles)


def set_words(modes: SetModes) -> str:
    """``company=enforce, guest=monitor``; where services differ ``company=enforce[tiktok] off[capcut]``."""
    return ", ".join(f"{role}={_words(sets)}" for role, sets in modes.items())


def _words(sets: Mapping[Services, Mode]) -> str:
    if len(found := set(sets.values())) <= 1:
        return strictest(found).value
    said = {mode: " ".join(name for names, m in sets.items() if m is mode for name in names) for mode in STRICTEST}
    return " ".join(f"{mode.value}[{names}]" for mode, names in said.items() if names)


def marks_of(role: RolePolicy, services: Iterable[str]) -> dict[Services, str]:
    """What tells the rules of each set of services apart; ``""`` for the set that no window names."""
    named = {name for window in role.windows for name in window.services}
    sets, found = service_sets(role, services), dict[Services, str]()
    for names in sorted(sets):  # who gets a mark first does not depend on the order of a file
        if names[0] not in named:
            found[names] = ""
        else:
            found[names] = next(mark for mark in _marks(" ".join(sorted(names))) if mark not in found.values())
    return {names: found[names] for names in sets}


def _marks(text: str) -> Iterator[str]:
    """All marks, beginning with the one that a text stands for."""
    at, room = int(hashlib.sha256(text.encode()).hexdigest(), 16), len(_LETTERS) ** MARK_LENGTH
    return (_written((at + step) % room) for step in range(room))


def _written(number: int) -> str:
    digits = []
    for _ in range(MARK_LENGTH):
        number, digit = divmod(number, len(_LETTERS))
        digits.append(_LETTERS[digit])
    return "".join(reversed(digits))
