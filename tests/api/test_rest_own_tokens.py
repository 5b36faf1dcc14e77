"""Tokens that people make for themselves: no wider than they are, seen and ended by them alone, gone with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.access_roles import AccessRole
from controller.model import Scope
from controller.own_tokens import MOST
from controller.people import Identity
from controller.people_desk import Browser
from core.ids import SiteName
from tests.api.conftest import PASSWORD, Office, Stock, an_office
from tests.api.test_rest_dry_run import DAY, V1

MINE = f"{V1}/me/tokens"
HERE = Browser(address="192.0.2.9", agent="test")


@pytest.fixture
def office(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """Ann may approve at Berlin, Ben is an operator everywhere; each has a token that an administrator made."""
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    with an_office(tmp_path, stock) as made:
        for name, role, sites in (
            ("ann", AccessRole.APPROVER, frozenset({SiteName("berlin")})),
            ("ben", AccessRole.OPERATOR, None),
        ):
            who = Identity(
                issuer="https://id", subject=name, name=name, title=name, roles=frozenset({role}), sites=sites
            )
            made.controller.people.sign_in_as(who, browser=HERE)
            _, text = made.controller.create_token(f"{name}s", list(Scope), 9 * DAY, actor="test", owner=name)
            made.tokens[name] = text.reveal()
        yield made


def ask(office: Office, who: str = "ann", **more: Any) -> Any:
    return office.ask("POST", MINE, token=who, json={"name": "own", "scopes": ["read"], "days": 5, **more})


def test_it_acts_for_its_owner_at_their_sites_and_ends_with_them(office: Office) -> None:
    made = ask(office)
    assert (made.status_code, made.json()["owner"], made.json()["sites"]) == (201, "ann", ["berlin"])
    office.tokens["own"] = made.json()["token"]
    assert [site["name"] for site in office.get("/sites", token="own")["items"]] == ["berlin"]
    [entry] = [e for e in office.controller.audit() if e.subject == made.json()["id"]]
    assert (entry.actor, entry.action) == ("person:ann", "token.create")
    assert json.loads(entry.detail)["via"] == "token:anns"
    assert made.json()["token"] not in entry.detail
    office.controller.people.disable("ann", actor="test", reason="left")
    assert office.ask("GET", f"{V1}/sites", token="own").status_code == 401
    assert office.ask("GET", f"{V1}/sites", token="ann").status_code == 401


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        pytest.param({"scopes": ["read", "operate"]}, 403, "TG6002", id="a-scope-that-they-lack"),
        pytest.param({"scopes": ["admin"]}, 403, "TG6002", id="everything"),
        pytest.param({"sites": ["austin"]}, 404, "TG5001", id="a-site-that-is-not-theirs"),
        pytest.param({"days": 10}, 422, "TG5007", id="longer-than-the-token-that-asks"),
        pytest.param({"name": "Own!"}, 422, "TG5007", id="no-name"),
        pytest.param({"name": "anns"}, 409, "TG5002", id="a-name-in-use"),
        pytest.param({"owner": "ben"}, 422, "TG5007", id="for-somebody-else"),
    ],
)
def test_what_is_wider_than_who_asks_is_refused(office: Office, more: dict[str, Any], status: int, code: str) -> None:
    answer = ask(office, **more)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert office.get("/me/tokens", token="ann", params={"count": "true"})["count"] == 1


def test_nobody_sees_or_ends_those_of_others(office: Office) -> None:
    where = ask(office).headers["location"]
    for method, path in (("GET", where), ("DELETE", where), ("POST", f"{where}/rotate")):
        assert office.ask(method, path, token="ben").status_code == 404
    assert [t["name"] for t in office.get("/me/tokens", token="ben")["items"]] == ["bens"]
    assert office.ask("DELETE", where, token="ann").json()["revoked_at"] is not None
    nobody = office.ask("POST", MINE, token="read", json={"name": "own", "scopes": ["read"], "days": 1})
    assert (nobody.status_code, nobody.json()["code"]) == (409, "TG5002"), "a token without an owner"


def test_a_narrow_token_turns_no_wider_one(office: Office) -> None:
    """Else one that leaked would be as good as the widest of its owner."""
    narrow = office.tokens["narrow"] = ask(office, "ben", name="narrow").json()["token"]
    wide = office.get("/me/tokens", token="ben", params={"q": "bens"})["items"][0]["id"]
    turned = office.ask("POST", f"{MINE}/{wide}/rotate", token="narrow")
    assert (turned.status_code, turned.json()["code"]) == (403, "TG6002")
    assert narrow not in turned.text


def test_there_is_an_end_to_them(office: Office) -> None:
    for number in range(MOST - 1):
        assert ask(office, name=f"own-{number}").status_code == 201
    assert (ask(office).status_code, ask(office).json()["code"]) == (409, "TG5002")
