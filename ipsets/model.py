"""Indicators and snapshots: what TikTok is, entry by entry, with where each came from. Knows nothing of firewalls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from core.ids import SnapshotId
from core.net import DomainName, Network, subtract


class Dedication(StrEnum):
    """Whether an indicator is TikTok's alone. Only dedicated prefixes are ever enforced as addresses."""

    DEDICATED = "dedicated"
    CLAIMED = "claimed"  # a list says so; an address needs a second voice before it is enforced
    SHARED = "shared"  # with other ByteDance services, a CDN or cloud customers
    UNKNOWN = "unknown"
    NEVER = "never"  # declared to be somebody else's: never enforced, and it keeps what others bring out as well


class Confidence(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """One source's word for an indicator."""

    source: str  # source name, "curated", "ripestat:AS138699", "dns:8.8.8.8" …
    first_seen: datetime
    last_seen: datetime
    detail: str = ""  # what the source said: origin AS, CNAME chain, list line


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One prefix or one domain with its app, category, confidence and every source that named it."""

    value: Network | DomainName
    app: str  # tiktok, tiktok-shop, capcut, lemon8, bytedance-shared …
    category: str  # announced, api, cdn, web, live …
    confidence: Confidence
    dedication: Dedication
    sources: tuple[Provenance, ...]


def noted(indicator: Indicator, note: str, dedication: Dedication) -> Indicator:
    """The same, of another weight, and every source's word says why."""
    words = tuple(replace(p, detail=f"{p.detail}; {note}".removeprefix("; ")) for p in indicator.sources)
    return replace(indicator, dedication=dedication, sources=words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a guard decided about an entry or the whole set; ``held`` stops the snapshot, else the entry was dropped."""

    guard: str  # "never-block", "too-wide", "too-many", "empty", "churn", "not-dedicated", "watched", "lookalike" …
    entry: str  # the entry as text, or "*" for the whole set
    held: bool
    reason: str


WITHDRAWN: Final = "withdrawn"
"""The guard of a verdict that is a person's word in an emergency."""


def in_order(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """As a snapshot keeps them: by guard, then entry."""
    return tuple(sorted(verdicts, key=lambda v: (v.guard, v.entry, v.reason)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSet:
    """What of one service a device should match: disjoint aggregated networks, and domains. Sorted.

    ``allows`` are never blocked and lie inside ``networks``: they stand above them, where cutting them out would leave
    too many pieces. Empty for nearly every list, and then in no text and no id.
    """

    service: str
    networks: tuple[Network, ...]
    domains: tuple[DomainName, ...]
    allows: tuple[Network, ...] = ()

    @property
    def blocked(self) -> tuple[Network, ...]:
        """Exactly what is blocked as addresses: the networks without what is allowed above them. Aggregated."""
        return subtract(self.networks, self.allows) if self.allows else self.networks


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Immutable and safe to enforce. ``id`` is the sha256 over ``services``: what would be enforced, and nothing else.

    So the same list found again, by other sources or later, is the same snapshot, and no device is touched for it.
    """

    id: SnapshotId
    created_at: datetime
    parent: SnapshotId | None
    services: tuple[ServiceSet, ...]
    indicators: tuple[Indicator, ...]  # every entry before aggregation, with provenance
    dropped: tuple[Verdict, ...]  # entries a guard took out, and why
    source_ages: tuple[tuple[str, datetime], ...]  # source -> last success, so that staleness is said aloud
