"""Receiving evidence, and what of it was set aside: the receiver of this process, and what people ask about both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from controller.evidence.model import Intake, Quarantine
from controller.evidence.receiving import Figures, Receiver
from controller.evidence.setting_aside import SetAside
from controller.inventory import Inventory
from controller.reach import EVERYWHERE, Reach
from controller.reports.making import HIDDEN
from controller.store import QuarantineQuery, Store
from controller.views import Check
from core.clock import Clock
from core.errors import ConfigError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivingDesk:
    """One for a controller. ``running``: at most one receiver, of this process; the narrowed desks share it."""

    store: Store
    inventory: Inventory
    clock: Clock
    intake: Intake
    reach: Reach = EVERYWHERE
    running: list[Receiver] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # why it does not listen, though it should

    def within(self, reach: Reach) -> ReceivingDesk:
        return replace(self, reach=reach)

    @contextmanager
    def listening(self, *, or_go_on: bool = False) -> Iterator[None]:
        """Listen where the inventory says, for as long as the block runs. Raises ``ConfigError``.

        ``or_go_on``: where that cannot be, say so and run the block all the same: a process that enforces does not end
        because an edited inventory names a port that is taken.
        """
        receiver = self._receiver(or_go_on=or_go_on) if self.inventory.evidence.listen else None
        if receiver is None:
            yield
            return
        with receiver:
            self.running.append(receiver)
            try:
                yield
            finally:
                self.running.remove(receiver)

    def _receiver(self, *, or_go_on: bool) -> Receiver | None:
        try:
            return Receiver(self.inventory, self.intake, self.clock)
        except ConfigError as exc:
            if not or_go_on:
                raise
            log.warning("evidence.not_listening", code=exc.code, error=str(exc))
            self.refused.append(str(exc))
            return None

    def figures(self) -> Figures | None:
        """What this process received so far; None: it does not listen."""
        return self.running[0].figures() if self.running else None

    def checks(self) -> list[Check]:
        """Whether receiving works in this process; nothing when it does not listen."""
        found = [Check(name="evidence", ok=False, message=why) for why in self.refused]
        for receiver in self.running:
            troubles, now = receiver.troubles(), receiver.figures()
            well = f"{now.received.total()} messages received, {now.rejected.total()} set aside"
            found.append(Check(name="evidence", ok=not troubles, message="; ".join(troubles) or well))
        return found

    def find(
        self, wanted: QuarantineQuery, *, limit: int, before: tuple[datetime, int] | None = None
    ) -> list[SetAside]:
        """What was set aside: what happened last first. ``before``: ``last_at`` and ``id`` of the last one seen."""
        found = self.store.quarantined(self._within(wanted), limit=limit, before=before)
        return [one if self.inventory.privacy_at(one.site).is_open else _unread(one) for one in found]

    def count(self, wanted: QuarantineQuery, *, most: int) -> int:
        return self.store.quarantined_count(self._within(wanted), most=most)

    def sums(self) -> dict[Quarantine, int]:
        """How many records are set aside for each reason, of all sites."""
        return self.store.quarantine_sums()

    def _within(self, wanted: QuarantineQuery) -> QuarantineQuery:
        return replace(wanted, sites=self.reach.sites, by_who=not self.inventory.closed())


def _unread(found: SetAside) -> SetAside:
    """Nobody knows what a record says of whom that could not be read; where identities are not shown, it is not."""
    samples = tuple(replace(sample, text=HIDDEN, detail="") for sample in found.samples)
    return replace(found, samples=samples)


__all__ = ["ReceivingDesk"]
