"""What one node's packet engine does: policies in order, their counters, sessions, resolved names, feeds.

Zone policies come before global ones and the first match wins; a new deny does not cut open sessions unless
`policy-rematch` is configured (Junos security policies guide).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final, TypeAlias

from core.net import Address
from lab.emulators.srx import applications, schedule
from lab.emulators.srx.book import Books
from lab.emulators.srx.feeds import Feeds
from lab.emulators.srx.records import Recorder
from lab.emulators.srx.tree import Node, empty
from lab.emulators.traffic import Flow, Verdict

if TYPE_CHECKING:
    from lab.emulators.srx.device import Srx

GLOBAL: Final = ("junos-global", "junos-global")
DEFAULT: Final = ("all-zone", "all-zone")
DNS_INTERVAL: Final = 300
"""`dns-query-interval` in seconds (Juniper/yang)."""
_WRAP: Final = 2**32

Identity: TypeAlias = tuple[tuple[str, str], str]
"""The two zones, or those of global policies, and the name."""


@dataclass(slots=True)
class Statistics:
    """Of a policy with `then count`: sessions made and ended, packets and bytes of their first direction."""

    packets: int = 0
    octets: int = 0
    created: int = 0
    deleted: int = 0


@dataclass(slots=True)
class Counter:
    """What goes with a policy as long as it is there. A deleted and re-created one starts again."""

    index: int
    hits: int = 0
    statistics: Statistics = field(default_factory=Statistics)

    def hit(self, times: int) -> None:
        self.hits = (self.hits + times) % _WRAP


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One configured policy: where it stands, and its place in the order there."""

    zones: tuple[str, str]
    node: Node
    sequence: int

    @property
    def identity(self) -> Identity:
        return self.zones, self.node.value

    @property
    def pair(self) -> tuple[str, ...]:
        """Its two zones; none of a global one."""
        return () if self.zones == GLOBAL else self.zones

    @property
    def action(self) -> str:
        then = self.node.at("then")
        return next((each for each in ("permit", "deny", "reject") if then is not None and then.has(each)), "deny")

    def logs(self, moment: str) -> bool:
        then = self.node.at("then", "log")
        return then is not None and then.has(moment)

    def match(self, name: str) -> list[str]:
        match = self.node.at("match")
        return [] if match is None else [each.value for each in match.all(name)]


@dataclass(slots=True, kw_only=True)
class Session:
    number: int
    flow: Flow
    rule: Rule
    index: int


class Engine:
    """Of the root system, or of the logical system or tenant that ``space`` names."""

    def __init__(self, device: Srx, space: tuple[str, ...] = ()) -> None:
        self._device, self.space = device, space
        self._root = self._own_root()
        self._resolved: dict[str, tuple[float, tuple[Address, ...]]] = {}
        self._numbers = 0
        self.rules: list[Rule] = []
        self.counters: dict[Identity, Counter] = {}
        self.default = Counter(index=2)
        self.sessions: list[Session] = []
        self.feeds, self.records = Feeds(), Recorder(device, self)
        self._next_index = 4
        self.adopt()

    # --- configuration --------------------------------------------------------------------------------------------

    def adopt(self) -> None:
        """After a commit: policies that stay keep their counters, and their index, wherever they moved."""
        old = {rule.identity: rule.node for rule in self.rules}
        self._root = self._own_root()
        self.books = Books(self._root)
        self.rules = list(self._configured())
        kept = {}
        for rule in self.rules:
            counter = self.counters.get(rule.identity)
            before = old.get(rule.identity)
            if counter is None:
                counter = Counter(self._next_index)
                self._next_index += 1
            elif self._device.switches.edit_clears_hits and before is not None and not before.same(rule.node):
                counter = Counter(counter.index)
            kept[rule.identity] = counter
        self.counters = kept
        self.feeds.adopt(self._root)
        if self._policies("policy-rematch") is not None:
            self.sessions = [each for each in self.sessions if self._still_permitted(each)]

    def _own_root(self) -> Node:
        whole = self._device.database.effective
        return (whole.child(*self.space) or empty()) if self.space else whole

    @property
    def is_there(self) -> bool:
        return not self.space or self._device.database.effective.child(*self.space) is not None

    def _policies(self, name: str) -> Node | None:
        return self._root.at("security", "policies", name)

    def _configured(self) -> Iterator[Rule]:
        held = self._root.at("security", "policies")
        for pair in () if held is None else held.all("from-zone"):
            zones = (pair.part.values[0], pair.part.values[1])
            for at, policy in enumerate(pair.all("policy"), start=1):
                yield Rule(zones=zones, node=policy, sequence=at)
        shared = None if held is None else held.at("global")
        for at, policy in enumerate(() if shared is None else shared.all("policy"), start=1):
            yield Rule(zones=GLOBAL, node=policy, sequence=at)

    @property
    def default_permits(self) -> bool:
        default = self._policies("default-policy")
        return default is not None and default.has("permit-all")

    def enabled(self, rule: Rule) -> bool:
        name = rule.node.leaf("scheduler-name")
        return not name or schedule.holds(
            self._root, name, self._device.database.now(), inclusive=self._device.switches.stop_inclusive
        )

    def counted(self, rule: Rule) -> bool:
        """Whether statistics are kept: `then count`, or `policy-stats system-wide enable`."""
        then, wide = rule.node.at("then"), self._policies("policy-stats")
        return (then is not None and then.has("count")) or (wide is not None and wide.leaf("system-wide") == "enable")

    def services(self, name: str) -> tuple[applications.Service, ...]:
        return applications.services(self._root, name)

    # --- traffic --------------------------------------------------------------------------------------------------

    def forward(self, flow: Flow, *, keep_open: bool) -> Verdict:
        """One connection attempt. Of an open session's flow nothing is looked up again."""
        session = next((each for each in self.sessions if _same(each.flow, flow)), None)
        if session is not None:
            self._pass(session.rule, flow, opens=False)
            return Verdict.PERMIT
        rule = self.decide(flow)
        self._count(rule, flow)
        if rule is None:
            return Verdict.PERMIT if self.default_permits else Verdict.DENY
        if rule.action != "permit":
            if rule.logs("session-init"):
                self.records.denied(flow, rule, self._number())
            return Verdict.DENY
        self._open(rule, flow, keep_open=keep_open)
        return Verdict.PERMIT

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _count(self, rule: Rule | None, flow: Flow) -> None:
        """Policy matches, whether or not there is `then count` (hit-count, since 12.1)."""
        permitted = rule is not None and rule.action == "permit"
        times = flow.packets if self._device.switches.denied_packets and not permitted else 1
        (self.default if rule is None else self.counters[rule.identity]).hit(times)

    def _open(self, rule: Rule, flow: Flow, *, keep_open: bool) -> None:
        session = Session(number=self._number(), flow=flow, rule=rule, index=self.counters[rule.identity].index)
        self._pass(rule, flow, opens=True)
        if rule.logs("session-init"):
            self.records.created(flow, rule, session.number)
        self.sessions.append(session)
        if not keep_open:
            self.close(session)

    def _pass(self, rule: Rule, flow: Flow, *, opens: bool) -> None:
        counter = self.counters.get(rule.identity)
        if counter is not None:
            counter.statistics.packets += flow.packets
            counter.statistics.octets += flow.octets * flow.packets
            counter.statistics.created += 1 if opens else 0

    def close(self, session: Session) -> None:
        self.sessions.remove(session)
        counter = self.counters.get(session.rule.identity)
        if counter is not None:
            counter.statistics.deleted += 1
        if session.rule.logs("session-close"):
            self.records.closed(session.flow, session.rule, session.number)

    def _still_permitted(self, session: Session) -> bool:
        rule = self.decide(session.flow)
        return self.default_permits if rule is None else rule.action == "permit"

    def decide(self, flow: Flow) -> Rule | None:
        """The first match of the zone pair's policies, then of the global ones. None: the default policy."""
        pair = self.zone(flow.inside), self.zone(flow.outside)
        own = [rule for rule in self.rules if rule.zones == pair]
        shared = [rule for rule in self.rules if rule.zones == GLOBAL and _for_pair(rule, pair)]
        return next((rule for rule in (*own, *shared) if self.enabled(rule) and self._matches(rule, flow, pair)), None)

    def zone(self, name: str) -> str:
        """A zone by its own name or by an interface in it."""
        held = (zone for zone, node in self.books.zones.items() if node.child("interfaces", name) is not None)
        return name if name in self.books.zones else next(held, name)

    def interface(self, zone: str) -> str:
        node = self.books.zones.get(self.zone(zone))
        found = [] if node is None else node.all("interfaces")
        return found[0].value if found else zone

    def _matches(self, rule: Rule, flow: Flow, pair: tuple[str, str]) -> bool:
        return (
            any(self._within(name, flow.source, rule, pair) for name in rule.match("source-address"))
            and any(self._within(name, flow.destination, rule, pair) for name in rule.match("destination-address"))
            and any(each.takes(flow) for name in rule.match("application") for each in self.services(name))
        )

    def _within(self, name: str, address: Address, rule: Rule, pair: tuple[str, str]) -> bool:
        if name == "any" or name == f"any-ipv{address.version}":
            return True
        dynamic = self.books.dynamic.get(name)
        if dynamic is not None:
            return self.feeds.covers(dynamic, address)
        return any(self.covers(leaf, address) for leaf in self.books.leaves(name, rule.pair or pair))

    def covers(self, node: Node, address: Address) -> bool:
        if node.has(""):
            network = ip_network(node.leaf(""), strict=False)
            return network.version == address.version and address in network
        if (span := node.child("range-address")) is not None:
            last = span.at("to")
            low, high = int(ip_address(span.value)), int(ip_address("0.0.0.0" if last is None else last.leaf("")))  # noqa: S104  # nothing is bound
            return address.version == 4 and low <= int(address) <= high
        if (wild := node.child("wildcard-address")) is not None:
            base, _, mask = wild.value.partition("/")
            kept = int(ip_address(mask or "255.255.255.255"))
            return address.version == 4 and int(address) & kept == int(ip_address(base)) & kept
        return address in self.resolve(node)

    def resolve(self, node: Node) -> tuple[Address, ...]:
        """What an address with `dns-name` stands for now: looked up again when its interval is over."""
        named = node.child("dns-name")
        if named is None:
            return ()
        now, interval = self._device.clock.monotonic(), int(named.leaf("dns-query-interval") or DNS_INTERVAL)
        at, known = self._resolved.get(named.value, (now - interval, ()))
        if now - at >= interval and self._has_resolver():
            known = tuple(self._device.names.get(named.value, ()))[: self._device.switches.addresses_per_name]
            self._resolved[named.value] = (now, known)
        only = 4 if named.has("ipv4-only") else 6 if named.has("ipv6-only") else 0
        return tuple(each for each in known if only in (0, each.version))

    def _has_resolver(self) -> bool:
        system = self._device.database.effective.at("system")
        return system is not None and bool(system.all("name-server"))

    # --- clearing -------------------------------------------------------------------------------------------------

    def clear_hits(self, pair: tuple[str, str] | None) -> None:
        for (zones, _), counter in self.counters.items():
            if pair is None or zones == pair:
                counter.hits = 0
        if pair is None:
            self.default.hits = 0

    def clear_statistics(self) -> None:
        for counter in self.counters.values():
            counter.statistics = Statistics()

    def restart(self) -> None:
        """Power off and on."""
        self.sessions.clear()
        self._resolved.clear()
        self.clear_hits(None)
        self.clear_statistics()
        self.feeds = Feeds()
        self.feeds.adopt(self._root)


def _same(one: Flow, other: Flow) -> bool:
    def key(flow: Flow) -> tuple[object, ...]:
        return flow.protocol, flow.source, flow.source_port, flow.destination, flow.port

    return key(one) == key(other)


def _for_pair(rule: Rule, pair: tuple[str, str]) -> bool:
    """A global policy's own zones, if it names any."""
    asked = rule.match("from-zone"), rule.match("to-zone")
    return all(not names or "any" in names or zone in names for names, zone in zip(asked, pair, strict=True))
