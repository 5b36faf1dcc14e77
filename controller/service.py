"""The facade: everything a person or a program may ask of the controller, as methods. API and CLI call only this.

It wires the store, the engine and the device work together, asks the pure modules for decisions, and writes the audit
note of every change in the transaction of the change (I14).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from copy import copy
from dataclasses import replace
from datetime import date, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import structlog

import controller.tokens as access
from controller import audit_export
from controller.alerts import origin_alerts
from controller.audit import Head
from controller.bundle_desk import BundleDesk
from controller.calendars import CalendarBook
from controller.check_desk import CheckDesk
from controller.coverage_desk import CoverageDesk
from controller.cut_desk import CutDesk
from controller.declared_desk import DeclaredDesk
from controller.desired import Facts, held_signature, signature
from controller.emergencies import EmergencyDesk
from controller.engine import Engine, Job, JobKind, ThreadEngine
from controller.errors import CalendarUnknown, Conflict, Invalid, NotFound, StoreError
from controller.evidence_desk import EvidenceDesk
from controller.exception_desk import ExceptionDesk
from controller.exceptions import check_text
from controller.export_desk import ExportDesk
from controller.feeds import FeedDesk
from controller.freezing import Frozen, held_at
from controller.hosts import HostBook, named
from controller.interventions import Interventions
from controller.inventory import Device, Inventory, Site, load_inventory
from controller.inventory.moves import parts_of
from controller.locks import DeviceLocks
from controller.model import (
    AccessException,
    Alert,
    AuditEntry,
    DetectionEvent,
    DeviceRun,
    DeviceStatus,
    Emergency,
    ExceptionState,
    Mode,
    Outcome,
    Pin,
    Run,
    Scope,
    StoredPlan,
    Token,
    Window,
)
from controller.modes import modes_at
from controller.own_tokens import OwnTokens
from controller.pack_desk import PackDesk
from controller.people_desk import PeopleDesk
from controller.planning import Limits, plan_device, removed, store_plan
from controller.policy_desk import PolicyDesk
from controller.privacy_desk import PrivacyDesk
from controller.proof.desk import ProofDesk
from controller.reach import EVERYWHERE, Reach
from controller.receiving_desk import ReceivingDesk
from controller.reconcile_desk import ReconcileDesk
from controller.refreshing import Refresh, Refresher
from controller.rehearsal import rehearsal
from controller.report_desk import ReportDesk
from controller.report_sending import SendingDesk
from controller.reports.making import FleetReport, SiteReport, SourceTrouble
from controller.reports.ranges import Asked
from controller.retention_desk import RetentionDesk
from controller.role_desk import RoleDesk
from controller.scoreboard import HITS_SPAN, MAX_EVENTS, Scoreboard, make_scoreboard
from controller.settings import Settings
from controller.store import (
    IMPORTED,
    PUT_IN_FORCE,
    AlertQuery,
    AuditNote,
    AuditQuery,
    EventQuery,
    HitSum,
    Page,
    PlanQuery,
    RunQuery,
    SnapshotQuery,
    SnapshotSummary,
    Store,
    Term,
)
from controller.store.runs import plan_unknown, run_unknown
from controller.sync import Worker
from controller.troubles import source_alerts, stale_limits, tell, tell_watches, troubles
from controller.upload_desk import UploadDesk
from controller.views import (
    Check,
    CollectResult,
    DeviceView,
    DriftResult,
    Explained,
    Health,
    HostKeys,
    Imported,
    PlanResult,
    ProofResult,
    RefreshResult,
    Selection,
    SiteView,
)
from controller.webhook_desk import WebhookDesk
from controller.windows import next_edge
from controller.withdrawing import Cause, causes, networks_of
from controller.withholding import IN_FORCE_WAIT, Withholding
from core.clock import Clock, SystemClock
from core.errors import TokgateError
from core.ids import DeviceName, PlanId, RunId, SiteName, SnapshotId, new_id
from core.secret import Secret
from ipsets.bundle import Sealed, refuse_outdated, unseal
from ipsets.difference import SnapshotDiff, diff_snapshots
from ipsets.drift import QUIET, Drift, OriginChange, drift_between, origin_drift
from ipsets.errors import NoSnapshot
from ipsets.explain import explain, parse_question
from ipsets.extent import explain_network
from ipsets.guard import NeverBlock, default_never_block
from ipsets.minisign import PublicKey
from ipsets.model import Indicator, Snapshot
from ipsets.owners import Owners
from ipsets.past import refuse_large, refuse_never_blocked
from ipsets.resolve import SourceRecord, refresh
from ipsets.snapshot import build_snapshot
from ipsets.sources import AnySource, Source, ages, build_source, families, own_word
from ipsets.sources.attributed import AttributedSource
from ipsets.standing import standing
from ipsets.watch import asked, heard, told, vouched, watched
from vendors.adapter import Adapter, Finding
from vendors.checkup import login_findings
from vendors.codec import describe
from vendors.errors import Refused
from vendors.model import Observed, Plan
from vendors.oracle import NO_ORACLE, oracle_of
from vendors.session import SessionLimiter, scan_host_keys

log = structlog.get_logger()
T = TypeVar("T")

PLAN_LIFE: Final = timedelta(hours=1)
QUESTIONS: Final = "give one address, as 103.136.220.10, one network, as 103.136.0.0/16, or one name, as www.tiktok.com"
NARROWED_KEPT: Final = 256
"""Controllers of some sites, by their sites."""
SHOWN_NETWORKS: Final = 10
"""In one log event."""
REFRESH_WAIT: Final = timedelta(minutes=2)
"""How long a refresh waits for another one to end."""


_Key = tuple[int, tuple[str, ...], str, frozenset[date] | None]
"""Of sites that are alike: policy, roles, zone, holidays."""
_Wall = tuple[dict[str, Mode], datetime | None]
"""The modes of now, and when one changes."""


class Controller:
    """One controller over one store. Use ``with Controller.open(settings) as controller``."""

    def __init__(self, settings: Settings, inventory: Inventory, store: Store, clock: Clock) -> None:
        self.settings = settings
        self.inventory = inventory
        self.store = store
        self.clock = clock
        self.reach = EVERYWHERE
        self.feeds = FeedDesk(store, inventory, clock)
        self.cuts = CutDesk(store=store)
        self.privacy = PrivacyDesk(store=store, inventory=inventory, clock=clock)
        self.exports = ExportDesk(
            store=store, inventory=inventory, clock=clock, data_dir=settings.data_dir, privacy=self.privacy
        )
        self.coverage = CoverageDesk(store=store, inventory=inventory, clock=clock, freshness=self._freshness)
        self.packs = PackDesk(store=store, inventory=inventory, clock=clock, settings=settings, coverage=self.coverage)
        self.reconciling = ReconcileDesk(
            store=store, inventory=inventory, clock=clock, coverage=self.coverage, privacy=self.privacy
        )
        self.hosts = HostBook(store, inventory, clock, follow=self._follow)
        self.exceptions = ExceptionDesk(store, inventory, clock, follow=self._follow, look_up=self.hosts.look_up)
        self.people = PeopleDesk(store, inventory, clock, settings)
        self.own_tokens = OwnTokens(store, inventory, clock)
        self.webhooks = WebhookDesk(store, inventory, clock, settings, privacy=self.privacy)
        self.declared = DeclaredDesk(store, inventory, clock, path=settings.inventory)
        self.calendars = CalendarBook(store, inventory, clock)
        self.emergencies = EmergencyDesk(store, inventory, clock)
        self._withholding = Withholding(store, self.emergencies)
        self.bundles = BundleDesk(
            store=store, settings=settings, clock=clock, emergencies=self.emergencies, withholding=self._withholding
        )
        self.policies = PolicyDesk(store, inventory, clock, self.calendars, self.emergencies)
        self.roles = RoleDesk(coverage=self.coverage, policies=self.policies)
        self.evidence = EvidenceDesk(
            store,
            inventory,
            clock,
            policies=self.emergencies.policy_of,
            holidays=self.calendars.of,
            privacy=self.privacy,
        )
        self.receiving = ReceivingDesk(store=store, inventory=inventory, clock=clock, intake=self.evidence)
        self.retention = RetentionDesk(
            store=store, inventory=inventory, clock=clock, privacy=self.privacy, longest=settings.retention
        )
        self.reports = ReportDesk(
            store=store,
            inventory=inventory,
            clock=clock,
            emergencies=self.emergencies,
            exceptions=self.exceptions,
            modes_at=lambda site, at: self.policies.modes(site.name, at),
            freshness=self._freshness,
            privacy=self.privacy,
            coverage=self.coverage,
            episodes_kept=self.retention.episodes_kept,
            base_url=settings.public_url or "",
        )
        self.sending = SendingDesk(store=store, inventory=inventory, clock=clock, reports=self.reports)
        self.uploads = UploadDesk(inventory, clock, take=self.evidence.take)
        self._catalogue = inventory.catalogue
        self._worker = Worker(
            store=store,
            inventory=inventory,
            clock=clock,
            locks=DeviceLocks(store.locks),
            limiter=SessionLimiter(settings.max_sessions),
            limits=Limits(),
            transcripts=settings.data_dir / "transcripts",
            freshness=self._freshness,
            holidays=self.calendars.of,
            emergencies=self.emergencies,
        )
        self.proofs = ProofDesk(
            store=store, inventory=inventory, clock=clock, worker=self._worker, life=settings.proof_life
        )
        self.flows = CheckDesk(
            store=store,
            inventory=inventory,
            clock=clock,
            policies=self.policies,
            explain=self.explain,
            facts_of=self._worker.facts_of,
            freshness=self._freshness,
        )
        self._engine: Engine = ThreadEngine(
            {
                JobKind.SYNC: self._do_sync,
                JobKind.APPLY: self._do_apply,
                JobKind.COLLECT: self._do_collect,
                JobKind.PROVE: self._do_prove,
            },
            workers=settings.workers,
        )
        self._refresher = Refresher(lambda actor, force: self.refresh_intel(actor=actor, force=force), clock)
        self._putting = store.locks.named("in-force", what="the list in force")
        self._refreshing = store.locks.named("intel", what="the refresh of the intelligence")
        self.interventions = Interventions(
            store, self.emergencies, self._withholding, putting=self._putting, follow=self._follow_emergency
        )
        self._finishing = threading.Lock()
        self._registering = threading.Lock()
        self._narrowed: OrderedDict[frozenset[SiteName], Controller] = OrderedDict()
        self._under_way: dict[RunId, list[Future[object]]] = {}
        self._unrecorded: set[RunId] = set()  # runs with a part whose end the store did not take
        self.last_tick: Callable[[], float | None] = lambda: None  # seconds since the schedule's last finished tick
        self._wake: Callable[[], None] | None = None

    @classmethod
    def open(cls, settings: Settings, *, clock: Clock | None = None, migrate: bool = True) -> Controller:
        """Load the inventory, open the store, settle what a dead process left running.

        Raises ``InventoryError``, ``StoreError``.
        """
        clock = clock or SystemClock()
        inventory = load_inventory(settings.inventory)
        store = Store.open(settings.data_dir, address=settings.address, clock=clock, migrate=migrate)
        return cls(settings, inventory, store, clock)

    @property
    def _freshness(self) -> timedelta:
        """How long one look at a device proves what follows it."""
        return self.settings.sync_interval * 2

    def wind_up(self) -> None:
        """Begin with no device any more; those that were begun are finished. Before ``close``."""
        self._worker.ending.set()

    def close(self) -> None:
        """Finish the refresh and the device work that were started, then close the store."""
        self._refresher.close()
        self._engine.close()
        self.feeds.close()
        self.store.close()

    def __enter__(self) -> Controller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def follow_inventory(self) -> None:
        """An inventory that was edited since a schedule last began is carried to every device at once."""
        said = self.inventory.model_dump(mode="json")
        if self.store.follow_inventory(self.inventory.digest, parts_of(self.inventory), said=said):
            log.info("inventory.changed", inventory=self.inventory.digest[:12])

    def attach_schedule(self, *, tick_age: Callable[[], float | None], wake: Callable[[], None]) -> None:
        """A schedule runs in this process: it carries decisions to the devices, and its pulse is part of our health."""
        self.last_tick = tick_age
        self._wake = lambda: wake() if rehearsal() is None else None
        self._narrowed.clear()

    def within(self, sites: frozenset[SiteName] | None) -> Controller:
        """The same controller for who sees and changes only these sites; None: every site.

        It shares everything that this one holds, and knows no other site.
        """
        if sites is None:
            return self
        with self._registering:
            if (known := self._narrowed.get(sites)) is None:
                known = self._narrowed[sites] = self._within(sites)
            self._narrowed.move_to_end(sites)
            while len(self._narrowed) > NARROWED_KEPT:
                self._narrowed.popitem(last=False)
            return known

    def _within(self, sites: frozenset[SiteName]) -> Controller:
        narrow = copy(self)
        narrow.reach = Reach(sites)
        narrow.inventory = self.inventory.within(sites)
        narrow.feeds = self.feeds.within(narrow.inventory)
        narrow.privacy = self.privacy.within(narrow.reach, narrow.inventory)
        narrow.retention = self.retention.within(narrow.reach, narrow.inventory)
        narrow.exceptions = self.exceptions.within(narrow.reach, narrow.inventory)
        narrow.emergencies = self.emergencies.within(narrow.reach, narrow.inventory)
        narrow.interventions = self.interventions.by(narrow.emergencies)
        narrow.declared = self.declared.within(narrow.reach)
        narrow.own_tokens = OwnTokens(self.store, narrow.inventory, self.clock)
        narrow.evidence = self.evidence.within(narrow.reach, narrow.privacy)
        narrow.coverage = self.coverage.within(narrow.inventory)
        narrow.proofs = self.proofs.within(narrow.reach, narrow.inventory)
        narrow.uploads = self.uploads.within(narrow.reach)
        narrow.packs = self.packs.within(narrow.inventory, narrow.coverage)
        narrow.reconciling = self.reconciling.within(narrow.inventory, narrow.coverage, narrow.privacy)
        narrow.cuts = replace(self.cuts, reach=narrow.reach)
        narrow.receiving = self.receiving.within(narrow.reach)
        narrow.exports = self.exports.within(narrow.reach)
        narrow.policies = PolicyDesk(self.store, narrow.inventory, self.clock, self.calendars, narrow.emergencies)
        narrow.roles = self.roles.within(narrow.coverage, narrow.policies)
        narrow.flows = replace(self.flows, inventory=narrow.inventory, policies=narrow.policies)
        narrow.reports = self.reports.within(narrow.reach, narrow.inventory, narrow.emergencies, narrow.exceptions)
        return narrow

    # --- intelligence ---------------------------------------------------------------------------------------------

    def refresh_intel(self, *, actor: str, force: bool = False) -> RefreshResult:
        """Ask every source, build the next snapshot, put it in force if the guards let it pass.

        A failing source keeps its last good indicators. One at a time over all processes: a slow one that began earlier
        would undo what a later one has put in force. Raises ``GuardTripped``: the snapshot in force stays; ``Busy``.
        """
        with self._refreshing.hold(wait=REFRESH_WAIT):
            self.interventions.end_due()
            return self._refresh_intel(actor=actor, force=force)

    def _refresh_intel(self, *, actor: str, force: bool) -> RefreshResult:
        config, sources = self.inventory.intelligence, self.inventory.sources
        lasting, limits = ages(sources), stale_limits(self.inventory)
        known = self.store.source_records()
        records = refresh([*self._to_ask(sources)], known, self.clock, ages=lasting)
        moved = drift_between(_words(known.values()), _words(records)) if known else ()
        now = self.clock.now()
        records = watched(known, records, asked(sources))
        tell_watches(known, records)
        bad = troubles(records, limits, now=now)
        stale = {trouble.source for trouble in bad if trouble.what == "stale"}
        alerts = [*origin_alerts(moved), *source_alerts(known, bad, limits)]
        self.store.save_source_records(records, alerts=alerts)
        _tell_drift(moved)
        tell(bad)
        counted = heard(records)
        previous, pin = self._withholding.base(), self.store.pin()
        snapshot = build_snapshot(
            standing(counted, ages=lasting, own_word=own_word(sources), stale=stale),
            catalogue=self._catalogue,
            limits=config.guard,
            never_block=self._never_block(),
            previous=previous,
            source_ages={r.name: r.last_success for r in records if r.last_success is not None},
            now=now,
            families=families(sources),
            force=force or pin is not None,  # nothing is put in force: what churns is shown, and guarded after the pin
        )
        snapshot = told(snapshot, counted)
        self.store.save_snapshot(snapshot)
        if pin is not None and previous is not None:
            return _pinned(pin, previous, snapshot, records)
        if previous is not None and snapshot.id == previous.id:
            with self._putting.hold(wait=IN_FORCE_WAIT):
                self._withholding.put(snapshot, actor=actor)
            return RefreshResult(snapshot=snapshot, previous=previous, diff=None, records=records, changed=False)
        reason = "forced past the churn guard" if force else ""
        with self._putting.hold(wait=IN_FORCE_WAIT):
            held, withheld = self._withholding.applied(snapshot)
            note = AuditNote(actor=actor, action=PUT_IN_FORCE, subject=held.id[:12], reason=reason)
            self.store.set_current(held.id, withheld=withheld, audit=note)
        changes = diff_snapshots(previous, snapshot) if previous is not None else None
        return RefreshResult(snapshot=snapshot, previous=previous, diff=changes, records=records, changed=True)

    def _to_ask(self, configs: Iterable[AnySource]) -> Iterator[Source]:
        """The sources, each knowing the networks of services of one's own."""
        whose = self._catalogue.asns
        for source in map(build_source, configs):
            yield AttributedSource(inner=source, asns=whose) if whose else source

    def origin_drift(self, old: str | None = None, new: str | None = None) -> tuple[OriginChange, ...]:
        """Which origins came, went or moved between two snapshots: those of ``compared``."""
        return origin_drift(*self.compared(old, new))

    def compared(self, old: str | None = None, new: str | None = None) -> tuple[Snapshot, Snapshot]:
        """Two snapshots, by default the one before the second, and the current one.

        Raises ``NoSnapshot``: one of them is not there, or the second is the first of all.
        """
        later = self.snapshot(new)
        before = old or later.parent
        if before is None:
            raise NoSnapshot(f"snapshot {later.id[:12]} is the first: there is nothing to compare it with")
        return self.snapshot(before), later

    def alerts(self, *, limit: int = 100, before: int | None = None, wanted: AlertQuery | None = None) -> list[Alert]:
        """What a person should look at, the newest first. ``before`` is the number of the last one already seen."""
        return self.store.alerts(limit=limit, before=before, wanted=wanted)

    def alert_count(self, wanted: AlertQuery, *, most: int) -> int:
        return self.store.alert_count(wanted, most=most)

    def alert_counts(self, since: datetime) -> dict[str, int]:
        """How many of each kind were told since then; no kind without any."""
        return self.store.alert_counts(since)

    def start_refresh(self, *, actor: str, force: bool = False) -> Refresh:
        """As ``refresh_intel``, without waiting: ask ``refresh(id)``. The one under way, when it is of the same kind.

        Raises ``Busy`` when one of another kind is.
        """
        return self._refresher.start(actor=actor, force=force)

    def refresh(self, refresh_id: str) -> Refresh:
        """Raises ``NotFound``: it was not started by this process, or long ago."""
        return self._refresher.get(refresh_id)

    # --- a person's word ------------------------------------------------------------------------------------------

    def pin(self) -> Pin | None:
        """The pin that holds the snapshot in force; None when refreshes decide."""
        return self.store.pin()

    def pin_snapshot(self, snapshot_id: str | None, *, actor: str, reason: str) -> Pin:
        """Put a stored snapshot in force, by default the one that is, and keep it there over every refresh.

        Raises ``NoSnapshot``; ``SnapshotCorrupt``, ``GuardTripped``: it is damaged, or holds what is never blocked
        today; ``Invalid`` for a reason that is none.
        """
        check_text("reason", reason, required=True)
        with self._refreshing.hold(wait=REFRESH_WAIT):
            return self._pin(self.snapshot(snapshot_id), "snapshot.pin", actor=actor, reason=reason)

    def roll_back(self, *, actor: str, reason: str, expected: str | None = None) -> Pin:
        """Pin the snapshot that was in force before the current one, which is ``expected`` by how its id begins.

        Said twice by mistake it would be back again; with ``expected`` the second is refused.

        Raises as ``pin_snapshot``; ``Conflict`` when another snapshot is in force: nothing was changed.
        """
        check_text("reason", reason, required=True)
        with self._refreshing.hold(wait=REFRESH_WAIT):
            current = self.snapshot().id
            if expected is not None and not current.startswith(expected):
                raise Conflict(
                    f"snapshot {current[:12]} is in force, not {expected[:12]}",
                    hint="nothing was changed; look at what is in force now, then decide again",
                )
            before = self._withholding.base_before()
            return self._pin(before, "snapshot.rollback", actor=actor, reason=reason)

    def _pin(
        self, snapshot: Snapshot, action: str, *, actor: str, reason: str, detail: Mapping[str, str] | None = None
    ) -> Pin:
        with self._putting.hold(wait=IN_FORCE_WAIT):
            base = self._withholding.behind(snapshot)
            self._refuse_never_blocked(base)
            snapshot, withheld = self._withholding.applied(base)
            pin = Pin(snapshot=snapshot.id, actor=actor, reason=reason.strip(), at=self.clock.now())
            note = AuditNote(actor=actor, action=action, subject=snapshot.id[:12], reason=pin.reason, detail=detail)
            self.store.set_pin(pin, withheld=withheld, audit=note)
        self._carry()
        return pin

    def _refuse_never_blocked(self, snapshot: Snapshot) -> None:
        refuse_never_blocked(
            snapshot,
            catalogue=self._catalogue,
            never_block=self._never_block(),
            declared=_words(self.sources()),
        )

    def _follow_emergency(self, emergency: Emergency) -> None:
        """By the schedule when one runs, else by a run of our own."""
        if self._wake is not None:
            self._wake()
        elif self.store.current_snapshot() is not None:
            self.start_sync(Selection(sites=emergency.sites), actor="system", trigger=f"emergency:{emergency.id}")

    # --- from place to place --------------------------------------------------------------------------------------

    def import_bundle(
        self, sealed: Sealed, key: PublicKey | None = None, *, actor: str, reason: str, force: bool = False
    ) -> Imported:
        """Keep the snapshot that the holder of ``key`` sent, put it in force, and pin it: refreshes do not undo it.

        Without ``key`` it is one of those that the settings trust. ``force`` takes a snapshot that is older than what
        is in force, or that changes much; no other refusal.

        Raises ``BundleUntrusted``, ``BundleUnreadable``, ``BundleOutdated``, ``GuardTripped``, ``Invalid`` for a reason
        that is none, ``Conflict`` when no key is trusted, ``KeyUnusable``: nothing was changed.
        """
        check_text("reason", reason, required=True)
        key = key or self.bundles.trusted_key(sealed.signature)
        bundle = unseal(sealed, key)
        with self._refreshing.hold(wait=REFRESH_WAIT):
            self.store.refuse_other_in_force()
            current = self.store.current_snapshot()
            if not force:
                refuse_outdated(bundle, in_force=current, last_made_at=self.store.last_import_made_at())
            limits = self.inventory.intelligence.guard
            refuse_large(bundle.snapshot, catalogue=self._catalogue, limits=limits, in_force=current, force=force)
            self._refuse_never_blocked(bundle.snapshot)
            here = _after(current, bundle.snapshot)
            self.store.save_snapshot(here)
            detail = {"made_at": bundle.made_at.isoformat(), "made_by": bundle.made_by, "key": key.id}
            pin = self._pin(here, IMPORTED, actor=actor, reason=reason, detail=detail)
            return Imported(pin=pin, bundle=bundle, key=key)

    def unpin_snapshot(self, *, actor: str, reason: str) -> Pin:
        """Let the next refresh decide again; until then what is in force stays. Returns the pin that was.

        Raises ``Conflict`` when nothing is pinned.
        """
        check_text("reason", reason, required=True)
        with self._refreshing.hold(wait=REFRESH_WAIT):
            pin = self.store.pin()
            if pin is None:
                raise Conflict("no snapshot is pinned")
            note = AuditNote(actor=actor, action="snapshot.unpin", subject=pin.snapshot[:12], reason=reason.strip())
            self.store.drop_pin(audit=note)
            return pin

    def trust_source(self, name: str, *, actor: str, reason: str) -> SourceRecord:
        """Vouch for a source: from the next refresh on all of its words count, and what it did so far is no reason.

        Said again, it is said again. Raises ``NotFound``; ``Invalid`` for a reason that is none.
        """
        check_text("reason", reason, required=True)
        with self._refreshing.hold(wait=REFRESH_WAIT):
            record = self.store.source_records().get(name)
            if record is None:
                raise NotFound(f"no source {name!r} was asked yet", hint="`tokgate intel sources` lists them")
            watch = record.conduct.watch
            detail = {"rule": watch.rule, "since": watch.since.isoformat(), "why": watch.reason} if watch else None
            trusted = vouched(record, now=self.clock.now())
            note = AuditNote(actor=actor, action="source.trust", subject=name, reason=reason.strip(), detail=detail)
            note = note.moving(*(_conduct(each) for each in (record, trusted)))
            self.store.save_source_record(trusted, audit=note)
            return trusted

    def _carry(self) -> None:
        if self._wake is not None:
            self._wake()

    def _never_block(self) -> tuple[NeverBlock, ...]:
        own = tuple(self.inventory.intelligence.guard.never_block)
        return (*default_never_block(), NeverBlock(reason="your never_block list", networks=own))

    def sources(self) -> tuple[SourceRecord, ...]:
        return tuple(sorted(self.store.source_records().values(), key=lambda r: r.name))

    @property
    def owners(self) -> Owners:
        """Who stands behind an entry of a snapshot."""
        return self._catalogue.owners

    def troubles(self, records: Iterable[SourceRecord] | None = None) -> tuple[SourceTrouble, ...]:
        """The sources whose word is too old, or does not count in full; ``records`` when they are at hand."""
        known = self.sources() if records is None else records
        return troubles(known, stale_limits(self.inventory), now=self.clock.now())

    def scoreboard(self) -> Scoreboard:
        """What each source is worth beside the others, and what it caught here lately. Seconds for large lists."""
        now = self.clock.now()
        since = now - HITS_SPAN
        seen = self.store.destinations_since(since, limit=MAX_EVENTS + 1)
        return make_scoreboard(self.sources(), stale_limits(self.inventory), seen, hits_since=since, now=now)

    def snapshots(
        self, *, limit: int = 50, before: SnapshotId | None = None, wanted: SnapshotQuery | None = None
    ) -> list[SnapshotSummary]:
        return self.store.snapshots(limit=limit, before=before, wanted=wanted)

    def snapshot_count(self, wanted: SnapshotQuery, *, most: int) -> int:
        return self.store.snapshot_count(wanted, most=most)

    def snapshot(self, snapshot_id: str | None = None) -> Snapshot:
        """The snapshot in force, or the one whose id starts with ``snapshot_id``. Raises ``NoSnapshot``."""
        if snapshot_id is None:
            current = self.store.current_snapshot()
            if current is None:
                raise NoSnapshot("no intelligence yet", hint="run `tokgate intel refresh`")
            return current
        return self.store.snapshot(snapshot_id)

    def diff_snapshots(self, old: str, new: str) -> SnapshotDiff:
        return diff_snapshots(self.snapshot(old), self.snapshot(new))

    def explain(self, question: str, *, at: datetime | None = None) -> Explained:
        """Whether an address, a name or a network is covered, and why; ``at``: by the snapshot that was in force then.

        Raises ``Invalid`` for what is neither and for times to come; ``NoSnapshot`` when none was in force then, or it
        is older than the retention.
        """
        now = self.clock.now()
        if at is not None and at > now:
            raise Invalid("at: lies in the future", hint="leave it out to ask of now")
        try:
            asked = parse_question(question)
        except ValueError as exc:
            raise Invalid(str(exc), hint=QUESTIONS) from exc
        snapshot, term = self._in_force(now) if at is None else self._was_in_force(at)
        never_block = self._never_block()
        if isinstance(asked, IPv4Network | IPv6Network):
            found = explain_network(asked, snapshot, catalogue=self._catalogue, never_block=never_block, at=at)
        else:
            found = explain(asked, snapshot, catalogue=self._catalogue, never_block=never_block, at=at)
        since, until = (term.since, term.until) if term else (None, None)
        pin = self.store.pin() if at is None else None
        return Explained(
            explanation=found, snapshot=snapshot, owners=self.owners, at=at, since=since, until=until, pin=pin
        )

    def _in_force(self, now: datetime) -> tuple[Snapshot, Term | None]:
        snapshot = self.snapshot()
        with suppress(NoSnapshot):  # the clock was set back since: from when on is not known
            term = self.store.term(now)
            return snapshot, term if snapshot.id.startswith(term.snapshot) else None
        return snapshot, None

    def _was_in_force(self, at: datetime) -> tuple[Snapshot, Term]:
        term = self.store.term(at)
        try:
            found = self.snapshot(term.snapshot)
            return self.store.said_at(found, at) or found, term
        except NoSnapshot as exc:
            raise NoSnapshot(
                f"snapshot {term.snapshot}, in force since {term.since:%Y-%m-%dT%H:%M:%SZ}, is not kept any more",
                hint="TOKGATE_RETENTION says how long older ones are kept",
            ) from exc

    # --- plan and apply -------------------------------------------------------------------------------------------

    def plan(self, selection: Selection, *, actor: str, force: bool = False) -> tuple[PlanResult, ...]:
        """Read every selected device and say exactly what would change. Changes nothing on a device."""
        self.interventions.end_due()
        found = self._each(selection, lambda device: self._plan_one(device, force=force))
        return tuple(self._kept(result, actor=actor, force=force) for result in found)

    def _kept(self, result: PlanResult, *, actor: str, force: bool) -> PlanResult:
        """The plan is stored, after all devices were read: nobody waits for the store meanwhile."""
        if (stored := result.stored) is None:
            return result
        detail = {"device": result.device}
        note = AuditNote(actor=actor, action="plan.force", subject=stored.id, detail=detail)
        note = note.moving(None, {"plan": stored.checksum, "steps": len(result.steps)})
        try:
            self.store.save_plan(stored, audit=note if force else None)
        except StoreError as exc:
            return replace(result, error=exc)
        return result

    def _plan_one(self, device: Device, *, force: bool) -> PlanResult:
        plan = stored = error = refused = None
        script = ""
        why: tuple[Cause, ...] = ()
        try:
            with self._worker.session(device, None) as (adapter, session):
                look = self._worker.look(device, adapter, session)
            plan = plan_device(
                look.observed,
                look.desired,
                limits=self._worker.limits,
                device=device.name,
                forced=force,
                shortened=look.shortened,
                said=look.said,
                withdrawn=networks_of(look.withdrawn),
            )
            if not plan.is_empty:
                why = causes(removed(look.observed, plan), look.withdrawn)
                script = adapter.render(look.observed, plan).shown
                refused = _refusal(adapter, look.observed, plan)
                stored = store_plan(
                    plan,
                    look.observed,
                    site=device.site,
                    device=device,
                    snapshot=look.facts.snapshot.id,
                    now=self.clock.now(),
                    causes=why,
                )
        except TokgateError as exc:
            error = exc
        return PlanResult(
            device=device.name,
            site=device.site,
            plan=plan,
            stored=stored,
            steps=tuple(describe(step) for step in plan.steps) if plan else (),
            script=script,
            error=error,
            frozen=self.frozen(device.site),
            refused=refused,
            causes=why,
        )

    def stored_plan(self, plan_id: str) -> StoredPlan:
        """Raises ``NotFound``."""
        found = self.store.plan(PlanId(plan_id))
        if not self.reach.has(found.site):
            raise plan_unknown(plan_id)
        return found

    def apply(self, plan_ids: Iterable[str], *, actor: str, reason: str = "", override_freeze: bool = False) -> Run:
        """Apply exactly these plans. Each device checks that nothing moved since. Returns the finished run.

        ``override_freeze``: also where a freeze holds changes back. Raises ``Invalid`` when that has no reason.
        """
        run, futures = self._start_apply(plan_ids, actor=actor, reason=reason, override_freeze=override_freeze)
        return self._wait(run.id, futures)

    def start_apply(
        self, plan_ids: Iterable[str], *, actor: str, reason: str = "", override_freeze: bool = False
    ) -> Run:
        """As ``apply``, without waiting: ask ``run(id)``."""
        return self._start_apply(plan_ids, actor=actor, reason=reason, override_freeze=override_freeze)[0]

    def _start_apply(
        self, plan_ids: Iterable[str], *, actor: str, reason: str, override_freeze: bool
    ) -> tuple[Run, list[Future[object]]]:
        if override_freeze:
            check_text("reason", reason, required=True)
        plans = [self._fresh_plan(plan_id) for plan_id in plan_ids]
        devices = [self._device_here(plan) for plan in plans]
        if len({d.name for d in devices}) < len(devices):
            raise Conflict("two plans for one device", hint="apply them one after the other")
        applied: dict[str, object] = {"plans": [plan.id for plan in plans], **_overriding(override_freeze)}
        run = self._open_run(devices, trigger="apply", actor=actor, reason=reason, detail=applied)
        jobs = (
            Job(
                kind=JobKind.APPLY,
                device=p.device,
                actor=actor,
                run=run.id,
                plan=p.id,
                override_freeze=override_freeze,
            )
            for p in plans
        )
        return run, self._queue(run.id, jobs)

    def _fresh_plan(self, plan_id: str) -> StoredPlan:
        plan = self.stored_plan(plan_id)
        if self.clock.now() - plan.created_at > PLAN_LIFE:
            raise Conflict(f"plan {plan_id} is older than {PLAN_LIFE}", hint="make a new plan", device=plan.device)
        return plan

    def _device_here(self, plan: StoredPlan) -> Device:
        return self.inventory.device(plan.device)

    def sync(
        self,
        selection: Selection,
        *,
        actor: str,
        trigger: str = "cli",
        reason: str = "",
        force: bool = False,
        override_freeze: bool = False,
    ) -> Run:
        """Bring the selected devices to what they should hold now. Returns the finished run.

        ``override_freeze``: also where a freeze holds changes back. Raises ``Invalid`` when that has no reason.
        """
        self.interventions.end_due()
        run, futures = self._start_sync(
            selection, actor=actor, trigger=trigger, reason=reason, force=force, override_freeze=override_freeze
        )
        return self._wait(run.id, futures)

    def start_sync(
        self,
        selection: Selection,
        *,
        actor: str,
        trigger: str,
        reason: str = "",
        force: bool = False,
        override_freeze: bool = False,
    ) -> Run:
        """As ``sync``, without waiting: ask ``run(id)``."""
        return self._start_sync(
            selection, actor=actor, trigger=trigger, reason=reason, force=force, override_freeze=override_freeze
        )[0]

    def _start_sync(
        self, selection: Selection, *, actor: str, trigger: str, reason: str, force: bool, override_freeze: bool
    ) -> tuple[Run, list[Future[object]]]:
        if override_freeze:
            check_text("reason", reason, required=True)
        devices = self._select(selection)
        detail = {"force": force, **_overriding(override_freeze)}
        run = self._open_run(devices, trigger=trigger, actor=actor, reason=reason, detail=detail)
        jobs = (
            Job(
                kind=JobKind.SYNC,
                device=d.name,
                actor=actor,
                run=run.id,
                force=force,
                override_freeze=override_freeze,
            )
            for d in devices
        )
        return run, self._queue(run.id, jobs)

    def _queue(self, run_id: RunId, jobs: Iterable[Job]) -> list[Future[object]]:
        with self._registering:
            futures = [self._engine.submit(job) for job in jobs]
            for done in [id_ for id_, left in self._under_way.items() if not _is_any_left(left)]:
                del self._under_way[done]
            self._under_way[run_id] = futures
        return futures

    def is_under_way(self, run_id: RunId) -> bool:
        """Whether this process still works on that run, whatever the store was able to record of it."""
        with self._registering:
            return _is_any_left(self._under_way.get(run_id, ()))

    def settle_unrecorded(self) -> None:
        """Close the runs whose end the store did not take when it came. What they did is not known, so it is read."""
        for run_id in tuple(self._unrecorded):
            if not self.is_under_way(run_id):
                self.store.abandon_run(run_id, self.clock.now())
                self._unrecorded.discard(run_id)

    def _open_run(
        self, devices: list[Device], *, trigger: str, actor: str, reason: str, detail: Mapping[str, object]
    ) -> Run:
        now = self.clock.now()
        run_id = RunId(new_id())
        waiting = tuple(
            DeviceRun(
                run=run_id,
                site=d.site,
                device=d.name,
                started_at=now,
                finished_at=None,
                outcome=Outcome.RUNNING,
                steps=0,
                snapshot=None,
            )
            for d in devices
        )
        run = Run(id=run_id, trigger=trigger, actor=actor, started_at=now, finished_at=None, devices=waiting)
        by_hand = actor != "system"
        note = AuditNote(actor=actor, action=f"run.{trigger}", subject=run_id, reason=reason, detail=detail)
        self.store.start_run(run, audit=note if by_hand else None)
        return run

    def _wait(self, run: RunId, futures: Iterable[Future[object]]) -> Run:
        for future in futures:
            future.result()
        return self.run(run)

    def _do_sync(self, job: Job) -> object:
        run = self._run_of(job)
        return self._finishing_run(
            run, lambda d: self._worker.sync(d, run, force=job.force, override_freeze=job.override_freeze), job
        )

    def _do_apply(self, job: Job) -> object:
        run = self._run_of(job)

        def work(device: Device) -> DeviceRun:
            plan = self.stored_plan(job.plan or "")
            return self._worker.apply(device, run, plan, override_freeze=job.override_freeze)

        return self._finishing_run(run, work, job)

    def _run_of(self, job: Job) -> RunId:
        if job.run is None:
            raise AssertionError("sync and apply jobs belong to a run")
        return job.run

    def _finishing_run(self, run: RunId, work: Callable[[Device], DeviceRun], job: Job) -> DeviceRun:
        """Do the device's part; whoever is last closes the run."""
        try:
            result = work(self.inventory.device(job.device))
            with self._finishing:
                if all(d.outcome is not Outcome.RUNNING for d in self.run(run).devices):
                    self.store.finish_run(run, self.clock.now())
        except Exception:  # whatever it was, the engine tells it; here the run is only kept from staying open
            self._unrecorded.add(run)
            raise
        device, every = self.inventory.device(job.device), self.settings.proof_after_sync
        if self.proofs.is_due_after(device, result.outcome, every):
            self._queue_proof(job.device)
        return result

    def drift(self, selection: Selection) -> tuple[DriftResult, ...]:
        """How far every selected device is from what it should hold. Reads only."""
        return self._each(selection, self._drift_one)

    def _drift_one(self, device: Device) -> DriftResult:
        steps: tuple[str, ...] = ()
        altered = ""
        error: TokgateError | None = None
        try:
            with self._worker.session(device, None) as (adapter, session):
                look = self._worker.look(device, adapter, session)
            plan = plan_device(look.observed, look.desired, limits=self._worker.limits, device=device.name, forced=True)
            steps, altered = tuple(describe(step) for step in plan.steps), look.cause
        except TokgateError as exc:
            error = exc
        return DriftResult(device=device.name, site=device.site, steps=steps, altered=altered, error=error)

    def runs(self, *, limit: int = 50, before: RunId | None = None, wanted: RunQuery | None = None) -> list[Run]:
        asked = wanted or RunQuery()
        if self._is_beyond(asked.site, asked.device):
            return []
        found = self.store.runs(limit=limit, before=before, wanted=replace(asked, sites=self.reach.sites))
        return [self._shown_run(run) for run in found]

    def run_count(self, wanted: RunQuery, *, most: int) -> int:
        if self._is_beyond(wanted.site, wanted.device):
            return 0
        return self.store.run_count(replace(wanted, sites=self.reach.sites), most=most)

    def run(self, run_id: str) -> Run:
        """Raises ``NotFound``."""
        found = self.store.run(RunId(run_id))
        if not self.reach.is_everywhere and not self.reach.touches(part.site for part in found.devices):
            raise run_unknown(run_id)
        return self._shown_run(found)

    def run_changes(self, run: Run) -> Mapping[DeviceName, tuple[str, ...]]:
        """What it set out to change on those of its devices that are in it."""
        shown = {part.device for part in run.devices}
        return {device: said for device, said in self.store.run_changes(run.id).items() if device in shown}

    def plans(self, *, limit: int, wanted: PlanQuery | None = None) -> list[StoredPlan]:
        """The newest first."""
        asked = wanted or PlanQuery()
        if self._is_beyond(asked.site, asked.device):
            return []
        return self.store.plans(limit=limit, wanted=replace(asked, sites=self.reach.sites))

    def _is_beyond(self, site: str | None, device: str | None) -> bool:
        """Whether one of them lies beyond reach; what no inventory has any more is asked for all the same."""
        if self.reach.is_everywhere:
            return False
        return (site is not None and not self.reach.has(site)) or (
            device is not None and DeviceName(device) not in self.inventory.by_name
        )

    def _shown_run(self, run: Run) -> Run:
        """Its part within reach."""
        if self.reach.is_everywhere:
            return run
        return replace(run, devices=tuple(part for part in run.devices if self.reach.has(part.site)))

    # --- hits -----------------------------------------------------------------------------------------------------

    def collect(self, selection: Selection) -> tuple[CollectResult, ...]:
        """Poll the counters of the selected devices now."""
        return self._each(selection, self._collect_one)

    def _collect_one(self, device: Device) -> CollectResult:
        try:
            events = self._worker.collect(device)
        except TokgateError as exc:
            return CollectResult(device=device.name, site=device.site, events=0, error=exc)
        return CollectResult(device=device.name, site=device.site, events=len(events), error=None)

    def _do_collect(self, job: Job) -> object:
        if self._worker.ending.is_set():
            return None
        result = self._collect_one(self.inventory.device(job.device))
        if result.error is not None:  # nobody waits for this answer
            log.warning("collect.failed", device=job.device, code=result.error.code, error=str(result.error))
        return result

    def _do_prove(self, job: Job) -> object:
        return None if self._worker.ending.is_set() else self.proofs.prove_quietly(job.device)

    def events(self, query: EventQuery) -> Page[DetectionEvent]:
        page = self.store.events(self._askable(query))
        return replace(page, items=tuple(map(self.privacy.event, page.items)))

    def event_count(self, query: EventQuery, *, most: int) -> int:
        return self.store.event_count(self._askable(query), most=most)

    def _askable(self, query: EventQuery) -> EventQuery:
        """Within reach; where identities are not shown, nothing is found by them."""
        by_who = query.text is None or self.privacy.is_searchable(query.site)
        return replace(self.privacy.named(query), sites=self.reach.sites, by_who=by_who)

    def hits_since(self, at: datetime) -> list[HitSum]:
        return self.store.hits_since(at)

    def site_report(self, site: str, asked: Window | Asked, *, in_house: bool = False) -> SiteReport:
        """Who used it at the site, what was blocked, and how long it was really enforced."""
        return self.reports.site(site, asked, in_house=in_house)

    def fleet_report(self, asked: Window | Asked) -> FleetReport:
        return self.reports.fleet(asked)

    def _follow(self, before: AccessException, after: AccessException) -> None:
        """Have the devices follow a decision at once: by the schedule when one runs, else by a run of our own."""
        now = self.clock.now()
        moved = after.is_live(now) and (  # the schedule sees only which are live
            before.sources != after.sources or named(before) != named(after)
        )
        if self._wake is not None and not moved:
            self._wake()
        elif moved or before.is_live(now) != after.is_live(now):
            known = tuple(site for site in after.sites if site in self.inventory.sites)  # a site may have closed since
            if known:
                self.start_sync(Selection(sites=known), actor="system", trigger=f"exception:{after.id}")

    # --- access ---------------------------------------------------------------------------------------------------

    def create_token(
        self,
        name: str,
        scopes: Iterable[Scope],
        lifetime: timedelta,
        *,
        actor: str,
        sites: Iterable[str] | None = None,
        owner: str | None = None,
    ) -> tuple[Token, Secret]:
        """Raises as ``tokens.create``; ``NotFound`` for a site that the inventory does not have."""
        return access.create(
            self.store,
            self.clock,
            name=name,
            scopes=scopes,
            lifetime=lifetime,
            actor=actor,
            sites=self.known_sites(sites),
            owner=owner,
        )

    def known_sites(self, names: Iterable[str] | None) -> frozenset[SiteName] | None:
        """Of the inventory; None is every site. Raises ``NotFound``."""
        return None if names is None else frozenset(self.inventory.site(name).name for name in names)

    def rotate_token(self, id_or_name: str, *, actor: str, overlap: timedelta = access.OVERLAP) -> tuple[Token, Secret]:
        return access.rotate(self.store, self.clock, id_or_name, actor=actor, overlap=overlap)

    def authenticate(self, text: str) -> Token:
        return access.authenticate(self.store, self.clock, text)

    def tokens(self) -> list[Token]:
        return self.store.tokens()

    def token(self, token_id: str) -> Token:
        """Also an ended one. Raises ``NotFound``."""
        return self.store.token(token_id)

    def revoke_token(self, id_or_name: str, *, actor: str) -> Token:
        return access.revoke(self.store, self.clock, id_or_name, actor=actor)

    def audit(
        self, *, limit: int = 100, before: int | None = None, wanted: AuditQuery | None = None
    ) -> list[AuditEntry]:
        return self.store.audit_entries(limit=limit, before=before, wanted=wanted)

    def audit_count(self, wanted: AuditQuery, *, most: int) -> int:
        return self.store.audit_count(wanted, most=most)

    def export_audit(self, *, after: int = 0) -> Iterator[str]:
        """The lines of the audit log as a file, from behind that entry on. Raises ``NotFound``."""
        before, entries, last = self.store.audit_chain(after=after)
        return audit_export.write(before, entries, last, at=self.clock.now(), instance=self.store.instance_id())

    def holds_audit(self, head: Head) -> bool:
        """Whether the log here still says, at that entry, what a file from before says it did."""
        with suppress(NotFound):
            return self.store.audit_head_at(head.seq) == head
        return False

    def verify_audit(self) -> list[str]:
        """One line per break of the chain; empty when it holds."""
        return self.store.verify_audit()

    # --- devices and sites ----------------------------------------------------------------------------------------

    def devices(self) -> tuple[DeviceView, ...]:
        statuses = self.store.statuses()
        return tuple(self._device_view(d, statuses) for d in self._select(Selection()))

    def device(self, name: str) -> DeviceView:
        """As ``devices`` has it. Raises ``NotFound``."""
        device = self.inventory.device(name)
        return self._device_view(device, self.store.statuses_of([device.name]))

    @staticmethod
    def _device_view(device: Device, statuses: dict[DeviceName, DeviceStatus]) -> DeviceView:
        return DeviceView(
            name=device.name,
            site=device.site,
            vendor=device.vendor,
            host=device.host,
            status=statuses.get(device.name),
        )

    def sites(self) -> tuple[SiteView, ...]:
        statuses, now, alike = self.store.statuses(), self.clock.now(), dict[_Key, _Wall]()
        return tuple(self._site_view(site, statuses, now, alike) for site in self.inventory.sites.values())

    def site(self, name: str) -> SiteView:
        """As ``sites`` has it. Raises ``NotFound``."""
        site = self.inventory.site(name)
        return self._site_view(site, self.store.statuses_of(site.devices), self.clock.now(), {})

    def _site_view(
        self, site: Site, statuses: dict[DeviceName, DeviceStatus], now: datetime, alike: dict[_Key, _Wall]
    ) -> SiteView:
        """``alike``: what is known already of sites with the same policy, roles, zone and holidays."""
        policy, holidays = self.emergencies.policy_of(site), self._holidays(site)
        key = id(policy), tuple(site.networks), site.time_zone, holidays
        if key not in alike:
            roles, known = [policy.roles[role] for role in site.networks], holidays or frozenset()
            alike[key] = (
                {} if holidays is None else modes_at(site, policy, now, holidays=holidays),
                next_edge(roles, ZoneInfo(site.time_zone), now, holidays=known),
            )
        modes, edge = alike[key]
        return SiteView(
            name=site.name,
            title=site.title,
            time_zone=site.time_zone,
            policy=site.policy,
            modes=modes,
            next_edge=edge,
            devices=tuple(self._device_view(d, statuses) for d in site.devices.values()),
        )

    def _holidays(self, site: Site) -> frozenset[date] | None:
        """None: nobody knows those that its modes depend on."""
        try:
            return self.calendars.of(site)
        except CalendarUnknown:
            return None

    def holidays(self, site: Site) -> frozenset[date]:
        """As far as they are known."""
        return self._holidays(site) or frozenset()

    def doctor(self, device: str) -> tuple[Finding, ...]:
        """Check that one device is prepared, and how we log in. Changes nothing.

        Raises ``DeviceError`` when it cannot be asked.
        """
        found = self.inventory.device(device)
        with self._worker.session(found, None) as (adapter, session):
            oracle = oracle_of(adapter)
            asked = (NO_ORACLE,) if oracle is None else (oracle.may_ask(session),)
            return (*login_findings(session.login()), *adapter.doctor(session), *asked)

    def host_keys(self, device: str) -> HostKeys:
        """What the inventory pins and what the device shows now; a person compares and decides (I10)."""
        found = self.inventory.device(device)
        offered = scan_host_keys(found.host, found.port, timedelta(seconds=found.connect_timeout_seconds))
        return HostKeys(pinned=tuple(found.host_keys), offered=offered)

    # --- the schedule's questions ---------------------------------------------------------------------------------

    def signatures(self) -> dict[SiteName, str]:
        """What decides each site's devices now; a site whose value changes is due. Empty before the first resolve."""
        snapshot = self.store.current_snapshot()
        if snapshot is None:
            return {}
        approved: dict[SiteName, list[AccessException]] = {}
        for exception in self.store.exceptions(state=ExceptionState.APPROVED):
            for name in exception.sites:
                approved.setdefault(name, []).append(exception)
        now = self.clock.now()
        found = {}
        for site in self._sites():
            with suppress(CalendarUnknown):  # told when it was asked; what the site's devices hold stays
                found[site.name] = signature(self._facts(site, snapshot, approved.get(site.name, ())), now)
        return found

    def freezes(self) -> dict[SiteName, str]:
        """What holds changes back at which site; only sites that one does."""
        now, found = self.clock.now(), {}
        for site in self._sites():
            if (paused := self.emergencies.paused(site.name)) is not None:
                found[site.name] = str(paused)
                continue
            said = () if self.emergencies.passes_freeze(site.name) else self.inventory.changes_of(site)
            zone, holidays = ZoneInfo(site.time_zone), self.holidays(site) if said else frozenset()
            if said and (held := held_at(said, zone, now, holidays=holidays)) is not None:
                found[site.name] = ": ".join(held)
        return found

    def frozen(self, site: str) -> Frozen | None:
        """What holds changes back at one site now, and until when."""
        return self._worker.frozen(self.inventory.site(site))

    def held_signatures(self) -> dict[SiteName, tuple[str, ...]]:
        """What each site's devices were last read back holding, in the same words."""
        statuses = self.store.statuses()
        return {
            site.name: tuple(held_signature(statuses.get(device)) for device in site.devices) for site in self._sites()
        }

    def _sites(self) -> Iterable[Site]:
        return self.inventory.sites.values()

    def _facts(self, site: Site, snapshot: Snapshot, approved: Iterable[AccessException]) -> Facts:
        return Facts(
            site=site,
            policy=self.emergencies.policy_of(site),
            snapshot=snapshot,
            exceptions=tuple(approved),
            never_block=(),
            shared_cdn=(),
            owner="",
            holidays=self.calendars.of(site),
            surfaces=self.inventory.surfaces,
        )

    def queue_collect(self) -> None:
        """Have the counters polled of every device that a sync has left something of ours on.

        Before its first sync nothing counts there, and to say so would look like a failure of the device.
        """
        known = self.store.statuses()
        for device in self._select(Selection()):
            if (status := known.get(device.name)) is not None and status.enforced_at is not None:
                self._engine.submit(Job(kind=JobKind.COLLECT, device=device.name, actor="system"))

    def prove(self, selection: Selection) -> tuple[ProofResult, ...]:
        """Ask the chosen firewalls which of their rules decide a few connections; each by itself."""
        return self._each(selection, self._prove_one)

    def _prove_one(self, device: Device) -> ProofResult:
        try:
            return ProofResult(device=device.name, site=device.site, proven=self.proofs.prove(device), error=None)
        except TokgateError as exc:
            return ProofResult(device=device.name, site=device.site, proven=None, error=exc)

    def queue_proofs(self) -> None:
        """Have those firewalls asked that were not for a while."""
        for device in self.proofs.due(self.settings.proof_interval):
            self._queue_proof(device)

    def _queue_proof(self, device: DeviceName) -> None:
        self._engine.submit(Job(kind=JobKind.PROVE, device=device, actor="system"))

    def queue_depth(self) -> int:
        return self._engine.depth()

    def housekeeping(self) -> None:
        """Drop what the retention no longer keeps, checkpoint, and close abandoned runs."""
        self.retention.run()
        self.store.housekeeping(retention=self.settings.retention, held=self.retention.held)
        self.coverage.keep()
        self.store.keep_episodes(self.clock.now())
        self._drop_old_transcripts()

    def _drop_old_transcripts(self) -> None:
        oldest = self.clock.now() - self.settings.transcript_retention
        for folder in self._worker.transcripts.glob("*"):
            if datetime.fromtimestamp(folder.stat().st_mtime, tz=oldest.tzinfo) < oldest:
                _remove_folder(folder)

    def health(self) -> Health:
        """Whether this process does its work; a device that is down is the fleet's health, not ours."""
        checks = [self._store_check(), self._intel_check()]
        age = self.last_tick()
        if age is not None:
            checks.append(Check(name="schedule", ok=age < 30, message=f"last tick {age:.1f} s ago"))
        checks += [*self.receiving.checks(), *self.exports.checks(), *self.sending.checks(), *self.proofs.checks()]
        aside = ("intelligence", "evidence", "exports", "reports", "proof")  # without these we do our work all the same
        return Health(ready=all(c.ok for c in checks if c.name not in aside), checks=tuple(checks))

    def _store_check(self) -> Check:
        try:
            self.store.ping()
        except TokgateError as exc:
            return Check(name="store", ok=False, message=str(exc))
        return Check(name="store", ok=True, message=f"schema {self.store.schema_version}")

    def _intel_check(self) -> Check:
        try:
            current = self.store.current_snapshot()
        except TokgateError as exc:
            return Check(name="intelligence", ok=False, message=str(exc))
        if current is None:
            return Check(name="intelligence", ok=False, message="no snapshot yet; run `tokgate intel refresh`")
        return Check(name="intelligence", ok=True, message=f"snapshot {current.id[:12]} of {current.created_at:%F %T}Z")

    # --- selection ------------------------------------------------------------------------------------------------

    def refuse_unknown(self, selection: Selection) -> None:
        """Raises ``NotFound`` for a site or device that is not known: before work on it begins."""
        self._select(selection)

    def _select(self, selection: Selection) -> list[Device]:
        """Raises ``NotFound`` for a site or device that the inventory does not have."""
        if not selection.sites and not selection.devices:
            chosen = [d for site in self.inventory.sites.values() for d in site.devices.values()]
        else:
            chosen = [d for name in selection.sites for d in self.inventory.site(name).devices.values()]
            chosen += [self.inventory.device(name) for name in selection.devices]
        return list({d.name: d for d in chosen}.values())

    def _each(self, selection: Selection, work: Callable[[Device], T]) -> tuple[T, ...]:
        """The work on every selected device, side by side, in the order of the inventory."""
        devices = self._select(selection)
        contexts = [copy_context() for _ in devices]
        with ThreadPoolExecutor(max_workers=min(self.settings.workers, len(devices) or 1)) as pool:
            return tuple(pool.map(lambda context, device: context.run(work, device), contexts, devices))


def _conduct(record: SourceRecord) -> dict[str, str | None]:
    """What a person's word for a source moves."""
    watch, trusted = record.conduct.watch, record.conduct.trusted_at
    return {"watched": watch.rule if watch else None, "trusted_at": trusted.isoformat() if trusted else None}


def _overriding(override_freeze: bool) -> dict[str, object]:
    """What the audit log says of it, only where it was said."""
    return {"override_freeze": True} if override_freeze else {}


def _is_any_left(futures: Iterable[Future[object]]) -> bool:
    return any(not future.done() for future in futures)


def _remove_folder(folder: Path) -> None:
    for path in folder.glob("*"):
        path.unlink(missing_ok=True)
    folder.rmdir()


def _after(current: Snapshot | None, found: Snapshot) -> Snapshot:
    """What follows on it here; the parent that it had elsewhere may never have been here."""
    return found if current and current.id == found.id else replace(found, parent=current.id if current else None)


def _words(records: Iterable[SourceRecord]) -> list[Indicator]:
    return [indicator for record in records for indicator in record.indicators]


def _tell_drift(changes: tuple[OriginChange, ...]) -> None:
    """Say aloud, at once, that networks moved: the list may be right today and wrong tomorrow."""
    moved = [change for change in changes if change.kind not in QUIET]
    if moved:
        kinds = {
            kind.value.replace("-", "_"): sum(c.kind is kind for c in moved) for kind in Drift if kind not in QUIET
        }
        networks = sorted({str(c.network) for c in moved if c.network is not None})[:SHOWN_NETWORKS]
        log.warning("intel.origins_moved", networks=networks, holders=[*_new_names(moved)][:SHOWN_NETWORKS], **kinds)


def _new_names(changes: Iterable[OriginChange]) -> Iterator[str]:
    for change in changes:
        if change.kind is Drift.RENAMED:
            yield f"AS{change.asn}: {change.old_holder} is now {change.new_holder}"


def _pinned(pin: Pin, held: Snapshot, found: Snapshot, records: tuple[SourceRecord, ...]) -> RefreshResult:
    waiting = found if found.id != held.id else None
    return RefreshResult(
        snapshot=held if waiting else found,
        previous=held,
        diff=diff_snapshots(held, found) if waiting else None,
        records=records,
        changed=False,
        pin=pin,
        waiting=waiting,
    )


def _refusal(adapter: Adapter, current: Observed, plan: Plan) -> Refused | None:
    """Why the device, as it was read, would not be sent the plan."""
    try:
        adapter.refuse(current, plan)
    except Refused as exc:
        return exc
    return None
