"""Every action that the audit log can tell of says what was before or what is after.

The actions are read off the code. Whatever the API does is asked over HTTP, by the table of dry runs; the rest is done
by its desk. An action of the code that nothing here brings about fails.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from controller.access_roles import AccessRole
from controller.audit import AuditNote
from controller.errors import NotAuthenticated
from controller.people import Identity
from controller.people_desk import Browser
from controller.webhooks import Answer, Message, MessageState
from core.secret import Secret
from tests.api.conftest import Office, Stock
from tests.api.test_rest_dry_run import CALLS, V1, an_office_of_secrets, approved, hooked, person, requested, second

HERE: Final = Browser(address="192.0.2.9", agent="test")
ROOT: Final = Path(__file__).resolve().parents[2]
FAMILIES: Final = ("emergency", "exception", "feed", "inventory", "person", "plan", "session", "snapshot", "source")
ACTION: Final = re.compile(rf"(?:{'|'.join((*FAMILIES, 'token', 'webhook'))})\.[a-z-]+(?:\.[a-z]+)?")
NO_ACTIONS: Final = {
    "inventory.yaml",
    "exception.unknown",
    "exception.ended",
    "webhook.gap",
    "webhook.test",
    "webhook.recovered",
}
"""Names of other things: of a file, of events in the log, of messages."""
CHANGES_NOTHING: Final = {
    "snapshot.export": "it leaves as a file; nothing here is another afterwards",
    "evidence.export": "it leaves as a file; nothing here is another afterwards",
    "report.send": "it is made and leaves; nothing here is another afterwards",
    "export.replay": "what is kept is sent again; from where on stands in the entry",
    "webhook.replay": "the messages themselves say what becomes of them",
    "webhook.resume": "said of one that is not paused",
}
"""Beside the entries of runs, which say that one began: what it moved on devices stands in the run."""
BY_ITS_SHELF: Final = {f"exception.{word}" for word in ("declare", "undeclare", "resolve", "remind", "idle")}
"""Of exceptions the store itself adds what was moved, whoever writes the note: see the test of that."""
READ_AT: Final = {"inventory.sync": "api/cli/inventory.py", "plan.force": "controller/service.py"}
"""They take a firewall that answers, or a server of others; their notes are looked at where they stand."""


def says(entry: Any) -> bool:
    detail = json.loads(entry.detail)
    return bool(detail.get("changed")) or {"before", "after"} <= detail.keys()


def actions() -> set[str]:
    """Every action that stands in the code: its words, without those that are names of events in the log."""
    found = {"emergency.begin", "emergency.end"}  # put together of two words
    for path in (*(ROOT / "controller").rglob("*.py"), ROOT / "api" / "cli" / "inventory.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        logged = {id(c.args[0]) for c in ast.walk(tree) if isinstance(c, ast.Call) and _is_log(c) and c.args}
        words = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
        found |= {str(n.value) for n in words if id(n) not in logged and ACTION.fullmatch(str(n.value))}
    return found - NO_ACTIONS


def _is_log(call: ast.Call) -> bool:
    by = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(by, ast.Name) and by.id == "log"


def told(office: Office) -> set[str]:
    """The actions that the log holds. Fails for an entry that does not say what it moved."""
    entries = [e for e in office.controller.audit(limit=1000) if not e.action.startswith("run.")]
    assert {e.action for e in entries if not says(e)} <= CHANGES_NOTHING.keys()
    return {e.action for e in entries}


def done_by_desks(office: Office) -> set[str]:
    """What is not done over HTTP, or by time alone."""
    desk, store = office.controller.people, office.controller.store
    admin = frozenset({AccessRole.ADMIN})
    desk.add_local("ann", title="", roles=admin, sites=None, password=Secret("a long good word 1"), actor="test")
    desk.set_password("ann", Secret("another long word 2"), actor="test")
    desk.sign_in_local("ann", Secret("another long word 2"), browser=HERE)
    for _ in range(5):
        with pytest.raises(NotAuthenticated):
            desk.sign_in_local("ann", Secret("wrong"), browser=HERE)
    person(office)
    desk.sign_in_as(
        Identity(issuer="https://id", subject="z", name="zoe", title="Zoe", roles=admin, sites=None), browser=HERE
    )
    hooked(office)
    requested(office)
    office.ask("POST", f"{V1}/webhooks/chat/replay")
    hook, now = store.webhook("chat"), office.clock.now()
    which: dict[str, Any] = {"seq": 1, "id": "x", "webhook": hook.id, "kind": "run", "body": "{}"}
    gone = Message(**which, at=now, queued_at=now, state=MessageState.PENDING)
    store.note_failed(hook, gone, Answer(status=410), now, again=timedelta(minutes=1))
    for again in (False, True):
        office.controller.feeds.create_token("fw-berlin", actor="test", rotate=again)
    office.controller.feeds.revoke_tokens("fw-berlin", actor="test")
    store.follow_inventory("another", {})
    second(office)
    taken = office.controller.snapshot().services[0].networks[0]
    ends = (now + timedelta(hours=1)).isoformat()
    body = {"kind": "withdraw", "value": str(taken), "reason": "why", "ends": ends}
    assert office.ask("POST", f"{V1}/emergencies", json=body).status_code == 201
    requested(office, draft=True)
    approved(office)
    office.clock.advance(timedelta(days=40))
    office.controller.exceptions.end_due()
    return told(office)


def test_every_action_of_the_code_says_what_it_moved(
    stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set(BY_ITS_SHELF | READ_AT.keys())
    for number, name in enumerate(CALLS):
        (tmp_path / str(number)).mkdir()
        with an_office_of_secrets(tmp_path / str(number), stock, monkeypatch) as office:
            asked = CALLS[name](office)
            assert office.ask(name[0], asked.path, token=asked.token, **asked.more).is_success, name
            seen |= told(office)
    (tmp_path / "desks").mkdir()
    with an_office_of_secrets(tmp_path / "desks", stock, monkeypatch) as office:
        seen |= done_by_desks(office)
    assert actions() <= seen, "bring it about above"


@pytest.fixture
def office(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with an_office_of_secrets(tmp_path, stock, monkeypatch) as made:
        yield made


def test_of_exceptions_the_store_says_what_was_moved(office: Office) -> None:
    where = requested(office)
    store = office.controller.store
    exception = office.controller.exceptions.get(where.rsplit("/", 1)[1])
    note = AuditNote(actor="test", action="exception.remind", subject=exception.id)
    store.update_exception(replace(exception, reason="another"), expected_state=exception.state, audit=note)
    newest, first = office.controller.audit(limit=2)
    assert json.loads(newest.detail)["changed"] == {"reason": ["campaign", "another"]}
    assert json.loads(first.detail)["changed"]["state"] == [None, "requested"]


def test_the_notes_that_are_read_where_they_stand_say_it() -> None:
    for action, path in READ_AT.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf'"{re.escape(action)}"[^#]{{0,400}}\.moving\(', text), action


def test_an_entry_that_says_nothing_is_noticed(office: Office) -> None:
    office.controller.store.append_audit(AuditNote(actor="test", action="token.create", subject="x"))
    with pytest.raises(AssertionError):
        told(office)
