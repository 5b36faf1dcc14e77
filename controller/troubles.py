"""Which sources of the intelligence are not as they should be: for reports, pages, metrics, and aloud in the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import structlog

from controller.inventory import Inventory
from controller.report import SourceTrouble
from ipsets.freshness import freshness
from ipsets.resolve import SourceRecord

log = structlog.get_logger()


def stale_limits(inventory: Inventory) -> Mapping[str, timedelta]:
    """What the inventory says of single sources, by name; their kinds decide for the others."""
    return {c.name: c.stale_after for c in inventory.intelligence.sources if c.stale_after is not None}


def troubles(
    records: Iterable[SourceRecord], stale_after: Mapping[str, timedelta], *, now: datetime
) -> tuple[SourceTrouble, ...]:
    """Sorted by source."""
    found = []
    for record in sorted(records, key=lambda r: r.name):
        fresh = freshness(record, now=now, stale_after=stale_after.get(record.name))
        if fresh.stale:
            found.append(SourceTrouble(source=record.name, what="stale", why=fresh.stale))
    return tuple(found)


def tell(found: Iterable[SourceTrouble]) -> None:
    """One warning for each, on every refresh: what is stale shouts until somebody looks."""
    for trouble in found:
        log.warning(f"source.{trouble.what}", source=trouble.source, why=trouble.why)
