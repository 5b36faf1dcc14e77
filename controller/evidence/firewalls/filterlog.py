"""pfSense and OPNsense: ``filterlog``, comma-separated values of pf's log.

Source: "Raw Filter Log Format" of the pfSense documentation; OPNsense writes the same. The rule is named by its tracker
(pfSense) or its hash (OPNsense), which stays when rules are moved.
"""

from __future__ import annotations

from typing import Final

from controller.evidence.lines import Unfit, address, number, port, protocol
from controller.evidence.model import Channel, Sighting, Verdict
from controller.evidence.syslog import Message

_RULE, _TRACKER, _ACTION, _VERSION = 0, 3, 6, 8
_LAYOUT: Final = {"4": (16, 17, 18), "6": (12, 14, 15)}
"""Where protocol, length and source stand; then destination, ports and the length of the data."""
_VERDICTS: Final = {"pass": Verdict.ALLOWED, "block": Verdict.BLOCKED, "reject": Verdict.BLOCKED}


def claims(message: Message) -> bool:
    return message.app == "filterlog" or message.text.startswith("filterlog")


def read(message: Message, sensor: str) -> tuple[Sighting, ...]:
    """Raises ``Unfit``."""
    fields = message.text.removeprefix("filterlog:").strip().split(",")
    if len(fields) <= _VERSION or fields[_VERSION] not in _LAYOUT:
        raise Unfit("a line of filterlog that is cut off, or in an unknown form")
    verdict = _VERDICTS.get(fields[_ACTION])
    if verdict is None:
        return ()  # nat, rdr, binat: the same packet comes once more
    proto_at, length_at, source_at = _LAYOUT[fields[_VERSION]]
    least = source_at + 3
    proto = protocol(fields[proto_at]) if len(fields) > proto_at else ""
    ported = proto in ("tcp", "udp")
    if len(fields) < least + (2 if ported else 0):
        raise Unfit("a line of filterlog that is cut off")
    return (
        Sighting(
            channel=Channel.FIREWALL,
            at=message.at,
            sensor=sensor,
            source=address(fields[source_at]),
            source_port=port(fields[source_at + 2]) if ported else None,
            destination=address(fields[source_at + 1]),
            port=port(fields[source_at + 3]) if ported else None,
            protocol=proto,
            verdict=verdict,
            rule=fields[_TRACKER] or fields[_RULE],
            packets=1,
            octets=number(fields[length_at]),
        ),
    )
