"""Who asks for a page: somebody who signed in, or nobody, who is sent to sign in first.

For the pages (``api.web``). ``PageCaller`` is any signed-in person, ``PageReader`` and its kin hold a scope, and
``PageCtl`` is the controller as that person may see it. A form brings ``csrf_token(request)`` back in the field
``csrf_token``; htmx may send it in the header ``X-CSRF-Token``.
"""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

from fastapi import Depends, FastAPI, Security
from fastapi.security import SecurityScopes
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, by_session, controller_of, refuse_without
from api.cookies import CSRF_FIELD, CSRF_HEADER, SAFE, csrf_word, refuse_forged, session_text
from controller.errors import NotAuthenticated
from controller.model import Scope
from controller.rehearsal import in_earnest
from controller.service import Controller

LOGIN: Final = "/login"
HOME: Final = "/"
MAX_NEXT: Final = 500
_NOT_NEXT: Final = ("/login", "/logout", "/auth/")


class SignInNeeded(Exception):  # not an error: the answer is the way to the sign-in
    """Nobody is signed in; afterwards they go on to ``next``."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.next = where


def install(app: FastAPI) -> None:
    """Send who is not signed in to the sign-in."""
    app.add_exception_handler(SignInNeeded, _to_login)


def _to_login(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignInNeeded)
    where = f"{LOGIN}?next={quote(error.next, safe='')}"
    if request.headers.get("hx-request") == "true":  # htmx would put the sign-in into a part of the page
        return Response(status_code=401, headers={"HX-Redirect": where})
    return RedirectResponse(where, status_code=303)


def safe_next(text: str) -> str:
    """Where to go after the sign-in: a path of ours, or the start page for anything else."""
    is_path = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    is_fit = is_path and text.isascii() and len(text) <= MAX_NEXT and not text.startswith(_NOT_NEXT)
    return text if is_fit else HOME


def _wanted(request: Request) -> str:
    """The page that was asked for, as far as one can come back to it."""
    if request.method not in SAFE:
        return HOME
    query = f"?{request.url.query}" if request.url.query else ""
    return safe_next(request.url.path + query)


async def signed_in(request: Request) -> Caller:
    """Who signed in, found out once for each request; a change is proven to come from a page of theirs.

    Raises ``SignInNeeded``, ``Forged``, ``TooManyAttempts``.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    cookie = session_text(request)
    if not cookie:
        raise SignInNeeded(_wanted(request))
    try:
        caller = await run_in_threadpool(_proven, request, cookie)
    except NotAuthenticated as exc:
        raise SignInNeeded(_wanted(request)) from exc
    await check_csrf(request)
    request.state.caller, request.state.actor = caller, caller.actor
    return caller


def _proven(request: Request, cookie: str) -> Caller:
    with in_earnest():
        return by_session(request, cookie)


def csrf_token(request: Request) -> str:
    """What a form of this session sends back."""
    return csrf_word(session_text(request))


async def check_csrf(request: Request) -> None:
    """Nothing to do for what changes nothing. Raises ``Forged``."""
    if request.method in SAFE:
        return
    given = request.headers.get(CSRF_HEADER) or await _field(request)
    refuse_forged(request, session_text(request), given)


async def _field(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return ""
    found = (await request.form()).get(CSRF_FIELD)
    return found if isinstance(found, str) else ""


async def _page_caller(request: Request, scopes: SecurityScopes) -> Caller:
    """Raises ``NotAllowed`` besides."""
    caller = await signed_in(request)
    if scopes.scopes:
        refuse_without(caller, [Scope(scope) for scope in scopes.scopes])
    return caller


async def _page_controller(request: Request) -> Controller:
    return controller_of(request).within((await signed_in(request)).sites)


PageCtl = Annotated[Controller, Depends(_page_controller)]
PageCaller = Annotated[Caller, Security(_page_caller)]
PageReader = Annotated[Caller, Security(_page_caller, scopes=[Scope.READ.value])]
PageRequester = Annotated[Caller, Security(_page_caller, scopes=[Scope.REQUEST.value])]
PageApprover = Annotated[Caller, Security(_page_caller, scopes=[Scope.APPROVE.value])]
PageRevoker = Annotated[Caller, Security(_page_caller, scopes=[Scope.APPROVE.value, Scope.REQUEST.value])]
PageOperator = Annotated[Caller, Security(_page_caller, scopes=[Scope.OPERATE.value])]
