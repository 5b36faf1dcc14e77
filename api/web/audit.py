"""The audit log in a browser: who changed what, when and why, and whether its chain still holds."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.lanes import LaneOf
from api.pages import decode_number, encode
from api.sessions import PageAuditor, PageCtl
from api.web.fields import about
from api.web.filtering import SPAN, Cursor, Pager, Text, Word, between
from api.web.pages import PageRoute, page, refuse_limited
from api.web.shown import zone_at
from controller.model import AuditEntry
from controller.store import AuditQuery
from core.errors import TokgateError

router = APIRouter(include_in_schema=False, route_class=PageRoute)

SHOWN: Final = 100
_LIST: Final = "audit"


@router.get("/audit")
def audit_page(
    request: Request,
    controller: PageCtl,
    caller: PageAuditor,
    lane: LaneOf,
    actor: Text = "",
    action: Text = "",
    q: Text = "",
    since: Word = "",
    until: Word = "",
    cursor: Cursor = "",
    check: bool = False,
) -> Response:
    """The newest first, so many at a time; with ``check`` every entry and its hash is read. Raises ``Invalid``."""
    refuse_limited(caller)
    asked = {"actor": actor, "action": action, "q": q, "since": since, "until": until}
    zone = zone_at(controller, "")
    error, found = None, list[AuditEntry]()
    try:
        first, last = between(since, until, zone)
        wanted = AuditQuery(actor=actor or None, action=action or None, text=q or None, since=first, until=last)
        found = controller.audit(limit=SHOWN + 1, before=decode_number(cursor or None, of=_LIST), wanted=wanted)
    except TokgateError as exc:
        error = exc
    breaks = None
    if check:
        with lane.enter():
            breaks = controller.verify_audit()
    older = encode(str(found[SHOWN - 1].seq), of=_LIST) if len(found) > SHOWN else None
    return page(
        request,
        controller,
        "audit.html",
        entries=found[:SHOWN],
        error=error,
        **about(error, SPAN),
        pager=Pager.of(asked, cursor=cursor, after=older),
        asked=asked,
        breaks=breaks,
        zone=zone,
    )
