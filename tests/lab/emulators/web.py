"""A web server on the loopback that answers what it is told to, byte by byte, and notes what it was asked."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.ipsets.certificates import Pair


@dataclass(slots=True, kw_only=True)
class Asked:
    """One request: its first line, its headers (names in lower case) and where it came from."""

    line: str
    headers: dict[str, str]
    source: str


@dataclass(slots=True)
class Web:
    """``answer`` gives the bytes for a request; after them the connection is closed."""

    port: int
    scheme: str
    answer: Callable[[Asked], bytes] = field(default=lambda asked: said(200, b"192.0.2.1\n"))
    asked: list[Asked] = field(default_factory=list)

    def url(self, name: str = "list.txt", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}/{name}"


def said(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} X", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if not any(name.lower().replace("_", "-") in ("content-length", "transfer-encoding") for name in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def web(pair: Pair | None = None) -> Iterator[Web]:
    context = pair.server() if pair is not None else None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Web(listener.getsockname()[1], "https" if context else "http")
        thread = threading.Thread(target=_serve, args=(listener, context, made), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, context: ssl.SSLContext | None, made: Web) -> None:
    while True:
        try:
            connection, (source, _) = listener.accept()
        except OSError:
            return
        connection.settimeout(10)
        with suppress(OSError), connection:
            stream = context.wrap_socket(connection, server_side=True) if context else connection
            with stream:
                _one(stream, source, made)


def _one(stream: socket.socket, source: str, made: Web) -> None:
    got = b""
    while b"\r\n\r\n" not in got:
        if not (more := stream.recv(65536)):
            return
        got += more
    line, *headers = got.decode().split("\r\n\r\n")[0].split("\r\n")
    pairs = (header.partition(": ") for header in headers)
    asked = Asked(line=line, headers={name.lower(): value for name, _, value in pairs}, source=source)
    made.asked.append(asked)
    stream.sendall(made.answer(asked))
