"""Open connections: how `show conn` prints them and what `show conn` and `clear conn` choose among them.

    54 in use, 123 most used
    TCP outside 10.10.49.10:23 inside 10.1.1.15:1026, idle 0:00:22, bytes 1774, flags UIO

The address on the interface of the lower security level stands first; ``B``: it opened the connection (ASA command
reference, `show conn`; TAC document 113602). The choice: ``[all] [protocol {tcp|udp}]``, then up to two ends, each
``address A[-B] [netmask MASK] [port P]`` (ASA command reference, `clear conn`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

from core.net import Address
from lab.emulators.asa.answers import Invalid
from lab.emulators.asa.context import Context
from lab.emulators.asa.lines import Cursor
from lab.emulators.traffic import Flow

_SHOWN = ("tcp", "udp")


@dataclass(frozen=True, slots=True)
class End:
    """Where one end of a connection is."""

    first: Address
    last: Address
    port: int | None

    def fits(self, address: Address, port: int) -> bool:
        within = address.version == self.first.version and int(self.first) <= int(address) <= int(self.last)
        return within and self.port in (None, port)


@dataclass(frozen=True, slots=True)
class Selection:
    protocol: str | None
    ends: tuple[End, ...]

    def takes(self, flow: Flow) -> bool:
        """The ends of a connection in either order."""
        both = ((flow.source, flow.source_port), (flow.destination, flow.port))
        orders = (both, both[::-1])
        fits = any(all(end.fits(*at) for end, at in zip(self.ends, order, strict=False)) for order in orders)
        return fits and self.protocol in (None, flow.protocol)


def read_selection(cursor: Cursor, context: Context) -> Selection:
    cursor.takes("all")
    protocol = cursor.choice(_SHOWN) if cursor.takes("protocol") else None
    ends: list[End] = []
    while cursor.takes("address"):
        if len(ends) == 2:
            raise Invalid(cursor.at)
        ends.append(_read_end(cursor, context))
    cursor.end()
    return Selection(protocol, tuple(ends))


def _read_end(cursor: Cursor, context: Context) -> End:
    at, word = cursor.at, cursor.take()
    try:
        begin, _, end = word.partition("-")
        first, last = ip_address(begin), ip_address(end or begin)
    except ValueError:
        raise Invalid(at) from None
    if first.version != last.version or int(first) > int(last):
        raise Invalid(at)
    if first.version == 6 and first != last and not context.switches.conn_v6_ranges:
        raise Invalid(at)
    if cursor.takes("netmask"):
        first, last = _masked(cursor, first)
    return End(first, last, cursor.number(0, 65_535) if cursor.takes("port") else None)


def _masked(cursor: Cursor, address: Address) -> tuple[Address, Address]:
    at, word = cursor.at, cursor.take()
    try:
        mask = int(IPv4Address(word))
    except ValueError:
        raise Invalid(at) from None
    if address.version != 4:
        raise Invalid(at)
    first = int(address) & mask
    return IPv4Address(first), IPv4Address(first | (~mask & 0xFFFFFFFF))


def shown(context: Context, selection: Selection) -> Iterator[str]:
    yield f"{len(context.connections)} in use, {context.most_connections} most used"
    levels = {each.name: each.level for each in context.running.interfaces()}
    for flow in context.connections.values():
        if selection.takes(flow):
            yield _line(context, flow, opened_low=levels.get(flow.inside, 0) < levels.get(flow.outside, 0))


def _line(context: Context, flow: Flow, *, opened_low: bool) -> str:
    source = f"{flow.inside} {_address(context, flow.source)}:{flow.source_port}"
    destination = f"{flow.outside} {_address(context, flow.destination)}:{flow.port}"
    low, high = (source, destination) if opened_low else (destination, source)
    flags = ("UIOB" if opened_low else "UIO") if flow.protocol == "tcp" else "-"
    return f"{flow.protocol.upper()} {low} {high}, idle 0:00:22, bytes {flow.octets}, flags {flags}"


def _address(context: Context, address: Address) -> str:
    return f"[{address}]" if address.version == 6 and context.switches.conn_v6_brackets else str(address)


def clear(context: Context, selection: Selection) -> int:
    """How many were ended."""
    gone = [key for key, flow in context.connections.items() if selection.takes(flow)]
    for key in gone:
        del context.connections[key]
    return len(gone)
