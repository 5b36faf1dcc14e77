"""Emergencies in a browser: what holds, and for operators to withdraw, switch down, pause, and end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.sessions import PageCtl, PageOperator, PageReader
from api.web.fields import about
from api.web.once import OnceOf
from api.web.pages import PageRoute, page
from api.web.wording import emergency, emergency_zone
from controller.errors import Invalid, WouldEmpty
from controller.model import Emergency, EmergencyKind, Mode, Scope
from controller.service import Controller
from core.errors import TokgateError
from core.ids import new_id

router = APIRouter(prefix="/emergencies", include_in_schema=False, route_class=PageRoute)

SHOWN: Final = 50
LASTS: Final = {"1": "1 hour", "4": "4 hours", "24": "1 day", "168": "1 week", "720": "30 days"}
Text = Annotated[str, Form(max_length=500)]
Names = Annotated[list[str], Form(max_length=1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Twice:
    """A withdrawal that has to be said a second time, and of which services."""

    services: tuple[str, ...]
    value: str
    lasts: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What stood in a form that was refused, for it to be put right; ``kind`` says in which."""

    kind: str = ""
    value: str = ""
    reason: str = ""
    lasts: str = "4"
    mode: str = Mode.MONITOR.value
    sites: tuple[str, ...] = ()


@router.get("")
def emergencies_page(request: Request, controller: PageCtl, caller: PageReader) -> Response:
    return _page(request, controller, may_act=caller.allows(Scope.OPERATE))


@router.post("")
def act(
    request: Request,
    controller: PageCtl,
    caller: PageOperator,
    once: OnceOf,
    kind: Text,
    reason: Text = "",
    lasts: Text = "",
    value: Text = "",
    mode: Text = "",
    sites: Names = [],  # noqa: B006  # FastAPI makes a new list for each request
    empties: Text = "",
) -> Response:
    """Begins one; what was wrong with it is said on the page."""
    try:
        if lasts and lasts not in LASTS:
            raise Invalid("lasts: say for how long")
        ends = controller.clock.now() + timedelta(hours=int(lasts)) if lasts else None
        empty = empties.replace(",", " ").split()
        begin = partial(_begin, controller, kind, sites, actor=caller.actor, reason=reason, ends=ends)
        once(caller, lambda: begin(value=value, mode=mode, empties=empty).id)
    except WouldEmpty as exc:
        twice = Twice(services=exc.services, value=value, lasts=lasts, reason=reason)
        return _page(request, controller, may_act=True, error=exc, twice=twice)
    except TokgateError as exc:
        typed = Typed(kind=kind, value=value, reason=reason, lasts=lasts, mode=mode, sites=tuple(sites))
        return _page(request, controller, may_act=True, error=exc, typed=typed)
    return RedirectResponse("/emergencies?done=begun", status_code=303)


def _begin(
    controller: Controller,
    kind: str,
    sites: list[str],
    *,
    actor: str,
    reason: str,
    ends: datetime | None,
    value: str,
    mode: str,
    empties: list[str],
) -> Emergency:
    if kind == EmergencyKind.SWITCH:
        if mode not in (Mode.MONITOR, Mode.OFF):
            raise Invalid("mode: monitor or off")
        return controller.interventions.switch(Mode(mode), sites, actor=actor, reason=reason, ends=ends)
    if ends is None:
        raise Invalid("lasts: say for how long")
    if kind == EmergencyKind.PAUSE:
        return controller.interventions.pause(sites, actor=actor, reason=reason, ends=ends)
    if kind == EmergencyKind.WITHDRAW:
        return controller.interventions.withdraw(value, actor=actor, reason=reason, ends=ends, empties=empties)
    raise Invalid("kind: withdraw, switch or pause")


@router.post("/{number}/end")
def end(
    request: Request, controller: PageCtl, caller: PageOperator, once: OnceOf, number: str, reason: Text = ""
) -> Response:
    try:
        once(caller, lambda: controller.interventions.end(number, actor=caller.actor, reason=reason).id)
    except TokgateError as exc:
        return _page(request, controller, may_act=True, error=exc, typed=Typed(kind=number, reason=reason))
    return RedirectResponse("/emergencies?done=over", status_code=303)


def _page(
    request: Request,
    controller: Controller,
    *,
    may_act: bool,
    error: TokgateError | None = None,
    twice: Twice | None = None,
    typed: Typed | None = None,
) -> Response:
    now, known = controller.clock.now(), controller.emergencies.all()
    typed = typed or Typed()
    sites = controller.inventory.sites.values()
    return page(
        request,
        controller,
        "emergencies.html",
        error=error,
        active=[(e, emergency(e, sites), emergency_zone(e, sites)) for e in known if e.holds(now)],
        over=[(e, emergency(e, sites), emergency_zone(e, sites)) for e in known if not e.holds(now)][:SHOWN],
        sites=sites,
        once=new_id(),
        lasts={kind.value: _spans(controller, kind) for kind in EmergencyKind},
        endless=controller.inventory.emergencies.switch_without_end,
        typed=typed,
        may_act=may_act,
        twice=twice,
        **about(error, _fields("withdraw" if twice else typed.kind)),
    )


def _fields(kind: str) -> dict[str, tuple[str, str]]:
    """Of the form of that kind; of the form that ends one, whose number stands for its kind."""
    return {
        "value": ("value", "Entry"),
        "empties": ("empties", "To confirm"),
        "mode": ("switch-mode", "To"),
        "sites": (f"{kind}-sites", "Where"),
        "lasts": (f"{kind}-lasts", "For how long"),
        "ends": (f"{kind}-lasts", "For how long"),
        "reason": (f"{kind}-reason", "Why"),
    }


def _spans(controller: Controller, kind: EmergencyKind) -> dict[str, str]:
    """Those that the inventory allows; the shortest is offered anyway, and what is wrong with it is said."""
    longest = controller.emergencies.longest(kind)
    return {hours: said for hours, said in LASTS.items() if hours == "1" or timedelta(hours=int(hours)) <= longest}
