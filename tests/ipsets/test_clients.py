"""Every source that asks over HTTP, against the same ways in which an origin fails, cheats or asks for patience.

What is wrong inside an answer stands with each source; this is about the way there.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.sources import Source, SourceConfig, build_source
from tests.ipsets import test_ct, test_lists, test_ranges, test_ripestat, test_rpki
from tests.ipsets.making import NOW
from tests.ipsets.origins import Asked, Reply, Web, web

CONFIG: TypeAdapter[SourceConfig] = TypeAdapter(SourceConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A source: its configuration, where it puts the address of its origin, and an answer that it takes."""

    given: Mapping[str, Any]
    key: str
    good: str
    at: datetime = NOW
    path: str = ""

    def source(self, url: str, slept: list[float] | None = None, **changes: Any) -> Source:
        given = {**self.given, self.key: url + self.path, "timeout_seconds": 5, **changes}
        return build_source(CONFIG.validate_python(given), sleep=(slept if slept is not None else []).append)

    def fetch(self, origin: Web, slept: list[float] | None = None, **changes: Any) -> int:
        return len(self.source(origin.url, slept, **changes).fetch(self.at).indicators)

    def failure(self, answer: Callable[[Asked, int], Reply], **changes: Any) -> SourceError:
        with web(answer) as origin, pytest.raises(SourceError) as caught:
            self.fetch(origin, **{"attempts": 1, **changes})
        return caught.value


SMALL = {"max_bytes": 65536}
CLIENTS = {
    "ripestat": Client(
        given={"kind": "ripestat", "asns": [138699], "holders": False},
        key="base_url",
        good=json.dumps(test_ripestat.envelope()),
    ),
    "rpki": Client(
        given={"kind": "rpki", **SMALL}, key="url", good=test_rpki.ROUTINATOR, at=test_rpki.AT, path="/json"
    ),
    "ct": Client(
        given={"kind": "ct", "domains": ["tiktokv.com"], "pause_seconds": 0, **SMALL},
        key="base_url",
        good=json.dumps([test_ct.a_certificate("www.tiktokv.com")]),
    ),
    "list": Client(given={"kind": "list", "name": "ours", **SMALL}, key="url", good=test_lists.LIST, path="/list"),
    "ranges": Client(
        given={"kind": "ranges", "format": "fastly", "operator": "Fastly", **SMALL},
        key="url",
        good=test_ranges.FASTLY,
        path="/list",
    ),
}
every_client = pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)

PAGE = Reply(body="<!DOCTYPE html><html><body>Sign in to continue</body></html>", headers={"Content-Type": "text/html"})
ZEROS = gzip.compress(bytes(64 * 1024 * 1024))
ENCODED = {"Content-Encoding": "gzip"}
ENDLESS = Reply(tell_length=False, endless=b'["9.9.9.0/24"]\n' * 4096)
CHUNKS = Reply(tell_length=False, headers={"Transfer-Encoding": "chunked"}, endless=b"1000\r\n" + b"x" * 4096 + b"\r\n")


@every_client
@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        pytest.param(Reply(status=400), SourceImplausible, "400", id="bad-request"),
        pytest.param(Reply(status=401), SourceImplausible, "401", id="unauthorised"),
        pytest.param(Reply(status=403), SourceImplausible, "403", id="forbidden"),
        pytest.param(Reply(status=404), SourceImplausible, "404", id="not-found"),
        pytest.param(Reply(status=206), SourceImplausible, "206", id="part"),
        pytest.param(Reply(status=204), SourceImplausible, "204", id="no-content"),
        pytest.param(Reply(status=304), SourceImplausible, "304", id="unchanged-since-never"),
        pytest.param(Reply(status=429), SourceUnreachable, "429", id="a-rate-limit"),
        pytest.param(Reply(status=500), SourceUnreachable, "500", id="broken"),
        pytest.param(Reply(status=503, body=PAGE.body), SourceUnreachable, "503", id="maintenance"),
        pytest.param(PAGE, SourceImplausible, "", id="a-page"),
        pytest.param(Reply(body=ZEROS, headers=ENCODED), SourceImplausible, "encoded", id="a-bomb"),
        pytest.param(Reply(body=ZEROS), SourceImplausible, "", id="a-bomb-that-says-nothing"),
        pytest.param(Reply(body=b"\xff\xfe{\0}\0"), SourceImplausible, "UTF-8", id="another-charset"),
        pytest.param(ENDLESS, SourceImplausible, "more than", id="a-body-without-end"),
        pytest.param(CHUNKS, SourceImplausible, "more than", id="chunks-without-end"),
        pytest.param(Reply(body=b"", claim=1 << 40), SourceImplausible, "broke off", id="a-terabyte-told"),
        pytest.param(Reply(raw=b""), SourceImplausible, "broke off", id="hung-up"),
        pytest.param(Reply(raw=b"220 mail.example ESMTP\r\n"), SourceImplausible, "no HTTP", id="another-protocol"),
        pytest.param(
            Reply(status=302, headers={"Location": "http://192.0.2.1/"}), SourceImplausible, "https", id="sent-to-http"
        ),
        pytest.param(Reply(status=302, headers={"Location": "/x"}), SourceImplausible, "redirects", id="in-circles"),
        pytest.param(Reply(status=302), SourceImplausible, "302", id="sent-nowhere"),
    ],
)  # fmt: skip
def test_i02_an_origin_that_fails_or_cheats_is_an_error_that_says_so(
    client: Client, reply: Reply, kind: type[SourceError], said: str
) -> None:
    error = client.failure(lambda *_: reply)
    assert type(error) is kind
    assert said in str(error)
    assert "127.0.0.1" in str(error) or "RIPEstat, AS138699" in str(error)
    assert error.hint


@every_client
def test_i06_no_cut_of_a_good_answer_is_data(client: Client) -> None:
    """Whether its server told the length, or told a wrong one, or ended where the connection did."""
    whole = client.good.rstrip().encode()
    for at in range(0, len(whole), max(1, len(whole) // 6)):
        assert "broke off" in str(client.failure(lambda *_, at=at: Reply(body=whole[:at], claim=len(whole))))
        if whole[at - 1 : at] != b"\n":  # a line of a list that is whole is told from the end by nothing else
            client.failure(lambda *_, at=at: Reply(body=whole[:at], tell_length=False))


@every_client
def test_a_redirect_on_the_same_machine_is_followed(client: Client) -> None:
    def moved(asked: Asked, _: int) -> Reply:
        return Reply(body=client.good) if asked.path == "/new" else Reply(status=307, headers={"Location": "/new"})

    with web(moved) as origin:
        assert client.fetch(origin) > 0


@every_client
@pytest.mark.parametrize("status", [429, 502, 503])
def test_an_origin_that_asks_for_patience_gets_it_and_no_more(client: Client, status: int) -> None:
    slept: list[float] = []

    def better(_: Asked, number: int) -> Reply:
        return Reply(status=status, headers={"Retry-After": "9"}) if number < 3 else Reply(body=client.good)

    with web(better) as origin:
        assert client.fetch(origin, slept) > 0
    assert slept == [9.0, 9.0]
    limited = Reply(status=status, headers={"Retry-After": "86400"})
    assert "asks to wait 86400 s" in str(client.failure(lambda *_: limited, attempts=3))


@every_client
def test_silence_ends_at_the_time_out(client: Client) -> None:
    release = threading.Event()

    def silent(*_: Any) -> Reply:
        release.wait(10)
        return Reply(body=client.good)

    began = time.monotonic()
    try:
        assert "timed out" in str(client.failure(silent, timeout_seconds=0.2))
    finally:
        release.set()
    assert time.monotonic() - began < 5


@every_client
def test_what_each_client_asks_says_who_asks_and_takes_no_encoding(client: Client) -> None:
    with web(lambda *_: Reply(body=client.good)) as origin:
        assert client.fetch(origin) > 0
    assert {(a.headers["user-agent"], a.headers["accept-encoding"]) for a in origin.asked} == {("tokgate", "identity")}
