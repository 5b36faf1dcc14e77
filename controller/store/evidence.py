"""What the devices proved: looks, their latest word, the last counters, and the events made of them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    bindparam,
    case,
    delete,
    false,
    func,
    insert,
    or_,
    select,
)

from controller.errors import Invalid
from controller.model import (
    CoverageState,
    DetectionEvent,
    DeviceStatus,
    EventAction,
    Observation,
    Quality,
    SourceSeen,
    Use,
    Window,
)
from controller.privacy.alias import Alias
from controller.store import journal, outbox
from controller.store.adding import FRESHNESS, Rows, add_look
from controller.store.bulk import Columns, adding, among, ready
from controller.store.journal import Kind
from controller.store.jsons import ENTRIES, SOURCES, STATUS
from controller.store.schema import (
    device_exceptions,
    device_status,
    events,
    micros,
    moment,
    observations,
    readings,
)
from controller.store.searching import Listing, steps, total
from controller.store.shelf import Shelf, put, without_nul
from core.ids import DeviceName, ExceptionId, SiteName
from vendors.codec import dumps_reading, loads_reading
from vendors.model import Reading

T = TypeVar("T")

_NAMED: Final = 1_000
"""Ends of windows that one question names."""
_HOLDING: Final = (
    select(device_exceptions.c.exception, device_exceptions.c.device)
    .where(device_exceptions.c.exception.in_(bindparam("named", expanding=True)))
    .order_by(device_exceptions.c.device)
)
_UP: Final = "up:"
_PLACE: Final = re.compile(r"(?P<up>up:)?(?P<end>-?[0-9]{1,18}):(?P<event>[0-9a-z]{1,64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery(Listing):
    """Which events. ``since``: windows that end after it. ``until``: windows that start before it.

    By the end of the window; text is looked for in where, who and where to.
    """

    KEYS = (events.c.end, events.c.id)
    SAID = (
        events.c.id,
        events.c.exception,
        events.c.action,
        events.c.site,
        events.c.device,
        events.c.rule,
        events.c.role,
        events.c.sources,
        events.c.entries,
    )
    WHO = frozenset({"sources"})

    site: str | None = None
    sites: frozenset[SiteName] | None = None  # None: of every site
    device: str | None = None
    action: EventAction | None = None
    exception: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    role: str | None = None
    pseudonym: str | None = None
    aliases: tuple[Alias, ...] = ()  # whom that stands for; without any, nothing is found by it
    cursor: str | None = None
    limit: int = 100

    def filters(self) -> Iterator[ColumnElement[bool]]:
        for column, wanted in (
            (events.c.site, self.site),
            (events.c.device, self.device),
            (events.c.role, self.role),
            (events.c.exception, self.exception),
            (events.c.action, self.action and self.action.value),
        ):
            if wanted is not None:
                yield column == wanted
        if self.pseudonym is not None:
            yield or_(false(), *map(_called, self.aliases))
        if self.sites is not None:
            yield events.c.site.in_(self.sites)
        if self.since is not None:
            yield events.c.end > self.since
        if self.until is not None:
            yield events.c.start < self.until


def _called(alias: Alias) -> ColumnElement[bool]:
    c = events.c
    named = (c.sources.contains(f'"source":"{who}"', autoescape=True) for who in sorted(alias.clients))
    return and_(c.end > alias.window.start, c.end <= alias.window.end, or_(false(), *named))


@dataclass(frozen=True, slots=True, kw_only=True)
class HitSum:
    """What one action came to at one site. ``hits`` is None when a device there does not count them."""

    site: SiteName
    action: EventAction
    hits: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some of a list, and how to ask for the rest."""

    items: tuple[T, ...]
    next_cursor: str | None = None


class Evidence(Shelf):
    # --- the latest word ------------------------------------------------------------------------------------------

    def put_status(self, status: DeviceStatus) -> None:
        held = [{"exception": exception, "device": status.device} for exception in sorted(set(status.exceptions))]
        with self._db.write() as connection:
            put(connection, device_status, {"device": status.device, "body": STATUS.dumps(status)})
            connection.execute(delete(device_exceptions).where(device_exceptions.c.device == status.device))
            if held:
                connection.execute(insert(device_exceptions), held)

    def status(self, device: DeviceName) -> DeviceStatus | None:
        """One device's; None when nobody has looked at it."""
        with self._db.read() as connection:
            body = connection.execute(select(device_status.c.body).where(device_status.c.device == device)).scalar()
        return None if body is None else STATUS.loads(str(body))

    def statuses(self) -> dict[DeviceName, DeviceStatus]:
        with self._db.read() as connection:
            rows = connection.execute(select(device_status).order_by(device_status.c.device)).mappings().all()
        return {DeviceName(row["device"]): STATUS.loads(row["body"]) for row in rows}

    def statuses_of(self, devices: Collection[DeviceName]) -> dict[DeviceName, DeviceStatus]:
        """Of these, as far as anybody looked at them."""
        with self._db.read() as connection:
            rows = connection.execute(select(device_status).where(device_status.c.device.in_(devices))).mappings()
            return {DeviceName(row["device"]): STATUS.loads(row["body"]) for row in rows}

    def holding(self, exceptions: Collection[ExceptionId]) -> dict[ExceptionId, tuple[DeviceName, ...]]:
        """Which devices were last read back holding each of them; nothing of those that none holds."""
        found = dict[ExceptionId, tuple[DeviceName, ...]]()
        for exception, device in self._db.rows(_HOLDING, {"named": list(exceptions)}):
            found[exception] = (*found.get(exception, ()), device)
        return found

    # --- looks ----------------------------------------------------------------------------------------------------

    def add_observation(self, observation: Observation, *, freshness: timedelta = FRESHNESS) -> None:
        """``freshness``: how long one look proves what follows it; what proves more is kept as one stretch."""
        row = {
            "site": observation.site,
            "device": observation.device,
            "at": observation.at,
            "found": observation.found and observation.found.value,
            "left": observation.left and observation.left.value,
            "cause": observation.cause,
        }
        with self._db.write() as connection:
            outbox.tell_drift(connection, observation)
            connection.execute(insert(observations).values(**row))
            add_look(connection, observation, freshness)

    def observations(self, site: SiteName, window: Window) -> list[Observation]:
        """The looks inside the window, and of each device the last one before it; in order of time."""
        here = observations.c.site == site
        inside = select(observations).where(here, observations.c.at >= window.start, observations.c.at < window.end)
        with self._db.read() as connection:
            rows = list(connection.execute(inside).mappings())
            for device in steps(connection, observations.c.device, observations.c.site == site):
                earlier = (here, observations.c.device == device, observations.c.at < window.start)
                last = select(observations).where(*earlier).order_by(observations.c.at.desc(), observations.c.id.desc())
                rows += connection.execute(last.limit(1)).mappings()
        return [look_of(row) for row in sorted(rows, key=lambda r: (r["at"], r["id"]))]

    # --- counters and events --------------------------------------------------------------------------------------

    def last_reading(self, device: DeviceName) -> Reading | None:
        """The baseline of the next difference; None before the first."""
        with self._db.read() as connection:
            body = connection.execute(select(readings.c.body).where(readings.c.device == device)).scalar()
        return None if body is None else loads_reading(str(body))

    def counted_as(self, device: DeviceName, epoch: str, since: datetime) -> DeviceName | None:
        """Which other device was read with a part of that epoch after ``since``; ``None`` too where it is our own.

        Of a device that was never read, nothing is known to compare with.
        """
        parts = epoch.split("+")
        holds = or_(*(readings.c.body.contains(part, autoescape=True) for part in parts))
        with self._db.read() as connection:
            own = connection.execute(select(holds).where(readings.c.device == device)).scalar()
            if own is None or own:  # no other is looked at: there may be thousands
                return None
            found = connection.execute(select(readings.c.device, readings.c.body).where(holds)).all()
        for name, body in found:
            other = loads_reading(str(body))
            if other.read_at > since and set(parts) & set(other.epoch.split("+")):
                return DeviceName(name)
        return None

    def record_events(self, device: DeviceName, reading: Reading, found: Sequence[DetectionEvent]) -> int:
        """The new baseline and what it proves, together or not at all: no hit is lost or counted twice.

        An event that is already there (device, rule, window) is the same event. Returns how many were new.
        """
        baseline = {"device": device, "body": dumps_reading(reading)}
        with self._db.write() as connection:
            put(connection, readings, baseline)
            if new := _new(connection, found):
                self._add_events(connection, new)
        return len(new)

    def _add_events(self, connection: Connection, new: Sequence[DetectionEvent]) -> None:
        """With all that belongs to them. While a server writes the one, the next is made ready here."""
        now = self._clock.now()
        with journal.noting(connection, Kind.EVENT, [(event.id, event.site) for event in new], now):
            rows = ready(connection, columns_of(new))
        with adding(connection, events, rows):
            sums = Rows.of(new)
        sums.write(connection)
        outbox.tell_events(connection, new, now)

    def events(self, query: EventQuery) -> Page[DetectionEvent]:
        """The newest first. Raises ``Invalid`` for a cursor that is not one of ours."""
        if query.limit < 1:
            raise Invalid("limit: at least 1")
        seen = [] if query.cursor is None else [query.behind(*place_of(query.cursor, oldest_first=query.oldest_first))]
        statement = select(events).where(*query.all(*seen)).order_by(*query.order)
        with self._db.read() as connection:
            rows = connection.execute(statement.limit(query.limit + 1)).mappings().all()
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        after = cursor_after(shown[-1], oldest_first=query.oldest_first) if more else None
        return Page(items=tuple(event_of(row) for row in shown), next_cursor=after)

    def events_of(self, ids: Collection[str]) -> dict[str, DetectionEvent]:
        """Those of them that are still kept, by id."""
        with self._db.read() as connection:
            rows = connection.execute(select(events).where(events.c.id.in_(list(ids)))).mappings()
            return {row["id"]: event_of(row) for row in rows}

    def events_named(self, names: Collection[str]) -> list[DetectionEvent]:
        """Those of these ids that are still kept, by id. A thousand at most."""
        with self._db.read() as connection:
            query = select(events).where(among(connection, events.c.id, [*names])).order_by(events.c.id)
            return [event_of(row) for row in connection.execute(query).mappings().all()]

    def event_count(self, query: EventQuery, *, most: int) -> int:
        """How many events are wanted, on all pages; no further than ``most``."""
        with self._db.read() as connection:
            return query.counted(connection, most=most)

    def hits_since(self, at: datetime) -> list[HitSum]:
        """The hits of all windows that end after ``at``, for each site and action that has any window there."""
        columns = (events.c.site, events.c.action, func.count() - func.count(events.c.hits), total(events.c.hits))
        sums = select(*columns).where(events.c.end > at).group_by(events.c.site, events.c.action)
        with self._db.read() as connection:
            rows = connection.execute(sums.order_by(events.c.site, events.c.action)).all()
        return [
            HitSum(site=SiteName(site), action=EventAction(action), hits=None if uncounted else int(hits))
            for site, action, uncounted, hits in rows
        ]

    def exception_use(self, exception: ExceptionId, *, sites: frozenset[SiteName] | None = None) -> Use:
        """The sums of its events, by default at every site; None where none of them counted."""
        used = case((func.coalesce(events.c.hits, events.c.packets, 0) > 0, events.c.end))
        sums = (total(events.c.hits), total(events.c.packets), total(events.c.octets), func.max(used))
        query = select(*sums).where(events.c.exception == exception)
        if sites is not None:
            query = query.where(events.c.site.in_(sites))
        with self._db.read() as connection:
            hits, packets, octets, last = connection.execute(query).one()
        return Use(hits=hits, packets=packets, octets=octets, last_used_at=last)

    def destinations_since(self, at: datetime, *, limit: int) -> Iterator[tuple[SourceSeen, ...]]:
        """Who was seen going where in each event that ends after ``at``, the newest event first."""
        query = select(events.c.sources).where(events.c.end > at).order_by(events.c.end.desc(), events.c.id.desc())
        with self._db.read() as connection:
            found = connection.execute(query.limit(limit)).scalars().all()
        return (SOURCES.loads(str(body)) for body in found)

    def events_between(self, site: SiteName, window: Window) -> list[DetectionEvent]:
        """The site's events that end inside the window, in order of time; an event belongs to the time it ends in."""
        inside = (events.c.site == site, events.c.end > window.start, events.c.end <= window.end)
        with self._db.read() as connection:
            rows = (
                connection.execute(select(events).where(*inside).order_by(events.c.end, events.c.id)).mappings().all()
            )
        return [event_of(row) for row in rows]


def _new(connection: Connection, found: Sequence[DetectionEvent]) -> Sequence[DetectionEvent]:
    """Those that are not there; of two in the batch that are the same event, the first. No other writes meanwhile."""
    c, known = events.c, set[tuple[Any, ...]]()
    devices, ends = sorted({event.device for event in found}), list({event.window.end for event in found})
    for start in range(0, len(ends), _NAMED):
        mine = (c.device.in_(devices), c.end.in_(ends[start : start + _NAMED]))
        rows = connection.execute(select(c.device, c.rule, c.start, c.end).where(*mine)).all()
        known.update((device, without_nul(rule), start, end) for device, rule, start, end in rows)
    new = list[DetectionEvent]()
    for event in found:
        key = (event.device, without_nul(event.rule), event.window.start, event.window.end)  # as it is kept
        if key not in known:
            known.add(key)
            new.append(event)
    return new


def look_of(row: RowMapping) -> Observation:
    return Observation(
        device=DeviceName(row["device"]),
        site=SiteName(row["site"]),
        at=row["at"],
        found=CoverageState(row["found"]) if row["found"] else None,
        left=CoverageState(row["left"]) if row["left"] else None,
        cause=row["cause"],
    )


def cursor_after(row: RowMapping, *, oldest_first: bool, of: str = "") -> str:
    """Where a list by ``end`` and ``id`` goes on behind this row; ``of`` tells lists apart."""
    way = _UP if oldest_first else ""
    return base64.urlsafe_b64encode(f"{of}{way}{micros(row['end'])}:{row['id']}".encode()).decode().rstrip("=")


def place_of(cursor: str, *, oldest_first: bool, of: str = "") -> tuple[datetime, str]:
    """The end and the id of the last row seen. Raises ``Invalid`` for a cursor that is not one of ours."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        found = _PLACE.fullmatch(text.removeprefix(of)) if text.startswith(of) else None
        if found is not None and bool(found["up"]) is oldest_first:
            return moment(int(found["end"])), found["event"]
    except (binascii.Error, ValueError, OverflowError):
        pass
    raise Invalid("cursor: not one of ours", hint="use next_cursor as it was given, or leave it out")


def columns_of(found: Sequence[DetectionEvent]) -> Columns:
    """Of one event at least."""
    columns: dict[str, Any] = dict(zip(_COLUMNS, zip(*map(_VALUES, found), strict=True), strict=True))
    columns["sources"] = [SOURCES.dumps(pairs) if pairs else "[]" for pairs in columns["sources"]]
    columns["entries"] = [ENTRIES.dumps(hits) if hits else "[]" for hits in columns["entries"]]
    return columns


def event_of(row: RowMapping) -> DetectionEvent:
    plain = {name: row[name] for name in _PLAIN}
    return DetectionEvent(
        **plain,
        action=EventAction(row["action"]),
        quality=Quality(row["quality"]),
        window=Window(row["start"], row["end"]),
        sources=SOURCES.loads(row["sources"]),
        entries=ENTRIES.loads(row["entries"]),
    )


_PLAIN: Final = (
    "id",
    "site",
    "device",
    "rule",
    "role",
    "exception",
    "hits",
    "packets",
    "octets",
    "snapshot",
    "sources_truncated",
)
_DERIVED: Final = {
    "action": "action._value_",
    "quality": "quality._value_",
    "start": "window.start",
    "end": "window.end",
    "sources": "sources",
    "entries": "entries",
}
_COLUMNS: Final = (*_PLAIN, *_DERIVED)
_VALUES: Final = attrgetter(*_PLAIN, *_DERIVED.values())
