"""``tokgate token``: bearer tokens for the REST API. A token is shown once, when it is made."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli import opening
from api.cli.options import As, AsPlain, Output, Plain
from api.cli.show import note, say, show_json, show_rows, text_of
from controller.model import Scope

if TYPE_CHECKING:
    from api.token_models import Token

app = typer.Typer(no_args_is_help=True, help="Bearer tokens for the REST API.")
LONGEST_DAYS: Final = 366
Mine = Annotated[
    bool, typer.Option("--mine", help="Of yourself, over TOKGATE_URL: no wider than you are, without an administrator.")
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for; small letters, digits, hyphens.")],
    scopes: Annotated[
        list[Scope], typer.Option("--scope", help="What it may do; may be repeated. admin includes every other.")
    ],
    days: Annotated[int, typer.Option("--days", min=1, max=LONGEST_DAYS, help="How long it lives.")] = 90,
    sites: Annotated[
        list[str] | None, typer.Option("--site", help="All that it sees and changes; may be repeated. Else every site.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", help="The person whom it acts for; it never does what they may not.")
    ] = None,
    mine: Mine = False,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Make a token. It is shown this once; only its hash is kept."""
    from api.token_models import NewToken

    with opening.counterpart() as asked:
        token, secret = asked.create_token(
            name, scopes, timedelta(days=days), sites=sites or None, owner=owner, mine=mine
        )
    if output is Plain.JSON:
        show_json(NewToken.made(token, secret.reveal()).model_dump(mode="json"))
    else:
        say(secret.reveal())
        note(f"{name}: {text_of(tuple(sorted(token.scopes)))} until {text_of(token.expires_at)}; not shown again")


@app.command()
def rotate(
    token: Annotated[str, typer.Argument(metavar="ID|NAME", help="Which token.")],
    overlap: Annotated[
        int, typer.Option("--overlap-hours", min=0, max=720, help="For so long the old secret is taken too.")
    ] = 24,
    mine: Mine = False,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Give a token another secret. It is shown this once; its scopes, sites and end stay."""
    from api.token_models import NewToken

    with opening.counterpart() as asked:
        rotated, secret = asked.rotate_token(token, overlap=timedelta(hours=overlap), mine=mine)
    if output is Plain.JSON:
        show_json(NewToken.made(rotated, secret.reveal()).model_dump(mode="json"))
    else:
        say(secret.reveal())
        note(f"{rotated.name}: the old one is taken until {text_of(rotated.old_until)}; not shown again")


@app.command("list")
def list_tokens(mine: Mine = False, output: As = Output.TABLE) -> None:
    """List the tokens, without what is secret of them."""
    from api.token_models import Token

    with opening.counterpart() as asked:
        tokens = asked.tokens(mine=mine)
        now = asked.clock.now()

    def state(row: Token) -> str:
        if row.revoked_at is not None:
            return "revoked"
        return "expired" if row.expires_at <= now else "valid"

    show_rows([Token.of(token) for token in tokens], {**_COLUMNS, "state": state}, output, none="no tokens")


@app.command()
def revoke(token: Annotated[str, typer.Argument(metavar="ID|NAME", help="Which token.")], mine: Mine = False) -> None:
    """End a token now. What it did stays in the audit log."""
    with opening.counterpart() as asked:
        revoked = asked.revoke_token(token, mine=mine)
    say(f"{revoked.name} is revoked")


_COLUMNS = {
    "id": lambda row: row.id,
    "name": lambda row: row.name,
    "begins": lambda row: row.prefix,
    "scopes": lambda row: row.scopes,
    "expires": lambda row: row.expires_at,
    "last used": lambda row: row.last_used_at or "never",
    "sites": lambda row: "all" if row.sites is None else row.sites,
    "owner": lambda row: row.owner or "",
    "by": lambda row: row.created_by,
}
