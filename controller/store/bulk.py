"""Many rows at once, column by column: new ones by COPY into PostgreSQL, others there as an array for each column; into
SQLite in one prepared statement."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import Boolean, Column, Connection, String, Table, insert

from controller.store.schema import micros
from controller.store.shelf import without_nul

Columns = Mapping[str, Sequence[Any]]
"""The values of each column, all equally long; columns that are left out get their default."""

_FEW: Final = 50
"""Fewer rows are not worth another way."""
_SPECIAL: Final = re.compile(r"[\\\t\n\r\0]")
_ESCAPES: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_AT_ONCE: Final = 250
"""Rows that are handed to the server together, so that it has something to do while the next are spelled."""


def add(connection: Connection, table: Table, columns: Columns) -> None:
    """New rows, that nothing stands in the way of: whoever calls has looked, and nobody else writes meanwhile."""
    with adding(connection, table, columns):
        pass


@contextmanager
def adding(connection: Connection, table: Table, columns: Columns) -> Iterator[None]:
    """``add``: the rows are there when the block has ended. A server writes them while it runs, and answers nothing
    else on the connection until then."""
    count = _count(columns)
    if count < _FEW:
        if count:
            connection.execute(insert(table), as_rows(columns))
        yield
    elif connection.dialect.name == "postgresql":
        with _copying(connection, table, columns):
            yield
    else:
        _insert(connection, table, columns)
        yield


def put_all(connection: Connection, table: Table, columns: Columns) -> None:
    """Rows, each in the place of the one that has its primary key; no two of them have the same."""
    if not _count(columns):
        return
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_replacing(table, (*columns,)), tuple(map(_array, columns.values())))
    else:
        _insert(connection, table, columns, _instead(table, (*columns,)))


def as_rows(columns: Columns) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def as_columns(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """All have the columns of the first."""
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _count(columns: Columns) -> int:
    return len(next(iter(columns.values()), ()))


@contextmanager
def _copying(connection: Connection, table: Table, columns: Columns) -> Iterator[None]:
    statement = f"COPY {_quoted(table.name)} ({', '.join(map(_quoted, columns))}) FROM STDIN"
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor, cursor.copy(statement) as copying:
        for part in _parts(columns):
            spelled = [_each(column, _spelled) for column in part]
            copying.write("\n".join(map("\t".join, zip(*spelled, strict=True))) + "\n")
        yield


def _insert(connection: Connection, table: Table, columns: Columns, otherwise: str = "") -> None:
    plain = [_each(column, _plain) for column in columns.values()]
    statement = f"{_into(table, columns)} VALUES ({', '.join('?' for _ in columns)}) {otherwise}"
    connection.exec_driver_sql(statement, [*zip(*plain, strict=True)])


@cache
def _replacing(table: Table, names: tuple[str, ...]) -> str:
    """As many rows as the arrays are long, in one statement: so many statements of one row take ten times as long."""
    arrays = ", ".join(f"CAST(%s AS {_kind(table.c[name])}[])" for name in names)
    return f"{_into(table, names)} SELECT * FROM unnest({arrays}) {_instead(table, names)}"  # noqa: S608


def _into(table: Table, names: Iterable[str]) -> str:
    return f"INSERT INTO {_quoted(table.name)} ({', '.join(map(_quoted, names))})"


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


def _parts(columns: Columns) -> Iterator[list[Sequence[Any]]]:
    for start in range(0, _count(columns), _AT_ONCE):
        yield [column[start : start + _AT_ONCE] for column in columns.values()]


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


__all__ = ["Columns", "add", "adding", "as_columns", "as_rows", "put_all"]
