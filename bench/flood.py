"""Memory of the whole way of a log under a flood: receiver, sieve, judge, episodes, store; in a process of its own.

Run: ``python -m bench.flood [SECONDS]``; 3,600 is the hour that is promised, 60 by default. More comes in than can be
read, over UDP from another process: what the firewall of a site denied, from 65,536 clients to as many addresses;
records that are cut off; bytes of no charset from a stranger. Resident memory is read every second. What it grows by is
told from the end of the first sixth, in which caches fill, to the end; from ten minutes on also how much a minute it
still grows by in the second half, as the line of least squares through every second has it.
"""

from __future__ import annotations

import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.evidence_ingest import desk_of
from bench.figures import Row, resident_mb, save
from controller.evidence.receiving import Receiver
from controller.store import EpisodeQuery, Store
from core.clock import SystemClock
from tests.controller.offices import YAML, offices

SECONDS: Final = 60
GROWS_MB: Final = 32
GROWS_MB_A_MINUTE: Final = 0.5
"""Flat: an hour at that slope stays below ``GROWS_MB``."""
LONG: Final = 600
"""Seconds from which on a slope says something."""
STRANGER: Final = "127.0.0.99"
LISTEN: Final = """
evidence:
  listen: [{over: udp, at: "127.0.0.1:0"}]
"""
_CODE: Final = "import sys; from bench.flood import flooded; flooded(int(sys.argv[1]), float(sys.argv[2]))"


def flooded(port: int, seconds: float) -> None:
    """Send more than can be read, without taking the machine from whoever reads."""
    os.nice(5)
    dice, end, to = random.Random(7), time.monotonic() + seconds, ("127.0.0.1", port)
    known, stranger = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    stranger.bind((STRANGER, 0))
    while time.monotonic() < end:
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for number in range(200):
            client, other = dice.randrange(0x10000), dice.randrange(0x10000)
            line = (
                f"<4>1 {stamp} fw-berlin kernel - - - [1.0] tokgate deny: IN=lan OUT=wan"
                f" SRC=10.20.{client >> 8}.{client & 255} DST=103.136.{other >> 8}.{other & 255} LEN=60 TOS=0x00"
                f" PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT={1024 + number} DPT=443 WINDOW=64240 RES=0x00 SYN URGP=0"
            )
            known.sendto(line.encode(), to)
            if number % 50 == 0:
                known.sendto(b"<164>date=1 logid=%d type=traffic url=" % number + b"x" * 8_000, to)
                stranger.sendto(b"\xff" * dice.randrange(1, 1_400), to)
        time.sleep(0.004)


@contextmanager
def receiving() -> Iterator[tuple[Receiver, Store]]:
    with tempfile.TemporaryDirectory() as name:
        folder, clock = Path(name), SystemClock()
        known = offices(folder, YAML + LISTEN)
        with Store.open(folder, clock=clock) as store, Receiver(known, desk_of(store, known, clock), clock) as receiver:
            yield receiver, store


def measured(seconds: int) -> tuple[list[float], dict[str, int]]:
    """Memory each second, and what became of the messages."""
    with receiving() as (receiver, store):
        command = [sys.executable, "-c", _CODE, str(receiver.ports[0]), str(seconds)]
        sizes = list[float]()
        with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as sender:
            while sender.poll() is None:
                time.sleep(1)
                sizes.append(resident_mb(os.getpid()))
        figures = receiver.figures()
        return sizes, {
            "received": sum(figures.received.values()),
            "dropped for want of room": figures.dropped,
            "sightings": figures.sightings,
            "set aside": sum(figures.rejected.values()),
            "episodes": store.episode_count(EpisodeQuery(), most=10_000_000),
        }


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    sizes, counts = measured(seconds)
    settled = sizes[len(sizes) // 6]
    grown = max(sizes[len(sizes) // 6 :]) - settled
    every = max(1, len(sizes) // 12)
    print(json.dumps({**counts, "MB over time": [round(s, 1) for s in sizes[::every]]}))
    received = counts["received"]
    what = f"a flood of {seconds} s, {received:,} messages taken off the wire: memory grew behind the first sixth"
    row = Row(
        what=f"{what} (at {settled:.0f} MB, at most {max(sizes):.0f} MB)",
        ours=grown,
        peer=None,
        unit="MB",
        target=f"≤ {GROWS_MB} MB",
        met=grown <= GROWS_MB,
    )
    save("flood", [row, *([slope_row(sizes)] if seconds >= LONG else [])])


def slope_row(sizes: list[float]) -> Row:
    slope = a_minute(sizes[len(sizes) // 2 :])
    return Row(
        what="the same flood: what memory still grows by in its second half, as a slope",
        ours=slope,
        peer=None,
        unit="MB/min",
        target=f"≤ {GROWS_MB_A_MINUTE} MB/min",
        met=slope <= GROWS_MB_A_MINUTE,
    )


def a_minute(sizes: list[float]) -> float:
    """The slope of the line of least squares through one size a second."""
    return 60 * statistics.linear_regression(range(len(sizes)), sizes).slope


if __name__ == "__main__":
    main()
