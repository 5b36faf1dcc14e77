"""The cookie of a session, and the proof that a change that comes with it was sent by a page of ours.

A browser sends the cookie whoever made it send the request. So a change also brings a word that only our pages know:
in the field ``csrf_token`` of a form, or in the header ``X-CSRF-Token``. And where the browser says where the request
comes from (``Sec-Fetch-Site``, ``Origin``), that has to be here.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.errors import Forged

CSRF_FIELD: Final = "csrf_token"
CSRF_HEADER: Final = "X-CSRF-Token"
SESSION: Final = "tokgate-session"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def public_origin(request: Request) -> str:
    """Under which scheme, host and port browsers reach us: as the settings say, else as this request came."""
    said: str | None = request.app.state.controller.settings.public_url
    return said or f"{request.url.scheme}://{request.url.netloc}".lower()


def is_secure(request: Request) -> bool:
    """Whether browsers reach us by HTTPS, here or at the proxy in front."""
    return request.url.scheme == "https" or public_origin(request).startswith("https://")


def cookie_name(request: Request, name: str) -> str:
    """With the prefix by which browsers keep other hosts and plain HTTP from setting it (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{name}" if is_secure(request) else name


def session_text(request: Request) -> str:
    """The secret of the session that the request comes with; empty when it comes with none."""
    return request.cookies.get(cookie_name(request, SESSION), "")


def set_cookie(response: Response, request: Request, name: str, value: str, *, seconds: int | None = None) -> None:
    """For this host alone, out of reach of scripts, and not sent with what other sites have a browser do."""
    response.set_cookie(
        cookie_name(request, name),
        value,
        max_age=seconds,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def drop_cookie(response: Response, request: Request, name: str) -> None:
    response.delete_cookie(
        cookie_name(request, name), path="/", secure=is_secure(request), httponly=True, samesite="lax"
    )


def csrf_word(session: str) -> str:
    """What a page of the session proves itself with; it does not give the session away."""
    return hmac.new(session.encode(), b"tokgate csrf", hashlib.sha256).hexdigest()


def here(request: Request) -> tuple[str, str]:
    """The origins that are this one: as browsers know it, and as this request came."""
    return public_origin(request), f"{request.url.scheme}://{request.url.netloc}".lower()


def refuse_other_sites(request: Request) -> None:
    """Raises ``Forged`` when the browser says that another site sent this."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    is_foreign = (
        site != "same-origin" if site is not None else origin is not None and origin.lower() not in here(request)
    )
    if is_foreign:
        raise Forged("another site sent this", hint="open the page here and send it from there")


def refuse_forged(request: Request, session: str, given: str) -> None:
    """Raises ``Forged`` unless a page of that session sent this; for changes."""
    refuse_other_sites(request)
    if not hmac.compare_digest(csrf_word(session).encode(), given.encode("utf-8", "replace")):
        raise Forged(
            "this was not sent by a page of your session, or by an old one",
            hint=f"load the page again; a program sends {CSRF_HEADER}, or a token instead of the cookie",
        )
