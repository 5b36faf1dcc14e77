"""Who originates what, from a file that lies on the disk: a second voice that needs no internet.

Either a database in MaxMind's format (``mmdb``), which its content shows, or bgp.tools' ``table.jsonl``
(https://bgp.tools/kb/api): one object for each line, with ``CIDR``, ``ASN`` and ``Hits``. One prefix stands in a table
once for each of its origins. A table says nothing about its own age, so it only confirms; and what has few hits may be
a leak, or somebody's mistake.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from core.net import Network, parse_network
from ipsets.errors import SourceImplausible
from ipsets.model import Indicator
from ipsets.sources import mmdb
from ipsets.sources.corroboration import corroboration, refuse_odd
from ipsets.sources.document import bytes_of_file, text_of
from ipsets.sources.http import KEPT
from ipsets.sources.source import Fetched, LastGood
from ipsets.text import rows_of

KIND: Final = "asndb"
MIN_HITS: Final = 250
MAX_AGE: Final = timedelta(days=30)
"""Of a database. MaxMind asks for an update within so many days; who holds what changes every week."""
MAX_LINE: Final = 4096
"""Characters. A line of bgp.tools has about 60."""
GZIP: Final = b"\x1f\x8b"
_LINE: Final = re.compile(
    r'\{"CIDR":"[0-9a-fA-F.:]{2,39}/[0-9]{1,3}","ASN":(0|[1-9][0-9]{0,9}),"Hits":(0|[1-9][0-9]{0,9})\}\r?'
)
"""A line as bgp.tools writes it: nearly all are known as another network's without a reader of JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """``asn`` originates ``network``, seen so often."""

    asn: int
    network: Network
    hits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AsndbSource:
    """What some networks originate, as a table or a database says."""

    file: Path
    asns: tuple[int, ...]
    name: str = KIND
    kind: str = KIND
    max_shrink: float = 0.5
    min_hits: int = MIN_HITS
    max_age: timedelta = MAX_AGE
    max_bytes: int = 128 * 1024 * 1024

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        data, place = bytes_of_file(self.file, self.max_bytes), str(self.file)
        if mmdb.is_mmdb(data):
            database = mmdb.parse(data, asns=self.asns, now=now, max_age=self.max_age, place=place)
            refuse_odd([held.network for held in database.held], f"networks of {_names(self.asns)}", place)
            return Fetched(indicators=tuple(_held(held, database, now) for held in database.held))
        _refuse_binary(data, place)
        routes = parse(text_of(data, place), asns=self.asns, min_hits=self.min_hits, place=place)
        return Fetched(indicators=tuple(_route_seen(route, now) for route in _with_most_hits(routes)))


def _with_most_hits(routes: Iterable[Route]) -> Iterable[Route]:
    most: dict[tuple[int, Network], Route] = {}
    for route in sorted(routes, key=lambda r: r.hits):
        most[route.asn, route.network] = route
    return most.values()


def _route_seen(route: Route, now: datetime) -> Indicator:
    detail = f"of AS{route.asn} in a table of routes, {route.hits} hits"
    return _indicator(route.asn, route.network, now, detail)


def _held(held: mmdb.Held, database: mmdb.Database, now: datetime) -> Indicator:
    name = f" ({held.organisation})" if held.organisation else ""
    return _indicator(
        held.asn, held.network, now, f"of AS{held.asn}{name} in {database.kind} of {database.built:%Y-%m-%d}"
    )


def _indicator(asn: int, network: Network, now: datetime, detail: str) -> Indicator:
    return corroboration(
        network, asn=asn, source=f"{KIND}:AS{asn}", seen=now, category="in-a-table", detail=detail
    )  # fmt: skip


def _refuse_binary(data: bytes, place: str) -> None:
    """Raises ``SourceImplausible`` for what is no text, with what it may be."""
    if data.startswith(GZIP):
        raise SourceImplausible(f"{place}: packed with gzip", hint=f"unpack it first; {KEPT}")
    if b"\0" in data[:4096]:
        why = "neither text nor a whole database: the metadata at the end of a MaxMind database is not there"
        raise SourceImplausible(f"{place}: {why}", hint=f"fetch it again, it may be cut off; {KEPT}")


def _names(asns: Collection[int]) -> str:
    return ", ".join(f"AS{asn}" for asn in asns)


def parse(text: str, *, asns: Collection[int], min_hits: int, place: str) -> tuple[Route, ...]:
    """The routes of these networks with at least ``min_hits``. Pure.

    A table has a million lines. Each has to be an object with a text ``CIDR`` and whole numbers as ``ASN`` and
    ``Hits``; whether the text is a network is only looked at where it is ours.

    Raises:
        SourceImplausible: a line that is none (with its number), or no route of these networks.
    """
    wanted = frozenset(asns)
    found: list[Route] = []
    others = _LINE.fullmatch
    for number, line in enumerate(rows_of(text), start=1):
        if (quick := others(line)) and (int(quick[1]) not in wanted or int(quick[2]) < min_hits):
            continue
        if not line.strip():
            continue
        try:
            route = _route(line, wanted, min_hits)
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            why = f"no route of a table ({type(exc).__name__}): {exc}"
            raise SourceImplausible(f"{place}, line {number}: {why}"[:400], hint=KEPT) from exc
        if route is not None:
            found.append(route)
    refuse_odd([route.network for route in found], f"routes of {_names(asns)} with {min_hits} hits or more", place)
    return tuple(found)


def _route(line: str, wanted: Collection[int], min_hits: int) -> Route | None:
    """None when it is another network's, or has too few hits."""
    if len(line) > MAX_LINE:
        raise ValueError(f"a line of {len(line)} characters")
    row = json.loads(line)
    asn, cidr, hits = row["ASN"], row["CIDR"], row["Hits"]
    if type(asn) is not int or type(hits) is not int or type(cidr) is not str:  # True is an int, and no number
        raise TypeError(f"CIDR {cidr!r}, ASN {asn!r}, Hits {hits!r}")
    if asn not in wanted or hits < min_hits:
        return None
    return Route(asn=asn, network=parse_network(cidr), hits=hits)
