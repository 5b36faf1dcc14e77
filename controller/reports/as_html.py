"""Reports as pages that need nothing else: inline style, inline SVG, no request to anywhere, fit for print and e-mail.

Pure but for reading its own templates. Everything that a person or a device wrote is escaped by the template engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from controller.coverage import Span
from controller.inventory.privacy import Identities
from controller.model import CoverageState, EventAction
from controller.reports.linking import Links
from controller.reports.making import Bucket, FleetReport, HeatMap, SiteLine, SiteReport, plain, share_of

ACTIONS: Final = (EventAction.BLOCKED, EventAction.MONITORED, EventAction.ALLOWED)
LABELS: Final = {
    EventAction.BLOCKED: "blocked",
    EventAction.MONITORED: "only watched",
    EventAction.ALLOWED: "let through by exception",
}
STATES: Final = {
    CoverageState.ENFORCED: "enforced",
    CoverageState.PARTIAL: "enforced in part",
    CoverageState.MONITORED: "monitored",
    CoverageState.OFF: "off by policy",
    CoverageState.NOT_ENFORCED: "not enforced",
    CoverageState.UNKNOWN: "unknown",
}
PRINTED: Final = {
    "enforced": "#1a7f4b",
    "partial": "#7fa83a",
    "monitored": "#2f6fb7",
    "off": "#b9c2cb",
    "not_enforced": "#c62f2f",
    "unknown": "#e0a030",
    "blocked": "#1a7f4b",
    "allowed-by-exception": "#8a5cc2",
}
"""The colours of the style sheet, for what reads no style sheet inside a picture: WeasyPrint, mail readers."""
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CHART_WIDTH: Final = 960
CHART_HEIGHT: Final = 180


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle of a chart, in the chart's own units."""

    x: float
    y: float
    width: float
    height: float
    css: str
    title: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour of the week: ``strength`` from 0 to 1, or not counted."""

    x: int
    y: int
    strength: float
    is_known: bool
    title: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """A label under a chart, so far from its left edge."""

    percent: float
    text: str


def render_site(report: SiteReport) -> str:
    """The page of one site."""
    return _template("report_site.html.j2").render(
        report=report,
        zone=ZoneInfo(report.time_zone),
        states=STATES,
        actions=ACTIONS,
        labels=LABELS,
        coverage_bars=coverage_bars(report.coverage.spans, ZoneInfo(report.time_zone)),
        hour_bars=hour_bars(report.by_hour, links_of(report), by_day=report.is_by_day),
        hour_ticks=hour_ticks(report.by_hour, by_day=report.is_by_day),
        top_of_chart=max((bucket.counted for bucket in report.by_hour), default=0),
        heat=heat_cells(report.heat_map, links_of(report)),
        weekdays=WEEKDAYS,
        links=links_of(report),
        printed=PRINTED,
        clients=len({line.name for line in report.top_sources if line.action is EventAction.BLOCKED}),
    )


def render_fleet(report: FleetReport) -> str:
    """The page of all sites, the worst first."""
    return _template("report_fleet.html.j2").render(
        report=report,
        states=STATES,
        actions=ACTIONS,
        labels=LABELS,
        printed=PRINTED,
        bars={site.site: share_bars(site) for site in report.sites},
        links={site.site: links_of(report, site) for site in report.sites},
        enforced_share=share_of(report.seconds),
    )


# --- the charts -----------------------------------------------------------------------------------------------------


def coverage_bars(spans: Sequence[Span], zone: ZoneInfo) -> list[Bar]:
    """The whole time as one bar, a piece for each stretch of one state."""
    if not spans:
        return []
    start, end = spans[0].window.start, spans[-1].window.end
    scale = CHART_WIDTH / (end - start).total_seconds()
    return [
        Bar(
            x=(span.window.start - start).total_seconds() * scale,
            y=0,
            width=max(span.window.seconds * scale, 0.5),
            height=28,
            css=span.state.value,
            title=f"{moment(span.window.start, zone)} to {moment(span.window.end, zone)}: {STATES[span.state]}"
            + (f", {span.cause}" if span.cause else ""),
        )
        for span in spans
    ]


def hour_bars(buckets: Sequence[Bucket], links: Links, *, by_day: bool) -> list[Bar]:
    """Stacked bars: blocked at the bottom, then watched, then let through."""
    most = max((bucket.counted for bucket in buckets), default=0)
    if not most:
        return []
    step = CHART_WIDTH / len(buckets)
    bars = []
    for number, bucket in enumerate(buckets):
        top = float(CHART_HEIGHT)
        for action in ACTIONS:
            hits = bucket.hits[action]
            if hits:
                height = hits / most * CHART_HEIGHT
                top -= height
                title = f"{wall(bucket.start)}: {hits:,} {LABELS[action]}"
                href = links.hour(bucket.start, action, by_day=by_day)
                bars.append(Bar(number * step + step * 0.1, top, step * 0.8, height, action.value, title, href))
    return bars


def hour_ticks(buckets: Sequence[Bucket], *, by_day: bool) -> list[Tick]:
    """A dozen labels at most, on the site's own clock."""
    if not buckets:
        return []
    step = 100 / len(buckets)
    long = by_day or len(buckets) > 48
    named = [n for n, bucket in enumerate(buckets) if by_day or not long or bucket.start.hour == 0]
    middle = 12 if long and not by_day else 0.5  # of the day, of the hour
    return [
        Tick(min((number + middle) * step, 98), f"{buckets[number].start:{'%d %b' if long else '%H:%M'}}")
        for number in named[:: -(-len(named) // 12) or 1]
    ]


def heat_cells(heat: HeatMap, links: Links) -> list[Cell]:
    """A square for each hour of the week in which something was blocked or let through; the fuller, the more."""
    days = [[_together(heat, day, hour) for hour in range(24)] for day in range(7)] if heat else []
    most = max((hits or 0 for day in days for hits in day), default=0)
    return [
        Cell(
            x=hour * 40,
            y=day * 22,
            strength=round(0.15 + 0.85 * hits / most, 3) if hits else 1.0,
            is_known=hits is not None,
            title=f"{WEEKDAYS[day]} {hour:02}:00 to {(hour + 1) % 24:02}:00: {count(hits)}",
            href=links.hour_of_week(day, hour),
        )
        for day, row in enumerate(days)
        for hour, hits in enumerate(row)
        if most and hits != 0
    ]


def _together(heat: HeatMap, day: int, hour: int) -> int | None:
    hits = [heat[action][day][hour] for action in ACTIONS if action in heat]
    known = [number for number in hits if number is not None]
    return sum(known) if len(known) == len(hits) else None


def links_of(report: SiteReport | FleetReport, site: SiteLine | SiteReport | None = None) -> Links:
    """Where the figures of a site lead; nowhere when our own address is not known, or nobody is named."""
    about = site if site is not None else report
    assert isinstance(about, SiteLine | SiteReport)
    is_hidden = isinstance(about, SiteReport) and about.identities is Identities.HIDDEN
    return Links(
        base="" if is_hidden else report.base_url, site=about.site, zone=ZoneInfo(about.time_zone), window=report.window
    )


def change(now: int | None, then: int | None) -> str:
    """``12 more than in the range before``; what is unknown says so."""
    if now is None or then is None:
        return "the range before: unknown"
    if now == then:
        return "as many as in the range before"
    return f"{abs(now - then):,} {'more' if now > then else 'fewer'} than in the range before"


def points(now: float | None, then: float | None) -> str:
    """``1.5 points more than in the range before``."""
    if now is None or then is None:
        return "the range before: unknown"
    moved = round((now - then) * 100, 1)
    if not moved:
        return "as much as in the range before"
    return f"{abs(moved):.1f} points {'more' if moved > 0 else 'less'} than in the range before"


def share_bars(report: SiteLine | SiteReport) -> list[Bar]:
    """How a site's time divides, as one narrow bar."""
    whole = sum(report.seconds(state) for state in CoverageState)
    bars, x = [], 0.0
    for state in STATES:
        width = report.seconds(state) / whole * 200 if whole else 0
        if width:
            bars.append(Bar(x, 0, width, 14, state.value, f"{STATES[state]}: {duration(report.seconds(state))}"))
            x += width
    return bars


# --- words ----------------------------------------------------------------------------------------------------------


def moment(at: datetime | None, zone: ZoneInfo) -> str:
    return wall(at.astimezone(zone)) if at is not None else "never"


def wall(local: datetime) -> str:
    """As the site's clock shows it; in the hour that comes twice with the zone's name, which tells the two apart."""
    is_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{local:%Y-%m-%d %H:%M %Z}" if is_twice else f"{local:%Y-%m-%d %H:%M}"


def count(value: int | None) -> str:
    """``None`` is unknown and says so."""
    return "unknown" if value is None else f"{value:,}"


def size(octets: int | None) -> str:
    if octets is None:
        return "unknown"
    value = float(octets)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1024
    return ""


def fine(value: float) -> str:
    """A place in a chart."""
    return f"{value:.2f}"


def duration(seconds: float) -> str:
    whole = int(seconds)
    parts = ((whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    shown = [f"{number} {unit}" for number, unit in parts if number][:2]
    return " ".join(shown) or "0 s"


def share(part: float | None) -> str:
    """Rounded down: 99.96 % is never shown as 100 %."""
    return "unknown" if part is None else f"{int(part * 1000) / 10:.1f} %"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("controller.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: plain(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        moment=moment, count=count, size=size, duration=duration, share=share, change=change, points=points, fine=fine
    )
    return made


def _template(name: str) -> Template:
    return _environment().get_template(name)
