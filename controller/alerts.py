"""What a person should look at, said once: networks that moved between two refreshes. Pure.

The store keeps an alert in the transaction of what it is about, so it is neither lost nor told again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ipsets.drift import QUIET, Drift, OriginChange

MAX_LISTED: Final = 1_000
"""Networks in one alert's detail; ``count`` has them all."""
_SHOWN: Final = 5
"""Networks in the sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertNote:
    """What an alert says; the store adds when, and a number."""

    kind: str
    subject: str
    message: str
    detail: Mapping[str, Any]


def origin_alerts(changes: Iterable[OriginChange]) -> Iterator[AlertNote]:
    """One for each network (AS) and kind of change, the weightiest first; nothing for what only confirms."""
    groups: dict[tuple[Drift, int, bool], list[OriginChange]] = defaultdict(list)
    for change in changes:
        if change.kind not in QUIET:
            groups[change.kind, change.asn, change.asn in change.origins].append(change)
    for (kind, asn, gained), group in groups.items():
        yield _renamed(group[0]) if kind is Drift.RENAMED else _moved(kind, asn, gained, group)


def _renamed(change: OriginChange) -> AlertNote:
    return AlertNote(
        kind=Drift.RENAMED,
        subject=f"AS{change.asn}",
        message=f"AS{change.asn} is held by {change.new_holder} now, before by {change.old_holder}",
        detail={"old_holder": change.old_holder, "new_holder": change.new_holder, "sources": [change.source]},
    )


def _moved(kind: Drift, asn: int, gained: bool, group: Sequence[OriginChange]) -> AlertNote:
    networks = list(dict.fromkeys(str(change.network) for change in group))
    more = f" and {len(networks) - _SHOWN} more" if len(networks) > _SHOWN else ""
    sources = sorted({change.source for change in group})
    return AlertNote(
        kind=kind,
        subject=f"AS{asn}",
        message=f"AS{asn} {_SAYS[kind, gained]} {', '.join(networks[:_SHOWN])}{more}; so {' and '.join(sources)}",
        detail={"networks": networks[:MAX_LISTED], "count": len(networks), "sources": sources},
    )


_SAYS: Final = {
    (Drift.NEW_ASN, True): "originated nothing of the list before, now",
    (Drift.LOST_ASN, False): "originates nothing of the list any more, before",
    (Drift.MOVED, True): "also originates",
    (Drift.MOVED, False): "does not originate any more, but others still do,",
    (Drift.NEW_PREFIX, True): "originates now",
    (Drift.LOST_PREFIX, False): "does not originate any more",
}
