"""Who stands behind an indicator: a company, not an app. Pure; the data is ``data/owners.yaml``.

Derived from the app and the origins whenever it is shown, and never stored: a company that is sold is another line of
data, and all that is known of older snapshots is told in today's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pydantic import BaseModel, ConfigDict

from core.net import DomainName
from ipsets import rulebook
from ipsets.dataset import shipped_bytes
from ipsets.drift import origins_of
from ipsets.model import Indicator


class Owner(BaseModel):
    """A company, its networks and its apps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    asns: frozenset[int] = frozenset()
    apps: frozenset[str] = frozenset()
    alone: frozenset[int] = frozenset()
    """Networks that carry this owner's services and nobody else's."""
    refused: str = ""
    """Why no policy may choose it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """All owners by name. Of several that originate one prefix, the one that stands first has it."""

    known: Mapping[str, Owner]

    def of(self, indicator: Indicator) -> str | None:
        """The owner's name; None when nobody knows it."""
        if not isinstance(indicator.value, DomainName) and (origins := origins_of(indicator)):
            held = next((name for name, owner in self.known.items() if owner.asns & origins), None)
            if held is not None:
                return held
        return self.of_app(indicator.app)

    def of_app(self, app: str) -> str | None:
        """Who makes an app."""
        return next((name for name, owner in self.known.items() if app in owner.apps), None)


class _File(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owners: Mapping[str, Owner]


@cache
def shipped_owners() -> Owners:
    """The owners in ``data/owners.yaml``."""
    return Owners(known=rulebook.shaped(_File, shipped_bytes("owners.yaml"), place="owners.yaml").owners)
