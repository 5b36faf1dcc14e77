"""The Python client against the API on a real socket, and against servers that do not do their part."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.client import (
    Client,
    Conflict,
    Invalid,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotOurs,
    TooMany,
    Unavailable,
    Unreachable,
)
from api.server import Bind, serving
from tests.api.conftest import Office

ROOT = Path(__file__).resolve().parents[2]
WISH: Any = {
    "sites": ["berlin"],
    "sources": ["10.20.3.7"],
    "service": "tiktok",
    "starts": "2026-11-25T12:00:00Z",
    "ends": "2026-11-25T18:00:00Z",
    "reason": "campaign",
    "owner": "ann",
}


def run(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_it_imports_nothing_of_the_inside() -> None:
    said = run("import sys, api.client; print(*sorted({name.partition('.')[0] for name in sys.modules}))")
    assert not set(said.split()) & {"controller", "fastapi", "pydantic", "ipsets", "vendors", "sqlalchemy", "core"}
    assert "httpx" in said.split()


def test_what_is_generated_is_in_step_with_the_document() -> None:
    command = [sys.executable, "scripts/build_client.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": ".", "PATH": "/usr/bin:/bin"}, check=False)
    assert done.returncode == 0, "run `make client`"


@pytest.fixture
def url(office: Office) -> Iterator[str]:
    with serving(office.app, Bind(port=0)) as server:
        yield f"http://127.0.0.1:{server.port}"


def test_a_day_with_it(office: Office, url: str) -> None:
    with Client(url, office.tokens["request"]) as asking, Client(url, office.tokens["lead"]) as lead:
        ids = [asking.exceptions.request_exception({**WISH, "owner": f"o{n}"})["id"] for n in range(5)]
        assert len(set(ids)) == 5, "each call has a key of its own"
        same = [asking.exceptions.request_exception(WISH, idempotency_key="k")["id"] for _ in range(2)]
        assert same[0] == same[1]
        found = [e["id"] for e in lead.exceptions.list_exceptions(limit=2)]
        assert sorted(found) == sorted([*ids, same[0]])
        assert [e["owner"] for e in lead.exceptions.list_exceptions(owner="o3")] == ["o3"]
        assert lead.exceptions.approve(ids[0], dry_run=True)["state"] == "approved"
        assert lead.exceptions.get_exception(ids[0])["state"] == "requested"
        assert lead.exceptions.deny(ids[0], {"reason": "no"})["state"] == "denied"
        with pytest.raises(Conflict) as again:
            lead.exceptions.deny(ids[0], {"reason": "no"})
        assert (again.value.code, again.value.status) == ("TG5002", 409)
        assert again.value.request_id
        assert lead.check.check(src="10.20.3.7", dst="www.tiktok.com")["src"] == "10.20.3.7"


def test_failures_are_told_by_their_code(office: Office, url: str) -> None:
    with Client(url, office.tokens["read"]) as tokgate:
        with pytest.raises(NotFound):
            tokgate.sites.get_site("nowhere")
        with pytest.raises(NotAllowed, match="scope"):
            tokgate.exceptions.request_exception(WISH)
        with pytest.raises(NotFound):
            tokgate.sites.get_site("a/../b?c")
    with Client(url, office.tokens["request"]) as asking, pytest.raises(Invalid) as wrong:
        asking.exceptions.request_exception({**WISH, "sources": ["10.20.3.7/8"]})
    assert wrong.value.errors
    with Client(url, "tokgate_00000000_" + "0" * 64) as nobody, pytest.raises(NotAuthenticated):
        next(nobody.sites.list_sites())


def scripted(*answers: httpx.Response | Exception) -> tuple[Client, list[httpx.Request], list[float]]:
    """A client whose server gives these answers, one after the other."""
    left, seen, slept = list(answers), list[httpx.Request](), list[float]()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    transport = httpx.MockTransport(answer)
    return Client("https://a.example", "t", transport=transport, sleep=slept.append), seen, slept


def busy(status: int, wait: str = "7") -> httpx.Response:
    return httpx.Response(status, headers={"Retry-After": wait}, json={"status": status, "code": "", "detail": "busy"})


def test_it_waits_as_it_is_asked_and_keeps_the_key() -> None:
    client, seen, slept = scripted(busy(429), busy(503, "2"), httpx.ReadError("cut"), httpx.Response(201, json={}))
    client.exceptions.request_exception(WISH)
    assert slept == [7.0, 2.0, 4.0]
    keys = {request.headers["idempotency-key"] for request in seen}
    assert len(seen) == 4
    assert len(keys) == 1


def test_what_might_be_done_twice_is_not_tried_again() -> None:
    """A call of one's own, without a key; every operation that changes something brings one."""
    client, seen, slept = scripted(httpx.ReadError("cut"), busy(503))
    with pytest.raises(Unreachable):
        client.call("POST", "/exceptions/x/approve")
    with pytest.raises(Unavailable):
        client.call("POST", "/exceptions/x/approve")
    assert (len(seen), slept) == (2, [])


def test_it_gives_up() -> None:
    client, seen, slept = scripted(*[busy(429)] * 9)
    with pytest.raises(TooMany):
        client.me.get_me()
    assert (len(seen), slept) == (4, [7.0] * 3)
    client, seen, slept = scripted(busy(429, "3600"))
    with pytest.raises(TooMany):
        client.me.get_me()
    assert (len(seen), slept) == (1, [])


def test_what_is_no_tokgate_is_said() -> None:
    client, _, _ = scripted(httpx.Response(200, text="<html>"))
    with pytest.raises(NotOurs, match="no JSON"):
        client.me.get_me()


@pytest.mark.parametrize("url", ["http://tokgate.example", "ftp://a", "nonsense", "http://127.evil.example"])
def test_a_token_does_not_cross_the_network_readable(url: str) -> None:
    with pytest.raises(ValueError, match="http"):
        Client(url, "t")
