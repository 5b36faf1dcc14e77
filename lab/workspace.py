"""One lab's own ground: a prefix for every name, a run folder for every file, and the way to remove all of it.

Removal needs nothing but the prefix, so it also works after a crash, from another process.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lab import machine, netns, processes
from lab.errors import LabError
from lab.netns import End, Namespace
from lab.processes import Process

_PREFIX: Final = re.compile(r"[a-z][a-z0-9]{1,8}")
_ROUNDS: Final = 5
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a lab lives. ``open`` makes it, ``close`` (or leaving ``with``) removes every trace.

    ``management`` is where the /30 links between this machine and the gateways come from.
    """

    prefix: str
    management: IPv4Network = machine.MANAGEMENT

    @classmethod
    def open(cls, prefix: str, *, management: IPv4Network = machine.MANAGEMENT) -> Self:
        """Claim a prefix. Labs whose owner died are removed first. Raises ``LabError`` when a living lab has it."""
        machine.require()
        if not _PREFIX.fullmatch(prefix):
            raise LabError(f"{prefix!r} cannot be a prefix", hint="2 to 9 small letters and digits, a letter first")
        if is_up(prefix):
            raise LabError(f"a lab {prefix!r} is up", hint="tokgate lab down, or take another prefix")
        remove(prefix)
        sweep()
        workspace = cls(prefix, management)
        workspace._make_folders()
        machine.claim(prefix)
        return workspace

    def _make_folders(self) -> None:
        with machine.locked():
            machine.BASE.mkdir(mode=0o755, exist_ok=True)
            for folder in (self.run_dir, self.run_dir / "pids", self.run_dir / "logs"):
                folder.mkdir(mode=0o755)
            self._record(persistent=False)

    def keep(self) -> None:
        """Let this lab outlive this process; from now on only ``remove`` ends it."""
        self._record(persistent=True)

    def _record(self, *, persistent: bool) -> None:
        owner = Process.of(os.getpid())
        record = {"persistent": persistent, "owner": None if owner is None else asdict(owner)}
        draft = self.run_dir / "lab.json.new"
        draft.write_text(json.dumps(record), encoding="utf-8")
        draft.replace(self.run_dir / "lab.json")

    @property
    def run_dir(self) -> Path:
        return machine.BASE / self.prefix

    def folder(self, name: str) -> Path:
        """A folder of the run folder; made when missing."""
        path = self.run_dir / name
        path.mkdir(mode=0o755, exist_ok=True)
        return path

    def namespace(self, name: str) -> Namespace:
        """A new namespace of this lab."""
        return netns.create(f"{self.prefix}-{name}")

    def spawn(
        self,
        name: str,
        argv: Sequence[str],
        *,
        namespace: Namespace | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a program of this lab under a name of its own, in a namespace or in the machine's own network."""
        return processes.spawn(
            namespace.inside(*argv) if namespace else argv,
            prefix=self.prefix,
            pid_file=self.pid_file(name),
            log_file=self.run_dir / "logs" / f"{name}.log",
            environment=environment,
        )

    def pid_file(self, name: str) -> Path:
        return self.run_dir / "pids" / f"{name}.pid.json"

    def log(self, name: str, *, characters: int = 600) -> str:
        """The last words of a spawned program."""
        path = self.run_dir / "logs" / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace")[-characters:] if path.exists() else ""

    def end(self, name: str) -> None:
        """End a spawned program; one that is gone already is no error."""
        process = processes.read_pid_file(self.pid_file(name))
        if process is not None:
            processes.end([process])
        self.pid_file(name).unlink(missing_ok=True)

    def connect_to_machine(self, namespace: Namespace, link: str) -> tuple[str, str]:
        """Join a namespace with this machine over a /30 of its own; returns the near and the far address."""
        with machine.locked():
            network = machine.free_management_network(self.management)
            near, far = (str(address) for address in network.hosts())
            number = (int(network.network_address) - int(self.management.network_address)) // 4
            root_link = f"{self.prefix}-m{_base36(number)}"
            netns.veth(
                End(namespace=None, link=root_link, addresses=(f"{near}/30",)),
                End(namespace=namespace, link=link, addresses=(f"{far}/30",)),
            )
        return near, far

    def close(self) -> None:
        """Remove every trace of this lab. Raises ``LabError`` when a process will not end."""
        remove(self.prefix)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What of a lab is still on this machine."""

    processes: tuple[Process, ...]
    namespaces: tuple[str, ...]
    links: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.processes or self.namespaces or self.links or self.files)


def leftovers(prefix: str) -> Leftovers:
    """Look for everything that carries the prefix, whether or not its lab still knows of it."""
    files = (machine.BASE / prefix, *machine.SUDOERS.glob(f"tokgate-lab-{prefix}"))
    return Leftovers(
        processes=_processes(prefix),
        namespaces=tuple(space.name for space in netns.existing(prefix)),
        links=netns.links(prefix),
        files=tuple(str(path) for path in files if path.exists()),
    )


def remove(prefix: str) -> None:
    """Remove a lab by its prefix: processes, links, namespaces, files, its share of the machine. Idempotent."""
    machine.require()
    for _ in range(_ROUNDS):  # a process may have started another one while we looked
        found = _processes(prefix)
        if not found:
            break
        processes.end(found)
    for link in netns.links(prefix):  # before the namespaces: their links go only some time after them
        netns.delete_link(link)
    for space in netns.existing(prefix):
        netns.delete(space)
    machine.release(prefix)


def _processes(prefix: str) -> tuple[Process, ...]:
    recorded = processes.recorded(machine.BASE / prefix / "pids")
    inside = (Process.of(pid) for pid in netns.pids_inside(netns.existing(prefix)))
    found = {process.pid: process for process in (*recorded, *inside, *processes.marked(prefix)) if process is not None}
    return tuple(found[pid] for pid in sorted(found))


def known() -> tuple[str, ...]:
    """The prefixes of all labs with a run folder on this machine."""
    if not machine.BASE.is_dir():
        return ()
    return tuple(sorted(path.name for path in machine.BASE.iterdir() if _PREFIX.fullmatch(path.name)))


def is_up(prefix: str) -> bool:
    """Whether a lab with this prefix is wanted: persistent, or its owner still runs."""
    try:
        record = json.loads((machine.BASE / prefix / "lab.json").read_text(encoding="utf-8"))
        return bool(record["persistent"]) or Process(**record["owner"]).is_alive
    except (OSError, ValueError, KeyError, TypeError):
        return False


def sweep() -> tuple[str, ...]:
    """Remove the labs whose owner died; returns their prefixes."""
    with machine.locked():  # a lab that is just being claimed holds the lock until it can be recognised
        dead = tuple(prefix for prefix in known() if not is_up(prefix))
    for prefix in dead:
        remove(prefix)
    return dead


def _base36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
