"""What lists of the store can be asked for: their filters, the order, text, a place to go on from, and how many there
are; at a cost that has an end however much there is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, cast, func, or_, select

SEARCHED: Final = 20_000
"""Rows whose text is looked at for one page: the first in the order of the list that the other filters leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(ABC):
    """Which rows of a list; without anything all of them. The newest first, unless ``oldest_first``.

    ``KEYS`` are the columns that the list is ordered by, the last of them the key of its table; ``SAID`` those that
    ``text`` is looked for in, whatever its case.
    """

    KEYS: ClassVar[tuple[Any, ...]]
    SAID: ClassVar[tuple[Any, ...]]

    WHO: ClassVar[frozenset[str]] = frozenset()
    """The names of those of them that say who a client is: text is not looked for there unless ``by_who``."""

    text: str | None = None
    oldest_first: bool = False
    by_who: bool = True

    @abstractmethod
    def filters(self) -> Iterator[ColumnElement[bool]]:
        """What the other fields ask for."""

    @property
    def order(self) -> tuple[Any, ...]:
        return self.KEYS if self.oldest_first else tuple(key.desc() for key in self.KEYS)

    def all(self, *more: ColumnElement[bool]) -> list[ColumnElement[bool]]:
        """Every condition; ``more`` narrow where text is looked for as well."""
        conditions = [*self.filters(), *more]
        if self.text is None:
            return conditions
        looked_at = select(self.KEYS[-1]).where(*conditions).order_by(*self.order).limit(SEARCHED)
        columns = [column for column in self.SAID if self.by_who or column.name not in self.WHO]
        said = or_(*(func.lower(column).contains(self.text.lower(), autoescape=True) for column in columns))
        return [*conditions, self.KEYS[-1].in_(looked_at), said]

    def behind(self, *last: Any) -> ColumnElement[bool]:
        """What stands behind the row with these keys."""
        pairs = [*zip(self.KEYS, last, strict=True)]
        return or_(
            *(
                and_(*(k == v for k, v in pairs[:at]), key > value if self.oldest_first else key < value)
                for at, (key, value) in enumerate(pairs)
            )
        )

    def counted(self, connection: Connection, *more: ColumnElement[bool], most: int) -> int:
        """How many rows there are; no further than ``most``."""
        found = select(self.KEYS[-1]).where(*self.all(*more)).limit(most).subquery()
        return int(connection.execute(select(func.count()).select_from(found)).scalar() or 0)


def steps(connection: Connection, column: Any, *where: Any) -> Iterator[str]:
    """Every text in the column: one step along its index for each, however many rows there are."""
    last = ""
    while (found := connection.execute(select(func.min(column)).where(*where, column > last)).scalar()) is not None:
        yield (last := str(found))


def within(column: Any, since: datetime | None, until: datetime | None) -> Iterator[ColumnElement[bool]]:
    """At ``since`` or later, and before ``until``."""
    if since is not None:
        yield column >= since
    if until is not None:
        yield column < until


def begins(column: Any, text: str) -> ColumnElement[bool]:
    """Exactly so: LIKE would take capitals for small letters in one database and not in the other."""
    return func.substr(column, 1, len(text)) == text


def total(column: Any) -> ColumnElement[int]:
    """The sum, as a whole number: PostgreSQL's own is a decimal. None: there is nothing to add."""
    return cast(func.sum(column), BigInteger)
