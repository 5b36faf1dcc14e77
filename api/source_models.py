"""Sources over the wire: how each is doing, what it is worth, and asking them all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import ConfigDict, Field

from api.models import Answer, Failure, Instant, Line, Name, Request
from controller import refreshing
from controller.refreshing import Ending
from controller.reports.making import SourceTrouble
from controller.scoreboard import Scoreboard as Board
from controller.scoreboard import SourceScore
from ipsets import scoreboard as scores
from ipsets.resolve import SourceRecord


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
    stale: str | None = Field(description="why its word is too old; null when it is not")

    @classmethod
    def all_of(cls, records: Iterable[SourceRecord], troubles: Iterable[SourceTrouble]) -> list[Source]:
        stale = {trouble.source: trouble.why for trouble in troubles if trouble.what == "stale"}
        return [cls._of(record, stale=stale.get(record.name)) for record in records]

    @classmethod
    def _of(cls, record: SourceRecord, *, stale: str | None) -> Source:
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
            stale=stale,
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
    previous: str | None = Field(description="in force when it began")
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
            previous=result.previous.id if result and result.previous else None,
            waiting=result.waiting.id if result and result.waiting else None,
            added=len(diff.added) if diff else 0 if result else None,
            removed=len(diff.removed) if diff else 0 if result else None,
            failing=tuple(r.name for r in result.records if r.error_code) if result else None,
            error=Failure.of(refresh.error),
        )


class TrustBody(Request):
    """Which source to vouch for, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"source": "partner", "reason": "the list was split"}]})

    source: Name
    reason: Line


class RefreshBody(Request):
    """``force`` passes the guard ``churn``, and no other."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"force": False}]})

    force: bool = False
