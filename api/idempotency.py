"""A change sent twice with the same ``Idempotency-Key`` is one change, and is answered twice alike.

For every change under ``/api/v1``, in one place: the middleware (``Repeatable``) knows the whole request and answer,
and the door (``api.auth``) claims the key once it is known who asks and that they may. Keys are each caller's own, and
are kept in the store (``controller.store.repeats``), so they outlive a restart and hold over processes. What is refused
leaves its key free. A token is never kept: where the first answer shows one, the second says ``null``.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

import structlog
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.dry_run import CHANGES, PARAMETER, PREFIX
from api.limits import STREAMED, replayed
from controller.errors import Busy, Conflict, StoreError
from controller.rehearsal import rehearsal
from controller.repeats import Claim, KeptAnswer, Keyed, under_key
from controller.store import Store
from core.secret import without_tokens

log = structlog.get_logger()

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
PATTERN: Final = "^[!-~]{1,128}$"
KEPT_HEADERS: Final = frozenset({"content-type", "content-disposition", "etag", "location", "preference-applied"})
WAIT_SECONDS: Final = 10.0
WAITING: Final = 16
"""Requests that wait for the one under way with their key; each holds a thread."""
_TOKEN: Final = re.compile(r'"tok[a-z]{1,10}_[0-9a-f]{8}_[0-9a-f]{32,64}"')


class Replayed(Exception):  # not an error: the answer is there already
    """This was answered before."""

    def __init__(self, answer: KeptAnswer) -> None:
        super().__init__()
        self.answer = answer


@dataclass(slots=True)
class Asked:
    """One request with a key: who may have it is found out at the door."""

    store: Store
    key: str
    said: str  # what was asked, without the body
    body: str | None  # the body's digest; None until it was received
    keyed: Keyed = field(default_factory=Keyed)


class Turns:
    """Those who wait for the request under way with their key, in this process; others are asked for now and then."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(WAITING)
        self._ended = threading.Condition()

    def ended(self) -> None:
        with self._ended:
            self._ended.notify_all()

    def claim(self, store: Store, claim: Claim) -> KeptAnswer | None:
        """As the store's. Raises ``Busy`` when the one under way does not end soon, or too many wait already."""
        deadline = time.monotonic() + WAIT_SECONDS
        try:
            return store.claim(claim)
        except Busy:
            if not self._places.acquire(blocking=False):
                raise
        try:
            while True:
                with self._ended:
                    self._ended.wait(0.2)
                try:
                    return store.claim(claim)
                except Busy:
                    if time.monotonic() > deadline:
                        raise
        finally:
            self._places.release()


def install(app: FastAPI) -> None:
    """Have what was answered before be answered again."""
    app.state.turns = Turns()
    app.add_middleware(Repeatable)
    app.add_exception_handler(Replayed, _again)


def _again(request: Request, error: Exception) -> Response:
    assert isinstance(error, Replayed)
    return Response(
        error.answer.body, status_code=error.answer.status, headers={**dict(error.answer.headers), REPLAYED: "true"}
    )


@dataclass(frozen=True, slots=True)
class Repeatable:
    """The middleware. ``app`` is what it wraps."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key_of(scope)
        if key is None:
            await self.app(scope, receive, send)
            return
        asked = Asked(store=scope["app"].state.controller.store, key=key, said=_said(scope), body=None)
        if scope["path"] not in STREAMED:
            body = (await receive()).get("body", b"")  # whole: ``api.limits`` received it
            asked.body, receive = _digest(_canonical(body)), replayed(body, receive)
        scope["state"]["asked"] = asked
        answer = Answering(asked, send)
        with under_key(asked.keyed):
            try:
                await self.app(scope, receive, answer.pass_on)
            finally:
                if asked.keyed.claim is not None:
                    await run_in_threadpool(_settle, asked, answer.kept)
                    scope["app"].state.turns.ended()


@dataclass(slots=True)
class Answering:
    """The way out of a request with a key: a good answer is kept before it leaves."""

    asked: Asked
    send: Send
    start: Message | None = None
    body: bytearray = field(default_factory=bytearray)
    kept: bool = False

    async def pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self.asked.keyed.claim is not None and message["status"] < 300:
            self.start = message
        elif self.start is None:
            await self.send(message)
        else:
            self.body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._keep(self.start)
                await self.send(self.start)
                await self.send({"type": "http.response.body", "body": bytes(self.body)})

    async def _keep(self, start: Message) -> None:
        headers = Headers(raw=start["headers"])
        shown = tuple((name, value) for name, value in headers.items() if name in KEPT_HEADERS)
        body = bytes(self.body)
        if headers.get("content-type", "").startswith("application/json"):
            body = without_shown_once(body.decode()).encode()
        answer = KeptAnswer(status=start["status"], headers=shown, body=body)
        self.kept = await run_in_threadpool(_kept, self.asked, answer)


def _kept(asked: Asked, answer: KeptAnswer) -> bool:
    """What was done is done, also when its answer cannot be kept."""
    assert asked.keyed.claim is not None
    try:
        asked.store.keep_answer(asked.keyed.claim, answer)
    except StoreError as exc:
        log.warning("answer.not_kept", error=str(exc))
    return True


def _settle(asked: Asked, kept: bool) -> None:
    """A request that was refused, or broke, leaves its key free."""
    claim = asked.keyed.claim
    if kept or claim is None:
        return
    try:
        asked.store.release(claim)
    except StoreError as exc:
        log.warning("key.not_released", error=str(exc))


async def claim_key(request: Request, caller: str, *, body: bytes | None = None) -> None:
    """At the door: the request has its key from now on. Nothing to do for one without a key.

    Raises ``Replayed`` when it was answered before; ``Conflict``, ``Busy``; ``RequestValidationError`` for a bad key.
    """
    asked: Asked | None = getattr(request.state, "asked", None)
    if asked is None or asked.keyed.claim is not None:
        return
    if re.fullmatch(PATTERN, asked.key) is None:
        told = "1 to 128 printable characters of ASCII, without spaces"
        raise RequestValidationError([{"loc": ("header", HEADER), "msg": told, "type": "string_pattern_mismatch"}])
    if body is not None:
        asked.body = _digest(body)
    if asked.body is not None:  # else its route receives it, and claims then
        said = _digest(f"{asked.said}\n{asked.body}".encode())
        claim = Claim(caller=caller, key=_digest(asked.key.encode()), request=said)
        await run_in_threadpool(_claim, asked, claim, request.app.state.turns)


def _claim(asked: Asked, claim: Claim, turns: Turns) -> None:
    rehearses = rehearsal() is not None  # what it makes is gone afterwards, so it is not remembered
    found = asked.store.kept_answer(claim) if rehearses else turns.claim(asked.store, claim)
    if found is None:
        asked.keyed.claim = None if rehearses else claim
        return
    if found.body is None:
        where = dict(found.headers).get("location")
        raise Conflict(
            "this was done before with this Idempotency-Key, and its answer is not kept any more",
            hint=f"look at {where}" if where else "ask again with a new key",
        )
    raise Replayed(found)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Keys of what is no route of the API: of a form that is sent twice."""

    store: Store
    turns: Turns

    def once(self, *, caller: str, key: str | None, request: str, make: Callable[[], str]) -> tuple[str, bool]:
        """What ``make`` made, now or the first time, and whether it was now; without a key always now.

        Raises ``Conflict`` when the key came with another request before. What raises has made nothing.
        """
        if key is None:
            return make(), True
        claim = Claim(caller=caller, key=_digest(key.encode()), request=_digest(request.encode()))
        if (found := self.turns.claim(self.store, claim)) is not None:
            return (found.body or b"").decode(), False
        try:
            with under_key(Keyed(claim)):
                made = make()
            self.store.keep_answer(claim, KeptAnswer(status=200, headers=(), body=made.encode()))
        except BaseException:
            self.store.release(claim)
            raise
        finally:
            self.turns.ended()
        return made, True


def _repeats_of(request: Request) -> Repeats:
    return Repeats(request.app.state.controller.store, request.app.state.turns)


RepeatsOf = Annotated[Repeats, Depends(_repeats_of)]


def _key_of(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] not in CHANGES or not scope["path"].startswith(PREFIX):
        return None
    return Headers(scope=scope).get(HEADER)


def _said(scope: Scope) -> str:
    """What is asked for, but for the body; a dry run asks for the same."""
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    rest = sorted(pair for pair in query if pair[0] != PARAMETER)
    prefer = Headers(scope=scope).get("prefer", "")
    return json.dumps([scope["method"], scope["path"], rest, prefer])


def _canonical(body: bytes) -> bytes:
    """JSON that says the same is the same."""
    try:
        return json.dumps(json.loads(body), sort_keys=True).encode()
    except (ValueError, RecursionError):
        return body


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def without_shown_once(text: str) -> str:
    """JSON in which what is shown once is null, and what was pasted into a text is cut down."""
    return without_tokens(_TOKEN.sub("null", text))


def offer(operation: dict[str, Any]) -> None:
    """Tell of the header in the document."""
    operation.setdefault("parameters", []).append(
        {
            "name": HEADER,
            "in": "header",
            "required": False,
            "schema": {"type": "string", "pattern": PATTERN},
            "description": "repeat the request with the same key after a lost answer, and it stays one request",
        }
    )
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            header = {
                "schema": {"const": "true"},
                "description": "there when an answer is given again",
            }
            response.setdefault("headers", {})[REPLAYED] = header
