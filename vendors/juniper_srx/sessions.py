"""Open sessions to networks that a change has denied: a new deny does not end them (Junos security policies guide).

Asked by network, and ended one by one by their number, so that nobody is cut off who is not denied. Forms: `show
security flow session destination-prefix` (vSRX cluster 24.4), `clear security flow session session-identifier`
(Junos command reference: right `clear`, `node` in a cluster).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Final

from core.net import Address, Network
from vendors.adapter import Session
from vendors.cutting import Cut, Denied, is_denied, left_note, within_bounds
from vendors.juniper_srx import facts
from vendors.shell import Shell

_TIMEOUT: Final = timedelta(seconds=60)
_HEAD: Final = re.compile(r"^Session ID: (?P<number>\d+), (?P<rest>.*)$")
_IN: Final = re.compile(r"^\s+In: (?P<source>[0-9A-Fa-f.:]+)/\d+ --> (?P<destination>[0-9A-Fa-f.:]+)/\d+;")
_CLEARED: Final = re.compile(r"^(?P<count>\d+) active sessions cleared\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Open:
    """One session that stands. ``node``: of a cluster, where it is active."""

    number: int
    node: str
    source: Address
    destination: Address

    @property
    def clear(self) -> str:
        where = f" node {self.node.removeprefix('node')}" if self.node else ""
        return f"clear security flow session session-identifier {self.number}{where}"


def open_in(text: str) -> Iterator[Open]:
    """The sessions of a listing; of a cluster's, those that are active on the node."""
    for node, said in facts.by_node(text).items():
        number: int | None = None
        for line in said.splitlines():
            if head := _HEAD.match(line):
                number = None if "HA State: Backup" in head["rest"] else int(head["number"])
            elif number is not None and (inner := _IN.match(line)):
                yield Open(number, node, ip_address(inner["source"]), ip_address(inner["destination"]))
                number = None


def cleared_in(text: str) -> int | None:
    """How many were ended; None when it does not say."""
    found = [int(each["count"]) for each in _CLEARED.finditer(text)]
    return sum(found) if found and not facts.is_refusal(text) else None


def cut(session: Session, denied: tuple[Denied, ...], most: int) -> Cut:
    """End at most so many. Never raises."""

    def end(networks: list[Network]) -> Cut:
        with session.shell(facts.DIALECT) as shell:
            return _cut(shell, denied, networks, most)

    return within_bounds(denied, end)


def _cut(shell: Shell, denied: tuple[Denied, ...], networks: list[Network], most: int) -> Cut:
    found: list[Open] = []
    for network in networks:
        said = shell.ask(f"show security flow session destination-prefix {network}", timeout=_TIMEOUT)
        if facts.is_refusal(said.text):
            return Cut(None, "open sessions could not be asked for")
        found += [each for each in open_in(said.text) if is_denied(denied, each.source, each.destination)]
    chosen, count = list(dict.fromkeys(found)), 0
    for each in chosen[:most]:
        ended = cleared_in(shell.ask(each.clear, timeout=_TIMEOUT).text)
        if ended is None:
            return Cut(None, "open sessions could not be ended: the login class needs `clear`")
        count += ended
    return Cut(count, left_note(len(chosen) - most), len(networks) + min(len(chosen), most))
