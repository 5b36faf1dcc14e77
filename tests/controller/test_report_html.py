"""Reports as pages: nothing is loaded from anywhere, nothing that somebody wrote is run, and figures read right."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from controller.model import CoverageState, DeviceStatus, EventAction, Window
from controller.reports import as_markdown
from controller.reports.as_html import (
    count,
    coverage_bars,
    duration,
    hour_ticks,
    moment,
    render_fleet,
    render_site,
    share,
    size,
)
from controller.reports.making import SiteReport, fleet_report
from core.ids import DeviceName, SiteName
from tests.controller.reporting import (
    DAY,
    FW,
    NOW,
    SECOND_FW,
    E,
    approved,
    at,
    busy_day,
    check_golden,
    event,
    look,
    report,
    seen,
    status,
)

VOID = {"meta", "br", "rect", "line", "link", "img", "input"}
BERLIN = ZoneInfo("Europe/Berlin")
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)> \x1b[31m\u202eevil {{ 7*7 }}"


class Page(HTMLParser):
    """What a browser would see of a page, as far as the tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open[-1:]:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


def all_day(state: CoverageState) -> SiteReport:
    return report(observations=[look(quarter / 4, state, state) for quarter in range(-1, 97)])


def fleet(*sites: SiteReport) -> str:
    return render_fleet(
        fleet_report(sites, window=DAY, now=NOW, sources=[t for s in sites[:1] for t in s.intelligence])
    )


# --- the pages ------------------------------------------------------------------------------------------------------


def test_the_page_of_a_whole_day() -> None:
    check_golden("report_site.html", render_site(busy_day()))


def test_the_page_of_the_fleet() -> None:
    other = replace(report(devices={}), site=SiteName("austin"), title="Austin office")
    check_golden("report_fleet.html", fleet(busy_day(), other))


@pytest.mark.parametrize("text", [render_site(busy_day()), render_site(report(devices={})), fleet(busy_day()), fleet()])
def test_a_page_needs_nothing_else(text: str) -> None:
    """No script, no style sheet, picture, font or frame from anywhere, no link out: only what the file holds."""
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a", "use", "image"} & set(
        page.tags
    )
    loads = {"src", "href", "xlink:href", "srcset", "data", "action", "poster", "background"}
    assert not loads & {name for name, _ in page.attributes}
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert not re.search(r"url\(|@import|https?:|//[a-z]", text)
    assert "<meta charset" in text.split("<style>")[0]


def test_the_first_sentence_is_the_answer() -> None:
    text = Page(render_site(busy_day())).text
    assert "Proven enforced 87.5 % of the time in which the site was not off by policy." in text
    assert "Not enforced for 15 min. Not known for 2 h 45 min, which is not counted as enforced." in text
    assert "574 attempts were blocked, from 6 clients." in text
    assert "fw-old no longer in the inventory" in text
    assert "Attempts by hour, on the site's clock 104" in text


@pytest.mark.parametrize(
    ("found", "colour", "words"),
    [
        pytest.param(all_day(CoverageState.ENFORCED), "answer", "Proven enforced 100.0 %", id="enforced"),
        pytest.param(
            all_day(CoverageState.PARTIAL),
            "answer doubt",
            "In part, for a list did not fit a device, for 1 d.",
            id="part",
        ),
        pytest.param(all_day(CoverageState.MONITORED), "answer watched", "Only watched for 1 d.", id="watched"),
        pytest.param(all_day(CoverageState.OFF), "answer idle", "Nothing was to be enforced", id="off"),
        pytest.param(all_day(CoverageState.NOT_ENFORCED), "answer bad", "Not enforced for 1 d.", id="open"),
        pytest.param(report(), "answer doubt", "Not known for 1 d", id="unknown"),
        pytest.param(report(now=DAY.start), "answer idle", "None of this time has passed.", id="lies-ahead"),
    ],
)
def test_the_answer_never_looks_better_than_it_is(found: SiteReport, colour: str, words: str) -> None:
    text = render_site(found)
    assert f'<section class="{colour}">' in text
    assert words in Page(text).text


def test_i13_an_empty_period_claims_nothing() -> None:
    text = Page(render_site(report(devices={FW: None}))).text
    for words in (
        "How many attempts were blocked is unknown.",
        "Nobody counted in this time.",
        "never looked at unknown",
        "No client was seen.",
        "0.0 %",
    ):
        assert words in text
    assert "No attempt was" not in text


def test_a_time_that_lies_ahead_was_not_to_be_free_of_enforcement() -> None:
    ahead = report(now=DAY.start)
    assert "None of this time has passed." in Page(render_site(ahead)).text
    assert "None of this time has passed." in as_markdown.render_site(ahead)


def test_i13_an_uncounted_figure_reads_unknown() -> None:
    text = Page(render_site(report(events=[event(at(9.5), None), event(at(9.5), 4, device=SECOND_FW)]))).text
    assert "How many attempts were blocked is unknown." in text
    assert "unknown blocked unknown packets, unknown" in text
    assert "unknown blocked" in Page(fleet(report(events=[event(at(9.5), None)]))).text


def test_every_table_cell_says_on_a_narrow_screen_what_it_is() -> None:
    """There the heads are gone and each row is a list: a cell without a label would be a bare figure."""
    for text in (render_site(busy_day()), fleet(busy_day())):
        cells = re.findall(r"<td[^>]*>", text)
        assert cells
        assert [one for one in cells if "data-label" not in one and "colspan" not in one] == []
        for table in re.findall(r"<table>.*?</table>", text, re.DOTALL):
            heads = re.findall(r"<th[^>]*>(.*?)</th>", table)
            rows = [re.findall(r'data-label="([^"]*)"', row) for row in table.split("<tr>")[2:]]
            assert all(len(row) in (len(heads), len(heads) - 3) for row in rows)


# --- hostile text ---------------------------------------------------------------------------------------------------


def test_what_somebody_wrote_is_shown_and_never_run() -> None:
    """Titles, reasons, owners, tickets, names of people, errors and causes: all come from outside."""
    hostile = report(
        title=HOSTILE,
        events=[event(at(14), 3, role=HOSTILE, sources=(seen("10.20.0.1", 5, at(14)),))],
        observations=[look(0, E, E), look(5, None, None, HOSTILE), look(23, CoverageState.NOT_ENFORCED, E, HOSTILE)],
        exceptions=[approved(reason=HOSTILE, owner=HOSTILE, ticket=HOSTILE, requested_by=HOSTILE, decided_by=HOSTILE)],
        devices={FW: status(error=HOSTILE, degraded=(HOSTILE,)), DeviceName(HOSTILE): None},
        sources={HOSTILE: None},
    )
    for text in (render_site(hostile), fleet(hostile)):
        page = Page(text)
        assert not {"script", "img"} & set(page.tags)
        assert not any(name.startswith("on") or name == "src" for name, _ in page.attributes)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
        assert "<script>alert(1)</script>" in page.text
        assert "{{ 7*7 }}" in page.text


def test_a_title_from_right_to_left_stays_in_its_place() -> None:
    title = "משרד ברלין"
    text = render_site(report(title=title))
    assert f"<h1>{title}</h1>" in text
    assert f"<title>{title}: hit report" in text


def test_a_very_long_word_breaks_instead_of_widening_the_page() -> None:
    text = render_site(report(title="x" * 200, devices={FW: status(error="y" * 500)}))
    assert re.search(r"h1, \.answer, \.card, li, td \{ overflow-wrap:anywhere; \}", text)


# --- charts and words -----------------------------------------------------------------------------------------------


def test_coverage_bars_fill_the_width_in_order_of_time() -> None:
    bars = coverage_bars(busy_day().coverage.spans, BERLIN)
    assert [bar.css for bar in bars] == ["enforced", "unknown", "not_enforced", "enforced", "unknown"]
    assert sum(bar.width for bar in bars) == pytest.approx(960)
    assert bars[2].title == (
        "2026-11-25 07:30 to 2026-11-25 07:45: not enforced, our lists or rules were changed by somebody else"
    )


def test_no_stretch_is_too_short_to_be_seen() -> None:
    looks = [look(quarter / 4, E, E) for quarter in range(-1, 97)] + [look(12.001, None, None, "a second")]
    bars = coverage_bars(report(observations=looks).coverage.spans, BERLIN)
    assert min(bar.width for bar in bars) >= 0.5


@pytest.mark.parametrize(
    ("length", "ticks"),
    [
        pytest.param(timedelta(hours=3), ["00:00", "01:00", "02:00"], id="hours"),
        pytest.param(timedelta(days=1), [f"{hour:02}:00" for hour in range(0, 24, 2)], id="day"),
        pytest.param(timedelta(days=7), [f"{day} Nov" for day in range(25, 31)] + ["01 Dec"], id="week"),
    ],
)
def test_ticks_are_few_and_each_says_something_new(length: timedelta, ticks: list[str]) -> None:
    found = report(window=Window(DAY.start, DAY.start + length), now=DAY.start + length)
    labels = hour_ticks(found.by_hour, by_day=found.is_by_day)
    assert [tick.text for tick in labels] == ticks
    assert all(0 < tick.percent < 100 for tick in labels)


def test_a_year_by_the_day_has_a_dozen_ticks_at_most() -> None:
    found = report(window=Window(DAY.start, DAY.start + timedelta(days=365)), now=DAY.start + timedelta(days=365))
    assert found.is_by_day
    assert 6 <= len(hour_ticks(found.by_hour, by_day=True)) <= 12
    assert "Attempts by day" in Page(render_site(found)).text


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    shown = [moment(first + n * timedelta(hours=1), BERLIN) for n in range(3)]
    assert shown == ["2026-10-25 02:30 CEST", "2026-10-25 02:30 CET", "2026-10-25 03:30"]


@pytest.mark.parametrize(
    ("part", "shown"), [(1.0, "100.0 %"), (0.99996, "99.9 %"), (0.0004, "0.0 %"), (0.0, "0.0 %"), (None, "unknown")]
)
def test_a_share_is_never_rounded_up(part: float | None, shown: str) -> None:
    assert share(part) == shown


def test_figures_in_words() -> None:
    assert [count(value) for value in (None, 0, 1234567)] == ["unknown", "0", "1,234,567"]
    assert [size(value) for value in (None, 0, 1023, 1024, 5 * 1024**3, 5 * 1024**4)] == [
        "unknown",
        "0 B",
        "1,023 B",
        "1.0 KiB",
        "5.0 GiB",
        "5,120.0 GiB",
    ]
    assert [duration(value) for value in (0, 59.9, 60, 3661, 90061)] == ["0 s", "59 s", "1 min", "1 h 1 min", "1 d 1 h"]
    assert moment(None, BERLIN) == "never"


def test_a_client_in_the_list_twice_is_one_client() -> None:
    use = (seen("10.20.0.1", 5, at(9)),)
    other = event(at(9), 1, role="guest", sources=use, action=EventAction.BLOCKED)
    assert (
        "2 attempts were blocked, from 1 client."
        in Page(render_site(report(events=[event(at(9), 1, sources=use), other]))).text
    )


def test_a_device_that_was_never_reached_shows_its_error() -> None:
    never: DeviceStatus = status(last_seen_at=None, enforced_at=None, snapshot=None, error="TG4001 no route to host")
    text = Page(render_site(report(devices={FW: never}))).text
    assert "fw-berlin never never none unknown TG4001 no route to host" in text
