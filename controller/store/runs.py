"""Plans as they were shown, and runs: what was tried on which device, when, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, func, insert, select

from controller.audit import AuditNote
from controller.errors import NotFound
from controller.model import DeviceRun, Outcome, Run, StoredPlan
from controller.store import outbox
from controller.store.jsons import STATUS, TIMINGS, WORDS
from controller.store.processes import Process
from controller.store.schema import device_status, plans, run_changes, run_devices, runs
from controller.store.searching import Listing, within
from controller.store.shelf import Shelf, insert_unless, one, put
from core.ids import DeviceName, PlanId, RunId, SiteName
from vendors.errors import Uncertain

ABANDONED: Final = "the process ended while it worked on this device; it is read before it is changed"
UNRECORDED: Final = "how the work on this device ended could not be recorded; it is read before it is changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery(Listing):
    """Which runs; text is looked for in who and why."""

    KEYS = (runs.c.id,)
    SAID = (runs.c.id, runs.c.trigger, runs.c.actor)

    site: SiteName | None = None  # that they touched
    device: DeviceName | None = None
    sites: frozenset[SiteName] | None = None  # one of which they touched
    trigger: str | None = None
    actor: str | None = None
    since: datetime | None = None  # begun at that time or later
    until: datetime | None = None  # begun before it

    def filters(self) -> Iterator[ColumnElement[bool]]:
        touched = select(run_devices.c.run)
        if self.site is not None:
            yield runs.c.id.in_(touched.where(run_devices.c.site == self.site))
        if self.device is not None:
            yield runs.c.id.in_(touched.where(run_devices.c.device == self.device))
        if self.sites is not None:
            yield runs.c.id.in_(touched.where(run_devices.c.site.in_(self.sites)))
        if self.trigger is not None:
            yield runs.c.trigger == self.trigger
        if self.actor is not None:
            yield runs.c.actor == self.actor
        yield from within(runs.c.started_at, self.since, self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanQuery(Listing):
    """Which plans."""

    KEYS = (plans.c.id,)
    SAID = (plans.c.id, plans.c.device, plans.c.site)

    site: SiteName | None = None
    sites: frozenset[SiteName] | None = None
    device: DeviceName | None = None
    since: datetime | None = None
    until: datetime | None = None

    def filters(self) -> Iterator[ColumnElement[bool]]:
        if self.site is not None:
            yield plans.c.site == self.site
        if self.sites is not None:
            yield plans.c.site.in_(self.sites)
        if self.device is not None:
            yield plans.c.device == self.device
        yield from within(plans.c.created_at, self.since, self.until)


class Runs(Shelf):
    """A run is written before its first device is touched; each device's part as it ends."""

    _process: Process

    # --- plans ----------------------------------------------------------------------------------------------------

    def save_plan(self, plan: StoredPlan, *, audit: AuditNote | None = None) -> None:
        row = {c.name: getattr(plan, c.name) for c in plans.columns}
        with self._db.write() as connection:
            connection.execute(insert(plans).values(**row))
            self._log(connection, audit)

    def plans(self, *, limit: int, wanted: PlanQuery | None = None) -> list[StoredPlan]:
        """The newest first."""
        asked = wanted or PlanQuery()
        query = select(plans).where(*asked.all()).order_by(*asked.order).limit(limit)
        with self._db.read() as connection:
            return [StoredPlan(**row) for row in connection.execute(query).mappings()]

    def plan(self, plan_id: PlanId) -> StoredPlan:
        """Raises ``NotFound``."""
        with self._db.read() as connection:
            row = one(connection, select(plans).where(plans.c.id == plan_id))
        if row is None:
            raise plan_unknown(plan_id)
        return StoredPlan(**row)

    # --- runs -----------------------------------------------------------------------------------------------------

    def start_run(self, run: Run, *, audit: AuditNote | None = None) -> None:
        """The run and what is to be done on its devices, with the audit entry: all or nothing."""
        self._process.renew()
        row = {
            "id": run.id,
            "trigger": run.trigger,
            "actor": run.actor,
            "started_at": run.started_at,
            "finished_at": run.finished_at,
            "process": self._process.id,
        }
        parts = [{**_columns(device), "position": n} for n, device in enumerate(run.devices)]
        with self._db.write() as connection:
            connection.execute(insert(runs).values(**row))
            if parts:
                connection.execute(insert(run_devices), parts)
            self._log(connection, audit)

    def record_device(self, part: DeviceRun, *, changes: Sequence[str] = ()) -> None:
        """How far the run is on one device; replaces what was recorded of it before. ``changes``: what it set out to
        change there, a line for each step. Raises ``NotFound``."""
        row = _columns(part)
        rest = {name: value for name, value in row.items() if name not in ("run", "device")}
        with self._db.write() as connection:
            if one(connection, select(runs.c.id).where(runs.c.id == part.run)) is None:
                raise NotFound(f"no run {part.run}")
            outbox.tell_part(connection, part, self._clock.now())
            outbox.tell_cut(connection, part, self._clock.now())
            count = select(func.count()).where(run_devices.c.run == part.run).scalar_subquery()
            statement = insert_unless(connection, run_devices).values(**row, position=count)
            connection.execute(statement.on_conflict_do_update(index_elements=["run", "device"], set_=rest))
            if changes:
                said = WORDS.dumps(tuple(changes))
                put(connection, run_changes, {"run": part.run, "device": part.device, "body": said})

    def run_changes(self, run_id: RunId) -> dict[DeviceName, tuple[str, ...]]:
        """What a run set out to change, by device; those that are not in it: nothing, or nobody wrote it down."""
        query = select(run_changes.c.device, run_changes.c.body).where(run_changes.c.run == run_id)
        with self._db.read() as connection:
            return {DeviceName(device): WORDS.loads(body) for device, body in connection.execute(query)}

    def finish_run(self, run_id: RunId, at: datetime) -> None:
        """The run's end; its first end stays."""
        statement = runs.update().where(runs.c.id == run_id, runs.c.finished_at.is_(None)).values(finished_at=at)
        with self._db.write() as connection:
            connection.execute(statement)

    def run(self, run_id: RunId) -> Run:
        """Raises ``NotFound``."""
        with self._db.read() as connection:
            row = one(connection, select(runs).where(runs.c.id == run_id))
            if row is None:
                raise run_unknown(run_id)
            return _runs(connection, [row])[0]

    def runs(self, *, limit: int = 50, before: RunId | None = None, wanted: RunQuery | None = None) -> list[Run]:
        """The newest first, or the oldest; ``before`` is the last one already seen. A run shows all its devices."""
        asked = wanted or RunQuery()
        seen = [] if before is None else [asked.behind(before)]
        query = select(runs).where(*asked.all(*seen)).order_by(*asked.order).limit(limit)
        with self._db.read() as connection:
            return _runs(connection, connection.execute(query).mappings().all())

    def run_count(self, wanted: RunQuery, *, most: int) -> int:
        """How many runs are wanted; no further than ``most``."""
        with self._db.read() as connection:
            return wanted.counted(connection, most=most)

    def mark_abandoned(self, now: datetime) -> list[DeviceName]:
        """Close what dead processes left open; a device they were working on is uncertain until it is read.

        Runs of processes that live are left alone. Returns the uncertain devices.
        """
        with self._db.read() as connection:
            owners = select(runs.c.process).where(runs.c.finished_at.is_(None)).distinct()
            dead = [p for p in connection.execute(owners).scalars() if not self._process.is_alive(p)]
        if not dead:
            return []
        with self._db.write() as connection:
            uncertain = _abandon(connection, runs.c.process.in_(dead), now, ABANDONED)
        self._process.sweep()
        return uncertain

    def abandon_run(self, run_id: RunId, now: datetime) -> list[DeviceName]:
        """As ``mark_abandoned``, for a run of this process that nobody works on any more."""
        with self._db.write() as connection:
            return _abandon(connection, runs.c.id == run_id, now, UNRECORDED)


def plan_unknown(plan_id: str) -> NotFound:
    """There is no such plan, or none that may be seen."""
    return NotFound(f"no plan {plan_id[:40]!r}", hint="make one with `tokgate plan`")


def run_unknown(run_id: str) -> NotFound:
    """There is no such run, or none that may be seen."""
    return NotFound(f"no run {run_id[:40]!r}", hint="`tokgate runs list` shows the last ones")


def _abandon(connection: Connection, which: ColumnElement[bool], now: datetime, why: str) -> list[DeviceName]:
    """Close these open runs. What they had not ended is uncertain, and the devices' latest word is in doubt."""
    left = select(runs.c.id).where(runs.c.finished_at.is_(None), which)
    running = (run_devices.c.run.in_(left), run_devices.c.outcome == Outcome.RUNNING.value)
    found = connection.execute(select(run_devices.c.device).where(*running).distinct()).scalars().all()
    end = {"outcome": Outcome.UNCERTAIN.value, "finished_at": now, "error_code": Uncertain.code}
    connection.execute(run_devices.update().where(*running).values(**end, error=why))
    connection.execute(runs.update().where(runs.c.id.in_(left)).values(finished_at=now))
    for device in found:
        _doubt(connection, device)
    return [DeviceName(d) for d in sorted(found)]


def _doubt(connection: Connection, device: str) -> None:
    known = select(device_status.c.body).where(device_status.c.device == device)
    body = connection.execute(known).scalar()
    if body is not None:
        doubtful = STATUS.dumps(replace(STATUS.loads(body), in_doubt=True))
        put(connection, device_status, {"device": device, "body": doubtful})


def _columns(part: DeviceRun) -> dict[str, Any]:
    return {
        "run": part.run,
        "device": part.device,
        "site": part.site,
        "started_at": part.started_at,
        "finished_at": part.finished_at,
        "outcome": part.outcome.value,
        "steps": part.steps,
        "snapshot": part.snapshot,
        "error_code": part.error_code,
        "error": part.error,
        "degraded": WORDS.dumps(part.degraded),
        "flows_cut": part.flows_cut,
        "timings": None if part.timings is None else TIMINGS.dumps(part.timings),
    }


def _runs(connection: Connection, rows: Sequence[RowMapping]) -> list[Run]:
    parts: dict[str, list[DeviceRun]] = {row["id"]: [] for row in rows}
    query = select(run_devices).where(run_devices.c.run.in_(list(parts))).order_by(run_devices.c.position)
    for part in connection.execute(query).mappings():
        parts[part["run"]].append(_device_run(part))
    return [_run(row, parts[row["id"]]) for row in rows]


def _run(row: RowMapping, parts: Iterable[DeviceRun]) -> Run:
    return Run(
        id=RunId(row["id"]),
        trigger=row["trigger"],
        actor=row["actor"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        devices=tuple(parts),
    )


def _device_run(row: RowMapping) -> DeviceRun:
    fields = {name: row[name] for name in row if name != "position"}
    return DeviceRun(
        **{
            **fields,
            "outcome": Outcome(row["outcome"]),
            "degraded": WORDS.loads(row["degraded"]),
            "timings": None if row["timings"] is None else TIMINGS.loads(row["timings"]),
        }
    )
