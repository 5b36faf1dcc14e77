"""How far somebody's access reaches: every site, or only some. Pure.

Who is limited to sites is served by a controller that knows no others (``Controller.within``): what lies beyond is not
found, and what lies partly beyond is shown without that part and cannot be changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from controller.errors import NotAllowed
from core.ids import SiteName


@dataclass(frozen=True, slots=True)
class Reach:
    """``sites``: those within; None is every site, also those to come."""

    sites: frozenset[SiteName] | None = None

    @property
    def is_everywhere(self) -> bool:
        return self.sites is None

    def has(self, site: str) -> bool:
        return self.sites is None or site in self.sites

    def touches(self, sites: Iterable[str]) -> bool:
        """Whether any of them lies within."""
        return self.sites is None or any(site in self.sites for site in sites)

    def part_of(self, sites: Iterable[SiteName]) -> tuple[SiteName, ...]:
        """Those of them that lie within."""
        return tuple(site for site in sites if self.has(site))

    def refuse_beyond(self, what: str, sites: Iterable[str]) -> None:
        """Raises ``NotAllowed`` unless all of them lie within; it does not name the others."""
        if not all(self.has(site) for site in sites):
            raise NotAllowed(
                f"{what} is also for sites that you do not see", hint="ask somebody whose access reaches them"
            )


EVERYWHERE: Final = Reach()
