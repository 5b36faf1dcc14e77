"""What each site keeps, and for how long; and the job that drops the rest and says so in the audit log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from controller.audit import AuditNote
from controller.inventory import Inventory
from controller.privacy_desk import PrivacyDesk
from controller.reach import EVERYWHERE, Reach
from controller.store import Store
from controller.store.adding import day_of
from controller.store.retentions import Until
from core.clock import Clock
from core.ids import SiteName

SYSTEM: Final = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How long a site keeps what. ``hold``: why nothing of it is dropped; empty when it is."""

    site: SiteName
    events: timedelta
    episodes: timedelta
    identities: timedelta
    proofs: timedelta
    hold: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What of a site went, or would go. ``counts``: of each kind how many, without what there was none of."""

    kept: Kept
    counts: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionDesk:
    """``longest``: nothing outlasts it but by a hold."""

    store: Store
    inventory: Inventory
    clock: Clock
    privacy: PrivacyDesk
    longest: timedelta
    reach: Reach = EVERYWHERE

    def within(self, reach: Reach, inventory: Inventory) -> RetentionDesk:
        return replace(self, reach=reach, inventory=inventory)

    def kept(self, site: str) -> Kept:
        privacy = self.inventory.privacy_at(site)

        def days(said: int | None) -> timedelta:
            return self.longest if said is None else min(self.longest, timedelta(days=said))

        rules = privacy.retention
        events = days(rules.events)
        return Kept(
            site=SiteName(site),
            events=events,
            episodes=days(rules.episodes),
            identities=min(events, days(rules.identities)),
            proofs=days(rules.proofs),
            hold=privacy.hold or "",
        )

    def episodes_kept(self, site: SiteName) -> timedelta | None:
        """None: none is dropped."""
        kept = self.kept(site)
        return None if kept.hold else kept.episodes

    @property
    def held(self) -> frozenset[SiteName]:
        """Sites of which nothing is dropped."""
        return frozenset(name for name in self.inventory.sites if self.inventory.privacy_at(name).hold)

    def sites(self) -> list[str]:
        """Those of the inventory, and those of which something is still kept."""
        return sorted({*self.inventory.sites, *filter(self.reach.has, self.store.sites_recorded())})

    def look(self) -> list[Dropped]:
        """What a run would drop now; changes nothing."""
        return [self.look_at(site) for site in self.sites()]

    def look_at(self, site: str) -> Dropped:
        kept = self.kept(site)
        return Dropped(kept=kept, counts={} if kept.hold else self.store.due_of(kept.site, self._until(kept)))

    def one(self, site: str) -> Dropped:
        """As ``look_at``. Raises ``NotFound`` for a site that is neither in the inventory nor in what is kept."""
        return self.look_at(site if site in self.sites() else self.inventory.site(site).name)

    def run(self, *, actor: str = SYSTEM) -> list[Dropped]:
        """Drop what no site keeps any more; one entry of the audit log for each site of which something went."""
        found = [self._drop(self.kept(site), actor) for site in self.sites()]
        if not self.held:
            longest = max((one.kept.identities for one in found), default=self.longest)
            self.privacy.destroy_old_keys(self.clock.now() - longest, actor=actor)
        return found

    def _drop(self, kept: Kept, actor: str) -> Dropped:
        if kept.hold:
            return Dropped(kept=kept, counts={})
        until = self._until(kept)
        counts = self.store.drop_of(kept.site, until)
        if counts:
            before = {name: getattr(until, name).isoformat() for name in ("events", "episodes", "identities", "proofs")}
            detail = {"sites": [kept.site], "before": before, "after": {"dropped": counts}}
            self.store.note_dropped(
                AuditNote(actor=actor, action="retention.drop", subject=kept.site, reason="retention", detail=detail)
            )
        return Dropped(kept=kept, counts=counts)

    def _until(self, kept: Kept) -> Until:
        now = self.clock.now()
        return Until(
            events=day_of(now - kept.events),
            episodes=now - kept.episodes,
            identities=day_of(now - kept.identities),
            proofs=now - kept.proofs,
        )


__all__ = ["Dropped", "Kept", "RetentionDesk"]
