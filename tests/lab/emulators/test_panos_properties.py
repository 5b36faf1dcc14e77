"""Laws of the emulated PAN-OS firewall: what it prints it takes again, and what it refuses changes nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import ManualClock
from lab.emulators.panos import PanOs
from lab.emulators.panos.printing import all_set_lines
from tests.lab.emulators.panos import NOON, candidate, configuring

NAMES = st.sampled_from(["a", "b", "c", '"d e"', "any"])
V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6, network="2001:db8::/32").map(str)
VALUES = st.one_of(
    V4.map("ip-netmask {}".format),
    st.tuples(V6, st.integers(0, 129)).map(lambda pair: f"ip-netmask {pair[0]}/{pair[1]}"),
    st.tuples(V4, V4).map(lambda pair: f"ip-range {pair[0]}-{pair[1]}"),
    st.sampled_from(["fqdn a.example", "fqdn *.example", "ip-wildcard 10.0.0.0/0.0.248.255", "nonsense x"]),
)
TEXTS = st.text(
    st.characters(codec="ascii", exclude_characters='"\\\r\n', categories=["L", "N", "P", "Zs"]), max_size=20
)
EXTRA = st.one_of(st.just(""), TEXTS.map(' description "{}"'.format), NAMES.map(" tag {}".format))
VERBS = st.sampled_from(["set", "set", "set", "delete"])
LISTS = st.lists(NAMES, min_size=1, max_size=3).map(
    lambda names: names[0] if len(names) == 1 else f"[ {' '.join(names)} ]"
)
FIELDS = st.sampled_from(["from", "to", "source", "destination", "service", "application", "tag"])
RULES = st.one_of(
    st.tuples(VERBS, NAMES, FIELDS, LISTS).map(lambda p: f"{p[0]} rulebase security rules {p[1]} {p[2]} {p[3]}"),
    st.tuples(VERBS, NAMES, st.sampled_from(["action allow", "action block", "log-end no", "disabled yes"])).map(
        lambda p: f"{p[0]} rulebase security rules {p[1]} {p[2]}"
    ),
    st.tuples(NAMES, st.sampled_from(["top", "bottom", "before a", "after b", "up"])).map(
        lambda p: f"move rulebase security rules {p[0]} {p[1]}"
    ),
    NAMES.map("delete rulebase security rules {}".format),
)
LINES = st.one_of(
    st.tuples(NAMES, VALUES, EXTRA).map(lambda p: f"set address {p[0]} {p[1]}{p[2]}"),
    st.tuples(VERBS, NAMES, LISTS).map(lambda p: f"{p[0]} address-group {p[1]} static {p[2]}"),
    st.tuples(NAMES, st.sampled_from(["'t'", "'t' and 'u'", "'t' and", "( 't' or u )"])).map(
        lambda p: f'set address-group {p[0]} dynamic filter "{p[1]}"'
    ),
    st.tuples(NAMES, st.integers(0, 44)).map(lambda p: f"set tag {p[0]} color color{p[1]}"),
    st.tuples(
        NAMES,
        st.sampled_from(["ip", "domain", "url"]),
        st.sampled_from(["url http://f", "recurring hourly", "recurring daily at 03"]),
    ).map(lambda p: f"set external-list {p[0]} type {p[1]} {p[2]}"),
    st.tuples(NAMES, st.sampled_from(["daily 08:00-12:00", "weekly monday 08:00-12:00"])).map(
        lambda p: f"set schedule {p[0]} schedule-type recurring {p[1]}"
    ),
    st.tuples(NAMES, st.sampled_from(["tcp port 80", "udp port 1-9,53", "icmp"])).map(
        lambda p: f"set service {p[0]} protocol {p[1]}"
    ),
    st.tuples(st.sampled_from(["address", "address-group", "tag", "schedule", "external-list", "service"]), NAMES).map(
        lambda p: f"delete {p[0]} {p[1]}"
    ),
    st.tuples(st.sampled_from(["address", "address-group", "rulebase security rules"]), NAMES, NAMES).map(
        lambda p: f"rename {p[0]} {p[1]} to {p[2]}"
    ),
    RULES,
    st.sampled_from(
        ["set shared address s fqdn s.example", "set deviceconfig system hostname h2", "nonsense", "revert config"]
    ),
)


def device(base: str = "set zone a network layer3 ethernet1/1\n") -> PanOs:
    return PanOs(base=base, clock=ManualClock(NOON))


@settings(max_examples=80, deadline=None)
@given(st.lists(LINES, max_size=20))
def test_what_it_prints_it_takes_again_and_what_it_refuses_changes_nothing(lines: list[str]) -> None:
    box = device()
    keyboard = configuring(box)
    before = candidate(box)
    for line in lines:
        refused = keyboard.type(line).strip()
        after = candidate(box)
        if refused:
            assert after == before, line
        before = after
    assert candidate(device(before)) == before
    braces = keyboard.type("run show config candidate")
    again = configuring(device(braces))
    assert again.type("run show config candidate") == braces


@settings(max_examples=40, deadline=None)
@given(st.lists(LINES, max_size=15), st.lists(LINES, max_size=15))
def test_two_partial_commits_make_the_candidate(hers: list[str], mine: list[str]) -> None:
    """Each administrator's part alone, then the other's: together everything, unless a part is not whole."""
    box = device()
    alice, admin = configuring(box, user="alice"), configuring(box)
    for one, other in zip(hers, mine, strict=False):
        alice.type(one)
        admin.type(other)
    wanted = candidate(box)
    said = [admin.type(f"commit partial admin {name}") for name in ("alice", "admin")]
    assert candidate(box) == wanted
    if all("Commit failed" not in each for each in said):
        assert sorted(set_lines(box)) == sorted(wanted.splitlines())
        assert list(box.running.rules("vsys1")) == list(box.candidate.rules("vsys1"))


def set_lines(box: PanOs) -> list[str]:
    return "\n".join(all_set_lines(box.running.root, multi=False)).splitlines()
