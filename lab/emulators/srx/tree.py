"""The configuration as a tree of statements: what changes it, and how it prints as `set` lines and in braces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

from lab.emulators.srx.schema import ROOT, Statement
from lab.emulators.srx.words import quoted

Key: TypeAlias = tuple[str, ...]
_INDENT: Final = "    "


@dataclass(frozen=True, slots=True)
class Part:
    """One statement of a path: what kind it is, and its values."""

    statement: Statement
    values: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """What it is told apart by among its siblings: a leaf by its name alone."""
        single = self.statement.kind in ("leaf", "container", "flag")
        return (self.statement.name,) if single else (self.statement.name, *self.values)

    def words(self, *, always_quoted: bool = False) -> str:
        """As printed, its name first."""
        parts = [self.statement.name] if self.statement.name else []
        for argument, value in zip(self.statement.arguments, self.values, strict=False):
            parts += [argument.word] if argument.word else []
            parts.append(f'"{value}"' if always_quoted and self.statement.quoted else quoted(value))
        if self.statement.kind == "free":
            parts = [quoted(value) for value in self.values]
        return " ".join(parts)


Path: TypeAlias = tuple[Part, ...]


class Node:
    """A statement that is there, with what is below it."""

    __slots__ = ("_mixed", "held", "inactive", "part")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.held: dict[Key, Node] = {}
        self.inactive, self._mixed = False, False

    @property
    def children(self) -> dict[Key, Node]:
        """In the schema's order; those of one kind stay in the user's."""
        if self._mixed:
            self._mixed = False
            rank, last = self.part.statement.rank, len(self.part.statement.rank)
            self.held = dict(sorted(self.held.items(), key=lambda item: rank.get(item[0][0], last)))
        return self.held

    @children.setter
    def children(self, children: dict[Key, Node]) -> None:
        self.held, self._mixed = children, False

    def add(self, child: Node) -> None:
        """Put in order when somebody looks: a load of thousands of lines looks once."""
        self.held[child.part.key] = child
        self._mixed = True

    @property
    def name(self) -> str:
        return self.part.statement.name

    @property
    def value(self) -> str:
        return self.part.values[0]

    def copy(self) -> Node:
        made = Node(self.part)
        made.inactive = self.inactive
        made.children = {key: child.copy() for key, child in self.children.items()}
        return made

    def same(self, other: Node) -> bool:
        """Everything alike, order included."""
        return (
            self.part == other.part
            and self.inactive == other.inactive
            and list(self.children) == list(other.children)
            and all(child.same(other.children[key]) for key, child in self.children.items())
        )

    # --- reading --------------------------------------------------------------------------------------------------

    def child(self, *key: str) -> Node | None:
        """Below it by words, if it is there and active."""
        found = self.held.get(key)
        return None if found is None or found.inactive else found

    def at(self, *names: str) -> Node | None:
        """Down a path of single words, active all the way."""
        node: Node | None = self
        for name in names:
            node = None if node is None else node.child(name)
        return node

    def all(self, name: str) -> list[Node]:
        """The active ones of this name, in order."""
        return [node for node in self.children.values() if node.name == name and not node.inactive]

    def leaf(self, name: str, default: str = "") -> str:
        found = self.child(name)
        return default if found is None else found.value

    def has(self, name: str) -> bool:
        return self.child(name) is not None


def empty() -> Node:
    return Node(Part(ROOT))


# --- changing -------------------------------------------------------------------------------------------------------


def find(root: Node, path: Sequence[Part]) -> Node | None:
    node: Node | None = root
    for part in path:
        node = None if node is None else node.held.get(part.key)
        if node is not None and part.values and part.statement.kind == "leaf" and node.part.values != part.values:
            return None
    return node


def put(root: Node, path: Sequence[Part]) -> None:
    """Make it be there: on the way down whatever it excludes goes."""
    node = root
    for part in path:
        node = _step(node, part)


def _step(node: Node, part: Part) -> Node:
    for rival in part.statement.rivals:
        node.held.pop((rival,), None)
    found = node.held.get(part.key)
    if found is None:
        found = Node(part)
        node.add(found)
    elif found.part != part:
        found.part = part
    return found


def remove(root: Node, path: Sequence[Part]) -> bool:
    """Take it away, and the containers that this leaves empty. False: it was not there."""
    if find(root, path) is None:
        return False
    nodes = [root]
    for part in path:
        nodes.append(nodes[-1].held[part.key])
    del nodes[-2].held[path[-1].key]
    prune(nodes[:-1])
    return True


def prune(nodes: Sequence[Node]) -> None:
    for parent, node in reversed(list(pairwise(nodes))):
        if node.held or node.part.statement.stands_alone:
            return
        del parent.held[node.part.key]


def move(parent: Node, key: Key, *, beside: Key, before: bool) -> None:
    moved = parent.children.pop(key)
    ordered = list(parent.children.items())
    place = [each for each, _ in ordered].index(beside) + (0 if before else 1)
    parent.children = dict([*ordered[:place], (key, moved), *ordered[place:]])


def rename(parent: Node, key: Key, part: Part) -> None:
    """It keeps its place."""
    node = parent.children[key]
    node.part = part
    parent.children = {part.key if each == key else each: kept for each, kept in parent.children.items()}


# --- printing -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    always_quoted: bool = False

    def words(self, node: Node) -> str:
        return node.part.words(always_quoted=self.always_quoted)


def set_lines(node: Node, style: Style, path: str = "") -> Iterator[str]:
    """`| display set`: the statements below a node, each with its whole path (vSRX 17.3 capture)."""
    for child in node.children.values():
        yield from _set_node(child, style, path)


def _set_node(node: Node, style: Style, path: str) -> Iterator[str]:
    here = f"{path} {style.words(node)}"
    if not node.children or node.part.statement.kind == "flag":
        yield f"set{here}"
    yield from set_lines(node, style, here)
    if node.inactive:
        yield f"deactivate{here}"


def brace_lines(node: Node, style: Style, depth: int = 0) -> Iterator[str]:
    """What is below a node, as `show configuration` prints it."""
    yield from warnings(node, depth)
    told: set[str] = set()
    for child in node.children.values():
        if child.part.statement.kind == "many":
            if child.name not in told:
                told.add(child.name)
                yield f"{_INDENT * depth}{bracketed(node, child.name, style)}"
        else:
            yield from statement_lines(child, style, depth)


def bracketed(node: Node, name: str, style: Style) -> str:
    """All values of a list in one statement."""
    found = [child for child in node.children.values() if child.name == name]
    shown = [style.words(child).removeprefix(f"{name} ") for child in found]
    inactive = "inactive: " if all(child.inactive for child in found) else ""
    listed = shown[0] if len(shown) == 1 else f"[ {' '.join(shown)} ]"
    return f"{inactive}{name} {listed};"


def statement_lines(node: Node, style: Style, depth: int = 0) -> Iterator[str]:
    """One statement with what is below it."""
    margin, mark = _INDENT * depth, "inactive: " if node.inactive else ""
    words = f"{margin}{mark}{style.words(node)}"
    if _on_one_line(node):
        yield f"{words} {style.words(next(iter(node.children.values())))};"
    elif node.children or any(warnings(node, depth)):
        yield f"{words} {{"
        yield from brace_lines(node, style, depth + 1)
        yield f"{margin}}}"
    else:
        yield f"{words};"


def _on_one_line(node: Node) -> bool:
    return node.part.statement.one_line and list(node.children) == [("",)]


def missing(node: Node) -> list[str]:
    names = {child.name for child in node.children.values()}
    return [name for name in node.part.statement.mandatory if name not in names]


def warnings(node: Node, depth: int) -> Iterator[str]:
    """An incomplete statement is marked (notes of an SRX lab, 2019)."""
    lacking = missing(node)
    if lacking:
        margin, names = _INDENT * depth, ", ".join(f"'{name}'" for name in lacking)
        yield f"{margin}##"
        yield f"{margin}## Warning: missing mandatory statement(s): {names}"
        yield f"{margin}##"


def words_of(parts: Iterable[Part]) -> str:
    return " ".join(part.words() for part in parts)
