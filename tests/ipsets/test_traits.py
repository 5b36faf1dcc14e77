"""Traits: every row is whole, names and addresses are judged by the narrowest entry, and what is no use is not."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.narrowest import Narrowest
from core.net import DomainName
from ipsets.catalogue import load_catalogue
from ipsets.traits import USE, Mark, Matcher, Shows, traits


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(
        names=[(DomainName("example.net", suffix=True), "own"), (DomainName("analytics.tiktok.com"), "tiktok")],
        networks=[(ip_network("192.0.2.0/24"), "own"), (ip_network("203.0.113.0/25"), "tiktok")],
        surfaces=load_catalogue().services["tiktok"].surfaces,
    )


def test_every_trait_has_a_source_a_day_and_a_weight_that_fits_what_it_shows() -> None:
    for trait in traits().values():
        assert trait.source, trait.id
        assert trait.note or trait.field == "software", trait.id
        assert -100 <= trait.weight <= 100, trait.id
        assert (trait.weight < 0) is (trait.shows is Shows.SCRIPT), trait.id
        if trait.shows in (Shows.PIXEL, Shows.SDK, Shows.LOOKALIKE, Shows.CRAWLER, Shows.INFORMATIVE):
            assert trait.weight <= 10, f"{trait.id} is no use, and must not look like it"


@pytest.mark.parametrize(
    ("name", "shows", "app", "surface"),
    [
        ("api16-core-useast5.tiktokv.us", Shows.USE_APP, "tiktok", ""),
        ("v16m.tiktokcdn-us.com", Shows.USE_APP, "tiktok", ""),
        ("www.tiktok.com", Shows.USE_WEB, "tiktok", ""),
        ("lf16-tiktok-web.tiktokcdn-us.com", Shows.USE_WEB, "tiktok", ""),
        ("ads.tiktok.com", Shows.USE_WEB, "tiktok", "ads-manager"),
        ("business-api.tiktok.com", Shows.USE_WEB, "tiktok", "business-api"),
        ("analytics.tiktok.com", Shows.PIXEL, "tiktok", "pixel"),
        ("lf16-cdn.ttwstatic.com", Shows.PIXEL, "tiktok", "pixel"),
        ("api16-access-ttp.tiktokpangle.us", Shows.SDK, "pangle", ""),
        ("internal-api.larksuite.com", Shows.INFORMATIVE, "lark", ""),
        ("x.volces.com", Shows.INFORMATIVE, "volcengine-byteplus", ""),
        ("edit-api-sg.capcut.com", Shows.OTHER_APP, "capcut", ""),
        ("tiktokio.com", Shows.LOOKALIKE, "", ""),
        ("www.xn--tktok-n2e.com", Shows.LOOKALIKE, "", ""),
        ("shop.example.net", Shows.USE_APP, "own", ""),
        ("dns.google", Shows.TUNNEL, "", ""),
    ],
)
def test_a_name_shows(matcher: Matcher, name: str, shows: Shows, app: str, surface: str) -> None:
    found = matcher.name(name)[0]
    assert (found.trait.shows, found.app, found.surface) == (shows, app, surface)


def test_a_name_of_nobody_known_shows_nothing(matcher: Matcher) -> None:
    for name in ("www.example.com", "tiktok.com.example.com", "nottiktok.com", "com", "", "."):
        assert matcher.name(name) == (), name


@pytest.mark.parametrize(
    ("address", "trait"),
    [
        ("103.136.221.2", "address-own"),
        ("103.136.221.184", "address-static"),
        ("34.102.215.99", "address-httpdns"),
        ("34.117.97.41", "address-static-cloud"),
        ("192.0.2.77", "address-listed"),
        ("203.0.113.5", "address-own"),
    ],
)
def test_an_address_shows(matcher: Matcher, address: str, trait: str) -> None:
    found = matcher.address(ip_address(address))
    assert found is not None
    assert found.trait.id == trait


@pytest.mark.parametrize("address", ["23.201.31.148", "45.78.212.10", "203.0.113.200", "8.8.8.8", "2001:db8::1"])
def test_shared_networks_and_customers_of_a_cloud_show_nothing(matcher: Matcher, address: str) -> None:
    assert matcher.address(ip_address(address)) is None


def ids(found: tuple[Mark, ...]) -> list[str]:
    return [mark.trait.id for mark in found]


def test_a_copied_agent_is_a_scripts_and_no_agent_is_use_alone(matcher: Matcher) -> None:
    real = matcher.agent("com.zhiliaoapp.musically/2023301040 (Linux; U; Android 14; Cronet/TTNetVersion:57844a4b)")
    assert ids(real) == ["agent-android", "agent-network-stack"]
    assert not USE & {mark.trait.shows for mark in real}
    copied = matcher.agent("com.zhiliaoapp.musically/2022600030 (Linux; Android 7.1.2;tt-ok/3.12.13.1)")
    assert {mark.trait.shows for mark in copied} == {Shows.SUPPORT, Shows.SCRIPT}
    assert sum(mark.trait.weight for mark in copied) < 0
    assert ids(matcher.agent("Mozilla/5.0 (compatible; Bytespider)")) == ["agent-bytespider"]


def test_paths_and_queries_are_compared_as_such(matcher: Matcher) -> None:
    assert ids(matcher.path("/aweme/v1/feed/?x=1&aid=1233")) == ["path-aweme-v1", "query-aid-1233"]
    assert ids(matcher.path("/x?aid=12330&next=/aweme/v1/")) == []


def test_a_program_is_known_by_its_id_and_its_name_on_its_platform(matcher: Matcher) -> None:
    store = matcher.software("BytedancePte.Ltd.TikTok_6yccndn6064se!App", "windows")
    assert store is not None
    assert (store.app, store.trait.shows) == ("tiktok", Shows.INSTALLED)
    assert matcher.software("com.ss.android.ugc.trill", "ios") is None
    assert matcher.software("TikTok", "") is not None
    assert matcher.software("TikTok downloader", "windows") is None


@given(st.lists(st.tuples(st.integers(0, 31), st.integers(24, 32)), max_size=8), st.integers(0, 255))
def test_the_narrowest_is_found_as_by_looking_at_all(given_: list[tuple[int, int]], last: int) -> None:
    networks = [ip_network((0x0A000000 | (start << 3), length), strict=False) for start, length in given_]
    found = Narrowest([(network, str(network)) for network in networks]).find(ip_address(0x0A000000 | last))
    holding = [network for network in networks if ip_address(0x0A000000 | last) in network]
    narrowest = max(holding, key=lambda network: network.prefixlen, default=None)
    assert found == (None if narrowest is None else str(narrowest))
