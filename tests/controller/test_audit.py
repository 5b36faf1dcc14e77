"""The audit chain: complete, in order, and every change to it is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller import tokens
from controller.audit import FIRST, AuditNote, Head, breaks, entry_after
from controller.errors import StoreError
from controller.model import AuditEntry, Scope
from controller.store import AuditQuery, Store
from controller.store.schema import micros, moment
from core.clock import ManualClock
from tests.controller.backends import behind, is_file, refusing

NOW = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)
COLUMNS = ("seq", "at", "actor", "action", "subject", "reason", "detail", "previous", "hash")


def chain(*notes: AuditNote) -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    for note in notes:
        entries.append(entry_after(head_of(entries), note, NOW))
    return entries


def head_of(entries: list[AuditEntry]) -> Head:
    return Head(seq=entries[-1].seq, hash=entries[-1].hash) if entries else Head()


NOTES = st.builds(AuditNote, actor=st.text(), action=st.text(), subject=st.text(), reason=st.text())


@given(st.lists(NOTES, max_size=6))
@settings(deadline=None)
def test_i14_an_untouched_chain_holds_whatever_was_written(notes: list[AuditNote]) -> None:
    entries = chain(*notes)
    assert breaks(entries, head_of(entries)) == []
    assert [e.seq for e in entries] == list(range(1, len(notes) + 1))
    assert not entries or entries[0].previous == FIRST


@given(st.lists(NOTES, min_size=2, max_size=6), st.data())
@settings(deadline=None)
def test_i14_an_entry_taken_out_doubled_or_moved_is_noticed(notes: list[AuditNote], data: st.DataObject) -> None:
    entries = chain(*notes)
    at = data.draw(st.integers(0, len(entries) - 1))
    other = data.draw(st.integers(0, len(entries) - 1).filter(lambda n: n != at))
    swapped = list(entries)
    swapped[at], swapped[other] = swapped[other], swapped[at]
    for changed in (entries[:at] + entries[at + 1 :], [*entries[:at], entries[at], *entries[at:]], swapped):
        assert breaks(changed, head_of(entries)) != []


def test_i14_every_flipped_bit_is_found() -> None:
    entries = chain(*(AuditNote(actor="alice", action="a.b", subject=f"e{n}", detail={"n": n}) for n in range(3)))
    for column in COLUMNS:
        for value in flipped(getattr(entries[1], column)):
            changed = [entries[0], replace(entries[1], **{column: value}), entries[2]]
            assert breaks(changed, head_of(entries)) != [], f"{column}: {value!r}"


def flipped(value: object) -> Iterator[object]:
    """The value with each of its bits turned over."""
    match value:
        case int():
            yield from (value ^ (1 << bit) for bit in range(31))
        case datetime():
            yield from (moment(micros(value) ^ (1 << bit)) for bit in range(50))
        case str():
            raw = value.encode()
            for bit in range(8 * len(raw)):
                yield (int.from_bytes(raw) ^ (1 << bit)).to_bytes(len(raw)).decode(errors="surrogateescape")


# --- in the store -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _five_entries(store: Store) -> None:
    for number in range(5):
        note = {"actor": "alice", "action": "exception.approve", "subject": f"e{number}", "reason": "why"}
        store.append_audit(AuditNote(**note, detail={"n": number}))


def stored(store: Store, column: str, seq: int) -> bytes | int:
    [(value,)] = behind(store, f"SELECT {column} FROM audit WHERE seq = ?", seq)
    return value if isinstance(value, int) else str(value).encode()


@pytest.mark.parametrize("seq", [1, 3, 5])
@pytest.mark.parametrize("column", COLUMNS)
def test_i14_a_flipped_bit_on_the_disk_is_found(column: str, seq: int, store: Store) -> None:
    assert store.verify_audit() == []
    before = stored(store, column, seq)
    back = before if isinstance(before, int) or is_file(store) else before.decode()
    for bit in range(8) if isinstance(before, int) else range(0, 8 * len(before), 61):
        if isinstance(before, int):
            after: object = before ^ (1 << (bit + 3))  # a whole new number, not the next entry's
        else:
            raw = bytearray(before)
            raw[bit // 8] ^= 1 << (bit % 8)
            after = bytes(raw) if is_file(store) else raw.decode("latin-1")  # a server keeps no broken text
        cast = "CAST(? AS TEXT)" if isinstance(after, bytes) else "?"
        now = after if column == "seq" else seq
        behind(store, f"UPDATE audit SET {column} = {cast} WHERE seq = ?", after, seq)
        assert store.verify_audit() != [], f"bit {bit} of {column}"
        behind(store, f"UPDATE audit SET {column} = {cast} WHERE seq = ?", back, now)
    assert store.verify_audit() == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM audit WHERE seq = 3", "entry 3 is missing"),
        ("DELETE FROM audit WHERE seq = 5", "ends with entry 4, but entry 5 was written last"),
        ("DELETE FROM audit", "ends with entry 0"),
        ("UPDATE audit SET actor = 'mallory' WHERE seq = 2", "entry 2 does not match its hash"),
        ("INSERT INTO audit SELECT 6, at, actor, action, subject, reason, detail, hash, hash FROM audit WHERE seq = 5",
         "entry 6 stands behind entry 5"),
        ("UPDATE meta SET value = '4:' || (SELECT hash FROM audit WHERE seq = 4) WHERE key = 'audit_head'",
         "entry 5 stands behind entry 4"),
    ],
)  # fmt: skip
def test_i14_what_was_done_to_the_chain_is_told(statement: str, said: str, store: Store) -> None:
    behind(store, statement)
    assert said in "\n".join(store.verify_audit())


def test_entries_come_newest_first_in_pages(store: Store) -> None:
    assert [e.seq for e in store.audit_entries(limit=2)] == [5, 4]
    assert [e.seq for e in store.audit_entries(before=4)] == [3, 2, 1]
    newest = store.audit_entries(limit=1)[0]
    assert (newest.actor, newest.subject, newest.detail, newest.at) == ("alice", "e4", '{"n":4}', NOW)


def test_how_a_subject_begins_is_taken_exactly(store: Store) -> None:
    """In both databases; capitals, and what means something to LIKE, too."""
    for subject in ("fw_a", "FW_A", "fwxa", "fw%a"):
        store.append_audit(AuditNote(actor="bob", action="exception_x.y", subject=subject))
    for begin, found in (("fw_", ["fw_a"]), ("FW", ["FW_A"]), ("fw%", ["fw%a"]), ("fw", ["fw%a", "fwxa", "fw_a"])):
        assert [e.subject for e in store.audit_entries(wanted=AuditQuery(subject=begin))] == found
    assert len(store.audit_entries(wanted=AuditQuery(action="exception"))) == 5
    assert store.audit_entries(wanted=AuditQuery(action="EXCEPTION")) == []
    assert len(store.audit_entries(wanted=AuditQuery(text="FW_"))) == 2, "text is looked for whatever its case"


def test_i14_what_cannot_be_logged_is_not_done(store: Store) -> None:
    with refusing(store, "audit"), pytest.raises(StoreError):
        tokens.create(
            store, ManualClock(NOW), name="ci", scopes=[Scope.READ], lifetime=timedelta(days=1), actor="alice"
        )
    assert store.tokens() == []
    assert len(store.audit_entries()) == 5
    assert store.verify_audit() == []
