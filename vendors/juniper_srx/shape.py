"""What our groups and rules are on an SRX, as statements. Pure.

An address object per member, named by its content; an address set per group, nested where it is long; a policy per rule
and place that denies and logs. Names: addresses and sets 1 to 63 of letters, digits and `:./_-`, policies without dot,
colon and slash (Junos configuration model, junos-conf-security). The mark is the description of an address that nothing
refers to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from core.net import DomainName, Network
from vendors.juniper_srx import times
from vendors.juniper_srx.statements import Statement
from vendors.marks import mark_text
from vendors.model import AddressGroup, DomainGroup, Group, GroupName, Mark, Rule

PREFIX: Final = "tokgate-"
BOOK: Final[Statement] = ("security", "address-book", "global")
POLICIES: Final[Statement] = ("security", "policies")
GLOBAL: Final[Statement] = (*POLICIES, "global")
MARK: Final = f"{PREFIX}_mark"
MARK_VALUE: Final = "0.0.0.0/32"
DYNAMIC: Final[Statement] = ("security", "dynamic-address")
SCHEDULERS: Final[Statement] = ("schedulers", "scheduler")
SERVER: Final = "tokgate"
"""Our feed server: such a name has 16 characters at most."""
FEED_PREFIX: Final = f"{PREFIX}_feed-"
"""A dynamic address, and its feed, of a list that is pulled: no group of ours has such a name."""
LONGEST: Final = 63

Place = Statement
"""The path of one list of policies: ``GLOBAL``, or that of a pair of zones."""


def pair(from_zone: str, to_zone: str) -> Place:
    return (*POLICIES, "from-zone", from_zone, "to-zone", to_zone)


def place_of(words: Statement) -> tuple[Place, str, Statement] | None:
    """(place, policy, the rest) of a statement about a policy."""
    if words[:2] != POLICIES:
        return None
    size = 3 if words[2:3] == ("global",) else 6 if words[2:3] == ("from-zone",) and words[4:5] == ("to-zone",) else 0
    if not size or words[size : size + 1] != ("policy",) or len(words) < size + 2:
        return None
    return words[:size], words[size + 1], words[size + 2 :]


# --- names ----------------------------------------------------------------------------------------------------------


def network_object(network: Network) -> str:
    """``tokgate-4-10.1.2.0_24``, ``tokgate-6-2001:db8::_32``."""
    return f"{PREFIX}{network.version}-{network.network_address}_{network.prefixlen}"


def domain_object(domain: DomainName) -> str:
    name = f"{PREFIX}d-{domain.name}"
    if len(name) <= LONGEST:
        return name
    return f"{PREFIX}h-{hashlib.sha256(domain.name.encode()).hexdigest()[:40]}"


def named(what: str) -> str:
    return f"{PREFIX}{what}"


def feed_name(group: GroupName) -> str:
    return f"{FEED_PREFIX}{group}"


def group_of(name: str) -> GroupName:
    """The list behind an address set, or a dynamic address, of ours."""
    return GroupName(name.removeprefix(FEED_PREFIX if name.startswith(FEED_PREFIX) else PREFIX))


def part_name(group: GroupName, number: int) -> str:
    return f"{PREFIX}{group}.{number}"


def part_of(name: str) -> tuple[str, int] | None:
    """(the set it is a part of, its number)."""
    whole, dot, number = name.rpartition(".")
    return (whole, int(number)) if dot and number.isdigit() and name.startswith(PREFIX) else None


def set_words(group: Group, owner: str) -> str:
    return f"tokgate {owner} {'addresses' if isinstance(group, AddressGroup) else 'names'} {group.name}"


def rule_words(rule: Rule, owner: str) -> str:
    """The order of the destinations means something to us and nothing to the device, so it stands here."""
    return f"tokgate {owner} rule {' '.join((rule.name, *rule.destinations))}"


def owner_in(description: str) -> str:
    """The controller that a description names, for when the mark is gone; empty: none."""
    words = description.split()
    return words[1] if len(words) >= 3 and words[0] == "tokgate" and words[2] in _KINDS else ""


_KINDS: Final = ("addresses", "names", "rule", "lists", "times")


# --- the objects ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What stands on the device of ours. ``policies``: by place, in order; the rest in no order.

    ``addresses``: name -> what is said below its name. ``sets``: likewise, one statement for each member.
    """

    addresses: Mapping[str, frozenset[Statement]] = field(default_factory=dict)
    sets: Mapping[str, frozenset[Statement]] = field(default_factory=dict)
    policies: Mapping[Place, Mapping[str, frozenset[Statement]]] = field(default_factory=dict)
    servers: Mapping[str, frozenset[Statement]] = field(default_factory=dict)
    feeds: Mapping[str, frozenset[Statement]] = field(default_factory=dict)  # of our server
    dynamic: Mapping[str, frozenset[Statement]] = field(default_factory=dict)
    schedulers: Mapping[str, frozenset[Statement]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not any(self.tables().values()) and not any(self.policies.values())

    def tables(self) -> dict[str, Mapping[str, frozenset[Statement]]]:
        """All but the policies, in an order in which what refers to another comes first."""
        return {
            "dynamic": self.dynamic,
            "feeds": self.feeds,
            "servers": self.servers,
            "schedulers": self.schedulers,
            "sets": self.sets,
            "addresses": self.addresses,
        }

    def count(self) -> int:
        return len(self.addresses)


PATHS: Final[Mapping[str, Statement]] = {
    "dynamic": (*DYNAMIC, "address-name"),
    "feeds": (*DYNAMIC, "feed-server", SERVER, "feed-name"),
    "servers": (*DYNAMIC, "feed-server"),
    "schedulers": SCHEDULERS,
    "sets": (*BOOK, "address-set"),
    "addresses": (*BOOK, "address"),
}
"""Where the tables of ``Objects`` stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeding:
    """``groups`` are pulled, not pushed. ``server``: the statements of the feed server; ``root``: the path of lists."""

    groups: frozenset[GroupName] = frozenset()
    server: frozenset[Statement] = frozenset()
    root: str = ""

    def name(self, group: GroupName) -> str:
        return feed_name(group) if group in self.groups else named(group)


def shaped(
    groups: Iterable[Group],
    rules: Sequence[Rule],
    mark: Mark | None,
    *,
    owner: str,
    places: Sequence[Place],
    set_members: int,
    held: Mapping[str, frozenset[Statement]],
    feeding: Feeding,
) -> Objects:
    """The objects for this state. ``held``: sets as they are, so that members keep the part that they are in."""
    addresses: dict[str, frozenset[Statement]] = {}
    sets: dict[str, frozenset[Statement]] = {}
    fed = sorted(group.name for group in groups if group.name in feeding.groups)
    for group in groups:
        if group.name in feeding.groups:
            continue
        members = dict(_members(group))
        addresses |= members
        sets |= _sets(group, owner, list(members), set_members, held)
    if mark is not None:
        addresses[MARK] = frozenset({("description", mark_text(mark)), (MARK_VALUE,)})
    policies = {place: {named(rule.name): _policy(rule, owner, place, feeding) for rule in rules} for place in places}
    lists, hours = ("description", f"tokgate {owner} lists"), ("description", f"tokgate {owner} times")
    whens = {rule.when for rule in rules if rule.when is not None}
    return Objects(
        addresses=addresses,
        sets=sets,
        policies={place: made for place, made in policies.items() if made},
        servers={SERVER: feeding.server | {lists}} if fed else {},
        feeds={feed_name(group): frozenset({("path", f"{feeding.root}/{group}.txt")}) for group in fed},
        dynamic={feed_name(group): frozenset({lists, ("profile", "feed-name", feed_name(group))}) for group in fed},
        schedulers={times.name_of(when): times.statements_of(when) | {hours} for when in whens},
    )


def _members(group: Group) -> Iterator[tuple[str, frozenset[Statement]]]:
    match group:
        case AddressGroup():
            for network in group.members:
                yield network_object(network), frozenset({(str(network),)})
        case DomainGroup():
            for domain in group.members:
                yield domain_object(domain), frozenset({("dns-name", domain.name)})


def _sets(
    group: Group, owner: str, members: Sequence[str], most: int, held: Mapping[str, frozenset[Statement]]
) -> dict[str, frozenset[Statement]]:
    name, words = named(group.name), ("description", set_words(group, owner))
    if len(members) <= most:
        return {name: frozenset({words, *(("address", member) for member in members)})}
    parts = _parts(group.name, members, most, held)
    made = {
        part_name(group.name, number): frozenset({words, *(("address", member) for member in some)})
        for number, some in parts.items()
    }
    return {**made, name: frozenset({words, *(("address-set", part) for part in made)})}


def _parts(
    group: GroupName, members: Sequence[str], most: int, held: Mapping[str, frozenset[Statement]]
) -> dict[int, list[str]]:
    """Members by part: each stays in the part that it is in, new ones go where there is room."""
    parts: dict[int, list[str]] = {}
    home: dict[str, int] = {}
    for name, inside in held.items():
        found = part_of(name)
        if found is not None and found[0] == named(group):
            home |= {words[1]: found[1] for words in inside if words[:1] == ("address",) and len(words) == 2}
    waiting = []
    for member in sorted(members):
        number = home.get(member)
        if number is not None and len(parts.setdefault(number, [])) < most:
            parts[number].append(member)
        else:
            waiting.append(member)
    number = 1
    for member in waiting:
        while len(parts.setdefault(number, [])) >= most:
            number += 1
        parts[number].append(member)
    return {number: some for number, some in sorted(parts.items()) if some}


def _policy(rule: Rule, owner: str, place: Place, feeding: Feeding) -> frozenset[Statement]:
    assert rule.sources is not None  # only what lets pass is about anyone, and that never comes here
    made: set[Statement] = {
        ("description", rule_words(rule, owner)),
        ("match", "source-address", named(rule.sources)),
        *(("match", "destination-address", feeding.name(name)) for name in rule.destinations),
        ("match", "application", "any"),
        ("then", "deny"),
        ("then", "log", "session-init"),
    }
    if rule.when is not None:
        made.add(("scheduler-name", times.name_of(rule.when)))
    if place == GLOBAL:
        made |= {("match", "from-zone", "any"), ("match", "to-zone", "any")}
    return frozenset(made)
