"""What may be said of people: the part ``privacy`` of an inventory, and of each site that says otherwise.

Pure values. What applies at a site is a ``SitePrivacy``; ``controller.privacy`` is where it is applied.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from controller.inventory.parts import Part

FewestClients = Annotated[int, Field(ge=0, le=20)]
FEWEST_IN_REPORTS: Final = 5
"""Where nothing is said. With fewer, a figure of a group says who it was to whoever knows the group."""


class Identities(StrEnum):
    """What is told of clients: their addresses, hosts and users."""

    SHOWN = "shown"
    PSEUDONYMS = "pseudonyms"
    HIDDEN = "hidden"


class PeriodKind(StrEnum):
    """How long a pseudonym stands for the same client: a part of the calendar, of UTC."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


Days = Annotated[int, Field(ge=1, le=3660)]


class Retention(Part):
    """Days for which it is kept; None: as long as everything (``TOKGATE_RETENTION``), which nothing outlasts.

    ``identities``: who clients were, in events, episodes and records that were set aside; what is about them stays
    without. Never longer than the events themselves.
    """

    events: Days | None = None
    episodes: Days | None = None
    identities: Days | None = None
    proofs: Days | None = None


class Privacy(Part):
    """For every site that does not say so itself. ``fewest_clients`` None: nothing is said of it."""

    fewest_clients: FewestClients | None = None
    identities: Identities = Identities.SHOWN
    period: PeriodKind = PeriodKind.MONTH
    retention: Retention = Field(default_factory=Retention)


class PrivacyHere(Part):
    """What one site says instead; None: as ``privacy`` says."""

    fewest_clients: FewestClients | None = None
    identities: Identities | None = None
    retention: Retention = Field(default_factory=Retention)
    hold: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Why nothing of the site is deleted, as a lawsuit; None: it is deleted in its time."""


class SitePrivacy(Part):
    """What applies at one site.

    ``fewest_in_lists``, ``fewest_in_reports``: with fewer clients than that nobody is named there.
    """

    identities: Identities
    period: PeriodKind
    fewest_in_lists: int
    fewest_in_reports: int
    retention: Retention = Field(default_factory=Retention)
    hold: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether lists name everybody, however few they are."""
        return self.identities is Identities.SHOWN and not self.fewest_in_lists


def applied(general: Privacy, here: PrivacyHere | None) -> SitePrivacy:
    """What a site says goes before what is said of all.

    A threshold that somebody set holds everywhere. Where nobody did, reports have one, and lists only where they show
    pseudonyms: somebody who may read addresses there is not kept from the few of a small site.
    """
    identities = here.identities if here is not None and here.identities is not None else general.identities
    said = here.fewest_clients if here is not None and here.fewest_clients is not None else general.fewest_clients
    of_lists = 0 if identities is Identities.SHOWN else FEWEST_IN_REPORTS
    return SitePrivacy(
        identities=identities,
        period=general.period,
        fewest_in_lists=of_lists if said is None else said,
        fewest_in_reports=FEWEST_IN_REPORTS if said is None else said,
        retention=_nearest(general.retention, here.retention) if here is not None else general.retention,
        hold=here.hold if here is not None else None,
    )


def _nearest(general: Retention, here: Retention) -> Retention:
    return Retention(
        **{
            name: getattr(general, name) if getattr(here, name) is None else getattr(here, name)
            for name in Retention.model_fields
        }
    )


__all__ = [
    "FEWEST_IN_REPORTS",
    "Identities",
    "PeriodKind",
    "Privacy",
    "PrivacyHere",
    "Retention",
    "SitePrivacy",
    "applied",
]
