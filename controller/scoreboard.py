"""The scoreboard of the intelligence: what each source is worth here, put together from records and evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from controller.model import SourceSeen
from ipsets.freshness import Freshness, freshness
from ipsets.resolve import SourceRecord
from ipsets.scoreboard import Caught, Score, Tally, scoreboard

HITS_SPAN: Final = timedelta(days=30)
"""How far back hits are counted."""
MAX_EVENTS: Final = 20_000
"""The newest events that are looked through; more are left out, and that is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceScore:
    """One source: its record, how fresh it is, how it compares, and what it caught here."""

    record: SourceRecord
    fresh: Freshness
    score: Score
    caught: Caught


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoreboard:
    """All sources. ``events`` since ``hits_since`` were looked through; ``events_left_out``: there are older ones."""

    at: datetime
    sources: tuple[SourceScore, ...]
    hits_since: datetime
    events: int
    events_left_out: bool
    without_destination: int
    of_nobody: int


def make_scoreboard(
    records: Iterable[SourceRecord],
    stale_after: Mapping[str, timedelta],
    events: Iterable[tuple[SourceSeen, ...]],
    *,
    hits_since: datetime,
    now: datetime,
) -> Scoreboard:
    """Sorted by source. ``events`` are the destinations of each event, one more than ``MAX_EVENTS`` at most."""
    known = tuple(sorted(records, key=lambda r: r.name))
    tally, left_out = Tally(known), False
    for seen in events:
        if tally.events == MAX_EVENTS:
            left_out = True
            break
        tally.add((pair.destination, pair.packets) for pair in seen)
    rows = zip(known, scoreboard(known), tally.caught, strict=True)
    return Scoreboard(
        at=now,
        sources=tuple(
            SourceScore(
                record=record,
                fresh=freshness(record, now=now, stale_after=stale_after.get(record.name)),
                score=score,
                caught=caught,
            )
            for record, score, caught in rows
        ),
        hits_since=hits_since,
        events=tally.events,
        events_left_out=left_out,
        without_destination=tally.without_destination,
        of_nobody=tally.of_nobody,
    )
