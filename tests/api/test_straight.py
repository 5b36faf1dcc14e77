"""Routes that are answered by one call on one thread, and found by their noun, answer as FastAPI's own way does."""

from __future__ import annotations

import asyncio
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Query, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from api import problems
from api.models import Answer, Instant
from api.pages import Newest
from api.routes import devices, events, exceptions, runs, sites
from api.straight import StraightRoute, straight
from api.switchboard import Switchboard
from controller.errors import NotFound
from tests.api.conftest import Office


class Said(Answer):
    who: str
    many: int
    some: tuple[str, ...]
    limit: int
    at: Instant | None


def app_of(route_class: type[APIRoute]) -> FastAPI:
    router = APIRouter(route_class=route_class)

    @router.get("/said/{who}")
    def said(
        response: Response,
        who: str,
        ask: Newest,
        many: Annotated[int, Query(alias="how-many")] = 7,
        some: Annotated[tuple[str, ...], Query(max_length=2)] = (),
        at: Instant | None = None,
    ) -> Said:
        if who == "nobody":
            raise NotFound("nobody of that name")
        response.headers["ETag"] = '"seven"'
        return Said(who=who, many=many, some=some, limit=ask.limit, at=at)

    @router.get("/plain")
    def plain(must: str) -> Response:
        return Response(must, media_type="text/plain", headers={"X-Own": "1"})

    app = FastAPI()
    problems.install(app)
    app.include_router(router)
    return app


@pytest.mark.parametrize(
    "path",
    [
        "/said/anna",
        "/said/anna?how-many=3&some=a&some=b&limit=2&order=asc",
        "/said/anna?many=3&unknown=1",
        "/said/anna?at=2026-11-25T18:00:00.5%2B01:00",
        "/said/anna?some=a&some=b&some=c",
        "/said/anna?how-many=x&limit=0&at=yesterday",
        "/said/anna?how-many=",
        "/said/anna?how-many=1&how-many=2",
        "/said/nobody",
        "/plain?must=1",
        "/plain",
        "/nothing",
    ],
)
def test_it_answers_as_the_usual_way_does(path: str) -> None:
    straight, usual = (asyncio.run(asked(app_of(kind), path)) for kind in (StraightRoute, APIRoute))
    assert straight == usual


async def asked(app: FastAPI, path: str) -> tuple[int, list[tuple[str, str]], bytes]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        answer = await client.get(path)
        return answer.status_code, sorted(answer.headers.items()), answer.content


def test_the_lists_that_are_asked_for_most_go_straight() -> None:
    for noun in (exceptions, events, sites, devices, runs):
        routes = [route for route in noun.router.routes if isinstance(route, APIRoute)]
        (listed,) = [r for r in routes if r.path == noun.router.prefix and r.methods == {"GET"}]
        assert straight(listed) is not None, noun
        assert [r.path for r in routes if r.methods != {"GET"} and straight(r) is not None] == []


def test_nouns_are_found_without_trying_the_others(office: Office) -> None:
    board = office.app.router.middleware_stack
    assert isinstance(board, Switchboard)
    found = {place[-1] for place in board.places if place[:3] == ("", "api", "v1")}
    assert found >= {"exceptions", "events", "devices", "runs"}
    assert "sites" not in found, "a site and its policy stand in two routers"

    async def lost(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError(f"{scope['path']} went the usual way")

    office.app.router.middleware_stack = Switchboard(board.router, lost, board.places)
    assert office.get("/exceptions") == {"items": [], "next_cursor": None, "count": None}
    office.app.router.middleware_stack = board
    answer = office.ask("PUT", "/api/v1/exceptions")
    assert (answer.status_code, answer.json()["code"]) == (405, "TG8002")
    assert office.ask("GET", "/api/v1/exceptionsx").status_code == 404
