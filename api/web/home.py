"""The start: what waits for whoever is signed in, and what holds at their sites now."""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from api.auth import Caller
from api.pages import MOST_COUNTED
from api.sessions import PageCtl, PageReader
from api.web.fleet import Asked, fleet
from api.web.pages import PageRoute, page
from api.web.shown import Shown
from api.web.templating import render
from controller.exception_desk import Wanted
from controller.model import ExceptionState, Scope
from controller.service import Controller

SHOWN: Final = 5
LOOKED_AT: Final = 500
"""The newest exceptions, among which one's own are looked for."""

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/")
def home(request: Request, controller: PageCtl, caller: PageReader, asked: Annotated[Asked, Depends()]) -> Response:
    return page(request, controller, "home.html", **_waits(controller, caller), **fleet(controller, asked))


@router.get("/waits")
def waits_part(
    request: Request, controller: PageCtl, caller: PageReader, seen: Annotated[str, Query(max_length=16)] = ""
) -> Response:
    """What waits, alone. ``seen``: what the page shows; nothing is sent for that."""
    known = _waits(controller, caller)
    if seen == known["waits_seen"]:
        return Response(status_code=204)
    return render(request, "waits.html", Scope=Scope, **known)


def _waits(controller: Controller, caller: Caller) -> dict[str, Any]:
    """What waits for that person, and what they asked for. ``waits_seen`` names it."""
    now, desk = controller.clock.now(), controller.exceptions
    waiting = [e for e in desk.find(Wanted(state=ExceptionState.REQUESTED)) if e.requested_by != caller.actor]
    newest = islice(desk.listed(Wanted(), newest_first=True, first=LOOKED_AT), LOOKED_AT)
    mine = [
        Shown.of(controller, e, now)
        for e in islice((e for e in newest if caller.actor in (e.requested_by, e.lead)), SHOWN)
    ]
    waits = waiting if caller.allows(Scope.APPROVE) else []
    living = desk.count(Wanted(live=True), most=MOST_COUNTED)
    said = (living, [e.id for e in waits], [(one.it.id, one.state, one.it.ends) for one in mine])
    return {
        "waiting": waits,
        "mine": mine,
        "living": living,
        "shown": SHOWN,
        "waits_seen": hashlib.sha256(repr(said).encode()).hexdigest()[:16],
    }
