"""Dropping what a site no longer keeps, and forgetting who clients were in what it keeps; in small writes.

Done twice it is done once, and a process that dies in between leaves what is left for the next time. Figures stay.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    Table,
    Update,
    bindparam,
    delete,
    func,
    or_,
    select,
    type_coerce,
    update,
)

from controller.audit import AuditNote
from controller.evidence.model import Episode
from controller.model import FORGOTTEN, NOBODY, SourceSeen
from controller.proof.matrix import of_leaks
from controller.store import episode_days
from controller.store.adding import DAY, MONTH, ONE_DAY, SEEN, month_of
from controller.store.bulk import add, among, as_columns
from controller.store.jsons import EPISODE, SOURCES
from controller.store.proofs import proofs_in
from controller.store.schema import LEAKING, episodes, events, hit_seen, micros, moment, proofs, quarantine
from controller.store.searching import steps
from controller.store.shelf import Shelf, get_meta, put_meta
from controller.store.sums import EVENTS_CUT, up_month
from controller.sums import SOURCE

BATCH: Final = 2_000
_NOBODYS: Final = f'"source":"{NOBODY}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """Up to when the things of one site go. ``events`` and ``identities``: midnights of UTC."""

    events: datetime
    episodes: datetime
    identities: datetime
    proofs: datetime


class Retentions(Shelf):
    def sites_recorded(self) -> set[str]:
        """Every site of which anything is kept."""
        with self._db.read() as connection:
            return {name for table in (hit_seen, events, episodes, proofs) for name in steps(connection, table.c.site)}

    def due_of(self, site: str, until: Until) -> dict[str, int]:
        """How many of what would go, without what there is none of; changes nothing."""
        with self._db.read() as connection:
            found = {
                what: int(connection.execute(select(func.count()).select_from(table).where(*which)).scalar() or 0)
                for what, table, which in _questions(site, until)
            }
            found["proofs"] -= len(_of_leaks(connection, site, until))
        return {what: count for what, count in found.items() if count}

    def drop_of(self, site: str, until: Until) -> dict[str, int]:
        """Do it, and say the same."""
        done = {"events": self._drop(events, *_old_events(site, until))}
        if done["events"]:
            self._note_cut(site, until.events)
        done["episodes"] = self._drop(episodes, *_old_episodes(site, until))
        with self._db.write() as connection:
            episode_days.forget(connection, until.episodes, lambda of: of == site)
        done["proofs"] = self._drop_proofs(site, until)
        done["set aside"] = self._drop(quarantine, *_old_quarantine(site, until))
        done["identities in events"] = self._forget_in_events(site, until)
        done["identities in episodes"] = self._forget_in_episodes(site, until)
        done["identities in sums"] = self._forget_in_sums(site, until)
        return {what: count for what, count in done.items() if count}

    def note_dropped(self, audit: AuditNote) -> None:
        with self._db.write() as connection:
            self._log(connection, audit)

    # --- one kind each --------------------------------------------------------------------------------------------

    def _drop_proofs(self, site: str, until: Until) -> int:
        """All but those of leaks."""
        with self._db.read() as connection:
            kept = _of_leaks(connection, site, until)
            known = connection.execute(select(proofs.c.id).where(*_old_proofs(site, until))).scalars()
            gone = [name for name in known if name not in kept]
        for start in range(0, len(gone), BATCH):
            with self._db.write() as connection:
                connection.execute(delete(proofs).where(among(connection, proofs.c.id, gone[start : start + BATCH])))
        return len(gone)

    def _note_cut(self, site: str, first: datetime) -> None:
        """So that sums are not compared with events that are gone, nor made anew of them."""
        with self._db.write() as connection:
            said = json.loads(get_meta(connection, EVENTS_CUT) or "{}")
            said[site] = max(int(said.get(site, 0)), micros(first))
            put_meta(connection, EVENTS_CUT, json.dumps(said, sort_keys=True))

    def _forget_in_events(self, site: str, until: Until) -> int:
        named = select(events.c.id, events.c.sources).where(*_named_events(site, until))
        change = update(events).where(events.c.id == bindparam("of")).values(sources=bindparam("said"))
        return self._said_again(named, change, _nameless)

    def _forget_in_episodes(self, site: str, until: Until) -> int:
        named = select(episodes.c.id, episodes.c.body).where(*_named_episodes(site, until))
        gone = {"source": None, "host": FORGOTTEN, "user": "", "client": "", "threads": None}
        change = update(episodes).where(episodes.c.id == bindparam("of")).values(**gone, body=bindparam("said"))
        return self._said_again(named, change, _unnamed)

    def _said_again(self, named: Select[Any], change: Update, forget: Callable[[str], str]) -> int:
        """Rows that are ``named`` with what they say, without what ``forget`` leaves out; how many there were."""
        done = 0
        while True:
            with self._db.write() as connection:
                rows = [{"of": name, "said": forget(said)} for name, said in connection.execute(named.limit(BATCH))]
                if rows:
                    connection.execute(change, rows)
            done += len(rows)
            if len(rows) < BATCH:
                return done

    def _forget_in_sums(self, site: str, until: Until) -> int:
        """Clients of each day become one; the months up to that are added up again from their days."""
        with self._db.write() as connection:
            gone = 0
            named = _named_sums(site, until)
            days = connection.execute(select(hit_seen.c.start).where(*named).distinct()).scalars().all()
            for day in days:
                gone += _as_one(connection, site, day)
            if days:
                _months_of(connection, site, min(days), max(days))
        return gone


def _of_leaks(connection: Connection, site: str, until: Until) -> frozenset[str]:
    """Coverage of the past stays as it was: of a leak it is kept when it passed, and when it was stopped."""
    old = _old_proofs(site, until)
    first = connection.execute(select(func.min(proofs.c.at)).where(*old, LEAKING)).scalar()
    return frozenset() if first is None else of_leaks(proofs_in(connection, *old, proofs.c.at >= first))


def _questions(site: str, until: Until) -> list[tuple[str, Table, tuple[Any, ...]]]:
    return [
        ("events", events, _old_events(site, until)),
        ("episodes", episodes, _old_episodes(site, until)),
        ("proofs", proofs, _old_proofs(site, until)),
        ("set aside", quarantine, _old_quarantine(site, until)),
        ("identities in events", events, (*_named_events(site, until), events.c.end > until.events)),
        ("identities in episodes", episodes, (*_named_episodes(site, until), episodes.c.end >= until.episodes)),
        ("identities in sums", hit_seen, _named_sums(site, until)),
    ]


def _old_events(site: str, until: Until) -> tuple[Any, ...]:
    return (events.c.site == site, events.c.end <= until.events)


def _old_episodes(site: str, until: Until) -> tuple[Any, ...]:
    return (episodes.c.site == site, episodes.c.end < until.episodes)


def _old_proofs(site: str, until: Until) -> tuple[Any, ...]:
    return (proofs.c.site == site, proofs.c.at < until.proofs)


def _old_quarantine(site: str, until: Until) -> tuple[Any, ...]:
    return (quarantine.c.site == site, quarantine.c.last_at < until.identities)


def _named_events(site: str, until: Until) -> tuple[Any, ...]:
    c = events.c
    return (c.site == site, c.end <= until.identities, c.sources != "[]", c.sources.not_like(f"%{_NOBODYS}%"))


def _named_episodes(site: str, until: Until) -> tuple[Any, ...]:
    c = episodes.c
    named = or_(c.source.is_not(None), c.host.not_in(("", FORGOTTEN)), c.user != "", c.client != "")
    return (c.site == site, c.end <= until.identities, named)


def _named_sums(site: str, until: Until) -> tuple[Any, ...]:
    c = hit_seen.c
    mine = (c.site == site, c.grain == DAY, c.start < until.identities)
    return (*mine, c.side == SOURCE, c.name != FORGOTTEN)


def _nameless(said: str) -> str:
    """The same flows, by nobody: of each destination one."""
    kept: dict[object, SourceSeen] = {}
    for pair in SOURCES.loads(said):
        old = kept.get(pair.destination)
        kept[pair.destination] = replace(pair, source=NOBODY) if old is None else _plus(old, pair)
    return SOURCES.dumps(tuple(kept.values()))


def _plus(one: SourceSeen, other: SourceSeen) -> SourceSeen:
    return replace(
        one,
        packets=None if one.packets is None or other.packets is None else one.packets + other.packets,
        octets=None if one.octets is None or other.octets is None else one.octets + other.octets,
        last_seen=max(one.last_seen, other.last_seen),
    )


def _unnamed(body: str) -> str:
    found: Episode = EPISODE.loads(body)
    return EPISODE.dumps(replace(found, source=None, host=FORGOTTEN, user=""))


def _as_one(connection: Connection, site: str, day: datetime) -> int:
    """All clients of a day as one row for each role and end; returns how many had names."""
    c = hit_seen.c
    there = (c.site == site, c.side == SOURCE, c.grain == DAY, c.start == day)
    rows = connection.execute(_summed(c.action, c.role).where(*there)).mappings().all()
    gone = connection.execute(delete(hit_seen).where(*there, c.name != FORGOTTEN)).rowcount
    connection.execute(delete(hit_seen).where(*there))
    made = [_seen_row({**row, "name": FORGOTTEN}, site, DAY, day) for row in rows]
    add(connection, hit_seen, as_columns(made))
    return gone


def _summed(*keys: Any) -> Select[Any]:
    c = hit_seen.c
    figures = [func.sum(c[name]).label(name) for name in SEEN]
    last = func.max(type_coerce(c.last_seen, BigInteger)).label("last_seen")
    return select(*keys, *figures, last).group_by(*keys)


def _seen_row(row: Mapping[str, Any], site: str, grain: str, start: datetime) -> dict[str, Any]:
    figures = {name: int(row[name]) for name in SEEN}
    key = {"site": site, "grain": grain, "start": start, "side": SOURCE}
    named = {name: row[name] for name in ("name", "action", "role")}
    return {**key, **named, **figures, "last_seen": moment(int(row["last_seen"]))}


def _months_of(connection: Connection, site: str, first: datetime, last: datetime) -> None:
    c, month = hit_seen.c, month_of(first)
    mine = (c.site == site, c.side == SOURCE)
    while month <= last:
        end = up_month(month + ONE_DAY)
        connection.execute(delete(hit_seen).where(*mine, c.grain == MONTH, c.start == month))
        days = (*mine, c.grain == DAY, c.start >= month, c.start < end)
        rows = connection.execute(_summed(c.name, c.action, c.role).where(*days)).mappings().all()
        add(connection, hit_seen, as_columns([_seen_row({**row}, site, MONTH, month) for row in rows]))
        month = end


__all__ = ["Retentions", "Until"]
