"""A FortiGate: its state, its clock, its neighbours. What a session says is in ``session``; no sockets here."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final

from core.clock import Clock, SystemClock
from core.net import Address
from lab.emulators.console import Cli
from lab.emulators.faults import Faults
from lab.emulators.fetching import Fetch, Wire
from lab.emulators.fortios import factory, loading
from lab.emulators.fortios.config import GLOBAL, Change, Config, Drop, Entry, Key, NewVdom, Put
from lab.emulators.fortios.editing import Editor
from lab.emulators.fortios.feeds import Feeds
from lab.emulators.fortios.forwarding import (
    Counter,
    Session,
    SessionFilter,
    Sessions,
    Sight,
    active,
    family_path,
    first_match,
    log_line,
)
from lab.emulators.fortios.schema import MANAGER, POLICY, POLICY6, SYSTEM, tables
from lab.emulators.fortios.session import FortiCli
from lab.emulators.fortios.status import Facts, Member
from lab.emulators.fortios.switches import Admin, Model, Switches
from lab.emulators.fortios.transactions import Locks, Transaction
from lab.emulators.server import Access
from lab.emulators.traffic import Flow, Names, Verdict

_OWN: Final = ("hostname", "alias")
"""What a member of a cluster keeps for itself (administration guide, FGCP)."""
_LOG_LINES: Final = 10_000


def _users() -> Access:
    """As many logins at once as the captured 7.2.4 configuration allows."""
    return Access(users={"admin": "fortinet"}, max_sessions=100)


@dataclass(eq=False)
class FortiGate:
    """One box. ``base``: a configuration on top of the factory's, as ``show`` prints one; ``bare``: instead of it."""

    name: str = "FGT"
    model: Model = field(default_factory=Model)
    switches: Switches = field(default_factory=Switches)
    clock: Clock = field(default_factory=SystemClock)
    access: Access = field(default_factory=_users)
    admins: Mapping[str, Admin] = field(default_factory=dict)
    base: str = ""
    bare: bool = False
    ports: int = 4
    serial: str = "FG100FTK00000001"
    names: Names = field(default_factory=dict)
    exit: str = "outside"
    """The interface of the default route; empty: there is none."""
    fetch: Fetch | Wire | None = None
    zone: tzinfo = UTC
    post_banner: str = ""
    faults: Faults = field(default_factory=Faults)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.config = Config(tables(self.model.version, self.model.name_limit))
        self.saved: Config | None = None  # None: what runs is saved
        self.unsaved_since: float | None = None
        self.locks = Locks()
        self.transactions: dict[int, Transaction] = {}
        self.kept: loading.Kept = {}
        self.counters: dict[tuple[str, int, str], Counter] = {}
        self.sessions = Sessions()
        self.session_filter: SessionFilter = {}
        self.filter_ignored = False  # True: a filter of sessions that is set is not kept, and nothing says so
        self.log: deque[tuple[dict[str, str], str]] = deque(maxlen=_LOG_LINES)  # what is filtered by, and the line
        self.learned: dict[str, tuple[Address, ...]] = {}
        self.feeds = Feeds(self.fetch)
        self.peer: FortiGate | None = None
        self.synced = True  # False: what is changed on one member does not reach the other
        self.primary, self.index, self.changed = True, 0, self.clock.now()
        self.started, self.reboot_reason, self.generation = self.clock.monotonic(), "power cycle", 0
        self.local_changes = 0  # since a manager installed last
        self._numbers = {"transaction": 0, "salt": 1000}
        self._born: tuple[tuple[str, str, Entry], ...] = ()
        if not self.bare:
            self.config = _factory(self.model, self.ports).copy()
            self._born = self._objects("root")
            hostname = {"hostname": (self.name,)}
            self.config.apply(Put(key=Key(vdom=GLOBAL, path=SYSTEM, name=""), entry=hostname))
        self.load(self.base)
        self.local_changes = 0

    # --- the configuration ----------------------------------------------------------------------------------------

    def load(self, text: str) -> None:
        """Put a configuration on the box, as from a backup.

        Raises:
            Unloadable: the box would refuse a line of it.
        """
        if "vdom-mode multi-vdom" in text:
            key = Key(vdom=GLOBAL, path=SYSTEM, name="")
            entry = {**(self.config.get(key) or {}), "vdom-mode": ("multi-vdom",)}
            self.config.apply(Put(key=key, entry=entry))
        self.kept.update(loading.load(Editor(self, Admin()), text))

    @property
    def multi(self) -> bool:
        return self.config.single(SYSTEM, "vdom-mode") == "multi-vdom"

    @property
    def managed(self) -> bool:
        """Under a FortiManager, which overwrites local changes at its next installation (community 225438)."""
        return self.config.single(MANAGER, "type") == "fortimanager"

    @property
    def hostname(self) -> str:
        return self.config.single(SYSTEM, "hostname")

    def _objects(self, vdom: str) -> tuple[tuple[str, str, Entry], ...]:
        tables = (table.path for table in self.config.schema.values() if not table.everywhere)
        return tuple((path, *named) for path in tables for named in self.config.entries(vdom, path).items())

    def new_vdom(self, name: str) -> NewVdom:
        return NewVdom(name=name, entries=self._born)

    def salt(self) -> str:
        """Another one at every reading."""
        self._numbers["salt"] += 1
        return str(self._numbers["salt"])

    def apply(self, change: Change) -> None:
        """At once, on every member of the cluster, whichever it was typed on (community 197135)."""
        self._apply(change)
        self.local_changes += self.managed
        if self.peer is not None and self.synced:
            self.peer._apply(self.peer._own(change))

    def _own(self, change: Change) -> Change:
        """The change as this member takes it over: it keeps its own name."""
        if not isinstance(change, Put) or change.key.path != SYSTEM:
            return change
        mine = {at: words for at, words in (self.config.get(change.key) or {}).items() if at in _OWN}
        theirs = {at: words for at, words in change.entry.items() if at not in _OWN}
        return Put(key=change.key, entry={**theirs, **mine})

    def _apply(self, change: Change) -> None:
        before = self.config.single(SYSTEM, "cfg-save")
        if self.saved is None and self._stops_saving(change):
            self.saved = self.config.copy()
            self.saved.apply(change)
        self.config.apply(change)
        after = self.config.single(SYSTEM, "cfg-save")
        if after == "automatic":
            self.saved, self.unsaved_since = None, None
        elif before == after and self.unsaved_since is None:
            self.unsaved_since = self.clock.monotonic()
        if isinstance(change, Drop) and change.key.path in (POLICY, POLICY6):
            self._forget_policy(change.key)

    def _stops_saving(self, change: Change) -> bool:
        if not isinstance(change, Put) or change.key.path != SYSTEM:
            return False
        return change.entry.get("cfg-save", ("automatic",)) != ("automatic",)

    def _forget_policy(self, key: Key) -> None:
        """A policy that is created again counts from nought; its sessions end with it."""
        for family in (4, 6):
            self.counters.pop((key.vdom, family, key.name), None)
        self.sessions.clear(at for at in self.sessions.all() if (at.vdom, at.policy) == (key.vdom, key.name))

    def save(self) -> None:
        """``execute cfg save``."""
        self.saved = self.config.copy() if self.saved is not None else None
        self.unsaved_since = None

    # --- time -----------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self.clock.now().astimezone(self.zone)

    def tick(self) -> None:
        """What happened by itself since anybody looked: feeds fetched, transactions expired, changes reverted."""
        now = self.clock.monotonic()
        self.feeds.tick(self.config, now, model=self.model, switches=self.switches)
        for transaction in tuple(self.transactions.values()):
            if transaction.expires() <= now:
                self.end_transaction(transaction)
        self._revert(now)

    def _revert(self, now: float) -> None:
        """CLI reference, ``cfg-save revert``: older releases by a reboot, which is what is played here."""
        if self.unsaved_since is None or self.config.single(SYSTEM, "cfg-save") != "revert":
            return
        if now - self.unsaved_since >= float(self.config.single(SYSTEM, "cfg-revert-timeout")):
            self.reboot("reverting configuration")

    def reboot(self, reason: str = "warm reboot") -> None:
        """Sessions, transactions, the log in memory and what was not saved are gone; feeds keep the last good copy."""
        if self.saved is not None:
            self.config = self.saved.copy()
        self.unsaved_since = None
        self.locks, self.transactions, self.sessions = Locks(), {}, Sessions()
        self.log.clear()
        self.learned.clear()
        if not self.switches.counters_survive_reboot:
            self.counters.clear()
        self.started, self.reboot_reason = self.clock.monotonic(), reason
        self.generation += 1

    # --- transactions ---------------------------------------------------------------------------------------------

    def start_transaction(self, minutes: int) -> Transaction:
        self._numbers["transaction"] += 1
        number = self._numbers["transaction"]
        made = Transaction(
            number=number, view=self.config.copy(), seconds=60.0 * minutes, touched=self.clock.monotonic()
        )
        self.transactions[number] = made
        return made

    def commit(self, transaction: Transaction) -> None:
        for change in transaction.changes:
            self.apply(change)
        self.end_transaction(transaction)

    def end_transaction(self, transaction: Transaction) -> None:
        self.transactions.pop(transaction.number, None)
        self.locks.release(transaction.number)

    # --- logins ---------------------------------------------------------------------------------------------------

    def login(self, user: str) -> Cli:
        return FortiCli(self, user)

    # --- traffic --------------------------------------------------------------------------------------------------

    def forward(self, flow: Flow, *, vdom: str = "root") -> Verdict:
        """What becomes of a flow here; it is counted and, where the policy says so, logged."""
        self.tick()
        session = self.sessions.find(vdom, flow, self.clock.monotonic())
        sight = self._sight(vdom)
        if session is not None and self._stays(sight, session):
            session.seen = self.clock.monotonic()
            self._count(vdom, flow, session.policy, hits=0)
            return Verdict.PERMIT
        return self._judge(sight, flow)

    def _sight(self, vdom: str) -> Sight:
        return Sight(
            config=self.config,
            vdom=vdom,
            now=self.now(),
            names=self.names,
            learned=self.learned,
            feeding=self.feeds.usable(self.config, self.model),
        )

    def _stays(self, sight: Sight, session: Session) -> bool:
        """Sessions outlive the window of their policy unless it has ``schedule-timeout`` (CLI reference)."""
        path = family_path(self.config, session.family)
        entry = self.config.entries(session.vdom, path).get(session.policy)
        if entry is None:
            return False
        return entry.get("schedule-timeout") != ("enable",) or active(sight, entry["schedule"][0])

    def lookup(self, flow: Flow, *, vdom: str) -> str:
        """The id of the policy that a flow would meet, without counting it; 0 also where no route leads on."""
        if not flow.outside:
            return "0"
        self.tick()
        found = first_match(self._sight(vdom), flow)
        return "0" if found is None else found[0]

    def _judge(self, sight: Sight, flow: Flow) -> Verdict:
        found = first_match(sight, flow)
        name, entry = found if found is not None else ("0", {})
        accepted = entry.get("action") == ("accept",)
        self._count(sight.vdom, flow, name, hits=1 if accepted else flow.packets)
        number = 0
        if accepted:
            opened = self.sessions.open(sight.vdom, name, flow, began=sight.now, now=self.clock.monotonic())
            number = opened.number
        self._write(sight.vdom, name, entry, flow, number=number, accepted=accepted)
        return Verdict.PERMIT if accepted else Verdict.DENY

    def _count(self, vdom: str, flow: Flow, policy: str, *, hits: int) -> None:
        counter = self.counters.setdefault((vdom, flow.source.version, policy), Counter())
        counter.count(self.now(), hits=hits, packets=flow.packets, octets=flow.octets)

    def _write(self, vdom: str, name: str, entry: Entry, flow: Flow, *, number: int, accepted: bool) -> None:
        """Only ``logtraffic all`` logs; the implicit deny needs a global setting that is not emulated."""
        if entry.get("logtraffic") == ("all",):
            line = log_line(vdom, name, entry, flow, now=self.now(), number=number, accepted=accepted)
            action = "accept" if accepted else "deny"
            fields = {"policyid": name, "action": action, "srcip": str(flow.source), "dstip": str(flow.destination)}
            self.log.append(({**fields, "dstport": str(flow.port)}, line))

    def observe_dns(self, name: str, *addresses: Address) -> None:
        """An answer passes through the box: what wildcard names learn from (new features of 6.2.2)."""
        if self.model.version < (6, 2, 2):
            return
        known = self.learned.get(name, ())
        self.learned[name] = tuple(dict.fromkeys((*known, *addresses)))

    # --- cluster and manager --------------------------------------------------------------------------------------

    def pair(self, secondary: FortiGate) -> None:
        """Make a cluster of the two, with this one's configuration on both."""
        own = {at: secondary.config.single(SYSTEM, at) for at in _OWN}
        secondary.config, secondary.kept = self.config.copy(), dict(self.kept)
        key = Key(vdom=GLOBAL, path=SYSTEM, name="")
        entry = {at: words for at, words in (self.config.get(key) or {}).items() if at not in _OWN}
        entry.update({at: (text,) for at, text in own.items() if text})
        secondary.config.apply(Put(key=key, entry=entry))
        self.peer, secondary.peer = secondary, self
        self.primary, secondary.primary, secondary.index = True, False, 1

    def fail_over(self) -> None:
        """The roles change; each member goes on with counters of its own, unless they are synced."""
        assert self.peer is not None
        old, new = (self, self.peer) if self.primary else (self.peer, self)
        if self.switches.counters_synced:
            new.counters = deepcopy(old.counters)
        for member in (self, self.peer):
            member.primary = not member.primary
            member.changed = member.clock.now()

    def install(self, text: str) -> None:
        """A FortiManager installs its package: the policies that it knows, and no other."""
        for path in (POLICY6, POLICY):
            for vdom in self.config.vdoms:
                for name in tuple(self.config.entries(vdom, path)):
                    self.apply(Drop(key=Key(vdom=vdom, path=path, name=name)))
        self.load(text)
        self.local_changes = 0

    def member(self) -> Member:
        return Member(hostname=self.hostname, serial=self.serial, primary=self.primary, index=self.index)

    def index_of(self, unit: FortiGate) -> str:
        """What `execute ha manage` calls a unit: likely its operating index, in which the primary is 0."""
        if self.switches.manage_by_cluster_index:
            return str(unit.index)
        return "0" if unit.primary else "1"

    def members(self) -> tuple[Member, ...]:
        return () if self.peer is None else (self.member(), self.peer.member())

    def facts(self, vdom: str | None) -> Facts:
        return Facts(
            model=self.model,
            serial=self.serial,
            hostname=self.hostname,
            vdoms=len(self.config.vdoms),
            multi=self.multi,
            current_vdom=vdom or "root",
            ha=self.member() if self.peer is not None else None,
            up=self.clock.monotonic() - self.started,
            changed=self.changed,
            now=self.now(),
            reboot_reason=self.reboot_reason,
        )

    def admin(self, user: str) -> Admin:
        return self.admins.get(user, Admin())


@lru_cache(maxsize=32)
def _factory(model: Model, ports: int) -> Config:
    """What such a box is delivered with: read once, copied for each."""
    return FortiGate(model=model, bare=True, base=factory.text(ports)).config
