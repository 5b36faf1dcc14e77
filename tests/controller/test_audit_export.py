"""The audit log as a file: checked without a store, and told where it was touched."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.audit import AuditNote, Head, changed, entry_after
from controller.audit_export import Unreadable, check, write
from controller.model import AuditEntry, ExceptionState
from controller.store import AuditQuery, Store
from core.clock import ManualClock
from tests.controller.offices import an_exception

NOW = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)


def exported(count: int = 4, after: Head = Head()) -> list[str]:  # noqa: B008  frozen
    entries: list[AuditEntry] = []
    head = after
    for number in range(count):
        note = AuditNote(actor="ann", action="a.b", subject=f"é{number}", reason="why", detail={"n": number})
        entries.append(entry_after(head, note, NOW))
        head = Head(seq=entries[-1].seq, hash=entries[-1].hash)
    return list(write(after, entries, head, at=NOW, instance="01hz"))


def test_what_was_written_is_found_intact() -> None:
    found = check(exported())
    assert (found.intact, found.entries, found.head.seq) == (True, 4, 4)
    assert check(exported(0)).intact
    later = exported(2, after=found.head)
    assert check(later).after == found.head, "a file goes on where another ended"
    assert json.loads(exported()[0])["kind"] == "tokgate audit log"


def edit(lines: list[str], number: int, **changes: object) -> list[str]:
    return [json.dumps({**json.loads(line), **changes}) if n == number else line for n, line in enumerate(lines)]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        pytest.param(edit(exported(), 2, reason="another"), "entry 2 does not match its hash", id="edited"),
        pytest.param(edit(exported(), 2, at="2026-11-25T12:00:01+00:00"), "entry 2 does not match", id="another-time"),
        pytest.param(exported()[:2] + exported()[3:], "entry 2 is missing", id="taken-out"),
        pytest.param(exported()[:4] + exported()[5:], "chain ends with entry 3", id="last-taken-out"),
        pytest.param(exported()[:-1], "cut off behind entry 4", id="cut-off"),
        pytest.param([*exported()[:3], exported()[2], *exported()[3:]], "entry 3 is missing: 2 follows 2", id="twice"),
        pytest.param(edit(exported(), 0, after={"seq": 0, "hash": "1" * 64}), "does not follow", id="other-beginning"),
        pytest.param(edit(exported(), 5, head={"seq": 4, "hash": "1" * 64}), "chain ends", id="other-head"),
    ],
)
def test_i14_a_file_that_was_touched_is_told_by_its_entry(lines: list[str], said: str) -> None:
    found = check(lines)
    assert not found.intact
    assert said in "\n".join(found.breaks)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "line 1"),
        (["{}"], "line 1"),
        (["hello"], "line 1: not JSON"),
        ([*exported()[:2], "[]"], "line 3: not an object"),
        ([*exported()[:2], '{"seq": 2}'], "line 3: not an entry"),
        (edit(exported(), 2, seq="2"), "line 3: not an entry"),
        (edit(exported(), 2, at="yesterday"), "line 3: its time"),
        ([*exported(), exported()[1]], "line 7: stands behind the head"),
    ],
)
def test_what_is_no_export_is_refused_by_its_line(lines: list[str], said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        check(lines)


# --- what entries hold ------------------------------------------------------------------------------------------------


def test_i14_a_change_tells_what_was_before_and_after(store: Store) -> None:
    before = an_exception("10.20.1.7/32", state=ExceptionState.REQUESTED)
    store.add_exception(before)
    after = replace(before, state=ExceptionState.APPROVED, decided_by="lead")
    note = AuditNote(actor="lead", action="exception.approve", subject=before.id)
    store.update_exception(after, expected_state=before.state, audit=note)
    detail = json.loads(store.audit_entries()[0].detail)
    assert detail["changed"] == {"decided_by": [None, "lead"], "state": ["requested", "approved"]}
    assert changed({"a": 1, "b": 2}, {"b": 2, "c": 3}) == {"a": [1, None], "c": [None, 3]}


def test_entries_are_found_by_who_what_when_and_text(store: Store, clock: ManualClock) -> None:
    for number, (actor, action) in enumerate(
        [("ann", "exception.approve"), ("bob", "exceptional"), ("ann", "token.create"), ("bob", "exception")]
    ):
        note = AuditNote(actor=actor, action=action, subject=f"s{number}", reason="50% off" if number == 2 else "Why")
        store.append_audit(note)
        clock.advance(timedelta(minutes=1))

    def found(**wanted: object) -> list[str]:
        return [entry.subject for entry in store.audit_entries(wanted=AuditQuery(**wanted))]  # type: ignore[arg-type]

    began = clock.now() - timedelta(minutes=4)
    assert found(actor="ann") == ["s2", "s0"]
    assert found(action="exception") == ["s3", "s0"], "a kind, not what begins alike"
    assert found(subject="s1") == ["s1"]
    assert found(text="0% OFF") == ["s2"], "no wildcard"
    assert found(text="why", oldest_first=True) == ["s0", "s1", "s3"]
    assert found(since=began + timedelta(minutes=1), until=began + timedelta(minutes=3)) == ["s2", "s1"]
    assert store.audit_count(AuditQuery(actor="bob"), most=100) == 2
    assert store.audit_count(AuditQuery(), most=3) == 3
    walk = store.audit_entries(limit=2, before=1, wanted=AuditQuery(oldest_first=True))
    assert [entry.seq for entry in walk] == [2, 3]


def test_an_export_of_a_store_holds_and_goes_on(store: Store) -> None:
    for number in range(3):
        store.append_audit(AuditNote(actor="ann", action="a", subject=str(number)))
    before, entries, last = store.audit_chain()
    first = check(write(before, entries, last, at=NOW, instance="01hz"))
    assert (first.intact, first.entries) == (True, 3)
    store.append_audit(AuditNote(actor="ann", action="a", subject="later"))
    before, entries, last = store.audit_chain(after=first.head.seq)
    second = check(write(before, entries, last, at=NOW, instance="01hz"))
    assert (second.intact, second.entries, second.after) == (True, 1, first.head)
