"""An emulated firewall under a Panorama: it pulls the lists, what it runs is judged, and nothing is written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from pydantic import ValidationError

from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.panos import operating
from tests.vendors.paloalto_panos.boxes import PASSWORD, Box
from tests.vendors.paloalto_panos.readings import firewall
from tests.vendors.paloalto_panos.test_panos_feed import FEED, OFFICE, URL, Server, denied, pulling, sync
from tests.vendors.paloalto_panos.test_panos_text import net_group
from vendors.diff import diff, mark_of
from vendors.errors import Refused, Uncertain
from vendors.model import Desired
from vendors.paloalto_panos.managed import denied as judged
from vendors.paloalto_panos.policy import compiled_from
from vendors.watching import unmarked

WATCH = firewall(managed="panorama", delivery="feed", feed=FEED)
LIST = "tokgate-list.dst-tiktok"
OBJECTS = f"""\
set external-list {LIST} type ip url {URL}/dst-tiktok.txt
set external-list {LIST} type ip recurring five-minute
set address PEOPLE ip-netmask 10.0.1.0/24
"""


def rule(name: str = "tokgate-deny-company", **changes: str) -> str:
    values = {
        "from": "any",
        "to": "any",
        "source": "PEOPLE",
        "destination": LIST,
        "application": "any",
        "service": "any",
    }
    values |= {"action": "deny", "log-end": "yes"}
    values |= {key.replace("_", "-"): value for key, value in changes.items()}
    return "".join(f"set rulebase security rules {name} {key} {value}\n" for key, value in values.items())


def wish(*members: str) -> Desired:
    (deny,) = OFFICE.rules
    return replace(
        OFFICE,
        groups=(net_group("dst-tiktok", *members), net_group("src-company", "10.0.1.0/24")),
        rules=(replace(deny, destinations=(deny.destinations[1],)),),
        owner="01kb000000000000000000tkga",
        snapshot="0123456789ab",
    )


WISH, MORE = wish("192.0.2.0/24", "2001:db8:40::/48"), wish("192.0.2.0/24", "203.0.113.0/24")


@contextmanager
def under_panorama(server: Server, before: str | None = None, **options: object) -> Iterator[Box]:
    with pulling(server, **options) as box:
        box.device.panorama = "192.0.2.99"
        assert box.device.push(objects=OBJECTS, before=rule() if before is None else before)
        yield box


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, "tokgate")


def test_the_list_is_pulled_judged_and_nothing_is_written() -> None:
    server, said = Server(), io.StringIO()
    with under_panorama(server) as box:
        before = operating(box.device, "admin").type("show config running")
        assert box.read(WATCH).mark is None, "nothing is loaded: nothing is enforced"
        with box.session(transcript=said) as session:
            for desired in (WISH, MORE):
                observed = WATCH.read(session)
                plan = diff(observed, desired, observed.can)
                server.pages |= {
                    f"{URL}/{feed.name}.txt": "".join(f"{line}\n" for line in feed.lines).encode()
                    for feed in WATCH.feeds(observed, plan.desired)
                }
                assert WATCH.render(observed, plan).shown == ""
                receipt = WATCH.apply(session, observed, plan)
                assert any("nothing is written" in note for note in receipt.notes)
                assert box.holds(desired, WATCH)
                assert receipt.observed.mark == mark_of(desired)
            assert denied(box, "203.0.113.5")
            reading = WATCH.counters(session)
            assert [(count.rule, count.hits) for count in reading.rules] == [("deny-company", 1)]
            assert [str(flow.destination) for flow in reading.flows] == ["203.0.113.5"]
            findings = WATCH.doctor(session)
        assert all(finding.ok for finding in findings), findings
        assert "managed by 192.0.2.99: nothing is written here" in {finding.message for finding in findings}
        assert operating(box.device, "admin").type("show config running") == before
        assert not box.device.changes.made
        assert {job.kind for job in box.device.jobs} <= {"CommitAll", "EDLRefresh"}
    assert "lock add" not in said.getvalue()


def test_without_managed_it_is_refused_as_before() -> None:
    server = Server()
    with under_panorama(server) as box, pytest.raises(Refused, match=r"managed by the Panorama at 192\.0\.2\.99"):
        box.sync(WISH)


def test_a_list_that_does_not_come_is_uncertain_and_what_it_has_stays() -> None:
    server = Server()
    with under_panorama(server) as box:
        sync(box, server, WISH, WATCH)
        server.broken = OSError
        with pytest.raises(Uncertain, match="a list differs"):
            sync(box, server, MORE, WATCH)
        assert denied(box)
        server.broken = PermissionError
        operating(box.device, "admin").type(f"request system external-list refresh type ip name {LIST}")
        assert not box.holds(WISH, WATCH)
        server.broken = None
        sync(box, server, MORE, WATCH)
        assert box.holds(MORE, WATCH)


ALLOW = {"destination": "any", "action": "allow"}
WRONG = {
    "no rule": ("", "no rule tokgate-deny-company runs"),
    "allows": (rule(action="allow"), "does not deny"),
    "one service": (rule(service="service-https"), "does not deny all applications and services"),
    "other zones": (rule(**{"from": "inside"}), "is about other zones"),
    "other sources": (rule(source="10.0.2.0/24"), "is about 10.0.2.0/24, not exactly about src-company"),
    "more sources": (rule(source="any"), "not exactly about src-company"),
    "another destination": (rule(destination="192.0.2.0/24"), "does not deny exactly lists of ours"),
    "some categories": (rule(category="malware"), "is about some URL categories"),
    "below an allow": (rule("OPEN", **ALLOW) + rule(), "stands below rule OPEN, which may let the same pass"),
    "switched off": (rule(disabled="yes"), "no rule tokgate-deny-company runs"),
}


@pytest.mark.parametrize("what", WRONG)
def test_i13_a_rule_that_does_not_enforce_it_is_told_and_never_counted(what: str) -> None:
    before, why = WRONG[what]
    server = Server()
    with under_panorama(server, before) as box:
        with pytest.raises((Refused, Uncertain), match=why):
            sync(box, server, WISH, WATCH)
        assert not box.holds(WISH, WATCH)
        observed = box.read(WATCH)
        assert observed.mark is None or observed.groups != WISH.groups


def test_what_stands_above_and_meets_nothing_of_it_does_not_matter() -> None:
    server = Server()
    other = rule("ELSEWHERE", **{**ALLOW, "source": "10.0.2.0/24"}) + rule("STOPS", **{**ALLOW, "action": "drop"})
    with under_panorama(server, other + rule()) as box:
        sync(box, server, WISH, WATCH)
        assert box.holds(WISH, WATCH)
        with box.device.lock:
            flow = Flow(source=ip_address("10.0.2.9"), destination=ip_address("192.0.2.7"))
            assert box.device.forward(flow) is Verdict.PERMIT


def test_names_and_hours_are_said_not_to_be_held() -> None:
    server = Server()
    with under_panorama(server) as box:
        can = box.read(WATCH).can
        assert (can.fqdn, can.wildcard_fqdn, can.schedules, can.session_clearing) == (False, False, False, False)
        assert {feed.kind for feed in WATCH.feeds(box.read(WATCH), WISH)} == {"ip"}


def test_it_needs_a_panorama_and_a_feed() -> None:
    for options in ({"managed": "panorama"}, {"managed": "panorama", "delivery": "auto", "feed": FEED}):
        with pytest.raises(ValidationError):
            firewall(**options)
    server = Server()
    with under_panorama(server) as box:
        box.device.panorama = ""
        with pytest.raises(Refused, match="names no Panorama"):
            sync(box, server, WISH, WATCH)


COMPILED = """\
"{}; index: 1" {{
        from any;
        source [ 10.0.1.0/24 10.0.9.1-10.0.9.2 ];
        source-region none;
        to any;
        destination tokgate-list.dst-tiktok;
        destination-region none;
        user any;
        category any;
        application/service  0:any/any/any/any;
        action deny;
        icmp-unreachable: no
        terminal no;
}}
"""


def test_what_cannot_be_told_of_a_rule_is_no_enforcement() -> None:
    loaded = {LIST: frozenset({ip_network("192.0.2.0/24")})}
    text = COMPILED.format("tokgate-deny-company")
    found, odd = judged(compiled_from(text), loaded, WATCH.options)
    ((one, sources),) = found.items()
    assert (one.name, odd, len(sources)) == ("deny-company", [], 3)
    for bad in (
        text.replace("10.0.9.1-10.0.9.2", "SOMEBODY"),
        text.replace("source-region none", "source-region DE"),
        text.replace("user any", "user ann"),
        text.replace("tokgate-list.dst-tiktok", "tokgate-list.unknown"),
        text.replace("source [ 10.0.1.0/24 10.0.9.1-10.0.9.2 ];", "source-user any;"),
    ):
        assert judged(compiled_from(bad), loaded, WATCH.options)[0] == {}, bad
    above = text.replace("tokgate-deny-company", "NAMED").replace("tokgate-list.dst-tiktok", "SOME-LIST")
    assert judged(compiled_from(above.replace("action deny", "action allow") + text), loaded, WATCH.options)[0] == {}
    assert unmarked(frozenset({ip_network("192.0.2.0/24")}))[1] is None
