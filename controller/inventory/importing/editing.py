"""Small edits in a YAML text. Whatever is not edited stays byte for byte: comments, quotes, order, blank lines.

A YAML library that writes a whole document anew would move comments and change quotes of lines that nobody touched.
Here the parser only says where things stand. Block scalars and lists with comments inside are not edited.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from controller.inventory.document import Spot

Value: TypeAlias = "str | int | Sequence[Value] | Mapping[str, Value]"
_LOADER: Final[Any] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_QUOTE: Final = re.compile(r"\s(#.*)$")


@dataclass(frozen=True, slots=True)
class _Entry:
    key: Any
    value: Any


@dataclass(slots=True)
class Edits:
    """What is to be changed: keys put into mappings, values set, keys of block mappings taken out."""

    text: str
    added: dict[Spot, dict[str, Value]] = field(default_factory=dict)
    cut: set[Spot] = field(default_factory=set)
    _set: dict[Spot, Value] = field(default_factory=dict)
    _root: Any = None
    _found: dict[Spot, _Entry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._root = yaml.compose(self.text, Loader=_LOADER)
        self._index(self._root, ())

    def _index(self, node: Any, spot: Spot) -> None:
        if isinstance(node, yaml.MappingNode) and len(spot) < 7:
            for key, value in node.value:
                self._found[(*spot, key.value)] = _Entry(key, value)
                self._index(value, (*spot, key.value))

    def add(self, spot: Spot, key: str, value: Value) -> None:
        """Put a key at the end of the mapping at ``spot``, which is there."""
        self.added.setdefault(spot, {})[key] = value

    def can_set(self, spot: Spot) -> bool:
        node = self._found[spot].value
        if isinstance(node, yaml.ScalarNode):
            return node.style not in ("|", ">") and node.start_mark.line == node.end_mark.line
        return bool(node.flow_style) and "#" not in self.text[node.start_mark.index : node.end_mark.index]

    def set(self, spot: Spot, value: Value) -> None:
        """Another value for the key at ``spot``, which ``can_set``."""
        self._set[spot] = value

    def can_cut(self, spot: Spot) -> bool:
        """Only lines of their own are cut."""
        parent = self._found[spot[:-1]].value
        return not parent.flow_style

    def done(self) -> str:
        """The text with all edits made."""
        changes: list[tuple[int, int, str]] = []
        for spot, value in self._set.items():
            node = self._found[spot].value
            changes.append((node.start_mark.index, node.end_mark.index, flow(value)))
        changes.extend(self._cut(spot) for spot in self.cut)
        for spot in {spot[:-1] for spot in self.cut}:
            entry = self._found[spot]
            if len([s for s in self.cut if s[:-1] == spot]) == len(entry.value.value) and spot not in self.added:
                at = entry.key.end_mark.index + 1  # behind the colon
                changes.append((at, at, " {}"))
        for spot, values in self.added.items():
            changes.extend(self._additions(spot, values))
        text = self.text
        for start, end, new in sorted(changes, key=lambda c: (c[0], c[1]), reverse=True):
            text = text[:start] + new + text[end:]
        return text

    def _cut(self, spot: Spot) -> tuple[int, int, str]:
        entry = self._found[spot]
        start = self.text.rfind("\n", 0, entry.key.start_mark.index) + 1
        end = self._line_end(_last(entry.value))
        indent = " " * entry.key.start_mark.column
        kept = [f"{indent}{said}\n" for line in self.text[start:end].splitlines() if (said := _comment(line))]
        return start, end, "".join(kept)

    def _line_end(self, index: int) -> int:
        """Where the next line begins."""
        found = self.text.find("\n", index)
        return len(self.text) if found < 0 else found + 1

    def _additions(self, spot: Spot, values: Mapping[str, Value]) -> Iterable[tuple[int, int, str]]:
        node = self._found[spot].value if spot else self._root
        if isinstance(node, yaml.MappingNode) and node.value and node.flow_style:
            at = node.end_mark.index - 1
            yield at, at, "".join(f", {flow(key)}: {flow(value)}" for key, value in values.items())
            return
        if isinstance(node, yaml.MappingNode) and node.value:
            indent, last = node.value[0][0].start_mark.column, _last(node)
        else:  # `{}`, or nothing at all
            indent = self._found[spot].key.start_mark.column + 2
            last = node.end_mark.index
            yield self._found[spot].key.end_mark.index + 1, node.end_mark.index, ""  # all behind the colon
        at = self._line_end(last)
        start = "" if at == 0 or self.text[at - 1] == "\n" else "\n"
        yield at, at, start + "".join(f"{line}\n" for line in block(values, indent))


def _last(node: Any) -> int:
    """The index behind the last character of a value."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        index: int = node.end_mark.index
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            index -= 1  # ends at the start of the line behind it
        return index
    child = node.value[-1]
    return _last(child[1] if isinstance(child, tuple) else child)


def _comment(line: str) -> str:
    """The comment of a line, or nothing; a sign between quotes is none."""
    if line.lstrip().startswith("#"):
        return line.strip()
    found = _QUOTE.search(line)
    while found is not None:
        before = line[: found.start()]
        if before.count('"') % 2 == 0 and before.count("'") % 2 == 0:
            return found[1].rstrip()
        found = _QUOTE.search(line, found.start() + 1)
    return ""


def block(values: Mapping[str, Value], indent: int) -> Iterable[str]:
    """Lines of a block mapping; lists stay in one line."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield f"{' ' * indent}{flow(key)}:"
            yield from block(value, indent + 2)
        else:
            yield f"{' ' * indent}{flow(key)}: {flow(value)}"


def flow(value: Value) -> str:
    """A value in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if not isinstance(value, str | int):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    inside: str = yaml.safe_dump([value], default_flow_style=True, width=10_000, allow_unicode=True)
    return inside.strip()[1:-1]
