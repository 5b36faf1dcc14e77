"""Events of counters in the shape of all evidence: who is known by address as a sighting, the rest as hits. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from controller.evidence.correlating import derived_id
from controller.evidence.model import Channel, Episode, EpisodeAction, EpisodeKind, Ground, Sighting, Verdict
from controller.model import DetectionEvent, EventAction, Quality

_ACTIONS: Final = {
    EventAction.BLOCKED: EpisodeAction.BLOCKED,
    EventAction.MONITORED: EpisodeAction.MONITORED,
    EventAction.ALLOWED: EpisodeAction.EXCEPTED,
}


def sightings_of(event: DetectionEvent) -> Iterator[Sighting]:
    """What it says of clients, as far as the firewall names them. They join what others saw of them."""
    verdict = Verdict.BLOCKED if event.action is EventAction.BLOCKED else Verdict.ALLOWED
    for seen in event.sources:
        yield Sighting(
            channel=Channel.COUNTER,
            at=seen.last_seen,
            sensor=event.device,
            source=seen.source,
            destination=seen.destination,
            verdict=verdict,
            rule=event.rule,
            packets=seen.packets,
            octets=seen.octets,
        )


def hits_of(event: DetectionEvent, *, app: str) -> Episode | None:
    """That a counter moved, where nobody says whose it was; None: its clients are known, all of them, or it stood."""
    if (event.sources and not event.sources_truncated) or not (event.hits or event.packets):
        return None
    at_least = " at least" if event.quality is Quality.AT_LEAST else ""
    rest = ", and more clients than it names" if event.sources else ""
    text = f"the rule {event.rule} of {event.device} was hit{at_least} {event.hits or event.packets} times{rest}"
    return Episode(
        id=derived_id(event.id, EpisodeKind.HITS),
        kind=EpisodeKind.HITS,
        site=event.site,
        window=event.window,
        action=_ACTIONS[event.action],
        confidence=50,
        grounds=(Ground(trait="rule:counter", text=text, weight=50, channel=Channel.COUNTER),),
        device=event.device,
        role=event.role,
        indicator=event.entries[0].entry if event.entries else "",
        app=app,
        exception=event.exception,
        channels=(Channel.COUNTER,),
        sensors=(event.device,),
        destinations=tuple(entry.entry for entry in event.entries),
        count=event.hits,
        packets=event.packets,
        octets=event.octets,
        events=(event.id,),
    )


__all__ = ["hits_of", "sightings_of"]
