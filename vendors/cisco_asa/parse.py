"""The text of one reading, as an ``Observed``. Pure; every doubt is ``Unreadable``, never half a state (I6).

The reading is what ``vendors.shell.gathered`` makes of the answers to ``READ``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from core.net import DomainName, Network
from vendors.cisco_asa import facts, times
from vendors.cisco_asa.config import Block, Held, HeldGroup, blocks_of, held_from, is_ours, network_of, relevant, whole
from vendors.cisco_asa.options import CiscoAsaOptions
from vendors.cisco_asa.places import anchor_of, is_in_place
from vendors.cisco_asa.shape import (
    COVER,
    MARK_GROUP,
    NAME,
    PREFIX,
    SENTINEL,
    ace_of,
    described,
    group_name,
    object_name,
    owner_of,
    rule_of_remark,
)
from vendors.cisco_asa.target import lines_between, target_of
from vendors.cisco_asa.times import When
from vendors.errors import DeviceError, Refused, Unreadable
from vendors.marks import mark_from
from vendors.model import (
    Action,
    AddressGroup,
    Capabilities,
    Desired,
    DomainGroup,
    Group,
    GroupName,
    Mark,
    Observed,
    Rule,
    RuleName,
    Transaction,
)
from vendors.shell import sections

VERSION: Final = "show version"
FAILOVER: Final = "show failover"
RUNNING: Final = "show running-config"
STARTUP: Final = "show startup-config"
READ: Final = (VERSION, FAILOVER, STARTUP, RUNNING)
"""Without one of these nothing is known; without `show clock` only the time is not."""

NO_MONITOR: Final = (
    "monitor: an access list ends at its first match: an entry that only counts would let through what later ones stop"
)
NO_SPARE: Final = "spare: a permit above the denies would let through what the rest of the list stops"
NO_WILDCARD: Final = "wildcard-domains: an FQDN object holds one exact name"
NO_CLEARING: Final = "session-clearing: connections that are open go on until they end"


def most(options: CiscoAsaOptions) -> Capabilities:
    """What an ASA can do for us at best."""
    return Capabilities(
        ipv6=True,
        fqdn=options.names,
        wildcard_fqdn=False,
        monitor=False,
        schedules=True,
        transaction=Transaction.ORDERED,
        entry_counters=True,
        source_capture=True,
        session_clearing=options.cut_sessions > 0,
        persistence=options.save,
        feed=False,
        max_members=None,
        max_entries=options.max_entries,
        spare=False,
        exempt=False,
        notes=(
            NO_MONITOR,
            NO_SPARE,
            NO_WILDCARD,
            *(() if options.cut_sessions else (NO_CLEARING,)),
            *(() if options.names else ("domains: switched off in the inventory",)),
            *(() if options.save else ("persistence: saving is switched off in the inventory",)),
        ),
    )


def observed_from(text: str, options: CiscoAsaOptions) -> Observed:
    """What the device holds of ours. Raises ``Unreadable`` on anything cut off, garbled or of another product."""
    said = sections(text)
    if missing := [command for command in READ if command not in said]:
        raise Unreadable(f"the reading lacks the answer to `{missing[0]}`")
    version, role = facts.version_of(said[VERSION]), facts.role_of(said[FAILOVER])
    blocks, saved = whole(said[RUNNING]), blocks_of(said[STARTUP])
    refusals = tuple(_refusals(version, role, blocks))
    troubles = tuple(facts.troubles(blocks, options))
    held = held_from(blocks, (each.acl for each in options.lists))
    unsaved = _unsaved(blocks, saved)
    found = _Found.of(held, options)
    mark = mark_from(held.mark or "")
    irregular = [*found.odd, *(troubles if found.rules else ())]
    if not irregular:
        irregular += _other_differences(held, found, mark, options)
    if unsaved.ours and not unsaved.others and options.save and (mark is not None or found.groups):
        irregular.append("persistence: our lines are not saved for the next boot")
    return Observed(
        groups=found.groups,
        rules=found.rules,
        mark=mark,
        foreign=_digest(block for block in blocks if not is_ours(block)),
        epoch=facts.epoch_of(said[VERSION], role),
        wall_time=facts.wall_time(said.get(facts.CLOCK, "")),
        can=_narrowed(most(options), version, blocks, unsaved),
        irregular=tuple(irregular),
        extra={
            "held": relevant(blocks, held),
            "refuse": "; ".join((*refusals, *troubles)),
            "unsaved": unsaved.others,
            "owners": " ".join(sorted(_owners(held))),
            "strangers": " ".join(sorted(_strangers(held))),
            "version": version.text,
        },
    )


def held_in(observed: Observed, options: CiscoAsaOptions) -> Held:
    """What stood on the device at that reading, to the line."""
    return held_from(blocks_of(observed.extra["held"]), (each.acl for each in options.lists))


# --- may we, can we -------------------------------------------------------------------------------------------------


def _refusals(version: facts.Version, role: facts.Role, blocks: Sequence[Block]) -> Iterator[str]:
    if not version.has_objects:
        yield f"release {version.text} is too old: 8.4 or newer is needed"
    if role.why_not is not None:
        yield role.why_not
    if facts.is_clustered(blocks):
        yield "the device is part of a cluster: which unit takes changes is not known to this adapter"


def _narrowed(best: Capabilities, version: facts.Version, blocks: Sequence[Block], unsaved: _Unsaved) -> Capabilities:
    notes = list(best.notes)
    fqdn, ipv6 = best.fqdn and version.has_names, version.has_ipv6
    if best.fqdn and not fqdn:
        notes.append(f"domains: release {version.text} has no FQDN objects in access lists")
    elif fqdn and not facts.resolves(blocks):
        fqdn = False
        notes.append("domains: the device asks no resolver (`dns domain-lookup`, and a `name-server`)")
    if not ipv6:
        notes.append(f"ipv6: access lists of release {version.text} are for IPv4 alone")
    entries = not facts.searches_groups(blocks)
    if not entries:
        notes.append("entry-counters: `object-group-search` keeps groups whole, so only whole entries are counted")
    tells = facts.tells_sources(blocks)
    if not tells:
        notes.append("source-capture: the log buffer keeps no messages of level 6 with their time")
    if unsaved.others and best.persistence:
        notes.append(
            f"persistence: somebody's unsaved lines (`{unsaved.others}`) would be saved with ours; "
            "until they are saved or taken back, our changes are not saved either"
        )
    return replace(
        best,
        fqdn=fqdn,
        ipv6=ipv6,
        entry_counters=entries,
        source_capture=tells,
        persistence=best.persistence and not unsaved.others,
        notes=tuple(notes),
    )


@dataclass(frozen=True, slots=True)
class _Unsaved:
    """How running and startup configuration differ: in our lines, and in which first line of others."""

    ours: bool
    others: str


def _unsaved(running: Sequence[Block], startup: Sequence[Block]) -> _Unsaved:
    if list(running) == list(startup):
        return _Unsaved(ours=False, others="")
    theirs = [[block for block in blocks if not is_ours(block)] for blocks in (running, startup)]
    return _Unsaved(ours=True, others=_first_difference(*theirs))


def _first_difference(one: Sequence[Block], other: Sequence[Block]) -> str:
    lines: list[list[str]] = [[line for block in blocks for line in block.lines] for blocks in (one, other)]
    for now, then in zip(lines[0], lines[1], strict=False):
        if now != then:
            return now.strip()[:80]
    longer = max(lines, key=len)
    return "" if len(lines[0]) == len(lines[1]) else longer[min(map(len, lines))].strip()[:80]


def _digest(blocks: Iterable[Block]) -> str:
    text = "".join(f"{line}\n" for block in blocks for line in block.lines)
    return hashlib.sha256(text.encode()).hexdigest()


def _owners(held: Held) -> set[str]:
    """The controllers that our objects tell of."""
    every = (*held.objects.values(), *held.groups.values())
    return {owner for one in every if (owner := owner_of(one.description)) is not None}


def _strangers(held: Held) -> Iterator[str]:
    """Objects of our names that tell of no controller. An empty one for the mark is what a broken first try leaves."""
    for name, one in (*held.objects.items(), *held.groups.items()):
        empty = name == MARK_GROUP and not one.members and not one.description
        if owner_of(one.description) is None and not empty:
            yield name


# --- what is ours ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Our objects in the neutral model, and what about them is not as we write it."""

    groups: tuple[Group, ...]
    rules: tuple[Rule, ...]
    odd: tuple[str, ...]

    @classmethod
    def of(cls, held: Held, options: CiscoAsaOptions) -> _Found:
        odd: list[str] = []
        names = dict(_names(held, odd))
        groups = {name: group for name, one in held.groups.items() if (group := _group(name, one, names, held, odd))}
        rules = [_rules(acl, held, groups, odd) for acl in (each.acl for each in options.lists)]
        for each, found in zip(options.lists, rules, strict=True):
            if found != rules[0]:
                odd.append(f"access list {each.acl} has other entries of ours than {options.lists[0].acl}")
            if not is_in_place(held.lists.get(each.acl, ()), each):
                odd.append(_displaced(held, each.acl, options))
        listed = {each.acl for each in options.lists}
        odd += [
            f"access list {acl} has entries of ours, and is not in the inventory"
            for acl, entries in held.lists.items()
            if acl not in listed and any(entry.is_ours for entry in entries)
        ]
        by_name = {group.name: group for group in groups.values()}
        return cls(groups=tuple(by_name[name] for name in sorted(by_name)), rules=rules[0], odd=tuple(odd))


def _displaced(held: Held, acl: str, options: CiscoAsaOptions) -> str:
    each = next(one for one in options.lists if one.acl == acl)
    try:
        anchor_of(held.lists.get(acl, ()), each)
    except Refused as exc:
        return exc.message.partition(";")[0]
    return f"access list {acl}: entries of the site stand among ours, or between them and their place"


def _names(held: Held, odd: list[str]) -> Iterator[tuple[str, DomainName]]:
    """What each of our objects stands for."""
    for name, one in held.objects.items():
        words = one.members[0].split() if len(one.members) == 1 else []
        match words:
            case ["fqdn", domain] if object_name(domain.lower()) == name:
                if owner_of(one.description) is None:
                    odd.append(f"object {name} does not say whose it is")
                yield name, DomainName(domain.lower(), suffix=False)
            case _:
                odd.append(f"object {name} does not hold the one name that it stands for")


def _group(name: str, one: HeldGroup, names: Mapping[str, DomainName], held: Held, odd: list[str]) -> Group | None:
    if name == MARK_GROUP:
        if mark_from(one.description) is None:
            odd.append(f"object-group {name} holds no mark")
        return None
    told = described(one.description)
    if told is None or group_name(told[1]) != name:
        odd.append(f"object-group {name} is left from a change that was cut short" if name.startswith(COVER)
                   else f"object-group {name} does not say what it is")  # fmt: skip
        return None if told is None and not _is_plain(name) else _members(
            name, GroupName(name.removeprefix(PREFIX)), one, names, held, odd, kind=_kind(one)
        )  # fmt: skip
    return _members(name, told[1], one, names, held, odd, kind=told[0])


def _is_plain(name: str) -> bool:
    """Whether a name of ours leads back to the group's."""
    return all(char.islower() or char.isdigit() or char == "-" for char in name.removeprefix(PREFIX))


def _kind(one: HeldGroup) -> str:
    return "names" if any(line.startswith(f"network-object object {NAME}") for line in one.members) else "addresses"


def _members(
    device_name: str,
    name: GroupName,
    one: HeldGroup,
    names: Mapping[str, DomainName],
    held: Held,
    odd: list[str],
    *,
    kind: str,
) -> Group | None:
    networks: set[Network] = set()
    domains: set[DomainName] = set()
    for line in one.members:
        network = network_of(line, held.aliases)
        domain = names.get(line.removeprefix("network-object object "))
        if kind == "addresses" and network is not None:
            networks.add(network)
        elif kind == "names" and domain is not None:
            domains.add(domain)
        elif kind == "addresses" or line != SENTINEL:
            odd.append(f"object-group {device_name} holds `{line}`, which we do not write")
    if kind == "names" and SENTINEL not in one.members:
        odd.append(f"object-group {device_name} lacks `{SENTINEL}`")
    if not networks and not domains:
        odd.append(f"object-group {device_name} is empty")
        return None
    if kind == "names":
        return DomainGroup(name=name, members=frozenset(domains))
    return AddressGroup(name=name, members=frozenset(networks))


def _rules(acl: str, held: Held, groups: Mapping[str, Group], odd: list[str]) -> tuple[Rule, ...]:
    """The rules that the entries of one access list stand for."""
    found: dict[RuleName, tuple[GroupName, list[GroupName], When | None]] = {}
    current: str | None = None
    seen: set[str] = set()
    for entry in held.lists.get(acl, ()):
        if (rule := rule_of_remark(entry.text)) is not None:
            if rule in seen:
                odd.append(f"access list {acl} names rule {rule} twice")
            current = rule
            seen.add(rule)
            continue
        ace = ace_of(entry.text)
        if ace is None:
            continue
        sources, destination = groups.get(ace.sources), groups.get(ace.destination)
        if not ace.is_regular:
            odd.append(f"access list {acl}: `{entry.text.strip()}` has other options than we write")
        when = times.when_in(held.ranges.get(ace.time_range, ())) if ace.time_range else None
        holds = "inactive" not in ace.options.split() and (when is not None or not ace.time_range)
        if current is None or sources is None or destination is None or not holds:
            odd.append(f"access list {acl}: `{entry.text.strip()}` stands for no rule of ours")
            continue
        own, destinations, hours = found.setdefault(RuleName(current), (sources.name, [], when))
        if own != sources.name or hours != when:
            odd.append(f"access list {acl}: rule {current} is about more than {own}, or of several times")
            continue
        destinations.append(destination.name)
    odd += [f"access list {acl}: rule {rule} has no entry" for rule in sorted(seen - found.keys())]
    return tuple(
        Rule(name=name, action=Action.DENY, sources=sources, destinations=tuple(destinations), when=when)
        for name, (sources, destinations, when) in found.items()
    )


def _other_differences(held: Held, found: _Found, mark: Mark | None, options: CiscoAsaOptions) -> Iterator[str]:
    """Whatever else we would write differently: the first line that would put it right."""
    if mark is None:
        return
    as_read = Desired(groups=found.groups, rules=found.rules, owner=mark.owner, snapshot=mark.snapshot)
    try:
        batches = lines_between(held, target_of(as_read, mark, options), options, mark.owner)
    except DeviceError as exc:
        yield exc.message
        return
    if batches:
        yield f"not as we write it; `{batches[0].lines[-1]}` puts it right"
