"""Snapshots on their way between places, signed: out of here as a download, and in here as an upload.

A bundle and its signature are one body: the bundle is one line, the signature the lines behind it (``cat FILE
FILE.minisig``). An upload is large, so it is received here and not at the door: after its token was looked at, one at a
time, within a size and a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.requests import ClientDisconnect

from api.auth import Ctl, Operator
from api.conditional import Match
from api.errors import TooLarge, TooSlow
from api.idempotency import claim_key
from api.lanes import Lane
from api.limits import BODY_SECONDS, ClientGone, declared_length
from api.models import Line
from api.reference import answers
from api.snapshot_models import ExportBody, Imported
from ipsets.bundle import join, split

router = APIRouter(prefix="/intel", tags=["intel"])

MEDIA_TYPE: Final = "application/vnd.tokgate.bundle"
MAX_BUNDLE_BYTES: Final = 32 * 1024 * 1024
_FILE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_DOWNLOAD: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The bundle, then its signature", "content": {MEDIA_TYPE: _FILE}}
}
_UPLOAD: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": f"the bundle, then its signature; {MAX_BUNDLE_BYTES // 2**20} MiB at most",
        "content": {MEDIA_TYPE: _FILE, "application/octet-stream": _FILE},
    }
}


def _lane(request: Request) -> Lane:
    lane: Lane = request.app.state.bundles
    return lane


@router.post(
    "/export",
    summary="A snapshot as a signed bundle",
    response_class=Response,
    responses={**answers(404, 409, 503), **_DOWNLOAD},
)
def export(controller: Ctl, caller: Operator, body: ExportBody, lane: Annotated[Lane, Depends(_lane)]) -> Response:
    """Signed with the key of `TOKGATE_BUNDLE_KEY`; 409 without one. `tokgate intel import` takes the file as it is.

    What an emergency withdrew here for a while is in it: `Tokgate-Withdrawn` names that, and so does its comment."""
    with lane.enter():
        made = controller.bundles.export(body.snapshot, actor=caller.actor, comment=body.comment)
        name = f"tokgate-{made.bundle.snapshot.id[:12]}.bundle"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        if made.withdrawn:
            headers["Tokgate-Withdrawn"] = ", ".join(made.withdrawn)
        return Response(join(made.sealed), media_type=MEDIA_TYPE, headers=headers)


async def _uploaded(request: Request, caller: Operator, lane: Annotated[Lane, Depends(_lane)]) -> AsyncIterator[bytes]:
    """The body of a caller who may send one; one at a time until its answer was made.

    Raises ``Overloaded``, ``TooLarge``, ``TooSlow``, ``ClientGone``; and as ``claim_key``.
    """
    with lane.enter():
        body = await _received(request)
        await claim_key(request, caller.id, body=body)
        yield body


async def _received(request: Request) -> bytes:
    if declared_length(request.scope) > MAX_BUNDLE_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BUNDLE_BYTES:
                    raise _too_large()
    except TimeoutError as exc:
        raise TooSlow(f"the bundle was not received within {BODY_SECONDS:g} s") from exc
    except ClientDisconnect as exc:
        raise ClientGone from exc
    return bytes(body)


def _too_large() -> TooLarge:
    return TooLarge(
        f"the bundle is larger than {MAX_BUNDLE_BYTES} bytes", hint="import it there with `tokgate intel import`"
    )


@router.post(
    "/import",
    summary="Put the snapshot of a signed bundle in force",
    responses=answers(403, 409, 412, 413, 503),
    openapi_extra=_UPLOAD,
)
def import_bundle(
    controller: Ctl,
    caller: Operator,
    body: Annotated[bytes, Depends(_uploaded)],
    reason: Annotated[Line, Query(description="stands in the audit log and in every report", examples=["change 4711"])],
    force: Annotated[bool, Query(description="take one that is older, or that changes much; no other refusal")] = False,
    match: Match = None,
) -> Imported:
    """Verified against the keys of `TOKGATE_BUNDLE_TRUST`, put in force and pinned. 403: not signed by one of them, or
    changed since; 409: no key is trusted, it is older, or a guard refused. Whatever is refused, nothing was changed."""
    return Imported.of(controller.import_bundle(split(body), actor=caller.actor, reason=reason, force=force))
