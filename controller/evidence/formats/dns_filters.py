"""DNS filters that log JSON: AdGuard Home's ``querylog.json`` and the queries of Pi-hole's API. Pure.

Source: AdGuard Home ``internal/querylog`` (``T``, ``QH``, ``IP``, ``Result``) and Pi-hole FTL 6 ``/api/queries``; both
as documented, not run here. Pi-hole's text log is dnsmasq's (``dns_servers``).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, Final

import dns.exception
import dns.message
import dns.rdatatype

from controller.evidence.formats import fields
from controller.evidence.formats.documents import items
from controller.evidence.formats.reading import Found, Reading, Stream, by_line
from controller.evidence.model import Channel, Sighting, Verdict

Record = Mapping[str, Any]
_FILTERED: Final = frozenset({3, 4, 5, 6, 7, 8})
"""AdGuard Home's reasons: a list, safe browsing, parental control, invalid, safe search, a blocked service."""
_BLOCKED: Final = frozenset(
    {
        "GRAVITY", "REGEX", "DENYLIST", "EXTERNAL_BLOCKED_IP", "EXTERNAL_BLOCKED_NULL", "EXTERNAL_BLOCKED_NXRA",
        "EXTERNAL_BLOCKED_EDE15", "GRAVITY_CNAME", "REGEX_CNAME", "DENYLIST_CNAME", "SPECIAL_DOMAIN",
    }
)  # fmt: skip


def read_adguard(stream: Stream, reading: Reading) -> Iterator[Found]:
    """One JSON object a line."""
    return by_line(stream, reading, lambda text: _adguard(fields.json_object(text), reading), may_lack_end=True)


def _adguard(record: Record, reading: Reading) -> Iterator[Sighting]:
    source = fields.address(record.get("IP"))
    if source is None or not isinstance(record.get("QH"), str):
        raise ValueError("IP and QH: who asked, and for what")
    result = fields.section(record, "Result")
    rules = [rule.get("Text") for rule in fields.listed(result, "Rules") if isinstance(rule, dict)]
    is_blocked = result.get("IsFiltered") is True and result.get("Reason") in _FILTERED
    yield Sighting(
        channel=Channel.DNS,
        at=fields.iso(record.get("T")),
        sensor=reading.writer,
        source=source,
        port=53,
        name=fields.name(record["QH"]),
        answers=_answers(record.get("Answer")),
        verdict=Verdict.BLOCKED if is_blocked else Verdict.UNKNOWN,
        rule=fields.clean(next(iter(rules), ""), 200),
        host=fields.clean(record.get("CID", ""), 100),
    )


def _answers(packed: object) -> tuple[str, ...]:
    """Names and addresses of an answer as it was sent; of one that is damaged, none."""
    if not isinstance(packed, str) or len(packed) > 1 << 17:
        return ()
    try:
        message = dns.message.from_wire(base64.b64decode(packed, validate=True), ignore_trailing=True)
    except (binascii.Error, ValueError, dns.exception.DNSException):
        return ()
    kinds = (dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.CNAME)
    return fields.answers(value.to_text() for found in message.answer if found.rdtype in kinds for value in found)


def read_pihole(stream: Stream, reading: Reading) -> Iterator[Found]:
    """``GET /api/queries``, as it was answered."""
    return items(stream, reading, ("queries",), lambda record: _pihole(record, reading))


def _pihole(record: Record, reading: Reading) -> Iterator[Sighting]:
    client = fields.section(record, "client")
    source = fields.address(client.get("ip"))
    if source is None or not isinstance(record.get("domain"), str):
        raise ValueError("client.ip and domain: who asked, and for what")
    status = record.get("status")
    yield Sighting(
        channel=Channel.DNS,
        at=fields.epoch(record.get("time")),
        sensor=reading.writer,
        source=source,
        port=53,
        name=fields.name(record["domain"]),
        answers=fields.answers([record.get("cname")]),
        verdict=Verdict.BLOCKED if status in _BLOCKED else Verdict.UNKNOWN,
        rule=status.lower() if isinstance(status, str) and status in _BLOCKED else "",
        host=fields.clean(client.get("name") or "", 100),
    )


def fits_adguard(head: str) -> bool:
    first = head.lstrip().split("\n", 1)[0]
    return first.startswith("{") and '"QH"' in first and '"IP"' in first


def fits_pihole(head: str) -> bool:
    return head.lstrip().startswith("{") and '"queries"' in head[:4096] and '"domain"' in head[:8192]
