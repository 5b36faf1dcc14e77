"""The week of a rule on an emulated ASA: time-ranges, the device's own clock, and traffic inside and outside of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import ManualClock
from lab.emulators.asa import Asa, Switches
from lab.emulators.asa.schedule import LINGER
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.asa import running
from tests.vendors.cisco_asa.boxes import (
    DENY,
    FQDN,
    NOTHING,
    SOURCES,
    VIDEO,
    WISH,
    box,
    desired,
    lines_of,
    look,
    planned,
    typed_in,
)
from tests.vendors.cisco_asa.boxes import pushed as push
from tests.vendors.cisco_asa.reaching import reached
from vendors import week
from vendors.cisco_asa.adapter import deviations
from vendors.cisco_asa.facts import wall_time
from vendors.cisco_asa.times import lines_of as written
from vendors.cisco_asa.times import name_of, when_in
from vendors.model import Desired, WeekSpan

ENTRY = "access-list INSIDE_IN extended deny ip object-group tokgate-src-company object-group tokgate-dst-video log"
HOURS = tuple(WeekSpan(day, 8 * 60, 17 * 60) for day in range(5))
NIGHT = (WeekSpan(0, 0, 360), WeekSpan(0, 1320, 1440), WeekSpan(5, 0, 1440), WeekSpan(6, 0, 60))
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
MINUTES = st.integers(min_value=0, max_value=1440) | st.sampled_from((0, 1, 1439, 1440))


@st.composite
def weeks(draw: st.DrawFn) -> tuple[WeekSpan, ...]:
    """Some windows on some days, which may touch at midnight."""
    spans = []
    for day in draw(st.sets(st.integers(0, 6), min_size=1)):
        edges = sorted(draw(st.sets(MINUTES, min_size=2, max_size=6)))
        spans += [WeekSpan(day, *pair) for pair in zip(edges[::2], edges[1::2], strict=False)]
    return week.normal(spans) or HOURS


def wish(when: tuple[WeekSpan, ...] | None) -> Desired:
    return desired([SOURCES, VIDEO, FQDN], [replace(DENY, when=when)])


def clock_of(device: Asa) -> ManualClock:
    assert isinstance(device.clock, ManualClock)
    return device.clock


def denies(device: Asa) -> bool:
    flow = Flow(source=ip_address("10.0.1.9"), destination=ip_address("203.0.113.5"))
    return device.forward(flow) is Verdict.DENY


def at(device: Asa, minutes: float) -> Asa:
    """So many minutes into the week."""
    clock_of(device).jump(MIDNIGHT + timedelta(minutes=minutes))
    return device


# --- the text ---------------------------------------------------------------------------------------------------------


@given(when=weeks())
def test_times_are_written_and_read_back(when: tuple[WeekSpan, ...]) -> None:
    assert when_in(written(when)) == when
    assert when_in(line.lower() for line in reversed(written(when))) == when


@pytest.mark.parametrize(
    ("span", "line"),
    [
        (WeekSpan(0, 480, 1080), "periodic Monday 8:00 to 18:00"),
        (WeekSpan(5, 0, 1439), "periodic Saturday 0:00 to 23:59"),
        (WeekSpan(2, 1080, 1440), "periodic Wednesday 18:00 to Thursday 0:00"),
        (WeekSpan(6, 0, 1440), "periodic Sunday 0:00 to Monday 0:00"),
    ],
)
def test_a_window_up_to_midnight_ends_at_the_start_of_the_next_day(span: WeekSpan, line: str) -> None:
    assert written((span,)) == (line,)
    assert when_in([line]) == (span,)


@given(one=weeks(), other=weeks())
def test_other_times_have_another_name(one: tuple[WeekSpan, ...], other: tuple[WeekSpan, ...]) -> None:
    assert (name_of(one) == name_of(other)) is (one == other)


@pytest.mark.parametrize(
    ("lines", "meant"),
    [
        (["periodic weekdays 8:00 to 17:00"], HOURS),
        (["periodic Monday Tuesday 8:00 to 9:00"], (WeekSpan(0, 480, 540), WeekSpan(1, 480, 540))),
        (["periodic Sunday 23:00 to Monday 1:00"], (WeekSpan(0, 0, 60), WeekSpan(6, 1380, 1440))),
        (
            ["periodic Friday 20:00 to Sunday 4:00"],
            (WeekSpan(4, 1200, 1440), WeekSpan(5, 0, 1440), WeekSpan(6, 0, 240)),
        ),
        (["periodic daily 0:00 to 1:00"], tuple(WeekSpan(day, 0, 60) for day in range(7))),
        (["absolute start 00:00 01 January 2023 end 12:00 02 May 2099"], None),
        (["periodic weekdays 8:00 to 17:00", "absolute end 12:00 02 May 2099"], None),
        (["periodic Monday 8:00 to 8:00"], None),
        (["periodic Monday Tuesday 8:00 to Friday 9:00"], None),
        (["periodic Someday 8:00 to 9:00"], None),
        (["periodic Monday 8:00 to 24:00"], None),
        ([], None),
    ],
)
def test_other_ways_to_say_it_are_understood_and_what_is_no_week_is_none(
    lines: list[str], meant: tuple[WeekSpan, ...] | None
) -> None:
    assert when_in(lines) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("23:30:05.142 UTC Fri Aug 5 2005", datetime.fromisoformat("2005-08-05T23:30:05")),
        ("*07:00:00.001 CEST Mon Mar 30 2026", datetime.fromisoformat("2026-03-30T07:00:00")),
        ("Time source is NTP", None),
        ("25:30:05.142 UTC Fri Aug 5 2005", None),
        ("23:30:05.142 UTC Fri Abc 5 2005", None),
    ],
)
def test_the_clock_is_read_or_not_told(text: str, meant: datetime | None) -> None:
    assert wall_time(text) == meant


# --- on the device ----------------------------------------------------------------------------------------------------


def test_a_rule_holds_in_its_hours_by_the_devices_own_clock(tmp_path: Path) -> None:
    device = box(zone=timezone(timedelta(hours=-5)))
    with reached(device, tmp_path) as found:
        found.push(wish(HOURS))
        seen = found.look()
        assert seen.rules == wish(HOURS).rules
        assert (seen.can.schedules, seen.irregular) == (True, ())
        assert seen.wall_time == datetime.fromisoformat("2026-03-02T07:00"), "noon in UTC"
        assert found.is_done(wish(HOURS))
        assert not denies(device)
        clock_of(device).advance(timedelta(hours=1))
        assert denies(device)
        clock_of(device).advance(timedelta(hours=9) + LINGER)
        assert not denies(device)
        found.push(NOTHING)
    assert "tokgate-w-" not in str(look(device).extra)


@pytest.mark.parametrize("inclusive", [False, True])
def test_a_window_up_to_midnight_leaves_no_gap(inclusive: bool) -> None:
    device = push(box(switches=Switches(last_minute_holds=inclusive)), wish(NIGHT))
    for minute, denied in ((0, True), (359, True), (365, False), (1319, False), (1320, True), (1439.9, True)):
        assert denies(at(device, minute)) is denied, minute
    saturday = 5 * week.DAY
    for minute, denied in ((-10, False), (0, True), (week.DAY - 0.1, True), (week.DAY, True), (week.DAY + 65, False)):
        assert denies(at(device, saturday + minute)) is denied, minute


@pytest.mark.parametrize("new", [HOURS, None, NIGHT], ids=["same", "always", "other"])
@pytest.mark.parametrize("old", [HOURS, None], ids=["hours", "always"])
@pytest.mark.parametrize("minute", [60, 600, 1380], ids=["night", "day", "evening"])
def test_i05_every_line_leaves_something_as_strict_and_no_stricter(
    old: tuple[WeekSpan, ...] | None, new: tuple[WeekSpan, ...] | None, minute: int
) -> None:
    device = at(push(box(), wish(old)), minute)
    local = clock_of(device).now().replace(tzinfo=None)
    ends = [week.holds_at(old, local), week.holds_at(new, local)]
    lines = lines_of(planned(device, wish(new)))
    assert bool(lines) is (old != new)
    for upto in range(len(lines) + 1):
        half = at(push(box(), wish(old)), minute)
        typed_in(half, lines[:upto])
        if all(ends):
            assert denies(half), lines[:upto]
        if not any(ends):
            assert not denies(half), lines[:upto]
    assert look(half).rules == wish(new).rules
    assert planned(half, wish(new)) == ()


@pytest.mark.parametrize(
    ("old", "new", "stand_ins"), [(HOURS, NIGHT, 2), (HOURS, None, 1), (None, HOURS, 1), (None, None, 0)]
)
def test_a_rule_is_covered_in_the_times_of_both_and_no_more(
    old: tuple[WeekSpan, ...] | None, new: tuple[WeekSpan, ...] | None, stand_ins: int
) -> None:
    lines = lines_of(planned(push(box(), wish(old)), wish(new)))
    assert sum(line.startswith("object-group network tokgate-cover.") for line in lines) == stand_ins


def test_the_same_times_in_other_words_are_left_alone() -> None:
    device = push(box(), wish(HOURS))
    days = [f"no {line}" for line in written(HOURS)]
    typed_in(device, [f"time-range {name_of(HOURS)}", "periodic weekdays 8:00 to 17:00", *days])
    assert look(device).rules == wish(HOURS).rules
    assert deviations(look(device)) == ()
    assert planned(device, wish(HOURS)) == ()
    typed_in(device, [f"time-range {name_of(HOURS)}", "periodic Sunday 8:00 to 17:00"])
    lines = lines_of(planned(device, wish(HOURS)))
    assert "no periodic Sunday 8:00 to 17:00" in lines
    push(device, wish(HOURS))
    assert planned(device, wish(HOURS)) == ()


def test_a_range_that_nothing_uses_is_told_and_taken_away() -> None:
    device = push(box(), WISH)
    typed_in(device, ["time-range tokgate-w-0123456789abcdef", "periodic daily 8:00 to 17:00"])
    assert "no time-range tokgate-w-0123456789abcdef" in deviations(look(device))[0]
    assert lines_of(planned(device, WISH)) == ["no time-range tokgate-w-0123456789abcdef"]


def test_i01_a_range_that_only_begins_like_ours_is_the_sites() -> None:
    device = box()
    before = look(device).foreign
    typed_in(device, ["time-range tokgate-w-mine", "periodic daily 8:00 to 17:00"])
    assert look(device).foreign != before
    push(device, wish(HOURS))
    assert planned(device, wish(HOURS)) == ()
    typed_in(device, [f"{ENTRY} time-range tokgate-w-mine"])
    assert look(device).rules != wish(HOURS).rules
    push(device, wish(HOURS))
    push(device, NOTHING)
    assert "time-range tokgate-w-mine" in running(device)


def test_what_somebody_did_to_a_range_is_told_and_put_right() -> None:
    name = name_of(HOURS)
    for lines in (
        [f"time-range {name}", "absolute end 12:00 02 May 2030"],
        [f"time-range {name}", "no periodic Monday 8:00 to 17:00"],
        [f"time-range {name}", "periodic Sunday 8:00 to 17:00"],
    ):
        device = push(box(), wish(HOURS))
        typed_in(device, lines)
        assert deviations(look(device)) or look(device).rules != wish(HOURS).rules, lines
        push(device, wish(HOURS))
        assert deviations(look(device)) == ()
        assert look(device).rules == wish(HOURS).rules


def test_a_range_of_the_sites_own_on_our_entry_is_none_of_ours() -> None:
    device = push(box(), WISH)
    typed_in(device, [f"{ENTRY} time-range nights"])
    assert deviations(look(device))
    push(device, WISH)
    assert deviations(look(device)) == ()
    assert denies(device)


def test_a_range_that_the_site_uses_stays_and_nothing_is_sent() -> None:
    device = push(box(), wish(HOURS))
    acl = f"access-list INSIDE_IN line 1 extended permit tcp any any eq 9 time-range {name_of(HOURS)}"
    typed_in(device, [acl])
    with pytest.raises(Exception, match="a line of the site refers to tokgate-w-"):
        planned(device, WISH)
