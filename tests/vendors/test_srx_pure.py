"""Juniper SRX without a device: readings, changes as lines, and counters in every layout that is on record."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from core.ids import DeviceName
from core.net import DomainName
from vendors.diff import diff, mark_of
from vendors.errors import CapacityExceeded, Unreadable
from vendors.juniper_srx import JuniperSrx, JuniperSrxOptions, counters, shape
from vendors.juniper_srx.parse import Held
from vendors.juniper_srx.placement import inserts, target_order
from vendors.juniper_srx.render import render_change
from vendors.juniper_srx.shape import GLOBAL
from vendors.juniper_srx.statements import line_of, words_of
from vendors.model import Action, AddressGroup, Desired, DomainGroup, GroupName, Observed, Rule, RuleName
from vendors.placing import After, Before
from vendors.shell import Said, gathered

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SITE = """\
set version 24.4R1.9
set system host-name edge
set system name-server 192.0.2.53
set security address-book global address web 10.0.0.80/32
set security policies from-zone inside to-zone outside policy staff-out match source-address any
set security policies from-zone inside to-zone outside policy staff-out then permit
set security policies global policy web-in match destination-address web
"""
COMMIT = "0   2026-03-02 12:00:00 UTC by root via cli\n"


def adapter(**options: object) -> JuniperSrx:
    return JuniperSrx(JuniperSrxOptions.model_validate(options), DeviceName("edge"))


def reading(configuration: str = SITE, commit: str = COMMIT, banner: str = "\n") -> str:
    told = {"show configuration | display set": configuration, "show system commit": commit, "banner": banner}
    return gathered(Said(line=line, text=text, prompt="") for line, text in told.items())


def wish(*networks: str, names: tuple[str, ...] = ()) -> Desired:
    groups = [
        AddressGroup(name=GroupName("dst-tiktok"), members=frozenset(map(ip_network, networks))),
        AddressGroup(name=GroupName("src-company"), members=frozenset({ip_network("10.0.1.0/24")})),
    ]
    targets = [GroupName("dst-tiktok")]
    if names:
        held = frozenset(DomainName(name, suffix=False) for name in names)
        groups.insert(1, DomainGroup(name=GroupName("a-fqdn-tiktok"), members=held))  # type: ignore[arg-type]
        targets.append(GroupName("a-fqdn-tiktok"))  # not in the order of the alphabet
    rule = Rule(
        name=RuleName("deny-company"),
        action=Action.DENY,
        sources=GroupName("src-company"),
        destinations=tuple(targets),
    )
    made = tuple(sorted(groups, key=lambda group: group.name))
    return Desired(groups=made, rules=(rule,), owner="01kb000000000000000000tkga", snapshot="0123456789ab")


def loaded(configuration: str, observed: Observed, desired: Desired, **options: object) -> str:
    """What the configuration is behind the change, by the plainest reading of `set`, `delete` and `insert`."""
    made = adapter(**options)
    plan = diff(observed, desired, observed.can)
    change = render_change(Held.loads(observed.extra["held"]), plan, mark_of(plan.desired), made.options)
    lines = configuration.splitlines()
    for line in change.lines:
        verb, _, rest = line.partition(" ")
        if verb == "delete":
            found = [held for held in lines if held == f"set {rest}" or held.startswith(f"set {rest} ")]
            assert found, f"nothing there: {line}"
            lines = [held for held in lines if held not in found]
        else:
            path = line.rpartition(" ")[0] if " description " not in line else line.partition(" description ")[0]
            if " description " in line:
                lines = [held for held in lines if not held.startswith(f"{path} description ")]
            lines.append(line)
    for line in change.moves:
        words = line.split()
        at = words.index("policy")
        path, name, where, anchor = "set " + " ".join(words[1:at]), words[at + 1], words[at + 2], words[at + 4]
        moving = [held for held in lines if held.startswith(f"{path} policy {name} ")]
        lines = [held for held in lines if held not in moving]
        near = [at for at, held in enumerate(lines) if held.startswith(f"{path} policy {anchor} ")]
        place = near[0] if where == "before" else near[-1] + 1
        lines[place:place] = moving
    return "".join(f"{line}\n" for line in lines)


NETWORKS = st.sets(
    st.sampled_from(["192.0.2.0/24", "198.51.100.7/32", "203.0.113.0/25", "2001:db8::/32", "2001:db9::1/128"]),
    min_size=1,
)
NAMES = st.sets(st.sampled_from(["www.tiktok.com", "a.example", f"{'x' * 60}.example"])).map(tuple)


@given(first=NETWORKS, second=NETWORKS, names=NAMES, later=NAMES)
@settings(max_examples=40, deadline=None)
def test_a_change_ends_in_what_is_wanted_and_leaves_the_owners_alone(
    first: set[str], second: set[str], names: tuple[str, ...], later: tuple[str, ...]
) -> None:
    made = adapter()
    before = made.parse(reading())
    configuration = loaded(SITE, before, wish(*first, names=names))
    held = made.parse(reading(configuration))
    assert held.irregular == ()
    assert diff(held, wish(*first, names=names), held.can).is_empty
    after = made.parse(reading(loaded(configuration, held, wish(*second, names=later))))
    assert after.irregular == ()
    assert diff(after, wish(*second, names=later), after.can).is_empty
    assert before.foreign == held.foreign == after.foreign


def test_i03_one_more_network_is_two_lines_and_a_mark() -> None:
    made = adapter()
    configuration = loaded(SITE, made.parse(reading()), wish("192.0.2.0/24", "198.51.100.0/24"))
    held = made.parse(reading(configuration))
    plan = diff(held, wish("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"), held.can)
    lines = made.render(held, plan).text.splitlines()
    assert len(lines) == 3
    assert sum("203.0.113.0" in line for line in lines) == 2


def test_i03_what_stands_right_is_not_moved() -> None:
    order = ["tokgate-a", "tokgate-b", "theirs", "tokgate-c"]
    assert list(inserts(order, order, order[:2], GLOBAL)) == []
    target = ["tokgate-a", "tokgate-b", "tokgate-c", "theirs"]
    (line,) = inserts(order, target, ["tokgate-a", "tokgate-b", "tokgate-c"], GLOBAL)
    assert line == "insert security policies global policy tokgate-c after policy tokgate-b"


def test_an_owners_comments_are_no_statements() -> None:
    assert adapter().parse(reading(f"# of the owner\n{SITE}")).foreign == adapter().parse(reading()).foreign


@pytest.mark.parametrize(
    "places",
    [
        [],
        [{}, {"placement": {"before": "x"}}],
        [{"from_zone": "a", "to_zone": "b"}, {"from_zone": "a", "to_zone": "b"}],
        [{"from_zone": "a"}],
        [{"from_zone": "a; x", "to_zone": "b"}],
    ],
)
def test_places_are_named_once_and_whole(places: list[dict[str, object]]) -> None:
    with pytest.raises(ValidationError):
        adapter(places=places)


def test_a_rule_is_exactly_these_lines() -> None:
    made = adapter(places=[{"from_zone": "inside", "to_zone": "outside"}])
    before = made.parse(reading())
    lines = made.render(before, diff(before, wish("192.0.2.0/24"), before.can)).text.splitlines()
    policy = "set security policies from-zone inside to-zone outside policy tokgate-deny-company"
    assert [line.removeprefix(policy) for line in lines if line.startswith(policy)] == [
        ' description "tokgate 01kb000000000000000000tkga rule deny-company dst-tiktok"',
        " match application any",
        " match destination-address tokgate-dst-tiktok",
        " match source-address tokgate-src-company",
        " then deny",
        " then log session-init",
    ]


@pytest.mark.parametrize("length", range(40, 80, 3))
def test_names_of_objects_are_never_longer_than_the_model_takes(length: int) -> None:
    names = [shape.domain_object(DomainName(f"{letter * (length - 8)}.example", suffix=False)) for letter in "ab"]
    assert len(set(names)) == 2
    assert max(map(len, names)) <= 63


def test_long_lists_are_nested_and_members_stay_where_they_are() -> None:
    made = adapter(set_members=100)
    many = [f"10.{n}.0.0/16" for n in range(1, 240)]
    configuration = loaded(SITE, made.parse(reading()), wish(*many), set_members=100)
    held = made.parse(reading(configuration))
    assert held.irregular == ()
    assert "address-set tokgate-dst-tiktok address-set tokgate-dst-tiktok.3" in configuration
    fewer = wish(*(n for n in many if n != "10.7.0.0/16"))
    lines = made.render(held, diff(held, fewer, held.can)).text.splitlines()
    assert len(lines) == 3, "the member, its address and the mark: no other part moves"


def test_i06_a_reading_cut_off_anywhere_is_no_reading() -> None:
    made = adapter()
    whole = reading(loaded(SITE, made.parse(reading()), wish("192.0.2.0/24")))
    for end in range(len(whole)):
        with pytest.raises(Unreadable):
            made.parse(whole[:end])


def test_i06_a_login_that_sees_only_a_part_is_told_so() -> None:
    with pytest.raises(Unreadable, match="names no version"):
        adapter().parse(reading("set security policies default-policy deny-all\n"))


def test_without_a_name_server_no_names_are_enforced() -> None:
    observed = adapter().parse(reading(SITE.replace("set system name-server 192.0.2.53\n", "")))
    assert not observed.can.fqdn
    assert any(note.startswith("domains: no `system name-server`") for note in observed.can.notes)


def test_a_pending_commit_and_a_secondary_node_are_seen() -> None:
    pending = COMMIT.rstrip("\n") + " commit confirmed, rollback in 10mins\n"
    assert adapter().parse(reading(commit=pending)).extra["pending"] == "yes"
    assert adapter().parse(reading(banner="{secondary:node1}\n")).extra["role"] == "secondary"


def test_the_most_entries_are_an_option() -> None:
    observed = adapter(max_entries=2).parse(reading())
    with pytest.raises(CapacityExceeded):
        diff(observed, wish("192.0.2.0/24", "198.51.100.0/24"), observed.can)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1), min_size=1))
def test_words_are_read_back(words: list[str]) -> None:
    found = tuple(words)
    if any(word.isspace() for word in words):
        return
    assert words_of(line_of("set", found)) == ("set", *found)


@given(st.permutations(["a", "b", "tokgate-x", "tokgate-y"]), st.sampled_from(["top", "before", "after"]))
def test_inserts_end_in_the_wanted_order(now: list[str], where: str) -> None:
    place = {"before": Before(before="b"), "after": After(after="a")}.get(where, "top")
    options = JuniperSrxOptions.model_validate({"places": [{"placement": place}]})
    ours = ["tokgate-x", "tokgate-y"]
    target = target_order(now, ours, options, GLOBAL)
    assert not isinstance(target, str)
    order = list(now)
    for line in inserts(now, target, ours, GLOBAL):
        words = line.split()
        name, way, anchor = words[5], words[6], words[8]
        order.remove(name)
        order.insert(order.index(anchor) + (way == "after"), name)
    assert order == target


# --- counters -------------------------------------------------------------------------------------------------------

UPTIME = "Current time: 2026-03-02 12:00:00 UTC\nSystem booted: 2026-01-01 00:00:00 UTC (8w4d 12:00 ago)\n"
NODES = ("node0", "node1")
ROWS = {
    "vSRX 24.4": """\
Logical system: root-logical-system
Index   From zone        To zone           Name           Policy count  Action
1       all-zone         all-zone          default-policy 0             Deny
5       inside           outside           tokgate-deny-company 934734 Deny
6       junos-global     junos-global      tokgate-deny-company 6 Deny
""",
    "no action column": """\
Logical system: root-logical-system
 Index   From zone        To zone           Name           Policy count
 1       inside           outside           tokgate-deny-company 934740
 9       junos-global     junos-global      tokgate-deny-company 0
Number of policy: 2
""",
    "two nodes": f"""\
node0:
{"-" * 74}
Logical system: root-logical-system
index   from zone        to zone           name           policy count  action
1       inside           outside           tokgate-deny-company 934000 Deny
node1:
{"-" * 74}
Logical system: root-logical-system
index   from zone        to zone           name           policy count  action
1       inside           outside           tokgate-deny-company 740 Deny
""",
}
RULES = "set security policies from-zone inside to-zone outside policy tokgate-deny-company then deny\n"
MARKED = "set security address-book global address tokgate-_mark 0.0.0.0/32\n"


OPTIONS = JuniperSrxOptions(log_file="flows")


def counted(hits: str, *, rules: str = RULES, mark: str = MARKED, log: str | None = None) -> str:
    asked = counters.Asked.of(OPTIONS)
    told = {
        "show security policies hit-count": hits,
        "show system uptime": UPTIME if "node1:" not in hits else "".join(f"{n}:\n{'-' * 74}\n{UPTIME}" for n in NODES),
        asked.rules: rules,
        asked.ours: mark,
        "show log flows | match RT_FLOW_SESSION_DENY | last 1000": log or "",
    }
    return gathered(Said(line=line, text=text, prompt="") for line, text in told.items())


@pytest.mark.parametrize("layout", ROWS)
def test_i11_hits_are_read_in_every_layout(layout: str) -> None:
    found = counters.reading_from(counted(ROWS[layout]), NOW, OPTIONS)
    assert [(rule.rule, rule.hits, rule.packets) for rule in found.rules] == [("deny-company", 934740, None)]
    if layout == "two nodes":
        assert found.epoch == "cluster"
        assert [unit.unit for unit in found.rules[0].units] == list(NODES)
        assert {unit.epoch for unit in found.rules[0].units} == {"2026-01-01T00:00:00TUTC"}
    else:
        assert (found.epoch, found.rules[0].units) == ("2026-01-01T00:00:00TUTC", ())


def test_i11_a_rule_without_a_row_is_an_error_and_never_zero() -> None:
    with pytest.raises(Unreadable, match="no hit count of tokgate-deny-company"):
        counters.reading_from(counted(ROWS["vSRX 24.4"].replace("tokgate-deny-company", "other")), NOW, OPTIONS)


def test_i11_nothing_of_ours_is_an_error() -> None:
    with pytest.raises(Unreadable, match="nothing of ours"):
        counters.reading_from(counted(ROWS["vSRX 24.4"], rules="", mark=""), NOW, OPTIONS)


def test_i11_counters_cut_off_or_garbled_are_no_counters() -> None:
    whole = counted(ROWS["vSRX 24.4"])
    for end in range(len(whole)):
        with pytest.raises(Unreadable):
            counters.reading_from(whole[:end], NOW, OPTIONS)
    for wrong in ("", "error: permission denied: security\n", ROWS["vSRX 24.4"].replace("934734", "many")):
        with pytest.raises(Unreadable):
            counters.reading_from(counted(wrong), NOW, OPTIONS)


STRUCTURED = (
    "<14>1 2026-03-02T12:46:46.573+01:00 edge RT_FLOW - RT_FLOW_SESSION_DENY [junos@2636.1.1.1.2.129 "
    'source-address="10.0.1.5" source-port="37233" destination-address="103.136.220.10" destination-port="443" '
    'protocol-id="6" policy-name="{policy}" source-zone-name="inside" encrypted="No " reason="Denied by policy"]\n'
)
UNSTRUCTURED = (
    "Sep 29 23:49:20 edge RT_FLOW: RT_FLOW_SESSION_DENY: session denied 10.0.1.6/54924->103.136.220.10/443 "
    "junos-https 6(0) {policy}(global) inside outside UNKNOWN UNKNOWN N/A(N/A) ge-0/0/0.0 UNKNOWN policy deny\n"
)


def test_who_was_denied_is_read_from_both_forms_of_the_log_and_of_our_policies_alone() -> None:
    ours, theirs = "tokgate-deny-company", "default-deny"
    log = "".join(form.format(policy=policy) for form in (STRUCTURED, UNSTRUCTURED) for policy in (ours, ours, theirs))
    log += "".join(form.format(policy=theirs).replace("10.0.1.", "10.0.9.") for form in (STRUCTURED, UNSTRUCTURED))
    flows = counters.reading_from(counted(ROWS["vSRX 24.4"], log=log), NOW, OPTIONS).flows
    assert [(str(flow.source), str(flow.destination), flow.last_seen) for flow in flows] == [
        ("10.0.1.5", "103.136.220.10", datetime(2026, 3, 2, 11, 46, 46, 573000, tzinfo=UTC)),
        ("10.0.1.6", "103.136.220.10", NOW),
    ]
