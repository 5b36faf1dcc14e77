"""One change on one SRX: locked, loaded, compared, checked, committed for some minutes, seen from outside, confirmed.

The sequence is Juniper's own advice for automation (exclusive, `commit confirmed`). Whatever fails before the commit
ends in `rollback 0`: a candidate that is left dirty keeps everybody out. Whatever fails behind it is taken back by us,
or by the device itself when the time is over.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from core.ids import DeviceName
from vendors.adapter import Session
from vendors.errors import DeviceError, NotPrivileged, NotVerified, Refused, Uncertain, Unreachable
from vendors.juniper_srx import facts
from vendors.juniper_srx.feed import listed
from vendors.juniper_srx.options import JuniperSrxOptions
from vendors.juniper_srx.parse import Held, differences, misplaced, observed_from
from vendors.juniper_srx.render import CHECK, CONFIRM, LEAVE, LOAD, LOCK, Change, commit_line
from vendors.model import Observed, Plan, Receipt
from vendors.shell import Said, Shell

Look = Callable[[Session], Observed]
_LOCKED: Final = "configuration database locked by"
_DIRTY: Final = "configuration database modified"
_SECONDS_BETWEEN: Final = 5.0
_WRONG: Final = (
    "syntax error",
    "unknown command",
    "invalid ",
    "error:",
    "missing or invalid",
    "is ambiguous",
    "Must be",
)


@dataclass(slots=True)
class Job:
    """The change, from the lock to the confirmation."""

    session: Session
    look: Look
    current: Observed
    plan: Plan
    change: Change
    options: JuniperSrxOptions
    device: DeviceName
    timings: dict[str, timedelta] = field(default_factory=dict)
    commands: int = 0

    def run(self) -> Receipt:
        with self.session.shell(facts.DIALECT) as shell:
            with self._timed("lock"):
                self._lock(shell)
            try:
                with self._timed("load"):
                    self._prepare(shell)
            except Unreachable as exc:  # leaving exclusive mode, in any way, discards what was loaded
                raise Refused(
                    f"the session broke before the commit, and the device discards what was loaded: {exc.message}",
                    device=self.device,
                ) from exc
            except DeviceError:
                self._leave(shell, discard=True)
                raise
            with self._timed("commit"):
                self._commit(shell)
            with self._timed("read back"):
                observed = self._verified(shell)
            with self._timed("confirm"):
                self._confirm(shell)
            self._leave(shell, discard=False)
        with self._timed("load lists"):
            observed = self._loaded(observed)
        return Receipt(
            observed=replace(observed, irregular=_but_waiting(observed), extra={**observed.extra, "pending": ""}),
            commands=self.commands,
            flows_cut=None,
            timings=self.timings,
        )

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.timings[part] = timedelta(seconds=time.monotonic() - began)

    def _ask(self, shell: Shell, line: str, *, seconds: int | None = None, until: str | None = None) -> Said:
        self.commands += 1
        return shell.ask(line, timeout=timedelta(seconds=seconds) if seconds else None, until=until)

    # --- before the commit ----------------------------------------------------------------------------------------

    def _lock(self, shell: Shell) -> None:
        """Exclusive configuration mode with a clean candidate. Raises ``Refused``, with nothing sent."""
        waited = 0.0
        while True:
            said = self._ask(shell, LOCK)
            if "Entering configuration mode" in said.text:
                break
            words = " ".join(said.text.split())
            if _LOCKED in said.text and waited < self.options.lock_wait_seconds:
                time.sleep(_SECONDS_BETWEEN)
                waited += _SECONDS_BETWEEN
                continue
            self._refuse_lock(words)
        if "uncommitted changes will be discarded" not in said.text:
            self._leave(shell, discard=False)
            raise Refused("the configuration could not be locked; nothing was sent", device=self.device)
        try:
            self._refuse_moved(shell)
        except DeviceError:
            self._leave(shell, discard=True)
            raise

    def _refuse_lock(self, words: str) -> None:
        if _DIRTY in words:
            raise Refused(
                "somebody left changes in the shared candidate that are not committed; nothing was sent",
                hint="whoever made them commits them or rolls them back; the next sync tries again",
                device=self.device,
            )
        if _LOCKED in words:
            raise Refused(
                f"somebody else has the configuration locked: {words[:200]}; nothing was sent",
                hint="the next sync tries again; `request system logout pid N` ends a session that hangs",
                device=self.device,
            )
        if facts.is_refusal(words):
            raise NotPrivileged(f"`{LOCK}` was refused: {words[:200]}", hint="see the login class", device=self.device)
        raise Refused(f"the configuration could not be locked: {words[:200]}; nothing was sent", device=self.device)

    def _refuse_moved(self, shell: Shell) -> None:
        """Under the lock nobody commits: what was read must still be what stands."""
        if self._ask(shell, "show | compare").text.strip():
            raise Refused("the candidate is not what is in force; nothing was sent", device=self.device)
        last = facts.last_commit(self._ask(shell, f"run {facts.COMMITS}").text)
        if last != self.current.extra.get("commit"):
            raise Refused(
                "somebody committed since the device was read; nothing was sent",
                hint="the next sync reads it first",
                device=self.device,
            )

    def _prepare(self, shell: Shell) -> None:
        """Everything in the candidate, compared with the plan and checked."""
        if self.change.lines:
            self._load(shell)
        for line in self.change.moves:
            said = self._ask(shell, line)
            if self._is_wrong(said.text):
                raise self._refused(f"`{line}` was refused", said.text)
        self._compare(shell)
        said = self._ask(shell, CHECK, seconds=self.options.commit_seconds)
        if "configuration check succeeds" not in said.text:
            raise self._refused("the device's own check refused the change", said.text)

    def _load(self, shell: Shell) -> None:
        self._ask(shell, LOAD, until=r"\^D at a new line to end input\]\r*\n")
        self.commands += 1
        said = shell.pour(self.change.lines, timeout=timedelta(seconds=self.options.commit_seconds))
        _, ended, told = said.text.rpartition("^D")
        if not ended or "load complete" not in told:
            raise self._refused("loading the change did not end as it should", said.text[-400:])
        if self._is_wrong(told):
            raise self._refused("lines of the change were refused", told)

    @staticmethod
    def _is_wrong(text: str) -> bool:
        return any(word in text for word in _WRONG)

    def _compare(self, shell: Shell) -> None:
        """The candidate, read like a configuration in force, must be the plan and leave the owner's as it was."""
        self.commands += 1
        candidate = shell.ask("show | display set", timeout=timedelta(seconds=self.options.commit_seconds)).text
        if wrong := self._differences(self._in_candidate(candidate)):
            raise self._refused("the candidate is not what the plan says", wrong)

    def _in_candidate(self, text: str) -> Observed:
        """What is loaded of pulled lists is not in a candidate: its lists are empty here."""
        told = (
            (facts.CONFIGURATION, text),
            (facts.COMMITS, f"0   {self.current.extra['commit']}\n"),
            (facts.BANNER, "\n"),
        )
        gathered = "".join(f"@@ {command}\n{answer}" for command, answer in told)
        return observed_from(f"{gathered}@@ end\n", self.options, self.current.can)

    def _differences(self, observed: Observed) -> str:
        """Between the objects of ours that are there and those that should be, where they stand, and all the rest."""
        held = Held.loads(observed.extra["held"])
        wrong = next(iter((*held.off(), *differences(held.objects, self.change.wanted))), "")
        if wrong or held.inactive:
            return wrong or f"deactivated: {' '.join(min(held.inactive))}"
        if wrong := next(misplaced(held, self.change.ours, self.options), ""):
            return wrong
        return "" if observed.foreign == self.current.foreign else "what is not ours differs"

    def _refused(self, what: str, words: str) -> Refused:
        said = " ".join(words.split())[:300]
        return Refused(f"{what}, and nothing was committed: {said}", device=self.device)

    # --- the commit, and after ------------------------------------------------------------------------------------

    def _commit(self, shell: Shell) -> None:
        try:
            said = self._ask(shell, commit_line(self.plan, self.options), seconds=self.options.commit_seconds)
        except Unreachable as exc:
            raise self._uncertain(f"the session broke at the commit: {exc.message}") from exc
        if "commit complete" in said.text:
            return
        self._leave(shell, discard=True)
        raise self._refused("the commit failed", said.text)

    def _verified(self, shell: Shell) -> Observed:
        """What a second login sees: the device still lets us in, and holds what was sent."""
        try:
            with self.session.again() as other:
                observed = self.look(other)
        except DeviceError as exc:
            how = self._take_back(shell)
            raise NotVerified(
                f"after the commit a second login could not read the device: {exc.message}; {how}", device=self.device
            ) from exc
        if wrong := self._differences(observed):
            how = self._take_back(shell)
            raise NotVerified(f"the device does not hold what was sent: {wrong}; {how}", device=self.device)
        return observed

    def _take_back(self, shell: Shell) -> str:
        """Under our lock nobody else has committed: the one before is the old state."""
        try:
            self._ask(shell, "rollback 1")
            said = self._ask(shell, "commit", seconds=self.options.commit_seconds)
            if "commit complete" in said.text:
                self._leave(shell, discard=False)
                return "the old state was restored"
        except DeviceError as exc:
            raise self._uncertain(f"taking the change back broke off: {exc.message}") from exc
        raise self._uncertain(f"the change could not be taken back: {' '.join(said.text.split())[:200]}")

    def _confirm(self, shell: Shell) -> None:
        try:
            said = self._ask(shell, CONFIRM, seconds=self.options.commit_seconds)
        except Unreachable as exc:
            raise self._uncertain(f"the session broke when the commit was confirmed: {exc.message}") from exc
        if "commit complete" not in said.text:
            raise self._uncertain(f"the commit was not confirmed: {' '.join(said.text.split())[:200]}")

    def _loaded(self, observed: Observed) -> Observed:
        """What is read when the device has loaded the lists of the change. Raises ``Uncertain`` when it is not in time:
        it may load them yet, and denies until then what it denied before."""
        until = time.monotonic() + (self.options.pulls.load_seconds if self.options.pulls else 0)
        while missing := self._missing(observed):
            if time.monotonic() >= until:
                raise Uncertain(
                    f"the firewall has not loaded {missing} yet; what it denied before it still denies",
                    hint="`show security dynamic-address summary` on it, and `tokgate feed show` say whether it asks",
                    device=self.device,
                )
            time.sleep(min(_SECONDS_BETWEEN, max(0.0, until - time.monotonic())))
            observed = self.look(self.session)
        return observed

    def _missing(self, observed: Observed) -> str:
        """The first list that is not loaded as it should be; empty: none."""
        there = json.loads(observed.extra["loaded"])
        return next((name for name, held in sorted(self.change.lists.items()) if there.get(name) != listed(held)), "")

    def _uncertain(self, message: str) -> Uncertain:
        return Uncertain(
            message,
            hint=f"unconfirmed, the device goes back by itself after {self.options.confirm_minutes} min; "
            "the next sync reads it first",
            device=self.device,
        )

    def _leave(self, shell: Shell, *, discard: bool) -> None:
        """A session that breaks here has changed nothing: leaving in any way gives the lock back."""
        try:
            if discard:
                self._ask(shell, "rollback 0")
            self._ask(shell, LEAVE)
        except DeviceError:
            return


def _but_waiting(observed: Observed) -> tuple[str, ...]:
    """What is irregular beside our own commit, which waits for us."""
    return tuple(line for line in observed.irregular if line != facts.WAITS)
