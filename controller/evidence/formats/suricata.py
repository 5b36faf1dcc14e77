"""Suricata's EVE: ``alert``, ``drop``, ``flow``, ``dns`` (versions 1 to 3), ``tls``, ``quic`` and ``http``. Pure.

In IDS mode Suricata says ``allowed`` of everything that it alerts on, so only a drop is a verdict. Field names:
https://docs.suricata.io (7 and 8), EVE JSON format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from controller.evidence.formats import fields
from controller.evidence.formats.reading import Found, Reading, Stream, by_line
from controller.evidence.model import Channel, Sighting, Verdict

Record = Mapping[str, Any]


def read(stream: Stream, reading: Reading) -> Iterator[Found]:
    """One JSON object a line."""
    return by_line(stream, reading, lambda text: _sightings(fields.json_object(text), reading), may_lack_end=True)


def _sightings(record: Record, reading: Reading) -> Iterator[Sighting]:
    kind = record.get("event_type")
    if not isinstance(kind, str):
        raise ValueError("no event_type")  # noqa: TRY004  of the line, and no mistake of ours
    make = _MAKERS.get(kind)
    if make is not None:
        found = {**_common(record, reading), **make(record)}
        if found["verdict"] is Verdict.BLOCKED:
            found["answered"] = None  # the packets before the drop prove nothing
        yield Sighting(**found)


def _common(record: Record, reading: Reading) -> dict[str, Any]:
    source, destination = fields.address(record.get("src_ip")), fields.address(record.get("dest_ip"))
    if source is None or destination is None:
        raise ValueError("src_ip and dest_ip: an address each")
    ends = (source, fields.port(record.get("src_port"))), (destination, fields.port(record.get("dest_port")))
    if record.get("event_type") == "dns" and ends[0][1] == 53 and ends[1][1] != 53:
        ends = ends[::-1]  # some versions tell of an answer from the server's side
    (source, source_port), (destination, port) = ends
    sensor = record.get("host")
    return {
        "at": fields.iso(record.get("timestamp")),
        "sensor": reading.sensor or fields.clean(sensor if isinstance(sensor, str) else "", 100) or reading.writer,
        "source": source,
        "source_port": source_port,
        "destination": destination,
        "port": port,
        "protocol": fields.clean(record.get("proto", ""), 20).lower(),
        "uid": fields.clean(record.get("flow_id", ""), 64),
        "verdict": _verdict(record),
    }


def _verdict(record: Record) -> Verdict:
    said = (
        fields.section(record, "alert").get("action"),
        fields.section(record, "verdict").get("action"),
        fields.section(record, "flow").get("action"),
        record.get("action"),
    )
    stopped = record.get("event_type") == "drop" or any(word in ("blocked", "drop", "reject") for word in said)
    return Verdict.BLOCKED if stopped else Verdict.UNKNOWN


def _flow(record: Record) -> dict[str, Any]:
    flow = fields.section(record, "flow")
    sent, received = fields.whole(flow.get("pkts_toserver")), fields.whole(flow.get("pkts_toclient"))
    return {
        "channel": Channel.FLOW,
        "packets": fields.added(sent, received),
        "octets": fields.added(fields.whole(flow.get("bytes_toserver")), fields.whole(flow.get("bytes_toclient"))),
        "answered": None if received is None else received > 0,
    }


def _dns(record: Record) -> dict[str, Any]:
    dns = fields.section(record, "dns")
    asked = [q for q in fields.listed(dns, "queries") if isinstance(q, dict)]  # version 3, and alerts
    first = asked[0].get("rrname") if asked else None
    told = [a.get("rdata") for a in fields.listed(dns, "answers") if isinstance(a, dict)]
    grouped = [text for texts in fields.section(dns, "grouped").values() if isinstance(texts, list) for text in texts]
    return {
        "channel": Channel.DNS,
        "name": fields.name(dns.get("rrname", first)),
        "answers": fields.answers([*told, dns.get("rdata"), *grouped]),
        "answered": True if dns.get("type") in ("answer", "response") else None,
    }


def _tls(record: Record) -> dict[str, Any]:
    return {"channel": Channel.TLS, **_handshake(fields.section(record, "tls"))}


def _quic(record: Record) -> dict[str, Any]:
    quic = fields.section(record, "quic")
    return {"channel": Channel.QUIC, "agent": fields.clean(quic.get("ua", "")), **_handshake(quic)}


def _handshake(tls: Record) -> dict[str, Any]:
    ja3 = tls.get("ja3")
    return {
        "name": fields.name(tls.get("sni")),
        "ja3": fields.clean(ja3.get("hash", "") if isinstance(ja3, dict) else "", 32),
        "ja4": fields.clean(tls.get("ja4", ""), 64),
    }


def _http(record: Record) -> dict[str, Any]:
    http = fields.section(record, "http")
    host = http.get("hostname")
    sent = [h.get("name") for h in fields.listed(http, "request_headers") if isinstance(h, dict)]
    return {
        "channel": Channel.HTTP,
        "name": fields.name(fields.host_and_port(host)[0]) if isinstance(host, str) else "",
        "path": fields.clean(http.get("url", ""), fields.MAX_PATH),
        "agent": fields.clean(http.get("http_user_agent", "")),
        "headers": fields.header_names(sent),
        "answered": True if http.get("status") is not None else None,
    }


def _alert(record: Record) -> dict[str, Any]:
    """With what Suricata adds of the protocol; the rule is its signature."""
    alert = fields.section(record, "alert")
    inner = next((make(record) for key, make in _PROTOCOLS.items() if key in record), None)
    number = fields.clean(alert.get("signature_id", ""), 20)
    rule = " ".join(text for text in (number, fields.clean(alert.get("signature", ""), 200)) if text)
    return {**(inner or {"channel": Channel.FLOW}), "rule": rule}


def _drop(record: Record) -> dict[str, Any]:
    return {**_alert(record), "channel": Channel.FIREWALL}


_PROTOCOLS: Final[Mapping[str, Callable[[Record], dict[str, Any]]]] = {
    "tls": _tls,
    "quic": _quic,
    "http": _http,
    "dns": _dns,
}
_MAKERS: Final[Mapping[str, Callable[[Record], dict[str, Any]]]] = {
    **_PROTOCOLS,
    "flow": _flow,
    "alert": _alert,
    "drop": _drop,
}


def fits(head: str) -> bool:
    """Whether a beginning looks like it."""
    first = head.lstrip().split("\n", 1)[0]
    return first.startswith("{") and '"event_type"' in first and '"timestamp"' in first
