"""The start: what waits for whoever is signed in, and what holds at their sites now."""

from __future__ import annotations

from itertools import islice
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.pages import MOST_COUNTED
from api.sessions import PageCtl, PageReader
from api.web.fleet import fleet
from api.web.pages import PageRoute, page
from api.web.shown import Shown
from controller.exception_desk import Wanted
from controller.model import ExceptionState, Scope

SHOWN: Final = 5
LOOKED_AT: Final = 500
"""The newest exceptions, among which one's own are looked for."""

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/")
def home(request: Request, controller: PageCtl, caller: PageReader) -> Response:
    now, desk = controller.clock.now(), controller.exceptions
    waiting = [e for e in desk.find(Wanted(state=ExceptionState.REQUESTED)) if e.requested_by != caller.actor]
    newest = islice(desk.listed(Wanted(), newest_first=True, first=LOOKED_AT), LOOKED_AT)
    mine = islice((e for e in newest if caller.actor in (e.requested_by, e.lead)), SHOWN)
    return page(
        request,
        controller,
        "home.html",
        waiting=waiting if caller.allows(Scope.APPROVE) else [],
        mine=[Shown.of(controller, e, now) for e in mine],
        living=desk.count(Wanted(live=True), most=MOST_COUNTED),
        shown=SHOWN,
        **fleet(controller),
    )
