"""What evidence came to: episodes, each kept once, and the batches of evidence that they were made of.

A batch is taken in one transaction with all that comes of it; taken again, it changes nothing. So a process may die
at any moment, and whoever brings evidence may bring it again.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    false,
    func,
    literal,
    or_,
    select,
    type_coerce,
)

from controller.errors import Invalid, NotFound
from controller.evidence.model import Episode, EpisodeAction, EpisodeKind, Rejected, Trace
from controller.model import Window
from controller.offsets import steady
from controller.privacy.alias import Alias
from controller.store import episode_days, journal, outbox
from controller.store.adding import micros_of
from controller.store.bulk import Columns, among, put_all
from controller.store.evidence import Page, cursor_after, place_of
from controller.store.journal import Kind
from controller.store.jsons import EPISODE
from controller.store.quarantine import Quarantines
from controller.store.schema import episodes, evidence_batches
from controller.store.searching import SEARCHED, Listing
from controller.store.shelf import get_meta, insert_unless, put_meta
from core.ids import EventId, SiteName

BATCH_RETENTION: Final = timedelta(days=31)
"""So long a batch is known to have been taken."""
_FOLLOWED: Final = "evidence_followed"
SALT: Final = "episode_salt"
"""Where the secret that goes into ids is kept."""
SALT_BYTES: Final = 32
_LONGEST: Final = timedelta(minutes=30)
_LIST: Final = "episodes:"
_HOUR: Final = 3_600_000_000  # microseconds
_DAY: Final = 24  # hours
_WEEK: Final = 7 * _DAY
_THURSDAY: Final = 3
"""The first day of 1970, counted from Monday."""
_NAMED: Final = 500
"""Values in one question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursOfWeek:
    """Which hours by the clock of ``zone``: of that day of the week (Monday is 0), that hour of the day, or both.

    Asked of what lies in ``window``: how far the clock is from UTC is looked up for that time.
    """

    zone: ZoneInfo
    window: Window
    weekday: int | None = None
    hour: int | None = None

    def touched_by(self, start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether what lasted from ``start`` until ``end`` was there in any such hour."""
        length, turns, wanted = _HOUR, _WEEK, (self.weekday or 0) * _DAY + (self.hour or 0)
        if self.hour is None:
            length, turns, wanted = _HOUR * _DAY, 7, self.weekday or 0
        elif self.weekday is None:
            turns = _DAY
        first, last = type_coerce(start, BigInteger), type_coerce(end, BigInteger) - 1
        parts, known = [], [*steady(self.window, self.zone)]
        for number, (part, offset) in enumerate(known, 1):
            moved = literal(micros_of(offset) + _THURSDAY * _HOUR * _DAY, BigInteger)
            began, ended = (first + moved) // length, (last + moved) // length
            ahead = ((wanted - began) % turns + turns) % turns  # so many such hours later the wanted one comes
            edges = [*([end > part.start] if number > 1 else []), *([end <= part.end] if number < len(known) else [])]
            parts.append(and_(*edges, ahead <= ended - began))
        return or_(false(), *parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeQuery(Listing):
    """Which episodes. ``since``: those that end after it. ``until``: those that start before it.

    By the end of the window; text is looked for in where, who and where to.
    """

    KEYS = (episodes.c.end, episodes.c.id)
    SAID = (
        episodes.c.id,
        episodes.c.kind,
        episodes.c.site,
        episodes.c.device,
        episodes.c.source,
        episodes.c.host,
        episodes.c.user,
        episodes.c.role,
        episodes.c.indicator,
        episodes.c.app,
        episodes.c.surface,
    )
    WHO = frozenset({"source", "host", "user"})

    site: str | None = None
    sites: frozenset[SiteName] | None = None  # None: of every site
    device: str | None = None
    kinds: frozenset[EpisodeKind] | None = None  # None: of every kind
    action: EpisodeAction | None = None
    source: str | None = None  # an address
    host: str | None = None
    user: str | None = None
    pseudonym: str | None = None
    aliases: tuple[Alias, ...] = ()  # whom that stands for; without any, nothing is found by it
    role: str | None = None
    app: str | None = None
    surface: str | None = None  # empty: of what does not say which
    destination: str | None = None  # an address or a name
    exception: str | None = None
    confidence: int = 0  # at least
    hours: HoursOfWeek | None = None
    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None
    limit: int = 100

    def filters(self) -> Iterator[ColumnElement[bool]]:
        for column, wanted in (
            (episodes.c.site, self.site),
            (episodes.c.device, self.device),
            (episodes.c.action, self.action and self.action.value),
            (episodes.c.source, self.source),
            (episodes.c.host, self.host),
            (episodes.c.user, self.user),
            (episodes.c.role, self.role),
            (episodes.c.app, self.app),
            (episodes.c.surface, self.surface),
            (episodes.c.exception, self.exception),
        ):
            if wanted is not None:
                yield column == wanted
        if self.pseudonym is not None:
            yield or_(false(), *map(_called, self.aliases))
        if self.sites is not None:
            yield episodes.c.site.in_(self.sites)
        if self.kinds is not None:
            yield episodes.c.kind.in_([kind.value for kind in sorted(self.kinds)])
        if self.confidence:
            yield episodes.c.confidence >= self.confidence
        if self.hours is not None:
            yield self.hours.touched_by(episodes.c.start, episodes.c.end)
        if self.since is not None:
            yield episodes.c.end > self.since
        if self.until is not None:
            yield episodes.c.start < self.until

    def all(self, *more: ColumnElement[bool]) -> list[ColumnElement[bool]]:
        """Destinations are looked for as text is: in the first rows that the other filters leave."""
        conditions = Listing.all(self, *more)  # `super()` does not know a class with slots
        if self.destination is None:
            return conditions
        looked_at = select(episodes.c.id).where(*self.filters(), *more).order_by(*self.order).limit(SEARCHED)
        return [*conditions, episodes.c.id.in_(looked_at), _went_to(self.destination)]


def _went_to(destination: str) -> ColumnElement[bool]:
    """In the text that is kept, where no name of a client stands behind the destinations."""
    named = json.dumps(destination.lower(), ensure_ascii=False)
    named = named.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return func.lower(episodes.c.body).like(f'%"destinations":[%{named}%', escape="\\")


def _called(alias: Alias) -> ColumnElement[bool]:
    """A host has a name of its own only where there is no address."""
    c = episodes.c
    client = or_(c.source.in_(alias.clients), and_(c.source.is_(None), c.host.in_(alias.clients)))
    who = c.user.in_(alias.users) if alias.users else client
    return and_(c.end > alias.window.start, c.end <= alias.window.end, who)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEpisode:
    """An episode, and what the next evidence needs to join it: whose it is, and what it is made of."""

    episode: Episode
    client: str = ""  # empty: nothing joins it
    threads: str | None = None


class Past:
    """What a batch may ask of what is kept already, in its own transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def salt(self) -> bytes:
        """Secret, and the same for this store for ever: what goes into ids that are made of who a client is."""
        if (kept := get_meta(self._connection, SALT)) is None:
            kept = secrets.token_hex(SALT_BYTES)
            put_meta(self._connection, SALT, kept)
        return bytes.fromhex(kept)

    def open_at(self, site: SiteName, window: Window) -> int:
        """How many episodes of the site touch the window, and more may join them."""
        touching = (episodes.c.end > window.start, episodes.c.start < window.end)
        mine = (episodes.c.site == site, *touching, episodes.c.threads.is_not(None))
        return int(self._connection.execute(select(func.count()).select_from(episodes).where(*mine)).scalar() or 0)

    def used_before(self, site: SiteName, app: str, at: datetime) -> bool:
        """Whether any use of the app there began before."""
        mine = (episodes.c.kind == EpisodeKind.USE.value, episodes.c.site == site, episodes.c.app == app)
        earlier = select(episodes.c.id).where(*mine, episodes.c.start < at).limit(1)
        return self._connection.execute(earlier).first() is not None

    def which(self, names: Collection[EventId]) -> set[EventId]:
        """Those of which there is an episode."""
        wanted, found = sorted(names), set[EventId]()
        for start in range(0, len(wanted), _NAMED):
            mine = among(self._connection, episodes.c.id, wanted[start : start + _NAMED])
            found.update(map(EventId, self._connection.execute(select(episodes.c.id).where(mine)).scalars()))
        return found

    def episode(self, name: EventId) -> Episode | None:
        """As it is kept."""
        body = self._connection.execute(select(episodes.c.body).where(episodes.c.id == name)).scalar()
        return None if body is None else EPISODE.loads(str(body))


class Episodes(Quarantines):
    # --- writing --------------------------------------------------------------------------------------------------

    def record(self, batch: str, found: Iterable[Episode]) -> int:
        """Keep the episodes of a batch of evidence, all or none; one of the same ``id`` replaces the earlier one.

        A batch that was taken before changes nothing; an empty ``batch`` has no name and is always taken. Returns
        how many episodes are new or other than they were.
        """
        with self._db.write() as connection:
            if not self._is_first(connection, batch):
                return 0
            return self._keep(connection, [KeptEpisode(episode=episode) for episode in found])

    def correlate(
        self,
        batch: str,
        *,
        clients: Collection[str],
        window: Window,
        fold: Callable[[Sequence[KeptEpisode], Past], Iterable[KeptEpisode]],
        rejected: Sequence[Rejected] = (),
    ) -> bool:
        """Take a batch of evidence: ``fold`` is given the open episodes of these clients that touch the window, and
        says which episodes there are then. It runs inside the transaction, and alone. ``rejected`` is set aside in it.

        False: the batch was taken before, and ``fold`` was not asked.
        """
        with self._db.write() as connection:
            if not self._is_first(connection, batch):
                return False
            self.set_aside_in(connection, rejected)
            known = _open(connection, clients, window)
            before = {
                kept.episode.id: _Before(body, kept.threads, kept.episode.window.end, _said(kept.episode))
                for kept, body in known
            }
            self._keep(connection, fold([kept for kept, _ in known], Past(connection)), before)
        return True

    def has_taken(self, batch: str) -> bool:
        """Whether a batch of that name was taken."""
        with self._db.read() as connection:
            known = select(evidence_batches.c.id).where(evidence_batches.c.id == batch)
            return connection.execute(known).first() is not None

    def _is_first(self, connection: Connection, batch: str) -> bool:
        if not batch:
            return True
        row = {"id": batch, "at": self._clock.now()}
        statement = insert_unless(connection, evidence_batches).values(**row).on_conflict_do_nothing()
        return bool(connection.execute(statement.execution_options(preserve_rowcount=True)).rowcount)

    def _keep(
        self,
        connection: Connection,
        found: Iterable[KeptEpisode],
        read: Mapping[EventId, _Before] = MappingProxyType({}),
    ) -> int:
        """In the order of time and id, whatever order they come in, and so they stand in the journal. ``read``: what
        was kept of some of them, where that is known already."""
        wanted = {kept.episode.id: kept for kept in found}
        before = {**read, **_before(connection, wanted.keys() - read.keys())}
        changed, told = list[tuple[KeptEpisode, str]](), list[Episode]()
        for kept in sorted(wanted.values(), key=lambda kept: (kept.episode.window.end, kept.episode.id)):
            body, known = EPISODE.dumps(kept.episode), before.get(kept.episode.id)
            if known is not None and (known.body, known.threads) == (body, kept.threads):
                continue
            changed.append((kept, body))
            if known is None or known.said != _said(kept.episode):
                told.append(kept.episode)
        now = self._clock.now()
        if changed:
            put_all(connection, episodes, _columns(changed))
            episode_days.take_back(connection, _ends(changed, before))
            journal.note(connection, Kind.EPISODE, [(kept.episode.id, kept.episode.site) for kept, _ in changed], now)
        outbox.tell_episodes(connection, told, now)
        return len(changed)

    # --- reading --------------------------------------------------------------------------------------------------

    def episodes(self, query: EpisodeQuery) -> Page[Episode]:
        """The newest first. Raises ``Invalid`` for a cursor that is not one of ours."""
        if query.limit < 1:
            raise Invalid("limit: at least 1")
        seen = (
            []
            if query.cursor is None
            else [query.behind(*place_of(query.cursor, oldest_first=query.oldest_first, of=_LIST))]
        )
        table = episodes.c
        statement = select(table.id, table.end, table.body).where(*query.all(*seen)).order_by(*query.order)
        with self._db.read() as connection:
            rows = connection.execute(statement.limit(query.limit + 1)).mappings().all()
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        after = cursor_after(shown[-1], oldest_first=query.oldest_first, of=_LIST) if more else None
        return Page(items=tuple(EPISODE.loads(row["body"]) for row in shown), next_cursor=after)

    def episode(self, name: str) -> Episode:
        """Raises ``NotFound``."""
        with self._db.read() as connection:
            body = connection.execute(select(episodes.c.body).where(episodes.c.id == name)).scalar()
        if body is None:
            raise NotFound(f"no episode {name[:64]!r}", hint="`tokgate episodes list` names them")
        return EPISODE.loads(str(body))

    def episodes_of(self, ids: Collection[str]) -> dict[str, Episode]:
        """Those of them that are still kept, by id."""
        with self._db.read() as connection:
            query = select(episodes.c.id, episodes.c.body).where(episodes.c.id.in_(list(ids)))
            return {name: EPISODE.loads(str(body)) for name, body in connection.execute(query)}

    def episode_count(self, query: EpisodeQuery, *, most: int) -> int:
        """How many episodes are wanted, on all pages; no further than ``most``."""
        with self._db.read() as connection:
            return query.counted(connection, most=most)

    def episode_counts(self, since: datetime, *, sites: Collection[str] | None = None) -> dict[tuple[str, str], int]:
        """How many ended since, by kind and action; ``sites`` None: of every site."""
        table = episodes.c
        query = select(table.kind, table.action, func.count()).where(table.end > since)
        if sites is not None:
            query = query.where(table.site.in_(sites))
        with self._db.read() as connection:
            rows = connection.execute(query.group_by(table.kind, table.action)).all()
        return {(str(kind), str(action)): int(count) for kind, action, count in rows}

    def followed(self) -> int:
        """The number in the journal up to which events of counters are episodes."""
        with self._db.read() as connection:
            return int(get_meta(connection, _FOLLOWED) or 0)

    def set_followed(self, number: int) -> None:
        with self._db.write() as connection:
            put_meta(connection, _FOLLOWED, str(number))

    def use_by_site(self, window: Window) -> dict[SiteName, int]:
        """How many episodes of use of each site began inside the window; nothing of sites without any."""
        table = episodes.c
        began = (table.kind == EpisodeKind.USE.value, table.start >= window.start, table.start < window.end)
        near = (table.end >= window.start, table.end <= window.end + _LONGEST)  # so that an index is used
        query = select(table.site, func.count()).where(*began, *near).group_by(table.site)
        with self._db.read() as connection:
            return {SiteName(site): int(count) for site, count in connection.execute(query)}

    def first_seen_at(self, site: SiteName) -> datetime | None:
        """When the first episode of its clients that is kept ended: counters and lists of what is installed do not show
        that anybody would have been seen."""
        seen = episodes.c.kind.in_((EpisodeKind.USE.value, EpisodeKind.CONTACT.value))
        query = select(func.min(episodes.c.end)).where(episodes.c.site == site, seen)
        with self._db.read() as connection:
            found: datetime | None = connection.execute(query).scalar()
        return found

    def installed_before(self, at: datetime, *, limit: int) -> list[KeptEpisode]:
        """What was found installed before ``at``, the earliest first."""
        table = episodes.c
        mine = (table.kind == EpisodeKind.INSTALLED.value, table.start < at)
        query = select(table.client, table.body, table.threads).where(*mine).order_by(table.start, table.id)
        with self._db.read() as connection:
            rows = connection.execute(query.limit(limit))
            return [KeptEpisode(episode=EPISODE.loads(body), client=c, threads=threads) for c, body, threads in rows]

    def traces(self, site: SiteName, app: str, since: datetime) -> Generator[Trace]:
        """Whose the use of the app at the site was, of what ended since; the latest first. To be closed."""
        table = episodes.c
        mine = (table.kind == EpisodeKind.USE.value, table.site == site, table.app == app, table.end >= since)
        query = select(table.source, table.host, table.user, table.start, table.end).where(*mine)
        with self._db.read() as connection:
            for source, host, user, start, end in connection.execute(query.order_by(table.end.desc())):
                yield Trace(source=source or "", host=host, user=user, window=Window(start, end))

    def clients_since(self, at: datetime, *, limit: int) -> list[str]:
        """Whose episodes ended after ``at`` and may still grow, the latest first."""
        query = select(episodes.c.source).where(episodes.c.end > at, episodes.c.threads.is_not(None))
        with self._db.read() as connection:
            found = connection.execute(query.order_by(episodes.c.end.desc()).limit(limit)).scalars()
            return [str(source) for source in found if source is not None]

    def episodes_called(self, names: Iterable[EventId]) -> list[Episode]:
        """Those of these ids that are kept."""
        with self._db.read() as connection:
            return [EPISODE.loads(known.body) for known in _before(connection, names).values()]

    def episodes_between(self, site: SiteName, window: Window) -> list[Episode]:
        """The site's episodes that end inside the window, in order of time."""
        inside = (episodes.c.site == site, episodes.c.end > window.start, episodes.c.end <= window.end)
        query = select(episodes.c.body).where(*inside).order_by(episodes.c.end, episodes.c.id)
        with self._db.read() as connection:
            return [EPISODE.loads(str(body)) for body in connection.execute(query).scalars()]


def _open(connection: Connection, clients: Collection[str], window: Window) -> list[tuple[KeptEpisode, str]]:
    """Each with the text that it is kept as."""
    table, found, names = episodes.c, list[tuple[KeptEpisode, str]](), sorted({client for client in clients if client})
    for start in range(0, len(names), _NAMED):
        mine = (among(connection, table.client, names[start : start + _NAMED]), table.threads.is_not(None))
        touching = and_(table.end >= window.start, table.start <= window.end)
        lasting = table.kind == EpisodeKind.INSTALLED.value  # what is installed is so until it is not
        query = select(table.client, table.body, table.threads).where(*mine, or_(touching, lasting))
        for client, body, threads in connection.execute(query.order_by(table.client, table.start, table.id)).all():
            found.append((KeptEpisode(episode=EPISODE.loads(body), client=client, threads=threads), body))
    return found


class _Before(NamedTuple):
    """What is kept of an episode already. ``said``: where it is other, whoever was told of it has to be told again; all
    else is only more of the same."""

    body: str
    threads: str | None
    end: datetime
    said: tuple[Any, ...]


def _before(connection: Connection, wanted: Iterable[EventId]) -> dict[EventId, _Before]:
    table, names, found = episodes.c, sorted(wanted), dict[EventId, _Before]()
    said = (table.kind, table.action, table.exception, table.confidence)
    for start in range(0, len(names), _NAMED):
        mine = among(connection, table.id, names[start : start + _NAMED])
        query = select(table.id, table.body, table.threads, table.end, *said).where(mine)
        for name, body, threads, end, kind, action, exception, confidence in connection.execute(query).all():
            found[EventId(name)] = _Before(body, threads, end, (kind, action, exception, not confidence))
    return found


def _ends(changed: Iterable[tuple[KeptEpisode, str]], before: Mapping[EventId, _Before]) -> dict[str, set[datetime]]:
    """Of each site when these episodes end, and when they ended before."""
    found: dict[str, set[datetime]] = {}
    for kept, _ in changed:
        episode, known = kept.episode, before.get(kept.episode.id)
        found.setdefault(episode.site, set()).update((episode.window.end, known.end if known else episode.window.end))
    return found


def _said(episode: Episode) -> tuple[Any, ...]:
    """What is more than more of the same; one of no confidence is taken back."""
    return episode.kind.value, episode.action.value, episode.exception, not episode.confidence


def _columns(found: Sequence[tuple[KeptEpisode, str]]) -> Columns:
    """Of one at least, each with its text."""
    values = zip(*(_VALUES(kept.episode) for kept, _ in found), strict=True)
    columns: dict[str, Any] = dict(zip(_COLUMNS, values, strict=True))
    columns["source"] = [None if source is None else str(source) for source in columns["source"]]
    columns["client"] = [kept.client for kept, _ in found]
    columns["body"] = [body for _, body in found]
    columns["threads"] = [kept.threads for kept, _ in found]
    return columns


_PLAIN: Final = (
    "id",
    "site",
    "device",
    "host",
    "user",
    "role",
    "indicator",
    "app",
    "surface",
    "exception",
    "confidence",
    "count",
    "packets",
    "octets",
)
_DERIVED: Final = {
    "kind": "kind._value_",
    "action": "action._value_",
    "source": "source",
    "start": "window.start",
    "end": "window.end",
}
_COLUMNS: Final = (*_PLAIN, *_DERIVED)
_VALUES: Final = attrgetter(*_PLAIN, *_DERIVED.values())

__all__ = ["BATCH_RETENTION", "EpisodeQuery", "Episodes", "HoursOfWeek", "KeptEpisode", "Past"]
