"""What a route is asked with and does not know is refused: a filter with a typing error would answer everything."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from fastapi.routing import APIRoute

from api.dry_run import PREFIX

_OF_ALL: Final = frozenset({"dry_run"})


async def refuse_unknown(request: Request) -> None:
    """Raises ``RequestValidationError``. For every route of the API; pages keep what others add to an address."""
    route = request.scope.get("route")
    if not request.query_params or not request.url.path.startswith(PREFIX) or not isinstance(route, APIRoute):
        return
    if errors := unknown(request.query_params, _known(route)):
        raise RequestValidationError(errors)


def unknown(asked: Iterable[str], known: Collection[str]) -> list[dict[str, Any]]:
    """The errors of a request, one for each parameter that is not among the known ones."""
    told = ", ".join(sorted(known)) or "none"
    message = f"there is no such parameter; known: {told}"
    strange = [name for name in dict.fromkeys(asked) if name not in known and name not in _OF_ALL]
    return [{"type": "unknown_parameter", "loc": ("query", name[:100]), "msg": message} for name in strange]


def _known(route: APIRoute) -> frozenset[str]:
    fields = get_flat_params(route.dependant)
    return frozenset(field.alias for field in fields if isinstance(field.field_info, Query))


__all__ = ["refuse_unknown", "unknown"]
