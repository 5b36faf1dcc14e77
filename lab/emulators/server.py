"""Emulated devices behind a real SSH server: hundreds in one process, each on a port of its own.

Called by the lab, the tests and the benchmarks. asyncssh carries the bytes; what a device says is its ``Cli``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import asyncssh
from asyncssh.auth import KbdIntChallenge, KbdIntResponse

from lab.emulators.console import Chunk, Cli, Console
from lab.emulators.faults import Faults

LOOPBACK: Final = "127.0.0.1"
_START_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a device lets people in."""

    users: Mapping[str, str]  # name -> password
    methods: frozenset[str] = frozenset({"password"})  # password, keyboard-interactive
    banner: str = ""  # before the login, as SSH sends it
    max_sessions: int = 5
    too_many: str = ""  # what a login above that is told before it is closed


class Device(Protocol):
    """An emulated firewall. All its state is touched by the server's one thread, or by whoever holds ``lock``."""

    name: str
    access: Access
    faults: Faults
    lock: threading.RLock

    def login(self, user: str) -> Cli:
        """A new session of this user."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where a device answers, and the key that it shows."""

    name: str
    host: str
    port: int
    host_key: str  # "ssh-ed25519 AAAA…"


@contextlib.contextmanager
def served(devices: Iterable[Device], *, host: str = LOOPBACK) -> Iterator[Mapping[str, Served]]:
    """The devices, reachable over SSH until the block ends. By name. Sessions that are open then are closed."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="emulators", daemon=True)
    thread.start()
    try:
        listening = _wait(loop, _listen(tuple(devices), host))
        try:
            yield {at.served.name: at.served for at in listening}
        finally:
            _wait(loop, _close(listening))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _wait(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run_coroutine_threadsafe(work, loop).result(_START_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listening:
    acceptor: asyncssh.SSHAcceptor
    connections: set[asyncssh.SSHServerConnection]
    served: Served


async def _listen(devices: tuple[Device, ...], host: str) -> list[_Listening]:
    return [await _listen_one(device, host) for device in devices]


async def _listen_one(device: Device, host: str) -> _Listening:
    key = asyncssh.generate_private_key("ssh-ed25519")
    doors = _Doors(device)
    connections: set[asyncssh.SSHServerConnection] = set()
    acceptor = await asyncssh.create_server(
        lambda: _Login(device.access, connections),
        host,
        0,
        server_host_keys=[key],
        process_factory=doors.session,
        line_editor=False,
        encoding="utf-8",
        errors="replace",
    )
    public = " ".join(key.export_public_key().decode().split()[:2])
    where = Served(name=device.name, host=host, port=acceptor.get_port(), host_key=public)
    return _Listening(acceptor=acceptor, connections=connections, served=where)


async def _close(listening: Iterable[_Listening]) -> None:
    for at in listening:
        at.acceptor.close()
        await at.acceptor.wait_closed()
        for connection in tuple(at.connections):
            connection.abort()
            await connection.wait_closed()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class _Login(asyncssh.SSHServer):
    """Asks for a password the way the device does."""

    def __init__(self, access: Access, connections: set[asyncssh.SSHServerConnection]) -> None:
        self._access, self._connections = access, connections

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        if self._access.banner:
            self._connection.send_auth_banner(self._access.banner)
        self._ask_again()
        return True

    def _ask_again(self) -> None:
        """A client may ask for the login service anew for each method, as it may of OpenSSH and of real devices.

        asyncssh takes one such request and ends the connection at the second, which paramiko sends.
        """
        self._connection._next_service = b"ssh-userauth"

    def password_auth_supported(self) -> bool:
        return "password" in self._access.methods

    def validate_password(self, username: str, password: str) -> bool:
        return self._access.users.get(username) == password

    def kbdint_auth_supported(self) -> bool:
        self._ask_again()
        return "keyboard-interactive" in self._access.methods

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> KbdIntChallenge:
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username: str, responses: KbdIntResponse) -> bool:
        return len(responses) == 1 and self._access.users.get(username) == responses[0]


class _Doors:
    """The sessions of one device."""

    def __init__(self, device: Device) -> None:
        self._device, self._open = device, 0

    async def session(self, process: asyncssh.SSHServerProcess[str]) -> None:
        if self._open >= self._device.access.max_sessions:
            process.stdout.write(self._device.access.too_many)
            process.exit(1)
            return
        self._open += 1
        try:
            await _converse(process, self._device)
        finally:
            self._open -= 1


async def _converse(process: asyncssh.SSHServerProcess[str], device: Device) -> None:
    """Carry one session until either side ends it."""
    user = str(process.get_extra_info("username"))
    with device.lock:
        console = Console(device.login(user), device.faults)
    try:
        await _send(process, console.open, device)
        while not console.closed and (data := await process.stdin.read(65_536)):
            for key in _lines(data):
                await _send(process, lambda key=key: console.feed(key), device)  # type: ignore[misc]
    except (asyncssh.Error, OSError, asyncio.CancelledError):
        pass  # the other side is gone, or the lab ends; either way the session is over
    finally:
        if not console.closed:
            with device.lock:
                console.end()
        with contextlib.suppress(asyncssh.Error, OSError):
            process.exit(0)


def _lines(data: str) -> list[str]:
    """Whole lines, so that one is answered before the next one is looked at."""
    return data.splitlines(keepends=True)


async def _send(process: asyncssh.SSHServerProcess[str], make: Callable[[], Iterator[Chunk]], device: Device) -> None:
    with device.lock:
        chunks = list(make())
    for seconds, group in _bursts(chunks):
        if seconds:
            await asyncio.sleep(seconds)
        process.stdout.write("".join(chunk.text for chunk in group))
        await process.stdout.drain()
    if chunks and chunks[-1].end == "torn":
        process.channel.get_connection().abort()


def _bursts(chunks: Iterable[Chunk]) -> Iterator[tuple[float, list[Chunk]]]:
    """What goes out in one piece: everything up to the next one that takes its time."""
    waiting: list[Chunk] = []
    seconds = 0.0
    for chunk in chunks:
        if chunk.seconds and waiting:
            yield seconds, waiting
            waiting = []
        seconds = chunk.seconds if not waiting else seconds
        waiting.append(chunk)
    yield seconds, waiting
