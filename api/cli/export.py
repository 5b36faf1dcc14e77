"""``tokgate export``: whether what is found arrives elsewhere, and sending it again."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli import opening
from api.cli.options import As, Output
from api.cli.show import moment, note, say, show_rows
from api.cli.times import parse_time

app = typer.Typer(no_args_is_help=True, help="Events and episodes that go on to a SIEM, a chat or Kafka.")


@app.command()
def status(output: As = Output.TABLE) -> None:
    """Show every receiver of the inventory: what waits for it, since when, and why."""
    with opening.counterpart() as asked:
        found = asked.exports()
    show_rows(found, _COLUMNS, output, none="no exports in the inventory")


@app.command()
def replay(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which receiver.")],
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="2h, 3d, or a time: recorded then or later.")],
) -> None:
    """Send again what was recorded since then, behind what waits, under the same ids."""
    with opening.counterpart() as asked:
        at = parse_time(since, option="--since", now=asked.clock.now(), backwards=True)
        entries = asked.replay_export(name, since=at)
    say(f"{name} is sent {entries} entries again, as far as it wants them")
    note("`tokgate serve` does it within seconds; tokgate export status")


_COLUMNS = {
    "name": lambda row: row.name,
    "to": lambda row: row.to,
    "form": lambda row: row.form,
    "waiting": lambda row: row.waiting + row.behind,
    "oldest": lambda row: moment(row.oldest) if row.oldest else "",
    "sent": lambda row: row.sent,
    "dropped": lambda row: row.dropped + row.refused,
    "last taken": lambda row: moment(row.taken_at) if row.taken_at else "",
    "trouble": lambda row: row.trouble or row.last_error,
}
