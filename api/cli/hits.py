"""``tokgate hits``: read the counters of the devices back."""

from __future__ import annotations

from dataclasses import dataclass

import typer

from api.cli import opening
from api.cli.options import As, Devices, Output, Sites
from api.cli.plan import code_of_errors
from api.cli.show import show_error, show_rows
from api.cli.wait import working

app = typer.Typer(no_args_is_help=True, help="Read the hit counters of the devices back.")


@app.callback()
def _group() -> None:
    """Keeps the verb: a group of one command would lose it."""


@app.command()
@opening.only_here("the server polls the counters by itself")
def collect(sites: Sites = None, devices: Devices = None, output: As = Output.TABLE) -> int:
    """Poll the counters now and record the events that they prove.

    `tokgate serve` does it by itself. Ends with 4 when a device could not be read; its hits are read the next time.
    """
    with opening.controller() as controller, working("reading the counters"):
        results = controller.collect(opening.selection(sites, devices))
    rows = [
        Collected(
            device=result.device,
            site=result.site,
            events=None if result.error else result.events,
            error_code=result.error.code if result.error else None,
        )
        for result in results
    ]
    show_rows(rows, _COLUMNS, output, none="no device in the inventory")
    for result in results:
        if result.error is not None:
            show_error(result.error)
    return code_of_errors(result.error for result in results)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What one device's counters brought. ``events`` null: it could not be read."""

    device: str
    site: str
    events: int | None
    error_code: str | None


_COLUMNS = {
    "device": lambda row: row.device,
    "site": lambda row: row.site,
    "events": lambda row: row.events,
    "error": lambda row: row.error_code or "",
}
