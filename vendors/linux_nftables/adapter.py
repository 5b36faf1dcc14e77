"""Linux gateways: one table of our own, changed by one transaction, verified by reading back.

Called by the controller's device work, always under the lock of the device: a listing during another writer's
transaction can be torn. Refuses to take over a table of our name that another controller marked, unless the inventory
says ``adopt``.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from core.ids import DeviceName
from core.net import Network, bare, in_order
from vendors.adapter import Finding, Output, Script, Session
from vendors.diff import diff, mark_of
from vendors.errors import DeviceError, NotPrivileged, NotVerified, Refused, Uncertain, Unreachable
from vendors.linux_nftables import commands, oracle
from vendors.linux_nftables.commands import Shell
from vendors.linux_nftables.counters import reading_from, refuse_counters
from vendors.linux_nftables.dns import render_dns
from vendors.linux_nftables.flows import Judge, newly_denied
from vendors.linux_nftables.options import LinuxNftablesOptions
from vendors.linux_nftables.parse import observed_from, sections_of, shown_digest
from vendors.linux_nftables.render import Change, render_change, render_saved, split_groups
from vendors.model import (
    AddressGroup,
    Capabilities,
    Desired,
    DomainGroup,
    FeedList,
    Observed,
    Plan,
    Reading,
    Receipt,
    Transaction,
)
from vendors.oracle import Answer, Question, refused, tried, way_of

CHECK_ENTRIES_UP_TO: Final = 5_000
"""A check costs as much as a load. Above this many entries only the structure is checked first; the load is atomic."""

_REFUSALS: Final = {
    commands.CHECK_REFUSED: "nft refused the change when checking it",
    commands.LOAD_REFUSED: "nft refused the change when loading it",
    commands.NO_TEMP: "no temporary file could be made on the gateway",
    commands.NOT_SENT: "the change did not arrive whole",
}


@dataclass(frozen=True, slots=True)
class LinuxNftables:
    """The adapter for one gateway."""

    options: LinuxNftablesOptions
    device: DeviceName

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            ipv6=True,
            fqdn=True,
            wildcard_fqdn=True,
            monitor=True,
            schedules=False,
            transaction=Transaction.ATOMIC,
            entry_counters=True,
            source_capture=True,
            session_clearing=True,
            persistence=True,
            feed=False,
            max_members=None,
            max_entries=self.options.max_entries,
        )

    # --- pure -----------------------------------------------------------------------------------------------------

    def parse(self, text: str, known: Mapping[str, Network] | None = None) -> Observed:
        return observed_from(text, self.options, self.capabilities, known)

    def render(self, current: Observed, plan: Plan) -> Script:
        change = self._change(current, plan)
        files = {}
        if self._saves(current):
            files[self.options.ruleset_path] = self._saved(current, plan)
        if self.options.dns_path and current.can.fqdn:
            files[self.options.dns_path] = render_dns(plan.desired.groups)
        return Script(text=change.text, files=files)

    def feeds(self, current: Observed, desired: Desired) -> tuple[FeedList, ...]:
        return ()

    def parse_counters(self, text: str) -> Reading:
        return reading_from(text)

    def _change(self, current: Observed, plan: Plan) -> Change:
        return render_change(current, plan, mark_of(plan.desired), self.options.hooks)

    def _saved(self, current: Observed, plan: Plan) -> str:
        split = split_groups(current, plan.desired.groups)
        return render_saved(plan, mark_of(plan.desired), self.options.hooks, split)

    def _saves(self, current: Observed) -> bool:
        unwritable = any(note.startswith("persistence:") and "cannot be written" in note for note in current.can.notes)
        return self.options.persist and not unwritable

    # --- with a session -------------------------------------------------------------------------------------------

    def read(self, session: Session, known: Mapping[str, Network] | None = None) -> Observed:
        said = session.run(self._shell.read(), timeout=timedelta(seconds=60))
        try:
            return self.parse(said.text, known)
        except DeviceError as exc:
            exc.device = self.device
            raise

    def counters(self, session: Session) -> Reading:
        said = session.run(self._shell.counters(), timeout=timedelta(seconds=60))
        try:
            refuse_counters(said.status, said.errors)
            return self.parse_counters(said.text)
        except DeviceError as exc:
            exc.device = self.device
            raise

    def apply(self, session: Session, current: Observed, plan: Plan) -> Receipt:
        self.refuse(current, plan)
        job = _Job(adapter=self, shell=self._shell, session=session, current=current, plan=plan)
        return job.run()

    def refuse(self, current: Observed, plan: Plan) -> None:
        """What of our name is not ours is never touched, in the kernel or kept for the next boot (I1)."""
        saved = current.extra.get("saved_owner")
        marked = current.mark.owner if current.mark else saved
        if marked == plan.desired.owner:
            return  # a hand took the mark away, but the file that we keep beside it still says whose it is
        if self.options.adopt or not (current.extra.get("table") or saved):
            return
        what = "the table inet tokgate on the gateway" if current.extra.get("table") else self.options.ruleset_path
        owner = f"controller {marked}" if marked else "nobody: it carries no mark"
        raise Refused(
            f"{what} belongs to {owner}; nothing was sent",
            hint="find out who made it; `options: {adopt: true}` takes it over",
            device=self.device,
        )

    @property
    def _shell(self) -> Shell:
        return Shell(self.options)

    # --- the oracle -------------------------------------------------------------------------------------------------

    @property
    def asks(self) -> bool:
        return self.options.forward

    def ask(self, session: Session, questions: Sequence[Question]) -> tuple[Answer, ...]:
        said = session.run(self._shell.whole(), timeout=timedelta(seconds=60))
        try:
            refuse_counters(said.status, said.errors)
            ruleset = oracle.ruleset_from(said.text)
        except DeviceError as exc:
            return tuple(refused(question, exc.message) for question in questions)
        ways = self.options.oracle
        return tuple(oracle.answer_from(ruleset, question, way_of(ways, question.source)) for question in questions)

    def may_ask(self, session: Session) -> Finding:
        [answer] = self.ask(session, [tried(self.options.oracle)])
        good = "every rule of the gateway can be read, and is played through for a connection"
        bad = f"the rules cannot be read: {answer.words}"
        return Finding(check="oracle", ok=not answer.is_refused, message=bad if answer.is_refused else good)

    # --- doctor ---------------------------------------------------------------------------------------------------

    def doctor(self, session: Session) -> tuple[Finding, ...]:
        shell = self._shell
        said = session.run(shell.read(), timeout=timedelta(seconds=60))
        try:
            observed = self.parse(said.text)
            nft = Finding(check="nft", ok=True, message="can be used, and its listing is understood")
        except DeviceError as exc:
            return (Finding(check="nft", ok=False, message=str(exc)),)
        parts = sections_of(said.text)
        version = session.run(f"{shell.start}\n{self.options.nft} --version")
        return (
            Finding(check="version", ok=version.status == 0, message=version.text.strip() or version.errors.strip()),
            nft,
            self._mark_finding(observed),
            self._noted(observed, "persistence", "the rules are back right after a reboot"),
            self._noted(observed, "domains", "dnsmasq feeds names into our sets"),
            Finding(
                check="conntrack",
                ok=parts["conntrack"].value == "yes",
                message="open flows can be ended" if parts["conntrack"].value == "yes" else "conntrack is not there",
            ),
            *(Finding(check="our table", ok=False, message=line) for line in observed.irregular),
            *self._bypasses(session, shell),
        )

    def _mark_finding(self, observed: Observed) -> Finding:
        if observed.mark is None:
            clean = not observed.extra.get("table")
            return Finding(check="owner", ok=clean, message="no table of ours yet" if clean else "a table without mark")
        return Finding(check="owner", ok=True, message=f"marked by controller {observed.mark.owner}")

    @staticmethod
    def _noted(observed: Observed, check: str, good: str) -> Finding:
        notes = [n.partition(": ")[2] for n in observed.can.notes if n.startswith(f"{check}:")]
        return Finding(check=check, ok=not notes, message="; ".join(notes) or good)

    def _bypasses(self, session: Session, shell: Shell) -> Iterator[Finding]:
        """Ways around the forward hook that this gateway has."""
        said = session.run(f"{shell.start}\n{shell.nft} list flowtables 2>/dev/null; ls -d /sys/class/net/*/bridge")
        if "flowtable" in said.text:
            yield Finding(check="bypass", ok=False, message="a flowtable carries offloaded flows past every rule")
        if "/bridge" in said.text:
            yield Finding(check="bypass", ok=False, message="bridged traffic does not pass the forward hook")


@dataclass(slots=True)
class _Job:
    """One change on one gateway, from the first file to the verified read-back."""

    adapter: LinuxNftables
    shell: Shell
    session: Session
    current: Observed
    plan: Plan
    timings: dict[str, timedelta] = field(default_factory=dict)
    commands: int = 0

    def run(self) -> Receipt:
        change = self.adapter._change(self.current, self.plan)
        reading = self._read_counters_first(change)
        dns = self._dns_text()
        restart = self._must_restart(change, dns)
        with self._timed("prepare"):
            moves_dns = self._prepare_dns(dns)
        with self._timed("load"):
            self._load(change, dns=moves_dns, restart=restart)
        with self._unproven():
            if restart:
                with self._timed("dnsmasq"):
                    self._restart_dns(dns)
            with self._timed("read back"):
                observed = self._read_back()
            self._verify(observed)
        with self._timed("settle"):
            observed, cut, notes = self._settle(change, observed)
        return Receipt(
            observed=observed,
            commands=self.commands,
            flows_cut=cut,
            timings=self.timings,
            notes=notes,
            reading=reading,
        )

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.timings[part] = timedelta(seconds=time.monotonic() - began)

    @contextmanager
    def _unproven(self) -> Iterator[None]:
        """The gateway took the change: whatever fails before it is read back, the old state is not what stands."""
        try:
            yield
        except (Uncertain, NotVerified):
            raise
        except DeviceError as exc:
            raise self._uncertain(f"the change was loaded and then not proven: {exc.message}") from exc

    def _run(self, command: str, stdin: str = "", seconds: int = 60) -> Output:
        self.commands += 1
        return self.session.run(command, stdin=stdin, timeout=timedelta(seconds=seconds))

    # --- before ---------------------------------------------------------------------------------------------------

    def _read_counters_first(self, change: Change) -> Reading | None:
        """A set that is filled anew loses its entries' counters: read them while they are there."""
        return self.adapter.counters(self.session) if change.refilled else None

    def _dns_text(self) -> str | None:
        """The dnsmasq file after the change; None when this gateway has no part in names."""
        if self.adapter.options.dns_path is None or not self.current.can.fqdn:
            return None
        has_names = any(isinstance(g, DomainGroup) for g in self.plan.desired.groups)
        if not has_names and self.current.extra.get("has_dns") != "True":
            return None
        return render_dns(self.plan.desired.groups)

    def _must_restart(self, change: Change, dns: str | None) -> bool:
        """Names that dnsmasq remembers feed no set, so new sets need a dnsmasq that remembers nothing."""
        if dns is None:
            return False
        if change.makes_table or any("dnsmasq" in line or "set " in line for line in self.current.irregular):
            return True
        old = [g for g in self.current.groups if isinstance(g, DomainGroup)]
        new = [g for g in self.plan.desired.groups if isinstance(g, DomainGroup)]
        return old != new

    def _prepare_dns(self, dns: str | None) -> bool:
        if dns is None or self.current.extra.get("dns") == shown_digest(dns):
            return False  # a file that is right is not written again, least of all on a full disk
        self._put(self.shell.new_dns, dns, mode=0o644)
        said = self._run(self.shell.check_dns())
        if said.status != 0:
            self._run(self.shell.undo_files())
            raise Refused(
                f"dnsmasq refuses the file that feeds our sets: {said.errors.strip()[:200]}; nothing was changed",
                device=self.adapter.device,
            )
        return True

    def _put(self, path: str, content: str, mode: int = 0o600) -> None:
        self.commands += 1
        self.session.put(path, content, mode=mode)

    # --- the change -----------------------------------------------------------------------------------------------

    def _load(self, change: Change, *, dns: bool, restart: bool) -> None:
        command = self.shell.load(
            check_entries=change.entries <= CHECK_ENTRIES_UP_TO,
            keep=change.is_whole and self.adapter._saves(self.current),
            dns=dns,
            forget_stamp=restart,
        )
        try:
            said = self._run(command, stdin=change.text, seconds=90)
        except Unreachable as exc:
            raise self._uncertain("the session broke while the change was loaded") from exc
        if said.status == 0 and said.text.endswith("@@done\n"):
            return
        errors = said.errors.strip()[:500]
        if said.status in _REFUSALS:
            self._refuse(_REFUSALS[said.status], errors)
        raise self._uncertain(f"loading the change ended with status {said.status}: {errors}")

    def _refuse(self, what: str, errors: str) -> None:
        """The transaction did not happen: the gateway is where it was."""
        self._run(self.shell.undo_files())
        device = self.adapter.device
        if "password is required" in errors or "ermitted" in errors:
            raise NotPrivileged(f"{what}: {errors}", hint="see the sudoers line in the docs", device=device)
        raise Refused(f"{what}, and holds what it held: {errors}", device=device)

    def _uncertain(self, message: str) -> Uncertain:
        return Uncertain(message, hint="the next sync reads the gateway first", device=self.adapter.device)

    def _restart_dns(self, dns: str | None) -> None:
        digest = hashlib.sha256((dns or "").encode()).hexdigest()
        try:
            said = self._run(self.shell.restart_dns(digest))
        except Unreachable as exc:
            raise self._uncertain("the session broke while dnsmasq was restarted") from exc
        if said.status == 0:
            return
        restored = self._restore_dns()
        raise NotVerified(
            f"dnsmasq did not restart: {said.errors.strip()[:200]}; addresses are enforced, names are not; {restored}",
            hint="look at dnsmasq on the gateway; the next sync tries again",
            device=self.adapter.device,
        )

    def _restore_dns(self) -> str:
        """Back to the file that dnsmasq ran with: a resolver that is down is an outage."""
        path = self.adapter.options.dns_path
        if path is None:
            return "it had no file of ours"
        self._put(path, render_dns(g for g in self.current.groups if isinstance(g, DomainGroup)), mode=0o644)
        said = self._run(self.shell.restart_dns("restored"))
        return "it runs again with its old file" if said.status == 0 else "it does not run with its old file either"

    # --- after ----------------------------------------------------------------------------------------------------

    def _read_back(self) -> Observed:
        try:
            self.commands += 1
            return self.adapter.read(self.session, self._known())
        except Unreachable as exc:
            raise self._uncertain("the session broke before the change was read back") from exc

    def _known(self) -> dict[str, Network]:
        groups = (group for group in self.plan.desired.groups if isinstance(group, AddressGroup))
        listed = (zip(*in_order(group.members), strict=True) for group in groups)
        return {bare(text): network for pairs in listed for network, text in pairs}

    def _verify(self, observed: Observed) -> None:
        wrong = self._differences(observed)
        if not wrong:
            return
        undone, how = self._undo(observed)
        said = f"the gateway does not hold what was sent: {wrong[0]}; {how}"
        if not undone:
            raise self._uncertain(said)
        raise NotVerified(
            said,
            hint="somebody else may have written at the same moment; the next sync reads first",
            device=self.adapter.device,
        )

    def _differences(self, observed: Observed) -> tuple[str, ...]:
        wanted = self.plan.desired
        if odd := deviations(observed):
            return odd
        if observed.groups != wanted.groups:
            return ("a list differs",)
        if observed.rules != wanted.rules:
            return ("the rules differ",)
        return () if observed.mark == mark_of(wanted) else ("the mark differs",)

    def _undo(self, observed: Observed) -> tuple[bool, str]:
        """The inverse change, which keeps the base chain too; without a known old state there is nothing to go to."""
        mark = self.current.mark
        if mark is None or deviations(self.current):
            return False, "there was no sound state of ours to go back to"
        before = Desired(groups=self.current.groups, rules=self.current.rules, owner=mark.owner, snapshot=mark.snapshot)
        can = replace(observed.can, max_members=None, max_entries=None)  # it held them all before
        change = self.adapter._change(observed, diff(observed, before, can))
        command = self.shell.load(check_entries=True, keep=False, dns=False, forget_stamp=False)
        said = self._run(command, stdin=change.text, seconds=90)
        done = said.status == 0
        return done, "the old state was restored" if done else "the old state could not be restored"

    def _settle(self, change: Change, observed: Observed) -> tuple[Observed, int | None, tuple[str, ...]]:
        """What follows a verified change and cannot undo it: keep it for the next boot, end what it denies."""
        save, flows = self.adapter._saves(self.current), self.current.can.session_clearing
        if not save and not flows:
            return observed, None, ()
        command = self.shell.settle(
            save=save, sent=change.is_whole, check_entries=change.entries <= CHECK_ENTRIES_UP_TO, flows=flows
        )
        text = self.adapter._saved(self.current, self.plan) if save and not change.is_whole else ""
        try:
            said = self._run(command, stdin=text)
            cut = self._cut_flows(said.text) if flows else None
        except DeviceError as exc:  # out of reach, or an answer too long to take
            return observed, None, (f"the change is verified; what follows it was cut short: {exc.message}",)
        words, saved, _ = said.text.partition("@@saved ")
        if not save or said.text.startswith("@@saved 0\n"):
            return replace(observed, irregular=()), cut, ()
        why = " ".join(words.split())[:200] if saved else "no answer"
        return observed, cut, (f"the rules could not be kept for the next boot: {why}",)

    def _cut_flows(self, text: str) -> int | None:
        """End open flows that the change has just denied."""
        listed, told, status = text.rpartition("@@flows ")
        if not told or status.strip() != "0":
            return None  # our chain ends these flows at their next packet
        before = Judge(self.current.groups, self.current.rules)
        after = Judge(self.plan.desired.groups, self.plan.desired.rules)
        doomed = newly_denied(listed, before, after)
        if not doomed:
            return 0
        said = self._run(self.shell.cut_flows(), stdin="".join(flow.line() for flow in doomed))
        found = said.text.rpartition("@@cut ")[2].strip()
        return int(found) if found.isdigit() else None


def deviations(observed: Observed) -> tuple[str, ...]:
    """What is irregular about the enforcement itself; the file for the next boot is another matter."""
    return tuple(line for line in observed.irregular if not line.startswith("persistence:"))
