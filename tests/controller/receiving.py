"""A receiver of webhooks: a real HTTP server on loopback that checks signatures by the words of the specification."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@dataclass(frozen=True)
class Received:
    """What came in one request."""

    headers: Mapping[str, str]
    body: str
    path: str = "/"

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def said(self) -> Any:
        return json.loads(self.body)

    def is_signed_by(self, secret: str) -> bool:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        text = f"{self.id}.{self.headers['webhook-timestamp']}.{self.body}".encode()
        good = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
        return f"v1,{good}" in self.headers["webhook-signature"].split(" ")


Reply = Callable[[BaseHTTPRequestHandler], None]


def status(code: int, **headers: str) -> Reply:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return reply


def cut(handler: BaseHTTPRequestHandler) -> None:
    """The connection ends in the middle of the answer's first line."""
    handler.wfile.write(b"HTTP/1.1 2")
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """An answer that never comes to its end, a byte at a time, until the caller hangs up."""
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.02)  # the receiver's slowness is what is tested
    except OSError:
        return


def flood(handler: BaseHTTPRequestHandler) -> None:
    """A good answer with a body that has no end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    try:
        while True:
            handler.wfile.write(b"y" * 65536)
    except OSError:
        return


@dataclass
class Receiver:
    """``replies``: what the next requests are answered, one after the other; then ``usual``."""

    replies: list[Reply] = field(default_factory=list)
    usual: Reply = field(default_factory=lambda: status(204))
    got: list[Received] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook?to=us"

    @property
    def kinds(self) -> list[str]:
        return [one.said["type"] for one in self.got]


@contextmanager
def receiving(port: int = 0, *, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    made = Receiver(scheme="http" if tls is None else "https")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            made.got.append(Received(dict(self.headers.items()), body, self.path))
            made.arrived.set()
            (made.replies.pop(0) if made.replies else made.usual)(self)
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            return

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
