"""What `nft -a -s list ruleset` says, cut into tables; and ours into sets, counters, chains and elements.

Pure. Strict about what is whole (a block that does not close, a line that fits no place: ``Unreadable``), tolerant
about what is in it: deviations from the form we write are the parser's to name, not to fail on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from vendors.errors import Unreadable

_HANDLE: Final = re.compile(r" # handle (\d+)$")
_TABLE: Final = re.compile(r"table (?P<name>\S+ \S+) \{(?: # handle (?P<handle>\d+))?")
_BLOCK: Final = re.compile(r"\t(?P<kind>[a-z ]+?) (?P<name>\S+) \{(?: # handle \d+)?")
_ELEMENTS: Final = "elements = { "
_COMMENTED: Final = re.compile(r'(?:[^,"]|"[^"]*")+')  # one element; a comment may hold commas
_FOREIGN_LIVE: Final = ("flags dynamic", "flags timeout", "timeout ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """Our table: bodies as lines without handles; elements apart, as texts."""

    handle: str
    sets: Mapping[str, tuple[str, ...]]
    counters: frozenset[str]
    chains: Mapping[str, tuple[str, ...]]
    others: tuple[str, ...]  # anything else in the table, "KIND NAME": maps, flowtables, "line flags dormant"
    elements: Mapping[str, tuple[str, ...]]

    def outline(self) -> str:
        """Everything but the elements, as JSON: what the renderer needs to know of a gateway."""
        return json.dumps(
            {
                "sets": dict(self.sets),
                "counters": sorted(self.counters),
                "chains": dict(self.chains),
                "others": self.others,
            },
            sort_keys=True,
        )


def tables_of(listing: str) -> dict[str, tuple[str, list[str]]]:
    """``inet tokgate`` -> (handle, body lines). Raises ``Unreadable`` on a table that does not close."""
    tables: dict[str, tuple[str, list[str]]] = {}
    current: list[str] | None = None
    for number, line in enumerate(listing.split("\n"), start=1):
        if current is not None:
            if line == "}":
                current = None
            else:
                current.append(line)
        elif match := _TABLE.fullmatch(line):
            current = []
            tables[match["name"]] = (match["handle"] or "", current)
        elif line and not line.startswith("#"):
            raise Unreadable(f"line {number} of the listing is outside any table: {line[:80]!r}")
    if current is not None:
        raise Unreadable("the listing ends inside a table: it was cut off")
    return tables


def skeleton_of(handle: str, body: Iterable[str]) -> Skeleton:
    """Our table taken apart. Raises ``Unreadable`` on a block that does not close or elements without an end."""
    sets: dict[str, tuple[str, ...]] = {}
    chains: dict[str, tuple[str, ...]] = {}
    elements: dict[str, tuple[str, ...]] = {}
    counters: set[str] = set()
    others: list[str] = []
    for kind, name, lines in _blocks(body):
        if kind == "set":
            sets[name], elements[name] = _split_elements(name, lines)
        elif kind == "chain":
            chains[name] = tuple(lines)
        elif kind == "counter":
            counters.add(name)
        elif not (kind == "line" and name.startswith("comment ")):  # a comment changes nothing
            others.append(f"{kind} {name}")
    return Skeleton(
        handle=handle,
        sets=sets,
        counters=frozenset(counters),
        chains=chains,
        others=tuple(others),
        elements=elements,
    )


def _blocks(body: Iterable[str]) -> Iterator[tuple[str, str, list[str]]]:
    """(kind, name, lines) of each block; lines without indent and handle. A line outside a block comes alone."""
    kind = name = ""
    lines: list[str] | None = None
    for line in body:
        if lines is not None:
            if line == "\t}":
                yield kind, name, lines
                lines = None
            else:
                lines.append(_HANDLE.sub("", line.strip("\t")))
        elif match := _BLOCK.fullmatch(line):
            kind, name, lines = match["kind"], match["name"], []
        elif line.strip():
            yield "line", _HANDLE.sub("", line.strip()), []
    if lines is not None:
        raise Unreadable(f"{kind} {name} does not close: the listing was cut off")


def _split_elements(name: str, lines: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    start = next((i for i, line in enumerate(lines) if line.startswith(_ELEMENTS)), None)
    if start is None:
        return tuple(lines), ()
    text = "".join(line.strip() + " " for line in lines[start:]).rstrip()
    if not text.endswith(" }"):
        raise Unreadable(f"the elements of set {name} have no end: the listing was cut off")
    listed = text[len(_ELEMENTS) : -2]
    found = _COMMENTED.findall(listed) if '"' in listed else listed.split(", ")
    return tuple(lines[:start]), tuple(part.strip() for part in found)


def foreign_text(tables: Mapping[str, tuple[str, list[str]]], ours: str) -> str:
    """All that is not ours, without the elements that live sets gather by themselves."""
    parts: list[str] = []
    for name in sorted(tables):
        if name == ours:
            continue
        handle, body = tables[name]
        parts.append(f"table {name} # {handle}")
        for kind, block, lines in _blocks(body):
            live = kind == "set" and any(line.startswith(_FOREIGN_LIVE) for line in lines)
            kept = _split_elements(block, lines)[0] if live else tuple(lines)
            parts += [f"{kind} {block}", *kept]
    return "\n".join(parts)
