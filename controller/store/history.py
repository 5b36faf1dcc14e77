"""What the intelligence said, and when: the words of each refresh, and alerts; bounded in bytes and in time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, insert, select, update

from controller.model import Alert
from controller.store.schema import alerts, refreshes, words
from controller.store.searching import Listing, total, within
from controller.store.shelf import Shelf, one
from ipsets.model import Snapshot
from ipsets.words import Words, said, words_of

WORDS_BYTES: Final = 64 * 1024 * 1024
"""Compressed, of all words together; those that were used least lately go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertQuery(Listing):
    """Which alerts."""

    KEYS = (alerts.c.id,)
    SAID = (alerts.c.kind, alerts.c.subject, alerts.c.message)

    kind: str | None = None
    since: datetime | None = None  # told at that time or later
    until: datetime | None = None  # told before it

    def filters(self) -> Iterator[ColumnElement[bool]]:
        if self.kind is not None:
            yield alerts.c.kind == self.kind
        yield from within(alerts.c.at, self.since, self.until)


class History(Shelf):
    """The past of the intelligence. ``Snapshots`` writes to it in the transactions of what it keeps itself."""

    words_bytes: int = WORDS_BYTES

    # --- words ----------------------------------------------------------------------------------------------------

    def _keep_words(self, connection: Connection, snapshot: Snapshot, at: datetime) -> None:
        """Note that it was found at that time, in the words it has now."""
        found = words_of(snapshot)
        known = connection.execute(update(words).where(words.c.digest == found.digest).values(used_at=at)).rowcount
        if not known:
            row = {"digest": found.digest, "used_at": at, "size": len(found.body), "body": found.body}
            connection.execute(insert(words).values(**row))
            self._forget_words(connection)
        row = {"at": at, "snapshot": snapshot.id, "words": found.digest, "ages": found.ages}
        connection.execute(insert(refreshes).values(**row))

    def _forget_words(self, connection: Connection) -> None:
        """The notes of when they were said stay: then it is known that the words are gone, and none of another time
        are taken for them."""
        kept = connection.execute(select(total(words.c.size))).scalar() or 0
        oldest = select(words.c.digest, words.c.size).order_by(words.c.used_at, words.c.digest)
        for row in connection.execute(oldest).mappings().all() if kept > self.words_bytes else ():
            if kept <= self.words_bytes:
                return
            connection.execute(delete(words).where(words.c.digest == row["digest"]))
            kept -= row["size"]

    def said_at(self, snapshot: Snapshot, at: datetime) -> Snapshot | None:
        """The snapshot in the words of the last refresh at or before ``at`` that found it; None: they are not kept.

        Raises ``SnapshotCorrupt``.
        """
        last = select(refreshes.c.words, refreshes.c.ages).where(
            refreshes.c.snapshot == snapshot.id, refreshes.c.at <= at
        )
        with self._db.read() as connection:
            found = one(connection, last.order_by(refreshes.c.at.desc(), refreshes.c.id.desc()).limit(1))
            digest = found["words"] if found else None
            body = connection.execute(select(words.c.body).where(words.c.digest == digest)).scalar()
        if found is None or body is None:
            return None
        return said(snapshot, Words(digest=found["words"], body=body, ages=found["ages"]))

    # --- alerts ---------------------------------------------------------------------------------------------------

    def alerts(self, *, limit: int = 100, before: int | None = None, wanted: AlertQuery | None = None) -> list[Alert]:
        """The newest first, or the oldest; ``before`` is the number of the last one already seen."""
        asked = wanted or AlertQuery()
        seen = [] if before is None else [asked.behind(before)]
        query = select(alerts).where(*asked.all(*seen)).order_by(*asked.order).limit(limit)
        with self._db.read() as connection:
            return [_alert(row) for row in connection.execute(query).mappings()]

    def alert_count(self, wanted: AlertQuery, *, most: int) -> int:
        """How many alerts are wanted; no further than ``most``."""
        with self._db.read() as connection:
            return wanted.counted(connection, most=most)

    def alert_counts(self, since: datetime) -> dict[str, int]:
        """How many alerts of each kind were told since then; no kind without any."""
        counts = select(alerts.c.kind, func.count()).where(alerts.c.at >= since).group_by(alerts.c.kind)
        with self._db.read() as connection:
            return {str(kind): int(count) for kind, count in connection.execute(counts.order_by(alerts.c.kind)).all()}


def _alert(row: RowMapping) -> Alert:
    return Alert(
        id=row["id"],
        at=row["at"],
        kind=row["kind"],
        subject=row["subject"],
        message=row["message"],
        detail=json.loads(row["detail"]),
    )
