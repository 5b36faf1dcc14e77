"""The audit log in a browser: who changed what, when and why, and whether its chain still holds."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.lanes import LaneOf
from api.pages import decode_number, encode
from api.sessions import PageAuditor, PageCtl
from api.web.pages import PageRoute, page, refuse_limited
from api.web.wording import one_zone
from controller.store import AuditQuery

router = APIRouter(include_in_schema=False, route_class=PageRoute)

SHOWN: Final = 100
_LIST: Final = "audit"
Word = Annotated[str, Query(max_length=120)]


@router.get("/audit")
def audit_page(
    request: Request,
    controller: PageCtl,
    caller: PageAuditor,
    lane: LaneOf,
    actor: Word = "",
    action: Word = "",
    q: Word = "",
    cursor: Annotated[str, Query(max_length=500)] = "",
    check: bool = False,
) -> Response:
    """The newest first, so many at a time; with ``check`` every entry and its hash is read. Raises ``Invalid``."""
    refuse_limited(caller)
    asked = {"actor": actor, "action": action, "q": q}
    wanted = AuditQuery(actor=actor or None, action=action or None, text=q or None)
    found = controller.audit(limit=SHOWN + 1, before=decode_number(cursor or None, of=_LIST), wanted=wanted)
    breaks = None
    if check:
        with lane.enter():
            breaks = controller.verify_audit()
    given = {name: value for name, value in asked.items() if value}
    return page(
        request,
        controller,
        "audit.html",
        entries=found[:SHOWN],
        older=urlencode(given | {"cursor": encode(str(found[SHOWN - 1].seq), of=_LIST)}) if len(found) > SHOWN else "",
        newest=urlencode(given) if cursor else None,
        asked=asked,
        breaks=breaks,
        zone=one_zone(controller.inventory.sites.values()),
    )
