"""Lines of firewalls' logs a second and core: read, known by sender and clock, and judged, beside plain regex.

Run: ``python -m bench.syslog_parse [LINES]``. Our side is what ``tokgate serve`` does with each message between socket
and store: ``Sieve.sift``, and then ``signs_of`` with the shipped list and every trait, which says whose client it is,
of which app, and what became of it; one line in ten is of the service. The peer is one regular expression a family over
the raw bytes, which takes out the same six fields and believes whatever stands there: no header, no time, no escapes,
no check for cut lines, no sender, no list. Two families are also given to the ``mmnormalize`` of rsyslog, from file to
file, where it is installed: C, and its time is that of the whole process.

Seconds of processor time: every side uses one core, and what else the machine does would be in the seconds of a clock.
"""

from __future__ import annotations

import gc
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from bench.figures import Row, median_of, save
from controller.evidence.correlating import signs_of
from controller.evidence.judging import Judge
from controller.evidence.senders import Senders
from controller.evidence.sifting import Arrival, Sieve
from controller.evidence_desk import matcher_of
from controller.inventory.file import parse_inventory

LINES: Final = 40_000
ROUNDS: Final = 3
TARGET: Final = 30_000
NOW: Final = datetime(2026, 11, 27, 7, 30, tzinfo=UTC)
PEER: Final = "192.0.2.1"
INVENTORY: Final = """
version: 1
intelligence: {sources: [{kind: curated}]}
policies: {all: {services: [tiktok], roles: {company: {mode: enforce}}}}
sites:
  berlin:
    time_zone: Europe/Berlin
    policy: all
    networks: {company: [10.0.0.0/8]}
    devices:
      fw: {vendor: linux_nftables, host: 192.0.2.1, password: "secret://env/NONE"}
"""
RSYSLOGD: Final = shutil.which("rsyslogd", path="/usr/sbin:/sbin:/usr/bin")
LOGS: Final = Path(__file__).parents[1] / "tests" / "controller" / "logs"
PICKED: Final = {
    "cisco": (2, 5, 8),
    "paloalto": (2, 3),
    "fortios": (2, 4),
    "junos": (3, 4),
    "checkpoint": (1, 3),
    "netfilter": (0, 1),
    "filterlog": (0, 1),
}
"""Lines of the goldens that are varied: the ones that a busy firewall writes."""
REGEX: Final = {
    "cisco": rb"(?:src|for) \w+:([\d.]+)/(\d+).*?(?:dst|to) \w+:([\d.]+)/(\d+)",
    "paloalto": rb"(?:TRAFFIC|THREAT),(\w+),[^,]*,[^,]*,([^,]+),([^,]+),(?:[^,]*,){15}(\d+),(\d+),(?:[^,]*,){4}([^,]+)",
    "fortios": rb'srcip=(\S+).*?srcport=(\d+).*?dstip=(\S+) dstport=(\d+).*?proto=(\d+).*?action="?(\w+)',
    "junos": rb'(?:source-address="([^"]+)" source-port="(\d+)" destination-address="([^"]+)"'
    rb' destination-port="(\d+)".*?policy-name="([^"]+)")|(?: ([\d.]+)/(\d+)->([\d.]+)/(\d+))',
    "checkpoint": rb'action:"(\w+)".*?dst:"([^"]+)".*?s_port:"(\d+)"; service:"(\d+)"; src:"([^"]+)"',
    "netfilter": rb"IN=(\S*) OUT=(\S*) .*?SRC=(\S+) DST=(\S+) .*?PROTO=(\w+) SPT=(\d+) DPT=(\d+)",
    "filterlog": rb"(\w+),(\w+),4,(?:[^,]*,){7}(\w+),\d+,([\d.]+),([\d.]+),(\d+),(\d+)",
}


def lines(family: str, count: int) -> list[bytes]:
    """Equal on every run: the clients, ports and some of the destinations differ from line to line."""
    dice = random.Random(2026)
    wanted = (LOGS / f"{family}.log").read_bytes().splitlines()
    picked = [wanted[number] for number in PICKED[family]]
    return [_varied(picked[number % len(picked)], dice) for number in range(count)]


def _varied(line: bytes, dice: random.Random) -> bytes:
    client = b"10.%d.%d.%d" % (dice.randrange(20), dice.randrange(100), 1 + dice.randrange(250))
    line = line.replace(b"10.20.0.15", client)
    if dice.random() < 0.9:  # nine of ten go elsewhere
        line = line.replace(b"103.136.220.10", b"93.184.%d.%d" % (dice.randrange(256), dice.randrange(256)))
        line = line.replace(b"tiktok", b"exampl")
    return re.sub(rb"(?<=[/,=(])5\d{4}(?=[,\s(])", b"%d" % dice.randrange(32_768, 61_000), line, count=1)


class Reader:
    """Our side: what stands between the socket and the intake."""

    def __init__(self) -> None:
        inventory = parse_inventory(INVENTORY)
        self._senders = Senders(inventory)
        self._judge = Judge(inventory, matcher_of(inventory, None))
        self.found = 0

    def read(self, raw: list[bytes]) -> None:
        # a new one each time: what one round took, the next would know again
        sieve = Sieve(senders=self._senders, ahead=timedelta(days=40), too_old=timedelta(days=4_000))
        for start in range(0, len(raw), 2_000):
            arrivals = [Arrival(line, PEER, "udp", NOW) for line in raw[start : start + 2_000]]
            sifted = sieve.sift(arrivals)
            assert not sifted.rejected, sifted.rejected[0]
            self.found += len(signs_of(self._judge, sifted.sightings).signs)


def plain(pattern: re.Pattern[bytes], raw: list[bytes]) -> None:
    found = sum(pattern.search(line) is not None for line in raw)
    assert found == len(raw), (pattern.pattern, found, len(raw))


def spent(work: Callable[[], None]) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def measured(count: int) -> Iterator[Row]:
    total = [0.0, 0.0]
    for family in REGEX:
        raw = lines(family, count)
        ours, peer = _both(family, raw)
        total[0], total[1] = total[0] + ours, total[1] + peer
        yield _row(f"{family}, {sum(map(len, raw)) // count} bytes a line", count / ours, count / peer)
    many = count * len(REGEX)
    yield _row("all families, as many lines of each", many / total[0], many / total[1])


def _both(family: str, raw: list[bytes]) -> tuple[float, ...]:
    reader, pattern = Reader(), re.compile(REGEX[family])
    taken = median_of(ROUNDS, lambda: spent(lambda: reader.read(raw)), lambda: spent(lambda: plain(pattern, raw)))
    assert reader.found > 0, family
    return taken


RULES: Final = {
    "netfilter": """version=2
rule=:<%pri:number%>%stamp:char-to:k%kernel: [%up:float%] %prefix:word% %fields:v2-iptables%
rule=:<%pri:number%>%stamp:char-to:k%kernel: %fields:v2-iptables%
""",
    "fortios": """version=2
rule=:<%pri:number%>%fields:name-value-list%
""",
}
PARSED: Final = {"netfilter": "DPT", "fortios": "dstport"}
CONFIGURATION: Final = """
global(workDirectory="{0}")
module(load="imfile" mode="polling" pollingInterval="1")
module(load="mmnormalize")
template(name="o" type="string" string="%$!%\\n")
input(type="imfile" File="{0}/in" Tag="x" ruleset="r" maxLinesAtOnce="100000")
ruleset(name="r") {{
 action(type="mmnormalize" rulebase="{0}/rules")
 action(type="omfile" file="{0}/out" template="o" flushOnTXEnd="on")
}}
"""


def beside_rsyslog(count: int) -> Iterator[Row]:
    if RSYSLOGD is None:
        print("rsyslogd is not installed: its mmnormalize is not measured")
        return
    for family in RULES:
        raw = [line for line in lines(family, 2 * count) if family != "fortios" or b'type="traffic"' in line][:count]
        reader = Reader()
        ours, peer = median_of(ROUNDS, partial(spent, partial(reader.read, raw)), partial(normalised, family, raw))
        row = _row(f"{family}, {sum(map(len, raw)) // len(raw)} bytes a line", len(raw) / ours, len(raw) / peer)
        yield replace(row, what=row.what.replace("plain regex", "rsyslog's mmnormalize"))


def normalised(family: str, raw: list[bytes]) -> float:
    """Processor seconds of a whole rsyslogd that takes these lines from one file and leaves them apart in another."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").write_bytes(b"\n".join(raw) + b"\n")
        (folder / "rules").write_text(RULES[family])
        (folder / "conf").write_text(CONFIGURATION.format(name))
        (folder / "out").touch()
        process = subprocess.Popen([str(RSYSLOGD), "-n", "-f", f"{name}/conf", "-i", f"{name}/pid"])
        deadline = time.monotonic() + 120
        while (done := (folder / "out").read_bytes()).count(b"\n") < len(raw):
            assert process.poll() is None, "rsyslogd ended"
            assert time.monotonic() < deadline, f"{family}: not normalised in time"
            time.sleep(0.1)
        process.terminate()
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
        assert done.count(f'"{PARSED[family]}": "'.encode()) == len(raw), "each line was taken apart"
        return used.ru_utime + used.ru_stime


def _row(what: str, ours: float, peer: float) -> Row:
    return Row(
        what=f"{what}: beside plain regex",
        ours=ours,
        peer=peer,
        unit="lines/s/core",
        target=f"≥ {TARGET:,}",
        met=ours >= TARGET,
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    rows = []
    for row in (*measured(count), *beside_rsyslog(count)):
        rows.append(row)
        print(f"{row.what}: {row.ours:,.0f} {row.unit}, peer {row.peer or 0:,.0f}", flush=True)
    save("syslog_parse", rows)


if __name__ == "__main__":
    main()
