"""Parsers before strangers: what comes back keeps its promises, or it is an error of ours. Nothing hangs or swells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipsets.errors import SourceImplausible
from ipsets.sources import plain
from ipsets.sources.plain import MAX_BAD_LINES, MAX_ENTRIES, MAX_LINE, parse
from ipsets.text import MAX_VALUES, lines_of, one_line, read_json

BREAKS = ("\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\x1f", "a", "é", "")


# --- text -------------------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(BREAKS) | st.text(max_size=3), max_size=30).map("".join), st.integers(0, 9))
def test_lines_are_those_of_the_standard_library(text: str, block: int) -> None:
    assert list(lines_of(text, block=block)) == text.splitlines()


@given(st.text(st.characters(codec=None)), st.integers(0, 50))
def test_one_line_is_printable_and_can_be_stored(text: str, limit: int) -> None:
    said = one_line(text, limit)
    assert said.encode() is not None
    assert said.isprintable()
    assert len(said) <= limit


@pytest.mark.parametrize("piece", ["[],", "{},", "1,", '"",'])
def test_json_with_too_many_values_is_not_even_read(piece: str) -> None:
    with pytest.raises(ValueError, match="more than 10000000 values"):
        read_json(f"[{piece * (MAX_VALUES // piece.count(',') + 1)}1]")
    assert len(read_json(f"[{piece * 10}1]")) == 11


# --- plain lists: their size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe\n", id="a-line-of-254-networks"),
        pytest.param("5.5.5.5\n", id="the-same-line-again"),
        pytest.param(f"0.0.0.0{' a.example' * 6000}\n", id="a-hosts-line-of-6000-names"),
    ],
)
def test_i02_a_list_of_too_many_entries_is_refused_at_the_line_that_was_too_much(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "MAX_ENTRIES", 5000)
    in_a_line = sum(1 for _ in plain.parse_line(line.strip()))
    number = 5000 // in_a_line + 1
    with pytest.raises(SourceImplausible, match="more than 5000 entries") as caught:
        parse(line * (number + 1), place="theirs.txt")
    assert caught.value.place == f"theirs.txt:{number}"
    if number > 1:
        assert len(parse(line * (number - 1), place="theirs.txt")) == in_a_line * (number - 1)


def test_the_guards_let_fewer_entries_pass_than_a_list_may_have() -> None:
    assert MAX_ENTRIES >= 250_000


def test_i06_reading_ends_when_nearly_every_line_is_bad() -> None:
    text = "tiktok.com\n" + "a\n" * (MAX_BAD_LINES + 5000)
    with pytest.raises(SourceImplausible, match=rf"; at least {MAX_BAD_LINES - 4} more") as caught:
        parse(text, place="theirs.txt")
    assert caught.value.place == "theirs.txt:2"
    assert len(caught.value.message) < 1000


def test_i06_a_line_without_end_is_none() -> None:
    longest = f"0.0.0.0 {'a.example ' * MAX_LINE}"[: MAX_LINE - 1] + "e"
    assert parse(f"{longest}\n", place="x")
    with pytest.raises(SourceImplausible, match=f"{MAX_LINE + 1} characters are no line"):
        parse(f"tiktok.com\n{longest}e\n", place="x")
