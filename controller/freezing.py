"""Freeze periods and change windows: whether tokgate may change the devices of a site at a moment.

Pure. Asked right before something is sent, and never again until that is done: a change that has begun ends. A freeze
beats a window. What a freeze lets through is policy (``Hold``): modes and exceptions of this moment, and putting back
what a hand took off; the list stays the one that the device holds. [docs/decisions/0018]
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from controller.desired import Facts, held_signature, signature
from controller.inventory.changes import Changes, ChangeWindow, Freeze, Hold
from controller.model import DeviceStatus
from controller.windows import NO_HOLIDAYS, DayHours, edges, is_open


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """Why nothing is sent now, and until when."""

    hold: Hold
    reason: str
    until: datetime | None  # UTC; None: not within two weeks

    def __str__(self) -> str:
        until = f" until {self.until:%Y-%m-%d %H:%M}Z" if self.until is not None else ""
        return f"{self.reason}{until}"


def frozen_at(
    said: tuple[Changes, ...], zone: ZoneInfo, at: datetime, *, holidays: AbstractSet[date] = NO_HOLIDAYS
) -> Frozen | None:
    """What holds changes back at ``at`` (aware); None when they may begin. The strictest freeze speaks."""
    state = held_at(said, zone, at, holidays=holidays)
    if state is None:
        return None
    later = _moments(said, zone, at, holidays)
    until = next((moment for moment in later if held_at(said, zone, moment, holidays=holidays) is None), None)
    return Frozen(hold=state[0], reason=state[1], until=until)


def held_at(
    said: tuple[Changes, ...], zone: ZoneInfo, at: datetime, *, holidays: AbstractSet[date] = NO_HOLIDAYS
) -> tuple[Hold, str] | None:
    """As ``frozen_at``, without asking until when: cheap enough for every second."""
    freezes = [freeze for level in said for freeze in level.freezes if _holds(freeze, zone, at, holidays)]
    strict = next((freeze for freeze in freezes if freeze.hold is Hold.EVERYTHING), None)
    if (freeze := strict or next(iter(freezes), None)) is not None:
        return freeze.hold, f"frozen: {freeze.reason}" if freeze.reason else "frozen"
    windows = _windows(said)
    if windows and not any(is_open(window, at.astimezone(zone), holidays) for window in windows):
        return Hold.CHANGES, "outside the change windows"
    return None


def _windows(said: tuple[Changes, ...]) -> tuple[ChangeWindow, ...]:
    return next((level.windows for level in said if level.windows), ())


def _holds(freeze: Freeze, zone: ZoneInfo, at: datetime, holidays: AbstractSet[date]) -> bool:
    if freeze.starts is None or freeze.ends is None:
        return is_open(freeze, at.astimezone(zone), holidays)
    first, last = period(freeze.starts, freeze.ends, zone)
    return first <= at < last


def period(starts: datetime, ends: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The moments of two wall times, UTC; where the clock shows one twice, or never, the longer period."""
    return min(_folds(starts, zone)), max(_folds(ends, zone))


def _folds(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first, second


def _moments(
    said: tuple[Changes, ...], zone: ZoneInfo, at: datetime, holidays: AbstractSet[date]
) -> Iterator[datetime]:
    """Every moment after ``at`` at which the answer may change, in order; UTC."""
    hours: list[DayHours] = [*_windows(said), *(f for level in said for f in level.freezes if f.starts is None)]
    dated = {
        moment
        for level in said
        for f in level.freezes
        if f.starts is not None and f.ends is not None
        for moment in period(f.starts, f.ends, zone)
        if moment > at
    }
    yield from sorted({*edges(hours, zone, at, holidays), *dated})


def goes_on(frozen: Frozen, status: DeviceStatus | None, facts: Facts, *, at: datetime, altered: bool) -> bool:
    """Whether a device is changed in spite of it: to the modes and exceptions of ``at``, or where it was ``altered``.

    Only one that was read back holding what it should at least once: a first push is a change.
    """
    if frozen.hold is Hold.EVERYTHING or status is None or status.enforced_at is None:
        return False
    return altered or _policy(held_signature(status)) != _policy(signature(facts, at))


def _policy(words: str) -> str:
    """A signature without its list."""
    return words.partition("|")[2]
