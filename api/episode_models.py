"""What evidence came to, over the wire."""

from __future__ import annotations

from pydantic import Field

from api.models import Answer, Instant
from controller.evidence import model
from controller.evidence.model import Channel, EpisodeAction, EpisodeKind


class Ground(Answer):
    """One reason to believe it, and what it adds to the confidence; below zero, it takes away."""

    trait: str = Field(description="of the shipped table, or `rule:…`")
    text: str
    weight: int
    channel: Channel


class Episode(Answer):
    """One thing that happened at one site. ``confidence`` is the sum of the grounds, kept in 0 to 100."""

    id: str
    kind: EpisodeKind
    site: str
    start: Instant
    end: Instant
    action: EpisodeAction
    confidence: int = Field(ge=0, le=100)
    grounds: tuple[Ground, ...]
    device: str | None
    source: str | None
    host: str
    user: str
    role: str | None
    indicator: str = Field(description="the busiest name or network of it")
    app: str
    surface: str
    exception: str | None
    channels: tuple[Channel, ...]
    sensors: tuple[str, ...]
    destinations: tuple[str, ...] = Field(description="names and addresses, the busiest first")
    count: int | None = Field(description="records that say so, or hits of a counter; null: not counted")
    packets: int | None
    bytes: int | None
    events: tuple[str, ...] = Field(description="events of counters that are part of it")

    @classmethod
    def of(cls, episode: model.Episode) -> Episode:
        return cls(
            id=episode.id,
            kind=episode.kind,
            site=episode.site,
            start=episode.window.start,
            end=episode.window.end,
            action=episode.action,
            confidence=episode.confidence,
            grounds=tuple(
                Ground(trait=g.trait, text=g.text, weight=g.weight, channel=g.channel) for g in episode.grounds
            ),
            device=episode.device,
            source=None if episode.source is None else str(episode.source),
            host=episode.host,
            user=episode.user,
            role=episode.role,
            indicator=episode.indicator,
            app=episode.app,
            surface=episode.surface,
            exception=episode.exception,
            channels=episode.channels,
            sensors=episode.sensors,
            destinations=episode.destinations,
            count=episode.count,
            packets=episode.packets,
            bytes=episode.octets,
            events=episode.events,
        )
