"""Open sessions on an emulated SRX when their destination is denied: which end, and what the receipt says of it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from lab.emulators.srx import User
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.srx import SITE, srx
from tests.vendors.juniper_srx.fleet import MEMBERS, Reached, clustered, reached, wish
from vendors.cutting import MOST_NETWORKS
from vendors.juniper_srx.sessions import cleared_in, open_in
from vendors.model import AddressGroup, GroupName, WeekSpan

NEW = "192.0.2.0/24"


def opened(at: Reached, destination: str, source: str = "10.0.1.5", port: int = 50_000) -> None:
    flow = Flow(source=ip_address(source), destination=ip_address(destination), source_port=port)
    with at.device.lock:
        assert at.device.forward(flow, keep_open=True) is Verdict.PERMIT


def standing(at: Reached) -> list[str]:
    return [f"{each.flow.source} {each.flow.destination}" for each in at.device.engine.sessions]


def test_sessions_to_what_is_newly_denied_end_and_no_others() -> None:
    with reached() as at:
        at.push(wish())
        opened(at, "192.0.2.9")
        opened(at, "192.0.2.9", port=50_001)
        opened(at, "192.0.2.9", "10.0.2.7")
        opened(at, "198.51.100.80")
        receipt = at.push(wish(*MEMBERS, NEW))
        assert receipt.flows_cut == 2
        assert receipt.notes == ()
        assert standing(at) == ["10.0.2.7 192.0.2.9", "10.0.1.5 198.51.100.80"], "a role without a rule is not judged"
        assert at.using.capabilities.session_clearing


def test_a_role_that_is_denied_from_now_on_loses_its_own() -> None:
    with reached() as at:
        at.push(wish())
        opened(at, "71.18.1.1", "10.0.2.7")
        assert at.push(wish(deny=("company", "marketing"))).flows_cut == 1
        assert standing(at) == []


def test_more_sources_of_a_rule_lose_theirs_too() -> None:
    wider = wish()
    company = AddressGroup(name=GroupName("src-company"), members=frozenset({ip_network("10.0.0.0/16")}))
    groups = tuple(company if group.name == company.name else group for group in wider.groups)
    with reached() as at:
        at.push(wish())
        opened(at, "71.18.1.1", "10.0.2.7")
        assert at.push(replace(wider, groups=groups)).flows_cut == 1


def test_nothing_new_ends_nothing() -> None:
    with reached() as at:
        at.push(wish(*MEMBERS, NEW))
        opened(at, "198.51.100.80")
        assert at.push(wish()).flows_cut == 0
        assert len(standing(at)) == 1


def test_a_rule_out_of_its_hours_ends_nothing() -> None:
    night = (WeekSpan(0, 0, 60),)
    with reached() as at:
        opened(at, "71.18.1.1")
        assert at.push(wish(when=night)).flows_cut == 0
        assert at.push(wish()).flows_cut == 1


def test_a_bound_on_networks_and_on_sessions_is_told() -> None:
    many = tuple(f"10.77.{n}.0/24" for n in range(MOST_NETWORKS + 1))
    with reached(cut_sessions=1) as at:
        at.push(wish())
        opened(at, "192.0.2.9")
        opened(at, "192.0.2.9", port=50_001)
        receipt = at.push(wish(*MEMBERS, NEW))
        assert receipt.flows_cut == 1
        assert receipt.notes == ("1 more open sessions to newly denied networks were left to end by themselves",)
        receipt = at.push(wish(*MEMBERS, NEW, *many))
        assert receipt.flows_cut is None
        assert f"{MOST_NETWORKS + 1} newly denied networks" in receipt.notes[0]


def test_a_login_without_the_right_is_told_and_the_change_stays() -> None:
    device = srx(users={"admin": User(password="pw", clear=False)})
    with reached(device) as at:
        at.push(wish())
        opened(at, "192.0.2.9")
        receipt = at.push(wish(*MEMBERS, NEW))
        assert receipt.flows_cut is None
        assert "needs `clear`" in receipt.notes[0]
        assert at.holds(wish(*MEMBERS, NEW))


@pytest.mark.parametrize(
    ("base", "options"), [(SITE + "set security policies policy-rematch\n", {}), (SITE, {"cut_sessions": 0})]
)
def test_where_we_end_none_nothing_is_asked_and_nothing_told(base: str, options: dict[str, object]) -> None:
    with reached(srx(base=base), **options) as at:
        at.push(wish())
        opened(at, "192.0.2.9")
        receipt = at.push(wish(*MEMBERS, NEW))
        assert receipt.flows_cut is None
        assert (standing(at) == []) is not options, "rematched by the device itself"


def test_in_a_cluster_the_active_ones_end_on_their_node() -> None:
    with clustered() as (first, second):
        first.push(wish())
        opened(first, "192.0.2.9")
        first.device.fail_over()
        assert second.push(wish(*MEMBERS, NEW)).flows_cut == 1
        assert standing(second) == []


LISTED = """\
node0:
--------------------------------------------------------------------------
Session ID: 7, Policy name: web/4, HA State: Backup, Timeout: 14398, Session State: Valid
  In: 10.0.1.5/37233 --> 192.0.2.9/443;tcp, Conn Tag: 0x0, If: ge-0/0/0.0, Pkts: 1, Bytes: 60,
  Out: 192.0.2.9/443 --> 10.0.1.5/37233;tcp, Conn Tag: 0x0, If: ge-0/0/1.0, Pkts: 0, Bytes: 0,

Total sessions: 1
node1:
--------------------------------------------------------------------------
Session ID: 9, Policy name: web/4, HA State: Active, Timeout: 1798, Session State: Valid
  In: 2001:db8::5/37233 --> 2001:db8:9::1/443;tcp, Conn Tag: 0x0, If: ge-0/0/0.0, Pkts: 1, Bytes: 60,
  Out: 2001:db8:9::1/443 --> 2001:db8::5/37233;tcp, Conn Tag: 0x0, If: ge-0/0/1.0, Pkts: 0, Bytes: 0,

Total sessions: 1
"""


def test_a_copy_on_the_other_node_is_no_session() -> None:
    (one,) = open_in(LISTED)
    assert (one.number, str(one.source), one.clear) == (
        9,
        "2001:db8::5",
        "clear security flow session session-identifier 9 node 1",
    )


def test_what_was_ended_is_what_every_node_says() -> None:
    assert cleared_in("node0:\n1 active sessions cleared\nnode1:\n2 active sessions cleared\n") == 3
    assert cleared_in("") is None
    assert cleared_in("error: permission denied: clear\n0 active sessions cleared\n") is None
