"""How long each site was really enforced, proven from looks at its devices.

Pure. Unknown is never counted as compliant (I13). A stretch between two looks counts as a state only when the first
look left the device in it and the second found it there, and they are not too far apart. What was wrong at a look was
wrong for an unknown time before it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

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
PROVEN: Final = frozenset({CoverageState.ENFORCED, CoverageState.MONITORED, CoverageState.OFF})
"""It held what was wanted of it, whatever that was."""
NO_LOOK: Final = "nobody looked at it"
NO_DEVICES: Final = "the site has no devices"
REMEMBERED: Final = timedelta(days=30)
"""So long a leak is held against a site when nobody tries it again."""
_UNKNOWN: Final = CoverageState.UNKNOWN.value
_RANKS: Final = {state.value: rank for rank, state in enumerate(WORST_FIRST)}
_MINUTE: Final = timedelta(minutes=1)
IN_PART: Final = "the list does not fit the device; it holds the most valuable part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time in one state, and why it is not enforced or not known."""

    window: Window
    state: CoverageState
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What one probe from inside saw on one path at one moment."""

    at: datetime
    path: str  # "tcp 443 from company", as whoever probed calls it
    leaks: bool  # it passed where it should have been stopped
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """From ``start`` on, before ``end``: every minute was in this state, the worst that any of its seconds had."""

    start: datetime
    end: datetime
    state: CoverageState
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Spans without gap or overlap; the totals add up to the window's elapsed part."""

    spans: tuple[Span, ...]

    def total(self, state: CoverageState) -> timedelta:
        return sum((s.window.end - s.window.start for s in self.spans if s.state is state), timedelta())

    def within(self, window: Window) -> Coverage:
        """The part of it that lies in the window."""
        return Coverage(spans=tuple(cut for span in self.spans if (cut := _cut(span, window)) is not None))


def coverage(
    observations: Iterable[Observation],
    window: Window,
    *,
    devices: Sequence[DeviceName],
    now: datetime,
    freshness: timedelta,
    proofs: Iterable[Tried] = (),
) -> Coverage:
    """The site's coverage from ``window.start`` to its end or ``now``; at every moment its worst device decides.

    ``freshness`` is how long one look may stand for what follows it. A probe that saw a leak is believed more than the
    devices; one that saw none adds nothing to what they prove.
    """
    whole = Window(window.start, min(window.end, now))
    if whole.start >= whole.end:
        return Coverage(spans=())
    found = by_device(observations, window, devices=devices, now=now, freshness=freshness)
    return together(found.values(), whole, freshness=freshness, proofs=proofs)


def together(
    devices: Iterable[Coverage], whole: Window, *, freshness: timedelta, proofs: Iterable[Tried] = ()
) -> Coverage:
    """What several devices come to, each of them over all of ``whole``: the worst decides, less what leaked."""
    lines = [list(device.spans) for device in devices]
    if not lines:
        return Coverage(spans=(Span(window=whole, state=CoverageState.UNKNOWN, cause=NO_DEVICES),))
    known = Coverage(spans=tuple(lines[0] if len(lines) == 1 else merged(_worst(lines, whole))))
    return _less_leaks(known, sorted(proofs, key=lambda p: p.at), whole, freshness)


def by_device(
    observations: Iterable[Observation],
    window: Window,
    *,
    devices: Sequence[DeviceName],
    now: datetime,
    freshness: timedelta,
) -> dict[DeviceName, Coverage]:
    """The same for each device alone."""
    whole = Window(window.start, min(window.end, now))
    if whole.start >= whole.end:
        return {device: Coverage(spans=()) for device in devices}
    looks: dict[DeviceName, list[Observation]] = {device: [] for device in devices}
    for look in sorted(observations, key=lambda o: o.at):
        if look.device in looks:
            looks[look.device].append(look)
    return {device: Coverage(spans=_spans(own, whole, freshness)) for device, own in looks.items()}


def _spans(looks: list[Observation], whole: Window, freshness: timedelta) -> tuple[Span, ...]:
    steady = _steady(looks, whole, freshness)
    return (steady,) if steady is not None else tuple(merged(_device_line(looks, whole, freshness)))


def _steady(looks: Sequence[Observation], whole: Window, freshness: timedelta) -> Span | None:
    """All of it in one state without a doubt, as most time of most devices is; None: it has to be worked out."""
    if not looks or looks[0].at > whole.start or (state := looks[0].left) not in PROVEN:
        return None
    last = looks[0].until or looks[0].at
    for look in looks[1:]:
        if look.left is not state or look.found is not state or look.at - last > freshness:
            return None
        last = look.until or look.at
    return Span(window=whole, state=state) if state is not None and whole.end - last <= freshness else None


class Stretch(NamedTuple):
    """Looks at one device that follow each other and say the same. Times are microseconds of one clock."""

    first: int
    last: int
    gap: int  # between the two looks that are farthest apart
    found: str | None
    left: str | None
    cause: str = ""


class Spell(NamedTuple):
    """From ``start`` to ``end``, in microseconds of one clock, it was proven in that state."""

    start: int
    end: int
    state: str


def held(stretches: Iterable[Stretch], *, until: int, freshness: int) -> list[Spell] | None:
    """When one device was proven in a state, by the rules of ``coverage`` without making spans: for many sites.

    In order of time. ``until``: how far looks were asked for. What lies between spells is unknown. None: it takes more
    to tell; a clock was set back, or a look was trusted for longer than it is now.
    """
    found, reached = list[Spell](), -1
    good: Stretch | None = None
    broken: int | None = None  # when a look failed first since then
    for one in stretches:
        if one.first <= reached or (one.gap > freshness and one.found is not None):
            return None
        reached = one.last
        if one.found is None:
            broken = one.first if broken is None else broken
            continue
        if good is not None:
            _spell(found, good, one.first, freshness if good.left == one.found else 0, broken)
        good, broken = one, None
    if good is not None:
        _spell(found, good, until, freshness, broken)
    return found


def _spell(into: list[Spell], good: Stretch, until: int, trust: int, broken: int | None) -> None:
    if good.left is None:
        return
    end = min(until, good.last + trust) if broken is None else min(until, good.last + trust, broken)
    if good.first < end:
        into.append(Spell(good.first, end, good.left))


def worst(lines: Sequence[Sequence[Spell]]) -> Sequence[Spell]:
    """Of several devices the worst at every moment; what is unknown of one is unknown, unless another is worse."""
    if len(lines) == 1:
        return lines[0]
    edges = sorted({edge for line in lines for spell in line for edge in spell[:2]})
    found, positions = list[Spell](), [0] * len(lines)
    for start, end in pairwise(edges):
        states = list[str]()
        for number, line in enumerate(lines):
            while positions[number] < len(line) and line[positions[number]].end <= start:
                positions[number] += 1
            at = positions[number]
            states.append(line[at].state if at < len(line) and line[at].start <= start else _UNKNOWN)
        state = min(states, key=_RANKS.__getitem__)
        if state != _UNKNOWN:
            found.append(Spell(start, end, state))
    return found


def times_of(known: Iterable[Spell], start: int, end: int) -> dict[str, int]:
    """How long it was in each state between two moments; the rest of that time is unknown."""
    found: dict[str, int] = {}
    for spell in known:
        if spell.start < end and spell.end > start:
            time = min(spell.end, end) - max(spell.start, start)
            found[spell.state] = found.get(spell.state, 0) + time
    return found


def by_minute(known: Coverage) -> Iterator[Minute]:
    """Whole minutes of UTC, in order and without gap; neighbours that say the same are one.

    A minute that was in several states counts as the worst of them: one of which a part is unknown is unknown.
    """
    cells: dict[datetime, Span] = {}
    for span in known.spans:
        first, last = _minute_of(span.window.start), _minute_of(span.window.end - timedelta.resolution)
        for edge in {first, last}:
            if edge not in cells or _rank(span) < _rank(cells[edge]):
                cells[edge] = span
        if last - first > _MINUTE:
            cells[first + _MINUTE] = span  # stands for all up to the next edge
    edges = sorted(cells)
    whole = (
        Span(window=Window(start, end), state=cells[start].state, cause=cells[start].cause)
        for start, end in pairwise([*edges, edges[-1] + _MINUTE] if edges else [])
    )
    for span in merged(whole):
        yield Minute(start=span.window.start, end=span.window.end, state=span.state, cause=span.cause)


def _minute_of(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _rank(span: Span) -> int:
    return WORST_FIRST.index(span.state)


def _less_leaks(known: Coverage, proofs: Sequence[Tried], whole: Window, freshness: timedelta) -> Coverage:
    """A leak stands until the same path is found stopped; when nobody tried it again in time, it is unknown by then."""
    leaking = {proof.path for proof in proofs if proof.leaks}
    lines = [[*_path_line([p for p in proofs if p.path == path], whole, freshness)] for path in sorted(leaking)]
    if not lines:
        return known
    return Coverage(spans=tuple(merged(piece for span in known.spans for piece in _leaking(span, lines))))


def _leaking(span: Span, lines: Sequence[list[Span]]) -> Iterator[Span]:
    """Only what should be stopped can leak."""
    if span.state not in (CoverageState.ENFORCED, CoverageState.PARTIAL):
        yield span
        return
    cut = [[piece for each in line if (piece := _cut(each, span.window)) is not None] for line in lines]
    yield from _worst([[span], *cut], span.window)


def _path_line(proofs: Sequence[Tried], whole: Window, freshness: timedelta) -> Iterator[Span]:
    """Nothing is claimed but of leaks: everything else is left to the devices."""
    at = whole.start
    ends = [*(proof.at for proof in proofs[1:]), whole.end]
    for proof, until in zip(proofs, ends, strict=True):
        if not proof.leaks or until <= at:
            continue
        start, trusted = max(at, proof.at), min(until, proof.at + freshness, whole.end)
        if at < start:
            yield Span(window=Window(at, start), state=CoverageState.ENFORCED)
        if start < trusted:
            cause = proof.cause or f"{proof.path}: it passes"
            yield Span(window=Window(start, trusted), state=CoverageState.NOT_ENFORCED, cause=cause)
        again, forgotten = max(start, trusted), min(until, proof.at + REMEMBERED, whole.end)
        if again < forgotten:
            cause = f"{proof.path}: it passed, and was not tried since"
            yield Span(window=Window(again, forgotten), state=CoverageState.UNKNOWN, cause=cause)
        at = max(at, min(max(again, forgotten), until, whole.end))
    if at < whole.end:
        yield Span(window=Window(at, whole.end), state=CoverageState.ENFORCED)


def _device_line(looks: list[Observation], whole: Window, freshness: timedelta) -> list[Span]:
    """One device's spans, cut to the window and covering all of it."""
    good = [look for look in looks if look.found is not None]
    failed = [look for look in looks if look.found is None]
    spans = []
    for first, second in pairwise(good):
        spans += [*_held(first), *_between(first, second, failed, freshness)]
    if good:
        spans += [*_held(good[-1]), *_tail(good[-1], whole.end, failed, freshness)]
    start = spans[0].window.start if spans else whole.end
    if start > whole.start:
        spans = [*_unproven(Window(whole.start, start), failed, freshness), *spans]
    return [cut for span in spans if (cut := _cut(span, whole)) is not None]


def _held(look: Observation) -> Iterator[Span]:
    """What looks that are told as one prove about the time between the first and the last of them."""
    if look.until is not None and look.left is not None:
        yield Span(window=Window(look.at, look.until), state=look.left, cause=_cause(look))


def _last(look: Observation) -> datetime:
    return look.at if look.until is None else look.until


def _between(
    first: Observation, second: Observation, failed: Sequence[Observation], freshness: timedelta
) -> Iterator[Span]:
    """What two looks that follow each other prove about the time between them."""
    at = _last(first)
    if at >= second.at:
        return
    if first.left is not None and second.found is not None and first.left is not second.found:
        cause = second.cause or f"left {_said(first.left)}, found {_said(second.found)}"
        yield Span(window=Window(at, second.at), state=CoverageState.UNKNOWN, cause=cause)
    else:
        yield from _tail(first, second.at, failed, freshness)


def _said(state: CoverageState) -> str:
    return state.value.replace("_", " ")


def _tail(look: Observation, until: datetime, failed: Sequence[Observation], freshness: timedelta) -> Iterator[Span]:
    """What a look left, until a later one failed and for as long as it may stand for it; then unknown."""
    at = _last(look)
    if at >= until:
        return
    if look.left is None:
        cause = look.cause or "the last change is not proven"
        yield Span(window=Window(at, until), state=CoverageState.UNKNOWN, cause=cause)
        return
    after = bisect_right(failed, at, key=lambda other: other.at)
    broken = failed[after] if after < len(failed) and failed[after].at < until else None
    trusted = min(until, at + freshness, broken.at if broken else until)
    yield Span(window=Window(at, trusted), state=look.left, cause=_cause(look))
    if trusted < until:
        inside = failed[after : bisect_left(failed, until, key=lambda other: other.at)]
        yield from _unproven(Window(trusted, until), inside, freshness)


def _unproven(window: Window, failed: Sequence[Observation], freshness: timedelta) -> Iterator[Span]:
    """Time that no look proves anything of. A failed look says why for as long as a good one would be trusted."""
    at = window.start
    ends = [*(look.at for look in failed[1:]), window.end] if failed else []
    for look, after in zip(failed, ends, strict=True):
        start, end = max(at, look.at), min(after, _last(look) + freshness, window.end)
        if start >= end:
            continue
        if at < start:
            yield Span(window=Window(at, start), state=CoverageState.UNKNOWN, cause=NO_LOOK)
        yield Span(window=Window(start, end), state=CoverageState.UNKNOWN, cause=look.cause or NO_LOOK)
        at = end
    if at < window.end:
        yield Span(window=Window(at, window.end), state=CoverageState.UNKNOWN, cause=NO_LOOK)


def _cause(look: Observation) -> str:
    """Why what a look left is less than enforced. What it says itself is about what it found."""
    if look.left is CoverageState.NOT_ENFORCED:
        return look.cause
    if look.left is CoverageState.PARTIAL:
        return (look.cause if look.found is look.left else "") or IN_PART
    return ""


def _cut(span: Span, whole: Window) -> Span | None:
    if whole.start <= span.window.start and span.window.end <= whole.end:
        return span if span.window.start < span.window.end else None
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


def merged(spans: Iterable[Span]) -> Iterator[Span]:
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
