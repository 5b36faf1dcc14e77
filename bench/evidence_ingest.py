"""How many sightings a second the whole intake takes: judged, correlated, and in the store when it returns.

A *sample* is one sighting: one record of a log, already parsed (parsing has figures of its own). Two streams, each in
batches of 5,000: of a sensor, of whose records 2 in 100 are of the service, and of a firewall that only logs what it
denies of it, where every record counts; both from 500 clients over an hour. Then a flood of spoofed clients and names,
for memory. Beside it, a peer without correlation: the same records as rows of one table, by ``executemany``.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from controller.address import DatabaseAddress
from controller.evidence.model import Batch, Channel, Sighting, Verdict
from controller.evidence_desk import EvidenceDesk
from controller.inventory import Inventory
from controller.store import EpisodeQuery, Store
from core.clock import Clock, ManualClock
from tests.controller.conftest import NOON
from tests.controller.offices import offices

BATCH: Final = 5_000
CLIENTS: Final = 500
OURS: Final = (
    "api16-core-useast5.tiktokv.us",
    "www.tiktok.com",
    "v16m.tiktokcdn-us.com",
    "log22-normal-useast1a.tiktokv.com",
)


def sensor(count: int, *, share: float, rng: random.Random) -> Iterator[Sighting]:
    """ClientHellos, flows and questions of an office."""
    for number in range(count):
        ours = rng.random() < share
        name = rng.choice(OURS) if ours else f"host{rng.randrange(5_000)}.example.org"
        kind = number % 3
        channel = (Channel.TLS, Channel.FLOW, Channel.DNS)[kind]
        yield Sighting(
            channel=channel,
            at=NOON - timedelta(hours=1) + timedelta(seconds=3_600 * number / count),
            sensor="zeek-1",
            source=ip_address(0x0A140000 + rng.randrange(CLIENTS)),
            source_port=rng.randrange(1_024, 65_536),
            destination=ip_address(rng.choice((0x5FB80000, 0x68100000)) + rng.randrange(60_000)),
            port=443 if channel is not Channel.DNS else 53,
            protocol="tcp",
            name="" if channel is Channel.FLOW else name,
            answered=True,
            octets=1_000,
            uid=f"C{number}",
        )


def firewall(count: int, *, rng: random.Random) -> Iterator[Sighting]:
    """What a firewall denied: addresses of the service, eight of each client's."""
    for number in range(count):
        client = rng.randrange(CLIENTS)
        yield Sighting(
            channel=Channel.FIREWALL,
            at=NOON - timedelta(hours=1) + timedelta(seconds=3_600 * number / count),
            sensor="fw-berlin",
            source=ip_address(0x0A140000 + client),
            source_port=rng.randrange(1_024, 65_536),
            destination=ip_address(0x6788DC00 + (client * 8 + rng.randrange(8)) % 512),
            port=443,
            protocol="tcp",
            verdict=Verdict.BLOCKED,
            rule="tokgate-deny-company",
        )


def flood(count: int, *, rng: random.Random) -> Iterator[Sighting]:
    """Spoofed clients, and names that nobody has seen."""
    for number, one in enumerate(sensor(count, share=1, rng=rng)):
        source = ip_address(0x0A140000 + rng.randrange(0x10000))
        yield replace(one, source=source, name=f"x{number}-normal.tiktokv.com", channel=Channel.TLS)


def batches(stream: Iterator[Sighting], label: str) -> list[Batch]:
    found, batch = list[Batch](), list[Sighting]()
    for one in stream:
        batch.append(one)
        if len(batch) == BATCH:
            found.append(Batch(origin=label, id=f"{label} {len(found)}", sightings=tuple(batch)))
            batch = []
    return [*found, Batch(origin=label, id=f"{label} rest", sightings=tuple(batch))] if batch else found


@contextmanager
def intake(address: DatabaseAddress | None) -> Iterator[tuple[EvidenceDesk, Store]]:
    with tempfile.TemporaryDirectory() as folder:
        clock = ManualClock(NOON)
        known = offices(Path(folder))
        with Store.open(Path(folder), clock=clock, address=address) as store:
            yield desk_of(store, known, clock), store


def desk_of(store: Store, known: Inventory, clock: Clock) -> EvidenceDesk:
    policies = known.policies
    return EvidenceDesk(store, known, clock, policies=lambda s: policies[s.policy], holidays=lambda _: frozenset())


def rate(desk: EvidenceDesk, work: list[Batch]) -> tuple[float, float]:
    began, used = time.perf_counter(), time.process_time()
    for batch in work:
        desk.take(batch)
    count = sum(len(batch.sightings) for batch in work)
    return count / (time.perf_counter() - began), count / (time.process_time() - used)


def measure(address: DatabaseAddress | None, count: int) -> dict[str, Any]:
    rng = random.Random(7)
    found: dict[str, Any] = {}
    streams: dict[str, Callable[[], Iterator[Sighting]]] = {
        "sensor": lambda: sensor(count, share=0.02, rng=rng),
        "firewall": lambda: firewall(count, rng=rng),
    }
    for label, make in streams.items():
        with intake(address) as (desk, store):
            work = batches(make(), f"{label} {time.time_ns()}")
            found[f"{label} a second"], found[f"{label} a second of our processor"] = map(round, rate(desk, work))
            found[f"{label} episodes"] = store.episode_count(EpisodeQuery(), most=100_000)
    return found


def memory(count: int, address: DatabaseAddress | None = None) -> dict[str, Any]:
    """Bytes that the intake holds after one part of a flood, and after all of it."""
    rng = random.Random(7)
    with intake(address) as (desk, store):
        tracemalloc.start()
        held = []
        for part in range(4):
            for batch in batches(flood(count // 4, rng=rng), f"flood {part} {time.time_ns()}"):
                desk.take(batch)
            held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        counted = sum(one.count or 0 for one in store.episodes(EpisodeQuery(limit=500)).items)
        return {"bytes held": held, "episodes": store.episode_count(EpisodeQuery(), most=100_000), "sample": counted}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--count", type=int, default=200_000)
    asked.add_argument("--postgresql", action="store_true", help="also over a PostgreSQL that is started for it")
    asked.add_argument("--memory", type=int, default=0, help="sightings of a flood")
    given = asked.parse_args()
    found: dict[str, Any] = {"sqlite": measure(None, given.count)}
    if given.postgresql:
        from tests.postgres import Server

        server = Server()
        try:
            found["postgresql"] = measure(server.address(server.create()), given.count)
        finally:
            server.remove()
    if given.memory:
        found["memory"] = memory(given.memory)
    json.dump(found, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
