"""Evidence packs: made as a job, for it takes its time, and fetched as one file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, JSONResponse

from api.auth import Auditor, Ctl
from api.job_models import Job
from api.jobs import JobsOf
from api.lanes import Lane
from api.models import Ulid
from api.pack_models import PackBody, PackMade
from api.reference import BEGUN, answers
from controller.packs.sealing import zipped
from controller.packs.shelf import Shelf

router = APIRouter(prefix="/packs", tags=["packs"])

MEDIA_TYPE: Final = "application/zip"
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The pack",
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


def _lane(request: Request) -> Lane:
    lane: Lane = request.app.state.packs
    return lane


def _shelf(request: Request) -> Shelf:
    shelf: Shelf = request.app.state.shelf
    return shelf


@router.post(
    "",
    summary="Make an evidence pack",
    status_code=202,
    response_model=Job,
    responses={**answers(404, 409, 501, 503), **BEGUN},
)
def make_pack(
    controller: Ctl,
    caller: Auditor,
    jobs: JobsOf,
    body: PackBody,
    lane: Annotated[Lane, Depends(_lane)],
    shelf: Annotated[Shelf, Depends(_shelf)],
) -> JSONResponse:
    """A job, of kind `pack`; its result says where the file is. Signed with the key of `TOKGATE_EVIDENCE_KEY`: 409
    without one. Of callers who are limited to sites it is about these, and what the audit log says of others is
    withheld. Addresses, hosts and users of clients are left out. One at a time. It stands in the audit log."""

    def prepare() -> Callable[[str], PackMade]:
        begun = controller.packs.begin(body.wish(controller.clock.now()), actor=caller.actor)

        def work(job_id: str) -> PackMade:
            pack = controller.packs.make(begun)
            return PackMade.of(pack, shelf.keep(job_id, zipped(pack.files), owner=caller.id))

        return work

    return jobs.start("pack", prepare, caller=caller, lane=lane)


@router.get(
    "/{id}",
    summary="Fetch an evidence pack",
    response_class=FileResponse,
    responses={**answers(404), **_FILE},
)
def get_pack(caller: Auditor, id: Ulid, shelf: Annotated[Shelf, Depends(_shelf)]) -> FileResponse:
    """The ZIP file, for whoever asked for it, for a day, until the server restarts. `tokgate evidence verify` checks
    it; the key has to come from elsewhere."""
    found = shelf.get(id, owner=caller.id)
    return FileResponse(found.path, media_type=MEDIA_TYPE, filename=f"tokgate-evidence-{found.id}.zip")


__all__ = ["router"]
