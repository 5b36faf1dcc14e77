"""Plans: what exactly would change on which device; stored, so that exactly it can be applied."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Ctl, Operator, Reader
from api.lanes import LaneOf
from api.models import Plan, PlannedDevice, Plans, Selection, Ulid
from api.reference import answers
from controller.planning import reopen

router = APIRouter(prefix="/plans", tags=["plans"])


@router.post("", summary="Plan the selected devices", status_code=201, responses=answers(404, 503))
def create_plans(controller: Ctl, caller: Operator, lane: LaneOf, selection: Selection) -> Plans:
    """Reads every selected device and says what would change. A device that cannot be read, or that a guard holds,
    has `error` set; the others are planned all the same."""
    with lane.enter():
        found = controller.plan(selection.selection(), actor=caller.actor)
    return Plans(
        items=tuple(PlannedDevice.of(result) for result in found), changes=any(result.steps for result in found)
    )


@router.get("/{id}", summary="A stored plan", responses=answers(404, 409))
def get_plan(controller: Ctl, caller: Reader, id: Ulid) -> Plan:
    stored = controller.stored_plan(id)
    _, plan = reopen(stored)
    return Plan.of(stored, plan)
