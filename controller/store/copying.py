"""A store's whole content into an empty one: from the file to PostgreSQL, when one machine is no longer enough.

One transaction at the target and one picture of the source, so it is all there or nothing is. What was written is read
back and compared before it is committed, and the chain of the audit log is followed to its head.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Integer, Table, delete, func, select, text

from controller.audit import AuditNote, Head, breaks
from controller.errors import Conflict, StoreError
from controller.model import AuditEntry
from controller.store.schema import audit, meta, metadata
from controller.store.shelf import append, head, without_nul
from controller.store.store import INSTANCE, Store

_STREAMED: Final = {"yield_per": 2_000}
_SPACE: Final = 1 << 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """``rows`` of each table that has any; ``head``: the last entry of the audit log, before that of the copy."""

    rows: Mapping[str, int]
    head: Head


@dataclass(frozen=True, slots=True)
class _Content:
    """How many rows, and a digest of them that does not depend on their order."""

    rows: int = 0
    digest: int = 0

    def and_these(self, rows: Sequence[Sequence[Any]]) -> _Content:
        added = (int.from_bytes(hashlib.sha256(repr(tuple(row)).encode()).digest()) for row in rows)
        return _Content(self.rows + len(rows), (self.digest + sum(added)) % _SPACE)


def copy_store(source: Store, target: Store, *, actor: str) -> Copied:
    """Copy everything, and note that in the target's audit log. The source stays as it is.

    Whoever calls holds the lease of both, so that no schedule runs over either.

    Raises:
        Conflict: the target holds something already.
        StoreError: the source is damaged, or what is read back is not what was written; nothing is kept then.
    """
    with source._db.read() as here, target._db.write() as there:
        _refuse_full(there, target.place)
        if wrong := _chain_breaks(here):
            raise source._db.damaged(f"its audit log: {wrong[0]}")
        there.execute(delete(meta))
        rows = {table.name: _copied(here, there, table) for table in metadata.sorted_tables}
        last = head(there)
        if _chain_breaks(there):
            raise StoreError(f"the audit log does not hold in {target.place}", hint="nothing was kept; try again")
        detail = {"from": source.place, "rows": sum(rows.values()), "head": f"{last.seq}:{last.hash}"}
        append(there, AuditNote(actor=actor, action="store.copy", subject=target.place, detail=detail), target._clock)
    return Copied(rows={name: count for name, count in rows.items() if count}, head=last)


def _refuse_full(connection: Connection, place: str) -> None:
    """Raises ``Conflict`` unless nothing is there but what making the tables leaves."""
    fresh = meta.c.key != INSTANCE
    for table in metadata.sorted_tables:
        which = (fresh,) if table is meta else ()
        if connection.execute(select(text("1")).select_from(table).where(*which).limit(1)).scalar():
            raise Conflict(
                f"{place} is not empty: there is something in {table.name}",
                hint="copy into a database that was just made; docs/store.md says how",
            )


def _copied(here: Connection, there: Connection, table: Table) -> int:
    """How many rows. Raises ``StoreError`` when they are others there."""
    sent = _Content()
    for rows in _batches(here, table):
        _sent(there, table, rows)
        sent = sent.and_these(rows)
    found = _Content()
    for rows in _batches(there, table):
        found = found.and_these(rows)
    if found != sent:
        raise StoreError(
            f"the table {table.name} came out otherwise: {found.rows} rows of {sent.rows}",
            hint="nothing was kept; run `tokgate db check` over both",
        )
    _count_on(here, there, table)
    return sent.rows


def _sent(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """By COPY, which takes several times as many rows a second as INSERT."""
    dialect = connection.dialect
    ways = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in table.columns]
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row([value if way is None else way(value) for way, value in zip(ways, row, strict=True)])


def _batches(connection: Connection, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    found = connection.execute(select(table), execution_options=_STREAMED)
    for rows in found.partitions():
        yield [tuple(without_nul(v) if isinstance(v, str) else v for v in row) for row in rows]


def _count_on(here: Connection, there: Connection, table: Table) -> None:
    """Have the next number follow the last that was given, also one that is gone again: it may have been shown."""
    column = table.autoincrement_column
    if column is None or not isinstance(column.type, Integer) or there.dialect.name != "postgresql":
        return
    last = here.execute(select(func.max(column))).scalar() or 0
    if table.dialect_options["sqlite"]["autoincrement"]:
        given = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        last = max(last, here.execute(given, {"name": table.name}).scalar() or 0)
    sequence = there.execute(select(func.pg_get_serial_sequence(table.name, column.name))).scalar()
    if sequence is not None and last:
        there.execute(select(func.setval(sequence, last)))


def _chain_breaks(connection: Connection) -> list[str]:
    found = connection.execute(select(audit).order_by(audit.c.seq), execution_options=_STREAMED)
    return breaks((AuditEntry(**row) for row in found.mappings()), head(connection))
