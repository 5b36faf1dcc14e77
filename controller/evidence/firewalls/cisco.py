"""Cisco ASA and FTD: denials (106001, 106006, 106023), counted entries (106100), connections (302013-302016), requests
in clear text (304001, 304002), the botnet filter (338xxx), and FTD's connection and intrusion events (430001-430003).
Other messages say nothing of who went where, and are passed over.

Source: ASA series syslog messages; FTD syslog messages, "Security Event Syslog Message IDs"; published samples. In
"Built outbound" the client stands last. 304001 says that a host "tried to access" an address: what became of it, others
say; its forms, also without a host name and in pieces, are of the descriptions and of published lines, and were not
seen on a device. "Teardown" does not say the direction: it counts only where one end alone has
a port below 1024, which is the server's.
"""

from __future__ import annotations

import re
from typing import Final

from controller.evidence.lines import Unfit, address, dns_name, number, port, protocol, reply, url_parts
from controller.evidence.model import Channel, Sighting, Verdict
from controller.evidence.syslog import Message

_ID: Final = re.compile(r"%(?:ASA|FTD|FWSM|NGIPS|PIX)-(?:[a-z]+-)?\d-(?P<id>\d{6}): ?")
_USER: Final = r"(?: ?\((?P<{0}>[^()]*)\))?"
_END: Final = r"(?P<if_{0}>[^\s:/]+(?: [^\s:/]+)?):(?P<{0}>[^\s/()]+)(?:/(?P<{0}_port>\d+))?"

_DENY: Final = re.compile(
    rf"Deny (?:protocol )?(?P<protocol>\S+) src {_END.format('source')}{_USER.format('user')}"
    rf" dst {_END.format('destination')}{_USER.format('other')}(?: ?\(type \d+, code \d+\))?"
    r' by access-group "(?P<rule>[^"]*)"(?: \[0x[0-9a-fA-F]+, 0x[0-9a-fA-F]+\])?'
)
_COUNTED: Final = re.compile(
    r"access-list (?P<rule>\S+) (?P<verdict>permitted|denied|est-allowed) (?P<protocol>\S+)"
    r" [^\s/]+/(?P<source>[^\s()]+)\((?P<source_port>\d+)\)(?:\((?P<user>[^()]*)\))?"
    r" -> [^\s/]+/(?P<destination>[^\s()]+)\((?P<destination_port>\d+)\)(?:\([^()]*\))?"
    r" hit-cnt (?P<count>\d+) (?:\(?first hit\)?|\(?\d+-second interval\)?)(?: \[0x[0-9a-f]+, 0x[0-9a-f]+\])?"
)
_MAPPED: Final = r" ?\([^\s()]+\)(?: ?\((?P<{0}>[^()]*)\))?"
_BUILT: Final = re.compile(
    r"Built (?P<way>inbound|outbound) (?P<protocol>TCP|UDP) connection (?P<uid>\d+) for "
    rf"{_END.format('first')}{_MAPPED.format('first_user')} to {_END.format('second')}{_MAPPED.format('second_user')}"
    r"(?: \((?P<user>[^()]*)\))?"
)
_TEARDOWN: Final = re.compile(
    r"Teardown (?P<protocol>TCP|UDP) connection (?P<uid>\d+) for "
    rf"{_END.format('first')}{_USER.format('first_user')} to {_END.format('second')}{_USER.format('second_user')}"
    r" duration \d+:\d\d:\d\d bytes (?P<octets>\d+)(?: [^()]*)?(?:\((?P<user>[^()]*)\))?"
)
_BOTNET: Final = re.compile(
    r"Dynamic [Ff]ilter (?P<verdict>monitored|permitted|dropped|blocked) \S+(?: listed)? (?P<protocol>\S+)"
    r" traffic from "
    rf"{_END.format('source')} \([^()]*\) to {_END.format('destination')} \([^()]*\),"
    r" (?P<what>source|destination) (?P<match>\S+) resolved from (?:local|dynamic) list: (?P<listed>[^\s,]+)"
    r"(?P<rest>,.*)?"
)
_DENIED_IN: Final = re.compile(
    r"(?:Inbound (?P<tcp>TCP) connection denied|Deny inbound (?P<udp>UDP))"
    r" from (?P<source>[^\s/]+)/(?P<source_port>\d+)"
    r" to (?P<destination>[^\s/]+)/(?P<destination_port>\d+) (?:flags [A-Z ]+)?(?:on interface \S+)?"
    r"(?:due to DNS (?:Query|Response))?"
)
_WHO: Final = rf"(?:(?P<user>[^\s@()]+) ?@ ?)?(?P<source>[^\s@()]+){_USER.format('known')}"
_ACCESSED: Final = re.compile(
    rf"{_WHO} Accessed URL "
    r"(?P<destination>(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f:.]{2,45}(?=: ?(?:(?:https?|ftp)://|/|Hostname |partial )))"
    r": ?(?P<url>.*)"
)
_REFUSED: Final = re.compile(
    rf"Access denied URL (?P<url>.*) SRC {_WHO} DEST (?P<destination>[^\s()]+) on interface \S+"
)
_PIECE: Final = "partial"
_KEY: Final = re.compile(r"(?:^|, )([A-Z][A-Za-z_]{1,40}(?: [A-Z][a-z]+)?): ")
_MOST_KEYS: Final = 200
_NOBODY: Final = frozenset({"", "Unknown", "Not Found", "No Authentication Required", "Special Identities/Unknown"})
_VERDICTS: Final = {
    "permitted": Verdict.ALLOWED,
    "est-allowed": Verdict.ALLOWED,
    "monitored": Verdict.ALLOWED,
    "denied": Verdict.BLOCKED,
    "dropped": Verdict.BLOCKED,
    "blocked": Verdict.BLOCKED,
}


def claims(message: Message) -> bool:
    return "%" in message.text and _ID.search(message.text, 0, 200) is not None


def read(message: Message, sensor: str) -> tuple[Sighting, ...]:
    """Raises ``Unfit``."""
    found = _ID.search(message.text, 0, 200)
    if found is None:
        raise Unfit("no message of Cisco's")
    reader = _READERS.get(found["id"])
    if reader is None and found["id"].startswith("338") and "ynamic" in message.text:
        reader = _botnet
    return () if reader is None else reader(message.text[found.end() :].strip(), found["id"], message, sensor)


def _matched(pattern: re.Pattern[str], text: str, number_: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise Unfit(f"a message {number_} that is cut off, or in an unknown form")
    return found


def _deny(text: str, number_: str, message: Message, sensor: str) -> tuple[Sighting, ...]:
    found = _matched(_DENY, text, number_)
    return (_flow(found, message, sensor, Verdict.BLOCKED, rule=found["rule"], user=found["user"]),)


def _denied_in(text: str, number_: str, message: Message, sensor: str) -> tuple[Sighting, ...]:
    found = _matched(_DENIED_IN, text, number_)
    name = found["tcp"] or found["udp"]
    return (_flow(found, message, sensor, Verdict.BLOCKED, name_of_protocol=name),)


def _counted(text: str, number_: str, message: Message, sensor: str) -> tuple[Sighting, ...]:
    found = _matched(_COUNTED, text, number_)
    verdict = _VERDICTS[found["verdict"]]
    count = number(found["count"]) or 1
    return (_flow(found, message, sensor, verdict, rule=found["rule"], user=found["user"], count=count),)


def _flow(
    found: re.Match[str],
    message: Message,
    sensor: str,
    verdict: Verdict,
    *,
    rule: str = "",
    user: str | None = "",
    count: int = 1,
    name: str = "",
    name_of_protocol: str | None = None,
) -> Sighting:
    return Sighting(
        channel=Channel.FIREWALL,
        at=message.at,
        sensor=sensor,
        source=address(found["source"]),
        source_port=port(found["source_port"] or ""),
        destination=address(found["destination"]),
        port=port(found["destination_port"] or ""),
        protocol=protocol(name_of_protocol or found["protocol"]),
        name=name,
        verdict=verdict,
        rule=rule,
        user=user or "",
        count=count,
    )


def _connection(text: str, number_: str, message: Message, sensor: str) -> tuple[Sighting, ...]:
    built = text.startswith("Built")
    found = _matched(_BUILT if built else _TEARDOWN, text, number_)
    client = _client(found, built=built)
    if client is None:
        return ()
    server = "second" if client == "first" else "first"
    octets = None if built else number(found["octets"])
    return (
        Sighting(
            channel=Channel.FIREWALL,
            at=message.at,
            sensor=sensor,
            source=address(found[client]),
            source_port=port(found[f"{client}_port"] or ""),
            destination=address(found[server]),
            port=port(found[f"{server}_port"] or ""),
            protocol=found["protocol"].lower(),
            verdict=Verdict.ALLOWED,
            user=found[f"{client}_user"] or found["user"] or "",
            octets=octets,
            uid=found["uid"],
        ),
    )


def _client(found: re.Match[str], *, built: bool) -> str | None:
    """Which end began; None: nothing says so."""
    if built:
        return "first" if found["way"] == "inbound" else "second"
    low = {end for end in ("first", "second") if int(found[f"{end}_port"] or 0) < 1024}
    return None if len(low) != 1 else "second" if "first" in low else "first"


def _request(text: str, number_: str, message: Message, sensor: str) -> tuple[Sighting, ...]:
    """The URL is the client's own word; of one in pieces the first says where to, and the others nothing more."""
    is_refused = number_ == "304002"
    found = _matched(_REFUSED if is_refused else _ACCESSED, text, number_)
    url, is_whole = found["url"], is_refused or message.whole
    if url.startswith(f"{_PIECE} ") or (not is_whole and _PIECE.startswith(url)):
        return ()
    url, is_whole = url.removesuffix(f" {_PIECE}"), is_whole and not url.endswith(f" {_PIECE}")
    host, path = url_parts(url) if "://" in url else ("", "")
    name = host if path or is_whole else ""
    return (
        Sighting(
            channel=Channel.HTTP if name and url.startswith("http") else Channel.FIREWALL,
            at=message.at,
            sensor=sensor,
            source=address(found["source"]),
            destination=address(found["destination"]),
            protocol="tcp",
            name=name,
            verdict=Verdict.BLOCKED if is_refused else Verdict.UNKNOWN,
            user=found["user"] or found["known"] or "",
            path=path if name and is_whole else "",
        ),
    )


def _botnet(text: str, number_: str, message: Message, sensor: str) -> tuple[Sighting, ...]:
    if "source" in text and "destination" not in text.partition(", ")[2]:
        return ()  # a listed host that comes in is no client of ours
    found = _matched(_BOTNET, text, number_)
    if found["what"] == "source" or (found["rest"] is None and not message.whole):
        return ()
    listed = found["listed"].partition("/")[0]
    return (_flow(found, message, sensor, _VERDICTS[found["verdict"]], name=dns_name(listed)),)


# --- FTD's events ---------------------------------------------------------------------------------------------------


def keyed(text: str, *, whole: bool) -> dict[str, str]:
    """``Key: value, Key: value``, where values may hold commas. The first of two that have one name counts.

    Where the line may be cut, its last value is left out. Raises ``Unfit``.
    """
    starts = [(found.start(), found.end(), found[1]) for found in _KEY.finditer(text)]
    if not starts or starts[0][0] != 0 or len(starts) > _MOST_KEYS:
        raise Unfit("an event of FTD that does not begin with a key, or has too many")
    ends = [start for start, _, _ in starts[1:]] + [len(text)]
    found: dict[str, str] = {}
    for (_, begin, key), end in zip(starts, ends, strict=True):
        found.setdefault(key, text[begin:end])
    if not whole and starts[-1][2] != starts[0][2]:
        found.pop(starts[-1][2], None)
    return found


def _event(text: str, number_: str, message: Message, sensor: str) -> tuple[Sighting, ...]:
    get = keyed(text, whole=message.whole).get
    source, destination = get("SrcIP", ""), get("DstIP", "")
    if not source or not destination:
        raise Unfit(f"a message {number_} without SrcIP and DstIP: it is cut off, or in an unknown form")
    url, query = get("URL", ""), get("DNSQuery", "")
    host, path = url_parts(url)
    name = dns_name(query or get("SSLServerName", "") or get("ReferencedHost", "")) or host
    proto = protocol(get("Protocol", ""))
    agent, user = get("UserAgent", ""), get("User", "")
    clear = bool(agent) or url.startswith("http://") or path not in ("", "/")
    verdict = _event_verdict(get("AccessControlRuleAction", ""), get("InlineResult", ""))
    sizes = [number(get(key, "")) for key in ("InitiatorBytes", "ResponderBytes")]
    packets = [number(get(key, "")) for key in ("InitiatorPackets", "ResponderPackets")]
    return (
        Sighting(
            channel=_channel(query=query, name=name, proto=proto, clear=clear),
            at=message.at,
            sensor=sensor,
            source=address(source),
            source_port=port(get("SrcPort", "")),
            destination=address(destination),
            port=port(get("DstPort", "")),
            protocol=proto,
            name=name,
            verdict=verdict,
            rule=get("AccessControlRuleName", ""),
            user="" if user in _NOBODY else user,
            path=path if clear and not query else "",
            agent=agent,
            application=get("WebApplication", "") or get("Client", ""),
            packets=None if None in packets else sum(p for p in packets if p is not None),
            octets=None if None in sizes else sum(s for s in sizes if s is not None),
            answered=reply(sizes[1], verdict),
            uid=get("ConnectionID", ""),
        ),
    )


def _channel(*, query: str, name: str, proto: str, clear: bool) -> Channel:
    if query:
        return Channel.DNS
    if not name:
        return Channel.FIREWALL
    if clear:
        return Channel.HTTP
    return Channel.QUIC if proto == "udp" else Channel.TLS


def _event_verdict(action: str, inline: str) -> Verdict:
    word = action.removeprefix("<br/>").strip().lower()
    if "block" in word or inline.lower().startswith(("drop", "block")):
        return Verdict.BLOCKED
    return Verdict.ALLOWED if word in ("allow", "trust", "fastpath", "monitor") else Verdict.UNKNOWN


_READERS: Final = {
    "106001": _denied_in,
    "106006": _denied_in,
    "106023": _deny,
    "106100": _counted,
    **dict.fromkeys(("302013", "302014", "302015", "302016"), _connection),
    **dict.fromkeys(("304001", "304002"), _request),
    **dict.fromkeys(("430001", "430002", "430003"), _event),
}
