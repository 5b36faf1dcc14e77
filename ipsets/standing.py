"""What the sources' last good answers are worth today: which words count, and how much. Pure.

Between what each source said (``resolve``) and what becomes of it all (``snapshot``). Nothing is left out here that was
not said to be: an entry that counts for less stays known, with the reason in its word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from core.net import DomainName, Ranges
from ipsets import dataset
from ipsets.ages import Ages, aged_out
from ipsets.confidence import lowered
from ipsets.judgement import ages_of, rules
from ipsets.model import Dedication, Indicator, noted
from ipsets.resolve import SourceRecord
from ipsets.sources.manual import KIND as MANUAL
from ipsets.sources.ripestat import KIND as RIPESTAT


def standing(
    records: Iterable[SourceRecord],
    *,
    ages: Mapping[str, Ages],
    own_word: Collection[str] = (),
    stale: Collection[str] = (),
) -> tuple[Indicator, ...]:
    """Every word that is known, weighed.

    ``ages`` by source, where the inventory says other than the rules; ``own_word``: sources whose word alone is enough,
    whatever routing says; ``stale``: those that have not answered for too long.
    """
    known = tuple(records)
    routes = _routes(known)
    found: list[Indicator] = []
    for record in known:
        words = _of(record, ages.get(record.name) or ages_of(record.kind))
        if record.name in stale:
            words = (lowered(i, "stale") for i in words)
        if record.kind not in (RIPESTAT, MANUAL) and record.name not in own_word:
            words = (routes.against(i) for i in words)
        found += words
    return tuple(found)


def _of(record: SourceRecord, ages: Ages) -> Iterator[Indicator]:
    """What the record says of now, and what it said not long ago."""
    if record.last_success is None:
        return
    for i in aged_out(record.indicators, ages, at=record.last_success, forget=record.kind in rules().seconding):
        yield lowered(i, "abandoned") if i.app == dataset.ABANDONED_APP else i
    for i in record.gone:
        yield lowered(i, "gone")


# --- the shipped set grows old ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Routes:
    """Which of the shipped prefixes the networks of their own do not announce any more, as a live source says."""

    held: Ranges
    outlived: Ranges
    said: str

    def against(self, indicator: Indicator) -> Indicator:
        """A word that rests on an outlived prefix is a claim: it needs a second voice."""
        value = indicator.value
        if isinstance(value, DomainName) or indicator.dedication is not Dedication.DEDICATED:
            return indicator
        if not self.outlived.touched(value) or self.held.holds(value):
            return indicator
        return noted(indicator, self.said, Dedication.CLAIMED)


def _routes(records: Iterable[SourceRecord]) -> _Routes:
    known = [(r, r.last_success) for r in records if r.kind == RIPESTAT and r.last_success is not None]
    # One on watch does not count in full, so what it seems not to announce is no word against anything.
    live = [(record, at) for record, at in known if at > dataset.as_of() and record.conduct.watch is None]
    words = [i for record, _ in live for i in record.indicators if i.dedication is not Dedication.NEVER]
    own = [i for i in words if i.dedication is Dedication.DEDICATED]
    held = _ranges(own)
    asked = {asn for i in words for p in i.sources if (asn := _asked_network(p.source)) is not None}
    outlived = [row.network for row in dataset.prefixes() if _own(row) <= asked and not held.holds(row.network)]
    of_owner = _ranges(words)
    lost = [n.network for n in dataset.literals() if n.owned and n.origin in asked and not of_owner.holds(n.network)]
    last = max((at for _, at in live), default=dataset.as_of())
    said = f"not announced by its owner's networks on {last:%Y-%m-%d}"
    return _Routes(held=held, outlived=Ranges((*outlived, *lost)), said=said)


def _asked_network(source: str) -> int | None:
    """The network that a live source's word is about; none for a word of before it was of that kind."""
    number = source.removeprefix(f"{RIPESTAT}:AS")
    return int(number) if number.isdecimal() else None


def _own(row: dataset.PrefixRow) -> set[int]:
    """The networks that make the prefix TikTok's alone; for what is not, one that nobody asks."""
    known = ((asn, dataset.as_numbers().get(asn)) for asn in row.origins)
    return {asn for asn, of in known if of is not None and of.dedication == "dedicated"} or {0}


def _ranges(indicators: Iterable[Indicator]) -> Ranges:
    return Ranges(i.value for i in indicators if not isinstance(i.value, DomainName))
