"""What the shipped data set says, and what it must never say."""

from __future__ import annotations

import pytest

from core.net import Ranges, address_count, overlaps, parse_network
from ipsets import dataset
from ipsets.catalogue import load_catalogue, shared_cdn_ranges
from ipsets.guard import NameGuard, default_never_block
from ipsets.model import Dedication
from tests.ipsets.making import curated, snapshot, texts, tiktok

NEVER = Ranges(n for block in default_never_block() for n in block.networks)


def test_dedicated_prefixes_are_those_of_tiktoks_own_networks() -> None:
    for row in dataset.prefixes():
        own, cloud = {138699, 11983} & set(row.origins), {150436, 137718} & set(row.origins)
        expected = "cloud-customers" if cloud else "dedicated" if own else "shared"
        assert row.dedication == expected, row
    assert len(dataset.dedicated_prefixes()) == 60
    assert 10_000 < address_count(dataset.dedicated_prefixes(), 4) < 73_472


def test_a_prefix_of_two_origins_is_tiktoks_when_one_of_them_is() -> None:
    both = {str(row.network) for row in dataset.prefixes() if {11983, 396986} <= set(row.origins)}
    assert "71.18.8.0/24" in both
    assert both <= {str(n) for n in dataset.dedicated_prefixes()}


def test_what_another_service_of_the_owner_also_uses_is_known_and_not_enforced() -> None:
    shared = [row.network for row in dataset.prefixes() if row.dedication == "shared"]
    known = {i.value for i in curated() if i.dedication is Dedication.SHARED}
    assert len(shared) > 100
    assert set(shared) <= known
    enforced = Ranges(tiktok(snapshot(curated())).networks)
    assert not any(enforced.holds(network) for network in shared)


@pytest.mark.parametrize(
    "network", ["118.26.132.0/24", "202.52.224.0/24", "71.18.227.0/24", "101.45.255.0/24", "101.47.0.0/24"]
)
def test_i07_customers_of_the_cloud_are_never_blocked(network: str) -> None:
    assert NEVER.holds(parse_network(network))
    assert not overlaps(dataset.dedicated_prefixes(), parse_network(network))


def test_i07_the_guards_own_lists_leave_every_dedicated_prefix_alone() -> None:
    cdn = Ranges(shared_cdn_ranges())
    for network in dataset.dedicated_prefixes():
        assert not NEVER.touched(network)
        assert not cdn.touched(network)


def test_ranges_of_shared_cdns_are_a_policy_and_not_in_the_default() -> None:
    """A live answer inside a CDN is blocked by default; what is spared on devices must not take that away."""
    assert not NEVER.touched(parse_network("23.45.12.10"))
    assert Ranges(shared_cdn_ranges()).holds(parse_network("23.45.12.10"))
    assert Ranges(shared_cdn_ranges()).holds(parse_network("2600:1406:bc00::10"))


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.31.255.255", "192.168.1.1", "198.18.0.1",
     "224.0.0.1", "255.255.255.255", "::", "::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2001:db8::1", "2002:808:808::",
     "fc00::1", "fe80::1", "ff02::1", "8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "149.112.112.112",
     "208.67.222.222", "2001:4860:4860::8888", "2606:4700:4700::1111", "2620:fe::fe", "2620:119:35::35"],
)  # fmt: skip
def test_i07_special_addresses_and_public_resolvers_are_never_blocked(text: str) -> None:
    assert NEVER.holds(parse_network(text))


def test_every_row_names_a_list_whose_licence_allows_it() -> None:
    for row in dataset.names():
        assert row.sources, row.domain
        assert not {"ddg-entity", "disconnect-entity"} & set(row.sources), row.domain


def test_the_manifest_names_origin_date_and_licence_of_everything() -> None:
    manifest = dataset.manifest()
    assert dataset.as_of().date().isoformat() == "2026-11-22"
    assert all(
        origin["name"] and origin["url"] and origin["licence"] and origin["date"] for origin in manifest["origins"]
    )
    roots = tuple(str(origin["name"]) for origin in manifest["origins"])
    known = {"github-code-search"}  # one low-confidence row, no list
    for source in {s for row in dataset.names() for s in row.sources} - known:
        assert source.startswith((*roots, "v2fly", "ndpi")), source


def test_the_service_has_no_name_that_only_looks_like_it() -> None:
    domains = tiktok(snapshot(curated())).domains
    names = {d.name for d in domains}
    assert {"tiktok.com", "tiktokv.com", "tiktokcdn.com", "tiktokv.us", "ttlivecdn.com"} <= names
    for lookalike in dataset.lookalikes():
        assert lookalike not in names
        assert not any(lookalike.endswith(f".{d.name}") for d in domains if d.suffix), lookalike


@pytest.mark.parametrize(
    "name",
    ["byteplus.com", "volces.com", "tiktokpangle.us", "pangle.io", "douyin.com", "snssdk.com", "musical.ly",
     "muscdn.com", "larksuite.com", "capcut.com", "byteoversea.com", "ibyteimg.com", "byteglb.com", "akamaized.net",
     "app.link", "p16-va-default.akamaized.net"],
)  # fmt: skip
def test_the_service_has_no_name_of_another_one(name: str) -> None:
    for domain in tiktok(snapshot(curated())).domains:
        assert domain.name != name
        assert not (domain.suffix and name.endswith(f".{domain.name}"))


def test_no_enforced_name_is_covered_by_another() -> None:
    domains = tiktok(snapshot(curated())).domains
    for domain in domains:
        wider = [d for d in domains if d.suffix and domain != d and f".{domain.name}".endswith(f".{d.name}")]
        assert not wider, domain
    assert "www.tiktok.com" not in {d.name for d in domains}


def test_no_shipped_name_is_refused_by_the_guard_on_names() -> None:
    guard = NameGuard(load_catalogue())
    assert [d.name for d in tiktok(snapshot(curated())).domains if guard.judge(d) is not None] == []


def test_the_shipped_set_alone_makes_a_snapshot_without_a_word_of_a_guard() -> None:
    made = snapshot(curated())
    assert made.dropped == ()
    assert texts(made)[:2] == ["71.18.6.0/24", "71.18.8.0/24"]
    assert len(tiktok(made).networks) == 60 + 5  # and addresses that the app carries in itself


def test_the_hosts_to_ask_are_all_of_the_service() -> None:
    suffixes = {d.name for d in tiktok(snapshot(curated())).domains if d.suffix}
    assert 50 < len(dataset.hosts()) < 200
    assert all(any(host.endswith(f".{name}") or host == name for name in suffixes) for host in dataset.hosts())


def test_numbers_that_are_wrongly_taken_for_bytedance_are_not_dedicated() -> None:
    for asn in (139057, 140633, 132203, 396982, 45102, 31898, 150436, 137718):
        assert dataset.as_numbers()[asn].dedication == "other"
