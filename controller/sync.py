"""One device, one job: read, decide, diff, guard, apply, read back, record. The outline every trigger shares.

Called by the engine's handlers and by the facade for plans and drift. Every outcome becomes a record; only a store that
cannot be written stops a job, and then before anything is sent to the device (I2, I14).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, TextIO, TypeAlias
from zoneinfo import ZoneInfo

import structlog

from controller.desired import (
    Facts,
    desired_for,
    excepted,
    own_week,
    role_sources,
    rule_name,
    state_of,
    subject_of,
    week_note,
)
from controller.detect import DetectContext, detect, gone_back, on_our_clock, without
from controller.emergencies import EmergencyDesk
from controller.errors import ChangeFrozen, Ending, NotFound, PlanStale, StoreError
from controller.evidence.model import Quarantine, Rejected
from controller.feeding import content_of
from controller.fitting import Fitted, fitted_for, whole_notes
from controller.freezing import Frozen, frozen_at, goes_on
from controller.inventory import Device, Inventory, Site
from controller.inventory.changes import Hold
from controller.locks import DeviceLocks
from controller.model import (
    CoverageState,
    DetectionEvent,
    DeviceRun,
    DeviceStatus,
    Emergency,
    ExceptionState,
    HeldPart,
    Observation,
    Outcome,
    StoredPlan,
)
from controller.modes import marks_of, set_words, sets_at
from controller.planning import WITHDRAWN, Limits, in_part, plan_device, refuse_stale
from controller.sharing import shared
from controller.store import Store
from controller.windows import next_edge
from controller.withdrawing import networks_of
from core.clock import Clock
from core.errors import TokgateError
from core.faults import crash_point
from core.ids import EventId, ExceptionId, RunId, SiteName, new_id
from core.net import Address, Network, aggregate
from ipsets.catalogue import shared_cdn_ranges
from ipsets.errors import GuardTripped, NoSnapshot
from ipsets.guard import default_never_block
from ipsets.model import Indicator, Snapshot
from ipsets.offlimits import ALWAYS, PUBLISHED, off_limits
from ipsets.sources import ManualConfig, build_source
from vendors.adapter import Adapter, Session
from vendors.codec import describe, describe_shortened, desired_digest
from vendors.errors import (
    AnotherDevice,
    CapacityExceeded,
    DeviceError,
    NotPrivileged,
    NotVerified,
    Refused,
    Uncertain,
    Unreachable,
)
from vendors.model import Action, Degraded, Desired, Observed, Plan, Reading, Receipt, RuleName, Shortened
from vendors.registry import adapter_for
from vendors.session import SessionLimiter, SshSession, connect

log = structlog.get_logger()

_HELD: Final = (GuardTripped, CapacityExceeded, PlanStale, ChangeFrozen)
ANSWERS: Final = timedelta(hours=6)
"""So lately another device was read, if it still answers for itself."""
FREEZE_HINT: Final = "it goes out when the freeze ends; `tokgate apply --override-freeze --reason …` does not wait"
Work: TypeAlias = "Callable[[Adapter, Session, Record], DeviceRun]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a reading found, and what it should have found at ``at``."""

    at: datetime
    observed: Observed
    facts: Facts
    desired: Desired  # as far as the device has room for it
    found: CoverageState
    cause: str
    shortened: tuple[Shortened, ...] = ()  # what it has no room for
    said: tuple[Degraded, ...] = ()  # what else a person should know of ``desired``
    withdrawn: tuple[Emergency, ...] = ()  # what people took off the list

    @property
    def is_ours(self) -> bool:
        """Whether the device held, to the entry, what we left there."""
        return self.observed.mark is not None and self.found is not CoverageState.NOT_ENFORCED


def no_holidays(_site: Site) -> frozenset[date]:
    """Where no policy asks for any."""
    return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Everything device work needs; a value, so that any number of threads share it."""

    store: Store
    inventory: Inventory
    clock: Clock
    locks: DeviceLocks
    limiter: SessionLimiter
    limits: Limits
    transcripts: Path
    freshness: timedelta  # how long one look at a device proves what follows it
    emergencies: EmergencyDesk
    holidays: Callable[[Site], frozenset[date]] = no_holidays  # raises ``CalendarUnknown``
    ending: threading.Event = field(default_factory=threading.Event)  # no device is begun any more

    # --- reading --------------------------------------------------------------------------------------------------

    def facts(self, device: Device) -> Facts:
        """What decides this device's desired state. Raises ``NoSnapshot`` before the first resolve."""
        return self.facts_of(self.inventory.site(device.site), self.snapshot())

    def facts_of(self, site: Site, snapshot: Snapshot, at: datetime | None = None) -> Facts:
        """What decides the desired state of a site's devices under that snapshot, by the switches of ``at``."""
        allowed = off_limits((*snapshot.indicators, *self._decided()), categories=ALWAYS)
        published = off_limits(snapshot.indicators, categories={PUBLISHED})
        never = (n for block in (*default_never_block(), *allowed) for n in block.networks)
        return Facts(
            site=site,
            policy=self.emergencies.policy_of(site, at),
            snapshot=snapshot,
            exceptions=tuple(self.store.exceptions(state=ExceptionState.APPROVED, sites=[site.name])),
            never_block=aggregate(
                (*never, *self.inventory.intelligence.guard.never_block, *networks_of(self.emergencies.withdrawn()))
            ),
            shared_cdn=aggregate((*shared_cdn_ranges(), *(n for block in published for n in block.networks))),
            owner=self.store.instance_id(),
            holidays=self.holidays(site),
            surfaces=self.inventory.surfaces,
        )

    def _decided(self) -> Iterator[Indicator]:
        """The inventory's decisions as they are now: an allow holds before the next refresh, and while a pin lasts."""
        for config in self.inventory.sources:
            if isinstance(config, ManualConfig):
                yield from build_source(config).fetch(self.clock.now()).indicators

    def snapshot(self) -> Snapshot:
        snapshot = self.store.current_snapshot()
        if snapshot is None:
            raise NoSnapshot("no intelligence yet: nothing is planned or pushed", hint="run `tokgate intel refresh`")
        return snapshot

    @contextmanager
    def session(self, device: Device, run: RunId | None) -> Iterator[tuple[Adapter, SshSession]]:
        """A login to the device, alone with it: under its lock over all threads and processes (I8)."""
        adapter = adapter_for(device.vendor, device.options, device.name)
        with (
            self.locks.hold(device.name),
            self._transcript(device, run) as transcript,
            connect(device.endpoint(), clock=self.clock, transcript=transcript, limiter=self.limiter) as session,
        ):
            yield adapter, session

    @contextmanager
    def _transcript(self, device: Device, run: RunId | None) -> Iterator[TextIO | None]:
        if run is None:
            yield None
            return
        folder = self.transcripts / run
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            stream = (folder / f"{device.name}.log").open("a", encoding="utf-8")
        except OSError as exc:
            raise StoreError(f"the transcript cannot be written: {exc}", hint=f"free or repair {folder}") from exc
        with stream:
            yield stream

    def frozen(self, site: Site) -> Frozen | None:
        """What holds changes back at the site now; no freeze holds an emergency. Raises ``CalendarUnknown``."""
        if (paused := self.emergencies.paused(site.name)) is not None:
            return paused
        if self.emergencies.passes_freeze(site.name):
            return None
        said = self.inventory.changes_of(site)
        if not said:
            return None
        return frozen_at(said, ZoneInfo(site.time_zone), self.clock.now(), holidays=self.holidays(site))

    def _held_back(self, device: Device, facts: Facts) -> Facts:
        """The same with the list that the device holds: what goes on in a freeze. Raises ``ChangeFrozen``."""
        status = self.store.status(device.name)
        if status is None or status.snapshot is None or status.snapshot == facts.snapshot.id:
            return facts
        try:
            held = self.store.snapshot(status.snapshot)
        except NoSnapshot as exc:
            raise ChangeFrozen("frozen, and the list that it holds is not kept any more", device=device.name) from exc
        if set(facts.policy.services) - {service.service for service in held.services}:
            raise ChangeFrozen("frozen, and the list that it holds has not every service", device=device.name)
        return replace(facts, snapshot=held)

    def look(self, device: Device, adapter: Adapter, session: Session, *, frozen: Frozen | None = None) -> Look:
        """Read the device and say what it should hold now, in a freeze with the list that it has."""
        facts = self.facts(device)
        if frozen is not None and frozen.hold is Hold.CHANGES:
            facts = self._held_back(device, facts)
        at = self.clock.now()
        observed = adapter.read(session)
        why = own_week(facts, device, observed, began=at, ended=self.clock.now())
        desired = desired_for(facts, device, at, spares=observed.can.spare, keeps_week=why == "")
        fitted = fitted_for(desired, facts, device, observed.can)
        part = self._held_in_part(device, fitted)
        local = wall_clock(facts, at)
        found, cause = found_state(observed, fitted.desired, local=local, in_part=part)
        withdrawn = self.emergencies.withdrawn()
        if found in (CoverageState.OFF, CoverageState.MONITORED):
            cause = cause or self.emergencies.why_mild(facts.site.name) or self._held_in_part(device, fitted, WITHDRAWN)
        return Look(
            at=at,
            observed=observed,
            facts=facts,
            desired=fitted.desired,
            shortened=fitted.shortened,
            found=found,
            cause=cause,
            said=(
                *((week_note(why),) if why else ()),
                *whole_notes(fitted, observed.can),
                *_emptied_notes(facts, withdrawn),
            ),
            withdrawn=withdrawn,
        )

    def _held_in_part(self, device: Device, fitted: Fitted, *capabilities: str) -> str:
        """What was missing of the lists that we last left there; what is missing now when nobody knows that."""
        status = self.store.status(device.name)
        if status is not None and status.enforced_at is not None:
            return in_part(status.degraded, *capabilities)
        return "; ".join(describe_shortened(short) for short in fitted.shortened)

    # --- the jobs -------------------------------------------------------------------------------------------------

    def sync(self, device: Device, run: RunId, *, force: bool = False, override_freeze: bool = False) -> DeviceRun:
        """Bring the device to what it should hold now, as far as no freeze holds it back."""
        return self._run(device, run, lambda *way: self._sync(*way, force=force, override_freeze=override_freeze))

    def apply(self, device: Device, run: RunId, stored: StoredPlan, *, override_freeze: bool = False) -> DeviceRun:
        """Apply exactly the plan that was read, or ``PlanStale``, or ``ChangeFrozen``."""
        return self._run(device, run, lambda *way: self._apply(*way, stored=stored, override_freeze=override_freeze))

    def collect(self, device: Device) -> tuple[DetectionEvent, ...]:
        """Poll the counters and record what they prove. Raises ``DeviceError`` (recorded as a failed look)."""
        try:
            with self.session(device, None) as (adapter, session):
                reading = adapter.counters(session)
                if adapter.capabilities.names_itself:
                    self._refuse_another(device, reading)
                return self._count(device, reading, self.facts(device), created_at=None)
        except DeviceError as exc:
            self._failed_look(device, exc)
            raise

    def counted(self, device: Device, adapter: Adapter, session: Session) -> Reading:
        """The counters now, and recorded what they prove. Raises ``DeviceError``."""
        reading = adapter.counters(session)
        if adapter.capabilities.names_itself:
            self._refuse_another(device, reading)
        self._count(device, reading, self.facts(device), created_at=None)
        return reading

    def leave_out(
        self, device: Device, before: Reading, after: Reading, asked: Iterable[tuple[str, Address, Address]]
    ) -> None:
        """Count as nobody's what was asked of a device that counts questions: of which role, from where to where."""
        rules = {role: rule.rule for rule in after.rules if (role := subject_of(rule.rule)[0])}
        own = [(rules[role], source, target) for role, source, target in asked if role in rules]
        now = self.clock.now()
        baseline = without(on_our_clock(before, now), on_our_clock(after, now), own)
        if baseline is not None:
            self.store.record_events(device.name, baseline, ())

    def _refuse_another(self, device: Device, reading: Reading) -> None:
        """Raises ``AnotherDevice``; the reading is set aside, and what it counts is nobody's."""
        other = self.store.counted_as(device.name, reading.epoch, self.clock.now() - ANSWERS)
        if other is None or other not in self.inventory.by_name:
            return
        told = AnotherDevice(
            f"{other} answered: the counters are of {reading.epoch[:80]!r}; nothing was counted",
            hint="look at the addresses and host keys of both",
            device=device.name,
        )
        self._set_aside(device, Quarantine.IMPOSTOR, f"epoch {reading.epoch[:80]}", told.message)
        raise told

    def _set_aside(self, device: Device, why: Quarantine, text: str, detail: str) -> None:
        origin = f"counters {device.name}"
        self.store.set_aside([Rejected(why=why, origin=origin, site=device.site, text=text, detail=detail)])

    def _run(self, device: Device, run: RunId, work: Work) -> DeviceRun:
        record = Record(self, device, run, self.clock.now())
        if self.ending.is_set():
            return record.not_begun()
        record.write(Outcome.RUNNING)
        crash_point("sync.started")
        for attempt in (1, 2):
            record.look = None  # what an earlier attempt saw is out of date
            try:
                with self.session(device, run) as (adapter, session):
                    return work(adapter, session, record)
            except Uncertain as exc:
                log.warning("sync.uncertain", device=device.name, attempt=attempt, error=str(exc))
                failure: TokgateError = exc  # a time-out is not a failure: read before trying again (I5)
            except StoreError:
                raise
            except TokgateError as exc:
                if attempt == 1 or record.look is not None:  # else the first attempt's change stays uncertain
                    failure = exc
                break
            except Exception as exc:  # the top of a job: a fault of ours is an outcome too, and nothing is proven
                log.exception("sync.broken", device=device.name, error=str(exc))
                failure = Uncertain(f"an unexpected fault: {type(exc).__name__}: {exc}", hint="please report it")
                break
        return record.failed(failure)

    def _sync(
        self, adapter: Adapter, session: Session, record: Record, *, force: bool, override_freeze: bool
    ) -> DeviceRun:
        frozen = None if override_freeze else self.frozen(self.inventory.site(record.device.site))
        look = record.look = self.look(record.device, adapter, session, frozen=frozen)
        plan = plan_device(
            look.observed,
            look.desired,
            limits=self.limits,
            device=record.device.name,
            forced=force,
            shortened=look.shortened,
            said=look.said,
            withdrawn=networks_of(look.withdrawn),
        )
        record.intend(plan)
        if frozen is not None:
            self._refuse_frozen(record.device, look, plan, frozen)
        return self._carry_out(adapter, session, record, look, plan)

    def _refuse_frozen(self, device: Device, look: Look, plan: Plan, frozen: Frozen) -> None:
        """Raises ``ChangeFrozen`` where something waits. Asked once: what has begun ends, whatever the clock says."""
        waits = f", and snapshot {new.id[:12]} waits" if (new := self.snapshot()).id != look.facts.snapshot.id else ""
        if plan.is_empty and not waits:
            return
        status = self.store.status(device.name)
        if not plan.is_empty and goes_on(frozen, status, look.facts, at=look.at, altered=not look.is_ours):
            return
        raise ChangeFrozen(f"{frozen}{waits}; nothing was sent", hint=FREEZE_HINT, device=device.name)

    def _apply(
        self, adapter: Adapter, session: Session, record: Record, *, stored: StoredPlan, override_freeze: bool
    ) -> DeviceRun:
        frozen = None if override_freeze else self.frozen(self.inventory.site(record.device.site))
        if frozen is not None:
            raise ChangeFrozen(f"{frozen}; nothing was sent", hint=FREEZE_HINT, device=record.device.name)
        look = record.look = self.look(record.device, adapter, session)
        plan = refuse_stale(stored, look.observed, look.desired, look.shortened, look.said)
        record.intend(plan)
        return self._carry_out(adapter, session, record, look, plan)

    def _carry_out(self, adapter: Adapter, session: Session, record: Record, look: Look, plan: Plan) -> DeviceRun:
        if plan.is_empty:
            self._publish(adapter, record, look, plan)  # what is served may be damaged, or of a cut change
            self.store.settle_feeds(record.device.name)
            return record.done(Outcome.UNCHANGED, plan, None)
        began = self.clock.now()
        known = look.observed.mark is not None
        if known:  # rules that go take their counters with them: read those first, so that no hit is lost
            self._count_if_told(record.device, adapter, session, look.facts, created_at=None)
        else:
            self._start_at_zero(record.device, look.observed, began)
        crash_point("sync.before-apply")
        self.locks.refuse_lost(record.device.name)
        self._publish(adapter, record, look, plan)
        crash_point("sync.published")
        receipt = self._change(adapter, session, record, look, plan)
        crash_point("sync.applied")
        self.store.settle_feeds(record.device.name)
        if not known:
            self._count_if_told(record.device, adapter, session, look.facts, created_at=began)
        elif receipt.reading is not None:
            self._count(record.device, receipt.reading, look.facts, created_at=None)
        result = record.done(Outcome.APPLIED, plan, receipt)
        crash_point("sync.recorded")
        return result

    def _publish(self, adapter: Adapter, record: Record, look: Look, plan: Plan) -> None:
        """Serve what the plan holds, to a device that pulls. Raises ``FeedUnfit``, ``StoreError``: nothing was sent."""
        device = record.device.name
        contents = [content_of(feed, device) for feed in adapter.feeds(look.observed, plan.desired)]
        changed = self.store.publish_feeds(device, contents, run=record.run, at=self.clock.now())
        if changed:
            log.info("feed.published", device=device, lists=changed)

    def _withdraw(self, device: Device) -> None:
        """Serve again what the device still holds. What the device answered is told, also when this fails."""
        try:
            changed = self.store.withdraw_feeds(device.name, at=self.clock.now())
        except StoreError as exc:
            log.warning("feed.not_withdrawn", device=device.name, error=str(exc))
            return
        if changed:
            log.warning("feed.withdrawn", device=device.name, lists=changed)

    def _change(self, adapter: Adapter, session: Session, record: Record, look: Look, plan: Plan) -> Receipt:
        """Send it. Whatever does not say in which state the device is leaves an unknown one: read first (I5, I13)."""
        try:
            return adapter.apply(session, look.observed, plan)
        except (Refused, NotPrivileged, CapacityExceeded):
            self._withdraw(record.device)
            raise
        except (NotVerified, Uncertain):
            raise
        except DeviceError as exc:
            raise Uncertain(
                f"the change was begun and how it ended is not known: {exc.message}",
                hint=exc.hint or "the next sync reads the device first",
                device=exc.device,
            ) from exc

    # --- detection ------------------------------------------------------------------------------------------------

    def _count_if_told(
        self, device: Device, adapter: Adapter, session: Session, facts: Facts, *, created_at: datetime | None
    ) -> None:
        """Counters that cannot be read keep nothing from being enforced or taken off; the next poll asks again.

        Raises ``Unreachable`` before a change: then there is nobody to send it to. After it, that changes nothing.
        """
        try:
            reading = adapter.counters(session)
        except DeviceError as exc:
            if isinstance(exc, Unreachable) and created_at is None:
                raise
            log.warning("sync.not_counted", device=device.name, code=exc.code, error=str(exc))
            return
        self._count(device, reading, facts, created_at=created_at)

    def _start_at_zero(self, device: Device, observed: Observed, at: datetime) -> None:
        """A first baseline where nothing of ours counts yet, so that what comes before the first poll is not lost."""
        if not observed.rules and self.store.last_reading(device.name) is None:
            self.store.record_events(device.name, Reading(epoch="", read_at=at, rules=()), ())

    def _count(
        self, device: Device, reading: Reading, facts: Facts, *, created_at: datetime | None
    ) -> tuple[DetectionEvent, ...]:
        reading = on_our_clock(reading, self.clock.now())
        snapshot = facts.snapshot if created_at is not None else self._counted_under(device, facts)
        context = DetectContext(
            site=device.site,
            device=device.name,
            roles={rule.rule: role for rule in reading.rules if (role := subject_of(rule.rule)[0])},
            exceptions={rule.rule: ExceptionId(e) for rule in reading.rules if (e := subject_of(rule.rule)[1])},
            sources=self._rule_sources(facts, reading),
            is_of=shared(facts.policy, snapshot, (rule.rule for rule in reading.rules)),
            snapshot=snapshot.id,
            members=entries_of(reading, snapshot),
            created_at=created_at,
        )
        before = self.store.last_reading(device.name)
        events = detect(before, reading, context=context, new_id=lambda: EventId(new_id()))
        self.store.record_events(device.name, reading, events)
        if back := gone_back(before, reading):
            detail = "less than before, and nothing began anew: what was counted in between is not known"
            self._set_aside(device, Quarantine.COUNTER_BACK, ", ".join(back)[:240], detail)
        crash_point("collect.recorded")
        return events

    def _counted_under(self, device: Device, facts: Facts) -> Snapshot:
        """The snapshot that the device was last read back holding; what is in force now may not have reached it yet."""
        status = self.store.status(device.name)
        if status is None or status.snapshot is None or status.snapshot == facts.snapshot.id:
            return facts.snapshot
        try:
            return self.store.snapshot(status.snapshot)
        except NoSnapshot:  # older than the retention
            return facts.snapshot

    def _rule_sources(self, facts: Facts, reading: Reading) -> dict[RuleName, tuple[Network, ...]]:
        """Which sources each counted rule stands for, exceptions that have just ended included."""
        roles = role_sources(facts.site.networks)
        known: dict[RuleName, tuple[Network, ...]] = {
            rule_name(action, role, mark): tuple(members)
            for role, members in roles.items()
            for mark in marks_of(facts.policy.roles[role], facts.policy.services).values()
            for action in (Action.DENY, Action.MONITOR)
        }
        for rule in reading.rules:
            _, exception = subject_of(rule.rule)
            if exception is not None:
                known[rule.rule] = self._exception_sources(ExceptionId(exception), roles, facts.site.name)
        return {rule.rule: known.get(rule.rule, ()) for rule in reading.rules}

    def _exception_sources(
        self, exception: ExceptionId, roles: Mapping[str, frozenset[Network]], site: SiteName
    ) -> tuple[Network, ...]:
        """Whom it lets pass; nobody that we know when a device holds one that is not in this store.

        A store put back from a backup is older than its devices, and they must still be counted and put right.
        """
        try:
            return excepted(self.store.exception(exception), roles, site, self.clock.now())
        except NotFound:
            log.warning("exception.unknown", exception=exception)
            return ()

    # --- records --------------------------------------------------------------------------------------------------

    def _failed_look(self, device: Device, error: TokgateError) -> None:
        now = self.clock.now()
        self.store.add_observation(
            Observation(device=device.name, site=device.site, at=now, found=None, left=None, cause=str(error)),
            freshness=self.freshness,
        )
        before = self.store.status(device.name) or blank_status(device)
        self.store.put_status(replace(before, last_attempt_at=now, error_code=error.code, error=str(error)))


def entries_of(reading: Reading, snapshot: Snapshot) -> tuple[Network, ...]:
    """The list that counted: the device's own where it tells one, which may be a part of the snapshot's, or in pieces.

    What a live DNS answer blocked in a network that the device has no room for is no hit of that network.
    """
    own = tuple(entry.network for entry in reading.entries if entry.group.startswith("dst-"))
    return own or tuple(n for service in snapshot.services for n in service.networks)


def _emptied_notes(facts: Facts, withdrawn: Iterable[Emergency]) -> Iterator[Degraded]:
    """Of which services of the site people took the last address, or name, off the list."""
    for emergency in withdrawn:
        for service in facts.policy.services:
            if service in emergency.empties:
                yield Degraded(capability=WITHDRAWN, message=f"{service}: {emergency}")


def wall_clock(facts: Facts, at: datetime) -> datetime:
    """What the clocks of the site show at ``at``; without a zone."""
    return at.astimezone(ZoneInfo(facts.site.time_zone)).replace(tzinfo=None)


def found_state(
    observed: Observed, desired: Desired, *, local: datetime, in_part: str = ""
) -> tuple[CoverageState, str]:
    """What a device was found doing, and why that is not enforcement when it is not.

    A device counts as enforced only when it holds, to the entry, what we left there: a hand that took one prefix out of
    a list makes it not enforced, with that cause. ``in_part`` says of which lists we left only a part there: that is
    never enforced either. ``local`` is the wall clock of the site, by which rules with a week of their own hold.
    """
    if observed.mark is None:
        wanted = state_of(desired.rules, local)
        if wanted is CoverageState.OFF:
            return CoverageState.OFF, ""
        return CoverageState.NOT_ENFORCED, "nothing of ours was on the device"
    held = Desired(
        groups=observed.groups, rules=observed.rules, owner=observed.mark.owner, snapshot=observed.mark.snapshot
    )
    changed = [line for line in observed.irregular if not line.startswith("persistence:")]  # not enforcement itself
    if changed:
        return CoverageState.NOT_ENFORCED, f"our objects were changed by somebody else: {changed[0]}"
    if desired_digest(held) != observed.mark.desired:
        return CoverageState.NOT_ENFORCED, "our lists or rules were changed by somebody else"
    state = state_of(observed.rules, local)
    if in_part and state is CoverageState.ENFORCED:
        return CoverageState.PARTIAL, in_part
    return state, ""


def blank_status(device: Device) -> DeviceStatus:
    """A device nobody has looked at."""
    return DeviceStatus(
        device=device.name,
        site=device.site,
        last_seen_at=None,
        last_attempt_at=None,
        enforced_at=None,
        snapshot=None,
        mode=None,
        error_code=None,
        error=None,
    )


class Record:
    """What one run on one device leaves in the store, whichever way it ends."""

    def __init__(self, worker: Worker, device: Device, run: RunId, started_at: datetime) -> None:
        self._worker = worker
        self.device = device
        self.run = run
        self._started_at = started_at
        self.look: Look | None = None
        self._changes: tuple[str, ...] = ()

    def write(self, outcome: Outcome, **fields: object) -> DeviceRun:
        running = outcome is Outcome.RUNNING
        row = DeviceRun(
            run=self.run,
            site=self.device.site,
            device=self.device.name,
            started_at=self._started_at,
            finished_at=None if running else self._worker.clock.now(),
            outcome=outcome,
            steps=0,
            snapshot=self.look.facts.snapshot.id if self.look else None,
        )
        row = replace(row, **fields)  # type: ignore[arg-type]  # field names are checked by replace itself
        self._worker.store.record_device(row, changes=self._changes)
        return row

    def intend(self, plan: Plan) -> None:
        """What is set out to be changed; a second attempt that finds it done says nothing less."""
        self._changes = tuple(describe(step) for step in plan.steps) or self._changes

    def done(self, outcome: Outcome, plan: Plan, receipt: Receipt | None) -> DeviceRun:
        """The device was read back holding what the plan promised."""
        if self.look is None:
            raise AssertionError("a run ends well only after a look")
        now = self._worker.clock.now()
        left = state_of(plan.desired.rules, wall_clock(self.look.facts, now))
        for short in plan.shortened:
            log.warning("sync.in_part", device=self.device.name, left_out=describe_shortened(short))
        for note in receipt.notes if receipt else ():
            log.warning("sync.noted", device=self.device.name, note=note)
        degraded = tuple(f"{d.capability}: {d.message}" for d in plan.degraded if d.is_gap)
        if (plan.shortened or in_part(degraded)) and left is CoverageState.ENFORCED:
            left = CoverageState.PARTIAL
        if receipt is not None and receipt.flows_cut:
            log.info("sync.flows_cut", device=self.device.name, run=self.run, flows=receipt.flows_cut)
        store = self._worker.store
        for edge in self._own_edges(self.look):
            store.add_observation(edge, freshness=self._worker.freshness)
        look = self._observation(now, found=self.look.found, left=left, cause=self.look.cause)
        store.add_observation(look, freshness=self._worker.freshness)
        store.put_status(self._good_status(now, plan, degraded))
        return self.write(
            outcome,
            steps=len(plan.steps),
            degraded=degraded,
            flows_cut=receipt.flows_cut if receipt else None,
            timings={k: v / timedelta(seconds=1) for k, v in receipt.timings.items()} if receipt else None,
        )

    def not_begun(self) -> DeviceRun:
        """tokgate ends. Nobody looked at the device, so nothing is said of its state."""
        log.info("sync.not_begun", device=self.device.name, run=self.run)
        error = Ending("not begun: tokgate was ending; nothing was sent", device=self.device.name)
        return self.write(Outcome.HELD, error_code=error.code, error=str(error))

    def failed(self, error: TokgateError) -> DeviceRun:
        """A guard, the device or the way there said no. What is enforced stays as it was, or is not known."""
        now = self._worker.clock.now()
        outcome = self._outcome(error)
        found = self.look.found if self.look else None
        left = found if outcome in (Outcome.HELD, Outcome.FAILED) else None
        store = self._worker.store
        look = self._observation(now, found=found, left=left, cause=str(error))
        store.add_observation(look, freshness=self._worker.freshness)
        before = store.status(self.device.name) or blank_status(self.device)
        seen = now if found is not None else before.last_seen_at
        doubt = before.in_doubt or outcome is Outcome.UNCERTAIN  # only a proven state ends a doubt
        status = replace(before, last_attempt_at=now, last_seen_at=seen, in_doubt=doubt)
        if self.look is not None:
            version, read_at = _software(self.look)
            status = replace(status, version=version, version_at=read_at)
        if not isinstance(error, PlanStale):  # an outdated wish is no trouble of the device
            status = replace(status, error_code=error.code, error=str(error))
        store.put_status(status)
        log.warning("sync.failed", device=self.device.name, outcome=outcome.value, code=error.code, error=error.message)
        return self.write(outcome, error_code=error.code, error=str(error))

    def _own_edges(self, look: Look) -> Iterator[Observation]:
        """What the device's own clock did since it was last seen, where its rules have a week and nobody changed them.

        Without these every edge of a window would leave a stretch that the looks before and after contradict.
        """
        before = self._worker.store.status(self.device.name)
        if before is None or before.last_seen_at is None or not look.is_ours:
            return
        wanted = {rule.name: rule.when for rule in look.desired.rules}
        weekly = [rule for rule in look.observed.rules if rule.when]
        unmoved = all(wanted.get(rule.name) == rule.when for rule in weekly)  # else the edges were others
        if not weekly or not unmoved or look.at - before.last_seen_at > self._worker.freshness:
            return
        roles, zone = look.facts.policy.roles.values(), ZoneInfo(look.facts.site.time_zone)
        part = bool(in_part(before.degraded))
        edge = next_edge(roles, zone, before.last_seen_at)
        while edge is not None and edge <= look.at:
            states = (
                state_of(look.observed.rules, wall_clock(look.facts, moment))
                for moment in (edge - timedelta.resolution, edge)
            )
            found, left = (CoverageState.PARTIAL if part and s is CoverageState.ENFORCED else s for s in states)
            yield self._observation(edge, found=found, left=left, cause="")
            edge = next_edge(roles, zone, edge)

    @staticmethod
    def _outcome(error: TokgateError) -> Outcome:
        if isinstance(error, Uncertain | NotVerified):
            return Outcome.UNCERTAIN
        return Outcome.HELD if isinstance(error, _HELD) else Outcome.FAILED

    def _observation(
        self, at: datetime, *, found: CoverageState | None, left: CoverageState | None, cause: str
    ) -> Observation:
        return Observation(device=self.device.name, site=self.device.site, at=at, found=found, left=left, cause=cause)

    def _good_status(self, now: datetime, plan: Plan, degraded: tuple[str, ...]) -> DeviceStatus:
        if self.look is None:
            raise AssertionError("a run ends well only after a look")
        facts = self.look.facts
        at = self.look.at  # an edge may have passed while we worked
        modes = sets_at(facts.site, facts.policy, at, holidays=facts.holidays)
        # where exceptions are holes in the denies, no rule on the device names them
        held = plan.desired if self.look.observed.can.exempt else self.look.desired
        exceptions = tuple(ExceptionId(e) for r in held.rules if (e := subject_of(r.name)[1]))
        version, read_at = _software(self.look)
        return DeviceStatus(
            device=self.device.name,
            site=self.device.site,
            last_seen_at=now,
            last_attempt_at=now,
            enforced_at=now,
            snapshot=facts.snapshot.id,
            mode=set_words(modes),
            error_code=None,
            error=None,
            degraded=degraded,
            exceptions=exceptions,
            version=version,
            version_at=read_at,
            parts=tuple(
                HeldPart(group=s.group, kept=s.networks - len(s.left_out), networks=s.networks) for s in plan.shortened
            ),
        )


def _software(look: Look) -> tuple[str, datetime | None]:
    """The version that the reading told, and when; nothing where it tells none."""
    version = look.observed.extra.get("version", "")
    return version, look.at if version else None
