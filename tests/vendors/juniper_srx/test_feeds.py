"""Lists that an emulated SRX pulls instead of being told their members."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import ValidationError

from core.clock import ManualClock
from lab.emulators.srx import Srx, pair
from tests.lab.emulators.srx import NOON, SITE, active, srx
from tests.vendors.juniper_srx.fleet import (
    DST,
    MEMBERS,
    NOTHING,
    Reached,
    adapter,
    clock_of,
    foreign,
    reached,
    typed,
    wish,
)
from vendors.errors import CapacityExceeded, Uncertain, Unreadable
from vendors.juniper_srx import JuniperSrx
from vendors.juniper_srx.feed import fed_groups, loaded_from
from vendors.model import Desired, GroupName, Observed, Plan, Receipt

HOST, URL = "https://tokgate.example:8443", "https://tokgate.example:8443/feeds/edge"
FEED: dict[str, Any] = {"delivery": "feed", "feed": {"url": URL, "load_seconds": 0}}
MORE = (*MEMBERS, "192.0.2.0/24")
ROWS = "No.      IP-start   IP-end   Feed   Address\n\n"


class Lists:
    """What the controller serves, or nothing when it is down."""

    def __init__(self) -> None:
        self.served: dict[str, str] = {}

    def publish(self, using: JuniperSrx, found: Observed, plan: Plan) -> None:
        feeds = using.feeds(found, plan.desired)
        self.served = {f"{URL}/{one.name}.txt": "\n".join([*one.lines, ""]) for one in feeds}

    def fetch(self, url: str) -> bytes:
        if url not in self.served:
            raise OSError(url)
        return self.served[url].encode()


@contextmanager
def pulling(base: str = SITE, **options: object) -> Iterator[tuple[Reached, Lists]]:
    lists = Lists()
    with reached(srx(fetch=lists.fetch, base=base), **{**FEED, **options}) as at:
        yield at, lists


def push(at: Reached, lists: Lists, desired: Desired) -> Receipt:
    """As the controller does it: the lists of a change are published before it is sent. The device asks in between."""
    lists.publish(at.using, *at.plan(desired))
    clock_of(at.device).advance(timedelta(seconds=60))
    return at.push(desired)


def test_a_list_is_pulled_and_read_back_from_what_was_loaded() -> None:
    with pulling() as (at, lists):
        owners = foreign(at.device)
        push(at, lists, wish())
        assert at.holds(wish())
        assert {group.name: group.members for group in at.look().groups}[DST] == set(map(ip_network, MEMBERS))
        assert not at.passes()
        assert at.passes("192.0.2.9")
        assert "71.18" not in active(at.device), "no object for a member"
        assert f"feed-server tokgate url {HOST}\n" in active(at.device)
        assert "feed-name tokgate-_feed-dst-tiktok path /feeds/edge/dst-tiktok.txt\n" in active(at.device)
        push(at, lists, wish(*MEMBERS[1:], "192.0.2.0/24"))
        assert at.holds(wish(*MEMBERS[1:], "192.0.2.0/24"))
        assert at.passes()
        assert not at.passes("192.0.2.9")
        push(at, lists, NOTHING)
        assert at.holds(NOTHING)
        assert "tokgate-_feed" not in active(at.device)
        assert "feed-server" not in active(at.device)
        assert foreign(at.device) == owners


def test_i03_another_content_is_one_line_and_no_member() -> None:
    with pulling() as (at, lists):
        push(at, lists, wish())
        found, plan = at.plan(wish(*MORE))
        (line,) = at.using.render(found, plan).text.splitlines()
        assert "tokgate-_mark description" in line


def test_i04_what_is_pushed_stays_until_what_is_pulled_is_loaded() -> None:
    with pulling() as (at, lists):
        at.with_options(delivery="push").push(wish())
        planned = at.plan(wish())
        assert any("feed" in line or "form" in line for line in at.look().irregular)
        with pytest.raises(Uncertain, match="has not loaded dst-tiktok yet"):
            at.push(wish())
        assert not at.passes()
        assert "address-set tokgate-dst-tiktok" in active(at.device)
        assert at.device.database.pending is None
        lists.publish(at.using, *planned)
        clock_of(at.device).advance(timedelta(seconds=60))
        at.push(wish())
        assert at.holds(wish())
        assert not at.passes()
        assert "address-set tokgate-dst-tiktok" not in active(at.device)


def test_both_commits_of_such_a_change_are_shown() -> None:
    with pulling() as (at, _):
        at.with_options(delivery="push").push(wish())
        found, plan = at.plan(wish())
        first, _, second = at.using.render(found, plan).shown.partition("# and when")
        assert "delete" not in first
        assert "delete security address-book global address-set tokgate-dst-tiktok" in second
        for shown in (first, second):
            assert shown.count("commit confirmed") == shown.count("configure exclusive") == 1


def test_a_device_goes_from_pulling_to_being_pushed_and_back() -> None:
    with pulling() as (at, lists):
        for delivery in ("feed", "push", "feed"):
            turn = at.with_options(delivery=delivery)
            push(turn, lists, wish())
            assert turn.holds(wish())
            assert not turn.passes()


def test_a_list_that_does_not_fit_is_refused_with_the_hint_that_it_could_be_pulled() -> None:
    with reached(max_entries=2) as at, pytest.raises(CapacityExceeded) as refused:
        at.push(wish("192.0.2.0/25", "192.0.2.128/26", "198.51.100.0/24"))
    assert "with `feed` in its options the firewall would pull lists of up to 99,999" in (refused.value.hint or "")


def test_auto_pulls_only_what_does_not_fit() -> None:
    many = tuple(f"10.9.{low}.0/32" for low in range(9))
    with pulling(delivery="auto", max_entries=6) as (at, lists):
        push(at, lists, wish())
        assert lists.served == {}
        push(at, lists, wish(*many))
        assert list(lists.served) == [f"{URL}/dst-tiktok.txt"]
        assert at.holds(wish(*many))
        assert not at.passes("10.9.3.0")


def test_a_server_that_is_down_takes_nothing_away() -> None:
    with pulling() as (at, lists):
        push(at, lists, wish())
        lists.served = {}
        clock_of(at.device).advance(timedelta(days=200))
        assert not at.passes()
        assert at.holds(wish())


HANDS = {
    "another server": f"set security dynamic-address feed-server tokgate url {HOST}1",
    "held for a minute": "set security dynamic-address feed-server tokgate hold-interval 60",
    "another list": "set security dynamic-address feed-server tokgate feed-name tokgate-_feed-dst-tiktok path /x.txt",
    "a profile": "set security dynamic-address feed-server tokgate tls-profile theirs",
    "switched off": "deactivate security dynamic-address feed-server tokgate feed-name tokgate-_feed-dst-tiktok",
    "a list of our name": "set security dynamic-address address-name tokgate-_feed-x profile feed-name x",
}


@pytest.mark.parametrize("hand", HANDS)
def test_i03_every_hand_on_it_is_seen_and_undone(hand: str) -> None:
    with pulling() as (at, lists):
        push(at, lists, wish())
        typed(at.device, HANDS[hand])
        assert not at.holds(wish())
        push(at, lists, wish())
        assert at.holds(wish())
        assert not at.passes()


def test_i01_a_feed_of_the_owners_is_left_alone() -> None:
    theirs = (
        "set security dynamic-address feed-server other url http://192.0.2.8\n"
        "set security dynamic-address feed-server other feed-name bad path /bad.txt\n"
        "set security dynamic-address address-name bad profile feed-name bad\n"
    )
    with pulling(base=SITE + theirs) as (at, lists):
        owners = foreign(at.device)
        push(at, lists, wish())
        push(at, lists, NOTHING)
        assert foreign(at.device) == owners


def test_in_a_cluster_a_list_is_loaded_when_both_nodes_have_it() -> None:
    lists, clock = Lists(), ManualClock(NOON)
    nodes = [srx(name=name, clock=clock, fetch=lists.fetch) for name in ("edge", "edge-b")]
    pair(*nodes)
    with reached(nodes[0], **FEED) as at:
        lists.publish(at.using, *at.plan(wish()))
        nodes[1].fetch = _down
        with pytest.raises(Uncertain):
            at.push(wish())
        nodes[1].fetch = lists.fetch
        clock.advance(timedelta(seconds=60))
        nodes[1].tick()
        at.push(wish())
        assert at.holds(wish())


def _down(url: str) -> bytes:
    raise OSError(url)


def test_a_logical_system_pulls_its_own() -> None:
    inner = "".join(
        f"set logical-systems branch security {line}\n"
        for line in (
            "zones security-zone lan interfaces ge-0/0/3.0",
            "zones security-zone wan interfaces ge-0/0/4.0",
            "policies from-zone lan to-zone wan policy out match source-address any",
            "policies from-zone lan to-zone wan policy out match destination-address any",
            "policies from-zone lan to-zone wan policy out match application any",
            "policies from-zone lan to-zone wan policy out then permit",
        )
    )
    with pulling(base=SITE + inner, logical_system="branch") as (at, lists):
        push(at, lists, wish())
        assert at.holds(wish())
        assert not at.passes(inside="lan", outside="wan")
        assert at.passes()


# --- text and options -------------------------------------------------------------------------------------------------


def test_ranges_are_networks_and_the_entry_that_means_nothing_is_none() -> None:
    rows = "1 192.0.2.255 192.0.2.255 f a\n2 10.0.0.0 10.0.1.255 f a\n3 2001:db8:: 2001:db8::ff f a DE\n"
    text = f"{ROWS}{rows}\nTotal number of matching entries: 3\n"
    assert loaded_from(text) == {ip_network("10.0.0.0/23"), ip_network("2001:db8::/120")}


@pytest.mark.parametrize(
    "text",
    [
        "",
        ROWS,
        f"{ROWS}1 10.0.0.0 10.0.0.255 f a\n",
        f"{ROWS}1 10.0.0.0 10.0.0.255 f a\nTotal number of matching entries: 2\n",
        f"{ROWS}1 10.0.0.9 10.0.0.1 f a\nTotal number of matching entries: 1\n",
        f"{ROWS}1 10.0.0.0 2001:db8:: f a\nTotal number of matching entries: 1\n",
        f"{ROWS}ten point zero\nTotal number of matching entries: 0\n",
        "error: permission denied: security\n",
    ],
)
def test_i06_a_list_that_is_not_all_shown_is_no_list(text: str) -> None:
    with pytest.raises(Unreadable):
        loaded_from(text)


def test_lists_are_for_destinations_alone() -> None:
    with reached() as at:
        found = at.look()
    (one,) = adapter(**FEED).feeds(found, wish())
    assert (one.name, one.kind, one.lines[0]) == (DST, "ip", "192.0.2.255/32")
    assert adapter().feeds(found, wish()) == ()
    assert adapter(feed=FEED["feed"]).feeds(found, wish()) == (), "auto, and it fits"


def test_auto_pulls_from_one_entry_too_many_on() -> None:
    desired = wish()
    total = sum(len(group.members) for group in desired.groups)
    for most, fed in ((total, set()), (total - 1, {DST})):
        options = adapter(feed=FEED["feed"], max_entries=most).options
        assert fed_groups(desired.groups, desired.rules, options) == fed


def test_what_sources_are_told_by_is_never_pulled() -> None:
    desired = wish()
    (rule,) = desired.rules
    both = replace(rule, destinations=(DST, GroupName("src-company")))
    assert fed_groups(desired.groups, (both,), adapter(**FEED).options) == {DST}


def test_pulling_needs_a_place_to_pull_from() -> None:
    with pytest.raises(ValidationError, match="needs `feed`"):
        adapter(delivery="feed")
    for url in ("ftp://x", "https://x/ y", 'https://x/"', "https://u:p@x/y"):
        with pytest.raises(ValidationError):
            adapter(feed={"url": url})


def test_a_device_says_that_it_may_pull() -> None:
    can = adapter(**FEED).capabilities
    assert can.feed
    assert can.max_entries == 99_999
    assert isinstance(srx(), Srx)
