"""Scheduled reports: what is due now, sent once each, tried again while it fails, and told when it was given up."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from controller.alerts import AlertNote
from controller.audit import AuditNote
from controller.cron import parse_cron
from controller.errors import NotFound
from controller.inventory import Inventory
from controller.inventory.fields import did_you_mean
from controller.inventory.reporting import ScheduledReport, Target
from controller.report_desk import ReportDesk
from controller.reports.forms import ENDINGS, MEDIA, rendered
from controller.reports.ranges import Asked, parse_range
from controller.reports.sending import Parcel, send
from controller.store import Store
from controller.store.sendings import Sending
from controller.views import Check
from core.clock import Clock
from core.errors import TokgateError

log = structlog.get_logger()

EVERY: Final = timedelta(seconds=20)
"""How often it is asked what is due."""
RETRY_FIRST: Final = timedelta(minutes=1)
RETRY_MOST: Final = timedelta(hours=1)
GIVE_UP: Final = timedelta(days=1)
"""After so long it is not tried again; the next time that is due is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """One target of a scheduled report, and how it stands."""

    name: str
    report: ScheduledReport
    target: Target
    last: Sending | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingDesk:
    """Sends are of the process that runs the schedule; ``now`` may be asked of any."""

    store: Store
    inventory: Inventory
    clock: Clock
    reports: ReportDesk

    def scheduled(self) -> list[Scheduled]:
        known = {(s.report, s.target): s for s in self.store.sendings()}
        return [
            Scheduled(name=name, report=report, target=target, last=known.get((name, target.place)))
            for name, report in sorted(self.inventory.reports.items())
            for target in report.to
        ]

    def send_due(self) -> None:
        """Send what is due and has not been sent; one that fails holds up no other."""
        now, wanted = self.clock.now(), self.scheduled()
        for one in wanted:
            due = parse_cron(one.report.when).last(now, ZoneInfo(one.report.zone))
            if due is not None and self._is_wanted(one, due, now):
                self._tell_missed(one, due)
                self._send(one, due, now)
        kept = {(one.name, one.target.place) for one in wanted}
        for sending in self.store.sendings():
            if (sending.report, sending.target) not in kept:
                self.store.forget_sending(sending.report, sending.target)

    def _is_wanted(self, one: Scheduled, due: datetime, now: datetime) -> bool:
        """What was due before the target was first seen is never sent."""
        if one.last is None:
            self.store.put_sending(Sending(report=one.name, target=one.target.place, due=due))
            return False
        if due > one.last.due:
            return True
        return one.last.retry_at is not None and one.last.retry_at <= now

    def _tell_missed(self, one: Scheduled, due: datetime) -> None:
        """Nobody ran when an earlier one was due: it is not sent any more, and not without a word."""
        earlier = parse_cron(one.report.when).last(due - timedelta.resolution, ZoneInfo(one.report.zone))
        if one.last is None or earlier is None or earlier <= one.last.due:
            return
        message = (
            f"the report {one.name} to {one.target.place} was due at {earlier:%Y-%m-%d %H:%M}Z, and perhaps before"
        )
        message += ", and was not sent then: only the latest is"
        log.warning("report.missed", report=one.name, target=one.target.place, due=earlier.isoformat())
        note = AlertNote(kind="report", subject=one.name, message=message, detail={"target": one.target.place})
        self.store.put_sending(one.last, alert=note)

    def _send(self, one: Scheduled, due: datetime, now: datetime) -> None:
        before = one.last.attempts if one.last is not None and one.last.due == due else 0
        trying = Sending(report=one.name, target=one.target.place, due=due, attempts=before + 1)
        try:
            parcel = self.parcel(one.name, one.report, due)
            send(parcel, one.target, self.inventory.mail)
        except TokgateError as exc:
            self._failed(trying, str(exc), now)
        except Exception as exc:  # the top of one sending: recorded, and tried again
            log.exception("report.failed", report=one.name, target=one.target.place)
            self._failed(trying, f"{type(exc).__name__}: {exc}"[:300], now)
        else:
            log.info("report.sent", report=one.name, target=one.target.place, due=due.isoformat())
            self.store.put_sending(replace(trying, sent_at=self.clock.now()))

    def _failed(self, trying: Sending, error: str, now: datetime) -> None:
        wait = min(RETRY_FIRST * 2 ** min(trying.attempts - 1, 10), RETRY_MOST)
        over = now + wait - trying.due > GIVE_UP
        log.warning("report.not_sent", report=trying.report, target=trying.target, error=error, given_up=over)
        message = f"the report {trying.report} did not arrive at {trying.target}: {error}"
        note = AlertNote(kind="report", subject=trying.report, message=message, detail={"target": trying.target})
        told = over or trying.attempts == 1
        failed = replace(trying, error=error, retry_at=None if over else now + wait)
        self.store.put_sending(failed, alert=note if told else None)

    def begin(self, name: str, *, actor: str) -> ScheduledReport:
        """The report of that name; that somebody has it sent now is in the audit log. Raises ``NotFound``."""
        report = self.named(name)
        targets = [target.place for target in report.to]
        note = AuditNote(actor=actor, action="report.send", subject=name, detail={"to": targets})
        self.store.append_audit(note)
        return report

    def send_now(self, name: str, *, actor: str, dry_run: bool = False) -> list[tuple[Target, Parcel]]:
        """Make it and, unless it is a rehearsal, send it to every target at once, beside its schedule.

        Raises ``NotFound``; what sending raises: those before have arrived.
        """
        report = self.named(name) if dry_run else self.begin(name, actor=actor)
        return self.carry(name, report, dry_run=dry_run)

    def carry(self, name: str, report: ScheduledReport, *, dry_run: bool = False) -> list[tuple[Target, Parcel]]:
        """As ``send_now``, of one that was begun."""
        parcel = self.parcel(name, report, self.clock.now())
        for target in report.to if not dry_run else ():
            send(parcel, target, self.inventory.mail)
        return [(target, parcel) for target in report.to]

    def named(self, name: str) -> ScheduledReport:
        """Raises ``NotFound``."""
        if name not in self.inventory.reports:
            known = self.inventory.reports
            raise NotFound(f"no scheduled report {name!r} in the inventory{did_you_mean(name, known)}")
        return self.inventory.reports[name]

    def parcel(self, name: str, report: ScheduledReport, at: datetime) -> Parcel:
        """The report as it is sent: of the range that was meant at that time."""
        zone = report.zone if report.site is None else self.inventory.site(report.site).time_zone
        asked = parse_range(report.range, zone=zone, now=at)
        made = self.reports.fleet(asked) if report.site is None else self.reports.site(report.site, asked)
        what = "All sites" if report.site is None else self.inventory.site(report.site).title
        key = hashlib.sha256(f"{self.store.instance_id()} {name} {at.isoformat()}".encode()).hexdigest()[:32]
        return Parcel(
            name=f"{name}-{asked.name}.{ENDINGS[report.form]}",
            title=f"{what}: hit report {asked.name}",
            text=_words(what, asked, self.reports.base_url),
            content=rendered(made, report.form),
            media=MEDIA[report.form],
            key=key,
            at=self.clock.now(),
        )

    def troubles(self) -> Iterator[Sending]:
        """What has not arrived."""
        yield from (s for s in self.store.sendings() if s.error and s.sent_at is None)

    def checks(self) -> tuple[Check, ...]:
        """For health; none where nothing is scheduled."""
        if not self.inventory.reports:
            return ()
        try:
            late = [f"{s.report} to {s.target}: {s.error}" for s in self.troubles()]
        except TokgateError as exc:
            return (Check(name="reports", ok=False, message=str(exc)),)
        return (Check(name="reports", ok=not late, message="; ".join(late) or "every report arrived"),)


def _words(what: str, asked: Asked, base_url: str) -> str:
    where = f"\n\n{base_url}" if base_url else ""
    return f"{what}, {asked.name} ({asked.zone}). The report is attached.{where}\n"
