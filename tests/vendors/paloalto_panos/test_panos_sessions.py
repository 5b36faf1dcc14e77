"""Open sessions on an emulated PAN-OS when their destination is denied: which end, and what the receipt says of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address

import pytest

from core.clock import SystemClock
from lab.emulators.faults import Faults
from lab.emulators.panos import PA_5250, Switches
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.panos import SITE, panos
from tests.vendors.paloalto_panos.boxes import PASSWORD, USERS, Box, serving
from tests.vendors.paloalto_panos.readings import firewall
from tests.vendors.paloalto_panos.test_panos_ssh import VSYS
from tests.vendors.paloalto_panos.test_panos_text import OFFICE as OFFICE_ELSEWHERE
from tests.vendors.paloalto_panos.test_panos_text import _with
from vendors.cutting import MOST_NETWORKS
from vendors.diff import diff
from vendors.model import WeekSpan
from vendors.paloalto_panos.sessions import Open, open_in

OFFICE = _with(OFFICE_ELSEWHERE, "src-company", "10.0.1.0/24", "2001:db8:1::/64")
MORE = _with(OFFICE, "dst-tiktok", "203.0.113.0/25", "198.51.100.99", "2001:db8:9::/48")
ALONE = SITE.replace("config rematch yes", "config rematch no")
"""With `rematch` on nothing is left to be ended."""
CUTS = firewall(cut_sessions=10)


@contextmanager
def office(**options: object) -> Iterator[Box]:
    device = panos(**{"users": USERS, "clock": SystemClock(), "base": ALONE, **options})
    with serving(device) as box:
        yield box


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, "tokgate")


def opened(box: Box, destination: str, source: str = "10.0.1.5", *, vsys: str = "vsys1", source_port: int = 1) -> None:
    flow = Flow(source=ip_address(source), destination=ip_address(destination), source_port=source_port)
    with box.device.lock:
        assert box.device.forward(flow, vsys=vsys, keep_open=True) is Verdict.PERMIT


def standing(box: Box) -> list[str]:
    return [f"{one.flow.source} {one.flow.destination}" for one in box.device.plane.sessions.values()]


@pytest.mark.parametrize("switches", [Switches(), Switches(clear_answer=False)])
def test_sessions_to_what_is_newly_denied_end_and_no_others(switches: Switches) -> None:
    with office(switches=switches) as box:
        box.sync(OFFICE, CUTS)
        for destination, source in (
            ("203.0.113.9", "10.0.1.5"),
            ("198.51.100.99", "10.0.1.5"),
            ("203.0.113.9", "10.0.2.7"),
            ("203.0.113.200", "10.0.1.5"),
        ):
            opened(box, destination, source)
        said = io.StringIO()
        with box.session(transcript=said) as session:
            observed = CUTS.read(session)
            receipt = CUTS.apply(session, observed, diff(observed, MORE, observed.can))
        assert (receipt.flows_cut, receipt.notes) == (2, ())
        assert standing(box) == ["10.0.2.7 203.0.113.9", "10.0.1.5 203.0.113.200"]
        assert "clear session all" not in said.getvalue()
        assert CUTS.capabilities.session_clearing
        assert box.holds(MORE, CUTS)


def test_by_itself_nothing_is_ended_nor_asked_for() -> None:
    with office() as box:
        box.sync(OFFICE)
        opened(box, "203.0.113.9")
        said = io.StringIO()
        with box.session(transcript=said) as session:
            observed = firewall().read(session)
            receipt = firewall().apply(session, observed, diff(observed, MORE, observed.can))
        assert receipt.flows_cut is None
        assert "session" not in said.getvalue().replace("Session", "")
        assert len(standing(box)) == 1


def test_nothing_new_and_rules_out_of_hours_end_nothing() -> None:
    with office() as box:
        (deny,) = OFFICE.rules
        today = SystemClock().now().weekday()
        other = tuple(WeekSpan(day, 0, 60) for day in range(7) if day not in (today, (today + 1) % 7))
        opened(box, "192.0.2.9")
        opened(box, "203.0.113.9")
        assert box.sync(replace(OFFICE, rules=(replace(deny, when=other),)), CUTS).flows_cut == 0
        assert box.sync(OFFICE, CUTS).flows_cut == 1
        assert standing(box) == ["10.0.1.5 203.0.113.9"]


def test_bounds_on_networks_and_on_sessions_are_told() -> None:
    many = tuple(f"10.77.{n}.0/25" for n in range(MOST_NETWORKS + 1))
    one = firewall(cut_sessions=1)
    with office() as box:
        box.sync(OFFICE, one)
        opened(box, "203.0.113.9")
        opened(box, "203.0.113.9", source_port=2)
        receipt = box.sync(MORE, one)
        assert receipt.flows_cut == 1
        assert receipt.notes == ("1 more open sessions to newly denied networks were left to end by themselves",)
        receipt = box.sync(_with(MORE, "dst-tiktok", *many), one)
        assert receipt.flows_cut is None
        assert f"{MOST_NETWORKS + 1} newly denied networks" in receipt.notes[0]


def test_what_cannot_be_asked_or_ended_is_told_and_the_change_stays() -> None:
    with office(switches=Switches(session_networks=False)) as box:
        box.sync(OFFICE, CUTS)
        opened(box, "203.0.113.9")
        opened(box, "198.51.100.99")
        receipt = box.sync(MORE, CUTS)
        assert receipt.flows_cut == 1
        assert receipt.notes == ("open sessions to 2 newly denied networks could not be asked for",)
        assert standing(box) == ["10.0.1.5 203.0.113.9"]
        box.sync(OFFICE, CUTS)
        opened(box, "198.51.100.99")
        box.device.mishaps.clearing_denied = True
        receipt = box.sync(MORE, CUTS)
        assert (receipt.flows_cut, "needs `clear session id`" in receipt.notes[0]) == (None, True)
        box.sync(OFFICE, CUTS)
        box.device.mishaps.clearing_denied, box.device.mishaps.clearing_fails = False, True
        receipt = box.sync(MORE, CUTS)
        assert receipt.flows_cut == 0
        assert "1 open sessions went on though they were cleared" in receipt.notes[0]
        assert box.holds(MORE, CUTS)


def test_only_our_virtual_system_is_touched() -> None:
    adapter = firewall(vsys="vsys2", cut_sessions=10)
    values = "from any to any source any destination any application any service any action allow"
    head = VSYS.replace("config rematch yes", "config rematch no")
    base = f"{head}\nset vsys vsys1 rulebase security rules OPEN {values}\n"
    with office(model=PA_5250, base=base) as box:
        box.sync(OFFICE, adapter)
        opened(box, "203.0.113.9", vsys="vsys1")
        opened(box, "203.0.113.9", vsys="vsys2")
        assert box.sync(MORE, adapter).flows_cut == 1
        assert [session.vsys for session in box.device.plane.sessions.values()] == ["vsys1"]


@dataclass(slots=True)
class Dies(Faults):
    """The session is torn when a line begins so."""

    begins: str = ""

    def next_line(self, line: str) -> tuple[int | None, int | None]:
        return (0, None) if line.startswith(self.begins) else (None, None)


@pytest.mark.parametrize("line", ["show session", "clear session"])
def test_a_login_that_dies_there_leaves_the_change_and_says_so(line: str) -> None:
    with office() as box:
        box.sync(OFFICE, CUTS)
        opened(box, "203.0.113.9")
        box.device.faults = Dies(begins=line)
        receipt = box.sync(MORE, CUTS)
        box.device.faults = Faults()
        assert receipt.flows_cut is None
        assert "could not be ended" in receipt.notes[0]
        assert box.holds(MORE, CUTS)


def test_a_published_listing_is_read() -> None:
    text = """\
--------------------------------------------------------------------------------
ID          Application    State   Type Flag  Src[Sport]/Zone/Proto (translated IP[Port])
Vsys                                          Dst[Dport]/Zone (translated IP[Port])
--------------------------------------------------------------------------------
323          ssh            ACTIVE  FLOW       192.168.193.25[39686]/Server/6  (192.168.193.25[39686])
vsys1                                          192.168.192.25[22]/DMZ  (192.168.192.25[22])
324          ssl            ACTIVE  FLOW  NS   2001:db8::1[1]/the inside/6  (2001:db8::9[1])
vsys1                                          2001:db8::2[443]/DMZ  (2001:db8::2[443])
325          undecided      DISCARD FLOW       192.168.193.25[39687]/Server/6  (192.168.193.25[39687])
vsys1                                          192.168.192.25[22]/DMZ  (192.168.192.25[22])
"""
    found = [Open(323, ip_address("192.168.193.25"), ip_address("192.168.192.25"))]
    found.append(Open(324, ip_address("2001:db8::1"), ip_address("2001:db8::2")))
    assert list(open_in(text, "vsys1")) == found
    assert list(open_in(text, "vsys2")) == []
    assert list(open_in("No Active Sessions\n", "vsys1")) == []
