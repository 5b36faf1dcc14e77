"""A request sent twice with the same ``Idempotency-Key`` is one request.

Kept in this process for a day, for each token: enough for a client that retries after a lost answer. After a restart a
repeated request is a new one, which waits for an approval like any other.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import Depends, Header
from starlette.requests import Request

from controller.errors import Conflict
from controller.rehearsal import rehearsal
from core.clock import Clock

LIFE: Final = timedelta(days=1)
REMEMBERED: Final = 10_000

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        pattern="^[!-~]+$",
        description="repeat the request with the same key after a lost answer, and it stays one request",
    ),
]


@dataclass(slots=True)
class _Place:
    """What a key stands for: the request it came with, and what that made; None while it has made nothing."""

    at: datetime
    request: str = ""
    made: str | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)


class Repeats:
    """The keys seen lately. Two requests with one key take turns; requests with other keys wait for neither."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[tuple[str, str], _Place] = OrderedDict()
        self._guard = threading.Lock()

    def once(self, *, caller: str, key: str | None, request: str, make: Callable[[], str]) -> tuple[str, bool]:
        """What ``make`` made, now or the first time, and whether it was now; without a key always now.

        Raises ``Conflict`` when the key came with another request before. What raises has made nothing.
        """
        if key is None:
            return make(), True
        rehearses = rehearsal() is not None  # what it makes is gone afterwards, so it is not remembered
        place = self._known(caller, key) if rehearses else self._place(caller, key)
        with place.turn:
            if place.made is None and rehearses:
                return make(), True
            if place.made is None:
                place.made, place.request = make(), request
                return place.made, True
        if place.request != request:
            raise Conflict("this Idempotency-Key came with another request", hint="use a new key for a new request")
        return place.made, False

    def _place(self, caller: str, key: str) -> _Place:
        with self._guard:
            self._forget()
            return self._seen.setdefault((caller, key), _Place(self._clock.now()))

    def _known(self, caller: str, key: str) -> _Place:
        with self._guard:
            self._forget()
            return self._seen.get((caller, key)) or _Place(self._clock.now())

    def _forget(self) -> None:
        oldest = self._clock.now() - LIFE
        while self._seen and (len(self._seen) >= REMEMBERED or next(iter(self._seen.values())).at < oldest):
            self._seen.popitem(last=False)


def _repeats_of(request: Request) -> Repeats:
    repeats: Repeats = request.app.state.repeats
    return repeats


RepeatsOf = Annotated[Repeats, Depends(_repeats_of)]
