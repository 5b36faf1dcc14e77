"""Webhooks in a browser: how each receiver does, and for administrators to try it and to send again."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.lanes import LaneOf
from api.sessions import PageAdmin, PageAuditor, PageCtl
from api.web.pages import PageRoute, page, refuse_limited
from api.web.wording import one_zone
from controller.errors import Conflict
from controller.model import Scope
from controller.service import Controller
from controller.webhooks import Webhook
from core.errors import TokgateError

router = APIRouter(prefix="/webhooks", include_in_schema=False, route_class=PageRoute)


@router.get("")
def webhooks_page(request: Request, controller: PageCtl, caller: PageAuditor) -> Response:
    refuse_limited(caller)
    return _page(request, controller, may_act=caller.allows(Scope.ADMIN))


@router.post("/{name}/{act}")
def act(request: Request, controller: PageCtl, caller: PageAdmin, lane: LaneOf, name: str, act: str) -> Response:
    """``test``, ``resume`` or ``replay``; what went wrong is said on the page."""
    refuse_limited(caller)
    try:
        match act:
            case "test":
                with lane.enter():
                    tried = controller.webhooks.test(name, actor=caller.actor)
                if not tried.is_good:
                    raise Conflict(f"{name} did not take it: {tried}")
            case "resume":
                controller.webhooks.resume(name, actor=caller.actor)
            case "replay":
                controller.webhooks.replay(name, actor=caller.actor)
            case _:
                raise Conflict("a webhook is tested, resumed, or its messages are replayed")
    except TokgateError as exc:
        return _page(request, controller, may_act=True, error=exc)
    return RedirectResponse(f"/webhooks?done={act}", status_code=303)


def _page(request: Request, controller: Controller, *, may_act: bool, error: TokgateError | None = None) -> Response:
    return page(
        request,
        controller,
        "webhooks.html",
        error=error,
        hooks=[(hook, *_state(hook, dead), waiting, dead) for hook, waiting, dead in controller.webhooks.all()],
        may_act=may_act,
        zone=one_zone(controller.inventory.sites.values()),
    )


def _state(hook: Webhook, dead: int) -> tuple[str, str]:
    """(in words, how grave)."""
    if hook.paused_at is not None:
        return "paused", "bad"
    if hook.failing_since is not None:
        return "fails", "warn"
    if dead:
        return "messages set aside", "warn"
    return ("takes messages", "good") if hook.delivered_at is not None else ("nothing sent yet", "")
