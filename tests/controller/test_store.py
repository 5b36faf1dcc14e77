"""The store remembers exactly, loses nothing it has answered, doubles nothing, and says what is wrong with it."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from ipaddress import ip_address, ip_network
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from controller.audit import AuditNote
from controller.errors import Busy, Conflict, Invalid, NotFound, StoreError, StoreOutdated
from controller.model import (
    AccessException,
    Approval,
    CoverageState,
    Declared,
    DetectionEvent,
    DeviceRun,
    DeviceStatus,
    EntryHit,
    EventAction,
    ExceptionState,
    Observation,
    OpenHours,
    Outcome,
    Quality,
    Run,
    Scope,
    SourceSeen,
    StoredPlan,
    Token,
    Window,
)
from controller.rehearsal import Rehearsal, rehearsed
from controller.store import CutQuery, EventQuery, ExceptionQuery, RunQuery, Store
from controller.store.database import WouldWait, hurried
from controller.store.schema import REVISION, metadata, micros, moment
from controller.store.upgrade import MIGRATIONS
from core.clock import ManualClock
from core.ids import DeviceName, EventId, ExceptionId, PlanId, RunId, SiteName, SnapshotId, TokenId, new_id
from tests.controller.backends import again, behind, only_a_file
from vendors.model import Action, EntryCount, FlowCount, GroupName, Reading, RuleCount, RuleName

NOW = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BERLIN, PARIS = SiteName("berlin"), SiteName("paris")
FW, FW2 = DeviceName("fw-berlin"), DeviceName("fw-two")


def note(action: str = "test.change", **fields: str) -> AuditNote:
    return AuditNote(actor="alice", action=action, subject=fields.get("subject", "thing"), detail={"sites": ["berlin"]})


# --- opening ----------------------------------------------------------------------------------------------------------


def test_the_migrations_build_exactly_the_tables_that_the_code_knows(store: Store) -> None:
    with store._db.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == REVISION == store.schema_version


@only_a_file
def test_it_is_wal_and_full_and_nobody_but_the_writer_checkpoints(store: Store) -> None:
    with store._db.write() as writer, store._db.read() as reader:
        for connection in (writer, reader):
            asked = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS]
            assert asked == ["wal", 2, 0, 1]
        assert (reader.exec_driver_sql("PRAGMA query_only").scalar()) == 1


PRAGMAS = ("journal_mode", "synchronous", "wal_autocheckpoint", "foreign_keys")


def test_who_we_are_is_made_once(store: Store, clock: ManualClock) -> None:
    with again(store, clock) as other:
        assert other.instance_id() == store.instance_id()
        assert len(store.instance_id()) == 26


def test_an_empty_folder_is_no_store_unless_it_may_be_made(tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(StoreOutdated, match="tokgate db upgrade"):
        Store.open(tmp_path / "new", clock=clock, migrate=False)


def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(store: Store, clock: ManualClock) -> None:
    store.append_audit(note())
    set_revision(store, "9999")
    with pytest.raises(StoreOutdated, match="schema 9999, this version knows"):
        again(store, clock, migrate=True)
    set_revision(store, REVISION)
    with again(store, clock) as other:
        assert len(other.audit_entries()) == 1


def set_revision(store: Store, revision: str) -> None:
    behind(store, "UPDATE alembic_version SET version_num = ?", revision)


@only_a_file
def test_an_upgrade_makes_a_backup_first(store: Store, clock: ManualClock) -> None:
    store.append_audit(note())
    set_revision(store, "0000")
    with pytest.raises(StoreError):  # no migration leads on from a revision that never was
        store.upgrade()
    (backup,) = (store.path.parent / "backups").glob("store-0000-*.db")
    connection = sqlite3.connect(backup)
    assert connection.execute("SELECT count(*) FROM audit").fetchone() == (1,)
    connection.close()


@only_a_file
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda raw: b"This is no database at all." * 400, id="another-file"),
        pytest.param(lambda raw: raw[:4096] + b"\xa5" * 8192 + raw[12288:], id="overwritten-pages"),
        pytest.param(lambda raw: raw[: len(raw) // 2], id="cut-in-half"),
    ],
)
def test_i02_a_damaged_file_is_refused_with_what_to_do(damage: object, store: Store, clock: ManualClock) -> None:
    store.append_audit(note())
    store.close()
    raw = store.path.read_bytes()
    store.path.write_bytes(damage(raw))  # type: ignore[operator]
    with pytest.raises(StoreError, match=r"damaged.*put a backup in its place; what the firewalls hold stays in force"):
        Store.open(store.path.parent, clock=clock)


def test_a_folder_that_cannot_be_used_is_an_error_in_words(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="TOKGATE_DATA_DIR"):
        Store.open(tmp_path / "file", clock=clock)


@only_a_file
def test_nobody_else_may_read_it(store: Store) -> None:
    store.append_audit(note())
    files = [path for path in store.path.parent.rglob("*") if path.is_file()]
    assert {path.name: path.stat().st_mode & 0o077 for path in files if path.stat().st_mode & 0o077} == {}


def test_one_schedule_runs_over_one_store(store: Store, clock: ManualClock) -> None:
    with store.lease(), again(store, clock) as other, pytest.raises(Busy), other.lease():
        pass


def test_a_rehearsal_sees_what_it_writes_goes_on_after_a_refusal_and_leaves_nothing(store: Store) -> None:
    change, one = Rehearsal(), token()
    with rehearsed(change):
        store.add_token(one, "digest", audit=note())
        with pytest.raises(Conflict):
            store.add_token(token(), "digest")
        with pytest.raises(StoreError) as refused:  # by the database itself
            store.add_token(replace(one, name="other"), "hunter2")
        assert "hunter2" not in f"{refused.value} {refused.value.__cause__}"
        store.append_audit(note())
        assert [found.name for found in store.tokens()] == ["ci"]
        assert [entry.seq for entry in store.audit_entries()] == [2, 1]
    change.end()
    assert store.tokens() == []
    assert store.append_audit(note()).seq == 1


def test_times_are_exact_and_never_naive() -> None:
    assert moment(micros(NOW)) == NOW
    with pytest.raises(ValueError, match="time zone"):
        micros(NOW.replace(tzinfo=None))


# --- plans and runs ---------------------------------------------------------------------------------------------------


def part(run: RunId, device: DeviceName = FW, outcome: Outcome = Outcome.RUNNING, **fields: object) -> DeviceRun:
    base = DeviceRun(
        run=run,
        site=BERLIN,
        device=device,
        started_at=NOW,
        finished_at=None,
        outcome=outcome,
        steps=0,
        snapshot=None,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def a_run(*devices: DeviceName, trigger: str = "cli") -> Run:
    run_id = RunId(new_id())
    parts = tuple(part(run_id, device) for device in devices)
    return Run(id=run_id, trigger=trigger, actor="alice", started_at=NOW, finished_at=None, devices=parts)


def test_a_plan_comes_back_as_it_was(store: Store) -> None:
    plan = StoredPlan(
        id=PlanId(new_id()),
        created_at=NOW,
        site=BERLIN,
        device=FW,
        snapshot=SnapshotId("ab" * 32),
        checksum="c",
        steps=3,
        body='{"ü": "\\u0000"}',
    )
    store.save_plan(plan)
    assert store.plan(plan.id) == plan
    with pytest.raises(NotFound):
        store.plan(PlanId("none"))


def test_a_run_is_there_before_its_first_device_and_ends_once(store: Store) -> None:
    run = a_run(FW2, FW)
    store.start_run(run, audit=note("run.cli"))
    assert store.run(run.id) == run
    done = part(
        run.id,
        outcome=Outcome.APPLIED,
        finished_at=NOW + MINUTE,
        steps=4,
        snapshot=SnapshotId("ab" * 32),
        error_code=None,
        degraded=("domains: no dnsmasq",),
        flows_cut=0,
        timings={"read": 0.25, "apply": 1.5},
    )
    store.record_device(done)
    store.finish_run(run.id, NOW + MINUTE)
    store.finish_run(run.id, NOW + 2 * MINUTE)
    found = store.run(run.id)
    assert found.devices == (part(run.id, FW2), done)
    assert found.finished_at == NOW + MINUTE
    assert [entry.action for entry in store.audit_entries()] == ["run.cli"]


def test_open_flows_that_changes_ended_are_listed_and_summed_and_unknown_stays_unknown(store: Store) -> None:
    ended = {"outcome": Outcome.APPLIED, "finished_at": NOW + MINUTE}
    for cut, other in ((2, 0), (3, None)):
        run = a_run(FW, FW2)
        store.start_run(run)
        store.record_device(part(run.id, FW, flows_cut=cut, **ended))
        store.record_device(part(run.id, FW2, flows_cut=other, **ended))
    failed = a_run(FW)
    store.start_run(failed)
    store.record_device(part(failed.id, FW, outcome=Outcome.FAILED, finished_at=NOW + MINUTE))
    found = store.cuts()
    assert [(cut.device, cut.flows, cut.trigger) for cut in found] == [(FW, 3, failed.trigger), (FW, 2, failed.trigger)]
    assert store.cuts(before=(found[0].run, FW)) == found[1:]
    assert store.cuts(wanted=CutQuery(device=FW2)) == []
    assert store.cuts(wanted=CutQuery(until=NOW + MINUTE)) == []
    assert store.cut_count(CutQuery(), most=10) == 2
    site = found[0].site
    assert store.flows_cut(site, Window(NOW, NOW + 2 * MINUTE)) == {FW: 5, FW2: None}, "a failed change ended nothing"
    assert store.flows_cut(site, Window(NOW + 2 * MINUTE, NOW + 3 * MINUTE)) == {}


def test_a_device_that_joins_a_run_later_stands_last(store: Store) -> None:
    run = a_run(FW)
    store.start_run(run)
    store.record_device(part(run.id, FW2))
    assert [d.device for d in store.run(run.id).devices] == [FW, FW2]
    with pytest.raises(NotFound):
        store.record_device(part(RunId("none")))


def test_runs_are_listed_newest_first_in_pages_and_by_what_they_touched(store: Store) -> None:
    runs = [a_run(FW), a_run(FW2), a_run(FW, FW2)]
    for run in runs:
        store.start_run(run)
    ids = [run.id for run in runs]
    assert [r.id for r in store.runs()] == ids[::-1]
    assert [r.id for r in store.runs(limit=1, before=ids[2])] == [ids[1]]
    assert [r.id for r in store.runs(wanted=RunQuery(device=FW))] == [ids[2], ids[0]]
    assert store.runs(wanted=RunQuery(device=FW))[0].devices == runs[2].devices
    assert store.runs(wanted=RunQuery(site=PARIS)) == []


def test_i05_what_a_dead_process_left_running_is_uncertain(store: Store, clock: ManualClock) -> None:
    dead = again(store, clock)
    run, mine = a_run(FW, FW2), a_run(FW)
    dead.start_run(run)
    dead.record_device(part(run.id, FW2, Outcome.UNCHANGED, finished_at=NOW))
    store.start_run(mine)
    assert store.mark_abandoned(NOW) == []  # both live
    dead.close()
    clock.advance(MINUTE)
    assert store.mark_abandoned(clock.now()) == [FW]
    found = store.run(run.id)
    assert [(d.device, d.outcome) for d in found.devices] == [(FW, Outcome.UNCERTAIN), (FW2, Outcome.UNCHANGED)]
    assert found.devices[0].error_code == "TG4008"
    assert found.finished_at == NOW + MINUTE
    assert store.run(mine.id) == mine


# --- evidence ---------------------------------------------------------------------------------------------------------


def test_a_status_comes_back_as_it_was(store: Store) -> None:
    status = DeviceStatus(
        device=FW,
        site=BERLIN,
        last_seen_at=NOW,
        last_attempt_at=NOW,
        enforced_at=None,
        snapshot=SnapshotId("ab" * 32),
        mode="company=enforce",
        error_code=None,
        error=None,
        degraded=("domains: none",),
        exceptions=(ExceptionId("e1"),),
    )
    store.put_status(replace(status, mode="old"))
    store.put_status(status)
    assert store.statuses() == {FW: status}


def look(device: DeviceName, at: datetime, site: SiteName = BERLIN, **fields: object) -> Observation:
    base = Observation(
        device=device, site=site, at=at, found=CoverageState.ENFORCED, left=CoverageState.ENFORCED, cause=""
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def test_looks_come_with_the_last_one_before_the_window_of_each_device(store: Store) -> None:
    window = Window(NOW, NOW + 10 * MINUTE)
    before = [look(FW, NOW - 3 * MINUTE), look(FW, NOW - MINUTE), look(FW2, NOW - 2 * MINUTE)]
    inside = [look(FW2, NOW, found=None, left=None, cause="unreachable"), look(FW, NOW + MINUTE)]
    others = [look(FW, NOW + 10 * MINUTE), look(DeviceName("fw-p"), NOW + MINUTE, PARIS)]
    for observation in (*others, *inside, *before):
        store.add_observation(observation)
    assert store.observations(BERLIN, window) == [before[2], before[1], *inside]
    assert store.observations(SiteName("none"), window) == []


def reading(at: datetime = NOW, hits: int = 1) -> Reading:
    deny = RuleName("deny-company")
    return Reading(
        epoch="boot:1",
        read_at=at,
        rules=(RuleCount(rule=deny, action=Action.DENY, epoch="1", hits=hits, packets=None, octets=2**62),),
        entries=(EntryCount(group=GroupName("dst-tiktok"), network=ip_network("2001:db8::/32"), packets=1, octets=2),),
        flows=(
            FlowCount(
                action=Action.DENY,
                source=ip_address("10.20.0.7"),
                destination=ip_address("2001:db8::1"),
                packets=1,
                octets=None,
                last_seen=at,
            ),
        ),
        flows_truncated=True,
    )


def event(start: datetime = NOW, device: DeviceName = FW, **fields: object) -> DetectionEvent:
    base = DetectionEvent(
        id=EventId(new_id()),
        site=BERLIN,
        device=device,
        rule=RuleName("deny-company"),
        role="company",
        exception=None,
        action=EventAction.BLOCKED,
        window=Window(start, start + 5 * MINUTE),
        hits=3,
        packets=None,
        octets=0,
        quality=Quality.AT_LEAST,
        snapshot=SnapshotId("ab" * 32),
        sources=(
            SourceSeen(
                source=ip_address("10.20.0.7"),
                destination=ip_address("203.0.113.9"),
                packets=None,
                octets=7,
                last_seen=start,
            ),
        ),
        sources_truncated=True,
        entries=(EntryHit(entry="203.0.113.0/24", packets=3, octets=None),),
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def test_baseline_and_events_come_back_as_they_were(store: Store) -> None:
    assert store.last_reading(FW) is None
    one = event()
    assert store.record_events(FW, reading(), [one]) == 1
    assert store.last_reading(FW) == reading()
    assert store.events(EventQuery()).items == (one,)


def test_i11_an_event_written_twice_is_one_event(store: Store) -> None:
    one = event()
    same = replace(one, id=EventId(new_id()))
    other = replace(one, id=EventId(new_id()), rule=RuleName("deny-guest"))
    assert store.record_events(FW, reading(), [one]) == 1
    assert store.record_events(FW, reading(hits=9), [same, other]) == 1
    assert {e.id for e in store.events(EventQuery()).items} == {one.id, other.id}


def test_i11_baseline_and_events_are_written_together_or_not_at_all(store: Store) -> None:
    store.record_events(FW, reading(hits=1), [])
    broken = replace(event(), window=Window(NOW.replace(tzinfo=None), NOW.replace(tzinfo=None)))
    with pytest.raises(StoreError):
        store.record_events(FW, reading(hits=2), [event(), broken])
    assert store.last_reading(FW) == reading(hits=1)
    assert store.events(EventQuery()).items == ()


def test_events_come_newest_first_in_pages_that_neither_skip_nor_repeat(store: Store) -> None:
    written = [event(NOW + n // 3 * 5 * MINUTE, rule=RuleName(f"deny-{n % 3}")) for n in range(20)]
    store.record_events(FW, reading(), written)
    pages, cursor = [], None
    while True:
        page = store.events(EventQuery(limit=6, cursor=cursor))
        pages.append(page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    listed = [e for page in pages for e in page]
    assert listed == sorted(written, key=lambda e: (e.window.end, e.id), reverse=True)
    assert [len(page) for page in pages] == [6, 6, 6, 2]


@pytest.mark.parametrize("cursor", ["", "x", "%%%", "MTIz", "YWJjOmRlZg", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OnU", "é"])
def test_a_cursor_that_is_not_ours_is_refused(cursor: str, store: Store) -> None:
    with pytest.raises(Invalid, match="cursor"):
        store.events(EventQuery(cursor=cursor))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (EventQuery(site="berlin"), {0, 1, 2}),
        (EventQuery(site="paris"), set()),
        (EventQuery(device="fw-two"), {1}),
        (EventQuery(action=EventAction.ALLOWED), {2}),
        (EventQuery(exception="exc1"), {2}),
        (EventQuery(since=NOW + 5 * MINUTE), {1, 2}),
        (EventQuery(until=NOW), set()),
        (EventQuery(until=NOW + MINUTE), {0}),
        (EventQuery(site="berlin", device="fw-berlin", since=NOW + 5 * MINUTE), {2}),
    ],
)
def test_events_are_filtered(query: EventQuery, found: set[int], store: Store) -> None:
    written = [
        event(),
        event(NOW + MINUTE, FW2),
        event(NOW + 2 * MINUTE, action=EventAction.ALLOWED, exception=ExceptionId("exc1"), role=None),
    ]
    store.record_events(FW, reading(), written)
    assert {written.index(e) for e in store.events(query).items} == found


def test_an_event_belongs_to_the_one_report_in_which_it_ends(store: Store) -> None:
    written = [event(NOW + n * 5 * MINUTE) for n in range(4)]
    store.record_events(FW, reading(), written)
    middle = NOW + 10 * MINUTE
    halves = [Window(NOW - MINUTE, middle), Window(middle, NOW + 20 * MINUTE)]
    assert [store.events_between(BERLIN, half) for half in halves] == [written[:2], written[2:]]


# --- exceptions -------------------------------------------------------------------------------------------------------


def exception(**fields: object) -> AccessException:
    base = AccessException(
        id=ExceptionId(new_id()),
        sites=(BERLIN,),
        sources=(ip_network("10.20.0.7/32"), ip_network("2001:db8::/64")),
        service="tiktok",
        starts=NOW,
        ends=NOW + 60 * MINUTE,
        reason="campaign",
        owner="marketing",
        ticket="T-1",
        state=ExceptionState.REQUESTED,
        requested_by="bob",
        requested_at=NOW,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def test_an_exception_comes_back_as_it_was_but_for_what_is_derived(store: Store) -> None:
    asked = exception(live_on=(FW,))
    store.add_exception(asked, audit=note("exception.request"))
    assert store.exception(asked.id) == replace(asked, live_on=())
    with pytest.raises(NotFound):
        store.exception(ExceptionId("none"))


def test_two_people_cannot_decide_the_same_request(store: Store) -> None:
    asked = exception()
    store.add_exception(asked)
    approved = replace(asked, state=ExceptionState.APPROVED, decided_by="alice", decided_at=NOW)
    denied = replace(asked, state=ExceptionState.DENIED, decided_by="carol", decided_at=NOW)
    store.update_exception(approved, expected_state=ExceptionState.REQUESTED, audit=note("exception.approve"))
    with pytest.raises(Conflict, match="approved by now"):
        store.update_exception(denied, expected_state=ExceptionState.REQUESTED, audit=note("exception.deny"))
    assert store.exception(asked.id) == approved
    assert [e.action for e in store.audit_entries()] == ["exception.approve"]
    with pytest.raises(NotFound):
        store.update_exception(exception(), expected_state=ExceptionState.REQUESTED)


def test_exceptions_are_found_by_state_site_and_moment(store: Store) -> None:
    asked = exception()
    live = exception(state=ExceptionState.APPROVED, sites=(BERLIN, PARIS))
    later = exception(state=ExceptionState.APPROVED, starts=NOW + MINUTE)
    over = exception(state=ExceptionState.APPROVED, starts=NOW - 9 * MINUTE, ends=NOW)
    for each in (asked, live, later, over):
        store.add_exception(each)
    assert store.exceptions() == [asked, live, later, over]
    assert store.exceptions(state=ExceptionState.REQUESTED) == [asked]
    assert store.exceptions(sites=[PARIS]) == [live]
    assert store.exceptions(live_at=NOW) == [live]
    assert store.exceptions(sites=[]) == []


@pytest.mark.parametrize("first", [1, 2, 5, 6, 100])
@pytest.mark.parametrize("newest_first", [True, False])
def test_exceptions_are_read_in_order_and_no_further_than_they_are_asked_for(
    store: Store, first: int, newest_first: bool
) -> None:
    made = [exception(state=ExceptionState.APPROVED if n % 2 else ExceptionState.DENIED) for n in range(5)]
    for each in made:
        store.add_exception(each)
    made = sorted(made, key=lambda e: e.id, reverse=newest_first)
    all_of_them = ExceptionQuery(oldest_first=not newest_first)
    batches = list(store.exception_batches(all_of_them, first=first))
    assert [each for batch in batches for each, _ in batch] == made
    assert len(batches[0]) == min(first, 5)
    behind = store.exception_batches(all_of_them, made[1].id, first=first)
    assert [each for each, _ in next(behind)] == made[2 : 2 + first]
    approved = store.exception_batches(replace(all_of_them, state=ExceptionState.APPROVED), first=first)
    assert [each for batch in approved for each, _ in batch] == [e for e in made if e.state is ExceptionState.APPROVED]


WORDS: Final[dict[str, Any]] = {
    "sites": (BERLIN, PARIS),
    "sources": (ip_network("10.20.1.0/28"),),
    "roles": ("guest",),
    "hosts": ("PC7.example.org",),
    "service": "capcut",
    "surface": "ads-manager",
    "hours": (OpenHours(days=("mon",), start=time(8), end=time(12)),),
    "reason": "100 % Ärger_mit\\Ü",
    "code": "research",
    "owner": "Zoë",
    "ticket": "MKT-7",
    "lead": "person:lea",
    "decided_by": "cli:max",
    "approvals": (Approval(actor="cli:eve", at=NOW, preview="feed0123"),),
    "declared": Declared(key="autumn", digest="0" * 64),
}


def test_text_is_looked_for_in_every_word_of_an_exception_and_in_no_other(store: Store) -> None:
    other, made = exception(), exception(**WORDS, state=ExceptionState.APPROVED)
    for each in (other, made):
        store.add_exception(each)
    for said in (
        *(made.id[-9:], "paris", "10.20.1.0/28", "guest", "pc7.EXAMPLE", "capcut", "ads-", "mon 08:00", "100 % ärger"),
        *("ger_mit\\ü", "research", "zoË", "mkt-7", "lea", "max", "cli:EVE", "feed01", "autumn", "approved"),
    ):
        assert found(store, text=said) == [made], said
    for unsaid in ("100_%", "ger%mit", "2026", "nowhere"):
        assert found(store, text=unsaid) == [], unsaid
    assert found(store, text="bob") == [other, made], "who asked for both"


def test_text_follows_a_decision_and_the_devices(store: Store) -> None:
    one, other = exception(reason="first"), exception(sites=(PARIS,))
    for each in (one, other):
        store.add_exception(each)
    store.update_exception(replace(one, reason="later"), expected_state=ExceptionState.REQUESTED)
    assert (found(store, text="first"), len(found(store, text="later"))) == ([], 1)
    store.put_status(holds(DeviceName("fw-odd"), one.id))
    assert [e.id for e in found(store, text="W-ODD")] == [one.id], "a device that was read back holding it"
    assert found(store, text="site-device", text_at=[PARIS]) == [other], "a device of its sites"


def test_filters_of_exceptions_are_the_databases_own(store: Store) -> None:
    live = exception(state=ExceptionState.APPROVED, starts=NOW - MINUTE)
    later = exception(state=ExceptionState.APPROVED, starts=NOW + MINUTE, owner="ann", code="research")
    for each in (live, later):
        store.add_exception(each)
    assert found(store, live=True, at=NOW) == [live]
    assert found(store, live=False, at=NOW) == [later]
    assert found(store, owner="ann") == found(store, code="research") == [later]
    assert found(store, service="none") == found(store, requested_by="BOB") == []
    assert store.exception_count(ExceptionQuery(requested_by="bob"), most=9) == 2
    assert store.exception_count(ExceptionQuery(), most=1) == 1


def found(store: Store, **wanted: Any) -> list[AccessException]:
    query = ExceptionQuery(oldest_first=True, **wanted)
    return [each for batch in store.exception_batches(query, first=50) for each, _ in batch]


def test_who_asks_for_the_same_with_other_words_is_answered_for_their_own(store: Store) -> None:
    """One statement is kept for all that ask with the same fields."""
    fields: dict[str, list[Any]] = {
        "state": [ExceptionState.APPROVED, ExceptionState.DENIED],
        "sites": [(BERLIN,), (PARIS,), (BERLIN, PARIS), ()],
        "live": [True, False],
        "service": ["tiktok", "capcut"],
        "code": ["research", "marketing"],
        "owner": ["ann", "bob"],
        "requested_by": ["bob", "carl"],
    }
    made = [
        exception(**{name: values[n % 2] for name, values in fields.items() if name != "live"}, starts=starts)
        for n in range(2)
        for starts in (NOW - MINUTE, NOW + MINUTE)
    ]
    for each in made:
        store.add_exception(each)
    for names in ([*fields], *([name] for name in fields)):
        for choice in product(*(fields[name] for name in names)):
            wanted = dict(zip(names, choice, strict=True))
            assert found(store, at=NOW, **wanted) == [e for e in made if _is_wanted(e, wanted)], wanted


def _is_wanted(one: AccessException, wanted: dict[str, Any]) -> bool:
    has = {"live": one.is_live(NOW)}
    return all(
        not {*one.sites}.isdisjoint(value) if name == "sites" else has.get(name, getattr(one, name, None)) == value
        for name, value in wanted.items()
    )


def test_pages_go_on_behind_the_one_they_were_asked_behind(store: Store) -> None:
    made = sorted((exception() for _ in range(6)), key=lambda e: e.id)
    for each in made:
        store.add_exception(each)
    for at, each in enumerate(made[:-1]):
        for oldest_first in (True, False):
            query = ExceptionQuery(oldest_first=oldest_first)
            [(behind, _)] = next(store.exception_batches(query, each.id, first=1)) or [(None, ())]
            assert behind == (made[at + 1] if oldest_first else made[at - 1] if at else None)


def test_who_is_in_a_hurry_is_told_that_others_come_first(store: Store) -> None:
    store.append_audit(note())
    prefix = "none"
    with hurried():
        with pytest.raises(WouldWait):
            store.append_audit(note())
        assert store.token_by_prefix(prefix) == [], "a connection lies ready"
        with ExitStack() as readers:
            while not store._db._is_taken():
                readers.enter_context(store._db.read())
            for read in (store.audit_entries, partial(store.token_by_prefix, prefix)):
                with pytest.raises(WouldWait):
                    read()
        assert store.token_by_prefix(prefix) == []
    assert len(store.audit_entries()) == 1


def holds(device: DeviceName, *exceptions: ExceptionId) -> DeviceStatus:
    """A device that was read back holding them."""
    return DeviceStatus(
        device=device,
        site=BERLIN,
        last_seen_at=NOW,
        last_attempt_at=NOW,
        enforced_at=NOW,
        snapshot=None,
        mode=None,
        error_code=None,
        error=None,
        exceptions=exceptions,
    )


def test_which_devices_hold_an_exception_is_found_from_the_exception(store: Store) -> None:
    one, other, third = (exception().id for _ in range(3))
    paris = DeviceName("fw-paris")
    store.put_status(holds(FW, one, other))
    store.put_status(holds(paris, one))
    assert store.holding([one, other, third]) == {one: (FW, paris), other: (FW,)}
    assert store.holding([]) == {}
    store.put_status(holds(FW, third))
    assert store.holding([one, other, third]) == {one: (paris,), third: (FW,)}
    many = [*(ExceptionId(new_id()) for _ in range(2_000)), third]
    assert store.holding(many) == {third: (FW,)}


# --- tokens and jobs --------------------------------------------------------------------------------------------------


def token(name: str = "ci", **fields: object) -> Token:
    base = Token(
        id=TokenId(new_id()),
        name=name,
        prefix="0a1b2c3d",
        scopes=frozenset({Scope.READ, Scope.APPROVE}),
        created_at=NOW,
        created_by="alice",
        expires_at=NOW + 60 * MINUTE,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def test_a_token_comes_back_as_it_was_and_its_last_use_is_noted(store: Store) -> None:
    made = token()
    store.add_token(made, "digest", audit=note("token.create"))
    store.touch_token(made.id, NOW + MINUTE)
    assert store.token_by_prefix("0a1b2c3d") == [(replace(made, last_used_at=NOW + MINUTE), "digest")]
    assert store.token_by_prefix("ffffffff") == []


def test_a_name_is_free_again_when_its_token_is_revoked(store: Store) -> None:
    first, second = token(), token()
    store.add_token(first, "a")
    with pytest.raises(Conflict, match="named 'ci'"):
        store.add_token(second, "b")
    store.revoke_token(first.id, NOW, audit=note("token.revoke"))
    store.add_token(second, "b")
    assert [t.revoked_at for t in store.tokens()] == [NOW, None]
    with pytest.raises(Conflict, match="already"):
        store.revoke_token(first.id, NOW)


def test_when_a_job_was_last_done_outlives_the_process(store: Store, clock: ManualClock) -> None:
    assert store.last_done("resolve") is None
    store.set_done("resolve", NOW)
    store.set_done("resolve", NOW + MINUTE)
    with again(store, clock) as other:
        assert other.last_done("resolve") == NOW + MINUTE


# --- upkeep -----------------------------------------------------------------------------------------------------------


def test_housekeeping_drops_what_is_old_and_keeps_what_decides(store: Store, clock: ManualClock) -> None:
    run, asked = a_run(FW), exception()
    store.start_run(run)
    store.finish_run(run.id, NOW)
    store.add_exception(asked, audit=note())
    store.add_observation(look(FW, NOW - MINUTE))
    store.add_observation(look(FW, NOW))
    store.record_events(FW, reading(), [event()])
    clock.advance(timedelta(days=31))
    store.add_observation(look(FW2, clock.now()))
    store.housekeeping(retention=timedelta(days=30))
    assert store.runs() == []
    assert store.events(EventQuery()).items == ()
    assert store.observations(BERLIN, Window(clock.now(), clock.now() + MINUTE)) == [
        look(FW, NOW),
        look(FW2, clock.now()),
    ]
    assert store.exceptions() == [asked]
    assert store.last_reading(FW) == reading()
    assert len(store.audit_entries()) == 1
    assert store.check() == []


def test_a_run_that_has_not_ended_is_never_dropped(store: Store, clock: ManualClock) -> None:
    run = a_run(FW)
    store.start_run(run)
    clock.advance(timedelta(days=99))
    store.housekeeping(retention=timedelta(days=30))
    assert store.run(run.id) == run


@only_a_file
def test_the_log_is_written_back_when_it_has_grown(store: Store) -> None:
    log = store.path.with_name("store.db-wal")
    big = StoredPlan(
        id=PlanId("p"),
        created_at=NOW,
        site=BERLIN,
        device=FW,
        snapshot=SnapshotId("s"),
        checksum="c",
        steps=1,
        body="x" * 1_000_000,
    )
    for number in range(12):
        store.save_plan(replace(big, id=PlanId(f"p{number}")))
    assert log.stat().st_size < 6_000_000
    store.housekeeping(retention=timedelta(days=1))
    assert log.stat().st_size == 0


@only_a_file
def test_a_backup_is_a_store(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    store.append_audit(note())
    folder = tmp_path / "restored"
    folder.mkdir()
    store.backup(folder / "store.db")
    assert [p.name for p in folder.iterdir()] == ["store.db"]
    with Store.open(folder, clock=clock, migrate=False) as copy:
        assert copy.audit_entries() == store.audit_entries()
        assert copy.instance_id() == store.instance_id()
    with pytest.raises(Conflict, match="exists already"):
        store.backup(folder / "store.db")
    with pytest.raises(StoreError, match="cannot be written"):
        store.backup(tmp_path / "nowhere" / "store.db")


@only_a_file
def test_a_healthy_store_answers_and_a_lost_one_does_not(store: Store) -> None:
    store.ping()
    assert store.check() == []
    store.path.unlink()
    with pytest.raises(StoreError, match="is gone"):
        store.ping()
