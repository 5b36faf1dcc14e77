"""A site over some time on one axis: attempts, coverage, what the policy said, and exceptions. Pure shapes and rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from api.web.wording import MODES, moment
from controller.coverage import Span
from controller.mode_spans import ModeSpan
from controller.model import AccessException, CoverageState, EventAction, Window
from controller.reports import as_html
from controller.reports.making import Bucket

WIDTH: Final = as_html.CHART_WIDTH
LANES: Final = 12
"""Exceptions that have a lane of their own."""
_SHORT: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of a lane: where it begins and how wide it is, of ``WIDTH``."""

    x: float
    width: float
    css: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """``at``: a page about it; empty: none."""

    name: str
    pieces: tuple[Piece, ...]
    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One hour or day of the table. ``hits`` None: not all were counted."""

    window: Window
    hits: Mapping[EventAction, int | None]
    seconds: Mapping[CoverageState, float]
    causes: tuple[str, ...]

    @property
    def is_hour(self) -> bool:
        return self.window.end - self.window.start <= _SHORT


def slots(buckets: Sequence[Bucket], spans: Sequence[Span], end: datetime) -> list[Slot]:
    """The buckets of a report with what was covered in each; in one pass over both."""
    found, at = [], 0
    for number, bucket in enumerate(buckets):
        until = buckets[number + 1].start if number + 1 < len(buckets) else end
        while at < len(spans) and spans[at].window.end <= bucket.start:
            at += 1
        window = Window(bucket.start, max(bucket.start, until))
        found.append(_slot(bucket, window, _within(spans, at, window)))
    return found


def _within(spans: Sequence[Span], at: int, window: Window) -> Iterable[tuple[Span, float]]:
    """Those that reach into the window, and for how many seconds."""
    while at < len(spans) and spans[at].window.start < window.end:
        start, end = max(spans[at].window.start, window.start), min(spans[at].window.end, window.end)
        yield spans[at], (end - start).total_seconds()
        at += 1


def _slot(bucket: Bucket, window: Window, inside: Iterable[tuple[Span, float]]) -> Slot:
    seconds: dict[CoverageState, float] = {}
    causes: dict[str, None] = {}
    for span, lasted in inside:
        seconds[span.state] = seconds.get(span.state, 0.0) + lasted
        if span.cause:
            causes[span.cause] = None
    return Slot(window=window, hits=bucket.hits, seconds=seconds, causes=tuple(causes))


def coverage_lane(spans: Sequence[Span], window: Window, zone: str) -> Lane:
    pieces = (
        _piece(span.window, window, span.state.value, f"{as_html.STATES[span.state]}{_why(span.cause)}", zone)
        for span in spans
    )
    return Lane(name="Enforced?", pieces=tuple(piece for piece in pieces if piece is not None))


def mode_lanes(spans: Mapping[str, Sequence[ModeSpan]], window: Window, zone: str) -> list[Lane]:
    """One for each source role: what the policy said then."""
    found = []
    for role, ours in spans.items():
        pieces = (_mode_piece(span, window, zone) for span in ours)
        found.append(Lane(name=f"Policy: {role}", pieces=tuple(piece for piece in pieces if piece is not None)))
    return found


def _mode_piece(span: ModeSpan, whole: Window, zone: str) -> Piece | None:
    if span.mode is None:
        return _piece(span.window, whole, "mode-unknown", f"unknown{_why(span.why)}", zone)
    return _piece(span.window, whole, f"mode-{span.mode.value}", MODES[span.mode.value], zone)


def exception_lanes(exceptions: Iterable[AccessException], window: Window, zone: str) -> list[Lane]:
    """Of those that lived in the window, the latest first."""
    found = []
    for one in exceptions:
        life = one.life
        piece = _piece(life, window, "allowed-by-exception", one.reason, zone) if life is not None else None
        if piece is not None:
            found.append(Lane(name=f"Exception: {one.owner}", pieces=(piece,), at=f"/exceptions/{one.id}"))
    return found


def _piece(part: Window, whole: Window, css: str, said: str, zone: str) -> Piece | None:
    start, end = max(part.start, whole.start), min(part.end, whole.end)
    if start >= end:
        return None
    scale = WIDTH / whole.seconds
    return Piece(
        x=round((start - whole.start).total_seconds() * scale, 2),
        width=round(max((end - start).total_seconds() * scale, 0.5), 2),
        css=css,
        title=f"{moment(part.start, zone)} to {moment(part.end, zone)}: {said}",
    )


def _why(cause: str) -> str:
    return f", {cause}" if cause else ""


def bars(found: Sequence[Slot], window: Window) -> list[as_html.Bar]:
    """Attempts as stacked bars at their times: blocked at the bottom, then watched, then let through."""
    most = max((sum(hits or 0 for hits in slot.hits.values()) for slot in found), default=0)
    if not most:
        return []
    scale, made = WIDTH / window.seconds, []
    for slot in found:
        x = (max(slot.window.start, window.start) - window.start).total_seconds() * scale
        width = max((slot.window.end - max(slot.window.start, window.start)).total_seconds() * scale * 0.8, 1)
        top = float(as_html.CHART_HEIGHT)
        for action in as_html.ACTIONS:
            if hits := slot.hits[action]:
                height = hits / most * as_html.CHART_HEIGHT
                top -= height
                title = f"{as_html.wall(slot.window.start)}: {hits:,} {as_html.LABELS[action]}"
                made.append(as_html.Bar(x, top, width, height, action.value, title))
    return made


def ticks(found: Sequence[Slot], window: Window, zone: str) -> list[as_html.Tick]:
    """Times under the chart, a dozen at most, on the clock of the site."""
    long = window.end - window.start > timedelta(hours=48)
    there = ZoneInfo(zone)
    named = [s for s in found if not long or not s.is_hour or s.window.start.astimezone(there).hour == 0]
    return [
        as_html.Tick(
            min(max((s.window.start - window.start).total_seconds() / window.seconds * 100, 2.5), 97.5),
            f"{s.window.start.astimezone(there):{'%d %b' if long else '%H:%M'}}",
        )
        for s in named[:: -(-len(named) // 12) or 1]
    ]


def plotted(found: Sequence[Slot], window: Window, zone: str) -> str:
    """The same for the script that draws it, as JSON."""
    return json.dumps(
        {
            "zone": zone,
            "start": int(window.start.timestamp()),
            "end": int(window.end.timestamp()),
            "at": [int(max(slot.window.start, window.start).timestamp()) for slot in found],
            "series": [
                {
                    "label": as_html.LABELS[action],
                    "css": action.value,
                    "values": [slot.hits[action] for slot in found],
                }
                for action in as_html.ACTIONS
            ],
        },
        separators=(",", ":"),
    )
