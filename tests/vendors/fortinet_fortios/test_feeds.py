"""Lists that an emulated FortiGate pulls instead of being told their members."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

import pytest
from pydantic import ValidationError

from core.clock import ManualClock
from core.net import DomainName
from lab.emulators.fortios import FortiGate
from lab.emulators.fortios.switches import Model
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.fortios import NOON, configuring, fortigate, shown
from tests.vendors.fortinet_fortios.box import Box
from tests.vendors.fortinet_fortios.fleet import look, reached
from tests.vendors.fortinet_fortios.wishes import DST, MEMBERS, adapter, networks, wish
from vendors.adapter import Session
from vendors.diff import diff
from vendors.errors import Refused, Uncertain, Unreadable
from vendors.fortinet_fortios.adapter import FortinetFortios
from vendors.fortinet_fortios.feed import loaded_from
from vendors.fortinet_fortios.names import feed_from, feed_object
from vendors.model import WHOLE, Desired, GroupName, Observed, Receipt

URL = "https://tokgate.example/feeds/fw"
FEED = {"delivery": "feed", "feed": {"url": URL, "load_seconds": 0}}
RESOURCE = (
    'edit "tokgate-dst-tiktok.feed"',
    "set type address",
    f'set resource "{URL}/dst-tiktok.txt"',
    'set username "fw"',
    'set password "secret"',
    "next",
    "end",
)


class Lists:
    """What the controller serves, or nothing when it is down."""

    def __init__(self) -> None:
        self.served: dict[str, str] = {}

    def publish(self, using: FortinetFortios, found: Observed, desired: Desired) -> None:
        lists = using.feeds(found, desired)
        self.served = {f"{URL}/{one.name}.txt": "\n".join([*one.lines, ""]) for one in lists}

    def fetch(self, url: str) -> bytes:
        if url not in self.served:
            raise OSError
        return self.served[url].encode()


def pulling(**options: object) -> tuple[FortiGate, Lists, ManualClock]:
    lists, clock = Lists(), ManualClock(NOON)
    device = fortigate(fetch=lists.fetch, clock=clock, **options)
    configuring(device, "system external-resource", *RESOURCE)
    return device, lists, clock


def push(session: Session, using: FortinetFortios, lists: Lists, desired: Desired) -> Receipt:
    """As the controller does it: the lists of a change are published before it is sent."""
    found, plan = look(session, using, desired)
    lists.publish(using, found, plan.desired)
    return using.apply(session, found, plan)


def is_denied(device: FortiGate, target: str, port: int) -> bool:
    flow = Flow(source=ip_address("10.0.1.5"), destination=ip_address(target), source_port=port)
    return device.forward(flow) is Verdict.DENY


def wanted(*members: str) -> Desired:
    return wish(sources=("10.0.1.0/24",), members=members or MEMBERS)


@pytest.mark.parametrize("version", [(6, 2, 4), (6, 4, 4), (7, 4, 8)])
def test_a_list_is_pulled_and_read_back_from_what_was_loaded(version: tuple[int, int, int]) -> None:
    device, lists, _ = pulling(model=Model(version=version))
    using = adapter(**FEED)
    with reached(device) as session:
        push(session, using, lists, wanted())
        found, again = look(session, using, wanted())
        assert (found.irregular, again.is_empty) == ((), True)
        assert {group.name: group.members for group in found.groups}[DST] == networks(*MEMBERS)
        assert is_denied(device, "71.18.1.1", 1)
        assert not is_denied(device, "192.0.2.9", 2)
        push(session, using, lists, wanted(*MEMBERS[1:], "192.0.2.0/25"))
        assert look(session, using, wanted(*MEMBERS[1:], "192.0.2.0/25"))[1].is_empty
        assert not is_denied(device, "71.18.1.1", 3)
        assert is_denied(device, "192.0.2.9", 4)
    assert "tokgate-4-71.18.0.0-16" not in shown(device), "no object for a member"
    assert "set password ENC" in shown(device), "what the site set is left alone"


def test_a_list_that_does_not_come_takes_nothing_away() -> None:
    device, lists, clock = pulling()
    pushing, using = adapter(), adapter(**FEED)
    with reached(device) as session:
        push(session, pushing, lists, wanted())
        found, plan = look(session, using, wanted())
        assert any("should be pulled" in line for line in found.irregular)
        with pytest.raises(Uncertain, match="has not loaded dst-tiktok yet"):
            using.apply(session, found, plan)
        assert is_denied(device, "71.18.1.1", 1)
        lists.publish(using, found, plan.desired)
        clock.advance(timedelta(minutes=6))
        push(session, using, lists, wanted())
        assert look(session, using, wanted())[1].is_empty
        assert is_denied(device, "71.18.1.1", 2)


def test_a_device_goes_from_pulling_to_being_pushed_and_back() -> None:
    device, lists, _ = pulling()
    with reached(device) as session:
        for using in (adapter(**FEED), adapter(), adapter(**FEED)):
            push(session, using, lists, wanted())
            found, again = look(session, using, wanted())
            assert (found.irregular, again.is_empty) == ((), True)
            assert is_denied(device, "71.18.1.1", 1)


MANY = tuple(f"10.9.{low}.0/32" for low in range(1, 18, 2))
NESTED = tuple(f"10.9.{low}.0/32" for low in range(1, 121, 2))
PLACE = FEED["feed"]


@pytest.mark.parametrize("limits", [{"max_addresses": 11}, {"group_members": 10}], ids=["in all", "in one list"])
def test_what_does_not_fit_is_pulled_and_said_and_what_fits_again_is_pushed(limits: dict[str, object]) -> None:
    """One source, nine members, the mark and the stand-in are twelve; a list of ten places, nested, holds 30."""
    device, lists, _ = pulling()
    using = adapter(feed=PLACE, **limits)
    few, many = wanted(*MANY[:8]), wanted(*(MANY if "max_addresses" in limits else NESTED))
    with reached(device) as session:
        for turn, (desired, pulled) in enumerate([(few, False), (many, True), (few, False)]):
            receipt = push(session, using, lists, desired)
            assert list(lists.served) == ([f"{URL}/dst-tiktok.txt"] if pulled else [])
            assert any(note.startswith("dst-tiktok is pulled: ") for note in receipt.notes) == pulled
            found, again = look(session, using, desired)
            assert (found.irregular, again.is_empty) == ((), True)
            said = [one.message for one in using.doctor(session) if one.check == "delivery"]
            assert any("dst-tiktok is pulled: " in line and "as objects this" in line for line in said) == pulled
            assert is_denied(device, MANY[1].partition("/")[0], turn)
            assert (f"tokgate-4-{MANY[1].replace('/', '-')}" in shown(device)) != pulled


def test_a_list_that_would_fit_now_is_drift_until_it_is_pushed() -> None:
    device, lists, _ = pulling()
    with reached(device) as session:
        push(session, adapter(feed=PLACE, max_addresses=11), lists, wanted(*MANY))
        found, plan = look(session, adapter(feed=PLACE), wanted(*MANY))
        assert found.irregular == ("dst-tiktok is pulled, and should be pushed",)
        adapter(feed=PLACE).apply(session, found, plan)
        assert look(session, adapter(feed=PLACE), wanted(*MANY))[1].is_empty
        assert is_denied(device, MANY[1].partition("/")[0], 1)
    assert f"tokgate-4-{MANY[1].replace('/', '-')}" in shown(device)


def test_the_models_own_limit_decides_as_well() -> None:
    using = adapter(feed=PLACE)
    for places, lists in ((60, 0), (15, 1)):  # the owner has a few
        box = Box(sizes=f"firewall.address: {places} 0 0\n")
        box.tables["system external-resource"] = {}
        assert len(using.feeds(using.parse(box.reading()), wanted(*MANY))) == lists


def test_names_take_places_as_well() -> None:
    device, _, _ = pulling()
    using = adapter(feed=PLACE, max_addresses=11)
    named = wish(sources=("10.0.1.0/24",), members=MANY[:4], domains=[DomainName(f"a{n}.example") for n in range(3)])
    with reached(device) as session:
        found = using.read(session)
    assert len(using.feeds(found, named)) == 1, "a source, four members, two for each name, and two of ours"
    assert using.feeds(found, wish(sources=("10.0.1.0/24",), members=MANY[:4])) == ()


def test_a_firewall_that_could_pull_says_so() -> None:
    with reached(fortigate()) as session:
        found = adapter().read(session)
        assert any(one.check == "delivery" and "with `feed`" in one.message for one in adapter().doctor(session))
    assert [note for note in found.can.notes if note.startswith(WHOLE)] == [
        "whole: with `feed` in its options the firewall would pull lists of up to 299,999 networks"
    ]
    with reached(fortigate(model=Model(version=(6, 0, 7)))) as session:
        assert not [note for note in adapter().read(session).can.notes if note.startswith(WHOLE)]


HANDS = {
    "no resource": ('delete "tokgate-dst-tiktok.feed"', "end"),
    "another address": ('edit "tokgate-dst-tiktok.feed"', 'set resource "https://x.example/y.txt"', "next", "end"),
    "another type": ('edit "tokgate-dst-tiktok.feed"', "set type domain", "next", "end"),
    "switched off": ('edit "tokgate-dst-tiktok.feed"', "set status disable", "next", "end"),
}


@pytest.mark.parametrize("hand", HANDS)
def test_a_resource_that_cannot_hold_the_list_is_refused_before_anything_is_sent(hand: str) -> None:
    device, lists, _ = pulling()
    configuring(device, "system external-resource", *HANDS[hand])
    before = shown(device)
    with reached(device) as session, pytest.raises(Refused, match=r"feed: .*nothing was sent"):
        push(session, adapter(**FEED), lists, wanted())
    assert shown(device).partition("set password")[0] == before.partition("set password")[0]


def test_an_old_release_is_pushed_and_says_why() -> None:
    device = fortigate(model=Model(version=(6, 0, 7)))
    with reached(device) as session:
        push(session, adapter(**FEED), Lists(), wanted())
        found, again = look(session, adapter(**FEED), wanted())
        assert again.is_empty
        assert adapter(**FEED).feeds(found, wanted()) == ()
        assert any(note.startswith("feed: policies of FortiOS 6.0.7") for note in found.can.notes)


def test_lists_are_for_destinations_alone() -> None:
    with reached(fortigate()) as session:
        found = adapter().read(session)
    (one,) = adapter(**FEED).feeds(found, wanted())
    assert (one.name, one.kind) == (DST, "ip")
    assert one.lines[0] == "192.0.2.255/32"
    assert adapter().feeds(found, wanted()) == ()


@pytest.mark.parametrize("name", ["dst-tiktok", "dst-a-name-that-is-much-too-long-for-it"])
def test_the_resource_of_a_list_is_found_again(name: str) -> None:
    resource = feed_object(GroupName(name))
    assert len(resource) <= 35
    assert feed_from(resource, f"tokgate 0a feed {name} 0123456789ab") == name
    assert feed_from("theirs", "") is None


@pytest.mark.parametrize("cut", range(1, 60))
def test_ranges_that_are_not_all_shown_are_no_list(cut: int) -> None:
    whole = "IPv4 ranges of uuid-idx 863 (num=2)\n1.2.3.0-1.2.3.255\n192.0.2.255-192.0.2.255\n"
    assert loaded_from(whole) == networks("1.2.3.0/24")
    with pytest.raises(Unreadable):
        loaded_from(whole[: len(whole) - 1 - cut])


def test_more_ranges_than_are_told_of_are_no_list() -> None:
    with pytest.raises(Unreadable, match="not all shown"):
        loaded_from("IPv4 ranges of uuid-idx 863 (num=1)\n1.2.3.0-1.2.3.255\n192.0.2.255-192.0.2.255\n")


def test_a_list_that_traffic_comes_from_as_well_is_pushed() -> None:
    with reached(fortigate()) as session:
        found = adapter().read(session)
    both = wanted()
    (rule,) = both.rules
    assert rule.sources is not None
    both = replace(both, rules=(replace(rule, destinations=(DST, rule.sources)),))
    assert [one.name for one in adapter(**FEED).feeds(found, both)] == [DST]


def test_pulling_needs_a_place_to_pull_from() -> None:
    with pytest.raises(ValidationError, match="needs `feed`"):
        adapter(delivery="auto")
    with pytest.raises(ValidationError):
        adapter(delivery="feed", feed={"url": 'https://x.example/" ; end'})


def test_more_than_a_list_may_hold_is_told_by_the_plan() -> None:
    device, _, _ = pulling(model=Model(version=(7, 2, 4)))
    with reached(device) as session:
        found = adapter(**FEED).read(session)
    assert found.can.max_entries == 131_071
    assert diff(found, wanted(), found.can).desired.groups
