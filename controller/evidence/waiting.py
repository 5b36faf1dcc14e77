"""What was received and waits to be sifted: so many messages and bytes, and no more. Between threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from controller.evidence.sifting import Arrival
from controller.evidence.syslog import Overlong

MOST: Final = 100_000
MOST_BYTES: Final = 64 * 1024 * 1024
GATHER_SECONDS: Final = 0.2
"""A batch waits so long for more to come."""


class Buffer:
    """What waits to be sifted: so many messages and bytes, and no more."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._waiting: deque[Arrival] = deque()
        self._bytes = 0
        self._is_full = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, arrivals: Iterable[Arrival]) -> int:
        """Take those for which there is room. Returns for how many there was none."""
        over = 0
        with self._changed:
            for arrival in arrivals:
                over += not self._add(arrival)
            self._changed.notify_all()
        return over

    def put(self, arrivals: Sequence[Arrival], stopping: threading.Event) -> int:
        """Take all, and wait for room. Returns how many were not taken, because a stop ended the waiting."""
        with self._changed:
            for number, arrival in enumerate(arrivals):
                while not self._add(arrival):
                    self._changed.wait(0.1)
                    if stopping.is_set():
                        return len(arrivals) - number
            self._changed.notify_all()
        return 0

    def room(self, wait: float) -> int:
        """For how many messages there is room; none only after so many seconds without any."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < self._most and self._bytes < self._most_bytes, wait)
            return 0 if self._bytes >= self._most_bytes else self._most - len(self._waiting)

    def take(self, most: int, wait: float) -> list[Arrival]:
        """The first that wait; none when none came for ``wait`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting, wait):
                return []
            self._changed.wait_for(lambda: self._is_full or len(self._waiting) >= most, GATHER_SECONDS)
            found = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._bytes -= sum(map(size_of, found))
            self._is_full = False
            self._changed.notify_all()
        return found

    def _add(self, arrival: Arrival) -> bool:
        size = size_of(arrival)
        if self._waiting and (len(self._waiting) >= self._most or self._bytes + size > self._most_bytes):
            self._is_full = True
            self._changed.notify_all()
            return False
        self._waiting.append(arrival)
        self._bytes += size
        return True


def size_of(arrival: Arrival) -> int:
    """Bytes that it holds."""
    return len(arrival.raw.head if isinstance(arrival.raw, Overlong) else arrival.raw)
