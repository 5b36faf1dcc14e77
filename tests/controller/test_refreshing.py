"""A refresh that nobody waits for: whatever becomes of it is an answer, and the end of the process waits for it."""

from __future__ import annotations

import threading

import pytest

from controller.errors import Busy, NotFound, StoreError
from controller.refreshing import REMEMBERED, Ending, Refresher
from controller.views import RefreshResult
from core.clock import ManualClock
from tests.controller.conftest import NOON

NOTHING = RefreshResult(snapshot=None, previous=None, diff=None, records=(), changed=False)


def test_what_nobody_foresaw_is_an_outcome_without_its_words() -> None:
    def broken(actor: str, force: bool) -> RefreshResult:
        raise ZeroDivisionError("hunter2")

    refresher = Refresher(broken, ManualClock(NOON))
    begun = refresher.start(actor="ada", force=False)
    refresher.close()
    ended = refresher.get(begun.id)
    assert (ended.ending, ended.finished_at) == (Ending.FAILED, NOON)
    assert ended.error is not None
    assert ended.error.message == "unexpected ZeroDivisionError"


def test_an_error_in_words_is_told_in_these() -> None:
    def failing(actor: str, force: bool) -> RefreshResult:
        raise StoreError("the disk is full")

    refresher = Refresher(failing, ManualClock(NOON))
    begun = refresher.start(actor="ada", force=False)
    refresher.close()
    ended = refresher.get(begun.id)
    assert (ended.ending, ended.error and ended.error.code) == (Ending.FAILED, "TG5005")


def test_one_at_a_time_and_the_last_ones_are_remembered() -> None:
    go_on = threading.Event()
    seen: list[tuple[str, bool]] = []

    def waiting(actor: str, force: bool) -> RefreshResult:
        seen.append((actor, force))
        assert go_on.wait(30)
        return NOTHING

    refresher = Refresher(waiting, ManualClock(NOON))
    begun = refresher.start(actor="ada", force=True)
    assert refresher.start(actor="bob", force=True).id == begun.id
    with pytest.raises(Busy):
        refresher.start(actor="bob", force=False)
    go_on.set()
    refresher.close()
    assert seen == [("ada", True)]
    assert refresher.get(begun.id).ending is Ending.UNCHANGED
    for _ in range(REMEMBERED):
        refresher.start(actor="ada", force=False)
        refresher.close()
    with pytest.raises(NotFound):
        refresher.get(begun.id)
