"""Which of several rules of one source role a counted flow belongs to: services with windows of their own share it.

Pure. A device counts a pair of addresses once for an action, not for a rule; without this the pair would be told twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from controller.desired import rule_name
from controller.detect import IsOf, alone
from controller.inventory import Policy
from controller.modes import marks_of
from core.net import Address, Ranges
from ipsets.model import Snapshot
from vendors.model import Action, RuleName


@dataclass(frozen=True, slots=True)
class _Group:
    """The rules of one role and action, in order of evaluation."""

    rules: tuple[tuple[RuleName, Ranges], ...]

    def owner(self, destination: Address) -> RuleName:
        """The first that holds it. What is in no list, a live answer of DNS, is told of the first of all."""
        network = ip_network(destination)
        return next((rule for rule, ranges in self.rules if ranges.holds(network)), self.rules[0][0])


def shared(policy: Policy, snapshot: Snapshot, counted: Iterable[RuleName]) -> IsOf:
    """Whether a flow to that destination is to be told of that rule. ``counted``: the rules that were read."""
    groups = dict(_groups(policy, snapshot, frozenset(counted)))
    if not groups:
        return alone
    return lambda rule, destination: rule not in groups or groups[rule].owner(destination) == rule


def _groups(policy: Policy, snapshot: Snapshot, counted: frozenset[RuleName]) -> Iterator[tuple[RuleName, _Group]]:
    networks = {service.service: service.networks for service in snapshot.services}
    for name, role in policy.roles.items():
        marks = marks_of(role, policy.services)
        for action in (Action.DENY, Action.MONITOR):
            found = {rule_name(action, name, mark): services for services, mark in marks.items()}
            read = {rule: services for rule, services in found.items() if rule in counted}
            if len(read) > 1:
                ranges = (Ranges(n for s in services for n in networks.get(s, ())) for services in read.values())
                group = _Group(tuple(zip(read, ranges, strict=True)))
                yield from ((rule, group) for rule in read)
