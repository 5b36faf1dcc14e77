"""Seeing who a pseudonym is, over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints

from api.models import Answer, Instant, Line, Name, OptionalLine, Request
from controller.privacy import unmasking
from controller.privacy.unmasking import HOURS, MOST_HOURS, UnmaskingState
from controller.privacy.veil import Of
from controller.privacy_desk import Unmasked as Found
from controller.privacy_desk import UnmaskingRequest

Pseudonym = Annotated[str, StringConstraints(pattern=r"^((client|user)-[a-z2-7]{12})?$", max_length=19)]


class UnmaskingBody(Request):
    """Whom somebody asks to see, and why. ``pseudonym`` empty: every client of the site in that time."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "site": "berlin",
                    "since": "2026-11-25T00:00:00Z",
                    "until": "2026-11-26T00:00:00Z",
                    "pseudonym": "client-k7m2p3xq4tza",
                    "reason": "malware on a machine that is under this name",
                    "ticket": "INC-4711",
                    "hours": 4,
                }
            ]
        }
    )

    site: Name
    since: Instant = Field(description="widened to whole days of UTC")
    until: Instant = Field(description="widened to whole days of UTC")
    pseudonym: Pseudonym = ""
    reason: Line
    ticket: OptionalLine = ""
    hours: int = Field(default=HOURS, ge=1, le=MOST_HOURS, description="so long it is open after it was approved")

    def request(self) -> UnmaskingRequest:
        return UnmaskingRequest(
            site=self.site,
            since=self.since,
            until=self.until,
            reason=self.reason,
            pseudonym=self.pseudonym,
            ticket=self.ticket,
            hours=self.hours,
        )


class ConsentBody(Request):
    """Why it is approved, in words that the audit log keeps; may be left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "agreed with the works council"}]})

    reason: OptionalLine = ""


class Unmasking(Answer):
    """Somebody's wish to see who it was, and what became of it. ``reads``: how often they looked."""

    id: str
    site: str
    since: Instant
    until: Instant
    pseudonym: str = Field(description="empty: every client of the site in that time")
    reason: str
    ticket: str
    hours: int
    state: UnmaskingState
    requested_by: str
    requested_at: Instant
    decided_by: str
    decided_at: Instant | None
    decided_why: str
    ends_at: Instant | None
    reads: int
    last_read_at: Instant | None

    @classmethod
    def of(cls, found: unmasking.Unmasking, *, now: datetime) -> Self:
        return cls(
            id=found.id,
            site=found.site,
            since=found.window.start,
            until=found.window.end,
            pseudonym=found.pseudonym,
            reason=found.reason,
            ticket=found.ticket,
            hours=found.hours,
            state=found.state(now),
            requested_by=found.requested_by,
            requested_at=found.requested_at,
            decided_by=found.decided_by,
            decided_at=found.decided_at,
            decided_why=found.decided_why,
            ends_at=found.ends_at,
            reads=found.reads,
            last_read_at=found.last_read_at,
        )


class Unmasked(Answer):
    """Who a pseudonym is, and in which period (or range of periods) it stands for them."""

    pseudonym: str
    of: Of
    identity: str
    period: str

    @classmethod
    def from_found(cls, found: Found) -> Self:
        return cls(pseudonym=found.pseudonym, of=found.of, identity=found.identity, period=found.period)


class Identities(Answer):
    """What an approved unmasking tells; the look itself is in the audit log."""

    unmasking: Unmasking
    identities: tuple[Unmasked, ...] = Field(description="a thousand at most")
