"""``tokgate emergency``: withdraw an entry everywhere, switch sites to watching or off, pause; and end that."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import opening
from api.cli.apply import confirm, refuse_unasked, show_outcomes
from api.cli.following import followed
from api.cli.options import As, AsPlain, Output, Plain, Yes
from api.cli.show import note, say, show_json, show_rows
from api.cli.times import parse_span
from core.errors import ExitCode

if TYPE_CHECKING:
    from datetime import datetime

    from controller.model import Emergency
    from controller.service import Controller

app = typer.Typer(
    no_args_is_help=True,
    help="Emergencies: withdraw an entry, switch sites to watching or off, pause what is sent. Each ends by itself.",
)
Why = Annotated[str, typer.Option("--reason", help="Why: it is in the audit log, the alerts and the reports.")]
Lasts = Annotated[
    str,
    typer.Option("--for", metavar="SPAN", help="For how long: 90m, 2h, 7d; at most 30d, or as configured."),
]
Whole = Annotated[
    list[str] | None,
    typer.Option("--site", "-s", metavar="SITE", help="At this site; may be repeated. All when left out."),
]


@app.command()
def withdraw(
    value: Annotated[str, typer.Argument(metavar="ENTRY", help="A network, an address, a name, or *.NAME.")],
    reason: Why,
    lasts: Lasts,
    empties: Annotated[
        list[str] | None,
        typer.Option(
            "--empties",
            metavar="SERVICE",
            help="Said twice: this service is left with nothing. Repeatable.",
        ),
    ] = None,
    yes: Yes = False,
    output: AsPlain = Plain.TABLE,
) -> int:
    """Take one network or name off what is enforced, everywhere, within a minute. Refreshes do not bring it back.

    One that leaves a service without any address, or any name, is refused until --empties names the service; then
    nothing of that kind is blocked for it any more, on any device.

    Ends with 4 when a device could not be changed: it is tried again.
    """
    bare = f" {', '.join(empties)} is left with NOTHING of its kind, and passes everywhere." if empties else ""
    return _act(
        f"Withdraw {value} everywhere?{bare}",
        lambda c: c.interventions.withdraw(
            value, actor=opening.actor(), reason=reason, ends=_end(c, lasts), empties=empties or ()
        ),
        yes=yes,
        output=output,
    )


@app.command()
def switch(
    mode: Annotated[str, typer.Argument(metavar="MODE", help="monitor, or off.")],
    reason: Why,
    sites: Whole = None,
    lasts: Annotated[
        str | None, typer.Option("--for", metavar="SPAN", help="For how long: 2h, 7d; until you end it when left out.")
    ] = None,
    yes: Yes = False,
    output: AsPlain = Plain.TABLE,
) -> int:
    """Have a site, or the whole fleet, only watch or do nothing. Lists stay on their devices."""
    from controller.model import Mode

    if mode not in ("monitor", "off"):
        raise typer.BadParameter("MODE is monitor or off")
    where = ", ".join(sites) if sites else "the whole fleet"
    return _act(
        f"Switch {where} to {mode}?",
        lambda c: c.interventions.switch(
            Mode(mode), sites or (), actor=opening.actor(), reason=reason, ends=_end(c, lasts) if lasts else None
        ),
        yes=yes,
        output=output,
    )


@app.command()
def pause(reason: Why, lasts: Lasts, sites: Whole = None, yes: Yes = False, output: AsPlain = Plain.TABLE) -> int:
    """Send nothing to a site, or to any, for a while. What is enforced stays enforced."""
    where = ", ".join(sites) if sites else "the whole fleet"
    return _act(
        f"Send nothing to {where}?",
        lambda c: c.interventions.pause(sites or (), actor=opening.actor(), reason=reason, ends=_end(c, lasts)),
        yes=yes,
        output=output,
    )


@app.command()
def end(
    emergency: Annotated[str, typer.Argument(metavar="ID", help="Which action.")],
    reason: Why = "",
    output: AsPlain = Plain.TABLE,
) -> int:
    """End an action now: what it took away comes back."""
    return _act(
        "", lambda c: c.interventions.end(emergency, actor=opening.actor(), reason=reason), yes=True, output=output
    )


@app.command("list")
def list_emergencies(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    output: As = Output.TABLE,
) -> None:
    """List the actions that hold now, the newest first."""
    from api.emergency_models import Emergency as Answer

    with opening.controller() as controller:
        now = controller.clock.now()
        found = controller.emergencies.all()
    rows = [Answer.of(e, active=e.holds(now)) for e in found if everything or e.holds(now)]
    columns: dict[str, Callable[[Answer], object]] = {
        "id": lambda row: row.id,
        "kind": lambda row: row.kind.value,
        "active": lambda row: row.active,
        "what": lambda row: row.value or (row.mode.value if row.mode else ""),
        "sites": lambda row: row.sites or "all",
        "until": lambda row: row.ended_at or row.ends or "ended by hand",
        "by": lambda row: row.actor,
        "reason": lambda row: row.reason,
    }
    show_rows(rows, columns, output, none="no emergency action holds")


def _end(controller: Controller, lasts: str) -> datetime:
    return controller.clock.now() + parse_span(lasts, option="--for")


def _act(question: str, act: Callable[[Controller], Emergency], *, yes: bool, output: Plain) -> int:
    refuse_unasked(yes=yes)
    if question:
        confirm(question, yes=yes)
    with opening.controller() as controller:
        before = controller.clock.now()
        done = act(controller)
        run = followed(controller, f"emergency:{done.id}", before)
        now = controller.clock.now()
    if output is Plain.JSON:
        from api.emergency_models import Emergency as Answer

        show_json(Answer.of(done, active=done.holds(now)).model_dump(mode="json"))
    else:
        say(f"{done.id}: {done}" + ("" if done.holds(now) else "; ended"))
        if run is not None:
            show_outcomes(run)
    if done.holds(now):
        note(f"`tokgate emergency end {done.id}` ends it")
    return ExitCode.DEVICES_FAILED if run is not None and any(d.error for d in run.devices) else ExitCode.DONE
