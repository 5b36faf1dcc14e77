"""A source that tells who originates or registers a prefix, for networks that only the user's catalogue knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from ipsets.catalogue import Whose
from ipsets.drift import origins_of
from ipsets.model import Dedication, Indicator
from ipsets.sources.source import Fetched, LastGood, Source

_BY_NETWORK: Final = re.compile(r"[a-z]+:AS(?P<asn>[0-9]{1,10})")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributedSource:
    """``inner``, and whose what it found is. What it knows itself it knows from the shipped data alone."""

    inner: Source
    asns: Mapping[int, Whose]

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def kind(self) -> str:
        return self.inner.kind

    @property
    def max_shrink(self) -> float:
        return self.inner.max_shrink

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        fetched = self.inner.fetch(now, last)
        return replace(fetched, indicators=tuple(self._attributed(i) for i in fetched.indicators))

    def _attributed(self, indicator: Indicator) -> Indicator:
        """Only who is seen to originate a prefix makes it the service's; what may be originated confirms that."""
        told = _BY_NETWORK.fullmatch(indicator.sources[0].source)
        whose = self.asns.get(int(told["asn"])) if told else None
        if whose is None:
            return indicator
        proof = whose.dedication is Dedication.SHARED or origins_of(indicator)
        return replace(indicator, app=whose.app, dedication=whose.dedication if proof else Dedication.UNKNOWN)
