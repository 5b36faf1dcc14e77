"""A refresh that nobody waits for: started, then asked about. One at a time; the last ones are remembered until the end
of the process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

import structlog

from controller.errors import Busy, NotFound
from controller.rehearsal import rehearsal
from controller.views import RefreshResult
from core.clock import Clock
from core.errors import TokgateError
from core.ids import new_id
from ipsets.errors import GuardTripped

log = structlog.get_logger()

REMEMBERED: Final = 50


class Ending(StrEnum):
    """What became of a refresh."""

    RUNNING = "running"
    CHANGED = "changed"  # another snapshot is in force
    UNCHANGED = "unchanged"  # what is enforced is as before
    WAITING = "waiting"  # another snapshot was found, and a pin keeps the one before in force
    HELD = "held"  # a guard refused; the one before stays
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """One refresh. ``result`` is there when it ended well, ``error`` when it did not."""

    id: str
    actor: str
    force: bool
    started_at: datetime
    finished_at: datetime | None = None
    ending: Ending = Ending.RUNNING
    result: RefreshResult | None = None
    error: TokgateError | None = None


class Refresher:
    """Starts refreshes on a thread of their own, and knows what became of them."""

    def __init__(self, work: Callable[[str, bool], RefreshResult], clock: Clock) -> None:
        self._work = work  # (actor, force)
        self._clock = clock
        self._known: OrderedDict[str, Refresh] = OrderedDict()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, *, actor: str, force: bool) -> Refresh:
        """A new one; or the one that is under way, when it is of the same kind. Raises ``Busy`` when it is not."""
        with self._guard:
            last = next(reversed(self._known.values()), None)
            if last is not None and last.ending is Ending.RUNNING:
                if last.force is not force:
                    raise Busy("a refresh of another kind is under way", hint="start it again when that one has ended")
                return last
            begun = Refresh(id=new_id(), actor=actor, force=force, started_at=self._clock.now())
            if (running := rehearsal()) is not None:
                running.made[begun.id] = begun
                return begun
            self._known[begun.id] = begun
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            self._thread = threading.Thread(target=self._run, args=(begun,), name="refresh", daemon=True)
            self._thread.start()
            return begun

    def get(self, refresh_id: str) -> Refresh:
        """Raises ``NotFound``."""
        running = rehearsal()
        if running is not None and isinstance(begun := running.made.get(refresh_id), Refresh):
            return begun
        with self._guard:
            found = self._known.get(refresh_id)
        if found is None:
            hint = f"the last {REMEMBERED} since the start of this process are known"
            raise NotFound(f"no refresh {refresh_id}", hint=hint)
        return found

    def close(self) -> None:
        """Wait for the one that is under way: it may be writing."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, begun: Refresh) -> None:
        ended = replace(self._done(begun), finished_at=self._clock.now())
        with self._guard:
            self._known[begun.id] = ended
        log.info("intel.refreshed", refresh=begun.id, actor=begun.actor, ending=ended.ending.value)

    def _done(self, begun: Refresh) -> Refresh:
        try:
            result = self._work(begun.actor, begun.force)
        except GuardTripped as exc:
            return replace(begun, ending=Ending.HELD, error=exc)
        except TokgateError as exc:
            return replace(begun, ending=Ending.FAILED, error=exc)
        except Exception as exc:  # the top of a job: whatever it was, it is an outcome
            log.exception("intel.refresh_broken", refresh=begun.id)
            return replace(begun, ending=Ending.FAILED, error=TokgateError(f"unexpected {type(exc).__name__}"))
        return replace(begun, ending=_ending(result), result=result)


def _ending(result: RefreshResult) -> Ending:
    if result.waiting is not None:
        return Ending.WAITING
    return Ending.CHANGED if result.changed else Ending.UNCHANGED
