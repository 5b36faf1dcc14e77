"""Where proof is gathered: firewalls are asked, probes bring what they tried, and the matrix is shown.

Never changes a device, and never fails a sync: what cannot be asked is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

import structlog

from controller.audit import AuditNote
from controller.desired import Facts, desired_for, held_signature, is_open, signature
from controller.errors import CalendarUnknown, Conflict
from controller.fitting import fitted_as_held
from controller.inventory import Device, Inventory, Site
from controller.model import AccessException, DeviceStatus, ExceptionState, Mode, Outcome
from controller.modes import sets_at
from controller.proof.matrix import aged, owed, unless_moot
from controller.proof.model import By, Proof, ProofCell, ProofState, Proven
from controller.proof.probing import (
    KNOWN_FOR,
    OTHER_POLICY,
    SKEW,
    ProbeReport,
    common,
    is_denied,
    not_tried,
    proofs_of,
    refuse_untimely,
    still_denied,
    targets_of,
)
from controller.proof.sampling import Sample, again, judged, samples
from controller.reach import EVERYWHERE, Reach
from controller.store import Page, ProofQuery, Store
from controller.sync import Worker
from controller.views import Check
from core.clock import Clock
from core.errors import TokgateError
from core.ids import DeviceName, EventId, SiteName, new_id
from ipsets.errors import NoSnapshot
from ipsets.model import Snapshot
from vendors.model import Desired
from vendors.oracle import NO_WAY, Answer, Answered, asking_counts, oracle_of
from vendors.registry import adapter_for

log = structlog.get_logger()

LEAK_AGAIN = timedelta(minutes=10)
"""How soon a firewall that leaks is asked again."""
BURST = timedelta(minutes=1)
"""Changes of a device that come sooner than that after one that had it asked are asked about together."""
KNOWN = 4
"""So much of what answered somebody at the site is tried each time: silence of others proves nothing."""
LOOKED_BACK = 500
"""So many answers of one device or host, the newest, say what leaked there."""
NO_ORACLE = "the firewall answers no such questions; run `tokgate probe` at the site"
NOTHING_HELD = "nothing was pushed there yet"
NOTHING_DENIED = "nothing is to be blocked there now"
NO_PROOF = "proves nothing"
BEHIND = "it passes, and the device is not in the state that it should be in yet: sync first"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofDesk:
    """One for a controller. Safe to use from any number of threads."""

    store: Store
    inventory: Inventory
    clock: Clock
    worker: Worker
    life: timedelta
    reach: Reach = EVERYWHERE
    tried: dict[DeviceName, datetime] = field(default_factory=dict)  # when this process last queued each
    changed: set[DeviceName] = field(default_factory=set)  # were changed again too soon after that

    def within(self, reach: Reach, inventory: Inventory) -> ProofDesk:
        """The same desk for somebody whose access ends there."""
        return replace(self, reach=reach, inventory=inventory)

    # --- asking firewalls -----------------------------------------------------------------------------------------

    def prove(self, device: Device) -> Proven:
        """Ask one firewall about a few connections, and keep what it says.

        Raises ``DeviceError`` when it cannot be asked, ``StoreError`` when nothing was kept.
        """
        round_id, now = new_id(), self.clock.now()
        wanted = self._wanted(device, now, round_id)
        if isinstance(wanted, str):
            return Proven(site=device.site, origin=device.name, proofs=(), why=wanted, device=device.name)
        with self.worker.session(device, None) as (adapter, session):
            oracle, before = oracle_of(adapter), None
            if asking_counts(adapter):
                before = self.worker.counted(device, adapter, session)
            answers = () if oracle is None else oracle.ask(session, [sample.question for sample in wanted])
            if before is not None:
                met = [sample for sample, answer in zip(wanted, answers, strict=True) if answer.said is Answered.OURS]
                own = [(sample.role, sample.question.source, sample.question.destination) for sample in met]
                self.worker.leave_out(device, before, adapter.counters(session), own)
        behind = self._is_behind(device)
        found = tuple(
            self._proof(device, round_id, sample, answer, behind=behind)
            for sample, answer in zip(wanted, answers, strict=True)
            if not answer.is_unasked
        )
        self.store.record_proofs(round_id, found)
        self._tell(found)
        why = "" if found else answers[0].words
        return Proven(site=device.site, origin=device.name, proofs=found, why=why, device=device.name)

    def _wanted(self, device: Device, now: datetime, seed: str) -> tuple[Sample, ...] | str:
        """What to ask, or why nothing. Of the list that the device was last read back holding."""
        adapter = adapter_for(device.vendor, device.options, device.name)
        oracle = oracle_of(adapter)
        if oracle is None or not oracle.asks:
            return NO_ORACLE if oracle is None else NO_WAY
        status = self.store.status(device.name)
        held = self._held(status)
        if held is None:
            return NOTHING_HELD
        desired = self._desired(device, status, held, now)
        leaked = (proof for proof in self._owed(device.site, By.ORACLE) if proof.origin == device.name)
        found = [*again(desired, leaked), *samples(desired, seed=seed)]
        return tuple({(sample.role, sample.question): sample for sample in found}.values()) or NOTHING_DENIED

    def _desired(self, device: Device, status: DeviceStatus | None, held: Snapshot, at: datetime) -> Desired:
        """What it should hold of that list; what it was left without for want of room is told by the coverage, and is
        no leak."""
        facts = self._facts(device, held, at)
        can = adapter_for(device.vendor, device.options, device.name).capabilities
        desired = desired_for(facts, device, at, spares=can.spare)
        return fitted_as_held(desired, facts, () if status is None else status.parts).desired

    def _owed(self, site: SiteName, by: By) -> tuple[Proof, ...]:
        """What leaked there last and was not found blocked since: it is tried again, or the leak is not over."""
        cells = [cell for cell in self.store.proof_cells([site]) if cell.by is by and cell.leak is not None]
        found = list[Proof]()
        for origin in sorted({cell.origin for cell in cells}):
            own = [cell for cell in cells if cell.origin == origin]
            query = ProofQuery(site=site, origin=origin, since=min(cell.since for cell in own), limit=LOOKED_BACK)
            found += owed(own, self.store.proofs(query).items)
        return tuple(found)

    def _held(self, status: DeviceStatus | None) -> Snapshot | None:
        if status is None or status.snapshot is None:
            return None
        try:
            return self.store.snapshot(status.snapshot)
        except NoSnapshot:  # older than the retention
            return self.store.current_snapshot()

    def _facts(self, device: Device, snapshot: Snapshot, at: datetime) -> Facts:
        return self.worker.facts_of(self.inventory.site(device.site), snapshot, at)

    def _is_behind(self, device: Device) -> bool:
        """Whether the device has yet to be brought to what is asked of its list now; not where that was tried and
        failed. A newer list does not matter: what it adds is not asked about."""
        status, now = self.store.status(device.name), self.clock.now()
        if status is not None and status.error_code is not None:
            return False
        held = self._held(status)
        return held is None or held_signature(status) != signature(self._facts(device, held, now), now)

    def _proof(self, device: Device, round_id: str, sample: Sample, answer: Answer, *, behind: bool) -> Proof:
        state = judged(sample.expected, answer.said)
        unsettled = behind and state is ProofState.LEAKING
        words = f"{NO_PROOF}: {answer.words}" if answer.said is Answered.UNKNOWN else answer.words
        return Proof(
            id=EventId(new_id()),
            round=round_id,
            site=device.site,
            origin=device.name,
            by=By.ORACLE,
            path=sample.path,
            role=sample.role,
            exception=sample.exception,
            source=sample.question.source,
            target=str(sample.question.destination),
            expected=sample.expected,
            said=answer.said,
            state=ProofState.UNKNOWN if unsettled else state,
            rule=answer.rule,
            words=BEHIND if unsettled else words,
            at=self.clock.now(),
        )

    def prove_quietly(self, device: DeviceName) -> Proven | None:
        """As ``prove``, of a job that nobody waits for: what cannot be asked is logged, and stays unknown."""
        try:
            return self.prove(self.inventory.device(device))
        except TokgateError as exc:
            log.warning("proof.not_asked", device=device, code=exc.code, error=str(exc))
            return None

    def due(self, interval: timedelta) -> tuple[DeviceName, ...]:
        """The devices that may be asked, and for so long neither were nor should have been."""
        now, last = self.clock.now(), self.store.last_proofs()
        found = [
            device.name
            for device in self._devices()
            if self.may_be_asked(device)
            and (
                self._is_settled(device.name, now)
                or all(not _lately(at, now, interval) for at in (last.get(device.name), self.tried.get(device.name)))
            )
        ]
        self.changed.difference_update(found)
        self.tried.update(dict.fromkeys(found, now))
        return tuple(found)

    def is_due_after(self, device: Device, outcome: Outcome, interval: timedelta) -> bool:
        """Whether a sync that came to this has the device asked now: after a change, else when it was not lately.

        A device that is changed many times in a minute is asked at the first and, by ``due``, after the last.
        """
        if outcome not in (Outcome.APPLIED, Outcome.UNCHANGED) or not self.may_be_asked(device):
            return False
        now = self.clock.now()
        if outcome is Outcome.UNCHANGED and self._was_asked(device, now, interval):
            return False
        if outcome is Outcome.APPLIED and _lately(self.tried.get(device.name), now, BURST):
            self.changed.add(device.name)
            return False
        self.tried[device.name] = now
        return True

    def _is_settled(self, device: DeviceName, now: datetime) -> bool:
        """Whether its changes that were not asked about are over."""
        return device in self.changed and not _lately(self.tried.get(device), now, BURST)

    def _was_asked(self, device: Device, now: datetime, interval: timedelta) -> bool:
        """A firewall that leaks is asked again sooner: a leak that is mended is over at once."""
        if _lately(self.tried.get(device.name), now, min(interval, LEAK_AGAIN)):
            return True
        own = [c for c in self.store.proof_cells([device.site]) if c.by is By.ORACLE and c.origin == device.name]
        if any(cell.leak is not None for cell in own):
            return any(_lately(cell.at, now, min(interval, LEAK_AGAIN)) for cell in own)
        asked = [self.tried.get(device.name), *(cell.at for cell in own)]
        return any(_lately(at, now, interval) for at in asked)

    @staticmethod
    def may_be_asked(device: Device) -> bool:
        oracle = oracle_of(adapter_for(device.vendor, device.options, device.name))
        return oracle is not None and oracle.asks

    def _devices(self) -> Iterable[Device]:
        return (device for site in self.inventory.sites.values() for device in site.devices.values())

    @staticmethod
    def _tell(found: Sequence[Proof]) -> None:
        for proof in found:
            if proof.state is ProofState.LEAKING:
                log.warning(
                    "proof.leak",
                    site=proof.site,
                    origin=proof.origin,
                    path=proof.path.value,
                    source=str(proof.source),
                    target=proof.target,
                    rule=proof.rule,
                )

    # --- what probes bring ----------------------------------------------------------------------------------------

    def targets(self, site: str) -> tuple[str, ...]:
        """A few addresses and names that are to be blocked at the site now; other ones as time goes on, and again what
        leaked there.

        Raises ``NotFound``; ``NoSnapshot`` before the first resolve.
        """
        now = self.clock.now()
        desired = self._desired_at(site, now)
        if desired is None:
            return ()
        hour = int(now.timestamp()) // 3600
        name = self.inventory.site(site).name
        leaked = still_denied(desired, self._owed(name, By.PROBE))
        drawn = targets_of(desired, draw={"networks": hour, "names": hour})
        answering = dict.fromkeys(target for _, target in self.store.answering(name, now - KNOWN_FOR))
        known = islice((one for one in answering if is_denied(desired, one)), KNOWN)
        return tuple(dict.fromkeys((*(proof.target for proof in leaked), *known, *drawn)))

    def take(self, report: ProbeReport, *, audit: AuditNote | None = None) -> tuple[Proof, ...]:
        """Judge and keep what a probe tried.

        Raises ``NotFound`` for no such site, ``Invalid`` for a time that cannot be, ``Conflict``: it was taken before.
        """
        now = self.clock.now()
        refuse_untimely(report, now, self.life)
        report = replace(report, began=min(report.began, now), ended=min(report.ended, now))
        desired = self._desired_at(report.site, report.ended)
        found = () if desired is None else self._judged(report, desired, now)
        if not self.store.record_proofs(f"{report.site}/{report.round}", found, audit=audit):
            raise Conflict(
                "this result was taken before; nothing was changed", hint="run the probe again for a new one"
            )
        self._tell(found)
        return found

    def _judged(self, report: ProbeReport, desired: Desired, now: datetime) -> tuple[Proof, ...]:
        around = [self._desired_at(report.site, at) for at in (report.began - SKEW, min(report.ended + SKEW, now))]
        unsettled = ""
        if any(other is None or other.rules != desired.rules for other in around):
            unsettled = OTHER_POLICY
        elif any(map(self._is_behind, self.inventory.site(report.site).devices.values())):
            unsettled = BEHIND
        answering = self.store.answering(report.site, now - KNOWN_FOR)
        found = proofs_of(report, desired, unsettled=unsettled, answering=set(answering))
        leaked = (proof for proof in self._owed(report.site, By.PROBE) if proof.origin == report.host)
        return (*found, *not_tried(report, found, still_denied(desired, leaked)))

    def _desired_at(self, site: str, at: datetime) -> Desired | None:
        """What the site should block at that moment, of what all its devices were left with; None where it has none."""
        found = list[Desired]()
        for device in self.inventory.site(site).devices.values():
            status = self.store.status(device.name)
            held = self._held(status)
            found.append(self._desired(device, status, self.worker.snapshot() if held is None else held, at))
        return common(found) if found else None

    # --- looking --------------------------------------------------------------------------------------------------

    def matrix(self, site: str | None = None) -> tuple[ProofCell, ...]:
        """What is proven now, old proof as unknown, as is what leaked and nobody wants blocked now; of what the
        inventory has, and of exceptions that let somebody pass now. Raises ``NotFound`` for no such site."""
        sites = self.reach.sites if site is None else [self.inventory.site(site).name]
        now, known = self.clock.now(), {device.name for device in self._devices()}
        cells = self.store.proof_cells(sites)
        excepted = {cell.site for cell in cells if cell.exception is not None}
        live = self.store.exceptions(state=ExceptionState.APPROVED, sites=excepted, live_at=now) if excepted else ()
        exceptions = {exception.id: exception for exception in live}
        found = [
            aged(cell, now, self.life)
            for cell in cells
            if (cell.by is By.PROBE or cell.origin in known)
            and (cell.exception is None or self._is_open(cell, exceptions.get(cell.exception), now))
        ]
        leaking = {cell.site for cell in found if cell.state is ProofState.LEAKING}
        denied = {site.name: self._denied(site, now) for site in self.inventory.sites.values() if site.name in leaking}
        return tuple(unless_moot(cell, denied.get(cell.site)) for cell in found)

    def _is_open(self, cell: ProofCell, exception: AccessException | None, at: datetime) -> bool:
        """Whether it lets anybody pass at the field's site then."""
        site = self.inventory.sites.get(cell.site)
        return exception is not None and site is not None and is_open(exception, site, at)

    def _denied(self, site: Site, at: datetime) -> frozenset[str] | None:
        """The roles of which something is to be blocked at that moment; None: nobody knows."""
        try:
            holidays = self.worker.holidays(site)
        except CalendarUnknown:
            return None
        sets = sets_at(site, self.worker.emergencies.policy_of(site, at), at, holidays=holidays)
        return frozenset(role for role, modes in sets.items() if Mode.ENFORCE in modes.values())

    def results(self, query: ProofQuery) -> Page[Proof]:
        """The single answers, the newest first."""
        return self.store.proofs(replace(query, sites=self.reach.sites))

    def result_count(self, query: ProofQuery, *, most: int) -> int:
        return self.store.proof_count(replace(query, sites=self.reach.sites), most=most)

    def checks(self) -> Iterator[Check]:
        """A leak is the fleet's trouble: it makes nobody less ready."""
        try:
            sites = len({cell.site for cell in self.leaks()})
        except TokgateError as exc:
            yield Check(name="proof", ok=False, message=str(exc))
            return
        leaking = "1 site leaks" if sites == 1 else f"{sites} sites leak"  # who asks may not know every site
        yield Check(name="proof", ok=not sites, message=leaking if sites else "no leak is known")

    def leaks(self) -> tuple[ProofCell, ...]:
        return tuple(cell for cell in self.matrix() if cell.state is ProofState.LEAKING)


def _lately(at: datetime | None, now: datetime, interval: timedelta) -> bool:
    """A time that lies ahead means the clock was set back."""
    return at is not None and timedelta() <= now - at < interval
