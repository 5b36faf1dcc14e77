"""Evidence that somebody uploads: read record by record, cut into batches, and brought to the intake.

The batches of an upload are named by what was uploaded, so the same upload counts once, however often and by whomever
it is brought. Who is limited to sites brings evidence of these alone: what is of clients elsewhere is set aside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta, tzinfo
from functools import lru_cache
from ipaddress import ip_network
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from controller.errors import Invalid, NotFound
from controller.evidence.formats import Found, Reading, Stream, read
from controller.evidence.model import Batch, Quarantine, Rejected, Sighting
from controller.inventory import Inventory
from controller.inventory.evidence import Sensor
from controller.reach import EVERYWHERE, Reach
from controller.rehearsal import rehearsal
from core.clock import Clock
from core.ids import DeviceName, SiteName
from core.net import Address, keys_around, lengths_of, sort_key

log = structlog.get_logger()

BATCH: Final = 1000
"""Records that are taken in one transaction."""
SAMPLES: Final = 3
"""Records that are shown of each reason."""
MAX_UNPACKED: Final = 1 << 30
"""Bytes that one upload may come to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """How an upload is to be read. ``digest`` is of its content; ``format`` None: told from its beginning.

    ``sensor``: who wrote it, where records do not say; one of the inventory brings its site and its zone along.
    ``site``: of records without an address, and whose wall the times are by; ``zone``: another wall.
    """

    digest: str
    format: str | None = None
    sensor: str = ""
    site: str | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """What became of it. ``passed_over``: records that tell of nobody; ``samples``: of those that were set aside."""

    format: str
    sightings: int
    passed_over: int
    set_aside: Mapping[Quarantine, int]
    samples: tuple[Rejected, ...]


class UploadDesk:
    """One for a controller. ``take`` is the intake's. Safe to use from any number of threads."""

    def __init__(self, inventory: Inventory, clock: Clock, *, take: Callable[[Batch], None]) -> None:
        self._inventory, self._clock, self._take = inventory, clock, take
        self._reach = EVERYWHERE
        places = {
            sort_key(network): site.name
            for site in inventory.sites.values()
            for networks in site.networks.values()
            for network in networks
        }
        lengths = lengths_of(places)

        @lru_cache(maxsize=1 << 14)
        def site_of(address: Address) -> SiteName | None:
            held = [places[key] for key in keys_around(ip_network(address), lengths) if key in places]
            return held[-1] if held else None  # the narrowest

        self._site_of = site_of

    def within(self, reach: Reach) -> UploadDesk:
        """The same desk for somebody whose access ends there."""
        narrow = copy(self)
        narrow._reach = reach
        return narrow

    def bring(self, stream: Stream, upload: Upload, *, actor: str) -> Uploaded:
        """In the store when this returns; in a rehearsal it is only read.

        Raises ``Invalid`` for a format or a zone that is none; ``NotFound`` for a site; ``StoreError``: bring it again,
        and what was taken already counts once.
        """
        sensor = self._sensor(upload.sensor)
        site = self._site(upload, sensor)
        now, rules = self._clock.now(), self._inventory.evidence
        reading = Reading(
            origin="upload",
            now=now,
            sensor=upload.sensor,
            zone=self._zone(upload, sensor, site),
            ahead=timedelta(seconds=rules.clock_ahead_seconds),
            oldest=now - rules.too_old,
        )
        try:
            kind, found = read(stream, reading, format=upload.format, limit=MAX_UNPACKED)
        except Invalid as exc:
            if upload.format is None:  # who sent it may not look at the answer
                said = exc.message.removeprefix(f"{reading.origin}: ")
                self._refuse(upload, site, reading.reject(Quarantine.UNREADABLE, "", detail=said))
            raise
        name = "|".join(("upload", kind.name, upload.sensor, site or "", str(reading.zone), upload.digest))
        tally = _Tally(f"upload {kind.name} {upload.sensor}".strip())
        for number, batch in enumerate(_batches(self._within(found, reading, site), tally)):
            if rehearsal() is None:
                self._take(
                    Batch(
                        origin=tally.origin,
                        id=f"{name}|{number}",
                        site=site,
                        sightings=tuple(one for one in batch if isinstance(one, Sighting)),
                        rejected=_of(tally.origin, site, batch),
                    )
                )
        log.info("evidence.uploaded", actor=actor, format=kind.name, site=site, sightings=tally.sightings)
        return tally.uploaded(kind.name)

    def _refuse(self, upload: Upload, site: SiteName | None, why: Rejected) -> None:
        """It is no evidence at all, and counted as such."""
        if rehearsal() is None:
            origin = f"upload auto {upload.sensor}".strip()
            name = "|".join(("upload", "auto", upload.sensor, site or "", upload.digest))
            self._take(Batch(origin=origin, id=name, site=site, rejected=_of(origin, site, (why,))))

    def _sensor(self, name: str) -> Sensor | None:
        """One of the inventory. Raises ``NotFound`` for one of a site out of reach: nobody speaks in its name."""
        sensor, device = self._inventory.evidence.sensors.get(name), self._inventory.by_name.get(DeviceName(name))
        sites = [found.site for found in (sensor, device) if found is not None]
        if not all(self._reach.has(site) for site in sites):
            raise NotFound(f"no sensor {name!r}")
        return sensor

    def _site(self, upload: Upload, sensor: Sensor | None) -> SiteName | None:
        """The one that was named, or the sensor's, or the only one that is within reach."""
        if upload.site is None:
            if sensor is not None:
                return SiteName(sensor.site)
            only = self._reach.sites if self._reach.sites is not None and len(self._reach.sites) == 1 else None
            return next(iter(only)) if only else None
        if upload.site not in self._inventory.sites or not self._reach.has(upload.site):
            raise NotFound(f"no site {upload.site!r}")
        return SiteName(upload.site)

    def _zone(self, upload: Upload, sensor: Sensor | None, site: SiteName | None) -> tzinfo:
        own = sensor.time_zone if sensor is not None else None
        name = upload.zone or own or (self._inventory.sites[site].time_zone if site else "")
        try:
            return ZoneInfo(name) if name else UTC
        except (KeyError, ValueError, OSError) as exc:
            raise Invalid(f"zone: {name[:60]!r} is no time zone", hint="as Europe/Berlin") from exc

    def _within(self, found: Iterator[Found], reading: Reading, site: SiteName | None) -> Iterator[Found]:
        """What is of clients within reach; the rest is set aside."""
        if self._reach.is_everywhere:
            return found
        return (
            reading.reject(Quarantine.STRANGER, _shown(one), detail="of no site that this access reaches")
            if isinstance(one, Sighting) and not self._is_within(one, site)
            else one
            for one in found
        )

    def _is_within(self, sighting: Sighting, site: SiteName | None) -> bool:
        if sighting.source is None:
            return site is not None
        place = self._site_of(sighting.source)
        return place is not None and self._reach.has(place)


@dataclass(slots=True)
class _Tally:
    """What is added up while it is read."""

    origin: str
    sightings: int = 0
    passed_over: int = 0
    set_aside: Counter[Quarantine] = field(default_factory=Counter)
    samples: list[Rejected] = field(default_factory=list)

    def add(self, found: Found) -> None:
        if found is None:
            self.passed_over += 1
        elif isinstance(found, Sighting):
            self.sightings += 1
        else:
            self.set_aside[found.why] += 1
            if self.set_aside[found.why] <= SAMPLES:
                self.samples.append(found)

    def uploaded(self, name: str) -> Uploaded:
        return Uploaded(
            format=name,
            sightings=self.sightings,
            passed_over=self.passed_over,
            set_aside=dict(sorted(self.set_aside.items())),
            samples=tuple(self.samples),
        )


def _batches(found: Iterator[Found], tally: _Tally) -> Iterator[list[Sighting | Rejected]]:
    """So many records each, whatever time it is: the same upload is cut at the same places."""
    batch = list[Sighting | Rejected]()
    for one in found:
        tally.add(one)
        if one is not None:
            batch.append(one)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _of(origin: str, site: SiteName | None, found: Iterable[Sighting | Rejected]) -> tuple[Rejected, ...]:
    """What was set aside of it, with who brought it and where that belongs."""
    return tuple(replace(one, origin=origin, site=site) for one in found if isinstance(one, Rejected))


def _shown(sighting: Sighting) -> str:
    words = (sighting.channel, sighting.source or sighting.host, sighting.name or sighting.software)
    return " ".join(str(word) for word in words if word)


__all__ = ["Upload", "UploadDesk", "Uploaded"]
