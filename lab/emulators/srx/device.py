"""The box: its database, its mate in a cluster, its memory over a reboot, who may come in, what traffic did."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from core.clock import Clock, SystemClock
from lab.emulators.console import Cli
from lab.emulators.faults import Faults
from lab.emulators.fetching import Fetch, Request, Trust, Wire, polling
from lab.emulators.server import Access
from lab.emulators.srx.database import Database
from lab.emulators.srx.engine import Engine
from lab.emulators.srx.groups import loaded
from lab.emulators.srx.schema import SPACES
from lab.emulators.srx.switches import Model, Switches
from lab.emulators.traffic import Flow, Names, Verdict

if TYPE_CHECKING:
    from lab.emulators.srx.cli import SrxCli
    from lab.emulators.srx.hits import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """``configure``: whether the login class lets into configuration mode; ``logs``: whether `show log` is allowed.
    ``clear``: whether `clear` is.
    """

    password: str
    configure: bool = True
    logs: bool = True
    clear: bool = True


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
    ``names``: what `dns-name` addresses resolve to. ``fetch``: the way to feed servers; a function raises OSError.
    """

    def __init__(
        self,
        name: str = "srx",
        *,
        base: str = "",
        clock: Clock | None = None,
        names: Names | None = None,
        fetch: Fetch | Wire | None = None,
        users: Mapping[str, User] | None = None,
        model: Model | None = None,
        switches: Switches | None = None,
    ) -> None:
        self.name = name
        self.model, self.switches = model or Model(), switches or Switches()
        self.clock: Clock = clock or SystemClock()
        self.names: Names = {} if names is None else names
        self.fetch: Fetch | Wire = fetch or _no_network
        self._pollers: dict[str, Fetch] = {}
        self.users = dict(users or _ADMIN)
        self.access = Access(
            users={each: user.password for each, user in self.users.items()}, max_sessions=self.model.sessions
        )
        self.faults, self.mishaps, self.lock = Faults(), Mishaps(), threading.RLock()
        self.database = Database(clock=self.clock, model=self.model, switches=self.switches)
        self.sessions: list[SrxCli] = []
        self.other_systems: dict[str, list[Row]] = {}
        """Rows of further logical systems in `show security policies hit-count`."""
        self.logins, self.boots = 0, 0
        self.last_logins: dict[str, datetime] = {}
        self.booted = self.clock.now()
        self.mate: Srx | None = None
        self.node, self.failovers, self.down = 0, 0, False
        self.state: Literal["primary", "secondary"] = "primary"
        self.log_files: dict[str, list[str]] = {}
        """Lines by file, of all systems."""
        self.spaces: dict[tuple[str, str], Engine] = {}
        """The packet engines of logical systems and tenants, by what their statements begin with."""
        self.database.start(loaded(base, self.model, self.switches))
        self._power_on()

    def _power_on(self) -> None:
        self.engine = Engine(self)
        self._adopt_spaces()
        self.database.installed += [self.engine.adopt, self._adopt_spaces]
        self._poll()

    def _adopt_spaces(self) -> None:
        """A logical system or tenant that goes takes its counters and sessions along."""
        root = self.database.effective
        keys = [(name, node.value) for name in SPACES for node in root.all(name)]
        kept = {key: self.spaces.get(key) or Engine(self, key) for key in keys}
        for engine in kept.values():
            engine.adopt()
        self.spaces = kept

    @property
    def engines(self) -> list[Engine]:
        return [self.engine, *self.spaces.values()]

    def engine_of(self, flow: Flow) -> Engine:
        """The system whose zone, or interface, the flow comes from: of several, the root system."""
        return next((each for each in self.engines if each.zone(flow.inside) in each.books.zones), self.engine)

    @property
    def host_name(self) -> str:
        return self.database.host_name or self.name

    @property
    def banner(self) -> str:
        """What a member of a cluster says above its prompt."""
        return "" if self.mate is None else f"{{{self.state}:node{self.node}}}"

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
        self._poll()

    def _poll(self) -> None:
        for engine in self.engines:
            engine.feeds.poll(self.clock.monotonic(), self._fetched)

    def _fetched(self, url: str, profile: str) -> bytes:
        """By its own requests: no password, since a feed server has none in the model (Juniper/yang).

        ``profile``: an SSL initiation profile, whose authority is looked for among the certificates on the box.
        """
        if not isinstance(self.fetch, Wire):
            return self.fetch(url)
        if profile and profile not in self.fetch.authorities:
            raise ConnectionError(f"{url}: no authority of the profile {profile}")
        trust = Trust(authorities=self.fetch.authorities[profile]) if profile else None
        if trust is None and self.switches.feed_demands_profile and url.startswith("https:"):
            raise ConnectionError(f"{url}: whose certificate is not known")
        poller = self._pollers.setdefault(profile, polling(self.fetch, lambda each: Request(url=each, trust=trust)))
        return poller(url)

    # --- traffic --------------------------------------------------------------------------------------------------

    def forward(self, flow: Flow, *, keep_open: bool = False) -> Verdict:
        """One connection attempt, judged by the configured policies. A node that is not primary passes nothing on.

        ``keep_open``: the session stays, and more of the same belongs to it, uncounted.
        """
        self.tick()
        if self.state != "primary" or self.down:
            return Verdict.DENY
        return self.engine_of(flow).forward(flow, keep_open=keep_open)

    # --- the cluster ----------------------------------------------------------------------------------------------

    def nodes(self) -> list[Srx]:
        """Of the cluster, or this box alone."""
        return sorted([self] if self.mate is None else [self, self.mate], key=lambda each: each.node)

    def fail_over(self) -> None:
        """The other node takes over, with the sessions that are open. Its counters are its own."""
        if self.mate is None:
            raise ValueError(f"{self.name} has no mate")
        old, new = (self, self.mate) if self.state == "primary" else (self.mate, self)
        old.state, new.state = "secondary", "primary"
        for there, here in zip(old.engines, new.engines, strict=True):
            here.sessions = list(there.sessions)
        self.failovers = self.mate.failovers = self.failovers + 1

    # --- memory ---------------------------------------------------------------------------------------------------

    def reboot(self) -> None:
        """Power off and on: what was not committed is lost, every session ends, counters start at zero."""
        for session in tuple(self.sessions):
            session.closed()
            self.database.leave(session)
        self.sessions.clear()
        if self.mate is None:
            self.database.discard()
        elif self.state == "primary":
            self.fail_over()
        for engine in self.engines:
            engine.restart()
        self.boots, self.booted = self.boots + 1, self.clock.now()


def pair(first: Srx, second: Srx) -> None:
    """Make two boxes a chassis cluster: one configuration, and the first is the primary node."""
    second.database = first.database
    first.mate, second.mate = second, first
    first.node, second.node = 0, 1
    first.state, second.state = "primary", "secondary"
    second.engine = Engine(second)
    second._adopt_spaces()
    first.database.installed += [second.engine.adopt, second._adopt_spaces]


def _no_network(url: str) -> bytes:
    raise OSError(f"no route to {url}")
