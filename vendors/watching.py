"""Firewalls that are only watched: they pull our lists, and a manager of theirs holds the rules. Pure.

There is no place for our mark but the list itself: seven host addresses of the documentation prefix (RFC 3849, routed
nowhere) say whose it is, from which snapshot, and what should be held.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Final

from core.net import Network
from vendors.codec import desired_digest
from vendors.model import Desired, FeedList, GroupName, Mark, RuleName

MARKS: Final = 7
"""Entries of a list that say whose it is."""
_MARKS: Final = IPv6Network("2001:db8:7467::/48")
_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Of a ULID (Crockford's base 32)."""


def sources_of(rule: RuleName) -> GroupName:
    """``deny-company`` is about ``src-company``."""
    return GroupName(f"src-{rule.removeprefix('deny-')}")


def marked(lists: Iterable[FeedList], desired: Desired) -> tuple[FeedList, ...]:
    """The lists, each with what says whose it is."""
    digest = desired_digest(desired)
    words = f"{_number(desired.owner):032x}{int(desired.snapshot, 16):016x}{digest}"
    base = int(_MARKS.network_address)
    parts = (int(words[at : at + 16], 16) for at in range(0, len(words), 16))
    lines = [f"{IPv6Address(base | at << 64 | part)}/128" for at, part in enumerate(parts)]
    return tuple(replace(one, lines=(*one.lines, *lines)) for one in lists)


def unmarked(members: frozenset[Network]) -> tuple[frozenset[Network], Mark | None]:
    """What a loaded list says, and its mark."""
    marks = {n for n in members if isinstance(n, IPv6Network) and n.subnet_of(_MARKS)}
    found = {int(n.network_address) >> 64 & 0xFFFF: int(n.network_address) & (2**64 - 1) for n in marks}
    if sorted(found) != list(range(MARKS)) or len(marks) != MARKS:
        return members - marks, None
    digest = "".join(f"{found[at]:016x}" for at in range(3, MARKS))
    return members - marks, Mark(owner=_text(found[0] << 64 | found[1]), snapshot=f"{found[2]:012x}", desired=digest)


def _number(text: str) -> int:
    number = 0
    for letter in text:
        number = number << 5 | _LETTERS.index(letter)
    return number


def _text(number: int) -> str:
    return "".join(_LETTERS[number >> 5 * at & 31] for at in reversed(range(26)))
