"""Whether the process that started a run can still end it: each store holds a lock on a file of its own while open."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from core.ids import new_id

_FOLDER: Final = "processes"


class Process:
    """This opening of the store. The kernel drops the lock when the process ends, however it ends."""

    def __init__(self, data_dir: Path) -> None:
        self.id = new_id()
        self._folder = data_dir / _FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._path = self._folder / self.id
        unnamed = self._folder / f".{self.id}"  # named only when locked, so that nobody takes it for dead
        self._descriptor: int | None = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.rename(self._path)

    def is_alive(self, other: str) -> bool:
        """Whether the process of that id still runs."""
        if other == self.id:
            return True
        try:
            descriptor = os.open(self._folder / other, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def sweep(self) -> None:
        """Remove the files of processes that are gone."""
        for path in self._folder.iterdir():
            if not path.name.startswith(".") and not self.is_alive(path.name):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Say goodbye; once more does nothing."""
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None
