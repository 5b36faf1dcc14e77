"""Runs and plans in a browser: what was to change on which device, how it ended, how long it took, what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.pages import decode, encode
from api.run_models import DeviceRun, Plan, Run
from api.sessions import PageCtl, PageReader
from api.web.fields import about
from api.web.filtering import SPAN, Cursor, Pager, Text, Word, between, here
from api.web.pages import PageRoute, page
from api.web.shown import zone_at, zone_of
from controller import model
from controller.model import Outcome
from controller.planning import reopen
from controller.service import PLAN_LIFE, Controller
from controller.store import PlanQuery, RunQuery
from core.errors import TokgateError
from core.ids import DeviceName, RunId, SiteName

router = APIRouter(include_in_schema=False, route_class=PageRoute)

SHOWN: Final = 50
PLANS: Final = 20
DEVICES: Final = 500
_LIST: Final = "runs"
OUTCOMES: Final = {
    Outcome.UNCHANGED: ("nothing to change", ""),
    Outcome.APPLIED: ("changed and read back", "good"),
    Outcome.HELD: ("held back", "warn"),
    Outcome.FAILED: ("failed, as it was before", "bad"),
    Outcome.UNCERTAIN: ("not known how it ended", "bad"),
    Outcome.RUNNING: ("at work", ""),
}
WORST: Final = (
    Outcome.UNCERTAIN, Outcome.FAILED, Outcome.HELD, Outcome.RUNNING, Outcome.APPLIED, Outcome.UNCHANGED,
)  # fmt: skip
TRIGGERS: Final = {
    "schedule": "by the schedule",
    "window-edge": "a window opened or closed",
    "snapshot": "another list",
    "exception": "an exception began or ended",
    "change": "something else is wanted",
    "retry": "again, after it did not work",
    "start": "the first after a start",
    "apply": "plans that were read",
    "api": "over the API",
    "cli": "by command",
}
VERIFIED: Final = {
    Outcome.APPLIED: "read back and as planned",
    Outcome.UNCHANGED: "read, and as wanted already",
    Outcome.HELD: "not changed",
    Outcome.FAILED: "not changed, as the device says",
    Outcome.UNCERTAIN: "not proven: it is read before anything else is sent",
    Outcome.RUNNING: "not yet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One run of the list. ``took``: in seconds; None while it goes on."""

    run: model.Run
    took: float | None
    counts: Sequence[tuple[Outcome, int]]
    sites: Sequence[str]


@router.get("/runs")
def runs_page(
    request: Request,
    controller: PageCtl,
    caller: PageReader,
    site: Word = "",
    device: Word = "",
    trigger: Word = "",
    since: Word = "",
    until: Word = "",
    q: Text = "",
    cursor: Cursor = "",
) -> Response:
    """The newest first, so many at a time."""
    asked = {"site": site, "device": device, "trigger": trigger, "since": since, "until": until, "q": q}
    zone = zone_at(controller, site)
    error, rows, plans = None, list[model.Run](), list[Plan]()
    try:
        first, last = between(since, until, zone)
        if site:
            controller.inventory.site(site)
        ours, of = SiteName(site) if site else None, DeviceName(device) if device else None
        wanted = RunQuery(site=ours, device=of, trigger=trigger or None, since=first, until=last, text=q or None)
        after = decode(cursor or None, of=_LIST)
        rows = controller.runs(limit=SHOWN + 1, before=RunId(after) if after else None, wanted=wanted)
        plans = _plans(controller, PlanQuery(site=ours, device=of, since=first, until=last))
    except TokgateError as exc:
        error = exc
    older = encode(rows[SHOWN - 1].id, of=_LIST) if len(rows) > SHOWN else None
    return page(
        request,
        controller,
        "runs.html",
        error=error,
        **about(error, SPAN),
        lines=[_line(run) for run in rows[:SHOWN]],
        plans=plans,
        pager=Pager.of(asked, cursor=cursor, after=older),
        request_path=here(request),
        asked=asked,
        sites=list(controller.inventory.sites),
        zone=zone,
        outcomes=OUTCOMES,
        triggers=TRIGGERS,
    )


@router.get("/runs/{number}")
def run_page(request: Request, controller: PageCtl, caller: PageReader, number: str) -> Response:
    """One run, the worst of its devices first, each with what was to change there."""
    found = controller.run(number)
    run = Run.of(found, controller.run_changes(found))
    parts = sorted(run.devices, key=lambda part: (WORST.index(part.outcome), part.device))
    devices = tuple(dict.fromkeys(part.device for part in run.devices))
    before = PlanQuery(since=run.started_at - PLAN_LIFE, until=run.started_at + timedelta.resolution)
    plans = _plans(controller, before) if run.trigger == "apply" else []
    return page(
        request,
        controller,
        "run.html",
        run=run,
        line=_line(found),
        parts=[(part, _took(part)) for part in parts[:DEVICES]],
        left_out=max(0, len(parts) - DEVICES),
        plans=[plan for plan in plans if plan.device in devices],
        known=controller.inventory.by_name,
        zone=zone_of(controller, [part.site for part in run.devices]),
        outcomes=OUTCOMES,
        triggers=TRIGGERS,
        verified=VERIFIED,
    )


@router.get("/plans/{number}")
def plan_page(request: Request, controller: PageCtl, caller: PageReader, number: str) -> Response:
    """One plan, as it was shown to whoever made it."""
    stored = controller.stored_plan(number)
    plan = Plan.of(stored, reopen(stored))
    return page(
        request,
        controller,
        "plan.html",
        plan=plan,
        ends=plan.created_at + PLAN_LIFE,
        is_over=controller.clock.now() > plan.created_at + PLAN_LIFE,
        zone=zone_of(controller, [plan.site]),
    )


def _plans(controller: Controller, wanted: PlanQuery) -> list[Plan]:
    """Those that can still be read."""
    found = []
    for stored in controller.plans(limit=PLANS, wanted=wanted):
        try:
            found.append(Plan.of(stored, reopen(stored)))
        except TokgateError:  # of another version: its own page says so
            continue
    return found


def _line(run: model.Run) -> Line:
    counted = Counter(part.outcome for part in run.devices)
    return Line(
        run=run,
        took=_seconds(run.started_at, run.finished_at),
        counts=[(outcome, counted[outcome]) for outcome in WORST if counted[outcome]],
        sites=sorted({part.site for part in run.devices}),
    )


def _took(part: DeviceRun) -> float | None:
    return _seconds(part.started_at, part.finished_at)


def _seconds(start: datetime, end: datetime | None) -> float | None:
    return None if end is None else (end - start).total_seconds()
