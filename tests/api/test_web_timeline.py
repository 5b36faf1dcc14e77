"""The time of a site on one axis: each thing at its place, hours with what covered them, and what was in force when."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest

from api.web import timeline
from controller.coverage import Span
from controller.mode_spans import mode_spans
from controller.model import CoverageState, EventAction, ExceptionState, Mode, Window
from controller.reports.making import Bucket
from tests.api.conftest import Office
from tests.api.fleet_seen import an_hour_at_berlin
from tests.api.test_sign_in import quick_hashes
from tests.api.test_web_pages import asked, signed, text_of
from tests.api.test_web_pages import office as office
from tests.controller.offices import NOON, an_exception, offices

__all__ = ["quick_hashes"]
HOUR = timedelta(hours=1)
DAY = Window(NOON - 24 * HOUR, NOON)


def bucket(hours_ago: float, blocked: int | None) -> Bucket:
    hits = {EventAction.BLOCKED: blocked, EventAction.MONITORED: 0, EventAction.ALLOWED: 0}
    return Bucket(start=NOON - hours_ago * HOUR, hits=hits)


def test_hours_hold_what_was_covered_in_them_and_nothing_of_their_neighbours() -> None:
    def span(start: float, end: float, state: CoverageState, cause: str = "") -> Span:
        return Span(window=Window(NOON - start * HOUR, NOON - end * HOUR), state=state, cause=cause)

    spans = [
        span(3, 1.75, CoverageState.ENFORCED),
        span(1.75, 1.5, CoverageState.NOT_ENFORCED, "the table is gone"),
        span(1.5, 0.5, CoverageState.UNKNOWN, "nobody looked at it"),
        span(0.5, 0, CoverageState.ENFORCED),
    ]
    found = timeline.slots([bucket(3, 1), bucket(2, None), bucket(1, 0)], spans, NOON)
    assert [dict(slot.seconds) for slot in found] == [
        {CoverageState.ENFORCED: 3600},
        {CoverageState.ENFORCED: 900, CoverageState.NOT_ENFORCED: 900, CoverageState.UNKNOWN: 1800},
        {CoverageState.UNKNOWN: 1800, CoverageState.ENFORCED: 1800},
    ]
    assert [slot.causes for slot in found] == [
        (),
        ("the table is gone", "nobody looked at it"),
        ("nobody looked at it",),
    ]
    bars = timeline.bars(found, Window(NOON - 4 * HOUR, NOON))
    assert [(bar.x, bar.css) for bar in bars] == [(240, "blocked")]
    assert json.loads(timeline.plotted(found, DAY, "UTC"))["series"][0]["values"] == [1, None, 0]


@pytest.mark.parametrize(
    ("changes", "lived"),
    [
        pytest.param({}, (2, -1), id="its own life"),
        pytest.param({"decided_at": NOON - HOUR}, (1, -1), id="not before it was approved"),
        pytest.param({"state": ExceptionState.REVOKED, "ended_at": NOON - HOUR}, (2, 1), id="not after it was revoked"),
        pytest.param({"state": ExceptionState.DENIED}, None, id="denied"),
        pytest.param({"state": ExceptionState.REQUESTED, "decided_at": None}, None, id="not decided"),
    ],
)
def test_an_exception_stands_where_it_was_in_force(
    changes: dict[str, object], lived: tuple[float, float] | None
) -> None:
    made = an_exception("10.20.1.7", starts=NOON - 2 * HOUR, ends=NOON + HOUR)
    made = replace(made, **{"state": ExceptionState.APPROVED, "decided_at": NOON - 9 * HOUR, **changes})  # type: ignore[arg-type]
    wanted = None if lived is None else Window(NOON - lived[0] * HOUR, NOON - lived[1] * HOUR)
    assert made.life == wanted


def test_what_the_policy_says_has_no_gap_and_changes_at_its_edges(tmp_path: Path) -> None:
    known = offices(tmp_path)
    site = known.site("berlin")
    window = Window(NOON - 7 * 24 * HOUR, NOON)
    for spans in mode_spans(site, known.policies[site.policy], window).values():
        assert (spans[0].window.start, spans[-1].window.end) == (window.start, window.end)
        assert all(
            one.window.end == other.window.start and one.mode is not other.mode for one, other in pairwise(spans)
        )
    company = mode_spans(site, known.policies[site.policy], window)["company"]
    assert {span.mode for span in company} >= {Mode.ENFORCE}


def test_the_page_of_a_site_shows_them_on_one_axis_and_as_a_table(office: Office) -> None:
    an_hour_at_berlin(office.controller)
    anna, vera = signed(office, "anna"), signed(office, "vera")
    where = asked(anna)
    number = where.rpartition("/")[2]
    preview = office.controller.exceptions.preview_of(number).digest
    office.controller.exceptions.approve(number, actor="person:bert", preview=preview, reason="")
    office.clock.advance(timedelta(minutes=10))
    html = vera.get("/sites/berlin").text
    assert f'<a href="{where}">Exception: marketing</a>' in html
    assert "Policy: company" in html
    assert re.search(r"Role Held Enforced\? company .{0,90} not at all guest .{0,90} not at all", text_of(html)), (
        "each role alone"
    )
    plotted = json.loads(unescape(re.findall(r'data-plot="([^"]*)"', html)[0]))
    assert sum(filter(None, plotted["series"][0]["values"])) == 40
    assert plotted["end"] - plotted["start"] == 86_400
    hour = "2026-11-25T10:00"
    assert f"hour={hour}#hour" in unescape(html)
    inside = text_of(vera.get(f"/sites/berlin?hour={hour}").text)
    assert re.search(r"From Wed 25 Nov 2026 11:00 CET to Wed 25 Nov 2026 12:00 CET .*for 20 min: enforced", inside)
    assert "That hour is not in what is shown." in vera.get("/sites/berlin?hour=2026-11-01T10:00").text
    assert vera.get("/sites/berlin?hour=x").status_code == 422


def test_a_month_by_the_hour_is_made_in_little_time() -> None:
    """A look each five minutes, each another state than the one before."""
    start = datetime.fromisoformat("2026-10-01T00:00+00:00")
    states = (CoverageState.ENFORCED, CoverageState.UNKNOWN)
    step = timedelta(minutes=5)
    spans = [Span(window=Window(start + n * step, start + (n + 1) * step), state=states[n % 2]) for n in range(8_640)]
    buckets = [Bucket(start=start + n * HOUR, hits=dict.fromkeys(EventAction, 1)) for n in range(720)]
    found = timeline.slots(buckets, spans, start + 720 * HOUR)
    assert all(slot.seconds == {CoverageState.ENFORCED: 1800, CoverageState.UNKNOWN: 1800} for slot in found)
