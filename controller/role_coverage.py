"""How long each source role of a site was really enforced: what was proven of its devices, as far as the policy of that
time asked it for the role. Pure.

A site is enforced while any of its roles is, so a role whose policy was off hides behind one that was blocked. A run
that ended as it should left each role in the mode that the policy had then. Where the mode changed and no such run
followed yet, nobody knows whether the device did: unknown (I13).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from controller.coverage import Coverage, Span, Tried, by_device, merged, together
from controller.mode_spans import ModeSpan
from controller.model import CoverageState, Mode, Observation, Window
from core.ids import DeviceName

NOT_FOLLOWED: Final = "the policy changed, and no run proved since that the device followed"
NO_POLICY: Final = "nothing is known of its policy"
_STATES: Final[Mapping[Mode, CoverageState]] = {
    Mode.ENFORCE: CoverageState.ENFORCED,
    Mode.MONITOR: CoverageState.MONITORED,
    Mode.OFF: CoverageState.OFF,
}
_ERROR: Final = re.compile(r"TG\d{4} ")
"""As the words of an error begin."""
_MILDEST_FIRST: Final = (
    CoverageState.OFF,
    CoverageState.MONITORED,
    CoverageState.PARTIAL,
    CoverageState.ENFORCED,
)


def role_coverage(
    looks: Sequence[Observation],
    window: Window,
    *,
    devices: Sequence[DeviceName],
    modes: Mapping[str, Sequence[ModeSpan]],
    tried: Mapping[str, Iterable[Tried]],
    now: datetime,
    freshness: timedelta,
) -> dict[str, Coverage]:
    """Of each role of ``modes``, from ``window.start`` to its end or ``now``; at every moment its worst device decides.

    ``looks``: each of them, from ``freshness`` before the window on; ``modes``: what the policy said from there on;
    ``tried``: which paths of the role leaked.
    """
    whole = Window(window.start, min(window.end, now))
    if whole.start >= whole.end:
        return {role: Coverage(spans=()) for role in modes}
    proven = by_device(looks, window, devices=devices, now=now, freshness=freshness)
    good = {device: sorted(o.at for o in looks if o.device == device and _is_good(o)) for device in devices}
    return {
        role: together(
            (Coverage(spans=tuple(merged(_of_role(known.spans, said, good[name])))) for name, known in proven.items()),
            whole,
            freshness=freshness,
            proofs=tried.get(role, ()),
        )
        for role, said in modes.items()
    }


def _is_good(look: Observation) -> bool:
    """Of a run that left the device as wanted: one that was held or failed leaves what it found, with an error."""
    return look.left is not None and (look.found is not look.left or not _ERROR.match(look.cause))


def _of_role(spans: Sequence[Span], said: Sequence[ModeSpan], good: Sequence[datetime]) -> Iterator[Span]:
    """The proven spans of one device, cut where the mode of the role changed or a run followed it."""
    held = [*_held(said, good)]
    edges = sorted({edge for span in held for edge in (span.window.start, span.window.end)})
    at = 0
    for span in spans:
        inside = [edge for edge in edges if span.window.start < edge < span.window.end]
        for start, end in pairwise([span.window.start, *inside, span.window.end]):
            while at < len(held) and held[at].window.end <= start:
                at += 1
            here = held[at] if at < len(held) and held[at].window.start <= start else None
            yield _judged(span, Window(start, end), here)


def _held(said: Sequence[ModeSpan], good: Sequence[datetime]) -> Iterator[ModeSpan]:
    """Which mode the device was left in: the new one from the first good run on that came after the change."""
    runs = iter(good)
    run = next(runs, None)
    for span in said:
        while run is not None and run < span.window.start:
            run = next(runs, None)
        followed = min(run, span.window.end) if run is not None else span.window.end
        if span.window.start < followed:
            why = span.why if span.mode is None else NOT_FOLLOWED
            yield ModeSpan(window=Window(span.window.start, followed), mode=None, why=why)
        if followed < span.window.end:
            yield ModeSpan(window=Window(followed, span.window.end), mode=span.mode, why=span.why)


def _judged(proven: Span, part: Window, held: ModeSpan | None) -> Span:
    """No more than was proven of the device, and no more than the policy asked for."""
    if proven.state not in _MILDEST_FIRST:
        return Span(window=part, state=proven.state, cause=proven.cause)
    if held is None or held.mode is None:
        return Span(window=part, state=CoverageState.UNKNOWN, cause=held.why if held is not None else NO_POLICY)
    state = min(proven.state, _STATES[held.mode], key=_MILDEST_FIRST.index)
    return Span(window=part, state=state, cause=proven.cause if state is CoverageState.PARTIAL else "")


__all__ = ["NOT_FOLLOWED", "role_coverage"]
