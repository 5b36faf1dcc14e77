"""Records that are no evidence: counted for each origin and reason, with the last few of each, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, insert, select, update

from controller.evidence.model import Quarantine, Rejected
from controller.evidence.setting_aside import MOST, Key, SetAside, added_up, joined, others
from controller.store.jsons import SAMPLES
from controller.store.schema import quarantine
from controller.store.searching import Listing, within
from controller.store.shelf import Shelf, one
from core.ids import SiteName


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineQuery(Listing):
    """Which of what was set aside, by when it last was; text is looked for in origin, site and samples."""

    KEYS = (quarantine.c.last_at, quarantine.c.id)
    SAID = (quarantine.c.origin, quarantine.c.site, quarantine.c.samples)
    WHO = frozenset({"samples"})

    why: Quarantine | None = None
    site: SiteName | None = None
    sites: frozenset[SiteName] | None = None  # of one of which it is; what is of no site is nobody's then
    since: datetime | None = None

    def filters(self) -> Iterator[ColumnElement[bool]]:
        if self.why is not None:
            yield quarantine.c.why == self.why.value
        if self.site is not None:
            yield quarantine.c.site == self.site
        if self.sites is not None:
            yield quarantine.c.site.in_(self.sites)
        yield from within(quarantine.c.last_at, self.since, None)


class Quarantines(Shelf):
    def set_aside(self, rejected: Iterable[Rejected]) -> None:
        """Count them, and keep the last of each kind."""
        with self._db.write() as connection:
            self.set_aside_in(connection, rejected)

    def set_aside_in(self, connection: Connection, rejected: Iterable[Rejected]) -> None:
        """The same, in the transaction of the batch that they came with."""
        found = added_up(rejected, self._clock.now())
        if not found:
            return
        kept = int(connection.execute(select(func.count()).select_from(quarantine)).scalar() or 0)
        for key, new in _within_bounds(connection, found, room=MOST - kept).items():
            _put(connection, key, new)

    def quarantined(
        self, wanted: QuarantineQuery, *, limit: int, before: tuple[datetime, int] | None = None
    ) -> list[SetAside]:
        """The latest first, or the oldest; ``before`` is ``last_at`` and ``id`` of the last one already seen."""
        seen = [] if before is None else [wanted.behind(*before)]
        query = select(quarantine).where(*wanted.all(*seen)).order_by(*wanted.order).limit(limit)
        with self._db.read() as connection:
            return [_set_aside(row) for row in connection.execute(query).mappings()]

    def quarantined_count(self, wanted: QuarantineQuery, *, most: int) -> int:
        """How many origins and reasons there are; no further than ``most``."""
        with self._db.read() as connection:
            return wanted.counted(connection, most=most)

    def quarantine_sums(self) -> dict[Quarantine, int]:
        """How many records were set aside for each reason, of what is still kept."""
        query = select(quarantine.c.why, func.sum(quarantine.c.count)).group_by(quarantine.c.why)
        with self._db.read() as connection:
            return {Quarantine(why): int(count) for why, count in connection.execute(query).all()}


def _within_bounds(connection: Connection, found: Mapping[Key, SetAside], *, room: int) -> dict[Key, SetAside]:
    """New origins are added up under one name when there are too many: whoever forges addresses fills no disk."""
    if len(found) <= room:
        return dict(found)
    bounded: dict[Key, SetAside] = {}
    for (origin, why), new in found.items():
        known = one(connection, _row(origin, why)) is not None
        key = (origin if known else others(origin), why)
        bounded[key] = joined(bounded.get(key), replace(new, origin=key[0]))
    return bounded


def _row(origin: str, why: Quarantine) -> Select[tuple[object, ...]]:
    return select(quarantine).where(quarantine.c.origin == origin, quarantine.c.why == why.value)


def _put(connection: Connection, key: Key, new: SetAside) -> None:
    row = one(connection, _row(*key))
    both = joined(None if row is None else _set_aside(row), new)
    values = {
        "site": both.site,
        "count": both.count,
        "first_at": both.first_at,
        "last_at": both.last_at,
        "samples": SAMPLES.dumps(both.samples),
    }
    if row is None:
        connection.execute(insert(quarantine).values(origin=both.origin, why=both.why.value, **values))
    else:
        connection.execute(update(quarantine).where(quarantine.c.id == row["id"]).values(**values))


def _set_aside(row: RowMapping) -> SetAside:
    return SetAside(
        id=int(row["id"]),
        origin=row["origin"],
        why=Quarantine(row["why"]),
        site=row["site"],
        count=int(row["count"]),
        first_at=row["first_at"],
        last_at=row["last_at"],
        samples=SAMPLES.loads(row["samples"]),
    )


__all__ = ["QuarantineQuery", "Quarantines"]
