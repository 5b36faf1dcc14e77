"""One careful GET: bounded in time, size and redirects; patient with a server that asks for patience.

Only https, and plain http to this machine's own loopback. A broken-off body, a wrong length or a surprise encoding is
never handed on as if it were the whole.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

import httpx

from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable

USER_AGENT: Final = "tokgate"
MAX_REDIRECTS: Final = 3
MAX_WAIT_SECONDS: Final = 60.0
"""Longer than this we do not wait for a server; the next round asks again."""
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole body, with what its server said about it. ``unchanged``: it still has what we have."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def unchanged(self) -> bool:
        return self.status == 304

    def text(self) -> str:
        """Raises ``SourceImplausible`` when it is not UTF-8."""
        try:
            return self.body.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            raise SourceImplausible(f"{self.url}: not UTF-8 at byte {exc.start}", hint=KEPT) from exc


KEPT: Final = "its last good entries stay in force"


@dataclass(frozen=True, slots=True, kw_only=True)
class Getter:
    """How to ask. ``sleep`` and ``transport`` are given by tests; ``attempts`` counts the first one."""

    timeout_seconds: float = 20.0
    max_bytes: int = 16 * 1024 * 1024
    attempts: int = 3
    sleep: Callable[[float], None] = time.sleep
    transport: httpx.BaseTransport | None = None
    total_seconds: float = 120.0
    """For one answer from connecting to its end: each single read of one that drips would be in time."""

    def get(
        self, url: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer with status 200, or 304 when ``headers`` have a condition.

        Raises:
            SourceUnreachable: no answer, or one that asks to come again, after all attempts.
            SourceImplausible: any other status, a body that is broken off, too large or encoded.
        """
        allowed(url)
        once = httpx.Limits(max_keepalive_connections=0)  # a connection for each question, so that its time can end it
        with httpx.Client(
            timeout=self.timeout_seconds,
            transport=self.transport,
            verify=trust(),
            follow_redirects=False,
            limits=once,
        ) as client:
            for attempt in range(1, self.attempts + 1):
                last = attempt == self.attempts
                try:
                    answer = self._follow(client, url, params, {**_HEADERS, **(headers or {})})
                except SourceImplausible as exc:
                    if last or not isinstance(exc.__cause__, httpx.RemoteProtocolError):
                        raise
                    wait = backoff(attempt)
                except SourceUnreachable:
                    if last:
                        raise
                    wait = backoff(attempt)
                else:
                    if answer.status not in _AGAIN:
                        return _good(answer, _CONDITIONS & {name.lower() for name in headers or {}})
                    wait = _wait(answer, attempt)
                    if last or wait > MAX_WAIT_SECONDS:
                        raise _refused(answer, wait)
                self.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _follow(
        self, client: httpx.Client, url: str, params: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> Answer:
        target = httpx.URL(url, params=dict(params)) if params else httpx.URL(url)
        for _ in range(MAX_REDIRECTS + 1):
            answer, location = self._once(client, target, headers)
            if location is None:
                return answer
            target = _redirected(target, location)
        raise SourceImplausible(f"{url}: more than {MAX_REDIRECTS} redirects", hint=KEPT)

    def _once(self, client: httpx.Client, url: httpx.URL, headers: Mapping[str, str]) -> tuple[Answer, str | None]:
        cut = Cut()
        try:
            with cut.after(self.total_seconds):
                found = self._exchange(client, url, headers, cut)
        except SourceError as exc:
            if cut.is_done:
                raise self._late(url) from exc
            raise
        if cut.is_done:  # a body without a told length ends where the connection does
            raise self._late(url)
        return found

    def _late(self, url: httpx.URL) -> SourceUnreachable:
        return SourceUnreachable(f"{url}: not finished after {self.total_seconds:.0f} s", hint=KEPT)

    def _exchange(
        self, client: httpx.Client, url: httpx.URL, headers: Mapping[str, str], cut: Cut
    ) -> tuple[Answer, str | None]:
        try:
            with client.stream("GET", url, headers=dict(headers), extensions={"trace": cut.watch}) as response:
                if response.has_redirect_location:
                    return Answer(status=response.status_code, headers={}, body=b"", url=str(url)), response.headers[
                        "location"
                    ]
                body = self._body(response)
        except httpx.RemoteProtocolError as exc:
            raise SourceImplausible(f"{url}: the answer broke off or is no HTTP: {exc}", hint=KEPT) from exc
        except (httpx.TransportError, httpx.InvalidURL) as exc:
            raise SourceUnreachable(f"{url}: {_reason(exc)}", hint=f"check the network and proxy; {KEPT}") from exc
        return Answer(status=response.status_code, headers=dict(response.headers), body=body, url=str(url)), None

    def _body(self, response: httpx.Response) -> bytes:
        encoding = response.headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise SourceImplausible(f"{response.url}: encoded as {encoding}, which was not asked for", hint=KEPT)
        chunks, size = [], 0
        for chunk in response.iter_raw():
            chunks.append(chunk)
            size += len(chunk)
            if size > self.max_bytes:
                raise SourceImplausible(f"{response.url}: more than {self.max_bytes} bytes", hint=KEPT)
        return b"".join(chunks)


def trust() -> ssl.SSLContext:
    """The authorities that are trusted, as httpx finds them. Read again when they are others: it takes 50 ms."""
    named = tuple(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    return _read_trust(*((place, _changed_at(place)) for place in named))


@lru_cache(maxsize=1)
def _read_trust(*_named: tuple[str | None, int]) -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _changed_at(place: str | None) -> int:
    """In nanoseconds since 1970; 0 where nothing is, which reading says."""
    return os.stat(place).st_mtime_ns if place and os.path.exists(place) else 0


class Cut:
    """Ends a connection from outside when its time is over, whatever its thread is waiting for."""

    def __init__(self) -> None:
        self.is_done = False
        self._socket: socket.socket | None = None

    def watch(self, _event: str, info: Mapping[str, Any]) -> None:
        """httpx tells each step of a request: remember the connection, then the TLS on it."""
        ask = getattr(info.get("return_value"), "get_extra_info", None)
        if ask is not None:
            self._socket = ask("socket")
            self._shut()  # connecting may have taken all the time

    @contextlib.contextmanager
    def after(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        self.is_done = True
        self._shut()

    def _shut(self) -> None:
        if self.is_done and self._socket is not None:
            with contextlib.suppress(OSError):  # the other side may have hung up first
                self._socket.shutdown(socket.SHUT_RDWR)


_CONDITIONS: Final = frozenset({"if-none-match", "if-modified-since"})
_HEADERS: Final = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}


def allowed(url: str) -> None:
    """Raises ``SourceImplausible`` for anything but https, and http to the loopback."""
    parsed = httpx.URL(url)
    if parsed.scheme == "https" or (parsed.scheme == "http" and is_loopback(parsed.host)):
        return
    raise SourceImplausible(f"{url}: only https is asked (http only on this machine's loopback)", hint="use https")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_inside(host: str) -> bool:
    """Whether a literal address is private, loopback or otherwise not of the internet."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost"


def _redirected(url: httpx.URL, location: str) -> httpx.URL:
    """Where a redirect leads. A server outside never sends us inside, and https never becomes http."""
    target = url.join(location)
    try:
        allowed(str(target))
    except SourceImplausible as exc:
        raise SourceImplausible(f"{url}: redirects to {exc.message}", hint=KEPT) from exc
    downgrade = url.scheme == "https" and target.scheme != "https"
    if downgrade or (_is_inside(target.host) and not _is_inside(url.host)):
        raise SourceImplausible(f"{url}: redirects to {target}, which is not followed", hint=KEPT)
    return target


def _good(answer: Answer, conditions: Collection[str]) -> Answer:
    if answer.status == 200 or (answer.unchanged and conditions):
        return answer
    if answer.unchanged:  # nothing was said that could be
        raise SourceImplausible(f"{answer.url}: HTTP status 304 to an unconditional question", hint=KEPT)
    raise SourceImplausible(f"{answer.url}: HTTP status {answer.status}", hint=f"check the address; {KEPT}")


def _refused(answer: Answer, wait: float) -> SourceUnreachable:
    asks = f", asks to wait {wait:.0f} s" if "retry-after" in answer.headers else ""
    return SourceUnreachable(f"{answer.url}: HTTP status {answer.status}{asks}", hint=f"later again; {KEPT}")


def _wait(answer: Answer, attempt: int) -> float:
    """What ``Retry-After`` asks for (seconds or a date), else our own back-off."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked[:9])
    try:
        seconds = (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return backoff(attempt)
    return max(seconds, 0.0)


def backoff(attempt: int) -> float:
    """Seconds before the next attempt: 1, 2, 4, …"""
    return float(2 ** (attempt - 1))


def _reason(exc: Exception) -> str:
    return str(exc) or type(exc).__name__
