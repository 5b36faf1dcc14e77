"""Devices: the latest word on each, and a check that one is prepared."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Ctl, Operator, Reader
from api.lanes import LaneOf
from api.models import Device, Doctor, Name, Page
from api.pages import Cursor, Limit, page_of
from api.reference import answers
from controller.errors import NotFound

router = APIRouter(prefix="/devices", tags=["devices"])


@router.get("", summary="All devices")
def list_devices(
    controller: Ctl,
    caller: Reader,
    site: Annotated[Name | None, Query(description="only those of this site")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Device]:
    """With the latest word on each: what it was last read back holding, and when."""
    found = [d for d in controller.devices() if site is None or d.site == site]
    return page_of(found, of="devices", key=lambda d: d.name, show=Device.of, limit=limit, cursor=cursor)


@router.get("/{name}", summary="One device", responses=answers(404))
def get_device(controller: Ctl, caller: Reader, name: Name) -> Device:
    """With the latest word on it. Nothing is asked of the device itself."""
    found = next((d for d in controller.devices() if d.name == name), None)
    if found is None:
        raise NotFound(f"no device {name!r}", hint="GET /api/v1/devices lists them")
    return Device.of(found)


@router.post("/{name}/doctor", summary="Check that a device is prepared", responses=answers(404, 502, 503))
def doctor(controller: Ctl, caller: Operator, lane: LaneOf, name: Name) -> Doctor:
    """Logs in and looks; changes nothing."""
    with lane.enter():
        return Doctor.of(name, controller.doctor(name))
