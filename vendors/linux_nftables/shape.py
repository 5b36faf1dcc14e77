"""The one form our table takes: which sets, counters, chains and rules stand for given groups and rules.

Pure. The parser compares what a gateway holds with this form, the renderer writes it. The lines are as nft 1.0.6 prints
them, which it also reads.

    forward, output   base chains, made once and never replaced: a replaced base chain lets single packets pass
      rules           one jump per rule of ours and family, in order, by source
        to-RULE       by destination: each set is looked up once, the first match decides
          hit-RULE    record who, count, decide
    about             not reachable: its comments are the mark

`accept` ends only our own base chain: the owner's chains still judge the packet (I15).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final

from core.net import Network
from vendors.model import Action, AddressGroup, DomainGroup, Group, GroupName, Mark, Rule, RuleName

TABLE: Final = "inet tokgate"
FAMILIES: Final = (4, 6)
IP: Final[Mapping[int, str]] = {4: "ip", 6: "ip6"}
TYPE: Final[Mapping[int, str]] = {4: "ipv4_addr", 6: "ipv6_addr"}

SEEN_SIZE: Final = 65_536
SEEN_SECONDS: Final = 3_600
DOMAIN_TIMEOUT: Final = "6h"
"""Longer than the TTL of any name we know: dnsmasq adds an address only when it asks upstream, not from its cache."""

SHARDS: Final = 16
SPLIT_ABOVE: Final = 20_000
JOIN_BELOW: Final = 5_000
"""A list of many thousand IPv4 networks is kept in 16 sets by the first four bits: the kernel's dump of one interval
set grows with the square of its size (100,000 entries: 3.6 s of CPU in one set, 0.5 s in sixteen)."""

COUNTERS: Final = ("hits", "tcp", "quic", "other")
CAPTURED: Final = (Action.DENY, Action.MONITOR, Action.EXEMPT)

_SET_NAME: Final = re.compile(r"(?P<group>[a-z0-9-]+)-(?P<version>[46])(?:\.(?P<shard>\d+))?")
_SEEN_NAME: Final = re.compile(r"seen-(?P<action>deny|monitor|exempt)-(?P<version>[46])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A table without its elements. Chain and set bodies as lines, in order."""

    sets: Mapping[str, tuple[str, ...]]
    counters: frozenset[str]
    chains: Mapping[str, tuple[str, ...]]


def shape_of(
    groups: Iterable[Group], rules: Iterable[Rule], mark: Mark, *, hooks: Iterable[str], split: frozenset[GroupName]
) -> Shape:
    """The table for these groups and rules; ``split`` names the groups whose IPv4 networks are kept in 16 sets."""
    known, ordered = list(groups), list(rules)
    sets = {name: declaration(group, version) for group in known for version, name, _ in sets_of(group, split)}
    sets |= {seen_set(action, version): _seen(version) for action in CAPTURED for version in FAMILIES}
    by_name = {group.name: group for group in known}
    chains: dict[str, tuple[str, ...]] = {hook: (base_line(hook), "jump rules") for hook in hooks}
    chains |= {"about": mark_lines(mark), "rules": tuple(line for rule in ordered for line in _jumps(rule))}
    for rule in ordered:
        chains[f"to-{rule.name}"] = _destinations(rule, by_name, split)
        if rule.action is not Action.SPARE:
            chains[f"hit-{rule.name}"] = hit_lines(rule.name, rule.action)
    counters = {name for rule in ordered for name in counter_names(rule)}
    return Shape(sets=sets, counters=frozenset(counters), chains=chains)


def base_line(hook: str) -> str:
    """Before the owner's filter chains, and never accepting established traffic first: open sessions are judged too."""
    return f"type filter hook {hook} priority filter - 5; policy accept;"


def mark_lines(mark: Mark) -> tuple[str, str]:
    """A comment holds 128 characters, hence two."""
    return (
        f'return comment "tokgate owner={mark.owner} snapshot={mark.snapshot}"',
        f'return comment "tokgate desired={mark.desired}"',
    )


_MARK: Final = (
    re.compile(r'return comment "tokgate owner=(?P<owner>\S+) snapshot=(?P<snapshot>[^\s"]*)"'),
    re.compile(r'return comment "tokgate desired=(?P<desired>[0-9a-f]{64})"'),
)


def mark_from(lines: tuple[str, ...]) -> Mark | None:
    """The mark in the `about` chain, or None when the chain is not as we write it."""
    if len(lines) != len(_MARK):
        return None
    first, second = (pattern.fullmatch(line) for pattern, line in zip(_MARK, lines, strict=True))
    if first is None or second is None:
        return None
    return Mark(owner=first["owner"], snapshot=first["snapshot"], desired=second["desired"])


# --- rules ----------------------------------------------------------------------------------------------------------


def _jumps(rule: Rule) -> tuple[str, ...]:
    if rule.sources is None:
        return (f"jump to-{rule.name}",)
    return tuple(f"{IP[v]} saddr @{rule.sources}-{v} jump to-{rule.name}" for v in FAMILIES)


_JUMP: Final = re.compile(r"(?:ip6? saddr @(?P<sources>[a-z0-9-]+)-[46] )?jump to-(?P<rule>[a-z0-9-]+)")
_DESTINATION: Final = re.compile(r"(?:ip daddr [0-9./]+ )?ip6? daddr @(?P<set>[a-z0-9.-]+) (?P<end>accept|goto \S+)")


def _destinations(rule: Rule, groups: Mapping[GroupName, Group], split: frozenset[GroupName]) -> tuple[str, ...]:
    end = "accept" if rule.action is Action.SPARE else f"goto hit-{rule.name}"
    return tuple(
        f"{within}{IP[version]} daddr @{name} {end}"
        for destination in rule.destinations
        for version, name, within in sets_of(groups[destination], split)
    )


def rules_from(chains: Mapping[str, tuple[str, ...]]) -> tuple[Rule, ...]:
    """The rules that the chains stand for, as far as they can be made out; deviations are found by comparing shapes."""
    found: dict[RuleName, GroupName | None] = {}
    for line in chains.get("rules", ()):
        if match := _JUMP.fullmatch(line):
            found.setdefault(RuleName(match["rule"]), GroupName(match["sources"]) if match["sources"] else None)
    made = (
        Rule(name=name, action=action, sources=sources, destinations=destinations_from(chains.get(f"to-{name}", ())))
        for name, sources in found.items()
        if (action := action_from(name, chains)) is not None
    )
    return tuple(rule for rule in made if rule.destinations)


def destinations_from(lines: Iterable[str]) -> tuple[GroupName, ...]:
    matches = (_DESTINATION.fullmatch(line) for line in lines)
    names = (group_of_set(match["set"]) for match in matches if match)
    return tuple(dict.fromkeys(group for group, _ in (name for name in names if name is not None)))


def action_from(rule: RuleName, chains: Mapping[str, tuple[str, ...]]) -> Action | None:
    """Exact form first; a hand-changed one is told by whom it records, then by whether it rejects."""
    hit = chains.get(f"hit-{rule}")
    if hit is None:
        return Action.SPARE if chains.get(f"to-{rule}", ("",))[-1].endswith(" accept") else None
    exact = [action for action in CAPTURED if hit == hit_lines(rule, action)]
    recorded = [action for action in CAPTURED if any(f"@seen-{action.value}-" in line for line in hit)]
    return next(iter((*exact, *recorded)), Action.DENY if any("reject" in line for line in hit) else None)


def hit_lines(rule: RuleName, action: Action) -> tuple[str, ...]:
    """Record, then count and decide. The record has rules of its own: a full set stops its rule, not the deny."""
    ends = ("reject with tcp reset", "reject", "reject with icmpx admin-prohibited")  # bare: port-unreachable
    tcp, quic, other = ends if action is Action.DENY else ("accept",) * 3
    return (
        *(f"update @{seen_set(action, v)} {{ {IP[v]} saddr . {IP[v]} daddr }}" for v in FAMILIES),
        f'ct state new counter name "{rule}-hits"',
        f'meta l4proto tcp counter name "{rule}-tcp" {tcp}',
        f'udp dport 443 counter name "{rule}-quic" {quic}',
        f'counter name "{rule}-other" {other}',
    )


def counter_names(rule: Rule) -> tuple[str, ...]:
    return () if rule.action is Action.SPARE else tuple(f"{rule.name}-{what}" for what in COUNTERS)


# --- sets -----------------------------------------------------------------------------------------------------------


def sets_of(group: Group, split: frozenset[GroupName]) -> tuple[tuple[int, str, str], ...]:
    """(IP version, set name, match on the shard's own prefix before the look-up) of every set of a group."""
    four: tuple[tuple[int, str, str], ...] = ((4, f"{group.name}-4", ""),)
    if group.name in split:
        four = tuple((4, f"{group.name}-4.{k}", f"ip daddr {k * (256 // SHARDS)}.0.0.0/4 ") for k in range(SHARDS))
    return (*four, (6, f"{group.name}-6", ""))


def set_for(group: GroupName, network: Network, split: frozenset[GroupName]) -> str:
    """The set that holds a network of a group."""
    if network.version == 4 and group in split:
        return f"{group}-4.{int(network.network_address) >> 28}"
    return f"{group}-{network.version}"


def group_of_set(name: str) -> tuple[GroupName, bool] | None:
    """(group, whether this set is one of 16) that a set name stands for; None: not one of a group's sets."""
    match = _SET_NAME.fullmatch(name)
    if match is None or _SEEN_NAME.fullmatch(name):
        return None
    return GroupName(match["group"]), match["shard"] is not None


def should_split(group: Group, *, is_split: bool) -> bool:
    """Whether a group's IPv4 networks belong in 16 sets; with room between the two limits, so that it does not flap."""
    if not isinstance(group, AddressGroup) or not group.name.startswith("dst-"):
        return False  # sources are looked up by one set
    four = [n for n in group.members if isinstance(n, IPv4Network)]
    if any(n.prefixlen < 4 for n in four):
        return False
    return len(four) >= JOIN_BELOW if is_split else len(four) > SPLIT_ABOVE


def declaration(group: Group, version: int) -> tuple[str, ...]:
    """A set's body. Destination lists count per entry; nothing merges by itself: read is what was written."""
    kind = (f"type {TYPE[version]}",)
    if isinstance(group, DomainGroup):
        return (*kind, "counter", f"timeout {DOMAIN_TIMEOUT}")
    counted = ("counter",) if group.name.startswith("dst-") else ()
    return (*kind, "flags interval", *counted)


def seen_set(action: Action, version: int) -> str:
    return f"seen-{action.value}-{version}"


def seen_from(name: str) -> Action | None:
    match = _SEEN_NAME.fullmatch(name)
    return Action(match["action"]) if match else None


def _seen(version: int) -> tuple[str, ...]:
    pair = f"type {TYPE[version]} . {TYPE[version]}"
    return (pair, f"size {SEEN_SIZE}", "flags dynamic,timeout", "counter", "timeout 1h")
