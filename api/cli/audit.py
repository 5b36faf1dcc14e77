"""``tokgate audit``: who changed what, when and why; and whether anybody has touched that record."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli import opening
from api.cli.options import As, AsPlain, Output, Plain
from api.cli.show import say, show_json, show_rows
from core.errors import ExitCode

app = typer.Typer(no_args_is_help=True, help="Who changed what, when and why.")


@app.command("list")
def list_entries(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")] = 50,
    output: As = Output.TABLE,
) -> None:
    """List the changes, the newest first."""
    from api.models import AuditEntry

    with opening.controller() as controller:
        entries = controller.audit(limit=limit)
    show_rows([AuditEntry.of(entry) for entry in entries], _COLUMNS, output, none="no changes recorded")


@app.command()
def verify(output: AsPlain = Plain.TABLE) -> int:
    """Check the chain of hashes over all entries. Ends with 1 when it is broken."""
    with opening.controller() as controller:
        breaks = controller.verify_audit()
    if output is Plain.JSON:
        show_json({"intact": not breaks, "breaks": breaks})
    else:
        say("\n".join(breaks) if breaks else "the audit log is intact")
    return ExitCode.ERROR if breaks else ExitCode.DONE


_COLUMNS = {
    "seq": lambda row: row.seq,
    "time": lambda row: row.at,
    "actor": lambda row: row.actor,
    "action": lambda row: row.action,
    "subject": lambda row: row.subject,
    "reason": lambda row: row.reason,
}
