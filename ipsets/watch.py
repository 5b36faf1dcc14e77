"""Sources on watch: what they name from then on does not count, because of how they have behaved. Pure.

Rules are ``data/watch.yaml``. Called by the controller between asking the sources and weighing what they said. Watching
never takes anything away: what a source named before counts as before, and what it declares off limits counts always,
because that only ever spares others (decision 0010).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from core.net import WIDTH, DomainName, Network, Ranges, merge, pack
from ipsets import rulebook
from ipsets.conduct import APP, Conduct, Watch
from ipsets.dataset import shipped_bytes
from ipsets.guard import parents
from ipsets.model import Confidence, Dedication, Indicator, Snapshot, Verdict, in_order
from ipsets.resolve import SourceRecord
from ipsets.sources.config import AnySource, ListConfig
from ipsets.spans import Span, words
from ipsets.text import canonical, entry_text, sha256

GUARD: Final = "watched"
OURS: Final = frozenset({"curated", "manual", "catalogue"})
"""Kinds that change by our own hand: that they do says nothing about others."""


class Unchanged(BaseModel):
    """Of ``watch.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: Mapping[str, Span]
    own_changes: int = Field(ge=1)
    other_sources: int = Field(ge=1)
    resumed_changes: int = Field(ge=1)


class Growth(BaseModel):
    """Of ``watch.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factor: float = Field(gt=1)
    entries: int = Field(ge=1)
    addresses_v4: int = Field(ge=1)
    kinds: frozenset[str]


class Rules(BaseModel):
    """What ``watch.yaml`` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unchanged: Unchanged
    growth: Growth


@cache
def rules() -> Rules:
    return rulebook.shaped(Rules, shipped_bytes("watch.yaml"), place="watch.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the inventory says of a source: the kind that the rules know it by, and a digest of what it is asked."""

    kind: str
    digest: str


def watched(
    before: Mapping[str, SourceRecord],
    after: Iterable[SourceRecord],
    questions: Mapping[str, Asked],
) -> tuple[SourceRecord, ...]:
    """``after`` with each source's conduct, and with those on watch that the rules say."""
    followed = [_followed(before.get(r.name), r, questions.get(r.name)) for r in after]
    return tuple(_judged(before.get(r.name), r, questions.get(r.name), followed) for r in followed)


_HOW: Final = frozenset(
    {
        "stale_after",
        "age_out",
        "max_shrink",
        "timeout_seconds",
        "attempts",
        "pause_seconds",
        "total_seconds",
        "max_bytes",
    }
)
"""Keys that say how a source is asked, and not what."""


def asked(configs: Iterable[AnySource]) -> Mapping[str, Asked]:
    """By the name of the source."""
    return {c.name: Asked(kind=_kind(c), digest=_digest(c)) for c in configs}


def _kind(config: AnySource) -> str:
    if not isinstance(config, ListConfig):
        return config.kind
    return "own" if config.dedicated is True else f"{config.kind}/file" if config.file is not None else config.kind


def _digest(config: AnySource) -> str:
    return sha256(canonical(config.model_dump(mode="json", exclude=set(_HOW))))[:16]


# --- what it did ------------------------------------------------------------------------------------------------------


def _followed(old: SourceRecord | None, new: SourceRecord, question: Asked | None) -> SourceRecord:
    """The record with what this answer, if it is one, adds to its conduct."""
    if not _answered(old, new):
        return new
    digest = question.digest if question is not None else ""
    if old is None or old.last_success is None or _is_other(old.conduct, digest):
        return replace(new, conduct=Conduct(asked=digest, first_success=new.last_success, changed_at=new.last_success))
    conduct = replace(_known(old), asked=digest)
    if not _says_the_same(old, new):
        conduct = replace(conduct, changed_at=new.last_success, changes=conduct.changes + 1)
    return replace(new, conduct=conduct)


def _answered(old: SourceRecord | None, new: SourceRecord) -> bool:
    return new.last_success is not None and (old is None or old.last_success != new.last_success)


def _is_other(conduct: Conduct, digest: str) -> bool:
    return bool(conduct.asked) and conduct.asked != digest


def _known(record: SourceRecord) -> Conduct:
    """Its conduct; of a record that an older version wrote, what its words' dates tell."""
    if record.conduct.first_success is not None:
        return record.conduct
    dates = [p.first_seen for i in record.indicators for p in i.sources]
    first, last = min(dates, default=record.last_success), max(dates, default=record.last_success)
    return replace(record.conduct, first_success=first, changed_at=last)


def _says_the_same(old: SourceRecord, new: SourceRecord) -> bool:
    """Whatever the order, the dates and the details. Most lists keep their order, so most are not sorted for it."""
    before, after = _said(old), _said(new)
    return before == after or (len(before) == len(after) and sorted(before) == sorted(after))


def _said(record: SourceRecord) -> list[tuple[int, int | str, bool, str, str]]:
    return [(*_rank(i.value), i.app, i.dedication) for i in record.indicators]


def _rank(value: Network | DomainName) -> tuple[int, int | str, bool]:
    if isinstance(value, DomainName):
        return 9, value.name, value.suffix
    return value.version, pack(value), False


def addresses_v4(record: SourceRecord) -> int:
    """How many different IPv4 addresses it names."""
    keys = (pack(i.value) for i in record.indicators if not isinstance(i.value, DomainName) and i.value.version == 4)
    return sum(1 << (WIDTH[4] - (key & 255)) for key in merge(keys, 4))


# --- what follows -----------------------------------------------------------------------------------------------------


def _judged(
    old: SourceRecord | None,
    new: SourceRecord,
    question: Asked | None,
    all_of_them: Sequence[SourceRecord],
) -> SourceRecord:
    if old is None or question is None or not _answered(old, new):
        return new
    watch = new.conduct.watch
    if watch is not None and not _behaves(new, watch):
        grown = _grown(old, new, question) if watch.rule == "unchanged" else None
        watch = replace(grown, since=watch.since) if grown else watch
    else:
        new = _without(new, watch) if watch is not None and watch.rule == "growth" else new
        watch = _grown(old, new, question) or _unchanged(new, question, all_of_them)
    return replace(new, conduct=replace(new.conduct, watch=watch))


def _without(record: SourceRecord, watch: Watch) -> SourceRecord:
    """What it named while it was too large, and took back: it does not count afterwards, for however long others do."""
    return replace(record, gone=tuple(i for i in record.gone if _is_older(i, watch)))


def _is_older(indicator: Indicator, watch: Watch) -> bool:
    return any(p.first_seen < watch.since for p in indicator.sources)


def _behaves(record: SourceRecord, watch: Watch) -> bool:
    if watch.rule == "unchanged":
        return record.conduct.changes - watch.changes >= rules().unchanged.resumed_changes
    return not _is_growth(watch.entries, len(record.indicators)) and not _is_growth(
        watch.addresses_v4, addresses_v4(record), floor=rules().growth.addresses_v4
    )


def _answer(record: SourceRecord) -> datetime:
    """When the answer came that a watch begins with: its new words bear that time, and not the later one of judging."""
    if record.last_success is None:
        raise AssertionError("only an answer is judged")
    return record.last_success


def _grown(old: SourceRecord, new: SourceRecord, question: Asked) -> Watch | None:
    """Not for a first answer, nor for one to another question: there is nothing to compare it with."""
    if question.kind not in rules().growth.kinds or new.conduct.first_success == new.last_success:
        return None
    entries, addresses = len(old.indicators), addresses_v4(old)
    more = addresses_v4(new)
    if _is_growth(entries, len(new.indicators)):
        said = f"grew from {entries} to {len(new.indicators)} entries in one refresh"
    elif _is_growth(addresses, more, floor=rules().growth.addresses_v4):
        said = f"grew from {addresses} to {more} IPv4 addresses in one refresh"
    else:
        return None
    changes = new.conduct.changes
    return Watch(
        rule="growth", since=_answer(new), reason=said, entries=entries, addresses_v4=addresses, changes=changes
    )


def _is_growth(before: int, after: int, *, floor: int | None = None) -> bool:
    return after > before * rules().growth.factor and after - before > (floor or rules().growth.entries)


def _unchanged(record: SourceRecord, question: Asked, others: Iterable[SourceRecord]) -> Watch | None:
    rule, conduct = rules().unchanged, record.conduct
    since = max((at for at in (conduct.changed_at, conduct.trusted_at) if at is not None), default=None)
    limit = rule.after.get(question.kind)
    if limit is None or since is None or _answer(record) - since <= limit:
        return None
    changed = [r.name for r in others if r.kind not in OURS and r.name != record.name and _changed_since(r, since)]
    if conduct.changes < rule.own_changes and len(changed) < rule.other_sources:
        return None
    why = f"it changed {conduct.changes} times before" if conduct.changes >= rule.own_changes else "others changed"
    return Watch(
        rule="unchanged",
        since=_answer(record),
        reason=f"says the same for {words(_answer(record) - since)}, though {why}",
        entries=len(record.indicators),
        addresses_v4=addresses_v4(record),
        changes=conduct.changes,
    )


def _changed_since(record: SourceRecord, since: datetime) -> bool:
    conduct = record.conduct
    return conduct.changes > 0 and conduct.changed_at is not None and conduct.changed_at > since


def vouched(record: SourceRecord, *, now: datetime) -> SourceRecord:
    """The record of a source that a person vouches for: not on watch, and judged by what it does from now on."""
    return replace(record, conduct=replace(record.conduct, watch=None, trusted_at=now))


# --- what counts ------------------------------------------------------------------------------------------------------


def heard(records: Iterable[SourceRecord]) -> tuple[SourceRecord, ...]:
    """The records with the words that do not count as words of no app: known and shown, no voice for anything."""
    return tuple(
        record
        if record.conduct.watch is None
        else replace(
            record,
            indicators=tuple(_muted(i, record.conduct.watch) for i in record.indicators),
            gone=tuple(_muted(i, record.conduct.watch) for i in record.gone),
        )
        for record in records
    )


def _muted(indicator: Indicator, watch: Watch) -> Indicator:
    if _spares(indicator) or _is_older(indicator, watch):
        return indicator
    return replace(indicator, app=APP, dedication=Dedication.UNKNOWN, confidence=Confidence.LOW)


def _spares(indicator: Indicator) -> bool:
    """Words that only ever keep something from being blocked."""
    is_network = not isinstance(indicator.value, DomainName)
    return indicator.dedication is Dedication.NEVER or (indicator.dedication is Dedication.SHARED and is_network)


def told(snapshot: Snapshot, records: Iterable[SourceRecord]) -> Snapshot:
    """The same snapshot, with a verdict on each word that did not count and is not enforced on another's word.

    ``records`` as ``heard`` gave them.
    """
    reasons = _reasons(records)
    if not reasons:
        return snapshot
    silent = [i for i in snapshot.indicators if i.app == APP]
    return replace(snapshot, dropped=in_order((*snapshot.dropped, *_verdicts(snapshot, silent, reasons))))


def _reasons(records: Iterable[SourceRecord]) -> Mapping[Network | DomainName, list[str]]:
    found: dict[Network | DomainName, list[str]] = defaultdict(list)
    for record in records:
        if record.conduct.watch is not None:
            for i in (*record.indicators, *record.gone):
                if i.app == APP:
                    found[i.value].append(f"{record.name} {record.conduct.watch.reason}")
    return found


def _names(indicator: Indicator) -> str:
    return ", ".join(sorted({p.source for p in indicator.sources}))


def _verdicts(
    snapshot: Snapshot, silent: Iterable[Indicator], reasons: Mapping[Network | DomainName, list[str]]
) -> Iterator[Verdict]:
    networks = Ranges(n for service in snapshot.services for n in service.networks)
    domains = {d for service in snapshot.services for d in service.domains}
    for i in silent:
        if not _is_enforced(i.value, networks, domains):
            why = f"named first since its source is on watch: {'; '.join(reasons[i.value])} (from {_names(i)})"
            yield Verdict(guard=GUARD, entry=entry_text(i.value), held=False, reason=why)


def _is_enforced(value: Network | DomainName, networks: Ranges, domains: Collection[DomainName]) -> bool:
    if isinstance(value, DomainName):
        return value in domains or any(DomainName(name) in domains for name in parents(value.name))
    return networks.holds(value)
