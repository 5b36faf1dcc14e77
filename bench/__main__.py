"""All measurements, one after the other, then ``docs/benchmarks.md``; ``--table`` writes only the page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.figures import RESULTS

BENCHES: Final = (
    "nft_apply",
    "fleet_poll",
    "serve_memory",
    "packet_probe",
    "aggregate",
    "stream_push",
    "exceptions_scale",
    "report_year",
    "fleet_coverage",
    "syslog_parse",
    "evidence_ingest",
    "flood",
)
PAGE: Final = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD: Final = """\
# Benchmarks

Written by `make bench` from `bench/results/*.json`; do not edit. Each row is measured beside its peer in the same run,
in turns, as the median of several rounds. The machine (2 cores, gateways, servers and clients all on it) is shared:
read ratios, not seconds. One part alone: `python -m bench.nft_apply`, `bench.fleet_poll`, `bench.serve_memory`,
`bench.packet_probe [SECONDS]`, `bench.aggregate`, `bench.stream_push [LINES]`, `bench.exceptions_scale`,
`bench.syslog_parse [LINES]`, then `python -m bench --table`.

Where an apply's own time goes: *login* is the SSH handshake and key exchange; *read* and *read back* are one `nft list
ruleset` each, with the gateway's kernel dump, the transfer and our parser; *load* is rendering, `nft -c` (up to 5,000
entries) and `nft -f`; *settle* keeps the ruleset for the next boot and lists the open flows. What the parts do not add
up to is the plan: the diff and the digest of the list.

*aggregate* counts processor time, and one round for netaddr and aggregate6, which take the better part of a minute. Its
first row is the arithmetic alone; network objects and text cost the rest. What is shortened is shortened once for all
devices with the same list and as little room.

*stream_push* sends to an emulated ASA behind a proxy that delays each direction by 10 ms. The emulator acts on every
line, and its time is in every figure. Ansible takes part when `TOKGATE_BENCH_ANSIBLE` names its `ansible-playbook`
(Ansible 11 with `cisco.asa`).

*decisions* asks a real `tokgate serve` over HTTP. A withdrawal counts from the request until the last device was
changed and read back; then every kernel is asked too. An approval counts until a client behind the gateway gets
through. What else the machine was busy with stands in its load.

*report_year* makes what a store of 105 million samples (1,000 sites, a year, a counter each) would hold: one site
whole, with its 105,120 events and 36,500 episodes, and of the others what they add up to (half hours, days, months,
stretches of looks); their events are left out, for these pages do not read them. Filling and measuring both stores
takes minutes. Alone it is `python -m bench.report_year [SITES]`.

*fleet_coverage* asks for the coverage of 1,000 sites over 30 days. *Anew* is the first answer of a process, with the
days that housekeeping keeps; *before any day is kept* is what it is right after an upgrade, until the first
housekeeping is done.

*evidence_ingest* counts three kinds of sample, each with all that belongs to it and exactly once: hits that counters
prove (with sums and journal), sightings of a sensor of which few are of the service, and sightings of a firewall that
all are. By the clock; the same by our own processor time stands beside it, and says more on a machine that is shared.
Into PostgreSQL new events and journal go by COPY, into SQLite as many rows to a statement. Beside the counters of
PostgreSQL stands what that server can do here by itself: the same rows, spelled already, into the same tables with the
same indexes by COPY and nothing else, a transaction for as many; server and client share the two cores.

*flood* holds receiver, judge, episodes and store under more than can be read, and tells by how much memory grows when
the caches are full, and how steeply it still grows in the second half; `python -m bench.flood 3600` is the hour. What
Python holds is flat once 16,384 clients came by; the C library keeps of each thread's memory what its largest batch
needed, which takes some minutes to be found.

*syslog_parse* counts processor time of one core. Ours reads header, time and fields, knows the sender, refuses what is
cut off or cannot be, and judges it by the shipped list and every trait, as the intake does; one line in ten is of the
service. The regular expression takes six fields out and believes them. rsyslog is C, and its time is that of the whole
process, from file to file.

"""


def page() -> str:
    """The table of every result there is, with where our own time goes."""
    parts = [HEAD]
    for path in sorted(RESULTS.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        parts.append(f"## {path.stem}\n\n")
        priority = ", with real-time priority over other work" if document.get("realtime") else ""
        parts.append(f"{document['measured_at']}, kernel {document['kernel']}, {document['nft']}{priority}\n\n")
        parts.append("| what | tokgate | peer | unit | target | met | where our time goes |\n")
        parts.append("| --- | ---: | ---: | --- | --- | --- | --- |\n")
        parts += [_line(row) for row in document["rows"]]
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _line(row: dict[str, object]) -> str:
    inner = row["parts"]
    where = ", ".join(f"{name} {seconds:.2f}" for name, seconds in inner.items()) if isinstance(inner, dict) else ""
    ours, peer = (f"{value:,.2f}" if isinstance(value, float | int) else "–" for value in (row["ours"], row["peer"]))
    met = "yes" if row["met"] else "**no**"
    return f"| {row['what']} | {ours} | {peer} | {row['unit']} | {row['target']} | {met} | {where} |\n"


def main() -> None:
    if "--table" not in sys.argv:
        for name in BENCHES:
            print(f"bench: {name}", flush=True)
            subprocess.run([sys.executable, "-m", f"bench.{name}"], check=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
