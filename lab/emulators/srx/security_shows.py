"""Commands about policies, feeds, sessions, records and the cluster: what they take, and what they print."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from core.net import Address
from lab.emulators.srx import answers, commands, hits, policies
from lab.emulators.srx.answers import Misread, Refused, Wrong
from lab.emulators.srx.engine import GLOBAL, Engine, Rule, Session
from lab.emulators.srx.feeds import Feed
from lab.emulators.srx.records import NUMBERS
from lab.emulators.srx.words import Word
from lab.emulators.traffic import Flow

if TYPE_CHECKING:
    from lab.emulators.srx.device import Srx
    from lab.emulators.srx.shows import Asked, Show

_PREFIXES: Final = "source-prefix destination-prefix"
_ONE: Final = "session-identifier node"
_PORTS: Final = "source-port destination-port protocol"


# --- policies ---------------------------------------------------------------------------------------------------------


def show_policies(asked: Asked) -> str:
    found = asked.options(values="from-zone to-zone policy-name", flags="detail global")
    rules = [rule for rule in asked.device.engine.rules if _asked_for(rule, found)]
    if "detail" not in found:
        return policies.listing(asked.device, rules)
    head = f"Default policy: {'permit-all' if asked.device.engine.default_permits else 'deny-all'}\n"
    return head + "".join(policies.detail(asked.device, rule) for rule in rules)


def _asked_for(rule: Rule, found: dict[str, str]) -> bool:
    zones = found.get("from-zone", rule.zones[0]), found.get("to-zone", rule.zones[1])
    return (
        zones == rule.zones
        and found.get("policy-name", rule.node.value) == rule.node.value
        and ("global" not in found or rule.zones == GLOBAL)
    )


def hit_count(asked: Asked) -> str:
    """Of the root system, or of the one that is named. Several blocks may follow each other (genie's capture)."""
    values = f"from-zone to-zone less-than greater-than policy-name {_SYSTEMS}"
    found = asked.options(values=values, flags="ascending descending")
    engine = _engine(asked, found)
    text = hits.table(asked.device, hits.chosen(hits.rows(asked.device, engine), found), hits.head(engine))
    for name, rows in asked.device.other_systems.items() if not engine.space else ():
        text += "\n" + hits.table(asked.device, hits.chosen(rows, found), f"Logical system: {name}")
    return text


_SYSTEMS: Final = "logical-system tenant"


def _engine(asked: Asked, found: dict[str, str]) -> Engine:
    """The root system by itself (`show security policies checksum` in the Junos CLI reference has the same options)."""
    for option, name in (("logical-system", "logical-systems"), ("tenant", "tenants")):
        if option in found:
            engine = asked.device.spaces.get((name, found[option]))
            if engine is None:
                raise Refused(f"error: {option} {found[option]} not found\n")  # own words
            return engine
    return asked.device.engine


def clear_hit_count(asked: Asked) -> str:
    found = asked.options(values="from-zone to-zone")
    pair = (found.get("from-zone", ""), found.get("to-zone", "")) if found else None
    asked.device.engine.clear_hits(pair)
    return ""


def clear_statistics(asked: Asked) -> str:
    asked.options()
    asked.device.engine.clear_statistics()
    return ""


def match_policies(asked: Asked) -> str:
    """Which policy a flow would hit, in the form of its detail. Its own text is in no public capture."""
    values = "from-zone to-zone source-ip destination-ip source-port destination-port protocol"
    found = asked.options(values=values, flags="global")
    needed = [
        name for name in values.split() if name not in found and not (name.endswith("-zone") and "global" in found)
    ]
    if needed:
        raise Misread(Wrong(asked.end, "", answers.MISSING))
    flow = Flow(
        source=_address(asked, found["source-ip"]),
        destination=_address(asked, found["destination-ip"]),
        protocol=_protocol(found["protocol"]),
        port=_port(asked, found["destination-port"]),
        source_port=_port(asked, found["source-port"]),
        inside=found.get("from-zone", "any"),
        outside=found.get("to-zone", "any"),
    )
    for side in ("from-zone", "to-zone"):
        if found.get(side, "any") not in ("any", "junos-host", *asked.device.engine.books.zones):
            raise Refused(f"error: {side} {found[side]} not found\n")  # own words
    rule = asked.device.engine.decide(flow)
    if rule is None:
        action = "permit" if asked.device.engine.default_permits else "deny"
        return f"Policy: default-policy, action-type: {action}-all, State: enabled, Index: 2\n  Sequence number: 2\n"
    return policies.detail(asked.device, rule)


def _protocol(text: str) -> str:
    names = {str(number): name for name, number in NUMBERS.items()}
    return names.get(text, text)


def _address(asked: Asked, text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise _misread(asked, text, f"invalid ip address or hostname: {text} at '{text}'") from None


def _port(asked: Asked, text: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise _misread(asked, text, f"number: '{text}': Value must be a number from 0 to 65535 at '{text}'")
    return int(text)


def _misread(asked: Asked, text: str, refusal: str) -> Misread:
    at = next((word.at for word in asked.words if word.text == text), asked.end)
    return Misread(Wrong(at, text, refusal))


# --- feeds ------------------------------------------------------------------------------------------------------------


def dynamic_address(asked: Asked) -> str:
    """What was loaded, an entry a line; the columns are likely, no public capture shows them."""
    found = asked.options(values=f"address-name feed-name family {_SYSTEMS}")
    engine = _engine(asked, found)
    lines = [f"{'No.':<8} {'IP-start':<40} {'IP-end':<40} {'Feed':<25} Address", ""]
    rows = []
    for name, node in engine.books.dynamic.items():
        profile = node.at("profile")
        feed_name = "" if profile is None else profile.leaf("feed-name")
        wanted = found.get("address-name", name) == name and found.get("feed-name", feed_name) == feed_name
        for loaded in engine.feeds.of(feed_name) if wanted else ():
            for version in (4, 6):
                if found.get("family", "") in ("", {4: "inet", 6: "inet6"}[version]):
                    rows += [
                        (str(each.network_address), str(each.broadcast_address), feed_name, name)
                        for each in loaded.family(version)
                    ]
    for number, (first, last, feed, name) in enumerate(rows, start=1):
        lines.append(f"{number:<8} {first:<40} {last:<40} {feed:<25} {name}")
    total = f"Total number of matching entries: {len(rows)}"
    return "".join(f"{line}\n" for line in [*lines, "", total])


def dynamic_summary(asked: Asked) -> str:
    """As cs-blocklist-mirror shows it, empty lines included."""
    asked.options()
    engine = asked.device.engine
    lines = ["", "", "Dynamic-address session scan status            : Disable"]
    lines += ["Hold-interval for dynamic-address session scan : 10 seconds"]
    told: set[str] = set()
    for feed in engine.feeds.all():
        if feed.server.value not in told:
            told.add(feed.server.value)
            lines += ["", "", *_server(feed)]
        lines += ["", "", *_feed(asked.device, feed)]
    return "".join(f"{line}\n" for line in lines)


def _server(feed: Feed) -> list[str]:
    server = feed.server
    return [
        f"  Server Name                 : {server.value}",
        f"    Hostname/IP               : {feed.base}",
        f"    Update interval           : {server.leaf('update-interval', '300')}",
        f"    Hold   interval           : {server.leaf('hold-interval', '86400')}",
        f"    TLS Profile Name          : {server.leaf('tls-profile', '---')}",
        "    User        Name          : ---",
    ]


def _feed(device: Srx, feed: Feed) -> list[str]:
    name = feed.node.value
    mapped = [
        each.value
        for each in device.engine.books.dynamic.values()
        if (profile := each.at("profile")) is not None and profile.leaf("feed-name") == name
    ]
    update, hold = feed.seconds("update-interval", 300), feed.seconds("hold-interval", 86_400)
    return [
        f"    Feed Name                             : {name}",
        f"        Mapped dynamic address name       : {', '.join(mapped) or '---'}",
        f"        URL                               : {feed.url}",
        f"        Feed update interval              : {update:<8} Feed hold interval :{hold}",
        f"        Total update                      : {feed.lines}",
        f"        Total IPv4 entries                : {len(feed.family(4))}",
        f"        Total IPv6 entries                : {len(feed.family(6))}",
    ]


def update_feeds(asked: Asked) -> str:
    """Only guides name it."""
    if not asked.device.switches.feed_request:
        raise commands.unknown(Word("", asked.end), first=False, switches=asked.device.switches)
    asked.options(values="address-name")
    asked.device.engine.feeds.again()
    asked.device.tick()
    return ""


# --- sessions ---------------------------------------------------------------------------------------------------------


def flow_sessions(asked: Asked) -> str:
    found = asked.options(values=f"{_PREFIXES} {_PORTS} {_ONE}", flags="summary")
    chosen = [each for each in asked.device.engine.sessions if _taken(asked, each, found)]
    shown = "" if "summary" in found else "".join(_session(asked.device, each) for each in chosen)
    return f"{shown}Total sessions: {len(chosen)}\n"


def _session(device: Srx, session: Session) -> str:
    """An entry as on a vSRX 24.4; nothing comes back in this traffic."""
    flow = session.flow
    high = "" if device.mate is None else f"HA State: {'Active' if device.state == 'primary' else 'Backup'}, "
    there, back = f"{flow.source}/{flow.source_port}", f"{flow.destination}/{flow.port}"
    ends = device.engine.interface(flow.inside), device.engine.interface(flow.outside)
    return (
        f"Session ID: {session.number}, Policy name: {session.rule.node.value}/{session.index}, {high}Timeout: 1798,"
        " Session State: Valid\n"
        f"  In: {there} --> {back};{flow.protocol}, Conn Tag: 0x0, If: {ends[0]}, Pkts: {flow.packets},"
        f" Bytes: {flow.packets * flow.octets},\n"
        f"  Out: {back} --> {there};{flow.protocol}, Conn Tag: 0x0, If: {ends[1]}, Pkts: 0, Bytes: 0,\n\n"
    )


def clear_sessions(asked: Asked) -> str:
    """By hand (Junos command reference). The login class needs `clear`. All that is named has to fit."""
    user = asked.device.users.get(asked.cli.user)
    if user is not None and not user.clear:
        raise commands.unknown(Word("clear", 0), first=True, switches=asked.device.switches)
    prefixes = f"{_PREFIXES} {_PORTS} " if asked.device.switches.clear_takes_prefix else ""
    found = asked.options(values=f"{prefixes}{_ONE}")
    chosen = [each for each in asked.device.engine.sessions if _taken(asked, each, found)]
    for session in chosen:
        asked.device.engine.close(session)
    return f"{len(chosen)} active sessions cleared\n"


def _taken(asked: Asked, session: Session, found: dict[str, str]) -> bool:
    flow = session.flow
    ports = {"source-port": str(flow.source_port), "destination-port": str(flow.port), "protocol": flow.protocol}
    ends = {"source-prefix": flow.source, "destination-prefix": flow.destination}
    if found.get("session-identifier", str(session.number)) != str(session.number):
        return False
    same = all(_protocol(found.get(name, value)) == value for name, value in ports.items())
    return same and all(name not in found or _inside(asked, ends[name], found[name]) for name in ends)


def _inside(asked: Asked, address: Address, text: str) -> bool:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise _misread(asked, text, f"invalid ip address or hostname: {text} at '{text}'") from None
    return network.version == address.version and address in network


# --- records ----------------------------------------------------------------------------------------------------------


def log(asked: Asked) -> str:
    """A file of the box. Without the right to see it: refused (vSRX 24.4)."""
    user = asked.device.users.get(asked.cli.user)
    if user is not None and not user.logs:
        raise Refused(f"{answers.NO_LOG_RIGHT}\n")
    if len(asked.words) != 1:
        raise Misread(Wrong(asked.words[1].at if asked.words else asked.end, "", answers.MISSING))
    name = asked.words[0].text
    if name not in asked.device.engine.records.files():
        raise Refused(f"error: could not resolve file: {name}\n")  # own words
    return asked.device.engine.records.text(name)


# --- the cluster ------------------------------------------------------------------------------------------------------

_CODES: Final = """\
Monitor Failure codes:
CS  Cold Sync monitoring        FL  Fabric Connection monitoring
GR  GRES monitoring             HW  Hardware monitoring
IF  Interface monitoring        IP  IP monitoring
LB  Loopback monitoring         MB  Mbuf monitoring
NH  Nexthop monitoring          NP  NPC monitoring
SP  SPU monitoring              SM  Schedule monitoring

Cluster ID: 1
Node   Priority Status         Preempt Manual   Monitor-failures
"""


def cluster_status(asked: Asked) -> str:
    """As ntc-templates has it; a box that stands alone says so (vSRX)."""
    asked.options()
    device = asked.device
    if device.mate is None:
        raise Refused(f"{answers.NO_CLUSTER}\n")
    groups = []
    for group in (0, 1):
        nodes = "".join(_node(each) for each in device.nodes())
        groups.append(f"\nRedundancy group: {group} , Failover count: {device.failovers}\n{nodes}")
    return _CODES + "".join(groups)


def _node(node: Srx) -> str:
    name = f"node{node.node}"
    if node.down:
        return f"{name}  0        lost           n/a     n/a      n/a\n"
    return f"{name}  {200 - 100 * node.node:<8} {node.state:<14} no      no       None\n"


COMMANDS: Final[dict[str, Show]] = {
    "show security policies ...": show_policies,
    "show security policies hit-count ...": hit_count,
    "show security match-policies ...": match_policies,
    "show security dynamic-address ...": dynamic_address,
    "show security dynamic-address summary": dynamic_summary,
    "show security flow session ...": flow_sessions,
    "show log ...": log,
    "show chassis cluster status": cluster_status,
    "clear security policies hit-count ...": clear_hit_count,
    "clear security policies statistics": clear_statistics,
    "clear security flow session ...": clear_sessions,
    "request security dynamic-address update ...": update_feeds,
}
ONCE: Final[frozenset[Callable[..., str]]] = frozenset({cluster_status})
"""Printed once in a cluster rather than for each node."""
