"""Reports, asked of the store: the desk of whoever wants to know what happened over a range of time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from controller.audit import AuditNote
from controller.coverage import REMEMBERED, coverage
from controller.coverage_desk import CoverageDesk
from controller.emergencies import EmergencyDesk
from controller.evidence.model import Episode, EpisodeKind
from controller.exception_desk import ExceptionDesk, Wanted
from controller.inventory import Inventory, Site
from controller.model import CoverageState, DeviceStatus, EventAction, ExceptionState, Mode, Window
from controller.policy_terms import Said, said_in
from controller.privacy_desk import PrivacyDesk
from controller.reach import EVERYWHERE, Reach
from controller.reconciling import Told
from controller.reports.making import (
    Before,
    Change,
    FleetReport,
    Found,
    SiteLine,
    SiteReport,
    SourceAge,
    Totals,
    figure_notes,
    fleet_report,
    is_by_day,
    left_note,
    narrowed,
    noted,
    share_of,
    site_report,
    totals_by_action,
    was_counted,
)
from controller.reports.ranges import Asked, parse_range, window_before
from controller.store import AuditQuery, Store
from controller.store.episodes import EpisodeQuery
from controller.store.sums import SumsCheck
from controller.sums import clients_in, total
from controller.troubles import stale_limits, troubles
from core.clock import Clock
from core.ids import DeviceName, SiteName
from ipsets.freshness import freshness

FINDINGS: Final = frozenset(
    {
        EpisodeKind.EVASION,
        EpisodeKind.LEAK,
        EpisodeKind.FIRST_USE,
        EpisodeKind.SPIKE,
        EpisodeKind.OUTSIDE_HOURS,
        EpisodeKind.DORMANT,
    }
)
SHOWN: Final = 20
"""Findings and changes that a report names; it says how many there are."""
MANY: Final = 1_000
"""Revocations that are looked through for those of the site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDesk:
    """``modes_at`` tells what a site was to do at a moment; None: it is not known."""

    store: Store
    inventory: Inventory
    clock: Clock
    emergencies: EmergencyDesk
    exceptions: ExceptionDesk
    modes_at: Callable[[Site, datetime], Mapping[str, Mode | None]]
    freshness: timedelta
    privacy: PrivacyDesk
    coverage: CoverageDesk
    episodes_kept: Callable[[SiteName], timedelta | None]  # None: nothing is dropped
    reach: Reach = EVERYWHERE
    base_url: str = ""  # where browsers reach us, for links

    def within(
        self, reach: Reach, inventory: Inventory, emergencies: EmergencyDesk, exceptions: ExceptionDesk
    ) -> ReportDesk:
        """For who sees only the sites of that inventory, and of those that left it the ones within reach."""
        return replace(self, reach=reach, inventory=inventory, emergencies=emergencies, exceptions=exceptions)

    def range(self, text: str, *, site: str | None = None, zone: str | None = None) -> Asked:
        """A range as a calendar names it, in the zone of the site; of the fleet in that one, UTC by default.

        Raises ``Invalid``; ``NotFound`` for a site.
        """
        place = zone or (self.inventory.site(site).time_zone if site is not None else "UTC")
        return parse_range(text, zone=place, now=self.clock.now())

    # --- one site -------------------------------------------------------------------------------------------------

    def site(self, name: str, asked: Window | Asked, *, with_before: bool = True, in_house: bool = False) -> SiteReport:
        """``in_house``: for who reads lists, not to be passed on. Raises ``NotFound``."""
        site, now = self.inventory.site(name), self.clock.now()
        window = asked.window if isinstance(asked, Asked) else asked
        statuses = self.store.statuses_of(site.devices)
        records = self.store.source_records()
        limits = stale_limits(self.inventory)
        sums = self.store.hit_sums(site.name, window, zone=ZoneInfo(site.time_zone), by_day=is_by_day(window))
        made = site_report(
            site=site.name,
            title=site.title,
            time_zone=site.time_zone,
            window=window,
            now=now,
            modes=self.modes_at(site, now if window.end > now else window.end - timedelta.resolution),
            devices={device: statuses.get(device) for device in site.devices},
            sums=sums,
            observations=self.store.looks(site.name, window, freshness=self.freshness),
            exceptions=self.exceptions.find(Wanted(site=site.name)),
            snapshot=self.store.current_snapshot(),
            sources=troubles(records.values(), limits, now=now),
            freshness=self.freshness,
            pin=self.store.pin(),
            emergencies=self.emergencies.during(window, site.name),
            flows_cut=self.store.flows_cut(site.name, window),
            name=asked.name if isinstance(asked, Asked) else None,
            before=self._before(site, asked, now) if with_before else None,
            found=self._found(site, window, now),
            tried=self.coverage.tried(site.name, window),
            told=self._told(site, window),
        )
        made = replace(made, base_url=self.base_url, notes=(*self._clock_notes(site, window), *made.notes))
        return self.privacy.report(made, clients=clients_in(sums), in_house=in_house)

    def _clock_notes(self, site: Site, window: Window) -> Iterator[str]:
        """Where the site had another clock when the time began: all of it is by the one of now."""
        first = self.store.inventory_versions(Window(window.start, window.start + timedelta.resolution))
        said = said_in(first[-1], site.name) if first else ""
        if isinstance(said, Said) and said.site.time_zone != site.time_zone:
            yield (
                f"The clock of this site was {said.site.time_zone} when this time began, and is {site.time_zone} now:"
                f" hours, days and weekdays are by {site.time_zone} throughout."
            )

    def narrowed(
        self,
        name: str,
        window: Window,
        *,
        device: str | None = None,
        client: str | None = None,
        destination: str | None = None,
        weekday: int | None = None,
        hour: int | None = None,
    ) -> Mapping[EventAction, Totals]:
        """What firewalls counted, as the report of that time has it, of one device, of some hours of the week, or of
        what they noted of one client or destination (only packets and bytes are). Raises ``NotFound``.
        """
        site, zone = self.inventory.site(name), ZoneInfo(self.inventory.site(name).time_zone)
        sums = self.store.hit_sums(site.name, window, zone=zone, by_day=is_by_day(window))
        known = sums.all.events or was_counted(self._proven(site, window, self.clock.now()), 0)
        if not known:
            return totals_by_action({}, is_counted=False)
        if client is not None or destination is not None:
            return {action: noted(sums, action, client=client, destination=destination) for action in EventAction}
        return narrowed(sums, zone, device=device, weekday=weekday, hour=hour)

    def _told(self, site: Site, window: Window) -> list[Told]:
        """Nothing without a list of endpoints: then nothing follows from who was seen."""
        if not self.store.has_endpoint_list(site.name, window):
            return []
        return self.store.clients_told(site.name, window)

    def _before(self, site: Site, asked: Window | Asked, now: datetime) -> Before:
        window = _earlier(asked, now)
        hits = self.store.fleet_hits(window, [site.name]).get(site.name, {})
        times = self._proven(site, window, now)
        share = share_of({state: time.total_seconds() for state, time in times.items()})
        counted = was_counted(times, total(hits.values()).events)
        return Before(window=window, totals=totals_by_action(hits, is_counted=counted), enforced_share=share)

    def _proven(self, site: Site, window: Window, now: datetime) -> Mapping[CoverageState, timedelta]:
        """How long it was in each state: by looks at its devices, less what leaked."""
        proven = coverage(
            self.store.looks(site.name, window, freshness=self.freshness),
            window,
            devices=tuple(site.devices),
            now=now,
            freshness=self.freshness,
            proofs=self.coverage.tried(site.name, window),
        )
        return {state: proven.total(state) for state in CoverageState}

    def _found(self, site: Site, window: Window, now: datetime) -> Found:
        apps, counts = self.store.episode_sums(site.name, window)
        limits = stale_limits(self.inventory)
        ages = [freshness(r, now=now, stale_after=limits.get(r.name)) for r in self.store.source_records().values()]
        return Found(
            apps=apps,
            findings=self._findings(site, window),
            kept_from=self._kept_from(site, window, now),
            counts={kind.value: counts[kind.value] for kind in sorted(FINDINGS) if counts.get(kind.value)},
            ages=tuple(
                SourceAge(source=a.source, last_success=a.last_success, stale=a.stale)
                for a in sorted(ages, key=lambda a: a.source)
            ),
            changes=tuple(sorted(self._changes(site, window), key=lambda change: change.at, reverse=True)),
        )

    def _kept_from(self, site: Site, window: Window, now: datetime) -> datetime | None:
        kept = self.episodes_kept(site.name)
        first = None if kept is None else now - kept
        return first if first is not None and window.start < first else None

    def _findings(self, site: Site, window: Window) -> tuple[Episode, ...]:
        """The newest. Each kind is asked for alone: together they take as long as all the site's episodes."""
        inside = EpisodeQuery(site=site.name, since=window.start, until=window.end, limit=SHOWN)
        wanted = replace(inside, confidence=1)  # what was taken back is no finding
        found = [e for kind in FINDINGS for e in self.store.episodes(replace(wanted, kinds=frozenset({kind}))).items]
        return tuple(sorted(found, key=lambda e: (e.window.end, e.id), reverse=True)[:SHOWN])

    def _changes(self, site: Site, window: Window) -> Iterator[Change]:
        """What was changed on its devices, by what; and what people decided that reaches it."""
        for at, trigger, count in self.store.applied_runs(site.name, window):
            yield Change(at=at, what=f"changed on devices: {trigger}", by="tokgate", count=count)
        for emergency in self.emergencies.during(window, site.name):
            yield Change(at=emergency.starts, what=f"emergency: {emergency}", by=emergency.actor)
        revoked = AuditQuery(action="exception.revoke", since=window.start, until=window.end)
        ended_by = {entry.subject: entry for entry in self.store.audit_entries(limit=MANY, wanted=revoked)}
        for exception in self.exceptions.find(Wanted(site=site.name)):
            if (end := ended_by.get(exception.id)) is not None:
                yield Change(at=end.at, what=f"exception {exception.id} revoked: {end.reason}", by=end.actor)
            if exception.decided_at is not None and window.start <= exception.decided_at < window.end:
                decided = "denied" if exception.state is ExceptionState.DENIED else "approved"
                what = f"exception {exception.id} {decided}: {exception.reason}"
                yield Change(at=exception.decided_at, what=what, by=exception.decided_by or "")
        wanted = AuditQuery(action="inventory", since=window.start, until=window.end)
        for entry in self.store.audit_entries(limit=SHOWN, wanted=wanted):
            yield Change(at=entry.at, what=f"inventory {entry.subject} in force", by=entry.actor)

    # --- every site -----------------------------------------------------------------------------------------------

    def fleet(self, asked: Window | Asked, *, with_before: bool = True) -> FleetReport:
        window, now = asked.window if isinstance(asked, Asked) else asked, self.clock.now()
        records = self.store.source_records()
        made = fleet_report(
            self._lines(window, now),
            window=window,
            now=now,
            sources=troubles(records.values(), stale_limits(self.inventory), now=now),
            name=asked.name if isinstance(asked, Asked) else None,
            before=self._fleet_before(asked, now) if with_before else None,
            notes=self.left_out(window),
        )
        return replace(made, base_url=self.base_url)

    def left_out(self, window: Window) -> tuple[str, ...]:
        """Of sites that are no longer in the inventory, and of which something was counted then: in no figure."""
        gone = [s for s in self.store.sites_counted() if s not in self.inventory.sites and self.reach.has(s)]
        found = self.store.fleet_hits(window, gone) if gone else {}
        return tuple(left_note(site, found[site]) for site in sorted(found))

    def counted(self, window: Window) -> dict[SiteName, Mapping[EventAction, Totals]]:
        """The totals of each site alone, as ``fleet`` has them."""
        hits = self.store.fleet_hits(window, self.inventory.sites)
        silent = [site for name, site in self.inventory.sites.items() if name not in hits]
        times = self._times(window, self.clock.now(), silent)
        return {
            name: totals_by_action(hits.get(name, {}), is_counted=name in hits or was_counted(times[name], 0))
            for name in self.inventory.sites
        }

    def _lines(self, window: Window, now: datetime) -> Iterator[SiteLine]:
        sites = self.inventory.sites
        hits = self.store.fleet_hits(window, sites)
        times = self._times(window, now)
        statuses = self.store.statuses()
        for name, site in sites.items():
            found = hits.get(name, {})
            of_all = total(found.values())
            counted = was_counted(times[name], of_all.events)
            yield SiteLine(
                site=name,
                title=site.title,
                totals=totals_by_action(found, is_counted=counted),
                times=times[name],
                time_zone=site.time_zone,
                notes=(*figure_notes(times[name], of_all), *_device_words(site, statuses)),
                is_counted=counted,
            )

    def _fleet_before(self, asked: Window | Asked, now: datetime) -> Before:
        window = _earlier(asked, now)
        times = self._times(window, now)
        by_site = self.store.fleet_hits(window, self.inventory.sites)
        hits = {a: total(found[a] for found in by_site.values() if a in found) for a in EventAction}
        counted = any(was_counted(t, total(by_site.get(name, {}).values()).events) for name, t in times.items())
        totals = totals_by_action(hits, is_counted=counted)
        sums = {state: sum(t[state].total_seconds() for t in times.values()) for state in CoverageState}
        return Before(window=window, totals=totals, enforced_share=share_of(sums))

    def _times(
        self, window: Window, now: datetime, sites: Iterable[Site] | None = None
    ) -> Mapping[SiteName, Mapping[CoverageState, timedelta]]:
        """How long each site was in each state; ``sites`` None: every one of them."""
        asked = self.inventory.sites.values() if sites is None else sites
        devices = {site.name: tuple(site.devices) for site in asked}
        leaking = self.store.leaking_sites(window.start - REMEMBERED) & devices.keys()
        known = self.store.fleet_coverage(window, devices, now=now, freshness=self.freshness)
        return {**known, **{name: self._proven(self.inventory.sites[name], window, now) for name in leaking}}

    # --- upkeep ---------------------------------------------------------------------------------------------------

    def check_sums(self) -> SumsCheck:
        return self.store.check_sums()

    def rebuild_sums(self, *, actor: str) -> SumsCheck:
        note = AuditNote(actor=actor, action="report.rebuild", subject="sums")
        return self.store.rebuild_sums(freshness=self.freshness, audit=note)


def _earlier(asked: Window | Asked, now: datetime) -> Window:
    """The range before; of one that is not over, as long a part of it as has passed of the other."""
    window = asked.window if isinstance(asked, Asked) else asked
    before = asked.before.window if isinstance(asked, Asked) else window_before(window)
    if window.start < now < window.end:
        return Window(before.start, min(before.end, before.start + (now - window.start)))
    return before


def _device_words(site: Site, statuses: Mapping[DeviceName, DeviceStatus]) -> Iterable[str]:
    for name in site.devices:
        status = statuses.get(name)
        if status is None:
            yield f"{name}: never looked at."
        elif status.error:
            yield f"{name}: the last attempt failed: {status.error}"
