"""The audit log: every change, by whom and why, and whether its chain still holds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.audit_models import AuditEntry, AuditVerdict
from api.auth import Auditor, Ctl
from api.lanes import LaneOf
from api.models import Instant, Page
from api.pages import MOST_COUNTED, Newest, Word, paged_from
from api.reference import answers
from controller.store import AuditQuery

router = APIRouter(prefix="/audit", tags=["audit"])


@router.get("", summary="Entries, the newest first")
def list_entries(
    controller: Ctl,
    caller: Auditor,
    ask: Newest,
    actor: Annotated[Word | None, Query(description="only by this one", examples=["token:helpdesk"])] = None,
    action: Annotated[
        Word | None, Query(description="only this, or all of a kind", examples=["exception.approve", "exception"])
    ] = None,
    subject: Annotated[Word | None, Query(description="only of what begins so", examples=["25d43f05bdd9"])] = None,
    since: Annotated[Instant | None, Query(description="only at that time or later")] = None,
    until: Annotated[Instant | None, Query(description="only before that time")] = None,
) -> Page[AuditEntry]:
    """What was changed stands in `detail`, as JSON: under `changed` each field before and after, under `request` the
    id of the request."""
    wanted = AuditQuery(
        actor=actor,
        action=action,
        subject=subject,
        since=since,
        until=until,
        text=ask.q,
        oldest_first=not ask.is_descending,
    )
    rows = controller.audit(limit=ask.limit + 1, before=ask.after_number("audit"), wanted=wanted)
    count = controller.audit_count(wanted, most=MOST_COUNTED) if ask.count else None
    return paged_from(rows, of="audit", key=lambda e: str(e.seq), show=AuditEntry.of, ask=ask, count=count)


@router.get("/verify", summary="Check the whole chain", responses=answers(503))
def verify(controller: Ctl, caller: Auditor, lane: LaneOf) -> AuditVerdict:
    """Reads every entry and its hash; a change to any of them is found."""
    with lane.enter():
        breaks = tuple(controller.verify_audit())
    return AuditVerdict(intact=not breaks, breaks=breaks)
