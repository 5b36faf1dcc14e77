"""Calendars of holidays: the part ``calendars`` of an inventory, by name. What they say is read by ``calendars``."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from controller.inventory.fields import did_you_mean
from controller.inventory.parts import Part
from ipsets.errors import SourceError
from ipsets.sources.http import allowed
from ipsets.spans import Span

DEFAULT_REFRESH: Final = timedelta(days=1)


def parse_dates(value: object) -> object:
    """``2026-12-24`` and nothing else: not a time, not a number."""
    given = value if isinstance(value, list | tuple) else (value,)
    return tuple(item if isinstance(item, date) else _date(item) for item in given)


def _date(item: object) -> date:
    try:
        return date.fromisoformat(str(item))
    except ValueError:
        raise ValueError(f"{str(item)[:20]!r} is no date; write it as 2026-12-24") from None


Dates = Annotated[
    tuple[date, ...],
    BeforeValidator(parse_dates),
    WithJsonSchema({"type": "array", "items": {"type": "string", "format": "date"}}),
]


class Calendar(Part):
    """Which days are holidays: by country, by an iCalendar file or address, or by naming them."""

    country: str | None = None
    """ISO 3166-1, two letters: what the package ``holidays`` knows of it."""
    subdivision: str | None = None
    """As that package has it, mostly ISO 3166-2 without the country: ``BE`` of ``DE`` is Berlin."""
    file: Path | None = None
    """An iCalendar file, beside the inventory."""
    url: str | None = None
    """An iCalendar file that is fetched; its last good answer is kept."""
    refresh: Span = DEFAULT_REFRESH
    """How often it is fetched."""
    timeout_seconds: Annotated[float, Field(ge=1, le=120)] = 20.0
    dates: Dates = ()
    """Holidays besides."""
    without: Dates = ()
    """No holidays, whatever the others say."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        named = [key for key in ("country", "file", "url") if getattr(self, key) is not None]
        if len(named) > 1 or not (named or self.dates):
            raise ValueError("name one of `country`, `file`, `url`, or `dates` alone")
        if self.subdivision is not None and self.country is None:
            raise ValueError("`subdivision` is of a `country`")
        if self.country is not None:
            _refuse_unknown(self.country, self.subdivision)
        if self.url is not None:
            _refuse_open(self.url)
        return self

    @property
    def source(self) -> str | None:
        """Where it is read from; None for one that is not read from anywhere."""
        return self.url or (str(self.file) if self.file is not None else None)


def _refuse_open(url: str) -> None:
    try:
        allowed(url)
    except (SourceError, ValueError) as exc:
        raise ValueError(str(exc).partition(" (")[0]) from exc


def _refuse_unknown(country: str, subdivision: str | None) -> None:
    known = supported()
    if country not in known:
        raise ValueError(f"no country {country[:20]!r}{did_you_mean(country, known)}")
    if subdivision is not None and subdivision not in known[country]:
        raise ValueError(f"no subdivision {subdivision[:20]!r} of {country}{did_you_mean(subdivision, known[country])}")


def supported() -> dict[str, list[str]]:
    """The countries and their subdivisions that the package ``holidays`` knows."""
    import holidays  # half a thousand modules: only where a country is named

    found: dict[str, Any] = holidays.list_supported_countries(include_aliases=True)
    return {country: list(parts) for country, parts in found.items()}


__all__ = ["DEFAULT_REFRESH", "Calendar", "supported"]
