"""Emulated PAN-OS firewalls for the tests, and a keyboard in front of one."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from core.clock import ManualClock
from lab.emulators.console import Console
from lab.emulators.panos import PanOs, Switches, User
from lab.emulators.panos.cli import PanCli

DATA: Final = Path(__file__).parent / "data" / "paloalto_panos"
NOON: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
ADMINS: Final = {
    "admin": User(password="admin"),
    "alice": User(password="alice"),
    "bob": User(password="bob", superuser=False),
}

SITE: Final = """\
set deviceconfig system hostname edge
set deviceconfig system timezone UTC
set deviceconfig setting config rematch yes
set network interface ethernet ethernet1/1 comment "[nbr=core] to the   house"
set network interface ethernet ethernet1/1 layer3 ip 10.0.0.1/24
set network interface ethernet ethernet1/2 layer3 ip 198.51.100.2/24
set shared log-settings profiles default match-list all log-type traffic
set shared certificate-profile FEED_CA CA house
set shared address resolver ip-netmask 192.0.2.53
set zone inside network layer3 ethernet1/1
set zone outside network layer3 ethernet1/2
set service-group
set service S_TCP_25 protocol tcp port 25
set schedule NIGHTS schedule-type recurring daily 20:00-23:00
set tag house color color3 comments "ours, not theirs"
set rulebase nat rules OUT source any
set rulebase security rules "DNS out" from inside
set rulebase security rules "DNS out" to outside
set rulebase security rules "DNS out" source any
set rulebase security rules "DNS out" destination resolver
set rulebase security rules "DNS out" application any
set rulebase security rules "DNS out" service any
set rulebase security rules "DNS out" action allow
set rulebase security rules OUT description "everything else"
set rulebase security rules OUT from inside
set rulebase security rules OUT to outside
set rulebase security rules OUT source STAFF
set rulebase security rules OUT destination any
set rulebase security rules OUT application any
set rulebase security rules OUT service any
set rulebase security rules OUT action allow
set rulebase security rules OUT log-end yes
set rulebase security rules OUT tag house
set address-group STAFF static [ desk lab ]
set address desk ip-netmask 10.0.1.0/24
set address desk description "people of the   house"
set address lab ip-range 10.0.2.1-10.0.2.9
set address cdn fqdn cdn.example.com
set mgt-config users admin permissions role-based superuser yes
"""


TURNED: Final = "TOKGATE_TEST_PANOS_POSITION"
"""A variable that names one position of ``positions``: every device of ``panos`` is in it then."""


def panos(**options: Any) -> PanOs:
    """A device of this site, at noon of a Monday."""
    options["switches"] = _turned(options.get("switches") or Switches())
    return PanOs(**{"name": "edge", "base": SITE, "clock": ManualClock(NOON), "users": ADMINS, **options})


def positions() -> dict[str, tuple[str, object]]:
    """Each switch in each position that it usually is not in: its name and value, by how a test is called."""
    hints = get_type_hints(Switches)
    found: list[tuple[str, object]] = []
    for one in fields(Switches):
        choices: tuple[object, ...] = get_args(hints[one.name])
        if hints[one.name] is bool:
            choices = (True, False)
        if hints[one.name] is str:
            choices = ("High availability is disabled",)
        found += [(one.name, choice) for choice in choices if choice != one.default]
    return {f"{name}={value}": (name, value) for name, value in found}


def _turned(switches: Switches) -> Switches:
    """In the position that the variable names, unless the test itself has turned that switch."""
    if (position := os.environ.get(TURNED)) is None:
        return switches
    name, value = positions()[position]
    if getattr(switches, name) != getattr(Switches(), name):
        return switches
    return replace(switches, **{name: value})  # type: ignore[arg-type]


class Keyboard:
    """Types lines and reads what the device says between its echo and its next prompt."""

    def __init__(self, device: PanOs, user: str = "admin") -> None:
        cli = device.login(user)
        assert isinstance(cli, PanCli)
        self.cli, self.device, self._console = cli, device, Console(cli, device.faults)
        self.first = "".join(chunk.text for chunk in self._console.open())

    @property
    def closed(self) -> bool:
        return self._console.closed

    @property
    def prompt(self) -> str:
        return self.cli.prompt.replace("\r\n", "\n")

    @property
    def prompt_line(self) -> str:
        return self.cli.prompt_text

    def raw(self, keys: str) -> str:
        return "".join(chunk.text for chunk in self._console.feed(keys))

    def type(self, line: str) -> str:
        """The answer alone, its lines ended by line feeds."""
        shown = self.raw(f"{line}\r").removesuffix(self.cli.prompt)
        return shown[shown.index("\r\n") + 2 :].replace("\r\n", "\n")

    def all(self, *lines: str) -> None:
        """Lines that must be taken without a word."""
        for line in lines:
            assert self.type(line).strip() == "", line


def operating(device: PanOs, user: str = "admin") -> Keyboard:
    """Logged in as a program does it: no pager, wide, set format."""
    keyboard = Keyboard(device, user)
    keyboard.all(
        "set cli scripting-mode on",
        "set cli terminal width 500",
        "set cli pager off",
        "set cli config-output-format set",
    )
    return keyboard


def configuring(device: PanOs, *lines: str, user: str = "admin") -> Keyboard:
    keyboard = operating(device, user)
    keyboard.type("configure")
    keyboard.all(*lines)
    return keyboard


def candidate(device: PanOs) -> str:
    return configuring(device).type("show").strip("\n") + "\n"


def running(device: PanOs) -> str:
    keyboard = operating(device)
    return keyboard.type("show config running")
