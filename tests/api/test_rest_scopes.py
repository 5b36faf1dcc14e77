"""Who may call what: every route of the OpenAPI document, with no token, the wrong one, and the right one.

A request that passes the door may be refused behind it (404, 409, 422: the things asked for are made up); that it got
past is what is seen here.
"""

from __future__ import annotations

import hashlib
import io
import re
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import structlog

from api import reference
from controller.model import Scope
from tests.api.conftest import PASSWORD, Office, opened, served, wish

OPEN = {("GET", "/livez"), ("GET", "/readyz")}
FEED = ("GET", "/feeds/{device}/{name}.txt")
"""Under tokens of devices: ``test_feeds.py``."""
SAMPLES = {
    "id": "01hzzzzzzzzzzzzzzzzzzzzzzz",
    "name": "nowhere",
    "old": "abcdef",
    "new": "fedcba",
    "device": "nowhere",
    "format": "auto",
}
SNAPSHOT = "/api/v1/snapshots/{id}"
PAST_THE_DOOR = {200, 201, 202, 404, 409, 422}


class Route(NamedTuple):
    method: str
    template: str
    scopes: frozenset[str]

    @property
    def path(self) -> str:
        values = SAMPLES | {"id": "abcdef"} if self.template == SNAPSHOT else SAMPLES
        return self.template.format(**values)

    @property
    def id(self) -> str:
        return f"{self.method}-{self.template}"


@pytest.fixture(scope="module")
def routes(shared_office: Office) -> list[Route]:
    found = reference.operations(shared_office.app.openapi())
    return [Route(method.upper(), path, frozenset(reference.scopes_of(operation))) for method, path, operation in found]


@pytest.fixture(autouse=True)
def patience(shared_office: Office) -> None:
    """The brake on guessing has forgotten the test before."""
    shared_office.clock.advance(timedelta(minutes=5))


def ask(office: Office, route: Route, *, token: str | None) -> Any:
    return office.ask(route.method, route.path, token=token, json={} if route.method == "POST" else None)


def is_refused(answer: Any, status: int, code: str) -> bool:
    body = answer.json()
    return (
        answer.status_code == body["status"] == status
        and answer.headers["content-type"] == "application/problem+json"
        and body["code"] == code
        and body["type"] == f"urn:tokgate:problem:{code}"
        and body["request_id"] == answer.headers["x-request-id"]
    )


def test_every_route_that_the_application_has_is_in_the_document(shared_office: Office, routes: list[Route]) -> None:
    """A route that hides from the document would hide from these tests."""
    assert len(routes) > 35
    listed = {(r.method, r.template) for r in routes}
    served = set(all_routes(shared_office.app.router))
    assert served == listed


def test_no_page_hides_among_the_routes_of_the_api(shared_office: Office) -> None:
    """Pages are in no document, so that no route of the API may pass for one."""
    hidden = set(all_routes(shared_office.app.router, pages=True)) - set(all_routes(shared_office.app.router))
    assert ("POST", "/login") in hidden
    assert not [path for _, path in hidden if path.startswith(("/api/", "/feeds/", "/metrics"))]


def all_routes(router: Any, prefix: str = "", *, pages: bool = False) -> Iterator[tuple[str, str]]:
    """Of the API; with ``pages`` those of ``api.web`` too."""
    for route in router.routes:
        if hasattr(route, "methods"):
            if not pages and route.endpoint.__module__.startswith("api.web."):
                continue
            yield from ((method, prefix + route.path) for method in route.methods - {"HEAD"})
        else:
            inner = getattr(route, "original_router", None) or route
            context = getattr(route, "include_context", None)
            yield from all_routes(inner, prefix + (context.prefix if context else ""), pages=pages)


def test_every_route_but_the_probes_asks_for_a_token(shared_office: Office, routes: list[Route]) -> None:
    for route in routes:
        answer = ask(shared_office, route, token=None)
        if (route.method, route.template) in OPEN:
            assert answer.status_code in (200, 503), route.id
            assert not route.scopes
        elif (route.method, route.template) == FEED:
            assert is_refused(answer, 404, "TG5011")
            assert not route.scopes
        else:
            assert route.scopes, route.id
            assert is_refused(answer, 401, "TG6001"), route.id
            assert answer.headers["www-authenticate"].startswith("Bearer"), route.id


@pytest.mark.parametrize("held", Scope)
def test_a_token_of_one_scope_opens_exactly_the_routes_of_that_scope(
    shared_office: Office, routes: list[Route], held: Scope
) -> None:
    for route in (r for r in routes if r.scopes):
        answer = ask(shared_office, route, token=held.value)
        if held in route.scopes or held is Scope.ADMIN:
            assert answer.status_code in PAST_THE_DOOR, (route.id, answer.text)
        else:
            assert is_refused(answer, 403, "TG6002"), (route.id, answer.text)
            for scope in route.scopes:
                assert scope in answer.json()["detail"]


def test_what_changes_something_never_opens_to_who_may_only_read(routes: list[Route]) -> None:
    """The table itself is sane: no route that writes or asks a device takes ``read``; of access only auditors read."""
    for route in routes:
        if route.method != "GET" and not route.template.startswith("/api/v1/me/"):
            assert Scope.READ not in route.scopes, route.id
        if any(noun in route.template for noun in ("/people", "/api/v1/sessions")):
            assert route.scopes == ({Scope.AUDIT} if route.method == "GET" else {Scope.ADMIN}), route.id
        if "/tokens" in route.template and not route.template.startswith("/api/v1/me/"):  # there are one's own
            assert route.scopes == ({Scope.AUDIT} if route.method == "GET" else {Scope.ADMIN}), route.id
        if "/audit" in route.template:
            assert route.scopes == {Scope.AUDIT}, route.id


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="empty"),
        pytest.param("Bearer", id="no-token"),
        pytest.param("Bearer ", id="blank-token"),
        pytest.param("Basic YWRtaW46YWRtaW4=", id="basic"),
        pytest.param("Bearer tokgate_00000000_" + "0" * 64, id="unknown"),
        pytest.param("Bearer " + "a" * 10_000, id="endless"),
        pytest.param("Bearer ' OR 1=1 --", id="sql"),
        pytest.param("Bearer tokgate_\xe9\xff", id="not-ascii"),
    ],
)
def test_what_is_no_token_of_ours_is_refused(shared_office: Office, header: str) -> None:
    headers = {b"authorization": header.encode("latin-1")}
    answer = shared_office.ask("GET", "/api/v1/sites", token=None, headers=headers)
    assert is_refused(answer, 401, "TG6001")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"), id="last-digit"),
        pytest.param(str.upper, id="upper-case"),
        pytest.param(lambda text: text + "0", id="longer"),
        pytest.param(lambda text: text[:-1], id="shorter"),
        pytest.param(lambda text: text[:17], id="how-it-begins"),
        pytest.param(lambda text: hashlib.sha256(text.encode()).hexdigest(), id="its-hash"),
    ],
)
def test_nearly_a_token_is_none(shared_office: Office, change: Any) -> None:
    shared_office.tokens["near"] = change(shared_office.tokens["read"])
    assert is_refused(shared_office.ask("GET", "/api/v1/sites", token="near"), 401, "TG6001")
    assert shared_office.ask("GET", "/api/v1/sites", token="read").status_code == 200


def test_a_token_ends_to_the_second(shared_office: Office) -> None:
    shared_office.add_token("short", Scope.READ, lifetime=timedelta(hours=1))
    shared_office.clock.advance(timedelta(seconds=3599))
    assert shared_office.ask("GET", "/api/v1/sites", token="short").status_code == 200
    shared_office.clock.advance(timedelta(seconds=1))
    assert is_refused(shared_office.ask("GET", "/api/v1/sites", token="short"), 401, "TG6001")


def test_a_token_is_made_shown_once_used_and_revoked(shared_office: Office) -> None:
    body = {"name": "visitor", "scopes": ["read"], "days": 7}
    made = shared_office.ask("POST", "/api/v1/tokens", json=body)
    assert made.status_code == 201
    text, where = made.json()["token"], made.headers["location"]
    shared_office.tokens["visitor"] = text
    assert shared_office.ask("GET", "/api/v1/sites", token="visitor").status_code == 200
    assert shared_office.ask("POST", "/api/v1/tokens", json=body).status_code == 409
    listed = shared_office.ask("GET", "/api/v1/tokens")
    assert made.json()["prefix"] in listed.text
    assert text not in listed.text
    assert shared_office.ask("DELETE", where).json()["revoked_at"] is not None
    assert is_refused(shared_office.ask("GET", "/api/v1/sites", token="visitor"), 401, "TG6001")
    assert is_refused(shared_office.ask("DELETE", where), 409, "TG5002")


def test_guessing_is_braked_and_locks_out_nobody_who_has_a_token(shared_office: Office) -> None:
    assert shared_office.ask("GET", "/api/v1/sites", token="read").status_code == 200
    shared_office.tokens["guess"] = "tokgate_00000000_" + "0" * 64
    seen = [shared_office.ask("GET", "/api/v1/sites", token="guess").status_code for _ in range(25)]
    assert seen == [401] * 20 + [429] * 5
    refused = shared_office.ask("GET", "/api/v1/sites", token="guess")
    assert is_refused(refused, 429, "TG8006")
    assert int(refused.headers["retry-after"]) > 0
    assert shared_office.ask("GET", "/api/v1/sites", token="read").status_code == 200
    shared_office.clock.advance(timedelta(seconds=10))
    assert shared_office.ask("GET", "/api/v1/sites", token="guess").status_code == 401


def test_who_guesses_is_told_when_to_come_again_at_every_route(shared_office: Office, routes: list[Route]) -> None:
    shared_office.tokens["guess"] = "tokgate_00000000_" + "0" * 64
    seen = [shared_office.ask("GET", "/api/v1/sites", token="guess").status_code for _ in range(21)]
    assert seen[-1] == 429
    for route in (r for r in routes if r.scopes):
        refused = ask(shared_office, route, token="guess")
        assert is_refused(refused, 429, "TG8006"), route.id
        assert int(refused.headers["retry-after"]) > 0, route.id
    document = shared_office.app.openapi()
    told = {path: operation["responses"] for _, path, operation in reference.operations(document)}
    assert all("Retry-After" in told[r.template]["429"]["headers"] for r in routes if r.scopes)


def test_nobody_approves_what_they_asked_for_whatever_their_scopes(shared_office: Office) -> None:
    body = wish(shared_office)
    for own in ("lead", "admin"):
        where = shared_office.ask("POST", "/api/v1/exceptions", token=own, json=body).headers["location"]
        assert is_refused(shared_office.ask("POST", f"{where}/approve", token=own), 403, "TG6002")
    stranger = shared_office.ask("POST", f"{where}/revoke", token="request", json={"reason": "not mine"})
    assert is_refused(stranger, 403, "TG6002")
    assert shared_office.get(f"/exceptions/{where.rsplit('/', 1)[1]}")["state"] == "requested"


# --- what must not leak ---------------------------------------------------------------------------------------------


def test_tokens_stand_in_no_log_no_answer_and_no_file(office: Office, log_text: io.StringIO, tmp_path: Path) -> None:
    made = office.ask("POST", "/api/v1/tokens", json={"name": "fresh", "scopes": ["read"], "days": 1}).json()["token"]
    office.tokens["fresh"] = made
    secrets = [*office.tokens.values(), "the password of the firewalls"]
    answers = [
        office.ask(method, path, token=token, json={"sites": ["berlin"], "name": made} if method == "POST" else None)
        for token in ("read", "operate", "admin", "fresh")
        for method, path in (
            ("GET", "/api/v1/tokens"),
            ("GET", "/api/v1/audit"),
            ("GET", "/api/v1/health"),
            ("GET", f"/api/v1/sites?site={made}&cursor={made}"),
            ("GET", "/metrics"),
            ("POST", "/api/v1/tokens"),
            ("POST", "/api/v1/exceptions"),
            ("POST", "/api/v1/drift"),
        )
    ]
    written = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    log = log_text.getvalue()
    assert log.count("api.request") == len(answers) + 1
    for secret in secrets:
        assert not any(secret in answer.text for answer in answers)
        assert secret not in log
        assert not any(secret.encode() in blob for blob in written)
    assert "token:fresh" in log, "who asked is told by name"


def test_the_look_for_leaks_finds_one(office: Office, log_text: io.StringIO) -> None:
    structlog.get_logger().info("a.mistake", header=PASSWORD, token=office.tokens["read"])
    assert PASSWORD in log_text.getvalue()
    assert office.tokens["read"] not in log_text.getvalue(), "what has the shape of a token is cut, whoever logs it"


def test_of_a_token_the_store_keeps_a_hash_and_eight_digits(office: Office, tmp_path: Path) -> None:
    text = office.tokens["read"]
    with sqlite3.connect(f"file:{tmp_path}/data/store.db?mode=ro", uri=True) as store:
        row = store.execute("select prefix, hash from tokens where name = 'read'").fetchone()
    store.close()
    assert row == (text.split("_")[1], hashlib.sha256(text.encode()).hexdigest())
    assert re.fullmatch(r"tokgate_[0-9a-f]{8}_[0-9a-f]{64}", text), "256 random bits"


def test_a_token_outlives_a_restart_and_so_does_its_end(office: Office, tmp_path: Path) -> None:
    office.ask("DELETE", f"/api/v1/tokens/{_id_of(office, 'operate')}")
    with opened(tmp_path) as again:
        second = served(again, office.runner, office.tokens)
        assert second.ask("GET", "/api/v1/sites", token="read").status_code == 200
        assert is_refused(second.ask("GET", "/api/v1/sites", token="operate"), 401, "TG6001")


def _id_of(office: Office, name: str) -> str:
    found: str = next(t["id"] for t in office.get("/tokens")["items"] if t["name"] == name)
    return found
