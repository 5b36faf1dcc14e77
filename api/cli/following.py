"""A decision that devices follow at once: its run is waited for, and said."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Final

from api.cli.wait import working

if TYPE_CHECKING:
    from controller.model import Run
    from controller.service import Controller

SYNC_SECONDS: Final = 180.0


def followed(controller: Controller, trigger: str, since: datetime) -> Run | None:
    """The run that a decision of ours started, once it has ended; None when nothing changes now."""
    run = next((r for r in controller.runs(limit=20) if r.trigger == trigger and r.started_at >= since), None)
    if run is None:
        return None
    deadline = time.monotonic() + SYNC_SECONDS
    with working("changing the devices"):
        while run.finished_at is None and time.monotonic() < deadline:
            time.sleep(0.1)
            run = controller.run(run.id)
    return run
