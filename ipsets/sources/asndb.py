"""Who originates what, from a table of routes that lies on the disk: a second voice that needs no internet.

The form is bgp.tools' ``table.jsonl`` (https://bgp.tools/kb/api): one object for each line, with ``CIDR``, ``ASN`` and
``Hits``. One prefix stands there once for each of its origins. The table says nothing about its own age, so it only
confirms; and what has few hits may be a leak, or somebody's mistake.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.net import Network, parse_network
from ipsets.errors import SourceImplausible
from ipsets.model import Indicator
from ipsets.sources.corroboration import corroboration
from ipsets.sources.document import Document
from ipsets.sources.http import KEPT
from ipsets.sources.source import Fetched, LastGood

KIND: Final = "asndb"
MIN_HITS: Final = 250
MAX_ROUTES: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """``asn`` originates ``network``, seen so often."""

    asn: int
    network: Network
    hits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AsndbSource:
    """What some networks originate, as a table says."""

    document: Document
    asns: tuple[int, ...]
    name: str = KIND
    kind: str = KIND
    max_shrink: float = 0.5
    min_hits: int = MIN_HITS

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        text = self.document.text(lines=True)
        routes = parse(text, asns=self.asns, min_hits=self.min_hits, place=self.document.place)
        most: dict[tuple[int, Network], Route] = {}
        for route in sorted(routes, key=lambda r: r.hits):
            most[route.asn, route.network] = route
        return Fetched(indicators=tuple(_indicator(route, now) for route in most.values()))


def _indicator(route: Route, now: datetime) -> Indicator:
    return corroboration(
        route.network,
        asn=route.asn,
        source=f"{KIND}:AS{route.asn}",
        seen=now,
        category="in-a-table",
        detail=f"of AS{route.asn} in a table of routes, {route.hits} hits",
    )


def parse(text: str, *, asns: Collection[int], min_hits: int, place: str) -> tuple[Route, ...]:
    """The routes of these networks with at least ``min_hits``. Pure.

    A table has a million lines. Each has to be an object of this form; only ours are looked at further.

    Raises:
        SourceImplausible: a line that is none (with its number), or no route of these networks.
    """
    wanted = frozenset(asns)
    found: list[Route] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            route = _route(line, wanted, min_hits)
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            why = f"no route of a table ({type(exc).__name__}): {exc}"
            raise SourceImplausible(f"{place}, line {number}: {why}"[:400], hint=KEPT) from exc
        if route is not None:
            found.append(route)
    if not found or len(found) > MAX_ROUTES:
        names = ", ".join(f"AS{asn}" for asn in asns)
        said = f"{len(found)} routes of {names} with {min_hits} hits or more"
        raise SourceImplausible(f"{place}: {said}", hint=f"check `asns` and `min_hits`; {KEPT}")
    return tuple(found)


def _route(line: str, wanted: Collection[int], min_hits: int) -> Route | None:
    """None when it is another network's, or has too few hits."""
    row = json.loads(line)
    asn, cidr, hits = row["ASN"], row["CIDR"], row["Hits"]
    if type(asn) is not int or type(hits) is not int or type(cidr) is not str:  # True is an int, and no number
        raise TypeError(f"CIDR {cidr!r}, ASN {asn!r}, Hits {hits!r}")
    if asn not in wanted or hits < min_hits:
        return None
    return Route(asn=asn, network=parse_network(cidr), hits=hits)
