"""The box: its database, its mate in a cluster, its memory over a reboot, who may come in, what traffic did."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from core.clock import Clock, SystemClock
from lab.emulators.console import Cli
from lab.emulators.faults import Faults
from lab.emulators.server import Access
from lab.emulators.srx.database import Database
from lab.emulators.srx.groups import loaded
from lab.emulators.srx.switches import Model, Switches
from lab.emulators.traffic import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """``configure``: whether the login class lets into configuration mode; ``logs``: whether `show log` is allowed."""

    password: str
    configure: bool = True
    logs: bool = True


_ADMIN: Final = {"admin": User(password="pw")}  # noqa: S106  # of an emulated device


@dataclass(slots=True, kw_only=True)
class Mishaps:
    """What a test wants to go wrong beyond the terminal's own faults."""

    commit_failures: list[str] = field(default_factory=list)
    """Said by the next commits or checks, one each, which then do nothing."""
    commit_seconds: float = 0.0
    """How long a commit takes."""
    database_busy: bool = False
    """`show system configuration database usage` finds it being modified."""


class Srx:
    """One Juniper SRX.

    ``base``: the site's configuration as `set` lines, active from the start; raises ``Unread`` for a line that is none.
    ``names``: what `dns-name` addresses resolve to. ``fetch``: the feed servers, by URL; raises OSError.
    """

    def __init__(
        self,
        name: str = "srx",
        *,
        base: str = "",
        clock: Clock | None = None,
        names: Names | None = None,
        fetch: Callable[[str], bytes] | None = None,
        users: Mapping[str, User] | None = None,
        model: Model | None = None,
        switches: Switches | None = None,
    ) -> None:
        self.name = name
        self.model, self.switches = model or Model(), switches or Switches()
        self.clock: Clock = clock or SystemClock()
        self.names: Names = {} if names is None else names
        self.fetch = fetch or _no_network
        self.users = dict(users or _ADMIN)
        self.access = Access(
            users={each: user.password for each, user in self.users.items()}, max_sessions=self.model.sessions
        )
        self.faults, self.mishaps, self.lock = Faults(), Mishaps(), threading.RLock()
        self.database = Database(clock=self.clock, model=self.model, switches=self.switches)
        self.sessions: list[Cli] = []
        self.logins, self.boots = 0, 0
        self.booted = self.clock.now()
        self.mate: Srx | None = None
        self.database.start(loaded(base, self.model, self.switches))

    @property
    def host_name(self) -> str:
        return self.database.host_name or self.name

    @property
    def banner(self) -> str:
        """What a member of a cluster says above its prompt."""
        return ""

    def committed(self) -> None:
        """After each commit."""

    # --- logins ---------------------------------------------------------------------------------------------------

    def login(self, user: str) -> Cli:
        from lab.emulators.srx.cli import SrxCli  # the terminal knows the device, not the other way round

        self.tick()
        self.logins += 1
        cli = SrxCli(self, user)
        self.sessions.append(cli)
        return cli

    def tick(self) -> None:
        """What the clock brings about by itself."""
        self.database.tick()

    # --- memory ---------------------------------------------------------------------------------------------------

    def reboot(self) -> None:
        """Power off and on: what was not committed is lost, every session ends, counters start at zero."""
        for session in tuple(self.sessions):
            session.closed()
        self.sessions.clear()
        self.database.exclusive = None
        self.database.editors.clear()
        self.database.discard()
        self.boots, self.booted = self.boots + 1, self.clock.now()


def _no_network(url: str) -> bytes:
    raise OSError(f"no route to {url}")
