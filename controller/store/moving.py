"""How far the store is, and which sites lie between two such marks: a few rows by their keys, however much is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Column, Connection, func, or_, select

from controller.changes import Changes, Marks, Topic, digest, joined
from controller.store.schema import audit, exception_sites, journal, observations, proofs, refreshes, run_devices, runs
from controller.store.shelf import Shelf, get_meta
from controller.store.snapshots import CURRENT, PINNED
from core.ids import SiteName

_FAR: Final = 20_000
"""Rows that are looked through for their sites for who comes again; what lies further back may be about any."""
_FLOOD: Final = 1_000_000
"""The same between two looks that follow each other: more than can be written in that time, so nobody is told of sites
that are not theirs."""
_SIGN_INS: Final = ("session.%", "person.%")


class Moving(Shelf):
    """What pages that are open are told of."""

    def newest_look(self) -> int:
        """The number of the last look at any device; 0 before the first."""
        with self._db.read() as connection:
            return _last(connection, observations.c.id)

    def marks(self) -> Marks:
        """How far everything is now."""
        with self._db.read() as connection:
            newest = _newest(connection, runs.c.id)
            proof = _newest(connection, proofs.c.id)
            going = _going(connection)
            refreshed = connection.execute(select(func.max(refreshes.c.id), func.max(refreshes.c.at))).one()
            current = get_meta(connection, CURRENT)
            pinned = get_meta(connection, PINNED)
            return Marks(
                journal=_last(connection, journal.c.seq),
                looks=_last(connection, observations.c.id),
                audit=_last(connection, audit.c.seq),
                proofs=digest((proof,)),
                runs=digest((newest, *sorted(going.items()))),
                intel=digest((*refreshed, current, pinned)),
                open_runs=going,
                newest_run=newest,
                newest_proof=proof,
            )

    def changes(self, since: Marks, until: Marks) -> Changes:
        """What lies between the two."""
        found: dict[Topic, frozenset[SiteName] | None] = {}
        far = _FAR if since.is_read else _FLOOD
        with self._db.read() as connection:
            if since.looks != until.looks:
                found[Topic.SITE] = _between(connection, observations.c.id, observations.c.site, since.looks, far)
            if since.proofs != until.proofs:
                found = dict(joined(found, {Topic.SITE: _proven(connection, since)}))
            if since.journal != until.journal:
                found[Topic.EPISODES] = _between(connection, journal.c.seq, journal.c.site, since.journal, far)
            if since.runs != until.runs:
                found[Topic.RUNS] = _of_runs(connection, since, until)
            if since.audit != until.audit:
                moved = _of_exceptions(connection, since.audit, far)
                found |= {Topic.EXCEPTIONS: moved} if moved != frozenset() else {}
        if since.intel != until.intel:
            found[Topic.INTEL] = None
        return found

    def signed_out_since(self, seq: int) -> bool:
        """Whether sessions or people changed after that entry of the audit log."""
        acts = or_(*(audit.c.action.like(pattern) for pattern in _SIGN_INS))
        with self._db.read() as connection:
            query = select(audit.c.seq).where(audit.c.seq > seq, acts).limit(1)
            return connection.execute(query).scalar() is not None


def _last(connection: Connection, key: Column[Any]) -> int:
    return int(connection.execute(select(func.max(key))).scalar() or 0)


def _newest(connection: Connection, key: Column[Any]) -> str:
    return str(connection.execute(select(func.max(key))).scalar() or "")


def _proven(connection: Connection, since: Marks) -> frozenset[SiteName] | None:
    """The sites of proofs that came after; None where it is not known."""
    if since.is_read:
        return None
    rows = connection.execute(select(proofs.c.site).where(proofs.c.id > since.newest_proof).distinct()).scalars()
    return frozenset(SiteName(name) for name in rows)


def _going(connection: Connection) -> dict[str, int]:
    """Runs that have not ended, and how many of their devices are done."""
    query = (
        select(runs.c.id, func.count(run_devices.c.finished_at))
        .outerjoin(run_devices, run_devices.c.run == runs.c.id)
        .where(runs.c.finished_at.is_(None))
        .group_by(runs.c.id)
    )
    return {run: int(done) for run, done in connection.execute(query)}


def _between(
    connection: Connection, key: Column[Any], site: Column[Any], since: int, far: int
) -> frozenset[SiteName] | None:
    if not 0 <= _last(connection, key) - since <= far:  # of another store, or too far
        return None
    rows = connection.execute(select(site).where(key > since).distinct()).scalars()
    return frozenset(SiteName(name) for name in rows)


def _of_exceptions(connection: Connection, since: int, far: int) -> frozenset[SiteName] | None:
    """The sites of exceptions that the audit log has something new of."""
    if not 0 <= _last(connection, audit.c.seq) - since <= far:
        return None
    moved = select(audit.c.subject).where(audit.c.seq > since, audit.c.action.like("exception.%"))
    query = select(exception_sites.c.site).where(exception_sites.c.exception.in_(moved)).distinct()
    return frozenset(SiteName(name) for name in connection.execute(query).scalars())


def _of_runs(connection: Connection, since: Marks, until: Marks) -> frozenset[SiteName] | None:
    """The sites of runs that began, went on, or ended; None for marks that do not say which were open."""
    if since.is_read:
        return None
    ids = _moved(since.open_runs, until.open_runs)
    query = select(run_devices.c.site).where(or_(run_devices.c.run.in_(ids), run_devices.c.run > since.newest_run))
    return frozenset(SiteName(name) for name in connection.execute(query.distinct()).scalars())


def _moved(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    return [run for run in before.keys() | after.keys() if before.get(run) != after.get(run)]
