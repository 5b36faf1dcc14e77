"""Many new rows at once: by COPY into PostgreSQL, in one prepared statement into SQLite. For rows that nothing stands
in the way of; whoever calls has looked, and nobody else writes meanwhile."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Table, insert

from controller.store.schema import micros
from controller.store.shelf import without_nul

_FEW: Final = 50
"""Fewer rows are not worth another way."""
_SPECIAL: Final = re.compile(r"[\\\t\n\r\0]")
_ESCAPES: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_AT_ONCE: Final = 64 * 1024
"""Characters that are handed to the driver together."""


def add_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """All have the columns of the first; columns that are left out get their default."""
    if not rows:
        return
    if connection.dialect.name == "postgresql" and len(rows) >= _FEW:
        _copy(connection, table, rows)
    else:
        connection.execute(insert(table), rows)


def _copy(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    names, quoted = list(rows[0]), connection.dialect.identifier_preparer.quote
    statement = f"COPY {quoted(table.name)} ({', '.join(map(quoted, names))}) FROM STDIN"
    raw: Any = connection.connection.driver_connection
    lines, size = list[str](), 0
    with raw.cursor() as cursor, cursor.copy(statement) as copying:
        for row in rows:
            line = "\t".join([_written(row[name]) for name in names])
            lines.append(line)
            size += len(line)
            if size > _AT_ONCE:
                copying.write("\n".join(lines) + "\n")
                lines, size = [], 0
        if lines:
            copying.write("\n".join(lines) + "\n")


def _written(value: Any) -> str:
    """As COPY reads it in its text form. Raises ``ValueError`` for a naive time."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        if _SPECIAL.search(value) is None:
            return value
        return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], without_nul(value))
    if isinstance(value, datetime):
        return str(micros(value))
    if isinstance(value, bool):
        return "t" if value else "f"
    return str(value)


__all__ = ["add_rows"]
