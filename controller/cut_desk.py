"""Open flows that changes ended at the edge from allowed to blocked: what people ask about them. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from controller.reach import EVERYWHERE, Reach
from controller.store import CutQuery, FlowsCut, Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CutDesk:
    """One for a controller."""

    store: Store
    reach: Reach = EVERYWHERE

    def find(self, wanted: CutQuery, *, limit: int = 100, before: tuple[str, str] | None = None) -> list[FlowsCut]:
        """The newest first, or the oldest; ``before`` is the run and the device of the last one already seen."""
        return self.store.cuts(limit=limit, before=before, wanted=self._within(wanted))

    def count(self, wanted: CutQuery, *, most: int) -> int:
        return self.store.cut_count(self._within(wanted), most=most)

    def _within(self, wanted: CutQuery) -> CutQuery:
        return replace(wanted, sites=self.reach.sites)
