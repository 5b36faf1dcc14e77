"""Fewer entries without one address more: what is left out or stands above is said exactly."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, ip_network

import netaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.net import Network, Ranges, aggregate, parse_network
from ipsets.aggregate import MAX_PIECES, ORDER, Criterion, Summary, Valued, carve, carve_all, summarise, valued
from ipsets.guard import GuardLimits, NeverBlock
from ipsets.model import Confidence, Dedication, Indicator, Provenance
from tests.core.nets import NETWORK, NETWORKS
from tests.ipsets import making

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
VALUED = st.lists(
    st.builds(
        lambda network, sources, days: Valued(
            network=network, sources=sources, last_seen=None if days is None else NOW - timedelta(days=days)
        ),
        NETWORK,
        st.integers(0, 3),
        st.none() | st.integers(0, 3),
    ),
    max_size=16,
)
ORDERS = st.permutations(list(Criterion)).flatmap(lambda p: st.integers(0, 3).map(lambda n: tuple(p[:n])))


def truth(networks: list[Network] | tuple[Network, ...]) -> netaddr.IPSet:
    return netaddr.IPSet([netaddr.IPNetwork(str(n)) for n in networks])


def entry(text: str, *, sources: int = 1, days: int | None = 0) -> Valued:
    seen = None if days is None else NOW - timedelta(days=days)
    return Valued(network=parse_network(text), sources=sources, last_seen=seen)


# --- never-block ranges, with a cap on pieces -------------------------------------------------------------------------


@given(NETWORKS, NETWORKS, st.integers(0, 8))
def test_i07_denies_below_their_allows_are_exactly_what_may_be_blocked(
    networks: list[Network], never: list[Network], cap: int
) -> None:
    """Against netaddr: not one never-block address is denied, and not one other is missing."""
    carved = carve_all(networks, never, max_pieces=cap)
    assert truth(carved.deny) - truth(carved.allow) == truth(networks) - truth(never)
    assert truth(carved.allow) <= truth(carved.deny) & truth(never)
    assert aggregate(carved.deny) == carved.deny
    assert aggregate(carved.allow) == carved.allow


@given(NETWORK, NETWORKS, st.integers(1, 8))
def test_an_entry_never_becomes_more_pieces_than_the_cap(network: Network, never: list[Network], cap: int) -> None:
    carved = carve(network, Ranges(never), max_pieces=cap)
    needed = len((truth([network]) - truth(never)).iter_cidrs())
    assert len(carved.deny) == (needed if needed <= cap else 1)
    assert bool(carved.allow) is (needed > cap)


@given(NETWORKS, NETWORKS, st.integers(1, 8))
def test_i07_a_snapshot_blocks_the_same_addresses_whatever_its_cap_on_pieces(
    networks: list[Network], never: list[Network], cap: int
) -> None:
    """Against netaddr, through the guards and the selection: what is listed without what is never blocked, no more."""
    block = NeverBlock(reason="test", networks=tuple(never))
    listed = [making.entry(str(network)) for network in networks]
    limits = GuardLimits(max_pieces=cap)
    named = making.snapshot([*listed, making.entry(".x.example")], never_block=(block,), limits=limits)
    service = making.tiktok(named)
    expected = truth(networks) - truth(never)
    assert truth(service.blocked) == truth(service.networks) - truth(service.allows) == expected
    assert truth(service.allows) <= truth(service.networks) & truth(never)


def test_at_the_cap_it_is_cut_and_one_above_it_stays_whole() -> None:
    network = parse_network("198.51.100.0/24")
    odd = [parse_network(f"198.51.100.{host}") for host in range(1, 2 * MAX_PIECES, 2)]
    cut = carve(network, Ranges(odd))  # 64 even hosts, and the upper /25
    assert cut.deny == (network,)
    assert cut.allow == tuple(odd)
    exactly = carve(network, Ranges([*odd, parse_network("198.51.100.128/25")]))
    assert len(exactly.deny) == MAX_PIECES
    assert exactly.allow == ()


def test_a_thousand_holes_in_a_vast_entry_are_not_counted_to_the_end() -> None:
    """A /8 with every second address of a /16 to spare is 32,000 pieces: only the first 65 are ever made."""
    made: list[Network] = []

    class Counted(Ranges):
        def pieces(self, network: Network):  # type: ignore[no-untyped-def]
            for piece in super().pieces(network):
                made.append(piece)
                yield piece

    holes = Counted(IPv4Network((0x0A000001 + 2 * at, 32)) for at in range(2**15))
    assert carve(parse_network("10.0.0.0/8"), holes).deny == (parse_network("10.0.0.0/8"),)
    assert len(made) == MAX_PIECES + 1


# --- to a budget of entries -------------------------------------------------------------------------------------------


def worth(entry: Valued, order: tuple[Criterion, ...]) -> tuple[int, ...]:
    """The value again, in other words."""
    said = {
        Criterion.SOURCES: entry.sources,
        Criterion.RECENT: (entry.last_seen.date() - NOW.date()).days if entry.last_seen else -(10**6),
        Criterion.SIZE: entry.network.num_addresses,  # of one family
    }
    return tuple(said[criterion] for criterion in order)


@given(VALUED, st.integers(0, 18), ORDERS)
def test_a_summary_is_a_part_of_the_input_and_says_all_the_rest(
    entries: list[Valued], budget: int, order: tuple[Criterion, ...]
) -> None:
    summary = summarise(entries, budget=budget, order=order)
    networks, left = {e.network for e in entries}, [found.entry.network for found in summary.left_out]
    assert len(summary.kept) == min(budget, len(networks))
    assert set(summary.kept) | set(left) == networks
    assert not set(summary.kept) & set(left)
    assert len(left) == len(set(left))
    assert all(found.reason for found in summary.left_out)
    assert truth(summary.kept) <= truth([e.network for e in entries])  # not one address more


@given(VALUED, st.integers(0, 18))
def test_the_addresses_left_out_are_counted_one_by_one(entries: list[Valued], budget: int) -> None:
    summary = summarise(entries, budget=budget)
    lost = truth([e.network for e in entries]) - truth(summary.kept)
    for version, said in ((4, summary.addresses_left_out_v4), (6, summary.addresses_left_out_v6)):
        assert said == sum(block.size for block in lost.iter_cidrs() if block.version == version)


@given(VALUED, st.integers(0, 18), ORDERS)
def test_nothing_left_out_is_worth_more_than_anything_kept(
    entries: list[Valued], budget: int, order: tuple[Criterion, ...]
) -> None:
    v4 = [e for e in entries if e.network.version == 4]
    summary = summarise(v4, budget=budget, order=order)
    best = {n: max(worth(e, order) for e in v4 if e.network == n) for n in {e.network for e in v4}}
    least = min((best[n] for n in summary.kept), default=())
    assert all(best[found.entry.network] <= least for found in summary.left_out if summary.kept)
    values = [best[found.entry.network] for found in summary.left_out]
    assert values == sorted(values, reverse=True)


@given(VALUED, st.integers(0, 18), st.randoms())
def test_order_of_the_input_changes_nothing(entries: list[Valued], budget: int, shuffle: random.Random) -> None:
    again = entries.copy()
    shuffle.shuffle(again)
    assert summarise(again, budget=budget) == summarise(entries, budget=budget)


FOUR = (
    entry("192.0.2.0/24", sources=2, days=3),
    entry("198.51.100.0/25", sources=1, days=0),
    entry("203.0.113.0/24", sources=1, days=9),
    entry("2001:db8::/48", sources=1, days=9),
)


def kept(summary: Summary) -> list[str]:
    return [str(n) for n in summary.kept]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        pytest.param(ORDER, ["192.0.2.0/24", "198.51.100.0/25"], id="corroborated-then-recent"),
        pytest.param((Criterion.RECENT,), ["192.0.2.0/24", "198.51.100.0/25"], id="recent"),
        pytest.param((Criterion.SIZE,), ["192.0.2.0/24", "203.0.113.0/24"], id="size-then-address"),
        pytest.param((Criterion.SIZE, Criterion.SOURCES), ["192.0.2.0/24", "203.0.113.0/24"], id="size-then-sources"),
        pytest.param((), ["192.0.2.0/24", "198.51.100.0/25"], id="only-by-address"),
    ],
)
def test_the_order_of_value_is_data(order: tuple[Criterion, ...], expected: list[str]) -> None:
    assert kept(summarise(FOUR, budget=2, order=order)) == expected


def test_the_smallest_announced_blocks_of_both_families_weigh_the_same() -> None:
    """A million hosts of one IPv6 subnet are not worth more than a whole IPv4 network."""
    by_size = (Criterion.SIZE,)
    mixed = [entry("2001:db8::/49"), entry("192.0.2.0/24"), entry("2001:db9::/47"), entry("2001:dba::/48")]
    found = summarise(mixed, budget=0, order=by_size).left_out
    assert [str(e.entry.network) for e in found] == ["2001:db9::/47", "192.0.2.0/24", "2001:dba::/48", "2001:db8::/49"]


def test_what_is_left_out_says_why_in_the_terms_of_the_order() -> None:
    summary = summarise(FOUR, budget=2)
    assert [(str(found.entry.network), found.reason) for found in summary.left_out] == [
        ("203.0.113.0/24", "last seen 2026-11-16; the least of the kept, 198.51.100.0/25: last seen 2026-11-25"),
        ("2001:db8::/48", "last seen 2026-11-16; the least of the kept, 198.51.100.0/25: last seen 2026-11-25"),
    ]
    assert (summary.addresses_left_out_v4, summary.addresses_left_out_v6) == (256, 2**80)
    (equal,) = summarise(FOUR[2:], budget=1).left_out
    assert equal.reason.startswith("worth as much as the least of the kept, 203.0.113.0/24")
    (fewer,) = summarise(FOUR[:2], budget=1).left_out
    assert fewer.reason == "1 source; the least of the kept, 192.0.2.0/24: 2 sources"
    (smaller,) = summarise(FOUR[1:3], budget=1, order=(Criterion.SIZE,)).left_out
    assert smaller.reason == "a /25 of IPv4; the least of the kept, 203.0.113.0/24: a /24 of IPv4"


def test_no_place_at_all_and_a_budget_that_is_none() -> None:
    summary = summarise(FOUR, budget=0)
    assert summary.kept == ()
    assert {found.reason for found in summary.left_out} == {"there is no place at all"}
    assert summarise(FOUR, budget=4).left_out == ()
    with pytest.raises(ValueError, match="budget of -1"):
        summarise(FOUR, budget=-1)


def test_never_seen_is_less_than_seen_long_ago() -> None:
    summary = summarise([entry("192.0.2.0/24", days=None), entry("203.0.113.0/24", days=900)], budget=1)
    assert kept(summary) == ["203.0.113.0/24"]
    assert summary.left_out[0].reason.startswith("never seen; ")


def named(text: str, *sources: str, days: int = 0) -> Indicator:
    seen = NOW - timedelta(days=days)
    return Indicator(
        value=ip_network(text),
        app="tiktok",
        category="announced",
        confidence=Confidence.HIGH,
        dedication=Dedication.DEDICATED,
        sources=tuple(Provenance(source=name, first_seen=seen, last_seen=seen) for name in sources),
    )


def test_a_networks_value_is_what_its_parts_and_its_surroundings_were_named_by() -> None:
    found = valued(
        [ip_network(t) for t in ("192.0.2.0/24", "198.51.100.0/25", "203.0.113.0/24", "2001:db8::/48")],
        [
            named("192.0.2.0/25", "a", days=5),
            named("192.0.2.128/25", "b", days=2),
            named("192.0.2.128/26", "a", days=7),
            named("198.51.100.0/24", "c"),  # its other half was cut out
            named("2001:db8::/32", "a", "b", "c", days=1),
        ],
    )
    assert [(str(e.network), e.sources, e.last_seen) for e in found] == [
        ("192.0.2.0/24", 2, NOW - timedelta(days=2)),
        ("198.51.100.0/25", 1, NOW),
        ("203.0.113.0/24", 0, None),
        ("2001:db8::/48", 3, NOW - timedelta(days=1)),
    ]


@given(NETWORKS, NETWORKS)
def test_an_indicator_speaks_for_each_network_it_touches_and_for_no_other(
    networks: list[Network], named_by: list[Network]
) -> None:
    disjoint = aggregate(networks)
    indicators = [named(str(network), f"source-{at}") for at, network in enumerate(named_by)]
    for found in valued(disjoint, indicators):
        touching = [n for n in named_by if n.version == found.network.version and n.overlaps(found.network)]
        assert found.sources == len(touching)
