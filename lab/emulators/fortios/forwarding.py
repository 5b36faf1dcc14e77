"""Traffic through the box: sessions, the configured policies in their order, counters as this vendor counts.

A hit is a new session where the policy accepts, and a refused packet where it denies (community article 392430). What
belongs to an open session is not judged again when policies change, until the session is cleared or idle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

from core.net import Address
from lab.emulators.fortios.config import Config, Entry, Key, value_of
from lab.emulators.fortios.feeds import Fit
from lab.emulators.fortios.schema import (
    ADDRESS,
    ADDRESS6,
    DAYS,
    FEED,
    GROUP,
    GROUP6,
    ONETIME,
    POLICY,
    POLICY6,
    RECURRING,
    SCHEDULE_GROUP,
    SERVICE,
    SERVICE_GROUP,
    ZONE,
)
from lab.emulators.fortios.words import Words
from lab.emulators.traffic import Flow, Names

IDLE_SECONDS: Final = {"tcp": 3600.0}
_IDLE_OTHERS: Final = 180.0
LEARNED_AT_MOST: Final = 1_000  # addresses of one wildcard FQDN (new features of 6.2.2)
Feeding = Mapping[Key, Fit]


@dataclass(slots=True, kw_only=True)
class Counter:
    """Of one policy and family. ``days``: hits, packets and octets of a day, for the eight that are shown."""

    hits: int = 0
    packets: int = 0
    octets: int = 0
    first: datetime | None = None
    last: datetime | None = None
    days: dict[date, list[int]] = field(default_factory=dict)

    def count(self, now: datetime, *, hits: int, packets: int, octets: int) -> None:
        self.hits += hits
        self.packets += packets
        self.octets += octets
        if hits:  # a hit is what opens a session
            self.first, self.last = self.first or now, now
        day = self.days.setdefault(now.date(), [0, 0, 0])
        for at, amount in enumerate((hits, packets, octets)):
            day[at] += amount

    def week(self, which: int, today: date) -> list[int]:
        """Today and the seven days before."""
        return [self.days.get(today - timedelta(days=ago), [0, 0, 0])[which] for ago in range(8)]


@dataclass(slots=True, kw_only=True)
class Session:
    """An accepted connection that is open."""

    number: int
    vdom: str
    family: int
    policy: str
    flow: Flow
    began: datetime
    seen: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """All that a policy is matched against."""

    config: Config
    vdom: str
    now: datetime
    names: Names
    learned: Mapping[str, tuple[Address, ...]]
    feeding: Feeding


def family_path(config: Config, family: int) -> str:
    """IPv6 has policies of its own before 6.4."""
    return POLICY6 if family == 6 and POLICY6 in config.schema else POLICY


def first_match(sight: Sight, flow: Flow) -> tuple[str, Entry] | None:
    """The first policy that the flow meets; None: the implicit deny."""
    path = family_path(sight.config, flow.source.version)
    for name, entry in sight.config.entries(sight.vdom, path).items():
        if matches(sight, path, entry, flow):
            return name, entry
    return None


def matches(sight: Sight, path: str, entry: Entry, flow: Flow) -> bool:
    suffix = "6" if flow.source.version == 6 and path == POLICY and POLICY6 not in sight.config.schema else ""
    return (
        entry.get("status") != ("disable",)
        and not any(entry.get(name) for name in _BEYOND)
        and _through(sight, entry["srcintf"], flow.inside)
        and _through(sight, entry["dstintf"], flow.outside)
        and _end(sight, entry, f"srcaddr{suffix}", flow.source)
        and _end(sight, entry, f"dstaddr{suffix}", flow.destination)
        and any(_served(sight, name, flow) for name in entry["service"]) != _negated(entry, "service")
        and active(sight, entry["schedule"][0])
    )


def _through(sight: Sight, names: Words, interface: str) -> bool:
    if "any" in names or interface in names:
        return True
    zones = sight.config.entries(sight.vdom, ZONE)
    return any(interface in zones.get(name, {}).get("interface", ()) for name in names)


_BEYOND: Final = ("groups", "users", "internet-service")
"""A policy with any of these is for people who have logged in, or for services of the vendor's data: no flow is."""


def _negated(entry: Entry, field: str) -> bool:
    return entry.get(f"{field}-negate") == ("enable",)


def _end(sight: Sight, entry: Entry, field: str, address: Address) -> bool:
    """One end of a flow; a family that the policy does not name does not meet it."""
    names = entry.get(field, ())
    return bool(names) and _among(sight, names, address) != _negated(entry, field)


# --- addresses ----------------------------------------------------------------------------------------------------


def _among(sight: Sight, names: Words, address: Address) -> bool:
    tables = (ADDRESS, GROUP, FEED) if address.version == 4 else (ADDRESS6, GROUP6, FEED)
    return any(_holds(sight, sight.config.find(sight.vdom, tables, name), address) for name in names)


def _holds(sight: Sight, key: Key | None, address: Address) -> bool:
    entry = sight.config.get(key) if key is not None else None
    if key is None or entry is None:
        return False
    if key.path == FEED:
        return sight.feeding.get(key, Fit()).holds(address)
    if key.path in (GROUP, GROUP6):
        excluded = entry.get("exclude-member", ()) if entry.get("exclude") == ("enable",) else ()
        return _among(sight, entry.get("member", ()), address) and not _among(sight, excluded, address)
    return _object_holds(sight, key.path, entry, address)


def _object_holds(sight: Sight, path: str, entry: Entry, address: Address) -> bool:
    table = sight.config.schema[path]
    match value_of(table, entry, "type")[0]:
        case "fqdn":
            return address in _resolved(sight, entry["fqdn"][0])
        case "iprange":
            return int(ip_address(entry["start-ip"][0])) <= int(address) <= int(ip_address(entry["end-ip"][0]))
        case "wildcard":
            base, mask = (int(ip_address(word)) for word in value_of(table, entry, "wildcard"))
            return int(address) & mask == base & mask
        case "ipmask":
            return address in _network4(value_of(table, entry, "subnet"))
        case _:
            return address in IPv6Network(value_of(table, entry, "ip6")[0], strict=False)


@lru_cache(maxsize=65_536)
def _network4(words: Words) -> IPv4Network:
    return IPv4Network("/".join(words), strict=False)


def _resolved(sight: Sight, name: str) -> tuple[Address, ...]:
    """A name as the box's own resolver has it; a wildcard only from answers that passed through the box."""
    if "*" not in name:
        return sight.names.get(name, ())
    tail = name.removeprefix("*")
    return tuple(
        address for known, addresses in sight.learned.items() if known.endswith(tail) for address in addresses
    )[:LEARNED_AT_MOST]


# --- services and schedules ---------------------------------------------------------------------------------------


def _served(sight: Sight, name: str, flow: Flow) -> bool:
    group = sight.config.entries(sight.vdom, SERVICE_GROUP).get(name)
    if group is not None:
        return any(_served(sight, member, flow) for member in group["member"])
    table, entry = sight.config.schema[SERVICE], sight.config.entries(sight.vdom, SERVICE).get(name, {})
    match value_of(table, entry, "protocol")[0]:
        case "IP":
            return value_of(table, entry, "protocol-number")[0] in ("0", PROTOCOLS.get(flow.protocol))
        case "ICMP" | "ICMP6" as which:
            return flow.protocol.upper() == which
        case _:
            ports = entry.get(f"{flow.protocol}-portrange", ())
            return any(_in_range(word, flow) for word in ports)


PROTOCOLS: Final = {"icmp": "1", "tcp": "6", "udp": "17", "icmp6": "58"}


def _in_range(word: str, flow: Flow) -> bool:
    """``443``, ``1-100``, and with source ports behind a colon."""
    to, _, source = word.partition(":")
    return _port_in(to, flow.port) and (not source or _port_in(source, flow.source_port))


def _port_in(text: str, port: int) -> bool:
    low, dash, high = text.partition("-")
    return int(low) <= port <= int(high if dash else low)


def active(sight: Sight, name: str) -> bool:
    """Whether a schedule, or one of its group, runs now."""
    config, vdom = sight.config, sight.vdom
    group = config.entries(vdom, SCHEDULE_GROUP).get(name)
    if group is not None:
        return any(active(sight, member) for member in group["member"])
    once = config.entries(vdom, ONETIME).get(name)
    if once is not None:
        return _moment(once["start"]) <= sight.now.replace(tzinfo=None) < _moment(once["end"])
    entry = config.entries(vdom, RECURRING).get(name)
    return entry is not None and _recurs(entry, sight.now)


def _moment(words: Words) -> datetime:
    return datetime.strptime(" ".join(words), "%H:%M %Y/%m/%d")  # noqa: DTZ007  # a time on the box's own wall


def _recurs(entry: Entry, now: datetime) -> bool:
    """An end before the start is over midnight; both at nought are the whole day (CLI reference)."""
    start, end = entry.get("start", ("00:00",))[0], entry.get("end", ("00:00",))[0]
    days, clock = entry.get("day", ("none",)), now.strftime("%H:%M")
    today, yesterday = (DAYS[(day.weekday() + 1) % 7] for day in (now, now - timedelta(days=1)))
    if start == end:
        return today in days
    if start < end:
        return today in days and start <= clock < end
    return (today in days and clock >= start) or (yesterday in days and clock < end)


# --- sessions -----------------------------------------------------------------------------------------------------

Tuple5 = tuple[str, Address, int, Address, int, str]


def tuple_of(vdom: str, flow: Flow) -> Tuple5:
    return vdom, flow.source, flow.source_port, flow.destination, flow.port, flow.protocol


@dataclass(slots=True)
class Sessions:
    """What is open."""

    by_tuple: dict[Tuple5, Session] = field(default_factory=dict)
    number: int = 1000

    def find(self, vdom: str, flow: Flow, now: float) -> Session | None:
        key = tuple_of(vdom, flow)
        session = self.by_tuple.get(key)
        if session is not None and now - session.seen > IDLE_SECONDS.get(flow.protocol, _IDLE_OTHERS):
            del self.by_tuple[key]
            return None
        return session

    def open(self, vdom: str, policy: str, flow: Flow, *, began: datetime, now: float) -> Session:
        self.number += 1
        session = Session(
            number=self.number,
            vdom=vdom,
            family=flow.source.version,
            policy=policy,
            flow=flow,
            began=began,
            seen=now,
        )
        self.by_tuple[tuple_of(vdom, flow)] = session
        return session

    def of(self, vdom: str, family: int, policy: str) -> int:
        return sum((at.vdom, at.family, at.policy) == (vdom, family, policy) for at in self.by_tuple.values())

    def all(self) -> list[Session]:
        return list(self.by_tuple.values())

    def clear(self, gone: Iterable[Session]) -> None:
        for session in gone:
            self.by_tuple.pop(tuple_of(session.vdom, session.flow), None)


Bound: TypeAlias = int | IPv4Address
SessionFilter: TypeAlias = dict[str, tuple[Bound, Bound]]
"""By the word that sets one: the first and the last value that it takes."""


def meets(session: Session, vdom: int, wanted: SessionFilter) -> bool:
    """Whether all filters take it; those of addresses take no IPv6."""
    flow = session.flow
    has = {
        "vd": vdom,
        "policy": int(session.policy),
        "src": flow.source,
        "dst": flow.destination,
        "dport": flow.port,
        "sport": flow.source_port,
        "proto": int(PROTOCOLS.get(flow.protocol, "0")),
    }
    return all(_within(has[name], low, high) for name, (low, high) in wanted.items())


def _within(value: int | IPv4Address | IPv6Address, low: Bound, high: Bound) -> bool:
    return not isinstance(value, IPv6Address) and int(low) <= int(value) <= int(high)


# --- the log ------------------------------------------------------------------------------------------------------


def log_line(vdom: str, policy: str, entry: Entry, flow: Flow, *, now: datetime, number: int, accepted: bool) -> str:
    """A traffic line as 7.x writes it (ntc-templates, ``execute log display``)."""
    return " ".join(_log_parts(vdom, policy, entry, flow, now=now, number=number, accepted=accepted))


def _log_parts(
    vdom: str, policy: str, entry: Entry, flow: Flow, *, now: datetime, number: int, accepted: bool
) -> Iterator[str]:
    nanoseconds = int(now.timestamp()) * 1_000_000_000 + now.microsecond * 1000
    yield f'date={now:%Y-%m-%d} time={now:%H:%M:%S} logid="0000000013" type="traffic" subtype="forward"'
    yield f'level="notice" vd="{vdom}" eventtime={nanoseconds} tz="{now:%z}"'
    yield f'srcip={flow.source} srcport={flow.source_port} srcintf="{flow.inside}" srcintfrole="undefined"'
    yield f'dstip={flow.destination} dstport={flow.port} dstintf="{flow.outside}" dstintfrole="undefined"'
    yield f'srccountry="Reserved" dstcountry="Reserved" sessionid={number} proto={PROTOCOLS.get(flow.protocol, "0")}'
    yield f'action="{"accept" if accepted else "deny"}" policyid={policy} policytype="policy"'
    yield f'poluuid="{entry.get("uuid", ("",))[0]}"'
    if "name" in entry:
        yield f'policyname="{entry["name"][0]}"'
    yield f'service="{flow.protocol}/{flow.port}" trandisp="noop" duration=0 sentbyte={flow.octets if accepted else 0}'
    yield f'rcvdbyte=0 sentpkt={flow.packets if accepted else 0} rcvdpkt=0 appcat="unscanned"'
