"""The receivers on real sockets, fed by `logger` and rsyslog over UDP, TCP and TLS; floods and bad senders."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from controller.errors import StoreUnreachable
from controller.evidence.model import Batch, Quarantine, Rejected, Sighting
from controller.evidence.receiving import Receiver
from controller.evidence.waiting import Buffer
from controller.inventory import Inventory
from core.clock import ManualClock, SystemClock
from core.errors import ConfigError
from tests.controller.offices import YAML, offices
from tests.ipsets import certificates

LOGGER = shutil.which("logger")
RSYSLOG = shutil.which("rsyslogd", path="/usr/sbin:/sbin:/usr/bin")
OSSL = next(Path("/usr/lib").glob("*/rsyslog/lmnsd_ossl.so"), None)
TEXT = YAML.replace("host: 127.0.0.1, port: 10,", "host: fw.austin.example,")
LISTEN = """
evidence:
  listen: [{over: udp, at: "127.0.0.1:0"}, {over: tcp, at: "127.0.0.1:0"}]
"""
DENIED = (
    '%ASA-4-106023: Deny tcp src inside:10.20.0.15/{} dst outside:103.136.220.10/443 by access-group "a" [0x0, 0x0]'
)
PATIENCE = 20.0
STRANGER = "127.0.0.99"


class Kept:
    """An intake that keeps what it is brought, and takes nothing while it is told not to."""

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []
        self.rejected: list[Rejected] = []
        self.ids: list[str] = []
        self.refusing = threading.Event()
        self._changed = threading.Condition()

    def take(self, batch: Batch) -> None:
        with self._changed:
            self.ids.append(batch.id)
            if self.refusing.is_set():
                self._changed.notify_all()
                raise StoreUnreachable("the database is away")
            self.sightings += batch.sightings
            self.rejected += batch.rejected
            self._changed.notify_all()

    def until(self, holds: Callable[[Kept], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self), PATIENCE), (self.sightings[-3:], self.rejected[-3:])

    def forget(self) -> None:
        with self._changed:
            for what in (self.sightings, self.rejected, self.ids):
                what.clear()

    @property
    def ports(self) -> list[int | None]:
        return [sighting.source_port for sighting in self.sightings]

    @property
    def reasons(self) -> set[tuple[Quarantine, str]]:
        return {(one.why, one.detail) for one in self.rejected}


@contextmanager
def receiving(inventory: Inventory, buffer: Buffer | None = None) -> Iterator[tuple[Receiver, Kept]]:
    kept = Kept()
    with Receiver(inventory, kept, SystemClock(), buffer=buffer) as receiver:
        yield receiver, kept


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    return offices(tmp_path_factory.mktemp("plain"), TEXT + LISTEN)


def streamed(port: int, data: bytes, *, source: str = "127.0.0.1") -> None:
    with socket.create_connection(("127.0.0.1", port), source_address=(source, 0)) as sock:
        sock.sendall(data)


def counted(*messages: str) -> bytes:
    return b"".join(b"%d %s" % (len(message.encode()), message.encode()) for message in messages)


def denied(number: int) -> str:
    return f"<164>{DENIED.format(number)}"


# --- real senders -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(LOGGER is None, reason="there is no `logger` here (bsdutils)")
@pytest.mark.parametrize(
    ("number", "options"),
    [
        pytest.param(1, ("--udp", "--rfc3164"), id="udp-3164"),
        pytest.param(2, ("--udp", "--rfc5424=notq"), id="udp-5424"),
        pytest.param(3, ("--tcp", "--octet-count", "--rfc5424=notq"), id="tcp-counted"),
        pytest.param(4, ("--tcp", "--rfc3164"), id="tcp-lines"),
    ],
)
def test_logger_is_understood(plain: Inventory, number: int, options: tuple[str, ...]) -> None:
    with receiving(plain) as (receiver, kept):
        port = receiver.ports[0 if "--udp" in options else 1]
        command = [str(LOGGER), "--server", "127.0.0.1", "--port", str(port), *options, DENIED.format(number)]
        subprocess.run(command, check=True, timeout=PATIENCE, env={"TZ": "Europe/Berlin"})
        kept.until(lambda k: k.ports == [number])
        assert kept.rejected == []
        assert abs(kept.sightings[0].at - SystemClock().now()) < timedelta(minutes=1)
        assert kept.sightings[0].sensor == "fw-berlin"


@pytest.mark.skipif(RSYSLOG is None or OSSL is None, reason="rsyslog with its OpenSSL driver is not installed here")
def test_rsyslog_forwards_over_tls_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    with receiving(over_tls(tmp_path, made)) as (receiver, kept), rsyslog(tmp_path, made, receiver.ports[0]) as local:
        for number in range(1, 51):
            subprocess.run(["logger", "--socket", local, DENIED.format(number)], check=True, timeout=PATIENCE)
        kept.until(lambda k: sorted(filter(None, k.ports)) == [*range(1, 51)])
        assert kept.rejected == []
        assert receiver.figures().received == {"tls": 50}


@contextmanager
def rsyslog(folder: Path, made: certificates.Certificates, port: int) -> Iterator[str]:
    """A whole rsyslogd that passes on what comes to its socket, over TLS, octet-counted."""
    local, conf = folder / "log", folder / "rsyslog.conf"
    conf.write_text(
        f"""global(workDirectory="{folder}" defaultNetstreamDriver="ossl"
 defaultNetstreamDriverCAFile="{made.authority}" defaultNetstreamDriverCertFile="{made.good.certificate}"
 defaultNetstreamDriverKeyFile="{made.good.key}" privdrop.user.keepsupplementalgroups="on")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{local}" RateLimit.Interval="0")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted" StreamDriver="ossl"
 StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="{certificates.NAME}"
 template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1" action.resumeInterval="1")
"""
    )
    command = [str(RSYSLOG), "-n", "-f", str(conf), "-i", str(folder / "rsyslogd.pid")]
    with (folder / "out").open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            until(local.exists, lambda: (folder / "out").read_text())
            yield str(local)
        finally:
            process.terminate()


def until(holds: Callable[[], bool], why: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, why()
        threading.Event().wait(0.02)


# --- TLS --------------------------------------------------------------------------------------------------------------


def over_tls(folder: Path, made: certificates.Certificates) -> Inventory:
    files = f"certificate: {made.good.certificate}, key: {made.good.key}, clients: {made.authority}"
    return offices(folder, f'{TEXT}evidence: {{listen: [{{over: tls, at: "127.0.0.1:0", {files}}}]}}\n')


def client(made: certificates.Certificates, own: certificates.Pair | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(made.authority))
    context.check_hostname = False
    if own is not None:
        context.load_cert_chain(own.certificate, own.key)
    return context


def refused(address: tuple[str, int], context: ssl.SSLContext) -> None:
    """Send until it is refused: in TLS 1.3 that comes behind the handshake."""
    with socket.create_connection(address) as sock, context.wrap_socket(sock) as tls:
        while True:
            tls.sendall(counted(denied(1)))
            if tls.recv(1) == b"":
                raise ConnectionResetError("closed")


def test_over_tls_only_who_has_a_certificate_is_heard(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    with receiving(over_tls(tmp_path, made)) as (receiver, kept):
        address = ("127.0.0.1", receiver.ports[0])
        for own in (None, made.nobodys, made.expired):
            with pytest.raises(OSError, match=r"."):  # ssl.SSLError is one
                refused(address, client(made, own))
        streamed(address[1], counted(denied(2)))  # without TLS at all
        with socket.create_connection(address) as sock, client(made, made.good).wrap_socket(sock) as tls:
            tls.sendall(counted(denied(3), denied(4)) + denied(5).encode() + b"\n")
            kept.until(lambda k: k.ports == [3, 4, 5])
        kept.until(lambda k: sum(one.detail.startswith("no TLS: ") for one in k.rejected) >= 4)
        assert receiver.figures().refused >= 4


def test_over_tls_a_certificate_says_who_it_is(tmp_path: Path) -> None:
    """By an address that is another device's."""
    made = certificates.make(tmp_path)
    files = f"certificate: {made.good.certificate}, key: {made.good.key}, clients: {made.authority}"
    known = "{fw-austin: {site: austin, time_zone: UTC, certificate_names: [another.test]}}"
    text = f'{TEXT}evidence: {{listen: [{{over: tls, at: "127.0.0.1:0", {files}}}], sensors: {known}}}\n'
    with receiving(offices(tmp_path, text)) as (receiver, kept):
        address = ("127.0.0.1", receiver.ports[0])
        for number, own in ((1, made.other_name), (2, made.good)):
            with socket.create_connection(address) as sock, client(made, own).wrap_socket(sock) as tls:
                tls.sendall(counted(denied(number)))
                kept.until(lambda k, n=number: len(k.ports) == n)  # type: ignore[misc]
        assert [s.sensor for s in kept.sightings] == ["fw-austin", "fw-berlin"]


@pytest.mark.parametrize("missing", ["certificate", "key", "clients"])
def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path, missing: str) -> None:
    made = certificates.make(tmp_path)
    inventory = over_tls(tmp_path, made)
    listener = inventory.evidence.listen[0].model_copy(update={missing: tmp_path / "absent.pem"})
    broken = inventory.model_copy(update={"evidence": inventory.evidence.model_copy(update={"listen": (listener,)})})
    with pytest.raises(ConfigError, match="cannot be used: No such file"):
        Receiver(broken, Kept(), ManualClock(SystemClock().now()))


def test_a_place_that_is_taken_stops_the_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        inventory = offices(tmp_path, f'{TEXT}evidence: {{listen: [{{over: tcp, at: "{at}"}}]}}\n')
        with pytest.raises(ConfigError, match=f"cannot listen at {at} over tcp"):
            Receiver(inventory, Kept(), SystemClock())


# --- bad senders ------------------------------------------------------------------------------------------------------


def test_streams_that_go_wrong_are_told_and_the_others_go_on(plain: Inventory) -> None:
    with receiving(plain) as (receiver, kept):
        port = receiver.ports[1]
        streamed(port, denied(1).encode() + b"\n<164>" + b"x" * 70_000 + b"\n" + denied(2).encode() + b"\n<164>ha")
        streamed(port, counted(denied(3)) + b"99999999 x" + counted(denied(4)))
        streamed(port, counted(denied(5)), source=STRANGER)
        kept.until(lambda k: sorted(filter(None, k.ports)) == [1, 2, 3] and sum(r.count for r in k.rejected) == 4)
        assert {why for why, _ in kept.reasons} == {Quarantine.TOO_LONG, Quarantine.UNREADABLE, Quarantine.STRANGER}
        assert any("was announced" in detail for _, detail in kept.reasons)
        assert {one.site for one in kept.rejected if "was announced" in one.detail} == {"berlin"}, "a sender's site"
        until(lambda: receiver.figures().connections == 0)


def test_lines_of_ten_megabytes_over_tcp_take_nothing_along(plain: Inventory) -> None:
    """Nor is more of one held than a message may have."""
    with receiving(plain) as (receiver, kept):
        for number in (1, 2):
            lines = [denied(number), "<164>" + "x" * (10 << 20), denied(number), ""]
            streamed(receiver.ports[1], "\n".join(lines).encode())
        kept.until(lambda k: sorted(filter(None, k.ports)) == [1, 1, 2, 2] and sum(r.count for r in k.rejected) == 2)
        assert {why for why, _ in kept.reasons} == {Quarantine.TOO_LONG}
        assert receiver.figures().octets < 1 << 20, "of what is too long the beginning alone is kept"


def test_strangers_take_nobody_s_place(plain: Inventory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.evidence.receiving.MOST_STRANGERS", 2)
    with receiving(plain) as (receiver, kept):
        address = ("127.0.0.1", receiver.ports[1])
        held = [socket.create_connection(address, source_address=(STRANGER, 0)) for _ in range(4)]
        kept.until(lambda k: sum(one.count for one in k.rejected) == 2)
        streamed(address[1], counted(denied(1)))
        kept.until(lambda k: k.ports == [1])
        assert receiver.figures().refused == 2
        for sock in held:
            sock.close()


# --- floods and a store that is away ----------------------------------------------------------------------------------


def test_datagrams_without_room_are_dropped_aloud_and_each_is_accounted_for(
    plain: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.evidence.listening._RECEIVE_BUFFER", 16 * 1024)
    with receiving(plain, Buffer(most=50)) as (receiver, kept):
        kept.refusing.set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for number in range(1, 1_001):
                sock.sendto(denied(number).encode(), ("127.0.0.1", receiver.ports[0]))
            until(lambda: any("the store takes nothing" in line for line in receiver.troubles()))
            kept.refusing.clear()
            kept.until(lambda k: len(k.ports) > 50)
            until(lambda: receiver.figures().waiting == 0)
            sock.sendto(denied(1_001).encode(), ("127.0.0.1", receiver.ports[0]))  # it says how many had no room
        kept.until(lambda k: k.ports[-1] == 1_001)
        until(lambda: receiver.figures().dropped + len(kept.ports) == 1_001)
        assert kept.ports == sorted(filter(None, kept.ports)), "in their order"
        assert receiver.figures().dropped > 500
        assert any("datagrams were dropped" in line for line in receiver.troubles())


def test_streams_wait_for_a_store_that_is_away_and_lose_nothing(plain: Inventory) -> None:
    with receiving(plain, Buffer(most=50)) as (receiver, kept):
        kept.refusing.set()
        sending = counted(*(denied(number) for number in range(1, 2_001)))
        sender = threading.Thread(target=streamed, args=(receiver.ports[1], sending))
        sender.start()
        until(lambda: receiver.figures().waiting == 50 and bool(receiver.troubles()))
        kept.refusing.clear()
        kept.until(lambda k: k.ports == [*range(1, 2_001)])
        sender.join(PATIENCE)
        assert len(set(kept.ids)) < len(kept.ids), "a batch is brought again under its own name"
        assert receiver.figures().lost == 0
        assert receiver.troubles() == []


def test_a_buffer_holds_so_many_bytes_and_no_more() -> None:
    from controller.evidence.sifting import Arrival

    buffer, now = Buffer(most=1_000, most_bytes=10_000), SystemClock().now()
    big = [Arrival(b"x" * 3_000, "192.0.2.1", "udp", now) for _ in range(9)]
    assert buffer.offer(big) == 6
    assert len(buffer.take(100, 0)) == 3
    assert buffer.offer(big[:2]) == 0
    stopped = threading.Event()
    stopped.set()
    assert buffer.put(big, stopped) == 8


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="tells its memory in /proc, as Linux does")
@pytest.mark.parametrize("seconds", [3, pytest.param(3_600, marks=pytest.mark.soak)])
def test_a_flood_does_not_grow_memory(plain: Inventory, seconds: int) -> None:
    """More than can be read, from senders, strangers and whoever writes what is no text; the intake keeps nothing."""
    with receiving(plain, Buffer(most=5_000)) as (receiver, kept):
        flood = threading.Thread(target=flooded, args=(receiver.ports[0], seconds + 1))
        flood.start()
        until(lambda: receiver.figures().received["udp"] > 5_000)
        first, sizes, end = resident(), list[int](), time.monotonic() + seconds
        while time.monotonic() < end:
            kept.forget()
            sizes.append(resident())
            threading.Event().wait(0.1)
        flood.join(PATIENCE)
    assert max(sizes) - first < 48, (first, sizes[:: max(1, len(sizes) // 20)])


def flooded(port: int, seconds: float) -> None:
    end, number = time.monotonic() + seconds, 0
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as known,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        stranger.bind((STRANGER, 0))
        while time.monotonic() < end:
            number += 1
            known.sendto(denied(number % 60_000).encode(), ("127.0.0.1", port))
            known.sendto(b"<164>date=1 logid=%d type=traffic url=" % number + b"x" * 8_000, ("127.0.0.1", port))
            stranger.sendto(b"\xff" * (number % 1_400), ("127.0.0.1", port))


def resident() -> int:
    """MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def test_a_stop_brings_what_was_received(plain: Inventory) -> None:
    with receiving(plain) as (receiver, kept):
        streamed(receiver.ports[1], counted(*(denied(n) for n in range(1, 5_001))))
        until(lambda: receiver.figures().received["tcp"] == 5_000)
    assert len(kept.sightings) == 5_000
    assert receiver.figures().lost == 0


def test_a_stop_without_a_store_says_what_is_lost(plain: Inventory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.evidence.receiving.DRAIN_SECONDS", 0.2)
    with receiving(plain) as (receiver, kept):
        kept.refusing.set()
        streamed(receiver.ports[1], counted(*(denied(n) for n in range(1, 101))))
        until(lambda: receiver.figures().received["tcp"] == 100)
        kept.until(lambda k: bool(k.ids))
    assert receiver.figures().lost == 100
