"""Routing registries, asked over a real TCP connection on the loopback in the words of IRRd."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.model import Dedication
from ipsets.sources import IrrConfig, Source, build_source
from ipsets.sources.irr import Conversation, IrrSource, expand
from tests.ipsets.making import NOW, curated, guards, snapshot

V4 = b"A29\n71.18.0.0/16 199.103.24.0/23\nC\n"
V6 = b"A34\n2605:340::/32 2404:8d04:2643::/48\nC\n"


def answer(*words: str) -> bytes:
    """Content as IRRd frames it: the length counts the newline."""
    content = f"{' '.join(words)}\n".encode()
    return b"A%d\n%sC\n" % (len(content), content)


ANSWERS: Mapping[str, bytes] = {
    "!ntokgate": b"C\n",
    "!sRADB,ARIN,RIPE,APNIC": b"C\n",
    "!gAS396986": V4,
    "!6AS396986": V6,
    "!gAS138699": answer("103.136.220.0/22", "103.136.220.0/23"),
    "!6AS138699": b"C\n",
    "!gAS11983": b"D\n",
    "!6AS11983": b"D\n",
    "!iAS-BYTEDANCE,1": answer("AS396986", "AS138699", "AS11983"),
    "!iAS-NOSUCHSET,1": b"D\n",
}


@dataclass(slots=True)
class Irr:
    """A server that stands. ``asked`` are the lines that came, without those that have no answer."""

    port: int
    asked: list[str] = field(default_factory=list)
    connections: int = 0


@contextlib.contextmanager
def irr(
    answers: Mapping[str, bytes] = ANSWERS,
    *,
    after: Callable[[str], bool] = lambda _: False,
    first: Mapping[str, bytes] | None = None,
) -> Iterator[Irr]:
    """Answers whole lines from ``answers``, `F` to others; hangs up after a line for which ``after`` is true.

    ``first`` answers instead on the first connection, and hangs up after one of its lines.
    """

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            stand.connections += 1
            with contextlib.suppress(OSError):
                for line in self.rfile:
                    query = line.decode().strip()
                    if query == "!!":
                        continue
                    stand.asked.append(query)
                    if first is not None and stand.connections == 1 and query in first:
                        self.wfile.write(first[query])
                        return
                    self.wfile.write(answers.get(query, b"F Unrecognised command\n"))
                    if after(query):
                        return

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand = Irr(port=server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield stand
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def source(stand: Irr, slept: list[float] | None = None, **changes: Any) -> Source:
    given = {"asns": (396986,), "timeout_seconds": 5, **changes}
    config = IrrConfig(kind="irr", host="127.0.0.1", port=stand.port, **given)
    return build_source(config, sleep=(slept if slept is not None else []).append)


def failure(changed: Mapping[str, bytes], **changes: Any) -> SourceError:
    with irr({**ANSWERS, **changed}) as stand, pytest.raises(SourceError) as caught:
        source(stand, **changes).fetch(NOW)
    return caught.value


# --- what is data -----------------------------------------------------------------------------------------------------


def test_both_families_are_asked_and_each_prefix_says_who_registered_it() -> None:
    with irr() as stand:
        found = source(stand).fetch(NOW).indicators
    assert stand.asked == ["!ntokgate", "!gAS396986", "!6AS396986"]
    assert [str(i.value) for i in found] == ["71.18.0.0/16", "199.103.24.0/23", "2605:340::/32", "2404:8d04:2643::/48"]
    assert {(i.app, i.category, i.sources[0].source) for i in found} == {
        ("bytedance-shared", "registered", "irr:AS396986")
    }


def test_a_set_is_expanded_by_the_server_in_the_registries_that_are_wanted() -> None:
    with irr() as stand:
        built = source(stand, asns=(), as_sets=("as-bytedance",), registries=("RADB", "ARIN", "RIPE", "APNIC"))
        found = built.fetch(NOW).indicators
    assert stand.asked[1:3] == ["!sRADB,ARIN,RIPE,APNIC", "!iAS-BYTEDANCE,1"]
    assert {i.sources[0].source for i in found} == {"irr:AS396986", "irr:AS138699"}
    assert all("a member of AS-BYTEDANCE" in i.sources[0].detail for i in found)


def test_a_set_that_the_server_leaves_inside_is_asked_for_and_loops_end() -> None:
    inner = {
        "!iAS-BYTEDANCE,1": answer("AS-INNER", "AS138699"),
        "!iAS-INNER,1": answer("AS396986", "AS-BYTEDANCE", "AS-INNER", "AS-NOSUCHSET"),
    }
    with irr({**ANSWERS, **inner}) as stand:
        found = source(stand, asns=(), as_sets=("AS-BYTEDANCE",)).fetch(NOW).indicators
    assert stand.asked.count("!iAS-BYTEDANCE,1") == stand.asked.count("!iAS-INNER,1") == 1
    assert {i.sources[0].source for i in found} == {"irr:AS396986", "irr:AS138699"}


def test_i07_what_is_only_registered_is_never_enforced() -> None:
    """A registry confirms a prefix that routing showed; alone it enforces nothing, not even of TikTok's own network."""
    with irr() as stand:
        found = source(stand, asns=(396986, 138699, 11983)).fetch(NOW).indicators
    assert all(i.dedication is not Dedication.DEDICATED for i in found)
    without, with_irr = snapshot(curated()), snapshot((*curated(), *found))
    assert with_irr.id == without.id
    assert guards(with_irr)["103.136.220.0/22"] == "not-dedicated"
    both = next(i for i in with_irr.indicators if str(i.value) == "103.136.220.0/23")
    assert both.dedication is Dedication.DEDICATED, "by the word of the others"
    assert "irr:AS138699" in {p.source for p in both.sources}


# --- sets in sets -----------------------------------------------------------------------------------------------------


def chain(length: int) -> dict[str, tuple[str, ...]]:
    links = {f"AS-{n}": (f"AS-{n + 1}",) for n in range(1, length)}
    return {**links, f"AS-{length}": ("AS64500",)}


def test_sets_are_followed_as_deep_as_the_limit_and_no_deeper() -> None:
    sets = chain(4)
    assert expand(("AS-1",), sets.get, max_depth=4) == {64500: "AS-4"}
    with pytest.raises(SourceImplausible, match="deeper than 3: AS-4"):
        expand(("AS-1",), sets.get, max_depth=3)


def test_a_set_without_end_is_refused_by_its_size() -> None:
    with pytest.raises(SourceImplausible, match="more than"):
        expand(("AS-1",), lambda name: tuple(f"{name}X{n}"[:60] for n in range(300)), max_depth=32)
    with pytest.raises(SourceImplausible, match="more than"):
        expand(("AS-1",), lambda _: tuple(f"AS{n}" for n in range(1, 400)), max_depth=2)


def test_a_set_that_was_asked_for_must_exist() -> None:
    error = failure({}, as_sets=("AS-NOSUCHSET",))
    assert isinstance(error, SourceImplausible)
    assert "AS-NOSUCHSET: no such set" in error.message


@pytest.mark.parametrize("member", ["ANY", "192.0.2.0/24", "AS-X,1", "!q", "RS-ROUTES"])
def test_a_member_that_is_no_set_is_never_sent_back(member: str) -> None:
    with irr({**ANSWERS, "!iAS-BYTEDANCE,1": answer(member)}) as stand, pytest.raises(SourceImplausible):
        source(stand, as_sets=("AS-BYTEDANCE",)).fetch(NOW)
    assert stand.asked[-1] == "!iAS-BYTEDANCE,1"


@given(st.dictionaries(st.sampled_from("ABCDEF"), st.lists(st.sampled_from(["1", "2", *"ABCDEF"]), max_size=6)))
def test_any_tangle_of_sets_ends(tangle: dict[str, list[str]]) -> None:
    """Every set is asked once at most, so at six sets nothing is deeper than six."""
    asked: list[str] = []

    def members(name: str) -> tuple[str, ...] | None:
        asked.append(name)
        inner = tangle.get(name.removeprefix("AS-"))
        return None if inner is None else tuple(f"AS{m}" if m.isdigit() else f"AS-{m}" for m in inner)

    with contextlib.suppress(SourceImplausible):
        assert set(expand(("AS-A",), members, max_depth=6)) <= {1, 2}
    assert len(asked) == len(set(asked)) <= 6


# --- never data -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        pytest.param(b"F Unrecognised command\n", "refused !gAS396986", id="refused"),
        pytest.param(b"HTTP/1.1 400 Bad Request\n\n<html>", "no answer of a routing registry", id="a-web-server"),
        pytest.param(b"<!DOCTYPE html>\n", "no answer of a routing registry", id="a-page"),
        pytest.param(b"220 mail.example ESMTP\n", "no answer of a routing registry", id="another-protocol"),
        pytest.param(b"A-1\n", "no answer of a routing registry", id="a-length-below-nothing"),
        pytest.param(b"A5000000\n", "more than 4194304", id="huge"),
        pytest.param(b"A13\n71.18.0.0/16 199.103.24.0/23\nC\n", "does not end where", id="told-too-short"),
        pytest.param(b"A12\n71.18.0.0/16\nC\n", "does not end where", id="no-newline-counted"),
        pytest.param(b"A13\n71.18.0.0/16\nD\n", "does not end where", id="another-end"),
        pytest.param(answer("71.18.0.1/16"), "no prefix", id="host-bits"),
        pytest.param(answer("route:", "71.18.0.0/16"), "no prefix", id="another-format"),
        pytest.param(answer("fe80::%25/64"), "no prefix", id="a-zone"),
        pytest.param(b"A3\n\xff\xfe\nC\n", "not ASCII", id="another-charset"),
        pytest.param(b"x" * 5000, "more than 1024", id="a-line-without-end"),
    ],
)  # fmt: skip
def test_i02_an_answer_that_is_not_data_is_an_error_and_says_so(reply: bytes, said: str) -> None:
    error = failure({"!gAS396986": reply})
    assert isinstance(error, SourceImplausible)
    assert said in error.message
    assert "last good entries stay" in error.hint


@pytest.mark.parametrize("at", [*range(1, len(V4))])
def test_i06_no_cut_of_a_good_answer_is_data(at: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(V4[:at])
        theirs.shutdown(socket.SHUT_WR)
        talk = Conversation(ours, place="x", timeout_seconds=5, total_seconds=5, max_bytes=4096)
        with pytest.raises(SourceImplausible, match="broke off"):
            talk.ask("!gAS396986")


@given(st.binary(max_size=80))
def test_whatever_comes_is_an_answer_or_a_source_error(noise: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(noise)
        theirs.shutdown(socket.SHUT_WR)
        talk = Conversation(ours, place="x", timeout_seconds=5, total_seconds=5, max_bytes=64)
        with contextlib.suppress(SourceError):
            talk.prefixes(64500)


def test_a_registry_that_never_ends_is_left_before_the_next_question() -> None:
    many = answer(*(f"10.{n >> 8}.{n & 255}.0/24" for n in range(30_000)))
    endless = {f"!{family}AS{asn}": many for family in "g6" for asn in range(1, 9)}
    with irr({**ANSWERS, **endless}) as stand, pytest.raises(SourceImplausible, match="more than 50000 prefixes"):
        source(stand, asns=tuple(range(1, 9))).fetch(NOW)
    assert stand.asked[1:] == ["!gAS1", "!6AS1", "!gAS2", "!6AS2"]


def test_a_level_of_sets_that_is_too_wide_is_left_at_the_first_set() -> None:
    asked: list[str] = []

    def members(name: str) -> tuple[str, ...]:
        asked.append(name)
        return ("AS-A", "AS-B", "AS-C") if name == "AS-ALL" else tuple(f"AS{n}" for n in range(1, 300))

    with pytest.raises(SourceImplausible, match="more than 256 networks"):
        expand(("AS-ALL",), members, max_depth=8)
    assert asked == ["AS-ALL", "AS-A"]


def test_nothing_registered_at_all_is_no_answer() -> None:
    error = failure({}, asns=(11983,))
    assert isinstance(error, SourceImplausible)
    assert "no route object" in error.message


# --- again later ------------------------------------------------------------------------------------------------------


def test_a_rate_limit_is_told_as_again_later() -> None:
    error = failure({"!gAS396986": b"%ERROR:201: access denied for 192.0.2.1\n"})
    assert isinstance(error, SourceUnreachable)
    assert "access denied" in error.message


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(b"%ERROR:201: access denied for 192.0.2.1\n", id="a-rate-limit"),
        pytest.param(b"", id="hung-up"),
        pytest.param(V4[:12], id="hung-up-in-the-middle"),
    ],
)
def test_what_may_pass_is_asked_again_from_the_start_on_a_new_connection(reply: bytes) -> None:
    slept: list[float] = []
    with irr(first={"!gAS396986": reply}) as stand:
        assert len(source(stand, slept).fetch(NOW).indicators) == 4
    assert stand.connections == 2
    assert stand.asked == ["!ntokgate", "!gAS396986", "!ntokgate", "!gAS396986", "!6AS396986"]
    assert slept == [1.0]


def test_what_does_not_pass_ends_after_all_attempts() -> None:
    slept: list[float] = []
    limited = {**ANSWERS, "!gAS396986": b"%ERROR:201: access denied for 192.0.2.1\n"}
    with irr(limited) as stand, pytest.raises(SourceUnreachable, match="access denied"):
        source(stand, slept, attempts=4).fetch(NOW)
    assert (stand.connections, slept) == (4, [1.0, 2.0, 4.0])


def test_silence_is_asked_again_and_nonsense_is_not() -> None:
    slept: list[float] = []
    with irr({**ANSWERS, "!gAS396986": b""}) as stand, pytest.raises(SourceUnreachable):
        source(stand, slept, timeout_seconds=0.2).fetch(NOW)
    assert (stand.connections, slept) == (3, [1.0, 2.0])
    with irr({**ANSWERS, "!gAS396986": b"<html>\n"}) as stand, pytest.raises(SourceImplausible):
        source(stand, slept).fetch(NOW)
    assert (stand.connections, len(slept)) == (1, 2)


def test_no_wait_is_begun_that_outlasts_the_time_for_all() -> None:
    slept: list[float] = []
    limited = {**ANSWERS, "!gAS396986": b"%ERROR:201: access denied\n"}
    with irr(limited) as stand, pytest.raises(SourceUnreachable):
        source(stand, slept, attempts=6, total_seconds=3.5).fetch(NOW)
    assert (stand.connections, slept) == (3, [1.0, 2.0]), "a third wait of four seconds would be too long"


def test_a_server_that_hangs_up_is_unreachable() -> None:
    with irr(after=lambda query: query == "!ntokgate") as stand, pytest.raises(SourceUnreachable):
        source(stand).fetch(NOW)


def test_nobody_there_is_unreachable() -> None:
    with irr() as stand:
        port = stand.port
    with pytest.raises(SourceUnreachable, match=f"127.0.0.1:{port}"):
        source(Irr(port=port)).fetch(NOW)


def test_silence_ends_at_the_time_out() -> None:
    with irr({**ANSWERS, "!gAS396986": b""}) as stand, pytest.raises(SourceUnreachable, match="no answer in time"):
        source(stand, timeout_seconds=0.2).fetch(NOW)


def test_i02_an_answer_that_drips_ends_within_its_time() -> None:
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b"C\nA4000000\n")
                while not ended.wait(0.05):
                    connection.sendall(b"7")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        began = time.monotonic()
        port = server.getsockname()[1]
        try:
            with pytest.raises(SourceUnreachable, match="in time"):
                IrrSource(host="127.0.0.1", port=port, asns=(396986,), total_seconds=0.5).fetch(NOW)
        finally:
            ended.set()
            thread.join(5)
    assert time.monotonic() - began < 3
