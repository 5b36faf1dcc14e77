"""A configuration as a tree, and its two texts: set lines and braces.

What it holds is what the device's file holds; which words may be set is ``schema``'s. Quoting as in the published
outputs: a value with blanks stands in double quotes, and a double quote inside is not escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_QUOTED = re.compile(r"[\s\"'\[\]{};#]")


@dataclass(slots=True)
class Node:
    """A container or an entry, with ``kids``; or a value or a list, in ``values``. Order is kept."""

    kids: dict[str, Node] = field(default_factory=dict)
    values: list[str] | None = None
    uuid: str = ""  # of a rule; it says nothing of what the rule does

    def copy(self) -> Node:
        if self.values is not None:
            return Node(values=list(self.values))
        return Node(kids={name: kid.copy() for name, kid in self.kids.items()}, uuid=self.uuid)

    def at(self, path: Iterable[str]) -> Node | None:
        here: Node | None = self
        for name in path:
            here = here.kids.get(name) if here is not None else None
        return here

    def make(self, path: Iterable[str]) -> Node:
        here = self
        for name in path:
            here = here.kids.setdefault(name, Node())
        return here

    def value(self, *path: str, default: str = "") -> str:
        found = self.at(path)
        return found.values[0] if found is not None and found.values else default

    def members(self, *path: str) -> list[str]:
        found = self.at(path)
        return found.values if found is not None and found.values is not None else []

    def same(self, other: Node | None) -> bool:
        """Equal, the order of entries included."""
        if other is None or self.values != other.values or list(self.kids) != list(other.kids):
            return False
        return all(kid.same(other.kids[name]) for name, kid in self.kids.items())


def quote(text: str) -> str:
    return f'"{text}"' if _QUOTED.search(text) else text


def value_text(values: list[str], *, closed: str = " ]") -> str:
    if len(values) > 1:
        return f"[ {' '.join(map(quote, values))}{closed}"
    return quote(values[0]) if values else ""


def set_lines(node: Node, path: tuple[str, ...] = ()) -> Iterator[str]:
    """`set …`, one line an attribute; an empty container and an empty value print their path alone."""
    if node.values is not None or not node.kids:
        parts = ["set", *map(quote, path), value_text(node.values or [])]
        yield " ".join(filter(None, parts))
        return
    for name, kid in node.kids.items():
        yield from set_lines(kid, (*path, name))


def braces(name: str, node: Node, depth: int = 0) -> Iterator[str]:
    """The default form. Lists close without a blank: ``[ a b];`` (published configuration of a PA-5020)."""
    indent = "  " * depth
    shown = quote(name)
    if node.values is not None:
        value = value_text(node.values, closed="]")
        empty = '""' if node.values == [""] else ""
        yield indent + " ".join(filter(None, [shown, value or empty])) + ";"
    elif not node.kids:
        yield f"{indent}{shown};"
    else:
        yield f"{indent}{shown} {{"
        for each, kid in node.kids.items():
            yield from braces(each, kid, depth + 1)
        yield f"{indent}}}"


def tokens(line: str) -> list[str] | None:
    """The words of a line; brackets are words of their own. None: a quote is left open.

    A double quote ends a word only where a blank, a bracket or nothing follows: the device does not escape it.
    """
    found: list[str] = []
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
        elif line[at] in "[]":
            found.append(line[at])
            at += 1
        elif line[at] == '"':
            end = re.compile(r'"(?=[\s\]]|$)').search(line, at + 1)
            if end is None:
                return None
            found.append(f'"{line[at + 1 : end.start()]}')
            at = end.end()
        else:
            word = re.compile(r"[^\s\[\]]+").match(line, at)
            assert word is not None
            found.append(word[0])
            at = word.end()
    return found


def bare(token: str) -> str:
    """What a word stands for: ``tokens`` leaves the opening quote, so that ``"["`` is no bracket."""
    return token.removeprefix('"')


def columns(line: str) -> list[int]:
    """Where each word of ``tokens`` begins."""
    found, at = [], 0
    for word in tokens(line) or []:
        needle = word if word.startswith('"') else bare(word)
        at = line.index(needle, at)
        found.append(at)
        at += len(needle)
    return found
