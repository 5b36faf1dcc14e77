"""Lists in pages: newest or alphabetical, a bounded number at a time, with a cursor that tells the caller nothing."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from heapq import nlargest, nsmallest
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, StringConstraints

from api.models import Page
from controller.errors import Invalid

T = TypeVar("T")
A = TypeVar("A")

MAX_PAGE: Final = 500
_PLACE: Final = re.compile(r"(?P<list>[a-z]+):(?P<key>[0-9a-z/._-]{1,350})")
"""Every key is a name, a ULID, a digest or a number, or several with a slash between."""

Cursor = Annotated[
    str | None, Query(max_length=500, description="`next_cursor` of the page before; leave it out for the first page")
]


class Order(StrEnum):
    ASC = "asc"
    DESC = "desc"


Text = Annotated[
    str | None,
    Query(min_length=1, max_length=253, description="only what says this somewhere; upper and lower case are alike"),
]
Word = Annotated[str, StringConstraints(min_length=1, max_length=120)]
"""What a filter compares with."""
Pseudonym = Annotated[
    str | None,
    Query(
        max_length=64,
        description="only of whom lists of `site` call so; it is nobody's anywhere else",
        examples=["client-k7m2p3xq4tza"],
    ),
]
MOST_COUNTED: Final = 100_000
_TURNED: Final = "turned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """What every list can be asked for: how many, from where on, in which order, what text, and how many in all."""

    limit: int
    cursor: str | None
    order: Order
    usual: Order  # the order of the list when nobody asks for one
    count: bool
    q: str | None

    @property
    def is_descending(self) -> bool:
        return self.order is Order.DESC

    def called(self, of: str) -> str:
        """What cursors call the list: one of it in the other order is another."""
        return of if self.order is self.usual else of + _TURNED

    def after(self, of: str) -> str | None:
        """The key of the last row that was shown. Raises ``Invalid``."""
        return decode(self.cursor, of=self.called(of))

    def after_number(self, of: str) -> int | None:
        """As ``after``, for lists whose keys are numbers."""
        return decode_number(self.cursor, of=self.called(of))

    def next_of(self, rows: Iterable[T], *, key: Callable[[T], str], after: str | None) -> list[T]:
        """The first rows behind ``after`` in the order asked for: one more than a page has, if there is one."""
        if after is not None:
            rows = (row for row in rows if (key(row) < after if self.is_descending else key(row) > after))
        first = nlargest if self.is_descending else nsmallest
        return first(self.limit + 1, rows, key=key)


def _paging(most: int, usual: Order) -> Callable[..., Awaitable[Paging]]:
    async def asked(
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="how many at most", examples=[100])] = most,
        cursor: Cursor = None,
        order: Annotated[Order, Query(description="by the key of the list, up or down")] = usual,
        count: Annotated[bool, Query(description="also say in `count` how many there are")] = False,
        q: Text = None,
    ) -> Paging:
        return Paging(limit=limit, cursor=cursor, order=order, usual=usual, count=count, q=q)

    return asked


Sorted = Annotated[Paging, Depends(_paging(100, Order.ASC))]
Newest = Annotated[Paging, Depends(_paging(100, Order.DESC))]
NewestFew = Annotated[Paging, Depends(_paging(50, Order.DESC))]


def refuse_reversed(since: datetime | None, until: datetime | None) -> None:
    """Raises ``Invalid`` for a time that ends before it begins, or has no length."""
    if since is not None and until is not None and since >= until:
        raise Invalid("since: must lie before until")


def says(shown: object, text: str) -> bool:
    """Whether anything that a person sees of it holds the text; ``text`` is in lower case."""
    match shown:
        case str():
            return text in shown.lower()
        case BaseModel():
            return any(says(value, text) for value in shown.__dict__.values())
        case tuple() | list() | frozenset():
            return any(says(value, text) for value in shown)
        case Mapping():
            return any(says(value, text) for pair in shown.items() for value in pair)
        case _:
            return False


def paged(rows: Iterable[T], *, of: str, key: Callable[[T], str], show: Callable[[T], A], ask: Paging) -> Page[A]:
    """One page of a list that is at hand in full, in the order of its keys, which are unique."""
    found = list(rows)
    if ask.q is not None:
        text = ask.q.lower()
        found = [row for row in found if says(show(row), text)]
    shown, count = ask.next_of(found, key=key, after=ask.after(of)), len(found) if ask.count else None
    return paged_from(shown, of=of, key=key, show=show, ask=ask, count=count)


def paged_from(
    rows: list[T], *, of: str, key: Callable[[T], str], show: Callable[[T], A], ask: Paging, count: int | None
) -> Page[A]:
    """One page from rows that were asked for with ``limit + 1``: the one too many says that there is more."""
    shown = rows[: ask.limit]
    more = encode(key(shown[-1]), of=ask.called(of)) if len(rows) > ask.limit else None
    return Page(items=tuple(show(row) for row in shown), next_cursor=more, count=count)


def encode(key: str, *, of: str) -> str:
    """The place behind ``key`` in the list ``of``."""
    return base64.urlsafe_b64encode(f"{of}:{key}".encode()).decode().rstrip("=")


def decode(cursor: str | None, *, of: str) -> str | None:
    """The key in a cursor of the list ``of``. Raises ``Invalid`` for one that we did not make, or made for another."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = _PLACE.fullmatch(
            base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode("ascii")
        )
    except (binascii.Error, UnicodeError):
        found = None
    if found is None or found["list"] != of:
        raise not_ours()
    return found["key"]


def decode_number(cursor: str | None, *, of: str) -> int | None:
    """As ``decode``, for lists whose keys are numbers."""
    key = decode(cursor, of=of)
    if key is None:
        return None
    if not key.isdigit() or len(key) > 18:
        raise not_ours()
    return int(key)


def not_ours() -> Invalid:
    return Invalid("cursor: not one of this list", hint="use next_cursor as it was given, or leave it out")
