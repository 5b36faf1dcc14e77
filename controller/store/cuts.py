"""Open flows that changes ended, read from the parts of runs, which hold the number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Select, func, select, type_coerce

from controller.model import Outcome, Window
from controller.store.schema import moment, run_devices, runs
from controller.store.searching import Listing, within
from controller.store.shelf import Shelf
from core.ids import DeviceName, RunId, SiteName

_APPLIED = run_devices.c.outcome == Outcome.APPLIED.value


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowsCut:
    """So many open flows to what is newly denied were ended on one device, by one change. ``flows`` is at least 1."""

    run: RunId
    trigger: str  # of the run: "window-edge", "exception", "snapshot" …
    site: SiteName
    device: DeviceName
    at: datetime
    flows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CutQuery(Listing):
    """Which of them; text is looked for in the run, the device and the site."""

    KEYS = (run_devices.c.run, run_devices.c.device)
    SAID = (run_devices.c.run, run_devices.c.device, run_devices.c.site)

    site: SiteName | None = None
    device: DeviceName | None = None
    sites: frozenset[SiteName] | None = None  # one of which it was at
    since: datetime | None = None
    until: datetime | None = None

    def filters(self) -> Iterator[ColumnElement[bool]]:
        yield _APPLIED
        yield run_devices.c.flows_cut > 0
        if self.site is not None:
            yield run_devices.c.site == self.site
        if self.device is not None:
            yield run_devices.c.device == self.device
        if self.sites is not None:
            yield run_devices.c.site.in_(self.sites)
        yield from within(run_devices.c.finished_at, self.since, self.until)


class Cuts(Shelf):
    """What a platform cannot tell is in none of them, and makes a sum unknown."""

    def cuts(
        self, *, limit: int = 100, before: tuple[str, str] | None = None, wanted: CutQuery | None = None
    ) -> list[FlowsCut]:
        """The newest first, or the oldest; ``before`` is the run and the device of the last one already seen."""
        asked = wanted or CutQuery()
        seen = [] if before is None else [asked.behind(*before)]
        query = _cuts().where(*asked.all(*seen)).order_by(*asked.order).limit(limit)
        with self._db.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [FlowsCut(**row) for row in rows]

    def cut_count(self, wanted: CutQuery, *, most: int) -> int:
        """How many there are; no further than ``most``."""
        with self._db.read() as connection:
            return wanted.counted(connection, most=most)

    def flows_cut(self, site: SiteName, window: Window) -> dict[DeviceName, int | None]:
        """How many flows the changes of each device ended; None where a change of it could not tell."""
        table = run_devices.c
        known = (func.count() - func.count(table.flows_cut), func.sum(table.flows_cut))
        ended = within(table.finished_at, window.start, window.end)
        query = select(table.device, *known).where(table.site == site, _APPLIED, *ended).group_by(table.device)
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(table.device)).all()
        return {DeviceName(device): None if untold else int(flows) for device, untold, flows in rows}

    def applied_runs(self, site: SiteName, window: Window) -> list[tuple[datetime, str, int]]:
        """What changed its devices: of each trigger when it last did, and how often, the latest first."""
        table = run_devices.c
        last = func.max(type_coerce(table.finished_at, BigInteger))
        ended = within(table.finished_at, window.start, window.end)
        query = select(last, runs.c.trigger, func.count()).join(runs, runs.c.id == table.run)
        query = query.where(table.site == site, _APPLIED, *ended).group_by(runs.c.trigger)
        with self._db.read() as connection:
            rows = connection.execute(query).all()
        return sorted(((moment(int(at)), str(why), int(count)) for at, why, count in rows), reverse=True)


def _cuts() -> Select[tuple[object, ...]]:
    table = run_devices.c
    columns = (table.run, runs.c.trigger, table.site, table.device, table.finished_at.label("at"))
    return select(*columns, table.flows_cut.label("flows")).join(runs, runs.c.id == table.run)


__all__ = ["CutQuery", "Cuts", "FlowsCut"]
