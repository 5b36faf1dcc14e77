"""How fresh the proof of each site has to be, and for what share of the time: the part ``slo`` of an inventory."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from controller.inventory.parts import Part

_AGE: Final = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_MINUTES: Final = {"m": 1, "h": 60, "d": 1440}
_SHARE: Final = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,4})?)\s*%")


def parse_age(given: Any) -> Any:
    """``30m``, ``2h`` or ``1d``. Raises ``ValueError``."""
    if isinstance(given, timedelta):
        return given
    found = _AGE.fullmatch(given.strip()) if isinstance(given, str) else None
    if found is None:
        raise ValueError("expected a span of time such as 30m, 2h or 1d")
    return timedelta(minutes=int(found[1]) * _MINUTES[found[2]])


def show_age(age: timedelta) -> str:
    """As ``parse_age`` reads it."""
    minutes = age // timedelta(minutes=1)
    return next(f"{minutes // size}{unit}" for unit, size in reversed(_MINUTES.items()) if minutes % size == 0)


def parse_share(given: Any) -> Any:
    """``99.5%`` as 0.995. Raises ``ValueError``."""
    if isinstance(given, float):
        return given
    found = _SHARE.fullmatch(given.strip()) if isinstance(given, str) else None
    if found is None:
        raise ValueError("expected a share such as 99% or 99.9%")
    return round(float(found[1]) / 100, 6)


def show_share(share: float) -> str:
    """As ``parse_share`` reads it."""
    return f"{share * 100:.10g}%"


Age = Annotated[
    timedelta,
    BeforeValidator(parse_age),
    Field(ge=timedelta(minutes=1), le=timedelta(days=7)),
    PlainSerializer(show_age, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,4}[mhd]$"}),
]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    Field(ge=0.5, lt=1),
    PlainSerializer(show_share, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,2}(\\.[0-9]{1,4})?\\s*%$"}),
]


class Slo(Part):
    """At each site the last proof is no older than ``enforced_age``, for ``share`` of the time of all sites."""

    enforced_age: Age
    share: Share


__all__ = ["Slo", "show_age", "show_share"]
