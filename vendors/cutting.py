"""What a change denies that was not denied before, for vendors that end the open flows to it. Pure.

A new deny does not end what is open on most firewalls. Within bounds it is ended one by one, so that nobody is cut off
who is not denied; what is left says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.net import Address, Network
from vendors import week
from vendors.errors import DeviceError
from vendors.model import AddressGroup, Group, GroupName, Observed, Plan, Rule

MOST_NETWORKS: Final = 128
"""Newly denied networks that are asked for; a change with more ends nothing. The shipped list holds half as many, so
that what is open ends at the edge of a window."""


@dataclass(frozen=True, slots=True)
class Denied:
    """What a change denies that was not denied before: from these sources to these networks."""

    sources: frozenset[Network]
    networks: frozenset[Network]

    def covers(self, source: Address, destination: Address) -> bool:
        return _within(source, self.sources) and _within(destination, self.networks)


def _within(address: Address, networks: frozenset[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


@dataclass(frozen=True, slots=True)
class Cut:
    """What was ended; None: it could not be told. ``note``: why, or what was left; empty: all of it."""

    count: int | None
    note: str = ""
    commands: int = 0


def newly_denied(current: Observed, plan: Plan, now: datetime | None) -> tuple[Denied, ...]:
    """By rule, as of ``now`` on the device's own clock. Names are not counted: what they resolve to is the device's to
    know."""
    old_groups = {group.name: group for group in current.groups}
    new_groups = {group.name: group for group in plan.desired.groups}
    before = {rule.name: rule for rule in current.rules}
    made = []
    for rule in plan.desired.rules:
        if rule.when is not None and (now is None or not week.holds_at(rule.when, now)):
            continue
        sources, networks = _sides(rule, new_groups)
        old = before.get(rule.name)
        if old is not None and old.when is None:
            old_sources, old_networks = _sides(old, old_groups)
            if sources <= old_sources:
                networks -= old_networks
        if networks:
            made.append(Denied(sources, networks))
    return tuple(made)


def _sides(rule: Rule, groups: Mapping[GroupName, Group]) -> tuple[frozenset[Network], frozenset[Network]]:
    def members(name: GroupName) -> frozenset[Network]:
        group = groups.get(name)
        return group.members if isinstance(group, AddressGroup) else frozenset()

    sources = members(rule.sources) if rule.sources is not None else frozenset()
    return sources, frozenset().union(*(members(name) for name in rule.destinations))


def is_denied(denied: Iterable[Denied], source: Address, destination: Address) -> bool:
    """Whether any one of them covers the flow."""
    return any(one.covers(source, destination) for one in denied)


def within_bounds(denied: tuple[Denied, ...], end: Callable[[list[Network]], Cut]) -> Cut:
    """What ``end`` makes of the open flows to these networks, which stand in a fixed order.

    Never raises: the change is in force, and is not undone for a flow that goes on.
    """
    networks = sorted({network for each in denied for network in each.networks}, key=str)
    if not networks:
        return Cut(0)
    if len(networks) > MOST_NETWORKS:
        return Cut(None, f"open sessions to {len(networks)} newly denied networks were left to end by themselves")
    try:
        return end(networks)
    except DeviceError as exc:
        return Cut(None, f"open sessions could not be ended: {exc.message}")


def left_note(left: int) -> str:
    """Empty when nothing was left."""
    return f"{left} more open sessions to newly denied networks were left to end by themselves" if left > 0 else ""
