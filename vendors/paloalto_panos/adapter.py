"""PAN-OS firewalls: objects and rules in the candidate configuration, committed as our own administrator's part.

Called by the controller's device work, always under the lock of the device. The login should be an account of tokgate's
own: partial commits, pending changes and locks are all told apart by the administrator's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from core.ids import DeviceName
from vendors.adapter import Finding, Script, Session
from vendors.checkup import told_last
from vendors.cutting import newly_denied
from vendors.diff import mark_of
from vendors.errors import DeviceError, Refused
from vendors.model import (
    WHOLE,
    Capabilities,
    Desired,
    FeedList,
    Observed,
    Plan,
    Reading,
    Receipt,
    Transaction,
)
from vendors.oracle import NO_WAY, Answer, Question, finding, tried, unasked, way_of
from vendors.paloalto_panos import counters, facts
from vendors.paloalto_panos.counters import counted_rules, hit_commands, log_command, reading_from, rules_command
from vendors.paloalto_panos.lists import room_of, served_of
from vendors.paloalto_panos.options import PaloAltoPanosOptions
from vendors.paloalto_panos.oracle import answer_from, question_line
from vendors.paloalto_panos.parse import observed_from
from vendors.paloalto_panos.render import Lines, after, moves_to_lists, render_lines, typed_lines
from vendors.paloalto_panos.sessions import cut
from vendors.paloalto_panos.talk import DIALECT, Talk
from vendors.paloalto_panos.transaction import Transaction as Change
from vendors.paloalto_panos.transaction import refuse_unfit
from vendors.paloalto_panos.watch import watched
from vendors.shell import Said, gathered
from vendors.watching import marked

_NOTES: Final = (
    "monitor: an allow that counts would end the evaluation and open what later rules stop",
    "spare: an allow above the denies would open what later rules stop",
)
_NO_WILDCARD: Final = "wildcard-domains: address objects of type fqdn take no wildcard"
_BY_URL: Final = (
    "wildcard-domains: web traffic alone, by the name in its request or TLS greeting, where that is in the clear; "
    "the names themselves also by what they resolve to"
)
_LOG_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class PaloAltoPanos:
    """The adapter for one firewall and one virtual system of it."""

    options: PaloAltoPanosOptions
    device: DeviceName

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            names_itself=True,
            ipv6=True,
            fqdn=True,
            wildcard_fqdn=self.options.pulls_names,
            monitor=False,
            schedules=True,
            transaction=Transaction.CANDIDATE,
            entry_counters=False,
            source_capture=self.options.log_minutes > 0,
            session_clearing=self.options.cut_sessions > 0,
            persistence=True,
            feed=self.options.pulls is not None,
            max_members=None,
            max_entries=self.options.max_addresses,
            spare=False,
            exempt=False,
            notes=(*_NOTES, _BY_URL if self.options.pulls_names else _NO_WILDCARD),
        )

    # --- pure -----------------------------------------------------------------------------------------------------

    def parse(self, text: str) -> Observed:
        return observed_from(text, self.options, self.capabilities)

    def render(self, current: Observed, plan: Plan) -> Script:
        if self.options.managed is not None:
            return Script(text="")
        first: tuple[str, ...] = ()
        if moves_to_lists(current, plan, self.options):
            bridge = self._lines(current, plan, bridge=True)
            first, current = bridge.all, after(current, bridge, self.options)
        parts = [part for part in (first, self._lines(current, plan).all) if part]
        login, snapshot = current.extra["login"], plan.desired.snapshot
        return Script(
            text="".join(f"{line}\n" for part in parts for line in part),
            typed=tuple(line for part in parts for line in typed_lines(part, login=login, snapshot=snapshot)),
        )

    def parse_counters(self, text: str) -> Reading:
        return reading_from(text, self.options)

    def feeds(self, current: Observed, desired: Desired) -> tuple[FeedList, ...]:
        served = served_of(desired.groups, desired.rules, self.options, room_of(current))
        return served if self.options.managed is None else marked(served, desired)

    def _lines(self, current: Observed, plan: Plan, *, bridge: bool = False) -> Lines:
        return render_lines(current, plan, mark_of(plan.desired), self.options, bridge=bridge)

    # --- with a session -------------------------------------------------------------------------------------------

    def read(self, session: Session) -> Observed:
        with self._named(), session.shell(DIALECT) as shell:
            return self.parse(Talk(shell, self.options).reading())

    def apply(self, session: Session, current: Observed, plan: Plan) -> Receipt:
        with self._named():
            if self.options.managed is not None:
                return watched(self, session, current, plan)
            self.refuse(current, plan)
            receipt = Change(adapter=self, session=session, current=current, plan=plan).run()
            return self._cut(session, current, plan, receipt) if self.options.cut_sessions else receipt

    def _cut(self, session: Session, current: Observed, plan: Plan, receipt: Receipt) -> Receipt:
        """A change that is in force, and the open sessions that it denies."""
        denied = newly_denied(current, plan, receipt.observed.wall_time)
        done = cut(session, DIALECT, denied, self.options.vsys, self.options.cut_sessions)
        notes = (*receipt.notes, *([done.note] if done.note else ()))
        return replace(receipt, flows_cut=done.count, notes=notes, commands=receipt.commands + done.commands)

    def counters(self, session: Session) -> Reading:
        with self._named():
            said = self._hits(session)
            names = counted_rules(said[1].text, self.options)
            return self.parse_counters(gathered([*said, *self._logs(session, said, tuple(names))]))

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors of pure code know no device."""
        try:
            yield
        except DeviceError as exc:
            exc.device = exc.device or self.device
            raise

    def refuse(self, current: Observed, plan: Plan) -> None:
        if self.options.managed is None:
            self._refuse_stranger(current, plan)
            with self._named():
                refuse_unfit(current)

    def _refuse_stranger(self, current: Observed, plan: Plan) -> None:
        """What of our names is not ours is never touched (I1)."""
        if self.options.adopt:
            return
        strangers, owner = current.extra.get("strangers", ""), current.extra.get("owner", "")
        if strangers:
            what = "carries our name and not our tag"
        elif owner and owner != plan.desired.owner:
            strangers, what = f"what tokgate made in {self.options.vsys}", f"belongs to controller {owner}"
        elif not owner and current.extra.get("ours"):
            strangers, what = f"what has our names in {self.options.vsys}", "carries no owner"
        else:
            return
        raise Refused(
            f"{strangers} {what}; nothing was sent",
            hint="find out who made it; `options: {adopt: true}` takes it over",
            device=self.device,
        )

    # --- counters -------------------------------------------------------------------------------------------------

    def _hits(self, session: Session) -> list[Said]:
        """Our clock and the device's, the rules, and their hit counts."""
        with session.shell(DIALECT) as shell:
            talk = Talk(shell, self.options)
            now = datetime.now(UTC)
            system = talk.ask(facts.SYSTEM)
            command = rules_command(self.options, multi_vsys=facts.system_from(system.text).multi_vsys)
            if self.options.managed is not None:
                rules = talk.ask(command)
            else:
                with talk.configuring():
                    rules = talk.ask(command)
            names = tuple(counted_rules(rules.text, self.options))
            hits = [talk.ask(line) for line in hit_commands(self.options, names)]
        return [system, rules, *hits, Said(line=counters.READ_AT, text=f"{now.isoformat()}\n", prompt="")]

    def _logs(self, session: Session, said: list[Said], names: tuple[str, ...]) -> list[Said]:
        """Who was denied lately. A log that is slow or broken off costs the counts nothing: they are read already."""
        clock = facts.system_from(said[0].text).time
        if not names or clock is None or self.options.log_minutes == 0:
            return []
        since = clock - timedelta(minutes=self.options.log_minutes)
        found: list[Said] = []
        try:
            with session.shell(DIALECT) as shell:
                talk = Talk(shell, self.options)
                found += [talk.ask(log_command(name, since), seconds=_LOG_SECONDS) for name in names]
        except DeviceError:
            found.append(Said(line=counters.LOG_CUT, text="", prompt=""))
        return found

    # --- the oracle -------------------------------------------------------------------------------------------------

    @property
    def asks(self) -> bool:
        return bool(self.options.ways)

    def ask(self, session: Session, questions: Sequence[Question]) -> tuple[Answer, ...]:
        with self._named(), session.shell(DIALECT) as shell:
            talk = Talk(shell, self.options)
            with talk.targeting(multi_vsys=facts.system_from(talk.ask(facts.SYSTEM).text).multi_vsys):
                return tuple(self._asked(talk, question) for question in questions)

    def _asked(self, talk: Talk, question: Question) -> Answer:
        way = way_of(self.options.ways, question.source)
        if way is None:
            return unasked(question, NO_WAY)
        return answer_from(talk.ask(question_line(question, way)).text, question)

    def may_ask(self, session: Session) -> Finding:
        ways = self.options.ways
        return finding(ways, self.ask(session, (tried(ways),)) if ways else ())

    # --- doctor ---------------------------------------------------------------------------------------------------

    def doctor(self, session: Session) -> tuple[Finding, ...]:
        try:
            with session.shell(DIALECT) as shell:
                talk = Talk(shell, self.options)
                text = talk.reading()
                locks = [talk.ask(line).text for line in (facts.CONFIG_LOCKS, facts.COMMIT_LOCKS)]
            observed = self.parse(text)
        except DeviceError as exc:
            return (Finding(check="reading", ok=False, message=str(exc)),)
        return (
            *self._findings(observed),
            *(
                Finding(check=f"{kind} lock", ok=not _is_held(said), message=" ".join(said.split())[:160] or "free")
                for kind, said in zip(("config", "commit"), locks, strict=True)
            ),
            self._counters_finding(session),
            *(Finding(check="our objects", ok=False, message=line) for line in observed.irregular),
        )

    def _findings(self, observed: Observed) -> Iterator[Finding]:
        extra = observed.extra
        yield Finding(check="reading", ok=True, message="the candidate is shown in set form and understood")
        seen = "may configure; whether it may lock and commit shows at the first change"
        yield Finding(check="rights", ok=True, message=seen)
        yield Finding(check="version", ok=True, message=f"{extra['model']}, PAN-OS {extra['version']}")
        yield Finding(check="vsys", ok=True, message=self.options.vsys)
        if self.options.managed is not None:
            yield Finding(
                check="writing",
                ok=bool(extra["panorama"]),
                message=f"managed by {extra['panorama'] or 'nobody'}: nothing is written here",
            )
            return
        try:
            refuse_unfit(observed)
            yield Finding(
                check="writing", ok=True, message=f"{extra['role'] or 'no pair'}; nothing of others is pending"
            )
        except Refused as exc:
            yield Finding(check="writing", ok=False, message=exc.message)
        for check, start in (("limits", "entries:"), ("delivery", "delivery:"), ("delivery", WHOLE)):
            told = (note for note in observed.can.notes if note.startswith(start))
            yield from (Finding(check=check, ok=True, message=note.partition(": ")[2]) for note in told)
        owner = extra["owner"]
        clean = bool(owner) or not extra["ours"]
        yield Finding(
            check="owner", ok=clean and not extra["strangers"], message=owner or extra["strangers"] or "nothing of ours"
        )
        yield Finding(
            check="rollback", ok=True, message="a refused change is reverted in the candidate; no commit timer"
        )

    def _counters_finding(self, session: Session) -> Finding:
        try:
            reading = self.counters(session)
        except DeviceError as exc:
            return Finding(check="counters", ok=False, message=exc.message)
        told = f"{len(reading.rules)} rules of ours are counted{told_last(reading)}"
        return Finding(check="counters", ok=True, message=told)


def _is_held(text: str) -> bool:
    """Whether a list of locks has an entry: beyond titles, rules and words that say there is none."""
    lines = [line for line in text.splitlines() if line.strip() and set(line.strip()) - set("-=+ ")]
    return len(lines) > 1 and "no " not in text.lower()
