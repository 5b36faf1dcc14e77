"""What counters proved, and alerts, over the wire."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from api.models import Answer, Instant
from controller import model
from controller.model import EventAction, Quality
from controller.store import FlowsCut


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
                    source=s.client,
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


class Cut(Answer):
    """So many open flows to what is newly denied were ended on one device, by one change."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "run": "01m8cy5qs267pepdjvqzewc7vb",
                    "trigger": "window-edge",
                    "site": "berlin",
                    "device": "fw-berlin",
                    "at": "2026-11-25T07:00:01Z",
                    "flows": 3,
                }
            ]
        }
    )
    run: str
    trigger: str = Field(description="why the run was: `window-edge`, `exception`, `snapshot`, `apply` …")
    site: str
    device: str
    at: Instant
    flows: int = Field(ge=1)

    @classmethod
    def of(cls, cut: FlowsCut) -> Cut:
        return cls(run=cut.run, trigger=cut.trigger, site=cut.site, device=cut.device, at=cut.at, flows=cut.flows)


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
