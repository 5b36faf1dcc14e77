"""Traffic through an emulated SRX: which policy decides, what is counted, what is recorded, what the shows say."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from core.clock import ManualClock
from core.net import Address
from lab.emulators.srx import Model, Srx, Switches, User, pair
from lab.emulators.srx.hits import Row
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.srx import DATA, SITE, Keyboard, configuring, operating, srx

POLICY = "security policies global policy"
BOOK = "security address-book global"
MONDAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DENY = (
    f"set {BOOK} address T-1 23.192.0.0/11",
    f"set {BOOK} address T-6 2001:db8:1::/48",
    f"set {BOOK} address-set T address T-1",
    f"set {BOOK} address-set T address T-6",
    f"set {POLICY} T-DENY match source-address any destination-address T application any",
    f"set {POLICY} T-DENY then deny",
    f"set {POLICY} T-DENY then log session-init",
    f"set {POLICY} T-DENY then count",
)
PAIR = "security policies from-zone inside to-zone outside policy"
ZONED = (
    *DENY[:4],
    f"set {PAIR} T-DENY match source-address any destination-address T application any",
    f"set {PAIR} T-DENY then deny",
    f"set {PAIR} T-DENY then count",
    f"set {PAIR} T-DENY then log session-init",
)


def flow(destination: str = "23.192.0.9", source: str = "10.0.1.7", **more: object) -> Flow:
    return Flow(source=ip_address(source), destination=ip_address(destination), **more)  # type: ignore[arg-type]


def with_lines(*lines: str, **options: object) -> Srx:
    device = srx(**options)
    keyboard = configuring(device, *lines)
    assert keyboard.type("commit and-quit").startswith("commit complete")
    keyboard.type("exit")
    return device


def hits(device: Srx) -> dict[str, int]:
    """By name, of policies that somebody configured."""
    lines = operating(device).type("show security policies hit-count").splitlines()
    return {line.split()[3]: int(line.split()[4]) for line in lines if line.split()[:1] and line.split()[0].isdigit()}


def advance(device: Srx, **span: float) -> None:
    assert isinstance(device.clock, ManualClock)
    device.clock.advance(timedelta(**span))


# --- order ------------------------------------------------------------------------------------------------------------


def test_a_global_deny_is_never_reached_by_what_a_zone_policy_permits() -> None:
    device = with_lines(*DENY)
    assert device.forward(flow()) is Verdict.PERMIT  # staff-out
    assert device.forward(flow(source="10.0.9.9")) is Verdict.DENY
    counts = hits(device)
    assert (counts["staff-out"], counts["T-DENY"], counts["default-policy"]) == (1, 1, 0)


def test_a_deny_in_the_wrong_place_gives_other_counts() -> None:
    last, first = with_lines(*ZONED), with_lines(*ZONED, f"insert {PAIR} T-DENY before policy no-telnet")
    for device in (last, first):
        for destination in ("23.192.0.9", "2001:db8:1::9", "198.51.100.9"):
            device.forward(flow(destination, "10.0.1.7" if ":" not in destination else "2001:db8::7"))
    assert (hits(last)["T-DENY"], hits(last)["staff-out"]) == (1, 2)
    assert (hits(first)["T-DENY"], hits(first)["staff-out"]) == (2, 1)


def test_moving_a_policy_keeps_its_index_and_count_but_not_its_number() -> None:
    device = with_lines(*ZONED)
    device.forward(flow(source="10.0.9.9"))
    keyboard = configuring(device, f"insert {PAIR} T-DENY before policy no-telnet")
    keyboard.type("commit")
    shown = keyboard.type("run show security policies from-zone inside to-zone outside")
    assert "Policy: T-DENY, State: enabled, Index: 7, Scope Policy: 0, Sequence number: 1" in shown
    assert "Policy: no-telnet, State: enabled, Index: 4, Scope Policy: 0, Sequence number: 2" in shown
    assert hits(device)["T-DENY"] == 1


def test_a_deleted_and_re_created_policy_counts_from_zero_and_an_edited_one_by_its_switch() -> None:
    for clears, expected in ((False, 2), (True, 1)):
        device = with_lines(*DENY, switches=Switches(edit_clears_hits=clears))
        device.forward(flow(source="10.0.9.9"))
        keyboard = configuring(device, f"delete {POLICY} T-DENY then log")
        keyboard.type("commit")
        device.forward(flow(source="10.0.9.9"))
        assert hits(device)["T-DENY"] == expected
        keyboard.all(f"delete {POLICY} T-DENY")
        keyboard.type("commit")
        keyboard.all(*DENY)
        keyboard.type("commit")
        assert hits(device)["T-DENY"] == 0


def test_global_policies_may_name_zones() -> None:
    device = with_lines(*DENY, f"set {POLICY} T-DENY match from-zone inside", f"set {POLICY} T-DENY match to-zone any")
    device.forward(flow(source="10.0.9.9"))
    device.forward(flow(source="10.0.9.9", inside="outside", outside="inside"))
    assert (hits(device)["T-DENY"], hits(device)["default-policy"]) == (1, 1)


def test_flows_may_name_interfaces_instead_of_zones() -> None:
    device = with_lines(*ZONED)
    device.forward(flow(source="10.0.9.9", inside="ge-0/0/0.0", outside="ge-0/0/1.0"))
    assert hits(device)["T-DENY"] == 1


def test_applications_ranges_wildcards_and_any_of_one_family() -> None:
    device = with_lines(
        f"set {BOOK} address R range-address 192.0.2.5 to 192.0.2.7",
        f"set {BOOK} address W wildcard-address 192.0.3.4/255.255.255.255",
        "set applications application high protocol tcp",
        "set applications application high destination-port 8000-8100",
        "set applications application-set apps application high",
        "set applications application-set apps application junos-dns-udp",
        f"set {POLICY} P match source-address any-ipv4 destination-address [ R W ] application apps",
        f"set {POLICY} P then reject",
    )
    wanted = {
        ("192.0.2.5", "tcp", 8000): True, ("192.0.2.7", "udp", 53): True, ("192.0.2.8", "tcp", 8000): False,
        ("192.0.3.4", "tcp", 8100): True, ("192.0.2.5", "tcp", 8101): False, ("192.0.3.4", "tcp", 53): False,
    }  # fmt: skip
    for (destination, protocol, port), expected in wanted.items():
        before = hits(device)["P"]
        device.forward(flow(destination, "10.0.9.9", protocol=protocol, port=port))
        assert (hits(device)["P"] - before == 1) is expected, destination


def test_an_inactive_policy_is_not_there() -> None:
    device = with_lines(*DENY, f"deactivate {POLICY} T-DENY")
    device.forward(flow(source="10.0.9.9"))
    assert "T-DENY" not in hits(device)
    assert hits(device)["default-policy"] == 1


def test_policies_of_an_applied_group_hold_too_but_print_only_as_inherited() -> None:
    group = "".join(line.replace("set ", "set groups ttb ", 1) + "\n" for line in DENY)
    device = srx(base=SITE + group + "set apply-groups ttb\n")
    assert device.forward(flow(source="10.0.9.9")) is Verdict.DENY
    assert hits(device)["T-DENY"] == 1
    keyboard = operating(device)
    assert "T-DENY" not in keyboard.type("show configuration security policies | display set")
    shown = keyboard.type("show configuration security | display inheritance no-comments | display set")
    assert f"set {POLICY} T-DENY then deny\n" in shown


def test_default_policy_may_permit() -> None:
    device = with_lines("set security policies default-policy permit-all")
    assert device.forward(flow(source="10.0.9.9")) is Verdict.PERMIT


# --- hit counts -------------------------------------------------------------------------------------------------------


def test_rows_stand_in_columns_and_long_names_run_over() -> None:
    name = "N" * 30
    lines = [line.replace("T-DENY", name) for line in DENY]
    device = with_lines(*lines)
    for number in range(3):
        device.forward(flow(source=f"10.0.9.{number}"))
    shown = operating(device).type("show security policies hit-count").splitlines()
    assert shown[:2] == [
        "Logical system: root-logical-system",
        "Index   From zone        To zone           Name           Policy count  Action",
    ]
    rows = {line.split()[3]: line[8:] for line in shown[2:]}
    assert rows["default-policy"] == "all-zone         all-zone          default-policy 0             Deny"
    assert rows["default-http-mux"] == "all-zone         all-zone          default-http-mux 0           Permit"
    assert rows[name] == f"junos-global     junos-global      {name} 3 Deny"
    assert rows["staff-out"] == "inside           outside           staff-out      0             Permit"
    order = [line.split()[3] for line in shown[2:]]
    assert order != ["no-telnet", "staff-out", "web-in", name, "default-policy", "default-http-mux"]


def test_the_older_layout_is_genies_letter_for_letter() -> None:
    """Rows of the capture whose zones were not renamed there."""
    captured = (DATA / "show_security_policies_hit-count_no_action_column.txt").read_text().splitlines()
    wanted = [line for line in captured[2:] if "junos-global" in line]
    base = "".join(
        f"set {POLICY} {line.split()[3]} match {side} any\n" + f"set {POLICY} {line.split()[3]} then permit\n"
        for line in wanted
        for side in ("source-address", "destination-address", "application")
    )
    device = Srx(base=base, model=Model(hit_layout="plain"))
    for line in wanted:
        device.engine.counters[("junos-global", "junos-global"), line.split()[3]].hits = int(line.split()[4])
    shown = operating(device).type("show security policies hit-count").splitlines()
    assert shown[:2] == captured[:2]
    assert sorted(line[9:] for line in shown[2:-2]) == sorted(line[9:] for line in wanted)
    assert [line[:9] for line in shown[2:-2]] == [line[:9] for line in captured[2 : 2 + len(wanted)]]
    assert shown[-1] == f"Number of policy: {len(wanted)}"


def test_the_header_may_be_in_lower_case() -> None:
    shown = operating(srx(model=Model(hit_layout="lower"))).type("show security policies hit-count").splitlines()
    assert shown[1] == "index   from zone        to zone           name           policy count"
    assert shown[-1] == "Number of policy: 3"


def test_hit_counts_can_be_narrowed_and_ordered() -> None:
    device = with_lines(*ZONED)
    device.forward(flow(source="10.0.9.9"))
    device.forward(flow())
    device.forward(flow("198.51.100.9"))
    keyboard = operating(device)

    def names(options: str) -> list[str]:
        shown = keyboard.type(f"show security policies hit-count {options}").splitlines()[2:]
        return [line.split()[3] for line in shown]

    assert sorted(names("from-zone inside to-zone outside")) == ["T-DENY", "no-telnet", "staff-out"]
    assert names("greater-than 1") == ["staff-out"]
    assert names("policy-name T-DENY") == ["T-DENY"]
    assert names("descending")[:2] == ["staff-out", "T-DENY"]
    assert names("from-zone inside to-zone outside ascending")[-1] == "staff-out"
    assert keyboard.type("show security policies hit-count bogus").endswith("^\nunknown command.\n")


def test_several_logical_systems_follow_each_other() -> None:
    device = srx()
    device.other_systems["LSYS1"] = [Row(zones=("a", "b"), name="P", count=7, action="Deny")]
    shown = operating(device).type("show security policies hit-count")
    assert shown.index("Logical system: root-logical-system") < shown.index("Logical system: LSYS1")
    assert shown.endswith("1       a                b                 P              7             Deny\n")


def test_counters_wrap_are_cleared_and_start_again_after_a_reboot() -> None:
    device = with_lines(*DENY)
    counter = device.engine.counters[("junos-global", "junos-global"), "T-DENY"]
    counter.hits = 2**32 - 1
    device.forward(flow(source="10.0.9.9"))
    assert hits(device)["T-DENY"] == 0
    device.forward(flow(source="10.0.9.9"))
    device.forward(flow())
    operating(device).all("clear security policies hit-count from-zone inside to-zone outside")
    assert (hits(device)["T-DENY"], hits(device)["staff-out"]) == (1, 0)
    operating(device).all("clear security policies hit-count")
    assert hits(device)["T-DENY"] == 0
    device.forward(flow(source="10.0.9.9"))
    device.reboot()
    assert hits(device)["T-DENY"] == 0


def test_a_denied_attempt_counts_once_or_by_its_packets() -> None:
    for switch, expected in ((False, 1), (True, 3)):
        device = with_lines(*DENY, switches=Switches(denied_packets=switch))
        device.forward(flow(source="10.0.9.9", packets=3))
        device.forward(flow(packets=3))
        assert (hits(device)["T-DENY"], hits(device)["staff-out"]) == (expected, 1)


# --- the other shows --------------------------------------------------------------------------------------------------


def test_policies_list_as_on_a_vsrx_and_as_in_2019() -> None:
    new = operating(srx()).type("show security policies")
    assert new.startswith(
        "Default policy: deny-all\nDefault policy log Profile ID: 0\nPre ID default policy: permit-all\n"
        "Default HTTP Mux policy: permit-all\nFrom zone: inside, To zone: outside\n"
        "  Policy: no-telnet, State: enabled, Index: 4, Scope Policy: 0, Sequence number: 1, Log Profile ID: 0\n"
        "    Source vrf group: any\n    Destination vrf group: any\n    Source addresses: any\n"
        "    Destination addresses: any\n    Applications: junos-telnet\n    Source identity feeds: any\n"
        "    Destination identity feeds: any\n    Action: deny\n"
    )
    assert "Global policies:\n  Policy: web-in, State: enabled, Index: 6" in new
    old = operating(srx(model=Model(identity_lines=False))).type("show security policies policy-name staff-out")
    assert old == (
        "Default policy: deny-all\nFrom zone: inside, To zone: outside\n"
        "  Policy: staff-out, State: enabled, Index: 5, Scope Policy: 0, Sequence number: 2\n"
        "    Source addresses: staff\n    Destination addresses: any\n    Applications: any\n    Action: permit, log\n"
    )


def test_details_name_addresses_applications_and_what_was_counted() -> None:
    device = with_lines(*DENY, f"set {PAIR} staff-out then count")
    device.forward(flow(packets=5, octets=100), keep_open=True)
    shown = operating(device).type(
        "show security policies from-zone inside to-zone outside policy-name staff-out detail"
    )
    assert (
        "Policy: staff-out, action-type: permit, services-offload:not-configured , State: enabled, Index: 5,"
        " Scope Policy: 0\n  Policy Type: Configured\n  Sequence number: 2\n  From zone: inside, To zone: outside\n"
    ) in shown
    assert "    staff-2(global): 10.0.2.0/24 \n    staff-1(global): 10.0.1.0/24 \n" in shown
    assert "    any-ipv4(global): 0.0.0.0/0 \n    any-ipv6(global): ::/0 \n" in shown
    assert "  Application: any\n    IP protocol: 0, ALG: 0, Inactivity timeout: 0\n" in shown
    assert "  Session log: at-close\n  Policy statistics:\n" in shown
    found = {line.split(":")[0].strip(): line.split(":")[1].split()[0] for line in shown.splitlines() if " : " in line}
    assert (found["Input  bytes"], found["Input  packets"], found["Active sessions"]) == ("500", "5", "1")
    operating(device).all("clear security policies statistics")
    assert "Active sessions    :                    0" in operating(device).type("show security policies detail")
    assert "Policy statistics" not in operating(srx()).type("show security policies detail")


def test_match_policies_tells_what_a_flow_would_hit() -> None:
    keyboard = operating(with_lines(*DENY))
    ends = "source-ip 10.0.9.9 destination-ip 23.192.0.9 source-port 1025 destination-port 443 protocol tcp"
    shown = keyboard.type(f"show security match-policies from-zone inside to-zone outside {ends}")
    assert shown.startswith("Policy: T-DENY, action-type: deny, ")
    assert hits(keyboard.device)["T-DENY"] == 0
    other = ends.replace("23.192.0.9", "198.51.100.9")
    assert "default-policy" in keyboard.type(f"show security match-policies from-zone inside to-zone outside {other}")
    assert keyboard.type(f"show security match-policies {ends}").endswith("^\nmissing mandatory argument.\n")
    bad = ends.replace("10.0.9.9", "10.0.9.999")
    assert "invalid ip address" in keyboard.type(f"show security match-policies from-zone a to-zone b {bad}")


# --- sessions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rematch", "verdict"), [((), "permit"), (("set security policies policy-rematch",), "deny")])
def test_a_new_deny_leaves_open_sessions_alone_unless_rematched(rematch: tuple[str, ...], verdict: str) -> None:
    device = with_lines("set security policies default-policy deny-all", *rematch)
    device.forward(flow(), keep_open=True)
    keyboard = configuring(device, *ZONED, f"insert {PAIR} T-DENY before policy no-telnet")
    keyboard.type("commit")
    assert device.forward(flow()) == verdict
    assert device.forward(flow(source_port=50_001)) is Verdict.DENY


def test_sessions_are_shown_and_cleared_by_hand() -> None:
    device = srx()
    device.forward(flow(), keep_open=True)
    device.forward(flow("198.51.100.9", packets=2), keep_open=True)
    keyboard = operating(device)
    shown = keyboard.type("show security flow session destination-prefix 23.192.0.0/11")
    assert shown == (
        "Session ID: 1, Policy name: staff-out/5, Timeout: 1798, Session State: Valid\n"
        "  In: 10.0.1.7/50000 --> 23.192.0.9/443;tcp, Conn Tag: 0x0, If: ge-0/0/0.0, Pkts: 1, Bytes: 60,\n"
        "  Out: 23.192.0.9/443 --> 10.0.1.7/50000;tcp, Conn Tag: 0x0, If: ge-0/0/1.0, Pkts: 0, Bytes: 0,\n"
        "\nTotal sessions: 1\n"
    )
    assert "1 active sessions cleared" in keyboard.type("clear security flow session destination-prefix 23.192.0.0/11")
    assert keyboard.type("show security flow session summary") == "Total sessions: 1\n"
    other = operating(srx(switches=Switches(clear_takes_prefix=False)))
    assert other.type("clear security flow session destination-prefix 23.192.0.0/11").endswith("unknown command.\n")


# --- schedulers -------------------------------------------------------------------------------------------------------

HOURS = "set schedulers scheduler HOURS"


@pytest.mark.parametrize(
    ("lines", "moments"),
    [
        (("daily start-time 08:00 stop-time 17:00",), {"2026-03-02T07:59": 0, "2026-03-02T08:00": 1,
                                                       "2026-03-07T16:59": 1, "2026-03-02T17:00": 0}),
        (("daily start-time 08:00 stop-time 17:00", "sunday exclude", "saturday all-day"),
         {"2026-03-01T12:00": 0, "2026-03-07T23:00": 1, "2026-03-02T12:00": 1}),
        (("daily start-time 08:00 stop-time 12:00", "daily start-time 13:00 stop-time 17:00"),
         {"2026-03-02T12:30": 0, "2026-03-02T13:30": 1}),
        (("start-date 2026-03-02.10:00 stop-date 2026-03-03.10:00",),
         {"2026-03-02T09:59": 0, "2026-03-02T10:00": 1, "2026-03-03T10:00": 0}),
        (("start-date 03-02.10:00 stop-date 03-03.10:00", "monday start-time 11:00 stop-time 12:00"),
         {"2026-03-02T10:30": 0, "2026-03-02T11:30": 1}),
    ],
)  # fmt: skip
def test_a_policy_holds_in_its_schedulers_hours(lines: tuple[str, ...], moments: Mapping[str, int]) -> None:
    device = with_lines(*(f"{HOURS} {line}" for line in lines), *DENY, f"set {POLICY} T-DENY scheduler-name HOURS")
    for moment, expected in moments.items():
        before = hits(device)["T-DENY"]
        assert isinstance(device.clock, ManualClock)
        device.clock.jump(datetime.fromisoformat(f"{moment}:00+00:00"))
        device.forward(flow(source="10.0.9.9"))
        assert hits(device)["T-DENY"] - before == expected, moment
        state = "enabled" if expected else "inactive"
        assert f"T-DENY, State: {state}," in operating(device).type("show security policies global")


def test_the_devices_own_zone_decides() -> None:
    base = SITE + "set system time-zone America/New_York\n"  # seven in the morning there
    device = with_lines(f"{HOURS} daily start-time 08:00 stop-time 17:00", *DENY,
                        f"set {POLICY} T-DENY scheduler-name HOURS", base=base)  # fmt: skip
    device.forward(flow(source="10.0.9.9"))
    assert hits(device)["T-DENY"] == 0


# --- names ------------------------------------------------------------------------------------------------------------


def test_names_are_looked_up_by_the_box_again_after_their_interval() -> None:
    names: dict[str, tuple[Address, ...]] = {"cdn.example": (ip_address("192.0.2.1"), ip_address("2001:db8::1"))}
    device = with_lines(
        f"set {BOOK} address D dns-name cdn.example ipv4-only",
        f"set {POLICY} P match source-address any destination-address D application any",
        f"set {POLICY} P then deny",
        names=names,
    )
    device.forward(flow("192.0.2.1", "10.0.9.9"))
    device.forward(flow("2001:db8::1", "2001:db8::2"))
    assert hits(device)["P"] == 1
    assert "    D(global): 192.0.2.1/32 \n" in operating(device).type("show security policies policy-name P detail")
    names["cdn.example"] = (ip_address("192.0.2.2"),)
    device.forward(flow("192.0.2.2", "10.0.9.9"))
    assert hits(device)["P"] == 1
    advance(device, seconds=300)
    device.forward(flow("192.0.2.2", "10.0.9.9"))
    assert hits(device)["P"] == 2


def test_without_a_name_server_names_stand_for_nothing_and_of_many_some_may_be_kept() -> None:
    names = {"cdn.example": tuple(ip_address(f"192.0.2.{n}") for n in range(1, 9))}
    lines = (
        f"set {BOOK} address D dns-name cdn.example dns-query-interval 60",
        f"set {POLICY} P match source-address any destination-address D application any",
        f"set {POLICY} P then deny",
    )
    deaf = with_lines(*lines, "delete system name-server 192.0.2.53", names=names)
    deaf.forward(flow("192.0.2.1", "10.0.9.9"))
    assert hits(deaf)["P"] == 0
    few = with_lines(*lines, names=names, switches=Switches(addresses_per_name=2))
    for last in (2, 3):
        few.forward(flow(f"192.0.2.{last}", "10.0.9.9"))
    assert hits(few)["P"] == 1
    old = configuring(srx(model=Model(dns_interval=False, dns_name=63)))
    assert old.type(lines[0]).endswith("^\nsyntax error.\n")
    assert "Must be a valid DNS name" in old.type(f"set {BOOK} address D dns-name {'x' * 64}")


# --- feeds ------------------------------------------------------------------------------------------------------------

FEED = (
    "set security dynamic-address feed-server crowdsec url http://192.168.1.2:41412",
    "set security dynamic-address feed-server crowdsec update-interval 30",
    "set security dynamic-address feed-server crowdsec feed-name crowdsec path /security/blocklist.txt",
    "set security dynamic-address address-name crowdsec-blocklist profile feed-name crowdsec",
    f"set {POLICY} P match source-address any destination-address crowdsec-blocklist application any",
    f"set {POLICY} P then deny",
)


class Web:
    """What feed servers have. Nothing: they are gone."""

    def __init__(self, **files: bytes) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.files:
            raise OSError(url)
        return self.files[url]


URL = "http://192.168.1.2:41412/security/blocklist.txt"


def test_a_feed_is_summed_up_as_crowdsecs_guide_shows_it() -> None:
    web = Web()
    entries = [f"10.{n >> 8}.{n & 255}.1" for n in range(16_240)]
    web.files[URL] = "\n".join([*entries, *entries[:70]]).encode()
    device = with_lines(*FEED, fetch=web.fetch)
    shown = operating(device).type("show security dynamic-address summary")
    captured = (DATA / "show_security_dynamic-address_summary.txt").read_text()
    assert shown.splitlines() == captured.splitlines()[1:]


def test_a_feed_changes_without_a_commit_and_outlives_its_server_for_a_while() -> None:
    web = Web()
    web.files[URL] = b"# ours\n192.0.2.0/25\n2001:db8::/48\nnonsense\n"
    device = with_lines(*FEED, fetch=web.fetch)
    commits = len(device.database.history)

    def denied(destination: str) -> bool:
        before = hits(device)["P"]
        device.forward(flow(destination, "10.0.9.9" if "." in destination else "2001:db8:9::1"))
        return hits(device)["P"] - before == 1

    assert [denied("192.0.2.1"), denied("2001:db8::1"), denied("192.0.2.200")] == [True, True, False]
    web.files[URL] = b"192.0.2.128/25\n"
    advance(device, seconds=29)
    assert denied("192.0.2.1")
    advance(device, seconds=1)
    assert [denied("192.0.2.1"), denied("192.0.2.200")] == [False, True]
    web.files.clear()
    advance(device, seconds=86_399)
    assert denied("192.0.2.200")
    advance(device, seconds=60)
    assert not denied("192.0.2.200")
    assert len(device.database.history) == commits


def test_entries_are_listed_by_family() -> None:
    web = Web()
    web.files[URL] = b"192.0.2.0/25\n2001:db8::/48\n"
    keyboard = operating(with_lines(*FEED, fetch=web.fetch))
    assert "Total number of matching entries: 2\n" in keyboard.type("show security dynamic-address")
    shown = keyboard.type("show security dynamic-address address-name crowdsec-blocklist family inet")
    assert "192.0.2.0 " in shown
    assert "192.0.2.127 " in shown
    assert "2001:db8" not in shown
    assert keyboard.type("request security dynamic-address update").endswith("unknown command.\n")


def test_a_bundle_holds_several_feeds() -> None:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, body in (("bundle/a", b"192.0.2.0/24\n"), ("bundle/b", b"198.51.100.0/24\n")):
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    web = Web()
    web.files["http://192.168.1.202/bundle.tgz"] = held.getvalue()
    base = "security dynamic-address"
    device = with_lines(
        f"set {base} feed-server w url http://192.168.1.202/bundle.tgz",
        *(f"set {base} feed-server w feed-name {n} path bundle/{n}" for n in ("a", "b", "gone")),
        f"set {base} address-name A profile feed-name a",
        f"set {POLICY} P match source-address any destination-address A application any",
        f"set {POLICY} P then deny",
        fetch=web.fetch,
    )
    shown = operating(device).type("show security dynamic-address summary")
    assert shown.count("Total IPv4 entries                : 1\n") == 2
    assert device.forward(flow("192.0.2.9", "10.0.9.9")) is Verdict.DENY


def test_a_feeds_name_cannot_be_an_addresss_too() -> None:
    keyboard = configuring(srx(), *FEED[:3], "set security dynamic-address address-name web profile feed-name crowdsec")
    assert keyboard.type("commit").endswith("error: configuration check-out failed\n")
    wrong = "set security dynamic-address feed-server seventeen-letters"
    assert "Must be" in keyboard.type(wrong)


# --- records ----------------------------------------------------------------------------------------------------------

EVENTS = SITE + "set system syslog file traffic any any\nset system syslog file traffic match RT_FLOW\n"


def test_records_have_the_shape_of_published_ones() -> None:
    device = with_lines(*DENY, f"set {PAIR} staff-out then log session-init", base=EVENTS)
    device.forward(flow(source="10.0.9.9", protocol="udp", port=53))
    device.forward(flow("198.51.100.9", port=22, packets=3))
    shown = operating(device).type("show log traffic").splitlines()
    assert shown == [
        (
            "Mar  2 12:00:00 edge RT_FLOW: RT_FLOW_SESSION_DENY: session denied 10.0.9.9/50000->23.192.0.9/53"
            " junos-dns-udp 17(0) T-DENY(global) inside outside UNKNOWN UNKNOWN N/A(N/A) ge-0/0/0.0 UNKNOWN policy deny"
        ),
        (
            "Mar  2 12:00:00 edge RT_FLOW: RT_FLOW_SESSION_CREATE: session created 10.0.1.7/50000->198.51.100.9/22"
            " junos-ssh 10.0.1.7/50000->198.51.100.9/22 None None 6 staff-out inside outside 2 N/A(N/A) ge-0/0/0.0"
        ),
        (
            "Mar  2 12:00:00 edge RT_FLOW: RT_FLOW_SESSION_CLOSE: session closed TCP FIN: 10.0.1.7/50000->198.51.100.9"
            "/22 junos-ssh 10.0.1.7/50000->198.51.100.9/22 None None 6 staff-out inside outside 2 3(180) 3(180) 1"
            " UNKNOWN UNKNOWN N/A(N/A) ge-0/0/0.0 No "
        ),
    ]
    captured = (DATA / "rt_flow_unstructured.log").read_text().splitlines()
    for ours, theirs in ((shown[0], captured[2]), (shown[1], captured[1]), (shown[2], captured[0])):
        start = "RT_FLOW_SESSION"
        assert len(ours[ours.index(start) :].split(" ")) == len(theirs[theirs.index(start) :].split(" "))


def test_structured_records_name_their_fields() -> None:
    device = with_lines(*DENY, "set security log format sd-syslog", base=EVENTS)
    device.forward(flow(source="10.0.9.9", packets=2))
    line = operating(device).type("show log traffic | match SESSION_DENY")
    assert line.startswith("<14>1 2026-03-02T12:00:00.000+00:00 edge RT_FLOW - RT_FLOW_SESSION_DENY [junos@2636.")
    for field in ('policy-name="T-DENY(global)"', 'source-address="10.0.9.9"', 'reason="Denied by policy"'):
        assert field in line


def test_where_records_do_not_go() -> None:
    streamed = with_lines(*DENY, "set security log mode stream", base=EVENTS)
    streamed.forward(flow(source="10.0.9.9"))
    assert operating(streamed).type("show log traffic") == ""
    device = with_lines(*DENY, f"delete {POLICY} T-DENY then log", base=EVENTS)
    device.forward(flow(source="10.0.9.9"))
    assert operating(device).type("show log traffic") == ""
    assert operating(device).type("show log messages") == ""
    assert "could not resolve file" in operating(device).type("show log nothing")
    device.users["view"] = User(password="x", logs=False)
    assert operating(device, "view").type("show log traffic") == "error: permission denied: log\n"
    old = with_lines(*DENY, base=EVENTS, model=Model(deny_reason=False))
    old.forward(flow(source="10.0.9.9"))
    assert operating(old).type("show log traffic").endswith(" UNKNOWN\n")


# --- the cluster ------------------------------------------------------------------------------------------------------


def cluster(**options: object) -> tuple[Srx, Srx]:
    clock = ManualClock(MONDAY)
    nodes = srx(clock=clock, **options), srx(name="edge-b", clock=clock, **options)
    pair(*nodes)
    return nodes


def test_a_cluster_shows_who_is_primary_above_its_prompts() -> None:
    first, second = cluster()
    keyboard = operating(first)
    assert keyboard.prompt == "{primary:node0}\r\nadmin@edge> "
    keyboard.type("configure exclusive")
    assert keyboard.prompt == "{primary:node0}[edit]\r\nadmin@edge# "
    assert operating(second).prompt == "{secondary:node1}\r\nadmin@edge> "
    split, _ = cluster(switches=Switches(cluster_banner="split"))
    assert configuring(split).prompt == "{primary:node0}\r\n[edit]\r\nadmin@edge# "


def test_nodes_share_configuration_and_lock_but_not_counters() -> None:
    first, second = cluster()
    keyboard = configuring(first, *DENY)
    assert "locked by" in operating(second).type("configure exclusive")
    assert keyboard.type("commit") == (
        "node0:\nconfiguration check succeeds\nnode1:\ncommit complete\nnode0:\ncommit complete\n"
    )
    assert first.forward(flow(source="10.0.9.9")) is Verdict.DENY
    second.forward(flow(source="10.0.9.9"))
    shown = operating(second).type("show security policies hit-count")
    node0, node1 = shown.split("\nnode1:\n")
    assert node0.startswith(f"node0:\n{'-' * 74}\nLogical system: root-logical-system\n")
    assert node1.startswith(f"{'-' * 74}\nLogical system: root-logical-system\n")
    for text, count in ((node0, 1), (node1, 0)):
        row = next(line for line in text.splitlines() if "T-DENY" in line)
        assert row.split()[4] == str(count)
    plain, _ = cluster(switches=Switches(commit_nodes=False))
    assert configuring(plain).type("commit") == "commit complete\n"


def test_a_failover_moves_sessions_and_keeps_counts_and_a_reboot_of_a_node_forgets_its_own() -> None:
    first, second = cluster()
    first.forward(flow(), keep_open=True)
    first.fail_over()
    assert operating(second).prompt.startswith("{primary:node1}")
    assert second.forward(flow()) is Verdict.PERMIT
    counts = [each.engine.counters[("inside", "outside"), "staff-out"].hits for each in (first, second)]
    assert counts == [1, 0]
    second.forward(flow(source_port=50_001))
    second.reboot()
    assert first.state == "primary"
    assert second.engine.counters[("inside", "outside"), "staff-out"].hits == 0


def test_cluster_status_is_ntc_templates_table_and_a_single_box_says_there_is_none() -> None:
    first, second = cluster()
    captured = (DATA / "show_chassis_cluster_status.txt").read_text().splitlines()
    first.failovers, second.down = 1, True
    shown = operating(first).type("show chassis cluster status").splitlines()
    end = next(at for at, line in enumerate(captured) if line.startswith("node1")) + 1
    assert shown[:end] == [line.replace("node0  100", "node0  200") for line in captured[:end]]
    assert operating(srx()).type("show chassis cluster status") == "error: Chassis cluster is not enabled\n"
    second.down = False
    assert "node1  100      secondary" in operating(first).type("show chassis cluster status")


def test_a_plain_keyboard_pages() -> None:
    keyboard = Keyboard(srx())
    keyboard.type("set cli screen-length 5")
    shown = keyboard.raw("show configuration security\r")
    assert shown.endswith("---(more)---")
    assert shown.count("\r\n") == 5
    assert keyboard.raw(" ").endswith("---(more)---")
    assert keyboard.raw("q").endswith("admin@edge> ")
    assert "---(more)---" not in keyboard.type("show configuration security | no-more")


def test_long_lines_scroll_behind_dots_at_the_default_width() -> None:
    keyboard = Keyboard(srx())
    line = "show configuration security address-book global address-set staff description | no-more"
    shown = keyboard.raw(f"{line}\r")
    assert "\radmin@edge> ..." in shown
    wide = operating(srx())
    assert wide.raw(f"{line}\r").startswith(f"{line} \r\n")
