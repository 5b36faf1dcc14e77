"""Packs that wait to be fetched: files that nobody else on the machine reads, for a day, of whoever asked for them.

What is found there at the start is of a process that has ended, and is taken away: nobody knows any more whose it was.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from controller.errors import NotFound, StoreError
from core.clock import Clock

KEPT_FOR: Final = timedelta(days=1)
MOST: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """One pack as a ZIP file."""

    id: str
    owner: str  # whoever asked for it, as the API tells callers apart
    path: Path
    size_bytes: int
    sha256: str
    until: datetime


class Shelf:
    """Those of this process; ``folder`` is its own, and made when it is needed. Safe to use from several threads."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._known: OrderedDict[str, Shelved] = OrderedDict()
        self._guard = threading.Lock()
        self._is_swept = False

    def keep(self, pack_id: str, data: bytes, *, owner: str) -> Shelved:
        """Whole or not at all. The oldest go when there are too many. Raises ``StoreError``: the disk took it not."""
        with self._guard:
            self._drop_old()
            path = self._folder / f"{pack_id}.zip"
            try:
                self._sweep()
                draft = path.with_suffix(".new")
                descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(descriptor, "wb") as out:
                    out.write(data)
                draft.rename(path)
            except OSError as exc:
                hint = "is there room on the disk of TOKGATE_DATA_DIR?"
                raise StoreError(f"the pack cannot be kept in {self._folder}: {exc.strerror}", hint=hint) from exc
            found = Shelved(
                id=pack_id,
                owner=owner,
                path=path,
                size_bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                until=self._clock.now() + KEPT_FOR,
            )
            self._known[pack_id] = found
            return found

    def get(self, pack_id: str, *, owner: str) -> Shelved:
        """Raises ``NotFound``: it is not done, somebody else's, or it was too long ago."""
        with self._guard:
            self._drop_old()
            found = self._known.get(pack_id)
        if found is None or found.owner != owner:
            hours = KEPT_FOR // timedelta(hours=1)
            raise NotFound(
                f"no pack {pack_id}",
                hint=f"it is there once its job is done, for whoever asked for it, for {hours} hours or until the"
                " server restarts; ask for another",
            )
        return found

    def _sweep(self) -> None:
        if not self._is_swept:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._is_swept = True

    def _drop_old(self) -> None:
        now = self._clock.now()
        over = len(self._known) - MOST + 1
        for number, each in enumerate([*self._known.values()]):
            if each.until <= now or number < over:
                del self._known[each.id]
                each.path.unlink(missing_ok=True)


__all__ = ["KEPT_FOR", "MOST", "Shelf", "Shelved"]
