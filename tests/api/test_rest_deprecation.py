"""A route that will go says so on every answer, and in the document."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from api import problems
from api.deprecation import MARK, deprecated, deprecation_headers
from api.limits import Limits
from api.reference import document, operations
from controller.errors import NotFound, StoreError
from tests.api.conftest import Office

SINCE, SUNSET = datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def app() -> FastAPI:
    """An application of ours with one route that will go, beside one that stays."""
    router = APIRouter()

    @router.get("/old/{name}", **deprecated(since=SINCE, sunset=SUNSET, instead="/api/v1/new"))
    def old(name: str) -> dict[str, str]:
        match name:
            case "gone":
                raise NotFound("nothing here")
            case "down":
                raise StoreError("no disk")
            case "broken":
                raise RuntimeError
        return {}

    @router.get("/new")
    def new() -> dict[str, str]:
        return {}

    made = FastAPI(title="t", openapi_url=None)
    made.add_middleware(Limits)
    problems.install(made)
    made.include_router(router)
    return made


@pytest.fixture
def ask(app: FastAPI) -> Iterator[object]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://t", trust_env=False)
    with asyncio.Runner() as runner:
        yield lambda path: runner.run(client.get(path))


@pytest.mark.parametrize(("name", "status"), [("here", 200), ("gone", 404), ("down", 503), ("broken", 500)])
def test_every_answer_says_since_when_until_when_and_what_instead(ask: object, name: str, status: int) -> None:
    assert callable(ask)
    answer = ask(f"/old/{name}")
    assert answer.status_code == status
    assert answer.headers["deprecation"] == "@1798761600"
    assert answer.headers["sunset"] == "Thu, 01 Jul 2027 12:00:00 GMT"
    assert answer.headers["link"] == '</api/v1/new>; rel="successor-version"'
    assert "deprecation" not in ask("/new").headers
    assert ("retry-after" in answer.headers) is (status == 503)


def test_the_document_calls_it_deprecated(app: FastAPI) -> None:
    found = {path: operation for _, path, operation in operations(document(app))}
    assert found["/old/{name}"]["deprecated"] is True
    assert "deprecated" not in found["/new"]


def test_what_is_marked_in_our_document_is_deprecated_there(shared_office: Office) -> None:
    for method, path, operation in operations(shared_office.app.openapi()):
        assert (MARK in operation) is operation.get("deprecated", False), (method, path)


def test_a_mark_needs_times_that_mean_something() -> None:
    naive = datetime(2027, 1, 1)  # noqa: DTZ001  what must be refused
    for bad in ({"since": naive}, {"since": SUNSET, "sunset": SINCE}, {"since": SINCE, "sunset": naive}):
        with pytest.raises(ValueError, match="UTC"):
            deprecated(**bad)
    east = datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    assert deprecated(since=east)["openapi_extra"][MARK]["since"] == int(SINCE.timestamp())
    assert deprecation_headers(None) == {}
