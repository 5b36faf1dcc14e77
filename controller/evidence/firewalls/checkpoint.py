"""Check Point's Log Exporter: ``name:"value"; …`` behind a header of RFC 5424, and ``name=value|…``.

Source: Log Exporter's formats syslog and splunk; published lines. Where several layers decide, keys stand more than
once, and the first belongs to the rule that decided first. Accelerated drops come as one record with a list of packets
and no source of their own.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from controller.evidence.lines import Unfit, address, dns_name, number, port, protocol, reply, url_parts
from controller.evidence.model import Channel, Sighting, Verdict
from controller.evidence.syslog import Message

_FIRST: Final = re.compile(r' *[A-Za-z_][A-Za-z0-9_ -]*:"')
_QUOTED: Final = re.compile(r' *([A-Za-z_][A-Za-z0-9_ -]*):"([^"\\]*(?:\\.[^"\\]*)*)"(?:; ?|(?= ?\]))|(.+)', re.DOTALL)
"""The last alternative takes all that is none: what is left behind a whole record is its bracket."""
_PLAIN: Final = re.compile(r' *([A-Za-z_][A-Za-z0-9_ -]*+):"([^"]*+)"(?:; ?|(?= ?\]))|(.+)', re.DOTALL)
"""The same of a record without an escaped quote, as nearly all are: a third faster."""
_UNREAD: Final = "__policy_id_tag"
"""Names the policy's database, with an escape, in every record; nothing is taken from it."""
_MOST: Final = 400
_PACKET: Final = re.compile(r" *<([^,<>]+),(\d+),([^,<>]+),(\d+),(\d+)(?:;[^<>]*)?>")
_MOST_PACKETS: Final = 256
_ESCAPE: Final = re.compile(r'\\(["\\\]=|])')
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VERDICTS: Final = {
    **dict.fromkeys(["accept", "allow", "bypass", "decrypt", "detect", "monitor", "inform"], Verdict.ALLOWED),
    **dict.fromkeys(("drop", "reject", "block", "prevent", "redirect"), Verdict.BLOCKED),
}
_TRAFFIC: Final = ("firewall", "url filtering", "application control", "https inspection")


def claims(message: Message) -> bool:
    return message.app == "CheckPoint" or "loguid=" in message.text or 'loguid:"' in message.text


def read(message: Message, sensor: str) -> tuple[Sighting, ...]:
    """Raises ``Unfit``."""
    fields = _fields(message)
    product = fields.get("product", "firewall").lower()
    if not any(word in product for word in _TRAFFIC):
        return ()
    if "src" in fields and "dst" in fields:
        return (_sighting(fields, message, sensor),)
    if "packets" in fields:
        return tuple(_aggregated(fields, message, sensor))
    if "action" in fields and "src" not in fields and "dst" not in fields:
        return ()
    raise Unfit("a record of Check Point with one end only: it is cut off, or in an unknown form")


def _fields(message: Message) -> dict[str, str]:
    text = message.text
    begin = text.find("[")
    if begin >= 0 and _FIRST.match(text, begin + 1):
        return _quoted(text, begin + 1)
    found: dict[str, str] = {}
    parts = text.split("|")
    if len(parts) < 5 or len(parts) > _MOST:
        raise Unfit("a record of Check Point in an unknown form")
    for part in parts[:-1]:  # what stands behind the last bar is nothing, or is cut
        name, equals, value = part.partition("=")
        if equals:
            found.setdefault(name.strip(), _ESCAPE.sub(r"\1", value) if "\\" in value else value)
    return found


def _quoted(text: str, at: int) -> dict[str, str]:
    *every, (_, _, behind) = (_QUOTED if '\\"' in text else _PLAIN).findall(text, at)
    if behind.strip() != "]":
        raise Unfit("a record of Check Point that is cut off")
    found = {name: value for name, value, _ in reversed(every)}
    if text.count("\\") == found.pop(_UNREAD, "").count("\\"):
        return found
    return {name: _ESCAPE.sub(r"\1", value) if "\\" in value else value for name, value in found.items()}


def _sighting(fields: dict[str, str], message: Message, sensor: str) -> Sighting:
    get = fields.get
    resource, asked = get("resource", ""), get("tls_server_host_name") or get("sni")
    host, path = url_parts(resource.partition(" ")[0]) if resource else ("", "")
    server = dns_name(asked) if asked else ""
    name = server or host
    clear = bool(host) and not server and not resource.startswith("https://")
    proto = protocol(get("proto", ""))
    service = get("service", "")
    verdict = _VERDICTS.get(get("action", "").lower(), Verdict.UNKNOWN)
    return Sighting(
        channel=_channel(name, proto, clear=clear),
        at=_at(fields, message),
        sensor=sensor,
        source=address(get("src", "")),
        source_port=port(get("s_port", "")),
        destination=address(get("dst", "")),
        port=port(service) if service.isdigit() else None,
        protocol=proto,
        name=name,
        verdict=verdict,
        rule=get("rule_name", "") or get("rule_uid", "").strip("{}"),
        user=get("user", "") or get("src_user_name", ""),
        host=get("src_machine_name", ""),
        path=path if clear else "",
        agent=get("web_client_type", "") if " " in get("web_client_type", "") else "",
        application=get("appi_name", ""),
        packets=number(get("packets", "")) if get("packets", "").isdigit() else None,
        octets=number(get("bytes", "")),
        answered=reply(number(get("server_outbound_bytes", "")), verdict),
        uid=get("loguid", "").strip("{}"),
    )


def _channel(name: str, proto: str, *, clear: bool) -> Channel:
    if not name:
        return Channel.FIREWALL
    if clear:
        return Channel.HTTP
    return Channel.QUIC if proto == "udp" else Channel.TLS


def _aggregated(fields: dict[str, str], message: Message, sensor: str) -> list[Sighting]:
    at, found = 0, list[Sighting]()
    text, when = fields["packets"], _at(fields, message)
    while (packet := _PACKET.match(text, at)) is not None and len(found) < _MOST_PACKETS:
        source, source_port, destination, port_, number_ = packet.groups()
        found.append(
            Sighting(
                channel=Channel.FIREWALL,
                at=when,
                sensor=sensor,
                source=address(source),
                source_port=port(source_port),
                destination=address(destination),
                port=port(port_),
                protocol=protocol(number_),
                verdict=_VERDICTS.get(fields.get("action", "").lower(), Verdict.UNKNOWN),
                rule=fields.get("rule_name", ""),
                packets=1,
            )
        )
        at = packet.end()
    if text[at:].strip() or not found:
        raise Unfit("a list of packets of Check Point that is cut off, or in an unknown form")
    return found


def _at(fields: dict[str, str], message: Message) -> datetime:
    stamp = fields.get("time", "")
    if stamp.isascii() and stamp.isdigit() and len(stamp) == 10:
        return _EPOCH + timedelta(seconds=int(stamp))
    return message.at
