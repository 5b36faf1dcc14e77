"""Ask every source, and keep for each what it said last when it was good (I2).

A source that fails, answers nonsense or suddenly says much less changes nothing but its error: its last good indicators
stay, and say how old they are. Last attempt and last success are kept apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog

from core.clock import Clock
from core.errors import ConfigError, TokgateError
from core.net import DomainName, Network
from ipsets.ages import Ages, keep_gone
from ipsets.conduct import NEW, Conduct, pack_conduct, unpack_conduct
from ipsets.errors import SnapshotCorrupt, SourceError, SourceImplausible
from ipsets.judgement import ages_of
from ipsets.model import Indicator
from ipsets.sources import Fetched, LastGood, Source
from ipsets.text import MISWRITTEN, canonical, instant, one_line, pack, sha256, unpack

log = structlog.get_logger()

MAX_CONCURRENT: Final = 8
SHRINK_FLOOR: Final = 10
"""Below this many indicators a share says nothing."""
MAX_ERROR: Final = 2000
"""Characters of an error that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """What is known of one source. ``indicators`` and ``skipped`` are of ``last_success``, whatever happened since.

    ``gone``: entries that it named before, not then, and that still count by its ages.
    """

    name: str
    kind: str
    last_attempt: datetime | None = None
    last_success: datetime | None = None
    error_code: str | None = None
    error: str | None = None
    indicators: tuple[Indicator, ...] = ()
    memo: str = ""
    skipped: int | None = None
    conduct: Conduct = NEW
    gone: tuple[Indicator, ...] = ()


def refresh(
    sources: Sequence[Source],
    records: Mapping[str, SourceRecord],
    clock: Clock,
    *,
    ages: Mapping[str, Ages] | None = None,
) -> tuple[SourceRecord, ...]:
    """Every source's new record, sorted by name. A source that fails is in its record, not an exception.

    ``ages`` says for how long a source's entries count that it names no more, where that is not what the rules say.

    Raises:
        ConfigError: two sources have one name, so neither could keep its last good answer.
    """
    _refuse_twins(sources)
    if not sources:
        return ()
    with ThreadPoolExecutor(max_workers=min(MAX_CONCURRENT, len(sources)), thread_name_prefix="source") as pool:
        lasting = {s.name: (ages or {}).get(s.name) or ages_of(s.kind) for s in sources}
        found = pool.map(lambda source: _one(source, records.get(source.name), lasting[source.name], clock), sources)
        return tuple(sorted(found, key=lambda record: record.name))


def _refuse_twins(sources: Iterable[Source]) -> None:
    names = [source.name for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"two sources are named {twice[0]!r}", hint="give each of intelligence.sources a `name`")


def _one(source: Source, before: SourceRecord | None, ages: Ages, clock: Clock) -> SourceRecord:
    now = clock.now()
    record = before or SourceRecord(name=source.name, kind=source.kind)
    named = (*record.indicators, *record.gone) if record.kind == source.kind else ()  # else another had this name
    record = replace(record, kind=source.kind, last_attempt=now)
    try:
        fetched = source.fetch(now, _last_good(record))
        _refuse_shrink(source, record, fetched)
    except TokgateError as exc:
        return _failed(record, exc.code, f"{exc.message}{f' ({exc.hint})' if exc.hint else ''}", exc.place)
    except Exception as exc:  # the top of a source's job: whatever it was, it is an outcome
        log.exception("source.broken", source=source.name)
        return _failed(record, SourceError.code, f"unexpected {type(exc).__name__}: {exc}", None)
    log.info("source.fetched", source=source.name, indicators=len(fetched.indicators))
    return replace(
        record,
        last_success=now,
        error_code=None,
        error=None,
        indicators=_first_seen(fetched.indicators, named),
        gone=keep_gone(named, fetched.indicators, ages, now=now),
        memo=fetched.memo,
        skipped=fetched.skipped,
    )


def _failed(record: SourceRecord, code: str, message: str, place: str | None) -> SourceRecord:
    # strangers' words may be in it: what no encoding can hold would fail the store, and with it every other source
    said = one_line(f"{place}: {message}" if place else message, MAX_ERROR)
    log.warning("source.failed", source=record.name, code=code, error=said)
    return replace(record, error_code=code, error=said)


def _last_good(record: SourceRecord) -> LastGood | None:
    if record.last_success is None:
        return None
    return LastGood(indicators=record.indicators, memo=record.memo, skipped=record.skipped)


def _refuse_shrink(source: Source, record: SourceRecord, fetched: Fetched) -> None:
    """Raises ``SourceImplausible`` when an answer is much smaller than the last good one."""
    watch = record.conduct.watch  # one that grew too much may be as small again as it was
    before = min(len(record.indicators), watch.entries if watch else len(record.indicators))
    after = len(fetched.indicators)
    if before >= SHRINK_FLOOR and after < before * (1 - source.max_shrink):
        raise SourceImplausible(
            f"guard source-shrink: {after} entries after {before}, fewer by more than {source.max_shrink:.0%}",
            hint="the last good entries stay; if it is right, set this source's max_shrink to 1 for one refresh",
        )


def _first_seen(indicators: Iterable[Indicator], known: Iterable[Indicator]) -> tuple[Indicator, ...]:
    """The same, remembering since when each source has named each entry."""
    since: dict[tuple[Network | DomainName, str], datetime] = {
        (i.value, p.source): p.first_seen for i in known for p in i.sources
    }
    return tuple(
        replace(
            i, sources=tuple(replace(p, first_seen=since.get((i.value, p.source), p.first_seen)) for p in i.sources)
        )
        for i in indicators
    )


# --- as text ----------------------------------------------------------------------------------------------------------


def dumps_record(record: SourceRecord) -> str:
    """Canonical JSON with a checksum."""
    content = {
        "name": record.name,
        "kind": record.kind,
        "last_attempt": _text(record.last_attempt),
        "last_success": _text(record.last_success),
        "error_code": record.error_code,
        "error": record.error,
        "indicators": pack(record.indicators),
        "memo": record.memo,
        "skipped": record.skipped,
        "conduct": pack_conduct(record.conduct),
        "gone": pack(record.gone),
    }
    return canonical({"checksum": sha256(canonical(content)), "content": content})


def loads_record(text: str) -> SourceRecord:
    """The record that ``dumps_record`` wrote. Raises ``SnapshotCorrupt``."""
    try:
        wrapped = json.loads(text)
        content = wrapped["content"]
        if sha256(canonical(content)) != wrapped["checksum"]:
            raise ValueError("its checksum does not match")  # the same end as every other damage
        return SourceRecord(
            name=content["name"],
            kind=content["kind"],
            last_attempt=_instant(content["last_attempt"]),
            last_success=_instant(content["last_success"]),
            error_code=content["error_code"],
            error=content["error"],
            indicators=unpack(content["indicators"]),
            memo=content["memo"],
            skipped=content.get("skipped"),  # older records do not say
            conduct=unpack_conduct(content.get("conduct")),
            gone=unpack(content["gone"]) if "gone" in content else (),
        )
    except MISWRITTEN as exc:
        said = one_line(f"{type(exc).__name__}: {exc}", 300)
        raise SnapshotCorrupt(f"a stored source record cannot be used: {said}", hint="restore a backup") from exc


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _instant(text: str | None) -> datetime | None:
    return instant(text) if text is not None else None
