"""One attempt to deliver one message: name looked up once, addresses checked, posted, the answer's status read.

No redirect is followed, no proxy asked, no answer's body read, and the whole attempt has a deadline that a receiver
cannot put off by dripping. The connection goes to the address that was checked: a name that leads elsewhere a moment
later (DNS rebinding) leads nobody inside.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from controller import tls_words
from controller.webhooks import Answer
from core.net import Address, Network

CONNECT_SECONDS: Final = 5.0
DEADLINE_SECONDS: Final = 15.0
_NAT64: Final = IPv6Network("64:ff9b::/96")

Resolve = Callable[[str, int], Sequence[Address]]


def post(
    url: str,
    body: str,
    headers: Mapping[str, str],
    *,
    allowed: Iterable[Network] = (),
    authorities: Path | None = None,
    resolve: Resolve | None = None,
    deadline: float = DEADLINE_SECONDS,
) -> Answer:
    """What came of it; every failure is an answer too. ``allowed``: networks inside that may be reached, also by http.

    ``authorities``: a file of those that sign for receivers beside the system's.

    ``resolve`` gives the addresses of a name, by default the system's; ``deadline`` in seconds, after the connection
    stands.
    """
    began = time.monotonic()
    try:
        status, retry_after = _post(url, body, headers, tuple(allowed), authorities, resolve or addresses_of, deadline)
    except _Refused as exc:
        return Answer(error=str(exc), seconds=time.monotonic() - began)
    except TimeoutError:
        return Answer(error="no whole answer in time", seconds=time.monotonic() - began)
    except ssl.SSLError as exc:
        return Answer(error=tls_words.broken(exc), seconds=time.monotonic() - began)
    except (OSError, http.client.HTTPException, ValueError) as exc:
        if time.monotonic() - began >= deadline:
            return Answer(error="no whole answer in time", seconds=time.monotonic() - began)
        return Answer(error=f"no answer: {_words(exc)}", seconds=time.monotonic() - began)
    return Answer(status=status, retry_after=retry_after, seconds=time.monotonic() - began)


class _Refused(Exception):
    """We do not go there; the message says why."""


def _post(
    url: str,
    body: str,
    headers: Mapping[str, str],
    allowed: tuple[Network, ...],
    authorities: Path | None,
    resolve: Resolve,
    deadline: float,
) -> tuple[int, timedelta | None]:
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    address = _chosen(host, resolve(host, port), secure=parts.scheme == "https", allowed=allowed)
    connection = http.client.HTTPConnection(host, port)
    with closing(_connected(address, port)) as plain:
        opened = _secured(plain, host, authorities) if parts.scheme == "https" else plain
        late = threading.Event()
        watch = threading.Timer(deadline, _hang_up, [opened, late])
        watch.daemon = True
        watch.start()
        try:
            if isinstance(opened, ssl.SSLSocket):
                _shake_hands(opened, address, port, host=host)
            connection.sock = opened
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body=body.encode(), headers={**_OURS, **headers})
            answer = connection.getresponse()
            if late.is_set():  # a head that was cut short passes for a whole one
                raise TimeoutError
            return answer.status, _retry_after(answer.getheader("Retry-After"))
        finally:
            watch.cancel()
            opened.close()


_OURS: Final = {"Content-Type": "application/json", "User-Agent": "tokgate-webhooks/1", "Connection": "close"}


def _connected(address: Address, port: int) -> socket.socket:
    opened = socket.create_connection((str(address), port), timeout=CONNECT_SECONDS)
    opened.settimeout(DEADLINE_SECONDS)
    return opened


def _secured(plain: socket.socket, host: str, authorities: Path | None) -> ssl.SSLSocket:
    """The certificate is checked against the name, by the system's authorities and these. Raises ``_Refused``."""
    context = ssl.create_default_context()
    if authorities is not None:
        try:
            context.load_verify_locations(authorities)
        except (OSError, ssl.SSLError) as exc:
            raise _Refused(f"{authorities} holds no authorities to check it by: {_words(exc)}") from exc
    return context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)


def _shake_hands(opened: ssl.SSLSocket, address: Address, port: int, *, host: str) -> None:
    """Raises ``_Refused`` for a certificate that is not good, with what it is."""
    try:
        opened.do_handshake()
    except ssl.SSLCertVerificationError as exc:
        places = "`ca_file` of an export, or TOKGATE_WEBHOOK_CA"
        said = tls_words.refused(exc, host=host, address=str(address), port=port, name=host, authorities=places)
        raise _Refused(said) from exc


def _hang_up(opened: socket.socket, late: threading.Event) -> None:
    """Whoever reads or writes there stops at once. Not TLS's own way to end, which another thread must not touch."""
    late.set()
    with suppress(OSError):
        socket.socket.shutdown(opened, socket.SHUT_RDWR)


def addresses_of(host: str, port: int) -> Sequence[Address]:
    """What the system says that the name stands for. Raises ``OSError``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _chosen(host: str, found: Sequence[Address], *, secure: bool, allowed: tuple[Network, ...]) -> Address:
    """The first address; every one of them has to be good. Raises ``_Refused``."""
    if not found:
        raise _Refused(f"{host} has no address")
    for address in found:
        inner = [_inner(address), address]
        if any(one.version == network.version and one in network for one in inner for network in allowed):
            continue
        if not secure:
            raise _Refused(f"http to {host} ({address}): use https, or allow it by TOKGATE_WEBHOOK_NETWORKS")
        if not all(is_outside(one) for one in inner):
            raise _Refused(f"{host} leads inside, to {address}: allow it by TOKGATE_WEBHOOK_NETWORKS if that is meant")
    return found[0]


def is_outside(address: Address) -> bool:
    """Whether it is of the internet at large."""
    return address.is_global and not address.is_multicast


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to, where it says so; else itself."""
    if not isinstance(address, IPv6Address):
        return address
    if address in _NAT64:
        return ip_address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address


def _retry_after(text: str | None) -> timedelta | None:
    """Seconds; a date is not read, for our clock and theirs may differ."""
    return timedelta(seconds=int(text)) if text and text.isascii() and text.isdigit() and len(text) < 8 else None


def _words(exc: Exception) -> str:
    if isinstance(exc, socket.gaierror):
        return "the name is not known"
    return (exc.strerror if isinstance(exc, OSError) else None) or type(exc).__name__


__all__ = ["addresses_of", "is_outside", "post"]
