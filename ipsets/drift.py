"""Which networks originate what, and who holds those; what of that is different between two snapshots.

Before a list is wrong, it moves.

Pure. Only words about routing count (a live source's *announced by*, the shipped set's *originated by*): a route object
or an authorisation says what may be, not what is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from core.net import DomainName, Network, sort_key
from ipsets.model import Dedication, Indicator, Snapshot

_ROUTED: Final = re.compile(r"(?:announced|originated) by (?P<asns>AS\d{1,10}(?: and AS\d{1,10})*)\b")
_HELD: Final = re.compile(r"announced by AS(?P<asn>\d{1,10}), held by (?P<holder>.+)")
Word = tuple[Network, int, str]
"""A prefix, who originates it, and the source that says so."""
Holders = Mapping[tuple[int, str], str]
"""Who holds a network, as one source says."""


class Drift(StrEnum):
    """What is different, the weightiest first."""

    NEW_ASN = "new-asn"  # originated nothing of it before
    LOST_ASN = "lost-asn"  # originates nothing of it any more
    RENAMED = "renamed"  # the registry names another holder of a network
    MOVED = "moved"  # a known prefix got or lost an origin
    NEW_PREFIX = "new-prefix"
    LOST_PREFIX = "lost-prefix"
    CONFIRMED = "confirmed"  # another source says the same now
    UNCONFIRMED = "unconfirmed"  # one source less says it


QUIET: Final = frozenset({Drift.CONFIRMED, Drift.UNCONFIRMED})
"""Nobody originates anything else because of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginChange:
    """One source's word more or less. ``origins`` are all of the prefix afterwards, whoever says so.

    ``RENAMED`` is about all of a network: it has no prefix and no origins, and only it has holders.
    """

    kind: Drift
    network: Network | None
    asn: int
    source: str
    origins: tuple[int, ...]
    old_holder: str | None = None
    new_holder: str | None = None


def origin_drift(old: Snapshot, new: Snapshot) -> tuple[OriginChange, ...]:
    """What is different between the words of two snapshots: ``drift_between``."""
    return drift_between(old.indicators, new.indicators)


def drift_between(old: Collection[Indicator], new: Collection[Indicator]) -> tuple[OriginChange, ...]:
    """Every word about origins that one has and the other has not, and every network that has another holder in each.

    The weightiest first, then by address. What neighbours announce counts only where it is, or was, of the service.
    """
    ours = {i.value for i in (*old, *new) if i.dedication is not Dedication.NEVER}
    before, after = (set(_words(i for i in words if i.value in ours)) for words in (old, new))
    was, now = _origins(before), _origins(after)
    had, has = {asn for _, asn, _ in before}, {asn for _, asn, _ in after}
    more = (_change(word, _GAINED, asns=had, there=was, now=now) for word in after - before)
    less = (_change(word, _LOST, asns=has, there=now, now=now) for word in before - after)
    return tuple(sorted((*more, *less, *_renamed(_holders(old), _holders(new))), key=_order))


def _renamed(was: Holders, now: Holders) -> Iterator[OriginChange]:
    """A holder that is told for the first time, or no more, is no other holder."""
    for asn, source in was.keys() & now.keys():
        old, new = was[asn, source], now[asn, source]
        if old != new:
            yield OriginChange(
                kind=Drift.RENAMED, network=None, asn=asn, source=source, origins=(), old_holder=old, new_holder=new
            )


def _holders(indicators: Iterable[Indicator]) -> Holders:
    """Of two words of one source, the later one counts: two configured sources may share what they are called here."""
    words = {
        (provenance.last_seen, held["holder"], int(held["asn"]), provenance.source)
        for indicator in indicators
        for provenance in indicator.sources
        if (held := _HELD.fullmatch(provenance.detail))
    }
    return {(asn, source): holder for _, holder, asn, source in sorted(words)}


def _words(indicators: Iterable[Indicator]) -> Iterator[Word]:
    for indicator in indicators:
        if isinstance(indicator.value, DomainName):
            continue
        for provenance in indicator.sources:
            for asn in _routed(provenance.detail):
                yield indicator.value, asn, provenance.source


def origins_of(indicator: Indicator) -> frozenset[int]:
    """Every network (AS) that originates it, whoever says so; empty for names, and when nobody told."""
    return frozenset(asn for provenance in indicator.sources for asn in _routed(provenance.detail))


def _routed(detail: str) -> tuple[int, ...]:
    found = _ROUTED.match(detail)
    return tuple(int(asn.removeprefix("AS")) for asn in found["asns"].split(" and ")) if found else ()


def _origins(words: set[Word]) -> Mapping[Network, set[int]]:
    found: dict[Network, set[int]] = defaultdict(set)
    for network, asn, _ in words:
        found[network].add(asn)
    return dict(found)


_GAINED: Final = (Drift.NEW_ASN, Drift.NEW_PREFIX, Drift.CONFIRMED)
_LOST: Final = (Drift.LOST_ASN, Drift.LOST_PREFIX, Drift.UNCONFIRMED)


def _change(
    word: Word,
    kinds: tuple[Drift, Drift, Drift],
    *,
    asns: set[int],
    there: Mapping[Network, set[int]],
    now: Mapping[Network, set[int]],
) -> OriginChange:
    """The change that ``word`` is, when ``asns`` and ``there`` are what the other snapshot says."""
    network, asn, source = word
    of_asn, of_prefix, of_source = kinds
    if asn not in asns:
        kind = of_asn
    elif network not in there:
        kind = of_prefix
    else:
        kind = of_source if asn in there[network] else Drift.MOVED
    origins = tuple(sorted(now.get(network, ())))
    return OriginChange(kind=kind, network=network, asn=asn, source=source, origins=origins)


def _order(change: OriginChange) -> tuple[int, tuple[int, int, int], int, str]:
    place = (0, 0, 0) if change.network is None else sort_key(change.network)
    return list(Drift).index(change.kind), place, change.asn, change.source
