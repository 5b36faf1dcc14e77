"""Policies: what they say, what holds at a site when, and what another one would have done."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from api.auth import Ctl, Operator, Reader
from api.models import Instant, Name, Page
from api.pages import Sorted, paged
from api.policy_models import Calendar, Policy, PolicyNow, PolicyWeek, WhatIf, WhatIfBody
from api.reference import PAGE_POLICY, PREVIEW, answers
from controller.model import Window
from controller.policy_svg import render_week

router = APIRouter(tags=["policies"])


class Format(StrEnum):
    JSON = "json"
    SVG = "svg"


_WEEK: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The week",
        "model": PolicyWeek,
        "content": {"image/svg+xml": {"schema": {"type": "string", "description": "a picture"}}},
    }
}


@router.get("/policies", summary="All policies")
def list_policies(controller: Ctl, caller: Reader, ask: Sorted) -> Page[Policy]:
    """As the inventory has them: apps and owners that they choose are services."""
    return paged(
        controller.inventory.policies,
        of="policies",
        key=str,
        show=lambda name: Policy.of(name, controller.policies.policy(name), sites=controller.policies.sites_of(name)),
        ask=ask,
    )


@router.get("/policies/{name}", summary="One policy", responses=answers(404))
def get_policy(controller: Ctl, caller: Reader, name: Name) -> Policy:
    return Policy.of(name, controller.policies.policy(name), sites=controller.policies.sites_of(name))


@router.get("/calendars", summary="All calendars of holidays")
def list_calendars(controller: Ctl, caller: Reader, ask: Sorted) -> Page[Calendar]:
    """When each was read, the next holidays, and why one could not be read. The server asks for them by itself."""
    now = controller.clock.now()
    views = controller.calendars.views()
    return paged(views, of="calendars", key=lambda c: c.name, show=lambda c: Calendar.of(c, now=now), ask=ask)


@router.get("/sites/{name}/policy", summary="What holds at a site", responses=answers(404))
def policy_at(
    controller: Ctl,
    caller: Reader,
    name: Name,
    at: Annotated[Instant | None, Query(description="at another moment than now")] = None,
) -> PolicyNow:
    """The mode of each role for each set of services, and why; the next edge; whether changes are frozen."""
    return PolicyNow.of(controller.policies.at(name, at))


@router.get(
    "/sites/{name}/calendar",
    summary="A week of a policy at a site",
    response_class=Response,
    responses={**_WEEK, **answers(404)},
)
def calendar(
    controller: Ctl,
    caller: Reader,
    name: Name,
    week: Annotated[date | None, Query(description="the week of this day; this week when left out")] = None,
    format: Format = Format.JSON,
) -> Response:
    """By the wall clock of the site. As a picture it follows the reader's dark or light, and says itself in words."""
    found = controller.policies.week(name, week)
    if format is Format.SVG:
        return Response(
            render_week(found), media_type="image/svg+xml", headers={"Content-Security-Policy": PAGE_POLICY}
        )
    return JSONResponse(PolicyWeek.of(found).model_dump(mode="json", by_alias=True))


@router.post(
    "/sites/{name}/what-if",
    summary="What another policy would have done",
    responses=answers(404),
    openapi_extra=PREVIEW,
)
def what_if(controller: Ctl, caller: Operator, name: Name, body: WhatIfBody) -> WhatIf:
    """Replays what was recorded in that time. Changes and records nothing."""
    other = body.policy if body.policy is not None else body.proposed or {}
    return WhatIf.of(controller.policies.what_if(name, Window(body.start, body.end), other))
