"""The coverage of days that are over, kept: a year of a thousand sites is then a few thousand rows.

It is worked out from stretches of looks, and only for days that no later look can change: every device of the site was
looked at again since. What it was worked out with (devices, how long a look is trusted) is its basis; with another one
it is worked out again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

from sqlalchemy import BigInteger, delete, func, select, text, type_coerce

from controller.coverage import Coverage, Stretch, coverage, times_held
from controller.model import CoverageState, Observation, Window
from controller.store.adding import DAY, MONTH, ONE_DAY, day_of, micros_of, month_of
from controller.store.bulk import as_columns, put_all
from controller.store.schema import coverage_days, coverage_kept, micros, moment, stretches
from controller.store.searching import total
from controller.store.shelf import put
from controller.store.sums import HitSums, up_day, up_month
from core.ids import DeviceName, SiteName

_ENDED: Final = text(
    'SELECT site, device, "first", "last", gap, found, "left" FROM stretches WHERE "last" >= :since AND "last" < :until'
)
_REACHING: Final = text(  # the one of each device: a step along the index for each, however many there are
    """
    WITH RECURSIVE d (site, device) AS (
      SELECT (SELECT site FROM stretches ORDER BY site, device LIMIT 1),
             (SELECT device FROM stretches ORDER BY site, device LIMIT 1)
      UNION ALL
      SELECT CASE WHEN EXISTS (SELECT 1 FROM stretches n WHERE n.site = d.site AND n.device > d.device) THEN d.site
                  ELSE (SELECT n.site FROM stretches n WHERE n.site > d.site ORDER BY n.site LIMIT 1) END,
             COALESCE(
               (SELECT n.device FROM stretches n WHERE n.site = d.site AND n.device > d.device
                ORDER BY n.device LIMIT 1),
               (SELECT n.device FROM stretches n WHERE n.site > d.site ORDER BY n.site, n.device LIMIT 1))
      FROM d WHERE d.site IS NOT NULL
    )
    SELECT s.site, s.device, s."first", s."last", s.gap, s.found, s."left"
    FROM d JOIN stretches s ON s.id = (
      SELECT t.id FROM stretches t WHERE t.site = d.site AND t.device = d.device AND t."last" >= :until
      ORDER BY t."last" LIMIT 1
    )
    WHERE s."first" < :until
    """
)
"""Stretches that say something about the time between: those that end in it, and those that reach over its end."""
Devices = Mapping[SiteName, Sequence[DeviceName]]
Times = dict[CoverageState, timedelta]
_STATES: Final = {state: coverage_days.c[state.value] for state in CoverageState}


class Proven(HitSums):
    """Coverage of many sites over long times."""

    def fleet_coverage(
        self, window: Window, sites: Devices, *, now: datetime, freshness: timedelta
    ) -> dict[SiteName, Times]:
        """How long each site was in each state; the times add up to the window, or to what has passed of it."""
        whole = Window(window.start, min(window.end, now))
        if whole.start >= whole.end:
            return {site: _no_time() for site in sites}
        kept = self._kept(sites, freshness)
        found = {site: _no_time() for site in sites}
        for site, times in self._sums(whole, kept).items():
            _add(found[site], times)
        left: dict[Window, list[SiteName]] = {}
        for site in sites:
            for part in _not_kept(whole, kept.get(site)):
                left.setdefault(part, []).append(site)
        for part, names in left.items():
            self._add_live(found, part, {name: sites[name] for name in names}, now=now, freshness=freshness)
        return found

    def _kept(self, sites: Devices, freshness: timedelta) -> dict[SiteName, Window]:
        """From when to when every day of a site is kept, on the basis that holds now."""
        with self._db.read() as connection:
            rows = connection.execute(select(coverage_kept)).mappings().all()
        return {
            SiteName(row["site"]): Window(row["since"], row["until"])
            for row in rows
            if row["site"] in sites and row["basis"] == basis_of(sites[SiteName(row["site"])], freshness)
        }

    def _sums(self, whole: Window, kept: Mapping[SiteName, Window]) -> dict[SiteName, Times]:
        """Of the whole days that are kept; by the month where every month is."""
        days = Window(up_day(whole.start), day_of(whole.end))
        if not kept or days.start >= days.end:
            return {}
        months = Window(up_month(days.start), month_of(days.end))
        by_month = {s for s, w in kept.items() if w.start <= months.start < months.end <= w.end}
        found: dict[SiteName, Times] = {}
        if by_month:
            self._gather(found, MONTH, months, by_month)
            self._gather(found, DAY, Window(days.start, months.start), by_month)
            self._gather(found, DAY, Window(months.end, days.end), by_month)
        self._gather(found, DAY, days, kept.keys() - by_month)
        return found

    def _gather(self, found: dict[SiteName, Times], grain: str, part: Window, sites: Iterable[SiteName]) -> None:
        wanted = frozenset(sites)
        if part.start >= part.end or not wanted:
            return
        c = coverage_days.c
        where = (c.grain == grain, c.start >= part.start, c.start < part.end)
        query = select(c.site, *map(total, _STATES.values())).where(*where).group_by(c.site)
        with self._db.read() as connection:
            for site, *figures in connection.execute(query).all():
                if site in wanted:
                    times = {s: timedelta(microseconds=int(f)) for s, f in zip(_STATES, figures, strict=True)}
                    _add(found.setdefault(SiteName(site), _no_time()), times)

    def _add_live(
        self, found: dict[SiteName, Times], part: Window, sites: Devices, *, now: datetime, freshness: timedelta
    ) -> None:
        """From the looks themselves; one behind the part may still say something about it."""
        until = min(part.end + ONE_DAY, now) if part.end < now else now
        until = max(until, part.end)
        rest = dict(sites)
        if len(sites) > 1:
            for site, times in self._walked(part, sites, until=until, freshness=freshness):
                _add(found[site], times)
                del rest[site]
        if len(rest) == 1:
            (site,) = rest
            looks = {site: self.looks(site, Window(part.start, until), freshness=freshness)}
        else:
            looks = self.fleet_looks(part.start, until, freshness=freshness, sites=rest) if rest else {}
        for site, devices in rest.items():
            proven = _proven(looks.get(site, []), part, devices, freshness, until=until)
            _add(found[site], {state: proven.total(state) for state in CoverageState})

    def _walked(
        self, part: Window, sites: Devices, *, until: datetime, freshness: timedelta
    ) -> Iterator[tuple[SiteName, Times]]:
        """Of sites with one device those that are soon told, as most are."""
        alone = {site: devices[0] for site, devices in sites.items() if len(devices) == 1}
        rows: dict[str, list[Stretch]] = {}
        span = {"since": micros(part.start - freshness), "until": micros(until)}
        with self._db.read() as connection:
            for statement in (_ENDED, _REACHING):
                for site, device, *stretch in connection.execute(statement, span).all():
                    if alone.get(site) == device:
                        rows.setdefault(site, []).append(Stretch(*stretch))
        edges = micros(part.start), micros(part.end)
        for site in alone:
            own = sorted(rows.get(site, ()))
            times = times_held(own, edges, until=span["until"], freshness=micros_of(freshness))
            if times is not None:
                told = _no_time()
                for state, time in times.items():
                    told[CoverageState(state)] = timedelta(microseconds=time)
                told[CoverageState.UNKNOWN] += part.end - part.start - sum(told.values(), timedelta())
                yield site, told

    # --- keeping --------------------------------------------------------------------------------------------------

    def keep_coverage(self, sites: Devices, *, now: datetime, freshness: timedelta) -> None:
        """Work out what is not kept yet of every site, a site at a time."""
        kept = self._kept(sites, freshness)
        for site, devices in sites.items():
            if devices:
                self._keep_days(site, devices, kept.get(site), now=now, freshness=freshness)

    def _keep_days(
        self, site: SiteName, devices: Sequence[DeviceName], kept: Window | None, *, now: datetime, freshness: timedelta
    ) -> None:
        first, settled = self._edges(site, devices)
        if first is None or settled is None:
            return
        since = kept.end if kept is not None else up_day(first)
        until = min(day_of(settled), day_of(now))
        if since >= until:
            return
        looks = self.looks(site, Window(since, settled + timedelta.resolution), freshness=freshness)
        proven = _proven(looks, Window(since, until), devices, freshness, until=settled)
        rows = [{"grain": DAY, "site": site, **row} for row in _by_day(proven, Window(since, until))]
        begin = since if kept is None else kept.start
        mark = {"site": site, "basis": basis_of(devices, freshness), "since": begin, "until": until}
        c = coverage_days.c
        with self._db.write() as connection:
            if kept is None:
                connection.execute(delete(coverage_days).where(c.site == site))
            earlier = (c.site == site, c.grain == DAY, c.start >= month_of(since), c.start < since)
            known = connection.execute(select(coverage_days).where(*earlier)).mappings().all() if kept else ()
            rows += [
                {"grain": MONTH, "site": site, **row}
                for row in _by_month(chain(map(dict, known), rows))
                if row["start"] >= begin and up_month(row["start"] + ONE_DAY) <= until
            ]
            put_all(connection, coverage_days, as_columns(rows))
            put(connection, coverage_kept, mark)

    def _edges(self, site: SiteName, devices: Sequence[DeviceName]) -> tuple[datetime | None, datetime | None]:
        """Its first look, and the last one up to which every device's past cannot change any more."""
        table = stretches.c
        last = func.max(type_coerce(table.last, BigInteger))
        good = select(table.device, last).where(table.site == site, table.found.is_not(None)).group_by(table.device)
        first = select(func.min(type_coerce(table.first, BigInteger))).where(table.site == site)
        with self._db.read() as connection:
            ends = {str(device): int(at) for device, at in connection.execute(good)}
            begin = connection.execute(first).scalar()
        if begin is None or any(device not in ends for device in devices):
            return None, None
        return moment(int(begin)), moment(min(ends[device] for device in devices))

    def _forget_coverage(self, oldest: datetime) -> None:
        """Drop the days before; a month that is not whole any more goes too."""
        c = coverage_days.c
        with self._db.write() as connection:
            connection.execute(delete(coverage_days).where(c.start < oldest))
            connection.execute(delete(coverage_kept).where(coverage_kept.c.until <= oldest))
            late = coverage_kept.update().where(coverage_kept.c.since < oldest)
            connection.execute(late.values(since=oldest))


def basis_of(devices: Iterable[DeviceName], freshness: timedelta) -> str:
    """A digest of what coverage is worked out with."""
    said = "\n".join((*sorted(devices), str(micros_of(freshness))))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _proven(
    looks: Sequence[Observation], part: Window, devices: Sequence[DeviceName], freshness: timedelta, *, until: datetime
) -> Coverage:
    """Of the part alone, with what looks behind it say about it."""
    wide = Window(part.start, max(part.end, until))
    found = coverage(looks, wide, devices=tuple(devices), now=wide.end, freshness=freshness)
    return found.within(part)


def _not_kept(whole: Window, kept: Window | None) -> Iterator[Window]:
    """What of it has to be looked at: before its first whole day that is kept, and behind the last."""
    start, end = up_day(whole.start), day_of(whole.end)
    if kept is not None:
        start, end = max(start, kept.start), min(end, kept.end)
    if kept is None or start >= end:
        yield whole
        return
    if whole.start < start:
        yield Window(whole.start, start)
    if end < whole.end:
        yield Window(end, whole.end)


def _by_day(proven: Coverage, whole: Window) -> Iterator[dict[str, Any]]:
    """The microseconds of each state on each day."""
    days: dict[datetime, dict[str, int]] = {}
    for span in proven.spans:
        at = span.window.start
        while at < span.window.end:
            day = day_of(at)
            end = min(day + ONE_DAY, span.window.end)
            row = days.setdefault(day, {state.value: 0 for state in CoverageState})
            row[span.state.value] += micros_of(end - at)
            at = end
    yield from ({"start": day, **row} for day, row in days.items() if whole.start <= day < whole.end)


def _by_month(days: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What the days of each month add up to."""
    months: dict[datetime, dict[str, int]] = {}
    for day in days:
        row = months.setdefault(month_of(day["start"]), {state.value: 0 for state in CoverageState})
        for state in row:
            row[state] += day[state]
    yield from ({"start": month, **row} for month, row in months.items())


def _no_time() -> Times:
    return dict.fromkeys(CoverageState, timedelta())


def _add(into: Times, times: Mapping[CoverageState, timedelta]) -> None:
    for state, time in times.items():
        into[state] += time
