"""The sockets that syslog comes in by, and their certificates."""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from controller.inventory.evidence import Listener, split_place
from core.errors import ConfigError

_RECEIVE_BUFFER: Final = 8 * 1024 * 1024
_SO_RCVBUFFORCE: Final = 33
SO_RXQ_OVFL: Final = 40
KERNEL_TELLS: Final = sys.platform == "linux"
"""Each datagram says how many were dropped before it for want of room in the kernel."""


def bound(listener: Listener) -> socket.socket:
    """A socket that does not block, bound and listening. Raises ``ConfigError``."""
    host, port = split_place(listener.at)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM if listener.is_datagrams else socket.SOCK_STREAM)
    try:
        if not listener.is_datagrams:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((host, port))
        sock.setblocking(False)
        if listener.is_datagrams:
            _prepare(sock)
        else:
            sock.listen(128)
    except OSError as exc:
        sock.close()
        raise ConfigError(
            f"evidence.listen: cannot listen at {listener.at} over {listener.over}: {exc.strerror}",
            hint="choose another place; ports below 1024 need CAP_NET_BIND_SERVICE",
        ) from exc
    return sock


def _prepare(sock: socket.socket) -> None:
    """Room for a burst, and word of what found none."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    if KERNEL_TELLS:
        sock.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        with suppress(PermissionError):  # then as much as net.core.rmem_max lets everybody have
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)


def tls_context(listener: Listener) -> ssl.SSLContext:
    """TLS 1.2 or newer, and clients' certificates where their authorities are given. Raises ``ConfigError``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    passphrase = listener.key_passphrase.resolve().reveal() if listener.key_passphrase else ""
    try:
        context.load_cert_chain(str(listener.certificate), str(listener.key), lambda: passphrase)
        if listener.clients is not None:
            context.load_verify_locations(listener.clients)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as exc:  # ssl.SSLError is one
        files = ", ".join(str(file) for file in (listener.certificate, listener.key, listener.clients) if file)
        raise ConfigError(
            f"evidence.listen: {listener.at}: {files} cannot be used: {exc.strerror or type(exc).__name__}",
            hint="give a PEM chain, its key, the key's passphrase if it has one, and PEM authorities",
        ) from exc
    return context


def names_in(certificate: Mapping[str, object] | None) -> tuple[str, ...]:
    """Every name that a checked certificate is for, in lower case, as ``SSLSocket.getpeercert`` tells it."""
    found: list[str] = []
    for kind, name in _pairs((certificate or {}).get("subjectAltName")):
        if kind in ("DNS", "IP Address"):
            found.append(name.lower())
    subject = (certificate or {}).get("subject")
    for part in subject if isinstance(subject, tuple) else ():
        found += [name.lower() for kind, name in _pairs(part) if kind == "commonName"]
    return tuple(dict.fromkeys(found))


def _pairs(told: object) -> Iterator[tuple[str, str]]:
    for pair in told if isinstance(told, tuple) else ():
        kind, name = pair
        yield str(kind), str(name)


def overflowed(number: int, told: Iterable[tuple[int, int, bytes]], before: dict[int, int]) -> int:
    """How many datagrams the kernel dropped since the one before."""
    for level, kind, data in told:
        if level == socket.SOL_SOCKET and kind == SO_RXQ_OVFL:
            (dropped,) = struct.unpack("I", data[:4])
            missed = (dropped - before.get(number, 0)) & 0xFFFFFFFF
            before[number] = dropped
            return int(missed)
    return 0


__all__ = ["KERNEL_TELLS", "bound", "names_in", "overflowed", "tls_context"]
