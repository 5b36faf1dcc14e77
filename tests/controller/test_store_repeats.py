"""Keys of idempotency in the store: claimed once over all processes, known to have done something or not, bounded."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from controller.audit import AuditNote
from controller.errors import Busy, Conflict
from controller.repeats import Claim, KeptAnswer, Keyed, under_key
from controller.store import Store
from core.clock import ManualClock
from tests.controller.backends import again

DAY = timedelta(days=1)
ASKED = Claim(caller="ann", key="k", request="r")
ANSWER = KeptAnswer(status=201, headers=(("location", "/x"),), body=b"{}")


def claimed(store: Store, number: int, caller: str = "ann", body: bytes = b"{}") -> Claim:
    claim = Claim(caller=caller, key=f"k{number}", request="r")
    assert store.claim(claim) is None
    store.keep_answer(claim, KeptAnswer(status=200, headers=(), body=body))
    return claim


def test_another_process_sees_a_key_under_way_and_then_its_answer(store: Store, clock: ManualClock) -> None:
    with again(store, clock) as other:
        assert store.claim(ASKED) is None
        with pytest.raises(Busy, match="under way"):
            other.claim(ASKED)
        store.keep_answer(ASKED, ANSWER)
        assert other.claim(ASKED) == ANSWER
        with pytest.raises(Conflict, match="another request"):
            other.claim(Claim(caller="ann", key="k", request="other"))
        assert other.claim(Claim(caller="ben", key="k", request="other")) is None, "keys are each caller's own"


def test_of_many_processes_in_the_same_moment_one_has_the_key(store: Store, clock: ManualClock) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def ask(by: Store) -> None:
        start.wait(30)
        try:
            outcomes.append("mine" if by.claim(ASKED) is None else "answered")
        except Busy:
            outcomes.append("busy")

    with again(store, clock) as second, again(store, clock) as third, again(store, clock) as fourth:
        threads = [threading.Thread(target=ask, args=(by,)) for by in (store, second, third, fourth)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted(outcomes) == ["busy", "busy", "busy", "mine"]


@pytest.mark.parametrize("written", [False, True])
def test_one_that_was_cut_short_is_taken_again_only_if_it_did_nothing(
    store: Store, clock: ManualClock, *, written: bool
) -> None:
    """Its process is gone: the claim is there, the answer is not."""
    with again(store, clock) as killed, under_key(Keyed(ASKED)):
        assert killed.claim(ASKED) is None
        if written:
            killed.append_audit(AuditNote(actor="ann", action="exception.request", subject="x"))
    if not written:
        assert store.claim(ASKED) is None
        return
    with pytest.raises(Conflict, match="cut short"):
        store.claim(ASKED)


def test_one_that_was_refused_leaves_its_key_free_unless_it_wrote(store: Store) -> None:
    with under_key(Keyed(ASKED)):
        assert store.claim(ASKED) is None
        store.release(ASKED)
        assert store.claim(ASKED) is None
        store.append_audit(AuditNote(actor="ann", action="exception.request", subject="x"))
        store.release(ASKED)
    with pytest.raises(Conflict, match="cut short"):
        store.claim(ASKED)


def test_keys_end_after_a_day_also_when_the_clock_was_set_back(store: Store, clock: ManualClock) -> None:
    first = claimed(store, 1)
    clock.advance(DAY)
    assert store.kept_answer(first) is not None
    clock.advance(timedelta(microseconds=1))
    assert store.claim(Claim(caller="ann", key="k1", request="other")) is None
    clock.jump(clock.now() - 30 * DAY)
    assert store.claim(Claim(caller="ann", key="k1", request="third")) is None
    clock.advance(2 * DAY)
    store.housekeeping(retention=365 * DAY)
    assert store.claim(first) is None


def test_only_so_many_keys_and_bytes_are_kept(store: Store, clock: ManualClock) -> None:
    store.most_repeats, store.most_repeats_of_one = 6, 3
    claims = []
    for number in range(5):
        clock.advance(timedelta(seconds=1))
        claims.append(claimed(store, number))
    assert [store.kept_answer(claim) is not None for claim in claims] == [False, False, True, True, True]
    theirs = [claimed(store, number, caller=f"c{number}") for number in range(2)]
    assert all(store.kept_answer(claim) for claim in (*claims[2:], *theirs)), "one caller's do not push out others'"
    store.answers_bytes = 270  # the next one alone
    clock.advance(timedelta(seconds=1))
    large = store.kept_answer(claimed(store, 9, body=bytes(range(256))))
    assert large is not None
    assert large.body == bytes(range(256))
    older = store.kept_answer(claims[-1])
    assert older is not None
    assert older.body is None, "it is known that it was answered, and not with what"
