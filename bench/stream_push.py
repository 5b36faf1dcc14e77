"""Lines behind a prompt: 2,000 members of a group into an emulated ASA, 20 ms away, beside others doing the same.

Run: ``python -m bench.stream_push [LINES]``. Each peer logs in, enters configuration mode, sends the same lines and
leaves. The line is ``lab.delay``, the device ``lab.emulators.asa``, which acts on every line. Ansible takes part when
``TOKGATE_BENCH_ANSIBLE`` names an ``ansible-playbook`` whose environment has the collection ``cisco.asa``
(Ansible 11 is the last package that carries it); without it its row is left out.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import netmiko
import paramiko

from bench.figures import Row, median_of, save
from core.clock import SystemClock
from core.ids import DeviceName
from core.secret import SecretRef
from lab.delay import LOOPBACK, delayed
from lab.emulators.asa import Asa
from lab.emulators.server import Served, served
from vendors.adapter import Endpoint
from vendors.session import connect
from vendors.shell import Dialect, Said

ROUND_TRIP: Final = timedelta(milliseconds=20)
LINES: Final = 2_000
USER = PASSWORD = "admin"
ENABLE: Final = "enable"
_DIALECT: Final = Dialect(
    driver="cisco_asa",
    prompt=r"(?P<host>[\w.-]+)(?:\([\w-]+\))?[>#] ",
    pager="<--- More --->",
    quiet=("terminal pager 0",),
)


def lines(count: int) -> list[str]:
    return ["object-group network bench", *(f"network-object host 10.9.{n >> 8}.{n & 255}" for n in range(count))]


@dataclass(frozen=True, slots=True)
class Bench:
    """One device on its line, and every way to send to it. Each returns the seconds from the first byte to the last."""

    at: Served
    port: int
    sent: list[str]

    def empty(self) -> None:
        with connect(self.endpoint(), clock=SystemClock()) as session, session.shell(_DIALECT) as shell:
            shell.ask("enable", until="Password: ")
            shell.ask(ENABLE, secret=True)
            shell.ask("configure terminal")
            shell.ask("no object-group network bench")

    def check(self) -> None:
        """The device holds every line that was sent: a way that loses some is no way."""
        with connect(self.endpoint(), clock=SystemClock()) as session, session.shell(_DIALECT) as shell:
            shell.ask("enable", until="Password: ")
            shell.ask(ENABLE, secret=True)
            held = shell.ask("show running-config object-group id bench").text.splitlines()
        missing = [line for line in self.sent if line not in {held_line.strip() for held_line in held}]
        if missing:
            raise AssertionError(f"{len(missing)} lines are not on the device, the first: {missing[0]}")

    def endpoint(self) -> Endpoint:
        return Endpoint(
            device=DeviceName("bench"),
            host=LOOPBACK,
            port=self.port,
            username=USER,
            password=SecretRef.parse("secret://env/TOKGATE_BENCH_PASSWORD"),
            key_file=None,
            key_passphrase=None,
            host_keys=(self.at.host_key,),
        )

    def timed(self, way: Callable[[], None]) -> float:
        self.empty()
        began = time.monotonic()
        way()
        seconds = time.monotonic() - began
        self.check()
        return seconds

    # --- the ways -------------------------------------------------------------------------------------------------

    def ours(self) -> None:
        with connect(self.endpoint(), clock=SystemClock()) as session, session.shell(_DIALECT) as shell:
            shell.ask("enable", until="Password: ")
            shell.ask(ENABLE, secret=True)
            shell.ask("configure terminal")
            shell.stream(self.sent, _refusal)

    def raw(self) -> None:
        """The bytes down a paramiko shell, and what comes back read until the last prompt. Nobody looks at errors."""
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(LOOPBACK, self.port, USER, PASSWORD, look_for_keys=False, allow_agent=False)
        with client, client.invoke_shell(width=511) as channel:
            head = ["terminal pager 0", "configure terminal"]
            channel.sendall("".join(f"{line}\n" for line in ["enable", ENABLE, *head, *self.sent]).encode())
            last, seen = self.sent[-1].encode(), b""
            while last not in seen or not seen.endswith(b"# "):
                seen = seen[-2_000:] + channel.recv(65_536)

    def netmiko(self, *, verify: bool) -> None:
        with netmiko.ConnectHandler(
            device_type="cisco_asa", host=LOOPBACK, port=self.port, username=USER, password=PASSWORD, secret=ENABLE
        ) as connection:
            connection.enable()
            connection.send_config_set(self.sent, cmd_verify=verify)

    def ansible(self, playbook: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            play = Path(folder) / "play.json"
            play.write_text(json.dumps(self._play()), encoding="utf-8")
            environment = {**os.environ, "ANSIBLE_HOST_KEY_CHECKING": "False", "ANSIBLE_LOCALHOST_WARNING": "False"}
            done = subprocess.run(
                [playbook, "-i", f"{LOOPBACK},", str(play)], capture_output=True, text=True, env=environment
            )
            if done.returncode:
                raise AssertionError(f"ansible: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    def _play(self) -> list[dict[str, object]]:
        how = {
            "ansible_connection": "ansible.netcommon.network_cli",
            "ansible_network_os": "cisco.asa.asa",
            "ansible_port": self.port,
            "ansible_user": USER,
            "ansible_password": PASSWORD,
            "ansible_become": True,
            "ansible_become_method": "ansible.netcommon.enable",
            "ansible_become_password": ENABLE,
            "ansible_network_cli_ssh_type": "paramiko",
            "ansible_command_timeout": 1800,
            "ansible_python_interpreter": sys.executable,
        }
        task = {"cisco.asa.asa_config": {"parents": [self.sent[0]], "lines": self.sent[1:], "match": "none"}}
        return [{"hosts": "all", "gather_facts": False, "vars": how, "tasks": [task]}]


def _refusal(said: Said) -> str | None:
    return said.text.strip() if "ERROR" in said.text else None


def _device(ports: Connection) -> None:
    """The device and the line to it, in a process of their own: no real one shares an interpreter with who writes."""
    with served([Asa("bench")]) as places, delayed(LOOPBACK, places["bench"].port, ROUND_TRIP) as port:
        ports.send((places["bench"], port))
        ports.recv()  # until the bench is over


@contextmanager
def bench(count: int) -> Iterator[Bench]:
    os.environ["TOKGATE_BENCH_PASSWORD"] = PASSWORD
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_device, args=(there,))
    process.start()
    try:
        at, port = here.recv()
        yield Bench(at, port, lines(count))
    finally:
        here.send(None)
        process.join(10)


def main(count: int) -> None:
    what = f"{count:,} lines into an ASA, {ROUND_TRIP / timedelta(milliseconds=1):.0f} ms away, against"
    rows: list[Row] = []
    with bench(count) as made:
        ours, raw = median_of(3, lambda: made.timed(made.ours), lambda: made.timed(made.raw))
        rows.append(_row(f"{what} a raw paramiko stream", ours, raw, most=1.5))
        for name, verify, least in (("cmd_verify=False", False, 10.0), ("its defaults", True, 30.0)):
            peer = made.timed(lambda verify=verify: made.netmiko(verify=verify))  # type: ignore[misc]
            rows.append(_row(f"{what} netmiko's send_config_set with {name}", ours, peer, least=least))
        if playbook := os.environ.get("TOKGATE_BENCH_ANSIBLE"):
            peer = made.timed(lambda: made.ansible(playbook))
            rows.append(_row(f"{what} Ansible's asa_config", ours, peer, least=30.0))
        else:
            print("TOKGATE_BENCH_ANSIBLE is not set: Ansible is left out")
    save("stream_push", rows)


def _row(what: str, ours: float, peer: float, *, most: float | None = None, least: float | None = None) -> Row:
    ratio = peer / ours
    print(f"{what}: {ours:.2f} s, {peer:.2f} s, {ratio:.1f} times")
    met = ours <= peer * most if most is not None else least is not None and ratio >= least
    target = f"≤ {most} × peer" if most is not None else f"≥ {least:.0f} × faster"
    return Row(what=what, ours=ours, peer=peer, unit="s", target=target, met=met)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LINES)
