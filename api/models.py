"""What goes over the wire, in both directions. Requests refuse unknown fields; answers are built from the controller's
values, field by field, so that nothing is shown by accident.

Times are RFC 3339 and UTC (``Z``); a time without a zone is refused. ``null`` is *unknown*, ``0`` is *counted, none*.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from controller import model, refreshing, views
from controller.feeds import FeedView, GroupView
from controller.inventory import Device as InventoryDevice
from controller.model import EventAction, Mode, Outcome, Quality, Scope
from controller.refreshing import Ending
from controller.scoreboard import Scoreboard as Board
from controller.scoreboard import SourceScore
from controller.store import SnapshotSummary
from core.errors import TokgateError
from core.ids import NAME, PERSON_NAME
from core.net import DomainName, Network, parse_network
from ipsets import drift as routing
from ipsets import explain as reasons
from ipsets import model as intel
from ipsets import scoreboard as scores
from ipsets.difference import Change, SnapshotDiff
from ipsets.explain import Basis
from ipsets.owners import Owners
from ipsets.resolve import SourceRecord
from vendors.adapter import Finding
from vendors.codec import describe
from vendors.model import Plan as VendorPlan
from vendors.model import Shortened as VendorShortened

T = TypeVar("T")

# --- values ---------------------------------------------------------------------------------------------------------

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NETWORK_TEXT: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}(/\d{1,3})?", re.ASCII)
EARLIEST, LATEST = 2000, 2999
"""Years. Times outside are typing errors, and the edges of the calendar have no UTC."""


def parse_time(value: object) -> datetime:
    """Aware UTC from RFC 3339 text. Raises ``ValueError``."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("expected a time with its zone, as in 2026-11-25T18:00:00Z")
    found = datetime.fromisoformat(value)
    if not EARLIEST <= found.year <= LATEST:
        raise ValueError(f"the year must lie between {EARLIEST} and {LATEST}")
    return found.astimezone(UTC)


def show_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def network_text(text: str) -> str:
    if not _NETWORK_TEXT.fullmatch(text):
        raise ValueError("expected an address or a network, as in 10.20.3.7 or 10.20.3.0/24")
    return str(parse_network(text))


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable characters on one line")
    return text


Instant = Annotated[
    datetime,
    BeforeValidator(parse_time),
    PlainSerializer(show_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-25T18:00:00Z"]}),
]
Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$", max_length=40)]
PersonName = Annotated[str, StringConstraints(pattern=f"^{PERSON_NAME.pattern}$", max_length=64)]
Ulid = Annotated[str, StringConstraints(pattern="^[0-9a-hjkmnp-tv-zA-HJKMNP-TV-Z]{26}$"), AfterValidator(str.lower)]
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{6,64}$")]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(_printable)
]
OptionalLine = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(_printable)]


class Request(BaseModel):
    """What a caller sends; an unknown field is an error, not a wish."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """What we send."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Answer, Generic[T]):
    """One page of a list. ``next_cursor`` gets the next page; null on the last. ``count`` is told when asked for."""

    items: tuple[T, ...]
    next_cursor: str | None = None
    count: int | None = Field(default=None, description="of all pages together; 100000 also stands for more")


class FieldError(Answer):
    place: str = Field(examples=["body.starts"])
    message: str


class Problem(Answer):
    """RFC 9457, with tokgate's stable code (docs/errors.md) and what to do next."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:tokgate:problem:TG5002",
                    "title": "Conflict",
                    "status": 409,
                    "detail": "exception 01kaxw1t4m3v2q8y7z6s5r4p3n is revoked and cannot be approved",
                    "code": "TG5002",
                    "hint": "",
                    "device": None,
                    "request_id": "01kaxw2g7h9j5k3m1n8p6q4r2s",
                }
            ]
        }
    )
    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
    device: str | None
    request_id: str | None
    errors: tuple[FieldError, ...] = ()


class Failure(Answer):
    """Why something could not be done: one device of many, or a refresh."""

    code: str = Field(examples=["TG4001"])
    title: str = Field(examples=["Device unreachable"])
    message: str
    hint: str

    @classmethod
    def of(cls, error: TokgateError | None) -> Failure | None:
        if error is None:
            return None
        return cls(code=error.code, title=error.title, message=error.message, hint=error.hint)


# --- sites and devices ----------------------------------------------------------------------------------------------


class DeviceStatus(Answer):
    """The latest word on a device. ``enforced_at``: when it was last read back holding exactly what it should."""

    last_seen_at: Instant | None
    last_attempt_at: Instant | None
    enforced_at: Instant | None
    snapshot: str | None
    mode: str | None = Field(examples=["company=enforce, guest=monitor"])
    error_code: str | None
    error: str | None
    degraded: tuple[str, ...]
    exceptions: tuple[str, ...]

    @classmethod
    def of(cls, status: model.DeviceStatus) -> DeviceStatus:
        return cls(
            last_seen_at=status.last_seen_at,
            last_attempt_at=status.last_attempt_at,
            enforced_at=status.enforced_at,
            snapshot=status.snapshot,
            mode=status.mode,
            error_code=status.error_code,
            error=status.error,
            degraded=status.degraded,
            exceptions=status.exceptions,
        )


class Device(Answer):
    name: str = Field(examples=["fw-berlin"])
    site: str = Field(examples=["berlin"])
    vendor: str = Field(examples=["linux_nftables"])
    host: str
    status: DeviceStatus | None = Field(description="null: never looked at")

    @classmethod
    def of(cls, view: views.DeviceView) -> Device:
        status = DeviceStatus.of(view.status) if view.status else None
        return cls(name=view.name, site=view.site, vendor=view.vendor, host=view.host, status=status)


class Site(Answer):
    """A site with the mode of each source role now, and when the next window opens or closes."""

    name: str = Field(examples=["berlin"])
    title: str
    time_zone: str = Field(examples=["Europe/Berlin"])
    policy: str
    modes: dict[str, Mode] = Field(examples=[{"company": "enforce", "guest": "monitor"}])
    next_edge: Instant | None
    devices: tuple[Device, ...]

    @classmethod
    def of(cls, view: views.SiteView) -> Site:
        return cls(
            name=view.name,
            title=view.title,
            time_zone=view.time_zone,
            policy=view.policy,
            modes=dict(view.modes),
            next_edge=view.next_edge,
            devices=tuple(Device.of(d) for d in view.devices),
        )


class DoctorCheck(Answer):
    check: str
    ok: bool
    message: str


class Doctor(Answer):
    """Whether a device is prepared; nothing was changed on it."""

    device: str
    ok: bool
    checks: tuple[DoctorCheck, ...]

    @classmethod
    def of(cls, device: str, findings: Iterable[Finding]) -> Doctor:
        checks = tuple(DoctorCheck(check=f.check, ok=f.ok, message=f.message) for f in findings)
        return cls(device=device, ok=all(c.ok for c in checks), checks=checks)


# --- intelligence ---------------------------------------------------------------------------------------------------


class SnapshotHead(Answer):
    """A snapshot in a list. ``id`` is the sha256 of its content."""

    id: str
    created_at: Instant
    parent: str | None
    networks: int
    domains: int
    current: bool

    @classmethod
    def of(cls, summary: SnapshotSummary) -> SnapshotHead:
        return cls(
            id=summary.id,
            created_at=summary.created_at,
            parent=summary.parent,
            networks=summary.networks,
            domains=summary.domains,
            current=summary.current,
        )


class ServiceSet(Answer):
    """What of one service is enforced. A domain that starts with a dot covers all names below it, and itself."""

    service: str
    networks: tuple[str, ...]
    domains: tuple[str, ...]
    allows: tuple[str, ...] = Field(description="inside the networks and never blocked: let pass above them")


class Provenance(Answer):
    source: str
    first_seen: Instant
    last_seen: Instant
    detail: str

    @classmethod
    def of(cls, word: intel.Provenance) -> Provenance:
        return cls(source=word.source, first_seen=word.first_seen, last_seen=word.last_seen, detail=word.detail)


class Indicator(Answer):
    value: str
    app: str
    category: str
    confidence: str
    dedication: str
    owner: str | None = Field(description="who stands behind it, by its origins or its app; null: not known")
    sources: tuple[Provenance, ...]

    @classmethod
    def of(cls, indicator: intel.Indicator, owners: Owners) -> Indicator:
        return cls(
            value=show_value(indicator.value),
            app=indicator.app,
            owner=owners.of(indicator),
            category=indicator.category,
            confidence=indicator.confidence,
            dedication=indicator.dedication,
            sources=tuple(Provenance.of(word) for word in indicator.sources),
        )


class Dropped(Answer):
    """An entry that a guard took out, and why."""

    guard: str
    entry: str
    reason: str


class SourceAge(Answer):
    source: str
    last_success: Instant


class Pin(Answer):
    """A person's word that one snapshot stays in force, whatever refreshes find."""

    snapshot: str
    by: str
    reason: str
    at: Instant

    @classmethod
    def of(cls, pin: model.Pin) -> Pin:
        return cls(snapshot=pin.snapshot, by=pin.actor, reason=pin.reason, at=pin.at)


class Snapshot(Answer):
    """What is enforced, aggregated; with ``indicators=true`` also every entry before that, with its provenance."""

    id: str
    created_at: Instant
    parent: str | None
    services: tuple[ServiceSet, ...]
    dropped: tuple[Dropped, ...]
    sources: tuple[SourceAge, ...]
    indicators: tuple[Indicator, ...] | None = None
    pin: Pin | None = None

    @classmethod
    def of(
        cls, snapshot: intel.Snapshot, *, owners: Owners, indicators: bool, pin: model.Pin | None = None
    ) -> Snapshot:
        return cls(
            pin=Pin.of(pin) if pin is not None and pin.snapshot == snapshot.id else None,
            id=snapshot.id,
            created_at=snapshot.created_at,
            parent=snapshot.parent,
            services=tuple(
                ServiceSet(
                    service=s.service,
                    networks=tuple(str(n) for n in s.networks),
                    domains=tuple(show_value(d) for d in s.domains),
                    allows=tuple(str(n) for n in s.allows),
                )
                for s in snapshot.services
            ),
            dropped=tuple(Dropped(guard=v.guard, entry=v.entry, reason=v.reason) for v in snapshot.dropped),
            sources=tuple(SourceAge(source=name, last_success=at) for name, at in snapshot.source_ages),
            indicators=tuple(Indicator.of(i, owners) for i in snapshot.indicators) if indicators else None,
        )


class ShownHead(Answer):
    """The snapshot of which a list is: what it holds, and how old each source was."""

    id: str
    created_at: Instant
    parent: str | None
    pin: Pin | None
    networks: int
    domains: int
    indicators: int
    dropped: int
    sources: tuple[SourceAge, ...]

    @classmethod
    def of(cls, snapshot: intel.Snapshot, *, pin: model.Pin | None) -> ShownHead:
        return cls(
            id=snapshot.id,
            created_at=snapshot.created_at,
            parent=snapshot.parent,
            pin=Pin.of(pin) if pin is not None and pin.snapshot == snapshot.id else None,
            networks=sum(len(s.networks) for s in snapshot.services),
            domains=sum(len(s.domains) for s in snapshot.services),
            indicators=len(snapshot.indicators),
            dropped=len(snapshot.dropped),
            sources=tuple(SourceAge(source=name, last_success=at) for name, at in snapshot.source_ages),
        )


class Shown(Page[T], Generic[T]):
    """One page of what a snapshot holds, and that snapshot."""

    snapshot: ShownHead


class Enforced(Answer):
    """One entry as a device gets it."""

    service: str
    kind: Literal["network", "domain"]
    entry: str

    @classmethod
    def of(cls, service: str, entry: Network | DomainName) -> Enforced:
        kind: Literal["network", "domain"] = "domain" if isinstance(entry, DomainName) else "network"
        return cls(service=service, kind=kind, entry=show_value(entry))


def show_value(value: object) -> str:
    """A network as text; a domain with a leading dot when it covers what is below it."""
    if isinstance(value, DomainName):
        return f".{value.name}" if value.suffix else value.name
    return str(value)


class SnapshotChange(Answer):
    """An entry more or less, and why. ``words``: of those sources that began to name it, or stopped."""

    service: str
    entry: str
    reason: str
    sources: tuple[str, ...] = Field(description="that name it, in the snapshot that has it")
    words: tuple[Provenance, ...]

    @classmethod
    def of(cls, change: Change) -> SnapshotChange:
        return cls(
            service=change.service,
            entry=change.entry,
            reason=change.reason,
            sources=change.sources,
            words=tuple(Provenance.of(word) for word in change.words),
        )


class Difference(Answer):
    """What another snapshot has more and less, as it would be enforced."""

    old: str
    new: str
    added: tuple[SnapshotChange, ...]
    removed: tuple[SnapshotChange, ...]

    @classmethod
    def of(cls, old: str, new: str, diff: SnapshotDiff) -> Difference:
        return cls(
            old=old,
            new=new,
            added=tuple(SnapshotChange.of(c) for c in diff.added),
            removed=tuple(SnapshotChange.of(c) for c in diff.removed),
        )


class OriginChange(Answer):
    """One source's word on who originates a prefix, more or less. ``origins`` are all of the prefix afterwards."""

    kind: routing.Drift
    network: str | None = Field(description="null: `renamed`, which is about all of a network (AS)")
    asn: int
    source: str
    origins: tuple[int, ...]
    old_holder: str | None = Field(description="of `renamed`; else null")
    new_holder: str | None = Field(description="of `renamed`; else null")

    @classmethod
    def of(cls, change: routing.OriginChange) -> OriginChange:
        return cls(
            kind=change.kind,
            network=None if change.network is None else str(change.network),
            asn=change.asn,
            source=change.source,
            origins=change.origins,
            old_holder=change.old_holder,
            new_holder=change.new_holder,
        )


class OriginDrift(Answer):
    """Every difference between two snapshots, the weightiest first."""

    items: tuple[OriginChange, ...]


class InForce(Answer):
    """The snapshot that answered. ``until`` is null while it is in force, ``since`` when the audit log is silent."""

    id: str
    created_at: Instant
    since: Instant | None
    until: Instant | None
    pin: Pin | None

    @classmethod
    def of(cls, explained: views.Explained) -> InForce:
        return cls(
            id=explained.snapshot.id,
            created_at=explained.snapshot.created_at,
            since=explained.since,
            until=explained.until,
            pin=Pin.of(explained.pin) if explained.pin else None,
        )


class Covering(Answer):
    """An entry of what is enforced that holds the address or the name."""

    service: str
    entry: str


class Decision(Answer):
    """A rule or guard that decided. ``basis`` is ``snapshot``: recorded then, or ``rules``: the data as it is now."""

    rule: str
    entry: str
    reason: str
    basis: Basis

    @classmethod
    def of(cls, decision: reasons.Decision) -> Decision:
        return cls(rule=decision.rule, entry=decision.entry, reason=decision.reason, basis=decision.basis)


class Part(Answer):
    """Addresses of a network, one after the other, of which the same is true."""

    first: str
    last: str
    addresses: int
    covered: bool
    decisions: tuple[Decision, ...]


class Extent(Answer):
    """How much of a network is covered. ``parts`` are sorted and disjoint; of ``left_out`` more only the sums tell."""

    name: Literal["whole", "part", "none"]
    addresses: int
    covered: int
    parts: tuple[Part, ...]
    left_out: int

    @classmethod
    def of(cls, found: reasons.Extent) -> Extent:
        parts = (
            Part(
                first=str(p.first),
                last=str(p.last),
                addresses=p.addresses,
                covered=p.covered,
                decisions=tuple(Decision.of(d) for d in p.decisions),
            )
            for p in found.parts
        )
        return cls(
            name=found.name,
            addresses=found.addresses,
            covered=found.covered,
            parts=tuple(parts),
            left_out=found.left_out,
        )


class Explanation(Answer):
    """Covered or not, and why: the decisions with the weightiest first, and what sources named, the narrowest first.

    Of a network, ``covered`` says wholly, and ``extent`` how much.
    """

    query: str
    kind: Literal["address", "name", "network"]
    covered: bool
    at: Instant | None
    snapshot: InForce
    entries: tuple[Covering, ...]
    decisions: tuple[Decision, ...]
    known: tuple[Indicator, ...]
    notes: tuple[str, ...]
    extent: Extent | None = Field(description="of a network; else null")

    @classmethod
    def of(cls, explained: views.Explained) -> Explanation:
        found = explained.explanation
        return cls(
            query=found.text,
            kind=found.kind,
            covered=found.covered,
            at=explained.at,
            snapshot=InForce.of(explained),
            entries=tuple(Covering(service=c.service, entry=c.entry) for c in found.entries),
            decisions=tuple(Decision.of(d) for d in found.decisions),
            known=tuple(Indicator.of(i, explained.owners) for i in found.known),
            notes=found.notes,
            extent=Extent.of(found.extent) if found.extent else None,
        )


class Watched(Answer):
    """Why what a source names first since then does not count."""

    rule: Literal["unchanged", "growth"]
    since: Instant
    reason: str


class Source(Answer):
    """One origin of intelligence. A failing source keeps its last good entries; its age says how good they are."""

    name: str
    kind: str
    last_attempt: Instant | None
    last_success: Instant | None
    error_code: str | None
    error: str | None
    indicators: int
    skipped: int | None = Field(description="lines passed over as unsupported; null: not counted")
    changed_at: Instant | None = Field(description="when it last said something else; null: not known")
    watched: Watched | None

    @classmethod
    def of(cls, record: SourceRecord) -> Source:
        watch = record.conduct.watch
        return cls(
            name=record.name,
            kind=record.kind,
            last_attempt=record.last_attempt,
            last_success=record.last_success,
            error_code=record.error_code,
            error=record.error,
            indicators=len(record.indicators),
            skipped=record.skipped,
            changed_at=record.conduct.changed_at,
            watched=Watched(rule=watch.rule, since=watch.since, reason=watch.reason) if watch else None,
        )


class Overlap(Answer):
    """How many of a source's entries another one holds, too."""

    source: str
    entries: int
    share: float


class Lag(Answer):
    """How long after the first source this one named what was news, over ``entries``; null: nothing was."""

    median_seconds: float | None
    entries: int
    not_named: int = Field(description="entries of other sources that this one does not hold")


class Precision(Answer):
    """Whose the addresses are that a source claims, as shares of them; null: it claims none."""

    share: float | None = Field(description="inside prefixes that the service's own networks originate")
    shared: float | None = Field(description="of networks that also carry the owner's other services")
    cdn: float | None = Field(description="of content networks, clouds and their customers")
    unknown: float | None

    @classmethod
    def of(cls, found: scores.Precision) -> Precision:
        return cls(
            share=found.share,
            shared=found.of(found.shared),
            cdn=found.of(found.cdn),
            unknown=found.of(found.unknown),
        )


class SourceHits(Answer):
    """Events with a destination that the source names, and their packets there; null: not all are counted."""

    events: int
    packets: int | None


class ScoredSource(Answer):
    """One source beside the others."""

    source: str
    kind: str
    last_attempt: Instant | None
    last_success: Instant | None
    error_code: str | None
    stale: str | None = Field(description="why it is stale; null when it is not")
    stale_after_seconds: float
    dated: Instant | None = Field(description="the day its data bears, when that is not the day of the answer")
    changed_at: Instant | None = Field(description="when it last said something else; null: not known")
    changes: int = Field(description="how often it did")
    watched: Watched | None
    entries: int
    networks: int
    domains: int
    addresses_v4: int
    networks_v6: int = Field(description="in /48 networks")
    unique: int = Field(description="entries that no other source holds")
    unique_share: float | None
    overlaps: tuple[Overlap, ...] = Field(description="the largest five")
    lag: Lag
    precision_v4: Precision
    precision_v6: Precision
    hits: SourceHits

    @classmethod
    def of(cls, row: SourceScore) -> ScoredSource:
        record, score, watch = row.record, row.score, row.record.conduct.watch
        late = score.lag.median
        return cls(
            source=record.name,
            kind=record.kind,
            last_attempt=record.last_attempt,
            last_success=record.last_success,
            error_code=record.error_code,
            stale=row.fresh.stale or None,
            stale_after_seconds=row.fresh.limit.total_seconds(),
            dated=row.fresh.dated,
            changed_at=record.conduct.changed_at,
            changes=record.conduct.changes,
            watched=Watched(rule=watch.rule, since=watch.since, reason=watch.reason) if watch else None,
            entries=score.entries,
            networks=score.networks,
            domains=score.domains,
            addresses_v4=score.addresses_v4,
            networks_v6=score.networks_v6,
            unique=score.unique,
            unique_share=score.unique_share,
            overlaps=tuple(Overlap(source=o.source, entries=o.entries, share=o.share) for o in score.overlaps),
            lag=Lag(
                median_seconds=late.total_seconds() if late is not None else None,
                entries=score.lag.entries,
                not_named=score.lag.not_named,
            ),
            precision_v4=Precision.of(score.precision_v4),
            precision_v6=Precision.of(score.precision_v6),
            hits=SourceHits(events=row.caught.events, packets=row.caught.packets),
        )


class ScoredHits(Answer):
    """Which events were looked through for ``hits``."""

    since: Instant
    events: int
    events_left_out: bool = Field(description="there are older ones than the newest that were looked through")
    without_destination: int = Field(description="events that do not say where to")
    of_nobody: int = Field(description="events to addresses that no source names, as those learnt from DNS answers")


class Scoreboard(Answer):
    """What each source is worth beside the others."""

    at: Instant
    sources: tuple[ScoredSource, ...]
    hits: ScoredHits

    @classmethod
    def of(cls, board: Board) -> Scoreboard:
        return cls(
            at=board.at,
            sources=tuple(ScoredSource.of(row) for row in board.sources),
            hits=ScoredHits(
                since=board.hits_since,
                events=board.events,
                events_left_out=board.events_left_out,
                without_destination=board.without_destination,
                of_nobody=board.of_nobody,
            ),
        )


class Refresh(Answer):
    """A refresh that was started over the API. What it changed is null while it runs, and when it failed."""

    id: str
    by: str
    force: bool
    started_at: Instant
    finished_at: Instant | None
    ending: Ending
    snapshot: str | None = Field(description="in force when it ended")
    waiting: str | None = Field(description="found, and kept from being in force by a pin")
    added: int | None = Field(description="entries more than before, in force or waiting")
    removed: int | None
    failing: tuple[str, ...] | None = Field(
        description="sources that gave nothing usable; their last good entries stay"
    )
    error: Failure | None

    @classmethod
    def of(cls, refresh: refreshing.Refresh) -> Refresh:
        result = refresh.result
        diff = result.diff if result else None
        return cls(
            id=refresh.id,
            by=refresh.actor,
            force=refresh.force,
            started_at=refresh.started_at,
            finished_at=refresh.finished_at,
            ending=refresh.ending,
            snapshot=result.snapshot.id if result and result.snapshot else None,
            waiting=result.waiting.id if result and result.waiting else None,
            added=len(diff.added) if diff else 0 if result else None,
            removed=len(diff.removed) if diff else 0 if result else None,
            failing=tuple(r.name for r in result.records if r.error_code) if result else None,
            error=Failure.of(refresh.error),
        )


class Imported(Answer):
    """A bundle whose snapshot is in force and pinned now; who made it, and whose signature was taken."""

    pin: Pin
    made_at: Instant
    made_by: str
    comment: str
    key_id: str

    @classmethod
    def of(cls, imported: views.Imported) -> Imported:
        return cls(
            pin=Pin.of(imported.pin),
            made_at=imported.bundle.made_at,
            made_by=imported.bundle.made_by,
            comment=imported.bundle.comment,
            key_id=imported.key.id,
        )


# --- plans, runs, drift ---------------------------------------------------------------------------------------------


class Selection(Request):
    """Which devices. The whole fleet only when ``all`` says so."""

    sites: tuple[Name, ...] = Field(default=(), max_length=1000, examples=[["berlin"]])
    devices: tuple[Name, ...] = Field(default=(), max_length=1000)
    all: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _chosen(self) -> Selection:
        if self.all == bool(self.sites or self.devices):
            raise ValueError('name sites or devices, or say "all": true, not both')
        return self

    def selection(self) -> views.Selection:
        return views.Selection(sites=self.sites, devices=self.devices)


class LeftOut(Answer):
    """A network that a device has no room for, and why just this one."""

    network: str
    reason: str


class Shortened(Answer):
    """A list that does not fit a device: how long it is, and exactly what of it the device does not get."""

    group: str = Field(description="the list, as the device calls it", examples=["dst-tiktok"])
    networks: int = Field(description="of the whole list; the same for addresses")
    addresses_v4: int
    addresses_v6: int
    left_out: tuple[LeftOut, ...] = Field(description="the most valuable first")
    left_out_v4: int = Field(description="addresses that no held network has")
    left_out_v6: int

    @classmethod
    def of(cls, short: VendorShortened) -> Shortened:
        return cls(
            group=short.group,
            networks=short.networks,
            addresses_v4=short.addresses_v4,
            addresses_v6=short.addresses_v6,
            left_out=tuple(LeftOut(network=str(left.network), reason=left.reason) for left in short.left_out),
            left_out_v4=short.left_out_v4,
            left_out_v6=short.left_out_v6,
        )


def shortened_lists(plan: VendorPlan | None) -> tuple[Shortened, ...]:
    return tuple(Shortened.of(short) for short in plan.shortened) if plan else ()


class PlannedDevice(Answer):
    """One device's plan as lines for people, or why there is none. ``id`` is null when there is nothing to change."""

    device: str
    site: str
    id: str | None
    checksum: str | None
    steps: tuple[str, ...] = Field(examples=[["add 2 networks to dst-tiktok: 71.18.0.0/16, 2605:340::/32"]])
    degraded: tuple[str, ...]
    shortened: tuple[Shortened, ...] = Field(description="lists of which it gets only a part, for want of room")
    script: str = Field(description="the change in the device's own language")
    freeze: str | None = Field(description="what would hold it back now: a freeze or a pause")
    error: Failure | None

    @classmethod
    def of(cls, result: views.PlanResult) -> PlannedDevice:
        return cls(
            device=result.device,
            site=result.site,
            id=result.stored.id if result.stored else None,
            checksum=result.stored.checksum if result.stored else None,
            steps=result.steps,
            degraded=degraded_lines(result.plan),
            shortened=shortened_lists(result.plan),
            script=result.script,
            freeze=str(result.frozen) if result.frozen is not None else None,
            error=Failure.of(result.error),
        )


class Plans(Answer):
    """The plans of one request. ``changes`` says whether any device differs from what it should hold."""

    items: tuple[PlannedDevice, ...]
    changes: bool


class Plan(Answer):
    """A stored plan: exactly it can be applied, for an hour, while nothing has moved."""

    id: str
    created_at: Instant
    device: str
    site: str
    snapshot: str
    checksum: str
    steps: tuple[str, ...]
    degraded: tuple[str, ...]
    shortened: tuple[Shortened, ...] = Field(description="lists of which it gets only a part, for want of room")

    @classmethod
    def of(cls, stored: model.StoredPlan, plan: VendorPlan) -> Plan:
        return cls(
            id=stored.id,
            created_at=stored.created_at,
            device=stored.device,
            site=stored.site,
            snapshot=stored.snapshot,
            checksum=stored.checksum,
            steps=tuple(describe(step) for step in plan.steps),
            degraded=degraded_lines(plan),
            shortened=shortened_lists(plan),
        )


def degraded_lines(plan: VendorPlan | None) -> tuple[str, ...]:
    return tuple(f"{d.capability}: {d.message}" for d in plan.degraded) if plan else ()


class SyncRequest(Selection):
    """Bring devices to what they should hold now. ``force`` passes the shrink guard, ``override_freeze`` a freeze;
    each needs a reason."""

    kind: Literal["sync"]
    reason: OptionalLine = ""
    force: bool = Field(default=False, strict=True)
    override_freeze: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _explained(self) -> SyncRequest:
        if (self.force or self.override_freeze) and not self.reason:
            raise ValueError("force and override_freeze need a reason")
        return self


class ApplyRequest(Request):
    """Apply exactly these stored plans. ``override_freeze`` does not wait for the end of a freeze; with a reason."""

    kind: Literal["apply"]
    plans: tuple[Ulid, ...] = Field(min_length=1, max_length=1000)
    reason: OptionalLine = ""
    override_freeze: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _explained(self) -> ApplyRequest:
        if self.override_freeze and not self.reason:
            raise ValueError("override_freeze needs a reason")
        return self


RunRequest = Annotated[SyncRequest | ApplyRequest, Field(discriminator="kind")]


class DeviceRun(Answer):
    device: str
    site: str
    outcome: Outcome
    started_at: Instant
    finished_at: Instant | None
    steps: int
    snapshot: str | None
    error_code: str | None
    error: str | None
    degraded: tuple[str, ...]
    flows_cut: int | None = Field(description="open flows to newly blocked addresses that were ended; null: unknown")
    timings: dict[str, float] | None = Field(description="seconds")

    @classmethod
    def of(cls, run: model.DeviceRun) -> DeviceRun:
        return cls(
            device=run.device,
            site=run.site,
            outcome=run.outcome,
            started_at=run.started_at,
            finished_at=run.finished_at,
            steps=run.steps,
            snapshot=run.snapshot,
            error_code=run.error_code,
            error=run.error,
            degraded=run.degraded,
            flows_cut=run.flows_cut,
            timings=dict(run.timings) if run.timings is not None else None,
        )


class Run(Answer):
    """One sync or apply. ``finished_at`` is null while devices are still at work."""

    id: str
    trigger: str = Field(examples=["schedule", "api", "exception:01kaxw1t4m3v2q8y7z6s5r4p3n"])
    actor: str
    started_at: Instant
    finished_at: Instant | None
    devices: tuple[DeviceRun, ...]

    @classmethod
    def of(cls, run: model.Run) -> Run:
        return cls(
            id=run.id,
            trigger=run.trigger,
            actor=run.actor,
            started_at=run.started_at,
            finished_at=run.finished_at,
            devices=tuple(DeviceRun.of(d) for d in run.devices),
        )


class DriftedDevice(Answer):
    """How far one device is from what it should hold, read just now."""

    device: str
    site: str
    in_step: bool | None = Field(description="null: it could not be read")
    steps: tuple[str, ...]
    altered: str = Field(description="why it is not what we left there; empty when it is")
    error: Failure | None

    @classmethod
    def of(cls, result: views.DriftResult) -> DriftedDevice:
        return cls(
            device=result.device,
            site=result.site,
            in_step=None if result.error else not result.steps,
            steps=result.steps,
            altered=result.altered,
            error=Failure.of(result.error),
        )


class Drift(Answer):
    items: tuple[DriftedDevice, ...]
    drifted: bool


class KnownDrift(Answer):
    """What the last look at a device said, without asking it again."""

    device: str
    site: str
    in_step: bool | None = Field(description="null: unknown, because it was never or not lately read")
    last_seen_at: Instant | None
    enforced_at: Instant | None
    error_code: str | None
    error: str | None

    @classmethod
    def of(cls, view: views.DeviceView) -> KnownDrift:
        status = view.status
        return cls(
            device=view.name,
            site=view.site,
            in_step=_in_step(status),
            last_seen_at=status.last_seen_at if status else None,
            enforced_at=status.enforced_at if status else None,
            error_code=status.error_code if status else None,
            error=status.error if status else None,
        )


def _in_step(status: model.DeviceStatus | None) -> bool | None:
    if status is None or status.last_seen_at is None or status.last_attempt_at != status.last_seen_at:
        return None
    return status.enforced_at == status.last_seen_at


# --- exceptions -----------------------------------------------------------------------------------------------------


class ReasonBody(Request):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the campaign is over"}]})

    reason: Line


class PinBody(Request):
    """Which snapshot to keep in force, by at least six digits of how its id begins, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"snapshot": "25d43f05bdd9", "reason": "change 4711"}]})

    snapshot: Digest
    reason: Line


class TrustBody(Request):
    """Which source to vouch for, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"source": "partner", "reason": "the list was split"}]})

    source: Name
    reason: Line


class RollbackBody(Request):
    """Which snapshot is in force as you know it, by at least six digits of how its id begins, and why to leave it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"from": "25d43f05bdd9", "reason": "it broke the payroll"}]}
    )

    from_: Digest = Field(alias="from")
    reason: Line


class RefreshBody(Request):
    """``force`` passes the guard ``churn``, and no other."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"force": False}]})

    force: bool = False


class ExportBody(Request):
    """Which snapshot, by how its id begins; the one in force when left out. The comment is signed too."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"comment": "weekly"}]})

    snapshot: Digest | None = None
    comment: OptionalLine = ""


# --- events ---------------------------------------------------------------------------------------------------------


class SourceSeen(Answer):
    source: str
    destination: str
    packets: int | None
    bytes: int | None
    last_seen: Instant


class EntryHit(Answer):
    entry: str
    packets: int | None
    bytes: int | None


class Event(Answer):
    """What two readings of one counter prove about the time between them. ``quality`` at_least: a reset lies inside."""

    id: str
    site: str
    device: str
    rule: str
    role: str | None
    exception: str | None
    action: EventAction
    start: Instant
    end: Instant
    hits: int | None
    packets: int | None
    bytes: int | None
    quality: Quality
    snapshot: str | None
    sources: tuple[SourceSeen, ...]
    sources_truncated: bool
    entries: tuple[EntryHit, ...]

    @classmethod
    def of(cls, event: model.DetectionEvent) -> Event:
        return cls(
            id=event.id,
            site=event.site,
            device=event.device,
            rule=event.rule,
            role=event.role,
            exception=event.exception,
            action=event.action,
            start=event.window.start,
            end=event.window.end,
            hits=event.hits,
            packets=event.packets,
            bytes=event.octets,
            quality=event.quality,
            snapshot=event.snapshot,
            sources=tuple(
                SourceSeen(
                    source=str(s.source),
                    destination=str(s.destination),
                    packets=s.packets,
                    bytes=s.octets,
                    last_seen=s.last_seen,
                )
                for s in event.sources
            ),
            sources_truncated=event.sources_truncated,
            entries=tuple(EntryHit(entry=e.entry, packets=e.packets, bytes=e.octets) for e in event.entries),
        )


class Alert(Answer):
    """What a person should look at, told once. ``detail`` depends on ``kind``; ``networks`` there has 1,000 at most."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 7,
                    "at": "2026-11-25T18:00:00Z",
                    "kind": "moved",
                    "subject": "AS4134",
                    "message": "AS4134 also originates 71.18.1.0/24; so ripestat:AS4134",
                    "detail": {"count": 1, "networks": ["71.18.1.0/24"], "sources": ["ripestat:AS4134"]},
                }
            ]
        }
    )
    id: int
    at: Instant
    kind: str = Field(description="a change of `GET /api/v1/intel/drift`, or `stale` or `watched` for a source")
    subject: str
    message: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, alert: model.Alert) -> Alert:
        return cls(
            id=alert.id,
            at=alert.at,
            kind=alert.kind,
            subject=alert.subject,
            message=alert.message,
            detail=dict(alert.detail),
        )


# --- lists that firewalls pull --------------------------------------------------------------------------------------


class Feed(Answer):
    """A list that a device pulls, and whether it does. `digest` is the sha256 of what is served."""

    device: str = Field(examples=["fw-berlin"])
    site: str = Field(examples=["berlin"])
    group: str | None = Field(examples=["edges"], description="with which it shares one more address of its lists")
    name: str = Field(examples=["dst-tiktok"])
    kind: str = Field(examples=["ip"], description="ip, domain or url")
    path: str = Field(examples=["/feeds/fw-berlin/dst-tiktok.txt"])
    entries: int
    octets: int
    digest: str
    published_at: Instant
    settled: bool = Field(description="false: the change that it was published for was not read back so far")
    pulled_at: Instant | None = Field(description="the last good pull; null: never")
    pulled_from: str | None
    current: bool = Field(description="whether the last good pull was of what is served now")
    stale: str | None = Field(description="why the device is said not to come for it; null when it does")

    @classmethod
    def of(cls, view: FeedView) -> Feed:
        feed, pulled = view.feed, view.pulled
        return cls(
            device=feed.device,
            site=view.site,
            group=view.group,
            name=feed.name,
            kind=feed.kind,
            path=f"/feeds/{feed.device}/{feed.name}.txt",
            entries=feed.entries,
            octets=feed.octets,
            digest=feed.digest,
            published_at=feed.published_at,
            settled=feed.settled and not feed.leaving,
            pulled_at=pulled.at if pulled else None,
            pulled_from=pulled.address if pulled else None,
            current=view.is_current,
            stale=view.stale or None,
        )


class FeedPull(Answer):
    """One request for a list. `digest`: what was sent, or what the device has; null when it was given nothing."""

    name: str
    at: Instant
    address: str
    agent: str
    status: int = Field(examples=[304])
    digest: str | None
    octets: int

    @classmethod
    def of(cls, pull: model.FeedPull) -> FeedPull:
        return cls(**{name: getattr(pull, name) for name in cls.model_fields})


class FeedToken(Answer):
    """A token of a device as we know it: never itself, only how it begins."""

    id: str
    prefix: str
    created_at: Instant
    created_by: str
    first_used_at: Instant | None
    last_used_at: Instant | None

    @classmethod
    def of(cls, token: model.FeedToken) -> FeedToken:
        return cls(**{name: getattr(token, name) for name in cls.model_fields})


class FeedDevice(Answer):
    """What a device pulls, from where it may, and its last pulls, the newest first."""

    device: str
    group: str | None
    allow: tuple[str, ...] = Field(examples=[["192.0.2.1/32"]])
    auth: str = Field(examples=["token"])
    stale_after_seconds: int
    lists: tuple[Feed, ...]
    pulls: tuple[FeedPull, ...]
    tokens: tuple[FeedToken, ...]

    @classmethod
    def of(
        cls,
        device: InventoryDevice,
        *,
        views: Iterable[FeedView],
        pulls: Iterable[model.FeedPull],
        tokens: Iterable[model.FeedToken],
    ) -> FeedDevice:
        return cls(
            device=device.name,
            group=device.feed.group,
            allow=tuple(str(net) for net in device.pulls_from),
            auth=device.feed.auth,
            stale_after_seconds=int(device.feed.stale_after.total_seconds()),
            lists=tuple(Feed.of(view) for view in views),
            pulls=tuple(FeedPull.of(pull) for pull in pulls),
            tokens=tuple(FeedToken.of(token) for token in tokens),
        )


class FeedMember(Answer):
    """A device of a group, and from where it pulls."""

    device: str
    allow: tuple[str, ...] = Field(examples=[["192.0.2.1/32"]])


class FeedMixed(Answer):
    """A list that these devices hold differently although they may ask from one address: it is not served there."""

    name: str
    devices: tuple[str, ...]


class FeedGroup(Answer):
    """Devices that are told one address of lists: each is given its own there."""

    name: str = Field(examples=["edges"])
    path: str = Field(examples=["/feeds/edges/"], description="a list's name and `.txt` go behind it")
    devices: tuple[FeedMember, ...]
    mixed: tuple[FeedMixed, ...]
    tokens: tuple[FeedToken, ...]

    @classmethod
    def of(cls, group: GroupView, tokens: Iterable[model.FeedToken]) -> FeedGroup:
        return cls(
            name=group.name,
            path=f"/feeds/{group.name}/",
            devices=tuple(
                FeedMember(device=device.name, allow=tuple(str(net) for net in device.pulls_from))
                for device in group.devices
            ),
            mixed=tuple(FeedMixed(name=mixed.list, devices=tuple(mixed.devices)) for mixed in group.mixed),
            tokens=tuple(FeedToken.of(token) for token in tokens),
        )


# --- access ---------------------------------------------------------------------------------------------------------


class TokenBody(Request):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "helpdesk", "scopes": ["read", "request"], "days": 90}]}
    )

    name: Name
    scopes: tuple[Scope, ...] = Field(min_length=1, max_length=len(Scope))
    days: int = Field(ge=1, le=366, strict=True, description="how long it lives")
    sites: tuple[Name, ...] | None = Field(
        default=None, min_length=1, max_length=1000, description="all that it sees and changes; null is every site"
    )
    owner: PersonName | None = Field(
        default=None, description="the person whom it acts for; it never does what they may not"
    )


class RotateBody(Request):
    overlap_hours: int = Field(
        default=24, ge=0, le=720, strict=True, description="for so long the old secret is taken too"
    )


class Token(Answer):
    """A token as we know it: never itself, only how it begins."""

    id: str
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    created_at: Instant
    created_by: str
    expires_at: Instant
    last_used_at: Instant | None
    revoked_at: Instant | None
    owner: str | None
    sites: tuple[str, ...] | None = Field(description="null is every site")
    rotated_at: Instant | None
    old_until: Instant | None = Field(description="until then the secret before the rotation is taken too")

    @classmethod
    def of(cls, token: model.Token) -> Token:
        return cls(**_token_fields(token))


class NewToken(Token):
    """A fresh token. ``token`` is shown this once."""

    token: str

    @classmethod
    def made(cls, token: model.Token, text: str) -> NewToken:
        return cls(token=text, **_token_fields(token))


def _token_fields(token: model.Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": tuple(sorted(token.scopes)),
        "created_at": token.created_at,
        "created_by": token.created_by,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
        "owner": token.owner,
        "sites": None if token.sites is None else tuple(sorted(token.sites)),
        "rotated_at": token.rotated_at,
        "old_until": token.old_until,
    }


class AuditEntry(Answer):
    """One change, by whom and why, chained to the one before by its hash."""

    seq: int
    at: Instant
    actor: str
    action: str
    subject: str
    reason: str
    detail: str
    previous: str
    hash: str

    @classmethod
    def of(cls, entry: model.AuditEntry) -> AuditEntry:
        return cls(
            seq=entry.seq,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            reason=entry.reason,
            detail=entry.detail,
            previous=entry.previous,
            hash=entry.hash,
        )


class AuditVerdict(Answer):
    """Whether the chain holds; each break names its entry."""

    intact: bool
    breaks: tuple[str, ...]


# --- health ---------------------------------------------------------------------------------------------------------


class Live(Answer):
    status: Literal["ok"] = "ok"


class ReadyCheck(Answer):
    name: str
    ok: bool


class Ready(Answer):
    """Whether this process does its work. What exactly is wrong is told to who has a token, under /api/v1/health."""

    ready: bool
    checks: tuple[ReadyCheck, ...]

    @classmethod
    def of(cls, health: views.Health) -> Ready:
        return cls(ready=health.ready, checks=tuple(ReadyCheck(name=c.name, ok=c.ok) for c in health.checks))


class HealthCheck(ReadyCheck):
    message: str


class Health(Answer):
    ready: bool
    version: str
    checks: tuple[HealthCheck, ...]

    @classmethod
    def of(cls, health: views.Health, *, version: str) -> Health:
        checks = tuple(HealthCheck(name=c.name, ok=c.ok, message=c.message) for c in health.checks)
        return cls(ready=health.ready, version=version, checks=checks)
