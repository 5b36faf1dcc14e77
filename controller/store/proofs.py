"""What firewalls said of connections and what probes tried, and the matrix that it comes to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, insert, select, update

from controller.audit import AuditNote
from controller.errors import Invalid
from controller.model import Window
from controller.proof.matrix import closed, ended, folded
from controller.proof.model import By, CellKey, Expected, Path, Proof, ProofCell, ProofState
from controller.store import outbox
from controller.store.episodes import Episodes, KeptEpisode, Past
from controller.store.evidence import Page, cursor_after, place_of
from controller.store.schema import proof_cells, proofs
from controller.store.searching import Listing, within
from controller.store.shelf import put
from core.ids import EventId, ExceptionId, SiteName
from vendors.oracle import Answered

BATCH: Final = "proof:"
"""Begins the name of a round among the batches of evidence: each is taken once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofQuery(Listing):
    """Which answers, by their time; text is looked for in where, what and by which rule."""

    KEYS = (proofs.c.at, proofs.c.id)
    SAID = (
        proofs.c.id,
        proofs.c.round,
        proofs.c.site,
        proofs.c.origin,
        proofs.c.role,
        proofs.c.source,
        proofs.c.target,
        proofs.c.rule,
    )

    site: str | None = None
    sites: frozenset[SiteName] | None = None  # None: of every site
    origin: str | None = None
    state: ProofState | None = None
    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None
    limit: int = 100

    def filters(self) -> Iterator[ColumnElement[bool]]:
        for column, wanted in (
            (proofs.c.site, self.site),
            (proofs.c.origin, self.origin),
            (proofs.c.state, self.state and self.state.value),
        ):
            if wanted is not None:
                yield column == wanted
        if self.sites is not None:
            yield proofs.c.site.in_(self.sites)
        yield from within(proofs.c.at, self.since, self.until)


class Proofs(Episodes):
    """Above the episodes: a leak is one, kept in the transaction of what shows it."""

    def record_proofs(self, round_id: str, found: Sequence[Proof], *, audit: AuditNote | None = None) -> bool:
        """Keep a round, the fields of the matrix that it fills, and the leaks that it shows; all or none.

        False: that round was taken before, and nothing was changed.
        """
        with self._db.write() as connection:
            if not self._is_first(connection, f"{BATCH}{round_id}"):
                return False
            before = _before(connection, {proof.site for proof in found})
            if found:
                before = self._not_ahead(connection, found, before)
                connection.execute(insert(proofs), [_columns(proof) for proof in found])
            cells, leaks = folded(before, found)
            for cell in cells:
                put(connection, proof_cells, _cell_columns(cell))
            past, over = Past(connection), ended(before, cells)
            mended = [closed(leak, cell) for name, cell in over if (leak := past.episode(name)) is not None]
            self._keep(connection, [KeptEpisode(episode=leak) for leak in (*leaks, *mended)])
            outbox.tell_ended(connection, mended, self._clock.now())
            self._log(connection, audit)
        return True

    def _not_ahead(
        self, connection: Connection, found: Sequence[Proof], before: dict[CellKey, ProofCell]
    ) -> dict[CellKey, ProofCell]:
        """What they said at a time that is yet to come they said before this: the clock was set back since."""
        latest = min(proof.at for proof in found) - timedelta.resolution
        now = max(self._clock.now(), latest)
        for site, origin in sorted({(proof.site, proof.origin) for proof in found}):
            ahead = (proofs.c.site == site, proofs.c.origin == origin, proofs.c.at > now)
            connection.execute(update(proofs).where(*ahead).values(at=latest))
        return {
            key: replace(cell, at=min(cell.at, latest), since=min(cell.since, latest)) if cell.since > now else cell
            for key, cell in before.items()
        }

    def proof_cells(self, sites: Collection[SiteName] | None = None) -> list[ProofCell]:
        """The matrix as it was last filled, by site; ``sites`` None: all of it."""
        query = select(proof_cells).order_by(*proof_cells.primary_key.columns)
        if sites is not None:
            query = query.where(proof_cells.c.site.in_(sites))
        with self._db.read() as connection:
            return [_cell(row) for row in connection.execute(query).mappings()]

    def proofs(self, query: ProofQuery) -> Page[Proof]:
        """The newest first. Raises ``Invalid`` for a cursor that is not one of ours."""
        if query.limit < 1:
            raise Invalid("limit: at least 1")
        seen = [] if query.cursor is None else [query.behind(*place_of(query.cursor, oldest_first=query.oldest_first))]
        statement = select(proofs, proofs.c.at.label("end")).where(*query.all(*seen)).order_by(*query.order)
        with self._db.read() as connection:
            rows = connection.execute(statement.limit(query.limit + 1)).mappings().all()
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        after = cursor_after(shown[-1], oldest_first=query.oldest_first) if more else None
        return Page(items=tuple(_proof(row) for row in shown), next_cursor=after)

    def proof_count(self, query: ProofQuery, *, most: int) -> int:
        with self._db.read() as connection:
            return query.counted(connection, most=most)

    def proofs_between(self, site: SiteName, window: Window) -> list[Proof]:
        """The site's answers inside the window, in order of time."""
        inside = (proofs.c.site == site, *within(proofs.c.at, window.start, window.end))
        with self._db.read() as connection:
            return proofs_in(connection, *inside)

    def answering(self, site: SiteName, since: datetime) -> list[tuple[Path, str]]:
        """What answered a probe at the site since then, and on which path; the latest first."""
        mine = (proofs.c.site == site, proofs.c.at >= since, proofs.c.by == By.PROBE.value)
        answered = (proofs.c.said == Answered.PASSES.value, proofs.c.path != Path.DNS.value)
        columns = proofs.c.path, proofs.c.target
        query = select(*columns).where(*mine, *answered).group_by(*columns).order_by(func.max(proofs.c.at).desc())
        with self._db.read() as connection:
            return [(Path(path), str(target)) for path, target in connection.execute(query)]

    def last_proofs(self) -> dict[str, datetime]:
        """When each device was last asked."""
        asked = proof_cells.c.by == By.ORACLE.value
        query = select(proof_cells.c.origin, func.max(proof_cells.c.at)).where(asked).group_by(proof_cells.c.origin)
        with self._db.read() as connection:
            return {str(origin): at for origin, at in connection.execute(query)}

    def _drop_cells(self, oldest: datetime) -> None:
        """Fields that nobody filled for as long as evidence is kept."""
        with self._db.write() as connection:
            connection.execute(delete(proof_cells).where(proof_cells.c.at < oldest))


def proofs_in(connection: Connection, *which: Any) -> list[Proof]:
    """Those that are named, in order of time."""
    query = select(proofs).where(*which).order_by(proofs.c.at, proofs.c.id)
    return [_proof(row) for row in connection.execute(query).mappings()]


def _before(connection: Connection, sites: Iterable[str]) -> dict[CellKey, ProofCell]:
    query = select(proof_cells).where(proof_cells.c.site.in_(sorted(sites)))
    return {cell.key: cell for cell in map(_cell, connection.execute(query).mappings())}


def _columns(proof: Proof) -> dict[str, Any]:
    said = {field.name: getattr(proof, field.name) for field in fields(Proof)}
    return {
        **said,
        **{name: said[name].value for name in ("by", "path", "expected", "said", "state")},
        "source": str(proof.source),
        "exception": proof.exception or "",
    }


def _proof(row: RowMapping) -> Proof:
    said = {field.name: row[field.name] for field in fields(Proof)}
    said |= {
        "by": By(row["by"]),
        "path": Path(row["path"]),
        "expected": Expected(row["expected"]),
        "said": Answered(row["said"]),
        "state": ProofState(row["state"]),
        "source": ip_address(row["source"]),
        "exception": ExceptionId(row["exception"]) if row["exception"] else None,
    }
    return Proof(**said)


def _cell_columns(cell: ProofCell) -> dict[str, Any]:
    said = {field.name: getattr(cell, field.name) for field in fields(ProofCell)}
    said |= {name: said[name].value for name in ("by", "path", "state")}
    return {**said, "exception": cell.exception or ""}


def _cell(row: RowMapping) -> ProofCell:
    said = {field.name: row[field.name] for field in fields(ProofCell)}
    said |= {
        "by": By(row["by"]),
        "path": Path(row["path"]),
        "state": ProofState(row["state"]),
        "exception": ExceptionId(row["exception"]) if row["exception"] else None,
        "leak": EventId(row["leak"]) if row["leak"] else None,
    }
    return ProofCell(**said)


__all__ = ["ProofQuery", "Proofs", "proofs_in"]
