"""Hands on our objects: noticed, told, and put right by the next sync, without ever opening on the way."""

from __future__ import annotations

import pytest

from tests.contract.rig import RIGS, Rig, is_untouched, look, plan, push
from tests.contract.test_changes import EVERY_WAY, OTHERS, blocked, holds
from tests.contract.wishes import wish

pytestmark = pytest.mark.root

CASES = [(vendor, what) for vendor, rig in RIGS.items() for what in rig.damages()]


@pytest.mark.parametrize("what", [what for _, what in CASES])
def test_i03_a_hand_on_our_objects_is_seen_and_undone(rig: Rig, what: str) -> None:
    push(rig, wish(rig, monitor=("guest",)))
    rig.damage(what)
    observed, change = plan(rig, wish(rig, monitor=("guest",)))
    assert not is_untouched(observed), "or it would count as enforced"
    assert not change.is_empty
    push(rig, wish(rig, monitor=("guest",)))
    assert holds(rig, wish(rig, monitor=("guest",)))
    assert blocked(rig, "company", *EVERY_WAY[:3], *OTHERS[:1]) == set(EVERY_WAY[:3])


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
    from lab.errors import LabError

    try:
        rig.damage(what)
    except LabError:
        return
