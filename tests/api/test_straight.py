"""Routes that are answered by one call on one thread, and found by their noun, answer as FastAPI's own way does."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Query, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from api import problems
from api.models import Answer, Instant, Lasting, Page
from api.pages import Newest
from api.routes import devices, events, exceptions, runs, sites
from api.straight import BORNE_SECONDS, RARELY_SECONDS, SHORT_SECONDS, Pace, StraightRoute, straight
from api.switchboard import Switchboard
from controller.errors import NotFound
from controller.store.database import WouldWait
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


class Kept(Lasting):
    at: Instant
    text: str


KEPT = tuple(Kept(at=datetime(2026, 11, 27, 12, 0, tzinfo=UTC), text=text) for text in ('"[]"', "ä\\"))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_what_lasts_is_written_as_all_else(count: int) -> None:
    def shown(route_class: type[APIRoute]) -> bytes:
        router = APIRouter(route_class=route_class)

        @router.get("/kept")
        def kept() -> Page[Kept]:
            return Page(items=KEPT[:count], next_cursor="[]", count=count)

        app = FastAPI()
        app.include_router(router)
        return asyncio.run(asked(app, "/kept"))[2]

    assert shown(StraightRoute) == shown(APIRoute) == shown(StraightRoute)


class Where(Answer):
    at_once: bool


def where_app(seconds: list[float]) -> FastAPI:
    """Says whether the loop itself answered; each answer takes the next of these times."""
    router = APIRouter(route_class=StraightRoute)
    loop = threading.get_ident()

    @router.get("/where")
    def where(ask: Newest, few: bool = False) -> Where:
        at_once = threading.get_ident() == loop
        if few and at_once:
            raise WouldWait
        time.sleep(seconds.pop(0) if seconds else 0)
        return Where(at_once=at_once)

    app = FastAPI()
    app.include_router(router)
    return app


def at_once(app: FastAPI, query: str = "limit=1") -> bool:
    status, _, said = asyncio.run(asked(app, f"/where?{query}"))
    assert status == 200, said
    return bool(json.loads(said)["at_once"])


def test_short_answers_are_made_at_once_and_those_that_wait_or_scan_are_not() -> None:
    app = where_app([])
    assert [at_once(app), at_once(app)] == [True, True]
    assert not at_once(app, "q=word")
    assert not at_once(app, "count=true")
    assert not at_once(app, "few=true"), "what has to wait for others is asked again on a thread"
    assert at_once(app), "who asks otherwise is not concerned"


def test_what_is_late_in_a_row_goes_to_a_thread_and_is_tried_again_ever_more_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, late = [1_000.0], BORNE_SECONDS * 0.6
    monkeypatch.setattr("api.straight.time.monotonic", lambda: now[0])
    app = where_app([late, 0, late, late, 0, late])
    assert [at_once(app) for _ in range(5)] == [True, True, True, True, False]
    assert at_once(app, "limit=1&order=asc"), "another shape of request is not late"
    now[0] += 1
    assert [at_once(app), at_once(app)] == [True, True], "it is short again"


def test_the_pause_grows_to_an_end() -> None:
    pace = Pace()
    pauses = []
    for _ in range(12):
        pace.took(1.0)
        pauses.append(pace.tried_again - time.monotonic())
    assert pauses[0] < 0 < pauses[1] < 1 < pauses[2] < 2 < pauses[3]
    assert RARELY_SECONDS - 1 < pauses[-1] <= RARELY_SECONDS
    pace.took(0.0)
    pace.took(SHORT_SECONDS)
    pace.took(SHORT_SECONDS)
    assert pace.tried_again - time.monotonic() > 1, "a few that are a little late change nothing"


def test_a_token_that_is_to_be_written_down_as_used_is_no_answer_at_once(office: Office) -> None:
    office.clock.advance(timedelta(minutes=2))
    office.get("/exceptions")
    assert office.clock.now() in [token.last_used_at for token in office.controller.store.tokens()]


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
