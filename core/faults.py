"""Named crash points: places where a test, and only a test, may end the process without warning.

``TOKGATE_CRASH_AT=name`` ends the process the first time it passes there; ``name:3`` the third time. Unset, a point
costs one dictionary look-up. ``os._exit`` runs no handler, flushes no buffer: the nearest thing to a power cut.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Final

CRASHED: Final = 86
"""Exit status of a process that ended at a crash point."""

_passed: Counter[str] = Counter()


def crash_point(name: str) -> None:
    """End the process here if the environment asks for it."""
    wanted = os.environ.get("TOKGATE_CRASH_AT")
    if wanted is None:
        return
    point, _, count = wanted.partition(":")
    if point != name:
        return
    _passed[name] += 1
    if _passed[name] >= int(count or "1"):
        os._exit(CRASHED)
