"""Open connections on an emulated ASA when their destination is denied: which end, and what the receipt says of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from lab.emulators.asa import Mishaps, Switches
from lab.emulators.faults import Faults
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.asa import SITE
from tests.vendors.cisco_asa.boxes import DENY, FQDN, SOURCES, VIDEO, WISH, addresses, box, desired
from tests.vendors.cisco_asa.reaching import Reached, reached
from vendors.cisco_asa.connections import Open, open_in
from vendors.cutting import MOST_NETWORKS
from vendors.model import Desired, WeekSpan

OPEN_OUTSIDE = """\
access-list OUTSIDE_IN extended permit ip any any
access-group OUTSIDE_IN in interface outside
"""
MORE = ("192.0.2.0/25", "2001:db8:9::/48")


def wish(*more: str) -> Desired:
    """The list, with so much more in it."""
    return desired([SOURCES, addresses("dst-video", *map(str, VIDEO.members), *more), FQDN], [DENY])


def opened(at: Reached, destination: str, source: str = "10.0.1.5", **given: Any) -> None:
    flow = Flow(source=ip_address(source), destination=ip_address(destination), **given)
    with at.device.lock:
        assert at.device.forward(flow, keep_open=True) is Verdict.PERMIT


def standing(at: Reached) -> list[str]:
    return [f"{each.source} {each.destination}" for each in at.device.contexts[""].connections.values()]


@pytest.mark.parametrize("switches", [Switches(), Switches(conn_v6_brackets=True, conn_answer=False)])
def test_connections_to_what_is_newly_denied_end_and_no_others(tmp_path: Path, switches: Switches) -> None:
    with reached(box(base=SITE + OPEN_OUTSIDE, switches=switches), tmp_path, cut_sessions=10) as at:
        at.push(wish())
        opened(at, "192.0.2.9")
        opened(at, "192.0.2.9", source_port=50_001, protocol="udp")
        opened(at, "2001:db8:9::1", "2001:db8:1::5")
        for destination, source in (("192.0.2.9", "10.0.9.7"), ("192.0.2.200", "10.0.1.5")):
            opened(at, destination, source)
        opened(at, "10.0.1.5", "192.0.2.9", inside="outside", outside="inside")
        receipt = at.push(wish(*MORE))
        assert receipt.flows_cut == 3
        assert receipt.notes == ()
        assert standing(at) == ["10.0.9.7 192.0.2.9", "10.0.1.5 192.0.2.200", "192.0.2.9 10.0.1.5"]
        assert at.adapter.capabilities.session_clearing
        assert not any(note.startswith("session-clearing") for note in at.look().can.notes)
        assert at.is_done(wish(*MORE))


def test_by_itself_nothing_is_ended_nor_asked_for(tmp_path: Path) -> None:
    device = box()
    device.mishaps = Mishaps(forbidden=("show conn", "clear conn"))
    with reached(device, tmp_path) as at:
        at.push(wish())
        opened(at, "192.0.2.9")
        receipt = at.push(wish(*MORE))
        assert (receipt.flows_cut, receipt.notes) == (None, ())
        assert len(standing(at)) == 1
        assert not at.adapter.capabilities.session_clearing


def test_nothing_new_ends_nothing(tmp_path: Path) -> None:
    with reached(box(), tmp_path, cut_sessions=10) as at:
        at.push(wish(*MORE))
        opened(at, "192.0.2.200")
        assert at.push(wish()).flows_cut == 0
        assert len(standing(at)) == 1


def test_a_rule_out_of_its_hours_ends_nothing(tmp_path: Path) -> None:
    night = replace(WISH, rules=(replace(DENY, when=(WeekSpan(0, 0, 60),)),))
    with reached(box(), tmp_path, cut_sessions=10) as at:
        opened(at, "203.0.113.5")
        assert at.push(night).flows_cut == 0
        assert at.push(WISH).flows_cut == 1


def test_bounds_on_networks_and_on_connections_are_told(tmp_path: Path) -> None:
    many = tuple(f"10.77.{n}.0/25" for n in range(MOST_NETWORKS + 1))
    with reached(box(), tmp_path, cut_sessions=1) as at:
        at.push(wish())
        opened(at, "192.0.2.9")
        opened(at, "192.0.2.9", source_port=50_001)
        receipt = at.push(wish(*MORE))
        assert receipt.flows_cut == 1
        assert receipt.notes == ("1 more open sessions to newly denied networks were left to end by themselves",)
        receipt = at.push(wish(*MORE, *many))
        assert receipt.flows_cut is None
        assert f"{MOST_NETWORKS + 1} newly denied networks" in receipt.notes[0]


@pytest.mark.parametrize("command", ["show conn", "clear conn"])
def test_an_account_without_the_right_is_told_and_the_change_stays(tmp_path: Path, command: str) -> None:
    device = box()
    device.mishaps = Mishaps(forbidden=(command,))
    with reached(device, tmp_path, cut_sessions=10) as at:
        at.push(wish())
        opened(at, "192.0.2.9")
        receipt = at.push(wish(*MORE))
        assert receipt.flows_cut is None
        assert f"needs `{command}`" in receipt.notes[0]
        assert at.is_done(wish(*MORE))


def test_networks_that_cannot_be_asked_for_are_counted(tmp_path: Path) -> None:
    with reached(box(switches=Switches(conn_v6_ranges=False)), tmp_path, cut_sessions=10) as at:
        at.push(wish())
        opened(at, "192.0.2.9")
        opened(at, "2001:db8:9::1", "2001:db8:1::5")
        receipt = at.push(wish(*MORE))
        assert receipt.flows_cut == 1
        assert receipt.notes == ("open sessions to 1 newly denied networks could not be asked for",)


@dataclass(slots=True)
class Dies(Faults):
    """The session is torn when a line begins so."""

    begins: str = ""

    def next_line(self, line: str) -> tuple[int | None, int | None]:
        return (0, None) if line.startswith(self.begins) else (None, None)


@pytest.mark.parametrize("line", ["show conn", "clear conn"])
def test_a_session_that_dies_there_leaves_the_change_and_says_so(tmp_path: Path, line: str) -> None:
    with reached(box(), tmp_path, cut_sessions=10) as at:
        at.push(wish())
        opened(at, "192.0.2.9")
        at.device.faults = Dies(begins=line)
        receipt = at.push(wish(*MORE))
        at.device.faults = Faults()
        assert receipt.flows_cut is None
        assert "could not be ended" in receipt.notes[0]
        assert at.is_done(wish(*MORE))


SHOWN = """\
54 in use, 123 most used
TCP out 10.10.49.10:23 in 10.1.1.15:1026 idle 0:00:22, bytes 1774, flags UIO
UDP out 10.10.49.10:31649 in 10.1.1.15:1028 idle 0:00:14, bytes 0, flags D-
TCP dmz 10.10.10.51:50196 inside 192.168.1.22:2000, idle 0:00:04, bytes 31464, flags UIB
TCP outside 192.168.1.10(20.20.20.24):49736 inside 192.168.1.21:0, idle 0:01:32, bytes 0, flags Ti
TCP mgmt 10.10.10.108:4168 NP Identity Ifc 10.0.8.112:22, idle 0:00:00, bytes 3084, flags UOB
TCP outside resolver:53 inside 10.1.1.15:1030, idle 0:00:22, bytes 1774, flags UIO
"""


def test_a_listing_of_the_command_reference_is_read() -> None:
    ten = ip_address("10.1.1.15")
    assert list(open_in(SHOWN)) == [
        Open("tcp", ten, 1026, ip_address("10.10.49.10"), 23),
        Open("udp", ten, 1028, ip_address("10.10.49.10"), 31649),
        Open("tcp", ip_address("10.10.10.51"), 50196, ip_address("192.168.1.22"), 2000),
        Open("tcp", ip_address("192.168.1.21"), 0, ip_address("192.168.1.10"), 49736),
    ]
