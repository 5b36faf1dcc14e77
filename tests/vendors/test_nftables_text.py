"""The nftables adapter on text alone: what nft 1.0.6 and 1.1.3 printed, mutilated readings, and what is sent.

The readings in ``data/`` were captured from a lab gateway that blocks, monitors, exempts and spares.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from core.ids import DeviceName
from core.net import DomainName
from vendors.adapter import Adapter
from vendors.codec import desired_digest
from vendors.diff import diff
from vendors.errors import DeviceError, NotPrivileged, ToolMissing, Unreadable
from vendors.linux_nftables.dns import HEADER, parse_dns, render_dns
from vendors.linux_nftables.flows import Judge, newly_denied
from vendors.linux_nftables.options import LinuxNftablesOptions
from vendors.model import Action, AddressGroup, Desired, DomainGroup, GroupName, Mark, Observed, Rule, RuleName
from vendors.registry import adapter_for

DATA = Path(__file__).parent / "data"
VERSIONS = ("1.0.6", "1.1.3")
OPTIONS: dict[str, object] = {"dnsmasq": {}, "sudo": True}
DST, FQDN, EXCEPTION = GroupName("dst-tiktok"), GroupName("fqdn-tiktok"), "exc-01kb00000000000000000exc01"


def adapter(**options: object) -> Adapter:
    return adapter_for("linux_nftables", {**OPTIONS, **options}, DeviceName("fw"))


def text_of(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


@pytest.fixture(params=VERSIONS)
def reading(request: pytest.FixtureRequest) -> str:
    return text_of(f"reading-nft-{request.param}.txt")


@pytest.fixture(params=VERSIONS)
def counted(request: pytest.FixtureRequest) -> str:
    return text_of(f"counters-nft-{request.param}.txt")


# --- what nft prints ------------------------------------------------------------------------------------------------


def test_a_reading_of_either_nft_is_the_same_state(reading: str) -> None:
    found = adapter().parse(reading)
    assert found.irregular == ()
    assert found.mark == Mark(
        owner="01kb000000000000000000tkga",
        snapshot="0123456789ab",
        desired="6be1fb1ee7319311647fcdaf16d8cd834aa485999c6e57f2b16c8407c5b72124",
    )
    groups = {group.name: group.members for group in found.groups}
    assert groups[DST] == {
        ip_network(text)
        for text in ("71.18.0.0/16", "192.0.2.0/24", "103.136.220.10/32", "2605:340::/32", "2404:9dc0:cd01::10/128")
    }
    assert groups[FQDN] == {DomainName("tiktok.com"), DomainName("v16-webapp.tiktokcdn.com")}
    assert [(rule.name, rule.action) for rule in found.rules] == [
        ("spare", Action.SPARE),
        (EXCEPTION, Action.EXEMPT),
        ("deny-company", Action.DENY),
        ("deny-marketing", Action.DENY),
        ("mon-guest", Action.MONITOR),
    ]
    assert diff(found, _as_found(found), found.can).is_empty


def _as_found(found: Observed) -> Desired:
    assert found.mark is not None
    return Desired(groups=found.groups, rules=found.rules, owner=found.mark.owner, snapshot=found.mark.snapshot)


def test_i06_a_lost_or_doubled_line_is_never_a_sound_state_of_something_else(reading: str) -> None:
    """Every line of the reading, left out and repeated: refused, told as irregular, or no matter of ours."""
    sound = adapter().parse(reading)
    lines = reading.splitlines(keepends=True)
    for number, _ in enumerate(lines):
        for mutilated in (lines[:number] + lines[number + 1 :], lines[: number + 1] + lines[number:]):
            try:
                found = adapter().parse("".join(mutilated))
            except DeviceError:
                continue
            same = (found.groups, found.rules, found.mark) == (sound.groups, sound.rules, sound.mark)
            assert same or found.irregular or found.mark is None or _is_told_by_its_digest(found), lines[number]


def _is_told_by_its_digest(found: Observed) -> bool:
    """The mark holds a digest of what should be there: a member that is missing shows."""
    assert found.mark is not None
    return desired_digest(_as_found(found)) != found.mark.desired


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_i06_any_damage_is_refused_or_told(data: st.DataObject) -> None:
    reading = text_of("reading-nft-1.0.6.txt")
    at = data.draw(st.integers(0, len(reading) - 1))
    length = data.draw(st.integers(0, 200))
    junk = data.draw(st.text(max_size=40))
    with contextlib.suppress(DeviceError):  # anything else would be a fault of the parser
        adapter().parse(reading[:at] + junk + reading[at + length :])


@pytest.mark.parametrize(
    ("status", "said", "error", "words"),
    [
        (139, "", ToolMissing, "crashed"),
        (127, "sh: 1: /usr/sbin/nft: not found", ToolMissing, "cannot be run"),
        (1, "sudo: a password is required", NotPrivileged, "may not be used"),
        (1, "Operation not permitted (you must be root)", NotPrivileged, "may not be used"),
        (1, "netlink: Error: cache initialization failed", Unreadable, "status 1"),
    ],
)
def test_each_failure_of_nft_has_its_error(status: int, said: str, error: type[DeviceError], words: str) -> None:
    head = text_of("reading-nft-1.0.6.txt").partition("@@ruleset\n")[0]
    with pytest.raises(error, match=words):
        adapter().parse(f"{head}@@ruleset\n@@nft {status}\n {said}\n@@end\n")


def test_two_readings_in_one_are_refused(reading: str) -> None:
    with pytest.raises(Unreadable, match="twice"):
        adapter().parse(reading + reading)


def test_an_empty_gateway_holds_nothing_and_no_mark(reading: str) -> None:
    head, _, rest = reading.partition("table inet tokgate")
    found = adapter().parse(head + "@@nft 0\n@@end\n")
    assert (found.groups, found.rules, found.mark) == ((), (), None)
    assert "table inet owner_filter" in head
    assert rest


def test_i01_the_fingerprint_of_the_owners_rules_ignores_what_lives_by_itself(reading: str) -> None:
    foreign = adapter().parse(reading).foreign
    aged = reading.replace("10.30.1.10, 10.30.2.10,", "10.30.1.10,").replace("10.30.2.10,\n\t\t\t     23", "23")
    assert aged != reading
    assert adapter().parse(aged).foreign == foreign
    assert adapter().parse(reading.replace("tcp dport 25", "tcp dport 26")).foreign != foreign


# --- what a gateway can do ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "instead", "lacks"),
    [
        ("@@dnsmasq yes", "@@dnsmasq none", "domains: /usr/sbin/dnsmasq is not there"),
        ("@@dnsmasq yes", "@@dnsmasq old", "domains: /usr/sbin/dnsmasq was built without nftset"),
        ("@@dnsmasq yes", "@@dnsmasq dir", "domains: /etc/tokgate/dnsmasq.d cannot be written by this login"),
        ("@@unit ", "@@unit disabled", "persistence: tokgate-restore.service is not enabled"),
    ],
)
def test_what_is_missing_narrows_what_is_promised(line: str, instead: str, lacks: str) -> None:
    reading = re.sub(f"^{line}$", instead, text_of("reading-nft-1.0.6.txt"), flags=re.MULTILINE)
    can = adapter().parse(reading.partition("table inet tokgate")[0] + "@@nft 0\n@@end\n").can
    assert any(note.startswith(lacks) for note in can.notes), can.notes
    assert can.fqdn is not lacks.startswith("domains")
    assert can.persistence is False


# --- what is sent ---------------------------------------------------------------------------------------------------


def _change(found: Observed, **changes: object) -> str:
    desired = replace(_as_found(found), **changes)  # type: ignore[arg-type]
    return adapter().render(found, diff(found, desired, found.can)).text


def _with_member(found: Observed, *texts: str) -> tuple[object, ...]:
    more = frozenset(ip_network(text) for text in texts)
    return tuple(
        replace(g, members=g.members | more) if isinstance(g, AddressGroup) and g.name == DST else g
        for g in found.groups
    )


def test_i03_one_new_prefix_is_one_element_and_a_new_mark(reading: str) -> None:
    found = adapter().parse(reading)
    text = _change(found, groups=_with_member(found, "203.0.113.0/24"))
    lines = [line for line in text.splitlines() if not line.startswith(("#", "add rule inet tokgate about"))]
    assert lines == [
        "flush chain inet tokgate about",
        "add element inet tokgate dst-tiktok-4 { 203.0.113.0/24 }",
    ]


def test_i01_a_change_names_no_table_but_ours(reading: str) -> None:
    found = adapter().parse(reading)
    for text in (
        _change(found, groups=_with_member(found, "203.0.113.0/24", "2001:db8:1::/48")),
        _change(
            found, rules=found.rules[2:], groups=tuple(g for g in found.groups if g.name[:3] not in ("exc", "spa"))
        ),
        adapter().render(_empty(found), diff(_empty(found), _as_found(found), found.can)).text,
    ):
        assert "flush ruleset" not in text
        for line in text.splitlines():
            assert line.startswith("#") or re.match(r"(add|flush|delete) \w+ inet tokgate\b", line), line


def _empty(found: Observed) -> Observed:
    return replace(found, groups=(), rules=(), mark=None, extra={"table": "", "dns": "", "has_dns": "False"})


def test_i05_the_base_chain_of_a_table_in_force_is_never_replaced(reading: str) -> None:
    found = adapter().parse(reading)
    text = _change(found, rules=(), groups=())
    assert "chain inet tokgate forward" not in text
    assert "delete table" not in text


def test_the_kept_ruleset_says_what_it_is_and_that_it_is_whole(reading: str) -> None:
    found = adapter().parse(reading)
    script = adapter().render(found, diff(found, _as_found(found), found.can))
    kept = script.files["/etc/tokgate/ruleset.nft"]
    assert found.mark is not None
    assert kept.startswith(f"# tokgate desired={found.mark.desired} owner={found.mark.owner}\nadd table inet tokgate\n")
    assert kept.endswith("# end\n")


# --- names ----------------------------------------------------------------------------------------------------------


def test_the_dnsmasq_file_names_every_set_that_covers_a_name() -> None:
    """dnsmasq uses only the longest match, so a deeper name has to repeat the groups above it."""
    wide = DomainGroup(name=GroupName("fqdn-a"), members=frozenset({DomainName("tiktok.com")}))
    deep = DomainGroup(name=GroupName("fqdn-b"), members=frozenset({DomainName("www.tiktok.com", suffix=False)}))
    text = render_dns([deep, wide])
    wide_sets, deep_sets = (f"4#inet#tokgate#fqdn-{x}-4,6#inet#tokgate#fqdn-{x}-6" for x in "ab")
    assert text.splitlines()[-2:] == [
        f"nftset=/tiktok.com/{wide_sets}",
        f"nftset=/www.tiktok.com/{wide_sets},{deep_sets}",
    ]
    assert parse_dns(text) == {wide.name: wide.members, deep.name: deep.members}


def test_i01_a_dnsmasq_file_that_is_not_ours_is_not_touched() -> None:
    with pytest.raises(Unreadable, match="not written by us"):
        parse_dns("address=/example.org/192.0.2.1\n")
    assert parse_dns(HEADER) == {}


# --- counters -------------------------------------------------------------------------------------------------------


def test_the_counters_of_either_nft_are_what_was_browsed(counted: str) -> None:
    found = adapter().parse_counters(counted)
    rules = {rule.rule: rule for rule in found.rules}
    assert {name: (rule.action, rule.hits) for name, rule in rules.items()} == {
        RuleName("deny-company"): (Action.DENY, 3),
        RuleName("deny-marketing"): (Action.DENY, 0),
        RuleName(EXCEPTION): (Action.EXEMPT, 3),
        RuleName("mon-guest"): (Action.MONITOR, 3),
    }
    who = {(flow.action, flow.source) for flow in found.flows}
    assert (Action.DENY, ip_address("10.30.0.10")) in who
    assert (Action.EXEMPT, ip_address("2001:db8:30:2::10")) in who
    assert all(abs((found.read_at - flow.last_seen).total_seconds()) < 30 for flow in found.flows)
    assert found.read_at.tzinfo is UTC
    assert found.read_at > datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("key", ["packets", "handle", "name", "nftables", "concat", "val"])
def test_i11_counters_that_lack_something_are_no_counters(counted: str, key: str) -> None:
    assert f'"{key}"' in counted
    with pytest.raises(Unreadable):
        adapter().parse_counters(counted.replace(f'"{key}"', '"other"'))


# --- open flows -----------------------------------------------------------------------------------------------------


def test_only_flows_that_a_change_has_just_denied_are_cut() -> None:
    listed = text_of("flows-conntrack-1.4.7.txt")
    groups = (
        AddressGroup(name=DST, members=frozenset({ip_network("103.136.220.0/24"), ip_network("2404:9dc0:cd01::/48")})),
        AddressGroup(name=GroupName("src-guest"), members=frozenset({ip_network("10.30.1.0/24")})),
        AddressGroup(name=GroupName("exc"), members=frozenset({ip_network("10.30.1.10/32")})),
    )
    deny = Rule(name=RuleName("deny"), action=Action.DENY, sources=GroupName("src-guest"), destinations=(DST,))
    spare = Rule(name=RuleName("exc"), action=Action.EXEMPT, sources=GroupName("exc"), destinations=(DST,))
    nothing, denied, excused = Judge((), ()), Judge(groups, (deny,)), Judge(groups, (spare, deny))
    assert [flow.line() for flow in newly_denied(listed, nothing, denied)] == [
        "ipv4 tcp 10.30.1.10 103.136.220.10 55632 443\n"
    ]
    assert newly_denied(listed, denied, denied) == []
    assert newly_denied(listed, nothing, excused) == []
    assert newly_denied("tcp 6 1 X src=bad dst=::: sport=1 dport=2\n", nothing, denied) == []


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"nft": "/usr/sbin/nft; reboot"},
        {"state_dir": "/etc/tokgate/$(id)"},
        {"state_dir": "relative"},
        {"dnsmasq": {"restart": "systemctl restart dnsmasq && id"}},
        {"dnsmasq": {"conf_dir": "/etc/dns masq"}},
        {"conntrack_program": "/usr/sbin/conn`id`"},
        {"max_entries": 0},
        {"unheard": 1},
    ],
)
def test_options_that_a_shell_could_read_otherwise_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LinuxNftablesOptions.model_validate(options)
