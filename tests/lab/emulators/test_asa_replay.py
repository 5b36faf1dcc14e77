"""What published captures of real boxes show, the emulator prints for the same configuration."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final

import pytest

from core.clock import ManualClock
from lab.emulators.asa import Asa, Model
from tests.lab.emulators.asa import DATA, NOON, asa, configuring, enabled

ENTRY: Final = re.compile(
    r"(?P<indent> *)access-list \S+ line \d+ (?P<text>.*?)(?: \(hitcnt=\d+\))?"
    r"(?P<off> \(inactive\))?( 0x[0-9a-f]{8})? ?"
)


def captured(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


def loaded(name: str) -> Asa:
    return Asa(base=captured(name), tolerant=True, clock=ManualClock(NOON))


def flat(text: str) -> list[str]:
    """Lines without indentation, separators and what differs between any two boxes."""
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line.strip("!") and not line.startswith((":", "ASA Version", "Cryptochecksum"))]


# --- configurations ---------------------------------------------------------------------------------------------------

UNREADABLE = ["object network object network test_empty", "object service middle    _   space"]
"""Two names that the authors of the capture spoilt by hand."""


def test_a_whole_configuration_prints_as_it_was_captured() -> None:
    device = loaded("show_running-config__asav_9.8.txt")
    assert list(device.unread) == UNREADABLE
    shown = enabled(device).type("show running-config").replace("host host_1.1.1.1", "host 1.1.1.1")
    assert Counter(flat(shown)) == Counter(
        flat(captured("show_running-config__asav_9.8.txt").replace("host host_1.1.1.1", "host 1.1.1.1"))
    )
    assert shown.startswith(": Saved\n\n:\n: Serial Number: 9AUE0QEHJPC\n: Hardware:   ASAv, 2048 MB RAM")
    assert re.search(r"\nCryptochecksum:[0-9a-f]{32}\n: end\n$", shown)


@pytest.mark.parametrize("part", ["object-group ", "access-list ", "time-range "])
def test_parts_keep_their_order(part: str) -> None:
    shown = enabled(loaded("show_running-config__asav_9.8.txt")).type("show running-config")
    given = [line for line in flat(captured("show_running-config__asav_9.8.txt")) if line.startswith(part)]
    mine = [line.rstrip() for line in shown.splitlines() if line.startswith(part)]
    assert [line.replace("host host_1.1.1.1", "host 1.1.1.1") for line in mine] == given


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("show_running-config_object_network.txt", "show running-config object network"),
        ("show_running-config_access-group.txt", "show running-config access-group"),
    ],
)
def test_parts_print_as_captured(name: str, command: str) -> None:
    text = captured(name)
    if name.endswith("access-group.txt"):
        acls = "".join(f"access-list {line.split()[1]} extended permit ip any any\n" for line in text.splitlines())
        interfaces = "".join(f"interface V\n nameif {line.split()[4]}\n" for line in text.splitlines())
        device = Asa(base=f"{interfaces}{acls}{text}")
    else:
        device = Asa(base=text)
    assert flat(enabled(device).type(command)) == flat(text)


def test_services_print_as_captured_but_for_the_place_of_the_description() -> None:
    """And but for one name that is not in use any more and one number that has a name."""
    text = captured("show_running-config_object_service.txt")
    text = text.replace("eq http\n", "eq www\n").replace("icmp 9 16", "icmp router-advertisement 16")
    shown = enabled(Asa(base=text)).type("show running-config object service")
    assert Counter(flat(shown)) == Counter(flat(text))


def test_groups_print_their_description_with_a_colon() -> None:
    text = captured("show_object-group_network.txt").replace("description:", "description")
    shown = enabled(Asa(base=text)).type("show object-group network")
    given = [line.replace("description ", "description: ") for line in flat(text)]
    assert flat(shown) == [re.sub(r"^network-object (\S+) 255\.255\.255\.255$", r"\g<0>", line) for line in given]


@pytest.mark.parametrize("name", ["access-group_in_out", "dns_9.18", "network-object", "acl_object"])
def test_hand_made_configurations_are_kept_line_by_line(name: str) -> None:
    device = loaded(f"running-config__{name}.txt")
    assert device.unread == ()
    shown = Counter(flat(enabled(device).type("show running-config")))
    given = Counter(flat(captured(f"running-config__{name}.txt")))
    given -= Counter({"! This is an ASA device.": 1})
    assert given - shown == Counter()
    assert set(shown - given) <= {"pager lines 24"}


# --- access lists -----------------------------------------------------------------------------------------------------


def entries(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Each entry with its elements, without names, lines, counts and hashes."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for line in text.splitlines():
        at = ENTRY.fullmatch(line)
        if at is not None:
            text = at["text"] + (at["off"] or "")
            if at["indent"]:
                found[-1] = (found[-1][0], (*found[-1][1], text))
            else:
                found.append((text, ()))
    return found


GROWN = ("202309201450_70ee", "all-", "group_test", "prot_src", "202309211524_b6d6")
"""Groups that the box's owners filled further, or in another order, between the two captures."""


def test_entries_are_taken_apart_as_captured() -> None:
    device = loaded("show_running-config__asav_9.8.txt")
    mine = dict(entries(enabled(device).type("show access-list")))
    given = entries(captured("show_access-list__asav_9.8.txt"))
    assert len(given) == 38
    for text, elements in given:
        assert text in mine
        if any(f" {name}" in text for name in GROWN):
            assert set(elements) <= set(mine[text])
        else:
            assert elements == mine[text], text


MIXED = """\
interface GigabitEthernet0/0
 nameif outside
object network test1
 fqdn test.com
object network test2
 host 10.1.1.2
object network test3
 range 10.1.1.3 10.1.1.8
object service svc1
 service icmp echo-reply 4
object service svc10
 service tcp destination range www 88
object-group network grptest1
 network-object host 10.1.1.10
 network-object object test1
 network-object 10.1.1.8 255.255.255.248
object-group network grptest2
 group-object grptest1
 network-object host 10.10.10.10
object-group service svcgrp1
 service-object tcp destination eq 60
 service-object tcp destination eq www
 service-object tcp destination gt 100
 service-object tcp destination range gopher 71
object-group service svcgrp4
 service-object tcp-udp destination eq domain
 service-object tcp-udp destination eq 55
object-group service svcgrp6 tcp
 port-object eq aol
 port-object eq www
 port-object eq 84
object-group service svcgrp7 tcp
 port-object eq domain
object-group service svcgrp8 tcp
 port-object eq aol
 port-object eq www
 port-object eq 84
object-group protocol prtgrp1
 protocol-object esp
object-group network test_gr
 network-object host 212.179.71.34
object-group network test_gr_02
 network-object host 10.2.74.35
object network network-172.16.0.0
 subnet 172.16.0.0 255.240.0.0
object network aps03-aps04_gaibu_vip
 host 10.2.66.237
object network ClientPC
 host 172.31.168.7
object-group network NETWORK_100
 network-object host 10.2.88.104
 network-object host 10.2.88.100
object-group network NETWORK_88
 network-object 10.0.247.0 255.255.255.0
object network aps0506_VIP_10.2.66.53
 host 10.2.66.53
"""


def test_names_groups_and_services_in_one_list_print_as_captured() -> None:
    given = captured("show_access-list__mixed_fqdn_unresolved.txt")
    lines = [re.sub(r"^access-list test line \d+ ", "", line) for line in given.splitlines() if line[:1] == "a"]
    typed = [re.sub(r"( \(hitcnt=\d+\).*| 0x[0-9a-f]{8} ?)$", "", line) for line in lines[1:]]
    keyboard = configuring(Asa(base=MIXED, model=Model(trailing_blank=True)))
    keyboard.all(*(f"access-list test {line}" for line in typed))
    assert entries(keyboard.type("show access-list test")) == entries(given)


def test_an_address_that_a_name_resolved_to_prints_with_the_name() -> None:
    line = captured("show_access-list__resolved_names_hits.txt").splitlines()[4]
    base = (
        "dns domain-lookup outside\ndns server-group DefaultDNS\n name-server 192.0.2.53\n"
        "object network o\n fqdn test.com\nobject service s\n service tcp destination eq 5061\n"
        "access-list test_acl remark one\n"
        "access-list test_acl extended permit object s object o host 192.168.16.11 log\n"
    )
    keyboard = enabled(Asa(base=base, names={"test.com": (ip_address("10.2.2.2"),)}))
    shown = keyboard.type("show access-list test_acl").splitlines()[-1]
    pattern = re.compile(r"hitcnt=\d+\) 0x[0-9a-f]{8} ?$")
    assert pattern.sub("", shown) == pattern.sub("", line)


def test_a_list_of_remarks_alone_has_a_header() -> None:
    keyboard = configuring(asa(), "access-list R remark alone")
    first, second = keyboard.type("show access-list R").splitlines()
    assert re.fullmatch(r"access-list R; 0 elements; name hash: 0x[0-9a-f]{8}", first)
    assert second == "access-list R line 1 remark alone"


def test_the_brief_form_has_the_columns_of_the_capture() -> None:
    given = captured("show_access-list_brief.txt").splitlines()
    row = re.compile(r"[0-9a-f]{8} [0-9a-f]{8} [0-9a-f]{8} [0-9a-f]{8}")
    assert all(row.fullmatch(line) for line in given[1:])
    when = datetime.fromtimestamp(int(given[1].split()[3], 16), tz=UTC)
    device = asa(clock=ManualClock(when))
    context = device.contexts[""]
    laid = context.laid("INSIDE_IN")[0]
    context.count(laid.entry.serial, laid.hash, int(given[1].split()[2], 16))
    header, *rows = enabled(device).type("show access-list INSIDE_IN brief").splitlines()
    assert re.fullmatch(r"access-list INSIDE_IN; \d+ elements; name hash: 0x[0-9a-f]{8}", header)
    assert rows == [f"{laid.hash} 00000000 {' '.join(given[1].split()[2:])}"]


# --- the box ----------------------------------------------------------------------------------------------------------


def test_no_failover_prints_as_captured() -> None:
    device = asa()
    device.unit = "secondary"
    assert flat(enabled(device).type("show failover")) == flat(captured("show_failover__off.txt"))


def test_the_shapes_of_other_answers() -> None:
    keyboard = enabled(asa())
    saved = keyboard.type("write memory").splitlines()
    login = captured("login_banner_and_write_memory__asav_9.8.txt").splitlines()
    assert saved[0] == login[login.index("### write memory") + 1]
    assert re.fullmatch(r"Cryptochecksum:( [0-9a-f]{8}){4}", saved[1])
    assert saved[-1] == "[OK]"
    heads = {line.split(":")[0] for line in keyboard.type("show logging").splitlines()}
    assert heads <= {line.split(":")[0] for line in captured("show_logging__1.txt").splitlines()}
    version = captured("show_version__1.txt")
    for line in ("Cisco Adaptive Security Appliance Software Version", "Hardware:   ASAv", "Serial Number: "):
        assert line in version
        assert line in keyboard.type("show version")
