"""A table with a header: who has which program. For exports of any inventory, Intune's reports among them. Pure.

Columns are known by their names, in any order and case; ``,``, ``;`` or tabs between them. One of *software* has to be
there; *host*, *user*, *address*, *platform* and *time* are taken where they are.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

from controller.evidence.formats import fields
from controller.evidence.formats.mdm import platform
from controller.evidence.formats.reading import Found, Reading, Stream, judged, lines
from controller.evidence.model import Channel, Quarantine, Rejected, Sighting

T = TypeVar("T")

MAX_ROW: Final = 1 << 16
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "software": (
        "bundleid", "bundleidentifier", "packagefamilyname", "packagename", "package", "identifier", "appid",
        "software", "applicationname", "appname", "displayname", "application", "app", "program", "name",
    ),
    "host": ("hostname", "host", "devicename", "computername", "device", "computer", "machine", "endpoint"),
    "user": ("username", "user", "userprincipalname", "primaryuser", "owner", "emailaddress", "email"),
    "address": ("ipaddress", "ip", "ipv4", "address", "sourceip", "lastipaddress", "lastreportedip"),
    "platform": ("platform", "os", "operatingsystem", "osname", "osdescription"),
    "time": ("timestamp", "time", "lastseen", "date", "reportdate", "collectedat", "lastsyncdatetime", "lastcheckin"),
}  # fmt: skip
"""By what a column is called, spaces, hyphens and underscores apart; the first that is there is taken."""


def read(stream: Stream, reading: Reading) -> Iterator[Found]:
    """Each row; a quoted field may go over lines."""
    found = _Rows(stream, reading)
    header, columns = found.header()
    yield from found.rejected()
    if not columns:
        yield reading.reject(Quarantine.UNREADABLE, header, at="line 1", detail="no header that names a program")
        return
    called = {what: found.names[number] for what, number in columns.items()}
    while (row := found.next_row()) is not None:
        yield from found.rejected()
        shown = " ".join(row)[:400]
        if any(row):
            yield from judged(
                lambda values: [_sighting(values, reading, called)],
                _values(row, columns),
                reading,
                shown,
                at=f"line {found.number}",
            )
    yield from found.rejected()


class _Rows:
    """The rows of a table, and what could not be one."""

    def __init__(self, stream: Stream, reading: Reading) -> None:
        self._reading = reading
        self._stream = stream
        self._rejected: list[Rejected] = []
        self.number = 0
        self._lines = self._texts()
        self._rows: Iterator[list[str]] = iter(())
        self._width = 0
        self.names: list[str] = []

    def header(self) -> tuple[str, Mapping[str, int]]:
        """Its text, and which column holds what; empty when it is none."""
        text = next(self._lines, "")
        between = max(",;\t", key=text.count)
        names = next(csv.reader([text], delimiter=between), [])
        self._width, self.names = len(names), [fields.clean(name, 60) for name in names]
        self._rows = csv.reader(self._lines, delimiter=between)
        return text, columns_of(names)

    def next_row(self) -> list[str] | None:
        while True:
            try:
                row = next(self._rows, None)
            except csv.Error as exc:
                self._set_aside("", str(exc))
                continue
            if row is None or not row or len(row) == self._width:
                return row
            self._set_aside(" ".join(row), f"{len(row)} fields; the header names {self._width}")

    def rejected(self) -> Iterator[Rejected]:
        found, self._rejected = self._rejected, []
        return iter(found)

    def _set_aside(self, text: str, why: str) -> None:
        found = self._reading.reject(Quarantine.UNREADABLE, text, at=f"line {self.number}", detail=why)
        self._rejected.append(found)

    def _texts(self) -> Iterator[str]:
        for line in lines(self._stream, self._reading, max_line=MAX_ROW, may_lack_end=True):
            if isinstance(line, Rejected):
                self._rejected.append(line)
            else:
                self.number = line[0]
                yield line[1].replace("\0", "\ufffd").replace("\r", " ") + "\n"


def columns_of(names: list[str]) -> Mapping[str, int]:
    """Which column holds what; nothing when none names a program."""
    known = {_plain(name): number for number, name in reversed(list(enumerate(names)))}
    found = {what: known[name] for what, called in COLUMNS.items() for name in reversed(called) if name in known}
    return found if "software" in found else {}


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _values(row: list[str], columns: Mapping[str, int]) -> Mapping[str, str]:
    return {what: row[number].strip() for what, number in columns.items()}


def _sighting(values: Mapping[str, str], reading: Reading, called: Mapping[str, str]) -> Sighting:
    """``called``: what the columns are called there, for who has to find a wrong one."""
    if not values["software"]:
        raise ValueError(f"column {called['software']!r}: no program")
    return Sighting(
        channel=Channel.ENDPOINT,
        at=_in(called, "time", values, lambda text: fields.iso_or_epoch(text, reading.zone))
        or reading.made_at
        or reading.now,
        sensor=reading.writer,
        source=_in(called, "address", values, fields.address),
        host=fields.clean(values.get("host", ""), 100),
        user=fields.clean(values.get("user", ""), 100),
        software=fields.clean(values["software"], 200),
        platform=platform(values.get("platform")),
    )


def _in(called: Mapping[str, str], what: str, values: Mapping[str, str], parse: Callable[[str], T]) -> T | None:
    """The value of a column; None for nothing. Raises ``ValueError`` naming the column."""
    if not (text := values.get(what)):
        return None
    try:
        return parse(text)
    except ValueError as exc:
        raise ValueError(f"column {called[what]!r}: {exc}") from exc


def fits(head: str) -> bool:
    """Whether a beginning looks like it."""
    first = head.split("\n", 1)[0].strip()
    if not first or len(first) > 8192 or first[0] in "{[#":
        return False
    names = first.replace('"', "").split(max(",;\t", key=first.count))
    found = columns_of(names)
    return len(names) > 1 and "software" in found and len(found) > 1
