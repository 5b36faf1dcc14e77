"""Webhooks over the API: made, tried, looked at in pages, replayed, removed; with a receiver that is really there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.delivering import Deliverer
from tests.api.conftest import Office
from tests.controller.receiving import SECRET, Receiver, receiving, status

V1 = "/api/v1/webhooks"


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("TOKGATE_WEBHOOK_NETWORKS", "127.0.0.0/8")
    with receiving() as made:
        yield made


def test_the_life_of_a_webhook(receiver: Receiver, office: Office) -> None:
    said = {"name": "chat", "url": receiver.url, "kinds": ["exception"], "secret": "secret://env/HOOK_SECRET"}
    made = office.ask("POST", V1, json=said)
    assert (made.status_code, made.headers["location"]) == (201, f"{V1}/chat")
    assert office.ask("POST", V1, json=said).status_code == 409
    assert office.ask("POST", f"{V1}/chat/test").json() | {"seconds": 0} == {
        "good": True,
        "status": 204,
        "error": "",
        "seconds": 0,
    }
    body = {"sites": ["berlin"], "sources": ["10.20.3.7"], "service": "tiktok", "reason": "campaign", "owner": "ann"}
    times = {"starts": "2026-11-25T12:00:00Z", "ends": "2026-11-25T18:00:00Z"}
    wished = office.ask("POST", "/api/v1/exceptions", token="request", json={**body, **times}).json()
    office.ask("POST", f"/api/v1/exceptions/{wished['id']}/approve", token="approve")
    deliverer = Deliverer(office.controller.store, office.controller.webhooks, office.clock)
    for done in deliverer.turn():
        done.result()
    deliverer.stop()
    assert receiver.kinds == ["webhook.test", "exception.request", "exception.approve"]
    assert all(one.is_signed_by(SECRET) for one in receiver.got)
    page = office.get("/webhooks/chat/deliveries?limit=1&count=true", token="audit")
    assert (page["count"], page["items"][0]["type"]) == (2, "exception.approve")
    rest = office.get(f"/webhooks/chat/deliveries?limit=1&cursor={page['next_cursor']}", token="audit")
    assert (rest["next_cursor"], rest["items"][0]["id"]) == (None, receiver.got[1].id)
    replayed = office.ask("POST", f"{V1}/chat/replay", json={"ids": [receiver.got[1].id]})
    assert replayed.json() == {"messages": 1}
    assert office.get("/webhooks", token="audit")["items"][0]["waiting"] == 1
    assert 'tokgate_webhook_waiting{webhook="chat"} 1' in office.ask("GET", "/metrics").text
    assert office.ask("DELETE", f"{V1}/chat").json()["waiting"] == 1
    assert office.ask("GET", f"{V1}/chat").status_code == 404
    assert [e.action for e in office.controller.audit(limit=2)] == ["webhook.remove", "webhook.replay"]


def test_a_test_that_is_refused_is_an_answer(receiver: Receiver, office: Office) -> None:
    said = {"name": "chat", "url": receiver.url, "kinds": ["run"], "secret": "secret://env/HOOK_SECRET"}
    office.ask("POST", V1, json=said)
    receiver.replies = [status(403)]
    answer = office.ask("POST", f"{V1}/chat/test")
    assert (answer.status_code, answer.json()["good"], answer.json()["status"]) == (200, False, 403)
    office.ask("POST", f"{V1}/chat/test?dry_run=true")
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"kinds": ["nonsense"]}, "kinds"),
        ({"secret": SECRET}, "secret"),
        ({"url": "https://u:p@a.example/"}, "url"),
        ({"sites": ["nowhere"]}, "nowhere"),
    ],
)
def test_what_is_wrong_is_named_and_secrets_are_not(
    receiver: Receiver, office: Office, more: dict[str, object], word: str
) -> None:
    said = {"name": "chat", "url": receiver.url, "kinds": ["run"], "secret": "secret://env/HOOK_SECRET"}
    answer = office.ask("POST", V1, json={**said, **more})
    assert answer.status_code in (404, 422)
    assert word in answer.text
    assert SECRET not in answer.text


def test_a_webhook_is_changed_in_place(
    receiver: Receiver, office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is named moves; the log says from what to what; an address that is a password is told nowhere."""
    said = {"name": "chat", "url": receiver.url, "kinds": ["exception"], "sites": ["berlin"]}
    made = office.ask("POST", V1, json={**said, "secret": "secret://env/HOOK_SECRET"})
    known = made.headers["etag"]

    def changed(body: dict[str, object], match: str | None = None) -> Any:
        return office.ask("PATCH", f"{V1}/chat", json=body, headers={"If-Match": match} if match else {})

    first = changed({"kinds": ["run", "drift"]}, known)
    assert first.json() | {"id": "", "kinds": []} == made.json() | {"id": "", "kinds": []}
    assert (first.status_code, first.json()["kinds"]) == (200, ["drift", "run"])
    late = changed({"sites": None}, known)
    assert (late.status_code, late.json()["code"]) == (412, "TG5040")
    assert changed({"sites": None}, first.headers["etag"]).json()["sites"] is None, "the answer has the next tag"
    entry = office.controller.audit(limit=1)[0]
    assert (entry.action, json.loads(entry.detail)["changed"]) == ("webhook.edit", {"sites": [["berlin"], None]})
    password = f"{receiver.url}/T0/B0/pa55word"
    (tmp_path / "address").write_text(password)
    moved = changed({"url": f"secret://file{tmp_path}/address"})
    assert office.ask("POST", f"{V1}/chat/test").json()["good"]
    assert receiver.got[-1].path.endswith("/T0/B0/pa55word")
    told = moved.text + "".join(e.detail for e in office.controller.audit(limit=20)) + office.ask("GET", V1).text
    assert "pa55word" not in told
    assert SECRET not in told


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 422, "nothing to change"),
        ({"kinds": []}, 422, "kinds"),
        ({"kinds": ["nonsense"]}, 422, "kinds"),
        ({"url": "https://u:pa55word@a.example/"}, 422, "url"),
        ({"url": "secret://env/NOT_THERE"}, 422, "NOT_THERE"),
        ({"sites": ["nowhere"]}, 404, "nowhere"),
        ({"secret": "secret://env/HOOK_SECRET"}, 422, "secret"),
    ],
)
def test_a_change_that_is_wrong_changes_nothing(
    receiver: Receiver, office: Office, body: dict[str, object], status: int, word: str
) -> None:
    said = {"name": "chat", "url": receiver.url, "kinds": ["run"], "secret": "secret://env/HOOK_SECRET"}
    before = office.ask("POST", V1, json=said).json()
    answer = office.ask("PATCH", f"{V1}/chat", json=body)
    assert (answer.status_code, word in answer.text, "pa55word" in answer.text) == (status, True, False), answer.text
    assert office.ask("GET", f"{V1}/chat").json() == before
    assert office.ask("PATCH", f"{V1}/chat", token="operate", json={"kinds": ["drift"]}).status_code == 403
