"""What is covered, and why, asked of the API and of the command: now, and as it was."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.model import Scope
from controller.store import AuditNote
from ipsets.catalogue import load_catalogue
from ipsets.guard import GuardLimits, default_never_block
from ipsets.model import Provenance
from ipsets.snapshot import build_snapshot
from tests.api.conftest import Office
from tests.controller.offices import NOON

EXPLAIN = "/api/v1/intel/explain"
KEYS = {"query", "kind", "covered", "at", "snapshot", "entries", "decisions", "known", "notes", "extent"}


def explain(office: Office, q: str, **more: str) -> Any:
    answer = office.ask("GET", EXPLAIN, token="read", params={"q": q, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(office: Office, status: int, code: str, **params: str) -> str:
    answer = office.ask("GET", EXPLAIN, params=params)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return str(answer.text)


def test_an_address_that_is_covered_is_told_with_its_sources(shared_office: Office) -> None:
    found = explain(shared_office, "103.136.220.10")
    assert found.keys() == KEYS
    assert (found["query"], found["kind"], found["covered"], found["at"]) == ("103.136.220.10", "address", True, None)
    assert found["entries"] == [{"service": "tiktok", "entry": "103.136.220.0/23"}]
    [known] = found["known"]
    assert known["owner"] == "bytedance"
    assert known["sources"][0].keys() == {"source", "first_seen", "last_seen", "detail"}
    assert [(d["rule"], d["basis"]) for d in found["decisions"]] == [("dedicated", "snapshot")]
    current = shared_office.get("/snapshots/current")
    assert found["snapshot"] == {
        "id": current["id"],
        "created_at": current["created_at"],
        "since": "2026-11-25T11:00:00Z",
        "until": None,
        "pin": None,
    }


def test_a_network_is_told_with_how_much_of_it_is_covered_and_why_the_rest_is_not(shared_office: Office) -> None:
    found = explain(shared_office, "103.136.220.0/22")
    assert (found["query"], found["kind"], found["covered"]) == ("103.136.220.0/22", "network", False)
    extent = found["extent"]
    assert extent.keys() == {"name", "addresses", "covered", "parts", "left_out"}
    assert (extent["name"], extent["addresses"], extent["left_out"]) == ("part", 1024, 0)
    assert extent["covered"] == sum(part["addresses"] for part in extent["parts"] if part["covered"]) >= 512
    first, last = extent["parts"][0], extent["parts"][-1]
    assert first.keys() == {"first", "last", "addresses", "covered", "decisions"}
    assert (first["first"], last["last"]) == ("103.136.220.0", "103.136.223.255")
    assert first["covered"]
    assert first["decisions"][0]["rule"] == "dedicated"
    assert {"service": "tiktok", "entry": "103.136.220.0/23"} in found["entries"]
    never = explain(shared_office, "10.0.0.0/8")["extent"]
    assert [part["decisions"][0]["rule"] for part in never["parts"]] == ["never-block"]
    assert explain(shared_office, "103.136.220.10")["extent"] is None


def test_what_is_not_covered_is_an_answer_too(shared_office: Office) -> None:
    found = explain(shared_office, "WWW.TikTokio.com.")
    assert (found["query"], found["kind"], found["covered"]) == ("www.tiktokio.com", "name", False)
    assert found["entries"] == []
    [decision] = found["decisions"]
    assert decision.keys() == {"rule", "entry", "reason", "basis"}
    assert (decision["rule"], decision["basis"]) == ("lookalike", "rules")


@pytest.mark.parametrize(
    "q", ["http://a.example", "10.0.0.1/8", "010.1.1.1", "a b", "x\x00.com", "‮.com", "*.tiktok.com", "%", "' OR 1=1"]
)
def test_what_is_neither_an_address_nor_a_name_is_refused(shared_office: Office, q: str) -> None:
    refused(shared_office, 422, "TG5007", q=q)


@pytest.mark.parametrize("params", [{}, {"q": ""}, {"q": "a" * 301}, {"q": "1.2.3.4", "at": "24h"}], ids=str)
def test_a_request_that_is_none_names_its_field(shared_office: Office, params: dict[str, str]) -> None:
    answer = shared_office.ask("GET", EXPLAIN, params=params)
    assert answer.status_code == 422
    assert ("at" if "at" in params else "q") in answer.text


def test_it_takes_a_token_that_may_read(shared_office: Office) -> None:
    assert shared_office.ask("GET", EXPLAIN, token=None, params={"q": "1.2.3.4"}).status_code == 401
    assert shared_office.ask("GET", EXPLAIN, token="request", params={"q": "1.2.3.4"}).status_code == 403


# --- then -------------------------------------------------------------------------------------------------------------


def put_in_force_without(office: Office, name: str) -> str:
    """The next snapshot, an hour later, lacks one name."""
    office.clock.advance(timedelta(hours=1))
    store, first = office.controller.store, office.controller.snapshot()
    made = build_snapshot(
        [i for i in first.indicators if not getattr(i.value, "name", "").endswith(name)],
        catalogue=load_catalogue(),
        limits=GuardLimits(),
        never_block=default_never_block(),
        previous=first,
        source_ages={"curated": office.clock.now()},
        now=office.clock.now(),
        force=True,
    )
    store.save_snapshot(made)
    store.set_current(made.id, audit=AuditNote(actor="test", action="snapshot.current", subject=made.id[:12]))
    return made.id


def stamp(minutes: int) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def test_the_past_is_answered_by_the_snapshot_that_was_in_force_then(office: Office) -> None:
    first = office.controller.snapshot().id
    second = put_in_force_without(office, "tiktokcdn.com")
    office.clock.advance(timedelta(hours=1))
    then = explain(office, "v16.tiktokcdn.com", at=stamp(59))
    assert (then["covered"], then["at"]) == (True, stamp(59))
    was = then["snapshot"]
    assert (was["id"], was["since"], was["until"]) == (first, stamp(0), stamp(60))
    for later in ({"at": stamp(60)}, {"at": stamp(90)}, {}):
        now = explain(office, "v16.tiktokcdn.com", **later)
        assert not now["covered"]
        snapshot = now["snapshot"]
        assert (snapshot["id"], snapshot["since"], snapshot["until"]) == (second, stamp(60), None)


def test_one_that_came_back_is_told_by_its_last_term(office: Office) -> None:
    first = office.controller.snapshot().id
    put_in_force_without(office, "tiktokcdn.com")
    office.clock.advance(timedelta(hours=1))
    assert office.controller.refresh_intel(actor="test", force=True).changed
    assert explain(office, "v16.tiktokcdn.com")["snapshot"]["id"] == first
    assert explain(office, "v16.tiktokcdn.com")["snapshot"]["since"] == stamp(120)
    assert not explain(office, "v16.tiktokcdn.com", at=stamp(90))["covered"]
    early = explain(office, "v16.tiktokcdn.com", at=stamp(30))
    assert early["covered"]
    assert not [note for note in early["notes"] if "found again" in note], "in the words of then"
    with sqlite3.connect(office.controller.store.path) as connection:
        connection.execute("DELETE FROM words")
    early = explain(office, "v16.tiktokcdn.com", at=stamp(30))
    assert "as of 2026-11-25T13:00:00Z, when it was found again" in early["notes"][0]


def test_the_past_is_told_in_the_words_of_then(office: Office) -> None:
    """The list stays the same, hour after hour, while its sources say other things of it."""
    first = office.controller.snapshot()
    for hour, words in enumerate(("held by One", "held by Two", "held by Three")):
        word = Provenance(source="list:mine", first_seen=NOON, last_seen=NOON + timedelta(hours=hour), detail=words)
        said = tuple(replace(i, sources=(word,)) for i in first.indicators)
        office.controller.store.save_snapshot(replace(first, indicators=said))
        office.clock.advance(timedelta(hours=1))

    def told(question: str, minutes: int | None) -> Any:
        found = explain(office, question, **({} if minutes is None else {"at": stamp(minutes)}))
        assert found["covered"]
        assert found["snapshot"]["id"] == first.id
        return found["known"][0]["sources"][0]["detail"]

    for question in ("103.136.223.7", "103.136.223.0/24", "www.tiktok.com"):
        assert told(question, 59) == "held by One"
        assert told(question, 60) == told(question, 119) == "held by Two"
        assert told(question, 120) == told(question, None) == "held by Three"


def test_before_the_first_and_after_now_there_is_no_answer(office: Office) -> None:
    said = refused(office, 404, "TG2003", q="1.2.3.4", at=stamp(-1))
    assert "the first was put in force 2026-11-25T11:00:00Z" in said
    assert "future" in refused(office, 422, "TG5007", q="1.2.3.4", at=stamp(1))


def test_one_that_the_retention_dropped_is_said_to_be_gone(office: Office) -> None:
    first = office.controller.snapshot().id
    put_in_force_without(office, "tiktokcdn.com")
    office.clock.advance(timedelta(days=29))
    office.controller.store.housekeeping(retention=timedelta(days=29))
    said = refused(office, 404, "TG2003", q="1.2.3.4", at=stamp(30))
    assert f"snapshot {first[:12]}, in force since 2026-11-25T11:00:00Z, is not kept any more" in said
    assert explain(office, "www.tiktok.com")["covered"]


def test_what_was_put_in_force_without_a_word_is_answered_without_a_date(office: Office) -> None:
    """A store that was changed by other hands: the answer is of what is in force, and claims no term."""
    second = put_in_force_without(office, "tiktokcdn.com")
    first = next(s.id for s in office.controller.snapshots() if s.id != second)
    office.controller.store.set_current(first)
    found = explain(office, "v16.tiktokcdn.com")
    assert (found["covered"], found["snapshot"]["id"], found["snapshot"]["since"]) == (True, first, None)


def test_a_pin_is_shown_by_the_snapshot_the_answer_and_the_metrics(office: Office) -> None:
    assert "tokgate_snapshot_pinned 0.0" in office.ask("GET", "/metrics").text
    assert office.get("/snapshots/current")["pin"] is None
    second = put_in_force_without(office, "tiktokcdn.com")
    pin = office.controller.roll_back(actor="cli:ada", reason="videos are needed today")
    told = {"snapshot": pin.snapshot, "by": "cli:ada", "reason": "videos are needed today", "at": stamp(60)}
    assert office.get("/snapshots/current")["pin"] == told
    assert office.get(f"/snapshots/{second}")["pin"] is None
    assert explain(office, "v16.tiktokcdn.com")["snapshot"]["pin"] == told
    assert "tokgate_snapshot_pinned 1.0" in office.ask("GET", "/metrics").text


def test_networks_that_moved_are_told_between_any_two_snapshots(office: Office) -> None:
    assert office.ask("GET", "/api/v1/intel/drift").status_code == 404, "the first has none before it"
    first = office.controller.snapshot()
    made = build_snapshot(
        [i for i in first.indicators if not any("AS138699" in p.detail for p in i.sources)],
        catalogue=load_catalogue(),
        limits=GuardLimits(),
        never_block=default_never_block(),
        previous=first,
        source_ages={},
        now=office.clock.now(),
        force=True,
    )
    office.controller.store.save_snapshot(made)
    lost = office.get(f"/intel/drift?old={first.id}&new={made.id[:10]}", token="read")["items"]
    assert {(row["kind"], row["asn"]) for row in lost} == {("lost-asn", 138699)}
    assert lost[0].keys() == {"kind", "network", "asn", "source", "origins", "old_holder", "new_holder"}
    assert lost[0]["old_holder"] is lost[0]["new_holder"] is None
    assert office.get(f"/intel/drift?new={first.id}&old={made.id}")["items"][0]["kind"] == "new-asn"
    assert office.ask("GET", "/api/v1/intel/drift?old=xyz").status_code == 422
    assert office.ask("GET", f"/api/v1/intel/drift?old={'0' * 64}").status_code == 404


def test_i14_a_snapshot_is_pinned_and_let_go_over_the_api_by_name(office: Office) -> None:
    office.add_token("night-shift", Scope.OPERATE)
    current = office.get("/snapshots/current")["id"]
    wanted = {"snapshot": current[:12], "reason": "it broke the payroll"}
    for _ in range(2):  # a lost answer may be asked for again
        answer = office.ask("POST", "/api/v1/intel/pin", token="night-shift", json=wanted)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {
            "snapshot": current,
            "by": "token:night-shift",
            "reason": "it broke the payroll",
            "at": "2026-11-25T11:00:00Z",
        }
    assert office.get("/snapshots/current")["pin"] == answer.json()
    assert office.ask("POST", "/api/v1/intel/pin", token="read", json=wanted).status_code == 403
    freed = office.ask("POST", "/api/v1/intel/unpin", token="night-shift", json={"reason": "repaired"})
    assert (freed.status_code, freed.json()) == (200, answer.json())
    again = office.ask("POST", "/api/v1/intel/unpin", token="night-shift", json={"reason": "repaired"})
    assert (again.status_code, again.json()["code"]) == (409, "TG5002")
    told = [(e.action, e.actor, e.reason) for e in office.controller.audit() if e.action.endswith("pin")]
    assert told[0] == ("snapshot.unpin", "token:night-shift", "repaired")
    assert told[1:] == [("snapshot.pin", "token:night-shift", "it broke the payroll")] * 2


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"snapshot": "ffffffff", "reason": "x"}, 404, "TG2003"),
        ({"snapshot": "%", "reason": "x"}, 422, "TG5007"),
        ({"snapshot": "ffffffff"}, 422, "TG5007"),
        ({"snapshot": "ffffffff", "reason": " "}, 422, "TG5007"),
        ({"snapshot": "ffffffff", "reason": "two\nlines"}, 422, "TG5007"),
    ],
)
def test_what_cannot_be_pinned_is_refused(shared_office: Office, body: dict[str, str], status: int, code: str) -> None:
    answer = shared_office.ask("POST", "/api/v1/intel/pin", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert shared_office.get("/snapshots/current")["pin"] is None
