"""Lists as they are served: each kind as its firewalls read it, the same text for the same members, or a refusal."""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import FeedUnfit
from controller.feeding import MAX_ENTRIES, content_of, is_whole
from core.ids import DeviceName
from core.net import DomainName, Network
from vendors.feeding import SENTINEL_NAME, SENTINEL_NETWORK, domain_feed, ip_feed, url_feed
from vendors.model import FeedList, GroupName

FW, NAME = DeviceName("fw"), GroupName("dst-x")
Kind = Literal["ip", "domain", "url"]

V4 = st.builds(lambda n, p: IPv4Network((n >> (32 - p) << (32 - p), p)), st.integers(0, 2**32 - 1), st.integers(1, 32))
V6 = st.builds(
    lambda n, p: IPv6Network((n >> (128 - p) << (128 - p), p)), st.integers(0, 2**128 - 1), st.integers(1, 128)
)
NETWORKS = st.lists(st.one_of(V4, V6), max_size=30)
LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(
    st.builds(lambda parts, s: DomainName(".".join(parts), s), st.lists(LABEL, min_size=2, max_size=4), st.booleans()),
    max_size=30,
)


def feed_of(kind: Kind, *lines: str) -> FeedList:
    return FeedList(name=NAME, kind=kind, lines=lines)


def check(feed: FeedList, again: FeedList, sentinel: str) -> list[str]:
    """What every list keeps, whoever made it."""
    content = content_of(feed, FW)
    assert content == content_of(again, FW), "the order of the members does not matter"
    assert content.text.isascii()
    assert is_whole(content.text, digest=content.digest, entries=content.entries)
    assert content.digest == hashlib.sha256(content.text).hexdigest()
    lines = content.text.decode().split("\n")
    assert lines.pop() == "", "every line has its end"
    assert lines[0] == sentinel
    assert len(set(lines)) == len(lines) == content.entries
    assert all(line == line.strip() and not line.startswith(("#", ";", "/")) for line in lines)
    return lines


@given(NETWORKS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_networks(members: list[Network], shuffle: object) -> None:
    feed = ip_feed(NAME, members)
    shuffle.shuffle(members)  # type: ignore[attr-defined]
    lines = check(feed, ip_feed(NAME, members), str(SENTINEL_NETWORK))
    assert {ip_network(line) for line in lines} == {*members, SENTINEL_NETWORK}


@given(NAMES, st.booleans(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_names(members: list[DomainName], wildcards: bool, shuffle: object) -> None:
    feed = domain_feed(NAME, members, wildcards=wildcards)
    shuffle.shuffle(members)  # type: ignore[attr-defined]
    lines = check(feed, domain_feed(NAME, members, wildcards=wildcards), SENTINEL_NAME)
    names = {member.name for member in members}
    below = {f"*.{member.name}" for member in members if member.suffix and wildcards}
    assert set(lines) == {SENTINEL_NAME, *names, *below}


@given(NAMES, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_hosts(members: list[DomainName], shuffle: object) -> None:
    feed = url_feed(NAME, members)
    shuffle.shuffle(members)  # type: ignore[attr-defined]
    lines = check(feed, url_feed(NAME, members), f"{SENTINEL_NAME}/")
    assert all(line.endswith("/") and "://" not in line and len(line) <= 255 for line in lines)


LONG = ".".join(["a" * 63] * 4)[:253]
FIT: list[tuple[Kind, str]] = [
    ("ip", "0.0.0.0/0"),
    ("ip", "2001:db8::1/128"),
    ("domain", "xn--mnchen-3ya.example"),
    ("domain", "_dmarc.a.example"),
    ("domain", f"*.{LONG}"),
    ("url", f"*.{LONG}/"),
]
UNFIT: list[tuple[Kind, str]] = [
    ("ip", "10.0.0.1"),
    ("ip", "10.0.0.1/8"),
    ("ip", "10.0.0.0/33"),
    ("ip", "10.0.0.0/8 "),
    ("ip", "10.0.0.0/8\n0.0.0.0/0"),
    ("ip", "10.0.0.0/255.0.0.0"),
    ("ip", "10.0.0.1-10.0.0.9"),
    ("ip", "fe80::%eth0/64"),
    ("ip", "a.example"),
    ("ip", "١٠.0.0.0/8"),
    ("domain", "A.example"),
    ("domain", "a.example."),
    ("domain", "example"),
    ("domain", "*"),
    ("domain", "*.*.a.example"),
    ("domain", "a..example"),
    ("domain", "-a.example"),
    ("domain", f"{'a' * 64}.example"),
    ("domain", f"a{LONG}"),
    ("domain", "a.example # ours"),
    ("domain", "münchen.example"),
    ("domain", "https://a.example"),
    ("domain", "a.example/"),
    ("url", "a.example"),
    ("url", "https://a.example/"),
    ("url", "a.example/b/"),
    ("url", "a.example:443/"),
    ("url", "/"),
]


@pytest.mark.parametrize(("kind", "line"), FIT)
def test_what_an_entry_may_be(kind: Kind, line: str) -> None:
    assert content_of(feed_of(kind, line), FW).text == f"{line}\n".encode()


@pytest.mark.parametrize(("kind", "line"), UNFIT)
def test_i02_what_a_firewall_would_misread_is_refused(kind: Kind, line: str) -> None:
    with pytest.raises(FeedUnfit, match="line 2 is no entry"):
        content_of(feed_of(kind, _good(kind), line), FW)


def _good(kind: Kind) -> str:
    return {"ip": "192.0.2.255/32", "domain": SENTINEL_NAME, "url": f"{SENTINEL_NAME}/"}[kind]


def test_an_entry_stands_once() -> None:
    with pytest.raises(FeedUnfit, match="line 3 is there twice"):
        content_of(feed_of("ip", "10.0.0.0/8", "10.0.0.0/9", "10.0.0.0/8"), FW)


def test_no_list_is_without_end() -> None:
    lines = tuple(f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}/32" for n in range(MAX_ENTRIES + 1))
    with pytest.raises(FeedUnfit, match="1000001 entries"):
        content_of(feed_of("ip", *lines), FW)
    long = tuple(f"{n:07}.{'a' * 40}.example" for n in range(700_000))
    with pytest.raises(FeedUnfit, match="bytes, more than"):
        content_of(feed_of("domain", *long), FW)
