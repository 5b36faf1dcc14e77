"""What episodes of days that are over come to is what the episodes themselves say, whatever was done to them since."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta

import pytest

from controller.evidence.model import REVOCABLE, Episode, EpisodeAction, EpisodeKind
from controller.model import Window
from controller.store import Store
from controller.store.retentions import Until
from core.clock import ManualClock
from core.ids import SiteName
from tests.controller.backends import behind, count, migrate_once
from tests.controller.conftest import NOON
from tests.controller.test_store_episodes import BERLIN, TOKYO, an_episode

DAY = timedelta(days=1)
MIDNIGHT = NOON.replace(hour=0, minute=0)
KINDS = (EpisodeKind.USE, EpisodeKind.CONTACT, *sorted(REVOCABLE))


def some_episode(dice: random.Random, name: int, now: datetime) -> Episode:
    """Now and then at the very midnight, or one moment beside it."""
    end = now - timedelta(days=dice.random() * 9)
    if dice.random() < 0.4:
        day = end.replace(hour=0, minute=0, second=0, microsecond=0)
        end = day + dice.choice((-1, 0, 1)) * timedelta.resolution
    return an_episode(
        f"e{name}",
        window=Window(end - timedelta(minutes=dice.randrange(1, 3_000)), end),
        site=TOKYO if name % 3 == 0 else BERLIN,  # an episode stays where it was
        kind=dice.choice(KINDS),
        action=dice.choice((EpisodeAction.BLOCKED, EpisodeAction.MONITORED)),
        app=dice.choice(("tiktok", "capcut", "")),
        surface=dice.choice(("", "app", "web")),
        confidence=dice.choice((0, 50, 90)),
        count=dice.choice((None, 3, 2**33)),
    )


def told(store: Store, site: SiteName, window: Window) -> tuple[list[tuple[object, ...]], dict[str, int]]:
    apps, kinds = store.episode_sums(site, window)
    return sorted((a.app, a.surface, a.kind, a.action, a.episodes, a.sightings) for a in apps), dict(kinds)


def reckoned(store: Store, site: SiteName, window: Window) -> tuple[list[tuple[object, ...]], dict[str, int]]:
    """Of the episodes as they are kept, one by one."""
    mine = [e for e in store.episodes_between(site, window) if not e.is_taken_back]
    lines: dict[tuple[str, ...], list[int | None]] = {}
    for e in mine:
        if e.app:
            lines.setdefault((e.app, e.surface, e.kind.value, e.action.value), []).append(e.count)
    apps = [
        (*key, len(counts), None if None in counts else sum(one or 0 for one in counts))
        for key, counts in lines.items()
    ]
    return sorted(apps), dict(Counter(e.kind.value for e in mine))


def agrees(store: Store, dice: random.Random, now: datetime) -> None:
    for site in (BERLIN, TOKYO):
        for _ in range(4):
            start = now - timedelta(days=dice.random() * 10)
            window = Window(start, start + timedelta(days=dice.random() * 8, microseconds=1))
            if dice.random() < 0.5:
                window = Window(*(at.replace(hour=0, minute=0, second=0, microsecond=0) for at in (start, now + DAY)))
            assert told(store, site, window) == reckoned(store, site, window)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_written_dropped_and_kept(store: Store, clock: ManualClock, seed: int) -> None:
    dice, used = random.Random(seed), 0
    for step in range(60):
        now, what = clock.now(), dice.random()
        if what < 0.55:  # some are new, of today or of a day that is kept; others are other than they were
            names = [dice.randrange(60) for _ in range(dice.randrange(1, 6))]
            store.record(f"b{step}", [some_episode(dice, name, now) for name in names])
        elif what < 0.85:
            store.keep_episodes(now)
            used += count(store, "episode_days")
        elif what < 0.9:
            store.housekeeping(retention=timedelta(days=dice.choice((5, 8))), held=frozenset({TOKYO}))
        elif what < 0.95:
            old = now - timedelta(days=6 * dice.random() + 3)
            store.drop_of(TOKYO, Until(events=MIDNIGHT - 20 * DAY, episodes=old, identities=MIDNIGHT, proofs=old))
        else:
            clock.advance(timedelta(hours=dice.randrange(30)))
        agrees(store, dice, now)
    assert used > 50


def test_days_that_are_kept_are_read_and_not_reckoned(store: Store, clock: ManualClock) -> None:
    whole = Window(MIDNIGHT - 3 * DAY, MIDNIGHT)
    store.record("b1", [an_episode(f"e{n}", NOON - 2 * DAY) for n in range(7)])
    store.keep_episodes(clock.now())
    assert behind(store, "SELECT episodes, sightings, untold FROM episode_days") == [(7, 21, 0)]
    behind(store, "UPDATE episode_days SET episodes = 70")
    assert told(store, BERLIN, whole)[1] == {"use": 70}
    store.record("b2", [an_episode("late", NOON - 2 * DAY)])  # takes them back
    assert told(store, BERLIN, whole)[1] == {"use": 8}


def test_what_comes_today_leaves_the_days_before_alone(store: Store, clock: ManualClock) -> None:
    store.record("b1", [an_episode("e1", NOON - 2 * DAY), an_episode("e2", NOON - DAY)])
    store.keep_episodes(clock.now())
    before = behind(store, "SELECT * FROM episode_days ORDER BY start")
    store.record("b2", [an_episode("e3", clock.now())])
    assert len(before) == 2
    assert behind(store, "SELECT * FROM episode_days ORDER BY start") == before
    store.keep_episodes(clock.now())
    assert behind(store, "SELECT * FROM episode_days ORDER BY start") == before


def test_sums_that_are_made_anew_are_made_by_the_next_housekeeping(store: Store, clock: ManualClock) -> None:
    store.record("b1", [an_episode("e1", NOON - 2 * DAY)])
    store.keep_episodes(clock.now())
    behind(store, "UPDATE episode_days SET episodes = 5")
    store.rebuild_sums()
    assert told(store, BERLIN, Window(MIDNIGHT - 3 * DAY, MIDNIGHT))[1] == {"use": 1}
    store.keep_episodes(clock.now())
    assert behind(store, "SELECT episodes FROM episode_days") == [(1,)]


def test_an_older_store_gets_them(store: Store, clock: ManualClock) -> None:
    store.record("b1", [an_episode("e1", NOON - 2 * DAY)])
    for table in ("episode_days", "episode_kept"):
        behind(store, f"DROP TABLE {table}")
    migrate_once(store, "v0023_episode_days")
    assert told(store, BERLIN, Window(MIDNIGHT - 3 * DAY, MIDNIGHT))[1] == {"use": 1}
    store.keep_episodes(clock.now())
    assert count(store, "episode_days") == 1
