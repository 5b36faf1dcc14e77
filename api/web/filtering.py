"""What lists in a browser are narrowed by, and how one goes on to what is older."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, TypeVar
from urllib.parse import urlencode

from fastapi import Query
from starlette.requests import Request

from api.pages import refuse_reversed
from api.web.pages import local_time
from controller.errors import Invalid

E = TypeVar("E", bound=StrEnum)
SPAN: Final = {"since": ("since", "From"), "until": ("until", "Until")}
"""The fields of a span of time, by what errors call them (``api.web.fields``)."""

Word = Annotated[str, Query(max_length=64)]
Text = Annotated[str, Query(max_length=120)]
Cursor = Annotated[str, Query(max_length=500)]


def one_of(known: type[E], text: str, field: str) -> E | None:
    """None without a text. Raises ``Invalid``."""
    if not text:
        return None
    try:
        return known(text)
    except ValueError as exc:
        raise Invalid(f"{field}: there is no {text!r}", hint=f"it is one of {', '.join(known)}") from exc


def is_named(text: str, *names: str) -> bool:
    """Whether that is a part of any of the names; nothing is a part of each."""
    wanted = text.strip().casefold()
    return any(wanted in name.casefold() for name in names)


def between(since: str, until: str, zone: str) -> tuple[datetime | None, datetime | None]:
    """Times as date fields have them, by the clock of that zone; None where nothing was typed. Raises ``Invalid``."""
    first = local_time(since, zone, "since") if since.strip() else None
    last = local_time(until, zone, "until") if until.strip() else None
    refuse_reversed(first, last)
    return first, last


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Where older and the newest are, as ends of the address; ``newest`` None: these are they."""

    older: str
    newest: str | None

    @classmethod
    def of(cls, asked: Mapping[str, str], *, cursor: str, after: str | None) -> Pager:
        given = {name: value for name, value in asked.items() if value}
        return cls(
            older=urlencode({**given, "cursor": after}) if after else "", newest=urlencode(given) if cursor else None
        )


def here(request: Request) -> str:
    """The address of this very list, to be asked for again."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
