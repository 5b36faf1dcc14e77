"""No source, however wrong, makes tokgate block what must not be blocked (I7)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.net import Network, Ranges, aggregate, parse_network, subtract
from ipsets import dataset
from ipsets.catalogue import load_catalogue, shared_cdn_ranges
from ipsets.difference import SnapshotDiff, diff_snapshots
from ipsets.errors import GuardTripped
from ipsets.guard import (
    GuardLimits,
    NameGuard,
    NetworkGuard,
    NeverBlock,
    default_never_block,
    hold_churn,
    hold_size,
)
from ipsets.model import ServiceSet, Snapshot
from ipsets.text import read_domain
from tests.ipsets.making import curated, entry, guards, snapshot, texts, tiktok

ALL = Ranges((*(n for block in default_never_block() for n in block.networks), *shared_cdn_ranges()))
LIMITS = GuardLimits()


# --- one entry --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "guard", "said"),
    [
        pytest.param("0.0.0.0/0", "too-wide", "wider than /16", id="everything"),
        pytest.param("::/0", "too-wide", "wider than /32", id="everything-v6"),
        pytest.param("38.0.0.0/7", "too-wide", "wider than /16", id="condensed-by-a-list-maker"),
        pytest.param("10.0.0.0/8", "too-wide", "wider than /16", id="private-and-wide"),
        pytest.param("10.8.0.0/16", "never-block", "special-purpose", id="private"),
        pytest.param("192.168.1.1/32", "never-block", "special-purpose", id="private-host"),
        pytest.param("127.0.0.1/32", "never-block", "special-purpose", id="loopback"),
        pytest.param("169.254.169.254/32", "never-block", "special-purpose", id="metadata"),
        pytest.param("224.0.0.0/16", "never-block", "special-purpose", id="multicast"),
        pytest.param("2001:db8::/48", "never-block", "special-purpose", id="documentation-v6"),
        pytest.param("::ffff:10.0.0.1/128", "never-block", "special-purpose", id="v4-mapped"),
        pytest.param("fe80::/64", "never-block", "special-purpose", id="link-local"),
        pytest.param("8.8.8.8/32", "never-block", "public DNS resolvers", id="resolver"),
        pytest.param("2620:fe::fe/128", "never-block", "public DNS resolvers", id="resolver-v6"),
        pytest.param("118.26.132.0/24", "never-block", "BytePlus", id="moved-to-the-cloud"),
        pytest.param("14.103.7.0/24", "never-block", "Volcano", id="cloud-customers"),
        pytest.param("23.45.12.0/24", "never-block", "CDNs", id="akamai"),
        pytest.param("151.101.1.1/32", "never-block", "CDNs", id="fastly"),
        pytest.param("34.102.215.98/32", "never-block", "CDNs", id="google-cloud"),
    ],
)
def test_i07_never_reaches_a_list_whatever_a_source_says(text: str, guard: str, said: str) -> None:
    made = snapshot([*curated(), entry(text)])
    (verdict,) = [v for v in made.dropped if v.entry == str(parse_network(text))]
    assert (verdict.guard, verdict.held) == (guard, False)
    assert said in verdict.reason
    assert "(from list:test)" in verdict.reason
    assert made.id == snapshot(curated()).id


def test_i07_all_of_them_at_once_change_nothing_and_each_is_told() -> None:
    bad = ["0.0.0.0/0", "10.0.0.0/8", "8.8.8.8/32"]
    made = snapshot([*curated(), *(entry(text) for text in bad)])
    assert guards(made) == {"0.0.0.0/0": "too-wide", "10.0.0.0/8": "too-wide", "8.8.8.8/32": "never-block"}
    assert made.id == snapshot(curated()).id


def test_i07_an_entry_around_a_resolver_loses_only_the_resolver() -> None:
    made = snapshot([*curated(), entry("9.9.9.0/24")])
    kept = Ranges(parse_network(text) for text in texts(made))
    assert kept.holds(parse_network("9.9.9.0/29"))
    assert not kept.touched(parse_network("9.9.9.9"))
    (verdict,) = made.dropped
    assert verdict.entry == "9.9.9.0/24"
    assert "covers public DNS resolvers" in verdict.reason
    assert "carved" in verdict.reason


def test_i07_an_entry_that_would_fall_into_too_many_pieces_stays_whole_below_allows() -> None:
    network = ip_network("5.5.0.0/16")
    holes = tuple(ip_network((int(network.network_address) + 2 * at * 256, 32)) for at in range(70))
    many = [NeverBlock(reason="many", networks=holes)]
    carved, verdicts = NetworkGuard(LIMITS, many).judge(network)
    assert (carved.deny, carved.allow) == ((network,), holes)
    assert "allowed above it, for it would fall into more than 64 pieces" in verdicts[0].reason
    cut, _ = NetworkGuard(GuardLimits(max_pieces=1000), many).judge(network)
    assert (cut.allow, cut.deny) == ((), subtract([network], holes)), "the inventory's cap decides"


ODD: Final = tuple(f"5.5.0.{host}" for host in range(1, 32, 2))
"""Cut out of 5.5.0.0/24 they leave 16 even hosts and three blocks."""


def shattered(max_pieces: int = 4) -> Snapshot:
    limits = GuardLimits(never_block=ODD, max_pieces=max_pieces)
    return snapshot([entry("5.5.0.0/24"), entry("5.5.1.0/24")], limits=limits)


def test_i07_the_allows_of_a_snapshot_and_the_pieces_of_another_block_the_same_addresses() -> None:
    whole, cut = shattered(), shattered(1000)
    assert texts(whole) == ["5.5.0.0/23"]
    assert [str(n) for n in tiktok(whole).allows] == [f"{host}/32" for host in ODD]
    assert tiktok(cut).allows == ()
    assert tiktok(whole).blocked == tiktok(cut).networks
    assert whole.id != cut.id
    assert diff_snapshots(cut, whole) == diff_snapshots(whole, cut) == SnapshotDiff(added=(), removed=())


def test_i07_an_allow_counts_as_an_entry_and_never_as_an_address_of_the_list() -> None:
    all_but_one = ServiceSet(
        service="tiktok", networks=(ip_network("5.5.0.0/24"),), domains=(), allows=(ip_network("5.5.0.0/25"),)
    )
    assert list(hold_size(all_but_one, GuardLimits(max_addresses_v4=128, max_entries=2), before=None)) == []
    assert [v.guard for v in hold_size(all_but_one, GuardLimits(max_entries=1), before=None)] == ["too-many"]
    nothing = replace(all_but_one, allows=all_but_one.networks)
    assert [v.guard for v in hold_size(nothing, GuardLimits(), before=None)] == ["empty"]
    lost = hold_churn(all_but_one, nothing, GuardLimits(churn_floor=0))
    assert [v.guard for v in lost] == ["churn"], "an allow that grows takes away as a network that goes"


def test_i07_what_the_user_lists_is_carved_out_too() -> None:
    mine = NeverBlock(reason="your never_block list", networks=(ip_network("103.136.220.0/25"),))
    made = snapshot(curated(), never_block=(*default_never_block(), mine))
    assert "103.136.220.128/25" in texts(made)
    assert "your never_block list" in made.dropped[0].reason
    same = snapshot(curated(), limits=GuardLimits(never_block=("103.136.220.0/25",)))
    assert same.id == made.id


NEAR = [*dataset.dedicated_prefixes(), *(row.network for row in dataset.public_resolvers())]
_ANY = st.one_of(
    st.sampled_from(NEAR),
    st.builds(lambda n, up: n.supernet(new_prefix=max(0, n.prefixlen - up)), st.sampled_from(NEAR), st.integers(0, 24)),
    st.builds(lambda a, length: IPv4Network((a, length), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32)),
    st.builds(
        lambda a, length: IPv6Network((a, length), strict=False), st.integers(0, 2**128 - 1), st.integers(0, 128)
    ),
    st.sampled_from([r.network for r in dataset.special_purpose()]),
    st.sampled_from([r.network for r in dataset.cdn_ranges()]),
)


@given(st.lists(_ANY, max_size=12))
def test_i07_nothing_that_is_enforced_touches_what_is_never_blocked(networks: list[Network]) -> None:
    made = snapshot([*curated(), *(entry(str(n)) for n in networks)], limits=GuardLimits(max_added_share=1e9))
    for network in tiktok(made).blocked:
        assert not ALL.touched(network), network
    assert all(ALL.holds(allow) for allow in tiktok(made).allows)


@given(_ANY)
def test_i07_an_entry_is_kept_or_spoken_of_and_never_grows(network: Network) -> None:
    blocks = default_never_block()
    carved, verdicts = NetworkGuard(LIMITS, blocks).judge(network)
    kept = subtract(carved.deny, carved.allow)
    if verdicts:
        assert all(v.entry == str(network) and v.reason for v in verdicts)
        assert subtract(kept, [network]) == ()
    else:
        assert kept == (network,)
    if kept:  # exactly what is left when the never-block ranges are taken out
        assert aggregate(kept) == subtract([network], (n for block in blocks for n in block.networks))


def test_the_proof_would_notice_a_guard_that_forgets_carving() -> None:
    """The deliberately broken variant: keep the entry whole when it only covers something."""
    network = parse_network("9.9.9.0/24")
    assert ALL.touched(network)
    assert not any(ALL.touched(n) for n in NetworkGuard(LIMITS, default_never_block()).judge(network)[0].deny)


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "guard"),
    [
        pytest.param(".com", "too-wide", id="a-registry"),
        pytest.param(".co.uk", "too-wide", id="a-registry-below-a-country"),
        pytest.param(".akamaized.net", "too-wide", id="a-content-network"),
        pytest.param(".edgekey.net", "too-wide", id="another-content-network"),
        pytest.param(".cloudflare.net", "too-wide", id="above-a-content-network"),
        pytest.param("tiktokio.com", "lookalike", id="a-lookalike"),
        pytest.param("www.tiktokmod.pro", "lookalike", id="below-a-lookalike"),
        pytest.param("app-measurement.com", "lookalike", id="junk-of-three-lists"),
        pytest.param(".byteplus.com", "never-block", id="the-cloud"),
        pytest.param("x.volces.com", "never-block", id="below-the-cloud"),
        pytest.param(".tiktokpangle.us", "never-block", id="an-advertising-kit"),
        pytest.param(".douyin.com", "never-block", id="another-app"),
        pytest.param(".musical.ly", "abandoned", id="what-the-app-gave-up"),
    ],
)
def test_i07_names_that_are_not_tiktoks_are_dropped_with_a_reason(text: str, guard: str) -> None:
    made = snapshot([*curated(), entry(text)])
    (verdict,) = made.dropped
    assert verdict.guard == guard
    assert made.id == snapshot(curated()).id


@pytest.mark.parametrize(
    "name", ["www.tiktok.com", ".tiktokcdn.com.akamaized.net", "p16-tiktok-sg.ibyteimg.com", ".new-name.com"]
)
def test_a_good_name_passes(name: str) -> None:
    assert NameGuard(load_catalogue()).judge(read_domain(name)) is None


def test_a_name_that_other_apps_share_is_told_and_not_enforced() -> None:
    made = snapshot([*curated(), entry(".byteoversea.com"), entry("www.capcut.com")])
    assert guards(made) == {".byteoversea.com": "not-dedicated", "www.capcut.com": "not-dedicated"}


# --- the whole set ----------------------------------------------------------------------------------------------------


def tripped(*args: object, **kwargs: object) -> GuardTripped:
    with pytest.raises(GuardTripped) as caught:
        snapshot(*args, **kwargs)  # type: ignore[arg-type]
    return caught.value


def test_i02_nothing_at_all_is_never_a_list() -> None:
    error = tripped([])
    assert [v.guard for v in error.verdicts] == ["empty"]
    assert "guard empty" in error.message
    assert error.hint


def test_i02_a_list_of_only_bad_entries_is_held_and_says_what_was_dropped() -> None:
    error = tripped([entry("0.0.0.0/0"), entry("8.8.8.8/32")])
    assert error.verdicts[0].held
    assert {v.entry for v in error.verdicts} >= {"0.0.0.0/0", "8.8.8.8/32"}
    assert "0.0.0.0/0 (too-wide)" in error.message


def test_i02_losing_every_network_is_held_and_force_does_not_help() -> None:
    before = snapshot(curated())
    names_only = [i for i in curated() if not hasattr(i.value, "prefixlen")]
    error = tripped(names_only, previous=before, force=True)
    assert [v.guard for v in error.verdicts if v.held] == ["empty"]


def _part(share: float) -> list[object]:
    known = list(curated())
    networks = [i for i in known if hasattr(i.value, "prefixlen")]
    others = [i for i in known if not hasattr(i.value, "prefixlen")]
    return [*networks[: int(len(networks) * share)], *others]


def test_i07_a_list_that_loses_much_is_held_until_a_person_forces_it() -> None:
    before = snapshot(curated())
    error = tripped(_part(0.1), previous=before)
    held = [v for v in error.verdicts if v.held]
    assert {v.guard for v in held} == {"churn"}
    assert "lose" in held[0].reason
    assert "--force" in error.hint
    assert snapshot(_part(0.1), previous=before, force=True).parent == before.id  # type: ignore[arg-type]


def test_i07_a_list_that_gains_much_is_held() -> None:
    before = snapshot(curated())
    error = tripped([*curated(), entry("5.5.0.0/16")], previous=before)
    assert [v.guard for v in error.verdicts if v.held] == ["churn"]
    assert "5.5.0.0/16" in error.message


def test_i07_names_are_counted_too() -> None:
    before = snapshot(curated())
    fewer = [i for i in curated() if hasattr(i.value, "prefixlen") or str(i.value.name) < "tiktok.com"]  # type: ignore[union-attr]
    assert "tiktok domains" in tripped(fewer, previous=before).message


def test_a_small_change_passes_without_a_person() -> None:
    before = snapshot(curated())
    after = snapshot([*curated(), entry("5.5.5.0/24")], previous=before)
    assert after.parent == before.id
    assert "5.5.5.0/24" in texts(after)


def test_i07_too_many_addresses_are_held_and_force_does_not_help() -> None:
    many = [entry(f"{first}.{second}.0.0/16") for first in (5, 31) for second in range(16)]
    error = tripped([*curated(), *many], force=True)
    assert [v.guard for v in error.verdicts if v.held] == ["too-many"]
    assert "intelligence.guard" in error.hint


@pytest.mark.parametrize(
    ("limits", "what"),
    [({"max_networks_v6": 5}, "IPv6 /48"), ({"max_entries": 100}, "entries"), ({"max_addresses_v4": 1000}, "IPv4")],
)
def test_i07_every_limit_of_size_holds(limits: dict[str, int], what: str) -> None:
    assert what in tripped(curated(), limits=GuardLimits(**limits)).message


# --- the limits as configuration --------------------------------------------------------------------------------------


def test_limits_have_defaults_and_take_networks_as_text() -> None:
    assert GuardLimits() == GuardLimits(max_prefix_v4=16, max_prefix_v6=32)
    assert GuardLimits(never_block=["203.0.113.0/24"]).never_block == (ip_network("203.0.113.0/24"),)


@pytest.mark.parametrize(
    "given",
    [
        {"never_block": ["203.0.113.1/24"]},
        {"never_block": [1]},
        {"never_block": ["everything"]},
        {"max_prefix_v4": 0},
        {"max_removed_share": 0},
        {"max_removed_share": 1.5},
        {"max_added_share": float("inf")},
        {"max_adresses_v4": 5},
    ],
    ids=str,
)
def test_limits_refuse_nonsense(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GuardLimits.model_validate(given)
