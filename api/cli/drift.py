"""``tokgate drift``: how far the devices are from what they should hold. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.cli import opening
from api.cli.errors import as_error
from api.cli.options import As, Devices, Output, Sites
from api.cli.plan import code_of_failures
from api.cli.show import show_error, show_rows
from api.cli.wait import working
from core.errors import ExitCode

if TYPE_CHECKING:
    from api.run_models import DriftedDevice


def drift(sites: Sites = None, devices: Devices = None, output: As = Output.TABLE) -> int:
    """Say which devices hold something else than they should, and why. `tokgate plan` shows what would put it right.

    Ends with 2 when something drifted, 0 when nothing did, 4 when a device could not be read.
    """
    with opening.counterpart() as asked, working("reading the devices"):
        rows = asked.drift(opening.selection(sites, devices))
    show_rows(rows, _COLUMNS, output, none="no device in the inventory", in_csv=_IN_CSV)
    for row in rows:
        if row.error is not None:
            show_error(as_error(row.error, device=row.device))
    failures = code_of_failures(row.error for row in rows)
    if failures is not ExitCode.DONE:
        return failures
    return ExitCode.CHANGES if any(row.steps for row in rows) else ExitCode.DONE


def _state(row: DriftedDevice) -> str:
    if row.error is not None:
        return "unknown"
    return "in step" if row.in_step else "drifted"


_COLUMNS = {
    "device": lambda row: row.device,
    "site": lambda row: row.site,
    "state": _state,
    "steps": lambda row: len(row.steps),
    "why": lambda row: row.altered or (row.error.message if row.error else ""),
}
_IN_CSV = {**_COLUMNS, "what": lambda row: "; ".join(row.steps)}
