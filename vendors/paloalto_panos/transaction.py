"""One change on one firewall: locks, candidate, validation, commit of our own part, and a look from a new login.

The order is the vendor's advice for scripts on a shared candidate. Until the commit nothing of what runs has changed:
whatever fails before it is taken back out of the candidate, under the lock that keeps everybody else out of it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NoReturn

from vendors.adapter import Session
from vendors.diff import mark_of
from vendors.errors import (
    DeviceError,
    LineRefused,
    NotPrivileged,
    NotVerified,
    Refused,
    Uncertain,
    Unreachable,
    Unreadable,
)
from vendors.model import FeedList, Group, GroupName, Observed, Plan, Receipt
from vendors.paloalto_panos import facts, lists, policy
from vendors.paloalto_panos.render import VALIDATE, Lines, commit_line, moves_to_lists
from vendors.paloalto_panos.shape import Tree, list_name, unlike
from vendors.paloalto_panos.talk import DIALECT, Talk, refusal

if TYPE_CHECKING:
    from vendors.paloalto_panos.adapter import PaloAltoPanos

_QUESTION: Final = r"\(y or n\)[^\r\n]*"
_FAILED: Final = re.compile(r"^.*(?:Error\s*:|Commit failed|Validation Error|is invalid|failed).*$", re.MULTILINE)
_DONE: Final = re.compile(r"committed successfully|configuration is valid|validat\w+ (?:was )?success", re.IGNORECASE)
_PROGRESS: Final = re.compile(r"^[.\d%\s]+$")
_LOAD_POLL: Final = 0.5
_LATE: Final = "out of time"
"""What a session says whose budget has ended."""
_BUDGET: Final = int(facts.BUDGET.total_seconds())
_AGAIN: Final = 2.0
"""Seconds until a commit is tried again that was told to wait for another one."""


@dataclass(slots=True)
class Transaction:
    """From the locks to the verified read-back."""

    adapter: PaloAltoPanos
    session: Session
    current: Observed
    plan: Plan
    timings: dict[str, timedelta] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    commands: int = 0
    lines: Lines = field(default_factory=lambda: Lines(blocks=(), tree=Tree()))
    edits: bool = False
    """Whether a line of configuration may have arrived."""

    def run(self) -> Receipt:
        observed = (
            self._by_bridge() if moves_to_lists(self.current, self.plan, self.adapter.options) else self._carry_out()
        )
        sizes = {group.name: len(group.members) for group in self.plan.desired.groups}
        for feed in self._served:
            room = lists.room_of(self.current)
            self.notes.append(lists.told(feed.name, sizes[feed.name], self.adapter.options, room, feed.kind))
        return Receipt(
            observed=observed,
            commands=self.commands,
            flows_cut=None,
            timings=self.timings,
            notes=tuple(self.notes),
        )

    def _by_bridge(self) -> Observed:
        """Two commits: the objects go when the lists that take their place are loaded."""
        self.current = self._carry_out(bridge=True)
        try:
            return self._carry_out()
        except (Refused, NotPrivileged) as exc:  # the first commit stands, so this is not where it was
            raise NotVerified(
                f"the lists are in force, and the objects that they replace still are as well: {exc.message}",
                hint="nothing is open; the next sync takes the objects away",
                device=self.adapter.device,
            ) from exc

    @property
    def _served(self) -> tuple[FeedList, ...]:
        """The lists that rules of ours have: what a person's profile does with others is theirs to see."""
        return tuple(feed for feed in self.adapter.feeds(self.current, self.plan.desired) if feed.kind != "domain")

    def _pulled(self, kind: str) -> frozenset[GroupName]:
        return frozenset(feed.name for feed in self._served if feed.kind == kind)

    def _carry_out(self, *, bridge: bool = False) -> Observed:
        """One commit. ``bridge``: with both the lists and the groups that they replace, until the lists are loaded."""
        self.lines = self.adapter._lines(self.current, self.plan, bridge=bridge)
        with self._uncertain_when_broken(), self.session.shell(DIALECT) as shell:
            talk = Talk(shell, self.adapter.options)
            with self._timed("lock"):
                self._take_locks(talk)
            try:
                with self._timed("read again"):
                    before = self._read_again(talk)
                talk.configure()
                self.edits = True
                with self._timed("edit"):
                    self._edit(talk, self.lines.blocks, before)
                with self._timed("compare"):
                    self._compare(talk, before)
                with self._timed("validate"):
                    self._validate(talk, before)
                with self._timed("commit"):
                    self._commit(talk, before)
            finally:
                self._give_locks_back(talk)
                self.commands += talk.commands
        with self._timed("verify"):
            return self._verify(bridge=bridge)

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.timings[part] = timedelta(seconds=time.monotonic() - began)

    @contextmanager
    def _uncertain_when_broken(self) -> Iterator[None]:
        """From the first line on, a login that breaks leaves a half-edited candidate, or a commit, behind.

        Before it, nothing but a lock of our own may be left, which the next sync takes over.
        """
        try:
            yield
        except (Unreachable, Unreadable) as exc:
            if not self.edits:
                raise
            raise self._uncertain("the change was begun, and how it went is not known", exc) from exc

    def _uncertain(self, message: str, cause: DeviceError | None = None) -> Uncertain:
        said = f"{message}: {cause.message}" if cause else message
        hint = "the next sync reads the firewall first"
        if cause is not None and _LATE in cause.message:
            hint = f"{hint}; a commit may outlast the session: raise budget_seconds of the device, {_BUDGET} or more"
        return Uncertain(said, hint=hint, device=self.adapter.device)

    # --- locks ----------------------------------------------------------------------------------------------------

    def _take_locks(self, talk: Talk) -> None:
        snapshot = self.plan.desired.snapshot
        talk.lock("config", snapshot)
        try:
            talk.lock("commit", snapshot)
        except DeviceError:
            talk.unlock("config")
            raise

    def _give_locks_back(self, talk: Talk) -> None:
        """Never in the way of what is being said: the locks of a broken session are taken over by the next sync."""
        with suppress(DeviceError):
            talk.leave()
            for kind in ("commit", "config"):
                talk.unlock(kind)

    # --- the candidate --------------------------------------------------------------------------------------------

    def _read_again(self, talk: Talk) -> Observed:
        """What is there now that nobody else can change it. Raises ``Refused`` unless the plan was made for it."""
        before = self.adapter.parse(talk.reading())
        refuse_unfit(before)
        self.adapter._refuse_stranger(before, self.plan)
        if any(before.extra[key] != self.current.extra.get(key) for key in ("held", "order")):
            raise Refused(
                "the configuration has changed since the plan was made; nothing was sent",
                hint="the next sync plans anew",
                device=self.adapter.device,
            )
        return before

    def _edit(self, talk: Talk, blocks: tuple[tuple[str, ...], ...], before: Observed) -> None:
        for block in blocks:
            talk.commands += len(block)
            try:
                talk.shell.stream(block, refusal)
            except LineRefused as exc:
                self._revert(talk, before, f"the firewall refuses `{exc.said.line[:120]}`: {exc.reason}")

    def _compare(self, talk: Talk, before: Observed) -> None:
        """The candidate, read as a whole, is what was meant, and all that is not ours is as it was."""
        talk.leave()
        after = self.adapter.parse(talk.reading())
        wrong = self._unlike(after)
        if not wrong and after.foreign != before.foreign:
            wrong = "entries that are not ours differ"
        talk.configure()
        if wrong:
            self._revert(talk, before, f"the candidate is not what was sent: {wrong}")

    def _unlike(self, observed: Observed) -> str:
        """How the entries that were read differ from those that were sent, wherever they stand."""
        placed = [line for line in observed.irregular if line.startswith("placement:")]
        return unlike(Tree.loads(observed.extra["held"]), self.lines.tree) or next(iter(placed), "")

    def _differences(self, observed: Observed) -> str:
        wanted = self.plan.desired
        odd = [line for line in observed.irregular if "cannot be compared" not in line]
        if odd:
            return odd[0]
        partial = {feed.name for feed in self._served if len(odd) < len(observed.irregular)}
        if _without(observed.groups, partial) != _without(wanted.groups, partial):
            return "a list differs"
        if observed.rules != wanted.rules:
            return "the rules differ"
        return "" if observed.mark == mark_of(wanted) else "the mark differs"

    def _revert(self, talk: Talk, before: Observed, why: str) -> NoReturn:
        """Out of the candidate with it: nobody else had changes in it, and the lock kept it so.

        Where somebody has all the same (a lock of one virtual system may not bind the others), only ours are taken out.
        """
        others = facts.administrators_in(talk.operational(facts.CHANGES).text) - {talk.login}
        said = talk.ask(f"revert config partial admin {talk.login}" if others else "revert config")
        if facts.is_refused(said.text) and not others:
            said = talk.ask("load config from running-config.xml")
        talk.leave()
        after = self.adapter.parse(talk.reading())
        same = after.extra["held"] == before.extra["held"] and (
            bool(others) or (after.extra["order"] == before.extra["order"] and after.foreign == before.foreign)
        )
        if same or not after.extra["pending"]:
            raise Refused(
                f"{why}; the candidate was reverted, and nothing was committed",
                hint="the next sync tries again",
                device=self.adapter.device,
            )
        words = " ".join(said.text.split())[:160]
        raise self._uncertain(f"{why}; nothing was committed, but the candidate could not be reverted: {words}")

    # --- validation and commit --------------------------------------------------------------------------------------

    def _validate(self, talk: Talk, before: Observed) -> None:
        ok, words = self._job(talk, VALIDATE)
        if not ok:
            self._revert(talk, before, f"the firewall does not find the candidate valid: {words}")

    def _commit(self, talk: Talk, before: Observed) -> None:
        ok, words = self._job(talk, commit_line(talk.login, self.plan.desired.snapshot))
        if not ok:
            self._revert(talk, before, f"the commit failed: {words}")
        if "synchronize" in words:
            self.notes.append(f"committed, but: {words}")

    def _job(self, talk: Talk, line: str) -> tuple[bool, str]:
        """Run one line that starts a job, to the job's end: (whether it went well, what was said)."""
        end = time.monotonic() + self.adapter.options.lock_wait_seconds
        while True:
            text = self._start(talk, line)
            if not facts.says_busy(text) or time.monotonic() >= end:
                break
            time.sleep(_AGAIN)
        words = _words(text)
        if facts.says_nothing_to_do(text):
            return True, words
        number = facts.job_in(text)
        if number is not None:
            job = talk.job(number)
            return job.is_ok, words if job.is_ok or not job.details else f"{words} {job.details}".strip()
        if _FAILED.search(text) or facts.says_busy(text):
            return False, words
        if _DONE.search(text):
            return True, words
        raise Unreadable(f"`{line}` was answered with {words!r}")

    def _start(self, talk: Talk, line: str) -> str:
        seconds = self.adapter.options.commit_seconds
        said = talk.ask(line, seconds=seconds, until=_QUESTION)
        if "y or n" in said.prompt:
            said = talk.ask("y", seconds=seconds)
        return said.text

    # --- afterwards -----------------------------------------------------------------------------------------------

    def _verify(self, *, bridge: bool) -> Observed:
        """From a login of its own: the committed configuration, what of lists is loaded, and the rules that run."""
        try:
            with self.session.again() as session, session.shell(DIALECT) as shell:
                talk = Talk(shell, self.adapter.options)
                missing = self._load(talk)
                observed = self.adapter.parse(talk.reading())
                running = self._running(talk, observed)
                self.commands += talk.commands
        except DeviceError as exc:
            raise self._uncertain("the change was committed and then not proven", exc) from exc
        wrong = missing or self._unlike(observed) or ("" if bridge else self._differences(observed))
        if running is not None and not wrong:
            action = self.adapter.options.action
            pulled, named = self._pulled("ip"), self._pulled("url")
            wrong = next(iter(policy.differences(running, self.plan.desired, action, pulled, named)), "")
        if wrong:
            raise NotVerified(
                f"the change was committed, and what runs is not what was meant: {wrong}; it was left as it is",
                hint="look at the address, the certificate and the login that the firewall pulls with"
                if missing
                else "somebody else may have written at the same moment; the next sync reads first",
                device=self.adapter.device,
            )
        if observed.extra["pending"]:
            self.notes.append(
                f"changes of {observed.extra['pending']} wait in the candidate; none of them was committed"
            )
        return observed

    def _load(self, talk: Talk) -> str:
        """Have the firewall pull its lists now, and wait until it has; what it has not loaded in time, in words."""
        feed = self.adapter.options.pulls
        if feed is None or not (served := self._served):
            return ""
        end = time.monotonic() + feed.load_seconds
        with talk.targeting(multi_vsys=bool(self.current.extra["multi_vsys"])):
            found = (self._load_one(talk, one, end) for one in served)
            return next((words for words in found if words), "")

    def _load_one(self, talk: Talk, feed: FeedList, end: float) -> str:
        device = list_name(feed.name)

        def loaded() -> lists.Loaded:
            return lists.loaded_from(talk.loaded(device, feed.kind).text, feed.kind)

        if not loaded().holds(feed):
            talk.ask(f"{lists.REFRESH}{feed.kind} name {device}")
        while not (found := loaded()).holds(feed):
            if time.monotonic() >= end:
                return f"{feed.name} is not loaded: the firewall has {found.valid} entries of {len(feed.lines)}"
            time.sleep(_LOAD_POLL)
        return ""

    def _running(self, talk: Talk, observed: Observed) -> tuple[policy.Compiled, ...] | None:
        """The rules as they run; None, with a note, where they cannot be shown."""
        if observed.extra["multi_vsys"]:
            self.notes.append("with several virtual systems, what the data plane runs is not compared")
            return None
        text = talk.ask(policy.COMMAND).text
        if facts.is_refused(text):
            self.notes.append(f"what the data plane runs was not compared: {_words(text)}")
            return None
        return policy.compiled_from(text)


def _without(groups: tuple[Group, ...], names: set[GroupName]) -> tuple[Group, ...]:
    return tuple(group for group in groups if group.name not in names)


def refuse_unfit(current: Observed) -> None:
    """What forbids writing, by what was read. Raises ``Refused``; nothing was sent then."""
    extra = current.extra
    if extra.get("panorama"):
        raise Refused(
            f"this firewall is managed by the Panorama at {extra['panorama']}, whose rules stand above all local ones; "
            "nothing was sent",
            hint="`options: {managed: panorama}` has it pull its lists under a rule that Panorama holds; see "
            "docs/vendors/paloalto_panos.md",
        )
    role = extra.get("role", "")
    if role and role not in facts.ACTIVE:
        raise Refused(
            f"this member of the pair is {role}: only the active one is written to; nothing was sent",
            hint="the other member is synchronised by the pair itself",
        )
    pending = extra.get("pending", "")
    if pending and pending != "ours":
        raise Refused(
            f"changes of {pending} wait in the candidate configuration; nothing was sent, nothing was committed",
            hint="commit or revert them on the firewall; use an account of tokgate's own",
        )


def _words(text: str) -> str:
    """What was said, without the progress of a job, as one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _PROGRESS.match(line)]
    return "; ".join(lines)[:400]


__all__ = ["Transaction", "refuse_unfit"]
