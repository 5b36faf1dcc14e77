"""What the ages of proofs are asked of, and how the promise about them stood when it was told last."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import select

from controller.alerts import AlertNote
from controller.coverage import PROVEN
from controller.enforced_age import is_held
from controller.store.evidence import look_of
from controller.store.schema import LEAKING, observations, proofs
from controller.store.shelf import Shelf, get_meta, put_meta
from core.ids import DeviceName, SiteName

_SLO: Final = "slo"


class Promises(Shelf):
    def note_slo(self, state: str, *, alert: AlertNote) -> bool:
        """Whether the promise stands otherwise than it was told last; then it is told. At first it is kept."""
        with self._db.write() as connection:
            if (get_meta(connection, _SLO) or "kept") == state:
                return False
            put_meta(connection, _SLO, state)
            self._raise_alerts(connection, [alert], self._clock.now())
        return True

    def leaking_sites(self, since: datetime) -> frozenset[SiteName]:
        """Where anything was seen to leak since then."""
        query = select(proofs.c.site).where(proofs.c.at >= since, LEAKING).distinct()
        with self._db.read() as connection:
            found = connection.execute(query).scalars().all()
        return frozenset(map(SiteName, found))

    def first_look(self, site: SiteName, devices: Iterable[DeviceName]) -> datetime | None:
        """When somebody first tried to look at one of these devices of the site, as far as it is kept."""
        firsts = []
        with self._db.read() as connection:
            for device in devices:
                here = (observations.c.site == site, observations.c.device == device)
                query = select(observations.c.at).where(*here).order_by(observations.c.at).limit(1)
                if (at := connection.execute(query).scalar()) is not None:
                    firsts.append(at)
        return min(firsts, default=None)

    def last_proof(self, site: SiteName, device: DeviceName) -> datetime | None:
        """When a read-back last left the device as it was wanted, whole."""
        proven = sorted(state.value for state in PROVEN)
        here = (observations.c.site == site, observations.c.device == device, observations.c.left.in_(proven))
        query = select(observations).where(*here).order_by(observations.c.at.desc(), observations.c.id.desc())
        with self._db.read() as connection:
            for row in connection.execute(query).mappings():
                if not is_held(look := look_of(row)):
                    return look.at
        return None


__all__ = ["Promises"]
