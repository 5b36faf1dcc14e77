"""A source whose word is too old says so: since its last answer, or by the day that its data bears."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from ipsets.freshness import freshness, limits
from ipsets.resolve import SourceRecord
from ipsets.sources.config import ManualDecision, SourceConfig
from ipsets.spans import parse_span, short, words
from tests.ipsets.making import NOW, curated, entry

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def record(kind: str = "list", *, answered: timedelta | None = HOUR) -> SourceRecord:
    return SourceRecord(
        name="ours",
        kind=kind,
        last_success=None if answered is None else NOW - answered,
        indicators=(entry("1.2.3.4"),),
    )


@pytest.mark.parametrize(
    ("kind", "age", "said"),
    [
        pytest.param("list", DAY, "", id="to-the-limit"),
        pytest.param("list", DAY + HOUR, "it last answered 1 d 1 h ago, more than 1d", id="past-it"),
        pytest.param("ct", 6 * DAY, "", id="a-kind-with-a-limit-of-its-own"),
        pytest.param("unheard-of", 2 * DAY, "it last answered 2 d ago, more than 1d", id="any-other-kind"),
        pytest.param("ripestat", None, "it has never answered", id="never"),
    ],
)
def test_a_source_is_stale_by_the_limit_of_its_kind(kind: str, age: timedelta | None, said: str) -> None:
    assert freshness(record(kind, answered=age), now=NOW).stale == said


def test_the_inventory_has_the_last_word() -> None:
    assert not freshness(record(answered=3 * DAY), now=NOW, stale_after=3 * DAY).stale
    assert "more than 2h" in freshness(record(answered=3 * HOUR), now=NOW, stale_after=2 * HOUR).stale


def test_the_shipped_set_is_as_old_as_the_day_it_was_compiled() -> None:
    """It answers always; a release that is a year old does not know this year's prefixes."""
    shipped = SourceRecord(name="curated", kind="curated", last_success=NOW, indicators=curated())
    assert freshness(shipped, now=NOW).stale == ""
    later = NOW + 121 * DAY
    asked = SourceRecord(name="curated", kind="curated", last_success=later, indicators=curated())
    assert freshness(asked, now=later).stale == "what it says is of 2026-11-22, older than 120d"
    assert not freshness(asked, now=later, stale_after=400 * DAY).stale


def test_every_span_of_the_data_is_positive() -> None:
    known = limits()
    assert all(span > timedelta() for span in (*known.answered.values(), *known.dated.values()))


@pytest.mark.parametrize(("text", "span"), [("36h", 36 * HOUR), (" 3d ", 3 * DAY), ("48h", 2 * DAY)])
def test_spans_are_read_and_written(text: str, span: timedelta) -> None:
    assert parse_span(text) == span
    assert parse_span(short(span)) == span


@pytest.mark.parametrize("bad", ["", "3", "3m", "0d", "-1d", "3660d1h", "99999d", "١d", 3, None, "1 d"])
def test_what_is_no_span_is_refused_with_an_example(bad: object) -> None:
    with pytest.raises(ValueError, match=r"36h or 3d|at most"):
        parse_span(bad)


def test_every_kind_of_source_takes_stale_after_and_a_decision_in_it_does_not() -> None:
    read: TypeAdapter[SourceConfig] = TypeAdapter(SourceConfig)
    for config in (
        {"kind": "curated"},
        {"kind": "list", "file": "x.txt"},
        {"kind": "dns", "resolvers": ["9.9.9.9"]},
        {"kind": "manual", "entries": [{"deny": "1.2.3.4", "reason": "r", "owner": "o"}]},
    ):
        found = read.validate_python({**config, "stale_after": "3d"})
        assert found.stale_after == 3 * DAY
        with pytest.raises(ValidationError, match="36h or 3d"):
            read.validate_python({**config, "stale_after": "soon"})
    with pytest.raises(ValidationError, match="Extra inputs"):
        ManualDecision.model_validate({"deny": "1.2.3.4", "reason": "r", "owner": "o", "stale_after": "3d"})


def test_ages_are_told_in_two_units() -> None:
    assert words(3 * DAY + 4 * HOUR + timedelta(minutes=5)) == "3 d 4 h"
    assert words(timedelta(milliseconds=3)) == "less than a second"
