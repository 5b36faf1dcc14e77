"""The store as the controller sees it: all shelves over one file, opened, upgraded, checked, backed up, closed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import structlog
from sqlalchemy import delete, func, select, text

from controller.address import DatabaseAddress
from controller.audit import AuditNote
from controller.errors import Conflict, StoreError
from controller.inventory.moves import moved
from controller.locks import Locks, ServeLease
from controller.store import episode_days
from controller.store.access import AuditLog, Exceptions, Tokens
from controller.store.adding import day_of
from controller.store.calendars import Calendars
from controller.store.cuts import Cuts
from controller.store.database import open_database
from controller.store.emergencies import Emergencies
from controller.store.episodes import BATCH_RETENTION, Episodes
from controller.store.feeds import Feeds
from controller.store.identities import Unmaskings
from controller.store.inventories import Inventories, keep_version
from controller.store.journal import Journal
from controller.store.moving import Moving
from controller.store.people import People
from controller.store.promises import Promises
from controller.store.proofs import Proofs
from controller.store.proven import Proven
from controller.store.quarantine import Quarantines
from controller.store.repeats import Repeats
from controller.store.retentions import Retentions
from controller.store.runs import Runs
from controller.store.schema import (
    REVISION,
    alerts,
    episodes,
    events,
    evidence_batches,
    feed_pulls,
    jobs,
    journal,
    observations,
    plans,
    proofs,
    quarantine,
    refreshes,
    runs,
    sessions,
    snapshots,
    stretches,
    webhook_messages,
    words,
)
from controller.store.sendings import Sendings
from controller.store.shelf import Shelf, get_meta, put, put_meta
from controller.store.snapshots import CURRENT, Snapshots
from controller.store.upgrade import migrate, refuse_foreign, revision_of
from controller.store.webhooks import Webhooks, old_messages
from core.clock import Clock
from core.errors import TokgateError
from core.ids import new_id

log = structlog.get_logger()

INSTANCE: Final = "instance"
INVENTORY: Final = "inventory"
INVENTORY_ASKED: Final = "inventory_asked"
INVENTORY_PARTS: Final = "inventory_parts"
_TOLD: Final = 100
"""Parts of an inventory that moved, in one entry of the audit log."""
QUICK: Final = timedelta(seconds=2)
"""How long the check at the opening may look; ``check()`` takes all the time it needs."""
FULL: Final = timedelta(hours=1)
PLAN_RETENTION: Final = timedelta(days=30)
SESSION_RETENTION: Final = timedelta(days=30)
"""After its end a session is shown for so long."""


class Jobs(Shelf):
    """When each job of the schedule was last done: what is due is asked here, not of a timer."""

    def last_done(self, job: str) -> datetime | None:
        with self._db.read() as connection:
            found: datetime | None = connection.execute(select(jobs.c.done_at).where(jobs.c.name == job)).scalar()
        return found

    def set_done(self, job: str, at: datetime) -> None:
        with self._db.write() as connection:
            put(connection, jobs, {"name": job, "done_at": at})

    def follow_inventory(self, digest: str, parts: Mapping[str, str], *, said: Mapping[str, Any] | None = None) -> bool:
        """Note in the audit log that another inventory is in force, and make a full sync due; False: it is the same.

        ``parts``: a digest of each of its parts, to tell later which were edited. Who edited the file is not known
        here; when it came into force, and where it differs, is. ``said``: what stands in it, which is kept.
        """
        with self._db.write() as connection:
            before, known = get_meta(connection, INVENTORY), _parts(get_meta(connection, INVENTORY_PARTS))
            if said is not None:
                keep_version(connection, at=self._clock.now(), digest=digest, said=said)
            if known != parts:
                put_meta(connection, INVENTORY_PARTS, json.dumps(parts, sort_keys=True))
            if before == digest:
                return False
            put_meta(connection, INVENTORY, digest)
            connection.execute(delete(jobs).where(jobs.c.name == "sync"))
            detail: dict[str, object] = {"before": before and before[:12], "after": digest[:12]}
            if known is not None:
                where = [part.place for part in moved(known, parts)]
                detail |= {"parts": where[:_TOLD], "parts_in_all": len(where)}
            self._log(
                connection, AuditNote(actor="system", action="inventory.change", subject=digest[:12], detail=detail)
            )
        return True

    def ask_inventory(self, digest: str) -> None:
        """Have the schedule, in whatever process it runs, take up the inventory of that digest."""
        with self._db.write() as connection:
            put_meta(connection, INVENTORY_ASKED, f"{digest} {new_id()}")

    def inventory_asked(self) -> str | None:
        """The digest that somebody last asked for, and after a space what tells this time from every other."""
        with self._db.read() as connection:
            return get_meta(connection, INVENTORY_ASKED)

    def inventory_followed(self) -> str | None:
        """The digest of the inventory that a schedule last took up; None: none ever ran."""
        with self._db.read() as connection:
            return get_meta(connection, INVENTORY)

    def inventory_parts(self) -> Mapping[str, str] | None:
        """The digests of the parts of that inventory; None: not known."""
        with self._db.read() as connection:
            return _parts(get_meta(connection, INVENTORY_PARTS))


def _parts(said: str | None) -> dict[str, str] | None:
    return None if said is None else dict(json.loads(said))


class Store(
    Snapshots,
    Runs,
    Cuts,
    Journal,
    Moving,
    Proofs,
    Episodes,
    Proven,
    Sendings,
    Unmaskings,
    Retentions,
    Quarantines,
    Promises,
    Inventories,
    Feeds,
    Exceptions,
    Tokens,
    People,
    AuditLog,
    Calendars,
    Emergencies,
    Webhooks,
    Repeats,
    Jobs,
):
    """Everything tokgate remembers. Thread-safe; any number of processes may have it open.

    Every method may raise ``StoreError``; then nothing of what it was asked was recorded.
    """

    def __init__(self, data_dir: Path, clock: Clock, address: DatabaseAddress | None) -> None:
        """For ``open``."""
        self._data_dir = data_dir
        self._clock = clock
        self._db = open_database(data_dir, address)
        self._known = {}
        self._process = self._db.process

    @classmethod
    def open(
        cls,
        data_dir: Path,
        *,
        clock: Clock,
        address: DatabaseAddress | None = None,
        migrate: bool = True,
        is_backed_up: bool = False,
    ) -> Store:
        """The store at that address, or of that folder, made if there is none; what a dead process left running is
        settled. ``is_backed_up``: whoever asks has made a backup, where we cannot make one before an upgrade.

        Raises:
            StoreOutdated: a newer version wrote it; or it is older and ``migrate`` is off, or nobody backed it up.
            StoreError: it is damaged, or cannot be written.
        """
        store = cls(data_dir, clock, address)
        try:
            store._ready(may_migrate=migrate, is_backed_up=is_backed_up)
        except BaseException:
            store.close()
            raise
        return store

    def _ready(self, *, may_migrate: bool, is_backed_up: bool) -> None:
        revision = self._revision()
        wrong = self._db.check(full=False, budget=QUICK)
        if wrong:
            raise self._db.damaged(wrong[0])
        if revision != REVISION:
            refuse_foreign(revision, migrate=may_migrate)
            self.upgrade(is_backed_up=is_backed_up)
        self._settle()

    def _settle(self) -> None:
        """Close what dead processes left open. A full disk keeps nobody from reading."""
        try:
            uncertain = self.mark_abandoned(self._clock.now())
        except StoreError as exc:
            log.warning("store.not_settled", error=str(exc))
            return
        if uncertain:
            log.warning("store.runs_abandoned", devices=uncertain)

    def _revision(self) -> str | None:
        """Asked inside a write, so that the file is in WAL mode from its first page on."""
        with self._db.write() as connection:
            return revision_of(connection)

    def close(self) -> None:
        """Let go of it; what was answered is on the disk already."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- upkeep ---------------------------------------------------------------------------------------------------

    @property
    def schema_version(self) -> str:
        """The revision of this store's schema; ``none`` for an empty file."""
        with self._db.read() as connection:
            return revision_of(connection) or "none"

    @property
    def path(self) -> Path:
        """Its file. Raises ``StoreError`` for a store in PostgreSQL."""
        return self._db.path

    @property
    def place(self) -> str:
        """What messages call it."""
        return self._db.place

    @property
    def locks(self) -> Locks:
        """Over every process that has this store open."""
        return self._db.locks

    def upgrade(self, *, is_backed_up: bool = False) -> str | None:
        """Bring the schema to the newest, after a backup beside the store. Returns the revision it had before.

        Raises ``StoreOutdated``: there is no way to make that backup here, and nobody has made it.
        """
        with self._db.read() as connection:
            before = revision_of(connection)
        refuse_foreign(before, migrate=True)
        if before not in (None, REVISION) and not is_backed_up:
            self._db.keep_before_upgrade(self._data_dir / "backups", str(before), self._clock.now())
        with self._db.write() as connection:
            if revision_of(connection) != REVISION:
                migrate(connection)
            if get_meta(connection, INSTANCE) is None:
                put_meta(connection, INSTANCE, new_id())
        return before

    def backup(self, target: Path) -> None:
        """A consistent copy, verified, while everything goes on. Raises ``Conflict`` when ``target`` exists."""
        if target.exists():
            raise Conflict(f"{target} exists already", hint="choose another name")
        self._db.backup(target)

    def check(self) -> list[str]:
        """Everything that is wrong with the file, the audit chain or the snapshot in force; takes its time."""
        found = self._db.check(full=True, budget=FULL)
        found += [f"audit: {line}" for line in self.verify_audit()]
        try:
            self._known = {}
            self.current_snapshot()
        except TokgateError as exc:
            found.append(f"snapshot in force: {exc}")
        return found

    def ping(self) -> None:
        """Raises ``StoreError`` when it cannot be read, or the next write may find a full disk."""
        with self._db.read() as connection:
            connection.execute(text("SELECT 1"))
        self._db.refuse_unwritable()

    def instance_id(self) -> str:
        """Who we are on the devices: made once with the store, and in every mark of ours."""
        with self._db.read() as connection:
            found = get_meta(connection, INSTANCE)
        if found is None:
            raise self._db.damaged("it has lost its instance id")
        return found

    def lease(self) -> ServeLease:
        """The right to run the schedule over this store; hold it with ``with``."""
        return ServeLease(self.locks, over=self.place)

    def housekeeping(self, *, retention: timedelta, held: Collection[str] = ()) -> None:
        """Drop what is older than ``retention``, in small writes; close abandoned runs; write the log back.

        Events and looks go by whole days of UTC, with what they add up to.

        Of ``held`` sites no event, episode, proof or record that was set aside goes, and the sums of all sites stay.

        The audit log, exceptions, tokens, the snapshot in force, the list behind it and each device's last look stay
        whatever their age.
        """
        self._settle()
        now = self._clock.now()
        oldest, day = now - retention, day_of(now - retention)
        self._drop(events, events.c.end <= day, events.c.site.not_in(held))
        if not held:
            self._forget_sums(day)
        self._forget_coverage(day)
        self._drop(journal, journal.c.at < oldest, journal.c.seq < select(func.max(journal.c.seq)).scalar_subquery())
        self._drop(episodes, episodes.c.end < oldest, episodes.c.site.not_in(held))
        with self._db.write() as connection:
            episode_days.forget(connection, oldest, lambda site: site.not_in(held))
        self._drop(quarantine, quarantine.c.last_at < oldest, func.coalesce(quarantine.c.site, "").not_in(held))
        self._drop(proofs, proofs.c.at < oldest, proofs.c.site.not_in(held))
        self._drop_cells(oldest)
        self._drop(evidence_batches, evidence_batches.c.at < now - BATCH_RETENTION)
        last = select(func.max(observations.c.id)).group_by(observations.c.device)
        self._drop(observations, observations.c.at < day, observations.c.id.not_in(last))
        newest = select(func.max(stretches.c.id)).group_by(stretches.c.device)
        self._drop(stretches, stretches.c.last < day, stretches.c.id.not_in(newest))
        self._drop(runs, runs.c.started_at < oldest, runs.c.finished_at.is_not(None))
        self._drop(plans, plans.c.created_at < now - min(retention, PLAN_RETENTION))
        behind = self.withheld()
        kept = [self._current_id() or "", *([behind.base] if behind is not None else [])]
        self._drop(snapshots, snapshots.c.created_at < oldest, snapshots.c.id.not_in(kept))
        self._drop(refreshes, refreshes.c.at < oldest)
        self._drop(words, words.c.digest.not_in(select(refreshes.c.words)))
        self._drop(alerts, alerts.c.at < oldest)
        self._drop(feed_pulls, feed_pulls.c.at < oldest)
        self._drop(sessions, sessions.c.ends_at < now - min(retention, SESSION_RETENTION))
        self._drop(webhook_messages, old_messages(now))
        self.forget_repeats()
        self._db.checkpoint()

    def _current_id(self) -> str | None:
        with self._db.read() as connection:
            return get_meta(connection, CURRENT)
