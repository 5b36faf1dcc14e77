"""``?dry_run=true``: every change of the API answers as it would, and leaves store and files as they were.

The list of changes is that of the OpenAPI document. One that is not told here how it is called fails, and so does one
that the document does not offer as a dry run.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api import dry_run
from api.reference import PREVIEW, operations
from controller.access_roles import AccessRole
from controller.audit import AuditNote
from controller.model import Scope
from controller.people import Identity
from controller.people_desk import Browser
from controller.webhooks import new_secret
from core.ids import PersonName
from ipsets.bundle import join, seal
from ipsets.minisign import new_key
from tests.api.conftest import INVENTORY, PASSWORD, Office, Stock, an_office, wish
from tests.api.test_rest_exports import EXPORTS
from tests.api.test_rest_intel_work import put_in_force, without
from tests.api.test_rest_proofs import body as probe_result

V1 = "/api/v1"
KEY = new_key()
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MINE = {"seats": 2, "lead": "token:request"}
LOCKS = ("*.lock", "locks", "processes")
"""Whoever waits their turn leaves these behind; they hold nothing."""


@dataclass(frozen=True, slots=True)
class Call:
    """How a change is called so that it succeeds. ``leaves`` is false where also the real one leaves nothing behind,
    because no firewall answers here."""

    token: str
    path: str
    more: dict[str, Any]
    leaves: bool = True


def call(token: str, path: str, *, leaves: bool = True, **more: Any) -> Call:
    return Call(token, V1 + path.removeprefix(V1), more, leaves)


def requested(office: Office, **more: Any) -> str:
    made = office.ask("POST", f"{V1}/exceptions", token="request", json=wish(office, **more))
    assert made.status_code == 201, made.text
    return str(made.headers["location"])


def approved(office: Office, **more: Any) -> str:
    where = requested(office, **more)
    assert office.ask("POST", f"{where}/approve", token="approve").status_code == 200
    return where


def renewed(office: Office) -> Call:
    ends = (office.clock.now() + 5 * HOUR).isoformat()
    return call("request", f"{approved(office)}/renew", json={"ends": ends})


def second(office: Office) -> str:
    """Another snapshot is in force, and pinned."""
    return put_in_force(office, without(office.controller.snapshot(), 1))


def unpinned(office: Office) -> Call:
    second(office)
    return call("operate", "/intel/unpin", json={"reason": "why"})


def person(office: Office, *, disabled: bool = False, locked: bool = False, token: bool = False) -> str:
    """Somebody whom a provider brought, signed in; beside her an administrator who stays."""
    desk, here = office.controller.people, Browser(address="192.0.2.9", agent="test")
    roles = frozenset({AccessRole.VIEWER})
    desk.sign_in_as(
        Identity(issuer="https://id", subject="z", name="zoe", title="Z", roles=roles, sites=None), browser=here
    )
    if disabled:
        desk.disable("zoe", actor="test", reason="left")
    if locked:
        note = AuditNote(actor="test", action="person.lock", subject="zoe")
        now = office.clock.now()
        office.controller.store.note_failure(PersonName("zoe"), now=now, most=1, locked_for=HOUR, audit=note)
    if token:
        made = office.controller.create_token("zoes", [Scope.READ], 3 * DAY, actor="test", owner="zoe")
        office.tokens["zoes"] = made[1].reveal()
    return "zoe"


def signing_out(office: Office) -> Call:
    person(office, token=True)
    return call("zoes", "/me/sign-out")


OWN = {"name": "my-script", "scopes": ["read"], "days": 1}


def making_own(office: Office) -> Call:
    person(office, token=True)
    return call("zoes", "/me/tokens", json=OWN)


def own(office: Office) -> str:
    """A token that she made herself."""
    person(office, token=True)
    made = office.ask("POST", f"{V1}/me/tokens", token="zoes", json=OWN)
    assert made.status_code == 201, made.text
    return str(made.headers["location"])


def session_of(office: Office, name: str) -> str:
    return office.controller.people.sessions(name)[0].id


def hook() -> dict[str, Any]:
    said = {"name": "chat", "url": "https://chat.example.org/", "kinds": ["run"]}
    return {**said, "secret": "secret://env/REST_TEST_KEY"}


def hooked(office: Office) -> str:
    made = office.ask("POST", f"{V1}/webhooks", json=hook())
    assert made.status_code == 201, made.text
    return str(made.headers["location"])


def bundle(office: Office) -> bytes:
    made = office.controller.bundles.make()
    return join(seal(made, KEY))


def pause(office: Office) -> dict[str, Any]:
    return {"kind": "pause", "reason": "why", "ends": (office.clock.now() + HOUR).isoformat()}


def paused(office: Office) -> str:
    made = office.ask("POST", f"{V1}/emergencies", token="operate", json=pause(office))
    return f"/emergencies/{made.json()['id']}"


def unmasking(office: Office) -> dict[str, Any]:
    now = office.clock.now()
    return {"site": "berlin", "since": (now - DAY).isoformat(), "until": now.isoformat(), "reason": "malware"}


def unmasked(office: Office) -> str:
    made = office.ask("POST", f"{V1}/unmaskings", token="unmask", json=unmasking(office))
    assert made.status_code == 201, made.text
    return str(made.headers["location"])


def question(office: Office) -> bytes:
    """A name server's log of one question."""
    at = office.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{at} dnsmasq[1]: query[A] www.tiktok.com from 10.20.0.7\n".encode()


CALLS: dict[tuple[str, str], Callable[[Office], Call]] = {
    ("POST", "/exceptions"): lambda o: call("request", "/exceptions", json=wish(o)),
    ("POST", "/exceptions/{id}/approve"): lambda o: call("approve", f"{requested(o, later=-HOUR / 2)}/approve"),
    ("POST", "/exceptions/{id}/deny"): lambda o: call("approve", f"{requested(o)}/deny", json={"reason": "no"}),
    ("POST", "/exceptions/{id}/revoke"): lambda o: call("approve", f"{approved(o)}/revoke", json={"reason": "no"}),
    ("POST", "/exceptions/{id}/submit"): lambda o: call("request", f"{requested(o, draft=True)}/submit"),
    ("POST", "/exceptions/{id}/renew"): renewed,
    ("PUT", "/exceptions/{id}/seats"): lambda o: call(
        "request", f"{approved(o, **MINE)}/seats", json={"sources": ["10.20.0.8"]}
    ),
    ("POST", "/proofs"): lambda o: call("admin", "/proofs", json=probe_result(o, token="admin")),
    ("POST", "/emergencies"): lambda o: call("operate", "/emergencies", json=pause(o)),
    ("POST", "/emergencies/{id}/end"): lambda o: call("operate", f"{paused(o)}/end", json={"reason": "over"}),
    ("POST", "/intel/pin"): lambda o: call(
        "operate", "/intel/pin", json={"snapshot": o.controller.snapshot().id, "reason": "why"}
    ),
    ("POST", "/intel/unpin"): unpinned,
    ("POST", "/intel/rollback"): lambda o: call("operate", "/intel/rollback", json={"from": second(o), "reason": "x"}),
    ("POST", "/intel/refresh"): lambda o: call("operate", "/intel/refresh", json={}),
    ("POST", "/intel/trust"): lambda o: call("operate", "/intel/trust", json={"source": "curated", "reason": "why"}),
    ("POST", "/intel/export"): lambda o: call("operate", "/intel/export", json={"comment": "weekly"}),
    ("POST", "/intel/import"): lambda o: call("operate", "/intel/import?reason=why&force=true", content=bundle(o)),
    ("POST", "/evidence/{format}"): lambda o: call("ingest", "/evidence/dnsmasq", content=question(o)),
    ("POST", "/unmaskings"): lambda o: call("unmask", "/unmaskings", json=unmasking(o)),
    ("POST", "/unmaskings/{id}/approve"): lambda o: call("consent", f"{unmasked(o)}/approve", json={}),
    ("POST", "/unmaskings/{id}/deny"): lambda o: call("consent", f"{unmasked(o)}/deny", json={"reason": "no"}),
    ("POST", "/unmaskings/{id}/end"): lambda o: call("unmask", f"{unmasked(o)}/end"),
    ("POST", "/reports/scheduled/{name}/send"): lambda o: call("operate", "/reports/scheduled/weekly/send", json={}),
    ("POST", "/packs"): lambda o: call("audit", "/packs", json={"sites": ["berlin"]}),
    ("POST", "/plans"): lambda o: call("operate", "/plans", json={"all": True}, leaves=False),
    ("POST", "/runs"): lambda o: call("operate", "/runs", json={"kind": "sync", "sites": ["berlin"]}),
    ("POST", "/tokens"): lambda o: call("admin", "/tokens", json={"name": "fresh", "scopes": ["read"], "days": 1}),
    ("POST", "/tokens/{id}/rotate"): lambda o: call("admin", f"/tokens/{o.controller.tokens()[0].id}/rotate", json={}),
    ("PATCH", "/people/{name}"): lambda o: call("admin", f"/people/{person(o)}", json={"title": "Zoe", "reason": "x"}),
    ("POST", "/people/{name}/disable"): lambda o: call("admin", f"/people/{person(o)}/disable", json={"reason": "x"}),
    ("POST", "/people/{name}/enable"): lambda o: call(
        "admin", f"/people/{person(o, disabled=True)}/enable", json={"reason": "x"}
    ),
    ("POST", "/people/{name}/unlock"): lambda o: call("admin", f"/people/{person(o, locked=True)}/unlock"),
    ("POST", "/people/{name}/sign-out"): lambda o: call("admin", f"/people/{person(o)}/sign-out"),
    ("DELETE", "/sessions/{id}"): lambda o: call("admin", f"/sessions/{session_of(o, person(o))}"),
    ("POST", "/me/sign-out"): signing_out,
    ("POST", "/me/tokens"): making_own,
    ("POST", "/me/tokens/{id}/rotate"): lambda o: call("zoes", f"{own(o)}/rotate", json={}),
    ("DELETE", "/me/tokens/{id}"): lambda o: call("zoes", own(o)),
    ("POST", "/webhooks"): lambda o: call("admin", "/webhooks", json=hook()),
    ("POST", "/webhooks/{name}/rotate"): lambda o: call(
        "admin", f"{hooked(o)}/rotate", json={"secret": "secret://env/REST_TEST_OTHER_KEY"}
    ),
    ("POST", "/webhooks/{name}/resume"): lambda o: call("admin", f"{hooked(o)}/resume"),
    ("POST", "/webhooks/{name}/replay"): lambda o: call("admin", f"{hooked(o)}/replay"),
    ("POST", "/exports/{name}/replay"): lambda o: call(
        "admin", "/exports/siem/replay", json={"since": (o.clock.now() - HOUR).isoformat()}
    ),
    ("PATCH", "/webhooks/{name}"): lambda o: call("admin", hooked(o), json={"kinds": ["drift"]}),
    ("DELETE", "/webhooks/{name}"): lambda o: call("admin", hooked(o)),
    ("DELETE", "/tokens/{id}"): lambda o: call("admin", f"/tokens/{o.controller.tokens()[0].id}"),
}


@contextmanager
def an_office_of_secrets(folder: Path, stock: Stock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """One that may send bundles and take them, sign webhooks and evidence, and export events."""
    (folder / "bundle.key").write_text(KEY.text(), encoding="utf-8")
    monkeypatch.setenv("TOKGATE_BUNDLE_KEY", f"secret://file{folder}/bundle.key")
    monkeypatch.setenv("TOKGATE_EVIDENCE_KEY", f"secret://file{folder}/bundle.key")
    monkeypatch.setenv("TOKGATE_BUNDLE_TRUST", str(KEY.public))
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    for name in ("REST_TEST_KEY", "REST_TEST_OTHER_KEY"):
        monkeypatch.setenv(name, new_secret().reveal())
    weekly = f'{{range: last-week, form: json, when: "0 7 * * mon", to: [{{folder: {folder}/out}}]}}'
    with an_office(folder, stock, f"{INVENTORY}{EXPORTS}reports: {{weekly: {weekly}}}\n") as made:
        yield made


@pytest.fixture
def office(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with an_office_of_secrets(tmp_path, stock, monkeypatch) as made:
        yield made


def changes(office: Office) -> dict[tuple[str, str], dict[str, Any]]:
    """Every operation of the document that is sent as a change and is no preview."""
    return {
        (method.upper(), path.removeprefix(V1)): operation
        for method, path, operation in operations(office.app.openapi())
        if method != "get" and not operation.keys() & PREVIEW.keys()
    }


def dump(data: Path) -> list[str]:
    """Everything that the store holds, and the digest of every other file of the data folder."""
    with sqlite3.connect(f"file:{data}/store.db?mode=ro", uri=True) as store:
        rows = list(store.iterdump())
    store.close()
    files = [path for path in data.rglob("*") if path.is_file() and not path.name.startswith("store.db")]
    kept = [path for path in files if not any(part.match(lock) for lock in LOCKS for part in (path, *path.parents))]
    return rows + [f"{path}: {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in sorted(kept)]


def test_every_change_is_offered_as_a_dry_run_and_tried_here(shared_office: Office) -> None:
    found = changes(shared_office)
    assert found.keys() == CALLS.keys(), "say above how a new change is called"
    for name, operation in found.items():
        offered = {p["name"] for p in operation["parameters"] if p["in"] == "query"}
        assert dry_run.PARAMETER in offered, name


@pytest.mark.parametrize("name", CALLS, ids=" ".join)
def test_a_dry_run_answers_as_the_change_does_and_changes_nothing(
    office: Office, tmp_path: Path, name: tuple[str, str]
) -> None:
    method, asked = name[0], CALLS[name](office)
    office.ask("GET", f"{V1}/sites", token=asked.token)  # that the token was used is noted once a minute
    before, told = dump(tmp_path / "data"), office.controller.audit()[0].hash
    path = f"{asked.path}{'&' if '?' in asked.path else '?'}dry_run=true"
    rehearsal = office.ask(method, path, token=asked.token, **asked.more)
    assert rehearsal.is_success, rehearsal.text
    assert rehearsal.headers["dry-run"] == "true"
    assert office.controller.queue_depth() == 0
    assert dump(tmp_path / "data") == before
    assert office.controller.audit()[0].hash == told

    real = office.ask(method, asked.path, token=asked.token, **asked.more)
    assert real.status_code == rehearsal.status_code, real.text
    assert "dry-run" not in real.headers
    while real.status_code == 202 and office.ask("GET", real.headers["location"]).json().get("state") == "running":
        pass
    if real.headers["content-type"] == "application/json":
        assert real.json().keys() == rehearsal.json().keys()
    office.controller.close()  # what was started has ended
    assert (dump(tmp_path / "data") != before) is asked.leaves, "or the comparison above proves nothing"


def test_what_would_be_refused_is_refused_in_a_dry_run(office: Office, tmp_path: Path) -> None:
    where = approved(office)  # that both tokens were used is noted once a minute
    before = dump(tmp_path / "data")
    dry = {"dry_run": "true"}
    own = office.ask("POST", f"{where}/approve", token="approve", params=dry)
    assert (own.status_code, own.json()["code"], own.headers["dry-run"]) == (409, "TG5002", "true")
    assert office.ask("POST", f"{V1}/exceptions", token="request", params=dry, json={}).status_code == 422
    assert office.ask("POST", f"{where}/revoke", token="approve", params=dry, json={"reason": "x"}).status_code == 200
    assert dump(tmp_path / "data") == before


@pytest.mark.parametrize("word", ["maybe", "", "truth", "true&dry_run=perhaps"])
def test_a_dry_run_that_is_not_understood_is_no_change(office: Office, tmp_path: Path, word: str) -> None:
    before = dump(tmp_path / "data")
    answer = office.ask("POST", f"{V1}/exceptions?dry_run={word}", token="request", json=wish(office))
    assert (answer.status_code, answer.json()["code"]) == (422, "TG5007")
    assert dump(tmp_path / "data") == before


def test_an_idempotency_key_is_not_used_up_by_a_dry_run(office: Office) -> None:
    asked = {"json": wish(office), "headers": {"Idempotency-Key": "k"}, "token": "request"}
    first = office.ask("POST", f"{V1}/exceptions", params={"dry_run": "true"}, **asked)
    made = office.ask("POST", f"{V1}/exceptions", **asked)
    assert (first.status_code, made.status_code) == (201, 201)
    again = office.ask("POST", f"{V1}/exceptions", params={"dry_run": "true"}, **asked)
    assert (again.status_code, again.json()["id"]) == (201, made.json()["id"])
    other = {**asked, "json": wish(office, owner="bob")}
    assert office.ask("POST", f"{V1}/exceptions", params={"dry_run": "true"}, **other).status_code == 409


def test_a_schedule_is_not_woken(office: Office) -> None:
    woken: list[int] = []
    office.controller.attach_schedule(tick_age=lambda: 0.0, wake=lambda: woken.append(1))
    where = requested(office, later=-HOUR / 2)
    office.ask("POST", f"{where}/approve", token="approve", params={"dry_run": "true"})
    assert not woken
    office.ask("POST", f"{where}/approve", token="approve")
    assert woken


def test_failed_sign_ins_count_in_a_dry_run(office: Office) -> None:
    """Else it would be a way to guess tokens without a brake."""
    office.tokens["guess"] = "tokgate_00000000_" + "0" * 64
    path = f"{V1}/exceptions?dry_run=true"
    seen = [office.ask("POST", path, token="guess", json={}).status_code for _ in range(22)]
    assert seen == [401] * 20 + [429] * 2


def test_without_the_middleware_the_comparison_notices(
    stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The detector detects: an application that takes ``dry_run`` for nothing leaves its change behind."""
    monkeypatch.setattr(dry_run, "CHANGES", frozenset())
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    with an_office(tmp_path, stock) as deaf:
        before = dump(tmp_path / "data")
        deaf.ask("POST", f"{V1}/exceptions", token="request", params={"dry_run": "true"}, json=wish(deaf))
        assert dump(tmp_path / "data") != before
