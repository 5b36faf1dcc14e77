"""Hands on our objects: noticed, told, and put right by the next sync."""

from __future__ import annotations

import pytest

from lab.errors import LabError
from tests.contract.rig import Rig, is_untouched, look, push
from tests.contract.test_changes import EVERY_WAY, OTHERS, blocked, holds
from tests.contract.wishes import NAMES, wish
from vendors.diff import diff

pytestmark = pytest.mark.root


def test_i03_every_hand_on_our_objects_is_seen_and_undone(rig: Rig) -> None:
    wanted = wish(rig, monitor=("guest",))
    push(rig, wanted)
    adapter = rig.adapter()
    for what in rig.damages():
        rig.damage(what)
        with rig.session() as session:
            observed = adapter.read(session)
            assert not is_untouched(observed), f"{what}: it would count as enforced"
            if observed.mark is not None:  # a sync reads the counters before it repairs: no hand may stop that
                adapter.counters(session)
            receipt = adapter.apply(session, observed, diff(observed, wanted, observed.can))
        assert is_untouched(receipt.observed), what
        assert diff(receipt.observed, wanted, receipt.observed.can).is_empty, what
        assert blocked(rig, "company", EVERY_WAY[0], EVERY_WAY[3], OTHERS[0]) == {EVERY_WAY[0], EVERY_WAY[3]}, what
    assert holds(rig, wanted)


def test_many_hands_at_once(rig: Rig) -> None:
    push(rig, wish(rig))
    for what in rig.damages():
        if what != "the table gone":
            _try(rig, what)
    assert look(rig).irregular
    push(rig, wish(rig))
    assert holds(rig, wish(rig))


def _try(rig: Rig, what: str) -> None:
    """Some hands undo what others need."""
    try:
        rig.damage(what)
    except LabError:
        return


def test_i02_what_a_repair_keeps_for_the_boot_enforces(loose_rig: Rig) -> None:
    rig = loose_rig
    wanted = wish(rig, names=NAMES, monitor=("guest",))
    push(rig, wanted)
    for what in rig.damages():
        rig.damage(what)
        push(rig, wanted)
        rig.reboot(persisted=True)
        assert blocked(rig, "company", EVERY_WAY[0], OTHERS[0]) == {EVERY_WAY[0]}, what
        assert is_untouched(look(rig)), what
