"""What is wrong on the way to the server of ``TOKGATE_URL``: each a clear word and a code, from real servers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from api.cli.main import main
from api.server import Bind, Tls, serving
from tests.api.conftest import Office
from tests.api.remote_office import said
from tests.ipsets.certificates import Certificates, make

COMMAND = ["device", "list"]
JSON = "Content-Type: application/json"
PROBLEM = "Content-Type: application/problem+json"
BUSY = '{"code":"TG8007","status":503,"detail":"8 calls are waiting already","hint":"try again shortly"}'
GUESSED = '{"code":"TG8006","status":429,"detail":"too many wrong tokens"}'
BROKEN = '{"code":"TG1000","status":500,"detail":"something failed that should not","request_id":"01kaxw2g7h"}'


def answer(status: str, *headers: str, body: str = "") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close", "", body]
    return "\r\n".join(lines).encode()


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """A server on the loopback that gives these answers, one a connection, the last for ever."""
    left = list(answers)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    line, _ = listening.accept()
                except OSError:
                    return
                with line:
                    line.recv(65536)
                    line.sendall(left.pop(0) if len(left) > 1 else left[0])

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have waited."""
    waits: list[float] = []
    monkeypatch.setattr("api.cli.remote.time.sleep", waits.append)
    monkeypatch.setenv("TOKGATE_TOKEN", "tokgate_00000000_" + "0" * 64)
    return waits


def test_nobody_listens(
    slept: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        monkeypatch.setenv("TOKGATE_URL", f"http://127.0.0.1:{held.getsockname()[1]}")
        assert main(COMMAND) == 1
    err = capsys.readouterr().err
    assert "TOKGATE_URL: asking again in 1 s" in err
    assert "error TG8105: no answer from http://127.0.0.1:" in err
    assert "does the server run?" in err
    assert slept == [1, 2, 4]


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        pytest.param([b"SSH-2.0-OpenSSH_9.2\r\n"], 1, ["TG8105"], id="ssh"),
        pytest.param([b""], 1, ["TG8105"], id="hangs-up"),
        pytest.param([answer("200 OK", "Content-Type: text/html", body="<html>")], 1, ["TG8107", "no JSON"], id="html"),
        pytest.param([answer("200 OK", JSON, body="[1]")], 1, ["TG8107", "no list of tokgate's"], id="other-json"),
        pytest.param(
            [answer("200 OK", JSON, body='{"items": [{"name": "x"}], "next_cursor": null}')],
            1,
            ["TG8107", "no Device as this version knows it", "another version"],
            id="other-version",
        ),
        pytest.param([answer("200 OK", JSON, "Content-Encoding: gzip", body="no")], 1, ["TG8107"], id="garbled"),
        pytest.param(
            [answer("302 Found", "Location: https://login.example/")], 1, ["TG8107", "answered 302"], id="moved"
        ),
        pytest.param([answer("502 Bad Gateway")], 1, ["TG8107", "answered 502 Bad Gateway"], id="proxy"),
        pytest.param([answer("404 Not Found", body="nope")], 1, ["TG8107", "answered 404"], id="another-service"),
        pytest.param([answer("401 Unauthorized")], 1, ["TG8107", "answered 401"], id="a-proxy-asks-who"),
        pytest.param([answer("500 Oops", PROBLEM, body=BROKEN)], 1, ["TG1000", "request 01kaxw2g7h"], id="broken"),
        pytest.param(
            [answer("429 Slow", PROBLEM, "Retry-After: 3600", body=GUESSED)],
            5,
            ["TG8006", "ask again in 3600 s"],
            id="too-long-to-wait",
        ),
        pytest.param([answer("503 Busy", "Retry-After: 90")], 1, ["TG8107", "ask again in 90 s"], id="maintenance"),
    ],
)
def test_what_it_answers_is_said(
    slept: list[float],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answers: list[bytes],
    code: int,
    words: list[str],
) -> None:
    with answering(*answers) as url:
        monkeypatch.setenv("TOKGATE_URL", url)
        assert main(COMMAND) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert [word for word in words if word not in err] == [], err
    assert "Traceback" not in err


def test_it_waits_as_it_is_asked_says_so_and_goes_on(
    slept: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = answer("503 Busy", PROBLEM, "Retry-After: 7", body=BUSY)
    good = answer("200 OK", JSON, body='{"items": [], "next_cursor": null, "news": "of another version"}')
    with answering(busy, busy, good) as url:
        monkeypatch.setenv("TOKGATE_URL", url)
        assert main(COMMAND) == 0
    assert slept == [7, 7]
    assert capsys.readouterr().err == "TOKGATE_URL: asking again in 7 s\n" * 2 + "no device in the inventory\n"


@pytest.mark.parametrize(
    ("name", "value", "code", "words"),
    [
        pytest.param("TOKGATE_URL", "http://tokgate.example", 6, ["TG1001", "use https"], id="readable"),
        pytest.param("TOKGATE_URL", "ftp://tokgate.example", 6, ["TG1001", "https"], id="no-http"),
        pytest.param("TOKGATE_URL", "nonsense", 6, ["TG1001"], id="nonsense"),
        pytest.param("TOKGATE_URL", "https://[::1", 6, ["TG1001"], id="half"),
        pytest.param("TOKGATE_TOKEN", "", 6, ["TG1001", "no token"], id="no-token"),
        pytest.param("TOKGATE_TOKEN", "späße", 6, ["TG1001", "TOKGATE_TOKEN"], id="no-ascii"),
        pytest.param("TOKGATE_TOKEN", "two\nlines", 6, ["TG1001", "TOKGATE_TOKEN"], id="two-lines"),
        pytest.param("TOKGATE_TOKEN", "tokgate_00000000_" + "0" * 64, 5, ["TG6001"], id="unknown-token"),
    ],
)
def test_what_is_set_wrong_is_said(
    office: Office,
    slept: list[float],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    code: int,
    words: list[str],
) -> None:
    with serving(office.app, Bind(port=0)) as server:
        monkeypatch.setenv("TOKGATE_URL", f"http://127.0.0.1:{server.port}")
        monkeypatch.setenv("TOKGATE_TOKEN", office.tokens["read"])
        monkeypatch.setenv(name, value)
        found, out, err = said(capsys, (*COMMAND,), {})
    assert (found, out) == (code, "")
    assert [word for word in words if word not in err] == [], err
    assert value not in err or name == "TOKGATE_URL" or not value


def test_a_token_in_a_file_is_read_and_one_that_lacks_a_scope_is_told_so(
    office: Office,
    slept: list[float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "token").write_text(f"{office.tokens['read']}\n")
    monkeypatch.delenv("TOKGATE_TOKEN")
    with serving(office.app, Bind(port=0)) as server:
        monkeypatch.setenv("TOKGATE_URL", f"http://127.0.0.1:{server.port}")
        monkeypatch.setenv("TOKGATE_TOKEN_FILE", str(tmp_path / "token"))
        assert main(COMMAND) == 0
        assert main(["plan"]) == 5
        assert "error TG6002: this needs the scope operate; yours: read" in capsys.readouterr().err
        monkeypatch.setenv("TOKGATE_TOKEN_FILE", "/nonexistent/token")
        assert main(COMMAND) == 6
    assert "TOKGATE_TOKEN_FILE: /nonexistent/token cannot be read" in capsys.readouterr().err


# --- over TLS -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def secure(office: Office, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Its port."""
    tls = Tls(certificate=certificates.good.certificate, key=certificates.good.key)
    with serving(office.app, Bind(port=0, tls=tls)) as server:
        monkeypatch.setenv("TOKGATE_TOKEN", office.tokens["read"])
        yield server.port


def test_a_certificate_of_nobody_known_is_told_at_once_and_one_of_a_named_authority_is_taken(
    secure: int,
    certificates: Certificates,
    slept: list[float],
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TOKGATE_TOKEN", office.tokens["read"])
    monkeypatch.setenv("TOKGATE_URL", f"https://127.0.0.1:{secure}")
    assert main(COMMAND) == 6
    err = capsys.readouterr().err
    assert "error TG8106: https://127.0.0.1:" in err
    assert "SSL_CERT_FILE" in err
    assert slept == [], "it will be no other the next time"
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    assert main(COMMAND) == 0
    monkeypatch.setenv("TOKGATE_URL", f"https://localhost:{secure}")
    assert main(COMMAND) == 6
    assert "not valid for 'localhost'" in capsys.readouterr().err


def test_a_plain_server_is_no_secure_one(
    office: Office, slept: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(office.app, Bind(port=0)) as server:
        monkeypatch.setenv("TOKGATE_URL", f"https://127.0.0.1:{server.port}")
        assert main(COMMAND) == 1
    assert "TG8105" in capsys.readouterr().err
