"""Coverage: how long sites were really enforced, how old the last proof of each is, and whether the promise is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query

from api.auth import Ctl, Reader
from api.coverage_models import By, FleetCoverage, SiteCoverage, Slo
from api.models import Instant, Name
from api.reference import answers
from controller.errors import Invalid
from controller.model import Window

router = APIRouter(prefix="/coverage", tags=["coverage"])

DEFAULT_SPAN: Final = timedelta(hours=24)
LONGEST_SPAN: Final = timedelta(days=92)


@router.get("", summary="The fleet now")
def fleet(controller: Ctl, caller: Reader) -> FleetCoverage:
    """How old the last proof of each site is, over the fleet and site by site, and what 30 days came to. An answer may
    be half a minute old."""
    return FleetCoverage.of(controller.coverage.fleet())


@router.get("/slo", summary="The promise, and its error budget", responses=answers(409))
def slo(controller: Ctl, caller: Reader) -> Slo:
    """409 when the inventory promises nothing."""
    return Slo.of(controller.coverage.budget())


@router.get("/sites/{name}", summary="One site over some time", responses=answers(404))
def site(
    controller: Ctl,
    caller: Reader,
    name: Name,
    start: Annotated[Instant | None, Query(alias="from", description="24 hours before `to` when left out")] = None,
    end: Annotated[Instant | None, Query(alias="to", description="now when left out")] = None,
    by: Annotated[By, Query(description="to the moment, or in whole minutes")] = By.SPAN,
) -> SiteCoverage:
    """The site and each of its devices, in spans that say why. At most 92 days."""
    last = end or controller.clock.now()
    first = start or last - DEFAULT_SPAN
    if first >= last:
        raise Invalid("from: must lie before to")
    if last - first > LONGEST_SPAN:
        raise Invalid(f"from: coverage is told for {LONGEST_SPAN.days} days at most")
    window = Window(first, last)
    return SiteCoverage.of(controller.coverage.site(name, window), controller.roles.of(name, window), by)
