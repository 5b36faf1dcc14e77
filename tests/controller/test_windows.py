"""Work hours: asked in the site's zone, over every kind of clock change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.model import Mode
from controller.windows import DAYS, DayKind, idle_windows, mode_at, next_edge, offset_changes

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Hours:
    days: frozenset[str]
    start: time
    end: time
    mode: Mode = Mode.ENFORCE
    on: DayKind = DayKind.ANY
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class Role:
    mode: Mode
    windows: tuple[Hours, ...] = ()


def hours(days: str, start: str, end: str, mode: Mode = Mode.ENFORCE) -> Hours:
    names = DAYS if days == "daily" else days.split()
    return Hours(frozenset(names), time.fromisoformat(start), time.fromisoformat(end), mode)


def role(*windows: Hours, mode: Mode = Mode.OFF) -> Role:
    return Role(mode, windows)


def at(local: str, zone: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


WORK = role(hours("mon tue wed thu fri", "08:00", "18:00"))
FRIDAY_NIGHT = role(hours("fri", "22:00", "06:00"))
EARLY = role(hours("daily", "02:30", "02:45"))


@pytest.mark.parametrize(
    ("policy", "zone", "local", "mode"),
    [
        pytest.param(WORK, "Europe/Berlin", "2026-06-01T07:59", Mode.OFF, id="a-minute-early"),
        pytest.param(WORK, "Europe/Berlin", "2026-06-01T08:00", Mode.ENFORCE, id="start-is-inside"),
        pytest.param(WORK, "Europe/Berlin", "2026-06-01T18:00", Mode.OFF, id="end-is-outside"),
        pytest.param(WORK, "Europe/Berlin", "2026-06-06T12:00", Mode.OFF, id="saturday"),
        pytest.param(WORK, "Asia/Kolkata", "2026-06-01T08:00", Mode.ENFORCE, id="half-hour-zone"),
        pytest.param(FRIDAY_NIGHT, "Europe/Berlin", "2026-06-05T21:59", Mode.OFF, id="before-the-night"),
        pytest.param(FRIDAY_NIGHT, "Europe/Berlin", "2026-06-05T23:00", Mode.ENFORCE, id="friday-evening"),
        pytest.param(FRIDAY_NIGHT, "Europe/Berlin", "2026-06-06T05:59", Mode.ENFORCE, id="saturday-is-fridays-night"),
        pytest.param(FRIDAY_NIGHT, "Europe/Berlin", "2026-06-06T06:00", Mode.OFF, id="night-over"),
        pytest.param(FRIDAY_NIGHT, "Europe/Berlin", "2026-06-05T05:00", Mode.OFF, id="friday-early-is-thursdays-night"),
        pytest.param(FRIDAY_NIGHT, "Europe/Berlin", "2026-06-06T23:00", Mode.OFF, id="saturday-evening"),
        pytest.param(
            role(hours("sun", "20:00", "04:00")), "UTC", "2026-06-08T03:00", Mode.ENFORCE, id="sunday-to-monday"
        ),
        pytest.param(
            role(hours("sat", "18:00", "00:00")), "UTC", "2026-06-06T23:59", Mode.ENFORCE, id="until-midnight"
        ),
        pytest.param(
            role(hours("sat", "18:00", "00:00")), "UTC", "2026-06-07T00:00", Mode.OFF, id="midnight-is-outside"
        ),
        pytest.param(role(hours("sat", "00:00", "00:00")), "UTC", "2026-06-06T13:00", Mode.ENFORCE, id="the-whole-day"),
        pytest.param(role(hours("sat", "00:00", "00:00")), "UTC", "2026-06-07T00:00", Mode.OFF, id="and-not-the-next"),
    ],
)
def test_i12_a_window_is_asked_in_the_sites_zone(policy: Role, zone: str, local: str, mode: Mode) -> None:
    assert mode_at(policy, ZoneInfo(zone), at(local, zone)) is mode


def test_i12_the_same_moment_is_day_here_and_night_there() -> None:
    moment = at("2026-06-01T09:00", "Europe/Berlin")
    assert mode_at(WORK, ZoneInfo("Europe/Berlin"), moment) is Mode.ENFORCE
    assert mode_at(WORK, ZoneInfo("America/New_York"), moment) is Mode.OFF


def test_the_first_open_window_decides() -> None:
    policy = role(hours("daily", "12:00", "13:00", Mode.MONITOR), hours("daily", "08:00", "18:00"))
    noon, later = at("2026-06-01T12:30", "UTC"), at("2026-06-01T13:30", "UTC")
    assert [mode_at(policy, ZoneInfo("UTC"), m) for m in (noon, later)] == [Mode.MONITOR, Mode.ENFORCE]


NIGHT = hours("fri", "22:00", "06:00")
HOLIDAY, WORKDAY = (replace(hours("daily", "00:00", "00:00"), on=kind) for kind in (DayKind.HOLIDAYS, DayKind.WORKDAYS))


@pytest.mark.parametrize(
    ("windows", "idle"),
    [
        pytest.param([hours("daily", "12:00", "13:00"), hours("daily", "08:00", "18:00")], (), id="overlap-in-part"),
        pytest.param([hours("daily", "08:00", "18:00"), hours("mon", "12:00", "13:00")], (1,), id="inside"),
        pytest.param([hours("daily", "08:00", "18:00"), hours("mon", "12:00", "18:01")], (), id="a-minute-longer"),
        pytest.param([hours("fri", "22:00", "00:00"), hours("sat", "00:00", "06:00"), NIGHT], (2,), id="two-together"),
        pytest.param([hours("fri", "22:00", "00:00"), hours("sun", "00:00", "06:00"), NIGHT], (), id="another-morning"),
        pytest.param([HOLIDAY, WORKDAY, hours("mon", "08:00", "18:00")], (2,), id="every-kind-of-day"),
        pytest.param([WORKDAY, hours("mon", "08:00", "18:00")], (), id="left-on-holidays"),
        pytest.param(
            [WORKDAY, replace(HOLIDAY, days=frozenset({"sat"})), NIGHT], (), id="a-holidays-night-into-a-workday"
        ),
        pytest.param([replace(HOLIDAY, on=DayKind.ANY, services=("a",)), NIGHT], (), id="left-for-another-service"),
        pytest.param([replace(HOLIDAY, on=DayKind.ANY, services=("a", "b")), NIGHT], (1,), id="for-each-service"),
        pytest.param([replace(NIGHT, services=("a",)), replace(NIGHT, services=("a",))], (1,), id="the-same-again"),
    ],
)
def test_a_window_that_others_cover_decides_at_no_moment(windows: list[Hours], idle: tuple[int, ...]) -> None:
    assert idle_windows(role(*windows), ("a", "b")) == idle


@pytest.mark.parametrize(
    ("zone", "policy", "start", "end", "inside_minutes"),
    [
        # 02:30-02:45 comes twice in the long night, never in the short one
        pytest.param("Europe/Berlin", EARLY, "2026-10-25T00:00", "2026-10-26T00:00", 30, id="berlin-comes-twice"),
        pytest.param("Europe/Berlin", EARLY, "2027-03-28T00:00", "2027-03-29T00:00", 0, id="berlin-does-not-exist"),
        pytest.param("America/New_York", EARLY, "2027-03-14T00:00", "2027-03-15T00:00", 0, id="new-york-missing"),
        pytest.param("Asia/Kolkata", EARLY, "2026-10-25T00:00", "2026-10-26T00:00", 15, id="kolkata-never-changes"),
        # Lord Howe moves by half an hour: 01:30-02:00 comes twice in April, 02:00-02:30 never in October
        pytest.param(
            "Australia/Lord_Howe",
            role(hours("daily", "01:30", "02:00")),
            "2027-04-04T00:00",
            "2027-04-05T00:00",
            60,
            id="lord-howe-half-hour-twice",
        ),
        pytest.param(
            "Australia/Lord_Howe",
            role(hours("daily", "02:00", "02:45")),
            "2026-10-04T00:00",
            "2026-10-05T00:00",
            15,
            id="lord-howe-half-hour-missing",
        ),
        # a night over the change is as long as the night really was
        pytest.param(
            "Europe/Berlin",
            role(hours("sat", "22:00", "06:00")),
            "2026-10-24T12:00",
            "2026-10-25T12:00",
            540,
            id="long-night",
        ),
        pytest.param(
            "Europe/Berlin",
            role(hours("sat", "22:00", "06:00")),
            "2027-03-27T12:00",
            "2027-03-28T12:00",
            420,
            id="short-night",
        ),
        pytest.param(
            "Europe/Berlin",
            role(hours("sun", "00:00", "00:00")),
            "2026-10-24T12:00",
            "2026-10-26T12:00",
            1500,
            id="day-of-25-hours",
        ),
    ],
)
def test_i12_clock_changes_lose_and_double_nothing(
    zone: str, policy: Role, start: str, end: str, inside_minutes: int
) -> None:
    first, last = at(start, zone), at(end, zone)
    moments = (first + n * MINUTE for n in range((last - first) // MINUTE))
    assert sum(mode_at(policy, ZoneInfo(zone), m) is Mode.ENFORCE for m in moments) == inside_minutes


def edges(roles: tuple[Role, ...], zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    found: list[datetime] = []
    moment = next_edge(roles, zone, start)
    while moment is not None and moment <= end:
        found.append(moment)
        moment = next_edge(roles, zone, moment)
    return found


def brute_edges(roles: tuple[Role, ...], zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Minute by minute: all the edges here and all clock changes since 1980 lie on whole minutes."""
    modes = [mode_at(r, zone, start) for r in roles]
    found = []
    for n in range(1, (end - start) // MINUTE + 1):
        now = [mode_at(r, zone, start + n * MINUTE) for r in roles]
        if now != modes:
            found.append(start + n * MINUTE)
        modes = now
    return found


def test_the_next_edge_of_an_ordinary_week() -> None:
    zone = ZoneInfo("Europe/Berlin")
    friday = at("2026-06-05T17:00", "Europe/Berlin")
    assert next_edge([WORK], zone, friday) == at("2026-06-05T18:00", "Europe/Berlin")
    assert next_edge([WORK], zone, at("2026-06-05T18:00", "Europe/Berlin")) == at("2026-06-08T08:00", "Europe/Berlin")
    assert next_edge([WORK, FRIDAY_NIGHT], zone, at("2026-06-05T18:00", "Europe/Berlin")) == at(
        "2026-06-05T22:00", "Europe/Berlin"
    )


@pytest.mark.parametrize(
    "roles",
    [
        pytest.param((), id="no-roles"),
        pytest.param((role(),), id="no-windows"),
        pytest.param((role(hours("daily", "08:00", "18:00", Mode.OFF)),), id="a-window-that-says-the-same"),
        pytest.param((role(hours("daily", "00:00", "00:00")),), id="always-open"),
        pytest.param((role(hours("daily", "10:00", "10:00")),), id="always-open-from-ten-to-ten"),
    ],
)
def test_no_change_is_no_edge(roles: tuple[Role, ...]) -> None:
    assert next_edge(roles, ZoneInfo("Europe/Berlin"), datetime(2026, 10, 24, tzinfo=UTC)) is None


def test_a_window_swallowed_by_the_clock_change_comes_a_week_later() -> None:
    zone = ZoneInfo("Europe/Berlin")
    swallowed = role(hours("sun", "02:00", "03:00"))
    edge = next_edge([swallowed], zone, at("2027-03-27T12:00", "Europe/Berlin"))
    assert edge == at("2027-04-04T02:00", "Europe/Berlin")


def test_neighbouring_windows_of_one_mode_have_no_edge_between() -> None:
    policy = role(hours("mon", "08:00", "12:00"), hours("mon", "12:00", "16:00"))
    assert next_edge([policy], ZoneInfo("UTC"), at("2026-06-01T09:00", "UTC")) == at("2026-06-01T16:00", "UTC")


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", "2026-10-24T12:00"),
        ("Europe/Berlin", "2027-03-27T12:00"),
        ("America/New_York", "2026-10-31T12:00"),
        ("America/New_York", "2027-03-13T12:00"),
        ("Australia/Lord_Howe", "2026-10-03T12:00"),
        ("Australia/Lord_Howe", "2027-04-03T12:00"),
        ("Asia/Kolkata", "2026-10-24T12:00"),
        ("Africa/Casablanca", "2027-02-06T12:00"),
        ("America/Havana", "2027-03-13T12:00"),  # the clock jumps at midnight: a day without 00:00
        ("Pacific/Chatham", "2027-04-03T12:00"),
        ("Pacific/Apia", "2011-12-29T00:00"),  # a whole day, Friday, never was
    ],
)
def test_i12_between_two_edges_no_minute_differs(zone: str, start: str) -> None:
    roles = (
        WORK,
        FRIDAY_NIGHT,
        EARLY,
        role(hours("sat", "22:00", "02:30"), hours("sun", "00:30", "01:45", Mode.MONITOR)),
    )
    first = at(start, zone)
    assert edges(roles, ZoneInfo(zone), first, first + timedelta(hours=40)) == brute_edges(
        roles, ZoneInfo(zone), first, first + timedelta(hours=40)
    )


SWEPT = (
    role(hours("daily", "02:30", "02:45"), hours("sat", "23:30", "01:15", Mode.MONITOR)),
    role(hours("sun mon", "00:00", "03:00"), mode=Mode.MONITOR),
)


def changes_by_year(zone: ZoneInfo, first: int, last: int) -> tuple[datetime, ...]:
    """Every offset change of the years; found by days first, so that 600 zones stay cheap."""
    found: list[datetime] = []
    day = datetime(first, 1, 1, tzinfo=UTC)
    while day.year <= last:
        until = day + timedelta(days=1)
        if day.astimezone(zone).utcoffset() != until.astimezone(zone).utcoffset():
            found += offset_changes(zone, day, until)
        day = until
    return tuple(found)


def sweep(first: int, last: int) -> tuple[int, int]:
    """Compare around every clock change of every zone; zones with equal clocks are asked once."""
    seen: set[tuple[object, ...]] = set()
    zones = 0
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        zones += 1
        for change in changes_by_year(zone, first, last):
            near = (change - 6 * MINUTE * 20, change + 6 * MINUTE * 20)
            clock = (change, *(moment.astimezone(zone).utcoffset() for moment in near))
            if clock in seen:
                continue
            seen.add(clock)
            start, end = change - timedelta(minutes=190), change + timedelta(minutes=190)
            assert edges(SWEPT, zone, start, end) == brute_edges(SWEPT, zone, start, end), (name, change)
    return zones, len(seen)


def test_i12_every_zones_clock_changes_are_swept() -> None:
    zones, changes = sweep(2026, 2027)
    assert zones >= 590
    assert changes >= 40


@pytest.mark.soak
def test_i12_every_zones_clock_changes_of_ten_years_are_swept() -> None:
    zones, changes = sweep(2026, 2036)
    assert zones >= 590
    assert changes >= 200


clock_times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45, 59]))
any_hours = st.builds(
    Hours,
    st.frozensets(st.sampled_from(DAYS), min_size=1),
    clock_times,
    clock_times,
    st.sampled_from(list(Mode)),
)
any_role = st.builds(Role, st.sampled_from(list(Mode)), st.lists(any_hours, max_size=3).map(tuple))


@settings(max_examples=60, deadline=None)
@given(
    roles=st.lists(any_role, min_size=1, max_size=3).map(tuple),
    zone=st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca"]
    ),
    hour=st.integers(0, 24 * 400),
)
def test_i12_the_next_edge_is_the_first_minute_that_differs(roles: tuple[Role, ...], zone: str, hour: int) -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(hours=hour)
    place = ZoneInfo(zone)
    horizon = start + timedelta(hours=30)
    now = [mode_at(r, place, start) for r in roles]
    moments = (start + n * MINUTE for n in range(1, 30 * 60 + 1))
    first = next((m for m in moments if [mode_at(r, place, m) for r in roles] != now), None)
    edge = next_edge(roles, place, start)
    assert (edge if edge is not None and edge <= horizon else None) == first
