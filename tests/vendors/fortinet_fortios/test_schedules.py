"""Work hours as schedules of an emulated FortiGate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_address
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import ManualClock
from lab.emulators.fortios import FortiGate
from lab.emulators.fortios.switches import Model
from lab.emulators.server import served
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.fortios import NOON, SITE, VDOMS, configuring, fortigate, shown
from tests.vendors.fortinet_fortios.box import Box
from tests.vendors.fortinet_fortios.fleet import logged_in, look, push, reached
from tests.vendors.fortinet_fortios.wishes import EMPTY, adapter, wish
from vendors import week
from vendors.errors import Uncertain, Unreachable
from vendors.fortinet_fortios.schedules import group_for, is_ours, meaning_of, recurring_for
from vendors.fortinet_fortios.shape import normal
from vendors.model import Desired, WeekSpan

Week = tuple[WeekSpan, ...] | None
WORK: Week = tuple(WeekSpan(day, 8 * 60, 18 * 60) for day in range(5))
BREAKS: Week = tuple(WeekSpan(day, *times) for day in range(5) for times in ((480, 720), (780, 1080)))
NIGHT: Week = (WeekSpan(4, 1320, 1440), WeekSpan(5, 0, 360), WeekSpan(6, 0, 1440))
WEEKS = {"work": WORK, "breaks": BREAKS, "night": NIGHT, "always": None}
RECURRING, GROUPS = "firewall schedule recurring", "firewall schedule group"
PORTS = count(30_000)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def timed(when: Week, *, rules: Iterable[str] = ("deny-company",)) -> Desired:
    made = wish(sources=("10.0.1.0/24",), rules=rules)
    return replace(made, rules=tuple(replace(rule, when=when) for rule in made.rules))


def crossed(*whens: Week) -> Desired:
    """Two policies about the same people, each at its own times."""
    made = wish(sources=("10.0.1.0/24",), rules=("deny-company", "deny-guest"))
    rules = tuple(replace(rule, when=when) for rule, when in zip(made.rules, whens, strict=True))
    return replace(made, rules=rules)


def is_denied(device: FortiGate) -> bool:
    """Of a connection that the owner's policy lets pass all day."""
    flow = Flow(source=ip_address("10.0.1.5"), destination=ip_address("71.18.1.1"), source_port=next(PORTS))
    return device.forward(flow) is Verdict.DENY


def all_day(**options: object) -> tuple[FortiGate, ManualClock]:
    clock = ManualClock(MONDAY)
    return fortigate(base=SITE.replace('set schedule "WORK"', 'set schedule "always"'), clock=clock, **options), clock


def ours(device: FortiGate) -> list[str]:
    lines = [*shown(device, RECURRING).splitlines(), *shown(device, GROUPS).splitlines()]
    return [line.strip() for line in lines if line.startswith('    edit "tokgate-')]


spans = st.builds(
    lambda day, start, length: WeekSpan(day, start, min(start + length, 1440)),
    st.integers(0, 6),
    st.integers(0, 1439),
    st.integers(1, 1440),
)


@given(st.lists(spans, min_size=1, max_size=12))
def test_a_week_is_read_back_as_it_was_written(some: list[WeekSpan]) -> None:
    when = week.normal(some)
    if when is None:
        return
    recurring = {name: normal(attrs) for name, attrs in recurring_for(when).items()}
    group = group_for(recurring)
    assert meaning_of(group, recurring, {group: {"member": tuple(recurring)}} if len(recurring) > 1 else {}) == when
    assert all(len(name) <= 31 and is_ours(name) for name in (group, *recurring))


def test_a_schedule_over_midnight_ends_on_the_next_day_also_of_the_next_week() -> None:
    attrs = {"start": ("22:00",), "end": ("06:00",), "day": ("friday", "sunday")}
    early, late = (0, 6 * 60), (22 * 60, 24 * 60)
    assert meaning_of("x", {"x": attrs}, {}) == (
        WeekSpan(0, *early),
        WeekSpan(4, *late),
        WeekSpan(5, *early),
        WeekSpan(6, *late),
    )
    assert meaning_of("x", {"x": {"start": ("8",), "day": ("friday",)}}, {}) == ()


@pytest.mark.parametrize("when", WEEKS.values(), ids=WEEKS)
def test_the_device_denies_by_its_own_clock(when: Week) -> None:
    device, clock = all_day()
    with reached(device) as session:
        push(session, adapter(), timed(when))
        found, again = look(session, adapter(), timed(when))
    assert (found.irregular, again.is_empty, found.can.schedules) == ((), True, True)
    assert [rule.when for rule in found.rules] == [when]
    for _ in range(7 * 24 * 2):
        clock.advance(timedelta(minutes=30))
        assert is_denied(device) == week.holds_at(when, clock.now()), clock.now()


@pytest.mark.parametrize("workspace", [True, False])
@pytest.mark.parametrize("version", [(6, 0, 7), (6, 4, 4), (7, 4, 8)])
def test_weeks_come_change_are_shared_and_go(version: tuple[int, int, int], workspace: bool) -> None:
    device, _ = all_day(model=Model(version=version))
    using, before = adapter(workspace=workspace), shown(device)
    with reached(device) as session:
        for when in (WORK, BREAKS, NIGHT, None, BREAKS, WORK):
            desired = timed(when, rules=("deny-company", "deny-guest"))
            push(session, using, desired)
            found, again = look(session, using, desired)
            assert (found.irregular, again.is_empty) == ((), True)
            assert len(ours(device)) == {WORK: 1, BREAKS: 3, NIGHT: 4, None: 0}[when], "two policies share one"
        push(session, using, EMPTY)
    assert ours(device) == []
    assert 'edit "WORK"' in shown(device, RECURRING), "the owner's"
    assert before.count("edit") == shown(device).count("edit") - 1, "but for the mark"


@pytest.mark.parametrize("lines", [pytest.param(range(1, 60), marks=pytest.mark.soak), range(29, 45, 2)])
def test_i05_between_two_weeks_it_denies_at_least_what_both_do(lines: range) -> None:
    """A session that dies at any line: whenever both ends deny, be it by another policy, it still does."""
    device, clock = all_day()
    clock.advance(timedelta(hours=9))
    using = adapter(workspace=False)
    ends = [crossed(WORK, NIGHT), crossed(NIGHT, BREAKS)]
    with served([device]) as places:
        at = places[device.name]
        with logged_in(at) as session:
            push(session, using, ends[0])
        for line in lines:
            with logged_in(at) as session:
                found, plan = look(session, using, ends[1])
                device.faults.arm(line, ("before", "after")[line % 2], cut=line % 7)
                try:
                    using.apply(session, found, plan)
                except (Unreachable, Uncertain):
                    pass
                else:
                    assert line > 40, "the whole change is longer"
            device.faults.arm(100_000, "before")
            assert is_denied(device), line
            with logged_in(at) as session:
                push(session, using, ends[1])
                assert look(session, using, ends[1])[1].is_empty
            ends.reverse()


HANDS = {
    "another time": (RECURRING, 'edit "tokgate-1f-0800-1200"', "set start 09:00", "next", "end"),
    "over midnight": (RECURRING, 'edit "tokgate-1f-0800-1200"', "set start 22:00", "next", "end"),
    "no day": (RECURRING, 'edit "tokgate-1f-0800-1200"', "unset day", "next", "end"),
    "another day": (RECURRING, 'edit "tokgate-1f-0800-1200"', "append day sunday", "next", "end"),
    "not in the group": (GROUPS, "edit {week}", 'unselect member "tokgate-1f-0800-1200"', "next", "end"),
    "the owner's in it": (GROUPS, "edit {week}", 'append member "WORK"', "next", "end"),
    "never": ("firewall policy", "edit 900001", 'set schedule "none"', "next", "end"),
    "always": ("firewall policy", "edit 900001", 'set schedule "always"', "next", "end"),
    "the owner's": ("firewall policy", "edit 900001", 'set schedule "WORK"', "next", "end"),
    "one that nothing has": (RECURRING, 'edit "tokgate-01-0100-0200"', "set day monday", "next", "end"),
}


@pytest.mark.parametrize("hand", HANDS)
def test_what_a_hand_did_to_a_schedule_is_seen_and_put_right(hand: str) -> None:
    device, _ = all_day()
    assert BREAKS is not None
    path, *lines = HANDS[hand]
    with reached(device) as session:
        push(session, adapter(), timed(BREAKS))
        before = shown(device)
        configuring(device, path, *(line.format(week=group_for(recurring_for(BREAKS))) for line in lines))
        found, plan = look(session, adapter(), timed(BREAKS))
        assert not plan.is_empty
        assert found.irregular
        assert (found.rules == ()) == (hand in ("never", "the owner's")), "what we do not know denies nothing"
        adapter().apply(session, found, plan)
        assert look(session, adapter(), timed(BREAKS))[1].is_empty
    assert shown(device) == before


def test_a_schedule_that_the_owner_uses_is_kept() -> None:
    device, _ = all_day()
    with reached(device) as session:
        push(session, adapter(), timed(WORK))
        configuring(device, "firewall policy", "edit 3", 'set schedule "tokgate-1f-0800-1800"', "next", "end")
        push(session, adapter(), timed(None))
        assert look(session, adapter(), timed(None))[1].is_empty
    assert ours(device) == ['edit "tokgate-1f-0800-1800"']


def test_the_owners_schedules_are_his() -> None:
    device, _ = all_day()
    configuring(device, RECURRING, 'edit "tokgate-night"', "set day monday", "next", "end")
    with reached(device) as session:
        push(session, adapter(), timed(WORK))
        one = adapter().read(session)
        configuring(device, RECURRING, 'edit "tokgate-night"', "set day sunday", "next", "end")
        other = adapter().read(session)
        push(session, adapter(), timed(BREAKS))
        assert one.foreign != other.foreign == adapter().read(session).foreign, "ours are not in the fingerprint"
        push(session, adapter(), EMPTY)
    assert ours(device) == ['edit "tokgate-night"']


@pytest.mark.parametrize("hours", [0, 3, -11])
def test_the_clock_of_the_device_is_told_as_its_wall_shows_it(hours: int) -> None:
    device = fortigate(zone=timezone(timedelta(hours=hours)))
    with reached(device) as session:
        assert adapter().read(session).wall_time == NOON.replace(tzinfo=None) + timedelta(hours=hours)


def test_in_a_vdom_schedules_are_its_own() -> None:
    device = fortigate(base=f"{VDOMS}config vdom\nedit branch\nend\n")
    with reached(device) as session:
        push(session, adapter(vdom="branch"), timed(BREAKS))
        assert look(session, adapter(vdom="branch"), timed(BREAKS))[1].is_empty


def test_without_schedules_the_controller_keeps_the_hours() -> None:
    with reached(fortigate()) as session:
        assert not adapter(schedules=False).read(session).can.schedules
    found = adapter().parse(Box().reading())
    assert not found.can.schedules
    assert any(note.startswith("schedules:") for note in found.can.notes)
