"""The audit log as a file that leaves: one JSON object a line, with the chain's head, to be checked where no store is.

The first line says what it is, and which entry it goes on from; the last is the head. Between them stand the entries,
each as it is hashed. Pure: texts in, texts out. A file that was cut, edited or put together wrongly is told by the
entry where it stops holding. What it cannot tell is whether somebody wrote the whole chain anew: for that, the head of
an earlier file is kept elsewhere, and a later one goes on from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from controller.audit import Head, breaks
from controller.model import AuditEntry

KIND: Final = "tokgate audit log"
VERSION: Final = 1
_FIELDS: Final = frozenset(AuditEntry.__dataclass_fields__)
_WITHHELD: Final = ("seq", "previous", "hash")
"""Of an entry that is withheld. Its hash is taken as it is; those around it prove that it was there."""
_MOST: Final = 20
"""Breaks of entries that are told; behind one, much else may not hold either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a file is found to be. ``breaks`` is empty when it holds."""

    after: Head
    head: Head
    entries: int
    breaks: tuple[str, ...]
    withheld: int = 0
    """Entries of which only their place in the chain is told."""

    @property
    def intact(self) -> bool:
        return not self.breaks


class Unreadable(ValueError):
    """It is no export of ours, or a line of it is none; the message names the line."""


def write(
    after: Head,
    entries: Iterable[AuditEntry],
    head: Head,
    *,
    at: datetime,
    instance: str,
    shows: Callable[[AuditEntry], bool] = lambda entry: True,
) -> Iterator[str]:
    """The lines of an export, without line ends. Of an entry that is not for its reader only the hashes are told."""
    yield _line({"kind": KIND, "version": VERSION, "instance": instance, "at": at.isoformat(), "after": asdict(after)})
    for entry in entries:
        if shows(entry):
            yield _line({**asdict(entry), "at": entry.at.isoformat(timespec="microseconds")})
        else:
            yield _line({name: getattr(entry, name) for name in _WITHHELD})
    yield _line({"head": asdict(head)})


def check(lines: Iterable[str]) -> Checked:
    """Whether the chain in a file holds, and where not. Raises ``Unreadable``."""
    numbered = ((number, _object(line, number)) for number, line in enumerate(lines, start=1) if line.strip())
    _, first = next(numbered, (1, {}))
    if first.get("kind") != KIND or first.get("version") != VERSION:
        raise Unreadable(f"line 1: not the beginning of a {KIND}, version {VERSION}")
    after, head = _head(first.get("after"), 1), None
    last, count, withheld, told = after, 0, 0, list[str]()
    for number, said in numbered:
        if head is not None:
            raise Unreadable(f"line {number}: stands behind the head")
        if "head" in said:
            head = _head(said["head"], number)
            continue
        if said.keys() == frozenset(_WITHHELD):
            told += _place_breaks(found := _head({**said}, number), str(said["previous"]), last)[: _MOST - len(told)]
            last, count, withheld = found, count + 1, withheld + 1
            continue
        entry = _entry(said, number)
        told += breaks([entry], Head(seq=entry.seq, hash=entry.hash), after=last)[: _MOST - len(told)]
        last, count = Head(seq=entry.seq, hash=entry.hash), count + 1
    if head is None:
        told.append(f"the file has no end: it was cut off behind entry {last.seq}")
    elif head != last:
        told.append(f"the chain ends with entry {last.seq}, but the file says that entry {head.seq} was the last")
    return Checked(after=after, head=head or last, entries=count, breaks=tuple(told), withheld=withheld)


def _place_breaks(found: Head, previous: str, last: Head) -> list[str]:
    """Of an entry that is withheld: whether it stands where it should."""
    told = []
    if found.seq != last.seq + 1:
        told.append(f"entry {last.seq + 1} is missing: {found.seq} follows {last.seq}")
    if previous != last.hash:
        told.append(f"entry {found.seq} does not follow the entry before it")
    return told


def _line(said: dict[str, Any]) -> str:
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as exc:
        raise Unreadable(f"line {number}: not JSON") from exc
    if not isinstance(found, dict):
        raise Unreadable(f"line {number}: not an object")
    return found


def _entry(said: dict[str, Any], number: int) -> AuditEntry:
    if said.keys() != _FIELDS or type(said["seq"]) is not int:
        raise Unreadable(f"line {number}: not an entry")
    if any(not isinstance(said[name], str) for name in _FIELDS - {"seq"}):
        raise Unreadable(f"line {number}: not an entry")
    try:
        at = datetime.fromisoformat(said["at"])
    except ValueError as exc:
        raise Unreadable(f"line {number}: its time is none") from exc
    if at.tzinfo is None:
        raise Unreadable(f"line {number}: its time names no zone")
    return AuditEntry(**{**said, "at": at})


def _head(said: object, number: int) -> Head:
    if not isinstance(said, dict) or type(said.get("seq")) is not int or not isinstance(said.get("hash"), str):
        raise Unreadable(f"line {number}: not a head")
    return Head(seq=said["seq"], hash=said["hash"])


__all__ = ["Checked", "Unreadable", "check", "write"]
