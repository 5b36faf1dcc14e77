"""Reports: one site or the whole fleet, as JSON, as a page, or as CSV."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from api.auth import Ctl, Reader
from api.models import Instant, Name
from api.reference import PAGE_POLICY, answers
from controller.errors import Invalid
from controller.model import Window
from controller.reports import as_csv, as_html
from controller.service import Controller

router = APIRouter(prefix="/reports", tags=["reports"])

DEFAULT_SPAN: Final = timedelta(days=7)
LONGEST_SPAN: Final = timedelta(days=400)


class Format(StrEnum):
    JSON = "json"
    HTML = "html"
    CSV = "csv"


From = Annotated[Instant | None, Query(alias="from", description="seven days before `to` when left out")]
To = Annotated[Instant | None, Query(alias="to", description="now when left out")]

_CONTENT: Final[dict[str, Any]] = {
    "application/json": {"schema": {"type": "object", "description": "the report; keys as in docs/api.md"}},
    "text/html": {"schema": {"type": "string", "description": "a page that needs nothing else"}},
    "text/csv": {"schema": {"type": "string"}},
}


@router.get(
    "/sites/{name}",
    summary="The report of one site",
    response_class=Response,
    responses={200: {"description": "The report", "content": _CONTENT}, **answers(404)},
)
def site_report(
    controller: Ctl, caller: Reader, name: Name, start: From = None, end: To = None, format: Format = Format.JSON
) -> Response:
    """Who used it, what was blocked, and how long the site was really enforced. Unknown time is never counted as
    enforced."""
    report = controller.site_report(name, _window(controller, start, end))
    match format:
        case Format.JSON:
            return JSONResponse(report.to_json())
        case Format.HTML:
            return _page(as_html.render_site(report))
        case Format.CSV:
            return _table(as_csv.render_site(report), f"{name}.csv")


@router.get(
    "/fleet",
    summary="The report of the fleet",
    response_class=Response,
    responses={200: {"description": "The report", "content": _CONTENT}},
)
def fleet_report(
    controller: Ctl, caller: Reader, start: From = None, end: To = None, format: Format = Format.JSON
) -> Response:
    """The totals and the coverage of every site."""
    report = controller.fleet_report(_window(controller, start, end))
    match format:
        case Format.JSON:
            return JSONResponse(report.to_json())
        case Format.HTML:
            return _page(as_html.render_fleet(report))
        case Format.CSV:
            return _table(as_csv.render_fleet(report), "fleet.csv")


def _page(text: str) -> Response:
    return Response(text, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": PAGE_POLICY})


def _table(text: str, name: str) -> Response:
    return Response(text, media_type="text/csv; charset=utf-8", headers=_saved_as(name))


def _window(controller: Controller, start: Instant | None, end: Instant | None) -> Window:
    last = end or controller.clock.now()
    first = start or last - DEFAULT_SPAN
    if first >= last:
        raise Invalid("from: must lie before to")
    if last - first > LONGEST_SPAN:
        raise Invalid(f"from: a report spans {LONGEST_SPAN.days} days at most")
    return Window(first, last)


def _saved_as(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
