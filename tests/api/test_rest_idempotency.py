"""``Idempotency-Key``: every change of the API sent again is done once and answered alike, also after a restart.

The list of changes is that of the OpenAPI document, by way of the table of dry runs.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api import idempotency
from api.idempotency import HEADER, REPLAYED, without_shown_once
from api.reference import operations
from tests.api.conftest import PASSWORD, Office, Stock, an_office, opened, served, wish
from tests.api.test_rest_dry_run import CALLS, V1, an_office_of_secrets, dump

TEXT = re.compile(r"tok[a-z]+_[0-9a-f]{8}_[0-9a-f]{32,64}")
KEYED = {HEADER: "INC-4711"}
SECRET = {(verb, f"{root}/tokens{rest}") for verb in ("POST",) for root in ("", "/me") for rest in ("", "/{id}/rotate")}
"""Their answers hold what is shown once."""


@pytest.fixture
def office(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with an_office_of_secrets(tmp_path, stock, monkeypatch) as made:
        yield made


def test_every_change_of_the_document_takes_a_key(shared_office: Office) -> None:
    for method, path, operation in operations(shared_office.app.openapi()):
        offered = HEADER in {p["name"] for p in operation.get("parameters", ())}
        assert offered is (method != "get" and path.startswith(V1)), (method, path)
        if offered:
            assert REPLAYED in next(r for s, r in operation["responses"].items() if s[0] == "2")["headers"]


@pytest.mark.parametrize("name", CALLS, ids=" ".join)
def test_sent_again_it_is_done_once_and_answered_alike(office: Office, tmp_path: Path, name: tuple[str, str]) -> None:
    method, asked = name[0], CALLS[name](office)
    office.ask("GET", f"{V1}/sites", token=asked.token)  # that the token was used is noted once a minute
    first = office.ask(method, asked.path, token=asked.token, headers=KEYED, **asked.more)
    assert first.is_success, first.text
    assert REPLAYED not in first.headers
    entries = len(office.controller.audit(limit=1000))
    again = office.ask(method, asked.path, token=asked.token, headers=KEYED, **asked.more)
    assert (again.status_code, again.headers[REPLAYED]) == (first.status_code, "true")
    assert again.headers.get("location") == first.headers.get("location")
    assert again.headers.get("etag") == first.headers.get("etag")
    assert (
        again.content == without_shown_once(first.text).encode() if name in SECRET else again.content == first.content
    )
    assert len(office.controller.audit(limit=1000)) == entries, "nothing was done again"

    other = office.ask(method, asked.path, headers=KEYED, token=asked.token, content=b'{"also": 1}')
    assert (other.status_code, other.json()["code"]) == (409, "TG5002"), "the same key with another request"
    office.controller.close()
    assert not TEXT.search("\n".join(dump(tmp_path / "data"))), "no token is in the store"


def test_what_is_shown_once_is_null_the_second_time(office: Office) -> None:
    asked: dict[str, Any] = {"json": {"name": "fresh", "scopes": ["read"], "days": 1}, "headers": KEYED}
    first, again = (office.ask("POST", f"{V1}/tokens", **asked) for _ in range(2))
    assert TEXT.fullmatch(first.json()["token"])
    assert again.json() == {**first.json(), "token": None}
    assert without_shown_once(
        '{"a": "tokgate_0123abcd_' + "0" * 64 + '", "b": "see tokfeed_0123abcd_' + "0" * 64 + '"}'
    ) == ('{"a": null, "b": "see tokfeed_0123abcd_•••"}')


def test_the_same_in_other_words_is_the_same_and_another_body_is_not(office: Office) -> None:
    body = wish(office)
    first = office.ask("POST", f"{V1}/exceptions", token="request", json=body, headers=KEYED)
    turned = json.dumps(dict(reversed(body.items())), indent=2)
    said = {**KEYED, "Content-Type": "application/json"}
    again = office.ask("POST", f"{V1}/exceptions", token="request", content=turned, headers=said)
    assert again.json() == first.json()
    other = office.ask("POST", f"{V1}/exceptions", token="request", json={**body, "owner": "bob"}, headers=KEYED)
    assert (other.status_code, other.json()["code"]) == (409, "TG5002")
    theirs = office.ask("POST", f"{V1}/exceptions", token="helpdesk", json=body, headers=KEYED)
    assert (theirs.status_code, REPLAYED in theirs.headers) == (201, False), "keys are each caller's own"


def test_who_may_not_any_more_is_not_answered_again(office: Office) -> None:
    office.ask("POST", f"{V1}/exceptions", token="request", json=wish(office), headers=KEYED)
    office.controller.revoke_token("request", actor="test")
    again = office.ask("POST", f"{V1}/exceptions", token="request", json=wish(office), headers=KEYED)
    assert again.status_code == 401


def test_a_key_outlives_a_restart(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    with an_office(tmp_path, stock) as office:
        body = wish(office)
        first = office.ask("POST", f"{V1}/exceptions", token="request", json=body, headers=KEYED)
    with opened(tmp_path) as controller, asyncio.Runner() as runner:
        later = served(controller, runner, dict(stock.tokens))
        again = later.ask("POST", f"{V1}/exceptions", token="request", json=body, headers=KEYED)
        assert (again.status_code, again.json(), again.headers[REPLAYED]) == (201, first.json(), "true")
        assert len(later.get("/exceptions")["items"]) == 1


@pytest.mark.parametrize("broken", [False, True], ids=["refused", "broken"])
def test_what_did_nothing_leaves_its_key_free(office: Office, monkeypatch: pytest.MonkeyPatch, *, broken: bool) -> None:
    asked: dict[str, Any] = {"token": "request", "headers": KEYED}
    if broken:
        with monkeypatch.context() as patch:
            patch.setattr(office.controller.exceptions, "request", lambda *_, **__: 1 / 0)
            assert office.ask("POST", f"{V1}/exceptions", json=wish(office), **asked).status_code == 500
    else:
        assert office.ask("POST", f"{V1}/exceptions", json=wish(office, sites=["x"]), **asked).status_code == 404
    assert office.ask("POST", f"{V1}/exceptions", json=wish(office), **asked).status_code == 201


def test_many_at_once_are_one_and_answered_alike(office: Office) -> None:
    """Of tokens, whose names are unique: a second one would be refused and not only doubled."""
    headers = {"Authorization": f"Bearer {office.tokens['admin']}", **KEYED}
    body = {"name": "fresh", "scopes": ["read"], "days": 1}

    async def all_at_once() -> list[Any]:
        asked = (office.client.post(f"{V1}/tokens", json=body, headers=headers) for _ in range(8))
        return await asyncio.gather(*asked)

    answers = office.runner.run(all_at_once())
    assert [a.status_code for a in answers] == [201] * 8, [a.text for a in answers if a.status_code != 201]
    assert sorted(REPLAYED in a.headers for a in answers) == [False] + [True] * 7
    assert len({a.json()["id"] for a in answers}) == 1


def test_an_answer_that_is_too_large_says_so(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.store.repeats.ANSWER_BYTES", 10)
    asked: dict[str, Any] = {"token": "request", "json": wish(office), "headers": KEYED}
    first, again = (office.ask("POST", f"{V1}/exceptions", **asked) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 409)
    assert again.json()["hint"] == f"look at {first.headers['location']}"


def test_without_the_middleware_the_table_notices(
    stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The detector detects: an application that takes keys for nothing asks twice."""
    monkeypatch.setattr(idempotency, "CHANGES", frozenset())
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    with an_office(tmp_path, stock) as deaf:
        for _ in range(2):
            deaf.ask("POST", f"{V1}/exceptions", token="request", json=wish(deaf), headers=KEYED)
        assert len(deaf.get("/exceptions")["items"]) == 2
