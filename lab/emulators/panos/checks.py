"""What a commit or `validate` finds wrong with a whole configuration.

Shapes of the lines: netdriver's patterns (`is missing`, two blanks), the vendor's forum (references), its knowledge
base (capacities, certificate profiles).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lab.emulators.panos import answers, schema
from lab.emulators.panos.editing import any_and_more
from lab.emulators.panos.schema import Container, Leaf, Members, Step
from lab.emulators.panos.space import RULES, Space, arrow, list_type
from lab.emulators.panos.tree import Node

_TYPES: Final = ("ip-netmask", "ip-range", "ip-wildcard", "fqdn")
_KINDS: Final = ("tag", "address", "address-group", "external-list", "schedule", "service", "service-group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """``errors``: lines as printed; ``late``: whether they come from behind the syntax check."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    late: bool = False

    @property
    def ok(self) -> bool:
        return not self.errors


def check(space: Space) -> Report:
    errors = tuple(_syntax(space))
    if errors:
        return Report(errors=("Validation Error:", *errors))
    late = tuple(_meaning(space))
    return Report(errors=late, warnings=tuple(_warnings(space)), late=bool(late))


def _shown(path: tuple[str, ...], space: Space) -> str:
    return arrow(schema.shown(path, multi=space.model.multi_vsys))


def _missing(path: tuple[str, ...], word: str, space: Space) -> list[str]:
    return [f"{_shown(path, space)}  is missing '{word}'", f"{_shown(path[:-1], space)} is invalid"]


def _syntax(space: Space) -> Iterator[str]:
    for kind in _KINDS:
        spec, _ = schema.spec_at(("shared", kind, ""))
        assert isinstance(spec, Container)
        for path, node in space.entries(kind):
            yield from _whole(kind, path, node, space)
            yield from _references(path, node, spec, space)
    spec, _ = schema.spec_at((*schema.vsys_path(schema.ONLY), *RULES, ""))
    assert isinstance(spec, Container)
    for vsys in space.vsys_names():
        for name, rule in space.rules(vsys).items():
            path = (*schema.vsys_path(vsys), *RULES, name)
            yield from _whole_rule(path, rule, space)
            yield from _references(path, rule, spec, space)


def _whole(kind: str, path: tuple[str, ...], node: Node, space: Space) -> Iterator[str]:
    match kind:
        case "address" if not set(_TYPES) & set(node.kids):
            yield from _missing(path, "ip-netmask", space)
        case "address-group" if space.switches.empty_group == "refused" and not _has_members(node):
            yield from _missing(path, "static", space)
        case "service" if not node.kids.get("protocol", Node()).kids:
            yield from _missing(path, "protocol", space)
        case "schedule" if not node.kids.get("schedule-type", Node()).kids:
            yield from _missing(path, "schedule-type", space)
        case "service-group" if not node.members("members"):
            yield from _missing(path, "members", space)
        case "external-list":
            yield from _whole_list(path, node, space)


def _has_members(group: Node) -> bool:
    return bool(group.members("static")) or bool(group.value("dynamic", "filter"))


def _whole_list(path: tuple[str, ...], node: Node, space: Space) -> Iterator[str]:
    kind = list_type(node)
    if not kind:
        yield from _missing(path, "type", space)
        return
    for word in ("url",) if kind.startswith("predefined") else ("url", "recurring"):
        if word not in node.kids["type"].kids[kind].kids:
            yield from _missing((*path, "type", kind), word, space)


def _whole_rule(path: tuple[str, ...], rule: Node, space: Space) -> Iterator[str]:
    for word in schema.NEEDED:
        found = rule.kids.get(word)
        if found is None or not found.values:
            yield from _missing(path, word, space)
        elif any_and_more(found.values):
            yield f"{_shown((*path, word), space)} is invalid"


def _references(path: tuple[str, ...], node: Node, spec: Container, space: Space) -> Iterator[str]:
    for name, kid in spec.kids.items():
        here = node.kids.get(name)
        match kid:
            case _ if here is None:
                continue
            case Leaf() | Members() if kid.kind:
                for value in here.values or []:
                    if space.dangling(Step(path=(*path, name), value=value, kind=kid.kind)):
                        yield from answers.bad_reference(_shown((*path, name), space), value)
            case Container():
                yield from _references((*path, name), here, kid, space)


# --- behind the syntax ------------------------------------------------------------------------------------------------


def _meaning(space: Space) -> Iterator[str]:
    yield from _capacities(space)
    for _, groups in _groups_by_place(space):
        if any(len(group.members("static")) > space.model.group_members for group in groups.values()) or _loops(groups):
            yield answers.GROUP_COUNT
            yield answers.MODULE


def _groups_by_place(space: Space) -> Iterator[tuple[tuple[str, ...], Mapping[str, Node]]]:
    for scope in space.scopes():
        found = space.root.at((*scope, "address-group"))
        yield scope, found.kids if found is not None else {}


def _loops(groups: Mapping[str, Node]) -> bool:
    done: set[str] = set()

    def round_from(name: str, above: tuple[str, ...]) -> bool:
        if name in above:
            return True
        if name in done or name not in groups:
            return False
        found = any(round_from(member, (*above, name)) for member in groups[name].members("static"))
        done.add(name)
        return found

    return any(round_from(name, ()) for name in groups)


def _capacities(space: Space) -> Iterator[str]:
    model = space.model
    addresses = [node for _, node in space.entries("address")]
    counted = (
        ("addresses", len(addresses), model.addresses),
        ("address groups", sum(1 for _ in space.entries("address-group")), model.groups),
        ("fqdn addresses", sum("fqdn" in node.kids for node in addresses), model.fqdn_objects),
        ("services", sum(1 for _ in space.entries("service")), model.services),
        ("schedules", sum(1 for _ in space.entries("schedule")), model.schedules),
        ("external dynamic lists", sum(1 for _ in space.entries("external-list")), model.lists),
        ("security rules", sum(len(space.rules(vsys)) for vsys in space.vsys_names()), model.rules),
    )
    for what, there, limit in counted:
        if there > limit:
            yield answers.capacity(what, there, limit)
            yield answers.MODULE


def _warnings(space: Space) -> Iterator[str]:
    for path, node in space.entries("external-list"):
        kind = list_type(node)
        source = node.kids["type"].kids[kind] if kind in ("ip", "domain", "url") else Node()
        if source.value("url").startswith("https:") and "certificate-profile" not in source.kids:
            yield answers.no_certificate(path[-1])
