"""What the command line understands and how it prints: times, text from strangers, tables, JSON and CSV. Pure."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli.exceptions import times
from api.cli.options import Output
from api.cli.report import _by_hour, _device_state, coverage_line, sparkline
from api.cli.show import UNKNOWN, note, printable, say, show_csv, show_json, show_rows, show_table, text_of
from api.cli.times import parse_span, parse_time
from controller.errors import Invalid

NOW = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)


# --- times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-11-25T18:00Z", NOW, id="utc"),
        pytest.param("2026-11-25T19:00+01:00", NOW, id="another-zone"),
        pytest.param("2026-11-25T18:00:00.000000+00:00", NOW, id="as-python-writes-it"),
        pytest.param("2026-11-25", NOW.replace(hour=0), id="a-date-is-midnight-utc"),
        pytest.param(" now ", NOW, id="now"),
        pytest.param("24h", NOW - timedelta(hours=24), id="a-span-counts-back"),
        pytest.param("1d2h3m4s", NOW - timedelta(days=1, hours=2, minutes=3, seconds=4), id="a-long-span"),
    ],
)
def test_a_time_is_understood_as_utc(text: str, expected: datetime) -> None:
    assert parse_time(text, option="--since", now=NOW, backwards=True) == expected


def test_a_span_counts_forward_where_the_option_says_so() -> None:
    assert parse_time("90m", option="--from", now=NOW, backwards=False) == NOW + timedelta(minutes=90)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("2026-11-25T18:00", "names no time zone", id="i12-no-zone-no-guess"),
        pytest.param("yesterday", "is no time", id="a-word"),
        pytest.param("", "is no time", id="nothing"),
        pytest.param("2026-02-30", "is no time", id="no-such-day"),
        pytest.param("0h", "is no time", id="no-span-at-all"),
        pytest.param("99999d", "year must lie between", id="long-before-the-calendar"),
        pytest.param("0001-01-01T00:00+14:00", "year must lie between", id="before-utc-begins"),
        pytest.param("9999-12-31T23:59-12:00", "year must lie between", id="after-utc-ends"),
        pytest.param("٢٤h", "is no time", id="digits-of-another-script"),
    ],
)
def test_what_is_no_time_is_refused_with_the_option(text: str, why: str) -> None:
    with pytest.raises(Invalid, match=f"^TG5007 --since: .*{why}"):
        parse_time(text, option="--since", now=NOW, backwards=True)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        found = parse_time(text, option="--until", now=NOW, backwards=True)
    except Invalid:
        return
    assert found.utcoffset() == timedelta(0)


def test_a_span_is_a_span() -> None:
    assert parse_span("1h30m", option="--for") == timedelta(minutes=90)
    with pytest.raises(Invalid, match="--for"):
        parse_span("18:00", option="--for")


def test_an_exception_ends_by_a_time_or_after_a_span_never_both() -> None:
    assert times("now", None, "2h", now=NOW) == (NOW, NOW + timedelta(hours=2))
    assert times("1h", "2026-11-25T20:00Z", None, now=NOW) == (NOW + timedelta(hours=1), NOW + timedelta(hours=2))
    for until, lasts in ((None, None), ("2h", "2h")):
        with pytest.raises(Invalid, match="--until, --for"):
            times("now", until, lasts, now=NOW)


# --- text from strangers --------------------------------------------------------------------------------------------

NASTY = [
    pytest.param("a\x1b[2Jb", id="clears-the-screen"),
    pytest.param("a\x9b31mb", id="the-same-in-one-byte"),
    pytest.param("a\rb", id="back-to-the-start"),
    pytest.param("a\nb", id="another-line"),
    pytest.param("a\u202eb", id="right-to-left"),
    pytest.param("a\u2028b", id="another-kind-of-line"),
    pytest.param("a\x00b", id="nul"),
    pytest.param("a\x07b", id="bell"),
]


@pytest.mark.parametrize("text", NASTY)
def test_no_text_of_a_stranger_commands_the_terminal(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert printable(text) == "a�b" or printable(text).startswith("a�")
    rows = [Row(name=text, hits=1)]
    show_rows(rows, COLUMNS, Output.TABLE)
    show_rows(rows, COLUMNS, Output.CSV)
    show_rows(rows, COLUMNS, Output.JSON)
    say(text.replace("\n", " "))
    note(text.replace("\n", " "))
    out, err = capsys.readouterr()
    assert all(c == "\n" or c.isprintable() for c in out + err)


@pytest.mark.parametrize("text", NASTY)
def test_json_keeps_what_was_said(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"said": text})
    assert json.loads(capsys.readouterr().out) == {"said": text}


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20)))
def test_json_is_always_json_and_always_printable(value: dict[str, str]) -> None:
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        show_json(value)
    assert json.loads(stream.getvalue()) == value
    assert all(c == "\n" or c.isprintable() for c in stream.getvalue())


def test_brackets_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    say("a [bold]b[/bold] :smile:")
    show_table(("x",), [["[red]y[/red]"]])
    assert capsys.readouterr().out == "a [bold]b[/bold] :smile:\nx\n[red]y[/red]\n"


# --- values ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    name: str
    hits: int | None


COLUMNS = {"name": lambda row: row.name, "hits": lambda row: row.hits}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(None, UNKNOWN, id="i13-unknown-is-not-nothing"),
        pytest.param(0, "0", id="counted-none"),
        pytest.param(True, "yes", id="yes"),
        pytest.param(("a", "b"), "a, b", id="a-list"),
        pytest.param({"company": "enforce"}, "company=enforce", id="a-mapping"),
        pytest.param(datetime.fromisoformat("2026-11-25T19:00+01:00"), "2026-11-25 18:00:00Z", id="a-time-in-utc"),
    ],
)
def test_a_value_is_shown_as_what_it_is(value: object, shown: str) -> None:
    assert text_of(value) == shown


def test_i13_unknown_is_unknown_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Row(name="a", hits=None), Row(name="b", hits=0)]
    show_rows(rows, COLUMNS, Output.CSV)
    assert capsys.readouterr().out == "name,hits\na,\nb,0\n"
    show_rows(rows, COLUMNS, Output.JSON)
    assert [row["hits"] for row in json.loads(capsys.readouterr().out)] == [None, 0]
    show_rows(rows, COLUMNS, Output.TABLE)
    assert capsys.readouterr().out.splitlines() == ["name  hits", "a        ?", "b        0"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1"])
def test_a_spreadsheet_runs_nothing(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_csv(["x"], [[text]])
    cell = list(csv.reader(io.StringIO(capsys.readouterr().out)))[1][0]
    assert not cell.startswith(("=", "+", "-", "@", "\t"))


def test_an_empty_list_is_empty_for_programs_and_told_to_people(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows([], COLUMNS, Output.TABLE, none="no rows")
    assert capsys.readouterr() == ("", "no rows\n")
    show_rows([], COLUMNS, Output.JSON)
    assert json.loads(capsys.readouterr().out) == []


def test_a_narrow_terminal_folds_between_words_and_never_inside_an_id(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    ident = "01kaxw1t4m3v2q8y7z6s5r4p3n"
    show_table(("id", "reason", "hits"), [[ident, "the spring campaign goes live", 123456]])
    shown = capsys.readouterr().out
    assert ident in shown
    assert "123456" in shown
    assert {"the", "spring", "campaign", "goes", "live"} <= set(shown.split())
    assert len(shown.splitlines()) > 2, "folded"


def test_a_pipe_gets_whole_words_and_no_colour(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    show_table(("what",), [["word " * 50]])
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 2
    assert "\x1b" not in shown


# --- reports --------------------------------------------------------------------------------------------------------


def test_coverage_is_told_in_shares_and_unknown_is_one_of_them() -> None:
    seconds = {"enforced_seconds": 90, "unknown_seconds": 10, "off_seconds": 0, "monitored_seconds": 0}
    assert coverage_line({**seconds, "not_enforced_seconds": 0}) == "enforced 90.0%, unknown 10.0%"
    assert coverage_line(dict.fromkeys(seconds, 0)) == "no time has passed"


@pytest.mark.parametrize(
    ("rows", "step", "told"), [(24, 1, "by hour"), (744, 1, "by 12 hours"), (365, 24, "by 7 days")]
)
def test_the_chart_of_a_long_time_fits_into_a_line(
    rows: int, step: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    first = datetime(2026, 10, 1, tzinfo=UTC)
    _by_hour([{"hour": (first + timedelta(hours=n * step)).isoformat(), "blocked": 1} for n in range(rows)])
    line = capsys.readouterr().out.strip()
    assert line.startswith(f"blocked {told} ")
    assert len(line) <= 110
    assert "\n" not in line


def test_a_device_that_nobody_looked_at_is_not_good() -> None:
    row = {"in_inventory": True, "last_seen_at": None, "degraded": []}
    assert _device_state(row) == "never looked at"
    assert _device_state({**row, "in_inventory": False}) == "no longer in the inventory"
    assert _device_state({**row, "last_seen_at": "2026-11-25T11:00:00Z"}) == "good"


def test_a_sparkline_shows_nothing_as_nothing_and_the_most_as_full() -> None:
    assert sparkline([0, 1, 8]) == " ▁█"
    assert sparkline([0, 0]) == "  "
    assert sparkline([]) == ""
