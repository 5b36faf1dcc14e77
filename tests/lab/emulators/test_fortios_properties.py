"""Laws of the emulated FortiGate: what it prints it takes again, and what it refuses changes nothing."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import ManualClock
from lab.emulators.fortios import FortiGate, HostBits, LockText, Mandatory, Switches, TransactionWords
from lab.emulators.fortios.editing import InEntry
from tests.lab.emulators.fortios import NOON, SITE, Keyboard, asked, fortigate, shown

NAMES = st.sampled_from(["a", "b", '"c d"', "STAFF", "ALL_STAFF", "all", "nobody"])
LISTS = st.lists(NAMES, min_size=1, max_size=3).map(" ".join)
NUMBERS = st.sampled_from(["0", "1", "3", "7", "9", "4294967295"])
V4 = st.sampled_from(["10.0.0.0", "10.1.2.3", "192.0.2.0", "1.1"])
MASKS = st.sampled_from(["/8", "/32", " 255.255.255.0", " 0.0.0.255", ""])
PATHS = st.sampled_from(
    [
        "firewall address",
        "firewall address6",
        "firewall addrgrp",
        "firewall addrgrp6",
        "firewall policy",
        "firewall schedule recurring",
        "firewall schedule group",
        "firewall service custom",
        "system external-resource",
        "system zone",
        "system global",
    ]
)
FIELDS = st.sampled_from(
    [
        "type ipmask", "type iprange", "type fqdn", "type address", "type domain", "start-ip 10.0.0.1",
        "end-ip 10.0.0.9", "start-ip 2001:db8::1", "ip6 2001:DB8::1/64", "ip6 ::/128", "fqdn *.example.com",
        "fqdn x..y", "color 3", r'comment "a \"b\" \\ c"', "comment '  odd '", "exclude enable", "exclude disable",
        "action accept", "action deny", "nat enable", "srcintf any", "dstintf port1 inside", "schedule always",
        "schedule a", "service ALL", "service HTTP", "name one", "name two", "logtraffic all", "status disable",
        "day friday monday", "start 22:00", "end 6:00", "tcp-portrange 80 443:1024-65535", "udp-portrange 9-1",
        "protocol ICMP", "protocol IP", "protocol-number 6", "resource http://l.example/x", "interface port1 port4",
        "hostname edge", "admintimeout 30", "nonsense 1",
    ]
)  # fmt: skip
MEMBERS = st.sampled_from(
    ["member", "exclude-member", "srcaddr", "dstaddr", "srcaddr6", "dstaddr6", "service", "srcintf"]
)
INSIDE = st.one_of(
    FIELDS.map("set {}".format),
    FIELDS.map(lambda field: f"unset {field.split()[0]}"),
    st.tuples(st.sampled_from(["set", "append", "unselect"]), MEMBERS, LISTS).map(" ".join),
    MEMBERS.map("clear {}".format),
    st.tuples(V4, MASKS).map(lambda pair: f"set subnet {pair[0]}{pair[1]}"),
)
BETWEEN = st.one_of(
    st.one_of(NAMES, NUMBERS).map("edit {}".format),
    st.one_of(NAMES, NUMBERS).map("delete {}".format),
    st.tuples(NAMES, NAMES).map(lambda pair: f"rename {pair[0]} to {pair[1]}"),
    st.tuples(NUMBERS, st.sampled_from(["before", "after"]), NUMBERS).map(lambda it: f"move {' '.join(it)}"),
    st.tuples(NUMBERS, NUMBERS).map(lambda pair: f"clone {pair[0]} to {pair[1]}"),
)
ANY = st.one_of(INSIDE, BETWEEN, PATHS.map("config {}".format), st.sampled_from(["next", "end", "abort", "fnord"]))
WHOLE: Final = (
    "edit {n}", "set srcintf any", "set dstintf any", "set srcaddr all", "set dstaddr all", "set schedule always",
    "set service ALL",
)  # fmt: skip
FEED: Final = ("config system external-resource", "edit f", "set type address", "set resource http://x/", "end")


@st.composite
def sittings(draw: st.DrawFn) -> list[str]:
    """Some tables, in each some entries, in each some fields; and now and then anything at all."""
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        path = draw(PATHS)
        lines.append(f"config {path}")
        for _ in range(draw(st.integers(0, 3))):
            if path == "firewall policy" and draw(st.booleans()):
                lines += [line.format(n=draw(NUMBERS)) for line in WHOLE]
            else:
                lines.append(draw(BETWEEN))
            lines += draw(st.lists(INSIDE, max_size=4))
            lines.append(draw(st.sampled_from(["next", "next", "next", "abort"])))
        lines += draw(st.lists(ANY, max_size=1))
        lines.append("end")
    return lines


def state(keyboard: Keyboard) -> tuple[object, ...]:
    """The box, where the session is, and what it has open."""
    frame = keyboard.cli.editor.frame
    draft = dict(frame.draft) if isinstance(frame, InEntry) else None
    return shown(keyboard.device), keyboard.prompt, draft


DISCARDS: Final = ("next", "end")
"""Their refusals drop the open entry, and nothing else."""


def play(keyboard: Keyboard, lines: list[str]) -> None:
    before = state(keyboard)
    for line in lines:
        refused, after = keyboard.type(line), state(keyboard)
        assert not refused or after == before or (line in DISCARDS and after[0] == before[0]), line
        before = after


@settings(max_examples=50, deadline=None)
@given(sittings())
def test_what_it_prints_it_takes_again_and_what_it_refuses_changes_nothing(lines: list[str]) -> None:
    device = fortigate()
    keyboard = Keyboard(device)
    keyboard.all(*FEED)
    play(keyboard, lines)
    text = shown(device)
    again = FortiGate(base=text, bare=True, clock=ManualClock(NOON), switches=asked())
    assert shown(again) == text


@settings(max_examples=25, deadline=None)
@given(sittings())
def test_who_uses_what_is_what_the_text_says(lines: list[str]) -> None:
    """Books of references that are kept over any edits are those of a box that loads the result."""
    device = fortigate()
    keyboard = Keyboard(device)
    keyboard.all(*FEED)
    for line in lines:
        keyboard.type(line)
    again = FortiGate(base=shown(device), bare=True, clock=ManualClock(NOON), switches=asked())
    for key in [*device.config.all_keys()]:
        assert set(device.config.users(key)) == set(again.config.users(key)), key


@settings(max_examples=25, deadline=None)
@given(sittings())
def test_a_transaction_ends_where_the_same_lines_without_one_do(lines: list[str]) -> None:
    plain, staged = fortigate(), fortigate()
    for device in (plain, staged):
        before = shown(device)
        keyboard = Keyboard(device)
        if device is staged:
            keyboard.all("execute config-transaction start")
        for line in lines:
            keyboard.type(line)
            assert device is plain or shown(device) == before
        for _ in range(3):
            keyboard.type("abort" if keyboard.cli.editor.frames else "")
        if device is staged:
            keyboard.all("execute config-transaction commit")
    assert without_uuids(shown(plain)) == without_uuids(shown(staged))


def without_uuids(text: str) -> list[str]:
    return [line for line in text.splitlines() if "set uuid" not in line]


EVERY: Final = [
    Switches(),
    *(Switches(host_bits=at) for at in HostBits),
    *(Switches(mandatory=at) for at in Mandatory),
    *(Switches(transaction_words=at) for at in TransactionWords),
    *(Switches(lock_text=at) for at in LockText),
    Switches(empty_group=True),
    Switches(unnamed_policies=False),
    Switches(script_filter=False),
    Switches(counters_survive_reboot=True),
    Switches(counters_synced=True),
    Switches(line_limit=200),
    Switches(clear_prints_nothing=False),
    Switches(feed_comments=False),
    Switches(ha_prompt=True),
    Switches(echo_width=80),
    Switches(long_host_names_cut=False),
    Switches(sudo=False),
]
DIALOGUE: Final = (
    "config firewall address",
    "edit TT_v4_1",
    "set subnet 71.18.0.0/16",
    'set comment "generation 42"',
    "next",
    "end",
    "config firewall addrgrp",
    "edit TT_V4",
    "set member TT_v4_1",
    "next",
    "end",
    "config firewall policy",
    "edit 9001",
    'set name "TT_DENY"',
    "set srcintf any",
    "set dstintf any",
    "set srcaddr all",
    "set dstaddr TT_V4",
    "set schedule always",
    "set service ALL",
    "set logtraffic all",
    "next",
    "move 9001 before 7",
    "end",
)


@pytest.mark.parametrize("switches", EVERY, ids=repr)
@pytest.mark.parametrize("staged", [False, True])
def test_the_main_dialogue_goes_well_under_every_switch(switches: Switches, staged: bool) -> None:
    device = fortigate(base=SITE, switches=switches)
    keyboard = Keyboard(device)
    if staged:
        assert "Command fail" not in keyboard.type("execute config-transaction start 10")
    for line in DIALOGUE:
        shown_ = keyboard.raw(f"{line}\r")
        assert "fail" not in shown_, line
        assert shown_.endswith(keyboard.cli.prompt)
    if staged:
        assert "Command fail" not in keyboard.type("execute config-transaction commit")
    text = shown(device, "firewall policy")
    assert text.startswith('config firewall policy\n    edit 9001\n        set name "TT_DENY"\n')
    assert shown(FortiGate(base=shown(device), bare=True, switches=switches), "firewall policy") == text
