"""The contract's rig for FortiOS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import count
from typing import Any, ClassVar

from core.clock import ManualClock
from lab.emulators.fortios import FortiGate
from lab.emulators.fortios.switches import Model, Switches
from lab.emulators.traffic import Flow
from tests.contract.emulated import NAMES, ROLES, EmulatedRig, Foreign
from tests.lab.emulators.fortios import Keyboard, shown
from vendors.model import Desired, Receipt

_NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_HEAD = """\
config system console
    set output standard
end
config firewall service custom
    edit "TELNET"
        set tcp-portrange 23
    next
end
config firewall address
    edit "web"
        set subnet 10.0.0.80 255.255.255.255
    next
end
"""
_OURS = "900001"
_MEMBER = "tokgate-4-192.0.2.0-24"
_GROUP = "config firewall addrgrp", 'edit "tokgate-dst-tiktok"'
_OBJECT = "config firewall address", f'edit "{_MEMBER}"'
_POLICY = "config firewall policy", f"edit {_OURS}"
_DONE = "next", "end"


class FortiOsRig(EmulatedRig):
    vendor: ClassVar[str] = "fortinet_fortios"
    password: ClassVar[str] = "fortinet"
    log: ClassVar[str] = "execute log display"
    questions: ClassVar[tuple[str, ...]] = ("show ", "get ", "print ", "diagnose ")
    has_candidate: ClassVar[bool] = False

    def __init__(self, *, switches: Switches | None = None, model: Model | None = None) -> None:
        self._box: dict[str, Any] = {"switches": switches or Switches(), "model": model or Model()}
        self.clock = ManualClock(_NOON)
        self._ports = count(20_000)
        super().__init__()

    def made(self, rules: Sequence[Foreign] | None = None) -> Any:
        if rules is None:
            text = _policy(1, "no telnet", "all", "all", "TELNET", "deny")
            for number, (role, network) in enumerate(ROLES.items(), start=2):
                text += _address(role, network) + _policy(number, f"web {role}", role, "all", "HTTPS", "accept")
        else:
            text = ""
            for number, rule in enumerate(rules, start=1):
                places = (rule.source, rule.destination)
                text += "".join(_address(place, place) for place in places if place != "0.0.0.0/0")
                source, target = ("all" if place == "0.0.0.0/0" else place for place in places)
                text += _policy(number, f"R{number}", source, target, "ALL", "accept" if rule.permit else "deny")
        return FortiGate("edge", base=_HEAD + text, names=NAMES, clock=self.clock, **self._box)

    def options(self) -> dict[str, object]:
        return {"lock_seconds": 0}

    def push(self, desired: Desired, **options: object) -> Receipt:
        """After a while: what a session that died has left open is discarded by then."""
        self.clock.advance(timedelta(minutes=2))
        return super().push(desired, **options)

    def flow(self, source: str, destination: str, port: int) -> Flow:
        """A connection of its own each time: those that are open go on."""
        return Flow(
            source=ip_address(source), destination=ip_address(destination), port=port, source_port=next(self._ports)
        )

    def configuration(self) -> str:
        """Each line behind the entry that it stands in, with the policy's name."""
        with self.device.lock:
            text = shown(self.device)
        return "\n".join(_lines(text))

    def ours(self, line: str) -> bool:
        return "tokgate-" in line.partition(" | ")[0]

    def hands(self) -> Mapping[str, Sequence[str]]:
        return {
            "a member taken out": [*_GROUP, f'unselect member "{_MEMBER}"', *_DONE],
            "the owner's object added": [*_GROUP, 'append member "web"', *_DONE],
            "another network in an object": [*_OBJECT, "set subnet 192.0.2.0 255.255.255.128", *_DONE],
            "another type of an object": [*_OBJECT, "set type fqdn", 'set fqdn "mine.example.com"', *_DONE],
            "an object without its comment": [*_OBJECT, "unset comment", *_DONE],
            "the group's comment changed": [*_GROUP, 'set comment "mine"', *_DONE],
            "the mark gone": ["config firewall address", 'delete "tokgate-_mark"', "end"],
            "the mark garbled": ["config firewall address", 'edit "tokgate-_mark"', 'set comment "x"', *_DONE],
            "the mark somebody's": ["config firewall address", 'edit "tokgate-_mark"', "unset comment", *_DONE],
            "the policy deleted": ["config firewall policy", f"delete {_OURS}", "end"],
            "the policy switched off": [*_POLICY, "set status disable", *_DONE],
            "the policy lets pass": [*_POLICY, "set action accept", *_DONE],
            "the policy moved": ["config firewall policy", f"move {_OURS} after 2", "end"],
            "only one service": [*_POLICY, 'set service "TELNET"', *_DONE],
            "never": [*_POLICY, 'set schedule "none"', *_DONE],
            "not logged": [*_POLICY, "set logtraffic disable", *_DONE],
            "another name": [*_POLICY, 'set name "mine"', *_DONE],
            "without its comment": [*_POLICY, "unset comments", *_DONE],
            "another source": [*_POLICY, 'set srcaddr "web"', *_DONE],
            "an object of our form": [
                "config firewall address",
                'edit "tokgate-d-mine.example.com"',
                "set type fqdn",
                'set fqdn "mine.example.com"',
                'set comment "tokgate"',
                *_DONE,
            ],
            "all of it gone": [
                "config firewall policy",
                f"delete {_OURS}",
                "end",
                "config firewall addrgrp",
                'delete "tokgate-dst-tiktok"',
                'delete "tokgate-src-company"',
                "end",
            ],
        }

    def typed(self, lines: Sequence[str]) -> None:
        with self.device.lock:
            Keyboard(self.device).all(*lines)

    @contextmanager
    def locked(self) -> Iterator[None]:
        if not self.device.model.workspace:
            raise NotImplementedError  # nobody can hold anything there
        self.clock.advance(timedelta(minutes=2))
        with self.device.lock:
            other = Keyboard(self.device)
            other.type("execute config-transaction start 60")
            other.all(*_GROUP, 'set comment "mine"', *_DONE)
        yield
        with self.device.lock:
            other.type("execute config-transaction abort")

    def standby(self) -> None:
        self.device.pair(FortiGate("edge-2", base=_HEAD, serial="FG100FTK00000002", clock=self.clock, **self._box))
        self.device.fail_over()

    @contextmanager
    def full(self) -> Iterator[None]:
        with self.device.lock:
            roomy = self.device.model
            there = len(self.device.config.entries("root", "firewall address"))
            self.device.model = replace(roomy, addresses=there + 1)
        yield
        self.device.model = roomy

    def misspelt(self) -> Mapping[str, Mapping[str, object]]:
        return {
            "branch": {"vdom": "branch"},
            "nosuch": {"placement": {"before": "nosuch"}},
            "lann": {"srcintf": ["lann"]},
        }


def _address(name: str, network: str) -> str:
    return f'config firewall address\nedit "{name}"\nset subnet {network}\nnext\nend\n'


def _policy(number: int, name: str, source: str, target: str, service: str, action: str) -> str:
    return (
        f'config firewall policy\nedit {number}\nset name "{name}"\nset srcintf "any"\nset dstintf "any"\n'
        f'set srcaddr "{source}"\nset dstaddr "{target}"\nset action {action}\nset schedule "always"\n'
        f'set service "{service}"\nnext\nend\n'
    )


def _lines(text: str) -> Iterator[str]:
    path = ""
    for block in re.split(r"^(?=    edit |config |end$)", text, flags=re.MULTILINE):
        head, *lines = block.splitlines() or [""]
        if head.startswith("config "):
            path = head
        name = next((line.strip() for line in lines if line.startswith("        set name ")), "")
        if not head.startswith("#"):
            yield from (f"{path} {head.strip()} {name} | {line}" for line in ("", *lines))
