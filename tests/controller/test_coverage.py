"""Coverage is proven between two looks that agree; everything else is unknown, and unknown is never compliant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.coverage import (
    IN_PART,
    NO_LOOK,
    WORST_FIRST,
    Coverage,
    Tried,
    _device_line,
    by_minute,
    coverage,
    merged,
)
from controller.model import CoverageState, Observation, Window
from core.ids import DeviceName, SiteName

T0 = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
E, PART, M, OFF, NOT, UNKNOWN = (
    CoverageState.ENFORCED,
    CoverageState.PARTIAL,
    CoverageState.MONITORED,
    CoverageState.OFF,
    CoverageState.NOT_ENFORCED,
    CoverageState.UNKNOWN,
)
FRESH = timedelta(minutes=30)
FW = DeviceName("fw-1")


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def look(
    minutes: float, found: CoverageState | None, left: CoverageState | None, cause: str = "", device: DeviceName = FW
) -> Observation:
    return Observation(device=device, site=SiteName("berlin"), at=at(minutes), found=found, left=left, cause=cause)


def covered(
    *looks: Observation, start: float = 0, end: float = 60, now: float = 60, devices: tuple[DeviceName, ...] = (FW,)
) -> Coverage:
    return coverage(looks, Window(at(start), at(end)), devices=devices, now=at(now), freshness=FRESH)


def minutes(result: Coverage) -> dict[CoverageState, float]:
    found = {state: result.total(state) / timedelta(minutes=1) for state in CoverageState}
    return {state: length for state, length in found.items() if length}


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        pytest.param([look(0, E, E), look(15, E, E), look(30, E, E), look(45, E, E)], {E: 60}, id="looks-that-agree"),
        pytest.param([], {UNKNOWN: 60}, id="nobody-looked"),
        pytest.param([look(40, NOT, E)], {UNKNOWN: 40, E: 20}, id="before-the-first-look"),
        pytest.param([look(0, E, E)], {E: 30, UNKNOWN: 30}, id="one-look-stands-for-half-an-hour"),
        pytest.param([look(0, E, E), look(50, E, E)], {E: 40, UNKNOWN: 20}, id="two-looks-too-far-apart"),
        pytest.param(
            [look(0, E, E), look(20, NOT, E), look(40, E, E)], {UNKNOWN: 20, E: 40}, id="lost-at-an-unknown-time"
        ),
        pytest.param(
            [look(0, E, E), look(20, NOT, NOT), look(40, NOT, E)], {UNKNOWN: 20, NOT: 20, E: 20}, id="stays-open"
        ),
        pytest.param(
            [look(0, E, E), look(20, None, None), look(40, E, E)], {E: 40, UNKNOWN: 20}, id="a-look-that-failed"
        ),
        pytest.param([look(0, E, None), look(30, E, E)], {UNKNOWN: 30, E: 30}, id="an-uncertain-change"),
        pytest.param([look(0, E, PART), look(20, PART, PART), look(40, PART, E)], {PART: 40, E: 20}, id="in-part"),
        pytest.param([look(0, OFF, OFF), look(20, OFF, M), look(40, M, E)], {OFF: 20, M: 20, E: 20}, id="by-policy"),
    ],
)
def test_i13_what_the_looks_prove(looks: list[Observation], expected: dict[CoverageState, float]) -> None:
    assert minutes(covered(*looks)) == expected


def test_looks_that_contradict_each_other_say_so_in_words() -> None:
    [first, _] = covered(look(0, E, E), look(20, NOT, NOT), end=30, now=30).spans
    assert first.cause == "left enforced, found not enforced"


def test_the_worst_device_decides_for_its_site() -> None:
    other = DeviceName("fw-2")
    looks = [look(m, E, E) for m in (0, 20, 40)] + [look(0, E, E, device=other), look(20, None, None, device=other)]
    assert minutes(covered(*looks, devices=(FW, other))) == {E: 20, UNKNOWN: 40}


def test_not_enforced_is_worse_than_unknown() -> None:
    other = DeviceName("fw-2")
    looks = [look(0, NOT, NOT, "somebody removed it"), look(20, NOT, NOT, "still"), look(40, NOT, NOT, "still")]
    result = covered(*looks, devices=(FW, other))
    assert minutes(result) == {NOT: 60}
    assert result.spans[0].cause == "somebody removed it"


def test_what_is_held_in_part_says_why_and_is_worse_than_the_whole_list() -> None:
    looks = [look(0, NOT, PART, "nothing of ours was on the device"), look(20, PART, PART, "2 of 5 networks")]
    spans = covered(*looks, now=30).spans
    assert [(span.state, span.cause) for span in spans] == [(PART, IN_PART), (PART, "2 of 5 networks")]
    other = DeviceName("fw-2")
    whole = [look(minute, E, E, device=other) for minute in (0, 20)]
    assert minutes(covered(*looks, *whole, now=30, devices=(FW, other))) == {PART: 30}


def test_a_site_without_devices_is_unknown() -> None:
    assert minutes(covered(devices=())) == {UNKNOWN: 60}


def test_the_future_is_not_covered() -> None:
    looks = [look(0, E, E), look(15, E, E)]
    assert minutes(covered(*looks, now=20)) == {E: 20}
    assert covered(*looks, start=30, now=20).spans == ()


def test_the_look_before_the_window_counts_into_it() -> None:
    assert minutes(covered(look(-10, E, E), look(15, E, E), now=30)) == {E: 30}


STATES = st.sampled_from([E, PART, M, OFF, NOT])
LOOKS = st.lists(st.tuples(st.integers(-40, 100), st.none() | STATES, st.none() | STATES), max_size=12)


@given(LOOKS, st.integers(0, 50), st.integers(1, 90))
def test_the_spans_fill_the_window_without_gap_or_overlap(
    drawn: list[tuple[int, CoverageState | None, CoverageState | None]], start: int, length: int
) -> None:
    looks = [look(minute, found, left if found else None) for minute, found, left in drawn]
    result = covered(*looks, start=start, end=start + length, now=200)
    assert sum((s.window.end - s.window.start for s in result.spans), timedelta()) == timedelta(minutes=length)
    assert all(one.window.end == two.window.start for one, two in zip(result.spans, result.spans[1:], strict=False))
    assert all(one.window.start < one.window.end for one in result.spans)


@given(LOOKS, st.integers(0, 60))
def test_i13_a_failed_look_never_adds_enforced_time(
    drawn: list[tuple[int, CoverageState | None, CoverageState | None]], minute: int
) -> None:
    looks = [look(m, found, left if found else None) for m, found, left in drawn if m != minute]
    before = covered(*looks, now=200)
    after = covered(*looks, look(minute, None, None), now=200)
    assert after.total(E) <= before.total(E)


@given(LOOKS, st.integers(0, 50), st.integers(1, 90))
def test_minutes_are_the_worst_of_their_seconds_and_fill_the_window(
    drawn: list[tuple[int, CoverageState | None, CoverageState | None]], start: int, length: int
) -> None:
    looks = [look(minute + minute % 7 / 10, found, left if found else None) for minute, found, left in drawn]
    known = covered(*looks, start=start, end=start + length, now=200)
    cells = list(by_minute(known))
    assert (cells[0].start, cells[-1].end) == (at(start), at(start + length))
    assert all(one.end == two.start for one, two in pairwise(cells))
    for minute in range(start, start + length):
        inside = [s for s in known.spans if s.window.start < at(minute + 1) and s.window.end > at(minute)]
        worst = min((s.state for s in inside), key=WORST_FIRST.index)
        assert next(c.state for c in cells if c.start <= at(minute) < c.end) is worst


def probe(minute: float, leaks: bool, path: str = "tcp 443") -> Tried:
    return Tried(at=at(minute), path=path, leaks=leaks)


GOOD = [look(m, E, E) for m in (0, 15, 30, 45)]


@pytest.mark.parametrize(
    ("looks", "proofs", "expected"),
    [
        pytest.param(GOOD, [probe(5, leaks=False)], {E: 60}, id="stopped-adds-nothing"),
        pytest.param(GOOD, [probe(10, leaks=True), probe(22, leaks=False)], {E: 48, NOT: 12}, id="until-it-is-stopped"),
        pytest.param(GOOD, [probe(10, leaks=True)], {E: 10, NOT: 30, UNKNOWN: 20}, id="not-tried-again"),
        pytest.param(
            GOOD, [probe(10, leaks=True), probe(12, leaks=False, path="udp 443")], {E: 10, NOT: 30, UNKNOWN: 20},
            id="another-path-says-nothing-of-it",
        ),
        pytest.param([], [probe(10, leaks=False)], {UNKNOWN: 60}, id="one-path-does-not-prove-a-site"),
        pytest.param(
            [look(0, E, E), look(20, E, OFF), look(40, OFF, OFF)], [probe(10, leaks=True)], {E: 10, NOT: 10, OFF: 40},
            id="where-nothing-should-be-stopped-nothing-leaks",
        ),
    ],
)  # fmt: skip
def test_i13_a_leak_is_believed_more_than_the_devices(
    looks: list[Observation], proofs: list[Tried], expected: dict[CoverageState, float]
) -> None:
    found = coverage(looks, Window(at(0), at(60)), devices=(FW,), now=at(60), freshness=FRESH, proofs=proofs)
    assert minutes(found) == expected


@given(st.lists(st.tuples(st.integers(-40, 100), st.sampled_from([E, E, E, M])), max_size=9), st.integers(0, 50))
def test_what_is_steady_is_what_would_have_been_worked_out(drawn: list[tuple[int, CoverageState]], start: int) -> None:
    looks = sorted((look(minute, state, state) for minute, state in drawn), key=lambda o: o.at)
    whole = Window(at(start), at(start + 30))
    found = covered(*looks, start=start, end=start + 30, now=200)
    assert list(found.spans) == list(merged(_device_line(looks, whole, FRESH)))


def causes(result: Coverage) -> list[tuple[float, str]]:
    return [((span.window.start - T0) / timedelta(minutes=1), span.cause) for span in result.spans]


def test_a_failed_look_says_why_for_as_long_as_a_good_one_would_be_trusted() -> None:
    """It knows nothing of the days before it, nor of those behind it."""
    failed = look(100, None, None, "TG1002 it did not answer")
    alone = covered(failed, end=300, now=300)
    assert causes(alone) == [(0, NO_LOOK), (100, failed.cause), (130, NO_LOOK)]
    behind = covered(look(0, E, E), failed, look(110, None, None, failed.cause), end=300, now=300)
    assert causes(behind) == [(0, ""), (30, NO_LOOK), (100, failed.cause), (140, NO_LOOK)]
    between = covered(look(0, E, E), look(20, None, None, "no answer"), look(90, E, E), end=100, now=100)
    assert causes(between) == [(0, ""), (20, "no answer"), (50, NO_LOOK), (90, "")]
