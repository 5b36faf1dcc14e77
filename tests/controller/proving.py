"""A few proofs at Berlin, one in each state, for tests of what shows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from controller.desired import signature
from controller.proof.model import By, Expected, Path, Proof
from controller.proof.sampling import judged
from controller.service import Controller
from controller.sync import blank_status
from core.ids import EventId, ExceptionId, SiteName, SnapshotId, new_id
from vendors.oracle import Answered

EXCEPTED = ExceptionId("01hzexception0000000000001")


def brought_to_its_state(controller: Controller, name: str, **more: Any) -> None:
    """As a sync that ended well leaves a device."""
    device, now = controller.inventory.device(name), controller.clock.now()
    held, mode, exceptions = signature(controller.proofs.worker.facts(device), now).split("|")
    known: dict[str, Any] = dict.fromkeys(("last_seen_at", "last_attempt_at", "enforced_at"), now)
    known |= {"mode": mode, "snapshot": SnapshotId(held), "exceptions": tuple(map(ExceptionId, exceptions.split()))}
    known |= more
    controller.store.put_status(replace(blank_status(device), **known))


def proof(at: datetime, said: Answered = Answered.OURS, **more: Any) -> Proof:
    expected = more.pop("expected", Expected.BLOCK)
    plain: dict[str, Any] = {
        "id": EventId(new_id()),
        "round": "r1",
        "site": SiteName("berlin"),
        "origin": "fw-berlin",
        "by": By.ORACLE,
        "path": Path.TCP,
        "role": "company",
        "exception": None,
        "source": ip_address("10.20.3.7"),
        "target": "103.136.220.10",
        "expected": expected,
        "said": said,
        "state": judged(expected, said),
        "rule": "tokgate-deny-company",
        "words": "tokgate-deny-company: action deny",
        "at": at,
    }
    return Proof(**plain | more)


def some_proofs(at: datetime) -> list[Proof]:
    probe = {"by": By.PROBE, "origin": "printer-3", "rule": ""}
    excepted = {"role": "", "exception": EXCEPTED, "expected": Expected.PASS}
    return [
        proof(at),
        proof(at, Answered.PASSES, path=Path.QUIC, rule="web out"),
        proof(at, Answered.UNKNOWN, path=Path.TCP6, rule="", words="no answer"),
        proof(at, Answered.BLOCKED, **probe, words="no connection: timed out"),
        proof(at, Answered.PASSES, **probe | excepted, words="connected, and the TLS greeting was answered"),
        proof(at, Answered.BLOCKED, **probe | excepted, path=Path.QUIC, words="no answer"),
    ]
