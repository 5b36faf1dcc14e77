"""An exception as pages show it: its state in words, whether it is live, and by whose clock its times are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from api.web import wording
from controller.exceptions import sources_in_words
from controller.model import AccessException, ExceptionState
from controller.service import Controller
from core.ids import SiteName


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An exception with what a page says of it."""

    it: AccessException
    state: str
    tone: str
    zone: str
    sources: tuple[str, ...]
    is_live: bool

    @classmethod
    def of(cls, controller: Controller, exception: AccessException, now: datetime) -> Shown:
        state, tone = wording.STATES[exception.state]
        live = exception.is_live(now)
        if live:
            state, tone = "live", "good" if set(exception.devices) <= set(exception.live_on) else "warn"
        elif exception.state is ExceptionState.APPROVED and now < exception.starts:
            state = "approved, begins later"
        elif exception.state is ExceptionState.APPROVED:
            state, tone = "over", ""
        return cls(
            it=exception,
            state=state,
            tone=tone,
            zone=zone_of(controller, exception.sites),
            sources=sources_in_words(exception),
            is_live=live,
        )


def zone_at(controller: Controller, site: str) -> str:
    """Of a list: that of the site that it is about; of all sites the one that they have in common."""
    return zone_of(controller, [site]) if site else wording.one_zone(controller.inventory.sites.values())


def zone_of(controller: Controller, sites: Iterable[str]) -> str:
    """The zone of the first of these sites that is known."""
    known = controller.inventory.sites
    return wording.zone_of(known[SiteName(site)] for site in sites if SiteName(site) in known)
