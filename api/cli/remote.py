"""The server of another machine, as far as its REST API goes: whom a command asks when ``TOKGATE_URL`` is set.

It answers as the controller here does, so that a command prints the same. What is only begun there (runs, refreshes,
readings of devices) is followed to its end.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast
from urllib.parse import quote

from api.audit_models import AuditVerdict
from api.check_models import Check
from api.cli.counterpart import Counterpart, ListedFile, Refreshed, Span, names_a_file
from api.cli.errors import NoAnswer, NotOurs, Untrusted, as_error, error_of
from api.cli.opening import URL
from api.cli.options import Page
from api.cli.remote_desks import RemoteExceptions, RemoteWebhooks
from api.cli.remote_values import made, run_of, told, week_of, without_none
from api.cli.show import note
from api.client import ApiError, Client, NotFound, TooMany, Unavailable, Unreachable
from api.client import NotOurs as AnswerNotOurs
from api.client import Untrusted as ServerUntrusted
from api.client.calling import is_token
from api.config_models import ConfigDrift
from api.coverage_models import By, FleetCoverage, SiteCoverage, Slo
from api.device_models import Device, Doctor, Site
from api.emergency_models import Emergency
from api.episode_models import Episode
from api.event_models import Alert, Cut, Event
from api.export_models import Export
from api.feed_models import Feed, FeedDevice, FeedGroup
from api.intel_models import Explanation, OriginChange
from api.job_models import Job, JobState
from api.models import show_time
from api.pack_models import PackMade
from api.people_models import Person, Session, SignedOut
from api.policy_models import Calendar, PolicyNow, WhatIf
from api.proof_models import ProbeBody, ProbeTaken, ProofField, ProvenDevice, ProvenDevices
from api.quarantine_models import SetAside
from api.reconcile_models import Reconciliation
from api.retention_models import SiteRetention
from api.run_models import DeviceDrift, DriftedDevice, Plan, PlannedDevice, Plans
from api.sending_models import ScheduledReport, SentReport
from api.snapshot_models import Difference, Indicator, Pin, Snapshot, SnapshotHead
from api.source_models import Refresh, Scoreboard, Source
from api.token_models import NewToken, Token
from api.unmasking_models import Identities, Unmasking
from controller import audit_export, model
from controller.audit import Head
from controller.errors import Conflict, Invalid
from controller.inventory.proposals import read_proposal
from controller.model import Mode, Window
from controller.pack_desk import Pack
from controller.packs.sealing import unzipped
from controller.privacy_desk import UnmaskingRequest
from controller.refreshing import Ending
from controller.store import AlertQuery, AuditQuery, CutQuery, EpisodeQuery, EventQuery, QuarantineQuery, RunQuery
from controller.views import Selection
from core.clock import SystemClock
from core.errors import ConfigError, TokgateError
from core.ids import DeviceName, SiteName
from core.secret import Secret
from ipsets.choice import Choice
from ipsets.minisign import read_public_key

if TYPE_CHECKING:
    from controller.access_roles import AccessRole
    from controller.pack_desk import PackWish
    from controller.policy_week import PolicyWeek
    from ipsets.minisign import SigningKey

TOKEN: Final = "TOKGATE_TOKEN"  # noqa: S105 - the variable's name
TOKEN_FILE: Final = "TOKGATE_TOKEN_FILE"  # noqa: S105
PAGE: Final = 500
LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.1, 2.0
"""How often it is asked what became of what the server does: seldomer, the longer it takes."""


@contextmanager
def counterpart(url: str) -> Iterator[Counterpart]:
    """Raises ``ConfigError``, and what the server refuses as the error that it names."""
    try:
        client = Client(url, token(), sleep=_wait)
    except ValueError as exc:
        raise ConfigError(f"{URL}: {exc}") from exc
    with client:
        try:
            yield Remote(client)
        except ApiError as exc:
            raise as_ours(exc) from exc


def _wait(seconds: float) -> None:
    note(f"{URL}: asking again in {seconds:g} s")
    time.sleep(seconds)


def token() -> str:
    """From the environment or a file, never the command line. Raises ``ConfigError``, without what stands there."""
    where, text = _written()
    if not is_token(text):
        raise ConfigError(f"{where} holds no token", hint="one line as `tokgate token create` printed it")
    return text


def _written() -> tuple[str, str]:
    if text := os.environ.get(TOKEN, "").strip():
        return TOKEN, text
    if not (place := os.environ.get(TOKEN_FILE)):
        raise ConfigError(f"{URL} is set, and no token", hint=f"set {TOKEN}, or {TOKEN_FILE} to a file that holds it")
    try:
        return f"{TOKEN_FILE}: {place}", Path(place).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{TOKEN_FILE}: {place} cannot be read: {type(exc).__name__}") from exc


def as_ours(error: ApiError) -> TokgateError:
    """With the code, the hint and the exit code that the same failure has here."""
    match error:
        case ServerUntrusted():
            hint = "use the name that it is for; SSL_CERT_FILE names the authorities to trust, as a file of PEM"
            return Untrusted(error.message, hint=hint)
        case Unreachable():
            hint = f"is {URL} right, and does the server run? Look whether it was done before you try again"
            return NoAnswer(error.message, hint=hint)
        case AnswerNotOurs():
            return NotOurs(error.message, hint=_ELSEWHERE)
        case TooMany() | Unavailable() if error.retry_after is not None:
            hint = "; ".join(word for word in (error.hint, f"ask again in {error.retry_after:g} s") if word)
        case _:
            request = f"request {error.request_id}" if error.request_id and error.status >= 500 else ""
            hint = "; ".join(word for word in (error.hint, request) if word)
    if not error.code:
        return NotOurs(error.message, hint=hint or _ELSEWHERE)
    return error_of(error.code, error.message, hint=hint)


_ELSEWHERE: Final = f"is {URL} right? Something in between may have answered"


class Remote(Counterpart):
    """The server behind a client. Raises ``ApiError``, and ``TokgateError`` for what it did in vain."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._finished = 0
        self.clock = SystemClock()
        self.exceptions = RemoteExceptions(client)  # type: ignore[assignment]  # as much of the desk as commands use
        self.webhooks = RemoteWebhooks(client)  # type: ignore[assignment]

    # --- sites and devices ----------------------------------------------------------------------------------------

    def site(self, name: str) -> SiteName:
        return SiteName(told(Site, self._client.sites.get_site(name)).name)

    def device(self, name: str) -> DeviceName:
        return DeviceName(told(Device, self._client.devices.get_device(name)).name)

    def devices(self) -> list[Device]:
        return [told(Device, one) for one in self._client.devices.list_devices(limit=PAGE)]

    def doctor(self, device: str) -> Doctor:
        return told(Doctor, self._work(f"/devices/{quote(device, safe='')}/doctor"))

    # --- plans and runs -------------------------------------------------------------------------------------------

    def plan(self, selection: Selection, *, force: bool) -> list[PlannedDevice]:
        body = _chosen(selection) | ({"force": True} if force else {})
        return [*told(Plans, self._work("/plans", body)).items]

    def stored_plan(self, plan_id: str) -> Plan:
        return told(Plan, self._client.plans.get_plan(plan_id))

    def frozen(self, site: str) -> str | None:
        freeze = self.policy_now(site, None).freeze
        return None if freeze is None else str(freeze)

    def apply(self, plans: Iterable[str], *, reason: str, override_freeze: bool) -> model.Run:
        body: Any = {"kind": "apply", "plans": [*plans], "reason": reason, "override_freeze": override_freeze}
        return self._followed(run_of(self._client.runs.start_run(body)))

    def progress(self) -> Callable[[], int]:
        return lambda: self._finished

    def runs(self, wanted: RunQuery | None = None, *, limit: int) -> list[model.Run]:
        asked = wanted or RunQuery()
        found = self._client.runs.list_runs(
            site=asked.site, device=asked.device, trigger=asked.trigger, limit=min(limit, PAGE)
        )
        return [run_of(one) for one in islice(found, limit)]

    def run(self, run_id: str) -> model.Run:
        return run_of(self._client.runs.get_run(run_id))

    def drift(self, selection: Selection) -> list[DriftedDevice]:
        return [*told(DeviceDrift, self._work("/drift", _chosen(selection))).items]

    def proofs(self, site: str | None) -> list[ProofField]:
        return [told(ProofField, one) for one in self._client.proofs.matrix(site=site, limit=PAGE)]

    def prove(self, selection: Selection) -> list[ProvenDevice]:
        return [*told(ProvenDevices, self._work("/proofs/run", _chosen(selection))).items]

    def take_probe(self, body: ProbeBody) -> ProbeTaken:
        return told(ProbeTaken, self._client.proofs.bring(cast("Any", body.model_dump(mode="json"))))

    def config_drift(self) -> ConfigDrift:
        return told(ConfigDrift, self._client.config.config_drift())

    def _followed(self, run: model.Run) -> model.Run:
        """Once it has ended. Who does not wait that long is told that it goes on."""
        try:
            for _ in _looks():
                self._finished = sum(part.finished_at is not None for part in run.devices)
                if run.finished_at is not None:
                    break
                run = self.run(run.id)
        except (KeyboardInterrupt, ApiError):
            note(f"run {run.id} goes on at the server: `tokgate runs show {run.id}` tells what became of it")
            raise
        return run

    def _work(self, path: str, body: Any = None) -> Any:
        """What a call answers that reads devices: begun there, and asked about until it is done.

        Raises ``TokgateError``: it failed.
        """
        return self._ended(told(Job, self._client.call("POST", path, headers={"Prefer": "respond-async"}, body=body)))

    def _ended(self, job: Job) -> Any:
        """What came of a job. Raises ``TokgateError``: it failed."""
        for _ in _looks():
            if job.state is not JobState.RUNNING:
                break
            job = told(Job, self._client.jobs.get_job(job.id))
        if job.error is not None:
            raise as_error(job.error)
        return job.result

    # --- emergencies ----------------------------------------------------------------------------------------------

    def withdraw(self, value: str, *, reason: str, ends: datetime, empties: Sequence[str]) -> Emergency:
        said = {"value": value, "reason": reason, "ends": show_time(ends)}
        return self._act({"kind": "withdraw", **said, **({"empties": [*empties]} if empties else {})})

    def switch(self, mode: Mode, sites: Sequence[str], *, reason: str, ends: datetime | None) -> Emergency:
        until = {} if ends is None else {"ends": show_time(ends)}
        return self._act({"kind": "switch", "mode": mode.value, "sites": [*sites], "reason": reason, **until})

    def pause(self, sites: Sequence[str], *, reason: str, ends: datetime) -> Emergency:
        return self._act({"kind": "pause", "sites": [*sites], "reason": reason, "ends": show_time(ends)})

    def end_emergency(self, emergency_id: str, *, reason: str) -> Emergency:
        return told(Emergency, self._client.emergencies.end_emergency(emergency_id, {"reason": reason}))

    def emergencies(self, *, everything: bool) -> list[Emergency]:
        found = self._client.emergencies.list_emergencies(active=None if everything else True, limit=PAGE)
        return [told(Emergency, one) for one in found]

    def _act(self, body: Any) -> Emergency:
        return told(Emergency, self._client.emergencies.act(body))

    # --- reports that go out --------------------------------------------------------------------------------------

    def scheduled_reports(self) -> list[ScheduledReport]:
        return [told(ScheduledReport, one) for one in self._client.reports.scheduled_reports(limit=PAGE)]

    def send_report(self, name: str, *, only_make: bool) -> SentReport:
        return told(
            SentReport, self._ended(told(Job, self._client.reports.send_report(name, {"only_make": only_make})))
        )

    # --- identities -----------------------------------------------------------------------------------------------

    def ask_unmasking(self, wanted: UnmaskingRequest) -> Unmasking:
        body: Any = {
            "site": wanted.site,
            "since": show_time(wanted.since),
            "until": show_time(wanted.until),
            "pseudonym": wanted.pseudonym,
            "reason": wanted.reason,
            "ticket": wanted.ticket,
            "hours": wanted.hours,
        }
        return told(Unmasking, self._client.unmaskings.ask_unmasking(body))

    def unmaskings(self, *, limit: int) -> list[Unmasking]:
        found = self._client.unmaskings.list_unmaskings(limit=min(limit, PAGE))
        return [told(Unmasking, one) for one in islice(found, limit)]

    def decide_unmasking(self, name: str, *, approve: bool, reason: str) -> Unmasking:
        if approve:
            return told(Unmasking, self._client.unmaskings.approve_unmasking(name, {"reason": reason}))
        return told(Unmasking, self._client.unmaskings.deny_unmasking(name, {"reason": reason}))

    def end_unmasking(self, name: str) -> Unmasking:
        return told(Unmasking, self._client.unmaskings.end_unmasking(name))

    def identities(self, name: str) -> Identities:
        return told(Identities, self._client.unmaskings.identities(name))

    # --- policy ---------------------------------------------------------------------------------------------------

    def policy_now(self, site: str, at: datetime | None) -> PolicyNow:
        return told(PolicyNow, self._client.sites.policy_at(site, at=_time(at)))

    def policy_week(self, site: str, day: date | None) -> PolicyWeek:
        return week_of(self._client.sites.calendar(site, week=None if day is None else day.isoformat()))

    def what_if(self, site: str, window: Window, policy: str) -> WhatIf:
        said = {"policy": policy} if not names_a_file(policy) else {"proposed": _proposal(Path(policy))}
        body: Any = {"from": show_time(window.start), "to": show_time(window.end), **said}
        found: Any = self._client.sites.what_if(site, body)
        answer = told(WhatIf, {**found, "start": found.get("from"), "end": found.get("to")})
        return answer if "policy" in said else answer.model_copy(update={"policy": policy})

    def calendars(self, *, refresh: bool = False) -> list[Calendar]:
        return [told(Calendar, one) for one in self._client.calendars.list_calendars(limit=PAGE)]

    # --- intelligence ---------------------------------------------------------------------------------------------

    def refresh(self, *, force: bool) -> Refreshed:
        done = told(Refresh, self._client.intel.refresh({"force": force}))
        for _ in _looks():
            if done.ending is not Ending.RUNNING:
                break
            done = told(Refresh, self._client.intel.get_refresh(done.id))
        if done.error is not None:
            raise as_error(done.error)
        found = self._changed(done)
        return Refreshed(
            pin=self.pinned(),
            waiting=done.waiting,
            changed=done.ending is Ending.CHANGED,
            snapshot=self._snapshot(done.snapshot, indicators=False) if done.snapshot else None,
            previous=done.previous,
            added=None if found is None else tuple(change.entry for change in found.added),
            removed=None if found is None else tuple(change.entry for change in found.removed),
            sources=tuple(self.sources()),
        )

    def _changed(self, done: Refresh) -> Difference | None:
        """From what was in force to what is, or waits for a pin; None when there is no other."""
        new = done.waiting or (done.snapshot if done.ending is Ending.CHANGED else None)
        if done.previous is None or new is None:
            return None
        return told(Difference, self._client.snapshots.diff(done.previous, new))

    def sources(self) -> list[Source]:
        return [told(Source, one) for one in self._client.sources.list_sources(limit=PAGE)]

    def trust(self, source: str, *, reason: str) -> Source:
        return told(Source, self._client.intel.trust({"source": source, "reason": reason}))

    def snapshot(self, snapshot_id: str | None, *, indicators: bool, choice: Choice) -> Snapshot:
        if choice.is_all:
            return self._snapshot(snapshot_id, indicators=indicators)
        found = self._snapshot(snapshot_id, indicators=False)
        chosen = self._client.intel.show_indicators(
            snapshot=found.id,
            app=choice.app,
            owner=choice.owner,
            category=choice.category,
            source=choice.source,
            q=choice.text,
            limit=PAGE,
        )
        return found.model_copy(update={"indicators": tuple(told(Indicator, one) for one in chosen)})

    def _snapshot(self, snapshot_id: str | None, *, indicators: bool) -> Snapshot:
        routes = self._client.snapshots
        if snapshot_id is None:
            return told(Snapshot, routes.current(indicators=indicators))
        return told(Snapshot, routes.get_snapshot(snapshot_id, indicators=indicators))

    def snapshots(self, *, limit: int) -> list[SnapshotHead]:
        found = islice(self._client.snapshots.list_snapshots(limit=min(limit, PAGE)), limit)
        return [told(SnapshotHead, one) for one in found]

    def compared(self, old: str | None, new: str | None) -> Difference | None:
        later = self._snapshot(new, indicators=False)
        before = old or later.parent
        return None if before is None else told(Difference, self._client.snapshots.diff(before, later.id))

    def origin_drift(self, old: str | None, new: str | None) -> list[OriginChange]:
        return [told(OriginChange, one) for one in self._client.intel.origin_drift(old=old, new=new)["items"]]

    def pinned(self) -> Pin | None:
        """What is pinned is in force."""
        return self._snapshot(None, indicators=False).pin

    def pin(self, snapshot_id: str, *, reason: str) -> Pin:
        return told(Pin, self._client.intel.pin({"snapshot": snapshot_id, "reason": reason}))

    def roll_back(self, *, reason: str, expected: str | None) -> Pin:
        leaving = expected or self._snapshot(None, indicators=False).id
        body: Any = {"from": leaving, "reason": reason}
        return told(Pin, self._client.intel.roll_back(body))

    def unpin(self, *, reason: str) -> Pin:
        return told(Pin, self._client.intel.unpin({"reason": reason}))

    def explain(self, question: str, *, at: datetime | None) -> Explanation:
        return told(Explanation, self._client.intel.explain(q=question, at=_time(at)))

    def scoreboard(self) -> Scoreboard:
        return told(Scoreboard, self._client.intel.scoreboard())

    # --- what was seen --------------------------------------------------------------------------------------------

    def check(self, source: str, destination: str, *, at: datetime | None, site: str | None) -> Check:
        return told(Check, self._client.check.check(src=source, dst=destination, at=_time(at), site=site))

    def events(self, wanted: EventQuery, *, limit: int) -> tuple[list[Event], bool]:
        found = self._client.events.list_events(
            site=wanted.site,
            device=wanted.device,
            action=wanted.action.value if wanted.action else None,
            exception=wanted.exception,
            pseudonym=wanted.pseudonym,
            since=_time(wanted.since),
            until=_time(wanted.until),
            limit=wanted.limit,
        )
        events = [told(Event, one) for one in islice(found, limit + 1 if limit else None)]
        return events[: limit or None], bool(limit) and len(events) > limit

    def episodes(self, wanted: EpisodeQuery, *, limit: int) -> tuple[list[Episode], bool]:
        (kind,) = wanted.kinds or (None,)
        found = self._client.episodes.list_episodes(
            site=wanted.site,
            device=wanted.device,
            kind=kind.value if kind else None,
            action=wanted.action.value if wanted.action else None,
            source=wanted.source,
            host=wanted.host,
            user=wanted.user,
            pseudonym=wanted.pseudonym,
            app=wanted.app,
            exception=wanted.exception,
            confidence=wanted.confidence,
            since=_time(wanted.since),
            until=_time(wanted.until),
            limit=wanted.limit,
        )
        episodes = [told(Episode, one) for one in islice(found, limit + 1 if limit else None)]
        return episodes[: limit or None], bool(limit) and len(episodes) > limit

    def episode(self, name: str) -> Episode:
        return told(Episode, self._client.episodes.get_episode(name))

    def cuts(self, wanted: CutQuery, *, limit: int) -> list[Cut]:
        found = self._client.events.list_cuts(
            site=wanted.site,
            device=wanted.device,
            since=_time(wanted.since),
            until=_time(wanted.until),
            limit=min(limit, PAGE),
        )
        return [told(Cut, one) for one in islice(found, limit)]

    def retention(self) -> list[SiteRetention]:
        return [told(SiteRetention, one) for one in self._client.retention.list_retention(limit=PAGE)]

    def exports(self) -> list[Export]:
        return [told(Export, one) for one in self._client.exports.list_exports()]

    def replay_export(self, name: str, *, since: datetime) -> int:
        return int(self._client.exports.replay_export(name, {"since": show_time(since)})["entries"])

    def alerts(self, wanted: AlertQuery, *, limit: int) -> list[Alert]:
        found = self._client.events.list_alerts(kind=wanted.kind, since=_time(wanted.since), limit=min(limit, PAGE))
        return [told(Alert, one) for one in islice(found, limit)]

    def quarantine(self, wanted: QuarantineQuery, *, limit: int) -> list[SetAside]:
        found = self._client.evidence.list_quarantine(
            why=wanted.why.value if wanted.why else None,
            site=wanted.site,
            since=_time(wanted.since),
            limit=min(limit, PAGE),
        )
        return [told(SetAside, one) for one in islice(found, limit)]

    # --- how long it held ------------------------------------------------------------------------------------------

    def fleet_coverage(self) -> FleetCoverage:
        return told(FleetCoverage, self._client.coverage.fleet())

    def site_coverage(self, site: str, window: Window, by: By) -> SiteCoverage:
        span = {"from_": show_time(window.start), "to": show_time(window.end)}
        return told(SiteCoverage, self._client.coverage.site(site, **span, by=by.value))

    def slo(self) -> Slo:
        return told(Slo, self._client.coverage.slo())

    # --- evidence for auditors ------------------------------------------------------------------------------------

    def make_pack(self, wish: PackWish, *, key: SigningKey | None, until_now: bool) -> Pack:
        """Raises ``Invalid`` for what is not done over the API; ``NotOurs`` when what came is not what was made."""
        _refuse_here_alone(wish, key)
        body: Any = {"from": show_time(wish.window.start), "sites": [*wish.sites], "regulation": wish.regulation}
        body |= {"pdf": True} if wish.pdf else {}
        if wish.sample is not None:
            body |= {"sample": {"seed": wish.sample.seed, "site_days": wish.sample.count}}
        until = {} if until_now else {"to": show_time(wish.window.end)}
        found = told(PackMade, self._ended(told(Job, self._client.packs.make_pack(body | until))))
        data = self._client.content(f"/packs/{found.id}")
        if hashlib.sha256(data).hexdigest() != found.sha256:
            raise NotOurs("the pack that came is not the one that was made", hint="try again")
        key_of = read_public_key(found.public_key)
        return Pack(files=unzipped(data), key=key_of, sites=tuple(map(SiteName, found.sites)))

    def reconcile(self, window: Window, sites: Sequence[str], listed: ListedFile | None) -> Reconciliation:
        """Raises ``Invalid`` for a list that is none in UTF-8."""
        span = {"from": show_time(window.start), "to": show_time(window.end)}
        if listed is None and len(sites) < 2:
            found: Any = self._client.call("GET", "/reconciliation", query={"site": next(iter(sites), None), **span})
        elif listed is None:
            raise Invalid("--site: one at a time over the API", hint="or none: every site")
        else:
            try:
                text = listed.data.decode("utf-8-sig")
            except UnicodeDecodeError as exc:
                raise Invalid(f"{listed.name}: not UTF-8 at byte {exc.start}") from exc
            said = {"name": listed.name, "list": text, "format": listed.format, "site": listed.site, "sites": [*sites]}
            found = self._client.call("POST", "/reconciliation", body={**said, **span})
        return told(Reconciliation, {**found, "start": found.get("from"), "end": found.get("to")})

    # --- lists that firewalls pull --------------------------------------------------------------------------------

    def feeds(self, *, stale: bool, group: str | None) -> list[Feed]:
        found = self._client.feeds.list_feeds(stale=True if stale else None, group=group, limit=PAGE)
        return [told(Feed, one) for one in found]

    def feed_device(self, name: str) -> FeedDevice:
        return told(FeedDevice, self._client.feeds.get_feeds(name))

    def feed_groups(self) -> list[FeedGroup]:
        return [told(FeedGroup, one) for one in self._client.feed_groups.list_groups(limit=PAGE)]

    # --- access ---------------------------------------------------------------------------------------------------

    def people(self) -> list[Person]:
        return [told(Person, one) for one in self._client.people.list_people(limit=PAGE)]

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
        said = without_none({"title": title, "roles": roles and [*roles], "sites": sites and [*sites]})
        body: Any = {**said, **({"sites": None} if everywhere else {}), "reason": reason}
        return told(Person, self._client.people.edit_person(name, body))

    def unlock_person(self, name: str) -> Person:
        return told(Person, self._client.people.unlock_person(name))

    def disable_person(self, name: str, *, reason: str) -> Person:
        return told(Person, self._client.people.disable_person(name, {"reason": reason}))

    def enable_person(self, name: str, *, reason: str) -> Person:
        return told(Person, self._client.people.enable_person(name, {"reason": reason}))

    def sign_out_person(self, name: str) -> int:
        return told(SignedOut, self._client.people.sign_out_person(name)).sessions

    def sessions(self, person: str | None, *, is_open: bool) -> list[Session]:
        if person is not None:
            self._client.people.get_person(person)
        found = self._client.sessions.list_sessions(person=person, open=is_open, order="asc", limit=PAGE)
        return [told(Session, one) for one in found]

    def tokens(self, *, mine: bool = False) -> list[model.Token]:
        asked = self._client.me.my_tokens if mine else self._client.tokens.list_tokens
        return [made(model.Token, found) for found in asked(limit=PAGE)]

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
        body: Any = {"name": name, "scopes": [scope.value for scope in scopes], "days": lifetime.days}
        more = {"sites": None if sites is None else [*sites], "owner": owner}
        ask = self._client.me.make_my_token if mine else self._client.tokens.create_token
        return _secret(ask(body | without_none(more)))

    def rotate_token(self, id_or_name: str, *, overlap: timedelta, mine: bool = False) -> tuple[model.Token, Secret]:
        hours = int(overlap.total_seconds()) // 3600
        rotate = self._client.me.rotate_my_token if mine else self._client.tokens.rotate_token
        return _secret(rotate(self._token(id_or_name, mine=mine), {"overlap_hours": hours}))

    def revoke_token(self, id_or_name: str, *, mine: bool = False) -> model.Token:
        revoke = self._client.me.revoke_my_token if mine else self._client.tokens.revoke_token
        return made(model.Token, revoke(self._token(id_or_name, mine=mine)))

    def _token(self, id_or_name: str, *, mine: bool = False) -> str:
        listed = self._client.me.my_tokens() if mine else self._client.tokens.list_tokens(usable=True)
        usable = [one for one in (told(Token, each) for each in listed) if one.revoked_at is None]
        found = next((one.id for one in usable if id_or_name in (one.id, one.name)), None)
        if found is None:
            raise NotFound({"code": "TG5001", "detail": f"no usable token {id_or_name[:40]!r}"})
        return found

    def audit(self, *, limit: int, wanted: AuditQuery) -> list[model.AuditEntry]:
        found = self._client.audit.list_entries(
            actor=wanted.actor,
            action=wanted.action,
            subject=wanted.subject,
            q=wanted.text,
            since=_time(wanted.since),
            until=_time(wanted.until),
            limit=min(limit, PAGE),
        )
        return [made(model.AuditEntry, entry) for entry in islice(found, limit)]

    def export_audit(self, *, after: int) -> Iterator[str]:
        """The log there as it stands now; its ``instance`` is the address that was asked. Raises ``NotFound``."""
        newest = next(self._audit_entries(limit=1, order="desc"), None)
        head = Head() if newest is None else Head(seq=newest.seq, hash=newest.hash)
        before, entries = self._audit_behind(after, head)
        return audit_export.write(before, entries, head, at=self.clock.now(), instance=os.environ[URL])

    def _audit_behind(self, after: int, head: Head) -> tuple[Head, Iterator[model.AuditEntry]]:
        """The head before, and the entries behind it up to ``head``. No page begins at a number: where an earlier file
        ended is looked for from the newest back."""
        if after == 0:
            return Head(), takewhile(lambda one: one.seq <= head.seq, self._audit_entries(limit=PAGE, order="asc"))
        behind: list[model.AuditEntry] = []
        for entry in self._audit_entries(limit=PAGE, order="desc"):
            if entry.seq == after:
                return Head(seq=entry.seq, hash=entry.hash), reversed(behind)
            if entry.seq < after:
                break
            if entry.seq <= head.seq:
                behind.append(entry)
        raise NotFound({"code": "TG5001", "detail": f"no audit entry {after}"})

    def _audit_entries(self, *, limit: int, order: Literal["asc", "desc"]) -> Iterator[model.AuditEntry]:
        return (made(model.AuditEntry, entry) for entry in self._client.audit.list_entries(limit=limit, order=order))

    def verify_audit(self) -> list[str]:
        return [*told(AuditVerdict, self._client.audit.verify()).breaks]

    # --- reports --------------------------------------------------------------------------------------------------

    def site_report(self, site: str, asked: Span) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(self.site_page(site, asked, Page.JSON)))

    def fleet_report(self, asked: Span) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(self.fleet_page(asked, Page.JSON)))

    def site_page(self, site: str, asked: Span, form: Page) -> bytes:
        return self._client.content(f"/reports/sites/{quote(site, safe='')}", query=_span(asked, form))

    def fleet_page(self, asked: Span, form: Page) -> bytes:
        return self._client.content("/reports/fleet", query=_span(asked, form))


def _looks() -> Iterator[float]:
    """Again and again, after a pause that grows; the first at once."""
    pause = 0.0
    while True:
        yield pause
        pause = min(max(LOOK_SECONDS, pause * 1.5), LONGEST_LOOK_SECONDS)
        time.sleep(pause)


def _refuse_here_alone(wish: PackWish, key: SigningKey | None) -> None:
    if key is not None:
        raise Invalid("--key: over the API the server signs, with its own key", hint=f"leave it out, or unset {URL}")
    if wish.identities:
        raise Invalid("--identities: over the API nobody is named", hint="run it on the machine of the store")


def _chosen(selection: Selection) -> dict[str, Any]:
    if not selection.sites and not selection.devices:
        return {"all": True}
    return {"sites": [*selection.sites], "devices": [*selection.devices]}


def _time(at: datetime | None) -> str | None:
    return None if at is None else show_time(at)


def _span(asked: Span, form: Page) -> Mapping[str, str]:
    if isinstance(asked, Window):
        return {"from": show_time(asked.start), "to": show_time(asked.end), "format": form.value}
    zone = {} if asked.zone is None else {"zone": asked.zone}
    return {"range": asked.text, **zone, "format": form.value}


def _proposal(file: Path) -> Any:
    """What stands in a file with a policy. Raises ``Invalid``."""
    found = read_proposal(file)
    if found.problems:
        lines = "; ".join(f"{file}:{problem.line}: {problem.message}" for problem in found.problems)
        raise Invalid(lines, hint="what stands under the name of a policy in an inventory")
    return found.data


def _secret(answer: Any) -> tuple[model.Token, Secret]:
    """Raises ``Conflict`` when the answer that had it was lost, and this is the one to the second try."""
    text = told(NewToken, answer).token
    if text is None:
        hint = "`tokgate token list` shows the token; rotate it for another secret, or revoke it"
        raise Conflict("it was done, but the answer with the token was lost on the way", hint=hint)
    return made(model.Token, answer), Secret(text)


__all__ = ["Remote", "as_ours", "counterpart", "token"]
