"""The hit report: who used it, where and when, how much was blocked, and how long each site was really enforced.

Pure: values in, values out; the renderers beside it only lay out what stands here. Unknown stays unknown: a figure that
no device counts is ``None``, time that nobody proved is in ``unknown`` (I13), and every reservation is a note.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from controller.coverage import Coverage, Tried, coverage
from controller.evidence.model import Episode
from controller.inventory.privacy import Identities
from controller.model import (
    AccessException,
    CoverageState,
    DeviceStatus,
    Emergency,
    EventAction,
    Mode,
    Observation,
    Pin,
    Window,
)
from controller.reconciling import UNLISTED, Reconciled, Row, Told, reconcile
from controller.sums import DESTINATION, SOURCE, AppLine, Cell, Count, Sums, Timed, total
from core.ids import DeviceName, SiteName
from ipsets.model import Snapshot
from ipsets.spans import words

TOP: Final = 20
UNCOUNTED: Final = "Nobody counted in this time: hits are unknown, not none."
UNTOLD: Final = (
    "Of a part of this time only sums are kept, and no events: what was counted then is in the totals, is not told"
    " apart by firewall, role and exception, and its clients and destinations are in no list."
)
HIDDEN: Final = "hidden"
"""Stands for whom a report does not name."""
MAX_HOURS: Final = 24 * 45
"""Longer reports are counted by the day instead of by the hour."""

_NAMES: Final[Mapping[EventAction, str]] = {
    EventAction.BLOCKED: "blocked",
    EventAction.MONITORED: "monitored",
    EventAction.ALLOWED: "allowed",
}
_UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]")
"""Controls but tab and newline, and marks that change the direction of what is beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums of one action. None: no device counted it."""

    hits: int | None = 0
    packets: int | None = 0
    octets: int | None = 0

    @classmethod
    def of(cls, counts: Iterable[Count]) -> Totals:
        found = total(counts)
        return cls(
            hits=found.known_hits,
            packets=None if found.no_packets else found.packets,
            octets=None if found.no_octets else found.octets,
        )

    def to_json(self) -> dict[str, int | None]:
        return {"hits": self.hits, "packets": self.packets, "bytes": self.octets}


_UNKNOWN: Final = Totals(hits=None, packets=None, octets=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopLine:
    """One client or one destination, and what of it was seen."""

    name: str
    action: EventAction
    role: str | None
    packets: int | None
    octets: int | None
    last_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One hour (or day) of the site's own clock; events stand in the one in which their window ends.

    None: some device did not count its hits then.
    """

    start: datetime
    hits: Mapping[EventAction, int | None]

    @property
    def counted(self) -> int:
        return sum(hits or 0 for hits in self.hits.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLine:
    """One firewall. ``is_known``: the inventory still has it; its hits count either way."""

    name: DeviceName
    status: DeviceStatus | None
    totals: Mapping[EventAction, Totals]
    is_known: bool = True
    flows_cut: int | None = 0  # open flows that changes ended; None: a change of it could not tell


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionLine:
    """An exception that was live in the window, and how it was used."""

    exception: AccessException
    totals: Totals
    is_hidden: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """For whom it is; one word where nobody is named."""
        return (HIDDEN,) if self.is_hidden else tuple(map(str, self.exception.sources))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTrouble:
    """One source of the intelligence that is not as it should be. ``what``: ``stale`` or ``watched``."""

    source: str
    what: str
    why: str

    def __str__(self) -> str:
        return f"source {self.source} is {self.what.upper()}: {self.why}"

    def to_json(self) -> dict[str, str]:
        return {"source": self.source, "what": self.what, "why": self.why}


HeatMap = Mapping[EventAction, tuple[tuple[int | None, ...], ...]]
"""Of each action seven days, Monday first, of 24 hours each: hits; None: some device did not count them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The range before the one that is reported on: as far into it as the other has come."""

    window: Window
    totals: Mapping[EventAction, Totals]
    enforced_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAge:
    """How old the word of one source of the intelligence is. ``stale``: why it is too old; empty when it is not."""

    source: str
    last_success: datetime | None
    stale: str

    def to_json(self) -> dict[str, Any]:
        return {"source": self.source, "last_success": iso(self.last_success), "stale": self.stale}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that was changed. ``count``: so many times, when several are one line."""

    at: datetime
    what: str
    by: str
    count: int = 1

    def to_json(self) -> dict[str, Any]:
        return {"at": iso(self.at), "what": self.what, "by": self.by, "count": self.count}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was seen and done beside what counters say. ``findings``: the newest of evasion, leaks and their like."""

    apps: tuple[AppLine, ...] = ()
    findings: tuple[Episode, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)  # of each kind of finding, all of them
    ages: tuple[SourceAge, ...] = ()
    changes: tuple[Change, ...] = ()
    kept_from: datetime | None = None  # episodes of before were in the range and are not kept; None: all of it is

    @property
    def nothing(self) -> str:
        """What stands where there are no episodes: none is no none where they are not kept."""
        return "None in this time." if self.kept_from is None else "Nothing is left of this time."

    def to_json(self) -> dict[str, Any]:
        return {
            "apps": [asdict(line) for line in self.apps],
            "findings": [_finding_json(episode) for episode in self.findings],
            "findings_in_all": dict(self.counts),
            "episodes_kept_from": iso(self.kept_from),
            "sources": [age.to_json() for age in self.ages],
            "changes": [change.to_json() for change in self.changes],
        }


NOTHING: Final = Found()


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteReport:
    """Everything the report of one site says."""

    site: SiteName
    title: str
    time_zone: str
    window: Window
    generated_at: datetime
    snapshot: str | None
    snapshot_at: datetime | None
    mode: Mapping[str, Mode | None]
    totals: Mapping[EventAction, Totals]
    by_role: Mapping[str, Mapping[EventAction, Totals]]
    devices: tuple[DeviceLine, ...]
    top_sources: tuple[TopLine, ...]
    top_destinations: tuple[TopLine, ...]
    by_hour: tuple[Bucket, ...]
    exceptions: tuple[ExceptionLine, ...]
    coverage: Coverage
    range: str | None = None  # its name in the calendar
    heat_map: HeatMap = field(default_factory=dict)
    before: Before | None = None
    found: Found = NOTHING
    reconciled: Reconciled = UNLISTED
    intelligence: tuple[SourceTrouble, ...] = ()
    notes: tuple[str, ...] = field(default=())
    base_url: str = ""  # our own address, for links
    identities: Identities = Identities.SHOWN
    is_counted: bool = True  # somebody counted: what was not seen then is none, and not unknown

    @property
    def reconciled_clients(self) -> tuple[Row, ...]:
        """Those to look after first; none where nobody is named, or no list of endpoints says who has the app."""
        is_told = self.reconciled.has_list and self.identities is not Identities.HIDDEN
        return self.reconciled.first(TOP) if is_told else ()

    @property
    def is_by_day(self) -> bool:
        return is_by_day(self.window)

    def seconds(self, state: CoverageState) -> float:
        return self.coverage.total(state).total_seconds()

    @property
    def flows_cut(self) -> int | None:
        """Open flows to what was newly denied that changes ended; None where one of them could not tell."""
        return _sum(line.flows_cut for line in self.devices)

    @property
    def enforced_share(self) -> float | None:
        """Enforced time over the time in which the site was not off by policy; None when there is none."""
        return share_of({state: self.seconds(state) for state in CoverageState})

    def to_json(self) -> dict[str, Any]:
        return {
            "site": self.site,
            "title": self.title,
            "time_zone": self.time_zone,
            "from": iso(self.window.start),
            "to": iso(self.window.end),
            "generated_at": iso(self.generated_at),
            "range": self.range,
            "snapshot": self.snapshot,
            "snapshot_at": iso(self.snapshot_at),
            "intelligence": [trouble.to_json() for trouble in self.intelligence],
            "identities": self.identities.value,
            "mode": {role: mode and mode.value for role, mode in self.mode.items()},
            "totals": totals_json(self.totals),
            "flows_cut": self.flows_cut,
            "trend": trend_json(self.totals, self.enforced_share, self.before),
            "by_role": {role: totals_json(totals) for role, totals in self.by_role.items()},
            "devices": [_device_json(line) for line in self.devices],
            "top_sources": [_top_json("source", line) for line in self.top_sources],
            "top_destinations": [_top_json("destination", line) for line in self.top_destinations],
            "by_hour": [_bucket_json(bucket) for bucket in self.by_hour],
            "heat_map": {_NAMES[action]: [list(day) for day in days] for action, days in self.heat_map.items()},
            **self.found.to_json(),
            "reconciliation": {
                "has_list": self.reconciled.has_list,
                "covered_share": self.reconciled.covered,
                "counts": {finding.value: count for finding, count in self.reconciled.counts.items()},
                "clients": [_reconciled_json(row) for row in self.reconciled_clients],
            },
            "exceptions": [_exception_json(line) for line in self.exceptions],
            "coverage": {f"{state.value}_seconds": round(self.seconds(state), 3) for state in CoverageState},
            "coverage_spans": [
                {
                    "from": iso(span.window.start),
                    "to": iso(span.window.end),
                    "state": span.state.value,
                    "cause": span.cause,
                }
                for span in self.coverage.spans
            ],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLine:
    """What the report of the fleet says of one site."""

    site: SiteName
    title: str
    totals: Mapping[EventAction, Totals]
    times: Mapping[CoverageState, timedelta]
    notes: tuple[str, ...] = ()
    time_zone: str = "UTC"
    is_counted: bool = True

    def seconds(self, state: CoverageState) -> float:
        return self.times[state].total_seconds()

    @property
    def enforced_share(self) -> float | None:
        counted = sum((time for state, time in self.times.items() if state is not CoverageState.OFF), timedelta())
        return self.times[CoverageState.ENFORCED] / counted if counted else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """All sites, the worst first."""

    window: Window
    generated_at: datetime
    sites: tuple[SiteLine | SiteReport, ...]
    totals: Mapping[EventAction, Totals]
    seconds: Mapping[CoverageState, float]
    range: str | None = None
    before: Before | None = None
    intelligence: tuple[SourceTrouble, ...] = ()
    notes: tuple[str, ...] = ()  # beside those of the sites
    base_url: str = ""  # our own address, for links

    def to_json(self) -> dict[str, Any]:
        return {
            "from": iso(self.window.start),
            "to": iso(self.window.end),
            "generated_at": iso(self.generated_at),
            "range": self.range,
            "intelligence": [trouble.to_json() for trouble in self.intelligence],
            "notes": list(self.notes),
            "totals": totals_json(self.totals),
            "trend": trend_json(self.totals, share_of(self.seconds), self.before),
            "coverage": {f"{state.value}_seconds": round(s, 3) for state, s in self.seconds.items()},
            "sites": [
                {
                    "site": site.site,
                    "title": site.title,
                    "enforced_share": site.enforced_share,
                    "totals": totals_json(site.totals),
                    "coverage": {f"{state.value}_seconds": round(site.seconds(state), 3) for state in CoverageState},
                    "notes": list(site.notes),
                }
                for site in self.sites
            ],
        }


def iso(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at is not None else None


def plain(text: str) -> str:
    """The text without anything that acts instead of showing: escape sequences, NUL, changes of direction."""
    return _UNSEEN.sub("\ufffd", text)


# --- making one -----------------------------------------------------------------------------------------------------


def site_report(
    *,
    site: SiteName,
    title: str,
    time_zone: str,
    window: Window,
    now: datetime,
    modes: Mapping[str, Mode | None],
    devices: Mapping[DeviceName, DeviceStatus | None],
    sums: Sums,
    observations: Sequence[Observation],
    exceptions: Iterable[AccessException],
    snapshot: Snapshot | None,
    sources: Iterable[SourceTrouble],
    freshness: timedelta,
    pin: Pin | None = None,
    emergencies: Iterable[Emergency] = (),
    flows_cut: Mapping[DeviceName, int | None] | None = None,
    name: str | None = None,
    before: Before | None = None,
    found: Found = NOTHING,
    tried: Iterable[Tried] = (),
    told: Sequence[Told] = (),
) -> SiteReport:
    """The report of one site over ``window``.

    ``sums`` are those of the events whose window ends in (start, end]; ``sources`` are those of the intelligence that
    are not as they should be; ``freshness`` is how long one look at a device proves its state; ``flows_cut`` are the
    open flows that changes ended, for each device that was changed; ``name`` is that of the range in the calendar;
    ``before`` is the range before it; ``found`` is what was seen and done there beside; ``tried`` are the paths that
    leaked; ``told`` is who has an app and who was seen, as episodes tell;
    empty without a list of endpoints.
    """
    proven = coverage(observations, window, devices=tuple(devices), now=now, freshness=freshness, proofs=tried)
    looked_at = {look.device for look in observations if (look.until or look.at) >= window.start}
    troubles = tuple(sources)
    counted = was_counted({state: proven.total(state) for state in CoverageState}, sums.all.events)
    made = SiteReport(
        site=site,
        title=title,
        time_zone=time_zone,
        window=window,
        generated_at=now,
        snapshot=snapshot.id if snapshot else None,
        snapshot_at=snapshot.created_at if snapshot else None,
        mode=dict(modes),
        range=name,
        totals=_totals(sums.cells, sums.untold),
        by_role={
            role: _less_untold(_totals(own), sums)
            for role, own in sorted(_by(sums.cells, lambda cell: cell.role).items())
        },
        devices=tuple(
            replace(line, totals=_less_untold(line.totals, sums))
            for line in _device_lines(devices, sums.cells, flows_cut or {})
        ),
        top_sources=_top(sums, SOURCE),
        top_destinations=_top(sums, DESTINATION),
        by_hour=_buckets(sums.by_time, window, ZoneInfo(time_zone), now),
        heat_map=heat_map(sums.by_hour, ZoneInfo(time_zone)),
        exceptions=tuple(_exception_lines(exceptions, sums, Window(window.start, min(window.end, now)))),
        coverage=proven,
        before=before,
        found=found,
        reconciled=reconcile(proven, told, sums.seen if told else {}),
        intelligence=troubles,
        notes=tuple(
            _notes(devices, sums, proven, snapshot, troubles, pin, emergencies, found.kept_from, frozenset(looked_at))
        ),
    )
    return made if counted else _uncounted(made)


def was_counted(times: Mapping[CoverageState, timedelta], events: int) -> bool:
    """Whether nothing is none: something was counted, or of some of the time it is known what the devices did."""
    return bool(events) or any(time for state, time in times.items() if state is not CoverageState.UNKNOWN)


def totals_by_action(hits: Mapping[EventAction, Count], *, is_counted: bool) -> dict[EventAction, Totals]:
    """Of a time in which nobody counted every total is unknown."""
    if not is_counted:
        return dict.fromkeys(EventAction, _UNKNOWN)
    return {action: Totals.of([hits[action]] if action in hits else []) for action in EventAction}


def _uncounted(made: SiteReport) -> SiteReport:
    """The same where nobody counted: before anything was kept, ahead of now, or while nobody looked."""
    unknown = dict.fromkeys(EventAction, _UNKNOWN)
    week = ((None,) * 24,) * 7
    return replace(
        made,
        is_counted=False,
        totals=unknown,
        devices=tuple(replace(line, totals=unknown) for line in made.devices),
        by_hour=tuple(replace(bucket, hits=dict.fromkeys(EventAction)) for bucket in made.by_hour),
        heat_map=dict.fromkeys(EventAction, week),
        exceptions=tuple(replace(line, totals=_UNKNOWN) for line in made.exceptions),
    )


def fleet_report(
    sites: Iterable[SiteLine | SiteReport],
    *,
    window: Window,
    now: datetime,
    sources: Iterable[SourceTrouble] = (),
    name: str | None = None,
    before: Before | None = None,
    notes: Iterable[str] = (),
) -> FleetReport:
    """All sites as one, those that were enforced least first.

    The totals are of the sites where somebody counted; where nobody did, the line of the site says so.
    """
    known = sorted(sites, key=lambda s: (-1.0 if s.enforced_share is None else s.enforced_share, s.site))
    counted = [site for site in known if site.is_counted]
    return FleetReport(
        window=window,
        generated_at=now,
        sites=tuple(known),
        totals={
            action: Totals(
                hits=_sum(site.totals[action].hits for site in counted),
                packets=_sum(site.totals[action].packets for site in counted),
                octets=_sum(site.totals[action].octets for site in counted),
            )
            if counted
            else _UNKNOWN
            for action in EventAction
        },
        seconds={state: sum(site.seconds(state) for site in known) for state in CoverageState},
        range=name,
        before=before,
        intelligence=tuple(sources),
        notes=tuple(notes),
    )


def left_note(site: SiteName, hits: Mapping[EventAction, Count], where: str = "figure") -> str:
    """Of a site that left the inventory."""
    known = [(action, hits[action].known_hits) for action in EventAction if action in hits]
    said = ", ".join(f"{'unknown' if n is None else format(n, ',')} {_NAMES[action]}" for action, n in known)
    return f"{site} is no longer in the inventory: what was counted there in this time ({said}) is in no {where} here."


def _plus(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _sum(values: Iterable[int | None]) -> int | None:
    total: int | None = 0
    for value in values:
        total = _plus(total, value)
    return total


def _totals(
    cells: Mapping[Cell, Count], untold: Mapping[EventAction, Count] | None = None
) -> dict[EventAction, Totals]:
    beside = untold or {}
    return {
        action: Totals.of((*(c for cell, c in cells.items() if cell.action is action), beside.get(action, Count())))
        for action in EventAction
    }


def narrowed(
    sums: Sums, zone: ZoneInfo, *, device: str | None, weekday: int | None, hour: int | None
) -> dict[EventAction, Totals]:
    """Of one device, or of some hours of the week on that clock. Not of both: that is not kept."""
    if device is not None:
        own = _by(sums.cells, lambda cell: cell.device).get(device, {})
        return _less_untold(_totals(own), sums)
    if weekday is None and hour is None:
        return _totals(sums.cells, sums.untold)
    inside: dict[EventAction, list[Count]] = {action: [] for action in EventAction}
    for timed in sums.by_hour:
        local = timed.at.astimezone(zone)
        if weekday in (None, local.weekday()) and hour in (None, local.hour):
            inside[timed.action].append(timed.figures)
    return {action: Totals.of(counts) for action, counts in inside.items()}


def noted(sums: Sums, action: EventAction, *, client: str | None, destination: str | None) -> Totals:
    """What firewalls noted of one client or destination: its packets and bytes, and never its hits."""
    if action in sums.untold:
        return _UNKNOWN
    wanted = {(SOURCE, client), (DESTINATION, destination)}
    own = [seen for who, seen in sums.seen.items() if who.action is action and (who.side, who.name) in wanted]
    return Totals(
        hits=None,
        packets=None if any(seen.no_packets for seen in own) else sum(seen.packets for seen in own),
        octets=None if any(seen.no_octets for seen in own) else sum(seen.octets for seen in own),
    )


def _less_untold(totals: Mapping[EventAction, Totals], sums: Sums) -> dict[EventAction, Totals]:
    """Of one device, role or exception: unknown where it is not kept what of all was its own."""
    return {a: _UNKNOWN if a in sums.untold else found for a, found in totals.items()}


def _by(cells: Mapping[Cell, Count], key: Callable[[Cell], str | None]) -> dict[str, dict[Cell, Count]]:
    found: dict[str, dict[Cell, Count]] = defaultdict(dict)
    for cell, count in cells.items():
        if (name := key(cell)) is not None:
            found[name][cell] = count
    return found


def _device_lines(
    devices: Mapping[DeviceName, DeviceStatus | None],
    cells: Mapping[Cell, Count],
    flows_cut: Mapping[DeviceName, int | None],
) -> Iterable[DeviceLine]:
    """Those of the inventory in its order, then those that only the events still know.

    Of a device that was never read nothing is known, not even that it counted nothing.
    """
    own = _by(cells, lambda cell: cell.device)
    for name, status in devices.items():
        is_read = status is not None and status.last_seen_at is not None
        known = _totals(own[name]) if name in own or is_read else dict.fromkeys(EventAction, _UNKNOWN)
        yield DeviceLine(name=name, status=status, totals=known, flows_cut=flows_cut.get(name, 0))
    for gone in sorted(own.keys() - devices.keys()):
        cut = flows_cut.get(DeviceName(gone), 0)
        yield DeviceLine(name=DeviceName(gone), status=None, totals=_totals(own[gone]), is_known=False, flows_cut=cut)


def _top(sums: Sums, side: str) -> tuple[TopLine, ...]:
    lines = [
        TopLine(
            name=who.name,
            action=who.action,
            role=who.role,
            packets=None if seen.no_packets else seen.packets,
            octets=None if seen.no_octets else seen.octets,
            last_seen=seen.last_seen,
        )
        for who, seen in sums.seen.items()
        if who.side == side
    ]
    return tuple(sorted(lines, key=lambda line: (-(line.packets or 0), line.name, line.action.value)))[:TOP]


def _buckets(times: Iterable[Timed], window: Window, zone: ZoneInfo, now: datetime) -> tuple[Bucket, ...]:
    """Every hour (or day) of the window from its first on the site's clock, the empty ones too.

    Hours are real ones: the hour that comes twice is two buckets, the one that does not come is none.
    """
    starts = list(_starts(window.start, min(window.end, now), zone, by_day=is_by_day(window)))
    sums: list[dict[EventAction, int | None]] = [dict.fromkeys(EventAction, 0) for _ in starts]
    for timed in times:
        at = bisect_right(starts, timed.at) - 1
        if at >= 0:
            sums[at][timed.action] = _plus(sums[at][timed.action], timed.figures.known_hits)
    return tuple(Bucket(start=start.astimezone(zone), hits=hits) for start, hits in zip(starts, sums, strict=True))


def is_by_day(window: Window) -> bool:
    """Whether it is so long that it is counted by the day."""
    return window.end - window.start > timedelta(hours=MAX_HOURS)


def heat_map(times: Iterable[Timed], zone: ZoneInfo) -> HeatMap:
    """Of each action the hits on each weekday, Monday first, in each of its hours on the site's clock."""
    found: dict[EventAction, list[list[int | None]]] = {action: [[0] * 24 for _ in range(7)] for action in EventAction}
    for timed in times:
        local = timed.at.astimezone(zone)
        day = found[timed.action][local.weekday()]
        day[local.hour] = _plus(day[local.hour], timed.figures.known_hits)
    return {action: tuple(map(tuple, days)) for action, days in found.items()}


def _starts(first: datetime, end: datetime, zone: ZoneInfo, *, by_day: bool) -> Iterable[datetime]:
    local = first.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    if not by_day:
        start = local.astimezone(UTC)
        while start < end:
            yield start
            start += timedelta(hours=1)
        return
    day = local.date()
    while (start := datetime.combine(day, time(), zone).astimezone(UTC)) < end:
        yield start
        day += timedelta(days=1)


def _exception_lines(exceptions: Iterable[AccessException], sums: Sums, window: Window) -> Iterable[ExceptionLine]:
    """Those that were live at some moment of the window: approved, and not denied, revoked or over before."""
    own = _by(sums.cells, lambda cell: cell.exception)
    for exception in sorted(exceptions, key=lambda e: (e.starts, e.id)):
        life = exception.life
        if life is None or not life.meets(window):
            continue
        totals = _less_untold(_totals(own.get(exception.id, {})), sums)
        yield ExceptionLine(exception=exception, totals=totals[EventAction.ALLOWED])


def _notes(
    devices: Mapping[DeviceName, DeviceStatus | None],
    sums: Sums,
    proven: Coverage,
    snapshot: Snapshot | None,
    sources: Iterable[SourceTrouble],
    pin: Pin | None,
    emergencies: Iterable[Emergency],
    kept_from: datetime | None,
    looked_at: Set[str],
) -> Iterable[str]:
    """What a reader has to know before believing the figures."""
    yield from (f"Intelligence: {trouble}." for trouble in sources)
    for emergency in emergencies:
        over = f"; ended {emergency.ended_at:%Y-%m-%d %H:%M}Z by {emergency.ended_by}" if emergency.ended_at else ""
        yield f"Emergency action since {emergency.starts:%Y-%m-%d %H:%M}Z: {emergency}{over}."
    yield from figure_notes({state: proven.total(state) for state in CoverageState}, sums.all)
    if sums.untold:
        yield UNTOLD
    if kept_from is not None:
        what = "apps, findings, and what follows of endpoints are of what is left"
        yield f"Episodes of before {kept_from:%Y-%m-%d %H:%M}Z are not kept: {what}."
    for name, status in devices.items():
        yield from _device_notes(name, status)
    for gone in sorted((looked_at | {cell.device for cell in sums.cells}) - devices.keys()):
        yield f"{gone}: no longer in the inventory; its hits are counted, its time is not."
    if snapshot is None:
        yield "There is no intelligence yet."
    if pin is not None:
        yield f"Intelligence: {pin}. What sources found since is not enforced."
    yield "A hit is a new connection attempt that met a rule; a repeated SYN counts again."


def figure_notes(times: Mapping[CoverageState, timedelta], counted: Count) -> Iterable[str]:
    """What of the time and of the events is in doubt."""
    if unknown := times[CoverageState.UNKNOWN]:
        yield f"For {words(unknown)} nobody proved what the site was doing: unknown, and not counted as enforced."
    if open_time := times[CoverageState.NOT_ENFORCED]:
        yield f"For {words(open_time)} the site was found not enforced."
    if in_part := times[CoverageState.PARTIAL]:
        why = "a list did not fit a device. That is not counted as enforced"
        yield f"For {words(in_part)} the site was enforced in part: {why}."
    if counted.at_least:
        lower = f"{counted.at_least} of {counted.events} events are lower bounds"
        yield f"{lower}: counters restarted inside their window."
    if counted.truncated:
        yield "The capture of clients was full for a time: some sources are missing from the lists."
    if not was_counted(times, counted.events):
        yield UNCOUNTED
    if counted.no_hits:
        yield "Some devices do not count hits: those totals are unknown."


def _device_notes(name: DeviceName, status: DeviceStatus | None) -> Iterable[str]:
    if status is None:
        yield f"{name}: never looked at."
        return
    if status.error:
        yield f"{name}: the last attempt failed: {status.error}"
    yield from (f"{name}: degraded: {line}" for line in status.degraded)


# --- to JSON --------------------------------------------------------------------------------------------------------


def share_of(seconds: Mapping[CoverageState, float]) -> float | None:
    """Enforced time over all in which it was not off by policy; None when there is none."""
    counted = sum(part for state, part in seconds.items() if state is not CoverageState.OFF)
    return seconds[CoverageState.ENFORCED] / counted if counted else None


def trend_json(
    totals: Mapping[EventAction, Totals], share: float | None, before: Before | None
) -> dict[str, Any] | None:
    """The range before and, for the hits of each action, how many more or fewer there are now."""
    if before is None:
        return None
    then, then_share = before.totals, before.enforced_share
    return {
        "from": iso(before.window.start),
        "to": iso(before.window.end),
        "totals": totals_json(then),
        "enforced_share": then_share,
        "hits_change": {_NAMES[action]: _minus(totals[action].hits, then[action].hits) for action in EventAction},
        "enforced_share_change": None
        if share is None or before.enforced_share is None
        else share - before.enforced_share,
    }


def _minus(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one - other


def _finding_json(episode: Episode) -> dict[str, Any]:
    return {
        "id": episode.id,
        "kind": episode.kind.value,
        "from": iso(episode.window.start),
        "to": iso(episode.window.end),
        "device": episode.device,
        "source": None if episode.source is None else str(episode.source),
        "host": episode.host,
        "user": episode.user,
        "app": episode.app,
        "action": episode.action.value,
        "confidence": episode.confidence,
        "why": [ground.text for ground in episode.grounds],
    }


def _reconciled_json(row: Row) -> dict[str, Any]:
    return {
        "client": row.client,
        "finding": row.finding.value,
        "addresses": list(row.addresses),
        "outcomes": list(row.outcomes),
        "last_seen": iso(row.last_seen),
    }


def totals_json(totals: Mapping[EventAction, Totals]) -> dict[str, dict[str, int | None]]:
    return {_NAMES[action]: totals[action].to_json() for action in EventAction}


def _device_json(line: DeviceLine) -> dict[str, Any]:
    status = line.status
    return {
        "device": line.name,
        "in_inventory": line.is_known,
        "last_seen_at": iso(status.last_seen_at) if status else None,
        "enforced_at": iso(status.enforced_at) if status else None,
        "snapshot": status.snapshot if status else None,
        "mode": status.mode if status else None,
        "error": status.error if status else None,
        "degraded": list(status.degraded) if status else [],
        "flows_cut": line.flows_cut,
        "totals": totals_json(line.totals),
    }


def _top_json(what: str, line: TopLine) -> dict[str, Any]:
    return {
        what: line.name,
        "action": line.action.value,
        "role": line.role,
        "packets": line.packets,
        "bytes": line.octets,
        "last_seen": iso(line.last_seen),
    }


def _bucket_json(bucket: Bucket) -> dict[str, Any]:
    return {
        "hour": bucket.start.isoformat(timespec="minutes"),
        **{_NAMES[action]: bucket.hits[action] for action in EventAction},
    }


def _exception_json(line: ExceptionLine) -> dict[str, Any]:
    exception = line.exception
    return {
        "id": exception.id,
        "sources": list(line.sources),
        "service": exception.service,
        "starts": iso(exception.starts),
        "ends": iso(exception.ends),
        "ended_at": iso(exception.ended_at),
        "state": exception.state.value,
        "reason": exception.reason,
        "owner": exception.owner,
        "ticket": exception.ticket,
        "requested_by": exception.requested_by,
        "approved_by": exception.decided_by,
        **line.totals.to_json(),
    }
