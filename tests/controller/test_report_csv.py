"""Reports as CSV: one table that any spreadsheet reads, and in which no text is ever run."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import CoverageState, EventAction
from controller.reports.as_csv import cell, render_fleet, render_site
from controller.reports.making import fleet_report
from core.ids import SiteName
from tests.controller.reporting import (
    DAY,
    FW,
    NOW,
    approved,
    at,
    busy_day,
    check_golden,
    event,
    look,
    report,
    status,
)

COLUMNS = ["site", "section", "name", "detail", "action", "hits", "packets", "bytes", "seconds", "from", "to"]
HOSTILE = "=cmd|'/c calc'!A1"


def rows(text: str, section: str | None = None) -> list[Mapping[str, str]]:
    found = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    return [row for row in found if section in (None, row["section"])]


def test_the_csv_of_a_whole_day() -> None:
    check_golden("report_site.csv", render_site(busy_day()))


def test_the_csv_of_the_fleet() -> None:
    other = replace(report(devices={}), site=SiteName("austin"), title="Austin office")
    check_golden(
        "report_fleet.csv",
        render_fleet(fleet_report([busy_day(), other], window=DAY, now=NOW, sources=busy_day().intelligence)),
    )


def test_it_is_rfc_4180_with_one_head_and_the_same_columns_everywhere() -> None:
    text = render_site(busy_day())
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert lines[0] == COLUMNS
    assert {len(line) for line in lines} == {len(COLUMNS)}
    assert text.count("\n") == text.count("\r\n") == len(lines)


def test_every_section_holds_the_figures_of_the_report() -> None:
    found = busy_day()
    text = render_site(found)
    blocked = str(found.totals[EventAction.BLOCKED].hits)
    assert [row["hits"] for row in rows(text, "totals") if row["action"] == "blocked"] == [blocked]
    for section in ("device", "hour", "role"):
        own = [int(row["hits"]) for row in rows(text, section) if row["action"] == "blocked"]
        assert sum(own) == int(blocked), section
    assert sum(float(row["seconds"]) for row in rows(text, "coverage")) == 24 * 3600
    assert [row["name"] for row in rows(text, "coverage")] == [state.value for state in CoverageState]
    assert len(rows(text, "hour")) == 24 * 3
    assert next(row["name"] for row in rows(text, "source")) == "10.20.0.10"
    assert [(row["hits"], row["to"]) for row in rows(text, "exception")] == [("24", "2026-11-25T15:30:00Z")]
    assert len(rows(text, "note")) == len(found.notes)


def test_i13_unknown_is_an_empty_cell_and_never_zero() -> None:
    text = render_site(report(events=[event(at(9.5), None), event(at(11.5), 3)]))
    assert {row["hits"] for row in rows(text, "totals") if row["action"] == "blocked"} == {""}
    assert [row["hits"] for row in rows(text, "hour") if row["action"] == "blocked" and row["hits"] != "0"] == ["", "3"]


def test_an_empty_period_is_a_table_too() -> None:
    text = render_site(report())
    assert {row["hits"] for row in rows(text, "totals")} == {""}
    assert rows(text, "source") == rows(text, "exception") == []
    assert [row["seconds"] for row in rows(text, "coverage") if row["name"] == "unknown"] == ["86400.0"]


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\n", "\r", "＝", "＋", "－", "＠"])
def test_text_that_a_spreadsheet_would_run_is_text(first: str) -> None:
    assert not cell(first + "1+1").startswith(first)


def test_numbers_stay_numbers() -> None:
    assert [cell(value) for value in (0, 12, -5, 1.5, None)] == ["0", "12", "-5", "1.5", ""]


def test_hostile_text_from_anywhere_stays_in_its_cell() -> None:
    broken = 'a"b,c\r\nd'
    found = report(
        events=[event(at(14), 1, role="=role")],
        exceptions=[approved(reason=HOSTILE), approved(reason=broken)],
        observations=[look(0, None, None, "\x1b]0;owned\x07")],
        devices={FW: status(error="@SUM(A1)", degraded=("-2+3",))},
    )
    text = render_site(found)
    assert "\x1b" not in text
    assert "\x07" not in text
    details = {row["detail"] for row in rows(text)}
    assert {f"'{HOSTILE}", 'a"b,c\ufffd\nd', "'@SUM(A1)"} <= details
    assert {row["name"] for row in rows(text, "role")} == {"'=role"}
    assert all(not value.startswith(("=", "+", "-", "@")) for row in rows(text) for value in row.values())


@given(st.text(max_size=40))
def test_whatever_is_written_comes_back_as_one_cell_that_does_not_act(reason: str) -> None:
    text = render_site(report(exceptions=[approved(reason=reason)]))
    back = rows(text, "exception")[0]["detail"]
    assert back == cell(reason)
    assert not back.startswith(("=", "+", "-", "@", "\t"))
