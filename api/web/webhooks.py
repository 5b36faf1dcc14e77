"""Webhooks in a browser: how each receiver does; for administrators to make, change, try and remove them.

A key is never kept by us, so none is typed into a page: one that is made here is shown once, to be put where a
reference then points.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller
from api.lanes import Lane, LaneOf
from api.sessions import PageAdmin, PageAuditor, PageCtl
from api.web.asking import Filled
from api.web.fields import about
from api.web.pages import PageRoute, page, refuse_limited
from api.web.shown import zone_at
from controller.errors import Conflict
from controller.model import Scope
from controller.service import Controller
from controller.webhooks import KINDS, Webhook, new_secret
from core.errors import TokgateError
from core.secret import MARK

router = APIRouter(prefix="/webhooks", include_in_schema=False, route_class=PageRoute)

FORMS: Final = {"json": "JSON, signed", "slack": "Slack", "teams": "Microsoft Teams"}
FIELDS: Final = {
    "name": ("name", "Name"),
    "url": ("url", "Address"),
    "form": ("form", "Form"),
    "kinds": ("kinds", "Told of"),
    "sites": ("sites", "Sites"),
    "secret": ("secret", "Where the key is kept"),
}
_MOST: Final = 2000


@router.get("")
def webhooks_page(request: Request, controller: PageCtl, caller: PageAuditor) -> Response:
    refuse_limited(caller)
    return _list(request, controller, caller)


@router.post("")
def add(request: Request, controller: PageCtl, caller: PageAdmin, form: Filled) -> Response:
    """What was typed is still there when it is refused."""
    refuse_limited(caller)
    given = _given(form)
    try:
        controller.webhooks.add(
            given["name"],
            url=given["url"],
            kinds=given["kinds"],
            secret=given["secret"] or None,
            sites=given["sites"] or None,
            form=given["form"],
            actor=caller.actor,
        )
    except TokgateError as exc:
        return _list(request, controller, caller, error=exc, given=given)
    return RedirectResponse("/webhooks?done=webhook-added", status_code=303)


@router.post("/key")
def key(request: Request, controller: PageCtl, caller: PageAdmin, form: Filled) -> Response:
    """A fresh key, shown this once and kept nowhere."""
    refuse_limited(caller)
    return _list(request, controller, caller, given=_given(form), fresh=new_secret().reveal())


@router.get("/{name}")
def webhook_page(request: Request, controller: PageCtl, caller: PageAdmin, name: str) -> Response:
    refuse_limited(caller)
    return _one(request, controller, name)


@router.post("/{name}/{act}")
def act(
    request: Request, controller: PageCtl, caller: PageAdmin, lane: LaneOf, form: Filled, name: str, act: str
) -> Response:
    """What went wrong is said on the page that it was sent from."""
    refuse_limited(caller)
    try:
        done = _do(controller, lane, name, act, _given(form), actor=caller.actor)
    except TokgateError as exc:
        if act in _OF_ONE:
            return _one(request, controller, name, error=exc, given=_given(form))
        return _list(request, controller, caller, error=exc)
    return RedirectResponse(f"/webhooks?done={done}", status_code=303)


_OF_ONE: Final = ("edit", "rotate", "remove")


def _do(controller: Controller, lane: Lane, name: str, act: str, given: dict[str, Any], *, actor: str) -> str:
    """Returns what to say of it."""
    desk = controller.webhooks
    done: dict[str, Callable[[], object]] = {
        "resume": lambda: desk.resume(name, actor=actor),
        "replay": lambda: desk.replay(name, actor=actor),
        "edit": lambda: desk.edit(
            name,
            url=given["url"],
            kinds=given["kinds"],
            sites=given["sites"] or None,
            everywhere=not given["sites"],
            actor=actor,
        ),
        "rotate": lambda: desk.rotate(name, secret=given["secret"], actor=actor),
        "remove": lambda: desk.remove(name, actor=actor),
    }
    if act == "test":
        with lane.enter():
            tried = desk.test(name, actor=actor)
        if not tried.is_good:
            raise Conflict(f"{name} did not take it: {tried}")
        return act
    if act not in done:
        raise Conflict("a webhook is tested, resumed, changed or removed, or its messages are replayed")
    if act == "remove" and given["name"] != name:
        raise Conflict("name: it is removed when its name is written", hint="nothing was done")
    done[act]()
    return act if act in ("resume", "replay") else f"webhook-{act}"


def _given(form: FormData) -> dict[str, Any]:
    texts = {name: str(form.get(name) or "").strip()[:_MOST] for name in ("name", "url", "form", "secret")}
    lists = {name: [str(one)[:64] for one in form.getlist(name)][:1000] for name in ("kinds", "sites")}
    return {**texts, **lists}


def _list(
    request: Request,
    controller: Controller,
    caller: Caller,
    *,
    error: TokgateError | None = None,
    given: dict[str, Any] | None = None,
    fresh: str = "",
) -> Response:
    empty = {"name": "", "url": "", "form": "json", "secret": "", "kinds": [], "sites": []}
    return page(
        request,
        controller,
        "webhooks.html",
        error=error,
        hooks=[(hook, *_state(hook, dead), waiting, dead) for hook, waiting, dead in controller.webhooks.all()],
        may_act=caller.allows(Scope.ADMIN),
        fresh=fresh,
        is_open=given is not None,
        **_words(controller, given or empty),
        **about(error, FIELDS if given is not None else {}),
    )


def _one(
    request: Request,
    controller: Controller,
    name: str,
    *,
    error: TokgateError | None = None,
    given: dict[str, Any] | None = None,
) -> Response:
    hook, waiting, dead = controller.webhooks.get(name)
    known = {"name": "", "url": hook.url, "kinds": hook.kinds, "sites": hook.sites or (), "secret": ""}
    return page(
        request,
        controller,
        "webhook.html",
        error=error,
        hook=hook,
        state=_state(hook, dead),
        waiting=waiting,
        dead=dead,
        **_words(controller, known | {name: value for name, value in (given or {}).items() if value}),
        **about(error, FIELDS),
    )


def _words(controller: Controller, given: dict[str, Any]) -> dict[str, Any]:
    if not given["secret"].startswith(MARK):  # a key that was typed by mistake is not shown again
        given = {**given, "secret": ""}
    return {
        "given": given,
        "kinds": KINDS,
        "forms": FORMS,
        "sites": list(controller.inventory.sites.values()),
        "zone": zone_at(controller, ""),
    }


def _state(hook: Webhook, dead: int) -> tuple[str, str]:
    """(in words, how grave)."""
    if hook.paused_at is not None:
        return "paused", "bad"
    if hook.failing_since is not None:
        return "fails", "warn"
    if dead:
        return "messages set aside", "warn"
    return ("takes messages", "good") if hook.delivered_at is not None else ("nothing sent yet", "")
