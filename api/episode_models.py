"""What evidence came to, over the wire."""

from __future__ import annotations

from pydantic import ConfigDict, Field

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

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "01m8997dkvcf8713fp40msp91v",
                    "kind": "use",
                    "site": "berlin",
                    "start": "2026-11-25T11:00:00Z",
                    "end": "2026-11-25T11:00:02Z",
                    "action": "blocked",
                    "confidence": 85,
                    "grounds": [
                        {"trait": "name-app-api", "text": "a sign of the app", "weight": 60, "channel": "dns"},
                        {"trait": "name-grammar", "text": "supports a sign", "weight": 15, "channel": "dns"},
                        {"trait": "rule:channels", "text": "seen in another way", "weight": 5, "channel": "firewall"},
                        {"trait": "rule:channels", "text": "seen in another way", "weight": 5, "channel": "tls"},
                    ],
                    "device": "fw-berlin",
                    "source": "10.20.3.41",
                    "host": "phone-1",
                    "user": "",
                    "role": "company",
                    "indicator": "api16-core-useast5.tiktokv.us",
                    "app": "tiktok",
                    "surface": "",
                    "exception": None,
                    "channels": ["dns", "firewall", "tls"],
                    "sensors": ["fw-berlin", "zeek-1"],
                    "destinations": ["api16-core-useast5.tiktokv.us"],
                    "count": 3,
                    "packets": None,
                    "bytes": None,
                    "events": [],
                }
            ]
        }
    )
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
