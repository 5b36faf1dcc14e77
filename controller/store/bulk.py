"""Many rows at once, column by column: new ones by COPY into PostgreSQL, others there as an array for each column; into
SQLite in one prepared statement."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import Boolean, Column, ColumnElement, Connection, String, Table, bindparam, func, insert, text
from sqlalchemy.types import NullType

from controller.store.schema import micros
from controller.store.shelf import without_nul

Columns = Mapping[str, Sequence[Any]]
"""The values of each column, all equally long; columns that are left out get their default."""


class Ready(NamedTuple):
    """New rows as the database takes them: lines of COPY, some at a time, or plain values."""

    columns: Columns
    sent: Sequence[Any]


_FEW: Final = 50
"""Fewer rows are not worth another way."""
_SPECIAL: Final = re.compile(r"[\\\t\n\r\0]")
_ESCAPES: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_AT_ONCE: Final = 250
"""Rows that are handed to the server together, so that it has something to do while the next are on their way."""


def add(connection: Connection, table: Table, columns: Columns) -> None:
    """New rows, that nothing stands in the way of: whoever calls has looked, and nobody else writes meanwhile."""
    with adding(connection, table, ready(connection, columns)):
        pass


def ready(connection: Connection, columns: Columns) -> Ready:
    """Asks nothing of the connection, so it can be done while the server writes something else."""
    if _count(columns) < _FEW:
        return Ready(columns, ())
    if _is_server(connection):
        return Ready(columns, [*_lines(columns)])
    return Ready(columns, _values(columns))


@contextmanager
def adding(connection: Connection, table: Table, rows: Ready) -> Iterator[None]:
    """``add``: the rows are there when the block has ended. A server writes them while it runs, and answers nothing
    else on the connection until then."""
    if not rows.sent:
        if _count(rows.columns):
            connection.execute(insert(table), as_rows(rows.columns))
        yield
    elif _is_server(connection):
        raw: Any = connection.connection.driver_connection
        with raw.cursor() as cursor, cursor.copy(_copy(table, (*rows.columns,))) as copying:
            for lines in rows.sent:
                copying.write(lines)
            yield
    else:
        connection.exec_driver_sql(_insert(table, (*rows.columns,)), rows.sent)
        yield


def put_all(connection: Connection, table: Table, columns: Columns) -> None:
    """Rows, each in the place of the one that has its primary key; no two of them have the same."""
    if not _count(columns):
        return
    names = (*columns,)
    if _is_server(connection):
        connection.exec_driver_sql(_put_arrays(table, names), tuple(map(_array, columns.values())))
    else:
        connection.exec_driver_sql(f"{_insert(table, names)} {_instead(table, names)}", _values(columns))


def among(connection: Connection, column: ColumnElement[Any], names: Sequence[str]) -> ColumnElement[bool]:
    """Whether a text is one of these. A server is given them as one value: so many of their own take longer to write
    and to read than to find."""
    if not _is_server(connection):
        return column.in_(names)
    sent = bindparam("names", _array(names), NullType(), unique=True)  # as an array, not a text that becomes one
    return column == func.any(text("CAST(:names AS text[])").bindparams(sent))


def as_rows(columns: Columns) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def as_columns(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """All have the columns of the first."""
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _count(columns: Columns) -> int:
    return len(next(iter(columns.values()), ()))


def _is_server(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


# --- statements -------------------------------------------------------------------------------------------------------


@cache
def _copy(table: Table, names: tuple[str, ...]) -> str:
    return f"COPY {_named(table, names)} FROM STDIN"


@cache
def _insert(table: Table, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {_named(table, names)} VALUES ({', '.join('?' for _ in names)})"  # noqa: S608


@cache
def _put_arrays(table: Table, names: tuple[str, ...]) -> str:
    """As many rows as the arrays are long, in one statement: so many statements of one row take ten times as long."""
    arrays = ", ".join(f"CAST(%s AS {_kind(table.c[name])}[])" for name in names)
    return f"INSERT INTO {_named(table, names)} SELECT * FROM unnest({arrays}) {_instead(table, names)}"  # noqa: S608


def _named(table: Table, names: Iterable[str]) -> str:
    return f"{_quoted(table.name)} ({', '.join(map(_quoted, names))})"


@cache
def _instead(table: Table, names: tuple[str, ...]) -> str:
    keys = [column.name for column in table.primary_key]
    rest = [f"{_quoted(name)} = excluded.{_quoted(name)}" for name in names if name not in keys]
    return f"ON CONFLICT ({', '.join(map(_quoted, keys))}) DO UPDATE SET {', '.join(rest)}"


def _quoted(name: str) -> str:
    """Names are our own."""
    return f'"{name}"'


def _kind(column: Column[Any]) -> str:
    """What PostgreSQL calls it."""
    return "text" if isinstance(column.type, String) else "boolean" if isinstance(column.type, Boolean) else "bigint"


# --- values -----------------------------------------------------------------------------------------------------------


def _lines(columns: Columns) -> Iterator[str]:
    rows = map("\t".join, zip(*(_each(column, _spelled) for column in columns.values()), strict=True))
    while some := [*islice(rows, _AT_ONCE)]:
        yield "\n".join(some) + "\n"


def _values(columns: Columns) -> list[tuple[Any, ...]]:
    return [*zip(*(_each(column, _plain) for column in columns.values()), strict=True)]


def _each(column: Sequence[Any], way: Any) -> list[Any]:
    """Most columns hold few values many times."""
    known = {value: way(value) for value in set(column)}
    return [known[value] for value in column]


def _array(column: Sequence[Any]) -> str:
    """As PostgreSQL reads an array."""
    return "{" + ",".join(_each(column, _element)) + "}"


def _element(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "NULL" if value is None else _spelled(value)


def _plain(value: Any) -> Any:
    """As SQLite takes it."""
    return micros(value) if isinstance(value, datetime) else value


def _spelled(value: Any) -> str:
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


__all__ = ["Columns", "Ready", "add", "adding", "among", "as_columns", "as_rows", "put_all", "ready"]
