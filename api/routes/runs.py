"""Runs: start a sync or an apply, and see what became of each device."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from api.auth import Ctl, Operator, Reader
from api.models import Instant, Name, Page, Ulid
from api.pages import MOST_COUNTED, NewestFew, Word, paged_from
from api.reference import answers
from api.run_models import ApplyRequest, Run, RunRequest
from api.straight import StraightRoute
from controller.store import RunQuery
from core.ids import DeviceName, RunId, SiteName

router = APIRouter(prefix="/runs", tags=["runs"], route_class=StraightRoute)

_EXAMPLES = {
    "sync": {
        "summary": "Bring a site to what it should hold now",
        "value": {"kind": "sync", "sites": ["berlin"], "reason": "after maintenance"},
    },
    "apply": {
        "summary": "Apply exactly the plans that were read",
        "value": {"kind": "apply", "plans": ["01kaxw1t4m3v2q8y7z6s5r4p3n"], "reason": "change 4711"},
    },
}


@router.post("", summary="Start a run", status_code=202, responses=answers(404, 409, 503))
def start_run(
    controller: Ctl,
    caller: Operator,
    response: Response,
    request: Annotated[RunRequest, Body(openapi_examples=_EXAMPLES)],
) -> Run:
    """Queues the work and answers at once; `Location` is the run to ask about."""
    if isinstance(request, ApplyRequest):
        run = controller.start_apply(
            request.plans, actor=caller.actor, reason=request.reason, override_freeze=request.override_freeze
        )
    else:
        run = controller.start_sync(
            request.selection(),
            actor=caller.actor,
            trigger="api",
            reason=request.reason,
            force=request.force,
            override_freeze=request.override_freeze,
        )
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    return Run.of(controller.run(run.id))


@router.get("", summary="Runs, the newest first")
def list_runs(
    controller: Ctl,
    caller: Reader,
    ask: NewestFew,
    site: Annotated[Name | None, Query(description="only those that touched this site")] = None,
    device: Annotated[Name | None, Query(description="only those that touched this device")] = None,
    trigger: Annotated[Word | None, Query(description="only those begun by this", examples=["schedule"])] = None,
    actor: Annotated[Word | None, Query(description="only those begun by this one", examples=["cli:ada"])] = None,
    since: Annotated[Instant | None, Query(description="only those begun at that time or later")] = None,
    until: Annotated[Instant | None, Query(description="only those begun before that time")] = None,
) -> Page[Run]:
    wanted = RunQuery(
        site=SiteName(site) if site else None,
        device=DeviceName(device) if device else None,
        trigger=trigger,
        actor=actor,
        since=since,
        until=until,
        text=ask.q,
        oldest_first=not ask.is_descending,
    )
    after = ask.after("runs")
    rows = controller.runs(limit=ask.limit + 1, before=RunId(after) if after else None, wanted=wanted)
    count = controller.run_count(wanted, most=MOST_COUNTED) if ask.count else None
    return paged_from(rows, of="runs", key=lambda r: r.id, show=Run.of, ask=ask, count=count)


@router.get("/{id}", summary="One run", responses=answers(404))
def get_run(controller: Ctl, caller: Reader, id: Ulid) -> Run:
    """With what was to change on each device."""
    run = controller.run(id)
    return Run.of(run, controller.run_changes(run))
