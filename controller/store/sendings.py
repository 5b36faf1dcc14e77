"""Which scheduled reports went where: of each target the last time that was due, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, delete, select

from controller.alerts import AlertNote
from controller.store.schema import report_sendings
from controller.store.shelf import Shelf, put


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One target of one report. ``due``: the time that was last due. ``sent_at`` None: it has not arrived yet.

    ``retry_at`` None: it arrived, or was given up (then ``error`` says why), or it waits for its next time.
    """

    report: str
    target: str
    due: datetime
    attempts: int = 0
    sent_at: datetime | None = None
    retry_at: datetime | None = None
    error: str = ""


class Sendings(Shelf):
    def sendings(self) -> list[Sending]:
        """Of every report and target that was ever due, by name."""
        query = select(report_sendings).order_by(report_sendings.c.report, report_sendings.c.target)
        with self._db.read() as connection:
            return [_sending(row) for row in connection.execute(query).mappings()]

    def put_sending(self, sending: Sending, *, alert: AlertNote | None = None) -> None:
        row: dict[str, Any] = {c.name: getattr(sending, c.name) for c in report_sendings.columns}
        with self._db.write() as connection:
            put(connection, report_sendings, row)
            self._raise_alerts(connection, [alert] if alert is not None else [], self._clock.now())

    def forget_sending(self, report: str, target: str) -> None:
        """Of a target that the inventory does not name any more."""
        c = report_sendings.c
        with self._db.write() as connection:
            connection.execute(delete(report_sendings).where(c.report == report, c.target == target))


def _sending(row: RowMapping) -> Sending:
    return Sending(**row)


__all__ = ["Sending", "Sendings"]
