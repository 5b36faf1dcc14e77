"""Receivers of syslog and NetFlow: sockets and threads around ``sifting``. ``tokgate serve`` runs them.

One thread reads datagrams, one all streams, one sifts and brings batches to the intake. Between them is a buffer that
has an end: when it is full, streams wait (their senders then do, by TCP), and datagrams are dropped and counted aloud.
While the store cannot take a batch, it is brought again and again, and the buffer fills. Memory does not grow with a
flood.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from controller.evidence.lines import shown
from controller.evidence.listening import KERNEL_TELLS, bound, names_in, overflowed, tls_context
from controller.evidence.model import Batch, Intake, Quarantine, Rejected
from controller.evidence.senders import Senders
from controller.evidence.sifting import Arrival, Sieve, Sifted
from controller.evidence.syslog import Frames, Overlong
from controller.evidence.waiting import Buffer, size_of
from controller.inventory import Inventory
from controller.inventory.evidence import Listener
from core.clock import Clock
from core.errors import TokgateError
from core.ids import new_id

log = structlog.get_logger()

BATCH: Final = 2_000
"""Messages brought to the intake at once."""
MOST_CONNECTIONS: Final = 1_000
MOST_STRANGERS: Final = 50
"""Connections from addresses that are no sender's: they are read, and set aside, and take nobody's place."""
HANDSHAKE_SECONDS: Final = 10.0
LOUD: Final = timedelta(minutes=10)
"""So long after a drop the health of the process says so."""
DRAIN_SECONDS: Final = 10.0
"""How long a stop waits for what was received to reach the store."""
_RETRY_MOST: Final = 30.0
_READ: Final = 64 * 1024
_TURN: Final = 16
"""Reads of one connection before the next one has its turn."""
_DATAGRAMS: Final = 1_000
_MOST_REFUSALS: Final = 1_000


@dataclass(slots=True, kw_only=True)
class Figures:
    """What was received since the start, by this process. Whole numbers of messages, but for what says otherwise."""

    received: Counter[str] = field(default_factory=Counter)  # by "udp", "tcp", "tls", "netflow"
    octets: int = 0
    dropped: int = 0  # datagrams for which there was no room, here or in the kernel
    lost: int = 0  # taken, and not brought to the store before the stop
    passed: int = 0
    repeated: int = 0  # messages that came once more
    sightings: int = 0
    rejected: Counter[Quarantine] = field(default_factory=Counter)
    strange: int = 0  # bytes of no charset
    refused: int = 0  # connections
    connections: int = 0  # now
    waiting: int = 0  # now
    dropped_at: datetime | None = None
    trouble: str = ""  # why the store takes nothing, now
    heard: dict[str, datetime] = field(default_factory=dict)  # by sender


@dataclass(slots=True, kw_only=True, eq=False)
class _Connection:
    sock: socket.socket
    peer: str
    over: str
    is_known: bool
    frames: Frames = field(default_factory=Frames)
    handshake_until: float | None = None  # of the monotonic clock; None: it is over
    names: tuple[str, ...] = ()  # of the certificate that it showed


class Receiver:
    """All listeners of an inventory. ``with Receiver(…)`` listens for as long as the block runs."""

    def __init__(self, inventory: Inventory, intake: Intake, clock: Clock, *, buffer: Buffer | None = None) -> None:
        """Raises ``ConfigError`` for a place that cannot be listened at, or a certificate that cannot be used."""
        rules = inventory.evidence
        self._clock, self._intake = clock, intake
        self._senders = Senders(inventory)
        self._sieve = Sieve(
            senders=self._senders,
            ahead=timedelta(seconds=rules.clock_ahead_seconds),
            back=timedelta(seconds=rules.clock_back_seconds),
            too_old=rules.too_old,
        )
        self._buffer = Buffer() if buffer is None else buffer
        self._figures = Figures()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._refusals: deque[Rejected] = deque(maxlen=_MOST_REFUSALS)
        self._wake = [socket.socketpair() for _ in range(2)]
        self._contexts: dict[int, ssl.SSLContext] = {}
        self._sockets: list[tuple[Listener, socket.socket]] = []
        try:
            for listener in rules.listen:
                context = tls_context(listener) if listener.over == "tls" else None
                sock = bound(listener)
                self._sockets.append((listener, sock))
                if context is not None:
                    self._contexts[sock.fileno()] = context
        except BaseException:
            self._close()
            raise
        work = (("datagrams", self._datagrams), ("streams", self._streams), ("sifting", self._sifting))
        self._threads = [threading.Thread(target=run, name=f"evidence-{name}", daemon=True) for name, run in work]

    def __enter__(self) -> Receiver:
        for thread in self._threads:
            thread.start()
        for listener, sock in self._sockets:
            host, port = sock.getsockname()[:2]
            log.info("evidence.listening", over=listener.over, host=host, port=port, senders=len(self._senders))
        return self

    def __exit__(self, *_error: object) -> None:
        """What was received is brought to the store, if it takes it within some seconds."""
        self._stopping.set()
        for _, send in self._wake:
            send.send(b".")
        for thread in self._threads:
            thread.join(2 * DRAIN_SECONDS)
        self._close()
        if lost := len(self._buffer):
            self._count(lost=lost)
        if self._figures.lost:
            log.error("evidence.lost", messages=self._figures.lost, hint="the store took nothing before the stop")

    def _close(self) -> None:
        for sock in (*(sock for _, sock in self._sockets), *(end for pair in self._wake for end in pair)):
            sock.close()

    @property
    def ports(self) -> tuple[int, ...]:
        """Of each listener, in the order of the inventory."""
        return tuple(int(sock.getsockname()[1]) for _, sock in self._sockets)

    def figures(self) -> Figures:
        """As they are now."""
        with self._lock:
            now = self._figures
            copied = replace(now, received=Counter(now.received), rejected=Counter(now.rejected), heard=dict(now.heard))
        copied.waiting = len(self._buffer)
        return copied

    def troubles(self) -> list[str]:
        """What is wrong with receiving just now, for people."""
        now = self.figures()
        found = [f"the thread {thread.name} has ended" for thread in self._threads if not thread.is_alive()]
        if now.trouble:
            found.append(f"the store takes nothing: {now.trouble}")
        if now.dropped_at is not None and self._clock.now() - now.dropped_at < LOUD:
            found.append(f"{now.dropped} datagrams were dropped since the start, the last at {now.dropped_at:%H:%M}Z")
        return found

    def _count(self, *, dropped: int = 0, lost: int = 0, refused: int = 0, connections: int = 0) -> None:
        with self._lock:
            self._figures.dropped += dropped
            self._figures.lost += lost
            self._figures.refused += refused
            self._figures.connections += connections
            if dropped:
                self._figures.dropped_at = self._clock.now()

    def _count_received(self, over: str, sizes: Iterable[int]) -> None:
        counted = list(sizes)
        with self._lock:
            self._figures.received[over] += len(counted)
            self._figures.octets += sum(counted)

    # --- datagrams ------------------------------------------------------------------------------------------------

    def _datagrams(self) -> None:
        space, before = bytearray(_READ), dict[int, int]()
        with selectors.DefaultSelector() as selector:
            for listener, sock in self._sockets:
                if listener.is_datagrams:
                    selector.register(sock, selectors.EVENT_READ, listener)
            selector.register(self._wake[0][0], selectors.EVENT_READ)
            while not self._stopping.is_set():
                most = min(_DATAGRAMS, self._buffer.room(0.1)) if KERNEL_TELLS else _DATAGRAMS
                if not most:
                    continue  # the kernel keeps some, drops the rest and counts them: cheaper than to read and drop
                for key, _ in selector.select():
                    if isinstance(key.fileobj, socket.socket) and isinstance(key.data, Listener):
                        self._read_datagrams(key.fileobj, key.data.over, space, before, most)

    def _read_datagrams(
        self, sock: socket.socket, over: str, space: bytearray, before: dict[int, int], most: int
    ) -> None:
        now, found, missed = self._clock.now(), list[Arrival](), 0
        for _ in range(most):
            try:
                size, told, _, where = sock.recvmsg_into([space], 64)
            except BlockingIOError:
                break
            except OSError:  # an ICMP error that an earlier datagram of ours cannot have caused, or the end
                continue
            missed += overflowed(sock.fileno(), told, before)
            found.append(Arrival(bytes(memoryview(space)[:size]), where[0], over, now))
        self._count_received(over, (size_of(arrival) for arrival in found))
        if dropped := missed + self._buffer.offer(found):
            self._count(dropped=dropped)

    # --- streams --------------------------------------------------------------------------------------------------

    def _streams(self) -> None:
        open_: dict[socket.socket, _Connection] = {}
        with selectors.DefaultSelector() as selector:
            for listener, sock in self._sockets:
                if not listener.is_datagrams:
                    selector.register(sock, selectors.EVENT_READ, listener)
            selector.register(self._wake[1][0], selectors.EVENT_READ)
            while not self._stopping.is_set():
                for key, _ in selector.select(1.0):
                    if isinstance(key.data, Listener) and isinstance(key.fileobj, socket.socket):
                        self._accept(key.fileobj, key.data, selector, open_)
                    elif isinstance(key.data, _Connection):
                        self._turn(key.data, selector, open_)
                self._end_slow(selector, open_)
            for connection in list(open_.values()):
                self._end(connection, selector, open_)

    def _accept(
        self,
        listening: socket.socket,
        listener: Listener,
        selector: selectors.BaseSelector,
        open_: dict[socket.socket, _Connection],
    ) -> None:
        try:
            sock, where = listening.accept()
        except OSError:  # it went away, or there are no descriptors left: the next turn tries again
            return
        peer = where[0]
        known = self._senders.at(peer) is not None
        alike = sum(connection.is_known is known for connection in open_.values())
        if alike >= (MOST_CONNECTIONS if known else MOST_STRANGERS):
            sock.close()
            self._count(refused=1)
            self._refuse(
                listener.over, peer, Quarantine.STRANGER, f"{alike} connections are open: one more was refused"
            )
            return
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        until, context = None, self._contexts.get(listening.fileno())
        if context is not None:
            until = time.monotonic() + HANDSHAKE_SECONDS
        held = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False) if context else sock
        connection = _Connection(sock=held, peer=peer, over=listener.over, is_known=known, handshake_until=until)
        open_[held] = connection
        selector.register(held, selectors.EVENT_READ, connection)
        self._count(connections=1)

    def _turn(
        self, connection: _Connection, selector: selectors.BaseSelector, open_: dict[socket.socket, _Connection]
    ) -> None:
        """What a connection has for us now."""
        try:
            if connection.handshake_until is not None and isinstance(connection.sock, ssl.SSLSocket):
                connection.sock.do_handshake()
                connection.handshake_until = None
                connection.names = names_in(connection.sock.getpeercert())
                connection.is_known |= self._senders.certified(connection.names) is not None
            selector.modify(connection.sock, selectors.EVENT_READ, connection)
            ended = not all(self._took(connection, data) for data in _reads(connection.sock))
        except ssl.SSLWantReadError:
            return
        except ssl.SSLWantWriteError:
            selector.modify(connection.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)
            return
        except OSError as exc:  # ssl.SSLError is one
            if connection.handshake_until is not None:
                said = getattr(exc, "reason", None) or exc.strerror or type(exc).__name__
                self._count(refused=1)
                self._refuse(connection.over, connection.peer, Quarantine.STRANGER, f"no TLS: {said}")
            ended = True
        if ended:
            self._end(connection, selector, open_)

    def _took(self, connection: _Connection, data: bytes) -> bool:
        """False: the stream has ended, or makes no sense any more."""
        if not data:
            return False
        self._bring(connection, connection.frames.feed(data))
        if connection.frames.trouble:
            said = f"{connection.frames.trouble}: the connection was closed"
            self._refuse(connection.over, connection.peer, Quarantine.UNREADABLE, said, data)
            return False
        return True

    def _bring(self, connection: _Connection, messages: Iterable[bytes | Overlong], *, cut: bool = False) -> None:
        now = self._clock.now()
        about = (connection.peer, connection.over, now, cut, connection.names)
        found = [Arrival(message, *about) for message in messages]
        if found:
            self._count_received(connection.over, (size_of(arrival) for arrival in found))
            self._count(lost=self._buffer.put(found, self._stopping))

    def _end(
        self, connection: _Connection, selector: selectors.BaseSelector, open_: dict[socket.socket, _Connection]
    ) -> None:
        rest = connection.frames.end()
        if rest is not None and not connection.frames.trouble and not self._stopping.is_set():
            self._bring(connection, [rest], cut=True)
        selector.unregister(connection.sock)
        del open_[connection.sock]
        connection.sock.close()
        self._count(connections=-1)

    def _end_slow(self, selector: selectors.BaseSelector, open_: dict[socket.socket, _Connection]) -> None:
        now = time.monotonic()
        slow = [c for c in open_.values() if c.handshake_until is not None and c.handshake_until < now]
        for connection in slow:
            self._count(refused=1)
            self._refuse(connection.over, connection.peer, Quarantine.STRANGER, "no TLS: the handshake did not end")
            self._end(connection, selector, open_)

    def _refuse(self, over: str, peer: str, why: Quarantine, detail: str, head: bytes = b"") -> None:
        origin, known = f"syslog {over} {peer}", self._senders.at(peer)
        site = known.site if known else None
        self._refusals.append(Rejected(why=why, origin=origin, text=shown(head), detail=detail, site=site))

    # --- sifting --------------------------------------------------------------------------------------------------

    def _sifting(self) -> None:
        told, told_at, until = 0, time.monotonic(), float("inf")
        while time.monotonic() < until:
            arrivals = self._buffer.take(BATCH, 0.25)
            if arrivals or self._refusals:
                self._sift(arrivals)
            elif self._stopping.is_set() and not any(thread.is_alive() for thread in self._threads[:2]):
                return
            if self._stopping.is_set() and until == float("inf"):
                until = time.monotonic() + DRAIN_SECONDS
            if self._figures.dropped > told and time.monotonic() - told_at > 1:
                log.warning(
                    "evidence.dropped",
                    datagrams=self._figures.dropped - told,
                    hint="more is sent than is read: send less, or over TCP or TLS, which wait",
                )
                told, told_at = self._figures.dropped, time.monotonic() + 60

    def _sift(self, arrivals: list[Arrival]) -> None:
        try:
            sifted = self._sieve.sift(arrivals)
            rejected = (*sifted.rejected, *_all(self._refusals))
            if sifted.sightings or rejected:
                batch = Batch(origin="syslog", id=new_id(), sightings=sifted.sightings, rejected=rejected)
                if not self._deliver(batch):
                    self._count(lost=len(arrivals))
                    return
            self._count_sifted(sifted, rejected)
        except Exception:  # the top of this thread: one batch that nobody foresaw ends no other
            log.exception("evidence.failed", messages=len(arrivals))
            self._count(lost=len(arrivals))

    def _deliver(self, batch: Batch) -> bool:
        """Bring it until it is taken; False: a stop came first. Brought again under its id, it counts once."""
        wait = 0.5
        while True:
            try:
                self._intake.take(batch)
            except TokgateError as exc:
                with self._lock:
                    first, self._figures.trouble = not self._figures.trouble, str(exc)
                if first:
                    log.warning("evidence.not_taken", error=str(exc), hint="it is brought again until it is taken")
                if self._stopping.wait(wait):
                    return False
                wait = min(2 * wait, _RETRY_MOST)
            else:
                with self._lock:
                    again, self._figures.trouble = bool(self._figures.trouble), ""
                if again:
                    log.info("evidence.taken_again")
                return True

    def _count_sifted(self, sifted: Sifted, rejected: Iterable[Rejected]) -> None:
        with self._lock:
            now = self._figures
            now.passed += sifted.passed
            now.repeated += sifted.repeated
            now.strange += sifted.strange
            now.sightings += len(sifted.sightings)
            now.heard.update(sifted.heard)
            for one in rejected:
                now.rejected[one.why] += one.count


def _all(refusals: deque[Rejected]) -> Iterator[Rejected]:
    while refusals:
        yield refusals.popleft()


def _reads(sock: socket.socket) -> Iterator[bytes]:
    """What is there now, and ``b""`` at the end; no more than a turn's worth."""
    for _ in range(_TURN):
        try:
            data = sock.recv(_READ)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        yield data
        if not data:
            return
    if isinstance(sock, ssl.SSLSocket):
        while pending := sock.pending():  # no event comes for what is decrypted already
            yield sock.recv(pending)


__all__ = ["Figures", "Receiver"]
