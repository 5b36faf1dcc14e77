"""What a source is, and what it hands over.

A source asks one origin and returns everything it says now, or raises: ``SourceUnreachable`` when there was no answer,
``SourceImplausible`` when there was one that is not data. It never returns less than it was told, and it keeps nothing
between two calls: what it wants to remember goes back and forth as ``memo``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core.net import DomainName, Network
from ipsets.model import Confidence, Dedication, Indicator, Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class LastGood:
    """The last answer of a source that was good."""

    indicators: tuple[Indicator, ...]
    memo: str
    skipped: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A good answer. ``memo`` is the source's own, given back to it next time (validators of a cache).

    ``skipped``: lines or records that were passed over because no entry can say them; None when that is not counted.
    """

    indicators: tuple[Indicator, ...]
    memo: str = ""
    skipped: int | None = None


class Source(Protocol):
    """One origin of indicators."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def max_shrink(self) -> float:
        """The share that an answer may be smaller than the last good one; more is implausible."""
        ...

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        """Everything the origin says now. Raises ``SourceError``; nothing else is an answer."""
        ...


def indicator(
    value: Network | DomainName,
    *,
    source: str,
    seen: datetime,
    app: str,
    category: str,
    confidence: Confidence,
    dedication: Dedication,
    detail: str = "",
) -> Indicator:
    """An indicator that one source names."""
    word = Provenance(source=source, first_seen=seen, last_seen=seen, detail=detail)
    return Indicator(
        value=value, app=app, category=category, confidence=confidence, dedication=dedication, sources=(word,)
    )
