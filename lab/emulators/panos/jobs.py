"""Jobs: what was queued, what runs, what came of it; and the tables of `show jobs`.

Since 7.1 commits queue (PAN-OS 7.1, commit queueing). Three table widths were seen (ntc-templates and the vendor's
knowledge base); the widest is not on record to the blank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from lab.emulators.panos.tree import Node

Kind = Literal["Commit", "Validate", "EDLRefresh", "FqdnRefresh", "HA-Sync", "AutoCom", "CommitAll"]


@dataclass(slots=True, kw_only=True)
class Job:
    """``tree``: what runs once it is done. Its end is known when it is queued, and shown when the clock is there."""

    id: int
    kind: Kind
    enqueued: datetime
    dequeued: datetime
    done: datetime
    ok: bool = True
    admin: str = ""
    description: str = ""
    warnings: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    tree: Node | None = None
    finished: bool = False
    cancelled: bool = False

    def status(self, now: datetime) -> str:
        if self.cancelled or now >= self.done:
            return "FIN"
        return "ACT" if now >= self.dequeued else "PEND"

    def result(self, now: datetime) -> str:
        if self.status(now) != "FIN":
            return "PEND"
        return "OK" if self.ok and not self.cancelled else "FAIL"

    def completed(self, now: datetime, tz: TimeZone) -> str:
        if self.status(now) == "FIN":
            return f" {tz.local(self.done):%H:%M:%S}  "
        whole = (self.done - self.dequeued).total_seconds()
        share = (now - self.dequeued).total_seconds() / whole if whole and now > self.dequeued else 0
        return f"{int(share * 100)}%"


class TimeZone:
    """Of the device: `deviceconfig system timezone`."""

    def __init__(self, name: str) -> None:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            self._zone = ZoneInfo(name or "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            self._zone = ZoneInfo("UTC")

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self._zone)

    def aware(self, at: datetime) -> datetime:
        return at.replace(tzinfo=self._zone)


_WIDTHS: Final = {
    "plain": (("Enqueued", 19), ("ID", 12), ("Type", 17), ("Status", 10), ("Result", 7), ("Completed", 11)),
    "dequeued": (
        ("Enqueued", 20), ("Dequeued", 8), ("ID", 5), ("Type", 7), ("Status", 7), ("Result", 7), ("Completed", 11),
    ),
    "wide": (
        ("Enqueued", 22), ("Dequeued", 10), ("ID", 12), ("PositionInQ", 13), ("Type", 33), ("Status", 8),
        ("Result", 7), ("Completed", 11),
    ),
}  # fmt: skip
_LEFT: Final = ("Enqueued", "Dequeued")


def table(jobs: Sequence[Job], now: datetime, tz: TimeZone, form: str) -> list[str]:
    """Lines: the header, dashes, a row each."""
    rows = [_row(job, now, tz, jobs) for job in jobs]
    columns = [(name, _wide(name, width, rows)) for name, width in _WIDTHS[form]]
    header = "".join(_cell(name, name if name != "Completed" else "Completed ", width) for name, width in columns)
    body = ["".join(_cell(name, row[name], width) for name, width in columns) for row in rows]
    dashes = "-" * (sum(width for _, width in columns) - (2 if form == "plain" else 0))
    return [header, dashes, *body]


def _wide(name: str, width: int, rows: Sequence[dict[str, str]]) -> int:
    """A longer value widens its column, with a blank before it."""
    if name in _LEFT or name == "Completed":
        return width
    return max([width, *(len(row[name]) + 1 for row in rows)])


def _cell(name: str, text: str, width: int) -> str:
    return text.ljust(width) if name in _LEFT else text.rjust(width)


def _row(job: Job, now: datetime, tz: TimeZone, jobs: Sequence[Job]) -> dict[str, str]:
    waiting = [each for each in jobs if each.status(now) == "PEND"]
    return {
        "Enqueued": f"{tz.local(job.enqueued):%Y/%m/%d %H:%M:%S}",
        "Dequeued": f"{tz.local(job.dequeued):%H:%M:%S}" if job.status(now) != "PEND" else "",
        "ID": str(job.id),
        "PositionInQ": str(sorted(each.id for each in waiting).index(job.id) + 1) if job in waiting else "",
        "Type": job.kind,
        "Status": job.status(now),
        "Result": job.result(now),
        "Completed": job.completed(now, tz),
    }
