"""A lab leaves nothing behind, neither when it ends nor when it is killed at any moment; strangers are left alone."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab import machine, netns, processes, workspace
from lab.errors import LabError, LabNotPossible
from lab.netns import End
from lab.processes import Process
from lab.topology import script
from lab.workspace import Workspace, leftovers, remove

pytestmark = pytest.mark.root

PREFIX = f"w{os.getpid() % 100000}"


@dataclass(frozen=True)
class Machine:
    """What a lab could leave on a machine."""

    namespaces: frozenset[str]
    links: frozenset[str]
    processes: frozenset[str]
    users: frozenset[str]
    files: frozenset[str]

    @classmethod
    def now(cls, prefix: str) -> Machine:
        """Everything of the kernel and the disk that names the lab."""
        found = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout.splitlines()
        links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout.splitlines()
        commands = (Process.of(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
        files = [*Path("/etc/sudoers.d").iterdir(), *Path("/run").iterdir(), *Path("/run/tokgate-lab").glob("*")]
        return cls(
            namespaces=frozenset(line.split()[0] for line in found if prefix in line),
            links=frozenset(line.split(": ")[1] for line in links if prefix in line),
            processes=frozenset(str(found) for found in commands if found is not None and prefix in found.command),
            users=frozenset(user.pw_name for user in pwd.getpwall()) - {machine.OPERATOR},
            files=frozenset(str(path) for path in files if prefix in path.name),
        )


def test_a_closed_workspace_leaves_nothing() -> None:
    before = Machine.now(PREFIX)
    with Workspace.open(PREFIX) as made:
        space = made.namespace("a")
        made.connect_to_machine(space, "mgmt0")
        made.spawn("inside", ["sleep", "600"], namespace=space)
        made.spawn("outside", ["sleep", "600"])
        assert len(leftovers(PREFIX).processes) == 2
        assert Machine.now(PREFIX) != before
    assert Machine.now(PREFIX) == before
    assert leftovers(PREFIX).is_empty


UP = "import sys; from lab.topology import Lab; Lab.up(sys.argv[1]); print('up', flush=True)"


def milestones(prefix: str) -> list[tuple[str, Callable[[], bool]]]:
    """Moments of `lab up` at which it is killed."""
    run_dir = machine.BASE / prefix
    return [
        ("the run folder is there", run_dir.exists),
        ("the sudo line is there", (machine.SUDOERS / f"tokgate-lab-{prefix}").exists),
        ("the internet is there", netns.Namespace(f"{prefix}-internet").path.exists),
        ("the servers start", (run_dir / "pids/internet-servers.pid.json").exists),
        ("the first gateway has its files", (run_dir / "fw-berlin/sshd_config").exists),
        ("the first gateway runs", (run_dir / "pids/fw-berlin-sshd.pid.json").exists),
        ("the last client is there", netns.Namespace(f"{prefix}-austin-marketing").path.exists),
    ]


@pytest.mark.parametrize("moment", range(7))
def test_i02_lab_up_killed_at_any_moment_is_removed_without_a_trace(moment: int) -> None:
    prefix = f"k{moment}{os.getpid() % 100000}"
    before = Machine.now(prefix)
    with subprocess.Popen([sys.executable, "-c", UP, prefix], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as up:
        said, reached = milestones(prefix)[moment]
        assert processes.wait_until(reached, seconds=20, every=0.001), f"{said}: {up.poll()}"
        up.send_signal(signal.SIGKILL)
    assert not leftovers(prefix).is_empty
    assert not workspace.is_up(prefix)
    remove(prefix)
    assert leftovers(prefix).is_empty
    assert Machine.now(prefix) == before


def test_the_next_lab_sweeps_away_what_died() -> None:
    dead = f"d{os.getpid() % 100000}"
    code = f"import os; from lab.workspace import Workspace; Workspace.open({dead!r}).namespace('x'); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert leftovers(dead).namespaces == (f"{dead}-x",)
    with Workspace.open(PREFIX):
        assert leftovers(dead).is_empty


def test_a_kept_lab_survives_its_maker_and_the_sweep() -> None:
    kept = f"e{os.getpid() % 100000}"
    code = f"from lab.workspace import Workspace as W; w = W.open({kept!r}); w.keep(); w.namespace('x')"
    subprocess.run([sys.executable, "-c", code], check=True)
    try:
        with Workspace.open(PREFIX):
            assert leftovers(kept).namespaces == (f"{kept}-x",)
        with pytest.raises(LabError, match="is up"):
            Workspace.open(kept)
    finally:
        remove(kept)
    assert leftovers(kept).is_empty


def test_two_labs_stand_side_by_side_and_one_goes_alone() -> None:
    with Workspace.open(PREFIX) as one:
        with Workspace.open(f"{PREFIX}b") as other:
            near = {made.connect_to_machine(made.namespace("a"), "mgmt0") for made in (one, other)}
            assert len(near) == 2
        assert leftovers(PREFIX).namespaces == (f"{PREFIX}-a",)
        assert pwd.getpwnam(machine.OPERATOR)


def test_a_pid_that_now_belongs_to_a_stranger_is_not_ended() -> None:
    with Workspace.open(PREFIX) as made, subprocess.Popen(["sleep", "600"]) as stranger:
        real = Process.of(stranger.pid)
        assert real is not None
        processes.write_pid_file(made.pid_file("old"), Process(real.pid, real.started - 1, "sleep 600"))
        made.close()
        assert stranger.poll() is None
        stranger.kill()


def test_a_half_written_pid_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.pid.json"
    for text in ("", "{", json.dumps({"pid": 1})):
        path.write_text(text, encoding="utf-8")
        assert processes.read_pid_file(path) is None


def test_management_networks_avoid_what_the_machine_has() -> None:
    tight = IPv4Network("10.213.255.240/28")
    with Workspace.open(PREFIX, management=tight) as made:
        found = [made.connect_to_machine(made.namespace(f"n{number}"), "mgmt0")[0] for number in range(4)]
        assert found == ["10.213.255.241", "10.213.255.245", "10.213.255.249", "10.213.255.253"]
        with pytest.raises(LabError, match="no free /30"):
            made.connect_to_machine(made.namespace("n5"), "mgmt0")


@pytest.mark.parametrize("prefix", ["", "x", "UPPER", "with-dash", "toolongprefix", "1abc", "a b", "../etc"])
def test_a_prefix_that_could_meet_a_stranger_is_refused(prefix: str) -> None:
    with pytest.raises(LabError, match="cannot be a prefix"):
        Workspace.open(prefix)


def test_a_program_that_will_not_end_when_asked_is_killed() -> None:
    with Workspace.open(PREFIX) as made:
        ready = made.run_dir / "ready"
        stubborn = made.spawn("stubborn", ["sh", "-c", f"trap '' TERM; touch {ready}; while :; do sleep 1; done"])
        assert processes.wait_until(ready.exists, seconds=5)
        made.end("stubborn")
        assert not stubborn.is_alive


def test_an_ip_command_that_fails_says_which() -> None:
    with Workspace.open(PREFIX) as made, pytest.raises(LabError, match="Cannot find device"):
        made.namespace("a").ip(["link set nosuch up"])


def test_veth_joins_two_namespaces() -> None:
    with Workspace.open(PREFIX) as made:
        one, other = made.namespace("a"), made.namespace("b")
        netns.veth(
            End(namespace=one, link="e0", addresses=("192.0.2.1/30", "2001:db8::1/64")),
            End(namespace=other, link="e0", addresses=("192.0.2.2/30", "2001:db8::2/64")),
        )
        for address in ("192.0.2.2", "2001:db8::2"):  # the first packet already: no wait for IPv6 to settle
            tried = one.run(*script("probe.py", "--timeout", "0.8", f"tcp:{address}:9")).stdout
            assert json.loads(tried)["outcome"] == "refused"
        assert "192.0.2.2" in other.run("ip", "-br", "address", "show", "dev", "e0").stdout


def test_without_root_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabNotPossible, match="need root"):
        machine.require()


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PROGRAMS", ("ip", "nosuchprogram"))
    with pytest.raises(LabNotPossible, match="nosuchprogram is not installed"):
        machine.require()
