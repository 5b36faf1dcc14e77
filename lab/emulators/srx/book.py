"""Address books: which names a policy can use, and what they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lab.emulators.srx.tree import Node

WORDS: Final = ("any", "any-ipv4", "any-ipv6")


class Books:
    """The global book, books attached to zones, and the older ones inside zones."""

    def __init__(self, root: Node) -> None:
        security = root.at("security")
        zones = None if security is None else security.at("zones")
        self.zones: dict[str, Node] = {z.value: z for z in (() if zones is None else zones.all("security-zone"))}
        self._books: list[tuple[Node, frozenset[str] | None]] = []
        for book in () if security is None else security.all("address-book"):
            attach = book.at("attach")
            held = frozenset(z.value for z in (() if attach is None else attach.all("zone")))
            self._books.append((book, None if book.value == "global" else held))
        for name, zone in self.zones.items():
            inline = zone.at("address-book")
            if inline is not None:
                self._books.append((inline, frozenset([name])))
        dynamic = None if security is None else security.at("dynamic-address")
        names = () if dynamic is None else dynamic.all("address-name")
        self.dynamic: dict[str, Node] = {name.value: name for name in names}
        self.names = {n.value for book, _ in self._books for kind in ("address", "address-set") for n in book.all(kind)}

    def knows(self, name: str, zones: tuple[str, ...]) -> bool:
        """Whether a policy between these zones, or a global one, can use the name."""
        return name in WORDS or name in self.dynamic or self.find(name, zones) is not None

    def find(self, name: str, zones: tuple[str, ...]) -> tuple[Node, Node] | None:
        """The book and the address or set."""
        for book, held in self._books:
            if held is None or held & set(zones):
                found = book.child("address", name) or book.child("address-set", name)
                if found is not None:
                    return book, found
        return None

    def leaves(self, name: str, zones: tuple[str, ...]) -> Iterator[Node]:
        """The addresses that a name stands for, sets taken apart."""
        found = self.find(name, zones)
        if found is not None:
            yield from self._apart(*found, frozenset())

    def _apart(self, book: Node, node: Node, seen: frozenset[str]) -> Iterator[Node]:
        if node.name == "address":
            yield node
            return
        for kind in ("address", "address-set"):
            for member in node.all(kind):
                found = book.child(kind, member.value)
                if found is not None and member.value not in seen:
                    yield from self._apart(book, found, seen | {node.value})
