"""A page from its template. Everything that a person or a device wrote is escaped by the template engine."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.cookies import csrf_word, session_text
from api.web import wording
from controller.hosts import in_words
from controller.reports.as_html import count
from ipsets.spans import words

PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",  # with no-referrer browsers send `Origin: null` with our own forms
}
_SEEN: Final = "{seen: of this page}"
"""Where the digest of a page stands in it."""


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The one environment of all pages."""
    from api.web.static_files import static

    made = Environment(
        loader=PackageLoader("api.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"static": static, "when": wording.when, "modes": wording.MODES}
    made.filters |= {
        "who": wording.who,
        "sentence": wording.sentence,
        "browser": wording.browser,
        "span": words,
        "utc_hour": wording.utc_hour,
        "stands_for": in_words,
        "count": count,
    }
    return made


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The page; ``csrf_token`` is there for its forms, and ``caller`` who is signed in, or None.

    A page whose parts are asked for again names what it says; to who has that already nothing is sent.
    """
    caller = getattr(request.state, "caller", None)
    known = {"caller": caller, "csrf_token": csrf_word(session_text(request)), "done": None, "trouble": "", "hint": ""}
    text = environment().get_template(template).render(known | values | {"seen_mark": _SEEN})
    if _SEEN in text:
        said = hashlib.sha256(text.encode()).hexdigest()[:16]
        if status == 200 and request.headers.get("x-seen") == said:
            return HTMLResponse(status_code=204, headers=PAGE_HEADERS)
        text = text.replace(_SEEN, said)
    return HTMLResponse(text, status_code=status, headers=PAGE_HEADERS)
