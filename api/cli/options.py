"""Options that many commands share, each with one meaning everywhere."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Output(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Plain(StrEnum):
    """How an answer that is no list is printed."""

    TABLE = "table"
    JSON = "json"


class Page(StrEnum):
    """How a report is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    HTML = "html"
    MARKDOWN = "markdown"
    PDF = "pdf"


As = Annotated[Output, typer.Option("--format", "-o", help="How to print.", show_default=True)]
AsPlain = Annotated[Plain, typer.Option("--format", "-o", help="How to print.", show_default=True)]
AsPage = Annotated[Page, typer.Option("--format", "-o", help="How to print.", show_default=True)]
Sites = Annotated[
    list[str] | None, typer.Option("--site", "-s", metavar="SITE", help="Only devices of this site; may be repeated.")
]
Devices = Annotated[
    list[str] | None, typer.Option("--device", "-d", metavar="DEVICE", help="Only this device; may be repeated.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")]
Force = Annotated[
    bool, typer.Option("--force", help="Pass the guard against large removals. Every other guard still holds.")
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="From when: 2026-11-25T18:00Z, 2026-11-25, or a span before now: 24h."
    ),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Until when; now when left out.")]
Range = Annotated[
    str | None,
    typer.Option(
        "--range",
        metavar="RANGE",
        help="Instead of two times: 2026-11-25, 2026-W48, 2026-11, 2026-Q4, 2026, 2026-11-01..2026-11-15, yesterday, "
        "last-week, this-month …, from midnight to midnight.",
    ),
]
