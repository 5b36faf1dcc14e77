"""Where a request goes, found by the first parts of its path instead of by trying one router after the other.

FastAPI asks each included router in turn whether one of its routes matches, which for the last of some thirty is most
of the work of a small request. What is not found here goes the usual way, and so does what two routers share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from api.dry_run import PREFIX

_PARTS: Final = 4  # "", "api", "v1" and the noun

Place = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Switchboard:
    """An ASGI application in front of a router's own."""

    router: APIRouter
    usual: ASGIApp
    places: dict[Place, BaseRoute]

    @classmethod
    def before(cls, router: APIRouter) -> Switchboard:
        return cls(router, router.app, _places(router))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self.places.get(_place(scope["path"])) if scope["type"] == "http" else None
        if route is not None:
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                scope.setdefault("router", self.router)
                await route.handle(scope, receive, send)
                return
        await self.usual(scope, receive, send)


def _place(path: str) -> Place:
    return tuple(path.split("/", _PARTS)[:_PARTS])


def _places(router: APIRouter) -> dict[Place, BaseRoute]:
    """Nouns of the API that stand in one router alone."""
    found: dict[Place, set[int]] = {}
    for number, route in enumerate(router.routes):
        for known in iter_route_contexts([route]):
            if (known.path or "").startswith(PREFIX):
                found.setdefault(_place(known.path or ""), set()).add(number)
    return {place: router.routes[min(numbers)] for place, numbers in found.items() if len(numbers) == 1}
