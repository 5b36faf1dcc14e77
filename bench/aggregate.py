"""Merging a million prefixes, beside netaddr, aggregate6 and iprange; and a long list shortened to a budget.

Run: ``python -m bench.aggregate`` (needs the ``bench`` dependency group). Three quarters are IPv4, in no order; more
than half fall away. Each peer is given what it takes (its own objects, or text) and ours are then given the same kind;
every answer is compared with ours, block by block. ``iprange`` is a C program that knows IPv4 only and comes with
Debian, not with Python: without it its row says so.

Seconds of processor time, of programs that were started too: every side uses one core, and what else the machine does
meanwhile would be in the seconds of a clock.
"""

from __future__ import annotations

import gc
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Final

import aggregate6
import netaddr

from bench.figures import Row, median_of, save
from core.net import Network, aggregate, cidr_of, merge, pack, parse_key, parse_network, unpack
from ipsets.aggregate import summarise, valued
from ipsets.model import Confidence, Dedication, Indicator, Provenance

COUNT: Final = 1_000_000
TARGET_SECONDS: Final = 1.5
ROUNDS: Final = 5
LISTED: Final = 100_000
LENGTHS_V4: Final = (16, 20, 22, 24, 24, 24, 28, 32, 32)
LENGTHS_V6: Final = (32, 40, 48, 48, 48, 56, 64, 128)


def prefixes(count: int) -> list[Network]:
    """Equal on every run. IPv4 anywhere; IPv6 in 2000::/4, close enough to nest."""
    dice = random.Random(2026)
    return [_v6(dice) if at % 4 == 0 else _v4(dice) for at in range(count)]


def _v4(dice: random.Random) -> Network:
    length = dice.choice(LENGTHS_V4)
    return IPv4Network((dice.getrandbits(length) << (32 - length), length))


def _v6(dice: random.Random) -> Network:
    length = dice.choice(LENGTHS_V6)
    at = 2 << 124 | dice.getrandbits(12) << 96 | dice.getrandbits(96)
    return IPv6Network((at >> (128 - length) << (128 - length), length))


class Answer:
    """One way to merge: the processor time it took, and what it said the last time."""

    def __init__(self, work: Callable[[], Iterable[Any]]) -> None:
        self._work = work
        self.found: list[Any] = []

    def __call__(self) -> float:
        self.found = []
        gc.collect()
        began = sum(os.times()[:4])
        self.found = list(self._work())
        return sum(os.times()[:4]) - began


def beside(what: str, ours: Answer, peer: Answer, *, rounds: int, same: Callable[[Any], str] = str) -> Row:
    """Both in turns; refused unless they say the same."""
    mine, theirs = median_of(rounds, ours, peer)
    if sorted(map(str, ours.found)) != sorted(map(same, peer.found)):
        raise RuntimeError(f"{what}: the answers differ")
    return Row(what=what, ours=mine, peer=theirs, unit="s CPU", target="≤ peer", met=mine <= theirs)


def integers(networks: list[Network]) -> Row:
    """The arithmetic alone: packed integers to packed integers."""
    keys = {v: [pack(n) for n in networks if n.version == v] for v in (4, 6)}
    (seconds,) = median_of(ROUNDS, Answer(lambda: (key for v in keys for key in merge(keys[v], v))))
    return Row(
        what=f"{len(networks):,} prefixes (IPv4 and IPv6) merged, as packed integers",
        ours=seconds,
        peer=None,
        unit="s CPU",
        target=f"≤ {TARGET_SECONDS} s CPU",
        met=seconds <= TARGET_SECONDS,
    )


def objects(networks: list[Network]) -> Row:
    """Network objects to network objects, as the product calls it."""
    theirs = [netaddr.IPNetwork((int(n.network_address), n.prefixlen), version=n.version) for n in networks]
    return beside(
        f"{len(networks):,} networks merged, objects to objects, against netaddr.cidr_merge",
        Answer(lambda: aggregate(networks)),
        Answer(lambda: netaddr.cidr_merge(theirs)),
        rounds=1,
        same=lambda block: str(parse_network(str(block))),
    )


def texts(lines: list[str]) -> Row:
    """Text to text."""
    return beside(
        f"{len(lines):,} prefixes merged, text to text, against aggregate6",
        Answer(lambda: merged_texts(lines)),
        Answer(lambda: aggregate6.aggregate(lines)),
        rounds=1,
    )


def merged_texts(lines: Iterable[str]) -> list[str]:
    keys: dict[int, list[int]] = {4: [], 6: []}
    for line in lines:
        key, version = parse_key(line)
        keys[version].append(key)
    return [cidr_of(unpack(key, version)) for version in keys for key in merge(keys[version], version)]


def program(lines: list[str]) -> Row:
    """IPv4 text to text against a program in C, its start and its reading of a file included."""
    what = f"{len(lines):,} IPv4 prefixes merged, text to text, against iprange (C, IPv4 only)"
    ours, path = Answer(lambda: merged_texts(lines)), shutil.which("iprange")
    if path is None:
        (seconds,) = median_of(ROUNDS, ours)
        left_out = f"{what}: not compared, no iprange on this machine"
        return Row(what=left_out, ours=seconds, peer=None, unit="s CPU", target="no bound", met=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prefixes.txt"
        file.write_text("\n".join(lines) + "\n", encoding="ascii")
        command = [path, "--optimize", str(file)]
        peer = Answer(lambda: subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
        row = beside(what, ours, peer, rounds=ROUNDS, same=lambda text: cidr_of(parse_network(text)))
    return Row(what=what, ours=row.ours, peer=row.peer, unit="s CPU", target="no bound", met=True)


def budget() -> Row:
    """A long list made to fit a small device: what speaks for each network, and the most valuable of them."""
    seen = datetime(2026, 11, 25, tzinfo=UTC)
    networks = [IPv4Network((at << 9, 24)) for at in range(LISTED)]
    words = [_named(network, seen) for network in networks]
    work = Answer(lambda: summarise(valued(networks, words), budget=LISTED // 10).kept)
    (seconds,) = median_of(ROUNDS, work)
    what = f"{LISTED:,} networks valued and shortened to {LISTED // 10:,}, with a reason for each one left out"
    return Row(what=what, ours=seconds, peer=None, unit="s CPU", target="no bound", met=len(work.found) == LISTED // 10)


def _named(network: Network, seen: datetime) -> Indicator:
    source = Provenance(source=f"list:{int(network.network_address) % 3}", first_seen=seen, last_seen=seen)
    return Indicator(
        value=network,
        app="tiktok",
        category="listed",
        confidence=Confidence.MEDIUM,
        dedication=Dedication.DEDICATED,
        sources=(source,),
    )


def main() -> None:
    rows = [budget()]
    networks = prefixes(COUNT)
    rows = [integers(networks), objects(networks), *rows]
    lines = [cidr_of(network) for network in networks]
    del networks
    rows += [texts(lines), program([line for line in lines if ":" not in line])]
    save("aggregate", rows)


if __name__ == "__main__":
    main()
