"""What proof of blocking is measured against: the part ``proof`` of an inventory."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from controller.inventory.parts import Part

Control = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$")]


class ProofRules(Part):
    """For every probe that asks the server what to try."""

    controls: Annotated[tuple[Control, ...], Field(max_length=8)] = ()
    """Names or addresses outside that must be reachable by TCP and QUIC 443 whatever is blocked. Without any, what does
    not answer a probe is unknown."""


__all__ = ["ProofRules"]
