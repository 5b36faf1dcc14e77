"""How much a second goes into the store: what counters prove, and what logs say, each exactly once.

Run: ``python -m bench.evidence_ingest [--count N] [--memory N]``. Three kinds of *sample*, and every figure is of all
that belongs to it, by the clock; beside it stands the same by our own processor time:

- *counters*: hits that two readings of a counter prove, 1,000 in a batch and 5,000; with the sums for reports, the
  journal for exports, and the check that none is there already;
- *sensor*: records of a sensor (ClientHellos, flows, questions), parsed already, of which 2 in 100 are of the service;
  5,000 in a batch, judged, correlated and in the store when it returns; from 500 clients over an hour;
- *firewall*: the same of a firewall that logs only what it denies of the service, so that every record counts.

Embedded first, then a PostgreSQL of its own, which syncs; its rows are missing where there is none. Beside its counters
stands what the server itself can do here: the same rows of events and journal, spelled already, into tables like ours
by ``COPY`` and nothing else, a transaction for as many. The records exist before the clock starts, and are taken from
the collector of garbage: nothing holds so many in real life. With ``--memory`` also a flood of spoofed clients and
names.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
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

import psycopg

from bench.figures import Row, save
from controller.address import DatabaseAddress
from controller.evidence.model import Batch, Channel, Sighting, Verdict
from controller.evidence_desk import EvidenceDesk
from controller.inventory import Inventory
from controller.model import DetectionEvent, EventAction, Quality, Window
from controller.store import EpisodeQuery, Store
from core.clock import Clock, ManualClock
from core.ids import DeviceName, EventId, SiteName, new_id
from tests.controller.conftest import NOON
from tests.controller.offices import offices
from tests.postgres import Server, why_none
from vendors.model import Reading, RuleName

BATCH: Final = 5_000
HITS: Final = (1_000, 5_000)
"""Events in a batch; two sizes, for a batch costs something by itself."""
INTO_SQLITE: Final = 20_000
INTO_POSTGRESQL: Final = 50_000
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


def rate(work: Callable[[], None], count: int) -> tuple[float, float]:
    """A second of the clock, and of our own processor."""
    gc.collect()
    gc.freeze()
    began, used = time.perf_counter(), time.process_time()
    work()
    figures = count / (time.perf_counter() - began), count / (time.process_time() - used)
    gc.unfreeze()
    return figures


def hits(number: int, size: int = HITS[0]) -> list[DetectionEvent]:
    """What one poll may prove."""
    end = NOON + timedelta(minutes=5 * number)
    shared = DetectionEvent(
        id=EventId(""),
        site=SiteName("berlin"),
        device=DeviceName(f"fw-{number % 50}"),
        rule=RuleName(""),
        role="company",
        exception=None,
        action=EventAction.BLOCKED,
        window=Window(end - timedelta(minutes=5), end),
        hits=3,
        packets=20,
        octets=1_200,
        quality=Quality.EXACT,
        snapshot=None,
    )
    return [replace(shared, id=EventId(new_id()), rule=RuleName(f"deny-{rule}")) for rule in range(size)]


def counted(store: Store, polls: list[list[DetectionEvent]]) -> None:
    for found in polls:
        reading = Reading(epoch="e", read_at=found[0].window.end, rules=())
        assert store.record_events(found[0].device, reading, found) == len(found)


def bare(server: Server, filled: DatabaseAddress, size: int) -> float:
    """Events a second, and so many rows of the journal, of what lies in that database."""
    empty = server.create()
    with intake(server.address(empty)):
        pass
    with psycopg.connect(server.conninfo(filled.url.rpartition("/")[2])) as there:
        sent = {table: _lines(there, table) for table in ("events", "journal (at, kind, subject, site)")}
    count = max(map(len, sent.values()))
    with psycopg.connect(server.conninfo(empty)) as here:
        began = time.perf_counter()
        for start in range(0, count, size):
            for table, lines in sent.items():
                with here.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copying:
                    copying.write(b"".join(lines[start : start + size]))
            here.commit()
        return count / (time.perf_counter() - began)


def _lines(connection: psycopg.Connection[Any], table: str) -> list[bytes]:
    with connection.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copying:
        return [bytes(line) for line in copying]


def measure(server: Server | None, count: int) -> Iterator[Row]:
    """In a store of its own each."""
    rng = random.Random(7)
    place, target = ("embedded", INTO_SQLITE) if server is None else ("PostgreSQL", INTO_POSTGRESQL)
    for size in HITS:
        address = None if server is None else server.address(server.create())
        with intake(address) as (_, store):
            polls = [hits(number, size) for number in range(count // size)]
            figures = rate(lambda s=store, p=polls: counted(s, p), count)  # type: ignore[misc]
        peer = None if server is None or address is None else bare(server, address, size)
        yield _row(f"{place}: counters, {size:,} events in a batch", figures, target, peer)
    streams: dict[str, Callable[[], Iterator[Sighting]]] = {
        "sensor, 2 in 100 of the service": lambda: sensor(count, share=0.02, rng=rng),
        "firewall, all of the service": lambda: firewall(count, rng=rng),
    }
    for label, make in streams.items():
        with intake(None if server is None else server.address(server.create())) as (desk, _):
            work = batches(make(), f"{label} {time.time_ns()}")
            what = f"{place}: {label}, {BATCH:,} sightings in a batch"
            yield _row(what, rate(lambda d=desk, w=work: taken(d, w), count), target)  # type: ignore[misc]


def taken(desk: EvidenceDesk, work: list[Batch]) -> None:
    for batch in work:
        desk.take(batch)


def _row(what: str, figures: tuple[float, float], target: int, peer: float | None = None) -> Row:
    by_clock, by_processor = figures
    parts = {"a second of our own processor": by_processor}
    met = by_clock >= target
    return Row(what=what, ours=by_clock, peer=peer, unit="/s", target=f"≥ {target:,}", met=met, parts=parts)


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
    asked.add_argument("--memory", type=int, default=0, help="sightings of a flood")
    given = asked.parse_args()
    rows = [*measure(None, given.count)]
    if why_none():
        print(why_none())
    else:
        server = Server(syncs=True)
        try:
            rows += measure(server, given.count)
        finally:
            server.remove()
    for row in rows:
        beside = "" if row.peer is None else f" (COPY alone {row.peer:,.0f})"
        print(f"{row.what}: {row.ours:,.0f} {row.unit}{beside}, {dict(row.parts)}, {row.target}")
    save("evidence_ingest", rows)
    if given.memory:
        print(json.dumps(memory(given.memory), indent=1))


if __name__ == "__main__":
    main()
