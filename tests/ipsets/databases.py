"""Writes databases in MaxMind's format, version 2.0, as specified: not with the library that reads them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_network
from typing import Any

from ipsets.sources.mmdb import MARKER

EMPTY = -1
ALIASES = ("::ffff:0:0/96", "2002::/16")


def encode(value: Any) -> bytes:
    """One value of the data section."""
    match value:
        case bool():
            return _control(14, int(value))
        case str():
            return _control(2, len(value.encode())) + value.encode()
        case bytes():
            return _control(4, len(value)) + value
        case float():
            return _control(3, 8) + struct.pack("!d", value)
        case int():
            return number(value)
        case list():
            return _control(11, len(value)) + b"".join(encode(inner) for inner in value)
        case dict():
            return _control(7, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())
    raise TypeError(type(value).__name__)


def number(value: int, *, kind: int = 6) -> bytes:
    """Of a type: 5 is uint16, 6 uint32, 9 uint64."""
    width = (value.bit_length() + 7) // 8
    return _control(kind, width) + value.to_bytes(width, "big")


def _control(kind: int, size: int) -> bytes:
    first, extended = (kind << 5, b"") if kind < 8 else (0, bytes([kind - 7]))
    if size < 29:
        return bytes([first | size]) + extended
    if size < 285:
        return bytes([first | 29]) + extended + bytes([size - 29])
    return bytes([first | 30]) + extended + struct.pack("!H", size - 285)


def database(
    rows: Mapping[str, Any], *, built: datetime, kind: str = "GeoLite2-ASN", size: int = 28, version: int = 6,
    aliases: bool = True, **metadata: Any,
) -> bytes:  # fmt: skip
    """A database of these networks; equal records are written once. ``metadata`` replaces what it says of itself."""
    data, places = bytearray(), dict[str, int]()
    nodes = [[EMPTY, EMPTY]]
    for network, record in rows.items():
        place = places.setdefault(repr(record), len(data))
        if place == len(data):
            data += record if isinstance(record, bytes) else encode(record)
        _insert(nodes, network, place, version=version)
    if version == 6 and aliases:
        _alias(nodes)
    return tree(nodes, size) + bytes(16) + bytes(data) + MARKER + _metadata({
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": int(built.timestamp()),
        "database_type": kind, "description": {"en": "made by a test"}, "ip_version": version, "languages": ["en"],
        "node_count": len(nodes), "record_size": size, **metadata,
    })  # fmt: skip


def _metadata(told: Mapping[str, Any]) -> bytes:
    """Each number as of the type that the specification gives it."""
    kinds = {"build_epoch": 9, "node_count": 6}
    return _control(7, len(told)) + b"".join(
        encode(key) + (number(value, kind=kinds.get(key, 5)) if type(value) is int else encode(value))
        for key, value in told.items()
    )


def tree(nodes: list[list[int]], size: int) -> bytes:
    """The search tree. Of a child: ``EMPTY``, another node, or -2 and below a place in the data."""
    return b"".join(_node(*(_record(child, len(nodes)) for child in node), size=size) for node in nodes)


def _record(child: int, count: int) -> int:
    return count if child == EMPTY else child if child >= 0 else count + 16 + (-2 - child)


def _node(left: int, right: int, *, size: int) -> bytes:
    if size != 28:
        return left.to_bytes(size // 8, "big") + right.to_bytes(size // 8, "big")
    middle = (left >> 24) << 4 | right >> 24
    return (left & 0xFFFFFF).to_bytes(3, "big") + bytes([middle]) + (right & 0xFFFFFF).to_bytes(3, "big")


def _insert(nodes: list[list[int]], text: str, place: int, *, version: int) -> None:
    network = ip_network(text)
    bits = 32 if version == 4 else 128
    address = int(network.network_address) << (bits - network.max_prefixlen if version == 4 else 0)
    length = network.prefixlen + (bits - network.max_prefixlen)
    node = 0
    for depth in range(length - 1):
        node = _child(nodes, node, address >> (bits - 1 - depth) & 1)
    nodes[node][address >> (bits - length) & 1] = -2 - place


def _child(nodes: list[list[int]], node: int, bit: int) -> int:
    if nodes[node][bit] == EMPTY:
        nodes.append([EMPTY, EMPTY])
        nodes[node][bit] = len(nodes) - 1
    return nodes[node][bit]


def _alias(nodes: list[list[int]]) -> None:
    """Where MaxMind's own databases let addresses of IPv4 be found a second time."""
    start = 0
    for _ in range(96):
        start = _child(nodes, start, 0)
    for text in ALIASES:
        network, node = ip_network(text), 0
        for depth in range(network.prefixlen - 1):
            node = _child(nodes, node, int(network.network_address) >> (127 - depth) & 1)
        nodes[node][int(network.network_address) >> (128 - network.prefixlen) & 1] = start
