"""What follows from an episode, or from many: leaks, first use, evasion, spikes and the like. Pure.

Each gives an episode of its own, with the reason as its ground; its id follows from what it is about, so that it is
found once however often it is looked for. What turned out otherwise later is taken back aloud.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from controller.evidence.correlating import AT_ONCE, LENGTH, RULES, Draft, derived_id, made_id, outcomes
from controller.evidence.judging import Outcome
from controller.evidence.model import Channel, Episode, EpisodeAction, EpisodeKind, Ground
from controller.evidence.spans import is_right_after
from controller.evidence.ways import Way
from controller.model import Window
from core.ids import EventId, ExceptionId, SiteName
from ipsets.traits import Shows, traits

HISTORY_LEAST: Final = 4
"""Weeks of the same hour that a baseline needs."""
HISTORY_MOST: Final = 8
SPIKE_LEAST: Final = 10
"""Fewer episodes in an hour are no spike anywhere."""
SPIKE_TIMES: Final = 4.0
"""Of the spread above the median."""
SPREAD: Final = 1.4826
"""The median of deviations, times this, is the standard deviation of what is normally distributed."""
DORMANT_AFTER: Final = timedelta(days=14)


# --- of one episode ---------------------------------------------------------------------------------------------------


def follows(
    draft: Draft,
    episode: Episode,
    *,
    had_leaked: bool,
    is_first: bool,
    hours_of: Mapping[ExceptionId, str],
    ways: Iterable[Way] = (),
    evaded: Episode | None = None,
) -> Iterator[Episode]:
    """Everything that follows from an episode as it is now.

    ``had_leaked`` and ``evaded``: as it was, to take back what is not so.
    """
    yield from leak(draft, episode, had_leaked=had_leaked)
    yield from evasion(draft, episode, ways, evaded=evaded)
    if episode.kind is EpisodeKind.USE:
        if is_first:
            yield first_use(episode)
        yield from outside(draft, episode, hours_of)


def leak(draft: Draft, episode: Episode, *, had_leaked: bool) -> Iterator[Episode]:
    """Use that passed where the site enforces. Taken back when a firewall turns out to have cut it after all."""
    leaked = outcomes(draft)[Outcome.LEAKED] if draft.may_leak else 0
    if not leaked and not had_leaked:
        return
    name = derived_id(episode.id, EpisodeKind.LEAK)
    if leaked and episode.kind is EpisodeKind.USE:
        text = f"{leaked} of it passed while the policy of {episode.site} enforces for {episode.role or 'everybody'}"
        yield _following(episode, name, EpisodeKind.LEAK, "rule:leak", text, count=leaked)
    elif not leaked:
        taken = replace(episode, id=name, kind=EpisodeKind.LEAK)
        yield _back(taken, "a firewall blocked what seemed to have passed", episode.grounds[0].channel)


def first_use(episode: Episode) -> Episode:
    """Nothing of the app was seen at the site before, as far back as episodes are kept."""
    name = derived_id(episode.id, EpisodeKind.FIRST_USE)
    text = f"nobody at {episode.site} was seen using {episode.app} before, as far back as episodes are kept"
    return _following(episode, name, EpisodeKind.FIRST_USE, "rule:first-use", text)


def outside(draft: Draft, episode: Episode, hours_of: Mapping[ExceptionId, str]) -> Iterator[Episode]:
    """Somebody with an exception used it at a time for which it was not given."""
    for exception in map(ExceptionId, sorted(draft.outside)):
        name = derived_id(episode.id, EpisodeKind.OUTSIDE_HOURS, exception)
        text = f"exception {exception} is for this client, but not at that time{hours_of.get(exception, '')}"
        found = _following(episode, name, EpisodeKind.OUTSIDE_HOURS, "rule:outside-hours", text)
        yield replace(found, exception=exception)


def evasion(draft: Draft, episode: Episode, ways: Iterable[Way], *, evaded: Episode | None) -> Iterator[Episode]:
    """Blocked, and at once a way round it: of the same client, which was not seen going that way before the block.

    Only when a way *began* counts: one that was there just before the block is a habit, whichever record comes first.
    ``evaded``: as it was told; taken back when an earlier beginning comes in late. Its window is from the block to the
    beginning of the last way, its count that of the ways.
    """
    known = list(ways)
    near = [way for way in known if is_right_after(draft.blocked, way.first.at, AT_ONCE)]
    if not near:
        yield from _taken_back(episode, known, evaded)
        return
    first, last = near[0].first, near[-1].first
    start = max(start for start, _ in draft.blocked if start < first.at)
    blocked, name = _blocked(episode), derived_id(episode.id, EpisodeKind.EVASION)
    text = f"{first.thread} {int((first.at - start).total_seconds())} s after it was blocked, and not before"
    tunnel = Ground(trait="rule:evasion", text=text, weight=_weight(near), channel=first.channel)
    yield replace(
        episode,
        id=name,
        kind=EpisodeKind.EVASION,
        window=Window(start, last.at),
        confidence=min(100, blocked.weight + tunnel.weight),
        grounds=(blocked, tunnel),
        destinations=tuple(sorted({way.first.thread for way in near})),
        indicator=first.thread,
        count=len(near),
    )


def _taken_back(episode: Episode, known: Iterable[Way], evaded: Episode | None) -> Iterator[Episode]:
    """Of what was told only what is known to have begun earlier: a process that starts anew knows no beginnings."""
    began = {way.first.thread: way.first.at for way in known}
    if evaded is None or not evaded.confidence:
        return
    if all(way in began and began[way] < evaded.window.end for way in evaded.destinations):
        yield _back(evaded, "it was going that way before it was blocked", evaded.grounds[0].channel)


def _back(told: Episode, why: str, channel: Channel) -> Episode:
    """It takes away all that the reasons add up to, which may be more than 100."""
    weight = -max(100, sum(ground.weight for ground in told.grounds))
    ground = Ground(trait="rule:taken-back", text=f"taken back: {why}", weight=weight, channel=channel)
    return replace(told, confidence=0, grounds=(ground, *told.grounds))


def _blocked(episode: Episode) -> Ground:
    """A question that was refused may have been a page's, asking ahead."""
    asked = episode.kind is not EpisodeKind.USE
    text = "a question to the DNS was refused before" if asked else "blocked before"
    channel = episode.grounds[0].channel
    return Ground(trait="rule:blocked", text=text, weight=15 if asked else 30, channel=channel)


def _weight(near: Iterable[Way]) -> int:
    """Of the surest of them; less where a tunnel was only asked for."""
    found = [0]
    for way in near:
        known = [traits()[mark] for mark in way.first.marks if mark in traits()]
        weight = max((trait.weight for trait in known if trait.shows is Shows.TUNNEL), default=0)
        found.append(max(0, weight + RULES["rule:question"][0]) if way.channels == {Channel.DNS} else weight)
    return max(found)


def _following(
    episode: Episode,
    name: EventId,
    kind: EpisodeKind,
    trait: str,
    text: str,
    *,
    count: int | None = None,
) -> Episode:
    ground = Ground(trait=trait, text=text, weight=0, channel=episode.grounds[0].channel)
    found = replace(episode, id=name, kind=kind, grounds=(ground, *episode.grounds))
    return found if count is None else replace(found, count=count)


# --- of many ----------------------------------------------------------------------------------------------------------


def same_hours(hour: datetime, zone: ZoneInfo) -> list[datetime]:
    """The same hour of earlier weeks by the clock on the wall there: work begins at eight in summer and in winter."""
    local = hour.astimezone(zone)
    return [(local - timedelta(weeks=week)).astimezone(UTC) for week in range(1, HISTORY_MOST + 1)]


def spike(site: SiteName, hour: datetime, count: int, weeks: Sequence[int]) -> Episode | None:
    """More use in this hour than the same hour of earlier weeks lets expect. ``weeks``: their counts, 0 too.

    The expectation is the median, its spread the median of the deviations: one bad week neither hides a spike nor makes
    one. None: as usual, or too little is known.
    """
    known = list(weeks)[:HISTORY_MOST]
    if len(known) < HISTORY_LEAST or count < SPIKE_LEAST:
        return None
    usual = median(known)
    spread = max(1.0, SPREAD * median(abs(week - usual) for week in known))
    above = (count - usual) / spread
    if above < SPIKE_TIMES:
        return None
    text = f"{count} episodes of use in an hour that has {usual:g} in the median of {len(known)} weeks"
    weight = min(100, 50 + int(5 * (above - SPIKE_TIMES)))
    return Episode(
        id=made_id(hour, site, EpisodeKind.SPIKE),
        kind=EpisodeKind.SPIKE,
        site=site,
        window=Window(hour, hour + timedelta(hours=1)),
        action=EpisodeAction.UNKNOWN,
        confidence=weight,
        grounds=(Ground(trait="rule:spike", text=text, weight=weight, channel=Channel.FLOW),),
        count=count,
    )


def dormant(installed: Episode, *, now: datetime) -> Episode:
    """Installed for a while, and its use was never seen: unused, or used where nothing looks. Both are worth asking."""
    days = (now - installed.window.start).days
    ground = Ground(
        trait="rule:dormant",
        text=f"installed for {days // 7 * 7} days or longer, and no use was seen",
        weight=0,
        channel=Channel.ENDPOINT,
    )
    return replace(
        installed,
        id=derived_id(installed.id, EpisodeKind.DORMANT),
        kind=EpisodeKind.DORMANT,
        grounds=(ground, *installed.grounds),
    )


def following(draft: Draft) -> list[EventId]:
    """Ids of what may have been told because a draft was use."""
    plain = (EpisodeKind.LEAK, EpisodeKind.FIRST_USE)
    outside = (derived_id(draft.id, EpisodeKind.OUTSIDE_HOURS, one) for one in sorted(draft.outside))
    return [*(derived_id(draft.id, kind) for kind in plain), *outside]


def no_use(told: Episode) -> Episode:
    """What followed from use that turned out to be none."""
    return _back(told, "what was seen later shows that it was no use", told.grounds[0].channel)


def awake(dormant: Episode, *, used_at: datetime) -> Episode:
    """What was told to lie dormant was seen used after all."""
    return _back(dormant, f"use of it was seen on {used_at:%Y-%m-%d} (UTC)", Channel.ENDPOINT)


__all__ = [
    "AT_ONCE",
    "DORMANT_AFTER",
    "HISTORY_LEAST",
    "LENGTH",
    "SPIKE_LEAST",
    "awake",
    "dormant",
    "evasion",
    "first_use",
    "following",
    "follows",
    "leak",
    "no_use",
    "outside",
    "same_hours",
    "spike",
]
