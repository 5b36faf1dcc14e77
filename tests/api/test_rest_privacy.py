"""No way out of the house tells who a client is where the inventory says so: routes, pages, the command, messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from controller.evidence.model import Quarantine, Rejected
from controller.model import Window
from core.ids import EventId, new_id
from tests.api.conftest import HOUR, INVENTORY, PASSWORD, Office, Stock, an_office
from tests.controller.export.records import event, seen
from tests.controller.offices import NOON
from tests.controller.receiving import SECRET
from tests.controller.test_store_episodes import an_episode
from vendors.model import Reading

WHO = ("10.20.3.41", "ann-laptop", "ann.berg")
PAST = "2026-11-25T00:00:00Z"
EXITS = (
    "/api/v1/events",
    "/api/v1/events?q=fw-berlin",
    "/api/v1/events/journal",
    "/api/v1/events/journal?form=ecs",
    "/api/v1/events/journal?form=ocsf",
    "/api/v1/episodes",
    "/api/v1/episodes/{episode}",
    *(f"/api/v1/reports/sites/berlin?since={PAST}&format={form}" for form in ("json", "html", "csv", "markdown")),
    "/api/v1/evidence/quarantine",
    "/api/v1/webhooks/siem/deliveries",
    "/metrics",
)


def told(office: Office) -> dict[str, str]:
    """What was seen of one person, in every shape."""
    store, window = office.controller.store, Window(NOON - HOUR, NOON)
    made = event(id=EventId(new_id()), window=window, sources=(seen(WHO[0], "103.136.220.9"),))
    hook = {"name": "siem", "url": "https://siem.example/in", "secret": "secret://env/HOOK_SECRET"}
    made_hook = office.ask("POST", "/api/v1/webhooks", json={**hook, "kinds": ["event", "episode"]})
    assert made_hook.status_code == 201, made_hook.text
    store.record_events(made.device, Reading(epoch="e", read_at=NOON, rules=()), [made])
    one = an_episode(new_id(), source=ip_address(WHO[0]), host=WHO[1], user=WHO[2], window=window)
    store.record("b", [one])
    return {"episode": one.id}


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)


@pytest.fixture(params=["pseudonyms", "hidden", "few"])
def closed(request: pytest.FixtureRequest, stock: Stock, tmp_path: Path) -> Iterator[Office]:
    said = {
        "pseudonyms": "{identities: pseudonyms, fewest_clients: 0}",
        "hidden": "{identities: hidden}",
        "few": "{fewest_clients: 2}",
    }
    with an_office(tmp_path, stock, f"{INVENTORY}privacy: {said[request.param]}\n") as made:
        yield made


def test_no_way_out_tells_who_it_was(closed: Office) -> None:
    names = told(closed)
    for path in EXITS:
        answer = closed.ask("GET", path.format(**names))
        assert answer.status_code == 200, (path, answer.text)
        assert [who for who in WHO if who in answer.text] == [], path
    for question in ("source=10.20.3.41", "host=ann-laptop", "user=ann.berg"):
        refused = closed.ask("GET", f"/api/v1/episodes?{question}")
        assert (refused.status_code, refused.json()["code"]) == (403, "TG6011"), question
    for text in WHO:
        assert closed.get("/episodes", params={"q": text})["items"] == [], "not even that there is one"
        assert closed.get("/events", params={"q": text})["items"] == []


def test_the_same_ways_tell_it_where_nothing_is_said(office: Office) -> None:
    """So that the test above can fail: every exit there has something to hide."""
    names = told(office)
    silent = [
        path
        for path in EXITS
        if not any(who in office.ask("GET", path.format(**names)).text for who in WHO)
        and "reports/" not in path  # of few clients, a report names nobody unless it is told to
    ]
    assert silent == ["/api/v1/evidence/quarantine", "/metrics"]
    assert len(office.get("/episodes", params={"user": WHO[2]})["items"]) == 1
    assert len(office.get("/events", params={"q": WHO[0]})["items"]) == 1


def test_what_is_set_aside_is_not_shown_where_nobody_is(closed: Office) -> None:
    line = f"Deny tcp src inside:{WHO[0]}"
    closed.controller.store.set_aside([Rejected(why=Quarantine.UNREADABLE, origin="syslog", text=line)])
    (found,) = closed.get("/evidence/quarantine")["items"]
    assert [sample["text"] for sample in found["samples"]] == ["hidden"]
    assert closed.get("/evidence/quarantine", params={"q": WHO[0]})["items"] == []


def test_a_pseudonym_is_the_same_wherever_it_is_met(stock: Stock, tmp_path: Path) -> None:
    with an_office(tmp_path, stock, f"{INVENTORY}privacy: {{identities: pseudonyms, fewest_clients: 0}}\n") as office:
        names = told(office)
        (one,) = office.get("/events")["items"]
        name = one["sources"][0]["source"]
        assert office.get(f"/episodes/{names['episode']}")["host"] == name
        report = office.get("/reports/sites/berlin", params={"since": PAST})
        assert ({line["source"] for line in report["top_sources"]}, report["identities"]) == ({name}, "pseudonyms")
        (sent,) = [m for m in office.get("/webhooks/siem/deliveries")["items"] if "event.counted" in m["body"]]
        assert json.loads(sent["body"])["data"]["events"][0]["sources"][0]["source"] == name
        (record, *_) = office.get("/events/journal", params={"form": "ecs"})["records"]
        assert (record["source"]["domain"], "ip" in record["source"]) == (name, False)
