"""A change that is carried through to its answer and then undone: what ``?dry_run=true`` asks for.

While a rehearsal runs, everything that it does with the store goes through one transaction, which sees its own writes
and is never committed; nothing is queued for devices, and no schedule is woken. It follows the code that is called,
also into threads that are given a copy of the context, and nobody else notices it. The transaction begins with the
first write, so that nobody waits for the store while a device is read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Connection

from controller.errors import StoreError

_RUNNING: ContextVar[Rehearsal | None] = ContextVar("rehearsal", default=None)


class Rehearsal:
    """One change that is being rehearsed. ``made``: what only memory would hold of it, by its id."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}
        self._turn = threading.RLock()
        self._undo = ExitStack()
        self._connection: Connection | None = None
        self._is_over = False

    @property
    def has_written(self) -> bool:
        return self._connection is not None

    @contextmanager
    def part(self, begin: AbstractContextManager[Connection]) -> Iterator[Connection]:
        """A transaction within; ``begin`` is entered once, by the first. Raises ``StoreError`` after the end."""
        with self._turn:
            if self._is_over:
                raise StoreError("the dry run is over", hint="send it again")
            if self._connection is None:
                self._connection = self._undo.enter_context(begin)
            with self._connection.begin_nested():
                yield self._connection

    def end(self) -> None:
        """Undo everything. Once more does nothing."""
        with self._turn:
            self._is_over = True
            self._connection = None
            self._undo.close()


def rehearsal() -> Rehearsal | None:
    """The one that is running here; None: what is done counts."""
    return _RUNNING.get()


@contextmanager
def rehearsed(by: Rehearsal) -> Iterator[None]:
    """Rehearse what the block does. Who began it ends it."""
    before = _RUNNING.set(by)
    try:
        yield
    finally:
        _RUNNING.reset(before)


@contextmanager
def in_earnest() -> Iterator[None]:
    """What the block does counts, whoever rehearses around it: who signs in, and who fails to."""
    before = _RUNNING.set(None)
    try:
        yield
    finally:
        _RUNNING.reset(before)


__all__ = ["Rehearsal", "in_earnest", "rehearsal", "rehearsed"]
