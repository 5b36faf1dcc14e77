"""Hostile and mistaken input at every door: answered 4xx with a problem of ours, never 5xx, and nothing is changed."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import reference
from api.limits import MAX_BODY_BYTES
from tests.api.conftest import Office
from tests.controller.offices import NOON

EXCEPTIONS = "/api/v1/exceptions"
ULID = "01hzzzzzzzzzzzzzzzzzzzzzzz"


def stamp(hours: float) -> str:
    return (NOON + timedelta(hours=hours)).isoformat()


GOOD: dict[str, Any] = {
    "sites": ["berlin"],
    "sources": ["10.20.0.7"],
    "service": "tiktok",
    "starts": stamp(0),
    "ends": stamp(2),
    "reason": "campaign",
    "owner": "marketing",
}


def refusal(answer: Any, *statuses: int) -> dict[str, Any]:
    """The problem, which has the form that every one has. Fails for anything else."""
    assert answer.status_code in (statuses or range(400, 500)), answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:tokgate:problem:{body['code']}"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["title"]
    assert body["detail"]
    assert body["detail"].isprintable()
    assert body["hint"].isprintable()
    assert body["code"] != "TG1000"
    return body


def invalid(answer: Any) -> str:
    """All that a 422 says is wrong."""
    body = refusal(answer, 422)
    assert body["code"] == "TG5007"
    return " | ".join([body["detail"], *(f"{e['place']}: {e['message']}" for e in body.get("errors", ()))])


# --- bodies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut-off"),
        pytest.param(b"{'sites': ['berlin']}", id="single-quotes"),
        pytest.param(b"\xff\xfe{\x00}\x00", id="utf-16"),
        pytest.param(b'{"reason": "\xff"}', id="no-utf-8"),
        pytest.param(b"\x00" * 100, id="nul"),
        pytest.param(b"[" * 100_000, id="endless-nesting"),
        pytest.param(b'{"a":' * 20_000 + b"1" + b"}" * 20_000, id="deep-but-whole"),
        pytest.param(b'{"sites": ' + b"9" * 10_000 + b"}", id="number-of-ten-thousand-digits"),
        pytest.param(b"NaN", id="nan"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"<xml/>", id="xml"),
    ],
)
@pytest.mark.parametrize("path", [EXCEPTIONS, "/api/v1/plans", "/api/v1/runs", "/api/v1/tokens"])
def test_a_body_that_is_no_request(shared_office: Office, path: str, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    refusal(shared_office.ask("POST", path, content=content, headers=headers), 400, 422)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "image/png"])
def test_a_body_of_another_type_is_not_guessed_at(shared_office: Office, kind: str) -> None:
    """Trap: a form posted by a page of somebody else needs no leave of a browser; JSON does."""
    content = json.dumps(GOOD).encode()
    refused = refusal(shared_office.ask("POST", EXCEPTIONS, content=content, headers={"Content-Type": kind}), 400)
    assert "application/json" in refused["hint"]


def test_a_body_too_large_is_refused_by_its_length_and_by_its_bytes(shared_office: Office) -> None:
    big = b" " * (MAX_BODY_BYTES + 1)
    assert refusal(shared_office.ask("POST", EXCEPTIONS, content=big), 413)["code"] == "TG8004"

    async def parts() -> Any:
        for _ in range(5):
            yield b" " * (MAX_BODY_BYTES // 4)

    assert refusal(shared_office.ask("POST", EXCEPTIONS, content=parts()), 413)["code"] == "TG8004"
    refusal(shared_office.ask("GET", "/api/v1/sites", token=None, content=big), 413)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"sites": []}, "sites", id="no-site"),
        pytest.param({"sites": "berlin"}, "sites", id="text-for-a-list"),
        pytest.param({"sites": {"berlin": 1}}, "sites", id="object-for-a-list"),
        pytest.param({"sites": ["berlin"] * 1001}, "sites", id="too-many-sites"),
        pytest.param({"sites": ["../berlin"]}, "sites", id="site-climbs"),
        pytest.param({"sites": ["ber\x00lin"]}, "sites", id="nul-in-site"),
        pytest.param({"sites": ["berlin\n"]}, "sites", id="newline-in-site"),
        pytest.param({"sites": ["BERLIN"]}, "sites", id="upper-case-site"),
        pytest.param({"sites": ["\ud800"]}, "sites", id="half-a-character"),
        pytest.param({"sources": []}, "sources", id="no-source"),
        pytest.param({"sources": ["10.20.0.7"] * 257}, "sources", id="too-many-sources"),
        pytest.param({"sources": ["10.20.0.300"]}, "sources", id="no-address"),
        pytest.param({"sources": ["10.20.0.7/24"]}, "sources", id="host-bits"),
        pytest.param({"sources": ["10.20.0.7/-1"]}, "sources", id="negative-length"),
        pytest.param({"sources": ["fe80::1%eth0; reboot"]}, "sources", id="zone-with-a-command"),
        pytest.param({"sources": ["10.20.0.7\n}"]}, "sources", id="newline-in-source"),
        pytest.param({"sources": ["١٠.٢٠.٠.٧"]}, "sources", id="digits-of-another-script"),
        pytest.param({"sources": ["marketing"]}, "sources", id="name-for-an-address"),
        pytest.param({"sources": [170000000]}, "sources", id="number-for-an-address"),
        pytest.param({"sources": ["8.8.8.8"]}, "sources", id="address-of-no-site"),
        pytest.param({"sources": ["0.0.0.0/0"]}, "sources", id="everybody"),
        pytest.param({"sources": ["10.0.0.0/8"]}, "sources", id="wider-than-the-site"),
        pytest.param({"sources": ["::/0"]}, "sources", id="everybody-v6"),
        pytest.param({"service": "facebook"}, "service", id="unknown-service"),
        pytest.param({"service": 7}, "service", id="number-for-a-service"),
        pytest.param({"starts": "2026-11-25T12:00:00"}, "starts", id="naive"),
        pytest.param({"starts": "2026-11-25"}, "starts", id="bare-date"),
        pytest.param({"starts": "tomorrow"}, "starts", id="word"),
        pytest.param({"starts": 1795694400}, "starts", id="unix-time"),
        pytest.param({"starts": 1e400}, "starts", id="infinity"),
        pytest.param({"starts": "2026-02-30T00:00:00Z"}, "starts", id="no-such-day"),
        pytest.param({"starts": "2026-11-25T24:00:00Z"}, "starts", id="no-such-hour"),
        pytest.param({"starts": "2026-11-25T12:00:00+99:00"}, "starts", id="no-such-zone"),
        pytest.param({"starts": "0001-01-01T00:00:00+14:00"}, "starts", id="before-time"),
        pytest.param({"starts": "9999-12-31T23:59:59-14:00"}, "starts", id="after-time"),
        pytest.param({"ends": stamp(-1)}, "ends", id="ends-before-it-starts"),
        pytest.param({"ends": stamp(0)}, "ends", id="ends-when-it-starts"),
        pytest.param({"starts": stamp(-2), "ends": stamp(-1)}, "ends", id="over-already"),
        pytest.param({"ends": stamp(24 * 367)}, "ends", id="longer-than-a-year"),
        pytest.param({"reason": ""}, "reason", id="no-reason"),
        pytest.param({"reason": "   "}, "reason", id="blank-reason"),
        pytest.param({"reason": "a" * 501}, "reason", id="endless-reason"),
        pytest.param({"reason": "a\x00b"}, "reason", id="nul"),
        pytest.param({"reason": "a\nb"}, "reason", id="two-lines"),
        pytest.param({"reason": "a\x1b[2Jb"}, "reason", id="moves-the-cursor"),
        pytest.param({"reason": "a\u202eb"}, "reason", id="turns-the-text-around"),
        pytest.param({"reason": "\ud800"}, "reason", id="half-a-character-in-a-reason"),
        pytest.param({"owner": None}, "owner", id="null"),
        pytest.param({"owner": ["x"]}, "owner", id="list-for-text"),
        pytest.param({"ticket": 42}, "ticket", id="number-for-text"),
        pytest.param({"ticket": "\x07"}, "ticket", id="bell"),
        pytest.param({"state": "approved"}, "state", id="unknown-field-that-would-approve"),
        pytest.param({"\x00\ud800": 1}, "body", id="unknown-field-without-a-name"),
        pytest.param({"approved_by": "boss"}, "approved_by", id="unknown-field"),
    ],
)
def test_a_field_that_is_wrong_is_named(shared_office: Office, change: dict[str, Any], said: str) -> None:
    content = json.dumps({**GOOD, **change}).encode()
    answer = shared_office.ask("POST", EXCEPTIONS, content=content, headers={"Content-Type": "application/json"})
    assert said in invalid(answer)


@pytest.mark.parametrize("field", ["sites", "sources", "service", "starts", "ends", "reason", "owner"])
def test_a_field_that_is_missing_is_named(shared_office: Office, field: str) -> None:
    body = {key: value for key, value in GOOD.items() if key != field}
    assert f"body.{field}" in invalid(shared_office.ask("POST", EXCEPTIONS, json=body))


def test_a_wrong_field_says_so_once_and_in_plain_words(shared_office: Office) -> None:
    body = refusal(shared_office.ask("POST", EXCEPTIONS, json={**GOOD, "sources": ["10.20"]}), 422)
    assert [e["place"] for e in body["errors"]] == ["body.sources.0"]
    assert "Value error" not in body["detail"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"sites": "berlin"}, "body.sites: expected a list", id="text-for-a-list"),
        pytest.param({"sites": []}, "body.sites: 1 at least", id="empty-list"),
        pytest.param({"sources": ["10.20.0.7"] * 257}, "body.sources: 256 at most", id="long-list"),
        pytest.param({"sites": ["Berlin!"]}, "body.sites.0: expected a name: lower-case letters", id="no-name"),
        pytest.param({"colour": "red"}, "body.colour: there is no such field", id="unknown-field"),
    ],
)
def test_what_is_wrong_is_told_in_words_of_the_api_not_of_python(
    shared_office: Office, change: dict[str, Any], said: str
) -> None:
    told = invalid(shared_office.ask("POST", EXCEPTIONS, json={**GOOD, **change}))
    assert said in told
    assert not re.search("tuple|dictionary|pattern|Extra inputs", told, re.IGNORECASE)


def test_an_id_of_another_form_is_told_by_an_example(shared_office: Office) -> None:
    assert "expected an id, as" in invalid(shared_office.ask("GET", f"{EXCEPTIONS}/4711"))


def test_a_plus_in_an_address_is_a_space_and_that_is_said(shared_office: Office) -> None:
    assert "%2B" in invalid(shared_office.ask("GET", "/api/v1/events?since=2026-11-27T00:00:00+01:00"))


@pytest.mark.parametrize("path", ["/exceptions", "/check", "/sites/berlin/calendar", "/audit/verify"])
def test_a_parameter_that_a_route_does_not_know_is_refused(shared_office: Office, path: str) -> None:
    """A filter with a typing error would answer everything."""
    told = invalid(shared_office.ask("GET", f"/api/v1{path}?stat=requested"))
    assert "query.stat: there is no such parameter" in told


def test_what_was_sent_in_a_wrong_field_is_not_told_again(shared_office: Office) -> None:
    """It may be a secret in the wrong field, and answers end up in logs of others."""
    secret = "hunter2-hunter2"
    changes: list[dict[str, Any]] = [
        {"starts": secret},
        {"sources": [secret]},
        {"service": secret.upper()},
        {"sites": [secret + "!"]},
    ]
    for change in changes:
        assert secret not in shared_office.ask("POST", EXCEPTIONS, json={**GOOD, **change}).text.lower()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/api/v1/plans", {}, id="nothing-chosen"),
        pytest.param("/api/v1/plans", {"all": False}, id="not-all"),
        pytest.param("/api/v1/plans", {"all": True, "sites": ["berlin"]}, id="all-and-some"),
        pytest.param("/api/v1/plans", {"all": "yes"}, id="word-for-a-truth"),
        pytest.param("/api/v1/plans", {"all": 1}, id="number-for-a-truth"),
        pytest.param("/api/v1/plans", {"site": "berlin"}, id="typing-error-is-not-the-whole-fleet"),
        pytest.param("/api/v1/plans", {"devices": ["fw; rm -rf"]}, id="command-for-a-name"),
        pytest.param("/api/v1/drift", {}, id="drift-of-nothing"),
        pytest.param("/api/v1/runs", {"sites": ["berlin"]}, id="run-of-no-kind"),
        pytest.param("/api/v1/runs", {"kind": "format", "sites": ["berlin"]}, id="unknown-kind"),
        pytest.param("/api/v1/runs", {"kind": ["sync"], "sites": ["berlin"]}, id="list-for-a-kind"),
        pytest.param("/api/v1/runs", {"kind": "apply", "plans": []}, id="no-plan"),
        pytest.param("/api/v1/runs", {"kind": "apply", "plans": ["../x"]}, id="path-for-a-plan"),
        pytest.param("/api/v1/runs", {"kind": "apply", "plans": [ULID], "all": True}, id="apply-takes-no-devices"),
        pytest.param("/api/v1/runs", {"kind": "sync", "all": True, "force": True}, id="force-without-a-reason"),
        pytest.param("/api/v1/runs", {"kind": "sync", "all": True, "force": "true", "reason": "x"}, id="force-as-text"),
        pytest.param("/api/v1/runs", {"kind": "sync", "all": True, "reason": "a\rb"}, id="carriage-return"),
        pytest.param("/api/v1/tokens", {"name": "x", "scopes": [], "days": 1}, id="no-scope"),
        pytest.param("/api/v1/tokens", {"name": "x", "scopes": ["root"], "days": 1}, id="unknown-scope"),
        pytest.param("/api/v1/tokens", {"name": "x", "scopes": ["read"], "days": 0}, id="no-day"),
        pytest.param("/api/v1/tokens", {"name": "x", "scopes": ["read"], "days": 367}, id="too-many-days"),
        pytest.param("/api/v1/tokens", {"name": "x", "scopes": ["read"], "days": 10**30}, id="giant-number"),
        pytest.param("/api/v1/tokens", {"name": "x", "scopes": ["read"], "days": 1.5}, id="half-a-day"),
        pytest.param("/api/v1/tokens", {"name": "x", "scopes": ["read"], "days": "7"}, id="days-as-text"),
        pytest.param("/api/v1/tokens", {"name": "x", "scopes": ["read"], "days": True}, id="days-as-truth"),
        pytest.param("/api/v1/tokens", {"name": "x\x00", "scopes": ["read"], "days": 1}, id="nul-in-name"),
        pytest.param("/api/v1/tokens", {"name": "", "scopes": ["read"], "days": 1}, id="no-name"),
        pytest.param(f"{EXCEPTIONS}/{ULID}/deny", {}, id="deny-without-a-reason"),
        pytest.param(f"{EXCEPTIONS}/{ULID}/revoke", {"reason": " "}, id="revoke-for-a-blank-reason"),
    ],
)
def test_other_requests_are_held_to_their_form(shared_office: Office, path: str, body: dict[str, Any]) -> None:
    invalid(shared_office.ask("POST", path, json=body))


# --- things that are not there --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("GET", "/api/v1/sites/nowhere", None, id="site"),
        pytest.param("GET", "/api/v1/devices/nowhere", None, id="device"),
        pytest.param("GET", "/api/v1/devices?site=nowhere", None, id="devices-of-a-site"),
        pytest.param("GET", "/api/v1/drift?site=nowhere", None, id="drift-of-a-site"),
        pytest.param("POST", "/api/v1/devices/nowhere/doctor", None, id="doctor"),
        pytest.param("GET", "/api/v1/reports/sites/nowhere", None, id="report"),
        pytest.param("GET", f"/api/v1/runs/{ULID}", None, id="run"),
        pytest.param("GET", f"/api/v1/plans/{ULID}", None, id="plan"),
        pytest.param("GET", f"{EXCEPTIONS}/{ULID}", None, id="exception"),
        pytest.param("POST", f"{EXCEPTIONS}/{ULID}/approve", None, id="approve"),
        pytest.param("POST", f"{EXCEPTIONS}/{ULID}/deny", {"reason": "x"}, id="deny"),
        pytest.param("POST", f"{EXCEPTIONS}/{ULID}/revoke", {"reason": "x"}, id="revoke"),
        pytest.param("POST", EXCEPTIONS, {**GOOD, "sites": ["nowhere"]}, id="exception-at-an-unknown-site"),
        pytest.param("POST", f"{EXCEPTIONS}/preview", {**GOOD, "sites": ["berlin", "nowhere"]}, id="preview"),
        pytest.param("POST", "/api/v1/plans", {"sites": ["nowhere"]}, id="plan-of-a-site"),
        pytest.param("POST", "/api/v1/drift", {"devices": ["nowhere"]}, id="drift"),
        pytest.param("POST", "/api/v1/runs", {"kind": "sync", "devices": ["fw-berlin", "nowhere"]}, id="sync"),
        pytest.param("POST", "/api/v1/runs", {"kind": "apply", "plans": [ULID]}, id="apply"),
        pytest.param("DELETE", f"/api/v1/tokens/{ULID}", None, id="token"),
        pytest.param("GET", "/api/v1/snapshots/abcdef012345", None, id="snapshot"),
        pytest.param("GET", "/api/v1/snapshots/abcdef012345/diff/abcdef", None, id="difference"),
        pytest.param("GET", "/api/v1/nothing", None, id="path"),
        pytest.param("GET", "/api/v1/sites/", None, id="trailing-slash"),
        pytest.param("GET", "/api/v2/sites", None, id="another-version"),
        pytest.param("GET", "/nothing", None, id="no-page"),
    ],
)
def test_what_is_not_there_is_404(shared_office: Office, method: str, path: str, body: Any) -> None:
    assert refusal(shared_office.ask(method, path, json=body), 404)["code"] in ("TG5001", "TG2003", "TG8001")


def test_a_typing_error_is_answered_with_what_may_be_meant(shared_office: Office) -> None:
    assert "berlin" in refusal(shared_office.ask("GET", "/api/v1/sites/berlni"), 404)["detail"]
    assert "fw-austin" in refusal(shared_office.ask("GET", "/api/v1/devices/fw-autsin"), 404)["detail"]


HOSTILE_IDS = (
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f",
    "..\\..\\windows",
    "%00",
    "a%0ab",
    "a%0d%0aSet-Cookie:%20x",
    "%ff%fe",
    "'%20OR%201=1%20--",
    "%25n%25n%25s",
    "${jndi:ldap:x}",
    "<script>",
    "a" * 5_000,
    "-1",
    "0",
    "null",
    "💥",
    "01HZZZZZZZZZZZZZZZZZZZZZZ!",
)


@pytest.mark.parametrize("hostile", HOSTILE_IDS, ids=lambda text: text[:20])
def test_an_id_that_is_none_is_refused_at_every_route_that_takes_one(shared_office: Office, hostile: str) -> None:
    taken = 0
    for method, path, _ in reference.operations(shared_office.app.openapi()):
        if "{" in path:
            taken += 1
            filled = path.replace("{old}", "abcdef")
            url = filled.replace("{id}", hostile).replace("{name}", hostile).replace("{new}", hostile)
            body = {"reason": "x"} if path.endswith(("deny", "revoke")) else None
            refusal(shared_office.ask(method.upper(), url, json=body), 404, 405, 422)
    assert taken > 10


def test_a_method_that_is_not_served_names_those_that_are(shared_office: Office) -> None:
    answer = shared_office.ask("PATCH", "/api/v1/sites")
    refused = refusal(answer, 405)
    assert refused["code"] == "TG8002"
    assert "inventory file" in refused["hint"]
    assert answer.headers["allow"] == "GET"
    assert shared_office.ask("DELETE", EXCEPTIONS).headers["allow"] == "GET, POST"
    assert shared_office.ask("POST", "/api/v1/people/anna").headers["allow"] == "GET, PATCH"
    for method in ("PUT", "TRACE", "OPTIONS", "PROPFIND", "GARBAGE"):
        refusal(shared_office.ask(method, f"{EXCEPTIONS}/{ULID}"), 405)


# --- questions ------------------------------------------------------------------------------------------------------


def made_cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


LISTS = [
    "/api/v1/proofs",
    "/api/v1/proofs/results",
    "/api/v1/sites",
    "/api/v1/policies",
    "/api/v1/devices",
    "/api/v1/snapshots",
    "/api/v1/sources",
    "/api/v1/intel/history",
    "/api/v1/intel/show",
    "/api/v1/intel/show/dropped",
    "/api/v1/intel/show/indicators",
    "/api/v1/intel/sources",
    "/api/v1/runs",
    "/api/v1/drift",
    "/api/v1/feeds",
    "/api/v1/feed-groups",
    EXCEPTIONS,
    "/api/v1/emergencies",
    "/api/v1/events",
    "/api/v1/episodes",
    "/api/v1/events/alerts",
    "/api/v1/tokens",
    "/api/v1/people",
    "/api/v1/sessions",
    "/api/v1/audit",
    "/api/v1/retention",
    "/api/v1/webhooks",
    "/api/v1/exports",
    "/api/v1/calendars",
    "/api/v1/events/cuts",
    "/api/v1/evidence/quarantine",
    "/api/v1/reports/scheduled",
    "/api/v1/unmaskings",
    "/api/v1/me/tokens",
    "/api/v1/me/sessions",
]
LISTS_OF_ONE = {"/api/v1/webhooks/{name}/deliveries", "/api/v1/exceptions/{id}/history"}


def test_the_lists_are_all_lists(shared_office: Office) -> None:
    operations = reference.operations(shared_office.app.openapi())
    assert {*LISTS, *LISTS_OF_ONE} == {
        path for _, path, op in operations if any(p["name"] == "cursor" for p in op.get("parameters", ()))
    }


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("!!!", id="no-base64"),
        pytest.param("=", id="padding"),
        pytest.param("é", id="not-ascii"),
        pytest.param("\x00", id="nul"),
        pytest.param("a" * 501, id="endless"),
        pytest.param("____", id="no-text"),
        pytest.param(made_cursor("\x00"), id="hidden-nul"),
        pytest.param(made_cursor("'; drop table events --"), id="hidden-sql"),
        pytest.param(made_cursor("9" * 200), id="hidden-number"),
        pytest.param(made_cursor("-5:../x"), id="hidden-path"),
        pytest.param(made_cursor("999999999999999999:01hzzzz"), id="beyond-all-time"),
        pytest.param("", id="empty"),
        pytest.param(made_cursor("sites:"), id="no-key"),
        pytest.param(made_cursor("secrets:berlin"), id="list-that-is-none"),
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(shared_office: Office, path: str, cursor: str) -> None:
    assert "cursor" in invalid(shared_office.ask("GET", path, params={"cursor": cursor}))


def test_a_cursor_of_another_list_is_refused(shared_office: Office) -> None:
    """Taken for ours it would skip what comes before it, and nobody would know."""
    cursor = shared_office.get("/sites?limit=1")["next_cursor"]
    assert shared_office.get("/sites", params={"cursor": cursor})["items"]
    for path in set(LISTS) - {"/api/v1/sites"}:
        assert "cursor" in invalid(shared_office.ask("GET", path, params={"cursor": cursor}))


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", ["0", "501", "abc", "9" * 400])
def test_a_limit_that_is_none_is_refused(shared_office: Office, path: str, limit: str) -> None:
    assert "query.limit" in invalid(shared_office.ask("GET", path, params={"limit": limit}))


@pytest.mark.parametrize(
    ("path", "question"),
    [
        pytest.param("/api/v1/events", {"since": "2026-11-25T12:00:00"}, id="naive"),
        pytest.param("/api/v1/events", {"since": "2026-11-25T12:00:00 01:00"}, id="plus-not-escaped"),
        pytest.param("/api/v1/events", {"until": "24h"}, id="span"),
        pytest.param("/api/v1/events", {"until": "9999-12-31T23:59:59Z"}, id="after-time"),
        pytest.param("/api/v1/events", {"since": stamp(0), "until": stamp(-1)}, id="reversed"),
        pytest.param("/api/v1/events", {"since": stamp(0), "until": stamp(0)}, id="no-time"),
        pytest.param("/api/v1/events", {"site": "Ber lin"}, id="site-is-no-name"),
        pytest.param("/api/v1/events", {"device": "\x00"}, id="nul"),
        pytest.param("/api/v1/events", {"action": "allowed"}, id="unknown-action"),
        pytest.param("/api/v1/events", {"exception": "x"}, id="exception-is-no-id"),
        pytest.param("/api/v1/episodes", {"source": "10.20.3.x"}, id="no-address"),
        pytest.param("/api/v1/episodes", {"kind": "uses"}, id="unknown-kind"),
        pytest.param("/api/v1/episodes", {"confidence": "101"}, id="more-than-sure"),
        pytest.param("/api/v1/episodes", {"since": stamp(0), "until": stamp(-1)}, id="episodes-reversed"),
        pytest.param(EXCEPTIONS, {"state": "open"}, id="unknown-state"),
        pytest.param(EXCEPTIONS, {"live": "maybe"}, id="neither-true-nor-false"),
        pytest.param("/api/v1/runs", {"site": "-"}, id="hyphen"),
        pytest.param("/api/v1/devices", {"site": "a" * 41}, id="long-name"),
        pytest.param("/api/v1/snapshots/current", {"indicators": "7"}, id="number-for-a-truth"),
        pytest.param("/api/v1/reports/sites/berlin", {"format": "docx"}, id="unknown-format"),
        pytest.param("/api/v1/reports/sites/berlin", {"format": ""}, id="no-format"),
        pytest.param("/api/v1/reports/sites/berlin", {"from": stamp(0), "to": stamp(-1)}, id="report-reversed"),
        pytest.param("/api/v1/reports/sites/berlin", {"from": stamp(0), "to": stamp(0)}, id="report-of-no-time"),
        pytest.param("/api/v1/reports/sites/berlin", {"from": "2026-11-25T12:00:00"}, id="report-naive"),
        pytest.param("/api/v1/reports/sites/berlin", {"from": "2000-01-01T00:00:00Z"}, id="report-of-decades"),
        pytest.param("/api/v1/reports/fleet", {"to": "now"}, id="word"),
        pytest.param("/api/v1/reports/fleet", {"from": stamp(1)}, id="begins-after-now"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(shared_office: Office, path: str, question: dict[str, str]) -> None:
    answer = shared_office.ask("GET", path, params=question)
    assert any(name in invalid(answer) for name in question)


@pytest.mark.parametrize(
    ("question", "passed"),
    [
        pytest.param({"to": "2000-01-01T00:00:00Z"}, 7 * 86400, id="the-first-second"),
        pytest.param({"from": "2999-11-30T00:00:00Z", "to": "2999-12-31T23:59:59Z"}, 0, id="the-last"),
        pytest.param({"from": stamp(1), "to": stamp(2)}, 0, id="later-today"),
        pytest.param({"from": stamp(-1), "to": stamp(1)}, 3600, id="half-of-it-passed"),
        pytest.param({"from": stamp(-24 * 400), "to": stamp(0)}, 400 * 86400, id="the-longest"),
        pytest.param({"from": "2026-11-25T10:59:59.999999999Z", "to": stamp(0)}, 0, id="nanoseconds"),
    ],
)
@pytest.mark.parametrize("form", ["json", "html", "csv"])
def test_a_report_of_an_odd_time_is_a_report(
    shared_office: Office, question: dict[str, str], passed: float, form: str
) -> None:
    """Nothing is known of what has passed of it, and it says so; nothing is said of what has not."""
    answer = shared_office.ask("GET", "/api/v1/reports/sites/berlin", params={**question, "format": form})
    assert answer.status_code == 200, answer.text
    if form == "json":
        coverage = answer.json()["coverage"]
        assert coverage["unknown_seconds"] == sum(coverage.values())
        assert coverage["unknown_seconds"] == pytest.approx(passed, abs=0.001)


@pytest.mark.parametrize(
    "key", ["", " ", "a b", "a\tb", "k" * 129, "schlüssel".encode("latin-1"), b"\x7f", b"\x01"], ids=repr
)
def test_an_idempotency_key_is_short_and_printable(shared_office: Office, key: str | bytes) -> None:
    name = "Idempotency-Key" if isinstance(key, str) else b"Idempotency-Key"
    answer = shared_office.ask("POST", EXCEPTIONS, json=GOOD, headers={name: key})
    assert "idempotency-key" in invalid(answer).lower()
    assert shared_office.get("/exceptions")["items"] == []


@pytest.mark.parametrize("accept", ["application/xml", "image/*", "*/*;q=0", ";;;", "a" * 1000])
def test_what_a_caller_would_rather_have_changes_nothing(shared_office: Office, accept: str) -> None:
    """The form of an answer is chosen by the path and ``format``; a problem stays a problem."""
    assert shared_office.ask("GET", "/api/v1/sites", headers={"Accept": accept}).json()["items"]
    refusal(shared_office.ask("GET", "/api/v1/sites/nowhere", headers={"Accept": accept}), 404)


# --- anything at all ------------------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=5,
)
CHANGES = st.dictionaries(st.sampled_from(sorted(GOOD)), ANYTHING, min_size=1, max_size=3)


@settings(max_examples=15)
@given(change=CHANGES)
def test_whatever_a_field_holds_there_is_no_failure_of_ours(shared_office: Office, change: dict[str, Any]) -> None:
    content = json.dumps({**GOOD, **change}).encode()
    answer = shared_office.ask(
        "POST", f"{EXCEPTIONS}/preview", content=content, headers={"Content-Type": "application/json"}
    )
    if answer.status_code != 200:
        refusal(answer, 400, 404, 422)


@settings(max_examples=20)
@given(text=st.text(max_size=30))
def test_whatever_a_path_and_a_question_hold_there_is_no_failure_of_ours(shared_office: Office, text: str) -> None:
    part = quote(text, safe="", errors="replace")
    for url in (f"/api/v1/sites/{part}", f"/api/v1/snapshots/{part}", f"/api/v1/events?cursor={part}&site={part}"):
        answer = shared_office.ask("GET", url)
        if answer.status_code != 200:
            refusal(answer, 404, 422)


def test_after_all_this_nothing_was_recorded_and_the_process_is_ready(shared_office: Office) -> None:
    """Runs last in this module: the shared store still is as it was."""
    assert shared_office.get("/exceptions")["items"] == []
    assert shared_office.get("/runs")["items"] == []
    assert {t["name"] for t in shared_office.get("/tokens")["items"]} == shared_office.tokens.keys()
    assert shared_office.get("/audit/verify") == {"intact": True, "breaks": []}
    assert shared_office.ask("GET", "/readyz", token=None).status_code == 200
    assert isinstance(shared_office.clock.now(), datetime)
