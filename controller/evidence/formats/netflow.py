"""NetFlow 5 and 9, and IPFIX: who exchanged how much with whom. Bounded in memory, and safe on hostile packets.

Own, and small: the library ``netflow`` 0.12.2 (MIT, last release 2023) reads a template of no width for ever, keeps the
templates of all exporters under one number, and takes a packet of letters for a hex dump. Source: RFC 3954, RFC 7011,
RFC 5655 (files), RFC 7270 (forwardingStatus), the IANA registry of IPFIX elements; Cisco's NSEL guide for ASA.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final

from controller.evidence.formats import fields, sflow
from controller.evidence.formats.flows import one_way
from controller.evidence.formats.reading import Found, Reading, Stream, Unreadable
from controller.evidence.model import Quarantine, Sighting, Verdict
from core.net import Address

MAX_TEMPLATES: Final = 4096
"""Of all exporters together; the one that was not used for the longest goes first."""
MAX_FIELDS: Final = 256
MAX_RECORDS: Final = 4096
"""In one message: what has records of a byte is no exporter."""
_V5_RECORD: Final = struct.Struct(">4s4s4xHHIIIIHHxBBB")
_VARIABLE: Final = 0xFFFF
_DENIED: Final = 3

_SOURCES, _DESTINATIONS = (8, 27), (12, 28)
_PACKETS, _OCTETS = (2, 86, 24), (1, 85, 23)
_USER, _APPLICATION = (371, 40000), (96,)

Exporter = tuple[str, int]
"""Its address, and the domain of observation that it speaks of."""


@dataclass(frozen=True, slots=True)
class Template:
    """The width of each element, by its number; of a maker's own elements the number is 0. None: options, not flows."""

    elements: tuple[tuple[int, int], ...]
    is_flows: bool

    @property
    def least(self) -> int:
        return sum(1 if size == _VARIABLE else size for _, size in self.elements)


@dataclass(frozen=True, slots=True)
class Clock:
    """When a message was exported, and how many milliseconds after its exporter began; None: it does not say."""

    exported: datetime
    uptime: int | None

    def of_uptime(self, milliseconds: int) -> datetime:
        """Both counts go round every 49 days, so what counts is how far they are apart."""
        if self.uptime is None:
            return self.exported
        apart = (milliseconds - self.uptime) & 0xFFFFFFFF
        return self.exported + timedelta(milliseconds=apart - (1 << 32) if apart >= 1 << 31 else apart)


class Collector:
    """Reads messages of any number of exporters; remembers their templates."""

    def __init__(self) -> None:
        self._templates: OrderedDict[tuple[Exporter, int], Template] = OrderedDict()
        self._began: OrderedDict[Exporter, int] = OrderedDict()  # milliseconds since 1970

    def flows(self, data: bytes, peer: str, *, now: datetime, sensor: str = "") -> tuple[list[Sighting], str]:
        """What one message of ``peer`` says, and what of it could not be read; empty: all could.

        ``now`` is when it came in: sFlow, which comes by the same ways, tells no time of its own.
        """
        found = list[Sighting]()
        try:
            if data.startswith(sflow.MARK):
                found.extend(sflow.samples(data, now, sensor or peer))
                return found, ""
            found.extend(flow for flow in self._message(data, peer, sensor or peer) if flow is not None)
        except struct.error:  # it speaks of buffers, which says nothing to people
            return found, "a message that is cut off"
        except ValueError as exc:
            return found, str(exc)
        return found, ""

    def message(self, data: bytes, peer: str, reading: Reading, *, at: str = "") -> Iterator[Found]:
        """The same, with what is no evidence set aside. ``at``: which one, for people."""
        found, trouble = self.flows(data, peer, now=reading.now, sensor=reading.sensor)
        for flow in found:
            yield reading.timely(flow, data[:32].hex(), at=at)
        if trouble:
            yield reading.reject(Quarantine.UNREADABLE, data[:32].hex(), at=at, detail=trouble)
        elif not found:
            yield None  # templates alone

    def _message(self, data: bytes, peer: str, sensor: str) -> Iterator[Sighting | None]:
        version = int.from_bytes(data[:2], "big")
        if version == 5:
            yield from self._v5(data, sensor)
        elif version == 9:
            _, _, uptime, seconds, _, domain = struct.unpack_from(">HHIIII", data)
            clock = Clock(fields.epoch(seconds), uptime)
            yield from self._sets(data[20:], (peer, domain), clock, sensor, old=True)
        elif version == 10:
            _, size, seconds, _, domain = struct.unpack_from(">HHIII", data)
            if not 16 <= size <= len(data):
                raise ValueError("a message that is cut off")
            clock = Clock(fields.epoch(seconds), None)
            yield from self._sets(data[16:size], (peer, domain), clock, sensor, old=False)
        else:
            raise ValueError("neither NetFlow 5 or 9, nor IPFIX, nor sFlow 5")

    def _v5(self, data: bytes, sensor: str) -> Iterator[Sighting]:
        _, count, uptime, seconds, nanos = struct.unpack_from(">HHIII", data)
        if not 1 <= count <= 30 or len(data) < 24 + 48 * count:
            raise ValueError("a message that is cut off")
        clock = Clock(fields.epoch(seconds + min(nanos, 999_999_999) / 1e9), uptime)
        for number in range(count):
            told = _V5_RECORD.unpack_from(data, 24 + 48 * number)
            source, destination, _, _, packets, octets, first, _, source_port, port, _, kind, _ = told
            yield one_way(
                sensor,
                at=clock.of_uptime(first),
                ends=((ip_address(source), source_port), (ip_address(destination), port)),
                kind=kind,
                packets=packets,
                octets=octets,
            )

    def _uptime(self, exporter: Exporter, seconds: int) -> int | None:
        """IPFIX tells in its options when the exporter began, and not in each message how long ago."""
        began = self._began.get(exporter)
        return None if began is None else seconds * 1000 - began

    def _sets(
        self, data: bytes, exporter: Exporter, clock: Clock, sensor: str, *, old: bool
    ) -> Iterator[Sighting | None]:
        """What is said of templates and of the exporter counts for the whole message, wherever it stands."""
        unknown, later = 0, list[tuple[Template, bytes]]()
        for number, body in sorted(_parts(data), key=lambda part: part[0] >= 256):
            if number in ((0, 1) if old else (2, 3)):
                self._learn(body, exporter, is_flows=number in (0, 2), old=old)
            elif number >= 256:
                template = self._templates.get((exporter, number))
                if template is None:
                    unknown += 1
                    continue
                self._templates.move_to_end((exporter, number))
                if template.is_flows:
                    later.append((template, body))
                else:
                    self._learn_of_exporter(body, template, exporter)
        if clock.uptime is None:
            clock = Clock(clock.exported, self._uptime(exporter, int(clock.exported.timestamp())))
        for template, body in later:
            yield from (_flow(said, sensor, clock) for said in _records(body, template))
        if unknown:
            raise ValueError("flows whose template did not come yet")

    def _learn_of_exporter(self, body: bytes, template: Template, exporter: Exporter) -> None:
        for said in _records(body, template):
            if (began := _first(said, (160,))) is not None:
                self._began[exporter] = began
                while len(self._began) > MAX_TEMPLATES:
                    self._began.popitem(last=False)

    def _learn(self, body: bytes, exporter: Exporter, *, is_flows: bool, old: bool) -> None:
        at = 0
        while at + 4 <= len(body):
            number, count = struct.unpack_from(">HH", body, at)
            at += 4
            if number < 256:  # padding, or the end of a template
                return
            if not is_flows:
                scopes, others = struct.unpack_from(">HH", body, at - 2)
                count, at = (scopes + others) // 4 if old else count, at + 2
            if count == 0:
                self._templates.pop((exporter, number), None)
                continue
            elements, at = _elements(body, at, count, old=old)
            template = Template(elements, is_flows)
            if template.least == 0:
                raise ValueError("a template of no width")
            self._templates[exporter, number] = template
            self._templates.move_to_end((exporter, number))
            while len(self._templates) > MAX_TEMPLATES:
                self._templates.popitem(last=False)


def _flow(said: dict[int, bytes], sensor: str, clock: Clock) -> Sighting | None:
    source, destination = _address(said, _SOURCES), _address(said, _DESTINATIONS)
    if source is None or destination is None:
        return None  # of a link, or of MPLS
    return one_way(
        sensor,
        at=_began(said, clock),
        ends=((source, _first(said, (7,))), (destination, _first(said, (11,)))),
        kind=_first(said, (4,)),
        packets=_first(said, _PACKETS),
        octets=_first(said, _OCTETS),
        verdict=_verdict(said),
        user=_text(said, _USER),
        application=_text(said, _APPLICATION),
    )


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The sets of a message, each with its number. Raises ``ValueError``."""
    at = 0
    while at + 4 <= len(data):
        number, size = struct.unpack_from(">HH", data, at)
        if not 4 <= size <= len(data) - at:
            raise ValueError("a set whose length cannot be")
        yield number, data[at + 4 : at + size]
        at += size


def _elements(body: bytes, at: int, count: int, *, old: bool) -> tuple[tuple[tuple[int, int], ...], int]:
    """Numbers and widths, and where they end. Raises ``ValueError``, ``struct.error``."""
    if count > MAX_FIELDS:
        raise ValueError("a template of too many elements")
    found = []
    for _ in range(count):
        number, size = struct.unpack_from(">HH", body, at)
        at += 4
        if not old and number & 0x8000:
            number, at = 0, at + 4  # of a maker
        found.append((number, size))
    return tuple(found), at


def _records(body: bytes, template: Template) -> Iterator[dict[int, bytes]]:
    """Raises ``ValueError``."""
    at, least = 0, template.least
    for _ in range(MAX_RECORDS):
        if len(body) - at < least:
            return  # padding
        said, at = _record(body, at, template)
        yield said
    raise ValueError("more records than a message holds")


def _record(body: bytes, at: int, template: Template) -> tuple[dict[int, bytes], int]:
    said = dict[int, bytes]()
    for number, size in template.elements:
        if size == _VARIABLE:
            size, at = body[at] if at < len(body) else 0, at + 1
            if size == 255:
                size, at = int.from_bytes(body[at : at + 2], "big"), at + 2
        if at + size > len(body):
            raise ValueError("a record that is cut off")
        said.setdefault(number, body[at : at + size])
        at += size
    return said, at


def _first(said: dict[int, bytes], numbers: tuple[int, ...]) -> int | None:
    """As a number of at most 64 bits."""
    found = next((said[number] for number in numbers if number in said), b"")
    number = int.from_bytes(found, "big")
    return number if 0 < len(found) <= 8 and number < 1 << 63 else None


def _address(said: dict[int, bytes], numbers: tuple[int, ...]) -> Address | None:
    found = next((said[number] for number in numbers if len(said.get(number, b"")) in (4, 16)), None)
    if found is None:
        return None
    address = ip_address(found)
    return getattr(address, "ipv4_mapped", None) or address


def _text(said: dict[int, bytes], numbers: tuple[int, ...]) -> str:
    found = next((said[number] for number in numbers if number in said), b"")
    return fields.clean(found.rstrip(b"\0").decode("utf-8", "replace"), 100)


def _began(said: dict[int, bytes], clock: Clock) -> datetime:
    """When the flow began, by the finest of the clocks that the record has; else when it was told of."""
    for number, ticks in ((152, 1000), (150, 1), (323, 1000)):
        if (at := _first(said, (number,))) is not None:
            return fields.epoch(at / ticks)
    if (at := _first(said, (158,))) is not None:
        return clock.exported - timedelta(microseconds=min(at, 1 << 40))
    if (at := _first(said, (22,))) is not None:
        return clock.of_uptime(at)
    return clock.exported


def _verdict(said: dict[int, bytes]) -> Verdict:
    """Of a firewall's event, and of where a router sent it: the upper two bits say forwarded or dropped."""
    if _first(said, (233,)) == _DENIED:
        return Verdict.BLOCKED
    status = said.get(89, b"")[-1:]
    way = status[0] >> 6 if status else 0
    return {1: Verdict.ALLOWED, 2: Verdict.BLOCKED}.get(way, Verdict.UNKNOWN)


def read_ipfix(stream: Stream, reading: Reading) -> Iterator[Found]:
    """A file of IPFIX messages, one behind the other (RFC 5655)."""
    collector, number = Collector(), 0
    try:
        while head := _exactly(stream, 4):
            number += 1
            version, size = struct.unpack(">HH", head)
            _refuse_other(version, size)
            message = head + _exactly(stream, size - 4)
            yield from collector.message(message, reading.writer, reading, at=f"message {number}")
    except Unreadable as exc:
        yield reading.reject(Quarantine.UNREADABLE, "", at=f"message {number}", detail=str(exc))


def _refuse_other(version: int, size: int) -> None:
    if version != 10 or size < 16:
        raise Unreadable("no message of IPFIX")


def _exactly(stream: Stream, size: int) -> bytes:
    """Nothing at the end. Raises ``Unreadable`` in the middle."""
    data = b""
    while len(data) < size and (part := stream.read(size - len(data))):
        data += part
    if data and len(data) < size:
        raise Unreadable("the file is cut off")
    return data


def fits_ipfix(head: bytes) -> bool:
    """Whether a beginning is that of such a file."""
    if len(head) < 20:
        return False
    version, size, _, _, _, set_id, set_size = struct.unpack_from(">HHIIIHH", head)
    return version == 10 and size >= 20 and set_id in (2, 3) and 4 <= set_size <= size - 16


__all__ = ["Collector", "Template", "fits_ipfix", "read_ipfix"]
