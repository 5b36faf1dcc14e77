"""What the device says of itself: release, role in a pair, what its configuration means for us. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from vendors.cisco_asa.config import Block, entry_of, words_of
from vendors.cisco_asa.options import CiscoAsaOptions, ListOptions
from vendors.errors import Unreadable

_VERSION: Final = re.compile(r"(?:Adaptive Security Appliance|Adaptive Security) .*?Version (\d+)\.(\d+)(?:\((\d+)\))?")
_SERIAL: Final = re.compile(r"^Serial Number: +(\S+)", re.MULTILINE)
_PAIR: Final = re.compile(r"^\s*Serial Number: Ours (\S+), Mate (\S+)", re.MULTILINE)
_HOST: Final = re.compile(r"^\s*This host: (?:Primary|Secondary)(?: - (?P<state>[A-Za-z ]+?))?\s*$", re.MULTILINE)
_CONTEXT: Final = re.compile(r"^\s*This context: (?P<state>[A-Za-z ]+?)\s*$", re.MULTILINE)
_GROUP: Final = re.compile(r"^\s*(?:Group \d+ +State:|Group \d+ State:) +(?P<state>[A-Za-z ]+?)\s*$", re.MULTILINE)
_ELSEWHERE: Final = ("access-list", "address", "match", "value", "redirect-list", "group-list", "group-policy-filter")
"""Words of lines that put an access list to another use: VPN filters, class maps, NAT, crypto maps, AAA."""


CLOCK: Final = "show clock"
_CLOCK: Final = re.compile(
    r"^[*.]?(?P<time>\d\d:\d\d:\d\d)(?:\.\d+)? \S+ [A-Z][a-z]{2} "
    r"(?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2}) (?P<year>\d{4})\s*$",
    re.MULTILINE,
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Version:
    """A release: 9.16(4) is (9, 16, 4)."""

    number: tuple[int, int, int]

    @property
    def text(self) -> str:
        major, minor, maintenance = self.number
        return f"{major}.{minor}({maintenance})"

    @property
    def has_objects(self) -> bool:
        return self.number >= (8, 4, 0)

    @property
    def has_names(self) -> bool:
        """FQDN objects came with 8.4(2) and were left out of 8.5."""
        return self.number >= (8, 4, 2) and self.number[:2] != (8, 5)

    @property
    def has_ipv6(self) -> bool:
        """Before 9.0 an extended access list was for IPv4 alone."""
        return self.number >= (9, 0, 0)


def version_of(text: str) -> Version:
    """From `show version`. Raises ``Unreadable`` for what is no ASA."""
    found = _VERSION.search(text)
    if found is None:
        raise Unreadable(f"`show version` tells of no ASA software: {' '.join(text.split())[:80]!r}")
    return Version((int(found[1]), int(found[2]), int(found[3] or 0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A unit's part in a failover pair. ``why_not``: why nothing may be written on it; None when it may."""

    paired: bool
    why_not: str | None
    units: tuple[str, ...]  # serial numbers of both units, in any order; empty when they are not told
    ours: str = ""  # what this unit and its mate count under: serial number, else part in the pair
    mate: str = ""


def role_of(text: str) -> Role:
    """From `show failover`. Raises ``Unreadable`` when it is not what an ASA says."""
    if text.lstrip().startswith("Failover Off"):
        return Role(paired=False, why_not=None, units=())
    if not text.lstrip().startswith("Failover On"):
        raise Unreadable(f"`show failover` is not understood: {' '.join(text.split())[:80]!r}")
    serials = _PAIR.search(text)
    units = tuple(serials.groups()) if serials else ()
    ours, mate = _counting_as(text, units)
    return Role(paired=True, why_not=_why_not(text), units=tuple(sorted(units)), ours=ours, mate=mate)


def _counting_as(text: str, serials: tuple[str, ...]) -> tuple[str, str]:
    """A serial number stays with the counters; a part in the pair stands in where it is not told, as of a new mate."""
    host = _HOST.search(text)
    parts = ("Secondary", "Primary") if host is not None and "Secondary" in host[0] else ("Primary", "Secondary")
    if len(set(serials)) < 2:
        return parts
    ours, mate = (serial if serial != "Unknown" else part for serial, part in zip(serials, parts, strict=True))
    return ours, mate


def _why_not(text: str) -> str | None:
    context, host = _CONTEXT.search(text), _HOST.search(text)
    if context is None and host is None:
        raise Unreadable("`show failover` does not tell the state of this unit")
    state = context["state"] if context is not None else host["state"] if host is not None else None
    if state is None:  # active/active: the states stand by group
        ours = text[host.end() if host else 0 :].partition("Other host:")[0]
        states = {found["state"] for found in _GROUP.finditer(ours)}
        if not states:
            raise Unreadable("`show failover` tells neither the state of this unit nor of its groups")
        if states == {"Active"}:
            return None
        if "Active" in states:
            return "both units are active, each for a part of the contexts; log in to the context itself"
        state = ", ".join(sorted(states))
    return None if state == "Active" else f"this unit is not the active one of its pair ({state})"


def serial_of(text: str) -> str:
    """From `show version`; empty when it is not told, as inside a context."""
    found = _SERIAL.search(text)
    return found[1] if found else ""


def epoch_of(version: str, role: Role) -> str:
    """Counters outlive a failover, since both units are counted together, and end with the hardware.

    A reload is not told: its time is on no screen to the second. Counters that went back tell it.
    """
    return "+".join(role.units) or serial_of(version) or "asa"


# --- the configuration ----------------------------------------------------------------------------------------------


def wall_time(text: str) -> datetime | None:
    """What `show clock` says: ``23:30:05.142 UTC Fri Aug 5 2005``; None when it is not understood."""
    found = _CLOCK.search(text)
    if found is None or found["month"] not in _MONTHS:
        return None
    day = f"{found['year']}-{_MONTHS.index(found['month']) + 1:02}-{int(found['day']):02}"
    try:
        return datetime.fromisoformat(f"{day}T{found['time']}")
    except ValueError:
        return None


def resolves(blocks: Iterable[Block]) -> bool:
    """Whether the device can look names up: an interface to ask through, and a server to ask."""
    lines = list(words_of(blocks))
    asks = any(words[:2] == ("dns", "domain-lookup") for words in lines)
    return asks and any(words[0] == "name-server" or words[:2] == ("dns", "name-server") for words in lines)


def tells_sources(blocks: Iterable[Block]) -> bool:
    """Whether the log buffer gets what entries with `log` say, with its time."""
    heads = {block.head for block in blocks}
    levels = {f"logging buffered {level}" for level in ("informational", "debugging", "6", "7")}
    return bool({"logging enable", "logging timestamp"} <= heads and levels & heads)


def searches_groups(blocks: Iterable[Block]) -> bool:
    """Whether groups are kept unexpanded, so that nothing is counted by element."""
    return any(block.head.startswith("object-group-search access-control") for block in blocks)


def is_clustered(blocks: Iterable[Block]) -> bool:
    return any(block.head.startswith("cluster group ") and "enable" in block.body for block in blocks)


def troubles(blocks: Sequence[Block], options: CiscoAsaOptions) -> Iterator[str]:
    """Why the access lists of the inventory cannot carry our entries."""
    for each in options.lists:
        yield from _list_troubles(blocks, each)


def _list_troubles(blocks: Sequence[Block], options: ListOptions) -> Iterator[str]:
    acl = options.acl
    entries = [entry_of(block) for block in blocks if block.head.startswith(f"access-list {acl} ")]
    if not entries:
        yield f"there is no access list {acl}, and none is made: it would stop everything else"
        return
    if any(entry.text.startswith("standard ") for entry in entries):
        yield f"access list {acl} is a standard one"
    if not any(_is_bound(words, options) for words in words_of(blocks)):
        place = f" {options.direction}" if options.direction else ""
        place += f" interface {options.interface}" if options.interface else ""
        yield f"access list {acl} is not bound by access-group{place}: its entries stop nothing"
    for words in words_of(blocks):
        if words[:2] != ("access-list", acl) and words[0] != "access-group" and _uses(words, acl):
            yield f"access list {acl} serves something else too: `{' '.join(words)[:80]}`"
            return


def _is_bound(words: tuple[str, ...], options: ListOptions) -> bool:
    """By ``access-group ACL {in|out} interface NAMEIF`` or ``access-group ACL global``; not for the control plane."""
    if words[:2] != ("access-group", options.acl) or "control-plane" in words:
        return False
    direction, interface = words[2], words[4] if len(words) > 4 else None
    return (options.direction in (None, direction)) and (options.interface in (None, interface))


def _uses(words: tuple[str, ...], acl: str) -> bool:
    return any(before in _ELSEWHERE and word == acl for before, word in pairwise(words))
