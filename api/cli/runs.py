"""``tokgate runs``: what was tried on which device, when, why, and what became of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli import opening
from api.cli.apply import code_of_run, show_outcomes
from api.cli.options import As, AsPlain, Output, Plain
from api.cli.show import moment, say, show_json, show_rows
from api.cli.wait import working
from core.errors import ExitCode

if TYPE_CHECKING:
    from api.run_models import Run
    from controller import model

app = typer.Typer(no_args_is_help=True, help="What was done on which device, when and why.")

LOOK_SECONDS: Final = 0.5


@app.command("list")
def list_runs(
    site: Annotated[str | None, typer.Option("--site", "-s", help="Only those that touched this site.")] = None,
    device: Annotated[str | None, typer.Option("--device", "-d", help="Only those that touched this device.")] = None,
    trigger: Annotated[
        str | None, typer.Option("--trigger", help="Only for this reason: window-edge, exception, schedule, apply …")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many at most, the newest first.")] = 20,
    output: As = Output.TABLE,
) -> None:
    """List runs, the newest first."""
    from api.run_models import Run as Answer
    from controller.store import RunQuery

    with opening.counterpart() as asked:
        wanted = RunQuery(
            site=asked.site(site) if site else None,
            device=asked.device(device) if device else None,
            trigger=trigger,
        )
        found = asked.runs(wanted, limit=limit)
    show_rows([Answer.of(run) for run in found], _COLUMNS, output, none="no runs")


@app.command()
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Which run.")],
    wait: Annotated[bool, typer.Option("--wait", help="Until it has ended; then this ends as `apply` does.")] = False,
    output: AsPlain = Plain.TABLE,
) -> int:
    """Show one run: what became of each device, how long it took, and how many open flows were ended."""
    with opening.counterpart() as asked, working("waiting for the run"):
        found = asked.run(run)
        while wait and found.finished_at is None:
            time.sleep(LOOK_SECONDS)
            found = asked.run(run)
    _show(found, output)
    return code_of_run(found) if wait else ExitCode.DONE


def _show(found: model.Run, output: Plain) -> None:
    from api.run_models import Run as Answer

    if output is Plain.JSON:
        show_json(Answer.of(found).model_dump(mode="json"))
        return
    say(f"{moment(found.started_at)}, {found.trigger}, by {found.actor}" + ("" if found.finished_at else ", under way"))
    show_outcomes(found)


def _outcomes(run: Run) -> str:
    """``2 applied, 1 failed``."""
    ended = [device.outcome.value for device in run.devices]
    return ", ".join(f"{ended.count(outcome)} {outcome}" for outcome in dict.fromkeys(ended)) or "no device"


_COLUMNS = {
    "id": lambda row: row.id,
    "at": lambda row: moment(row.started_at),
    "because": lambda row: row.trigger,
    "by": lambda row: row.actor,
    "devices": _outcomes,
    "flows ended": lambda row: sum(device.flows_cut or 0 for device in row.devices) or "",
}
