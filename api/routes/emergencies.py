"""Emergencies: withdraw an entry, switch sites to watching or off, pause what is sent; and end that."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.auth import Ctl, Operator, Reader
from api.conditional import Match, tagged
from api.emergency_models import Emergency, EmergencyBody, PauseBody, SwitchBody
from api.models import Page, ReasonBody, Ulid
from api.pages import Newest, paged
from api.reference import answers
from controller import model
from controller.interventions import Interventions
from controller.model import EmergencyKind, Mode
from controller.service import Controller
from controller.versions import emergency_version

router = APIRouter(prefix="/emergencies", tags=["emergencies"])


def _show(controller: Controller, emergency: model.Emergency) -> Emergency:
    return Emergency.of(emergency, active=emergency.holds(controller.clock.now()))


def _shown(controller: Controller, response: Response, emergency: model.Emergency) -> Emergency:
    """With its version, for whoever means to end it."""
    tagged(response, emergency_version(emergency))
    return _show(controller, emergency)


@router.post("", summary="Act in an emergency", status_code=201, responses=answers(404, 409, 503))
def act(controller: Ctl, caller: Operator, response: Response, body: EmergencyBody) -> Emergency:
    """It holds at once, devices follow at once, and it is told everywhere.

    A withdrawal that leaves a service without any address, or any name, is refused with TG5021 until `empties` names
    the service."""
    begun = _begin(controller.interventions, body, actor=caller.actor)
    response.headers["Location"] = f"/api/v1/emergencies/{begun.id}"
    return _shown(controller, response, controller.emergencies.get(begun.id))


def _begin(office: Interventions, body: EmergencyBody, *, actor: str) -> model.Emergency:
    if isinstance(body, SwitchBody):
        return office.switch(Mode(body.mode), body.sites, actor=actor, reason=body.reason, ends=body.ends)
    if isinstance(body, PauseBody):
        return office.pause(body.sites, actor=actor, reason=body.reason, ends=body.ends)
    return office.withdraw(body.value, actor=actor, reason=body.reason, ends=body.ends, empties=body.empties)


@router.get("", summary="Emergency actions, the newest first")
def list_emergencies(
    controller: Ctl,
    caller: Reader,
    ask: Newest,
    active: Annotated[bool | None, Query(description="only those that hold now, or that do not")] = None,
    kind: Annotated[EmergencyKind | None, Query(description="only of this kind")] = None,
) -> Page[Emergency]:
    now = controller.clock.now()
    found = [
        e for e in controller.emergencies.all() if (active is None or e.holds(now) is active) and kind in (None, e.kind)
    ]
    return paged(found, of="emergencies", key=lambda e: e.id, show=lambda e: _show(controller, e), ask=ask)


@router.get("/{id}", summary="One emergency action", responses=answers(404))
def get_emergency(controller: Ctl, caller: Reader, response: Response, id: Ulid) -> Emergency:
    return _shown(controller, response, controller.emergencies.get(id))


@router.post("/{id}/end", summary="End it now", responses=answers(404, 409, 412, 503))
def end_emergency(
    controller: Ctl, caller: Operator, response: Response, id: Ulid, body: ReasonBody, match: Match = None
) -> Emergency:
    """What it took away comes back at once."""
    return _shown(controller, response, controller.interventions.end(id, actor=caller.actor, reason=body.reason))
