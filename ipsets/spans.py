"""Spans of time as people and our data write them: ``36h``, ``3d``. Pure."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_SPAN: Final = re.compile(r"(?P<count>[1-9][0-9]{0,4})(?P<unit>[hd])")
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1)}
LONGEST: Final = timedelta(days=3660)


def parse_span(given: Any) -> Any:
    """``3d`` or ``36h``. Raises ``ValueError``."""
    if isinstance(given, timedelta):
        return given
    found = _SPAN.fullmatch(given.strip()) if isinstance(given, str) else None
    if found is None:
        raise ValueError("expected a span of time such as 36h or 3d")
    span = int(found["count"]) * _UNITS[found["unit"]]
    if span > LONGEST:
        raise ValueError(f"expected at most {LONGEST.days}d")
    return span


def short(span: timedelta) -> str:
    """As ``parse_span`` reads it, rounded down to the hour."""
    hours = int(span / _UNITS["h"])
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"


Span: TypeAlias = Annotated[
    timedelta,
    BeforeValidator(parse_span),
    PlainSerializer(short, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,4}[hd]$"}),
]


def words(span: timedelta) -> str:
    """``3 d 4 h``: the two largest units."""
    seconds = int(span.total_seconds())
    parts = ((seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    shown = [f"{count} {unit}" for count, unit in parts if count][:2]
    return " ".join(shown) or "less than a second"
