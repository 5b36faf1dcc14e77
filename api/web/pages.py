"""What all pages have in common: their errors in words, who sees which way, times, and what is told above each."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api import problems
from api.auth import Caller
from api.errors import Forged, NoSuchRoute
from api.problems import request_id_of, unexpected
from api.sessions import HOME, SignInNeeded, came_from
from api.web.templating import render
from api.web.wording import emergency, hint, sentence
from controller.errors import Invalid, NotAllowed
from controller.model import Scope
from controller.policy_desk import is_of_our_time
from controller.service import Controller
from controller.wall_clock import moment_of
from core.errors import TokgateError
from ipsets.errors import NoSnapshot
from ipsets.spans import words

log = structlog.get_logger()

OLD_LIST_HOURS: Final = 24
_NAVIGATION: Final = (
    ("/", "Start", Scope.READ),
    ("/episodes", "Events", Scope.READ),
    ("/exceptions", "Exceptions", Scope.READ),
    ("/exceptions/new", "Request", Scope.REQUEST),
    ("/policy", "Policy", Scope.READ),
    ("/why", "Why blocked?", Scope.READ),
    ("/proof", "Proof", Scope.READ),
    ("/runs", "Runs", Scope.READ),
    ("/intelligence", "Intelligence", Scope.READ),
    ("/emergencies", "Emergencies", Scope.READ),
    ("/identities", "Identities", (Scope.UNMASK, Scope.CONSENT)),
    ("/audit", "Audit", Scope.AUDIT),
    ("/webhooks", "Webhooks", Scope.AUDIT),
)
DONE: Final = {
    "requested": "Your request is sent. An approver has to agree before anything opens.",
    "drafted": "Your draft is kept. Nobody is asked yet.",
    "submitted": "Your draft is handed in.",
    "approved": "Approved. Its devices follow within seconds once its time has come.",
    "noted": "Your approval is noted; another person has to agree as well.",
    "denied": "Denied.",
    "revoked": "Revoked. Its devices are told at once.",
    "renewed": "The renewal is asked for.",
    "seated": "The seats are given to these addresses.",
    "test": "It took the test message.",
    "resume": "What waits is sent now.",
    "replay": "What was set aside is sent again.",
    "unmasking-asked": "Your wish is written down. Another person has to agree before anything is shown.",
    "unmasking-approved": "Approved. It is open for its hours from now on, for who asked.",
    "unmasking-denied": "Denied.",
    "unmasking-ended": "It is ended; nothing more is shown.",
    "webhook-added": "It is told what happens from now on.",
    "webhook-edit": "The webhook is changed.",
    "webhook-rotate": "Its messages are signed by the new key too.",
    "webhook-remove": "The webhook is removed, with what waited for it.",
    "begun": "It holds. The devices follow within seconds.",
    "over": "It is ended, and what it took away comes back.",
}


class PageRoute(APIRoute):
    """A route whose failures are pages too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except Forged as exc:
                return error_page(request, exc, back=await came_from(request))
            except TokgateError as exc:
                return error_page(request, exc)
            except RequestValidationError as exc:
                field = ".".join(map(str, exc.errors()[0]["loc"][1:])) if exc.errors() else "the form"
                return error_page(request, Invalid(f"{field}: this value cannot be understood"))
            except (SignInNeeded, HTTPException):
                raise
            except Exception:  # the top of a page: what happened stands in the log
                log.exception("page.failed", path=request.url.path)
                return error_page(request, unexpected())

        return handled


def install(app: FastAPI) -> None:
    """Tell a browser that strays in words too; programs are answered as everywhere."""
    app.add_exception_handler(HTTPException, _astray)


def _astray(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    is_browser = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    if not is_browser or error.status_code not in (404, 405):
        return problems.on_http(request, error)
    return error_page(request, NoSuchRoute("there is no such page", hint="the start page leads to all there are"))


def error_page(request: Request, error: TokgateError, *, back: str = HOME) -> Response:
    """What happened and what to do; never more than the error itself says. ``back``: where one can go on."""
    request.state.error_code = error.code
    return render(
        request,
        "error.html",
        status=error.http_status,
        **common(request),
        title=error.title,
        **told(error),
        code=error.code,
        back=back,
        request_id=request_id_of(request),
    )


def page(
    request: Request, controller: Controller, template: str, *, error: TokgateError | None = None, **values: Any
) -> Response:
    """A page of somebody who is signed in; ``error``: what they sent was refused, and why stands on it."""
    known = common(request) | {"warnings": warnings(controller), "done": DONE.get(request.query_params.get("done", ""))}
    return render(request, template, status=error.http_status if error else 200, **(known | told(error) | values))


def told(error: TokgateError | None) -> dict[str, str]:
    """What a page says of an error, and what to do; empty without one."""
    return {"trouble": sentence(error.message) if error else "", "hint": hint(error.hint) if error else ""}


def common(request: Request) -> dict[str, Any]:
    """What the frame of every page needs."""
    caller: Caller | None = getattr(request.state, "caller", None)
    ways = [
        (path, name)
        for path, name, scope in _NAVIGATION
        if caller is not None
        and caller.allows(*(scope if isinstance(scope, tuple) else (scope,)))
        and (caller.sites is None or scope is not Scope.AUDIT)
    ]
    at = request.url.path
    here = max((path for path in (*(path for path, _ in ways), "/account") if _is_at(at, path)), key=len, default="")
    return {
        "navigation": ways,
        "here": here,
        "who": caller.person if caller else "",
        "warnings": (),
        "done": None,
        "Scope": Scope,
    }


def refuse_limited(caller: Caller) -> None:
    """Raises ``NotAllowed`` for somebody of some sites alone: the page is about the whole fleet."""
    if caller.sites is not None:
        raise NotAllowed("this is about the whole fleet; yours are some sites", hint="ask an administrator")


def _is_at(at: str, path: str) -> bool:
    return at == path or (path != "/" and at.startswith(path + "/"))


def warnings(controller: Controller) -> list[str]:
    """What everybody should know before they believe anything else on the page."""
    now = controller.clock.now()
    sites = controller.inventory.sites.values()
    found = [emergency(action, sites) for action in controller.emergencies.active()]
    try:
        age = now - controller.snapshot().created_at
        checked = max((at for _, at in controller.snapshot().source_ages), default=now)
        if (since := now - checked).total_seconds() > OLD_LIST_HOURS * 3600:
            found.append(f"The list was last checked {words(since)} ago; it is {words(age)} old.")
    except NoSnapshot:
        found.append("There is no list yet: nothing is planned or sent.")
    return found


def local_time(text: str, zone: str, field: str) -> datetime:
    """What a date field of a form says, by the wall clock of a zone, UTC. Raises ``Invalid``."""
    return moment_of(wall_time(text, field), ZoneInfo(zone), field)


def wall_time(text: str, field: str) -> datetime:
    """The same without a zone. Raises ``Invalid``."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as exc:
        raise Invalid(f"{field}: {text[:40]!r} is no date and time") from exc
    if found.tzinfo is not None or not is_of_our_time(found):
        raise Invalid(f"{field}: {text[:40]!r} is no date and time of a calendar on a wall")
    return found


def field_time(at: datetime, zone: str) -> str:
    """The same for the value of a date field."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"
