"""Lists in pages: newest or alphabetical, a bounded number at a time, with a cursor that tells the caller nothing."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Final, TypeVar

from fastapi import Query

from api.models import Page
from controller.errors import Invalid

T = TypeVar("T")
A = TypeVar("A")

MAX_PAGE: Final = 500
_PLACE: Final = re.compile(r"(?P<list>[a-z]+):(?P<key>[0-9a-z/._-]{1,350})")
"""Every key is a name, a ULID, a digest or a number, or several with a slash between."""

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="how many at most", examples=[100])]
Cursor = Annotated[
    str | None, Query(max_length=500, description="`next_cursor` of the page before; leave it out for the first page")
]


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


def page_of(
    rows: Iterable[T],
    *,
    of: str,
    key: Callable[[T], str],
    show: Callable[[T], A],
    limit: int,
    cursor: str | None,
    newest_first: bool = False,
) -> Page[A]:
    """One page of a list that is at hand in full, in the order of its keys, which are unique."""
    after = decode(cursor, of=of)
    ordered = sorted(rows, key=key, reverse=newest_first)
    if after is not None:
        ordered = [row for row in ordered if (key(row) < after if newest_first else key(row) > after)]
    return page_from(ordered[: limit + 1], of=of, key=key, show=show, limit=limit)


def page_from(rows: list[T], *, of: str, key: Callable[[T], str], show: Callable[[T], A], limit: int) -> Page[A]:
    """One page from rows that were asked for with ``limit + 1``: the one too many says that there is more."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(items=tuple(show(row) for row in shown), next_cursor=encode(key(shown[-1]), of=of) if more else None)
