"""One's own account: what one may, where one is signed in, and ending that."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller
from api.models import Ulid
from api.sessions import PageCaller, PageCtl
from api.web.pages import PageRoute, page
from api.web.wording import SCOPES, one_zone
from controller.errors import NotFound
from controller.service import Controller

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/account")
def account(request: Request, controller: PageCtl, caller: PageCaller) -> Response:
    person = controller.people.get(str(caller.person))
    return page(
        request,
        controller,
        "account.html",
        person=person,
        may=[said for scope, said in SCOPES.items() if caller.allows(scope)],
        zone=one_zone(controller.inventory.sites.values()),
        sessions=list(reversed(controller.people.sessions(person.name, is_open=True))),
        tokens=[token for token in controller.tokens() if token.owner == person.name and token.revoked_at is None],
        now=controller.clock.now(),
    )


@router.post("/account/sessions/{session_id}/end")
def end_session(controller: PageCtl, caller: PageCaller, session_id: Ulid) -> Response:
    """One of one's own. Raises ``NotFound`` for anybody else's."""
    _own(controller, caller, session_id)
    controller.people.end_session(session_id, actor=caller.actor)
    return RedirectResponse("/account", status_code=303)


def _own(controller: Controller, caller: Caller, session_id: str) -> None:
    if session_id not in [session.id for session in controller.people.sessions(caller.person, is_open=True)]:
        raise NotFound("there is no such session of yours", hint="it may be over already")
