"""The FortiOS adapter on text alone: what a box prints, mutilated readings, and the lines that are sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from core.net import DomainName
from tests.vendors.fortinet_fortios.box import Box
from tests.vendors.fortinet_fortios.wishes import (
    DST,
    EMPTY,
    FQDN,
    MEMBERS,
    SRC,
    adapter,
    desired_states,
    networks,
    plan,
    push,
    wish,
)
from vendors.diff import diff, mark_of
from vendors.errors import CapacityExceeded, Refused, Unreadable
from vendors.fortinet_fortios.shape import Nesting, spread
from vendors.model import Action, AddressGroup, Desired, Rule, RuleName, Transaction

DATA = Path(__file__).parent / "data"
NAMES = (DomainName("tiktok.com"), DomainName("www.tiktokv.com", suffix=False))
RELEASES = ("6.0.7", "6.2.1", "6.4.4", "7.0.3", "7.4.1", "7.6.2")


# --- there and back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", RELEASES)
def test_what_is_sent_is_what_is_read(version: str) -> None:
    box, using = Box(version=version), adapter()
    _, first = push(box, wish(domains=NAMES), using)
    found, again = plan(box, wish(domains=NAMES), using)
    assert found.irregular == ()
    assert (found.groups, found.rules) == (first.desired.groups, first.desired.rules)
    assert found.mark == mark_of(first.desired)
    assert again.is_empty


@given(states=st.lists(desired_states(), min_size=1, max_size=4), version=st.sampled_from(RELEASES))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_state_leads_to_any_other_and_no_step_denies_less(states: list[Desired], version: str) -> None:
    """Every prefix of the lines denies at least what both ends deny; the rest of the box is not touched."""
    box, using = Box(version=version), adapter(group_members=10)
    owners, before = box.foreign(), set[tuple[str, str]]()
    for desired in states:
        seen: list[set[tuple[str, str]]] = []
        box.watch = lambda now: seen.append(now.denied())  # noqa: B023  # called before the next round
        _, change = push(box, desired, using)
        found, again = plan(box, desired, using)
        assert found.irregular == ()
        assert (found.groups, found.rules) == (change.desired.groups, change.desired.rules)
        assert again.is_empty
        after = box.denied()
        assert all(now >= before & after for now in seen)
        assert box.foreign() == owners
        before = after


@given(first=desired_states(), second=desired_states())
@settings(max_examples=20, deadline=None)
def test_what_was_half_sent_is_read_and_brought_to_the_end(first: Desired, second: Desired) -> None:
    using = adapter(group_members=10)
    whole = Box()
    push(whole, first, using)
    found, change = plan(whole, second, using)
    lines = using.render(found, change).text.splitlines()
    cuts = [index for index, line in enumerate(lines) if line == "end"]
    for cut in cuts[:: max(1, len(cuts) // 4)]:
        box = Box()
        push(box, first, using)
        box.take("\n".join(lines[: cut + 1]))
        push(box, second, using)
        found, again = plan(box, second, using)
        assert (found.irregular, again.is_empty) == ((), True)


def test_a_group_of_a_list_without_a_family_holds_a_stand_in_that_means_nothing() -> None:
    box = Box()
    push(box, wish(sources=["10.1.0.0/16"], members=["2605:340::/32"]), adapter())
    assert box.members("tokgate-src-company", six=True) == {"::/128"}
    assert box.members("tokgate-dst-tiktok", six=False) == {"0.0.0.0 255.255.255.255"}
    found, _ = plan(box, EMPTY, adapter())
    assert {group.name: group.members for group in found.groups} == {
        SRC: networks("10.1.0.0/16"),
        DST: networks("2605:340::/32"),
    }


# --- what is sent ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["6.2.4", "7.4.1"])
def test_the_first_change_line_by_line(version: str) -> None:
    text, _ = push(Box(version=version), wish(domains=NAMES), adapter(srcintf=["lan", "wifi"], dstintf=["wan1"]))
    golden = DATA / f"first-change-{version}.txt"
    assert text == golden.read_text(encoding="utf-8")


def test_one_prefix_more_is_one_member_and_the_mark() -> None:
    box, using = Box(), adapter()
    push(box, wish(), using)
    text, _ = push(box, wish(members=(*MEMBERS, "192.0.2.0/24")), using)
    lines = [line for line in text.splitlines() if line.split()[0] in ("set", "append", "unselect", "delete", "move")]
    assert lines[:3] == [
        'set comment "tokgate"',
        "set subnet 192.0.2.0 255.255.255.0",
        'append member "tokgate-4-192.0.2.0-24"',
    ]
    assert lines[3].startswith('set comment "tokgate 1 ')
    assert len(lines) == 4


def test_another_snapshot_with_the_same_list_moves_the_mark_alone() -> None:
    box, using = Box(), adapter()
    push(box, wish(), using)
    text, _ = push(box, wish(snapshot="ba9876543210"), using)
    assert text.splitlines()[:2] == ["config firewall address", 'edit "tokgate-_mark"']
    assert len(text.splitlines()) == 5


def test_no_line_is_longer_than_an_echo_takes() -> None:
    many = [f"10.{high}.{low}.0/24" for high in range(20) for low in range(0, 250, 2)]
    text, _ = push(Box(), wish(members=many), adapter())
    assert max(map(len, text.splitlines())) < 480


def test_a_long_list_is_nested_and_one_more_member_stays_one() -> None:
    box, using = Box(), adapter(group_members=20)
    many = [f"10.0.{low}.0/32" for low in range(95)]
    push(box, wish(members=many), using)
    sizes = {name: len(attrs["member"]) for name, attrs in box.tables["firewall addrgrp"].items() if "tiktok" in name}
    assert max(sizes.values()) <= 20
    assert len(sizes) == 6
    text, _ = push(box, wish(members=[*many, "10.9.9.9/32"]), using)
    assert text.count("append member") == 1
    assert "set member" not in text


def test_a_full_group_keeps_its_limit_while_its_members_change() -> None:
    box, using = Box(), adapter(group_members=20)
    box.watch = lambda now: (
        [_ for name, a in now.tables["firewall addrgrp"].items() for _ in [1] if len(a["member"]) > 20]
        and pytest.fail("a group took more members than it may")
    )
    push(box, wish(members=[f"10.0.{low}.0/32" for low in range(95)]), using)
    push(box, wish(members=[f"10.0.{low}.0/32" for low in range(50, 145)]), using)
    push(box, wish(members=[f"10.0.{low}.0/32" for low in range(40, 150, 2)]), using)
    assert plan(box, wish(members=[f"10.0.{low}.0/32" for low in range(40, 150, 2)]), using)[1].is_empty


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        ("top", ["900001", "3", "1"]),
        ({"before": "guests"}, ["3", "900001", "1"]),
        ({"after": "LAN out"}, ["3", "900001", "1"]),
        ({"after": "guests"}, ["3", "1", "900001"]),
        ({"before": "3"}, ["900001", "3", "1"]),
    ],
)
def test_policies_stand_where_they_are_put(placement: object, expected: list[str]) -> None:
    box, using = Box(), adapter(placement=placement)
    push(box, wish(), using)
    assert list(box.tables["firewall policy"]) == expected
    assert plan(box, wish(), using)[1].is_empty


def test_a_policy_that_was_moved_by_hand_goes_back() -> None:
    box, using = Box(), adapter()
    push(box, wish(rules=("deny-company", "deny-guest")), using)
    box.take("config firewall policy\nmove 900001 after 1\nend\n")
    found, _ = plan(box, wish(rules=("deny-company", "deny-guest")), using)
    assert any("not where they belong" in line for line in found.irregular)
    text, _ = push(box, wish(rules=("deny-company", "deny-guest")), using)
    assert list(box.tables["firewall policy"]) == ["900001", "900002", "3", "1"]
    assert text.count("move") == 2


def test_an_anchor_that_is_not_there_refuses_before_anything_is_sent() -> None:
    found, change = plan(Box(), wish(), adapter(placement={"before": "no such"}))
    with pytest.raises(Refused, match="no policy 'no such'"):
        adapter(placement={"before": "no such"}).render(found, change)


def test_ids_of_the_owner_are_never_taken() -> None:
    box = Box()
    box.tables["firewall policy"]["900001"] = {"name": ["mine"], "action": ["accept"]}
    push(box, wish(), adapter())
    assert box.tables["firewall policy"]["900001"] == {"name": ["mine"], "action": ["accept"]}
    assert box.tables["firewall policy"]["900002"]["name"] == ["tokgate-deny-company"]


def test_long_rule_names_are_cut_and_found_again() -> None:
    rules = ("deny-a-role-with-a-really-long-name-one", "deny-a-role-with-a-really-long-name-two")
    box, using = Box(version="6.2.4"), adapter()
    push(box, wish(rules=rules), using)
    found, _ = plan(box, wish(rules=rules), using)
    assert [rule.name for rule in found.rules] == list(rules)
    named = [attrs["name"][0] for path in ("", "6") for attrs in box.tables[f"firewall policy{path}"].values()]
    ours = [name for name in named if name.startswith("tokgate")]
    assert len(set(ours)) == 4
    assert max(map(len, ours)) == 35


# --- hands ----------------------------------------------------------------------------------------------------------

HANDS = {
    "a member by hand": 'config firewall addrgrp\nedit "tokgate-dst-tiktok"\nappend member "gmail.com"\nnext\nend',
    "another subnet": 'config firewall address\nedit "tokgate-4-71.18.0.0-16"\nset subnet 9.0.0.0 255.0.0.0\nnext\nend',
    "another kind": 'config firewall address\nedit "tokgate-4-71.18.0.0-16"\nset type fqdn\nset fqdn "x.y"\nnext\nend',
    "a colour": 'config firewall address\nedit "tokgate-4-71.18.0.0-16"\nset color 6\nnext\nend',
    "a comment": 'config firewall address\nedit "tokgate-4-71.18.0.0-16"\nset comment "why?"\nnext\nend',
    "the group's comment": 'config firewall addrgrp6\nedit "tokgate-dst-tiktok"\nunset comment\nnext\nend',
    "the names' comment": 'config firewall addrgrp\nedit "tokgate-fqdn-tiktok"\nunset comment\nnext\nend',
    "an object of our name": 'config firewall address\nedit "tokgate-x"\nset subnet 10.0.0.0 255.0.0.0\nnext\nend',
    "accept": "config firewall policy\nedit 900001\nset action accept\nnext\nend",
    "disabled": "config firewall policy\nedit 900001\nset status disable\nnext\nend",
    "another schedule": 'config firewall policy\nedit 900001\nset schedule "none"\nnext\nend',
    "another service": 'config firewall policy\nedit 900001\nset service "HTTP"\nnext\nend',
    "an interface": 'config firewall policy\nedit 900001\nset srcintf "port1"\nnext\nend',
    "negated": "config firewall policy\nedit 900001\nset dstaddr-negate enable\nnext\nend",
    "a source too many": 'config firewall policy\nedit 900001\nset srcaddr "tokgate-src-company" "gmail"\nnext\nend',
    "all": 'config firewall policy\nedit 900001\nset dstaddr "all"\nnext\nend',
    "only one family": 'config firewall policy\nedit 900001\nset dstaddr6 "tokgate-fqdn-tiktok"\nnext\nend',
    "renamed": 'config firewall policy\nedit 900001\nset name "mine now"\nnext\nend',
    "the policy's comment": "config firewall policy\nedit 900001\nunset comments\nnext\nend",
    "deleted": "config firewall policy\ndelete 900001\nend",
    "copied": 'config firewall policy\nedit 7\nset name "tokgate-copy"\n'
    'set comments "tokgate 01kb000000000000000000tkga rule deny-company"\n'
    'set srcaddr "all"\nset dstaddr "all"\nset schedule "always"\nset service "ALL"\nnext\nend',
    "the mark": 'config firewall address\nedit "tokgate-_mark"\nset comment "x"\nnext\nend',
    "no mark": 'config firewall address\ndelete "tokgate-_mark"\nend',
}  # fmt: skip


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("group_members", [10, 300])
def test_what_a_hand_did_to_ours_is_seen_and_put_right(hand: str, group_members: int) -> None:
    desired, using, box = wish(domains=NAMES), adapter(group_members=group_members), Box()
    push(box, desired, using)
    before, owners = box.tables, box.foreign()
    box.tables = {p: {n: {k: list(v) for k, v in a.items()} for n, a in t.items()} for p, t in before.items()}
    box.take(HANDS[hand])
    assert box.tables != before
    _, change = plan(box, desired, using)
    assert not change.is_empty
    push(box, desired, using)
    found, again = plan(box, desired, using)
    assert (found.irregular, again.is_empty) == ((), True)
    assert box.tables == before
    assert box.foreign() == owners


def test_what_the_owner_uses_of_ours_is_kept_and_no_deviation() -> None:
    box, using = Box(), adapter()
    push(box, wish(), using)
    box.take('config firewall addrgrp\nedit "mine"\nset member "tokgate-4-71.18.0.0-16"\nnext\nend')
    push(box, wish(members=MEMBERS[1:]), using)
    assert "tokgate-4-71.18.0.0-16" in box.tables["firewall address"]
    found, again = plan(box, wish(members=MEMBERS[1:]), using)
    assert (found.irregular, again.is_empty) == ((), True)


def test_the_rest_of_the_box_has_a_fingerprint_without_what_changes_by_itself() -> None:
    box, using = Box(), adapter()
    first = using.parse(box.reading()).foreign
    push(box, wish(), using)
    assert using.parse(box.reading()).foreign == first
    box.tables["firewall policy"] = dict(reversed(box.tables["firewall policy"].items()))
    assert using.parse(box.reading()).foreign != first
    box.tables["firewall policy"] = dict(reversed(box.tables["firewall policy"].items()))
    assert using.parse(box.reading()).foreign == first
    box.tables["firewall address"]["gmail.com"]["fqdn"] = ["other.example"]
    assert using.parse(box.reading()).foreign != first


def test_an_object_of_our_name_without_our_comment_is_a_strangers_when_nothing_is_marked() -> None:
    box = Box()
    box.tables["firewall address"]["tokgate-4-10.0.0.0-8"] = {"subnet": ["10.0.0.0", "255.0.0.0"]}
    found = adapter().parse(box.reading())
    assert "tokgate-4-10.0.0.0-8" in found.extra["strangers"]
    assert found.extra["version"] == "7.4.1"


# --- readings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["6.2.4", "7.4.1"])
def test_a_reading_that_is_cut_anywhere_is_never_a_state(version: str) -> None:
    box, using = Box(version=version), adapter()
    push(box, wish(domains=NAMES), using)
    whole = box.reading()
    for cut in range(len(whole)):
        with pytest.raises(Unreadable):
            using.parse(whole[:cut])


def test_a_reading_that_lost_a_line_is_unreadable_or_says_so() -> None:
    """A line that is missing in the middle: never the same state with another content."""
    box, using = Box(), adapter()
    push(box, wish(domains=NAMES), using)
    lines = box.reading().splitlines(keepends=True)
    right = using.parse("".join(lines))
    for index, line in enumerate(lines):
        try:
            found = using.parse("".join(lines[:index] + lines[index + 1 :]))
        except Unreadable:
            continue
        if (found.groups, found.rules, found.mark) != (right.groups, right.rules, right.mark):
            assert found.irregular, line


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("FortiGate-60E-POE v7.4.1", "FortiManager-VM64 v7.4.6", "no FortiGate"),
        ("Version: FortiGate", "Version: Something", "no release"),
        ("Current HA mode: standalone\n", "", "cut off"),
        ("Current HA mode: standalone", "Current HA mode: a-p, confused", "cluster"),
        ("edit 3\n", "edit three\n", "without a number"),
        ("show firewall addrgrp6\n", "show firewall other\n", "lacks"),
        ('"fw1"', '"fw1', "quote"),
        ("config firewall policy\n", "command parse error before 'policy'\nCommand fail. Return code -61\n", "begin"),
    ],
)
def test_a_reading_that_is_not_understood_is_said_to_be(old: str, new: str, why: str) -> None:
    text = Box().reading()
    assert old in text
    with pytest.raises(Unreadable, match=why):
        adapter().parse(text.replace(old, new, 1))


def test_a_reading_of_another_vdom_is_refused() -> None:
    text = Box(vdoms="multiple", vdom="root").reading()
    assert adapter(vdom="root").parse(text).groups == ()
    with pytest.raises(Unreadable, match="not from VDOM branch"):
        adapter(vdom="branch").parse(text)


# --- what a device can do -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "options", "expected"),
    [
        (Box(version="6.0.7"), {}, {"transaction": Transaction.ORDERED, "wildcard_fqdn": False}),
        (Box(version="6.2.1"), {}, {"transaction": Transaction.CANDIDATE, "wildcard_fqdn": False}),
        (Box(version="6.2.2"), {}, {"transaction": Transaction.CANDIDATE, "wildcard_fqdn": True}),
        (Box(), {"workspace": False}, {"transaction": Transaction.ORDERED}),
        (Box(cfg_save="manual"), {}, {"persistence": True}),
        (Box(cfg_save="revert"), {"save": False}, {"persistence": False}),
        (Box(), {"names": False}, {"fqdn": False}),
        (Box(), {"max_addresses": 700}, {"max_entries": 700}),
        (Box(sizes="firewall.address: 0 3000 0\n"), {}, {"max_entries": 2995}),
        (Box(sizes="firewall.addrgrp:member: 100 0 0\n"), {}, {"max_members": 5050}),
        (Box(sizes="Unknown action 0\n"), {}, {"max_entries": 5000}),
    ],
)
def test_a_device_says_what_it_can(box: Box, options: dict[str, object], expected: dict[str, object]) -> None:
    found = adapter(**options).parse(box.reading())
    assert {name: getattr(found.can, name) for name in expected} == expected


def test_what_does_not_fit_is_not_sent() -> None:
    using, wanted = adapter(max_addresses=10), wish(domains=[DomainName(f"{name}.com") for name in "abcd"])
    with pytest.raises(CapacityExceeded, match="nothing was sent"):
        plan(Box(), wanted, using)
    _, change = plan(Box(), wanted, adapter())
    with pytest.raises(CapacityExceeded, match="nothing was sent"):
        using.render(using.parse(Box().reading()), change)


def test_exceptions_and_watching_are_told_of() -> None:
    rule = Rule(name=RuleName("mon-guest"), action=Action.MONITOR, sources=SRC, destinations=(DST,))
    found = adapter().parse(Box().reading())
    change = diff(found, replace(wish(), rules=(*wish().rules, rule)), found.can)
    assert [lost.capability for lost in change.degraded] == ["monitor"]
    assert "open traffic" in change.degraded[0].message


def test_the_same_domain_exactly_and_with_all_below_it_stays_two_wishes() -> None:
    both = (DomainName("tiktok.com"), DomainName("tiktok.com", suffix=False))
    box, using = Box(), adapter()
    push(box, wish(domains=both), using)
    found, _ = plan(box, wish(domains=both), using)
    assert {group.name: group.members for group in found.groups}[FQDN] == frozenset(both)


@pytest.mark.parametrize(
    "options",
    [
        {"vdom": "root; end"},
        {"srcintf": []},
        {"srcintf": ["any", "lan"]},
        {"dstintf": ['lan"']},
        {"first_policy_id": 0},
        {"placement": "bottom"},
        {"colour": 6},
    ],
)
def test_options_that_could_reach_a_command_line_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        adapter(**options)


def test_a_list_of_two_thousand_is_read_quickly_enough_to_poll() -> None:
    many = [f"10.{high}.{low}.0/24" for high in range(8) for low in range(250)]
    box, using = Box(), adapter()
    push(box, wish(members=many), using)
    found = using.parse(box.reading())
    assert len(next(g.members for g in found.groups if isinstance(g, AddressGroup) and g.name == DST)) == 2000


@pytest.mark.parametrize("limit", [10, 11, 300])
def test_a_list_nests_as_far_as_it_says_and_no_further(limit: int) -> None:
    nesting = Nesting(limit)
    members = [f"m{number}" for number in range(nesting.most)]
    places = spread(DST, members, {}, nesting)
    assert sorted(name for held in places.values() for name in held) == sorted(members)
    assert max(len(held) for held in places.values()) <= limit
    parent = next(iter(places))
    assert len(places[parent]) + len(places) - 1 <= limit
    with pytest.raises(CapacityExceeded):
        spread(DST, [*members, "one more"], {}, nesting)
