"""A change that is sent again under one key is one change: what is kept of it, and whether it has written anything yet.

The key is claimed before the change (``store.claim``), and its answer kept before it leaves (``store.keep_answer``).
Between the two, the first audit entry that the change writes notes so with the claim, in its own transaction: of one
that was cut short it is then known whether it did anything. Callers and keys are told apart by words of the door's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

LIFE: Final = timedelta(days=1)
"""A key is remembered for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who asks for a change under which key. ``key`` and ``request`` are digests: neither text is kept."""

    caller: str
    key: str
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What was answered, without what is shown once; ``body`` None: it is not kept."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


@dataclass(slots=True)
class Keyed:
    """A request that came with a key, on its way; ``claim`` is there once the key is its own."""

    claim: Claim | None = None


_HERE: ContextVar[Keyed | None] = ContextVar("keyed", default=None)


def claim_here() -> Claim | None:
    """The claim under which what is done here is done."""
    keyed = _HERE.get()
    return None if keyed is None else keyed.claim


@contextmanager
def under_key(keyed: Keyed) -> Iterator[None]:
    """What the block does, in whichever thread, is done for that request."""
    before = _HERE.set(keyed)
    try:
        yield
    finally:
        _HERE.reset(before)


__all__ = ["LIFE", "Claim", "KeptAnswer", "Keyed", "claim_here", "under_key"]
