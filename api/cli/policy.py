"""``tokgate policy``: what holds at a site when, a week as a picture, and what another policy would have done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperCommand

from api.cli import opening
from api.cli.options import As, AsPlain, Output, Plain
from api.cli.show import moment, note, say, show_json, show_pairs, show_rows, show_table
from api.cli.times import parse_time
from controller.errors import Invalid

if TYPE_CHECKING:
    from api.policy_models import Calendar, PolicyNow
    from controller.policy_week import PolicyWeek, Span

app = typer.Typer(no_args_is_help=True, help="Policy: what holds when, and what another policy would have done.")


class Picture(StrEnum):
    """How a week is printed."""

    TABLE = "table"
    JSON = "json"
    SVG = "svg"


SITE = Annotated[str, typer.Argument(metavar="SITE", help="Which site.")]
_CELLS: Final = 48
_MINUTES: Final = 24 * 60 // _CELLS
_SIGNS: Final = {"enforce": "█", "monitor": "▒", "off": "·"}
_MIXED: Final = "▚"


@app.command()
def show(
    site: SITE,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="When: 2026-12-25T12:00+01:00; now when left out."),
    ] = None,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Show what holds at a site for each role and service, which window decides, and whether changes are frozen."""
    with opening.counterpart() as asked:
        now = asked.clock.now()
        found = asked.policy_now(
            site, parse_time(at, option="--at", now=now, backwards=False) if at is not None else None
        )
        failing = [calendar for calendar in asked.calendars() if calendar.error is not None]
    if output is Plain.JSON:
        show_json(found.model_dump(mode="json", by_alias=True))
    else:
        _show_now(found)
    for one in failing:
        note(f"calendar {one.name}: {_age(one, now)}: {one.error}", style="yellow")


def _show_now(found: PolicyNow) -> None:
    local = datetime.fromisoformat(found.local)
    facts: dict[str, object] = {
        "policy": f"{found.policy} at {found.site}",
        "time": f"{local:%A %Y-%m-%d %H:%M} in {found.time_zone} ({moment(found.at)})",
    }
    if found.holiday is not None:
        facts["day"] = "a holiday" if found.holiday else "no holiday"
    facts["next edge"] = moment(found.next_edge) if found.next_edge is not None else "none"
    facts["changes"] = str(found.freeze) if found.freeze is not None else "may begin"
    if found.emergencies:
        facts["emergency"] = found.emergencies
    show_pairs(facts)
    say()
    show_table(("role", "mode", "services", "why"), ((r.role, r.mode.value, r.services, r.why) for r in found.roles))


class _WeekAlone(TyperCommand):
    """``--week`` without a day is this week, as when it is left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        behind = [*args[1:], "-"]
        said = [one for one, next_ in zip(args, behind, strict=False) if one != "--week" or next_[:1] != "-"]
        return super().parse_args(ctx, said)


@app.command(cls=_WeekAlone)
def calendar(
    site: SITE,
    week: Annotated[
        str | None,
        typer.Option("--week", metavar="DATE", help="The week of this day; this week when left out, or without a day."),
    ] = None,
    output: Annotated[Picture, typer.Option("--format", "-o", help="How to print.", show_default=True)] = Picture.TABLE,
) -> None:
    """Show a week of a site's policy: hours by days for each role. `-o svg` is a picture that needs nothing else."""
    with opening.counterpart() as asked:
        found = asked.policy_week(site, _day(week) if week is not None else None)
    match output:
        case Picture.SVG:
            from controller.policy_svg import render_week

            typer.echo(render_week(found), nl=False)
        case Picture.JSON:
            from api.policy_models import PolicyWeek as Answer

            show_json(Answer.of(found).model_dump(mode="json", by_alias=True))
        case Picture.TABLE:
            _show_week(found)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise Invalid(f"--week: {text[:20]!r} is no date", hint="write it as 2026-12-21") from exc


def _show_week(week: PolicyWeek) -> None:
    from controller.policy_week import line_title

    say(
        f"{week.title}: policy {week.policy}, {week.days[0].date} to {week.days[-1].date}, {week.time_zone}",
        style="bold",
    )
    for line in week.lines:
        say()
        say(line_title(week, line), style="bold")
        say(" " * 13 + "".join(f"{hour:<6}" for hour in range(0, 24, 3)) + "24")
        for day, spans in zip(week.days, line.days, strict=True):
            say(f"{day.name[:3]} {day.date:%d %b}{'*' if day.holiday else ' '}  {grid_row(spans)}")
    say()
    say("█ enforce   ▒ monitor   · off   ▚ more than one in that half hour" + _starred(week))
    for said in week.notes:
        say(f"note: {said}")


def _starred(week: PolicyWeek) -> str:
    return "   * holiday" if any(day.holiday for day in week.days) else ""


def grid_row(spans: tuple[Span, ...]) -> str:
    """A day in half hours."""
    cells = []
    for cell in range(_CELLS):
        start, end = cell * _MINUTES, (cell + 1) * _MINUTES
        modes = {span.mode.value for span in spans if span.start < end and start < span.end}
        cells.append(_SIGNS[modes.pop()] if len(modes) == 1 else _MIXED)
    return "".join(cells)


@app.command("what-if")
def what_if(
    site: SITE,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="From when: 2026-11-18T00:00Z, or 7d.")],
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            metavar="POLICY",
            help="Another policy of the inventory, or a file with one.",
        ),
    ],
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Until when; now when left out.")] = None,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Replay what was recorded at a site: what would another policy have done with it? Changes nothing."""
    from controller.model import Window

    with opening.counterpart() as asked:
        now = asked.clock.now()
        window = Window(
            parse_time(start, option="--from", now=now, backwards=True),
            parse_time(end, option="--to", now=now, backwards=True) if end is not None else now,
        )
        answer = asked.what_if(site, window, policy)
    if output is Plain.JSON:
        show_json(answer.model_dump(mode="json", by_alias=True))
        return
    say(f"{site}, {moment(window.start)} to {moment(window.end)}, as by {answer.policy}", style="bold")
    show_table(
        ("role", "was", "would be", "events", "hits", "packets", "bytes"),
        (
            (r.role or "exception", r.was.value, r.would.value, r.events, r.hits, r.packets, r.octets)
            for r in answer.rows
        ),
    )
    if not answer.rows:
        say("nothing was recorded")
    for gap in answer.unrecorded:
        hours = f"{gap.seconds / 3600:.1f} h"
        say(f"not recorded: {gap.role}, {gap.service}: {hours} that were off and would be {gap.would.value}")
    for said in answer.notes:
        say(f"note: {said}")


@app.command()
def calendars(
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask first those that are due.")] = False,
    output: As = Output.TABLE,
) -> None:
    """List the calendars of holidays, when each was read, and the next holidays."""
    if refresh:
        opening.refuse_elsewhere("a server asks by itself for the calendars that are due")
    with opening.counterpart() as asked:
        now, found = asked.clock.now(), asked.calendars(refresh=refresh)
    columns: dict[str, Callable[[Calendar], object]] = {
        "name": lambda row: row.name,
        "source": lambda row: row.source,
        "read": lambda row: _age(row, now),
        "next holidays": lambda row: tuple(map(str, (row.ahead or ())[:_AHEAD])),
        "error": lambda row: row.error or "",
    }
    show_rows(found, columns, output, none="no calendars")


_AHEAD: Final = 3


def _age(one: Calendar, now: datetime) -> str:
    from ipsets.spans import words

    if one.read_at is None:
        return "never read" if one.ahead is None else "not read from anywhere"
    return f"last good answer {words(now - one.read_at)} old"
