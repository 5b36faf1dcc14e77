"""An access list entry taken apart into the elements that traffic is compared with, and the hashes of both.

Order and forms follow `show access-list` of netdriver's ASAv 9.8 capture and of ntc-templates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeAlias

from core.net import WIDTH, Address
from lab.emulators.asa import words
from lab.emulators.asa.config import Config
from lab.emulators.asa.values import (
    Ace,
    AnyPlace,
    Fqdn,
    Icmp,
    Match,
    Net,
    ObjectValue,
    Place,
    Ports,
    Protocol,
    Range,
    Ref,
    Service,
)  # fmt: skip
from lab.emulators.traffic import Flow

Resolver: TypeAlias = Callable[[Fqdn], tuple[Address, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One address that a name resolved to."""

    address: Address
    name: str

    def text(self) -> str:
        return f"host {self.address} ({self.name})"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameLine:
    """A name itself: it matches nothing."""

    name: str
    resolved: bool

    def text(self) -> str:
        return f"fqdn {self.name} ({'resolved' if self.resolved else 'unresolved'})"


Leaf: TypeAlias = AnyPlace | Net | Range | Ref | Named | NameLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    action: str
    protocol: str
    source: Leaf
    source_ports: Ports | None
    destination: Leaf
    destination_ports: Ports | None
    icmp: Icmp | None

    @property
    def counted(self) -> bool:
        """Whether it can match at all; a name's own line cannot and prints no count."""
        return not isinstance(self.source, NameLine) and not isinstance(self.destination, NameLine)

    def text(self) -> str:
        parts = (self.source, self.source_ports, self.destination, self.destination_ports, self.icmp)
        shown = " ".join(part.text() for part in parts if part is not None)
        return f"extended {self.action} {self.protocol} {shown}"

    def matches(self, flow: Flow, config: Config) -> bool:
        return (
            self._speaks(flow)
            and _within(self.source, flow.source, config)
            and _within(self.destination, flow.destination, config)
        )

    def _speaks(self, flow: Flow) -> bool:
        if self.protocol != "ip" and self.protocol != words.protocol_name(flow.protocol):
            return False
        if self.icmp is not None:  # the port of a flow stands for the type
            return flow.port == self.icmp.kind
        ports = ((self.source_ports, flow.source_port), (self.destination_ports, flow.port))
        return all(asked is None or asked.covers(port) for asked, port in ports)


def _within(place: Leaf, address: Address, config: Config) -> bool:
    match place:
        case AnyPlace():
            return place.word == "any" or place.word == f"any{address.version}"
        case Net():
            first, last = place.span
            return place.address.version == address.version and first <= int(address) <= last
        case Range():
            return place.first.version == address.version and int(place.first) <= int(address) <= int(place.last)
        case Named():
            return place.address == address
        case Ref():
            return any(each.name == place.name and each.address == address for each in config.interfaces())
        case NameLine():
            return False


def expand(ace: Ace, config: Config, resolve: Resolver) -> tuple[Element, ...]:
    """Every combination: services outermost, then source, its ports, destination, its ports."""
    match = ace.match
    return tuple(
        Element(
            action=ace.action,
            protocol=service.protocol,
            source=source,
            source_ports=_spoken(source_ports, service.protocol),
            destination=destination,
            destination_ports=_spoken(destination_ports, service.protocol),
            icmp=icmp,
        )
        for service, icmp in _services(match, config)
        for source, source_ports, destination, destination_ports in product(
            list(_places(match.source, config, resolve)),
            list(_ports(match.source_ports, service.source, config)),
            list(_places(match.destination, config, resolve)),
            list(_ports(match.destination_ports, service.destination, config)),
        )
    )


def _spoken(ports: Ports | None, protocol: str) -> Ports | None:
    """With the port names of the element's own protocol: 500 is isakmp for UDP and a number for TCP."""
    return None if ports is None else replace(ports, protocol=protocol)


def _services(match: Match, config: Config) -> Iterator[tuple[Service, Icmp | None]]:
    for service in _named_services(match.service, config):
        if isinstance(match.icmp, Ref):
            for each in _members(match.icmp.name, config):
                yield service, each if isinstance(each, Icmp) else None
        else:
            yield service, service.icmp or match.icmp


def _named_services(service: Protocol | Ref, config: Config) -> Iterator[Service]:
    if isinstance(service, Protocol):
        yield Service(protocol=service.name)
    elif service.kind == "object":
        yield from _both(_value(service.name, config))
    else:
        for each in _members(service.name, config):
            yield from _both(Service(protocol=each.name) if isinstance(each, Protocol) else each)


def _both(value: object) -> Iterator[Service]:
    """`tcp-udp` is two."""
    if isinstance(value, Service) and value.protocol == "tcp-udp":
        yield from (replace(value, protocol=each) for each in ("tcp", "udp"))
    elif isinstance(value, Service):
        yield value


def _ports(asked: Ports | Ref | None, own: Ports | None, config: Config) -> Iterator[Ports | None]:
    if isinstance(asked, Ref):
        yield from (each for each in _members(asked.name, config) if isinstance(each, Ports))
    else:
        yield asked or own


def _places(place: Place, config: Config, resolve: Resolver) -> Iterator[Leaf]:
    if not isinstance(place, Ref) or place.kind == "interface":
        yield place
    elif place.kind == "object":
        yield from _leaves(_value(place.name, config), config, resolve)
    else:
        for each in _members(place.name, config):
            yield from _leaves(each, config, resolve)


def _leaves(value: object, config: Config, resolve: Resolver) -> Iterator[Leaf]:
    match value:
        case Fqdn():
            found = resolve(value)
            if not found or config.switches.resolved_line:
                yield NameLine(name=value.name, resolved=bool(found))
            yield from (Named(address=address, name=value.name) for address in found)
        case Range():
            yield _aligned(value)
        case Net():
            yield replace(value, masked=False)


def _aligned(span: Range) -> Net | Range:
    """A range that is a network is shown as one."""
    size = int(span.last) - int(span.first) + 1
    if size & (size - 1) or int(span.first) % size:
        return span
    return Net(address=span.first, length=WIDTH[span.first.version] - size.bit_length() + 1)


def _value(name: str, config: Config) -> ObjectValue | None:
    found = config.objects.get(name)
    return None if found is None else found.value


def _members(name: str, config: Config, seen: frozenset[str] = frozenset()) -> Iterator[object]:
    """What a group holds, groups inside it in their place."""
    group = config.groups.get(name)
    for member in () if group is None or name in seen else group.members:
        if not isinstance(member.value, Ref):
            yield member.value
        elif member.word == "group-object":
            yield from _members(member.value.name, config, seen | {name})
        else:
            yield _value(member.value.name, config)


def digest(text: str) -> str:
    """Eight hexadecimal digits that stay the same for the same text."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8]


def family(fqdn: Fqdn, addresses: tuple[Address, ...]) -> tuple[Address, ...]:
    """Those that the object asks for."""
    return tuple(a for a in addresses if not fqdn.family or fqdn.family == f"v{a.version}")
