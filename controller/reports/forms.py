"""A report in the forms that people and programs take: one place that knows them all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from controller.reports import as_csv, as_html, as_markdown, as_pdf
from controller.reports.making import FleetReport, SiteReport


class Form(StrEnum):
    JSON = "json"
    HTML = "html"
    CSV = "csv"
    MARKDOWN = "markdown"
    PDF = "pdf"


MEDIA: Final[Mapping[Form, str]] = {
    Form.JSON: "application/json",
    Form.HTML: "text/html; charset=utf-8",
    Form.CSV: "text/csv; charset=utf-8",
    Form.MARKDOWN: "text/markdown; charset=utf-8",
    Form.PDF: "application/pdf",
}
ENDINGS: Final[Mapping[Form, str]] = {
    Form.JSON: "json",
    Form.HTML: "html",
    Form.CSV: "csv",
    Form.MARKDOWN: "md",
    Form.PDF: "pdf",
}


def rendered(report: SiteReport | FleetReport, form: Form) -> bytes:
    """Raises ``FormMissing`` for a form that needs what is not installed."""
    if form is Form.JSON:
        return (json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n").encode()
    if form is Form.PDF:
        return as_pdf.render(page_of(report))
    if isinstance(report, FleetReport):
        return _FLEET[form](report).encode()
    return _SITE[form](report).encode()


_FLEET: Final[Mapping[Form, Callable[[FleetReport], str]]] = {
    Form.HTML: as_html.render_fleet,
    Form.CSV: as_csv.render_fleet,
    Form.MARKDOWN: as_markdown.render_fleet,
}
_SITE: Final[Mapping[Form, Callable[[SiteReport], str]]] = {
    Form.HTML: as_html.render_site,
    Form.CSV: as_csv.render_site,
    Form.MARKDOWN: as_markdown.render_site,
}


def page_of(report: SiteReport | FleetReport) -> str:
    return as_html.render_fleet(report) if isinstance(report, FleetReport) else as_html.render_site(report)
