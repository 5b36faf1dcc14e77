"""Two independent voices before an address is denied, or one that knows who originates it."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from core.net import parse_network
from ipsets.catalogue import load_catalogue
from ipsets.explain import explain
from ipsets.guard import GuardLimits, default_never_block
from ipsets.judgement import family_of, rules
from ipsets.model import Dedication, Indicator, Snapshot
from ipsets.snapshot import build_snapshot
from ipsets.sources import SourceConfig, families
from ipsets.text import entry_text
from tests.ipsets.making import NOW, entry, guards, texts

NAME = entry(".tiktok.com", source="curated")


def claim(text: str, source: str) -> Indicator:
    return entry(text, source=source, dedication=Dedication.CLAIMED)


def word(text: str, source: str) -> Indicator:
    return entry(text, source=source, dedication=Dedication.UNKNOWN)


def built(*indicators: Indicator, families: dict[str, str] | None = None) -> Snapshot:
    return build_snapshot(
        [NAME, *indicators],
        catalogue=load_catalogue(),
        limits=GuardLimits(),
        never_block=default_never_block(),
        previous=None,
        source_ages={},
        now=NOW,
        families=families,
    )


def test_a_claim_of_one_list_is_told_and_not_enforced() -> None:
    made = built(claim("16.162.0.0/24", "list:a"))
    assert texts(made) == []
    assert guards(made)["16.162.0.0/24"] == "one-voice"
    assert "1 independent voice, 2 are needed (from list:a)" in made.dropped[0].reason


@pytest.mark.parametrize("second", ["list:b", "irr", "rpki", "asndb", "mrt"])
def test_a_second_independent_voice_is_enough(second: str) -> None:
    other = claim("16.162.0.0/23", second) if second == "list:b" else word("16.162.0.0/23", second)
    made = built(claim("16.162.0.0/24", "list:a"), other)
    assert "16.162.0.0/24" in texts(made)
    decision = explain(
        parse_network("16.162.0.9").network_address, made, catalogue=load_catalogue(), never_block=default_never_block()
    ).decisions[0]
    assert decision.rule == "voices"
    assert "list:a" in decision.reason
    assert second in decision.reason


def test_the_wider_claim_is_enforced_only_where_both_speak() -> None:
    made = built(claim("16.162.0.0/24", "list:a"), claim("16.162.0.0/23", "list:b"))
    assert texts(made) == ["16.162.0.0/24"]
    assert guards(made) == {"16.162.0.0/23": "one-voice"}


def test_registries_second_and_never_begin() -> None:
    made = built(word("16.162.0.0/24", "irr"), word("16.162.0.0/24", "rpki"))
    assert texts(made) == []


def test_a_list_that_is_not_trusted_is_no_voice() -> None:
    made = built(claim("16.162.0.0/24", "list:a"), word("16.162.0.0/24", "list:stranger"))
    assert texts(made) == []


def test_lists_that_copy_each_other_are_one_voice() -> None:
    copies = {"list:a": "family pihole-lists", "list:b": "family pihole-lists"}
    both = (claim("16.162.0.0/24", "list:a"), claim("16.162.0.0/24", "list:b"))
    assert texts(built(*both, families=copies)) == []
    assert texts(built(*both)) == ["16.162.0.0/24"]


def test_one_source_that_knows_the_origin_is_enough() -> None:
    known = entry("16.162.0.0/23", source="ripestat:AS138699")
    made = built(known, claim("16.162.1.0/24", "list:a"))
    assert texts(made) == ["16.162.0.0/23"]
    assert guards(made) == {}


def test_i07_no_number_of_claims_takes_a_prefix_that_carries_other_services() -> None:
    shared = entry("16.162.0.0/23", source="curated", app="bytedance-shared", dedication=Dedication.SHARED)
    made = built(shared, *(claim("16.162.1.0/24", f"list:{n}") for n in "abc"))
    assert texts(made) == []
    assert "also carries other services" in next(v.reason for v in made.dropped if v.guard == "one-voice")


def test_i07_two_claims_do_not_pass_the_other_guards() -> None:
    inside = "118.26.132.0/24"  # BytePlus, cloud customers: TikTok's until January 2026
    made = built(claim(inside, "list:a"), claim(inside, "list:b"))
    assert texts(made) == []
    assert guards(made)[inside] == "never-block"


def test_known_copies_are_found_by_their_address_and_others_by_the_inventory() -> None:
    assert family_of("https://raw.example/blocklistproject/Lists/master/tiktok.txt") == "pihole-lists"
    assert family_of("https://raw.example/DANHORTON7/pihole-block-tiktok/main/tiktok.txt") == "pihole-lists"
    assert family_of("https://intel.example/tiktok.txt") is None
    given = [
        {"kind": "curated"},
        {"kind": "list", "name": "one", "url": "https://raw.example/llacb47/mischosts/tiktok.txt"},
        {"kind": "list", "name": "two", "file": "x.txt", "family": "pihole-lists"},
        {"kind": "list", "name": "three", "file": "y.txt"},
    ]
    configs = TypeAdapter(list[SourceConfig]).validate_python(given)
    assert families(configs) == {"list:one": "family pihole-lists", "list:two": "family pihole-lists"}


def test_the_rules_are_data() -> None:
    assert rules().voices_needed == 2
    assert all(family.why for family in rules().families.values())
    assert [entry_text(i.value) for i in built().indicators] == [".tiktok.com"]
