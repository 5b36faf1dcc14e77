"""The whole loop on real gateways over a real PostgreSQL, which is killed in the middle of a change and comes back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.errors import StoreError, StoreUnreachable
from controller.exceptions import ExceptionRequest
from controller.model import Outcome, Window
from controller.service import Controller
from controller.settings import Settings
from controller.sync import Worker
from controller.views import Selection
from lab import inventory as lab_inventory
from lab.topology import Lab
from lab.world import INTERNET, Kind
from tests.postgres import Server, why_none

pytestmark = [pytest.mark.root, pytest.mark.timeout(180), pytest.mark.skipif(bool(why_none()), reason=why_none())]

BERLIN = Selection(sites=("berlin",))
TARGET = f"tcp:{next(one for one in INTERNET if one.kind is Kind.TIKTOK).v4}:443"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up(f"lq{os.getpid() % 100000}") as standing:
        lab_inventory.write(standing)
        yield standing


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(syncs=True)
    yield made
    made.remove()


def passes(lab: Lab, role: str) -> bool:
    """Whether a client of that role in Berlin reaches TikTok."""
    return not lab.sites["berlin"].clients[role].browse(TARGET)[TARGET].is_blocked


@contextmanager
def killed_after_the_change(server: Server) -> Iterator[None]:
    """The device has taken the change, and nothing of that is recorded."""
    real = Worker._change

    def change(self: Worker, *way: Any) -> Any:
        receipt = real(self, *way)
        server.stop(how=signal.SIGQUIT)
        return receipt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Worker, "_change", change)
        yield


def test_the_loop_and_a_server_that_is_killed_in_the_middle(lab: Lab, server: Server, tmp_path: Path) -> None:
    began = datetime.now(UTC)
    address = server.address(server.create())
    settings = Settings(
        inventory=lab.workspace.run_dir / "inventory.yaml", data_dir=tmp_path, database=address.url, workers=4
    )
    with Controller.open(settings) as opened:
        opened.attach_schedule(tick_age=lambda: 0.0, wake=lambda: None)  # each sync is one of ours
        opened.refresh_intel(actor="test")
        [planned] = opened.plan(BERLIN, actor="test")
        assert planned.stored is not None
        assert [d.outcome for d in opened.apply([planned.stored.id], actor="test").devices] == [Outcome.APPLIED]
        assert not passes(lab, "company")
        assert [d.outcome for d in opened.sync(BERLIN, actor="test").devices] == [Outcome.UNCHANGED]

        now = datetime.now(UTC)
        marketing = lab.sites["berlin"].clients["marketing"]
        wanted = opened.exceptions.request(
            ExceptionRequest(
                sites=("berlin",),
                sources=(marketing.v4,),
                service="tiktok",
                starts=now,
                ends=now + timedelta(hours=1),
                reason="campaign",
                owner="marketing",
            ),
            actor="ann",
        )
        opened.exceptions.approve(wanted.id, actor="bob")
        with killed_after_the_change(server), pytest.raises(StoreError):
            opened.sync(BERLIN, actor="test")
        assert passes(lab, "marketing"), "the device has it"
        assert not passes(lab, "company"), "and enforces as before (I2)"
        with pytest.raises(StoreUnreachable):
            opened.plan(BERLIN, actor="test")
        assert not opened.health().ready

        server.start()
        assert opened.health().ready
        opened.settle_unrecorded()
        cut_short = opened.store.runs(limit=1)[0]
        assert [d.outcome for d in cut_short.devices] == [Outcome.UNCERTAIN], "not known, so it is read first (I5)"
        assert [d.outcome for d in opened.sync(BERLIN, actor="test").devices] == [Outcome.UNCHANGED]
        assert opened.store.holding([wanted.id]) == {wanted.id: ("fw-berlin",)}

        opened.exceptions.revoke(wanted.id, actor="bob", reason="over")
        assert [d.outcome for d in opened.sync(BERLIN, actor="test").devices] == [Outcome.APPLIED]
        assert not passes(lab, "marketing")
        opened.collect(BERLIN)
        report = opened.site_report("berlin", Window(began, datetime.now(UTC))).to_json()
        assert report["totals"]["blocked"]["hits"] == 3, "none lost, none counted twice"
        assert opened.store.check() == []
