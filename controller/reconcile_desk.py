"""Lists of endpoints, what firewalls saw, and coverage, held against each other on request.

The list is the one that evidence told (`installed`), or a file that somebody has, which is read and kept nowhere. A
list with a record that cannot be read is refused as a whole, with the place: who is missing from it would be told as a
stranger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Final
from zoneinfo import ZoneInfo

from controller.coverage_desk import CoverageDesk
from controller.errors import Invalid
from controller.evidence.detecting import detect
from controller.evidence.formats import Reading, Stream, read
from controller.evidence.judging import Judge
from controller.evidence.model import Channel, Episode, EpisodeKind, Rejected, Sighting
from controller.evidence_desk import matcher_of
from controller.inventory import Inventory
from controller.model import Window
from controller.pack_desk import refuse_window
from controller.privacy_desk import PrivacyDesk
from controller.reconciling import Endpoints, Reconciled, reconcile
from controller.store import Store
from core.clock import Clock
from core.ids import SiteName
from core.words import count_of

SHOWN: Final = 5
MOST: Final = 200_000
"""Records of one list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointList:
    """A list as somebody brings it. ``format`` None: told by its beginning. ``site``: of records without an address."""

    name: str
    stream: Stream
    format: str | None = None
    site: SiteName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What was found, by site. ``elsewhere``: endpoints with the app that are at none of these sites, or at no site."""

    window: Window
    list_name: str | None  # None: as evidence told
    sites: Mapping[SiteName, Reconciled]
    elsewhere: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileDesk:
    """One for a controller."""

    store: Store
    inventory: Inventory
    clock: Clock
    coverage: CoverageDesk
    privacy: PrivacyDesk

    def within(self, inventory: Inventory, coverage: CoverageDesk, privacy: PrivacyDesk) -> ReconcileDesk:
        """For somebody who sees no other sites than these."""
        return replace(self, inventory=inventory, coverage=coverage, privacy=privacy)

    def reconcile(
        self, window: Window, sites: tuple[str, ...] = (), endpoints: EndpointList | None = None
    ) -> Reconciliation:
        """All sites when none is named. Clients are called as the privacy of their site wants it.

        Raises ``NotFound``; ``Invalid`` for times or a list that make no sense; ``NotUnmasked`` for a list about a site
        that shows no identities: whoever holds the list would learn of each whether it was seen.
        """
        refuse_window(window, now=self.clock.now())
        chosen = [self.inventory.site(name) for name in dict.fromkeys(sites)] or [*self.inventory.sites.values()]
        names = sorted(site.name for site in chosen)
        for name in names if endpoints is not None else ():
            self.privacy.refuse_by_identity(name)
        listed, elsewhere = (
            self._listed(endpoints, names) if endpoints is not None else (dict[SiteName, Endpoints](), 0)
        )
        found = {name: self._veiled(name, window, listed.get(name)) for name in names}
        return Reconciliation(
            window=window,
            list_name=endpoints.name if endpoints is not None else None,
            sites=found,
            elsewhere=elsewhere,
        )

    def _veiled(self, name: SiteName, window: Window, endpoints: Endpoints | None) -> Reconciled:
        found = reconcile(
            self.coverage.site(name, window).whole,
            self.store.clients_told(name, window),
            self.store.clients_counted(name, window),
            endpoints,
        )
        return self.privacy.veil(name, window.end).reconciled(found)

    def _listed(self, said: EndpointList, names: list[SiteName]) -> tuple[dict[SiteName, Endpoints], int]:
        """Every endpoint is known at every site: a laptop travels. It is missed where its address is."""
        home = self.inventory.site(said.site).name if said.site else None
        only = home or (names[0] if len(names) == 1 else None)
        seen = _records(said, self._reading(said, only))
        judge = Judge(self.inventory, matcher_of(self.inventory, None))
        parts = (
            detect(judge, [one for one in seen if one.source is not None], site=home),
            detect(judge, [one for one in seen if one.source is None], site=only),
        )
        having = [e for found in parts for e in found.episodes if e.kind is EpisodeKind.INSTALLED]
        by_site: dict[SiteName, list[Episode]] = {name: [] for name in names}
        elsewhere = 0
        for episode in having:
            if episode.site in by_site:
                by_site[episode.site].append(episode)
            else:
                elsewhere += 1
        every = Endpoints.listed(seen, having)
        here = {name: every.at(ours) for name, ours in by_site.items()}
        return here, sum(found.strangers for found in parts) + elsewhere

    def _reading(self, said: EndpointList, site: SiteName | None) -> Reading:
        zone = ZoneInfo(self.inventory.sites[site].time_zone) if site else UTC
        return Reading(origin=said.name, now=self.clock.now(), sensor=said.name, zone=zone)


def _records(said: EndpointList, reading: Reading) -> list[Sighting]:
    """Raises ``Invalid`` with the place of what cannot be read, and for what is no list of endpoints."""
    kind, found = read(said.stream, reading, format=said.format)
    seen, wrong = list[Sighting](), list[Rejected]()
    for one in found:
        if isinstance(one, Rejected):
            wrong.append(one)
        elif one is not None:
            seen.append(one)
        if len(seen) > MOST or len(wrong) > MOST:
            raise Invalid(f"{said.name}: more than {MOST:,} records", hint="bring it as evidence, and name no file")
    if wrong:
        told = "; ".join(one.detail for one in wrong[:SHOWN])
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise Invalid(f"{said.name}: {told}{more}", hint="correct these records: who is missing would be a stranger")
    if not any(one.channel is Channel.ENDPOINT for one in seen):
        what = f"{count_of(len(seen), 'record')} of the format {kind.name}"
        hint = "a table with columns for a program and a host, or an export of osquery, Intune or Jamf"
        raise Invalid(f"{said.name}: no list of endpoints, but {what}", hint=hint)
    return seen


__all__ = ["EndpointList", "ReconcileDesk", "Reconciliation"]
