"""The box: its contexts, its mate, its memory over a reload, who may come in."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal

from core.clock import Clock, SystemClock
from lab.emulators.asa import answers, text, traffic
from lab.emulators.asa.context import Context
from lab.emulators.asa.switches import Model, Switches
from lab.emulators.console import Cli
from lab.emulators.faults import Faults
from lab.emulators.server import Access
from lab.emulators.traffic import Flow, Names, Verdict

SINGLE = ""
"""The one context of a device in single mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    password: str
    privilege: int = 15


_ADMIN: Final = {"admin": User(password="admin")}  # noqa: S106  # of an emulated device


@dataclass(slots=True, kw_only=True)
class Mishaps:
    """What a test wants to go wrong beyond the terminal's own faults."""

    flash_full: bool = False
    """`write memory` fails."""
    forbidden: tuple[str, ...] = ()
    """Lines that begin so are refused by the AAA server."""
    config_held_by: str = ""
    """Another session has the configuration locked."""
    interjections: list[str] = field(default_factory=list)
    """Lines of the device's own that turn up inside the next output, one each."""


class Asa:
    """One Cisco ASA.

    ``base``: configuration text of the site, which is also what the device has saved. With ``contexts`` the device is
    in multiple mode: their names to their text, the first is the admin context, and ``base`` is the system space's.
    ``tolerant``: lines of these texts that make no sense are kept aside (``unread``) rather than raising ``Unread``.
    """

    def __init__(
        self,
        name: str = "ciscoasa",
        *,
        base: str = "",
        contexts: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        zone: tzinfo = UTC,
        names: Names | None = None,
        users: Mapping[str, User] | None = None,
        enable_secret: str = "enable",  # noqa: S107  # of an emulated device
        model: Model | None = None,
        switches: Switches | None = None,
        tolerant: bool = False,
        ask_reporting: bool = False,
    ) -> None:
        self.name = name
        self.model, self.switches = model or Model(), switches or Switches()
        self.clock: Clock = clock or SystemClock()
        self.zone = zone
        self.names: Names = {} if names is None else names
        self.users = dict(users or _ADMIN)
        self.enable_secret = enable_secret
        self.ask_reporting = ask_reporting
        self.access = Access(
            users={each: user.password for each, user in self.users.items()}, max_sessions=self.model.sessions
        )
        self.faults, self.mishaps, self.lock = Faults(), Mishaps(), threading.RLock()
        self.unit: Literal["primary", "secondary"] = "primary"
        self.state: Literal["Active", "Standby Ready", "Failed"] = "Active"
        self.mate: Asa | None = None
        self.logins: list[tuple[str, datetime]] = []
        self.unread: tuple[str, ...] = ()
        self._power_on()
        self.system = self._context("", base if contexts is not None else "", tolerant=tolerant)
        texts = {SINGLE: base} if contexts is None else contexts
        self.contexts = {each: self._context(each, text, tolerant=tolerant) for each, text in texts.items()}
        self.multiple, self.admin = contexts is not None, next(iter(self.contexts))

    def _power_on(self) -> None:
        self.booted, self.since = self.clock.monotonic(), self.clock.now()
        self.boots = getattr(self, "boots", -1) + 1

    def _context(self, name: str, base: str, *, tolerant: bool) -> Context:
        made = Context(
            name, model=self.model, switches=self.switches, clock=self.clock, zone=self.zone, names=self.names
        )
        made.running.hostname = self.name
        self.unread += made.load(base, tolerant=tolerant)
        return made

    # --- logins ---------------------------------------------------------------------------------------------------

    def login(self, user: str) -> Cli:
        from lab.emulators.asa.cli import AsaCli  # the terminal knows the device, not the other way round

        cli = AsaCli(self, user)
        self.logins.append((user, self.clock.now()))
        return cli

    # --- traffic --------------------------------------------------------------------------------------------------

    def forward(self, flow: Flow, *, context: str = "", keep_open: bool = False) -> Verdict:
        """One connection attempt, judged by the configured rules. A unit that is not active passes nothing on.

        ``context``: which one it goes through in multiple mode; the admin context unless told.
        """
        if not self.active:
            return Verdict.DENY
        name = context or self.admin
        verdict = traffic.forward(self.contexts[name], flow, keep_open=keep_open)
        if self.mate is not None and self.switches.hits_replicated:
            traffic.forward(self.mate.contexts[name], flow)
        return verdict

    # --- high availability ----------------------------------------------------------------------------------------

    @property
    def active(self) -> bool:
        return self.state == "Active"

    def active_seconds(self) -> int:
        return int((self.clock.now() - self.since).total_seconds()) if self.active else 0

    def fail_over(self) -> None:
        """The standby unit takes over, with the connections that are open."""
        if self.mate is None:
            raise ValueError(f"{self.name} has no mate")
        old, new = (self, self.mate) if self.active else (self.mate, self)
        old.state, new.state = "Standby Ready", "Active"
        old.since = new.since = self.clock.now()
        for name, context in old.contexts.items():
            new.contexts[name].connections = dict(context.connections)

    def go_down(self) -> None:
        """This unit fails; its mate takes over, and asks it nothing any more."""
        if self.active:
            self.fail_over()
        self.state = "Failed"

    def come_back(self) -> None:
        """Up again as the standby unit, with counters at zero and the configuration of the active one."""
        self.state = "Standby Ready"
        self.reboot()
        if self.mate is not None:
            self.mate.replicate()

    def replicate(self) -> None:
        """What the standby unit gets when it comes up: the whole configuration."""
        if self.mate is not None:
            for name, context in self.contexts.items():
                self.mate.contexts[name].startup = text.body(context.running)
                self.mate.contexts[name].boot()

    # --- memory ---------------------------------------------------------------------------------------------------

    def spaces(self) -> list[Context]:
        """Everything that has a configuration."""
        return [*([self.system] if self.multiple else []), *self.contexts.values()]

    def reboot(self) -> None:
        """Power off and on: what was not saved is lost, every session ends, counters start at zero."""
        for context in self.spaces():
            context.boot()
        self._power_on()
        if self.mate is not None and self.active and self.mate.state == "Standby Ready":
            self.fail_over()

    def interject(self, *lines: str) -> None:
        """The device speaks up inside the next outputs, as it does when its mate comes back."""
        self.mishaps.interjections += lines or (answers.REPLICATION, answers.REPLICATED)


def pair(primary: Asa, secondary: Asa) -> None:
    """Make two devices a failover pair; the primary is active, and the secondary takes its configuration."""
    primary.mate, secondary.mate = secondary, primary
    primary.unit, secondary.unit = "primary", "secondary"
    primary.state, secondary.state = "Active", "Standby Ready"
    primary.replicate()
