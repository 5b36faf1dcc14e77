"""An hour of looks and counts at Berlin, for pages that show them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from controller.evidence.model import Episode, EpisodeAction, EpisodeKind
from controller.model import CoverageState, DeviceRun, Observation, Outcome, Run
from controller.planning import store_plan
from controller.service import Controller
from core.ids import RunId, new_id
from tests.controller.reporting import BERLIN, FW, event, seen, status
from tests.controller.test_planning import NOTHING, hosts, want
from tests.controller.test_store_episodes import an_episode
from vendors.diff import diff
from vendors.model import Action, Reading, RuleCount, RuleName

STEP = timedelta(minutes=20)
SECOND = timedelta(seconds=1)
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
    deny = RuleCount(rule=RuleName("deny-company"), action=Action.DENY, epoch="1", hits=40, packets=None, octets=4711)
    store.record_events(FW, Reading(epoch="boot", read_at=now - timedelta(minutes=30), rules=(deny,)), hits)
    store.record("", [found_at(now - STEP)])
    return proven


def two_runs(controller: Controller) -> tuple[str, str, str]:
    """The numbers of a run that changed the firewall of Berlin, of one that was refused there, and of a plan for it."""
    now, store = controller.clock.now(), controller.store
    applied = DeviceRun(
        run=RunId(new_id()), site=BERLIN, device=FW, started_at=now - STEP, finished_at=now - STEP + 4 * SECOND,
        outcome=Outcome.APPLIED, steps=2, snapshot=controller.snapshot().id, flows_cut=3,
        timings={"apply": 1.25, "read": 0.5},
    )  # fmt: skip
    refused = replace(
        applied, run=RunId(new_id()), started_at=now - STEP / 2, finished_at=now - STEP / 2 + SECOND,
        outcome=Outcome.FAILED, error_code="TG4007", error=f"TG4007 {FW}: the device said <no> (look at its log)",
        flows_cut=None, timings=None,
    )  # fmt: skip
    for part, trigger in ((applied, "schedule"), (refused, "apply")):
        began = Run(id=part.run, trigger=trigger, actor="person:olga", started_at=part.started_at, finished_at=None)
        store.start_run(began)
        store.record_device(
            part, changes=["add to dst-tiktok: 71.18.0.0/16", "note snapshot <abc>; nothing else changes"]
        )
        store.finish_run(part.run, part.finished_at or now)
    plan = diff(NOTHING, want(hosts(3)), NOTHING.can)
    kept = store_plan(
        plan, NOTHING, site=BERLIN, device=controller.inventory.device(FW), snapshot=controller.snapshot().id,
        now=now - STEP,
    )  # fmt: skip
    store.save_plan(kept)
    return applied.run, refused.run, kept.id


def found_at(at: datetime, **changes: object) -> Episode:
    """Somebody's phone at Berlin, that got through."""
    made = an_episode(EPISODE, at, action=EpisodeAction.NOT_ENFORCED, kind=EpisodeKind.LEAK, user="<i>ann</i>")
    return replace(made, **changes)  # type: ignore[arg-type]
