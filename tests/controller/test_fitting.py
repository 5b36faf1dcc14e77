"""A list that is too long for a device: the most valuable part is held, and exactly the rest is told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Final

import netaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.fitting import Fitted, fit
from controller.model import CoverageState
from controller.planning import BUDGET, Limits, in_part, plan_device
from controller.sync import entries_of, found_state
from core.net import DomainName, Network, address_count, aggregate
from ipsets.errors import GuardTripped
from ipsets.model import Dedication, Indicator
from tests.controller.offices import networks, snapshot
from tests.core.nets import NETWORKS
from tests.ipsets.making import entry
from tests.vendors.playing import EVERYTHING
from vendors.codec import describe_shortened, dumps_plan, loads_plan
from vendors.diff import diff, mark_of
from vendors.errors import CapacityExceeded
from vendors.model import (
    Action,
    AddressGroup,
    Capabilities,
    Desired,
    DomainGroup,
    EntryCount,
    Group,
    GroupName,
    Observed,
    Reading,
    Rule,
    RuleName,
)

NOW: Final = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
NOTHING: Final = Observed(groups=(), rules=(), mark=None, foreign="f" * 64, epoch="one", can=EVERYTHING)
COMPANY: Final = AddressGroup(name=GroupName("src-company"), members=frozenset({ip_network("10.20.0.0/16")}))
NAMES: Final = DomainGroup(name=GroupName("fqdn-tiktok"), members=frozenset({DomainName("tiktok.com")}))
FIVE: Final = ("5.5.0.0/24", "5.5.2.0/24", "5.5.4.0/23", "71.18.6.0/24", "2605:340::/48")


def wished(**lists: tuple[str, ...] | list[Network]) -> Desired:
    """A deny on these lists, by service, and on one name."""
    lists_: list[Group] = [
        AddressGroup(name=GroupName(f"dst-{service}"), members=frozenset(ip_network(str(n)) for n in networks))
        for service, networks in lists.items()
    ]
    names = tuple(group.name for group in (*lists_, NAMES))
    rule = Rule(name=RuleName("deny-company"), action=Action.DENY, sources=COMPANY.name, destinations=names)
    groups = tuple(sorted((*lists_, COMPANY, NAMES), key=lambda g: g.name))
    return Desired(groups=groups, rules=(rule,), owner="01htestowner00000000000000", snapshot="abc")


def room(max_entries: int | None = None, **changes: object) -> Capabilities:
    return replace(EVERYTHING, max_entries=max_entries, **changes)  # type: ignore[arg-type]


def fitted(
    desired: Desired, can: Capabilities, *indicators: Indicator, services: tuple[str, ...] = ("tiktok",)
) -> Fitted:
    return fit(desired, can, services=services, indicators=indicators)


def held(desired: Desired, name: str = "dst-tiktok") -> set[str]:
    return {str(n) for g in desired.groups if g.name == name for n in g.members}


def test_a_list_that_fits_is_sent_as_it_is() -> None:
    desired = wished(tiktok=FIVE)
    for can in (room(), room(7), room(max_members=5)):
        assert fitted(desired, can) == Fitted(desired=desired)


def test_the_most_valuable_networks_are_held_and_the_rest_is_told_with_the_reason() -> None:
    found = fitted(
        wished(tiktok=FIVE),
        room(2 + 2),
        *(entry(text, seen=NOW) for text in FIVE),
        entry("71.18.6.0/24", source="ripestat:AS396986"),
        entry("5.5.4.0/23", source="irr:RADB", seen=NOW - timedelta(days=3)),
        entry("5.5.0.0/24", source="ranges:x", dedication=Dedication.NEVER),
    )
    assert held(found.desired) == {"71.18.6.0/24", "5.5.4.0/23"}
    (short,) = found.shortened
    assert [(str(left.network), left.reason) for left in short.left_out] == [
        ("5.5.0.0/24", "1 source; the least of the kept, 71.18.6.0/24: 2 sources"),
        ("5.5.2.0/24", "1 source; the least of the kept, 71.18.6.0/24: 2 sources"),
        ("2605:340::/48", "1 source; the least of the kept, 71.18.6.0/24: 2 sources"),
    ]
    assert describe_shortened(short) == (
        "dst-tiktok in part: 2 of 5 networks, 768 of 1,280 IPv4 addresses, 0 of 1 IPv6 /48; "
        "not: 5.5.0.0/24, 5.5.2.0/24, 2605:340::/48"
    )


def test_what_another_snapshot_says_is_weighed_anew() -> None:
    """The same list and room, and other words: what was weighed before is not taken for it."""
    for best in ("5.5.0.0/24", "5.5.2.0/24"):
        words = (*(entry(text) for text in FIVE), entry(best, source="irr:RADB"))
        for _ in range(2):
            assert held(fitted(wished(tiktok=FIVE), room(2 + 1), *words).desired) == {best}


def test_names_sources_and_what_is_spared_are_never_left_out() -> None:
    spared = AddressGroup(name=GroupName("spared"), members=frozenset({ip_network("8.8.8.8/32")}))
    desired = wished(tiktok=FIVE)
    desired = replace(desired, groups=(*desired.groups, spared))
    found = fitted(desired, room(4))
    assert [g for g in found.desired.groups if g.name != "dst-tiktok"] == [
        g for g in desired.groups if g.name != "dst-tiktok"
    ]
    assert len(held(found.desired)) == 1


def test_a_name_that_takes_two_places_leaves_one_less_for_networks() -> None:
    desired, both = wished(tiktok=FIVE), {"suffix_entries": 2}  # 1 source, 1 name that covers those below it
    assert len(held(fitted(desired, room(6)).desired)) == 4
    assert len(held(fitted(desired, room(6, **both)).desired)) == 3
    assert fitted(desired, room(8, **both)).shortened == ()
    with pytest.raises(CapacityExceeded, match="8 members in all groups, this device takes 7"):
        diff(NOTHING, desired, room(7, **both))


def test_services_are_served_in_the_order_of_the_policy_and_each_keeps_one_network() -> None:
    desired = wished(tiktok=FIVE, lemon=("6.6.0.0/24", "6.6.2.0/24"))
    first = fitted(desired, room(2 + 6), services=("tiktok", "lemon")).desired
    assert [len(held(first, name)) for name in ("dst-tiktok", "dst-lemon")] == [5, 1]
    other = fitted(desired, room(2 + 6), services=("lemon", "tiktok")).desired
    assert [len(held(other, name)) for name in ("dst-tiktok", "dst-lemon")] == [4, 2]
    tight = fitted(desired, room(2 + 2), services=("tiktok", "lemon")).desired
    assert [len(held(tight, name)) for name in ("dst-tiktok", "dst-lemon")] == [1, 1]


def test_a_family_that_the_device_lacks_takes_no_place() -> None:
    found = fitted(wished(tiktok=FIVE), room(2 + 4, ipv6=False))
    assert found == Fitted(desired=wished(tiktok=FIVE)), "four IPv4 networks fit; the sixth family is told as ever"
    less = fitted(wished(tiktok=FIVE), room(2 + 3, ipv6=False))
    assert [str(left.network) for left in less.shortened[0].left_out] == ["71.18.6.0/24"]
    assert "2605:340::/48" in held(less.desired)
    assert {d.capability for d in diff(NOTHING, less.desired, room(2 + 3, ipv6=False)).degraded} == {"ipv6"}


def test_what_cannot_be_made_to_fit_is_refused_by_the_difference_and_not_emptied() -> None:
    desired = wished(tiktok=FIVE)
    for can in (room(2), room(1), room(9, max_members=0)):
        assert fitted(desired, can) == Fitted(desired=desired)
    with pytest.raises(CapacityExceeded):
        diff(NOTHING, desired, room(2))


@given(NETWORKS, NETWORKS, st.integers(1, 12), st.none() | st.integers(1, 8))
def test_never_an_address_more_and_nothing_lost_in_silence(
    networks: list[Network], others: list[Network], most: int, each: int | None
) -> None:
    lists = {"tiktok": list(aggregate(networks)), "lemon": list(aggregate(others))}
    desired = wished(**{name: found for name, found in lists.items() if found})
    can = room(most + 2, max_members=each)
    found = fitted(desired, can, services=("tiktok", "lemon"))
    told = {short.group: short for short in found.shortened}
    for service, whole in lists.items():
        kept, short = held(found.desired, f"dst-{service}"), told.get(GroupName(f"dst-{service}"))
        left = {str(n.network) for n in short.left_out} if short else set()
        assert kept | left == {str(n) for n in whole}
        assert not kept & left
        if short is not None:
            lost = netaddr.IPSet(map(str, whole)) - netaddr.IPSet(kept)
            assert short.left_out_v4 + short.left_out_v6 == sum(block.size for block in lost.iter_cidrs())
            assert short.addresses_v4 == address_count(whole, 4)
            assert short.networks == len(whole)
            assert kept, "a list is shortened, never emptied"
    if found.shortened:
        diff(NOTHING, found.desired, can)  # it fits
    else:
        assert found.desired == desired


# --- in a plan --------------------------------------------------------------------------------------------------------


def shortened_plan(before: Observed = NOTHING, most: int = 4) -> tuple[Fitted, Observed]:
    observed = replace(before, can=room(most))
    return fitted(wished(tiktok=FIVE), observed.can), observed


def test_a_plan_says_what_it_leaves_out_and_keeps_it_in_its_text() -> None:
    found, observed = shortened_plan()
    plan = plan_device(observed, found.desired, limits=Limits(), device="fw", shortened=found.shortened)
    assert plan.shortened == found.shortened
    (gap,) = plan.degraded
    assert (gap.capability, gap.is_gap, gap.message) == (BUDGET, True, describe_shortened(found.shortened[0]))
    assert in_part([f"{gap.capability}: {gap.message}", "ipv6: no"]) == gap.message
    assert in_part(["ipv6: no"]) == ""
    assert loads_plan(dumps_plan(plan)) == plan


def test_a_plan_that_leaves_nothing_out_has_the_text_of_versions_that_never_did() -> None:
    text = dumps_plan(plan_device(NOTHING, wished(tiktok=FIVE), limits=Limits(), device="fw"))
    assert sorted(json.loads(text)) == ["degraded", "desired", "steps"]
    assert loads_plan(text).shortened == ()


def test_the_whole_list_is_read_as_enforced_and_a_part_of_it_never_is() -> None:
    found, _ = shortened_plan()
    observed = replace(NOTHING, groups=found.desired.groups, rules=found.desired.rules, mark=mark_of(found.desired))
    noon = datetime(2026, 6, 1, 12)  # noqa: DTZ001  a wall clock
    assert found_state(observed, found.desired, local=noon) == (CoverageState.ENFORCED, "")
    assert found_state(observed, found.desired, local=noon, in_part="a part") == (CoverageState.PARTIAL, "a part")
    touched = replace(observed, groups=observed.groups[1:])
    assert found_state(touched, found.desired, local=noon, in_part="a part")[0] is CoverageState.NOT_ENFORCED
    watched = replace(found.desired, rules=(replace(found.desired.rules[0], action=Action.MONITOR),))
    looked = replace(observed, rules=watched.rules, mark=mark_of(watched))
    assert found_state(looked, watched, local=noon, in_part="a part")[0] is CoverageState.MONITORED


def test_i07_a_device_with_much_less_room_than_it_holds_keeps_what_it_has_until_a_person_forces_it() -> None:
    many = [ip_network(f"5.5.{2 * at}.0/24") for at in range(40)]
    whole = wished(tiktok=many)
    observed = replace(NOTHING, groups=whole.groups, rules=whole.rules, mark=mark_of(whole), can=room(12))
    found = fitted(whole, observed.can)
    with pytest.raises(GuardTripped, match="dst-tiktok would shrink from 40 to 10 entries"):
        plan_device(observed, found.desired, limits=Limits(), device="fw", shortened=found.shortened)


def test_a_hit_is_named_after_the_part_of_the_list_that_the_device_holds() -> None:
    of = snapshot("5.5.0.0/24", "71.18.6.0/24")
    reading = Reading(epoch="one", read_at=NOW, rules=())
    assert entries_of(reading, of) == networks("5.5.0.0/24", "71.18.6.0/24"), "this device does not tell"
    groups = (("dst-tiktok", "71.18.6.0/24"), ("spared", "8.8.8.8/32"))
    told = (EntryCount(group=GroupName(group), network=ip_network(text), packets=0, octets=0) for group, text in groups)
    assert entries_of(replace(reading, entries=tuple(told)), of) == networks("71.18.6.0/24")
