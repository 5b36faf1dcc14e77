"""The box: candidate and running configuration, jobs, locks, its peer, its memory over a restart, who may come in."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from core.clock import Clock, SystemClock
from lab.emulators.console import Cli
from lab.emulators.faults import Faults
from lab.emulators.fetching import Fetch, Wire
from lab.emulators.panos import answers, changes, checks, editing, loading, schema
from lab.emulators.panos.answers import Refused
from lab.emulators.panos.changes import ALL, Changes, Part
from lab.emulators.panos.feeds import Feeds
from lab.emulators.panos.jobs import Job, Kind, TimeZone
from lab.emulators.panos.matching import list_key
from lab.emulators.panos.names import Resolver
from lab.emulators.panos.space import RULES, Space, new_uuid
from lab.emulators.panos.switches import Model, Switches
from lab.emulators.panos.traffic import Plane
from lab.emulators.panos.tree import Node
from lab.emulators.server import Access
from lab.emulators.traffic import Flow, Names, Verdict

_AT_ONCE: Final = timedelta()
_LATE: Final = 55
"""The share at which the commits of netmiko issue 3033 failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    password: str
    superuser: bool = True


_ADMIN: Final = {"admin": User(password="admin")}  # noqa: S106  # of an emulated device


@dataclass(slots=True, kw_only=True)
class Mishaps:
    """What a test wants to go wrong, or to take its time, beyond the terminal's own faults."""

    commit_takes: timedelta = _AT_ONCE
    prompt_takes: float = 0.0
    """Seconds before every answer, as on a loaded management plane (netmiko issues 2468, 3205)."""
    commit_errors: list[tuple[str, ...]] = field(default_factory=list)
    """One commit each fails so; `(Module: device)` and `Commit failed` follow."""
    ask_commit: bool = False
    """The commit asks whether to proceed (netdriver)."""
    hit_counts_off: bool = False
    """Rules are not counted, as the rulebase's settings allow."""
    hit_query_takes: float = 0.0
    """Seconds that each rule adds to `show rule-hit-count`."""
    installing: bool = False
    sync_fails: bool = False
    clearing_denied: bool = False
    """The role may not end sessions."""
    clearing_fails: bool = False
    """A session goes on though it was cleared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    admin: str
    created: datetime
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    number: int
    at: datetime
    admin: str
    job: int
    description: str
    tree: Node


class PanOs:
    """One PAN-OS firewall.

    ``base``: the site's configuration, in set lines or in braces; it is candidate and running configuration alike.
    ``users``: who may log in; `admin` alone unless told. ``names``: what names resolve to.
    ``fetch``: how external dynamic lists are pulled: a ``Wire`` does it for real, with certificates by the names of
    certificate profiles; a function raises ``OSError`` where the server cannot be reached and ``PermissionError`` where
    it refuses the credentials.
    """

    def __init__(
        self,
        name: str = "PA-VM",
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
        self.users = dict(users or _ADMIN)
        self.faults, self.mishaps, self.lock = Faults(), Mishaps(), threading.RLock()
        feeds = Feeds(fetch=fetch, model=self.model, switches=self.switches)
        self.plane = Plane(self, feeds, Resolver(names=self.names, model=self.model))
        self.before, self.after = Node(), Node()
        """Rules that Panorama pushed, to stand before and behind the local ones."""
        self.panorama = ""
        """The address of the Panorama that manages this firewall."""
        self._load_base(base)
        banner = self.running.root.value(*schema.DEVICE, "deviceconfig", "system", "login-banner")
        self.access = Access(
            users={each: user.password for each, user in self.users.items()},
            methods=frozenset({"password", "keyboard-interactive"}),
            banner=f"{banner}\n" if banner else "",
            max_sessions=self.model.sessions,
        )
        self.changes = Changes()
        self.jobs: list[Job] = []
        self.config_locks: dict[str, Lock] = {}
        self.commit_locks: dict[str, Lock] = {}
        self.saved: dict[str, Node] = {}
        self.versions: list[Version] = []
        self.peer: PanOs | None = None
        self.ha: Literal["", "active", "passive"] = ""
        self.synchronized = True
        self.booted, self.boots = self.clock.now(), 0
        self.logins: list[tuple[str, datetime]] = []
        self._remember("admin", 1, "", self.running.root)
        self.plane.activate(None)

    def _load_base(self, base: str) -> None:
        root = loading.load(base, vsys=None if self.model.multi_vsys else schema.ONLY)
        system = root.make((*schema.DEVICE, "deviceconfig", "system"))
        system.kids.setdefault("hostname", Node(values=[self.name]))
        self.running = self._space(root)
        self.candidate = self._space(root.copy())
        self._latest = root

    def _space(self, root: Node) -> Space:
        return Space(root=root, model=self.model, switches=self.switches)

    # --- who and when ---------------------------------------------------------------------------------------------

    @property
    def hostname(self) -> str:
        return self.running.root.value(*schema.DEVICE, "deviceconfig", "system", "hostname", default=self.name)

    @property
    def zone(self) -> TimeZone:
        return TimeZone(self.running.root.value(*schema.DEVICE, "deviceconfig", "system", "timezone"))

    def login(self, user: str) -> Cli:
        from lab.emulators.panos.cli import PanCli  # the terminal knows the device, not the other way round

        cli = PanCli(self, user)
        self.logins.append((user, self.clock.now()))
        return cli

    # --- the candidate --------------------------------------------------------------------------------------------

    def edit(self, admin: str, verb: str, words: list[str]) -> None:
        """`set`, `delete`, `move` or `rename`, with words from the root of the tree."""
        self.refuse_locked(admin, words)
        act = {"set": editing.put, "delete": editing.remove, "move": editing.move, "rename": editing.rename}[verb]
        self.changes.note(admin, act(self.candidate, words))

    def refuse_locked(self, admin: str, words: list[str] | None = None) -> None:
        for scope, held in self.config_locks.items():
            touches = scope == "shared" or words is None or words[3:4] == [scope]
            if held.admin != admin and touches:
                raise answers.locked(held.admin)

    def replace(self, admin: str, tree: Node) -> None:
        """`load config`: the whole candidate, other people's work included."""
        self.refuse_locked(admin)
        self.candidate.root = tree.copy()
        self.changes = Changes()
        self.changes.note(admin, changes.differences(self._latest, self.candidate.root))

    def revert(self, admin: str, part: Part = ALL) -> None:
        """Back to the running configuration; or only what some administrators did."""
        self.refuse_locked(admin)
        units = self.changes.units(part)
        if part == ALL:
            self.candidate.root = self._latest.copy()
        else:
            self.candidate.root = changes.merged(self.candidate.root, self._latest, units)
        self.changes.drop(units)

    def load_set(self, text: str, admin: str = "admin") -> None:
        """Lines of `set` into the candidate as another administrator would have written them, unchecked."""
        before = self.candidate.root.copy()
        for line in text.splitlines():
            if line.strip():
                loading.load_line(self.candidate.root, line, None if self.model.multi_vsys else schema.ONLY)
        self.changes.note(admin, changes.differences(before, self.candidate.root))

    # --- jobs -----------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Let what is due happen."""
        now = self.clock.now()
        for job in self.jobs:
            if not job.finished and job.done <= now:
                job.finished = True
                self._finish(job)
        for name in self.plane.feeds.tick(now, self.zone):
            self._refreshed(name)
        self.plane.resolver.tick(now)

    def refresh_list(self, name: str, vsys: str = schema.ONLY) -> None:
        """`request system external-list refresh`: one more job."""
        key = list_key(vsys, name)
        if key in self.plane.feeds.used:
            self.plane.feeds.pull(key, self.clock.now(), self.zone)
            self._refreshed(key)

    def _refreshed(self, name: str) -> None:
        state = self.plane.feeds.used[name].state
        details = {"valid": (), "pending": (answers.OLD_COPY,), "old copy": (answers.OLD_COPY,)}
        said = details.get(state, ("Authentication failed",))
        self.enqueue("EDLRefresh", ok=not said, details=said, finished=True)

    def refresh_names(self) -> None:
        self.plane.resolver.refresh(self.clock.now())
        self.enqueue("FqdnRefresh", finished=True)

    def job(self, number: int) -> Job | None:
        return next((job for job in self.jobs if job.id == number), None)

    def enqueue(self, kind: Kind, *, takes: timedelta = _AT_ONCE, **options: object) -> Job:
        now = self.clock.now()
        busy = [job.done for job in self.jobs if job.kind in ("Commit", "Validate") and job.done > now]
        start = max([now, *busy]) if kind in ("Commit", "Validate") else now
        number = self.jobs[-1].id + 1 if self.jobs else 2
        job = Job(id=number, kind=kind, enqueued=now, dequeued=start, done=start + takes, **options)  # type: ignore[arg-type]
        self.jobs.append(job)
        return job

    def cancel(self, job: Job) -> None:
        """A waiting commit does not happen: what it would have brought is pending again."""
        job.cancelled = job.finished = True
        waiting = [each.tree for each in self.jobs if each.tree is not None and not each.finished]
        self._latest = waiting[-1] if waiting else self.running.root
        self.changes.note(job.admin, changes.differences(self._latest, self.candidate.root))

    # --- commit ---------------------------------------------------------------------------------------------------

    def commit(self, admin: str, part: Part = ALL, *, force: bool = False, description: str = "") -> Job:
        """Queue a commit. Its job tells what will have come of it.

        Raises:
            Refused: nothing to do, a lock, a full queue.
        """
        self.refuse_commit(admin)
        units = self.changes.units(part)
        if not units and not force:
            raise Refused(self.switches.no_changes)
        new = self._with(part, units)
        if not force and new.same(self._latest):
            self.changes.drop(units)
            raise Refused(self.switches.no_changes)
        report = self._report(new)
        takes = self.mishaps.commit_takes * (1.0 if report.ok else _LATE / 100)
        details = report.errors if not report.ok else (answers.COMMITTED,)
        job = self.enqueue(
            "Commit", takes=takes, ok=report.ok, admin=admin, description=description,
            warnings=report.warnings, details=details, tree=new if report.ok else None,
        )  # fmt: skip
        if report.ok:
            self._latest = new
            self.changes.drop(units)
        self.tick()
        return job

    def _with(self, part: Part, units: list[changes.Unit]) -> Node:
        return self.candidate.copy() if part == ALL else changes.merged(self._latest, self.candidate.root, units)

    def _report(self, new: Node) -> checks.Report:
        if self.mishaps.commit_errors:
            return checks.Report(errors=(*self.mishaps.commit_errors.pop(0), answers.MODULE), late=True)
        space = self._space(new)
        space.pushed = self.running.pushed
        return checks.check(space)

    def refuse_commit(self, admin: str) -> None:
        now = self.clock.now()
        others = [held.admin for held in self.commit_locks.values() if held.admin != admin]
        if others:
            raise Refused("Other administrators are holding device wide commit locks.")
        if self.mishaps.installing:
            raise Refused(answers.INSTALLING)
        open_jobs = [job for job in self.jobs if job.kind in ("Commit", "Validate") and job.status(now) != "FIN"]
        if len(open_jobs) > self.model.commit_queue or (open_jobs and not self.model.commit_queue):
            raise Refused(answers.BUSY)

    def validate(self, admin: str, part: Part = ALL) -> Job:
        units = self.changes.units(part)
        report = self._report(self._with(part, units))
        details = report.errors if not report.ok else (answers.VALID,)
        job = self.enqueue(
            "Validate", takes=self.mishaps.commit_takes, ok=report.ok, admin=admin,
            warnings=report.warnings, details=details,
        )  # fmt: skip
        self.tick()
        return job

    def _finish(self, job: Job) -> None:
        if job.kind != "Commit" or job.tree is None or job.cancelled:
            return
        old, self.running.root = self.running.root, job.tree
        self._activate(old)
        self._remember(job.admin, job.id, job.description, job.tree)
        self.commit_locks.pop(job.admin, None)
        if not self.switches.config_lock_survives_commit:
            self.config_locks = {scope: held for scope, held in self.config_locks.items() if held.admin != job.admin}
        self._synchronize()

    def _activate(self, old: Node | None) -> None:
        for name in self.plane.activate(old):
            self._refreshed(name)

    def _remember(self, admin: str, job: int, description: str, tree: Node) -> None:
        number = self.versions[-1].number + 1 if self.versions else 1
        version = Version(
            number=number, at=self.clock.now(), admin=admin, job=job, description=description, tree=tree.copy()
        )
        self.versions.append(version)

    # --- high availability ----------------------------------------------------------------------------------------

    def _synchronize(self) -> None:
        """A commit on the active device goes to its peer; one on the passive device leaves the two apart."""
        if self.peer is None:
            return
        works = self.ha == "active" and not self.mishaps.sync_fails
        self.synchronized = self.peer.synchronized = works
        if works:
            self.push_to_peer()
        elif self.ha == "active":
            self.enqueue("HA-Sync", ok=False, details=(answers.SYNC_FAILED,), finished=True)

    def push_to_peer(self) -> None:
        """Everything but what is each device's own."""
        peer = self.peer
        if peer is None:
            return
        new = self.running.copy()
        own = peer.running.root
        for path in (("mgt-config",), (*schema.DEVICE, "deviceconfig")):
            parent = new.make(path[:-1])
            kept = own.at(path)
            if kept is None:
                parent.kids.pop(path[-1], None)
            else:
                parent.kids[path[-1]] = kept.copy()
        old = peer.running.root
        peer.running.root, peer.candidate.root, peer._latest = new, new.copy(), new
        peer._activate(old)
        peer.changes = Changes()
        self.synchronized = peer.synchronized = True
        for each in (self, peer):
            each.enqueue("HA-Sync", finished=True)

    def fail_over(self) -> None:
        """The passive device takes over, with the sessions that are open. Hit counts stay where they are."""
        if self.peer is None:
            raise ValueError(f"{self.name} has no peer")
        old, new = (self, self.peer) if self.ha == "active" else (self.peer, self)
        new.plane.sessions = dict(old.plane.sessions)
        old.ha, new.ha = "passive", "active"

    # --- traffic --------------------------------------------------------------------------------------------------

    def forward(self, flow: Flow, *, vsys: str = schema.ONLY, keep_open: bool = False) -> Verdict:
        """One connection attempt, judged by the rules that are committed. A passive device passes nothing on.

        ``keep_open``: the session stays, and more of the same belongs to it, uncounted.
        """
        self.tick()
        if self.ha == "passive":
            return Verdict.DENY
        return self.plane.forward(flow, vsys, keep_open=keep_open)

    def ordered_rules(self, vsys: str) -> dict[str, Node]:
        """Those that Panorama put before, the local ones, those that it put behind."""
        return {**self.before.kids, **self.running.rules(vsys), **self.after.kids}

    # --- Panorama -------------------------------------------------------------------------------------------------

    def push(self, *, objects: str = "", before: str = "", after: str = "") -> bool:
        """Panorama sends its part, in set lines: it is enforced, and it is not in the candidate.

        False: the push failed, because somebody holds a lock here.
        """
        self.tick()
        locked = bool(self.config_locks or self.commit_locks)
        self.enqueue("CommitAll", ok=not locked, finished=True)
        if locked:
            return False
        given = loading.load(objects).at(schema.vsys_path(schema.ONLY)) or Node()
        self.running.pushed = self.candidate.pushed = given
        self.before, self.after = _pushed_rules(before), _pushed_rules(after)
        self.running.pushed_rules = self.candidate.pushed_rules = frozenset({**self.before.kids, **self.after.kids})
        self._activate(self.running.root)
        return True

    # --- memory ---------------------------------------------------------------------------------------------------

    def reboot(self) -> None:
        """Power off and on: every session ends, waiting jobs and edits that were not saved are gone."""
        self.tick()
        self.jobs = [job for job in self.jobs if job.finished]
        self._latest = self.running.root
        if not self.switches.candidate_survives_reboot:
            self.candidate.root = self.running.copy()
            self.changes = Changes()
        self.booted, self.boots = self.clock.now(), self.boots + 1
        self.enqueue("AutoCom", finished=True)
        if self.peer is not None and self.ha == "active":
            self.fail_over()


def _pushed_rules(text: str) -> Node:
    found = loading.load(text).at((*schema.vsys_path(schema.ONLY), *RULES)) or Node()
    for name, rule in found.kids.items():
        rule.uuid = new_uuid(f"pushed {name}")
    return found


def pair(active: PanOs, passive: PanOs) -> None:
    """Make two devices an active/passive pair; the passive one takes the other's configuration."""
    active.peer, passive.peer = passive, active
    active.ha, passive.ha = "active", "passive"
    active.push_to_peer()
