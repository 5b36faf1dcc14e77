"""What an ASA's configuration is made of, as values. Each prints itself the way the device does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Literal, TypeAlias

from core.net import WIDTH, Address
from lab.emulators.asa import words

Alias: TypeAlias = Callable[[Address], str]
"""An address as printed: by the alias that `name` gives it, where `names` is on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyPlace:
    word: str = "any"

    def text(self, alias: Alias = str) -> str:
        return self.word


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """A host or a network; host bits may stand in it, as the device keeps them."""

    address: Address
    length: int
    masked: bool = field(default=False, compare=False)  # a host that is printed with its mask

    def text(self, alias: Alias = str) -> str:
        if self.length == WIDTH[self.address.version] and not self.masked:
            return f"host {alias(self.address)}"
        if self.address.version == 6:
            return f"{alias(self.address)}/{self.length}"
        return f"{alias(self.address)} {IPv4Network((0, self.length)).netmask}"

    @property
    def span(self) -> tuple[int, int]:
        host = WIDTH[self.address.version] - self.length
        first = int(self.address) >> host << host
        return first, first | (1 << host) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    first: Address
    last: Address

    def text(self, alias: Alias = str) -> str:
        return f"range {alias(self.first)} {alias(self.last)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fqdn:
    name: str
    family: Literal["", "v4", "v6"] = ""

    def text(self, alias: Alias = str) -> str:
        return " ".join(filter(None, ("fqdn", self.family, self.name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """Something named elsewhere in the configuration."""

    kind: Literal["object", "object-group", "interface"]
    name: str

    def text(self, alias: Alias = str) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    op: Literal["eq", "neq", "gt", "lt", "range"]
    first: int
    last: int = 0
    protocol: str = field(default="tcp", compare=False)  # whose names are printed

    def text(self, alias: Alias = str) -> str:
        shown = [words.port_name(port, self.protocol) for port in (self.first, self.last)]
        return f"range {shown[0]} {shown[1]}" if self.op == "range" else f"{self.op} {shown[0]}"

    def covers(self, port: int) -> bool:
        match self.op:
            case "eq":
                return port == self.first
            case "neq":
                return port != self.first
            case "gt":
                return port > self.first
            case "lt":
                return port < self.first
            case "range":
                return self.first <= port <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Icmp:
    kind: int
    code: int | None = None
    protocol: str = "icmp"

    def text(self, alias: Alias = str) -> str:
        names = {number: name for name, number in words.icmp_names(self.protocol).items()}
        shown = names.get(self.kind, str(self.kind))
        return shown if self.code is None else f"{shown} {self.code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    name: str

    def text(self, alias: Alias = str) -> str:
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What `service` and `service-object` name: a protocol with its ports or its ICMP type."""

    protocol: str
    source: Ports | None = None
    destination: Ports | None = None
    icmp: Icmp | None = None

    def text(self, alias: Alias = str) -> str:
        parts = [self.protocol]
        parts += [f"source {self.source.text()}"] if self.source else []
        parts += [f"destination {self.destination.text()}"] if self.destination else []
        parts += [self.icmp.text()] if self.icmp else []
        return " ".join(parts)


Place: TypeAlias = AnyPlace | Net | Ref
ObjectValue: TypeAlias = Net | Range | Fqdn | Service
MemberValue: TypeAlias = Net | Ref | Service | Ports | Protocol | Icmp


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    word: str
    value: MemberValue

    def text(self, alias: Alias = str) -> str:
        if self.word == "group-object" and isinstance(self.value, Ref):
            return f"group-object {self.value.name}"
        return f"{self.word} {self.value.text(alias)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """`object network` or `object service`: one value, or none yet."""

    kind: Literal["network", "service"]
    name: str
    value: ObjectValue | None = None
    description: str = ""

    @property
    def value_text(self) -> str:
        match self.value:
            case Service():
                return f"service {self.value.text()}"
            case Net() if self.value.masked or self.value.length < WIDTH[self.value.address.version]:
                return f"subnet {self.value.text()}"
            case None:
                return ""
            case _:
                return self.value.text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """`log` of an access list entry. Severity 6 every 300 seconds unless told."""

    mode: Literal["on", "disable", "default"] = "on"
    level: int = 6
    interval: int = 300

    def text(self, *, full: bool) -> str:
        """``full``: as `show access-list` prints it; else as the configuration does, without what is default."""
        if self.mode != "on":
            return f"log {self.mode}"
        if not full and (self.level, self.interval) == (6, 300):
            return "log"
        every = f" interval {self.interval}" if full or self.interval != 300 else ""
        return f"log {words.LEVELS[self.level]}{every}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What an extended entry looks at."""

    service: Protocol | Ref
    source: Place
    source_ports: Ports | Ref | None = None
    destination: Place
    destination_ports: Ports | Ref | None = None
    icmp: Icmp | Ref | None = None

    @property
    def parts(self) -> tuple[Protocol | Place | Ports | Icmp, ...]:
        every = (
            self.service, self.source, self.source_ports, self.destination, self.destination_ports, self.icmp,
        )  # fmt: skip
        return tuple(part for part in every if part is not None)

    @property
    def refs(self) -> tuple[Ref, ...]:
        return tuple(part for part in self.parts if isinstance(part, Ref))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ace:
    action: Literal["permit", "deny"]
    match: Match
    log: Log | None = None
    time_range: str = ""
    inactive: bool = False

    def same_as(self, other: object) -> bool:
        """Whether it is the same entry but for its options."""
        return isinstance(other, Ace) and (self.action, self.match) == (other.action, other.match)

    def text(self, alias: Alias = str, *, full: bool = False) -> str:
        shown = " ".join(["extended", self.action, *(part.text(alias) for part in self.match.parts)])
        tail = self.options(full=full)
        if full or tail:
            return shown + tail
        last = self.match.parts[-1]
        return f"{shown} " if isinstance(last, Ref) and last.kind == "object-group" else shown

    def options(self, *, full: bool) -> str:
        parts = [self.log.text(full=full)] if self.log else []
        parts += [f"time-range {self.time_range}"] if self.time_range else []
        parts += ["inactive"] if self.inactive else []
        return "".join(f" {part}" for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """An entry of a standard access list: destinations only. It filters no traffic here, it is only kept."""

    action: Literal["permit", "deny"]
    place: AnyPlace | Net

    def text(self, alias: Alias = str, *, full: bool = False) -> str:
        return f"standard {self.action} {self.place.text(alias)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    comment: str

    def text(self, alias: Alias = str, *, full: bool = False) -> str:
        return f"remark {self.comment}"


Rule: TypeAlias = Ace | Standard | Remark


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A rule in its place. ``serial`` stays with it when lines move, so that its counts do."""

    serial: int
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    acl: str
    direction: Literal["in", "out", "global"]
    interface: str = ""
    option: Literal["", "per-user-override", "control-plane"] = ""

    @property
    def slot(self) -> tuple[str, str, bool]:
        return self.direction, self.interface, self.option == "control-plane"

    def text(self) -> str:
        if self.direction == "global":
            return f"access-group {self.acl} global"
        option = f" {self.option}" if self.option else ""
        return f"access-group {self.acl} {self.direction} interface {self.interface}{option}"
