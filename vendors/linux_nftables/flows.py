"""Which open flows a change has just denied. Pure: conntrack's text in, the lines for ``commands.cut_flows`` out.

Our own chain judges every packet, open flows included, so this is for what bypasses it: offloaded flows, and clients
that would otherwise wait for a time-out. Names are not known here: addresses from live DNS answers are left to the
chain.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from core.net import Address, Span, spans
from vendors.model import Action, AddressGroup, Group, GroupName, Rule

MOST: Final = 5_000
_FLOW: Final = re.compile(
    r"^(?P<protocol>tcp|udp)\s+\d+\s.*?\bsrc=(?P<source>\S+) dst=(?P<destination>\S+) "
    r"sport=(?P<sport>\d+) dport=(?P<dport>\d+)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Flow:
    """The original direction of one connection."""

    protocol: str
    source: Address
    destination: Address
    sport: int
    dport: int

    def line(self) -> str:
        family = f"ipv{self.source.version}"
        return f"{family} {self.protocol} {self.source} {self.destination} {self.sport} {self.dport}\n"


class Judge:
    """What rules of ours decide about a source and a destination, by their address groups alone."""

    def __init__(self, groups: Iterable[Group], rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._members = {group.name: group.members for group in groups if isinstance(group, AddressGroup)}
        self._ranges: dict[tuple[GroupName, int], list[Span]] = {}  # made when first asked: most lists never are

    def denies(self, source: Address, destination: Address) -> bool:
        for rule in self._rules:
            from_here = rule.sources is None or self._holds(rule.sources, source)
            if from_here and any(self._holds(name, destination) for name in rule.destinations):
                return rule.action is Action.DENY
        return False

    def _holds(self, group: GroupName, address: Address) -> bool:
        key = group, address.version
        if key not in self._ranges:
            self._ranges[key] = spans(self._members.get(group, ()), address.version)
        ranges = self._ranges[key]
        at = bisect_right(ranges, (int(address), 1 << 128)) - 1
        return at >= 0 and ranges[at][1] >= int(address)


def flows_from(text: str) -> Iterable[Flow]:
    """The TCP and UDP flows that conntrack lists; anything else in the text is passed over."""
    for match in _FLOW.finditer(text):
        try:
            source, destination = ip_address(match["source"]), ip_address(match["destination"])
        except ValueError:
            continue
        yield Flow(match["protocol"], source, destination, int(match["sport"]), int(match["dport"]))


def newly_denied(text: str, before: Judge, after: Judge) -> list[Flow]:
    """The flows that passed before and are denied now, at most ``MOST``."""
    found = (
        flow
        for flow in flows_from(text)
        if after.denies(flow.source, flow.destination) and not before.denies(flow.source, flow.destination)
    )
    return [flow for flow, _ in zip(found, range(MOST), strict=False)]
