"""Evidence from sensors, servers and inventories, as a stream: into a file that nobody sees, then read.

An upload is large, so it is received here and not at the door: after its token was looked at, few at once, within a
size and a time.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import IO, Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import StringConstraints
from starlette.requests import ClientDisconnect

from api.auth import Ctl, Ingester, Proof
from api.errors import Malformed, TooLarge, TooSlow
from api.evidence_models import EvidenceTaken
from api.idempotency import claim_key
from api.lanes import Lane
from api.limits import ClientGone, declared_length
from api.models import Name
from api.reference import answers
from controller.evidence.formats import FORMATS
from controller.upload_desk import Upload

router = APIRouter(prefix="/evidence", tags=["evidence"])

AUTO: Final = "auto"
MAX_UPLOAD_BYTES: Final = 256 * 1024 * 1024
UPLOAD_SECONDS: Final = 300.0
IN_MEMORY: Final = 1 << 20
_ANYTHING: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_TYPES: Final = ("application/octet-stream", "text/plain", "text/csv")
_UPLOAD: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": f"the file as it is, packed by gzip or not; {MAX_UPLOAD_BYTES // 2**20} MiB at most",
        "content": dict.fromkeys(_TYPES, _ANYTHING),
    }
}
FormatName = Annotated[
    str,
    Path(
        description=f"`{AUTO}`: told from its beginning",
        json_schema_extra={"enum": [AUTO, *FORMATS]},
        max_length=40,
    ),
]
Sensor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$", max_length=100)]
Zone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$", max_length=60)]


@dataclass(frozen=True, slots=True)
class Body:
    """What was received. ``digest`` is of its bytes."""

    file: IO[bytes]
    digest: str


def _lane(request: Request) -> Lane:
    lane: Lane = request.app.state.uploads
    return lane


async def _uploaded(request: Request, caller: Ingester, lane: Annotated[Lane, Depends(_lane)]) -> AsyncIterator[Body]:
    """The body of a caller who may send one; gone when its answer was made.

    Raises ``Overloaded``, ``TooLarge``, ``TooSlow``, ``Malformed``, ``ClientGone``; and as ``claim_key``.
    """
    with lane.enter(), tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        digest = await _received(request, file)
        await claim_key(request, caller.id, body=digest.encode())
        file.seek(0)
        yield Body(file, digest)


async def _received(request: Request, file: IO[bytes]) -> str:
    if request.headers.get("content-encoding", "identity").lower() not in ("identity", "gzip"):
        raise Malformed("Content-Encoding: gzip, or none")
    if declared_length(request.scope) > MAX_UPLOAD_BYTES:
        raise _too_large()
    seen, size = hashlib.sha256(), 0
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MAX_UPLOAD_BYTES:
                    raise _too_large()
                seen.update(part)
                file.write(part)
    except TimeoutError as exc:
        raise TooSlow(f"the upload was not received within {UPLOAD_SECONDS:g} s") from exc
    except ClientDisconnect as exc:
        raise ClientGone from exc
    return seen.hexdigest()


def _too_large() -> TooLarge:
    return TooLarge(f"the upload is larger than {MAX_UPLOAD_BYTES} bytes", hint="split it at the end of a line")


@router.post(
    "/{format}",
    summary="Bring evidence",
    responses=answers(404, 408, 409, 413, 503),
    openapi_extra=_UPLOAD,
)
def upload(
    controller: Ctl,
    caller: Ingester,
    body: Annotated[Body, Depends(_uploaded)],
    format: FormatName,
    sensor: Annotated[
        Sensor | None,
        Query(
            description="who wrote it, where the records do not say; else the token's name", examples=["zeek-berlin"]
        ),
    ] = None,
    site: Annotated[
        Name | None, Query(description="of records without an address; and by whose clock times without a zone are")
    ] = None,
    zone: Annotated[
        Zone | None, Query(description="of times that name none, if not the site's", examples=["Europe/Berlin"])
    ] = None,
) -> EvidenceTaken:
    """Logs of sensors, name servers and proxies, captures, and inventories of endpoints: see the page on evidence.

    In the store when it is answered. The same file counts once, however often it is brought within 31 days. Of a token
    that is limited to sites, records of other clients are set aside."""
    named = sensor or (caller.via or caller.actor).removeprefix("token:") if caller.how is Proof.TOKEN else sensor or ""
    wanted = Upload(digest=body.digest, format=None if format == AUTO else format, sensor=named, site=site, zone=zone)
    return EvidenceTaken.of(controller.uploads.bring(body.file, wanted, actor=caller.actor))
