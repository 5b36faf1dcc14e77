"""The laws of the difference."""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.net import DomainName, Network
from tests.vendors.playing import EVERYTHING, Groups, Packet, denied_packets, play, play_one
from vendors.diff import degrade, diff, mark_of
from vendors.errors import CapacityExceeded
from vendors.model import (
    Action,
    AddMembers,
    AddressGroup,
    Desired,
    DomainGroup,
    Group,
    GroupName,
    Mark,
    Observed,
    PutRule,
    Remark,
    RemoveMembers,
    RemoveRule,
    Repair,
    Rule,
    RuleName,
    Step,
    WeekSpan,
)

# A small world, so that lists overlap all the time.
SOURCES = [ip_network(f"10.0.0.{n}") for n in range(4)]
ADDRESSES: list[Network] = [ip_network(f"192.0.2.{n}") for n in range(4)] + [ip_network("2001:db8::1")]
NAMES = ["a.example", "b.example"]
MORNING, OVERLAP, EVENING = (0, 9 * 60), (0, 12 * 60), (0, 18 * 60)
WHENS = [None, None, (WeekSpan(0, 8 * 60, 13 * 60),), (WeekSpan(0, 11 * 60, 20 * 60), WeekSpan(3, 0, 60))]
PACKETS: list[Packet] = [
    (str(source.network_address), str(address.network_address), name, moment)
    for source in SOURCES
    for address in ADDRESSES
    for name in ["", "x.a.example", "b.example"]
    for moment in [MORNING, OVERLAP, EVENING]
]
ROLES = ["company", "guest", "byod", "lab"]


def net_group(name: str, *members: str | Network) -> AddressGroup:
    return AddressGroup(name=GroupName(name), members=frozenset(ip_network(m) for m in members))


def name_group(name: str, *members: str) -> DomainGroup:
    return DomainGroup(name=GroupName(name), members=frozenset(DomainName(m) for m in members))


def rule(name: str, action: Action, sources: str | None, *destinations: str) -> Rule:
    return Rule(
        name=RuleName(name),
        action=action,
        sources=GroupName(sources) if sources else None,
        destinations=tuple(GroupName(d) for d in destinations),
    )


def state(*groups: Group, rules: tuple[Rule, ...], snapshot: str = "0123456789ab") -> Desired:
    return Desired(groups=tuple(sorted(groups, key=lambda g: g.name)), rules=rules, owner="01owner", snapshot=snapshot)


def held(desired: Desired, **changes: object) -> Observed:
    observed = Observed(
        groups=desired.groups,
        rules=desired.rules,
        mark=mark_of(desired),
        foreign="f",
        epoch="e",
        can=EVERYTHING,
    )
    return replace(observed, **changes)  # type: ignore[arg-type]


NOTHING = Observed(groups=(), rules=(), mark=None, foreign="f", epoch="e", can=EVERYTHING)


@st.composite
def states(draw: st.DrawFn) -> Desired:
    """Any state a device may hold: any order, any action, lists shared between rules, nothing dangling."""
    groups: dict[str, Group] = {}
    for role in ROLES:
        if members := draw(st.sets(st.sampled_from(SOURCES), max_size=3)):
            groups[f"src-{role}"] = net_group(f"src-{role}", *members)
    for service in ("one", "two"):
        if members := draw(st.sets(st.sampled_from(ADDRESSES), max_size=4)):
            groups[f"dst-{service}"] = net_group(f"dst-{service}", *members)
    if names := draw(st.sets(st.sampled_from(NAMES), max_size=2)):
        groups["fqdn-one"] = name_group("fqdn-one", *names)
    if spared := draw(st.sets(st.sampled_from(ADDRESSES), max_size=2)):
        groups["spared"] = net_group("spared", *spared)
    sources = [name for name in groups if name.startswith("src-")]
    targets = [name for name in groups if name.startswith(("dst-", "fqdn-"))]
    rules = [rule("spare", Action.SPARE, None, "spared")] if "spared" in groups and draw(st.booleans()) else []
    if sources and targets:
        for number, source in draw(
            st.lists(st.tuples(st.integers(0, 1), st.sampled_from(sources)), max_size=5, unique=True)
        ):
            action = draw(st.sampled_from([Action.DENY, Action.DENY, Action.MONITOR, Action.EXEMPT]))
            to = draw(st.lists(st.sampled_from(targets), min_size=1, unique=True))
            when = None if action is Action.EXEMPT else draw(st.sampled_from(WHENS))
            rules.append(replace(rule(f"r{number}-{source}", action, source, *to), when=when))
    return state(*groups.values(), rules=tuple(draw(st.permutations(rules))))


def denied(groups: Groups, rules: list[Rule]) -> set[Packet]:
    return denied_packets(groups, rules, PACKETS)


@given(states(), states())
@settings(max_examples=60, deadline=None)
def test_i03_playing_the_steps_gives_what_is_desired(before: Desired, after: Desired) -> None:
    plan = diff(held(before), after, EVERYTHING)
    groups, rules = play(before.groups, before.rules, plan.steps)
    assert groups == {group.name: group for group in after.groups}
    assert rules == list(after.rules)
    assert plan.desired == after
    assert not plan.degraded


@given(states())
@settings(max_examples=60, deadline=None)
def test_i03_no_difference_no_steps(desired: Desired) -> None:
    assert diff(held(desired), desired, EVERYTHING).is_empty


@given(states(), states(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_i03_the_order_of_groups_and_members_changes_nothing(
    before: Desired, after: Desired, chance: random.Random
) -> None:
    def shuffled(groups: tuple[Group, ...]) -> tuple[Group, ...]:
        return tuple(chance.sample(groups, len(groups)))

    plan = diff(held(before), after, EVERYTHING)
    other = diff(
        held(before, groups=shuffled(before.groups)), replace(after, groups=shuffled(after.groups)), EVERYTHING
    )
    assert plan == other


@given(states(), states())
@settings(max_examples=150, deadline=None)
def test_i04_every_prefix_of_the_steps_blocks_what_both_ends_block(before: Desired, after: Desired) -> None:
    ends = [play(end.groups, end.rules, ()) for end in (before, after)]
    always = denied(*ends[0]) & denied(*ends[1])
    now = ends[0]
    for step in diff(held(before), after, EVERYTHING).steps:
        now = play_one(*now, step)
        assert always <= denied(*now), step


@pytest.mark.soak
@pytest.mark.timeout(1800)
@given(states(), states())
@settings(max_examples=20_000, deadline=None)
def test_i04_every_prefix_at_length(before: Desired, after: Desired) -> None:
    test_i04_every_prefix_of_the_steps_blocks_what_both_ends_block.hypothesis.inner_test(before, after)  # type: ignore[attr-defined]
    test_i03_playing_the_steps_gives_what_is_desired.hypothesis.inner_test(before, after)  # type: ignore[attr-defined]


def _hasty(steps: tuple[Step, ...]) -> list[Step]:
    """The same steps, removals first: what an impatient diff would do."""
    return sorted(steps, key=lambda step: not isinstance(step, RemoveMembers | RemoveRule))


def test_i04_the_law_sees_a_hasty_order() -> None:
    """A detector is shown to detect: removing before adding opens the list in between."""
    sources = net_group("src-company", SOURCES[0])
    deny = rule("deny-company", Action.DENY, "src-company", "dst-one")
    narrow = state(sources, net_group("dst-one", ADDRESSES[0]), net_group("dst-two", ADDRESSES[0]), rules=(deny,))
    moved = replace(narrow, rules=(rule("deny-all", Action.DENY, "src-company", "dst-two"),))
    steps = diff(held(narrow), moved, EVERYTHING).steps
    always = denied(*play(narrow.groups, narrow.rules, ())) & denied(*play(moved.groups, moved.rules, ()))
    assert always <= denied(*play(narrow.groups, narrow.rules, steps[:1]))
    assert not always <= denied(*play(narrow.groups, narrow.rules, _hasty(steps)[:1]))


COMPANY = net_group("src-company", "10.20.0.0/24")
GUEST = net_group("src-guest", "10.20.1.0/24")
TIKTOK = net_group("dst-tiktok", "192.0.2.0/26", "198.51.100.0/24", "2001:db8:77::/48")
DENY = rule("deny-company", Action.DENY, "src-company", "dst-tiktok")
WATCH = rule("mon-guest", Action.MONITOR, "src-guest", "dst-tiktok")
OFFICE = state(COMPANY, GUEST, TIKTOK, rules=(DENY, WATCH))


def test_i03_one_new_prefix_is_one_member() -> None:
    grown = replace(TIKTOK, members=TIKTOK.members | {ip_network("203.0.113.0/24")})
    steps = diff(held(OFFICE), state(COMPANY, GUEST, grown, rules=(DENY, WATCH)), EVERYTHING).steps
    assert steps == (AddMembers(group=TIKTOK.name, networks=frozenset({ip_network("203.0.113.0/24")})),)


def test_i03_one_prefix_less_is_one_member() -> None:
    shrunk = replace(TIKTOK, members=TIKTOK.members - {ip_network("192.0.2.0/26")})
    steps = diff(held(OFFICE), state(COMPANY, GUEST, shrunk, rules=(DENY, WATCH)), EVERYTHING).steps
    assert steps == (RemoveMembers(group=TIKTOK.name, networks=frozenset({ip_network("192.0.2.0/26")})),)


def test_i04_guests_become_denied_before_they_stop_being_watched_or_at_least_never_less() -> None:
    deny_guest = rule("deny-guest", Action.DENY, "src-guest", "dst-tiktok")
    steps = diff(held(OFFICE), replace(OFFICE, rules=(DENY, deny_guest)), EVERYTHING).steps
    assert steps == (RemoveRule(rule=WATCH.name), PutRule(rule=deny_guest, after=DENY.name))


def test_an_exception_is_put_above_the_deny_last() -> None:
    exempt = rule("exc-1", Action.EXEMPT, "exc-1", "dst-tiktok")
    wanted = state(COMPANY, GUEST, TIKTOK, net_group("exc-1", "10.20.0.7"), rules=(exempt, DENY, WATCH))
    steps = diff(held(OFFICE), wanted, EVERYTHING).steps
    assert steps[-1] == PutRule(rule=exempt, after=None)
    assert len(steps) == 2


def test_another_snapshot_with_the_same_effect_is_a_remark() -> None:
    later = replace(OFFICE, snapshot="ba9876543210")
    plan = diff(held(OFFICE), later, EVERYTHING)
    assert plan.steps == (Remark(mark=mark_of(later)),)


def test_what_was_made_irregular_is_repaired_first() -> None:
    plan = diff(held(OFFICE, irregular=("an unknown chain",)), OFFICE, EVERYTHING)
    assert plan.steps == (Repair(reasons=("an unknown chain",)),)


def test_a_lost_mark_is_written_again() -> None:
    assert diff(held(OFFICE, mark=Mark(owner="x", snapshot="y", desired="z")), OFFICE, EVERYTHING).steps == (
        Remark(mark=mark_of(OFFICE)),
    )


# --- what the device cannot do --------------------------------------------------------------------------------------


def test_domains_without_the_means_are_said_aloud() -> None:
    can = replace(EVERYTHING, fqdn=False, notes=("domains: this gateway runs no dnsmasq",))
    names = name_group("fqdn-tiktok", "tiktok.com")
    deny = rule("deny-company", Action.DENY, "src-company", "dst-tiktok", "fqdn-tiktok")
    plan = diff(NOTHING, state(COMPANY, TIKTOK, names, rules=(deny,)), can)
    assert [(d.capability, d.message) for d in plan.degraded] == [
        ("domains", "fqdn-tiktok: 1 domains not held by this device: this gateway runs no dnsmasq")
    ]
    assert plan.desired == state(COMPANY, TIKTOK, rules=(DENY,))


def test_without_ipv6_the_rest_is_held() -> None:
    plan = diff(NOTHING, OFFICE, replace(EVERYTHING, ipv6=False))
    assert [d.capability for d in plan.degraded] == ["ipv6"]
    assert all(n.version == 4 for group in plan.desired.groups for n in group.members)  # type: ignore[union-attr]


def test_a_rule_that_loses_its_sources_goes_and_never_means_anyone() -> None:
    only_six = net_group("src-company", "2001:db8:20::/64")
    wanted, lost = degrade(state(only_six, TIKTOK, rules=(DENY,)), replace(EVERYTHING, ipv6=False))
    assert wanted.rules == ()
    assert {d.capability for d in lost} == {"ipv6"}


def test_without_watching_the_monitor_rule_is_not_turned_into_anything_else() -> None:
    wanted, lost = degrade(OFFICE, replace(EVERYTHING, monitor=False))
    assert wanted.rules == (DENY,)
    assert [d.capability for d in lost] == ["monitor"]


@pytest.mark.parametrize("fqdn", [True, False])
def test_i15_a_device_that_can_pass_nothing_first_gets_no_rule_for_it(fqdn: bool) -> None:
    spared = net_group("spared", "8.8.8.8/32")
    spare = Rule(name=RuleName("spare"), action=Action.SPARE, sources=None, destinations=(spared.name,))
    wished = state(COMPANY, TIKTOK, spared, rules=(spare, DENY))
    wanted, lost = degrade(wished, replace(EVERYTHING, spare=False, fqdn=fqdn))
    assert wanted.rules == (DENY,)
    assert [(d.capability, d.is_gap) for d in lost] == [("spare", fqdn)], "without live answers nothing is missing"
    assert degrade(wished, EVERYTHING) == (wished, ())


def test_names_with_everything_below_them_may_shrink_to_exact_names() -> None:
    names = name_group("fqdn-tiktok", "tiktok.com")
    deny = rule("deny-company", Action.DENY, "src-company", "fqdn-tiktok")
    wanted, lost = degrade(state(COMPANY, names, rules=(deny,)), replace(EVERYTHING, wildcard_fqdn=False))
    assert wanted.groups[0].members == {DomainName("tiktok.com", suffix=False)}
    assert [d.capability for d in lost] == ["wildcard-domains"]


def test_names_that_are_held_with_what_is_below_them_only_so_far_are_told_and_no_gap() -> None:
    both = DomainGroup(
        name=GroupName("fqdn-tiktok"),
        members=frozenset(DomainName("tiktok.com", suffix=wide) for wide in (True, False)),
    )
    deny = rule("deny-company", Action.DENY, "src-company", "fqdn-tiktok")
    can = replace(EVERYTHING, notes=("wildcard-domains: web traffic alone",))
    wanted, lost = degrade(state(COMPANY, both, rules=(deny,)), can)
    assert wanted.groups[0].members == {DomainName("tiktok.com")}, "which a list of such hosts cannot tell apart"
    (told,) = lost
    assert (told.message, told.is_gap) == (
        "fqdn-tiktok: what is below 1 domains is held for web traffic alone",
        False,
    )
    assert degrade(state(COMPANY, both, rules=(deny,)), EVERYTHING)[1] == ()


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        pytest.param({"max_members": 2}, "dst-tiktok has 3 members", id="one-group"),
        pytest.param({"max_entries": 4}, "5 members in all groups", id="all-groups"),
    ],
)
def test_i07_a_list_that_does_not_fit_is_refused_whole(limits: dict[str, int], named: str) -> None:
    with pytest.raises(CapacityExceeded, match=named):
        diff(NOTHING, OFFICE, replace(EVERYTHING, **limits))  # type: ignore[arg-type]


def test_a_list_that_just_fits_is_taken() -> None:
    assert not diff(NOTHING, OFFICE, replace(EVERYTHING, max_members=3, max_entries=5)).is_empty


def test_a_list_stays_while_it_is_only_watched_where_nothing_can_watch() -> None:
    """Denied in work hours and watched at night: at each edge the rule moves, and never the list."""
    watcher = replace(EVERYTHING, monitor=False)
    by_day = held(state(COMPANY, TIKTOK, rules=(DENY,)))
    plan = diff(by_day, state(COMPANY, TIKTOK, rules=(replace(DENY, action=Action.MONITOR),)), watcher)
    assert {group.name for group in plan.desired.groups} == {TIKTOK.name}
    assert plan.desired.rules == ()


def test_lists_that_only_a_dropped_rule_used_are_not_made() -> None:
    watcher = replace(EVERYTHING, monitor=False)
    plan = diff(held(state(rules=())), state(COMPANY, GUEST, TIKTOK, rules=(DENY, WATCH)), watcher)
    assert {group.name for group in plan.desired.groups} == {COMPANY.name, TIKTOK.name}
