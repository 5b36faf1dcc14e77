"""The fleet at a glance, and one site: what is proven now and for how long, what was blocked, and what was found.

Figures are those of the reports and of the coverage; nothing is worked out here. The table of the fleet is asked for
again by itself, and sent only when it says something else.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from api.sessions import PageCtl, PageReader
from api.web import timeline
from api.web.episodes import KINDS
from api.web.filtering import Text, Word, is_named, one_of
from api.web.pages import PageRoute, local_time, page
from api.web.templating import render
from api.web.wording import SPANS
from controller.errors import Invalid
from controller.exception_desk import Wanted
from controller.inventory import Site
from controller.model import CoverageState, EventAction, Window
from controller.proof.model import ProofState
from controller.reports import as_html
from controller.reports.making import SiteReport, Totals
from controller.service import Controller
from controller.views import SiteView
from core.ids import SiteName
from ipsets.spans import words

router = APIRouter(include_in_schema=False, route_class=PageRoute)

DAY: Final = timedelta(days=1)
SHOWN: Final = 100
"""Sites at first; a page of a thousand is sent anew whenever one of them changes."""
LEAKS: Final = "leaks"
EXCEPTIONS: Final = 500
"""The newest of a site, among which those are looked for that lived in the time shown."""
TONES: Final = {
    CoverageState.ENFORCED: "good",
    CoverageState.PARTIAL: "warn",
    CoverageState.MONITORED: "",
    CoverageState.OFF: "",
    CoverageState.NOT_ENFORCED: "bad",
    CoverageState.UNKNOWN: "warn",
}
_WORST: Final = (CoverageState.NOT_ENFORCED, CoverageState.UNKNOWN, CoverageState.PARTIAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One site of the table."""

    site: SiteView
    state: CoverageState
    cause: str
    proven_at: datetime | None
    totals: Mapping[EventAction, Totals]
    leaks: int | None  # ways to the service that are open and should not be; None: nobody proved any

    def hits(self, action: EventAction) -> int | None:
        """None: not known, as the report of that time has it."""
        return self.totals[action].hits

    @property
    def said(self) -> tuple[object, ...]:
        """What makes the table another one; an age that only grows does not."""
        hits = tuple(self.hits(action) for action in EventAction)
        return (self.site, self.state, self.cause, self.proven_at, hits, self.leaks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which of the sites; all of those that fit, or the first ones."""

    state: Word = ""
    q: Text = ""
    all: Word = ""

    @property
    def given(self) -> dict[str, str]:
        return {name: value for name, value in (("state", self.state), ("q", self.q)) if value}

    @property
    def query(self) -> str:
        """As the end of an address."""
        return urlencode({**self.given, **({"all": self.all} if self.all else {})})

    def fitting(self, lines: Sequence[Line]) -> list[Line]:
        """Raises ``Invalid``."""
        if self.state == LEAKS:
            found = [line for line in lines if line.leaks]
        else:
            state = one_of(CoverageState, self.state, "state")
            found = [line for line in lines if state is None or line.state is state]
        return [line for line in found if is_named(self.q, line.site.title, line.site.name)]


def fleet(controller: Controller, asked: Asked | None = None) -> dict[str, Any]:
    """What the table shows, the worst first. ``seen`` names it."""
    now, asked = controller.clock.now(), asked or Asked()
    covered, totals = controller.coverage.fleet(), controller.reports.counted(Window(now - DAY, now))
    views, leaks = {view.name: view for view in controller.sites()}, _leaks(controller)
    lines = [
        Line(
            site=views[line.age.site],
            state=line.state,
            cause=line.cause,
            proven_at=line.age.proven_at,
            totals=totals[line.age.site],
            leaks=leaks.get(line.age.site),
        )
        for line in covered.sites
        if line.age.site in views and line.age.site in totals
    ]
    lines.sort(key=lambda line: (not line.leaks, _WORST.index(line.state) if line.state in _WORST else len(_WORST)))
    counted = {state: sum(line.state is state for line in lines) for state in CoverageState}
    fitting = asked.fitting(lines)
    shown = fitting if asked.all else fitting[:SHOWN]
    said = (counted, len(fitting), [line.said for line in shown])
    return {
        "lines": shown,
        "fitting": len(fitting),
        "of_all": len(lines),
        "leaking": sum(bool(line.leaks) for line in lines),
        "asked": asked,
        "counted": {state: count for state, count in counted.items() if count},
        "age": covered.age,
        "oldest": _in_words(covered.age.most),
        "middle": _in_words(covered.age.p50),
        "budget": covered.budget,
        "seen": hashlib.sha256(repr(said).encode()).hexdigest()[:16],
        "states": as_html.STATES,
        "choices": {LEAKS: "leaking", **{state.value: said for state, said in as_html.STATES.items()}},
        "tones": TONES,
        "actions": as_html.ACTIONS,
        "count": as_html.count,
    }


def _leaks(controller: Controller) -> dict[SiteName, int]:
    """Of the sites of which something is proven."""
    cells = [cell for cell in controller.proofs.matrix() if cell.state is not ProofState.UNKNOWN]
    leaking = Counter(cell.site for cell in cells if cell.state is ProofState.LEAKING)
    return {cell.site: leaking[cell.site] for cell in cells}


def _in_words(age: timedelta | None) -> str:
    return "unknown" if age is None else words(age)


@router.get("/fleet")
def fleet_part(
    request: Request,
    controller: PageCtl,
    caller: PageReader,
    asked: Annotated[Asked, Depends()],
    seen: Annotated[str, Query(max_length=16)] = "",
) -> Response:
    """The table; htmx asks every few seconds. ``seen``: what the page shows; nothing is sent for that."""
    known = fleet(controller, asked)
    if seen == known["seen"]:
        return Response(status_code=204)
    return render(request, "fleet.html", **known)


@router.get("/sites/{name}")
def site_page(
    request: Request,
    controller: PageCtl,
    caller: PageReader,
    name: str,
    days: Annotated[str, Query(max_length=2)] = "1",
    hour: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """One site over the last days; ``hour``: one hour of them by the minute."""
    if days not in SPANS:
        raise Invalid(f"days: {days!r} cannot be shown", hint=f"it is one of {', '.join(SPANS)}")
    now, site = controller.clock.now(), controller.inventory.site(name)
    window = Window(now - int(days) * DAY, now)
    report = controller.site_report(name, window, in_house=True)
    line = controller.coverage.line(site.name)
    return page(
        request,
        controller,
        "site.html",
        site=site,
        report=report,
        line=line,
        age=_in_words(line.age.age),
        days=days,
        spans=SPANS,
        roles=_roles(controller, name, window),
        kinds=KINDS,
        **charts(controller, site, report, window, hour),
        view=controller.site(name),
        reasons=[span for span in reversed(report.coverage.spans) if span.cause],
        states=as_html.STATES,
        tones=TONES,
        actions=as_html.ACTIONS,
        labels=as_html.LABELS,
        count=as_html.count,
        size=as_html.size,
        duration=as_html.duration,
        share=as_html.share,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleLine:
    """One source role: how long it was in each state, in seconds; whether that was enforced, in words and as a tone."""

    role: str
    seconds: Mapping[CoverageState, float]

    @property
    def verdict(self) -> tuple[str, str]:
        held, whole = self.seconds.get(CoverageState.ENFORCED, 0.0), sum(self.seconds.values())
        if self.seconds.keys() <= {CoverageState.UNKNOWN}:
            return "unknown", "warn"
        if held and held == whole:
            return "all the time", "good"
        said = "not all the time" if held else "not at all"
        return said, "bad" if CoverageState.NOT_ENFORCED in self.seconds else "warn"


def _roles(controller: Controller, name: str, window: Window) -> list[RoleLine]:
    """Each alone; only the states that it was in."""
    found = controller.roles.of(name, window)
    totals = {role: {s: known.total(s).total_seconds() for s in as_html.STATES} for role, known in found.items()}
    return [
        RoleLine(role=role, seconds={state: time for state, time in times.items() if time})
        for role, times in totals.items()
    ]


def charts(controller: Controller, site: Site, report: SiteReport, window: Window, hour: str) -> dict[str, Any]:
    """The time of the report on one axis: attempts, coverage, policy, exceptions; and one hour of it, if asked for."""
    zone, spans = site.time_zone, report.coverage.spans
    found = timeline.slots(report.by_hour, spans, window.end)
    modes = controller.policies.spans(site.name, window)
    listed = controller.exceptions.listed(Wanted(site=site.name), newest_first=True, first=EXCEPTIONS)
    excepted = timeline.exception_lanes(islice(listed, EXCEPTIONS), window, zone)
    lanes = [timeline.coverage_lane(spans, window, zone), *timeline.mode_lanes(modes, window, zone)]
    one = _hour(hour)
    inside = report.coverage.within(one).spans if one else ()
    whys = {span.why for spans in modes.values() for span in spans if span.mode is None}
    return {
        "unknown_policy": sorted(whys),
        "hour_bars": timeline.bars(found, window),
        "hour_ticks": timeline.ticks(found, window, zone),
        "plotted": timeline.plotted(found, window, zone),
        "slots": found,
        "lanes": [*lanes, *excepted[: timeline.LANES]],
        "more_exceptions": max(0, len(excepted) - timeline.LANES),
        "hour": one,
        "hour_spans": inside,
        "hour_lane": timeline.coverage_lane(inside, one, zone) if one else None,
    }


def _hour(text: str) -> Window | None:
    """``2026-11-25T10:30``: the hour of UTC that begins then. Raises ``Invalid``."""
    if not text:
        return None
    start = local_time(text, "UTC", "hour")
    return Window(start, start + timedelta(hours=1))
