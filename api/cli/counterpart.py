"""Whom a command asks. Here it is the controller of this machine; ``remote.Remote`` is the server of another.

Both say the same: what the REST API answers, so that a command prints one thing wherever it comes from. Where a command
prints values of the controller itself (exceptions, runs, the audit log), both give those.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from api.check_models import Check
from api.cli.options import Page
from api.config_models import ConfigDrift
from api.coverage_models import By, FleetCoverage, SiteCoverage, Slo
from api.device_models import Device, Doctor
from api.emergency_models import Emergency
from api.episode_models import Episode
from api.event_models import Alert, Cut, Event
from api.export_models import Export
from api.feed_models import Feed, FeedDevice, FeedGroup
from api.intel_models import Explanation, OriginChange
from api.people_models import Person, Session
from api.policy_models import Calendar, PolicyNow, WhatIf
from api.proof_models import ProbeBody, ProbeTaken, ProofField, ProvenDevice
from api.quarantine_models import SetAside
from api.reconcile_models import Reconciliation
from api.retention_models import SiteRetention
from api.run_models import DriftedDevice, Plan, PlannedDevice
from api.sending_models import ScheduledReport, SentReport
from api.snapshot_models import Difference, Pin, Snapshot, SnapshotHead
from api.source_models import Scoreboard, Source
from api.unmasking_models import Identities, Unmasked, Unmasking
from controller import model
from controller.errors import Invalid
from controller.model import Mode, Window
from controller.planning import reopen
from controller.privacy import unmasking
from controller.privacy.unmasking import UnmaskingState
from controller.privacy_desk import UnmaskingRequest
from controller.reports.forms import Form, rendered
from controller.reports.ranges import Asked
from controller.store import (
    AlertQuery,
    AuditNote,
    AuditQuery,
    CutQuery,
    EpisodeQuery,
    EventQuery,
    QuarantineQuery,
    RunQuery,
)
from controller.store import Page as Stored
from controller.views import Selection
from core.ids import DeviceName, SiteName
from ipsets.choice import Choice

T = TypeVar("T")

if TYPE_CHECKING:
    from controller.access_roles import AccessRole
    from controller.pack_desk import Pack, PackWish
    from controller.policy_week import PolicyWeek
    from controller.service import Controller
    from core.secret import Secret
    from ipsets.minisign import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """A list of endpoints as it was read from a file. ``site``: of records without an address."""

    name: str
    data: bytes
    format: str | None
    site: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What a refresh brought. ``added`` and ``removed`` are entries; null when there was nothing to compare with."""

    pin: Pin | None
    waiting: str | None
    changed: bool
    snapshot: Snapshot | None
    previous: str | None
    added: tuple[str, ...] | None
    removed: tuple[str, ...] | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A range as a calendar names it; None: in the zone of the site, UTC for the fleet."""

    text: str
    zone: str | None = None


Span = Window | Named


class Counterpart:
    """The controller of this machine. Raises what it raises."""

    def __init__(self, controller: Controller, actor: str) -> None:
        self._controller = controller
        self._actor = actor
        self.clock = controller.clock
        self.exceptions = controller.exceptions
        self.webhooks = controller.webhooks

    # --- sites and devices ----------------------------------------------------------------------------------------

    def site(self, name: str) -> SiteName:
        """Raises ``NotFound``."""
        return self._controller.inventory.site(name).name

    def device(self, name: str) -> DeviceName:
        """Raises ``NotFound``."""
        return self._controller.inventory.device(name).name

    def devices(self) -> list[Device]:
        return sorted(map(Device.of, self._controller.devices()), key=lambda device: device.name)

    def doctor(self, device: str) -> Doctor:
        return Doctor.of(device, self._controller.doctor(device))

    # --- plans and runs -------------------------------------------------------------------------------------------

    def plan(self, selection: Selection, *, force: bool) -> list[PlannedDevice]:
        return [PlannedDevice.of(result) for result in self._controller.plan(selection, actor=self._actor, force=force)]

    def stored_plan(self, plan_id: str) -> Plan:
        """Raises ``NotFound``, or ``PlanStale`` for one that was tampered with."""
        stored = self._controller.stored_plan(plan_id)
        return Plan.of(stored, reopen(stored))

    def frozen(self, site: str) -> str | None:
        """What holds changes of a site back now, in words."""
        found = self._controller.frozen(site)
        return None if found is None else str(found)

    def apply(self, plans: Iterable[str], *, reason: str, override_freeze: bool) -> model.Run:
        """The finished run."""
        return self._controller.apply(plans, actor=self._actor, reason=reason, override_freeze=override_freeze)

    def progress(self) -> Callable[[], int]:
        """How many devices of an ``apply`` that begins now are done; asked from another thread."""
        controller, began = self._controller, self.clock.now()

        def count() -> int:
            seen = (view.status.last_attempt_at for view in controller.devices() if view.status is not None)
            return sum(at is not None and at >= began for at in seen)

        return count

    def runs(self, wanted: RunQuery | None = None, *, limit: int) -> list[model.Run]:
        return self._controller.runs(limit=limit, wanted=wanted)

    def run(self, run_id: str) -> model.Run:
        return self._controller.run(run_id)

    def drift(self, selection: Selection) -> list[DriftedDevice]:
        return [DriftedDevice.of(result) for result in self._controller.drift(selection)]

    # --- proof ----------------------------------------------------------------------------------------------------

    def proofs(self, site: str | None) -> list[ProofField]:
        """Raises ``NotFound``."""
        return [ProofField.of(cell) for cell in self._controller.proofs.matrix(site)]

    def prove(self, selection: Selection) -> list[ProvenDevice]:
        return [ProvenDevice.of(result) for result in self._controller.prove(selection)]

    def take_probe(self, body: ProbeBody) -> ProbeTaken:
        """Raises ``NotFound``, ``Invalid`` or ``Conflict``."""
        report = body.report()
        note = AuditNote(
            actor=self._actor,
            action="proof.import",
            subject=report.site,
            detail={"host": report.host, "round": report.round, "results": len(report.results)},
        )
        return ProbeTaken.of(report, self._controller.proofs.take(report, audit=note))

    def config_drift(self) -> ConfigDrift:
        return ConfigDrift.of(self._controller.declared.drift())

    # --- emergencies ----------------------------------------------------------------------------------------------

    def withdraw(self, value: str, *, reason: str, ends: datetime, empties: Sequence[str]) -> Emergency:
        office = self._controller.interventions
        return self._emergency(office.withdraw(value, actor=self._actor, reason=reason, ends=ends, empties=empties))

    def switch(self, mode: Mode, sites: Sequence[str], *, reason: str, ends: datetime | None) -> Emergency:
        office = self._controller.interventions
        return self._emergency(office.switch(mode, sites, actor=self._actor, reason=reason, ends=ends))

    def pause(self, sites: Sequence[str], *, reason: str, ends: datetime) -> Emergency:
        office = self._controller.interventions
        return self._emergency(office.pause(sites, actor=self._actor, reason=reason, ends=ends))

    def end_emergency(self, emergency_id: str, *, reason: str) -> Emergency:
        return self._emergency(self._controller.interventions.end(emergency_id, actor=self._actor, reason=reason))

    def emergencies(self, *, everything: bool) -> list[Emergency]:
        found = [self._emergency(one) for one in self._controller.emergencies.all()]
        return [one for one in found if everything or one.active]

    def _emergency(self, found: model.Emergency) -> Emergency:
        return Emergency.of(found, active=found.holds(self.clock.now()))

    # --- reports that go out --------------------------------------------------------------------------------------

    def scheduled_reports(self) -> list[ScheduledReport]:
        return [ScheduledReport.of(one) for one in self._controller.sending.scheduled()]

    def send_report(self, name: str, *, only_make: bool) -> SentReport:
        parcels = self._controller.sending.send_now(name, actor=self._actor, dry_run=only_make)
        return SentReport.of(name, parcels, sent=not only_make)

    # --- identities -----------------------------------------------------------------------------------------------

    def ask_unmasking(self, wanted: UnmaskingRequest) -> Unmasking:
        return self._unmasking(self._controller.privacy.ask(wanted, actor=self._actor))

    def unmaskings(self, *, limit: int) -> list[Unmasking]:
        return [self._unmasking(one) for one in self._controller.privacy.listed(limit=limit)]

    def decide_unmasking(self, name: str, *, approve: bool, reason: str) -> Unmasking:
        decision = UnmaskingState.APPROVED if approve else UnmaskingState.DENIED
        return self._unmasking(self._controller.privacy.decide(name, decision, actor=self._actor, why=reason))

    def end_unmasking(self, name: str) -> Unmasking:
        return self._unmasking(self._controller.privacy.end(name, actor=self._actor, may_decide=True))

    def identities(self, name: str) -> Identities:
        asked, found = self._controller.privacy.identities(name, actor=self._actor)
        return Identities(unmasking=self._unmasking(asked), identities=tuple(map(Unmasked.from_found, found)))

    def _unmasking(self, found: unmasking.Unmasking) -> Unmasking:
        return Unmasking.of(found, now=self.clock.now())

    # --- policy ---------------------------------------------------------------------------------------------------

    def policy_now(self, site: str, at: datetime | None) -> PolicyNow:
        return PolicyNow.of(self._controller.policies.at(site, at))

    def policy_week(self, site: str, day: date | None) -> PolicyWeek:
        return self._controller.policies.week(site, day)

    def what_if(self, site: str, window: Window, policy: str) -> WhatIf:
        """``policy``: the name of one, or a file with one."""
        known = policy in self._controller.inventory.policies or not names_a_file(policy)
        return WhatIf.of(self._controller.policies.what_if(site, window, policy if known else Path(policy)))

    def calendars(self, *, refresh: bool = False) -> list[Calendar]:
        """With ``refresh`` those that are due are asked first."""
        if refresh:
            self._controller.calendars.refresh()
        return [Calendar.of(view, now=self.clock.now()) for view in self._controller.calendars.views()]

    # --- intelligence ---------------------------------------------------------------------------------------------

    def refresh(self, *, force: bool) -> Refreshed:
        result = self._controller.refresh_intel(actor=self._actor, force=force)
        diff, held, previous = result.diff, result.snapshot, result.previous
        return Refreshed(
            pin=Pin.of(result.pin) if result.pin else None,
            waiting=result.waiting.id if result.waiting else None,
            changed=result.changed,
            snapshot=Snapshot.of(held, owners=self._controller.owners, indicators=False) if held else None,
            previous=previous.id if previous else None,
            added=tuple(change.entry for change in diff.added) if diff else None,
            removed=tuple(change.entry for change in diff.removed) if diff else None,
            sources=tuple(self._sources()),
        )

    def sources(self) -> list[Source]:
        return self._sources()

    def _sources(self) -> list[Source]:
        return Source.all_of(self._controller.sources(), self._controller.troubles())

    def trust(self, source: str, *, reason: str) -> Source:
        record = self._controller.trust_source(source, actor=self._actor, reason=reason)
        return Source.all_of([record], self._controller.troubles([record]))[0]

    def snapshot(self, snapshot_id: str | None, *, indicators: bool, choice: Choice) -> Snapshot:
        """``choice`` is of the indicators."""
        found, owners = self._controller.snapshot(snapshot_id), self._controller.owners
        if not choice.is_all:
            found = replace(found, indicators=tuple(i for i in found.indicators if choice.takes(i, owners)))
        return Snapshot.of(found, owners=owners, indicators=indicators, pin=self._controller.pin())

    def snapshots(self, *, limit: int) -> list[SnapshotHead]:
        return [SnapshotHead.of(summary) for summary in self._controller.snapshots(limit=limit)]

    def compared(self, old: str | None, new: str | None) -> Difference | None:
        """To the current one when left out, from the one before it; None: there is none before it."""
        later = self._controller.snapshot(new)
        if (named := old or later.parent) is None:
            return None
        before = self._controller.snapshot(named).id
        return Difference.of(before, later.id, self._controller.diff_snapshots(before, later.id))

    def origin_drift(self, old: str | None, new: str | None) -> list[OriginChange]:
        return [OriginChange.of(change) for change in self._controller.origin_drift(old, new)]

    def pinned(self) -> Pin | None:
        pin = self._controller.pin()
        return None if pin is None else Pin.of(pin)

    def pin(self, snapshot_id: str, *, reason: str) -> Pin:
        return Pin.of(self._controller.pin_snapshot(snapshot_id, actor=self._actor, reason=reason))

    def roll_back(self, *, reason: str, expected: str | None) -> Pin:
        return Pin.of(self._controller.roll_back(actor=self._actor, reason=reason, expected=expected))

    def unpin(self, *, reason: str) -> Pin:
        """The pin that was."""
        return Pin.of(self._controller.unpin_snapshot(actor=self._actor, reason=reason))

    def explain(self, question: str, *, at: datetime | None) -> Explanation:
        return Explanation.of(self._controller.explain(question, at=at))

    def scoreboard(self) -> Scoreboard:
        return Scoreboard.of(self._controller.scoreboard())

    # --- what was seen --------------------------------------------------------------------------------------------

    def check(self, source: str, destination: str, *, at: datetime | None, site: str | None) -> Check:
        return Check.of(self._controller.flows.check(source, destination, at=at, site=site))

    def events(self, wanted: EventQuery, *, limit: int) -> tuple[list[Event], bool]:
        """The newest, at most ``limit`` (0: all), and whether there are more."""
        found, more = _newest(lambda at: self._controller.events(replace(wanted, cursor=at)), limit)
        return [Event.of(event) for event in found], more

    def episodes(self, wanted: EpisodeQuery, *, limit: int) -> tuple[list[Episode], bool]:
        """The newest, at most ``limit`` (0: all), and whether there are more."""
        found, more = _newest(lambda at: self._controller.evidence.find(replace(wanted, cursor=at)), limit)
        return [Episode.of(episode) for episode in found], more

    def episode(self, name: str) -> Episode:
        return Episode.of(self._controller.evidence.one(name))

    def cuts(self, wanted: CutQuery, *, limit: int) -> list[Cut]:
        return [Cut.of(cut) for cut in self._controller.cuts.find(wanted, limit=limit)]

    def retention(self) -> list[SiteRetention]:
        return [SiteRetention.of(found) for found in self._controller.retention.look()]

    def exports(self) -> list[Export]:
        return [Export.of(view) for view in self._controller.exports.views()]

    def replay_export(self, name: str, *, since: datetime) -> int:
        """How many entries are gone through again. Raises ``NotFound``, ``Invalid``."""
        return self._controller.exports.replay(name, since=since, actor=self._actor)

    def alerts(self, wanted: AlertQuery, *, limit: int) -> list[Alert]:
        return [Alert.of(alert) for alert in self._controller.alerts(limit=limit, wanted=wanted)]

    def quarantine(self, wanted: QuarantineQuery, *, limit: int) -> list[SetAside]:
        return [SetAside.of(one) for one in self._controller.receiving.find(wanted, limit=limit)]

    # --- how long it held ------------------------------------------------------------------------------------------

    def fleet_coverage(self) -> FleetCoverage:
        return FleetCoverage.of(self._controller.coverage.fleet())

    def site_coverage(self, site: str, window: Window, by: By) -> SiteCoverage:
        here = self._controller
        return SiteCoverage.of(here.coverage.site(site, window), here.roles.of(site, window), by)

    def slo(self) -> Slo:
        """Raises ``Conflict`` when nothing is promised."""
        return Slo.of(self._controller.coverage.budget())

    # --- evidence for auditors ------------------------------------------------------------------------------------

    def make_pack(self, wish: PackWish, *, key: SigningKey | None, until_now: bool) -> Pack:
        """``key``: instead of the one of the settings. ``until_now``: no end was named."""
        return self._controller.packs.export(wish, actor=self._actor, key=key)

    def sample(self, window: Window, sites: Sequence[str], *, seed: str, count: int) -> dict[str, Any]:
        """Days of sites, drawn by the seed and signed by nobody; all sites when none is named. Raises ``NotFound``."""
        chosen = [self.site(name) for name in sites] or None
        return self._controller.packs.sample(window, seed=seed, count=count, sites=chosen)

    def reconcile(self, window: Window, sites: Sequence[str], listed: ListedFile | None) -> Reconciliation:
        """``listed``: a list of endpoints; None: as evidence told. Raises ``NotFound``, ``Invalid``."""
        from controller.reconcile_desk import EndpointList

        sent = None
        if listed is not None:
            home = self.site(listed.site) if listed.site else None
            stream = io.BytesIO(listed.data)
            sent = EndpointList(name=listed.name, stream=stream, format=listed.format, site=home)
        return Reconciliation.of(self._controller.reconciling.reconcile(window, tuple(sites), sent))

    # --- lists that firewalls pull --------------------------------------------------------------------------------

    def feeds(self, *, stale: bool, group: str | None) -> list[Feed]:
        if group is not None:
            self._controller.feeds.group(group)
        views = self._controller.feeds.views()
        return [Feed.of(v) for v in views if (v.stale or not stale) and group in (None, v.group)]

    def feed_device(self, name: str) -> FeedDevice:
        desk, device = self._controller.feeds, self._controller.inventory.device(name)
        return FeedDevice.of(device, views=desk.views_of(name), pulls=desk.pulls(name), tokens=desk.tokens(name))

    def feed_text(self, device: str, name: str) -> str:
        """One list as it is served."""
        return self._controller.feeds.list_text(device, name).decode()

    def feed_groups(self) -> list[FeedGroup]:
        desk = self._controller.feeds
        return [FeedGroup.of(group, desk.tokens(group.name)) for group in desk.groups()]

    # --- access ---------------------------------------------------------------------------------------------------

    def people(self) -> list[Person]:
        return [Person.of(person) for person in self._controller.people.all()]

    def edit_person(
        self,
        name: str,
        *,
        reason: str,
        title: str | None,
        roles: Sequence[AccessRole] | None,
        sites: Sequence[str] | None,
        everywhere: bool,
    ) -> Person:
        changed = self._controller.people.edit(
            name, actor=self._actor, reason=reason, title=title, roles=roles, sites=sites, everywhere=everywhere
        )
        return Person.of(changed)

    def unlock_person(self, name: str) -> Person:
        return Person.of(self._controller.people.unlock(name, actor=self._actor))

    def disable_person(self, name: str, *, reason: str) -> Person:
        return Person.of(self._controller.people.disable(name, actor=self._actor, reason=reason))

    def enable_person(self, name: str, *, reason: str) -> Person:
        return Person.of(self._controller.people.enable(name, actor=self._actor, reason=reason))

    def sign_out_person(self, name: str) -> int:
        """How many sessions were ended."""
        return self._controller.people.sign_out_everywhere(name, actor=self._actor)

    def sessions(self, person: str | None, *, is_open: bool) -> list[Session]:
        return [Session.of(one) for one in self._controller.people.sessions(person, is_open=is_open)]

    def tokens(self, *, mine: bool = False) -> list[model.Token]:
        _refuse_mine(mine)
        return self._controller.tokens()

    def create_token(
        self,
        name: str,
        scopes: Iterable[model.Scope],
        lifetime: timedelta,
        *,
        sites: Iterable[str] | None,
        owner: str | None,
        mine: bool = False,
    ) -> tuple[model.Token, Secret]:
        """``mine``: for whoever asks. Raises ``Invalid`` here, where nobody is signed in."""
        _refuse_mine(mine)
        return self._controller.create_token(name, scopes, lifetime, actor=self._actor, sites=sites, owner=owner)

    def rotate_token(self, id_or_name: str, *, overlap: timedelta, mine: bool = False) -> tuple[model.Token, Secret]:
        _refuse_mine(mine)
        return self._controller.rotate_token(id_or_name, actor=self._actor, overlap=overlap)

    def revoke_token(self, id_or_name: str, *, mine: bool = False) -> model.Token:
        _refuse_mine(mine)
        return self._controller.revoke_token(id_or_name, actor=self._actor)

    def audit(self, *, limit: int, wanted: AuditQuery) -> list[model.AuditEntry]:
        return self._controller.audit(limit=limit, wanted=wanted)

    def export_audit(self, *, after: int) -> Iterator[str]:
        return self._controller.export_audit(after=after)

    def verify_audit(self) -> list[str]:
        return self._controller.verify_audit()

    # --- reports --------------------------------------------------------------------------------------------------

    def site_report(self, site: str, asked: Span) -> dict[str, Any]:
        return self._controller.site_report(site, self._span(asked, site)).to_json()

    def fleet_report(self, asked: Span) -> dict[str, Any]:
        return self._controller.fleet_report(self._span(asked)).to_json()

    def site_page(self, site: str, asked: Span, form: Page) -> bytes:
        return rendered(self._controller.site_report(site, self._span(asked, site)), Form(form.value))

    def fleet_page(self, asked: Span, form: Page) -> bytes:
        return rendered(self._controller.fleet_report(self._span(asked)), Form(form.value))

    def _span(self, asked: Span, site: str | None = None) -> Window | Asked:
        if isinstance(asked, Window):
            return asked
        return self._controller.reports.range(asked.text, site=site, zone=asked.zone)


def names_a_file(policy: str) -> bool:
    """Whether a policy is told by a file rather than by its name."""
    return "/" in policy or Path(policy).exists()


def _newest(page_at: Callable[[str | None], Stored[T]], limit: int) -> tuple[list[T], bool]:
    """The first of a list, at most ``limit`` (0: all), and whether there are more."""
    found: list[T] = []
    cursor = None
    while True:
        page = page_at(cursor)
        found += page.items
        cursor = page.next_cursor
        if (limit and len(found) >= limit) or cursor is None:
            over = bool(limit) and len(found) > limit
            return found[: limit or None], over or cursor is not None


def _refuse_mine(mine: bool) -> None:
    if mine:
        hint = "name the person by --owner; or set TOKGATE_URL, and TOKGATE_TOKEN to one of yours"
        raise Invalid("--mine: nobody is signed in on the machine itself", hint=hint)
