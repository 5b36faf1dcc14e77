"""A request sent twice with the same ``Idempotency-Key`` is one request.

Kept in this process for a day, for each token: enough for a client that retries after a lost answer. After a restart a
repeated request is a new one, which waits for an approval like any other.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from controller.errors import Conflict
from core.clock import Clock

LIFE: Final = timedelta(days=1)
REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Done:
    """What a key stands for: the request it came with, and what that made."""

    request: str
    made: str
    at: datetime


class Repeats:
    """The keys seen lately. One lock for all: what it guards takes milliseconds, and two at once would be two."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[tuple[str, str], Done] = OrderedDict()
        self._guard = threading.Lock()

    def once(self, *, caller: str, key: str, request: str, make: Callable[[], str]) -> tuple[str, bool]:
        """The id of what ``make`` made, now or the first time, and whether it was now.

        Raises ``Conflict`` when the key came with another request before.
        """
        with self._guard:
            self._forget()
            known = self._seen.get((caller, key))
            if known is None:
                made = make()
                self._seen[caller, key] = Done(request, made, self._clock.now())
                return made, True
        if known.request != request:
            raise Conflict("this Idempotency-Key came with another request", hint="use a new key for a new request")
        return known.made, False

    def _forget(self) -> None:
        oldest = self._clock.now() - LIFE
        while self._seen and (len(self._seen) >= REMEMBERED or next(iter(self._seen.values())).at < oldest):
            self._seen.popitem(last=False)
