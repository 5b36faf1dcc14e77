"""A plain list from a file or a URL. What it says is taken as its owner's word; the guards still judge every entry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

import structlog

from core.net import DomainName, Network, Ranges
from ipsets import dataset
from ipsets.model import Confidence, Dedication, Indicator
from ipsets.sources.document import Document, seen_again
from ipsets.sources.plain import Entry, read
from ipsets.sources.source import Fetched, LastGood, indicator

log = structlog.get_logger()
KIND: Final = "list"
Trust: TypeAlias = Literal["claimed"] | bool
"""``True``: proof. ``claimed``: needs a second voice. ``False``: nothing, outside TikTok's own prefixes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSource:
    """One list. ``dedicated`` says what its word on an address is worth (``ListConfig``)."""

    name: str
    document: Document
    kind: str = KIND
    max_shrink: float = 0.5
    app: str = "tiktok"
    confidence: Confidence = Confidence.MEDIUM
    dedicated: Trust = "claimed"
    skip_unsupported: bool = False

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        meaning = (self.kind, self.app, self.confidence.value, self.dedicated, self.skip_unsupported)
        heard = self.document.ask(last, meaning=meaning, lines=True)
        if heard.text is None and last is not None:
            return Fetched(indicators=seen_again(last.indicators, now), memo=heard.memo, skipped=last.skipped)
        found = read(heard.text or "", place=self.document.place, skip_unsupported=self.skip_unsupported)
        if found.skipped:
            log.warning("list.skipped", source=self.name, lines=found.skipped, first=found.first)
        return Fetched(indicators=self._indicators(found.entries, now), memo=heard.memo, skipped=found.skipped)

    def _indicators(self, entries: tuple[Entry, ...], now: datetime) -> tuple[Indicator, ...]:
        dedicated = Ranges(dataset.dedicated_prefixes())
        unique: dict[Network | DomainName, int] = {}
        for line, value in entries:
            unique.setdefault(value, line)
        return tuple(
            indicator(
                value,
                source=f"{KIND}:{self.name}",
                seen=now,
                app=self.app,
                category="listed",
                confidence=self.confidence,
                dedication=self._dedication(value, dedicated),
                detail=f"line {line}",
            )
            for value, line in unique.items()
        )

    def _dedication(self, value: Network | DomainName, own: Ranges) -> Dedication:
        if self.dedicated is True or isinstance(value, DomainName) or own.holds(value):
            return Dedication.DEDICATED
        return Dedication.CLAIMED if self.dedicated else Dedication.UNKNOWN
