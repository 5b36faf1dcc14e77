"""Sites: the mode of each source role now, the next edge, and the devices."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Ctl, Reader
from api.models import Name, Page, Site
from api.pages import Cursor, Limit, page_of
from api.reference import answers

router = APIRouter(prefix="/sites", tags=["sites"])


@router.get("", summary="All sites")
def list_sites(controller: Ctl, caller: Reader, limit: Limit = 100, cursor: Cursor = None) -> Page[Site]:
    """With the mode of each source role now, and when the next window opens or closes."""
    return page_of(controller.sites(), of="sites", key=lambda s: s.name, show=Site.of, limit=limit, cursor=cursor)


@router.get("/{name}", summary="One site", responses=answers(404))
def get_site(controller: Ctl, caller: Reader, name: Name) -> Site:
    """With its devices and the latest word on each."""
    known = controller.inventory.site(name).name
    return next(Site.of(site) for site in controller.sites() if site.name == known)
