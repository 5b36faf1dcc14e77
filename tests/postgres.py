"""A real PostgreSQL for the tests: a server of its own in a folder of its own, and a database for whoever asks.

It runs as somebody who is not root, since it refuses to be root; without syncs, where nothing of it is to last.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psycopg

from controller.address import DatabaseAddress, checked_address

USER = "tokgate"
GUARDED = "guarded"
"""The one user that has to give a password; made by the test that needs it."""
LOCALE = "C.UTF-8"
_STARTED = 30.0


@cache
def why_none() -> str:
    """Why there is no PostgreSQL here; empty when there is one."""
    if programs() is None:
        return "needs PostgreSQL (initdb, postgres): run scripts/install-system-packages tests"
    if os.geteuid() == 0 and (shutil.which("setpriv") is None or somebody() is None):
        return "needs a user beside root, and setpriv: PostgreSQL refuses to be root"
    return ""


def programs() -> Path | None:
    """The folder of the newest release's programs. Debian puts them beside the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    found += [Path(path).parent for name in ("postgres", "initdb") if (path := shutil.which(name)) is not None]
    return next((path for path in found if (path / "postgres").exists() and (path / "initdb").exists()), None)


def somebody() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


@dataclass
class Server:
    """One server on a port of the loopback, with a password."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="tokgate-postgres-")))
    port: int = 0
    syncs: bool = False
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.bin = programs() or Path()
        if os.geteuid() == 0 and (owner := somebody()) is not None:
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        made = (str(self.bin / "initdb"), "--no-sync", "--auth=trust", f"--username={USER}")
        where = ("--encoding=UTF8", f"--locale={LOCALE}", self.folder / "data")
        subprocess.run([*self._as_somebody(), *made, *where], check=True, capture_output=True, cwd=self.folder)
        rules = self.folder / "data" / "pg_hba.conf"
        rules.write_text(f"host all {GUARDED} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        self.port = _free_port()
        self.start()

    def _as_somebody(self) -> tuple[str, ...]:
        if shutil.which("setpriv") is None:
            return ()
        dies_with_us = ("setpriv", "--pdeathsig=INT")
        if os.geteuid() != 0 or (owner := somebody()) is None:
            return dies_with_us
        return (*dies_with_us, f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups")

    def start(self) -> None:
        """Returns when it takes connections."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "fsync": "on" if self.syncs else "off",
            "full_page_writes": "on" if self.syncs else "off",
            "shared_buffers": "32MB",
            "max_connections": 200,
            "autovacuum": "off",
        }
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self._as_somebody(), self.bin / "postgres", "-D", self.folder / "data", *given],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        until = time.monotonic() + _STARTED
        while True:
            try:
                psycopg.connect(self.conninfo("postgres")).close()
                return
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < until, (self.folder / "log").read_text()
                time.sleep(0.02)

    def stop(self, *, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: at once and in order; SIGQUIT: as after a power cut."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def remove(self) -> None:
        self.stop(how=signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- databases ------------------------------------------------------------------------------------------------

    def conninfo(self, name: str) -> str:
        return f"host=127.0.0.1 port={self.port} user={USER} dbname={name}"

    def sql(self, statement: str, *values: object, database: str = "postgres") -> list[tuple[object, ...]]:
        """What it answers; each statement is a transaction of its own."""
        with psycopg.connect(self.conninfo(database), autocommit=True) as connection:
            answer = connection.execute(statement.encode(), values or None)
            return answer.fetchall() if answer.description else []

    def create(self, *, template: str = "template0") -> str:
        """The name of a new database."""
        name = f"t{secrets.token_hex(6)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        self.sql(f"DROP DATABASE {name} WITH (FORCE)")

    def address(self, name: str) -> DatabaseAddress:
        """As settings say it."""
        return DatabaseAddress(checked_address(f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
