"""``tokgate evidence``: what others saw, and what of it was no evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import opening
from api.cli.options import As, Output, Since
from api.cli.show import moment, show_rows
from api.cli.times import parse_time
from controller.evidence.model import Quarantine

if TYPE_CHECKING:
    from api.quarantine_models import SetAside

app = typer.Typer(no_args_is_help=True, help="What others saw, and what of it was set aside.")


@app.callback()
def _several() -> None:
    """A noun of its own, however few commands it has."""


@app.command()
def quarantine(
    why: Annotated[Quarantine | None, typer.Option("--why", help="Only for this reason.")] = None,
    site: Annotated[str | None, typer.Option("--site", "-s", help="Only of senders of this site.")] = None,
    since: Since = None,
    samples: Annotated[bool, typer.Option("--samples", help="The last ten records of each, one a line.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many at most, the latest first.")] = 100,
    output: As = Output.TABLE,
) -> None:
    """List what was set aside of evidence: how many records, from where and why, the latest first."""
    from controller.store import QuarantineQuery

    with opening.counterpart() as asked:
        then = parse_time(since, option="--since", now=asked.clock.now(), backwards=True) if since else None
        wanted = QuarantineQuery(why=why, site=asked.site(site) if site else None, since=then)
        found = asked.quarantine(wanted, limit=limit)
    if samples and output is Output.TABLE:
        rows = [(row, sample) for row in found for sample in row.samples]
        show_rows(rows, _SAMPLES, output, none="nothing was set aside")
    else:
        show_rows(found, _COLUMNS, output, none="nothing was set aside")


def _last(row: SetAside) -> str:
    return row.samples[0].detail if row.samples else ""


_COLUMNS = {
    "last": lambda row: moment(row.last_at),
    "from": lambda row: row.origin,
    "site": lambda row: row.site or "",
    "why": lambda row: row.why.value,
    "records": lambda row: row.count,
    "the last": _last,
}
_SAMPLES = {
    "at": lambda pair: moment(pair[1].at),
    "from": lambda pair: pair[0].origin,
    "why": lambda pair: pair[0].why.value,
    "because": lambda pair: pair[1].detail,
    "text": lambda pair: pair[1].text,
}
