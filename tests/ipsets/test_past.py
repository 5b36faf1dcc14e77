"""An older snapshot is judged by the never-block of today before it comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.net import DomainName, parse_network
from ipsets.catalogue import load_catalogue
from ipsets.errors import GuardTripped
from ipsets.guard import NeverBlock, default_never_block
from ipsets.model import Dedication, Indicator
from ipsets.past import refuse_never_blocked
from tests.ipsets.making import curated, entry, snapshot, tiktok

SHIPPED = snapshot(curated())
ANY = str(tiktok(SHIPPED).networks[0])


def ask(*declared: Indicator, own: tuple[str, ...] = ()) -> dict[str, str]:
    """Entry -> reason of what is refused; empty when the snapshot may come back."""
    mine = NeverBlock(reason="your never_block list", networks=tuple(map(parse_network, own)))
    try:
        refuse_never_blocked(
            SHIPPED, catalogue=load_catalogue(), never_block=(*default_never_block(), mine), declared=declared
        )
    except GuardTripped as exc:
        return {verdict.entry: verdict.reason for verdict in exc.verdicts}
    return {}


def test_what_the_guards_of_today_would_pass_may_come_back() -> None:
    assert ask(*curated()) == {}


def test_one_address_that_is_never_blocked_today_is_enough() -> None:
    first = str(parse_network(ANY)[0])
    assert ask(own=(f"{first}/32",)) == {ANY: "touches your never_block list"}


def test_what_the_snapshot_allows_above_its_entry_may_come_back_and_nothing_less() -> None:
    first = parse_network(str(parse_network(ANY)[0]))
    mine = NeverBlock(reason="your never_block list", networks=(first,))
    for allows, said in (((first,), []), ((parse_network("9.9.9.9"),), [ANY])):
        services = tuple(replace(service, allows=allows) for service in SHIPPED.services)
        try:
            refuse_never_blocked(
                replace(SHIPPED, services=services),
                catalogue=load_catalogue(),
                never_block=(*default_never_block(), mine),
                declared=(),
            )
            refused = []
        except GuardTripped as exc:
            refused = [verdict.entry for verdict in exc.verdicts]
        assert refused == said


def test_what_a_source_declares_off_limits_counts() -> None:
    found = ask(entry(ANY, dedication=Dedication.NEVER, detail="leased to a neighbour"))
    assert "leased to a neighbour" in found[ANY]


@pytest.mark.parametrize("declared", [".tiktok.com", ".com"])
def test_a_name_that_is_declared_off_limits_or_lies_below_one_counts(declared: str) -> None:
    assert ".tiktok.com" in ask(entry(declared, dedication=Dedication.NEVER, detail="no"))


def test_a_name_below_an_entry_is_a_hole_that_no_list_has() -> None:
    assert ask(entry("ads.tiktok.com", dedication=Dedication.NEVER, detail="no")) == {}


def test_a_name_that_the_guards_of_today_refuse_counts() -> None:
    bad = snapshot([entry("64.1.2.0/24"), entry(".tiktokio.example")], never_block=())
    refuse_never_blocked(bad, catalogue=load_catalogue(), never_block=(), declared=())
    names = (DomainName("tiktokio.com"),)
    worse = replace(bad, services=tuple(replace(service, domains=names) for service in bad.services))
    with pytest.raises(GuardTripped, match=r"\.tiktokio\.com .*not TikTok's") as told:
        refuse_never_blocked(worse, catalogue=load_catalogue(), never_block=(), declared=())
    assert [verdict.guard for verdict in told.value.verdicts] == ["lookalike"]
