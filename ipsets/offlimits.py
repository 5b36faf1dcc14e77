"""What sources declare to be somebody else's: it is never enforced, whatever other sources say.

Pure. Read when a snapshot is built, and by the controller for what a live DNS answer may not bring into a block. A
declaration is an indicator like any other, so it has its source, its dates, and a place in the snapshot's record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from core.net import DomainName, Network, aggregate
from ipsets.guard import NeverBlock
from ipsets.model import Dedication, Indicator

APP: Final = "off-limits"
"""The app of such indicators: of no service."""
ALLOWED: Final = "allowed"
"""Category: a person's word. A live DNS answer does not bring it into a block either."""

PUBLISHED: Final = "published"
"""Category: an operator's own list of a shared network. Whether a live answer in there is blocked is a policy."""

NEIGHBOUR: Final = "neighbour"
"""Category: customers of the owner's cloud, by who announces it now. A live answer does not bring it in either."""

ALWAYS: Final = frozenset({ALLOWED, NEIGHBOUR})
"""What is spared on devices, whatever a policy says."""


def off_limits(indicators: Iterable[Indicator], *, categories: Collection[str] | None = None) -> tuple[NeverBlock, ...]:
    """The networks that are declared off limits, by reason."""
    found: dict[str, list[Network]] = defaultdict(list)
    for i in indicators:
        if i.dedication is Dedication.NEVER and not isinstance(i.value, DomainName) and _asked(i, categories):
            found[_reason(i)].append(i.value)
    return tuple(NeverBlock(reason=reason, networks=aggregate(found[reason])) for reason in sorted(found))


def _asked(indicator: Indicator, categories: Collection[str] | None) -> bool:
    return categories is None or indicator.category in categories


def off_limits_names(indicators: Iterable[Indicator]) -> Mapping[DomainName, str]:
    """The names that are declared off limits, and why."""
    return {
        i.value: _reason(i) for i in indicators if i.dedication is Dedication.NEVER and isinstance(i.value, DomainName)
    }


def _reason(indicator: Indicator) -> str:
    return "; ".join(sorted({f"{p.detail} ({p.source})" for p in indicator.sources}))
