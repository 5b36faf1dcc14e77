"""``tokgate unmask``: ask to see who a pseudonym is; another person agrees; look, while it is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli import opening
from api.cli.options import As, Output
from api.cli.show import note, say, show_rows
from api.cli.times import parse_span, parse_time
from controller.errors import Invalid

if TYPE_CHECKING:
    from api.unmasking_models import Unmasking

app = typer.Typer(no_args_is_help=True, help="Who a pseudonym is: one asks, another agrees, and each look is logged.")
Id = Annotated[str, typer.Argument(metavar="ID", help="Which: `tokgate unmask list`.")]


@app.command()
def ask(
    site: Annotated[str, typer.Argument(metavar="SITE", help="Where it was seen.")],
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="From when; widened to whole days of UTC.")],
    reason: Annotated[str, typer.Option("--reason", help="Why: whoever decides reads it, and the audit log keeps it.")],
    pseudonym: Annotated[
        str, typer.Option("--pseudonym", metavar="NAME", help="client-… or user-…; everybody there when left out.")
    ] = "",
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="Until when; now when left out.")] = "now",
    ticket: Annotated[str, typer.Option("--ticket", help="Where it is dealt with.")] = "",
    lasts: Annotated[
        str, typer.Option("--for", metavar="SPAN", help="How long it is open once approved: whole hours, 72h at most.")
    ] = "8h",
    output: As = Output.TABLE,
) -> None:
    """Ask to see who a pseudonym is. Nothing is shown until another person approves it."""
    from controller.privacy_desk import UnmaskingRequest

    seconds = parse_span(lasts, option="--for").total_seconds()
    if seconds % 3600:
        raise Invalid("--for: whole hours, as 8h")
    with opening.counterpart() as asked:
        now = asked.clock.now()
        wanted = UnmaskingRequest(
            site=site,
            since=parse_time(since, option="--since", now=now, backwards=True),
            until=parse_time(until, option="--until", now=now, backwards=True),
            reason=reason,
            pseudonym=pseudonym,
            ticket=ticket,
            hours=int(seconds // 3600),
        )
        made = asked.ask_unmasking(wanted)
    _show([made], output)
    note(f"another person has to agree: tokgate unmask approve {made.id}")


@app.command("list")
def list_all(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="How many at most.")] = 50,
    output: As = Output.TABLE,
) -> None:
    """Who asked to see whom, and what became of it; the newest first."""
    with opening.counterpart() as asked:
        found = asked.unmaskings(limit=limit)
    _show(found, output)


@app.command()
def approve(
    number: Id,
    reason: Annotated[str, typer.Option("--reason", help="What the audit log keeps of why.")] = "",
    output: As = Output.TABLE,
) -> None:
    """Agree to what somebody else asked for. It is open for its hours from now on."""
    with opening.counterpart() as asked:
        decided = asked.decide_unmasking(number, approve=True, reason=reason)
    _show([decided], output)


@app.command()
def deny(
    number: Id, reason: Annotated[str, typer.Option("--reason", help="Why not.")], output: As = Output.TABLE
) -> None:
    """Do not let it be seen."""
    with opening.counterpart() as asked:
        decided = asked.decide_unmasking(number, approve=False, reason=reason)
    _show([decided], output)


@app.command()
def end(number: Id, output: As = Output.TABLE) -> None:
    """End one before its time."""
    with opening.counterpart() as asked:
        ended = asked.end_unmasking(number)
    _show([ended], output)


@app.command()
def who(number: Id, output: As = Output.TABLE) -> None:
    """Show who it is: to who asked, while it is open. The look is in the audit log."""
    with opening.counterpart() as asked:
        found = asked.identities(number)
    show_rows(list(found.identities), _IDENTITIES, output, none="nobody is kept any more whom it stands for")
    if output is Output.TABLE:
        say(f"open until {found.unmasking.ends_at:%Y-%m-%d %H:%M}Z; looks so far: {found.unmasking.reads}")


def _show(found: list[Unmasking], output: Output) -> None:
    show_rows(found, _COLUMNS, output, none="nobody asked to see anybody")


_COLUMNS: dict[str, Any] = {
    "id": lambda row: row.id,
    "state": lambda row: row.state.value,
    "site": lambda row: row.site,
    "pseudonym": lambda row: row.pseudonym or "everybody",
    "from": lambda row: row.since,
    "to": lambda row: row.until,
    "reason": lambda row: f"{row.reason} ({row.ticket})" if row.ticket else row.reason,
    "asked by": lambda row: row.requested_by,
    "decided by": lambda row: row.decided_by,
    "open until": lambda row: row.ends_at,
    "looks": lambda row: row.reads,
}
_IDENTITIES: dict[str, Any] = {
    "pseudonym": lambda row: row.pseudonym,
    "of": lambda row: row.of.value,
    "identity": lambda row: row.identity,
    "period": lambda row: row.period,
}
