"""Full counter poll of 50 real gateways, beside Nornir + netmiko reading the same things with as many workers.

Run: ``python -m bench.fleet_poll`` as root (needs the ``bench`` dependency group). Both sides log in to every gateway
anew, run the same reads and log out; ours also parses them into readings.
"""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from nornir.core import Nornir
from nornir.core.inventory import ConnectionOptions, Defaults, Groups, Host, Hosts, Inventory
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir.core.task import Result, Task
from nornir.plugins.runners import ThreadedRunner
from nornir_netmiko.connections import CONNECTION_NAME, Netmiko
from nornir_netmiko.tasks import netmiko_send_command

from bench.figures import Row, median_of, save
from bench.nft_apply import DEVICE, endpoint, networks, ours, wanted
from core.clock import SystemClock
from lab.gateway import Gateway
from lab.topology import fleet
from lab.workspace import Workspace
from vendors.registry import adapter_for
from vendors.session import connect

GATEWAYS: Final = 50
WORKERS: Final = 16
ENTRIES: Final = 300
ROUNDS: Final = 3
READS: Final = (
    "nft -j list counters table inet tokgate",
    "nft -j list set inet tokgate seen-deny-4",
    "nft -j list set inet tokgate seen-deny-6",
    "nft -j list set inet tokgate dst-tiktok-4",
)


def poll_ours(gateways: tuple[Gateway, ...]) -> float:
    """Seconds for every gateway's counters as readings."""

    def one(to: Gateway) -> int:
        adapter = adapter_for("linux_nftables", {"state_dir": str(to.files.state_dir)}, DEVICE)
        with connect(endpoint(to), clock=SystemClock()) as session:
            return len(adapter.counters(session).rules)

    began = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        counted = list(pool.map(one, gateways))
    seconds = time.monotonic() - began
    if counted != [1] * len(gateways):
        raise RuntimeError(f"a poll is incomplete: {counted}")
    return seconds


def poll_nornir(gateways: tuple[Gateway, ...]) -> float:
    """The same reads by the usual tools."""
    ConnectionPluginRegister.register(CONNECTION_NAME, Netmiko)
    hosts = Hosts({g.name: _host(g) for g in gateways})
    inventory = Inventory(hosts=hosts, groups=Groups(), defaults=Defaults())
    nornir = Nornir(inventory=inventory, runner=ThreadedRunner(num_workers=WORKERS))

    def reads(task: Task) -> Result:
        for command in READS:
            text = task.run(netmiko_send_command, command_string=command, read_timeout=60).result
            json.loads(text)
        task.host.close_connections()
        return Result(host=task.host)

    began = time.monotonic()
    outcome = nornir.run(task=reads)
    seconds = time.monotonic() - began
    if outcome.failed:
        raise RuntimeError({name: result.exception for name, result in outcome.failed_hosts.items()})
    return seconds


def _host(to: Gateway) -> Host:
    options = ConnectionOptions(extras={"use_keys": True, "key_file": str(to.client_key), "allow_agent": False})
    return Host(
        name=to.name,
        hostname=to.host,
        port=to.port,
        username="root",
        platform="linux",
        connection_options={CONNECTION_NAME: options},
    )


def main() -> None:
    os.environ.setdefault("NORNIR_LOGGING_ENABLED", "False")
    with Workspace.open("bnpoll") as workspace:
        gateways = fleet(workspace, GATEWAYS)
        for to in gateways:
            ours(to, wanted(networks(ENTRIES)))
        mine, theirs = median_of(ROUNDS, lambda: poll_ours(gateways), lambda: poll_nornir(gateways))
    row = Row(
        what=f"full counter poll of {GATEWAYS} gateways, {WORKERS} workers, against Nornir + netmiko",
        ours=GATEWAYS / mine,
        peer=GATEWAYS / theirs,
        unit="devices/s",
        target="≥ Nornir",
        met=mine <= theirs,
        parts={"seconds": mine, "seconds Nornir": theirs},
    )
    save("fleet_poll", [row])


if __name__ == "__main__":
    main()
