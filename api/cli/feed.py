"""``tokgate feed``: lists that firewalls pull, who pulled them, and the tokens they prove themselves with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli import opening
from api.cli.apply import confirm, refuse_unasked
from api.cli.options import As, AsPlain, Output, Plain, Yes
from api.cli.show import moment, note, say, show_json, show_pairs, show_rows, text_of

if TYPE_CHECKING:
    from api.feed_models import Feed, FeedDevice

app = typer.Typer(no_args_is_help=True, help="Lists that firewalls pull: what they are given, and whether they come.")
Which = Annotated[str, typer.Argument(metavar="DEVICE", help="Which device.")]
Owner = Annotated[str, typer.Argument(metavar="DEVICE", help="Which device, or which group of devices.")]
_ALONE: Final = "what firewalls prove themselves with is made and refused on the machine alone"
SHOWN_PULLS: Final = 10
"""In a table; JSON has the last fifty."""


@app.command("list")
def list_feeds(
    stale: Annotated[bool, typer.Option("--stale", help="Only those that their device does not come for.")] = False,
    group: Annotated[str | None, typer.Option("--group", help="Only of the devices of this group.")] = None,
    output: As = Output.TABLE,
) -> None:
    """List what is served to each device, and when it was pulled last."""
    with opening.counterpart() as asked:
        rows = asked.feeds(stale=stale, group=group)
    show_rows(rows, _COLUMNS, output, none="no list is served to any device")


@app.command()
def show(
    device: Which,
    name: Annotated[str | None, typer.Argument(metavar="[LIST]", help="Print this list as it is served.")] = None,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Show what one device pulls, from where it may, and its last pulls; or one list, exactly as it is served."""
    from controller.errors import Conflict

    if name is not None:
        opening.refuse_elsewhere("a list goes to its firewall alone")
    with opening.counterpart() as asked:
        if device in (group.name for group in asked.feed_groups()):
            raise Conflict(f"{device} is a group", hint=f"`tokgate feed groups`, `tokgate feed list --group {device}`")
        if name is not None:
            say(asked.feed_text(device, name).removesuffix("\n"))
            return
        found = asked.feed_device(device)
    if output is Plain.JSON:
        show_json(found.model_dump(mode="json"))
    else:
        _show(found)


def _show(found: FeedDevice) -> None:
    show_pairs(
        {
            "device": found.device,
            "group": found.group or "none",
            "pulls from": found.allow or "nowhere: give `feed.allow` in the inventory",
            "proves itself by": "its address alone" if found.auth == "address" else _tokens(found),
            "stale after": f"{found.stale_after_seconds // 3600} h",
        }
    )
    say()
    show_rows(found.lists, _COLUMNS, Output.TABLE, none="no list is served to it")
    if found.pulls:
        say()
        show_rows(found.pulls[:SHOWN_PULLS], _PULLS, Output.TABLE)


def _tokens(found: FeedDevice) -> str:
    if not found.tokens:
        return f"nothing: run `tokgate feed token {found.device}`"
    used = (f"{t.prefix}… (last used {moment(t.last_used_at) if t.last_used_at else 'never'})" for t in found.tokens)
    return ", ".join(used)


@app.command()
def groups(output: As = Output.TABLE) -> None:
    """List the groups of devices that are told one address, who is in them, and what they cannot be answered with."""
    with opening.counterpart() as asked:
        rows = asked.feed_groups()
    show_rows(rows, _GROUPS, output, none="no device has `feed.group` in the inventory")


@app.command()
@opening.only_here(_ALONE)
def token(
    device: Owner,
    rotate: Annotated[
        bool,
        typer.Option("--rotate", help="Make another; the one before is taken until a day after the new one was used."),
    ] = False,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Make the token that a device, or a group, pulls with. It is shown this once; only its hash is kept.

    It does not expire.
    """
    with opening.controller() as controller:
        made, secret = controller.feeds.create_token(device, actor=opening.actor(), rotate=rotate)
    if output is Plain.JSON:
        show_json({"device": made.device, "prefix": made.prefix, "token": secret.reveal()})
    else:
        say(secret.reveal())
        note(f"{made.device}: any user name, and this as the password; not shown again")


@app.command()
@opening.only_here(_ALONE)
def revoke(device: Owner, yes: Yes = False) -> None:
    """Refuse every token of a device, or a group, from now on: for one that leaked.

    Some firewalls stop enforcing a list when their login is refused. Where nothing leaked, rotate instead.
    """
    refuse_unasked(yes=yes)
    confirm(f"Refuse every token of {device}? It may stop enforcing its lists until it has a new one.", yes=yes)
    with opening.controller() as controller:
        count = controller.feeds.revoke_tokens(device, actor=opening.actor())
    say(f"revoked: {text_of(count)} of {device}")


def _state(row: Feed) -> str:
    if row.stale is not None:
        return f"STALE: {row.stale}"
    if not row.settled:
        return "a change is under way"
    if row.pulled_at is None:
        return "never pulled"
    return "current" if row.current else "has the list before"


_COLUMNS = {
    "device": lambda row: row.device,
    "list": lambda row: row.name,
    "kind": lambda row: row.kind,
    "entries": lambda row: row.entries,
    "published": lambda row: moment(row.published_at),
    "last pull": lambda row: moment(row.pulled_at) if row.pulled_at else "never",
    "from": lambda row: row.pulled_from or "",
    "state": _state,
}
_GROUPS = {
    "group": lambda row: row.name,
    "address": lambda row: row.path,
    "devices": lambda row: [member.device for member in row.devices],
    "tokens": lambda row: len(row.tokens),
    "not answered": lambda row: [f"{mixed.name} ({', '.join(mixed.devices)})" for mixed in row.mixed],
}
_PULLS = {
    "at": lambda row: row.at,
    "list": lambda row: row.name,
    "from": lambda row: row.address,
    "answer": lambda row: str(row.status),
    "bytes": lambda row: row.octets,
    "agent": lambda row: row.agent,
}
