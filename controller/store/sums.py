"""Events and looks added up while they are written, so that a report over a year reads hundreds of rows, not millions.

What is kept is worked out from events and observations alone, in their own transaction: ``rebuild_sums`` makes the same
again. Days and months are those of UTC, so that a change of a site's zone changes nothing here; the hours of a report
are put together from half hours, and what a report has before its first and behind its last whole day is added from
the events themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import (
    CTE,
    BigInteger,
    Connection,
    Select,
    String,
    Table,
    and_,
    case,
    cast,
    delete,
    false,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    true,
    type_coerce,
    union_all,
)

from controller.audit import AuditNote
from controller.evidence.model import EpisodeKind
from controller.model import CoverageState, DetectionEvent, EventAction, Observation, Quality, Window
from controller.offsets import steady
from controller.reconciling import SEEN as SEEN_KINDS
from controller.reconciling import Told
from controller.store.adding import (
    ADDED,
    COUNTS,
    DAY,
    FRESHNESS,
    HALF,
    HALF_HOUR,
    MONTH,
    ONE_DAY,
    SEEN,
    Rows,
    day_of,
    half_of,
    micros_of,
    month_of,
    stretched,
)
from controller.store.episode_days import added_up, holds, is_kept, keep
from controller.store.evidence import Evidence, event_of, look_of
from controller.store.schema import (
    coverage_kept,
    coverage_sums,
    episode_days,
    episode_kept,
    episodes,
    events,
    hit_days,
    hit_seen,
    hit_times,
    micros,
    moment,
    observations,
    stretches,
)
from controller.store.searching import steps, total
from controller.store.shelf import get_meta
from controller.sums import AppLine, Cell, Count, Seen, Sums, Timed, Who, belongs_to, sums_of
from core.ids import DeviceName, SiteName

EVENTS_CUT: Final = "events_cut"
_NAMED: Final = 500
"""More sites than that are not named in a question; all are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SumsCheck:
    """Of so many rows so many said something else than the events that are kept."""

    rows: int
    wrong: int


class HitSums(Evidence):
    """Events, added up."""

    def hit_sums(self, site: SiteName, window: Window, *, zone: ZoneInfo, by_day: bool) -> Sums:
        """What the site's events that end inside the window come to; an event belongs to the time it ends in.

        ``by_day``: ``by_time`` tells apart the days of the zone, otherwise its hours.
        """
        with self._db.read() as connection:
            cut = events_cut(connection).get(site, window.start)
            before = Window(window.start, min(cut, window.end)) if cut > window.start else None
            old = Sums() if before is None else _of_sums_alone(connection, site, before, zone, by_day=by_day)
        if before is not None:
            window = Window(before.end, window.end)
        return old.plus(self._sums_with_events(site, window, zone, by_day=by_day)) if window.seconds else old

    def _sums_with_events(self, site: SiteName, window: Window, zone: ZoneInfo, *, by_day: bool) -> Sums:
        halves, days = _whole(window, up_half, half_of), _whole(window, up_day, day_of)
        if days is None or halves is None:
            return sums_of(self._events_of(site, window))
        is_fine = not _on_halves(window, zone)
        with self._db.read() as connection:
            if is_fine:  # the times of what there are only events of; all else is kept added up
                halves = window
            by_time = _by_time_of_events if is_fine else _by_time
            times = [*by_time(connection, site, halves, zone, HOURS if not by_day else DAYS)]
            hours = [*by_time(connection, site, halves, zone, WEEK)] if by_day else times
            cells = _cells(connection, site, days)
            seen = _seen(connection, site, days)
        kept = Sums(cells=cells, by_time=tuple(times), by_hour=tuple(hours), seen=seen)
        outside = [*self._events_of(site, Window(window.start, days.start))]
        outside += self._events_of(site, Window(days.end, window.end))
        edges = sums_of(outside)
        beyond = sums_of(e for e in outside if not halves.start <= belongs_to(e) < halves.end).by_time
        return kept.plus(Sums(cells=edges.cells, by_time=beyond, by_hour=beyond, seen=edges.seen))

    def fleet_hits(self, window: Window, sites: Iterable[SiteName]) -> dict[SiteName, dict[EventAction, Count]]:
        """The same for each site, only by what became of it; no site without any event."""
        found: dict[SiteName, dict[EventAction, Count]] = {}
        names = frozenset(sites)
        if not names:
            return found
        parts = [(grain, micros(part.start), micros(part.end)) for grain, part in _grains(window)]
        of_names = (events.c.site.in_(sorted(names)),) if len(names) <= _NAMED else ()
        with self._db.read() as connection:
            if parts:
                _gather(found, connection.execute(_sums_of_parts(names, parts)).all(), names)
            for part in _outside(window, _whole(window, up_half, half_of)):
                query = select(events.c.site, events.c.action, *_from_events()).where(*of_names, *_ends_in(part))
                _gather(found, connection.execute(query.group_by(events.c.site, events.c.action)).all(), names)
        return found

    def sites_counted(self) -> list[SiteName]:
        """Every site of which hits are kept, by name."""
        places = _places()
        with self._db.read() as connection:
            query = select(places.c.site).where(places.c.site.is_not(None)).order_by(places.c.site)
            return [SiteName(site) for site in connection.execute(query).scalars()]

    def _events_of(self, site: SiteName, window: Window) -> Iterable[DetectionEvent]:
        return self.events_between(site, window) if window.start < window.end else ()

    def clients_counted(self, site: SiteName, window: Window) -> Mapping[Who, Seen]:
        """Who was seen by counters in the window and where to; of ``hit_sums`` nothing but that."""
        days = _whole(window, up_day, day_of)
        if days is None:
            return sums_of(self._events_of(site, window)).seen
        with self._db.read() as connection:
            kept = Sums(seen=_seen(connection, site, days))
        edges = (Window(window.start, days.start), Window(days.end, window.end))
        return kept.plus(Sums(seen=sums_of(e for part in edges for e in self._events_of(site, part)).seen)).seen

    # --- episodes -------------------------------------------------------------------------------------------------

    def has_endpoint_list(self, site: SiteName, window: Window) -> bool:
        """Whether any of the site's episodes that end in the window tells that an app is installed."""
        c = episodes.c
        mine = (c.kind == EpisodeKind.INSTALLED.value, c.site == site, c.end > window.start, c.end <= window.end)
        with self._db.read() as connection:
            return connection.execute(select(c.id).where(*mine, holds()).limit(1)).first() is not None

    def clients_told(self, site: SiteName, window: Window) -> list[Told]:
        """Whom the site's episodes that end in the window tell of: who has an app, and who was seen."""
        c = episodes.c
        keys = (c.kind, c.host, c.source, c.action)
        kinds = [kind.value for kind in (EpisodeKind.INSTALLED, *SEEN_KINDS)]
        mine = (c.kind.in_(kinds), c.site == site, c.end > window.start, c.end <= window.end)
        query = select(*keys, func.max(type_coerce(c.end, BigInteger))).where(*mine, holds()).group_by(*keys)
        with self._db.read() as connection:
            return [
                Told(EpisodeKind(kind), host, source or "", action, moment(int(last)))
                for kind, host, source, action, last in connection.execute(query)
            ]

    def episode_sums(self, site: SiteName, window: Window) -> tuple[tuple[AppLine, ...], dict[str, int]]:
        """The site's episodes that end in the window: by app, the most first; and how many there are of each kind."""
        apps, kinds = list[AppLine](), dict[str, int]()
        with self._db.read() as connection:
            found = added_up(connection, site, window, _whole(window, up_day, day_of))
        for key, told in found.items():
            kinds[key.kind] = kinds.get(key.kind, 0) + told.episodes
            if key.app:
                known = None if told.untold else told.sightings
                apps.append(AppLine(**key._asdict(), episodes=told.episodes, sightings=known))
        ordered = sorted(apps, key=lambda line: (-line.episodes, line.app, line.surface, line.kind, line.action))
        return tuple(ordered), kinds

    def keep_episodes(self, now: datetime) -> None:
        """Work out what the days before this one come to, so that nobody who asks has to. For the housekeeping."""
        with self._db.read() as connection:
            sites = set(steps(connection, episodes.c.site))
            sites -= is_kept(connection, sites, now)
        for site in sorted(sites):
            with self._db.write() as connection:
                keep(connection, site, now)

    # --- looks ----------------------------------------------------------------------------------------------------

    def looks(self, site: SiteName, window: Window, *, freshness: timedelta) -> list[Observation]:
        """What ``observations`` gives, with looks that say the same as one: it proves the same, and is far less."""
        table = stretches.c
        here = table.site == site
        inside = select(stretches).where(here, table.last >= window.start, table.first < window.end)
        with self._db.read() as connection:
            rows = list(map(dict, connection.execute(inside).mappings()))
            for device in connection.execute(select(table.device).where(here).distinct()).scalars():
                earlier = select(stretches).where(here, table.device == device, table.last < window.start)
                earlier = earlier.order_by(table.last.desc(), table.id.desc()).limit(1)
                rows += map(dict, connection.execute(earlier).mappings())
        if _overlap(rows):  # a clock was set back
            return self.observations(site, window)
        found = [look for row in rows for look in self._looks_of(row, window, freshness)]
        return sorted(found, key=lambda look: look.at)

    def _looks_of(self, row: Mapping[str, Any], window: Window, freshness: timedelta) -> Iterator[Observation]:
        if row["gap"] > micros_of(freshness):  # it was trusted for longer when this was written
            for look in self.observations(
                SiteName(row["site"]), Window(row["first"], row["last"] + timedelta.resolution)
            ):
                if look.device == row["device"] and row["first"] <= look.at < window.end:
                    yield look
            return
        until = min(row["last"], window.end)
        yield Observation(
            device=DeviceName(row["device"]),
            site=SiteName(row["site"]),
            at=row["first"],
            found=CoverageState(row["found"]) if row["found"] else None,
            left=CoverageState(row["left"]) if row["left"] else None,
            cause=row["cause"],
            until=until if until > row["first"] else None,
        )

    # --- upkeep ---------------------------------------------------------------------------------------------------

    def check_sums(self) -> SumsCheck:
        """How many rows say something else than the events that are kept; without changing any."""
        with self._db.read() as connection:
            return _compared(connection)

    def rebuild_sums(self, *, freshness: timedelta = FRESHNESS, audit: AuditNote | None = None) -> SumsCheck:
        """Add everything up again, from the first day on of which events are kept; older sums stay as they are."""
        with self._db.write() as connection:
            found = _compared(connection)
            if (since := _first_day(connection)) is not None:
                cut = events_cut(connection)
                for table in ADDED:
                    c = table.c
                    kept = [and_(c.site == site, c.start < first) for site, first in cut.items()]
                    connection.execute(delete(table).where(c.start >= since, not_(or_(false(), *kept))))
                for _, rows in _days_again(connection, since):
                    rows.write(connection, but=MONTH)
                _months_again(connection, since)
            _stretch_again(connection, freshness)
            for table in (coverage_kept, coverage_sums, episode_kept, episode_days):  # housekeeping works it out again
                connection.execute(delete(table))
            self._log(connection, audit)
        return found

    def _forget_sums(self, oldest: datetime) -> None:
        """Drop the days before ``oldest``, a midnight of UTC; the month that it lies in is added up again."""
        with self._db.write() as connection:
            for table in ADDED:
                fine = () if table is hit_days else (table.c.grain != MONTH,)
                connection.execute(delete(table).where(table.c.start < oldest, *fine))
            _months_again(connection, oldest, only=True)


def events_cut(connection: Connection) -> dict[str, datetime]:
    """Of sites whose events are dropped before their figures: the first day of which they are kept."""
    said = json.loads(get_meta(connection, EVENTS_CUT) or "{}")
    return {site: moment(int(at)) for site, at in said.items()}


def _first_day(connection: Connection) -> datetime | None:
    """The first of which events are kept: whole, for they are dropped by the day."""
    first = connection.execute(select(func.min(type_coerce(events.c.end, BigInteger)))).scalar()
    return None if first is None else day_of(moment(int(first)) - timedelta.resolution)


def _days_again(connection: Connection, since: datetime) -> Iterator[tuple[datetime, Rows]]:
    """Each day, and what its events add up to."""
    last = connection.execute(select(func.max(type_coerce(events.c.end, BigInteger)))).scalar()
    day = since
    while last is not None and day < moment(int(last)):
        window = Window(day, day + ONE_DAY)
        found = connection.execute(select(events).where(*_ends_in(window))).mappings()
        yield day, Rows.of(map(event_of, found))
        day += ONE_DAY


def _compared(connection: Connection) -> SumsCheck:
    since, rows, wrong = _first_day(connection), 0, 0
    cut = events_cut(connection)
    for day, made in _days_again(connection, since) if since is not None else ():
        tables = made.tables()
        for table in ADDED:
            want = {key: row for key, row in tables[table.name].items() if row.get("grain") != MONTH}
            found = _kept(connection, table, day)
            kept = {key: row for key, row in found.items() if row["start"] >= cut.get(row["site"], row["start"])}
            rows += len(want.keys() | kept.keys())
            wrong += sum(want.get(key) != kept.get(key) for key in want.keys() | kept.keys())
    return SumsCheck(rows=rows, wrong=wrong + _wrong_months(connection))


def _kept(connection: Connection, table: Table, day: datetime) -> dict[tuple[Any, ...], dict[str, Any]]:
    fine = () if table is hit_days else (table.c.grain != MONTH,)
    found = connection.execute(select(table).where(*_in(table.c.start, Window(day, day + ONE_DAY)), *fine)).mappings()
    keys = [c.name for c in table.primary_key]
    return {tuple(row[key] for key in keys): dict(row) for row in found}


def _wrong_months(connection: Connection) -> int:
    """Months that are not the sum of their days."""
    wrong = 0
    for table, figures in _GRAINED:
        figure = total(table.c[figures[0]])
        months = connection.execute(select(table.c.start, figure).where(table.c.grain == MONTH).group_by(table.c.start))
        for start, kept in months.all():
            month = Window(start, up_month(start + ONE_DAY))
            days = select(figure).where(table.c.grain == DAY, *_in(table.c.start, month))
            wrong += (connection.execute(days).scalar() or 0) != kept
    return wrong


_GRAINED: Final = ((hit_times, COUNTS), (hit_seen, SEEN))


def _months_again(connection: Connection, since: datetime, *, only: bool = False) -> None:
    """Add up the days of every month from that of ``since`` on, or of that one alone; what is before it goes."""
    first = month_of(since)
    for table, figures in _GRAINED:
        c = table.c
        last = connection.execute(select(func.max(type_coerce(c.start, BigInteger))).where(c.grain == DAY)).scalar()
        of_month = (c.grain == MONTH, c.start <= first) if only else (c.grain == MONTH, c.start >= first)
        connection.execute(delete(table).where(*of_month))
        keys = [k for k in table.primary_key if k.name not in ("grain", "start")]
        sums = [total(c[name]).label(name) for name in figures]
        if table is hit_seen:
            sums.append(func.max(type_coerce(c.last_seen, BigInteger)).label("last_seen"))
        month = first
        while last is not None and month <= moment(int(last)):
            days = Window(month, up_month(month + ONE_DAY))
            fixed = (literal(MONTH).label("grain"), literal(month, c.start.type).label("start"))
            found = select(*keys, *fixed, *sums).where(c.grain == DAY, *_in(c.start, days)).group_by(*keys)
            names = [*(k.name for k in keys), "grain", "start", *(s.name for s in sums)]
            connection.execute(insert(table).from_select(names, found))
            month = days.end
            if only:
                break


def _stretch_again(connection: Connection, freshness: timedelta) -> None:
    connection.execute(delete(stretches))
    looks = connection.execute(select(observations).order_by(observations.c.id)).mappings().yield_per(10_000)
    rows = list(stretched(map(look_of, looks), freshness))
    for at in range(0, len(rows), 5_000):
        connection.execute(insert(stretches), rows[at : at + 5_000])


def up_half(at: datetime) -> datetime:
    begin = half_of(at)
    return begin if begin == at else begin + HALF_HOUR


def up_day(at: datetime) -> datetime:
    begin = day_of(at)
    return begin if begin == at else begin + ONE_DAY


def up_month(at: datetime) -> datetime:
    begin = month_of(at)
    return begin if begin == at else month_of(begin + timedelta(days=32))


def _whole(window: Window, up: Callable[[datetime], datetime], down: Callable[[datetime], datetime]) -> Window | None:
    """The whole units inside; None: there is none."""
    start, end = up(window.start), down(window.end)
    return Window(start, end) if start < end else None


def _outside(window: Window, inner: Window | None) -> Iterator[Window]:
    """What is left of it before and behind."""
    if inner is None:
        yield window
        return
    if window.start < inner.start:
        yield Window(window.start, inner.start)
    if inner.end < window.end:
        yield Window(inner.end, window.end)


def _grains(window: Window) -> Iterator[tuple[str, Window]]:
    """The window's whole half hours, in as few rows as there can be."""
    halves = _whole(window, up_half, half_of)
    if halves is None:
        return
    days = _whole(halves, up_day, day_of)
    yield from ((HALF, part) for part in _outside(halves, days))
    if days is not None:
        months = _whole(days, up_month, month_of)
        yield from ((DAY, part) for part in _outside(days, months))
        if months is not None:
            yield MONTH, months


def _day_grains(days: Window) -> Iterator[tuple[str, Window]]:
    return ((grain, part) for grain, part in _grains(days) if grain != HALF)


def _on_halves(window: Window, zone: ZoneInfo) -> bool:
    """Whether hours of that zone begin on half hours of UTC."""
    return all(offset % HALF_HOUR == timedelta() for _, offset in steady(window, zone))


def _in(column: Any, window: Window) -> tuple[Any, ...]:
    return column >= window.start, column < window.end


def _ends_in(window: Window) -> tuple[Any, ...]:
    return events.c.end > window.start, events.c.end <= window.end


def _sum_of(table: Table) -> Callable[[str], Any]:
    return lambda name: total(table.c[name])


def _from_events() -> tuple[Any, ...]:
    c = events.c

    def ones(condition: Any) -> Any:
        return total(case((condition, 1), else_=0))

    return (
        func.count(),
        *(func.coalesce(total(column), 0) for column in (c.hits, c.packets, c.octets)),
        *(func.count() - func.count(column) for column in (c.hits, c.packets, c.octets)),
        ones(c.quality == Quality.AT_LEAST.value),
        ones(c.sources_truncated),
    )


def _sums_of_parts(names: Collection[SiteName], parts: Sequence[tuple[str, int, int]]) -> Select[Any]:
    """In one way through, by site and action. Of many sites all are read: a step along the index for each of them."""
    c = hit_times.c
    wanted = _values("parts", {"grain": String, "since": BigInteger, "until": BigInteger}, parts)
    if len(names) <= _NAMED:
        places = _values("places", {"site": String}, [(name,) for name in sorted(names)])
    else:
        places = _places()
    start = type_coerce(c.start, BigInteger)
    mine = and_(c.site == places.c.site, c.grain == wanted.c.grain, start >= wanted.c.since, start < wanted.c.until)
    query = select(c.site, c.action, *map(_sum_of(hit_times), COUNTS))
    return query.select_from(places).join(wanted, true()).join(hit_times, mine).group_by(c.site, c.action)


def _places() -> CTE:
    """Every site of the sums, a step along the index for each, and NULL behind the last."""
    c = hit_times.c
    places = select(func.min(c.site).label("site")).cte("places", recursive=True)
    after = select(func.min(c.site)).where(c.site > places.c.site).scalar_subquery()
    return places.union_all(select(after).where(places.c.site.is_not(None)))


def _values(name: str, columns: Mapping[str, Any], rows: Iterable[Sequence[Any]]) -> CTE:
    made = [
        select(*(cast(literal(v), kind).label(key) for v, (key, kind) in zip(row, columns.items(), strict=True)))
        for row in rows
    ]
    return union_all(*made).cte(name)


def _gather(found: dict[SiteName, dict[EventAction, Count]], rows: Iterable[Any], names: Collection[SiteName]) -> None:
    for site, action, *figures in rows:
        if site not in names:
            continue
        of_site = found.setdefault(SiteName(site), {})
        count = Count(*map(int, figures))
        kept = of_site.get(EventAction(action))
        of_site[EventAction(action)] = count if kept is None else kept.plus(count)


@dataclass(frozen=True, slots=True)
class _Unit:
    """Which rows are one: of the same ``length`` of the zone's clock, all of them or those of one week."""

    length: timedelta
    turns: int | None = None


HOURS: Final = _Unit(timedelta(hours=1))
DAYS: Final = _Unit(timedelta(days=1))
WEEK: Final = _Unit(timedelta(hours=1), 7 * 24)


def _by_time(connection: Connection, site: SiteName, window: Window, zone: ZoneInfo, unit: _Unit) -> Iterator[Timed]:
    start = type_coerce(hit_times.c.start, BigInteger)
    for part, offset in steady(window, zone):
        place = _place(start, offset, unit)
        columns = (func.min(start), hit_times.c.action, *map(_sum_of(hit_times), COUNTS))
        where = (hit_times.c.site == site, hit_times.c.grain == HALF, *_in(hit_times.c.start, part))
        query = select(*columns).where(*where).group_by(place, hit_times.c.action)
        for at, action, *figures in connection.execute(query):
            yield Timed(moment(int(at)), EventAction(action), Count(*map(int, figures)))


def _of_sums_alone(connection: Connection, site: SiteName, window: Window, zone: ZoneInfo, *, by_day: bool) -> Sums:
    """Of a time whose events are gone, to the half hour: a day that lies inside in part tells its hours alone."""
    halves, days = _whole(window, up_half, half_of), _whole(window, up_day, day_of)
    if halves is None:
        return Sums()
    times = [*_by_time(connection, site, halves, zone, HOURS if not by_day else DAYS)]
    hours = [*_by_time(connection, site, halves, zone, WEEK)] if by_day else times
    untold: dict[EventAction, Count] = {}
    for part in _outside(halves, days):
        for timed in _by_time(connection, site, part, zone, DAYS):
            untold[timed.action] = untold.get(timed.action, Count()).plus(timed.figures)
    return Sums(
        cells={} if days is None else _cells(connection, site, days),
        by_time=tuple(times),
        by_hour=tuple(hours),
        seen={} if days is None else _seen(connection, site, days),
        untold=untold,
    )


def _by_time_of_events(
    connection: Connection, site: SiteName, window: Window, zone: ZoneInfo, unit: _Unit
) -> Iterator[Timed]:
    """The same of the events themselves, added up by the database: where hours do not begin on half hours of UTC."""
    at = type_coerce(events.c.end, BigInteger) - 1
    for part, offset in steady(window, zone):
        query = select(func.min(at), events.c.action, *_from_events()).where(events.c.site == site, *_ends_in(part))
        for first, action, *figures in connection.execute(query.group_by(_place(at, offset, unit), events.c.action)):
            yield Timed(moment(int(first)), EventAction(action), Count(*map(int, figures)))


def _place(at: Any, offset: timedelta, unit: _Unit) -> Any:
    place = (at + literal(micros_of(offset), BigInteger)) // micros_of(unit.length)
    return place if unit.turns is None else place % unit.turns


def _cells(connection: Connection, site: SiteName, days: Window) -> dict[Cell, Count]:
    c = hit_days.c
    keys = (c.device, c.role, c.exception, c.action)
    query = select(*keys, *map(_sum_of(hit_days), COUNTS)).where(c.site == site, *_in(c.start, days)).group_by(*keys)
    return {
        Cell(device, role or None, exception or None, EventAction(action)): Count(*map(int, figures))
        for device, role, exception, action, *figures in connection.execute(query)
    }


def _seen(connection: Connection, site: SiteName, days: Window) -> dict[Who, Seen]:
    c, found = hit_seen.c, dict[Who, Seen]()
    keys = (c.side, c.name, c.action, c.role)
    for grain, part in _day_grains(days):
        figures = (*map(_sum_of(hit_seen), SEEN), func.max(type_coerce(c.last_seen, BigInteger)))
        where = (c.site == site, c.grain == grain, *_in(c.start, part))
        query = select(*keys, *figures).where(*where).group_by(*keys)
        for side, name, action, role, packets, octets, no_packets, no_octets, last in connection.execute(query):
            who = Who(side, name, EventAction(action), role or None)
            seen = Seen(int(packets), int(octets), int(no_packets), int(no_octets), moment(int(last)))
            found[who] = seen.plus(found[who]) if who in found else seen
    return found


def _overlap(rows: Iterable[Mapping[str, Any]]) -> bool:
    ordered = sorted(rows, key=lambda row: (row["device"], row["first"], row["last"]))
    return any(one["device"] == other["device"] and other["first"] < one["last"] for one, other in pairwise(ordered))
