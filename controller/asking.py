"""What the door knows of who asks, on its way to the audit log: more than the name that records call them.

It follows the code that is called, also into threads that are given a copy of the context.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_KNOWN: ContextVar[dict[str, str] | None] = ContextVar("asking", default=None)


@contextmanager
def asking() -> Iterator[None]:
    """A request: what is noted in the block is known in all of it, whichever thread notes it."""
    before = _KNOWN.set({})
    try:
        yield
    finally:
        _KNOWN.reset(before)


def note(**words: str) -> None:
    """Outside a request nothing is kept."""
    known = _KNOWN.get()
    if known is not None:
        known.update(words)


def noted() -> Mapping[str, str]:
    return _KNOWN.get() or {}


__all__ = ["asking", "note", "noted"]
