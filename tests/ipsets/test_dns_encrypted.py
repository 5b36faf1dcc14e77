"""Resolvers asked over TLS and HTTPS: BIND with certificates of every kind, and servers that misbehave."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.message
import pytest

from core.net import DomainName
from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.model import Indicator
from ipsets.sources import DnsConfig, Source, build_source
from tests.ipsets.bind import Bind, bind, needs_named
from tests.ipsets.certificates import NAME, Certificates, make
from tests.ipsets.making import NOW
from tests.ipsets.origins import Asked, Reply, dns_answer, web

RECORDS = ("www.tiktok.com. 300 IN A 103.136.220.10", "www.tiktok.com. 300 IN AAAA 2404:9dc0:cd01::10")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Bind]:
    with bind(tmp_path_factory.mktemp("named"), certificates) as stand:
        yield stand


def source(
    resolver: str,
    certificates: Certificates | None,
    names: tuple[str, ...] = ("www.tiktok.com",),
    *more: str,
    **changes: object,
) -> Source:
    given = {"kind": "dns", "resolvers": (resolver, *more), "names": names, "timeout_seconds": 2.0, **changes}
    if certificates is not None:
        given["ca_file"] = certificates.authority
    return build_source(DnsConfig.model_validate(given))


def failure(built: Source) -> SourceError:
    with pytest.raises(SourceError) as caught:
        built.fetch(NOW)
    return caught.value


def texts(found: tuple[Indicator, ...]) -> set[str]:
    return {i.value.name if isinstance(i.value, DomainName) else str(i.value) for i in found}


# --- BIND -------------------------------------------------------------------------------------------------------------


@needs_named
@pytest.mark.parametrize("over", ["plain", "tls-name", "tls-address", "https"])
def test_a_real_server_answers_alike_whatever_the_way(named: Bind, certificates: Certificates, over: str) -> None:
    resolver = {
        "plain": f"127.0.0.1:{named.plain}",
        "tls-name": f"tls://127.0.0.1:{named.tls['good']}#{NAME}",
        "tls-address": f"tls://127.0.0.1:{named.tls['good']}",
        "https": f"https://127.0.0.1:{named.https['good']}/dns-query",
    }[over]
    names = ("www.tiktok.com", "v16.tiktok.com", "gone.tiktok.com")
    found = source(resolver, certificates, names).fetch(NOW).indicators
    assert texts(found) == {"www.tiktok.com", "v16.tiktok.com", "103.136.220.10/32", "2404:9dc0:cd01::10/128"}
    by = {i.sources[0].source for i in found}
    assert by == {f"dns:{resolver}" if over != "plain" else f"dns:127.0.0.1#{named.plain}"}
    (alias,) = [i for i in found if i.value == DomainName("v16.tiktok.com", suffix=False)]
    assert "v16.tiktok.com -> edge.tiktok.com: 1 addresses" in alias.sources[0].detail


@needs_named
@pytest.mark.parametrize("over", ["tls", "https"])
@pytest.mark.parametrize(
    ("kind", "said", "hint"),
    [
        ("expired", "certificate has expired", "clock"),
        ("nobodys", "self-signed certificate", "ca_file"),
        ("other_name", "mismatch", "name in its certificate"),
    ],
)
def test_a_certificate_that_proves_nothing_is_never_believed(
    named: Bind, certificates: Certificates, over: str, kind: str, said: str, hint: str
) -> None:
    tls, https = f"tls://127.0.0.1:{named.tls[kind]}#{NAME}", f"https://127.0.0.1:{named.https[kind]}/dns-query"
    resolver = tls if over == "tls" else https
    error = failure(source(resolver, certificates))
    assert isinstance(error, SourceImplausible)
    assert resolver in error.message
    assert said in error.message
    assert hint in error.hint
    assert "last good entries stay" in error.hint


@needs_named
@pytest.mark.parametrize("over", ["tls", "https"])
def test_an_authority_that_nobody_knows_is_none(named: Bind, certificates: Certificates, over: str) -> None:
    """Good only by the tests' authority: without `ca_file` it is a stranger's."""
    tls, https = f"tls://127.0.0.1:{named.tls['good']}", f"https://127.0.0.1:{named.https['good']}/dns-query"
    error = failure(source(tls if over == "tls" else https, None))
    assert isinstance(error, SourceImplausible)
    assert "unable to get local issuer certificate" in error.message
    assert "`ca_file`" in error.hint


@needs_named
def test_a_good_certificate_is_good_for_its_own_names_only(named: Bind, certificates: Certificates) -> None:
    error = failure(source(f"tls://127.0.0.1:{named.tls['good']}#another.test", certificates))
    assert isinstance(error, SourceImplausible)
    assert "not valid for 'another.test'" in error.message


@needs_named
def test_one_resolver_that_proves_itself_is_enough(named: Bind, certificates: Certificates) -> None:
    bad, good = (f"tls://127.0.0.1:{named.tls[kind]}#{NAME}" for kind in ("expired", "good"))
    found = source(bad, certificates, ("www.tiktok.com",), good).fetch(NOW).indicators
    assert {i.sources[0].source for i in found} == {f"dns:{good}"}


def test_a_file_of_authorities_that_is_none_says_so(certificates: Certificates, tmp_path: Path) -> None:
    resolver = "tls://127.0.0.1:1"
    assert "No such file" in failure(source(resolver, None, ca_file=tmp_path / "none.pem")).message
    (tmp_path / "words.pem").write_text("no certificate\n", encoding="utf-8")
    error = failure(source(resolver, None, ca_file=tmp_path / "words.pem"))
    assert str(tmp_path / "words.pem") in error.message
    assert "PEM" in error.hint


# --- over TLS, by hand ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def tls_server(certificates: Certificates, serve: Callable[[ssl.SSLSocket], None]) -> Iterator[tuple[str, list[int]]]:
    """Calls ``serve`` with each connection, in a thread. The second value grows by one for each."""
    context, connections, threads = certificates.good.server(), [], []

    def handle(raw: socket.socket) -> None:
        with contextlib.suppress(OSError), raw, context.wrap_socket(raw, server_side=True) as connection:
            serve(connection)

    def accept(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                raw = server.accept()[0]
                connections.append(1)
                threads.append(threading.Thread(target=handle, args=(raw,), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        accepting = threading.Thread(target=accept, args=(server,), daemon=True)
        accepting.start()
        try:
            yield f"tls://127.0.0.1:{server.getsockname()[1]}#{NAME}", connections
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for thread in (accepting, *threads):
                thread.join(5)


def question_on(connection: ssl.SSLSocket) -> dns.message.Message | None:
    head = connection.recv(2)
    return dns.message.from_wire(connection.recv(int.from_bytes(head, "big"))) if len(head) == 2 else None


def send(connection: ssl.SSLSocket, answer: dns.message.Message) -> None:
    wire = answer.to_wire()
    connection.sendall(struct.pack("!H", len(wire)) + wire)


def answering(times: int) -> Callable[[ssl.SSLSocket], None]:
    """Answers so many questions on a connection, and hangs up."""

    def serve(connection: ssl.SSLSocket) -> None:
        for _ in range(times):
            if (question := question_on(connection)) is None:
                return
            name = question.question[0].name.to_text()
            send(connection, dns_answer(question, tuple(r.replace("www.tiktok.com.", name) for r in RECORDS)))

    return serve


MANY = tuple(f"n{n}.tiktok.com" for n in range(40))


def test_connections_are_few_and_used_again(certificates: Certificates) -> None:
    with tls_server(certificates, answering(1000)) as (resolver, connections):
        found = source(resolver, certificates, MANY).fetch(NOW).indicators
    assert {i.value.name for i in found if isinstance(i.value, DomainName)} == set(MANY)
    assert len(connections) <= 4


def test_a_resolver_that_hangs_up_between_questions_is_asked_on_a_new_connection(certificates: Certificates) -> None:
    with tls_server(certificates, answering(3)) as (resolver, connections):
        found = source(resolver, certificates, MANY).fetch(NOW).indicators
    assert {i.value.name for i in found if isinstance(i.value, DomainName)} == set(MANY)
    assert len(connections) > 20


def test_questions_are_padded_so_that_their_length_tells_no_name(certificates: Certificates) -> None:
    sizes: set[int] = set()

    def measure(connection: ssl.SSLSocket) -> None:
        while (question := question_on(connection)) is not None:
            sizes.add(len(question.to_wire()))
            send(connection, dns_answer(question, RECORDS))

    with tls_server(certificates, measure) as (resolver, _), contextlib.suppress(SourceError):
        source(resolver, certificates, ("a.tiktok.com", "a-much-longer-name-than-that.tiktok.com")).fetch(NOW)
    assert sizes == {128}


PAUSE = threading.Event()  # never set


def _saying(data: bytes) -> Callable[[ssl.SSLSocket], None]:
    def serve(connection: ssl.SSLSocket) -> None:
        question_on(connection)
        connection.sendall(data)

    return serve


def _of_another_question(connection: ssl.SSLSocket) -> None:
    while (question := question_on(connection)) is not None:
        question.id ^= 1
        send(connection, dns_answer(question, RECORDS))


def _silent(connection: ssl.SSLSocket) -> None:
    while connection.recv(1000):
        pass


def _dripping(connection: ssl.SSLSocket) -> None:
    connection.sendall(struct.pack("!H", 60_000))
    while True:
        connection.sendall(b"\0")
        PAUSE.wait(0.02)


@pytest.mark.parametrize(
    ("serve", "kind", "said"),
    [
        pytest.param(_saying(b""), SourceUnreachable, "closed the connection", id="hangs-up"),
        pytest.param(_saying(b"\0\x05hello"), SourceImplausible, "no DNS", id="noise"),
        pytest.param(_saying(b"\x10\0short"), SourceUnreachable, "closed the connection", id="cut"),
        pytest.param(_saying(b"HTTP/1.1 400 Bad\r\n\r\n" * 2000), SourceImplausible, "no DNS", id="a-page"),
        pytest.param(_of_another_question, SourceImplausible, "no DNS", id="of-another-question"),
        pytest.param(_silent, SourceUnreachable, "no answer in 0.5 s", id="silent"),
        pytest.param(_dripping, SourceUnreachable, "no answer in 0.5 s", id="drips"),
    ],
)
def test_i02_a_resolver_that_does_not_answer_right_is_an_error(
    certificates: Certificates, serve: Callable[[ssl.SSLSocket], None], kind: type[SourceError], said: str
) -> None:
    began = time.monotonic()
    with tls_server(certificates, serve) as (resolver, _):
        error = failure(source(resolver, certificates, timeout_seconds=0.5))
    assert type(error) is kind
    assert said in error.message
    assert resolver in error.message
    assert time.monotonic() - began < 4


def test_a_server_without_tls_is_no_resolver(certificates: Certificates) -> None:
    with web(lambda *_: Reply(body="x")) as origin:
        error = failure(source(f"tls://{origin.url.removeprefix('http://')}", certificates))
    assert isinstance(error, SourceUnreachable)


# --- over HTTPS, by hand ----------------------------------------------------------------------------------------------

DNS = {"Content-Type": "application/dns-message"}


def page(asked: Asked, _: int = 0) -> Reply:
    return Reply(body=dns_answer(dns.message.from_wire(asked.body), RECORDS).to_wire(), headers=DNS)


def asked_by_page(certificates: Certificates, answer: Callable[[Asked, int], Reply], **changes: object) -> SourceError:
    with web(answer, certificates.good.server()) as origin:
        return failure(source(f"{origin.url}/dns-query", certificates, **changes))


def test_a_server_that_has_only_http_1_is_asked_so(certificates: Certificates) -> None:
    with web(page, certificates.good.server()) as origin:
        found = source(f"{origin.url}/dns-query", certificates).fetch(NOW).indicators
    assert "103.136.220.10/32" in texts(found)
    assert {(a.path, a.headers["content-type"], a.headers["accept"]) for a in origin.asked} == {
        ("/dns-query", "application/dns-message", "application/dns-message")
    }
    assert {len(a.body) for a in origin.asked} == {128}


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        pytest.param(Reply(body="<html>", headers={"Content-Type": "text/html"}), None, "text/html", id="a-page"),
        pytest.param(Reply(body=b"\0" * 12), None, "type none", id="no-type"),
        pytest.param(Reply(status=302, headers={"Location": "https://127.0.0.1/"}), None, "302", id="sent-elsewhere"),
        pytest.param(Reply(status=404), None, "404", id="not-found"),
        pytest.param(Reply(status=415), None, "415", id="refused"),
        pytest.param(Reply(status=429, headers={"Retry-After": "5"}), SourceUnreachable, "429", id="a-rate-limit"),
        pytest.param(Reply(status=503), SourceUnreachable, "503", id="overloaded"),
        pytest.param(Reply(body=b"", headers=DNS), None, "no DNS", id="empty"),
        pytest.param(Reply(body=b"\xff" * 40, headers=DNS), None, "no DNS", id="noise"),
        pytest.param(Reply(body=b"\0" * 70_000, headers=DNS), None, "more than 65535 bytes", id="huge"),
        pytest.param(Reply(body=b"\0" * 20, headers=DNS, claim=200), SourceUnreachable, "", id="cut"),
        pytest.param(
            Reply(body=b"\x1f\x8b\x08", headers={**DNS, "Content-Encoding": "gzip"}), None, "of type", id="compressed"
        ),
        pytest.param(Reply(raw=b"220 mail.example ESMTP\r\n"), SourceUnreachable, "", id="another-protocol"),
    ],
)  # fmt: skip
def test_i02_a_page_that_is_no_dns_is_an_error(
    certificates: Certificates, reply: Reply, kind: type[SourceError] | None, said: str
) -> None:
    error = asked_by_page(certificates, lambda *_: reply)
    assert type(error) is (kind or SourceImplausible)
    assert said in error.message
    assert "last good entries stay" in error.hint


def test_an_answer_to_another_question_is_none(certificates: Certificates) -> None:
    def other(asked: Asked, _: int) -> Reply:
        query = dns.message.from_wire(asked.body)
        query.id ^= 1
        return Reply(body=dns_answer(query, RECORDS).to_wire(), headers=DNS)

    assert isinstance(asked_by_page(certificates, other), SourceImplausible)


def test_i02_a_page_that_is_silent_or_drips_ends_within_its_time(certificates: Certificates) -> None:
    ended = threading.Event()

    def silent(*_: object) -> Reply:
        ended.wait(10)
        return Reply(status=404)

    began = time.monotonic()
    try:
        error = asked_by_page(certificates, silent, timeout_seconds=0.4)
    finally:
        ended.set()
    assert "no answer in 0.4 s" in error.message

    def drip(connection: ssl.SSLSocket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nContent-Length: 9999\r\n\r\n")
        while True:
            connection.sendall(b"\0")
            PAUSE.wait(0.02)

    with tls_server(certificates, drip) as (resolver, _):
        url = resolver.replace("tls://", "https://").removesuffix(f"#{NAME}")
        error = failure(source(f"{url}/dns-query", certificates, timeout_seconds=0.4))
    assert isinstance(error, SourceUnreachable)
    assert "no answer in 0.4 s" in error.message
    assert time.monotonic() - began < 6
