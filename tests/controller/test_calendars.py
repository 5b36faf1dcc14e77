"""Calendars of holidays: countries, iCalendar files and addresses, and the last good answer of each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.calendars import CalendarBook, country_days, read_ical, unread
from controller.desired import own_week
from controller.errors import CalendarUnknown, InventoryError
from controller.inventory import Inventory
from controller.model import Mode
from controller.modes import modes_at
from controller.store import Store
from controller.windows import DayKind, is_open, mode_at, next_edge
from core.clock import ManualClock
from tests.controller.offices import NOON, YAML, facts, offices
from tests.controller.test_own_week import LOOKED
from tests.controller.test_service_windows import OLD
from tests.controller.test_windows import Hours, Role, any_hours, at, brute_edges, edges, hours, role

YEARS = range(2026, 2029)
WINDOWS = (
    'windows: [{on: holidays, mode: "off"}, {days: weekdays, on: workdays, from: "08:00", to: "18:00", mode: enforce}]'
)
CHRISTMAS = datetime(2026, 12, 25, 11, tzinfo=UTC)  # a Friday


def ics(*events: str) -> str:
    blocks = "".join(f"BEGIN:VEVENT\nUID:{n}\n{event}\nEND:VEVENT\n" for n, event in enumerate(events))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{blocks}END:VCALENDAR\n".replace("\n", "\r\n")


def days(*texts: str) -> frozenset[date]:
    return frozenset(map(date.fromisoformat, texts))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param("DTSTART;VALUE=DATE:20261224", ["2026-12-24"], id="one-day"),
        pytest.param(
            "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227",
            ["2026-12-24", "2026-12-25", "2026-12-26"],
            id="the-end-is-the-day-after",
        ),
        pytest.param("DTSTART;VALUE=DATE:20271231\nDURATION:P2D", ["2027-12-31", "2028-01-01"], id="over-new-year"),
        pytest.param(
            "DTSTART;VALUE=DATE:20200101\nRRULE:FREQ=YEARLY\nEXDATE;VALUE=DATE:20270101",
            ["2026-01-01", "2028-01-01"],
            id="each-year-but-one",
        ),
        pytest.param(
            "DTSTART;VALUE=DATE:20260501\nRRULE:FREQ=YEARLY;UNTIL=20270501T000000Z",
            ["2026-05-01", "2027-05-01"],
            id="until-in-utc",
        ),
        pytest.param(
            "DTSTART;VALUE=DATE:20261126\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=2",
            ["2026-11-26", "2027-11-25"],
            id="the-fourth-thursday",
        ),
        pytest.param(
            "DTSTART;VALUE=DATE:20260102\nRDATE;VALUE=DATE:20260302,20260402",
            ["2026-01-02", "2026-03-02", "2026-04-02"],
            id="named-dates",
        ),
        pytest.param("DTSTART;VALUE=DATE:20261224\nSTATUS:CANCELLED", [], id="cancelled"),
        pytest.param("DTSTART:20261224T120000Z\nDTEND:20261224T180000Z", [], id="an-afternoon-is-no-holiday"),
    ],
)
def test_events_of_whole_days_are_holidays(event: str, expected: list[str]) -> None:
    always = "DTSTART;VALUE=DATE:20260607"
    assert read_ical(ics(event, always), YEARS) - days("2026-06-07") == days(*expected)


def test_one_that_was_moved_is_where_it_was_moved_to() -> None:
    text = ics("DTSTART;VALUE=DATE:20260501\nRRULE:FREQ=YEARLY;COUNT=2").replace(
        "END:VCALENDAR",
        "BEGIN:VEVENT\r\nUID:0\r\nRECURRENCE-ID;VALUE=DATE:20270501\r\nDTSTART;VALUE=DATE:20270503\r\n"
        "END:VEVENT\r\nEND:VCALENDAR",
    )
    assert read_ical(text, YEARS) == days("2026-05-01", "2027-05-03")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "END:VCALENDAR", id="empty"),
        pytest.param("<html>sign in</html>", "END:VCALENDAR", id="html"),
        pytest.param(ics("DTSTART;VALUE=DATE:20261224")[:-20], "END:VCALENDAR", id="cut-off"),
        pytest.param(ics(), "no event of whole days", id="no-events"),
        pytest.param(ics("DTSTART:20261224T120000Z"), "no event of whole days", id="only-meetings"),
        pytest.param(ics("DTSTART;VALUE=DATE:20000101\nRRULE:FREQ=SECONDLY"), "a rule that no event", id="each-second"),
        pytest.param(ics("DTSTART;VALUE=DATE:20260101\nDTEND;VALUE=DATE:20990101"), "more than 366", id="for-ever"),
        pytest.param("x" * (1024 * 1024 + 1), "larger than", id="huge"),
    ],
)
def test_what_is_no_calendar_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_ical(text, YEARS)


def test_a_country_and_a_part_of_it() -> None:
    berlin, bavaria = (country_days("DE", part, 2026, 2026) for part in ("BE", "BY"))
    assert date(2026, 3, 8) in berlin - bavaria  # women's day
    assert date(2026, 1, 6) in bavaria - berlin


# --- windows ---------------------------------------------------------------------------------------------------------


def test_a_night_belongs_to_the_holiday_on_which_it_starts() -> None:
    night = Hours(hours("daily", "22:00", "06:00").days, *(datetime(2026, 1, 1, h).time() for h in (22, 6)))  # noqa: DTZ001
    on = Hours(night.days, night.start, night.end, Mode.OFF, DayKind.HOLIDAYS)
    christmas = days("2026-12-25")
    inside = [is_open(on, datetime.fromisoformat(f"2026-12-{text}"), christmas) for text in ("25T05", "25T23", "26T05")]
    assert inside == [False, True, True]


any_day_hours = st.builds(
    lambda plain, on: Hours(plain.days, plain.start, plain.end, plain.mode, on), any_hours, st.sampled_from(DayKind)
)


@settings(max_examples=40, deadline=None)
@given(
    policy=st.builds(Role, st.sampled_from(list(Mode)), st.lists(any_day_hours, min_size=1, max_size=3).map(tuple)),
    change=st.sampled_from(["2026-10-24T12:00", "2027-03-27T12:00", "2026-12-24T12:00"]),
    free=st.frozensets(
        st.sampled_from([date(2026, 10, 24), date(2026, 10, 25), date(2027, 3, 28), date(2026, 12, 25)]), max_size=3
    ),
)
def test_i12_no_minute_differs_between_edges_with_holidays_on_days_of_23_and_25_hours(
    policy: Role, change: str, free: frozenset[date]
) -> None:
    zone, start = ZoneInfo("Europe/Berlin"), at(change, "Europe/Berlin")
    first = next_edge([policy], zone, start, holidays=free)
    moments = (start + n * timedelta(minutes=1) for n in range(1, 36 * 60))
    now = mode_at(policy, zone, start, holidays=free)
    differs = next((m for m in moments if mode_at(policy, zone, m, holidays=free) is not now), None)
    assert (first if first is not None and first < start + timedelta(hours=36) else None) == differs


def test_a_holiday_months_ahead_is_the_next_edge() -> None:
    whole = hours("daily", "00:00", "00:00", Mode.OFF)
    closed = role(Hours(whole.days, whole.start, whole.end, Mode.OFF, DayKind.HOLIDAYS), mode=Mode.ENFORCE)
    zone, free = ZoneInfo("Europe/Berlin"), days("2026-12-25", "2026-12-26")
    first = next_edge([closed], zone, at("2026-06-01T12:00", "Europe/Berlin"), holidays=free)
    assert first == at("2026-12-25T00:00", "Europe/Berlin")
    assert next_edge([closed], zone, first, holidays=free) == at("2026-12-27T00:00", "Europe/Berlin")
    assert next_edge([closed], zone, at("2026-12-27T00:00", "Europe/Berlin"), holidays=free) is None


def test_without_calendars_nothing_is_different() -> None:
    plain = (role(hours("mon tue", "08:00", "18:00")),)
    zone, start = ZoneInfo("Europe/Berlin"), at("2026-10-24T12:00", "Europe/Berlin")
    until = start + timedelta(hours=60)
    assert edges(plain, zone, start, until) == brute_edges(plain, zone, start, until)


# --- in the inventory ------------------------------------------------------------------------------------------------


def with_calendar(calendar: str) -> str:
    named = YAML.replace(OLD, WINDOWS).replace(
        "time_zone: Europe/Berlin", "time_zone: Europe/Berlin\n    calendars: [ours]"
    )
    return f"{named}calendars:\n  ours: {calendar}\n"


def book(folder: Path, store: Store, clock: ManualClock, calendar: str) -> tuple[CalendarBook, Inventory]:
    inventory = offices(folder, with_calendar(calendar))
    return CalendarBook(store, inventory, clock), inventory


def mode(made: CalendarBook, inventory: Inventory, moment: datetime) -> Mode:
    site = inventory.site("berlin")
    return modes_at(site, inventory.policies["standard"], moment, holidays=made.of(site))["company"]


def test_a_country_closes_on_its_holidays(tmp_path: Path, store: Store, clock: ManualClock) -> None:
    made, inventory = book(tmp_path, store, clock, "{country: DE, subdivision: BE, dates: [2026-12-24]}")
    assert mode(made, inventory, NOON) is Mode.ENFORCE
    assert mode(made, inventory, CHRISTMAS) is Mode.OFF
    assert mode(made, inventory, CHRISTMAS - timedelta(days=1)) is Mode.OFF
    assert made.of(inventory.site("austin")) == frozenset()


def test_a_date_may_be_taken_out(tmp_path: Path, store: Store, clock: ManualClock) -> None:
    made, inventory = book(tmp_path, store, clock, "{country: DE, without: [2026-12-25]}")
    assert mode(made, inventory, CHRISTMAS) is Mode.ENFORCE


def test_a_device_is_not_told_a_week_that_depends_on_a_calendar(tmp_path: Path) -> None:
    inventory = offices(tmp_path, with_calendar("{country: DE}"))
    device = inventory.device("fw-berlin")
    assert own_week(facts(inventory), device, LOOKED, began=NOON, ended=NOON) == "its windows depend on a calendar"


@pytest.mark.parametrize(
    ("calendar", "said"),
    [
        ("{country: XX}", "no country 'XX'"),
        ("{country: DE, subdivision: BEE}", "did you mean 'BE'"),
        ("{subdivision: BE}", "name one of"),
        ("{country: DE, file: a.ics}", "name one of"),
        ("{}", "name one of"),
        ("{url: http://intranet.example/a.ics}", "only https"),
        ("{dates: [24.12.2026]}", "is no date"),
    ],
)
def test_a_bad_calendar_is_refused_with_its_line(tmp_path: Path, calendar: str, said: str) -> None:
    with pytest.raises(InventoryError, match=r"calendars\.ours") as caught:
        offices(tmp_path, with_calendar(calendar))
    assert said in str(caught.value)


def test_holidays_without_a_calendar_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="no calendar says which days those are") as caught:
        offices(tmp_path, YAML.replace(OLD, WINDOWS))
    assert "sites.berlin" in str(caught.value)
    with pytest.raises(InventoryError, match="no calendar 'ours'; did you mean 'our'"):
        offices(tmp_path, with_calendar("{country: DE}").replace("  ours: {", "  our: {"))


# --- files and addresses ---------------------------------------------------------------------------------------------


@dataclass
class Server:
    """Real HTTP on the loopback: what it answers, and how often it was asked."""

    body: bytes = b""
    status: int = 200
    asked: int = 0
    port: int = field(default=0)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked += 1
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = httpd.server_port
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


GOOD = ics("DTSTART;VALUE=DATE:20261225").encode()


def test_i02_an_address_that_fails_keeps_its_last_good_answer(
    tmp_path: Path, store: Store, clock: ManualClock, server: Server
) -> None:
    made, inventory = book(tmp_path, store, clock, f"{{url: 'http://127.0.0.1:{server.port}/a.ics', refresh: 24h}}")
    site = inventory.site("berlin")
    with pytest.raises(CalendarUnknown, match="was never read"):
        made.of(site)
    assert server.asked == 0  # a question about now never waits for a network
    server.body = GOOD
    made.refresh()
    assert made.of(site) == days("2026-12-25")
    for body, status in ((b"<html>sign in</html>", 200), (GOOD[:40], 200), (b"gone", 404)):
        server.body, server.status = body, status
        clock.jump(clock.now() + timedelta(hours=25))
        made.refresh()
        assert made.of(site) == days("2026-12-25")
        (view,) = made.views()
        assert view.error
        assert view.read_at == NOON_READ
    server.body, server.status = ics("DTSTART;VALUE=DATE:20261224").encode(), 200
    made.refresh()  # one that failed is asked again at once
    assert made.of(site) == days("2026-12-24")
    assert made.views()[0].error is None


NOON_READ = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)


def test_an_address_is_asked_as_often_as_it_says(
    tmp_path: Path, store: Store, clock: ManualClock, server: Server
) -> None:
    server.body = GOOD
    made, _ = book(tmp_path, store, clock, f"{{url: 'http://127.0.0.1:{server.port}/a.ics', refresh: 24h}}")
    for _ in range(3):
        made.refresh()
    assert server.asked == 1
    clock.jump(clock.now() + timedelta(hours=24))
    made.refresh()
    assert server.asked == 2


def test_i02_a_file_that_is_gone_keeps_what_it_said(tmp_path: Path, store: Store, clock: ManualClock) -> None:
    (tmp_path / "a.ics").write_bytes(GOOD)
    made, inventory = book(tmp_path, store, clock, "{file: ./a.ics}")
    assert made.of(inventory.site("berlin")) == days("2026-12-25")
    (tmp_path / "a.ics").unlink()
    again = CalendarBook(store, inventory, clock)
    again.refresh()
    assert again.of(inventory.site("berlin")) == days("2026-12-25")
    assert "cannot be read" in str(again.views()[0].error)
    assert unread(inventory, store.kept_calendar) == {}


def test_a_file_that_never_was_is_told_by_the_check(tmp_path: Path, store: Store, clock: ManualClock) -> None:
    made, inventory = book(tmp_path, store, clock, "{file: ./a.ics}")
    with pytest.raises(CalendarUnknown, match="cannot be read"):
        made.of(inventory.site("berlin"))
    assert list(unread(inventory, store.kept_calendar)) == ["ours"]
