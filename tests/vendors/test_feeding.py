"""Lists that firewalls pull: each form as its vendor reads it, never empty, in one order."""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from core.net import DomainName, Network
from vendors.feeding import SENTINEL_NAME, SENTINEL_NETWORK, domain_feed, ip_feed, url_feed
from vendors.model import GroupName

NAME = GroupName("dst-tiktok")
ONE, TWO = DomainName("a.example"), DomainName("b.example", suffix=False)


def nets(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


def test_networks_stand_in_cidr_form_ipv4_first_and_hosts_with_their_length() -> None:
    feed = ip_feed(NAME, nets("2001:db8::1/128", "198.51.100.7/32", "10.0.0.0/8"))
    assert (feed.name, feed.kind) == (NAME, "ip")
    assert feed.lines == ("192.0.2.255/32", "10.0.0.0/8", "198.51.100.7/32", "2001:db8::1/128")


def test_names_with_and_without_what_is_below_them() -> None:
    assert domain_feed(NAME, (TWO, ONE), wildcards=False).lines == (SENTINEL_NAME, "a.example", "b.example")
    with_below = domain_feed(NAME, (TWO, ONE), wildcards=True)
    assert with_below.lines == (SENTINEL_NAME, "a.example", "*.a.example", "b.example")
    assert with_below.kind == "domain"


def test_a_host_in_a_list_of_urls_ends_with_a_slash_and_has_no_scheme() -> None:
    feed = url_feed(NAME, (ONE, TWO))
    assert feed.kind == "url"
    assert feed.lines == (f"{SENTINEL_NAME}/", "a.example/", "*.a.example/", "b.example/")


def test_a_name_that_is_there_exactly_and_with_all_below_stands_once() -> None:
    both = (ONE, DomainName("a.example", suffix=False))
    assert domain_feed(NAME, both, wildcards=True).lines == (SENTINEL_NAME, "a.example", "*.a.example")


def test_a_list_of_nothing_still_has_an_entry_that_means_nothing() -> None:
    assert ip_feed(NAME, ()).lines == (str(SENTINEL_NETWORK),)
    assert domain_feed(NAME, (), wildcards=True).lines == (SENTINEL_NAME,)
    assert url_feed(NAME, ()).lines == (f"{SENTINEL_NAME}/",)


@given(st.lists(st.ip_addresses(v=4), max_size=20), st.randoms())
def test_the_order_of_the_input_does_not_matter(addresses: list[object], shuffle: object) -> None:
    networks = list(nets(*map(str, addresses)))
    expected = ip_feed(NAME, networks)
    shuffle.shuffle(networks)  # type: ignore[attr-defined]
    assert ip_feed(NAME, networks) == expected
    assert len(set(expected.lines)) == len(expected.lines)
