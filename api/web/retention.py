"""What each site keeps and for how long, in a browser: the rules of the inventory, and how much goes next."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.retention_models import SiteRetention
from api.sessions import PageAuditor, PageCtl
from api.web.filtering import Pager, Word
from api.web.pages import PageRoute, page

router = APIRouter(prefix="/retention", include_in_schema=False, route_class=PageRoute)

SHOWN: Final = 50
"""Sites at once: of each it is counted what is due."""


@router.get("")
def retention_page(
    request: Request, controller: PageCtl, caller: PageAuditor, site: Word = "", cursor: Word = ""
) -> Response:
    """By name; ``cursor``: behind this site."""
    desk = controller.retention
    names = [desk.one(site).kept.site] if site else [name for name in desk.sites() if name > cursor]
    after = names[SHOWN - 1] if len(names) > SHOWN else None
    return page(
        request,
        controller,
        "retention.html",
        sites=[SiteRetention.of(desk.look_at(name)) for name in names[:SHOWN]],
        pager=Pager.of({}, cursor=cursor, after=after),
        api=urlencode({"q": site}) if site else "",
    )
