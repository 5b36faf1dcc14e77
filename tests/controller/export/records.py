"""Events and episodes to export: plain ones, and some whose texts were chosen by somebody who means harm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from controller.evidence.model import Channel, Episode, EpisodeAction, EpisodeKind, Ground
from controller.export.record import Origin, Record, of_episode, of_event
from controller.model import DetectionEvent, EntryHit, EventAction, Quality, SourceSeen, Window
from controller.privacy_desk import PrivacyDesk
from controller.store import Store
from core.clock import Clock
from core.ids import DeviceName, EventId, ExceptionId, SiteName, SnapshotId
from tests.controller.offices import YAML, offices
from vendors.model import RuleName

ORIGIN = Origin(host="control.example.net", version="1.2.3")
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
AT = NOON + timedelta(minutes=5, seconds=1, microseconds=250_000)
HOSTILE = (
    "a\nb\rc",
    "x|y",
    "k=v",
    "back\\slash",
    'quo"te]',
    "caret^up",
    "nul\0esc\x1b[31m",
    "bidi\u202eevil\u2066",
    "line\u2028sep",
    "=cmd|' /C calc'!A0",
    "<!channel> <https://evil.example|login>",
    "[login](https://evil.example) **b** @all",
    "CEF:0|other|other|1|1|1|10|",
    '] [evil@1 a="b"',
    "^src=1.2.3.4",
    "lone\ud800",
    "long" * 2_000,
    "長" * 2_000,
)
"""What somebody may call a host, a user or a rule."""


def privacy(store: Store, clock: Clock, *, said: str = "{}") -> PrivacyDesk:
    """By an inventory that says this of people."""
    return PrivacyDesk(store=store, inventory=offices(store._data_dir, f"{YAML}privacy: {said}\n"), clock=clock)


def seen(source: str, destination: str, packets: int = 5) -> SourceSeen:
    return SourceSeen(
        source=ip_address(source), destination=ip_address(destination), packets=packets, octets=600, last_seen=NOON
    )


def event(**changes: object) -> DetectionEvent:
    said: dict[str, object] = {
        "id": EventId("01m8aqh8pkjaeyz2zdfgbx8bc2"),
        "site": SiteName("berlin"),
        "device": DeviceName("fw-berlin"),
        "rule": RuleName("deny-company"),
        "role": "company",
        "exception": None,
        "action": EventAction.BLOCKED,
        "window": Window(NOON, NOON + timedelta(minutes=5)),
        "hits": 12,
        "packets": 12,
        "octets": 720,
        "quality": Quality.EXACT,
        "snapshot": SnapshotId("5f" * 32),
        **changes,
    }
    return DetectionEvent(**said)  # type: ignore[arg-type]


def episode(**changes: object) -> Episode:
    said: dict[str, object] = {
        "id": EventId("01m8b0000000000000000000aa"),
        "kind": EpisodeKind.USE,
        "site": SiteName("berlin"),
        "window": Window(NOON, NOON + timedelta(minutes=3)),
        "action": EpisodeAction.BLOCKED,
        "confidence": 85,
        "grounds": (
            Ground(trait="tls-sni", text="TLS to www.tiktok.com", weight=60, channel=Channel.TLS),
            Ground(trait="dns-name", text="asked for www.tiktok.com", weight=25, channel=Channel.DNS),
        ),
        "device": DeviceName("fw-berlin"),
        "source": ip_address("10.20.0.5"),
        "host": "laptop-7",
        "user": "EXAMPLE\\ann",
        "role": "company",
        "indicator": "tiktok.com",
        "app": "tiktok",
        "surface": "full",
        "channels": (Channel.TLS, Channel.DNS),
        "sensors": ("zeek-1", "dns-1"),
        "destinations": ("www.tiktok.com", "103.136.220.10"),
        "count": 7,
        "packets": 40,
        "octets": 5_000,
        **changes,
    }
    return Episode(**said)  # type: ignore[arg-type]


def plain_records() -> list[Record]:
    """One of each shape."""
    several = tuple(seen(f"10.20.0.{n}", "103.136.220.10", 20 - n) for n in range(1, 4))
    entries = (EntryHit(entry="103.136.220.0/24", packets=50, octets=None),)
    events = [
        event(),
        event(sources=(seen("2001:db8:20::5", "2001:db8:f::1"),), entries=entries, quality=Quality.AT_LEAST),
        event(sources=several, entries=entries, action=EventAction.MONITORED, hits=None, octets=None),
        event(role=None, exception=ExceptionId("01m8aqh8pkjaeyz2zdfgbx8bc3"), action=EventAction.ALLOWED, hits=0),
    ]
    leak = episode(kind=EpisodeKind.LEAK, action=EpisodeAction.NOT_ENFORCED, surface="", user="", confidence=100)
    bare = episode(
        kind=EpisodeKind.DORMANT,
        action=EpisodeAction.UNKNOWN,
        confidence=30,
        grounds=(),
        device=None,
        source=None,
        user="",
        role=None,
        indicator="",
        surface="",
        channels=(),
        sensors=(),
        destinations=(),
        count=None,
        packets=None,
        octets=None,
    )
    records = [of_event(one, seq=number, at=AT) for number, one in enumerate(events, start=1)]
    return records + [of_episode(one, seq=number, at=AT) for number, one in enumerate((episode(), leak, bare), start=5)]


def hostile_records() -> list[Record]:
    """Each text everywhere where a device, a sensor or a person could have put it."""
    return [
        of_episode(
            episode(
                device=text,
                host=text,
                user=text,
                role=text,
                indicator=text,
                app=text,
                surface=text,
                grounds=tuple(
                    Ground(trait="rule:x", text=text, weight=weight, channel=Channel.DNS) for weight in range(10)
                ),
                sensors=(text,) * 30,
                destinations=(text,) * 30,
            ),
            seq=number,
            at=AT,
        )
        for number, text in enumerate(HOSTILE, start=1)
    ] + [of_event(event(rule=text, device=text, role=text), seq=1, at=AT) for text in HOSTILE]
