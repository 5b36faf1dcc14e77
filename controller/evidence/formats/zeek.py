"""Zeek's ``conn``, ``dns``, ``ssl``, ``quic`` and ``http``, as TSV with its header or as JSON lines. Pure.

Zeek watches and decides nothing, so no verdict is known; that the other side answered is. Field names: Zeek 7,
``base/protocols`` (https://docs.zeek.org); columns are found by their names, so older and richer logs are read alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from controller.evidence.formats import fields
from controller.evidence.formats.reading import Found, Reading, Stream, by_line
from controller.evidence.model import Channel, Sighting

Record = Mapping[str, Any]
_ESCAPED: Final = re.compile(r"\\x([0-9a-fA-F]{2})")
_ANSWERED: Final = frozenset({"S1", "SF", "S2", "S3", "RSTO", "RSTR", "SHR", "RSTRH"})
"""States of a connection that the responder took part in as one does who is there. A RST alone (REJ) may be the
firewall's."""
_SILENT: Final = frozenset({"S0", "SH", "RSTOS0", "REJ"})
_PATHS: Final = ("conn", "dns", "ssl", "quic", "http")


def read(stream: Stream, reading: Reading) -> Iterator[Found]:
    """TSV or JSON, line by line; also several logs one behind the other."""
    return by_line(stream, reading, Zeek(reading).line)


class Zeek:
    """Reads lines in their order: the header says what the columns are."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._separator, self._between, self._unset, self._empty = "\t", ",", "-", "(empty)"
        self._path = ""
        self._fields: list[str] = []

    def line(self, text: str) -> Iterator[Sighting]:
        """Raises ``ValueError``."""
        if text.startswith("#"):
            self._header(text)
        elif text.startswith("{"):
            record = fields.json_object(text)
            yield from self._sighting(_path_of(record), record)
        else:
            yield from self._sighting(self._path, self._row(text))

    def _header(self, text: str) -> None:
        if text.startswith("#separator "):
            self._separator = _unescaped(text.removeprefix("#separator ").strip()) or "\t"
            return
        key, _, value = text[1:].partition(self._separator)
        match key:
            case "set_separator":
                self._between = _unescaped(value) or ","
            case "unset_field":
                self._unset = value
            case "empty_field":
                self._empty = value
            case "path":
                self._path, self._fields = value, []
            case "fields":
                self._fields = value.split(self._separator)

    def _row(self, text: str) -> Record:
        if not self._fields:
            raise ValueError("a line before any #fields")
        values = text.split(self._separator)
        if len(values) != len(self._fields):
            raise ValueError(f"{len(values)} fields; the header names {len(self._fields)}")
        nothing = (self._unset, self._empty)
        return {key: _unescaped(value) for key, value in zip(self._fields, values, strict=True) if value not in nothing}

    def _sighting(self, path: str, record: Record) -> Iterator[Sighting]:
        make = _MAKERS.get(path)
        if make is not None:
            yield make(record, self)

    def common(self, record: Record) -> dict[str, Any]:
        """What every log has."""
        source, destination = fields.address(record.get("id.orig_h")), fields.address(record.get("id.resp_h"))
        if source is None or destination is None:
            raise ValueError("id.orig_h and id.resp_h: an address each")
        time = record.get("ts", record.get("@timestamp"))
        return {
            "at": fields.iso_or_epoch(time),
            "sensor": self._reading.writer,
            "source": source,
            "source_port": fields.port(record.get("id.orig_p")),
            "destination": destination,
            "port": fields.port(record.get("id.resp_p")),
            "protocol": fields.clean(record.get("proto", ""), 20).lower(),
            "uid": fields.clean(record.get("uid", ""), 64),
        }

    def several(self, value: object) -> list[object]:
        """A set or vector: of JSON, or in one column."""
        if isinstance(value, list):
            return value
        return list(value.split(self._between)) if isinstance(value, str) and value else []


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "\\x" in text else text


def _path_of(record: Record) -> str:
    """Zeek's JSON writer leaves the path out, unless a package adds ``_path``."""
    path = record.get("_path")
    if isinstance(path, str):
        return path
    if "conn_state" in record:
        return "conn"
    if "trans_id" in record or "qtype_name" in record:
        return "dns"
    if "client_initial_dcid" in record or "client_protocol" in record:
        return "quic"
    if "established" in record and ("cipher" in record or "server_name" in record or "resumed" in record):
        return "ssl"
    return "http" if "trans_depth" in record and "mailfrom" not in record else ""


def _conn(record: Record, zeek: Zeek) -> Sighting:
    sent, received = fields.whole(record.get("orig_ip_bytes")), fields.whole(record.get("resp_ip_bytes"))
    if sent is None and received is None:
        sent, received = fields.whole(record.get("orig_bytes")), fields.whole(record.get("resp_bytes"))
    packets = fields.whole(record.get("orig_pkts")), fields.whole(record.get("resp_pkts"))
    return Sighting(
        channel=Channel.FLOW,
        answered=_answered(record, packets[1]),
        packets=fields.added(*packets),
        octets=fields.added(sent, received),
        **zeek.common(record),
    )


def _answered(record: Record, received: int | None) -> bool | None:
    if record.get("proto") != "tcp":
        return None if received is None else received > 0
    state = record.get("conn_state")
    return True if state in _ANSWERED else False if state in _SILENT else None


def _dns(record: Record, zeek: Zeek) -> Sighting:
    return Sighting(
        channel=Channel.DNS,
        name=fields.name(record.get("query")),
        answers=fields.answers(zeek.several(record.get("answers"))),
        answered=True if "rcode_name" in record or "rcode" in record else None,
        **zeek.common(record),
    )


def _ssl(record: Record, zeek: Zeek) -> Sighting:
    return Sighting(
        channel=Channel.TLS,
        name=fields.name(record.get("server_name")),
        ja3=fields.clean(record.get("ja3", ""), 32),
        ja4=fields.clean(record.get("ja4", ""), 64),
        answered=True if record.get("established") in ("T", True) else None,
        **{**zeek.common(record), "protocol": "tcp"},
    )


def _quic(record: Record, zeek: Zeek) -> Sighting:
    history = record.get("history")
    from_server = isinstance(history, str) and any(letter.islower() for letter in history)
    return Sighting(
        channel=Channel.QUIC,
        name=fields.name(record.get("server_name")),
        ja4=fields.clean(record.get("ja4", ""), 64),
        answered=True if from_server else None,
        **{**zeek.common(record), "protocol": "udp"},
    )


def _http(record: Record, zeek: Zeek) -> Sighting:
    host = record.get("host")
    seen = zeek.several(record.get("client_header_names")) + zeek.several(record.get("cookie_vars"))
    return Sighting(
        channel=Channel.HTTP,
        name=fields.name(fields.host_and_port(host)[0]) if isinstance(host, str) else "",
        path=fields.clean(record.get("uri", ""), fields.MAX_PATH),
        agent=fields.clean(record.get("user_agent", "")),
        user=fields.clean(record.get("username", "")),
        headers=fields.header_names(seen),
        answered=True if record.get("status_code") is not None else None,
        **{**zeek.common(record), "protocol": "tcp"},
    )


_MAKERS: Final[Mapping[str, Callable[[Record, Zeek], Sighting]]] = dict(
    zip(_PATHS, (_conn, _dns, _ssl, _quic, _http), strict=True)
)


def fits(head: str) -> bool:
    """Whether a beginning looks like it."""
    first = head.lstrip().split("\n", 1)[0]
    if first.startswith(("#separator ", "#fields\t", "#path\t")):
        return True
    return first.startswith("{") and '"id.orig_h"' in first and ('"ts"' in first or '"@timestamp"' in first)
