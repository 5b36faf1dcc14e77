"""Events and looks are added up in the transaction that writes them: by half hours, days and months of UTC.

``sums`` reads what is written here. Only events and observations go in, so that everything can be made again from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, Table, case, delete, insert, not_, select, update

from controller.model import DetectionEvent, Observation
from controller.store.schema import (
    coverage_kept,
    coverage_sums,
    hit_days,
    hit_seen,
    hit_times,
    micros,
    moment,
    stretches,
)
from controller.store.shelf import insert_for
from controller.sums import Count, belongs_to, seen_in

HALF, DAY, MONTH = "half", "day", "month"
HALF_HOUR: Final = timedelta(minutes=30)
ONE_DAY: Final = timedelta(days=1)
FRESHNESS: Final = timedelta(minutes=30)
"""Looks that are farther apart are two stretches, where the caller does not say."""
COUNTS: Final = tuple(field.name for field in fields(Count))
SEEN: Final = ("packets", "octets", "no_packets", "no_octets")
ADDED: Final = (hit_times, hit_days, hit_seen)
_ALIKE: Final = attrgetter("site", "device", "role", "exception", "action", "window.end")
"""Events in which all of this is the same are in one row of each table, as a batch of one device mostly is."""


def micros_of(span: timedelta) -> int:
    return span // timedelta.resolution


def half_of(at: datetime) -> datetime:
    return moment(micros(at) // micros_of(HALF_HOUR) * micros_of(HALF_HOUR))


def day_of(at: datetime) -> datetime:
    return moment(micros(at) // micros_of(ONE_DAY) * micros_of(ONE_DAY))


def month_of(at: datetime) -> datetime:
    local = at.astimezone(UTC)
    return datetime(local.year, local.month, 1, tzinfo=UTC)


# --- events ---------------------------------------------------------------------------------------------------------


def add_events(connection: Connection, new: Iterable[DetectionEvent]) -> None:
    """Count events that were just written; each exactly once, for this is their own transaction."""
    Rows.of(new).write(connection)


class Rows:
    """What some events come to, by the keys of the tables. Days are added from half hours, months from days."""

    def __init__(self) -> None:
        self._halves: dict[tuple[Any, ...], list[int]] = {}
        self._days: dict[tuple[Any, ...], list[int]] = {}
        self._seen: dict[tuple[Any, ...], list[Any]] = {}
        self._ends: dict[datetime, tuple[datetime, datetime]] = {}  # most events of a batch end together

    @classmethod
    def of(cls, events: Iterable[DetectionEvent]) -> Rows:
        rows = cls()
        for _, alike in groupby(events, key=_ALIKE):
            rows._add([*alike])
        return rows

    def _add(self, alike: Sequence[DetectionEvent]) -> None:
        event = alike[0]
        if (known := self._ends.get(event.window.end)) is None:
            at = belongs_to(event)
            known = self._ends[event.window.end] = half_of(at), day_of(at)
        half, day = known
        site, action, role = event.site, event.action.value, event.role or ""
        figures = Count.of(*alike).figures
        _plus(self._halves, (site, half, action), figures)
        _plus(self._days, (site, day, event.device, role, event.exception or "", action), figures)
        for one in alike:
            for who, seen in seen_in(one) if one.sources else ():
                _plus_seen(self._seen, (site, day, who.side, who.name, action, role), seen.figures)

    def tables(self) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
        """The rows of each table by their keys."""
        times = {(site, HALF, start, action): figures for (site, start, action), figures in self._halves.items()}
        for grain, start_of in ((DAY, day_of), (MONTH, month_of)):
            for (site, start, action), figures in self._halves.items():
                _plus(times, (site, grain, start_of(start), action), figures)
        seen = {(site, DAY, day, *who): figures for (site, day, *who), figures in self._seen.items()}
        for (site, day, *who), figures in self._seen.items():
            _plus_seen(seen, (site, MONTH, month_of(day), *who), figures)
        return {
            hit_times.name: _named(hit_times, times),
            hit_days.name: _named(hit_days, self._days),
            hit_seen.name: _named(hit_seen, seen),
        }

    def write(self, connection: Connection, *, but: str = "") -> None:
        """Add them to what is there; leave out one grain."""
        tables = self.tables()
        for table in ADDED:
            if rows := [row for row in tables[table.name].values() if row.get("grain") != but or not but]:
                connection.execute(_upsert(connection.dialect.name, table), rows)


def _plus(into: dict[tuple[Any, ...], list[int]], key: tuple[Any, ...], figures: Sequence[int]) -> None:
    kept = into.get(key)
    into[key] = list(figures) if kept is None else [one + other for one, other in zip(kept, figures, strict=True)]


def _plus_seen(into: dict[tuple[Any, ...], list[Any]], key: tuple[Any, ...], figures: Sequence[Any]) -> None:
    """The last of the figures is a time, of which the later one counts."""
    if (kept := into.get(key)) is None:
        into[key] = list(figures)
        return
    *counts, last = figures
    into[key] = [*(one + other for one, other in zip(kept, counts, strict=False)), max(kept[-1], last)]


def _named(table: Table, rows: Mapping[tuple[Any, ...], Sequence[Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    names = [column.name for column in table.c]
    return {key: dict(zip(names, (*key, *figures), strict=True)) for key, figures in rows.items()}


@cache
def _upsert(dialect: str, table: Table) -> Any:
    """Insert, or add to the row that is there."""
    statement = insert_for(dialect, table)
    keys = [c.name for c in table.primary_key]
    new, old = statement.excluded, table.c
    rest = {c.name: old[c.name] + new[c.name] for c in table.c if c.name not in keys and c.name != "last_seen"}
    if "last_seen" in old:
        rest["last_seen"] = case((new.last_seen > old.last_seen, new.last_seen), else_=old.last_seen)
    return statement.on_conflict_do_update(index_elements=keys, set_=rest)


# --- looks ----------------------------------------------------------------------------------------------------------


def add_look(connection: Connection, look: Observation, freshness: timedelta) -> None:
    """Let the device's last stretch reach to this look, or begin another."""
    table = stretches.c
    of_device = (table.site == look.site, table.device == look.device)
    newest = select(stretches).where(*of_device).order_by(table.last.desc(), table.id.desc()).limit(1)
    found = connection.execute(newest).mappings().first()
    last = None if found is None else dict(found)
    if last is not None and _goes_on(last, look, freshness):
        gap = max(last["gap"], micros(look.at) - micros(last["last"]))
        longer = {"last": look.at, "gap": gap, "looks": last["looks"] + 1}
        connection.execute(update(stretches).where(table.id == last["id"]).values(**longer))
        return
    if last is not None and look.at <= last["last"]:  # a clock was set back
        _take_back(connection, look)
    connection.execute(insert(stretches).values(**_first(look)))


def _take_back(connection: Connection, look: Observation) -> None:
    """Forget what was worked out of the time from the proof before the look on: it may be told otherwise now."""
    c, kept, sums = stretches.c, coverage_kept.c, coverage_sums.c
    good = (c.site == look.site, c.device == look.device, c.found.is_not(None), not_(c.cause.like("TG%")))
    query = select(c.first, c.last, c.gap).where(*good, c.first < look.at).order_by(c.first.desc()).limit(1)
    before = connection.execute(query).one_or_none()
    of_site = kept.site == look.site
    if before is None:
        connection.execute(delete(coverage_kept).where(of_site))
        return
    since = max(before.first, min(before.last, look.at - timedelta(microseconds=before.gap)))
    day = day_of(since)
    connection.execute(delete(coverage_kept).where(of_site, kept.since >= day))
    connection.execute(update(coverage_kept).where(of_site, kept.until > day).values(until=day))
    connection.execute(delete(coverage_sums).where(sums.site == look.site, sums.start > day))


def stretched(looks: Iterable[Observation], freshness: timedelta) -> Iterator[dict[str, Any]]:
    """The rows that these looks make, in the order in which they were written."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for look in looks:
        place = look.site, look.device
        last = newest.get(place)
        if last is not None and _goes_on(last, look, freshness):
            gap = max(last["gap"], micros(look.at) - micros(last["last"]))
            last.update(last=look.at, gap=gap, looks=last["looks"] + 1)
            continue
        row = _first(look)
        if last is None or row["last"] >= last["last"]:
            newest[place] = row
            if last is not None:
                yield last
        else:  # a clock was set back
            yield row
    yield from newest.values()


def _first(look: Observation) -> dict[str, Any]:
    return {
        "site": look.site,
        "device": look.device,
        "first": look.at,
        "last": look.at,
        "gap": 0,
        "looks": 1,
        "found": look.found and look.found.value,
        "left": look.left and look.left.value,
        "cause": look.cause,
    }


def _goes_on(last: Mapping[str, Any], look: Observation, freshness: timedelta) -> bool:
    """Whether the look says what the stretch says, and proves the time since: it found what was left."""
    same = (look.found and look.found.value, look.left and look.left.value, look.cause)
    steady_on = look.found is look.left and (last["found"], last["left"], last["cause"]) == same
    return steady_on and timedelta() < look.at - last["last"] <= freshness
