"""A client that tries things and says exactly what came of them: TCP connections, QUIC-like datagrams, DNS lookups.

Runs on its own inside a client's namespace: ``python -I -S probe.py [--resolver A] TARGET…``; standard library only.
A target is ``tcp:HOST:PORT``, ``udp:HOST:PORT`` or ``dns:NAME``; ``tcp6:``, ``udp6:``, ``dns6:`` ask for IPv6. A host
that is no address is looked up at the resolver first, as a browser does. One JSON object a line comes out, in order.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

OK: Final = "ok"
BLOCKED: Final = frozenset({"refused", "unreachable", "denied", "timeout", "reset"})
"""What a client sees of a firewall that rejects or drops. A name without an answer (``no-address``) is not that."""

_ERRORS: Final = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.ETIMEDOUT: "timeout",
}
_QUIC_SIZE: Final = 1200  # a client's first QUIC datagram is at least this long (RFC 9000, section 14.1)


class Target(NamedTuple):
    """What to try. ``family`` 4 or 6."""

    text: str
    protocol: str
    host: str
    port: int
    family: int


@dataclass(frozen=True)
class Result:
    """What came of one try; ``ms`` counts from the first packet of it (the lookup apart)."""

    target: str
    outcome: str
    ms: float
    address: str | None = None
    answers: tuple[str, ...] = ()

    @property
    def is_blocked(self) -> bool:
        return self.outcome in BLOCKED


def parse_target(text: str) -> Target:
    """Raises ``ValueError``."""
    protocol, _, rest = text.partition(":")
    family = 6 if protocol.endswith("6") else 4
    protocol = protocol.rstrip("46")
    if protocol not in ("tcp", "udp", "dns") or not rest:
        raise ValueError(f"{text!r} is no target: tcp:HOST:PORT, udp:HOST:PORT or dns:NAME")
    host, port = (rest, "53") if protocol == "dns" else rest.rsplit(":", 1)
    family = ip_address(host).version if _is_address(host) else family
    return Target(text, protocol, host, int(port), family)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


# --- DNS ------------------------------------------------------------------------------------------------------------


def encode_query(name: str, family: int, number: int) -> bytes:
    """One question for A or AAAA, recursion desired (RFC 1035, section 4)."""
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.rstrip(".").split("."))
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, _type(family), 1)


def decode_answer(message: bytes, family: int) -> tuple[str, ...]:
    """The addresses of one family in an answer. Raises ``ValueError`` when it is cut off."""
    try:
        _, _, questions, answers, _, _ = struct.unpack_from("!HHHHHH", message)
        at = 12
        for _ in range(questions):
            at = _skip_name(message, at) + 4
        found = []
        for _ in range(answers):
            at = _skip_name(message, at)
            kind, _, _, length = struct.unpack_from("!HHIH", message, at)
            (data,) = struct.unpack_from(f"!{length}s", message, at + 10)
            at += 10 + length
            if kind == _type(family):
                found.append(str(ip_address(data)))
    except (struct.error, IndexError, ValueError) as exc:
        raise ValueError("the answer is cut off or garbled") from exc
    return tuple(found)


def _type(family: int) -> int:
    return 28 if family == 6 else 1


def _skip_name(message: bytes, at: int) -> int:
    while (length := message[at]) != 0:
        if length & 0xC0:
            return at + 2
        at += length + 1
    return at + 1


async def lookup(name: str, family: int, resolver: str, timeout: float) -> tuple[str, ...]:
    """Ask the resolver, twice if need be: a datagram may be lost. Raises ``OSError``, ``ValueError``."""
    query = encode_query(name, family, int.from_bytes(os.urandom(2), "big"))
    for _ in range(2):
        try:
            return decode_answer(await _exchange(resolver, 53, query, timeout / 2), family)
        except TimeoutError:
            continue
    raise TimeoutError(errno.ETIMEDOUT, "no answer")


# --- one try --------------------------------------------------------------------------------------------------------


async def attempt(target: Target, resolver: str | None, timeout: float) -> Result:
    """Try one target once; every failure is a result, never an exception."""
    try:
        addresses = await _addresses(target, resolver, timeout)
    except (OSError, ValueError) as exc:
        return Result(target.text, "no-answer" if target.protocol == "dns" else "no-address", 0.0, answers=(str(exc),))
    if target.protocol == "dns":
        return Result(target.text, OK if addresses else "no-address", 0.0, answers=addresses)
    if not addresses:
        return Result(target.text, "no-address", 0.0)
    began = time.monotonic()
    outcome = await _try(_tcp if target.protocol == "tcp" else _udp, addresses[0], target.port, timeout)
    return Result(target.text, outcome, round((time.monotonic() - began) * 1000, 2), addresses[0], addresses)


async def _addresses(target: Target, resolver: str | None, timeout: float) -> tuple[str, ...]:
    if target.protocol != "dns" and _is_address(target.host):
        return (target.host,)
    if resolver is None:
        raise OSError("a name needs --resolver")
    return await lookup(target.host, target.family, resolver, timeout)


async def _try(how: Callable[[str, int, float], Awaitable[None]], address: str, port: int, timeout: float) -> str:
    try:
        await how(address, port, timeout)
    except TimeoutError:
        return "timeout"
    except OSError as exc:
        return _ERRORS.get(exc.errno or 0, f"error-{exc.errno}")
    return OK


async def _tcp(address: str, port: int, timeout: float) -> None:
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(address, port)
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
            await writer.drain()
            if not await reader.read(64):
                raise ConnectionResetError(errno.ECONNRESET, "closed without an answer")
        finally:
            writer.transport.abort()


async def _udp(address: str, port: int, timeout: float) -> None:
    await _exchange(address, port, quic_initial(), timeout)


def quic_initial() -> bytes:
    """Looks like the first datagram of a QUIC connection from outside: long header, version 1, padded (RFC 9000)."""
    head = b"\xc3" + struct.pack("!I", 1) + b"\x08" + os.urandom(8) + b"\x00"
    return head.ljust(_QUIC_SIZE, b"\0")


class _Waiting(asyncio.DatagramProtocol):
    """Hands the first answer, or the error that an ICMP message brought, to whoever waits."""

    def __init__(self) -> None:
        self.first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if not self.first.done():
            self.first.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.first.done():
            self.first.set_exception(exc)


async def _exchange(address: str, port: int, data: bytes, timeout: float) -> bytes:
    loop = asyncio.get_running_loop()
    transport, waiting = await loop.create_datagram_endpoint(_Waiting, remote_addr=(address, port))
    try:
        transport.sendto(data)
        async with asyncio.timeout(timeout):
            return await waiting.first
    finally:
        transport.close()


# --- the command ----------------------------------------------------------------------------------------------------


async def try_all(targets: list[Target], resolver: str | None, timeout: float) -> list[Result]:
    """All at once; results in the order of the targets."""
    return list(await asyncio.gather(*(attempt(target, resolver, timeout) for target in targets)))


async def wait_for(target: Target, wanted: str, resolver: str | None, deadline: float, timeout: float) -> Result:
    """Try again and again until the target is ``ok`` or ``blocked`` as wanted; ``ms`` is then how long that took."""
    began = time.monotonic()
    while True:
        result = await attempt(target, resolver, timeout)
        reached = result.is_blocked if wanted == "blocked" else result.outcome == OK
        took = time.monotonic() - began
        if reached or took >= deadline:
            outcome = result.outcome if reached else f"still-{result.outcome}"
            return Result(target.text, outcome, round(took * 1000, 2), result.address, result.answers)
        await asyncio.sleep(0.05)


def hold(address: str, port: int, seconds: float, ready: str | None) -> Result:
    """Keep one TCP connection busy until it breaks or the time is over; ``ms`` is how long it lived."""
    began = time.monotonic()
    outcome = OK
    try:
        with socket.create_connection((address, port), timeout=1.0) as connection:
            while time.monotonic() - began < seconds:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
                if not connection.recv(512):
                    raise ConnectionResetError(errno.ECONNRESET, "closed")
                if ready:
                    with open(ready, "w", encoding="utf-8") as file:
                        file.write("open\n")
                    ready = None
                time.sleep(0.1)
    except TimeoutError:
        outcome = "timeout"
    except OSError as exc:
        outcome = _ERRORS.get(exc.errno or 0, f"error-{exc.errno}")
    return Result(f"hold:{address}:{port}", outcome, round((time.monotonic() - began) * 1000, 2), address)


def main(arguments: list[str]) -> int:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="probe")
    parser.add_argument("--resolver", help="address of the DNS server for targets with names")
    parser.add_argument("--timeout", type=float, default=2.0, help="seconds for one try")
    parser.add_argument("--until", choices=["ok", "blocked"], help="try the one target until this is so")
    parser.add_argument("--deadline", type=float, default=10.0, help="seconds for --until and --hold")
    parser.add_argument(
        "--hold", metavar="READY", help="keep one connection to the one tcp target; touch READY when open"
    )
    parser.add_argument("targets", nargs="+", type=parse_target)
    given = parser.parse_args(arguments)
    first: Target = given.targets[0]
    if given.hold:
        results = [hold(first.host, first.port, given.deadline, given.hold)]
    elif given.until:
        results = [asyncio.run(wait_for(first, given.until, given.resolver, given.deadline, given.timeout))]
    else:
        results = asyncio.run(try_all(given.targets, given.resolver, given.timeout))
    for result in results:
        sys.stdout.write(json.dumps(asdict(result)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
