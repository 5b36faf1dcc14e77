"""A configuration as an ASA prints it, as blocks; and which of them are ours. Pure.

Compared by content, never by text: the device spells out and leaves out as it likes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Final

from core.net import Network, parse_network
from vendors.cisco_asa.shape import MARK_GROUP, PREFIX, is_our_ace, rule_of_remark
from vendors.cisco_asa.times import is_our_name
from vendors.errors import Unreadable

_DROPPED: Final = re.compile(r"[:!]|ASA Version |Cryptochecksum:|\s*$")


@dataclass(frozen=True, slots=True)
class Block:
    """A line of the configuration, and the lines indented below it."""

    head: str
    body: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        return (self.head, *(f" {line}" for line in self.body))


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of an access list, without the list's name."""

    text: str

    @property
    def is_remark(self) -> bool:
        return self.text.startswith("remark ")

    @property
    def is_ours(self) -> bool:
        return rule_of_remark(self.text) is not None or is_our_ace(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldGroup:
    """An object-group network, or an object network, of our name: its lines as the device prints them."""

    description: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What stands on the device under our names, to the line; and whole access lists, for the places in them."""

    objects: Mapping[str, HeldGroup]
    groups: Mapping[str, HeldGroup]
    ranges: Mapping[str, tuple[str, ...]]  # time-ranges, each with its lines
    lists: Mapping[str, tuple[Entry, ...]]
    aliases: Mapping[str, str]  # name -> address, where the device prints names for addresses
    used: frozenset[str]  # names of ours that lines of the site refer to

    @property
    def mark(self) -> str | None:
        """The text where our mark stands; None when there is no place for it."""
        about = self.groups.get(MARK_GROUP)
        return about.description if about is not None else None


def blocks_of(text: str) -> tuple[Block, ...]:
    """Of a whole configuration or of a part of one, without comments and what differs at each printing."""
    found: list[Block] = []
    body: list[str] = []
    for line in text.splitlines():
        if _DROPPED.match(line):
            continue
        if line[0] == " " and found:
            body.append(line.strip())
            continue
        if body:
            found[-1], body = Block(found[-1].head, tuple(body)), []
        found.append(Block(line.rstrip()))
    if body:
        found[-1] = Block(found[-1].head, tuple(body))
    return tuple(found)


def whole(text: str) -> tuple[Block, ...]:
    """The blocks of `show running-config`. Raises ``Unreadable`` unless it begins and ends as one does."""
    lines = [line.strip() for line in text.strip().splitlines()]
    if any(line.startswith("NGFW Version ") for line in lines):
        raise Unreadable("this is Threat Defense, which is configured by its manager alone and not by this adapter")
    if not lines or lines[-1] != ": end" or not any(line.startswith("ASA Version ") for line in lines):
        end = lines[-1][:60] if lines else ""
        raise Unreadable(f"the configuration is not whole: it ends with {end!r}")
    found = blocks_of(text)
    if not any(block.head.startswith("hostname ") for block in found):
        raise Unreadable("the configuration has no hostname: this is not a whole one")
    return found


def is_ours(block: Block) -> bool:
    words = block.head.split()
    match words:
        case ["object" | "object-group", "network", name]:
            return name.startswith(PREFIX)
        case ["time-range", name]:
            return is_our_name(name)
        case ["access-list", _, *_]:
            return entry_of(block).is_ours
        case _:
            return False


def entry_of(block: Block) -> Entry:
    """Raises ``ValueError`` when the block is no line of an access list."""
    _, _, text = block.head.split(" ", 2)
    return Entry(text.strip())


def held_from(blocks: Iterable[Block], lists: Iterable[str]) -> Held:
    """What is ours among the blocks. ``lists``: access lists that are wanted whole whether or not we are in them."""
    wanted = set(lists)
    objects: dict[str, HeldGroup] = {}
    groups: dict[str, HeldGroup] = {}
    ranges: dict[str, tuple[str, ...]] = {}
    entries: dict[str, list[Entry]] = {}
    aliases: dict[str, str] = {}
    used: set[str] = set()
    prints_names = False
    for block in blocks:
        words = block.head.split()
        match words:
            case ["object", "network", name] if name.startswith(PREFIX):
                objects[name] = _held(block)
            case ["object-group", "network", name] if name.startswith(PREFIX):
                groups[name] = _held(block)
            case ["time-range", name] if is_our_name(name):
                ranges[name] = block.body
            case ["access-list", name, _, *_]:
                entries.setdefault(name, []).append(entry_of(block))
            case ["names"]:
                prints_names = True
            case ["name", address, alias, *_]:
                aliases[alias] = address
        if not is_ours(block):
            used.update(word for line in block.lines for word in line.split() if word.startswith(PREFIX))
    kept = {
        name: tuple(found) for name, found in entries.items() if name in wanted or any(entry.is_ours for entry in found)
    }
    return Held(
        objects=objects,
        groups=groups,
        ranges=ranges,
        lists=kept,
        aliases=aliases if prints_names else {},
        used=frozenset(used),
    )


def _held(block: Block) -> HeldGroup:
    description = next((line[12:].strip() for line in block.body if line.startswith("description ")), "")
    return HeldGroup(
        description=description, members=tuple(line for line in block.body if not line.startswith("description "))
    )


def relevant(blocks: Iterable[Block], held: Held) -> str:
    """Configuration text from which ``held_from`` makes the same value."""
    return "".join(f"{line}\n" for block in blocks if _matters(block, held) for line in block.lines)


def _matters(block: Block, held: Held) -> bool:
    words = block.head.split()
    return (
        is_ours(block)
        or (words[0] == "access-list" and words[1] in held.lists)
        or words[0] in ("names", "name")
        or any(word in held.used for line in block.lines for word in line.split())
    )


def network_of(member: str, aliases: Mapping[str, str]) -> Network | None:
    """The network that a `network-object` line means; None when it means none exactly."""
    words = member.split()
    if aliases and len(words) > 1:
        at = 2 if words[1] == "host" and len(words) > 2 else 1
        address, slash, length = words[at].partition("/")
        words[at] = f"{aliases.get(address, address)}{slash}{length}"
    return _network_of(" ".join(words))


@lru_cache(maxsize=1 << 16)  # a change looks at the same members a dozen times
def _network_of(member: str) -> Network | None:
    try:
        match member.split():
            case ["network-object", "host", address] if "/" not in address:
                return parse_network(address)
            case ["network-object", address, mask] if "/" not in address:
                return parse_network(f"{address}/{_length(mask)}")
            case ["network-object", prefix] if "/" in prefix:
                return parse_network(prefix)
    except ValueError:
        pass
    return None


@lru_cache(maxsize=64)
def _length(mask: str) -> int:
    """Of a netmask. Raises ``ValueError`` for a wildcard mask, which an ASA does not have."""
    host = int(IPv4Address(mask)) ^ 0xFFFFFFFF
    if host & (host + 1):
        raise ValueError(mask)
    return 32 - host.bit_length()


def words_of(blocks: Iterable[Block]) -> Iterator[tuple[str, ...]]:
    """Every line of the blocks as words, heads and bodies alike."""
    for block in blocks:
        yield from (tuple(line.split()) for line in block.lines)
