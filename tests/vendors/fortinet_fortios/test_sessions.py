"""Open sessions on an emulated FortiGate when their destination is denied: which end, and what the receipt says."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import pytest

from core.clock import SystemClock
from lab.emulators.faults import Faults
from lab.emulators.fortios import FortiGate
from lab.emulators.fortios.switches import Switches
from lab.emulators.server import served
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.fortios import SITE, Keyboard, fortigate
from tests.vendors.fortinet_fortios.fleet import endpoint, look, push, reached
from tests.vendors.fortinet_fortios.test_device import assert_holds, multi
from tests.vendors.fortinet_fortios.wishes import MEMBERS, adapter, wish
from vendors.adapter import Session
from vendors.cutting import MOST_NETWORKS
from vendors.fortinet_fortios.sessions import Open, is_set, open_in
from vendors.session import connect

OPEN_TO_ALL = """\
config firewall policy
    edit 50
        set srcintf "any"
        set dstintf "any"
        set action accept
        set srcaddr "all"
        set dstaddr "all"
        set srcaddr6 "all"
        set dstaddr6 "all"
        set schedule "always"
        set service "ALL"
    next
end
"""
CUTS = adapter(cut_sessions=10)
MORE = (*MEMBERS, "192.0.2.0/25", "198.51.100.99/32")


def office(**options: object) -> FortiGate:
    return fortigate(base=SITE + OPEN_TO_ALL, **options)


def opened(device: FortiGate, target: str, source: str = "10.1.2.3", *, vdom: str = "root", **given: Any) -> None:
    made = {"source_port": 1, "inside": "port1", **given}
    flow = Flow(source=ip_address(source), destination=ip_address(target), **made)
    with device.lock:
        assert device.forward(flow, vdom=vdom) is Verdict.PERMIT


@contextmanager
def recorded(device: FortiGate, said: io.StringIO) -> Iterator[Session]:
    """One login, with all that is said on it."""
    with (
        served([device]) as places,
        connect(endpoint(places["FGT"]), clock=SystemClock(), transcript=said) as session,
    ):
        yield session


def standing(device: FortiGate) -> list[str]:
    return [f"{at.flow.source} {at.flow.destination} {at.flow.source_port}" for at in device.sessions.all()]


@pytest.mark.parametrize("switches", [Switches(), Switches(session_filter_shared=True)])
def test_sessions_to_what_is_newly_denied_end_and_no_others(switches: Switches) -> None:
    device, said = office(switches=switches), io.StringIO()
    with recorded(device, said) as session:
        push(session, CUTS, wish())
        opened(device, "192.0.2.9")
        opened(device, "192.0.2.9", protocol="udp")
        opened(device, "198.51.100.99")
        for target, source in (("192.0.2.9", "10.0.2.7"), ("192.0.2.200", "10.1.2.3")):
            opened(device, target, source)
        receipt = push(session, CUTS, wish(members=MORE))
        assert (receipt.flows_cut, receipt.notes) == (3, ())
        assert standing(device) == ["10.0.2.7 192.0.2.9 1", "10.1.2.3 192.0.2.200 1"]
        assert CUTS.capabilities.session_clearing
        assert_holds(session, CUTS, wish(members=MORE))
    lines = [line.strip() for line in said.getvalue().splitlines()]
    clears = [at for at, line in enumerate(lines) if line.endswith("diagnose sys session clear")]
    assert len(clears) == 3
    assert Keyboard(device).type("diagnose sys session filter").count(": any") == 16, "no filter of ours stays"


def test_by_itself_nothing_is_ended_nor_asked_for() -> None:
    device, said = office(), io.StringIO()
    with recorded(device, said) as session:
        push(session, adapter(), wish())
        opened(device, "192.0.2.9")
        assert push(session, adapter(), wish(members=MORE)).flows_cut is None
    assert len(standing(device)) == 1
    assert "sys session" not in said.getvalue()


def test_a_filter_that_is_not_kept_clears_nothing() -> None:
    """What would end every session of the box is never sent."""
    device = office()
    with reached(device) as session:
        push(session, CUTS, wish())
        opened(device, "192.0.2.9")
        opened(device, "203.0.113.80", "10.9.9.9")
        device.filter_ignored = True
        receipt = push(session, CUTS, wish(members=MORE))
        assert receipt.flows_cut is None
        assert "does not show the filter that was set, so nothing was cleared" in receipt.notes[0]
        assert len(standing(device)) == 2
        assert_holds(session, CUTS, wish(members=MORE))


@pytest.mark.parametrize("ranges", [True, False])
def test_another_vdom_is_left_alone(ranges: bool) -> None:
    device = multi("branch")
    device.switches = Switches(session_vdom_range=ranges)
    for vdom in ("root", "branch"):
        keyboard = Keyboard(device)
        for line in ("config vdom", f"edit {vdom}", *OPEN_TO_ALL.splitlines()):
            keyboard.type(line)
    using = adapter(vdom="branch", cut_sessions=10)
    with reached(device) as session:
        push(session, using, wish())
        for vdom in ("root", "branch"):
            opened(device, "192.0.2.9", vdom=vdom)
        assert push(session, using, wish(members=MORE)).flows_cut == 1
    assert [at.vdom for at in device.sessions.all()] == ["root"]


def test_bounds_and_what_was_left_are_told() -> None:
    device, one = office(), adapter(cut_sessions=1)
    with reached(device) as session:
        push(session, one, wish())
        opened(device, "192.0.2.9")
        opened(device, "192.0.2.9", source_port=2)
        receipt = push(session, one, wish(members=(*MORE, "2001:db8:9::/48")))
        assert receipt.flows_cut == 1
        assert receipt.notes[0].split("; ") == [
            "1 more open sessions to newly denied networks were left to end by themselves",
            "open sessions to 1 newly denied IPv6 networks were left to end by themselves",
        ]
        many = tuple(f"10.77.{n}.0/25" for n in range(MOST_NETWORKS + 1))
        receipt = push(session, one, wish(members=(*MORE, *many)))
        assert receipt.flows_cut is None
        assert f"{MOST_NETWORKS + 1} newly denied networks" in receipt.notes[0]
        assert push(session, one, wish()).flows_cut == 0


@dataclass(slots=True)
class Dies(Faults):
    """The session is torn when a line begins so."""

    begins: str = ""

    def next_line(self, line: str) -> tuple[int | None, int | None]:
        return (0, None) if line.startswith(self.begins) else (None, None)


@pytest.mark.parametrize("word", ["list", "filter", "clear"])
def test_a_session_that_dies_there_leaves_the_change_and_says_so(word: str) -> None:
    device = office()
    with served([device]) as places:
        with connect(endpoint(places["FGT"]), clock=SystemClock()) as session:
            push(session, CUTS, wish())
            opened(device, "192.0.2.9")
            opened(device, "203.0.113.80", "10.9.9.9")
            found, plan = look(session, CUTS, wish(members=MORE))
            device.faults = Dies(begins=f"diagnose sys session {word}")
            receipt = CUTS.apply(session, found, plan)
            device.faults = Faults()
        assert receipt.flows_cut is None
        assert "could not be ended" in receipt.notes[0]
        assert len(standing(device)) == 2
        with connect(endpoint(places["FGT"]), clock=SystemClock()) as session:
            assert_holds(session, CUTS, wish(members=MORE))


LISTED = """\

session info: proto=6 proto_state=01 duration=828221 expire=3508 timeout=3600 flags=00000000 sockflag=00000000
origin-shaper=
state=may_dirty npu
hook=pre dir=org act=noop 10.228.3.211:59375->10.1.1.251:445(0.0.0.0:0)
hook=post dir=reply act=noop 10.1.1.251:445->10.228.3.211:59375(0.0.0.0:0)
misc=0 policy_id=1 auth_info=0 chk_client_info=0 vd=1 serial=000006d3 tos=ff/ff

session info: proto=6 proto_state=05 expire=89 timeout=3600 flags=00000000 av_idx=0 use=3
hook=post dir=org act=snat 10.0.5.100:1251->192.168.11.254:22(192.168.11.105:1251)
hook=pre dir=reply act=dnat 192.168.11.254:22->192.168.11.105:1251(10.0.5.100:1251)
total session 2
"""


def test_published_listings_are_read_from_who_opened_the_session() -> None:
    first, second = open_in(LISTED)
    assert first == Open(6, ip_address("10.228.3.211"), 59375, ip_address("10.1.1.251"), 445, 1)  # type: ignore[arg-type]
    assert (str(second.source), str(second.destination), second.vdom) == ("10.0.5.100", "192.168.11.254", None)


SHOWN = "session filter:\n\tvd: any\n\tproto: 6-6\n\tsource ip: 10.0.0.1-10.0.0.1\n\tdest ip: any\n\tdest port: 80-80\n"
WANTED = {"proto": "6", "src": "10.0.0.1", "dport": "80"}


def test_a_filter_is_taken_for_set_only_when_it_says_exactly_that() -> None:
    assert is_set(SHOWN, WANTED)
    for bad in (
        SHOWN.replace("80-80", "any"),
        SHOWN.replace("80-80", "80-88"),
        SHOWN.replace("vd: any", "vd: 0-0"),
        SHOWN.replace("10.0.0.1-10.0.0.1", "any"),
        SHOWN.replace("session filter:\n", ""),
        SHOWN + "negate: dst and more\n",
        SHOWN + "\tnegate: dst\n",
        SHOWN[:60],
        "",
    ):
        assert not is_set(bad, WANTED), bad
    assert not is_set(SHOWN, {}), "without a filter every session ends"
