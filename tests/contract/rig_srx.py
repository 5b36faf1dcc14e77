"""The contract's rig for Juniper SRX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, ClassVar

from core.clock import Clock
from lab.emulators.srx import Model, Switches, pair
from lab.emulators.traffic import Flow
from tests.contract.emulated import NAMES, EmulatedRig, Foreign
from tests.lab.emulators import srx as boxes

_HEAD = """\
set version 24.4R1.9
set system host-name edge
set system name-server 192.0.2.53
set security zones security-zone inside interfaces ge-0/0/0.0
set security zones security-zone outside interfaces ge-0/0/1.0
set interfaces ge-0/0/0 unit 0 family inet address 10.0.0.1/24
set interfaces ge-0/0/1 unit 0 family inet address 198.51.100.2/24
"""
_PAIR = "set security policies from-zone inside to-zone outside policy"


class SrxRig(EmulatedRig):
    vendor: ClassVar[str] = "juniper_srx"
    password: ClassVar[str] = "pw"
    log: ClassVar[str] = "show log policy"
    questions: ClassVar[tuple[str, ...]] = ("set cli ", "show ", "run show ", "^D")
    has_candidate: ClassVar[bool] = True

    def __init__(
        self, *, switches: Switches | None = None, model: Model | None = None, clock: Clock | None = None
    ) -> None:
        self._box: dict[str, Any] = {"names": NAMES, "model": model, "switches": switches}
        if clock is not None:
            self._box["clock"] = clock
        super().__init__()

    def made(self, rules: Sequence[Foreign] | None = None) -> Any:
        if rules is None:
            return boxes.srx(**self._box)
        lines: list[str] = []
        for at, rule in enumerate(rules):
            for kind, network in (("source", rule.source), ("destination", rule.destination)):
                lines.append(f"set security address-book global address {kind}-{at} {network}")
                lines.append(f"{_PAIR} r{at} match {kind}-address {kind}-{at}")
            lines.append(f"{_PAIR} r{at} match application any")
            lines.append(f"{_PAIR} r{at} then {'permit' if rule.permit else 'deny'}")
        lines.sort(key=lambda line: "address-book" not in line)
        return boxes.srx(base=_HEAD + "".join(f"{line}\n" for line in lines), **self._box)

    def options(self) -> dict[str, object]:
        return {"lock_wait_seconds": 0, "log_file": "policy"}

    def flow(self, source: str, destination: str, port: int) -> Flow:
        return Flow(source=ip_address(source), destination=ip_address(destination), port=port)

    def configuration(self) -> str:
        return boxes.active(self.device)

    def ours(self, line: str) -> bool:
        return "tokgate-" in line

    def hands(self) -> Mapping[str, Sequence[str]]:
        book, pair = "security address-book global", "security policies from-zone inside to-zone outside"
        dst, rule = f"{book} address-set tokgate-dst-tiktok", f"{pair} policy tokgate-deny-company"
        return {
            "a member taken out": [f"delete {dst} address tokgate-4-192.0.2.0_24"],
            "a member added": [f"set {book} address tokgate-mine 203.0.113.0/24", f"set {dst} address tokgate-mine"],
            "the owner's address added": [f"set {dst} address web"],
            "a value changed": [f"set {book} address tokgate-4-192.0.2.0_24 192.0.0.0/16"],
            "the mark gone": [f"delete {book} address tokgate-_mark description"],
            "the mark garbled": [f'set {book} address tokgate-_mark description "tokgate 2"'],
            "the deny deleted": [f"delete {rule}"],
            "the deny deactivated": [f"deactivate {rule}"],
            "the deny turned": [f"set {rule} then permit"],
            "the deny moved": [f"insert {rule} after policy staff-out"],
            "the deny narrowed": [f"delete {rule} match application any", f"set {rule} match application junos-https"],
            "not logged": [f"delete {rule} then log"],
            "all of it gone": [
                "delete security policies global policy tokgate-deny-company",
                f"delete {rule}",
                *(f"delete {book} address-set tokgate-{name}" for name in ("dst-tiktok", "src-company")),
            ],
        }

    def typed(self, lines: Sequence[str]) -> None:
        keyboard = boxes.configuring(self.device)
        for line in lines:
            said = keyboard.type(line)
            assert "error" not in said, (line, said)
        said = keyboard.type("commit")
        assert "commit complete" in said, said
        keyboard.type("exit")
        keyboard.leave()

    def pending(self) -> None:
        keyboard = boxes.configuring(self.device, mode="configure")
        keyboard.type("set system host-name other")
        keyboard.leave()

    @contextmanager
    def locked(self) -> Iterator[None]:
        keyboard = boxes.configuring(self.device)
        yield
        keyboard.type("exit")
        keyboard.leave()

    def standby(self) -> None:
        pair(self.device, boxes.srx(name="edge-2", clock=self.device.clock))
        self.device.fail_over()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        self.device.mishaps.commit_failures.append("error: configuration check-out failed\n")
        yield
        self.device.mishaps.commit_failures.clear()

    @contextmanager
    def full(self) -> Iterator[None]:
        roomy = self.device.model
        there = boxes.active(self.device).count("address-book global address ")
        self.device.database.model = replace(roomy, addresses=there + 1)
        yield
        self.device.database.model = roomy

    def misspelt(self) -> Mapping[str, Mapping[str, object]]:
        zones = {"from_zone": "inside", "to_zone": "outside"}
        return {
            "insde": {"places": [{**zones, "from_zone": "insde"}]},
            "nosuch": {"places": [{**zones, "placement": {"before": "nosuch"}}]},
            "custmer": {"logical_system": "custmer"},
        }
