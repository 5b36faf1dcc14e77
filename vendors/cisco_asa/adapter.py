"""Cisco ASA: groups and names under our prefix, denies in the site's own access lists, every line live at once.

Called by the controller's device work, always under the lock of the device. A change is sent in a safe order, read back
and only then saved. What goes wrong in between is led back by the same means: read what stands, send the lines from
there to what stood before. Lines of the site that nobody has saved are never saved by us.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from core.clock import Clock, SystemClock
from core.ids import DeviceName
from vendors.adapter import Finding, Script, Session
from vendors.cisco_asa import counters, facts
from vendors.cisco_asa.checks import findings
from vendors.cisco_asa.config import Held
from vendors.cisco_asa.connections import cut
from vendors.cisco_asa.options import CiscoAsaOptions
from vendors.cisco_asa.oracle import answer_from, question_line
from vendors.cisco_asa.parse import READ, held_in, most, observed_from
from vendors.cisco_asa.render import script_of
from vendors.cisco_asa.talk import Terminal, is_held, is_standby, lacks_rights, terminal
from vendors.cisco_asa.target import Batch, lines_between, target_from, target_of
from vendors.cutting import newly_denied
from vendors.diff import mark_of
from vendors.errors import (
    DeviceError,
    LineRefused,
    NotPrivileged,
    NotVerified,
    Refused,
    Uncertain,
    Unreachable,
)
from vendors.model import Capabilities, Desired, FeedList, Observed, Plan, Reading, Receipt
from vendors.oracle import NO_WAY, Answer, Question, finding, tried, unasked, way_of
from vendors.shell import gathered

PERSISTENCE: Final = "persistence:"
_PAUSE: Final = 2.0
"""Seconds between two tries while somebody else holds the configuration."""


@dataclass(frozen=True, slots=True)
class CiscoAsa:
    """The adapter for one ASA, or one context of it."""

    options: CiscoAsaOptions
    device: DeviceName
    clock: Clock = field(default_factory=SystemClock)

    @property
    def capabilities(self) -> Capabilities:
        return most(self.options)

    # --- pure -------------------------------------------------------------------------------------------------------

    def parse(self, text: str) -> Observed:
        return observed_from(text, self.options)

    def render(self, current: Observed, plan: Plan) -> Script:
        saves = not plan.is_empty and self.saves(current)
        return script_of(self.batches(current, plan), context=self.options.context, saves=saves)

    def feeds(self, current: Observed, desired: Desired) -> tuple[FeedList, ...]:
        return ()

    def parse_counters(self, text: str) -> Reading:
        return counters.reading_from(text, self.options)

    def batches(self, current: Observed, plan: Plan) -> tuple[Batch, ...]:
        """From what was read to what is planned. Raises ``Refused`` where that cannot be done at all."""
        desired = plan.desired
        target = target_of(desired, mark_of(desired), self.options)
        return lines_between(held_in(current, self.options), target, self.options, desired.owner)

    def saves(self, current: Observed) -> bool:
        """Not while somebody's unsaved lines would be saved along."""
        return self.options.save and not current.extra["unsaved"]

    # --- with a session ---------------------------------------------------------------------------------------------

    def read(self, session: Session) -> Observed:
        with self._named(), terminal(session, self.options) as at:
            return self.reading(at)

    def reading(self, at: Terminal) -> Observed:
        """The clock is asked too, and may be refused: the device is not told the week then."""
        return self.parse(gathered([at.ask(facts.CLOCK), *at.asked(READ)]))

    def counters(self, session: Session) -> Reading:
        with self._named(), terminal(session, self.options) as at:
            return self.parse_counters(counters.told(at, self.options, self.clock.now()))

    def apply(self, session: Session, current: Observed, plan: Plan) -> Receipt:
        with self._named():
            self.refuse(current, plan)
            with terminal(session, self.options) as at:
                receipt = _Job(adapter=self, at=at, current=current, plan=plan).run()
                return self._cut(at, current, plan, receipt) if self.options.cut_sessions else receipt

    def _cut(self, at: Terminal, current: Observed, plan: Plan, receipt: Receipt) -> Receipt:
        """A change that is in force, and the open connections that it denies."""
        denied = newly_denied(current, plan, receipt.observed.wall_time)
        done = cut(at, denied, self.options.cut_sessions)
        notes = (*receipt.notes, *([done.note] if done.note else ()))
        return replace(receipt, flows_cut=done.count, notes=notes, commands=at.commands)

    def doctor(self, session: Session) -> tuple[Finding, ...]:
        with self._named(), terminal(session, self.options) as at:
            return findings(at, self.options)

    # --- the oracle -------------------------------------------------------------------------------------------------

    @property
    def asks(self) -> bool:
        return bool(self.options.oracle)

    @property
    def asking_counts(self) -> bool:
        return True

    def ask(self, session: Session, questions: Sequence[Question]) -> tuple[Answer, ...]:
        with self._named(), terminal(session, self.options) as at:
            return tuple(self._asked(at, question) for question in questions)

    def _asked(self, at: Terminal, question: Question) -> Answer:
        way = way_of(self.options.oracle, question.source)
        if way is None:
            return unasked(question, NO_WAY)
        return answer_from(at.ask(question_line(question, way)).text, question)

    def may_ask(self, session: Session) -> Finding:
        ways = self.options.oracle
        return finding(ways, self.ask(session, (tried(ways),)) if ways else ())

    @contextmanager
    def _named(self) -> Iterator[None]:
        """What is raised without saying where it happened gets the device's name."""
        try:
            yield
        except DeviceError as exc:
            exc.device = exc.device or self.device
            raise

    def refuse(self, current: Observed, plan: Plan) -> None:
        """A standby unit, a cluster, another product, a list that cannot carry our entries; what is not ours."""
        with self._named():
            if why := current.extra["refuse"]:
                raise Refused(f"{why}; nothing was sent", hint="`tokgate device doctor` tells all of it")
            self._refuse_stranger(current, plan)

    def _refuse_stranger(self, current: Observed, plan: Plan) -> None:
        """What of our names is not ours is never touched (I1)."""
        owner = plan.desired.owner
        owners, strangers = current.extra["owners"].split(), current.extra["strangers"].split()
        others = [each for each in owners if each != owner]
        if self.options.adopt or (not others and (owners or not strangers)):
            return
        whose = f"controller {others[0]}" if others else f"nobody: {strangers[0]} says nothing of whose it is"
        raise Refused(
            f"objects of our names belong to {whose}; nothing was sent",
            hint="find out who made them; `options: {adopt: true}` takes them over",
        )


class _Held(Exception):
    """Another session has the configuration; the device is provably as it was."""


@dataclass(slots=True)
class _Job:
    """One change on one device, from the second reading to the saved configuration."""

    adapter: CiscoAsa
    at: Terminal
    current: Observed
    plan: Plan
    timings: dict[str, timedelta] = field(default_factory=dict)

    def run(self) -> Receipt:
        with self._timed("read again"):
            before = self._unchanged()
        batches = self.adapter.batches(before, self.plan)
        observed = before
        if batches:
            with self._timed("send"):
                self._send(before, batches)
            with self._timed("read back"):
                observed = self._verified(before)
        with self._timed("save"):
            observed, notes = self._saved(observed)
        return Receipt(observed=observed, commands=self.at.commands, flows_cut=None, timings=self.timings, notes=notes)

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.timings[part] = timedelta(seconds=time.monotonic() - began)

    def _unchanged(self) -> Observed:
        """Lines are placed by number, so what the plan was made from must still stand."""
        now = self.adapter.reading(self.at)
        self.adapter.refuse(now, self.plan)
        if _ours(now) != _ours(self.current):
            raise Refused(
                "our objects changed since the plan was made; nothing was sent",
                hint="somebody else writes there; the next sync reads first",
            )
        return now

    # --- the change -------------------------------------------------------------------------------------------------

    def _send(self, before: Observed, batches: tuple[Batch, ...]) -> None:
        """As ``_try``; waits for somebody else who holds the configuration, and gives up when the time is over."""
        seconds = self.adapter.options.lock_wait_seconds
        until = time.monotonic() + seconds
        while True:
            try:
                return self._try(before, batches)
            except _Held as held:
                if time.monotonic() >= until:
                    raise Refused(
                        f"somebody else holds the configuration: {held}; waited {seconds} s, and nothing was changed",
                        hint="ask who configures the device; the next sync tries again",
                    ) from held
                time.sleep(_PAUSE)

    def _try(self, before: Observed, batches: tuple[Batch, ...]) -> None:
        """Ends with all lines taken, or raises with the device in a state that the error tells."""
        with self._known_or_uncertain("lines were sent"):
            self.at.configure()
            try:
                for batch in batches:
                    self.at.carry(batch)
            except LineRefused as exc:
                self._give_up(before, exc)
            self.at.leave()

    @contextmanager
    def _known_or_uncertain(self, what: str) -> Iterator[None]:
        """From the first line on, whatever breaks leaves a state that nobody has read."""
        try:
            yield
        except (Refused, NotPrivileged, NotVerified, Uncertain):
            raise
        except DeviceError as exc:
            why = "the session broke" if isinstance(exc, Unreachable) else exc.message
            raise Uncertain(f"{why} while {what}", hint="the next sync reads the device first") from exc

    def _give_up(self, before: Observed, exc: LineRefused) -> None:
        """A line was refused: back to what stood before. Always raises."""
        said = f"the device refused `{exc.said.line}`: {exc.reason}"
        if is_standby(exc.reason):  # every further line would part the two units more
            raise Uncertain(f"{said}; the unit that is active now has what was sent before") from exc
        if not self._went_back(before):
            raise Uncertain(
                f"{said}; what stood before could not be restored", hint="the next sync reads first"
            ) from exc
        if is_held(exc.reason):
            raise _Held(exc.reason) from exc
        if lacks_rights(exc.reason):
            raise NotPrivileged(f"{said}; what stood before was restored") from exc
        raise Refused(f"{said}; what stood before was restored") from exc

    def _went_back(self, before: Observed) -> bool:
        """By the lines from whatever stands now to what stood then; whether that is proven."""
        options = self.adapter.options
        target = target_from(held_in(before, options))
        try:
            self.at.leave()
            now = self.adapter.reading(self.at)
            owner = self.plan.desired.owner
            batches = lines_between(held_in(now, options), target, options, owner)
            self.at.configure()
            for batch in batches:
                self.at.carry(batch)
            self.at.leave()
            now = self.adapter.reading(self.at)
        except DeviceError:
            return False
        return _lines(held_in(now, options)) == _lines(held_in(before, options))

    # --- after ------------------------------------------------------------------------------------------------------

    def _verified(self, before: Observed) -> Observed:
        with self._known_or_uncertain("the change was read back"):
            observed = self.adapter.reading(self.at)
            wrong = self._difference(observed)
            if wrong is None:
                return observed
            said = f"the device does not hold what was sent: {wrong}"
            if not self._went_back(before):
                raise Uncertain(f"{said}; what stood before could not be restored", hint="the next sync reads first")
            raise NotVerified(
                f"{said}; what stood before was restored",
                hint="somebody else may have written at the same moment; the next sync reads first",
            )

    def _difference(self, observed: Observed) -> str | None:
        wanted = self.plan.desired
        if odd := deviations(observed):
            return odd[0]
        if observed.groups != wanted.groups:
            return "a list differs"
        if observed.rules != wanted.rules:
            return "the rules differ"
        return None if observed.mark == mark_of(wanted) else "the mark differs"

    def _saved(self, observed: Observed) -> tuple[Observed, tuple[str, ...]]:
        """A verified change is kept for the next boot; that it is not is told, and takes nothing back."""
        if not self.adapter.options.save:
            return observed, ("not saved for the next boot: switched off in the inventory",)
        if others := observed.extra["unsaved"]:
            return observed, (
                f"not saved for the next boot: `{others}` and what else others changed would be saved with it",
            )
        try:
            why = self.at.save()
        except DeviceError as exc:
            why = exc.message
        if why is not None:
            return observed, (f"the change is verified, but not saved for the next boot: {why}",)
        return replace(observed, irregular=deviations(observed)), ()


def deviations(observed: Observed) -> tuple[str, ...]:
    """What is irregular about the enforcement itself; what the next boot finds is another matter."""
    return tuple(line for line in observed.irregular if not line.startswith(PERSISTENCE))


def _ours(observed: Observed) -> tuple[object, ...]:
    return observed.groups, observed.rules, observed.mark, deviations(observed)


def _lines(held: Held) -> tuple[object, ...]:
    """All of ours, whatever the order that the device prints it in."""
    ours = {acl: [e.text for e in found if e.is_ours] for acl, found in held.lists.items()}
    entries = {acl: texts for acl, texts in ours.items() if texts}
    groups = {name: (one.description, sorted(one.members)) for name, one in held.groups.items()}
    ranges = {name: sorted(lines) for name, lines in held.ranges.items()}
    return dict(held.objects), groups, ranges, entries
