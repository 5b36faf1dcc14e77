"""Endpoints, firewalls and coverage held against each other: by the list that evidence told, or by one that is sent."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query

from api.auth import Auditor, Ctl, Reader
from api.models import Instant, Name
from api.reconcile_models import ReconcileBody, Reconciliation
from api.reference import PREVIEW, answers
from controller.model import Window
from controller.reconcile_desk import EndpointList
from core.clock import Clock
from core.ids import SiteName

router = APIRouter(prefix="/reconciliation", tags=["reconciliation"])

DEFAULT_SPAN: Final = timedelta(days=7)


@router.get("", summary="By what evidence told is installed", responses=answers(404))
def reconcile(
    controller: Ctl,
    caller: Reader,
    site: Annotated[Name | None, Query(description="only of this site")] = None,
    start: Annotated[Instant | None, Query(alias="from", description="seven days before `to` when left out")] = None,
    end: Annotated[Instant | None, Query(alias="to", description="now when left out")] = None,
) -> Reconciliation:
    """Each client: installed and seen, installed and never seen (which proves nothing where the site was not covered),
    or seen and in no list. At most 400 days."""
    window = _window(controller.clock, start, end)
    return Reconciliation.of(controller.reconciling.reconcile(window, (site,) if site else ()))


@router.post("", summary="By a list of endpoints that is sent", responses=answers(403, 404, 413), openapi_extra=PREVIEW)
def reconcile_list(controller: Ctl, caller: Auditor, body: ReconcileBody) -> Reconciliation:
    """The same by a list that somebody has: a table, or an export of osquery, Intune or Jamf. It is read and kept
    nowhere. 422 with the line and the column when a record of it cannot be read."""
    sent = EndpointList(
        name=body.name,
        stream=io.BytesIO(body.text.encode()),
        format=body.format,
        site=SiteName(body.site) if body.site else None,
    )
    window = _window(controller.clock, body.start, body.end)
    return Reconciliation.of(controller.reconciling.reconcile(window, body.sites, sent))


def _window(clock: Clock, start: Instant | None, end: Instant | None) -> Window:
    last = end or clock.now()
    return Window(start or last - DEFAULT_SPAN, last)


__all__ = ["router"]
