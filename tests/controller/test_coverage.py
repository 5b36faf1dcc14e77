"""Coverage is proven between two looks that agree; everything else is unknown, and unknown is never compliant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.coverage import IN_PART, Coverage, coverage
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
