"""How much of a network is covered: exactly the addresses that are, each part with the reason of each address in it."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.net import Network, parse_network
from ipsets.catalogue import load_catalogue
from ipsets.explain import Explanation, Extent, explain, parse_question
from ipsets.extent import MAX_KNOWN, MAX_PARTS, explain_network
from ipsets.guard import GuardLimits, NeverBlock, default_never_block
from ipsets.model import Dedication, Snapshot
from tests.ipsets.making import LATER, NOW, curated, entry, snapshot

SHIPPED = snapshot(curated())
CATALOGUE = load_catalogue()


def ask(network: str, of: Snapshot = SHIPPED, *, own: tuple[str, ...] = ()) -> tuple[Explanation, Extent]:
    mine = NeverBlock(reason="your never_block list", networks=tuple(map(parse_network, own)))
    asked = parse_question(network)
    assert isinstance(asked, Network)
    found = explain_network(asked, of, catalogue=CATALOGUE, never_block=(*default_never_block(), mine))
    assert found.extent is not None
    return found, found.extent


def parts(extent: Extent) -> list[tuple[str, str, bool, str]]:
    return [(str(p.first), str(p.last), p.covered, p.decisions[0].rule) for p in extent.parts]


def test_a_network_that_is_never_blocked_is_one_part() -> None:
    found, extent = ask("10.0.0.0/8")
    assert (found.kind, found.text, found.covered, extent.name) == ("network", "10.0.0.0/8", False, "none")
    assert (extent.addresses, extent.covered, extent.left_out) == (2**24, 0, 0)
    assert parts(extent) == [("10.0.0.0", "10.255.255.255", False, "never-block")]
    assert "Private use, RFC 1918" in found.decisions[0].reason


def test_a_network_inside_an_entry_is_covered_wholly() -> None:
    found, extent = ask("103.136.220.128/25", snapshot([entry("103.136.220.0/23", source="curated")], force=True))
    assert (found.covered, extent.name, extent.addresses, extent.covered) == (True, "whole", 128, 128)
    assert [(c.service, c.entry) for c in found.entries] == [("tiktok", "103.136.220.0/23")]
    assert parts(extent) == [("103.136.220.128", "103.136.220.255", True, "dedicated")]
    assert found.known[0].sources[0].source == "curated"


def test_a_network_around_entries_is_covered_in_part_and_every_part_says_why() -> None:
    of = snapshot(
        [
            entry("198.18.0.0/25", detail="announced by AS138699"),
            entry("198.18.1.0/24", dedication=Dedication.SHARED, app="bytedance-shared"),
        ],
        never_block=(),
    )
    found = explain_network(parse_network("198.18.0.0/23"), of, catalogue=CATALOGUE, never_block=())
    assert found.extent is not None
    assert (found.covered, found.extent.name) == (False, "part")
    assert (found.extent.addresses, found.extent.covered) == (512, 128)
    assert parts(found.extent) == [
        ("198.18.0.0", "198.18.0.127", True, "dedicated"),
        ("198.18.0.128", "198.18.0.255", False, "unknown"),
        ("198.18.1.0", "198.18.1.255", False, "not-dedicated"),
    ]
    assert [d.rule for d in found.decisions] == ["dedicated", "unknown", "not-dedicated"]
    assert [str(i.value) for i in found.known] == ["198.18.0.0/25", "198.18.1.0/24"]
    assert found.decisions[1].entry == "198.18.0.0/23"


def test_parts_that_sources_named_apart_are_told_apart_though_they_are_one_entry() -> None:
    halves = snapshot(
        [entry("198.18.0.0/25", detail="from one"), entry("198.18.0.128/25", detail="from another")], never_block=()
    )
    found = explain_network(parse_network("198.18.0.0/24"), halves, catalogue=CATALOGUE, never_block=())
    assert found.extent is not None
    assert [(p.decisions[0].entry, p.covered) for p in found.extent.parts] == [
        ("198.18.0.0/25", True),
        ("198.18.0.128/25", True),
    ]
    assert found.extent.name == "whole"


def test_what_a_guard_took_out_of_an_entry_is_a_part_of_its_own() -> None:
    of = snapshot([entry("8.8.8.0/24", source="list:x")], force=True)
    _, extent = ask("8.8.8.0/24", of)
    assert ("8.8.8.8", "8.8.8.8", False, "never-block") in parts(extent)
    assert extent.covered == 255


def test_allows_above_an_entry_are_not_covered() -> None:
    holes = tuple(f"5.5.0.{host}" for host in range(1, 32, 2))
    of = snapshot([entry("5.5.0.0/24")], limits=GuardLimits(never_block=holes, max_pieces=4))
    _, extent = ask("5.5.0.0/24", of, own=holes)
    assert (extent.name, extent.covered) == ("part", 256 - 16)
    assert ("5.5.0.3", "5.5.0.3", False, "allowed-above") in parts(extent)


def test_sixteen_bytes_are_counted_as_four() -> None:
    _, extent = ask("2000::/3")
    assert extent.addresses == 2**125
    assert 0 < extent.covered < extent.addresses
    assert extent.covered % 2**64 == 0


def test_of_too_many_parts_the_covered_ones_are_told_first_and_the_sum_is_of_all() -> None:
    blocks = [entry(f"198.{at // 200}.{at % 200}.0/25") for at in range(MAX_PARTS + 50)]
    of = snapshot(blocks, never_block=(), limits=GuardLimits(max_addresses_v4=10**6))
    found = explain_network(parse_network("198.0.0.0/8"), of, catalogue=CATALOGUE, never_block=())
    assert found.extent is not None
    assert found.extent.covered == 128 * (MAX_PARTS + 50)
    assert len(found.extent.parts) == MAX_PARTS
    assert all(part.covered for part in found.extent.parts)
    assert found.extent.left_out > 50
    assert len(found.known) == MAX_KNOWN
    assert [note for note in found.notes if "left out" in note] == [
        "50 more entries that sources named are left out",
        "50 more enforced entries are left out",
    ]


def test_the_whole_internet_is_a_question_that_is_answered() -> None:
    _, extent = ask("0.0.0.0/0")
    assert extent.covered == sum(n.num_addresses for s in SHIPPED.services for n in s.networks if n.version == 4)
    assert len(extent.parts) <= MAX_PARTS


def test_the_past_says_what_is_of_a_later_time() -> None:
    of = snapshot(curated(), now=LATER)
    found = explain_network(
        parse_network("10.0.0.0/8"), of, catalogue=CATALOGUE, never_block=default_never_block(), at=NOW
    )
    assert any("when it was found again" in note for note in found.notes)
    assert any("rules and the shipped data are those of now" in note for note in found.notes)


@st.composite
def questions(draw: st.DrawFn) -> tuple[Network, int]:
    """A network somewhere near what is known, and a place in it."""
    base = draw(st.sampled_from([str(i.value) for i in SHIPPED.indicators if "/" in str(i.value)]))
    known = parse_network(base)
    length = draw(st.integers(max(known.prefixlen - 6, 1), min(known.prefixlen + 4, known.max_prefixlen - 1)))
    wide = known.supernet(new_prefix=length) if length <= known.prefixlen else known
    return wide, draw(st.integers(0, wide.num_addresses - 1))


@example((parse_network("103.136.220.0/22"), 600))
@given(questions())
def test_every_address_of_a_part_is_explained_as_the_part_is(asked: tuple[Network, int]) -> None:
    network, offset = asked
    _, extent = ask(str(network))
    spans = [(int(p.first), int(p.last)) for p in extent.parts]
    if not extent.left_out:
        assert spans[0][0] == int(network.network_address)
        assert spans[-1][1] == int(network.broadcast_address)
        assert all(before[1] + 1 == after[0] for before, after in pairwise(spans))
        assert extent.covered == sum(p.addresses for p in extent.parts if p.covered)
    address = ip_address(int(network.network_address) + offset)
    own = NeverBlock(reason="your never_block list", networks=())
    of_it = explain(address, SHIPPED, catalogue=CATALOGUE, never_block=(*default_never_block(), own))
    part = next((p for p in extent.parts if int(p.first) <= int(address) <= int(p.last)), None)
    if part is not None:
        assert part.covered is of_it.covered
        assert [d for d in part.decisions if d.rule != "unknown"] == [d for d in of_it.decisions if d.rule != "unknown"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10.1.2.3/8", "ask for 10.0.0.0/8 or for 10.1.2.3"),
        ("2001:db8::1/32", "ask for 2001:db8::/32 or for 2001:db8::1"),
        ("10.0.0.0/33", "neither a network nor an address"),
        ("10.0.0.0/-1", "neither a network nor an address"),
        ("10.0.0.0/255.0.0.0", "neither a network nor an address"),
        ("10.0.0.0/", "neither"),
        ("10.0.0.0/٨", "neither a network nor an address"),
        ("010.0.0.0/8", "neither an address nor a name"),
        ("::ffff:10.0.0.0/104", "IPv4 written as IPv6"),
        ("fe80::%eth0/64", "names an IPv6 zone"),
        ("10.0.0.0/8/8", "neither"),
    ],
)
def test_what_is_no_network_says_what_to_ask_instead(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace(".", r"\.")):
        parse_question(text)


def test_a_network_of_one_address_is_that_address() -> None:
    assert parse_question("10.0.0.1/32") == ip_address("10.0.0.1")
    assert parse_question(" 10.0.0.0/8 ") == parse_network("10.0.0.0/8")
    assert parse_question("::/0") == parse_network("::/0")
