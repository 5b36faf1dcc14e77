"""Open connections to networks that a change has denied: an access list judges new ones only.

    TCP outside 10.23.232.217:443 inside 192.168.1.3:52427, idle 0:01:02, bytes 4504, flags UIO

Asked by network, and ended one by one by both ends, so that nobody is cut off who is not denied. What was ended is what
a second listing does not show any more: what `clear conn` says of it is on no record. The first address is on the
interface of the lower security level, and with ``B`` it opened the connection (ASA command reference, `show conn`; TAC
document 113602). Where a translation is, the real address stands before the one in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Final

from core.net import Address, Network
from vendors.cisco_asa.talk import Terminal, is_invalid, lacks_rights
from vendors.cutting import Cut, Denied, is_denied, left_note, within_bounds
from vendors.shell import Said

_TIMEOUT: Final = timedelta(seconds=60)
_LINE: Final = re.compile(
    r"(?P<protocol>TCP|UDP) \S+ +(?P<low>\S+):(?P<low_port>\d+) \S+ +(?P<high>\S+):(?P<high_port>\d+),? "
    r"idle \S+ bytes \d+(?:, flags ?(?P<flags>\S*))?\s*"
)


@dataclass(frozen=True, slots=True)
class Open:
    """One connection, from who opened it."""

    protocol: str
    source: Address
    source_port: int
    destination: Address
    destination_port: int

    @property
    def clear(self) -> str:
        ends = f"address {self.source} port {self.source_port} address {self.destination} port {self.destination_port}"
        return f"clear conn protocol {self.protocol} {ends}"


def listing(network: Network) -> str:
    """What asks for the connections that have an end in a network."""
    first, last = network.network_address, network.broadcast_address
    if first == last:
        return f"show conn address {first}"
    return (
        f"show conn address {first} netmask {network.netmask}"
        if network.version == 4
        else f"show conn address {first}-{last}"
    )


def open_in(text: str) -> Iterator[Open]:
    """The TCP and UDP connections through the device; one to itself, as ours, has another form."""
    for line in text.splitlines():
        found = _LINE.fullmatch(line.strip())
        low, high = (_address(found[end]) if found else None for end in ("low", "high"))
        if found is None or low is None or high is None:
            continue
        one, other = (high, int(found["high_port"])), (low, int(found["low_port"]))
        if "B" in (found["flags"] or ""):
            one, other = other, one
        yield Open(found["protocol"].lower(), *one, *other)


def _address(text: str) -> Address | None:
    """None for a name, which stands for an address where aliases are on."""
    try:
        return ip_address(text.partition("(")[0].strip("[]"))
    except ValueError:
        return None


def cut(at: Terminal, denied: tuple[Denied, ...], most: int) -> Cut:
    """End at most so many. Never raises."""
    return within_bounds(denied, lambda networks: _cut(at, denied, networks, most))


def _cut(at: Terminal, denied: tuple[Denied, ...], networks: list[Network], most: int) -> Cut:
    found, unasked = _standing(at, denied, networks)
    if unasked == len(networks):
        return Cut(None, "open sessions could not be asked for: the account needs `show conn`")
    chosen = found[:most]
    for each in chosen:
        if _is_refused(at.ask(each.clear, timeout=_TIMEOUT)):
            return Cut(None, "open sessions could not be ended: the account needs `clear conn`")
    standing = set(_standing(at, denied, networks)[0]) if chosen else set()
    going_on = sum(each in standing for each in chosen)
    notes = (
        left_note(len(found) - len(chosen)),
        f"{going_on} open sessions went on though they were cleared" if going_on else "",
        f"open sessions to {unasked} newly denied networks could not be asked for" if unasked else "",
    )
    return Cut(len(chosen) - going_on, "; ".join(filter(None, notes)))


def _standing(at: Terminal, denied: tuple[Denied, ...], networks: Iterable[Network]) -> tuple[list[Open], int]:
    """The connections that a change denies, and how many networks could not be asked for."""
    answers = [at.ask(listing(network), timeout=_TIMEOUT) for network in networks]
    told = [said for said in answers if not _is_refused(said)]
    found = (each for said in told for each in open_in(said.text))
    of_the_denied = (each for each in found if is_denied(denied, each.source, each.destination))
    return list(dict.fromkeys(of_the_denied)), len(answers) - len(told)


def _is_refused(said: Said) -> bool:
    return lacks_rights(said.text) or is_invalid(said) or "ERROR" in said.text
