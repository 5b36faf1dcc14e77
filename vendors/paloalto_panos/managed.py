"""A firewall under a Panorama: nothing is written, the lists are pulled, and the rules that Panorama pushed are judged.

Pure. The site makes, in Panorama, an external list and a rule above all that lets pass, both named as ours would be
(``tokgate-list.dst-tiktok``, ``tokgate-deny-company``). What the data plane runs (`show running security-policy`) says
whom the rule really denies, to which list, and what stands above it. What cannot be told is never counted as enforced
(I13). What Panorama pushed is not part of the candidate, and cannot be edited on the firewall.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from core.net import Network, aggregate, intersect
from vendors.model import (
    Action,
    AddressGroup,
    Capabilities,
    Desired,
    GroupName,
    Observed,
    Rule,
    RuleName,
    Transaction,
)
from vendors.paloalto_panos import facts, lists
from vendors.paloalto_panos.options import PaloAltoPanosOptions
from vendors.paloalto_panos.policy import Compiled, networks_of
from vendors.paloalto_panos.shape import LIST_PREFIX, PREFIX, list_name, rule_name
from vendors.watching import MARKS, sources_of, unmarked

if TYPE_CHECKING:
    from vendors.paloalto_panos.parse import Reading

DENIES: Final = frozenset({"deny", "drop", "reset-client", "reset-server", "reset-both"})
_EVERYTHING: Final = frozenset(map(ip_network, ("0.0.0.0/0", "::/0")))
_ANY: Final[Mapping[str, str]] = {
    "user": "is about some users",
    "category": "is about some URL categories",
    "source-device": "is about some devices",
    "destinataion-device": "is about some devices",
}
"""What must say `any`, where it is printed at all, and what is said of a rule where it does not."""
_NONE: Final = ("source-region", "destination-region")


def our_lists_in(rules: Iterable[Compiled]) -> tuple[str, ...]:
    """The lists that rules of our names have as destinations."""
    named = (word for rule in rules if rule.name.startswith(PREFIX) for word in rule.fields.get("destination", ()))
    return tuple(dict.fromkeys(word for word in named if word.startswith(LIST_PREFIX)))


def neutral_rule(device: str) -> RuleName:
    return RuleName(device.removeprefix(PREFIX))


def _neutral_list(device: str) -> GroupName:
    return GroupName(device.removeprefix(LIST_PREFIX))


# --- what the rules deny --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """One end of a rule: the networks of its words, and the words that are none."""

    networks: frozenset[Network]
    names: tuple[str, ...]


def _end(rule: Compiled, key: str) -> _End:
    networks: set[Network] = set()
    names: list[str] = []
    for word in rule.fields.get(key, ()):
        found = _EVERYTHING if word == "any" else frozenset(networks_of(word))
        networks |= found
        names += [] if found else [word]
    return _End(networks=frozenset(aggregate(networks)), names=tuple(names))


def denied(
    rules: Sequence[Compiled], loaded: Mapping[str, frozenset[Network]], options: PaloAltoPanosOptions
) -> tuple[dict[Rule, frozenset[Network]], list[str]]:
    """The rules that are enforced, with the sources of each; and why others of our names are none."""
    found: dict[Rule, frozenset[Network]] = {}
    odd: list[str] = []
    for at, rule in enumerate(rules):
        if not rule.name.startswith(PREFIX):
            continue
        sources, targets = _end(rule, "source"), _end(rule, "destination")
        why = [*_unlike(rule, options)]
        why += ["has sources that cannot be told"] if sources.names or not sources.networks else []
        if targets.networks or not targets.names or any(name not in loaded for name in targets.names):
            why.append("does not deny exactly lists of ours")
        if not why:
            listed = frozenset(n for name in targets.names for n in loaded[name])
            why += _passing(rules[:at], sources.networks, listed)
        if why:
            odd.append(f"rule {rule.name} for {neutral_rule(rule.name)} {why[0]}")
            continue
        name = neutral_rule(rule.name)
        destinations = tuple(_neutral_list(target) for target in targets.names)
        made = Rule(name=name, action=Action.DENY, sources=sources_of(name), destinations=destinations)
        found[made] = sources.networks
    return found, odd


def _unlike(rule: Compiled, options: PaloAltoPanosOptions) -> Iterator[str]:
    if not DENIES & set(rule.fields.get("action", ())):
        yield "does not deny"
    for key, why in _ANY.items():
        if set(rule.fields.get(key, ("any",))) != {"any"}:
            yield why
    if any(set(rule.fields.get(key, ("none",))) != {"none"} for key in _NONE):
        yield "is about some regions"
    if not any(word.endswith("any/any/any/any") for word in rule.fields.get("application/service", ())):
        yield "does not deny all applications and services"
    for key, zones in (("from", options.from_zones), ("to", options.to_zones)):
        if set(rule.fields.get(key, ())) not in ({"any"}, set(zones)):
            yield f"is about other zones ({key})"


def _passing(above: Iterable[Compiled], sources: frozenset[Network], listed: frozenset[Network]) -> Iterator[str]:
    """Rules above that may let pass what this one denies. What cannot be told may."""
    for rule in above:
        if DENIES & set(rule.fields.get("action", ())):
            continue
        if _may_meet(_end(rule, "source"), sources) and _may_meet(_end(rule, "destination"), listed):
            yield f"stands below rule {rule.name}, which may let the same pass"


def _may_meet(end: _End, ours: frozenset[Network]) -> bool:
    if end.names or not end.networks:
        return True
    return any(intersect(_of(ours, version), _of(end.networks, version)) for version in (4, 6))


def _of(networks: Iterable[Network], version: int) -> list[Network]:
    return [network for network in networks if network.version == version]


# --- the reading ----------------------------------------------------------------------------------------------------


def observed_under_panorama(base: Observed, reading: Reading, options: PaloAltoPanosOptions) -> Observed:
    """The reading of a firewall that is only looked at."""
    told = {name: lists.loaded_from(text) for name, text in reading.lists.items()}
    split = {name: unmarked(one.networks) for name, one in told.items()}
    loaded = {name: members for name, (members, _) in split.items()}
    found, odd = denied(reading.compiled, loaded, options)
    used = {list_name(name) for rule in found for name in rule.destinations}
    groups = [AddressGroup(name=_neutral_list(name), members=loaded[name]) for name in loaded if name in used]
    groups += [AddressGroup(name=rule.sources, members=some) for rule, some in found.items() if rule.sources]
    odd += [
        f"external list {name} shows {one.shown} of {one.valid} entries: what it holds cannot be compared"
        if not one.is_whole
        else f"the firewall has loaded nothing of {name}"
        for name, one in told.items()
        if name in used and not (one.is_whole and loaded[name])
    ]
    marks = {split[name][1] for name in used}
    return replace(
        base,
        groups=tuple(sorted(groups, key=lambda group: group.name)),
        rules=tuple(found),
        mark=next(iter(marks)) if len(marks) == 1 else None,
        irregular=tuple(odd),
        can=_narrowed(base.can, reading.system),
    )


def _narrowed(can: Capabilities, system: facts.System) -> Capabilities:
    why = "under a Panorama only lists of addresses that are pulled are enforced"
    return replace(
        can,
        fqdn=False,
        wildcard_fqdn=False,
        schedules=False,
        session_clearing=False,
        transaction=Transaction.ORDERED,
        max_entries=lists.most_entries(system) - MARKS,
        notes=(*can.notes, f"domains: {why}", f"delivery: nothing is written: {why}"),
    )


# --- what a person has to do ----------------------------------------------------------------------------------------


def to_do(observed: Observed, desired: Desired) -> Iterator[str]:
    """Why the rules that run do not enforce what is wanted, beside lists that are not loaded yet."""
    if not observed.extra["panorama"]:
        yield "this firewall names no Panorama, and options.managed says that it has one"
    held = {rule.name: rule for rule in observed.rules}
    have = {group.name: group.members for group in observed.groups if isinstance(group, AddressGroup)}
    want = {group.name: group.members for group in desired.groups if isinstance(group, AddressGroup)}
    for rule in desired.rules:
        odd = next((line for line in observed.irregular if f" for {rule.name} " in line), None)
        names = ", ".join(list_name(name) for name in rule.destinations)
        if rule_name(rule.name) != f"{PREFIX}{rule.name}" or any(list_name(n) != f"{LIST_PREFIX}{n}" for n in want):
            yield f"{rule.name} or a list of it has too long a name to be told from what runs"
        elif odd is not None:
            yield odd
        elif rule.name not in held:
            yield f"no rule {rule_name(rule.name)} runs: make one in Panorama that denies {names}"
        elif set(held[rule.name].destinations) != set(rule.destinations):
            yield f"rule {rule_name(rule.name)} does not deny exactly {names}"
        elif rule.sources is not None and have.get(rule.sources) != want[rule.sources]:
            some = ", ".join(map(str, sorted(have.get(rule.sources, ()), key=str)[:5]))
            yield f"rule {rule_name(rule.name)} is about {some}, not exactly about {rule.sources}"
    gone = held.keys() - {rule.name for rule in desired.rules}
    yield from (f"rule {rule_name(name)} is not wanted any more" for name in sorted(gone))
