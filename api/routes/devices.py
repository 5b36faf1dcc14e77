"""Devices: the latest word on each, and a check that one is prepared."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Ctl, Operator, Reader
from api.lanes import LaneOf
from api.models import Device, Doctor, Name, Page
from api.pages import Cursor, Limit, page_of
from api.reference import PREVIEW, answers
from controller.service import Controller
from controller.views import DeviceView

router = APIRouter(prefix="/devices", tags=["devices"])


def devices_of(controller: Controller, site: str | None) -> list[DeviceView]:
    """All, or those of one site. Raises ``NotFound``: a typing error is not a site without devices."""
    if site is not None:
        controller.inventory.site(site)
    return [d for d in controller.devices() if site is None or d.site == site]


@router.get("", summary="All devices", responses=answers(404))
def list_devices(
    controller: Ctl,
    caller: Reader,
    site: Annotated[Name | None, Query(description="only those of this site")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Device]:
    """With the latest word on each: what it was last read back holding, and when."""
    return page_of(
        devices_of(controller, site), of="devices", key=lambda d: d.name, show=Device.of, limit=limit, cursor=cursor
    )


@router.get("/{name}", summary="One device", responses=answers(404))
def get_device(controller: Ctl, caller: Reader, name: Name) -> Device:
    """With the latest word on it. Nothing is asked of the device itself."""
    known = controller.inventory.device(name).name
    return next(Device.of(device) for device in controller.devices() if device.name == known)


@router.post(
    "/{name}/doctor",
    summary="Check that a device is prepared",
    responses=answers(404, 502, 503),
    openapi_extra=PREVIEW,
)
def doctor(controller: Ctl, caller: Operator, lane: LaneOf, name: Name) -> Doctor:
    """Logs in and looks; changes nothing."""
    with lane.enter():
        return Doctor.of(name, controller.doctor(name))
