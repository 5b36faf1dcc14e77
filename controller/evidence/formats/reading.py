"""What every reader of a format shares: the circumstances of a reading, and lines that come within bounds.

A reader gives a ``Sighting`` for what a record says, a ``Rejected`` for one that is no evidence, and ``None`` for one
that was understood and tells of no connection (a header, statistics, a zone that was loaded). Nothing is dropped in
silence, and nothing is held but one line.
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Protocol, TypeAlias, TypeVar

from controller.evidence.formats.fields import clean
from controller.evidence.lines import SHOWN
from controller.evidence.model import Quarantine, Rejected, Sighting

Found: TypeAlias = Sighting | Rejected | None
Record = TypeVar("Record")

CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""A record may be later than our clock by so much."""
MAX_LINE: Final = 1 << 20
"""Bytes of one line. A DNS answer or an alert with its packet stays far below."""
MAX_UNPACKED: Final = 16 << 30
"""Bytes that one packed file may come to: it is read piece by piece, and this only bounds the time."""
_CHUNK: Final = 1 << 16
_GZIP: Final = b"\x1f\x8b"


class Stream(Protocol):
    """A file that is open for bytes, or an upload."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Under which circumstances something is read.

    ``origin`` names it for people; ``sensor`` is who wrote it, where the records do not say. ``zone`` is the zone of
    times that name none. ``made_at`` dates inventories that carry no time; None: now. What is earlier than ``oldest``
    is set aside; None: nothing is.
    """

    origin: str
    now: datetime
    sensor: str = ""
    zone: tzinfo = UTC
    made_at: datetime | None = None
    oldest: datetime | None = None
    ahead: timedelta = CLOCKS_DIFFER

    @property
    def writer(self) -> str:
        return self.sensor or self.origin

    @property
    def latest(self) -> datetime:
        """A record may be later than our clock by so much as clocks differ."""
        return self.now + self.ahead

    def reject(self, why: Quarantine, text: str, *, at: str = "", detail: str = "") -> Rejected:
        """``at``: where in it, as ``line 7``."""
        told = f"{at}: {detail}" if at else detail
        return Rejected(why=why, origin=self.origin, text=_shown(text), detail=_shown(told))

    def timely(self, found: Sighting, text: str, *, at: str = "") -> Found:
        """It, unless its time cannot be."""
        if found.at > self.latest:
            return self.reject(Quarantine.FUTURE, text, at=at, detail=f"{found.at:%Y-%m-%dT%H:%M:%SZ} is still to come")
        if self.oldest is not None and found.at < self.oldest:
            detail = f"{found.at:%Y-%m-%dT%H:%M:%SZ} is before {self.oldest:%Y-%m-%d}"
            return self.reject(Quarantine.TOO_OLD, text, at=at, detail=detail)
        return found


def _shown(text: str) -> str:
    """The beginning, as one line that no terminal obeys."""
    return clean(text[:SHOWN].replace("\t", " "), SHOWN)


# --- bytes ------------------------------------------------------------------------------------------------------------


class Unreadable(ValueError):
    """What was read so far stands; the rest cannot be read."""


class Unpacked:
    """A stream, unpacked where it is gzip (also several files one behind the other). Raises ``Unreadable``."""

    def __init__(self, stream: Stream, *, limit: int = MAX_UNPACKED) -> None:
        self._stream = stream
        self._left = limit
        self._raw = stream.read(_CHUNK)
        self._packed = self._raw.startswith(_GZIP)
        self._gzip = _opened()

    def read(self, size: int, /) -> bytes:
        if size <= 0:
            return b""
        data = self._unpack(size) if self._packed else self._plain(size)
        self._left -= len(data)
        if self._left < 0:
            raise Unreadable("there is more of it than is read of one file")
        return data

    def _plain(self, size: int) -> bytes:
        if not self._raw:
            return self._stream.read(size)
        data, self._raw = self._raw[:size], self._raw[size:]
        return data

    def _unpack(self, size: int) -> bytes:
        while True:
            if self._gzip.eof and not self._another():
                return b""
            source = self._gzip.unconsumed_tail or self._raw or self._stream.read(_CHUNK)
            self._raw = b""
            if not source:
                raise Unreadable("the gzip data is cut off")
            try:
                data = self._gzip.decompress(source, size)
            except zlib.error as exc:
                raise Unreadable("the gzip data is damaged") from exc
            if data:
                return data

    def _another(self) -> bool:
        """Whether one more packed file follows; zeros may, as on a tape."""
        left = (self._gzip.unused_data + self._raw).lstrip(b"\0")
        while len(left) < len(_GZIP) and (more := self._stream.read(_CHUNK)):
            left = (left + more).lstrip(b"\0")
        if left and not left.startswith(_GZIP):
            raise Unreadable("what follows the gzip data is none")
        self._raw, self._gzip = left, _opened() if left else self._gzip
        return bool(left)


def _opened() -> zlib._Decompress:
    return zlib.decompressobj(wbits=31)


class Again:
    """A stream whose beginning was looked at already."""

    def __init__(self, head: bytes, stream: Stream) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        if not self._head:
            return self._stream.read(size)
        data, self._head = self._head[:size], self._head[size:]
        return data


class _AsUtf8:
    """UTF-16, as Windows writes exports, as UTF-8."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")

    def read(self, size: int, /) -> bytes:
        while True:
            data = self._stream.read(size)
            text = self._decoder.decode(data, final=not data)
            if text or not data:
                return text.encode("utf-8", "replace")


def in_utf8(stream: Stream) -> Stream:
    """The stream without a byte order mark, and out of UTF-16 where one says so."""
    head = stream.read(4)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _AsUtf8(Again(head, stream))
    return Again(head.removeprefix(codecs.BOM_UTF8), stream)


# --- lines ------------------------------------------------------------------------------------------------------------

Line: TypeAlias = tuple[int, str]
"""Its number, from 1, and its text without the end."""


def lines(
    stream: Stream, reading: Reading, *, max_line: int = MAX_LINE, may_lack_end: bool = False
) -> Iterator[Line | Rejected]:
    """Each line, or why it is none: too long, not UTF-8, or the last and without an end.

    ``may_lack_end``: a line that was cut off is no line of this format, so the last may do without one.
    """
    for number, (piece, whole) in enumerate(_split(stream, max_line), start=1):
        at = f"line {number}"
        if isinstance(piece, Unreadable):
            yield reading.reject(Quarantine.UNREADABLE, "", at=at, detail=str(piece))
        elif whole is None:
            text = piece.decode("utf-8", "replace")
            yield reading.reject(Quarantine.TOO_LONG, text, at=at, detail=f"longer than {max_line} bytes")
        elif not whole and piece.strip() and not may_lack_end:
            text = piece.decode("utf-8", "replace")
            yield reading.reject(Quarantine.UNREADABLE, text, at=at, detail="the last line has no end: it was cut off")
        else:
            try:
                yield number, piece.decode("utf-8").rstrip("\r")
            except UnicodeDecodeError:
                text = piece.decode("utf-8", "replace")
                yield reading.reject(Quarantine.UNREADABLE, text, at=at, detail="not UTF-8")


def _split(stream: Stream, max_line: int) -> Iterator[tuple[bytes, bool | None] | tuple[Unreadable, None]]:
    """Each line, and whether it has an end; None: the beginning of one that is too long."""
    rest, skipping, text = b"", False, None
    while True:
        try:
            text = text or in_utf8(stream)
            data = text.read(_CHUNK)
        except Unreadable as exc:
            yield exc, None
            return
        if not data:
            if rest and not skipping:
                yield rest, False
            return
        if skipping:
            _, end, data = data.partition(b"\n")
            skipping = not end
            if skipping:
                continue
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield (line, True) if len(line) <= max_line else (line[:SHOWN], None)
        if len(rest) > max_line:
            yield rest[:SHOWN], None
            rest, skipping = b"", True


LineParser: TypeAlias = Callable[[str], Iterable[Sighting]]
"""What a line says; nothing when it tells of no connection. Raises ``ValueError`` when it is none of the format."""


def by_line(
    stream: Stream, reading: Reading, parse: LineParser, *, max_line: int = MAX_LINE, may_lack_end: bool = False
) -> Iterator[Found]:
    """What all lines say. Empty ones say nothing at all."""
    for line in lines(stream, reading, max_line=max_line, may_lack_end=may_lack_end):
        if isinstance(line, Rejected):
            yield line
        elif line[1] and not line[1].isspace():
            yield from judged(parse, line[1], reading, line[1], at=f"line {line[0]}")


def judged(
    parse: Callable[[Record], Iterable[Sighting]], record: Record, reading: Reading, text: str, *, at: str
) -> Iterator[Found]:
    """What a record says, with what is no evidence set aside."""
    count = 0
    try:
        for found in parse(record):
            count += 1
            yield reading.timely(found, text, at=at)
    except (ValueError, RecursionError) as exc:  # the second from JSON that is nested without end
        yield reading.reject(Quarantine.UNREADABLE, text, at=at, detail=str(exc))
        return
    if not count:
        yield None
