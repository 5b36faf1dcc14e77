"""A FortiGate under a FortiManager: nothing is written, the list is pulled, and the site's own policy is judged. Pure.

The site makes the external resource and a policy in FortiManager, whose comment names the rule (``tokgate rule
deny-company``). A reading says what that policy really denies: from whom, by which list, whether something above it may
let pass first. What cannot be told is never counted as enforced (I13).

There is no place for our mark but the list itself (``vendors.watching``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_network, summarize_address_range
from typing import Final

from core.net import Network, aggregate, intersect
from vendors.fortinet_fortios.facts import ADDRESS, FEED, GROUP, POLICY
from vendors.fortinet_fortios.options import FortinetFortiosOptions
from vendors.fortinet_fortios.syntax import Attrs, Entry, table_of
from vendors.model import (
    Action,
    AddressGroup,
    Capabilities,
    Desired,
    Observed,
    Rule,
    RuleName,
    Transaction,
)
from vendors.watching import MARKS, marked, sources_of, unmarked

NOTE: Final = "tokgate managed"
"""Stands in a reading of counters: our policies are told by their comments alone."""
_RULE: Final = re.compile(r"tokgate rule (?P<name>[a-z0-9-]+)")
_EVERYTHING: Final[Mapping[int, frozenset[Network]]] = {
    4: frozenset({ip_network("0.0.0.0/0")}),
    6: frozenset({ip_network("::/0")}),
}
_DENY: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "status": ((), "is switched off"),
    "action": ((), "does not deny"),
    "schedule": (("always",), "does not hold at all times"),
    "service": (("ALL",), "does not deny all services"),
    "srcaddr-negate": ((), "turns its sources round"),
    "dstaddr-negate": ((), "turns its destinations round"),
    "service-negate": ((), "turns its services round"),
    "internet-service": ((), "is about internet services"),
}
"""What a policy must have to be a deny like ours, and what is said of one that has not. Defaults are not printed."""
_DEFAULTS: Final = frozenset(
    {("action", ("deny",)), ("status", ("enable",)), *((key, ("disable",)) for key in _DENY if "-" in key)}
)


def rule_of(comment: str) -> RuleName | None:
    """The rule that a policy of the site's stands for."""
    found = _RULE.fullmatch(comment)
    return RuleName(found["name"]) if found else None


def comment_for(rule: RuleName) -> str:
    return f"tokgate rule {rule}"


# --- what the policies deny -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The site's objects, as read."""

    addresses: Mapping[int, Mapping[str, Attrs]]
    groups: Mapping[int, Mapping[str, Attrs]]
    lists: Mapping[str, AddressGroup]
    """By the name of their external resource."""
    policies: Sequence[Entry]

    def networks(self, names: Iterable[str], version: int) -> frozenset[Network] | None:
        """What addresses stand for; None when it cannot be told."""
        found: set[Network] = set()
        for name in names:
            some = self._networks(name, version, 0)
            if some is None:
                return None
            found |= some
        return frozenset(aggregate(found))

    def _networks(self, name: str, version: int, depth: int) -> frozenset[Network] | None:
        if name in self.lists:
            return frozenset(n for n in self.lists[name].members if n.version == version)
        if name in self.groups[version] and depth < 10 and "exclude" not in self.groups[version][name]:
            parts = [self._networks(n, version, depth + 1) for n in self.groups[version][name].get("member", ())]
            known = [part for part in parts if part is not None]
            return frozenset().union(*known) if len(known) == len(parts) else None
        attrs = self.addresses[version].get(name)
        return None if attrs is None else _meant(name, attrs, version)


def _meant(name: str, attrs: Attrs, version: int) -> frozenset[Network] | None:
    kind = " ".join(attrs.get("type", ()))
    try:
        match attrs:
            case {"subnet": (address, mask)} if kind in ("", "ipmask"):
                return frozenset({ip_network(f"{address}/{mask}")})
            case {"ip6": (text,)} if kind in ("", "ipprefix"):
                return frozenset({ip_network(text)})
            case {"start-ip": (first,), "end-ip": (last,)} if kind == "iprange":
                ends = (
                    (IPv4Address(first), IPv4Address(last)) if version == 4 else (IPv6Address(first), IPv6Address(last))
                )
                return frozenset(summarize_address_range(*ends))
    except (ValueError, TypeError):
        return None
    return _EVERYTHING[version] if name == "all" and not kind else None


def site_of(parts: Mapping[str, str], lists: Mapping[str, AddressGroup]) -> Site:
    def table(path: str) -> Mapping[str, Attrs]:
        return {entry.name: entry.attrs for entry in table_of(parts[f"show {path}"], path).entries}

    return Site(
        addresses={version: table(path) for version, path in ADDRESS.items()},
        groups={version: table(path) for version, path in GROUP.items()},
        lists=lists,
        policies=table_of(parts[f"show {POLICY}"], POLICY).entries,
    )


def denied(site: Site, options: FortinetFortiosOptions) -> tuple[dict[Rule, frozenset[Network]], list[str]]:
    """The rules that the site's policies enforce, with the sources of each; and why others are none."""
    found: dict[Rule, frozenset[Network]] = {}
    odd: list[str] = []
    for at, entry in enumerate(site.policies):
        name = rule_of(" ".join(entry.attrs.get("comments", ())))
        if name is None:
            continue
        lists = [one for n in entry.attrs.get("dstaddr", ()) if (one := site.lists.get(n)) is not None]
        why = [*_unlike(entry, options), *_other_family(entry, site)]
        sources = _sources(entry, site)
        if sources is None:
            why.append("has sources that cannot be told")
        if not lists:
            why.append("has none of our lists for a destination")
        if not why and sources is not None:
            why += _passing(site, at, sources, frozenset(n for one in lists for n in one.members))
        if why or sources is None:
            odd.append(f"policy {entry.name} for {name} {why[0]}")
            continue
        targets = tuple(dict.fromkeys(one.name for one in lists))
        rule = Rule(name=name, action=Action.DENY, sources=sources_of(name), destinations=targets)
        if any(one.name == name for one in found):
            odd.append(f"policy {entry.name} is a second one for {name}")
        else:
            found[rule] = sources
    return found, odd


def _unlike(entry: Entry, options: FortinetFortiosOptions) -> Iterator[str]:
    for key, (value, why) in _DENY.items():
        values = entry.attrs.get(key, ())
        if values != value and (key, values) not in _DEFAULTS:
            yield why
    for key, wanted in (("srcintf", options.srcintf), ("dstintf", options.dstintf)):
        if set(entry.attrs.get(key, ())) not in (set(wanted), {"any"}):
            yield f"is about other interfaces ({key})"


def _other_family(entry: Entry, site: Site) -> Iterator[str]:
    four, six = ({name for name in entry.attrs.get(key, ()) if name in site.lists} for key in ("dstaddr", "dstaddr6"))
    if four != six:
        yield "has not the same lists for IPv4 and IPv6"


def _sources(entry: Entry, site: Site) -> frozenset[Network] | None:
    four, six = (site.networks(entry.attrs.get(key, ()), version) for key, version in (("srcaddr", 4), ("srcaddr6", 6)))
    return None if four is None or six is None else four | six


def _passing(site: Site, at: int, sources: frozenset[Network], listed: frozenset[Network]) -> Iterator[str]:
    """Policies above that may let pass what this one denies. What cannot be told may."""
    for entry in site.policies[:at]:
        if entry.attrs.get("action", ("deny",)) == ("deny",) or entry.attrs.get("status") == ("disable",):
            continue
        if any(_meets(entry, site, v, sources, listed) for v in (4, 6)):
            yield f"stands below policy {entry.name}, which may let the same pass"


def _meets(entry: Entry, site: Site, version: int, sources: frozenset[Network], listed: frozenset[Network]) -> bool:
    end = "6" if version == 6 else ""
    vague = any(entry.attrs.get(key) == ("enable",) for key in entry.attrs if key.endswith("-negate"))
    vague = vague or any(key.startswith("internet-service") for key in entry.attrs)  # instead of an address
    for key, ours in (("srcaddr", sources), ("dstaddr", listed)):
        theirs = site.networks(entry.attrs.get(f"{key}{end}", ()), version)
        mine = [n for n in ours if n.version == version]
        if not vague and theirs is not None and not intersect(mine, theirs):
            return False
    return True


# --- the reading ----------------------------------------------------------------------------------------------------


def observed_under_manager(
    base: Observed, parts: Mapping[str, str], loaded: Mapping[str, AddressGroup], options: FortinetFortiosOptions
) -> Observed:
    """The reading of a device that is only looked at. ``loaded``: by external resource, what it has of each list."""
    split = {name: (one.name, *unmarked(one.members)) for name, one in loaded.items()}
    lists = {name: AddressGroup(name=group, members=members) for name, (group, members, _) in split.items()}
    if base.extra["consolidated"] != "True":
        return replace(base, groups=(), rules=(), mark=None, irregular=("managed: only FortiOS 6.4 and later",))
    found, odd = denied(site_of(parts, lists), options)
    used = {name for rule in found for name in rule.destinations}
    fed = {group: mark for group, _, mark in split.values() if group in used}
    groups = [one for one in lists.values() if one.name in used]
    groups += [AddressGroup(name=rule.sources, members=some) for rule, some in found.items() if rule.sources]
    odd += [
        f"feed: the firewall has loaded nothing of {one.name}"
        for one in lists.values()
        if one.name in used and not one.members
    ]
    odd += [why for group, (why, _) in json.loads(base.extra["pulled"]).items() if group in used and why]
    whose = set(fed.values())
    held = tuple(sorted(groups, key=lambda group: group.name))
    return replace(
        base,
        groups=held,
        rules=tuple(found),
        mark=next(iter(whose)) if len(whose) == 1 else None,
        irregular=tuple(odd),
        can=_narrowed(base.can),
    )


def _narrowed(can: Capabilities) -> Capabilities:
    why = "under a FortiManager only lists of addresses that are pulled are enforced"
    return replace(
        can,
        fqdn=False,
        wildcard_fqdn=False,
        schedules=False,
        transaction=Transaction.ORDERED,
        persistence=True,
        max_members=None if can.max_members is None else can.max_members - MARKS,
        max_entries=None if can.max_entries is None else can.max_entries - MARKS,
        notes=(*can.notes, f"domains: {why}", f"delivery: nothing is written: {why}"),
    )


# --- what a person has to do ----------------------------------------------------------------------------------------


def to_do(observed: Observed, desired: Desired) -> Iterator[str]:
    """Why the site's policies do not enforce what is wanted, beside lists that are not loaded yet."""
    held = {rule.name: rule for rule in observed.rules}
    sources = {group.name: group.members for group in observed.groups if isinstance(group, AddressGroup)}
    wanted = {group.name: group.members for group in desired.groups if isinstance(group, AddressGroup)}
    for rule in desired.rules:
        policy = next((line for line in observed.irregular if f" for {rule.name} " in line), None)
        if policy is not None:
            yield policy
        elif rule.name not in held:
            yield f"no policy denies for {rule.name}: make one with the comment {comment_for(rule.name)!r}"
        elif set(held[rule.name].destinations) != set(rule.destinations):
            yield f"the policy for {rule.name} does not deny exactly {', '.join(rule.destinations)}"
        elif rule.sources is not None and sources.get(rule.sources) != wanted[rule.sources]:
            found = ", ".join(map(str, sorted(sources.get(rule.sources, ()), key=str)[:5]))
            yield f"the policy for {rule.name} is about {found}, not exactly about {rule.sources}"
    gone = held.keys() - {rule.name for rule in desired.rules}
    yield from (f"the policy for {name} is not wanted any more" for name in sorted(gone))


__all__ = ["FEED", "NOTE", "comment_for", "marked", "observed_under_manager", "rule_of", "to_do", "unmarked"]
