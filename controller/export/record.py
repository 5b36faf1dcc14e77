"""What every form says: an event or an episode in plain words, cleaned and bounded. Pure.

Sensors, devices and people chose parts of the text, so nothing of it may mean something to whoever reads the form:
what cannot be printed, and what turns the direction of the text beside it, is replaced here, and each form escapes
what is special to it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from importlib.metadata import version
from ipaddress import ip_address
from typing import Final

from controller.evidence.model import Episode, EpisodeAction, EpisodeKind, Ground
from controller.model import DetectionEvent, EventAction, Quality
from core.net import Address

MOST_TEXT: Final = 128
"""Bytes of one text in UTF-8: whole messages stay below the 8 KiB that every receiver of syslog should take."""
MOST_LISTED: Final = 12
"""Of sources, destinations and the like; the busiest come first."""
MOST_GROUNDS: Final = 6


class Severity(IntEnum):
    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who sends it: this machine's name and our version."""

    host: str
    version: str


def here() -> Origin:
    """This machine, and what is installed on it."""
    return Origin(host=socket.gethostname(), version=version("tokgate"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One event or episode. The empty text and ``None`` are unknown; ``0`` is counted, none.

    ``id`` is the same however often it is sent. ``seq`` is its place in the journal, ``at`` when it was recorded there.
    A counter cannot tell whose hits it counted: ``source`` is set when there is one alone.
    """

    id: str
    seq: int
    at: datetime
    type: str  # "event" or "episode"
    kind: EpisodeKind  # of an event ``HITS``
    action: EpisodeAction
    severity: Severity
    start: datetime
    end: datetime
    site: str
    device: str = ""
    rule: str = ""
    source: Address | None = None
    host: str = ""
    user: str = ""
    role: str = ""
    indicator: str = ""
    app: str = ""
    surface: str = ""
    exception: str = ""
    snapshot: str = ""
    confidence: int | None = None  # 0–100
    grounds: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    sensors: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()  # of an event, when there are several
    destinations: tuple[str, ...] = ()  # addresses and names
    count: int | None = None
    packets: int | None = None
    octets: int | None = None
    at_least: bool = False  # a counter was reset inside the window
    is_cut: bool = False  # there were more sources, destinations, grounds or sensors

    @property
    def title(self) -> str:
        """A few words, from fixed ones and the site's name."""
        return f"{_TITLES[self.kind]} at {self.site}"

    @property
    def said(self) -> str:
        """One line for people."""
        who = self.user or self.host or (str(self.source) if self.source else "") or _few(self.sources) or self.role
        where = " ".join(part for part in (self.app, self.surface) if part) or self.indicator or _few(self.destinations)
        if self.kind in _FOUND:
            machine = self.host or (str(self.source) if self.source else "")
            parts = [where, f"on {machine}" if machine else "", f"of {self.user}" if self.user else ""]
        elif self.kind is EpisodeKind.EVASION:
            parts = [f"from {who}" if who else "", f"to {self.indicator}", f"after {where} was blocked"]
        else:
            parts = [
                " ".join(part for part in (self._counted, _DONE[self.action]) if part),
                f"by {self.device}" if self.device else "",
                f"from {who}" if who else "",
                f"to {where}" if where else "",
            ]
        return f"{self.title}: " + ", ".join(part for part in parts if part)

    @property
    def _counted(self) -> str:
        if self.count is None:
            return ""
        if self.kind is EpisodeKind.HITS:
            said = "1 hit" if self.count == 1 else f"{self.count} hits"
        else:
            said = "once" if self.count == 1 else f"{self.count} times"
        return f"at least {said}" if self.at_least else said

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Of ``destinations``."""
        return tuple(found for text in self.destinations if (found := address_of(text)) is not None)

    @property
    def names(self) -> tuple[str, ...]:
        """Of ``destinations``."""
        return tuple(text for text in self.destinations if address_of(text) is None)


_TITLES: Final = {
    EpisodeKind.USE: "Use",
    EpisodeKind.CONTACT: "Contact without use",
    EpisodeKind.HITS: "Hits",
    EpisodeKind.INSTALLED: "App installed",
    EpisodeKind.FIRST_USE: "First use",
    EpisodeKind.SPIKE: "Spike of use",
    EpisodeKind.EVASION: "Evasion",
    EpisodeKind.DORMANT: "App installed and not seen",
    EpisodeKind.LEAK: "Leak",
    EpisodeKind.OUTSIDE_HOURS: "Exception used outside its hours",
}
_DONE: Final = {
    EpisodeAction.BLOCKED: "blocked",
    EpisodeAction.MONITORED: "monitored",
    EpisodeAction.EXCEPTED: "allowed by an exception",
    EpisodeAction.NOT_ENFORCED: "not enforced",
    EpisodeAction.UNKNOWN: "",
}
_FOUND: Final = frozenset({EpisodeKind.INSTALLED, EpisodeKind.DORMANT})
"""What is about a machine, and says nothing of traffic."""
_ALWAYS: Final = {
    EpisodeKind.CONTACT: Severity.INFORMATIONAL,
    EpisodeKind.DORMANT: Severity.INFORMATIONAL,
    EpisodeKind.INSTALLED: Severity.LOW,
    EpisodeKind.FIRST_USE: Severity.MEDIUM,
    EpisodeKind.SPIKE: Severity.MEDIUM,
    EpisodeKind.OUTSIDE_HOURS: Severity.MEDIUM,
    EpisodeKind.EVASION: Severity.HIGH,
    EpisodeKind.LEAK: Severity.HIGH,
}
_BY_ACTION: Final = {
    EpisodeAction.EXCEPTED: Severity.INFORMATIONAL,
    EpisodeAction.MONITORED: Severity.INFORMATIONAL,
    EpisodeAction.BLOCKED: Severity.LOW,
    EpisodeAction.UNKNOWN: Severity.LOW,
    EpisodeAction.NOT_ENFORCED: Severity.MEDIUM,
}
ACTIONS: Final = {
    EventAction.BLOCKED: EpisodeAction.BLOCKED,
    EventAction.MONITORED: EpisodeAction.MONITORED,
    EventAction.ALLOWED: EpisodeAction.EXCEPTED,
}


def of_event(event: DetectionEvent, *, seq: int, at: datetime) -> Record:
    """What a counter proved."""
    sources = tuple(dict.fromkeys(seen.client for seen in event.sources))
    destinations = tuple(dict.fromkeys(str(seen.destination) for seen in event.sources))
    alone = len(sources) == 1 and not event.sources_truncated
    action = ACTIONS[event.action]
    return Record(
        id=event.id,
        seq=seq,
        at=at,
        type="event",
        kind=EpisodeKind.HITS,
        action=action,
        severity=_BY_ACTION[action],
        start=event.window.start,
        end=event.window.end,
        site=clean(event.site),
        device=clean(event.device),
        rule=clean(event.rule),
        source=address_of(sources[0]) if alone else None,
        host=clean(sources[0]) if alone and address_of(sources[0]) is None else "",
        role=clean(event.role or ""),
        indicator=clean(event.entries[0].entry if event.entries else ""),
        exception=clean(event.exception or ""),
        snapshot=clean(event.snapshot or ""),
        channels=("counter",),
        sources=() if alone else _listed(sources),
        destinations=_listed(destinations),
        count=event.hits,
        packets=event.packets,
        octets=event.octets,
        at_least=event.quality is Quality.AT_LEAST,
        is_cut=event.sources_truncated or max(len(sources), len(destinations)) > MOST_LISTED,
    )


def _is_reason(ground: Ground, episode: Episode) -> bool:
    """Why there is an episode at all, where it follows from another one: it adds nothing, and must not be cut."""
    return ground is episode.grounds[0] and ground.trait.startswith("rule:")


def _weighed(ground: Ground) -> str:
    return f"{ground.text} ({ground.weight:+d})" if ground.weight else ground.text


def of_episode(episode: Episode, *, seq: int, at: datetime) -> Record:
    """What evidence came to."""
    grounds = sorted(episode.grounds, key=lambda ground: (not _is_reason(ground, episode), -abs(ground.weight)))
    lists = (episode.destinations, episode.sensors, episode.channels)
    return Record(
        id=episode.id,
        seq=seq,
        at=at,
        type="episode",
        kind=episode.kind,
        action=episode.action,
        severity=severity_of(episode.kind, episode.action),
        start=episode.window.start,
        end=episode.window.end,
        site=clean(episode.site),
        device=clean(episode.device or ""),
        source=episode.source,
        host=clean(episode.host),
        user=clean(episode.user),
        role=clean(episode.role or ""),
        indicator=clean(episode.indicator),
        app=clean(episode.app),
        surface=clean(episode.surface),
        exception=clean(episode.exception or ""),
        confidence=episode.confidence,
        grounds=tuple(clean(_weighed(ground)) for ground in grounds[:MOST_GROUNDS]),
        channels=_listed(channel.value for channel in episode.channels),
        sensors=_listed(episode.sensors),
        destinations=_listed(episode.destinations),
        count=episode.count,
        packets=episode.packets,
        octets=episode.octets,
        is_cut=len(grounds) > MOST_GROUNDS or any(len(texts) > MOST_LISTED for texts in lists),
    )


def severity_of(kind: EpisodeKind, action: EpisodeAction) -> Severity:
    return _ALWAYS.get(kind, _BY_ACTION[action])


def clean(text: str, *, most: int = MOST_TEXT) -> str:
    """On one line, bounded in bytes, and nothing in it that is obeyed instead of shown."""
    shown = "".join(c if c.isprintable() else "�" for c in text[: most + 1])
    whole = shown.encode()
    return shown if len(whole) <= most else whole[: most - 3].decode(errors="ignore") + "…"


def address_of(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def rfc3339(at: datetime) -> str:
    """In UTC, to the microsecond."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def millis(at: datetime) -> int:
    """Since 1970."""
    return round(at.timestamp() * 1000)


def _listed(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(clean(text) for text, _ in zip(texts, range(MOST_LISTED), strict=False))


def _few(texts: tuple[str, ...]) -> str:
    return ", ".join(texts[:3]) + (" …" if len(texts) > 3 else "")


__all__ = [
    "ACTIONS",
    "Origin",
    "Record",
    "Severity",
    "address_of",
    "clean",
    "here",
    "millis",
    "of_episode",
    "of_event",
    "rfc3339",
    "severity_of",
]
