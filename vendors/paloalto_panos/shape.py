"""What our part of a PAN-OS configuration looks like: names, and the attributes of every entry that a state needs.

Pure. Ours = the name prefix `tokgate-` and the tag `tokgate` (external lists have no tags: the description tells).
Member objects are named by their content, so that lists share them and a changed list changes only what differs.
Limits: "Product capacity" table of the vendor (2,500 members per static group, 63 characters per name).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

from core.ids import NAME
from core.net import DomainName, Network, cidr_of, parse_network
from vendors.model import AddressGroup, Group, GroupName, Rule, RuleName
from vendors.paloalto_panos.hours import TYPE, schedule_attrs, schedule_name
from vendors.paloalto_panos.options import PaloAltoPanosOptions
from vendors.paloalto_panos.setform import Attrs

PREFIX: Final = "tokgate-"
TAG: Final = "tokgate"
LIST_PREFIX: Final = f"{PREFIX}list."
RULE_LENGTH: Final = 31
"""Releases before 9.0 take no longer rule names."""
LIST_LENGTH: Final = 31
NAME_LENGTH: Final = 63
DESCRIPTION_LENGTH: Final = 300
"""Far below the device's 1,023: a line on its terminal must stay below 500 characters."""

PER_PART: Final = 2_500
PER_TOP: Final = 2_400
"""A group holds so many members itself, and beside them room for the parts that hold the rest."""

KINDS: Final = ("tags", "addresses", "groups", "schedules", "lists", "rules")
LISTED: Final = frozenset(
    {"from", "to", "source", "destination", "application", "service", "category", "static", "tag"}
)
"""Attributes that are lists: `set` adds to them."""


def is_listed(key: str) -> bool:
    return key in LISTED or key.startswith(TYPE)


DEFAULTS: Final[Attrs] = {
    "rule-type": ("universal",),
    "negate-source": ("no",),
    "negate-destination": ("no",),
    "source-user": ("any",),
    "source-hip": ("any",),
    "destination-hip": ("any",),
    "hip-profiles": ("any",),
    "category": ("any",),
    "log-start": ("no",),
    "log-end": ("yes",),
    "disabled": ("no",),
    "icmp-unreachable": ("no",),
    "option disable-server-response-inspection": ("no",),
}
"""What a rule does when an attribute is not printed. Others print every one of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Our entries by kind; rules in order. ``strangers``: entries of our names that carry no tag."""

    tags: Mapping[str, Attrs] = field(default_factory=dict)
    addresses: Mapping[str, Attrs] = field(default_factory=dict)
    groups: Mapping[str, Attrs] = field(default_factory=dict)
    schedules: Mapping[str, Attrs] = field(default_factory=dict)
    lists: Mapping[str, Attrs] = field(default_factory=dict)
    rules: Mapping[str, Attrs] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not (self.addresses or self.groups or self.schedules or self.lists or self.rules)

    def dumps(self) -> str:
        return json.dumps({kind: list(map(list, getattr(self, kind).items())) for kind in KINDS})

    @classmethod
    def loads(cls, text: str) -> Tree:
        if not text:
            return cls()
        data = json.loads(text)
        return cls(**{k: {name: {a: tuple(v) for a, v in at.items()} for name, at in e} for k, e in data.items()})


# --- names ----------------------------------------------------------------------------------------------------------


def cut(name: str, length: int) -> str:
    """The name, or its beginning and a hash of all of it. The exact one is in the description."""
    if len(name) <= length:
        return name
    return f"{name[: length - 9].rstrip('-.')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def rule_name(name: RuleName) -> str:
    return cut(f"{PREFIX}{name}", RULE_LENGTH)


def web_rule_name(name: RuleName) -> str:
    """The rule beside another one, for web traffic by the name that it asks for. No name of ours has a dot."""
    return cut(f"{PREFIX}{name}.web", RULE_LENGTH)


def group_name(name: GroupName) -> str:
    return cut(f"{PREFIX}{name}", NAME_LENGTH - 5)


def list_name(name: GroupName) -> str:
    """Never a group's: both stand side by side in a rule while one takes the other's place."""
    return cut(f"{LIST_PREFIX}{name}", LIST_LENGTH)


def part_of(name: str) -> str | None:
    """The group that a part belongs to: ``tokgate-dst-x`` of ``tokgate-dst-x.3``; None for a group itself."""
    top, dot, number = name.rpartition(".")
    return top if dot and number.isdigit() else None


def address_name(member: Network | DomainName) -> str:
    if isinstance(member, DomainName):
        return cut(f"{PREFIX}d-{member.name}", NAME_LENGTH)
    text = cidr_of(member).replace(":", "_").replace("/", "-")  # neither stands in a name
    return f"{PREFIX}{member.version}-{text}"


def address_attrs(member: Network | DomainName) -> Attrs:
    if isinstance(member, DomainName):
        return {"fqdn": (member.name,), "tag": (TAG,)}
    return {"ip-netmask": (cidr_of(member),), "tag": (TAG,)}


def member_from(attrs: Attrs) -> Network | DomainName | None:
    """What an address object stands for; None for a range, a wildcard or nonsense."""
    if name := attrs.get("fqdn"):
        return DomainName(name[0].lower().rstrip("."), suffix=False)
    try:
        return parse_network(attrs["ip-netmask"][0])
    except (KeyError, ValueError, IndexError):
        return None


# --- descriptions ---------------------------------------------------------------------------------------------------

_GROUP: Final = re.compile(rf"tokgate (?P<kind>addresses|names|list) (?P<name>{NAME.pattern})")
_RULE: Final = re.compile(r"tokgate rule (?P<name>[a-z0-9-]+) of (?P<owner>[0-9A-Za-z-]+)(?: to (?P<to>[a-z0-9 -]+))?")
_WEB_RULE: Final = re.compile(r"tokgate web rule (?P<name>[a-z0-9-]+) of (?P<owner>[0-9A-Za-z-]+)")
_STARTED: Final = re.compile(r"tokgate of (?P<owner>[0-9A-Za-z-]+)")


def group_description(group: Group) -> str:
    return f"tokgate {'addresses' if isinstance(group, AddressGroup) else 'names'} {group.name}"


def group_from(description: str) -> tuple[GroupName, bool] | None:
    """(name, whether it is one of names) that a description states."""
    match = _GROUP.fullmatch(description)
    return (GroupName(match["name"]), match["kind"] == "names") if match else None


def rule_description(rule: Rule, owner: str) -> str:
    """States the exact name, the owner, and the order of the destinations, which `set` does not keep."""
    short = f"tokgate rule {rule.name} of {owner}"
    full = f"{short} to {' '.join(rule.destinations)}"
    return full if len(full) <= DESCRIPTION_LENGTH else short


def rule_from(description: str) -> tuple[RuleName, str, tuple[GroupName, ...]] | None:
    """(name, owner, destinations in order) that a description states."""
    match = _RULE.fullmatch(description)
    if match is None:
        return None
    return RuleName(match["name"]), match["owner"], tuple(GroupName(n) for n in (match["to"] or "").split())


def web_rule_from(description: str) -> tuple[RuleName, str] | None:
    """(the rule that a web rule stands beside, owner) that a description states."""
    match = _WEB_RULE.fullmatch(description)
    return (RuleName(match["name"]), match["owner"]) if match else None


def started(owner: str) -> str:
    """The tag's comment from our first line on, until the mark takes its place: tells whose a half-made state is."""
    return f"tokgate of {owner}"


def starter_from(comment: str) -> str | None:
    match = _STARTED.fullmatch(comment)
    return match["owner"] if match else None


# --- the tree -------------------------------------------------------------------------------------------------------


def tree_of(
    groups: Iterable[Group],
    rules: Iterable[Rule],
    owner: str,
    comment: str,
    options: PaloAltoPanosOptions,
    held: Tree,
    lists: Mapping[GroupName, Attrs] | None = None,
) -> Tree:
    """The entries of a state. ``held`` says in which part of a group each member is now: there it stays.

    ``lists``: the groups that are pulled, and their external lists. Networks that are pulled have no objects of their
    own; names have both, and where a rule has any of them, a web rule stands right below it.
    """
    pulled = lists or {}
    networks = frozenset(name for name, attrs in pulled.items() if list_kind(attrs) == "ip")
    known = sorted((g for g in groups if g.name not in networks), key=lambda g: g.name)
    rules = tuple(rules)
    made: dict[str, Attrs] = {}
    addresses: dict[str, Attrs] = {}
    for group in known:
        names = {address_name(member): member for member in group.members}
        addresses |= {name: address_attrs(names[name]) for name in sorted(names)}
        made |= _group_attrs(group, sorted(names), held)
    return Tree(
        tags={TAG: {"color": ("color1",), "comments": (comment,)}},
        addresses=addresses,
        groups=made,
        schedules={schedule_name(rule.when): schedule_attrs(rule.when) for rule in rules if rule.when is not None},
        lists={list_name(name): attrs for name, attrs in pulled.items()},
        rules={
            name: attrs
            for rule in rules
            for name, attrs in _rules_of(rule, owner, options, networks, pulled.keys() - networks)
        },
    )


def list_kind(attrs: Attrs) -> str:
    """``ip`` or ``url``: what an external list is of."""
    return next((key.split()[1] for key in attrs if key.startswith("type ")), "")


def _rules_of(
    rule: Rule, owner: str, options: PaloAltoPanosOptions, networks: Set[GroupName], names: Set[GroupName]
) -> Iterator[tuple[str, Attrs]]:
    yield rule_name(rule.name), rule_attrs(rule, owner, options, frozenset(networks))
    if asked := tuple(name for name in rule.destinations if name in names):
        yield web_rule_name(rule.name), web_rule_attrs(rule, owner, options, asked)


def _group_attrs(group: Group, names: Sequence[str], held: Tree) -> Iterator[tuple[str, Attrs]]:
    top = group_name(group.name)
    placed = place(names, top, held)
    parts = [name for name in placed if name != top]
    yield from (
        (part, {"static": tuple(placed[part]), "description": (f"tokgate part of {group.name}",), "tag": (TAG,)})
        for part in parts
    )
    yield (
        top,
        {"static": (*placed[top], *parts), "description": (group_description(group),), "tag": (TAG,)},
    )


def place(names: Sequence[str], top: str, held: Tree) -> dict[str, list[str]]:
    """Members by the group or part that holds them: each where it is now, new ones where there is room."""
    wanted, found = set(names), set[str]()
    placed: dict[str, list[str]] = {top: []}
    for part in sorted((n for n in held.groups if n == top or part_of(n) == top), key=_part_number):
        room = PER_TOP if part == top else PER_PART
        own = [n for n in dict.fromkeys(held.groups[part].get("static", ())) if n in wanted and n not in found][:room]
        if own or part == top:
            placed[part] = own
            found.update(own)
    new = [name for name in names if name not in found]
    number = 0
    while new:
        part = top if number == 0 else f"{top}.{number}"
        room = (PER_TOP if number == 0 else PER_PART) - len(placed.get(part, ()))
        if room > 0:
            placed.setdefault(part, []).extend(new[:room])
            new = new[room:]
        number += 1
    return placed


def _part_number(name: str) -> int:
    return int(name.rpartition(".")[2]) if part_of(name) else 0


def rule_attrs(
    rule: Rule, owner: str, options: PaloAltoPanosOptions, pulled: frozenset[GroupName] = frozenset()
) -> Attrs:
    assert rule.sources is not None  # only what the capabilities rule out has none
    attrs: dict[str, tuple[str, ...]] = {
        "from": options.from_zones,
        "to": options.to_zones,
        "source": (group_name(rule.sources),),
        "destination": tuple(list_name(n) if n in pulled else group_name(n) for n in rule.destinations),
        "application": ("any",),
        "service": ("any",),
        "action": (options.action,),
        "log-end": ("yes",),
        "tag": (TAG,),
        "description": (rule_description(rule, owner),),
    }
    if rule.when is not None:
        attrs["schedule"] = (schedule_name(rule.when),)
    if options.log_setting:
        attrs["log-setting"] = (options.log_setting,)
    return attrs


def web_rule_attrs(rule: Rule, owner: str, options: PaloAltoPanosOptions, asked: tuple[GroupName, ...]) -> Attrs:
    """The same rule for any address, by the lists of names as its URL categories.

    The category comes first: a rule that lacked it would deny everything, and a new one is whole from its first line.
    """
    return {
        "category": tuple(list_name(name) for name in asked),
        **rule_attrs(rule, owner, options),
        "destination": ("any",),
        "description": (f"tokgate web rule {rule.name} of {owner}",),
    }


def unlike(found: Tree, wanted: Tree) -> str:
    """The first difference between two trees, in words; empty when they mean the same."""
    for kind in KINDS:
        one, other = getattr(found, kind), getattr(wanted, kind)
        if more := sorted(one.keys() ^ other.keys()):
            return f"{more[0]} is {'missing' if more[0] in other else 'still there'}"
        for name, attrs in other.items():
            if normal(kind, one[name]) != normal(kind, attrs):
                return f"{name} is not as it was sent"
    return "" if list(found.rules) == list(wanted.rules) else "our rules stand in another order"


def normal(kind: str, attrs: Attrs) -> dict[str, tuple[str, ...]]:
    """Attributes to compare by: without defaults and empty ones, lists as sets, networks by value."""
    found: dict[str, tuple[str, ...]] = {}
    for key, values in attrs.items():
        if not values or values == ("",) or (kind == "rules" and DEFAULTS.get(key) == values):
            continue
        found[key] = tuple(sorted(set(values))) if is_listed(key) else values
    if kind == "addresses" and (member := member_from(attrs)) is not None:
        found["fqdn" if isinstance(member, DomainName) else "ip-netmask"] = (
            (member.name,) if isinstance(member, DomainName) else (cidr_of(member),)
        )
    return found
