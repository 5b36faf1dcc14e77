"""One login to one device, on paramiko: pinned host keys, one attempt, one time budget, bounded reading.

Called by the controller's device work and by the CLI's ``device`` commands. Carries text and decides nothing. It does
not retry, does not use an agent or keys lying around, does not read or write a known_hosts file, and never sends a
password before the host key has been compared with the pinned ones (I10).

Why not bare paramiko or netmiko: their deadlines use the wall clock, a channel may take an hour to open, keep-alives
count nothing, netmiko accepts any host key. Here one deadline on the monotonic clock is enforced from outside, by
closing the socket under whatever hangs.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import hashlib
import io
import select
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TextIO

import paramiko
from paramiko.sftp import CMD_EXTENDED

from core.clock import Clock
from core.errors import ConfigError
from core.ids import DeviceName
from core.secret import HIDDEN, Secret
from vendors.adapter import Endpoint, Output
from vendors.checkup import LoginFacts
from vendors.errors import (
    AuthRejected,
    DeviceError,
    HostKeyChanged,
    HostKeyUnknown,
    Refused,
    Unreachable,
    Unreadable,
)
from vendors.shell import DEFAULT_TIMEOUT, Dialect, Said, Shell, Terminal

if TYPE_CHECKING:
    import netmiko

WEAK: Final[dict[str, tuple[str, ...]]] = {
    "ciphers": ("aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"),
    "macs": ("hmac-sha1", "hmac-md5", "hmac-sha1-96", "hmac-md5-96"),
    "kex": (),
}
"""Algorithms that paramiko 5 still offers and we do not, unless a device names them in ``legacy_algorithms``."""

MAX_BYTES: Final = 64 * 1024 * 1024
"""What one command may answer: 100,000 list entries with counters as JSON are about 11 MB."""

_SIGNATURES: Final[dict[str, tuple[str, ...]]] = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
_SCANNED: Final = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
_KEY_CLASSES: Final = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
CHANNEL_SECONDS: Final = 15.0
_TRANSCRIPT_BLOCK: Final = 16_384
_SETTLE_MS: Final = 5
"""How long a prompt must be the last thing said before it is taken for one."""
_KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
_USER_TIMEOUT_MS: Final = 20_000


class SessionLimiter:
    """A cap on the logins that are open at once, over all threads of this process."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError("a cap of sessions is at least 1")
        self.limit = limit
        self._free = threading.BoundedSemaphore(limit)

    @contextmanager
    def hold(self, device: DeviceName, timeout: timedelta) -> Iterator[None]:
        """One of the sessions. Raises ``Unreachable`` when none gets free in time."""
        if not self._free.acquire(timeout=timeout.total_seconds()):
            raise Unreachable(
                f"no free session of {self.limit} within {timeout.total_seconds():.0f} s",
                hint="raise the cap of sessions, or look for devices that hang",
                device=device,
            )
        try:
            yield
        finally:
            self._free.release()


@contextmanager
def connect(
    endpoint: Endpoint,
    *,
    clock: Clock,
    transcript: TextIO | None = None,
    limiter: SessionLimiter | None = None,
) -> Iterator[SshSession]:
    """Log in; the session ends with the block.

    Raises:
        HostKeyUnknown: no key is pinned; nothing was sent.
        HostKeyChanged: the device shows another key than the pinned ones; no name and no password was sent.
        AuthRejected: the device refused the login. Not tried again here.
        Unreachable: anything else between us and a login.
        SecretUnavailable: a secret reference points at nothing; nothing was sent.
    """
    _refuse_unpinned(endpoint)
    login = _Login.resolve(endpoint)
    hold: AbstractContextManager[None] = contextlib.nullcontext()
    if limiter is not None:
        hold = limiter.hold(endpoint.device, endpoint.budget)
    with hold:
        deadline = _Deadline(clock, endpoint.budget)
        try:
            transport = _log_in(endpoint, login, deadline)
            with contextlib.closing(transport):
                yield SshSession(endpoint, transport, deadline, _Transcript(transcript, login.secrets()))
        finally:
            deadline.cancel()


def scan_host_keys(host: str, port: int, timeout: timedelta = timedelta(seconds=10)) -> tuple[str, ...]:
    """The host keys a device offers, ``ssh-ed25519 AAAA…``, one connection per key type; nobody logs in.

    For a person to compare and accept. Raises ``Unreachable`` when not one key came.
    """
    found: list[str] = []
    failure: BaseException | None = None
    for kind in _SCANNED:
        try:
            with contextlib.closing(_open_socket(host, port, timeout)) as sock:
                transport = _transport(sock, kinds=(kind,), legacy=(), timeout=timeout)
                with contextlib.closing(transport):
                    found.append(_text_of(_negotiate(transport, timeout)))
        except (OSError, EOFError, paramiko.SSHException) as exc:
            failure = exc
    if not found:
        raise Unreachable(f"no host key from {host} port {port}: {words(failure)}") from failure
    return tuple(dict.fromkeys(found))


# --- the session ----------------------------------------------------------------------------------------------------


class SshSession:
    """A logged-in session; see ``vendors.adapter.Session``."""

    def __init__(
        self, endpoint: Endpoint, transport: paramiko.Transport, deadline: _Deadline, transcript: _Transcript
    ) -> None:
        self.device = endpoint.device
        self._endpoint = endpoint
        self._transport = transport
        self._deadline = deadline
        self._transcript = transcript

    def run(
        self, command: str, *, stdin: str = "", timeout: timedelta | None = None, max_bytes: int = MAX_BYTES
    ) -> Output:
        """Run one command on an exec channel; ``stdin`` goes in whole and is then closed.

        Raises:
            Unreachable: the session broke, or the command's or the session's time is over; the session is closed.
            Unreadable: it answered more than ``max_bytes``; the session is closed.
        """
        self._transcript.command(command, stdin)
        with self._limited(f"`{_shorten(command)}`", timeout):
            output = self._run(command, stdin.encode(), max_bytes)
        self._transcript.output(output)
        return output

    def _run(self, command: str, stdin: bytes, max_bytes: int) -> Output:
        with contextlib.closing(self._transport.open_session(timeout=CHANNEL_SECONDS)) as channel:
            channel.exec_command(command)
            feeder = _Feeder(channel, stdin)
            feeder.start()
            collected = _Collected(max_bytes)
            self._collect(channel, collected)
            status = channel.recv_exit_status()
            feeder.join(timeout=1.0)
        if status == -1 and not self._transport.is_active():
            raise EOFError
        return Output(text=collected.text(), errors=collected.error_text(), status=status)

    def _collect(self, channel: paramiko.Channel, collected: _Collected) -> None:
        poller = select.poll()
        poller.register(channel.fileno(), select.POLLIN)
        while True:
            # The deadline closes the socket, which ends the channel; the wait here is only a heartbeat.
            poller.poll(500)
            collected.drain(channel)
            if collected.overflowed:
                self._transport.close()
                raise Unreadable(
                    f"a command answered more than {collected.limit} bytes; the session was closed", device=self.device
                )
            if channel.exit_status_ready() and not channel.recv_ready() and not channel.recv_stderr_ready():
                if channel.eof_received or channel.closed:
                    collected.drain(channel)
                    return
            elif channel.closed:  # since it was asked above: all that came in between is still to be taken
                collected.drain(channel)
                return

    def put(self, path: str, content: str, *, mode: int = 0o600) -> None:
        """Write a file under a temporary name, sync it, rename it; by SFTP, or by `cat` where there is no SFTP server.

        Raises ``Refused`` when the device cannot write there (the old file is still in place), ``Unreachable`` as
        ``run`` does.
        """
        self._transcript.note(
            f"put {path} ({len(content.encode())} bytes, {hashlib.sha256(content.encode()).hexdigest()})"
        )
        sftp = self._sftp()
        if sftp is None:
            self._put_by_cat(path, content, mode)
            return
        with self._translated(f"writing {path}"), contextlib.closing(sftp):
            try:
                _put_by_sftp(sftp, path, content.encode(), mode)
            except OSError as exc:
                if not self._transport.is_active():
                    raise
                raise Refused(f"{path} cannot be written: {words(exc)}", device=self.device) from exc

    def _sftp(self) -> paramiko.SFTPClient | None:
        with self._translated("opening SFTP"):
            try:
                channel = self._transport.open_session(timeout=CHANNEL_SECONDS)
                channel.settimeout(CHANNEL_SECONDS)
                channel.invoke_subsystem("sftp")
                return paramiko.SFTPClient(channel)
            except (paramiko.SSHException, EOFError, TimeoutError):
                if not self._transport.is_active():
                    raise
                return None

    def _put_by_cat(self, path: str, content: str, mode: int) -> None:
        new = _quote(f"{path}.tokgate-new")
        size = len(content.encode())
        command = (
            f"umask 077; cat >{new} && [ $(wc -c <{new}) -eq {size} ] && chmod {mode:o} {new} && "
            f"{{ sync {new} 2>/dev/null || sync; }} && mv -f {new} {_quote(path)} || {{ rm -f {new}; exit 1; }}"
        )
        output = self.run(command, stdin=content)
        if output.status != 0:
            raise Refused(f"{path} cannot be written: {output.errors.strip()}", device=self.device)

    def interactive(self, device_type: str, **settings: Any) -> netmiko.BaseConnection:
        """A netmiko connection of that type, on a shell of this very login: same pinned key, same time budget.

        ``settings`` go to netmiko (``secret``, ``fast_cli`` …). For vendors whose command line needs a prompt. The
        caller disconnects it, or leaves it to the end of the session.
        """
        from vendors.prompt import shell_on  # netmiko is 276 modules, which a device with exec channels never needs

        with self._translated(f"opening a shell as {device_type}"):
            return shell_on(self._transport, self._endpoint, device_type, settings)

    @contextmanager
    def shell(self, dialect: Dialect) -> Iterator[Shell]:
        """See ``vendors.shell``. The channel is closed with the block; the login stays."""
        from vendors.prompt import channel_on  # netmiko is 276 modules, which a device with exec channels never needs

        with self._translated("opening a shell"):
            channel = channel_on(self._transport, self._endpoint, dialect.driver)
        with contextlib.closing(channel):
            shell = _Shell(Terminal(_Channel(channel), dialect, self.device), self)
            shell.start()
            yield shell

    def login(self) -> LoginFacts:
        """What the device and we agreed on at this login. Asks nothing."""
        transport = self._transport
        key = transport.get_remote_server_key()
        cipher = str(getattr(transport, "remote_cipher", ""))  # its stubs do not know it
        return LoginFacts(
            key=key.get_name(),
            fingerprint=fingerprint(_text_of(key)),
            bits=key.get_bits(),
            pinned=len(self._endpoint.host_keys),
            exchange=str(getattr(transport, "exchange", "unknown")),
            signature=str(transport.host_key_type),
            cipher=cipher,
            mac="" if "gcm" in cipher else str(getattr(transport, "remote_mac", "")),
            method="publickey" if self._endpoint.key_file else "password",
            software=transport.remote_version,
            legacy=self._endpoint.legacy_algorithms,
        )

    @contextmanager
    def again(self) -> Iterator[SshSession]:
        """A second login, beside this one: it takes no place of the cap on sessions, of which this one holds one."""
        with connect(self._endpoint, clock=self._deadline.clock, transcript=self._transcript.stream) as session:
            yield session

    @contextmanager
    def _limited(self, doing: str, timeout: timedelta | None) -> Iterator[None]:
        """A step with its own time limit, in which what the library raises becomes ours."""
        seconds = self._deadline.remaining()
        if timeout is not None:
            seconds = min(seconds, timeout.total_seconds())
        with self._translated(doing), self._deadline.at_most(seconds):
            yield

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        """Turn what the library raises into ours; a session that failed once is closed for good."""
        try:
            yield
        except (OSError, EOFError, paramiko.SSHException) as exc:
            late = self._deadline.is_over
            self._transport.close()
            why = "out of time" if late else words(exc)
            raise Unreachable(
                f"the session broke at {doing}: {why}", hint="tried again later", device=self.device
            ) from exc


class _Channel:
    """The characters of a shell channel. Everything here ends when the session's deadline closes the socket."""

    def __init__(self, channel: paramiko.Channel, limit: int = MAX_BYTES) -> None:
        self._channel, self._left = channel, limit
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._poller = select.poll()
        self._poller.register(channel.fileno(), select.POLLIN)

    def send(self, text: str) -> None:
        self._channel.sendall(text.encode())

    def receive(self) -> str:
        while not self._channel.recv_ready():
            if self._channel.closed or self._channel.eof_received:
                raise EOFError("the device ended the session")
            self._poller.poll(500)  # only a heartbeat
        data = self._channel.recv(1 << 16)
        self._left -= len(data)
        if self._left < 0:
            raise Unreadable("the device says more than a session may carry; it was closed")
        return self._decoder.decode(data)

    def pending(self) -> bool:
        if not self._channel.recv_ready():
            self._poller.poll(_SETTLE_MS)
        return self._channel.recv_ready()


class _Shell:
    """A terminal under the session's deadline and in its transcript; see ``vendors.shell.Shell``."""

    def __init__(self, terminal: Terminal, session: SshSession) -> None:
        self.device = session.device
        self._terminal, self._session = terminal, session

    def start(self) -> None:
        with self._session._limited("the first prompt", DEFAULT_TIMEOUT):
            self._terminal.start()

    def ask(
        self, line: str, *, timeout: timedelta | None = None, until: str | None = None, secret: bool = False
    ) -> Said:
        shown = HIDDEN if secret else line
        transcript = self._session._transcript
        transcript.command(shown, "")
        with self._session._limited(f"`{_shorten(shown)}`", timeout or DEFAULT_TIMEOUT):
            said = self._terminal.ask(line, timeout=timeout, until=until, secret=secret)
        transcript.answer(said.text)
        return said

    def stream(self, lines: Sequence[str], refusal: Callable[[Said], str | None]) -> tuple[Said, ...]:
        transcript = self._session._transcript
        transcript.command(f"{len(lines)} lines", "".join(f"{line}\n" for line in lines))
        with self._session._limited(f"{len(lines)} lines", None):
            said = self._terminal.stream(lines, refusal)
        transcript.answer("".join(f"{one.line}: {one.text}" for one in said if one.text))
        return said

    def pour(self, lines: Sequence[str], *, end: str = "\x04", timeout: timedelta | None = None) -> Said:
        transcript = self._session._transcript
        transcript.command(f"{len(lines)} lines", "".join(f"{line}\n" for line in lines))
        with self._session._limited(f"{len(lines)} lines", timeout):
            said = self._terminal.pour(lines, end=end, timeout=timeout)
        transcript.answer(said.text)
        return said


class _Feeder(threading.Thread):
    """Writes stdin while the answer is being read, so that neither side waits for the other for ever."""

    def __init__(self, channel: paramiko.Channel, data: bytes) -> None:
        super().__init__(name="tokgate-stdin", daemon=True)
        self._channel = channel
        self._data = data

    def start(self) -> None:
        if self._data:
            super().start()
        else:
            self._channel.shutdown_write()

    def run(self) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # the reading side says what broke
            self._channel.sendall(self._data)
            self._channel.shutdown_write()

    def join(self, timeout: float | None = None) -> None:
        if self.ident is not None:
            super().join(timeout)


class _Collected:
    """The two outputs of a command, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._out = bytearray()
        self._err = bytearray()

    @property
    def overflowed(self) -> bool:
        return len(self._out) + len(self._err) > self.limit

    def drain(self, channel: paramiko.Channel) -> None:
        while channel.recv_ready() and not self.overflowed:
            self._out += channel.recv(1 << 20)
        while channel.recv_stderr_ready() and not self.overflowed:
            self._err += channel.recv_stderr(1 << 20)

    def text(self) -> str:
        return self._out.decode("utf-8", errors="replace")

    def error_text(self) -> str:
        return self._err.decode("utf-8", errors="replace")


class _Deadline:
    """The time a session has, on the monotonic clock, enforced by closing the socket from a thread of its own."""

    def __init__(self, clock: Clock, budget: timedelta) -> None:
        self.clock = clock
        self._end = clock.monotonic() + budget.total_seconds()
        self._step = self._end
        self._changed = threading.Condition()
        self._closing: Callable[[], None] | None = None
        self._done = False
        self.is_over = False
        self._thread = threading.Thread(target=self._watch, name="tokgate-deadline", daemon=True)

    def guard(self, sock: socket.socket) -> None:
        """From now on, close this socket when the time is over."""

        def close() -> None:
            with contextlib.suppress(OSError):  # the device may have hung up first
                sock.shutdown(socket.SHUT_RDWR)

        self._closing = close
        self._thread.start()

    def remaining(self) -> float:
        return max(0.0, self._end - self.clock.monotonic())

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """A shorter time for what happens inside."""
        self._set(min(self._end, self.clock.monotonic() + seconds))
        try:
            yield
        finally:
            self._set(self._end)

    def cancel(self) -> None:
        with self._changed:
            self._done = True
            self._changed.notify()

    def _set(self, step: float) -> None:
        with self._changed:
            self._step = step
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._done:
                left = self._step - self.clock.monotonic()
                if left <= 0:
                    self.is_over = True
                    if self._closing is not None:
                        self._closing()
                    return
                self._changed.wait(min(left, 1.0))  # a step of at most 1 s: an injected clock may run ahead


class _Transcript:
    """What was said, for people, without the secrets of this login and without bulk."""

    def __init__(self, stream: TextIO | None, secrets: tuple[str, ...]) -> None:
        self.stream = stream
        self._secrets = sorted((s for s in secrets if s), key=len, reverse=True)

    def command(self, command: str, stdin: str) -> None:
        self._write(f"> {command}\n" + (f"{_block(self._hidden(stdin))}" if stdin else ""))

    def output(self, output: Output) -> None:
        said = (_block(self._hidden(text)) for text in (output.text, output.errors))
        self._write(f"{''.join(said)}[exit {output.status}]\n")

    def answer(self, text: str) -> None:
        self._write(_block(self._hidden(text)))

    def note(self, text: str) -> None:
        self._write(f"> {text}\n")

    def _write(self, text: str) -> None:
        if self.stream is None:
            return
        try:
            self.stream.write(self._hidden(text))
            self.stream.flush()
        except OSError:  # a full disk must not stop a change half-way; the run's record says what happened
            self.stream = None

    def _hidden(self, text: str) -> str:
        """Before anything is cut: half a secret is not found any more."""
        for secret in self._secrets if self.stream else ():
            text = text.replace(secret, HIDDEN)
        return text


def _block(text: str) -> str:
    if not text:
        return ""
    shown = text if len(text) <= _TRANSCRIPT_BLOCK else f"{text[:_TRANSCRIPT_BLOCK]}\n… {len(text)} characters in all"
    return shown if shown.endswith("\n") else shown + "\n"


# --- the login ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Login:
    """The secrets of one login, in memory only."""

    password: Secret | None
    key_text: Secret | None
    passphrase: Secret | None
    key: paramiko.PKey | None

    @classmethod
    def resolve(cls, endpoint: Endpoint) -> _Login:
        key_text = endpoint.key_file.resolve() if endpoint.key_file else None
        passphrase = endpoint.key_passphrase.resolve() if endpoint.key_passphrase else None
        password = endpoint.password.resolve() if endpoint.password else None
        if key_text is None and password is None:
            raise ConfigError("neither a password nor a key is configured", device=endpoint.device)
        key = _load_key(endpoint, key_text, passphrase) if key_text else None
        return cls(password=password, key_text=key_text, passphrase=passphrase, key=key)

    def secrets(self) -> tuple[str, ...]:
        return tuple(s.reveal() for s in (self.password, self.key_text, self.passphrase) if s is not None)


def _load_key(endpoint: Endpoint, text: Secret, passphrase: Secret | None) -> paramiko.PKey:
    for kind in _KEY_CLASSES:
        # a key of another kind is refused in many ways; one of the kinds fits, or all of them are told below
        with contextlib.suppress(paramiko.SSHException, ValueError, IndexError, UnicodeDecodeError):
            return kind.from_private_key(
                io.StringIO(text.reveal() + "\n"), password=passphrase.reveal() if passphrase else None
            )
    raise ConfigError(
        f"{endpoint.key_file}: not a private key we can use (Ed25519, ECDSA or RSA, with its passphrase)",
        hint="ssh-keygen -t ed25519 makes one; key_passphrase names its passphrase",
        device=endpoint.device,
    )


def _refuse_unpinned(endpoint: Endpoint) -> None:
    if not endpoint.host_keys:
        raise HostKeyUnknown(
            "no host key is pinned for this device; nothing was sent",
            hint=f"compare the keys of `tokgate device hostkeys {endpoint.device}` at the device, then add host_keys",
            device=endpoint.device,
        )


def _log_in(endpoint: Endpoint, login: _Login, deadline: _Deadline) -> paramiko.Transport:
    """An authenticated transport, or nothing left open."""
    try:
        sock = _open_socket(endpoint.host, endpoint.port, endpoint.connect_timeout)
    except OSError as exc:
        raise Unreachable(
            f"no connection to {endpoint.host} port {endpoint.port}: {words(exc)}",
            hint="look at the route, the port and what filters in between; the next sync tries again",
            device=endpoint.device,
        ) from exc
    transport: paramiko.Transport | None = None
    try:
        deadline.guard(sock)
        kinds = tuple(dict.fromkeys(key.split()[0] for key in endpoint.host_keys))
        transport = _transport(sock, kinds, endpoint.legacy_algorithms, endpoint.connect_timeout)
        _check_host_key(endpoint, transport)
        _authenticate(endpoint, login, transport)
    except DeviceError:
        _discard(transport, sock)
        raise
    except (OSError, EOFError, paramiko.SSHException) as exc:
        _discard(transport, sock)
        raise Unreachable(
            f"no login at {endpoint.host} port {endpoint.port}: {words(exc)}",
            hint="is it an SSH server that answers there? the next sync tries again",
            device=endpoint.device,
        ) from exc
    return transport


def _discard(transport: paramiko.Transport | None, sock: socket.socket) -> None:
    if transport is not None:
        transport.close()
    sock.close()


def _open_socket(host: str, port: int, timeout: timedelta) -> socket.socket:
    sock = socket.create_connection((host, port), timeout=timeout.total_seconds())
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
    return sock


class _Transport(paramiko.Transport):
    """Keeps the name of the key exchange, which the library forgets together with its engine."""

    exchange = "unknown"

    def _parse_kex_init(self, m: object) -> None:
        super()._parse_kex_init(m)  # type: ignore[misc]  # its stubs do not know it
        known = self._kex_info.items()  # type: ignore[attr-defined]
        self.exchange = next((name for name, engine in known if type(self.kex_engine) is engine), "unknown")


def _transport(
    sock: socket.socket, kinds: tuple[str, ...], legacy: tuple[str, ...], timeout: timedelta
) -> paramiko.Transport:
    disabled = {kind: [name for name in names if name not in legacy] for kind, names in WEAK.items()}
    transport = _Transport(sock, disabled_algorithms=disabled)
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = timeout.total_seconds()
    transport.channel_timeout = CHANNEL_SECONDS
    wanted = tuple(name for kind in kinds for name in _SIGNATURES.get(kind, (kind,)))
    options = transport.get_security_options()
    options.key_types = tuple(name for name in wanted if name in options.key_types)
    return transport


def _negotiate(transport: paramiko.Transport, timeout: timedelta) -> paramiko.PKey:
    transport.start_client(timeout=timeout.total_seconds())
    return transport.get_remote_server_key()


def _check_host_key(endpoint: Endpoint, transport: paramiko.Transport) -> None:
    try:
        shown = _text_of(_negotiate(transport, endpoint.connect_timeout))
    except paramiko.ssh_exception.IncompatiblePeer as exc:
        if "host key" not in str(exc):
            raise
        raise _changed(endpoint, "a key of another type") from exc
    if shown not in {" ".join(key.split()[:2]) for key in endpoint.host_keys}:
        raise _changed(endpoint, f"{shown.split()[0]} {fingerprint(shown)}")


def _changed(endpoint: Endpoint, shown: str) -> HostKeyChanged:
    pinned = ", ".join(f"{key.split()[0]} {fingerprint(key)}" for key in endpoint.host_keys)
    return HostKeyChanged(
        f"the device shows {shown}, pinned is {pinned}; no password was sent",
        hint="find out why the key changed; if it is right, compare it at the device and replace host_keys",
        device=endpoint.device,
    )


def fingerprint(key: str) -> str:
    """``SHA256:…`` of a public key line, as ``ssh-keygen -l`` prints it."""
    try:
        blob = base64.b64decode(key.split()[1], validate=True)
    except (IndexError, ValueError):
        return "not a key"
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _text_of(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


def _authenticate(endpoint: Endpoint, login: _Login, transport: paramiko.Transport) -> None:
    """One attempt with one credential: the key if there is one, else the password."""
    try:
        if login.key is not None:
            rest = transport.auth_publickey(endpoint.username, login.key)
        else:
            assert login.password is not None
            rest = transport.auth_password(endpoint.username, login.password.reveal())
    except paramiko.AuthenticationException as exc:
        if not transport.is_active() or "timeout" in str(exc).lower():
            raise
        raise _rejected(endpoint, words(exc)) from exc
    if rest:
        raise _rejected(endpoint, f"the device also wants {', '.join(rest)}")


def _rejected(endpoint: Endpoint, why: str) -> AuthRejected:
    with_what = "the key" if endpoint.key_file else "the password"
    return AuthRejected(
        f"login as {endpoint.username} with {with_what} refused: {why}",
        hint="not tried again, so that the account is not locked; check the credential in the inventory",
        device=endpoint.device,
    )


# --- files ----------------------------------------------------------------------------------------------------------


def _put_by_sftp(sftp: paramiko.SFTPClient, path: str, content: bytes, mode: int) -> None:
    new = f"{path}.tokgate-new"
    try:
        with sftp.open(new, "wb") as stream:
            sftp.chmod(new, mode)
            stream.set_pipelined(True)
            stream.write(content)
            stream.flush()
            with contextlib.suppress(OSError):  # an extension of OpenSSH; others sync when they like
                sftp._request(CMD_EXTENDED, "fsync@openssh.com", stream.handle)  # type: ignore[attr-defined]
        _refuse_short(sftp.stat(new).st_size, len(content))
        sftp.posix_rename(new, path)
    except OSError:
        with contextlib.suppress(OSError):  # the first failure is the one that is told
            sftp.remove(new)
        raise


def _refuse_short(size: int | None, wanted: int) -> None:
    if size != wanted:
        raise OSError(f"{size} of {wanted} bytes arrived")


def _quote(path: str) -> str:
    return "'" + path.replace("'", "'\\''") + "'"


def _shorten(command: str) -> str:
    line = " ".join(command.split())
    return line if len(line) <= 60 else line[:59] + "…"


def words(exc: BaseException | None) -> str:
    """A library's exception as one line."""
    return " ".join(str(exc).split()) or type(exc).__name__
