"""Which sources of the intelligence are not as they should be: for reports, pages, metrics, and aloud in the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import structlog

from controller.alerts import AlertNote
from controller.inventory import Inventory
from controller.reports.making import SourceTrouble
from ipsets.freshness import freshness
from ipsets.resolve import SourceRecord

log = structlog.get_logger()


def stale_limits(inventory: Inventory) -> Mapping[str, timedelta]:
    """What the inventory says of single sources, by name; their kinds decide for the others."""
    return {c.name: c.stale_after for c in inventory.sources if c.stale_after is not None}


def troubles(
    records: Iterable[SourceRecord], stale_after: Mapping[str, timedelta], *, now: datetime
) -> tuple[SourceTrouble, ...]:
    """Sorted by source."""
    found = []
    for record in sorted(records, key=lambda r: r.name):
        fresh = freshness(record, now=now, stale_after=stale_after.get(record.name))
        if fresh.stale:
            found.append(SourceTrouble(source=record.name, what="stale", why=fresh.stale))
        if watch := record.conduct.watch:
            why = why_watched(watch.since, watch.reason)
            found.append(SourceTrouble(source=record.name, what="watched", why=why))
    return tuple(found)


def why_watched(since: datetime, reason: str) -> str:
    return f"since {since:%Y-%m-%dT%H:%MZ} what it names first does not count: it {reason}"


def source_alerts(
    before: Mapping[str, SourceRecord], now: Iterable[SourceTrouble], stale_after: Mapping[str, timedelta]
) -> Iterator[AlertNote]:
    """One for each trouble of ``now`` that was not there when the sources were asked the last time."""
    known = {
        (trouble.source, trouble.what)
        for old in before.values()
        if old.last_attempt is not None
        for trouble in troubles([old], stale_after, now=old.last_attempt)
    }
    for trouble in now:
        if (trouble.source, trouble.what) not in known:
            detail = {"why": trouble.why}
            yield AlertNote(kind=trouble.what, subject=trouble.source, message=str(trouble), detail=detail)


def tell(found: Iterable[SourceTrouble]) -> None:
    """One warning for each, on every refresh: what is stale shouts until somebody looks."""
    for trouble in found:
        log.warning(f"source.{trouble.what}", source=trouble.source, why=trouble.why)


def tell_watches(before: Mapping[str, SourceRecord], after: Iterable[SourceRecord]) -> None:
    """Say once that a source behaves again; that it does not is said with every refresh."""
    for record in after:
        old = before.get(record.name)
        if old is not None and old.conduct.watch is not None and record.conduct.watch is None:
            log.info("source.counts_again", source=record.name, watched_since=old.conduct.watch.since.isoformat())
