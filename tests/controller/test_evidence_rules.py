"""What is found from time to time: counters as evidence, spikes, what lies dormant; that it is, and that it is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from bench.evidence_ingest import memory
from controller.evidence.counters import hits_of, sightings_of
from controller.evidence.dormancy import Machine, parted
from controller.evidence.model import Batch, Channel, EpisodeAction, EpisodeKind, Trace
from controller.evidence.rules import DORMANT_AFTER, HISTORY_LEAST, SPIKE_LEAST, spike
from controller.model import SourceSeen, Window
from controller.store import Store
from core.clock import ManualClock
from core.ids import SiteName, new_id
from tests.controller.conftest import NOON
from tests.controller.seeing import seen
from tests.controller.test_evidence_desk import batch, desk, hello, kept
from tests.controller.test_store_episodes import an_episode
from tests.controller.test_webhooks import FW, an_event, counted
from vendors.model import Reading

BERLIN = SiteName("berlin")
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
AT = datetime(2026, 11, 25, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "weeks", "is_one"),
    [
        pytest.param(40, [3, 4, 5, 4], True, id="far-above"),
        pytest.param(40, [3, 4, 5], False, id="too-little-history"),
        pytest.param(9, [0, 0, 0, 0], False, id="too-few-to-matter"),
        pytest.param(12, [10, 11, 12, 9, 10], False, id="as-usual"),
        pytest.param(40, [3, 4, 200, 5, 4], True, id="one-bad-week-hides-nothing"),
        pytest.param(12, [0, 60, 0, 60, 5], False, id="it-always-varies-so"),
        pytest.param(12, [0, 0, 0, 0, 0], True, id="never-before-at-this-hour"),
    ],
)
def test_a_spike_is_against_the_same_hour_of_earlier_weeks(count: int, weeks: list[int], is_one: bool) -> None:
    found = spike(BERLIN, AT, count, weeks)
    assert (found is not None) is is_one
    if found is not None:
        assert found == spike(BERLIN, AT, count, weeks), "the same one, found again"
        assert (found.kind, found.window, found.count) == (EpisodeKind.SPIKE, Window(AT, AT + HOUR), count)


def used(store: Store, start: datetime, count: int) -> None:
    store.record("", [an_episode(new_id(), start + timedelta(seconds=n)) for n in range(count)])


def test_spikes_are_looked_for_in_the_last_whole_hour(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    looking = desk(store, clock, tmp_path)
    for week in range(1, HISTORY_LEAST):
        used(store, AT - week * WEEK, 2)
    used(store, AT, SPIKE_LEAST + 10)
    looking.find_spikes()
    assert kept(store, EpisodeKind.SPIKE) == [], "three weeks are no history"
    used(store, AT - HISTORY_LEAST * WEEK + HOUR, 2)
    looking.find_spikes()
    assert kept(store, EpisodeKind.SPIKE) == [], "the fourth began after that hour"
    used(store, AT - HISTORY_LEAST * WEEK - HOUR, 2)
    for _ in range(2):
        looking.find_spikes()
    (found,) = kept(store, EpisodeKind.SPIKE)
    assert (found.site, found.count, found.window.start) == (BERLIN, SPIKE_LEAST + 10, AT)


def test_the_same_hour_is_that_of_the_clock_on_the_wall(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    """Berlin comes to work at eight, by summer time until 25 October; that of UTC would be a spike for weeks."""
    monday = datetime(2026, 11, 2, 7, tzinfo=UTC)  # 08:00, as 06:00 UTC was before
    used(store, monday, SPIKE_LEAST + 10)
    for week in range(1, HISTORY_LEAST + 2):
        used(store, monday - week * WEEK - (HOUR if week > 1 else timedelta()), SPIKE_LEAST + 10)
    clock.jump(monday + HOUR)
    desk(store, clock, tmp_path).find_spikes()
    assert kept(store, EpisodeKind.SPIKE) == []


def test_what_comes_in_late_is_looked_at_too(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    """The files of a day are brought at night; and while nobody runs, nobody looks."""
    for week in range(1, HISTORY_LEAST + 2):
        used(store, AT - week * WEEK, 1)
    looking = desk(store, clock, tmp_path)
    clock.jump(AT + timedelta(days=2))
    looking.find_spikes()
    told = [hello(source=f"10.20.3.{n}", answered=True, start=AT) for n in range(SPIKE_LEAST)]
    looking.take(Batch(origin="x", id="night", sightings=tuple(told)))
    assert kept(store, EpisodeKind.SPIKE) == []
    looking.find_spikes()
    (found,) = kept(store, EpisodeKind.SPIKE)
    assert (found.count, found.window.start) == (SPIKE_LEAST, AT)


def test_a_start_looks_at_the_last_day(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    for week in range(HISTORY_LEAST + 2):
        used(store, AT - week * WEEK, 1 if week else SPIKE_LEAST)
    clock.jump(AT + 20 * HOUR)
    desk(store, clock, tmp_path).find_spikes()
    assert len(kept(store, EpisodeKind.SPIKE)) == 1


def test_weeks_in_which_nobody_would_have_been_seen_are_no_baseline(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    """Counters of rules, and a list of what is installed, name no use: the first day of a new sensor is no spike."""
    for week in range(1, HISTORY_LEAST + 4):
        for kind in (EpisodeKind.HITS, EpisodeKind.INSTALLED):
            store.record("", [an_episode(new_id(), AT - week * WEEK, kind=kind)])
    used(store, AT, SPIKE_LEAST + 10)
    clock.jump(AT + HOUR)
    desk(store, clock, tmp_path).find_spikes()
    assert kept(store, EpisodeKind.SPIKE) == []


def test_what_is_installed_and_never_seen_is_dormant(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    old = NOON - DORMANT_AFTER - HOUR
    installed = {
        name: an_episode(new_id(), start, kind=EpisodeKind.INSTALLED, source=None, host=host, user="")
        for name, start, host in (("unused", old, "a"), ("used", old, "b"), ("new", NOON - HOUR, "c"))
    }
    other = an_episode(new_id(), NOON, host="a", app="capcut", source=ip_address("10.20.0.1"))
    store.record("", [*installed.values(), an_episode(new_id(), NOON, host="b"), other])
    for _ in range(2):
        desk(store, clock, tmp_path).find_dormant()
    (found,) = kept(store, EpisodeKind.DORMANT)
    assert (found.host, found.grounds[0].trait) == ("a", "rule:dormant")


HERE, THERE = "10.20.3.41", "10.20.4.7"
DAYS = timedelta(days=1)


def machine(host: str = "LAPTOP-7", user: str = "", **addresses: tuple[int, int]) -> Machine:
    """At these addresses from one day to another."""
    installed = an_episode(new_id(), NOON, kind=EpisodeKind.INSTALLED, source=None, host=host, user=user)
    known = {"here": HERE, "there": THERE}
    return Machine(installed, {known[n]: (NOON + a * DAYS, NOON + b * DAYS) for n, (a, b) in addresses.items()})


def trace(day: float, host: str = "", user: str = "", source: str = "") -> Trace:
    return Trace(source=source, host=host, user=user, window=Window(NOON + day * DAYS, NOON + day * DAYS))


@pytest.mark.parametrize(
    ("use", "is_dormant"),
    [
        pytest.param(trace(1, host="laptop-7.corp.example"), False, id="the-same-by-its-whole-name"),
        pytest.param(trace(1, host="LAPTOP-7$"), False, id="the-same-by-its-account"),
        pytest.param(trace(1, host="laptop-70"), True, id="another-host"),
        pytest.param(trace(-1, host="laptop-7"), True, id="before-it-was-found"),
        pytest.param(trace(1, user="CORP\\Anna"), False, id="its-user-of-the-domain"),
        pytest.param(trace(1, user="anna@corp.example"), False, id="its-user-by-mail"),
        pytest.param(trace(1, user="bert"), True, id="another-user"),
        pytest.param(trace(1.5, source=HERE), False, id="at-its-address"),
        pytest.param(trace(3, source=HERE), False, id="at-its-last-known-address"),
        pytest.param(trace(5, source=HERE), True, id="at-the-address-that-it-left"),
        pytest.param(trace(5, source=THERE), False, id="at-its-next-address"),
        pytest.param(trace(1.5, source=THERE), True, id="at-an-address-before-it-had-it"),
        pytest.param(trace(1.5, source=HERE, host="phone-3"), True, id="another-host-at-its-address"),
    ],
)
def test_dormant_goes_by_the_machines_name_and_its_address_then(use: Trace, is_dormant: bool) -> None:
    mine = machine(user="anna", here=(0, 2), there=(4, 6))
    assert (parted([mine], [use])[0] == [mine.installed]) is is_dormant


def test_an_address_is_whoever_was_reported_there_last() -> None:
    old, new = machine("old", here=(0, 2)), machine("new", here=(4, 6))
    assert parted([old, new], [trace(5, source=HERE)])[0] == [old.installed]
    assert parted([old, new], [trace(3, source=HERE)])[0] == [new.installed]


def test_the_addresses_of_a_machine_are_kept_with_it(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    """Reported at two, and used at the first while it was there."""
    looking = desk(store, clock, tmp_path)
    start = NOON - DORMANT_AFTER - 3 * DAYS
    for name, host in (("b", "used"), ("c", "unused")):
        for day, address in enumerate((f"10.20.3.{ord(name)}", "10.20.4.7") if name == "b" else ("10.20.4.8",)):
            clock.jump(start + (day + 1) * DAYS)
            told = seen(Channel.ENDPOINT, host=host, software="TikTok", platform="windows", source=address)
            at = start + day * DAYS
            looking.take(Batch(origin="x", id=f"{name}{day}", sightings=(replace(told, at=at),)))
    clock.jump(start + 2 * DAYS)
    used = replace(hello(source=f"10.20.3.{ord('b')}"), at=start + timedelta(hours=6))
    looking.take(Batch(origin="x", id="use", sightings=(used,)))
    clock.jump(NOON)
    looking.find_dormant()
    assert [one.host for one in kept(store, EpisodeKind.DORMANT)] == ["unused"]


def test_dormant_is_taken_back_when_it_is_seen_used(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    """By any of its people, too: what several are said to use, each of them may."""
    looking = desk(store, clock, tmp_path)
    clock.jump(NOON - DORMANT_AFTER - HOUR)
    told = seen(Channel.ENDPOINT, host="laptop-7", software="TikTok", platform="windows", start=clock.now())
    for number, user in enumerate(("CORP\\bert", "anna")):
        looking.take(Batch(origin="x", id=f"inventory {number}", sightings=(replace(told, user=user),)))
    clock.jump(NOON)
    looking.find_dormant()
    (found,) = kept(store, EpisodeKind.DORMANT)
    assert (found.is_taken_back, found.host, found.user) == (False, "laptop-7", "")
    looking.take(batch("use", hello(source="10.20.6.6", user="anna@corp.example", answered=True)))
    for _ in range(2):  # and it stays so
        looking.find_dormant()
        (found,) = kept(store, EpisodeKind.DORMANT)
        assert (found.confidence, found.is_taken_back) == (0, True)
        assert found.grounds[0].text == f"taken back: use of it was seen on {NOON:%Y-%m-%d} (UTC)"
        assert sum(ground.trait == "rule:taken-back" for ground in found.grounds) == 1


# --- counters ---------------------------------------------------------------------------------------------------------


def source(address: str, destination: str = "103.136.221.2") -> SourceSeen:
    where = ip_address(destination)
    return SourceSeen(source=ip_address(address), destination=where, packets=4, octets=None, last_seen=NOON)


def test_a_counter_without_clients_is_hits_and_one_with_them_is_sightings() -> None:
    plain = an_event()
    hits = hits_of(plain, app="tiktok")
    assert hits is not None
    assert (hits.kind, hits.count, hits.action, hits.events) == (
        EpisodeKind.HITS,
        3,
        EpisodeAction.BLOCKED,
        (plain.id,),
    )
    assert list(sightings_of(plain)) == []
    known = replace(plain, sources=(source("10.20.3.41"),))
    assert hits_of(known, app="tiktok") is None
    assert [str(one.source) for one in sightings_of(known)] == ["10.20.3.41"]
    assert hits_of(replace(known, sources_truncated=True), app="tiktok") is not None, "it names not all of them"
    assert hits_of(replace(plain, hits=0, packets=0), app="tiktok") is None


def test_counters_are_followed_once_and_joined_to_what_others_saw(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    following = desk(store, clock, tmp_path)
    following.take(batch("b1", hello()))
    counted(store, an_event(), replace(an_event(NOON + HOUR), sources=(source("10.20.3.41"),)))
    for _ in range(2):
        following.follow_counters()
        store.set_followed(0)  # as if it had died before it noted how far it came
    (hits,) = kept(store, EpisodeKind.HITS)
    (use,) = kept(store, EpisodeKind.USE)
    assert (hits.device, hits.app) == (FW, "tiktok")
    assert (use.count, use.channels, use.action) == (2, (Channel.COUNTER, Channel.TLS), EpisodeAction.BLOCKED)
    following.follow_counters()
    assert store.followed() == store.journal(0, limit=100).head
    store.record_events(FW, Reading(epoch="e", read_at=NOON, rules=()), ())
    following.follow_counters()
    assert len(kept(store)) == 3 - 1 + len(kept(store, EpisodeKind.FIRST_USE))


def test_memory_stays_flat_over_a_flood() -> None:
    """The short form: four parts of a flood of spoofed clients and names."""
    held = memory(8_000)["bytes held"]
    assert held[-1] - held[1] < 12 * 1024 * 1024, held
