"""Episodes in the store: each batch once, each change in the journal, told to webhooks in the same transaction."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from zoneinfo import ZoneInfo

import pytest

from controller.errors import Invalid, NotFound, StoreError
from controller.evidence.model import Channel, Episode, EpisodeAction, EpisodeKind, Ground
from controller.model import Window
from controller.reconciling import told_of
from controller.store import EpisodeQuery, HoursOfWeek, KeptEpisode, Past, Store
from controller.store.journal import Kind
from core.clock import ManualClock
from core.ids import DeviceName, EventId, ExceptionId, SiteName
from tests.controller.backends import again, count, refusing
from tests.controller.conftest import NOON

MINUTE = timedelta(minutes=1)
BERLIN, TOKYO = SiteName("berlin"), SiteName("tokyo")


def an_episode(name: str = "e1", at: datetime = NOON, **fields: object) -> Episode:
    made = Episode(
        id=EventId(name),
        kind=EpisodeKind.USE,
        site=BERLIN,
        window=Window(at, at + MINUTE),
        action=EpisodeAction.BLOCKED,
        confidence=85,
        grounds=(Ground(trait="name-app-api", text="a name of the app's API", weight=60, channel=Channel.TLS),),
        device=DeviceName("fw"),
        source=ip_address("10.20.3.41"),
        host="phone-1",
        role="company",
        indicator="api16-core-useast5.tiktokv.us",
        app="tiktok",
        channels=(Channel.FIREWALL, Channel.TLS),
        destinations=("api16-core-useast5.tiktokv.us",),
        count=3,
        octets=0,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def names(store: Store, query: EpisodeQuery) -> list[str]:
    return [episode.id for episode in store.episodes(query).items]


def test_a_batch_is_taken_once_and_comes_back_as_it_was(store: Store, clock: ManualClock) -> None:
    assert store.record("b1", [an_episode()]) == 1
    assert store.record("b1", [an_episode(), an_episode("e2")]) == 0, "taken already, whatever it holds"
    with again(store, clock) as other:
        assert other.record("b1", [an_episode("e3")]) == 0
        assert other.episodes(EpisodeQuery()).items == (an_episode(),)
        assert other.episode("e1") == an_episode()
    assert store.has_taken("b1")
    assert not store.has_taken("b2")
    with pytest.raises(NotFound, match="no episode 'nothing'"):
        store.episode("nothing")


def test_a_batch_that_cannot_be_kept_was_not_taken(store: Store) -> None:
    with refusing(store, "episodes"), pytest.raises(StoreError):
        store.record("b1", [an_episode()])
    assert not store.has_taken("b1")
    assert store.record("b1", [an_episode()]) == 1


def test_each_change_is_in_the_journal_and_what_is_the_same_is_no_change(store: Store) -> None:
    store.record("b1", [an_episode("late", NOON + MINUTE), an_episode("early")])
    first = store.journal(0, limit=10)
    assert [(entry.kind, entry.subject, entry.site) for entry in first.entries] == [
        (Kind.EPISODE, "early", BERLIN),
        (Kind.EPISODE, "late", BERLIN),
    ]
    assert store.record("b2", [an_episode("early"), an_episode("late", NOON + MINUTE, count=4)]) == 1
    assert [entry.subject for entry in store.journal(first.until, limit=10).entries] == ["late"]
    assert store.episode("late").count == 4
    assert count(store, "episodes") == 2


def test_episodes_that_come_many_at_once_are_kept_to_the_letter(store: Store) -> None:
    """A statement takes them all; text that means something in it means nothing."""
    texts = ['quo"te', "back\\slash", "{a,b}", "NULL", "com, ma", "tab\tline\n", "ümläut", "", "%s", "'", "\\"]
    made = [an_episode(f"e{n}", NOON + n * MINUTE, host=texts[n % len(texts)], user=texts[-n % 7]) for n in range(60)]
    made += [an_episode("bare", device=None, source=None, role=None, exception=None, packets=None, octets=None)]
    assert store.record("b1", made) == 61
    assert store.record("b2", made) == 0
    changed = [replace(one, count=9, exception=ExceptionId("e")) for one in made[::2]]
    assert store.record("b3", [*changed, an_episode("new")]) == 32
    wanted = {one.id: one for one in [*made, *changed, an_episode("new")]}
    assert {one.id: one for one in store.episodes(EpisodeQuery(limit=500)).items} == wanted
    for text in texts:
        mine = [one.id for one in wanted.values() if one.host == text]
        assert sorted(names(store, EpisodeQuery(host=text, limit=500))) == sorted(mine), "and found by it"
    assert [one.id for one in store.episodes(EpisodeQuery(exception="e", limit=500)).items] != []


def test_the_open_episodes_of_a_client_are_found_whatever_it_is_called(store: Store) -> None:
    clients = ['quo"te', "back\\slash", "{a,b}", "NULL", "com, ma", "%s", "'", "ümläut", "tab\t"]
    made = [KeptEpisode(episode=an_episode(f"e{n}"), client=one, threads="[]") for n, one in enumerate(clients)]
    found = list[KeptEpisode]()

    def keep(kept: Sequence[KeptEpisode], _: Past) -> Iterable[KeptEpisode]:
        found.extend(kept)
        return made

    window = Window(NOON, NOON + MINUTE)
    store.correlate("b1", clients=clients, window=window, fold=keep)
    assert found == []
    store.correlate("b2", clients=[*clients[1:], "other"], window=window, fold=keep)
    assert {one.client: one for one in found} == {one.client: one for one in made[1:]}


def test_evidence_joins_the_open_episodes_of_its_clients_alone(store: Store) -> None:
    seen: list[Sequence[KeptEpisode]] = []
    opened: list[int] = []

    def fold(kept: Sequence[KeptEpisode], past: Past) -> Iterable[KeptEpisode]:
        seen.append(kept)
        opened.append(past.open_at(BERLIN, Window(NOON, NOON + MINUTE)))
        return [
            KeptEpisode(episode=an_episode("mine"), client="berlin 10.20.3.41", threads="[]"),
            KeptEpisode(episode=an_episode("other"), client="berlin 10.20.3.42", threads="[]"),
            KeptEpisode(episode=an_episode("closed"), client="berlin 10.20.3.41"),
        ]

    mine = {"clients": ["berlin 10.20.3.41"], "window": Window(NOON, NOON + MINUTE), "fold": fold}
    assert store.correlate("b1", **mine)  # type: ignore[arg-type]
    assert store.correlate("b2", **mine)  # type: ignore[arg-type]
    assert not store.correlate("b2", **mine)  # type: ignore[arg-type]
    later = Window(NOON + 2 * MINUTE, NOON + 3 * MINUTE)
    assert store.correlate("b3", **(mine | {"window": later}))  # type: ignore[arg-type]
    assert [[kept.episode.id for kept in batch] for batch in seen] == [[], ["mine"], []]
    assert opened == [0, 2, 2]


def test_a_list_is_what_was_asked_for_page_by_page(store: Store) -> None:
    store.record(
        "b1",
        [
            an_episode("a", NOON),
            an_episode(
                "b",
                NOON + MINUTE,
                kind=EpisodeKind.LEAK,
                action=EpisodeAction.NOT_ENFORCED,
                surface="web",
                destinations=("www_1.example", "103.136.220.10"),
            ),
            an_episode("c", NOON + 2 * MINUTE, site=TOKYO, confidence=20, app="capcut", user="ann"),
        ],
    )
    assert names(store, EpisodeQuery()) == ["c", "b", "a"]
    assert names(store, EpisodeQuery(oldest_first=True)) == ["a", "b", "c"]
    for query, wanted in (
        (EpisodeQuery(site="tokyo"), ["c"]),
        (EpisodeQuery(sites=frozenset({BERLIN})), ["b", "a"]),
        (EpisodeQuery(kinds=frozenset({EpisodeKind.LEAK})), ["b"]),
        (EpisodeQuery(action=EpisodeAction.NOT_ENFORCED), ["b"]),
        (EpisodeQuery(confidence=50), ["b", "a"]),
        (EpisodeQuery(app="capcut"), ["c"]),
        (EpisodeQuery(source="10.20.3.41", until=NOON + MINUTE), ["a"]),
        (EpisodeQuery(since=NOON + 2 * MINUTE), ["c"]),
        (EpisodeQuery(user="ann"), ["c"]),
        (EpisodeQuery(text="PHONE"), ["c", "b", "a"]),
        (EpisodeQuery(surface="web"), ["b"]),
        (EpisodeQuery(surface=""), ["c", "a"]),
        (EpisodeQuery(destination="WWW_1.example"), ["b"]),
        (EpisodeQuery(destination="103.136.220.1"), []),
        (EpisodeQuery(destination="10.20.3.41"), []),
        (EpisodeQuery(destination='a"%'), []),
        (EpisodeQuery(destination="a\\"), []),
    ):
        assert names(store, query) == wanted, query
        assert store.episode_count(query, most=10) == len(wanted)
    first = store.episodes(EpisodeQuery(limit=2))
    assert names(store, EpisodeQuery(limit=2, cursor=first.next_cursor)) == ["a"]
    with pytest.raises(Invalid, match="cursor"):
        store.episodes(EpisodeQuery(cursor="nonsense"))
    inside = store.episodes_between(BERLIN, Window(NOON + MINUTE, NOON + 2 * MINUTE))
    assert [episode.id for episode in inside] == ["b"]


def test_old_episodes_go_and_batches_stay_known_for_a_month(store: Store, clock: ManualClock) -> None:
    store.record("b1", [an_episode()])
    clock.advance(timedelta(days=20))
    store.housekeeping(retention=timedelta(days=10))
    assert count(store, "episodes") == 0
    assert store.record("b1", [an_episode()]) == 0
    clock.advance(timedelta(days=12))
    store.housekeeping(retention=timedelta(days=10))
    assert not store.has_taken("b1")


@pytest.mark.parametrize(("weekday", "hour"), [(2, 14), (6, None), (None, 2), (6, 2), (0, 0)])
def test_i12_hours_of_the_week_are_asked_by_the_clock_of_the_site(
    store: Store, weekday: int | None, hour: int | None
) -> None:
    """Over both changes of the clock; whatever was there in such an hour, also when it lasted longer."""
    dice, zone = random.Random(7), ZoneInfo("Europe/Berlin")
    began = datetime(2026, 2, 1, tzinfo=UTC)
    made = []
    for number in range(400):
        start = began + timedelta(days=300) * dice.random()
        window = Window(start, start + dice.choice((1, 20, 30, 600)) * MINUTE)
        made.append(an_episode(f"e{number}", window=window))
    store.record("", made)
    hours = HoursOfWeek(zone=zone, window=Window(began, began + timedelta(days=301)), weekday=weekday, hour=hour)

    def is_there(window: Window) -> bool:
        moments = [window.start + step * MINUTE for step in range(int(window.seconds // 60))]
        local = [at.astimezone(zone) for at in (*moments, window.end - timedelta.resolution)]
        return any(weekday in (None, at.weekday()) and hour in (None, at.hour) for at in local)

    found = set(names(store, EpisodeQuery(hours=hours, limit=500)))
    changes = {
        e.id for e in made if len({at.astimezone(zone).utcoffset() for at in (e.window.start, e.window.end)}) > 1
    }
    assert found - changes == {e.id for e in made if is_there(e.window)} - changes
    assert found


def test_whom_episodes_tell_of_is_as_the_episodes_say(store: Store) -> None:
    kinds = (EpisodeKind.USE, EpisodeKind.INSTALLED, EpisodeKind.LEAK, EpisodeKind.SPIKE)
    made = [
        an_episode(f"e{number}", NOON + number * MINUTE, kind=kinds[number % 4], host=f"pc-{number % 3}",
                   source=None if number % 5 == 0 else ip_address(f"10.20.0.{number % 4}"), confidence=number % 7 * 10)
        for number in range(80)
    ]  # fmt: skip
    store.record("", made)
    window = Window(NOON + 10 * MINUTE, NOON + 60 * MINUTE)
    newest: dict[tuple[object, ...], datetime] = {}
    for one in told_of(store.episodes_between(BERLIN, window)):
        if one.kind is not EpisodeKind.SPIKE:
            newest[one[:4]] = max(one.last, newest.get(one[:4], one.last))
    assert {one[:4]: one.last for one in store.clients_told(BERLIN, window)} == newest
