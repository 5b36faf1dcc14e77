"""``tokgate emergency``: withdraw an entry everywhere, switch sites to watching or off, pause; and end that."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import opening
from api.cli.apply import confirm, refuse_unasked, show_outcomes
from api.cli.following import followed, newest_run
from api.cli.options import As, AsPlain, Output, Plain, Yes
from api.cli.show import note, say, show_json, show_rows
from api.cli.times import parse_span
from core.errors import ExitCode

if TYPE_CHECKING:
    from datetime import datetime

    from api.cli.counterpart import Counterpart
    from api.emergency_models import Emergency

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
    bare = f" {', '.join(empties)} is left with NOTHING of that kind, on every device." if empties else ""
    return _act(
        f"Withdraw {value} everywhere?{bare}",
        lambda asked: asked.withdraw(value, reason=reason, ends=_end(asked, lasts), empties=empties or ()),
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
        lambda asked: asked.switch(Mode(mode), sites or (), reason=reason, ends=_end(asked, lasts) if lasts else None),
        yes=yes,
        output=output,
    )


@app.command()
def pause(reason: Why, lasts: Lasts, sites: Whole = None, yes: Yes = False, output: AsPlain = Plain.TABLE) -> int:
    """Send nothing to a site, or to any, for a while. What is enforced stays enforced."""
    where = ", ".join(sites) if sites else "the whole fleet"
    return _act(
        f"Send nothing to {where}?",
        lambda asked: asked.pause(sites or (), reason=reason, ends=_end(asked, lasts)),
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
    return _act("", lambda asked: asked.end_emergency(emergency, reason=reason), yes=True, output=output)


@app.command("list")
def list_emergencies(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    output: As = Output.TABLE,
) -> None:
    """List the actions that hold now, the newest first."""
    with opening.counterpart() as asked:
        rows = asked.emergencies(everything=everything)
    columns: dict[str, Callable[[Emergency], object]] = {
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


def _end(asked: Counterpart, lasts: str) -> datetime:
    return asked.clock.now() + parse_span(lasts, option="--for")


def _act(question: str, act: Callable[[Counterpart], Emergency], *, yes: bool, output: Plain) -> int:
    refuse_unasked(yes=yes)
    if question:
        confirm(question, yes=yes)
    with opening.counterpart() as asked:
        before = newest_run(asked)
        done = act(asked)
        run = followed(asked, f"emergency:{done.id}", before)
    if output is Plain.JSON:
        show_json(done.model_dump(mode="json"))
    else:
        say(f"{done.id}: {done.told}" + ("" if done.active else "; ended"))
        if run is not None:
            show_outcomes(run)
    if done.active:
        note(f"`tokgate emergency end {done.id}` ends it")
    return ExitCode.DEVICES_FAILED if run is not None and any(d.error for d in run.devices) else ExitCode.DONE
