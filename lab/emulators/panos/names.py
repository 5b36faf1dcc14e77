"""FQDN objects: what names resolve to, once a rule uses them.

At most 32 addresses a family, 10 before 7.1. Up to 8.1 everything is looked up again every 30 minutes; later each name
after its TTL, 30 seconds at least (PAN-OS administrator's guides, FQDN refresh).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from core.net import Address
from lab.emulators.panos.switches import Model
from lab.emulators.traffic import Names

_TTL: Final = 3600
"""What every answer says of how long it holds; the names here have no TTL of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    addresses: tuple[Address, ...]
    at: datetime


@dataclass(slots=True, kw_only=True)
class Resolver:
    names: Names
    model: Model
    known: dict[str, Resolved] = field(default_factory=dict)
    asked: datetime | None = None

    @property
    def every(self) -> timedelta:
        return timedelta(minutes=30) if self.model.release < (9, 0) else timedelta(seconds=30)

    def use(self, wanted: set[str], now: datetime) -> None:
        """These names are in rules now; the others are forgotten."""
        self.known = {name: found for name, found in self.known.items() if name in wanted}
        for name in sorted(wanted - set(self.known)):
            self._ask(name, now)

    def tick(self, now: datetime) -> None:
        for name, found in list(self.known.items()):
            if now - found.at >= self.every:
                self._ask(name, now)

    def refresh(self, now: datetime) -> None:
        for name in list(self.known):
            self._ask(name, now)

    def _ask(self, name: str, now: datetime) -> None:
        """A name that is not answered keeps what it had."""
        old = self.known.get(name)
        answer = self.names.get(name)
        if answer is None:
            answer = old.addresses if old is not None else ()
        most = 10 if self.model.release < (7, 1) else 32
        kept = [each for version in (4, 6) for each in [a for a in answer if a.version == version][:most]]
        self.known[name], self.asked = Resolved(addresses=tuple(kept), at=now), now

    def addresses(self, name: str) -> tuple[Address, ...]:
        found = self.known.get(name)
        return found.addresses if found is not None else ()

    def remaining(self, name: str, now: datetime) -> tuple[int, int]:
        """Remaining TTL and seconds since the last refresh."""
        since = int((now - self.known[name].at).total_seconds())
        return max(0, _TTL - since), since
