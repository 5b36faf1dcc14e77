"""What of an inventory moved: each of its parts by a digest of its own. Pure.

A schedule keeps them of the inventory that it follows, so that a file which was edited since can say where. Of secrets
an inventory holds references alone, and of those only digests are kept here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from controller.inventory.model import Inventory

_LENGTH: Final = 16


class Move(StrEnum):
    """What became of a part in the file."""

    ADDED = "added"
    EDITED = "edited"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedPart:
    """``place`` as in the file: ``policies.standard``, ``sites.berlin``, ``sites.berlin.devices.fw-berlin``."""

    place: str
    move: Move

    @property
    def site(self) -> str | None:
        """Whose it is; None: of more than one."""
        head, _, rest = self.place.partition(".")
        return rest.partition(".")[0] if head == "sites" else None


def parts_of(inventory: Inventory) -> dict[str, str]:
    """A digest for each site without its devices, each device, each policy, and every other section."""
    return dict(_parts(inventory.model_dump(mode="json")))


def _parts(said: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, site in said.pop("sites").items():
        for device, facts in site.pop("devices").items():
            yield f"sites.{name}.devices.{device}", _digest(facts)
        yield f"sites.{name}", _digest(site)
    for name, policy in said.pop("policies").items():
        yield f"policies.{name}", _digest(policy)
    for section, facts in said.items():
        yield section, _digest(facts)


def _digest(facts: object) -> str:
    said = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()[:_LENGTH]


def moved(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[MovedPart, ...]:
    """From one inventory to another, in the order of the places."""
    return tuple(
        MovedPart(place=place, move=_move(before.get(place), after.get(place)))
        for place in sorted(before.keys() | after.keys())
        if before.get(place) != after.get(place)
    )


def _move(before: str | None, after: str | None) -> Move:
    if before is None:
        return Move.ADDED
    return Move.REMOVED if after is None else Move.EDITED
