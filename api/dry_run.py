"""``?dry_run=true`` on a change: decided and answered as the real one, and then undone before the answer leaves.

One middleware for every change of the API, so that none can forget it: see ``controller.rehearsal``. The answer says so
in the header ``Dry-Run``. Who signs in, and who fails to, counts all the same (``api.auth``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.errors import Invalid
from controller.rehearsal import Rehearsal, rehearsed

PARAMETER: Final = "dry_run"
HEADER: Final = "Dry-Run"
CHANGES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PREFIX: Final = "/api/v1/"
_WORDS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class DryRun:
    """The middleware. ``app`` is what it wraps."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ``Invalid`` for a ``dry_run`` that is neither true nor false."""
        if not is_asked(scope):
            await self.app(scope, receive, send)
            return
        change = Rehearsal()

        async def undone(message: Message) -> None:
            if message["type"] == "http.response.start":
                await run_in_threadpool(change.end)
                MutableHeaders(scope=message)[HEADER] = "true"
            await send(message)

        with rehearsed(change), structlog.contextvars.bound_contextvars(dry_run=True):
            try:
                await self.app(scope, receive, undone)
            finally:
                change.end()  # not awaited: also when the caller hung up


def is_asked(scope: Scope) -> bool:
    """Whether the request is a change that is to be rehearsed. Raises ``Invalid``."""
    if scope["type"] != "http" or scope["method"] not in CHANGES or not scope["path"].startswith(PREFIX):
        return False
    said = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get(PARAMETER, ["false"])
    if any(word.lower() not in _WORDS for word in said):  # a change that was not meant to be one is the worse mistake
        raise Invalid(f"{PARAMETER}: true or false", hint="nothing was done")
    return any(_WORDS[word.lower()] for word in said)
