"""Network namespaces, veth pairs, addresses and routes, through iproute2, and the programs that run inside.

Everything is named ``<prefix>-<name>``, so what a crash left behind is found by its prefix alone. Needs root.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.errors import LabError

NAMESPACES: Final = Path("/run/netns")
COMMAND_SECONDS: Final = 60.0


def run(
    argv: Sequence[str], *, stdin: str | None = None, check: bool = True, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end. Raises ``LabError`` with its last words when it fails and ``check`` is set."""
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_SECONDS,
            check=False,
            env=None if environment is None else {**os.environ, **environment},
        )
    except FileNotFoundError as exc:
        raise LabError(f"{argv[0]} is not installed", hint="run scripts/install-system-packages") from exc
    except subprocess.TimeoutExpired as exc:
        raise LabError(f"{' '.join(argv)} did not end within {COMMAND_SECONDS:.0f} s") from exc
    if check and done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-400:]
        raise LabError(f"{' '.join(argv)} ended with {done.returncode}: {said}")
    return done


@dataclass(frozen=True, slots=True)
class Namespace:
    """One network namespace; the name is the full one, with its prefix."""

    name: str

    @property
    def path(self) -> Path:
        return NAMESPACES / self.name

    def inside(self, *argv: str) -> list[str]:
        """The command that runs ``argv`` in here: only the network differs, files and processes are the machine's."""
        return ["nsenter", f"--net={self.path}", "--", *argv]

    def run(self, *argv: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program in here to its end. Raises ``LabError``."""
        return run(self.inside(*argv), stdin=stdin, check=check)

    def ip(self, commands: Iterable[str]) -> None:
        """Run ``ip`` commands in here, one a line; the first that fails raises ``LabError``."""
        batch(commands, namespace=self)

    def sysctl(self, **values: int | str) -> None:
        """Set kernel switches in here; ``__`` in a key stands for the dot."""
        self.run("sysctl", "-qw", *(f"{key.replace('__', '.')}={value}" for key, value in values.items()))

    def pids(self) -> tuple[int, ...]:
        """Every process that lives in here."""
        return tuple(pids_inside([self]))


def batch(commands: Iterable[str], *, namespace: Namespace | None = None) -> None:
    """Run ``ip`` commands in one process. Raises ``LabError`` at the first that fails."""
    where = ["-n", namespace.name] if namespace else []
    run(["ip", *where, "-batch", "-"], stdin="\n".join(commands) + "\n")


def create(name: str) -> Namespace:
    """A new namespace with its loopback up and no duplicate-address wait on IPv6."""
    run(["ip", "netns", "add", name])
    namespace = Namespace(name)
    namespace.ip(["link set lo up"])
    namespace.sysctl(net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0)
    return namespace


def delete(namespace: Namespace) -> None:
    """Remove a namespace and the links in it; one that is gone already is no error."""
    run(["ip", "netns", "del", namespace.name], check=False)


def existing(prefix: str) -> tuple[Namespace, ...]:
    """The namespaces of one lab, by their prefix."""
    if not NAMESPACES.is_dir():
        return ()
    return tuple(Namespace(path.name) for path in sorted(NAMESPACES.iterdir()) if path.name.startswith(f"{prefix}-"))


def links(prefix: str) -> tuple[str, ...]:
    """The links of one lab in the machine's own namespace, by their prefix."""
    found = json.loads(run(["ip", "-j", "link", "show"]).stdout or "[]")
    return tuple(sorted(str(link["ifname"]) for link in found if str(link["ifname"]).startswith(f"{prefix}-")))


def delete_link(name: str) -> None:
    """Remove a link of the machine's own namespace with its peer; one that is gone already is no error."""
    run(["ip", "link", "del", name], check=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of a veth pair. ``namespace`` None is the machine's own. Addresses carry their prefix length."""

    namespace: Namespace | None
    link: str  # at most 15 characters
    addresses: tuple[str, ...] = ()

    def commands(self) -> Iterator[str]:
        """Give the link its addresses, IPv6 without the duplicate check."""
        for address in self.addresses:
            yield f"address add {address} dev {self.link}{' nodad' if ':' in address else ''}"


def veth(one: End, other: End) -> None:
    """Connect two ends, with their addresses, both up. Raises ``LabError``."""
    ends = [f"{end.link} netns {end.namespace.name}" if end.namespace else end.link for end in (one, other)]
    batch([f"link add {ends[0]} type veth peer name {ends[1]}"])
    for end in (one, other):
        batch([f"link set {end.link} up"], namespace=end.namespace)
    for end in (one, other):  # not before both are up: an IPv6 address joins its multicast group only on a ready link
        batch(end.commands(), namespace=end.namespace)


def pids_inside(namespaces: Iterable[Namespace]) -> Iterator[int]:
    """Every process that lives in one of the namespaces."""
    wanted = {inode for inode in (_inode(space.path) for space in namespaces) if inode is not None}
    for entry in Path("/proc").iterdir() if wanted else ():
        if entry.name.isdecimal() and _inode(entry / "ns/net") in wanted:
            yield int(entry.name)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
