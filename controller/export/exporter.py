"""What is under way for one receiver: from the journal into its spool, from there over its wire. One thread each.

Everything is asked anew at each turn, so a crash, a store that is away or a receiver that is down for a week only
makes it later.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from controller.alerts import AlertNote
from controller.errors import StoreError
from controller.export.following import MOST, Recorded, follow
from controller.export.forms import Form, Gap, gap_line, gap_text, line, render
from controller.export.lines import FACILITIES
from controller.export.record import Origin, Record
from controller.export.spool import Entry, Progress, Spool
from controller.export.wire import Down, Refused, Wire
from controller.inventory.exports import Export, SyslogExport
from controller.privacy_desk import PrivacyDesk
from controller.store import Store
from controller.webhooks import REFUSALS
from core.clock import Clock
from core.errors import TokgateError
from core.ids import SiteName

log = structlog.get_logger()

RETRY_FIRST: Final = timedelta(seconds=2)
RETRY_MOST: Final = timedelta(minutes=2)
RETRY_ASKED: Final = timedelta(hours=1)
JITTER_SHARE: Final = 0.2
LOUD: Final = 5
"""After so many failures in a row an alert says so."""
PAGES: Final = 20
"""Of the journal, in one turn."""
_NOTE_EVERY: Final = 5.0
_LOOK_EVERY: Final = 5.0
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportView:
    """How it stands with one receiver.

    ``waiting`` are kept in the spool and not taken; ``behind`` are in the journal and not in the spool. ``oldest``:
    when the first that waits was recorded. ``trouble`` is ours: the spool or the store.
    """

    name: str
    kind: str
    form: str
    to: str
    waiting: int = 0
    behind: int = 0
    spool_bytes: int = 0
    oldest: datetime | None = None
    progress: Progress = field(default_factory=Progress)
    trouble: str = ""

    @property
    def is_failing(self) -> bool:
        return bool(self.progress.failures or self.trouble)


class Exporter:
    """``turn`` and ``close`` are for one thread; ``view`` for all."""

    def __init__(
        self,
        name: str,
        config: Export,
        *,
        store: Store,
        folder: Path,
        clock: Clock,
        origin: Origin,
        wire: Wire,
        privacy: PrivacyDesk,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.view = ExportView(name=name, kind=config.kind, form=config.form, to=target(config))
        self._name = name
        self._config = config
        self._store = store
        self._folder = folder
        self._clock = clock
        self._origin = origin
        self._wire = wire
        self._privacy = privacy
        self._jitter = jitter
        self._spool: Spool | None = None
        self._retry_at: float | None = None
        self._single_until = 0  # the last number of a batch that was refused: what is in it goes alone
        self._tries = (0, 0)  # number of an entry that was refused alone, and how often
        self._noted = (0, float("-inf"))
        self._oldest: tuple[int, datetime | None, float] = (0, None, float("-inf"))
        self._missing_told = 0

    # --- one turn -------------------------------------------------------------------------------------------------

    def turn(self) -> bool:
        """Once from the journal to the receiver. Returns whether there is more to do at once."""
        trouble = ""
        try:
            spool = self._spool or self._opened()
            trouble = self._filled(spool)
            more = self._sent(spool)
        except TokgateError as exc:
            more, trouble = False, str(exc)
        if trouble and trouble != self.view.trouble:
            log.warning("export.trouble", export=self._name, why=trouble)
        self._look(trouble)
        return more

    def close(self) -> None:
        """Let the receiver take what is under way; what it did not is sent after the next start."""
        if self._spool is None:
            return
        try:
            if (last := self._wire.end()) is not None:
                self._took(self._spool, last)
            self._note_taken(self._spool, at_once=True)
        except (TokgateError, Down) as exc:
            log.warning("export.trouble", export=self._name, why=str(exc))
        finally:
            self._spool.close()
            self._spool = None

    def _opened(self) -> Spool:
        """A spool that is new goes on where another machine was, else where the inventory says."""
        mark = self._store.export_mark(self._name)
        start = mark.taken
        if start is None:
            start = self._store.journal(0, limit=1).head if self._config.begin == "now" else 0
        spool = Spool(self._folder, start=start, most_bytes=self._config.spool_mib * _MIB)
        if spool.progress.last == 0 and not spool.replay and mark.replay:
            spool.begin_again(start, mark.replay)  # what was asked of another spool is not asked of this one
        if mark.taken is None:
            self._store.note_export(self._name, start)
        self._spool = spool
        return spool

    # --- from the journal -----------------------------------------------------------------------------------------

    def _filled(self, spool: Spool) -> str:
        """Everything new, as far as there is room. Returns what is wrong with the store: what waits is sent all the
        same."""
        try:
            self._begin_again(spool)
            for _ in range(PAGES):
                if spool.is_full and self._config.when_full == "wait":
                    return "the spool is full: what is new waits in the store"
                if self._page(spool):
                    break
        except StoreError as exc:
            return str(exc)
        return ""

    def _begin_again(self, spool: Spool) -> None:
        mark = self._store.export_mark(self._name)
        if mark.replay and mark.replay != spool.replay:
            spool.begin_again(mark.since, mark.replay)
            spool.note(spool.progress)
            log.info("export.replayed", export=self._name, since=mark.since)

    def _page(self, spool: Spool) -> bool:
        sites = frozenset(SiteName(site) for site in self._config.sites) or None
        found = follow(self._store, spool.cursor, privacy=self._privacy, limit=MOST, sites=sites)
        if found.head < spool.cursor:
            self._tell("reset", f"the store is older than what {self._name} was sent: it goes on from there")
            spool.begin_again(found.head, spool.replay)
            return True
        if found.missing:
            spool.leave_out(found.missing)
            self._lost(spool, found.missing, "the store had dropped them before there was room")
        kept = [
            (one.seq, one.at, one.found.id, self._rendered(one.record))
            for one in found.recorded
            if self._is_wanted(one)
        ]
        spool.append(kept, cursor=found.until)
        if lost := spool.take_lost():
            self._lost(spool, lost, "too many waited", counted=True)
        return found.is_all

    def _is_wanted(self, one: Recorded) -> bool:
        record, config = one.record, self._config
        if record.type not in config.records or (config.kinds and record.kind not in config.kinds):
            return False
        return record.confidence is None or record.confidence >= config.confidence

    def _rendered(self, record: Record) -> str:
        if isinstance(self._config, SyslogExport):
            facility = FACILITIES[self._config.facility]
            return line(self._config.form, record, self._origin, facility=facility)
        return render(self._config.form, record, self._origin)

    def _lost(self, spool: Spool, count: int, why: str, *, counted: bool = False) -> None:
        """Aloud, once for each stretch of trouble; the receiver is told in the place of what is missing."""
        log.error("export.dropped", export=self._name, messages=count, why=why)
        if not counted:
            spool.note(replace(spool.progress, dropped=spool.progress.dropped + count))
        if self._missing_told <= spool.progress.acked:
            self._tell("dropped", f"export {self._name}: messages are dropped: {why}", dropped=spool.progress.dropped)
        self._missing_told = spool.progress.last + 1

    # --- to the receiver ------------------------------------------------------------------------------------------

    def _sent(self, spool: Spool) -> bool:
        if self._retry_at is not None and self._clock.monotonic() < self._retry_at:
            return False
        try:
            if (last := self._wire.confirmed()) is not None:
                self._took(spool, last)
            batch = self._next(spool)
            if batch:
                self._wire.send(self._with_gaps(batch))
                if (last := self._wire.confirmed()) is not None:
                    self._took(spool, last)
        except Refused as exc:
            return self._refused(spool, str(exc))
        except Down as exc:
            self._failed(spool, str(exc), wait=exc.wait)
            return False
        except TokgateError as exc:
            self._failed(spool, str(exc))
            return False
        self._note_taken(spool)
        return bool(batch)

    def _next(self, spool: Spool) -> list[Entry]:
        if not getattr(self._wire, "has_room", True):
            return []
        alone = spool.progress.acked < self._single_until
        return spool.read(1 if alone else self._wire.batch)

    def _with_gaps(self, batch: Sequence[Entry]) -> list[Entry]:
        """Where some are missing, that is said in their place."""
        found = list[Entry]()
        for entry in batch:
            if entry.missing:
                gap = Gap(id=f"gap-{self._name}-{entry.number}", missing=entry.missing, at=entry.at)
                found.append(replace(entry, id=gap.id, text=self._gap(gap), missing=0))
            found.append(entry)
        return found

    def _gap(self, gap: Gap) -> str:
        form: Form = self._config.form
        if isinstance(self._config, SyslogExport):
            return gap_line(form, gap, self._origin, facility=FACILITIES[self._config.facility])
        return gap_text(form, gap, self._origin)

    def _took(self, spool: Spool, last: Entry) -> None:
        if spool.progress.failures:
            log.info("export.recovered", export=self._name, failures=spool.progress.failures)
        self._retry_at = None
        spool.ack(last, at=self._clock.now())

    def _failed(self, spool: Spool, why: str, *, wait: timedelta | None = None) -> None:
        self._wire.drop()
        spool.rewind()
        before = spool.progress
        failures = before.failures + 1
        again = again_in(failures, asked=wait, jitter=self._jitter())
        self._retry_at = self._clock.monotonic() + again.total_seconds()
        since = before.failing_since or self._clock.now()
        spool.note(replace(before, failures=failures, failing_since=since, last_error=why))
        if why != before.last_error:
            log.warning("export.failed", export=self._name, error=why, again_in=again.total_seconds())
        if failures == LOUD:
            self._tell("failing", f"export {self._name} does not work: {why}", error=why)

    def _refused(self, spool: Spool, why: str) -> bool:
        """One of several may be at fault: they go one by one, and one that is refused alone, often, is set aside."""
        first = spool.progress.acked + 1
        self._wire.drop()
        spool.rewind()
        batch = spool.read(self._wire.batch)
        spool.rewind()
        if spool.progress.acked >= self._single_until and len(batch) > 1:
            self._single_until = batch[-1].number
            return True
        tries = self._tries[1] + 1 if self._tries[0] == first else 1
        self._tries = (first, tries)
        if tries < REFUSALS:
            self._failed(spool, why)
            return False
        [entry] = spool.read(1)
        spool.ack(entry, at=self._clock.now(), refused=True)
        log.error("export.refused", export=self._name, id=entry.id, error=why)
        self._tell("refused", f"export {self._name}: a message is set aside: {why}", id=entry.id)
        self._retry_at = None
        return True

    def _note_taken(self, spool: Spool, *, at_once: bool = False) -> None:
        """In the store too, now and then: another machine goes on from there. Only a help, so trouble is no matter."""
        whole = spool.progress.acked == spool.progress.last
        taken, now = spool.cursor if whole else spool.progress.acked_cursor, self._clock.monotonic()
        if taken != self._noted[0] and (at_once or now - self._noted[1] >= _NOTE_EVERY):
            self._noted = (taken, now)
            with suppress(StoreError):
                self._store.note_export(self._name, taken)

    # --- said about it --------------------------------------------------------------------------------------------

    def _tell(self, what: str, message: str, **detail: object) -> None:
        alert = AlertNote(kind=f"export-{what}", subject=self._name, message=message, detail=detail)
        with suppress(StoreError):
            self._store.alert(alert)

    def _look(self, trouble: str) -> None:
        spool = self._spool
        if spool is None:
            self.view = replace(self.view, trouble=trouble)
            return
        behind = 0
        with suppress(StoreError):
            behind = max(0, self._store.journal(spool.cursor, limit=1).head - spool.cursor)
        self.view = replace(
            self.view,
            waiting=spool.waiting,
            behind=behind,
            spool_bytes=spool.size,
            oldest=self._first(spool),
            progress=spool.progress,
            trouble=trouble,
        )

    def _first(self, spool: Spool) -> datetime | None:
        """Read again only when it may be another one, and not at every turn."""
        acked, at, looked = self._oldest
        now = self._clock.monotonic()
        if not spool.waiting:
            return None
        if at is None or (acked != spool.progress.acked and now - looked >= _LOOK_EVERY):
            entry = spool.oldest()
            at = None if entry is None else entry.at
            self._oldest = (spool.progress.acked, at, now)
        return at


def again_in(failures: int, *, asked: timedelta | None, jitter: float) -> timedelta:
    """How long a receiver is left alone after its ``failures``-th failure in a row. ``jitter``: from 0 to 1."""
    doubled: int = 2 ** min(max(failures - 1, 0), 10)
    wait = max(min(RETRY_FIRST * doubled, RETRY_MOST), min(asked or timedelta(), RETRY_ASKED))
    return wait * (1 + JITTER_SHARE * jitter)


def target(config: Export) -> str:
    """Where it goes, for people; no address that is a password."""
    match config.kind:
        case "syslog":
            return f"{config.transport}://{config.host}:{config.port}"
        case "webhook":
            return config.url or str(config.url_secret)
        case _:
            return f"{', '.join(config.brokers)} {config.topic}"


__all__ = ["ExportView", "Exporter", "again_in", "target"]
