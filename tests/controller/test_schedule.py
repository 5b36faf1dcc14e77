"""The alarm clock: what is due is asked of the store and of the clock, so nothing that happens to either is missed.

Time is a ``ManualClock``, the store and the engine are the real ones, and the devices are out of reach: a sync ends in
an honest failure, and what a device holds is what the test writes into the store as last read back.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from apscheduler.triggers.interval import IntervalTrigger
from structlog.testing import capture_logs

from controller.desired import desired_for
from controller.exception_desk import Wanted
from controller.model import (
    AccessException,
    CoverageState,
    DeviceRun,
    DeviceStatus,
    ExceptionState,
    Mode,
    Outcome,
    Run,
)
from controller.schedule import Bell, Scheduler
from controller.service import Controller
from controller.settings import Settings
from controller.store import Store
from controller.sync import Look, Record
from controller.views import Selection
from core.clock import ManualClock, SystemClock
from core.ids import DeviceName, ExceptionId, RunId, SnapshotId, new_id
from ipsets.errors import GuardTripped
from tests.controller.memory import Firewall, bench
from tests.controller.offices import NOON, YAML, facts, request
from tests.vendors.playing import EVERYTHING
from vendors.errors import Unreachable
from vendors.model import Observed, Plan

JOBS = ("resolve", "sync", "counters", "housekeeping")
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
EDGE = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)
"""18:00 in Berlin: from here on the company is only watched."""


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Poll, bounded. Fails the test when it never comes true."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        pause.wait(0.005)


@dataclass(slots=True)
class World:
    """One controller and its schedule under a clock that the test moves."""

    opened: Controller
    schedule: Scheduler
    clock: ManualClock

    def tick(self) -> set[str]:
        """One tick and everything it starts, to the end. Returns the jobs that were due."""
        before = {job: self.opened.store.last_done(job) for job in JOBS}
        self.schedule.tick()
        self.settle()
        return {job for job in JOBS if self.opened.store.last_done(job) != before[job]}

    def settle(self) -> None:
        until(lambda: not self.schedule.under_way() and self.opened.queue_depth() == 0)
        until(lambda: not any(self.opened.is_under_way(run.id) for run in self.runs()))  # or the next tick waits for it

    def after(self, by: timedelta) -> set[str]:
        self.clock.advance(by)
        return self.tick()

    def syncs(self, site: str = "berlin") -> list[str]:
        """The triggers of the site's own syncs so far, in order; those of the whole fleet left out."""
        return [r.trigger for r in self.runs() if {d.site for d in r.devices} == {site}]

    def runs(self) -> list[Run]:
        return list(reversed(self.opened.runs(limit=500)))

    def hold(self) -> None:
        """As if every device had just been read back holding what is wanted now."""
        now = self.clock.now()
        for site, wanted in self.opened.signatures().items():
            held, mode, exceptions = wanted.split("|")
            for device in self.opened.inventory.site(site).devices:
                status = DeviceStatus(
                    device=device,
                    site=site,
                    last_seen_at=now,
                    last_attempt_at=now,
                    enforced_at=now,
                    snapshot=SnapshotId(held),
                    mode=mode,
                    error_code=None,
                    error=None,
                    exceptions=tuple(ExceptionId(e) for e in exceptions.split()),
                )
                self.opened.store.put_status(status)


@contextmanager
def world(
    folder: Path,
    at: datetime = NOON,
    *,
    text: str = YAML,
    jitter: float = 0.0,
    clock: ManualClock | None = None,
    quiet: bool = False,
) -> Iterator[World]:
    """The world over the store in ``folder``; entered again, it is the same one after a restart.

    ``quiet``: no job comes before a week, so that only what is different makes a sync.
    """
    (folder / "inventory.yaml").write_text(text, encoding="utf-8")
    clock = clock or ManualClock(at)
    intervals = {f"{job}_interval": timedelta(days=7) for job in JOBS} if quiet else {}
    settings = Settings(inventory=folder / "inventory.yaml", data_dir=folder, **intervals)
    with Controller.open(settings, clock=clock) as opened:
        made = World(opened, Scheduler(opened, jitter=lambda: jitter), clock)
        try:
            yield made
        finally:
            made.schedule.stop()


@pytest.fixture(scope="module")
def resolved(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> bytes:
    """The file of a store that has resolved once, and nothing else."""
    folder = tmp_path_factory.mktemp("resolved")
    (folder / "store.db").write_bytes(migrated.read_bytes())
    with world(folder) as made:
        made.opened.refresh_intel(actor="test")
    return (folder / "store.db").read_bytes()


@pytest.fixture
def folder(tmp_path: Path, resolved: bytes) -> Path:
    """A data folder whose store has intelligence; nothing was ever sent anywhere."""
    (tmp_path / "store.db").write_bytes(resolved)
    return tmp_path


@contextmanager
def steady(
    folder: Path, at: datetime = NOON, *, text: str = YAML, jitter: float = 0.0, quiet: bool = False
) -> Iterator[World]:
    """A world in which devices hold what is wanted and every job was done just now."""
    with world(folder, at, text=text, jitter=jitter, quiet=quiet) as made:
        made.hold()
        for job in JOBS:
            made.opened.store.set_done(job, at)
        yield made


# --- what is due when -----------------------------------------------------------------------------------------------


def test_the_first_tick_does_everything_once(tmp_path: Path, migrated: Path) -> None:
    """An installation with an empty store: resolve first, then a sync of every site, by itself."""
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    with world(tmp_path) as made:
        assert made.tick() == set(JOBS)
        assert made.opened.store.current_snapshot() is not None
        assert made.tick() == set()
        assert (made.syncs("berlin"), made.syncs("austin")) == (["start"], ["start"])


def test_a_first_sync_that_fails_is_tried_again_after_a_pause_and_not_at_once(folder: Path) -> None:
    """A status that only says "could not be read" is no other state than none at all."""
    with world(folder, quiet=True) as made:
        for job in JOBS:
            made.opened.store.set_done(job, NOON)
        for _ in range(3):
            made.tick()
        assert made.syncs() == ["start"]
        made.after(15 * SECOND)
        assert made.syncs() == ["start", "retry"]


def test_each_job_comes_at_its_own_interval(folder: Path) -> None:
    with steady(folder) as made:
        due: Counter[str] = Counter()
        for _ in range(12):
            due.update(made.after(5 * MINUTE))
        assert due == {"resolve": 1, "housekeeping": 1, "sync": 4, "counters": 12}
        assert [r.trigger for r in made.runs()] == ["schedule"] * 4
        assert all({d.device for d in r.devices} == {"fw-berlin", "fw-austin"} for r in made.runs())


@pytest.mark.parametrize(
    ("passed", "due"),
    [
        (5 * MINUTE - SECOND, set()),
        (5 * MINUTE, {"counters"}),
        (15 * MINUTE - SECOND, {"counters"}),
        (15 * MINUTE, {"counters", "sync"}),
        (60 * MINUTE, set(JOBS)),
    ],
    ids=lambda value: str(value) if isinstance(value, timedelta) else "-".join(sorted(value)),
)
def test_a_job_is_due_at_its_interval_and_not_a_second_before(folder: Path, passed: timedelta, due: set[str]) -> None:
    with steady(folder) as made:
        assert made.after(passed) == due


def test_only_the_resolve_is_jittered(folder: Path) -> None:
    """Sources are asked by many installations; devices and counters are ours, and their intervals are promised."""
    with steady(folder, jitter=0.5) as made:
        assert made.after(60 * MINUTE) == set(JOBS), "the first one has none to wait for"
        assert made.after(60 * MINUTE) == {"sync", "counters", "housekeeping"}
        assert made.after(3 * MINUTE - SECOND) == set()
        assert made.after(SECOND) == {"resolve"}


def test_housekeeping_drops_old_transcripts(folder: Path) -> None:
    with steady(folder) as made:
        for name, age in (("old", timedelta(days=31)), ("new", timedelta(days=29))):
            kept = folder / "transcripts" / name
            kept.mkdir(parents=True)
            (kept / "fw-berlin.log").write_text("show", encoding="utf-8")
            at = (NOON - age).timestamp()
            os.utime(kept, (at, at))
        assert "housekeeping" in made.after(60 * MINUTE)
        assert [path.name for path in (folder / "transcripts").iterdir() if path.name in ("old", "new")] == ["new"]


# --- as soon as something is different ------------------------------------------------------------------------------


def test_i12_at_every_window_edge_the_site_is_synced_at_once_and_no_other(folder: Path) -> None:
    with steady(folder, EDGE - SECOND, quiet=True) as made:
        made.tick()
        assert made.syncs() == []
        made.after(SECOND)
        assert made.syncs() == ["window-edge"]
        made.hold()
        made.clock.jump(EDGE + timedelta(hours=14, seconds=-1))  # 07:59:59
        made.tick()
        assert made.syncs() == ["window-edge"]
        made.after(SECOND)
        assert made.syncs() == ["window-edge", "window-edge"]
        assert made.syncs("austin") == []


NIGHTS = YAML.replace(
    'days: [mon, tue, wed, thu, fri], from: "08:00", to: "18:00"', 'days: [daily], from: "02:30", to: "03:30"'
)


@pytest.mark.parametrize(
    ("day", "edges"),
    [
        pytest.param("2026-06-01", ["00:30", "01:30"], id="an-ordinary-night"),
        pytest.param("2026-03-29", ["01:00", "01:30"], id="half-past-two-does-not-come"),
        pytest.param("2026-10-25", ["00:30", "01:00", "01:30", "02:30"], id="half-past-two-comes-twice"),
    ],
)
def test_i12_a_clock_change_misses_no_edge(folder: Path, day: str, edges: list[str]) -> None:
    """A window from 02:30 to 03:30 in Berlin: when, in UTC, does its mode change?"""
    assert NIGHTS != YAML
    start = datetime.fromisoformat(f"{day}T00:00+00:00")
    with steady(folder, start, text=NIGHTS, quiet=True) as made:
        found = []
        for step in range(1, 13):
            made.clock.jump(start + 15 * step * MINUTE)
            before = len(made.syncs())
            made.tick()
            if len(made.syncs()) > before:
                found.append(f"{made.clock.now():%H:%M}")
                made.hold()
        assert found == edges
        assert set(made.syncs()) == {"window-edge"}


def test_an_exception_starts_and_ends_at_once(folder: Path) -> None:
    starts, ends = NOON + 2 * MINUTE, NOON + 4 * MINUTE
    with steady(folder) as made:
        asked = made.opened.exceptions.request(request(starts, ends), actor="ann")
        made.opened.exceptions.approve(asked.id, actor="bob")
        made.tick()
        assert made.syncs() == [], "approved, and not yet due"
        made.after(2 * MINUTE - SECOND)
        assert made.syncs() == []
        made.after(SECOND)
        assert made.syncs() == ["exception"]
        made.hold()
        assert made.opened.exceptions.get(asked.id).live_on == ("fw-berlin",)
        made.after(2 * MINUTE - SECOND)
        assert made.opened.exceptions.get(asked.id).state is ExceptionState.APPROVED
        made.after(SECOND)
        assert made.syncs() == ["exception", "exception"]
        over = made.opened.exceptions.get(asked.id)
        assert (over.state, over.ended_at) == (ExceptionState.ENDED, ends)
        assert made.syncs("austin") == []


@pytest.mark.parametrize("noticed", [False, True], ids=["about-to-end", "ended"])
def test_i12_a_clock_that_is_set_back_opens_nothing_anew_and_ends_what_has_to_end(folder: Path, noticed: bool) -> None:
    """A second before, or at, the end of an exception and of a pause, it is an hour ago; then that hour comes again."""
    starts, ends = NOON, NOON + 4 * MINUTE
    with steady(folder) as made:
        asked = made.opened.exceptions.request(request(starts, ends), actor="ann")
        made.opened.exceptions.approve(asked.id, actor="bob")
        paused = made.opened.interventions.pause(["austin"], actor="ann", reason="switch", ends=ends)
        made.after(SECOND)
        made.hold()
        made.clock.jump(ends if noticed else ends - SECOND)
        made.tick()
        made.hold()
        over = ExceptionState.ENDED if noticed else ExceptionState.APPROVED
        assert made.opened.exceptions.get(asked.id).state is over
        made.clock.jump(ends - timedelta(hours=1))
        made.tick()
        made.hold()
        found = made.opened.exceptions.get(asked.id)
        assert (found.state, found.live_on) == (over, ()), "an hour ago it had not begun, or it is over for good"
        made.clock.jump(ends - 2 * MINUTE)
        made.tick()
        made.hold()
        assert made.opened.exceptions.get(asked.id).live_on == (() if noticed else ("fw-berlin",))
        assert (made.opened.emergencies.paused("austin") is None) is noticed
        made.clock.jump(ends)
        made.tick()
        made.hold()
        found = made.opened.exceptions.get(asked.id)
        assert (found.state, found.live_on) == (ExceptionState.ENDED, ())
        assert made.opened.emergencies.paused("austin") is None
        assert made.opened.emergencies.get(paused.id).ended_by == "system"


def test_i12_a_clock_that_is_set_back_over_an_edge_of_a_window_brings_the_mode_of_that_hour(folder: Path) -> None:
    with steady(folder, EDGE - SECOND, quiet=True) as made:
        for moment in (EDGE, EDGE - MINUTE, EDGE, EDGE - timedelta(days=1, minutes=1)):
            before = len(made.syncs())
            made.clock.jump(moment)
            made.tick()
            assert made.syncs()[before:] == ["window-edge"], moment
            made.hold()
        assert made.opened.policies.at("berlin").roles[0].mode is Mode.ENFORCE


def test_a_decision_wakes_the_schedule_without_a_tick(folder: Path) -> None:
    with steady(folder) as made:
        asked = made.opened.exceptions.request(request(NOON, NOON + timedelta(hours=1)), actor="ann")
        made.opened.exceptions.approve(asked.id, actor="bob")
        until(lambda: made.syncs() == ["exception"])
        made.settle()
        made.hold()
        made.opened.exceptions.revoke(asked.id, actor="bob", reason="over")
        until(lambda: made.syncs() == ["exception", "exception"])
        made.settle()


def test_a_decision_while_the_schedule_stops_is_kept_for_the_next_start(folder: Path) -> None:
    with steady(folder) as made:
        asked = made.opened.exceptions.request(request(NOON, NOON + timedelta(hours=1)), actor="ann")
        made.schedule.stop()
        made.opened.exceptions.approve(asked.id, actor="bob")
        assert made.syncs() == []
    with world(folder) as again:
        again.tick()
        assert again.syncs() == ["exception"]


def test_what_failed_is_tried_again_with_growing_pauses(folder: Path) -> None:
    """On the clock that nobody can set; the wall clock plays no part in it."""
    with steady(folder, EDGE - SECOND, quiet=True) as made:
        made.after(SECOND)
        for runs, pause in enumerate((15, 30, 60, 120, 240, 480, 900), start=1):
            made.clock.jump(EDGE + runs * MINUTE)
            made.tick()
            made.after(timedelta(seconds=pause - 1))
            assert made.syncs() == ["window-edge", *["retry"] * (runs - 1)], pause
            made.clock.jump(EDGE - timedelta(days=8) + runs * MINUTE)
            made.after(SECOND)
            assert made.syncs() == ["window-edge", *["retry"] * runs], pause
        made.hold()
        made.tick()
        assert made.after(timedelta(hours=2)) == set()
        assert made.syncs() == ["window-edge", *["retry"] * 7], "it holds what is wanted now"


def test_i12_an_edge_that_passes_while_a_device_is_changed_is_followed_at_the_next_tick(folder: Path) -> None:
    """The status says what the device was made to hold, not what the clock says when the work is done."""
    with steady(folder, EDGE - SECOND, quiet=True) as made:
        device = made.opened.inventory.device("fw-berlin")
        desired = desired_for(facts(made.opened.inventory), device, EDGE - SECOND)
        run = Run(id=RunId(new_id()), trigger="test", actor="test", started_at=EDGE, finished_at=None)
        made.opened.store.start_run(run)
        record = Record(made.opened._worker, device, run.id, EDGE - SECOND)
        record.look = Look(
            at=EDGE - SECOND,
            observed=Observed(groups=(), rules=(), mark=None, foreign="f", epoch="e", can=EVERYTHING),
            facts=replace(facts(made.opened.inventory), snapshot=made.opened.snapshot()),
            desired=desired,
            found=CoverageState.NOT_ENFORCED,
            cause="",
        )
        made.clock.advance(2 * SECOND)
        record.done(Outcome.APPLIED, Plan(steps=(), degraded=(), desired=desired), None)
        assert made.opened.store.statuses()[device.name].mode == "company=enforce, guest=off"
        made.tick()
        assert made.syncs() == ["test", "window-edge"]


# --- a clock that jumps ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [10, 24 * 365, -1, -24 * 365])
def test_after_a_jump_each_job_is_due_once_and_then_in_its_rhythm(folder: Path, hours: int) -> None:
    with steady(folder) as made:
        made.clock.jump(NOON + timedelta(hours=hours))
        made.hold()
        assert made.tick() == set(JOBS)
        assert made.tick() == set(), "hours that were jumped over are not made up for"
        assert made.after(5 * MINUTE) == {"counters"}
        assert [r.trigger for r in made.runs()].count("schedule") == 1


def test_i12_a_jump_over_both_edges_of_a_window_leaves_the_right_mode(folder: Path) -> None:
    with steady(folder, quiet=True) as made:
        for moment, runs in (
            (NOON + timedelta(hours=24), 0),  # over the evening and the morning, to the same mode
            (NOON + timedelta(hours=32), 1),
            (NOON, 2),
            (NOON - timedelta(days=7), 2),
        ):
            made.clock.jump(moment)
            made.tick()
            assert made.syncs() == ["window-edge"] * runs
            made.hold()


def test_an_exception_that_a_jump_ended_stays_ended_when_the_clock_is_set_right(folder: Path) -> None:
    """The safe side: nothing opens again by itself."""
    with steady(folder) as made:
        asked = made.opened.exceptions.request(request(NOON, NOON + timedelta(hours=1)), actor="ann")
        made.opened.exceptions.approve(asked.id, actor="bob")
        made.clock.jump(NOON + timedelta(days=400))
        made.tick()
        made.clock.jump(NOON + MINUTE)
        made.tick()
        assert made.opened.exceptions.get(asked.id).state is ExceptionState.ENDED
        assert made.opened.exceptions.find(Wanted(live=True)) == ()


# --- a restart in between -------------------------------------------------------------------------------------------


def test_a_restart_asks_the_store_what_is_due_and_doubles_nothing(folder: Path) -> None:
    with steady(folder) as made:
        assert made.after(5 * MINUTE) == {"counters"}
        clock = made.clock
    clock.advance(2 * MINUTE)
    with world(folder, clock=clock) as again:
        assert again.tick() == set()
        assert again.runs() == [], "the devices hold what is wanted: the store says so"
        assert again.after(3 * MINUTE) == {"counters"}
        assert again.after(5 * MINUTE) == {"counters", "sync"}


def test_a_restart_long_after_does_what_was_missed_once(folder: Path) -> None:
    with steady(folder) as made:
        clock = made.clock
    clock.jump(NOON + timedelta(days=3, hours=8))
    with world(folder, clock=clock) as again:
        assert again.tick() == set(JOBS)
        assert again.syncs() == ["window-edge"]
        assert again.tick() == set()
        assert again.syncs() == ["window-edge"]


def test_i14_an_edited_inventory_is_audited_and_carried_to_every_device_at_the_next_start(
    folder: Path,
) -> None:
    with steady(folder) as made:
        made.opened.follow_inventory()
        made.tick()
        clock = made.clock
    clock.advance(MINUTE)
    edited = YAML.replace("guest: [10.20.9.0/24]", "guest: [10.20.9.0/25]")
    assert edited != YAML
    for text, due in ((YAML + "# a comment\n", set[str]()), (edited, {"sync"}), (edited, set[str]())):
        with world(folder, text=text, clock=clock) as again:
            again.opened.follow_inventory()
            assert again.tick() == due
            noted = [e for e in again.opened.store.audit_entries() if e.action == "inventory.change"]
    assert [e.actor for e in noted] == ["system", "system"], "the first one, and the edited one"


# --- a job that fails or hangs --------------------------------------------------------------------------------------


def test_a_failing_job_stops_no_other_and_is_due_again(folder: Path) -> None:
    text = YAML.replace("{kind: curated}", "{kind: list, name: mine, file: /nonexistent/list.txt}")
    with steady(folder, text=text) as made:
        in_force = made.opened.snapshot().id
        assert made.after(60 * MINUTE) == set(JOBS)
        assert made.opened.sources()[0].error_code is not None
        assert made.opened.snapshot().id == in_force
        assert [r.trigger for r in made.runs()] == ["schedule"]
        assert {d.outcome for d in made.runs()[0].devices} == {Outcome.FAILED}
        assert made.after(60 * MINUTE) == set(JOBS)
        assert made.schedule.tick_age() == 0


@contextmanager
def a_source_that_hangs() -> Iterator[tuple[str, threading.Event]]:
    """A list whose server answers only once it is let go."""
    go = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            go.wait(20)
            self.send_error(503)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the library names it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/list.txt", go
    finally:
        go.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_source_and_a_gateway_that_hang_hold_up_nobody_else(folder: Path) -> None:
    """Counters are polled, housekeeping is done and a decision is carried out while both still hang."""
    key = folder / "password"
    key.write_text("never sent", encoding="utf-8")
    key.chmod(0o600)
    with a_source_that_hangs() as (url, go), socket.create_server(("127.0.0.1", 0)) as silent:
        text = YAML.replace("{kind: curated}", f'{{kind: list, name: mine, url: "{url}", attempts: 1}}')
        text = text.replace(
            'key_file: "secret://file/nonexistent/key"', f'password: "secret://file{key}", connect_timeout_seconds: 3'
        )
        text = text.replace("port: 9,", f"port: {silent.getsockname()[1]},")
        with steady(folder, text=text) as made:
            made.clock.advance(60 * MINUTE)
            made.schedule.tick()
            until(lambda: set(made.schedule.under_way()) == {"resolve", "sync"})
            asked = made.opened.exceptions.request(request(NOON, NOON + timedelta(hours=2)), actor="ann")
            made.opened.exceptions.approve(asked.id, actor="bob")
            until(lambda: made.syncs() == ["exception"], seconds=2)
            assert set(made.schedule.under_way()) == {"resolve", "sync"}, "or the test proves nothing"
            go.set()
            silent.close()
            made.settle()


# --- a store that cannot be written ---------------------------------------------------------------------------------


@contextmanager
def unwritable(folder: Path, what: str) -> Iterator[None]:
    """Every such write fails, as on a damaged or full disk."""
    with sqlite3.connect(folder / "store.db") as connection:
        connection.execute(f"CREATE TRIGGER broken BEFORE {what} BEGIN SELECT RAISE(ABORT, 'broken'); END")
    try:
        yield
    finally:
        with sqlite3.connect(folder / "store.db") as again:
            again.execute("DROP TRIGGER broken")
        connection.close()
        again.close()


def test_a_sync_that_could_not_be_recorded_is_tried_as_soon_as_it_can(folder: Path) -> None:
    with steady(folder, EDGE - SECOND, quiet=True) as made:
        with unwritable(folder, "INSERT ON runs"), capture_logs() as logs:
            made.after(SECOND)
            assert made.syncs() == []
        assert [entry["event"] for entry in logs if entry["event"].startswith("schedule.")] == ["schedule.tick_failed"]
        made.after(SECOND)
        assert made.syncs() == ["window-edge"]


def test_a_site_whose_sync_left_no_end_is_not_forgotten(folder: Path) -> None:
    """As soon as the store can be written, the run is closed and the device read; what then fails is tried again."""
    with steady(folder, EDGE - SECOND, quiet=True) as made:
        with unwritable(folder, "INSERT ON observations"), capture_logs():
            made.after(SECOND)
            assert made.syncs() == ["window-edge"]
            assert made.runs()[0].devices[0].outcome is Outcome.RUNNING
        made.tick()
        assert made.syncs() == ["window-edge", "start"]
        assert made.runs()[0].devices[0].outcome is Outcome.UNCERTAIN
        assert made.runs()[1].devices[0].outcome is Outcome.FAILED
        made.tick()
        made.after(30 * SECOND)
        assert made.syncs() == ["window-edge", "start", "retry"]


# --- a device whose last change has no known end --------------------------------------------------------------------


def at_the_bench(made: World) -> Firewall:
    """Berlin's firewall in memory, holding what it should; the others stay out of reach."""
    work, firewall = bench(made.opened.settings.data_dir, made.opened.store, made.opened.inventory, made.clock)
    made.opened._worker = work
    run = made.opened.sync(Selection(sites=("berlin",)), actor="test", trigger="test")
    assert [d.outcome for d in run.devices] == [Outcome.APPLIED]
    return firewall


def approved(made: World) -> AccessException:
    asked = made.opened.exceptions.request(request(NOON, NOON + timedelta(hours=1)), actor="ann")
    return made.opened.exceptions.approve(asked.id, actor="bob")


def lets_pass(firewall: Firewall, exception: AccessException) -> bool:
    return firewall.state is not None and f"exc-{exception.id}" in {rule.name for rule in firewall.state.rules}


def breaks_off(firewall: Firewall) -> None:
    """The session breaks right after the change was taken, and there is no other one."""

    def gone() -> None:
        raise Unreachable("gone")

    def taken() -> None:
        firewall.on["login"] = gone
        gone()

    firewall.on["after-apply"] = taken


def test_an_exception_whose_start_is_uncertain_does_not_outlive_its_revocation(folder: Path) -> None:
    """The status says "not held", and that is also what is wanted: still the device must be asked."""
    with steady(folder, quiet=True) as made:
        firewall = at_the_bench(made)
        breaks_off(firewall)
        exception = approved(made)
        until(lambda: made.syncs() == ["test", "exception"])
        made.settle()
        assert made.runs()[-1].devices[0].outcome is Outcome.UNCERTAIN
        firewall.on.clear()
        assert lets_pass(firewall, exception), "or the test proves nothing"
        made.opened.exceptions.revoke(exception.id, actor="bob", reason="over")
        until(lambda: not lets_pass(firewall, exception))
        made.settle()


def test_a_guard_that_holds_the_next_sync_does_not_end_the_doubt(folder: Path) -> None:
    with steady(folder, quiet=True) as made:
        firewall = at_the_bench(made)
        breaks_off(firewall)
        exception = approved(made)
        until(lambda: made.syncs() == ["test", "exception"])
        made.settle()

        def held() -> None:
            raise GuardTripped("guard: no")

        firewall.on = {"read": held}
        made.opened.exceptions.revoke(exception.id, actor="bob", reason="over")
        until(lambda: len(made.syncs()) == 3)
        made.settle()
        assert made.opened.store.statuses()[DeviceName("fw-berlin")].in_doubt
        firewall.on.clear()
        made.opened.sync(Selection(sites=("berlin",)), actor="test", trigger="test")
        assert not made.opened.store.statuses()[DeviceName("fw-berlin")].in_doubt


def test_what_an_adapter_notes_of_a_change_is_in_the_log(folder: Path) -> None:
    with steady(folder, quiet=True) as made:
        firewall = at_the_bench(made)
        firewall.state, firewall.notes = None, ("not saved for the next boot",)
        with capture_logs() as logs:
            made.opened.sync(Selection(sites=("berlin",)), actor="test", trigger="test")
        noted = [(entry["device"], entry["note"]) for entry in logs if entry["event"] == "sync.noted"]
        assert noted == [("fw-berlin", "not saved for the next boot")]


def test_an_exception_whose_start_could_not_be_recorded_does_not_outlive_its_revocation(folder: Path) -> None:
    with steady(folder, quiet=True) as made:
        firewall = at_the_bench(made)
        with unwritable(folder, "INSERT ON observations"), capture_logs():
            exception = approved(made)
            until(lambda: lets_pass(firewall, exception))
            made.settle()
            assert made.runs()[-1].devices[0].outcome is Outcome.RUNNING
        made.opened.exceptions.revoke(exception.id, actor="bob", reason="over")
        until(lambda: not lets_pass(firewall, exception))
        made.settle()
        assert [d.outcome for d in made.runs()[1].devices] == [Outcome.UNCERTAIN], "it is not under way for ever"
        assert made.runs()[1].finished_at is not None


def test_what_a_dead_process_was_changing_is_read_at_the_first_tick(folder: Path) -> None:
    with steady(folder, quiet=True) as made:
        device = made.opened.inventory.device("fw-berlin")
        clock = made.clock
    part = DeviceRun(
        run=RunId(new_id()),
        site=device.site,
        device=device.name,
        started_at=NOON,
        finished_at=None,
        outcome=Outcome.RUNNING,
        steps=0,
        snapshot=None,
    )
    with Store.open(folder, clock=clock) as dead:
        dead.start_run(
            Run(id=part.run, trigger="test", actor="test", started_at=NOON, finished_at=None, devices=(part,))
        )
    with world(folder, clock=clock, quiet=True) as again:
        again.tick()
        assert again.syncs()[0] == "test"
        assert len(again.syncs()) == 2, "what it holds is asked of it"
        assert again.syncs("austin") == []


# --- the alarm itself -----------------------------------------------------------------------------------------------


def test_the_age_of_the_last_tick_is_the_pulse(folder: Path) -> None:
    with steady(folder) as made:
        assert made.schedule.tick_age() is None
        made.tick()
        made.clock.advance(7 * SECOND)
        made.clock.jump(NOON - timedelta(days=1))
        assert made.schedule.tick_age() == 7
        assert made.opened.health().ready
        made.clock.advance(MINUTE)
        assert not made.opened.health().ready


def test_i12_it_rings_at_once_after_the_machines_clock_was_set_back() -> None:
    """The next ring was noted by the time before: now that lies an hour ahead."""
    bell, rung = Bell(timezone="UTC"), threading.Event()
    ahead = datetime.now(UTC) + timedelta(hours=1)
    bell.add_job(rung.set, IntervalTrigger(seconds=1), next_run_time=ahead)
    bell.start()
    try:
        assert rung.wait(10)
    finally:
        bell.shutdown()


def test_it_rings_by_itself_and_stops(folder: Path) -> None:
    (folder / "inventory.yaml").write_text(YAML, encoding="utf-8")
    with Controller.open(Settings(inventory=folder / "inventory.yaml", data_dir=folder), clock=SystemClock()) as opened:
        for job in JOBS:
            opened.store.set_done(job, opened.clock.now())
        schedule = Scheduler(opened)
        schedule.start()
        until(lambda: schedule.tick_age() is not None)
        schedule.stop()
        last = opened.last_tick()
        assert last is not None
        assert schedule.under_way() == ()
