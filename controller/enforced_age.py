"""How old the last proof of each site is, and whether the promise about it is kept. Pure.

A proof is a read-back that left a device as it was wanted, or found it so. The age of a site is that of its device that
was proven longest ago. A look that failed proves nothing and takes nothing away; one that found something else ends
what the proof before it stood for, back to that proof, for nobody knows when it happened.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from controller.coverage import PROVEN, Coverage, coverage
from controller.model import Observation, Window
from core.ids import DeviceName, SiteName

PERIOD: Final = timedelta(days=30)
"""Of the error budget."""
BURNS: Final = (timedelta(hours=1), timedelta(hours=6), PERIOD)
FAST_BURN: Final = (14.4, 6.0)
"""Over an hour and over six: at such a rate a month's budget is gone in two days, or in five."""
_REFUSED: Final = re.compile(r"TG[0-9]{4} ")
"""How the cause of a look begins whose change came to nothing."""


def is_proof(look: Observation) -> bool:
    """Whether the look ended with the device as it was wanted."""
    return look.left in PROVEN and not is_held(look)


def is_held(look: Observation) -> bool:
    """It still holds what it held, and not what it should by now: an error stood between."""
    return look.found is not None and look.found is look.left and bool(_REFUSED.match(look.cause))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Time of sites: all that counts, and in how much of it the last proof was young enough. Seconds."""

    counted: float = 0.0
    kept: float = 0.0

    def plus(self, other: Kept) -> Kept:
        return Kept(counted=self.counted + other.counted, kept=self.kept + other.kept)

    @property
    def share(self) -> float | None:
        """None: no time counts yet."""
        return self.kept / self.counted if self.counted else None

    def burn(self, target: float) -> float | None:
        """How many times faster than allowed the budget goes; 1 uses it up exactly."""
        return None if self.share is None else (1 - self.share) / (1 - target)


def kept(
    looks: Sequence[Observation],
    windows: Sequence[Window],
    *,
    devices: Sequence[DeviceName],
    now: datetime,
    target: timedelta,
    since: datetime | None,
) -> list[Kept]:
    """How long in each of the windows the site's proof was no older than ``target``.

    ``since``: from when on the site counts; None: it was never looked at, and nothing of it counts.
    """
    if since is None:
        return [Kept() for _ in windows]
    good = [look for look in looks if look.found is not None and not is_held(look)]
    whole = Window(max(since, min(w.start for w in windows)), min(now, max(w.end for w in windows)))
    known = coverage(good, whole, devices=devices, now=now, freshness=target)
    return [_kept_in(known, Window(max(w.start, since), min(w.end, now))) for w in windows]


def _kept_in(known: Coverage, window: Window) -> Kept:
    if window.start >= window.end:
        return Kept()
    parts = (
        min(span.window.end, window.end) - max(span.window.start, window.start)
        for span in known.spans
        if span.state in PROVEN and span.window.start < window.end and span.window.end > window.start
    )
    return Kept(counted=window.seconds, kept=sum(parts, timedelta()).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteAge:
    """How old a site's last proof is. ``age`` None: one of its devices was never proven, or it has none."""

    site: SiteName
    age: timedelta | None
    proven_at: datetime | None
    device: DeviceName | None  # which one was proven longest ago, or never


def site_age(site: SiteName, proven: Mapping[DeviceName, datetime | None], now: datetime) -> SiteAge:
    never = next((device for device, at in proven.items() if at is None), None)
    if never is not None or not proven:
        return SiteAge(site=site, age=None, proven_at=None, device=never)
    device, at = min(((device, at) for device, at in proven.items() if at is not None), key=lambda pair: pair[1])
    return SiteAge(site=site, age=max(now - at, timedelta()), proven_at=at, device=device)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetAge:
    """The fleet's main number. An age that is not known is older than any other: a figure that it falls on is None."""

    sites: int
    never: int  # sites without any proof
    p50: timedelta | None
    p95: timedelta | None
    most: timedelta | None


def fleet_age(ages: Iterable[SiteAge]) -> FleetAge:
    """By nearest rank."""
    known = [site.age for site in ages]
    ranked = sorted(age for age in known if age is not None)
    padded: list[timedelta | None] = [*ranked, *([None] * (len(known) - len(ranked)))]

    def at(share: float) -> timedelta | None:
        return padded[ceil(share * len(padded)) - 1] if padded else None

    return FleetAge(sites=len(known), never=len(known) - len(ranked), p50=at(0.5), p95=at(0.95), most=at(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a promise came to. ``burns`` in the order of ``BURNS``."""

    target: timedelta
    share: float
    burns: tuple[Kept, ...]

    @property
    def left(self) -> float | None:
        """The share of the period's error budget that is left; below zero it is overspent; None: nothing counts yet."""
        burn = self.burns[-1].burn(self.share)
        return None if burn is None else 1 - burn

    @property
    def is_missed(self) -> bool:
        """Over the whole period."""
        return self.left is not None and self.left < 0

    @property
    def is_burning(self) -> bool:
        """So fast that it will be missed in days, unless somebody looks."""
        rates = [each.burn(self.share) for each in self.burns[: len(FAST_BURN)]]
        return all(rate is not None and rate >= most for rate, most in zip(rates, FAST_BURN, strict=True))


__all__ = [
    "BURNS",
    "PERIOD",
    "Budget",
    "FleetAge",
    "Kept",
    "SiteAge",
    "fleet_age",
    "is_held",
    "is_proof",
    "kept",
    "site_age",
]
