"""What the labs of one machine share: the operator's system user, sudo, sshd's folder, and the management addresses.

The last lab to go takes the shared things with it. All changes happen under one lock that leaves no file behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import secrets
import shutil
from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network, ip_network
from pathlib import Path
from typing import Final

from lab.errors import LabError, LabNotPossible
from lab.netns import run

OPERATOR: Final = "tgop"
"""The login of the gateways that is not root; may run nft and conntrack through sudo."""

PROGRAMS: Final = ("ip", "nft", "nsenter", "sysctl", "sshd", "ssh-keygen", "dnsmasq", "conntrack", "sudo", "useradd")
BASE: Final = Path("/run/tokgate-lab")
MANAGEMENT: Final = IPv4Network("10.213.0.0/16")
SUDOERS: Final = Path("/etc/sudoers.d")
_COMMENT: Final = "tokgate lab operator"
_SSHD_FOLDER: Final = Path("/run/sshd")
_SYSTEM_PATH: Final = "/usr/local/sbin:/usr/sbin:/sbin"


def require() -> None:
    """Raises ``LabNotPossible`` with every reason why this machine cannot hold a lab."""
    os.environ["PATH"] = f"{os.environ.get('PATH', '/usr/bin:/bin')}:{_SYSTEM_PATH}"
    reasons = [] if os.geteuid() == 0 else ["network namespaces, nftables and sshd need root"]
    reasons += [f"{name} is not installed" for name in PROGRAMS if shutil.which(name) is None]
    if reasons:
        raise LabNotPossible(
            "; ".join(reasons), hint="run as root, after scripts/install-system-packages, on Linux 5.10 or later"
        )


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One lab at a time may change what they share. The lock is on a folder, so nothing has to be removed."""
    descriptor = os.open("/run", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def claim(prefix: str) -> None:
    """Prepare the machine for one lab: sshd's folder, the operator, and its sudo line. Idempotent."""
    with locked():
        if not _SSHD_FOLDER.exists():
            _SSHD_FOLDER.mkdir(mode=0o755)
            (BASE / ".made-sshd-folder").touch()
        _make_operator()
        rules = SUDOERS / f"tokgate-lab-{prefix}"
        draft = rules.with_suffix(".new")  # sudo ignores names with a dot
        draft.write_text(sudo_line(prefix), encoding="utf-8")
        draft.chmod(0o440)
        draft.replace(rules)


def sudo_line(prefix: str) -> str:
    """Exactly what the operator may do as root: nft, conntrack, a dnsmasq check, and this lab's restart scripts."""
    commands = [shutil.which(name) or f"/usr/sbin/{name}" for name in ("nft", "conntrack", "dnsmasq")]
    return f"{OPERATOR} ALL=(root) NOPASSWD: {', '.join(commands)}, {BASE}/{prefix}/*/restart-dnsmasq\n"


def release(prefix: str) -> None:
    """Take a lab's share away; the last one also removes the operator and the folders. Idempotent."""
    with locked():
        for name in (f"tokgate-lab-{prefix}", f"tokgate-lab-{prefix}.new"):
            (SUDOERS / name).unlink(missing_ok=True)
        shutil.rmtree(BASE / prefix, ignore_errors=True)
        if not any(SUDOERS.glob("tokgate-lab-*")):
            _remove_shared()


def _remove_shared() -> None:
    if _operator_is_ours():
        run(["userdel", OPERATOR])
    if (BASE / ".made-sshd-folder").exists():
        with contextlib.suppress(OSError):  # another sshd of this machine may have put something there meanwhile
            _SSHD_FOLDER.rmdir()
        (BASE / ".made-sshd-folder").unlink()
    (BASE / ".operator-password").unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        BASE.rmdir()


def operator_password() -> str:
    """The password of the operator, for the password logins of the tests. One for all labs of the machine."""
    return (BASE / ".operator-password").read_text(encoding="utf-8")


def _make_operator() -> None:
    if _operator_exists():
        if not _operator_is_ours():
            raise LabError(f"this machine has a user {OPERATOR} that is not the lab's", hint="rename it")
        if (BASE / ".operator-password").exists():
            return
    else:
        # A home that exists, and a system user: no start-up files, no mail, no subordinate ids.
        run(["useradd", "--system", "--no-create-home", "--home-dir", "/", "--shell", "/bin/sh",
             "--comment", _COMMENT, OPERATOR])  # fmt: skip
    password = secrets.token_urlsafe(18)
    run(["chpasswd"], stdin=f"{OPERATOR}:{password}\n")
    secret = BASE / ".operator-password"
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="utf-8")


def _operator_exists() -> bool:
    try:
        pwd.getpwnam(OPERATOR)
    except KeyError:
        return False
    return True


def _operator_is_ours() -> bool:
    return _operator_exists() and pwd.getpwnam(OPERATOR).pw_gecos == _COMMENT


def free_management_network(within: IPv4Network = MANAGEMENT) -> IPv4Network:
    """A /30 that no link and no route of this machine touches. Call it, and create its link, under ``locked()``."""
    taken = _taken_networks()
    for network in within.subnets(new_prefix=30):
        if not any(network.overlaps(other) for other in taken):
            return network
    raise LabError(f"{within} has no free /30 left", hint="tokgate lab down removes labs that were forgotten")


def _taken_networks() -> list[IPv4Network]:
    addresses = json.loads(run(["ip", "-j", "-4", "address", "show"]).stdout or "[]")
    routes = json.loads(run(["ip", "-j", "-4", "route", "show", "table", "all"]).stdout or "[]")
    taken = [
        IPv4Interface(f"{entry['local']}/{entry['prefixlen']}").network
        for link in addresses
        for entry in link.get("addr_info", ())
        if "local" in entry
    ]
    found = (ip_network(route["dst"]) for route in routes if route.get("dst", "default") != "default")
    return taken + [network for network in found if isinstance(network, IPv4Network) and network.prefixlen > 0]
