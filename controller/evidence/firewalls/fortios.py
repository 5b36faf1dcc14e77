"""FortiOS: ``key=value`` logs of traffic, web filter, application control, TLS and DNS.

Source: FortiOS log message reference, 6.2 to 7.6; captured lines of 5.4 to 7.6. ``eventtime`` counts nanoseconds, in
old versions seconds; ``date`` and ``time`` are by the firewall's clock, whose zone ``tz`` says.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from controller.evidence.lines import (
    Unfit,
    address,
    dns_name,
    epoch,
    is_epoch,
    number,
    port,
    protocol,
    reply,
    url_parts,
)
from controller.evidence.model import Channel, Sighting, Verdict
from controller.evidence.syslog import Message, iso_time

_PAIR: Final = re.compile(
    r'([A-Za-z_][A-Za-z0-9_.-]*)=(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^\s"]*))(?: +|$)|(.+)', re.DOTALL
)
"""The last alternative takes all that is none: where it took anything, the line is cut, or something else."""
_PLAIN: Final = re.compile(r'([A-Za-z_][A-Za-z0-9_.-]*+)=(?:"([^"]*+)"|([^\s"]*+))(?: ++|$)|.+', re.DOTALL)
"""The same of a line without an escaped quote, as nearly all are: a third faster. What is none has no name here."""
_FIRST: Final = ("logver=", "eventtime=", "timestamp=", "date=", "logid=")
_ESCAPED: Final = re.compile(r'\\(["\\])')
_MOST_PAIRS: Final = 400
_VERDICTS: Final = {
    **dict.fromkeys(
        [
            "accept",
            "close",
            "timeout",
            "client-rst",
            "server-rst",
            "ip-conn",
            "start",
            "pass",
            "passthrough",
            "monitor",
        ],
        Verdict.ALLOWED,
    ),
    **dict.fromkeys(["deny", "block", "blocked", "dropped", "drop", "reset", "redirect"], Verdict.BLOCKED),
}
_READ: Final = frozenset({"webfilter", "app-ctrl", "dns", "ssl"})


def claims(message: Message) -> bool:
    return "logid=" in message.text and "type=" in message.text


def read(message: Message, sensor: str) -> tuple[Sighting, ...]:
    """Raises ``Unfit``."""
    return said_by(pairs(message.text, whole=message.whole), message, sensor)


def said_by(fields: dict[str, str], message: Message, sensor: str) -> tuple[Sighting, ...]:
    """What these values say. Raises ``Unfit``."""
    kind, sub = fields.get("type", ""), fields.get("subtype", "")
    if kind == "traffic" or (kind == "utm" and sub in _READ):
        return (_sighting(fields, sub if kind == "utm" else "", message, sensor),)
    if not kind:
        raise Unfit("a record of FortiOS without a type")
    return ()


def pairs(text: str, *, whole: bool) -> dict[str, str]:
    """The first of two that have one name counts: what a client can write stands behind what the firewall knows.

    Where the line may be cut, a last value without quotes is left out. Raises ``Unfit``.
    """
    at = 0 if text.startswith(_FIRST) else max(0, text.find("date="))
    if len(text) - at > 16 * _MOST_PAIRS and text.count("=", at) > 4 * _MOST_PAIRS:
        raise Unfit("a record of FortiOS with too many values")
    every = _PLAIN.findall(text, at) if '\\"' not in text else [pair[:3] for pair in _PAIR.findall(text, at)]
    if not every or not every[-1][0]:
        raise Unfit("a record of FortiOS that is cut off, or holds what is no key=value")
    found = {name: quoted or plain for name, quoted, plain in reversed(every)}
    if "\\" in text:
        found = {name: _ESCAPED.sub(r"\1", value) if "\\" in value else value for name, value in found.items()}
    if not whole and not text.endswith('"'):
        found.pop(every[-1][0], None)
    return found


def _sighting(fields: dict[str, str], sub: str, message: Message, sensor: str) -> Sighting:
    get = fields.get
    if "srcip" not in fields or not (get("dstip") or sub == "dns"):
        raise Unfit("a record of FortiOS without srcip and dstip: it is cut off, or of another kind")
    name = get("qname") if sub == "dns" else get("hostname")
    sent, received = number(get("sentbyte", "")), number(get("rcvdbyte", ""))
    out, back = number(get("sentpkt", "")), number(get("rcvdpkt", ""))
    verdict = _verdict(get("action", ""), get("utmaction", ""))
    if verdict is Verdict.ALLOWED and not message.whole and not sub and "utmaction" not in fields:
        verdict = Verdict.UNKNOWN  # what inspection did stands at the end
    channel = _channel(sub, get("service", ""), get("proto", "")) if sub else Channel.FIREWALL
    return Sighting(
        channel=channel,
        at=_at(fields, message),
        sensor=sensor,
        source=address(fields["srcip"]),
        source_port=port(get("srcport", "")),
        destination=address(fields["dstip"]) if get("dstip") else None,
        port=port(get("dstport", "")),
        protocol=protocol(get("proto", "")),
        name=dns_name(name) if name else "",
        verdict=verdict,
        rule=get("policyname") or get("policyid", ""),
        user=get("user", "") or get("unauthuser", ""),
        host=get("srcname", ""),
        path=url_parts(get("url", ""))[1] if channel is Channel.HTTP else "",
        agent=get("agent", ""),
        application=get("app", ""),
        answers=tuple(word.strip() for word in get("ipaddr", "").split(",") if word.strip()) if sub == "dns" else (),
        packets=None if out is None or back is None else out + back,
        octets=None if sent is None or received is None else sent + received,
        answered=reply(received, verdict),
        uid=get("sessionid", ""),
    )


def _verdict(action: str, inspection: str) -> Verdict:
    """Of the policy, unless an inspection behind it blocked."""
    if _VERDICTS.get(inspection) is Verdict.BLOCKED:
        return Verdict.BLOCKED
    return _VERDICTS.get(action, Verdict.UNKNOWN)


def _channel(sub: str, service: str, proto: str) -> Channel:
    if sub == "dns":
        return Channel.DNS
    if sub == "ssl":
        return Channel.TLS
    if sub == "webfilter":
        if service.upper() == "HTTP":
            return Channel.HTTP
        return Channel.QUIC if proto == "17" else Channel.TLS
    return Channel.FIREWALL


def _at(fields: dict[str, str], message: Message) -> datetime:
    stamp = fields.get("eventtime", "")
    if is_epoch(stamp):
        return epoch(stamp)
    if "date" not in fields or "time" not in fields:
        raise Unfit("a record of FortiOS without its time: it is cut off")
    zone = fields.get("tz", "")
    return iso_time(f"{fields['date']}T{fields['time']}{zone}", message.zone)
