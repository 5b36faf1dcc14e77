"""Open sessions to networks that a change has denied: a new policy does not end them.

`diagnose sys session clear` ends what `diagnose sys session filter` names, and **every** session of the box where no
filter is set (Fortinet community, tip 191368). So each session is ended by itself, by both ends with their ports and
its protocol; the filter is read back right before `clear` is sent, on the same command line, and nothing is cleared
unless it says exactly that session. What was ended is what a second listing does not show: `clear` says nothing.

    session info: proto=6 proto_state=01 duration=5 expire=3594 timeout=3600 …
    hook=pre dir=org act=noop 10.228.3.211:59375->10.1.1.251:445(0.0.0.0:0)
    misc=0 policy_id=1 auth_info=0 chk_client_info=0 vd=0 serial=000006d3 tos=ff/ff

Forms: the tip, and `diagnose sys session list` of the administration guides. IPv6 has commands of its own
(`session6`), whose filter is shown nowhere: its sessions are left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from core.net import Network
from vendors.cutting import Cut, Denied, is_denied, left_note, within_bounds
from vendors.errors import DeviceError
from vendors.fortinet_fortios.console import Console, refusal

FILTER: Final = "diagnose sys session filter"
LIST: Final = "diagnose sys session list"
CLEAR: Final = "diagnose sys session clear"
_BLOCK: Final = re.compile(r"^session info: ", re.MULTILINE)
_PROTOCOL: Final = re.compile(r"proto=(\d+) ")
_ENDS: Final = re.compile(
    r"^hook=\w+ dir=org act=\w+ (?P<source>[\d.]+):(?P<sport>\d+)->(?P<target>[\d.]+):(?P<dport>\d+)\(", re.MULTILINE
)
_VDOM: Final = re.compile(r"\bvd=(\d+)\b")
_SETTING: Final = re.compile(r"^\s*(?P<key>[A-Za-z][\w' -]*?)\s*:\s*(?P<value>\S+)\s*$")
_TITLE: Final = "session filter:"


@dataclass(frozen=True, slots=True)
class Open:
    """One session, from who opened it."""

    protocol: int
    source: IPv4Address
    source_port: int
    destination: IPv4Address
    destination_port: int
    vdom: int | None

    @property
    def filters(self) -> dict[str, str]:
        """By the words that set them."""
        found = {"proto": self.protocol, "src": self.source, "sport": self.source_port}
        found |= {"dst": self.destination, "dport": self.destination_port}
        return {key: str(value) for key, value in found.items()}


_SHOWN: Final = {
    "proto": "proto",
    "src": "source ip",
    "sport": "source port",
    "dst": "dest ip",
    "dport": "dest port",
    "vd": "vd",
}
"""How a filter that is set by a word is shown."""


def open_in(text: str) -> Iterator[Open]:
    """The IPv4 sessions of a listing."""
    for block in _BLOCK.split(text)[1:]:
        protocol, ends, vdom = _PROTOCOL.search(block), _ENDS.search(block), _VDOM.search(block)
        if protocol is None or ends is None:
            continue
        yield Open(
            int(protocol[1]),
            IPv4Address(ends["source"]),
            int(ends["sport"]),
            IPv4Address(ends["target"]),
            int(ends["dport"]),
            int(vdom[1]) if vdom else None,
        )


def is_set(text: str, wanted: dict[str, str]) -> bool:
    """Whether the filter, as it is shown, is exactly this one: what is not asked for says `any`."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or lines[0].strip() != _TITLE or not wanted:
        return False
    shown = [_SETTING.match(line) for line in lines[1:]]
    if any(found is None for found in shown):
        return False
    values = {found["key"]: found["value"] for found in shown if found is not None}
    meant = {_SHOWN[key]: (value, f"{value}-{value}") for key, value in wanted.items()}
    return meant.keys() <= values.keys() and all(value in meant.get(key, ("any",)) for key, value in values.items())


def cut(console: Console, denied: tuple[Denied, ...], most: int) -> Cut:
    """End at most so many, at the place where our tables are. Never raises."""
    return within_bounds(denied, lambda networks: _cut(console, denied, networks, most))


def _cut(console: Console, denied: tuple[Denied, ...], networks: list[Network], most: int) -> Cut:
    before = console.lines
    own = [network for network in networks if network.version == 4]
    left = len(networks) - len(own)
    try:
        found = _standing(console, denied, own)
        chosen = found[:most]
        for each in chosen:
            if (why := _end(console, each)) is not None:
                return Cut(None, why, console.lines - before)
        standing = set(_standing(console, denied, own)) if chosen else set()
    except _NotAsked as exc:
        return Cut(None, str(exc), console.lines - before)
    finally:
        _let_go(console)
    going_on = sum(each in standing for each in chosen)
    notes = (
        left_note(len(found) - len(chosen)),
        f"{going_on} open sessions went on though they were cleared" if going_on else "",
        f"open sessions to {left} newly denied IPv6 networks were left to end by themselves" if left else "",
    )
    return Cut(len(chosen) - going_on, "; ".join(filter(None, notes)), console.lines - before)


class _NotAsked(Exception):
    """The device does not take, or does not show, what is asked for."""


def _let_go(console: Console) -> None:
    """A filter of ours does not stay."""
    try:
        console.ask(f"{FILTER} clear")
    except DeviceError:
        return


def _standing(console: Console, denied: tuple[Denied, ...], networks: Iterable[Network]) -> list[Open]:
    """The sessions that a change denies. Raises ``_NotAsked``."""
    found: dict[Open, None] = {}
    for network in networks:
        first, last = network.network_address, network.broadcast_address
        for line in (f"{FILTER} clear", *_of_vdom(console), f"{FILTER} dst {first} {last}"):
            _do(console, line)
        said = console.ask(LIST)
        if refusal(said) is not None:
            raise _NotAsked("open sessions could not be asked for: the account needs `diagnose sys session`")
        found |= dict.fromkeys(each for each in open_in(said.text) if _is_ours(console, each))
    return [each for each in found if is_denied(denied, each.source, each.destination)]


def _is_ours(console: Console, each: Open) -> bool:
    return console.vdom_index is None or each.vdom == console.vdom_index


def _of_vdom(console: Console) -> tuple[str, ...]:
    return () if console.vdom_index is None else (f"{FILTER} vd {console.vdom_index}",)


def _do(console: Console, line: str) -> None:
    if console.do(line) is not None:
        raise _NotAsked("open sessions could not be asked for: the device does not take the filter")


def _end(console: Console, each: Open) -> str | None:
    """End one session; else why not, and then nothing was cleared."""
    wanted = dict(each.filters)
    if console.vdom_index is not None:
        wanted["vd"] = str(console.vdom_index)
    _do(console, f"{FILTER} clear")
    for key, value in wanted.items():
        _do(console, f"{FILTER} {key} {value}")
    if not is_set(console.ask(FILTER).text, wanted):
        return "open sessions were not ended: the device does not show the filter that was set, so nothing was cleared"
    if console.do(CLEAR) is not None:
        return "open sessions could not be ended: the account needs `diagnose sys session clear`"
    return None
