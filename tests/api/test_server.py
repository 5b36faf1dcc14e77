"""The API on a real socket: slow, half-sent, oversized and broken requests do not stop honest ones."""

from __future__ import annotations

import json
import socket
import ssl
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fastapi import FastAPI, Request
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.limits import Limits
from api.server import Bind, Server, Tls, build_server, listening, run, serving
from core.errors import ConfigError

RECEIPT_SECONDS = 1.0
PATIENCE_SECONDS = 30
"""For what a loaded machine may take; a server that holds a connection for ever holds it longer."""
MAX_BODY = 64 * 1024


def small_app() -> FastAPI:
    """The layers around the routes, with one route that tells what it received."""
    app = FastAPI(openapi_url=None)
    app.add_middleware(Limits, max_body_bytes=MAX_BODY, body_seconds=0.5)

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/size")
    async def size(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    return app


@contextmanager
def served(**changes: object) -> Iterator[Server]:
    bind = Bind(**{"port": 0, "receipt_seconds": RECEIPT_SECONDS, **changes})  # type: ignore[arg-type]
    with serving(small_app(), bind) as server:
        yield server


@pytest.fixture
def server() -> Iterator[Server]:
    with served() as running:
        yield running


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)


def read_to_end(sock: socket.socket) -> bytes:
    """Everything until the other side hangs up, politely or not."""
    received = b""
    try:
        while chunk := sock.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def get(server: Server, path: str = "/livez") -> int:
    return httpx.get(f"http://127.0.0.1:{server.port}{path}", timeout=PATIENCE_SECONDS).status_code


def seconds_of_an_answer(server: Server) -> float:
    """The median of some."""
    took = []
    for _ in range(20):
        at = time.monotonic()
        assert get(server) == 200
        took.append(time.monotonic() - at)
    return statistics.median(took)


@pytest.mark.parametrize("max_connections", [512, 50], ids=["room-for-all", "more-attackers-than-room"])
def test_a_hundred_half_sent_requests_stop_nobody_and_are_closed_in_time(max_connections: int) -> None:
    """Trap: uvicorn alone holds them for ever, and answers 503 to everybody once its limit is reached."""
    with served(max_connections=max_connections) as server, ExitStack() as held:
        alone = seconds_of_an_answer(server)
        attackers = [held.enter_context(connect(server)) for _ in range(100)]
        for attacker in attackers:
            attacker.sendall(b"GET /livez HTTP/1.1\r\nHost: half\r\nX-Slow: ")
        assert seconds_of_an_answer(server) < 0.5 + 10 * alone, "on this machine, as busy as it is"
        for attacker in attackers:
            attacker.settimeout(PATIENCE_SECONDS)
            read_to_end(attacker)  # returns when the server has hung up
        assert get(server) == 200


def test_the_attack_is_one_plain_uvicorn_falls_to() -> None:
    """The detector detects: without our protocol the same half-sent request is still held after the deadline."""
    with served() as server, ExitStack() as held:
        server.config.http_protocol_class = H11Protocol
        attacker = held.enter_context(connect(server))
        attacker.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        attacker.settimeout(RECEIPT_SECONDS + 0.5)
        with pytest.raises(TimeoutError):
            attacker.recv(1)


def test_a_dripping_header_ends_with_408_within_the_deadline(server: Server) -> None:
    """Each byte resets an idle time-out; this one is absolute."""
    with connect(server) as sock:
        began = time.monotonic()
        sock.settimeout(0.05)
        answer = b""
        sock.sendall(b"GET /livez HTTP/1.1\r\nX: ")
        while time.monotonic() - began < RECEIPT_SECONDS + 3:
            try:
                sock.sendall(b"a")
                answer += sock.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                break
            if answer:
                sock.settimeout(5)
                answer += read_to_end(sock)  # head and body may come apart
                break
        assert time.monotonic() - began < RECEIPT_SECONDS + 1
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"code": "TG8005"' in answer


def test_a_dripping_request_on_a_kept_connection_has_the_same_deadline(server: Server) -> None:
    with connect(server) as sock:
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        sock.sendall(b"GET /livez HT")
        assert b"408" in read_to_end(sock)
        assert time.monotonic() - began < RECEIPT_SECONDS + 1


def test_a_slow_body_is_answered_408_by_the_application(server: Server) -> None:
    with connect(server) as sock:
        sock.sendall(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        answer = read_to_end(sock)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"TG8005" in answer


def test_a_body_too_large_is_refused_before_it_is_read(server: Server) -> None:
    """Two gigabytes are announced, none is sent: the answer comes at once."""
    with connect(server) as sock:
        sock.sendall(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_who_waits_for_100_continue_is_refused_without_sending(server: Server) -> None:
    with connect(server) as sock:
        sock.sendall(b"POST /size HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 900000\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_unknown_length_is_cut_off_where_it_grows_too_large(server: Server) -> None:
    with connect(server) as sock:
        sock.sendall(b"POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"8000\r\n" + b"a" * 0x8000 + b"\r\n"
        sock.sendall(chunk * 3)
        assert sock.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_an_honest_client_reads_its_413_although_it_sent_everything(server: Server) -> None:
    answer = httpx.post(f"http://127.0.0.1:{server.port}/size", content=b"a" * 5_000_000, timeout=5)
    assert answer.status_code == 413
    assert answer.json()["code"] == "TG8004"


def test_a_body_within_the_limit_arrives_whole(server: Server) -> None:
    answer = httpx.post(f"http://127.0.0.1:{server.port}/size", content=b"a" * MAX_BODY, timeout=5)
    assert answer.json() == {"bytes": MAX_BODY}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="tls-on-the-plain-port"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", id="negative-length"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", id="endless-header"),
        pytest.param(b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", id="nul-in-target"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", id="two-lengths"
        ),
    ],
)
def test_what_is_not_http_is_refused_as_a_problem_and_the_server_goes_on(server: Server, text: bytes) -> None:
    with connect(server) as sock:
        sock.sendall(text)
        answer = read_to_end(sock)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["code"] == "TG8003"
    assert get(server) == 200


def test_two_requests_in_one_packet_are_both_answered(server: Server) -> None:
    with connect(server) as sock:
        sock.sendall(
            b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        assert read_to_end(sock).count(b"HTTP/1.1 200 ") == 2


def test_answers_carry_the_security_headers_and_not_the_servers_name(server: Server) -> None:
    answer = httpx.get(f"http://127.0.0.1:{server.port}/livez")
    assert "server" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert len(answer.headers["x-request-id"]) == 26
    assert "strict-transport-security" not in answer.headers


def test_a_forwarded_address_is_not_believed() -> None:
    assert build_server(small_app(), Bind()).config.proxy_headers is False
    assert Bind().host == "127.0.0.1"


def test_a_port_in_use_is_a_configuration_error(server: Server) -> None:
    with pytest.raises(ConfigError, match="cannot listen"), served(port=server.port):
        pass


# --- TLS ------------------------------------------------------------------------------------------------------------


def certificate(folder: Path) -> Tls:
    """A fresh self-signed certificate for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    tls = Tls(certificate=folder / "cert.pem", key=folder / "key.pem")
    tls.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    tls.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return tls


def test_tls_serves_and_promises_to_stay_with_it(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    with served(tls=tls) as server:
        trust = ssl.create_default_context(cafile=str(tls.certificate))
        answer = httpx.get(f"https://localhost:{server.port}/livez", verify=trust)
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_tls_refuses_a_client_that_knows_only_old_versions(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with served(tls=tls) as server, connect(server) as sock, pytest.raises((ssl.SSLError, ConnectionResetError)):
        old.wrap_socket(sock)


def test_a_key_that_does_not_fit_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    mixed = Tls(certificate=certificate(tmp_path).certificate, key=certificate(tmp_path / "other").key)
    with pytest.raises(ConfigError, match="cannot be used together"):
        build_server(small_app(), Bind(tls=mixed))


def test_a_missing_certificate_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be used together"):
        build_server(small_app(), Bind(tls=Tls(certificate=tmp_path / "no.pem", key=tmp_path / "no.key")))


def test_answers_on_a_listener_that_was_opened_before_are_sent_at_once() -> None:
    """As ``tokgate serve`` does it: asyncio leaves such connections waiting 40 ms for each second answer."""
    bind = Bind(port=0)
    with listening(bind) as opened:
        server = build_server(small_app(), bind)
        thread = threading.Thread(target=run, args=(server, bind, opened), daemon=True)
        thread.start()
        with socket.create_connection(opened.getsockname()) as caller:
            caller.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            caller.recv(1)
            [connection] = server.server_state.connections
            there = connection.transport.get_extra_info("socket")  # type: ignore[union-attr]  # not of a web socket
            assert there.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        server.should_exit = True
        thread.join()
