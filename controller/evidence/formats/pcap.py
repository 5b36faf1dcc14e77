"""Captures of packets: flows, names of TLS and QUIC handshakes, DNS, and HTTP in clear. Bounded in memory.

Only what a client sends first is kept, until it has said its name. What a capture holds is what passed the place where
it was taken: that the other side answered is known, who blocked is not.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final

import dns.exception
import dns.flags
import dns.message
import dns.rdatatype

from controller.evidence.formats import client_hello, fields, quic_initial
from controller.evidence.formats.capture_files import TCP, UDP, Packet, frames, is_capture, packet
from controller.evidence.formats.reading import Found, Reading, Stream, Unreadable
from controller.evidence.model import Channel, Quarantine, Sighting
from core.net import Address

MAX_FLOWS: Final = 1 << 15
IDLE: Final = 600_000_000
"""Microseconds after which a flow without packets has ended."""
MAX_BEGINNING: Final = client_hello.MOST
MAX_QUESTIONS: Final = 1 << 13
_SYN, _RST, _ACK = 2, 4, 16
_REQUEST: Final = re.compile(rb"(?:GET|POST|HEAD|PUT|OPTIONS|PATCH|DELETE|CONNECT) ([^ \r\n]{1,8192}) HTTP/1\.[01]\r\n")
_METHODS: Final = (b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"PATC", b"DELE", b"CONN")
_NAMES: Final = {TCP: "tcp", UDP: "udp"}

Side = tuple[bytes, int]


class Pieces:
    """A stream that comes in pieces, in any order and twice: as much of its beginning as is whole."""

    __slots__ = ("_later", "_size", "whole")

    def __init__(self) -> None:
        self.whole = b""
        self._later: dict[int, bytes] = {}
        self._size = 0

    def add(self, offset: int, data: bytes) -> None:
        if not data or offset > MAX_BEGINNING or self._size > 4 * MAX_BEGINNING:
            return
        self._size += len(data)
        if len(data) > len(self._later.get(offset, b"")):
            self._later[offset] = data
        while (at := next((at for at in self._later if at <= len(self.whole)), None)) is not None:
            piece = self._later.pop(at)
            self.whole += piece[len(self.whole) - at :]

    @property
    def is_full(self) -> bool:
        return len(self.whole) > MAX_BEGINNING or self._size > 4 * MAX_BEGINNING


@dataclass(slots=True)
class Flow:
    """One connection. ``client`` is who began it."""

    number: int
    protocol: int
    client: Side
    server: Side
    at: int
    last: int
    packets: int = 0
    octets: int = 0
    answered: bool = False
    base: int | None = None  # of the client's sequence numbers: of its first byte
    pieces: Pieces | None = field(default_factory=Pieces)  # None: it has said what it says
    keys: quic_initial.Keys | None = None
    requests_after: int = -1  # HTTP: as far as the client's stream was read; below 0: it is no HTTP


def read(stream: Stream, reading: Reading) -> Iterator[Found]:
    """Packet by packet; flows when they end."""
    capture = _Capture(reading)
    number, latest = 0, reading.latest.timestamp() * 1_000_000
    try:
        for number, frame in enumerate(frames(stream), start=1):
            if not 0 <= frame.at <= latest:
                why = Quarantine.FUTURE if frame.at > latest else Quarantine.UNREADABLE
                yield reading.reject(why, frame.data[:40].hex(), at=f"packet {number}", detail="its time cannot be")
                continue
            try:
                found = packet(frame)
                if found is None:
                    yield None
                    continue
                yield from capture.packet(found, frame.at)
            except ValueError as exc:
                shown = frame.data[:40].hex()
                yield reading.reject(Quarantine.UNREADABLE, shown, at=f"packet {number}", detail=str(exc))
    except Unreadable as exc:
        yield reading.reject(Quarantine.UNREADABLE, "", at=f"packet {number + 1}", detail=str(exc))
    yield from capture.end()


class _Capture:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._flows: OrderedDict[tuple[int, Side, Side], Flow] = OrderedDict()
        self._asked: OrderedDict[tuple[Side, Side, int], tuple[int, Flow, str]] = OrderedDict()
        self._count = 0

    def packet(self, found: Packet, at: int) -> Iterator[Found]:
        """Raises ``ValueError`` for what its payload should be and is not."""
        source, destination = (found.source, found.source_port), (found.destination, found.port)
        key = (found.protocol, *sorted((source, destination)))
        flow = self._flows.get(key)  # type: ignore[arg-type]  # sorted gives a list of two
        if flow is not None and (at - flow.last > IDLE or _is_anew(flow, found, source)):
            yield self._ended(self._flows.pop(key))  # type: ignore[arg-type]
            flow = None
        if flow is None:
            flow = self._begun(found, source, destination, at)
            self._flows[key] = flow  # type: ignore[index]
            while len(self._flows) > MAX_FLOWS:
                yield self._ended(self._flows.popitem(last=False)[1])
        self._flows.move_to_end(key)  # type: ignore[arg-type]
        flow.packets, flow.octets, flow.last = flow.packets + 1, flow.octets + found.size, at
        if source == flow.client:
            yield from self._of_client(flow, found, at)
        else:
            flow.answered = flow.answered or found.protocol == UDP or not found.flags & _RST
            if found.protocol == UDP and flow.server[1] == 53:
                yield from self._dns_answer(flow, found.payload, at)

    def end(self) -> Iterator[Found]:
        for at, flow, name in self._asked.values():
            yield self._sighting(flow, at, channel=Channel.DNS, name=name)
        for flow in self._flows.values():
            yield self._ended(flow)

    # --- flows ----------------------------------------------------------------------------------------------------

    def _begun(self, found: Packet, source: Side, destination: Side, at: int) -> Flow:
        """By who sent first, unless that plainly is the server: the capture began later."""
        self._count += 1
        is_reply = found.protocol == TCP and found.flags & (_SYN | _ACK) == _SYN | _ACK
        is_middle = found.protocol == UDP or not found.flags & _SYN
        if is_reply or (is_middle and source[1] < 1024 <= destination[1]):
            source, destination = destination, source
        flow = Flow(self._count, found.protocol, source, destination, at, at)
        if found.protocol == TCP and found.flags & _SYN and not is_reply:
            flow.base = found.sequence + 1
        return flow

    def _ended(self, flow: Flow) -> Found:
        return self._sighting(
            flow, flow.at, channel=Channel.FLOW, answered=flow.answered, packets=flow.packets, octets=flow.octets
        )

    def _sighting(self, flow: Flow, at: int, **said: Any) -> Found:
        found = Sighting(
            at=fields.epoch(at / 1_000_000),
            sensor=self._reading.writer,
            source=_address(flow.client[0]),
            source_port=flow.client[1],
            destination=_address(flow.server[0]),
            port=flow.server[1],
            protocol=_NAMES[flow.protocol],
            uid=str(flow.number),
            **said,
        )
        return self._reading.timely(found, f"flow {flow.number}")

    # --- what clients say -----------------------------------------------------------------------------------------

    def _of_client(self, flow: Flow, found: Packet, at: int) -> Iterator[Found]:
        if found.protocol == UDP:
            if flow.server[1] == 53:
                self._dns_question(flow, found.payload, at)
            elif flow.pieces is not None:
                yield from self._quic(flow, found.payload, at)
        elif found.payload:
            yield from self._tcp(flow, found, at)

    def _tcp(self, flow: Flow, found: Packet, at: int) -> Iterator[Found]:
        if flow.base is None:
            flow.base = found.sequence
        offset = (found.sequence - flow.base) & 0xFFFFFFFF
        if flow.pieces is None:
            if 0 <= flow.requests_after <= offset < 1 << 31 and found.payload[:4] in _METHODS:
                yield from self._requests(flow, found.payload, offset, at)
            return
        flow.pieces.add(offset, found.payload)
        whole = flow.pieces.whole
        if len(whole) < 4 and not flow.pieces.is_full:
            return
        if whole[:1] == b"\x16":
            yield from self._tls(flow, whole, at)
        elif whole[:4] in _METHODS and b"\r\n\r\n" in whole:
            yield from self._requests(flow, whole, 0, at)
            flow.pieces = None
        elif whole[:4] not in _METHODS:
            flow.pieces = None
        if flow.pieces is not None and flow.pieces.is_full:
            flow.pieces = None

    def _tls(self, flow: Flow, whole: bytes, at: int) -> Iterator[Found]:
        try:
            body = client_hello.whole_hello(_handshake(whole))
            hello = client_hello.parse(body) if body is not None else None
        except ValueError:  # whatever it is, it is no handshake
            flow.pieces = None
            raise
        if hello is not None:
            flow.pieces = None
            yield self._sighting(flow, at, channel=Channel.TLS, name=hello.name, ja3=hello.ja3, ja4=hello.ja4)

    def _quic(self, flow: Flow, datagram: bytes, at: int) -> Iterator[Found]:
        initial = quic_initial.found(datagram) if flow.packets < 64 else None
        pieces = flow.pieces
        if initial is None or pieces is None:
            flow.pieces = None
            return
        for offset, data in self._opened(flow, datagram, initial):
            pieces.add(offset, data)
        body = client_hello.whole_hello(pieces.whole)
        if body is not None:
            flow.pieces = None
            hello = client_hello.parse(body, over_quic=True)
            yield self._sighting(flow, at, channel=Channel.QUIC, name=hello.name, ja3=hello.ja3, ja4=hello.ja4)

    def _opened(self, flow: Flow, datagram: bytes, initial: quic_initial.Initial) -> list[tuple[int, bytes]]:
        """With the keys of the first packet; after a Retry they are new ones."""
        if flow.keys is not None:
            try:
                return quic_initial.crypto(datagram, initial, flow.keys)
            except ValueError:
                flow.pieces = Pieces()
        flow.keys = quic_initial.keys_of(initial)
        return quic_initial.crypto(datagram, initial, flow.keys)

    def _requests(self, flow: Flow, data: bytes, offset: int, at: int) -> Iterator[Found]:
        """The request that a segment begins with; the next one comes after it."""
        head = data.partition(b"\r\n\r\n")[0]
        line = _REQUEST.match(head + b"\r\n")
        flow.requests_after = offset + len(data)
        if line is None:
            return
        headers = [header.partition(b":") for header in head.split(b"\r\n")[1:201]]
        told = {name.strip().lower().decode("latin-1"): value.strip().decode("latin-1") for name, _, value in headers}
        cookies = [pair.partition("=")[0].strip() for pair in told.get("cookie", "").split(";")]
        host = told.get("host", "")
        yield self._sighting(
            flow,
            at,
            channel=Channel.HTTP,
            name=fields.name(fields.host_and_port(host)[0]) if host else "",
            path=fields.clean(line[1].decode("latin-1"), fields.MAX_PATH),
            agent=fields.clean(told.get("user-agent", "")),
            headers=fields.header_names([*told, *cookies]),
        )

    # --- DNS ------------------------------------------------------------------------------------------------------

    def _dns_question(self, flow: Flow, payload: bytes, at: int) -> None:
        message = _message(payload)
        if message is None or message.flags & dns.flags.QR or not message.question:
            return
        name = fields.name(message.question[0].name.to_text(omit_final_dot=True))
        self._asked[flow.client, flow.server, message.id] = at, flow, name
        if len(self._asked) > MAX_QUESTIONS:
            self._asked.popitem(last=False)

    def _dns_answer(self, flow: Flow, payload: bytes, at: int) -> Iterator[Found]:
        message = _message(payload)
        if message is None or not message.flags & dns.flags.QR or not message.question:
            return
        asked = self._asked.pop((flow.client, flow.server, message.id), None)
        kinds = (dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.CNAME)
        told = [value.to_text() for found in message.answer if found.rdtype in kinds for value in found]
        name = fields.name(message.question[0].name.to_text(omit_final_dot=True))
        said = {"channel": Channel.DNS, "name": name, "answered": True, "answers": fields.answers(told)}
        yield self._sighting(flow, asked[0] if asked else at, **said)


def _is_anew(flow: Flow, found: Packet, source: Side) -> bool:
    """Whether a client begins another connection from the port of an older one."""
    is_first = found.protocol == TCP and found.flags & (_SYN | _ACK) == _SYN
    return is_first and source == flow.client and flow.base not in (None, found.sequence + 1)


def _handshake(stream: bytes) -> bytes:
    """The handshake in TLS records. Raises ``ValueError`` when they are none."""
    parts, at = list[bytes](), 0
    while at + 5 <= len(stream):
        kind, major, size = stream[at], stream[at + 1], int.from_bytes(stream[at + 3 : at + 5], "big")
        if kind != 22 or major != 3 or size > 1 << 14:
            if parts:
                break
            raise ValueError("no record of TLS")
        parts.append(stream[at + 5 : at + 5 + size])
        at += 5 + size
    return b"".join(parts)


def _message(payload: bytes) -> dns.message.Message | None:
    """Raises ``ValueError``."""
    try:
        return dns.message.from_wire(payload, ignore_trailing=True, one_rr_per_rrset=False)
    except dns.exception.DNSException as exc:
        raise ValueError(f"no message of DNS: {exc}"[:120]) from exc


def _address(packed: bytes) -> Address:
    found = ip_address(packed)
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


def fits(head: bytes) -> bool:
    """Whether a beginning is that of a capture."""
    return is_capture(head)
