"""What a provider says of somebody, and what that makes them here; and what an inventory may say of a provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.access_roles import AccessRole
from controller.claims import identity_of
from controller.errors import InventoryError, NotAllowed
from controller.inventory.access import Access
from controller.people import Identity
from tests.controller.offices import YAML, offices

PROVIDER = {"issuer": "https://id.example", "client_id": "tokgate"}
RULES: list[dict[str, Any]] = [
    {"claim": "groups", "value": "admins", "roles": ["admin"]},
    {"claim": "groups", "value": "berlin", "roles": ["requester"], "sites": ["berlin"]},
    {"claim": "groups", "value": "austin", "roles": ["approver"], "sites": ["austin"]},
    {"claim": "groups", "value": "staff", "roles": ["viewer"]},
    {"claim": "realm.roles", "value": "audit", "roles": ["auditor"]},
    {"claim": "https://claims.example/desk", "value": "yes", "roles": ["operator"]},
]


def told(**claims: Any) -> Identity:
    access = Access.model_validate({"provider": PROVIDER, "rules": RULES})
    assert access.provider is not None
    return identity_of({"sub": "1", "preferred_username": "anna", **claims}, access, access.provider)


@pytest.mark.parametrize(
    ("claims", "roles", "sites"),
    [
        pytest.param({}, set(), None, id="nothing"),
        pytest.param({"groups": ["admins"]}, {"admin"}, None, id="everywhere"),
        pytest.param({"groups": ["berlin"]}, {"requester"}, {"berlin"}, id="one-site"),
        pytest.param(
            {"groups": ["berlin", "austin"]}, {"requester", "approver"}, {"berlin", "austin"}, id="sites-add-up"
        ),
        pytest.param({"groups": ["staff", "austin"]}, {"viewer", "approver"}, {"austin"}, id="a-limit-wins"),
        pytest.param({"realm": {"roles": ["audit"]}}, {"auditor"}, None, id="dots-lead-inwards"),
        pytest.param({"https://claims.example/desk": "yes"}, {"operator"}, None, id="dots-in-a-name"),
        pytest.param({"realm": "roles"}, set(), None, id="dots-lead-nowhere"),
        pytest.param({"groups": None}, set(), None, id="null"),
        pytest.param({"groups": [1, None, {"a": "admins"}]}, set(), None, id="no-words"),
        pytest.param({"groups": "administrators"}, set(), None, id="a-longer-word"),
    ],
)
def test_roles_add_up_and_sites_only_narrow(claims: dict[str, Any], roles: set[str], sites: set[str] | None) -> None:
    found = told(**claims)
    assert found.roles == {AccessRole(role) for role in roles}
    assert found.sites == sites


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("anna", "anna"),
        ("Anna.Smith@Example.COM", "anna.smith@example.com"),
        (" anna ", "anna"),
        ("EXAMPLE\\anna", "example-anna"),
    ],
)
def test_a_name_is_made_fit_for_records(said: str, name: str) -> None:
    assert told(preferred_username=said).name == name


@pytest.mark.parametrize("said", [None, "", "  ", 7, ["anna"], "\u00e4\u00f6", "a" * 65, "-"])
def test_who_has_no_name_is_not_let_in(said: Any) -> None:
    with pytest.raises(NotAllowed):
        told(preferred_username=said)


def test_a_title_is_one_line_of_text() -> None:
    assert told(name="Anna\n\u202eSmith\x00").title == "AnnaSmith"
    assert told(name=["x"]).title == "anna"


@pytest.mark.parametrize(
    ("access", "said"),
    [
        pytest.param("provider: {issuer: 'http://id.example', client_id: t}", "by https", id="plain-http"),
        pytest.param("provider: {issuer: 'https://id.example/?a=b', client_id: t}", "issuer", id="with-a-query"),
        pytest.param("provider: {issuer: 'https://id.example', client_id: t}", "without one nobody can", id="no-rule"),
        pytest.param("rules: [{claim: g, value: a, roles: []}]", "roles", id="no-role"),
        pytest.param("rules: [{claim: g, value: a, roles: [boss]}]", "roles", id="no-such-role"),
        pytest.param("rules: [{claim: g, value: a, roles: [viewer], sites: [berlni]}]", "berlin", id="no-such-site"),
        pytest.param(
            "{provider: {issuer: 'https://i.example', client_id: t, algorithms: [none]}, rules: []}", "none", id="alg"
        ),
        pytest.param(
            "{provider: {issuer: 'https://i.example', client_id: t, algorithms: [HS256]}, rules: []}",
            "HS256",
            id="hmac",
        ),
        pytest.param(
            "{provider: {issuer: 'https://i.example', client_id: t, client_secret: hunter2}, rules: []}",
            "secret",
            id="a-secret-that-is-no-reference",
        ),
    ],
)
def test_what_is_wrong_under_access_is_said(tmp_path: Path, access: str, said: str) -> None:
    inner = access if access.startswith("{") else f"{{{access}}}"
    with pytest.raises(InventoryError, match=said) as caught:
        offices(tmp_path, f"{YAML}\naccess: {inner}\n")
    assert "hunter2" not in str(caught.value)
