"""What device work records when something goes wrong in the middle of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from controller.desired import rule_name
from controller.errors import StoreError
from controller.evidence.model import Quarantine
from controller.inventory import Device
from controller.model import CoverageState, Observation, Outcome, Quality, Window
from controller.store import QuarantineQuery, Store
from core.clock import ManualClock
from core.ids import DeviceName, SiteName
from ipsets.model import Snapshot
from ipsets.snapshot import content_id
from tests.controller.backends import written_elsewhere
from tests.controller.memory import Bench, Firewall, bench, start_run
from tests.controller.offices import an_exception, offices, snapshot
from tests.vendors.playing import EVERYTHING
from vendors.errors import AnotherDevice, DeviceError, NotVerified, Refused, Unreachable, Unreadable
from vendors.model import Action, AddressGroup, FlowCount, GroupName, Reading, Rule

BERLIN = SiteName("berlin")
DENY = rule_name(Action.DENY, "company")
MINUTE = timedelta(minutes=1)


def in_force(store: Store, *networks: str) -> Snapshot:
    """A snapshot of these networks, saved and put in force."""
    made = snapshot(*networks)
    made = replace(made, id=content_id(made.services))
    store.save_snapshot(made)
    store.set_current(made.id)
    return made


@pytest.fixture
def work(tmp_path: Path, store: Store, clock: ManualClock) -> tuple[Bench, Firewall, Device]:
    in_force(store, "103.136.220.0/23", "16.162.0.0/24")
    made, firewall = bench(tmp_path, store, offices(tmp_path), clock)
    return made, firewall, made.inventory.device("fw-berlin")


def raises(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


Work = tuple[Bench, Firewall, Device]


# --- exceptions that the store does not know -------------------------------------------------------------------------


def test_an_exception_that_the_store_does_not_know_is_counted_and_taken_off(work: Work, clock: ManualClock) -> None:
    """A store put back from a backup is older than what the gateways hold: that must not freeze them as they are."""
    made, firewall, device = work
    assert made.sync(device, start_run(made.store, clock)).outcome is Outcome.APPLIED
    stranger = an_exception("10.20.1.7").id
    held = firewall.state
    assert held is not None
    group = AddressGroup(name=GroupName(f"exc-{stranger}"), members=frozenset(an_exception("10.20.1.7").sources))
    rule = Rule(
        name=rule_name(Action.EXEMPT, stranger),
        action=Action.EXEMPT,
        sources=group.name,
        destinations=(GroupName("dst-tiktok"),),
    )
    firewall.state = replace(
        held,
        groups=tuple(sorted((*held.groups, group), key=lambda g: g.name)),
        rules=(held.rules[0], rule, *held.rules[1:]),
    )
    firewall.hits = {rule.name: 3}
    clock.advance(MINUTE)
    assert [e.exception for e in made.collect(device)] == [stranger]
    result = made.sync(device, start_run(made.store, clock))
    assert (result.outcome, result.error) == (Outcome.APPLIED, None)
    assert rule.name not in {r.name for r in firewall.state.rules}


def test_what_a_run_set_out_to_change_is_kept_also_when_the_device_refused(work: Work, clock: ManualClock) -> None:
    made, firewall, device = work
    firewall.on["before-apply"] = raises(Refused("no room"))
    refused = start_run(made.store, clock)
    assert made.sync(device, refused).outcome is Outcome.FAILED
    firewall.on.clear()
    applied = start_run(made.store, clock)
    assert made.sync(device, applied).outcome is Outcome.APPLIED
    unchanged = start_run(made.store, clock)
    assert made.sync(device, unchanged).outcome is Outcome.UNCHANGED
    said = made.store.run_changes(applied)[device.name]
    assert [line for line in said if "dst-tiktok" in line and "103.136.220.0/23" in line]
    assert made.store.run_changes(refused) == {device.name: said}
    assert made.store.run_changes(unchanged) == {}


# --- after the change -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Unreadable("half"), Unreachable("gone")], ids=lambda e: type(e).__name__)
def test_i13_a_change_whose_counters_cannot_be_read_is_applied_and_not_called_failed(
    work: Work, clock: ManualClock, error: DeviceError
) -> None:
    """``failed`` says "provably the old state"; the change was read back, so it is the new one."""
    made, firewall, device = work
    firewall.on["counters"] = raises(error)
    result = made.sync(device, start_run(made.store, clock))
    assert result.outcome is Outcome.APPLIED
    assert made.store.statuses()[device.name].enforced_at == clock.now()
    assert _last_look(made, clock).left is CoverageState.ENFORCED


def test_what_is_hit_before_the_first_counters_could_be_read_is_not_lost(work: Work, clock: ManualClock) -> None:
    made, firewall, device = work
    firewall.on["counters"] = raises(Unreadable("half"))
    made.sync(device, start_run(made.store, clock))
    firewall.on.clear()
    firewall.hits = {DENY: 5}
    clock.advance(MINUTE)
    assert [e.hits for e in made.collect(device)] == [5]
    assert made.collect(device) == ()


def test_counters_that_cannot_be_read_do_not_keep_an_ended_exception_on_the_device(
    work: Work, clock: ManualClock
) -> None:
    made, firewall, device = work
    ends = clock.now() + MINUTE
    allowed = an_exception("10.20.1.7", starts=clock.now(), ends=ends)
    made.store.add_exception(allowed)
    made.sync(device, start_run(made.store, clock))
    assert firewall.state is not None
    assert rule_name(Action.EXEMPT, allowed.id) in {r.name for r in firewall.state.rules}
    clock.jump(ends)
    firewall.on["counters"] = raises(Unreadable("nft says something new"))
    assert made.sync(device, start_run(made.store, clock)).outcome is Outcome.APPLIED
    assert rule_name(Action.EXEMPT, allowed.id) not in {r.name for r in firewall.state.rules}


def test_a_session_that_breaks_before_the_change_is_a_failure_and_nothing_was_sent(
    work: Work, clock: ManualClock
) -> None:
    made, firewall, device = work
    made.sync(device, start_run(made.store, clock))
    before = firewall.state
    in_force(made.store, "103.136.220.0/23", "16.162.0.0/24", "139.177.224.0/24")
    firewall.on["counters"] = raises(Unreachable("gone"))
    assert made.sync(device, start_run(made.store, clock)).outcome is Outcome.FAILED
    assert firewall.state == before


@pytest.mark.parametrize(
    ("step", "error"),
    [
        pytest.param("after-apply", Unreadable("half"), id="the read-back is half"),
        pytest.param("after-apply", Unreachable("gone"), id="the session broke"),
        pytest.param("after-apply", NotVerified("differs; the old state could not be restored"), id="not verified"),
    ],
)
def test_i13_a_change_that_was_not_proven_leaves_an_unknown_state(
    work: Work, clock: ManualClock, step: str, error: DeviceError
) -> None:
    made, firewall, device = work
    made.sync(device, start_run(made.store, clock))
    in_force(made.store, "103.136.220.0/23", "16.162.0.0/24", "139.177.224.0/24")
    clock.advance(MINUTE)
    firewall.on[step] = raises(error)
    firewall.on["login"] = _once_then(Unreachable("gone"))
    result = made.sync(device, start_run(made.store, clock))
    assert result.outcome is Outcome.UNCERTAIN
    assert _last_look(made, clock).left is None


def test_what_the_device_refused_is_still_the_old_state(work: Work, clock: ManualClock) -> None:
    made, firewall, device = work
    made.sync(device, start_run(made.store, clock))
    in_force(made.store, "103.136.220.0/23", "16.162.0.0/24", "139.177.224.0/24")
    clock.advance(MINUTE)
    firewall.on["before-apply"] = raises(Refused("no"))
    assert made.sync(device, start_run(made.store, clock)).outcome is Outcome.FAILED
    assert _last_look(made, clock).left is CoverageState.ENFORCED


def _once_then(error: Exception) -> Callable[[], None]:
    """The first login works, the next ones do not."""
    seen: list[int] = []

    def fail() -> None:
        seen.append(1)
        if len(seen) > 1:
            raise error

    return fail


def _last_look(made: Bench, clock: ManualClock) -> Observation:
    return made.store.observations(BERLIN, Window(clock.now() - MINUTE * 60, clock.now() + MINUTE))[-1]


# --- whose word an event carries --------------------------------------------------------------------------------------


def test_an_event_names_the_snapshot_that_was_enforced_when_it_was_counted(work: Work, clock: ManualClock) -> None:
    """The list has changed since; an address that it lost was still an entry of it, and no live DNS answer."""
    made, firewall, device = work
    enforced = made.snapshot()
    made.sync(device, start_run(made.store, clock))
    in_force(made.store, "103.136.220.0/23")
    clock.advance(MINUTE)
    firewall.hits = {DENY: 2}
    firewall.flows = (_flow(clock.now()),)
    (event,) = made.collect(device)
    assert event.snapshot == enforced.id
    assert [entry.entry for entry in event.entries] == ["16.162.0.0/24"]


def _flow(last_seen: datetime) -> FlowCount:
    return FlowCount(
        action=Action.DENY,
        source=ip_address("10.20.1.7"),
        destination=ip_address("16.162.0.9"),
        packets=2,
        octets=120,
        last_seen=last_seen,
    )


# --- a store that others hold -----------------------------------------------------------------------------------------


def test_a_busy_store_is_a_failing_store_and_no_fault_of_the_device(
    work: Work, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the change was taken: recorded as failed, it would be called provably old."""
    made, firewall, device = work
    monkeypatch.setattr(made.store._db, "write_wait", timedelta(0))
    run = start_run(made.store, clock)
    with ExitStack() as held:
        firewall.on["after-apply"] = lambda: held.enter_context(written_elsewhere(made.store))
        with pytest.raises(StoreError, match="held by process"):
            made.sync(device, run)
    assert made.store.run(run).devices[0].outcome is Outcome.RUNNING


# --- a clock of the device's own --------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [timedelta(days=400), timedelta(hours=-9), timedelta(seconds=90)], ids=str)
def test_i12_an_event_stands_in_our_time_whatever_the_clock_of_the_device_says(
    work: Work, clock: ManualClock, wrong: timedelta
) -> None:
    made, firewall, device = work
    firewall.clock = _Wrong(clock, wrong)
    made.sync(device, start_run(made.store, clock))
    began = clock.now()
    clock.advance(MINUTE)
    firewall.hits = {DENY: 2}
    firewall.flows = (_flow(firewall.clock.now() - timedelta(seconds=20)),)
    (event,) = made.collect(device)
    assert event.window == Window(began, clock.now())
    assert event.sources[0].last_seen == clock.now() - timedelta(seconds=20)


class _Wrong:
    """A clock that is set wrong."""

    def __init__(self, right: ManualClock, by: timedelta) -> None:
        self._right, self._by = right, by

    def now(self) -> datetime:
        return self._right.now() + self._by

    def monotonic(self) -> float:
        return self._right.monotonic()


# --- who answers, and what it counts ---------------------------------------------------------------------------------


def aside(store: Store) -> dict[Quarantine, tuple[str, int]]:
    return {one.why: (one.origin, one.count) for one in store.quarantined(QuarantineQuery(), limit=10)}


def test_a_device_that_answers_for_another_is_counted_for_neither(work: Work, clock: ManualClock) -> None:
    """By its serial number: the address, a name or a cloned host key led to the wrong one."""
    made, firewall, device = work
    firewall.capabilities = replace(EVERYTHING, names_itself=True)
    made.sync(device, start_run(made.store, clock))
    firewall.epoch = "SERIAL-1"
    assert made.collect(device) == (), "who it is, is learnt"
    austin = Reading(epoch="SERIAL-2", read_at=clock.now(), rules=())
    made.store.record_events(DeviceName("fw-austin"), austin, ())
    firewall.epoch, firewall.hits = "SERIAL-2", {DENY: 900}
    clock.advance(MINUTE)
    with pytest.raises(AnotherDevice, match="fw-austin answered"):
        made.collect(device)
    assert aside(made.store) == {Quarantine.IMPOSTOR: ("counters fw-berlin", 1)}
    firewall.epoch, firewall.hits = "SERIAL-1", {DENY: 2}
    clock.advance(MINUTE)
    assert [e.hits for e in made.collect(device)] == [2], "its own go on from where they were"


@pytest.mark.parametrize(
    ("epoch", "hours", "can"),
    [
        pytest.param("SERIAL-3", 0, True, id="another-that-nobody-has"),
        pytest.param("SERIAL-2", 7, True, id="the-other-one-is-silent-since"),
        pytest.param("SERIAL-2", 0, False, id="of-a-vendor-whose-epochs-are-alike"),
        pytest.param("SERIAL-1+SERIAL-2", 0, True, id="a-cluster-that-it-is-a-part-of"),
    ],
)
def test_a_new_serial_number_is_an_exchanged_device(
    work: Work, clock: ManualClock, epoch: str, hours: int, can: bool
) -> None:
    made, firewall, device = work
    firewall.capabilities = replace(EVERYTHING, names_itself=can)
    made.sync(device, start_run(made.store, clock))
    firewall.epoch = "SERIAL-1"
    made.collect(device)
    austin = Reading(epoch="SERIAL-2", read_at=clock.now() - timedelta(hours=hours), rules=())
    made.store.record_events(DeviceName("fw-austin"), austin, ())
    firewall.epoch = epoch
    clock.advance(MINUTE)
    made.collect(device)
    assert aside(made.store) == {}


def test_a_counter_that_goes_back_is_told_and_what_it_shows_is_counted_at_least(work: Work, clock: ManualClock) -> None:
    made, firewall, device = work
    made.sync(device, start_run(made.store, clock))
    counted = []
    for hits in (9, 4, 6):
        firewall.hits = {DENY: hits}
        clock.advance(MINUTE)
        counted += [(e.hits, e.quality) for e in made.collect(device)]
    assert counted == [(9, Quality.EXACT), (4, Quality.AT_LEAST), (2, Quality.EXACT)]
    assert aside(made.store) == {Quarantine.COUNTER_BACK: ("counters fw-berlin", 1)}
    firewall.epoch, firewall.hits = "rebooted", {DENY: 1}
    clock.advance(MINUTE)
    assert [e.hits for e in made.collect(device)] == [1]
    assert aside(made.store) == {Quarantine.COUNTER_BACK: ("counters fw-berlin", 1)}, "a reboot is none"


# --- the end ---------------------------------------------------------------------------------------------------------


def test_once_we_end_no_device_is_begun_and_nothing_is_said_of_it(work: Work, clock: ManualClock) -> None:
    made, firewall, device = work
    made.sync(device, start_run(made.store, clock))
    before, looks = made.store.status(device.name), made.store.newest_look()
    firewall.state = None  # whoever looked would find that
    clock.advance(MINUTE)
    made.ending.set()
    run = start_run(made.store, clock)
    part = made.sync(device, run)
    assert (part.outcome, part.error_code, part.steps) == (Outcome.HELD, "TG5016", 0)
    assert part.error is not None
    assert "nothing was sent" in part.error
    assert made.store.run(run).devices == (part,)
    assert firewall.state is None
    assert (made.store.status(device.name), made.store.newest_look()) == (before, looks), "an end is no failed look"
