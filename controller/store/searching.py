"""Looking for text in what a table holds, and counting it, at a cost that has an end however much there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, or_, select

SEARCHED: Final = 20_000
"""Rows whose text is looked at for one page: the first in the order of the list that the other filters leave."""


def among(
    key: Any,
    conditions: Sequence[ColumnElement[bool]],
    *,
    order: Sequence[Any],
    text: str | None,
    columns: Sequence[Any],
) -> list[ColumnElement[bool]]:
    """The conditions, and that one of the columns holds the text, whatever its case."""
    if text is None:
        return list(conditions)
    looked_at = select(key).where(*conditions).order_by(*order).limit(SEARCHED)
    said = or_(*(func.lower(column).contains(text.lower(), autoescape=True) for column in columns))
    return [*conditions, key.in_(looked_at), said]


def counted(connection: Connection, key: Any, conditions: Sequence[ColumnElement[bool]], *, most: int) -> int:
    """How many rows there are; no further than ``most``."""
    found = select(key).where(*conditions).limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(found)).scalar() or 0)
