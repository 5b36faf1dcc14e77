"""Open sessions to networks that a change has denied: a new deny does not end them, unless `rematch` is on.

    323          ssh            ACTIVE  FLOW       192.0.2.25[39686]/inside/6  (198.51.100.2[39686])
    vsys1                                          203.0.113.25[22]/outside  (203.0.113.25[22])

Asked by network, and ended one by one by their number (`clear session id`, "to end that session only": PAN-OS
administrator's guide, "Monitor blocked IP addresses"), so that nobody is cut off who is not denied. `clear session all`
is never sent. What was ended is what a second listing does not show any more: what the firewall says of it is on no
public record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Final

from core.net import Address, Network, cidr_of
from vendors.adapter import Session
from vendors.cutting import Cut, Denied, is_denied, left_note, within_bounds
from vendors.paloalto_panos import facts
from vendors.shell import Dialect, Said, Shell

_TIMEOUT: Final = timedelta(seconds=60)
_END: Final = r"(?P<{0}>[0-9A-Fa-f.:]+)\[\d+\]/"
_FIRST: Final = re.compile(rf"(?P<number>\d+)\s+\S+\s+(?P<state>[A-Z]+)\s+.*?\s{_END.format('source')}.*")
_SECOND: Final = re.compile(rf"(?P<vsys>\S+)\s+{_END.format('destination')}.*")
_DENIED: Final = "DISCARD"
"""The state of a session that the firewall refuses: nothing passes."""


@dataclass(frozen=True, slots=True)
class Open:
    """One session that stands."""

    number: int
    source: Address
    destination: Address

    @property
    def clear(self) -> str:
        return f"clear session id {self.number}"


def listing(network: Network) -> str:
    """What asks for the sessions to a network: a host without its length."""
    place = network.network_address if network.num_addresses == 1 else cidr_of(network)
    return f"show session all filter destination {place}"


def open_in(text: str, vsys: str) -> Iterator[Open]:
    """The sessions of one virtual system that a listing shows."""
    first: re.Match[str] | None = None
    for line in (raw.strip() for raw in text.splitlines()):
        if found := _FIRST.fullmatch(line):
            first = found
            continue
        second = _SECOND.fullmatch(line)
        if first is not None and second is not None and second["vsys"] == vsys and first["state"] != _DENIED:
            yield Open(int(first["number"]), ip_address(first["source"]), ip_address(second["destination"]))
        first = None


def cut(session: Session, dialect: Dialect, denied: tuple[Denied, ...], vsys: str, most: int) -> Cut:
    """End at most so many. Never raises."""

    def end(networks: list[Network]) -> Cut:
        with session.shell(dialect) as shell:
            return _cut(shell, denied, networks, vsys, most)

    return within_bounds(denied, end)


def _cut(shell: Shell, denied: tuple[Denied, ...], networks: list[Network], vsys: str, most: int) -> Cut:
    found, unasked = _standing(shell, denied, networks, vsys)
    sent = len(networks)
    if unasked == len(networks):
        return Cut(None, "open sessions could not be asked for: the firewall does not take the filter", sent)
    chosen = found[:most]
    for each in chosen:
        sent += 1
        if facts.is_refused(shell.ask(each.clear, timeout=_TIMEOUT).text):
            return Cut(None, "open sessions could not be ended: the role needs `clear session id`", sent)
    standing = set(_standing(shell, denied, networks, vsys)[0]) if chosen else set()
    going_on = sum(each in standing for each in chosen)
    notes = (
        left_note(len(found) - len(chosen)),
        f"{going_on} open sessions went on though they were cleared" if going_on else "",
        f"open sessions to {unasked} newly denied networks could not be asked for" if unasked else "",
    )
    return Cut(len(chosen) - going_on, "; ".join(filter(None, notes)), sent + (len(networks) if chosen else 0))


def _standing(
    shell: Shell, denied: tuple[Denied, ...], networks: Iterable[Network], vsys: str
) -> tuple[list[Open], int]:
    """The sessions that a change denies, and how many networks could not be asked for."""
    answers: list[Said] = [shell.ask(listing(network), timeout=_TIMEOUT) for network in networks]
    told = [said for said in answers if not facts.is_refused(said.text)]
    found = (each for said in told for each in open_in(said.text, vsys))
    of_the_denied = (each for each in found if is_denied(denied, each.source, each.destination))
    return list(dict.fromkeys(of_the_denied)), len(answers) - len(told)
