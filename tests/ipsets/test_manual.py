"""Decisions of one's own: what is denied is still judged, and what is allowed is never blocked by anybody."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from core.net import address_count, parse_network, subtract
from ipsets import dataset
from ipsets.catalogue import load_catalogue
from ipsets.difference import diff_snapshots
from ipsets.explain import explain, parse_question
from ipsets.guard import default_never_block
from ipsets.model import Dedication, Indicator, Snapshot
from ipsets.offlimits import ALLOWED, off_limits
from ipsets.snapshot import dumps, loads
from ipsets.sources import ManualConfig, SourceConfig, build_source
from tests.ipsets.making import NOW, curated, entry, guards, snapshot, texts, tiktok

ADAPTER: TypeAdapter[Any] = TypeAdapter(SourceConfig)
OWN = str(dataset.dedicated_prefixes()[0])


def manual(*entries: dict[str, Any], now: datetime = NOW) -> tuple[Indicator, ...]:
    complete = [{"reason": "ticket 4711", "owner": "netops", **given} for given in entries]
    return (
        build_source(ADAPTER.validate_python({"kind": "manual", "name": "ours", "entries": complete}))
        .fetch(now)
        .indicators
    )


def names(of: Snapshot) -> list[str]:
    return [f"{'.' if d.suffix else ''}{d.name}" for d in tiktok(of).domains]


# --- deny -------------------------------------------------------------------------------------------------------------


def test_what_is_denied_is_enforced_with_its_reason_and_owner() -> None:
    built = snapshot(manual({"deny": "5.5.5.0/24"}, {"deny": "full:cdn.some.example", "until": "2027-01-31"}))
    assert texts(built) == ["5.5.5.0/24"]
    assert names(built) == ["cdn.some.example"]
    assert [i.sources[0].detail for i in built.indicators] == [
        "denied: ticket 4711; owner netops",
        "denied: ticket 4711; owner netops, until 2027-01-31",
    ]
    assert {i.sources[0].source for i in built.indicators} == {"manual:ours"}


@pytest.mark.parametrize(
    ("denied", "guard"),
    [("10.1.0.0/16", "never-block"), ("23.1.0.0/16", "never-block"), ("5.0.0.0/8", "too-wide"), (".com", None)],
)
def test_i07_a_person_who_errs_meets_the_same_guards(denied: str, guard: str | None) -> None:
    if guard is None:
        with pytest.raises(ValidationError):
            manual({"deny": denied})
        return
    built = snapshot((entry("5.5.5.0/24"), *manual({"deny": denied})))
    assert guards(built) == {denied: guard}
    assert texts(built) == ["5.5.5.0/24"]


def test_an_entry_ends_after_its_last_day() -> None:
    given = {"deny": "5.5.5.0/24", "until": date(2026, 11, 25)}
    assert len(manual(given, now=datetime(2026, 11, 25, 23, 59, tzinfo=UTC))) == 1
    assert manual(given, now=datetime(2026, 11, 26, 0, 0, tzinfo=UTC)) == ()


def test_a_range_is_its_networks() -> None:
    assert [str(i.value) for i in manual({"deny": "5.5.5.1-5.5.5.2"})] == ["5.5.5.1/32", "5.5.5.2/32"]


# --- allow ------------------------------------------------------------------------------------------------------------


def test_i07_what_is_allowed_is_never_blocked_whoever_brings_it() -> None:
    built = snapshot(
        (*curated(), entry("5.5.5.0/24"), *manual({"allow": OWN}, {"allow": "5.5.5.128/25", "reason": "partner"}))
    )
    assert OWN not in texts(built)
    assert "5.5.5.0/25" in texts(built)
    assert not address_count([n for n in tiktok(built).networks if n.overlaps(parse_network("5.5.5.128/25"))], 4)
    assert guards(built)["5.5.5.0/24"] == guards(built)[OWN] == "never-block"
    said = next(v.reason for v in built.dropped if v.entry == "5.5.5.0/24")
    assert "allowed: partner; owner netops (manual:ours)" in said
    assert "carved out" in said


@given(st.sets(st.integers(0, 255), max_size=20), st.sets(st.integers(0, 255), max_size=20))
def test_i07_any_allow_is_exactly_what_is_missing(denied: set[int], allowed: set[int]) -> None:
    deny = [f"5.5.{n}.0/24" for n in denied] + ["5.6.0.0/24"]
    allow = [f"5.5.{n}.0/25" for n in allowed]
    built = snapshot([*map(entry, deny), *(i for text in allow for i in manual({"allow": text}))])
    assert tiktok(built).networks == subtract(map(parse_network, deny), map(parse_network, allow))


def test_i07_an_allowed_name_takes_out_itself_and_all_below() -> None:
    listed = [entry(".a.example"), entry("www.b.example"), entry("x.www.b.example"), entry(".c.example")]
    built = snapshot((*listed, *manual({"allow": "a.example"}, {"allow": "full:www.b.example"})))
    assert names(built) == [".c.example", "x.www.b.example"]
    assert guards(built) == {".a.example": "never-block", "www.b.example": "never-block"}


def test_a_name_that_cannot_be_cut_out_of_a_wider_one_is_told() -> None:
    built = snapshot((entry(".c.example"), *manual({"allow": "full:www.c.example"})))
    assert names(built) == [".c.example"]
    (verdict,) = built.dropped
    assert (verdict.guard, verdict.entry) == ("never-block", "www.c.example")
    assert ".c.example stays and covers it: allow it by an exception" in verdict.reason


def test_an_allow_that_meets_nothing_changes_nothing() -> None:
    without, with_allow = snapshot(curated()), snapshot((*curated(), *manual({"allow": "5.5.5.0/24"})))
    assert with_allow.id == without.id
    assert with_allow.dropped == without.dropped
    assert loads(dumps(with_allow)) == with_allow


def test_the_difference_does_not_name_an_allow_as_a_source_of_what_is_blocked() -> None:
    one = snapshot([entry("5.5.5.0/24")])
    two = snapshot((entry("5.5.5.0/24"), entry("5.5.6.0/24"), *manual({"allow": "5.5.6.0/25"})), previous=one)
    found = diff_snapshots(one, two)
    assert [(change.entry, change.sources) for change in found.added] == [("5.5.6.128/25", ("list:test",))]


def test_live_answers_may_not_bring_in_what_is_allowed() -> None:
    """The controller hands these networks to devices as spared, whatever the policy says of shared addresses."""
    built = snapshot((*curated(), *manual({"allow": "5.5.5.0/24"}, {"allow": "2605:341::/48"}, {"deny": "5.5.6.0/24"})))
    (block,) = off_limits(built.indicators, categories={ALLOWED})
    assert [str(n) for n in block.networks] == ["5.5.5.0/24", "2605:341::/48"]


def test_an_allowed_address_is_explained_by_who_allowed_it() -> None:
    built = snapshot((entry("5.5.5.0/24"), entry("5.5.6.0/24"), *manual({"allow": "5.5.5.0/24"})))
    found = explain(parse_question("5.5.5.7"), built, catalogue=load_catalogue(), never_block=default_never_block())
    assert not found.covered
    assert found.decisions[0].rule == "never-block"
    assert "ticket 4711; owner netops" in found.decisions[0].reason
    assert found.notes == (), "a gateway spares it as well"


# --- what an inventory may say ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "either"),
        ({"deny": "5.5.5.0/24", "allow": "5.5.5.0/24"}, "either"),
        ({"deny": "5.5.5.0/24", "reason": ""}, "reason"),
        ({"deny": "5.5.5.0/24", "owner": ""}, "owner"),
        ({"deny": "5.5.5.0/24", "reason": "a\nb"}, "pattern"),
        ({"deny": "5.5.5.0/24", "until": "soon"}, "date"),
        ({"deny": "# nothing"}, "empty entry"),
        ({"deny": ""}, "empty entry"),
        ({"deny": "5.5.5.1/24"}, "host bits"),
        ({"deny": "two words"}, "word"),
        ({"allow": "0.0.0.0/0"}, "too much to allow"),
        ({"allow": "::/0"}, "too much to allow"),
        ({"allow": "0.0.0.0-255.255.255.255"}, "too much to allow"),
        ({"deny": "5.5.5.0/24", "why": "x"}, "why"),
    ],
    ids=str,
)
def test_nonsense_is_refused_with_what_is_meant(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        manual(given)
    assert said in str(caught.value)


@pytest.mark.parametrize("missing", ["reason", "owner"])
def test_every_entry_has_its_reason_and_its_owner(missing: str) -> None:
    given = {"deny": "5.5.5.0/24", "reason": "ticket 4711", "owner": "netops"}
    del given[missing]
    with pytest.raises(ValidationError, match=missing):
        ManualConfig.model_validate({"kind": "manual", "entries": [given]})


def test_two_lists_that_allow_the_same_are_both_named() -> None:
    again = [
        build_source(
            ADAPTER.validate_python(
                {
                    "kind": "manual",
                    "name": name,
                    "entries": [{"allow": "5.5.5.0/24", "reason": name, "owner": "netops"}],
                }
            )
        ).fetch(NOW)
        for name in ("one", "two")
    ]
    built = snapshot((entry("5.5.5.0/24"), entry("5.5.6.0/24"), *(i for f in again for i in f.indicators)))
    (indicator,) = (i for i in built.indicators if i.dedication is Dedication.NEVER)
    assert [p.source for p in indicator.sources] == ["manual:one", "manual:two"]
    assert texts(built) == ["5.5.6.0/24"]
