"""Exceptions: ask, see what would open, decide, end. Who asks never approves."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.auth import Approver, Caller, Ctl, Reader, Requester, Revoker
from api.conditional import Match, tagged
from api.exception_models import (
    AccessException,
    ApproveBody,
    ExceptionBody,
    ExceptionUse,
    Preview,
    RenewBody,
    SeatsBody,
)
from api.models import Name, Page, ReasonBody, Ulid
from api.pages import MOST_COUNTED, Newest, Word, paged, paged_from
from api.reference import PREVIEW, answers
from api.straight import StraightRoute
from controller import model
from controller.errors import NotAllowed
from controller.exception_desk import Wanted
from controller.model import ExceptionState, Scope
from controller.remembered import Remembered
from controller.service import Controller
from controller.store import exception_version

router = APIRouter(prefix="/exceptions", tags=["exceptions"], route_class=StraightRoute)


_SHOWN = Remembered[model.AccessException, AccessException]()


def _show(controller: Controller, exception: model.AccessException) -> AccessException:
    now = controller.clock.now()
    return _SHOWN.of(exception, exception.is_live(now), lambda: AccessException.of(exception, now=now))


def _shown(controller: Controller, response: Response, exception: model.AccessException) -> AccessException:
    """With its version, for whoever means to change it."""
    tagged(response, exception_version(exception))
    return _show(controller, exception)


@router.post("", summary="Request an exception", status_code=201, responses=answers(404, 409, 503))
def request_exception(controller: Ctl, caller: Requester, response: Response, body: ExceptionBody) -> AccessException:
    """Recorded and waiting for an approver; nothing opens yet."""
    made = controller.exceptions.request(body.request(), actor=caller.actor, draft=body.draft)
    response.headers["Location"] = f"/api/v1/exceptions/{made.id}"
    return _shown(controller, response, controller.exceptions.get(made.id))


@router.post("/preview", summary="What a request would open", responses=answers(404), openapi_extra=PREVIEW)
def preview(controller: Ctl, caller: Requester, body: ExceptionBody) -> Preview:
    """Records nothing."""
    return Preview.of(controller.exceptions.preview(body.request()))


@router.get("", summary="Exceptions, the newest first")
def list_exceptions(
    controller: Ctl,
    caller: Reader,
    ask: Newest,
    state: Annotated[ExceptionState | None, Query(description="only those in this state")] = None,
    site: Annotated[Name | None, Query(description="only those that name this site")] = None,
    live: Annotated[bool | None, Query(description="only those that are, or are not, in force now")] = None,
    service: Annotated[Name | None, Query(description="only of this service")] = None,
    code: Annotated[Name | None, Query(description="only with this code of a reason")] = None,
    owner: Annotated[Word | None, Query(description="only of this owner")] = None,
    requested_by: Annotated[Word | None, Query(description="only those this one asked for")] = None,
) -> Page[AccessException]:
    wanted = Wanted(
        state=state,
        site=site,
        live=live,
        service=service,
        code=code,
        owner=owner,
        requested_by=requested_by,
        text=ask.q,
    )
    desk, most = controller.exceptions, ask.limit + 1
    listed = desk.listed(wanted, ask.after("exceptions"), newest_first=ask.is_descending, first=most)
    count = desk.count(wanted, most=MOST_COUNTED) if ask.count else None
    return paged_from(
        [*islice(listed, most)],
        of="exceptions",
        key=lambda e: e.id,
        show=lambda e: _show(controller, e),
        ask=ask,
        count=count,
    )


@router.get("/{id}", summary="One exception", responses=answers(404))
def get_exception(controller: Ctl, caller: Reader, response: Response, id: Ulid) -> AccessException:
    """`live_on` names the devices that were read back holding it."""
    return _shown(controller, response, controller.exceptions.get(id))


@router.post("/{id}/approve", summary="Approve", responses=answers(404, 409, 412, 503))
def approve(
    controller: Ctl,
    caller: Approver,
    response: Response,
    id: Ulid,
    body: ApproveBody | None = None,
    match: Match = None,
) -> AccessException:
    """In force on its devices within seconds when its time has come. Who asked for it cannot approve it.

    Where its reason demands several people it waits for the others; `approvals` has those of now.
    """
    said = body or ApproveBody()
    approved = controller.exceptions.approve(id, actor=caller.actor, preview=said.preview, reason=said.reason)
    return _shown(controller, response, approved)


@router.get("/{id}/preview", summary="What one that was asked for would open", responses=answers(404))
def preview_of(controller: Ctl, caller: Reader, id: Ulid) -> Preview:
    """What an approver approves: its `digest` goes with the approval."""
    return Preview.of(controller.exceptions.preview_of(id))


@router.get("/{id}/use", summary="What was counted of its use", responses=answers(404))
def use(controller: Ctl, caller: Reader, id: Ulid) -> ExceptionUse:
    return ExceptionUse.of(controller.exceptions.use(id))


@router.get("/{id}/history", summary="It and those that it renews", responses=answers(404))
def history(controller: Ctl, caller: Reader, id: Ulid, ask: Newest) -> Page[AccessException]:
    """The newest first."""
    found = controller.exceptions.history(id)
    return paged(found, of="history", key=lambda e: e.id, show=lambda e: _show(controller, e), ask=ask)


@router.post("/{id}/submit", summary="Hand a draft in", responses=answers(404, 409, 412, 503))
def submit(controller: Ctl, caller: Requester, response: Response, id: Ulid, match: Match = None) -> AccessException:
    """It waits for an approver then. Only its author can."""
    return _shown(controller, response, controller.exceptions.submit(id, actor=caller.actor))


@router.post("/{id}/renew", summary="Ask for it once more", status_code=201, responses=answers(404, 409, 412, 503))
def renew(
    controller: Ctl, caller: Requester, response: Response, id: Ulid, body: RenewBody, match: Match = None
) -> AccessException:
    """Another exception like it, from its end on, that waits for an approver."""
    made = controller.exceptions.renew(id, ends=body.ends, actor=caller.actor, reason=body.reason, draft=body.draft)
    response.headers["Location"] = f"/api/v1/exceptions/{made.id}"
    return _shown(controller, response, controller.exceptions.get(made.id))


@router.put("/{id}/seats", summary="Give the seats of a team", responses=answers(404, 409, 412, 503))
def give_seats(
    controller: Ctl, caller: Revoker, response: Response, id: Ulid, body: SeatsBody, match: Match = None
) -> AccessException:
    """To these addresses and no others; on its devices within seconds. Its lead may, and approvers."""
    may_all = caller.allows(Scope.APPROVE)
    given = controller.exceptions.seat(id, body.sources, actor=caller.actor, may_all=may_all)
    return _shown(controller, response, given)


@router.post("/{id}/deny", summary="Deny", responses=answers(404, 409, 412, 503))
def deny(
    controller: Ctl, caller: Approver, response: Response, id: Ulid, body: ReasonBody, match: Match = None
) -> AccessException:
    return _shown(controller, response, controller.exceptions.deny(id, actor=caller.actor, reason=body.reason))


@router.post("/{id}/revoke", summary="Revoke", responses=answers(404, 409, 412, 503))
def revoke(
    controller: Ctl, caller: Revoker, response: Response, id: Ulid, body: ReasonBody, match: Match = None
) -> AccessException:
    """Ends it now, on its devices within seconds. With `request` alone, only what one asked for oneself."""
    refuse_strangers(controller.exceptions.get(id), caller)
    return _shown(controller, response, controller.exceptions.revoke(id, actor=caller.actor, reason=body.reason))


def refuse_strangers(exception: model.AccessException, caller: Caller) -> None:
    """Raises ``NotAllowed``: who only asks ends what they asked for, and nothing else."""
    if not caller.allows(Scope.APPROVE) and exception.requested_by != caller.actor:
        raise NotAllowed("with the scope request one revokes only what one asked for", hint="ask an approver")
