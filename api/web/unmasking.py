"""Seeing who a pseudonym is, in a browser: ask, decide, look."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller
from api.sessions import PageConsenter, PageCtl, PageUnmasker, PageUnmaskingReader
from api.web.fields import about
from api.web.once import OnceOf
from api.web.pages import PageRoute, page, wall_time
from controller.access_roles import may_be_one_person
from controller.errors import Conflict, Invalid
from controller.model import Scope
from controller.privacy.unmasking import HOURS, MOST_HOURS, UnmaskingState
from controller.privacy_desk import Unmasked, UnmaskingRequest
from controller.service import Controller
from core.errors import TokgateError
from core.ids import new_id

router = APIRouter(prefix="/identities", include_in_schema=False, route_class=PageRoute)

SHOWN: Final = 100
STATES: Final = {
    UnmaskingState.REQUESTED: ("waits for another person", "warn"),
    UnmaskingState.APPROVED: ("open", "good"),
    UnmaskingState.DENIED: ("denied", ""),
    UnmaskingState.ENDED: ("ended early", ""),
    UnmaskingState.LAPSED: ("nobody decided it", ""),
    UnmaskingState.OVER: ("over", ""),
}
FIELDS: Final = {
    "site": ("site", "Site"),
    "pseudonym": ("pseudonym", "Pseudonym"),
    "day": ("day", "First day"),
    "since": ("day", "First day"),
    "until": ("until", "Last day"),
    "reason": ("reason", "Reason"),
    "ticket": ("ticket", "Ticket"),
    "hours": ("hours", "Hours"),
}
"""The fields of the form, by what errors call them."""
Field = Annotated[str, Form(max_length=2000)]


@router.get("")
def list_page(request: Request, controller: PageCtl, caller: PageUnmaskingReader) -> Response:
    return _page(request, controller, caller)


@router.post("")
def ask(
    request: Request,
    controller: PageCtl,
    caller: PageUnmasker,
    once: OnceOf,
    site: Field = "",
    day: Field = "",
    until: Field = "",
    pseudonym: Field = "",
    reason: Field = "",
    ticket: Field = "",
    hours: Field = str(HOURS),
) -> Response:
    """Days are of UTC, both included. What was typed is still there when it is refused."""
    given = {"site": site, "day": day, "until": until, "pseudonym": pseudonym, "reason": reason, "ticket": ticket}
    given |= {"hours": hours}
    try:
        once(caller, lambda: controller.privacy.ask(_wanted(given), actor=caller.actor).id)
    except TokgateError as exc:
        return _page(request, controller, caller, error=exc, given=given)
    return RedirectResponse("/identities?done=unmasking-asked", status_code=303)


def _wanted(given: dict[str, str]) -> UnmaskingRequest:
    """Raises ``Invalid`` for what cannot be asked at all; the desk judges the rest."""
    first = wall_time(given["day"], "day").replace(tzinfo=UTC)
    last = wall_time(given["until"] or given["day"], "until").replace(tzinfo=UTC)
    if last < first:
        raise Invalid("until: lies before the first day")
    if not given["hours"].strip().isdecimal():
        raise Invalid(f"hours: from 1 to {MOST_HOURS}")
    return UnmaskingRequest(
        site=given["site"],
        since=first,
        until=last + timedelta(days=1),
        reason=given["reason"],
        pseudonym=given["pseudonym"],
        ticket=given["ticket"],
        hours=int(given["hours"]),
    )


@router.post("/{number}/look")
def look(request: Request, controller: PageCtl, caller: PageUnmasker, number: str) -> Response:
    """A POST, for it is written down; what it tells is on this page alone."""
    try:
        _, found = controller.privacy.identities(number, actor=caller.actor)
    except TokgateError as exc:
        return _page(request, controller, caller, error=exc)
    return _page(request, controller, caller, found=found)


@router.post("/{number}/end")
def end(request: Request, controller: PageCtl, caller: PageUnmaskingReader, number: str) -> Response:
    try:
        controller.privacy.end(number, actor=caller.actor, may_decide=caller.allows(Scope.CONSENT))
    except TokgateError as exc:
        return _page(request, controller, caller, error=exc)
    return RedirectResponse("/identities?done=unmasking-ended", status_code=303)


@router.post("/{number}/{act}")
def decide(
    request: Request, controller: PageCtl, caller: PageConsenter, number: str, act: str, reason: Field = ""
) -> Response:
    """``approve`` or ``deny``."""
    try:
        if act not in _DECISIONS:
            raise Conflict("an unmasking is approved or denied")
        controller.privacy.decide(number, _DECISIONS[act], actor=caller.actor, why=reason)
    except TokgateError as exc:
        return _page(request, controller, caller, error=exc)
    return RedirectResponse(f"/identities?done=unmasking-{_DECISIONS[act].value}", status_code=303)


_DECISIONS: Final = {"approve": UnmaskingState.APPROVED, "deny": UnmaskingState.DENIED}


def _page(
    request: Request,
    controller: Controller,
    caller: Caller,
    *,
    error: TokgateError | None = None,
    found: list[Unmasked] | None = None,
    given: dict[str, str] | None = None,
) -> Response:
    now = controller.clock.now()
    return page(
        request,
        controller,
        "identities.html",
        error=error,
        unmaskings=[
            (one, one.state(now).value, *STATES[one.state(now)], may_be_one_person(caller.actor, one.requested_by))
            for one in controller.privacy.listed(limit=SHOWN)
        ],
        found=found,
        given=given or {**dict.fromkeys(FIELDS, ""), "hours": str(HOURS)},
        once=new_id(),
        sites=list(controller.inventory.sites),
        rules={name: controller.privacy.at(name) for name in controller.inventory.sites},
        may_ask=caller.allows(Scope.UNMASK),
        may_decide=caller.allows(Scope.CONSENT),
        most_hours=MOST_HOURS,
        **about(error, FIELDS if given else {}),
    )
