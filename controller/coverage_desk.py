"""How long sites were really enforced, how old the last proof of each is, and whether the promise about it is kept.

Everything here is asked of recorded looks; those that say the same are read as one, so that a month of a thousand sites
costs little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
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
        return replace(self, inventory=inventory, memory=_Memory())

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

    def tried(self, site: SiteName, window: Window) -> list[Tried]:
        """What reaches into the window."""
        return tried_of(self.store.proofs_between(site, Window(window.start - REMEMBERED, window.end)))

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
        statuses = self.store.statuses()
        since = _midnight(now - PERIOD)
        looks = self.store.fleet_looks(
            since - max(self.freshness, self.target),
            now + timedelta.resolution,
            freshness=min(self.freshness, self.target),
        )
        leaking = self.store.leaking_sites(since - REMEMBERED)
        lines, burns = [], [Kept() for _ in BURNS]
        for site in self.inventory.sites.values():
            line, ours = self._line(site, statuses, looks.get(site.name, []), leaking, since, now)
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

    def _line(
        self,
        site: Site,
        statuses: Mapping[DeviceName, DeviceStatus],
        looks: Sequence[Observation],
        leaking: frozenset[SiteName],
        since: datetime,
        now: datetime,
    ) -> tuple[SiteLine, list[Kept]]:
        begun = self._counts_since(site, statuses, looks, since)
        whole = Window(since if begun is None else max(since, begun), now)
        devices = tuple(site.devices)
        found = coverage(
            looks if begun is not None else (),
            whole,
            devices=devices,
            now=now,
            freshness=self.freshness,
            proofs=self.tried(site.name, whole) if site.name in leaking else (),
        )
        last = found.spans[-1] if found.spans else Span(window=whole, state=CoverageState.UNKNOWN, cause=NO_LOOK)
        counts = begun is not None
        spans = (*(Window(now - span, now) for span in BURNS[:-1]), Window(since, now))
        ours = kept(looks, spans, devices=devices, now=now, target=self.target, since=begun)
        line = SiteLine(
            age=self._age(site, statuses, now),
            title=site.title,
            state=last.state,
            cause=last.cause,
            seconds={state: found.total(state).total_seconds() if counts else 0.0 for state in CoverageState},
            kept=ours[-1],
        )
        return line, ours

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
        if looks and looks[0].at <= since and looks[0].device in site.devices:
            return since
        key = site.name, tuple(site.devices)
        if key not in self.memory.first_looks:
            first = self.store.first_look(*key)
            if first is None:
                return None
            self.memory.first_looks[key] = first
        return self.memory.first_looks[key]

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
