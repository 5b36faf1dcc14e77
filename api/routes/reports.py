"""Reports: one site or the whole fleet, over a range of time, in several forms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from pydantic import StringConstraints

from api.auth import Ctl, Operator, Reader, WholeCtl
from api.job_models import Job
from api.jobs import JobsOf
from api.models import Instant, Name, Page
from api.pages import Sorted, paged
from api.reference import BEGUN, PAGE_POLICY, answers
from api.sending_models import ScheduledReport, SendBody, SentReport
from controller.errors import Invalid
from controller.model import Window
from controller.reports.forms import ENDINGS, MEDIA, Form, rendered
from controller.reports.making import FleetReport, SiteReport
from controller.reports.ranges import Asked
from controller.service import Controller

router = APIRouter(prefix="/reports", tags=["reports"])

DEFAULT_SPAN: Final = timedelta(days=7)
LONGEST_SPAN: Final = timedelta(days=400)

From = Annotated[Instant | None, Query(alias="from", description="seven days before `to` when left out")]
To = Annotated[Instant | None, Query(alias="to", description="now when left out")]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
Calendar = Annotated[
    Word | None,
    Query(
        alias="range",
        description="instead of `from` and `to`: `2026-11-25`, `2026-W48`, `2026-11`, `2026-Q4`, `2026`, "
        "`2026-11-01..2026-11-15`, `yesterday`, `last-week`, `this-month` …",
    ),
]
Zone = Annotated[Word | None, Query(description="whose midnights bound `range`; UTC when left out")]

_CONTENT: Final[dict[str, Any]] = {
    "application/json": {"schema": {"type": "object", "description": "the report; keys as in docs/reports.md"}},
    "text/html": {"schema": {"type": "string", "description": "a page that needs nothing else"}},
    "text/csv": {"schema": {"type": "string"}},
    "text/markdown": {"schema": {"type": "string"}},
    "application/pdf": {"schema": {"type": "string", "format": "binary"}},
}


@router.get(
    "/sites/{name}",
    summary="The report of one site",
    response_class=Response,
    responses={200: {"description": "The report", "content": _CONTENT}, **answers(404, 501)},
)
def site_report(
    controller: Ctl,
    caller: Reader,
    name: Name,
    start: From = None,
    end: To = None,
    range: Calendar = None,
    format: Form = Form.JSON,
) -> Response:
    """Who used it, what was blocked, and how long the site was really enforced. Unknown time is never counted as
    enforced. A `range` begins and ends at midnight on the site's clock."""
    asked = _range(controller, range, start, end, site=name) or _window(controller, start, end)
    return _answer(controller.site_report(name, asked), format, name)


@router.get(
    "/fleet",
    summary="The report of the fleet",
    response_class=Response,
    responses={200: {"description": "The report", "content": _CONTENT}, **answers(501)},
)
def fleet_report(
    controller: Ctl,
    caller: Reader,
    start: From = None,
    end: To = None,
    range: Calendar = None,
    zone: Zone = None,
    format: Form = Form.JSON,
) -> Response:
    """The totals and the coverage of every site."""
    asked = _range(controller, range, start, end, zone=zone) or _window(controller, start, end)
    return _answer(controller.fleet_report(asked), format, "fleet")


@router.get("/scheduled", summary="Reports that go out by themselves")
def scheduled_reports(controller: WholeCtl, caller: Operator, ask: Sorted) -> Page[ScheduledReport]:
    """Each target of each, and how the last sending to it fared."""
    return paged(
        controller.sending.scheduled(),
        of="scheduled",
        key=lambda one: f"{one.name} {one.target.place}",
        show=ScheduledReport.of,
        ask=ask,
    )


@router.post(
    "/scheduled/{name}/send",
    summary="Send one now",
    status_code=202,
    response_model=Job,
    responses={**answers(404, 503), **BEGUN},
)
def send_report(controller: WholeCtl, caller: Operator, jobs: JobsOf, name: Name, body: SendBody) -> JSONResponse:
    """A job, of kind `report`, beside its schedule: the report is made and goes to every target. Its result names them;
    when one fails it says which, and those before have it. With `only_make` nothing is sent."""

    def prepare() -> Callable[[str], SentReport]:
        desk = controller.sending
        report = desk.named(name) if body.only_make else desk.begin(name, actor=caller.actor)

        def work(_: str) -> SentReport:
            return SentReport.of(name, desk.carry(name, report, dry_run=body.only_make), sent=not body.only_make)

        return work

    return jobs.start("report", prepare, caller=caller)


def _answer(report: SiteReport | FleetReport, form: Form, name: str) -> Response:
    headers = {"Content-Security-Policy": PAGE_POLICY} if form is Form.HTML else {}
    if form not in (Form.HTML, Form.JSON):
        headers["Content-Disposition"] = f'attachment; filename="{name}.{ENDINGS[form]}"'
    return Response(rendered(report, form), media_type=MEDIA[form], headers=headers)


def _range(
    controller: Controller,
    text: str | None,
    start: Instant | None,
    end: Instant | None,
    *,
    site: str | None = None,
    zone: str | None = None,
) -> Asked | None:
    if text is None:
        if zone is not None:
            raise Invalid("zone: only together with range; from and to name their own")
        return None
    if start is not None or end is not None:
        raise Invalid("range: not together with from or to")
    return controller.reports.range(text, site=site, zone=zone)


def _window(controller: Controller, start: Instant | None, end: Instant | None) -> Window:
    last = end or controller.clock.now()
    first = start or last - DEFAULT_SPAN
    if first >= last:
        raise Invalid("from: must lie before to")
    if last - first > LONGEST_SPAN:
        raise Invalid(f"from: a report spans {LONGEST_SPAN.days} days at most")
    return Window(first, last)
