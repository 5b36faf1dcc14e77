"""Which version of a thing a change was decided on: ``If-Match``, as the store asks for it in the change's transaction.

A caller who read version A and sends a change with it is refused when the thing is at version B by then, also when both
come in the same moment. Who names no version is not asked for one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from controller.errors import ChangedMeanwhile

ANY: Final = "*"
_EXPECTED: ContextVar[frozenset[str] | None] = ContextVar("expected", default=None)


def version_of(text: str) -> str:
    """Names the version of a thing by all that it says."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@contextmanager
def expecting(versions: frozenset[str] | None) -> Iterator[None]:
    """What the block changes has to be at one of these versions; ``None``: at any."""
    before = _EXPECTED.set(versions)
    try:
        yield
    finally:
        _EXPECTED.reset(before)


def refuse_changed(version: str, *, what: str) -> None:
    """Raises ``ChangedMeanwhile`` when the thing is not at a version that is expected here."""
    expected = _EXPECTED.get()
    if expected is not None and ANY not in expected and version not in expected:
        raise ChangedMeanwhile(f"{what} is not as you know it any more", hint="look at it again, then decide anew")


__all__ = ["ANY", "expecting", "refuse_changed", "version_of"]
