"""The life of an exception over REST: previewed, requested once however often it is sent, decided by another, ended."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from controller.model import Scope
from tests.api.conftest import Office

EXCEPTIONS = "/api/v1/exceptions"


def wish(office: Office, **changes: Any) -> dict[str, Any]:
    """A request for two hours from now."""
    now = office.clock.now()
    return {
        "sites": ["berlin"],
        "sources": ["10.20.0.7"],
        "service": "tiktok",
        "starts": now.isoformat(),
        "ends": (now + timedelta(hours=2)).isoformat(),
        "reason": "spring campaign goes live",
        "owner": "marketing@example.org",
        "ticket": "MKT-42",
        **changes,
    }


def requested(office: Office, *, token: str = "helpdesk", **changes: Any) -> str:
    """The path of a fresh exception."""
    answer = office.ask("POST", EXCEPTIONS, token=token, json=wish(office, **changes))
    assert answer.status_code == 201, answer.text
    where: str = answer.headers["location"]
    return where


def shown(office: Office, where: str) -> dict[str, Any]:
    found: dict[str, Any] = office.ask("GET", where, token="helpdesk").json()
    return found


def decide(office: Office, where: str, what: str, *, token: str = "lead", reason: str | None = None) -> Any:
    return office.ask("POST", f"{where}/{what}", token=token, json={"reason": reason} if reason else None)


# --- preview and request --------------------------------------------------------------------------------------------


def test_a_preview_says_what_would_open_and_records_nothing(office: Office) -> None:
    body = wish(office, sources=["10.20.0.7", "10.20.9.4"])
    found = office.ask("POST", f"{EXCEPTIONS}/preview", token="helpdesk", json=body).json()
    assert [(line["source"], line["role"], line["mode"]) for line in found["opens"]] == [
        ("10.20.0.7/32", "company", "enforce"),
        ("10.20.9.4/32", "guest", "off"),
    ]
    assert "10.20.0.7/32" in found["sentence"]
    assert any("guest" in line and "off" in line for line in found["conflicts"])
    assert office.get("/exceptions")["items"] == []
    assert "exception.request" not in {e["action"] for e in office.get("/audit")["items"]}


def test_a_preview_names_the_exception_that_stands_there_already(office: Office) -> None:
    where = requested(office)
    decide(office, where, "approve")
    found = office.ask("POST", f"{EXCEPTIONS}/preview", token="helpdesk", json=wish(office)).json()
    assert where.rsplit("/", 1)[1] in found["conflicts"][0]


def test_a_request_is_recorded_as_it_was_meant_and_opens_nothing(office: Office) -> None:
    wished = wish(office, sources=[" 10.20.0.7 ", "10.20.0.6/32", "2a01:db9:20::7"], reason="  campaign  ")
    answer = office.ask("POST", EXCEPTIONS, token="helpdesk", json=wished)
    found = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{EXCEPTIONS}/{found['id']}"
    assert found["sources"] == ["10.20.0.6/31", "2a01:db9:20::7/128"]
    assert found["reason"] == "campaign"
    assert (found["state"], found["live"], found["live_on"]) == ("requested", False, [])
    assert (found["requested_by"], found["decided_by"]) == ("token:helpdesk", None)
    assert found["starts"] == "2026-11-25T11:00:00Z"
    assert shown(office, answer.headers["location"]) == found
    assert office.get("/runs")["items"] == [], "nothing was sent to a device"


def test_times_of_any_zone_are_the_same_moment(shared_office: Office) -> None:
    where = requested(shared_office, starts="2026-11-25T12:00:00+01:00", ends="2026-11-25T08:00:00.5-05:00")
    assert shown(shared_office, where)["starts"] == "2026-11-25T11:00:00Z"
    assert shown(shared_office, where)["ends"] == "2026-11-25T13:00:00.500000Z"


# --- once ------------------------------------------------------------------------------------------------------------


def repeat(office: Office, key: str, *, token: str = "helpdesk", **changes: Any) -> Any:
    return office.ask("POST", EXCEPTIONS, token=token, json=wish(office, **changes), headers={"Idempotency-Key": key})


def test_the_same_key_with_the_same_request_is_one_request(office: Office) -> None:
    first, again = repeat(office, "MKT-42"), repeat(office, "MKT-42")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert len(office.get("/exceptions")["items"]) == 1


def test_a_repeated_answer_is_the_first_one_and_its_address_tells_the_state_of_now(office: Office) -> None:
    where = repeat(office, "k").headers["location"]
    body = wish(office)
    decide(office, where, "deny", reason="not today")
    office.clock.advance(timedelta(minutes=1))
    again = office.ask("POST", EXCEPTIONS, token="helpdesk", json=body, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["state"]) == (201, "requested")
    assert shown(office, again.headers["location"])["state"] == "denied"


def test_the_same_key_with_another_request_is_a_conflict(office: Office) -> None:
    repeat(office, "MKT-42")
    other = repeat(office, "MKT-42", sources=["10.20.0.8"])
    assert (other.status_code, other.json()["code"]) == (409, "TG5002")
    assert len(office.get("/exceptions")["items"]) == 1


def test_keys_are_each_tokens_own(shared_office: Office) -> None:
    mine, theirs = repeat(shared_office, "own"), repeat(shared_office, "own", token="request")
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]


def test_a_refused_request_leaves_its_key_free(shared_office: Office) -> None:
    assert repeat(shared_office, "free", sites=["nowhere"]).status_code == 404
    assert repeat(shared_office, "free").status_code == 201


def test_a_key_is_forgotten_after_a_day_and_not_before(office: Office) -> None:
    times = {"starts": "2026-11-27T12:00:00Z", "ends": "2026-11-27T13:00:00Z"}
    repeat(office, "k", **times)
    office.clock.advance(timedelta(hours=24))
    assert "idempotent-replayed" in repeat(office, "k", **times).headers
    office.clock.advance(timedelta(seconds=1))
    assert "idempotent-replayed" not in repeat(office, "k", **times).headers


def test_without_a_key_two_requests_are_two(shared_office: Office) -> None:
    assert requested(shared_office) != requested(shared_office)


def test_many_at_once_with_one_key_make_one(office: Office) -> None:
    headers = {"Authorization": f"Bearer {office.tokens['helpdesk']}", "Idempotency-Key": "k"}

    async def all_at_once() -> list[Any]:
        body = wish(office)
        return await asyncio.gather(*(office.client.post(EXCEPTIONS, json=body, headers=headers) for _ in range(12)))

    answers = office.runner.run(all_at_once())
    assert [a.status_code for a in answers] == [201] * 12
    assert len({a.json()["id"] for a in answers}) == 1
    assert len(office.get("/exceptions")["items"]) == 1


# --- decisions --------------------------------------------------------------------------------------------------------


def test_approved_it_is_live_inside_its_time_and_not_a_second_longer(office: Office) -> None:
    starts = office.clock.now() + timedelta(hours=1)
    where = requested(office, starts=starts.isoformat(), ends=(starts + timedelta(hours=1)).isoformat())
    found = decide(office, where, "approve").json()
    assert (found["state"], found["live"], found["decided_by"]) == ("approved", False, "token:lead")
    assert office.get("/exceptions?live=true")["items"] == []
    office.clock.advance(timedelta(hours=1))
    assert shown(office, where)["live"] is True
    assert len(office.get("/exceptions?live=true")["items"]) == 1
    office.clock.advance(timedelta(minutes=59, seconds=59))
    assert shown(office, where)["live"] is True
    office.clock.advance(timedelta(seconds=1))
    assert shown(office, where)["live"] is False
    office.controller.exceptions.end_due()
    assert shown(office, where)["state"] == "ended"


def test_a_decision_that_changes_something_now_starts_a_run_on_its_devices(office: Office) -> None:
    where = requested(office)
    decide(office, where, "approve")
    run = office.get("/runs")["items"][0]
    assert run["trigger"] == f"exception:{where.rsplit('/', 1)[1]}"
    assert [d["device"] for d in run["devices"]] == ["fw-berlin"]
    assert shown(office, where)["live_on"] == [], "its device does not answer, and nobody says that it is there"


@pytest.mark.parametrize(
    ("done", "then", "allowed"),
    [
        ([], "approve", True),
        ([], "deny", True),
        ([], "revoke", True),
        (["approve"], "approve", False),
        (["approve"], "deny", False),
        (["approve"], "revoke", True),
        (["deny"], "approve", False),
        (["deny"], "deny", False),
        (["deny"], "revoke", False),
        (["revoke"], "approve", False),
        (["approve", "revoke"], "approve", False),
        (["approve", "revoke"], "revoke", False),
    ],
    ids=lambda value: "-".join(value) or "new" if isinstance(value, list) else str(value),
)
def test_which_decision_may_follow_which(shared_office: Office, done: list[str], then: str, allowed: bool) -> None:
    where = requested(shared_office)
    for what in done:
        assert decide(shared_office, where, what, reason="because").status_code == 200
    before = shown(shared_office, where)
    answer = decide(shared_office, where, then, reason="because")
    if allowed:
        assert answer.status_code == 200
        assert answer.json()["state"] == {"approve": "approved", "deny": "denied", "revoke": "revoked"}[then]
        assert answer.json()["live"] is (then == "approve")
    else:
        assert (answer.status_code, answer.json()["code"]) == (409, "TG5002")
        assert shown(shared_office, where) == before


def test_what_is_over_can_neither_be_approved_nor_revoked(office: Office) -> None:
    asked, live = requested(office), requested(office)
    decide(office, live, "approve")
    office.clock.advance(timedelta(hours=2))
    assert decide(office, asked, "approve").status_code == 409
    assert decide(office, live, "revoke", reason="late").status_code == 409


def test_a_help_desk_revokes_what_it_asked_for_itself_and_nothing_else(shared_office: Office) -> None:
    own, other = requested(shared_office), requested(shared_office, token="request")
    for where in (own, other):
        decide(shared_office, where, "approve")
    assert decide(shared_office, own, "revoke", token="helpdesk", reason="over").json()["state"] == "revoked"
    refused = decide(shared_office, other, "revoke", token="helpdesk", reason="over")
    assert (refused.status_code, refused.json()["code"]) == (403, "TG6002")
    assert decide(shared_office, other, "revoke", reason="over").json()["state"] == "revoked"


def test_two_who_decide_at_once_do_not_both_win(shared_office: Office) -> None:
    where = requested(shared_office)
    shared_office.add_token("second", Scope.READ, Scope.APPROVE)

    async def both() -> list[Any]:
        sent = [
            shared_office.client.post(
                f"{where}/{what}",
                json={"reason": "x"},
                headers={"Authorization": f"Bearer {shared_office.tokens[who]}"},
            )
            for who, what in (("lead", "approve"), ("second", "deny"), ("lead", "approve"), ("second", "deny"))
        ]
        return await asyncio.gather(*sent)

    answers = shared_office.runner.run(both())
    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409]
    first = next(a.json() for a in answers if a.status_code == 200)
    known = f"{first['state']} (by {first['decided_by']})"
    assert all(known in a.json()["detail"] for a in answers if a.status_code == 409), "who was first"
    notes = [e["action"] for e in shared_office.get("/audit")["items"] if e["subject"] == where.rsplit("/", 1)[1]]
    assert len(notes) == 2, "the request, and one decision"


def test_every_step_stands_in_the_audit_log_with_who_and_why(shared_office: Office) -> None:
    where = requested(shared_office)
    decide(shared_office, where, "approve")
    decide(shared_office, where, "revoke", token="helpdesk", reason="the campaign is over")
    entries = [e for e in shared_office.get("/audit")["items"] if e["subject"] == where.rsplit("/", 1)[1]]
    assert [(e["actor"], e["action"], e["reason"]) for e in reversed(entries)] == [
        ("token:helpdesk", "exception.request", "spring campaign goes live"),
        ("token:lead", "exception.approve", ""),
        ("token:helpdesk", "exception.revoke", "the campaign is over"),
    ]
    assert shared_office.get("/audit/verify") == {"intact": True, "breaks": []}


# --- lists ------------------------------------------------------------------------------------------------------------


def test_lists_are_filtered_by_state_site_and_whether_it_is_in_force(office: Office) -> None:
    later = (office.clock.now() + timedelta(hours=1)).isoformat()
    waiting = requested(office)
    live = requested(office)
    planned = requested(office, starts=later)
    austin = requested(office, sites=["austin"], sources=["10.30.0.7"])
    denied = requested(office)
    for where in (live, planned, austin):
        decide(office, where, "approve")
    decide(office, denied, "deny", reason="no")

    def found(query: str) -> list[str]:
        return [f"{EXCEPTIONS}/{e['id']}" for e in office.get(f"/exceptions?{query}")["items"]]

    everything = [denied, austin, planned, live, waiting]
    assert found("") == everything, "the newest first"
    assert found("state=requested") == [waiting]
    assert found("state=approved") == [austin, planned, live]
    assert found("state=denied") == [denied]
    assert found("live=true") == [austin, live]
    assert found("live=false") == [denied, planned, waiting]
    assert found("site=austin") == [austin]
    assert found("site=berlin&live=true") == [live]
    assert found("site=somewhere-of-old") == []


def test_an_exception_is_found_by_its_id_in_either_case(shared_office: Office) -> None:
    where = requested(shared_office)
    assert shown(shared_office, where.upper().replace(EXCEPTIONS.upper(), EXCEPTIONS)) == shown(shared_office, where)


# --- a whole life -----------------------------------------------------------------------------------------------------


def test_a_draft_asks_nobody_until_its_author_hands_it_in(office: Office) -> None:
    where = requested(office, draft=True)
    assert shown(office, where)["state"] == "draft"
    assert decide(office, where, "approve").status_code == 409
    assert decide(office, where, "submit", token="admin").status_code == 403
    assert decide(office, where, "submit", token="helpdesk").json()["state"] == "requested"
    assert decide(office, where, "approve").json()["state"] == "approved"


def test_an_approval_is_of_what_was_seen(office: Office) -> None:
    where = requested(office)
    seen = office.ask("GET", f"{where}/preview", token="helpdesk").json()["digest"]
    other = requested(office)
    decide(office, other, "approve")
    stale = office.ask("POST", f"{where}/approve", token="lead", json={"preview": seen})
    assert (stale.status_code, stale.json()["code"]) == (409, "TG5002")
    assert "something else by now" in stale.json()["detail"]
    fresh = office.ask("GET", f"{where}/preview", token="helpdesk").json()
    assert "already covered by exception" in fresh["conflicts"][0]
    approved = office.ask("POST", f"{where}/approve", token="lead", json={"preview": fresh["digest"]}).json()
    assert [(a["actor"], a["preview"]) for a in approved["approvals"]] == [("token:lead", fresh["digest"])]


def test_a_renewal_begins_where_the_one_before_ends_and_waits(office: Office) -> None:
    where = requested(office, sources=["role:company"], hours=["weekdays 08:00-12:00"], code="marketing")
    before = decide(office, where, "approve").json()
    ends = (office.clock.now() + timedelta(days=30)).isoformat()
    made = office.ask("POST", f"{where}/renew", token="helpdesk", json={"ends": ends})
    assert made.status_code == 201
    found = made.json()
    assert (found["state"], found["starts"], found["renews"]) == ("requested", before["ends"], before["id"])
    same = ("sources", "roles", "hours", "code", "reason", "owner", "ticket", "service", "sites")
    assert {k: found[k] for k in same} == {k: before[k] for k in same}
    listed = office.ask("GET", f"{made.headers['location']}/history", token="helpdesk").json()["items"]
    assert [e["id"] for e in listed] == [found["id"], before["id"]]


def test_who_gives_the_seats_of_what_has_none_is_told_so(shared_office: Office) -> None:
    refused = shared_office.ask(
        "PUT", f"{requested(shared_office)}/seats", token="helpdesk", json={"sources": ["10.20.0.7"]}
    )
    assert (refused.status_code, "has no seats" in refused.json()["detail"]) == (409, True)


def test_the_lead_of_a_team_gives_its_seats_and_nobody_else(office: Office) -> None:
    where = requested(office, seats=2, lead="token:helpdesk")
    decide(office, where, "approve")
    runs = len(office.get("/runs")["items"])
    wanted = {"sources": ["10.20.0.8", "10.20.0.9"]}
    assert office.ask("PUT", f"{where}/seats", token="helpdesk", json=wanted).json()["sources"] == [
        "10.20.0.8/32",
        "10.20.0.9/32",
    ]
    assert len(office.get("/runs")["items"]) == runs + 1, "its devices are told at once"
    office.add_token("stranger", Scope.REQUEST)
    assert office.ask("PUT", f"{where}/seats", token="stranger", json=wanted).status_code == 403
    assert office.ask("PUT", f"{where}/seats", token="lead", json=wanted).status_code == 200
    crowded = {"sources": ["10.20.0.7", "10.20.0.8", "10.20.0.9"]}
    assert office.ask("PUT", f"{where}/seats", token="helpdesk", json=crowded).status_code == 422


def test_what_nobody_decides_lapses_and_what_ends_is_told_before(office: Office) -> None:
    starts = office.clock.now()
    forgotten = requested(office, ends=(starts + timedelta(days=20)).isoformat())
    kept = requested(office, ends=(starts + timedelta(days=20)).isoformat())
    decide(office, kept, "approve")
    office.clock.advance(timedelta(days=14))
    office.controller.exceptions.end_due()
    assert (shown(office, forgotten)["state"], shown(office, kept)["state"]) == ("lapsed", "approved")
    office.clock.advance(timedelta(days=3))
    office.controller.exceptions.end_due()
    office.controller.exceptions.end_due()
    told = [e["action"] for e in office.get("/audit")["items"] if e["subject"] == kept.rsplit("/", 1)[1]]
    assert told.count("exception.remind") == 1


def test_its_use_is_unknown_until_something_was_counted(office: Office) -> None:
    where = requested(office)
    found = office.ask("GET", f"{where}/use", token="helpdesk").json()
    assert found == {"hits": None, "packets": None, "bytes": None, "last_used_at": None, "uncounted": []}
