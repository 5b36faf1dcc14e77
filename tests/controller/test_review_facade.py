"""What the facade does around the device work: who forced what, decisions that reach every site, honest previews."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from controller.model import AuditEntry, ExceptionState, Outcome
from controller.schedule import Scheduler
from controller.service import Controller
from controller.settings import Settings
from controller.sync import blank_status
from controller.views import Selection
from core.clock import ManualClock
from core.ids import SiteName
from tests.controller.memory import Firewall, bench
from tests.controller.offices import NOON, YAML, an_exception, request

BERLIN = Selection(sites=("berlin",))


@pytest.fixture
def opened(tmp_path: Path, migrated: Path) -> Iterator[Controller]:
    """A controller with intelligence, without a schedule."""
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    (tmp_path / "inventory.yaml").write_text(YAML, encoding="utf-8")
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path)
    with Controller.open(settings, clock=ManualClock(NOON)) as made:
        made.refresh_intel(actor="test")
        yield made


def at_the_bench(opened: Controller) -> Firewall:
    clock = opened.clock
    assert isinstance(clock, ManualClock)
    opened._worker, firewall = bench(opened.settings.data_dir, opened.store, opened.inventory, clock)
    return firewall


def audited(opened: Controller, action: str) -> AuditEntry:
    return next(entry for entry in opened.audit() if entry.action == action)


# --- by whom and why ------------------------------------------------------------------------------------------------


def test_i14_a_forced_sync_says_so_in_the_audit_log(opened: Controller) -> None:
    at_the_bench(opened)
    opened.sync(BERLIN, actor="ann", force=True, reason="a smaller list")
    entry = audited(opened, "run.cli")
    assert (entry.actor, entry.reason, json.loads(entry.detail)) == ("ann", "a smaller list", {"force": True})
    opened.sync(BERLIN, actor="ann")
    assert json.loads(audited(opened, "run.cli").detail) == {"force": False}


def test_i14_a_forced_plan_and_what_was_applied_are_in_the_audit_log(opened: Controller) -> None:
    at_the_bench(opened)
    stored = opened.plan(BERLIN, actor="ann", force=True)[0].stored
    assert stored is not None
    entry = audited(opened, "plan.force")
    made = {"plan": [None, stored.checksum], "steps": [None, stored.steps]}
    assert (entry.actor, entry.subject) == ("ann", stored.id)
    assert json.loads(entry.detail) == {"device": "fw-berlin", "changed": made}
    opened.apply([stored.id], actor="bob")
    assert json.loads(audited(opened, "run.apply").detail) == {"plans": [stored.id]}
    assert opened.verify_audit() == []


def test_a_plan_without_force_changes_nothing_and_is_not_in_the_audit_log(opened: Controller) -> None:
    at_the_bench(opened)
    before = len(opened.audit())
    assert opened.plan(BERLIN, actor="ann")[0].stored is not None
    assert len(opened.audit()) == before


def test_a_plan_says_what_on_the_device_stands_against_it(opened: Controller) -> None:
    firewall = at_the_bench(opened)
    assert opened.plan(BERLIN, actor="ann")[0].refused is None
    firewall.refuses = "this member is passive; nothing was sent"
    planned = opened.plan(BERLIN, actor="ann")[0]
    assert planned.steps
    assert planned.refused is not None
    assert planned.refused.message == firewall.refuses


# --- decisions ------------------------------------------------------------------------------------------------------


def test_a_revocation_reaches_the_other_sites_when_one_has_left_the_inventory(opened: Controller) -> None:
    firewall = at_the_bench(opened)
    allowed = replace(an_exception("10.20.1.7"), sites=(SiteName("closed"), SiteName("berlin")))
    opened.store.add_exception(allowed)
    opened.sync(BERLIN, actor="test")
    assert _passes(firewall, allowed.id)
    assert opened.exceptions.revoke(allowed.id, actor="bob", reason="over").state is ExceptionState.REVOKED
    opened._engine.close()
    assert not _passes(firewall, allowed.id)
    assert opened.runs()[0].devices[0].outcome is Outcome.APPLIED


def _passes(firewall: Firewall, exception: str) -> bool:
    assert firewall.state is not None
    return f"exc-{exception}" in {rule.name for rule in firewall.state.rules}


def test_a_preview_does_not_say_that_nothing_opens_when_it_opens_later(opened: Controller) -> None:
    """From 06:00 to 20:00 in Berlin: at its start the company is only watched, from 08:00 on it is blocked."""
    starts = NOON.replace(hour=5) + timedelta(days=1)
    asked = request(starts, starts + timedelta(hours=14))
    shown = opened.exceptions.preview(asked)
    assert "would reach tiktok at berlin" in shown.sentence
    night = opened.exceptions.preview(replace(asked, starts=starts - timedelta(hours=8), ends=starts))
    assert night.sentence.startswith("Nothing would open")


# --- nothing is passed over in silence ------------------------------------------------------------------------------


def test_a_poll_that_failed_is_in_the_log(opened: Controller) -> None:
    """Also when it is not the device's fault, and so no look of ours tells of it."""
    for device in opened.inventory.by_name.values():
        opened.store.put_status(replace(blank_status(device), enforced_at=NOON))
    with capture_logs() as logs:
        opened.queue_collect()
        opened._engine.close()
    failed = {(entry["device"], entry["code"]) for entry in logs if entry["event"] == "collect.failed"}
    assert failed == {("fw-berlin", "TG1002"), ("fw-austin", "TG1002")}


def test_no_device_is_polled_before_its_first_sync(opened: Controller) -> None:
    """Nothing of ours counts there yet, which is no failure: it looked like one in the list of devices."""
    first, *_ = opened.inventory.by_name.values()
    opened.store.put_status(replace(blank_status(first), last_seen_at=NOON))
    with capture_logs() as logs:
        opened.queue_collect()
        opened._engine.close()
    assert not [entry for entry in logs if entry["event"] == "collect.failed"]


def test_a_schedule_whose_first_tick_never_ends_is_not_healthy(opened: Controller) -> None:
    clock = opened.clock
    assert isinstance(clock, ManualClock)
    for job in ("resolve", "sync", "counters", "housekeeping"):
        opened.store.set_done(job, clock.now())
    schedule = Scheduler(opened, jitter=lambda: 0.0)
    with schedule._one_tick:  # as if the first one hung
        schedule.start()
        assert opened.health().ready
        clock.advance(timedelta(minutes=1))
        assert not opened.health().ready
    schedule.stop()
