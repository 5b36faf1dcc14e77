"""Origins that sources ask in the tests: a real HTTP server and a real DNS server on the loopback."""

from __future__ import annotations

import contextlib
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """``raw`` is sent instead of an HTTP answer, and the connection closed; ``claim`` is the length that is told.

    ``endless``: after the body this, again and again, until the other side hangs up.
    """

    status: int = 200
    body: bytes | str = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    claim: int | None = None
    tell_length: bool = True
    raw: bytes | None = None
    endless: bytes = b""


@dataclass(slots=True)
class Web:
    """A server that stands. ``asked`` grows; ``most`` is the most requests that were open together."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    most: int = 0
    _open: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, asked: Asked) -> None:
        with self._lock:
            self.asked.append(asked)
            self._open += 1
            self.most = max(self.most, self._open)

    def leave(self) -> None:
        with self._lock:
            self._open -= 1


@contextlib.contextmanager
def web(answer: Callable[[Asked, int], Reply], tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    """``answer`` gets the request and its number, from 1."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    stand = Web(url=f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}")
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.RequestHandlerClass = _handler(stand, answer)
    server.daemon_threads = True
    with _serving(server):
        yield stand


def _handler(stand: Web, answer: Callable[[Asked, int], Reply]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            headers = {key.lower(): value for key, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            asked = Asked(path=parts.path, query=query, headers=headers, body=body)
            stand.enter(asked)
            try:
                self._send(answer(asked, len(stand.asked)))
            finally:
                stand.leave()

        do_POST = do_GET  # noqa: N815  # the name is the base class's

        def _send(self, reply: Reply) -> None:
            self.close_connection = True
            if reply.raw is not None:
                self.wfile.write(reply.raw)
                return
            body = reply.body.encode() if isinstance(reply.body, str) else reply.body
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.tell_length:
                self.send_header("Content-Length", str(len(body) if reply.claim is None else reply.claim))
            self.send_header("Connection", "close")
            self.end_headers()
            with contextlib.suppress(OSError):  # who asked may have heard enough
                self.wfile.write(body)
                while reply.endless:
                    self.wfile.write(reply.endless)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the base class's
            pass

    return Handler


@dataclass(slots=True)
class Dns:
    """A DNS server that stands on UDP. ``asked`` are (name, type), ``queries`` the whole of them."""

    port: int
    asked: list[tuple[str, str]] = field(default_factory=list)
    queries: list[dns.message.Message] = field(default_factory=list)


@contextlib.contextmanager
def dns_server(
    records: Mapping[str, tuple[str, ...]],
    *,
    rcode: int = dns.rcode.NOERROR,
    options: Sequence[dns.edns.Option] = (),
) -> Iterator[Dns]:
    """Answers from lines such as ``"www.example. 60 IN A 192.0.2.1"`` by name; other names do not exist."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, sock = self.request
            query = dns.message.from_wire(data)
            name = query.question[0].name.to_text(omit_final_dot=True).lower()
            stand.asked.append((name, query.question[0].rdtype.name))
            stand.queries.append(query)
            answer = dns_answer(query, records.get(name), rcode)
            answer.use_edns(0, options=list(options))
            sock.sendto(answer.to_wire(), self.client_address)

    server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand = Dns(port=server.server_address[1])
    with _serving(server):
        yield stand


def dns_answer(
    query: dns.message.Message, lines: tuple[str, ...] | None, rcode: int = dns.rcode.NOERROR
) -> dns.message.Message:
    """``SOA`` lines go into the authority section, when there is nothing of the wanted type."""
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.RA
    answer.set_rcode(dns.rcode.Rcode(dns.rcode.NXDOMAIN if lines is None and rcode == dns.rcode.NOERROR else rcode))
    wanted = query.question[0].rdtype.name
    for line in lines or ():
        owner, ttl, _, kind, *data = line.split()
        if kind in ("CNAME", wanted):
            answer.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, " ".join(data)))
        elif kind == "SOA":
            answer.authority.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, " ".join(data)))
    return answer


@contextlib.contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
