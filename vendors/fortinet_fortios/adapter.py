"""Fortinet FortiGates: address objects, groups and policies of ours, changed in one transaction where there is one.

Called by the controller's device work, always under the lock of the device.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from core.ids import DeviceName
from vendors.adapter import Finding, Script, Session
from vendors.checkup import told_last
from vendors.cutting import Cut, newly_denied
from vendors.errors import DeviceError, Refused, Unreachable
from vendors.fortinet_fortios import managed, names, oracle
from vendors.fortinet_fortios.checkup import findings
from vendors.fortinet_fortios.cluster import others_told
from vendors.fortinet_fortios.console import Console, opened, refusal, said_now
from vendors.fortinet_fortios.counters import NOW, SHOW, Counted, counted_policies, iprope, reading_from
from vendors.fortinet_fortios.facts import ADDRESS, FEED, GROUP, RECURRING, SIZES, WEEKS, Status, policy_tables
from vendors.fortinet_fortios.feed import LOADED
from vendors.fortinet_fortios.job import COMMIT, SAVE, START, Job
from vendors.fortinet_fortios.logs import DISPLAY, LOG_CUT, LOG_TIME, filters, is_partial, pages, question
from vendors.fortinet_fortios.options import FortinetFortiosOptions
from vendors.fortinet_fortios.parse import observed_from
from vendors.fortinet_fortios.render import Change, lists_of, render_change
from vendors.fortinet_fortios.sessions import cut
from vendors.fortinet_fortios.syntax import quoted, table_of
from vendors.model import Capabilities, Desired, FeedList, Observed, Plan, Reading, Receipt, Transaction
from vendors.oracle import NO_WAY, Answer, Question, finding, tried, unasked, way_of
from vendors.shell import Said, gathered, sections


@dataclass(frozen=True, slots=True)
class FortinetFortios:
    """The adapter for one FortiGate, or one of its VDOMs."""

    options: FortinetFortiosOptions
    device: DeviceName

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            names_itself=True,
            ipv6=True,
            fqdn=self.options.names,
            wildcard_fqdn=self.options.names,
            monitor=False,
            schedules=self.options.schedules,
            transaction=Transaction.CANDIDATE,
            entry_counters=False,
            source_capture=self.options.log_device is not None,
            session_clearing=self.options.cut_sessions > 0,
            persistence=True,
            feed=self.options.pulls is not None,
            max_members=None,
            max_entries=self.options.max_addresses,
            suffix_entries=2,  # the name itself, and what is below it
            spare=False,
            exempt=False,
            notes=(
                "monitor: the first policy that matches decides, and one that counted and let pass would open traffic",
                "spare: the first policy that matches decides, and one that let pass would open traffic",
                *(() if self.options.names else ("domains: switched off (options.names)",)),
            ),
        )

    # --- pure -----------------------------------------------------------------------------------------------------

    def parse(self, text: str) -> Observed:
        return observed_from(text, self.options, self.capabilities)

    def render(self, current: Observed, plan: Plan) -> Script:
        change = render_change(current, plan, self.options)
        if self.options.managed is not None:
            return Script(text="")
        return Script(text=change.text, typed=tuple(self._typed(current, change)))

    def _typed(self, current: Observed, change: Change) -> Iterator[str]:
        """A change as it is typed: what tells which lists are pulled goes ahead of what relies on them."""
        workspace = self.options.workspace and current.extra["workspace"] == "True"
        start, commit = ((START,), (COMMIT,)) if workspace else ((), ())
        place = ("config vdom", f"edit {self.options.vdom}") if self.options.vdom else ()
        for part in change.parts:
            yield from (*place, *start, *part.text.splitlines(), *commit)
        if change.blocks and self.options.save and current.extra["cfg_save"] != "automatic":
            yield from (*place, SAVE)

    def feeds(self, current: Observed, desired: Desired) -> tuple[FeedList, ...]:
        return lists_of(current, desired, self.options)

    def parse_counters(self, text: str) -> Reading:
        return reading_from(text)

    # --- with a session -------------------------------------------------------------------------------------------

    def read(self, session: Session) -> Observed:
        with self._named(), opened(session, self.options, self.device) as console:
            for path in _tables(console.status):
                console.told(f"show {path}")
            if self.options.schedules:
                self._ask_schedules(console)
            if self.options.pulls is not None and console.status.version >= (6, 2, 0):
                self._ask_lists(console)
            console.answers.append(console.ask(SIZES))
            answers = tuple(console.answers)
        with self._named():
            return self.parse(gathered(answers))

    @staticmethod
    def _ask_schedules(console: Console) -> None:
        """An account without a right to schedules enforces without them."""
        found = [console.ask(f"show {path}") for path in (RECURRING, WEEKS)]
        if not any(refusal(said) for said in found):
            console.answers += found

    @staticmethod
    def _ask_lists(console: Console) -> None:
        """Our external resources, and what the device has loaded of each."""
        table = table_of(console.told(f"show {FEED}").text, FEED)
        for entry in table.entries:
            if names.feed_from(entry.name, " ".join(entry.attrs.get("comments", ()))) is not None:
                console.told(f"{LOADED} {quoted(entry.name)}")

    def apply(self, session: Session, current: Observed, plan: Plan) -> Receipt:
        if self.options.managed is not None:
            return Job(self, session, current, plan).watch()
        self.refuse(current, plan)
        receipt = Job(self, session, current, plan).run()
        return self._cut(session, current, plan, receipt) if self.options.cut_sessions else receipt

    def _cut(self, session: Session, current: Observed, plan: Plan, receipt: Receipt) -> Receipt:
        """A change that is in force, and the open sessions that it denies."""
        denied = newly_denied(current, plan, receipt.observed.wall_time)
        try:
            with opened(session, self.options, self.device) as console:
                done = cut(console, denied, self.options.cut_sessions)
        except DeviceError as exc:
            done = Cut(None, f"open sessions could not be ended: {exc.message}")
        notes = (*receipt.notes, *([done.note] if done.note else ()))
        return replace(receipt, flows_cut=done.count, notes=notes, commands=receipt.commands + done.commands)

    def counters(self, session: Session) -> Reading:
        with self._named(), opened(session, self.options, self.device) as console:
            console.answers.append(console.ask(f"show firewall address {names.MARK_OBJECT}"))
            for path in policy_tables(console.status.version):
                console.told(f"show {path}")
            if self.options.managed is not None:
                console.answers += said_now([(managed.NOTE, "")])
            policies = counted_policies(sections(gathered(console.answers)))
            if policies:
                console.answers += [console.ask(iprope(version, policies)) for version in SHOW]
            now = datetime.now(UTC).isoformat()
            try:
                self._ask_logs(console, policies)
            except DeviceError:  # the counts are read already
                console.answers += said_now([(LOG_CUT, "")])
            answers = [*console.answers, *said_now([(NOW, now)])]
        with self._named():
            answers += self._of_others(session, console.status, policies)
            return self.parse_counters(gathered(answers))

    def _of_others(self, session: Session, status: Status, policies: tuple[Counted, ...]) -> Iterator[Said]:
        """What the other units of a cluster count, where the inventory has a login for them."""
        if self.options.cluster is None or status.ha == "standalone" or not policies:
            return
        questions = tuple(iprope(version, policies) for version in SHOW)
        yield from others_told(
            session, status.serial, self.options.cluster, vdom=self.options.vdom, questions=questions
        )

    def _ask_logs(self, console: Console, policies: tuple[Counted, ...]) -> None:
        """Who was denied, within limits of rows and time. Raises what a log does that is slow or breaks off."""
        if self.options.log_device is None:
            return
        for number in dict.fromkeys(policy.id for policy in policies):
            rows = max(self.options.log_rows // len(policies), 5)
            for line in filters(number, device=self.options.log_device, rows=rows):
                if console.do(line, timeout=LOG_TIME) is not None:
                    return
            for page in pages(rows):
                said = console.ask(DISPLAY, timeout=LOG_TIME)
                if refusal(said) is not None:
                    return
                console.answers.append(replace(said, line=question(number, page)))
                if not is_partial(said.text):
                    break

    # --- whose it is ----------------------------------------------------------------------------------------------

    def refuse(self, current: Observed, plan: Plan) -> None:
        if self.options.managed is None:
            self._refuse_place(current)
            self._refuse_stranger(current, plan)

    def _refuse_place(self, current: Observed) -> None:
        """Nothing is written where it would not stay: on a secondary unit, or under a manager."""
        if current.extra["primary"] != "True":
            raise Refused(
                f"this is not the primary unit of its cluster ({current.extra['ha']}); nothing was sent",
                hint="give the address that reaches the primary unit",
                device=self.device,
            )
        if manager := current.extra["manager"]:
            raise Refused(
                f"the device is managed by a FortiManager ({manager}), whose next installation would overwrite the "
                "change; nothing was sent",
                hint="see FortiManager in docs/vendors/fortinet_fortios.md",
                device=self.device,
            )

    def _refuse_stranger(self, current: Observed, plan: Plan) -> None:
        """What of our name is not ours is never touched (I1)."""
        if self.options.adopt:
            return
        owner = current.extra["owner"]
        if owner and owner != plan.desired.owner:
            raise self._strange(f"objects of our name belong to controller {owner}")
        strangers = json.loads(current.extra["strangers"])
        if not owner and strangers:
            raise self._strange(f"{strangers[0]} has our name and does not carry our comment")

    def _strange(self, what: str) -> Refused:
        return Refused(
            f"{what}; nothing was sent",
            hint="find out who made it; `options: {adopt: true}` takes it over",
            device=self.device,
        )

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors of pure parts do not know the device."""
        try:
            yield
        except DeviceError as exc:
            exc.device = self.device
            raise

    # --- the oracle -------------------------------------------------------------------------------------------------

    @property
    def asks(self) -> bool:
        return bool(self.options.ways)

    def ask(self, session: Session, questions: Sequence[Question]) -> tuple[Answer, ...]:
        policies: dict[int, oracle.Policy | None] = {}
        with self._named(), opened(session, self.options, self.device) as console:
            return tuple(self._asked(console, question, policies) for question in questions)

    def _asked(self, console: Console, question: Question, known: dict[int, oracle.Policy | None]) -> Answer:
        way = way_of(self.options.ways, question.source)
        if way is None or question.source.version == 6:
            return unasked(question, NO_WAY if way is None else oracle.NO_IPV6)
        text = console.ask(oracle.question_line(question, way)).text
        if (number := oracle.met(text, question)) and number not in known:
            known[number] = oracle.policy_from(console.ask(oracle.policy_line(number)).text, number)
        return oracle.answer_from(text, question, known)

    def may_ask(self, session: Session) -> Finding:
        ways = self.options.ways
        return finding(ways, self.ask(session, (tried(ways),)) if ways else ())

    # --- doctor ---------------------------------------------------------------------------------------------------

    def doctor(self, session: Session) -> tuple[Finding, ...]:
        try:
            observed = self.read(session)
        except Unreachable:
            raise
        except DeviceError as exc:
            return (Finding(check="read", ok=False, message=exc.message),)
        return (*findings(observed, self.options), self._rights(session), self._counting(session, observed))

    def _rights(self, session: Session) -> Finding:
        """By the end of the prompt, which tells a super administrator from others."""
        with opened(session, self.options, self.device) as console:
            whole = console.base.rstrip().endswith("#")
        told = "an administrator with all rights" if whole else "restricted rights; what is missing is told at a change"
        return Finding(check="rights", ok=True, message=told)

    def _counting(self, session: Session, observed: Observed) -> Finding:
        if not observed.rules:
            return Finding(check="counters", ok=True, message="no policy of ours yet")
        try:
            reading = self.counters(session)
        except Unreachable:
            raise
        except DeviceError as exc:
            return Finding(check="counters", ok=False, message=exc.message)
        hits = sum(rule.hits or 0 for rule in reading.rules)
        told, units = (
            f"{len(reading.rules)} rules count, {hits} hits so far{told_last(reading)}",
            reading.epoch.count("+") + 1,
        )
        read = max(len(reading.rules[0].units), 1) if reading.rules else 1
        of_units = f", on {read} of {units} units" if units > 1 else ""
        return Finding(check="counters", ok=read == units, message=f"{told}{of_units}")


def _tables(status: Status) -> tuple[str, ...]:
    return (*ADDRESS.values(), *GROUP.values(), *policy_tables(status.version))
