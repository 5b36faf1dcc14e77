"""Retention: what each site keeps for how long, and what of it goes next. The rules are in the inventory."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Auditor, Ctl
from api.models import Name, Page
from api.pages import Sorted, paged
from api.reference import answers
from api.retention_models import SiteRetention

router = APIRouter(prefix="/retention", tags=["retention"])


@router.get("", summary="What each site keeps, and what goes next")
def list_retention(controller: Ctl, caller: Auditor, ask: Sorted) -> Page[SiteRetention]:
    """By name, also sites that are in the inventory no more, as long as anything of theirs is kept. Nothing is
    changed: `due` is what the next hourly run drops."""
    desk = controller.retention
    return paged(desk.sites(), of="retention", key=str, show=lambda site: SiteRetention.of(desk.look_at(site)), ask=ask)


@router.get("/{name}", summary="What one site keeps, and what goes next", responses=answers(404))
def get_retention(controller: Ctl, caller: Auditor, name: Name) -> SiteRetention:
    return SiteRetention.of(controller.retention.one(name))
