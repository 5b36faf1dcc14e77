"""The vendor-neutral nouns: groups and rules as we mean them, what a device holds, what a plan changes, what it counts.

Knows nothing of TikTok. All values are frozen and built at a border that refuses nonsense; inside, nobody re-checks.
A host is a /32 or /128 network. What leaves a value (``digest``, codec) is sorted: equal input, equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, NewType, TypeAlias

from core.net import Address, DomainName, Network

GroupName = NewType("GroupName", str)
RuleName = NewType("RuleName", str)
"""Group and rule names match ``core.ids.NAME`` (lower case, digits, hyphens, at most 40): safe in every CLI."""


class Action(StrEnum):
    """What a rule does to traffic from its sources to its destinations. The first matching rule decides."""

    DENY = "deny"
    MONITOR = "monitor"  # count and record, then let the rest of the device's own rules decide
    EXEMPT = "exempt"  # take the sources out of the deny below; count and record; never an allow (I15)
    SPARE = "spare"  # these destinations are never judged, whatever a live DNS answer says; not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressGroup:
    """Networks under one name, both families mixed. Members are disjoint and aggregated."""

    name: GroupName
    members: frozenset[Network]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainGroup:
    """Names that the device itself turns into addresses from live DNS answers."""

    name: GroupName
    members: frozenset[DomainName]


Group: TypeAlias = AddressGroup | DomainGroup


@dataclass(frozen=True, slots=True, order=True)
class WeekSpan:
    """[start, end) on every such day, in the device's own local time."""

    day: int  # 0 = Monday … 6
    start: int  # minutes since midnight, 0 <= start < end <= 1440
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One decision. ``sources`` None means any source (only SPARE may). Any of the destination groups matches.

    ``when`` None means always, and only DENY and MONITOR have another. It is sorted, disjoint, touching spans of a day
    are one, and it is neither empty nor the whole week. Only where the device holds the week itself
    (``Capabilities.schedules``); else the controller's clock puts and removes the rule.
    """

    name: RuleName
    action: Action
    sources: GroupName | None
    destinations: tuple[GroupName, ...]
    when: tuple[WeekSpan, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Who made our objects and from what; carried on the device itself."""

    owner: str  # the controller instance, a ULID
    snapshot: str  # first 12 hex digits of the snapshot in force
    desired: str  # Desired.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What one device should hold of ours. Groups sorted by name; rules in order of evaluation."""

    groups: tuple[Group, ...]
    rules: tuple[Rule, ...]
    owner: str
    snapshot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedList:
    """A list that the device pulls from us instead of being told its members, in the vendor's own form.

    ``lines`` are what is served, in that order, without line ends; never none of them (``vendors.feeding``).
    """

    name: GroupName
    kind: Literal["ip", "domain", "url"]
    lines: tuple[str, ...]


WHOLE: Final = "whole:"
"""Begins a note of a device that could hold longer lists in another way than it does: which."""


class Transaction(StrEnum):
    """How a vendor takes a change."""

    ATOMIC = "atomic"  # all or nothing in the kernel or by the device
    CANDIDATE = "candidate"  # edit a candidate, commit
    ORDERED = "ordered"  # line by line, with an undo


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a device can do. The adapter states its most; a reading narrows it to this very device."""

    ipv6: bool
    fqdn: bool  # can enforce a DomainGroup
    wildcard_fqdn: bool
    monitor: bool
    schedules: bool  # holds ``Rule.when`` itself
    transaction: Transaction
    entry_counters: bool
    source_capture: bool
    session_clearing: bool
    persistence: bool  # survives a reboot as prepared now
    feed: bool
    max_members: int | None  # per address group; None: no limit known
    max_entries: int | None  # over all groups
    spare: bool = True  # can let destinations pass before its denies, and opens nothing by it (I15)
    exempt: bool = True  # can take sources out of the denies below by a rule, and opens nothing by it (I15)
    max_spans: int | None = None  # of one day, in ``Rule.when``; None: no limit known
    suffix_entries: int = 1  # of ``max_entries`` that a name takes which covers those below it
    names_itself: bool = False  # ``epoch`` holds what no other device ever has: a serial number
    notes: tuple[str, ...] = ()  # why something above was narrowed, for people

    def entries(self, group: Group) -> int:
        """How many of ``max_entries`` a group takes."""
        if isinstance(group, AddressGroup) or self.suffix_entries == 1:
            return len(group.members)
        return sum(self.suffix_entries if name.suffix else 1 for name in group.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a device holds of ours, as read, and a fingerprint of all that is not ours.

    ``groups`` and ``rules`` are empty when we have nothing there. ``mark`` is None then, and also when our objects
    were made by hand. ``foreign`` is a sha256 over the rest of the firewall configuration, without counters.
    ``epoch`` changes whenever counters may have restarted (reboot, table re-created).
    ``extra`` are vendor facts that the renderer needs (existing objects not in the neutral model); ``version`` is that
    of the software, where a reading tells it.
    ``irregular`` are deviations of our objects from the form we write, each one line: the diff repairs them.
    ``wall_time`` is the local time, without a zone, that the device showed while it was read; None when it told none.
    """

    groups: tuple[Group, ...]
    rules: tuple[Rule, ...]
    mark: Mark | None
    foreign: str
    epoch: str
    can: Capabilities
    irregular: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    wall_time: datetime | None = None


# --- the plan -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateGroup:
    group: Group


@dataclass(frozen=True, slots=True, kw_only=True)
class AddMembers:
    group: GroupName
    networks: frozenset[Network] = frozenset()
    domains: frozenset[DomainName] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveMembers:
    group: GroupName
    networks: frozenset[Network] = frozenset()
    domains: frozenset[DomainName] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteGroup:
    group: GroupName


@dataclass(frozen=True, slots=True, kw_only=True)
class PutRule:
    """Insert, replace or move the rule of that name, so that it stands right after ``after`` (None: first)."""

    rule: Rule
    after: RuleName | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRule:
    rule: RuleName


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Write our objects anew in the form we write: the reading found them irregular."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Only the mark changes (another snapshot with the same effect on this device)."""

    mark: Mark


Step: TypeAlias = CreateGroup | AddMembers | RemoveMembers | DeleteGroup | PutRule | RemoveRule | Repair | Remark


@dataclass(frozen=True, slots=True, kw_only=True)
class Degraded:
    """Something desired that this device cannot hold as it is, said aloud."""

    capability: str  # "domains", "ipv6", "monitor", "persistence", …
    message: str
    is_gap: bool = True  # False: nothing is missing, only held more coarsely; a person should know when planning


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One network of a list that finds no place on a device, and why just this one."""

    network: Network
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """A list that does not fit a device: how long it is, and exactly what of it the device does not get."""

    group: GroupName
    networks: int  # of the whole list
    addresses_v4: int
    addresses_v6: int
    left_out: tuple[LeftOut, ...]  # most valuable first
    left_out_v4: int  # addresses in no network that is kept
    left_out_v6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The smallest ordered change from one observed to one desired state."""

    steps: tuple[Step, ...]
    degraded: tuple[Degraded, ...]
    desired: Desired  # as degraded: what the device will hold when every step is done
    shortened: tuple[Shortened, ...] = ()  # lists of which ``desired`` holds only a part, for want of room

    @property
    def is_empty(self) -> bool:
        return not self.steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What an apply did: the state read back, which commands ran and for how long."""

    observed: Observed
    commands: int
    flows_cut: int | None  # open flows to newly blocked addresses that were ended; None: could not be told
    timings: Mapping[str, timedelta]
    notes: tuple[str, ...] = ()
    reading: Reading | None = None  # counters read right before the change, when the change ends some of them


# --- counters -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCount:
    """What one node of a cluster counted of a rule. Its counters restart with it, and with it alone."""

    unit: str
    epoch: str
    hits: int
    packets: int | None = None
    octets: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCount:
    """Totals of one rule since its counter began. None: this vendor does not count it.

    ``units``: of a cluster whose nodes count for themselves, what ``hits`` is the sum of; empty: there is one counter.
    """

    rule: RuleName
    action: Action
    epoch: str  # changes when this rule's counters were re-created
    hits: int | None  # new connections that met the rule (vendor's nearest unit, named on the adapter's page)
    packets: int | None
    octets: int | None
    units: tuple[UnitCount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCount:
    """Totals of one member of an address group: traffic to it that a rule of ours decided, whichever rule."""

    group: GroupName
    network: Network
    packets: int | None
    octets: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCount:
    """Who hit it: one source and destination seen by rules of one action."""

    action: Action
    source: Address
    destination: Address
    packets: int | None
    octets: int | None
    last_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All counters of a device at one moment. No rules while we enforce there is an error, never zero hits (I11)."""

    epoch: str
    read_at: datetime
    rules: tuple[RuleCount, ...]
    entries: tuple[EntryCount, ...] = ()
    flows: tuple[FlowCount, ...] = ()
    flows_truncated: bool = False  # the capture was full: some sources are missing
    last_hit: datetime | None = None  # of any rule of ours, where the device tells; for the doctor, not kept
