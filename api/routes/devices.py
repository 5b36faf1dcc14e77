"""Devices: the latest word on each, and a check that one is prepared."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import StringConstraints

from api.auth import Ctl, Operator, Reader
from api.device_models import Device, Doctor
from api.jobs import JobsOf, Preferred
from api.models import Name, Page
from api.pages import Sorted, paged
from api.reference import PREVIEW, RESPONDS_ASYNC, answers
from api.straight import StraightRoute
from controller.service import Controller
from controller.views import DeviceView

router = APIRouter(prefix="/devices", tags=["devices"], route_class=StraightRoute)
Vendor = Annotated[str, StringConstraints(pattern="^[a-z0-9_]{1,40}$")]
Failing = Annotated[bool | None, Query(description="only those whose last look failed; false: only the others")]


def is_failing(device: DeviceView) -> bool:
    return device.status is not None and device.status.error is not None


def devices_of(controller: Controller, site: str | None) -> list[DeviceView]:
    """All, or those of one site. Raises ``NotFound``: a typing error is not a site without devices."""
    if site is not None:
        controller.inventory.site(site)
    return [d for d in controller.devices() if site is None or d.site == site]


@router.get("", summary="All devices", responses=answers(404))
def list_devices(
    controller: Ctl,
    caller: Reader,
    ask: Sorted,
    site: Annotated[Name | None, Query(description="only those of this site")] = None,
    vendor: Annotated[Vendor | None, Query(description="only of this kind", examples=["linux_nftables"])] = None,
    failing: Failing = None,
) -> Page[Device]:
    """With the latest word on each: what it was last read back holding, and when."""
    found = [
        device
        for device in devices_of(controller, site)
        if vendor in (None, device.vendor) and failing in (None, is_failing(device))
    ]
    return paged(found, of="devices", key=lambda d: d.name, show=Device.of, ask=ask)


@router.get("/{name}", summary="One device", responses=answers(404))
def get_device(controller: Ctl, caller: Reader, name: Name) -> Device:
    """With the latest word on it. Nothing is asked of the device itself."""
    return Device.of(controller.device(name))


@router.post(
    "/{name}/doctor",
    summary="Check that a device is prepared",
    response_model=Doctor,
    responses={**answers(404, 502, 503), **RESPONDS_ASYNC},
    openapi_extra=PREVIEW,
)
def doctor(
    controller: Ctl, caller: Operator, jobs: JobsOf, name: Name, prefer: Preferred = None
) -> Doctor | JSONResponse:
    """Logs in and looks; changes nothing."""
    known = controller.inventory.device(name).name
    return jobs.answer("doctor", lambda: Doctor.of(known, controller.doctor(known)), caller=caller, prefer=prefer)
