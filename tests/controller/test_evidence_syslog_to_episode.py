"""From a firewall's message on the wire to the episode that a person reads: the whole way, over real sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from controller.evidence.model import Episode, EpisodeAction, EpisodeKind, Quarantine
from controller.service import Controller
from controller.settings import Settings
from controller.store import EpisodeQuery, QuarantineQuery
from core.clock import SystemClock
from core.errors import ConfigError
from core.ids import SiteName
from tests.controller.offices import YAML, snapshot

TEXT = YAML.replace("host: 127.0.0.1, port: 10,", "host: fw.austin.example,")
LISTEN = """
evidence:
  listen: [{over: udp, at: "127.0.0.1:0"}, {over: tcp, at: "127.0.0.1:0"}]
  sensors: {austin-relay: {site: austin, addresses: [127.0.0.5], time_zone: UTC}}
"""
PATIENCE = 20.0


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    (tmp_path / "inventory.yaml").write_text(TEXT + LISTEN, encoding="utf-8")
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path / "data")
    with Controller.open(settings) as controller:
        controller.store.save_snapshot(snapshot())
        with controller.receiving.listening():
            yield controller


def sent(port: int, *messages: str, source: str = "127.0.0.1") -> None:
    with socket.create_connection(("127.0.0.1", port), source_address=(source, 0)) as sock:
        sock.sendall("".join(f"{message}\n" for message in messages).encode())


def stamp(at: datetime) -> str:
    return f"{at:%b} {at.day:>2} {at:%H:%M:%S} UTC"


def waited(controller: Controller, episodes: int) -> list[Episode]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = controller.evidence.find(EpisodeQuery()).items
        if len(found) >= episodes:
            return list(found)
        threading.Event().wait(0.05)
    pytest.fail(f"{controller.evidence.find(EpisodeQuery()).items} {controller.receiving.figures()}")


def test_a_denied_flow_of_a_firewall_is_an_episode_of_its_client(controller: Controller) -> None:
    (receiver,) = controller.receiving.running
    now = SystemClock().now()
    line = (
        f"<164>{stamp(now)} fw-berlin : %ASA-4-106023: Deny tcp src inside:10.20.0.15/{{}} dst outside:71.18.8.1/443"
        ' by access-group "INSIDE_IN" [0x0, 0x0]'
    )
    sent(receiver.ports[1], *(line.format(50_000 + n) for n in range(3)))
    found = [one for one in waited(controller, 1) if one.kind in (EpisodeKind.USE, EpisodeKind.CONTACT)]
    assert found, waited(controller, 1)
    assert {(e.site, str(e.source), e.action, e.count, e.sensors) for e in found} == {
        (SiteName("berlin"), "10.20.0.15", EpisodeAction.BLOCKED, 3, ("fw-berlin",))
    }


def test_a_place_that_is_taken_stops_a_start_and_no_later_round(controller: Controller) -> None:
    (receiver,) = controller.receiving.running
    taken = controller.inventory.evidence.listen[1].model_copy(update={"at": f"127.0.0.1:{receiver.ports[1]}"})
    evidence = controller.inventory.evidence.model_copy(update={"listen": (taken,)})
    other = replace(
        controller.receiving, inventory=controller.inventory.model_copy(update={"evidence": evidence}), running=[]
    )
    with pytest.raises(ConfigError, match="cannot listen"), other.listening():
        pytest.fail("it listens at a place that is taken")
    with other.listening(or_go_on=True):
        assert [(check.ok, "cannot listen" in check.message) for check in other.checks()] == [(False, True)]


def test_what_is_no_evidence_is_listed_with_the_reason(controller: Controller) -> None:
    (receiver,) = controller.receiving.running
    sent(receiver.ports[1], "<164>hello", source="127.0.0.99")
    sent(receiver.ports[1], "<164>hello")
    deadline = time.monotonic() + PATIENCE
    while len(found := controller.receiving.find(QuarantineQuery(), limit=9)) < 2 and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert {(one.why, one.site, one.count) for one in found} == {
        (Quarantine.STRANGER, None, 1),
        (Quarantine.UNREADABLE, SiteName("berlin"), 1),
    }
    narrow = controller.within(frozenset({SiteName("berlin")})).receiving
    assert [one.why for one in narrow.find(QuarantineQuery(), limit=9)] == [Quarantine.UNREADABLE]
    assert [check.ok for check in controller.receiving.checks()] == [True]
