"""The configuration database: what is active, the shared candidate, the stored ones, who edits, who holds the lock.

Rules and texts: the Junos CLI guide (configure exclusive, commit confirmed), the gnetcli captures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from core.clock import Clock
from lab.emulators.srx import answers
from lab.emulators.srx.answers import Refused
from lab.emulators.srx.checks import Checker, Complaint, refusal
from lab.emulators.srx.groups import folded
from lab.emulators.srx.switches import Model, Switches
from lab.emulators.srx.tree import Node, empty


class Editor(Protocol):
    """A session in configuration mode."""

    user: str
    pid: int

    def described(self) -> str:
        """One line: user, terminal, process, since when, idle."""
        ...

    def place(self) -> str:
        """`[edit …]`, with the kind of mode before it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    at: datetime
    user: str
    via: str
    tree: Node
    comment: str = ""
    minutes: int | None = None
    """Of a confirmed commit that nobody has confirmed yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A confirmed commit: by when it must be confirmed, and what comes back else."""

    until: float
    before: Node


@dataclass(slots=True)
class Database:
    clock: Clock
    model: Model
    switches: Switches
    active: Node = field(default_factory=empty)
    candidate: Node = field(default_factory=empty)
    history: list[Commit] = field(default_factory=list)
    editors: list[Editor] = field(default_factory=list)
    exclusive: Editor | None = None
    pending: Pending | None = None
    effective: Node = field(default_factory=empty)
    """What is active, groups folded in."""
    installed: list[Callable[[], None]] = field(default_factory=list)
    """Told whenever something else has become active."""
    broadcasts: list[str] = field(default_factory=list)
    """What every session is told at its next chance."""

    def start(self, tree: Node) -> None:
        """Come up with a configuration that was committed some time ago."""
        self.candidate = tree
        self._install(user="root", via="other", comment="", minutes=None)

    # --- editing --------------------------------------------------------------------------------------------------

    @property
    def dirty(self) -> bool:
        return not self.candidate.same(self.active)

    def lock(self, editor: Editor) -> None:
        """`configure exclusive`. Needs a candidate that nobody has changed, and nobody else's lock."""
        self.may_edit(editor)
        if self.dirty:
            start = "configure exclusive " if self.switches.modified_prefix else ""
            raise Refused(f"{start}{answers.MODIFIED}\n")
        self.exclusive = editor

    def may_edit(self, editor: Editor) -> None:
        holder = self.exclusive
        if holder is not None and holder is not editor:
            place = holder.place()
            raise Refused(f"error: configuration database locked by:\n  {holder.described()}\n      {place}\n")

    def leave(self, editor: Editor) -> None:
        """Of configuration mode. An exclusive session's changes go with it."""
        if editor in self.editors:
            self.editors.remove(editor)
        if self.exclusive is editor:
            self.exclusive = None
            self.discard()

    def discard(self) -> None:
        self.candidate = self.active.copy()

    def rollback(self, number: int) -> None:
        if number >= len(self.history):
            raise Refused(f"error: rollback {number} does not exist\n")  # own words
        self.candidate = self.history[number].tree.copy()

    # --- commits --------------------------------------------------------------------------------------------------

    def complaints(self) -> list[Complaint]:
        return Checker(folded(self.candidate, self.model, self.switches), self.model, self.switches).complaints()

    def check(self) -> None:
        """`commit check` also confirms what waits for it (Junos CLI guide)."""
        self._demand(check=True)
        self.confirm()

    def commit(self, user: str, *, comment: str = "", minutes: int | None = None, via: str = "cli") -> None:
        """Make the candidate active. Without ``minutes`` it confirms a confirmed commit that waits."""
        self._demand(check=False)
        before = self.pending.before if self.pending is not None else self.active
        confirmation = self.pending is not None and minutes is None and not self.dirty
        self.confirm()
        if confirmation:
            return
        self._install(user=user, via=via, comment=comment, minutes=minutes)
        if minutes is not None:
            self.pending = Pending(until=self.clock.monotonic() + 60 * minutes, before=before)

    def _demand(self, *, check: bool) -> None:
        found = self.complaints()
        if found:
            raise Refused(refusal(found, check=check))

    def confirm(self) -> None:
        self.pending = None
        if self.history and self.history[0].minutes is not None:
            self.history[0] = replace(self.history[0], minutes=None)

    def _install(self, *, user: str, via: str, comment: str, minutes: int | None) -> None:
        self.active = self.candidate.copy()
        entry = Commit(
            at=self.clock.now(), user=user, via=via, comment=comment, minutes=minutes, tree=self.active.copy()
        )
        self.history = [entry, *self.history][: self.model.history]
        self.effective = folded(self.active, self.model, self.switches)
        for tell in self.installed:
            tell()

    def tick(self) -> None:
        """Roll back what nobody confirmed in time."""
        if self.pending is None or self.clock.monotonic() < self.pending.until:
            return
        kept, self.candidate = self.candidate, self.pending.before.copy()
        overwritten = kept.same(self.active)
        self.confirm()
        self._install(user="root", via="other", comment="", minutes=None)
        if not overwritten and self.switches.rollback_keeps_edits:
            self.candidate = kept
        self.broadcasts.append(answers.ROLLED_BACK)

    @property
    def minutes_left(self) -> int | None:
        """Until an automatic rollback."""
        if self.pending is None:
            return None
        return max(0, math.ceil((self.pending.until - self.clock.monotonic()) / 60))

    # --- the device's own clock -----------------------------------------------------------------------------------

    @property
    def host_name(self) -> str:
        system = self.effective.at("system")
        return "" if system is None else system.leaf("host-name")

    def local(self, at: datetime) -> datetime:
        """In the zone that `system time-zone` names."""
        system = self.effective.at("system")
        name = "UTC" if system is None else system.leaf("time-zone", "UTC")
        try:
            return at.astimezone(ZoneInfo(name))
        except (KeyError, ValueError):
            return at

    def stamp(self, at: datetime) -> str:
        return f"{self.local(at):%Y-%m-%d %H:%M:%S %Z}"

    def now(self) -> datetime:
        return self.local(self.clock.now())
