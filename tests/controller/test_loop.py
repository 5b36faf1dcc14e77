"""The whole loop on real gateways, in process: what is promised when things go well, and when they do not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.errors import PlanStale, StoreError
from controller.exceptions import ExceptionRequest
from controller.model import CoverageState, DeviceStatus, EventAction, Outcome, Quality, Run, Window
from controller.planning import reopen
from controller.schedule import Scheduler
from controller.service import Controller
from controller.settings import Settings
from controller.store import EventQuery
from controller.views import Selection
from core.clock import ManualClock
from core.faults import CRASHED
from core.ids import SiteName
from lab import inventory as lab_inventory
from lab.topology import Client, Lab
from lab.world import INTERNET, Kind

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]

BERLIN = Selection(sites=("berlin",))
LONG = timedelta(days=7)
TARGET = f"tcp:{next(one for one in INTERNET if one.kind is Kind.TIKTOK).v4}:443"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up(f"lp{os.getpid() % 100000}") as standing:
        lab_inventory.write(standing)
        yield standing


@pytest.fixture
def fresh(lab: Lab) -> Lab:
    """Both gateways without anything of ours, and reachable."""
    for site in lab.sites.values():
        gateway = site.gateway
        gateway.nft("table inet tokgate\ndelete table inet tokgate\n")
        for path in (*gateway.files.state_dir.glob("*"), *gateway.files.dnsmasq_dir.glob("tokgate*")):
            path.unlink()
        gateway.namespace.run("sh", str(gateway.files.restart_dnsmasq))
    return lab


def settings(lab: Lab, data: Path, **changes: object) -> Settings:
    return Settings(inventory=lab.workspace.run_dir / "inventory.yaml", data_dir=data, workers=4, **changes)  # type: ignore[arg-type]


@contextmanager
def controller(lab: Lab, data: Path, **changes: object) -> Iterator[Controller]:
    with Controller.open(settings(lab, data, **changes)) as opened:
        opened.refresh_intel(actor="test")
        yield opened


def outcomes(run: Run) -> dict[str, Outcome]:
    return {d.device: d.outcome for d in run.devices}


def status(opened: Controller, device: str = "fw-berlin") -> DeviceStatus:
    (found,) = [view.status for view in opened.devices() if view.name == device]
    assert found is not None
    return found


def browse(lab: Lab, role: str, site: str = "berlin") -> bool:
    """Whether a client of that role reaches TikTok."""
    return not lab.sites[site].clients[role].browse(TARGET)[TARGET].is_blocked


def blocked_hits(opened: Controller, site: str = "berlin") -> int:
    page = opened.events(EventQuery(site=site, action=EventAction.BLOCKED, limit=200))  # type: ignore[arg-type]
    return sum(event.hits or 0 for event in page.items)


# --- when things go well --------------------------------------------------------------------------------------------


def test_the_loop(fresh: Lab, tmp_path: Path) -> None:
    """Resolve, plan, apply exactly that, block, count, report."""
    began = datetime.now(UTC)
    with controller(fresh, tmp_path) as opened:
        plans = opened.plan(BERLIN, actor="test")
        assert plans[0].error is None
        assert plans[0].stored is not None
        assert browse(fresh, "company"), "a plan changes nothing"
        run = opened.apply([plans[0].stored.id], actor="test")
        assert outcomes(run) == {"fw-berlin": Outcome.APPLIED}
        assert run.finished_at is not None
        assert opened.plan(BERLIN, actor="test")[0].stored is None, "the second plan is empty (I3)"
        assert [browse(fresh, "company") for _ in range(3)] == [False] * 3
        assert browse(fresh, "guest"), "berlin only watches guests"
        assert [r.error for r in opened.collect(BERLIN)] == [None]
        assert blocked_hits(opened) == 3
        assert opened.collect(BERLIN)[0].events == 0, "nothing new, nothing counted twice (I11)"
        report = opened.site_report("berlin", Window(began, datetime.now(UTC))).to_json()
        assert report["totals"]["blocked"]["hits"] == 3
        assert report["totals"]["monitored"]["hits"] == 1
        assert report["coverage"]["enforced_seconds"] > 0
        assert opened.verify_audit() == []


def test_i05_exactly_the_plan_that_was_read_is_applied_or_nothing(fresh: Lab, tmp_path: Path) -> None:
    with controller(fresh, tmp_path) as opened:
        stored = opened.plan(BERLIN, actor="test")[0].stored
        assert stored is not None
        opened.sync(BERLIN, actor="test")
        run = opened.apply([stored.id], actor="test")
        assert run.devices[0].outcome is Outcome.HELD
        assert run.devices[0].error_code == PlanStale.code
        assert status(opened).error is None, "an outdated plan is no trouble of the device"
        last = opened.store.observations(SiteName("berlin"), Window(stored.created_at, datetime.now(UTC)))[-1]
        assert (last.found, last.left) == (CoverageState.ENFORCED, CoverageState.ENFORCED), "it was looked at"


def test_i07_what_a_guard_holds_stays_enforced_and_counts_as_enforced(fresh: Lab, tmp_path: Path) -> None:
    """A list that a person forced to shrink still does not shrink on a device without another word."""
    with controller(fresh, tmp_path) as opened:
        opened.sync(BERLIN, actor="test")
    poorer = yaml.safe_load((fresh.workspace.run_dir / "inventory.yaml").read_text(encoding="utf-8"))
    poorer["intelligence"]["sources"] = [{"kind": "list", "name": "few", "file": str(tmp_path / "few.txt")}]
    (tmp_path / "few.txt").write_text("103.136.220.0/23\n", encoding="utf-8")
    (tmp_path / "inventory.yaml").write_text(yaml.safe_dump(poorer), encoding="utf-8")
    changed = settings(fresh, tmp_path).model_copy(update={"inventory": tmp_path / "inventory.yaml"})
    with Controller.open(changed) as opened:
        opened.refresh_intel(actor="test", force=True)
        began = datetime.now(UTC)
        run = opened.sync(BERLIN, actor="test")
        assert outcomes(run) == {"fw-berlin": Outcome.HELD}
        assert "guard device-shrink" in (status(opened).error or "")
        assert not browse(fresh, "company")
        assert opened.sync(BERLIN, actor="test").finished_at is not None
        report = opened.site_report("berlin", Window(began, datetime.now(UTC))).to_json()
        assert report["coverage"]["unknown_seconds"] == 0
        assert report["coverage"]["enforced_seconds"] > 0
        forced = opened.sync(BERLIN, actor="test", force=True, reason="a smaller list on purpose")
        assert outcomes(forced) == {"fw-berlin": Outcome.APPLIED}


def test_an_approved_exception_is_live_within_seconds_and_gone_when_revoked(fresh: Lab, tmp_path: Path) -> None:
    marketing = fresh.sites["berlin"].clients["marketing"]
    now = datetime.now(UTC)
    ask = ExceptionRequest(
        sites=("berlin",),
        sources=(marketing.v4,),
        service="tiktok",
        starts=now,
        ends=now + timedelta(hours=1),
        reason="campaign",
        owner="marketing",
    )
    with controller(fresh, tmp_path) as opened:
        opened.sync(BERLIN, actor="test")
        schedule = Scheduler(opened)
        schedule.start()
        try:
            assert not browse(fresh, "marketing")
            wanted = opened.exceptions.request(ask, actor="ann")
            opened.exceptions.approve(wanted.id, actor="bob")
            assert marketing.wait_for(TARGET, "ok", deadline=5).outcome == "ok"
            assert not browse(fresh, "company")
            assert _until(lambda: opened.exceptions.get(wanted.id).live_on == ("fw-berlin",))
            opened.exceptions.revoke(wanted.id, actor="bob", reason="over")
            assert marketing.wait_for(TARGET, "blocked", deadline=5).is_blocked
            assert _until(lambda: opened.exceptions.get(wanted.id).live_on == ())
        finally:
            schedule.stop()
        page = opened.events(EventQuery(site="berlin", exception=wanted.id, limit=50))  # type: ignore[arg-type]
        assert sum(event.hits or 0 for event in page.items) >= 1, "the rule's last hits are read before it goes"


def test_what_is_withdrawn_is_off_the_gateway_with_the_reason_in_the_plan_and_comes_back(
    fresh: Lab, tmp_path: Path
) -> None:
    """Also the last of a service, which was said twice: then nothing of it is blocked, and nobody says otherwise."""
    who: Any = {"actor": "ann", "reason": "payroll, INC-1", "ends": datetime.now(UTC) + timedelta(hours=1)}
    with controller(fresh, tmp_path) as opened:
        opened.sync(BERLIN, actor="test")
        assert not browse(fresh, "company")
        paused = opened.interventions.pause(("berlin",), **who)
        taken = opened.interventions.withdraw(TARGET.split(":")[1], **who)
        plan = opened.plan(BERLIN, actor="test")[0]
        assert plan.stored is not None
        assert [(c.value, c.reason, c.ends) for c in plan.causes] == [(taken.value, "payroll, INC-1", taken.ends)]
        assert reopen(opened.stored_plan(plan.stored.id)).causes == plan.causes
        opened.interventions.end(paused.id, actor="ann")
        assert opened.sync(BERLIN, actor="test").devices[0].error is None
        assert browse(fresh, "company")
        assert not any(line.startswith("withdrawn") for line in status(opened).degraded)
        opened.interventions.end(taken.id, actor="ann")
        assert opened.sync(BERLIN, actor="test").devices[0].error is None
        assert not browse(fresh, "company")
        *others, last = sorted({d.name.rpartition(".")[2] for d in opened.snapshot().services[0].domains})
        for tail in others:
            opened.interventions.withdraw(f"*.{tail}", **who)
        bare = opened.interventions.withdraw(f"*.{last}", empties=("tiktok",), **who)
        part = opened.sync(BERLIN, actor="test").devices[0]
        assert part.error is None
        assert f"withdrawn: tiktok: {bare}" in part.degraded
        assert "fqdn-tiktok" not in fresh.sites["berlin"].gateway.namespace.run("nft", "list", "ruleset").stdout
        assert not browse(fresh, "company"), "its addresses are blocked as before"
        looks = opened.store.observations(SiteName("berlin"), Window(who["ends"] - timedelta(hours=2), who["ends"]))
        assert looks[-1].left is CoverageState.PARTIAL
        assert opened.verify_audit() == []


def _until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether it becomes true; asked with a pause, which leaves the processor to what is waited for."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.05)
    return True


# --- when they do not -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point", ["sync.started", "sync.before-apply", "sync.published", "sync.applied", "sync.recorded"]
)
def test_i02_a_process_killed_at_any_step_converges_after_its_next_start(
    fresh: Lab, tmp_path: Path, point: str
) -> None:
    with controller(fresh, tmp_path):
        pass
    environment = {**os.environ, **_environment(fresh, tmp_path), "TOKGATE_CRASH_AT": point}
    command = [sys.executable, "-m", "api.cli", "apply", "--yes", "--site", "berlin"]
    died = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert died.returncode == CRASHED, died.stderr
    applied = point in ("sync.applied", "sync.recorded")
    assert browse(fresh, "company") is not applied
    with controller(fresh, tmp_path) as opened:
        left = opened.runs(limit=5)[0].devices[0].outcome
        assert left is (Outcome.APPLIED if point == "sync.recorded" else Outcome.UNCERTAIN), "never called done"
        run = opened.sync(BERLIN, actor="test")
        assert outcomes(run) == {"fw-berlin": Outcome.UNCHANGED if applied else Outcome.APPLIED}
        opened.collect(BERLIN)
        before = blocked_hits(opened)
        assert [browse(fresh, "company") for _ in range(2)] == [False, False]
        opened.collect(BERLIN)
        assert blocked_hits(opened) - before == 2


def test_i11_a_kill_while_events_are_recorded_neither_loses_nor_doubles_them(fresh: Lab, tmp_path: Path) -> None:
    with controller(fresh, tmp_path) as opened:
        opened.sync(BERLIN, actor="test")
        opened.collect(BERLIN)
        before = blocked_hits(opened)
    assert [browse(fresh, "company") for _ in range(4)] == [False] * 4
    environment = {**os.environ, **_environment(fresh, tmp_path), "TOKGATE_CRASH_AT": "collect.recorded"}
    command = [sys.executable, "-m", "api.cli", "hits", "collect", "--site", "berlin"]
    died = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert died.returncode == CRASHED, died.stderr
    with controller(fresh, tmp_path) as opened:
        opened.collect(BERLIN)
        assert blocked_hits(opened) - before == 4


def _environment(lab: Lab, data: Path) -> dict[str, str]:
    return {
        "TOKGATE_INVENTORY": str(lab.workspace.run_dir / "inventory.yaml"),
        "TOKGATE_DATA_DIR": str(data),
    }


def test_a_gateway_that_lost_its_table_is_noticed_restored_and_counted_on(fresh: Lab, tmp_path: Path) -> None:
    gateway = fresh.sites["berlin"].gateway
    with controller(fresh, tmp_path) as opened:
        opened.sync(BERLIN, actor="test")
        browse(fresh, "company")
        opened.collect(BERLIN)
        before = blocked_hits(opened)
        gateway.reboot(persisted=False)
        assert browse(fresh, "company"), "the table is gone"
        failed = opened.collect(BERLIN)[0]
        assert failed.error is not None, "zero rows is an error, not zero hits (I11)"
        assert opened.drift(BERLIN)[0].altered == "nothing of ours was on the device"
        began = datetime.now(UTC)
        assert outcomes(opened.sync(BERLIN, actor="test")) == {"fw-berlin": Outcome.APPLIED}
        assert not browse(fresh, "company")
        opened.collect(BERLIN)
        assert blocked_hits(opened) - before == 1
        looks = opened.store.observations("berlin", Window(began, datetime.now(UTC)))  # type: ignore[arg-type]
        assert [o.found for o in looks if o.at >= began] == [CoverageState.NOT_ENFORCED]


def test_a_reboot_with_saved_rules_starts_counters_anew_without_a_negative_or_doubled_hit(
    fresh: Lab, tmp_path: Path
) -> None:
    gateway = fresh.sites["berlin"].gateway
    with controller(fresh, tmp_path) as opened:
        opened.sync(BERLIN, actor="test")
        assert [browse(fresh, "company") for _ in range(5)] == [False] * 5
        opened.collect(BERLIN)
        before = blocked_hits(opened)
        gateway.reboot(persisted=True)
        assert [browse(fresh, "company") for _ in range(2)] == [False, False], "the saved rules alone hold"
        opened.collect(BERLIN)
        page = opened.events(EventQuery(site="berlin", action=EventAction.BLOCKED, limit=200))  # type: ignore[arg-type]
        assert sum(event.hits or 0 for event in page.items) - before == 2
        assert max(page.items, key=lambda e: e.window.end).quality is Quality.AT_LEAST


def test_i02_a_full_disk_changes_nothing_on_a_device(fresh: Lab, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], check=True)
    try:
        with controller(fresh, disk) as opened:
            filler = disk / "filler"
            with filler.open("wb") as stream:
                _fill(stream.fileno())
            with pytest.raises(StoreError, match="full"):
                for _ in range(50):
                    opened.sync(BERLIN, actor="test")
            filler.unlink()
            assert outcomes(opened.sync(BERLIN, actor="test")) == {"fw-berlin": Outcome.APPLIED}
            assert opened.store.check() == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _fill(descriptor: int) -> None:
    try:
        while True:
            os.write(descriptor, b"\0" * 65536)
    except OSError:
        return


def test_an_unreachable_gateway_fails_alone_and_is_unknown_not_compliant(fresh: Lab, tmp_path: Path) -> None:
    with controller(fresh, tmp_path) as opened:
        opened.sync(Selection(), actor="test")
        began = datetime.now(UTC)
        fresh.sites["berlin"].gateway.stop_sshd()
        try:
            run = opened.sync(Selection(), actor="test")
        finally:
            fresh.sites["berlin"].gateway.start_sshd()
        assert outcomes(run) == {"fw-berlin": Outcome.FAILED, "fw-austin": Outcome.UNCHANGED}
        assert next(d for d in run.devices if d.device == "fw-berlin").error_code == "TG4001"
        looks = opened.store.observations("berlin", Window(began, datetime.now(UTC)))  # type: ignore[arg-type]
        assert next(o for o in looks if o.at >= began).found is None
        assert not browse(fresh, "company"), "what was enforced stays (I2)"


def test_i10_a_changed_host_key_stops_before_any_login(fresh: Lab, tmp_path: Path) -> None:
    gateway = fresh.sites["berlin"].gateway
    with controller(fresh, tmp_path) as opened:
        kept = {path: path.read_bytes() for path in gateway.files.folder.glob("ssh_host_*")}
        gateway.change_host_key()
        try:
            run = opened.sync(BERLIN, actor="test")
            keys = opened.host_keys("fw-berlin")
        finally:
            for path, content in kept.items():
                path.write_bytes(content)
            gateway.stop_sshd()
            gateway.start_sshd()
        assert run.devices[0].error_code == "TG4002"
        assert not keys.match


def test_i08_two_controllers_on_one_store_take_turns_at_a_device(fresh: Lab, tmp_path: Path) -> None:
    """Two processes sync the same gateway again and again while a third edits it by hand."""
    with controller(fresh, tmp_path):
        pass
    environment = {**os.environ, **_environment(fresh, tmp_path)}
    command = [sys.executable, "-m", "api.cli", "apply", "--yes", "--site", "berlin"]
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ended = [(one.communicate(timeout=60), one.returncode) for one in both]
    assert all(code in (0, 3) for _, code in ended), ended  # 3: planned before the other one had applied
    assert 0 in [code for _, code in ended]
    with controller(fresh, tmp_path) as opened:
        assert opened.plan(BERLIN, actor="test")[0].stored is None
        assert opened.store.check() == []
        assert opened.verify_audit() == []


# --- the clock ------------------------------------------------------------------------------------------------------


def test_i12_a_window_edge_and_a_jumping_clock_leave_the_right_mode(fresh: Lab, tmp_path: Path) -> None:
    """The schedule asks "inside now?" at every tick, so however the clock moves, the gateway follows."""
    path = fresh.workspace.run_dir / "windows.yaml"
    text = (fresh.workspace.run_dir / "inventory.yaml").read_text(encoding="utf-8")
    window = "{mode: monitor, windows: [{days: [daily], from: '08:00', to: '18:00', mode: enforce}]}"
    assert "company:\n        mode: enforce" in text
    path.write_text(text.replace("company:\n        mode: enforce", f"company: {window}"), encoding="utf-8")
    clock = ManualClock(datetime(2026, 11, 25, 16, 59, 58, tzinfo=UTC))  # 17:59:58 in Berlin
    with Controller.open(
        Settings(inventory=path, data_dir=tmp_path, counters_interval=timedelta(days=7)), clock=clock
    ) as opened:
        opened.refresh_intel(actor="test")
        schedule = Scheduler(opened, jitter=lambda: 0.0)
        try:
            for moment, reaches in [
                (datetime(2026, 11, 25, 16, 59, 58, tzinfo=UTC), False),
                (datetime(2026, 11, 25, 17, 0, 0, tzinfo=UTC), True),
                (datetime(2026, 11, 25, 9, 0, 0, tzinfo=UTC), False),  # the clock was set back
                (datetime(2036, 11, 25, 23, 0, 0, tzinfo=UTC), True),  # ten years ahead
                (datetime(2026, 11, 26, 7, 0, 0, tzinfo=UTC), False),
            ]:
                clock.jump(moment)
                assert _until(lambda: _follows(schedule, opened))
                assert browse(fresh, "company") is reaches, moment
        finally:
            schedule.stop()


def test_open_flows_end_at_the_edge_of_a_window_and_at_the_end_of_an_exception_and_are_told(
    fresh: Lab, tmp_path: Path
) -> None:
    """From allowed to blocked, twice, under real connections: how many ended is in runs, events and report."""
    path = fresh.workspace.run_dir / "edges.yaml"
    text = (fresh.workspace.run_dir / "inventory.yaml").read_text(encoding="utf-8")
    window = "{mode: 'off', windows: [{days: [daily], from: '08:00', to: '18:00', mode: enforce}]}"
    path.write_text(text.replace("company:\n        mode: enforce", f"company: {window}"), encoding="utf-8")
    clock = ManualClock(datetime(2026, 11, 25, 6, 50, tzinfo=UTC))  # 07:50 in Berlin
    company, marketing = (fresh.sites["berlin"].clients[role] for role in ("company", "marketing"))
    with Controller.open(
        Settings(inventory=path, data_dir=tmp_path, counters_interval=LONG, sync_interval=LONG), clock=clock
    ) as opened:
        opened.refresh_intel(actor="test")
        ends = clock.now() + timedelta(hours=4)
        ask = ExceptionRequest(
            sites=("berlin",), sources=(marketing.v4,), service="tiktok", starts=clock.now(), ends=ends,
            reason="campaign", owner="marketing",
        )  # fmt: skip
        wanted = opened.exceptions.request(ask, actor="ann")
        schedule = Scheduler(opened, jitter=lambda: 0.0)
        opened.exceptions.approve(wanted.id, actor="bob")
        try:
            assert _until(lambda: _follows(schedule, opened) and _live(opened) == (wanted.id,))
            for moment, client, role in (
                (datetime(2026, 11, 25, 7, 0, tzinfo=UTC), company, "window-edge"),
                (ends, marketing, "exception"),
            ):
                before = len(opened.store.cuts())
                held = _open_flow(client, tmp_path / role)
                clock.jump(moment)
                assert _until(lambda: _follows(schedule, opened) and len(opened.store.cuts()) > before), role  # noqa: B023
                told = held.communicate(timeout=20)[0]
                assert '"outcome": "reset"' in told or '"outcome": "refused"' in told, told
                cut = opened.store.cuts()[0]
                assert (cut.device, cut.flows >= 1, cut.trigger) == ("fw-berlin", True, role)
                assert next(d for d in opened.run(cut.run).devices if d.device == "fw-berlin").flows_cut == cut.flows
        finally:
            schedule.stop()
        total = sum(cut.flows for cut in opened.store.cuts())
        report = opened.site_report("berlin", Window(ends - timedelta(days=1), ends + timedelta(hours=1))).to_json()
        assert (report["flows_cut"], report["devices"][0]["flows_cut"]) == (total, total)


def _live(opened: Controller) -> tuple[str, ...]:
    found = opened.store.statuses().get("fw-berlin")  # type: ignore[call-overload]
    return tuple(found.exceptions) if found else ()


def _open_flow(client: Client, ready: Path) -> subprocess.Popen[str]:
    """A connection that a client has open, and says what becomes of it."""
    options = ["--hold", str(ready), "--deadline", "12"]
    held = subprocess.Popen(client.command(TARGET, options=options), stdout=subprocess.PIPE, text=True)
    assert _until(ready.exists, 5)
    return held


def _follows(schedule: Scheduler, opened: Controller) -> bool:
    schedule.tick()
    status = opened.store.statuses().get("fw-berlin")  # type: ignore[call-overload]
    modes = {s.name: s.modes for s in opened.sites()}["berlin"]
    wanted = ", ".join(f"{role}={mode.value}" for role, mode in sorted(modes.items()))
    return status is not None and status.mode == wanted and opened.queue_depth() == 0
