"""No way out of the house tells who a client is where the inventory says so: routes, pages, the command, messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from controller.errors import NotFound
from controller.evidence.model import Quarantine, Rejected
from controller.model import Scope, Window
from core.ids import EventId, SiteName, new_id
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
    *(f"/api/v1/reports/sites/berlin?from={PAST}&format={form}" for form in ("json", "html", "csv", "markdown")),
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
        report = office.get("/reports/sites/berlin", params={"from": PAST})
        assert ({line["source"] for line in report["top_sources"]}, report["identities"]) == ({name}, "pseudonyms")
        (sent,) = [m for m in office.get("/webhooks/siem/deliveries")["items"] if "event.counted" in m["body"]]
        assert json.loads(sent["body"])["data"]["events"][0]["sources"][0]["source"] == name
        (record, *_) = office.get("/events/journal", params={"form": "ecs"})["records"]
        assert (record["source"]["domain"], "ip" in record["source"]) == (name, False)


# --- seeing who it is -------------------------------------------------------------------------------------------------

DAY = {"since": "2026-11-25T00:00:00Z", "until": "2026-11-26T00:00:00Z"}


@pytest.fixture
def council(stock: Stock, tmp_path: Path) -> Iterator[Office]:
    """Where pseudonyms are shown, somebody who may ask, two who may decide, and an outsider."""
    with an_office(tmp_path, stock, f"{INVENTORY}privacy: {{identities: pseudonyms, fewest_clients: 0}}\n") as made:
        made.add_token("ines", Scope.READ, Scope.UNMASK, Scope.CONSENT)
        made.add_token("olaf", Scope.READ, Scope.UNMASK)
        made.add_token("carla", Scope.READ, Scope.CONSENT)
        told(made)
        yield made


def asked_for(office: Office, **more: object) -> str:
    (one,) = office.get("/events")["items"]
    body = {"site": "berlin", **DAY, "pseudonym": one["sources"][0]["source"], "reason": "malware", "hours": 2, **more}
    made = office.ask("POST", "/api/v1/unmaskings", token="ines", json=body)
    assert made.status_code == 201, made.text
    assert made.headers["location"].endswith(made.json()["id"])
    return str(made.json()["id"])


def looked(office: Office, number: str, token: str = "ines") -> tuple[int, object]:
    answer = office.ask("GET", f"/api/v1/unmaskings/{number}/identities", token=token)
    said = answer.json()
    return answer.status_code, [one["identity"] for one in said["identities"]] if "identities" in said else said["code"]


def test_two_people_see_who_it_was_for_a_while(council: Office) -> None:
    number = asked_for(council)
    path = f"/api/v1/unmaskings/{number}"
    assert looked(council, number) == (403, "TG6011"), "nobody agreed yet"
    own = council.ask("POST", f"{path}/approve", token="ines", json={})
    assert (own.status_code, own.json()["code"]) == (403, "TG6010"), "never the one who asked"
    outsider = council.ask("POST", f"{path}/approve", token="olaf", json={})
    assert (outsider.status_code, outsider.json()["code"]) == (403, "TG6002")
    decided = council.ask("POST", f"{path}/approve", token="carla", json={"reason": "agreed"})
    assert (decided.json()["state"], decided.json()["ends_at"]) == ("approved", "2026-11-25T13:00:00Z")
    assert looked(council, number) == (200, [WHO[0]])
    assert looked(council, number, "olaf") == (403, "TG6011"), "it is open for who asked alone"
    assert [who for who in WHO if who in council.ask("GET", "/api/v1/events", token="ines").text] == [], (
        "lists stay shut"
    )
    council.clock.advance(2 * HOUR)
    assert looked(council, number) == (403, "TG6011"), "its time is over"
    assert council.ask("POST", f"{path}/approve", token="carla", json={}).status_code == 409
    log = council.controller.audit(limit=10)
    mine = [(e.action, e.actor) for e in reversed(log) if e.action.startswith("unmask.")]
    assert mine == [("unmask.ask", "token:ines"), ("unmask.approve", "token:carla"), ("unmask.read", "token:ines")]
    assert not any(who in e.detail + e.reason for e in log for who in WHO), "the log says whose name, not who"
    assert council.controller.verify_audit() == []


def test_everybody_of_a_day_can_be_asked_for(council: Office) -> None:
    number = asked_for(council, pseudonym="")
    council.ask("POST", f"/api/v1/unmaskings/{number}/approve", token="carla")
    status, found = looked(council, number)
    assert (status, sorted(found)) == (200, sorted(WHO))  # type: ignore[call-overload]


def test_what_was_denied_ended_or_left_shows_nothing(council: Office) -> None:
    denied, ended, left = asked_for(council), asked_for(council), asked_for(council)
    no = council.ask("POST", f"/api/v1/unmaskings/{denied}/deny", token="carla", json={"reason": "no need"})
    assert no.json()["state"] == "denied"
    council.ask("POST", f"/api/v1/unmaskings/{ended}/approve", token="carla", json={})
    assert council.ask("POST", f"/api/v1/unmaskings/{ended}/end", token="olaf").json()["code"] == "TG6002"
    assert council.ask("POST", f"/api/v1/unmaskings/{ended}/end", token="carla").json()["state"] == "ended"
    council.clock.advance(170 * HOUR)
    assert council.get(f"/unmaskings/{left}", token="carla")["state"] == "lapsed"
    assert council.ask("POST", f"/api/v1/unmaskings/{left}/approve", token="carla", json={}).status_code == 409
    assert {looked(council, number) for number in (denied, ended, left)} == {(403, "TG6011")}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"pseudonym": "client-aaaaaaaaaaaa"}, 404, id="nobody-of-that-name"),
        pytest.param({"reason": " "}, 422, id="no-reason"),
        pytest.param({"site": "nowhere"}, 404, id="no-such-site"),
        pytest.param({"until": DAY["since"]}, 422, id="no-time"),
        pytest.param({"hours": 100}, 422, id="too-long"),
    ],
)
def test_what_is_asked_for_has_to_make_sense(council: Office, body: dict[str, object], status: int) -> None:
    said = {"site": "berlin", **DAY, "reason": "malware", **body}
    assert council.ask("POST", "/api/v1/unmaskings", token="ines", json=said).status_code == status


def test_who_sees_some_sites_sees_what_is_asked_of_them_alone(council: Office) -> None:
    number = asked_for(council)
    narrow = council.controller.within(frozenset({SiteName("austin")}))
    assert narrow.privacy.listed(limit=10) == []
    with pytest.raises(NotFound):
        narrow.privacy.one(number)
