"""``GET /live``: a page that is open is told that something changed, and asks again for the part that shows it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.auth import Caller, by_session
from api.cookies import session_text
from api.live import Live, LiveResponse, Stream
from api.sessions import PageCtl, PageReader
from controller.errors import NotAuthenticated

router = APIRouter(include_in_schema=False)


@router.get("/live")
async def live(
    request: Request, controller: PageCtl, caller: PageReader, site: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """Events named after what changed, about the sites of whoever is signed in; ``site``: about that one alone.

    Raises ``NotFound`` for a site that they do not see, and ``Overloaded``: then the page asks by itself.
    """
    hub: Live = request.app.state.live
    assert caller.session is not None
    sites = frozenset({controller.inventory.site(site).name}) if site else caller.sites
    stream = Stream(
        session=caller.session,
        sites=sites,
        is_limited=caller.sites is not None,
        still=lambda: run_in_threadpool(_is_same, request, caller),
    )
    await hub.join(stream, seen=request.headers.get("last-event-id", "")[:100])
    return LiveResponse(hub, stream)


def _is_same(request: Request, caller: Caller) -> bool:
    """Whether the session still is what it was; with other rights the page comes again by itself."""
    try:
        return by_session(request, session_text(request)) == caller
    except NotAuthenticated:
        return False
