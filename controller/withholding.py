"""The list in force without what is withdrawn from it: a snapshot of its own, made anew from the one behind it.

Refreshes, pins and imports put a list in force through here, so that a withdrawal outlives them; when it ends, the list
behind it is in force again.
"""

from __future__ import annotations

from dataclasses import replace

from controller.audit import AuditNote
from controller.emergencies import EmergencyDesk, without
from controller.model import Pin
from controller.store import PUT_IN_FORCE, Store, Withheld
from ipsets.errors import NoSnapshot
from ipsets.model import Snapshot


class Withholding:
    """One for a controller. Whoever changes what is in force holds a lock over all processes meanwhile."""

    def __init__(self, store: Store, emergencies: EmergencyDesk) -> None:
        self._store = store
        self._emergencies = emergencies

    def base(self) -> Snapshot | None:
        """The list behind the one in force, which is itself where nothing is withdrawn; None before the first."""
        current, known = self._store.current_snapshot(), self._store.withheld()
        if current is None or known is None or known.derived != current.id:
            return current
        try:
            return self._store.snapshot(known.base)
        except NoSnapshot:  # older than the retention: what is in force is all that is left
            return current

    def applied(self, base: Snapshot) -> Snapshot:
        """``base`` without what is withdrawn now, kept. Raises ``Conflict``: a service would be left with nothing."""
        withdrawn = self._emergencies.withdrawn()
        derived = without(base, withdrawn)
        if derived is not base:
            self._store.save_snapshot(derived)
        ids = tuple(sorted(e.id for e in withdrawn))
        known = Withheld(base=base.id, derived=derived.id, ids=ids)
        if known != self._store.withheld():
            self._store.put_withheld(known)
        return derived

    def is_settled(self) -> bool:
        """Whether what is in force lacks just what is withdrawn now."""
        current, known = self._store.current_snapshot(), self._store.withheld()
        held = known.ids if known is not None and current is not None and known.derived == current.id else ()
        return current is None or held == tuple(sorted(e.id for e in self._emergencies.withdrawn()))

    def settle(self, *, actor: str) -> None:
        """Bring what is in force to what is withdrawn now."""
        current, base = self._store.current_snapshot(), self.base()
        if current is None or base is None or self.is_settled():
            return
        derived = self.applied(base)
        if derived.id != current.id:
            self._put_in_force(derived, actor)

    def _put_in_force(self, snapshot: Snapshot, actor: str) -> None:
        pin = self._store.pin()
        detail = {"withdrawn": [e.value for e in self._emergencies.withdrawn()]}
        note = AuditNote(actor=actor, action=PUT_IN_FORCE, subject=snapshot.id[:12], detail=detail)
        if pin is None:
            self._store.set_current(snapshot.id, audit=note)
        else:
            self._store.set_pin(_moved(pin, snapshot), audit=replace(note, action="snapshot.withhold"))


def _moved(pin: Pin, snapshot: Snapshot) -> Pin:
    """A person's word holds for the list, with or without what is withdrawn from it."""
    return replace(pin, snapshot=snapshot.id)
