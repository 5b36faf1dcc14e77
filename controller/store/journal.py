"""What was recorded, one after the other: how exports and callers that follow along miss nothing and see nothing twice.

Every write to the store is alone over all threads, processes and machines, so a number is given out in the order of
the commits: whoever has read up to a number has seen everything up to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, func, select

from controller.alerts import AlertNote
from controller.audit import AuditNote
from controller.store.bulk import Columns, adding, ready
from controller.store.schema import journal
from controller.store.shelf import Shelf, get_meta, put_meta
from core.ids import SiteName, new_id

_TAKEN: Final = "export_taken:"
_REPLAY: Final = "export_replay:"


class Kind(StrEnum):
    """What an entry is of."""

    EVENT = "event"
    EPISODE = "episode"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """``subject`` is the id of what was recorded, at ``at`` by our clock."""

    seq: int
    at: datetime
    kind: Kind
    subject: str
    site: SiteName


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportMark:
    """What is kept here of one receiver. ``taken``: it has everything up to that number, or does not want it; None:
    nothing is known of it. ``replay``: names what somebody asked for last, to be sent again from behind ``since``."""

    taken: int | None
    replay: str = ""
    since: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPage:
    """Entries in their order. ``until``: everything up to here is in them, or not for this caller."""

    entries: tuple[JournalEntry, ...]
    until: int
    missing: int  # so many that came after ``since`` were dropped before they were read, of whatever site
    head: int  # the last number given out; 0: none ever


def note(connection: Connection, kind: Kind, recorded: Sequence[tuple[str, str]], at: datetime) -> None:
    """Enter ids and sites, in the transaction that records what they stand for; again when an episode has grown."""
    with noting(connection, kind, recorded, at):
        pass


def noting(
    connection: Connection, kind: Kind, recorded: Sequence[tuple[str, str]], at: datetime
) -> AbstractContextManager[None]:
    """``note``, as ``adding`` does it: while the block runs."""
    subjects, sites = [subject for subject, _ in recorded], [site for _, site in recorded]
    at_once: Columns = {"at": [at] * len(recorded), "kind": [kind.value] * len(recorded)}
    return adding(connection, journal, ready(connection, {**at_once, "subject": subjects, "site": sites}))


class Journal(Shelf):
    def journal(self, since: int, *, limit: int, sites: frozenset[SiteName] | None = None) -> JournalPage:
        """The entries after ``since``, the oldest first; ``sites``: only of these."""
        wanted = [journal.c.seq > since] if sites is None else [journal.c.seq > since, journal.c.site.in_(sites)]
        with self._db.read() as connection:
            rows = connection.execute(select(journal).where(*wanted).order_by(journal.c.seq).limit(limit)).mappings()
            found = tuple(
                JournalEntry(
                    seq=row["seq"],
                    at=row["at"],
                    kind=Kind(row["kind"]),
                    subject=row["subject"],
                    site=SiteName(row["site"]),
                )
                for row in rows
            )
            oldest, head = connection.execute(select(func.min(journal.c.seq), func.max(journal.c.seq))).one()
        until = found[-1].seq if len(found) == limit else max(since, head or 0)
        missing = (
            max(0, oldest - 1 - since) if oldest and since else 0
        )  # whoever begins at the beginning misses nothing
        return JournalPage(entries=found, until=until, missing=missing, head=head or 0)

    def journal_before(self, at: datetime) -> int:
        """The number to follow along from for everything recorded at ``at`` or later."""
        with self._db.read() as connection:
            first = connection.execute(select(func.min(journal.c.seq)).where(journal.c.at >= at)).scalar()
            last = connection.execute(select(func.max(journal.c.seq))).scalar()
        return first - 1 if first is not None else last or 0

    # --- exports --------------------------------------------------------------------------------------------------

    def export_mark(self, name: str) -> ExportMark:
        """How far a receiver is; another machine goes on from here when the spool is not there."""
        with self._db.read() as connection:
            taken, asked = get_meta(connection, _TAKEN + name), get_meta(connection, _REPLAY + name)
        replay, _, since = (asked or "").partition(" ")
        return ExportMark(taken=None if taken is None else int(taken), replay=replay, since=int(since or 0))

    def note_export(self, name: str, taken: int) -> None:
        """A receiver has everything up to that number."""
        with self._db.write() as connection:
            put_meta(connection, _TAKEN + name, str(taken))

    def ask_replay(self, name: str, since: int, *, audit: AuditNote) -> None:
        """Have the process that sends exports send everything behind ``since`` again."""
        with self._db.write() as connection:
            put_meta(connection, _REPLAY + name, f"{new_id()} {since}")
            self._log(connection, audit)

    def alert(self, found: AlertNote) -> None:
        """Keep it, and tell it."""
        with self._db.write() as connection:
            self._raise_alerts(connection, [found], self._clock.now())
