"""From a sync to a proof, and from a rule in the wrong place to a leak: the controller over each emulated firewall."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.evidence.model import Episode, EpisodeAction, EpisodeKind
from controller.model import Outcome
from controller.proof.model import Path as Way
from controller.proof.model import ProofState
from controller.service import Controller
from controller.settings import Settings
from controller.store import EpisodeQuery, EventQuery, ProofQuery
from controller.views import Selection
from core.clock import ManualClock
from ipsets.snapshot import content_id
from tests.contract.emulated import DEVICE, ROLES, TIKTOK, WAYS, EmulatedRig
from tests.contract.test_emulated import RIGS
from tests.controller.conftest import NOON
from tests.controller.offices import snapshot

LIST = ("103.136.220.0/24", "71.18.0.0/16")


class Office:
    def __init__(self, rig: EmulatedRig, folder: Path, *, oracle: bool = True) -> None:
        self.rig, self.clock, self.folder = rig, ManualClock(NOON), folder
        served = rig.served
        assert served is not None
        device = {
            "vendor": rig.vendor,
            "host": served.host,
            "port": served.port,
            "username": rig.user,
            "password": "secret://env/TOKGATE_TEST_PASSWORD",
            "host_keys": [served.host_key],
            "schedules": "controller",
            "options": {**rig.options(), **({"oracle": WAYS[rig.vendor]} if oracle else {})},
        }
        site = {
            "time_zone": "UTC",
            "policy": "standard",
            "networks": {"company": [ROLES["company"]]},
            "devices": {DEVICE: device},
        }
        policies = {"standard": {"services": ["tiktok"], "roles": {"company": {"mode": "enforce"}}}}
        whole = {
            "version": 1,
            "intelligence": {"sources": [{"kind": "curated"}]},
            "policies": policies,
            "sites": {"office": site},
        }
        (folder / "inventory.yaml").write_text(json.dumps(whole), encoding="utf-8")

    @contextlib.contextmanager
    def open(self) -> Iterator[Controller]:
        settings = Settings(inventory=self.folder / "inventory.yaml", data_dir=self.folder / "data", workers=1)
        with Controller.open(settings, clock=self.clock) as controller:
            made = snapshot(*LIST, domains=())
            made = replace(made, id=content_id(made.services))
            controller.store.save_snapshot(made)
            controller.store.set_current(made.id)
            yield controller


@pytest.fixture(params=RIGS, ids=lambda rig: rig.vendor)
def rig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedRig]:
    made: EmulatedRig = request.param()
    monkeypatch.setenv("TOKGATE_TEST_PASSWORD", made.password)
    with made.serving():
        yield made


def states(controller: Controller) -> dict[Way, ProofState]:
    return {cell.path: cell.state for cell in controller.proofs.matrix()}


def sync(controller: Controller) -> Outcome:
    (part,) = controller.sync(Selection(), actor="test", force=True).devices
    return part.outcome


def leaks_of(controller: Controller) -> tuple[Episode, ...]:
    return controller.store.episodes(EpisodeQuery(kinds=frozenset({EpisodeKind.LEAK}))).items


BLOCKED = {Way.TCP: ProofState.BLOCKED, Way.QUIC: ProofState.BLOCKED}


def test_after_a_change_it_is_asked_and_a_rule_in_the_wrong_place_is_a_leak(rig: EmulatedRig, tmp_path: Path) -> None:
    office = Office(rig, tmp_path)
    with office.open() as controller:
        assert sync(controller) is Outcome.APPLIED
    with office.open() as controller:  # what was queued has ended with the process before
        assert states(controller) == BLOCKED
        first = controller.proofs.results(ProofQuery()).items
        assert {proof.role for proof in first} == {"company"}
        assert all("tokgate-" in proof.rule for proof in first)
        rig.typed(next(lines for name, lines in rig.hands().items() if name.endswith("moved")))
        assert rig.passes("company", TIKTOK)
        office.clock.advance(timedelta(hours=1))
        (asked,) = controller.prove(Selection())
        assert asked.error is None
        assert states(controller)[Way.TCP] is ProofState.LEAKING
        leaks = {leak.id: leak for leak in leaks_of(controller)}
        leak = next(iter(leaks.values()))
        assert (leak.site, leak.device, leak.role) == ("office", DEVICE, "company")
        assert leak.action is EpisodeAction.NOT_ENFORCED
        office.clock.advance(timedelta(hours=1))
        controller.prove(Selection())
        grown = {found.id: found for found in leaks_of(controller)}
        assert set(grown) == set(leaks), "they go on, and are no others"
        grown_one = grown[leak.id]
        assert grown_one.window.start == leak.window.start
        assert grown_one.window.end > leak.window.end
        assert sync(controller) is Outcome.APPLIED
        controller.prove(Selection())
        assert states(controller) == BLOCKED
        office.clock.advance(timedelta(hours=27))
        assert set(states(controller).values()) == {ProofState.UNKNOWN}, "old proof is none"


def test_what_cannot_be_asked_is_unknown_and_fails_nothing(rig: EmulatedRig, tmp_path: Path) -> None:
    with Office(rig, tmp_path, oracle=False).open() as controller:
        assert sync(controller) is Outcome.APPLIED
        (asked,) = controller.prove(Selection())
        assert asked.error is None
        assert asked.proven is not None
        assert asked.proven.why.startswith("not asked")
        assert controller.proofs.matrix() == ()


@pytest.mark.parametrize("rig", RIGS[:1], indirect=True, ids=["first"])
def test_a_sync_that_changed_nothing_asks_too_after_a_while_and_sooner_while_it_leaks(
    rig: EmulatedRig, tmp_path: Path
) -> None:
    office, hour = Office(rig, tmp_path), timedelta(hours=1)
    with office.open() as controller:
        assert sync(controller) is Outcome.APPLIED
    with office.open() as controller:
        device = controller.inventory.device(DEVICE)

        def is_due(outcome: Outcome = Outcome.UNCHANGED) -> bool:
            return controller.proofs.is_due_after(device, outcome, hour)

        office.clock.advance(timedelta(minutes=59))
        assert not is_due(), "the store knows that it was asked"
        office.clock.advance(timedelta(minutes=1))
        assert not any(map(is_due, (Outcome.FAILED, Outcome.HELD, Outcome.UNCERTAIN)))
        assert is_due()
        assert not is_due(), "nobody knows yet what came of it"
        assert not is_due(Outcome.APPLIED), "changes of one minute are asked about together"
        assert controller.proofs.due(6 * hour) == ()
        office.clock.advance(timedelta(minutes=1))
        assert controller.proofs.due(6 * hour) == (DEVICE,)
        assert controller.proofs.due(6 * hour) == (), "once"
        office.clock.advance(timedelta(minutes=1))
        assert is_due(Outcome.APPLIED)
        rig.typed(next(lines for name, lines in rig.hands().items() if name.endswith("moved")))
        controller.prove(Selection())
        assert ProofState.LEAKING in states(controller).values()
        office.clock.advance(timedelta(minutes=9))
        assert not is_due()
        office.clock.advance(timedelta(minutes=1))
        assert is_due()


def test_what_it_was_asked_is_nobodys_use(rig: EmulatedRig, tmp_path: Path) -> None:
    """An ASA counts and logs a packet that is traced as a real one; real ones are counted all the same."""
    office = Office(rig, tmp_path)
    with office.open() as controller:
        assert sync(controller) is Outcome.APPLIED
        office.clock.advance(timedelta(minutes=5))
        controller.collect(Selection())
        before = {event.id for event in controller.store.events(EventQuery()).items}
        assert rig.passes("company", TIKTOK) is False
        for _ in range(3):
            office.clock.advance(timedelta(minutes=5))
            (asked,) = controller.prove(Selection())
            assert asked.error is None
            assert asked.proven is not None
            assert len(asked.proven.proofs) >= 2
        assert rig.passes("company", TIKTOK) is False
        office.clock.advance(timedelta(minutes=5))
        controller.collect(Selection())
        office.clock.advance(timedelta(minutes=5))
        controller.collect(Selection())
        found = [event for event in controller.store.events(EventQuery()).items if event.id not in before]
        targets = {str(seen.destination) for event in found for seen in event.sources}
        assert sum(event.hits or 0 for event in found) == 2
        assert targets <= {TIKTOK}
