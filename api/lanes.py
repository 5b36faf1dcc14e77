"""A narrow lane for calls that wait for devices, so that they never take the threads that everybody else needs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request

from api.errors import Overloaded

WIDTH: Final = 8


class Lane:
    """At most ``width`` calls at once; who comes too many is told so at once instead of being kept waiting."""

    def __init__(self, width: int = WIDTH, *, busy: str = "calls are waiting for devices already") -> None:
        self._width = width
        self._busy = busy
        self._free = threading.BoundedSemaphore(width)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Raises ``Overloaded``."""
        if not self._free.acquire(blocking=False):
            raise Overloaded(f"{self._width} {self._busy}", hint="try again shortly")
        try:
            yield
        finally:
            self._free.release()


def _lane_of(request: Request) -> Lane:
    lane: Lane = request.app.state.lane
    return lane


LaneOf = Annotated[Lane, Depends(_lane_of)]
