"""What tells of traffic: hit counts, sessions, the traffic log, the compiled policy, lists and names.

Layouts: pan.dev (hit counts and their XML), ntc-templates (compiled policy), splunk-connect-for-syslog (fields of a
traffic log entry), the vendor's knowledge base (lists, names). The columns that releases from 10.0 add to hit counts,
the plain table of the log and that of sessions are on no public record to the blank.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Final
from xml.sax.saxutils import quoteattr

from lab.emulators.panos import matching
from lab.emulators.panos.device import PanOs
from lab.emulators.panos.feeds import Feed, shown_entry
from lab.emulators.panos.matching import INTERZONE, INTRAZONE, Rule
from lab.emulators.panos.printing import lines
from lab.emulators.panos.traffic import Hits, Logged, Session, Stamp
from lab.emulators.panos.tree import quote
from lab.emulators.traffic import Flow

_DEFAULTS: Final = (INTRAZONE, INTERZONE)


# --- hit counts -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    vsys: str
    name: str
    uuid: str
    hits: Hits
    stamp: Stamp | None


def hit_rows(device: PanOs, vsys: str, names: list[str] | None) -> list[Row]:
    """In the order of the rules; the two default rules come last. ``names``: only these."""
    rules = {name: node.uuid for name, node in device.ordered_rules(vsys).items()}
    rules |= {name: f"{vsys} {name}" for name in _DEFAULTS}
    return [
        Row(
            vsys=vsys,
            name=name,
            uuid=uuid if " " not in uuid else "",
            hits=device.plane.hits.get(uuid, Hits()),
            stamp=device.plane.stamps.get(uuid),
        )
        for name, uuid in rules.items()
        if names is None or name in names
    ]


def hit_table(device: PanOs, rows: list[Row], *, every: bool) -> str:
    """``every``: of all virtual systems, with the columns that this form has."""
    columns = [("Rule Name", 65), ("Hit Count", 12), ("Last Hit Timestamp", 26)]
    if device.switches.hit_columns == "seven":
        columns += [(f"{word} Timestamp", 26) for word in ("Last Reset", "First Hit", "Rule Create", "Rule Modify")]
    if every:
        columns = [("Vsys", 12), *columns, ("Rule UUID", 38)]
    header = "".join(name.ljust(width) for name, width in columns).rstrip()
    body = ["".join(_cell(device, row, name).ljust(width) for name, width in columns).rstrip() for row in rows]
    return lines([header, "-" * sum(width for _, width in columns), *body])


def _cell(device: PanOs, row: Row, column: str) -> str:
    match column:
        case "Vsys":
            return row.vsys
        case "Rule Name":
            return row.name
        case "Hit Count":
            return str(row.hits.count)
        case "Rule UUID":
            return row.uuid
        case _:
            return _when(device, _moments(row)[column.removesuffix(" Timestamp")])


def _moments(row: Row) -> dict[str, datetime | None]:
    return {
        "Last Hit": row.hits.last,
        "Last Reset": row.hits.reset,
        "First Hit": row.hits.first,
        "Rule Create": row.stamp.created if row.stamp else None,
        "Rule Modify": row.stamp.modified if row.stamp else None,
    }


def _when(device: PanOs, at: datetime | None) -> str:
    """As `ctime` has it, in the device's zone; `-` for never."""
    return f"{device.zone.local(at):%a %b %e %H:%M:%S %Y}" if at is not None else "-"


_TAGS: Final = {
    "last-hit-timestamp": "Last Hit",
    "last-reset-timestamp": "Last Reset",
    "first-hit-timestamp": "First Hit",
    "rule-creation-timestamp": "Rule Create",
    "rule-modification-timestamp": "Rule Modify",
}


def hit_xml(rows: list[Row]) -> str:
    """The reply of the interface for programs: one line, moments in seconds since 1970, 0 for never."""
    found = ""
    for vsys in dict.fromkeys(row.vsys for row in rows):
        entries = "".join(_entry(row) for row in rows if row.vsys == vsys)
        found += (
            f'<entry name={quoteattr(vsys)}><rule-base><entry name="security"><rules>{entries}</rules></entry>'
            "</rule-base></entry>"
        )
    body = f"<result><rule-hit-count><vsys>{found}</vsys></rule-hit-count></result>"
    return f'<response status="success">{body}</response>\n'


def _entry(row: Row) -> str:
    moments = _moments(row)
    seconds = {tag: moments[name] for tag, name in _TAGS.items()}
    times = "".join(f"<{tag}>{int(at.timestamp()) if at else 0}</{tag}>" for tag, at in seconds.items())
    count = f"<latest>yes</latest><hit-count>{row.hits.count}</hit-count>"
    return f"<entry name={quoteattr(row.name)}>{count}{times}</entry>"


# --- the compiled policy ----------------------------------------------------------------------------------------------


def policy(device: PanOs, vsys: str) -> str:
    """Every rule that is enforced, in order, and what the published output ends with."""
    rules = device.plane.rules.get(vsys, [])
    if not device.switches.idle_rules_shown:
        rules = [rule for rule in rules if device.plane.holds_now(rule)]
    blocks = [_block(device, rule, at) for at, rule in enumerate(rules, 1)]
    blocks += [_default(device, name, len(rules) + at) for at, name in enumerate(_DEFAULTS, 1)]
    ending = [] if _newer(device) else ["dynamic url: no", "pol objs matched"]
    return lines([*(line for block in blocks for line in (*block, "")), *ending])


def matched(device: PanOs, flow: Flow, vsys: str) -> str:
    """Of `test security-policy-match`: the first rule that takes the flow."""
    rules = device.plane.rules.get(vsys, [])
    for at, rule in enumerate(rules, 1):
        if device.plane.takes(rule, flow):
            return lines([*_block(device, rule, at), ""])
    name = INTRAZONE if flow.inside == flow.outside else INTERZONE
    return lines([*_default(device, name, len(rules) + 1 + _DEFAULTS.index(name)), ""])


def _newer(device: PanOs) -> bool:
    return device.model.release >= (10, 0)


def _block(device: PanOs, rule: Rule, index: int) -> list[str]:
    return _written(
        device,
        name=rule.name,
        index=index,
        leaves=_list(rule.node.members("from")),
        enters=_list(rule.node.members("to")),
        source=_list(_shown(device, rule.source.shown)),
        destination=_list(_shown(device, rule.destination.shown)),
        user=_list(rule.node.members("source-user") or ["any"]),
        category=_list(rule.node.members("category") or ["any"]),
        services=_services(device, rule),
        action=rule.action,
        terminal="yes" if rule.action == "allow" else "no",
    )


def _default(device: PanOs, name: str, index: int) -> list[str]:
    zone = name.removesuffix("-default")
    written = _written(
        device, name=name, index=index, leaves="any", enters="any", source="any", destination="any", user="",
        category="any", services=[_service(device, "any/any/any/any")],
        action="allow" if name == INTRAZONE else "deny", terminal="yes",
    )  # fmt: skip
    return [*written[:-1], f"        type {zone};", "}"]


def _written(
    device: PanOs, *, name: str, index: int, leaves: str, enters: str, source: str, destination: str, user: str,
    category: str, services: list[str], action: str, terminal: str,
) -> list[str]:  # fmt: skip
    title = f'"{name}; index: {index}"' if _newer(device) else quote(name)
    items = f"[ {' '.join(services)} ]" if len(services) > 1 else f" {''.join(services)}"
    devices = ["source-device any;", "destinataion-device any;"] if _newer(device) else []  # the vendor's spelling
    body = [
        f"from {leaves};",
        f"source {source};",
        "source-region none;",
        f"to {enters};",
        f"destination {destination};",
        "destination-region none;",
        *([f"user {user};"] if user else []),
        *devices,
        *([f"category {category};"] if category == "any" or device.switches.categories_shown else []),
        f"application/service {items};",
        f"action {action};",
        "icmp-unreachable: no",
        f"terminal {terminal};",
    ]
    return [f"{title} {{", *(f"        {line}" for line in body), "}"]


def _list(members: list[str]) -> str:
    return f"[ {' '.join(map(quote, members))} ]" if len(members) > 1 else "".join(map(quote, members))


def _shown(device: PanOs, members: list[str]) -> list[str]:
    found: list[str] = []
    for member in members:
        if member.startswith("fqdn:"):
            found += map(str, device.plane.resolver.addresses(member.removeprefix("fqdn:")))
        else:
            found.append(member.removeprefix("list:"))
    return list(dict.fromkeys(found))


def _services(device: PanOs, rule: Rule) -> list[str]:
    found: list[str] = []
    for application in rule.node.members("application"):
        if application in ("icmp", "ping"):
            found.append(f"{application}/icmp/any/any")
        elif "any" in rule.node.members("service"):
            found.append(f"{application}/any/any/any")
        elif rule.default_ports:
            found += [f"{application}/{where}" for where in _default_ports(application)]
        found += [
            f"{application}/{each.protocol}/any/{port}" for each in rule.services for port in each.ports.split(",")
        ]
    return [_service(device, each) for each in found]


def _default_ports(application: str) -> list[str]:
    known = [f"{protocol}/any/{port}" for (protocol, port), name in matching.BY_PORT.items() if name == application]
    return known or ["any/any/any"]


def _service(device: PanOs, text: str) -> str:
    return f"0:{text}" if _newer(device) else text


# --- sessions ---------------------------------------------------------------------------------------------------------

_NUMBERS: Final = {"tcp": 6, "udp": 17, "icmp": 1}


def session_table(sessions: Iterable[Session]) -> str:
    dashes = "-" * 80
    head = [
        dashes,
        "ID          Application    State   Type Flag  Src[Sport]/Zone/Proto (translated IP[Port])",
        "Vsys                                          Dst[Dport]/Zone (translated IP[Port])",
        dashes,
    ]
    return lines([*head, *(line for session in sessions for line in _session(session))])


def _session(session: Session) -> list[str]:
    flow = session.flow
    source, destination = f"{flow.source}[{flow.source_port}]", f"{flow.destination}[{flow.port}]"
    protocol = _NUMBERS.get(flow.protocol, 0)
    what = f"{session.id:<13}{matching.application(flow):<15}ACTIVE  FLOW       "
    return [
        f"{what}{source}/{flow.inside}/{protocol}  ({source})",
        f"{session.vsys:<46} {destination}/{flow.outside}  ({destination})",
    ]


def picked(device: PanOs, filters: dict[str, str]) -> list[Session]:
    """Sessions that a filter takes."""
    return [session for session in device.plane.sessions.values() if _takes(session, filters)]


def _takes(session: Session, filters: dict[str, str]) -> bool:
    flow = session.flow
    ends = {"source": flow.source, "destination": flow.destination}
    if any(name in filters and not inside(address, filters[name]) for name, address in ends.items()):
        return False
    is_what = {
        "rule": session.rule,
        "application": matching.application(flow),
        "from": flow.inside,
        "to": flow.outside,
        "destination-port": str(flow.port),
        "protocol": str(_NUMBERS.get(flow.protocol, 0)),
    }
    return all(is_what[name] == value for name, value in filters.items() if name not in ends)


# --- the traffic log --------------------------------------------------------------------------------------------------


def log_csv(device: PanOs, entries: Iterable[Logged]) -> str:
    head = [",".join(_FIELDS)] if device.switches.csv_header else []
    return lines([*head, *(",".join(_fields(device, entry)) for entry in entries)])


_FIELDS: Final = (
    "Domain", "Receive Time", "Serial #", "Type", "Threat/Content Type", "Config Version", "Generate Time",
    "Source address", "Destination address", "NAT Source IP", "NAT Destination IP", "Rule", "Source User",
    "Destination User", "Application", "Virtual System", "Source Zone", "Destination Zone", "Inbound Interface",
    "Outbound Interface", "Log Action", "Time Logged", "Session ID", "Repeat Count", "Source Port",
    "Destination Port", "NAT Source Port", "NAT Destination Port", "Flags", "IP Protocol", "Action", "Bytes",
    "Bytes Sent", "Bytes Received", "Packets", "Start Time", "Elapsed Time (sec)", "Category",
)  # fmt: skip


def _fields(device: PanOs, entry: Logged) -> list[str]:
    """In the order of the published message of a PAN-OS 10."""
    flow, at = entry.session.flow, _stamp(device, entry.at)
    elapsed = int((entry.at - entry.session.start).total_seconds())
    reason = "policy-deny" if entry.subtype in ("deny", "drop") else "aged-out" if entry.subtype == "end" else "n/a"
    return [
        "1", at, device.model.serial, "TRAFFIC", entry.subtype, "2561", at, str(flow.source), str(flow.destination),
        "0.0.0.0", "0.0.0.0", entry.session.rule, "", "", _application(entry), entry.session.vsys,  # noqa: S104
        flow.inside, flow.outside, "ethernet1/1", "ethernet1/2", entry.forwarding, at, str(entry.session.id), "1",
        str(flow.source_port), str(flow.port), "0", "0", "0x0", flow.protocol, entry.action, str(flow.octets),
        str(flow.octets), "0", str(flow.packets), _stamp(device, entry.session.start), str(elapsed), "any", "0",
        str(entry.session.id), "0x0", "Reserved", "Reserved", "0", str(flow.packets), "0", reason, "0", "0", "0", "0",
        "", device.hostname, "from-policy", "", "", "0", "", "0", "", "N/A", "0", "0", "0", "0", entry.uuid, "0",
    ]  # fmt: skip


def _application(entry: Logged) -> str:
    """Unknown where the packet was dropped before it was looked at."""
    return "not-applicable" if entry.subtype == "drop" else matching.application(entry.session.flow)


def _stamp(device: PanOs, at: datetime) -> str:
    return f"{device.zone.local(at):%Y/%m/%d %H:%M:%S}"


def log_table(device: PanOs, entries: Iterable[Logged]) -> str:
    head = [
        "Time                App             From            Src Port          Source",
        "Rule                Action          To              Dst Port          Destination",
        "                    Src User        Dst User        End Reason",
        "=" * 108,
    ]
    return lines([*head, *(line for entry in entries for line in _log_rows(device, entry))])


def _log_rows(device: PanOs, entry: Logged) -> list[str]:
    flow = entry.session.flow
    return [
        f"{_stamp(device, entry.at):<20}{_application(entry):<16}{flow.inside:<16}{flow.source_port:<18}{flow.source}",
        f"{entry.session.rule:<20}{entry.action:<16}{flow.outside:<16}{flow.port:<18}{flow.destination}",
    ]


def inside(address: object, network: str) -> bool:
    return ip_address(str(address)) in ip_network(network, strict=False)


# --- lists and names --------------------------------------------------------------------------------------------------

_PLURALS: Final = {"ip": "ips", "domain": "domains", "url": "urls"}


def feed(device: PanOs, one: Feed) -> str:
    return lines(_feed(device, one))


def _feed(device: PanOs, one: Feed) -> Iterator[str]:
    shown = one.entries[: device.model.list_shown]
    tab = " " * 8
    yield one.name
    if device.switches.list_header:
        at = f"{device.zone.local(one.next_at):%a %b %e %H:%M:%S %Y}" if one.next_at else "-"
        referenced = "Yes" if one.state != "pending" or one in device.plane.feeds.used.values() else "No"
        for word, value in (
            ("Next update at", at),
            ("Source", one.url),
            ("Referenced", referenced),
            ("Valid", "Yes" if one.state in ("valid", "old copy") else "No"),
            ("Auth-Valid", "No" if one.state == "unauthorized" else "Yes"),
        ):
            yield f"{tab}{word:<24}: {value}"
    counts = {"valid": len(one.entries), "ignored": one.ignored, "invalid": one.invalid, "displayed": len(shown)}
    for word, count in counts.items():
        yield f"{tab}{f'Total {word} entries':<24}: {count}"
    yield f"{tab}Valid {_PLURALS[one.kind]}:"
    for entry in shown:
        yield f"{tab * 2}{shown_entry(entry, masked=device.switches.list_host_mask) if one.kind == 'ip' else entry}"


def names(device: PanOs) -> str:
    """The table of resolved names, by virtual system."""
    return lines(_names(device))


def _names(device: PanOs) -> Iterator[str]:
    resolver, now = device.plane.resolver, device.clock.now()
    asked = f"{device.zone.local(resolver.asked):%a %b %e %H:%M:%S %Y}" if resolver.asked else "-"
    yield from (f"FQDN Table : Last Request time {asked}", "", "-" * 80)
    yield from (f"{'IP Address':<40}{'Remaining TTL':<20}Secs Since Refreshed", "-" * 80)
    for vsys, rules in device.plane.rules.items():
        sides = [side for rule in rules for side in (rule.source, rule.destination)]
        objects = {fqdn: name for side in sides for fqdn, name in side.fqdns.items()}
        yield from ("", f"VSYS  : {vsys}")
        for fqdn, name in sorted(objects.items()):
            yield from ("", f"{fqdn} (Objectname {name}):")
            ttl, since = resolver.remaining(fqdn, now)
            addresses = resolver.addresses(fqdn)
            yield from (f"{address!s:<40}{ttl:<20}{since}" for address in addresses)
            yield from [] if addresses else ["Not resolved"]


def known_feed(device: PanOs, vsys: str, kind: str, name: str) -> Feed | None:
    """What is pulled, or what is configured and no rule uses."""
    configured = device.plane.feed_of(vsys, name)
    if configured is None or configured.kind != kind:
        return None
    return device.plane.feeds.used.get(matching.list_key(vsys, name), configured)
