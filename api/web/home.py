"""The start: what waits for whoever is signed in, and what holds at their sites now."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.sessions import PageCtl, PageReader
from api.web.pages import PageRoute, page
from api.web.shown import Shown
from controller.model import ExceptionState, Scope

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/")
def home(request: Request, controller: PageCtl, caller: PageReader) -> Response:
    now, known = controller.clock.now(), controller.exceptions.find()
    waiting = [e for e in known if e.state is ExceptionState.REQUESTED and e.requested_by != caller.actor]
    mine = [e for e in known if caller.actor in (e.requested_by, e.lead)]
    return page(
        request,
        controller,
        "home.html",
        waiting=waiting if caller.allows(Scope.APPROVE) else [],
        mine=[Shown.of(controller, e, now) for e in list(reversed(mine))[:5]],
        live=[e for e in known if e.is_live(now)],
        sites=controller.sites(),
    )
