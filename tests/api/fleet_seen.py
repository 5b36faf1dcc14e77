"""An hour of looks and counts at Berlin, for pages that show them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from controller.evidence.model import Episode, EpisodeAction, EpisodeKind
from controller.model import CoverageState, Observation
from controller.service import Controller
from tests.controller.reporting import BERLIN, FW, event, seen, status
from tests.controller.test_store_episodes import an_episode
from vendors.model import Reading

STEP = timedelta(minutes=20)
EPISODE: Final = "01m8e2kc3nnqdc80mwmarwdc47"


def an_hour_at_berlin(controller: Controller) -> datetime:
    """Enforced at two looks, then found without its table; attempts in between. Returns when it was last proven."""
    now, store = controller.clock.now(), controller.store
    proven = now - 2 * STEP
    for at, found, cause in (
        (now - 3 * STEP, CoverageState.ENFORCED, ""),
        (proven, CoverageState.ENFORCED, ""),
        (now - STEP, CoverageState.NOT_ENFORCED, "the table is <gone>"),
    ):
        store.add_observation(Observation(device=FW, site=BERLIN, at=at, found=found, left=found, cause=cause))
    store.put_status(status(enforced_at=proven, last_seen_at=now - STEP, last_attempt_at=now - STEP))
    hits = [
        event(now - timedelta(minutes=50), 30, sources=(seen("10.20.1.7", 90, now - timedelta(minutes=51)),)),
        event(now - timedelta(minutes=30), 10),
    ]
    store.record_events(FW, Reading(epoch="boot", read_at=now - timedelta(minutes=30), rules=()), hits)
    store.record("", [found_at(now - STEP)])
    return proven


def found_at(at: datetime, **changes: object) -> Episode:
    """Somebody's phone at Berlin, that got through."""
    made = an_episode(EPISODE, at, action=EpisodeAction.NOT_ENFORCED, kind=EpisodeKind.LEAK, user="<i>ann</i>")
    return replace(made, **changes)  # type: ignore[arg-type]
