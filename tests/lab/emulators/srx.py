"""Emulated SRXs for the tests, and a keyboard in front of one."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args, get_type_hints

import pytest

from core.clock import ManualClock
from lab.emulators.console import Console
from lab.emulators.srx import Model, Srx, Switches
from lab.emulators.srx.cli import SrxCli

DATA: Final = Path(__file__).parent / "data" / "juniper_srx"
NOON: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday

SITE: Final = """\
set version 24.4R1.9
set system host-name edge
set system name-server 192.0.2.53
set system services ssh root-login deny
set system syslog file messages any notice
set security address-book global address web 10.0.0.80/32
set security address-book global address staff-1 10.0.1.0/24
set security address-book global address staff-2 10.0.2.0/24
set security address-book global address-set staff description "people of the   house"
set security address-book global address-set staff address staff-2
set security address-book global address-set staff address staff-1
set security screen ids-option untrust-screen tcp land
set security policies from-zone inside to-zone outside policy no-telnet match source-address any
set security policies from-zone inside to-zone outside policy no-telnet match destination-address any
set security policies from-zone inside to-zone outside policy no-telnet match application junos-telnet
set security policies from-zone inside to-zone outside policy no-telnet then deny
set security policies from-zone inside to-zone outside policy staff-out match source-address staff
set security policies from-zone inside to-zone outside policy staff-out match destination-address any
set security policies from-zone inside to-zone outside policy staff-out match application any
set security policies from-zone inside to-zone outside policy staff-out then permit
set security policies from-zone inside to-zone outside policy staff-out then log session-close
set security policies global policy web-in match source-address any
set security policies global policy web-in match destination-address web
set security policies global policy web-in match application junos-https
set security policies global policy web-in then permit
set security policies default-policy deny-all
set security zones security-zone inside tcp-rst
set security zones security-zone inside host-inbound-traffic system-services ping
set security zones security-zone inside interfaces ge-0/0/0.0
set security zones security-zone outside screen untrust-screen
set security zones security-zone outside interfaces ge-0/0/1.0
set interfaces ge-0/0/0 description "[nbr=LAN:??]"
set interfaces ge-0/0/0 unit 0 family inet address 10.0.0.1/24
set interfaces ge-0/0/1 unit 0 family inet address 198.51.100.2/24
set routing-options static route 0.0.0.0/0 next-hop 198.51.100.1
"""


OLD: Final = Model(
    version="12.3X48-D10.3",
    hit_layout="plain",
    identity_lines=False,
    members=4_096,
    dns_name=63,
    dns_interval=False,
    deny_reason=False,
)
"""How a release of ten years ago prints, and what it knows."""
TURNED: Final = "TOKGATE_TEST_SRX"
"""The environment's word for a position that the boxes of a whole run of tests have: ``name=value``."""


def srx(**options: Any) -> Srx:
    """A device of this site, at noon of a Monday."""
    usual = {"name": "edge", "base": SITE, "clock": ManualClock(NOON), "switches": _asked()}
    return Srx(**{**usual, **options})


def _asked() -> Switches:
    name, _, value = os.environ.get(TURNED, "").partition("=")
    choices = {str(choice): choice for choice in turned().get(name, ())}
    return replace(Switches(), **{name: choices[value]}) if name else Switches()


def turned() -> dict[str, tuple[Any, ...]]:
    """Every position of every switch."""
    found = {}
    for name, hint in get_type_hints(Switches).items():
        choices = {bool: (False, True), str: ("never heard of {}",)}.get(hint) or get_args(hint)
        found[name] = tuple(2 if choice is int else None if choice is NoneType else choice for choice in choices)
    return found


def positions() -> list[Any]:
    """Each switch in each position that it usually is not in, the others as they are; and how other releases print."""
    usual = {field.name: field.default for field in fields(Switches)}
    return [
        *(
            pytest.param(replace(Switches(), **{name: value}), Model(), id=f"{name}={value}")
            for name, values in turned().items()
            for value in values
            if value != usual[name]
        ),
        pytest.param(Switches(), OLD, id="old"),
        pytest.param(Switches(), Model(hit_layout="lower"), id="lower"),
    ]


class Keyboard:
    """Types lines and reads what the device says between its echo and its next prompt."""

    def __init__(self, device: Srx, user: str = "admin") -> None:
        cli = device.login(user)
        assert isinstance(cli, SrxCli)
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

    def load(self, *lines: str) -> str:
        """`load set terminal`, and what it answers behind `^D`."""
        self.type("load set terminal")
        shown = self.raw("".join(f"{line}\n" for line in lines) + "\x04").removesuffix(self.cli.prompt)
        return shown[shown.index("^D") + 2 :].replace("\r\n", "\n")

    def leave(self) -> None:
        """The session ends without a word."""
        self._console.end()


def operating(device: Srx, user: str = "admin") -> Keyboard:
    """Logged in, without paging and wide."""
    keyboard = Keyboard(device, user)
    for line in ("set cli screen-width 1024", "set cli complete-on-space off", "set cli screen-length 0"):
        keyboard.type(line)
    return keyboard


def configuring(device: Srx, *lines: str, user: str = "admin", mode: str = "configure exclusive") -> Keyboard:
    keyboard = operating(device, user)
    assert "Entering configuration mode\n" in keyboard.type(mode)
    keyboard.all(*lines)
    return keyboard


def active(device: Srx) -> str:
    return operating(device).type("show configuration | display set")


def candidate(keyboard: Keyboard) -> str:
    return keyboard.type("top show | display set")
