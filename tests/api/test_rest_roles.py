"""Every role over every operation of the OpenAPI document: a generated table, and generated calls.

The table: what a role's scopes open is open, everything else is 403. The calls (schemathesis): whatever a caller of any
role sends, no answer is a failure of ours, and each one is as the document says. ``-m soak`` sends many more.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup

from api import reference
from controller.access_roles import AccessRole, all_held, scopes_of
from controller.model import Scope
from controller.people import Identity
from controller.people_desk import Browser
from tests.api.conftest import MONTH, PASSWORD, Office, Stock, an_office
from tests.api.test_rest_scopes import PAST_THE_DOOR, Route, ask, is_refused

load_all_checks()
CONFORMS: Final = [
    CHECKS.get_one(name)
    for name in (
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    )
]
OF_DEVICES: Final = (502, 503)
"""Answers that tell of a firewall that is down, where the document says so: none of them answers here."""


@pytest.fixture(scope="module")
def manned(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An office with a person of each role, and a token of theirs that holds every scope."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REST_TEST_PASSWORD", PASSWORD)
        with an_office(tmp_path_factory.mktemp("roles"), stock) as office:
            for role in AccessRole:
                add_person(office, role)
            yield office


def add_person(office: Office, role: AccessRole) -> None:
    identity = Identity(
        issuer="https://id", subject=role, name=f"the.{role}", title=role, roles=frozenset({role}), sites=None
    )
    office.controller.people.sign_in_as(identity, browser=Browser(address="192.0.2.9", agent="test"))
    made = office.controller.create_token(f"of-{role}", list(Scope), MONTH, actor="test", owner=identity.name)
    office.tokens[role] = made[1].reveal()


@pytest.fixture(scope="module")
def routes(manned: Office) -> list[Route]:
    found = reference.operations(manned.app.openapi())
    every = [
        Route(method.upper(), path, frozenset(reference.scopes_of(operation))) for method, path, operation in found
    ]
    return [route for route in every if route.scopes]


@pytest.mark.parametrize("role", AccessRole)
def test_a_role_opens_exactly_what_its_scopes_open(manned: Office, routes: list[Route], role: AccessRole) -> None:
    held = all_held(scopes_of([role]))
    opened = 0
    for route in routes:
        answer = ask(manned, route, token=role)
        if route.scopes & held:
            assert answer.status_code in PAST_THE_DOOR | {400, 412, 428}, (route.id, answer.text)
            opened += 1
        else:
            assert is_refused(answer, 403, "TG6002"), (route.id, answer.text)
    assert opened >= len([route for route in routes if Scope.READ in route.scopes])


def test_no_two_roles_open_the_same(routes: list[Route]) -> None:
    opens = [frozenset(r.id for r in routes if r.scopes & all_held(scopes_of([role]))) for role in AccessRole]
    assert len(set(opens)) == len(AccessRole)


# --- generated calls --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document(manned: Office) -> Any:
    headers = {"Authorization": f"Bearer {manned.tokens['admin']}"}
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", manned.app, headers=headers)


def call_everything(manned: Office, document: Any, *, examples: int) -> tuple[dict[AccessRole, int], list[str]]:
    """Calls every operation so often with what the document allows, each time as each role. Returns how many answers of
    each role were good, and every operation that answered wrongly, with why."""
    good = dict.fromkeys(AccessRole, 0)
    wrong = []
    for result in document.get_all_operations():
        operation = result.ok()
        if operation.path != "/feeds/{device}/{name}.txt":  # under tokens of devices
            try:
                calls(manned, operation, good, examples=examples)
            except (AssertionError, FailureGroup) as exc:
                told = exc.exceptions if isinstance(exc, FailureGroup) else (exc,)
                wrong.append(f"{operation.label}: {'; '.join(str(each) for each in told)[:800]}")
    return good, wrong


def calls(manned: Office, operation: Any, good: dict[AccessRole, int], *, examples: int) -> None:
    """Calls one operation and counts the good answers of each role: what is sent costs far more to make than to send.
    Raises ``AssertionError``, ``FailureGroup``."""
    said = operation.definition.raw
    scopes = frozenset(reference.scopes_of(said))

    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def one(case: Any) -> None:
        for role in AccessRole:
            answer = case.call(headers={"Authorization": f"Bearer {manned.tokens[role]}"})
            told = f"{role}: {answer.status_code} {answer.text}"
            if answer.status_code >= 500:
                assert answer.status_code in OF_DEVICES, told
                assert str(answer.status_code) in said["responses"], told
            if scopes and not scopes & all_held(scopes_of([role])):
                assert answer.status_code >= 400, told
            if answer.status_code < 300:
                good[role] += 1
            case.validate_response(answer, checks=CONFORMS)

    one()


@pytest.mark.timeout(600)
def test_whatever_a_role_sends_is_answered_as_the_document_says(manned: Office, document: Any) -> None:
    good, wrong = call_everything(manned, document, examples=4)
    assert not wrong
    assert [role for role, count in good.items() if count <= 10] == []


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_whatever_a_role_sends_at_length(manned: Office, document: Any) -> None:
    good, wrong = call_everything(manned, document, examples=40)
    assert not wrong
    assert [role for role, count in good.items() if count <= 100] == []


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda answer: answer["schema"].update({"$ref": "#/components/schemas/Pin"}), id="another-shape"),
        pytest.param(lambda answer: answer.update({"schema": {"type": "string"}}), id="another-type"),
    ],
)
def test_an_answer_that_is_not_as_the_document_says_is_found(manned: Office, spoil: Any) -> None:
    """The detector detects: a document that says something else of one route."""
    said = copy.deepcopy(manned.app.openapi())
    said["paths"] = {"/api/v1/sites": said["paths"]["/api/v1/sites"]}
    spoil(said["paths"]["/api/v1/sites"]["get"]["responses"]["200"]["content"]["application/json"])
    document = schemathesis.openapi.from_dict(said)
    document.app = manned.app
    _, wrong = call_everything(manned, document, examples=3)
    assert [line.partition(":")[0] for line in wrong] == ["GET /api/v1/sites"]
