"""``tokgate drift``: how far the devices are from what they should hold. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.cli import opening
from api.cli.options import As, Devices, Output, Sites
from api.cli.plan import code_of_errors
from api.cli.show import show_error, show_rows
from api.cli.wait import working
from core.errors import ExitCode

if TYPE_CHECKING:
    from api.run_models import DriftedDevice


def drift(sites: Sites = None, devices: Devices = None, output: As = Output.TABLE) -> int:
    """Say which devices hold something else than they should, and why. `tokgate plan` shows what would put it right.

    Ends with 2 when something drifted, 0 when nothing did, 4 when a device could not be read.
    """
    from api.run_models import DriftedDevice

    with opening.controller() as controller, working("reading the devices"):
        results = controller.drift(opening.selection(sites, devices))
    rows = [DriftedDevice.of(result) for result in results]
    show_rows(rows, _COLUMNS, output, none="no device in the inventory", in_csv=_IN_CSV)
    for result in results:
        if result.error is not None:
            show_error(result.error)
    failures = code_of_errors(result.error for result in results)
    if failures is not ExitCode.DONE:
        return failures
    return ExitCode.CHANGES if any(result.steps for result in results) else ExitCode.DONE


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
