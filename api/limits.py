"""The outermost layer of every request: its id, its size and time, security headers, one log line, and the last net.

A body is received whole, within a size and a time, before anything looks at it: what is too large is refused before it
is read, what drips is cut off. Plain ASGI, so that it holds under any server; ``api.server`` guards the headers.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.deprecation import deprecation_headers
from api.errors import Malformed, TooLarge, TooSlow
from api.problems import RETRY_AFTER_SECONDS, clean, problem_response, unexpected
from controller.asking import asking
from controller.evidence.formats import FORMATS
from core.errors import TokgateError
from core.ids import new_id

log = structlog.get_logger()

MAX_BODY_BYTES: Final = 256 * 1024
BODY_SECONDS: Final = 10.0
STREAMED: Final = frozenset({"/api/v1/intel/import", *(f"/api/v1/evidence/{name}" for name in ("auto", *FORMATS))})
"""Their bodies may be far larger, so they are not received here but by their routes: after the token was looked at."""

SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer, unless a route sets its own (a report page allows its inline style)."""
HSTS: Final = "max-age=31536000"


class ClientGone(Exception):  # not an error: nobody is left to answer
    """The caller hung up before the request was whole."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The middleware. ``app`` is what it wraps."""

    app: ASGIApp
    max_body_bytes: int = MAX_BODY_BYTES
    body_seconds: float = BODY_SECONDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = Answer(scope=scope, send=send, request_id=new_id())
        scope.setdefault("state", {})["request_id"] = answer.request_id
        with structlog.contextvars.bound_contextvars(request_id=answer.request_id), asking():
            await self._answer(scope, receive, answer)
            answer.record()

    async def _answer(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        try:
            if scope["path"] not in STREAMED:
                receive = replayed(await self._body(scope, receive), receive)
            await self.app(scope, receive, answer.pass_on)
        except ClientGone:
            return
        except TokgateError as exc:
            await answer.problem(exc, receive)
        except Exception:  # the top of a request: recorded here, and the caller learns the id alone
            log.exception("api.failed", method=scope["method"], path=clean(scope["path"])[:200])
            await answer.problem(unexpected(), receive)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Raises ``TooLarge``, ``TooSlow``, ``Malformed``, ``ClientGone``."""
        if declared_length(scope) > self.max_body_bytes:
            raise self._too_large()
        try:
            async with asyncio.timeout(self.body_seconds):
                return await self._received(receive)
        except TimeoutError as exc:
            raise TooSlow(f"the body was not received within {self.body_seconds:g} s") from exc

    async def _received(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.max_body_bytes:
                raise self._too_large()
            more = message.get("more_body", False)
        return b"".join(parts)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is larger than {self.max_body_bytes} bytes", hint="split the request")


def declared_length(scope: Scope) -> int:
    """The Content-Length, 0 without one. Raises ``Malformed``."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit() or len(value) > 18:
                raise Malformed("Content-Length is not a number")
            return int(value)
    return 0


def replayed(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the whole body once, then passes on (to learn of a hang-up)."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


@dataclass(slots=True)
class Answer:
    """The way out of one request: adds the headers, and remembers what was said."""

    scope: Scope
    send: Send
    request_id: str
    status: int | None = None
    began: float = 0.0

    def __post_init__(self) -> None:
        self.began = time.perf_counter()

    async def pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._add_headers(MutableHeaders(scope=message))
        await self.send(message)

    def _add_headers(self, headers: MutableHeaders) -> None:
        headers["X-Request-ID"] = self.request_id
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        if self.status in (429, 503):
            headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
        for name, value in deprecation_headers(self.scope.get("route")).items():
            headers.setdefault(name, value)
        if self.scope.get("scheme") == "https":
            headers.setdefault("Strict-Transport-Security", HSTS)

    async def problem(self, error: TokgateError, receive: Receive) -> None:
        """Answer with the problem, unless an answer has begun already: then nothing more can be said."""
        self.scope["state"]["error_code"] = error.code
        if self.status is None:
            await problem_response(error, request_id=self.request_id)(self.scope, receive, self.pass_on)

    def record(self) -> None:
        """One line for each request; never its query or its headers."""
        state: dict[str, Any] = self.scope.get("state", {})
        log.info(
            "api.request",
            method=self.scope["method"],
            path=clean(self.scope["path"])[:200],
            status=self.status,
            actor=state.get("actor"),
            code=state.get("error_code"),
            ms=round((time.perf_counter() - self.began) * 1000, 1),
        )
