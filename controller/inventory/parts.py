"""What the pieces of an inventory have in common."""

from __future__ import annotations

from datetime import time
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from controller.inventory.fields import Days, End, Start
from controller.windows import DAYS, DayKind


class Part(BaseModel):
    """A piece of an inventory: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)


class WeeklyHours(Part):
    """From ``from`` to ``to`` on some days, by the wall clock of the site; ``to`` may be on the next day.

    What is left out is every day, and the whole day.
    """

    days: Days = DAYS
    start: Start = Field(default=time(0), alias="from")
    end: End = Field(default=time(0), alias="to")
    on: DayKind = DayKind.ANY
    """Only on holidays, or only on days that are none, by the calendars of the site or of the policy."""

    @model_validator(mode="before")
    @classmethod
    def _covers_time(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("from") is not None and given.get("from") == given.get("to"):
            raise ValueError('`from` and `to` are equal; a whole day is from "00:00" to "24:00"')
        return given


__all__ = ["Part", "WeeklyHours"]
