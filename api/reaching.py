"""Which routes are open to callers who are limited to some sites. The one place where that is decided.

What is not listed is about the whole fleet and closed to them: a new route is closed until somebody has thought of it.
What is listed is either the same for everybody, or asks a controller that knows their sites alone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from starlette.requests import Request

from controller.errors import NotAllowed


class Reaching(StrEnum):
    """What a route is about."""

    SITES = "sites"  # shown and changed as far as the caller's sites go
    ALL_ALIKE = "all-alike"  # says nothing of any site
    FLEET = "fleet"  # shows or changes all sites at once


_SITES: Final = (
    "/sites",
    "/policies",
    "/devices",
    "/drift",
    "/plans",
    "/runs",
    "/jobs",
    "/feeds",
    "/feed-groups",
    "/exceptions",
    "/emergencies",
    "/config",
    "/events",
    "/evidence",
    "/reports",
    "/check",
    "/episodes",
    "/coverage",
    "/proofs",
    "/packs",
    "/unmaskings",
    "/retention",
    "/reconciliation",
    "/me",
)
_ALL_ALIKE_GET: Final = ("/snapshots", "/sources", "/intel", "/health", "/openapi.json", "/docs")
_FLEET: Final = ("/coverage/slo", "/intel/scoreboard", "/events/alerts", "/reports/scheduled")
PREFIX: Final = "/api/v1"


def reaching(method: str, path: str) -> Reaching:
    """What the route with this method and path template is about; the longest beginning that is listed decides."""
    if not path.startswith(PREFIX + "/"):
        return Reaching.FLEET
    inner = path.removeprefix(PREFIX)
    found = {start: Reaching.SITES for start in _SITES if _is_under(inner, start)}
    if method == "GET":
        found |= {start: Reaching.ALL_ALIKE for start in _ALL_ALIKE_GET if _is_under(inner, start)}
    found |= {start: Reaching.FLEET for start in _FLEET if _is_under(inner, start)}
    return found[max(found, key=len)] if found else Reaching.FLEET


def _is_under(path: str, start: str) -> bool:
    return path == start or path.startswith(start + "/")


def refuse_fleet(request: Request) -> None:
    """For a caller who is limited to sites. Raises ``NotAllowed`` when the route is about the whole fleet."""
    if reaching(request.method, request.url.path) is Reaching.FLEET:
        raise NotAllowed(
            "this is about the whole fleet, and your access is limited to sites",
            hint="ask an administrator, or somebody whose access reaches every site",
        )
