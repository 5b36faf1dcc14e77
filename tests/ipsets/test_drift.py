"""Origins that come, go and move between two snapshots, told word by word."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ipsets.drift import QUIET, Drift, origin_drift
from ipsets.model import Indicator, Snapshot
from tests.ipsets.making import NOW, curated, entry, snapshot

OURS, THEIRS = "announced by AS138699", "announced by AS396986"


def made(*entries: Indicator) -> Snapshot:
    return snapshot(
        [entry("198.18.0.0/24", source="curated", detail="originated by AS11983; x"), *entries], never_block=()
    )


def said(text: str, detail: str = OURS, source: str = "ripestat") -> Indicator:
    return entry(text, source=source, detail=detail)


def drift(old: Snapshot, new: Snapshot) -> list[tuple[Drift, str, int, tuple[int, ...]]]:
    return [(c.kind, str(c.network), c.asn, c.origins) for c in origin_drift(old, new)]


NONE, ONE = made(), made(said("64.1.2.0/24"))


def test_a_network_that_was_never_seen_before_is_told_as_new_and_as_lost_when_it_goes() -> None:
    assert drift(NONE, ONE) == [(Drift.NEW_ASN, "64.1.2.0/24", 138699, (138699,))]
    assert drift(ONE, NONE) == [(Drift.LOST_ASN, "64.1.2.0/24", 138699, ())]


def test_a_prefix_of_a_known_network_comes_and_goes() -> None:
    more = made(said("64.1.2.0/24"), said("64.1.3.0/24"))
    assert drift(ONE, more) == [(Drift.NEW_PREFIX, "64.1.3.0/24", 138699, (138699,))]
    assert drift(more, ONE) == [(Drift.LOST_PREFIX, "64.1.3.0/24", 138699, ())]


def test_a_prefix_that_another_known_network_takes_has_moved() -> None:
    before = made(said("64.1.2.0/24"), said("64.1.3.0/24"), said("64.1.4.0/24", THEIRS))
    after = made(said("64.1.2.0/24", THEIRS), said("64.1.3.0/24"), said("64.1.4.0/24", THEIRS))
    assert drift(before, after) == [
        (Drift.MOVED, "64.1.2.0/24", 138699, (396986,)),
        (Drift.MOVED, "64.1.2.0/24", 396986, (396986,)),
    ]


def test_origins_are_a_set_of_all_that_is_said() -> None:
    both = made(said("64.1.2.0/24", "originated by AS138699 and AS396986; a list", "curated"))
    assert drift(NONE, both) == [
        (Drift.NEW_ASN, "64.1.2.0/24", 138699, (138699, 396986)),
        (Drift.NEW_ASN, "64.1.2.0/24", 396986, (138699, 396986)),
    ]


def test_another_source_that_says_the_same_moves_nothing() -> None:
    twice = made(said("64.1.2.0/24"), said("64.1.2.0/24", source="mrt"))
    assert [(c.kind, c.source) for c in origin_drift(ONE, twice)] == [(Drift.CONFIRMED, "mrt")]
    assert [(c.kind, c.source) for c in origin_drift(twice, ONE)] == [(Drift.UNCONFIRMED, "mrt")]
    assert {c.kind for c in origin_drift(ONE, twice)} <= QUIET


@pytest.mark.parametrize(
    "detail",
    [
        "route object of AS138699",
        "AS138699 may originate it (ripe)",
        "line 7",
        "",
        "announced by ASx",
        "announced by AS1and",
    ],
)
def test_what_is_no_word_about_routing_is_none(detail: str) -> None:
    assert drift(NONE, made(said("64.1.2.0/24", detail))) == []


def held(holder: str, text: str = "64.1.2.0/24", *, source: str = "ripestat:AS138699", days: int = 0) -> Indicator:
    detail = f"announced by AS138699, held by {holder}"
    return entry(text, source=source, detail=detail, seen=NOW + timedelta(days=days))


def test_a_renamed_holder_is_told_once_for_all_prefixes_of_a_network() -> None:
    before = made(held("TIKTOK - A Pte. Ltd."), held("TIKTOK - A Pte. Ltd.", "64.1.3.0/24"))
    after = made(held("B, held by C and AS7"), held("B, held by C and AS7", "64.1.3.0/24"))
    [told] = origin_drift(before, after)
    assert (told.kind, told.network, told.asn, told.source) == (Drift.RENAMED, None, 138699, "ripestat:AS138699")
    assert (told.old_holder, told.new_holder, told.origins) == ("TIKTOK - A Pte. Ltd.", "B, held by C and AS7", ())
    assert origin_drift(after, after) == ()
    assert Drift.RENAMED not in QUIET


def test_a_holder_that_is_told_for_the_first_time_or_no_more_is_no_other_one() -> None:
    unnamed = made(said("64.1.2.0/24", source="ripestat:AS138699"))
    assert origin_drift(unnamed, made(held("A"))) == origin_drift(made(held("A")), unnamed) == ()
    assert [c.kind for c in origin_drift(NONE, made(held("A")))] == [Drift.NEW_ASN]


def test_every_source_has_its_own_word_on_a_holder_and_of_two_the_later_one_counts() -> None:
    other = held("A", "64.1.3.0/24", source="another")
    both = made(held("A"), other)
    assert [c.source for c in origin_drift(both, made(held("B"), other))] == ["ripestat:AS138699"]
    mixed = made(held("Z", days=-1), held("A", "64.1.4.0/24"))
    assert not [c for c in origin_drift(made(held("A")), mixed) if c.kind is Drift.RENAMED]


def test_a_new_network_is_told_before_a_renamed_one_and_that_before_a_moved_prefix() -> None:
    before = made(held("A"), said("64.1.3.0/24"))
    after = made(held("B"), said("64.1.3.0/24", THEIRS), said("64.1.2.0/24", source="mrt"))
    assert [c.kind for c in origin_drift(before, after)] == [
        Drift.NEW_ASN,
        Drift.RENAMED,
        Drift.MOVED,
        Drift.CONFIRMED,
    ]


def test_names_have_no_origin_and_a_snapshot_does_not_differ_from_itself() -> None:
    assert drift(ONE, made(said("64.1.2.0/24"), said(".example.com"))) == []
    shipped = snapshot(curated())
    assert origin_drift(shipped, shipped) == ()


def test_the_shipped_origins_are_all_read() -> None:
    found = origin_drift(snapshot([entry(".tiktok.com")]), snapshot(curated()))
    assert {c.asn for c in found} == {138699, 11983, 396986}
    assert {c.kind for c in found} == {Drift.NEW_ASN}
    assert len({c.network for c in found}) > 100
