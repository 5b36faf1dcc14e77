"""The tables that this FortiGate knows, field by field, in the order in which ``show`` prints them.

Limits are those of the vendor's 6.4.14 REST description; the order is that of the captured 6.4.4 configuration and, for
fields that it does not have, of the CLI references.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from lab.emulators.fortios.kinds import (
    Choice,
    Choices,
    Code,
    Fqdn,
    Interface4,
    Ip4,
    Ip6,
    Kind,
    Moment,
    Name,
    Number,
    Ports,
    Prefix6,
    Ref,
    RefOrAny,
    Refs,
    Secret,
    Subnet,
    Text,
    Texts,
    Time,
    Uuid,
    Wildcard,
)
from lab.emulators.fortios.switches import Version
from lab.emulators.fortios.words import Words

ADDRESS, ADDRESS6 = "firewall address", "firewall address6"
GROUP, GROUP6 = "firewall addrgrp", "firewall addrgrp6"
VIP, POOL = "firewall vip", "firewall ippool"
WILDCARD_FQDN = "firewall wildcard-fqdn custom"
SERVICE, SERVICE_GROUP = "firewall service custom", "firewall service group"
ONETIME, RECURRING = "firewall schedule onetime", "firewall schedule recurring"
SCHEDULE_GROUP = "firewall schedule group"
POLICY, POLICY6 = "firewall policy", "firewall policy6"
FEED, CONSOLE, SYSTEM = "system external-resource", "system console", "system global"
INTERFACE, ZONE, MANAGER = "system interface", "system zone", "system central-management"

_ON_OFF: Final = Choice(("enable", "disable"))
_OLDEST: Final[Version] = (0, 0, 0)
_NEWEST: Final[Version] = (99, 0, 0)
DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """``when``: only while another field has one of these values. ``default`` is not printed by ``show``."""

    name: str
    kind: Kind
    default: Words = ()
    when: tuple[str, frozenset[str]] | None = None
    since: Version = _OLDEST
    until: Version = _NEWEST
    required: bool = False


_NAME: Final = Name(79)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """``key`` names its entries; without one it is a single object. ``numbered``: by integers, printed bare."""

    path: str
    fields: tuple[Field, ...]
    key: str | None = "name"
    key_kind: Kind = _NAME
    numbered: bool = False
    everywhere: bool = False  # belongs to the box, not to a vdom
    both: bool = False  # may stand in a vdom or in the global scope
    uuids: bool = False
    _names: dict[str, Field] = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_names", {field.name: field for field in self.fields})

    def field(self, name: str) -> Field | None:
        return self._names.get(name)


def _field(name: str, kind: Kind, *default: str, **more: object) -> Field:
    return Field(name=name, kind=kind, default=default, **more)  # type: ignore[arg-type]


def _when(*values: str) -> tuple[str, frozenset[str]]:
    return "type", frozenset(values)


_COLOR: Final = _field("color", Number(0, 32), "0")
_COMMENT: Final = _field("comment", Text(255))
_UUID: Final = _field("uuid", Uuid())


def _addresses(limit: int) -> Table:
    return Table(
        path=ADDRESS,
        key_kind=Name(limit),
        uuids=True,
        fields=(
            _UUID,
            _field("type", Choice(("ipmask", "iprange", "fqdn", "wildcard")), "ipmask"),
            _COMMENT,
            _field("associated-interface", Ref((INTERFACE, ZONE), 35)),
            _COLOR,
            _field("allow-routing", _ON_OFF, "disable", when=_when("ipmask", "fqdn")),
            _field("start-ip", Ip4(), when=_when("iprange")),
            _field("end-ip", Ip4(), when=_when("iprange")),
            _field("subnet", Subnet(), "0.0.0.0", "0.0.0.0", when=_when("ipmask")),  # noqa: S104
            _field("fqdn", Fqdn(), when=_when("fqdn"), required=True),
            _field("cache-ttl", Number(0, 86_400), "0", when=_when("fqdn")),
            _field("wildcard", Wildcard(), "0.0.0.0", "0.0.0.0", when=_when("wildcard")),  # noqa: S104
        ),
    )


def _addresses6(limit: int) -> Table:
    return Table(
        path=ADDRESS6,
        key_kind=Name(limit),
        uuids=True,
        fields=(
            _UUID,
            _field("type", Choice(("ipprefix", "iprange", "fqdn")), "ipprefix"),
            _field("start-ip", Ip6(), when=_when("iprange")),
            _field("end-ip", Ip6(), when=_when("iprange")),
            _field("ip6", Prefix6(), "::/0", when=_when("ipprefix")),
            _field("fqdn", Fqdn(), when=_when("fqdn"), required=True),
            _field("cache-ttl", Number(0, 86_400), "0", when=_when("fqdn")),
            _COLOR,
            _COMMENT,
        ),
    )


def _group(path: str, members: tuple[str, ...], leaves: tuple[str, ...], limit: int) -> Table:
    excluding = ("exclude", frozenset({"enable"}))
    return Table(
        path=path,
        key_kind=Name(limit),
        uuids=True,
        fields=(
            _field("type", Choice(("default", "folder")), "default", since=(6, 4, 0)),
            _UUID,
            _field("member", Refs(members), required=True),
            _COMMENT,
            _field("exclude", _ON_OFF, "disable", since=(6, 2, 0)),
            _field("exclude-member", Refs(leaves), since=(6, 2, 0), when=excluding),
            _COLOR,
        ),
    )


def _policy(version: Version) -> tuple[Field, ...]:
    """7.0 and later print the action before the addresses, and both families in one policy came with 6.4."""
    v4 = _policy_addresses("", _pullable((ADDRESS, GROUP, VIP), version))
    v6 = _policy_addresses("6", _pullable((ADDRESS6, GROUP6), version))
    action = _field("action", Choice(("accept", "deny")), "deny")
    addresses = (*v4, *v6) if version >= (6, 4, 0) else v4
    return _policy_fields((action, *addresses) if version >= (7, 0, 0) else (*addresses, action))


def _pullable(tables: tuple[str, ...], version: Version) -> tuple[str, ...]:
    """Feeds are addresses of policies since 6.2 (administration guide, threat feeds)."""
    return (*tables, FEED) if version >= (6, 2, 0) else tables


def _policy_addresses(family: str, tables: tuple[str, ...]) -> tuple[Field, ...]:
    return _field(f"srcaddr{family}", Refs(tables)), _field(f"dstaddr{family}", Refs(tables))


def _policy_fields(middle: tuple[Field, ...]) -> tuple[Field, ...]:
    accepted = ("action", frozenset({"accept"}))
    return (
        _field("status", _ON_OFF, "enable"),
        _field("name", Name(35)),
        _UUID,
        _field("srcintf", RefOrAny((INTERFACE, ZONE), 35), required=True),
        _field("dstintf", RefOrAny((INTERFACE, ZONE), 35), required=True),
        *middle,
        _field("srcaddr-negate", _ON_OFF, "disable"),
        _field("dstaddr-negate", _ON_OFF, "disable"),
        _field("internet-service", _ON_OFF, "disable"),
        _field("internet-service-name", Texts(63), when=("internet-service", frozenset({"enable"}))),
        _field("send-deny-packet", _ON_OFF, "disable", when=("action", frozenset({"deny"}))),
        _field("schedule", Ref((ONETIME, RECURRING, SCHEDULE_GROUP), 35), required=True),
        _field("schedule-timeout", _ON_OFF, "disable"),
        _field("service", Refs((SERVICE, SERVICE_GROUP))),
        _field("service-negate", _ON_OFF, "disable"),
        *(_field(name, kind, *default, when=accepted) for name, kind, *default in _PROFILES),
        _field("logtraffic", Choice(("all", "utm", "disable")), "utm"),
        _field("logtraffic-start", _ON_OFF, "disable"),
        _field("match-vip", _ON_OFF, "disable", when=("action", frozenset({"deny"}))),
        _field("nat", _ON_OFF, "disable", when=accepted),
        _field("ippool", _ON_OFF, "disable", when=("nat", frozenset({"enable"}))),
        _field("poolname", Refs((POOL,)), when=("ippool", frozenset({"enable"}))),
        _field("groups", Texts(79), when=accepted),
        _field("users", Texts(79), when=accepted),
        _field("comments", Text(1023)),
    )


_PROFILES: Final[tuple[tuple[Any, ...], ...]] = (
    ("utm-status", _ON_OFF, "disable"),
    ("inspection-mode", Choice(("proxy", "flow")), "flow"),
    ("profile-protocol-options", Text(35), "default"),
    ("ssl-ssh-profile", Text(35), "no-inspection"),
    ("av-profile", Text(35)),
    ("webfilter-profile", Text(35)),
    ("dnsfilter-profile", Text(35)),
    ("ips-sensor", Text(35)),
    ("application-list", Text(35)),
)
"""What a policy has done to what it lets through. The profiles themselves are not known here."""


def _policies(version: Version) -> tuple[Table, ...]:
    ids = Number(0, 4_294_967_294)
    merged = Table(path=POLICY, key="policyid", key_kind=ids, numbered=True, uuids=True, fields=_policy(version))
    if version >= (6, 4, 0):
        return (merged,)
    fields6 = (
        *_policy_addresses("", _pullable((ADDRESS6, GROUP6), version)),
        _field("action", Choice(("accept", "deny")), "deny"),
    )
    old = Table(path=POLICY6, key="policyid", key_kind=ids, numbered=True, uuids=True, fields=_policy_fields(fields6))
    return merged, old


_SYSTEM: Final = Table(
    path=SYSTEM,
    key=None,
    everywhere=True,
    fields=(
        _field("admintimeout", Number(1, 480), "5"),
        _field("alias", Text(35)),
        _field("cfg-revert-timeout", Number(10, 4_294_967_295), "600"),
        _field("cfg-save", Choice(("automatic", "manual", "revert")), "automatic"),
        _field("hostname", Name(35)),
        _field("post-login-banner", _ON_OFF, "disable"),
        _field("pre-login-banner", _ON_OFF, "disable"),
        _field("timezone", Code(2), until=(7, 4, 0)),  # captured 6.4.4: a number
        _field("timezone", Text(63), since=(7, 4, 0)),  # captured 7.4.8: a name
        _field("vdom-mode", Choice(("no-vdom", "multi-vdom")), "no-vdom"),
    ),
)
_CONSOLE: Final = Table(
    path=CONSOLE,
    key=None,
    everywhere=True,
    fields=(
        _field("baudrate", Choice(("9600", "19200", "38400", "57600", "115200")), "9600"),
        _field("output", Choice(("standard", "more")), "more"),
        _field("login", _ON_OFF, "enable"),
        _field("fortiexplorer", _ON_OFF, "enable"),
    ),
)
_MANAGER: Final = Table(
    path=MANAGER,
    key=None,
    everywhere=True,
    fields=(
        _field("type", Choice(("fortimanager", "fortiguard", "none")), "fortiguard"),
        _field("serial-number", Text(255)),
        _field("fmg", Text(255)),
    ),
)
_INTERFACES: Final = Table(
    path=INTERFACE,
    key_kind=Name(15),
    everywhere=True,
    fields=(
        _field("vdom", Ref(("vdom",), 31)),
        _field("mode", Choice(("static", "dhcp", "pppoe")), "static"),
        _field("ip", Interface4(), "0.0.0.0", "0.0.0.0", when=("mode", frozenset({"static"}))),  # noqa: S104
        _field("allowaccess", Choices(("ping", "https", "ssh", "http", "telnet", "snmp", "fgfm", "fabric"))),
        _field("type", Choice(("physical", "vlan", "aggregate", "loopback", "tunnel", "redundant")), "vlan"),
        _field("description", Text(255)),
        _field("alias", Text(25)),
        _field("dedicated-to", Choice(("none", "management")), "none"),
        _field("role", Choice(("lan", "wan", "dmz", "undefined")), "undefined"),
        _field("snmp-index", Number(0, 2_147_483_647), "0"),
    ),
)
_ZONES: Final = Table(
    path=ZONE,
    key_kind=Name(35),
    fields=(
        _field("description", Text(127)),
        _field("intrazone", Choice(("allow", "deny")), "deny"),
        _field("interface", Refs((INTERFACE,), 15)),
    ),
)
_VIPS: Final = Table(
    path=VIP,
    uuids=True,
    fields=(
        _UUID,
        _COMMENT,
        _field("extip", Ip4()),
        _field("mappedip", Text(64)),
        _field("extintf", Text(35)),
        _COLOR,
    ),
)
_POOLS: Final = Table(
    path=POOL,
    fields=(_field("startip", Ip4()), _field("endip", Ip4()), _field("comments", Text(255))),
)
_WILDCARDS: Final = Table(
    path=WILDCARD_FQDN,
    uuids=True,
    fields=(_UUID, _field("wildcard-fqdn", Fqdn()), _COLOR, _COMMENT),
)
_SERVICES: Final = Table(
    path=SERVICE,
    fields=(
        _field("category", Text(63)),
        _field("protocol", Choice(("TCP/UDP/SCTP", "ICMP", "ICMP6", "IP")), "TCP/UDP/SCTP"),
        _field("protocol-number", Number(0, 254), "0", when=("protocol", frozenset({"IP"}))),
        _field("icmptype", Number(0, 255), when=("protocol", frozenset({"ICMP", "ICMP6"}))),
        _field("tcp-portrange", Ports(), when=("protocol", frozenset({"TCP/UDP/SCTP"}))),
        _field("udp-portrange", Ports(), when=("protocol", frozenset({"TCP/UDP/SCTP"}))),
        _field("sctp-portrange", Ports(), when=("protocol", frozenset({"TCP/UDP/SCTP"}))),
        _COLOR,
        _COMMENT,
    ),
)
_SERVICE_GROUPS: Final = Table(
    path=SERVICE_GROUP,
    fields=(_field("member", Refs((SERVICE, SERVICE_GROUP)), required=True), _COMMENT, _COLOR),
)
_RECURRING: Final = Table(
    path=RECURRING,
    key_kind=Name(31),
    fields=(
        _field("start", Time(), "00:00"),
        _field("end", Time(), "00:00"),
        _field("day", Choices((*DAYS, "none")), "none"),
        _COLOR,
    ),
)
_ONETIME: Final = Table(
    path=ONETIME,
    key_kind=Name(31),
    fields=(
        _field("start", Moment(), required=True),
        _field("end", Moment(), required=True),
        _COLOR,
        _field("expiration-days", Number(0, 100), "3"),
    ),
)
_SCHEDULE_GROUPS: Final = Table(
    path=SCHEDULE_GROUP,
    key_kind=Name(31),
    fields=(_field("member", Refs((ONETIME, RECURRING), 31), required=True), _COLOR),
)


def _feeds(version: Version) -> Table:
    kinds = ("category", "domain", "malware", "address")
    pulled = ("update-method", frozenset({"feed"})) if version >= (7, 2, 1) else None
    category = ("type", frozenset({"category", "domain"}))
    return Table(
        path=FEED,
        key_kind=Name(35),
        both=True,
        uuids=version >= (7, 0, 0),
        fields=(
            _field("uuid", Uuid(), since=(7, 0, 0)),
            _field("status", _ON_OFF, "enable"),
            _field("type", Choice(kinds if version < (7, 4, 0) else (*kinds, "mac-address")), "category"),
            _field("update-method", Choice(("feed", "push")), "feed", since=(7, 2, 1)),
            _field("category", Number(192, 221), when=category),
            _field("username", Text(64)),
            _field("password", Secret(128)),
            _field("comments", Text(255)),
            _field("resource", Text(511), required=True, when=pulled),
            _field("user-agent", Text(255 if version < (7, 0, 0) else 127)),
            _field("server-identity-check", Choice(("none", "basic", "full")), "none", since=(7, 0, 0)),
            _field("refresh-rate", Number(1, 43_200), "5"),
            _field("source-ip", Ip4()),
        ),
    )


@lru_cache(maxsize=32)
def tables(version: Version, name_limit: int) -> dict[str, Table]:
    """Every table of a release by its path, in the order of a whole ``show``."""
    every = (
        _SYSTEM,
        _INTERFACES,
        _CONSOLE,
        _MANAGER,
        _ZONES,
        _feeds(version),
        _addresses(name_limit),
        _addresses6(name_limit),
        _group(GROUP, (ADDRESS, GROUP), (ADDRESS,), name_limit),
        _group(GROUP6, (ADDRESS6, GROUP6), (ADDRESS6,), name_limit),
        _WILDCARDS,
        _SERVICES,
        _SERVICE_GROUPS,
        _VIPS,
        _POOLS,
        _ONETIME,
        _RECURRING,
        _SCHEDULE_GROUPS,
        *_policies(version),
    )
    return {table.path: _of_release(table, version) for table in every}


def _of_release(table: Table, version: Version) -> Table:
    fields = tuple(field for field in table.fields if field.since <= version < field.until)
    return dataclasses.replace(table, fields=fields)


CATEGORY_OF: Final = {ADDRESS: "address", GROUP: "address group", VIP: "virtual IP"}
"""What a name clash calls them: one name space (netdriver's error texts)."""
SHARED_NAMES: Final = ((ADDRESS, GROUP, VIP), (ADDRESS6, GROUP6), (SERVICE, SERVICE_GROUP), (INTERFACE, ZONE))
MEMBER_FIELDS: Final = {GROUP: "member", GROUP6: "member", SERVICE_GROUP: "member"}
