"""What is done with snapshots over the API: going back, refreshing, carrying them from place to place; each once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import tests.api.conftest as place
from api.routes import intel_bundles
from controller.model import Scope
from ipsets.bundle import Sealed, join, seal, split, unseal
from ipsets.minisign import SigningKey, new_key, sign
from ipsets.model import Snapshot
from ipsets.snapshot import content_id
from tests.api.conftest import Office, Stock, an_office
from tests.ipsets.origins import Asked, Reply, web

KEY = new_key()
ROLLBACK, REFRESH, EXPORT, IMPORT = (f"/api/v1/intel/{verb}" for verb in ("rollback", "refresh", "export", "import"))
HOUR = timedelta(hours=1)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def actions(office: Office, action: str) -> int:
    return [entry.action for entry in office.controller.audit()].count(action)


def without(of: Snapshot, count: int) -> Snapshot:
    """The same list with so many names less: another snapshot."""
    services = tuple(replace(s, domains=s.domains[: len(s.domains) - count]) for s in of.services)
    return replace(of, id=content_id(services), services=services, parent=of.id)


def put_in_force(office: Office, snapshot: Snapshot) -> str:
    office.controller.store.save_snapshot(snapshot)
    office.controller.pin_snapshot(snapshot.id, actor="test", reason="the next one")
    return snapshot.id


# --- going back -------------------------------------------------------------------------------------------------------


@pytest.fixture
def moved(office: Office) -> tuple[Office, str, str]:
    """An office where a second snapshot is in force; and both ids."""
    first = office.controller.snapshot()
    return office, first.id, put_in_force(office, without(first, 1))


def test_going_back_said_twice_is_not_back_again(moved: tuple[Office, str, str]) -> None:
    office, first, second = moved
    wanted = {"from": second[:12], "reason": "it broke the payroll"}
    made = office.ask("POST", ROLLBACK, token="operate", json=wanted)
    assert made.status_code == 200, made.text
    assert made.json() == {
        "snapshot": first,
        "by": "token:operate",
        "reason": "it broke the payroll",
        "at": "2026-11-25T11:00:00Z",
    }
    again = office.ask("POST", ROLLBACK, token="operate", json=wanted)
    assert code(again) == (409, "TG5002")
    assert f"snapshot {first[:12]} is in force" in again.json()["detail"]
    assert office.controller.snapshot().id == first
    assert actions(office, "snapshot.rollback") == 1


def test_with_a_key_a_lost_answer_is_asked_for_again(moved: tuple[Office, str, str]) -> None:
    office, first, second = moved
    wanted: dict[str, Any] = {"json": {"from": second, "reason": "why"}, "headers": {"Idempotency-Key": "r1"}}
    made, again = (office.ask("POST", ROLLBACK, token="operate", **wanted) for _ in range(2))
    assert (made.status_code, again.status_code) == (200, 200)
    assert again.json() == made.json()
    assert office.controller.snapshot().id == first
    assert actions(office, "snapshot.rollback") == 1
    other = office.ask("POST", ROLLBACK, token="operate", **wanted | {"json": {"from": first, "reason": "why"}})
    assert code(other) == (409, "TG5002")
    assert "another request" in other.json()["detail"]


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"reason": "why"}, (422, "TG5007")),
        ({"from": "abc", "reason": "why"}, (422, "TG5007")),
        ({"from": "ffffffff"}, (422, "TG5007")),
        ({"from": "ffffffff", "reason": " "}, (422, "TG5007")),
        ({"from_": "ffffffff", "reason": "why"}, (422, "TG5007")),
        ({"from": "ffffffff", "reason": "why"}, (409, "TG5002")),
    ],
    ids=str,
)
def test_a_stale_or_broken_wish_to_go_back_changes_nothing(
    shared_office: Office, body: dict[str, str], refused: tuple[int, str]
) -> None:
    assert code(shared_office.ask("POST", ROLLBACK, json=body)) == refused
    assert shared_office.controller.pin() is None


def test_there_is_nothing_before_the_first(shared_office: Office) -> None:
    current = shared_office.controller.snapshot().id
    answer = shared_office.ask("POST", ROLLBACK, json={"from": current, "reason": "why"})
    assert code(answer) == (404, "TG2003")


@pytest.mark.parametrize("path", [ROLLBACK, REFRESH, EXPORT, f"{IMPORT}?reason=x"])
def test_they_take_a_token_that_may_operate(shared_office: Office, path: str) -> None:
    assert shared_office.ask("POST", path, token=None).status_code == 401
    for token in ("read", "request", "approve"):
        assert shared_office.ask("POST", path, token=token).status_code == 403


# --- refreshing -------------------------------------------------------------------------------------------------------


def ended(office: Office, started: httpx.Response) -> Any:
    """What became of it; asked as a caller would ask."""
    assert started.status_code == 202, started.text
    where = started.headers["location"]
    assert where == f"{REFRESH}/{started.json()['id']}"
    deadline = time.monotonic() + 60
    while (found := office.ask("GET", where, token="read").json())["ending"] == "running":
        assert time.monotonic() < deadline
    return found


@contextmanager
def listing(stock: Stock, folder: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """An office whose one source is this one."""
    monkeypatch.setenv("REST_TEST_PASSWORD", place.PASSWORD)
    with an_office(folder, stock, place.INVENTORY.replace("{kind: curated}", source)) as office:
        yield office


LINES = "103.136.220.0/23\n16.162.0.0/24\ntiktok.com\n"


def test_a_refresh_is_started_and_asked_about(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "list.txt"
    file.write_text(LINES, encoding="utf-8")
    source = f"{{kind: list, name: mine, file: {file}, dedicated: true, max_shrink: 1}}"
    with listing(stock, tmp_path, source, monkeypatch) as office:
        before = office.controller.snapshot().id
        held = ended(office, office.ask("POST", REFRESH, token="operate", json={}))
        assert (held["ending"], held["by"], held["force"]) == ("held", "token:operate", False)
        assert (held["error"]["code"], held["snapshot"], held["added"]) == ("TG3001", None, None)
        assert office.controller.snapshot().id == before

        made = ended(office, office.ask("POST", REFRESH, token="operate", json={"force": True}))
        assert (made["ending"], made["added"], made["failing"], made["error"]) == ("changed", 1, [], None)
        assert made["removed"] > 100
        assert made["snapshot"] == office.controller.snapshot().id != before
        put = next(e for e in office.controller.audit() if e.action == "snapshot.current")
        assert (put.actor, put.reason) == ("token:operate", "forced past the churn guard")

        same = ended(office, office.ask("POST", REFRESH, token="operate", json={}))
        assert (same["ending"], same["added"], same["removed"]) == ("unchanged", 0, 0)

        office.controller.pin_snapshot(None, actor="ada", reason="known to be good")
        file.write_text(f"{LINES}tiktokv.com\n", encoding="utf-8")
        waits = ended(office, office.ask("POST", REFRESH, token="operate", json={}))
        assert (waits["ending"], waits["added"], waits["removed"]) == ("waiting", 1, 0)
        assert waits["snapshot"] == made["snapshot"] != waits["waiting"]

        file.unlink()
        fails = ended(office, office.ask("POST", REFRESH, token="operate", json={}))
        assert fails["failing"] == ["mine"]


def test_while_one_is_under_way_there_is_no_other(
    stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow(_: Asked, __: int) -> Reply:
        asked.set()
        assert go_on.wait(30)
        return Reply(body=LINES)

    with web(slow) as origin:
        source = f"{{kind: list, name: mine, url: '{origin.url}', dedicated: true, max_shrink: 1}}"
        with listing(stock, tmp_path, source, monkeypatch) as office:
            keyed: dict[str, Any] = {"json": {"force": True}, "headers": {"Idempotency-Key": "k"}}
            first = office.ask("POST", REFRESH, token="operate", **keyed)
            assert asked.wait(30)
            running = office.ask("GET", first.headers["location"], token="read").json()
            assert (running["ending"], running["finished_at"], running["failing"]) == ("running", None, None)
            second = office.ask("POST", REFRESH, token="admin", json={"force": True})
            assert second.json()["id"] == first.json()["id"]
            assert code(office.ask("POST", REFRESH, json={"force": False})) == (409, "TG5004")
            go_on.set()
            assert ended(office, first)["ending"] == "changed"
            again = office.ask("POST", REFRESH, token="operate", **keyed)
            assert again.json()["id"] == first.json()["id"], "the answer was lost, and is asked for again"
            assert ended(office, office.ask("POST", REFRESH, json={"force": True}))["id"] != first.json()["id"]


def test_a_refresh_that_nobody_started_is_not_found(shared_office: Office) -> None:
    assert code(shared_office.ask("GET", f"{REFRESH}/01hzzzzzzzzzzzzzzzzzzzzzzz")) == (404, "TG5001")
    assert shared_office.ask("GET", f"{REFRESH}/nonsense").status_code == 422
    assert code(shared_office.ask("POST", REFRESH, json={"forced": True})) == (422, "TG5007")


# --- from place to place ----------------------------------------------------------------------------------------------


def signed(office: Office, *, key: SigningKey = KEY, less: int = 0) -> bytes:
    """The snapshot in force, or one with a few names less, as a hub would send it."""
    bundle = office.controller.bundles.make(comment="weekly")
    return join(seal(replace(bundle, snapshot=without(bundle.snapshot, less)) if less else bundle, key))


@pytest.fixture
def hub(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """It signs with our key, and takes what our key signed."""
    (tmp_path / "bundle.key").write_text(KEY.text(), encoding="utf-8")
    monkeypatch.setenv("TOKGATE_BUNDLE_KEY", f"secret://file{tmp_path}/bundle.key")
    monkeypatch.setenv("TOKGATE_BUNDLE_TRUST", f"{new_key().public}, {KEY.public}")
    with trusting(stock, tmp_path, monkeypatch) as office:
        yield office


def trusting(stock: Stock, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[Office]:
    monkeypatch.setenv("REST_TEST_PASSWORD", place.PASSWORD)
    return an_office(folder, stock)


def send(office: Office, body: Any, *, token: str = "operate", **more: Any) -> httpx.Response:
    query = {"reason": "by courier"} | more.pop("params", {})
    return office.ask("POST", IMPORT, token=token, content=body, params=query, **more)


def test_a_bundle_goes_out_signed_and_comes_in_at_another_place(hub: Office) -> None:
    current = hub.controller.snapshot().id
    sent = hub.ask("POST", EXPORT, token="operate", json={"comment": "weekly"})
    assert sent.status_code == 200, sent.text
    assert sent.headers["content-type"] == "application/vnd.tokgate.bundle"
    assert sent.headers["content-disposition"] == f'attachment; filename="tokgate-{current[:12]}.bundle"'
    bundle = unseal(split(sent.content), KEY.public)
    assert (bundle.snapshot.id, bundle.comment) == (current, "weekly")
    told = hub.controller.audit()[0]
    assert (told.action, told.actor, told.subject) == ("snapshot.export", "token:operate", current[:12])
    assert KEY.public.id in told.detail

    got = send(hub, sent.content)
    assert got.status_code == 200, got.text
    assert got.json() == {
        "pin": {"snapshot": current, "by": "token:operate", "reason": "by courier", "at": "2026-11-25T11:00:00Z"},
        "made_at": "2026-11-25T11:00:00Z",
        "made_by": hub.controller.store.instance_id(),
        "comment": "weekly",
        "key_id": KEY.public.id,
    }
    assert actions(hub, "snapshot.import") == 1


def test_what_came_in_is_in_force_and_pinned(hub: Office) -> None:
    body = signed(hub, less=1)
    hub.clock.advance(HOUR)
    made = send(hub, body).json()["pin"]["snapshot"]
    assert hub.controller.snapshot().id == made == without(hub.controller.snapshot(None), 0).id
    assert hub.get("/snapshots/current")["pin"]["reason"] == "by courier"


def test_nothing_leaves_unsigned_and_nothing_comes_in_untrusted(office: Office) -> None:
    sent = office.ask("POST", EXPORT, token="operate", json={})
    assert code(sent) == (409, "TG5002")
    assert "TOKGATE_BUNDLE_KEY" in sent.json()["hint"]
    assert actions(office, "snapshot.export") == 0
    got = send(office, signed(office))
    assert code(got) == (409, "TG5002")
    assert "TOKGATE_BUNDLE_TRUST" in got.json()["hint"]
    assert office.controller.pin() is None


def test_a_key_that_is_not_there_or_is_none_is_said_without_a_part_of_it(
    stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKGATE_BUNDLE_KEY", "secret://env/HUB_KEY")
    with trusting(stock, tmp_path, monkeypatch) as office:
        assert code(office.ask("POST", EXPORT, json={})) == (422, "TG1002")
        monkeypatch.setenv("HUB_KEY", "hunter2 is no key")
        answer = office.ask("POST", EXPORT, json={})
        assert code(answer) == (422, "TG2008")
        assert "hunter2" not in answer.text


def test_what_cannot_be_exported_is_refused(hub: Office) -> None:
    assert code(hub.ask("POST", EXPORT, json={"snapshot": "ffffffff"})) == (404, "TG2003")
    assert code(hub.ask("POST", EXPORT, json={"comment": "two\nlines"})) == (422, "TG5007")


@pytest.mark.parametrize(
    ("damage", "refused"),
    [
        pytest.param(lambda b: b.replace(b"tiktok", b"tiktak", 1), (403, "TG2006"), id="changed"),
        pytest.param(lambda b: b.replace(b"\nuntrusted", b"\n\nuntrusted", 1), (403, "TG2006"), id="a-line-more"),
        pytest.param(lambda b: b[: b.rfind(b"\nuntrusted")], (422, "TG2005"), id="without-its-signature"),
        pytest.param(lambda b: b[:-40], (422, "TG2005"), id="cut-off"),
        pytest.param(lambda b: b + b"x" * 5000, (422, "TG2005"), id="too-much-behind"),
        pytest.param(lambda b: b[:-3] + b"\xff\n", (422, "TG2005"), id="no-text"),
        pytest.param(lambda b: b"", (422, "TG2005"), id="empty"),
        pytest.param(lambda b: b"\n" * 100, (422, "TG2005"), id="nothing"),
    ],
)
def test_i09_what_may_not_be_trusted_or_read_changes_nothing(
    hub: Office, damage: Any, refused: tuple[int, str]
) -> None:
    before = hub.controller.snapshot().id
    for force in ("false", "true"):
        assert code(send(hub, damage(signed(hub)), params={"force": force})) == refused
    assert (hub.controller.snapshot().id, hub.controller.pin()) == (before, None)
    assert actions(hub, "snapshot.import") == 0


def test_a_strangers_bundle_is_refused_by_the_name_of_its_key(hub: Office) -> None:
    stranger = new_key()
    answer = send(hub, signed(hub, key=stranger))
    assert code(answer) == (403, "TG2006")
    assert stranger.public.id in answer.json()["detail"]
    assert KEY.public.id in answer.json()["detail"]


def test_an_old_bundle_and_one_that_changes_much_take_force(hub: Office) -> None:
    old = signed(hub)
    hub.clock.advance(HOUR)
    assert send(hub, signed(hub, less=1)).status_code == 200
    assert code(send(hub, old)) == (409, "TG2007")
    assert send(hub, old, params={"force": "true"}).status_code == 200
    hub.clock.advance(HOUR)
    assert code(send(hub, signed(hub, less=80))) == (409, "TG3001")
    assert send(hub, signed(hub, less=80), params={"force": "true"}).status_code == 200


def test_with_a_key_an_upload_is_taken_once(hub: Office) -> None:
    body = signed(hub)
    keyed: dict[str, Any] = {"headers": {"Idempotency-Key": "weekly"}}
    first = send(hub, body, **keyed)
    hub.clock.advance(HOUR)
    again = send(hub, body, **keyed)
    assert (again.status_code, again.json()) == (200, first.json())
    assert actions(hub, "snapshot.import") == 1
    assert code(send(hub, body, params={"reason": "another"}, **keyed)) == (409, "TG5002")
    assert code(send(hub, signed(hub, less=1), **keyed)) == (409, "TG5002")


def test_a_reason_is_asked_for(hub: Office) -> None:
    assert code(hub.ask("POST", IMPORT, content=signed(hub))) == (422, "TG5007")
    assert code(hub.ask("POST", IMPORT, content=signed(hub), params={"reason": "two\nlines"})) == (422, "TG5007")


# --- large bodies -----------------------------------------------------------------------------------------------------


def test_a_bundle_may_be_larger_than_other_bodies(hub: Office) -> None:
    """Signed and readable, but padded: it comes as far as being no bundle."""
    data = b" " * 400_000 + b"{}\n"
    answer = send(hub, join(Sealed(data=data, signature=sign(data, KEY, comment="x"))))
    assert code(answer) == (422, "TG2005")
    assert "KeyError: 'format'" in answer.json()["detail"]


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 100


def test_a_bundle_that_is_too_large_is_refused_before_it_is_read(hub: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intel_bundles, "MAX_BUNDLE_BYTES", 1000)
    declared = send(hub, b"x" * 1001)
    assert code(declared) == (413, "TG8004")
    assert code(send(hub, endless())) == (413, "TG8004")
    assert send(hub, b"x" * 1000).status_code == 422


def uploaded(office: Office, receive: Callable[[], Awaitable[Any]], *, token: str) -> int:
    """The status that an upload is answered with, whose body comes by ``receive``."""
    sent: list[Any] = []

    async def keep(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": IMPORT,
        "query_string": b"reason=x",
        "headers": [(b"authorization", f"Bearer {token}".encode())],
        "client": ("192.0.2.55", 1),
        "scheme": "http",
        "server": ("tokgate.test", 80),
        "http_version": "1.1",
    }

    async def asked() -> None:
        await office.app(scope, receive, keep)

    office.runner.run(asked())
    return int(sent[0]["status"])


def test_a_body_that_drips_is_cut_off(hub: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intel_bundles, "BODY_SECONDS", 0.2)
    parts = [{"type": "http.request", "body": b"x", "more_body": True}]

    async def receive() -> Any:
        if not parts:
            await asyncio.Event().wait()
        return parts.pop()

    assert uploaded(hub, receive, token=hub.tokens["operate"]) == 408
    assert send(hub, signed(hub)).status_code == 200, "the next one is let in"


def test_one_who_may_not_is_refused_before_the_body_is_looked_at(hub: Office) -> None:
    """The door does not receive it: a stranger's hundred megabytes would be in our memory else."""
    taken = 0

    async def receive() -> Any:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x", "more_body": True}

    assert uploaded(hub, receive, token="nobody") == 401
    assert uploaded(hub, receive, token=hub.tokens["read"]) == 403
    assert taken == 0


def test_one_bundle_at_a_time(hub: Office) -> None:
    with hub.app.state.bundles.enter():
        for answer in (send(hub, signed(hub)), hub.ask("POST", EXPORT, json={})):
            assert code(answer) == (503, "TG8007")
            assert "1 bundle is being imported or exported already" in answer.json()["detail"]
    assert send(hub, signed(hub)).status_code == 200
    assert send(hub, b"").status_code == 422
    assert send(hub, signed(hub)).status_code == 200, "a refusal lets the next one in"


def test_i14_who_did_it_stands_in_the_log_by_name(hub: Office) -> None:
    hub.add_token("night-shift", Scope.OPERATE)
    send(hub, signed(hub), token="night-shift")
    entry = next(e for e in hub.controller.audit() if e.action == "snapshot.import")
    assert (entry.actor, entry.reason) == ("token:night-shift", "by courier")
    assert hub.controller.verify_audit() == []
