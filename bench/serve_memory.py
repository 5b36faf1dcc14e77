"""Memory of an idle ``tokgate serve`` with the lab's two enforced sites behind it.

Run: ``python -m bench.serve_memory`` as root. Resident memory is read from ``/proc`` once a second for a minute after
the first syncs; the figure is the largest.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Final

import httpx

from bench.figures import Row, resident_mb, save
from lab import inventory
from lab.topology import Lab

TARGET_MB: Final = 120
SECONDS: Final = 60
PORT: Final = 18480


def until_ready(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise RuntimeError("tokgate serve did not become ready")


def main() -> None:
    with Lab.up("bnserve") as lab:
        inventory.write(lab)
        environment = {**os.environ, **inventory.environment(lab), "TOKGATE_API_PORT": str(PORT)}
        command = [sys.executable, "-m", "api.cli"]
        for words in (["db", "upgrade"], ["intel", "refresh"], ["apply", "--yes"]):
            subprocess.run([*command, *words], env=environment, check=True, capture_output=True)
        with subprocess.Popen([*command, "serve"], env=environment, stderr=subprocess.DEVNULL) as server:
            try:
                until_ready(f"http://127.0.0.1:{PORT}/readyz")
                samples = list[float]()
                for _ in range(SECONDS):
                    time.sleep(1)
                    samples.append(resident_mb(server.pid))
            finally:
                server.terminate()
    most = max(samples)
    row = Row(
        what="memory of tokgate serve, idle, two sites",
        ours=most,
        peer=None,
        unit="MB",
        target=f"≤ {TARGET_MB} MB",
        met=most <= TARGET_MB,
    )
    save("serve_memory", [row])


if __name__ == "__main__":
    main()
