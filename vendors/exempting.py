"""Exceptions on a device that cannot pass chosen traffic by its denies: they become holes in the denies.

Pure; called when a state is fitted to a device (``vendors.diff.degrade``). The result opens what the exceptions open,
and not one packet more (I15); where a wider name of another group cannot be given a hole, it opens less.

A deny for all of ``src-company`` to the groups of services A and B, with an exception for some of it to A, becomes two:
one for the others, to A and B, under the old names; one for the excepted sources, to B alone, under names of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from core.net import Network, aggregate, intersect, subtract
from vendors.errors import CapacityExceeded
from vendors.model import Action, AddressGroup, Desired, DomainGroup, Group, GroupName, Rule, RuleName

MARK: Final = "--"
"""Between the name of a rule or group and the letter of a part of it. No role holds it, so a part leads to its role."""
MAX_SOURCES: Final = 2000
"""Pieces that the sources of one deny may fall into."""
_LETTERS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def whole_of(name: str) -> str:
    """The name of the rule or group that a part of it was made from; any other name as it is."""
    return name.partition(MARK)[0]


def without_exempts(desired: Desired) -> Desired:
    """The same state by denies alone. What watches is split like what denies.

    Raises ``CapacityExceeded`` when the sources of a rule would fall into more than ``MAX_SOURCES`` pieces.
    """
    if not any(rule.action is Action.EXEMPT for rule in desired.rules):
        return desired
    groups = {group.name: group for group in desired.groups}
    rules: list[Rule] = []
    made: dict[GroupName, Group] = {}
    for at, rule in enumerate(desired.rules):
        if rule.action is Action.EXEMPT:
            continue
        above = [r for r in desired.rules[:at] if r.action is Action.EXEMPT]
        for part, new in _parts(rule, above, groups):
            renamed = {group.name: _free_name(group, rule.name, made) for group in new}
            rules.append(_refer(part, renamed))
            made.update({renamed[group.name]: replace(group, name=renamed[group.name]) for group in new})
    used = {name for rule in rules for name in (*rule.destinations, rule.sources) if name is not None}
    held = {**groups, **made}
    return replace(desired, rules=tuple(rules), groups=tuple(held[name] for name in sorted(used)))


def _free_name(group: Group, rule: RuleName, made: Mapping[GroupName, Group]) -> GroupName:
    """Rules over the same sources share their parts, unless different exceptions stand above them."""
    if made.get(group.name, group) == group:
        return group.name
    names = (GroupName(f"{group.name}{MARK}{letter}") for letter in _from(rule))
    found = next((name for name in names if made.get(name) in (None, replace(group, name=name))), None)
    if found is None:
        raise _too_many()
    return found


def _refer(rule: Rule, names: Mapping[GroupName, GroupName]) -> Rule:
    sources = None if rule.sources is None else names.get(rule.sources, rule.sources)
    return replace(rule, sources=sources, destinations=tuple(names.get(name, name) for name in rule.destinations))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Some of a rule's sources, and the groups that exceptions took out of its destinations for them."""

    sources: tuple[Network, ...]
    without: frozenset[GroupName] = frozenset()


def _parts(
    rule: Rule, above: Sequence[Rule], groups: Mapping[GroupName, Group]
) -> Iterator[tuple[Rule, tuple[Group, ...]]]:
    sources = groups.get(rule.sources) if rule.sources is not None else None
    if not isinstance(sources, AddressGroup):  # any source: only what spares has none
        yield rule, ()
        return
    parts = _split(tuple(aggregate(sources.members)), above, groups)
    if not any(part.without for part in parts):  # nothing to cut: the group stays as it was given
        yield rule, (sources,)
        return
    letters = _letters({part.without for part in parts if part.without})
    for part in parts:
        yield from _made(rule, part, letters, groups)


def _split(sources: tuple[Network, ...], above: Iterable[Rule], groups: Mapping[GroupName, Group]) -> list[_Part]:
    """The sources, by what is excepted for them. Exceptions to the same groups are one cut."""
    parts = [_Part(sources=sources)]
    for targets, members in _by_targets(above, groups).items():
        parts = [piece for part in parts for piece in _cut(part, targets, members)]
    if sum(len(part.sources) for part in parts) > MAX_SOURCES:
        raise CapacityExceeded(
            f"the exceptions cut the sources of one rule into more than {MAX_SOURCES} pieces; nothing was sent",
            hint="this device knows no exceptions above a deny: give fewer, or for whole networks",
        )
    return parts


def _by_targets(
    above: Iterable[Rule], groups: Mapping[GroupName, Group]
) -> Mapping[frozenset[GroupName], tuple[Network, ...]]:
    found: dict[frozenset[GroupName], list[Network]] = {}
    for rule in above:
        group = groups.get(rule.sources) if rule.sources is not None else None
        if isinstance(group, AddressGroup):
            found.setdefault(frozenset(rule.destinations), []).extend(group.members)
    return {targets: aggregate(found[targets]) for targets in sorted(found, key=sorted)}


def _cut(part: _Part, targets: frozenset[GroupName], members: tuple[Network, ...]) -> Iterator[_Part]:
    inside = intersect(part.sources, members)
    outside = subtract(part.sources, members)
    if outside:
        yield replace(part, sources=outside)
    if inside:
        yield _Part(sources=inside, without=part.without | targets)


def _made(
    rule: Rule, part: _Part, letters: Mapping[frozenset[GroupName], str], groups: Mapping[GroupName, Group]
) -> Iterator[tuple[Rule, tuple[Group, ...]]]:
    assert rule.sources is not None
    sources = AddressGroup(name=rule.sources, members=frozenset(part.sources))
    if not part.without:
        yield rule, (sources,)
        return
    letter = letters[part.without]
    targets = tuple(_holed(rule.destinations, part.without, letter, groups))
    if targets:
        mine = replace(sources, name=GroupName(f"{rule.sources}{MARK}{letter}"))
        yield (
            replace(
                rule,
                name=RuleName(f"{rule.name}{MARK}{letter}"),
                sources=mine.name,
                destinations=tuple(group.name for group in targets),
            ),
            (mine, *targets),
        )


def _holed(
    destinations: Iterable[GroupName],
    without: frozenset[GroupName],
    letter: str,
    groups: Mapping[GroupName, Group],
) -> Iterator[Group]:
    """What is left of the destinations. One that held nothing of what is excepted stays the group that it is."""
    excepted = [groups[name] for name in sorted(without) if name in groups]
    for name in destinations:
        if name in without or name not in groups:
            continue
        group = _less(groups[name], excepted)
        if group == groups[name]:
            yield group
        elif group.members:
            yield replace(group, name=GroupName(f"{name}{MARK}{letter}"))


def _less(group: Group, excepted: Iterable[Group]) -> Group:
    match group:
        case AddressGroup():
            holes = [n for other in excepted if isinstance(other, AddressGroup) for n in other.members]
            kept = frozenset(subtract(group.members, holes))
            return group if kept == frozenset(aggregate(group.members)) else replace(group, members=kept)
        case DomainGroup():
            gone = {d for other in excepted if isinstance(other, DomainGroup) for d in other.members}
            return replace(group, members=group.members - gone)


def _letters(keys: Iterable[frozenset[GroupName]]) -> Mapping[frozenset[GroupName], str]:
    """A letter for each, that does not change when others come or go, unless two would share one."""
    found: dict[frozenset[GroupName], str] = {}
    for key in sorted(keys, key=sorted):
        letter = next((letter for letter in _from(" ".join(sorted(key))) if letter not in found.values()), None)
        if letter is None:
            raise _too_many()
        found[key] = letter
    return found


def _from(text: str) -> Iterator[str]:
    """All letters, beginning with the one that a text stands for."""
    at = int(hashlib.sha256(text.encode()).hexdigest(), 16)
    return (_LETTERS[(at + step) % len(_LETTERS)] for step in range(len(_LETTERS)))


def _too_many() -> CapacityExceeded:
    return CapacityExceeded(
        "the exceptions differ in too many ways for one rule; nothing was sent",
        hint="this device knows no exceptions above a deny: give fewer",
    )
