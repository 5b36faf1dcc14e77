"""An emulated FortiGate under a FortiManager: nothing is written, and only what the site's policies prove is told."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.clock import ManualClock
from lab.emulators.fortios import FortiGate
from lab.emulators.fortios.switches import Model
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.fortios import NOON, configuring, fortigate, shown
from tests.vendors.fortinet_fortios.fleet import look, reached
from tests.vendors.fortinet_fortios.test_feeds import RESOURCE, URL, Lists, push, wanted
from tests.vendors.fortinet_fortios.wishes import DST, EMPTY, MEMBERS, adapter, networks
from vendors.diff import mark_of
from vendors.errors import Refused, Uncertain
from vendors.feeding import ip_feed
from vendors.fortinet_fortios.adapter import FortinetFortios
from vendors.fortinet_fortios.managed import marked, unmarked
from vendors.model import AddressGroup, Desired, GroupName

POLICY = "firewall policy"
DENY = """\
config system central-management
    set type fortimanager
    set fmg "192.0.2.99"
end
config firewall address
    edit "people"
        set subnet 10.0.1.0 255.255.255.0
    next
    edit "some of them"
        set type iprange
        set start-ip 10.0.1.0
        set end-ip 10.0.1.127
    next
end
config firewall address6
    edit "nobody"
        set ip6 ::/128
    next
end
config firewall addrgrp
    edit "everybody here"
        set member "people" "some of them"
    next
end
config firewall policy
    edit 12
        set name "No TikTok"
        set srcintf "any"
        set dstintf "any"
        set srcaddr "everybody here"
        set dstaddr "tokgate-dst-tiktok.feed"
        set srcaddr6 "nobody"
        set dstaddr6 "tokgate-dst-tiktok.feed"
        set schedule "always"
        set service "ALL"
        set logtraffic all
        set comments "tokgate rule deny-company"
    next
    move 12 before 3
end
"""


def only_pulling(**options: object) -> FortinetFortios:
    feed = {"url": URL, "load_seconds": 0}
    return adapter(**{"delivery": "feed", "feed": feed, "managed": "fortimanager", **options})


def installed(**options: object) -> tuple[FortiGate, Lists, ManualClock]:
    lists, clock = Lists(), ManualClock(NOON)
    device = fortigate(fetch=lists.fetch, clock=clock, **options)
    configuring(device, "system external-resource", *RESOURCE)
    device.load(DENY)
    device.local_changes = 0
    return device, lists, clock


def wish(*members: str) -> Desired:
    """The sources of the site's policy, and the address that its IPv6 sources are."""
    made = wanted(*members)
    people = AddressGroup(name=GroupName("src-company"), members=networks("10.0.1.0/24", "::/128"))
    groups = tuple(people if group.name == people.name else group for group in made.groups)
    return Desired(groups=groups, rules=made.rules, owner=made.owner, snapshot=made.snapshot)


def text_of(device: FortiGate) -> str:
    return re.sub("ENC .*", "ENC", shown(device))


def is_denied(device: FortiGate, target: str, port: int) -> bool:
    flow = Flow(source=ip_address("10.0.1.5"), destination=ip_address(target), source_port=port)
    return device.forward(flow) is Verdict.DENY


@pytest.mark.parametrize("version", [(6, 4, 4), (7, 4, 8)])
def test_the_list_is_pulled_judged_and_nothing_is_written(version: tuple[int, int, int]) -> None:
    device, lists, clock = installed(model=Model(version=version))
    before, using = text_of(device), only_pulling()
    with reached(device) as session:
        assert using.read(session).mark is None, "nothing is loaded: nothing is enforced"
        with pytest.raises(Uncertain, match="has not loaded"):
            push(session, using, lists, wish("203.0.113.0/24"))
        for turn, members in enumerate((MEMBERS, (*MEMBERS[1:], "198.51.100.0/25"))):
            clock.advance(timedelta(minutes=6))
            found, plan = look(session, using, wish(*members))
            assert not plan.is_empty
            lists.publish(using, found, plan.desired)
            clock.advance(timedelta(minutes=6))
            receipt = using.apply(session, found, plan)
            assert receipt.commands == 0
            assert any("nothing is written" in note for note in receipt.notes)
            found, again = look(session, using, wish(*members))
            assert (found.irregular, again.is_empty, found.mark) == ((), True, mark_of(again.desired))
            assert {group.name: group.members for group in found.groups}[DST] == networks(*members)
            assert is_denied(device, "71.18.1.1", 2 * turn) == (turn == 0)
            assert is_denied(device, "198.51.100.9", 2 * turn + 1) == (turn == 1)
        reading = using.counters(session)
        assert [(count.rule, count.hits) for count in reading.rules] == [("deny-company", 2)]
        assert all(finding.ok for finding in using.doctor(session))
    assert text_of(device) == before
    assert device.local_changes == 0


HANDS = {
    "no policy": (("delete 12",), "no policy denies for deny-company: make one with the comment"),
    "switched off": (("edit 12", "set status disable", "next"), "is switched off"),
    "lets pass": (("edit 12", "set action accept", "next"), "does not deny"),
    "by hours": (("edit 12", 'set schedule "WORK"', "next"), "does not hold at all times"),
    "some services": (("edit 12", 'set service "SSH"', "next"), "does not deny all services"),
    "round": (("edit 12", "set srcaddr-negate enable", "next"), "turns its sources round"),
    "somewhere": (("edit 12", 'set dstintf "outside"', "next"), "is about other interfaces"),
    "one family": (("edit 12", 'set dstaddr6 "all"', "next"), "not the same lists for IPv4 and IPv6"),
    "no list": (("edit 12", 'set dstaddr "CDN"', 'set dstaddr6 "all"', "next"), "not the same|none of our lists"),
    "fewer": (("edit 12", 'set srcaddr "some of them"', "next"), r"is about 10\.0\.1\.0/25.*not exactly about"),
    "more": (("edit 12", 'set srcaddr "all"', "next"), "not exactly about src-company"),
    "names": (("edit 12", 'set srcaddr "CDN"', "next"), "sources that cannot be told"),
    "below a service": (
        (
            "move 12 after 3",
            "edit 3",
            "set internet-service enable",
            'set internet-service-name "ByteDance-TikTok"',
            "unset dstaddr",
            "next",
        ),
        "stands below policy 3, which may let the same pass",
    ),
    "below": (("move 12 after 3",), "stands below policy 3, which may let the same pass"),
}


@pytest.mark.parametrize("hand", HANDS)
def test_what_does_not_prove_it_is_refused_with_the_reason(hand: str) -> None:
    device, lists, clock = installed()
    using = only_pulling()
    lines, why = HANDS[hand]
    with reached(device) as session:
        found, plan = look(session, using, wish())
        lists.publish(using, found, plan.desired)
        clock.advance(timedelta(minutes=6))
        using.apply(session, found, plan)
        configuring(device, POLICY, *lines, "end")
        before = text_of(device)
        found, plan = look(session, using, wish())
        assert not plan.is_empty, "it does not count as enforced"
        with pytest.raises(Refused, match=why):
            using.apply(session, found, plan)
    assert text_of(device) == before


def test_another_policy_above_that_meets_other_traffic_is_no_matter() -> None:
    device, lists, clock = installed()
    configuring(device, POLICY, "move 12 after 3", "end")
    configuring(device, "firewall address", "edit web", "set subnet 203.0.113.9/32", "next", "end")
    configuring(device, POLICY, "edit 3", 'set dstaddr "web"', "next", "end")
    with reached(device) as session:
        found, plan = look(session, only_pulling(), wish())
        lists.publish(only_pulling(), found, plan.desired)
        clock.advance(timedelta(minutes=6))
        only_pulling().apply(session, found, plan)
        assert look(session, only_pulling(), wish())[1].is_empty


def test_a_policy_that_is_not_wanted_any_more_is_a_persons_to_take_away() -> None:
    device, lists, clock = installed()
    with reached(device) as session:
        found, plan = look(session, only_pulling(), wish())
        lists.publish(only_pulling(), found, plan.desired)
        clock.advance(timedelta(minutes=6))
        only_pulling().apply(session, found, plan)
        with pytest.raises(Refused, match="not wanted any more"):
            push(session, only_pulling(), lists, EMPTY)


def test_without_its_resource_it_is_refused() -> None:
    device = fortigate()
    with reached(device) as session, pytest.raises(Refused, match="there is no external resource"):
        push(session, only_pulling(), Lists(), wish())


def test_an_old_release_is_not_judged() -> None:
    with reached(fortigate(model=Model(version=(6, 2, 4)))) as session:
        found = only_pulling().read(session)
    assert (found.rules, found.mark) == ((), None)
    assert "6.4" in found.irregular[0]


def test_nothing_else_works_without_writing() -> None:
    with pytest.raises(ValidationError, match="needs `delivery: feed`"):
        adapter(managed="fortimanager")


owners = st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=25, max_size=25).map(lambda rest: f"0{rest}")


@given(owners, st.text("0123456789abcdef", min_size=12, max_size=12))
def test_a_list_says_whose_it_is(owner: str, snapshot: str) -> None:
    desired = Desired(groups=wish().groups, rules=wish().rules, owner=owner, snapshot=snapshot)
    (one,) = marked([ip_feed(DST, networks(*MEMBERS))], desired)
    members, mark = unmarked(frozenset(map(ip_network, one.lines[1:])))
    assert (members, mark) == (networks(*MEMBERS), mark_of(desired))
    for cut in range(1, 8):
        assert unmarked(frozenset(map(ip_network, one.lines[1:-cut])))[1] is None
