"""How long each site was really enforced, proven from looks at its devices.

Pure. Unknown is never counted as compliant (I13). A stretch between two looks counts as a state only when the first
look left the device in it and the second found it there, and they are not too far apart. What was wrong at a look was
wrong for an unknown time before it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from controller.model import CoverageState, Observation, Window
from core.ids import DeviceName

WORST_FIRST: Final = (
    CoverageState.NOT_ENFORCED,
    CoverageState.UNKNOWN,
    CoverageState.OFF,
    CoverageState.MONITORED,
    CoverageState.PARTIAL,
    CoverageState.ENFORCED,
)
NO_LOOK: Final = "nobody looked at it"
IN_PART: Final = "the list does not fit the device; it holds the most valuable part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time in one state, and why it is not enforced or not known."""

    window: Window
    state: CoverageState
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Spans without gap or overlap; the totals add up to the window's elapsed part."""

    spans: tuple[Span, ...]

    def total(self, state: CoverageState) -> timedelta:
        return sum((s.window.end - s.window.start for s in self.spans if s.state is state), timedelta())


def coverage(
    observations: Iterable[Observation],
    window: Window,
    *,
    devices: Sequence[DeviceName],
    now: datetime,
    freshness: timedelta,
) -> Coverage:
    """The site's coverage from ``window.start`` to its end or ``now``; at every moment its worst device decides.

    ``freshness`` is how long one look may stand for what follows it.
    """
    whole = Window(window.start, min(window.end, now))
    if whole.start >= whole.end:
        return Coverage(spans=())
    known = sorted(observations, key=lambda o: o.at)
    lines = [_device_line([o for o in known if o.device == device], whole, freshness) for device in devices]
    if not lines:
        return Coverage(spans=(Span(window=whole, state=CoverageState.UNKNOWN, cause="the site has no devices"),))
    return Coverage(spans=tuple(_merged(_worst(lines, whole))))


def _device_line(looks: list[Observation], whole: Window, freshness: timedelta) -> list[Span]:
    """One device's spans, cut to the window and covering all of it."""
    good = [look for look in looks if look.found is not None]
    failed = [look for look in looks if look.found is None]
    spans = []
    for first, second in pairwise(good):
        spans += [*_held(first), *_between(_last(first), second, failed, freshness)]
    if good:
        spans += [*_held(good[-1]), *_tail(_last(good[-1]), whole.end, failed, freshness)]
    start = spans[0].window.start if spans else whole.end
    if start > whole.start:
        before = next((look.cause for look in failed if look.at < start and look.cause), NO_LOOK)
        spans.insert(0, Span(window=Window(whole.start, start), state=CoverageState.UNKNOWN, cause=before))
    return [cut for span in spans if (cut := _cut(span, whole)) is not None]


def _held(look: Observation) -> Iterator[Span]:
    """What looks that are told as one prove about the time between the first and the last of them."""
    if look.until is not None and look.left is not None:
        yield Span(window=Window(look.at, look.until), state=look.left, cause=_cause(look))


def _last(look: Observation) -> Observation:
    return look if look.until is None else replace(look, at=look.until, until=None)


def _between(
    first: Observation, second: Observation, failed: Sequence[Observation], freshness: timedelta
) -> Iterator[Span]:
    """What two looks that follow each other prove about the time between them."""
    if first.at >= second.at:
        return
    if first.left is not None and second.found is not None and first.left is not second.found:
        cause = second.cause or f"left {first.left.value}, found {second.found.value}"
        yield Span(window=Window(first.at, second.at), state=CoverageState.UNKNOWN, cause=cause)
    else:
        yield from _tail(first, second.at, failed, freshness)


def _tail(look: Observation, until: datetime, failed: Sequence[Observation], freshness: timedelta) -> Iterator[Span]:
    """What a look left, until a later one failed and for as long as it may stand for it; then unknown."""
    if look.at >= until:
        return
    if look.left is None:
        cause = look.cause or "the last change is not proven"
        yield Span(window=Window(look.at, until), state=CoverageState.UNKNOWN, cause=cause)
        return
    after = bisect_right(failed, look.at, key=lambda other: other.at)
    broken = failed[after] if after < len(failed) and failed[after].at < until else None
    trusted = min(until, look.at + freshness, broken.at if broken else until)
    yield Span(window=Window(look.at, trusted), state=look.left, cause=_cause(look))
    if trusted < until:
        why = broken.cause if broken and broken.cause else NO_LOOK
        yield Span(window=Window(trusted, until), state=CoverageState.UNKNOWN, cause=why)


def _cause(look: Observation) -> str:
    """Why what a look left is less than enforced. What it says itself is about what it found."""
    if look.left is CoverageState.NOT_ENFORCED:
        return look.cause
    if look.left is CoverageState.PARTIAL:
        return (look.cause if look.found is look.left else "") or IN_PART
    return ""


def _cut(span: Span, whole: Window) -> Span | None:
    start, end = max(span.window.start, whole.start), min(span.window.end, whole.end)
    return Span(window=Window(start, end), state=span.state, cause=span.cause) if start < end else None


def _worst(lines: Sequence[list[Span]], whole: Window) -> Iterator[Span]:
    """At every moment the worst of all devices."""
    edges = sorted({whole.end, *(span.window.start for line in lines for span in line)})
    positions = [0] * len(lines)
    for start, end in pairwise(edges):
        for number, line in enumerate(lines):
            while line[positions[number]].window.end <= start:
                positions[number] += 1
        current = [line[position] for line, position in zip(lines, positions, strict=True)]
        worst = min(current, key=lambda span: WORST_FIRST.index(span.state))
        yield Span(window=Window(start, end), state=worst.state, cause=worst.cause)


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    """Neighbours that say the same are one."""
    last: Span | None = None
    for span in spans:
        if last is not None and (last.state, last.cause) == (span.state, span.cause):
            last = Span(window=Window(last.window.start, span.window.end), state=span.state, cause=span.cause)
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last
