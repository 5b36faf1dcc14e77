"""The journal with what its entries stand for: what is exported, and what a caller that follows along is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from controller.evidence.model import Episode
from controller.export.record import Record, of_episode, of_event
from controller.model import DetectionEvent
from controller.privacy_desk import PrivacyDesk
from controller.store import Store
from controller.store.journal import Kind
from core.ids import SiteName

MOST: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event or episode as it is now, its place in the journal, and when it was entered there."""

    seq: int
    at: datetime
    found: DetectionEvent | Episode

    @property
    def record(self) -> Record:
        if isinstance(self.found, DetectionEvent):
            return of_event(self.found, seq=self.seq, at=self.at)
        return of_episode(self.found, seq=self.seq, at=self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What came after ``since``, in order. ``until`` is where to go on from, also when there was nothing.

    ``missing``: at least so many entries were dropped before they were read. ``head``: the last there is.
    """

    recorded: tuple[Recorded, ...]
    until: int
    missing: int
    head: int

    @property
    def is_all(self) -> bool:
        return self.until >= self.head


def follow(
    store: Store, since: int, *, privacy: PrivacyDesk, limit: int = MOST, sites: frozenset[SiteName] | None = None
) -> Followed:
    """At most ``limit`` entries, with clients as they may be called.

    An episode that is among them several times is given at its last place.
    """
    page = store.journal(since, limit=limit, sites=sites)
    events = store.events_of([entry.subject for entry in page.entries if entry.kind is Kind.EVENT])
    episodes = store.episodes_of([entry.subject for entry in page.entries if entry.kind is Kind.EPISODE])
    found: dict[str, Recorded] = {}
    for entry in page.entries:
        one = (events if entry.kind is Kind.EVENT else episodes).get(entry.subject)  # dropped since, or not
        if one is not None:
            found.pop(entry.subject, None)
            told = privacy.event(one) if isinstance(one, DetectionEvent) else privacy.episode(one)
            found[entry.subject] = Recorded(seq=entry.seq, at=entry.at, found=told)
    return Followed(recorded=tuple(found.values()), until=page.until, missing=page.missing, head=page.head)


__all__ = ["Followed", "Recorded", "follow"]
