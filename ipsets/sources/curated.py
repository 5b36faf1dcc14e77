"""The data set that is shipped. Needs no network and never fails; its age is the day it was compiled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ipsets import dataset
from ipsets.model import Confidence, Dedication, Indicator
from ipsets.sources.source import Fetched, LastGood, indicator

KIND: Final = "curated"


@dataclass(frozen=True, slots=True, kw_only=True)
class CuratedSource:
    """Everything the shipped set knows about TikTok and its owner's other services."""

    name: str = KIND
    kind: str = KIND
    max_shrink: float = 1.0  # a release may drop what was wrong; the snapshot's own churn guard still looks

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        return Fetched(indicators=(*_prefixes(), *_literals(), *_names()))


def _prefixes() -> tuple[Indicator, ...]:
    return tuple(
        indicator(
            row.network,
            source=KIND,
            seen=dataset.as_of(),
            app="tiktok" if row.dedication == "dedicated" else "bytedance-shared",
            category="announced",
            confidence=Confidence.HIGH,
            dedication=Dedication.DEDICATED if row.dedication == "dedicated" else Dedication.SHARED,
            detail=f"originated by {' and '.join(f'AS{asn}' for asn in row.origins)}; {row.source}",
        )
        for row in dataset.prefixes()
        if row.dedication != "cloud-customers"
    )


def _literals() -> tuple[Indicator, ...]:
    """Those in its owner's networks are TikTok's; one at a cloud is a hint, and never enforced."""
    return tuple(
        indicator(
            literal.network,
            source=KIND,
            seen=literal.seen,
            app="tiktok",
            category=literal.kind,
            confidence=Confidence.MEDIUM if literal.owned else Confidence.LOW,
            dedication=Dedication.DEDICATED if literal.owned else Dedication.SHARED,
            detail=f"carried in the app itself, AS{literal.origin}: {literal.note}",
        )
        for literal in dataset.literals()
    )


def _names() -> tuple[Indicator, ...]:
    return tuple(
        indicator(
            row.domain,
            source=KIND,
            seen=dataset.as_of(),
            app=dataset.ABANDONED_APP if row.scope == "abandoned" else row.app,
            category=row.category,
            confidence=row.confidence,
            dedication=row.dedication,
            detail=f"{row.scope}; {', '.join(row.sources)}",
        )
        for row in dataset.names()
    )
