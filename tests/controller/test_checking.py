"""What becomes of one flow: by the rules, by what was read back, and when nobody knows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from controller.audit import AuditNote
from controller.check_desk import BY_DNS, CheckDesk
from controller.checking import (
    Destination,
    Judged,
    Verdict,
    exception_of,
    held_now,
    held_then,
    judge,
    role_of,
    together,
    was_live,
)
from controller.desired import Facts, desired_for, surface_name
from controller.errors import Invalid, NotFound
from controller.exceptions import ExceptionRequest
from controller.inventory import Inventory
from controller.model import AccessException, CoverageState, DeviceStatus, ExceptionState, Mode, Observation
from controller.rehearsal import Rehearsal, rehearsed
from controller.service import Controller
from controller.settings import Settings
from controller.store import PUT_IN_FORCE
from controller.views import Selection
from core.clock import ManualClock
from core.ids import DeviceName, ExceptionId, SiteName
from core.net import DomainName
from ipsets.model import Snapshot
from ipsets.snapshot import content_id
from lab import inventory as lab_inventory
from lab.topology import Lab
from lab.world import INTERNET, Kind
from tests.controller.offices import NIGHT, NOON, YAML, an_exception, facts, offices, snapshot

LISTED, LISTED6, OTHER = "103.136.220.9", "2605:340:cdb1::9", "93.184.215.14"
CLIENT, GUEST, FOREIGN = "10.20.3.7", "10.20.9.7", "10.99.0.1"
FW = DeviceName("fw-berlin")
QUARTER = timedelta(minutes=15)


def to(text: str) -> Destination:
    return DomainName(text, suffix=False) if text[-1].isalpha() else ip_address(text)


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return offices(tmp_path)


@pytest.mark.parametrize(
    ("source", "destination", "at", "verdict", "rule"),
    [
        pytest.param(CLIENT, LISTED, NOON, Verdict.BLOCKED, "deny-company", id="at-work"),
        pytest.param("2a01:db9:20::7", LISTED6, NOON, Verdict.BLOCKED, "deny-company", id="ipv6"),
        pytest.param(CLIENT, "www.tiktok.com", NOON, Verdict.BLOCKED, "deny-company", id="below-a-name"),
        pytest.param(CLIENT, "nottiktok.com", NOON, Verdict.UNLISTED, None, id="ends-alike"),
        pytest.param(CLIENT, LISTED, NIGHT, Verdict.MONITORED, "mon-company", id="after-work"),
        pytest.param(GUEST, LISTED, NOON, Verdict.UNLISTED, None, id="no-rule-for-guests"),
        pytest.param(FOREIGN, LISTED, NOON, Verdict.UNLISTED, None, id="of-no-role"),
        pytest.param(CLIENT, OTHER, NOON, Verdict.UNLISTED, None, id="not-on-the-list"),
        pytest.param(CLIENT, "8.8.8.8", NOON, Verdict.SPARED, "spare", id="never-blocked"),
        pytest.param("10.20.1.7", LISTED, NOON, Verdict.ALLOWED, "exc-01hzexception0000000000001", id="exception"),
        pytest.param("10.20.1.8", LISTED, NOON, Verdict.BLOCKED, "deny-company", id="beside-the-exception"),
    ],
)
def test_a_flow_is_judged_by_the_first_rule_that_takes_it(
    inventory: Inventory, source: str, destination: str, at: datetime, verdict: Verdict, rule: str | None
) -> None:
    known = facts(inventory, exceptions=(an_exception("10.20.1.7/32"),))
    found = judge(desired_for(known, inventory.device("fw-berlin"), at), ip_address(source), to(destination))
    assert (found.verdict, found.rule) == (verdict, rule)


def test_what_only_the_devices_dns_knows_is_said(inventory: Inventory) -> None:
    desired = desired_for(facts(inventory), inventory.device("fw-berlin"), NOON)
    assert judge(desired, ip_address(CLIENT), to(OTHER)).perhaps == ("deny-company",)
    nobody = judge(desired_for(facts(inventory), inventory.device("fw-berlin"), NOON), ip_address(GUEST), to(OTHER))
    assert nobody.perhaps == ()


def test_a_part_of_a_service_is_of_names_so_of_an_address_it_is_not_known(inventory: Inventory) -> None:
    ads = replace(an_exception("10.20.1.7/32"), surface="ads-manager")
    known = replace(facts(inventory, exceptions=(ads,)), surfaces={"tiktok": {"ads-manager": ("ads.tiktok.com",)}})
    desired = desired_for(known, inventory.device("fw-berlin"), NOON)
    by_name = judge(desired, ip_address("10.20.1.7"), to("ads.tiktok.com"))
    assert (by_name.verdict, by_name.group) == (Verdict.ALLOWED, surface_name("tiktok", "ads-manager"))
    assert exception_of(by_name) == ads.id
    assert judge(desired, ip_address("10.20.1.7"), to("www.tiktok.com")).verdict is Verdict.BLOCKED
    by_address = judge(desired, ip_address("10.20.1.7"), to(LISTED))
    assert (by_address.verdict, by_address.perhaps) == (Verdict.BLOCKED, (f"exc-{ads.id}",))
    evidence = _held(by_address, known, _status(exceptions=(ads.id,)))
    assert evidence[0] is Verdict.UNKNOWN
    assert "only the device knows" in evidence[1]


# --- what was read back -----------------------------------------------------------------------------------------------


def _status(**changes: object) -> DeviceStatus:
    good = DeviceStatus(
        device=FW,
        site=SiteName("berlin"),
        last_seen_at=NOON - timedelta(minutes=2),
        last_attempt_at=NOON - timedelta(minutes=2),
        enforced_at=NOON - timedelta(minutes=2),
        snapshot=snapshot().id,
        mode="company=enforce, guest=off",
        error_code=None,
        error=None,
    )
    return replace(good, **changes)  # type: ignore[arg-type]  # replace checks the names


def _held(
    judged: Judged, known: Facts, status: DeviceStatus | None, *, source: str = CLIENT, destination: str = LISTED
) -> tuple[Verdict, str]:
    flow = (ip_address(source), to(destination))
    found = held_now(judged, known, status, device=FW, flow=flow, at=NOON, freshness=2 * QUARTER)
    return found.verdict, found.why


@pytest.mark.parametrize(
    ("status", "verdict", "why"),
    [
        pytest.param(_status(), Verdict.BLOCKED, "read back", id="in-step"),
        pytest.param(None, Verdict.UNKNOWN, "never read", id="nobody-looked"),
        pytest.param(
            _status(last_seen_at=None, snapshot=None, error="TG4001 no route"), Verdict.UNKNOWN, "no route", id="never"
        ),
        pytest.param(_status(in_doubt=True), Verdict.UNKNOWN, "how it ended", id="a-cut-change"),
        pytest.param(_status(error="TG4001 no route"), Verdict.UNKNOWN, "last look failed", id="failing"),
        pytest.param(_status(last_seen_at=NOON - timedelta(hours=1)), Verdict.UNKNOWN, "too old", id="stale"),
        pytest.param(_status(mode="company=monitor, guest=off"), Verdict.UNKNOWN, "something else", id="other-mode"),
        pytest.param(_status(snapshot="cd" * 32), Verdict.UNKNOWN, "something else", id="other-list"),
        pytest.param(_status(exceptions=("01hzx",)), Verdict.UNKNOWN, "something else", id="an-exception-too-many"),
        pytest.param(_status(degraded=("budget: dst-tiktok: 5 of 9",)), Verdict.UNKNOWN, "budget", id="list-in-part"),
        pytest.param(_status(degraded=("what-is-new: x",)), Verdict.UNKNOWN, "what-is-new", id="not-understood"),
        pytest.param(_status(degraded=("persistence: x", "ipv6: y")), Verdict.BLOCKED, "read back", id="no-matter"),
        pytest.param(_status(degraded=("domains: fqdn-tiktok: 9",)), Verdict.BLOCKED, "read back", id="names-only"),
    ],
)
def test_i13_a_device_that_does_not_prove_it_is_unknown(
    inventory: Inventory, status: DeviceStatus | None, verdict: Verdict, why: str
) -> None:
    known = facts(inventory)
    judged = judge(desired_for(known, inventory.device("fw-berlin"), NOON), ip_address(CLIENT), to(LISTED))
    found = _held(judged, known, status)
    assert found[0] is verdict
    assert why in found[1]


@pytest.mark.parametrize("line", ["domains: fqdn-tiktok: 9 domains not held", "wildcard-domains: fqdn-tiktok: 9"])
def test_i13_a_name_on_a_device_that_cannot_hold_names_is_unknown(inventory: Inventory, line: str) -> None:
    known = facts(inventory)
    desired = desired_for(known, inventory.device("fw-berlin"), NOON)
    judged = judge(desired, ip_address(CLIENT), to("www.tiktok.com"))
    assert _held(judged, known, _status(), destination="www.tiktok.com")[0] is Verdict.BLOCKED
    assert _held(judged, known, _status(degraded=(line,)), destination="www.tiktok.com")[0] is Verdict.UNKNOWN


def _look(minutes: int, found: CoverageState | None, left: CoverageState | None, cause: str = "") -> Observation:
    at = NOON + timedelta(minutes=minutes)
    return Observation(device=FW, site=SiteName("berlin"), at=at, found=found, left=left, cause=cause)


ON, WATCHED, PART = CoverageState.ENFORCED, CoverageState.MONITORED, CoverageState.PARTIAL


@pytest.mark.parametrize(
    ("looks", "verdict", "why"),
    [
        pytest.param([_look(-5, ON, ON), _look(5, ON, ON)], Verdict.BLOCKED, "enforced", id="between-two-looks"),
        pytest.param([_look(-5, ON, ON)], Verdict.BLOCKED, "enforced", id="soon-after-one"),
        pytest.param([], Verdict.UNKNOWN, "nobody looked", id="no-look"),
        pytest.param([_look(-50, ON, ON)], Verdict.UNKNOWN, "nobody looked", id="long-ago"),
        pytest.param([_look(-5, ON, ON), _look(5, WATCHED, ON)], Verdict.UNKNOWN, "left enforced", id="contradicted"),
        pytest.param([_look(-5, WATCHED, WATCHED)], Verdict.UNKNOWN, "monitored", id="was-still-watching"),
        pytest.param([_look(-5, PART, PART, "5 of 9")], Verdict.UNKNOWN, "5 of 9", id="in-part"),
    ],
)
def test_i13_of_the_past_only_looks_prove_anything(
    inventory: Inventory, looks: list[Observation], verdict: Verdict, why: str
) -> None:
    desired = desired_for(facts(inventory), inventory.device("fw-berlin"), NOON)
    judged = judge(desired, ip_address(CLIENT), to(LISTED))
    local = datetime(2026, 11, 25, 12, 0)  # noqa: DTZ001  # what the clock on the wall shows
    found = held_then(judged, desired, looks, device=FW, local=local, at=NOON, freshness=2 * QUARTER)
    assert found.verdict is verdict
    assert why in found.why


def test_all_devices_together_say_what_each_says_or_nothing() -> None:
    def of(*verdicts: Verdict) -> Verdict:
        from controller.checking import Evidence

        return together(Evidence(device=FW, verdict=v, why="") for v in verdicts)

    assert of(Verdict.BLOCKED, Verdict.BLOCKED) is Verdict.BLOCKED
    assert of(Verdict.BLOCKED, Verdict.UNKNOWN) is Verdict.UNKNOWN
    assert of() is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("state", "decided", "ended", "live"),
    [
        (ExceptionState.APPROVED, NOON, None, True),
        (ExceptionState.REVOKED, NOON, NIGHT, True),
        (ExceptionState.REVOKED, NOON, NOON + timedelta(minutes=1), False),
        (ExceptionState.REVOKED, None, NIGHT, False),
        (ExceptionState.DENIED, NOON, NIGHT, False),
        (ExceptionState.APPROVED, NOON + timedelta(hours=1), None, False),
    ],
)
def test_which_exceptions_were_live_is_known_afterwards(
    state: ExceptionState, decided: datetime | None, ended: datetime | None, live: bool
) -> None:
    one = replace(an_exception("10.20.1.7/32", state=state), decided_at=decided, ended_at=ended)
    assert bool(was_live([one], NOON + timedelta(minutes=5))) is live


def test_the_narrower_network_has_the_role(inventory: Inventory) -> None:
    berlin = inventory.site("berlin")
    roles = [role_of(berlin, ip_address(source)) for source in (CLIENT, GUEST, FOREIGN)]
    assert roles == ["company", "guest", None]


# --- the desk ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[Controller, CheckDesk, ManualClock]]:
    text = YAML.replace("networks: {company: [10.30.0.0/16]}", "networks: {company: [10.30.0.0/16, 10.20.200.0/24]}")
    (tmp_path / "inventory.yaml").write_text(text, encoding="utf-8")
    clock = ManualClock(NOON)
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path / "data", workers=1)
    with Controller.open(settings, clock=clock) as controller:
        controller.store.save_snapshot(first := in_force())
        note = AuditNote(actor="test", action=PUT_IN_FORCE, subject=first.id[:12])
        controller.store.set_current(first.id, audit=note)
        yield controller, controller.flows, clock


def in_force() -> Snapshot:
    made = snapshot("103.136.220.0/23")
    return replace(made, id=content_id(made.services))


def _live(controller: Controller, source: str = CLIENT) -> AccessException:
    exception = replace(
        an_exception(source), id=ExceptionId("01hzexception0000000000009"), decided_at=NOON, decided_by="lead"
    )
    controller.store.add_exception(exception)
    return exception


def test_the_site_is_found_by_its_networks_or_asked_for(desk: tuple[Controller, CheckDesk, ManualClock]) -> None:
    _, flows, _ = desk
    assert flows.check(CLIENT, LISTED).site == "berlin"
    with pytest.raises(Invalid, match="berlin, austin"):
        flows.check("10.20.200.5", LISTED)
    assert flows.check("10.20.200.5", LISTED, site="austin").site == "austin"
    with pytest.raises(NotFound, match=r"no site has 10\.99\.0\.1"):
        flows.check(FOREIGN, LISTED)
    assert flows.check(FOREIGN, LISTED, site="berlin").decided is Verdict.STRANGER


def test_an_answer_says_who_when_and_why(desk: tuple[Controller, CheckDesk, ManualClock]) -> None:
    controller, flows, clock = desk
    controller.store.put_status(_status(snapshot=in_force().id))
    found = flows.check(CLIENT, LISTED)
    assert (found.decided, found.verdict, found.role, found.services) == ("blocked", "blocked", "company", ("tiktok",))
    assert found.window is not None
    assert found.window.why == "window weekdays 08:00–18:00"
    guest = flows.check(GUEST, LISTED)
    assert (guest.decided, guest.window and guest.window.mode) == ("off", "off")
    assert flows.check(GUEST, OTHER).decided is Verdict.UNLISTED
    assert BY_DNS in flows.check(CLIENT, OTHER).notes
    exception = _live(controller)
    passing = flows.check(CLIENT, LISTED)
    assert (passing.decided, passing.verdict) == (Verdict.ALLOWED, Verdict.UNKNOWN), "it was not read back yet"
    assert passing.exception is not None
    assert passing.exception.id == exception.id
    controller.store.put_status(_status(snapshot=in_force().id, exceptions=(exception.id,)))
    assert flows.check(CLIENT, LISTED).verdict is Verdict.ALLOWED
    clock.advance(timedelta(hours=2))
    assert flows.check(CLIENT, LISTED).verdict is Verdict.UNKNOWN, "nobody has looked since"


def test_the_past_and_the_future_are_asked_of_what_is_known_of_them(
    desk: tuple[Controller, CheckDesk, ManualClock],
) -> None:
    controller, flows, clock = desk
    tonight = flows.check(CLIENT, LISTED, at=NIGHT)
    assert (tonight.decided, tonight.verdict) == (Verdict.MONITORED, Verdict.UNKNOWN)
    exception = _live(controller)
    controller.store.add_observation(_look(1, ON, ON))
    clock.advance(timedelta(hours=3))
    controller.exceptions.revoke(exception.id, actor="lead", reason="over")
    then = NOON + timedelta(minutes=5)
    assert flows.check(CLIENT, LISTED).decided is Verdict.BLOCKED
    assert flows.check(CLIENT, LISTED, at=then).decided is Verdict.ALLOWED
    beside = flows.check("10.20.3.8", LISTED, at=then)
    assert (beside.decided, beside.verdict) == (Verdict.BLOCKED, Verdict.BLOCKED)


def test_an_emergency_is_told_of_the_time_when_it_held(desk: tuple[Controller, CheckDesk, ManualClock]) -> None:
    controller, flows, clock = desk
    clock.advance(timedelta(minutes=10))
    controller.interventions.switch(Mode.MONITOR, actor="ada", reason="outage", ends=None)
    assert flows.check(CLIENT, LISTED).decided is Verdict.MONITORED
    assert any("outage" in note for note in flows.check(CLIENT, LISTED).notes)
    before = flows.check(CLIENT, LISTED, at=NOON + timedelta(minutes=5))
    assert (before.decided, any("outage" in note for note in before.notes)) == (Verdict.BLOCKED, False)


@pytest.mark.parametrize(
    ("source", "destination", "said"),
    [
        ("10.20.0.0/24", LISTED, "src: one address"),
        ("tiktok.com", LISTED, "src: one address"),
        ("10.20.0.300", LISTED, "src: "),
        (CLIENT, "103.136.220.0/23", "dst: one address or one name"),
        (CLIENT, "https://tiktok.com/x", "dst: .*URL"),
    ],
)
def test_what_is_no_flow_is_refused(
    desk: tuple[Controller, CheckDesk, ManualClock], source: str, destination: str, said: str
) -> None:
    with pytest.raises(Invalid, match=said):
        desk[1].check(source, destination)


# --- on a real firewall -----------------------------------------------------------------------------------------------

TARGETS = [
    *(address for one in INTERNET if one.kind in (Kind.TIKTOK, Kind.ORDINARY) for address in (one.v4, one.v6)),
    *(one.name for one in INTERNET if one.kind in (Kind.SHARED, Kind.NEIGHBOUR, Kind.ORDINARY)),
]
BERLIN = Selection(sites=("berlin",))


@contextmanager
def _opened(lab: Lab, data: Path) -> Iterator[Controller]:
    settings = Settings(inventory=lab.workspace.run_dir / "inventory.yaml", data_dir=data, workers=2)
    with Controller.open(settings) as controller:
        controller.refresh_intel(actor="test")
        yield controller


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up(f"ck{os.getpid() % 100000}") as standing:
        lab_inventory.write(standing)
        yield standing


@pytest.mark.root
@pytest.mark.timeout(180)
def test_a_rehearsed_plan_is_read_off_the_firewall_and_kept_nowhere(lab: Lab, tmp_path: Path) -> None:
    """What ``POST /plans?dry_run=true`` does: here is a firewall that answers."""
    with _opened(lab, tmp_path) as controller:
        rehearsal = Rehearsal()
        with rehearsed(rehearsal):
            [planned] = controller.plan(BERLIN, actor="test", force=True)
            assert planned.stored is not None
            assert controller.stored_plan(planned.stored.id).steps == len(planned.steps), "it sees what it wrote"
        rehearsal.end()
        with pytest.raises(NotFound):
            controller.stored_plan(planned.stored.id)
        assert not any(entry.action == "plan.force" for entry in controller.audit())


@pytest.mark.root
@pytest.mark.timeout(180)
def test_packets_agree_with_the_verdict(lab: Lab, tmp_path: Path) -> None:
    """Clients of every role, to listed addresses and names and to others: once pushed, and by an exception."""
    with _opened(lab, tmp_path) as controller:
        before = _verdicts(controller, lab)
        assert set(before.values()) == {Verdict.UNKNOWN}, "nothing was read, so nothing is known"
        controller.sync(BERLIN, actor="test")
        _agree(controller, lab)
        asked = ExceptionRequest(
            sites=("berlin",),
            sources=(lab.sites["berlin"].clients["company"].v4,),
            service="tiktok",
            starts=controller.clock.now(),
            ends=controller.clock.now() + timedelta(hours=1),
            reason="campaign",
            owner="ann",
        )
        exception = controller.exceptions.request(asked, actor="ann")
        controller.exceptions.approve(exception.id, actor="lead")
        controller.sync(BERLIN, actor="test")
        _agree(controller, lab)
        assert Verdict.ALLOWED in _verdicts(controller, lab).values()


def _verdicts(controller: Controller, lab: Lab) -> dict[tuple[str, str], Verdict]:
    """IPv6 and IPv4 as the client would take it."""
    return {
        (role, target): controller.flows.check(client.v6 if ":" in target else client.v4, target).verdict
        for role, client in lab.sites["berlin"].clients.items()
        for target in TARGETS
    }


def _agree(controller: Controller, lab: Lab) -> None:
    verdicts = _verdicts(controller, lab)
    probes = {target: f"{'tcp6' if ':' in target else 'tcp'}:{target}:443" for target in TARGETS}
    for role, client in lab.sites["berlin"].clients.items():
        seen = client.browse(*probes.values())
        for target, probe in probes.items():
            verdict = verdicts[role, target]
            assert verdict is not Verdict.UNKNOWN, (role, target)
            assert seen[probe].is_blocked is (verdict is Verdict.BLOCKED), (role, target, verdict)
