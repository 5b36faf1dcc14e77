"""A withdrawal that leaves a service with nothing is said twice; how long actions may hold; what plans say of one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.emergencies import EmergencyDesk
from controller.errors import Conflict, Invalid, WouldEmpty
from controller.interventions import Interventions
from controller.inventory import Inventory
from controller.locks import FileLock
from controller.model import CoverageState, Emergency, EmergencyKind, Mode, Outcome
from controller.planning import Limits, plan_device, removed, reopen, store_plan
from controller.store import AuditNote, Store
from controller.withdrawing import causes, emptied, without
from controller.withholding import Withholding
from core.clock import ManualClock
from core.ids import DeviceName, SiteName, SnapshotId
from core.net import DomainName, Network, overlaps, subtract
from ipsets.errors import GuardTripped
from ipsets.model import Snapshot
from ipsets.snapshot import content_id
from tests.controller.memory import Bench, Firewall, bench, start_run
from tests.controller.offices import NOON, YAML, networks, offices, snapshot
from tests.vendors.playing import EVERYTHING
from vendors.codec import describe
from vendors.model import AddressGroup, Desired, DomainGroup, GroupName, Observed

DAY = timedelta(days=1)
HALVES = ("103.136.220.0/23", "16.162.0.0/15")
WHY = {"actor": "cli:ann", "reason": "payroll, INC-1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A site whose one firewall is in memory, and who acts there in an emergency."""

    act: Interventions
    desk: EmergencyDesk
    work: Bench
    firewall: Firewall
    store: Store
    clock: ManualClock

    def sync(self) -> tuple[Outcome, tuple[str, ...]]:
        device = self.work.inventory.device("fw-berlin")
        part = self.work.sync(device, start_run(self.store, self.clock))
        return part.outcome, part.degraded

    def withdraw(self, value: str, *empties: str) -> Emergency:
        ends = self.clock.now() + DAY
        return self.act.withdraw(value, ends=ends, empties=empties, **WHY)

    def groups(self) -> dict[str, frozenset[object]]:
        held = self.firewall.state
        return {g.name: frozenset(g.members) for g in held.groups if g.name[:4] in ("dst-", "fqdn")} if held else {}

    def looks(self) -> list[tuple[CoverageState | None, CoverageState | None, str]]:
        from controller.model import Window

        found = self.store.observations(SiteName("berlin"), Window(NOON - DAY, NOON + 9 * DAY))
        return [(look.found, look.left, look.cause) for look in found]


def put(store: Store, *entries: str, domains: tuple[str, ...] = ("tiktok.com",)) -> Snapshot:
    found = snapshot(*entries, domains=domains)
    found = replace(found, id=content_id(found.services))
    store.save_snapshot(found)
    store.set_current(found.id, audit=AuditNote(actor="system", action="snapshot.current", subject=found.id[:12]))
    return found


def office_of(folder: Path, store: Store, clock: ManualClock, inventory: Inventory) -> Office:
    work, firewall = bench(folder, store, inventory, clock)
    desk = EmergencyDesk(store, inventory, clock)
    act = Interventions(
        store,
        desk,
        Withholding(store, desk),
        putting=FileLock(folder / "in-force.lock", what="the list in force"),
        follow=lambda emergency: None,
    )
    return Office(act=act, desk=desk, work=replace(work, emergencies=desk), firewall=firewall, store=store, clock=clock)


@pytest.fixture
def office(store: Store, clock: ManualClock, tmp_path: Path) -> Office:
    put(store, *HALVES)
    return office_of(tmp_path, store, clock, offices(tmp_path))


# --- said twice -----------------------------------------------------------------------------------------------------


def test_i02_what_would_leave_nothing_is_refused_until_the_service_is_named(office: Office) -> None:
    office.withdraw(HALVES[0])
    before = office.store.current_snapshot()
    with pytest.raises(WouldEmpty, match="tiktok would have no addresses any more") as refused:
        office.withdraw(HALVES[1])
    assert refused.value.services == ("tiktok",)
    assert "name the service a second time" in refused.value.hint
    with pytest.raises(WouldEmpty):
        office.withdraw(HALVES[1], "capcut")
    assert office.store.current_snapshot() == before
    assert len(office.desk.all()) == 1, "nothing of what was refused is kept"
    taken = office.withdraw(HALVES[1], "tiktok")
    assert "is withdrawn everywhere, which leaves tiktok without any address, until" in str(taken)
    assert "which leaves tiktok with nothing of its kind" in office.store.alerts()[0].message
    assert '"empties":["tiktok"]' in office.store.audit_entries()[1].detail.replace(" ", "")
    [service] = cast(Snapshot, office.store.current_snapshot()).services
    assert (service.networks, service.domains) == ((), (DomainName("tiktok.com"),))


def test_naming_a_service_that_keeps_something_is_refused(office: Office) -> None:
    with pytest.raises(Conflict, match="it does not empty tiktok"):
        office.withdraw(HALVES[0], "tiktok")
    assert office.desk.all() == ()


def test_a_word_for_addresses_is_none_for_names(office: Office) -> None:
    office.withdraw("103.0.0.0/8")
    office.withdraw(HALVES[1], "tiktok")
    with pytest.raises(WouldEmpty, match="tiktok would have no names"):
        office.withdraw("*.com")
    office.withdraw("*.com", "tiktok")
    [service] = cast(Snapshot, office.store.current_snapshot()).services
    assert (service.networks, service.domains) == ((), ())


def test_i13_a_device_never_counts_as_enforced_while_a_service_was_taken_off_it_whole(office: Office) -> None:
    """Names left: it blocks by these, in part. Nothing left: its rule is gone, off, and both say why."""
    assert office.sync() == (Outcome.APPLIED, ())
    whole = office.groups()
    office.withdraw(HALVES[0])
    assert office.sync() == (Outcome.APPLIED, ()), "a list without one entry is a list"
    last = office.withdraw(HALVES[1], "tiktok")
    outcome, degraded = office.sync()
    assert outcome is Outcome.APPLIED
    assert degraded == (f"withdrawn: tiktok: {last}",)
    assert set(office.groups()) == {"fqdn-tiktok"}, "no empty list stays behind"
    office.clock.advance(timedelta(minutes=1))
    assert office.sync()[0] is Outcome.UNCHANGED
    names = office.withdraw("tiktok.com", "tiktok")
    assert len(office.sync()[1]) == 2
    assert office.groups() == {}
    assert office.firewall.state is not None
    assert [r.name for r in office.firewall.state.rules] == ["spare"]
    office.clock.advance(timedelta(minutes=1))
    assert office.sync()[0] is Outcome.UNCHANGED
    for taken in office.desk.active():
        office.act.end(taken.id, actor="cli:ann")
    assert office.sync() == (Outcome.APPLIED, ())
    assert office.groups() == whole
    states = [(found, left) for found, left, _ in office.looks()]
    on, part, off = CoverageState.ENFORCED, CoverageState.PARTIAL, CoverageState.OFF
    assert states[1:] == [(on, on), (on, part), (part, part), (part, off), (off, off), (off, on)]
    assert str(names) in office.looks()[5][2], "off, and by whose word"


def test_what_remains_withdrawn_alone_empties_nothing_when_the_word_for_all_ends(office: Office) -> None:
    office.withdraw(HALVES[0])
    both = office.withdraw(HALVES[1], "tiktok")
    office.act.end(both.id, actor="cli:ann")
    [service] = cast(Snapshot, office.store.current_snapshot()).services
    assert service.networks == networks(HALVES[1])


# --- what a person withdrew is no accident --------------------------------------------------------------------------


MANY = frozenset(ip_network(f"198.18.{i}.0/24") for i in range(0, 60, 2)) | {ip_network("103.136.220.0/23")}


def held(members: frozenset[Network]) -> Desired:
    return Desired(
        groups=(AddressGroup(name=GroupName("dst-tiktok"), members=members),), rules=(), owner="o", snapshot="s"
    )


def observed(state: Desired) -> Observed:
    return Observed(groups=state.groups, rules=(), mark=None, foreign="", epoch="", can=EVERYTHING)


def test_the_guard_against_shrinking_lets_through_what_a_person_withdrew_and_nothing_more() -> None:
    """A withdrawal of most of a list is off the devices at once; what else is gone is counted as before."""
    left, whole = held(frozenset(networks("103.136.220.0/23"))), observed(held(MANY))
    with pytest.raises(GuardTripped, match="device-shrink"):
        plan_device(whole, left, limits=Limits(), device="fw")
    assert plan_device(whole, left, limits=Limits(), device="fw", withdrawn=networks("198.18.0.0/15")).steps
    with pytest.raises(GuardTripped, match="device-shrink"):
        plan_device(whole, left, limits=Limits(), device="fw", withdrawn=networks("198.18.0.0/20"))


# --- what a plan says of it -----------------------------------------------------------------------------------------


def taken(value: str) -> Emergency:
    return Emergency(
        id="01kaxw1t4m3v2q8y7z6s5r4p3n", kind=EmergencyKind.WITHDRAW, starts=NOON, ends=NOON + DAY, value=value, **WHY
    )


def test_a_plan_names_reason_and_end_of_what_it_takes_away(tmp_path: Path) -> None:
    names = DomainGroup(name=GroupName("fqdn-tiktok"), members=frozenset({DomainName("a.tiktok.com")}))
    before = replace(held(frozenset(networks(*HALVES))), groups=(*held(frozenset(networks(*HALVES))).groups, names))
    after = held(frozenset(networks("103.136.220.0/23", "16.163.0.0/16")))
    plan = plan_device(observed(before), after, limits=Limits(), device="fw")
    assert [describe(step) for step in plan.steps]
    gone = tuple(removed(observed(before), plan))
    assert set(gone) == {ip_network(HALVES[1]), DomainName("a.tiktok.com")}
    why = causes(gone, [taken("16.162.0.0/16"), taken("*.tiktok.com"), taken("203.0.113.0/24")])
    assert [str(cause) for cause in why] == [
        "16.162.0.0/15: 16.162.0.0/16 is withdrawn until 2026-11-26 11:00Z, by cli:ann: payroll, INC-1",
        ".a.tiktok.com: *.tiktok.com is withdrawn until 2026-11-26 11:00Z, by cli:ann: payroll, INC-1",
    ]
    device = offices(tmp_path).device("fw-berlin")
    stored = store_plan(
        plan, observed(before), site=SiteName("berlin"), device=device, snapshot=SnapshotId("s"), now=NOON, causes=why
    )
    assert reopen(stored).causes == why, "the plan that is kept says it too"
    assert device.name == DeviceName("fw-berlin")


def test_a_withdrawal_of_many_entries_names_some_and_counts_the_rest() -> None:
    gone = [ip_network(f"198.18.{i}.0/24") for i in range(250)]
    why = causes([*gone, ip_network("103.136.220.0/23")], [taken("198.18.0.0/15")])
    assert len(why) == 100
    assert [cause.more for cause in why if cause.more] == [150]
    assert str(why[-1]).endswith("payroll, INC-1 (and 150 more entries by it)")


# --- how long -------------------------------------------------------------------------------------------------------


RULES = "emergencies: {longest: {withdraw: 2h, switch: 3d}, switch_without_end: false}\npolicies:"


def test_the_inventory_says_how_long_each_kind_may_hold(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    put(store, *HALVES)
    act = office_of(tmp_path, store, clock, offices(tmp_path, YAML.replace("policies:", RULES))).act
    now, hours = clock.now(), timedelta(hours=1)
    with pytest.raises(Invalid, match="at most 2 h ahead"):
        act.withdraw(HALVES[0], ends=now + 3 * hours, **WHY)
    assert act.withdraw(HALVES[0], ends=now + 2 * hours, **WHY).ends == now + 2 * hours
    with pytest.raises(Invalid, match="at most 3 d ahead"):
        act.switch(Mode.OFF, ends=now + 4 * DAY, **WHY)
    with pytest.raises(Invalid, match="say until when"):
        act.switch(Mode.OFF, ends=None, **WHY)
    assert act.pause(ends=now + 30 * DAY, **WHY), "what is left out is 30 days"


@pytest.mark.parametrize("said", ["{longest: {withdraw: 367d}}", "{longest: {flush: 1d}}", "{longest: {pause: 0h}}"])
def test_a_life_that_is_none_is_refused_with_its_line(tmp_path: Path, said: str) -> None:
    from controller.errors import InventoryError

    with pytest.raises(InventoryError, match=r"emergencies\.longest"):
        offices(tmp_path, YAML.replace("policies:", f"emergencies: {said}\npolicies:"))


# --- a part of an IPv6 prefix ---------------------------------------------------------------------------------------


SIX = networks("2605:340::/32", "2605:340:cdb1::/48", "2a0a:4e00::/29", "2001:db8:ffff:ffff::/64")
PARTS = st.builds(
    lambda inside, bits, length: ip_network((int(inside.network_address) + bits, length), strict=False),
    st.sampled_from(SIX),
    st.integers(0, 2**96 - 1),
    st.integers(16, 128),
)


@given(values=st.lists(PARTS, min_size=1, max_size=4))
def test_the_rest_of_ipv6_prefixes_and_what_is_withdrawn_are_the_whole(values: list[Network]) -> None:
    whole = replace(snapshot(*map(str, SIX)), id=SnapshotId("s"))
    meant = [replace(taken(str(value)), empties=("tiktok",)) for value in values]
    rest = without(whole, meant).services[0].networks
    before = whole.services[0].networks
    assert subtract(rest, before) == (), "nothing is added"
    assert not any(overlaps(rest, value) for value in values), "nothing of it is left"
    assert subtract(before, [*rest, *values]) == (), "rest and withdrawn are the whole"
    for number, network in enumerate(rest):
        assert not overlaps(rest[number + 1 :], network), "no two pieces overlap"
    most = len(before) + sum(value.prefixlen for value in values)
    assert len(rest) <= most, "a cut leaves a piece for each bit at most"
    assert bool(emptied(whole, without(whole, meant))) is (rest == ())
