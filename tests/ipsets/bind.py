"""BIND on the loopback: one zone, asked plainly, over TLS and over HTTPS, with each of the tests' certificates."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from tests.conftest import SYSTEM_PATH
from tests.ipsets.certificates import Certificates

NAMED = shutil.which("named", path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")
needs_named = pytest.mark.skipif(NAMED is None, reason="needs named: run scripts/install-system-packages")

ZONE = """$TTL 300
@ 600 IN SOA ns.tiktok.com. root.tiktok.com. 1 3600 600 86400 120
@ IN NS ns.tiktok.com.
ns IN A 103.136.220.2
www 300 IN A 103.136.220.10
www 200 IN AAAA 2404:9dc0:cd01::10
v16 250 IN CNAME edge
edge 20 IN A 23.45.12.10
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """The ports: ``plain``, and of each certificate's name over ``tls`` and ``https`` (``/dns-query``)."""

    plain: int
    tls: Mapping[str, int]
    https: Mapping[str, int]


@contextlib.contextmanager
def bind(folder: Path, certificates: Certificates) -> Iterator[Bind]:
    kinds = ("good", "expired", "other_name", "nobodys")
    ports = _free_ports(1 + 2 * len(kinds))
    stand = Bind(
        plain=ports[0],
        tls=dict(zip(kinds, ports[1::2], strict=True)),
        https=dict(zip(kinds, ports[2::2], strict=True)),
    )
    (folder / "zone").write_text(ZONE, encoding="utf-8")
    (folder / "named.conf").write_text(_configuration(folder, stand, certificates), encoding="utf-8")
    assert NAMED is not None
    command = [NAMED, "-g", "-n", "1", "-c", str(folder / "named.conf")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stderr is not None
        rest = threading.Thread(target=process.stderr.read, daemon=True)  # so that it never waits for us
        try:
            _await_running(process.stderr)
            rest.start()
            yield stand
        finally:
            process.terminate()
            if rest.is_alive():
                rest.join(10)


def _await_running(log: IO[str]) -> None:
    said = []
    for line in log:
        said.append(line)
        if line.rstrip().endswith(" running"):
            return
    raise AssertionError("".join(said))


def _configuration(folder: Path, stand: Bind, certificates: Certificates) -> str:
    tls, listen = [], [f"listen-on port {stand.plain} {{ 127.0.0.1; }};"]
    for kind, port in stand.tls.items():
        pair = getattr(certificates, kind)
        tls.append(f'tls {kind} {{ cert-file "{pair.certificate}"; key-file "{pair.key}"; }};')
        listen.append(f"listen-on port {port} tls {kind} {{ 127.0.0.1; }};")
        listen.append(f"listen-on port {stand.https[kind]} tls {kind} http page {{ 127.0.0.1; }};")
    options = [
        f'directory "{folder}";', "pid-file none;", "session-keyfile none;", "recursion no;", "listen-on-v6 { none; };",
        "dnssec-validation no;", f'managed-keys-directory "{folder}";', *listen,
    ]  # fmt: skip
    zone = f'zone "tiktok.com" {{ type primary; file "{folder}/zone"; }};'
    page = 'http page { endpoints { "/dns-query"; }; };'
    return "\n".join([*tls, page, "controls { };", f"options {{ {' '.join(options)} }};", zone, ""])


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in sockets]
