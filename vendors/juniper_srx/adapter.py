"""Juniper SRX firewalls: address sets and denies of ours, in one confirmed commit under an exclusive lock.

Called by the controller's device work, always under the lock of the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from core.ids import DeviceName
from vendors.adapter import Finding, Script, Session
from vendors.cutting import newly_denied
from vendors.diff import mark_of
from vendors.errors import DeviceError, Refused
from vendors.juniper_srx import counters, facts, oracle
from vendors.juniper_srx.feed import feed_lists, questions
from vendors.juniper_srx.options import MOST_PULLED, JuniperSrxOptions
from vendors.juniper_srx.parse import Held, observed_from
from vendors.juniper_srx.render import Change, render_change, takes_two, typed_lines
from vendors.juniper_srx.sessions import cut
from vendors.juniper_srx.times import MOST_SPANS
from vendors.juniper_srx.transaction import Job
from vendors.model import WHOLE, Capabilities, Desired, FeedList, Observed, Plan, Reading, Receipt, Transaction
from vendors.oracle import NO_WAY, Answer, Question, finding, tried, unasked, way_of
from vendors.shell import Said, Shell, gathered

_READ = timedelta(seconds=120)
_COULD_PULL: Final = (
    f"{WHOLE} with `feed` in its options the firewall would pull lists of up to {MOST_PULLED - 1:,} networks"
)
_SECOND: Final = "# and when the device has loaded the lists, in a second commit:"


@dataclass(frozen=True, slots=True)
class JuniperSrx:
    """The adapter for one SRX, or one chassis cluster, reached at its primary node."""

    options: JuniperSrxOptions
    device: DeviceName

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            ipv6=True,
            fqdn=self.options.names,
            wildcard_fqdn=False,
            monitor=False,
            schedules=True,
            max_spans=MOST_SPANS,
            transaction=Transaction.CANDIDATE,
            entry_counters=False,
            source_capture=self.options.log_file is not None,
            session_clearing=self._cuts,
            persistence=True,
            feed=self.options.pulls is not None,
            max_members=None,
            max_entries=self._most,
            spare=False,
            exempt=False,
            notes=(
                "monitor: the first policy that matches decides, and one that counted and let pass would open traffic",
                "spare: the first policy that matches decides, and one that let pass would open traffic",
                "wildcard-domains: an address object is one name (`dns-name`), and no wildcard",
                _COULD_PULL if self.options.pulls is None else "feed: denied networks may be pulled by the firewall",
                *(() if self.options.names else ("domains: switched off (options.names)",)),
            ),
        )

    # --- pure -----------------------------------------------------------------------------------------------------

    def parse(self, text: str) -> Observed:
        return observed_from(text, self.options, self.capabilities)

    @property
    def _most(self) -> int:
        """Entries of all lists: one of each list that is pulled means nothing."""
        pulls = self.options.pulls
        return self.options.max_entries if pulls is None else max(self.options.max_entries, pulls.max_entries - 1)

    def render(self, current: Observed, plan: Plan) -> Script:
        changes = [self._change(current, plan, keep_sets=True)] if self._takes_two(current, plan) else []
        changes.append(self._change(current, plan))
        typed = [list(typed_lines(change, plan, self.options)) for change in changes]
        return Script(
            text=f"{_SECOND}\n".join(change.text for change in changes),
            typed=(*typed[0], *(line for each in typed[1:] for line in (_SECOND, *each))),
        )

    def parse_counters(self, text: str) -> Reading:
        return counters.reading_from(text, datetime.now(UTC), self.options)

    def feeds(self, current: Observed, desired: Desired) -> tuple[FeedList, ...]:
        return feed_lists(desired, self.options)

    def _takes_two(self, current: Observed, plan: Plan) -> bool:
        return takes_two(Held.loads(current.extra["held"]), plan, self.options)

    def _change(self, current: Observed, plan: Plan, *, keep_sets: bool = False) -> Change:
        held, mark = Held.loads(current.extra["held"]), mark_of(plan.desired)
        return render_change(held, plan, mark, self.options, keep_sets=keep_sets)

    # --- with a session -------------------------------------------------------------------------------------------

    def read(self, session: Session) -> Observed:
        with session.shell(facts.DIALECT) as shell:
            said = [shell.ask(line, timeout=_READ) for line in (facts.CONFIGURATION, facts.COMMITS, facts.UPTIME)]
            said += [shell.ask(line, timeout=_READ) for line in questions(said[0].text, self.options)]
        return self._parsed(_gathered(said))

    def _parsed(self, text: str) -> Observed:
        try:
            return self.parse(text)
        except DeviceError as exc:
            exc.device = self.device
            raise

    def _told(self, session: Session, commands: tuple[str, ...]) -> str:
        return _gathered(self._asked(session, commands))

    @staticmethod
    def _asked(session: Session, commands: tuple[str, ...], *, timeout: timedelta = _READ) -> list[Said]:
        with session.shell(facts.DIALECT) as shell:
            return [shell.ask(command, timeout=timeout) for command in commands]

    def counters(self, session: Session) -> Reading:
        asked = counters.Asked.of(self.options)
        try:
            said = self._asked(session, asked.commands)
            return self.parse_counters(_gathered([*self._log(session, asked.log), *said]))
        except DeviceError as exc:
            exc.device = self.device
            raise

    def _log(self, session: Session, line: str | None) -> list[Said]:
        """Who was denied. A log that is slow or breaks off costs the counts nothing: they are read already."""
        try:
            return [] if line is None else self._asked(session, (line,), timeout=counters.LOG_TIME)
        except DeviceError:
            return [Said(line=counters.LOG_CUT, text="", prompt="")]

    @property
    def _hits(self) -> str:
        return counters.Asked.of(self.options).hits

    def apply(self, session: Session, current: Observed, plan: Plan) -> Receipt:
        self.refuse(current, plan)
        receipt = self._applied(session, current, plan)
        if not self._cuts or current.extra["rematch"]:  # then the device ends them itself, and tells nobody how many
            return receipt
        denied = newly_denied(current, plan, receipt.observed.wall_time)
        done = cut(session, denied, self.options.cut_sessions)
        notes = (*receipt.notes, *([done.note] if done.note else ()))
        return replace(receipt, flows_cut=done.count, notes=notes, commands=receipt.commands + done.commands)

    @property
    def _cuts(self) -> bool:
        """Sessions of other systems than the root one are listed in no form that is on record."""
        return self.options.cut_sessions > 0 and not self.options.space

    def _applied(self, session: Session, current: Observed, plan: Plan) -> Receipt:
        if not self._takes_two(current, plan):
            return self._apply_one(session, current, plan, self._change(current, plan))
        first = self._apply_one(session, current, plan, self._change(current, plan, keep_sets=True))
        between = self.read(session)
        second = self._apply_one(session, between, plan, self._change(between, plan))
        return replace(second, commands=first.commands + second.commands)

    def _apply_one(self, session: Session, current: Observed, plan: Plan, change: Change) -> Receipt:
        return Job(
            session=session,
            look=self.read,
            current=current,
            plan=plan,
            change=change,
            options=self.options,
            device=self.device,
        ).run()

    def refuse(self, current: Observed, plan: Plan) -> None:
        self._refuse_stranger(current, plan)
        self._refuse_state(current)

    def _refuse_stranger(self, current: Observed, plan: Plan) -> None:
        """What of our name is not ours is never touched (I1)."""
        held = Held.loads(current.extra["held"])
        marked = current.mark.owner if current.mark else held.owner()  # a hand may take the mark away alone
        if marked == plan.desired.owner or self.options.adopt or (not marked and held.objects.is_empty):
            return
        owner = f"controller {marked}" if marked else "nobody: they carry no mark"
        raise Refused(
            f"the objects of our name on the device belong to {owner}; nothing was sent",
            hint="find out who made them; `options: {adopt: true}` takes them over",
            device=self.device,
        )

    def _refuse_state(self, current: Observed) -> None:
        if current.extra.get("role") not in ("", "primary"):
            raise Refused(
                f"this node of the cluster is {current.extra['role']}, and takes no changes from us; nothing was sent",
                hint="give the address of the primary node of redundancy group 0, or the cluster's own",
                device=self.device,
            )
        if current.extra.get("pending") == "yes":
            raise Refused(
                "a commit of somebody else waits to be confirmed, and any commit would confirm it; nothing was sent",
                hint="the next sync tries again",
                device=self.device,
            )

    # --- the oracle -------------------------------------------------------------------------------------------------

    @property
    def asks(self) -> bool:
        return bool(self.options.ways) and not self.options.space

    def ask(self, session: Session, questions: Sequence[Question]) -> tuple[Answer, ...]:
        if self.options.space:
            return tuple(unasked(question, oracle.NO_SYSTEM) for question in questions)
        with session.shell(facts.DIALECT) as shell:
            return tuple(self._answer(shell, question) for question in questions)

    def _answer(self, shell: Shell, question: Question) -> Answer:
        way = way_of(self.options.ways, question.source)
        if way is None:
            return unasked(question, NO_WAY)
        found = oracle.answer_from(shell.ask(oracle.question_line(question, way)).text, question)
        if found.is_refused or not oracle.found_none(found):
            return found
        shared = oracle.answer_from(shell.ask(oracle.question_line(question, way, shared=True)).text, question)
        return found if shared.is_refused else shared

    def may_ask(self, session: Session) -> Finding:
        ways = self.options.ways
        return finding(ways, self.ask(session, (tried(ways),)) if ways else ())

    # --- doctor ---------------------------------------------------------------------------------------------------

    def doctor(self, session: Session) -> tuple[Finding, ...]:
        text = self._told(session, (facts.CONFIGURATION, facts.COMMITS, facts.UPTIME, facts.VERSION, self._hits))
        return tuple(self._findings(text))

    @property
    def _limits(self) -> str:
        pulls = self.options.pulls
        pulled = f", {pulls.max_entries:,} of lists that are pulled" if pulls else ""
        return f"{self.options.set_members:,} members of one set, {self.options.max_entries:,} entries of all{pulled}"

    def _findings(self, text: str) -> Iterator[Finding]:
        from vendors.shell import sections

        parts = sections(text)
        version = " ".join(parts[facts.VERSION].split()[:6])
        yield Finding(check="version", ok="Junos" in version, message=version or "not told")
        hits = parts[self._hits]
        yield Finding(
            check="counters",
            ok=not facts.is_refusal(hits),
            message="hit counts can be read" if not facts.is_refusal(hits) else " ".join(hits.split())[:120],
        )
        wanted = {key: parts[key] for key in (facts.CONFIGURATION, facts.COMMITS, facts.BANNER)}
        try:
            observed = self.parse("".join(f"@@ {key}\n{said}" for key, said in wanted.items()) + "@@ end\n")
        except DeviceError as exc:
            yield Finding(check="reading", ok=False, message=str(exc))
            return
        yield Finding(check="reading", ok=True, message="the configuration is understood")
        seen = "sees the whole configuration; whether it may lock and commit shows at the first change"
        yield Finding(check="rights", ok=True, message=seen)
        yield Finding(check="limits", ok=True, message=self._limits)
        could = (note for note in observed.can.notes if note.startswith(WHOLE))
        yield from (Finding(check="delivery", ok=True, message=note.removeprefix(WHOLE).strip()) for note in could)
        owner = f"marked by controller {observed.mark.owner}" if observed.mark else "nothing of ours yet"
        yield Finding(check="owner", ok=observed.mark is not None or not observed.irregular, message=owner)
        notes = [note.partition(": ")[2] for note in observed.can.notes if note.startswith("domains:")]
        yield Finding(check="domains", ok=not notes, message="; ".join(notes) or "the device resolves names itself")
        yield Finding(
            check="cluster",
            ok=observed.extra["role"] in ("", "primary"),
            message=observed.extra["role"] or "a device of its own",
        )
        rollback = not observed.extra["pending"]
        yield Finding(
            check="rollback",
            ok=rollback,
            message="confirmed commits and rollbacks are there" if rollback else "a commit waits to be confirmed",
        )
        rematch = bool(observed.extra["rematch"])
        yield Finding(
            check="open sessions",
            ok=rematch,
            message="changed policies meet open sessions too"
            if rematch
            else f"{'only some' if self._cuts else 'no'} open sessions end at a new deny: "
            "`set security policies policy-rematch` ends them all",
        )
        yield from (Finding(check="our objects", ok=False, message=line) for line in observed.irregular)


def _gathered(answers: Sequence[Said]) -> str:
    """With what stood above the last prompt."""
    banner = Said(line=facts.BANNER, text=answers[-1].prompt.partition("\n")[0].strip() + "\n", prompt="")
    return gathered([*answers, banner])
