"""Where the rules of ours stand among those of the site: an anchor that the inventory names."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

TheirName = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[^\x00-\x1f\x7f\"']+$")]
"""A rule on the device. It reaches a command line, quoted where the vendor quotes: no quotes, no control characters."""


class Before(BaseModel):
    """Right above one rule of the site's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: TheirName


class After(BaseModel):
    """Right below one rule of the site's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: TheirName


def _chosen(value: Any) -> Any:
    """One clear message instead of one for each form."""
    if isinstance(value, Before | After) or value == "top":
        return value
    if isinstance(value, dict) and len(value) == 1 and value.keys() <= {"before", "after"}:
        return value
    raise ValueError("a place is `top`, `before: NAME` or `after: NAME`")


Placement = Annotated[Literal["top"] | Before | After, BeforeValidator(_chosen)]
"""``top``, ``before: NAME`` or ``after: NAME``. An anchor that the device does not have refuses the change."""
