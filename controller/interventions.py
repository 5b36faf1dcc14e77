"""What people do in an emergency, carried out: kept, put in force, and followed to the devices.

``EmergencyDesk`` keeps actions and tells of them; here a withdrawal meets the list in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from datetime import datetime

from controller.emergencies import EmergencyDesk
from controller.errors import Conflict
from controller.locks import Lock
from controller.model import Emergency, Mode
from controller.model import EmergencyKind as Kind
from controller.store import Store
from controller.withdrawing import emptied_by, met, parse_value, would_empty
from controller.withholding import IN_FORCE_WAIT, Withholding
from ipsets.errors import NoSnapshot
from ipsets.model import Snapshot


class Interventions:
    """One for a controller. ``putting`` is the lock of the list in force, over all processes.

    ``follow`` brings what was decided to the devices.
    """

    def __init__(
        self,
        store: Store,
        emergencies: EmergencyDesk,
        withholding: Withholding,
        *,
        putting: Lock,
        follow: Callable[[Emergency], None],
    ) -> None:
        self._store = store
        self._emergencies = emergencies
        self._withholding = withholding
        self._putting = putting
        self._follow = follow

    def by(self, emergencies: EmergencyDesk) -> Interventions:
        """The same for somebody whose access ends where that of the desk does."""
        narrow = copy(self)
        narrow._emergencies = emergencies
        return narrow

    def withdraw(
        self, value: str, *, actor: str, reason: str, ends: datetime, empties: Iterable[str] = ()
    ) -> Emergency:
        """Take one network or name off what is enforced, everywhere, until ``ends``; refreshes do not bring it back.

        ``empties``: the services that it leaves without any address, or any name, each said once more by its name.

        Raises ``Invalid``; ``NoSnapshot``; ``Conflict``: it is not on the list, or ``empties`` names a service that
        keeps something; ``WouldEmpty``: one that keeps nothing was not named.
        """
        begun = self._emergencies.begin(
            Kind.WITHDRAW, actor=actor, reason=reason, ends=ends, value=value, empties=empties
        )
        with self._putting.hold(wait=IN_FORCE_WAIT):  # a refresh that goes on for long does not keep it waiting
            self._refuse_unfit(begun)
            self._emergencies.keep(begun)
            self._withholding.settle(actor=actor)
        self._follow(begun)
        return begun

    def _refuse_unfit(self, begun: Emergency) -> None:
        if (why := met(self._in_force(), parse_value(begun.value))) is not None:
            raise Conflict(why, hint="`tokgate intel explain` says what covers an address or a name")
        base = self._withholding.base() or self._in_force()
        bare = emptied_by(base, self._emergencies.withdrawn(), begun)
        if unnamed := [found for found in bare if found.service not in begun.empties]:
            raise would_empty(unnamed)
        kept = [name for name in begun.empties if name not in {found.service for found in bare}]
        if kept:
            raise Conflict(
                f"it does not empty {', '.join(kept)}; nothing was changed",
                hint="name only what would have nothing left, or nothing at all",
            )

    def _in_force(self) -> Snapshot:
        current = self._store.current_snapshot()
        if current is None:
            raise NoSnapshot("no intelligence yet", hint="run `tokgate intel refresh`")
        return current

    def switch(
        self, mode: Mode, sites: Iterable[str] = (), *, actor: str, reason: str, ends: datetime | None
    ) -> Emergency:
        """Have these sites, or all, do no more than ``monitor`` or ``off``; the lists stay on their devices.

        Raises ``Invalid``, ``NotFound``.
        """
        begun = self._emergencies.begin(Kind.SWITCH, actor=actor, reason=reason, ends=ends, mode=mode, sites=sites)
        self._emergencies.keep(begun)
        self._follow(begun)
        return begun

    def pause(self, sites: Iterable[str] = (), *, actor: str, reason: str, ends: datetime) -> Emergency:
        """Send nothing to these sites, or to any, until ``ends``. Raises ``Invalid``, ``NotFound``."""
        begun = self._emergencies.begin(Kind.PAUSE, actor=actor, reason=reason, ends=ends, sites=sites)
        self._emergencies.keep(begun)
        return begun

    def end(self, emergency_id: str, *, actor: str, reason: str = "") -> Emergency:
        """Raises ``NotFound``; ``Conflict``: it is over, or one that stays would leave a service with nothing."""
        over = self._emergencies.end(emergency_id, actor=actor, reason=reason)
        self._settle(actor=actor)
        self._follow(over)
        return over

    def end_due(self) -> tuple[Emergency, ...]:
        """What time has ended; and what was cut short between a decision and the list is carried on.

        Asked by the schedule, and before work on lists and devices: there may be no schedule.
        """
        over = self._emergencies.end_due()
        self._settle(actor="system")
        return over

    def _settle(self, *, actor: str) -> None:
        if self._withholding.is_settled():
            return
        with self._putting.hold(wait=IN_FORCE_WAIT):
            self._withholding.settle(actor=actor)
