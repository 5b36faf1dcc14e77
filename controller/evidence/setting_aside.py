"""What was set aside, added up: how much from where and why, and the last few of each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from controller.evidence.model import Quarantine, Rejected
from core.ids import SiteName

KEPT: Final = 10
"""Samples of each origin and reason."""
MOST: Final = 2_000
"""Origins and reasons; those of further origins are added up under one that says ``others``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    at: datetime
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """What was set aside of one origin, for one reason. ``samples``: the last ones, the newest first."""

    id: int = 0
    origin: str
    why: Quarantine
    site: SiteName | None
    count: int
    first_at: datetime
    last_at: datetime
    samples: tuple[Sample, ...]


Key = tuple[str, Quarantine]


def added_up(rejected: Iterable[Rejected], at: datetime) -> Mapping[Key, SetAside]:
    """By origin and reason."""
    found: dict[Key, SetAside] = {}
    for one in rejected:
        key = (one.origin, one.why)
        found[key] = joined(found.get(key), _of(one, at))
    return found


def _of(one: Rejected, at: datetime) -> SetAside:
    return SetAside(
        origin=one.origin,
        why=one.why,
        site=one.site,
        count=one.count,
        first_at=at,
        last_at=at,
        samples=(Sample(at=at, text=one.text, detail=one.detail),),
    )


def joined(before: SetAside | None, after: SetAside) -> SetAside:
    """Both as one; the newest of their samples stay."""
    if before is None:
        return after
    return SetAside(
        id=before.id,
        origin=before.origin,
        why=before.why,
        site=before.site if before.site == after.site else None,
        count=before.count + after.count,
        first_at=min(before.first_at, after.first_at),
        last_at=max(before.last_at, after.last_at),
        samples=(*after.samples, *before.samples)[:KEPT],
    )


def others(origin: str) -> str:
    """Where origins are added up when there are too many: ``syslog udp others``."""
    return f"{origin.rpartition(' ')[0] or 'evidence'} others"


__all__ = ["KEPT", "MOST", "Sample", "SetAside", "added_up", "joined", "others"]
