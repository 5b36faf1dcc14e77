"""What the data plane has of a configuration: rules in order, each with what its members stand for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from core.net import Address
from lab.emulators.panos import schema, values
from lab.emulators.panos.space import Space
from lab.emulators.panos.tree import Node
from lab.emulators.traffic import Flow

BY_PORT: Final = {
    ("tcp", 21): "ftp",
    ("tcp", 22): "ssh",
    ("tcp", 23): "telnet",
    ("tcp", 25): "smtp",
    ("tcp", 53): "dns",
    ("tcp", 80): "web-browsing",
    ("tcp", 443): "ssl",
    ("tcp", 3389): "ms-rdp",
    ("udp", 53): "dns",
    ("udp", 123): "ntp",
    ("udp", 443): "quic",
}
_WEB: Final = frozenset({"ssl", "web-browsing"})
"""What has a URL. The greeting of QUIC is encrypted."""
_PREDEFINED: Final = {"service-http": ("tcp", "80,8080"), "service-https": ("tcp", "443")}
INTRAZONE: Final = "intrazone-default"
INTERZONE: Final = "interzone-default"


def application(flow: Flow) -> str:
    """What the firewall takes the flow for. There is no payload here: the port decides."""
    if flow.protocol == "icmp":
        return "ping"
    return BY_PORT.get((flow.protocol, flow.port), f"unknown-{flow.protocol}")


@dataclass(slots=True)
class Addresses:
    """What a list of members stands for. Names and lists are asked anew each time: they change without a commit."""

    anything: bool = False
    fqdns: dict[str, str] = field(default_factory=dict)  # name -> object
    lists: list[str] = field(default_factory=list)
    wildcards: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    """The members as the compiled policy prints them; a name and a list by ``fqdn:`` and ``list:``."""
    _spans: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    _starts: dict[int, list[int]] = field(default_factory=dict)

    def add(self, text: str) -> None:
        found = values.span(text)
        self.shown.append(text.removesuffix("/32").removesuffix("/128"))
        if found is None:
            self.wildcards.append(text)
        else:
            self._spans.setdefault(found[0], []).append(found[1:])

    def close(self) -> Addresses:
        for version, spans in self._spans.items():
            self._spans[version] = _merged(spans)
            self._starts[version] = [low for low, _ in self._spans[version]]
        return self

    def literal(self, address: Address) -> bool:
        if self.anything:
            return True
        starts = self._starts.get(address.version, [])
        at = bisect_right(starts, int(address)) - 1
        inside = at >= 0 and int(address) <= self._spans[address.version][at][1]
        return inside or any(values.covers(each, address) for each in self.wildcards)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    protocol: str
    ports: str
    source_ports: str = ""

    def takes(self, flow: Flow) -> bool:
        sources = not self.source_ports or _within(self.source_ports, flow.source_port)
        return flow.protocol == self.protocol and _within(self.ports, flow.port) and sources


def _within(ports: str, port: int) -> bool:
    for part in ports.split(","):
        low, _, high = part.partition("-")
        if int(low) <= port <= int(high or low):
            return True
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    name: str
    node: Node
    source: Addresses
    destination: Addresses
    categories: tuple[str, ...]
    """The lists of URLs among its categories."""
    services: tuple[Service, ...]
    default_ports: bool
    schedule: Node | None

    def word(self, attribute: str, default: str) -> str:
        return self.node.value(attribute, default=default)

    @property
    def action(self) -> str:
        return self.word("action", "deny")

    def zones(self, flow: Flow) -> bool:
        leaves, enters = self.node.members("from"), self.node.members("to")
        same = flow.inside == flow.outside
        kind = self.word("rule-type", "universal")
        fits = kind == "universal" or (kind == "intrazone") == same
        return fits and bool({"any", flow.inside} & set(leaves)) and bool({"any", flow.outside} & set(enters))

    def service(self, flow: Flow) -> bool:
        named = self.node.members("service")
        known = self.default_ports and not application(flow).startswith("unknown-")
        return "any" in named or known or any(each.takes(flow) for each in self.services)

    def application(self, flow: Flow) -> bool:
        return bool({"any", application(flow)} & set(self.node.members("application")))

    def everybody(self) -> bool:
        """A flow here has no user: rules for some users do not match it."""
        return all("any" in (self.node.members(word) or ["any"]) for word in ("source-user", "hip-profiles"))

    def category(self, flow: Flow, listed: Callable[[str, str], bool]) -> bool:
        """By the name that a web client asks for: of TLS it is the one in its greeting (KB kA10g000000PObsCAG)."""
        if "any" in (self.node.members("category") or ["any"]):
            return True
        is_web = application(flow) in _WEB and bool(flow.host)
        return is_web and any(listed(name, flow.host) for name in self.categories)


Held = Callable[[Addresses, Address], bool]


def matches(rule: Rule, flow: Flow, held: Held) -> bool:
    source = held(rule.source, flow.source) != (rule.word("negate-source", "no") == "yes")
    if not (rule.zones(flow) and rule.everybody() and source and rule.application(flow) and rule.service(flow)):
        return False
    return held(rule.destination, flow.destination) != (rule.word("negate-destination", "no") == "yes")


# --- from the configuration -------------------------------------------------------------------------------------------


def compiled(space: Space, vsys: str, rules: dict[str, Node]) -> list[Rule]:
    """Rules that are not disabled, in order."""
    path = schema.vsys_path(vsys)
    return [_rule(space, path, name, node) for name, node in rules.items() if node.value("disabled") != "yes"]


def _rule(space: Space, path: tuple[str, ...], name: str, node: Node) -> Rule:
    named = node.members("service")
    scheduled = space.find(path, ("schedule",), node.value("schedule")) if node.value("schedule") else None
    return Rule(
        name=name,
        node=node,
        source=_addresses(space, path, node.members("source")),
        destination=_addresses(space, path, node.members("destination")),
        services=tuple(each for member in named for each in _services(space, path, member)),
        categories=tuple(list_key(path[-1], each) for each in node.members("category") if _is_list(space, path, each)),
        default_ports="application-default" in named,
        schedule=scheduled[1] if scheduled else None,
    )


def _is_list(space: Space, path: tuple[str, ...], name: str) -> bool:
    return space.find(path, ("external-list",), name) is not None


def _addresses(space: Space, path: tuple[str, ...], members: list[str]) -> Addresses:
    into = Addresses()
    for member in members:
        _add(space, path, member, into, ())
    return into.close()


def _add(space: Space, path: tuple[str, ...], member: str, into: Addresses, above: tuple[str, ...]) -> None:
    found = space.find(path, ("address", "address-group", "external-list"), member)
    match found:
        case _ if member == "any":
            into.anything = True
            into.shown.append("any")
        case None:
            into.add(member)
        case ("address", node):
            _add_address(member, node, into)
        case ("external-list", _):
            into.lists.append(list_key(path[-1], member))
            into.shown.append(f"list:{member}")
        case (_, node) if member not in above:
            for each in [*node.members("static"), *_tagged(space, path, node.value("dynamic", "filter"))]:
                _add(space, path, each, into, (*above, member))


def list_key(vsys: str, name: str) -> str:
    """Virtual systems pull and keep lists of one name apart."""
    return f"{vsys}/{name}"


def _add_address(name: str, node: Node, into: Addresses) -> None:
    fqdn = node.value("fqdn")
    if fqdn:
        into.fqdns[fqdn] = name
        into.shown.append(f"fqdn:{fqdn}")
        return
    for kind in ("ip-netmask", "ip-range", "ip-wildcard"):
        if node.value(kind):
            into.add(node.value(kind))


def _tagged(space: Space, path: tuple[str, ...], text: str) -> Iterator[str]:
    """Address objects whose tags a dynamic group's filter takes."""
    if not text:
        return
    for place in space.places(path):
        for name, node in place.kids.get("address", Node()).kids.items():
            if values.filter_takes(text, set(node.members("tag"))):
                yield name


def _services(space: Space, path: tuple[str, ...], member: str) -> Iterator[Service]:
    if member in _PREDEFINED:
        protocol, ports = _PREDEFINED[member]
        yield Service(protocol=protocol, ports=ports)
        return
    match space.find(path, ("service", "service-group"), member):
        case ("service", node):
            protocol = next(iter(node.kids.get("protocol", Node()).kids), "tcp")
            where = node.at(("protocol", protocol)) or Node()
            yield Service(
                protocol=protocol,
                ports=where.value("port", default="0-65535"),
                source_ports=where.value("source-port"),
            )
        case ("service-group", node):
            for each in node.members("members"):
                yield from _services(space, path, each)
