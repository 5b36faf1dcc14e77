"""The start: what waits for whoever is signed in, and what holds at their sites now."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.sessions import PageCtl, PageReader
from api.web.pages import PageRoute, page, when
from controller.model import ExceptionState, Scope

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/")
def home(request: Request, controller: PageCtl, caller: PageReader) -> Response:
    waiting = controller.exceptions.find(state=ExceptionState.REQUESTED)
    mine = [e for e in controller.exceptions.find() if caller.actor in (e.requested_by, e.lead)]
    return page(
        request,
        controller,
        "home.html",
        waiting=[e for e in waiting if e.requested_by != caller.actor] if caller.allows(Scope.APPROVE) else [],
        mine=list(reversed(mine))[:5],
        live=controller.exceptions.find(live=True),
        sites=controller.sites(),
        when=when,
    )
