"""PCAP and PCAPNG, packet by packet, and what a packet says up to its ports. Pure, and safe on hostile files.

Own, and small: dpkt 1.9.8 reads a block of length 0 to the end of the file into memory, knows one interface alone, and
has had no release since 2022; scapy is GPL. Source: draft-ietf-opsawg-pcap and -pcapng, RFC 791, RFC 8200.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from controller.evidence.formats.reading import Stream, Unreadable

MAX_PACKET: Final = 1 << 18
"""libpcap's own bound (``MAXIMUM_SNAPLEN``)."""
MAX_BLOCK: Final = 1 << 20
_MAGIC: Final = {
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
}
_SECTION: Final = b"\x0a\x0d\x0d\x0a"
_ORDER: Final = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_INTERFACES: Final = 1024
_ETHERNET, _SLL, _SLL2 = 1, 113, 276
_RAW: Final = frozenset({12, 14, 101, 228, 229})
_LOOPBACK: Final = frozenset({0, 108})
TCP, UDP = 6, 17
_SKIPPED: Final = frozenset({0, 43, 60})
"""Extension headers of IPv6 that something follows."""


@dataclass(frozen=True, slots=True)
class Frame:
    """``at``: microseconds since 1970."""

    at: int
    link: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """Of TCP or UDP. ``size`` is that of the whole IP packet, as it was sent."""

    protocol: int
    source: bytes
    destination: bytes
    source_port: int
    port: int
    flags: int
    sequence: int
    payload: bytes
    size: int


def is_capture(head: bytes) -> bool:
    return head[:4] in _MAGIC or (head[:4] == _SECTION and head[8:12] in _ORDER)


def frames(stream: Stream) -> Iterator[Frame]:
    """Every packet. Raises ``Unreadable`` where it can be followed no further."""
    start = _exactly(stream, 4)
    if start in _MAGIC:
        yield from _pcap(stream, *_MAGIC[start])
    elif start == _SECTION:
        yield from _pcapng(stream)
    else:
        raise Unreadable("neither PCAP nor PCAPNG")


def _exactly(stream: Stream, size: int) -> bytes:
    """Raises ``Unreadable`` when fewer are left."""
    found = _at_most(stream, size)
    if len(found) < size:
        raise Unreadable("the capture is cut off")
    return found


def _at_most(stream: Stream, size: int) -> bytes:
    parts = []
    while size and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _pcap(stream: Stream, order: str, ticks: int) -> Iterator[Frame]:
    link = struct.unpack(order + "16xI", _exactly(stream, 20))[0] & 0x0FFFFFFF
    while head := _at_most(stream, 16):
        if len(head) < 16:
            raise Unreadable("the capture is cut off")
        seconds, part, size, _ = struct.unpack(order + "IIII", head)
        if size > MAX_PACKET:
            raise Unreadable("a packet that is longer than any")
        yield Frame(seconds * 1_000_000 + part * 1_000_000 // ticks, link, _exactly(stream, size))


def _pcapng(stream: Stream) -> Iterator[Frame]:
    order, links = "<", list[tuple[int, int, int]]()
    kind = _SECTION
    while True:
        size_bytes = _exactly(stream, 4)
        if kind == _SECTION:
            mark = _exactly(stream, 4)
            if mark not in _ORDER:
                raise Unreadable("a section of no known byte order")
            order, links = _ORDER[mark], []
            _body(stream, order, size_bytes, taken=12)
        else:
            body = _body(stream, order, size_bytes, taken=8)
            number = struct.unpack(order + "I", kind)[0]
            if number == 1 and len(links) < _INTERFACES:
                links.append(_interface(body, order))
            elif number in (2, 6) and (frame := _enhanced(body, order, links, number)) is not None:
                yield frame
        kind = _at_most(stream, 4)
        if not kind:
            return
        if len(kind) < 4:
            raise Unreadable("the capture is cut off")


def _body(stream: Stream, order: str, size_bytes: bytes, *, taken: int) -> bytes:
    size = struct.unpack(order + "I", size_bytes)[0]
    if size % 4 or not taken + 4 <= size <= MAX_BLOCK:
        raise Unreadable("a block whose length cannot be")
    return _exactly(stream, size - taken)[:-4]


def _interface(body: bytes, order: str) -> tuple[int, int, int]:
    """Kind of link, ticks of a second, seconds to add."""
    if len(body) < 8:
        raise Unreadable("an interface that is cut off")
    ticks, offset, at = 1_000_000, 0, 8
    while at + 4 <= len(body):
        code, size = struct.unpack(order + "HH", body[at : at + 4])
        value = body[at + 4 : at + 4 + size]
        if code == 9 and size == 1:
            ticks = 2 ** min(value[0] & 0x7F, 63) if value[0] & 0x80 else 10 ** min(value[0], 18)
        elif code == 14 and size == 8 and len(value) == 8:
            offset = struct.unpack(order + "q", value)[0]
        at += 4 + size + (-size % 4)
    return struct.unpack(order + "H", body[:2])[0], ticks, offset


def _enhanced(body: bytes, order: str, links: list[tuple[int, int, int]], kind: int) -> Frame | None:
    if len(body) < 20:
        raise Unreadable("a packet that is cut off")
    number, high, low, size = struct.unpack(order + ("I" if kind == 6 else "Hxx") + "III", body[:16])
    if number >= len(links) or 20 + size > len(body):
        raise Unreadable("a packet of no interface, or cut off")
    link, ticks, offset = links[number]
    at = ((high << 32 | low) * 1_000_000) // ticks + offset * 1_000_000
    return Frame(at, link, body[20 : 20 + size])


# --- packets ----------------------------------------------------------------------------------------------------------


def packet(frame: Frame) -> Packet | None:
    """What it says; None: it is not TCP or UDP over IP, or a later fragment. Raises ``ValueError`` for a broken one."""
    data = _ip(frame)
    if data is None:
        return None
    try:
        return _ipv4(data) if data[0] >> 4 == 4 else _ipv6(data) if data[0] >> 4 == 6 else None
    except (IndexError, struct.error) as exc:
        raise ValueError("a packet that is cut off before its ports") from exc


def _ip(frame: Frame) -> bytes | None:
    data, link = frame.data, frame.link
    if link in _RAW:
        return data or None
    if link in _LOOPBACK:
        return data[4:] or None
    if link == _ETHERNET:
        kind, at = data[12:14], 14
    elif link == _SLL:
        kind, at = data[14:16], 16
    elif link == _SLL2:
        kind, at = data[0:2], 20
    else:
        return None
    for _ in range(3):  # VLANs, one in another
        if kind not in (b"\x81\x00", b"\x88\xa8"):
            break
        kind, at = data[at + 2 : at + 4], at + 4
    if kind == b"\x88\x64":  # PPP over Ethernet
        kind, at = {b"\x00\x21": b"\x08\x00", b"\x00\x57": b"\x86\xdd"}.get(data[at + 6 : at + 8], b""), at + 8
    return (data[at:] or None) if kind in (b"\x08\x00", b"\x86\xdd") else None


def _ipv4(data: bytes) -> Packet | None:
    header, total = (data[0] & 15) * 4, struct.unpack_from(">H", data, 2)[0]
    if header < 20 or struct.unpack_from(">H", data, 6)[0] & 0x1FFF:
        return None  # a later fragment
    total = total or len(data)  # left to the network card
    return _transport(data[9], data[12:16], data[16:20], data[header:total], total)


def _ipv6(data: bytes) -> Packet | None:
    size, kind = struct.unpack_from(">HB", data, 4)
    source, destination, at, end = data[8:24], data[24:40], 40, 40 + (size or len(data))
    for _ in range(8):
        if kind in _SKIPPED:
            kind, at = data[at], at + 8 + data[at + 1] * 8
        elif kind == 44:
            if struct.unpack_from(">H", data, at + 2)[0] & 0xFFF8:
                return None
            kind, at = data[at], at + 8
        else:
            break
    return _transport(kind, source, destination, data[at:end], 40 + size)


def _transport(kind: int, source: bytes, destination: bytes, data: bytes, size: int) -> Packet | None:
    if kind == UDP:
        source_port, port = struct.unpack_from(">HH", data)
        return Packet(UDP, source, destination, source_port, port, 0, 0, data[8:], size)
    if kind == TCP:
        source_port, port, sequence = struct.unpack_from(">HHI", data)
        header, flags = (data[12] >> 4) * 4, data[13]
        return Packet(TCP, source, destination, source_port, port, flags, sequence, data[max(header, 20) :], size)
    return None
