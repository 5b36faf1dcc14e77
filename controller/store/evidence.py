"""What the devices proved: looks, their latest word, the last counters, and the events made of them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, case, func, or_, select
from sqlalchemy.dialects.sqlite import insert

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
from controller.store import outbox
from controller.store.jsons import ENTRIES, SOURCES, STATUS
from controller.store.schema import device_status, events, micros, moment, observations, readings
from controller.store.searching import among, counted
from controller.store.shelf import Shelf, put
from core.ids import DeviceName, ExceptionId, SiteName
from vendors.codec import dumps_reading, loads_reading
from vendors.model import Reading

T = TypeVar("T")

_UP: Final = "up:"
_PLACE: Final = re.compile(r"(?P<up>up:)?(?P<end>-?[0-9]{1,18}):(?P<event>[0-9a-z]{1,64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events. ``since``: windows that end after it. ``until``: windows that start before it."""

    site: str | None = None
    sites: frozenset[SiteName] | None = None  # None: of every site
    device: str | None = None
    action: EventAction | None = None
    exception: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    role: str | None = None
    text: str | None = None  # in where, who and where to
    oldest_first: bool = False
    cursor: str | None = None
    limit: int = 100

    @property
    def order(self) -> tuple[Any, ...]:
        """By the end of the window."""
        return (events.c.end, events.c.id) if self.oldest_first else (events.c.end.desc(), events.c.id.desc())


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
        with self._db.write() as connection:
            put(connection, device_status, {"device": status.device, "body": STATUS.dumps(status)})

    def status(self, device: DeviceName) -> DeviceStatus | None:
        """One device's; None when nobody has looked at it."""
        with self._db.read() as connection:
            body = connection.execute(select(device_status.c.body).where(device_status.c.device == device)).scalar()
        return None if body is None else STATUS.loads(str(body))

    def statuses(self) -> dict[DeviceName, DeviceStatus]:
        with self._db.read() as connection:
            rows = connection.execute(select(device_status).order_by(device_status.c.device)).mappings().all()
        return {DeviceName(row["device"]): STATUS.loads(row["body"]) for row in rows}

    # --- looks ----------------------------------------------------------------------------------------------------

    def add_observation(self, observation: Observation) -> None:
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

    def observations(self, site: SiteName, window: Window) -> list[Observation]:
        """The looks inside the window, and of each device the last one before it; in order of time."""
        here = observations.c.site == site
        inside = select(observations).where(here, observations.c.at >= window.start, observations.c.at < window.end)
        with self._db.read() as connection:
            rows = list(connection.execute(inside).mappings())
            for device in _devices_seen(connection, site):
                earlier = (here, observations.c.device == device, observations.c.at < window.start)
                last = select(observations).where(*earlier).order_by(observations.c.at.desc(), observations.c.id.desc())
                rows += connection.execute(last.limit(1)).mappings()
        return [_observation(row) for row in sorted(rows, key=lambda r: (r["at"], r["id"]))]

    # --- counters and events --------------------------------------------------------------------------------------

    def last_reading(self, device: DeviceName) -> Reading | None:
        """The baseline of the next difference; None before the first."""
        with self._db.read() as connection:
            body = connection.execute(select(readings.c.body).where(readings.c.device == device)).scalar()
        return None if body is None else loads_reading(str(body))

    def record_events(self, device: DeviceName, reading: Reading, found: Sequence[DetectionEvent]) -> int:
        """The new baseline and what it proves, together or not at all: no hit is lost or counted twice.

        An event that is already there (device, rule, window) is the same event. Returns how many were new.
        """
        with self._db.write() as connection:
            put(connection, readings, {"device": device, "body": dumps_reading(reading)})
            statement = insert(events).on_conflict_do_nothing()
            new = [event for event in found if connection.execute(statement, _columns(event)).rowcount]
            outbox.tell_events(connection, new, self._clock.now())
        return len(new)

    def events(self, query: EventQuery) -> Page[DetectionEvent]:
        """The newest first. Raises ``Invalid`` for a cursor that is not one of ours."""
        if query.limit < 1:
            raise Invalid("limit: at least 1")
        statement = select(events).where(*_wanted(query, *_seen(query))).order_by(*query.order)
        with self._db.read() as connection:
            rows = connection.execute(statement.limit(query.limit + 1)).mappings().all()
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        after = _cursor(shown[-1], oldest_first=query.oldest_first) if more else None
        return Page(items=tuple(_event(row) for row in shown), next_cursor=after)

    def event_count(self, query: EventQuery, *, most: int) -> int:
        """How many events are wanted, on all pages; no further than ``most``."""
        with self._db.read() as connection:
            return counted(connection, events.c.id, _wanted(query), most=most)

    def hits_since(self, at: datetime) -> list[HitSum]:
        """The hits of all windows that end after ``at``, for each site and action that has any window there."""
        columns = (events.c.site, events.c.action, func.count() - func.count(events.c.hits), func.sum(events.c.hits))
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
        sums = (func.sum(events.c.hits), func.sum(events.c.packets), func.sum(events.c.octets), func.max(used))
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
        return [_event(row) for row in rows]


def _devices_seen(connection: Connection, site: SiteName) -> Iterator[str]:
    """Every device that was ever looked at there: one step along the index for each, however many looks there are."""
    last = ""
    while True:
        after = select(func.min(observations.c.device)).where(observations.c.site == site, observations.c.device > last)
        found = connection.execute(after).scalar()
        if found is None:
            return
        last = str(found)
        yield last


def _observation(row: RowMapping) -> Observation:
    return Observation(
        device=DeviceName(row["device"]),
        site=SiteName(row["site"]),
        at=row["at"],
        found=CoverageState(row["found"]) if row["found"] else None,
        left=CoverageState(row["left"]) if row["left"] else None,
        cause=row["cause"],
    )


def _wanted(query: EventQuery, *more: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    """Every condition, with ``more`` that narrow where text is looked for."""
    places = (events.c.site, events.c.device, events.c.rule, events.c.role, events.c.sources, events.c.entries)
    said = (events.c.id, events.c.exception, events.c.action, *places)
    conditions = (*_conditions(query), *more)
    return among(events.c.id, conditions, order=query.order, text=query.text, columns=said)


def _conditions(query: EventQuery) -> Iterator[ColumnElement[bool]]:
    for column, wanted in (
        (events.c.site, query.site),
        (events.c.device, query.device),
        (events.c.role, query.role),
        (events.c.exception, query.exception),
        (events.c.action, query.action and query.action.value),
    ):
        if wanted is not None:
            yield column == wanted
    if query.sites is not None:
        yield events.c.site.in_(query.sites)
    if query.since is not None:
        yield events.c.end > query.since
    if query.until is not None:
        yield events.c.start < query.until


def _seen(query: EventQuery) -> Iterator[ColumnElement[bool]]:
    """Behind the last one that was shown."""
    if query.cursor is None:
        return
    at, event_id = _place(query.cursor, oldest_first=query.oldest_first)
    end, id_ = events.c.end, events.c.id
    if query.oldest_first:
        yield or_(end > at, and_(end == at, id_ > event_id))
    else:
        yield or_(end < at, and_(end == at, id_ < event_id))


def _cursor(row: RowMapping, *, oldest_first: bool) -> str:
    way = _UP if oldest_first else ""
    return base64.urlsafe_b64encode(f"{way}{micros(row['end'])}:{row['id']}".encode()).decode().rstrip("=")


def _place(cursor: str, *, oldest_first: bool) -> tuple[datetime, str]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = _PLACE.fullmatch(base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii"))
        if found is not None and bool(found["up"]) is oldest_first:
            return moment(int(found["end"])), found["event"]
    except (binascii.Error, ValueError, OverflowError):
        pass
    raise Invalid("cursor: not one of ours", hint="use next_cursor as it was given, or leave it out")


def _columns(event: DetectionEvent) -> dict[str, Any]:
    plain = {name: getattr(event, name) for name in _PLAIN}
    return {
        **plain,
        "action": event.action.value,
        "quality": event.quality.value,
        "start": event.window.start,
        "end": event.window.end,
        "sources": SOURCES.dumps(event.sources),
        "entries": ENTRIES.dumps(event.entries),
    }


def _event(row: RowMapping) -> DetectionEvent:
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
