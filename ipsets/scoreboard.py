"""What each source is worth beside the others: its size, what only it names, how late it is, and whether it is right.

Pure, and asked for by a person: it decides nothing. Everything is counted on packed keys and ranges (``core.net``), so
a quarter of a million entries take a few seconds.

A source *holds* an entry when it names it, or when what it names covers the whole of it: a wider block, two halves, a
name above. Declarations (never blocked) are compared with declarations, and words about the service with such words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median_low
from typing import Final, TypeAlias

from core.net import WIDTH, Address, DomainName, Network, Span, pack, spans_of
from ipsets import dataset
from ipsets.catalogue import shared_cdn_ranges
from ipsets.guard import parents
from ipsets.model import Dedication, Indicator
from ipsets.resolve import SourceRecord

MAX_OVERLAPS: Final = 5
"""Of each source, the largest."""
ROUTED: Final = frozenset({"ripestat", "curated"})
"""Kinds that know who originates a prefix."""
_V6_UNIT: Final = 80
"""Bits of a /48 that are free: IPv6 is counted in such networks."""
_FAMILY: Final = 140
"""Bits of a key; the family stands above them."""
_ADMITTED: Final = (Dedication.SHARED, Dedication.NEVER)
"""What a source itself calls somebody else's is no claim."""

Key: TypeAlias = int | DomainName
"""An entry: a name, or a network's key with its family above."""
Word: TypeAlias = tuple[Key, Indicator]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How many of a source's entries another one holds, too. ``share`` is of this source's entries."""

    source: str
    entries: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How long after the first source this one named an entry.

    Only of entries whose first mention was news: some source named it first after its own first answer, and this source
    was asked already. What was there from the beginning has no date. ``median`` is None when there is no such entry.
    """

    median: timedelta | None
    entries: int
    not_named: int
    """Entries of other sources that this one does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """Whose the addresses are that a source claims, by routing: the service's own, the owner's shared networks', those
    of content networks, clouds and their customers, or nobody knows."""

    own: int
    shared: int
    cdn: int
    unknown: int

    @property
    def share(self) -> float | None:
        """Of the service's own; None when it claims no address."""
        return self.of(self.own)

    def of(self, part: int) -> float | None:
        """A part of all as a share."""
        total = self.own + self.shared + self.cdn + self.unknown
        return part / total if total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One source beside the others. ``networks_v6`` counts /48 networks."""

    source: str
    entries: int
    networks: int
    domains: int
    addresses_v4: int
    networks_v6: int
    unique: int
    overlaps: tuple[Overlap, ...]
    lag: Lag
    precision_v4: Precision
    precision_v6: Precision

    @property
    def unique_share(self) -> float | None:
        return self.unique / self.entries if self.entries else None


def scoreboard(records: Iterable[SourceRecord]) -> tuple[Score, ...]:
    """Every source's score, in the order of the records."""
    known = tuple(records)
    said = [[(_key(i.value), i) for i in record.indicators] for record in known]
    claims = _Side([_words(own, declared=False) for own in said])
    declarations = _Side([_words(own, declared=True) for own in said])
    ground = _Ground(known, said)
    lags = _lags([{**c, **_apart(d)} for c, d in zip(claims.words, declarations.words, strict=True)], known)
    sides = (claims, declarations)
    return tuple(_score(at, known, said[at], sides, ground, lags[at]) for at in range(len(known)))


def _score(
    at: int,
    known: Sequence[SourceRecord],
    said: Sequence[Word],
    sides: Sequence[_Side],
    ground: _Ground,
    lags: Sequence[timedelta],
) -> Score:
    masks: Counter[int] = Counter()
    for side in sides:
        masks.update(side.masks(at))
    own = {version: spans_of(_of(version, (key for key, _ in said)), version) for version in WIDTH}
    entries = sum(masks.values())
    return Score(
        source=known[at].name,
        entries=entries,
        networks=entries - sum(side.names(at) for side in sides),
        domains=sum(side.names(at) for side in sides),
        addresses_v4=_size(own[4]),
        networks_v6=_size(own[6]) >> _V6_UNIT,
        unique=masks[1 << at],
        overlaps=_overlaps(at, masks, entries, known),
        lag=Lag(
            median=median_low(lags) if lags else None,
            entries=len(lags),
            not_named=sum(side.missing(at) for side in sides if side.words[at]),
        ),
        precision_v4=ground.precision(said, 4),
        precision_v6=ground.precision(said, 6),
    )


def _overlaps(at: int, masks: Mapping[int, int], entries: int, known: Sequence[SourceRecord]) -> tuple[Overlap, ...]:
    held: dict[int, int] = defaultdict(int)
    for mask, count in masks.items():
        for other in _bits(mask & ~(1 << at)):
            held[other] += count
    best = sorted(held.items(), key=lambda found: (-found[1], known[found[0]].name))[:MAX_OVERLAPS]
    return tuple(Overlap(source=known[o].name, entries=count, share=count / entries) for o, count in best)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


# --- who holds what ---------------------------------------------------------------------------------------------------


class _Side:
    """All words of one meaning, and which sources hold each entry of any: a bit for each source."""

    def __init__(self, words: Sequence[Mapping[Key, datetime]]) -> None:
        self.words = words
        keys = [{version: _of(version, own) for version in WIDTH} for own in words]
        self._masks: dict[Key, int] = {}
        for version in WIDTH:
            self._masks |= _network_masks([own[version] for own in keys], version)
        self._masks |= _name_masks([{w for w in own if isinstance(w, DomainName)} for own in words])
        self._by_mask = Counter(self._masks.values())

    def masks(self, at: int) -> Counter[int]:
        """How many of a source's entries are held by which sources."""
        return Counter(map(self._masks.__getitem__, self.words[at]))

    def names(self, at: int) -> int:
        return sum(isinstance(word, DomainName) for word in self.words[at])

    def missing(self, at: int) -> int:
        """Entries of others that this source does not hold."""
        return sum(count for mask, count in self._by_mask.items() if not mask >> at & 1)


def _network_masks(keys: Sequence[Sequence[int]], version: int) -> dict[Key, int]:
    """One sweep over all entries for each source."""
    every = sorted({key for own in keys for key in own})
    lasts = [(key >> 8) + (1 << (WIDTH[version] - (key & 255))) - 1 for key in every]
    masks = [0] * len(every)
    for at, own in enumerate(keys):
        _sweep(every, lasts, spans_of(own, version), masks, 1 << at)
    return {version << _FAMILY | key: mask for key, mask in zip(every, masks, strict=True)}


def _sweep(keys: Sequence[int], lasts: Sequence[int], held: Sequence[Span], masks: list[int], bit: int) -> None:
    """Set the bit of each entry that one of the ranges holds. Both are sorted, so each is walked once."""
    ranges = iter(held)
    first, last = next(ranges, (-1, -1))
    for at, key in enumerate(keys):
        start = key >> 8
        while last < start:
            first, last = next(ranges, (-1, -1))
            if first < 0:
                return
        if first <= start and lasts[at] <= last:
            masks[at] |= bit


def _name_masks(names: Sequence[Iterable[DomainName]]) -> dict[Key, int]:
    above: dict[str, int] = defaultdict(int)
    exact: dict[str, int] = defaultdict(int)
    for at, own in enumerate(names):
        for name in own:
            (above if name.suffix else exact)[name.name] |= 1 << at
    found: dict[Key, int] = {}
    for name in {name for own in names for name in own}:
        mask = 0 if name.suffix else exact.get(name.name, 0)
        for parent in parents(name.name):
            mask |= above.get(parent, 0)
        found[name] = mask
    return found


def _words(said: Iterable[Word], *, declared: bool) -> dict[Key, datetime]:
    """What a source says now in one meaning, and since when."""
    found: dict[Key, datetime] = {}
    for key, i in said:
        if (i.dedication is Dedication.NEVER) is declared:
            first = min(p.first_seen for p in i.sources) if len(i.sources) > 1 else i.sources[0].first_seen
            known = found.get(key)
            found[key] = first if known is None or first < known else known
    return found


def _key(value: Network | DomainName) -> Key:
    return value if isinstance(value, DomainName) else value.version << _FAMILY | pack(value)


def _of(version: int, words: Iterable[Key]) -> list[int]:
    """The keys of the networks of one family."""
    low = (1 << _FAMILY) - 1
    return [word & low for word in words if not isinstance(word, DomainName) and word >> _FAMILY == version]


def _size(ranges: Iterable[Span]) -> int:
    return sum(last - first + 1 for first, last in ranges)


# --- how late ---------------------------------------------------------------------------------------------------------


def _apart(words: Mapping[Key, datetime]) -> dict[Key, datetime]:
    """The same, told apart from words of the other meaning: a declaration is not late because a list came first."""
    return {
        DomainName(f"!{key.name}", suffix=key.suffix) if isinstance(key, DomainName) else -key: at
        for key, at in words.items()
    }


def _lags(words: Sequence[Mapping[Key, datetime]], records: Sequence[SourceRecord]) -> list[list[timedelta]]:
    """Of each source, how long after the first each of its entries came, where that can be known (``Lag``)."""
    begun = [_begun(record) for record in records]
    first: dict[Key, tuple[datetime, int]] = {}
    several: set[Key] = set()
    for at, own in enumerate(words):
        for key, seen in own.items():
            known = first.get(key)
            if known is not None:
                several.add(key)
            if known is None or seen < known[0]:
                first[key] = (seen, at)
    news = {key: first[key][0] for key in several if _is_news(first[key][0], begun[first[key][1]])}
    return [_late(own, news, since) for own, since in zip(words, begun, strict=True)]


def _is_news(seen: datetime, begun: datetime | None) -> bool:
    return begun is not None and seen > begun


def _late(own: Mapping[Key, datetime], news: Mapping[Key, datetime], since: datetime | None) -> list[timedelta]:
    named = ((seen, news.get(key)) for key, seen in own.items()) if since is not None else ()
    return [seen - first for seen, first in named if first is not None and since is not None and since <= first]


def _begun(record: SourceRecord) -> datetime | None:
    """When it first answered; of a record of an older version, its oldest word."""
    if record.conduct.first_success is not None:
        return record.conduct.first_success
    return min((p.first_seen for i in record.indicators for p in i.sources), default=None)


# --- how right --------------------------------------------------------------------------------------------------------


class _Ground:
    """Whose addresses are whose: what live and shipped routing says, and what operators publish."""

    def __init__(self, records: Iterable[SourceRecord], said: Iterable[Iterable[Word]]) -> None:
        own, shared, cdn = list(dataset.dedicated_prefixes()), list[Network](), list(shared_cdn_ranges())
        for row in dataset.prefixes():
            if row.dedication == "shared":
                shared.append(row.network)
            elif row.dedication == "cloud-customers":
                cdn.append(row.network)
        keys = {Dedication.DEDICATED: list(map(_key, own)), Dedication.SHARED: list(map(_key, shared))}
        never = list(map(_key, cdn))
        for record, words in zip(records, said, strict=True):
            for key, i in words:
                if i.dedication is Dedication.NEVER:
                    never.append(key)
                elif record.kind in ROUTED and i.dedication in keys:
                    keys[i.dedication].append(key)
        dedicated, owners = keys[Dedication.DEDICATED], keys[Dedication.DEDICATED] + keys[Dedication.SHARED]
        self._own, self._owner, self._known = _ranges(dedicated), _ranges(owners), _ranges([*owners, *never])

    def precision(self, said: Iterable[Word], version: int) -> Precision:
        """What is claimed, each address once: in the first of these that holds it."""
        claimed = spans_of(_of(version, (key for key, i in said if i.dedication not in _ADMITTED)), version)
        own = _common(claimed, self._own[version])
        owner = _common(claimed, self._owner[version])
        known = _common(claimed, self._known[version])
        return Precision(own=own, shared=owner - own, cdn=known - owner, unknown=_size(claimed) - known)


def _ranges(keys: Sequence[Key]) -> dict[int, list[Span]]:
    return {version: spans_of(_of(version, keys), version) for version in WIDTH}


def _common(some: Sequence[Span], others: Sequence[Span]) -> int:
    """How many addresses two sorted lists of ranges share."""
    left = right = shared = 0
    while left < len(some) and right < len(others):
        first, last = max(some[left][0], others[right][0]), min(some[left][1], others[right][1])
        if first <= last:
            shared += last - first + 1
        if some[left][1] < others[right][1]:
            left += 1
        else:
            right += 1
    return shared


# --- what it caught ---------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Caught:
    """What of the recorded hits went to addresses that one source names. None: some device did not count them."""

    events: int = 0
    packets: int | None = 0


@dataclass(slots=True)
class Tally:
    """Recorded hits, told apart by who names their destinations.

    Names are not told apart: what a device recorded is an address. A hit on an address that a gateway learnt from a DNS
    answer belongs to no source, unless one names that address too.
    """

    records: Sequence[SourceRecord]
    events: int = 0
    without_destination: int = 0
    """Events of devices that do not record where to."""
    of_nobody: int = 0
    """Events none of whose destinations is named by any source."""
    caught: list[Caught] = field(init=False)
    _held: list[dict[int, tuple[list[Span], list[int]]]] = field(init=False)
    _known: dict[Address, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.caught = [Caught() for _ in self.records]
        named = ([_key(i.value) for i in r.indicators if i.dedication is not Dedication.NEVER] for r in self.records)
        ranges = [_ranges(keys) for keys in named]
        self._held = [{v: (own[v], [first for first, _ in own[v]]) for v in WIDTH} for own in ranges]

    def add(self, destinations: Iterable[tuple[Address, int | None]]) -> None:
        """One event: where it went to, and with how many packets."""
        self.events += 1
        packets: dict[int, int | None] = {}
        seen = False
        for address, count in destinations:
            seen = True
            for at in _bits(self._mask(address)):
                packets[at] = _plus(packets.get(at, 0), count)
        self.without_destination += not seen
        self.of_nobody += seen and not packets
        for at, total in packets.items():
            self.caught[at].events += 1
            self.caught[at].packets = _plus(self.caught[at].packets, total)

    def _mask(self, address: Address) -> int:
        known = self._known.get(address)
        if known is None:
            number = int(address)
            known = sum(1 << at for at, own in enumerate(self._held) if _holds(*own[address.version], number))
            self._known[address] = known
        return known


def _holds(ranges: Sequence[Span], starts: Sequence[int], number: int) -> bool:
    at = bisect_right(starts, number) - 1
    return at >= 0 and number <= ranges[at][1]


def _plus(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
