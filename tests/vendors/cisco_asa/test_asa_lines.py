"""From what is wished for to lines, and from what the device then prints back to what was wished for."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.emulators.asa import Switches
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.asa import SITE, enabled, running
from tests.vendors.cisco_asa.boxes import (
    DENY,
    FQDN,
    NOTHING,
    OWNER,
    SOURCES,
    VIDEO,
    WISH,
    addresses,
    box,
    deny,
    desired,
    lines_of,
    listed,
    look,
    names,
    options,
    planned,
    pushed,
    told,
    typed_in,
)
from vendors.cisco_asa.parse import observed_from
from vendors.diff import mark_of
from vendors.errors import Refused, Unreadable
from vendors.model import AddressGroup, Desired

GOLDEN = Path(__file__).parent / "goldens" / "first-change.txt"


def test_a_first_change_is_these_lines() -> None:
    lines = lines_of(planned(box(), WISH))
    assert "".join(f"{line}\n" for line in lines) == GOLDEN.read_text(encoding="utf-8")


def test_what_was_written_is_read_back_and_nothing_is_left_to_do() -> None:
    observed = look(pushed(box(), WISH))
    assert (observed.groups, observed.rules, observed.mark) == (WISH.groups, WISH.rules, mark_of(WISH))
    assert observed.irregular == ("persistence: our lines are not saved for the next boot",)
    assert planned(pushed(box(), WISH), WISH) == ()


def test_the_rest_of_the_configuration_is_what_it_was_once_ours_is_gone() -> None:
    device = box()
    before, foreign = running(device), look(device).foreign
    pushed(device, WISH)
    assert look(device).foreign == foreign
    pushed(device, NOTHING)
    left = [line for line in running(device).splitlines() if line not in before.splitlines()]
    assert [line.split()[0] for line in left if "Cryptochecksum" not in line] == [
        "object-group", "description", "network-object",
    ]  # fmt: skip  # the mark alone


def test_one_more_network_is_one_more_line() -> None:
    device = pushed(box(), WISH)
    more = replace(VIDEO, members=VIDEO.members | addresses("x", "192.0.2.0/25").members)
    lines = lines_of(planned(device, desired([SOURCES, more, FQDN], [DENY])))
    assert lines[:2] == ["object-group network tokgate-dst-video", "network-object 192.0.2.0 255.255.255.128"]
    assert [line.split()[0] for line in lines[2:]] == ["object-group", "description"]  # the mark


def test_adding_comes_before_taking_away() -> None:
    device = pushed(box(), WISH)
    wished = desired([SOURCES, addresses("dst-video", "192.0.2.0/25"), names("fqdn-video", "m.example.org")], [DENY])
    lines = lines_of(planned(device, wished))
    gone = [at for at, line in enumerate(lines) if line.startswith("no ")]
    added = [at for at, line in enumerate(lines) if line.startswith("network-object")]
    assert added
    assert max(added) < min(gone)
    assert observed_after(device, lines) == (wished.groups, wished.rules)


def observed_after(device: object, lines: list[str]) -> tuple[object, object]:
    typed_in(device, lines)  # type: ignore[arg-type]
    observed = look(device)  # type: ignore[arg-type]
    return observed.groups, observed.rules


ROLES = {role: addresses(f"src-{role}", f"10.{at}.0.0/16") for at, role in enumerate("abcde", start=1)}


def ordered(roles: str) -> Desired:
    rules = [deny(f"deny-{role}", f"src-{role}", "dst-video") for role in roles]
    return desired([VIDEO, *(ROLES[role] for role in sorted(roles))], rules)


@pytest.mark.parametrize(
    ("old", "new", "moved"),
    [("abc", "abcd", "d"), ("abc", "dabc", "d"), ("abd", "abcd", "c"), ("abcd", "acd", "b"), ("abcd", "dabc", "d"),
     ("abcd", "bcda", "a"), ("abcde", "acdbe", "b"), ("bca", "dbeca", "de")],
)  # fmt: skip
def test_only_entries_that_are_new_or_out_of_order_are_touched(old: str, new: str, moved: str) -> None:
    device = pushed(box(), ordered(old))
    lines = lines_of(planned(device, ordered(new)))
    own = [word for line in lines if " extended " in line for word in line.split() if word.startswith("tokgate-src-")]
    assert {name.removeprefix("tokgate-src-") for name in own} == set(moved)
    assert observed_after(device, lines) == (ordered(new).groups, ordered(new).rules)


def test_what_is_left_of_an_earlier_change_or_named_like_it_is_not_used_again() -> None:
    """A stand-in of a change that was cut short, and two names that somebody made up."""
    left = ("tokgate-cover.4.src-a", "tokgate-cover.x.src-a", "tokgate-cover.")
    device = pushed(box(), ordered("ab"))
    for name in left:
        typed_in(device, [f"object-group network {name}", "group-object tokgate-src-a"])
    lines = lines_of(planned(device, ordered("ba")))
    assert (
        "object-group network tokgate-cover.5.src-b" in lines or "object-group network tokgate-cover.5.src-a" in lines
    )
    assert {f"no object-group network {name}" for name in left} <= set(lines)
    assert observed_after(device, lines) == (ordered("ba").groups, ordered("ba").rules)


def test_every_list_gets_every_entry() -> None:
    both = options(lists=[{"acl": "INSIDE_IN"}, {"acl": "GUEST_IN", "placement": {"after": "guests"}}])
    guests = "access-list GUEST_IN remark guests\naccess-list GUEST_IN extended permit ip any any\n"
    device = box(base=with_lines(guests, "access-group GUEST_IN in interface outside\n"))
    pushed(device, WISH, both)
    shown = [line for line in running(device).splitlines() if line.startswith("access-list GUEST_IN")]
    assert shown[0].endswith("remark guests")
    assert shown[-1].endswith("permit ip any any")
    assert len(shown) == 5
    assert look(device, both).irregular[0].startswith("persistence:")
    typed_in(device, [f"no {shown[2]}"])
    assert "GUEST_IN has other entries" in look(device, both).irregular[0]
    assert lines_of(planned(device, WISH, both)) == [shown[2].replace("GUEST_IN ", "GUEST_IN line 3 ")]


def with_lines(*more: str) -> str:
    return SITE.replace("pager lines 24\n", f"{more[0]}pager lines 24\n").replace(
        "route outside", f"{''.join(more[1:])}route outside"
    )


# --- places -----------------------------------------------------------------------------------------------------------

PLACES = [("top", 0), ({"before": "ours here"}, 1), ({"after": "ours here"}, 2)]


@pytest.mark.parametrize(("place", "index"), PLACES)
def test_entries_stand_where_the_inventory_says(place: object, index: int) -> None:
    chosen, device = listed(placement=place), box()
    typed_in(device, ["access-list INSIDE_IN line 2 remark ours here"])
    pushed(device, WISH, chosen)
    shown = [line for line in running(device).splitlines() if line.startswith("access-list INSIDE_IN")]
    assert shown[index].endswith("remark tokgate rule deny-company")
    assert planned(device, WISH, chosen) == ()


def test_without_its_anchor_nothing_is_written() -> None:
    with pytest.raises(Refused, match="no remark 'nowhere'"):
        planned(box(), WISH, listed(placement={"before": "nowhere"}))


ENTRY = "access-list INSIDE_IN extended deny ip object-group tokgate-src-company object-group tokgate-dst-video log"
LIST = "object-group network tokgate-dst-video"
OBJECT = "object network tokgate-d.www.example.com"
DAMAGES = {
    "a permit above": ["access-list INSIDE_IN line 1 extended permit ip 10.0.1.0 255.255.255.0 any"],
    "a permit among ours": ["access-list INSIDE_IN line 2 extended permit tcp any any eq 8443"],
    "the remark gone": ["no access-list INSIDE_IN remark tokgate rule deny-company"],
    "an entry gone": [f"no {ENTRY}"],
    "an entry moved to the end": [f"no {ENTRY}", ENTRY],
    "an entry inactive": [f"{ENTRY} inactive"],
    "an entry of another level": [f"{ENTRY} 3"],
    "a member gone": [LIST, "no network-object 203.0.113.0 255.255.255.0"],
    "a member added": [LIST, "network-object 192.0.2.0 255.255.255.0"],
    "a member with host bits": [LIST, "network-object 192.0.2.7 255.255.255.0"],
    "an object of the site in": [LIST, "network-object object web"],
    "a group of the site in": [LIST, "group-object staff"],
    "another description": [LIST, "description mine"],
    "another description of the sources": ["object-group network tokgate-src-company", "description mine"],
    "the sentinel gone": ["object-group network tokgate-fqdn-video", "no network-object host 192.0.2.255"],
    "another name": [OBJECT, "fqdn other.example.com"],
    "one family of a name": [OBJECT, "fqdn v4 www.example.com"],
    "an address for a name": [OBJECT, "host 192.0.2.9"],
    "an entry in hours of the site": [f"{ENTRY} time-range nights"],
    "an object without owner": [OBJECT, "no description"],
    "one object more": ["object network tokgate-d.left.example.com", "fqdn left.example.com"],
    "one group more": ["object-group network tokgate-mine", "network-object host 192.0.2.9"],
    "the mark garbled": ["object-group network tokgate-about.mark", "description hello"],
    "the mark gone": ["no object-group network tokgate-about.mark"],
    "an entry in another list": [ENTRY.replace("INSIDE_IN", "OTHER"), "access-list OTHER extended permit ip any any"],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_a_hand_did_is_seen_and_put_right(damage: list[str]) -> None:
    device = box()
    pushed(device, WISH)
    typed_in(device, damage)
    observed = look(device)
    seen = any(not line.startswith("persistence:") for line in observed.irregular) or observed.mark is None
    assert seen or (observed.groups, observed.rules) != (WISH.groups, WISH.rules)
    typed_in(device, lines_of(planned(device, WISH)))
    after = look(device)
    assert (after.groups, after.rules, after.mark) == (WISH.groups, WISH.rules, mark_of(WISH))
    assert all(line.startswith("persistence:") for line in after.irregular), after.irregular


def test_an_entry_that_stops_nothing_stands_for_no_rule() -> None:
    inactive = [f"{entry} inactive" for entry in (ENTRY, ENTRY.replace("dst-video", "fqdn-video"))]
    device = pushed(box(), WISH)
    typed_in(device, inactive)
    assert look(device).rules == ()
    device = pushed(box(), WISH)
    sources = ("network-object 10.0.1.0 255.255.255.0", "network-object 2001:db8:1::/48")
    typed_in(device, ["object-group network tokgate-src-company", "network-object object web"])
    typed_in(device, ["object-group network tokgate-src-company", *(f"no {member}" for member in sources)])
    assert look(device).rules == (), "whose traffic it stops is not known"


@pytest.mark.parametrize("name", ["dst-video", "fqdn-video"])
def test_a_list_whose_description_is_gone_still_denies_and_is_known_by_its_name(name: str) -> None:
    device = pushed(box(), WISH)
    typed_in(device, [f"object-group network tokgate-{name}", "description mine"])
    observed = look(device)
    assert (observed.groups, observed.rules) == (WISH.groups, WISH.rules)
    assert observed.irregular[0] == f"object-group tokgate-{name} does not say what it is"


@pytest.mark.parametrize(
    ("cut", "more", "note"),
    [
        ("", "", ""),
        ("logging timestamp\n", "", "source-capture"),
        ("", "object-group-search access-control\n", "entry-counters"),
        ("dns domain-lookup outside\n", "", "domains"),
    ],
)
def test_what_the_device_cannot_do_is_noted_and_nothing_else(cut: str, more: str, note: str) -> None:
    always = {each.partition(":")[0] for each in look(box()).can.notes}
    can = look(box(base=with_lines(more).replace(cut, "", 1) if cut else with_lines(more))).can
    assert always == {"monitor", "spare", "wildcard-domains", "session-clearing"}
    assert {each.partition(":")[0] for each in can.notes} - always == ({note} if note else set())
    assert (can.source_capture, can.entry_counters, can.fqdn) == tuple(
        note != each for each in ("source-capture", "entry-counters", "domains")
    )


@pytest.mark.parametrize("damage", ["a permit above", "a permit among ours", "an entry of another level"])
def test_an_entry_is_moved_without_a_moment_in_which_it_stops_nothing(damage: str) -> None:
    device = pushed(box(), WISH)
    flow = Flow(source=ip_address("10.0.1.9"), destination=ip_address("203.0.113.5"))
    typed_in(device, DAMAGES[damage])
    already = device.forward(flow) is Verdict.DENY
    typed = enabled(device, "configure terminal")
    lines = lines_of(planned(device, WISH))
    assert any("tokgate-cover." in line for line in lines)
    for line in lines:
        typed.all(line)
        verdict = device.forward(flow)
        assert verdict is Verdict.DENY or not already, line
        already = already or verdict is Verdict.DENY
    assert already
    assert planned(device, WISH) == ()


def test_a_list_that_would_be_left_empty_is_left_alone() -> None:
    device = box(base=with_lines("access-list ALONE extended permit ip any any\n"))
    pushed(device, WISH, options(lists=[{"acl": "INSIDE_IN"}, {"acl": "ALONE"}]))
    typed_in(device, ["no access-list ALONE extended permit ip any any"])
    with pytest.raises(Refused, match="nothing but our entries"):
        planned(device, NOTHING, options(lists=[{"acl": "INSIDE_IN"}, {"acl": "ALONE"}]))


def test_a_group_that_a_line_of_the_site_uses_is_not_taken_away() -> None:
    device = pushed(box(), WISH)
    typed_in(device, ["access-list INSIDE_IN extended permit ip any object-group tokgate-dst-video"])
    with pytest.raises(Refused, match="refers to tokgate-dst-video"):
        planned(device, NOTHING)


# --- readings ---------------------------------------------------------------------------------------------------------


def test_i06_a_reading_that_ends_anywhere_is_none() -> None:
    whole = told(pushed(box(), WISH))
    observed_from(whole, options())
    for end in range(len(whole)):
        with pytest.raises(Unreadable):
            observed_from(whole[:end], options())


def test_i06_a_configuration_that_ends_at_any_line_is_none() -> None:
    whole = told(pushed(box(), WISH))
    head, _, rest = whole.partition("@@ show running-config\n")
    lines = rest.removesuffix("@@ end\n").splitlines(keepends=True)
    for end in range(len(lines) - 1):
        with pytest.raises(Unreadable):
            observed_from(f"{head}@@ show running-config\n{''.join(lines[:end])}@@ end\n", options())


def test_an_alias_that_is_printed_for_an_address_is_understood() -> None:
    device = box()
    video = addresses("dst-video", "192.0.2.53/32", "203.0.113.0/24")
    pushed(device, desired([SOURCES, video], [deny("deny-company", "src-company", "dst-video")]))
    assert "network-object host resolver" in running(device)
    assert video in look(device).groups


@pytest.mark.parametrize("switches", [Switches(masked_hosts=True), Switches(fqdn_needs_acl=True)])
def test_what_no_source_settles_changes_nothing(switches: Switches) -> None:
    device = pushed(box(switches=switches), WISH)
    observed = look(device)
    assert (observed.groups, observed.rules) == (WISH.groups, WISH.rules)
    assert planned(device, WISH) == ()


# --- any wish at all --------------------------------------------------------------------------------------------------

NETWORKS = st.sampled_from(
    [
        "10.1.0.0/16",
        "10.2.3.0/24",
        "10.2.4.4/32",
        "192.0.2.128/25",
        "203.0.113.9/32",
        "2001:db8::/32",
        "2001:db9::1/128",
    ]
)
LABELS = st.sampled_from(["a", "b2", "x-y", "long" * 12])


@st.composite
def wishes(draw: st.DrawFn) -> Desired:
    members = st.lists(NETWORKS, min_size=1, max_size=5)
    lists = [addresses(f"dst-{name}", *draw(members)) for name in draw(st.sets(LABELS, max_size=3))]
    hosts = st.lists(st.sampled_from(["a.example", "b.example", f"{'w' * 60}.example"]), min_size=1, max_size=3)
    domains = [names(f"fqdn-{name}", *draw(hosts)) for name in draw(st.sets(LABELS, max_size=2))]
    targets = [group.name for group in (*lists, *domains)]
    sources: list[AddressGroup] = []
    rules = []
    for role in draw(st.sets(LABELS, max_size=3)) if targets else ():
        sources.append(addresses(f"src-{role}", *draw(members)))
        chosen = draw(st.lists(st.sampled_from(targets), min_size=1, max_size=4, unique=True))
        rules.append(deny(f"deny-{role}", f"src-{role}", *chosen))
    used = {name for rule in rules for name in rule.destinations}
    kept = [group for group in (*lists, *domains) if group.name in used]
    return desired([*kept, *sources], draw(st.permutations(rules)), owner=OWNER)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(old=wishes(), new=wishes())
def test_from_any_state_to_any_other_and_back(old: Desired, new: Desired) -> None:
    device = box()
    foreign = look(device).foreign
    for wished in (old, new, old):
        pushed(device, wished)
        observed = look(device)
        assert (observed.groups, observed.rules) == (wished.groups, wished.rules)
        assert all(line.startswith("persistence:") for line in observed.irregular), observed.irregular
        assert planned(device, wished) == ()
        assert observed.foreign == foreign
