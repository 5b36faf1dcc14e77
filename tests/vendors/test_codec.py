"""Equal values, equal bytes; and every byte comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings

from core.net import DomainName
from tests.vendors.test_diff import EVERYTHING, NOTHING, OFFICE, held, states
from vendors.codec import (
    content_digest,
    describe,
    desired_digest,
    dumps_plan,
    dumps_reading,
    loads_plan,
    loads_reading,
)
from vendors.diff import diff
from vendors.model import (
    Action,
    AddMembers,
    Desired,
    EntryCount,
    FlowCount,
    GroupName,
    Reading,
    RemoveRule,
    Repair,
    RuleCount,
    RuleName,
    UnitCount,
)

READING = Reading(
    epoch="boot:1",
    read_at=datetime(2026, 11, 25, 20, 0, tzinfo=UTC),
    rules=(RuleCount(rule=RuleName("deny-x"), action=Action.DENY, epoch="7", hits=None, packets=0, octets=12),),
    entries=(EntryCount(group=GroupName("dst-t"), network=ip_network("2001:db8::/32"), packets=1, octets=None),),
    flows=(
        FlowCount(
            action=Action.MONITOR,
            source=ip_address("10.0.0.1"),
            destination=ip_address("192.0.2.1"),
            packets=1,
            octets=60,
            last_seen=datetime(2026, 11, 25, 19, 0, tzinfo=UTC),
        ),
    ),
    flows_truncated=True,
)


@given(states(), states())
@settings(max_examples=60, deadline=None)
def test_a_plan_comes_back_from_its_text(before: Desired, after: Desired) -> None:
    plan = diff(held(before, irregular=("x",)), after, EVERYTHING)
    assert loads_plan(dumps_plan(plan)) == plan
    assert all(describe(step) and "\n" not in describe(step) for step in plan.steps)


def test_a_remark_comes_back_from_its_text() -> None:
    plan = diff(held(OFFICE), replace(OFFICE, snapshot="ba9876543210"), EVERYTHING)
    assert loads_plan(dumps_plan(plan)) == plan


def test_a_reading_comes_back_from_its_text() -> None:
    assert loads_reading(dumps_reading(READING)) == READING
    units = (
        UnitCount(unit="node0", epoch="2026-01-01", hits=4),
        UnitCount(unit="node1", epoch="2026-02-01", hits=0, packets=0, octets=60),
    )
    counted = replace(READING.rules[0], units=units)
    of_nodes = replace(READING, rules=(counted, *READING.rules[1:]))
    assert loads_reading(dumps_reading(of_nodes)) == of_nodes


def test_the_digest_is_about_content_and_not_about_order_of_groups() -> None:
    assert desired_digest(OFFICE) == content_digest(reversed(OFFICE.groups), OFFICE.rules)
    assert desired_digest(OFFICE) != content_digest(OFFICE.groups, reversed(OFFICE.rules))
    assert desired_digest(OFFICE) == desired_digest(replace(OFFICE, snapshot="other", owner="other"))


def test_exact_names_and_whole_domains_do_not_mix() -> None:
    step = AddMembers(
        group=GroupName("fqdn-t"), domains=frozenset({DomainName("a.example"), DomainName("b.example", suffix=False)})
    )
    plan = replace(diff(NOTHING, OFFICE, EVERYTHING), steps=(step,))
    assert loads_plan(dumps_plan(plan)).steps == (step,)
    assert describe(step) == "add to fqdn-t: *.a.example, b.example"


def test_a_long_list_is_described_by_its_first_entries() -> None:
    step = AddMembers(group=GroupName("dst-t"), networks=frozenset(ip_network(f"10.0.{n}.0/24") for n in range(9)))
    assert describe(step) == "add to dst-t: 10.0.0.0/24, 10.0.1.0/24, 10.0.2.0/24 and 6 more (9 in all)"


@pytest.mark.parametrize("text", ["", "{}", '{"steps":[{"do":"dance"}],"degraded":[],"desired":{}}'])
def test_a_text_that_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        loads_plan(text)


def test_steps_have_sentences() -> None:
    assert describe(RemoveRule(rule=RuleName("exc-1"))) == "remove rule exc-1"
    assert describe(Repair(reasons=("a", "b"))) == "repair our objects: a; b"
    assert describe(Repair(reasons=tuple("abcdefghijk"))) == "repair our objects: a; b; c; d; e; f; g; h; and 3 more"
