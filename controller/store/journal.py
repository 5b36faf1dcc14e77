"""What was recorded, one after the other: how exports and callers that follow along miss nothing and see nothing twice.

Every write to the store is alone over all threads, processes and machines, so a number is given out in the order of
the commits: whoever has read up to a number has seen everything up to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, func, insert, select

from controller.store.schema import journal
from controller.store.shelf import Shelf
from core.ids import SiteName


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
class JournalPage:
    """Entries in their order. ``until``: everything up to here is in them, or not for this caller."""

    entries: tuple[JournalEntry, ...]
    until: int
    missed: bool  # some that came after ``since`` were dropped before they were read
    head: int  # the last number given out; 0: none ever


def note(connection: Connection, kind: Kind, recorded: Iterable[tuple[str, str]], at: datetime) -> None:
    """Enter ids and sites, in the transaction that records what they stand for; again when an episode has grown."""
    rows = [{"at": at, "kind": kind.value, "subject": subject, "site": site} for subject, site in recorded]
    if rows:
        connection.execute(insert(journal), rows)


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
        return JournalPage(entries=found, until=until, missed=bool(oldest and since < oldest - 1), head=head or 0)

    def journal_before(self, at: datetime) -> int:
        """The number to follow along from for everything recorded at ``at`` or later."""
        with self._db.read() as connection:
            first = connection.execute(select(func.min(journal.c.seq)).where(journal.c.at >= at)).scalar()
            last = connection.execute(select(func.max(journal.c.seq))).scalar()
        return first - 1 if first is not None else last or 0
