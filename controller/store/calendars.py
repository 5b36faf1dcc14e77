"""The last good answer of each calendar that is read from somewhere."""

from __future__ import annotations

from controller.store.shelf import Shelf, get_meta, put_meta

_PREFIX = "calendar:"


class Calendars(Shelf):
    def kept_calendar(self, name: str) -> str | None:
        """As ``keep_calendar`` was given it; None before the first."""
        with self._db.read() as connection:
            return get_meta(connection, _PREFIX + name)

    def keep_calendar(self, name: str, text: str) -> None:
        with self._db.write() as connection:
            put_meta(connection, _PREFIX + name, text)
