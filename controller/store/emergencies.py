"""Emergency actions, and which list stands behind the one in force while something is withdrawn from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from controller.alerts import AlertNote
from controller.audit import AuditNote
from controller.model import Emergency
from controller.store.history import History
from controller.store.jsons import EMERGENCIES
from controller.store.shelf import get_meta, put_meta
from core.ids import SnapshotId

KEY: Final = "emergencies"
WITHHELD: Final = "withheld"
MAX_OVER: Final = 500
"""Of those that are over, so many are remembered; the audit log has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """``derived`` is in force: the list ``base`` without what the actions ``ids`` withdraw."""

    base: SnapshotId
    derived: SnapshotId
    ids: tuple[str, ...]


class Emergencies(History):
    """Few at a time, so they are one value and are read at once."""

    def emergencies(self) -> tuple[Emergency, ...]:
        """In the order in which they began."""
        with self._db.read() as connection:
            return _read(get_meta(connection, KEY) or "[]")

    def put_emergency(self, emergency: Emergency, *, audit: AuditNote | None, alert: AlertNote | None) -> None:
        """Keep a new one, or another state of one that is known."""
        with self._db.write() as connection:
            known = {e.id: e for e in _read(get_meta(connection, KEY) or "[]")}
            known[emergency.id] = emergency
            over = sorted(e.id for e in known.values() if e.ended_at is not None)
            for old in over[:-MAX_OVER]:
                del known[old]
            put_meta(connection, KEY, EMERGENCIES.dumps(tuple(known[key] for key in sorted(known))))
            self._raise_alerts(connection, [alert] if alert is not None else [], self._clock.now())
            self._log(connection, audit)

    def withheld(self) -> Withheld | None:
        """None: nothing was ever withdrawn."""
        with self._db.read() as connection:
            text = get_meta(connection, WITHHELD)
        if text is None:
            return None
        said = json.loads(text)
        return Withheld(base=SnapshotId(said["base"]), derived=SnapshotId(said["derived"]), ids=tuple(said["ids"]))

    def put_withheld(self, withheld: Withheld) -> None:
        with self._db.write() as connection:
            content = {"base": withheld.base, "derived": withheld.derived, "ids": list(withheld.ids)}
            put_meta(connection, WITHHELD, json.dumps(content, sort_keys=True))


@lru_cache(maxsize=4)
def _read(text: str) -> tuple[Emergency, ...]:
    return EMERGENCIES.loads(text)


__all__ = ["Emergencies", "Withheld"]
