"""Syslog over TLS (RFC 5425) or TCP (RFC 6587): a stream that nobody answers on.

The protocol has no word for "taken". So what was written counts as taken only when the other machine's TCP has
acknowledged all of it and the connection has stood for a moment longer; when it breaks before, everything since is
written again on the next one. What a collector loses that has read it, and dies, no sender of syslog can know.
"""

from __future__ import annotations

import fcntl
import select
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from controller import tls_words
from controller.export.spool import Entry
from controller.export.wire import CONNECT_SECONDS, DEADLINE_SECONDS, Down, tls_context, words
from controller.inventory.exports import SyslogExport
from core.clock import Clock

SETTLE_SECONDS: Final = 1.0
END_SECONDS: Final = 3.0
MOST_UNDER_WAY: Final = 5_000
_SIOCOUTQ: Final = 0x5411
"""Linux: bytes that the other side has not acknowledged. Elsewhere the moment has to do alone."""
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000))


class SyslogWire:
    """One connection at a time."""

    batch = 500

    def __init__(self, config: SyslogExport, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._opened: socket.socket | None = None
        self._under_way: deque[Entry] = deque()
        self._drained: tuple[Entry, float] | None = None  # acknowledged by TCP, and since when

    def send(self, batch: Sequence[Entry]) -> None:
        """As ``Wire``. While too much is under way nothing is taken, and ``Down`` is not raised for it."""
        opened = self._opened or self._connect()
        data = b"".join(framed(entry.text, framing=self._config.framing) for entry in batch)
        try:
            opened.settimeout(DEADLINE_SECONDS)
            opened.sendall(data)
        except (OSError, ValueError) as exc:
            raise Down(f"the connection broke: {words(exc)}") from exc
        self._under_way.extend(batch)

    @property
    def has_room(self) -> bool:
        return len(self._under_way) < MOST_UNDER_WAY

    def confirmed(self) -> Entry | None:
        if self._opened is None:
            return None
        self._refuse_closed(self._opened)
        now = self._clock.monotonic()
        if self._drained is None and self._under_way and _unacknowledged(self._opened) == 0:
            self._drained = (self._under_way[-1], now)
        if self._drained is None or now - self._drained[1] < SETTLE_SECONDS:
            return None
        last, self._drained = self._drained[0], None
        while self._under_way and self._under_way[0].number <= last.number:
            self._under_way.popleft()
        return last

    def end(self) -> Entry | None:
        """A collector that has read to our end hangs up too; one that has not, resets the connection."""
        opened, last = self._opened, self._under_way[-1] if self._under_way else None
        try:
            if opened is None or not _is_read_to_the_end(opened):
                return None
        finally:
            self.drop()
        return last

    def drop(self) -> None:
        if self._opened is not None:
            with suppress(OSError):
                self._opened.close()
        self._opened, self._drained = None, None
        self._under_way.clear()

    def _connect(self) -> socket.socket:
        where = f"{self._config.host}:{self._config.port}"
        try:
            plain = socket.create_connection((self._config.host, self._config.port), timeout=CONNECT_SECONDS)
        except OSError as exc:
            raise Down(f"{where}: {words(exc)}") from exc
        try:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE:
                if hasattr(socket, name):
                    plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
            self._opened = self._secured(plain) if self._config.transport == "tls" else plain
        except (OSError, ValueError) as exc:
            plain.close()
            raise Down(f"{where}: {self._words(exc)}") from exc
        except BaseException:
            plain.close()
            raise
        return self._opened

    def _secured(self, plain: socket.socket) -> socket.socket:
        config = self._config
        context = tls_context(authorities=config.ca_file, certificate=config.client_cert, key=config.client_key)
        plain.settimeout(DEADLINE_SECONDS)
        return context.wrap_socket(plain, server_hostname=config.server_name or config.host)

    def _words(self, exc: Exception) -> str:
        if not isinstance(exc, ssl.SSLError):
            return words(exc)
        config, name = self._config, self._config.server_name or self._config.host
        return tls_words.refused(
            exc,
            host=config.host,
            address=config.host,
            port=config.port,
            name=name,
            authorities="`ca_file`",
            renamed="`server_name`",
        )

    def _refuse_closed(self, opened: socket.socket) -> None:
        """A collector says nothing; what can be read is its end, or a break. Raises ``Down``."""
        opened.settimeout(0)
        try:
            while opened.recv(4096):
                pass
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except (OSError, ValueError) as exc:
            raise Down(f"the connection broke: {words(exc)}") from exc
        raise Down("the collector hung up")


def framed(text: str, *, framing: str) -> bytes:
    """One message on a stream. No form has a newline in it."""
    data = text.encode()
    return data + b"\n" if framing == "newline" else b"%d %s" % (len(data), data)


def _unacknowledged(opened: socket.socket) -> int:
    """Bytes that were written and have not arrived; ``0`` where the system does not tell."""
    try:
        found = fcntl.ioctl(opened.fileno(), _SIOCOUTQ, b"\0" * 4)
    except OSError:
        return 0
    return int(struct.unpack("i", found)[0])


def _is_read_to_the_end(opened: socket.socket) -> bool:
    """Say that we are done, and see whether the other side is: by its own end, not by a reset."""
    read: Callable[[int], bytes] = opened.recv
    try:
        opened.settimeout(END_SECONDS)
        if isinstance(opened, ssl.SSLSocket):
            with suppress(ssl.SSLError, TimeoutError):  # it need not say goodbye in TLS's own words
                opened.settimeout(END_SECONDS / 3)
                opened.unwrap()
        socket.socket.shutdown(opened, socket.SHUT_WR)
        read = lambda size: socket.socket.recv(opened, size)  # noqa: E731  # below TLS, which is over
        while select.select([opened], [], [], END_SECONDS)[0]:
            if not read(4096):
                return True
    except (OSError, ValueError):
        return False
    return False


__all__ = ["SyslogWire", "framed"]
