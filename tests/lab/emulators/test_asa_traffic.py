"""Flows through an emulated ASA: which rule decides, what is counted, what is logged."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Any, Final

import pytest

from core.clock import ManualClock
from core.net import Address
from lab.emulators.asa import Asa, Model, Switches, pair
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.asa import DATA, NOON, SITE, Keyboard, asa, configuring, enabled

HOST: Final = "10.0.1.7"
FAR: Final = "203.0.113.9"


def flow(source: str = HOST, destination: str = FAR, **more: Any) -> Flow:
    return Flow(source=ip_address(source), destination=ip_address(destination), **more)


def counts(keyboard: Keyboard, acl: str = "INSIDE_IN") -> list[int]:
    """Of the entries, top to bottom; remarks have none."""
    lines = keyboard.type(f"show access-list {acl}").splitlines()
    found = [re.search(r"\(hitcnt=(\d+)\)", line) for line in lines if not line.startswith("  ")]
    return [int(each[1]) for each in found if each]


def elements(keyboard: Keyboard, acl: str = "T") -> list[str]:
    lines = [line for line in keyboard.type(f"show access-list {acl}").splitlines() if line.startswith("  ")]
    return [re.sub(r"^.*?extended | 0x[0-9a-f]{8}$", "", line) for line in lines]


def messages(keyboard: Keyboard) -> list[str]:
    return [line for line in keyboard.type("show logging").splitlines() if "-106" in line]


# --- order ------------------------------------------------------------------------------------------------------------


def test_the_first_rule_that_fits_decides_and_counts() -> None:
    device = asa()
    keyboard = enabled(device)
    assert device.forward(flow(port=23)) is Verdict.DENY
    assert device.forward(flow(port=25)) is Verdict.PERMIT
    assert device.forward(flow(port=443)) is Verdict.PERMIT
    assert counts(keyboard) == [1, 1, 0, 1]


@pytest.mark.parametrize(("line", "counted"), [("line 1 ", [3, 0]), ("line 2 ", [0, 3]), ("", [0, 3])])
def test_a_rule_in_the_wrong_place_counts_otherwise(line: str, counted: list[int]) -> None:
    device = asa()
    keyboard = configuring(device, "access-list T extended permit ip any any", "access-group T in interface inside")
    keyboard.all(f"access-list T {line}extended deny ip any host {FAR}")
    verdicts = {device.forward(flow(port=port)) for port in (80, 443, 8080)}
    assert counts(keyboard, "T") == (counted if counted[0] else [3, 0])
    assert verdicts == ({Verdict.DENY} if counted[0] else {Verdict.PERMIT})


def test_denies_count_packets_and_permits_connections() -> None:
    device = asa()
    device.forward(flow(port=23, packets=21))
    device.forward(flow(port=443, packets=21))
    assert counts(enabled(device)) == [21, 0, 0, 1]


def test_what_no_rule_takes_is_denied_uncounted() -> None:
    device = asa()
    keyboard = configuring(device, "access-list T extended permit udp any any", "access-group T in interface inside")
    assert device.forward(flow()) is Verdict.DENY
    assert counts(keyboard, "T") == [0]


def test_entries_of_groups_count_as_a_whole_and_element_by_element() -> None:
    device = asa()
    keyboard = enabled(device)
    for source, port in (("10.0.1.7", 25), ("10.0.1.8", 994), ("10.0.2.7", 25)):
        assert device.forward(flow(source, port=port)) is Verdict.PERMIT
    tail = "log informational interval 300"
    assert elements(keyboard, "INSIDE_IN")[:4] == [
        f"permit tcp 10.0.1.0 255.255.255.0 any eq smtp {tail} (hitcnt=1)",
        f"permit tcp 10.0.1.0 255.255.255.0 any range 993 995 {tail} (hitcnt=1)",
        f"permit tcp host 10.0.2.7 any eq smtp {tail} (hitcnt=1)",
        f"permit tcp host 10.0.2.7 any range 993 995 {tail} (hitcnt=0)",
    ]
    assert counts(keyboard) == [0, 3, 0, 0]


def test_an_element_that_stands_there_twice_is_counted_once() -> None:
    device = asa()
    keyboard = configuring(
        device,
        "object-group network a",
        "network-object host 203.0.113.9",
        "object-group network b",
        "network-object host 203.0.113.9",
        "group-object a",
        "access-list T extended deny ip any object-group b",
        "access-group T in interface inside",
    )
    device.forward(flow(packets=5))
    assert elements(keyboard) == ["deny ip any host 203.0.113.9 (hitcnt=5)", "deny ip any host 203.0.113.9 (hitcnt=0)"]
    assert counts(keyboard, "T") == [5]


def test_old_releases_print_no_count_for_the_whole() -> None:
    device = asa(model=Model(parent_counts=False))
    device.forward(flow(port=25))
    line = enabled(device).type("show access-list INSIDE_IN").splitlines()[3]
    assert re.search(r"interval 300 0x[0-9a-f]{8}$", line)


def test_groups_may_be_kept_unexpanded() -> None:
    device = asa()
    keyboard = configuring(device, "object-group-search access-control")
    device.forward(flow(port=25))
    lines = [line for line in keyboard.type("show access-list INSIDE_IN").splitlines() if " line 3 " in line]
    assert re.search(r"extended permit tcp object-group staff any object-group mail log .* 0x[0-9a-f]{8}$", lines[0])
    assert re.search(r"object-group staff\(\d+\) any\(65537\) object-group mail\(\d+\) log .*\(hitcnt=1\) ", lines[1])
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("words", "v4", "v6"),
    [("any", True, True), ("any4", True, False), ("any6", False, True), ("2001:db8::/32", False, True)],
)
def test_one_list_holds_both_families(words: str, v4: bool, v6: bool) -> None:
    device = asa()
    configuring(device, f"access-list T extended permit ip any {words}", "access-group T in interface inside")
    assert (device.forward(flow()) is Verdict.PERMIT) is v4
    assert (device.forward(flow("2001:db8::1", "2001:db8::2")) is Verdict.PERMIT) is v6


@pytest.mark.parametrize(
    ("match", "fits", "misses"),
    [
        ("tcp any gt 50000 any", {"source_port": 50_001}, {"source_port": 50_000}),
        ("tcp any any neq www", {"port": 81}, {"port": 80}),
        ("udp any any lt 54", {"protocol": "udp", "port": 53}, {"protocol": "udp", "port": 54}),
        ("icmp any any echo", {"protocol": "icmp", "port": 8}, {"protocol": "icmp", "port": 0}),
        ("gre any any", {"protocol": "gre"}, {"protocol": "esp"}),
        ("ip any interface outside", {"destination": "198.51.100.2"}, {"destination": "198.51.100.3"}),
        ("object high any any", {"port": 8000}, {"port": 8101}),
    ],
)
def test_rules_look_at_protocols_ports_types_and_interfaces(
    match: str, fits: dict[str, Any], misses: dict[str, Any]
) -> None:
    device = asa()
    configuring(device, f"access-list T extended permit {match}", "access-group T in interface inside")
    assert device.forward(flow(**fits)) is Verdict.PERMIT
    assert device.forward(flow(**misses)) is Verdict.DENY


# --- where lists hang -------------------------------------------------------------------------------------------------


def test_the_global_list_is_looked_at_after_the_interfaces_own() -> None:
    device = asa()
    keyboard = configuring(
        device,
        "access-list T extended permit tcp any any eq https",
        "access-list G extended permit tcp any any eq www",
        "access-group T in interface inside",
        "access-group G global",
    )
    assert device.forward(flow(port=443)) is Verdict.PERMIT
    assert device.forward(flow(port=80)) is Verdict.PERMIT
    assert device.forward(flow(port=22)) is Verdict.DENY
    assert device.forward(flow(port=80, inside="outside", outside="inside")) is Verdict.PERMIT
    assert (counts(keyboard, "T"), counts(keyboard, "G")) == ([1], [2])


def test_a_list_may_hang_where_traffic_leaves() -> None:
    device = asa()
    keyboard = configuring(device, "access-list O extended deny tcp any any eq https")
    keyboard.all("access-list O extended permit ip any any", "access-group O out interface outside")
    assert device.forward(flow(port=443)) is Verdict.DENY
    assert device.forward(flow(port=80)) is Verdict.PERMIT
    assert counts(keyboard, "O") == [1, 1]


@pytest.mark.parametrize("levels", [True, False])
def test_without_a_list_security_levels_decide(levels: bool) -> None:
    device = asa(switches=Switches(security_levels=levels))
    configuring(device, "no access-group INSIDE_IN in interface inside")
    assert (device.forward(flow()) is Verdict.PERMIT) is levels
    assert device.forward(flow(inside="outside", outside="inside")) is Verdict.DENY


# --- time and names ---------------------------------------------------------------------------------------------------


def test_a_rule_outside_its_time_range_is_passed_by_and_lingers_after_it() -> None:
    clock = ManualClock(NOON)
    device = asa(clock=clock)
    keyboard = configuring(device, "access-list T extended permit ip any any time-range nights")
    keyboard.all("access-group T in interface inside")
    assert "time-range nights (hitcnt=0) (inactive) 0x" in keyboard.type("show access-list T")
    seen = []
    for hours in (0, 8, 11, 11.01, 11.03):  # nights are weekdays 20:00 to 23:00
        clock.jump(NOON + timedelta(hours=hours))
        seen.append(device.forward(flow()) is Verdict.PERMIT)
    assert seen == [False, True, True, True, False]


def test_an_inactive_rule_is_passed_by() -> None:
    device = asa()
    keyboard = configuring(device, f"access-list INSIDE_IN line 1 extended deny ip any host {FAR} inactive")
    assert device.forward(flow()) is Verdict.PERMIT
    assert f"host {FAR} inactive (hitcnt=0) (inactive) 0x" in keyboard.type("show access-list INSIDE_IN")
    keyboard.all(f"access-list INSIDE_IN extended deny ip any host {FAR}")
    assert device.forward(flow()) is Verdict.DENY


def named(**options: Any) -> tuple[Asa, Keyboard, dict[str, tuple[Address, ...]]]:
    names: dict[str, tuple[Address, ...]] = {}
    device = asa(names=names, **options)
    keyboard = configuring(
        device, "access-list T extended deny ip any object cdn", "access-group T in interface inside"
    )
    return device, keyboard, names


def test_a_name_blocks_what_it_resolves_to_and_nothing_before() -> None:
    clock = ManualClock(NOON)
    device, keyboard, names = named(clock=clock)
    assert elements(keyboard) == ["deny ip any fqdn cdn.example.com (unresolved) (inactive)"]
    names["cdn.example.com"] = (ip_address(FAR), ip_address("2001:db8::9"))
    assert elements(keyboard) == ["deny ip any fqdn cdn.example.com (unresolved) (inactive)"]
    clock.advance(timedelta(hours=4))  # the poll timer
    device.forward(flow(packets=3))
    assert elements(keyboard) == [
        "deny ip any host 203.0.113.9 (cdn.example.com) (hitcnt=3)",
        "deny ip any host 2001:db8::9 (cdn.example.com) (hitcnt=0)",
    ]


def test_a_name_may_be_asked_for_one_family() -> None:
    _, keyboard, names = named()
    names["v6.example.com"] = (ip_address(FAR), ip_address("2001:db8::9"))
    keyboard.all("object network six", "fqdn v6 v6.example.com", "access-list T extended deny ip any object six")
    assert elements(keyboard)[-1] == "deny ip any host 2001:db8::9 (v6.example.com) (hitcnt=0)"


def test_names_need_a_server_and_an_interface_to_ask_through() -> None:
    names = {"cdn.example.com": (ip_address(FAR),)}
    device = asa(names=names, base=SITE.replace("dns domain-lookup outside\n", ""))
    keyboard = configuring(device, "access-list T extended deny ip any object cdn")
    assert elements(keyboard) == ["deny ip any fqdn cdn.example.com (unresolved) (inactive)"]


def test_a_resolved_name_may_print_a_line_of_its_own() -> None:
    names = {"cdn.example.com": (ip_address(FAR),)}
    keyboard = configuring(asa(names=names, switches=Switches(resolved_line=True)))
    keyboard.all("access-list T extended deny ip any object cdn")
    assert elements(keyboard) == [
        "deny ip any fqdn cdn.example.com (resolved)",
        "deny ip any host 203.0.113.9 (cdn.example.com) (hitcnt=0)",
    ]


# --- counters ---------------------------------------------------------------------------------------------------------


def test_counters_are_cleared_list_by_list_and_by_a_reload() -> None:
    device = asa()
    keyboard = enabled(device)
    device.forward(flow())
    keyboard.all("clear access-list VPN counters")
    assert counts(keyboard) == [0, 0, 0, 1]
    keyboard.all("clear access-list INSIDE_IN counters")
    assert counts(keyboard) == [0, 0, 0, 0]
    device.forward(flow())
    device.reboot()
    assert counts(enabled(device)) == [0, 0, 0, 0]


def test_counts_stay_with_an_entry_that_moves_down() -> None:
    device = asa()
    device.forward(flow())
    keyboard = configuring(device, "access-list INSIDE_IN line 1 remark above")
    assert counts(keyboard) == [0, 0, 0, 1]


def test_hashes_stay_with_the_text_unless_told() -> None:
    def last_hash(by_line: bool, line: str) -> str:
        keyboard = configuring(asa(switches=Switches(hash_by_line=by_line)), line)
        return keyboard.type("show access-list INSIDE_IN").splitlines()[-1].split()[-1]

    above = "access-list INSIDE_IN line 1 remark above"
    assert last_hash(False, above) == last_hash(False, "hostname x")
    assert last_hash(True, above) != last_hash(True, "hostname x")


@pytest.mark.parametrize("survives", [True, False])
def test_an_entry_entered_again_may_lose_its_count(survives: bool) -> None:
    device = asa(switches=Switches(hits_survive_reentry=survives))
    device.forward(flow())
    keyboard = configuring(device, "access-list INSIDE_IN extended permit ip any any log disable")
    assert counts(keyboard) == [0, 0, 0, 1 if survives else 0]


@pytest.mark.parametrize("zeros", [True, False])
def test_the_brief_form_may_leave_out_what_was_never_hit(zeros: bool) -> None:
    device = asa(switches=Switches(brief_zero_rows=zeros))
    device.forward(flow(port=25))
    rows = enabled(device).type("show access-list INSIDE_IN brief").splitlines()[1:]
    hit = [row for row in rows if row.split()[2] != "00000000"]
    assert [row.split()[2:] for row in hit] == [["00000001", f"{int(NOON.timestamp()):08x}"]]
    assert len(rows) == (6 if zeros else 1)


@pytest.mark.parametrize("header", [True, False])
def test_the_named_form_may_print_the_header_of_flows(header: bool) -> None:
    keyboard = enabled(asa(switches=Switches(named_header=header)))
    flows = "access-list cached ACL log flows: total 0, denied 0 (deny-flow-max 4096)\n            alert-interval 300\n"
    assert keyboard.type("show access-list INSIDE_IN").startswith(flows) is header
    assert keyboard.type("show access-list").startswith(flows)


# --- open connections and the pair ------------------------------------------------------------------------------------


@pytest.mark.parametrize("survive", [True, False])
def test_open_connections_may_outlive_a_block(survive: bool) -> None:
    device = asa(switches=Switches(connections_survive=survive))
    device.forward(flow(), keep_open=True)
    keyboard = configuring(device, f"access-list INSIDE_IN line 1 extended deny ip any host {FAR}")
    assert (device.forward(flow()) is Verdict.PERMIT) is survive
    assert device.forward(flow(source_port=40_000)) is Verdict.DENY
    assert keyboard.type("clear conn") == f"{int(survive)} connection(s) deleted.\n"
    assert device.forward(flow()) is Verdict.DENY


def test_connections_are_cleared_by_address_and_may_go_in_silence() -> None:
    device = asa(switches=Switches(conn_answer=False))
    for source in (HOST, "10.0.1.8"):
        device.forward(flow(source), keep_open=True)
    enabled(device).all(f"clear conn address {HOST}")
    assert len(device.contexts[""].connections) == 1


def test_connections_are_shown_from_the_lower_level_on_and_by_both_ends() -> None:
    """As the command reference prints them: `B` where the lower side opened it."""
    outside = "access-list O extended permit ip any any\naccess-group O in interface outside\n"
    device = asa(base=SITE + outside)
    device.forward(flow(), keep_open=True)
    device.forward(flow(port=53, protocol="udp"), keep_open=True)
    device.forward(flow("2001:db8:1::5", "2001:db8::9"), keep_open=True)
    device.forward(flow(FAR, HOST, port=25, source_port=1025, inside="outside", outside="inside"), keep_open=True)
    keyboard = enabled(device)
    head, tail = "4 in use, 4 most used", "idle 0:00:22, bytes 60, flags"
    tcp = f"TCP outside {FAR}:443 inside {HOST}:50000, {tail} UIO"
    udp = f"UDP outside {FAR}:53 inside {HOST}:50000, {tail} -"
    mail = f"TCP outside {FAR}:1025 inside {HOST}:25, {tail} UIOB"
    six = f"TCP outside 2001:db8::9:443 inside 2001:db8:1::5:50000, {tail} UIO"
    for chosen, lines in (
        ("", [tcp, udp, six, mail]),
        ("protocol udp", [udp]),
        (f"address {FAR} port 443 address {HOST} port 50000", [tcp]),
        (f"address {HOST} port 50000 address {FAR} port 443", [tcp]),
        (f"protocol tcp address {HOST} port 443 address {FAR}", []),
        ("address 203.0.113.128 netmask 255.255.255.128", []),
        ("address 203.0.113.0 netmask 255.255.255.128 port 53", [udp]),
        ("address 2001:db8::-2001:db8::f", [six]),
        ("address 203.0.113.1-203.0.113.9", [tcp, udp, mail]),
    ):
        assert keyboard.type(f"show conn {chosen}").splitlines() == [head, *lines], chosen
    for wrong in ("address 2001:db8::-10.0.0.1", "address 2001:db8:: netmask 255.0.0.0", "address x", "port 5"):
        assert "Invalid input" in keyboard.type(f"show conn {wrong}"), wrong
    assert keyboard.type(f"clear conn address {FAR} port 443 address {HOST} port 50000") == "1 connection(s) deleted.\n"
    assert keyboard.type("show conn").splitlines() == ["3 in use, 4 most used", udp, six, mail]


@pytest.mark.parametrize(
    ("turned", "said"),
    [
        ({"conn_v6_ranges": False}, "Invalid input"),
        ({"conn_v6_brackets": True}, "outside [2001:db8::9]:443 inside [2001:db8:1::5]:50000"),
    ],
)
def test_how_connections_of_ipv6_are_chosen_and_shown_is_open(turned: dict[str, Any], said: str) -> None:
    device = asa(switches=Switches(**turned))
    device.forward(flow("2001:db8:1::5", "2001:db8::9"), keep_open=True)
    assert said in enabled(device).type("show conn address 2001:db8::-2001:db8::f")


@pytest.mark.parametrize("replicated", [True, False])
def test_each_unit_counts_for_itself(replicated: bool) -> None:
    first, second = (asa(name=name, switches=Switches(hits_replicated=replicated)) for name in ("one", "two"))
    pair(first, second)
    first.forward(flow(), keep_open=True)
    assert second.forward(flow()) is Verdict.DENY  # not the active unit
    assert counts(enabled(second)) == [0, 0, 0, int(replicated)]
    first.fail_over()
    assert second.forward(flow(source_port=1)) is Verdict.PERMIT
    assert counts(enabled(first)) == [0, 0, 0, 1 + replicated]
    assert second.contexts[""].connections


# --- messages ---------------------------------------------------------------------------------------------------------


def test_denies_without_log_are_told_packet_by_packet() -> None:
    device = asa()
    device.forward(flow(port=23, packets=2))
    keyboard = enabled(device)
    told = messages(keyboard)
    shown = keyboard.type("show access-list INSIDE_IN").splitlines()[2].split()[-1]
    flows = "Deny tcp src inside:10.0.1.7/50000 dst outside:203.0.113.9/23"
    tail = f'by access-group "INSIDE_IN" [{shown}, 0x00000000]'
    assert told == 2 * [f"Mar 02 2026 12:00:00: %ASA-4-106023: {flows} {tail}"]


def test_logged_flows_are_told_first_and_at_the_end_of_their_interval() -> None:
    clock = ManualClock(NOON)
    device = asa(clock=clock)
    keyboard = configuring(device, "no access-list INSIDE_IN extended deny tcp any any eq telnet")
    keyboard.all("access-list INSIDE_IN line 1 extended deny tcp any any eq telnet log 4 interval 60")
    for _ in range(21):
        device.forward(flow(port=23))
    first = messages(keyboard)
    assert len(first) == 1
    assert (
        "%ASA-4-106100: access-list INSIDE_IN denied tcp inside/10.0.1.7(50000) -> outside/203.0.113.9(23)" in first[0]
    )
    assert re.search(r"hit-cnt 1 first hit \[0x[0-9a-f]{8}, 0x00000000\]$", first[0])
    assert "total 1, denied 1 " in keyboard.type("show access-list")
    clock.advance(timedelta(seconds=60))
    assert re.search(r"hit-cnt 20 60-second interval \[0x[0-9a-f]{8}, 0x00000000\]$", messages(keyboard)[-1])
    assert counts(keyboard)[0] == 21


def test_the_cache_of_denied_flows_is_full_at_some_point() -> None:
    device = asa(model=Model(deny_flow_max=2))
    keyboard = configuring(device, "access-list INSIDE_IN line 1 extended deny udp any any log")
    for port in (1, 2, 3):
        device.forward(flow(protocol="udp", port=port))
    told = "%ASA-1-106101: The number of ACL log deny-flows has reached limit (2)."
    assert messages(keyboard)[-1].endswith(told)


@pytest.mark.parametrize(("option", "told"), [("log disable", []), ("log default", ["106023"]), ("log", ["106100"])])
def test_an_entry_says_how_it_is_logged(option: str, told: list[str]) -> None:
    device = asa()
    keyboard = configuring(device, f"access-list INSIDE_IN line 1 extended deny udp any any {option}")
    device.forward(flow(protocol="udp"))
    assert [found for line in messages(keyboard) for found in re.findall(r"-(106\d{3}):", line)] == told


@pytest.mark.parametrize(
    ("switches", "order"),
    [(Switches(), ("element", "entry")), (Switches(element_first=False), ("entry", "element"))],
)
def test_which_hash_comes_first_is_not_settled(switches: Switches, order: tuple[str, str]) -> None:
    device = asa(switches=switches)
    keyboard = enabled(device)
    device.forward(flow(port=25))
    lines = keyboard.type("show access-list INSIDE_IN").splitlines()
    hashes = {"entry": lines[3].split()[-1], "element": lines[4].split()[-1]}
    assert messages(keyboard)[0].endswith(f"[{hashes[order[0]]}, {hashes[order[1]]}]")


def test_a_zero_hash_has_two_forms() -> None:
    device = asa(switches=Switches(short_zero_hash=True))
    device.forward(flow(port=23))
    assert messages(enabled(device))[0].endswith(", 0x0]")


def test_a_site_that_keeps_no_messages_shows_none() -> None:
    device = asa(base=SITE.replace("logging buffered informational", "logging buffered errors"))
    device.forward(flow(port=23))
    assert messages(enabled(device)) == []


def test_messages_have_the_shape_of_captured_ones() -> None:
    device = asa()
    device.forward(flow(port=23))
    device.forward(flow(port=25))
    given = (DATA / "syslog_acl_lines.txt").read_text(encoding="utf-8")
    shapes = {shape(line) for line in given.splitlines()}
    assert {shape(line.split(": ", 1)[1]) for line in messages(enabled(device))} <= shapes


def shape(line: str) -> str:
    """Without what differs from message to message."""
    line = re.sub(r"0x[0-9a-f]+", "HASH", line)
    line = re.sub(r"\b(tcp|udp)\b", "PROTO", re.sub(r"\b(permitted|denied)\b", "VERDICT", line))
    line = re.sub(r'group "[^"]+"', "group NAME", re.sub(r"access-list \S+", "access-list NAME", line))
    return re.sub(r"\b\w+([/:])\d+\.\d+\.\d+\.\d+[(/]\d+\)?", r"IF\1ADDRESS", line)


# --- a packet that is only thought of -------------------------------------------------------------------------------


@pytest.mark.parametrize("counting", [True, False])
def test_a_traced_packet_meets_the_rules_in_order(*, counting: bool) -> None:
    keyboard = enabled(asa(switches=Switches(tracer_counts=counting)))
    trace = f"packet-tracer input inside tcp {HOST} 50000 {FAR}"
    denied = keyboard.type(f"{trace} 23")
    assert "access-list INSIDE_IN extended deny tcp any any eq telnet \n" in denied
    assert "Action: drop\nDrop-reason: (acl-drop) Flow is denied by configured rule\n" in denied
    assert "Action: allow\n" in keyboard.type(f"{trace} 443")
    assert counts(keyboard) == ([1, 0, 0, 1] if counting else [0, 0, 0, 0])
    lost = configuring(asa(), "no access-list INSIDE_IN extended permit ip any any")
    assert "Config:\nImplicit Rule\n" in lost.type(f"{trace} 443")


def test_a_trace_without_a_route_or_typed_wrong_proves_nothing() -> None:
    keyboard = enabled(asa(base=SITE.replace("route outside", "! route outside")))
    assert "Drop-reason: (no-route)" in keyboard.type(f"packet-tracer input inside tcp {HOST} 50000 {FAR} 443")
    for wrong in ("nowhere tcp 10.0.1.7 1 10.0.2.1 2", "inside gre 10.0.1.7 1 10.0.2.1 2", "inside tcp x 1 10.0.2.1 2"):
        assert "Invalid input" in keyboard.type(f"packet-tracer input {wrong}")
    assert "Incomplete command" in keyboard.type("packet-tracer input inside tcp 10.0.1.7 1 10.0.2.1")
