"""Syslog: from bytes to messages, with their time. Pure; ``receiving`` carries the bytes, ``firewalls`` reads the text.

RFC 5424 is taken at its word. What is called RFC 3164 is read as devices write it: with or without PRI, year, zone,
host and tag. RFC 6587 is both of its framings, told apart frame by frame.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from controller.evidence.lines import Unfit, decoded

LIMIT: Final = 64 * 1024
"""Bytes of the longest message that is taken."""
MOST_SKIPPED: Final = 16 * 1024 * 1024
"""A frame that says to be longer is no frame: the sender is out of step."""
SHORTEST_CUT: Final = 1_000
"""Devices and relays cut at 1,024 bytes, as RFC 3164 had it, or later; what is shorter is whole."""

Data = Mapping[str, Mapping[str, str]]
"""Structured data: parameters by name, of each element."""


class Message(NamedTuple):
    """One message. ``at`` is by the sender's clock; where the message has no time, it is when it came in."""

    at: datetime
    text: str
    host: str
    app: str
    msgid: str
    data: Data
    facility: int | None
    severity: int | None
    timed: bool  # the header says a time
    whole: bool  # too short to have been cut on the way
    strange: int  # bytes that were no UTF-8, and stand in the text as escapes
    received: datetime
    zone: tzinfo


_NONE: Final[Data] = {}
_PRI: Final = re.compile(r"<(\d{1,3})>")
_5424: Final = re.compile(
    r"[1-9]\d? (?:-|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?))"
    r" (\S{1,255}) (\S{1,48}) \S{1,128} (\S{1,32})(?: |$)"
)
_BSD: Final = re.compile(
    r" ?[*.]?([A-Z][a-z]{2} {1,2}\d{1,2} (?:\d{4} )?\d{2}:\d{2}:\d{2})(?:[.,](\d{1,6}))?(?: (UTC|GMT)\b)?(?=[ :]|$)"
)
_ISO: Final = re.compile(r" ?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)(?=[ :]|$)")
_HOST: Final = re.compile(r" ([A-Za-z0-9_][A-Za-z0-9_.:-]{0,254})(?= )")
_TAG: Final = re.compile(r" ?([A-Za-z][A-Za-z0-9_./-]{0,47})(?:\[[^\]\s]{0,64}\])?: ?")
_ELEMENT: Final = re.compile(r'\[([^\s="\]]{1,64})')
_PARAMETERS: Final = re.compile(r' +([^\s="\]]{1,64})="([^"\\]*(?:\\.[^"\\]*)*)"|(.+)', re.DOTALL)
"""The last alternative takes all that is none: so one pass both finds the parameters and says where they end."""
_MOST_ELEMENTS: Final = 16
_ESCAPE: Final = re.compile(r'\\(["\\\]])')
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], start=1
    )
}


def parse(raw: bytes, received: datetime, *, zone: tzinfo = UTC, whole: bool | None = None) -> Message:
    """One message. ``zone`` is where its sender's clock stands, for times that say no zone.

    Raises ``Unfit``: empty, a PRI that cannot be, or a header of RFC 5424 that ends inside.
    """
    text, strange = decoded(raw.rstrip(b"\r\n\0 "))
    pri, rest = _pri(text)
    if not rest:
        raise Unfit("an empty message")
    facility, severity = (None, None) if pri is None else divmod(pri, 8)
    if whole is None:
        whole = len(raw) < SHORTEST_CUT
    header = _5424.match(rest) if pri is not None else None
    if header is not None:
        stamp, host, app, msgid = header.groups()
        at = None if stamp is None else iso_time(stamp, zone)
        data, said = structured_data(rest, header.end())
        host, app, msgid = ("" if word == "-" else word for word in (host, app, msgid))
    else:
        at, host, app, said = _plain(rest, received, zone)
        msgid, data = "", _NONE
    return Message(
        at or received,
        said,
        host,
        app,
        msgid,
        data,
        facility,
        severity,
        at is not None,
        whole,
        strange,
        received,
        zone,
    )


def _pri(text: str) -> tuple[int | None, str]:
    found = _PRI.match(text)
    if found is None:
        return None, text
    pri = int(found[1])
    if pri > 191:
        raise Unfit(f"a PRI of {pri}; the largest is 191")
    return pri, text[found.end() :]


def structured_data(rest: str, at: int) -> tuple[Data, str]:
    """The elements that begin at ``at``, and the text behind. What looks like elements and is none is text."""
    if rest.startswith("-", at):
        return _NONE, rest[at + 1 :].lstrip(" ").removeprefix("\\ufeff")
    found: dict[str, Mapping[str, str]] = {}
    while len(found) < _MOST_ELEMENTS and (element := _ELEMENT.match(rest, at)) is not None:
        *every, (_, _, behind) = _PARAMETERS.findall(rest, element.end()) or [("", "", "")]
        behind = behind.lstrip(" ")
        if not behind.startswith("]"):
            break
        values = {name: value for name, value, _ in reversed(every)}
        found[element[1]] = _unescaped(values) if "\\" in rest else values
        rest, at = behind, 1
    return found or _NONE, rest[at:].lstrip(" ").removeprefix("\\ufeff")


def _unescaped(values: dict[str, str]) -> dict[str, str]:
    return {name: _ESCAPE.sub(r"\1", value) if "\\" in value else value for name, value in values.items()}


def _plain(rest: str, received: datetime, zone: tzinfo) -> tuple[datetime | None, str, str, str]:
    """Time, host, tag and text of what RFC 3164 describes."""
    at, end = _stamp(rest, received, zone)
    host = app = ""
    if at is not None:
        if (found := _HOST.match(rest, end)) is not None and rest[found.end() - 1] != ":":
            host, end = found[1], found.end()
            if rest.startswith(" : ", end):  # Cisco's device id
                end += 2
        elif rest.startswith((":", " :"), end):
            end = rest.index(":", end) + 1
    if (tag := _TAG.match(rest, end)) is not None:
        app, end = tag[1], tag.end()
    return at, host, app, rest[end:].lstrip(" ")


def _stamp(rest: str, received: datetime, zone: tzinfo) -> tuple[datetime | None, int]:
    if (found := _BSD.match(rest)) is not None:
        stamp, fraction, says_utc = found.groups()
        at = bsd_time(stamp, received, UTC if says_utc else zone)
        if fraction:
            at += timedelta(microseconds=int(fraction.ljust(6, "0")))
        return at, found.end()
    if (found := _ISO.match(rest)) is not None:
        return iso_time(found[1], zone), found.end()
    return None, 0


# --- time -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def iso_time(text: str, zone: tzinfo) -> datetime:
    """An aware time in UTC; ``zone`` where the text says none. Raises ``Unfit``."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unfit(f"{text[:40]!r} is no time") from None


def bsd_time(text: str, received: datetime, zone: tzinfo) -> datetime:
    """``Nov 27 07:15:01``, or with a year behind the day. Without one it is the year that brings it nearest to now.

    Raises ``Unfit``.
    """
    return _bsd_time(text, received.replace(second=0, microsecond=0), zone)


@lru_cache(maxsize=4096)
def _bsd_time(text: str, near: datetime, zone: tzinfo) -> datetime:
    words = text.split()
    month = _MONTHS.get(words[0])
    try:
        hour, minute, second = map(int, words[-1].split(":"))
        years = [int(words[2])] if len(words) == 4 else [near.year - 1, near.year, near.year + 1]
        faces = [
            face for year in years if (face := _face(year, month or 0, int(words[1]), hour, minute, min(second, 59)))
        ]
        moments = [face.replace(tzinfo=zone, fold=fold).astimezone(UTC) for face in faces for fold in (0, 1)]
        return min(moments, key=lambda moment: abs(moment - near))
    except (ValueError, OverflowError):
        raise Unfit(f"{text[:40]!r} is no time") from None


def _face(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime | None:
    """None: that year has no such day."""
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  # a clock face; its zone comes next
    except ValueError:
        return None


# --- framing over TCP and TLS ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Overlong:
    """A message that was passed over: its beginning, and how long it was."""

    head: bytes
    size: int


class Frames:
    """Messages of one stream, as its bytes come in. Holds at most ``limit`` bytes and one read."""

    trouble = ""
    """Why the stream is not what RFC 6587 describes: only a new connection brings its sender back."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._rest = b""
        self._skip = 0  # bytes of a counted frame that are still passed over
        self._line: Overlong | None = None  # a line that is passed over until it ends

    def feed(self, data: bytes) -> list[bytes | Overlong]:
        """The messages that are whole by now. Nothing any more, once there is ``trouble``."""
        if self.trouble:
            return []
        found: list[bytes | Overlong] = []
        if self._skip:
            passed = min(self._skip, len(data))
            self._skip -= passed
            data = data[passed:]
        data, at = self._rest + data, 0
        while at < len(data):
            if self._line is None and data[at] in b"\r\n\0 ":
                at += 1
                continue
            step = self._counted(data, at, found) if self._line is None and data[at] in b"123456789" else None
            if step is None:
                step = self._lines(data, at, found)
            if step < 0 or self.trouble:
                break
            at = step
        self._rest = data[at:]
        return found

    def end(self) -> bytes | Overlong | None:
        """What the stream ended inside of; None: it ended behind a message."""
        rest, self._rest = self._rest, b""
        if self._line is not None:
            return self._line
        return rest.strip(b"\r\n\0 ") or (Overlong(b"", self._skip) if self._skip else None)

    def _counted(self, data: bytes, at: int, found: list[bytes | Overlong]) -> int | None:
        """Behind the counted frame that begins here; -1: not all of it is here; None: it is no counted frame."""
        space = data.find(b" ", at, at + 10)
        if space < 0:
            return -1 if len(data) - at < 10 and data[at:].isdigit() else None
        if not data[at:space].isdigit():
            return None
        size = int(data[at:space])
        if size > MOST_SKIPPED:
            self.trouble = f"a frame of {size} bytes was announced"
            return -1
        start = space + 1
        if size > self._limit:
            found.append(Overlong(data[start : start + 512], size))
            self._skip = max(0, size - (len(data) - start))
            return min(len(data), start + size)
        if len(data) - start < size:
            return -1
        found.append(data[start : start + size])
        return start + size

    def _lines(self, data: bytes, at: int, found: list[bytes | Overlong]) -> int:
        """Behind the line that begins here; -1: its end is not here."""
        end = data.find(b"\n", at)
        if self._line is not None:
            size = self._line.size + (len(data) if end < 0 else end) - at
            self._line = Overlong(self._line.head, size)
            if end < 0:
                return len(data)
            found.append(self._line)
            self._line = None
            return end + 1
        size = (len(data) if end < 0 else end) - at
        if size > self._limit:
            if end >= 0:
                found.append(Overlong(data[at : at + 512], size))
                return end + 1
            self._line = Overlong(data[at : at + 512], size)
            return len(data)
        if end < 0:
            return -1
        found.append(data[at:end])
        return end + 1


__all__ = ["LIMIT", "Data", "Frames", "Message", "Overlong", "bsd_time", "iso_time", "parse"]
