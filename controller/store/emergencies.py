"""Emergency actions."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from controller.alerts import AlertNote
from controller.audit import AuditNote
from controller.model import Emergency
from controller.store.history import History
from controller.store.jsons import EMERGENCIES
from controller.store.shelf import get_meta, put_meta
from controller.versions import emergency_version, refuse_changed

KEY: Final = "emergencies"
MAX_OVER: Final = 500
"""Of those that are over, so many are remembered; the audit log has all."""


class Emergencies(History):
    """Few at a time, so they are one value and are read at once."""

    def emergencies(self) -> tuple[Emergency, ...]:
        """In the order in which they began."""
        with self._db.read() as connection:
            return _read(get_meta(connection, KEY) or "[]")

    def put_emergency(self, emergency: Emergency, *, audit: AuditNote | None, alert: AlertNote | None) -> None:
        """Keep a new one, or another state of one that is known; one that another process ended meanwhile stays so."""
        with self._db.write() as connection:
            known = {e.id: e for e in _read(get_meta(connection, KEY) or "[]")}
            if (before := known.get(emergency.id)) is not None and before.ended_at is not None:
                return
            if before is not None:
                refuse_changed(emergency_version(before), what=f"emergency action {before.id}")
            known[emergency.id] = emergency
            over = sorted(e.id for e in known.values() if e.ended_at is not None)
            for old in over[:-MAX_OVER]:
                del known[old]
            put_meta(connection, KEY, EMERGENCIES.dumps(tuple(known[key] for key in sorted(known))))
            self._raise_alerts(connection, [alert] if alert is not None else [], self._clock.now())
            self._log(connection, audit)


@lru_cache(maxsize=4)
def _read(text: str) -> tuple[Emergency, ...]:
    return EMERGENCIES.loads(text)


__all__ = ["Emergencies"]
