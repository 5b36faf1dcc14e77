"""How much of a network a snapshot covers, which parts of it, and why each part is or is not. Pure.

The network is cut wherever anything that is known begins or ends, so of all addresses in one part the same is true;
then the first of each is explained as any address is (``explain``). What lies outside all that is known needs no
explaining.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import Final

from core.net import (
    Address,
    DomainName,
    Network,
    Span,
    intersect,
    keys_around,
    lengths_of,
    overlaps,
    parse_network,
    sort_key,
    span_of,
    spans,
)
from ipsets import dataset
from ipsets.catalogue import Catalogue, shared_cdn_ranges
from ipsets.explain import Basis, Covering, Decision, Explanation, Extent, Part, explain, later
from ipsets.guard import NeverBlock
from ipsets.model import Indicator, ServiceSet, Snapshot, Verdict
from ipsets.text import entry_text

MAX_PARTS: Final = 200
"""That are told; the others are counted."""
MAX_KNOWN: Final = 200
"""Entries that sources named, and entries that are enforced, each."""
_UNKNOWN: Final = "no source names a network that holds it"


def explain_network(
    network: Network,
    snapshot: Snapshot,
    *,
    catalogue: Catalogue,
    never_block: Sequence[NeverBlock],
    at: datetime | None = None,
) -> Explanation:
    """Covered wholly, in part or not by ``snapshot``, and why; otherwise as ``explain``."""
    lookup = _Lookup.of(snapshot, network)
    blocked = spans(intersect((n for s in snapshot.services for n in s.blocked), [network]), network.version)
    named = [*lookup.networks(), *_rules(never_block, network)]
    told, left_out = _chosen(_segments(network, named, blocked))
    unknown = Decision(rule="unknown", entry=str(network), reason=_UNKNOWN, basis=Basis.SNAPSHOT)

    def why(segment: _Segment) -> tuple[tuple[Decision, ...], tuple[str, ...]]:
        if not segment.named:
            return (unknown,), ()
        first = _address(segment.version, segment.span[0])
        said = explain(first, lookup.around(first), catalogue=catalogue, never_block=never_block)
        return tuple(unknown if d.rule == unknown.rule else d for d in said.decisions), said.notes

    parts, notes = _parts(told, why)
    known = sorted(lookup.indicators(), key=lambda i: -_prefixlen(i))
    entries = [Covering(service=s.service, entry=str(n)) for s in lookup.services for n in s.networks]
    more = [(len(known) - MAX_KNOWN, "entries that sources named"), (len(entries) - MAX_KNOWN, "enforced entries")]
    found = Explanation(
        question=network,
        entries=tuple(entries[:MAX_KNOWN]),
        known=tuple(known[:MAX_KNOWN]),
        decisions=tuple(dict.fromkeys(d for p in sorted(parts, key=lambda p: not p.covered) for d in p.decisions)),
        notes=(*notes, *(f"{count} more {what} are left out" for count, what in more if count > 0)),
        extent=Extent(
            addresses=network.num_addresses,
            covered=sum(last - first + 1 for first, last in blocked),
            parts=parts,
            left_out=left_out,
        ),
    )
    return found if at is None else replace(found, notes=(*found.notes, *later(found, snapshot, at)))


def _prefixlen(indicator: Indicator) -> int:
    return -1 if isinstance(indicator.value, DomainName) else indicator.value.prefixlen


def _rules(never_block: Iterable[NeverBlock], network: Network) -> Iterator[Network]:
    """Every range that a rule speaks of, whole; also the rows that a rule's words are taken from."""
    tables: tuple[Iterable[Network], ...] = (
        *(block.networks for block in never_block),
        shared_cdn_ranges(),
        (row.network for row in dataset.cdn_ranges()),
        (row.network for row in dataset.prefixes()),
        (row.network for row in dataset.special_purpose()),
        (row.network for row in dataset.public_resolvers()),
    )
    return (n for table in tables for n in table if n.version == network.version and n.overlaps(network))


# --- cutting ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Segment:
    """Addresses that lie in the same known blocks. ``named``: in any at all."""

    version: int
    span: Span
    covered: bool
    named: bool


Why = Callable[[_Segment], tuple[tuple[Decision, ...], tuple[str, ...]]]
"""The decisions about all addresses of a segment, and notes."""


def _segments(network: Network, named: Sequence[Network], blocked: Sequence[Span]) -> list[_Segment]:
    """The network, cut wherever something begins or ends; sorted."""
    first, last = span_of(network)
    touched = spans(named, network.version)
    ends = [span_of(n) for n in named] + list(blocked)
    cuts = {first, last + 1, *(at for start, end in ends for at in (start, end + 1) if first < at <= last)}
    points = sorted(cuts)
    return [
        _Segment(network.version, (start, after - 1), _holds(blocked, start), _holds(touched, start))
        for start, after in pairwise(points)
    ]


def _holds(ranges: Sequence[Span], address: int) -> bool:
    """Whether one of these sorted, disjoint ranges holds it."""
    at = bisect_right(ranges, (address, 1 << 128)) - 1
    return at >= 0 and ranges[at][1] >= address


def _chosen(segments: Sequence[_Segment]) -> tuple[list[_Segment], int]:
    """As many as are told, what is covered before what is named before the rest; and how many are not."""
    ranked = sorted(segments, key=lambda s: (not s.covered, not s.named))
    return sorted(ranked[:MAX_PARTS], key=lambda s: s.span), max(len(ranked) - MAX_PARTS, 0)


def _parts(segments: Iterable[_Segment], why: Why) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """A part for each run of segments of which the same is told; and what is worth knowing besides."""
    parts: list[Part] = []
    notes: dict[str, None] = {}
    for segment in segments:
        first, last = (_address(segment.version, at) for at in segment.span)
        decisions, noted = why(segment)
        notes |= dict.fromkeys(noted)
        before = parts[-1] if parts else None
        if before and int(before.last) + 1 == int(first) and before.decisions == decisions:
            parts[-1] = replace(before, last=last)
        else:
            parts.append(Part(first=first, last=last, covered=segment.covered, decisions=decisions))
    return tuple(parts), tuple(notes)


def _address(version: int, at: int) -> Address:
    return IPv4Address(at) if version == 4 else IPv6Address(at)


# --- looking up -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lookup:
    """What of a snapshot touches one network, found by address without reading all of it."""

    snapshot: Snapshot
    services: tuple[ServiceSet, ...]
    blocks: dict[tuple[int, int, int], list[Indicator]]  # by sort_key
    lengths: dict[int, list[int]]
    dropped: dict[str, list[Verdict]]  # by entry

    @classmethod
    def of(cls, snapshot: Snapshot, network: Network) -> _Lookup:
        blocks: dict[tuple[int, int, int], list[Indicator]] = defaultdict(list)
        for i in snapshot.indicators:
            if not isinstance(i.value, DomainName) and overlaps([i.value], network):
                blocks[sort_key(i.value)].append(i)
        dropped: dict[str, list[Verdict]] = defaultdict(list)
        for verdict in snapshot.dropped:
            dropped[verdict.entry].append(verdict)
        services = tuple(
            replace(
                s,
                networks=tuple(n for n in s.networks if overlaps([n], network)),
                domains=(),
                allows=tuple(n for n in s.allows if overlaps([n], network)),
            )
            for s in snapshot.services
        )
        return cls(
            snapshot=snapshot, services=services, blocks=dict(blocks), lengths=lengths_of(blocks), dropped=dict(dropped)
        )

    def indicators(self) -> Iterator[Indicator]:
        return (i for key in sorted(self.blocks) for i in self.blocks[key])

    def networks(self) -> Iterator[Network]:
        """Everything of the snapshot that has a beginning and an end."""
        for service in self.services:
            yield from service.networks
            yield from service.allows
        for group in self.blocks.values():
            for i in group[:1]:
                if not isinstance(i.value, DomainName):
                    yield i.value

    def around(self, address: Address) -> Snapshot:
        """The snapshot, as if it held nothing but what holds this address."""
        host = parse_network(str(address))
        known = [i for key in keys_around(host, self.lengths) for i in self.blocks.get(key, ())]
        said = [v for i in known for v in self.dropped.get(entry_text(i.value), ())]
        services = tuple(
            replace(s, networks=_hold(s.networks, host), allows=_hold(s.allows, host)) for s in self.services
        )
        return replace(self.snapshot, services=services, indicators=tuple(known), dropped=tuple(said))


def _hold(networks: Sequence[Network], host: Network) -> tuple[Network, ...]:
    """That one of these sorted, disjoint networks which holds the host."""
    at = bisect_left(networks, sort_key(host), key=sort_key)
    return tuple(n for n in networks[max(at - 1, 0) : at + 1] if overlaps([n], host))
