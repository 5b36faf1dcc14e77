"""How long emergency actions may hold: the part ``emergencies`` of an inventory."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from controller.inventory.parts import Part
from ipsets.spans import Span

MOST: Final = timedelta(days=366)
MONTH: Final = timedelta(days=30)
Longest = Annotated[Span, Field(le=MOST)]


class LongestLife(Part):
    """How far ahead the end of an action of each kind may lie; it is said again then."""

    withdraw: Longest = MONTH
    switch: Longest = MONTH
    pause: Longest = MONTH


class EmergencyRules(Part):
    """For all emergency actions. What holds already keeps its end, whatever is written here later."""

    longest: LongestLife = Field(default_factory=LongestLife)
    switch_without_end: bool = True
    """Whether a switch may hold until somebody ends it; an alert tells of it every day."""


__all__ = ["EmergencyRules", "LongestLife"]
