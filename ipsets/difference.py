"""How two snapshots differ, entry by entry, and why: who began or stopped naming it, or which guard decided. Pure.

Exact addresses, not spellings. A reason is read from what both snapshots recorded; where they recorded nothing that is
different, it says so instead of guessing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

from core.net import DomainName, Network, keys_around, lengths_of, sort_key, span_of, subtract
from ipsets.model import Dedication, Indicator, Provenance, ServiceSet, Snapshot, Verdict
from ipsets.text import entry_text, read_entry

T = TypeVar("T")

RULES: Final = "what sources say of it is as before; the rules or the shipped data decide otherwise now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry more or less.

    ``sources`` name it, in the snapshot that has it. ``words`` are those of them that began to (of an entry more), or
    that stopped (of an entry less), with when; often none.
    """

    service: str
    entry: str
    reason: str
    sources: tuple[str, ...] = ()
    words: tuple[Provenance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotDiff:
    """What another snapshot has more and less, as it would be enforced."""

    added: tuple[Change, ...]
    removed: tuple[Change, ...]


def diff_snapshots(old: Snapshot, new: Snapshot) -> SnapshotDiff:
    """The difference, address by address: two /25 that become one /24 are no change."""
    before, after = _by_service(old), _by_service(new)
    names = sorted({*before, *after})
    was, now = _Record(old), _Record(new)
    return SnapshotDiff(
        added=tuple(_added(name, e, was, now) for name in names for e in _more(after.get(name), before.get(name))),
        removed=tuple(_removed(name, e, was, now) for name in names for e in _more(before.get(name), after.get(name))),
    )


def _by_service(snapshot: Snapshot) -> dict[str, ServiceSet]:
    return {service.service: service for service in snapshot.services}


def _more(one: ServiceSet | None, other: ServiceSet | None) -> Iterator[Network | DomainName]:
    if one is None:
        return
    yield from subtract(one.blocked, other.blocked if other else ())
    yield from sorted(set(one.domains) - set(other.domains if other else ()))


# --- reasons ----------------------------------------------------------------------------------------------------------


def _added(service: str, entry: Network | DomainName, was: _Record, now: _Record) -> Change:
    words, before = now.words(entry), was.words(entry)
    began = tuple(word for source, word in words.items() if source not in before)
    if began:
        reason = "; ".join(f"{w.source} names it since {_stamp(w.first_seen)}{_said(w)}" for w in began)
    elif verdict := was.verdict(entry):
        reason = f"taken out no more by {verdict.guard}: {verdict.reason}"
    else:
        reason = _otherwise(entry, was, now)
    return Change(service=service, entry=entry_text(entry), reason=reason, sources=tuple(words), words=began)


def _removed(service: str, entry: Network | DomainName, was: _Record, now: _Record) -> Change:
    words, after = was.words(entry), now.words(entry)
    stopped = tuple(word for source, word in words.items() if source not in after)
    told = "; ".join(f"{w.source} names it no more, last {_stamp(w.last_seen)}" for w in stopped)
    if verdict := now.verdict(entry):
        reason = f"{verdict.guard}: {verdict.reason}{f'; {told}' if told else ''}"
    else:
        reason = told or _otherwise(entry, was, now)
    return Change(service=service, entry=entry_text(entry), reason=reason, sources=tuple(words), words=stopped)


def _otherwise(entry: Network | DomainName, was: _Record, now: _Record) -> str:
    before, after = was.standing(entry), now.standing(entry)
    return RULES if before == after else f"it counts as {after or 'unknown'} now, before as {before or 'unknown'}"


def _said(word: Provenance) -> str:
    return f" ({word.detail})" if word.detail else ""


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%MZ}"


# --- looking up -------------------------------------------------------------------------------------------------------


class _Record:
    """What a snapshot recorded of an entry, or of a network around or inside it."""

    def __init__(self, snapshot: Snapshot) -> None:
        named = [i for i in snapshot.indicators if i.dedication is not Dedication.NEVER]
        self._named = _Entries((i.value, i) for i in named)
        self._dropped = _Entries(_read(snapshot.dropped))

    def words(self, entry: Network | DomainName) -> Mapping[str, Provenance]:
        """By source, sorted; of several words of one source, that about the nearest entry."""
        found: dict[str, Provenance] = {}
        for indicator in self._named.of(entry):
            for word in indicator.sources:
                found.setdefault(word.source, word)
        return dict(sorted(found.items()))

    def standing(self, entry: Network | DomainName) -> str:
        """What it counts as; empty for an entry that nobody names."""
        nearest: Indicator | None = next(self._named.of(entry), None)
        return f"{nearest.dedication}, confidence {nearest.confidence}" if nearest else ""

    def verdict(self, entry: Network | DomainName) -> Verdict | None:
        return next(self._dropped.of(entry), None)


def _read(verdicts: Iterable[Verdict]) -> Iterator[tuple[Network | DomainName, Verdict]]:
    for verdict in verdicts:
        try:
            yield read_entry(verdict.entry), verdict
        except ValueError:  # about no entry, but about the whole set
            continue


class _Entries(Generic[T]):
    """Values by entry, found from an entry near it."""

    def __init__(self, pairs: Iterable[tuple[Network | DomainName, T]]) -> None:
        self._names: dict[DomainName, list[T]] = defaultdict(list)
        self._blocks: dict[tuple[int, int, int], list[T]] = defaultdict(list)  # by sort_key
        for entry, value in pairs:
            if isinstance(entry, DomainName):
                self._names[entry].append(value)
            else:
                self._blocks[sort_key(entry)].append(value)
        self._sorted = sorted(self._blocks)
        self._lengths = lengths_of(self._blocks)

    def of(self, entry: Network | DomainName) -> Iterator[T]:
        """Of a name: exactly that. Of a network: what is about it or around it, the narrowest first, then inside it."""
        if isinstance(entry, DomainName):
            yield from self._names.get(entry, ())
            return
        for key in reversed([*keys_around(entry, self._lengths)]):
            yield from self._blocks.get(key, ())
        yield from self._inside(entry)

    def _inside(self, entry: Network) -> Iterator[T]:
        _, last = span_of(entry)
        own = sort_key(entry)
        at = bisect_left(self._sorted, own)
        while at < len(self._sorted) and self._sorted[at][:2] <= (entry.version, last):
            if self._sorted[at] != own:
                yield from self._blocks[self._sorted[at]]
            at += 1
