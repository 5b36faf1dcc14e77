"""sFlow version 5: packets that a switch took by chance, one in so many. Bounded, and safe on hostile datagrams.

Own, and small: no library that is kept reads it. Source: the sFlow version 5 specification of sflow.org (July 2004):
samples, expanded ones too, with the header of the packet, or with addresses and ports. A datagram tells no time but the
agent's uptime, so a sample is of when it came in. What a sample says counts once: nothing is multiplied by the rate.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_address
from typing import Final

from controller.evidence.formats import capture_files
from controller.evidence.formats.flows import one_way
from controller.evidence.model import Sighting, Verdict

MARK: Final = b"\0\0\0\5"
"""How a datagram begins; NetFlow has its version in the first two bytes."""
MAX_SAMPLES: Final = 1_024
MAX_RECORDS: Final = 64
_AGENTS: Final = {1: 4, 2: 16}
_RESET: Final = 4
_FLOW, _EXPANDED = 1, 3
_HEADER, _IPV4, _IPV6 = 1, 3, 4
_LINKS: Final = {1: 1, 11: 101, 12: 101}
"""Kinds of headers as captures call them: Ethernet, IPv4, IPv6."""
_DISCARDED: Final = 1
_FILTERED: Final = frozenset({9, 10, 13, 258})
"""Reasons for a discarded packet: prohibited by ICMP's codes, or an access list."""


def samples(data: bytes, at: datetime, sensor: str) -> Iterator[Sighting]:
    """What a datagram says of who sent what to whom. Raises ``ValueError``, ``struct.error`` for one that is broken."""
    width = _AGENTS.get(_number(data, 4))
    if width is None:
        raise ValueError("sFlow of an agent without an address")
    count, place = _number(data, 8 + width + 12), 8 + width + 16
    if count > MAX_SAMPLES:
        raise ValueError("sFlow with more samples than a datagram holds")
    for _ in range(count):
        form, body, place = _part(data, place)
        if form in (_FLOW, _EXPANDED):
            yield from _sample(body, at, sensor, is_expanded=form == _EXPANDED)


def _sample(body: bytes, at: datetime, sensor: str, *, is_expanded: bool) -> Iterator[Sighting]:
    if is_expanded:
        way, why, count = _number(body, 32), _number(body, 36), _number(body, 40)
        place = 44
    else:
        output, count = _number(body, 24), _number(body, 28)
        way, why, place = output >> 30, output & 0x3FFFFFFF, 32
    if count > MAX_RECORDS:
        raise ValueError("sFlow with more records than a sample has")
    verdict = Verdict.BLOCKED if way == _DISCARDED and why in _FILTERED else Verdict.UNKNOWN
    known: dict[int, bytes] = {}
    for _ in range(count):
        form, record, place = _part(body, place)
        known.setdefault(form, record)
    found = _of_header(known, at, sensor, verdict) or _of_addresses(known, at, sensor, verdict)
    if found is not None:
        yield found


def _of_header(known: dict[int, bytes], at: datetime, sensor: str, verdict: Verdict) -> Sighting | None:
    if (record := known.get(_HEADER)) is None:
        return None
    kind, size, _, length = struct.unpack_from(">IIII", record)
    if length > len(record) - 16:
        raise ValueError("sFlow with a header that is cut off")
    link = _LINKS.get(kind)
    packet = capture_files.packet(capture_files.Frame(0, link, record[16 : 16 + length])) if link is not None else None
    if packet is None:
        return None
    found = one_way(
        sensor,
        at=at,
        ends=((ip_address(packet.source), packet.source_port), (ip_address(packet.destination), packet.port)),
        kind=packet.protocol,
        packets=1,
        octets=size,
        verdict=verdict,
    )
    return replace(found, answered=None) if packet.flags & _RESET else found  # a firewall may have written it


def _of_addresses(known: dict[int, bytes], at: datetime, sensor: str, verdict: Verdict) -> Sighting | None:
    for form, width in ((_IPV4, 4), (_IPV6, 16)):
        if (record := known.get(form)) is not None:
            size, kind = struct.unpack_from(">II", record)
            ports = struct.unpack_from(">II", record, 8 + 2 * width)
            source, destination = (ip_address(record[8 + n * width : 8 + (n + 1) * width]) for n in (0, 1))
            source_port, port = (number if 0 < number <= 65535 else None for number in ports)
            return one_way(
                sensor,
                at=at,
                ends=((source, source_port), (destination, port)),
                kind=kind & 0xFF,
                packets=1,
                octets=size,
                verdict=verdict,
            )
    return None


def _part(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Its form, what it holds, and where it ends; a maker's own form is none that is known."""
    form, size = struct.unpack_from(">II", data, at)
    end = at + 8 + size
    if end > len(data):
        raise ValueError("sFlow that is cut off")
    return form, data[at + 8 : end], end + (-size % 4)


def _number(data: bytes, at: int) -> int:
    (found,) = struct.unpack_from(">I", data, at)
    return int(found)


__all__ = ["MARK", "samples"]
