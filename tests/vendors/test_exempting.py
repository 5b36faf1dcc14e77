"""Exceptions as holes in denies: the same packets pass, and not one more (I15)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from tests.vendors.playing import EVERYTHING, Packet, denied_packets
from tests.vendors.test_diff import (
    ADDRESSES,
    MORNING,
    NAMES,
    PACKETS,
    SOURCES,
    held,
    name_group,
    net_group,
    rule,
    state,
    states,
)
from vendors.diff import degrade, diff
from vendors.errors import CapacityExceeded
from vendors.exempting import MAX_SOURCES, whole_of, without_exempts
from vendors.model import Action, AddressGroup, Desired

STOPS = replace(EVERYTHING, exempt=False)
NO_NAME, NO_ADDRESS = "nowhere.example.org", "0.0.0.0"
CLEAR: list[Packet] = [
    *((s, d, NO_NAME, MORNING) for s in SOURCES for d in ADDRESSES),
    *((s, NO_ADDRESS, n, MORNING) for s in SOURCES for n in NAMES),
]
"""Packets that belong to lists by their address alone or by their name alone."""


def denied(desired: Desired, packets: list[Packet]) -> set[Packet]:
    return denied_packets({group.name: group for group in desired.groups}, desired.rules, packets)


@given(states())
@settings(max_examples=150, deadline=None)
def test_i15_it_opens_nothing_that_the_exceptions_do_not_open(desired: Desired) -> None:
    assert denied(without_exempts(desired), list(PACKETS)) >= denied(desired, list(PACKETS))


@given(states())
@settings(max_examples=150, deadline=None)
def test_i15_every_exception_holds(desired: Desired) -> None:
    assert denied(without_exempts(desired), CLEAR) == denied(desired, CLEAR)


@given(states())
@settings(max_examples=60, deadline=None)
def test_i03_the_device_is_planned_like_any_other(desired: Desired) -> None:
    plan = diff(held(state(rules=())), desired, STOPS)
    assert not any(r.action is Action.EXEMPT for r in plan.desired.rules)
    assert diff(held(plan.desired), desired, STOPS).is_empty
    again, _ = degrade(plan.desired, STOPS)
    assert again == plan.desired


COMPANY = net_group("src-company", "10.0.0.0/24")
ONE, TWO, FQDN = (
    net_group("dst-one", "5.5.5.0/24"),
    net_group("dst-two", "5.5.5.0/25", "6.6.6.0/24"),
    name_group("fqdn-one", "a.example"),
)
DENY = rule("deny-company", Action.DENY, "src-company", "dst-one", "fqdn-one", "dst-two")


def excepted(*networks: str, to: tuple[str, ...] = ("dst-one", "fqdn-one")) -> Desired:
    groups = [net_group(f"exc-{at}", network) for at, network in enumerate(networks)]
    rules = tuple(rule(group.name, Action.EXEMPT, group.name, *to) for group in groups)
    return state(COMPANY, ONE, TWO, FQDN, *groups, rules=(*rules, DENY))


def told(desired: Desired) -> dict[str, tuple[list[str], tuple[str, ...]]]:
    groups = {group.name: group for group in desired.groups}
    return {
        r.name: (sorted(str(m) for m in groups[r.sources].members), tuple(map(str, r.destinations)))  # type: ignore[index]
        for r in desired.rules
    }


def test_an_exception_for_one_of_two_services_leaves_the_other_denied() -> None:
    found = told(without_exempts(excepted("10.0.0.7/32", "10.0.0.6/32")))
    (part,) = found.keys() - {"deny-company"}
    assert whole_of(part) == "deny-company"
    assert len(part) <= 40
    sources, targets = found[part]
    assert sources == ["10.0.0.6/31"]
    assert [whole_of(t) for t in targets] == ["dst-two"]
    assert found["deny-company"][1] == ("dst-one", "fqdn-one", "dst-two")
    assert "10.0.0.8/29" in found["deny-company"][0]


def test_what_two_services_share_is_open_to_who_is_excepted_from_one() -> None:
    made = without_exempts(excepted("10.0.0.7/32"))
    (rest,) = [group for group in made.groups if group.name.startswith("dst-two--")]
    assert isinstance(rest, AddressGroup)
    assert {str(m) for m in rest.members} == {"6.6.6.0/24"}


def test_whoever_is_excepted_from_all_is_in_no_deny() -> None:
    made = without_exempts(excepted("10.0.0.0/24", to=("dst-one", "fqdn-one", "dst-two")))
    assert (made.rules, made.groups) == ((), ())


def test_a_part_keeps_its_name_while_others_come_and_go() -> None:
    (before,) = told(without_exempts(excepted("10.0.0.7/32"))).keys() - {"deny-company"}
    more = excepted("10.0.0.7/32", "10.0.0.9/32")
    extra = rule("exc-two", Action.EXEMPT, "exc-1", "dst-two")
    both = replace(more, rules=(extra, *more.rules))
    assert before in told(without_exempts(both))


def test_more_pieces_than_a_rule_takes_are_refused_before_anything_is_sent() -> None:
    wide = state(
        net_group("src-company", "10.0.0.0/8"),
        net_group("exc-all", *(f"10.{a}.{b}.1/32" for a in range(20) for b in range(20))),
        ONE,
        rules=(
            rule("exc-all", Action.EXEMPT, "exc-all", "dst-one"),
            rule("deny-company", Action.DENY, "src-company", "dst-one"),
        ),
    )
    with pytest.raises(CapacityExceeded, match=str(MAX_SOURCES)):
        diff(held(state(rules=())), wide, STOPS)


def test_the_plan_says_that_nobody_counts_them() -> None:
    (said,) = diff(held(state(rules=())), excepted("10.0.0.7/32"), STOPS).degraded
    assert said.capability == "exempt"
    assert not said.is_gap
    assert "1 exception holds" in said.message


def test_a_device_that_can_pass_on_is_left_alone() -> None:
    desired = excepted("10.0.0.7/32")
    assert diff(held(state(rules=())), desired, EVERYTHING).desired == desired
