"""Whether the process that started a run can still end it: each store holds a lock of its own while it is open."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final, Protocol

from core.ids import new_id

_FOLDER: Final = "processes"


class Process(Protocol):
    """This opening of the store, and whether others are open still."""

    id: str

    def renew(self) -> None:
        """Before work begins under this name: raises ``StoreError`` when others would take it for dead."""
        ...

    def is_alive(self, other: str) -> bool:
        """Whether the process of that id still runs. Raises ``StoreError``."""
        ...

    def sweep(self) -> None:
        """Remove what is left of processes that are gone."""
        ...

    def close(self) -> None:
        """Say goodbye; once more does nothing."""
        ...


class FileProcess:
    """By a lock file: the kernel drops the lock when the process ends, however it ends."""

    def __init__(self, data_dir: Path) -> None:
        self.id = new_id()
        self._folder = data_dir / _FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._path = self._folder / self.id
        unnamed = self._folder / f".{self.id}"  # named only when locked, so that nobody takes it for dead
        self._descriptor: int | None = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.rename(self._path)

    def renew(self) -> None:
        """The kernel keeps the lock as long as there is anybody to ask."""

    def is_alive(self, other: str) -> bool:
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
        for path in self._folder.iterdir():
            if not path.name.startswith(".") and not self.is_alive(path.name):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None
