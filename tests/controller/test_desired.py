"""What a device should hold: snapshot, work hours in the site zone, live exceptions, and what is never blocked."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.desired import (
    Facts,
    below,
    desired_for,
    own_addresses,
    role_sources,
    rule_name,
    signature,
    state_of,
    subject_of,
    surface_name,
)
from controller.inventory import Inventory
from controller.model import CoverageState, ExceptionState, OpenHours
from core.errors import ConfigError
from core.ids import NAME
from core.net import DomainName, Network, Ranges, subtract
from ipsets.errors import GuardTripped
from ipsets.model import ServiceSet
from tests.controller.offices import NIGHT, NOON, an_exception, facts, networks, offices, snapshot
from vendors.model import Action, AddressGroup, Desired, DomainGroup


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return offices(tmp_path)


WALL = NOON.replace(tzinfo=None)  # a wall clock


def rules(desired: Desired) -> list[tuple[str, Action]]:
    return [(rule.name, rule.action) for rule in desired.rules]


def members(desired: Desired, name: str) -> frozenset[Network]:
    group = next(g for g in desired.groups if g.name == name)
    assert isinstance(group, AddressGroup)
    return group.members


def test_work_hours_enforce_and_the_evening_only_watches(inventory: Inventory) -> None:
    device = inventory.device("fw-berlin")
    assert rules(desired_for(facts(inventory), device, NOON))[1:] == [("deny-company", Action.DENY)]
    assert rules(desired_for(facts(inventory), device, NIGHT))[1:] == [("mon-company", Action.MONITOR)]


def test_a_role_that_is_off_has_no_rule_and_no_group(inventory: Inventory) -> None:
    desired = desired_for(facts(inventory), inventory.device("fw-berlin"), NOON)
    assert "src-guest" not in {g.name for g in desired.groups}


def test_nested_roles_leave_the_inner_network_to_the_more_specific_role(inventory: Inventory) -> None:
    desired = desired_for(facts(inventory), inventory.device("fw-berlin"), NOON)
    company = members(desired, "src-company")
    assert not any(n.overlaps(ip_network("10.20.9.0/24")) for n in company if n.version == 4)
    assert ip_network("2a01:db9:20::/48") in company


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(24, 32), st.integers(0, 255)), min_size=1, max_size=8))
def test_role_sources_give_every_address_to_its_most_specific_role(parts: list[tuple[str, int, int]]) -> None:
    """Against a look-up, address by address, in one /24."""
    named: dict[str, tuple[Network, ...]] = {}
    seen: set[Network] = set()
    for role, length, offset in parts:
        network = ip_network((0x0A000000 + offset, length), strict=False)
        if network not in seen:
            seen.add(network)
            named[role] = (*named.get(role, ()), network)
    result = role_sources(named)
    for offset in range(256):
        address = ip_network((0x0A000000 + offset, 32))
        over = [(n.prefixlen, role) for role, own in named.items() for n in own if n.supernet_of(address)]  # type: ignore[arg-type]
        expected = {max(over)[1]} if over else set()
        assert {role for role, own in result.items() if any(n.overlaps(address) for n in own)} == expected


def test_a_live_exception_stands_above_the_deny_and_ends_by_itself(inventory: Inventory) -> None:
    device = inventory.device("fw-berlin")
    exception = an_exception("10.20.1.7/32")
    known = facts(inventory, exceptions=(exception,))
    name = rule_name(Action.EXEMPT, exception.id)
    during = desired_for(known, device, NOON)
    assert rules(during) == [("spare", Action.SPARE), (name, Action.EXEMPT), ("deny-company", Action.DENY)]
    assert members(during, f"exc-{exception.id}") == frozenset(networks("10.20.1.7/32"))
    assert name not in dict(rules(desired_for(known, device, exception.ends)))
    assert name not in dict(rules(desired_for(known, device, exception.starts - timedelta(microseconds=1))))


@pytest.mark.parametrize("state", [ExceptionState.REQUESTED, ExceptionState.REVOKED, ExceptionState.DENIED])
def test_an_exception_that_is_not_approved_opens_nothing(inventory: Inventory, state: ExceptionState) -> None:
    known = facts(inventory, exceptions=(an_exception("10.20.1.7/32", state=state),))
    assert [a for _, a in rules(desired_for(known, inventory.device("fw-berlin"), NOON))] == [Action.SPARE, Action.DENY]


def test_i07_a_list_that_covers_the_devices_own_address_is_refused(inventory: Inventory) -> None:
    poisoned = facts(inventory, of=snapshot("198.18.0.0/16"))
    with pytest.raises(GuardTripped, match="guard management-address") as caught:
        desired_for(poisoned, inventory.device("fw-berlin"), NOON)
    assert caught.value.device == "fw-berlin"


ALLOWED = networks("103.136.220.9/32", "103.136.221.0/26")
"""Inside 103.136.220.0/23; the never-block ranges of ``facts`` hold none of it."""


def allowing(
    inventory: Inventory, site: str = "berlin", *, never: tuple[Network, ...] = (), **changes: object
) -> Facts:
    plain = snapshot("103.136.220.0/23")
    of = replace(plain, services=tuple(replace(s, allows=ALLOWED) for s in plain.services))
    return replace(facts(inventory, site, of=of), never_block=(*networks("8.8.8.8/32"), *never), **changes)


def passed(desired: Desired, name: str = "spared") -> Ranges:
    return Ranges(members(desired, name))


def test_i07_an_allow_that_is_never_blocked_stands_above_the_denies_and_the_entry_stays_whole(
    inventory: Inventory,
) -> None:
    desired = desired_for(allowing(inventory, never=ALLOWED), inventory.device("fw-berlin"), NOON)
    assert members(desired, "dst-tiktok") == frozenset(networks("103.136.220.0/23"))
    assert all(passed(desired).holds(n) for n in ALLOWED)
    assert desired.rules[0].destinations == ("spared",)
    assert [rule.action for rule in desired.rules] == [Action.SPARE, Action.DENY]


@pytest.mark.parametrize(("site", "spares"), [("berlin", False), ("austin", True)])
def test_i15_an_allow_in_a_shared_range_opens_no_live_answer_that_the_policy_blocks(
    inventory: Inventory, site: str, spares: bool
) -> None:
    """Berlin blocks live answers in shared ranges: there the allows are cut out, and let nothing pass."""
    desired = desired_for(allowing(inventory, site, shared_cdn=ALLOWED), inventory.device(f"fw-{site}"), NOON)
    assert all(passed(desired).holds(n) is spares for n in ALLOWED)
    expected = networks("103.136.220.0/23") if spares else subtract(networks("103.136.220.0/23"), ALLOWED)
    assert members(desired, "dst-tiktok") == frozenset(expected)


def test_i07_a_device_that_can_let_nothing_pass_first_gets_the_pieces(inventory: Inventory) -> None:
    known = allowing(inventory, never=ALLOWED)
    desired = desired_for(known, inventory.device("fw-berlin"), NOON, spares=False)
    assert members(desired, "dst-tiktok") == frozenset(subtract(networks("103.136.220.0/23"), ALLOWED))


@given(st.lists(st.integers(0, 511)), st.lists(st.integers(0, 511)), st.lists(st.integers(0, 511)), st.booleans())
def test_i07_i15_whatever_is_allowed_where_each_address_is_judged_as_with_pieces(
    allowed: list[int], never: list[int], shared: list[int], spare: bool
) -> None:
    """Address by address: denied by the list exactly what is not allowed, and passed only what passes anyway."""
    base = ip_network("103.136.220.0/23")
    allows, above = (tuple(ip_network(base[at]) for at in sorted(set(which))) for which in (allowed, [*never, *shared]))
    service = ServiceSet(service="tiktok", networks=(base,), domains=(), allows=allows)
    spared = above if spare else tuple(ip_network(base[at]) for at in sorted(set(never)))
    denied = Ranges(below(service, spared))
    for at in range(512):
        host = ip_network(base[at])
        reached = denied.holds(host) and not Ranges(spared).holds(host)
        assert reached == (host not in allows and host not in spared)


def test_i07_an_own_address_that_the_list_allows_is_no_reason_to_refuse_it(inventory: Inventory) -> None:
    plain = snapshot("198.18.0.0/16")
    of = replace(plain, services=tuple(replace(s, allows=networks("198.18.7.1/32")) for s in plain.services))
    desired = desired_for(facts(inventory, of=of), inventory.device("fw-berlin"), NOON)
    assert members(desired, "dst-tiktok") == frozenset(networks("198.18.0.0/16"))
    assert passed(desired).holds(ip_network("198.18.7.1/32"))


def test_own_addresses_are_the_management_address_and_those_of_the_inventory(inventory: Inventory) -> None:
    assert own_addresses(inventory.device("fw-berlin")) == networks("127.0.0.1/32", "198.18.7.1/32")


def test_live_dns_may_never_name_resolvers_or_the_gateway_itself(inventory: Inventory) -> None:
    spared = members(desired_for(facts(inventory), inventory.device("fw-berlin"), NOON), "spared")
    assert set(networks("8.8.8.8/32", "198.18.7.1/32")) <= spared
    assert ip_network("23.32.0.0/11") not in spared


def test_shared_addresses_spare_keeps_published_cdn_ranges_out(inventory: Inventory) -> None:
    spared = members(desired_for(facts(inventory, "austin"), inventory.device("fw-austin"), NOON), "spared")
    assert ip_network("23.32.0.0/11") in spared


def test_names_are_a_group_of_their_own(inventory: Inventory) -> None:
    desired = desired_for(facts(inventory), inventory.device("fw-berlin"), NOON)
    assert any(isinstance(g, DomainGroup) and g.name == "fqdn-tiktok" for g in desired.groups)
    assert desired.rules[1].destinations == ("dst-tiktok", "fqdn-tiktok")


def test_a_service_that_the_snapshot_does_not_carry_is_a_configuration_error(inventory: Inventory) -> None:
    empty = snapshot("103.136.220.0/23")
    of = type(empty)(**{**{f: getattr(empty, f) for f in empty.__slots__}, "services": ()})
    with pytest.raises(ConfigError, match="no service 'tiktok'"):
        desired_for(facts(inventory, of=of), inventory.device("fw-berlin"), NOON)


def test_the_signature_changes_with_window_exception_and_snapshot_and_with_nothing_else(inventory: Inventory) -> None:
    plain = facts(inventory)
    exempt = facts(inventory, exceptions=(an_exception("10.20.1.7/32"),))
    assert signature(plain, NOON) == signature(plain, NOON + timedelta(minutes=5))
    assert signature(plain, NOON) != signature(plain, NIGHT)
    assert signature(plain, NOON) != signature(exempt, NOON)
    assert signature(exempt, NIGHT) == signature(plain, NIGHT)


@pytest.mark.parametrize(
    ("rule", "subject"),
    [
        ("deny-company", ("company", None)),
        ("mon-guest-wifi", ("guest-wifi", None)),
        ("exc-01hz", (None, "01hz")),
        ("deny-guest-wifi--7", ("guest-wifi", None)),
        ("spare", (None, None)),
        ("deny-", (None, None)),
    ],
)
def test_a_rules_name_says_what_it_stands_for(rule: str, subject: tuple[str | None, str | None]) -> None:
    assert subject_of(rule) == subject  # type: ignore[arg-type]


def test_a_device_is_judged_by_its_strictest_rule(inventory: Inventory) -> None:
    device = inventory.device("fw-berlin")
    assert state_of(desired_for(facts(inventory), device, NOON).rules, WALL) is CoverageState.ENFORCED
    assert state_of(desired_for(facts(inventory), device, NIGHT).rules, WALL) is CoverageState.MONITORED
    assert state_of((), WALL) is CoverageState.OFF


def test_an_exception_is_open_only_in_its_hours_by_the_clock_of_the_site(inventory: Inventory) -> None:
    hours = OpenHours(days=("wed",), start=time(12), end=time(13))  # 12:00 in Berlin is NOON
    exception = replace(an_exception("10.20.1.7"), hours=(hours,), ends=NOON + timedelta(days=8))
    device, known = inventory.device("fw-berlin"), facts(inventory, exceptions=(exception,))
    open_at = [
        Action.EXEMPT in {rule.action for rule in desired_for(known, device, NOON + timedelta(minutes=m)).rules}
        for m in (-1, 0, 59, 60, 24 * 60, 7 * 24 * 60)
    ]
    assert open_at == [False, True, True, False, False, True]
    assert signature(known, NOON) != signature(known, NOON + timedelta(hours=1)), "its end wakes the loop"


def test_a_role_that_is_excepted_is_its_networks_of_now(inventory: Inventory) -> None:
    exception = replace(an_exception(), sources=(), roles=("company",))
    desired = desired_for(facts(inventory, exceptions=(exception,)), inventory.device("fw-berlin"), NOON)
    assert members(desired, f"exc-{exception.id}") == members(desired, "src-company")


SURFACES = {"tiktok": {"ads-manager": ("ads.tiktok.com",)}}


def test_an_exception_for_a_part_of_a_service_opens_its_names_and_nothing_else(inventory: Inventory) -> None:
    exception = replace(an_exception("10.20.1.7"), surface="ads-manager")
    known = replace(facts(inventory, exceptions=(exception,)), surfaces=SURFACES)
    desired = desired_for(known, inventory.device("fw-berlin"), NOON)
    [exempt] = [rule for rule in desired.rules if rule.action is Action.EXEMPT]
    assert exempt.destinations == ("srf-tiktok-ads-manager",)
    [group] = [g for g in desired.groups if g.name == "srf-tiktok-ads-manager"]
    assert group.members == {DomainName("ads.tiktok.com", suffix=True)}
    without = desired_for(facts(inventory), inventory.device("fw-berlin"), NOON)
    assert [r for r in desired.rules if r.action is Action.DENY] == [
        r for r in without.rules if r.action is Action.DENY
    ]


def test_a_part_that_the_catalogue_lost_opens_nothing(inventory: Inventory) -> None:
    exception = replace(an_exception("10.20.1.7"), surface="gone")
    known = replace(facts(inventory, exceptions=(exception,)), surfaces=SURFACES)
    assert Action.EXEMPT not in {rule.action for rule in desired_for(known, inventory.device("fw-berlin"), NOON).rules}


def test_names_of_parts_fit_a_device_and_are_told_apart() -> None:
    long = [surface_name("a" * 30, f"{'b' * 20}{n}") for n in range(3)]
    assert len(set(long)) == 3
    assert all(NAME.fullmatch(name) for name in long)
    assert surface_name("tiktok", "shop") == "srf-tiktok-shop"
