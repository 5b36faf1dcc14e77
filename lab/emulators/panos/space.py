"""A whole configuration with what it may name: virtual systems, the shared place, what Panorama pushed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lab.emulators.panos import schema, values
from lab.emulators.panos.schema import Step
from lab.emulators.panos.switches import CATEGORIES, Model, Switches
from lab.emulators.panos.tree import Node

RULES: Final = ("rulebase", "security", "rules")
_SERVICES: Final = frozenset({"service-http", "service-https"})
"""Predefined."""
_LOOKUP: Final[dict[str, tuple[str, ...]]] = {
    "tag": ("tag",),
    "address": ("address", "address-group"),
    "rule address": ("address", "address-group", "external-list"),
    "service": ("service", "service-group"),
    "rule service": ("service", "service-group"),
    "schedule": ("schedule",),
    "zone": ("zone",),
    "certificate-profile": ("certificate-profile",),
}
_FREE: Final[dict[str, frozenset[str]]] = {
    "rule address": frozenset({"any"}),
    "zone": frozenset({"any"}),
    "service": _SERVICES,
    "rule service": _SERVICES | {"any", "application-default"},
    "application": frozenset({"any"}),
    "category": frozenset({"any"}),
}
_USERS: Final[dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]]] = {
    "address": ((("address-group",), ("static",)), (RULES, ("source", "destination"))),
    "address-group": ((("address-group",), ("static",)), (RULES, ("source", "destination"))),
    "external-list": ((RULES, ("source", "destination", "category")),),
    "tag": (
        (("address",), ("tag",)),
        (("address-group",), ("tag",)),
        (("service",), ("tag",)),
        (("service-group",), ("tag",)),
        (RULES, ("tag", "group-tag")),
    ),
    "schedule": ((RULES, ("schedule",)),),
    "service": ((("service-group",), ("members",)), (RULES, ("service",))),
    "service-group": ((("service-group",), ("members",)), (RULES, ("service",))),
}
"""What may name a thing: where, and in which attributes. NAT rules are looked through word by word."""
_NAT: Final = ("rulebase", "nat", "rules")


@dataclass(slots=True, kw_only=True)
class Space:
    root: Node
    model: Model
    switches: Switches
    pushed: Node = field(default_factory=Node)
    """Objects that Panorama gave. Not part of the configuration here."""
    pushed_rules: frozenset[str] = frozenset()

    def copy(self) -> Node:
        return self.root.copy()

    # --- places ---------------------------------------------------------------------------------------------------

    def vsys_names(self) -> list[str]:
        found = self.root.at((*schema.DEVICE, "vsys"))
        return list(found.kids) if found is not None else []

    def vsys(self, name: str) -> Node:
        return self.root.at(schema.vsys_path(name)) or Node()

    def shared(self) -> Node:
        return self.root.kids.get("shared") or Node()

    def places(self, path: tuple[str, ...]) -> list[Node]:
        """Where a name at this path is looked up, in order."""
        own = self.root.at(path[:4]) if path[: len(schema.DEVICE)] == schema.DEVICE else None
        return [*([own] if own is not None else []), self.shared(), self.pushed]

    def rules(self, vsys: str) -> dict[str, Node]:
        found = self.vsys(vsys).at(RULES)
        return found.kids if found is not None else {}

    def find(self, path: tuple[str, ...], kinds: tuple[str, ...], name: str) -> tuple[str, Node] | None:
        for place in self.places(path):
            for kind in kinds:
                found = place.kids.get(kind)
                if found is not None and name in found.kids:
                    return kind, found.kids[name]
        return None

    # --- references -----------------------------------------------------------------------------------------------

    def names(self, path: tuple[str, ...], kind: str, value: str) -> bool:
        """Whether there is what the value names."""
        if value in _FREE.get(kind, ()):
            return True
        if kind == "application":
            return value in schema.applications(self.model, *self.places(path))
        if kind == "log-setting":
            return any(place.at(("log-settings", "profiles", value)) is not None for place in self.places(path))
        if kind == "category":
            return value in CATEGORIES or self._is_category(path, value)
        found = self.find(path, _LOOKUP[kind], value)
        if kind != "rule address":
            return found is not None
        if found is None:
            return values.is_literal(value)
        return found[0] != "external-list" or list_type(found[1]) in ("ip", "predefined-ip")

    def _is_category(self, path: tuple[str, ...], value: str) -> bool:
        """A list of URLs stands for a category of its own, as a custom one does (PAN-OS 7.1 new features)."""
        custom = ("profiles", "custom-url-category", value)
        found = self.find(path, ("external-list",), value)
        is_list = found is not None and list_type(found[1]) in ("url", "predefined-url")
        return is_list or any(place.at(custom) is not None for place in self.places(path))

    def dangling(self, step: Step) -> str | None:
        """The first value of a line that names nothing."""
        if not step.kind or step.kind == "foreign":
            return None
        wanted = [step.value] if step.value is not None else [*(step.members or ())]
        return next((value for value in wanted if not self.names(step.path, step.kind, value)), None)

    def users(self, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Node]]:
        """Every attribute that names the thing at this path: where it stands, and its node."""
        kind, name = path[-2:]
        for scope in self._scopes(path):
            place = self.root.at(scope) or Node()
            for where, attributes in _USERS.get(kind, ()):
                entries = place.at(where)
                for each, entry in entries.kids.items() if entries is not None else ():
                    for attribute in attributes:
                        found = entry.kids.get(attribute)
                        if found is not None and found.values and name in found.values:
                            yield (*scope, *where, each, attribute), found
            yield from _mentions((*scope, *_NAT), place.at(_NAT) or Node(), name)

    def _scopes(self, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        if path[0] != "shared":
            return [path[:4]]
        kind, name = path[-2:]
        hidden = [vsys for vsys in self.vsys_names() if self.vsys(vsys).at((kind, name)) is not None]
        return [("shared",), *(schema.vsys_path(vsys) for vsys in self.vsys_names() if vsys not in hidden)]

    # --- counting -------------------------------------------------------------------------------------------------

    def scopes(self) -> list[tuple[str, ...]]:
        return [("shared",), *map(schema.vsys_path, self.vsys_names())]

    def entries(self, kind: str) -> Iterator[tuple[tuple[str, ...], Node]]:
        """Every thing of a kind, in every place."""
        for scope in self.scopes():
            found = self.root.at((*scope, kind))
            for name, node in found.kids.items() if found is not None else ():
                yield (*scope, kind, name), node


def _mentions(path: tuple[str, ...], node: Node, name: str) -> Iterator[tuple[tuple[str, ...], Node]]:
    if node.values is not None and name in node.values:
        yield path, node
    for each, kid in node.kids.items():
        yield from _mentions((*path, each), kid, name)


def list_type(node: Node) -> str:
    found = node.kids.get("type")
    return next(iter(found.kids), "") if found is not None else ""


def arrow(path: tuple[str, ...]) -> str:
    """How a refusal writes a path: ``vsys -> vsys1 -> rulebase -> …``."""
    shown = path[len(schema.DEVICE) :] if path[: len(schema.DEVICE)] == schema.DEVICE else path
    return " -> ".join(shown)


def new_uuid(seed: str) -> str:
    """Steady for the same seed, so that two runs print the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, seed))
