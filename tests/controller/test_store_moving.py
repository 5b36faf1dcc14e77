"""What moved in the store between two looks: which topics, about which sites, in either kind of store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from controller.audit import AuditNote
from controller.changes import Changes, Marks, Topic
from controller.model import CoverageState, DeviceRun, Observation, Outcome, Run
from controller.store import Store
from core.clock import ManualClock
from core.ids import DeviceName, EventId, RunId, SiteName, new_id
from tests.controller.proving import some_proofs
from tests.controller.test_store import event, reading
from tests.controller.test_store_episodes import an_episode

BERLIN, AUSTIN = SiteName("berlin"), SiteName("austin")
FW = DeviceName("fw-berlin")


def look(store: Store, clock: ManualClock, site: SiteName) -> None:
    state = CoverageState.ENFORCED
    store.add_observation(Observation(device=FW, site=site, at=clock.now(), found=state, left=state))


def test_nothing_moves_until_something_does(store: Store, clock: ManualClock) -> None:
    first = store.marks()
    assert store.changes(first, store.marks()) == {}
    clock.advance(timedelta(seconds=1))
    look(store, clock, BERLIN)
    assert store.changes(first, store.marks()) == {Topic.SITE: {BERLIN}}
    assert store.newest_look() == store.marks().looks


def test_each_topic_tells_its_sites(store: Store, clock: ManualClock) -> None:
    marks = store.marks()
    store.record("", [an_episode(new_id(), clock.now())])
    found, marks = moved(store, marks)
    assert found == {Topic.EPISODES: {BERLIN}}
    store.record_events(FW, reading(), [event()])
    found, marks = moved(store, marks)
    assert found == {Topic.EPISODES: {BERLIN}}
    for _ in range(2):
        store.record_proofs(new_id(), [replace(p, id=EventId(new_id())) for p in some_proofs(clock.now())])
        found, marks = moved(store, marks)
    assert found[Topic.SITE] == {BERLIN}


def test_a_run_moves_when_it_begins_goes_on_and_ends(store: Store, clock: ManualClock) -> None:
    store.start_run(run_at(clock, AUSTIN))
    marks = store.marks()
    run = run_at(clock, BERLIN)
    store.start_run(run)
    found, begun = moved(store, marks)
    assert found == {Topic.RUNS: {BERLIN}}
    store.record_device(replace(run.devices[0], outcome=Outcome.APPLIED, finished_at=clock.now()))
    found, marks = moved(store, begun)
    assert found == {Topic.RUNS: {BERLIN}}
    store.finish_run(run.id, clock.now())
    found, marks = moved(store, marks)
    assert found == {Topic.RUNS: {BERLIN}}
    resumed = Marks.parse(str(begun))
    assert resumed is not None
    assert store.changes(resumed, marks) == {Topic.RUNS: None}, "what a browser remembers does not say which were open"


def moved(store: Store, before: Marks) -> tuple[Changes, Marks]:
    """What has changed since, and how far the store is now."""
    now = store.marks()
    return store.changes(before, now), now


def run_at(clock: ManualClock, site: SiteName) -> Run:
    number = RunId(new_id())
    part = DeviceRun(
        run=number, site=site, device=DeviceName(f"fw-{site}"), started_at=clock.now(), finished_at=None,
        outcome=Outcome.RUNNING, steps=0, snapshot=None,
    )  # fmt: skip
    return Run(id=number, trigger="api", actor="test", started_at=clock.now(), finished_at=None, devices=(part,))


def test_only_sign_ins_make_streams_doubt(store: Store) -> None:
    seq = store.marks().audit
    note(store, "policy.edit")
    assert not store.signed_out_since(seq)
    note(store, "session.end")
    assert store.signed_out_since(seq)
    assert not store.signed_out_since(store.marks().audit)


def note(store: Store, action: str) -> None:
    store.ask_replay("x", 0, audit=AuditNote(actor="test", action=action, subject="x"))


def test_what_lies_too_far_back_may_be_about_any_site(store: Store, clock: ManualClock) -> None:
    look(store, clock, BERLIN)
    now = store.marks()
    assert store.changes(replace(now, looks=now.looks + 1), now) == {Topic.SITE: None}
    assert store.changes(replace(now, looks=-30_000, is_read=True), now) == {Topic.SITE: None}
    assert store.changes(replace(now, looks=-30_000), now) == {Topic.SITE: {BERLIN}}, "between two looks of ours"
