"""The intelligence, entry by entry, over the API: in pages of one snapshot, chosen by what people ask for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.ids import SnapshotId
from ipsets.model import Indicator, Provenance, Snapshot, Verdict
from ipsets.snapshot import content_id
from tests.api.conftest import Office

SHOW = "/intel/show"
INDICATORS = "/intel/show/indicators"
DROPPED = "/intel/show/dropped"


def walk(office: Office, path: str, **query: object) -> list[Any]:
    """All rows, page by page; no page is larger than asked for."""
    rows, params = [], {key: str(value) for key, value in query.items()}
    while True:
        page = office.get(path, params=params, token="read")
        assert len(page["items"]) <= int(params.get("limit", 100))
        rows += page["items"]
        if page["next_cursor"] is None:
            return rows
        params["cursor"] = page["next_cursor"]


def test_what_is_enforced_is_listed_whole_and_in_order(shared_office: Office) -> None:
    current = shared_office.get("/snapshots/current")
    rows = walk(shared_office, SHOW, limit=50)
    told = [(row["service"], row["entry"]) for row in rows]
    assert sorted(told) == sorted(
        (of["service"], entry) for of in current["services"] for entry in (*of["networks"], *of["domains"])
    )
    [networks] = [of["networks"] for of in current["services"]]
    assert [row["entry"] for row in rows if row["kind"] == "network"] == networks
    assert {row["kind"] for row in rows} == {"network", "domain"}
    assert [r["kind"] for r in rows] == sorted((r["kind"] for r in rows), reverse=True), "networks before names"
    assert len(told) == len({*told})


def test_a_page_says_of_which_snapshot_it_is(shared_office: Office) -> None:
    current = shared_office.controller.snapshot()
    head = shared_office.get(f"{SHOW}?limit=1")["snapshot"]
    assert head == {
        "id": current.id,
        "created_at": "2026-11-25T11:00:00Z",
        "parent": None,
        "pin": None,
        "networks": sum(len(s.networks) for s in current.services),
        "domains": sum(len(s.domains) for s in current.services),
        "indicators": len(current.indicators),
        "dropped": len(current.dropped),
        "sources": [{"source": "curated", "last_success": "2026-11-25T11:00:00Z"}],
    }


def test_every_indicator_is_listed_once(shared_office: Office) -> None:
    rows = walk(shared_office, INDICATORS, limit=83)
    whole = shared_office.get("/snapshots/current?indicators=true")["indicators"]
    assert len(rows) == len(whole) > 400
    assert {(row["value"], row["app"]) for row in rows} == {(row["value"], row["app"]) for row in whole}
    first = next(row for row in whole if row["value"] == rows[0]["value"] and row["app"] == rows[0]["app"])
    assert rows[0] == first


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ({"app": "capcut"}, lambda row: row["app"] == "capcut"),
        ({"owner": "tiktok-usds"}, lambda row: row["owner"] == "tiktok-usds"),
        ({"category": "announced"}, lambda row: row["category"] == "announced"),
        ({"source": "curated"}, lambda row: row["sources"][0]["source"] == "curated"),
        ({"q": "TikTokCDN"}, lambda row: "tiktokcdn" in row["value"]),
        ({"q": "71.18.", "category": "announced"}, lambda row: row["value"].startswith("71.18.")),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_indicators_are_chosen_by_what_they_say(shared_office: Office, query: dict[str, str], holds: Any) -> None:
    whole = shared_office.get("/snapshots/current?indicators=true")["indicators"]
    rows = walk(shared_office, INDICATORS, limit=7, **query)
    assert rows
    assert all(holds(row) for row in rows)
    assert len(rows) == sum(bool(holds(row)) for row in whole)


@pytest.mark.parametrize(
    ("source", "count"), [("ripestat:AS1", 1), ("ripestat", 1), ("mine", 1), ("list", 1), ("AS1", 1), ("ripe", 0)]
)
def test_a_source_is_named_whole_or_by_its_kind_or_name(office: Office, source: str, count: int) -> None:
    current = office.controller.snapshot()
    save(office, replaced(current, words=("list:mine", "ripestat:AS1")))
    assert len(walk(office, INDICATORS, source=source)) == count


def replaced(of: Snapshot, *, words: tuple[str, ...] = ("list:mine",), keep: int = 1) -> Snapshot:
    """The same list, of which only the first entry is said to be named, and by these."""
    at = of.created_at
    named: tuple[Indicator, ...] = tuple(
        replace(i, sources=tuple(Provenance(source=w, first_seen=at, last_seen=at) for w in words))
        for i in of.indicators[:keep]
    )
    return replace(of, indicators=named)


def save(office: Office, snapshot: Snapshot) -> None:
    office.controller.store.save_snapshot(snapshot)


def test_a_walk_stays_with_the_snapshot_that_it_began_with(office: Office) -> None:
    first = office.controller.snapshot()
    page = office.get(f"{SHOW}?limit=10")
    less = tuple(replace(s, domains=s.domains[:-1]) for s in first.services)
    other = replace(first, id=SnapshotId(content_id(less)), services=less, parent=first.id)
    save(office, other)
    office.controller.store.set_current(other.id)
    again = office.get(f"{SHOW}?limit=10&cursor={page['next_cursor']}")
    assert again["snapshot"]["id"] == first.id
    assert office.get(f"{SHOW}?limit=10")["snapshot"]["id"] == other.id
    asked = office.ask("GET", f"/api/v1{SHOW}?snapshot={other.id}&cursor={page['next_cursor']}")
    assert (asked.status_code, "cursor" in asked.text) == (422, True)
    office.clock.advance(timedelta(days=20))
    office.controller.store.housekeeping(retention=timedelta(days=10))
    gone = office.ask("GET", f"/api/v1{SHOW}?cursor={page['next_cursor']}")
    assert (gone.status_code, "cursor" in gone.text) == (422, True)


def test_what_guards_took_out_is_listed_by_guard(office: Office) -> None:
    first = office.controller.snapshot()
    made = [("never-block", f"10.0.{at}.0/24", f"because {at}") for at in range(30)]
    made += [("lookalike", f"x{at}.tiktokio.com", "it only looks like it") for at in range(5)]
    made += [("never-block", "10.0.7.0/24", "and for another reason"), ("odd", "no entry!", "none")]
    verdicts = tuple(Verdict(guard=g, entry=e, held=False, reason=r) for g, e, r in made)
    save(office, replace(first, dropped=verdicts))
    rows = walk(office, DROPPED, limit=4)
    assert {(r["guard"], r["entry"], r["reason"]) for r in rows} == {*made}
    assert len(rows) == len(made)
    assert [r["guard"] for r in rows] == sorted(g for g, _, _ in made)
    assert [r["entry"] for r in rows if r["guard"] == "lookalike"] == [f"x{at}.tiktokio.com" for at in range(5)]
    assert len(walk(office, DROPPED, guard="lookalike")) == 5
    assert len(walk(office, DROPPED, q="TIKTOKIO", limit=2)) == 5


def test_sources_and_history_are_the_same_under_both_names(shared_office: Office) -> None:
    assert shared_office.get("/intel/sources") == shared_office.get("/sources")
    assert shared_office.get("/intel/history") == shared_office.get("/snapshots")


def test_the_difference_is_that_to_the_one_before_unless_said(office: Office) -> None:
    refused = office.ask("GET", "/api/v1/intel/diff")
    assert (refused.status_code, refused.json()["code"]) == (404, "TG2003")
    first = office.controller.snapshot()
    less = tuple(replace(s, domains=s.domains[1:]) for s in first.services)
    other = replace(first, id=SnapshotId(content_id(less)), services=less, parent=first.id)
    save(office, other)
    office.controller.store.set_current(other.id)
    found = office.get("/intel/diff", token="read")
    assert (found["old"], found["new"]) == (first.id, other.id)
    assert len(found["removed"]) == 1
    assert (
        found
        == office.get(f"/intel/diff?old={first.id}&new={other.id}")
        == office.get(f"/snapshots/{first.id}/diff/{other.id}")
    )
    assert office.get(f"/intel/diff?old={other.id}&new={first.id}")["added"][0]["entry"] == found["removed"][0]["entry"]


@pytest.mark.parametrize("path", [SHOW, INDICATORS, DROPPED, "/intel/diff", "/intel/sources", "/intel/history"])
def test_they_take_a_token_that_may_read(shared_office: Office, path: str) -> None:
    assert shared_office.ask("GET", f"/api/v1{path}", token=None).status_code == 401
    assert shared_office.ask("GET", f"/api/v1{path}", token="request").status_code == 403


@pytest.mark.parametrize("path", [SHOW, INDICATORS, DROPPED])
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("snapshot=ffffffff", 404, "TG2003"),
        ("snapshot=xyz", 422, "TG5007"),
        ("limit=501", 422, "TG5007"),
        ("q=", 422, "TG5007"),
        ("cursor=c2l0ZXM6YQ", 422, "TG5007"),
        ("cursor=aW5kaWNhdG9yczpmZmZmZmZmZmZmL3g", 422, "TG5007"),
    ],
)
def test_what_cannot_be_listed_is_refused(shared_office: Office, path: str, query: str, status: int, code: str) -> None:
    answer = shared_office.ask("GET", f"/api/v1{path}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
