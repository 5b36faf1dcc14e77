"""What is installed on a gateway, run for real: the script that prepares it, and the one that puts the rules back.

``prepare-gateway`` runs in a mount namespace with copies of the folders it writes to, so this machine stays as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from vendors.linux_nftables.commands import SAVED_MARK
from vendors.linux_nftables.options import DnsmasqOptions, LinuxNftablesOptions

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "linux"
WRITTEN = ("/etc", "/var/lib", "/home", "/usr/local/sbin")


def said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


# --- preparing ------------------------------------------------------------------------------------------------------


def prepare(
    tmp_path: Path, *arguments: str, then: str = "true", before: str = "true"
) -> subprocess.CompletedProcess[str]:
    """Run it on copies; ``then`` looks at what it left, in the same namespace."""
    copies = " && ".join(
        f"mkdir -p {tmp_path}{folder} && "
        + (f"cp -a /etc/. {tmp_path}/etc/ && " if folder == "/etc" else "")
        + f"mount --bind {tmp_path}{folder} {folder}"
        for folder in WRITTEN
    )
    script = f"{copies} && {before} && {FOLDER}/prepare-gateway {' '.join(arguments)} && {{ {then}; }}"
    return subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "id")], check=True)
    return tmp_path / "id.pub"


@pytest.mark.root
@pytest.mark.skipif(shutil.which("systemctl") is None, reason="systemd is not installed here")
def test_a_prepared_gateway_has_what_the_adapter_expects(tmp_path: Path, key: Path) -> None:
    look = (
        "cat /etc/sudoers.d/tokgate; stat -c '%U %a %n' /etc/tokgate /etc/tokgate/dnsmasq.d /etc/sudoers.d/tokgate "
        "/var/lib/tokgate/.ssh/authorized_keys /usr/local/sbin/tokgate-restore; "
        "runuser -u tokgate -- sudo -n -l; ls -l /etc/systemd/system/sysinit.target.wants; "
        f"{FOLDER}/prepare-gateway --key {key} --dnsmasq | tail -n 1"
    )
    done = prepare(tmp_path, "--key", str(key), "--dnsmasq", then=look)
    assert done.returncode == 0, said(done)
    options, dnsmasq = LinuxNftablesOptions(), DnsmasqOptions()
    commands = f"{options.nft}, {options.conntrack_program}, {dnsmasq.restart}"
    assert f"tokgate ALL=(root) NOPASSWD: {commands}\n" in done.stdout
    assert f"(root) NOPASSWD: {commands}" in done.stdout, "what sudo itself says the login may do"
    assert f"tokgate 750 {options.state_dir}\n" in done.stdout
    assert f"tokgate 755 {dnsmasq.conf_dir}\n" in done.stdout
    assert "root 440 /etc/sudoers.d/tokgate\n" in done.stdout
    assert "tokgate 600 /var/lib/tokgate/.ssh/authorized_keys\n" in done.stdout
    assert "root 755 /usr/local/sbin/tokgate-restore\n" in done.stdout
    assert "tokgate-restore.service -> /etc/systemd/system/tokgate-restore.service" in done.stdout
    assert "restart dnsmasq once" in done.stdout, "a second run ends well too"


@pytest.mark.root
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "--key FILE is missing"),
        (("--key", "/nowhere"), "cannot be read or is empty"),
        (("--key", "/etc/passwd"), "not an OpenSSH public key"),
        (("--login", "root"), "a name of its own"),
        (("--login", "'a;b'"), "a name of its own"),
        (("--colour",), "unknown option --colour"),
    ],
)
def test_a_mistake_is_told_before_anything_is_changed(tmp_path: Path, arguments: tuple[str, ...], why: str) -> None:
    done = prepare(tmp_path, *arguments)
    assert done.returncode == 1
    assert why in done.stderr
    assert not (tmp_path / "etc" / "tokgate").exists()
    assert not (tmp_path / "etc" / "sudoers.d" / "tokgate").exists()


@pytest.mark.root
def test_i01_a_login_that_was_there_before_keeps_its_keys(tmp_path: Path, key: Path) -> None:
    """Given somebody's own account, the script would replace the keys that he logs in with."""
    admin = "useradd --home-dir /home/admin -m admin && mkdir /home/admin/.ssh"
    admin += " && echo his > /home/admin/.ssh/authorized_keys"
    done = prepare(tmp_path, "--key", str(key), "--login", "admin", before=admin)
    assert done.returncode == 1
    assert "admin is an account of yours" in done.stderr
    assert (tmp_path / "home" / "admin" / ".ssh" / "authorized_keys").read_text(encoding="utf-8") == "his\n"
    assert not (tmp_path / "etc" / "sudoers.d" / "tokgate").exists()


@pytest.mark.root
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (FOLDER / "tokgate-restore.service").read_text(encoding="utf-8")
    unit = tmp_path / "tokgate-restore.service"
    unit.write_text(text.replace("/usr/local/sbin/tokgate-restore", str(FOLDER / "tokgate-restore")), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, said(done)) == (0, "")


# --- the boot -------------------------------------------------------------------------------------------------------

KEPT = f"""{SAVED_MARK}x
table inet tokgate {{
	set dst-tiktok-4 {{ type ipv4_addr; flags interval; elements = {{ 192.0.2.0/24 }}; }}
}}
# end
"""


@pytest.fixture
def space() -> Iterator[str]:
    name = f"dl{os.getpid() % 100000}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "del", name], check=True)


def restore(space: str, kept: Path) -> subprocess.CompletedProcess[str]:
    command = ["ip", "netns", "exec", space, str(FOLDER / "tokgate-restore"), str(kept)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def listing(space: str) -> str:
    command = ["ip", "netns", "exec", space, "nft", "list", "ruleset"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.root
def test_the_boot_puts_back_what_was_kept_and_never_replaces_what_is_there(space: str, tmp_path: Path) -> None:
    kept = tmp_path / "ruleset.nft"
    kept.write_text(KEPT, encoding="utf-8")
    assert restore(space, kept).returncode == 0
    assert "192.0.2.0/24" in listing(space)
    kept.write_text(KEPT.replace("192.0.2.0/24", "198.51.100.0/24"), encoding="utf-8")
    again = restore(space, kept)
    assert (again.returncode, again.stdout) == (0, "the table is in force: nothing to do\n")
    assert "198.51.100.0/24" not in listing(space)


@pytest.mark.root
@pytest.mark.parametrize("end", [len(KEPT) - 1, len(KEPT) // 2, 0])
def test_a_file_that_was_cut_off_is_not_loaded(space: str, tmp_path: Path, end: int) -> None:
    kept = tmp_path / "ruleset.nft"
    kept.write_text(KEPT[:end].removesuffix("d"), encoding="utf-8")
    done = restore(space, kept)
    assert done.returncode == 1
    assert "is not whole: nothing was loaded" in done.stderr
    assert listing(space) == ""
