"""Juniper SRX: RT_FLOW sessions created, denied and closed, AppTrack, and the web filter; structured and plain.

Source: Junos OS System Log Explorer; published lines of 12.1 to 24.4. A global policy reads ``NAME(global)`` in the
plain form, and logical systems append ``_LS`` to the name of the message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from controller.evidence.lines import Unfit, address, number, port, protocol, reply, url_parts
from controller.evidence.model import Channel, Sighting, Verdict
from controller.evidence.syslog import Message, structured_data

_NAME: Final = re.compile(r"(?:RT_FLOW_SESSION|APPTRACK_SESSION|WEBFILTER_URL)_([A-Z_]+?)(?:_LS)?\b")
_SESSION: Final = re.compile(
    r"session (?P<what>created|denied|closed [^:]*:) ?(?P<source>[^\s/]+)/(?P<source_port>\d+)"
    r"->(?P<destination>[^\s/]+)/(?P<port>\d+)(?: 0x[0-9a-f]+)? (?P<service>\S+) (?P<rest>.*)"
)
_DENIED: Final = re.compile(r"(?P<protocol>\d{1,3})\(\d+\) (?P<rule>\S+) (?P<zones>\S+ \S+) .*")
_OPENED: Final = re.compile(
    r"\S+->\S+(?: 0x[0-9a-f]+)? (?:\S+ ){1,8}?(?P<protocol>\d{1,3}) (?P<rule>\S+) \S+ \S+ (?P<uid>\d+)(?P<more> .*)?"
)
_SIZES: Final = re.compile(r" (\d+)\((\d+)\) (\d+)\((\d+)\) ")
_VERDICTS: Final = {
    "DENY": Verdict.BLOCKED,
    "BLOCKED": Verdict.BLOCKED,
    **dict.fromkeys(("CREATE", "CLOSE", "VOL_UPDATE", "ROUTE_UPDATE", "PERMITTED"), Verdict.ALLOWED),
}
_NOTHING: Final = frozenset({"N/A", "None", "UNKNOWN", "UNSPECIFIED-ENCRYPTED", "unknown", ""})


def claims(message: Message) -> bool:
    return message.app.startswith("RT_") or message.text.startswith(("RT_", "APPTRACK_"))


def read(message: Message, sensor: str) -> tuple[Sighting, ...]:
    """Raises ``Unfit``."""
    found = _NAME.match(message.msgid or message.text)
    if found is None:
        return ()  # of the screens, of IDP: other things than who went where
    verdict = _VERDICTS.get(found[1])
    if verdict is None:
        raise Unfit(f"a message of Junos of an unknown kind: {found[0][:60]}")
    values = _values(message)
    if values is not None:
        return (_structured(values, verdict, message, sensor),)
    return (_plain(message.text, verdict, message, sensor),)


def _values(message: Message) -> Mapping[str, str] | None:
    data = message.data
    if not data and (begin := message.text.find("[junos@")) >= 0:
        data, _ = structured_data(message.text, begin)
        if not data:
            raise Unfit("structured data of Junos that is cut off")
    return next((values for name, values in data.items() if name.startswith("junos@")), None)


def _structured(values: Mapping[str, str], verdict: Verdict, message: Message, sensor: str) -> Sighting:
    get = values.get
    try:
        source, destination = values["source-address"], values["destination-address"]
    except KeyError as exc:
        raise Unfit(f"a message of Junos without {exc.args[0]}") from None
    name, path = url_parts(get("url", ""))
    sizes = [number(get(f"bytes-from-{end}", "")) for end in ("client", "server")]
    packets = [number(get(f"packets-from-{end}", "")) for end in ("client", "server")]
    obj = get("obj", "") if name else ""
    clear = port(get("destination-port", "")) == 80
    return Sighting(
        channel=Channel.FIREWALL if not name else Channel.HTTP if clear else Channel.TLS,
        at=message.at,
        sensor=sensor,
        source=address(source),
        source_port=port(get("source-port", "")),
        destination=address(destination),
        port=port(get("destination-port", "")),
        protocol=protocol(get("protocol-id", "")),
        name=name,
        verdict=verdict,
        rule=get("policy-name", "") or get("profile", ""),
        user=_known(get("username", "")),
        path=(obj or path) if clear else "",
        application=_known(get("nested-application", "")) or _known(get("application", "")),
        packets=None if None in packets else sum(p for p in packets if p is not None),
        octets=None if None in sizes else sum(s for s in sizes if s is not None),
        answered=reply(sizes[1], verdict),
        uid=get("session-id-32", "") or get("session-id", ""),
    )


def _plain(text: str, verdict: Verdict, message: Message, sensor: str) -> Sighting:
    found = _SESSION.search(text)
    pattern = _DENIED if verdict is Verdict.BLOCKED else _OPENED
    rest = None if found is None else pattern.fullmatch(found["rest"])
    if found is None or rest is None:
        raise Unfit("a message of Junos that is cut off, or in an unknown form")
    more = "" if verdict is Verdict.BLOCKED else rest["more"] or ""
    sizes = [int(number_) for number_ in size.groups()] if (size := _SIZES.match(more)) else None
    return Sighting(
        channel=Channel.FIREWALL,
        at=message.at,
        sensor=sensor,
        source=address(found["source"]),
        source_port=port(found["source_port"]),
        destination=address(found["destination"]),
        port=port(found["port"]),
        protocol=protocol(rest["protocol"]),
        verdict=verdict,
        rule=rest["rule"].removesuffix("(global)"),
        packets=None if sizes is None else sizes[0] + sizes[2],
        octets=None if sizes is None else sizes[1] + sizes[3],
        answered=reply(sizes[3] if sizes is not None else None, verdict),
        uid=rest["uid"] if more or (message.whole and verdict is not Verdict.BLOCKED) else "",
    )


def _known(word: str) -> str:
    return "" if word in _NOTHING else word
