"""Which statements there are, in the order in which they are printed.

From the 24.4 models of Juniper/yang (security, schedulers) and the order of the captured configurations. What is
``open`` takes any further words from a site's own text, and none from a terminal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from lab.emulators.srx import values
from lab.emulators.srx.values import Check

Kind = Literal["container", "list", "leaf", "many", "flag", "free"]


@dataclass(frozen=True, slots=True)
class Argument:
    """A value in a statement, with the word that stands before it."""

    check: Check
    word: str = ""


@dataclass(frozen=True)
class Statement:
    """``list``: identified by its arguments, in the user's order. ``leaf``: one value, replaced by the next.

    ``many``: a list of bare values. ``flag``: the word alone. ``free``: one word of a text that is not understood.
    ``name`` is empty for a value without a word of its own. ``rivals`` make room for this one.
    """

    name: str
    kind: Kind
    arguments: tuple[Argument, ...] = ()
    children: tuple[Statement, ...] = ()
    presence: bool = False
    open: bool = False
    rivals: tuple[str, ...] = ()
    mandatory: tuple[str, ...] = ()
    one_line: bool = False
    """Printed on one line when its nameless value is all it has."""
    quoted: bool = False
    since_interval: bool = False

    @cached_property
    def by_name(self) -> dict[str, Statement]:
        return {child.name: child for child in self.children}

    @cached_property
    def rank(self) -> dict[str, int]:
        return {child.name: at for at, child in enumerate(self.children)}

    @property
    def stands_alone(self) -> bool:
        """Whether it means something without anything below it."""
        return self.kind != "container" or self.presence


FREE: Final = Statement("", "free", open=True)


def box(name: str, *children: Statement, **options: object) -> Statement:
    return Statement(name, "container", children=children, **options)  # type: ignore[arg-type]


def rows(name: str, check: Check, *children: Statement, **options: object) -> Statement:
    return Statement(name, "list", (Argument(check),), children, **options)  # type: ignore[arg-type]


def leaf(name: str, check: Check = values.text, *children: Statement, **options: object) -> Statement:
    return Statement(name, "leaf", (Argument(check),), children, **options)  # type: ignore[arg-type]


def many(name: str, check: Check = values.text) -> Statement:
    return Statement(name, "many", (Argument(check),))


def flag(name: str, *rivals: str) -> Statement:
    return Statement(name, "flag", rivals=rivals)


def opened(name: str) -> Statement:
    """Kept and printed, not understood."""
    return box(name, open=True)


_DESCRIPTION: Final = leaf("description", values.description, quoted=True)
_KINDS: Final = ("", "dns-name", "range-address", "wildcard-address")

ADDRESS: Final = rows(
    "address",
    values.address_name,
    _DESCRIPTION,
    leaf("", values.prefix, rivals=_KINDS[1:]),
    leaf(
        "dns-name",
        values.dns_name,
        flag("ipv4-only"),
        flag("ipv6-only"),
        leaf("dns-query-interval", values.number(16, 86_400), since_interval=True),
        rivals=("", *_KINDS[2:]),
    ),
    leaf("wildcard-address", values.wildcard, rivals=_KINDS[:3]),
    leaf(
        "range-address",
        values.ipv4,
        box("to", leaf("", values.ipv4)),
        rivals=("", "dns-name", "wildcard-address"),
        mandatory=("to",),
    ),
    one_line=True,
)
ADDRESS_SET: Final = rows(
    "address-set",
    values.address_name,
    _DESCRIPTION,
    rows("address", values.address_name),
    rows("address-set", values.address_name),
)
_ATTACH: Final = box("attach", rows("zone", values.zone_name))
_BOOK: Final = rows("address-book", values.address_name, _DESCRIPTION, _ATTACH, ADDRESS, ADDRESS_SET)
_ZONE_BOOK: Final = box("address-book", ADDRESS, ADDRESS_SET)

_INTERVALS: Final = (
    leaf("update-interval", values.number(30, 4_294_967_295)),
    leaf("hold-interval", values.number(0, 4_294_967_295)),
)
_FEED_SERVER: Final = rows(
    "feed-server",
    values.server_name,
    _DESCRIPTION,
    leaf("hostname", values.url, rivals=("url",)),
    leaf("url", values.url, rivals=("hostname",)),
    leaf("tls-profile"),
    *_INTERVALS,
    rows("feed-name", values.feed_name, _DESCRIPTION, leaf("path", values.path), *_INTERVALS),
)
_DYNAMIC_NAME: Final = rows(
    "address-name", values.dynamic_name, _DESCRIPTION, box("profile", leaf("feed-name", values.feed_name))
)

_THEN: Final = box(
    "then",
    box("permit", presence=True, open=True, rivals=("deny", "reject")),
    flag("deny", "permit", "reject"),
    flag("reject", "permit", "deny"),
    box("log", flag("session-init"), flag("session-close")),
    box("count", presence=True),
)
_MATCH: Final = ("source-address", "destination-address", "application")


def _policy(*more: str) -> Statement:
    return rows(
        "policy",
        values.policy_name,
        _DESCRIPTION,
        box("match", *(many(name) for name in (*_MATCH, *more)), open=True, mandatory=_MATCH),
        _THEN,
        leaf("scheduler-name"),
        mandatory=("match", "then"),
    )


_PAIR: Final = Statement(
    "from-zone",
    "list",
    (Argument(values.zone_name), Argument(values.zone_name, "to-zone")),
    (_policy(),),
)
_POLICIES: Final = box(
    "policies",
    _PAIR,
    box("global", _policy("from-zone", "to-zone")),
    box("default-policy", flag("permit-all", "deny-all"), flag("deny-all", "permit-all")),
    box("policy-rematch", flag("extensive"), presence=True),
    box("policy-stats", leaf("system-wide", values.one_of("enable", "disable"))),
    flag("lookup-intact-on-commit"),
    opened("pre-id-default-policy"),
)
_ZONE: Final = rows(
    "security-zone",
    values.zone_name,
    _DESCRIPTION,
    flag("tcp-rst"),
    _ZONE_BOOK,
    leaf("screen"),
    opened("host-inbound-traffic"),
    Statement("interfaces", "list", (Argument(values.text),), open=True),
    flag("application-tracking"),
)
_LOG: Final = box(
    "log",
    leaf("mode", values.one_of("stream", "event")),
    leaf("format", values.one_of("syslog", "sd-syslog")),
    flag("report"),
    open=True,
)
_SECURITY: Final = box(
    "security",
    _LOG,
    *(opened(name) for name in ("pki", "ike", "ipsec")),
    _BOOK,
    box("dynamic-address", _FEED_SERVER, _DYNAMIC_NAME, open=True),
    *(opened(name) for name in ("alg", "idp", "utm", "flow", "screen", "nat")),
    _POLICIES,
    box("zones", Statement("functional-zone", "list", (Argument(values.text),), open=True), _ZONE),
    open=True,
)

_WINDOW: Final = Statement(
    "start-time", "list", (Argument(values.time_of_day), Argument(values.time_of_day, "stop-time"))
)
_RANGE: Final = Statement("start-date", "list", (Argument(values.moment), Argument(values.moment, "stop-date")))
DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SCHEDULER: Final = rows(
    "scheduler",
    values.policy_name,
    _DESCRIPTION,
    _RANGE,
    *(box(day, flag("exclude", "all-day"), flag("all-day", "exclude"), _WINDOW) for day in ("daily", *DAYS)),
)
_APPLICATION: Final = rows(
    "application",
    values.policy_name,
    _DESCRIPTION,
    leaf("protocol"),
    leaf("source-port"),
    leaf("destination-port"),
    open=True,
)
_APPLICATION_SET: Final = rows(
    "application-set",
    values.policy_name,
    _DESCRIPTION,
    rows("application", values.text),
    rows("application-set", values.text),
)
_SYSTEM: Final = box(
    "system",
    leaf("host-name"),
    leaf("time-zone"),
    Statement("name-server", "list", (Argument(values.address),), open=True),
    open=True,
)
_SCHEDULERS: Final = box("schedulers", _SCHEDULER)
_APPLICATIONS: Final = box("applications", _APPLICATION, _APPLICATION_SET)
SPACES: Final = ("logical-systems", "tenants")
"""Each has policies, address books, schedulers and applications of its own (Junos logical systems guide)."""
_SPACES: Final = tuple(
    rows(name, values.policy_name, opened("interfaces"), _SECURITY, _SCHEDULERS, _APPLICATIONS, open=True)
    for name in SPACES
)
ROOT: Final = box(
    "",
    leaf("version"),
    opened("groups"),
    many("apply-groups"),
    _SYSTEM,
    opened("chassis"),
    opened("services"),
    _SECURITY,
    *(opened(name) for name in ("interfaces", "snmp", "forwarding-options", "event-options")),
    *(opened(name) for name in ("routing-options", "protocols", "policy-options", "class-of-service", "firewall")),
    opened("access"),
    *_SPACES,
    *(opened(name) for name in ("routing-instances", "vlans")),
    _SCHEDULERS,
    _APPLICATIONS,
)
