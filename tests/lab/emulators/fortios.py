"""Emulated FortiGates for the tests, and a keyboard in front of one."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, get_type_hints

import pytest

from core.clock import ManualClock
from lab.emulators.console import Console
from lab.emulators.fortios import FortiGate
from lab.emulators.fortios.session import FortiCli
from lab.emulators.fortios.switches import Model, Switches

DATA: Final = Path(__file__).parent / "data" / "fortios"
NOON: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday

SITE: Final = """\
#config-version=FG100F-7.4.8-FW-build2795-250523:opmode=0:vdom=0:user=admin
config system console
    set output standard
end
config system interface
    edit "port1"
        set ip 10.0.0.1 255.255.255.0
        set allowaccess ping https ssh
        set alias "people's side"
        config ipv6
            set ip6-address 2001:db8::1/64
        end
    next
end
  config   system zone
    edit "inside"
        set interface "port1" "port2"
    next
    edit "outside"
        set interface "port3"
    next
end
config firewall address
    edit "STAFF"
        set subnet 10.0.1.0 255.255.255.0
        set comment "people of the   \\"house\\""
    next
    edit "SHOP"
        set subnet 10.0.2.7/32
    next
    edit "CDN"
        set type fqdn
        set fqdn "cdn.example.com"
    next
end
config firewall addrgrp
    edit "ALL_STAFF"
        set member "STAFF" "SHOP"
    next
end
config firewall ssl-ssh-profile
    edit "certificate-inspection"
        set comment "Read-only
   config  two lines
end of it."
    next
end
config firewall schedule recurring
    edit "WORK"
        set start 08:00
        set end 18:00
        set day monday tuesday wednesday thursday friday
    next
end
config firewall policy
    edit 7
        set name "telnet stays out"
        set srcintf "inside"
        set dstintf "outside"
        set srcaddr "all"
        set dstaddr "all"
        set schedule "always"
        set service "SSH"
        set logtraffic all
    next
    edit 3
        set name "staff"
        set srcintf "inside"
        set dstintf "outside"
        set action accept
        set srcaddr "ALL_STAFF"
        set dstaddr "all"
        set schedule "WORK"
        set service "ALL"
        set utm-status enable
        set ssl-ssh-profile "certificate-inspection"
        set nat enable
        set webcache disable
    next
end
config router static
    edit 1
        set gateway 198.51.100.1
        set device "port3"
    next
end
"""
VDOMS: Final = """\
config global
config system global
    set vdom-mode multi-vdom
end
config system console
    set output standard
end
end
"""


TURNED: Final = "TOKGATE_TEST_FORTIOS"
"""The environment's word for a position that the boxes of a whole run of tests have: ``name=value``."""
WIDE: Final = 512
"""Characters: of what has no limit, the least that the adapter needs (its lines have at most 480)."""
RELEASES: Final = ((6, 0, 7), (6, 2, 4), (6, 4, 4), (7, 0, 13), (7, 6, 2))


def fortigate(**options: Any) -> FortiGate:
    """A device of this site, at noon of a Monday. Its pager is off; ``base=""`` has it on, as boxes come."""
    return FortiGate(**{"base": SITE, "clock": ManualClock(NOON), "switches": asked(), **options})


def asked() -> Switches:
    """The switches of this run of tests."""
    name, _, value = os.environ.get(TURNED, "").partition("=")
    choices = {str(choice): choice for choice in turned().get(name, ())}
    return replace(Switches(), **{name: choices[value]}) if name else Switches()


def turned() -> dict[str, tuple[Any, ...]]:
    """Every switch in each position that it usually is not in."""
    usual = {field.name: field.default for field in fields(Switches)}
    found: dict[str, tuple[Any, ...]] = {}
    for name, hint in get_type_hints(Switches).items():
        every: tuple[Any, ...] = (WIDE,) if hint is int else (False, True) if hint is bool else _positions(hint)
        found[name] = tuple(choice for choice in every if choice != usual[name])
    return found


def _positions(hint: Any) -> tuple[Any, ...]:
    assert issubclass(hint, StrEnum)
    return tuple(hint)


def positions() -> list[Any]:
    """One switch turned, the others as they are; and other releases."""
    return [
        *(
            pytest.param(replace(Switches(), **{name: value}), Model(), id=f"{name}={value}")
            for name, values in turned().items()
            for value in values
        ),
        *(pytest.param(Switches(), Model(version=version), id=".".join(map(str, version))) for version in RELEASES),
    ]


class Keyboard:
    """Types lines and reads what the device says between its echo and its next prompt."""

    def __init__(self, device: FortiGate, user: str = "admin") -> None:
        cli = device.login(user)
        assert isinstance(cli, FortiCli)
        self.cli, self.device, self._console = cli, device, Console(cli, device.faults)
        self.first = "".join(chunk.text for chunk in self._console.open())

    @property
    def prompt(self) -> str:
        return self.cli.prompt.lstrip("\r\n")

    @property
    def closed(self) -> bool:
        return self._console.closed

    def raw(self, keys: str) -> str:
        return "".join(chunk.text for chunk in self._console.feed(keys))

    def type(self, line: str) -> str:
        """The answer alone, its lines ended by line feeds."""
        shown = self.raw(f"{line}\r").removesuffix(self.cli.prompt)
        return shown[shown.index("\r\n") + 2 :].replace("\r\n", "\n")

    def all(self, *lines: str) -> None:
        """Lines that must be taken without a word."""
        for line in lines:
            assert self.type(line) == "", line


def configuring(device: FortiGate, path: str, *lines: str) -> Keyboard:
    keyboard = Keyboard(device)
    keyboard.all(f"config {path}", *lines)
    return keyboard


def shown(device: FortiGate, path: str = "") -> str:
    """The configuration, or a section of it, as another session reads it."""
    return Keyboard(device).type(f"show {path}".strip())
