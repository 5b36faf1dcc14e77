"""A form that is sent twice does once what it does: by a second click, a reload, or from the page before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from api.auth import Caller
from api.cookies import CSRF_FIELD
from api.idempotency import Repeats, RepeatsOf


@dataclass(frozen=True, slots=True)
class Once:
    """One form as it was sent. ``key`` is the page's it was on, with all that it says: changed, it is another form."""

    repeats: Repeats
    key: str | None
    said: str

    def __call__(self, caller: Caller, make: Callable[[], str]) -> str:
        """What ``make`` made, now or the first time. Raises what it raises, and has made nothing then."""
        made, _ = self.repeats.once(caller=caller.id, key=self.key, request=self.said, make=make)
        return made


async def _once_of(request: Request, repeats: RepeatsOf) -> Once:
    form = (await request.form()).multi_items()
    said = [request.url.path, *sorted((name, text) for name, text in form if name != CSRF_FIELD)]
    digest = hashlib.sha256(repr(said).encode("utf-8", "replace")).hexdigest()
    is_marked = any(name == "once" and text for name, text in form)
    return Once(repeats, f"form {digest}" if is_marked else None, digest)


OnceOf = Annotated[Once, Depends(_once_of)]
