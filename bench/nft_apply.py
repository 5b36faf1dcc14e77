"""nftables: apply over SSH with read-back and verification, beside a raw ``nft -f`` of the same file over OpenSSH.

Run: ``python -m bench.nft_apply`` as root. Every apply starts on a gateway without our table; the raw side loads the
very text that the adapter sent. The one-entry change goes to a list of 1,000.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import time
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, ip_network
from typing import Final

from bench.figures import Row, save
from core.clock import SystemClock
from core.ids import DeviceName
from core.net import Network
from core.secret import SecretRef
from lab.gateway import Gateway, gateway
from lab.workspace import Workspace
from vendors.adapter import Endpoint
from vendors.diff import diff
from vendors.model import Action, AddressGroup, Desired, GroupName, Rule, RuleName
from vendors.registry import adapter_for
from vendors.session import connect

SIZES: Final = (100, 1_000, 10_000, 100_000)
ROUNDS: Final = 3
_SSH: Final = ("ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR")
DEVICE: Final = DeviceName("fw-bench")


@dataclass(frozen=True, slots=True)
class Applied:
    seconds: float
    text: str
    parts: dict[str, float]


def networks(count: int) -> frozenset[Network]:
    """Disjoint, not adjacent /24s of public space, the same in every run."""
    picked = random.Random(1).sample(range(0x0B0000 >> 1, 0xDF0000 >> 1), count)
    return frozenset(IPv4Network((block << 9, 24)) for block in picked)


def wanted(members: frozenset[Network]) -> Desired:
    target, office = GroupName("dst-tiktok"), GroupName("src-company")
    return Desired(
        groups=(
            AddressGroup(name=target, members=members),
            AddressGroup(name=office, members=frozenset({ip_network("10.20.0.0/16")})),
        ),
        rules=(Rule(name=RuleName("deny-company"), action=Action.DENY, sources=office, destinations=(target,)),),
        owner="01jtestowner0000000000000b",
        snapshot="0123456789ab",
    )


def endpoint(to: Gateway) -> Endpoint:
    return Endpoint(
        device=DEVICE,
        host=to.host,
        port=to.port,
        username="root",
        password=None,
        key_file=SecretRef.parse(f"secret://file{to.client_key}"),
        key_passphrase=None,
        host_keys=(to.host_key,),
        budget=timedelta(seconds=120),
    )


def ours(to: Gateway, desired: Desired) -> Applied:
    """Log in, read, plan, apply, read back, verify, log out."""
    adapter = adapter_for("linux_nftables", {"state_dir": str(to.files.state_dir)}, DEVICE)
    began = time.monotonic()
    with connect(endpoint(to), clock=SystemClock()) as session:
        login = time.monotonic() - began
        observed = adapter.read(session)
        read = time.monotonic() - began - login
        plan = diff(observed, desired, observed.can)
        receipt = adapter.apply(session, observed, plan)
    seconds = time.monotonic() - began
    parts = {"login": login, "read": read, **{k: v.total_seconds() for k, v in receipt.timings.items()}}
    return Applied(seconds, adapter.render(observed, plan).text, parts)


def ssh(to: Gateway, *command: str, text: str = "") -> float:
    """Seconds of one plain OpenSSH call, the way a script of one's own would do it."""
    known = to.files.folder / "bench_known_hosts"
    known.write_text(f"{to.host} {to.host_key}\n", encoding="ascii")
    began = time.monotonic()
    subprocess.run(
        [*_SSH, "-i", str(to.client_key), "-o", f"UserKnownHostsFile={known}", f"root@{to.host}", *command],
        input=text,
        text=True,
        check=True,
        capture_output=True,
    )
    return time.monotonic() - began


def drop_table(to: Gateway) -> None:
    subprocess.run(
        ["ip", "netns", "exec", to.namespace.name, "nft", "-f", "-"],
        input="table inet tokgate\ndelete table inet tokgate\n",
        text=True,
        check=True,
    )


def apply_rows(to: Gateway) -> list[Row]:
    rows = []
    for size in SIZES:
        desired = wanted(networks(size))
        mine: list[Applied] = []
        raw: list[float] = []
        for _ in range(ROUNDS):
            drop_table(to)
            mine.append(ours(to, desired))
            drop_table(to)
            raw.append(ssh(to, "nft", "-f", "-", text=mine[-1].text))
        middle = sorted(mine, key=lambda a: a.seconds)[ROUNDS // 2]
        peer = statistics.median(raw)
        bound = size >= 10_000
        rows.append(
            Row(
                what=f"apply {size:,} entries, verified, against raw nft -f over ssh",
                ours=middle.seconds,
                peer=peer,
                unit="s",
                target="≤ 2 × raw" if bound else "no bound",
                met=not bound or middle.seconds <= 2 * peer,
                parts=middle.parts,
            )
        )
    return rows


def change_row(to: Gateway) -> Row:
    """One more entry on a list of 1,000."""
    drop_table(to)
    members = networks(1_002)
    first, second, *rest = sorted(members)
    held = frozenset(rest)
    ours(to, wanted(held))
    mine: list[Applied] = []
    raw: list[float] = []
    for _ in range(2 * ROUNDS + 1):
        mine.append(ours(to, wanted(held | {first})))
        raw.append(ssh(to, f"nft add element inet tokgate dst-tiktok-4 '{{ {second} }}'"))
        ssh(to, f"nft delete element inet tokgate dst-tiktok-4 '{{ {second} }}'")
        ours(to, wanted(held))
    middle = sorted(mine, key=lambda a: a.seconds)[ROUNDS]
    peer = statistics.median(raw)
    return Row(
        what="add 1 entry to a list of 1,000, verified, against raw nft add element over ssh",
        ours=middle.seconds,
        peer=peer,
        unit="s",
        target="≤ 2 × raw",
        met=middle.seconds <= 2 * peer,
        parts=middle.parts,
    )


def main() -> None:
    with Workspace.open("bnapply") as workspace:
        to = gateway(workspace, "fw")
        rows = [*apply_rows(to), change_row(to)]
    save("nft_apply", rows)


if __name__ == "__main__":
    main()
