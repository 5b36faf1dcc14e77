"""Lists of names that an emulated PAN-OS firewall pulls: denied by the name that is asked for, beside their objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest

from lab.emulators.panos import Switches
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.panos import operating
from tests.vendors.paloalto_panos.boxes import PASSWORD, Box
from tests.vendors.paloalto_panos.readings import firewall
from tests.vendors.paloalto_panos.test_panos_feed import EMPTY, FEED, OFFICE, URL, Server, fed, pulling, sync
from tests.vendors.paloalto_panos.test_panos_ssh import typed
from tests.vendors.paloalto_panos.test_panos_text import name_group
from vendors.diff import degrade, diff
from vendors.errors import NotVerified
from vendors.feeding import SENTINEL_NAME
from vendors.model import GroupName
from vendors.paloalto_panos.lists import loaded_from

LIST = "tokgate-list.fqdn-tiktok"
WEB = "tokgate-deny-company.web"
ELSEWHERE = "203.0.113.80"
NAMES = {"tiktok.com": (ip_address("203.0.113.9"),)}
FEWER = replace(
    OFFICE,
    groups=tuple(name_group("fqdn-tiktok", "www.tiktok.com") if g.name == "fqdn-tiktok" else g for g in OFFICE.groups),
)


def passes(box: Box, host: str, *, source: str = "10.0.1.5", protocol: str = "tcp", to: str = ELSEWHERE) -> bool:
    with box.device.lock:
        flow = Flow(source=ip_address(source), destination=ip_address(to), host=host, protocol=protocol)
        return box.device.forward(flow) is Verdict.PERMIT


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, "tokgate")


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def box(server: Server) -> Iterator[Box]:
    with pulling(server, names=NAMES) as made:
        yield made


def test_a_name_and_what_is_below_it_is_denied_wherever_it_leads(box: Box, server: Server) -> None:
    receipt = sync(box, server, OFFICE, fed())
    assert "fqdn-tiktok is pulled as an external list of URLs, beside its objects: 2 names" in receipt.notes
    assert box.holds(OFFICE, fed())
    lines = server.pages[f"{URL}/fqdn-tiktok.txt"].decode().splitlines()
    assert lines == [f"{SENTINEL_NAME}/", "tiktok.com/", "*.tiktok.com/", "www.tiktok.com/", "*.www.tiktok.com/"]
    for host in ("tiktok.com", "m.tiktok.com", "a.b.tiktok.com"):
        assert not passes(box, host), host
    for host in ("tiktok.com.example", "nottiktok.com", "example.com", ""):
        assert passes(box, host), host
    assert not passes(box, "", to="203.0.113.9"), "by what the name resolves to, as before"
    assert not passes(box, "", to="203.0.113.9", protocol="udp")
    assert passes(box, "tiktok.com", source="10.0.2.9"), "whose sources no rule of ours has"


def test_one_name_more_is_an_object_and_the_list_and_no_new_rule(box: Box, server: Server) -> None:
    sync(box, server, FEWER, fed())
    assert passes(box, "m.tiktok.com")
    observed = box.read(fed())
    sent = fed().render(observed, diff(observed, OFFICE, observed.can)).text
    assert [line.split()[1] for line in sent.splitlines()] == ["address", "address-group", "tag"]
    sync(box, server, OFFICE, fed())
    assert box.holds(OFFICE, fed())
    assert not passes(box, "m.tiktok.com")
    sync(box, server, FEWER, fed())
    assert box.holds(FEWER, fed())
    assert passes(box, "m.tiktok.com")


def test_the_rule_is_whole_from_its_first_line_and_never_denies_everything(box: Box) -> None:
    observed = box.read(fed())
    lines = fed().render(observed, diff(observed, OFFICE, observed.can)).text.splitlines()
    first = next(line for line in lines if line.startswith(f"set rulebase security rules {WEB}"))
    assert first.split()[5:7] == ["category", LIST]


def test_out_of_hours_and_back_nothing_of_it_stands_and_the_list_rests(box: Box, server: Server) -> None:
    sync(box, server, OFFICE, fed())
    typed(
        box, f"set external-list {LIST} type url auth username u", f"set external-list {LIST} type url auth password p"
    )
    assert box.holds(OFFICE, fed())
    sync(box, server, EMPTY, fed())
    assert box.holds(EMPTY, fed())
    assert passes(box, "tiktok.com")
    sync(box, server, OFFICE, fed())
    assert box.holds(OFFICE, fed())
    assert "username u" in operating(box.device, "admin").type("show config running")
    sync(box, server, OFFICE, fed(feed={**FEED, "names": "objects"}))
    assert box.holds(OFFICE, fed(feed={**FEED, "names": "objects"}))
    assert passes(box, "m.tiktok.com")
    assert not passes(box, "", to="203.0.113.9")


def test_what_a_hand_does_to_it_is_seen_and_repaired(box: Box, server: Server) -> None:
    sync(box, server, OFFICE, fed())
    rule = f"rulebase security rules {WEB}"
    for lines in (
        [f"set {rule} disabled yes"],
        [f"set {rule} category malware"],
        [f"delete {rule} category"],
        [f"delete {rule}"],
        [f"move {rule} bottom"],
        ["set rulebase security rules tokgate-deny-company category malware"],
        [f"set external-list {LIST} type url url http://mine.example/list"],
    ):
        typed(box, *lines)
        assert not box.holds(OFFICE, fed()), lines
        sync(box, server, OFFICE, fed())
        assert box.holds(OFFICE, fed()), lines
        assert not passes(box, "m.tiktok.com"), lines
        assert passes(box, "example.com"), lines
        assert not passes(box, "", to="192.0.2.7"), lines


def test_what_others_print_of_defaults_is_no_change(box: Box, server: Server) -> None:
    sync(box, server, OFFICE, fed())
    typed(box, "set rulebase security rules tokgate-deny-company category any")
    assert box.holds(OFFICE, fed())


def test_several_lists_are_categories_of_one_rule(box: Box, server: Server) -> None:
    (deny,) = OFFICE.rules
    more = replace(
        OFFICE,
        groups=tuple(sorted((*OFFICE.groups, name_group("fqdn-capcut", "capcut.com")), key=lambda g: g.name)),
        rules=(replace(deny, destinations=(*deny.destinations, GroupName("fqdn-capcut"))),),
    )
    for desired, denied in ((OFFICE, False), (more, True), (OFFICE, False)):
        sync(box, server, desired, fed())
        assert box.holds(desired, fed())
        assert passes(box, "www.capcut.com") is not denied
        assert not passes(box, "m.tiktok.com")
        assert passes(box, "example.com")


def test_whose_it_is_is_known_by_the_web_rule_alone(box: Box, server: Server) -> None:
    sync(box, server, OFFICE, fed())
    typed(box, "delete rulebase security rules tokgate-deny-company", "delete tag tokgate comments")
    assert box.read(fed()).extra["owner"] == OFFICE.owner
    sync(box, server, OFFICE, fed())
    assert box.holds(OFFICE, fed())


def test_a_list_that_is_not_loaded_leaves_the_objects_in_force_and_is_told(box: Box, server: Server) -> None:
    server.broken = PermissionError
    with pytest.raises(NotVerified, match="is not loaded"):
        sync(box, server, OFFICE, fed())
    assert not passes(box, "", to="203.0.113.9")
    assert passes(box, "m.tiktok.com")
    odd = box.read(fed()).irregular
    assert f"external list {LIST} is not loaded: its names are denied by what they resolve to alone" in odd
    server.broken = None
    sync(box, server, OFFICE, fed())
    assert box.holds(OFFICE, fed())


def test_a_long_list_that_is_shown_in_part_is_counted(server: Server) -> None:
    many = name_group("fqdn-tiktok", *(f"n{number}.example.com" for number in range(80)))
    desired = replace(OFFICE, groups=tuple(many if g.name == many.name else g for g in OFFICE.groups))
    with pulling(server) as box:
        receipt = sync(box, server, desired, fed())
        assert receipt.observed.irregular == (
            f"external list {LIST} shows 100 of 161 entries: what it holds cannot be compared",
        )
        assert not passes(box, "below.n79.example.com")


@pytest.mark.parametrize("switches", [Switches(append_end_token=False), Switches(categories_shown=False)])
def test_it_does_not_depend_on_what_no_source_settles(switches: Switches, server: Server) -> None:
    with pulling(server, switches=switches) as box:
        sync(box, server, OFFICE, fed())
        assert box.holds(OFFICE, fed())
        assert not passes(box, "m.tiktok.com")
        assert passes(box, "tiktok.com.example")


def test_hits_of_both_rules_are_those_of_one(box: Box, server: Server) -> None:
    sync(box, server, FEWER, fed())
    passes(box, "", to="192.0.2.7")
    passes(box, "www.tiktok.com")
    with box.session() as session:
        reading = fed(log_minutes=10).counters(session)
    (rule,) = reading.rules
    assert (rule.rule, rule.hits) == ("deny-company", 2)
    assert [(unit.unit, unit.hits) for unit in rule.units] == [("addresses", 1), ("names", 1)]
    assert {str(flow.destination) for flow in reading.flows} == {"192.0.2.7", ELSEWHERE}


def test_a_plan_says_how_far_names_are_held(box: Box) -> None:
    _, lost = degrade(OFFICE, box.read(fed()).can)
    (told,) = [one for one in lost if one.capability == "wildcard-domains"]
    assert told.message.startswith("fqdn-tiktok: what is below 2 domains is held for web traffic alone")
    assert not told.is_gap
    for adapter in (firewall(), firewall(feed=FEED), fed(feed={**FEED, "names": "objects"})):
        (told,) = [one for one in degrade(OFFICE, box.read(adapter).can)[1] if one.capability == "wildcard-domains"]
        assert told.is_gap
        assert GroupName("fqdn-tiktok") not in {feed.name for feed in adapter.feeds(box.read(adapter), OFFICE)}


def test_what_is_loaded_of_urls_is_read_with_and_without_the_slash() -> None:
    shown = """\
x
        Total valid entries     : 3
        Total displayed entries : 3
        Valid urls:
                tokgate-sentinel.invalid/
                a.example
                *.A.example/
"""
    loaded = loaded_from(shown, "url")
    assert loaded.lines == {f"{SENTINEL_NAME}/", "a.example/", "*.a.example/"}
    assert [(name.name, name.suffix) for name in loaded.names] == [("a.example", True)]


def test_a_list_of_domains_is_served_for_a_profile_of_theirs_and_nothing_is_made_of_it(server: Server) -> None:
    for adapter in (fed(feed={**FEED, "domains": True}), firewall(feed={**FEED, "domains": True})):
        with pulling(server, names=NAMES) as box:
            receipt = sync(box, server, OFFICE, adapter)
            assert box.holds(OFFICE, adapter)
            assert not any("-dns" in note for note in receipt.notes)
            lines = server.pages[f"{URL}/fqdn-tiktok-dns.txt"].decode().splitlines()
            assert lines == [SENTINEL_NAME, "tiktok.com", "www.tiktok.com"]
            assert "-dns" not in operating(box.device, "admin").type("show config running")
            assert "fqdn-tiktok-dns" not in {feed.name for feed in adapter.feeds(box.read(adapter), EMPTY)}
            assert not any(feed.kind == "domain" for feed in fed().feeds(box.read(fed()), OFFICE))
