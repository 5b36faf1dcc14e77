"""From indicators to a snapshot: merged, guarded, aggregated, addressed by its content.

Pure. Called by the controller after every resolve. It refuses (``GuardTripped``) rather than hand on a set that a guard
holds; the snapshot in force then stays.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from core.ids import SnapshotId
from core.net import DomainName, Network, parse_network, sort_key
from ipsets.catalogue import Catalogue
from ipsets.confidence import agreed
from ipsets.errors import GuardTripped, SnapshotCorrupt
from ipsets.guard import GuardLimits, NeverBlock, hold_sets
from ipsets.model import Confidence, Dedication, Indicator, Provenance, ServiceSet, Snapshot, Verdict, in_order
from ipsets.selection import Selector
from ipsets.text import MISWRITTEN, canonical, entry_text, instant, one_line, pack, read_domain, sha256, unpack, worded

_RANK: Final = {
    Dedication.NEVER: 0,
    Dedication.DEDICATED: 1,
    Dedication.SHARED: 2,
    Dedication.CLAIMED: 3,
    Dedication.UNKNOWN: 4,
}
_TRUST: Final = {Confidence.HIGH: 0, Confidence.MEDIUM: 1, Confidence.LOW: 2}
FORMAT: Final = 1
_SHOWN: Final = 5
_LONGEST: Final = 300
"""Of what is said about stored content that cannot be used, in characters."""


def build_snapshot(
    indicators: Iterable[Indicator],
    *,
    catalogue: Catalogue,
    limits: GuardLimits,
    never_block: Sequence[NeverBlock],
    previous: Snapshot | None,
    source_ages: Mapping[str, datetime],
    now: datetime,
    force: bool = False,
    families: Mapping[str, str] | None = None,
) -> Snapshot:
    """The snapshot that these indicators make. ``force`` passes the churn guard, and no other.

    ``families`` names the voice that a source's word counts under, for sources that copy each other (``voices``).

    When nothing changed that would be enforced it is ``previous`` again (same id, birth and parent), with the
    provenance, verdicts and source ages of now.

    Raises:
        GuardTripped: a guard holds the whole set; ``verdicts`` says all that were held.
    """
    words = tuple(indicators)
    merged = tuple(agreed(i, families or {}) for i in merge(words))
    selector = Selector(catalogue, limits, never_block, declared=merged, words=words, families=families or {})
    services: list[ServiceSet] = []
    dropped: set[Verdict] = set()
    for name in sorted(catalogue.services):
        service, verdicts = selector.service(catalogue.services[name], merged)
        services.append(service)
        dropped.update(verdicts)
    dropped.update(selector.nobodys(merged))
    _hold(services, previous, limits, force=force, dropped=dropped)
    found = content_id(services)
    same = previous is not None and previous.id == found
    return Snapshot(
        id=found,
        created_at=previous.created_at if previous and same else now,
        parent=previous.parent if previous and same else previous.id if previous else None,
        services=tuple(services),
        indicators=merged,
        dropped=in_order(dropped),
        source_ages=tuple(sorted(source_ages.items())),
    )


def content_id(services: Iterable[ServiceSet]) -> SnapshotId:
    """sha256 over what would be enforced. Who confirmed an entry, and when, makes no new snapshot."""
    content = [
        {
            "service": service.service,
            "networks": [str(n) for n in service.networks],
            "domains": [entry_text(d) for d in service.domains],
            **_allows(service),
        }
        for service in services
    ]
    return SnapshotId(sha256(canonical(content)))


def _allows(service: ServiceSet) -> dict[str, list[str]]:
    """Nothing where there is none, so that ids and texts are those of versions that knew no allows."""
    return {"allows": [str(n) for n in service.allows]} if service.allows else {}


# --- merging ----------------------------------------------------------------------------------------------------------


def merge(indicators: Iterable[Indicator]) -> tuple[Indicator, ...]:
    """One indicator for each (value, app): the firmest dedication and confidence, and every source. Sorted."""
    found: dict[tuple[Network | DomainName, str], list[Indicator]] = defaultdict(list)
    for indicator in indicators:
        found[indicator.value, indicator.app].append(indicator)
    merged = (group[0] if len(group) == 1 else _merged(group) for group in found.values())
    return tuple(sorted(merged, key=lambda i: (*_order(i.value), i.app)))


def _order(value: Network | DomainName) -> tuple[int, int, int, str]:
    if isinstance(value, DomainName):
        return 9, 0, int(value.suffix), value.name
    return (*sort_key(value), "")


def _merged(group: Sequence[Indicator]) -> Indicator:
    best = min(group, key=lambda i: (_RANK[i.dedication], _TRUST[i.confidence], i.category))
    sources: dict[str, Provenance] = {}
    for provenance in sorted((p for i in group for p in i.sources), key=lambda p: (p.source, p.last_seen, p.detail)):
        before = sources.get(provenance.source)
        first = min(before.first_seen, provenance.first_seen) if before else provenance.first_seen
        sources[provenance.source] = Provenance(
            source=provenance.source, first_seen=first, last_seen=provenance.last_seen, detail=provenance.detail
        )
    return Indicator(
        value=best.value,
        app=best.app,
        category=best.category,
        confidence=min((i.confidence for i in group), key=_TRUST.__getitem__),
        dedication=best.dedication,
        sources=tuple(sources.values()),
    )


# --- the whole set ----------------------------------------------------------------------------------------------------


def _hold(
    services: Sequence[ServiceSet],
    previous: Snapshot | None,
    limits: GuardLimits,
    *,
    force: bool,
    dropped: Iterable[Verdict],
) -> None:
    if verdicts := hold_sets(services, previous.services if previous else (), limits, force=force):
        raise _tripped(verdicts, in_order(dropped))


def _tripped(verdicts: tuple[Verdict, ...], dropped: tuple[Verdict, ...]) -> GuardTripped:
    said = "; ".join(f"guard {v.guard}: {v.entry} {v.reason}" for v in verdicts)
    named = ", ".join(f"{v.entry} ({v.guard})" for v in dropped[:_SHOWN])
    also = f"; {len(dropped)} entries were dropped: {named}{' …' if len(dropped) > _SHOWN else ''}" if dropped else ""
    forcible = all(v.guard == "churn" for v in verdicts)
    way = "if it is right, refresh again with --force" if forcible else "raise intelligence.guard, or repair the source"
    return GuardTripped(
        f"{said}{also}",
        hint=f"the snapshot in force stays; look at `tokgate intel sources`; {way}",
        verdicts=(*verdicts, *dropped),
    )


# --- as text ----------------------------------------------------------------------------------------------------------


def dumps(snapshot: Snapshot) -> str:
    """Canonical JSON with a checksum over all of it, besides the id over what is enforced."""
    content = {
        "format": FORMAT,
        "id": snapshot.id,
        "created_at": snapshot.created_at.isoformat(),
        "parent": snapshot.parent,
        "services": [
            {
                "service": s.service,
                "networks": [str(n) for n in s.networks],
                "domains": [entry_text(d) for d in s.domains],
                **_allows(s),
            }
            for s in snapshot.services
        ],
        "indicators": pack(snapshot.indicators),
        "dropped": [[v.guard, v.entry, v.held, v.reason] for v in snapshot.dropped],
        "source_ages": [[name, at.isoformat()] for name, at in snapshot.source_ages],
    }
    return canonical({"checksum": sha256(canonical(content)), "content": content})


def loads(text: str) -> Snapshot:
    """The snapshot that ``dumps`` wrote. Raises ``SnapshotCorrupt`` when a single character differs."""
    try:
        wrapped = json.loads(text)
        content = wrapped["content"]
        intact = sha256(canonical(content)) == wrapped["checksum"] and canonical(wrapped) == text
        snapshot = _read(content) if intact else None
    except MISWRITTEN as exc:
        raise _corrupt(one_line(f"{type(exc).__name__}: {exc}", _LONGEST)) from exc
    if snapshot is None or content_id(snapshot.services) != snapshot.id:
        raise _corrupt("its content does not match its checksum")
    return snapshot


def _read(content: Any) -> Snapshot:
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']!r}")
    indicators = unpack(content["indicators"])
    known = {str(i.value): i.value for i in indicators if not isinstance(i.value, DomainName)}
    return Snapshot(
        id=SnapshotId(worded(content["id"])),
        created_at=instant(content["created_at"]),
        parent=SnapshotId(worded(content["parent"])) if content["parent"] is not None else None,
        services=tuple(
            ServiceSet(
                service=worded(s["service"]),
                networks=tuple(known.get(n) or parse_network(n) for n in s["networks"]),
                domains=tuple(read_domain(d) for d in s["domains"]),
                allows=tuple(parse_network(n) for n in s.get("allows", ())),
            )
            for s in content["services"]
        ),
        indicators=indicators,
        dropped=tuple(_verdict(*fields) for fields in content["dropped"]),
        source_ages=tuple((worded(name), instant(at)) for name, at in content["source_ages"]),
    )


def _verdict(guard: Any, entry: Any, held: Any, reason: Any) -> Verdict:
    if not isinstance(held, bool):
        raise TypeError("a verdict holds, or it does not")
    return Verdict(guard=worded(guard), entry=worded(entry), held=held, reason=worded(reason))


def _corrupt(why: str) -> SnapshotCorrupt:
    return SnapshotCorrupt(
        f"a stored snapshot cannot be used: {why}",
        hint="what is enforced stays; run `tokgate intel refresh`, or restore a backup",
    )
