"""How a route says that it will go: ``Deprecation`` (RFC 9745), ``Sunset`` (RFC 8594), and where to turn instead.

A route is marked where it is declared: ``@router.get(…, **deprecated(since=…, sunset=…, instead="/api/v1/…"))``. Every
answer of it then has the headers, failures too, and the document calls it deprecated.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final

MARK: Final = "x-deprecation"


def deprecated(*, since: datetime, sunset: datetime | None = None, instead: str = "") -> dict[str, Any]:
    """What a route is declared with. ``sunset``: when it stops answering; both times are UTC.

    Raises ``ValueError`` for a time without UTC, or an end before the beginning.
    """
    if since.utcoffset() is None or (sunset is not None and (sunset.utcoffset() is None or sunset <= since)):
        raise ValueError("since and sunset are times in UTC, the end behind the beginning")
    said = {"since": int(since.timestamp()), "sunset": sunset and format_datetime(sunset, usegmt=True), "use": instead}
    return {"deprecated": True, "openapi_extra": {MARK: {name: value for name, value in said.items() if value}}}


def deprecation_headers(route: object) -> Mapping[str, str]:
    """What answers of the route say of it; nothing when it stays."""
    said = (getattr(route, "openapi_extra", None) or {}).get(MARK)
    if said is None:
        return {}
    headers = {"Deprecation": f"@{said['since']}"}
    if "sunset" in said:
        headers["Sunset"] = said["sunset"]
    if "use" in said:
        headers["Link"] = f'<{said["use"]}>; rel="successor-version"'
    return headers


__all__ = ["MARK", "deprecated", "deprecation_headers"]
