"""Laws of the emulated SRX: what it prints it takes again, and what it refuses changes nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.emulators.srx import Switches
from lab.emulators.srx.switches import Model
from tests.lab.emulators.srx import active, candidate, configuring, srx

NAMES = st.sampled_from(["a", "b", "c", "web", "staff"])
POLICIES = st.sampled_from(["p", "q", "web-in"])
V4 = st.tuples(st.ip_addresses(v=4).map(str), st.integers(0, 33)).map(lambda pair: f"{pair[0]}/{pair[1]}")
V6 = st.tuples(st.ip_addresses(v=6, network="2001:db8::/32"), st.integers(0, 129)).map(
    lambda pair: f"{pair[0].exploded.upper()}/{pair[1]}"
)
WORTH = st.one_of(
    V4,
    V6,
    st.sampled_from(
        ["dns-name a.example", "dns-name *.b", "range-address 10.0.0.1 to 10.0.0.9", "range-address 1.1.1.1"]
    ),
    st.sampled_from(['description "odd  words"', "description x 10.0.0.0/8", "bogus"]),
)
BOOK = st.one_of(
    st.tuples(NAMES, WORTH).map(lambda pair: f"address {pair[0]} {pair[1]}"),
    st.tuples(NAMES, NAMES).map(lambda pair: f"address-set {pair[0]} address {pair[1]}"),
    NAMES.map("address-set {}".format),
)
MATCH = st.sampled_from(["source-address", "destination-address", "application", "from-zone", "to-zone"])
PARTS = st.one_of(
    st.tuples(MATCH, NAMES).map(lambda pair: f"match {pair[0]} {pair[1]}"),
    st.tuples(MATCH, NAMES, NAMES).map(lambda three: f"match {three[0]} [ {three[1]} {three[2]} ]"),
    st.sampled_from(["then permit", "then deny", "then log session-init", "then count", "scheduler-name s", "then x"]),
)
PLACES = st.sampled_from(["global", "from-zone inside to-zone outside", "from-zone a to-zone b", "from-zone a"])
POLICY = st.tuples(PLACES, POLICIES, PARTS).map(lambda p: f"security policies {p[0]} policy {p[1]} {p[2]}")
TIMES = st.sampled_from(["08:00 stop-time 17:00", "24:00 stop-time 1:00", "09:30"])
DAYS = st.sampled_from(["daily", "monday", "sunday", "noday"])
HOURS = st.tuples(DAYS, TIMES).map(lambda p: f"schedulers scheduler s {p[0]} start-time {p[1]}")
STATEMENTS = st.one_of(BOOK.map("security address-book global {}".format), POLICY, POLICY, HOURS)
SIDE = st.sampled_from(["before", "after"])
LINES = st.one_of(
    st.tuples(st.sampled_from(["set", "set", "set", "delete", "deactivate", "activate"]), STATEMENTS).map(" ".join),
    st.tuples(PLACES, POLICIES, SIDE, POLICIES).map(
        lambda p: f"insert security policies {p[0]} policy {p[1]} {p[2]} policy {p[3]}"
    ),
    st.tuples(POLICIES, POLICIES).map(lambda p: f"rename security policies global policy {p[0]} to policy {p[1]}"),
    st.sampled_from(["commit", "rollback 0", "rollback 1", "nonsense", "set", "commit check", "show | compare"]),
)
QUIET = ("configuration check succeeds", "commit complete", "load complete")


@settings(max_examples=80, deadline=None)
@given(st.lists(LINES, max_size=25))
def test_what_it_prints_it_takes_again_and_what_it_refuses_changes_nothing(lines: list[str]) -> None:
    box = srx()
    keyboard = configuring(box)
    before = candidate(keyboard)
    for line in lines:
        said = keyboard.type(line).strip()
        after = candidate(keyboard)
        if said and said not in QUIET:
            assert after == before, line
        before = after
    assert active(srx(base=before)) == before
    assert active(srx(base=active(box))) == active(box)


@settings(max_examples=60, deadline=None)
@given(st.lists(LINES, max_size=20))
def test_a_load_does_what_the_good_lines_do_and_comparing_is_empty_when_nothing_changed(lines: list[str]) -> None:
    lines = [line for line in lines if line.split()[0] in ("set", "delete", "deactivate", "activate") and " " in line]
    loaded = configuring(srx())
    assert loaded.load(*lines).endswith("load complete\n")
    assert (loaded.type("show | compare") == "") == (candidate(loaded) == active(loaded.device))
    loaded.type("rollback 0")
    assert loaded.type("show | compare") == ""


@settings(max_examples=20, deadline=None)
@given(st.lists(LINES, max_size=10), st.sampled_from(["kept", "cleared", "refused"]), st.booleans(), st.booleans())
def test_it_takes_its_print_again_whatever_the_switches(lines: list[str], bits: str, quoted: bool, kept: bool) -> None:
    switches = Switches(host_bits=bits, always_quoted=quoted, ipv6_kept=kept)  # type: ignore[arg-type]
    keyboard = configuring(srx(switches=switches, model=Model(dns_interval=False)))
    for line in lines:
        keyboard.type(line)
    shown = candidate(keyboard)
    assert active(srx(base=shown, switches=switches)) == shown
