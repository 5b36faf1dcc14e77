"""Seeing who a pseudonym is: asked for by one, allowed by another, for a time. Pure.

Of what was asked for nothing changes but its state; whoever decides, decides exactly that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from controller.access_roles import may_be_one_person
from controller.audit import AuditNote
from controller.errors import Conflict, NotUnmasked, SecondPersonNeeded
from controller.model import Window
from core.ids import SiteName

WAITS: Final = timedelta(days=7)
"""What nobody decides in that time lapses."""
HOURS: Final = 8
MOST_HOURS: Final = 72


class UnmaskingState(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    DENIED = "denied"
    ENDED = "ended"  # given back before its time
    LAPSED = "lapsed"  # by time: nobody decided it
    OVER = "over"  # by time: its hours are gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmasking:
    """``window``: whole days of UTC. ``pseudonym`` empty: every client of the site in that time.

    ``hours``: so long it is open after it was approved.
    """

    id: str
    site: SiteName
    window: Window
    pseudonym: str
    reason: str
    ticket: str
    hours: int
    requested_by: str
    requested_at: datetime
    decision: UnmaskingState = UnmaskingState.REQUESTED
    decided_by: str = ""
    decided_at: datetime | None = None
    decided_why: str = ""
    ended_by: str = ""
    ended_at: datetime | None = None
    reads: int = 0
    last_read_at: datetime | None = None

    @property
    def last_day(self) -> date:
        """Of the window, as people say it."""
        return (self.window.end - timedelta.resolution).date()

    @property
    def ends_at(self) -> datetime | None:
        """None: it was not approved."""
        approved = self.decided_at if self.decision is UnmaskingState.APPROVED else None
        return self.ended_at or (approved and approved + timedelta(hours=self.hours))

    def state(self, now: datetime) -> UnmaskingState:
        if self.ended_at is not None:
            return UnmaskingState.ENDED
        if self.decision is UnmaskingState.REQUESTED and now - self.requested_at >= WAITS:
            return UnmaskingState.LAPSED
        if self.ends_at is not None and now >= self.ends_at:
            return UnmaskingState.OVER
        return self.decision

    def note(self, action: str, actor: str, *, before: Unmasking | None, reason: str = "") -> AuditNote:
        """What the audit log keeps of it; the pseudonym, and never who that is."""
        note = AuditNote(
            actor=actor,
            action=f"unmask.{action}",
            subject=self.id,
            reason=reason or self.reason,
            detail={"sites": [self.site]},
        )
        return note.moving(None if before is None else before.said, self.said)

    @property
    def said(self) -> dict[str, Any]:
        """All of it in plain data."""
        return {
            "from": self.window.start.isoformat(),
            "to": self.window.end.isoformat(),
            "pseudonym": self.pseudonym,
            "reason": self.reason,
            "ticket": self.ticket,
            "hours": self.hours,
            "requested_by": self.requested_by,
            "state": "ended" if self.ended_at is not None else self.decision.value,
            "decided_by": self.decided_by,
            "reads": self.reads,
        }


def decided(asked: Unmasking, decision: UnmaskingState, *, actor: str, why: str, now: datetime) -> Unmasking:
    """Raises ``SecondPersonNeeded``; ``Conflict`` when it is decided, or waited too long."""
    if asked.state(now) is not UnmaskingState.REQUESTED:
        raise Conflict(f"unmasking {asked.id} is {asked.state(now).value} already", hint="ask for another one")
    if decision is UnmaskingState.APPROVED and may_be_one_person(actor, asked.requested_by):
        raise SecondPersonNeeded(
            "nobody approves an unmasking that they asked for", hint="ask another person with the scope `consent`"
        )
    return replace(asked, decision=decision, decided_by=actor, decided_at=now, decided_why=why)


def ended(asked: Unmasking, *, actor: str, now: datetime) -> Unmasking:
    """Raises ``Conflict`` when there is nothing left to end."""
    if asked.state(now) not in (UnmaskingState.REQUESTED, UnmaskingState.APPROVED):
        raise Conflict(f"unmasking {asked.id} is {asked.state(now).value} already")
    return replace(asked, ended_by=actor, ended_at=now)


def read(asked: Unmasking, *, actor: str, now: datetime) -> Unmasking:
    """Looked at once more. Raises ``NotUnmasked`` unless it is open, for whoever asked."""
    state = asked.state(now)
    if not may_be_one_person(actor, asked.requested_by):
        raise NotUnmasked("only who asked for an unmasking sees what it opens", hint="ask for one of your own")
    if state is not UnmaskingState.APPROVED:
        if state is UnmaskingState.REQUESTED:
            hint = "another person has to approve it: `tokgate unmask approve`"
            raise NotUnmasked(f"unmasking {asked.id} waits for another person: nothing is open yet", hint=hint)
        raise NotUnmasked(f"unmasking {asked.id} is {state.value}: nothing is open", hint="ask for another one")
    return replace(asked, reads=asked.reads + 1, last_read_at=now)


__all__ = ["HOURS", "MOST_HOURS", "WAITS", "Unmasking", "UnmaskingState", "decided", "ended", "read"]
