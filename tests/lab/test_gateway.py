"""A gateway is a real firewall on the wire: it is driven here with the machine's own OpenSSH client."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import machine, netns
from lab.gateway import Gateway, gateway
from lab.workspace import Workspace, leftovers

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace.open(f"g{os.getpid() % 100000}") as made:
        yield made
    assert leftovers(made.prefix).is_empty


@pytest.fixture(scope="module")
def firewall(workspace: Workspace) -> Gateway:
    return gateway(workspace, "fw")


def ssh(to: Gateway, user: str, command: str, *, host_key: str | None = None) -> subprocess.CompletedProcess[str]:
    known_hosts = to.workspace.run_dir / "known_hosts"
    known_hosts.write_text(f"{to.host} {host_key or to.host_key}\n", encoding="utf-8")
    options = [f"UserKnownHostsFile={known_hosts}", "StrictHostKeyChecking=yes", "BatchMode=yes", "LogLevel=ERROR"]
    flags = [part for option in options for part in ("-o", option)]
    return netns.run(["ssh", "-F", "none", "-i", str(to.client_key), *flags, f"{user}@{to.host}", command], check=False)


def test_root_logs_in_over_its_pinned_host_key(firewall: Gateway) -> None:
    answer = ssh(firewall, "root", "nft list tables")
    assert answer.stdout.splitlines() == ["table inet owner_filter", "table ip owner_nat"]


def test_another_host_key_is_refused(firewall: Gateway) -> None:
    stranger = Path(f"{firewall.client_key}.pub").read_text(encoding="utf-8").rpartition(" ")[0]
    assert ssh(firewall, "root", "true", host_key=stranger).returncode == 255


@pytest.mark.parametrize(
    ("command", "status"),
    [
        pytest.param("sudo -n /usr/sbin/nft list tables", 0, id="nft"),
        pytest.param("sudo -n /usr/sbin/conntrack -L", 0, id="conntrack"),
        pytest.param("sudo -n /bin/cat /etc/shadow", 1, id="anything-else"),
        pytest.param("/usr/sbin/nft list tables", 1, id="without-sudo"),
    ],
)
def test_the_operator_may_do_this_and_no_more(firewall: Gateway, command: str, status: int) -> None:
    assert ssh(firewall, machine.OPERATOR, command).returncode == status


def test_the_operator_restarts_dnsmasq_and_it_reads_its_folder(firewall: Gateway) -> None:
    before = firewall.files.dnsmasq_pid.read_text(encoding="utf-8")
    firewall.files.dnsmasq_dir.joinpath("names.conf").write_text("address=/here.example/192.0.2.7\n", encoding="utf-8")
    answer = ssh(firewall, machine.OPERATOR, f"sudo -n {firewall.files.restart_dnsmasq}")
    assert answer.returncode == 0, answer.stderr
    assert firewall.files.dnsmasq_pid.read_text(encoding="utf-8") != before
    assert firewall.namespace.run("dig", "+short", "@127.0.0.1", "here.example").stdout == "192.0.2.7\n"


def test_a_broken_dnsmasq_file_leaves_the_old_one_running(firewall: Gateway) -> None:
    before = firewall.files.dnsmasq_pid.read_text(encoding="utf-8")
    broken = firewall.files.dnsmasq_dir / "broken.conf"
    broken.write_text("no such option\n", encoding="utf-8")
    try:
        assert ssh(firewall, "root", str(firewall.files.restart_dnsmasq)).returncode != 0
        assert firewall.files.dnsmasq_pid.read_text(encoding="utf-8") == before
    finally:
        broken.unlink()


def test_sftp_is_there(firewall: Gateway) -> None:
    target = firewall.files.state_dir / "put"
    done = netns.run(
        ["sftp", "-F", "none", "-b", "-", "-i", str(firewall.client_key), "-o", "StrictHostKeyChecking=no",
         "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", f"{machine.OPERATOR}@{firewall.host}"],
        stdin=f"put {firewall.files.owner_rules} {target}\n",
    )  # fmt: skip
    assert done.returncode == 0
    assert target.read_bytes() == firewall.files.owner_rules.read_bytes()


@pytest.mark.parametrize("persisted", [True, False])
def test_a_reboot_loses_our_table_unless_it_was_saved(firewall: Gateway, persisted: bool) -> None:
    ours = "table inet tokgate {\n\tset s { type ipv4_addr; }\n}\n"
    firewall.nft(ours)
    firewall.files.ruleset.write_text(ours, encoding="utf-8")
    firewall.reboot(persisted=persisted)
    assert ("inet tokgate" in firewall.tables()) is persisted
    assert "inet owner_filter" in firewall.tables()
    assert ssh(firewall, "root", "true").returncode == 0


def test_the_owners_listing_shows_that_a_rule_was_made_anew(firewall: Gateway) -> None:
    before = firewall.owner_listing()
    assert "no mail past the relay" in before
    firewall.nft("add element inet owner_filter talkers { 192.0.2.9 }\n")
    assert firewall.owner_listing() == before
    firewall.nft("flush ruleset\n" + firewall.owner_ruleset)
    assert firewall.owner_listing() != before


def test_another_host_key_after_a_reinstallation(workspace: Workspace) -> None:
    made = gateway(workspace, "fw-new", dnsmasq=False)
    before = made.host_key
    after = made.change_host_key()
    assert after != before
    assert ssh(made, "root", "true", host_key=before).returncode == 255
    assert ssh(made, "root", "true", host_key=after).returncode == 0


def test_sessions_can_be_cut_without_stopping_sshd(firewall: Gateway) -> None:
    flags = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    with subprocess.Popen(
        ["ssh", "-F", "none", "-i", str(firewall.client_key), *flags, f"root@{firewall.host}", "echo up; sleep 60"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as session:  # fmt: skip
        assert session.stdout is not None
        assert session.stdout.readline() == b"up\n"
        assert firewall.kill_sessions() > 0
        assert session.wait(timeout=5) == 255
    assert ssh(firewall, "root", "true").returncode == 0
