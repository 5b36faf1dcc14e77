"""Counters in every layout, who met an entry, and what two readings prove: never negative, never twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from controller.detect import DetectContext, detect
from controller.model import Quality
from core.ids import EventId, SiteName
from lab.emulators.asa import Asa, Mishaps, Model, Switches, pair
from lab.emulators.traffic import Flow
from tests.lab.emulators.asa import DATA, NOON, SITE, enabled
from tests.vendors.cisco_asa.boxes import (
    NOTHING,
    SOURCES,
    WISH,
    addresses,
    box,
    deny,
    desired,
    listed,
    options,
    pushed,
    typed_in,
)
from tests.vendors.cisco_asa.reaching import DEVICE, Reached, reached
from vendors.cisco_asa.counters import brief_from, counted_in, reading_from
from vendors.cisco_asa.logs import flows_from
from vendors.errors import Unreadable
from vendors.model import Action, Reading, RuleCount, UnitCount
from vendors.shell import Said, gathered

HIT = Flow(source=ip_address("10.0.1.9"), destination=ip_address("203.0.113.5"))
OTHER_HIT = Flow(source=ip_address("2001:db8:1::7"), destination=ip_address("2001:db8:f00::1"), packets=3)


def hits(reading: Reading) -> dict[str, int | None]:
    return {rule.rule: rule.hits for rule in reading.rules}


def met(reading: Reading) -> dict[str, int | None]:
    return {str(entry.network): entry.packets for entry in reading.entries if entry.packets}


# --- over SSH ---------------------------------------------------------------------------------------------------------

LAYOUTS: dict[str, dict[str, Any]] = {
    "as captured": {},
    "blanks at the end": {"model": Model(trailing_blank=True)},
    "no count of the entry itself": {"model": Model(parent_counts=False)},
    "with the header of the flows": {"switches": Switches(named_header=True)},
    "the parent's hash first": {"switches": Switches(element_first=False)},
    "hashes by line": {"switches": Switches(hash_by_line=True)},
    "a short zero": {"switches": Switches(short_zero_hash=True)},
    "names that resolved on a line of their own": {"switches": Switches(resolved_line=True)},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_tells_the_same(tmp_path: Path, layout: str) -> None:
    names = {"www.example.com": (ip_address("192.0.2.80"),)}
    device = pushed(box(names=names, **LAYOUTS[layout]), WISH)
    for flow in (HIT, HIT, OTHER_HIT, Flow(source=HIT.source, destination=ip_address("192.0.2.80"))):
        device.forward(flow)
    with reached(device, tmp_path) as at:
        reading = at.count()
    assert reading.rules == (
        RuleCount(
            rule=WISH.rules[0].name,
            action=Action.DENY,
            epoch="INSIDE_IN",
            hits=6,
            packets=6,
            octets=None,
            units=(UnitCount(unit=device.model.serial, epoch="", hits=6),),
        ),
    )
    assert met(reading) == {"203.0.113.0/24": 2, "2001:db8:f00::/40": 3}
    assert {entry.group for entry in reading.entries} == {"dst-video"}
    assert len(reading.entries) == 4  # those without a hit too
    assert {(str(flow.source), str(flow.destination)) for flow in reading.flows} == {
        ("10.0.1.9", "203.0.113.5"), ("2001:db8:1::7", "2001:db8:f00::1"), ("10.0.1.9", "192.0.2.80"),
    }  # fmt: skip
    assert not reading.flows_truncated


def test_groups_that_are_kept_whole_are_counted_whole(tmp_path: Path) -> None:
    device = pushed(box(), WISH)
    typed_in(device, ["object-group-search access-control"])
    device.forward(OTHER_HIT)
    with reached(device, tmp_path) as at:
        assert not at.look().can.entry_counters
        reading = at.count()
    assert hits(reading) == {"deny-company": 3}
    assert reading.entries == ()


def test_who_it_was_is_cumulative_until_an_hour_has_passed(tmp_path: Path) -> None:
    device = pushed(box(), WISH)
    device.forward(HIT)
    with reached(device, tmp_path) as at:
        (flow,) = at.count().flows
        assert (flow.packets, flow.last_seen, flow.action) == (1, NOON, Action.DENY)
        device.forward(OTHER_HIT)
        device.clock.advance(timedelta(minutes=50))
        device.forward(HIT)
        device.clock.advance(timedelta(minutes=40))
        assert [(str(flow.source), flow.packets) for flow in at.count().flows] == [("10.0.1.9", 2)]


@pytest.mark.parametrize("line", ["logging timestamp", "logging buffered informational", "logging enable"])
def test_without_a_log_nobody_is_named_and_it_is_said(tmp_path: Path, line: str) -> None:
    device = pushed(box(base=SITE.replace(f"{line}\n", "")), WISH)
    device.forward(HIT)
    with reached(device, tmp_path) as at:
        assert not at.look().can.source_capture
        reading = at.count()
    assert reading.flows == ()
    assert hits(reading) == {"deny-company": 1}
    assert reading.flows_truncated


def test_a_full_cache_of_flows_is_told(tmp_path: Path) -> None:
    device = pushed(box(model=Model(deny_flow_max=1)), WISH)
    device.forward(HIT)
    device.forward(OTHER_HIT)
    with reached(device, tmp_path) as at:
        assert at.count().flows_truncated


@pytest.mark.parametrize("line", ["show clock", "show logging", "failover exec"])
def test_an_account_that_may_not_ask_for_all_of_it_still_counts(tmp_path: Path, line: str) -> None:
    device, mate = box(), box(name="other")
    pair(device, mate)
    pushed(device, WISH).forward(HIT)
    device.mishaps = Mishaps(forbidden=(line,))
    with reached(device, tmp_path) as at:
        reading = at.count()
    assert hits(reading) == {"deny-company": 1}
    assert reading.flows_truncated is (line == "show logging")
    assert len(reading.flows) == (line != "show logging")


@pytest.mark.parametrize("damage", ["no access-list INSIDE_IN", "no object-group network tokgate-about.mark"])
def test_i11_no_row_where_we_enforce_is_an_error(tmp_path: Path, damage: str) -> None:
    device = pushed(box(), WISH)
    entries = [line for line in enabled(device).type("show running-config").splitlines() if "tokgate-src" in line]
    typed_in(device, [f"no {line}" for line in entries if line.startswith("access-list")])
    if "mark" in damage:
        typed_in(device, [damage])
    with reached(device, tmp_path) as at, pytest.raises(Unreadable, match="no entry of ours"):
        at.count()


def test_no_row_where_nothing_is_wanted_is_none(tmp_path: Path) -> None:
    with reached(pushed(box(), NOTHING), tmp_path) as at:
        assert at.count().rules == ()


# --- what two readings prove ------------------------------------------------------------------------------------------

CONTEXT = DetectContext(site=SiteName("here"), device=DEVICE, roles={}, exceptions={}, sources={}, snapshot=None)


def proven(before: Reading, after: Reading) -> list[tuple[int | None, Quality]]:
    events = detect(before, after, context=CONTEXT, new_id=lambda: EventId("e"))
    return [(event.hits, event.quality) for event in events]


def between(at: Reached, act: object) -> list[tuple[int | None, Quality]]:
    before = at.count()
    act()  # type: ignore[operator]
    at.device.clock.advance(timedelta(minutes=5))
    return proven(before, at.count())


def test_i11_a_reset_a_reload_and_an_entry_put_in_again_are_noticed(tmp_path: Path) -> None:
    device = pushed(box(), WISH)
    enabled(device).type("write memory")
    for _ in range(5):
        device.forward(HIT)
    with reached(device, tmp_path) as at:
        assert between(at, lambda: device.forward(HIT)) == [(1, Quality.EXACT)]
        assert between(at, lambda: None) == []

        def reset() -> None:
            enabled(device).type("clear access-list INSIDE_IN counters")
            device.forward(HIT)

        assert between(at, reset) == [(1, Quality.AT_LEAST)]
        device.forward(OTHER_HIT)

        def reload() -> None:
            device.reboot()
            device.forward(HIT)

        assert between(at, reload) == [(1, Quality.AT_LEAST)]


def test_i11_a_rule_that_loses_a_list_tells_nothing_twice(tmp_path: Path) -> None:
    one, two = addresses("dst-one", "203.0.113.0/24"), addresses("dst-two", "198.51.100.0/24")
    both = desired([SOURCES, one, two], [deny("deny-company", "src-company", "dst-one", "dst-two")])
    less = desired([SOURCES, two], [deny("deny-company", "src-company", "dst-two")])
    device = pushed(box(), both)
    for destination in ("203.0.113.5", "198.51.100.5", "198.51.100.6"):
        device.forward(replace(HIT, destination=ip_address(destination)))
    with reached(device, tmp_path) as at:
        assert between(at, lambda: at.push(less)) == []
        assert between(at, lambda: device.forward(replace(HIT, destination=ip_address("198.51.100.5")))) == [
            (1, Quality.EXACT)
        ]


@pytest.mark.parametrize("replicated", [False, True])
def test_i11_a_failover_counts_nothing_twice(tmp_path: Path, *, replicated: bool) -> None:
    switches = Switches(hits_replicated=replicated)
    primary, secondary = box(switches=switches), box(name="other", model=Model(serial="MATE"), switches=switches)
    pair(primary, secondary)
    pushed(primary, WISH)
    for _ in range(4):
        primary.forward(HIT)
    with (
        reached(primary, tmp_path, standby_counts=not replicated) as one,
        reached(secondary, tmp_path, standby_counts=not replicated) as other,
    ):
        first = one.count()
        assert hits(first) == {"deny-company": 4}
        primary.fail_over()
        secondary.forward(HIT)
        second = other.count()
        assert proven(first, _later(second)) == [(1, Quality.EXACT)]
        secondary.fail_over()
        primary.forward(HIT)
        primary.forward(HIT)
        assert proven(_later(second), _later(one.count(), 2)) == [(2, Quality.EXACT)]


def test_i11_a_unit_that_goes_down_and_comes_back_counts_nothing_twice(tmp_path: Path) -> None:
    primary, secondary = box(), box(name="other", model=Model(serial="MATE"))
    pair(primary, secondary)
    pushed(primary, WISH)
    with reached(primary, tmp_path) as one, reached(secondary, tmp_path) as other:

        def met(device: Asa, times: int) -> None:
            for _ in range(times):
                device.forward(HIT)

        met(primary, 2)
        primary.fail_over()
        met(secondary, 4)
        both = other.count()
        assert hits(both) == {"deny-company": 6}
        primary.go_down()
        met(secondary, 1)
        alone = other.count()
        assert hits(alone) == {"deny-company": 5}
        assert proven(both, _later(alone)) == [(1, Quality.AT_LEAST)]
        met(secondary, 3)
        again = other.count()
        assert proven(alone, _later(again)) == [(3, Quality.EXACT)]
        primary.come_back()
        back = other.count()
        assert proven(again, _later(back)) == []
        secondary.fail_over()
        met(primary, 2)
        taken = one.count()
        assert proven(back, _later(taken)) == [(2, Quality.EXACT)]
        secondary.go_down()
        met(primary, 1)
        last = one.count()
        assert proven(taken, _later(last)) == [(1, Quality.AT_LEAST)]
        assert detect(taken, _later(last), context=CONTEXT, new_id=lambda: EventId("e"))[0].packets == 1


def test_i11_a_pair_that_is_parted_or_gets_another_mate_tells_nothing_twice(tmp_path: Path) -> None:
    device, mate, new = box(), box(model=Model(serial="MATE")), box(model=Model(serial="NEW"))
    pushed(device, WISH)
    device.forward(HIT)
    with reached(device, tmp_path) as at:
        single = at.count()
        pair(device, mate)
        paired = at.count()
        assert proven(single, _later(paired)) == []
        pair(device, new)
        device.fail_over()
        new.forward(HIT)
        new.fail_over()
        other = at.count()
        assert hits(other) == {"deny-company": 2}
        assert proven(paired, _later(other)) == []
        device.mate = new.mate = None
        device.forward(HIT)
        assert proven(other, _later(at.count())) == [(1, Quality.AT_LEAST)]


def test_a_mate_that_answers_for_a_part_of_the_lists_is_not_counted() -> None:
    device = pushed(box(), WISH)
    device.forward(HIT)
    mate = "@@ failover exec mate show access-list INSIDE_IN\n"
    answer = enabled(device).type("show access-list INSIDE_IN")
    text = told(device).removesuffix("@@ end\n")
    two = options().model_copy(
        update={"lists": (*options().lists, *listed(acl="B", interface=None, direction=None).lists)}
    )
    text += f"@@ show access-list B\naccess-list B; 0 elements; name hash: 0x1\n{mate}{answer}\n@@ end\n"
    (rule,) = reading_from(text, two).rules
    assert [unit.hits for unit in rule.units] == [1]


def _later(reading: Reading, minutes: int = 1) -> Reading:
    return replace(reading, read_at=reading.read_at + timedelta(minutes=minutes))


def test_a_mate_that_is_down_is_not_waited_for(tmp_path: Path) -> None:
    device = pushed(box(), WISH)
    device.forward(HIT)
    text = told(device)
    assert "failover exec" not in text
    broken = (
        text.removesuffix("@@ end\n") + "@@ failover exec mate show access-list INSIDE_IN\nERROR: no mate\n@@ end\n"
    )
    assert hits(reading_from(broken, options())) == {"deny-company": 1}


# --- texts ------------------------------------------------------------------------------------------------------------


def told(device: Asa) -> str:
    typed = enabled(device)
    lines = [
        "show clock", "show version", "show failover", "show running-config object-group id tokgate-about.mark",
        "show access-list INSIDE_IN", "show logging",
    ]  # fmt: skip
    now = Said(line="now", text=NOON.isoformat(), prompt="")
    return gathered([now, *(Said(line=line, text=typed.type(line), prompt="") for line in lines)])


def test_i06_counters_that_are_cut_off_anywhere_are_none() -> None:
    device = pushed(box(), WISH)
    device.forward(HIT)
    text = told(device)
    assert hits(reading_from(text, options())) == {"deny-company": 1}
    for end in range(len(text)):
        with pytest.raises(Unreadable):
            reading_from(text[:end], options())


def test_an_answer_about_another_list_is_none() -> None:
    text = told(pushed(box(), WISH))
    with pytest.raises(Unreadable, match="lack the answer"):
        reading_from(text, listed(acl="OUTSIDE_IN", interface=None, direction=None))
    with pytest.raises(Unreadable, match="not understood"):
        counted_in("INSIDE_IN", "ERROR: access-list <INSIDE_IN> does not exist\n")


def test_the_short_form_is_hexadecimal() -> None:
    text = (DATA / "show_access-list_brief.txt").read_text(encoding="utf-8")
    brief = brief_from("global-acl-test-show-acl-brief", text)
    assert brief.elements == 3
    assert brief.hits == {0x06228509: 24_649, 0x4C8C760A: 3_317, 0x179F5B95: 3}
    assert brief.last == datetime(2022, 3, 31, 11, 39, 55, tzinfo=UTC)
    with pytest.raises(Unreadable):
        brief_from("another", text)
    with pytest.raises(Unreadable, match="a row"):
        brief_from("global-acl-test-show-acl-brief", text + "x\n")


def test_the_short_form_and_the_long_one_agree() -> None:
    device = pushed(box(), WISH)
    for flow in (HIT, HIT, OTHER_HIT):
        device.forward(flow)
    typed = enabled(device)
    brief = brief_from("INSIDE_IN", typed.type("show access-list INSIDE_IN brief"))
    counted = counted_in("INSIDE_IN", typed.type("show access-list INSIDE_IN"))
    assert sorted(brief.hits.values()) == [2, 3]
    assert sum(one.total for one in counted) == 5
    assert brief.hits.keys() <= {value for one in counted for value in one.hashes}


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("show_access-list__*.txt")))
def test_lists_of_others_hold_nothing_of_ours(name: str) -> None:
    text = (DATA / name).read_text(encoding="utf-8")
    head = next((line for line in text.splitlines() if "name hash" in line), "")
    acl = head.split()[1].rstrip(";") if head else "none"
    try:
        assert counted_in(acl, text) == ()
    except Unreadable:
        assert text.count("name hash") != 1


BUFFER = "    Buffer logging: level informational, 10003 messages logged\n"
SAMPLES = {
    "%ASA-6-106100: access-list public denied tcp Private/192.0.2.42(99) -> DMZ/192.0.2.200(18132) hit-cnt 1 first hit"
    " [0xef7602a0, 0x00000000]": ("192.0.2.42", "192.0.2.200", 1),
    "%ASA-6-106100: access-list public denied tcp in/192.0.2.42(99) -> out/192.0.2.200(18132) hit-cnt 1 (first hit)"
    " [0xef7602a0, 0x0]": ("192.0.2.42", "192.0.2.200", 1),
    "%ASA-session-5-106100: access-list in denied udp inside/10.1.1.1(99)(LOCAL\\me) -> outside/2001:db8::9(53)"
    " hit-cnt 144 300-second interval [0x0, 0xef7602a0]": ("10.1.1.1", "2001:db8::9", 144),
    '%ASA-4-106023: Deny udp src Inside:192.0.2.15/57462 dst Public:192.0.2.65/5558 by access-group "inside"'
    " [0xb17391c9, 0xef7602a0]": ("192.0.2.15", "192.0.2.65", 1),
    '%ASA-4-106023: Deny icmp src inside:10.1.1.1 dst outside:10.2.2.2 (type 11, code 0) by access-group "in"'
    " [0xef7602a0, 0x0]": ("10.1.1.1", "10.2.2.2", 1),
    '%ASA-4-106023: Deny protocol 47 src inside:10.1.1.1 dst outside:10.2.2.2 by access-group "in" [0xef7602a0, 0x0]': (
        "10.1.1.1",
        "10.2.2.2",
        1,
    ),
    '%ASA-4-106023: Deny tcp src inside:2001:db8::1/99 dst outside:2001:db8::2/443 by access-group "in"'
    " [0xef7602a0, 0x0]": ("2001:db8::1", "2001:db8::2", 1),
}


@pytest.mark.parametrize("stamp", ["Mar 02 2026 11:59:00: ", "Mar  2 2026 11:59:00 fw1 : "])
@pytest.mark.parametrize("message", SAMPLES)
def test_messages_as_published_name_who_it_was(message: str, stamp: str) -> None:
    flows, missing = flows_from(f"{BUFFER}{stamp}{message}\n", "", {0xEF7602A0}, NOON)
    assert [(str(f.source), str(f.destination), f.packets) for f in flows] == [SAMPLES[message]]
    assert flows[0].last_seen == NOON - timedelta(minutes=1)
    assert not missing
    assert flows_from(f"{BUFFER}{stamp}{message}\n", "", {0x1234}, NOON) == ((), False)


@pytest.mark.parametrize(
    "text",
    [
        "%ASA-6-106100: access-list in permitted tcp a/192.0.2.42(9) -> b/192.0.2.2(1) hit-cnt 1 first hit [0xa, 0x0]",
        "%ASA-6-106100: access-list in est-allowed tcp a/192.0.2.42(9) -> b/192.0.2.2(1) hit-cnt 1 [0xa, 0x0]",
        "%ASA-6-106102: access-list in denied tcp for user me a/192.0.2.42(9) b/192.0.2.2(1) hit-cnt 1 [0xa, 0x0]",
        "%ASA-6-106015: Deny TCP (no connection) from 192.0.2.42/9 to 192.0.2.2/1 flags ACK on interface a",
        "%ASA-3-106014: Deny inbound icmp src a:192.0.2.42 dst b:192.0.2.2 (type 8, code 0)",
    ],
)
def test_what_was_let_pass_and_what_no_entry_stopped_names_nobody(text: str) -> None:
    assert flows_from(f"{BUFFER}Mar 02 2026 11:59:00: {text}\n", "", {10}, NOON) == ((), False)


def test_a_message_with_a_name_for_an_address_is_missing() -> None:
    line = "Mar 02 2026 11:59:00: %ASA-4-106023: Deny tcp src outside:10.1.1.1/50240 dst inside:www.example.com/23 by"
    assert flows_from(f'{BUFFER}{line} access-group "x" [0x54c7fa80, 0x0]\n', "", {0x54C7FA80}, NOON) == ((), True)


def test_a_hash_of_zero_is_nobodys() -> None:
    """Old releases print it for an entry with groups; a packet that met no entry at all is told with two of them."""
    text = (
        "access-list X; 1 elements; name hash: 0x1\n"
        "access-list X line 1 extended deny ip object-group tokgate-src-a object-group tokgate-dst-b log 0x00000000 \n"
    )
    assert [one.hashes for one in counted_in("X", text)] == [set()]


def test_another_zone_of_the_device_is_taken_off() -> None:
    message = f"Mar 02 2026 12:59:30: {next(iter(SAMPLES))}\n"
    (flow,), _ = flows_from(message, "13:00:05.123 CET Mon Mar 2 2026\n", {0xEF7602A0}, NOON)
    assert flow.last_seen == NOON - timedelta(seconds=30)


def test_an_element_is_read_in_every_form() -> None:
    group = "object-group tokgate-src-a object-group tokgate-dst-b log informational interval 300"
    rows = {
        "host 10.1.1.1 host 192.0.2.1": "192.0.2.1/32",
        "10.1.0.0 255.255.0.0 192.0.2.0 255.255.255.128": "192.0.2.0/25",
        "2001:db8::/32 2001:db8:f::/48": "2001:db8:f::/48",
        "host 10.1.1.1 range 192.0.2.1 192.0.2.3": None,
        "host 10.1.1.1 host 192.0.2.9 (www.example.com)": None,
        "host 10.1.1.1 (a.example) host 192.0.2.10": "192.0.2.10/32",
        "host 10.1.1.1 fqdn www.example.com (unresolved)": None,
    }
    for at, (row, network) in enumerate(rows.items()):
        text = (
            "access-list X; 1 elements; name hash: 0x1\n"
            "access-list X line 1 remark tokgate rule deny-a\n"
            f"access-list X line 2 extended deny ip {group} 0x0000000a\n"
            f"  access-list X line 2 extended deny ip {row} log informational interval 300 (hitcnt={at}) 0xb \n"
        )
        (one,) = counted_in("X", text)
        assert one.rule == "deny-a"
        assert one.total == at
        assert one.by_network == ({} if network is None else {ip_network(network): at}), row
        assert one.hashes == {10, 11}
