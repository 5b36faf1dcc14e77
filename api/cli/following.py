"""A decision that devices follow at once: its run is waited for, and said."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from api.cli.wait import working

if TYPE_CHECKING:
    from api.cli.counterpart import Counterpart
    from controller.model import Run

SYNC_SECONDS: Final = 180.0


def newest_run(asked: Counterpart) -> str:
    """Its id, before something is decided; empty when there never was one. Their order is that of their beginnings."""
    return next((run.id for run in asked.runs(limit=1)), "")


def followed(asked: Counterpart, trigger: str, since: str) -> Run | None:
    """The run that a decision of ours started after the run ``since``, once it has ended.

    None when nothing changes now. Times are not compared: the clock there may be another.
    """
    run = next((r for r in asked.runs(limit=20) if r.trigger == trigger and r.id > since), None)
    if run is None:
        return None
    deadline = time.monotonic() + SYNC_SECONDS
    with working("changing the devices"):
        while run.finished_at is None and time.monotonic() < deadline:
            time.sleep(0.1)
            run = asked.run(run.id)
    return run
