"""How an emulated firewall pulls a list for real: one HTTP(S) request over a socket, and what came of it.

Called by the emulators. What a vendor sends, and what it makes of each answer, is decided there; here nothing is
retried, followed or made up. A body that ends early is never given to anybody.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import socket
import ssl
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of one list."""
Fetch = Callable[[str], bytes]
"""The short form, for tests of one device: the text at an address, or ``OSError``."""


class Untrusted(ConnectionError):
    """The server's certificate is not one that was asked for: another name, out of date, by nobody known."""


class Cut(ConnectionError):
    """The answer ended before its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose certificates are taken. ``names``: the certificate must be for the host of the address as well."""

    authorities: str  # PEM, one or more
    names: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. ``trust`` None: no certificate is looked at. ``tag``, ``date``: what the last answer told."""

    url: str
    method: Literal["GET", "HEAD"] = "GET"
    username: str = ""
    password: str = ""
    agent: str = ""
    trust: Trust | None = None
    tag: str = ""
    date: str = ""
    gzip: bool = False

    @property
    def headers(self) -> dict[str, str]:
        said = {"User-Agent": self.agent, "If-None-Match": self.tag, "If-Modified-Since": self.date}
        if self.username or self.password:
            pair = b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")
            said["Authorization"] = f"Basic {pair}"
        if self.gzip:
            said["Accept-Encoding"] = "gzip"
        return {"Accept": "*/*", **{name: value for name, value in said.items() if value}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``body`` is whole, and unzipped."""

    status: int
    body: bytes = b""
    tag: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """The way from a box to web servers. ``hosts``: addresses of names; others are looked up by this machine."""

    source: str = "127.0.0.1"
    """The address that its requests come from: any of the loopback's."""
    authorities: Mapping[str, str] = field(default_factory=dict)
    """Certificates (PEM) that were brought onto the box, by the name that its configuration has for them."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 10.0

    def send(self, request: Request) -> Answer:
        """Raises ``Untrusted``, ``Cut``, ``OSError``: there is no whole answer."""
        where = urlsplit(request.url)
        with self._connected(where, request.trust) as connection:
            connection.request(request.method, _path(where), headers={"Host": where.netloc, **request.headers})
            with connection.getresponse() as response:
                body = response.read(LARGEST + 1)
                if len(body) > LARGEST:
                    raise Cut(f"{request.url}: more than {LARGEST} bytes")
                if response.length:  # a read of so many bytes at most does not tell of fewer
                    raise Cut(f"{request.url}: {response.length} bytes are missing")
                if not body and response.length is None and not response.chunked:
                    raise Cut(f"{request.url}: nothing, and no length told")
                zipped = response.headers.get("Content-Encoding", "") == "gzip"
                return Answer(
                    status=response.status,
                    body=_unzipped(body) if zipped and body else body,
                    tag=response.headers.get("ETag", ""),
                    date=response.headers.get("Last-Modified", ""),
                )

    @contextlib.contextmanager
    def _connected(self, where: SplitResult, trust: Trust | None) -> Iterator[http.client.HTTPConnection]:
        host = where.hostname or ""
        port = where.port or (443 if where.scheme == "https" else 80)
        connection = http.client.HTTPConnection(host, port, timeout=self.seconds)
        try:
            connection.sock = self._socket(host, port)
            if where.scheme == "https":
                connection.sock = _context(trust).wrap_socket(connection.sock, server_hostname=host)
            yield connection
        except ssl.SSLCertVerificationError as exc:
            raise Untrusted(exc.verify_message) from exc
        except http.client.IncompleteRead as exc:
            raise Cut(f"{len(exc.partial)} bytes, and then nothing") from exc
        except http.client.HTTPException as exc:
            raise Cut(type(exc).__name__) from exc
        finally:
            connection.close()

    def _socket(self, host: str, port: int) -> socket.socket:
        address = self.hosts.get(host, host)
        same = _version(address) in (None, _version(self.source))
        return socket.create_connection((address, port), self.seconds, (self.source, 0) if same else None)


def _version(address: str) -> int | None:
    try:
        return ip_address(address).version
    except ValueError:
        return None


def _context(trust: Trust | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = trust is not None and trust.names
    context.verify_mode = ssl.CERT_NONE if trust is None else ssl.CERT_REQUIRED
    if trust is not None and trust.authorities:
        context.load_verify_locations(cadata=trust.authorities)
    return context


def _path(where: SplitResult) -> str:
    return f"{where.path or '/'}{'?' if where.query else ''}{where.query}"


def _unzipped(body: bytes) -> bytes:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error) as exc:
        raise Cut("no whole gzip") from exc


def ask(how: Fetch | Wire | None, request: Request) -> Answer:
    """By whichever way the box has. Raises ``OSError``."""
    if how is None:
        raise ConnectionError(request.url)
    return how.send(request) if isinstance(how, Wire) else Answer(status=200, body=how(request.url))


def authorities_of(how: Fetch | Wire | None) -> Mapping[str, str]:
    """The certificates on the box."""
    return how.authorities if isinstance(how, Wire) else {}


def polling(wire: Wire, request: Callable[[str], Request] = lambda url: Request(url=url)) -> Fetch:
    """A ``Fetch`` that asks by HEAD whether there is another content, and only then by GET, as Junos does.

    Source: Karel Hendrych, "SRX dynamic IP objects aka feed-server" (community.juniper.net, 2025-11-30). Which of the
    headers tells is not said: here it is the tag, else the date. Anything but 200 is an ``OSError``.
    """
    known: dict[str, Answer] = {}

    def fetch(url: str) -> bytes:
        asked = request(url)
        before = known.get(url)
        seen = _good(wire, asked, "HEAD")
        if before is None or (seen.tag or seen.date) != (before.tag or before.date) or not (seen.tag or seen.date):
            known[url] = _good(wire, asked, "GET")
        return known[url].body

    return fetch


def _good(wire: Wire, asked: Request, method: Literal["GET", "HEAD"]) -> Answer:
    answer = wire.send(replace(asked, method=method))
    if answer.status != 200:
        raise ConnectionError(f"{asked.url}: {answer.status}")
    return answer
