"""``tokgate webhook``: who is told what happens, whether it arrives, and sending it again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli import opening
from api.cli.options import As, Output, Since
from api.cli.show import note, say, show_rows
from api.cli.times import parse_time
from controller.webhooks import KINDS, MessageForm, MessageState
from core.errors import ExitCode

app = typer.Typer(no_args_is_help=True, help="Who is told what happens, by signed messages over HTTP.")

Which = Annotated[str, typer.Argument(metavar="NAME", help="Which one.")]
SecretOption = Annotated[
    str, typer.Option("--secret", metavar="REFERENCE", help="Where the key is kept: secret://file/…, secret://env/….")
]


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits, hyphens.")],
    url: Annotated[
        str,
        typer.Option(
            "--url",
            help="Where to: https, or what TOKGATE_WEBHOOK_NETWORKS allows. Of Slack and Teams where it is kept: "
            "secret://file/….",
        ),
    ],
    kinds: Annotated[list[str], typer.Option("--kind", help=f"{', '.join(KINDS)}; may be repeated.")],
    secret: Annotated[
        str | None,
        typer.Option("--secret", metavar="REFERENCE", help="Where the key is kept; the form json needs one."),
    ] = None,
    form: Annotated[MessageForm, typer.Option("--form", help="How it is told.")] = MessageForm.JSON,
    sites: Annotated[
        list[str] | None, typer.Option("--site", help="Only what is about this site; may be repeated. Else everything.")
    ] = None,
) -> None:
    """Have a receiver told what happens from now on. `tokgate webhook secret` makes a key."""
    with opening.counterpart() as asked:
        hook = asked.webhooks.add(
            name, url=url, kinds=kinds, secret=secret, sites=sites or None, form=form, actor=opening.actor()
        )
    say(f"{hook.name} is told of {', '.join(hook.kinds)}")
    note(f"try it: tokgate webhook test {hook.name}")


@app.command()
def secret() -> None:
    """Print a fresh key. It is kept nowhere: put it where --secret will point, and give it to the receiver."""
    from controller.webhooks import new_secret

    say(new_secret().reveal())
    note("not shown again")


@app.command("list")
def list_webhooks(output: As = Output.TABLE) -> None:
    """List the receivers, and how they do."""
    from api.webhook_models import Webhook

    with opening.counterpart() as asked:
        found = [Webhook.of(one) for one in asked.webhooks.all()]
    show_rows(found, _COLUMNS, output, none="no webhooks")


@app.command()
def test(name: Which) -> int:
    """Send one test message from here, now. Ends with 1 when the receiver does not take it."""
    with opening.counterpart() as asked:
        answer = asked.webhooks.test(name, actor=opening.actor())
    say(f"{name} {answer if answer.error else f'answered {answer.status}'} in {answer.seconds:.2f} s")
    return ExitCode.DONE if answer.is_good else ExitCode.ERROR


@app.command()
def edit(
    name: Which,
    url: Annotated[str | None, typer.Option("--url", help="Another address, or where it is kept.")] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help="Instead of the kinds so far; may be repeated.")
    ] = None,
    sites: Annotated[
        list[str] | None, typer.Option("--site", help="Instead of the sites so far; may be repeated.")
    ] = None,
    everywhere: Annotated[bool, typer.Option("--all-sites", help="No longer limited to sites.")] = False,
) -> None:
    """Change where a receiver is and what it is told from now on. What waits goes to the new address."""
    if everywhere and sites:
        raise typer.BadParameter("either --site or --all-sites")
    with opening.counterpart() as asked:
        hook = asked.webhooks.edit(
            name,
            url=url,
            kinds=kinds or None,
            sites=sites or None,
            everywhere=everywhere,
            actor=opening.actor(),
        )
    where = "every site" if hook.sites is None else ", ".join(sorted(hook.sites))
    say(f"{hook.name}, at {hook.url}, is told of {', '.join(hook.kinds)} of {where}")


@app.command()
def rotate(name: Which, secret: SecretOption) -> None:
    """Sign by another key too. The one before signs beside it until the next rotation."""
    with opening.counterpart() as asked:
        asked.webhooks.rotate(name, secret=secret, actor=opening.actor())
    say(f"{name} is signed by both keys")


@app.command()
def resume(name: Which) -> None:
    """Send to a receiver again at once, also to one that is paused."""
    with opening.counterpart() as asked:
        asked.webhooks.resume(name, actor=opening.actor())
    say(f"{name} is sent to again")


@app.command()
def remove(name: Which) -> None:
    """Tell a receiver nothing any more. What waited for it is gone."""
    with opening.counterpart() as asked:
        asked.webhooks.remove(name, actor=opening.actor())
    say(f"{name} is removed")


@app.command()
def deliveries(
    name: Which,
    state: Annotated[MessageState | None, typer.Option("--state", help="Only these.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")] = 50,
    output: As = Output.TABLE,
) -> None:
    """List the messages to a receiver, the newest first, and what became of them."""
    from api.webhook_models import Delivery
    from controller.store.webhooks import MessageQuery

    with opening.counterpart() as asked:
        found = [Delivery.of(m) for m in asked.webhooks.messages(name, MessageQuery(state=state), limit=limit)]
    show_rows(found, _MESSAGES, output, none="no messages")


@app.command()
def replay(
    name: Which,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Only these messages.")] = None,
    since: Since = None,
) -> None:
    """Send messages again, under their ids: what was set aside, or these, or with --since everything from then on."""
    with opening.counterpart() as asked:
        now = asked.clock.now()
        at = parse_time(since, option="--since", now=now, backwards=True) if since else None
        count = asked.webhooks.replay(name, ids=ids or None, since=at, actor=opening.actor())
    say(f"{count} messages wait again")


def _state(row: Any) -> str:
    if row.paused_at is not None:
        return "paused"
    return "failing" if row.failures else "well"


_COLUMNS = {
    "name": lambda row: row.name,
    "url": lambda row: row.url,
    "form": lambda row: row.form,
    "kinds": lambda row: row.kinds,
    "sites": lambda row: "all" if row.sites is None else row.sites,
    "state": _state,
    "waiting": lambda row: row.waiting,
    "dead": lambda row: row.dead,
    "dropped": lambda row: row.dropped,
    "last taken": lambda row: row.delivered_at or "never",
    "trouble": lambda row: row.paused_why or row.last_error,
}
_MESSAGES = {
    "id": lambda row: row.id,
    "type": lambda row: row.type,
    "at": lambda row: row.at,
    "state": lambda row: row.state,
    "attempts": lambda row: row.attempts,
    "answer": lambda row: row.error or ("" if row.status is None else row.status),
}
