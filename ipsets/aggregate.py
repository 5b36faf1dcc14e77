"""Fewer entries without one address more: never-block ranges cut out, and a list made to fit a small device.

Pure. Called by the guards (``carve``), and by whoever has a budget of entries (``valued``, ``summarise``). It never
widens an entry to save a place: what does not fit is left out, and said. The interval arithmetic is ``core.net``'s.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Final

from core.net import DomainName, Network, Ranges, address_count, aggregate, sort_key, span_of, subtract
from ipsets.model import Indicator

MAX_PIECES: Final = 64
"""More pieces than this are not made of one entry."""


# --- never-block ranges, with a cap on pieces -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Carved:
    """What to deny, and what must stand allowed above it: together exactly the entries without the never-block ranges.

    ``allow`` is empty unless an entry stayed whole because it would have become too many pieces.
    """

    deny: tuple[Network, ...]
    allow: tuple[Network, ...]


NOTHING: Final = Carved(deny=(), allow=())


def carve(network: Network, never: Ranges, *, max_pieces: int = MAX_PIECES) -> Carved:
    """``network`` without ``never``; in more than ``max_pieces`` pieces it stays whole, with the allows above it."""
    pieces = tuple(islice(never.pieces(network), max_pieces + 1))
    if len(pieces) <= max_pieces:
        return Carved(deny=pieces, allow=())
    return Carved(deny=(network,), allow=never.inside(network))


def carve_all(networks: Iterable[Network], never: Iterable[Network], *, max_pieces: int = MAX_PIECES) -> Carved:
    """Every entry of the aggregated ``networks`` carved; the cap counts for each of them. Both parts are aggregated."""
    ranges = Ranges(never)
    carved = [carve(network, ranges, max_pieces=max_pieces) for network in aggregate(networks)]
    return Carved(
        deny=tuple(network for part in carved for network in part.deny),
        allow=tuple(network for part in carved for network in part.allow),
    )


# --- to a budget of entries -------------------------------------------------------------------------------------------


class Criterion(StrEnum):
    """What makes an entry worth a place."""

    SOURCES = "sources"  # more sources named it
    RECENT = "recent"  # seen on a later day; sources are asked minutes apart, which says nothing
    SIZE = "size"  # it holds more; a /48 counts as a /24, the smallest blocks that are announced


ORDER: Final = (Criterion.SOURCES, Criterion.RECENT, Criterion.SIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Valued:
    """One entry and what speaks for it."""

    network: Network
    sources: int
    last_seen: datetime | None  # None: not known


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One entry that found no place, and why."""

    entry: Valued
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What fits, and exactly what does not. ``kept`` is in the order of addresses, ``left_out`` most valuable first."""

    kept: tuple[Network, ...]
    left_out: tuple[LeftOut, ...]
    addresses_left_out_v4: int  # in no entry that is kept
    addresses_left_out_v6: int
    budget: int
    order: tuple[Criterion, ...]


def summarise(entries: Iterable[Valued], *, budget: int, order: Sequence[Criterion] = ORDER) -> Summary:
    """The ``budget`` most valuable entries. What is equally valuable goes by address, so equal input is equal output.

    Give it aggregated networks: an entry inside another takes a place of its own. One network given twice is one entry,
    the more valuable one.

    Raises:
        ValueError: a budget below 0.
    """
    if budget < 0:
        raise ValueError(f"a budget of {budget} entries; give 0 or more")
    ranked = _ranked(entries, order)
    kept, left = ranked[:budget], ranked[budget:]
    lost = subtract((e.network for e in left), (e.network for e in kept))
    return Summary(
        kept=tuple(sorted((e.network for e in kept), key=sort_key)),
        left_out=tuple(LeftOut(entry=e, reason=_why(e, kept[-1] if kept else None, order)) for e in left),
        addresses_left_out_v4=address_count(lost, 4),
        addresses_left_out_v6=address_count(lost, 6),
        budget=budget,
        order=tuple(order),
    )


def _ranked(entries: Iterable[Valued], order: Sequence[Criterion]) -> list[Valued]:
    first: dict[Network, Valued] = {}
    for entry in sorted(entries, key=lambda e: (*(-_MEASURE[c](e) for c in order), *sort_key(e.network), *_rest(e))):
        first.setdefault(entry.network, entry)
    return list(first.values())


def _rest(entry: Valued) -> tuple[int, float]:
    """Settles which of two equal networks is told about, whatever the order says."""
    return -entry.sources, -(entry.last_seen.timestamp() if entry.last_seen else 0.0)


def _day(entry: Valued) -> int:
    return entry.last_seen.astimezone(UTC).toordinal() if entry.last_seen else 0


def _day_said(entry: Valued) -> str:
    return f"last seen {entry.last_seen.astimezone(UTC):%Y-%m-%d}" if entry.last_seen else "never seen"


def _size(entry: Valued) -> int:
    bits = 32 if entry.network.version == 4 else 56
    return 1 << max(0, bits - entry.network.prefixlen)


_MEASURE: Final[Mapping[Criterion, Callable[[Valued], int]]] = {
    Criterion.SOURCES: lambda entry: entry.sources,
    Criterion.RECENT: _day,
    Criterion.SIZE: _size,
}
_SAID: Final[Mapping[Criterion, Callable[[Valued], str]]] = {
    Criterion.SOURCES: lambda entry: f"{entry.sources} source{'' if entry.sources == 1 else 's'}",
    Criterion.RECENT: _day_said,
    Criterion.SIZE: lambda entry: f"a /{entry.network.prefixlen} of IPv{entry.network.version}",
}


def _why(entry: Valued, least: Valued | None, order: Sequence[Criterion]) -> str:
    if least is None:
        return "there is no place at all"
    for criterion in order:
        if _MEASURE[criterion](entry) != _MEASURE[criterion](least):
            return f"{_SAID[criterion](entry)}; the least of the kept, {least.network}: {_SAID[criterion](least)}"
    return f"worth as much as the least of the kept, {least.network}, and after it in the order of addresses"


def valued(networks: Iterable[Network], indicators: Iterable[Indicator]) -> tuple[Valued, ...]:
    """Disjoint networks with what speaks for each: every source that named a part of it or all of it, and when last.

    Give it the indicators of the service in question. What none of them names has no source, and was never seen.
    """
    shelf = _Shelf(networks)
    said: dict[Network, dict[str, datetime]] = {network: {} for network in shelf.networks}
    for indicator in indicators:
        if isinstance(indicator.value, DomainName):
            continue
        for network in shelf.touched(indicator.value):
            for provenance in indicator.sources:
                before = said[network].get(provenance.source, provenance.last_seen)
                said[network][provenance.source] = max(before, provenance.last_seen)
    return tuple(
        Valued(network=network, sources=len(seen), last_seen=max(seen.values(), default=None))
        for network, seen in said.items()
    )


class _Shelf:
    """Disjoint networks, found by what they touch."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self.networks = sorted(networks, key=sort_key)
        self._own = {version: [n for n in self.networks if n.version == version] for version in (4, 6)}
        self._starts = {version: [int(n.network_address) for n in own] for version, own in self._own.items()}

    def touched(self, network: Network) -> Iterator[Network]:
        first, last = span_of(network)
        own, starts = self._own[network.version], self._starts[network.version]
        for at in range(max(0, bisect_right(starts, first) - 1), bisect_right(starts, last)):
            if span_of(own[at])[1] >= first:
                yield own[at]
