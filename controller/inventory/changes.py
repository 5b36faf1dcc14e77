"""When tokgate may change devices by itself: the part ``changes`` of the defaults, of a policy, of a site."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from controller.inventory.parts import Part, WeeklyHours
from controller.windows import DayKind


class Hold(StrEnum):
    """What a freeze holds back."""

    CHANGES = "changes"  # new lists, edits of the inventory, first pushes; policy goes on: edges, exceptions, repairs
    EVERYTHING = "everything"


class ChangeWindow(WeeklyHours):
    """Changes begin only inside one of these, by the wall clock of the site."""


def parse_moment(value: object) -> object:
    """``2026-12-18T18:00``, or a date for its midnight; the wall clock of the site, so without a zone."""
    if isinstance(value, datetime) or value is None:
        return value
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{str(value)[:30]!r} is no time; write it as 2026-12-18T18:00") from None
    if found.tzinfo is not None:
        raise ValueError("the time of the site is meant: write it without a zone, as 2026-12-18T18:00")
    return found


Moment = Annotated[
    datetime, BeforeValidator(parse_moment), WithJsonSchema({"type": "string", "examples": ["2026-12-18T18:00"]})
]
_WEEKLY: Final = frozenset({"days", "from", "to", "on"})


class Freeze(WeeklyHours):
    """No changes from ``starts`` to ``ends``; or each week in these hours, as a window has them."""

    starts: Moment | None = None
    ends: Moment | None = None
    hold: Hold = Hold.CHANGES
    reason: Annotated[str, Field(max_length=200)] = ""

    @model_validator(mode="before")
    @classmethod
    def _is_dated_or_weekly(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        dated = {"starts", "ends"} & given.keys()
        if len(dated) == 1:
            raise ValueError("`starts` and `ends` go together")
        if bool(dated) is bool(_WEEKLY & given.keys()):
            raise ValueError("give `starts` and `ends`, or `days`, `from`, `to` and `on` of each week; not both")
        return given

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.starts is not None and self.ends is not None and self.ends <= self.starts:
            raise ValueError("`ends` must lie after `starts`")
        return self


class Changes(Part):
    """The freezes of defaults, policy and site all hold; of the windows those that stand nearest to the site."""

    windows: tuple[ChangeWindow, ...] = ()
    """When changes may begin; always when there are none."""
    freezes: tuple[Freeze, ...] = ()
    """When none may, whatever the windows say."""

    @property
    def needs_calendar(self) -> bool:
        return any(hours.on is not DayKind.ANY for hours in (*self.windows, *self.freezes))


__all__ = ["ChangeWindow", "Changes", "Freeze", "Hold"]
