"""What the episodes of days that are over come to, kept: a site's year is some thousand rows, however many there are.

Housekeeping works it out, a site at a time while nobody else writes. An episode that ends, or ended, in a day that is
kept takes that day and those behind it back, in its own transaction. Days are those of UTC; an episode belongs to the
day it ends in, and one that ends at midnight to the day before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Connection, delete, func, insert, or_, select, type_coerce, update

from controller.evidence.model import REVOCABLE
from controller.model import Window
from controller.store.adding import ONE_DAY, day_of, micros_of
from controller.store.schema import episode_days, episode_kept, episodes
from controller.store.searching import total
from controller.store.shelf import put

_KEYS: Final = ("app", "surface", "kind", "action")
_FIGURES: Final = ("episodes", "sightings", "untold")
_DAY: Final = micros_of(ONE_DAY)


class Told(NamedTuple):
    """How many episodes; what they counted together, and how many of them do not know how much."""

    episodes: int
    sightings: int
    untold: int

    def plus(self, other: Told) -> Told:
        return Told(*(one + more for one, more in zip(self, other, strict=True)))


class Key(NamedTuple):
    app: str
    surface: str
    kind: str
    action: str


def holds() -> Any:
    """Of an episode: it was not taken back."""
    c = episodes.c
    return or_(c.confidence > 0, c.kind.not_in([kind.value for kind in sorted(REVOCABLE)]))


def added_up(connection: Connection, site: str, window: Window, days: Window | None) -> dict[Key, Told]:
    """The site's episodes that end in the window and hold. ``days``: the whole days of it."""
    found: dict[Key, Told] = {}
    kept = None if days is None else _kept_of(connection, site, days)
    for part in [window] if kept is None else [Window(window.start, kept.start), Window(kept.end, window.end)]:
        if part.start < part.end:
            keys = [episodes.c[name] for name in _KEYS]
            _gather(found, connection.execute(select(*keys, *_figures()).where(*_mine(site, part)).group_by(*keys)))
    if kept is not None:
        c = episode_days.c
        keys, mine = [c[name] for name in _KEYS], (c.site == site, c.start >= kept.start, c.start < kept.end)
        _gather(
            found,
            connection.execute(select(*keys, *(total(c[name]) for name in _FIGURES)).where(*mine).group_by(*keys)),
        )
    return found


def keep(connection: Connection, site: str, now: datetime) -> None:
    """Work out what is not kept yet of the days before this one. Nobody else writes meanwhile."""
    first = connection.execute(_first(site)).scalar()
    today = day_of(now)
    if first is None or (since := _day_of(first)) >= today:
        return
    mark = _mark(connection, site)
    gaps = [Window(since, today)]
    if mark is not None:
        since = min(since, mark.start)
        gaps = [Window(since, mark.start), Window(mark.end, today)]
    for gap in gaps:
        if gap.start < gap.end:
            _add_up(connection, site, gap)
    if mark != (whole := Window(since, max(today, mark.end) if mark is not None else today)):
        put(connection, episode_kept, {"site": site, "since": whole.start, "until": whole.end})


def is_kept(connection: Connection, sites: Iterable[str], now: datetime) -> set[str]:
    """Of which of them nothing is to be worked out."""
    c = episode_kept.c
    kept = {row.site: row.since for row in connection.execute(select(c.site, c.since).where(c.until >= day_of(now)))}
    first = {site: connection.execute(_first(site)).scalar() for site in sites if site in kept}
    return {site for site, at in first.items() if at is None or _day_of(at) >= kept[site]}


def take_back(connection: Connection, ends: Mapping[str, Collection[datetime]]) -> None:
    """``ends``: of each site those that the episodes have, or had, that are written now."""
    c, days = episode_kept.c, episode_days.c
    marks = select(c.site, c.since, c.until).where(c.until >= min(map(min, ends.values())))
    for site, since, until in connection.execute(marks).all():
        day = min((day for day in map(_day_of, ends.get(site, ())) if since <= day < until), default=None)
        if day is not None:
            connection.execute(delete(episode_kept).where(c.site == site, c.since == day))
            connection.execute(update(episode_kept).where(c.site == site).values(until=day))
            connection.execute(delete(episode_days).where(days.site == site, days.start >= day))


def forget(connection: Connection, oldest: datetime, of: Any) -> None:
    """After episodes that ended before ``oldest`` went: their days. ``of``: whether a table's site is meant."""
    c, days = episode_kept.c, episode_days.c
    since = _day_of(oldest) + ONE_DAY
    connection.execute(delete(episode_days).where(of(days.site), days.start < since))
    connection.execute(delete(episode_kept).where(of(c.site), c.until <= since))
    connection.execute(update(episode_kept).where(of(c.site), c.since < since).values(since=since))


def _add_up(connection: Connection, site: str, days: Window) -> None:
    c = episodes.c
    start = ((type_coerce(c.end, BigInteger) - 1) // _DAY * _DAY).label("start")
    each = select(c.site, start, *(c[name] for name in _KEYS), c.count).where(*_mine(site, days)).subquery()
    keys = [each.c[name] for name in ("site", "start", *_KEYS)]
    found = select(*keys, *_figures(each.c.count)).group_by(*keys)
    connection.execute(insert(episode_days).from_select(["site", "start", *_KEYS, *_FIGURES], found))


def _figures(count: Any = episodes.c.count) -> tuple[Any, ...]:
    return func.count(), func.coalesce(total(count), 0), func.count() - func.count(count)


def _mine(site: str, window: Window) -> tuple[Any, ...]:
    c = episodes.c
    return c.site == site, c.end > window.start, c.end <= window.end, holds()


def _gather(found: dict[Key, Told], rows: Iterable[Any]) -> None:
    for app, surface, kind, action, *figures in rows:
        key, told = Key(app, surface, kind, action), Told(*map(int, figures))
        found[key] = told.plus(found[key]) if key in found else told


def _kept_of(connection: Connection, site: str, days: Window) -> Window | None:
    """Those that are kept."""
    mark = _mark(connection, site)
    if mark is None or not mark.meets(days):
        return None
    return Window(max(days.start, mark.start), min(days.end, mark.end))


def _mark(connection: Connection, site: str) -> Window | None:
    c = episode_kept.c
    row = connection.execute(select(c.since, c.until).where(c.site == site)).one_or_none()
    return None if row is None else Window(row.since, row.until)


def _first(site: str) -> Any:
    return select(func.min(episodes.c.end)).where(episodes.c.site == site)


def _day_of(end: datetime) -> datetime:
    return day_of(end - timedelta.resolution)


__all__ = ["Key", "Told", "added_up", "forget", "holds", "is_kept", "keep", "take_back"]
