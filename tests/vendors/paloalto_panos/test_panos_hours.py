"""Rules of PAN-OS that hold at times of the week: schedules that the firewall judges by its own clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import ManualClock
from lab.emulators.panos import PA_5250, Switches
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.panos import NOON, operating, panos
from tests.vendors.paloalto_panos.boxes import PASSWORD, USERS, Box, serving
from tests.vendors.paloalto_panos.readings import firewall
from tests.vendors.paloalto_panos.test_panos_ssh import VSYS, foreign, typed
from tests.vendors.paloalto_panos.test_panos_text import EMPTY, _with
from tests.vendors.paloalto_panos.test_panos_text import OFFICE as ALWAYS
from vendors.diff import diff
from vendors.errors import Refused, Unreadable
from vendors.model import Desired, WeekSpan
from vendors.paloalto_panos.hours import is_ours, schedule_attrs, schedule_name, spans_of, when_of
from vendors.week import DAY, normal

MONDAY, TUESDAY = 0, 1
WORK = (WeekSpan(MONDAY, 8 * 60, 12 * 60), WeekSpan(MONDAY, 13 * 60, 18 * 60), WeekSpan(TUESDAY, 0, DAY))
EVENING = (WeekSpan(MONDAY, 18 * 60, DAY),)


def wanted(when: tuple[WeekSpan, ...] | None) -> Desired:
    desired = _with(ALWAYS, "src-company", "10.0.1.0/24")
    return replace(desired, rules=tuple(replace(rule, when=when) for rule in desired.rules))


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, "tokgate")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def box(clock: ManualClock) -> Iterator[Box]:
    with serving(panos(users=USERS, clock=clock)) as there:
        yield there


def denied(box: Box) -> bool:
    with box.device.lock:
        flow = Flow(source=ip_address("10.0.1.5"), destination=ip_address("192.0.2.7"))
        return box.device.forward(flow) is Verdict.DENY


def schedules(box: Box) -> list[str]:
    with box.device.lock:
        text = operating(box.device, "admin").type("show config running")
    return sorted({word for word in text.split() if word.startswith("tokgate-w-")} - {";"})


def test_the_firewall_keeps_the_week_by_its_own_clock(box: Box, clock: ManualClock) -> None:
    before = foreign(box)
    observed = box.read()
    assert observed.can.schedules
    assert observed.wall_time == datetime(2026, 3, 2, 12, 0)  # noqa: DTZ001  # the device tells no zone
    box.sync(wanted(WORK))
    assert box.holds(wanted(WORK))
    assert box.read().rules[0].when == WORK
    found = {}
    for hour in (0.5, 2, 7, 13, 35, 37):  # of Monday noon, and Tuesday
        clock.advance(NOON + timedelta(hours=hour) - clock.now())
        found[hour] = denied(box)
    assert found == {0.5: False, 2: True, 7: False, 13: True, 35: True, 37: False}
    assert box.holds(wanted(WORK)), "also out of hours"
    assert foreign(box) == before


def test_another_week_is_another_schedule_and_the_old_one_goes(box: Box) -> None:
    for when in (WORK, EVENING, None, WORK):
        box.sync(wanted(when))
        assert box.holds(wanted(when))
        names = {name.rstrip(";") for name in schedules(box)}
        assert names == ({schedule_name(when)} if when else set())
    box.sync(EMPTY)
    assert schedules(box) == []


def test_rules_share_a_schedule_and_a_change_of_one_leaves_the_others(box: Box) -> None:
    first = wanted(WORK)
    guests = replace(first.rules[0], name="deny-guest", when=WORK)  # type: ignore[arg-type]
    both = replace(first, rules=(*first.rules, guests))
    box.sync(both)
    assert box.holds(both)
    apart = replace(both, rules=(both.rules[0], replace(guests, when=EVENING)))
    observed = box.read()
    lines = firewall().render(observed, diff(observed, apart, observed.can)).text.splitlines()
    assert not any(schedule_name(WORK) in line for line in lines)
    box.sync(apart)
    assert box.holds(apart)
    assert len({name.rstrip(";") for name in schedules(box)}) == 2


NAME = schedule_name(WORK)
RULE = "rulebase security rules tokgate-deny-company"
HANDS = {
    "a window longer": (f"set schedule {NAME} schedule-type recurring weekly monday 19:00-20:00",),
    "a window less": (f"delete schedule {NAME} schedule-type recurring weekly monday 08:00-12:00",),
    "a day less": (f"delete schedule {NAME} schedule-type recurring weekly tuesday",),
    "every day": (f"set schedule {NAME} schedule-type recurring daily 08:00-18:00",),
    "one date": (f"set schedule {NAME} schedule-type non-recurring 2026/03/02@08:00-2026/03/03@18:00",),
    "their schedule": (f"set {RULE} schedule NIGHTS",),
    "no schedule": (f"delete {RULE} schedule",),
    "one of our form": ("set schedule tokgate-w-000000000000-00 schedule-type recurring daily 08:00-18:00",),
}


@pytest.mark.parametrize("lines", HANDS.values(), ids=HANDS)
def test_what_a_hand_did_to_the_hours_is_seen_and_put_right(box: Box, lines: tuple[str, ...]) -> None:
    box.sync(wanted(WORK))
    before = foreign(box)
    typed(box, *lines)
    assert not box.holds(wanted(WORK))
    box.sync(wanted(WORK))
    assert box.holds(wanted(WORK))
    assert foreign(box) == before


def test_a_schedule_of_ours_that_the_owner_uses_stays_and_is_told(box: Box) -> None:
    box.sync(wanted(WORK))
    typed(box, f"set rulebase security rules OUT schedule {NAME}")
    with pytest.raises(Refused, match="reverted"):
        box.sync(wanted(EVENING))
    assert box.holds(wanted(WORK))


def test_their_schedule_of_our_prefix_is_a_strangers(box: Box) -> None:
    typed(box, "set schedule tokgate-mine schedule-type recurring daily 08:00-09:00")
    with pytest.raises(Refused, match="tokgate-mine"):
        box.sync(wanted(WORK))


@pytest.mark.parametrize("shown", [True, False])
def test_what_runs_is_compared_also_where_idle_rules_are_not_shown(shown: bool) -> None:
    device = panos(users=USERS, clock=ManualClock(NOON), switches=Switches(idle_rules_shown=shown))
    with serving(device) as box:
        box.sync(wanted(EVENING))
        assert box.holds(wanted(EVENING))
        assert not denied(box)


def test_a_virtual_system_has_schedules_of_its_own() -> None:
    adapter = firewall(vsys="vsys2")
    with serving(panos(users=USERS, clock=ManualClock(NOON), model=PA_5250, base=VSYS)) as box:
        box.sync(wanted(WORK), adapter)
        assert box.holds(wanted(WORK), adapter)


# --- as text ----------------------------------------------------------------------------------------------------------


@st.composite
def weeks(draw: st.DrawFn) -> tuple[WeekSpan, ...]:
    spans = draw(
        st.lists(
            st.builds(
                lambda day, start, length: WeekSpan(day, start, min(DAY, start + length)),
                st.integers(0, 6),
                st.integers(0, DAY - 2),
                st.integers(1, DAY),
            ),
            min_size=1,
            max_size=8,
        )
    )
    return normal(spans) or WORK


@given(weeks())
def test_a_week_is_read_back_to_the_minute(when: tuple[WeekSpan, ...]) -> None:
    name, attrs = schedule_name(when), schedule_attrs(when)
    assert len(name) <= 31
    assert all(line[:5] < line[6:] for lines in attrs.values() for line in lines)
    assert when_of(spans_of(name, attrs)) == when
    assert is_ours(name, attrs)


def test_the_last_minute_of_a_day_is_a_window() -> None:
    late = (WeekSpan(2, DAY - 1, DAY),)
    assert schedule_attrs(late) == {"schedule-type recurring weekly wednesday": ("23:58-23:59",)}
    assert spans_of(schedule_name(late), schedule_attrs(late)) == late


def test_a_time_that_is_none_is_no_schedule() -> None:
    with pytest.raises(Unreadable):
        spans_of(NAME, {"schedule-type recurring weekly monday": ("08:00-25:00",)})
