"""A front before a broker that lets in who signs in, and hands everything else on to it.

The broker that can be installed keeps no users. This front is strict: it knows one user, asks before anything but which
versions are spoken, and hangs up on whoever is wrong. Frames as in https://kafka.apache.org/protocol (SaslHandshake 1,
SaslAuthenticate 0 and 1), SCRAM by RFC 5802 and RFC 7677, PLAIN by RFC 4616; nothing of it is shared with the product.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
import socketserver
import struct
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.controller.export.carrying import carry

API_VERSIONS, HANDSHAKE, AUTHENTICATE = 18, 17, 36
UNSUPPORTED, FAILED = 33, 58
ITERATIONS = 4096


class Refused(Exception):
    """Whoever it was, is not let in."""


@dataclass
class Door:
    """One mechanism, one user; ``signed_in`` counts who came in."""

    mechanism: str
    user: str
    password: str
    signed_in: int = 0
    turned_away: list[str] = field(default_factory=list)


class Plain:
    def __init__(self, door: Door) -> None:
        self._door = door

    def step(self, said: bytes) -> tuple[bytes, bool]:
        """What to answer, and whether it is done. Raises ``Refused``."""
        _, user, password = said.decode().split("\0")
        if (user, password) != (self._door.user, self._door.password):
            raise Refused("wrong user or password")
        return b"", True


class Scram:
    """The side of the server."""

    def __init__(self, door: Door) -> None:
        self._hash = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}[door.mechanism]
        self._door = door
        self._salt = secrets.token_bytes(16)
        self._first = self._asked = ""

    def step(self, said: bytes) -> tuple[bytes, bool]:
        text = said.decode()
        if not self._first:
            return self._begin(text), False
        return self._end(text), True

    def _begin(self, text: str) -> bytes:
        header, self._first = text[:3], text[3:]
        asked = dict(part.split("=", 1) for part in self._first.split(","))
        if header != "n,," or asked["n"] != self._door.user:
            raise Refused("unknown user, or a binding that was not offered")
        self._asked = f"r={asked['r']}{secrets.token_hex(12)},s={b64encode(self._salt).decode()},i={ITERATIONS}"
        return self._asked.encode()

    def _end(self, text: str) -> bytes:
        without, _, proof = text.rpartition(",p=")
        given = dict(part.split("=", 1) for part in without.split(","))
        if given["c"] != "biws" or f"r={given['r']}" != self._asked.split(",")[0]:
            raise Refused("another conversation")
        salted = hashlib.pbkdf2_hmac(self._hash, self._door.password.encode(), self._salt, ITERATIONS)
        whole = ",".join((self._first, self._asked, without)).encode()
        key = hmac.digest(salted, b"Client Key", self._hash)
        stored = hashlib.new(self._hash, key).digest()
        signature = hmac.digest(stored, whole, self._hash)
        theirs = bytes(a ^ b for a, b in zip(b64decode(proof), signature, strict=True))
        if hashlib.new(self._hash, theirs).digest() != stored:
            raise Refused("wrong password")
        ours = hmac.digest(hmac.digest(salted, b"Server Key", self._hash), whole, self._hash)
        return b"v=" + b64encode(ours)


@contextmanager
def asking_who(port: int, behind: int, door: Door) -> Iterator[None]:
    """At ``port``, before the broker at ``behind``."""

    class Front(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, EOFError), socket.create_connection(("127.0.0.1", behind)) as inner:
                try:
                    _let_in(self.request, inner, door)
                except Refused as exc:
                    door.turned_away.append(str(exc))
                    return
                door.signed_in += 1
                threading.Thread(target=carry, args=(inner, self.request), daemon=True).start()
                carry(self.request, inner)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", port), Front) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def _let_in(client: socket.socket, broker: socket.socket, door: Door) -> None:
    """Returns once somebody is signed in. Raises ``Refused``."""
    session: Plain | Scram | None = None
    while True:
        frame = _frame(client)
        api, version, number = struct.unpack(">hhi", frame[:8])
        body = _behind_client_id(frame)
        if api == API_VERSIONS:
            broker.sendall(struct.pack(">i", len(frame)) + frame)
            _send(client, _frame(broker))
        elif api == HANDSHAKE and version == 1:
            is_known = _text(body) == door.mechanism
            session = (Plain(door) if door.mechanism == "PLAIN" else Scram(door)) if is_known else None
            known = struct.pack(">ih", 1, len(door.mechanism)) + door.mechanism.encode()
            _send(client, struct.pack(">ih", number, 0 if is_known else UNSUPPORTED) + known)
        elif api == AUTHENTICATE and version in (0, 1) and session is not None:
            (length,) = struct.unpack(">i", body[:4])
            try:
                said, is_done = session.step(body[4 : 4 + length])
            except Refused:
                _send(client, struct.pack(">ihhi", number, FAILED, -1, 0) + (struct.pack(">q", 0) if version else b""))
                raise
            answer = struct.pack(">ihhi", number, 0, -1, len(said)) + said
            _send(client, answer + (struct.pack(">q", 0) if version else b""))
            if is_done:
                return
        else:
            raise Refused(f"request {api}.{version} of somebody who did not sign in")


def _frame(stream: socket.socket) -> bytes:
    (length,) = struct.unpack(">i", _exactly(stream, 4))
    return _exactly(stream, length)


def _exactly(stream: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        more = stream.recv(length - len(found))
        if not more:
            raise EOFError
        found += more
    return found


def _send(stream: socket.socket, frame: bytes) -> None:
    stream.sendall(struct.pack(">i", len(frame)) + frame)


def _behind_client_id(frame: bytes) -> bytes:
    (length,) = struct.unpack(">h", frame[8:10])
    return frame[10 + max(length, 0) :]


def _text(body: bytes) -> str:
    (length,) = struct.unpack(">h", body[:2])
    return body[2 : 2 + length].decode()
