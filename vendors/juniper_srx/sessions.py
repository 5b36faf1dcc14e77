"""Open sessions to networks that a change has denied: a new deny does not end them (Junos security policies guide).

Asked by network, and ended one by one by their number, so that nobody is cut off who is not denied. Forms: `show
security flow session destination-prefix` (vSRX cluster 24.4), `clear security flow session session-identifier`
(Junos command reference: right `clear`, `node` in a cluster).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final

from core.net import Address, Network
from vendors import week
from vendors.adapter import Session
from vendors.errors import DeviceError
from vendors.juniper_srx import facts
from vendors.model import AddressGroup, Group, GroupName, Observed, Plan, Rule
from vendors.shell import Shell

MOST_NETWORKS: Final = 64
"""Newly denied networks that are asked for; a change with more, as the first one, ends no session."""
_TIMEOUT: Final = timedelta(seconds=60)
_HEAD: Final = re.compile(r"^Session ID: (?P<number>\d+), (?P<rest>.*)$")
_IN: Final = re.compile(r"^\s+In: (?P<source>[0-9A-Fa-f.:]+)/\d+ --> (?P<destination>[0-9A-Fa-f.:]+)/\d+;")
_CLEARED: Final = re.compile(r"^(?P<count>\d+) active sessions cleared\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Open:
    """One session that stands. ``node``: of a cluster, where it is active."""

    number: int
    node: str
    source: Address
    destination: Address

    @property
    def clear(self) -> str:
        where = f" node {self.node.removeprefix('node')}" if self.node else ""
        return f"clear security flow session session-identifier {self.number}{where}"


@dataclass(frozen=True, slots=True)
class Denied:
    """What a change denies that was not denied before: from these sources to these networks."""

    sources: frozenset[Network]
    networks: frozenset[Network]

    def covers(self, session: Open) -> bool:
        return _within(session.source, self.sources) and _within(session.destination, self.networks)


def _within(address: Address, networks: frozenset[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def newly_denied(current: Observed, plan: Plan, now: datetime | None) -> tuple[Denied, ...]:
    """By rule. Names are not counted: what they resolve to is the device's to know."""
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


def open_in(text: str) -> Iterator[Open]:
    """The sessions of a listing; of a cluster's, those that are active on the node."""
    for node, said in facts.by_node(text).items():
        number: int | None = None
        for line in said.splitlines():
            if head := _HEAD.match(line):
                number = None if "HA State: Backup" in head["rest"] else int(head["number"])
            elif number is not None and (inner := _IN.match(line)):
                yield Open(number, node, ip_address(inner["source"]), ip_address(inner["destination"]))
                number = None


def cleared_in(text: str) -> int | None:
    """How many were ended; None when it does not say."""
    found = [int(each["count"]) for each in _CLEARED.finditer(text)]
    return sum(found) if found and not facts.is_refusal(text) else None


@dataclass(frozen=True, slots=True)
class Cut:
    """What was ended; None: it could not be told. ``note``: why, or what was left; empty: all of it."""

    count: int | None
    note: str = ""
    commands: int = 0


def cut(session: Session, denied: tuple[Denied, ...], most: int) -> Cut:
    """Never raises: the change is in force, and is not undone for a session that goes on."""
    networks = sorted({network for each in denied for network in each.networks}, key=str)
    if not networks:
        return Cut(0)
    if len(networks) > MOST_NETWORKS:
        return Cut(None, f"open sessions to {len(networks)} newly denied networks were left to end by themselves")
    try:
        with session.shell(facts.DIALECT) as shell:
            return _cut(shell, denied, networks, most)
    except DeviceError as exc:
        return Cut(None, f"open sessions could not be ended: {exc.message}")


def _cut(shell: Shell, denied: tuple[Denied, ...], networks: list[Network], most: int) -> Cut:
    found: list[Open] = []
    for network in networks:
        said = shell.ask(f"show security flow session destination-prefix {network}", timeout=_TIMEOUT)
        if facts.is_refusal(said.text):
            return Cut(None, "open sessions could not be asked for")
        found += [each for each in open_in(said.text) if any(one.covers(each) for one in denied)]
    chosen, count = list(dict.fromkeys(found)), 0
    for each in chosen[:most]:
        ended = cleared_in(shell.ask(each.clear, timeout=_TIMEOUT).text)
        if ended is None:
            return Cut(None, "open sessions could not be ended: the login class needs `clear`")
        count += ended
    left = len(chosen) - most
    note = f"{left} more open sessions to newly denied networks were left to end by themselves" if left > 0 else ""
    return Cut(count, note, len(networks) + min(len(chosen), most))
