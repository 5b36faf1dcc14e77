"""The audit log: every change, by whom and why, and whether its chain still holds."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Auditor, Ctl
from api.lanes import LaneOf
from api.models import AuditEntry, AuditVerdict, Page
from api.pages import Cursor, Limit, decode_number, page_from
from api.reference import answers

router = APIRouter(prefix="/audit", tags=["audit"])


@router.get("", summary="Entries, the newest first")
def list_entries(controller: Ctl, caller: Auditor, limit: Limit = 100, cursor: Cursor = None) -> Page[AuditEntry]:
    rows = controller.audit(limit=limit + 1, before=decode_number(cursor, of="audit"))
    return page_from(rows, of="audit", key=lambda e: str(e.seq), show=AuditEntry.of, limit=limit)


@router.get("/verify", summary="Check the whole chain", responses=answers(503))
def verify(controller: Ctl, caller: Auditor, lane: LaneOf) -> AuditVerdict:
    """Reads every entry and its hash; a change to any of them is found."""
    with lane.enter():
        breaks = tuple(controller.verify_audit())
    return AuditVerdict(intact=not breaks, breaks=breaks)
