"""Withdrawals, switches and pauses: what they mean for the list, the policy and the schedule, and when they end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from controller.emergencies import LINGER, NAG_EVERY, EmergencyDesk, at_most
from controller.errors import Conflict, Invalid, NotFound
from controller.freezing import Frozen
from controller.model import Emergency, EmergencyKind, Mode, Pin
from controller.modes import modes_at
from controller.store import AuditNote, Store, shelf, snapshots
from controller.withdrawing import met, parse_value, without
from controller.withholding import Withholding
from core.clock import ManualClock
from core.net import DomainName, Network, address_count, overlaps, subtract
from ipsets.model import ServiceSet, Snapshot
from ipsets.snapshot import content_id
from tests.controller.offices import NIGHT, NOON, offices, snapshot

DAY = timedelta(days=1)
LIST = snapshot("103.136.220.0/23", "198.18.0.0/15", "2605:340:cdb1::/48", domains=("tiktok.com", "tiktokv.com"))


def emergency(value: str) -> Emergency:
    return Emergency(
        id=f"01{value}", kind=EmergencyKind.WITHDRAW, reason="payroll", actor="cli:ann", starts=NOON, ends=NOON + DAY,
        value=value,
    )  # fmt: skip


def blocked(found: Snapshot) -> tuple[Network, ...]:
    return found.services[0].blocked


# --- the list -------------------------------------------------------------------------------------------------------


def test_a_part_of_an_entry_is_cut_out_and_nothing_else() -> None:
    less = without(LIST, [emergency("198.18.7.0/24")])
    assert not overlaps(blocked(less), ip_network("198.18.7.0/24"))
    assert subtract(blocked(LIST), blocked(less)) == (ip_network("198.18.7.0/24"),)
    assert subtract(blocked(less), blocked(LIST)) == ()
    assert less.id != LIST.id
    assert less.id == content_id(less.services)
    [told] = [v for v in less.dropped if v.guard == "withdrawn"]
    assert (told.entry, told.reason) == ("198.18.7.0/24", "withdrawn by cli:ann: payroll")


NEAR = st.one_of(
    st.ip_addresses(v=4), st.ip_addresses(network="198.16.0.0/13"), st.ip_addresses(network="103.136.0.0/16")
)


@given(value=st.builds(lambda a, n: ip_network((a, n), strict=False), NEAR, st.integers(16, 32)))
def test_whatever_is_withdrawn_just_that_is_not_blocked_any_more(value: Network) -> None:
    less = without(LIST, [emergency(str(value))])
    lost = subtract(blocked(LIST), blocked(less))
    assert subtract(lost, [value]) == ()
    assert not overlaps(blocked(less), value)
    assert sum(address_count([n], 4) for n in lost if n.version == 4) <= address_count([value], 4)


def test_what_stands_allowed_above_an_entry_stays_there() -> None:
    service = replace(LIST.services[0], allows=(ip_network("198.18.9.0/24"), ip_network("103.136.220.0/25")))
    less = without(replace(LIST, services=(service,)), [emergency("103.136.220.0/23")])
    assert less.services[0].allows == (ip_network("198.18.9.0/24"),)


@pytest.mark.parametrize(
    ("value", "left"),
    [("tiktok.com", {"tiktokv.com"}), ("*.tiktok.com", {"tiktokv.com"}), (".tiktokv.com", {"tiktok.com"})],
)
def test_a_name_is_taken_off_with_all_below_it(value: str, left: set[str]) -> None:
    assert {d.name for d in without(LIST, [emergency(value)]).services[0].domains} == left


def test_no_service_is_left_with_nothing() -> None:
    with pytest.raises(Conflict, match="tiktok would have no names"):
        without(LIST, [emergency("tiktok.com"), emergency("tiktokv.com")])
    only = replace(LIST, services=(replace(LIST.services[0], networks=(ip_network("198.18.0.0/15"),)),))
    with pytest.raises(Conflict, match="tiktok would have no addresses"):
        without(only, [emergency("198.0.0.0/8")])


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("203.0.113.7", "203.0.113.7/32 is not on the list"),
        ("payroll.example", "payroll.example is not on the list"),
        ("m.tiktok.com", "lies below .tiktok.com, and cannot be cut out"),
        ("103.136.220.9", None),
        ("*.com", None),
    ],
)
def test_what_no_entry_covers_is_said(value: str, why: str | None) -> None:
    found = met(LIST, parse_value(value))
    assert found is None if why is None else why in (found or "")


@pytest.mark.parametrize("value", ["", "a b", "10.0.0.1/8", "0.0.0.0/0", "2605::/8", "*.", "x" * 300])
def test_a_value_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(Invalid, match="value: "):
        parse_value(value)


# --- the policy -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "day", "night"),
    [
        (Mode.MONITOR, {"company": Mode.MONITOR, "guest": Mode.OFF}, {"company": Mode.MONITOR, "guest": Mode.OFF}),
        (Mode.OFF, {"company": Mode.OFF, "guest": Mode.OFF}, {"company": Mode.OFF, "guest": Mode.OFF}),
    ],
)
def test_a_switch_makes_a_policy_milder_and_never_stricter(
    tmp_path: Path, mode: Mode, day: dict[str, Mode], night: dict[str, Mode]
) -> None:
    inventory = offices(tmp_path)
    site = inventory.site("berlin")
    policy = at_most(inventory.policies["standard"], mode)
    assert modes_at(site, policy, NOON) == day
    assert modes_at(site, policy, NIGHT) == night


@pytest.fixture
def desk(store: Store, clock: ManualClock, tmp_path: Path) -> EmergencyDesk:
    return EmergencyDesk(store, offices(tmp_path), clock)


def begun(desk: EmergencyDesk, kind: EmergencyKind, clock: ManualClock, **more: object) -> Emergency:
    given: dict[str, object] = {"actor": "cli:ann", "reason": "payroll", "ends": clock.now() + DAY, **more}
    found = desk.begin(kind, **given)  # type: ignore[arg-type]
    desk.keep(found)
    return found


def test_a_switch_holds_where_it_says_and_ends_by_itself(
    desk: EmergencyDesk, clock: ManualClock, tmp_path: Path
) -> None:
    inventory = offices(tmp_path)
    berlin, austin = inventory.site("berlin"), inventory.site("austin")
    assert desk.policy_of(berlin) == inventory.policies["standard"]
    begun(desk, EmergencyKind.SWITCH, clock, mode=Mode.MONITOR, sites=("berlin",))
    assert set(modes_at(berlin, desk.policy_of(berlin), NOON).values()) == {Mode.MONITOR, Mode.OFF}
    assert modes_at(austin, desk.policy_of(austin), NOON) == {"company": Mode.ENFORCE}
    assert desk.policy_of(berlin) is desk.policy_of(berlin), "a signature every second does not make it anew"
    begun(desk, EmergencyKind.SWITCH, clock, mode=Mode.OFF)
    assert set(modes_at(berlin, desk.policy_of(berlin), NOON).values()) == {Mode.OFF}, "the mildest of two holds"
    clock.jump(clock.now() + DAY)
    assert len(desk.end_due()) == 2
    assert desk.end_due() == ()
    assert modes_at(austin, desk.policy_of(austin), NOON) == {"company": Mode.ENFORCE}


def test_a_pause_holds_everything_and_a_freeze_holds_no_other_emergency(
    desk: EmergencyDesk, clock: ManualClock
) -> None:
    assert desk.paused("berlin") is None
    begun(desk, EmergencyKind.PAUSE, clock, sites=("berlin",))
    held = desk.paused("berlin")
    assert isinstance(held, Frozen)
    assert str(held).startswith("paused by cli:ann: payroll until ")
    assert desk.paused("austin") is None
    assert not desk.passes_freeze("berlin")
    other = begun(desk, EmergencyKind.SWITCH, clock, mode=Mode.OFF, sites=("austin",))
    assert (desk.passes_freeze("austin"), desk.passes_freeze("berlin")) == (True, False)
    desk.end(other.id, actor="cli:bob")
    assert desk.passes_freeze("austin"), "what it took away comes back"
    clock.jump(clock.now() + LINGER)
    assert not desk.passes_freeze("austin")


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (EmergencyKind.PAUSE, {"ends": None}, "ends: say until when"),
        (EmergencyKind.WITHDRAW, {"ends": None, "value": "1.2.3.4"}, "ends: say until when"),
        (EmergencyKind.PAUSE, {"ends": NOON - DAY}, "ends: after now"),
        (EmergencyKind.PAUSE, {"ends": NOON + 31 * DAY}, "ends: after now, and at most 30 d"),
        (EmergencyKind.SWITCH, {"mode": Mode.ENFORCE}, "mode: monitor or off"),
        (EmergencyKind.WITHDRAW, {"value": "1.2.3.4", "sites": ("berlin",)}, "sites: a list is one for all"),
        (EmergencyKind.PAUSE, {"reason": " "}, "reason: must not be empty"),
    ],
)
def test_an_action_that_makes_no_sense_is_refused(
    desk: EmergencyDesk, clock: ManualClock, kind: EmergencyKind, given: dict[str, object], said: str
) -> None:
    with pytest.raises(Invalid, match=said):
        begun(desk, kind, clock, **given)
    assert desk.all() == ()
    with pytest.raises(NotFound, match="no site 'paris'"):
        begun(desk, EmergencyKind.PAUSE, clock, sites=("paris",))


def test_every_action_is_loud_and_one_without_an_end_is_told_again(
    desk: EmergencyDesk, clock: ManualClock, store: Store
) -> None:
    found = begun(desk, EmergencyKind.SWITCH, clock, mode=Mode.OFF, ends=None)
    clock.jump(clock.now() + NAG_EVERY - timedelta(seconds=1))
    assert desk.end_due() == ()
    assert len(store.alerts()) == 1
    clock.jump(clock.now() + timedelta(seconds=1))
    desk.end_due()
    desk.end_due()
    assert [a.detail["what"] for a in store.alerts()] == ["still holds", "began"]
    desk.end(found.id, actor="cli:bob", reason="repaired")
    with pytest.raises(Conflict, match="over already"):
        desk.end(found.id, actor="cli:bob")
    assert [a.detail["what"] for a in store.alerts()] == ["ended", "still holds", "began"]
    said = [(e.action, e.actor, e.reason) for e in store.audit_entries()]
    assert said == [("emergency.end", "cli:bob", "repaired"), ("emergency.begin", "cli:ann", "payroll")]
    assert store.verify_audit() == []


def test_another_process_sees_it(desk: EmergencyDesk, clock: ManualClock, store: Store, tmp_path: Path) -> None:
    begun(desk, EmergencyKind.PAUSE, clock)
    assert [e.kind for e in EmergencyDesk(store, offices(tmp_path), clock).active()] == [EmergencyKind.PAUSE]


# --- the list in force ----------------------------------------------------------------------------------------------


@pytest.fixture
def held(desk: EmergencyDesk, store: Store) -> Withholding:
    put(store, LIST)
    return Withholding(store, desk)


def put(store: Store, found: Snapshot) -> None:
    store.save_snapshot(found)
    store.set_current(found.id, audit=AuditNote(actor="system", action="snapshot.current", subject=found.id[:12]))


def in_force(store: Store) -> Snapshot:
    found = store.current_snapshot()
    assert found is not None
    return found


def real(*networks: str, domains: tuple[str, ...] = ("tiktok.com",)) -> Snapshot:
    """With the id that its content has."""
    found = snapshot(*networks, domains=domains)
    return replace(found, id=content_id(found.services))


def test_a_withdrawal_outlives_refreshes_and_what_stands_behind_comes_back(
    desk: EmergencyDesk, store: Store, held: Withholding, clock: ManualClock
) -> None:
    first = real("103.136.220.0/23", "198.18.0.0/15")
    put(store, first)
    taken = begun(desk, EmergencyKind.WITHDRAW, clock, value="198.18.7.0/24")
    assert not held.is_settled()
    held.settle(actor="cli:ann")
    assert held.is_settled()
    assert not overlaps(blocked(in_force(store)), ip_network("198.18.7.0/24"))
    assert held.base() == first

    second = real("103.136.220.0/23", "198.18.0.0/15", "198.51.100.0/24")
    store.save_snapshot(second)
    derived, withheld = held.applied(second)
    store.set_current(derived.id, withheld=withheld)
    assert held.is_settled()
    assert overlaps(blocked(in_force(store)), ip_network("198.51.100.0/24"))
    assert not overlaps(blocked(in_force(store)), ip_network("198.18.7.0/24"))

    desk.end(taken.id, actor="cli:ann")
    assert not held.is_settled()
    held.settle(actor="cli:ann")
    assert in_force(store).id == second.id


def test_one_cut_off_between_the_decision_and_the_list_is_carried_on(
    desk: EmergencyDesk, store: Store, held: Withholding, clock: ManualClock, tmp_path: Path
) -> None:
    first = real("103.136.220.0/23", "198.18.0.0/15")
    put(store, first)
    begun(desk, EmergencyKind.WITHDRAW, clock, value="198.18.7.0/24")
    again = Withholding(store, EmergencyDesk(store, offices(tmp_path), clock))
    again.settle(actor="system")
    assert not overlaps(blocked(in_force(store)), ip_network("198.18.7.0/24"))
    clock.jump(clock.now() + DAY)
    EmergencyDesk(store, offices(tmp_path), clock).end_due()
    again.settle(actor="system")
    assert in_force(store).id == first.id


class Died(BaseException):
    """As a process that is killed: nothing after it is done."""


def killed_in(held: Withholding, monkeypatch: pytest.MonkeyPatch, writes: int) -> bool:
    """Whether the process died while it put the list in force: in its write of that number."""
    done = []

    def put_meta(connection: Connection, key: str, value: str) -> None:
        done.append(key)
        if len(done) == writes:
            raise Died
        shelf.put_meta(connection, key, value)

    with monkeypatch.context() as patched:
        patched.setattr(snapshots, "put_meta", put_meta)
        try:
            held.settle(actor="cli:ann")
        except Died:
            return True
    return False


@pytest.mark.parametrize("is_pinned", [False, True], ids=["followed", "pinned"])
@pytest.mark.parametrize("writes", [1, 2, 3])
def test_i05_killed_while_a_withdrawal_ends_or_another_begins_nothing_stays_unblocked(
    writes: int,
    is_pinned: bool,
    desk: EmergencyDesk,
    store: Store,
    held: Withholding,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = real("103.136.220.0/23", "198.18.0.0/15")
    put(store, first)
    if is_pinned:
        pin = Pin(snapshot=first.id, actor="cli:ann", reason="as it was", at=clock.now())
        store.set_pin(pin, audit=AuditNote(actor="cli:ann", action="snapshot.pin", subject=first.id[:12]))
    one = begun(desk, EmergencyKind.WITHDRAW, clock, value="198.18.7.0/24")
    held.settle(actor="cli:ann")
    other = begun(desk, EmergencyKind.WITHDRAW, clock, value="198.18.9.0/24")
    died = killed_in(held, monkeypatch, writes)
    assert died is (writes < 3 or is_pinned), "what the test means to cut short is there to be cut"
    held.settle(actor="system")
    assert held.base() == first
    for each in (one, other):
        desk.end(each.id, actor="cli:ann")
    killed_in(held, monkeypatch, writes)
    held.settle(actor="system")
    assert in_force(store).id == first.id
    assert held.is_settled()


def test_the_list_behind_the_one_in_force_is_kept_as_long_as_it(
    desk: EmergencyDesk, store: Store, held: Withholding, clock: ManualClock
) -> None:
    first = real("103.136.220.0/23", "198.18.0.0/15")
    put(store, first)
    taken = begun(desk, EmergencyKind.WITHDRAW, clock, value="198.18.7.0/24")
    held.settle(actor="cli:ann")
    clock.advance(DAY * 40)
    store.housekeeping(retention=DAY * 30)
    assert held.base() == first
    desk.end_due()
    assert taken.id not in {e.id for e in desk.active()}
    held.settle(actor="system")
    assert in_force(store).id == first.id


def test_a_list_that_a_withdrawal_would_empty_is_not_put_in_force(
    desk: EmergencyDesk, store: Store, held: Withholding, clock: ManualClock
) -> None:
    put(store, real("103.136.220.0/23", "198.18.0.0/15"))
    begun(desk, EmergencyKind.WITHDRAW, clock, value="198.18.0.0/15")
    held.settle(actor="system")
    before = in_force(store).id
    with pytest.raises(Conflict, match="would have no addresses"):
        held.applied(real("198.18.0.0/16"))
    assert in_force(store).id == before


def test_names_and_lists_of_no_service_are_left_alone() -> None:
    other = ServiceSet(service="capcut", networks=(), domains=(DomainName("capcut.com"),))
    less = without(replace(LIST, services=(*LIST.services, other)), [emergency("198.18.7.0/24")])
    assert less.services[1] == other
    assert without(LIST, []) is LIST
