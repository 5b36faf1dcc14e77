"""``tokgate report``: who used it, what was blocked, and how long it was really enforced. Unknown time is unknown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.cli import opening
from api.cli.options import As, AsPage, Output, Page, Range, Since, Until
from api.cli.show import moment, note, say, show_json, show_pairs, show_rows, show_table, to_stdout
from api.cli.times import parse_time
from api.cli.writing import whole
from controller.errors import Invalid
from controller.model import Window

if TYPE_CHECKING:
    from api.cli.counterpart import Counterpart, Span
    from api.sending_models import ScheduledReport

app = typer.Typer(no_args_is_help=True, help="Reports: who used it, what was blocked, how long it was really enforced.")
DEFAULT_SPAN: Final = timedelta(hours=24)
LONGEST_SPAN: Final = timedelta(days=400)
To = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Write it to this file, whole or not at all.")
]
Zone = Annotated[
    str | None, typer.Option("--zone", metavar="ZONE", help="Whose midnights bound the range, as Europe/Berlin; UTC.")
]
_BARS: Final = "▁▂▃▄▅▆▇█"


@app.command()
def site(
    name: Annotated[str, typer.Argument(metavar="SITE", help="Which site.")],
    since: Since = None,
    until: Until = None,
    named: Range = None,
    output: AsPage = Page.TABLE,
    file: To = None,
) -> None:
    """Report one site; the last 24 hours when no time is given. `-o html` is one page that needs nothing else.

    A range is of the site's own clock.
    """
    with opening.counterpart() as asked:
        span = asked_for(asked, since, until, named)
        _tell(
            output,
            file,
            page=lambda: asked.site_page(name, span, output),
            report=lambda: asked.site_report(name, span),
            show=show_site,
        )


@app.command()
def fleet(
    since: Since = None,
    until: Until = None,
    named: Range = None,
    zone: Zone = None,
    output: AsPage = Page.TABLE,
    file: To = None,
) -> None:
    """Report every site in one line each; the last 24 hours when no time is given."""
    with opening.counterpart() as asked:
        span = asked_for(asked, since, until, named, zone)
        _tell(
            output,
            file,
            page=lambda: asked.fleet_page(span, output),
            report=lambda: asked.fleet_report(span),
            show=_show_fleet,
        )


_SCHEDULED: Final[Mapping[str, Callable[[ScheduledReport], object]]] = {
    "report": lambda one: one.report,
    "of": lambda one: one.site or "all sites",
    "range": lambda one: one.range,
    "form": lambda one: one.form,
    "when": lambda one: one.when,
    "zone": lambda one: one.zone,
    "to": lambda one: one.to,
    "due": lambda one: one.due,
    "sent": lambda one: one.sent_at,
    "trouble": lambda one: one.trouble,
}


@app.command("send")
def send_report(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which of `reports` in the inventory.")],
    now: Annotated[bool, typer.Option("--now", help="Send it at once, beside its schedule.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Make it, and say where it would go.")] = False,
) -> None:
    """Send a scheduled report at once, or only say what would be sent and where to."""
    if now is dry_run:
        raise Invalid("say --now to send it, or --dry-run to see what would be sent")
    with opening.counterpart() as asked:
        found = asked.send_report(name, only_make=dry_run)
    for one in found.targets:
        say(f"{one.file}, {one.bytes:,} bytes of {one.media}: {'sent' if found.sent else 'would go'} to {one.to}")


@app.command()
def scheduled(output: As = Output.TABLE) -> None:
    """Which reports go out by themselves, and how the last of each fared."""
    with opening.counterpart() as asked:
        show_rows(asked.scheduled_reports(), _SCHEDULED, output, none="no scheduled reports in the inventory")


def asked_for(
    asked: Counterpart, since: str | None, until: str | None, named: str | None, zone: str | None = None
) -> Span:
    """The range, or the time between. Raises ``Invalid`` naming the option."""
    from api.cli.counterpart import Named

    if named is None:
        if zone is not None:
            raise Invalid("--zone: only together with --range")
        return window(asked, since, until)
    if since is not None or until is not None:
        raise Invalid("--range: not together with --since or --until")
    return Named(named, zone)


def window(asked: Counterpart, since: str | None, until: str | None) -> Window:
    """The time that is reported on. Raises ``Invalid`` naming the option."""
    now = asked.clock.now()
    end = parse_time(until, option="--until", now=now, backwards=True) if until else now
    start = parse_time(since, option="--since", now=now, backwards=True) if since else end - DEFAULT_SPAN
    if start >= end:
        raise Invalid("--since: must lie before --until")
    if end - start > LONGEST_SPAN:
        raise Invalid(f"--since: a report spans {LONGEST_SPAN.days} days at most")
    return Window(start, end)


def _tell(
    output: Page,
    file: Path | None,
    *,
    page: Callable[[], bytes],
    report: Callable[[], dict[str, Any]],
    show: Callable[[dict[str, Any]], None],
) -> None:
    if output is Page.TABLE:
        if file is not None:
            hint = "choose -o html, -o pdf, -o markdown, -o csv or -o json for a file"
            raise Invalid("--output: a table is for the terminal", hint=hint)
        show(report())
    elif output is Page.PDF and file is None and sys.stdout.isatty():
        raise Invalid("--output: a PDF is not for the terminal", hint="say --output report.pdf")
    elif output is Page.JSON and file is None:
        show_json(report())
    else:
        _put(page(), file)


def _put(content: bytes, file: Path | None) -> None:
    """Raises ``FileTrouble``."""
    if file is None:
        typer.echo(content, nl=False)
        return
    with whole(file) as out:
        out.write(content)
    note(f"written to {file}")


# --- on a terminal --------------------------------------------------------------------------------------------------


def show_site(report: Mapping[str, Any]) -> None:
    """The report on a terminal: what was counted, who it was and where to, how long it held, and why not longer."""
    say(f"{report['title']} ({report['site']}), {report['from']} to {report['to']}", style="bold")
    _tell_troubles(report)
    show_pairs(
        {
            "mode": {role: mode or "unknown" for role, mode in report["mode"].items()},
            "snapshot": f"{(report['snapshot'] or 'none')[:12]} of {report['snapshot_at'] or 'no time'}",
            "coverage": coverage_line(report["coverage"]),
            "open flows ended": "unknown" if report["flows_cut"] is None else report["flows_cut"],
        }
    )
    say()
    show_table(("", "hits", "packets", "bytes", "before"), (_total(report, name) for name in report["totals"]))
    _by_hour(report["by_hour"])
    _heat(report["heat_map"]["blocked"])
    for title, columns in _SECTIONS.items():
        is_left = title in _EPISODES and report.get("episodes_kept_from") is not None
        _section(title, columns, report[title], none="nothing is left of this time" if is_left else "none")
    _reconciled(report)
    _gaps(report["coverage_spans"])
    for line in report["notes"]:
        say(f"note: {line}")


def _show_fleet(report: Mapping[str, Any]) -> None:
    say(f"all sites, {report['from']} to {report['to']}", style="bold")
    _tell_troubles(report)
    show_table(("", "hits", "before"), (_hits(report, name) for name in report["totals"]))
    say()
    rows = [_fleet_row(site) for site in report["sites"]]
    show_table(_FLEET, ([row[column] for column in _FLEET] for row in rows))
    for line in report.get("notes", ()):
        say(f"note: {line}")


def _tell_troubles(report: Mapping[str, Any]) -> None:
    for trouble in report["intelligence"]:
        say(f"ATTENTION: source {trouble['source']} is {trouble['what'].upper()}: {trouble['why']}", style="bold red")


def coverage_line(coverage: Mapping[str, Any]) -> str:
    """``enforced 92.0 %, unknown 8.0 %``: only what occurred, the largest first."""
    seconds = {key.removesuffix("_seconds").replace("_", " "): coverage[key] for key in _COVERAGE if key in coverage}
    total = sum(seconds.values())
    if not total:
        return "no time has passed"
    shares = sorted(((value / total, name) for name, value in seconds.items() if value), reverse=True)
    return ", ".join(f"{name} {share:.1%}" for share, name in shares)


def _by_hour(rows: Sequence[Mapping[str, Any]]) -> None:
    counts = [int(row["blocked"] or 0) for row in rows]
    if not any(counts):
        return
    starts = [datetime.fromisoformat(row["hour"]) for row in rows[:2]]
    unit, together = ("day", _DAYS) if starts[-1] - starts[0] > timedelta(hours=2) else ("hour", _HOURS)
    width = to_stdout().width - _BESIDE
    each = next((number for number in together if -(-len(counts) // number) <= width), together[-1])
    sums = [sum(counts[at : at + each]) for at in range(0, len(counts), each)]
    say(f"\nblocked by {unit if each == 1 else f'{each} {unit}s'}  {sparkline(sums)}  at most {max(sums)}")


def _device_state(row: Mapping[str, Any]) -> str:
    if not row["in_inventory"]:
        return "no longer in the inventory"
    if row["last_seen_at"] is None:
        return "never looked at"
    return "degraded" if row["degraded"] else "good"


def _total(report: Mapping[str, Any], action: str) -> list[object]:
    trend = report["trend"]
    then = trend["totals"][action]["hits"] if trend else None
    return [action, *map(_figure, (*report["totals"][action].values(), then))]


def _hits(report: Mapping[str, Any], action: str) -> list[object]:
    name, hits, *_, then = _total(report, action)
    return [name, hits, then]


def _figure(value: int | None) -> object:
    return "unknown" if value is None else value


def _heat(days: Sequence[Sequence[int | None]]) -> None:
    """A row a day, a character an hour: the higher, the more was blocked."""
    most = max((hits or 0 for day in days for hits in day), default=0)
    if not most:
        return
    say(f"\nblocked by weekday and hour, 0 to 24 o'clock at the site, at most {most}")
    for name, day in zip(_WEEK, days, strict=True):
        say(f"{name}  {''.join(_cell(hits, most) for hits in day)}")


def _cell(hits: int | None, most: int) -> str:
    if hits is None:
        return "?"
    return _BARS[(hits * len(_BARS) - 1) // most] if hits else "·"


def sparkline(counts: Sequence[int]) -> str:
    """One character per number; nothing counted stays blank."""
    most = max(counts, default=0)
    return "".join(_BARS[(count * len(_BARS) - 1) // most] if count and most else " " for count in counts)


def _section(
    title: str, columns: Mapping[str, Callable[[Mapping[str, Any]], object]], rows: Sequence[Any], *, none: str
) -> None:
    say(f"\n{title.replace('_', ' ')}", style="bold")
    if not rows:
        say(none)
        return
    show_table(columns, ([value(row) for value in columns.values()] for row in rows[:_ROWS_SHOWN]))
    if len(rows) > _ROWS_SHOWN:
        say(f"and {len(rows) - _ROWS_SHOWN} more; see -o json or -o html")


def _reconciled(report: Mapping[str, Any]) -> None:
    """Who has the app, whom firewalls saw, and what follows of it where the site was covered."""
    found = report["reconciliation"]
    say("\nendpoints, firewalls and coverage", style="bold")
    if not found["has_list"]:
        say("no list of endpoints was recorded: nothing is known of what is installed")
        return
    share = "unknown" if found["covered_share"] is None else f"{found['covered_share']:.2%}"
    say(f"covered {share} of the time")
    counts = {finding: number for finding, number in found["counts"].items() if number}
    show_table(("what follows", "clients"), counts.items())
    if rows := found["clients"]:
        show_table(
            ("client", "addresses", "what follows", "last seen"),
            (
                [c["client"], ", ".join(c["addresses"]), c["finding"], moment(c["last_seen"])]
                for c in rows[:_ROWS_SHOWN]
            ),
        )
        if (more := sum(counts.values()) - len(rows[:_ROWS_SHOWN])) > 0:
            say(f"and {more} more; see `tokgate evidence reconcile --site {report['site']}`")


def _gaps(spans: Sequence[Mapping[str, Any]]) -> None:
    """When and why the site was not proven to be enforced whole, watched or off."""
    gaps = [span for span in spans if span["state"] in ("partial", "not_enforced", "unknown")]
    if not gaps:
        return
    say("\nnot proven", style="bold")
    rows = ([g["from"], g["to"], g["state"].replace("_", " "), g["cause"]] for g in gaps[:_ROWS_SHOWN])
    show_table(("from", "to", "state", "why"), rows)
    if len(gaps) > _ROWS_SHOWN:
        say(f"and {len(gaps) - _ROWS_SHOWN} more; see -o json")


_ROWS_SHOWN: Final = 10
_HOURS: Final = (1, 2, 3, 4, 6, 8, 12, 24)
_DAYS: Final = (1, 2, 7, 14, 28)
"""So many bars of the chart may become one, for it to fit into a line."""
_BESIDE: Final = len("blocked by 24 hours    at most 1234567")
_WEEK: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SEEN: Final[Mapping[str, Callable[[Mapping[str, Any]], object]]] = {
    "role": lambda row: row["role"] or "exception",
    "action": lambda row: row["action"].partition("-")[0],
    "packets": lambda row: row["packets"],
    "bytes": lambda row: row["bytes"],
    "last seen": lambda row: moment(row["last_seen"]),
}
_SECTIONS: Final[Mapping[str, Mapping[str, Callable[[Mapping[str, Any]], object]]]] = {
    "top_sources": {"source": lambda row: row["source"], **_SEEN},
    "top_destinations": {"destination": lambda row: row["destination"], **_SEEN},
    "devices": {
        "device": lambda row: row["device"],
        "seen": lambda row: moment(row["last_seen_at"]),
        "enforced": lambda row: moment(row["enforced_at"]),
        "state": lambda row: row["error"] or _device_state(row),
    },
    "exceptions": {
        "id": lambda row: row["id"],
        "state": lambda row: row["state"],
        "sources": lambda row: row["sources"],
        "until": lambda row: moment(row["ends"]),
        "owner": lambda row: row["owner"],
        "hits": lambda row: row["hits"],
    },
    "apps": {
        "app": lambda row: row["app"],
        "surface": lambda row: row["surface"],
        "seen as": lambda row: row["kind"],
        "action": lambda row: row["action"],
        "episodes": lambda row: row["episodes"],
    },
    "findings": {
        "kind": lambda row: row["kind"],
        "when": lambda row: moment(row["to"]),
        "who": lambda row: row["source"] or row["host"] or row["device"],
        "app": lambda row: row["app"],
        "confidence": lambda row: row["confidence"],
        "why": lambda row: "; ".join(row["why"]),
    },
    "changes": {
        "when": lambda row: moment(row["at"]),
        "what": lambda row: row["what"],
        "by": lambda row: row["by"],
        "times": lambda row: row["count"],
    },
}
_EPISODES: Final = ("apps", "findings")
_COVERAGE: Final = (
    "enforced_seconds", "partial_seconds", "monitored_seconds", "off_seconds", "not_enforced_seconds",
    "unknown_seconds",
)  # fmt: skip
_FLEET: Final = (
    "site", "blocked", "monitored", "allowed", "enforced", "in part", "watched", "off", "not enforced", "unknown",
)  # fmt: skip


def _fleet_row(site: Mapping[str, Any]) -> dict[str, object]:
    coverage = site["coverage"]
    total = sum(coverage[key] for key in _COVERAGE)

    def share(key: str) -> str:
        return f"{coverage[key] / total:.1%}" if total else "none"

    hits = {action: _figure(count["hits"]) for action, count in site["totals"].items()}
    return {
        "site": site["site"],
        **hits,
        "enforced": share("enforced_seconds"),
        "in part": share("partial_seconds"),
        "watched": share("monitored_seconds"),
        "off": share("off_seconds"),
        "not enforced": share("not_enforced_seconds"),
        "unknown": share("unknown_seconds"),
    }
