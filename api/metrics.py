"""Prometheus metrics, computed from the controller when asked for. Each application has a registry of its own."""

from __future__ import annotations

import platform
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from api.certificates import ends_at
from api.pages import MOST_COUNTED
from controller import planning
from controller.enforced_age import BURNS, Budget
from controller.exception_desk import Wanted
from controller.model import EmergencyKind, ExceptionState, Mode
from controller.proof.model import ProofState
from controller.service import Controller
from ipsets.errors import NoSnapshot
from ipsets.resolve import SourceRecord
from ipsets.spans import short
from ipsets.watch import addresses_v4

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
RECENT: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
_WAITING_OR_LIVE: Final = {"requested": Wanted(state=ExceptionState.REQUESTED), "live": Wanted(live=True)}
_TROUBLES: Final = {
    "stale": "1 when its last good answer is too old",
    "watched": "1 while what it names first does not count",
}


def _latest(seen: Iterable[tuple[tuple[str, str], datetime]]) -> list[tuple[tuple[str, str], datetime]]:
    """The last time of each."""
    found: dict[tuple[str, str], datetime] = {}
    for key, at in seen:
        found[key] = max(at, found.get(key, at))
    return sorted(found.items())


class Metrics:
    """What one scrape shows."""

    def __init__(self, controller: Controller, *, version: str) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(Facade(controller, version))

    def text(self) -> bytes:
        return generate_latest(self._registry)


class Facade(Collector):
    """Asks the facade; what is not known is absent, never zero (I13)."""

    def __init__(self, controller: Controller, version: str) -> None:
        self._controller = controller
        self._version = version
        chain = controller.settings.tls_cert
        self._certificate_ends = ends_at(chain) if chain is not None else None  # of what was read at the start

    def collect(self) -> Iterator[Metric]:
        now = self._controller.clock.now()
        yield self._build()
        yield from self._process()
        yield from self._certificate(now)
        yield from self._devices(now)
        yield from self._coverage()
        yield from self._proofs(now)
        yield self._episodes(now)
        yield self._modes()
        yield from self._intelligence(now)
        yield self._exceptions(now)
        yield from self._emergencies(now)
        yield self._hits(now)
        yield from self._feeds(now)
        yield from self._webhooks()
        yield from self._exports(now)
        yield from self._reports()
        yield from self._quarantine()
        yield self._intake()
        yield from self._evidence(now)

    def _build(self) -> Metric:
        facts = {"version": self._version, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
        return InfoMetricFamily("tokgate_build", "Which tokgate this is, on what", value=facts)

    def _process(self) -> Iterator[Metric]:
        ready = float(self._controller.health().ready)
        yield GaugeMetricFamily("tokgate_ready", "1 when the process does its work", value=ready)
        depth = self._controller.queue_depth()
        yield GaugeMetricFamily("tokgate_queue_depth", "Device jobs queued or running", value=depth)
        age = self._controller.last_tick()
        if age is not None:
            yield GaugeMetricFamily(
                "tokgate_last_tick_age_seconds", "Since the schedule's last finished tick", value=age
            )

    def _devices(self, now: datetime) -> Iterator[Metric]:
        labels = ("site", "device")
        seen = GaugeMetricFamily(
            "tokgate_device_last_success_age_seconds", "Since the last good reading", labels=labels
        )
        held = GaugeMetricFamily(
            "tokgate_device_enforced_age_seconds", "Since it was read back holding what it should", labels=labels
        )
        failing = GaugeMetricFamily("tokgate_device_failing", "1 when the last look failed", labels=labels)
        in_part = GaugeMetricFamily(
            "tokgate_device_in_part", "1 while it has no room for the whole list: see its `degraded`", labels=labels
        )
        for view in self._controller.devices():
            at = (view.site, view.name)
            if view.status is None:
                continue
            if view.status.enforced_at is not None:
                in_part.add_metric(at, float(bool(planning.in_part(view.status.degraded))))
            failing.add_metric(at, float(view.status.error_code is not None))
            for family, moment in ((seen, view.status.last_seen_at), (held, view.status.enforced_at)):
                if moment is not None:
                    family.add_metric(at, (now - moment).total_seconds())
        yield from (seen, held, failing, in_part)

    def _coverage(self) -> Iterator[Metric]:
        """What is not known is absent; a fleet with a site that was never proven has no oldest proof."""
        fleet = self._controller.coverage.fleet()
        ages = GaugeMetricFamily(
            "tokgate_site_enforced_age_seconds", "Since the last proof of its oldest device", labels=("site",)
        )
        now = GaugeMetricFamily("tokgate_site_coverage", "1 for the state that is proven now", labels=("site", "state"))
        for line in fleet.sites:
            if line.age.age is not None:
                ages.add_metric((line.age.site,), line.age.age.total_seconds())
            now.add_metric((line.age.site, line.state.value), 1.0)
        ranks = GaugeMetricFamily("tokgate_enforced_age_seconds", "Of the fleet", labels=("quantile",))
        for quantile, age in (("0.5", fleet.age.p50), ("0.95", fleet.age.p95), ("1", fleet.age.most)):
            if age is not None:
                ranks.add_metric((quantile,), age.total_seconds())
        never = GaugeMetricFamily("tokgate_sites_never_proven", "Sites without any proof", value=fleet.age.never)
        yield from (ages, now, ranks, never, *self._promise(fleet.budget))

    @staticmethod
    def _promise(budget: Budget | None) -> Iterator[Metric]:
        left = GaugeMetricFamily("tokgate_slo_budget_left", "Share of the error budget of 30 days; below 0: missed")
        burns = GaugeMetricFamily("tokgate_slo_burn", "Times faster than allowed", labels=("window",))
        if budget is not None:
            if budget.left is not None:
                left.add_metric((), budget.left)
            for span, each in zip(BURNS, budget.burns, strict=True):
                if (rate := each.burn(budget.share)) is not None:
                    burns.add_metric((short(span),), rate)
        yield from (left, burns)

    def _proofs(self, now: datetime) -> Iterator[Metric]:
        """As many series as sites, whatever firewalls and probes say."""
        family = GaugeMetricFamily("tokgate_proofs", "Fields of the matrix of proof", labels=("site", "state"))
        age = GaugeMetricFamily("tokgate_proof_age_seconds", "Since the last answer there", labels=("site", "by"))
        leak = GaugeMetricFamily("tokgate_leak_age_seconds", "Since the oldest open leak began", labels=("site",))
        cells = self._controller.proofs.matrix()
        for (site, state), count in sorted(Counter((c.site, c.state) for c in cells).items()):
            family.add_metric((site, state.value), count)
        for (where, by), at in _latest(((c.site, c.by.value), c.at) for c in cells):
            age.add_metric((where, by), (now - at).total_seconds())
        oldest: dict[str, datetime] = {}
        for c in cells:
            if c.state is ProofState.LEAKING:
                oldest[c.site] = min(c.since, oldest.get(c.site, c.since))
        for leaking, since in sorted(oldest.items()):
            leak.add_metric((leaking,), (now - since).total_seconds())
        yield from (family, age, leak)

    def _episodes(self, now: datetime) -> Metric:
        """By words of ours alone: no name that evidence brings is a label."""
        name, labels = "tokgate_episodes_last_day", ("kind", "action")
        family = GaugeMetricFamily(name, "Episodes that ended in 24 hours", labels=labels)
        for (kind, action), count in sorted(self._controller.evidence.counted_since(now - DAY).items()):
            family.add_metric((kind, action), count)
        return family

    def _modes(self) -> Metric:
        family = GaugeMetricFamily("tokgate_mode", "1 for the mode of a role now", labels=("site", "role", "mode"))
        for site in self._controller.sites():
            for role, now in site.modes.items():
                for mode in Mode:
                    family.add_metric((site.name, role, mode.value), float(mode is now))
        return family

    def _intelligence(self, now: datetime) -> Iterator[Metric]:
        age = GaugeMetricFamily("tokgate_snapshot_age_seconds", "Since the snapshot in force was made", labels=("id",))
        try:
            snapshot = self._controller.snapshot()
            age.add_metric((snapshot.id[:12],), (now - snapshot.created_at).total_seconds())
        except NoSnapshot:
            pass
        yield age
        pinned = float(self._controller.pin() is not None)
        yield GaugeMetricFamily("tokgate_snapshot_pinned", "1 while refreshes change nothing in force", value=pinned)
        told = GaugeMetricFamily("tokgate_alerts_last_day", "Alerts of the intelligence in 24 hours", labels=("kind",))
        for kind, count in self._controller.alert_counts(now - DAY).items():
            told.add_metric((kind,), count)
        yield told
        good = GaugeMetricFamily("tokgate_source_age_seconds", "Since a source last succeeded", labels=("source",))
        failing = GaugeMetricFamily("tokgate_source_failing", "1 when its last attempt failed", labels=("source",))
        entries = GaugeMetricFamily("tokgate_source_entries", "What it named last", labels=("source",))
        addresses = GaugeMetricFamily("tokgate_source_addresses", "IPv4 addresses of that", labels=("source",))
        same = GaugeMetricFamily("tokgate_source_unchanged_seconds", "Since it said something else", labels=("source",))
        records = self._controller.sources()
        for record in records:
            failing.add_metric((record.name,), float(record.error_code is not None))
            if record.last_success is not None:
                good.add_metric((record.name,), (now - record.last_success).total_seconds())
                entries.add_metric((record.name,), len(record.indicators))
                addresses.add_metric((record.name,), addresses_v4(record))
            if record.conduct.changed_at is not None:
                same.add_metric((record.name,), (now - record.conduct.changed_at).total_seconds())
        yield from (good, failing, entries, addresses, same, *self._troubled(records))

    def _troubled(self, records: Sequence[SourceRecord]) -> Iterator[Metric]:
        found = {(trouble.source, trouble.what) for trouble in self._controller.troubles(records)}
        for what, said in _TROUBLES.items():
            family = GaugeMetricFamily(f"tokgate_source_{what}", said, labels=("source",))
            for record in records:
                family.add_metric((record.name,), float((record.name, what) in found))
            yield family

    def _exceptions(self, now: datetime) -> Metric:
        family = GaugeMetricFamily("tokgate_exceptions", "Exceptions by what they wait for", labels=("state",))
        for name, wanted in _WAITING_OR_LIVE.items():
            family.add_metric((name,), self._controller.exceptions.count(wanted, most=MOST_COUNTED))
        return family

    def _emergencies(self, now: datetime) -> Iterator[Metric]:
        family = GaugeMetricFamily("tokgate_emergencies", "Emergency actions that hold now", labels=("kind",))
        active = self._controller.emergencies.active(now)
        for kind in EmergencyKind:
            family.add_metric((kind.value,), float(sum(e.kind is kind for e in active)))
        yield family
        frozen = GaugeMetricFamily("tokgate_frozen", "1 while a freeze or a pause holds changes", labels=("site",))
        freezes = self._controller.freezes()
        for site in self._controller.inventory.sites:
            frozen.add_metric((site,), float(site in freezes))
        yield frozen
        read = GaugeMetricFamily(
            "tokgate_calendar_age_seconds", "Since a calendar of holidays was last read", labels=("calendar",)
        )
        for view in self._controller.calendars.views():
            if view.read_at is not None:
                read.add_metric((view.name,), (now - view.read_at).total_seconds())
        yield read

    def _hits(self, now: datetime) -> Metric:
        family = GaugeMetricFamily(
            "tokgate_hits_last_hour",
            "Hits in the windows that ended within the last hour, by what was done",
            labels=("site", "action"),
        )
        for found in self._controller.hits_since(now - RECENT):
            if found.hits is not None:
                family.add_metric((found.site, found.action.value), found.hits)
        return family

    def _certificate(self, now: datetime) -> Iterator[Metric]:
        if self._certificate_ends is not None:
            left = (self._certificate_ends - now).total_seconds()
            yield GaugeMetricFamily("tokgate_certificate_left_seconds", "Until our certificate expires", value=left)

    def _webhooks(self) -> Iterator[Metric]:
        labels = ("webhook",)
        waiting = GaugeMetricFamily("tokgate_webhook_waiting", "Messages that wait for a receiver", labels=labels)
        dead = GaugeMetricFamily("tokgate_webhook_dead", "Messages that were set aside", labels=labels)
        failures = GaugeMetricFamily("tokgate_webhook_failures", "Failed attempts in a row", labels=labels)
        dropped = GaugeMetricFamily("tokgate_webhook_dropped", "Messages lost for too many waited", labels=labels)
        for hook, wait, aside in self._controller.webhooks.all():
            for family, value in ((waiting, wait), (dead, aside), (failures, hook.failures), (dropped, hook.dropped)):
                family.add_metric((hook.name,), value)
        yield from (waiting, dead, failures, dropped)

    def _reports(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "tokgate_report_failures", "Failed attempts to send a scheduled report that is due", labels=("report", "to")
        )
        for one in self._controller.sending.scheduled():
            late = one.last is not None and one.last.sent_at is None and bool(one.last.error)
            family.add_metric((one.name, one.target.place), float(one.last.attempts) if one.last and late else 0.0)
        yield family

    def _quarantine(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "tokgate_evidence_quarantined", "Records that are no evidence, of what is still kept", labels=("why",)
        )
        for why, count in self._controller.receiving.sums().items():
            family.add_metric((why.value,), float(count))
        yield family

    def _intake(self) -> Metric:
        """What this process took of all evidence, whichever way it came."""
        family = CounterMetricFamily("tokgate_evidence_taken", "What was brought to be judged", labels=("what",))
        for what in ("batches", "batches again", "sightings", "signs"):
            family.add_metric((what.replace(" ", "-"),), float(self._controller.evidence.counts[what]))
        return family

    def _evidence(self, now: datetime) -> Iterator[Metric]:
        """Of the receivers of this process; nothing where it does not listen."""
        figures = self._controller.receiving.figures()
        if figures is None:
            return
        name = "tokgate_evidence_"
        received = CounterMetricFamily(f"{name}received", "Messages that came in", labels=("over",))
        for over, count in sorted(figures.received.items()):
            received.add_metric((over,), float(count))
        rejected = CounterMetricFamily(f"{name}set_aside", "Messages that are no evidence", labels=("why",))
        for why, count in sorted(figures.rejected.items()):
            rejected.add_metric((why.value,), float(count))
        yield from (received, rejected)
        for what, said, value in (
            ("octets", "Octets of the messages that came in", figures.octets),
            ("sightings", "What they said of who went where", figures.sightings),
            ("passed", "Messages that are about something else", figures.passed),
            ("repeated", "Messages that came once more, and count once", figures.repeated),
            ("strange_bytes", "Bytes that were no UTF-8, in messages that were read", figures.strange),
            ("dropped", "Datagrams for which there was no room", figures.dropped),
            ("refused", "Connections that were refused", figures.refused),
        ):
            yield CounterMetricFamily(name + what, said, value=float(value))
        yield GaugeMetricFamily(f"{name}waiting", "Messages that wait to be read", value=float(figures.waiting))
        yield GaugeMetricFamily(f"{name}connections", "Open connections of senders", value=float(figures.connections))
        age = GaugeMetricFamily(f"{name}sender_age_seconds", "Since a sender was last understood", labels=("sender",))
        for sender, at in sorted(figures.heard.items()):
            age.add_metric((sender,), (now - at).total_seconds())
        yield age

    def _exports(self, now: datetime) -> Iterator[Metric]:
        if not (views := self._controller.exports.views()):
            return
        name, labels = "tokgate_export_", ("export",)
        sent = CounterMetricFamily(f"{name}sent", "Messages that a receiver took", labels=labels)
        dropped = CounterMetricFamily(f"{name}dropped", "Messages lost before a receiver took them", labels=labels)
        refused = CounterMetricFamily(f"{name}refused", "Messages that a receiver would not take", labels=labels)
        waiting = GaugeMetricFamily(f"{name}waiting", "Messages in the spool, and not taken", labels=labels)
        behind = GaugeMetricFamily(f"{name}behind", "Entries recorded, and not in the spool yet", labels=labels)
        size = GaugeMetricFamily(f"{name}spool_bytes", "On the disk", labels=labels)
        age = GaugeMetricFamily(
            f"{name}oldest_age_seconds", "Since the first that waits was recorded; 0: nothing waits", labels=labels
        )
        failures = GaugeMetricFamily(f"{name}failures", "Failed attempts in a row", labels=labels)
        for view in views:
            at = (view.name,)
            sent.add_metric(at, view.progress.sent)
            dropped.add_metric(at, view.progress.dropped)
            refused.add_metric(at, view.progress.refused)
            waiting.add_metric(at, view.waiting)
            behind.add_metric(at, view.behind)
            size.add_metric(at, view.spool_bytes)
            age.add_metric(at, (now - view.oldest).total_seconds() if view.oldest else 0)
            failures.add_metric(at, view.progress.failures)
        yield from (sent, dropped, refused, waiting, behind, size, age, failures)

    def _feeds(self, now: datetime) -> Iterator[Metric]:
        labels = ("site", "device", "list")
        age = GaugeMetricFamily("tokgate_feed_pull_age_seconds", "Since the last good pull of a list", labels=labels)
        stale = GaugeMetricFamily("tokgate_feed_stale", "1 when its device does not come for it", labels=labels)
        current = GaugeMetricFamily("tokgate_feed_current", "1 when the last good pull was of this list", labels=labels)
        entries = GaugeMetricFamily("tokgate_feed_entries", "Entries of a list that is served", labels=labels)
        for view in self._controller.feeds.views():
            at = (view.site, view.feed.device, view.feed.name)
            stale.add_metric(at, float(bool(view.stale)))
            current.add_metric(at, float(view.is_current))
            entries.add_metric(at, view.feed.entries)
            if view.pulled is not None:
                age.add_metric(at, (now - view.pulled.at).total_seconds())
        mixed = GaugeMetricFamily(
            "tokgate_feed_mixed", "Lists that a group is not answered with: its devices differ", labels=["group"]
        )
        for group in self._controller.feeds.groups():
            mixed.add_metric((group.name,), float(len(group.mixed)))
        yield from (age, stale, current, entries, mixed)
