"""One change on one FortiGate: in a transaction where the release has workspace mode, else line by line with an undo.

A transaction that is not committed leaves the device as it was, also when the session breaks: it is discarded when it
has been idle for its time. Whether a commit takes all or nothing is not documented, so it is read back like anything.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from vendors.adapter import Session
from vendors.diff import mark_of
from vendors.errors import DeviceError, LineRefused, NotVerified, Refused, Uncertain, Unreachable, Unreadable
from vendors.fortinet_fortios import managed
from vendors.fortinet_fortios.console import Console, opened
from vendors.fortinet_fortios.facts import FEED
from vendors.fortinet_fortios.feed import digest_of, told
from vendors.fortinet_fortios.render import Change, change_between, fed_of, render_change, room_of
from vendors.fortinet_fortios.shape import Held
from vendors.model import AddressGroup, GroupName, Observed, Plan, Reading, Receipt

if TYPE_CHECKING:
    from vendors.fortinet_fortios.adapter import FortinetFortios

START: Final = "execute config-transaction start 1"
"""The number: minutes without a line after which the device discards it; few, for a session that died holds locks."""
COMMIT: Final = "execute config-transaction commit"
ABORT: Final = "execute config-transaction abort"
SAVE: Final = "execute cfg save"
COMMITTING: Final = timedelta(seconds=90)
_LOCKED: Final = ("Can not config the object", "Return code 14")
_PAUSE: Final = 2.0


@dataclass(slots=True)
class Job:
    """From the look before the first line to the verified read-back."""

    adapter: FortinetFortios
    session: Session
    current: Observed
    plan: Plan
    timings: dict[str, timedelta] = field(default_factory=dict)
    commands: int = 0
    notes: list[str] = field(default_factory=list)

    def watch(self) -> Receipt:
        """Under a manager: nothing is sent; the firewall pulls, and the site's policies must deny by what it has.

        Raises ``Refused`` when a person has to do something first, ``Uncertain`` when a list does not come in time.
        """
        desired = self.plan.desired
        for name in sorted(fed_of(self.plan, self.current, self.adapter.options)):
            self.notes.append(f"{self._told(name)}; nothing is written")
        if why := next(managed.to_do(self.current, desired), None):
            raise Refused(
                f"{why}; nothing was sent",
                hint="in FortiManager; see it in docs/vendors/fortinet_fortios.md",
                device=self.adapter.device,
            )
        until = time.monotonic() + self._load_seconds
        with self._timed("load lists"):
            while (why := self._difference(now := self._read_back())) is not None:
                if time.monotonic() + _PAUSE > until:
                    raise self._uncertain(f"the firewall has not loaded its lists yet: {why}")
                time.sleep(_PAUSE)
        return Receipt(observed=now, commands=0, flows_cut=None, timings=self.timings, notes=tuple(self.notes))

    def run(self) -> Receipt:
        change = render_change(self.current, self.plan, self.adapter.options)
        with self._timed("look again"):
            self._refuse_moved()
        reading = self._read_counters_first(change)
        if fed := fed_of(self.plan, self.current, self.adapter.options):
            with self._timed("load lists"):
                change = self._load(change, fed)
            self.notes += [self._told(name) for name in sorted(fed)]
        with self._timed("change"):
            self._change(change)
        with self._timed("read back"):
            observed = self._read_back()
        self._verify(observed)
        with self._timed("save"):
            self._save()
        return Receipt(
            observed=observed,
            commands=self.commands,
            flows_cut=None,
            timings=self.timings,
            notes=tuple(self.notes),
            reading=reading,
        )

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.timings[part] = timedelta(seconds=time.monotonic() - began)

    # --- before ---------------------------------------------------------------------------------------------------

    def _refuse_moved(self) -> None:
        """The lines were made from one state; on any other they would be wrong."""
        now = self.adapter.read(self.session)
        if _state(now) != _state(self.current):
            raise Refused(
                "our part of the device changed since it was read; nothing was sent",
                hint="the next sync reads first",
                device=self.adapter.device,
            )

    def _read_counters_first(self, change: Change) -> Reading | None:
        """A policy that goes takes its counters along."""
        lines = (line for block in change.blocks if "policy" in block.path for line in block.lines)
        ends = any(line.startswith("delete ") for line in lines)
        return self.adapter.counters(self.session) if ends else None

    # --- lists that are pulled --------------------------------------------------------------------------------------

    def _load(self, change: Change, fed: frozenset[GroupName]) -> Change:
        """Tell the lists first and wait for them: nothing is taken away while what should replace it is not loaded.

        Returns what is left to do. Raises ``Uncertain`` when a list does not come in time: the device may load it yet.
        """
        told = change.parts[:1]
        if told and told[0].blocks[0].path == FEED:
            self._change(told[0])
        wanted = {g.name: digest_of(g.members) for g in self.plan.desired.groups if isinstance(g, AddressGroup)}
        until = time.monotonic() + self._load_seconds
        while True:
            now = self._read_back()
            found = {name: digest for name, (_, digest) in json.loads(now.extra["pulled"]).items()}
            missing = sorted(name for name in fed if found.get(name) != wanted[name])
            if not missing:
                self.current = now
                return render_change(now, self.plan, self.adapter.options)
            if time.monotonic() + _PAUSE > until:
                raise self._uncertain(
                    f"the firewall has not loaded {missing[0]} yet; what it denied before it still denies"
                )
            time.sleep(_PAUSE)

    def _told(self, name: GroupName) -> str:
        size = next(len(group.members) for group in self.plan.desired.groups if group.name == name)
        return told(name, size, self.adapter.options, room_of(self.current))

    @property
    def _load_seconds(self) -> int:
        return self.adapter.options.pulls.load_seconds if self.adapter.options.pulls else 0

    # --- the change -----------------------------------------------------------------------------------------------

    def _change(self, change: Change) -> None:
        until = time.monotonic() + self.adapter.options.lock_seconds
        while True:
            try:
                self._attempt(change)
            except _Busy as busy:
                if time.monotonic() + _PAUSE > until:
                    raise Refused(
                        f"another transaction holds what must change: {busy}; nothing was changed",
                        hint="an administrator has one open, or a session of ours broke; the next sync tries again",
                        device=self.adapter.device,
                    ) from busy
                time.sleep(_PAUSE)
            else:
                return

    def _attempt(self, change: Change) -> None:
        """Raises ``_Busy`` when others hold a lock and the device is provably as it was."""
        try:
            with opened(self.session, self.adapter.options, self.adapter.device) as console:
                try:
                    self._write(console, change)
                finally:
                    self.commands += console.lines
        except _NotTaken as exc:
            self._retreat(exc)

    def _write(self, console: Console, change: Change) -> None:
        workspace = self._starts(console)
        try:
            for block in change.blocks:
                console.write(block)
            why = console.do(COMMIT, timeout=COMMITTING) if workspace else None
        except LineRefused as exc:
            self._leave(console, workspace=workspace)
            raise _NotTaken(f"`{exc.said.line}`", exc.reason) from exc
        except DeviceError as exc:
            raise self._uncertain(f"the session broke while the change was sent: {exc.message}") from exc
        if why is not None:
            self._leave(console, workspace=workspace)
            raise _NotTaken("the commit", why)

    def _starts(self, console: Console) -> bool:
        if not self.adapter.options.workspace or self.current.extra["workspace"] != "True":
            return False
        why = console.do(START)
        if why is not None:
            self.notes.append(f"workspace mode was refused, the change went line by line: {why}")
        return why is None

    def _leave(self, console: Console, *, workspace: bool) -> None:
        """Out of what is open, and out of the transaction; what that leads to is read, not believed."""
        try:
            console.back()
            if workspace:
                console.do(ABORT)
        except (Unreachable, Unreadable) as exc:
            raise self._uncertain("the session broke after a line was refused") from exc

    def _retreat(self, exc: _NotTaken) -> None:
        """After a refusal: to the old state, provably. Raises ``Refused`` or ``_Busy`` there, else ``Uncertain``."""
        now = self._read_back()
        if _state(now) != _state(self.current):
            self._undo(now, exc.why)
        if any(word in exc.why for word in _LOCKED):
            raise _Busy(exc.why) from exc
        raise Refused(
            f"the device refused {exc.what}: {exc.why}; it holds what it held", device=self.adapter.device
        ) from exc

    def _undo(self, now: Observed, why: str) -> None:
        """The computed way back, sent and read. Raises ``Uncertain`` when the old state is not reached."""
        old = Held.loads(self.current.extra["held"]).objects
        back = change_between(Held.loads(now.extra["held"]), old, self.adapter.options)
        try:
            with opened(self.session, self.adapter.options, self.adapter.device) as console:
                for block in back.blocks:
                    console.write(block)
                self.commands += console.lines
            found = self.adapter.read(self.session)
        except DeviceError as exc:
            raise self._uncertain(f"{why}; the way back was not finished: {exc.message}") from exc
        if _ours(found) != _ours(self.current):
            raise self._uncertain(f"{why}; the old state could not be restored")

    # --- after ----------------------------------------------------------------------------------------------------

    def _read_back(self) -> Observed:
        try:
            return self.adapter.read(self.session)
        except DeviceError as exc:
            raise self._uncertain(f"the change was sent and then not proven: {exc.message}") from exc

    def _verify(self, observed: Observed) -> None:
        wrong = self._difference(observed)
        if wrong is None:
            return
        self._undo(observed, f"the device does not hold what was sent: {wrong}")
        raise NotVerified(
            f"the device does not hold what was sent: {wrong}; the old state was restored",
            hint="somebody else may have written at the same moment; the next sync reads first",
            device=self.adapter.device,
        )

    def _difference(self, observed: Observed) -> str | None:
        wanted = self.plan.desired
        if observed.irregular:
            return observed.irregular[0]
        if observed.groups != wanted.groups:
            return "a list differs"
        if observed.rules != wanted.rules:
            return "the rules differ"
        return None if observed.mark == mark_of(wanted) else "the mark differs"

    def _save(self) -> None:
        """Where the device does not save by itself. What goes wrong here does not undo what is enforced."""
        if self.current.extra["cfg_save"] == "automatic" or not self.adapter.options.save:
            return
        try:
            with opened(self.session, self.adapter.options, self.adapter.device) as console:
                why = console.do(SAVE, timeout=COMMITTING)
                self.commands += console.lines
        except DeviceError as exc:
            why = exc.message
        if why is not None:
            self.notes.append(f"the configuration could not be saved for the next boot: {why}")

    def _uncertain(self, message: str) -> Uncertain:
        return Uncertain(message, hint="the next sync reads the device first", device=self.adapter.device)


class _NotTaken(Exception):
    """The device refused a line, or to commit; it has been left at its prompt."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(what, why)
        self.what, self.why = what, why


class _Busy(Exception):
    """Others hold a lock; the device is as it was."""


def _ours(observed: Observed) -> object:
    """All that is ours, to the field."""
    return Held.loads(observed.extra["held"]).objects


def _state(observed: Observed) -> object:
    """What the lines of a change depend on."""
    return observed.extra["held"], observed.extra["strangers"], observed.extra["primary"], observed.extra["manager"]
