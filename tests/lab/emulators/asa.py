"""Emulated ASAs for the tests, and a keyboard in front of one."""

from __future__ import annotations

import os
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from core.clock import ManualClock
from lab.emulators.asa import Asa, Switches
from lab.emulators.asa.cli import AsaCli
from lab.emulators.console import Console

DATA: Final = Path(__file__).parent / "data" / "cisco_asa"
NOON: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday

SITE: Final = """\
: Saved
ASA Version 9.16(4)
!
hostname edge
enable password ***** pbkdf2
names
name 192.0.2.53 resolver
!
interface GigabitEthernet0/0
 nameif inside
 security-level 100
 ip address 10.0.0.1 255.255.255.0
!
interface GigabitEthernet0/1
 description   to the  provider
 nameif outside
 security-level 0
 ip address 198.51.100.2 255.255.255.0
!
time-range nights
 periodic weekdays 20:00 to 23:00
!
dns domain-lookup outside
dns server-group DefaultDNS
 name-server 192.0.2.53
object network web
 host 10.0.0.80
 description the shop
object network cdn
 fqdn cdn.example.com
object service high
 service tcp destination range 8000 8100
object-group network staff
 description people of the   house
 network-object 10.0.1.0 255.255.255.0
 network-object host 10.0.2.7
object-group network servers
 network-object object web
 group-object staff
object-group service mail tcp
 port-object eq smtp
 port-object range 993 995
access-list INSIDE_IN remark ----  the house's own  ----
access-list INSIDE_IN extended deny tcp any any eq telnet
access-list INSIDE_IN extended permit tcp object-group staff any object-group mail log
access-list INSIDE_IN extended permit object high any object cdn time-range nights
access-list INSIDE_IN extended permit ip any any
access-list VPN standard permit 10.9.0.0 255.255.0.0
pager lines 24
logging enable
logging timestamp
logging buffered informational
mtu inside 1500
access-group INSIDE_IN in interface inside
route outside 0.0.0.0 0.0.0.0 198.51.100.1 1
Cryptochecksum:00000000000000000000000000000000
: end
"""


TURNED: Final = "TOKGATE_TEST_ASA"
"""The environment's word for a position that the boxes of a whole run of tests have: ``name=value``."""


def asa(**options: Any) -> Asa:
    """A device of this site, at noon of a Monday."""
    usual = {"name": "edge", "base": SITE, "clock": ManualClock(NOON), "switches": _asked()}
    return Asa(**{**usual, **options})


def _asked() -> Switches:
    name, _, value = os.environ.get(TURNED, "").partition("=")
    choices = {repr(choice): choice for choice in turned().get(name, ())}
    return Switches(**{name: choices[value]}) if name else Switches()


def turned() -> dict[str, tuple[Any, ...]]:
    """Every position of every switch that it usually is not in."""
    found: dict[str, tuple[Any, ...]] = {}
    usual = {field.name: field.default for field in fields(Switches)}
    for name, hint in get_type_hints(Switches).items():
        choices = {bool: (False, True), int: (0, 2), str: ("standby",)}.get(hint) or get_args(hint)
        found[name] = tuple(choice for choice in choices if choice != usual[name])
    return found


class Keyboard:
    """Types lines and reads what the device says between its echo and its next prompt."""

    def __init__(self, device: Asa, user: str = "admin") -> None:
        self.cli = device.login(user)
        assert isinstance(self.cli, AsaCli)
        self.device, self._console = device, Console(self.cli, device.faults)
        self.first = "".join(chunk.text for chunk in self._console.open())

    @property
    def prompt(self) -> str:
        return self.cli.prompt.lstrip("\r")

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


def enabled(device: Asa, *lines: str) -> Keyboard:
    """Logged in, at `#`, without paging."""
    keyboard = Keyboard(device)
    login = () if keyboard.prompt.endswith("# ") else ("enable", device.enable_secret)
    keyboard.all(*login, "terminal pager 0", *lines)
    return keyboard


def configuring(device: Asa, *lines: str) -> Keyboard:
    return enabled(device, "configure terminal", "terminal width 511", *lines)


def running(device: Asa) -> str:
    return enabled(device).type("show running-config")
