"""The API on a socket: uvicorn, made safe to face a network without a proxy in front.

uvicorn sets no time for receiving a request, and its ``limit_concurrency`` turns a few hundred half-sent requests into
503 for everybody. Here every request has an absolute time to arrive whole, and when the connections run out, the one
that has kept us waiting longest makes room. Loopback only unless told otherwise; ``api.proxies`` says who is believed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from api.errors import Malformed, TooSlow
from api.live import Live
from api.problems import MEDIA_TYPE, problem_body
from core.errors import ConfigError, TokgateError
from core.secret import Secret

RECEIPT_SECONDS: Final = 15.0
LINGER_SECONDS: Final = 2.0
DRAIN_SECONDS: Final = 60.0
HANDSHAKE_SECONDS: Final = 10.0
MAX_CONNECTIONS: Final = 512
MAX_HEADER_BYTES: Final = 16 * 1024
GRACE_SECONDS: Final = 10
GARBAGE: Final = 50_000
"""New values after which Python looks for those that only know each other; some ten megabytes."""
_BACKLOG: Final = 2048
_UNRECEIVED: Final = (h11.IDLE, h11.SEND_BODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """A certificate chain and its key, both PEM files."""

    certificate: Path
    key: Path
    passphrase: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """Where to listen and for how long to wait. ``port`` 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 8743
    tls: Tls | None = None
    receipt_seconds: float = RECEIPT_SECONDS
    max_connections: int = MAX_CONNECTIONS


class PromptProtocol(H11Protocol):
    """HTTP/1.1 with an absolute time for the receipt of each request; the subclass of ``for_bind`` says how long."""

    receipt_seconds: float = RECEIPT_SECONDS
    max_connections: int = MAX_CONNECTIONS

    _receipt: asyncio.TimerHandle | None = None
    _drain: asyncio.TimerHandle | None = None
    waiting_since: float = 0.0

    @classmethod
    def for_bind(cls, bind: Bind) -> type[PromptProtocol]:
        limits = {"receipt_seconds": bind.receipt_seconds, "max_connections": bind.max_connections}
        return type("BoundProtocol", (cls,), limits)

    @property
    def is_waiting(self) -> bool:
        """Whether the next move is the caller's: nothing is received, or not all of it."""
        return self.conn.their_state in _UNRECEIVED

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        _send_at_once(transport)
        self.waiting_since = self.loop.time()
        self._expect_request(self.receipt_seconds)
        if len(self.connections) > self.max_connections:
            self._make_room()

    def _make_room(self) -> None:
        others = [c for c in self.connections if isinstance(c, PromptProtocol) and c.is_waiting]
        oldest = min(others, key=lambda c: c.waiting_since, default=self)
        self.connections.discard(oldest)
        oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._receipt is None:
            self._expect_request(self.receipt_seconds)
        super().data_received(data)
        if not self.is_waiting:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        unread = self.conn.their_state is h11.SEND_BODY
        super().on_response_complete()
        if unread:  # the answer came before the body: take a little more of it, so that the caller can read the answer
            self._expect_request(LINGER_SECONDS)
        if not self.transport.is_closing() or self.transport.get_write_buffer_size():
            self._expect_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self._drain is not None:
            self._drain.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def _expect_request(self, seconds: float) -> None:
        self._stop_waiting()
        self.waiting_since = self.loop.time()
        self._receipt = self.loop.call_later(seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._receipt is not None:
            self._receipt.cancel()
            self._receipt = None

    def _too_slow(self) -> None:
        self._receipt = None
        if self.transport.is_closing() or self.conn.our_state is not h11.IDLE:
            self.transport.abort()
            return
        self._refuse(TooSlow(f"the request was not received within {self.receipt_seconds:g} s"))

    def _expect_reader(self) -> None:
        if self._drain is not None:
            self._drain.cancel()
        self._drain = self.loop.call_later(DRAIN_SECONDS, self._abort_unread)

    def _abort_unread(self) -> None:
        """A caller that does not read its answer holds no memory of ours for ever."""
        self._drain = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        self._refuse(Malformed("this is not a valid HTTP request"))

    def _refuse(self, error: TokgateError) -> None:
        """Answer a request that never became one, and hang up."""
        if self.conn.our_state is not h11.IDLE:
            self.transport.abort()
            return
        body = json.dumps(problem_body(error, request_id=None)).encode()
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body))]
        head = h11.Response(
            status_code=error.http_status,
            headers=[*headers, (b"connection", b"close")],
            reason=STATUS_PHRASES[error.http_status],
        )
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self._expect_reader()
        self.transport.close()


def _send_at_once(transport: asyncio.Transport) -> None:
    """asyncio does this itself only for sockets whose protocol is named; those of a listener that was handed over have
    none. Without it each answer on a connection that is kept waits 40 ms for the caller's word on its first half."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class PromptLoop(asyncio.SelectorEventLoop):
    """The standard loop, with a shorter patience for TLS handshakes than its default of a minute."""

    async def create_server(self, *args: Any, **kwargs: Any) -> asyncio.Server:
        if kwargs.get("ssl") is not None:
            kwargs.setdefault("ssl_handshake_timeout", HANDSHAKE_SECONDS)
        return await super().create_server(*args, **kwargs)


class Server(uvicorn.Server):
    """uvicorn, but a signal ends ``run`` in the ordinary way: who called it has a store to close."""

    was_told_to_end = False  # by a signal

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.was_told_to_end = True
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Streams have no end of their own; they get it first."""
        live = getattr(getattr(self.config.app, "state", None), "live", None)
        if isinstance(live, Live):
            live.end()
        await super().shutdown(sockets)

    @property
    def port(self) -> int:
        """The port it listens on; the one it was given, or the one it took."""
        return int(self.servers[0].sockets[0].getsockname()[1])


def build_server(app: FastAPI, bind: Bind) -> Server:
    """A server that has not started. Raises ``ConfigError`` for a certificate or key that cannot be used."""
    return Server(
        uvicorn.Config(
            app,
            host=bind.host,
            port=bind.port,
            loop="api.server:PromptLoop",
            http=PromptProtocol.for_bind(bind),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=2 * bind.max_connections,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=GRACE_SECONDS,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            ssl_certfile=str(bind.tls.certificate) if bind.tls else None,
            ssl_context_factory=_context_factory(bind.tls) if bind.tls else None,
        )
    )


def _context_factory(tls: Tls) -> Any:
    context = tls_context(tls)  # here, not when the server starts: a bad key is a bad configuration
    return lambda config, default: context


def tls_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or newer, the interpreter's own choice of ciphers. Raises ``ConfigError``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    passphrase = tls.passphrase.reveal() if tls.passphrase else ""
    try:
        context.load_cert_chain(tls.certificate, tls.key, lambda: passphrase)
    except OSError as exc:  # ssl.SSLError is one
        raise ConfigError(
            f"TLS: {tls.certificate} and {tls.key} cannot be used together: {exc.strerror or type(exc).__name__}",
            hint="give a PEM certificate chain, its key, and the key's passphrase if it has one",
        ) from exc
    return context


@contextmanager
def listening(bind: Bind) -> Iterator[socket.socket]:
    """A socket that listens for as long as the block runs, over one server after another: no caller is refused.

    Raises ``ConfigError``.
    """
    try:
        family = socket.getaddrinfo(bind.host, bind.port, type=socket.SOCK_STREAM)[0][0]
        opened = socket.create_server((bind.host, bind.port), family=family, backlog=_BACKLOG)
    except OSError as exc:
        raise ConfigError(
            f"cannot listen on {bind.host}:{bind.port}: {exc.strerror}", hint="choose another address or port"
        ) from exc
    with opened:
        yield opened


def run(server: Server, bind: Bind, opened: socket.socket) -> None:
    """Serve on it until SIGINT, SIGTERM or ``should_exit``; open requests get ``GRACE_SECONDS`` to end."""
    look_for_garbage_rarely()
    _run(server, bind, [opened.dup()])  # uvicorn closes what it is given


def look_for_garbage_rarely() -> None:
    """Python looks for it after each 700 new values, which is four times in an answer; and to go through modules and
    the inventory again takes 0.2 s for 1,000 sites, in which nobody is answered: these are set aside."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, 20, 50)


def _run(server: Server, bind: Bind, sockets: list[socket.socket] | None = None) -> None:
    try:
        server.run(sockets)
    except SystemExit as exc:  # uvicorn's way to say that it could not listen
        raise ConfigError(f"cannot listen on {bind.host}:{bind.port}", hint="choose another address or port") from exc


@contextmanager
def serving(app: FastAPI, bind: Bind, *, start_seconds: float = 10.0) -> Iterator[Server]:
    """The API on a thread of this process, for as long as the block runs. Raises ``ConfigError``."""
    server = build_server(app, bind)
    thread = threading.Thread(target=_serve_quietly, args=(server, bind), name="api", daemon=True)
    thread.start()
    deadline = time.monotonic() + start_seconds
    try:
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise ConfigError(f"cannot listen on {bind.host}:{bind.port}", hint="choose another address or port")
            thread.join(0.01)
        yield server
    finally:
        server.should_exit = True
        thread.join()


def _serve_quietly(server: Server, bind: Bind) -> None:
    try:
        _run(server, bind)
    except ConfigError:
        return  # said by ``serving``, which sees that the thread has ended
