"""What events add up to: the figures of reports, in one shape whether they are added from events or kept added up.

Pure. Of two sums the sum is the sum of all their events, in any order; ``None`` stays unknown: what nobody counted is
remembered beside what was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from controller.model import FORGOTTEN, DetectionEvent, EventAction, Quality

SOURCE: Final = "source"
DESTINATION: Final = "destination"
_LAST: Final = timedelta.resolution


@dataclass(frozen=True, slots=True)
class Count:
    """So many events. ``no_…``: of so many of them nobody counted that. ``at_least`` of them are lower bounds."""

    events: int = 0
    hits: int = 0
    packets: int = 0
    octets: int = 0
    no_hits: int = 0
    no_packets: int = 0
    no_octets: int = 0
    at_least: int = 0
    truncated: int = 0

    @classmethod
    def of(cls, *events: DetectionEvent) -> Count:
        hits, packets, octets = [e.hits for e in events], [e.packets for e in events], [e.octets for e in events]
        return cls(
            len(events),
            sum(filter(None, hits)),
            sum(filter(None, packets)),
            sum(filter(None, octets)),
            hits.count(None),
            packets.count(None),
            octets.count(None),
            [e.quality for e in events].count(Quality.AT_LEAST),
            sum([e.sources_truncated for e in events]),
        )

    def plus(self, other: Count) -> Count:
        return Count(
            self.events + other.events,
            self.hits + other.hits,
            self.packets + other.packets,
            self.octets + other.octets,
            self.no_hits + other.no_hits,
            self.no_packets + other.no_packets,
            self.no_octets + other.no_octets,
            self.at_least + other.at_least,
            self.truncated + other.truncated,
        )

    @property
    def figures(self) -> tuple[int, ...]:
        """In the order of the fields."""
        return (
            self.events,
            self.hits,
            self.packets,
            self.octets,
            self.no_hits,
            self.no_packets,
            self.no_octets,
            self.at_least,
            self.truncated,
        )

    @property
    def known_hits(self) -> int | None:
        """None: a part of them was not counted."""
        return None if self.no_hits else self.hits


class Cell(NamedTuple):
    """Which events: of one device, in one role or by one exception, with one end."""

    device: str
    role: str | None
    exception: str | None
    action: EventAction


class Who(NamedTuple):
    """One client or one destination, and what became of it. ``side``: ``source`` or ``destination``."""

    side: str
    name: str
    action: EventAction
    role: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of it."""

    packets: int
    octets: int
    no_packets: int
    no_octets: int
    last_seen: datetime

    @property
    def figures(self) -> tuple[int, int, int, int, datetime]:
        """In the order of the fields."""
        return self.packets, self.octets, self.no_packets, self.no_octets, self.last_seen

    def plus(self, other: Seen) -> Seen:
        return Seen(
            self.packets + other.packets,
            self.octets + other.octets,
            self.no_packets + other.no_packets,
            self.no_octets + other.no_octets,
            max(self.last_seen, other.last_seen),
        )


class Timed(NamedTuple):
    """Events that belong to one time: ``at`` lies in it."""

    at: datetime
    action: EventAction
    figures: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Of some events of one site. ``by_time`` tells them apart by the hour or day, ``by_hour`` by the hour of the week,
    both on the site's own clock; each of the two holds every event once. ``untold`` is of days that lie inside in part
    only and whose events are gone: by what became of them, and by nothing else."""

    cells: Mapping[Cell, Count] = field(default_factory=dict)
    by_time: tuple[Timed, ...] = ()
    by_hour: tuple[Timed, ...] = ()
    seen: Mapping[Who, Seen] = field(default_factory=dict)
    untold: Mapping[EventAction, Count] = field(default_factory=dict)

    def plus(self, other: Sums) -> Sums:
        cells, seen = dict(self.cells), dict(self.seen)
        for cell, count in other.cells.items():
            cells[cell] = count.plus(cells[cell]) if cell in cells else count
        for who, found in other.seen.items():
            seen[who] = found.plus(seen[who]) if who in seen else found
        times = (*self.by_time, *other.by_time), (*self.by_hour, *other.by_hour)
        untold = {
            action: total(part.untold[action] for part in (self, other) if action in part.untold)
            for action in self.untold.keys() | other.untold.keys()
        }
        return Sums(cells=cells, by_time=times[0], by_hour=times[1], seen=seen, untold=untold)

    @property
    def all(self) -> Count:
        return total((*self.cells.values(), *self.untold.values()))


def clients_in(sums: Sums) -> int:
    """How many clients were seen, with any end."""
    return len({who.name for who in sums.seen if who.side == SOURCE and who.name != FORGOTTEN})


def total(counts: Iterable[Count]) -> Count:
    found = Count()
    for count in counts:
        found = found.plus(count)
    return found


def sums_of(events: Iterable[DetectionEvent]) -> Sums:
    """Added from the events themselves."""
    cells: dict[Cell, Count] = {}
    seen: dict[Who, Seen] = {}
    times: list[Timed] = []
    for event in events:
        count = Count.of(event)
        cell = Cell(event.device, event.role, event.exception, event.action)
        cells[cell] = cells[cell].plus(count) if cell in cells else count
        times.append(Timed(belongs_to(event), event.action, count))
        for who, found in seen_in(event):
            seen[who] = seen[who].plus(found) if who in seen else found
    return Sums(cells=cells, by_time=tuple(times), by_hour=tuple(times), seen=seen)


def belongs_to(event: DetectionEvent) -> datetime:
    """The last moment of its window: an event is about the time before its end."""
    return event.window.end - _LAST


def seen_in(event: DetectionEvent) -> Iterable[tuple[Who, Seen]]:
    for pair in event.sources:
        found = Seen(
            pair.packets or 0,
            pair.octets or 0,
            int(pair.packets is None),
            int(pair.octets is None),
            pair.last_seen,
        )
        yield Who(SOURCE, pair.client, event.action, event.role), found
        yield Who(DESTINATION, str(pair.destination), event.action, event.role), found


@dataclass(frozen=True, slots=True, kw_only=True)
class AppLine:
    """How often an app, or one surface of it, was seen with one end. ``sightings``: None where some say no number."""

    app: str
    surface: str
    kind: str  # of the episodes
    action: str
    episodes: int
    sightings: int | None
