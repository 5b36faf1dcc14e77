"""Lines that this machine's own kernel writes for a rule of nftables with ``log``, read as evidence."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.evidence import firewalls, syslog
from controller.evidence.model import Sighting, Verdict
from lab.netns import Namespace, run

SWITCH = Path("/proc/sys/net/netfilter/nf_log_all_netns")
NOW = datetime(2026, 11, 27, 7, 30, tzinfo=UTC)
TOOLS = all(shutil.which(tool) for tool in ("nft", "ip", "nsenter", "dmesg"))
RULES = """
add table inet t
add chain inet t o {{ type filter hook output priority 0; }}
add rule inet t o ip daddr 127.0.0.9 log prefix "{0}-deny4 " drop
add rule inet t o ip6 daddr ::9 log prefix "{0}-accept6 " drop
"""
SEND = """
import socket
for family, kind, host in ((2, 2, "127.0.0.9"), (2, 1, "127.0.0.9"), (10, 2, "::9"), (10, 1, "::9")):
    with socket.socket(family, kind) as sock:
        sock.settimeout(0.05)
        try:
            sock.connect((host, 443))
            sock.send(b"x")
        except OSError:
            pass
"""


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """One whose packets the kernel's log tells of; the machine's switch is put back."""
    if os.geteuid() != 0 or not TOOLS or not SWITCH.exists():
        pytest.skip("needs root, nft, iproute2, dmesg and a kernel that logs packets (nf_log_all_netns)")
    made = Namespace(f"syslog{os.getpid()}")
    before = SWITCH.read_text()
    run(["ip", "netns", "add", made.name])
    try:
        SWITCH.write_text("1\n")
        made.ip(["link set lo up", "addr add ::9/128 dev lo"])
        yield made
    finally:
        SWITCH.write_text(before)
        run(["ip", "netns", "del", made.name])


def test_what_the_kernel_writes_is_understood(namespace: Namespace) -> None:
    namespace.run("nft", "-f", "-", stdin=RULES.format(namespace.name))
    namespace.run("python3", "-c", SEND)
    lines = [line for line in written() if namespace.name in line]
    if not lines:
        pytest.skip("this kernel wrote nothing of a packet that a rule with `log` met")
    found = {_told(one) for line in lines for one in said(line)}
    assert found >= {
        (f"{namespace.name}-deny4", Verdict.BLOCKED, "127.0.0.9", "udp", 443),
        (f"{namespace.name}-deny4", Verdict.BLOCKED, "127.0.0.9", "tcp", 443),
        (f"{namespace.name}-accept6", Verdict.ALLOWED, "::9", "udp", 443),
        (f"{namespace.name}-accept6", Verdict.ALLOWED, "::9", "tcp", 443),
    }


def written() -> list[str]:
    """The kernel's log as syslog has it: level first."""
    told = subprocess.run(["dmesg", "--raw"], capture_output=True, text=True, check=True, errors="replace")
    return [re.sub(r"^<(\d+)>", r"<\1>Nov 27 07:29:59 gw kernel: ", line) for line in told.stdout.splitlines()]


def said(line: str) -> tuple[Sighting, ...]:
    return firewalls.read(syslog.parse(line.encode(), NOW), "gw")


def _told(one: Sighting) -> tuple[str, Verdict, str, str, int | None]:
    return one.rule, one.verdict, str(one.destination), one.protocol, one.port
