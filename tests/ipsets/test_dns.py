"""DNS, asked of a real server on the loopback: which answers make an address TikTok's own."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from core.net import DomainName, parse_network
from ipsets import dataset
from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.model import Dedication, Indicator
from ipsets.sources import DnsConfig, Source, build_source
from ipsets.sources.dns import Answered, Resolved, recall, remember
from ipsets.sources.source import Fetched, LastGood
from tests.ipsets.making import LATER, NOW, curated, snapshot
from tests.ipsets.origins import Dns, dns_answer, dns_server

RECORDS = {
    "www.tiktok.com": ("www.tiktok.com. 60 IN A 103.136.220.10", "www.tiktok.com. 60 IN AAAA 2404:9dc0:cd01::10"),
    "v16.tiktokcdn.com": (
        "v16.tiktokcdn.com. 60 IN CNAME v16.tiktokcdn.com.edgesuite.net.",
        "v16.tiktokcdn.com.edgesuite.net. 60 IN CNAME a1.dscb.akamai.net.",
        "a1.dscb.akamai.net. 60 IN A 23.45.12.10",
    ),
    "shared.tiktokv.com": ("shared.tiktokv.com. 60 IN A 130.44.212.132",),
    "poisoned.tiktok.com": ("other.example. 60 IN A 103.136.220.11", "poisoned.tiktok.com. 60 IN A 10.0.0.1"),
    "circle.tiktok.com": (
        "circle.tiktok.com. 60 IN CNAME round.tiktok.com.",
        "round.tiktok.com. 60 IN CNAME circle.tiktok.com.",
    ),
    "blocked.tiktok.com": ("blocked.tiktok.com. 60 IN A 0.0.0.0", "blocked.tiktok.com. 60 IN AAAA ::"),
    "half.tiktok.com": ("half.tiktok.com. 60 IN A 127.0.0.1", "half.tiktok.com. 60 IN A 103.136.220.12"),
    "x.capcut.com": ("x.capcut.com. 60 IN A 71.18.6.9",),
}


def source(*ports: int, names: tuple[str, ...] = (), timeout: float = 2.0, **changes: object) -> Source:
    resolvers = [f"127.0.0.1:{port}" for port in ports]
    given = {"kind": "dns", "resolvers": resolvers, "names": names, "timeout_seconds": timeout, **changes}
    return build_source(DnsConfig.model_validate(given))


def ask(*names: str) -> dict[str, Indicator]:
    with dns_server(RECORDS) as server:
        found = source(server.port, names=names).fetch(NOW).indicators
    return {i.value.name if isinstance(i.value, DomainName) else str(i.value): i for i in found}


def silent_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_address_in_tiktoks_own_prefix_is_dedicated() -> None:
    found = ask("www.tiktok.com")
    assert set(found) == {"www.tiktok.com", "103.136.220.10/32", "2404:9dc0:cd01::10/128"}
    assert all(i.dedication is Dedication.DEDICATED and i.app == "tiktok" for i in found.values())
    assert "2 in TikTok's own prefixes" in found["103.136.220.10/32"].sources[0].detail


def test_an_address_of_a_cdn_leaves_the_name_a_name_and_says_the_chain() -> None:
    found = ask("v16.tiktokcdn.com")
    assert set(found) == {"v16.tiktokcdn.com"}
    detail = found["v16.tiktokcdn.com"].sources[0].detail
    assert "v16.tiktokcdn.com.edgesuite.net -> a1.dscb.akamai.net" in detail
    assert "Akamai" in detail


def test_an_address_that_the_owner_shares_is_not_dedicated() -> None:
    assert set(ask("shared.tiktokv.com")) == {"shared.tiktokv.com"}


def test_i07_records_of_other_names_and_private_addresses_are_not_believed() -> None:
    """Nor do they show that a name is alive: a resolver that blocks it answers so."""
    with structlog.testing.capture_logs() as logged:
        found = ask("www.tiktok.com", "poisoned.tiktok.com", "blocked.tiktok.com", "half.tiktok.com")
    assert {name for name in found if name[0].isalpha()} == {"www.tiktok.com", "half.tiktok.com"}
    assert "not believed: 127.0.0.1" in found["half.tiktok.com"].sources[0].detail
    assert [(e["event"], e["names"], e["first"]) for e in logged] == [
        ("dns.addresses_refused", 3, "poisoned.tiktok.com: 10.0.0.1")
    ]


def test_i02_a_resolver_that_blocks_every_name_is_no_answer() -> None:
    with pytest.raises(SourceImplausible) as caught:
        ask("blocked.tiktok.com")
    assert "blocked.tiktok.com: 0.0.0.0" in caught.value.message
    assert "blocks these names" in caught.value.hint


def test_a_name_of_another_app_is_that_apps() -> None:
    found = ask("x.capcut.com", "www.tiktok.com")
    assert found["x.capcut.com"].app == "capcut"


def test_a_circle_of_names_ends() -> None:
    found = ask("circle.tiktok.com")
    assert "in a circle or beyond 16 names: 0 addresses" in found["circle.tiktok.com"].sources[0].detail


def test_a_chain_is_followed_so_far_and_no_further() -> None:
    def links(count: int) -> tuple[str, ...]:
        names = ["long.tiktok.com.", *(f"n{n}.example." for n in range(1, count))]
        steps = [f"{one} 60 IN CNAME {other}" for one, other in itertools.pairwise(names)]
        return (*steps, f"{names[-1]} 60 IN A 103.136.220.10")

    for count, addresses in ((16, 1), (17, 0)):
        with dns_server({"long.tiktok.com": links(count)}) as server:
            found = source(server.port, names=("long.tiktok.com",)).fetch(NOW).indicators
        assert f"{addresses} addresses" in found[0].sources[0].detail
        assert ("beyond 16 names" in found[0].sources[0].detail) is (addresses == 0)


def test_a_name_that_does_not_exist_is_left_out() -> None:
    assert set(ask("www.tiktok.com", "gone.tiktok.com")) == {
        "www.tiktok.com", "103.136.220.10/32", "2404:9dc0:cd01::10/128"
    }  # fmt: skip


def test_the_shipped_names_are_asked_when_none_are_given() -> None:
    with dns_server(dict.fromkeys(dataset.hosts(), RECORDS["v16.tiktokcdn.com"][2:])) as server:
        with pytest.raises(SourceImplausible):  # answers about another name only
            source(server.port).fetch(NOW)
        assert {name for name, _ in server.asked} == set(dataset.hosts())
        assert {kind for _, kind in server.asked} == {"A", "AAAA"}


def test_live_answers_change_nothing_that_the_prefixes_do_not_already_hold() -> None:
    """So what a resolver says from hour to hour makes no new snapshot and touches no device."""
    live = list(ask("www.tiktok.com", "v16.tiktokcdn.com").values())
    assert snapshot([*curated(), *live]).id == snapshot(curated()).id


def _fails(*ports: int, timeout: float = 0.3) -> SourceError:
    with pytest.raises(SourceError) as caught:
        source(*ports, names=("www.tiktok.com", "v16.tiktokcdn.com"), timeout=timeout).fetch(NOW)
    return caught.value


def test_silence_is_an_error_and_costs_one_time_out() -> None:
    error = _fails(silent_port())
    assert isinstance(error, SourceUnreachable)
    assert "127.0.0.1" in error.message


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_server_that_refuses_is_an_error(rcode: int) -> None:
    with dns_server(RECORDS, rcode=rcode) as server:
        assert isinstance(_fails(server.port), SourceUnreachable)


def test_i02_a_server_that_knows_nothing_is_no_answer() -> None:
    with dns_server({}) as server:
        assert isinstance(_fails(server.port), SourceImplausible)


def test_one_resolver_that_answers_is_enough() -> None:
    with dns_server(RECORDS) as server:
        found = source(silent_port(), server.port, names=("www.tiktok.com",), timeout=0.3).fetch(NOW).indicators
    assert {i.sources[0].source for i in found} == {f"dns:127.0.0.1#{server.port}"}
    assert parse_network("103.136.220.10") in {i.value for i in found}


# --- until a TTL has run out ------------------------------------------------------------------------------------------

SOA = "tiktok.com. 600 IN SOA ns.tiktok.com. root.tiktok.com. 1 3600 600 86400 120"
LASTING = {
    "www.tiktok.com": ("www.tiktok.com. 300 IN A 103.136.220.10", "www.tiktok.com. 200 IN AAAA 2404:9dc0:cd01::10"),
    "v16.tiktokcdn.com": (
        "v16.tiktokcdn.com. 3000 IN CNAME a1.dscb.akamai.net.",
        "a1.dscb.akamai.net. 20 IN A 23.45.12.10",
        "a1.dscb.akamai.net. 400 IN AAAA 2600:1400::10",
    ),
    "four.tiktok.com": ("four.tiktok.com. 3000 IN A 103.136.220.11", SOA),  # and nothing of IPv6, for 120 seconds
    "blind.tiktok.com": ("blind.tiktok.com. 3000 IN A 103.136.220.11",),  # nor a word for how long
    "gone.tiktok.com": (SOA,),
    "week.tiktok.com": (
        "week.tiktok.com. 604800 IN A 103.136.220.12",
        "week.tiktok.com. 604800 IN AAAA 2404:9dc0:cd01::12",
    ),
}


def asked_again(after: timedelta, *names: str, **changes: object) -> tuple[Fetched, set[str]]:
    """What a second refresh finds, and the names that it asked for."""
    with dns_server(LASTING) as server:
        first = source(server.port, names=names).fetch(NOW)
        server.asked.clear()
        second = source(server.port, names=names, **changes).fetch(NOW + after, kept(first))
        return second, {name for name, _ in server.asked}


def kept(fetched: Fetched) -> LastGood:
    return LastGood(indicators=fetched.indicators, memo=fetched.memo)


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        pytest.param("www.tiktok.com", 200, id="the-shorter-of-both-families"),
        pytest.param("v16.tiktokcdn.com", 20, id="the-least-of-the-chain"),
        pytest.param("four.tiktok.com", 120, id="nothing-as-long-as-the-zone-says"),
        pytest.param("blind.tiktok.com", 0, id="nothing-for-no-told-time"),
        pytest.param("gone.tiktok.com", 120, id="no-such-name"),
        pytest.param("week.tiktok.com", 86400, id="a-day-at-most"),
    ],
)
def test_a_name_is_not_asked_again_before_its_ttl_has_run_out(name: str, holds: int) -> None:
    names = ("www.tiktok.com", name)
    if holds:
        assert name not in asked_again(timedelta(seconds=holds - 1), *names)[1]
    assert name in asked_again(timedelta(seconds=holds), *names)[1]


def test_what_still_holds_is_said_again_with_the_time_when_it_was_heard() -> None:
    names = ("www.tiktok.com", "v16.tiktokcdn.com")
    found, asked = asked_again(timedelta(seconds=60), *names)
    assert asked == {"v16.tiktokcdn.com"}
    seen = {str(i.value): i.sources[0].last_seen for i in found.indicators}
    assert seen["103.136.220.10/32"] == NOW
    assert seen["DomainName(name='v16.tiktokcdn.com', suffix=False)"] == NOW + timedelta(seconds=60)
    assert asked_again(timedelta(seconds=10), *names)[1] == set()


def test_a_resolver_that_died_is_not_missed_while_its_answers_hold() -> None:
    with dns_server(LASTING) as server:
        first = source(server.port, names=("www.tiktok.com",)).fetch(NOW)
    gone = source(server.port, names=("www.tiktok.com",), timeout=0.3)
    assert len(gone.fetch(NOW + timedelta(seconds=199), kept(first)).indicators) == 3
    with pytest.raises(SourceUnreachable):
        gone.fetch(NOW + timedelta(seconds=200), kept(first))


def test_a_clock_that_went_back_and_another_question_make_all_be_asked() -> None:
    assert asked_again(timedelta(seconds=-1), "www.tiktok.com")[1] == {"www.tiktok.com"}
    assert asked_again(timedelta(seconds=10), "www.tiktok.com", client_subnet="203.0.113.0/24")[1] == {"www.tiktok.com"}


@pytest.mark.parametrize(
    "memo",
    ["", "{", "[]", "null", '{"etag": "1"}', '{"asked_as": ""}', '{"asked_as": "", "answers": []}',
     '{"asked_as": "", "answers": {"127.0.0.1": 7}}', '{"asked_as": "", "answers": {"127.0.0.1": {"x": {"at": 1}}}}'],
)  # fmt: skip
def test_a_memo_that_says_nothing_of_answers_is_none(memo: str) -> None:
    assert recall(memo, asked_as="", now=NOW) == {}


KEYS = ("asked_as", "answers", "at", "until", "chain", "addresses", "refused", "ends", "ttl", "x")
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)


@given(JSON)
def test_any_memo_is_answers_or_nothing(said: object) -> None:
    for memo in (said, {"asked_as": "", "answers": said}, {"asked_as": "", "answers": {"r": {"n": said}}}):
        recall(json.dumps(memo), asked_as="", now=NOW)


def test_an_answer_that_is_too_large_is_not_kept() -> None:
    found = Resolved(chain=("big.tiktok.com",), addresses=tuple(IPv4Address(n) for n in range(257)), ttl=300)
    answered = Answered(found=found, at=NOW, until=LATER)
    small = replace(answered, found=replace(found, addresses=found.addresses[:256]))
    for answer, expected in ((answered, set()), (small, {"big.tiktok.com"})):
        memo = remember({"127.0.0.1": {"big.tiktok.com": answer}}, asked_as="")
        assert set(recall(memo, asked_as="", now=NOW)["127.0.0.1"]) == expected


# --- for clients elsewhere --------------------------------------------------------------------------------------------


def subnets(server: Dns) -> set[str]:
    return {o.to_text() for query in server.queries for o in query.options if isinstance(o, dns.edns.ECSOption)}


def test_no_client_subnet_is_told_unless_it_is_asked_for() -> None:
    with dns_server(RECORDS) as server:
        source(server.port, names=("www.tiktok.com",)).fetch(NOW)
        assert subnets(server) == set()
        source(server.port, names=("www.tiktok.com",), client_subnet="203.0.113.0/24").fetch(NOW)
        assert subnets(server) == {"ECS 203.0.113.0/24 scope/0"}
    with dns_server(RECORDS) as server:
        source(server.port, names=("www.tiktok.com",), client_subnet="0.0.0.0/0").fetch(NOW)
        assert subnets(server) == {"ECS 0.0.0.0/0 scope/0"}, "which asks resolvers to tell none (RFC 7871, 7.1.2)"


@pytest.mark.parametrize(("told", "believed"), [("203.0.113.0", True), ("198.51.100.0", False)])
def test_an_answer_for_other_clients_is_not_believed(told: str, believed: bool) -> None:
    with dns_server(RECORDS, options=[dns.edns.ECSOption(told, 24, 24)]) as server:
        built = source(server.port, names=("www.tiktok.com",), client_subnet="203.0.113.0/24")
        if believed:
            assert len(built.fetch(NOW).indicators) == 3
        else:
            with pytest.raises(SourceUnreachable):
                built.fetch(NOW)


# --- packets ----------------------------------------------------------------------------------------------------------

Packets = Callable[[dns.message.Message], tuple[bytes, ...]]
WWW = RECORDS["www.tiktok.com"]
FORGED = ("www.tiktok.com. 60 IN A 103.136.220.99", "www.tiktok.com. 60 IN AAAA 2404:9dc0:cd01::99")


def right(query: dns.message.Message) -> bytes:
    return dns_answer(query, WWW).to_wire()


def of_another_id(query: dns.message.Message) -> bytes:
    answer = dns_answer(query, FORGED)
    answer.id ^= 1
    return answer.to_wire()


def of_another_name(query: dns.message.Message) -> bytes:
    other = dns.message.make_query("m.tiktok.com", query.question[0].rdtype, id=query.id)
    return dns_answer(other, ("m.tiktok.com. 60 IN A 103.136.220.99",)).to_wire()


def cut_off(query: dns.message.Message) -> bytes:
    answer = dns_answer(query, None)
    answer.set_rcode(dns.rcode.NOERROR)
    answer.flags |= dns.flags.TC
    return answer.to_wire()


@contextlib.contextmanager
def packets(udp: Packets, tcp: Packets | None = None) -> Iterator[int]:
    """A port where each question gets these packets, over UDP; and over TCP these bytes, each with its length."""

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            for packet in udp(dns.message.from_wire(self.request[0])):
                self.request[1].sendto(packet, self.client_address)

    class Tcp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            size = int.from_bytes(self.request.recv(2), "big")
            for answer in tcp(dns.message.from_wire(self.request.recv(size))) if tcp else ():
                self.request.sendall(struct.pack("!H", len(answer)) + answer)

    with contextlib.ExitStack() as stack:
        over_tcp = stack.enter_context(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tcp))
        port = int(over_tcp.server_address[1])
        over_udp = stack.enter_context(socketserver.ThreadingUDPServer(("127.0.0.1", port), Udp))
        if tcp is None:
            over_tcp.server_close()
        for server in (over_udp, *([over_tcp] if tcp else [])):
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            stack.callback(server.shutdown)
        yield port


@pytest.mark.parametrize(
    ("udp", "tcp"),
    [
        pytest.param(lambda q: (right(q),), None, id="right"),
        pytest.param(lambda q: (b"", b"\0", b"no DNS", right(q)), None, id="after-noise"),
        pytest.param(lambda q: (of_another_id(q), right(q)), None, id="after-a-forged-one"),
        pytest.param(lambda q: (of_another_name(q), right(q)), None, id="after-one-of-another-name"),
        pytest.param(lambda q: (right(q), of_another_id(q), right(q)), None, id="and-more-behind-it"),
        pytest.param(lambda q: (cut_off(q),), lambda q: (right(q),), id="cut-off-and-whole-over-tcp"),
    ],
)
def test_the_answer_to_the_question_is_taken_whatever_else_comes(udp: Packets, tcp: Packets | None) -> None:
    with packets(udp, tcp) as port:
        found = source(port, names=("www.tiktok.com",)).fetch(NOW).indicators
    assert {str(i.value) for i in found if not isinstance(i.value, DomainName)} == {
        "103.136.220.10/32", "2404:9dc0:cd01::10/128"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("udp", "tcp"),
    [
        pytest.param(lambda _: (b"HTTP/1.1 400 Bad Request\r\n\r\n",), None, id="another-protocol"),
        pytest.param(lambda q: (right(q)[:20],), None, id="broken-off"),
        pytest.param(lambda q: (of_another_id(q),), None, id="forged"),
        pytest.param(lambda q: (of_another_name(q),), None, id="of-another-name"),
        pytest.param(lambda q: (q.to_wire(),), None, id="the-question-itself"),
        pytest.param(lambda q: (cut_off(q),), None, id="cut-off-and-no-tcp"),
        pytest.param(lambda q: (cut_off(q),), lambda _: (), id="cut-off-and-hung-up"),
        pytest.param(lambda q: (cut_off(q),), lambda q: (right(q)[:20],), id="cut-off-again"),
        pytest.param(lambda q: (cut_off(q),), lambda q: (of_another_id(q),), id="cut-off-and-forged"),
    ],
)
def test_i02_what_is_no_answer_to_the_question_is_none(udp: Packets, tcp: Packets | None) -> None:
    with packets(udp, tcp) as port, pytest.raises(SourceError) as caught:
        source(port, names=("www.tiktok.com",), timeout=0.3).fetch(NOW)
    assert f"127.0.0.1#{port}" in caught.value.message
    assert "last good entries stay" in caught.value.hint


def test_a_large_answer_over_tcp_is_read_whole_and_not_remembered() -> None:
    many = tuple(f"www.tiktok.com. 300 IN A 103.136.{220 + n // 250}.{n % 250}" for n in range(500))

    def all_of_them(query: dns.message.Message) -> tuple[bytes, ...]:
        return (dns_answer(query, (*many, *LASTING["www.tiktok.com"])).to_wire(max_size=65_535),)

    with packets(lambda q: (cut_off(q),), all_of_them) as port:
        found = source(port, names=("www.tiktok.com",)).fetch(NOW)
    assert len(found.indicators) == 502
    assert recall(found.memo, asked_as="", now=NOW) == {f"127.0.0.1#{port}": {}}
