"""Signing in and out in a browser: by the password of a local account, and what all ways of signing in have in common.

Each sign-in begins a session of its own and ends the one that the browser had, so that nobody can have planted it.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.auth import GuessBrake, WholeCtl, address_of
from api.cookies import (
    SESSION,
    cookie_name,
    csrf_word,
    drop_cookie,
    public_origin,
    refuse_forged,
    session_text,
    set_cookie,
)
from api.errors import Forged, NoSuchRoute, Overloaded, ProviderTrouble, SignInRefused, TooManyAttempts
from api.lanes import Lane
from api.oidc import SIGN_IN_LIFE, OpenIdProvider, Pending
from api.sessions import LOGIN, PageCaller, safe_next
from api.web.pages import PageRoute, told
from api.web.templating import render
from controller.claims import identity_of
from controller.errors import Conflict, NotAllowed, NotAuthenticated, NotFound
from controller.inventory.access import Access, Provider
from controller.people import PersonSession
from controller.people_desk import Browser
from controller.service import Controller
from core.errors import TokgateError
from core.secret import Secret

router = APIRouter(include_in_schema=False, route_class=PageRoute)

CALLBACK: Final = "/auth/oidc/callback"
TO_PROVIDER: Final = "/auth/oidc/login"
PENDING: Final = "tokgate-oidc"
"""A cookie that ties what comes back from the provider to the browser that was sent there."""
SIGN_IN: Final = "tokgate-signin"
"""A cookie that ties the form to the browser that asked for it."""
SIGN_IN_SECONDS: Final = 3600
OUT: Final = "You are signed out."
UNDONE: Final = (
    "You were signed out in the meantime, so nothing was done. Sign in, look at it again, and send it again."
)
Next = Annotated[str, Query(alias="next", max_length=2000)]
Field = Annotated[str, Form(max_length=2000)]


def provider_of(request: Request) -> OpenIdProvider | None:
    """Who else signs people in."""
    found: OpenIdProvider | None = request.app.state.provider
    return found


ProviderOf = Annotated[OpenIdProvider | None, Depends(provider_of)]


def _lane(request: Request) -> Lane:
    """Passwords are slow on purpose: whoever tries many keeps nobody else from their threads."""
    lane: Lane = request.app.state.sign_ins
    return lane


@router.get(LOGIN)
def login_page(
    request: Request, controller: WholeCtl, where: Next = "/", out: bool = False, undone: bool = False
) -> Response:
    """The form; who is signed in already goes on."""
    if _is_signed_in(request, controller):
        return RedirectResponse(safe_next(where), status_code=303)
    return login_form(request, where=where, said=OUT if out else UNDONE if undone else "", is_out=out)


@router.post(LOGIN)
def login(
    request: Request,
    controller: WholeCtl,
    lane: Annotated[Lane, Depends(_lane)],
    csrf_token: Field = "",
    name: Field = "",
    password: Field = "",
    where: Annotated[str, Form(alias="next", max_length=2000)] = "/",
) -> Response:
    """Signs in by the password of a local account."""
    brake: GuessBrake = request.app.state.brake
    name = name.strip().casefold()
    try:
        refuse_forged(request, request.cookies.get(cookie_name(request, SIGN_IN), ""), csrf_token)
        brake.admit(address_of(request), "")
        with lane.enter():
            session, secret = controller.people.sign_in_local(name, Secret(password), browser=browser_of(request))
    except (Forged, TooManyAttempts, NotAuthenticated, Overloaded) as exc:
        if isinstance(exc, NotAuthenticated):
            brake.failed(address_of(request), "")
        return login_form(request, where=where, name=name, error=exc)
    return begun(request, controller, session, secret, where=where)


@router.post("/logout")
def logout(
    request: Request, controller: WholeCtl, caller: PageCaller, everywhere: Annotated[bool, Form()] = False
) -> Response:
    """Ends this session, or every one of the person."""
    end_session(controller, caller.actor, session_text(request), everywhere=everywhere)
    response = RedirectResponse(f"{LOGIN}?out=true", status_code=303)
    drop_cookie(response, request, SESSION)
    return response


def end_session(controller: Controller, actor: str, text: str, *, everywhere: bool = False) -> None:
    """One that is over already is over."""
    try:
        session, person = controller.people.session_of(text)
        if everywhere:
            controller.people.sign_out_everywhere(person.name, actor=actor)
        else:
            controller.people.end_session(session.id, actor=actor)
    except (NotAuthenticated, NotFound, Conflict):
        return


def begun(request: Request, controller: Controller, session: PersonSession, secret: Secret, *, where: str) -> Response:
    """The answer to a sign-in: the cookie, and on to where the person wanted to go."""
    if before := session_text(request):
        end_session(controller, f"person:{session.person}", before)
    request.state.actor = f"person:{session.person}"
    response = RedirectResponse(safe_next(where), status_code=303)
    set_cookie(response, request, SESSION, secret.reveal())
    drop_cookie(response, request, SIGN_IN)
    return response


def browser_of(request: Request) -> Browser:
    agent = "".join(c for c in request.headers.get("user-agent", "") if c.isprintable())
    return Browser(address=address_of(request), agent=agent)


def login_form(
    request: Request,
    *,
    where: str,
    name: str = "",
    said: str = "",
    is_out: bool = False,
    error: TokgateError | None = None,
) -> Response:
    """The sign-in with what went wrong, and the cookie that ties it to this browser."""
    provider = provider_of(request)
    tie = request.cookies.get(cookie_name(request, SIGN_IN)) or secrets.token_urlsafe(32)
    if error is not None:
        request.state.error_code = error.code
    response = render(
        request,
        "login.html",
        status=error.http_status if error else 200,
        csrf_token=csrf_word(tie),
        next=safe_next(where),
        name=name[:64],
        told=said,
        out_there=provider.logout_url(public_origin(request) + LOGIN) if provider and is_out else None,
        **told(error),
        provider=provider.title if provider else "",
    )
    set_cookie(response, request, SIGN_IN, tie, seconds=SIGN_IN_SECONDS)
    return response


def _is_signed_in(request: Request, controller: Controller) -> bool:
    text = session_text(request)
    try:
        return bool(text) and controller.people.session_of(text) is not None
    except NotAuthenticated:
        return False


# --- by a provider ----------------------------------------------------------------------------------------------------


@router.get(TO_PROVIDER)
def to_provider(request: Request, provider: ProviderOf, where: Next = "/") -> Response:
    """Sends the browser to the provider."""
    if provider is None:
        raise NoSuchRoute("nobody signs in by a provider here", hint="`access.provider` in the inventory names one")
    try:
        uri, pending = provider.begin(public_origin(request) + CALLBACK, where=safe_next(where))
    except ProviderTrouble as exc:
        return login_form(request, where=where, error=exc)
    response = RedirectResponse(uri, status_code=303)
    set_cookie(response, request, PENDING, pending.dumps(), seconds=int(SIGN_IN_LIFE.total_seconds()))
    return response


@router.get(CALLBACK)
def from_provider(request: Request, controller: WholeCtl, provider: ProviderOf) -> Response:
    """Where the provider sends the browser back to."""
    if provider is None:
        raise NoSuchRoute("nobody signs in by a provider here", hint="`access.provider` in the inventory names one")
    brake: GuessBrake = request.app.state.brake
    pending = Pending.loads(request.cookies.get(cookie_name(request, PENDING), ""))
    where = pending.next if pending else "/"
    try:
        brake.admit(address_of(request), "")
        claims = provider.finish(pending, dict(request.query_params), public_origin(request) + CALLBACK)
        identity = identity_of(claims, *_configured(controller))
        session, secret = controller.people.sign_in_as(identity, browser=browser_of(request))
    except (ProviderTrouble, SignInRefused, NotAllowed, TooManyAttempts) as exc:
        if isinstance(exc, SignInRefused):
            brake.failed(address_of(request), "")
        response = login_form(request, where=where, error=exc)
    else:
        response = begun(request, controller, session, secret, where=where)
    drop_cookie(response, request, PENDING)
    return response


def _configured(controller: Controller) -> tuple[Access, Provider]:
    access = controller.inventory.access
    assert access.provider is not None  # else there is none to come back from
    return access, access.provider
