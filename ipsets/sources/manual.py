"""What people of one's own decided, entry by entry, each with a reason and an owner. Needs no network.

A denied entry is its owner's word, like a line of a list: the guards still judge it. An allowed one is never blocked,
whatever other sources say (``ipsets.offlimits``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from core.net import DomainName, Network
from ipsets.model import Confidence, Dedication, Indicator
from ipsets.offlimits import ALLOWED, APP
from ipsets.sources.source import Fetched, LastGood, indicator

KIND: Final = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualEntry:
    """One decision. A range is several networks; ``until`` is its last day, in UTC."""

    values: tuple[Network | DomainName, ...]
    allow: bool
    reason: str
    owner: str
    app: str = "tiktok"
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualSource:
    """The decisions that hold now. It may shrink to nothing: what its owner takes away is gone."""

    entries: tuple[ManualEntry, ...]
    name: str = KIND
    kind: str = KIND
    max_shrink: float = 1.0

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        live = (entry for entry in self.entries if entry.until is None or now.date() <= entry.until)
        return Fetched(indicators=tuple(i for entry in live for i in self._indicators(entry, now)))

    def _indicators(self, entry: ManualEntry, now: datetime) -> Iterator[Indicator]:
        until = f", until {entry.until:%Y-%m-%d}" if entry.until else ""
        for value in entry.values:
            yield indicator(
                value,
                source=f"{KIND}:{self.name}",
                seen=now,
                app=APP if entry.allow else entry.app,
                category=ALLOWED if entry.allow else "listed",
                confidence=Confidence.HIGH,
                dedication=Dedication.NEVER if entry.allow else Dedication.DEDICATED,
                detail=f"{'allowed' if entry.allow else 'denied'}: {entry.reason}; owner {entry.owner}{until}",
            )
