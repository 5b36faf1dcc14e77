"""The names and networks that a user's own catalogue says outright. Needs no network.

Whoever wrote the file decided, like an entry of a manual list: the guards still judge every one. What it calls shared
is known and shown, and enforced only where the service says `include_shared`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.net import DomainName, Network
from ipsets.model import Confidence, Dedication
from ipsets.sources.source import Fetched, LastGood, indicator

KIND: Final = "catalogue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogued:
    """One entry of one service. ``app`` is that of what several share when it is ``shared``."""

    value: Network | DomainName
    app: str
    category: str
    shared: bool
    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CataloguedSource:
    """All entries as the file says them now. It may shrink to nothing: what is taken out is gone."""

    entries: tuple[Catalogued, ...]
    name: str = KIND
    kind: str = KIND
    max_shrink: float = 1.0

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        return Fetched(
            indicators=tuple(
                indicator(
                    entry.value,
                    source=KIND,
                    seen=now,
                    app=entry.app,
                    category=entry.category,
                    confidence=Confidence.HIGH,
                    dedication=Dedication.SHARED if entry.shared else Dedication.DEDICATED,
                    detail=f"defined for the service {entry.service}",
                )
                for entry in self.entries
            )
        )
