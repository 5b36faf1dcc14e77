"""What the intelligence answers: which networks moved, and whether something is covered and why."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.models import Answer, Instant
from api.snapshot_models import Indicator, Pin
from controller import views
from ipsets import drift as routing
from ipsets import explain as reasons
from ipsets.explain import Basis


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
