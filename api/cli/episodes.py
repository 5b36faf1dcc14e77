"""``tokgate episodes``: what evidence of all kinds came to: who used what, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import opening
from api.cli.options import As, AsPlain, Output, Plain, Since, Until
from api.cli.show import moment, note, say, show_json, show_rows
from api.cli.times import parse_time
from controller.evidence.model import EpisodeAction, EpisodeKind

if TYPE_CHECKING:
    from api.episode_models import Episode

app = typer.Typer(no_args_is_help=True, help="What evidence came to: who used what, and what became of it.")
PAGE = 500


@app.command("list")
def list_episodes(
    site: Annotated[str | None, typer.Option("--site", "-s", help="Only of this site.")] = None,
    device: Annotated[str | None, typer.Option("--device", "-d", help="Only what this device saw.")] = None,
    kind: Annotated[EpisodeKind | None, typer.Option("--kind", help="Only of this kind.")] = None,
    action: Annotated[EpisodeAction | None, typer.Option("--action", help="Only what became this.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Only of this address.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="Only of the machine of this name.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Only of this user.")] = None,
    pseudonym: Annotated[
        str | None, typer.Option("--pseudonym", help="Only of whom lists of the --site call so: client-…, user-….")
    ] = None,
    used: Annotated[str | None, typer.Option("--app", help="Only of this app: tiktok, capcut …")] = None,
    exception: Annotated[str | None, typer.Option("--exception", help="Only what this exception covers.")] = None,
    confidence: Annotated[int, typer.Option("--confidence", min=0, max=100, help="At least so sure.")] = 0,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many at most, the newest first; 0: all.")] = 100,
    output: As = Output.TABLE,
) -> None:
    """List episodes, the newest first."""
    from controller.store import EpisodeQuery

    with opening.counterpart() as asked:
        now = asked.clock.now()
        query = EpisodeQuery(
            site=asked.site(site) if site else None,
            device=asked.device(device) if device else None,
            kinds=None if kind is None else frozenset({kind}),
            action=action,
            source=_address(source),
            host=host,
            user=user,
            pseudonym=pseudonym,
            app=used,
            exception=asked.exceptions.get(exception).id if exception else None,
            confidence=confidence,
            since=parse_time(since, option="--since", now=now, backwards=True) if since else None,
            until=parse_time(until, option="--until", now=now, backwards=True) if until else None,
            limit=min(limit or PAGE, PAGE),
        )
        found, more = asked.episodes(query, limit=limit)
    show_rows(found, COLUMNS, output, none="no episodes", in_csv=IN_CSV)
    if more:
        note(f"there are more; these are the newest {len(found)} (--limit)")


@app.command()
def show(
    episode: Annotated[str, typer.Argument(metavar="EPISODE", help="Which episode.")], output: AsPlain = Plain.TABLE
) -> None:
    """Show one episode: who, where to, what became of it, and the reasons that its confidence adds up from."""
    with opening.counterpart() as asked:
        found = asked.episode(episode)
    if output is Plain.JSON:
        show_json(found.model_dump(mode="json"))
        return
    tell(found)


def tell(found: Episode) -> None:
    """One episode, for people."""
    said = {
        "kind": found.kind.value,
        "at": f"{found.site}, {moment(found.start)} to {moment(found.end)}",
        "who": who(found) or "not known",
        "role": found.role or "",
        "app": " ".join(part for part in (found.app, found.surface) if part),
        "action": found.action.value + (f" {found.exception}" if found.exception else ""),
        "to": ", ".join(found.destinations),
        "seen by": ", ".join((*found.sensors, *(channel.value for channel in found.channels))),
        "count": _amounts(found),
        "confidence": str(found.confidence),
    }
    width = max(map(len, said))
    for name, value in said.items():
        if value:
            say(f"{name:<{width}}  {value}")
    for ground in found.grounds:
        say(f"{ground.weight:>+5}  {ground.text} ({ground.trait}, {ground.channel.value})")


def _address(text: str | None) -> str | None:
    """As it is kept."""
    if text is None:
        return None
    from ipaddress import ip_address

    try:
        return str(ip_address(text))
    except ValueError:
        from controller.errors import Invalid

        raise Invalid(f"--source: {text!r} is no address", hint="as 10.20.3.41") from None


def who(row: Episode) -> str:
    """The address, the machine and the user, as far as they are known."""
    return " ".join(part for part in (row.source or "", row.host, row.user and f"({row.user})") if part)


def _amounts(row: Episode) -> str:
    known = {"records": row.count, "packets": row.packets, "bytes": row.bytes}
    return ", ".join(f"{value} {what}" for what, value in known.items() if value is not None)


COLUMNS = {
    "until": lambda row: moment(row.end),
    "site": lambda row: row.site,
    "kind": lambda row: row.kind.value,
    "who": who,
    "app": lambda row: " ".join(part for part in (row.app, row.surface) if part),
    "action": lambda row: row.action.value,
    "sure": lambda row: row.confidence,
    "count": lambda row: row.count,
    "to": lambda row: row.indicator,
}
IN_CSV = {
    "id": lambda row: row.id,
    "kind": lambda row: row.kind.value,
    "site": lambda row: row.site,
    "start": lambda row: row.start,
    "end": lambda row: row.end,
    "source": lambda row: row.source or "",
    "host": lambda row: row.host,
    "user": lambda row: row.user,
    "role": lambda row: row.role or "",
    "app": lambda row: row.app,
    "surface": lambda row: row.surface,
    "action": lambda row: row.action.value,
    "exception": lambda row: row.exception or "",
    "confidence": lambda row: row.confidence,
    "grounds": lambda row: tuple(ground.trait for ground in row.grounds),
    "destinations": lambda row: row.destinations,
    "count": lambda row: row.count,
    "packets": lambda row: row.packets,
    "bytes": lambda row: row.bytes,
}
