"""A flood of clients, names and senders that were never seen before: whatever remembers something has an end.

Everything that a desk and a receiver's sieve hold is walked through, so a table that is added later is measured too.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping, Sized
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest

from controller import evidence_desk
from controller.evidence import correlating, judging, senders
from controller.evidence.model import Batch, Channel, EpisodeKind, Sighting
from controller.evidence.naming import Waiting
from controller.evidence.senders import Senders
from controller.evidence.sifting import Arrival, Sieve
from controller.evidence.ways import Ways
from controller.evidence_desk import EvidenceDesk
from controller.store import EpisodeQuery, Store
from core.clock import ManualClock
from core.ids import SiteName
from tests.controller.conftest import NOON
from tests.controller.seeing import API, EVASION, asked, denied, hello, inventory, seen

ROOM: Final = 300
"""What each table is given here."""
FLOOD: Final = 3_000
EACH: Final = 100
CACHE_MOST: Final = 16_384


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (judging, "_REMEMBERED"),
        (senders, "_REMEMBERED"),
        (evidence_desk, "REMEMBERED"),
        (correlating, "OPEN_MOST"),
    ):
        monkeypatch.setattr(module, name, ROOM)
    judging._TEXTS.clear()


def client(number: int) -> str:
    return f"10.20.{number >> 8}.{number & 255}"


def moment(number: int) -> Iterator[Sighting]:
    """A client that comes once, with all ways to be seen; some of it without a name until the answer comes."""
    own, other = client(number), f"198.18.{number >> 8}.{number & 255}"
    yield hello(f"x{number}-normal.tiktokv.com", source=own, destination="103.136.220.10")
    yield seen(Channel.FLOW, source=own, destination=other, source_port=4_000, port=443, octets=9)
    yield seen(Channel.TLS, source=own, destination=other, name=f"host{number}.example.org", uid=f"C{number}")
    yield denied("103.136.220.11", source=own)
    yield seen(Channel.FLOW, source=own, destination="9.9.9.9", port=853, protocol="tcp", answered=True)
    if number % 3 == 0:  # one that waits, and is found
        yield seen(Channel.FLOW, source=own, destination=f"23.{number >> 8}.{number & 255}.7", octets=7, answered=True)
        yield asked(API, 1, f"23.{number >> 8}.{number & 255}.7", source=own)


def desk(store: Store, clock: ManualClock, folder: Path) -> EvidenceDesk:
    known = inventory(folder, EVASION)
    made = EvidenceDesk(
        store, known, clock, policies=lambda site: known.policies[site.policy], holidays=lambda _: frozenset()
    )
    made._waiting, made._ways = Waiting(ROOM, 20), Ways(ROOM)
    return made


def tables(held: object, path: str, seen_before: set[int]) -> Iterator[tuple[str, int]]:
    """Everything with a length that belongs to it, by where it is; what the inventory and the store hold is theirs."""
    if id(held) in seen_before:
        return
    seen_before.add(id(held))
    if isinstance(held, Sized) and not isinstance(held, (str, bytes)):
        yield path, len(held)
    values = held.values() if isinstance(held, Mapping) else held if isinstance(held, (list, tuple)) else ()
    for value in islice(values, 50):
        yield from tables(value, f"{path}[]", seen_before)
    for name, value in _parts(held).items():
        yield from tables(value, f"{path}.{name}", seen_before)


def _parts(held: object) -> dict[str, Any]:
    """Attributes, of what evidence is made with."""
    if not type(held).__module__.startswith(("controller.evidence", "ipsets.traits", "core.narrowest")):
        return {}
    names = [name for kind in type(held).__mro__ for name in getattr(kind, "__slots__", ())]
    return {**getattr(held, "__dict__", {}), **{name: getattr(held, name) for name in names if hasattr(held, name)}}


def flooded(store: Store, clock: ManualClock, folder: Path) -> tuple[EvidenceDesk, Sieve]:
    taking = desk(store, clock, folder)
    back = NOON - hello().at
    for start in range(0, FLOOD, EACH):
        told = [replace(one, at=one.at + back) for n in range(start, start + EACH) for one in moment(n)]
        taking.take(Batch(origin="file x", id=f"b{start}", sightings=tuple(told), site=SiteName("berlin")))
    sieve = Sieve(senders=Senders(inventory(folder)), ahead=timedelta(days=1), too_old=timedelta(days=1))
    for number in range(FLOOD):
        sieve.sift([Arrival(b"<4>hello", client(number), "udp", NOON)])
    return taking, sieve


@pytest.mark.usefixtures("little_room")
def test_a_flood_of_what_was_never_seen_fills_no_table(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    taking, sieve = flooded(store, clock, tmp_path)
    found = dict(tables([taking, sieve], "", set()))
    of_inventory = dict(tables([desk(store, clock, tmp_path)], "", set()))  # as large before
    assert {path: size for path, size in found.items() if size > max(ROOM + 1, of_inventory.get(path, 0))} == {}
    assert any(path.endswith("._placed") and size > 50 for path, size in found.items()), "the walk looks into a judge"
    assert len(judging._TEXTS) <= ROOM
    assert taking.counts["batches"] == FLOOD / EACH
    joinable = EpisodeQuery(kinds=frozenset({EpisodeKind.USE, EpisodeKind.CONTACT}), limit=ROOM + EACH)
    kept = store.episodes(joinable).items
    assert len(kept) == ROOM + 1, "over all batches: so many, and one of those who are too many"
    (rest,) = [one for one in kept if one.source is None]
    assert sum(one.count or 0 for one in kept) >= 2 * FLOOD
    assert "rule:overflow" in [ground.trait for ground in rest.grounds]


def test_whoever_found_its_name_leaves_no_place_behind() -> None:
    waiting = Waiting(most=10, most_each=4)
    flows = [seen(Channel.FLOW, source=client(number), destination="23.1.1.1") for number in range(100)]
    for flow in flows:
        waiting.add([(flow, None)])
        waiting.drop([(flow, None)])
    assert (len(waiting), len(waiting.sources), waiting.forgotten) == (0, 0, 0)


def test_caches_of_evidence_are_small() -> None:
    """What they hold comes from strangers. A larger one takes an hour of a flood to fill, and saves microseconds."""
    modules = [module for name, module in sys.modules.items() if name.startswith("controller.evidence")]
    classes = [held for module in modules for held in vars(module).values() if isinstance(held, type)]
    sizes = {
        f"{cached.__module__}.{cached.__name__}": cached.cache_parameters()["maxsize"]
        for place in (*modules, *classes)
        for cached in vars(place).values()
        if isinstance(cached, functools._lru_cache_wrapper) and str(cached.__module__).startswith("controller.evidence")
    }
    assert "controller.evidence.judging._spelled_v6" in sizes
    assert {name: size for name, size in sizes.items() if size is None or size > CACHE_MOST} == {}
