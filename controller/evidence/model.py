"""The shapes of evidence: a sighting is what one line says, an episode is what many of them come to.

Frozen values; times are aware UTC; ``None`` and the empty text are unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from controller.model import Window
from core.ids import DeviceName, EventId, ExceptionId, SiteName
from core.net import Address


class Channel(StrEnum):
    """How something was seen."""

    COUNTER = "counter"  # a firewall's hit counters, polled
    FIREWALL = "firewall"  # a firewall's log of one connection
    FLOW = "flow"  # NetFlow, IPFIX, Zeek's conn, Suricata's flow
    DNS = "dns"
    TLS = "tls"  # a ClientHello
    QUIC = "quic"  # an Initial packet
    HTTP = "http"  # in clear text, or behind inspection
    PROXY = "proxy"
    ENDPOINT = "endpoint"  # an inventory of what is installed or runs
    PROBE = "probe"  # our own, from inside


class Verdict(StrEnum):
    """What whoever saw it did with it."""

    BLOCKED = "blocked"
    ALLOWED = "allowed"
    UNKNOWN = "unknown"  # it only watched, or does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one record of evidence says, and no more. Knows nothing of any service.

    Names are lower-case A-labels without the dot at the end. ``at`` is by the writer's clock.
    """

    channel: Channel
    at: datetime
    sensor: str  # who wrote it: the host name or address in the record, or the file
    source: Address | None = None  # the client
    source_port: int | None = None
    destination: Address | None = None
    port: int | None = None  # of the destination
    protocol: str = ""  # "tcp", "udp", "icmp" …
    name: str = ""  # SNI, DNS question, host of the request
    verdict: Verdict = Verdict.UNKNOWN
    answered: bool | None = None  # whether the other side was seen to answer: unless it was blocked, it passed then
    rule: str = ""  # the firewall's or proxy's rule that decided
    user: str = ""
    host: str = ""  # the client's own name
    path: str = ""  # of an HTTP request, with its query
    agent: str = ""  # User-Agent
    headers: tuple[str, ...] = ()  # names of request headers and cookies, lower-case, where they are logged
    ja3: str = ""
    ja4: str = ""
    answers: tuple[str, ...] = ()  # of a DNS answer: names of its chain and addresses
    application: str = ""  # what the writer's own detection calls the traffic: App-ID, AppSecure, application control
    software: str = ""  # of an endpoint record: package, bundle or store id, or name of a program
    platform: str = ""  # of an endpoint record: "android", "ios", "windows", "macos", "linux", "chrome"
    packets: int | None = None
    octets: int | None = None
    count: int = 1  # how many times, where the writer adds up
    uid: str = ""  # of the connection, as the writer numbers it: joins several records of one sensor


class Quarantine(StrEnum):
    """Why a record is no evidence. Each is counted, and some of each are kept."""

    UNREADABLE = "unreadable"  # no such format, cut off, wrong charset
    TOO_LONG = "too-long"
    FUTURE = "future"  # later than now by more than clocks differ
    TOO_OLD = "too-old"
    STRANGER = "stranger"  # from an address that is no sensor or device of ours
    IMPOSTOR = "impostor"  # one sensor that speaks in another's name, or a device that answers for another
    CLOCK_BACK = "clock-back"  # a sender whose clock jumped back: older than what it sent before
    COUNTER_BACK = "counter-back"  # a counter that shows less than before, though nothing began anew


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A record that was set aside, and why. ``text`` is its beginning, made printable."""

    why: Quarantine
    origin: str  # a receiver and its peer, or a file and line
    text: str
    detail: str = ""
    site: SiteName | None = None  # of whoever wrote it, where that is known
    count: int = 1  # so many of the kind; ``text`` is of the last


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Sightings that came together. Two batches of one ``id`` are the same one, taken once; empty: it has none."""

    origin: str  # "syslog udp", "ingest zeek", "file conn.log" …
    id: str = ""
    site: SiteName | None = None  # of the sightings that have no source address, as endpoint records
    sightings: tuple[Sighting, ...] = ()
    rejected: tuple[Rejected, ...] = ()


class Intake(Protocol):
    """Where receivers and readers bring what they parsed."""

    def take(self, batch: Batch) -> None:
        """In the store, or not at all, when this returns. Raises ``StoreFull`` and its like when it cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Whose some use was, as far as it is known, and when."""

    source: str  # an address
    host: str
    user: str
    window: Window


# --- what it comes to -----------------------------------------------------------------------------------------------


class EpisodeKind(StrEnum):
    USE = "use"  # somebody used the app or the site
    CONTACT = "contact"  # a pixel, an embed, an SDK, a shared address: seen, and not use
    HITS = "hits"  # a counter moved; nobody says whose it was
    INSTALLED = "installed"  # an endpoint has the app
    FIRST_USE = "first-use"  # of a site
    SPIKE = "spike"  # against the site's own baseline
    EVASION = "evasion"  # blocked, then at once DoH, a VPN or a proxy
    DORMANT = "dormant"  # installed and never seen
    LEAK = "leak"  # passed where the site should enforce
    OUTSIDE_HOURS = "outside-hours"  # an exception used outside its windows


class EpisodeAction(StrEnum):
    BLOCKED = "blocked"
    MONITORED = "monitored"
    EXCEPTED = "allowed-by-exception"
    NOT_ENFORCED = "not-enforced"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One reason to believe an episode, and what it adds to the confidence; below zero, it takes away."""

    trait: str  # of the shipped table, or "rule:…" of ours
    text: str  # for people
    weight: int
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One thing that happened at one site: the shape of every event for people, exports and reports.

    ``confidence`` is 0–100 and follows from ``grounds``. ``count`` is sightings, or hits of a counter.
    """

    id: EventId
    kind: EpisodeKind
    site: SiteName
    window: Window
    action: EpisodeAction
    confidence: int
    grounds: tuple[Ground, ...]
    device: DeviceName | None = None
    source: Address | None = None
    host: str = ""
    user: str = ""
    role: str | None = None
    indicator: str = ""  # the busiest network or name of it
    app: str = ""
    surface: str = ""
    exception: ExceptionId | None = None
    channels: tuple[Channel, ...] = ()
    sensors: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()  # addresses and names, the busiest first
    count: int | None = None
    packets: int | None = None
    octets: int | None = None
    events: tuple[EventId, ...] = ()  # counter events that are part of it

    @property
    def is_taken_back(self) -> bool:
        """It was told, and turned out not to be so."""
        return self.kind in REVOCABLE and not self.confidence


REVOCABLE: Final = frozenset(
    {EpisodeKind.LEAK, EpisodeKind.EVASION, EpisodeKind.DORMANT, EpisodeKind.FIRST_USE, EpisodeKind.OUTSIDE_HOURS}
)
"""What later evidence may show not to have been; its confidence is 0 then, and nothing counts it."""
