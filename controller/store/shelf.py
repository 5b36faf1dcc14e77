"""What every shelf of the store stands on: the database, the clock, and the audit entry beside each change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, Final

import structlog
from sqlalchemy import Connection, RowMapping, Table, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from controller.alerts import AlertNote
from controller.asking import noted
from controller.audit import FIRST, REQUEST, AuditNote, Head, entry_after
from controller.model import AuditEntry
from controller.repeats import claim_here
from controller.store import outbox
from controller.store.database import Database
from controller.store.schema import audit, meta, repeats
from core.clock import Clock

AUDIT_HEAD = "audit_head"
_DROPPED: Final = 5_000


class Shelf:
    """One kind of thing that the store keeps. ``Store`` is all shelves in one."""

    _db: Database
    _clock: Clock

    def _log(self, connection: Connection, note: AuditNote | None) -> None:
        """Write the change's audit entry, in the change's own transaction (I14)."""
        if note is not None:
            append(connection, note, self._clock)
            outbox.tell_change(connection, note, self._clock.now())

    def _drop(self, table: Table, *which: Any) -> int:
        """Rows that are named, so many at a time that others may write between; how many there were."""
        key: Any = next(iter(table.primary_key))
        gone = 0
        while True:
            with self._db.write() as connection:
                old = connection.execute(select(key).where(*which).limit(_DROPPED)).scalars().all()
                if old:
                    gone += connection.execute(delete(table).where(key.in_(list(old)))).rowcount
            if len(old) < _DROPPED:
                return gone

    def _raise_alerts(self, connection: Connection, raised: Iterable[AlertNote], at: datetime) -> None:
        """Keep the alerts of a change, in the change's own transaction."""
        for alert in raised:
            outbox.raise_alert(connection, alert, at)


def append(connection: Connection, note: AuditNote, clock: Clock) -> AuditEntry:
    """Add the next entry to the chain, with the request that it came with; its key is noted to have done something."""
    request = structlog.contextvars.get_contextvars().get("request_id")
    if request is not None:
        note = replace(note, detail={**(note.detail or {}), REQUEST: request, **noted()})
    if (claim := claim_here()) is not None:
        mine = (repeats.c.caller == claim.caller, repeats.c.key == claim.key)
        connection.execute(update(repeats).where(*mine).values(written=True))
    entry = entry_after(head(connection), _as_kept(note), clock.now())
    connection.execute(insert(audit).values(**{c.name: getattr(entry, c.name) for c in audit.columns}))
    put_meta(connection, AUDIT_HEAD, f"{entry.seq}:{entry.hash}")
    return entry


def _as_kept(note: AuditNote) -> AuditNote:
    """Its hash is of what can be read back."""
    return replace(
        note,
        actor=without_nul(note.actor),
        action=without_nul(note.action),
        subject=without_nul(note.subject),
        reason=without_nul(note.reason),
    )


def without_nul(text: str) -> str:
    """No database need keep that character; it is told that something stood there."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text


def head(connection: Connection) -> Head:
    """The chain's last entry, as kept beside the chain."""
    seq, _, digest = (get_meta(connection, AUDIT_HEAD) or f"0:{FIRST}").partition(":")
    return Head(seq=int(seq), hash=digest)


def get_meta(connection: Connection, key: str) -> str | None:
    found = connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
    return None if found is None else str(found)


def put_meta(connection: Connection, key: str, value: str) -> None:
    put(connection, meta, {"key": key, "value": value})


def put(connection: Connection, table: Any, row: dict[str, Any]) -> None:
    """Insert the row, or replace everything but the key of the one that has its primary key."""
    connection.execute(_putting(connection.dialect.name, table, (*row,)), row)


@cache
def _putting(dialect: str, table: Any, names: tuple[str, ...]) -> Any:
    keys = [c.name for c in table.primary_key]
    statement = insert_for(dialect, table)
    rest = {name: statement.excluded[name] for name in names if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=rest)


def insert_unless(connection: Connection, table: Any) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what is done when the row is there already. Both databases spell that alike."""
    return insert_for(connection.dialect.name, table)


def insert_for(dialect: str, table: Any) -> sqlite.Insert | postgresql.Insert:
    """``insert_unless``, for statements that are kept."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def one(connection: Connection, statement: Any) -> RowMapping | None:
    """The first row, or None."""
    return connection.execute(statement).mappings().first()
