"""``tokgate runs``: what was tried on which device, when, why, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import opening
from api.cli.apply import show_outcomes
from api.cli.options import As, AsPlain, Output, Plain
from api.cli.show import moment, say, show_json, show_rows

if TYPE_CHECKING:
    from api.run_models import Run

app = typer.Typer(no_args_is_help=True, help="What was done on which device, when and why.")


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

    with opening.controller() as controller:
        wanted = RunQuery(
            site=controller.inventory.site(site).name if site else None,
            device=controller.inventory.device(device).name if device else None,
            trigger=trigger,
        )
        found = controller.runs(limit=limit, wanted=wanted)
    show_rows([Answer.of(run) for run in found], _COLUMNS, output, none="no runs")


@app.command()
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Which run.")],
    output: AsPlain = Plain.TABLE,
) -> None:
    """Show one run: what became of each device, how long it took, and how many open flows were ended."""
    from api.run_models import Run as Answer

    with opening.controller() as controller:
        found = controller.run(run)
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
