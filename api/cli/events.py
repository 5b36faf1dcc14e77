"""``tokgate events``: what the counters prove, window by window, open flows that were ended, and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import opening
from api.cli.options import As, Output, Since, Until
from api.cli.show import moment, note, show_rows
from api.cli.times import parse_time
from controller.model import EventAction

if TYPE_CHECKING:
    from api.event_models import Event

app = typer.Typer(no_args_is_help=True, help="What the counters prove, and alerts of the intelligence.")
PAGE = 500


@app.command("list")
def list_events(
    site: Annotated[str | None, typer.Option("--site", "-s", help="Only of this site.")] = None,
    device: Annotated[str | None, typer.Option("--device", "-d", help="Only of this device.")] = None,
    action: Annotated[EventAction | None, typer.Option("--action", help="Only what was done so.")] = None,
    exception: Annotated[str | None, typer.Option("--exception", help="Only what this exception let through.")] = None,
    pseudonym: Annotated[
        str | None, typer.Option("--pseudonym", help="Only of whom lists of the --site call so: client-…, user-….")
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many at most, the newest first; 0: all.")] = 100,
    output: As = Output.TABLE,
) -> None:
    """List events, the newest first."""
    from controller.store import EventQuery

    with opening.counterpart() as asked:
        now = asked.clock.now()
        query = EventQuery(
            site=asked.site(site) if site else None,
            device=asked.device(device) if device else None,
            action=action,
            exception=asked.exceptions.get(exception).id if exception else None,
            pseudonym=pseudonym,
            since=parse_time(since, option="--since", now=now, backwards=True) if since else None,
            until=parse_time(until, option="--until", now=now, backwards=True) if until else None,
            cursor=None,
            limit=min(limit or PAGE, PAGE),
        )
        found, more = asked.events(query, limit=limit)
    show_rows(found, _COLUMNS, output, none="no events", in_csv=_IN_CSV)
    if more:
        note(f"there are more; these are the newest {len(found)} (--limit)")


@app.command()
def cuts(
    site: Annotated[str | None, typer.Option("--site", "-s", help="Only at this site.")] = None,
    device: Annotated[str | None, typer.Option("--device", "-d", help="Only on this device.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=PAGE, help="How many at most, the newest first.")] = 100,
    output: As = Output.TABLE,
) -> None:
    """List open flows that changes ended, the newest first: at edges of windows, ends of exceptions, new entries."""
    from controller.store import CutQuery

    with opening.counterpart() as asked:
        now = asked.clock.now()
        query = CutQuery(
            site=asked.site(site) if site else None,
            device=asked.device(device) if device else None,
            since=parse_time(since, option="--since", now=now, backwards=True) if since else None,
            until=parse_time(until, option="--until", now=now, backwards=True) if until else None,
        )
        found = asked.cuts(query, limit=limit)
    show_rows(found, _CUTS, output, none="no open flows were ended")


@app.command()
def alerts(
    kind: Annotated[str | None, typer.Option("--kind", help="Only of this kind: moved, renamed, new-asn …")] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=PAGE, help="How many at most, the newest first.")] = 100,
    output: As = Output.TABLE,
) -> None:
    """List alerts of the intelligence, the newest first: networks that came, went, moved or were renamed."""
    from controller.store import AlertQuery

    with opening.counterpart() as asked:
        now = asked.clock.now()
        then = parse_time(since, option="--since", now=now, backwards=True) if since else None
        found = asked.alerts(AlertQuery(kind=kind, since=then), limit=limit)
    show_rows(found, _ALERTS, output, none="no alerts")


def _who(row: Event) -> str:
    seen = list(dict.fromkeys(entry.source for entry in row.sources))
    rest = len(seen) - 3
    cut = " and others" if row.sources_truncated else ""
    return ", ".join(seen[:3]) + (f" and {rest} more" if rest > 0 else cut)


def _hits(row: Event) -> object:
    """A lower bound says so."""
    return f"≥ {row.hits}" if row.quality.value == "at_least" and row.hits is not None else row.hits


_COLUMNS = {
    "until": lambda row: moment(row.end),
    "device": lambda row: row.device,
    "role": lambda row: row.role or ("exception" if row.exception else ""),
    "action": lambda row: row.action.value.partition("-")[0],
    "hits": _hits,
    "bytes": lambda row: row.bytes,
    "sources": _who,
}
_CUTS = {
    "at": lambda row: moment(row.at),
    "device": lambda row: row.device,
    "flows": lambda row: row.flows,
    "because": lambda row: row.trigger,
    "run": lambda row: row.run,
}
_ALERTS = {
    "at": lambda row: row.at,
    "kind": lambda row: row.kind,
    "about": lambda row: row.subject,
    "message": lambda row: row.message,
}
_IN_CSV = {
    "id": lambda row: row.id,
    "start": lambda row: row.start,
    "end": lambda row: row.end,
    "site": lambda row: row.site,
    "device": lambda row: row.device,
    "rule": lambda row: row.rule,
    "role": lambda row: row.role or "",
    "exception": lambda row: row.exception or "",
    "action": lambda row: row.action,
    "hits": lambda row: row.hits,
    "packets": lambda row: row.packets,
    "bytes": lambda row: row.bytes,
    "quality": lambda row: row.quality,
    "sources": lambda row: tuple(dict.fromkeys(entry.source for entry in row.sources)),
}
