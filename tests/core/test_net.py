"""Network arithmetic covers exactly: never one address more, never one less."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

import netaddr
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.net import (
    Network,
    Ranges,
    address_count,
    aggregate,
    in_order,
    intersect,
    merge,
    networks_of,
    overlaps,
    pack,
    parse_network,
    sort_key,
    spans,
    subtract,
    unpack,
)
from tests.core.nets import NETWORK, NETWORKS


def addresses(networks: list[Network] | tuple[Network, ...]) -> set[tuple[int, int]]:
    """Every address, one by one: the slow truth."""
    return {
        (n.version, value) for n in networks for value in range(int(n.network_address), int(n.broadcast_address) + 1)
    }


@given(NETWORKS)
def test_aggregate_holds_the_same_addresses_in_the_fewest_blocks(networks: list[Network]) -> None:
    merged = aggregate(networks)
    assert addresses(merged) == addresses(networks)
    v4 = list(collapse_addresses(n for n in networks if isinstance(n, IPv4Network)))
    v6 = list(collapse_addresses(n for n in networks if isinstance(n, IPv6Network)))
    assert list(merged) == [*v4, *v6]  # the standard library's own minimum, v4 first


# --- beside netaddr: anywhere in either family, and any length -------------------------------------------------------


def _anywhere(version: int, width: int) -> st.SearchStrategy[Network]:
    """Few addresses and every length: blocks nest and meet at every width, and at both ends of the family."""
    corners = st.sampled_from([0, 1, 2**width - 1, 0xC6336400 % 2**width, 2 ** (width - 1), 2 ** (width - 1) - 1])
    near = st.builds(lambda corner, host: corner ^ host, corners, st.integers(0, 7))
    make = IPv4Network if version == 4 else IPv6Network
    return st.builds(lambda at, length: make((at, length), strict=False), near, st.integers(0, width))


ANYWHERE = st.lists(st.one_of(_anywhere(4, 32), _anywhere(6, 128)), max_size=24)


def theirs(networks: list[Network] | tuple[Network, ...]) -> netaddr.IPSet:
    return netaddr.IPSet([netaddr.IPNetwork(str(n)) for n in networks])


def blocks(found: list[netaddr.IPNetwork]) -> list[Network]:
    """Ours of theirs, in our order. By value: the two spell ``::128.0.0.0`` differently."""
    make = {4: IPv4Network, 6: IPv6Network}
    return [make[b.version]((b.first, b.prefixlen)) for b in sorted(found, key=lambda b: (b.version, b.first))]


@given(ANYWHERE)
@example([IPv4Network("0.0.0.0/1"), IPv4Network("128.0.0.0/1"), IPv6Network("::/1"), IPv6Network("8000::/1")])
@example([IPv4Network("255.255.255.255/32"), IPv4Network("255.255.255.254/32"), IPv4Network("0.0.0.0/32")])
def test_aggregate_is_what_netaddr_merges(networks: list[Network]) -> None:
    """Exact, minimal and sorted; once more changes nothing."""
    merged = aggregate(networks)
    assert list(merged) == blocks(netaddr.cidr_merge([str(n) for n in networks]))
    assert aggregate(merged) == merged


@given(ANYWHERE, ANYWHERE)
def test_subtract_is_netaddrs_difference(networks: list[Network], holes: list[Network]) -> None:
    assert list(subtract(networks, holes)) == blocks((theirs(networks) - theirs(holes)).iter_cidrs())


@given(ANYWHERE, ANYWHERE)
def test_intersect_is_netaddrs_and(networks: list[Network], others: list[Network]) -> None:
    assert list(intersect(networks, others)) == blocks((theirs(networks) & theirs(others)).iter_cidrs())


@given(ANYWHERE)
def test_spans_are_the_ranges_of_what_netaddr_merges(networks: list[Network]) -> None:
    for version in (4, 6):
        own = netaddr.IPSet([netaddr.IPNetwork(str(n)) for n in networks if n.version == version])
        assert spans(networks, version) == [(found.first, found.last) for found in own.iter_ipranges()]


@given(ANYWHERE)
def test_keys_sort_as_networks_do_and_come_back(networks: list[Network]) -> None:
    for version in (4, 6):
        own = [n for n in networks if n.version == version]
        assert [unpack(key, version) for key in sorted(map(pack, own))] == sorted(own, key=sort_key)
        assert merge(map(pack, own), version) == [pack(n) for n in aggregate(own)]


@given(NETWORKS, st.randoms())
def test_order_and_repetition_change_nothing(networks: list[Network], random: object) -> None:
    shuffled = [*networks, *networks]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert aggregate(shuffled) == aggregate(networks)
    assert list(aggregate(networks)) == sorted(aggregate(networks), key=sort_key)


@given(NETWORKS, NETWORKS)
def test_subtract_leaves_exactly_what_is_in_no_hole(networks: list[Network], holes: list[Network]) -> None:
    assert addresses(subtract(networks, holes)) == addresses(networks) - addresses(holes)


@given(NETWORKS, NETWORK)
def test_ranges_answer_as_the_slow_truth_does(networks: list[Network], asked: Network) -> None:
    ranges = Ranges(networks)
    own, theirs = addresses([asked]), addresses(networks)
    assert bool(ranges.touched(asked)) is bool(own & theirs)
    assert ranges.holds(asked) is (own <= theirs)
    assert addresses(ranges.cut_from(asked)) == own - theirs
    assert addresses(ranges.inside(asked)) == own & theirs
    assert overlaps(networks, asked) is bool(own & theirs)


@given(NETWORKS)
def test_counting_counts_each_address_once(networks: list[Network]) -> None:
    for version in (4, 6):
        assert address_count(networks, version) == sum(1 for v, _ in addresses(networks) if v == version)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        pytest.param("0.0.0.0", "255.255.255.255", ["0.0.0.0/0"], id="everything"),
        pytest.param(
            "192.0.2.1", "192.0.2.6", ["192.0.2.1/32", "192.0.2.2/31", "192.0.2.4/31", "192.0.2.6/32"], id="odd"
        ),
        pytest.param("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ["::/0"], id="everything-v6"),
    ],
)
def test_a_range_becomes_its_fewest_blocks(first: str, last: str, expected: list[str]) -> None:
    start, end = ip_network(first), ip_network(last)
    found = networks_of([(int(start.network_address), int(end.network_address))], start.version)
    assert [str(n) for n in found] == expected


def test_ranges_that_touch_become_one() -> None:
    assert len(spans([ip_network("192.0.2.0/25"), ip_network("192.0.2.128/25")], 4)) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("192.0.2.1/24", "host bits", id="host-bits"),
        pytest.param("fe80::1%eth0", "zone", id="zone"),
        pytest.param("fe80::1%;reboot/64", "zone", id="zone-as-a-way-in"),
        pytest.param("074.125.000.000", "does not appear", id="zero-padded"),
        pytest.param("", "does not appear", id="empty"),
        pytest.param("192.0.2.0/33", "does not appear", id="too-long"),
    ],
)
def test_nonsense_is_refused_with_its_reason(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_network(text)


def _read(read: object, text: str) -> object:
    try:
        return read(text)  # type: ignore[operator]
    except ValueError as exc:
        return str(exc)


_TEXTS = st.one_of(
    st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){2,4}(/[0-9]{0,3})?", fullmatch=True),
    st.from_regex(r"[0-9a-fA-F:.]{0,12}::?[0-9a-f:]{0,9}(/[0-9]{0,4})?", fullmatch=True),
    st.from_regex(r"10\.0\.0\.0/(0{0,2}[0-9]{1,2}|-?[0-9]|[٠-٩]|255\.[0-9.]{0,11})", fullmatch=True),
    st.ip_addresses().flatmap(lambda a: st.integers(0, a.max_prefixlen).map(lambda n: f"{a}/{n}")),
    st.ip_addresses().flatmap(
        lambda a: st.integers(0, a.max_prefixlen).map(lambda n: str(ip_network(f"{a}/{n}", strict=False)))
    ),
    st.text(alphabet="0123456789abcdefx.:/ \t\n\0é٠", max_size=20),
)


@given(_TEXTS)
@example("::ffff:192.0.2.1/128")
@example("::192.0.2.1")
@example("192.0.2.010")
@example("192.0.2")
@example("0x7f.0.0.1")
@example("10.0.0.0/255.0.0.0")
@example("10.0.0.0/0.255.255.255")
@example("10.0.0.0/ 8")
@example("10.0.0.0/8/8")
@example("2001:db8::/1_2")
def test_text_is_read_exactly_as_the_standard_library_reads_it(text: str) -> None:
    """The same network, or the same refusal in the same words: quicker, and neither laxer nor stricter."""
    assert _read(parse_network, text) == _read(lambda given: ip_network(given.strip()), text)


def test_a_bare_address_is_a_network_of_one() -> None:
    assert parse_network(" 192.0.2.7 ") == ip_network("192.0.2.7/32")
    assert parse_network("2001:db8::7") == ip_network("2001:db8::7/128")


@given(st.frozensets(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(ip_network), max_size=20))
def test_a_listing_is_the_order_of_sort_key_with_the_texts_of_str(members: frozenset[Network]) -> None:
    wider = members | {network.supernet(new_prefix=network.max_prefixlen // 2) for network in members}
    ordered, texts = in_order(frozenset(wider))
    assert list(ordered) == sorted(wider, key=sort_key)
    assert list(texts) == [str(network) for network in ordered]
