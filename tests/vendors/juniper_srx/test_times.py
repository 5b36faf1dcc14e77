"""The week of a rule on an emulated SRX: schedulers, the device's own clock, and traffic inside and outside of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.emulators.srx import Switches
from tests.lab.emulators.srx import SITE, active, srx
from tests.vendors.juniper_srx.fleet import (
    MEMBERS,
    NOTHING,
    clock_of,
    clustered,
    foreign,
    reached,
    typed,
    wish,
)
from vendors import week
from vendors.juniper_srx.times import name_of, statements_of, when_in
from vendors.model import WeekSpan

HOURS = tuple(WeekSpan(day, 8 * 60, 17 * 60) for day in range(5))
NIGHT = (WeekSpan(0, 0, 360), WeekSpan(0, 1320, 1440), WeekSpan(5, 0, 1440))
MINUTES = st.integers(min_value=0, max_value=1440)


@st.composite
def weeks(draw: st.DrawFn) -> tuple[WeekSpan, ...]:
    """Up to two windows on each of some days."""
    spans = []
    for day in draw(st.sets(st.integers(0, 6), min_size=1)):
        edges = sorted(draw(st.sets(MINUTES, min_size=4, max_size=4)))
        pairs = [(edges[0], edges[1]), (edges[2], edges[3])][: draw(st.integers(1, 2))]
        spans += [WeekSpan(day, start, end) for start, end in pairs]
    return tuple(sorted(spans))


@given(when=weeks())
def test_times_are_written_and_read_back(when: tuple[WeekSpan, ...]) -> None:
    said = statements_of(when)
    assert when_in(said) == when
    assert len({words[0] for words in said}) == 7, "every day is said"
    assert week.most_a_day(when) <= 2


@given(one=weeks(), other=weeks())
def test_other_times_have_another_name(one: tuple[WeekSpan, ...], other: tuple[WeekSpan, ...]) -> None:
    assert (name_of(one) == name_of(other)) is (one == other)


@pytest.mark.parametrize(
    "inside",
    [
        {("monday", "start-time", "17:00", "stop-time", "08:00")},
        {("monday", "start-time", "08:00:30", "stop-time", "17:00")},
        {("monday", "start-time", "08:00")},
        {("daily", "start-time", "08:00", "stop-time", "17:00")},
        {("start-date", "2026-01-01.00:00", "stop-date", "2026-02-01.00:00")},
        {("monday", "exclude")},
        set(),
    ],
)
def test_what_we_never_write_is_no_time(inside: set[tuple[str, ...]]) -> None:
    assert when_in(inside) is None


def test_hours_alone_are_read_as_a_box_may_print_them() -> None:
    assert when_in({("monday", "start-time", "08", "stop-time", "17")}) == (WeekSpan(0, 480, 1020),)


# --- on the device ----------------------------------------------------------------------------------------------------


def test_a_rule_holds_in_its_hours_by_the_devices_own_clock() -> None:
    with reached() as at:
        owners = foreign(at.device)
        at.push(wish(when=HOURS))
        found = at.look()
        assert at.holds(wish(when=HOURS))
        assert found.rules[0].when == HOURS
        assert (found.can.schedules, found.can.max_spans) == (True, 2)
        assert not at.passes(), "Monday, noon"
        clock_of(at.device).advance(timedelta(hours=4, minutes=59))
        assert not at.passes(source_port=1)
        clock_of(at.device).advance(timedelta(minutes=1))
        assert at.passes(source_port=2)
        at.push(NOTHING)
        assert "scheduler" not in active(at.device)
        assert foreign(at.device) == owners


@pytest.mark.parametrize("inclusive", [False, True])
def test_a_window_up_to_midnight_and_a_whole_day(inclusive: bool) -> None:
    with reached(srx(switches=Switches(stop_inclusive=inclusive))) as at:
        at.push(wish(when=NIGHT))
        assert at.holds(wish(when=NIGHT))
        for hours, denied in ((0, False), (10, True), (11.9, True), (12, False), (5 * 24 - 12, True), (5 * 24, True)):
            clock_of(at.device).advance(timedelta(hours=hours) - (at.device.clock.now() - at.device.booted))
            assert at.passes(source_port=int(hours * 10)) is not denied, hours


def test_rules_of_the_same_hours_share_a_scheduler_and_others_have_their_own() -> None:
    with reached() as at:
        both = wish(deny=("company", "marketing"), when=HOURS)
        at.push(both)
        assert len({line.split()[3] for line in active(at.device).splitlines() if " schedulers " in line}) == 1
        first, second = both.rules
        apart = replace(both, rules=(first, replace(second, when=NIGHT)))
        at.push(apart)
        assert at.holds(apart)
        assert len({line.split()[3] for line in active(at.device).splitlines() if " schedulers " in line}) == 2
        always = replace(both, rules=(first, replace(second, when=None)))
        at.push(always)
        assert at.holds(always)
        assert name_of(NIGHT) not in active(at.device), "nothing refers to it any more"
        clock_of(at.device).advance(timedelta(hours=8))
        assert at.passes()
        assert not at.passes(source="10.0.2.7")


def test_the_change_of_hours_is_one_commit_with_the_new_ones_in_it() -> None:
    """No moment between the two: the policy goes over from one scheduler to the other where they both are."""
    with reached() as at:
        at.push(wish(when=HOURS))
        found, plan = at.plan(wish(when=NIGHT))
        text = at.using.render(found, plan).text
        assert f"delete schedulers scheduler {name_of(HOURS)}\n" in text
        assert f"policy tokgate-deny-company scheduler-name {name_of(NIGHT)}\n" in text
        assert "delete security policies" not in text
        commits = len(at.device.database.history)
        at.push(wish(when=NIGHT))
        assert len(at.device.database.history) == commits + 1


NAME = f"schedulers scheduler {name_of(HOURS)}"
HANDS = {
    "another hour": (f"delete {NAME} monday", f"set {NAME} monday start-time 09:00 stop-time 17:00"),
    "a day off": (f"delete {NAME} friday", f"set {NAME} friday exclude"),
    "a range of dates": (f"set {NAME} start-date 2026-12-24.00:00 stop-date 2026-12-27.00:00",),
    "switched off": (f"deactivate {NAME} tuesday",),
    "without its words": (f"delete {NAME} description",),
    "one more": ("set schedulers scheduler tokgate-t-x daily all-day",),
}


@pytest.mark.parametrize("hand", HANDS)
def test_i03_every_hand_on_a_scheduler_is_seen_and_undone(hand: str) -> None:
    with reached() as at:
        at.push(wish(when=HOURS))
        owners = foreign(at.device)
        typed(at.device, *HANDS[hand])
        assert not at.holds(wish(when=HOURS))
        at.push(wish(when=HOURS))
        assert at.holds(wish(when=HOURS))
        assert not at.passes()
        assert foreign(at.device) == owners


def test_a_scheduler_on_a_rule_that_should_always_hold_is_seen() -> None:
    with reached() as at:
        at.push(wish())
        typed(at.device, "set schedulers scheduler never daily exclude",
              "set security policies global policy tokgate-deny-company scheduler-name never")  # fmt: skip
        assert not at.holds(wish())
        at.push(wish())
        assert at.holds(wish())
        assert "scheduler never" in active(at.device)


def test_i01_the_owners_schedulers_are_left_alone() -> None:
    theirs = (
        "set schedulers scheduler office monday start-time 08:00 stop-time 17:00\n"
        "set security policies global policy web-in scheduler-name office\n"
    )
    with reached(srx(base=SITE + theirs)) as at:
        owners = foreign(at.device)
        at.push(wish(when=HOURS))
        at.push(wish(*MEMBERS, "192.0.2.0/24", when=NIGHT))
        at.push(NOTHING)
        assert foreign(at.device) == owners


def test_the_clock_on_the_devices_wall_is_told() -> None:
    with reached(srx(base=SITE + "set system time-zone America/New_York\n")) as at:
        assert at.look().wall_time == datetime.fromisoformat("2026-03-02T07:00")
    with clustered() as (first, second):
        first.push(wish(when=HOURS))
        assert first.holds(wish(when=HOURS))
        assert first.look().wall_time == second.look().wall_time == datetime.fromisoformat("2026-03-02T12:00")
