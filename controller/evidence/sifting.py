"""From what came in to a batch: who sent it, what it says, and whether it can be. Pure; ``receiving`` calls it.

Nothing is dropped in silence: every message becomes sightings, or is set aside with the reason, or is counted as passed
over because it is about something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from controller.evidence import firewalls, syslog
from controller.evidence.formats.netflow import Collector
from controller.evidence.lines import Unfit, shown
from controller.evidence.model import Quarantine, Rejected, Sighting
from controller.evidence.senders import Sender, Senders
from controller.evidence.setting_aside import KEPT
from controller.evidence.syslog import Overlong
from core.ids import SiteName

NETFLOW: Final = "netflow"
REMEMBERED: Final = 100_000
"""Messages, at least, that are known again when they come once more."""


class Arrival(NamedTuple):
    """One message, as it came in. ``cut``: its connection ended inside of it."""

    raw: bytes | Overlong
    peer: str
    over: str  # "udp", "tcp", "tls" for syslog; "netflow"
    at: datetime
    cut: bool = False
    names: tuple[str, ...] = ()  # of the certificate that its connection showed


@dataclass(frozen=True, slots=True, kw_only=True)
class Sifted:
    """What came of some messages. ``passed``: known, and about something else; ``strange``: bytes of no charset.

    ``repeated``: the same message once more, which says nothing new.
    """

    sightings: tuple[Sighting, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    passed: int = 0
    repeated: int = 0
    strange: int = 0
    heard: dict[str, datetime] = field(default_factory=dict)  # when each sender was last understood


@dataclass(frozen=True, slots=True, kw_only=True)
class Sieve:
    senders: Senders
    ahead: timedelta
    too_old: timedelta
    back: timedelta = timedelta()  # further than that no sender's clock goes back; nothing: it is not looked at
    newest: dict[str, datetime] = field(default_factory=dict)  # what each sender said last, that could be
    collector: Collector = field(default_factory=Collector)  # remembers the exporters' templates
    lately: Lately = field(default_factory=lambda: Lately(REMEMBERED))

    def sift(self, arrivals: list[Arrival]) -> Sifted:
        """What these messages come to, in their order."""
        sightings, aside = list[Sighting](), _Aside()
        passed = strange = repeated = 0
        heard: dict[str, datetime] = {}
        for arrival in arrivals:
            try:
                said = self._flows(arrival) if arrival.over == NETFLOW else self._logged(arrival)
            except _Refused as exc:
                aside.add(arrival, exc.why, exc.detail, exc.site)
                continue
            except Unfit as exc:
                aside.add(arrival, Quarantine.UNREADABLE, str(exc), self._site(arrival))
                continue
            strange += said.strange
            heard[said.sender.name] = arrival.at
            if said.trouble:
                aside.add(arrival, Quarantine.UNREADABLE, said.trouble, said.sender.site)
            elif not said.sightings:
                passed += 1
            timely = list[Sighting]()
            for sighting in said.sightings:
                refused = self._clock(sighting.at, arrival.at)
                if refused is None and self.back and said.in_order:
                    refused = self._order(said.sender, sighting.at)
                if refused is not None:
                    aside.add(arrival, *refused, said.sender.site)
                else:
                    timely.append(sighting)
            if timely and said.key is not None and self.lately.knows(said.key):
                repeated += 1
            else:
                sightings += timely
        return Sifted(
            sightings=tuple(sightings),
            rejected=aside.all(),
            passed=passed,
            repeated=repeated,
            strange=strange,
            heard=heard,
        )

    def _logged(self, arrival: Arrival) -> _Said:
        sender = self._sender(arrival)
        writer, message = self._understood(arrival, sender)
        found = firewalls.read(message, writer.name)
        key = None
        if found and found[0].at != arrival.at:  # what has no time of its own may well happen again in the same words
            data = tuple(tuple(element.values()) for element in message.data.values()) if message.data else ()
            key = hash((writer.name, found[0].at, message.text, data))
        return _Said(writer, found, strange=message.strange, in_order=not sender.relays, key=key)

    def _flows(self, arrival: Arrival) -> _Said:
        sender = self._sender(arrival)
        assert isinstance(arrival.raw, bytes)  # a datagram is never too long
        flows = self.collector.flows(arrival.raw, arrival.peer, now=arrival.at, sensor=sender.name)
        # its own clock and number stand in each: the same bytes are the same message
        return _Said(sender, *flows, key=hash((sender.name, arrival.raw)))

    def _sender(self, arrival: Arrival) -> Sender:
        """By the certificate that it showed, else by its address."""
        if arrival.names and (certified := self.senders.certified(arrival.names)) is not None:
            return certified
        sender = self.senders.at(arrival.peer)
        if sender is None:
            raise _Refused(Quarantine.STRANGER, "no device and no sensor of the inventory has this address")
        if arrival.names and self.senders.shows_certificate(sender):
            shown = ", ".join(arrival.names)[:120]
            raise _Refused(
                Quarantine.IMPOSTOR, f"from {sender.name}'s address, by a certificate of {shown}", sender.site
            )
        return sender

    def _site(self, arrival: Arrival) -> SiteName | None:
        known = self.senders.certified(arrival.names) or self.senders.at(arrival.peer)
        return known.site if known else None

    def _understood(self, arrival: Arrival, sender: Sender) -> tuple[Sender, syslog.Message]:
        """Who wrote it, and what; ``sender`` brought it."""
        if isinstance(arrival.raw, Overlong):
            raise _Refused(Quarantine.TOO_LONG, f"{arrival.raw.size} bytes; {syslog.LIMIT} are taken", sender.site)
        if arrival.cut:
            raise Unfit("cut off: its connection ended inside of it")
        message = syslog.parse(arrival.raw, arrival.at, zone=sender.zone)
        writer = self._writer(sender, message)
        if writer.zone is not sender.zone:  # what is passed on keeps the clock of who wrote it
            message = syslog.parse(arrival.raw, arrival.at, zone=writer.zone)
        return writer, message

    def _writer(self, sender: Sender, message: syslog.Message) -> Sender:
        """Who wrote it. Whoever relays speaks for others; nobody else does."""
        named = self.senders.named(message.host)
        if named is sender or (named is None and not sender.relays):
            return sender  # a device may call itself as it likes, as long as nobody else has that name
        if not sender.relays:
            said = f"{sender.name} speaks as {message.host[:80]!r}, which is {named.name if named else 'nobody'}"
            raise _Refused(Quarantine.IMPOSTOR, said, sender.site)
        if named is None:
            said = f"{sender.name} passes on what {message.host[:80]!r} wrote, which is no device and no sensor"
            raise _Refused(Quarantine.STRANGER, said, sender.site)
        return named

    def _clock(self, at: datetime, now: datetime) -> tuple[Quarantine, str] | None:
        if at > now + self.ahead:
            said = f"{_span(at - now)} ahead of our clock: look at its clock, and at the time zone that it writes in"
            return Quarantine.FUTURE, said
        if at < now - self.too_old:
            return Quarantine.TOO_OLD, f"{_span(now - at)} old"
        return None

    def _order(self, sender: Sender, at: datetime) -> tuple[Quarantine, str] | None:
        """Whoever wrote it writes in order: far behind its own last word, a clock was set back, or was ahead before.

        Not asked of what a relay passes on, which it may have kept, nor of flows, which are told when they end.
        """
        newest = self.newest.get(sender.name)
        if newest is not None and at < newest - self.back:
            said = f"{_span(newest - at)} behind what it sent before: its clock was set back, or ran ahead until then"
            return Quarantine.CLOCK_BACK, said
        if newest is None or at > newest:
            self.newest[sender.name] = at
        return None


class _Said(NamedTuple):
    """What one message says. ``trouble``: what of it could not be read."""

    sender: Sender
    sightings: Sequence[Sighting]
    trouble: str = ""
    strange: int = 0
    in_order: bool = False  # whoever wrote it sends it at once
    key: int | None = None  # the same for the same message, whichever way it comes; None: it cannot be told


class Lately:
    """Which messages were taken lately: the last ``most`` at least, and twice as many at most.

    By hashes that are keyed anew in each process, so nobody can make two messages that are taken for one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._now, self._before = set[int](), set[int]()

    def knows(self, key: int) -> bool:
        """Whether it was asked about before."""
        if key in self._now or key in self._before:
            return True
        self._now.add(key)
        if len(self._now) >= self._most:
            self._now, self._before = set(), self._now
        return False


class _Refused(Exception):
    def __init__(self, why: Quarantine, detail: str, site: SiteName | None = None) -> None:
        super().__init__(detail)
        self.why, self.detail, self.site = why, detail, site


class _Aside:
    """What is set aside, with no more of each kind in hand than is kept of it."""

    def __init__(self) -> None:
        self._found: list[Rejected] = []
        self._count: Counter[tuple[str, Quarantine]] = Counter()
        self._last: dict[tuple[str, Quarantine], int] = {}

    def add(self, arrival: Arrival, why: Quarantine, detail: str, site: SiteName | None) -> None:
        kind = NETFLOW if arrival.over == NETFLOW else f"syslog {arrival.over}"
        origin = f"{kind} {arrival.peer}"
        key = (origin, why)
        self._count[key] += 1
        if self._count[key] > KEPT:
            return
        raw = arrival.raw.head if isinstance(arrival.raw, Overlong) else arrival.raw
        self._last[key] = len(self._found)
        self._found.append(Rejected(why=why, origin=origin, text=shown(raw), detail=detail, site=site))

    def all(self) -> tuple[Rejected, ...]:
        """With the counts of those of which no more were kept."""
        for key, at in self._last.items():
            if (more := self._count[key] - KEPT) > 0:
                self._found[at] = replace(self._found[at], count=1 + more)
        return tuple(self._found)


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds} s" if seconds < 600 else f"{seconds // 60} min" if seconds < 36_000 else f"{seconds // 3600} h"


__all__ = ["Arrival", "Lately", "Sieve", "Sifted"]
