"""The scoreboard against a plain reading of what it means: sets of addresses and names, one by one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import IPv4Network, ip_address, ip_network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.net import DomainName, Network, subtract
from ipsets import dataset
from ipsets.catalogue import shared_cdn_ranges
from ipsets.conduct import Conduct
from ipsets.model import Dedication, Indicator, Provenance
from ipsets.resolve import SourceRecord
from ipsets.scoreboard import MAX_OVERLAPS, Precision, Score, Tally, scoreboard
from tests.ipsets.making import NOW, curated, entry

HOUR = timedelta(hours=1)
CLAIMED, NEVER, SHARED = Dedication.CLAIMED, Dedication.NEVER, Dedication.SHARED


def record(
    name: str,
    *texts: str,
    kind: str = "list",
    dedication: Dedication = CLAIMED,
    begun: timedelta = timedelta(),
    **late: int,
) -> SourceRecord:
    """A source that named each text so many hours after noon (``late``, else at its beginning)."""
    words = tuple(
        entry(text, source=f"{kind}:{name}", dedication=dedication, seen=NOW + begun + HOUR * late.get(f"h{at}", 0))
        for at, text in enumerate(texts)
    )
    conduct = Conduct(first_success=NOW + begun)
    return SourceRecord(name=name, kind=kind, indicators=words, last_success=NOW, conduct=conduct)


def scores(*records: SourceRecord) -> dict[str, Score]:
    return {score.source: score for score in scoreboard(records)}


# --- a plain reading --------------------------------------------------------------------------------------------------


def holds(others: Sequence[Indicator], value: Network | DomainName) -> bool:
    """By every single address, or by the labels of the name."""
    if isinstance(value, DomainName):
        named = [i.value for i in others if isinstance(i.value, DomainName)]
        return value in named or any(n.suffix and f".{value.name}".endswith(f".{n.name}") for n in named)
    networks = [i.value for i in others if not isinstance(i.value, DomainName) and i.value.version == value.version]
    return all(any(address in n for n in networks) for address in value)


@dataclass(frozen=True)
class Plain:
    """What the scoreboard should say of one source."""

    entries: int
    unique: int
    overlaps: dict[str, int]
    missing: int


def plain(records: Sequence[SourceRecord]) -> dict[str, Plain]:
    def side(of: SourceRecord, declared: bool) -> list[Indicator]:
        return [i for i in of.indicators if (i.dedication is NEVER) is declared]

    found = {}
    for one in records:
        others = [r for r in records if r is not one]
        entries = unique = missing = 0
        overlaps = dict.fromkeys((r.name for r in others), 0)
        for declared in (False, True):
            own = {i.value for i in side(one, declared)}
            entries += len(own)
            held = {r.name: {v for v in own if holds(side(r, declared), v)} for r in others}
            unique += len(own - set().union(*held.values()) if held else own)
            for name, values in held.items():
                overlaps[name] += len(values)
            every = {i.value for r in records for i in side(r, declared)}
            missing += sum(not holds(side(one, declared), v) for v in every) if own else 0
        found[one.name] = Plain(entries, unique, {n: c for n, c in overlaps.items() if c}, missing)
    return found


NETWORKS = st.one_of(
    st.tuples(st.integers(27, 32), st.integers(0, 31)).map(
        lambda p: f"203.0.112.{p[1] >> (32 - p[0]) << (32 - p[0])}/{p[0]}"
    ),
    st.tuples(st.integers(123, 128), st.integers(0, 31)).map(
        lambda p: f"2a00::{p[1] >> (128 - p[0]) << (128 - p[0]):x}/{p[0]}"
    ),
)
NAMES = st.tuples(st.sampled_from(["", "."]), st.lists(st.sampled_from("ab"), min_size=1, max_size=4)).map(
    lambda p: p[0] + ".".join([*p[1], "example"])
)
WORDS = st.lists(st.tuples(st.one_of(NETWORKS, NAMES), st.sampled_from([CLAIMED, NEVER, SHARED])), max_size=12)


def made(name: str, words: list[tuple[str, Dedication]]) -> SourceRecord:
    said = tuple(entry(text, source=f"list:{name}", dedication=dedication) for text, dedication in words)
    return SourceRecord(name=name, kind="list", indicators=said, last_success=NOW)


@given(st.lists(WORDS, min_size=1, max_size=4))
def test_it_counts_as_a_plain_reading_does(words: list[list[tuple[str, Dedication]]]) -> None:
    records = [made(f"s{at}", own) for at, own in enumerate(words)]
    expected = plain(records)
    for score in scoreboard(records):
        reading = expected[score.source]
        counted = Plain(score.entries, score.unique, {o.source: o.entries for o in score.overlaps}, score.lag.not_named)
        assert counted == reading
        assert score.entries == score.networks + score.domains
        addresses = {
            a for i in record_of(records, score).indicators if isinstance(i.value, IPv4Network) for a in i.value
        }
        assert score.addresses_v4 == len(addresses)


def record_of(records: Sequence[SourceRecord], score: Score) -> SourceRecord:
    return next(r for r in records if r.name == score.source)


# --- uniqueness and overlap -------------------------------------------------------------------------------------------


def test_two_halves_hold_a_whole_and_a_name_holds_those_below_it() -> None:
    found = scores(
        record("whole", "198.51.99.0/24", "www.a.example"),
        record("halves", "198.51.99.0/25", "198.51.99.128/25", ".a.example"),
    )
    assert (found["whole"].unique, found["halves"].unique) == (0, 1), (
        "only the suffix itself is more than the other says"
    )
    assert found["halves"].unique_share == pytest.approx(1 / 3)
    [overlap] = found["whole"].overlaps
    assert (overlap.source, overlap.entries, overlap.share) == ("halves", 2, 1.0)


def test_only_the_largest_overlaps_are_told_the_largest_first() -> None:
    texts = [f"n{n}.example" for n in range(20)]
    found = scores(record("all", *texts), *(record(f"s{n}", *texts[: n + 1]) for n in range(9)))
    assert [(o.source, o.entries) for o in found["all"].overlaps] == [(f"s{n}", n + 1) for n in (8, 7, 6, 5, 4)]
    assert len(found["all"].overlaps) == MAX_OVERLAPS


def test_a_source_without_entries_has_no_shares() -> None:
    found = scores(record("none"), record("one", "a.example"))["none"]
    assert (found.entries, found.unique_share, found.overlaps, found.precision_v4.share) == (0, None, (), None)
    assert found.lag.not_named == 0, "what it would name is not known"


# --- lag --------------------------------------------------------------------------------------------------------------


def test_lag_is_measured_from_the_first_that_brought_news() -> None:
    fast = record("fast", "old.example", "x.example", "y.example", "z.example", h1=2, h2=3, h3=4)
    slow = record("slow", "old.example", "x.example", "y.example", h1=2 + 24, h2=3 + 48)
    found = scores(fast, slow)
    assert (found["slow"].lag.median, found["slow"].lag.entries) == (24 * HOUR, 2), "old.example has no date"
    assert found["slow"].lag.not_named == 1
    assert (found["fast"].lag.median, found["fast"].lag.entries) == (timedelta(), 2), "z.example: nobody else named it"


def test_who_was_not_asked_yet_is_not_late() -> None:
    found = scores(record("fast", "x.example", h0=2), record("later", "x.example", begun=24 * HOUR))
    assert found["later"].lag.median is None


def test_what_the_first_had_from_its_beginning_is_no_news() -> None:
    found = scores(record("big", "x.example"), record("slow", "x.example", h0=5))
    assert found["slow"].lag.median is found["big"].lag.median is None


def test_a_record_of_an_older_version_began_with_its_oldest_word() -> None:
    def old(of: SourceRecord) -> SourceRecord:
        return replace(of, conduct=Conduct())

    fast, slow = record("fast", "a.example", "x.example", h1=2), record("slow", "a.example", "x.example", h1=7)
    assert scores(old(fast), old(slow))["slow"].lag.median == 5 * HOUR


def test_a_declaration_is_not_late_because_a_list_came_first() -> None:
    list_, ranges = record("list", "198.51.99.0/24", h0=2), record("cdn", "198.51.99.0/24", dedication=NEVER, h0=9)
    assert scores(list_, ranges)["cdn"].lag.median is None


# --- precision --------------------------------------------------------------------------------------------------------


def inside(networks: Sequence[Network], *, but: Sequence[Network] = ()) -> str:
    """A /30 in the first IPv4 network that lies in none of the others."""
    free = next(n for n in subtract([n for n in networks if n.version == 4], but) if n.prefixlen <= 30)
    return str(next(free.subnets(new_prefix=30)) if free.prefixlen < 30 else free)


def rows(dedication: str) -> list[Network]:
    return [row.network for row in dataset.prefixes() if row.dedication == dedication]


OWN = inside(dataset.dedicated_prefixes())
SHARED_TEXT = inside(rows("shared"), but=dataset.dedicated_prefixes())
CLOUD = inside(rows("cloud-customers"))
CDN = inside(shared_cdn_ranges())


def test_addresses_are_told_apart_by_whose_they_are() -> None:
    found = scores(record("mixed", OWN, SHARED_TEXT, CLOUD, CDN, "198.51.99.0/29"))["mixed"]
    assert found.precision_v4 == Precision(own=4, shared=4, cdn=8, unknown=8)
    assert found.precision_v4.share == pytest.approx(4 / 24)


def test_an_address_counts_once_however_often_it_is_claimed() -> None:
    network = ip_network(OWN)
    found = scores(record("twice", OWN, str(network.network_address)))["twice"]
    assert found.precision_v4 == Precision(own=4, shared=0, cdn=0, unknown=0)


def test_live_routing_and_published_ranges_extend_what_is_known() -> None:
    claimed = record("list", "198.51.99.0/30", "198.51.99.8/30")
    routed = record("ripestat", "198.51.99.0/24", kind="ripestat", dedication=Dedication.DEDICATED)
    published = record("cdn", "198.51.99.8/29", kind="ranges", dedication=NEVER)
    assert scores(claimed, published)["list"].precision_v4 == Precision(own=0, shared=0, cdn=4, unknown=4)
    assert scores(claimed, published, routed)["list"].precision_v4 == Precision(own=8, shared=0, cdn=0, unknown=0)
    voice = replace(routed, kind="list", name="other")
    assert scores(claimed, voice)["list"].precision_v4.own == 0, "a list is no routing"


def test_what_a_source_itself_calls_shared_or_somebody_elses_is_no_claim() -> None:
    found = scores(record("asn", CLOUD, dedication=SHARED), record("cdn", CDN, dedication=NEVER))
    assert found["asn"].precision_v4.share is found["cdn"].precision_v4.share is None


def test_the_shipped_set_claims_nothing_but_the_services_own() -> None:
    shipped = SourceRecord(name="curated", kind="curated", indicators=curated(), last_success=NOW)
    found = scores(shipped)["curated"]
    assert found.precision_v4.own >= 14_592
    assert found.precision_v4.share == found.precision_v6.share == 1.0


# --- hits -------------------------------------------------------------------------------------------------------------


def test_hits_are_told_apart_by_who_names_their_destination() -> None:
    names = record("names", ".a.example")
    tally = Tally([record("wide", "198.51.99.0/24"), record("one", "198.51.99.7", "2001:db8:1::/48"), names])
    seven, eight, v6, other = (ip_address(a) for a in ("198.51.99.7", "198.51.99.8", "2001:db8:1::9", "192.0.2.1"))
    tally.add([(seven, 3), (eight, 4)])
    tally.add([(v6, 5), (other, 100)])
    tally.add([(other, 7)])
    tally.add([])
    assert [(c.events, c.packets) for c in tally.caught] == [(1, 7), (2, 8), (0, 0)]
    assert (tally.events, tally.without_destination, tally.of_nobody) == (4, 1, 1)


def test_what_a_device_does_not_count_stays_unknown() -> None:
    tally = Tally([record("wide", "198.51.99.0/24")])
    tally.add([(ip_address("198.51.99.1"), 3)])
    tally.add([(ip_address("198.51.99.1"), None)])
    assert (tally.caught[0].events, tally.caught[0].packets) == (2, None)


def test_a_declaration_catches_nothing() -> None:
    tally = Tally([record("cdn", "198.51.99.0/24", dedication=NEVER)])
    tally.add([(ip_address("198.51.99.1"), 3)])
    assert (tally.caught[0].events, tally.of_nobody) == (0, 1)


# --- size -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param((5_000, 20_000), id="a-hundred-thousand"),
        pytest.param((12_500, 50_000), id="a-quarter-of-a-million", marks=pytest.mark.soak),
    ],
)
def test_a_quarter_of_a_million_entries_take_seconds(counts: tuple[int, ...]) -> None:
    """The time of one processor grows with the entries: four times as many take far less than sixteen times as long."""
    word = Provenance(source="list:x", first_seen=NOW, last_seen=NOW)

    def big(name: str, count: int, offset: int) -> SourceRecord:
        made = entry("192.0.2.1")
        values = (IPv4Network(((at * 7 + offset) << 8 & 0xFFFFFFFF, 24)) for at in range(count))
        return SourceRecord(
            name=name,
            kind="list",
            indicators=tuple(replace(made, value=v, sources=(word,)) for v in values),
            last_success=NOW,
        )

    spent = []
    for count in counts:
        records = [big(f"s{at}", count, at) for at in range(5)]
        before = time.process_time()
        assert len(scoreboard(records)) == 5
        spent.append(time.process_time() - before)
    assert all(more < 12 * less for less, more in pairwise(spent)), spent
    assert spent[-1] < 15 * counts[-1] / 50_000
