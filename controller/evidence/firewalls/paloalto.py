"""PAN-OS: TRAFFIC and THREAT (url) logs as comma-separated values.

Source: the field orders of the PAN-OS administrator's guides, "Traffic Log Fields" and "URL Filtering Log Fields",
6.1 to 10.2: later versions append. The generated time is by the firewall's clock, without a zone.
"""

from __future__ import annotations

import csv
from typing import Final

from controller.evidence.lines import Unfit, address, number, port, reply, url_parts
from controller.evidence.model import Channel, Sighting, Verdict
from controller.evidence.syslog import Message, iso_time

_TYPE, _SUBTYPE, _TIME, _SOURCE, _DESTINATION, _RULE, _USER, _APP = 3, 4, 6, 7, 8, 11, 12, 14
_SESSION, _REPEATS, _SOURCE_PORT, _PORT, _PROTOCOL, _ACTION = 22, 23, 24, 25, 29, 30
_OCTETS, _RECEIVED, _PACKETS = 31, 33, 34
_URL, _AGENT = 31, 46
_LEAST: Final = {"TRAFFIC": 36, "THREAT": 34}
"""Fields that are read, and one more: the last of a line may be cut."""
_VERDICTS: Final = {
    **dict.fromkeys(("allow", "alert", "continue", "override", "override-accept"), Verdict.ALLOWED),
    **dict.fromkeys(
        [
            "deny",
            "drop",
            "drop-icmp",
            "drop-all",
            "reset-both",
            "reset-client",
            "reset-server",
            "block-url",
            "block-continue",
            "block-override",
            "block",
            "block-ip",
            "override-lockout",
        ],
        Verdict.BLOCKED,
    ),
}


def claims(message: Message) -> bool:
    return ",TRAFFIC," in message.text or ",THREAT," in message.text


def read(message: Message, sensor: str) -> tuple[Sighting, ...]:
    """Raises ``Unfit``."""
    fields = _fields(message.text)
    kind = fields[_TYPE] if len(fields) > _TYPE else ""
    if kind not in _LEAST:
        raise Unfit("a record of PAN-OS whose type is not where it should be")
    if len(fields) < _LEAST[kind]:
        raise Unfit(f"a {kind} record of PAN-OS with {len(fields)} fields: it is cut off")
    if kind == "THREAT" and fields[_SUBTYPE] != "url":
        return ()
    return (_traffic(fields, message, sensor) if kind == "TRAFFIC" else _url(fields, message, sensor),)


def _fields(text: str) -> list[str]:
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except (csv.Error, StopIteration):
        raise Unfit("a record of PAN-OS that ends inside a quoted value") from None


def _traffic(fields: list[str], message: Message, sensor: str) -> Sighting:
    verdict = _VERDICTS.get(fields[_ACTION], Verdict.UNKNOWN)
    return Sighting(
        channel=Channel.FIREWALL,
        at=iso_time(fields[_TIME].replace("/", "-"), message.zone),
        sensor=sensor,
        source=address(fields[_SOURCE]),
        source_port=port(fields[_SOURCE_PORT]),
        destination=address(fields[_DESTINATION]),
        port=port(fields[_PORT]),
        protocol=fields[_PROTOCOL],
        verdict=verdict,
        rule=fields[_RULE],
        user=fields[_USER],
        application=_known(fields[_APP]),
        packets=number(fields[_PACKETS]),
        octets=number(fields[_OCTETS]),
        answered=reply(number(fields[_RECEIVED]), verdict),
        count=number(fields[_REPEATS]) or 1,
        uid=_session(fields),
    )


def _url(fields: list[str], message: Message, sensor: str) -> Sighting:
    name, path = url_parts(fields[_URL])
    clear = path not in ("", "/") or port(fields[_PORT]) == 80
    channel = Channel.HTTP if clear else Channel.QUIC if fields[_PROTOCOL] == "udp" else Channel.TLS
    return Sighting(
        channel=channel,
        at=iso_time(fields[_TIME].replace("/", "-"), message.zone),
        sensor=sensor,
        source=address(fields[_SOURCE]),
        source_port=port(fields[_SOURCE_PORT]),
        destination=address(fields[_DESTINATION]),
        port=port(fields[_PORT]),
        protocol=fields[_PROTOCOL],
        name=name,
        verdict=_VERDICTS.get(fields[_ACTION], Verdict.UNKNOWN),
        rule=fields[_RULE],
        user=fields[_USER],
        path=path if clear else "",
        agent=fields[_AGENT] if len(fields) > _AGENT + 1 else "",
        application=_known(fields[_APP]),
        count=number(fields[_REPEATS]) or 1,
        uid=_session(fields),
    )


def _session(fields: list[str]) -> str:
    """Nothing where there was no session: packets that were dropped at once."""
    return "" if fields[_SESSION] == "0" else fields[_SESSION]


def _known(app: str) -> str:
    """Nothing where the firewall could not tell."""
    return "" if app in ("incomplete", "insufficient-data", "not-applicable", "non-syn-tcp", "unknown-tcp") else app
