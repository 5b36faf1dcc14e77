"""Lists that an emulated SRX pulls over HTTPS from the controller's own server, known there by its address alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.model import Outcome
from core.clock import ManualClock
from lab.emulators.fetching import Wire
from tests.contract.rig_srx import SrxRig
from tests.contract.test_feeds_end_to_end import FIRST, MORE, NEW, Office, Puller
from tests.ipsets.certificates import Certificates, make


class SrxPuller(Puller):
    def __init__(self) -> None:
        self.rig = SrxRig(clock=ManualClock(datetime.now(UTC)))

    @property
    def clock(self) -> Any:
        return self.rig.device.clock

    def wire(self, wire: Wire) -> None:
        self.rig.device.fetch = wire

    def options(self, url: str) -> dict[str, object]:
        feed = {"url": url, "tls_profile": "FEED_CA", "load_seconds": 0}
        return {**self.rig.options(), "delivery": "feed", "feed": feed}

    def prepare(self, url: str, token: str) -> None:
        """Nothing: the first change makes the feed."""

    def log_in(self, token: str) -> None:
        """Nothing: it sends no password."""

    def pull(self) -> None:
        self.poll()

    def forget(self) -> None:
        self.rig.device._pollers.clear()


class ByAddress(Office):
    def inventory(self) -> str:
        whole = json.loads(super().inventory())
        whole["sites"]["office"]["devices"]["edge"]["feed"]["auth"] = "address"
        return json.dumps(whole)

    def set_up(self) -> None:
        """From nothing to a firewall that enforces what it pulled."""
        self.wants(*FIRST)
        self.sync()
        self.puller.poll()
        assert self.sync() in (Outcome.APPLIED, Outcome.UNCHANGED), self.last
        assert self.puller.denies()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def office(tmp_path: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    puller = SrxPuller()
    monkeypatch.setenv("TOKGATE_TEST_PASSWORD", puller.rig.password)
    with puller.rig.serving():
        made = ByAddress(puller, tmp_path, certificates)
        with made.open():
            yield made


def test_a_list_goes_all_the_way_and_a_change_of_it_too(office: Office) -> None:
    with office.server():
        office.set_up()
        assert 200 in office.pulls()
        assert not office.puller.denies(NEW)
        office.wants(*MORE)
        office.sync()
        office.puller.poll()
        assert office.sync() in (Outcome.APPLIED, Outcome.UNCHANGED)
        assert office.puller.denies(NEW)


def test_i02_a_server_that_is_down_or_a_stranger_takes_nothing_away(office: Office) -> None:
    with office.server():
        office.set_up()
    office.puller.clock.advance(timedelta(days=30))
    office.puller.poll()
    assert office.puller.denies()
    with office.server(office.certificates.other_name):
        office.puller.poll()
        assert office.puller.denies()
    with office.server():
        office.puller.poll()
        assert office.sync() is Outcome.UNCHANGED


def test_the_lists_of_another_address_are_not_for_it(office: Office) -> None:
    with office.server():
        office.trust("127.0.0.9")
        office.wants(*FIRST)
        office.sync()
        office.puller.poll()
        assert office.sync() is Outcome.UNCERTAIN
        assert not office.puller.denies()
