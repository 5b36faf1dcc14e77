"""``ETag``, ``If-None-Match`` and ``If-Match``: asking only for what is new, and changing only what one knows.

A GET of JSON under ``/api/v1`` has an ``ETag`` of what it says; asked for with that in ``If-None-Match``, it is 304
without a body. Of a thing that can be changed the tag begins with its version (``tagged``), and a change takes that tag
as ``If-Match`` (``Match``): the store compares versions in the transaction of the change. A change that does not know
``If-Match`` refuses it: who sends one must not be ignored.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import Header, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.dry_run import CHANGES, PREFIX
from controller.errors import ChangedMeanwhile
from controller.versions import expecting

IF_MATCH: Final = "If-Match"
_BETWEEN: Final = "."
"""A version and what else an answer says that moves without a change; both are hexadecimal."""

Match = Annotated[
    str | None,
    Header(
        alias=IF_MATCH,
        max_length=500,
        description="only if it is still as an answer with this `ETag` said; else 412",
        examples=['"0c9f7d1c7b6e0ad2f3a1b5c4.8f14e45fceea167a"'],
    ),
]
"""Of a change whose store asks ``refuse_changed``."""


def tagged(response: Response, version: str) -> None:
    """The answer shows a thing at that version."""
    response.headers["ETag"] = f'"{version}"'


@dataclass(frozen=True, slots=True)
class Conditional:
    """The middleware. ``app`` is what it wraps."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self.app(scope, receive, send)
        elif scope["method"] == "GET":
            await self.app(scope, receive, Asked(send, tags(Headers(scope=scope).get("If-None-Match"))).pass_on)
        else:
            with expecting(versions(Headers(scope=scope).get(IF_MATCH))):
                await self.app(scope, receive, send)


@dataclass(slots=True)
class Asked:
    """The way out of one GET: an answer of JSON is held back until it is whole and its tag known."""

    send: Send
    known: frozenset[str] | None  # what the caller has
    start: Message | None = None
    body: bytearray = field(default_factory=bytearray)

    async def pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_tagged(message):
            self.start = message
        elif self.start is None:
            await self.send(message)
        else:
            self.body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._answer(self.start)

    async def _answer(self, start: Message) -> None:
        headers = MutableHeaders(scope=start)
        said = hashlib.sha256(self.body).hexdigest()[:16]
        version = headers.get("ETag", "").strip('"')
        tag = f"{version}{_BETWEEN}{said}" if version else said
        headers["ETag"] = f'"{tag}"'
        if self.known is not None and (tag in self.known or "*" in self.known):
            del headers["Content-Length"]
            start["status"] = 304
            self.body.clear()
        await self.send(start)
        await self.send({"type": "http.response.body", "body": bytes(self.body)})


def _is_tagged(start: Message) -> bool:
    kind = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] == 200 and kind.startswith("application/json")


def tags(header: str | None) -> frozenset[str] | None:
    """The tags of an ``If-Match`` or ``If-None-Match``, strong or weak, without their quotes; None without a header."""
    if header is None:
        return None
    return frozenset(word.strip().removeprefix("W/").strip('"') for word in header.split(","))


def versions(header: str | None) -> frozenset[str] | None:
    """The versions that an ``If-Match`` names."""
    found = tags(header)
    return None if found is None else frozenset(tag.partition(_BETWEEN)[0] for tag in found)


async def refuse_ignored(request: Request) -> None:
    """Raises ``ChangedMeanwhile`` for an ``If-Match`` on a change that cannot compare anything with it."""
    route = request.scope.get("route")
    if request.method not in CHANGES or IF_MATCH not in request.headers or not isinstance(route, APIRoute):
        return
    if all(parameter.alias != IF_MATCH for parameter in route.dependant.header_params):
        raise ChangedMeanwhile(
            "If-Match: there is no version of what this changes", hint="leave it out; nothing was done"
        )
