"""How long a source's word counts, as a small language; and that silence never ends one (I2)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from core.clock import ManualClock
from ipsets.ages import LONGEST, MAX_GONE, AgeOut, Ages, aged_out, keep_gone
from ipsets.judgement import ages_of, rules
from ipsets.model import Dedication
from ipsets.resolve import SourceRecord, dumps_record, loads_record, refresh
from ipsets.sources import ListConfig, SourceConfig, ages, build_source
from ipsets.text import canonical, entry_text, sha256
from tests.ipsets.making import NOW, entry

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "event", "grace"),
    [
        ("last_seen", "last_seen", timedelta()),
        ("last_seen+30d", "last_seen", 30 * DAY),
        ("last_seen + 12h", "last_seen", timedelta(hours=12)),
        ("first_seen+2w", "first_seen", 14 * DAY),
    ],
)
def test_the_language(text: str, event: str, grace: timedelta) -> None:
    assert AgeOut.parse(text) == AgeOut(event, grace)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30d",
        "last_seen+",
        "last_seen+0d",
        "last_seen-3d",
        "seen+3d",
        "last_seen+3m",
        "first_seen",
        "last_seen+9999w",
    ],
)
def test_what_is_no_age_is_refused_with_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"last_seen|first_seen|days"):
        AgeOut.parse(text)


@given(st.sampled_from(["first_seen", "last_seen"]), st.integers(1, int(LONGEST / timedelta(hours=1))))
def test_a_rule_is_written_as_it_is_read(event: str, hours: int) -> None:
    rule = AgeOut(event, timedelta(hours=hours))  # type: ignore[arg-type]
    if hours <= 9999 or hours % 24 == 0:  # four digits, of hours or of days
        assert AgeOut.parse(str(rule)) == rule


def test_a_source_may_say_one_rule_for_both_or_one_for_each() -> None:
    both = ListConfig.model_validate({"kind": "list", "file": "x", "age_out": "first_seen+90d"})
    each = ListConfig.model_validate({"kind": "list", "name": "b", "file": "x", "age_out": {"names": "last_seen+3d"}})
    found = ages((both, each))
    assert str(found["list"].addresses) == str(found["list"].names) == "first_seen+90d"
    assert (str(found["b"].addresses), str(found["b"].names)) == ("last_seen", "last_seen+3d")
    for none in ("a while", {"names": 30}, {"names": {"event": "first_seen", "grace": 9e13}}, {"names": {}}):
        with pytest.raises(ValidationError, match="is no age"):
            ListConfig.model_validate({"kind": "list", "file": "x", "age_out": none})


@pytest.mark.parametrize("kind", ["curated", "manual"])
def test_what_somebody_decided_has_no_age(kind: str) -> None:
    with pytest.raises(ValidationError, match="age_out"):
        TypeAdapter(SourceConfig).validate_python(
            {"kind": kind, "age_out": "last_seen+1d", **({"entries": []} if kind == "manual" else {})}
        )


def test_what_routing_and_lists_no_longer_name_is_gone_at_once() -> None:
    """A prefix that is withdrawn may be a neighbour's tomorrow."""
    for kind in ("ripestat", "list", "irr", "rpki", "asndb", "ranges"):
        assert str(ages_of(kind).addresses) == "last_seen"
    assert str(ages_of("dns").addresses) == "last_seen+7d"
    assert set(rules().age_out) >= {"default"}


# --- in a record ------------------------------------------------------------------------------------------------------


def asked(path: Path, known: SourceRecord | None, at: datetime, age: str = "last_seen+2d") -> SourceRecord:
    config = ListConfig.model_validate({"kind": "list", "name": "ours", "file": path, "age_out": age, "max_shrink": 1})
    before = {known.name: known} if known else {}
    (record,) = refresh([build_source(config)], before, ManualClock(at), ages=ages((config,)))
    return record


def gone(record: SourceRecord) -> list[str]:
    return [entry_text(i.value) for i in record.gone]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "extra.txt"
    path.write_text("5.5.1.0/24\n5.5.2.0/24\n", encoding="utf-8")
    return path


def test_an_entry_that_is_named_no_more_counts_as_long_as_its_rule_says(path: Path) -> None:
    first = asked(path, None, NOW)
    path.write_text("5.5.1.0/24\n", encoding="utf-8")
    second = asked(path, first, NOW + DAY)
    assert (gone(second), len(second.indicators)) == (["5.5.2.0/24"], 1)
    assert second.gone[0].sources[0].last_seen == NOW
    assert gone(asked(path, second, NOW + 2 * DAY)) == []


def test_one_that_is_named_again_has_been_known_since_the_first_time(path: Path) -> None:
    whole = path.read_text(encoding="utf-8")
    first = asked(path, None, NOW)
    path.write_text("5.5.1.0/24\n", encoding="utf-8")
    second = asked(path, first, NOW + DAY)
    path.write_text(whole, encoding="utf-8")
    third = asked(path, second, NOW + DAY + timedelta(hours=1))
    assert gone(third) == []
    assert {p.first_seen for i in third.indicators for p in i.sources} == {NOW}


def test_i02_silence_ends_no_word_however_long_it_lasts(path: Path) -> None:
    first = asked(path, None, NOW)
    path.write_text("5.5.1.0/24\n", encoding="utf-8")
    second = asked(path, first, NOW + DAY)
    path.unlink()
    silent = asked(path, second, NOW + 400 * DAY)
    assert silent.error is not None
    assert (silent.indicators, silent.gone) == (second.indicators, second.gone)


def test_a_list_that_lost_an_entry_is_not_smaller_for_what_lingers(path: Path) -> None:
    """What it named last is compared with what it names now: the shrink guard sees no entry that is only kept."""
    path.write_text("".join(f"5.5.{at}.0/24\n" for at in range(20)), encoding="utf-8")
    record = asked(path, None, NOW, "last_seen+30d")
    path.write_text("".join(f"5.6.{at}.0/24\n" for at in range(20)), encoding="utf-8")
    record = asked(path, record, NOW + DAY, "last_seen+30d")
    assert (len(record.indicators), len(record.gone)) == (20, 20)


def test_without_a_grace_nothing_lingers(path: Path) -> None:
    first = asked(path, None, NOW, "last_seen")
    path.write_text("5.5.1.0/24\n", encoding="utf-8")
    assert gone(asked(path, first, NOW + DAY, "last_seen")) == []


def test_what_lingers_is_bounded() -> None:
    known = [entry(f"2001:db8:{at:x}::/48", seen=NOW + timedelta(seconds=at)) for at in range(MAX_GONE + 5)]
    kept = keep_gone(known, (), Ages(addresses=AgeOut("last_seen", 300 * DAY)), now=NOW + DAY)
    assert len(kept) == MAX_GONE
    assert {i.value for i in known[:5]}.isdisjoint(i.value for i in kept)


def test_a_record_of_before_is_read_and_one_of_now_is_read_back(path: Path) -> None:
    first = asked(path, None, NOW)
    path.write_text("5.5.1.0/24\n", encoding="utf-8")
    record = asked(path, first, NOW + DAY)
    assert loads_record(dumps_record(record)) == record
    content = json.loads(dumps_record(record))["content"]
    del content["gone"]
    older = canonical({"checksum": sha256(canonical(content)), "content": content})
    assert loads_record(older).gone == ()


# --- while it is named ------------------------------------------------------------------------------------------------


def test_first_seen_ends_a_word_even_while_it_is_named() -> None:
    rule = Ages.model_validate("first_seen+90d")
    old, new = entry("5.5.1.0/24", detail="line 1"), entry("5.5.2.0/24", seen=NOW + 80 * DAY)
    (first, second) = aged_out((old, new), rule, at=NOW + 91 * DAY)
    assert (first.dedication, second.dedication) == (Dedication.UNKNOWN, Dedication.DEDICATED)
    assert first.sources[0].detail == "line 1; aged out (first_seen+90d)"
    assert list(aged_out((old, new), rule, at=NOW + 91 * DAY, forget=True)) == [new]


def test_what_is_declared_off_limits_does_not_age() -> None:
    kept = entry("5.5.1.0/24", dedication=Dedication.NEVER)
    assert list(aged_out((kept,), Ages.model_validate("first_seen+1h"), at=NOW + 90 * DAY)) == [kept]


def test_a_source_that_takes_anothers_name_inherits_nothing_that_lingers(path: Path) -> None:
    first = asked(path, None, NOW)
    path.write_text("5.5.1.0/24\n", encoding="utf-8")
    second = asked(path, first, NOW + DAY)
    other = replace(second, kind="dns")
    assert gone(asked(path, other, NOW + DAY + timedelta(hours=1))) == []
