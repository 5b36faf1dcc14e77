"""Traffic through the emulated FortiGate: what its policies make of it, what it counts, what it logs, what it pulls."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

import pytest

from core.clock import ManualClock
from lab.emulators.fortios import FortiGate, Model, Switches
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.fortios import NOON, VDOMS, Keyboard, configuring, fortigate, shown

STAFF, SHOP, STRANGER = "10.0.1.5", "10.0.2.7", "10.0.9.9"
LIST: Final = "https://l.example/v4.txt"


def flow(source: str = STAFF, target: str = "192.0.2.9", **more: Any) -> Flow:
    ends = {"source": ip_address(source), "destination": ip_address(target)}
    return Flow(**{"inside": "port1", "outside": "port3", **ends, **more})


def hits(device: FortiGate, policy: str, family: int = 4) -> str:
    which = "iprope6" if family == 6 else "iprope"
    text = Keyboard(device).type(f"diagnose firewall {which} show 100004 {policy} | grep hit.count")
    return text.strip().removeprefix("hit count:").split(" ")[0]


# --- policies ---------------------------------------------------------------------------------------------------------


def test_the_first_policy_that_a_flow_meets_decides() -> None:
    device = fortigate()
    assert device.forward(flow()) is Verdict.PERMIT  # 3
    assert device.forward(flow(port=22)) is Verdict.DENY  # 7
    assert device.forward(flow(STRANGER)) is Verdict.DENY  # none
    assert [hits(device, number) for number in ("7", "3", "0")] == ["1", "1", "1"]


def test_in_another_order_the_counts_are_others() -> None:
    device = fortigate()
    configuring(device, "firewall policy", "move 3 before 7", "end")
    assert device.forward(flow(port=22)) is Verdict.PERMIT
    assert [hits(device, number) for number in ("7", "3")] == ["0", "1"]


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        (("set status disable",), Verdict.DENY),
        (("set srcaddr SHOP",), Verdict.DENY),
        (("set srcaddr all",), Verdict.PERMIT),
        (("set srcaddr SHOP", "set srcaddr-negate enable"), Verdict.PERMIT),
        (("set srcaddr ALL_STAFF", "set srcaddr-negate enable"), Verdict.DENY),
        (("set dstaddr CDN",), Verdict.DENY),
        (("set service HTTPS",), Verdict.PERMIT),
        (("set service HTTP DNS",), Verdict.DENY),
        (("set service HTTP", "set service-negate enable"), Verdict.PERMIT),
        (("set srcintf any", "set dstintf any"), Verdict.PERMIT),
        (("set srcintf outside",), Verdict.DENY),
        (("set srcintf port2",), Verdict.DENY),
        (("set srcintf port1 port2",), Verdict.PERMIT),
        (("set schedule none",), Verdict.DENY),
        (("set groups people",), Verdict.DENY),
    ],
)
def test_everything_in_a_policy_counts(lines: tuple[str, ...], verdict: Verdict) -> None:
    device = fortigate()
    configuring(device, "firewall policy", "edit 3", *lines, "end")
    assert device.forward(flow()) is verdict


def test_names_are_the_boxs_own_and_wildcards_learn_from_what_passes() -> None:
    device = fortigate(names={"cdn.example.com": (ip_address("192.0.2.9"),)})
    configuring(device, "firewall policy", "edit 3", "set dstaddr CDN", "end")
    assert device.forward(flow()) is Verdict.PERMIT
    assert device.forward(flow(target="192.0.2.10")) is Verdict.DENY
    configuring(device, "firewall address", "edit CDN", "set fqdn *.example.net", "end")
    other = flow(target="192.0.2.11")
    assert device.forward(other) is Verdict.DENY
    device.observe_dns("a.example.net", ip_address("192.0.2.11"))
    assert device.forward(other) is Verdict.PERMIT


def test_a_group_holds_what_is_not_left_out() -> None:
    device = fortigate()
    keyboard = configuring(device, "firewall addrgrp", "edit ALL_STAFF", "set exclude enable")
    keyboard.all("set exclude-member SHOP", "end")
    assert device.forward(flow()) is Verdict.PERMIT
    assert device.forward(flow(SHOP)) is Verdict.DENY


def test_a_family_that_a_policy_does_not_name_does_not_meet_it() -> None:
    device = fortigate()
    flow6 = flow("2001:db8::5", "2001:db8:9::9")
    assert device.forward(flow6) is Verdict.DENY
    configuring(device, "firewall policy", "edit 3", "set srcaddr6 all", "set dstaddr6 all", "end")
    assert device.forward(flow6) is Verdict.PERMIT
    assert (hits(device, "3", 6), hits(device, "3", 4)) == ("1", "0")


def test_before_6_4_the_other_family_has_its_own_policies() -> None:
    device = fortigate(base="config system console\nset output standard\nend\n", model=Model(version=(6, 2, 6)))
    lines = ("set srcintf any", "set dstintf any", "set srcaddr all", "set dstaddr all", "set action accept")
    configuring(device, "firewall policy6", "edit 1", *lines, "set schedule always", "set service ALL", "end")
    assert device.forward(flow("2001:db8::5", "2001:db8:9::9")) is Verdict.PERMIT
    assert device.forward(flow()) is Verdict.DENY


def test_a_vdom_judges_its_own_traffic() -> None:
    device = fortigate(base=VDOMS)
    keyboard = Keyboard(device)
    keyboard.all("config vdom")
    keyboard.type("edit a")
    keyboard.all("config firewall policy", "edit 1", "set srcintf any", "set dstintf any", "set srcaddr all")
    keyboard.all("set dstaddr all", "set action accept", "set schedule always", "set service ALL", "end")
    assert device.forward(flow(), vdom="a") is Verdict.PERMIT
    assert device.forward(flow(), vdom="root") is Verdict.DENY
    assert keyboard.type("diagnose firewall iprope show 100004 1 | grep 'hit count'").startswith("hit count:1 ")


# --- schedules and sessions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        pytest.param(datetime(2026, 3, 2, 7, 59, tzinfo=UTC), Verdict.DENY, id="a-minute-early"),
        pytest.param(datetime(2026, 3, 2, 8, 0, tzinfo=UTC), Verdict.PERMIT, id="on-time"),
        pytest.param(datetime(2026, 3, 2, 18, 0, tzinfo=UTC), Verdict.DENY, id="over"),
        pytest.param(datetime(2026, 3, 7, 12, 0, tzinfo=UTC), Verdict.DENY, id="saturday"),
    ],
)
def test_a_policy_works_in_its_hours(at: datetime, verdict: Verdict) -> None:
    assert fortigate(clock=ManualClock(at)).forward(flow()) is verdict


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        (datetime(2026, 3, 2, 23, 0, tzinfo=UTC), Verdict.PERMIT),  # monday's night
        (datetime(2026, 3, 3, 5, 59, tzinfo=UTC), Verdict.PERMIT),
        (datetime(2026, 3, 3, 6, 0, tzinfo=UTC), Verdict.DENY),
        (datetime(2026, 3, 2, 5, 0, tzinfo=UTC), Verdict.DENY),  # sunday's night
    ],
)
def test_a_night_runs_over_midnight(at: datetime, verdict: Verdict) -> None:
    device = fortigate(clock=ManualClock(at))
    keyboard = configuring(device, "firewall schedule recurring", "edit N", "set day monday", "set start 22:00")
    keyboard.all("set end 06:00", "end", "config firewall schedule group", "edit G", "set member N none", "end")
    keyboard.all("config firewall policy", "edit 3", "set schedule G", "end")
    assert device.forward(flow()) is verdict


def test_once_is_from_here_to_there() -> None:
    clock = ManualClock(NOON)
    device = fortigate(clock=clock)
    keyboard = configuring(device, "firewall schedule onetime", "edit O", "set start 11:00 2026/03/02")
    keyboard.all("set end 13:00 2026/03/02", "end", "config firewall policy", "edit 3", "set schedule O", "end")
    assert device.forward(flow()) is Verdict.PERMIT
    clock.advance(timedelta(hours=1))
    assert device.forward(flow(source_port=50_001)) is Verdict.DENY


def test_an_open_session_is_not_judged_again() -> None:
    clock = ManualClock(NOON)
    device = fortigate(clock=clock)
    assert device.forward(flow()) is Verdict.PERMIT
    keyboard = configuring(device, "firewall policy", "edit 3", "set action deny", "end")
    assert device.forward(flow()) is Verdict.PERMIT  # it goes on
    assert hits(device, "3") == "1"
    assert device.forward(flow(source_port=50_001)) is Verdict.DENY
    keyboard.all("diagnose sys session filter policy 7", "diagnose sys session clear")
    assert device.forward(flow()) is Verdict.PERMIT
    keyboard.all("diagnose sys session filter clear", "diagnose sys session filter policy 3")
    keyboard.all("diagnose sys session filter dst 192.0.2.9", "diagnose sys session clear")
    assert device.forward(flow()) is Verdict.DENY


def test_without_a_filter_every_session_ends() -> None:
    device = fortigate()
    device.forward(flow())
    configuring(device, "firewall policy", "edit 3", "set status disable", "end").all("diagnose sys session clear")
    assert device.forward(flow()) is Verdict.DENY


def test_a_session_ends_when_it_is_idle_and_with_its_window_if_so_told() -> None:
    clock = ManualClock(NOON)
    device = fortigate(clock=clock)
    device.forward(flow())
    clock.advance(timedelta(minutes=50))
    assert device.forward(flow()) is Verdict.PERMIT
    assert hits(device, "3") == "1"
    clock.advance(timedelta(minutes=61))
    device.forward(flow())
    assert hits(device, "3") == "2"
    for _ in range(5):
        clock.advance(timedelta(minutes=50))
        assert device.forward(flow()) is Verdict.PERMIT
    assert hits(device, "3") == "2"  # 18:01 is out of hours, and the session does not mind
    configuring(device, "firewall policy", "edit 3", "set schedule-timeout enable", "end")
    assert device.forward(flow()) is Verdict.DENY


# --- counters ---------------------------------------------------------------------------------------------------------


def counted(version: tuple[int, int, int]) -> FortiGate:
    """Two days: a session of two packets and a longer one; what it denies is three packets each."""
    clock = ManualClock(NOON - timedelta(days=1))
    model = Model(version=version)
    device = fortigate(clock=clock, model=model)
    configuring(device, "firewall policy", "edit 3", "set schedule always", "end")
    device.forward(flow(packets=2, octets=200))
    clock.advance(timedelta(days=1))
    device.forward(flow(source_port=50_001, packets=1, octets=60))
    device.forward(flow(source_port=50_001, packets=4, octets=940))
    device.forward(flow(port=22, packets=3, octets=180))
    return device


NOTHING: Final = "(0 0 0 0 0 0 0 0)"


def test_from_7_4_there_is_a_line_for_each_number() -> None:
    assert Keyboard(counted((7, 4, 8))).type("diagnose firewall iprope show 00100004 3").splitlines() == [
        "idx:3",
        "pkts:7 (5 2 0 0 0 0 0 0)",
        "bytes:1200 (1000 200 0 0 0 0 0 0)",
        f"asic_pkts:0 {NOTHING}",
        f"asic_bytes:0 {NOTHING}",
        "flag:0x0",
        "hit count:2 (1 1 0 0 0 0 0 0)",
        "first hit:2026-03-01 12:00:00 last hit:2026-03-02 12:00:00",
        "established session count:2",
        "first est:2026-03-01 12:00:00 last est:2026-03-02 12:00:00",
    ]


@pytest.mark.parametrize(("version", "week"), [((7, 0, 13), " (1 1 0 0 0 0 0 0)"), ((6, 4, 4), "")])
def test_before_that_they_share_one(version: tuple[int, int, int], week: str) -> None:
    assert Keyboard(counted(version)).type("diagnose firewall iprope show 100004 3") == (
        "idx=3 pkts/bytes=7/1200 asic_pkts/asic_bytes=0/0 nturbo_pkts/nturbo_bytes=0/0 flag=0x0 "
        f"hit count:2{week}\n"
        "    first:2026-03-01 12:00:00 last:2026-03-02 12:00:00\n"
        " established session count:2\n"
        "    first est:2026-03-01 12:00:00 last est:2026-03-02 12:00:00\n"
    )


def test_what_is_denied_counts_by_the_packet() -> None:
    device = counted((7, 4, 8))
    assert hits(device, "7") == "3"
    device.forward(flow(port=22, packets=3))
    assert hits(device, "7") == "6"


def test_counters_are_asked_for_by_the_list() -> None:
    text = Keyboard(counted((7, 4, 8))).type("diagnose firewall iprope show 100004 3 7 99 0")
    assert [line for line in text.splitlines() if line.startswith("idx")] == ["idx:3", "idx:7", "idx:0"]


def test_clearing_one_counter_leaves_the_others() -> None:
    device = counted((7, 4, 8))
    Keyboard(device).all("diagnose firewall iprope clear 100004 3")
    assert (hits(device, "3"), hits(device, "7")) == ("0", "3")
    Keyboard(device).all("diagnose firewall iprope clear 100004")
    assert hits(device, "7") == "0"


def test_what_clearing_prints_is_a_switch() -> None:
    device = fortigate(switches=Switches(clear_prints_nothing=False))
    device.forward(flow())
    assert Keyboard(device).type("diagnose firewall iprope clear 100004 3") != ""


def test_a_policy_that_is_created_again_counts_anew() -> None:
    device = counted((7, 4, 8))
    configuring(device, "firewall policy", "delete 3", "end")
    assert Keyboard(device).type("diagnose firewall iprope show 100004 3") == ""
    keyboard = configuring(device, "firewall policy", "edit 3", "set srcintf any", "set dstintf any")
    keyboard.all("set srcaddr all", "set dstaddr all", "set schedule always", "set service ALL", "end")
    assert hits(device, "3") == "0"


@pytest.mark.parametrize(("survive", "count"), [(False, "0"), (True, "2")])
def test_whether_counters_survive_a_reboot_is_a_switch(survive: bool, count: str) -> None:
    device = counted((7, 4, 8))
    device.switches = Switches(counters_survive_reboot=survive)
    device.reboot()
    assert hits(device, "3") == count


@pytest.mark.parametrize(("synced", "count"), [(False, "2"), (True, "3")])
def test_members_of_a_cluster_count_for_themselves_unless_a_switch_says_otherwise(synced: bool, count: str) -> None:
    switches = Switches(counters_synced=synced)
    first = fortigate(switches=switches)
    second = fortigate(name="two", base="", serial="FG100FTK00000002", switches=switches)
    first.pair(second)
    first.forward(flow())
    first.fail_over()
    second.forward(flow(source_port=50_001))
    second.forward(flow(source_port=50_002))
    assert (hits(first, "3"), hits(second, "3")) == ("1", count)


# --- the log ----------------------------------------------------------------------------------------------------------


def test_the_log_tells_who_met_a_policy_that_logs_everything() -> None:
    device = fortigate()
    device.forward(flow(STRANGER, port=22))
    device.forward(flow(STRANGER))  # the implicit deny does not log
    device.forward(flow())  # this policy does not either
    keyboard = Keyboard(device)
    keyboard.all("execute log filter reset", "execute log filter category traffic", "execute log filter device memory")
    keyboard.all("execute log filter field policyid 7", "execute log filter field action deny")
    text = keyboard.type("execute log display")
    assert text.startswith("1 logs found.\n1 logs returned.\n\n1: date=2026-03-02 time=12:00:00 logid=")
    assert f'srcip={STRANGER} srcport=50000 srcintf="port1"' in text
    assert 'action="deny" policyid=7 policytype="policy"' in text
    keyboard.all(f"execute log filter field srcip {STRANGER}", "execute log filter field dstport 22")
    assert keyboard.type("execute log display").startswith("1 logs found.\n")
    keyboard.all("execute log filter field policyid 8")
    assert keyboard.type("execute log display") == "0 logs found.\n0 logs returned.\n\n"
    keyboard.all("execute log filter reset", "execute log filter device disk")
    assert keyboard.type("execute log display").startswith("0 logs found.\n")


def test_the_log_comes_in_pages() -> None:
    device = fortigate()
    for port in range(25):
        device.forward(flow(port=22, source_port=50_000 + port))
    keyboard = Keyboard(device)
    firsts = []
    for _ in range(4):
        text = keyboard.type("execute log display")
        firsts.append((text.splitlines()[1:3], [line.split(":")[0] for line in text.splitlines() if "date=" in line]))
    assert [at[0][0] for at in firsts] == ["10 logs returned."] * 2 + ["5 logs returned."] * 2
    assert [at[0][1] for at in firsts[:3]] == [f"{part}% of logs has been searched." for part in ("40.0", "80.0")] + [
        ""
    ]
    assert firsts[1][1] == [str(number) for number in range(11, 21)]
    keyboard.all("execute log filter reset", "execute log filter view-lines 100")
    assert keyboard.type("execute log display").startswith("25 logs found.\n25 logs returned.\n\n1: ")


def test_the_log_in_memory_is_lost_at_a_reboot() -> None:
    device = fortigate()
    device.forward(flow(port=22))
    device.reboot()
    assert Keyboard(device).type("execute log display").startswith("0 logs found.\n")


# --- lists that the box pulls -----------------------------------------------------------------------------------------


class Server:
    """Where lists are pulled from."""

    def __init__(self, **lists: str) -> None:
        self.lists, self.asked, self.down = lists, list[str](), False

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if self.down:
            raise ConnectionRefusedError(url)
        return self.lists[url.rsplit("/", 1)[1]].encode()


def pulling(server: Callable[[str], bytes], *lines: str, **options: Any) -> FortiGate:
    device = fortigate(fetch=server, **options)
    keyboard = configuring(device, "system external-resource", "edit F", "set type address")
    keyboard.all("set resource https://l.example/f", *lines, "end")
    keyboard.all("config firewall policy", "edit 7", "set dstaddr F", "set service ALL", "end")
    return device


STATS: Final = "diagnose sys external-resource stats"
CONTENT: Final = "diagnose sys external-address-resource list F"
TEXT: Final = "# of the day\n192.0.2.0/30\n\n192.0.2.4 - 192.0.2.9\nnonsense\n2001:db8::/32\n198.51.100.7\n"


def test_a_list_is_pulled_shown_and_matched() -> None:
    device = pulling(Server(f=TEXT))
    keyboard = Keyboard(device)
    assert keyboard.type(CONTENT) == (
        "IPv4 ranges of uuid-idx 863 (num=2)\n192.0.2.0-192.0.2.9\n198.51.100.7-198.51.100.7\n"
        "IPv6 ranges of uuid-idx 863 (num=1)\n2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\n"
    )
    assert keyboard.type(STATS) == (
        "name: F ; uuid_idx: 863; type: address; update_method: feed; truncated total lines: 5; valid lines: 4; "
        "error lines: 1; used: yes; buildable: 4; total in count file: 4; ranges: 0;\n"
    )
    assert device.forward(flow(target="192.0.2.9")) is Verdict.DENY
    assert hits(device, "7") == "1"
    assert device.forward(flow(target="192.0.2.10")) is Verdict.PERMIT


def test_whether_remarks_are_errors_is_a_switch() -> None:
    device = pulling(Server(f=TEXT), switches=Switches(feed_comments=False))
    assert "error lines: 2;" in Keyboard(device).type(STATS)


def test_a_list_is_pulled_again_every_so_many_minutes_and_kept_while_the_server_is_away() -> None:
    clock, server = ManualClock(NOON), Server(f="192.0.2.1\n")
    device = pulling(server, "set refresh-rate 2", clock=clock)
    assert "192.0.2.1-192.0.2.1\n" in Keyboard(device).type(CONTENT)
    server.lists["f"] = "192.0.2.2\n"
    clock.advance(timedelta(minutes=1, seconds=59))
    assert "192.0.2.1-192.0.2.1\n" in Keyboard(device).type(CONTENT)
    clock.advance(timedelta(seconds=1))
    assert "192.0.2.2-192.0.2.2\n" in Keyboard(device).type(CONTENT)
    server.down = True
    clock.advance(timedelta(minutes=2))
    assert "192.0.2.2-192.0.2.2\n" in Keyboard(device).type(CONTENT)
    device.reboot()
    assert "192.0.2.2-192.0.2.2\n" in Keyboard(device).type(CONTENT)
    assert server.asked == ["https://l.example/f"] * 3


def test_a_list_that_is_off_is_not_pulled() -> None:
    server = Server(f="192.0.2.1\n")
    device = pulling(server, "set status disable")
    assert "num=0" in Keyboard(device).type(CONTENT)
    assert server.asked == []


def test_a_list_that_was_never_pulled_holds_nothing() -> None:
    server = Server(f="192.0.2.9\n")
    server.down = True
    device = pulling(server)
    assert device.forward(flow(target="192.0.2.9")) is Verdict.PERMIT
    assert "valid lines: 0;" in Keyboard(device).type(STATS)


@pytest.mark.parametrize("version", [(7, 4, 3), (7, 4, 4)])
def test_what_does_not_fit_is_cut(version: tuple[int, int, int]) -> None:
    """Each list by itself before 7.4.4, all of them together since."""
    model = Model(version=version, feed_lines=3, feed_addresses=4)
    server = Server(f="192.0.2.1\n192.0.2.3\n192.0.2.5\n192.0.2.7\n", g="192.0.2.9\n")
    device = pulling(server, model=model)
    keyboard = configuring(device, "system external-resource", "edit G", "set type address")
    keyboard.all("set resource https://l.example/g", "end")
    f, g = keyboard.type(STATS).splitlines()
    together = version >= (7, 4, 4)
    assert (f"buildable: {4 if together else 3};" in f, f"buildable: {0 if together else 1};" in g) == (True, True)
    assert "valid lines: 1;" in g
    keyboard.all("config system external-resource", "move G before F", "end")
    assert "buildable: 1;" in keyboard.type(STATS).splitlines()[0]
    assert "buildable: 3;" in keyboard.type(STATS).splitlines()[1]


def test_lists_of_names_are_counted_only() -> None:
    device = fortigate(fetch=Server(d="a.example\nb.example\nc d\n"))
    keyboard = configuring(device, "system external-resource", "edit D", "set type domain")
    keyboard.all("set resource https://l.example/d", "end")
    line = keyboard.type(STATS)
    assert "type: domain;" in line
    assert "valid lines: 2; error lines: 1; used: no; buildable: 2;" in line
    assert shown(device, "system external-resource").count("edit") == 1


@pytest.mark.parametrize("shared", [False, True])
def test_a_filter_of_sessions_is_shown_and_is_one_command_lines_own_or_everybodys(shared: bool) -> None:
    device = fortigate(switches=Switches(session_filter_shared=shared))
    for target in ("192.0.2.9", "192.0.2.77"):
        assert device.forward(flow(target=target)) is Verdict.PERMIT
    keyboard, other = Keyboard(device), Keyboard(device)
    keyboard.all("diagnose sys session filter dst 192.0.2.0 192.0.2.63", "diagnose sys session filter proto 6")
    said = keyboard.type("diagnose sys session filter").splitlines()
    assert said[0] == "session filter:"
    assert {"\tdest ip: 192.0.2.0-192.0.2.63", "\tproto: 6-6", "\tsource ip: any"} <= set(said)
    listed = keyboard.type("diagnose sys session list")
    assert listed.count("session info:") == 1
    assert "->192.0.2.9:" in listed
    assert listed.splitlines()[-1] == "total session 1"
    assert other.type("diagnose sys session list").count("session info:") == (1 if shared else 2)
    other.all("diagnose sys session filter clear")
    keyboard.all("diagnose sys session clear")
    assert len(device.sessions.all()) == (0 if shared else 1), "without a filter every session ends"


# --- which policy would be met --------------------------------------------------------------------------------------


def test_a_lookup_tells_the_policy_and_counts_nothing() -> None:
    device = fortigate(exit="port3")
    keyboard = Keyboard(device)
    asked = f"diagnose firewall iprope lookup {STAFF} 50000 192.0.2.9"
    told = f"<src [{STAFF}-50000] dst [192.0.2.9-%s] proto %s dev port1> matches policy id: %s\n"
    assert keyboard.type(f"{asked} 443 6 port1") == told % (443, "6", 3)
    assert keyboard.type(f"{asked} 22 tcp port1") == told % (22, "tcp", 7)
    configuring(device, "firewall policy", "move 3 before 7", "end")
    assert keyboard.type(f"{asked} 22 tcp port1") == told % (22, "tcp", 3)
    assert keyboard.type(f"{asked.replace(STAFF, STRANGER)} 443 tcp port1").endswith("matches policy id: 0\n")
    assert [hits(device, number) for number in ("7", "3", "0")] == ["0", "0", "0"]
    device.exit = ""
    assert keyboard.type(f"{asked} 443 tcp port1").endswith("matches policy id: 0\n"), "no route leads on"
    for wrong in (f"{asked} 443 tcp nowhere", f"{asked} 443 tcp", f"{asked} https tcp port1", f"{asked} 443 gre port1"):
        assert "matches" not in keyboard.type(wrong)
