"""What reports may say of people: the part ``privacy`` of an inventory."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from controller.inventory.parts import Part

FewestClients = Annotated[int, Field(ge=0, le=20)]


class Privacy(Part):
    """For every site that does not say so itself (``fewest_clients`` there)."""

    fewest_clients: FewestClients = 0
    """A report in which fewer clients were seen names none of them. 0: always named."""
