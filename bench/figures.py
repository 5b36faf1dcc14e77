"""What a measurement leaves: one row per question, ours beside the peer, with the target and whether it was met."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).parent / "results"


def resident_mb(pid: int) -> float:
    """VmRSS of a process, in MB of 1,048,576 bytes."""
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    if match is None:
        raise RuntimeError(f"process {pid} has ended")
    return int(match[1]) / 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. ``parts`` says where our own time goes, in seconds."""

    what: str
    ours: float
    peer: float | None
    unit: str
    target: str
    met: bool
    parts: Mapping[str, float] = field(default_factory=dict)


def save(name: str, rows: list[Row]) -> None:
    """Write ``results/NAME.json`` with the machine, the date, and whether it had real-time priority."""
    RESULTS.mkdir(exist_ok=True)
    nft = subprocess.run(["nft", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    document = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "nft": nft,
        "realtime": os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR),
        "rows": [asdict(row) for row in rows],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


@contextmanager
def stopwatch(into: list[float]) -> Iterator[None]:
    """Append the seconds that the block took."""
    began = time.monotonic()
    yield
    into.append(time.monotonic() - began)


def median_of(rounds: int, *works: Callable[[], float]) -> tuple[float, ...]:
    """The median of each work, taken in turns so that a noisy minute hits all of them."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for times, work in zip(taken, works, strict=True):
            times.append(work())
    return tuple(statistics.median(times) for times in taken)
