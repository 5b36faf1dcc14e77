"""How long sites were really enforced, how old the last proof of each is, and whether the promise about it is kept.

Everything here is asked of recorded looks; those that say the same are read as one. What a day came to is remembered
once every device was read after it, so that a month of a thousand sites costs no more than a day of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Final

import structlog

from controller.alerts import AlertNote
from controller.coverage import NO_LOOK, REMEMBERED, Coverage, Span, Tried, by_device, coverage
from controller.enforced_age import BURNS, PERIOD, Budget, FleetAge, Kept, SiteAge, fleet_age, kept, site_age
from controller.errors import Conflict
from controller.inventory import Inventory, Site
from controller.inventory.slo_rules import show_age, show_share
from controller.model import CoverageState, DeviceStatus, Observation, Window
from controller.planning import in_part
from controller.proof.model import Proof, ProofState
from controller.store import Store
from core.clock import Clock
from core.ids import DeviceName, SiteName
from ipsets.spans import words

log = structlog.get_logger()

KEPT_FOR: Final = timedelta(seconds=30)
"""So long an answer about the fleet is given again."""
APART: Final = 20
"""So many sites that are behind are read one by one, and the others together."""
_DAY: Final = timedelta(days=1)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_REST: Final = 10
"""So many times as long as finding it took, an answer is given again although a device was looked at meanwhile."""


def tried_of(proofs: Sequence[Proof]) -> list[Tried]:
    """What rounds of proof say of each path: it leaks when any of its answers does; unknown answers say nothing."""
    found: dict[tuple[str, str], Tried] = {}
    for proof in proofs:
        if proof.state not in (ProofState.LEAKING, ProofState.BLOCKED):
            continue
        who = proof.role or f"exception {proof.exception}"
        path = f"{proof.path.value} from {who}, by {proof.by.value} {proof.origin}"
        leaks, key = proof.state is ProofState.LEAKING, (proof.round, path)
        if key not in found or leaks > found[key].leaks:
            cause = f"{path}: {proof.target} passes" if leaks else ""
            found[key] = Tried(at=proof.at, path=path, leaks=leaks, cause=cause)
    return sorted(found.values(), key=lambda tried: tried.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCoverage:
    """One site over some time: the whole of it, and each of its devices."""

    site: SiteName
    window: Window
    whole: Coverage
    devices: Mapping[DeviceName, Coverage]
    age: SiteAge


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLine:
    """One site of the fleet: its state now and why, how old its proof is, and the sums of the last 30 days."""

    age: SiteAge
    title: str
    state: CoverageState
    cause: str
    seconds: Mapping[CoverageState, float]
    kept: Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCoverage:
    """The fleet now. ``budget`` None: the inventory promises nothing."""

    at: datetime
    since: datetime  # where the sums begin: a midnight of UTC
    age: FleetAge
    sites: tuple[SiteLine, ...]  # the oldest proof first
    budget: Budget | None


@dataclass(frozen=True, slots=True)
class _Day:
    """What a whole day of a site came to; nothing that is recorded later changes it."""

    seconds: Mapping[CoverageState, float]
    kept: Kept


@dataclass(slots=True)
class _Days:
    """The settled days of a site, one after the other up to ``until``. ``terms``: what they were reckoned by."""

    terms: object
    until: datetime
    found: dict[datetime, _Day] = field(default_factory=dict)
    sums: tuple[datetime, datetime, _Day] | None = None  # from, until, what they came to

    def since(self, first: datetime) -> _Day:
        """All days from that midnight on, as one."""
        if self.sums is None or self.sums[:2] != (first, self.until):
            days = [self.found[day] for day in _days(first, self.until)]
            seconds = {state: sum(day.seconds[state] for day in days) for state in CoverageState}
            kept = Kept(counted=sum(d.kept.counted for d in days), kept=sum(d.kept.kept for d in days))
            self.sums = first, self.until, _Day(seconds, kept)
        return self.sums[2]


@dataclass(slots=True)
class _Memory:
    """What was answered last, and what does not change any more."""

    fleet: tuple[float, float, int, FleetCoverage] | None = None  # when, how long it took, the newest look in it
    first_looks: dict[tuple[SiteName, tuple[DeviceName, ...]], datetime] = field(default_factory=dict)
    days: dict[SiteName, _Days] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageDesk:
    """One for a controller."""

    store: Store
    inventory: Inventory
    clock: Clock
    freshness: timedelta
    memory: _Memory = field(default_factory=_Memory)

    def within(self, inventory: Inventory) -> CoverageDesk:
        """For somebody who sees no other sites than these."""
        shared = _Memory(first_looks=self.memory.first_looks, days=self.memory.days)
        return replace(self, inventory=inventory, memory=shared)

    @property
    def target(self) -> timedelta:
        """How old a proof may be: as the inventory promises, else as long as one look stands for what follows it."""
        return self.inventory.slo.enforced_age if self.inventory.slo is not None else self.freshness

    # --- one site -------------------------------------------------------------------------------------------------

    def site(self, name: str, window: Window) -> SiteCoverage:
        """Raises ``NotFound``."""
        site, now = self.inventory.site(name), self.clock.now()
        looks, devices = self.store.looks(site.name, window, freshness=self.freshness), tuple(site.devices)
        return SiteCoverage(
            site=site.name,
            window=Window(window.start, max(window.start, min(window.end, now))),
            whole=coverage(
                looks,
                window,
                devices=devices,
                now=now,
                freshness=self.freshness,
                proofs=self.tried(site.name, window),
            ),
            devices=by_device(looks, window, devices=devices, now=now, freshness=self.freshness),
            age=self._age(site, self.store.statuses(), now),
        )

    def tried(self, site: SiteName, window: Window, *, role: str | None = None) -> list[Tried]:
        """What reaches into the window, of all paths or those from one role; nothing where nothing leaked."""
        if site not in self.store.leaking_sites(window.start - REMEMBERED):
            return []
        proofs = self.store.proofs_between(site, Window(window.start - REMEMBERED, window.end))
        return tried_of([proof for proof in proofs if role is None or proof.role == role])

    def _age(self, site: Site, statuses: Mapping[DeviceName, DeviceStatus], now: datetime) -> SiteAge:
        return site_age(site.name, {name: self._proven(site, name, statuses.get(name)) for name in site.devices}, now)

    def _proven(self, site: Site, device: DeviceName, status: DeviceStatus | None) -> datetime | None:
        """When it was last read back as it was wanted, whole."""
        if status is None or status.site != site.name:
            return None
        return self.store.last_proof(site.name, device) if in_part(status.degraded) else status.enforced_at

    # --- the fleet ------------------------------------------------------------------------------------------------

    def fleet(self) -> FleetCoverage:
        """As it is now; an answer is given again for half a minute, unless a device was looked at meanwhile: then for
        no longer than ``_REST`` times what it took."""
        newest, began, known = self.store.newest_look(), self.clock.monotonic(), self.memory.fleet
        if known is not None:
            age, took, looks, found = began - known[0], *known[1:]
            if age < (KEPT_FOR.total_seconds() if looks == newest else _REST * took):
                return found
        found = self._fleet(self.clock.now())
        self.memory.fleet = began, self.clock.monotonic() - began, newest, found
        return found

    def _fleet(self, now: datetime) -> FleetCoverage:
        statuses, since = self.store.statuses(), _midnight(now - PERIOD)
        leaking = self.store.leaking_sites(since - REMEMBERED)
        unsettled = {s.name: self._unsettled(s, since, leaks=s.name in leaking) for s in self.inventory.sites.values()}
        together = sorted(unsettled.values())[min(APART, len(unsettled) - 1)] if unsettled else since
        looks = self.store.fleet_looks(together - self._reach, now + timedelta.resolution, freshness=self._least)
        lines, burns = [], [Kept() for _ in BURNS]
        for site in self.inventory.sites.values():
            first = unsettled[site.name]
            own = looks.get(site.name, []) if first >= together else self._looks(site, first, now)
            line, ours = self._line(site, statuses, own, since=since, first=first, now=now, leaks=site.name in leaking)
            lines.append(line)
            burns = [one.plus(other) for one, other in zip(burns, ours, strict=True)]
        promised = self.inventory.slo
        budget = Budget(target=promised.enforced_age, share=promised.share, burns=tuple(burns)) if promised else None
        return FleetCoverage(
            at=now,
            since=since,
            age=fleet_age(line.age for line in lines),
            sites=tuple(sorted(lines, key=_oldest_first)),
            budget=budget,
        )

    def line(self, name: str) -> SiteLine:
        """The same of one site alone. Raises ``NotFound``."""
        site, now = self.inventory.site(name), self.clock.now()
        since = _midnight(now - PERIOD)
        leaks = site.name in self.store.leaking_sites(since - REMEMBERED)
        first = self._unsettled(site, since, leaks=leaks)
        looks = self._looks(site, first, now)
        statuses = self.store.statuses_of(site.devices)
        return self._line(site, statuses, looks, since=since, first=first, now=now, leaks=leaks)[0]

    @property
    def _reach(self) -> timedelta:
        """So far back a look says something."""
        return max(self.freshness, self.target)

    @property
    def _least(self) -> timedelta:
        return min(self.freshness, self.target)

    def _looks(self, site: Site, first: datetime, now: datetime) -> list[Observation]:
        window = Window(first - self._reach, now + timedelta.resolution)
        return self.store.looks(site.name, window, freshness=self._least)

    # --- days that are over ---------------------------------------------------------------------------------------

    def _unsettled(self, site: Site, since: datetime, *, leaks: bool) -> datetime:
        """From which midnight on its days have to be reckoned from looks; those before, from ``since``, are known."""
        known = self.memory.days.get(site.name)
        if leaks or known is None or known.terms != self._terms(site) or since not in known.found:
            return since
        return known.until

    def _terms(self, site: Site) -> object:
        return tuple(site.devices), self.freshness, self.target

    def _settle(self, site: Site, looks: Sequence[Observation], found: Coverage, kept: Mapping[datetime, Kept]) -> None:
        """Keep the days of ``kept`` behind which every device was read: what is between two looks is decided then."""
        last = {look.device: look.until or look.at for look in looks if look.found is not None}
        read = min((last.get(device, _NEVER) for device in site.devices), default=_NEVER)
        known = self.memory.days.get(site.name)
        if known is None or known.terms != self._terms(site) or known.until not in kept:
            known = _Days(terms=self._terms(site), until=min(kept))
        for day, ours in sorted(kept.items()):
            if day != known.until or read < day + _DAY:
                break
            part = found.within(Window(day, day + _DAY))
            known.found[day] = _Day(_seconds(part), ours)
            known.until = day + _DAY
        for old in [day for day in known.found if day < known.until - PERIOD - 2 * _DAY]:
            del known.found[old]
        self.memory.days[site.name] = known

    def _line(
        self,
        site: Site,
        statuses: Mapping[DeviceName, DeviceStatus],
        looks: Sequence[Observation],
        *,
        since: datetime,
        first: datetime,
        now: datetime,
        leaks: bool,
    ) -> tuple[SiteLine, list[Kept]]:
        """``looks`` from ``first`` on; the days from ``since`` to there are settled."""
        begun = self._counts_since(site, statuses, looks, since)
        whole = Window(first if begun is None else max(first, begun), now)
        devices = tuple(site.devices)
        found = coverage(
            looks if begun is not None else (),
            whole,
            devices=devices,
            now=now,
            freshness=self.freshness,
            proofs=self.tried(site.name, whole) if leaks else (),
        )
        last = found.spans[-1] if found.spans else Span(window=whole, state=CoverageState.UNKNOWN, cause=NO_LOOK)
        over = [*_days(first, now - BURNS[1])]
        spans = (*(Window(now - span, now) for span in BURNS[:-1]), Window(first, now))
        asked = (*spans, *(Window(day, day + _DAY) for day in over))
        ours = kept(looks, asked, devices=devices, now=now, target=self.target, since=begun)
        seconds = _seconds(found)
        month = ours[len(BURNS) - 1]
        if first > since:
            before = self.memory.days[site.name].since(since)
            seconds = {state: seconds[state] + before.seconds[state] for state in CoverageState}
            month = month.plus(before.kept)
        if begun is not None and over and not leaks:
            self._settle(site, looks, found, dict(zip(over, ours[len(BURNS) :], strict=True)))
        line = SiteLine(
            age=self._age(site, statuses, now),
            title=site.title,
            state=last.state,
            cause=last.cause,
            seconds=seconds if begun is not None else dict.fromkeys(CoverageState, 0.0),
            kept=month,
        )
        return line, [*ours[: len(BURNS) - 1], month]

    def _counts_since(
        self,
        site: Site,
        statuses: Mapping[DeviceName, DeviceStatus],
        looks: Sequence[Observation],
        since: datetime,
    ) -> datetime | None:
        """From when on a site counts: when somebody first tried to look at it; None: nobody did."""
        if not any(device in statuses for device in site.devices):
            return None
        key = site.name, tuple(site.devices)
        if key not in self.memory.first_looks:
            known = bool(looks) and looks[0].at <= since and looks[0].device in site.devices
            first = looks[0].at if known else self.store.first_look(*key)
            if first is None:
                return None
            self.memory.first_looks[key] = first
        return max(since, self.memory.first_looks[key])

    # --- the promise ----------------------------------------------------------------------------------------------

    def budget(self) -> Budget:
        """Raises ``Conflict``: the inventory promises nothing."""
        found = self.fleet().budget
        if found is None:
            raise Conflict(
                "the inventory has no `slo`, so nothing is promised of the age of proofs",
                hint="add `slo: {enforced_age: 30m, share: 99%}` (docs/coverage.md)",
            )
        return found

    def watch(self) -> None:
        """Tell once when the promise is missed, when it will be soon, and when it is kept again. For the schedule."""
        if self.inventory.slo is None:
            return
        budget = self.budget()
        state = "missed" if budget.is_missed else "burning" if budget.is_burning else "kept"
        if self.store.note_slo(state, alert=_alert(state, budget)):
            tell = log.info if state == "kept" else log.warning
            tell("slo.moved", state=state)


def _oldest_first(line: SiteLine) -> tuple[float, str]:
    return (float("-inf") if line.age.age is None else -line.age.age.total_seconds(), line.age.site)


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.date(), time(), tzinfo=at.tzinfo)


def _days(first: datetime, end: datetime) -> Iterator[datetime]:
    """The whole days of UTC between a midnight and a time."""
    while first + _DAY <= end:
        yield first
        first += _DAY


def _seconds(known: Coverage) -> dict[CoverageState, float]:
    """By state, in one walk."""
    found = dict.fromkeys(CoverageState, timedelta())
    for span in known.spans:
        found[span.state] += span.window.end - span.window.start
    return {state: total.total_seconds() for state, total in found.items()}


def _alert(state: str, budget: Budget) -> AlertNote:
    month = budget.burns[-1].share
    promise = f"proofs no older than {show_age(budget.target)} for {show_share(budget.share)} of the time"
    came_to = "nothing counts yet" if month is None else f"{month:.3%} over 30 days"
    what = {
        "missed": f"the promise is missed: {promise}; it is {came_to}",
        "burning": f"the promise will be missed in days, as it goes now: {promise}; it is {came_to}",
        "kept": f"the promise is kept again: {promise}; it is {came_to}",
    }[state]
    burns = {words(span): each.burn(budget.share) for span, each in zip(BURNS, budget.burns, strict=True)}
    return AlertNote(kind=f"slo-{state}", subject="fleet", message=what, detail={"share": month, "burn": burns})


__all__ = ["CoverageDesk", "FleetCoverage", "SiteCoverage", "SiteLine", "tried_of"]
