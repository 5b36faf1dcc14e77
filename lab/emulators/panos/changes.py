"""Who changed what in the one candidate that all administrators share, and how a part of it is committed alone.

`commit partial admin X` takes the things that X touched as they stand now, whoever else touched them (pan-os-python
issues 51 and 628: more than expected when an account is shared).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lab.emulators.panos import schema
from lab.emulators.panos.editing import is_rule, place, unit_of
from lab.emulators.panos.tree import Node

Unit = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a commit takes. Nothing named: everything."""

    admins: tuple[str, ...] = ()
    vsys: tuple[str, ...] = ()
    device: bool = True
    policy: bool = True
    shared: bool = True
    whole: bool = True

    def takes(self, admin: str, unit: Unit) -> bool:
        if self.admins and admin not in self.admins:
            return False
        if unit[:3] == (*schema.DEVICE, "vsys"):
            return self.policy and (not self.vsys or unit[3] in self.vsys)
        if unit[0] == "shared":
            return self.shared and self.policy
        return self.device


ALL = Part()


@dataclass(slots=True)
class Changes:
    """What was edited since the last commit: (administrator, thing), in the order of the first edit."""

    made: dict[tuple[str, Unit], None] = field(default_factory=dict)

    def note(self, admin: str, units: Iterable[Unit]) -> None:
        for unit in units:
            self.made[(admin, unit)] = None

    def of(self, part: Part = ALL) -> list[tuple[str, Unit]]:
        return [each for each in self.made if part.takes(*each)]

    def units(self, part: Part = ALL) -> list[Unit]:
        return list(dict.fromkeys(unit for _, unit in self.of(part)))

    def drop(self, units: Iterable[Unit]) -> None:
        gone = set(units)
        self.made = {each: None for each in self.made if each[1] not in gone}


def merged(base: Node, candidate: Node, units: list[Unit]) -> Node:
    """The base with these things as the candidate has them; rules stand behind the same neighbour."""
    new = base.copy()
    for unit in units:
        node = candidate.at(unit)
        if node is None:
            parent = new.at(unit[:-1])
            if parent is not None:
                parent.kids.pop(unit[-1], None)
        else:
            new.make(unit[:-1]).kids[unit[-1]] = node.copy()
    for unit in sorted(filter(is_rule, units), key=lambda each: _rank(candidate, each)):
        _settle(new, candidate, unit)
    return new


def _rank(candidate: Node, unit: Unit) -> int:
    rules = candidate.at(unit[:-1]) or Node()
    return list(rules.kids).index(unit[-1]) if unit[-1] in rules.kids else -1


def _settle(new: Node, candidate: Node, unit: Unit) -> None:
    rules, wanted = new.at(unit[:-1]), candidate.at(unit[:-1])
    if rules is None or wanted is None or unit[-1] not in rules.kids:
        return
    order = list(wanted.kids)
    above = [name for name in order[: order.index(unit[-1])] if name in rules.kids]
    if above:
        place(rules, unit[-1], "after", above[-1])
    else:
        place(rules, unit[-1], "top")


def differences(old: Node, new: Node) -> list[Unit]:
    """The things that differ between two configurations, for what `load` and `revert` do."""
    found = list(dict.fromkeys([*_units(old), *_units(new)]))
    changed = [unit for unit in found if not _same(old.at(unit), new.at(unit))]
    moved = [unit for unit in found if is_rule(unit) and _rank(old, unit) != _rank(new, unit)]
    return list(dict.fromkeys([*changed, *moved]))


def _same(one: Node | None, other: Node | None) -> bool:
    return one is other if one is None or other is None else one.same(other)


def _units(node: Node, path: Unit = ()) -> list[Unit]:
    if path and (node.values is not None or not node.kids):
        return [unit_of(path)]
    return list(dict.fromkeys(unit for name, kid in node.kids.items() for unit in _units(kid, (*path, name))))


def xpath(unit: Unit) -> str:
    """`/config/devices/entry[@name='localhost.localdomain']/vsys/entry[@name='vsys1']/address/entry[@name='X']`."""
    text, spec = "/config", schema.ROOT
    here: schema.Spec | None = spec
    for name in unit:
        if isinstance(here, schema.Entries):
            text += f"/entry[@name='{name}']"
            here = here.of
        else:
            text += f"/{name}"
            here = here.kids.get(name) if isinstance(here, schema.Container) else None
    return text
