"""Plans: what exactly would change on which device; stored, so that exactly it can be applied."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.auth import Ctl, Operator, Reader
from api.jobs import JobsOf, Preferred
from api.models import Ulid
from api.reference import RESPONDS_ASYNC, answers
from api.run_models import Plan, PlanBody, PlannedDevice, Plans
from controller.planning import reopen

router = APIRouter(prefix="/plans", tags=["plans"])


@router.post(
    "",
    summary="Plan the selected devices",
    status_code=201,
    response_model=Plans,
    responses={**answers(404, 503), **RESPONDS_ASYNC},
)
def create_plans(
    controller: Ctl, caller: Operator, jobs: JobsOf, selection: PlanBody, prefer: Preferred = None
) -> Plans | JSONResponse:
    """Reads every selected device and says what would change. A device that cannot be read, or that a guard holds,
    has `error` set; the others are planned all the same."""
    controller.refuse_unknown(selection.selection())

    def work() -> Plans:
        found = controller.plan(selection.selection(), actor=caller.actor, force=selection.force)
        return Plans(
            items=tuple(PlannedDevice.of(result) for result in found), changes=any(result.steps for result in found)
        )

    return jobs.answer("plans", work, caller=caller, prefer=prefer)


@router.get("/{id}", summary="A stored plan", responses=answers(404, 409))
def get_plan(controller: Ctl, caller: Reader, id: Ulid) -> Plan:
    stored = controller.stored_plan(id)
    return Plan.of(stored, reopen(stored))
