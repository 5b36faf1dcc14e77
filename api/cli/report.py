"""``tokgate report``: who used it, what was blocked, and how long it was really enforced. Unknown time is unknown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.cli import opening
from api.cli.options import AsPage, Page, Since, Until
from api.cli.show import moment, note, say, show_json, show_pairs, show_table
from api.cli.times import parse_time
from api.cli.writing import whole
from controller.errors import Invalid
from controller.model import Window

if TYPE_CHECKING:
    from api.cli.counterpart import Counterpart

app = typer.Typer(no_args_is_help=True, help="Reports: who used it, what was blocked, how long it was really enforced.")
DEFAULT_SPAN: Final = timedelta(hours=24)
LONGEST_SPAN: Final = timedelta(days=400)
To = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Write it to this file, whole or not at all.")
]
_BARS: Final = "▁▂▃▄▅▆▇█"


@app.command()
def site(
    name: Annotated[str, typer.Argument(metavar="SITE", help="Which site.")],
    since: Since = None,
    until: Until = None,
    output: AsPage = Page.TABLE,
    file: To = None,
) -> None:
    """Report one site; the last 24 hours when no time is given. `-o html` is one page that needs nothing else."""
    with opening.counterpart() as asked:
        span = window(asked, since, until)
        _tell(
            output,
            file,
            page=lambda: asked.site_page(name, span, output),
            report=lambda: asked.site_report(name, span),
            show=show_site,
        )


@app.command()
def fleet(since: Since = None, until: Until = None, output: AsPage = Page.TABLE, file: To = None) -> None:
    """Report every site in one line each; the last 24 hours when no time is given."""
    with opening.counterpart() as asked:
        span = window(asked, since, until)
        _tell(
            output,
            file,
            page=lambda: asked.fleet_page(span, output),
            report=lambda: asked.fleet_report(span),
            show=_show_fleet,
        )


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
    page: Callable[[], str],
    report: Callable[[], dict[str, Any]],
    show: Callable[[dict[str, Any]], None],
) -> None:
    match output:
        case Page.HTML | Page.CSV:
            _put(page(), file)
        case Page.TABLE if file is None:
            show(report())
        case Page.TABLE:
            raise Invalid("--output: a table is for the terminal", hint="choose -o html, -o csv or -o json for a file")
        case Page.JSON if file is None:
            show_json(report())
        case Page.JSON:
            _put(json.dumps(report(), indent=2, ensure_ascii=False) + "\n", file)


def _put(text: str, file: Path | None) -> None:
    """Raises ``FileTrouble``."""
    if file is None:
        typer.echo(text, nl=False)
        return
    with whole(file) as out:
        out.write(text.encode())
    note(f"written to {file}")


# --- on a terminal --------------------------------------------------------------------------------------------------


def show_site(report: Mapping[str, Any]) -> None:
    """The report on a terminal: what was counted, who it was and where to, how long it held, and why not longer."""
    say(f"{report['title']} ({report['site']}), {report['from']} to {report['to']}", style="bold")
    _tell_troubles(report)
    show_pairs(
        {
            "mode now": report["mode"],
            "snapshot": f"{(report['snapshot'] or 'none')[:12]} of {report['snapshot_at'] or 'no time'}",
            "coverage": coverage_line(report["coverage"]),
            "open flows ended": "unknown" if report["flows_cut"] is None else report["flows_cut"],
        }
    )
    say()
    show_table(("", "hits", "packets", "bytes"), ([name, *count.values()] for name, count in report["totals"].items()))
    _by_hour(report["by_hour"])
    for title, columns in _SECTIONS.items():
        _section(title, columns, report[title])
    _gaps(report["coverage_spans"])
    for line in report["notes"]:
        say(f"note: {line}")


def _show_fleet(report: Mapping[str, Any]) -> None:
    _tell_troubles(report)
    rows = [_fleet_row(site) for site in report["sites"]]
    show_table(_FLEET, ([row[column] for column in _FLEET] for row in rows))


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
    if any(counts):
        say(f"\nblocked by hour  {sparkline(counts)}  at most {max(counts)}")


def sparkline(counts: Sequence[int]) -> str:
    """One character per number; nothing counted stays blank."""
    most = max(counts, default=0)
    return "".join(_BARS[(count * len(_BARS) - 1) // most] if count and most else " " for count in counts)


def _section(title: str, columns: Mapping[str, Callable[[Mapping[str, Any]], object]], rows: Sequence[Any]) -> None:
    say(f"\n{title.replace('_', ' ')}", style="bold")
    if not rows:
        say("none")
        return
    show_table(columns, ([value(row) for value in columns.values()] for row in rows[:_ROWS_SHOWN]))
    if len(rows) > _ROWS_SHOWN:
        say(f"and {len(rows) - _ROWS_SHOWN} more; see -o json or -o html")


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
        "state": lambda row: row["error"] or ("degraded" if row["degraded"] else "good"),
    },
    "exceptions": {
        "id": lambda row: row["id"],
        "state": lambda row: row["state"],
        "sources": lambda row: row["sources"],
        "until": lambda row: moment(row["ends"]),
        "owner": lambda row: row["owner"],
        "hits": lambda row: row["hits"],
    },
}
_COVERAGE: Final = (
    "enforced_seconds", "partial_seconds", "monitored_seconds", "off_seconds", "not_enforced_seconds",
    "unknown_seconds",
)  # fmt: skip
_FLEET: Final = ("site", "blocked", "monitored", "allowed", "enforced", "in part", "not enforced", "unknown")


def _fleet_row(site: Mapping[str, Any]) -> dict[str, object]:
    coverage = site["coverage"]
    total = sum(coverage[key] for key in _COVERAGE)

    def share(key: str) -> str:
        return f"{coverage[key] / total:.1%}" if total else "none"

    hits = {action: count["hits"] for action, count in site["totals"].items()}
    return {
        "site": site["site"],
        **hits,
        "enforced": share("enforced_seconds"),
        "in part": share("partial_seconds"),
        "not enforced": share("not_enforced_seconds"),
        "unknown": share("unknown_seconds"),
    }
