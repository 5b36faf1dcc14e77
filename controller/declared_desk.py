"""Where what files say is compared with what is in force, and carried into it."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from pathlib import Path

from controller import exceptions as lifecycle
from controller.declared import CHANGING, DeclaredChange, differences, guard_gone, load_declared
from controller.errors import Invalid, InventoryError
from controller.exception_desk import note_of
from controller.exceptions import check_text
from controller.inventory import Inventory, load_inventory
from controller.inventory.moves import MovedPart, moved, parts_of
from controller.model import AccessException, ExceptionState
from controller.reach import EVERYWHERE, Reach
from controller.store import Store
from core.clock import Clock
from ipsets.errors import GuardTripped


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDrift:
    """How what is in force differs from the files as they are now.

    ``serving`` and ``on_disk`` are digests of the inventory: of the one that the schedule follows (None: none ever ran)
    and of the file (None: it cannot be read, and ``trouble`` says why).
    """

    serving: str | None
    on_disk: str | None
    trouble: str
    exceptions: tuple[DeclaredChange, ...]
    parts: tuple[MovedPart, ...] | None = None  # of the inventory, that differ; None: not known

    @property
    def moved(self) -> bool:
        """Whether the inventory was edited since the schedule last took it up."""
        return self.serving is not None and self.on_disk is not None and self.serving != self.on_disk

    @property
    def is_none(self) -> bool:
        """Whether all is as the files say."""
        return not (self.moved or self.trouble or any(change.kind in CHANGING for change in self.exceptions))


class DeclaredDesk:
    """One for a controller. It touches no device: the schedule follows what is kept."""

    def __init__(self, store: Store, inventory: Inventory, clock: Clock, *, path: Path) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._path = path
        self._reach = EVERYWHERE

    def within(self, reach: Reach) -> DeclaredDesk:
        """The same desk for somebody whose access ends there: of the file they see what is for their sites alone."""
        narrow = copy(self)
        narrow._reach = reach
        return narrow

    def drift(self) -> ConfigDrift:
        """Read the files anew and compare. A file that is wrong is told, not raised."""
        serving = self._store.inventory_followed()
        on_disk = None
        try:
            inventory = load_inventory(self._path)
            on_disk = inventory.digest
            found = self._differences(inventory, actor="")
        except InventoryError as exc:
            trouble = str(exc) if self._reach.is_everywhere else "a file is wrong"
            return ConfigDrift(serving=serving, on_disk=on_disk, trouble=trouble, exceptions=())
        seen = tuple(change for change in found if all(map(self._reach.has, change.sites)))
        parts = self._moved(inventory) if serving not in (None, on_disk) else ()
        return ConfigDrift(serving=serving, on_disk=on_disk, trouble="", exceptions=seen, parts=parts)

    def _moved(self, inventory: Inventory) -> tuple[MovedPart, ...] | None:
        """Those of the sites that are seen; what is of more than one only for who sees all."""
        if (known := self._store.inventory_parts()) is None:
            return None
        found = moved(known, parts_of(inventory))
        return tuple(part for part in found if self._reach.is_everywhere or self._is_seen(part))

    def _is_seen(self, part: MovedPart) -> bool:
        return part.site is not None and self._reach.has(part.site)

    def differences(self, *, actor: str) -> tuple[DeclaredChange, ...]:
        """What ``carry_out`` would do. Raises ``InventoryError``: the file is wrong."""
        return self._differences(self._inventory, actor=actor)

    def _differences(self, inventory: Inventory, *, actor: str) -> tuple[DeclaredChange, ...]:
        now = self._clock.now()
        declared = load_declared(inventory, now)
        found = differences(declared, self._store.exceptions(), inventory, now, actor=actor)
        for change in found:
            if change.add is not None:
                self._refuse_approvers(change.key, change.add, inventory)
        return found

    def _refuse_approvers(self, key: str, given: AccessException, inventory: Inventory) -> None:
        """Raises ``InventoryError`` unless they hold the role that the reason demands, which only we know, and only of
        now: what was given stays when they lose it."""
        named, rule = [a.actor for a in given.approvals], inventory.exceptions.reasons[given.code]
        try:
            lifecycle.check_named_approvers(
                named, (given.requested_by, given.lead), rule, roles_of=self._store.roles_of
            )
        except Invalid as exc:
            _, _, said = exc.message.partition(": ")
            place = f"{inventory.exceptions.file}: exceptions.{key}.approved_by"
            raise InventoryError(said, hint="name somebody who signs in here and holds that role", place=place) from exc

    def carry_out(self, *, actor: str, reason: str, force: bool = False) -> tuple[DeclaredChange, ...]:
        """Make what is kept say what the file says, and have a schedule that runs take up the inventory on disk.

        Returns what was changed. Said again after an interruption, it does what is left. Raises ``InventoryError``;
        ``GuardTripped``: more would end than a person may expect, and nothing was changed; ``Invalid``: forced without
        a reason.
        """
        check_text("reason", reason, required=force)
        changes = [c for c in self.differences(actor=actor) if c.kind in CHANGING]
        held = [e for e in self._store.exceptions(state=ExceptionState.APPROVED) if e.declared is not None]
        why = guard_gone(changes, len(held))
        if why is not None and not force:
            raise GuardTripped(why, hint="nothing was changed; if it is meant, --force with a --reason")
        for change in changes:
            self._carry_out(change, actor, reason)
        self._store.ask_inventory(self._inventory.digest)
        return tuple(changes)

    def _carry_out(self, change: DeclaredChange, actor: str, reason: str) -> None:
        """Given before taken: who may pass under both passes all the time."""
        now = self._clock.now()
        if change.add is not None:
            self._store.add_exception(change.add, audit=note_of(actor, "exception.declare", change.add, reason))
        for before in change.end:
            after = lifecycle.revoke(before, now=now)
            note = note_of(actor, "exception.undeclare", after, reason or change.told)
            self._store.update_exception(after, expected_state=before.state, audit=note, instead_of=before)
