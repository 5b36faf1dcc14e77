"""What is said of retention: how long a site keeps what, and what of it a run would drop now."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from api.models import Answer
from controller.retention_desk import Dropped


class Due(Answer):
    """How many of each kind go with the next run. 0: counted, none."""

    events: int
    episodes: int
    proofs: int
    set_aside: int = Field(description="records that were no evidence")
    identities_in_events: int = Field(description="events that stay, without who it was")
    identities_in_episodes: int = Field(description="episodes that stay, without who it was")
    identities_in_sums: int = Field(description="clients whose figures of a day become those of nobody")


class SiteRetention(Answer):
    """One site, in whole days: after its own rules, those of all sites and `TOKGATE_RETENTION`, whichever is first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "site": "berlin",
                    "events_days": 365,
                    "episodes_days": 90,
                    "identities_days": 30,
                    "proofs_days": 400,
                    "hold": "",
                    "due": {
                        "events": 12,
                        "episodes": 0,
                        "proofs": 0,
                        "set_aside": 0,
                        "identities_in_events": 204,
                        "identities_in_episodes": 3,
                        "identities_in_sums": 18,
                    },
                }
            ]
        }
    )

    site: str
    events_days: int
    episodes_days: int
    identities_days: int
    proofs_days: int
    hold: str = Field(description="why nothing of the site is dropped; empty when it is")
    due: Due | None = Field(description="null while a hold keeps all of it")

    @classmethod
    def of(cls, found: Dropped) -> SiteRetention:
        kept = found.kept
        counts = {what.replace(" ", "_"): count for what, count in found.counts.items()}
        return cls(
            site=kept.site,
            events_days=kept.events.days,
            episodes_days=kept.episodes.days,
            identities_days=kept.identities.days,
            proofs_days=kept.proofs.days,
            hold=kept.hold,
            due=None if kept.hold else Due(**dict.fromkeys(Due.model_fields, 0) | counts),
        )
