"""The list in force without what is withdrawn from it: a snapshot of its own, made anew from the one behind it.

Refreshes, pins and imports put a list in force through here, so that a withdrawal outlives them; when it ends, the list
behind it is in force again. Which list that is, is kept in the transaction that puts the other one in force.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from controller.audit import AuditNote
from controller.emergencies import EmergencyDesk
from controller.model import Pin
from controller.store import PUT_IN_FORCE, Store, Withheld
from controller.withdrawing import without
from ipsets.errors import NoSnapshot
from ipsets.model import WITHDRAWN, Snapshot

IN_FORCE_WAIT: Final = timedelta(seconds=30)
"""How long one waits for the lock."""


class Withholding:
    """One for a controller. Whoever changes what is in force holds a lock over all processes meanwhile."""

    def __init__(self, store: Store, emergencies: EmergencyDesk) -> None:
        self._store = store
        self._emergencies = emergencies

    def base(self) -> Snapshot | None:
        """The list behind the one in force, which is itself where nothing is withdrawn; None before the first."""
        current = self._store.current_snapshot()
        return None if current is None else self.behind(current)

    def behind(self, snapshot: Snapshot) -> Snapshot:
        """The list behind one: another one only for the list in force, while something is withdrawn from it."""
        known = self._store.withheld()
        if known is None or known.derived != snapshot.id:
            return snapshot
        try:
            return self._store.snapshot(known.base)
        except NoSnapshot:  # a store from before dropped it with the old ones: what is in force is all that is left
            return snapshot

    def base_before(self) -> Snapshot:
        """The list that was in force before the one behind today's; lists without what was withdrawn are passed over.

        Raises ``NoSnapshot``.
        """
        base = self.base()
        passed = [] if base is None else [base.id]
        while (before := self._store.in_force_before(*passed)) is not None:
            found = self._store.snapshot(before)
            if not any(verdict.guard == WITHDRAWN for verdict in found.dropped):
                return found
            passed.append(found.id)
        raise NoSnapshot("no other snapshot was in force before", hint="`tokgate intel pin` takes any stored one")

    def applied(self, base: Snapshot) -> tuple[Snapshot, Withheld]:
        """``base`` without what is withdrawn now, saved; and the word on it, to be kept when it is put in force.

        Raises ``Conflict``: a service would be left with nothing.
        """
        withdrawn = self._emergencies.withdrawn()
        derived = without(base, withdrawn)
        if derived is not base:
            self._store.save_snapshot(derived)
        ids = tuple(sorted(e.id for e in withdrawn))
        return derived, Withheld(base=base.id, derived=derived.id, ids=ids)

    def is_settled(self) -> bool:
        """Whether what is in force lacks just what is withdrawn now."""
        known = self._store.withheld()
        held = known.ids if known is not None else ()
        return self._store.current_snapshot() is None or held == tuple(
            sorted(e.id for e in self._emergencies.withdrawn())
        )

    def settle(self, *, actor: str) -> None:
        """Bring what is in force to what is withdrawn now."""
        base = self.base()
        if base is not None and not self.is_settled():
            self.put(base, actor=actor)

    def put(self, base: Snapshot, *, actor: str) -> None:
        """Have ``base`` in force without what is withdrawn now; a pin holds what it held. Raises as ``applied``."""
        derived, withheld = self.applied(base)
        current, pin = self._store.current_snapshot(), self._store.pin()
        detail = {"withdrawn": [e.value for e in self._emergencies.withdrawn()]}
        note = AuditNote(actor=actor, action=PUT_IN_FORCE, subject=derived.id[:12], detail=detail)
        if current is not None and derived.id == current.id:
            if withheld != self._store.withheld():
                self._store.put_withheld(withheld)
        elif pin is None:
            self._store.set_current(derived.id, withheld=withheld, audit=note)
        else:
            note = replace(note, action="snapshot.withhold")
            self._store.set_pin(_moved(pin, derived), withheld=withheld, audit=note)


def _moved(pin: Pin, snapshot: Snapshot) -> Pin:
    """A person's word holds for the list, with or without what is withdrawn from it."""
    return replace(pin, snapshot=snapshot.id)
