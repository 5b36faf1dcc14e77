"""Drift: how far devices are from what they should hold, as known or as read just now."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from api.auth import Ctl, Operator, Reader
from api.jobs import JobsOf, Preferred
from api.models import Name, Page
from api.pages import Sorted, paged
from api.reference import PREVIEW, RESPONDS_ASYNC, answers
from api.routes.devices import Failing, devices_of, is_failing
from api.run_models import DeviceDrift, DriftedDevice, KnownDrift, Selection

router = APIRouter(prefix="/drift", tags=["drift"])


@router.get("", summary="What the last look said", responses=answers(404))
def known_drift(
    controller: Ctl,
    caller: Reader,
    ask: Sorted,
    site: Annotated[Name | None, Query(description="only devices of this site")] = None,
    failing: Failing = None,
) -> Page[KnownDrift]:
    """Asks no device: the last look at each, and whether it was in step then."""
    found = [device for device in devices_of(controller, site) if failing in (None, is_failing(device))]
    return paged(found, of="drift", key=lambda d: d.name, show=KnownDrift.of, ask=ask)


@router.post(
    "",
    summary="Look now",
    response_model=DeviceDrift,
    responses={**answers(404, 503), **RESPONDS_ASYNC},
    openapi_extra=PREVIEW,
)
def look_now(
    controller: Ctl, caller: Operator, jobs: JobsOf, selection: Selection, prefer: Preferred = None
) -> DeviceDrift | JSONResponse:
    """Reads the selected devices; changes nothing on them."""
    controller.refuse_unknown(selection.selection())

    def work() -> DeviceDrift:
        found = tuple(DriftedDevice.of(result) for result in controller.drift(selection.selection()))
        return DeviceDrift(items=found, drifted=any(d.steps for d in found))

    return jobs.answer("drift", work, caller=caller, prefer=prefer)
