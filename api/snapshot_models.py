"""Snapshots over the wire: what they hold, how two differ, which is pinned, and what puts one in force."""

from __future__ import annotations

from typing import Generic, Literal

from pydantic import ConfigDict, Field

from api.models import Answer, Digest, Instant, Line, OptionalLine, Page, Request, T
from controller import model, views
from controller.store import SnapshotSummary
from core.net import DomainName, Network
from ipsets import model as intel
from ipsets.difference import Change, SnapshotDiff
from ipsets.owners import Owners


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


class PinBody(Request):
    """Which snapshot to keep in force, by at least six digits of how its id begins, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"snapshot": "25d43f05bdd9", "reason": "change 4711"}]})

    snapshot: Digest
    reason: Line


class RollbackBody(Request):
    """Which snapshot is in force as you know it, by at least six digits of how its id begins, and why to leave it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"from": "25d43f05bdd9", "reason": "it broke the payroll"}]}
    )

    from_: Digest = Field(alias="from")
    reason: Line


class ExportBody(Request):
    """Which snapshot, by how its id begins; the one in force when left out. The comment is signed too."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"comment": "weekly"}]})

    snapshot: Digest | None = None
    comment: OptionalLine = ""
