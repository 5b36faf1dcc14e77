"""The objects that stand for groups and rules on a FortiGate, and the state read, in one form. Pure.

One address object per member, named by its content. A group of ours is an address group per family; long lists are
nested, in parts that keep their members, so that one new member is one member sent. One policy per rule denies and
logs. A family without members holds a stand-in, so that a policy never changes when families come and go.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_network
from typing import Final

from core.net import Network, in_order
from vendors.errors import CapacityExceeded
from vendors.fortinet_fortios import names, schedules
from vendors.fortinet_fortios.facts import ADDRESS, FEED, GROUP, POLICY, POLICY6, RECURRING, WEEKS
from vendors.fortinet_fortios.feed import digest_of
from vendors.fortinet_fortios.options import FortinetFortiosOptions
from vendors.fortinet_fortios.syntax import Attrs
from vendors.marks import mark_text
from vendors.model import AddressGroup, DomainGroup, Group, GroupName, Mark, Rule, RuleName

_ZERO: Final = str(IPv4Address(0))
FAMILIES: Final = (4, 6)
REFERENCES: Final = ("srcaddr", "dstaddr", "srcaddr6", "dstaddr6")
_SETS: Final = frozenset({"member", "exclude-member", "srcintf", "dstintf", "service", "day"})
"""Fields whose order means nothing. What a policy refers to keeps the order it was typed in: a rule's destinations."""
_DEFAULTS: Final = frozenset(
    {
        ("action", ("deny",)),
        ("status", ("enable",)),
        ("type", ("ipmask",)),
        ("type", ("ipprefix",)),
        ("type", ("default",)),
        ("send-deny-packet", ("disable",)),
        ("start", ("00:00",)),
        ("end", ("00:00",)),
    }
)
"""What `show` leaves out, and some releases may print."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy of ours."""

    id: int
    rule: RuleName
    attrs: Attrs


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What is ours, by table: addresses and groups by name; policies in order."""

    named: Mapping[str, Mapping[str, Attrs]]
    policies: Mapping[str, tuple[Policy, ...]]

    def table(self, path: str) -> Mapping[str, Attrs]:
        return self.named.get(path, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A device's own, as read: our objects, and what the renderer must know of the rest."""

    objects: Objects
    order: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """All policy ids of a table, in order of evaluation."""
    named: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Ids of the owner's policies by name, per table."""
    shared: frozenset[tuple[str, str]] = frozenset()
    """(table, name) of objects of ours that the owner's objects refer to: never deleted."""

    def dumps(self) -> str:
        return json.dumps(
            {
                "named": {path: {n: dict(a) for n, a in held.items()} for path, held in self.objects.named.items()},
                "policies": {
                    path: [[p.id, p.rule, dict(p.attrs)] for p in held] for path, held in self.objects.policies.items()
                },
                "order": {path: list(ids) for path, ids in self.order.items()},
                "foreign": {path: dict(ids) for path, ids in self.named.items()},
                "shared": sorted(self.shared),
            },
            sort_keys=True,
        )

    @classmethod
    def loads(cls, text: str) -> Held:
        data = json.loads(text)
        return cls(
            objects=Objects(
                named={
                    path: {name: _as_attrs(attrs) for name, attrs in held.items()}
                    for path, held in data["named"].items()
                },
                policies={
                    path: tuple(Policy(id=i, rule=RuleName(rule), attrs=_as_attrs(attrs)) for i, rule, attrs in held)
                    for path, held in data["policies"].items()
                },
            ),
            order={path: tuple(ids) for path, ids in data["order"].items()},
            named=data["foreign"],
            shared=frozenset((path, name) for path, name in data["shared"]),
        )


def _as_attrs(data: Mapping[str, Sequence[str]]) -> Attrs:
    return {key: tuple(values) for key, values in data.items()}


def normal(attrs: Attrs) -> dict[str, tuple[str, ...]]:
    """An object's fields in one form: without defaults and uuid, sets in order, masks as the device prints them."""
    kept = {key: values for key, values in attrs.items() if key != "uuid" and values and values != ("",)}
    return {key: _value(key, values) for key, values in sorted(kept.items()) if (key, values) not in _DEFAULTS}


def _value(key: str, values: tuple[str, ...]) -> tuple[str, ...]:
    if key in _SETS:
        return tuple(sorted(values))
    if key == "subnet":
        return _subnet("/".join(values)) or values
    if key == "ip6":
        return _prefix(values[0]) if len(values) == 1 else values
    return values


def _subnet(text: str) -> tuple[str, ...] | None:
    try:
        network = ip_network(text)
    except ValueError:
        return None
    return (str(network.network_address), str(network.netmask))


def _prefix(text: str) -> tuple[str, ...]:
    try:
        return (str(ip_network(text)),)
    except ValueError:
        return (text,)


# --- addresses ------------------------------------------------------------------------------------------------------


def network_attrs(network: Network) -> Attrs:
    if network.version == 4:
        return _normal({"subnet": (str(network.network_address), str(network.netmask))}, names.COMMENT)
    return _normal({"ip6": (str(network),)}, names.COMMENT)


def domain_attrs(name: str) -> Attrs:
    return _normal({"type": ("fqdn",), "fqdn": (name,)}, names.COMMENT)


def _nothing(version: int) -> Attrs:
    value = {"subnet": (_ZERO, "255.255.255.255")} if version == 4 else {"ip6": ("::/128",)}
    return _normal(value, names.COMMENT)


def _normal(attrs: Attrs, comment: str) -> Attrs:
    return normal({**attrs, "comment": (comment,)})


def members_of(group: Group, version: int) -> dict[str, Attrs]:
    """The address objects of one family that a group needs, in order."""
    match group:
        case AddressGroup():
            found = (network for network in in_order(group.members)[0] if network.version == version)
            return {names.network_object(network): network_attrs(network) for network in found}
        case DomainGroup():
            pairs = (pair for domain in sorted(group.members) for pair in names.domain_objects(domain))
            return {name: domain_attrs(text) for name, text in pairs}


# --- nesting --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Nesting:
    """How many members go where. Half of a group's own places are kept for its parts."""

    limit: int

    @property
    def parts(self) -> int:
        return self.limit // 2

    @property
    def most(self) -> int:
        return self.limit - self.parts + self.parts * self.limit

    def room(self, name: str) -> int:
        """How many members an object takes, beside the parts that a group refers to."""
        return self.limit if names.is_part(name) else self.limit - self.parts


def spread(
    group: GroupName, wanted: Iterable[str], held: Mapping[str, Sequence[str]], nesting: Nesting
) -> dict[str, tuple[str, ...]]:
    """Which object of the group holds which members: who has a place keeps it, new ones take places that are free now.

    A place that this very change frees is not free yet: members come before others go, and the limit holds in between.
    ``held`` and the result are by object: the group itself first, then its parts; only parts that hold something.
    """
    parent = names.group_object(group)
    waiting = dict.fromkeys(wanted)
    order = [parent, *sorted(held.keys() - {parent}, key=lambda name: names.leaf_number(name, group) or 0)]
    places: dict[str, list[str]] = {}
    for name in order:
        places[name] = [member for member in dict.fromkeys(held.get(name, ())) if member in waiting][
            : nesting.room(name)
        ]
        for member in places[name]:
            del waiting[member]
    left = list(waiting)
    left = _fill(places, left, {name: nesting.room(name) - len(held.get(name, ())) for name in order})
    for number in range(1, nesting.parts + 1):
        if left and len(places) <= nesting.parts:
            left = _fill(places, left, {names.leaf_object(group, number): nesting.limit}, new=True)
    left = _fill(places, left, {name: nesting.room(name) - len(kept) for name, kept in places.items()})
    if left:
        raise CapacityExceeded(f"{group} needs more than {nesting.parts} parts; nothing was sent")
    return {name: tuple(kept) for name, kept in places.items() if kept or name == parent}


def _fill(places: dict[str, list[str]], left: list[str], rooms: Mapping[str, int], *, new: bool = False) -> list[str]:
    """Put members where there is room; what is left over. ``new``: only into objects that are not there yet."""
    for name, room in rooms.items():
        if room > 0 and not (new and name in places):
            places[name] = [*places.get(name, ()), *left[:room]]
            left = left[room:]
    return left


def places_in(table: Mapping[str, Attrs], group: GroupName) -> dict[str, tuple[str, ...]]:
    """``spread`` as held: what the group holds itself, and what the parts hold that it refers to."""
    parent = names.group_object(group)
    own = table.get(parent, {}).get("member", ())
    leaves = [name for name in own if names.leaf_number(name, group) is not None and name in table]
    return {
        parent: tuple(name for name in own if name not in leaves),
        **{name: table[name].get("member", ()) for name in leaves},
    }


# --- the shape ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How this device takes what is ours."""

    options: FortinetFortiosOptions
    nesting: Nesting
    consolidated: bool

    def shape(
        self,
        groups: Iterable[Group],
        rules: Sequence[Rule],
        mark: Mark,
        held: Held,
        fed: frozenset[GroupName] = frozenset(),
    ) -> Objects:
        """Exactly the objects that should stand for these groups and rules; what holds members keeps them.

        ``fed`` are lists that the device pulls: of their external resources only the comment is ours.
        """
        named: dict[str, dict[str, Attrs]] = {
            path: {} for path in (*ADDRESS.values(), *GROUP.values(), RECURRING, WEEKS, FEED)
        }
        for group in groups:
            if isinstance(group, AddressGroup) and group.name in fed:
                comment = names.feed_comment(group.name, mark.owner, digest_of(group.members))
                named[FEED][names.feed_object(group.name)] = {"comments": (comment,)}
                continue
            for version in FAMILIES:
                self._group(group, version, mark.owner, named, held)
        named[ADDRESS[4]][names.MARK_OBJECT] = mark_attrs(mark)
        for when in (rule.when for rule in rules if rule.when is not None):
            made = schedules.recurring_for(when)
            named[RECURRING] |= {name: normal(attrs) for name, attrs in made.items()}
            if len(made) > 1:
                named[WEEKS][schedules.group_for(made)] = normal({"member": tuple(made)})
        return Objects(named=named, policies=self._policies(rules, mark.owner, held, fed))

    def _group(self, group: Group, version: int, owner: str, named: Mapping[str, dict[str, Attrs]], held: Held) -> None:
        addresses, table = named[ADDRESS[version]], named[GROUP[version]]
        members = members_of(group, version)
        addresses.update(members)
        places = spread(group.name, members, places_in(held.objects.table(GROUP[version]), group.name), self.nesting)
        parent, *leaves = places
        if not members:
            addresses[names.NOTHING] = _nothing(version)
        own = (*places[parent], *leaves) if members else (names.NOTHING,)
        kind = names.group_comment(group.name, owner, names=isinstance(group, DomainGroup))
        table[parent] = _normal({"member": own}, kind)
        for leaf in leaves:
            table[leaf] = _normal({"member": places[leaf]}, names.COMMENT)

    def _policies(
        self, rules: Sequence[Rule], owner: str, held: Held, fed: frozenset[GroupName]
    ) -> Mapping[str, tuple[Policy, ...]]:
        if self.consolidated:
            return {POLICY: tuple(self._numbered(POLICY, rules, owner, held, fed, FAMILIES))}
        return {
            POLICY: tuple(self._numbered(POLICY, rules, owner, held, fed, (4,))),
            POLICY6: tuple(self._numbered(POLICY6, rules, owner, held, fed, (6,))),
        }

    def _numbered(
        self,
        path: str,
        rules: Sequence[Rule],
        owner: str,
        held: Held,
        fed: frozenset[GroupName],
        families: Sequence[int],
    ) -> Iterator[Policy]:
        """The policies of one table; who has an id keeps it."""
        known = {policy.rule: policy.id for policy in held.objects.policies.get(path, ())}
        used = set(held.order.get(path, ()))
        free = (number for number in range(self.options.first_policy_id, 2**32 - 1) if number not in used)
        for rule in rules:
            number = known[rule.name] if rule.name in known else next(free)
            yield Policy(id=number, rule=rule.name, attrs=self._policy(path, rule, owner, fed, families))

    def _policy(self, path: str, rule: Rule, owner: str, fed: frozenset[GroupName], families: Sequence[int]) -> Attrs:
        assert rule.sources is not None  # only what lets pass is about anyone, and that never comes here
        sources = (names.group_object(rule.sources),)
        destinations = tuple(
            names.feed_object(name) if name in fed else names.group_object(name) for name in rule.destinations
        )
        attrs: dict[str, tuple[str, ...]] = {
            "name": (names.policy_name(rule.name, six=path == POLICY6),),
            "srcintf": self.options.srcintf,
            "dstintf": self.options.dstintf,
            "schedule": (_schedule(rule),),
            "service": ("ALL",),
            "logtraffic": ("all",),
            "comments": (names.rule_comment(rule.name, owner),),
        }
        for version in families:
            six = "6" if version == 6 and self.consolidated else ""
            attrs |= {f"srcaddr{six}": sources, f"dstaddr{six}": destinations}
        if self.options.send_deny_packet:
            attrs["send-deny-packet"] = ("enable",)
        return normal(attrs)


def _schedule(rule: Rule) -> str:
    return schedules.ALWAYS if rule.when is None else schedules.group_for(schedules.recurring_for(rule.when))


def mark_attrs(mark: Mark) -> Attrs:
    return {**_nothing(4), "comment": (mark_text(mark),)}


__all__ = ["FAMILIES", "REFERENCES", "Form", "Held", "Nesting", "Objects", "Policy", "normal", "places_in", "spread"]
