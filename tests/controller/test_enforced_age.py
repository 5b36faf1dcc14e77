"""The age of proofs, what is kept of the promise about it, and that looks told as one change no figure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from sqlalchemy import delete

from controller.coverage import coverage
from controller.coverage_desk import CoverageDesk
from controller.enforced_age import Budget, Kept, fleet_age, is_proof, kept, site_age
from controller.errors import Conflict, InventoryError
from controller.inventory import Inventory
from controller.model import CoverageState, DeviceStatus, Observation, Window
from controller.proof.model import By, Expected, Proof, ProofState
from controller.proof.model import Path as Path_
from controller.store import Store
from controller.store.schema import coverage_kept
from core.clock import ManualClock
from core.ids import DeviceName, EventId, SiteName
from tests.controller.offices import KEY, YAML, offices
from vendors.oracle import Answered

E, PART, M, NOT = CoverageState.ENFORCED, CoverageState.PARTIAL, CoverageState.MONITORED, CoverageState.NOT_ENFORCED
BERLIN, FW = SiteName("berlin"), DeviceName("fw-berlin")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PROMISE = YAML + "slo: {enforced_age: 30m, share: 99%}\n"
HELD = "TG3001 a guard refused"
TWO = f'      fw-2: {{vendor: linux_nftables, host: 127.0.0.1, port: 11, host_keys: ["{KEY}"]}}\n'
SITES = YAML.replace("  austin:\n", TWO + "  austin:\n")


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return offices(tmp_path, PROMISE)


@pytest.fixture
def desk(store: Store, inventory: Inventory, clock: ManualClock) -> CoverageDesk:
    return CoverageDesk(store=store, inventory=inventory, clock=clock, freshness=timedelta(minutes=30))


def look(at: datetime, found: CoverageState | None, left: CoverageState | None, cause: str = "") -> Observation:
    return Observation(device=FW, site=BERLIN, at=at, found=found, left=left, cause=cause)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        pytest.param([(0, E, E, ""), (20, E, E, ""), (40, E, E, "")], 60, id="young-all-the-time"),
        pytest.param([(0, E, E, ""), (10, None, None, "unreachable"), (25, E, E, "")], 55, id="a-miss-takes-nothing"),
        pytest.param([(0, E, E, ""), (20, E, E, HELD), (40, E, E, HELD)], 30, id="held-is-not-as-wanted"),
        pytest.param([(0, E, E, ""), (20, NOT, E, "gone")], 30, id="back-to-the-proof-before"),
        pytest.param([(0, E, PART, ""), (20, PART, PART, "")], 0, id="in-part-is-no-proof"),
        pytest.param([(0, E, M, ""), (20, M, M, "switched")], 50, id="less-by-policy-is-as-wanted"),
    ],
)
def test_i13_what_is_kept_of_an_hour(
    clock: ManualClock, looks: Sequence[tuple[int, CoverageState | None, CoverageState | None, str]], expected: int
) -> None:
    start = clock.now()
    seen = [look(start + minute * MINUTE, found, left, cause) for minute, found, left, cause in looks]
    hour = Window(start, start + HOUR)
    (found,) = kept(seen, [hour], devices=(FW,), now=hour.end, target=30 * MINUTE, since=start)
    assert found == Kept(counted=3600, kept=expected * 60)
    assert is_proof(seen[-1]) is (seen[-1].left in (E, M) and seen[-1].cause != HELD)


def test_a_site_is_as_old_as_the_device_that_was_proven_longest_ago(clock: ManualClock) -> None:
    now, other = clock.now(), DeviceName("fw-2")
    assert site_age(BERLIN, {FW: now - HOUR, other: now}, now).age == HOUR
    never = site_age(BERLIN, {FW: now, other: None}, now)
    assert (never.age, never.device) == (None, other)
    assert site_age(BERLIN, {}, now).age is None


def test_i13_an_unknown_age_is_older_than_any_other(clock: ManualClock) -> None:
    now = clock.now()
    ages = [site_age(SiteName(f"s{n}"), {FW: now - n * MINUTE if n else None}, now) for n in range(20)]
    found = fleet_age(ages)
    assert (found.p50, found.p95, found.most, found.never) == (10 * MINUTE, 19 * MINUTE, None, 1)


def test_the_budget_is_overspent_when_more_than_the_rest_is_lost() -> None:
    hour, month = Kept(counted=1000, kept=800), Kept(counted=100_000, kept=98_500)
    budget = Budget(target=HOUR, share=0.99, burns=(hour, hour, month))
    assert (round(budget.left or 0, 6), budget.is_missed, budget.is_burning) == (-0.5, True, True)
    fine = replace(budget, burns=(Kept(), Kept(), Kept()))
    assert (fine.left, fine.is_missed, fine.is_burning) == (None, False, False)


def test_a_promise_of_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="expected a share such as 99%"):
        offices(tmp_path, YAML + "slo: {enforced_age: 30m, share: 99}\n")
    with pytest.raises(InventoryError, match="expected a span of time such as 30m"):
        offices(tmp_path, YAML + "slo: {enforced_age: 30, share: 99%}\n")


def recorded(store: Store, clock: ManualClock, *, days: int) -> None:
    """Looks every 20 minutes; one failed, one found the list gone, and one day nobody came at all."""
    at, number = clock.now() - days * timedelta(days=1), 0
    while at < clock.now():
        number += 1
        if not 200 < number < 280:
            story = {50: (None, None, "unreachable"), 90: (NOT, E, "gone"), 91: (E, PART, "")}.get(number, (E, E, ""))
            store.add_observation(look(at, *story))
        at += 20 * MINUTE
    store.put_status(status_of(FW, at))


def status_of(device: DeviceName, at: datetime) -> DeviceStatus:
    return DeviceStatus(
        device=device, site=BERLIN, last_seen_at=at, last_attempt_at=at, enforced_at=at - 20 * MINUTE, snapshot=None,
        mode=None, error_code=None, error=None,
    )  # fmt: skip


def test_looks_that_are_told_as_one_change_no_figure(store: Store, desk: CoverageDesk, clock: ManualClock) -> None:
    recorded(store, clock, days=6)
    now, target = clock.now(), timedelta(minutes=30)
    since = desk._fleet(now).since
    looks = store.observations(BERLIN, Window(since, now))
    spans = [Window(now - HOUR, now), Window(now - 6 * HOUR, now), Window(since, now)]
    raw = kept(looks, spans, devices=(FW,), now=now, target=target, since=looks[0].at)
    budget = desk.fleet().budget
    assert budget is not None
    assert list(budget.burns) == raw
    assert 0.5 < (budget.burns[-1].share or 0) < 0.99
    line = next(line for line in desk.fleet().sites if line.age.site == BERLIN)
    whole = coverage(looks, Window(looks[0].at, now), devices=(FW,), now=now, freshness=target)
    assert line.seconds == {state: whole.total(state).total_seconds() for state in CoverageState}


def anew(store: Store, desk: CoverageDesk) -> CoverageDesk:
    """As it would answer if no day were kept."""
    with store._db.write() as connection:
        connection.execute(delete(coverage_kept))
    return replace(desk, memory=type(desk.memory)())


def test_days_that_are_kept_change_no_figure(store: Store, desk: CoverageDesk, clock: ManualClock) -> None:
    """Over a week that goes on, with a device that is silent over midnight and then found otherwise: as if anew."""
    recorded(store, clock, days=6)
    for step in range(40):
        clock.advance(timedelta(hours=4))
        desk.keep()
        known, lone = replace(desk, memory=type(desk.memory)())._fleet(clock.now()), desk.line("berlin")
        told = anew(store, desk)._fleet(clock.now())
        assert (known.sites, known.budget, known.age) == (told.sites, told.budget, told.age), step
        assert lone in told.sites
        if not 9 <= step <= 15:
            store.add_observation(look(clock.now(), NOT if step == 16 else E, E))
    desk.keep()
    sites, days = {BERLIN: (FW,)}, Window(known.since, clock.now().replace(hour=0, minute=0))
    settled = store.settled(sites, days, freshness=desk.freshness, target=desk.target)
    assert clock.now() - settled[BERLIN].until < timedelta(days=2), "days are settled"
    assert not store.settled(sites, days, freshness=2 * HOUR, target=desk.target), "by other terms"
    assert not store.settled(sites, days, freshness=desk.freshness, target=HOUR), "by another promise"
    assert not store.settled({BERLIN: (FW, DeviceName("fw-2"))}, days, freshness=desk.freshness, target=desk.target)


@pytest.mark.parametrize("seed", range(4))
def test_i13_days_that_are_kept_are_what_is_reckoned_anew(
    store: Store, tmp_path: Path, clock: ManualClock, seed: int
) -> None:
    """Of two devices or one, with failures, changes that came to nothing, gaps, and clocks that were set back."""
    dice, start = random.Random(seed), clock.now()
    sites = SITES if seed % 2 else SITES.replace(TWO, "")
    fresh, target = dice.sample([20 * MINUTE, 45 * MINUTE, 90 * MINUTE], 2)
    inventory = offices(tmp_path, sites + f"slo: {{enforced_age: {target // MINUTE}m, share: 99%}}\n")
    desk = CoverageDesk(store=store, inventory=inventory, clock=clock, freshness=fresh)
    devices, held = tuple(inventory.sites[BERLIN].devices), dict.fromkeys((FW, DeviceName("fw-2")), E)
    for device in devices:
        store.put_status(status_of(device, start))
    while clock.now() < start + timedelta(days=5):
        clock.advance((15 if dice.random() < 0.97 else 200) * MINUTE)
        late = timedelta(hours=30) * dice.random() if seed > 1 and dice.random() < 0.02 else timedelta()
        for device in devices:
            store.add_observation(told(dice, device, held, clock.now() - late))
        if dice.random() < 0.1:
            desk.keep()
    desk.keep()
    now = clock.now()
    windows = [Window(at := start + timedelta(days=5) * dice.random(), at + timedelta(days=3)) for _ in range(6)]
    mine = {BERLIN: devices}
    kept_days = [store.fleet_coverage(window, mine, now=now, freshness=fresh) for window in windows]
    known = desk._fleet(now)
    days = store.settled(mine, Window(known.since, now.replace(hour=0, minute=0)), freshness=fresh, target=target)
    assert days[BERLIN].until > start + timedelta(days=3)
    assert known.sites == anew(store, desk)._fleet(now).sites
    assert kept_days == [store.fleet_coverage(window, mine, now=now, freshness=fresh) for window in windows]
    (line,) = (line for line in known.sites if line.age.site == BERLIN)
    looks = store.observations(BERLIN, Window(start, now))
    begun = min(look.at for look in looks)
    whole = Window(max(begun, known.since), now)
    plain = coverage(looks, whole, devices=devices, now=now, freshness=fresh)
    assert line.seconds == {state: plain.total(state).total_seconds() for state in CoverageState}
    assert (line.state, line.cause) == (plain.spans[-1].state, plain.spans[-1].cause)
    (month,) = kept(looks, [whole], devices=devices, now=now, target=target, since=begun)
    assert line.kept == month
    for window, found in zip(windows, kept_days, strict=True):
        part = plain.within(window)
        assert found[BERLIN][E] == part.total(E)
        assert found[BERLIN][NOT] == part.total(NOT)


def told(dice: random.Random, device: DeviceName, held: dict[DeviceName, CoverageState], at: datetime) -> Observation:
    """Mostly steady; some fail, some are held back, some find another state than was left."""
    state = held[device]
    chance = dice.random()
    if chance < 0.04:
        return replace(look(at, None, None, dice.choice(("unreachable", "refused"))), device=device)
    if chance < 0.08:
        return replace(look(at, state, state, HELD), device=device)
    if chance < 0.12:
        held[device] = dice.choice((E, M, NOT, PART))
        found = dice.choice((state, held[device]))
        return replace(look(at, found, held[device] if chance > 0.085 else None, "changed"), device=device)
    return replace(look(at, state, state), device=device)


def test_i13_a_silent_device_is_claimed_nothing_of(store: Store, desk: CoverageDesk, clock: ManualClock) -> None:
    recorded(store, clock, days=2)
    clock.advance(timedelta(days=3))
    line = next(line for line in desk.fleet().sites if line.age.site == BERLIN)
    assert line.state is CoverageState.UNKNOWN
    assert line.seconds[CoverageState.UNKNOWN] > 3 * 86400 - 60
    assert line.age.age == timedelta(days=3, minutes=20)


@pytest.mark.parametrize("days_kept", [True, False])
def test_i13_looks_that_lie_ahead_say_nothing_of_how_it_is_now(
    store: Store, desk: CoverageDesk, clock: ManualClock, *, days_kept: bool
) -> None:
    """A clock that was ahead for some minutes, and was set back: the fleet says what the site says."""
    began = clock.now()
    for ahead in (timedelta(hours=7, minutes=10), timedelta(hours=26, minutes=40), timedelta()):
        for step in range(4):
            store.add_observation(look(began + ahead + step * 20 * MINUTE, E, E))
        if days_kept:
            clock.jump(began + ahead + HOUR)
            desk.keep()
    clock.jump(began + HOUR + 5 * MINUTE)
    store.put_status(status_of(FW, clock.now()))
    if days_kept:
        desk.keep()
    site = desk.site(BERLIN, Window(began, clock.now())).whole
    for line in (desk.line(BERLIN), next(line for line in desk._fleet(clock.now()).sites if line.age.site == BERLIN)):
        assert (line.state, line.cause) == (E, "")
        assert line.seconds == {state: site.total(state).total_seconds() for state in CoverageState}
        assert line.kept.counted == line.kept.kept == 65 * 60


def test_the_promise_is_told_once_when_it_is_missed_and_once_when_it_is_kept(
    store: Store, desk: CoverageDesk, clock: ManualClock
) -> None:
    recorded(store, clock, days=6)
    for _ in range(3):
        desk.watch()
        clock.advance(MINUTE)
    assert [alert.kind for alert in store.alerts()] == ["slo-missed"]
    assert "proofs no older than 30m for 99% of the time" in store.alerts()[0].message
    for _ in range(3 * 24 * 31):
        clock.advance(20 * MINUTE)
        store.add_observation(look(clock.now(), E, E))
    desk.watch()
    assert [alert.kind for alert in store.alerts()] == ["slo-kept", "slo-missed"]


def test_nothing_is_promised_by_itself(store: Store, tmp_path: Path, clock: ManualClock) -> None:
    desk = CoverageDesk(store=store, inventory=offices(tmp_path), clock=clock, freshness=HOUR)
    desk.watch()
    with pytest.raises(Conflict, match="has no `slo`"):
        desk.budget()


def answer(
    at: datetime, state: ProofState, *, number: int, round_id: str = "", target: str = "103.136.220.10"
) -> Proof:
    said = Answered.PASSES if state is ProofState.LEAKING else Answered.OURS
    return Proof(
        id=EventId(f"01hzproof{number}"), round=round_id or f"r{number}", site=BERLIN, origin="pc-7", by=By.PROBE,
        path=Path_.TCP, role="company", exception=None, source=ip_address("10.20.0.7"), target="103.136.220.10",
        expected=Expected.BLOCK, said=said, state=state, rule="", words="", at=at,
    )  # fmt: skip


def test_a_leak_that_was_proven_counts_against_its_site_until_that_path_is_stopped(
    store: Store, desk: CoverageDesk, clock: ManualClock
) -> None:
    recorded(store, clock, days=6)
    now = clock.now()
    leak, other = now - HOUR, replace(answer(now - HOUR, ProofState.BLOCKED, number=2, round_id="r1"), target="x")
    store.record_proofs("r1", [answer(leak, ProofState.LEAKING, number=1, round_id="r1"), other])
    store.record_proofs("r3", [answer(leak + 10 * MINUTE, ProofState.BLOCKED, number=3)])
    found = desk.site("berlin", Window(now - 2 * HOUR, now)).whole
    assert found.total(CoverageState.NOT_ENFORCED) == 10 * MINUTE
    assert found.total(E) == 110 * MINUTE
    (bad,) = [span for span in found.spans if span.state is CoverageState.NOT_ENFORCED]
    assert bad.cause == "tcp-443 from company, by probe pc-7: 103.136.220.10 passes"
    line = next(line for line in desk.fleet().sites if line.age.site == BERLIN)
    assert line.seconds[CoverageState.NOT_ENFORCED] == 600
