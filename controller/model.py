"""What the controller remembers and proves.

Frozen values; times are aware UTC; ``None`` is unknown, ``0`` is counted, none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from ipaddress import IPv6Address
from typing import Any, Final

from core.ids import DeviceName, EventId, ExceptionId, PersonName, PlanId, RunId, SiteName, SnapshotId, TokenId
from core.net import Address, Network
from vendors.model import Action, RuleName


class Mode(StrEnum):
    """What a policy does now for one source role."""

    ENFORCE = "enforce"
    MONITOR = "monitor"
    OFF = "off"


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """[start, end), UTC."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    def meets(self, other: Window) -> bool:
        """Whether any moment is in both."""
        return max(self.start, other.start) < min(self.end, other.end)


class ImportKind(StrEnum):
    """Where sites and devices of an inventory may come from."""

    NETBOX = "netbox"
    NAUTOBOT = "nautobot"
    ANSIBLE = "ansible"
    NORNIR = "nornir"
    CSV = "csv"


# --- exceptions -----------------------------------------------------------------------------------------------------


class ExceptionState(StrEnum):
    DRAFT = "draft"  # only its author sees to it; nobody is asked yet
    REQUESTED = "requested"
    APPROVED = "approved"  # live between its start and end
    DENIED = "denied"
    REVOKED = "revoked"
    ENDED = "ended"
    LAPSED = "lapsed"  # nobody decided in time
    IDLE = "idle"  # ended, because nobody used it


LIVED: Final = frozenset({ExceptionState.APPROVED, ExceptionState.REVOKED, ExceptionState.ENDED, ExceptionState.IDLE})
"""What only an exception can be that was approved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One person's yes, to exactly what a preview said."""

    actor: str
    at: datetime
    preview: str  # ``ExceptionPreview.digest``


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHours:
    """From ``start`` to ``end`` (excluded) on ``days``, by the site's wall clock; ``end`` may be on the day after."""

    days: tuple[str, ...]
    start: time
    end: time

    def __str__(self) -> str:
        return f"{','.join(self.days)} {self.start:%H:%M}-{self.end:%H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What counters say of an exception's use. ``uncounted`` devices hold it and tell nothing: more is possible.

    ``read_until``: up to when the counters of all its devices were read; None where nobody asked, or of one never.
    """

    hits: int | None = None
    packets: int | None = None
    octets: int | None = None
    last_used_at: datetime | None = None
    uncounted: tuple[DeviceName, ...] = ()
    read_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLookup:
    """What a host name stands for at one site. ``at``: when it was last answered; it counts ``until`` then."""

    site: SiteName
    host: str
    addresses: tuple[Address, ...]
    at: datetime | None
    until: datetime
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """Where an exception is declared in a file: under which key, and a digest of what the file says of it."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessException:
    """An allow for sources at sites, from-until, with reason, owner, ticket and approver. Ends by itself."""

    id: ExceptionId
    sites: tuple[SiteName, ...]
    sources: tuple[Network, ...]
    service: str
    starts: datetime
    ends: datetime
    reason: str
    owner: str
    ticket: str
    state: ExceptionState
    requested_by: str
    requested_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    ended_at: datetime | None = None  # when it was revoked or found over
    code: str = "other"  # of the inventory's reasons
    roles: tuple[str, ...] = ()  # source roles of its sites, beside ``sources``
    hosts: tuple[str, ...] = ()  # names of machines, beside ``sources``; looked up while it lives
    lookups: tuple[HostLookup, ...] = ()  # what they stand for, at each site
    surface: str = ""  # of the service, as the catalogue names it; all of the service when empty
    hours: tuple[OpenHours, ...] = ()  # only then, while it lives; always when empty
    seats: int | None = None  # how many addresses its lead may name; None: the sources are fixed
    lead: str = ""  # who may change the seats
    renews: ExceptionId | None = None  # the one that it takes over from
    approvals: tuple[Approval, ...] = ()
    reminded_at: datetime | None = None
    declared: Declared | None = None  # in the inventory's file of exceptions, which alone changes it
    live_on: tuple[DeviceName, ...] = ()  # derived from DeviceStatus.exceptions when shown; never stored
    devices: tuple[DeviceName, ...] = ()  # of its sites; derived as well

    def is_live(self, at: datetime) -> bool:
        """Whether it is approved and in its life; by its hours it may be closed just then."""
        return self.state is ExceptionState.APPROVED and self.starts <= at < self.ends

    @property
    def over_at(self) -> datetime:
        """When it ends, or ended before its time."""
        return min(self.ends, self.ended_at or self.ends)

    @property
    def life(self) -> Window | None:
        """When it was in force, or is to be; by its hours it may have been closed then. None: never."""
        if self.decided_at is None or self.state not in LIVED:
            return None
        start, end = max(self.starts, self.decided_at), self.over_at
        return Window(start, end) if start < end else None


# --- emergencies ----------------------------------------------------------------------------------------------------


class EmergencyKind(StrEnum):
    WITHDRAW = "withdraw"  # one network or name is not enforced anywhere
    SWITCH = "switch"  # sites do no more than ``mode``
    PAUSE = "pause"  # nothing is sent to sites; what stands there stays


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """One action. ``sites`` empty: the whole fleet. ``ends`` None: until somebody ends it."""

    id: str
    kind: EmergencyKind
    reason: str
    actor: str
    starts: datetime
    ends: datetime | None = None
    value: str = ""  # of a withdrawal: a network, a name, or ``*.name`` for it and all below it
    mode: Mode | None = None  # of a switch
    sites: tuple[SiteName, ...] = ()
    ended_at: datetime | None = None
    ended_by: str = ""
    nagged_at: datetime | None = None
    empties: tuple[str, ...] = ()  # of a withdrawal: services, named a second time, left with nothing of its kind

    def holds(self, at: datetime) -> bool:
        return self.ended_at is None and self.starts <= at and (self.ends is None or at < self.ends)

    def is_at(self, site: str) -> bool:
        return not self.sites or site in self.sites

    @property
    def emptying(self) -> str:
        """What a withdrawal leaves with nothing, to be said behind what is withdrawn; empty when nothing is."""
        what = "address" if "/" in self.value else "name"
        return f", which leaves {', '.join(self.empties)} without any {what}," if self.empties else ""

    def __str__(self) -> str:
        where = f"at {', '.join(self.sites)}" if self.sites else "everywhere"
        what = {
            EmergencyKind.WITHDRAW: f"{self.value} is withdrawn {where}{self.emptying}",
            EmergencyKind.SWITCH: f"{self.mode.value if self.mode else ''} at most {where}",
            EmergencyKind.PAUSE: f"nothing is sent {where}",
        }[self.kind]
        until = f"until {self.ends:%Y-%m-%d %H:%M}Z" if self.ends else "until somebody ends it"
        return f"{what} {until}, by {self.actor}: {self.reason}"


# --- intelligence ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A person's word that one snapshot stays in force, whatever refreshes find."""

    snapshot: SnapshotId
    actor: str
    reason: str
    at: datetime

    def __str__(self) -> str:
        return f"pinned to snapshot {self.snapshot[:12]} since {self.at:%Y-%m-%dT%H:%MZ} by {self.actor}: {self.reason}"


# --- plans and runs -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """A plan as shown to a person, so that exactly it can be applied. ``body`` is the codec's JSON."""

    id: PlanId
    created_at: datetime
    site: SiteName
    device: DeviceName
    snapshot: SnapshotId
    checksum: str  # sha256 over desired, steps and the observed fingerprint
    steps: int
    body: str


class Outcome(StrEnum):
    UNCHANGED = "unchanged"
    APPLIED = "applied"
    HELD = "held"  # a guard refused
    FAILED = "failed"  # provably the old state
    UNCERTAIN = "uncertain"  # read first
    RUNNING = "running"  # after a crash this is read as uncertain


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRun:
    """What one run did on one device."""

    run: RunId
    site: SiteName
    device: DeviceName
    started_at: datetime
    finished_at: datetime | None
    outcome: Outcome
    steps: int
    snapshot: SnapshotId | None
    error_code: str | None = None
    error: str | None = None
    degraded: tuple[str, ...] = ()
    flows_cut: int | None = None
    timings: Mapping[str, float] | None = None  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    id: RunId
    trigger: str  # "schedule", "window-edge", "exception:<id>", "apply", "cli" …
    actor: str
    started_at: datetime
    finished_at: datetime | None
    devices: tuple[DeviceRun, ...] = ()


class CoverageState(StrEnum):
    """Per site and second; UNKNOWN is never counted as compliant (I13), and PARTIAL never as enforced."""

    ENFORCED = "enforced"
    PARTIAL = "partial"  # denies, but the list did not fit the device
    MONITORED = "monitored"
    OFF = "off"
    NOT_ENFORCED = "not_enforced"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one look at a device proved at one moment: the raw material of coverage.

    ``found`` is what the device was doing before the look changed anything; None when the look failed. ``left`` is what
    it was doing after; None when that is not known. The time between two looks counts as a state only when the first
    left it and the second found it.
    """

    device: DeviceName
    site: SiteName
    at: datetime
    found: CoverageState | None
    left: CoverageState | None
    cause: str = ""  # why it is not enforced or not known
    until: datetime | None = None  # every look up to then said the same, each soon after the one before


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPart:
    """A list that a device had no room for: how many of its networks it was left with."""

    group: str
    kept: int
    networks: int  # of the whole list


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus:
    """The latest word on one device, for lists and health."""

    device: DeviceName
    site: SiteName
    last_seen_at: datetime | None  # last successful read
    last_attempt_at: datetime | None
    enforced_at: datetime | None  # last read-back that equalled what was desired
    snapshot: SnapshotId | None
    mode: str | None  # "company=enforce, guest=monitor"
    error_code: str | None
    error: str | None
    degraded: tuple[str, ...] = ()
    exceptions: tuple[ExceptionId, ...] = ()  # whose rules the last read-back showed on the device
    version: str = ""  # of its software, where a reading tells it
    version_at: datetime | None = None  # when that reading was
    in_doubt: bool = False  # a change was begun and its end is not known: the device may hold something else by now
    parts: tuple[HeldPart, ...] = ()  # of the lists that the last read-back showed in part


# --- detection ------------------------------------------------------------------------------------------------------


class Quality(StrEnum):
    EXACT = "exact"
    AT_LEAST = "at_least"  # a reset, reboot or gap lies inside the window


class EventAction(StrEnum):
    BLOCKED = "blocked"
    MONITORED = "monitored"
    ALLOWED = "allowed-by-exception"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSeen:
    """One client and what it was after, inside one window."""

    source: Address
    destination: Address
    packets: int | None
    octets: int | None
    last_seen: datetime

    @property
    def client(self) -> str:
        """Who it was, as it may be told; ``NOBODY`` when that was forgotten."""
        return FORGOTTEN if self.source == NOBODY else str(self.source)


NOBODY: Final = IPv6Address("::")
"""Stands where an address was."""
FORGOTTEN: Final = "forgotten"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryHit:
    """One list entry and the packets that went to it, inside one window."""

    entry: str  # network, or "live DNS"
    packets: int | None
    octets: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionEvent:
    """What two samples of one counter prove about the time between them, and no more.

    Unique by (device, rule, window): written twice, it is one event.
    """

    id: EventId
    site: SiteName
    device: DeviceName
    rule: RuleName
    role: str | None  # company, guest …; None for an exception's rule
    exception: ExceptionId | None
    action: EventAction
    window: Window
    hits: int | None
    packets: int | None
    octets: int | None
    quality: Quality
    snapshot: SnapshotId | None
    sources: tuple[SourceSeen, ...] = ()
    sources_truncated: bool = False
    entries: tuple[EntryHit, ...] = ()


ACTIONS: Mapping[Action, EventAction] = {
    Action.DENY: EventAction.BLOCKED,
    Action.MONITOR: EventAction.MONITORED,
    Action.EXEMPT: EventAction.ALLOWED,
}


# --- lists that firewalls pull --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedContent:
    """One list as it goes over the wire: ``text`` is UTF-8, a line an entry, and never empty."""

    name: str
    kind: str  # "ip", "domain", "url"
    text: bytes
    digest: str  # sha256 of ``text``
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFeed:
    """What is served to a device under one name. The text is kept by its digest."""

    device: DeviceName
    name: str
    kind: str
    digest: str
    entries: int
    octets: int
    since: datetime  # something is served under this name, without a break
    published_at: datetime
    modified_at: datetime  # whole seconds; no two contents of a list share one
    run: RunId
    settled: bool  # the change that it was published for was read back
    leaving: bool  # no part of the change under way any more: served until that is read back


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPull:
    """One request for a list, and how it was answered. ``digest`` is what was sent, or what the device has (304)."""

    device: DeviceName
    name: str
    at: datetime
    address: str
    agent: str
    status: int
    digest: str | None
    octets: int

    @property
    def is_good(self) -> bool:
        return self.digest is not None and self.status in (200, 304)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodPull:
    """The last time a device was given a list, or was told that it has it."""

    at: datetime
    digest: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedToken:
    """What a device proves itself with when it pulls, as stored: only its hash and prefix. It does not expire."""

    id: TokenId
    device: DeviceName  # or the name of a group of devices
    prefix: str
    created_at: datetime
    created_by: str
    first_used_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


# --- access ---------------------------------------------------------------------------------------------------------


class Scope(StrEnum):
    READ = "read"
    REQUEST = "request"
    APPROVE = "approve"
    OPERATE = "operate"
    AUDIT = "audit"
    PROBE = "probe"  # ask what to try at a site, and bring what came of it; nothing else
    INGEST = "ingest"  # bring evidence; for sensors, and in no role
    UNMASK = "unmask"  # ask to see who a pseudonym is, and see it once another person agreed
    CONSENT = "consent"  # decide on what others ask to see
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token as stored: only its hash and prefix. ``ADMIN`` implies every scope.

    One that has an ``owner`` acts for that person, and never does what the person may not. ``sites``: all that it sees
    and changes; None is every site. Until ``old_until`` the secret before the last rotation is taken too.
    """

    id: TokenId
    name: str
    prefix: str
    scopes: frozenset[Scope]
    created_at: datetime
    created_by: str
    expires_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    owner: PersonName | None = None
    sites: frozenset[SiteName] | None = None
    rotated_at: datetime | None = None
    old_prefix: str | None = None
    old_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change by whom and why, chained to the one before by sha256."""

    seq: int
    at: datetime
    actor: str
    action: str  # "exception.approve", "plan.apply", "token.create" …
    subject: str
    reason: str
    detail: str  # JSON, no secrets
    previous: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something happened to the intelligence that a person should look at; told once, when it happened."""

    id: int  # numbers rise with time
    at: datetime
    kind: str  # "new-asn", "lost-asn", "renamed", "moved", "new-prefix", "lost-prefix" …
    subject: str  # "AS138699"
    message: str
    detail: Mapping[str, Any]
