"""Writes routing tables in the MRT format, byte by byte as RFC 6396 and RFC 8050 say (TABLE_DUMP_V2)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Final

TABLE_DUMP_V2: Final = 13
PEER_INDEX_TABLE: Final = 1
RIB: Final = {4: 2, 6: 4}
RIB_ADDPATH: Final = {4: 8, 6: 10}
SET, SEQUENCE, CONFED_SEQUENCE, CONFED_SET = 1, 2, 3, 4
Path = Sequence[tuple[int, Sequence[int]]]
"""Segments: a type, and its networks."""


def sequence(*asns: int) -> Path:
    return ((SEQUENCE, asns),)


def record(body: bytes, *, at: datetime, subtype: int, kind: int = TABLE_DUMP_V2) -> bytes:
    """The common header (section 2) and what follows it."""
    return struct.pack("!IHHI", int(at.timestamp()), kind, subtype, len(body)) + body


def peers(*known: tuple[str, int], at: datetime) -> bytes:
    """The table of peers (section 4.3.1): address and network of each."""
    body = ip_address("192.0.2.1").packed + struct.pack("!H", 4) + b"test" + struct.pack("!H", len(known))
    for address, asn in known:
        packed = ip_address(address).packed
        kind = (1 if len(packed) == 16 else 0) | 2
        body += bytes([kind]) + ip_address("192.0.2.9").packed + packed + struct.pack("!I", asn)
    return record(body, at=at, subtype=PEER_INDEX_TABLE)


def routes(
    prefix: str, *seen: tuple[int, Path], at: datetime, subtype: int | None = None, count: int | None = None
) -> bytes:
    """One prefix and who sees it how (sections 4.3.2 and 4.3.4): the number of a peer, and its path."""
    network = ip_network(prefix)
    chosen = RIB[network.version] if subtype is None else subtype
    body = struct.pack("!I", 0) + bytes([network.prefixlen])
    body += network.network_address.packed[: (network.prefixlen + 7) // 8]
    body += struct.pack("!H", len(seen) if count is None else count)
    for number, (peer, path) in enumerate(seen):
        attributes = _attributes(path)
        body += struct.pack("!HI", peer, int(at.timestamp()))
        body += struct.pack("!I", number) if chosen in RIB_ADDPATH.values() else b""
        body += struct.pack("!H", len(attributes)) + attributes
    return record(body, at=at, subtype=chosen)


def _attributes(path: Path) -> bytes:
    segments = b"".join(bytes([kind, len(asns)]) + _numbers(asns) for kind, asns in path)
    length = struct.pack("!H", len(segments)) if len(segments) > 255 else bytes([len(segments)])
    flags = 0x50 if len(segments) > 255 else 0x40
    origin, next_hop = bytes([0x40, 1, 1, 0]), bytes([0x40, 3, 4]) + ip_address("192.0.2.7").packed
    return origin + bytes([flags, 2]) + length + segments + next_hop


def _numbers(asns: Iterable[int]) -> bytes:
    return b"".join(struct.pack("!I", asn) for asn in asns)
