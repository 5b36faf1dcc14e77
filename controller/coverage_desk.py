"""How long sites were really enforced, how old the last proof of each is, and whether the promise about it is kept.

Everything here is asked of recorded looks; those that say the same are read as one. What a day came to is kept in the
store once every device was read after it, so that a month of a thousand sites costs no more than a day of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Final

import structlog

from controller.alerts import AlertNote
from controller.coverage import (
    NO_DEVICES,
    NO_LOOK,
    PROVEN,
    REMEMBERED,
    Coverage,
    Span,
    Spell,
    Stretch,
    Tried,
    by_device,
    coverage,
    times_of,
)
from controller.enforced_age import BURNS, PERIOD, Budget, FleetAge, Kept, SiteAge, fleet_age, kept, site_age
from controller.errors import Conflict
from controller.inventory import Inventory, Site
from controller.inventory.slo_rules import show_age, show_share
from controller.model import CoverageState, DeviceStatus, Window
from controller.planning import in_part
from controller.proof.matrix import shown_of
from controller.proof.model import Proof, ProofState
from controller.store import Store
from controller.store.proven import Settled, as_look, spells_of
from controller.store.schema import micros
from core.clock import Clock
from core.ids import DeviceName, SiteName
from ipsets.spans import words

log = structlog.get_logger()

KEPT_FOR: Final = timedelta(seconds=30)
"""So long an answer about the fleet is given again."""
APART: Final = 20
"""So many sites that are behind are read one by one, and the others together."""
_UNKNOWN: Final = CoverageState.UNKNOWN
_SECOND: Final = timedelta(seconds=1) // timedelta.resolution
_Told = Mapping[DeviceName, Sequence[Stretch]]
_REST: Final = 10
"""So many times as long as finding it took, an answer is given again although a device was looked at meanwhile."""


def tried_of(proofs: Sequence[Proof]) -> list[Tried]:
    """What rounds of proof say of each path: it leaks when any of its answers does, and is stopped when all are."""
    found = list[Tried]()
    for path, shown in shown_of(proofs):
        leaks = shown.state is ProofState.LEAKING
        found.append(
            Tried(at=shown.at, path=path, leaks=leaks, cause=f"{path}: {shown.target} passes" if leaks else "")
        )
    return sorted(found, key=lambda tried: tried.at)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What some time of a site came to, in microseconds. ``kept``: of the promise, in each window asked for."""

    times: Mapping[CoverageState, int]
    kept: Sequence[int]
    last: Span

    def plus(self, settled: Settled) -> _Found:
        """With the days before it; they are in the last of the windows alone."""
        times = {state: time + settled.times[state] for state, time in self.times.items()}
        return replace(self, times=times, kept=[*self.kept[:-1], self.kept[-1] + settled.promised])


@dataclass(slots=True)
class _Memory:
    """What was answered last, and what does not change any more."""

    fleet: tuple[float, float, int, FleetCoverage] | None = None  # when, how long it took, the newest look in it
    first_looks: dict[tuple[SiteName, tuple[DeviceName, ...]], datetime] = field(default_factory=dict)


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
        return replace(self, inventory=inventory, memory=_Memory(first_looks=self.memory.first_looks))

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
        settled = self._settled({s.name: s for s in self.inventory.sites.values() if s.name not in leaking}, now)
        firsts = sorted(settled[name].until if name in settled else since for name in self.inventory.sites)
        together = firsts[min(APART, len(firsts) - 1)] if firsts else now
        told = self.store.told_since(together - self._reach)
        lines, burns = [], [Kept() for _ in BURNS]
        for site in self.inventory.sites.values():
            days = settled.get(site.name)
            first = since if days is None else days.until
            own = told.get(site.name, {}) if first >= together else self._told(site, first)
            line, ours = self._line(site, statuses, own, days, since=since, now=now, leaks=site.name in leaking)
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
        days = None if leaks else self._settled({site.name: site}, now).get(site.name)
        told = self._told(site, since if days is None else days.until)
        statuses = self.store.statuses_of(site.devices)
        return self._line(site, statuses, told, days, since=since, now=now, leaks=leaks)[0]

    @property
    def _reach(self) -> timedelta:
        """So far back a look says something."""
        return max(self.freshness, self.target)

    def _told(self, site: Site, first: datetime) -> _Told:
        return self.store.told_since(first - self._reach, site=site.name).get(site.name, {})

    def _settled(self, sites: Mapping[SiteName, Site], now: datetime) -> Mapping[SiteName, Settled]:
        """The days of the period that are kept; of the last hours there have to be looks, for they are told apart."""
        days = Window(_midnight(now - PERIOD), _midnight(now - BURNS[1]))
        devices = {name: tuple(site.devices) for name, site in sites.items()}
        return self.store.settled(devices, days, freshness=self.freshness, target=self.target)

    def _line(
        self,
        site: Site,
        statuses: Mapping[DeviceName, DeviceStatus],
        told: _Told,
        settled: Settled | None,
        *,
        since: datetime,
        now: datetime,
        leaks: bool,
    ) -> tuple[SiteLine, list[Kept]]:
        """``told``: the looks behind the days that are ``settled``; those of the whole time since where None is."""
        told = {device: _up_to(line, now) for device, line in told.items()}
        begun, age = self._counts_since(site, statuses, told, settled, since), self._age(site, statuses, now)
        if begun is None:
            nothing = dict.fromkeys(CoverageState, 0.0)
            cause = NO_LOOK if site.devices else NO_DEVICES
            unseen = SiteLine(age=age, title=site.title, state=_UNKNOWN, cause=cause, seconds=nothing, kept=Kept())
            return unseen, [Kept() for _ in BURNS]
        whole = Window(min(now, begun if settled is None else max(begun, settled.until)), now)
        spans = [Window(min(now, max(now - span, begun)), now) for span in BURNS[:-1]]
        found = None if leaks else self._reckoned(site, told, whole, spans)
        if found is None:
            found = self._reckoned_by_spans(site, whole, spans, leaks=leaks)
        if settled is not None:
            found = found.plus(settled)
        kept = [Kept(counted=w.seconds, kept=k / _SECOND) for w, k in zip(spans, found.kept, strict=False)]
        kept.append(Kept(counted=max(0.0, (now - begun).total_seconds()), kept=found.kept[-1] / _SECOND))
        line = SiteLine(
            age=age,
            title=site.title,
            state=found.last.state,
            cause=found.last.cause,
            seconds={state: time / _SECOND for state, time in found.times.items()},
            kept=kept[-1],
        )
        return line, kept

    def _reckoned(self, site: Site, told: _Told, whole: Window, spans: Sequence[Window]) -> _Found | None:
        """Without making spans, as most sites are told; None: it takes more."""
        own, until = [told.get(device, ()) for device in site.devices], micros(whole.end)
        known, promised = spells_of(own, until=until, freshness=self.freshness, target=self.target)
        if known is None or promised is None:
            return None
        start = micros(whole.start)
        sums = times_of(known, start, until)
        times = {state: sums.get(state.value, 0) for state in CoverageState}
        times[_UNKNOWN] += max(0, until - start) - sum(sums.values())
        kept = [sum(times_of(promised, micros(w.start), until).values()) for w in (*spans, whole)]
        return _Found(times=times, kept=kept, last=self._last(site, told, known, whole))

    def _last(self, site: Site, told: _Told, known: Sequence[Spell], whole: Window) -> Span:
        """How it is now, and why."""
        if known and known[-1].end == micros(whole.end) and (state := CoverageState(known[-1].state)) in PROVEN:
            return Span(window=whole, state=state)
        looks = [as_look(one, site.name, device) for device, line in told.items() for one in _latest(line)]
        moment = Window(max(whole.start, whole.end - timedelta.resolution), whole.end)
        now = coverage(looks, moment, devices=tuple(site.devices), now=whole.end, freshness=self.freshness)
        return _last_of(now, whole)

    def _reckoned_by_spans(self, site: Site, whole: Window, spans: Sequence[Window], *, leaks: bool) -> _Found:
        devices, now = tuple(site.devices), whole.end
        window = Window(whole.start - self._reach, now + timedelta.resolution)
        looks = self.store.looks(site.name, window, freshness=min(self.freshness, self.target))
        proofs = self.tried(site.name, whole) if leaks else ()
        found = coverage(looks, whole, devices=devices, now=now, freshness=self.freshness, proofs=proofs)
        ours = kept(looks, (*spans, whole), devices=devices, now=now, target=self.target, since=whole.start)
        return _Found(
            times={state: found.total(state) // timedelta.resolution for state in CoverageState},
            kept=[round(one.kept * _SECOND) for one in ours],
            last=_last_of(found, whole),
        )

    def _counts_since(
        self,
        site: Site,
        statuses: Mapping[DeviceName, DeviceStatus],
        told: _Told,
        settled: Settled | None,
        since: datetime,
    ) -> datetime | None:
        """From when on a site counts: when somebody first tried to look at it; None: nobody did."""
        if not any(device in statuses for device in site.devices):
            return None
        if settled is not None:
            return max(since, settled.first)
        if any(line[0].first <= micros(since) for name in site.devices if (line := told.get(name))):
            return since
        key = site.name, tuple(site.devices)
        if key not in self.memory.first_looks:
            first = self.store.first_look(*key)
            if first is None:
                return None
            self.memory.first_looks[key] = first
        return max(since, self.memory.first_looks[key])

    def keep(self) -> None:
        """Work out the coverage of the days that are over, so that nobody who asks has to. For the housekeeping."""
        devices = {name: tuple(site.devices) for name, site in self.inventory.sites.items()}
        self.store.keep_coverage(devices, now=self.clock.now(), freshness=self.freshness, target=self.target)

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


def _up_to(line: Sequence[Stretch], now: datetime) -> Sequence[Stretch]:
    """Without looks that lie ahead: the clock was set back since, and they say nothing of how it is now."""
    until = micros(now)
    if not line or line[-1].last <= until:
        return line
    return [one._replace(last=min(one.last, until)) for one in line if one.first <= until]


def _latest(line: Sequence[Stretch]) -> Sequence[Stretch]:
    """The last look that came through and those behind it: no other says how a device is now."""
    good = (number for number in range(len(line) - 1, -1, -1) if line[number].found is not None)
    return line[next(good, 0) :]


def _last_of(known: Coverage, whole: Window) -> Span:
    return known.spans[-1] if known.spans else Span(window=whole, state=_UNKNOWN, cause=NO_LOOK)


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.date(), time(), tzinfo=at.tzinfo)


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
