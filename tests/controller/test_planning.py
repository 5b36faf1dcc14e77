"""A plan is what a person read: guarded, kept whole, and applied exactly or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.desired import desired_for
from controller.errors import PlanStale
from controller.inventory import Inventory
from controller.model import StoredPlan
from controller.planning import CHURN_FLOOR, Limits, base_digest, plan_device, refuse_stale, reopen, store_plan
from core.net import Network, aggregate
from ipsets.errors import GuardTripped
from tests.controller.offices import NIGHT, NOON, an_exception, facts, offices, snapshot
from tests.vendors.playing import EVERYTHING
from vendors.model import (
    Action,
    AddressGroup,
    Desired,
    GroupName,
    Observed,
    Plan,
    Rule,
    RuleName,
)

FW = "fw-berlin"
NOTHING = Observed(groups=(), rules=(), mark=None, foreign="f" * 64, epoch="one", can=EVERYTHING)


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return offices(tmp_path)


def hosts(count: int, start: str = "103.136.220.0") -> tuple[Network, ...]:
    """So many networks of which no two can be made one."""
    return tuple(IPv4Network((int(IPv4Address(start)) + 2 * n, 32)) for n in range(count))


def want(members: Sequence[Network], *, service: str = "tiktok", sources: Sequence[Network] = ()) -> Desired:
    """A deny on these destinations; without any, what is left when the service went."""
    name = GroupName(f"dst-{service}")
    company = AddressGroup(name=GroupName("src-company"), members=frozenset(sources or hosts(1, "10.20.0.0")))
    groups = (AddressGroup(name=name, members=frozenset(members)), company) if members else (company,)
    rule = Rule(name=RuleName("deny-company"), action=Action.DENY, sources=company.name, destinations=(name,))
    return Desired(groups=groups, rules=(rule,) if members else (), owner="01htestowner00000000000000", snapshot="abc")


def held(desired: Desired, *, irregular: tuple[str, ...] = ()) -> Observed:
    return replace(NOTHING, groups=desired.groups, rules=desired.rules, irregular=irregular)


def planned(before: Desired, after: Desired, *, forced: bool = False) -> Plan:
    return plan_device(held(before), after, limits=Limits(), device=FW, forced=forced)


# --- the guard on what a device holds -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "is_held"),
    [
        pytest.param(100, 50, False, id="half-goes"),
        pytest.param(100, 49, True, id="more-than-half-goes"),
        pytest.param(100, 0, True, id="the-whole-list-goes"),
        pytest.param(CHURN_FLOOR, 9, True, id="at-the-floor"),
        pytest.param(CHURN_FLOOR - 1, 1, False, id="below-the-floor-a-share-says-nothing"),
        pytest.param(100, 1000, False, id="growing-is-for-the-guards-on-intelligence"),
    ],
)
def test_i07_a_list_that_shrinks_too_far_is_held(before: int, after: int, is_held: bool) -> None:
    if not is_held:
        assert not planned(want(hosts(before)), want(hosts(after))).is_empty
        return
    with pytest.raises(GuardTripped, match=f"dst-tiktok would shrink from {before} to {after} entries") as caught:
        planned(want(hosts(before)), want(hosts(after)))
    assert caught.value.device == FW
    assert "--force" in str(caught.value)


def test_a_person_may_force_a_shrink_past_the_guard() -> None:
    plan = planned(want(hosts(100)), want(hosts(1)), forced=True)
    assert plan.desired.groups == want(hosts(1)).groups
    assert not plan.is_empty


def test_entries_that_became_one_wider_entry_are_not_lost() -> None:
    """256 hosts that a list now names as one /24 are all still there."""
    block = IPv4Network("103.136.220.0/24")
    assert not planned(want(tuple(block.subnets(new_prefix=32))), want((block,))).is_empty
    with pytest.raises(GuardTripped):
        planned(want(tuple(block.subnets(new_prefix=32))), want((IPv4Network("103.136.220.0/26"),)))


def test_both_families_count() -> None:
    v6 = tuple(IPv6Network(("2605:340::%x" % (2 * n), 128)) for n in range(60))
    with pytest.raises(GuardTripped, match="from 100 to 40"):
        planned(want((*hosts(40), *v6)), want(hosts(40)))


def test_only_our_lists_of_destinations_are_guarded() -> None:
    """Sources are the inventory's, and a person took them out of it."""
    before = want(hosts(3), sources=hosts(100, "10.20.0.0"))
    assert not planned(before, want(hosts(3), sources=hosts(1, "10.20.0.0"))).is_empty


def test_a_device_that_holds_nothing_is_filled_without_a_question() -> None:
    assert not plan_device(NOTHING, want(hosts(100)), limits=Limits(), device=FW).is_empty


@given(st.integers(0, 60), st.integers(0, 60))
def test_i07_whatever_passes_keeps_half_of_the_list(before: int, after: int) -> None:
    try:
        plan = planned(want(hosts(before)), want(hosts(after)))
    except GuardTripped:
        assert after < before / 2
    else:
        kept = next((len(g.members) for g in plan.desired.groups if g.name == "dst-tiktok"), 0)
        assert before < CHURN_FLOOR or kept >= before / 2


# --- what a person read ---------------------------------------------------------------------------------------------


def kept(inventory: Inventory, observed: Observed, desired: Desired) -> StoredPlan:
    plan = plan_device(observed, desired, limits=Limits(), device=FW)
    device = inventory.device(FW)
    return store_plan(plan, observed, site=device.site, device=device, snapshot=snapshot().id, now=NOON)


def test_i05_a_stored_plan_opens_as_exactly_the_plan_that_was_made(inventory: Inventory) -> None:
    desired = desired_for(facts(inventory, exceptions=(an_exception("10.20.1.7/32"),)), inventory.device(FW), NOON)
    plan = plan_device(NOTHING, desired, limits=Limits(), device=FW)
    known = reopen(kept(inventory, NOTHING, desired))
    base, opened = known.base, known.plan
    assert opened == plan
    assert base == base_digest(NOTHING)


def test_the_record_says_what_and_how_much(inventory: Inventory) -> None:
    stored = kept(inventory, NOTHING, want(hosts(3)))
    assert (stored.device, stored.site, stored.created_at) == (FW, "berlin", NOON)
    assert stored.steps == len(reopen(stored).plan.steps) > 0


def test_equal_plans_have_one_checksum_and_another_start_or_end_has_another(inventory: Inventory) -> None:
    one = kept(inventory, NOTHING, want(hosts(3)))
    shuffled = replace(want(hosts(3)), groups=want(tuple(reversed(hosts(3)))).groups)
    assert kept(inventory, NOTHING, shuffled).checksum == one.checksum
    assert kept(inventory, NOTHING, want(hosts(4))).checksum != one.checksum
    crooked = replace(NOTHING, irregular=("chain forward: somebody's rule",))
    assert kept(inventory, crooked, want(hosts(3))).checksum != one.checksum
    assert kept(inventory, held(want(hosts(2))), want(hosts(3))).checksum != one.checksum


def _another_entry(body: str) -> str:
    return body.replace("103.136.220.4", "8.8.8.8")


def _another_base(body: str) -> str:
    return json.dumps({**json.loads(body), "base": "0" * 64})


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_another_entry, id="another-entry"),
        pytest.param(_another_base, id="another-base"),
        pytest.param(lambda body: body[:-40], id="cut-off"),
        pytest.param(lambda body: "{}", id="empty"),
        pytest.param(lambda body: "[]", id="no-object"),
    ],
)
def test_i05_a_plan_that_is_not_what_was_read_is_refused(inventory: Inventory, damage: object) -> None:
    stored = kept(inventory, NOTHING, want(hosts(3)))
    bad = replace(stored, body=damage(stored.body))  # type: ignore[operator]
    assert bad.body != stored.body
    with pytest.raises(PlanStale, match="does not match its checksum"):
        reopen(bad)
    with pytest.raises(PlanStale):
        refuse_stale(bad, NOTHING, want(hosts(3)))


def test_i05_nothing_moved_so_exactly_it_is_applied(inventory: Inventory) -> None:
    stored = kept(inventory, NOTHING, want(hosts(3)))
    assert refuse_stale(stored, NOTHING, want(hosts(3))) == reopen(stored).plan


@pytest.mark.parametrize(
    "moved",
    [
        pytest.param(held(want(hosts(1))), id="an-entry-came"),
        pytest.param(held(want(hosts(2)), irregular=("set dst-tiktok-4: flags",)), id="a-hand-changed-its-form"),
        pytest.param(NOTHING, id="the-table-is-gone"),
    ],
)
def test_i05_a_device_that_moved_meanwhile_refuses(inventory: Inventory, moved: Observed) -> None:
    stored = kept(inventory, held(want(hosts(2))), want(hosts(3)))
    with pytest.raises(PlanStale, match="no longer holds what it held") as caught:
        refuse_stale(stored, moved, want(hosts(3)))
    assert caught.value.device == FW


def test_what_is_not_ours_may_move(inventory: Inventory) -> None:
    """The owner's own rules, and counters that started anew, are no reason to refuse."""
    observed = held(want(hosts(2)))
    stored = kept(inventory, observed, want(hosts(3)))
    refuse_stale(stored, replace(observed, foreign="e" * 64, epoch="two"), want(hosts(3)))


def test_i05_when_what_is_wanted_moved_the_plan_is_refused(inventory: Inventory) -> None:
    """New intelligence, an exception or the end of work hours: each makes another plan."""
    device = inventory.device(FW)
    stored = kept(inventory, NOTHING, desired_for(facts(inventory), device, NOON))
    newer = facts(inventory, of=snapshot("103.136.220.0/24"))
    excepted = facts(inventory, exceptions=(an_exception("10.20.1.7/32"),))
    for moved, at in ((newer, NOON), (excepted, NOON), (facts(inventory), NIGHT)):
        with pytest.raises(PlanStale, match="moved since the plan was made; nothing was sent"):
            refuse_stale(stored, NOTHING, desired_for(moved, device, at))
    later = NOON + timedelta(minutes=59)
    assert not refuse_stale(stored, NOTHING, desired_for(facts(inventory), device, later)).is_empty


def test_i05_a_forced_plan_is_applied_as_it_was_read(inventory: Inventory) -> None:
    """The guard was passed by whoever made the plan; applying asks only whether anything moved."""
    observed, less = held(want(hosts(100))), want(aggregate(hosts(1)))
    plan = plan_device(observed, less, limits=Limits(), device=FW, forced=True)
    device = inventory.device(FW)
    stored = store_plan(plan, observed, site=device.site, device=device, snapshot=snapshot().id, now=NOON)
    assert refuse_stale(stored, observed, less) == plan
