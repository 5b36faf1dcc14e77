"""Which site-days an auditor looks at: drawn by a seed that anybody can draw by again. Pure.

All whole days (UTC) of all sites are put in the order of sha256("SEED SITE DAY"), and the first of them are taken. So
the draw needs no random numbers of ours, and nobody who knows only the seed can choose what is looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from controller.model import CoverageState, Window
from controller.packs.contents import NOT_PROVEN, SiteFacts, counted, coverage_of, gaps, iso
from core.ids import SiteName

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDay:
    """One day of UTC at one site."""

    site: SiteName
    day: datetime

    @property
    def window(self) -> Window:
        return Window(self.day, self.day + DAY)


def drawn(sites: Iterable[SiteName], window: Window, *, seed: str, count: int) -> list[SiteDay]:
    """So many of them, or all when there are fewer; by day and site."""
    known = [SiteDay(site=site, day=day) for site in sites for day in _days(window)]
    chosen = sorted(known, key=lambda each: _place(each, seed))[:count]
    return sorted(chosen, key=lambda each: (each.day, each.site))


def whole_days(window: Window) -> int:
    return sum(1 for _ in _days(window))


def _days(window: Window) -> Iterator[datetime]:
    """Those that lie wholly inside."""
    day = datetime.combine(window.start.astimezone(UTC).date(), time(), tzinfo=UTC)
    while day + DAY <= window.end:
        if day >= window.start:
            yield day
        day += DAY


def _place(each: SiteDay, seed: str) -> str:
    return hashlib.sha256(f"{seed} {each.site} {each.day:%Y-%m-%d}".encode()).hexdigest()


def proof_of(each: SiteDay, facts: SiteFacts) -> dict[str, Any]:
    """What is recorded of it: the proof, or what is not known and why."""
    known, found = coverage_of(facts), gaps(facts)
    unproven = sum(facts.whole.total(state).total_seconds() for state in NOT_PROVEN)
    unknown = facts.whole.total(CoverageState.UNKNOWN).total_seconds()
    verdict = "proven" if not unproven else "partly proven"
    if unproven >= DAY.total_seconds():
        verdict = "unknown" if unknown == unproven else "not proven"
    looks = sorted(facts.looks, key=lambda look: look.at)
    return {
        "site": each.site,
        "day": f"{each.day:%Y-%m-%d}",
        "verdict": verdict,
        "seconds": known["seconds"],
        "spans": known["spans"],
        "gaps": {**found["devices"], **({"the site": found["site"]} if found["site"] else {})},
        "looks": [
            {
                "device": look.device,
                "from": iso(look.at),
                "to": iso(look.until or look.at),
                "found": look.found and look.found.value,
                "left": look.left and look.left.value,
                "cause": look.cause,
            }
            for look in looks
        ],
        "exceptions": sorted(exception.id for exception in facts.exceptions),
        "counted": counted(facts),
    }


__all__ = ["SiteDay", "drawn", "proof_of", "whole_days"]
