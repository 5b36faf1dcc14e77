"""Who asks for a page: somebody who signed in, or nobody, who is sent to sign in first.

For the pages (``api.web``). ``PageCaller`` is any signed-in person, ``PageReader`` and its kin hold a scope, and
``PageCtl`` is the controller as that person may see it. A form brings ``csrf_token(request)`` back in the field
``csrf_token``; htmx may send it in the header ``X-CSRF-Token``.
"""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import Depends, FastAPI, Security
from fastapi.security import SecurityScopes
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, by_session, controller_of, is_part, is_stream, refuse_without
from api.cookies import CSRF_FIELD, CSRF_HEADER, SAFE, csrf_word, here, refuse_forged, session_text
from controller.errors import NotAuthenticated
from controller.model import Scope
from controller.rehearsal import in_earnest
from controller.service import Controller

LOGIN: Final = "/login"
HOME: Final = "/"
MAX_NEXT: Final = 1500
"""Short enough for the cookie that keeps it while a provider signs somebody in."""
_NOT_NEXT: Final = ("/login", "/logout", "/auth/")


class SignInNeeded(Exception):  # not an error: the answer is the way to the sign-in
    """Nobody is signed in; afterwards they go on to ``next``. ``undone``: they had sent something that was not done."""

    def __init__(self, where: str, *, undone: bool = False) -> None:
        super().__init__(where)
        self.next = where
        self.undone = undone


def install(app: FastAPI) -> None:
    """Send who is not signed in to the sign-in."""
    app.add_exception_handler(SignInNeeded, _to_login)


def _to_login(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignInNeeded)
    where = f"{LOGIN}?next={quote(error.next, safe='')}{'&undone=true' if error.undone else ''}"
    if is_part(request):  # htmx would put the sign-in into a part of the page
        return Response(status_code=401, headers={"HX-Redirect": where})
    if is_stream(request):  # a page that is told of changes goes on without
        return Response(status_code=401)
    return RedirectResponse(where, status_code=303)


def safe_next(text: str) -> str:
    """Where to go after the sign-in: a path of ours, or the start page for anything else."""
    is_path = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    is_fit = is_path and text.isascii() and len(text) <= MAX_NEXT and not text.startswith(_NOT_NEXT)
    return text if is_fit else HOME


async def _sign_in_needed(request: Request) -> SignInNeeded:
    """With the page that was asked for, or that something was sent from, as far as one can come back to it."""
    if request.method in SAFE and not is_part(request):
        return SignInNeeded(safe_next(_path(request.url)))
    return SignInNeeded(await came_from(request), undone=request.method not in SAFE)


async def came_from(request: Request) -> str:
    """The page that this was sent from: with what was typed into its form where its address can say that."""
    page = _REFILLED.get(request.url.path)
    if page is not None:
        typed = [(name, text) for name, text in (await request.form()).multi_items() if isinstance(text, str) and text]
        filled = f"{page}?{urlencode([pair for pair in typed if pair[0] not in _NOT_TYPED])}"
        return filled if safe_next(filled) == filled else page
    url = URL(request.headers.get("hx-current-url") or request.headers.get("referer", ""))
    is_ours = f"{url.scheme}://{url.netloc}".lower() in here(request)
    return safe_next(_path(url)) if is_ours else HOME


def _path(url: URL) -> str:
    return f"{url.path}?{url.query}" if url.query else url.path


_REFILLED: Final = {"/exceptions/new": "/exceptions/new", "/exceptions/preview": "/exceptions/new"}
"""Pages whose form is filled in from the address, by where it is sent."""
_NOT_TYPED: Final = (CSRF_FIELD, "act", "once", "seen")


async def signed_in(request: Request) -> Caller:
    """Who signed in, found out once for each request; a change is proven to come from a page of theirs.

    Raises ``SignInNeeded``, ``Forged``, ``TooManyAttempts``.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    cookie = session_text(request)
    if not cookie:
        raise await _sign_in_needed(request)
    try:
        caller = await run_in_threadpool(_proven, request, cookie)
    except NotAuthenticated as exc:
        raise await _sign_in_needed(request) from exc
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
PageAuditor = Annotated[Caller, Security(_page_caller, scopes=[Scope.AUDIT.value])]
PageUnmasker = Annotated[Caller, Security(_page_caller, scopes=[Scope.UNMASK.value])]
PageConsenter = Annotated[Caller, Security(_page_caller, scopes=[Scope.CONSENT.value])]
PageUnmaskingReader = Annotated[
    Caller, Security(_page_caller, scopes=[Scope.UNMASK.value, Scope.CONSENT.value, Scope.AUDIT.value])
]
PageAdmin = Annotated[Caller, Security(_page_caller, scopes=[Scope.ADMIN.value])]
