"""``tokgate exceptions``: who may pass for a while, where and why. Ends by itself; who asks may not approve."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import opening
from api.cli.apply import show_outcomes
from api.cli.following import followed, newest_run
from api.cli.options import As, AsPlain, Output, Plain
from api.cli.show import note, say, show_json, show_pairs, show_rows, show_table, text_of
from api.cli.times import parse_span, parse_time
from controller.errors import Invalid
from controller.model import ExceptionState
from core.errors import ExitCode

if TYPE_CHECKING:
    from api.cli.counterpart import Counterpart
    from api.exception_models import AccessException as Answer
    from controller.exceptions import ExceptionPreview, ExceptionRequest
    from controller.model import AccessException, HostLookup, Use

app = typer.Typer(no_args_is_help=True, help="Exceptions: who may pass for a while, where and why.")

AtSites = Annotated[list[str], typer.Option("--site", "-s", metavar="SITE", help="Where; may be repeated.")]
Sources = Annotated[
    list[str],
    typer.Option(
        "--source",
        metavar="NETWORK",
        help="Which clients: an address, a network, host:NAME, or a source role as role:guest; may be repeated.",
    ),
]
Service = Annotated[str, typer.Option("--service", help="Which service of the catalogue.")]
From = Annotated[
    str,
    typer.Option("--from", metavar="TIME", help="From when: 2026-11-25T18:00Z, a span from now such as 2h, or now."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Until when, written like --from.")]
For = Annotated[str | None, typer.Option("--for", metavar="SPAN", help="For how long instead: 90m, 2h, 7d.")]
Why = Annotated[str, typer.Option("--reason", help="Why.")]
Owner = Annotated[str, typer.Option("--owner", help="Who answers for it, best by mail address.")]
Ticket = Annotated[str, typer.Option("--ticket", help="Where it was asked for.")]
Surface = Annotated[str, typer.Option("--surface", help="Only this part of the service, as the catalogue names it.")]
Code = Annotated[str, typer.Option("--code", help="Which reason of the inventory.")]
OpenAt = Annotated[
    list[str] | None,
    typer.Option(
        "--hours", metavar="HOURS", help='Only then, by the site\'s clock: "weekdays 08:00-12:00"; repeatable.'
    ),
]
Seats = Annotated[int | None, typer.Option("--seats", help="For a team with so many addresses.")]
Lead = Annotated[str, typer.Option("--lead", help="Who may give its seats to other addresses, as the audit log says.")]
Draft = Annotated[bool, typer.Option("--draft", help="Only write it down; `submit` hands it in.")]
Seen = Annotated[
    str | None, typer.Option("--preview", metavar="DIGEST", help="Of the preview that you saw; refused if it changed.")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="Which exception.")]


@app.command()
def request(
    sites: AtSites,
    sources: Sources,
    reason: Why,
    owner: Owner,
    ticket: Ticket = "",
    service: Service = "tiktok",
    starts: From = "now",
    until: Until = None,
    lasts: For = None,
    code: Code = "",
    surface: Surface = "",
    hours: OpenAt = None,
    seats: Seats = None,
    lead: Lead = "",
    draft: Draft = False,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Ask for an exception. Nothing opens before somebody else approves it."""
    with opening.counterpart() as asked:
        wish = _request(
            asked,
            sites=sites,
            sources=sources,
            service=service,
            starts=starts,
            until=until,
            lasts=lasts,
            reason=reason,
            owner=owner,
            ticket=ticket,
            code=code,
            surface=surface,
            hours=hours,
            seats=seats,
            lead=lead,
        )
        seen = asked.exceptions.preview(wish)
        made = asked.exceptions.request(wish, actor=opening.actor(), draft=draft)
        now = asked.clock.now()
    note(seen.sentence)
    for conflict in seen.conflicts:
        note(f"note: {conflict}")
    _show_one(made, output, now)


@app.command()
def preview(
    sites: AtSites,
    sources: Sources,
    reason: Why = "preview",
    owner: Owner = "preview",
    ticket: Ticket = "",
    service: Service = "tiktok",
    starts: From = "now",
    until: Until = None,
    lasts: For = None,
    code: Code = "",
    surface: Surface = "",
    hours: OpenAt = None,
    seats: Seats = None,
    lead: Lead = "",
    output: AsPlain = Plain.TABLE,
) -> None:
    """Say what an exception would open where. Nothing is recorded."""
    with opening.counterpart() as asked:
        wish = _request(
            asked,
            sites=sites,
            sources=sources,
            service=service,
            starts=starts,
            until=until,
            lasts=lasts,
            reason=reason,
            owner=owner,
            ticket=ticket,
            code=code,
            surface=surface,
            hours=hours,
            seats=seats,
            lead=lead,
        )
        seen = asked.exceptions.preview(wish)
    if output is Plain.JSON:
        from api.exception_models import Preview

        show_json(Preview.of(seen).model_dump(mode="json"))
    else:
        _show_preview(seen)


def _request(
    asked: Counterpart,
    *,
    sites: list[str],
    sources: list[str],
    service: str,
    starts: str,
    until: str | None,
    lasts: str | None,
    reason: str,
    owner: str,
    ticket: str,
    code: str,
    surface: str,
    hours: list[str] | None,
    seats: int | None,
    lead: str,
) -> ExceptionRequest:
    from controller.exceptions import ExceptionRequest

    begin, end = times(starts, until, lasts, now=asked.clock.now())
    return ExceptionRequest(
        sites=tuple(sites),
        sources=tuple(sources),
        service=service,
        starts=begin,
        ends=end,
        reason=reason,
        owner=owner,
        ticket=ticket,
        code=code,
        surface=surface,
        hours=tuple(hours or ()),
        seats=seats,
        lead=lead,
    )


def times(starts: str, until: str | None, lasts: str | None, *, now: datetime) -> tuple[datetime, datetime]:
    """From when until when. Raises ``Invalid`` naming the option."""
    if (until is None) is (lasts is None):
        raise Invalid("--until, --for: give one of the two", hint="an exception ends by itself: --for 2h")
    begin = parse_time(starts, option="--from", now=now, backwards=False)
    if lasts is not None:
        return begin, begin + parse_span(lasts, option="--for")
    return begin, parse_time(until or "", option="--until", now=now, backwards=False)


def _show_preview(seen: ExceptionPreview) -> None:
    say(seen.sentence)
    if seen.opens:
        say()
        rows = ((o.site, o.devices, o.source, o.role, o.mode.value if o.mode else "none", o.effect) for o in seen.opens)
        show_table(("site", "devices", "source", "role", "mode", "effect"), rows)
    for found in seen.lookups:
        say(_host_in_words(found))
    for conflict in seen.conflicts:
        say(f"note: {conflict}")
    say(f"digest: {seen.digest}")


@app.command("list")
def list_exceptions(
    state: Annotated[ExceptionState | None, typer.Option("--state", help="Only in this state.")] = None,
    site: Annotated[str | None, typer.Option("--site", "-s", help="Only at this site.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Only those that are in force now.")] = False,
    owner: Annotated[str | None, typer.Option("--owner", help="Only of this owner.")] = None,
    requested_by: Annotated[
        str | None, typer.Option("--requested-by", help="Only those that this one asked for: cli:anna, person:anna …")
    ] = None,
    text: Annotated[str | None, typer.Option("--text", "-t", help="Only what says this somewhere.")] = None,
    output: As = Output.TABLE,
) -> None:
    """List exceptions, with the devices that were read back holding them."""
    from api.exception_models import AccessException
    from controller.exception_desk import Wanted

    with opening.counterpart() as asked:
        wanted = Wanted(
            state=state,
            site=asked.site(site) if site else None,
            live=True if live else None,
            owner=owner,
            requested_by=requested_by,
            text=text,
        )
        found = asked.exceptions.find(wanted)
        now = asked.clock.now()
    show_rows([AccessException.of(e, now=now) for e in found], _COLUMNS, output, none="no exceptions")


@app.command()
def show(exception: Id, output: AsPlain = Plain.TABLE) -> None:
    """Show one exception with everything that is known of it."""
    with opening.counterpart() as asked:
        found = asked.exceptions.get(exception)
        _show_one(found, output, asked.clock.now(), use=asked.exceptions.use(found.id))
        if output is Plain.TABLE and found.state is ExceptionState.REQUESTED:
            say()
            _show_preview(asked.exceptions.preview_of(found.id))


@app.command()
def history(exception: Id, output: As = Output.TABLE) -> None:
    """List an exception and those that it renews, the newest first."""
    from api.exception_models import AccessException

    with opening.counterpart() as asked:
        now = asked.clock.now()
        found = [AccessException.of(e, now=now) for e in asked.exceptions.history(exception)]
    show_rows(found, _COLUMNS, output, none="no exceptions")


@app.command()
def submit(exception: Id, output: AsPlain = Plain.TABLE) -> None:
    """Hand a draft in: it waits for an approver then. Only its author can."""
    with opening.counterpart() as asked:
        made = asked.exceptions.submit(exception, actor=opening.actor())
        _show_one(asked.exceptions.get(made.id), output, asked.clock.now())


@app.command()
def renew(
    exception: Id, until: Until = None, lasts: For = None, reason: Why = "", output: AsPlain = Plain.TABLE
) -> None:
    """Ask for an exception once more, from its end on. Somebody else approves it, as before."""
    with opening.counterpart() as asked:
        before, now = asked.exceptions.get(exception), asked.clock.now()
        _, ends = times(max(now, before.ends).isoformat(), until, lasts, now=now)
        made = asked.exceptions.renew(before.id, ends=ends, actor=opening.actor(), reason=reason)
        note(asked.exceptions.preview_of(made.id).sentence)
        _show_one(made, output, now)


@app.command()
def seats(exception: Id, sources: Sources, output: AsPlain = Plain.TABLE) -> int:
    """Give the seats of a team to these addresses and no others. Its devices are changed at once.

    Ends with 4 when a device could not be changed: it is tried again.
    """
    return _decide(lambda c: c.exceptions.seat(exception, sources, actor=opening.actor(), may_all=True), output)


@app.command()
def approve(exception: Id, preview: Seen = None, output: AsPlain = Plain.TABLE) -> int:
    """Let an exception come true. Its devices are changed at once when it has begun.

    Who asked for it may not approve it, and some reasons need several people. Ends with 4 when a device could not be
    changed: it is tried again.
    """
    return _decide(lambda c: c.exceptions.approve(exception, actor=opening.actor(), preview=preview), output)


@app.command()
def deny(exception: Id, reason: Why, output: AsPlain = Plain.TABLE) -> int:
    """Refuse what was asked for."""
    return _decide(lambda c: c.exceptions.deny(exception, actor=opening.actor(), reason=reason), output)


@app.command()
def revoke(exception: Id, reason: Why, output: AsPlain = Plain.TABLE) -> int:
    """End an exception now. Its devices are changed at once.

    Ends with 4 when a device could not be changed: it is tried again.
    """
    return _decide(lambda c: c.exceptions.revoke(exception, actor=opening.actor(), reason=reason), output)


def _decide(act: Callable[[Counterpart], AccessException], output: Plain) -> int:
    with opening.counterpart() as asked:
        before = newest_run(asked)
        decided = act(asked)
        run = followed(asked, f"exception:{decided.id}", before)
        _show_one(asked.exceptions.get(decided.id), output, asked.clock.now())
    if run is None:
        return ExitCode.DONE
    if output is Plain.TABLE:
        show_outcomes(run)
    return ExitCode.DEVICES_FAILED if any(device.error for device in run.devices) else ExitCode.DONE


def _show_one(exception: AccessException, output: Plain, now: datetime, *, use: Use | None = None) -> None:
    if output is Plain.JSON:
        from api.exception_models import AccessException as Answer

        show_json(Answer.of(exception, now=now).model_dump(mode="json"))
        return
    from controller.exceptions import sources_in_words

    said = {
        "id": exception.id,
        "state": exception.state.value + (", live" if exception.is_live(now) else ""),
        _where_word(exception): _where(exception),
        "sites": exception.sites,
        "sources": sources_in_words(exception),
        "hosts": tuple(_host_in_words(found) for found in exception.lookups),
        "seats": f"{len(exception.sources)} of {exception.seats}, given by {exception.lead}" if exception.seats else "",
        "service": exception.service + (f", only {exception.surface}" if exception.surface else ""),
        "from": exception.starts,
        "until": exception.ends,
        "hours": tuple(map(str, exception.hours)),
        "reason": f"{exception.code}: {exception.reason}",
        "owner": exception.owner,
        "ticket": exception.ticket or "none",
        "renews": exception.renews or "",
        "used": _use_in_words(use) if use else "",
        "requested": f"{text_of(exception.requested_at)} by {exception.requested_by}",
        "approvals": tuple(f"{text_of(a.at)} by {a.actor}" for a in exception.approvals),
        "decided": f"{text_of(exception.decided_at)} by {exception.decided_by}" if exception.decided_by else "no",
        "over": _over_in_words(exception),
    }
    show_pairs({key: value for key, value in said.items() if value not in ("", ())})


def _over_in_words(exception: AccessException) -> str:
    """``2026-11-30 18:49:53Z: nobody used it``; empty while it is not over."""
    if exception.ended_at is None:
        return ""
    why = {"ended": "its time was over", "lapsed": "nobody decided in time", "idle": "nobody used it"}
    return f"{text_of(exception.ended_at)}: {why.get(exception.state.value, exception.state.value)}"


def _host_in_words(found: HostLookup) -> str:
    from controller.hosts import in_words

    return f"{found.host} at {found.site}: {in_words(found)}"


def _where_word(exception: AccessException) -> str:
    return "removed from" if exception.ended_at and exception.decided_by else "live on"


def _where(exception: AccessException) -> str:
    """``2/3 devices: fw-a, fw-b``; of one that is over, where it is gone, and where not yet."""
    devices, live = exception.devices or exception.live_on, exception.live_on
    if _where_word(exception) == "live on":
        return f"{len(live)}/{len(devices)} devices" + (f": {', '.join(live)}" if live else "")
    still = f"; still on {', '.join(live)}" if live else ""
    return f"{len(devices) - len(live)}/{len(devices)} devices{still}"


def _use_in_words(use: Use) -> str:
    counted = [f"{n:,} {what}" for n, what in ((use.hits, "connections"), (use.packets, "packets")) if n is not None]
    said = ", ".join(counted) or "nothing counted"
    last = f", last {text_of(use.last_used_at)}" if use.last_used_at else ""
    return said + last + (f"; not counted on {', '.join(use.uncounted)}" if use.uncounted else "")


def _asked_for(row: Answer) -> tuple[str, ...]:
    from controller.exceptions import sources_in_words

    return sources_in_words(row)


_COLUMNS = {
    "id": lambda row: row.id,
    "state": lambda row: row.state.value + (", live" if row.live else ""),
    "sites": lambda row: row.sites,
    "sources": lambda row: _asked_for(row),
    "service": lambda row: f"{row.service}/{row.surface}" if row.surface else row.service,
    "from": lambda row: row.starts,
    "until": lambda row: row.ends,
    "owner": lambda row: row.owner,
    "ticket": lambda row: row.ticket,
    "live on": lambda row: f"{len(row.live_on)}/{len(row.devices)}",
}
