"""Reports as Markdown (CommonMark with tables), for tickets, chats and repositories. Pure.

What a person or a device wrote is text there, never markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from controller.model import CoverageState, EventAction
from controller.reports.as_html import LABELS, STATES, count, duration, moment, share, size
from controller.reports.making import FleetReport, SiteLine, SiteReport, Totals, plain

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")
_SHADES: Final = "·░▒▓█"


def render_site(report: SiteReport) -> str:
    zone = ZoneInfo(report.time_zone)
    span = f"{moment(report.window.start, zone)} to {moment(report.window.end, zone)} ({report.time_zone})"
    parts = [
        f"# {text(report.title)}: hit report",
        f"Site {text(report.site)}, {text(span)}",
        *(f"**Attention: {text(trouble)}.**" for trouble in report.intelligence),
        _answer(report),
        _totals(report),
        "## Coverage",
        _table(("state", "time"), _times(report)),
        "## Hours and weekdays",
        _heat(report),
        "## Who",
        _top(report.top_sources, "client", zone),
        "## Where to",
        _top(report.top_destinations, "destination", zone),
        "## Apps and surfaces",
        _table(
            ("app", "surface", "seen as", "what became of it", "episodes"),
            ([a.app, a.surface, a.kind, a.action, str(a.episodes)] for a in report.found.apps[:20]),
        ),
        "## Evasion, leaks and other findings",
        _findings(report, zone),
        "## Endpoints, firewalls and coverage",
        _reconciled(report, zone),
        "## Exceptions",
        _table(
            ("for whom", "from", "to", "reason", "approved by", "hits"),
            (
                [
                    ", ".join(line.sources),
                    moment(line.exception.starts, zone),
                    moment(line.exception.ended_at or line.exception.ends, zone),
                    line.exception.reason,
                    line.exception.decided_by or "",
                    count(line.totals.hits),
                ]
                for line in report.exceptions
            ),
        ),
        "## Firewalls",
        _table(
            ("device", "last read", "blocked", "trouble"),
            (
                [
                    line.name,
                    moment(line.status.last_seen_at, zone) if line.status else "never",
                    count(line.totals[EventAction.BLOCKED].hits),
                    (line.status.error or "; ".join(line.status.degraded)) if line.status else "",
                ]
                for line in report.devices
            ),
        ),
        "## Intelligence",
        _table(
            ("source", "last answer", ""),
            ([age.source, moment(age.last_success, zone), age.stale] for age in report.found.ages),
        ),
        "## Changes",
        _table(
            ("when", "what", "by", "times"),
            ([moment(c.at, zone), c.what, c.by, str(c.count)] for c in report.found.changes),
        ),
        "## Before you rely on these figures",
        "\n".join(f"- {text(note)}" for note in report.notes),
    ]
    return "\n\n".join(parts) + "\n"


def render_fleet(report: FleetReport) -> str:
    span = f"{report.window.start:%Y-%m-%d %H:%M} to {report.window.end:%Y-%m-%d %H:%M} UTC"
    rows = (
        [
            site.site,
            share(site.enforced_share),
            *(count(site.totals[action].hits) for action in EventAction),
            duration(site.seconds(CoverageState.NOT_ENFORCED)),
            duration(site.seconds(CoverageState.UNKNOWN)),
        ]
        for site in report.sites
    )
    head = ("site", "proven enforced", *(LABELS[action] for action in EventAction), "not enforced", "unknown")
    parts = [
        "# All sites: hit report",
        span,
        *(f"**Attention: {text(trouble)}.**" for trouble in report.intelligence),
        _table(("", "hits"), ([LABELS[a], count(report.totals[a].hits)] for a in EventAction)),
        _table(head, rows),
        *(["## Before you rely on these figures"] if report.notes else []),
        *(["\n".join(f"- {text(note)}" for note in report.notes)] if report.notes else []),
    ]
    return "\n\n".join(parts) + "\n"


def text(value: object) -> str:
    """One line that shows what it says: no markup, no line of its own."""
    return _MARKUP.sub(r"\\\1", " ".join(plain(str(value)).split()))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(map(text, row))} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *lines]) if lines else "None."


def _answer(report: SiteReport) -> str:
    enforced = report.enforced_share
    if not report.coverage.spans:
        return "**None of this time has passed.**"
    if enforced is None:
        return "**Nothing was to be enforced in this time.**"
    return f"**Proven enforced {share(enforced)} of the time in which the site was not off by policy.**"


def _totals(report: SiteReport) -> str:
    before = report.before

    def row(action: EventAction, now: Totals) -> list[str]:
        figures = [LABELS[action], count(now.hits), count(now.packets), size(now.octets)]
        return [*figures, count(before.totals[action].hits)] if before else figures

    head = ("", "hits", "packets", "bytes", *(("hits in the range before",) if before else ()))
    return _table(head, (row(action, report.totals[action]) for action in EventAction))


def _times(report: SiteReport | SiteLine) -> Iterable[list[str]]:
    return ([STATES[s], duration(report.seconds(s))] for s in CoverageState if report.seconds(s))


def _heat(report: SiteReport) -> str:
    """A row of a day, a character an hour: the darker, the more was blocked; ``?``: not counted."""
    days = report.heat_map.get(EventAction.BLOCKED, ())
    most = max((hits or 0 for day in days for hits in day), default=0)
    if not report.is_counted:
        return "Nobody counted in this time."
    if not most:
        return "No attempt was blocked in this time."
    rows = [f"    {name} {''.join(_shade(hits, most) for hits in day)}" for name, day in zip(DAYS, days, strict=True)]
    return "\n".join(["    blocked, from 0 to 24 o'clock on the site's clock; at most " + str(most), *rows])


def _shade(hits: int | None, most: int) -> str:
    return "?" if hits is None else _SHADES[-(-hits * (len(_SHADES) - 1) // most)]


def _top(lines: Iterable[Any], what: str, zone: ZoneInfo) -> str:
    head = (what, "role", "what became of it", "packets", "last seen")
    return _table(
        head,
        (
            [
                line.name,
                line.role or "exception",
                LABELS[line.action],
                count(line.packets),
                moment(line.last_seen, zone),
            ]
            for line in lines
        ),
    )


def _reconciled(report: SiteReport, zone: ZoneInfo) -> str:
    found = report.reconciled
    if not found.has_list:
        return "No list of endpoints was recorded in this time: nothing is known of what is installed."
    counts = ([finding.value, count(number)] for finding, number in found.counts.items() if number)
    parts = [
        f"Proven to block or to watch {share(found.covered)} of the time.",
        _table(("what follows", "clients"), counts),
    ]
    if rows := report.reconciled_clients:
        lines = (
            [row.client, ", ".join(row.addresses), row.finding.value, ", ".join(row.outcomes),
             moment(row.last_seen, zone)]
            for row in rows
        )  # fmt: skip
        parts.append(_table(("client", "addresses", "what follows", "what became of it", "last seen"), lines))
    if (more := len(found.rows) - len(rows)) and rows:
        parts.append(f"and {more:,} more.")
    return "\n\n".join(parts)


def _findings(report: SiteReport, zone: ZoneInfo) -> str:
    if not report.found.counts:
        return report.found.nothing
    said = ", ".join(f"{kind}: {number}" for kind, number in report.found.counts.items())
    rows = (
        [moment(e.window.end, zone), e.kind.value, e.source or e.host or e.device or "", e.app, f"{e.confidence} %",
         "; ".join(ground.text for ground in e.grounds)]
        for e in report.found.findings
    )  # fmt: skip
    return f"{text(said)}\n\n" + _table(("when", "what", "who", "app", "confidence", "why"), rows)
