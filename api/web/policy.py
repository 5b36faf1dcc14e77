"""Policy in a browser: what holds now, a week as a picture and a table, what another one would have done, and why."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.check_models import Check
from api.check_words import VERDICTS
from api.policy_models import WhatIf
from api.sessions import PageCtl, PageOperator, PageReader
from api.web import wording
from api.web.blocked import own_address, place_of
from api.web.fields import about
from api.web.pages import PageRoute, page, told
from controller.errors import Invalid
from controller.model import Scope, Window
from controller.service import Controller
from core.errors import TokgateError

router = APIRouter(include_in_schema=False, route_class=PageRoute)

Word = Annotated[str, Query(max_length=253)]


@router.get("/policy")
def policy_page(
    request: Request,
    controller: PageCtl,
    caller: PageReader,
    site: Word = "",
    week: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Of one site: what holds now, and the week of a day."""
    chosen = site or next(iter(controller.inventory.sites), "")
    day = _day(week)
    place, found = controller.inventory.site(chosen), controller.policies.week(chosen, day)
    monday = found.days[0].date
    return page(
        request,
        controller,
        "policy.html",
        sites=controller.inventory.sites.values(),
        chosen=place,
        now=controller.policies.at(chosen),
        week=found,
        picture=f"/api/v1/sites/{chosen}/calendar?{urlencode({'week': monday.isoformat(), 'format': 'svg'})}",
        before=(monday - timedelta(days=7)).isoformat(),
        after=(monday + timedelta(days=7)).isoformat(),
        policies=[
            name
            for name, policy in controller.inventory.policies.items()
            if name != found.policy and set(place.networks) <= set(policy.roles)
        ],
        spans=wording.SPANS,
        may_replay=caller.allows(Scope.OPERATE),
    )


def _day(text: str) -> date | None:
    """None for none. Raises ``Invalid``."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as exc:
        raise Invalid(f"week: {text[:20]!r} is no day", hint="as 2026-11-25") from exc


@router.get("/policy/what-if")
def what_if_page(
    request: Request, controller: PageCtl, caller: PageOperator, site: Word, policy: Word, days: Word = "7"
) -> Response:
    """What another policy of the inventory would have done with what was recorded."""
    now = controller.clock.now()
    if days not in wording.SPANS:
        raise Invalid(f"days: {days[:20]!r} is not offered", hint=f"one of {', '.join(wording.SPANS)}")
    window = Window(now - timedelta(days=int(days)), now)
    found = controller.policies.what_if(site, window, policy)
    return page(
        request,
        controller,
        "whatif.html",
        site=controller.inventory.site(site),
        found=WhatIf.of(found),
        window=window,
        would={**wording.VERDICTS, "unseen": "passed, uncounted"},
    )


@router.get("/why")
def why_page(
    request: Request, controller: PageCtl, caller: PageReader, src: Word = "", dst: Word = "", site: Word = ""
) -> Response:
    """What becomes of one flow and why, and the way to a request that is filled in already."""
    src, dst = src.strip() or ("" if not dst.strip() else own_address(request)), place_of(dst)
    answer, error = _answer(controller, src, dst, site)
    zone = controller.inventory.site(answer.site).time_zone if answer else "UTC"
    return page(
        request,
        controller,
        "why.html",
        sites=controller.inventory.sites.values(),
        asked={"src": src, "dst": dst, "site": site},
        yours=own_address(request),
        answer=answer,
        said=VERDICTS.get(answer.verdict.value, "") if answer else "",
        should=VERDICTS[answer.decided.value] if answer and answer.decided is not answer.verdict else "",
        notes=[wording.sentence(note) for note in answer.notes] if answer else [],
        ask=_request_for(answer) if answer and caller.allows(Scope.REQUEST) else "",
        zone=zone,
        shortly=wording.VERDICTS,
        **(told(error) | about(error, _FIELDS)),
    )


_FIELDS: Final = {"src": ("src", "From"), "dst": ("dst", "To"), "site": ("site", "At")}


def _answer(controller: Controller, src: str, dst: str, site: str) -> tuple[Check | None, TokgateError | None]:
    """The answer, or what is wrong with the question; nothing when nothing was asked."""
    if not src or not dst:
        return None, None
    try:
        return Check.of(controller.flows.check(src, dst, site=site or None)), None
    except TokgateError as exc:
        return None, exc


def _request_for(answer: Check) -> str:
    """The request that would let it through, when it is blocked or watched by the policy."""
    if answer.decided.value not in ("blocked", "monitored"):
        return ""
    asked: dict[str, Any] = {"sites": answer.site, "sources": answer.src}
    if answer.entry is not None:
        asked["service"] = answer.entry.service
    return f"/exceptions/new?{urlencode(asked)}"
