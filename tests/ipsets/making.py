"""Indicators and snapshots for the tests, with as little said as each test needs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from core.net import parse_network
from ipsets.catalogue import Catalogue, load_catalogue
from ipsets.guard import GuardLimits, NeverBlock, default_never_block
from ipsets.model import Confidence, Dedication, Indicator, ServiceSet, Snapshot
from ipsets.snapshot import build_snapshot
from ipsets.sources.curated import CuratedSource
from ipsets.sources.source import indicator
from ipsets.text import read_domain

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def entry(
    text: str,
    *,
    source: str = "list:test",
    app: str = "tiktok",
    dedication: Dedication = Dedication.DEDICATED,
    seen: datetime = NOW,
    detail: str = "",
) -> Indicator:
    """``203.0.0.0/24``, ``www.example.com`` or ``.example.com``."""
    numeric = "/" in text or ":" in text or text[-1].isdigit()
    return indicator(
        parse_network(text) if numeric else read_domain(text),
        source=source,
        seen=seen,
        app=app,
        category="listed",
        confidence=Confidence.MEDIUM,
        dedication=dedication,
        detail=detail,
    )


def curated() -> tuple[Indicator, ...]:
    return CuratedSource().fetch(NOW).indicators


def snapshot(
    indicators: Iterable[Indicator],
    *,
    previous: Snapshot | None = None,
    limits: GuardLimits | None = None,
    never_block: tuple[NeverBlock, ...] | None = None,
    catalogue: Catalogue | None = None,
    force: bool = False,
    now: datetime = NOW,
) -> Snapshot:
    return build_snapshot(
        indicators,
        catalogue=catalogue or load_catalogue(),
        limits=limits or GuardLimits(),
        never_block=default_never_block() if never_block is None else never_block,
        previous=previous,
        source_ages={"curated": now},
        now=now,
        force=force,
    )


def tiktok(of: Snapshot) -> ServiceSet:
    return next(service for service in of.services if service.service == "tiktok")


def texts(of: Snapshot) -> list[str]:
    return [str(network) for network in tiktok(of).networks]


def guards(of: Snapshot) -> dict[str, str]:
    """Entry -> guard, of everything that was dropped."""
    return {verdict.entry: verdict.guard for verdict in of.dropped}
