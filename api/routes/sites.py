"""Sites: the mode of each source role now, the next edge, and the devices."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Ctl, Reader
from api.device_models import Site
from api.models import Name, Page
from api.pages import Sorted, paged
from api.reference import answers
from api.straight import StraightRoute

router = APIRouter(prefix="/sites", tags=["sites"], route_class=StraightRoute)


@router.get("", summary="All sites")
def list_sites(
    controller: Ctl,
    caller: Reader,
    ask: Sorted,
    policy: Annotated[Name | None, Query(description="only those that have this policy")] = None,
) -> Page[Site]:
    """With the mode of each source role now, and when the next window opens or closes."""
    found = [site for site in controller.sites() if policy in (None, site.policy)]
    return paged(found, of="sites", key=lambda s: s.name, show=Site.of, ask=ask)


@router.get("/{name}", summary="One site", responses=answers(404))
def get_site(controller: Ctl, caller: Reader, name: Name) -> Site:
    """With its devices and the latest word on each."""
    return Site.of(controller.site(name))
