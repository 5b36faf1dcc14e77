"""Programs the lab starts and must be able to end again, also after a crash and without hitting a stranger.

A process is known by pid **and** start time, kept in a pid file. Every process also carries the lab's prefix in its
environment, and most live in the lab's namespaces: one whose pid file was never written is found too.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from lab.errors import LabError

MARK: Final = "TGLAB_PREFIX"
"""The environment variable that every process of a lab carries."""

GRACE_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Process:
    """One process that is certainly the one we started: the kernel never repeats a pid with the same start time."""

    pid: int
    started: int  # clock ticks since boot, field 22 of /proc/PID/stat
    command: str = ""

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process that has this pid now; None when there is none (a zombie is none)."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return None
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]), command)

    @property
    def is_alive(self) -> bool:
        now = Process.of(self.pid)
        return now is not None and now.started == self.started


def spawn(
    argv: Sequence[str], *, prefix: str, pid_file: Path, log_file: Path, environment: Mapping[str, str] | None = None
) -> Process:
    """Start a program in a session of its own, marked, logged, and known by a pid file."""
    with log_file.open("ab") as log:
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **(environment or {}), MARK: prefix},
        )
    child.returncode = 0  # from here on the pid file owns it; a forgotten Popen would warn
    process = Process.of(child.pid)
    if process is None:
        raise LabError(f"{argv[0]} ended at once", hint=f"see {log_file}")
    write_pid_file(pid_file, process)
    return process


def write_pid_file(path: Path, process: Process) -> None:
    """Record a process; replaces the file in one step."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(asdict(process)), encoding="utf-8")
    draft.replace(path)


def read_pid_file(path: Path) -> Process | None:
    """The recorded process; None when the file is missing or half written."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Process(int(found["pid"]), int(found["started"]), str(found["command"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def recorded(folder: Path) -> Iterator[Process]:
    """The processes of a folder of pid files that are still the ones that were started."""
    for path in sorted(folder.glob("*.pid.json")) if folder.is_dir() else ():
        process = read_pid_file(path)
        if process is not None and process.is_alive:
            yield process


def marked(prefix: str) -> Iterator[Process]:
    """Every process that carries the lab's prefix in its environment."""
    wanted = f"{MARK}={prefix}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and wanted in _environment(entry):
            process = Process.of(int(entry.name))
            if process is not None:
                yield process


def _environment(entry: Path) -> list[bytes]:
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def end(processes: Iterable[Process]) -> None:
    """Ask to end, wait a moment, then insist; returns when all are gone. Raises ``LabError`` when one will not go."""
    known = [process for process in processes if process.pid not in _ancestors()]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in known:
            if process.is_alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, number)
        if wait_until(lambda: not any(_lives(process) for process in known), seconds=GRACE_SECONDS):
            return
    left = ", ".join(f"{process.pid} ({process.command})" for process in known if process.is_alive)
    if left:
        raise LabError(f"processes do not end: {left}")


def _lives(process: Process) -> bool:
    """Whether it still runs; collects it when it is a child of ours."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return process.is_alive


def _ancestors() -> frozenset[int]:
    """This process and those it descends from: never a target."""
    found, pid = {os.getpid()}, os.getppid()
    while pid > 1:
        found.add(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except OSError:
            break
    return frozenset(found)


def wait_until(question: Callable[[], bool], *, seconds: float, every: float = 0.01) -> bool:
    """Ask until the answer is yes (True) or the time is over (False)."""
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)
    return True
