"""What was said at a refresh: equal text while nobody says anything else, and given back to the last date."""

from __future__ import annotations

import zlib
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipsets.errors import SnapshotCorrupt
from ipsets.model import Provenance, Snapshot
from ipsets.text import sha256
from ipsets.words import Words, said, words_of
from tests.ipsets.making import LATER, NOW, curated, entry, snapshot

SHIPPED = snapshot([*curated(), entry("10.0.0.0/24"), entry("www.tiktokio.com")])


def of(*seen: datetime, source: str = "list:mine", ages: tuple[tuple[str, datetime], ...] = ()) -> Snapshot:
    """One entry for each time that it was last seen."""
    words = [
        Provenance(source=f"{source}{at or ''}", first_seen=NOW, last_seen=when, detail="line 1")
        for at, when in enumerate(seen)
    ]
    made = snapshot([entry("103.136.220.0/23")], force=True)
    found = tuple(replace(i, sources=tuple(words)) for i in made.indicators)
    return replace(made, indicators=found, source_ages=ages)


def test_what_was_said_is_given_back_exactly() -> None:
    assert len(SHIPPED.dropped) == 2
    assert said(replace(SHIPPED, indicators=(), dropped=(), source_ages=()), words_of(SHIPPED)) == SHIPPED


def test_a_refresh_that_finds_the_same_an_hour_later_says_it_in_the_same_words() -> None:
    first = of(NOW, ages=(("mine", NOW), ("ripestat", NOW)))
    second = of(LATER, ages=(("mine", LATER), ("ripestat", NOW)))
    one, two = words_of(first), words_of(second)
    assert (one.digest, one.body) == (two.digest, two.body)
    assert one.ages != two.ages
    assert said(first, two) == second
    assert said(second, one) == first


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda s: replace(s, dropped=SHIPPED.dropped[:1]), id="a-guard-spoke"),
        pytest.param(lambda s: replace(s, indicators=SHIPPED.indicators[:1]), id="another-entry"),
        pytest.param(lambda s: replace(s, source_ages=(("mine", LATER),)), id="not-seen-the-last-time"),
    ],
)
def test_other_words_have_another_digest(other: object) -> None:
    assert callable(other)
    first = of(NOW, ages=(("mine", NOW),))
    assert words_of(other(first)).digest != words_of(first).digest


@given(
    seen=st.lists(st.integers(0, 3).map(lambda h: NOW + timedelta(hours=h)), min_size=1, max_size=4),
    ages=st.dictionaries(
        st.sampled_from(["mine", "mine1", "list", "@", "dns"]), st.sampled_from([NOW, LATER]), max_size=4
    ),
)
def test_whatever_the_times_are_nothing_is_lost(seen: list[datetime], ages: dict[str, datetime]) -> None:
    made = of(*seen, ages=tuple(sorted(ages.items())))
    assert said(SHIPPED, words_of(made)) == replace(
        SHIPPED, indicators=made.indicators, dropped=made.dropped, source_ages=made.source_ages
    )


WORDS = words_of(SHIPPED)


def remade(text: str) -> Words:
    return Words(digest=sha256(text), body=zlib.compress(text.encode()), ages=WORDS.ages)


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(replace(WORDS, body=WORDS.body[:-9]), id="cut-off"),
        pytest.param(replace(WORDS, body=b"no text at all"), id="something-else"),
        pytest.param(replace(WORDS, digest=sha256("")), id="another-digest"),
        pytest.param(replace(WORDS, ages="[]"), id="without-its-times"),
        pytest.param(replace(WORDS, ages="{"), id="times-cut-off"),
        pytest.param(remade("[]"), id="another-shape"),
        pytest.param(remade('{"format":2}'), id="a-later-format"),
    ],
)
def test_what_is_damaged_is_told_not_shown(damaged: Words) -> None:
    with pytest.raises(SnapshotCorrupt, match="the stored words of a refresh cannot be used"):
        said(SHIPPED, damaged)
