"""Packets judge a change: a member of both lists is hit without pause while lists are swapped and writers are killed.

Run: ``python -m bench.packet_probe [SECONDS]`` as root. A client sends datagrams through a gateway to an address that
is denied before and after every change. Behind our chain a counter of the owner's counts what got past it: that must
stay zero. Beside it runs a deliberately broken writer, flush and fill in two transactions, that must be caught.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Final

from bench.figures import Row, save
from core.ids import DeviceName
from core.net import Network
from lab import netns
from lab.netns import End, Namespace
from lab.workspace import Workspace
from vendors.adapter import Output
from vendors.diff import diff
from vendors.errors import DeviceError, Unreachable
from vendors.linux_nftables import LinuxNftables, LinuxNftablesOptions
from vendors.model import Action, AddressGroup, Desired, GroupName, Rule, RuleName
from vendors.shell import Dialect, Shell

MEMBER: Final = "203.0.113.77"
MEMBERS: Final = 400
DEVICE: Final = DeviceName("fw-probe")

BEHIND: Final = f"""\
table inet behind {{
	counter passed {{ }}
	chain forward {{
		type filter hook forward priority 100; policy accept;
		ip daddr {MEMBER} counter name passed drop
	}}
}}
"""

SENDER: Final = """\
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
target = (sys.argv[1], 443)
while True:
    try:
        out.sendto(b"probe", target)
    except OSError:
        pass
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one run. ``probes`` were judged by our rule, ``passed`` got past it."""

    probes: int
    passed: int
    swaps: int
    kills: int


@dataclass(slots=True)
class LocalSession:
    """A login without the network: a shell in the gateway's namespace, whose processes can be killed at any moment."""

    namespace: Namespace
    device: DeviceName = DEVICE
    kill_after: Callable[[bool], float | None] = field(default=lambda writes: None)
    kills: int = 0

    def run(self, command: str, *, stdin: str = "", timeout: timedelta | None = None) -> Output:
        """Raises ``Unreachable`` when the shell was killed, as a broken session does."""
        child = subprocess.Popen(
            self.namespace.inside("sh", "-c", command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        killer = self._arm(child, writes=bool(stdin))
        try:
            text, errors = child.communicate(stdin, timeout=60)
        except BrokenPipeError:
            text, errors = "", ""
        finally:
            if killer is not None:
                killer.cancel()
                killer.join()
        if child.returncode < 0:
            self.kills += 1
            raise Unreachable("the shell was killed", device=self.device)
        return Output(text=text, errors=errors, status=child.returncode)

    def _arm(self, child: subprocess.Popen[str], *, writes: bool) -> threading.Timer | None:
        after = self.kill_after(writes)
        if after is None:
            return None

        def kill() -> None:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)  # the shell and the nft it runs

        killer = threading.Timer(after, kill)
        killer.start()
        return killer

    def put(self, path: str, content: str, *, mode: int = 0o600) -> None:
        Path(path).write_text(content, encoding="utf-8")

    def shell(self, dialect: Dialect) -> AbstractContextManager[Shell]:
        raise NotImplementedError("a gateway is read and changed by commands alone")

    def again(self) -> AbstractContextManager[LocalSession]:
        return nullcontext(self)


# --- the two ends of a swap -----------------------------------------------------------------------------------------


def desired(rng: random.Random) -> Desired:
    """A list that always holds the member, with a changing rest, and an exception that comes and goes."""
    offices, target = GroupName("src-company"), GroupName("dst-tiktok")
    others = rng.sample(range(0x0B0000 >> 1, 0xC00000 >> 1), MEMBERS)
    members: set[Network] = {IPv4Network((block << 9, 24)) for block in others}
    guest = GroupName("exc-guest")
    excused = rng.random() < 0.5
    groups = [
        AddressGroup(name=target, members=frozenset({*members, ip_network(f"{MEMBER}/32")})),
        AddressGroup(name=offices, members=frozenset({ip_network("10.20.0.0/16")})),
        *([AddressGroup(name=guest, members=frozenset({ip_network("10.20.9.0/24")}))] if excused else []),
    ]
    exempt = Rule(name=RuleName("exc-guest"), action=Action.EXEMPT, sources=guest, destinations=(target,))
    deny = Rule(name=RuleName("deny-company"), action=Action.DENY, sources=offices, destinations=(target,))
    return Desired(
        groups=tuple(sorted(groups, key=lambda g: g.name)),
        rules=(exempt, deny) if excused else (deny,),
        owner="01jtestowner0000000000000p",
        snapshot="0123456789ab",
    )


@contextmanager
def ground(prefix: str) -> Iterator[tuple[Namespace, LinuxNftables]]:
    """A gateway that enforces, a client that sends without pause, and the counter behind."""
    with Workspace.open(prefix) as workspace:
        gateway, client, far = (workspace.namespace(name) for name in ("fw", "client", "far"))
        gateway.sysctl(net__ipv4__ip_forward=1, net__ipv4__conf__all__rp_filter=0)
        netns.veth(
            End(namespace=gateway, link="lan0", addresses=("10.20.0.1/24",)),
            End(namespace=client, link="eth0", addresses=("10.20.0.10/24",)),
        )
        netns.veth(
            End(namespace=gateway, link="wan0", addresses=("100.64.0.2/30",)),
            End(namespace=far, link="eth0", addresses=("100.64.0.1/30",)),
        )
        client.ip(["route add default via 10.20.0.1"])
        gateway.ip(["route add default via 100.64.0.1"])
        gateway.run("nft", "-f", "-", stdin=BEHIND)
        options = LinuxNftablesOptions(state_dir=str(workspace.folder("state")), conntrack=False)
        adapter = LinuxNftables(options, DEVICE)
        swap(adapter, LocalSession(gateway), desired(random.Random(0)))
        workspace.spawn("sender", [sys.executable, "-I", "-S", "-c", SENDER, MEMBER], namespace=client)
        yield gateway, adapter


def swap(adapter: LinuxNftables, session: LocalSession, wanted: Desired) -> None:
    """Read, plan, apply, read back: what a sync does."""
    observed = adapter.read(session)
    adapter.apply(session, observed, diff(observed, wanted, observed.can))


def passed(gateway: Namespace) -> int:
    text = gateway.run("nft", "-j", "list", "counter", "inet", "behind", "passed").stdout
    return int(next(o["counter"]["packets"] for o in json.loads(text)["nftables"] if "counter" in o))


def probes(adapter: LinuxNftables, gateway: Namespace) -> int:
    return sum(rule.packets or 0 for rule in adapter.counters(LocalSession(gateway)).rules)


# --- the runs -------------------------------------------------------------------------------------------------------


def attack(prefix: str, *, seconds: float, seed: int = 7) -> Verdict:
    """Swap lists for so long; half of the writers are killed at a random moment of their work."""
    rng = random.Random(seed)

    def kill_after(writes: bool) -> float | None:
        return rng.uniform(0, 0.15) if rng.random() < (0.5 if writes else 0.05) else None

    with ground(prefix) as (gateway, adapter):
        session = LocalSession(gateway, kill_after=kill_after)
        began, swaps = passed(gateway), 0
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                swap(adapter, session, desired(rng))
                swaps += 1
            except DeviceError:
                continue  # killed: the next turn reads before it writes
        settled = LocalSession(gateway)
        swap(adapter, settled, desired(rng))  # whatever the killed writers left, a sync makes it whole
        return Verdict(
            probes=probes(adapter, gateway), passed=passed(gateway) - began, swaps=swaps, kills=session.kills
        )


def broken_attack(prefix: str, *, seconds: float) -> Verdict:
    """The planted fault: flush and fill in two transactions. A probe that does not see this proves nothing."""
    with ground(prefix) as (gateway, adapter):
        deadline = time.monotonic() + seconds
        began, swaps = passed(gateway), 0
        while time.monotonic() < deadline and passed(gateway) == began:
            gateway.run("nft", "flush", "set", "inet", "tokgate", "dst-tiktok-4")
            gateway.run("nft", "add", "element", "inet", "tokgate", "dst-tiktok-4", f"{{ {MEMBER} }}")
            swaps += 1
        return Verdict(probes=probes(adapter, gateway), passed=passed(gateway) - began, swaps=swaps, kills=0)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    ours = attack("bnprobe", seconds=seconds)
    broken = broken_attack("bnbroken", seconds=10)
    told = f"{ours.probes:,} probes, {ours.swaps:,} swaps, {ours.kills:,} writers killed"
    row = Row(
        what=f"packet probe: {told}; packets passed",
        ours=ours.passed,
        peer=broken.passed,
        unit="packets (peer: flush and fill in two transactions)",
        target="0 passed, the broken variant caught",
        met=ours.passed == 0 and broken.passed > 0 and ours.probes > 0,
    )
    save("packet_probe", [row])


if __name__ == "__main__":
    main()
