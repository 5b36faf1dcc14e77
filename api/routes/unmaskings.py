"""Seeing who a pseudonym is: one asks, another decides, and each look is written down."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.auth import Consenter, Ctl, Unmasker, UnmaskingEnder, UnmaskingReader
from api.models import Page, ReasonBody, Ulid
from api.pages import Newest, paged
from api.reference import answers
from api.unmasking_models import ConsentBody, Identities, Unmasked, Unmasking, UnmaskingBody
from controller.model import Scope
from controller.privacy import unmasking
from controller.privacy.unmasking import UnmaskingState
from controller.privacy_desk import MOST_LISTED
from controller.service import Controller

router = APIRouter(prefix="/unmaskings", tags=["unmaskings"])


def _shown(controller: Controller, found: unmasking.Unmasking) -> Unmasking:
    return Unmasking.of(found, now=controller.clock.now())


@router.post("", summary="Ask to see who it was", status_code=201, responses=answers(404, 409, 503))
def ask_unmasking(controller: Ctl, caller: Unmasker, response: Response, body: UnmaskingBody) -> Unmasking:
    """Recorded, and waiting for another person; nothing is shown yet."""
    asked = controller.privacy.ask(body.request(), actor=caller.actor)
    response.headers["Location"] = f"/api/v1/unmaskings/{asked.id}"
    return _shown(controller, asked)


@router.get("", summary="Who asked to see whom, the newest first")
def list_unmaskings(controller: Ctl, caller: UnmaskingReader, ask: Newest) -> Page[Unmasking]:
    found = controller.privacy.listed(limit=MOST_LISTED)
    return paged(found, of="unmaskings", key=lambda one: one.id, show=lambda one: _shown(controller, one), ask=ask)


@router.get("/{id}", summary="One of them", responses=answers(404))
def get_unmasking(controller: Ctl, caller: UnmaskingReader, id: Ulid) -> Unmasking:
    return _shown(controller, controller.privacy.one(id))


@router.get("/{id}/identities", summary="Who it was", responses=answers(404, 503))
def identities(controller: Ctl, caller: Unmasker, id: Ulid) -> Identities:
    """For whoever asked, while it is open; each look is in the audit log. TG6011 otherwise."""
    asked, found = controller.privacy.identities(id, actor=caller.actor)
    return Identities(unmasking=_shown(controller, asked), identities=tuple(map(Unmasked.from_found, found)))


@router.post("/{id}/approve", summary="Let it be seen", responses=answers(404, 409, 503))
def approve_unmasking(controller: Ctl, caller: Consenter, id: Ulid, body: ConsentBody | None = None) -> Unmasking:
    """By another person than who asked: else TG6010. It is open for its hours from now on."""
    decided = controller.privacy.decide(
        id, UnmaskingState.APPROVED, actor=caller.actor, why=body.reason if body else ""
    )
    return _shown(controller, decided)


@router.post("/{id}/deny", summary="Do not let it be seen", responses=answers(404, 409, 503))
def deny_unmasking(controller: Ctl, caller: Consenter, id: Ulid, body: ReasonBody) -> Unmasking:
    decided = controller.privacy.decide(id, UnmaskingState.DENIED, actor=caller.actor, why=body.reason)
    return _shown(controller, decided)


@router.post("/{id}/end", summary="End it before its time", responses=answers(404, 409, 503))
def end_unmasking(controller: Ctl, caller: UnmaskingEnder, id: Ulid) -> Unmasking:
    """Nothing more is shown. By who asked, or by who may decide."""
    return _shown(controller, controller.privacy.end(id, actor=caller.actor, may_decide=caller.allows(Scope.CONSENT)))
