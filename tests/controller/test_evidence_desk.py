"""Evidence that is brought: once however often it comes, whatever dies in between, set aside where it is none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from sqlalchemy import select

from controller.errors import NotFound, StoreError
from controller.evidence.correlating import made_id
from controller.evidence.model import Batch, Channel, Episode, EpisodeAction, EpisodeKind, Quarantine, Sighting, Verdict
from controller.evidence.naming import Waiting
from controller.evidence_desk import EvidenceDesk
from controller.inventory import Inventory
from controller.reach import Reach
from controller.store import EpisodeQuery, QuarantineQuery, Store
from controller.store.episodes import SALT, SALT_BYTES, Past
from controller.store.schema import episodes
from controller.store.shelf import put_meta
from core.clock import ManualClock
from core.ids import SiteName
from tests.controller.backends import again, refusing
from tests.controller.conftest import NOON
from tests.controller.offices import NOON as NOON_OF_OFFICES
from tests.controller.offices import YAML
from tests.controller.seeing import (
    API,
    AT_API,
    EVASION,
    OWN,
    PHONE,
    asked,
    denied,
    hello,
    inventory,
    marketing,
    plain,
    seen,
)

MINUTE = timedelta(minutes=1)


def desk(store: Store, clock: ManualClock, folder: Path, text: str = YAML) -> EvidenceDesk:
    known: Inventory = inventory(folder, text)
    policies = known.policies
    return EvidenceDesk(
        store, known, clock, policies=lambda site: policies[site.policy], holidays=lambda _: frozenset()
    )


def batch(name: str, *sightings: Sighting, **fields: object) -> Batch:
    moved = tuple(replace(one, at=one.at + (NOON - NOON_OF_OFFICES)) for one in sightings)
    return Batch(origin="file x", id=name, sightings=moved, **fields)  # type: ignore[arg-type]


def kept(store: Store, *kinds: EpisodeKind) -> list[Episode]:
    wanted = EpisodeQuery(kinds=frozenset(kinds) or None, oldest_first=True)
    return list(store.episodes(wanted).items)


def salted(store: Store) -> Store:
    """Ids are made as in every other store of a test that compares two."""
    with store._db.write() as connection:
        put_meta(connection, SALT, "00" * SALT_BYTES)
    return store


def test_an_id_does_not_tell_whose_it_is(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    """Who sees an episode under a pseudonym sees its id, its time and its app: all that an id is made of but who."""
    desk(store, clock, tmp_path).take(batch("b1", asked(API, 0, AT_API)))
    (kept_one,) = kept(store, EpisodeKind.CONTACT, EpisodeKind.USE)
    client = f"berlin {kept_one.source}"
    with store._db.read() as connection:
        salt, known = Past(connection).salt, str(connection.execute(select(episodes.c.client)).scalar())
    assert (known, kept_one.id) == (client, made_id(kept_one.window.start, client, kept_one.app, "", salt=salt))
    assert kept_one.id != made_id(kept_one.window.start, client, kept_one.app, "")
    with again(store, clock) as other, other._db.read() as connection:
        assert Past(connection).salt == salt, "another process makes the same"


def test_a_batch_is_taken_once_and_the_next_one_joins_it(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    first = batch("b1", asked(API, 0, AT_API), hello(API, 1, destination=AT_API, uid="C1"))
    for _ in range(2):
        desk(store, clock, tmp_path).take(first)  # as by a process that did not know that it had
    flow = seen(Channel.FLOW, 3, destination=AT_API, octets=900, uid="C1", answered=True)
    desk(store, clock, tmp_path).take(batch("b2", flow))
    (use,) = kept(store, EpisodeKind.USE)
    assert (use.count, use.octets, use.action) == (3, 900, EpisodeAction.NOT_ENFORCED)
    assert use.channels == (Channel.DNS, Channel.FLOW, Channel.TLS)


def test_a_batch_that_cannot_be_kept_is_brought_again(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    asking = desk(store, clock, tmp_path)
    with refusing(store, "episodes"), pytest.raises(StoreError):
        asking.take(batch("b1", hello(), hello(seconds=60 * 60)))
    assert kept(store) == []
    asking.take(batch("b1", hello()))
    assert [one.count for one in kept(store, EpisodeKind.USE)] == [1]


CHILD = """
import os, signal, sys
from pathlib import Path
from controller.store import Store
from core.clock import ManualClock
from tests.controller.conftest import NOON
from tests.controller.test_evidence_desk import batches, desk
folder, dies_before = Path(sys.argv[1]), int(sys.argv[2])
store = Store.open(folder, clock=ManualClock(NOON))
taking = desk(store, ManualClock(NOON), folder)
for number, one in enumerate(batches()):
    if number == dies_before:
        os.kill(os.getpid(), signal.SIGKILL)
    taking.take(one)
"""


def batches() -> Iterator[Batch]:
    for number in range(6):
        clients = [f"10.20.3.{number % 3 + n}" for n in range(3)]
        told = [asked(API, number, AT_API, source=c) for c in clients]
        yield batch(f"b{number}", *told, *(denied(AT_API, number + 1, source=c) for c in clients))


def test_killed_between_two_batches_and_begun_anew_it_comes_to_the_same(
    tmp_path: Path, clock: ManualClock, migrated: Path
) -> None:
    folders = [tmp_path / name for name in ("killed", "whole")]
    for folder in folders:
        folder.mkdir()
        (folder / "store.db").write_bytes(migrated.read_bytes())
        with Store.open(folder, clock=clock) as store:
            salted(store)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    died = subprocess.run([sys.executable, "-c", CHILD, str(folders[0]), "3"], env=environment, check=False)
    assert died.returncode == -signal.SIGKILL
    found = []
    for folder in folders:
        with Store.open(folder, clock=clock) as store:
            before = len(kept(store))
            taking = desk(store, clock, folder)
            for one in batches():  # all of it again: nobody knows how far it came
                taking.take(one)
            found.append((before > 0, kept(store)))
    assert [had for had, _ in found] == [True, False]
    assert found[0][1] == found[1][1]
    assert sum(one.count or 0 for one in kept_of(found[1][1], EpisodeKind.USE)) == 36


def kept_of(episodes: list[Episode], kind: EpisodeKind) -> list[Episode]:
    return [one for one in episodes if one.kind is kind]


def test_times_that_cannot_be_and_clients_of_no_site_are_set_aside(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    taking = desk(store, clock, tmp_path)
    told = [hello(seconds=400), hello(seconds=-8 * 86_400), hello(source="192.168.7.7"), hello(seconds=-6 * 86_400)]
    for _ in range(2):
        taking.take(batch("b1", *told))
    assert [one.count for one in kept(store, EpisodeKind.USE)] == [1]
    aside = {one.why: one.count for one in store.quarantined(QuarantineQuery(), limit=10)}
    assert aside == {Quarantine.FUTURE: 1, Quarantine.TOO_OLD: 1, Quarantine.STRANGER: 1}
    assert taking.counts["signs"] == 1
    assert taking.counts["batches again"] == 1


def test_an_exception_that_is_approved_covers_what_comes_next(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    taking = desk(store, clock, tmp_path)
    ads = marketing(starts=NOON - MINUTE, ends=NOON + 60 * MINUTE)
    seen_ = hello("ads.tiktok.com", source="10.20.5.5", answered=True)
    taking.take(batch("b1", seen_))
    store.add_exception(ads)
    clock.advance(timedelta(seconds=6))
    taking.take(batch("b2", replace(seen_, at=seen_.at + timedelta(seconds=1))))
    found = {one.exception: one.action for one in kept(store, EpisodeKind.USE)}
    assert found == {None: EpisodeAction.NOT_ENFORCED, ads.id: EpisodeAction.EXCEPTED}


def test_endpoints_tell_of_their_batchs_site_and_once(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    told = seen(Channel.ENDPOINT, source=None, host="laptop-7", software="TikTok", platform="windows")
    for day in range(3):
        clock.advance(timedelta(days=day and 1))
        at = replace(told, at=told.at + timedelta(days=day))
        desk(store, clock, tmp_path).take(batch(f"b{day}", at, site=SiteName("berlin")))
    (installed,) = kept(store)
    assert (installed.kind, installed.host, installed.count) == (EpisodeKind.INSTALLED, "laptop-7", 3)
    assert installed.window.end - installed.window.start == timedelta(days=2)


def test_what_lies_beyond_ones_reach_is_not_there(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    everywhere = desk(store, clock, tmp_path)
    everywhere.take(batch("b1", hello(), hello(source="10.30.1.1")))
    (austin,) = everywhere.find(EpisodeQuery(site="austin", kinds=frozenset({EpisodeKind.USE}))).items
    narrow = everywhere.within(Reach(frozenset({SiteName("berlin")})))
    assert {one.site for one in narrow.find(EpisodeQuery()).items} == {"berlin"}
    assert narrow.count(EpisodeQuery(site="austin"), most=10) == 0
    with pytest.raises(NotFound):
        narrow.one(austin.id)
    assert everywhere.one(austin.id) == austin


# --- what follows -----------------------------------------------------------------------------------------------------


def test_the_first_use_of_a_site_is_told_once(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    desk(store, clock, tmp_path).take(batch("b1", hello(seconds=9), hello(seconds=8, source="10.20.3.7")))
    desk(store, clock, tmp_path).take(batch("b2", hello(seconds=20, source="10.20.3.8")))
    (first,) = kept(store, EpisodeKind.FIRST_USE)
    assert str(first.source) == "10.20.3.7"
    assert first.grounds[0].trait == "rule:first-use"
    desk(store, clock, tmp_path).take(batch("b3", hello("analytics.tiktok.com", source="10.30.1.1")))
    assert len(kept(store, EpisodeKind.FIRST_USE)) == 1, "a pixel is no use"


def test_first_use_looks_as_far_back_as_episodes_are_kept(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    """Whether the process was started anew since or not."""
    taking = desk(store, clock, tmp_path)
    for day in (0, 20, 51, 52):
        clock.jump(NOON + timedelta(days=day))
        store.housekeeping(retention=timedelta(days=30))
        taking.take(batch(f"u{day}", hello(source=f"10.20.3.{day}", seconds=day * 86_400)))
    assert [str(one.source) for one in kept(store, EpisodeKind.FIRST_USE)] == ["10.20.3.51"]
    assert kept(store, EpisodeKind.FIRST_USE)[0].grounds[0].text.endswith("as far back as episodes are kept")


def test_a_leak_is_told_and_taken_back_when_a_firewall_says_that_it_blocked(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    taking = desk(store, clock, tmp_path)
    taking.take(batch("b1", hello(verdict=Verdict.BLOCKED)))
    assert kept(store, EpisodeKind.LEAK) == []
    taking.take(batch("b2", hello(seconds=1, source="10.20.3.9", answered=True)))
    (leak,) = kept(store, EpisodeKind.LEAK)
    assert (str(leak.source), leak.count, leak.action) == ("10.20.3.9", 1, EpisodeAction.NOT_ENFORCED)
    taking.take(batch("b3", hello(seconds=2, source="10.20.3.9", verdict=Verdict.BLOCKED)))
    (taken,) = kept(store, EpisodeKind.LEAK)
    assert (taken.id, taken.confidence, taken.action) == (leak.id, 0, EpisodeAction.BLOCKED)
    assert taken.grounds[0].trait == "rule:taken-back"


@pytest.mark.parametrize("in_order", [True, False])
def test_a_deny_of_the_very_connection_goes_before_its_answer_at_own_addresses_too(
    store: Store, clock: ManualClock, tmp_path: Path, in_order: bool
) -> None:
    """Cut behind its ClientHello; one sensor knows the name, the firewall the address and the port."""
    known = hello(destination=OWN, source_port=4711, port=443, answered=True)
    cut, other = denied(OWN, 1, source_port=4711), denied(OWN, 1, source_port=4712, source="10.20.3.9")
    passed = hello(destination=OWN, source_port=4711, port=443, answered=True, source="10.20.3.9")
    taking = desk(store, clock, tmp_path)
    told = [batch("b1", known, passed), batch("b2", cut, other)]
    for one in told if in_order else reversed(told):
        taking.take(one)
    (use,) = (one for one in kept(store, EpisodeKind.USE) if str(one.source) == PHONE)
    assert (use.action, use.destinations) == (EpisodeAction.BLOCKED, (API,))
    leaks = [str(one.source) for one in kept(store, EpisodeKind.LEAK) if not one.is_taken_back]
    assert leaks == ["10.20.3.9"], "what was cut there was another connection"


def test_what_takes_back_takes_all_that_the_reasons_add_up_to(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    taking = desk(store, clock, tmp_path)
    names = (API, "www.tiktok.com", "v16m.tiktokcdn-us.com")
    taking.take(batch("b1", *(hello(name, n, answered=True) for n, name in enumerate(names))))
    (leak,) = kept(store, EpisodeKind.LEAK)
    assert sum(ground.weight for ground in leak.grounds) > 100 == leak.confidence
    taking.take(batch("b2", *(hello(name, n, verdict=Verdict.BLOCKED) for n, name in enumerate(names, 5))))
    (taken,) = kept(store, EpisodeKind.LEAK)
    assert (taken.confidence, sum(ground.weight for ground in taken.grounds)) == (0, 0)


def test_what_follows_from_use_is_taken_back_when_it_turns_out_to_be_none(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    """A script that downloads looks like the app until its agent is seen."""
    taking = desk(store, clock, tmp_path)
    taking.take(batch("b1", hello(answered=True)))
    followed = (EpisodeKind.LEAK, EpisodeKind.FIRST_USE)
    assert [one.is_taken_back for one in kept(store, *followed)] == [False, False]
    agent = (
        "com.zhiliaoapp.musically/2022600030 (Linux; U; Android 7.1.2; es_ES; SM-G988N; Build/NRD90M;tt-ok/3.12.13.1)"
    )
    taking.take(batch("b2", seen(Channel.HTTP, 5, name=API, agent=agent, answered=True)))
    (use,) = kept(store, EpisodeKind.USE, EpisodeKind.CONTACT)
    assert use.kind is EpisodeKind.CONTACT
    for one in kept(store, *followed):
        assert (one.is_taken_back, one.grounds[0].trait) == (True, "rule:taken-back")
        assert sum(ground.weight for ground in one.grounds) <= 0


def test_first_use_says_what_became_of_it(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    taking = desk(store, clock, tmp_path)
    taking.take(batch("b1", hello(answered=True)))
    assert [one.action for one in kept(store, EpisodeKind.FIRST_USE)] == [EpisodeAction.NOT_ENFORCED]
    taking.take(batch("b2", hello(seconds=1, verdict=Verdict.BLOCKED)))
    assert [one.action for one in kept(store, EpisodeKind.FIRST_USE)] == [EpisodeAction.BLOCKED]


def test_what_the_policy_lets_pass_is_no_leak(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    guest, other = hello(source="10.20.9.9", answered=True), hello("edit-api-sg.capcut.com", answered=True)
    pixel = hello("analytics.tiktok.com", answered=True)
    desk(store, clock, tmp_path).take(batch("b1", guest, other, pixel))
    assert kept(store, EpisodeKind.LEAK) == []


def test_a_way_round_right_after_a_block_is_evasion_where_it_is_asked_about(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    blocked = hello(verdict=Verdict.BLOCKED)
    tunnel = hello("dns.google", seconds=30)
    desk(store, clock, tmp_path).take(batch("b1", blocked, tunnel))
    assert kept(store, EpisodeKind.EVASION) == [], "this site did not ask"
    taking = desk(store, clock, tmp_path, EVASION)
    taking.take(batch("b2", replace(tunnel, at=tunnel.at + timedelta(seconds=1))))
    (found,) = kept(store, EpisodeKind.EVASION)
    assert (str(found.source), found.indicator, found.confidence) == (PHONE, "dns.google", 70)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([hello(verdict=Verdict.BLOCKED), hello("dns.google", seconds=600)], id="much-later"),
        pytest.param([hello(verdict=Verdict.BLOCKED), hello("dns.google", 30, source="10.20.3.99")], id="another-one"),
        pytest.param([hello(answered=True), hello("dns.google", 30)], id="nothing-was-blocked"),
        pytest.param([hello("dns.google", -3_000), hello(verdict=Verdict.BLOCKED), hello("dns.google", 9)], id="habit"),
        pytest.param([hello("dns.google", 30)], id="alone"),
    ],
)
def test_what_is_no_evasion(store: Store, clock: ManualClock, tmp_path: Path, told: list[Sighting]) -> None:
    desk(store, clock, tmp_path, EVASION).take(batch("b1", *told))
    assert kept(store, EpisodeKind.EVASION) == []


BLOCK = hello(verdict=Verdict.BLOCKED)
DOH = "dns.google"


@pytest.mark.parametrize(
    ("batches_", "confidence"),
    [
        pytest.param([[hello(DOH, -5), BLOCK], [hello(DOH, 20)]], None, id="just-before"),
        pytest.param([[hello(DOH, 0), BLOCK]], None, id="in-the-same-moment"),
        pytest.param([[BLOCK], [hello(DOH, 20)]], 70, id="right-after"),
        pytest.param([[hello(DOH, 20)], [BLOCK]], 70, id="right-after-the-block-comes-in-late"),
        pytest.param([[hello(seconds=-60)], [hello(DOH, -30)], [BLOCK]], None, id="before-the-block-alone"),
        pytest.param([[hello(DOH, 20)], [hello(DOH, -5)], [BLOCK]], None, id="just-before-out-of-order"),
        pytest.param([[BLOCK, hello(DOH, 20)], [hello(DOH, -5)]], 0, id="taken-back-when-the-beginning-comes-in-late"),
        pytest.param([[BLOCK, hello(DOH, 20)], [hello(DOH, -3_000)]], 0, id="taken-back-for-an-old-habit"),
        pytest.param(
            [[replace(BLOCK, at=BLOCK.at - 20 * MINUTE), hello()], [hello(DOH, 1)]],
            None,
            id="long-after-the-last-block",
        ),
        pytest.param([[replace(BLOCK, at=BLOCK.at - 10 * MINUTE)], [BLOCK, hello(DOH, 60)]], 70, id="the-second"),
        pytest.param([[BLOCK], [asked(DOH, 20)]], 55, id="only-asked-of-the-dns"),
        pytest.param([[asked(verdict=Verdict.BLOCKED)], [hello(DOH, 20)]], 55, id="a-question-was-refused"),
    ],
)
def test_only_a_way_that_begins_right_after_a_block_is_evasion(
    store: Store, clock: ManualClock, tmp_path: Path, batches_: list[list[Sighting]], confidence: int | None
) -> None:
    taking = desk(store, clock, tmp_path, EVASION)
    for number, told in enumerate(batches_):
        for _ in range(2):
            taking.take(batch(f"b{number}", *told))
    found = [one.confidence for one in kept(store, EpisodeKind.EVASION)]
    assert found == ([] if confidence is None else [confidence])


def test_what_was_told_stands_for_a_process_that_knows_no_beginnings(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    desk(store, clock, tmp_path, EVASION).take(batch("b1", BLOCK, hello(DOH, 20)))
    desk(store, clock, tmp_path, EVASION).take(batch("b2", hello(DOH, 600), hello(seconds=601)))
    assert [one.confidence for one in kept(store, EpisodeKind.EVASION)] == [70]


FLOW = seen(Channel.FLOW, 3, destination=AT_API, octets=900, uid="C1", answered=True, source_port=4711, port=443)
NAMES = {"its-hello": hello(API, 1, uid="C1"), "the-answer": asked(API, 0, AT_API)}
NAMES["its-ports"] = hello(API, 1, destination=AT_API, source_port=4711, port=443)


@pytest.mark.parametrize("name", NAMES)
def test_a_record_without_a_name_joins_when_the_name_comes(
    store: Store, clock: ManualClock, tmp_path: Path, name: str
) -> None:
    """In one process, and once: however often the batches come."""
    taking = desk(store, clock, tmp_path)
    for _ in range(2):
        taking.take(batch("b1", FLOW))
    assert kept(store) == []
    for number in (2, 3):
        taking.take(batch(f"b{number}", replace(NAMES[name], sensor="zeek")))
    (use,) = kept(store, EpisodeKind.USE)
    assert (use.count, use.octets, use.action) == (3, 900, EpisodeAction.NOT_ENFORCED)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([FLOW, asked(API, -40 * 60, AT_API)], id="too-long-before-it"),
        pytest.param([replace(FLOW, source=None), asked(API, 0, AT_API)], id="of-nobody"),
        pytest.param([asked("www.example.com", 0, AT_API), FLOW, asked(API, 1, AT_API)], id="another-name-earlier"),
        pytest.param([asked(API, 1, AT_API), hello("www.example.com", 2, uid="C1"), FLOW], id="its-own-is-another"),
        pytest.param([asked(API, 1, AT_API), asked("www.example.com", 2, AT_API), FLOW], id="asked-for-both"),
    ],
)
def test_over_batches_too_nothing_is_named_on_a_guess(
    store: Store, clock: ManualClock, tmp_path: Path, told: list[Sighting]
) -> None:
    taking = desk(store, clock, tmp_path)
    for number, one in enumerate(told):
        taking.take(batch(f"b{number}", one))
    assert [(one.kind, one.octets) for one in kept(store)] == [(EpisodeKind.CONTACT, None)]


def test_what_waits_is_not_lost_with_a_batch_that_could_not_be_kept(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    taking = desk(store, clock, tmp_path)
    taking.take(batch("b1", FLOW))
    with refusing(store, "episodes"), pytest.raises(StoreError):
        taking.take(batch("b2", NAMES["the-answer"]))
    taking.take(batch("b2", NAMES["the-answer"]))
    assert [(one.count, one.octets) for one in kept(store, EpisodeKind.USE)] == [(2, 900)]


def test_what_waits_is_bounded_and_the_longest_silent_go_first() -> None:
    waiting = Waiting(most=10, most_each=4)
    waiting.add((replace(FLOW, source=ip_address(f"10.20.3.{n}")), None) for n in range(1, 9))
    waiting.add((replace(FLOW, source=ip_address("10.20.3.1"), octets=n), None) for n in range(9))
    assert (len(waiting), waiting.forgotten) == (10, 7)
    assert [one.octets for one, _ in waiting.nameless([ip_address("10.20.3.1")])] == [5, 6, 7, 8]
    assert list(waiting.nameless([ip_address("10.20.3.2")])) == []


def test_use_is_no_part_of_what_is_installed(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    """An endpoint that is known by its address too."""
    installed = seen(Channel.ENDPOINT, host="laptop-7", software="TikTok", platform="windows")
    taking = desk(store, clock, tmp_path)
    taking.take(batch("b1", installed, hello(seconds=60, answered=True)))
    found = {one.kind: one.count for one in kept(store)}
    assert found == {EpisodeKind.INSTALLED: 1, EpisodeKind.USE: 1, EpisodeKind.FIRST_USE: 1, EpisodeKind.LEAK: 1}


def test_a_machine_is_one_at_whatever_address_it_is(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    told = seen(Channel.ENDPOINT, host="LAPTOP-7", software="TikTok", platform="windows")
    taking = desk(store, clock, tmp_path)
    moved = replace(told, at=told.at + timedelta(seconds=90), source=ip_address("10.20.4.7"), host="laptop-7")
    taking.take(batch("b1", moved))
    taking.take(batch("b2", told))
    (machine,) = kept(store)
    assert (machine.count, str(machine.source)) == (2, "10.20.4.7")


def test_an_exception_used_outside_its_hours_is_told(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    over = marketing(starts=NOON - 60 * MINUTE, ends=NOON - MINUTE)
    store.add_exception(over)
    taking = desk(store, clock, tmp_path)
    taking.take(batch("b1", hello("ads.tiktok.com", source="10.20.5.5"), hello("ads.tiktok.com", source="10.20.6.5")))
    (found,) = kept(store, EpisodeKind.OUTSIDE_HOURS)
    assert (found.exception, str(found.source)) == (over.id, "10.20.5.5")
    before = hello("ads.tiktok.com", seconds=-120, source="10.20.5.6")
    taking.take(batch("b2", before))
    assert len(kept(store, EpisodeKind.OUTSIDE_HOURS)) == 1, "it was open then"


def test_two_stores_of_one_evidence_hold_the_same(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    with again(store, clock) as other:
        desk(store, clock, tmp_path).take(batch("b1", hello(), asked()))
        desk(other, clock, tmp_path).take(batch("b1", hello(), asked()))
        assert plain(kept(other)) == plain(kept(store))
