"""A plan as nft text: one transaction that changes only what differs, by name, and never the base chain.

Pure. What the gateway has by name comes from ``Observed.extra`` (the parser's outline), what it should have from
``shape``. Members are added and deleted one by one, or the set is filled anew in the same transaction where that is
cheaper (nftables 1.0.6 pays elements x deletions; measured in docs/vendors/linux_nftables.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from core.net import bare, in_order
from vendors.linux_nftables.commands import ENTRIES, SAVED_MARK
from vendors.linux_nftables.shape import TABLE, Shape, base_line, set_for, sets_of, shape_of, should_split
from vendors.model import AddressGroup, Group, GroupName, Mark, Observed, Plan

REFILL_COST: Final = 400_000
"""Elements times deletions; above it a set is filled anew, which costs its per-entry counters."""

PER_COMMAND: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A rendered plan: ``entries`` counts the elements it carries, ``refilled`` are sets whose entries count anew."""

    text: str
    entries: int
    refilled: tuple[str, ...]
    makes_table: bool
    is_whole: bool
    """Whether the text alone makes the table where there is none: then it is what a boot needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outline:
    """What a gateway has, by name."""

    exists: bool
    sets: Mapping[str, tuple[str, ...]]
    counters: frozenset[str]
    chains: Mapping[str, tuple[str, ...]]
    refill: frozenset[str]
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, observed: Observed) -> _Outline:
        text = observed.extra.get("table", "")
        if not text:
            return NOTHING
        known = json.loads(text)
        return cls(
            exists=True,
            sets={name: tuple(lines) for name, lines in known["sets"].items()},
            counters=frozenset(known["counters"]),
            chains={name: tuple(lines) for name, lines in known["chains"].items()},
            refill=frozenset(observed.extra.get("replace", "").split()),
            others=tuple(known["others"]),
        )

    @property
    def is_lost(self) -> bool:
        """Whether the table itself is not as we make it (asleep, or owned): only a new one helps."""
        return any(what.startswith("line ") for what in self.others)


NOTHING: Final = _Outline(exists=False, sets={}, counters=frozenset(), chains={}, refill=frozenset())


def split_groups(observed: Observed, groups: Iterable[Group]) -> frozenset[GroupName]:
    """Which of the groups are kept in 16 sets after the change."""
    now = set(observed.extra.get("split", "").split())
    return frozenset(g.name for g in groups if should_split(g, is_split=g.name in now))


def render_change(observed: Observed, plan: Plan, mark: Mark, hooks: tuple[str, ...]) -> Change:
    """The transaction that takes the gateway to ``plan.desired``."""
    found = _Outline.of(observed)
    held = NOTHING if found.is_lost else found
    split = split_groups(observed, plan.desired.groups)
    shape = shape_of(plan.desired.groups, plan.desired.rules, mark, hooks=hooks, split=split)
    writer = _Writer(held=held, shape=shape, hooks=hooks)
    was_split = frozenset(GroupName(n) for n in observed.extra.get("split", "").split())
    old = _members(observed.groups, was_split) if held.exists else {}
    new = _members(plan.desired.groups, split)
    entries = list(writer.entries(old, new))
    structure = [*writer.additions(), *writer.chains(), *writer.removals()]
    if found.is_lost:
        structure.insert(0, f"delete table {TABLE}")
        writer.refilled.update(found.sets)
    return Change(
        text=_text(mark, structure, (line for line, _ in entries)),
        entries=sum(count for _, count in entries),
        refilled=tuple(sorted(writer.refilled)),
        makes_table=not held.exists,
        is_whole=not found.exists,
    )


def render_saved(plan: Plan, mark: Mark, hooks: tuple[str, ...], split: frozenset[GroupName]) -> str:
    """The whole table for the next boot; loading it twice leaves what loading it once does."""
    shape = shape_of(plan.desired.groups, plan.desired.rules, mark, hooks=hooks, split=split)
    writer = _Writer(held=NOTHING, shape=shape, hooks=hooks)
    entries = (line for line, _ in writer.entries({}, _members(plan.desired.groups, split)))
    return _text(mark, [*writer.additions(), *writer.chains()], entries)


def _text(mark: Mark, structure: Iterable[str], entries: Iterable[str]) -> str:
    """The first line says what the gateway then holds, the last one that nothing is missing."""
    first = f"{SAVED_MARK}{mark.desired} owner={mark.owner}\n"
    return first + "".join(f"{line}\n" for line in structure) + ENTRIES + "".join(f"{e}\n" for e in entries) + "# end\n"


def _members(groups: Iterable[Group], split: frozenset[GroupName]) -> dict[str, list[str]]:
    """The elements of every set of the address groups, in order."""
    found: dict[str, list[str]] = {}
    for group in groups:
        if isinstance(group, AddressGroup):
            found |= {name: [] for _, name, _ in sets_of(group, split)}
            for network, text in zip(*in_order(group.members), strict=True):
                found[set_for(group.name, network, split)].append(bare(text))
    return found


@dataclass(slots=True, kw_only=True)
class _Writer:
    """Lines that take one outline to one shape."""

    held: _Outline
    shape: Shape
    hooks: tuple[str, ...]
    refilled: set[str] = field(default_factory=set)

    @property
    def _remade(self) -> set[str]:
        """Sets whose type or flags differ: these cannot be changed in place."""
        return {name for name, lines in self.held.sets.items() if self.shape.sets.get(name, lines) != lines}

    @property
    def _moved(self) -> tuple[str, ...]:
        """Base chains at another place than ours. Only these are ever replaced, and only when found so."""
        hooked = {name: self.held.chains[name][:1] for name in self.hooks if name in self.held.chains}
        return tuple(name for name, line in hooked.items() if not line or _place(line[0]) != _place(base_line(name)))

    @property
    def _is_shaken(self) -> bool:
        return bool(self._remade or self._moved)

    def additions(self) -> Iterator[str]:
        """The table, counters, sets and chains that are missing. What stays is not named."""
        if not self.held.exists:
            yield f"add table {TABLE}"
        if self._is_shaken:  # nothing refers to them while they are made anew, in this same transaction
            yield from (f"flush chain {TABLE} {name}" for name in sorted(self.held.chains))
            yield from (f"delete set {TABLE} {name}" for name in sorted(self._remade))
            yield from (f"delete chain {TABLE} {name}" for name in self._moved)
        yield from (f"add counter {TABLE} {name}" for name in sorted(self.shape.counters - self.held.counters))
        for name, lines in self.shape.sets.items():
            if name not in self.held.sets or name in self._remade:
                yield f"add set {TABLE} {name} {{ {'; '.join(lines)}; }}"
        for name in self.shape.chains:
            if name not in self.held.chains or name in self._moved:
                yield f"add chain {TABLE} {name}" + (f" {{ {base_line(name)} }}" if name in self.hooks else "")

    def chains(self) -> Iterator[str]:
        """The rules of every chain that differs, all of them anew; named counters keep what they counted."""
        for name, lines in self.shape.chains.items():
            if self.held.chains.get(name) == lines and not self._is_shaken:
                continue
            if name in self.hooks and name in self.held.chains and name not in self._moved:
                yield f"add chain {TABLE} {name} {{ policy accept; }}"
            yield f"flush chain {TABLE} {name}"  # a new one too: another writer may just have made it
            rules = lines[1:] if name in self.hooks else lines
            yield from (f"add rule {TABLE} {name} {line}" for line in rules)

    def removals(self) -> Iterator[str]:
        """What nothing refers to any more."""
        gone = sorted(self.held.chains.keys() - self.shape.chains.keys())
        others = sorted((what.rpartition(" ") for what in self.held.others), key=lambda part: part[0] != "map")
        yield from (f"flush chain {TABLE} {name}" for name in gone)
        yield from (f"delete {kind} {TABLE} {name}" for kind, _, name in others)
        yield from (f"delete chain {TABLE} {name}" for name in gone)
        yield from (f"delete set {TABLE} {name}" for name in sorted(self.held.sets.keys() - self.shape.sets.keys()))
        yield from (f"delete counter {TABLE} {name}" for name in sorted(self.held.counters - self.shape.counters))

    def entries(self, old: Mapping[str, list[str]], new: Mapping[str, list[str]]) -> Iterator[tuple[str, int]]:
        """(line, elements in it). In each set first what is added, then what is removed."""
        for name in sorted(new):
            before = [] if name in self._remade else old.get(name, [])
            added, removed = _without(new[name], before), _without(before, new[name])
            if name in self.held.refill or len(before) * len(removed) > REFILL_COST:
                self.refilled.add(name)
                yield f"flush set {TABLE} {name}", 0
                yield from self._elements("add", name, new[name])
            else:  # a range that is split or merged overlaps itself: out first, within the one transaction
                yield from self._elements("delete", name, removed)
                yield from self._elements("add", name, added)

    @staticmethod
    def _elements(verb: str, name: str, elements: list[str]) -> Iterator[tuple[str, int]]:
        for start in range(0, len(elements), PER_COMMAND):
            part = elements[start : start + PER_COMMAND]
            yield f"{verb} element {TABLE} {name} {{ {', '.join(part)} }}", len(part)


def _without(elements: list[str], others: list[str]) -> list[str]:
    known = set(others)
    return [one for one in elements if one not in known]


def _place(line: str) -> str:
    """Type, hook and priority of a base chain; its policy can be changed in place."""
    return line.partition(" policy ")[0]
