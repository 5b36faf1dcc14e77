"""What follows from an episode, or from many: leaks, first use, evasion, spikes and the like. Pure.

Each gives an episode of its own, with the reason as its ground; its id follows from what it is about, so that it is
found once however often it is looked for. What turned out otherwise later is taken back aloud.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from controller.evidence.correlating import LENGTH, Draft, derived_id, made_id, outcomes
from controller.evidence.judging import Outcome, Sign
from controller.evidence.model import Channel, Episode, EpisodeAction, EpisodeKind, Ground
from controller.model import Window
from core.ids import EventId, ExceptionId, SiteName
from ipsets.traits import Shows, traits

AT_ONCE: Final = timedelta(minutes=2)
"""So soon after a block, a way round it is taken for one."""
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
    tunnels: Iterable[Sign],
) -> Iterator[Episode]:
    """Everything that follows from an episode as it is now; ``had_leaked``: as it was, to take back what is not so."""
    yield from leak(draft, episode, had_leaked=had_leaked)
    if episode.kind is EpisodeKind.USE:
        if is_first:
            yield first_use(episode)
        yield from outside(draft, episode, hours_of)
        yield from evasion(draft, episode, tunnels)


def leak(draft: Draft, episode: Episode, *, had_leaked: bool) -> Iterator[Episode]:
    """Use that passed where the site enforces. Taken back when a firewall turns out to have cut it after all."""
    leaked = outcomes(draft)[Outcome.LEAKED] if draft.may_leak else 0
    name = derived_id(episode.id, EpisodeKind.LEAK)
    if leaked and episode.kind is EpisodeKind.USE:
        text = f"{leaked} of it passed while the policy of {episode.site} enforces for {episode.role or 'everybody'}"
        yield _following(episode, name, EpisodeKind.LEAK, "rule:leak", text, count=leaked)
    elif not leaked and had_leaked:
        text = "taken back: a firewall blocked what seemed to have passed"
        taken = _following(episode, name, EpisodeKind.LEAK, "rule:taken-back", text, weight=-100)
        yield replace(taken, confidence=0)


def first_use(episode: Episode) -> Episode:
    """Nothing of the app was seen at the site before, as far back as episodes are kept."""
    name = derived_id(episode.id, EpisodeKind.FIRST_USE)
    text = f"nobody at {episode.site} was seen using {episode.app} before"
    return _following(episode, name, EpisodeKind.FIRST_USE, "rule:first-use", text)


def outside(draft: Draft, episode: Episode, hours_of: Mapping[ExceptionId, str]) -> Iterator[Episode]:
    """Somebody with an exception used it at a time for which it was not given."""
    for exception in map(ExceptionId, sorted(draft.outside)):
        name = derived_id(episode.id, EpisodeKind.OUTSIDE_HOURS, exception)
        text = f"exception {exception} covers this client, and not then{hours_of.get(exception, '')}"
        found = _following(episode, name, EpisodeKind.OUTSIDE_HOURS, "rule:outside-hours", text)
        yield replace(found, exception=exception)


def evasion(draft: Draft, episode: Episode, tunnels: Iterable[Sign]) -> Iterator[Episode]:
    """Blocked, and at once a way round it: of the same client, which was not seen going that way before."""
    near = [s for s in tunnels if s.client == draft.client and draft.start <= s.at <= draft.end + AT_ONCE]
    if not near or not outcomes(draft)[Outcome.BLOCKED]:
        return
    first = min(near, key=lambda sign: (sign.at, sign.thread))
    known = [traits()[mark] for sign in near for mark in sign.marks if mark in traits()]
    weight = max((trait.weight for trait in known if trait.shows is Shows.TUNNEL), default=0)
    after = max(timedelta(), first.at - draft.start)
    text = f"{first.thread} {int(after.total_seconds())} s after it was first blocked"
    blocked = Ground(trait="rule:blocked", text="blocked before", weight=30, channel=episode.grounds[0].channel)
    tunnel = Ground(trait="rule:evasion", text=text, weight=weight, channel=first.channel)
    names = tuple(sorted({sign.thread for sign in near}))
    yield replace(
        episode,
        id=derived_id(episode.id, EpisodeKind.EVASION),
        kind=EpisodeKind.EVASION,
        window=Window(draft.start, max(draft.end, *(sign.at for sign in near))),
        confidence=min(100, 30 + weight),
        grounds=(blocked, tunnel),
        destinations=names,
        indicator=first.thread,
        count=sum(sign.count for sign in near),
    )


def _following(
    episode: Episode,
    name: EventId,
    kind: EpisodeKind,
    trait: str,
    text: str,
    *,
    weight: int = 0,
    count: int | None = None,
) -> Episode:
    ground = Ground(trait=trait, text=text, weight=weight, channel=episode.grounds[0].channel)
    found = replace(episode, id=name, kind=kind, grounds=(ground, *episode.grounds))
    return found if count is None else replace(found, count=count)


# --- of many ----------------------------------------------------------------------------------------------------------


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


__all__ = [
    "AT_ONCE",
    "DORMANT_AFTER",
    "HISTORY_LEAST",
    "LENGTH",
    "SPIKE_LEAST",
    "dormant",
    "evasion",
    "first_use",
    "follows",
    "leak",
    "outside",
    "spike",
]
