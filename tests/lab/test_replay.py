"""The replay answers as RIPEstat does, says that it is a replay, and its record is what it claims."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from ipaddress import ip_address, ip_network

import pytest

from lab.replay import PATH, Handler, announced, envelope
from lab.world import INTERNET, Host, Kind

NOW = datetime(2026, 9, 1, 13, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_every_recorded_prefix_is_a_network_of_its_own() -> None:
    for asn in (138699, 11983, 396986):
        prefixes = announced(asn)
        assert len(prefixes) >= 10
        assert len({ip_network(prefix) for prefix in prefixes}) == len(prefixes)


def test_a_network_that_was_not_recorded_announces_nothing() -> None:
    assert announced(64512) == ()


def test_every_prefix_is_seen_until_the_end_of_the_window() -> None:
    data = envelope(138699, NOW)["data"]
    assert data["query_endtime"] == "2026-09-01T08:00:00"
    assert {line["endtime"] for entry in data["prefixes"] for line in entry["timelines"]} == {data["query_endtime"]}


@pytest.mark.parametrize("resource", ["AS138699", "138699"])
def test_it_is_asked_like_the_real_one_and_says_that_it_is_not(url: str, resource: str) -> None:
    with urllib.request.urlopen(f"{url}{PATH}?resource={resource}&min_peers_seeing=10&sourceapp=tokgate") as answer:
        body = json.load(answer)
    assert body["status"] == "ok"
    assert body["data"]["resource"] == "138699"
    assert "not a live answer" in body["messages"][0][1]


@pytest.mark.parametrize(
    ("path", "status"), [("/data/as-names/data.json", 404), (f"{PATH}?resource=x", 400), (PATH, 400)]
)
def test_anything_else_is_refused(url: str, path: str, status: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{url}{path}")
    caught.value.close()
    assert caught.value.code == status


@pytest.mark.parametrize("host", [host for host in INTERNET if host.kind is Kind.TIKTOK], ids=lambda host: host.name)
def test_the_labs_tiktok_servers_stand_in_announced_prefixes(host: Host) -> None:
    networks = [ip_network(prefix) for asn in (138699, 11983) for prefix in announced(asn)]
    for address in (host.v4, host.v6):
        assert any(ip_address(address) in network for network in networks)


@pytest.mark.parametrize(
    "host", [host for host in INTERNET if host.kind is not Kind.TIKTOK], ids=lambda host: host.name
)
def test_the_others_do_not(host: Host) -> None:
    networks = [ip_network(prefix) for asn in (138699, 11983, 396986) for prefix in announced(asn)]
    for address in (host.v4, host.v6):
        assert not any(ip_address(address) in network for network in networks)
