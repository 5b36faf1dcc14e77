"""CEF and LEEF: what firewalls write for collectors of ArcSight and QRadar, by the keys that both define.

Source: ArcSight "Common Event Format" (revision 25), IBM's LEEF guide (1.0 and 2.0); the log templates of PAN-OS, and
published lines of FortiOS and Check Point. Vendors fill ``in`` and ``out`` the other way round, so only both together
show an answer. Of what both define, only records with a client and another side say who went where.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from controller.evidence.lines import Unfit, address, dns_name, epoch, number, port, protocol, url_parts
from controller.evidence.model import Channel, Sighting, Verdict
from controller.evidence.syslog import Message, bsd_time, iso_time

OURS: Final = "tokgate"
_MOST: Final = 400
_HEADER: Final = re.compile(r"[^|\\]*(?:\\.[^|\\]*)*\|", re.DOTALL)
_KEY: Final = re.compile(r"(?:^|(?<= ))([A-Za-z][A-Za-z0-9_.:-]{0,80})=")
_ESCAPED: Final = re.compile(r"\\([\\=|])")
_DELIMITER: Final = re.compile(r"(?:0?x)([0-9A-Fa-f]{1,4})")
_FACE: Final = re.compile(
    r"(?:[A-Z][a-z]{2} )?([A-Z][a-z]{2} {1,2}\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?: (UTC|GMT|Z))?"
)
_NO_TIME: Final = frozenset({"", "0"})
_ALLOWED: Final = """
accept accepted allow allowed permit permitted pass passed passthrough bypass close timeout client-rst server-rst
ip-conn start monitor decrypt trust
"""
_BLOCKED: Final = """
deny denied drop dropped drop-icmp block blocked reject rejected prevent prevented reset reset-both reset-client
reset-server redirect sinkhole block-url block-continue block-override block-ip override-lockout
"""
_VERDICTS: Final = {
    **dict.fromkeys(_ALLOWED.split(), Verdict.ALLOWED),
    **dict.fromkeys(_BLOCKED.split(), Verdict.BLOCKED),
}
_TIMES: Final = ("start", "startTime", "rt", "deviceReceiptTime", "end", "endTime", "devTime")
_SAME: Final = {
    "sourceAddress": "src",
    "destinationAddress": "dst",
    "c6a2": "src",  # by the dictionary these two are the IPv6 addresses of both sides
    "c6a3": "dst",
    "sourcePort": "spt",
    "srcPort": "spt",
    "destinationPort": "dpt",
    "dstPort": "dpt",
    "transportProtocol": "proto",
    "deviceAction": "act",
    "action": "act",
    "sourceUserName": "suser",
    "usrName": "suser",
    "sourceHostName": "shost",
    "identHostName": "shost",
    "destinationHostName": "dhost",
    "requestUrl": "request",
    "url": "request",
    "URL": "request",
    "requestClientApplication": "agent",
    "userAgent": "agent",
    "bytesIn": "in",
    "srcBytes": "in",
    "bytesOut": "out",
    "dstBytes": "out",
    "baseEventCount": "cnt",
    "RepeatCount": "cnt",
    "applicationProtocol": "app",
    "Application": "app",
    "RuleName": "rule",
    "policy": "rule",
    "FTNTFGTpolicyname": "rule",
    "FTNTFGTpolicyid": "rule_id",
    "FTNTFGTutmaction": "inspected",
    "FTNTFGTqname": "question",
    "FTNTFGTeventtime": "eventtime",
    "externalId": "external",
}
"""Longer names, LEEF's, and the vendors' own, as the names that are used below. The first of two alike counts."""
_RULES: Final = ("rule", "rule name", "policy", "policy name", "rulename", "policyname")

Fields = dict[str, str]


def claims_cef(message: Message) -> bool:
    return (message.app == "CEF" or message.text.startswith("CEF:")) and _body(message, "CEF") is not None


def claims_leef(message: Message) -> bool:
    return (message.app == "LEEF" or message.text.startswith("LEEF:")) and _body(message, "LEEF") is not None


def _body(message: Message, word: str) -> str | None:
    """What stands behind ``CEF:``, which a header may have taken for a tag."""
    text = message.text
    if message.app == word and text[:1].isdigit():
        return text
    return (
        text[len(word) + 1 :] if text.startswith(f"{word}:") and text[len(word) + 1 : len(word) + 2].isdigit() else None
    )


def read_cef(message: Message, sensor: str) -> tuple[Sighting, ...]:
    """Raises ``Unfit``."""
    header, rest = _header(_body(message, "CEF") or "", 7, "CEF")
    return _sightings(_named(_cef_pairs(rest, whole=message.whole)), header[1], message, sensor)


def read_leef(message: Message, sensor: str) -> tuple[Sighting, ...]:
    """Raises ``Unfit``."""
    body = _body(message, "LEEF") or ""
    header, rest = _header(body, 6 if body.startswith("2") else 5, "LEEF")
    delimiter = _delimiter(header[5]) if len(header) == 6 else "\t"
    if len(header) == 5 and "\t" not in rest and "|" in rest:
        delimiter = "|"  # as PAN-OS writes it
    return _sightings(_named(_leef_pairs(rest, delimiter, whole=message.whole)), header[1], message, sensor)


def _header(body: str, count: int, word: str) -> tuple[list[str], str]:
    parts, at = list[str](), 0
    while len(parts) < count:
        found = _HEADER.match(body, at)
        if found is None:
            raise Unfit(f"a record of {word} with {len(parts)} of {count} parts in its header: it is cut off")
        parts.append(_ESCAPED.sub(r"\1", found[0][:-1]))
        at = found.end()
    return parts, body[at:]


def _delimiter(text: str) -> str:
    """One character, or its number; a tab where nothing stands there."""
    found = _DELIMITER.fullmatch(text)
    if found is not None:
        return chr(int(found[1], 16))
    if len(text) > 1:
        raise Unfit(f"a record of LEEF whose delimiter is {text[:20]!r}")
    return text or "\t"


def _cef_pairs(text: str, *, whole: bool) -> list[tuple[str, str]]:
    """Values may hold blanks: each ends where the next key begins. Where the line may be cut, the last is left out."""
    text = text.strip(" ")
    keys = list(_KEY.finditer(text))
    if not keys or keys[0].start() != 0 or len(keys) > _MOST:
        raise Unfit("a record of CEF whose extension does not begin with a key, or has too many")
    ends = [key.start() for key in keys[1:]] + [len(text)]
    pairs = [(key[1], text[key.end() : end].rstrip(" ")) for key, end in zip(keys, ends, strict=True)]
    return pairs if whole else pairs[:-1]


def _leef_pairs(text: str, delimiter: str, *, whole: bool) -> list[tuple[str, str]]:
    parts = text.split(delimiter)
    if len(parts) > _MOST:
        raise Unfit("a record of LEEF with too many values")
    pairs = [(name.strip(), value.strip()) for name, equals, value in (part.partition("=") for part in parts) if equals]
    if not pairs:
        raise Unfit("a record of LEEF without a value")
    return pairs if whole or text.endswith(delimiter) else pairs[:-1]


def _named(pairs: list[tuple[str, str]]) -> Fields:
    found: Fields = {}
    for name, value in pairs:
        value = _ESCAPED.sub(r"\1", value) if "\\" in value else value
        found.setdefault(_SAME.get(name, name), value)
        found.setdefault(name, value)
    for number_ in range(1, 7):
        if found.get(f"cs{number_}Label", "").lower() in _RULES:
            found.setdefault("rule", found.get(f"cs{number_}", ""))
    return found


def _sightings(fields: Fields, vendor: str, message: Message, sensor: str) -> tuple[Sighting, ...]:
    if vendor == OURS:
        return ()  # what was sent out is no evidence when it comes back
    get = fields.get
    host, path = url_parts(get("request", "").strip('"'))
    question = dns_name(get("question", ""))
    name = question or host or dns_name(get("dhost", ""))
    if not get("src") or not (get("dst") or question or host):
        if not message.whole and "src" not in fields:
            raise Unfit("a record without src: it is cut off, or of another kind")
        return ()
    verdict = _verdict(get("act", ""), get("inspected", ""))
    if verdict is Verdict.ALLOWED and not message.whole and vendor == "Fortinet" and "inspected" not in fields:
        verdict = Verdict.UNKNOWN  # what inspection did stands at the end
    octets = [number(get(key, "")) for key in ("in", "out")]
    proto = protocol(get("proto", ""))
    clear = bool(host) and _is_clear(get("request", ""), path, get("dpt", ""))
    both = all(octets) and verdict is not Verdict.BLOCKED
    return (
        Sighting(
            channel=_channel(question=question, host=host, proto=proto, clear=clear),
            at=_at(fields, message),
            sensor=sensor,
            source=address(fields["src"]),
            source_port=port(get("spt", "")),
            destination=address(fields["dst"]) if get("dst") else None,
            port=port(get("dpt", "")),
            protocol=proto,
            name=name,
            verdict=verdict,
            rule=get("rule", "") or get("rule_id", ""),
            user=get("suser", ""),
            host=get("shost", ""),
            path=path if clear else "",
            agent=get("agent", ""),
            application=get("app", ""),
            octets=None if None in octets else sum(octet for octet in octets if octet is not None),
            answered=True if both else None,
            count=number(get("cnt", "")) or 1,
            uid=get("external", "") if vendor == "Fortinet" else "",  # of others it numbers other things
        ),
    )


def _is_clear(request: str, path: str, port_: str) -> bool:
    return (
        request.startswith("http://") or (not request.startswith("https://") and path not in ("", "/")) or port_ == "80"
    )


def _channel(*, question: str, host: str, proto: str, clear: bool) -> Channel:
    if question:
        return Channel.DNS
    if not host:
        return Channel.FIREWALL
    if clear:
        return Channel.HTTP
    return Channel.QUIC if proto == "udp" else Channel.TLS


def _verdict(action: str, inspection: str) -> Verdict:
    """Of the policy, unless an inspection behind it blocked."""
    if _VERDICTS.get(inspection.lower()) is Verdict.BLOCKED:
        return Verdict.BLOCKED
    return _VERDICTS.get(action.lower(), Verdict.UNKNOWN)


def _at(fields: Fields, message: Message) -> datetime:
    """When it happened, else when it was written, else as the message says."""
    if (stamp := fields.get("eventtime", "")).isdigit():
        return epoch(stamp)
    for key in _TIMES:
        if (text := fields.get(key, "")) not in _NO_TIME:
            return _moment(text, message)
    return message.at


def _moment(text: str, message: Message) -> datetime:
    """Raises ``Unfit``."""
    if text.isascii() and text.isdigit():
        return epoch(text)
    if (found := _FACE.fullmatch(text)) is not None:
        at = bsd_time(found[1], message.received, UTC if found[3] else message.zone)
        return at + timedelta(microseconds=int((found[2] or "0").ljust(6, "0")))
    if text[:4].isdigit():
        return iso_time(text.replace("/", "-"), message.zone)
    return _unnamed_zone(text, message.at)


def _unnamed_zone(text: str, at: datetime) -> datetime:
    """``Feb 17 2023 23:30:15 CEST``: a word for a zone means several; the message's own time is meant."""
    face = _FACE.match(text)
    if face is None or not text[face.end() :].strip(" ").isalpha():
        raise Unfit(f"{text[:40]!r} is no time")
    return at
