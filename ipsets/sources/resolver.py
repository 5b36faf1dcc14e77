"""A DNS resolver, and how it is asked: plainly (UDP, and TCP for what is cut off), over TLS, or over HTTPS.

Sources: RFC 7858 (TLS), RFC 8484 (HTTPS), RFC 8467 (padding). Over TLS and HTTPS a resolver proves who it is by its
certificate, and one that cannot is never believed. HTTPS is asked by httpx, as HTTP/2 where the resolver has it (many
have nothing else); dnspython's own wants another client from release to release. A connection is used for one question
at a time, because an HTTP/2 connection of httpx must not be shared between threads (encode/httpx issue 3072).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias

import dns.exception
import dns.message
import dns.query
import httpx

from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.sources.http import KEPT, USER_AGENT, Cut

Over: TypeAlias = Literal["plain", "tls", "https"]
MAX_ANSWER: Final = 65_535
PADDED_TO: Final = 128
_MEDIA_TYPE: Final = "application/dns-message"
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_EXPIRED, _NOT_YET, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64  # X509_V_ERR_…, openssl/x509_vfy.h


@dataclass(frozen=True, slots=True)
class Resolver:
    """A DNS server. ``host`` is an address, or the whole address of the page to ask over HTTPS.

    ``name``: whom its certificate must be for, over TLS; the address itself when empty.
    """

    host: str
    port: int = 53
    over: Over = "plain"
    name: str = ""

    def __str__(self) -> str:
        if self.over == "https":
            return self.host
        if self.over == "plain":
            return self.host if self.port == 53 else f"{self.host}#{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == 853 else f":{self.port}"
        return f"tls://{host}{port}{f'#{self.name}' if self.name else ''}"


class Line(Protocol):
    """One way to a resolver, for one question at a time."""

    def ask(self, question: dns.message.Message) -> dns.message.Message: ...

    def close(self) -> None: ...


class Asking:
    """Questions to one resolver from several threads, on connections that are used again.

    Raises ``SourceUnreachable`` for silence, ``SourceImplausible`` for a certificate that proves nothing, and for what
    is no DNS.
    """

    def __init__(self, resolver: Resolver, *, timeout_seconds: float, ca_file: Path | None = None) -> None:
        self.resolver = resolver
        self._timeout = timeout_seconds
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None
        self._idle: list[Line] = []

    def __enter__(self) -> Asking:
        if self.resolver.over != "plain":
            self._context = _context(self._ca_file, str(self.resolver))
        return self

    def __exit__(self, *_: object) -> None:
        while self._idle:
            self._idle.pop().close()

    def ask(self, question: dns.message.Message) -> dns.message.Message:
        line = self._spare()
        return self._on(line or self._connected(), question, used=line is not None)

    def _spare(self) -> Line | None:
        with contextlib.suppress(IndexError):  # another thread may have been faster than a look at its length
            return self._idle.pop()
        return None

    def _on(self, line: Line, question: dns.message.Message, *, used: bool) -> dns.message.Message:
        try:
            answer = line.ask(question)
        except _FAULTS as exc:
            line.close()
            if used and not _is_silence(exc):  # the resolver may have closed a connection that stood idle
                return self._on(self._connected(), question, used=False)
            raise self._failure(exc) from exc
        except SourceError:
            line.close()
            raise
        self._idle.append(line)
        return answer

    def _connected(self) -> Line:
        try:
            return self._connect()
        except _FAULTS as exc:
            raise self._failure(exc) from exc

    def _connect(self) -> Line:
        if self._context is None:
            return _Plain(self.resolver, self._timeout)
        kind: Callable[[Resolver, float, ssl.SSLContext], Line] = _Tls if self.resolver.over == "tls" else _Https
        return kind(self.resolver, self._timeout, self._context)

    def _failure(self, exc: BaseException) -> SourceError:
        if fault := _certificate_fault(exc):
            why = f"{self.resolver}: its certificate proves nothing: {fault.verify_message}"
            return SourceImplausible(why, hint=f"{_remedy(fault.verify_code)}; {KEPT}")
        if _is_silence(exc):
            return SourceUnreachable(f"{self.resolver}: no answer in {self._timeout:.1f} s", hint=KEPT)
        what = "closed the connection" if isinstance(exc, EOFError) else str(exc) or type(exc).__name__
        said = f"{self.resolver}: {what}"
        if isinstance(exc, dns.exception.DNSException):
            return SourceImplausible(f"{said} (no DNS answer)", hint=KEPT)
        return SourceUnreachable(said, hint=f"check the network and the resolver; {KEPT}")


class _Plain:
    """UDP, and TCP when the answer was cut off. There is nothing to keep open.

    Packets that are no answer to the question are passed over: anybody can send one before the resolver does.
    """

    def __init__(self, resolver: Resolver, timeout: float) -> None:
        self._resolver = resolver
        self._timeout = timeout

    def ask(self, question: dns.message.Message) -> dns.message.Message:
        answer, _ = dns.query.udp_with_fallback(
            question,
            self._resolver.host,
            port=self._resolver.port,
            timeout=self._timeout,
            ignore_unexpected=True,
            ignore_errors=True,
        )
        return answer

    def close(self) -> None:
        pass


class _Tls:
    """One TLS connection, opened and proven within the time for an answer."""

    def __init__(self, resolver: Resolver, timeout: float, context: ssl.SSLContext) -> None:
        self._resolver = resolver
        self._timeout = timeout
        connection = socket.create_connection((resolver.host, resolver.port), timeout=timeout)
        self._socket = context.wrap_socket(connection, server_hostname=resolver.name or resolver.host)
        self._socket.setblocking(False)  # as dns.query wants it: it waits by itself

    def ask(self, question: dns.message.Message) -> dns.message.Message:
        return dns.query.tls(question, self._resolver.host, timeout=self._timeout, sock=self._socket)

    def close(self) -> None:
        self._socket.close()


class _Https:
    """One HTTP connection. An answer is over when its time is, however slowly it drips."""

    def __init__(self, resolver: Resolver, timeout: float, context: ssl.SSLContext) -> None:
        self._url = resolver.host
        self._timeout = timeout
        self._cut = Cut()
        self._client = httpx.Client(http2=True, verify=context, timeout=timeout, follow_redirects=False)

    def ask(self, question: dns.message.Message) -> dns.message.Message:
        with self._cut.after(self._timeout):
            try:
                body = self._exchange(question.to_wire())
            except (httpx.TransportError, SourceError) as exc:
                if self._cut.is_done:
                    raise TimeoutError from exc
                raise
        if self._cut.is_done:
            raise TimeoutError
        answer = dns.message.from_wire(body)
        if not question.is_response(answer):
            raise dns.query.BadResponse
        return answer

    def _exchange(self, wire: bytes) -> bytes:
        headers = {"User-Agent": USER_AGENT, "Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE}
        headers["Accept-Encoding"] = "identity"
        with self._client.stream(
            "POST", self._url, content=wire, headers=headers, extensions={"trace": self._cut.watch}
        ) as response:
            if response.status_code in _LATER:
                raise SourceUnreachable(f"{self._url}: HTTP status {response.status_code}", hint=f"later again; {KEPT}")
            if response.status_code != 200:
                raise self._implausible(f"HTTP status {response.status_code}")
            kind = response.headers.get("content-type", "none").partition(";")[0].strip().lower()
            if kind != _MEDIA_TYPE or response.headers.get("content-encoding", "identity") != "identity":
                raise self._implausible(f"an answer of type {kind[:60]}, not {_MEDIA_TYPE}")
            return b"".join(self._pieces(response))

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        size = 0
        for piece in response.iter_raw():
            size += len(piece)
            if size > MAX_ANSWER:
                raise self._implausible(f"more than {MAX_ANSWER} bytes")
            yield piece

    def _implausible(self, why: str) -> SourceImplausible:
        return SourceImplausible(f"{self._url}: {why}", hint=f"check the address; {KEPT}")

    def close(self) -> None:
        self._client.close()


_FAULTS: Final = (dns.exception.DNSException, httpx.TransportError, httpx.InvalidURL, OSError, EOFError)


def _context(ca_file: Path | None, place: str) -> ssl.SSLContext:
    """Who is believed: the authorities in ``ca_file``, else those that https addresses are checked with too."""
    if ca_file is None:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as exc:  # ssl.SSLError is one
        why = exc.strerror or type(exc).__name__
        hint = f"name a file of certificates (PEM); {KEPT}"
        raise SourceUnreachable(f"{place}: ca_file {ca_file}: {why}", hint=hint) from exc


def _certificate_fault(exc: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """What the certificate lacks, also where a library wrapped it."""
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return exc
        exc = exc.__cause__ or exc.__context__
    return None


def _remedy(code: int) -> str:
    if code in (_EXPIRED, _NOT_YET):
        return "its operator must renew it, or this machine's clock is wrong"
    if code in (_OTHER_NAME, _OTHER_ADDRESS):
        return "ask it by the name in its certificate (tls://address#name)"
    return "if it is your own, name its authority in `ca_file`"


def _is_silence(exc: BaseException) -> bool:
    return isinstance(exc, (TimeoutError, dns.exception.Timeout, httpx.TimeoutException))
