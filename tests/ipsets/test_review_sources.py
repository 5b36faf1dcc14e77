"""Origins that lie, drip or answer what nobody asked; lists that lose a whole kind of entry."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipsets.errors import GuardTripped, SourceError, SourceImplausible, SourceUnreachable
from ipsets.sources import LastGood, ListConfig, Source, build_source
from ipsets.sources.http import Getter
from tests.ipsets.making import LATER, NOW, entry, snapshot
from tests.ipsets.origins import Asked, Reply, web
from tests.ipsets.test_lists import LIST, linked


@contextlib.contextmanager
def dripping(start: bytes, drop: bytes) -> Iterator[str]:
    """A server that begins an answer with ``start`` and then sends ``drop`` again and again, for ever."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(start)
                while not ended.wait(0.05):
                    connection.sendall(drop)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/list.txt"
        finally:
            ended.set()
            thread.join(5)


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX-A: ", b"a", id="a-header-without-end"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", b"a", id="a-chunk-without-end"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"a", id="a-body-without-end"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", id="continue-for-ever"),
    ],
)
def test_i02_an_answer_that_drips_ends_within_its_time(start: bytes, drop: bytes) -> None:
    began = time.monotonic()
    with dripping(start, drop) as url, pytest.raises(SourceUnreachable, match="not finished after"):
        Getter(timeout_seconds=5, attempts=1, total_seconds=0.5).get(url)
    assert time.monotonic() - began < 3


def test_a_304_to_a_question_without_a_condition_is_no_data() -> None:
    """The list means something else now, so it was asked for whole: the old entries are not its answer."""
    with web(lambda *_: Reply(body=LIST, headers={"ETag": '"v1"'})) as origin:
        first = linked(origin).fetch(NOW)
    with web(lambda *_: Reply(status=304)) as origin, pytest.raises(SourceImplausible, match="304"):
        linked(origin, dedicated=False).fetch(LATER, LastGood(indicators=first.indicators, memo=first.memo))


@pytest.mark.parametrize("location", ["https://[", "https://a:b/", "\x7fhttp:"])
def test_a_redirect_to_nowhere_is_told_as_the_origins_fault(location: str) -> None:
    with web(lambda *_: Reply(status=302, headers={"Location": location})) as origin, pytest.raises(SourceError):
        linked(origin).fetch(NOW)


@pytest.mark.parametrize("body", ["maintenance\n", "OK\n", "unauthorized\n", "null\n", "nginx\n"])
def test_i02_a_bare_word_is_no_list(body: str, tmp_path: Path) -> None:
    """What a proxy or a broken server says in one word would else be a list of one name, and the old one gone."""
    path = tmp_path / "list.txt"
    path.write_text(body, encoding="utf-8")
    source: Source = build_source(ListConfig(kind="list", name="ours", file=path))
    with pytest.raises(SourceImplausible):
        source.fetch(NOW)


def test_a_hosts_line_may_still_name_this_machine() -> None:
    def hosts(_: Asked, __: int) -> Reply:
        return Reply(body="127.0.0.1 localhost\n0.0.0.0 www.tiktok.com\n")

    with web(hosts) as origin:
        assert len(linked(origin).fetch(NOW).indicators) == 1


FEW = ["5.5.5.0/24", "5.5.6.0/24", "2605:340:1::/48", "2605:340:2::/48", ".one.example", ".two.example"]


@pytest.mark.parametrize(
    ("left", "lost"),
    [
        (FEW[2:], "IPv4 addresses"),
        (FEW[:2] + FEW[4:], "IPv6 addresses"),
        (FEW[:4], "domains"),
    ],
)
def test_i07_a_short_list_does_not_lose_a_whole_kind_without_a_person(left: list[str], lost: str) -> None:
    """Below the floor a share says nothing, but nothing at all does."""
    before = snapshot([entry(text) for text in FEW])
    with pytest.raises(GuardTripped, match=f"tiktok {lost}"):
        snapshot([entry(text) for text in left], previous=before)
    assert snapshot([entry(text) for text in left], previous=before, force=True).parent == before.id
    assert snapshot([entry(text) for text in FEW[1:]], previous=before).parent == before.id, "one of two is a share"


@pytest.mark.parametrize("text", ["fec0:0:1::/48", "fec0::/32", "200:1::/48", "303:7f::/64"])
def test_i07_ipv6_that_was_never_of_the_internet_is_not_blocked(text: str) -> None:
    """Site-local and the old NSAP space are in use inside organisations and overlays, and in no special registry."""
    (verdict,) = snapshot([entry(FEW[0]), entry(text)]).dropped
    assert (verdict.guard, verdict.entry) == ("never-block", text)
