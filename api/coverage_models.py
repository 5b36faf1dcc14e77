"""Coverage over the wire: states by the second or the minute, ages of proofs, and the promise about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from pydantic import Field

from api.models import Answer, Instant
from controller import coverage, coverage_desk
from controller import enforced_age as ages
from controller.inventory.slo_rules import show_age
from controller.model import CoverageState
from ipsets.spans import short


class By(StrEnum):
    """How time is cut."""

    SPAN = "span"  # to the moment
    MINUTE = "minute"  # whole minutes, each in the worst state that it had


class CoverageSpan(Answer):
    """From ``start`` on, before ``end``, in one state."""

    start: Instant
    end: Instant
    state: CoverageState
    cause: str = Field(description="why it is not enforced or not known")

    @classmethod
    def all_of(cls, known: coverage.Coverage, by: By) -> tuple[CoverageSpan, ...]:
        if by is By.MINUTE:
            cells = coverage.by_minute(known)
            return tuple(cls(start=m.start, end=m.end, state=m.state, cause=m.cause) for m in cells)
        return tuple(cls(start=s.window.start, end=s.window.end, state=s.state, cause=s.cause) for s in known.spans)


class DeviceCoverage(Answer):
    device: str
    spans: tuple[CoverageSpan, ...]


class EnforcedAge(Answer):
    """How old the last read-back is that proved a site to be as it should. Null: one of its devices never was."""

    seconds: float | None
    proven_at: Instant | None
    device: str | None = Field(description="the device that was proven longest ago, or never")

    @classmethod
    def of(cls, age: ages.SiteAge) -> EnforcedAge:
        return cls(seconds=_seconds(age.age), proven_at=age.proven_at, device=age.device)


class RoleCoverage(Answer):
    """One source role of a site: no more than was proven of the devices, and than its policy of that time asked for."""

    role: str
    seconds: dict[str, float] = Field(description="by state; they add up to the time from `start` to `end`")
    spans: tuple[CoverageSpan, ...]

    @classmethod
    def of(cls, role: str, known: coverage.Coverage, by: By) -> RoleCoverage:
        seconds = {state.value: known.total(state).total_seconds() for state in CoverageState}
        return cls(role=role, seconds=seconds, spans=CoverageSpan.all_of(known, by))


class SiteCoverage(Answer):
    """One site over some time. The spans follow each other without gap; at every moment the worst device decides, and
    of its roles the strictest: `roles` has each alone."""

    site: str
    start: Instant
    end: Instant
    by: By
    enforced_age: EnforcedAge
    seconds: dict[str, float] = Field(description="by state; they add up to the time from `start` to `end`")
    spans: tuple[CoverageSpan, ...]
    devices: tuple[DeviceCoverage, ...]
    roles: tuple[RoleCoverage, ...]

    @classmethod
    def of(cls, found: coverage_desk.SiteCoverage, roles: Mapping[str, coverage.Coverage], by: By) -> SiteCoverage:
        return cls(
            site=found.site,
            start=found.window.start,
            end=found.window.end,
            by=by,
            enforced_age=EnforcedAge.of(found.age),
            seconds={state.value: found.whole.total(state).total_seconds() for state in CoverageState},
            spans=CoverageSpan.all_of(found.whole, by),
            devices=tuple(
                DeviceCoverage(device=name, spans=CoverageSpan.all_of(known, by))
                for name, known in sorted(found.devices.items())
            ),
            roles=tuple(RoleCoverage.of(role, known, by) for role, known in sorted(roles.items())),
        )


class FleetAge(Answer):
    """Over all sites, by nearest rank. Null: it falls on a site that was never proven."""

    sites: int
    never: int = Field(description="sites without any proof")
    p50: float | None
    p95: float | None
    max: float | None

    @classmethod
    def of(cls, age: ages.FleetAge) -> FleetAge:
        return cls(
            sites=age.sites, never=age.never, p50=_seconds(age.p50), p95=_seconds(age.p95), max=_seconds(age.most)
        )


class Burn(Answer):
    """What the promise came to over the last hour, six hours, or the whole days of 30 days and today."""

    window: str = Field(examples=["1h", "6h", "30d"])
    site_seconds: float = Field(description="time of all sites that counts")
    kept_seconds: float
    share: float | None = Field(description="null: no time counts yet")
    burn: float | None = Field(description="how many times faster than allowed the error budget goes")


class Slo(Answer):
    """The promise about the age of proofs, and what became of it."""

    enforced_age: str = Field(examples=["30m"])
    share: float = Field(examples=[0.99])
    budget_left: float | None = Field(description="share of the error budget of 30 days; below 0: missed")
    missed: bool
    burning: bool = Field(description="so fast that it will be missed in days")
    burns: tuple[Burn, ...]

    @classmethod
    def of(cls, budget: ages.Budget) -> Slo:
        return cls(
            enforced_age=show_age(budget.target),
            share=budget.share,
            budget_left=budget.left,
            missed=budget.is_missed,
            burning=budget.is_burning,
            burns=tuple(
                Burn(
                    window=short(span),
                    site_seconds=each.counted,
                    kept_seconds=each.kept,
                    share=each.share,
                    burn=each.burn(budget.share),
                )
                for span, each in zip(ages.BURNS, budget.burns, strict=True)
            ),
        )


class SiteLine(Answer):
    """One site now, and what the time since ``since`` came to."""

    site: str
    title: str
    state: CoverageState
    cause: str
    enforced_age: EnforcedAge
    seconds: dict[str, float]
    kept_share: float | None = Field(description="of its time with a proof that was young enough")

    @classmethod
    def of(cls, line: coverage_desk.SiteLine) -> SiteLine:
        return cls(
            site=line.age.site,
            title=line.title,
            state=line.state,
            cause=line.cause,
            enforced_age=EnforcedAge.of(line.age),
            seconds={state.value: line.seconds[state] for state in CoverageState},
            kept_share=line.kept.share,
        )


class FleetCoverage(Answer):
    """The fleet now, the site with the oldest proof first."""

    at: Instant
    since: Instant = Field(description="where the seconds of the sites begin: a midnight of UTC 30 days ago")
    enforced_age: FleetAge
    slo: Slo | None = Field(description="null: the inventory promises nothing")
    sites: tuple[SiteLine, ...]

    @classmethod
    def of(cls, fleet: coverage_desk.FleetCoverage) -> FleetCoverage:
        return cls(
            at=fleet.at,
            since=fleet.since,
            enforced_age=FleetAge.of(fleet.age),
            slo=Slo.of(fleet.budget) if fleet.budget is not None else None,
            sites=tuple(map(SiteLine.of, fleet.sites)),
        )


def _seconds(age: timedelta | None) -> float | None:
    return None if age is None else age.total_seconds()
