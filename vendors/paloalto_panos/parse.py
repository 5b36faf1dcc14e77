"""One reading of a PAN-OS firewall as an ``Observed``. Pure; every doubt is ``Unreadable``, never half a state (I6).

The reading is the candidate configuration of five containers in set form and some facts, as ``vendors.shell.gathered``
writes them. ``check pending-changes`` tells whether the candidate is what runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from core.net import DomainName, Network
from vendors.errors import Refused, Unreadable
from vendors.marks import mark_from
from vendors.model import (
    WHOLE,
    Action,
    AddressGroup,
    Capabilities,
    DomainGroup,
    Group,
    GroupName,
    Mark,
    Observed,
    Rule,
    RuleName,
)
from vendors.paloalto_panos import facts, hours, lists, managed, policy
from vendors.paloalto_panos.options import PaloAltoPanosOptions
from vendors.paloalto_panos.placement import misplaced
from vendors.paloalto_panos.policy import Compiled
from vendors.paloalto_panos.setform import Attrs, Entry, entries, is_absent
from vendors.paloalto_panos.shape import (
    LIST_PREFIX,
    PREFIX,
    TAG,
    Tree,
    group_from,
    group_name,
    list_kind,
    list_name,
    member_from,
    normal,
    part_of,
    rule_from,
    starter_from,
    tree_of,
    web_rule_from,
)
from vendors.shell import sections

PATHS: Final[Mapping[str, str]] = {
    "tags": "tag",
    "addresses": "address",
    "groups": "address-group",
    "schedules": "schedule",
    "lists": "external-list",
    "rules": "rulebase security rules",
}
"""Our kinds of entries, and where they stand."""
_NAMES: Final[Mapping[str, str]] = {
    "tags": "tag",
    "addresses": "address",
    "groups": "address-group",
    "schedules": "schedule",
    "lists": "external list",
    "rules": "rule",
}
DENIES: Final = frozenset({"deny", "drop", "reset-client", "reset-server", "reset-both"})
_CIPHERTEXT: Final = "auth password "
ASKED: Final = (facts.SYSTEM, facts.HA, facts.PENDING, facts.CHANGES, facts.PANORAMA, facts.LIMITS, facts.LOGIN)
"""What a reading asks in operational mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A reading taken apart."""

    system: facts.System
    role: str
    pending: bool
    pending_by: frozenset[str]
    """Whose changes wait; empty when that is not told."""
    login: str
    panorama: str
    limits: Mapping[str, int]
    entries: Mapping[str, Mapping[str, Entry]]
    lists: Mapping[str, str]
    """What the firewall says it has loaded of each external list that was asked for."""
    compiled: tuple[Compiled, ...] = ()
    """The rules that run, where a Panorama holds them."""


def shows(options: PaloAltoPanosOptions, *, multi_vsys: bool) -> tuple[str, ...]:
    """What is asked in configure mode."""
    scope = f"vsys {options.vsys} " if multi_vsys else ""
    return tuple(f"show {scope}{path}" for path in PATHS.values())


def reading_of(text: str, options: PaloAltoPanosOptions) -> Reading:
    """Raises ``Unreadable`` unless every section is there and understood; ``Refused`` for a vsys that is not there."""
    said = sections(text)
    missing = [command for command in ASKED if command not in said]
    if missing:
        raise Unreadable(f"the reading lacks `{missing[0]}`")
    system = facts.system_from(said[facts.SYSTEM])
    refuse_panorama(system)
    asked = shows(options, multi_vsys=system.multi_vsys)
    missing = [command for command in asked if command not in said]
    if missing:
        raise Unreadable(f"the reading lacks `{missing[0]}`")
    answers = {kind: said[command] for kind, command in zip(PATHS, asked, strict=True)}
    refuse_vsys(system, answers["rules"], options)
    return Reading(
        system=system,
        role=facts.role_from(said[facts.HA]),
        pending=facts.pending_from(said[facts.PENDING]),
        pending_by=facts.administrators_in(said[facts.CHANGES]),
        login=said[facts.LOGIN].strip(),
        panorama=facts.panorama_from(said[facts.PANORAMA]),
        limits=facts.limits_from(said[facts.LIMITS]),
        entries={
            kind: {} if is_absent(answer) else entries(answer, PATHS[kind], options.vsys)
            for kind, answer in answers.items()
        },
        lists={
            command.removeprefix(lists.SHOW).split()[2]: answer
            for command, answer in said.items()
            if command.startswith(lists.SHOW)
        },
        compiled=_compiled(said, system) if options.managed is not None else (),
    )


def _compiled(said: Mapping[str, str], system: facts.System) -> tuple[Compiled, ...]:
    """Raises ``Refused`` with several virtual systems: what runs is shown of one."""
    if system.multi_vsys:
        raise Refused(
            "this firewall has several virtual systems: under a Panorama only one can be judged; nothing was sent"
        )
    if policy.COMMAND not in said:
        raise Unreadable(f"the reading lacks `{policy.COMMAND}`")
    return policy.compiled_from(said[policy.COMMAND])


def refuse_panorama(system: facts.System) -> None:
    """Panorama has device groups and two kinds of commits: another product."""
    if system.is_panorama:
        raise Refused(
            f"{system.hostname} is a {system.model}: Panorama itself is not written to; nothing was sent",
            hint="name a firewall, not its Panorama; see `Panorama` in docs/vendors/paloalto_panos.md",
        )


def refuse_vsys(system: facts.System, rules: str, options: PaloAltoPanosOptions) -> None:
    """A virtual system that is misspelt would be made by the first line that names it."""
    if not system.multi_vsys and options.vsys != "vsys1":
        raise Refused(
            f"this firewall has no virtual systems, and options.vsys names {options.vsys}; nothing was sent",
            hint="leave `vsys` out",
        )
    if system.multi_vsys and is_absent(rules):
        raise Refused(
            f"{options.vsys} is not on this firewall, or has no rules at all; nothing was sent",
            hint="look at `show vsys`, and correct options.vsys",
        )


def observed_from(text: str, options: PaloAltoPanosOptions, most: Capabilities) -> Observed:
    """What the firewall holds of ours. ``most`` is narrowed by what this firewall is."""
    reading = reading_of(text, options)
    tag = reading.entries["tags"].get(TAG)
    comment = "".join(tag.attrs().get("comments", ())) if tag else ""
    mark = mark_from(comment)
    tree, strangers = ours_of(reading.entries, marked=mark is not None, adopt=options.adopt)
    _refuse_dangling(tree, strangers)
    loaded = loaded_of(reading, tree)
    groups = tuple(groups_of(tree, loaded))
    rules, owners = rules_of(tree, groups)
    order = tuple(reading.entries["rules"])
    owner = mark.owner if mark else starter_from(comment) or (owners.pop() if len(owners) == 1 else "")
    room = room_in(reading, tree, options)
    sizes = {
        group_of(tree, name): one.valid - 1
        for name, one in loaded.items()
        if not one.is_whole and list_kind(tree.lists[name]) == "ip"
    }
    pulled = lists.lists_of(groups, rules, options, room, sizes)
    odd = _deviations(tree, groups, rules, pulled, owner=owner, comment=comment, options=options)
    odd += [
        f"external list {name} shows {one.shown} of {one.valid} entries: what it holds cannot be compared"
        for name, one in loaded.items()
        if not one.is_whole
    ]
    odd += [
        f"external list {name} is not loaded: its names are denied by what they resolve to alone"
        for name, one in loaded.items()
        if list_kind(tree.lists[name]) == "url" and not one.names
    ]
    odd += misplaced(order, tuple(tree.rules), options.placement)
    if reading.pending and reading.login in reading.pending_by:
        odd.append("changes of ours wait in the candidate configuration and are not in force")
    observed = Observed(
        groups=groups,
        rules=rules,
        mark=mark,
        foreign=foreign_of(reading.entries, tree),
        epoch=f"{reading.system.serial}/{options.vsys}",
        can=_narrowed(most, reading, tree, options, _held_lists(tree, groups, sizes, options, room)),
        irregular=tuple(odd),
        wall_time=reading.system.time,
        extra={
            "held": tree.dumps(),
            "order": json.dumps(order),
            "owner": owner,
            "strangers": " ".join(strangers),
            "multi_vsys": "yes" if reading.system.multi_vsys else "",
            "role": reading.role,
            "pending": _pending(reading),
            "login": reading.login,
            "ours": "" if tree.is_empty else "yes",
            "model": reading.system.model,
            "version": reading.system.version,
            "panorama": reading.panorama,
            "room": str(room),
        },
    )
    return observed if options.managed is None else managed.observed_under_panorama(observed, reading, options)


def _pending(reading: Reading) -> str:
    """Empty, ``ours``, or whose: what is not ours, or may not be, is never committed."""
    if not reading.pending:
        return ""
    others = sorted(reading.pending_by - {reading.login})
    if others:
        return f"administrator {', '.join(others)}"
    return "ours" if reading.pending_by else "somebody (the firewall does not tell who)"


# --- what is ours ---------------------------------------------------------------------------------------------------


def ours_of(found: Mapping[str, Mapping[str, Entry]], *, marked: bool, adopt: bool) -> tuple[Tree, tuple[str, ...]]:
    """Our entries, and those of our names without our tag, which nobody but a mark or a person makes ours.

    An external list of ours that no rule has does nothing. It rests there, with the login that a person gave it.
    """
    strangers: list[str] = []
    kinds: dict[str, dict[str, Attrs]] = {}
    for kind, named in found.items():
        own: dict[str, Attrs] = {}
        for name, entry in named.items():
            if not (name.startswith(PREFIX) or (kind == "tags" and name == TAG)):
                continue
            attrs = {key: value for key, value in entry.attrs().items() if not lists.AUTH.match(key)}
            if kind == "tags" and name != TAG:
                continue
            if marked or adopt or kind == "tags" or _is_tagged(kind, name, attrs):
                own[name] = attrs
            else:
                strangers.append(f"{_NAMES[kind]} {name}")
        kinds[kind] = own
    used = {
        name for attrs in kinds["rules"].values() for key in ("destination", "category") for name in attrs.get(key, ())
    }
    kinds["lists"] = {name: attrs for name, attrs in kinds["lists"].items() if name in used}
    return Tree(**kinds), tuple(strangers)


def our_lists(text: str, options: PaloAltoPanosOptions) -> dict[str, str]:
    """The external lists of our names among those that the firewall shows, and the type of each."""
    found = {} if is_absent(text) else entries(text, PATHS["lists"], options.vsys)
    return {name: list_kind(entry.attrs()) or "ip" for name, entry in found.items() if name.startswith(PREFIX)}


def _is_tagged(kind: str, name: str, attrs: Attrs) -> bool:
    if kind == "schedules":
        return hours.is_ours(name, attrs)
    if kind == "lists":
        return any(key.endswith("description") and "tokgate" in "".join(value) for key, value in attrs.items())
    return TAG in attrs.get("tag", ())


def _refuse_dangling(tree: Tree, strangers: Iterable[str]) -> None:
    """The device lets nobody refer to what is not there: a reference into nothing means that something was not read."""
    known = {*tree.addresses, *tree.groups, *tree.schedules, *tree.lists, *(s.rpartition(" ")[2] for s in strangers)}
    for name, attrs in (*tree.groups.items(), *tree.rules.items()):
        for key in ("static", "source", "destination", "category", "schedule"):
            for member in attrs.get(key, ()):
                if member.startswith(PREFIX) and member not in known:
                    raise Unreadable(f"{name} refers to {member}, which was not shown: the reading is not whole")


def foreign_of(found: Mapping[str, Mapping[str, Entry]], tree: Tree) -> str:
    """sha256 over all entries that are not ours: rules in order, the rest by name; never a password's ciphertext."""
    digest = hashlib.sha256()
    for kind, named in found.items():
        ours = getattr(tree, kind)
        for name in named if kind == "rules" else sorted(named):
            if name not in ours and not (kind == "lists" and name.startswith(LIST_PREFIX)):
                lines = sorted(rest for rest in named[name].rests if _CIPHERTEXT not in rest)
                digest.update(json.dumps([kind, name, lines]).encode())
    return digest.hexdigest()


# --- groups ---------------------------------------------------------------------------------------------------------


def loaded_of(reading: Reading, tree: Tree) -> dict[str, lists.Loaded]:
    """What is loaded of each external list of ours. Raises ``Unreadable`` when one was not asked for."""
    missing = [name for name in tree.lists if name not in reading.lists]
    if missing:
        raise Unreadable(f"the reading does not tell what is loaded of {missing[0]}")
    return {name: lists.loaded_from(reading.lists[name], list_kind(attrs)) for name, attrs in tree.lists.items()}


def groups_of(tree: Tree, loaded: Mapping[str, lists.Loaded]) -> Iterator[Group]:
    """The groups that our address groups stand for, by what their members really are, and our external lists.

    Names are both: an object holds the name alone, the list also what is below it.
    """
    tops = [name for name in tree.groups if part_of(name) is None]
    found = {group.name: group for group in (_group(name, tree) for name in tops)}
    for device in tree.lists:
        name = group_of(tree, device)
        if list_kind(tree.lists[device]) == "url":
            found[name] = _named(name, found.get(name), loaded[device])
        else:
            found.setdefault(name, AddressGroup(name=name, members=loaded[device].networks))
    yield from sorted(found.values(), key=lambda group: group.name)


def _named(name: GroupName, objects: Group | None, loaded: lists.Loaded) -> DomainGroup:
    """By the list; as far as it is not loaded or not shown, by the objects."""
    members = loaded.names
    if isinstance(objects, DomainGroup) and not (loaded.is_whole and members):
        known = {member.name for member in members}
        members |= {member for member in objects.members if member.name not in known}
    return DomainGroup(name=name, members=members)


def group_of(tree: Tree, device: str) -> GroupName:
    """The group that one of our external lists stands for."""
    return lists.name_from(device, tree.lists[device]) or GroupName(device.removeprefix(LIST_PREFIX))


def _group(name: str, tree: Tree) -> Group:
    stated = group_from("".join(tree.groups[name].get("description", ())))
    neutral = stated[0] if stated and group_name(stated[0]) == name else GroupName(name.removeprefix(PREFIX))
    members = [m for m in (_member(n, tree) for n in _flat(name, tree, set())) if m is not None]
    domains = frozenset(m for m in members if isinstance(m, DomainName))
    networks = frozenset(m for m in members if not isinstance(m, DomainName))
    is_names = stated[1] if stated else bool(domains) and not networks
    if is_names:
        return DomainGroup(name=neutral, members=domains)
    return AddressGroup(name=neutral, members=networks)


def _flat(name: str, tree: Tree, seen: set[str]) -> Iterator[str]:
    """The members of a group and of the parts in it."""
    seen.add(name)
    for member in tree.groups[name].get("static", ()):
        if member in tree.groups:
            if member not in seen:
                yield from _flat(member, tree, seen)
        else:
            yield member


def _member(name: str, tree: Tree) -> Network | DomainName | None:
    attrs = tree.addresses.get(name)
    return member_from(attrs) if attrs is not None else None


# --- rules ----------------------------------------------------------------------------------------------------------


def rules_of(tree: Tree, groups: Iterable[Group]) -> tuple[tuple[Rule, ...], set[str]]:
    """The rules that deny as ours do, and whose they say they are. What was made harmless by hand is none."""
    names = {group_name(group.name): group.name for group in groups}
    names |= {list_name(group.name): group.name for group in groups if list_name(group.name) in tree.lists}
    found: list[Rule] = []
    owners: set[str] = set()
    for name, attrs in tree.rules.items():
        description = "".join(attrs.get("description", ()))
        stated = rule_from(description)
        if whose := stated or web_rule_from(description):
            owners.add(whose[1])
        rule = _rule(name, attrs, stated, names, tree)
        if rule is not None:
            found.append(rule)
    return tuple(found), owners


def _rule(
    name: str,
    attrs: Attrs,
    stated: tuple[RuleName, str, tuple[GroupName, ...]] | None,
    names: Mapping[str, GroupName],
    tree: Tree,
) -> Rule | None:
    if not DENIES & set(attrs.get("action", ())):
        return None
    if any("yes" in attrs.get(key, ()) for key in ("disabled", "negate-source", "negate-destination")):
        return None
    sources = attrs.get("source", ())
    destinations = tuple(names[n] for n in dict.fromkeys(attrs.get("destination", ())) if n in names)
    if len(sources) != 1 or sources[0] not in names or not destinations:
        return None
    if stated and set(stated[2]) == set(destinations):
        destinations = stated[2]
    neutral = stated[0] if stated else RuleName(name.removeprefix(PREFIX))
    made = Rule(name=neutral, action=Action.DENY, sources=names[sources[0]], destinations=destinations)
    if (schedule := "".join(attrs.get("schedule", ()))) not in tree.schedules:
        return made  # one of others is a deviation of the rule
    spans = hours.spans_of(schedule, tree.schedules[schedule])
    return replace(made, when=hours.when_of(spans)) if spans else None


# --- deviations -----------------------------------------------------------------------------------------------------


def _deviations(
    tree: Tree,
    groups: tuple[Group, ...],
    rules: tuple[Rule, ...],
    pulled: Mapping[GroupName, Attrs],
    *,
    owner: str,
    comment: str,
    options: PaloAltoPanosOptions,
) -> list[str]:
    """How our entries differ from those that this state needs."""
    if tree.is_empty:
        return []
    meant = tree_of(groups, rules, owner, comment, options, tree, pulled)
    odd = [f"{g.name} has no members" for g in groups if not g.members]
    for kind, name in _NAMES.items():
        wanted, found = getattr(meant, kind), getattr(tree, kind)
        odd += [f"{name} {missing} is missing" for missing in sorted(wanted.keys() - found.keys())]
        odd += [f"{name} {more} is not as we would make it" for more in sorted(found.keys() - wanted.keys())]
        for same in (each for each in found if each in wanted):
            odd += [f"{name} {same} is not as we wrote it: {key}" for key in changed(kind, found[same], wanted[same])]
    return odd


def changed(kind: str, found: Attrs, wanted: Attrs) -> list[str]:
    """The attributes in which two entries differ, in order."""
    one, other = normal(kind, found), normal(kind, wanted)
    if one == other:
        return []
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


# --- what this firewall can do --------------------------------------------------------------------------------------


def room_in(reading: Reading, tree: Tree, options: PaloAltoPanosOptions) -> int:
    """How many address objects may be ours: what the inventory says, else the firewall's limit less those of others."""
    if options.max_addresses is not None:
        return options.max_addresses
    others = len(reading.entries["addresses"]) - len(tree.addresses)
    return max(0, facts.address_limit(reading.system, reading.limits) - others)


def _held_lists(
    tree: Tree, groups: Iterable[Group], sizes: Mapping[GroupName, int], options: PaloAltoPanosOptions, room: int
) -> tuple[str, ...]:
    """Which lists are pulled as read, and why, for people."""
    held = {group.name: sizes.get(group.name, len(group.members)) for group in groups}
    kinds = {group_of(tree, device): list_kind(attrs) for device, attrs in tree.lists.items()}
    return tuple(f"delivery: {lists.told(name, held[name], options, room, kinds[name])}" for name in sorted(kinds))


def _narrowed(
    most: Capabilities, reading: Reading, tree: Tree, options: PaloAltoPanosOptions, held: tuple[str, ...]
) -> Capabilities:
    limit = facts.address_limit(reading.system, reading.limits)
    others = len(reading.entries["addresses"]) - len(tree.addresses)
    told = "as it says itself" if "max-address" in reading.limits else f"as model {reading.system.model}"
    pushed = f"entries: it takes {limit} address objects, {told}, and holds {others} of others"
    room, listed = room_in(reading, tree, options), lists.most_entries(reading.system)
    if options.pulls is None:
        feed = f"{WHOLE} with `feed` in its options the firewall would pull lists of up to {listed:,} networks"
        return replace(most, max_entries=room, notes=(*most.notes, pushed, *held, feed))
    pulled = f"entries: it pulls lists of up to {listed:,} networks, by the table of its models"
    both = (pushed, pulled) if options.delivery == "auto" else (pulled,)
    return replace(most, max_entries=max(listed, room), notes=(*most.notes, *both, *held))


__all__ = ["ASKED", "Mark", "Reading", "observed_from", "reading_of", "shows"]
