"""The text of one reading, as an ``Observed``. Pure; every doubt is ``Unreadable``, never half a state (I6).

The reading is what ``vendors.shell.gathered`` makes of the answers to ``reading_commands``. Read by content: an object
counts as what it says, not as what it is called; what deviates from the form we write is named, for the diff to repair.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, ip_network, summarize_address_range
from typing import Final

from core.net import DomainName, Network
from vendors.errors import Unreadable
from vendors.fortinet_fortios import managed, names, schedules
from vendors.fortinet_fortios.facts import (
    ADDRESS,
    FEED,
    GROUP,
    RECURRING,
    STATUS,
    WEEKS,
    Facts,
    facts_from,
    status_from,
    wall_time_of,
)
from vendors.fortinet_fortios.feed import LOADED, Room, digest_of, fed_groups, loaded_from, told, why_unfit
from vendors.fortinet_fortios.options import FortinetFortiosOptions
from vendors.fortinet_fortios.placement import moves
from vendors.fortinet_fortios.shape import FAMILIES, Form, Held, Nesting, Objects, Policy, normal
from vendors.fortinet_fortios.syntax import Attrs, Entry, Table, normal_form, quoted, table_of
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
    Transaction,
    WeekSpan,
)
from vendors.shell import sections

_NO_MARK: Final = Mark(owner="0", snapshot="0" * 12, desired="0" * 64)
_UNKNOWN: Final = RuleName("")


def observed_from(text: str, options: FortinetFortiosOptions, most: Capabilities) -> Observed:
    """What the device holds of ours. ``most`` is narrowed by its release, its limits and its place in a cluster."""
    parts = sections(text)
    facts = facts_from(parts)
    _refuse_other_vdom(parts, options)
    tables = {path: table_of(_answer(parts, path), path) for path in facts.tables}
    weeks = tuple(path for path in (RECURRING, WEEKS) if f"show {path}" in parts)
    tables |= {path: table_of(parts[f"show {path}"], path) for path in weeks}
    pulled = _pulled(parts, facts, options)
    found = _found(tables, facts, pulled)
    form = form_of(options, facts)
    reader = _Reader(objects=found.held.objects, pulled=pulled)
    rules = reader.rules(facts.policy_tables)
    groups = reader.groups(rules)
    fed = reader.fed(rules)
    room = Room(objects=_room(tables, facts, options), members=form.nesting.most)
    mark = _mark(found.held.objects)
    owner = mark.owner if mark else _owner(found.held.objects)
    odd = [*reader.odd, *_strange(found.strangers, marked=owner is not None)]
    if _is_there(found.held.objects):
        odd += _deviations(form, groups, rules, mark or replace(_NO_MARK, owner=owner or "0"), found.held, fed)
        odd += _misdelivered(groups, rules, fed, pulled, options, facts, room)
        odd += _misplaced(options, rules, found.held)
    base = Observed(
        groups=groups,
        rules=rules,
        mark=mark,
        foreign=_fingerprint(tables, found),
        epoch=facts.serial,
        can=_narrowed(
            most, options, facts, room, (group for group in groups if group.name in fed), told=len(weeks) == 2
        ),
        irregular=tuple(dict.fromkeys(odd)),
        extra={
            "held": found.held.dumps(),
            "pulled": json.dumps({one.group: _told(one, options) for one in pulled}),
            "feeds": str(facts.feeds),
            "room": str(room.objects),
            "owner": owner or "",
            "strangers": json.dumps(found.strangers),
            "release": facts.release,
            "version": facts.release,
            "model": facts.model,
            "consolidated": str(facts.consolidated),
            "workspace": str(facts.workspace),
            "group_members": str(form.nesting.limit),
            "ha": facts.ha,
            "primary": str(facts.primary),
            "manager": facts.manager,
            "cfg_save": facts.cfg_save,
        },
        wall_time=wall_time_of(status_from(parts[STATUS])),
    )
    if options.managed is None:
        return base
    loaded = {one.name: AddressGroup(name=one.group, members=one.members) for one in pulled}
    return managed.observed_under_manager(base, parts, loaded, options)


def form_of(options: FortinetFortiosOptions, facts: Facts) -> Form:
    limit = min(options.group_members, facts.members or options.group_members)
    return Form(options=options, nesting=Nesting(limit), consolidated=facts.consolidated)


def form_from(options: FortinetFortiosOptions, observed: Observed) -> Form:
    """The form by which a reading was judged."""
    limit = int(observed.extra["group_members"])
    return Form(options=options, nesting=Nesting(limit), consolidated=observed.extra["consolidated"] == "True")


def _answer(parts: Mapping[str, str], path: str) -> str:
    try:
        return parts[f"show {path}"]
    except KeyError:
        raise Unreadable(f"the reading lacks the answer to `show {path}`") from None


def _refuse_other_vdom(parts: Mapping[str, str], options: FortinetFortiosOptions) -> None:
    if options.vdom is not None and f"current vf={options.vdom}:" not in parts.get(f"edit {options.vdom}", ""):
        raise Unreadable(f"the reading is not from VDOM {options.vdom}")


# --- what is ours ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    held: Held
    ids: Mapping[str, frozenset[str]]
    """Names, or ids of policies, of our objects by table."""
    strangers: tuple[str, ...]
    """Objects of our name without our comment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """An external resource for a list of ours, as the site made it, and what the device has of the list."""

    name: str
    group: GroupName
    attrs: Attrs
    members: frozenset[Network]


def _told(one: Pulled, options: FortinetFortiosOptions) -> tuple[str | None, str]:
    """(why it cannot hold its list, which list it holds)."""
    return why_unfit(one.group, one.attrs, options), digest_of(one.members)


def _pulled(parts: Mapping[str, str], facts: Facts, options: FortinetFortiosOptions) -> tuple[Pulled, ...]:
    if options.pulls is None or not facts.feeds:
        return ()
    found: list[Pulled] = []
    for entry in table_of(_answer(parts, FEED), FEED).entries:
        group = names.feed_from(entry.name, _one(entry, "comments"))
        if group is not None:
            said = parts.get(f"{LOADED} {quoted(entry.name)}")
            if said is None:
                raise Unreadable(f"the reading does not say what is loaded of {group}")
            found.append(Pulled(name=entry.name, group=group, attrs=normal(_attrs(entry)), members=loaded_from(said)))
    return tuple(found)


def _found(tables: Mapping[str, Table], facts: Facts, pulled: tuple[Pulled, ...]) -> _Found:
    named = {path: _ours(tables[path]) for path in (*ADDRESS.values(), *GROUP.values())}
    named |= {path: _our_schedules(tables[path]) for path in (RECURRING, WEEKS) if path in tables}
    comments = {one.name: {"comments": one.attrs["comments"]} if "comments" in one.attrs else {} for one in pulled}
    policies = {path: _our_policies(tables[path]) for path in facts.policy_tables}
    ids = {path: frozenset(held) for path, held in named.items()}
    ids |= {path: frozenset(str(policy.id) for policy in held) for path, held in policies.items()}
    held = Held(
        objects=Objects(named={**named, FEED: comments}, policies=policies),
        order={path: tuple(_id(entry, path) for entry in tables[path].entries) for path in facts.policy_tables},
        named={
            path: {_one(e, "name"): _id(e, path) for e in tables[path].entries if e.name not in ids[path]}
            for path in facts.policy_tables
        },
        shared=frozenset((*_shared(tables, ids), *((FEED, one.name) for one in pulled))),
    )
    return _Found(held=held, ids=ids, strangers=tuple(_strangers(named, policies)))


def _ours(table: Table) -> dict[str, Attrs]:
    return {entry.name: normal(_attrs(entry)) for entry in table.entries if names.is_ours(entry.name)}


def _our_schedules(table: Table) -> dict[str, Attrs]:
    return {entry.name: normal(_attrs(entry)) for entry in table.entries if schedules.is_ours(entry.name)}


def _attrs(entry: Entry) -> dict[str, tuple[str, ...]]:
    """The fields, and a word for each table inside: we write none."""
    return {**entry.attrs, **{f"config {inner.path}": ("…",) for inner in entry.tables}}


def _our_policies(table: Table) -> tuple[Policy, ...]:
    """By name; a policy that says in its comment which rule it is, and has lost its name, when no other has it."""
    named = {entry.name: names.rule_from(_one(entry, "name"), _one(entry, "comments")) for entry in table.entries}
    ours = [entry for entry in table.entries if names.is_ours(_one(entry, "name"))]
    taken = {named[entry.name] for entry in ours}
    lost = [e for e in table.entries if e not in ours and named[e.name] is not None and named[e.name] not in taken]
    seen: set[RuleName] = set()
    found: list[Policy] = []
    for entry in table.entries:
        if entry in ours or entry in lost:
            rule = named[entry.name] or _UNKNOWN
            found.append(
                Policy(id=_id(entry, table.path), rule=_UNKNOWN if rule in seen else rule, attrs=normal(_attrs(entry)))
            )
            seen.add(rule)
    return tuple(found)


def _id(entry: Entry, path: str) -> int:
    if not entry.name.isascii() or not entry.name.isdigit():
        raise Unreadable(f"{path} has an entry without a number: {entry.name[:40]!r}")
    return int(entry.name)


def _one(entry: Entry, key: str) -> str:
    return " ".join(entry.attrs.get(key, ()))


def _shared(tables: Mapping[str, Table], ids: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, str]]:
    """Objects of ours that others refer to. Names of both families are looked for in every field: rather too many."""
    ours = {name: [path for path in ids if name in ids[path]] for held in ids.values() for name in held}
    for path, table in tables.items():
        for entry in table.entries:
            if entry.name in ids[path]:
                continue
            for value in (value for values in entry.attrs.values() for value in values):
                if names.is_ours(value):
                    yield from ((where, value) for where in ours.get(value, ()))


def _strangers(named: Mapping[str, Mapping[str, Attrs]], policies: Mapping[str, tuple[Policy, ...]]) -> Iterator[str]:
    for path, held in named.items():
        if path in (RECURRING, WEEKS):
            continue  # these have no comment
        for name, attrs in held.items():
            if not names.carries_comment(" ".join(attrs.get("comment", ()))):
                yield f"{path} {name}"
    for path, found in policies.items():
        for policy in found:
            if not names.carries_comment(" ".join(policy.attrs.get("comments", ()))):
                yield f"{path} {policy.id} ({' '.join(policy.attrs.get('name', ()))})"


def _strange(strangers: Iterable[str], *, marked: bool) -> list[str]:
    return [f"{what} has lost its comment" for what in strangers] if marked else []


def _is_there(objects: Objects) -> bool:
    return any(objects.named.values()) or any(objects.policies.values())


def _mark(objects: Objects) -> Mark | None:
    attrs = objects.table(ADDRESS[4]).get(names.MARK_OBJECT)
    return None if attrs is None else mark_from(" ".join(attrs.get("comment", ())))


def _owner(objects: Objects) -> str | None:
    """Whose ours are when the mark is gone, as the comments of groups and policies say: all of them the same."""
    comments = [a.get("comment", ()) for path in GROUP.values() for a in objects.table(path).values()]
    comments += [policy.attrs.get("comments", ()) for held in objects.policies.values() for policy in held]
    found = {names.owner_from(" ".join(words)) for words in comments} - {None}
    return found.pop() if len(found) == 1 else None


def _fingerprint(tables: Mapping[str, Table], found: _Found) -> str:
    lines: list[str] = []
    for path, table in tables.items():
        rest = tuple(entry for entry in table.entries if entry.name not in found.ids[path])
        lines += normal_form(replace(table, entries=rest), ordered="policy" in path)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


# --- groups and rules -----------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Reader:
    """What our objects mean."""

    objects: Objects
    pulled: tuple[Pulled, ...]
    odd: list[str] = field(default_factory=list)

    def fed(self, rules: Iterable[Rule]) -> frozenset[GroupName]:
        """Lists that a rule takes from an external resource, and that are not there as a group as well."""
        used = {name for rule in rules for name in rule.destinations}
        there = {self._group_of(name, attrs) for v in FAMILIES for name, attrs in self.objects.table(GROUP[v]).items()}
        return frozenset(one.group for one in self.pulled if one.group in used and one.group not in there)

    @staticmethod
    def _group_of(name: str, attrs: Attrs) -> GroupName | None:
        return names.group_from(name, " ".join(attrs.get("comment", ())))

    def groups(self, rules: Iterable[Rule]) -> tuple[Group, ...]:
        fed = self.fed(rules)
        lists = [AddressGroup(name=one.group, members=one.members) for one in self.pulled if one.group in fed]
        self.odd += [f"feed: the firewall has loaded nothing of {one.name}" for one in lists if not one.members]
        return tuple(sorted((*self._pushed(), *lists), key=lambda group: group.name))

    def _pushed(self) -> tuple[Group, ...]:
        found: dict[GroupName, bool | None] = {}
        for version in FAMILIES:
            table = self.objects.table(GROUP[version])
            for name, attrs in table.items():
                comment = " ".join(attrs.get("comment", ()))
                group = names.group_from(name, comment)
                if group is not None:
                    found[group] = names.holds_names(comment) if found.get(group) is None else found[group]
        made = (self._group(group, is_names) for group, is_names in sorted(found.items(), key=lambda item: item[0]))
        return tuple(made)

    def _group(self, group: GroupName, is_names: bool | None) -> Group:
        networks: set[Network] = set()
        texts: dict[str, str] = {}
        for version in FAMILIES:
            for name, attrs in self._members(group, version):
                networks.update(_networks(attrs))
                if "fqdn" in attrs:
                    texts[name] = " ".join(attrs["fqdn"]).lower()
        if is_names or (is_names is None and texts and not networks):
            return DomainGroup(name=group, members=_domains(texts))
        if not networks:
            self.odd.append(f"group {group} has no members")
        return AddressGroup(name=group, members=frozenset(networks))

    def _members(self, group: GroupName, version: int) -> Iterator[tuple[str, Attrs]]:
        """The address objects of ours that a group holds, itself or in its parts."""
        addresses, table = self.objects.table(ADDRESS[version]), self.objects.table(GROUP[version])
        parent = names.group_object(group)
        for name in table.get(parent, {}).get("member", ()):
            inner = table[name].get("member", ()) if names.leaf_number(name, group) and name in table else (name,)
            for member in inner:
                if member in addresses:
                    yield member, addresses[member]
                else:
                    self.odd.append(f"group {group} holds {member}, which we do not write")

    def rules(self, paths: Iterable[str]) -> tuple[Rule, ...]:
        """In the order of the first table that has them; both tables are compared with the form we write."""
        found: dict[RuleName, Rule] = {}
        feeds = {one.name: one.group for one in self.pulled}
        for path in paths:
            for policy in self.objects.policies[path]:
                if policy.rule != _UNKNOWN and (rule := _rule(policy, feeds, self._when(policy))) is not None:
                    found.setdefault(rule.name, rule)
        return tuple(found.values())

    def _when(self, policy: Policy) -> tuple[WeekSpan, ...] | None:
        """Empty for a schedule that is not ours, or of which nothing is left."""
        name = " ".join(policy.attrs.get("schedule", ()))
        if name == schedules.ALWAYS:
            return None
        return schedules.meaning_of(name, self.objects.table(RECURRING), self.objects.table(WEEKS))


def _networks(attrs: Attrs) -> tuple[Network, ...]:
    """What an address object covers; nothing for a stand-in, or what is no network."""
    kind = attrs.get("type", ("",))
    try:
        match kind, attrs:
            case ("",), {"ip6": (text,)}:
                found: tuple[Network, ...] = (ip_network(text),)
            case ("",), {"subnet": (address, mask)}:
                found = (ip_network(f"{address}/{mask}"),)
            case ("iprange",), {"start-ip": (first,), "end-ip": (last,)}:
                found = tuple(summarize_address_range(IPv4Address(first), IPv4Address(last)))
            case _:
                found = ()
    except (ValueError, TypeError):
        return ()
    return tuple(n for n in found if int(n.network_address) or n.prefixlen not in (32, 128))


def _domains(texts: Mapping[str, str]) -> frozenset[DomainName]:
    """Names by the objects' content; an object's name tells a name meant alone from one beside its wildcard."""
    wide = {text.removeprefix("*.") for text in texts.values() if text.startswith("*.")}
    exact = {
        text
        for name, text in texts.items()
        if not text.startswith("*.")
        and (text not in wide or name == names.domain_objects(DomainName(text, suffix=False))[0][0])
    }
    return frozenset(DomainName(t) for t in wide) | frozenset(DomainName(t, suffix=False) for t in exact)


def _rule(policy: Policy, feeds: Mapping[str, GroupName], when: tuple[WeekSpan, ...] | None) -> Rule | None:
    """The rule that a policy is, when it is a deny in force from one list of ours to lists of ours."""
    if when == ():
        return None
    attrs = policy.attrs
    sources = [names.group_from(name, "") for name in attrs.get("srcaddr", ())]
    destinations = [feeds.get(name) or names.group_from(name, "") for name in attrs.get("dstaddr", ())]
    if "action" in attrs or "status" in attrs or len(sources) != 1 or sources[0] is None:
        return None
    known = tuple(dict.fromkeys(name for name in destinations if name is not None))
    if not known:
        return None
    return Rule(name=policy.rule, action=Action.DENY, sources=sources[0], destinations=known, when=when)


_SHOWN: Final = 3
"""So many fields of one policy are named."""

# --- deviations -----------------------------------------------------------------------------------------------------


def _deviations(
    form: Form, groups: Iterable[Group], rules: Iterable[Rule], mark: Mark, held: Held, fed: frozenset[GroupName]
) -> Iterator[str]:
    """Where our objects are not as we write them for the groups and rules that they stand for."""
    known = list(groups)
    there = {group.name for group in known}
    whole = [rule for rule in rules if {rule.sources, *rule.destinations} <= there]
    wanted = form.shape(known, whole, mark, held, fed)
    for path in held.objects.named:
        yield from _different(path, wanted.table(path), held.objects.table(path), held.shared)
    for path, policies in held.objects.policies.items():
        right = {policy.id: policy.attrs for policy in wanted.policies.get(path, ())}
        for policy in policies:
            if right.get(policy.id) != policy.attrs:
                off = _unlike(right[policy.id], policy.attrs) if policy.id in right else _opened(policy.attrs)
                yield f"{path} {policy.id} ({' '.join(policy.attrs.get('name', ()))}) {off}"
        ids = {policy.id for policy in policies}
        yield from (f"{path} for {p.rule} is missing" for p in wanted.policies.get(path, ()) if p.id not in ids)


def _unlike(wanted: Attrs, found: Attrs) -> str:
    """Which fields somebody changed, and to what."""
    keys = sorted(key for key in {*wanted, *found} if wanted.get(key) != found.get(key))
    return f"is not as we wrote it: {', '.join(_shown(key, found) for key in keys[:_SHOWN])}"


def _opened(attrs: Attrs) -> str:
    """Of a policy that stands for no rule: what keeps it from denying."""
    schedule = attrs.get("schedule", ())
    theirs = ("schedule",) if schedule and schedule != ("always",) and not names.is_ours(schedule[0]) else ()
    told = ", ".join(_shown(key, attrs) for key in ("action", "status", *theirs) if key in attrs)
    return f"denies nothing as one of ours: {told or 'its lists are not ours'}"


def _shown(key: str, attrs: Attrs) -> str:
    return f"{key} {' '.join(attrs[key])}"[:80] if key in attrs else f"no {key}"


def _different(
    path: str, wanted: Mapping[str, Attrs], found: Mapping[str, Attrs], shared: frozenset[tuple[str, str]]
) -> Iterator[str]:
    """A mark that is gone or cannot be read is no deviation of this kind: the plan writes it anew."""
    yield from (f"{path} {name} is missing" for name in wanted if name not in found and name != names.MARK_OBJECT)
    for name, attrs in found.items():
        if name == names.MARK_OBJECT:
            if mark_from(" ".join(attrs.get("comment", ()))) is None or attrs != wanted[name]:
                yield f"{path} {name} is not as we wrote it"
        elif name not in wanted:
            if (path, name) not in shared:
                yield f"{path} {name} is not ours"
        elif wanted[name] != attrs:
            yield f"{path} {name} is not as we wrote it"


def _misdelivered(
    groups: Iterable[Group],
    rules: Iterable[Rule],
    fed: frozenset[GroupName],
    pulled: tuple[Pulled, ...],
    options: FortinetFortiosOptions,
    facts: Facts,
    room: Room,
) -> Iterator[str]:
    """Lists that come the other way than the options say, or by a resource that somebody changed."""
    wanted = fed_groups(groups, rules, options, room) if facts.feeds else frozenset()
    yield from (f"{name} is pushed, and should be pulled" for name in sorted(wanted - fed))
    yield from (f"{name} is pulled, and should be pushed" for name in sorted(fed - wanted))
    unfit = (why_unfit(one.group, one.attrs, options) for one in pulled if one.group in fed)
    yield from (why for why in unfit if why is not None)


def _misplaced(options: FortinetFortiosOptions, rules: Iterable[Rule], held: Held) -> Iterator[str]:
    wanted = [rule.name for rule in rules]
    for path, policies in held.objects.policies.items():
        ids = {policy.rule: policy.id for policy in policies}
        ours = [ids[name] for name in wanted if name in ids]
        found = moves(held.order[path], ours, options.placement, held.named[path])
        if isinstance(found, str):
            yield found
        elif found:
            yield f"{path}: our policies are not where they belong"


# --- what this device can do ----------------------------------------------------------------------------------------


def _room(tables: Mapping[str, Table], facts: Facts, options: FortinetFortiosOptions) -> int:
    """How many address objects may be ours: the device's limit less those of others, in the fuller of its tables."""
    if facts.addresses is None:
        return options.max_addresses
    others = max(sum(not names.is_ours(e.name) for e in tables[path].entries) for path in ADDRESS.values())
    return min(options.max_addresses, max(facts.addresses - others, 0))


def _delivered(options: FortinetFortiosOptions, facts: Facts, room: Room, pulled: Iterable[Group]) -> Iterator[str]:
    """How lists come here, for people."""
    if not facts.feeds:
        if options.pulls is not None:
            yield f"feed: policies of FortiOS {facts.release} take no list that is pulled; all is pushed"
        return
    listed = facts.feed_room - 1  # one entry means nothing
    if options.pulls is None:
        yield f"{WHOLE} with `feed` in its options the firewall would pull lists of up to {listed:,} networks"
    elif options.delivery == "auto":
        limits = f"{room.objects:,} address objects, {room.members:,} of one list"
        yield f"entries: lists are pushed while they fit ({limits}), else pulled, up to {listed:,} networks"
    else:
        yield "feed: denied networks are pulled by the firewall, not pushed"
    yield from (f"delivery: {told(group.name, len(group.members), options, room)}" for group in pulled)


def _narrowed(
    most: Capabilities,
    options: FortinetFortiosOptions,
    facts: Facts,
    room: Room,
    pulled: Iterable[Group],
    *,
    told: bool,
) -> Capabilities:
    notes = list(most.notes)
    if options.names and not facts.wildcards:
        notes.append(f"wildcard-domains: a policy of FortiOS {facts.release} takes no wildcard (6.2.2 and later do)")
    saved = facts.cfg_save == "automatic" or options.save
    if not saved:
        notes.append(f"persistence: cfg-save is {facts.cfg_save}, and options.save is off")
    if most.schedules and not told:
        notes.append("schedules: the device does not show its schedules to this account")
    feeds = options.pulls is not None and facts.feeds
    listed = facts.feed_room - 1 if feeds else 0
    notes += _delivered(options, facts, room, pulled)
    return replace(
        most,
        wildcard_fqdn=most.wildcard_fqdn and facts.wildcards,
        transaction=Transaction.CANDIDATE if options.workspace and facts.workspace else Transaction.ORDERED,
        persistence=saved,
        schedules=most.schedules and told,
        feed=feeds,
        max_members=max(room.members, listed),
        max_entries=max(room.objects, listed),
        notes=tuple(notes),
    )
