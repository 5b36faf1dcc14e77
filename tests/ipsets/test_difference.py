"""Why two snapshots differ: who began or stopped naming an entry, and when; which guard; or nothing that is known."""

from __future__ import annotations

import pytest

from ipsets.difference import RULES, Change, diff_snapshots
from ipsets.guard import GuardLimits
from ipsets.model import Dedication, Indicator, Snapshot
from tests.ipsets.making import LATER, NOW, entry, snapshot

BASE = (entry("5.5.0.0/24", source="curated"), entry(".tiktok.com", source="curated"))


def of(*indicators: Indicator, **more: object) -> Snapshot:
    return snapshot((*BASE, *indicators), force=True, **more)  # type: ignore[arg-type]


def added(old: Snapshot, new: Snapshot) -> list[Change]:
    found = diff_snapshots(old, new)
    assert found.removed == ()
    back = diff_snapshots(new, old)
    assert (back.added, len(back.removed)) == ((), len(found.added)), "the way back is the same entries"
    return list(found.added)


def removed(old: Snapshot, new: Snapshot) -> list[Change]:
    found = diff_snapshots(old, new)
    assert found.added == ()
    return list(found.removed)


@pytest.mark.parametrize("text", ["5.5.6.0/24", ".tiktokv.com", "2001:4860:1::/48"])
def test_an_entry_more_says_which_source_began_to_name_it_and_when(text: str) -> None:
    new = of(
        entry(text, source="ripestat:AS138699", seen=LATER, detail="announced by AS138699"),
        entry(text, source="list:mine", seen=NOW),
    )
    [change] = added(of(), new)
    assert (change.service, change.entry) == ("tiktok", text)
    assert change.sources == ("list:mine", "ripestat:AS138699")
    assert change.reason == (
        "list:mine names it since 2026-11-25T12:00Z; "
        "ripestat:AS138699 names it since 2026-11-25T13:00Z (announced by AS138699)"
    )
    assert [(w.source, w.first_seen) for w in change.words] == [("list:mine", NOW), ("ripestat:AS138699", LATER)]


@pytest.mark.parametrize("text", ["5.5.6.0/24", ".tiktokv.com"])
def test_an_entry_less_says_which_source_stopped_and_when_it_named_it_last(text: str) -> None:
    [change] = removed(of(entry(text, source="list:mine", seen=LATER)), of())
    assert change.reason == "list:mine names it no more, last 2026-11-25T13:00Z"
    assert [(w.source, w.last_seen) for w in change.words] == [("list:mine", LATER)]
    assert change.sources == ("list:mine",)


def test_a_part_of_an_entry_is_told_by_the_sources_around_it() -> None:
    old = of(entry("5.5.6.0/23", source="list:wide"))
    new = of(entry("5.5.6.0/24", source="list:half"))
    [change] = removed(old, new)
    assert (change.entry, change.reason) == ("5.5.7.0/24", "list:wide names it no more, last 2026-11-25T12:00Z")


def test_a_piece_that_a_guard_takes_out_says_so() -> None:
    old = of(entry("5.5.6.0/24", source="list:mine"))
    wide = of(entry("5.5.6.0/24", source="list:mine"), limits=GuardLimits(max_prefix_v4=25))
    changes = removed(old, wide)
    assert {c.entry for c in changes} == {"5.5.0.0/24", "5.5.6.0/24"}
    assert all(c.reason.startswith("too-wide: ") for c in changes)
    assert all(c.words == () for c in changes)


def test_an_entry_that_a_guard_took_out_before_says_that_it_does_no_more() -> None:
    narrow = of(entry("5.5.6.0/24"))
    taken = of(entry("5.5.6.0/24", dedication=Dedication.SHARED))
    [change] = added(taken, narrow)
    assert change.reason.startswith("taken out no more by not-dedicated: ")


def test_an_entry_of_which_its_source_says_something_else_says_what() -> None:
    old = of(entry("5.5.6.0/24", source="list:mine", dedication=Dedication.DEDICATED))
    new = of(entry("5.5.6.0/24", source="list:mine", dedication=Dedication.SHARED))
    [change] = removed(old, new)
    assert change.reason.startswith("not-dedicated: ")
    assert change.words == ()


def test_where_nothing_recorded_is_different_it_is_the_rules() -> None:
    old = of(entry("5.5.6.0/24"))
    new = Snapshot(
        id=BASE_ID,
        created_at=NOW,
        parent=None,
        services=of().services,
        indicators=old.indicators,
        dropped=(),
        source_ages=old.source_ages,
    )
    [change] = removed(old, new)
    assert change.reason == RULES


BASE_ID = of().id


def test_what_is_declared_never_blocked_is_no_source_of_an_entry() -> None:
    never = entry("5.5.7.0/24", source="ranges:cdn", dedication=Dedication.NEVER)
    old, new = of(entry("5.5.6.0/23", source="list:mine")), of(entry("5.5.6.0/23", source="list:mine"), never)
    [change] = removed(old, new)
    assert change.entry == "5.5.7.0/24"
    assert change.sources == ("list:mine",)
    assert change.reason.startswith("never-block: ")
