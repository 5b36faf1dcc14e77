"""Traffic through an emulated PAN-OS firewall: who decides, what is counted, logged and shown; lists, names, a pair."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from core.clock import ManualClock
from lab.emulators.panos import PA_5250, Model, PanOs, Switches, pair
from lab.emulators.panos.traffic import Hits, Stamp
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.panos import DATA, NOON, SITE, configuring, operating, panos

TIKTOK = "203.0.113.7"
DENY = "from any to any application any service any action deny log-end yes tag house"
SHOW_HITS = "show rule-hit-count vsys vsys-name vsys1 rule-base security rules"


def flow(destination: str = TIKTOK, source: str = "10.0.1.5", **options: Any) -> Flow:
    return Flow(source=ip_address(source), destination=ip_address(destination), **options)


def denying(device: PanOs, *lines: str, place: str = "top") -> None:
    """A rule DENY above or below the site's own, committed."""
    commit(
        device,
        f"set address blocked ip-netmask {TIKTOK}",
        f"set rulebase security rules DENY source any destination blocked {DENY}",
        f"move rulebase security rules DENY {place}",
        *lines,
    )


def commit(device: PanOs, *lines: str) -> None:
    said = configuring(device, *lines).type("commit")
    assert "committed successfully" in said, said


def hits(device: PanOs) -> dict[str, int]:
    """Counts by rule, as `show rule-hit-count` prints them."""
    rows = operating(device).type(f"{SHOW_HITS} all").strip("\n").splitlines()[2:]
    return {row[:65].rstrip(): int(row[65:77]) for row in rows}


# --- which rule -------------------------------------------------------------------------------------------------------


def test_nothing_changes_for_traffic_before_the_commit() -> None:
    device = panos()
    keyboard = configuring(device, "set rulebase security rules OUT action deny")
    assert device.forward(flow()) is Verdict.PERMIT
    keyboard.type("commit")
    assert device.forward(flow()) is Verdict.DENY


@pytest.mark.parametrize(("place", "verdict", "counts"), [
    ("top", Verdict.DENY, {"DENY": 3, "DNS out": 0, "OUT": 0}),
    ("bottom", Verdict.PERMIT, {"DNS out": 0, "OUT": 3, "DENY": 0}),
])  # fmt: skip
def test_a_rule_in_the_wrong_place_counts_nothing(place: str, verdict: Verdict, counts: Mapping[str, int]) -> None:
    device = panos()
    denying(device, place=place)
    assert [device.forward(flow(packets=9)) for _ in range(3)] == [verdict] * 3
    assert hits(device) == {**counts, "intrazone-default": 0, "interzone-default": 0}


def test_without_a_rule_the_zones_decide() -> None:
    device = panos()
    assert device.forward(flow(source="172.16.0.1")) is Verdict.DENY
    assert device.forward(flow(source="172.16.0.1", outside="inside")) is Verdict.PERMIT
    assert hits(device) == {"DNS out": 0, "OUT": 0, "intrazone-default": 1, "interzone-default": 1}


RULES = {
    "destination 203.0.113.0/24": True,
    "destination 203.0.113.1-203.0.113.9": True,
    "destination wild": True,
    "destination 203.0.114.0/24": False,
    "destination nested": True,
    "destination dyn": True,
    "destination blocked negate-destination yes": False,
    "source STAFF": True,
    "source lab": False,
    "source STAFF negate-source yes": False,
    "service service-https": True,
    "service service-http": False,
    "service S_TCP_25": False,
    "service application-default": True,
    "service mixed": True,
    "application ssl": True,
    "application [ dns ssl ]": True,
    "application web-browsing": False,
    "from inside": True,
    "from outside": False,
    "to outside": True,
    "rule-type intrazone": False,
    "rule-type interzone": True,
    "disabled yes": False,
    "source-user people": False,
    "schedule NIGHTS": False,
    "schedule NOON": True,
    "schedule MONDAYS": True,
    "schedule ONCE": True,
    "schedule OVER": False,
}


@pytest.mark.parametrize("attributes", RULES)
def test_a_rule_takes_what_all_its_attributes_take(attributes: str) -> None:
    device = panos()
    given = dict.fromkeys(("from", "to", "source", "destination", "application", "service"), "any")
    words = attributes.split(" ", 2) if "[" not in attributes else attributes.split(" ", 1)
    given[words[0]] = words[1]
    rest, joined = " ".join(words[2:]), " ".join(f"{name} {value}" for name, value in given.items())
    commit(
        device,
        f"set address blocked ip-netmask {TIKTOK} tag house",
        "set address wild ip-wildcard 203.0.113.7/0.0.255.0",
        "set address-group inner static blocked",
        "set address-group nested static inner",
        "set address-group dyn dynamic filter \"'house' and ( 'house' or 'x' )\"",
        "set service high protocol tcp port 1-79,400-500 source-port 50000",
        "set service-group mixed members [ S_TCP_25 high ]",
        "set schedule NOON schedule-type recurring daily 11:30-12:30",
        "set schedule MONDAYS schedule-type recurring weekly monday [ 08:00-09:00 12:00-12:01 ]",
        "set schedule ONCE schedule-type non-recurring 2026/03/02@12:00-2026/03/03@00:00",
        "set schedule OVER schedule-type non-recurring 2026/03/01@12:00-2026/03/02@12:00",
        f"set rulebase security rules R {joined} action drop {rest}",
        "move rulebase security rules R top",
    )
    assert (device.forward(flow()) is Verdict.DENY) is RULES[attributes]


@pytest.mark.parametrize("inclusive", [False, True])
def test_the_last_minute_of_a_schedule_may_belong_to_it(inclusive: bool) -> None:
    clock = ManualClock(NOON + timedelta(hours=11))
    device = panos(clock=clock, switches=Switches(schedule_end_inclusive=inclusive))
    denying(device, "set rulebase security rules DENY schedule NIGHTS")
    assert (device.forward(flow()) is Verdict.DENY) is inclusive
    clock.advance(timedelta(minutes=1))
    assert device.forward(flow()) is Verdict.PERMIT


def test_the_device_s_own_zone_counts() -> None:
    device = panos(base=SITE.replace("timezone UTC", "timezone Asia/Tokyo"))
    denying(device, "set rulebase security rules DENY schedule NIGHTS")
    assert device.forward(flow()) is Verdict.DENY  # 21:00 in Tokyo


# --- hit counts -------------------------------------------------------------------------------------------------------


def test_counts_outlive_a_restart_and_end_with_a_new_name() -> None:
    device = panos()
    denying(device)
    device.forward(flow())
    device.reboot()
    assert hits(device)["DENY"] == 1
    commit(device, "rename rulebase security rules DENY to STOP")
    assert hits(device)["STOP"] == 0
    device.forward(flow())
    commit(device, "set rulebase security rules STOP description other")
    assert hits(device)["STOP"] == 1


def test_named_rules_alone_are_shown() -> None:
    keyboard = operating(panos())
    assert len(keyboard.type(f'{SHOW_HITS} rule-name "DNS out"').splitlines()) == 5
    assert len(keyboard.type(f'{SHOW_HITS} list [ OUT "DNS out" ]').splitlines()) == 6
    for wrong in (f"{SHOW_HITS} list OUT", f"{SHOW_HITS}", SHOW_HITS.replace("vsys1", "vsys9") + " all"):
        assert keyboard.type(wrong).endswith("Invalid syntax.\n\n")


def test_the_published_table() -> None:
    """The six rules of the published output, with its counts and its dates, print as it does, to the byte."""
    published = (DATA / "show_rule-hit-count_all.txt").read_text().splitlines()[2:-1]
    rows = [(row[:65].rstrip(), int(row[65:77]), [row[at : at + 26].strip() for at in range(77, 207, 26)])
            for row in published[2:]]  # fmt: skip
    base = "set zone a\n" + "".join(f'set rulebase security rules "{name}" action allow\n' for name, _, _ in rows)
    device = PanOs("PA-220", base=base, clock=ManualClock(NOON))
    for name, count, dates in rows:
        last, reset, first, created, modified = map(moment, dates)
        uuid = device.running.rules("vsys1")[name].uuid
        device.plane.hits[uuid] = Hits(count=count, first=first, last=last, reset=reset)
        assert created is not None
        assert modified is not None
        device.plane.stamps[uuid] = Stamp(created=created, modified=modified)
    shown = operating(device).type(f"{SHOW_HITS} all").strip("\n").splitlines()
    assert shown[: len(published)] == published
    assert [row.split()[0] for row in shown[len(published) :]] == ["intrazone-default", "interzone-default"]


def moment(text: str) -> datetime | None:
    return None if text == "-" else datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)


def test_programs_may_ask_for_xml() -> None:
    device = panos()
    denying(device)
    device.forward(flow())
    keyboard = operating(device)
    keyboard.all("set cli op-command-xml-output on")
    at = int(NOON.timestamp())
    assert keyboard.type(f"{SHOW_HITS} rule-name DENY").strip() == (
        '<response status="success"><result><rule-hit-count><vsys><entry name="vsys1"><rule-base>'
        '<entry name="security"><rules><entry name="DENY"><latest>yes</latest><hit-count>1</hit-count>'
        f"<last-hit-timestamp>{at}</last-hit-timestamp><last-reset-timestamp>0</last-reset-timestamp>"
        f"<first-hit-timestamp>{at}</first-hit-timestamp><rule-creation-timestamp>{at}</rule-creation-timestamp>"
        f"<rule-modification-timestamp>{at}</rule-modification-timestamp></entry></rules></entry></rule-base></entry>"
        "</vsys></rule-hit-count></result></response>"
    )


@pytest.mark.parametrize(("version", "works"), [("9.1.2", False), ("10.1.6", True)])
def test_all_virtual_systems_at_once_is_of_newer_releases(version: str, works: bool) -> None:
    said = operating(panos(model=Model(version=version))).type(
        "show rule-hit-count vsys all rule-base security rules all"
    )
    assert said.startswith("\nVsys        Rule Name") is works
    assert ("Rule UUID" in said) is works


def test_an_old_table_has_three_columns_and_counting_may_be_off() -> None:
    device = panos(switches=Switches(hit_columns="three"))
    device.mishaps.hit_counts_off = True
    device.forward(flow())
    header, _, *rows = operating(device).type(f"{SHOW_HITS} all").strip("\n").splitlines()
    assert header.split("  ")[-1].strip() == "Last Hit Timestamp"
    assert {row[65:].split()[0] for row in rows} == {"0"}


def test_many_rules_answer_slowly() -> None:
    device = panos()
    device.mishaps.hit_query_takes = 0.5
    assert operating(device).cli.answer(f"{SHOW_HITS} all").seconds == 2.0


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_an_open_session_ends_when_a_commit_denies_it() -> None:
    device = panos()
    device.forward(flow(), keep_open=True)
    device.forward(flow(), keep_open=True)
    assert hits(device)["OUT"] == 1
    keyboard = operating(device)
    assert f"{TIKTOK}[443]/outside" in keyboard.type(f"show session all filter destination {TIKTOK}")
    denying(device)
    assert keyboard.type("show session all") == "\nNo Active Sessions\n\n"
    assert device.forward(flow()) is Verdict.DENY


@pytest.mark.parametrize("why", ["switch", "setting"])
def test_or_goes_on(why: str) -> None:
    device = panos(switches=Switches(sessions_survive=why == "switch"))
    if why == "setting":
        commit(device, "set deviceconfig setting config rematch no")
    device.forward(flow(), keep_open=True)
    denying(device)
    assert device.forward(flow()) is Verdict.PERMIT
    keyboard = operating(device)
    assert keyboard.type(f"clear session all filter destination {TIKTOK}") == "\nsessions cleared\n\n"
    assert device.forward(flow()) is Verdict.DENY
    assert keyboard.type("clear session all filter nonsense x").endswith("Invalid syntax.\n\n")


# --- the log ----------------------------------------------------------------------------------------------------------


def test_the_log_tells_who_was_denied() -> None:
    clock = ManualClock(NOON)
    device = panos(clock=clock)
    denying(device)
    device.forward(flow())
    clock.advance(timedelta(hours=1))
    device.forward(flow("192.0.2.99", source="10.0.2.3"))
    device.forward(flow(source="10.0.1.6", port=80))
    keyboard = operating(device)

    def sources(line: str) -> list[str]:
        said = keyboard.type(f"show log traffic {line} csv-output equal yes").strip()
        return [row.split(",")[7] for row in said.splitlines()]

    assert sources("direction equal backward") == ["10.0.1.6", "10.0.2.3", "10.0.1.5"]
    assert sources("direction equal forward rule equal DENY") == ["10.0.1.5", "10.0.1.6"]
    assert sources("action equal deny start-time equal 2026/03/02@12:30:00") == ["10.0.1.6"]
    assert sources("end-time equal 2026/03/02@12:30:00") == ["10.0.1.5"]
    assert sources("src in 10.0.2.0/24") == ["10.0.2.3"]
    assert sources("dst in 203.0.113.0/24 app equal web-browsing") == ["10.0.1.6"]
    query = "query equal \"( rule eq 'DENY' ) and ( receive_time in last-24-hrs )\""
    assert sources(query) == ["10.0.1.5", "10.0.1.6"]
    for wrong in ("nonsense equal x", "rule equal", "start-time equal yesterday", "query equal x", "src in x"):
        assert keyboard.type(f"show log traffic {wrong}").endswith("Invalid syntax.\n\n")


@pytest.mark.parametrize("action", ["deny", "drop", "reset-both"])
@pytest.mark.parametrize("subtype", ["drop", "deny"])
def test_what_a_denied_session_is_called(action: str, subtype: Any) -> None:
    device = panos(switches=Switches(rule_deny_subtype=subtype))
    denying(device, f"set rulebase security rules DENY action {action}")
    device.forward(flow())
    row = operating(device).type("show log traffic csv-output equal yes").strip().split(",")
    assert (row[4], row[30]) == ("drop" if action == "drop" else subtype, action)


def test_an_entry_has_the_fields_of_the_published_message() -> None:
    """Of a PAN-OS 10: as many, and alike where they can be."""
    device = panos(switches=Switches(csv_header=True))
    denying(device)
    device.forward(flow())
    header, row = operating(device).type("show log traffic csv-output equal yes").strip().splitlines()
    published = (DATA / "syslog_traffic_lines.txt").read_text().splitlines()[1].split(" - - - - ")[1].split(",")
    mine = row.split(",")
    assert len(mine) == len(published)
    assert [mine[at] for at in (3, 7, 8, 11, 15, 16, 17, 24, 25, 29, 30)] == [
        "TRAFFIC", "10.0.1.5", TIKTOK, "DENY", "vsys1", "inside", "outside", "50000", "443", "tcp", "deny",
    ]  # fmt: skip
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", mine[-2])
    assert header.split(",")[11] == "Rule"


def test_rules_say_what_is_logged() -> None:
    device = panos()
    denying(device, "set rulebase security rules DENY log-end no", "set rulebase security rules OUT log-start yes")
    device.forward(flow())
    device.forward(flow("192.0.2.99"))
    device.forward(flow("192.0.2.98", source="172.16.0.1"))  # by a default rule: not logged
    keyboard = operating(device)
    rows = keyboard.type("show log traffic csv-output equal yes").strip().splitlines()
    assert [row.split(",")[4] for row in rows] == ["start", "end"]
    assert "OUT                 allow" in keyboard.type("show log traffic")


@pytest.mark.parametrize("known", [True, False])
def test_a_query_may_be_unknown(known: bool) -> None:
    said = operating(panos(switches=Switches(log_query=known))).type("show log traffic query equal \"( rule eq 'x' )\"")
    assert said.endswith("Invalid syntax.\n\n") is not known


# --- the compiled policy ----------------------------------------------------------------------------------------------

COMPILED = """\
set zone Trust network layer3 ethernet1/1
set zone Untrust network layer3 ethernet1/2
set zone DMZ network layer3 ethernet1/3
set service web protocol tcp port 8000,80,8080
set service dns53 protocol udp port 53
set address resolver1 ip-netmask 8.8.8.8
set address resolver2 ip-netmask 8.8.4.4/32
set address-group resolvers static [ resolver1 resolver2 ]
set rulebase security rules "Outside Web Server" from Trust
set rulebase security rules "Outside Web Server" to Untrust
set rulebase security rules "Outside Web Server" source 10.1.1.0/24
set rulebase security rules "Outside Web Server" destination 200.10.10.10
set rulebase security rules "Outside Web Server" application any
set rulebase security rules "Outside Web Server" service web
set rulebase security rules "Outside Web Server" action allow
set rulebase security rules "ICMP Any" from Trust
set rulebase security rules "ICMP Any" to Untrust
set rulebase security rules "ICMP Any" source any
set rulebase security rules "ICMP Any" destination any
set rulebase security rules "ICMP Any" application [ icmp ping ]
set rulebase security rules "ICMP Any" service application-default
set rulebase security rules "ICMP Any" action allow
set rulebase security rules "DNS Outbound" from Trust
set rulebase security rules "DNS Outbound" to Untrust
set rulebase security rules "DNS Outbound" source 10.1.1.0/24
set rulebase security rules "DNS Outbound" destination resolvers
set rulebase security rules "DNS Outbound" application dns
set rulebase security rules "DNS Outbound" service dns53
set rulebase security rules "DNS Outbound" action allow
set rulebase security rules "Inbound to DMZ Web" from Untrust
set rulebase security rules "Inbound to DMZ Web" to DMZ
set rulebase security rules "Inbound to DMZ Web" source any
set rulebase security rules "Inbound to DMZ Web" destination 200.10.10.100
set rulebase security rules "Inbound to DMZ Web" application any
set rulebase security rules "Inbound to DMZ Web" service web
set rulebase security rules "Inbound to DMZ Web" action allow
set rulebase security rules "not on" disabled yes
set rulebase security rules "Inbound to DMZ Deny" from Untrust
set rulebase security rules "Inbound to DMZ Deny" to DMZ
set rulebase security rules "Inbound to DMZ Deny" source any
set rulebase security rules "Inbound to DMZ Deny" destination any
set rulebase security rules "Inbound to DMZ Deny" application any
set rulebase security rules "Inbound to DMZ Deny" service any
set rulebase security rules "Inbound to DMZ Deny" action deny
"""


def test_the_published_policy() -> None:
    device = PanOs(base=COMPILED, clock=ManualClock(NOON), model=Model(version="8.1.5"))
    published = (DATA / "show_running_security-policy.txt").read_text()
    assert operating(device).type("show running security-policy").strip("\n") == published.strip("\n")


def test_a_newer_release_numbers_the_rules_and_misspells() -> None:
    shown = operating(PanOs(base=COMPILED, clock=ManualClock(NOON))).type("show running security-policy").splitlines()
    assert shown[1] == '"Outside Web Server; index: 1" {'
    assert "        destinataion-device any;" in shown
    assert "        application/service [ 0:any/tcp/any/8000 0:any/tcp/any/80 0:any/tcp/any/8080 ];" in shown


def test_one_may_ask_which_rule_would_take_a_flow() -> None:
    device = panos()
    denying(device)
    keyboard = operating(device)
    asked = f"test security-policy-match from inside to outside source 10.0.1.5 destination {TIKTOK} protocol 6"
    assert keyboard.type(f"{asked} destination-port 443").splitlines()[1] == '"DENY; index: 1" {'
    assert keyboard.type(asked.replace(TIKTOK, "192.0.2.9")).splitlines()[1] == '"OUT; index: 3" {'
    other = keyboard.type(asked.replace("10.0.1.5", "172.16.0.1").replace(TIKTOK, "192.0.2.9"))
    assert other.splitlines()[1] == '"interzone-default; index: 5" {'
    assert keyboard.type("test security-policy-match source x").endswith("Invalid syntax.\n\n")
    assert hits(device)["DENY"] == 0


# --- external dynamic lists -------------------------------------------------------------------------------------------


class Server:
    """What a list's server holds, and whether it answers."""

    def __init__(self, text: str) -> None:
        self.text, self.trouble = text, dict[str, Exception]()
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if "any" in self.trouble:
            raise self.trouble["any"]
        return self.text.encode()


URL = "https://feed.example.net/ip.txt"
FEED = (
    f"set external-list FEED type ip url {URL} recurring five-minute",
    "set external-list FEED type ip certificate-profile FEED_CA",
)
USE = (
    f"set rulebase security rules DENY source any destination FEED {DENY}",
    "move rulebase security rules DENY top",
)
SHOW_FEED = "request system external-list show type ip name FEED"


def test_a_list_is_pulled_once_a_rule_uses_it_and_then_again_without_a_commit() -> None:
    clock, server = ManualClock(NOON), Server(f"{TIKTOK}\n# remark\n192.0.2.0/28 some words\nnonsense\n")
    device = panos(clock=clock, fetch=server)
    commit(device, *FEED)
    assert server.asked == []
    keyboard = operating(device)
    assert "Total valid entries     : 0\n" in keyboard.type(SHOW_FEED)
    commit(device, *USE)
    assert server.asked == [URL]
    assert keyboard.type(SHOW_FEED) == (
        "\nFEED\n"
        "        Total valid entries     : 2\n        Total ignored entries   : 1\n"
        "        Total invalid entries   : 1\n        Total displayed entries : 2\n"
        "        Valid ips:\n                203.0.113.7/32\n                192.0.2.0/28\n\n"
    )
    assert device.forward(flow()) is Verdict.DENY
    server.text = "192.0.2.0/28\n10.9.0.1-10.9.0.3\n2001:db8::/32"
    assert device.forward(flow()) is Verdict.DENY
    clock.advance(timedelta(minutes=5))
    assert device.forward(flow()) is Verdict.PERMIT
    assert device.forward(flow("10.9.0.2")) is Verdict.DENY
    assert "EDLRefresh" in keyboard.type("show jobs all")


def test_it_may_be_pulled_at_once() -> None:
    server = Server("192.0.2.1")
    device = panos(fetch=server)
    commit(device, *FEED, *USE)
    server.text = TIKTOK
    keyboard = operating(device)
    assert keyboard.type(SHOW_FEED.replace("show", "refresh")) == "\nEDL refresh job enqueued\n\n"
    assert device.forward(flow()) is Verdict.DENY
    for wrong in ("type domain name FEED", "type ip name nosuch"):
        assert keyboard.type(f"request system external-list show {wrong}") == "Server error : No such node\n\n"


@pytest.mark.parametrize(
    ("trouble", "verdict", "told"),
    [
        (ConnectionRefusedError(), Verdict.DENY, "Unable to fetch external list. Using old copy for refresh."),
        (PermissionError(), Verdict.PERMIT, "Authentication failed"),
    ],
)
def test_a_server_that_is_away_leaves_the_old_copy_and_one_that_refuses_empties_it(
    trouble: Exception, verdict: Verdict, told: str
) -> None:
    clock, server = ManualClock(NOON), Server(TIKTOK)
    device = panos(clock=clock, fetch=server)
    commit(device, *FEED, *USE)
    server.trouble["any"] = trouble
    clock.advance(timedelta(minutes=5))
    assert device.forward(flow()) is verdict
    device.reboot()
    assert device.forward(flow()) is verdict
    job = next(job for job in device.jobs[::-1] if job.kind == "EDLRefresh")
    assert (job.ok, job.details) == (False, (told,))
    assert told in operating(device).type(f"show jobs id {job.id}")
    server.trouble.clear()
    clock.advance(timedelta(minutes=5))
    assert device.forward(flow()) is Verdict.DENY


def test_a_list_without_a_certificate_profile_warns() -> None:
    keyboard = configuring(panos(fetch=Server("")), FEED[0])
    assert keyboard.type("commit").endswith(
        "Configuration committed successfully\n"
        "Warning: External Dynamic List FEED is configured with no certificate profile."
        " Please select a certificate profile for performing server certificate validation.\n\n"
    )


def test_what_exceeds_the_platform_is_skipped_and_a_long_list_is_shown_in_part() -> None:
    server = Server("\n".join(f"10.9.0.{at}" for at in range(9)))
    device = panos(fetch=server, model=Model(list_ips=7, list_shown=3), switches=Switches(list_host_mask=False))
    commit(device, *FEED, *USE)
    shown = operating(device).type(SHOW_FEED)
    assert [line.split()[-1] for line in shown.splitlines()[2:6]] == ["7", "2", "0", "3"]
    assert shown.splitlines()[-2].strip() == "10.9.0.2"
    assert device.plane.feeds.log == ["EDL(FEED) 2 entries exceed the platform capacity and are skipped"]


def test_a_list_may_be_shown_with_its_state() -> None:
    device = panos(fetch=Server(TIKTOK), switches=Switches(list_header=True))
    commit(device, *FEED, *USE)
    shown = operating(device).type(SHOW_FEED)
    assert "        Next update at          : Mon Mar  2 12:05:00 2026\n" in shown
    assert f"        Source                  : {URL}\n" in shown
    assert "        Auth-Valid              : Yes\n" in shown


@pytest.mark.parametrize(
    ("recurring", "hours"),
    [
        ("hourly", 1),
        ("daily at 15", 3),
        ("daily at 12", 24),
        ("weekly day-of-week tuesday at 03", 15),
        ("monthly at 00", None),
    ],
)
def test_lists_come_at_their_hours(recurring: str, hours: int | None) -> None:
    clock, server = ManualClock(NOON), Server("")
    device = panos(clock=clock, fetch=server)
    lines = [line.replace("recurring five-minute", "") for line in FEED]
    extra = [] if hours else ["set external-list FEED type ip recurring monthly day-of-month 3"]
    commit(device, *lines, f"set external-list FEED type ip recurring {recurring}", *extra, *USE)
    clock.advance(timedelta(hours=hours or 12) - timedelta(seconds=1))
    device.tick()
    assert len(server.asked) == 1
    clock.advance(timedelta(seconds=1))
    device.tick()
    assert len(server.asked) == 2


def test_only_lists_of_addresses_go_into_a_rule() -> None:
    keyboard = configuring(panos(), "set external-list NAMES type domain url http://f recurring hourly")
    said = keyboard.type("set rulebase security rules OUT destination NAMES")
    assert said.startswith("OUT -> destination 'NAMES' is not a valid reference")
    assert keyboard.type("set address-group g static NAMES").startswith("g -> static 'NAMES' is not a valid")
    for category in ("NAMES", "nosuch"):
        said = keyboard.type(f"set rulebase security rules OUT category {category}")
        assert said.startswith(f"OUT -> category '{category}' is not a valid reference")


URLS = (
    f"set external-list SITES type url url {URL} recurring hourly",
    f"set rulebase security rules WEB source any destination any category SITES {DENY}",
    "move rulebase security rules WEB top",
)


def asking(host: str, **changes: Any) -> Flow:
    return replace(flow("198.51.100.80"), host=host, **changes)


def test_a_list_of_urls_is_a_category_of_a_rule() -> None:
    device = panos(fetch=Server("example.com/\n*.example.org/\nhttp://example.net/\n^.example.net/\n"))
    commit(device, *URLS)
    keyboard = operating(device)
    shown = keyboard.type("request system external-list show type url name SITES")
    assert "Total valid entries     : 3\n" in shown
    assert "Total invalid entries   : 1\n" in shown
    for host in ("example.com", "EXAMPLE.com", "www.example.org", "a.b.example.org", "a.example.net"):
        assert device.forward(asking(host)) is Verdict.DENY, host
    for host in ("www.example.com", "example.org", "example.com.example.edu", "a.b.example.net", "example.net", ""):
        assert device.forward(asking(host)) is Verdict.PERMIT, host
    assert device.forward(asking("example.com", protocol="udp")) is Verdict.PERMIT, "QUIC hides the name"
    assert device.forward(asking("example.com", port=9443)) is Verdict.PERMIT, "what is not the web has no URL"
    assert "        category SITES;\n" in keyboard.type("show running security-policy")
    said = configuring(device).type("delete external-list SITES")
    assert said.splitlines()[1] == " vsys -> vsys1 -> rulebase -> security -> rules -> WEB -> category"
    commit(device, "delete rulebase security rules WEB category SITES")
    assert device.forward(asking("")) is Verdict.DENY, "without a category a rule is for everything"


@pytest.mark.parametrize("ends", [True, False])
def test_an_entry_without_a_slash_may_go_on(ends: bool) -> None:
    device = panos(fetch=Server("example.com\n"), switches=Switches(append_end_token=ends))
    commit(device, *URLS)
    assert device.forward(asking("example.com")) is Verdict.DENY
    assert device.forward(asking("example.com.example.edu")) is (Verdict.PERMIT if ends else Verdict.DENY)


# --- names ------------------------------------------------------------------------------------------------------------

NAMED = (
    f"set rulebase security rules DENY source any destination cdn {DENY}",
    "move rulebase security rules DENY top",
)


def named(**options: Any) -> tuple[PanOs, dict[str, tuple[Any, ...]], ManualClock]:
    names = {"cdn.example.com": (ip_address(TIKTOK), ip_address("2001:db8::7"))}
    clock = ManualClock(NOON)
    return panos(names=names, clock=clock, **options), names, clock


def test_a_name_is_looked_up_once_a_rule_uses_it_and_again_after_its_time() -> None:
    device, names, clock = named()
    commit(device, *NAMED)
    assert device.forward(flow()) is Verdict.DENY
    names["cdn.example.com"] = (ip_address("192.0.2.7"),)
    assert device.forward(flow()) is Verdict.DENY
    clock.advance(timedelta(seconds=30))
    assert device.forward(flow()) is Verdict.PERMIT
    assert device.forward(flow("192.0.2.7")) is Verdict.DENY
    del names["cdn.example.com"]
    clock.advance(timedelta(hours=1))
    assert device.forward(flow("192.0.2.7")) is Verdict.DENY


def test_up_to_8_1_names_are_looked_up_every_half_an_hour_or_when_told() -> None:
    device, names, clock = named(model=Model(version="8.1.5"))
    commit(device, *NAMED)
    names["cdn.example.com"] = (ip_address("192.0.2.7"),)
    clock.advance(timedelta(minutes=29))
    assert device.forward(flow()) is Verdict.DENY
    assert operating(device).type("request system fqdn refresh") == "\nFQDN refresh job enqueued\n\n"
    assert device.forward(flow()) is Verdict.PERMIT


@pytest.mark.parametrize(
    ("version", "works"), [("8.1.5", "request system fqdn show"), ("10.1.6", "show dns-proxy fqdn all")]
)
def test_what_names_resolve_to_is_shown_by_a_command_of_the_release(version: str, works: str) -> None:
    device, _, clock = named(model=Model(version=version))
    commit(device, *NAMED)
    clock.advance(timedelta(seconds=10))
    keyboard = operating(device)
    for line in ("request system fqdn show", "show dns-proxy fqdn all"):
        assert keyboard.type(line).endswith("Invalid syntax.\n\n") is (line != works)
    shown = keyboard.type(works)
    assert shown.splitlines()[1] == "FQDN Table : Last Request time Mon Mar  2 12:00:00 2026"
    at = shown.index("cdn.example.com (Objectname cdn):\n")
    assert [line.split() for line in shown[at:].splitlines()[1:3]] == [
        [TIKTOK, "3590", "10"],
        ["2001:db8::7", "3590", "10"],
    ]
    assert f"destination [ {TIKTOK} 2001:db8::7 ];" in keyboard.type("show running security-policy")


def test_no_more_than_32_addresses_of_a_family() -> None:
    device, names, _ = named()
    names["cdn.example.com"] = tuple(ip_address(f"192.0.2.{at}") for at in range(40))
    commit(device, *NAMED)
    assert device.forward(flow("192.0.2.31")) is Verdict.DENY
    assert device.forward(flow("192.0.2.32")) is Verdict.PERMIT


# --- a pair, virtual systems, Panorama --------------------------------------------------------------------------------


def two(**options: Any) -> tuple[PanOs, PanOs]:
    active, passive = panos(**options), panos(base="set deviceconfig system hostname mate", name="mate")
    pair(active, passive)
    return active, passive


def test_a_commit_on_the_active_one_reaches_the_other_which_keeps_its_own_counts() -> None:
    active, passive = two()
    denying(active)
    assert "DENY" in passive.running.rules("vsys1")
    assert passive.hostname == "mate"
    active.forward(flow())
    assert active.forward(flow(), keep_open=True) is Verdict.DENY
    assert passive.forward(flow()) is Verdict.DENY
    assert (hits(active)["DENY"], hits(passive)["DENY"]) == (2, 0)
    active.fail_over()
    assert operating(passive).prompt == "admin@mate(active)> "
    passive.forward(flow())
    assert (hits(active)["DENY"], hits(passive)["DENY"]) == (2, 1)
    shown = operating(active).type("show high-availability state").splitlines()
    assert [line.split()[1] for line in shown if line.startswith("    State:")] == ["passive", "active"]


def test_sessions_move_along() -> None:
    active, passive = two()
    active.forward(flow(), keep_open=True)
    active.reboot()
    assert passive.ha == "active"
    assert f"{TIKTOK}[443]" in operating(passive).type("show session all")


def test_what_is_not_committed_stays_and_the_passive_one_can_be_written_apart() -> None:
    active, passive = two()
    configuring(active, "set tag t color color1")
    assert passive.candidate.vsys("vsys1").at(("tag", "t")) is None
    keyboard = configuring(passive, "set tag apart color color1")
    assert "committed successfully" in keyboard.type("commit")
    assert active.running.vsys("vsys1").at(("tag", "apart")) is None
    assert "Running Configuration: not synchronized" in keyboard.type("run show high-availability state")
    operating(active).type("request high-availability sync-to-remote running-config")
    assert passive.running.vsys("vsys1").at(("tag", "apart")) is None
    assert "Running Configuration: synchronized" in keyboard.type("run show high-availability state")


def test_a_sync_may_fail() -> None:
    active, passive = two()
    active.mishaps.sync_fails = True
    denying(active)
    assert "DENY" not in passive.running.rules("vsys1")
    shown = operating(active).type(f"show jobs id {active.jobs[-1].id}")
    assert "Failed to synchronize running configuration with HA peer" in shown


@pytest.mark.parametrize("words", ["HA not enabled", "HA is not enabled"])
def test_a_box_alone_says_so(words: str) -> None:
    assert operating(panos(switches=Switches(ha_off=words))).type("show high-availability all") == f"\n{words}\n\n"


def test_virtual_systems_have_rules_and_counts_of_their_own() -> None:
    base = "".join(f"set vsys {each} zone z network layer3 ethernet1/{each[-1]}\n" for each in ("vsys1", "vsys2"))
    device = PanOs("edge", base=base, model=PA_5250, clock=ManualClock(NOON))
    rule = "from any to any source any destination any application any service any action allow"
    commit(device, f"set vsys vsys2 rulebase security rules R {rule}")
    assert device.forward(flow(), vsys="vsys2") is Verdict.PERMIT
    assert device.forward(flow(), vsys="vsys1") is Verdict.DENY
    keyboard = operating(device)
    shown = keyboard.type("show rule-hit-count vsys all rule-base security rules all").splitlines()[3:]
    assert [row.split()[:3] for row in shown[:5]] == [
        ["vsys1", "intrazone-default", "0"], ["vsys1", "interzone-default", "1"],
        ["vsys2", "R", "1"], ["vsys2", "intrazone-default", "0"], ["vsys2", "interzone-default", "0"],
    ]  # fmt: skip


def test_what_panorama_pushes_is_enforced_around_the_local_rules_and_cannot_be_edited_here() -> None:
    device = panos()
    denying(device, place="bottom")
    rule = "from any to any application any service any"
    words = f"set rulebase security rules PRE {rule} source any destination pushed action drop".split(" ")
    before = "\n".join(f"set rulebase security rules PRE {words[at]} {words[at + 1]}" for at in range(5, len(words), 2))
    assert device.push(objects="set address pushed ip-netmask 192.0.2.44", before=before)
    assert list(device.ordered_rules("vsys1")) == ["PRE", "DNS out", "OUT", "DENY"]
    assert device.forward(flow("192.0.2.44")) is Verdict.DENY
    keyboard = configuring(device)
    assert "pushed" not in keyboard.type("show")
    assert keyboard.type("delete rulebase security rules PRE") == "Server error : No such node\n\n"
    assert keyboard.type("set rulebase security rules PRE action allow") == "Server error : 'PRE' is already in use\n\n"
    keyboard.all("set address-group g static pushed")
    keyboard.type("run request config-lock add")
    assert not device.push()
    assert next(iter(device.ordered_rules("vsys1"))) == "PRE"


# --- ending sessions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("networks", [True, False])
def test_sessions_are_filtered_by_their_ends_and_ended_by_their_number(networks: bool) -> None:
    device = panos(switches=Switches(session_networks=networks))
    for destination in (TIKTOK, "192.0.2.9"):
        assert device.forward(flow(destination), keep_open=True) is Verdict.PERMIT
    keyboard = operating(device)
    said = keyboard.type("show session all filter destination 192.0.2.0/24")
    assert ("192.0.2.9[443]" in said and TIKTOK not in said) is networks
    assert networks or "Invalid syntax." in said
    (number,) = [one for one, each in device.plane.sessions.items() if str(each.flow.destination) == "192.0.2.9"]
    assert f"\n{number} " in keyboard.type("show session all filter destination 192.0.2.9")
    assert keyboard.type(f"clear session id {number}") == f"\nsession {number} cleared\n\n"
    assert keyboard.type("show session all filter destination 192.0.2.9") == "\nNo Active Sessions\n\n"
    assert "not found" in keyboard.type(f"clear session id {number}")
    assert len(device.plane.sessions) == 1
