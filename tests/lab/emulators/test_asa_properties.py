"""Laws of the emulated ASA: what it prints it takes again, and what it refuses changes nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import ManualClock
from lab.emulators.asa import Asa
from tests.lab.emulators.asa import NOON, configuring, running

NAMES = st.sampled_from(["a", "b", "c", "d"])
V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6, network="2001:db8::/32").map(lambda address: address.exploded.upper())
MASKS = st.sampled_from(["255.255.255.0", "255.0.0.0", "255.255.255.255", "0.0.0.0", "0.0.0.255"])
NETS = st.one_of(
    V4.map("host {}".format),
    V6.map("host {}".format),
    st.tuples(V4, MASKS).map(" ".join),
    st.tuples(V6, st.integers(0, 129)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
)  # fmt: skip
PLACES = st.one_of(
    st.sampled_from(["any", "any4", "any6", "interface inside"]),
    NETS,
    NAMES.map("object {}".format),
    NAMES.map("object-group {}".format),
)
PORT = st.sampled_from(["80", "443", "www", "isakmp", "65536", "ssh", "0"])
PORTS = st.one_of(
    st.just(""),
    st.tuples(st.sampled_from(["eq", "gt", "lt", "neq"]), PORT).map(" ".join),
    st.tuples(PORT, PORT).map(lambda pair: f"range {pair[0]} {pair[1]}"),
)
LOG = st.sampled_from(["", "log", "log 3", "log warnings interval 5", "log default", "log disable", "log 9"])
ENDING = st.sampled_from(["", "time-range t", "inactive", "time-range t inactive", "time-range u"])
ACES = st.tuples(
    st.sampled_from(["access-list X", "access-list X line 1", "access-list Y line 2", "no access-list X"]),
    st.sampled_from(["extended permit", "extended deny"]),
    st.sampled_from(["ip", "tcp", "udp", "6", "icmp", "gre"]),
    PLACES, PORTS, PLACES, PORTS, LOG, ENDING,
).map(lambda parts: " ".join(filter(None, parts)))  # fmt: skip
NO = st.sampled_from(["", "no "])
LINES = st.one_of(
    ACES,
    st.tuples(NO, NAMES).map(lambda pair: f"{pair[0]}object network {pair[1]}"),
    st.tuples(NO, NAMES).map(lambda pair: f"{pair[0]}object-group network {pair[1]}"),
    st.tuples(NO, NETS).map(lambda pair: f"{pair[0]}network-object {pair[1]}"),
    st.tuples(NO, NAMES).map(lambda pair: f"{pair[0]}network-object object {pair[1]}"),
    st.tuples(NO, NAMES).map(lambda pair: f"{pair[0]}group-object {pair[1]}"),
    V4.map("host {}".format),
    st.sampled_from(["fqdn v4 a.example", "fqdn x..y", "range 10.0.0.1 10.0.0.9", "subnet 10.0.0.0 255.0.0.0"]),
    st.sampled_from(["description  a  b ", "no description", "names", "no names", "name 10.0.0.1 ten"]),
    st.sampled_from(["time-range t", "no time-range t", "periodic Friday Monday 8:00 to 9:30"]),
    st.just("absolute start 0:00 1 May 2026"),
    st.sampled_from(["access-list X remark  odd   words ", "no access-list X line 1 remark odd   words"]),
    st.sampled_from(["access-group X in interface inside", "access-group Y global", "no access-group Y global"]),
    st.sampled_from(["clear configure access-list X", "exit", "nonsense", "hostname h2", "prompt state hostname"]),
)  # fmt: skip
BASE = "interface G0\n nameif inside\n security-level 100\nroute inside 0.0.0.0 0.0.0.0 10.0.0.1\n"


def device(base: str = BASE) -> Asa:
    return Asa(base=base, clock=ManualClock(NOON))


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=25))
def test_what_it_prints_it_takes_again_and_what_it_refuses_changes_nothing(lines: list[str]) -> None:
    box = device()
    keyboard = configuring(box)
    before = running(box)
    for line in lines:
        if not keyboard.prompt.rstrip().endswith(")#"):
            keyboard.all("configure terminal")
        refused = keyboard.type(line)
        after = running(box)
        if refused and "Please use seperate object-groups" not in refused:
            assert after == before, line
        before = after
    assert running(device(before)) == before


@settings(max_examples=40, deadline=None)
@given(st.lists(LINES, max_size=15))
def test_a_saved_configuration_comes_back(lines: list[str]) -> None:
    box = device()
    keyboard = configuring(box)
    for line in lines:
        if keyboard.prompt.rstrip().endswith(")#"):
            keyboard.type(line)
    before = running(box)
    keyboard.type("write memory")
    box.reboot()
    assert running(box) == before
