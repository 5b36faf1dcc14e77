"""DNS, asked of a real server on the loopback: which answers make an address TikTok's own."""

from __future__ import annotations

import socket

import dns.rcode
import pytest

from core.net import DomainName, parse_network
from ipsets import dataset
from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.model import Dedication, Indicator
from ipsets.sources import DnsConfig, Source, build_source
from tests.ipsets.making import NOW, curated, snapshot
from tests.ipsets.origins import dns_server

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
    "x.capcut.com": ("x.capcut.com. 60 IN A 71.18.6.9",),
}


def source(*ports: int, names: tuple[str, ...] = (), timeout: float = 2.0) -> Source:
    resolvers = [f"127.0.0.1:{port}" for port in ports]
    return build_source(DnsConfig(kind="dns", resolvers=resolvers, names=names, timeout_seconds=timeout))


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
    assert set(ask("poisoned.tiktok.com")) == {"poisoned.tiktok.com"}


def test_a_name_of_another_app_is_that_apps() -> None:
    found = ask("x.capcut.com", "www.tiktok.com")
    assert found["x.capcut.com"].app == "capcut"


def test_a_circle_of_names_ends() -> None:
    found = ask("circle.tiktok.com")
    assert "0 addresses" in found["circle.tiktok.com"].sources[0].detail


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
