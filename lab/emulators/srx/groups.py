"""Configuration groups folded into what applies them, and a site's own text as a tree."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from lab.emulators.srx.reading import Reader
from lab.emulators.srx.schema import ROOT
from lab.emulators.srx.switches import Model, Switches
from lab.emulators.srx.tree import Node, Style, empty, find, put, set_lines
from lab.emulators.srx.words import words

_LINE: Final = re.compile(r"\s*(set|deactivate)\s+(.*?)\s*")


class Unread(Exception):
    """A line of a site's text that is no statement."""


def loaded(text: str, model: Model, switches: Switches) -> Node:
    """A tree of `set` and `deactivate` lines. Raises Unread."""
    return _take(empty(), (line for line in text.splitlines() if line.strip() and not _aside(line)), model, switches)


def _aside(line: str) -> bool:
    return line.lstrip().startswith(("#", "/*", "{"))


def _take(root: Node, lines: Iterable[str], model: Model, switches: Switches) -> Node:
    reader = Reader(model=model, switches=switches, site=True)
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None:
            raise Unread(line)
        _line(root, reader, found[1], found[2])
    return root


def _line(root: Node, reader: Reader, verb: str, rest: str) -> None:
    if verb == "deactivate":
        node = find(root, reader.path((), ROOT, words(rest), len(rest)))
        if node is None:
            raise Unread(rest)
        node.inactive = True
        return
    read = reader.statements((), ROOT, words(rest), len(rest))
    if read.wrong is not None:
        raise Unread(f"{rest}: {read.wrong}")
    for path in read.paths:
        put(root, path)


def folded(root: Node, model: Model, switches: Switches) -> Node:
    """With what the applied groups hold, behind what is configured itself. Node groups do not apply by themselves."""
    applied = [node.value for node in root.all("apply-groups")]
    groups = root.at("groups")
    made = root.copy()
    for name in applied:
        group = None if groups is None else groups.child("", name)
        lines = () if group is None else set_lines(group, Style())
        _below(made, _take(empty(), lines, model, switches))
    return made


def _below(node: Node, group: Node) -> None:
    """Own values win over the group's."""
    for key, child in group.children.items():
        own = node.held.get(key)
        if own is None:
            node.add(child)
        else:
            _below(own, child)
