"""Long work that nobody waits for on the line: begun with ``Prefer: respond-async``, then asked about.

What reads devices (plans, drift, a doctor) may take minutes. A caller who prefers so gets 202 and a job at once, and
asks ``/api/v1/jobs/{id}`` what became of it; runs and refreshes, which are always begun like this, are told there too,
in the same form. Evidence packs are made like this too, whatever is preferred. Jobs of this kind are kept in memory,
for whoever began them: they only read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Final, TypeVar

import structlog
from fastapi import Depends, Header
from fastapi.responses import JSONResponse
from starlette.requests import Request

from api.auth import Caller
from api.job_models import Job as Shown
from api.lanes import Lane
from api.models import Answer
from api.problems import unexpected
from controller.errors import NotFound
from controller.rehearsal import rehearsal
from core.clock import Clock
from core.errors import TokgateError
from core.ids import new_id

log = structlog.get_logger()
T = TypeVar("T", bound=Answer)

KEPT: Final = 100
ASYNC: Final = "respond-async"
Preferred = Annotated[
    str | None,
    Header(
        alias="Prefer",
        max_length=200,
        description="`respond-async`: answer 202 at once; `Location` says what became of it (RFC 7240)",
        examples=[ASYNC],
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that was begun here. ``result`` is there when it ended well, ``error`` when it did not."""

    id: str
    kind: str
    caller: str
    started_at: datetime
    finished_at: datetime | None = None
    result: Answer | None = None
    error: TokgateError | None = None


class Jobs:
    """Those of this process, the last ones that were begun. They share the lane of the calls that wait."""

    def __init__(self, clock: Clock, lane: Lane) -> None:
        self._clock = clock
        self._lane = lane
        self._known: OrderedDict[str, Job] = OrderedDict()
        self._guard = threading.Lock()

    def answer(self, kind: str, work: Callable[[], T], *, caller: Caller, prefer: str | None) -> T | JSONResponse:
        """What the work answers; or a job that does it, for a caller who prefers so. Raises ``Overloaded``."""
        if not is_preferred(prefer):
            with self._lane.enter():
                return work()
        answer = self.start(kind, lambda: lambda _: work(), caller=caller)
        answer.headers["Preference-Applied"] = ASYNC
        return answer

    def start(
        self, kind: str, prepare: Callable[[], Callable[[str], Answer]], *, caller: Caller, lane: Lane | None = None
    ) -> JSONResponse:
        """202 and a job. ``prepare`` is called at once, when there is a place, and gives the work, which is told the
        job's id. Raises ``Overloaded``, and what ``prepare`` does."""
        job = self._begin(kind, prepare, caller=caller, lane=lane or self._lane)
        headers = {"Location": f"/api/v1/jobs/{job.id}"}
        return JSONResponse(Shown.of(job).model_dump(mode="json"), status_code=202, headers=headers)

    def get(self, job_id: str, *, caller: Caller) -> Job:
        """Raises ``NotFound``: nobody began it, somebody else did, or it was long ago."""
        with self._guard:
            found = self._known.get(job_id)
        if found is None or found.caller != caller.id:
            raise NotFound(f"no job {job_id}", hint=f"the last {KEPT} since the start of the server are known")
        return found

    def _begin(self, kind: str, prepare: Callable[[], Callable[[str], Answer]], *, caller: Caller, lane: Lane) -> Job:
        job = Job(id=new_id(), kind=kind, caller=caller.id, started_at=self._clock.now())
        with ExitStack() as held:
            held.enter_context(lane.enter())
            work = prepare()
            if rehearsal() is not None:
                return job
            place = held.pop_all()  # left where the work ends
        context = copy_context()  # with the id of the request, for the log

        def done() -> None:
            with place:
                self._keep(replace(context.run(_outcome, job, work), finished_at=self._clock.now()))

        self._keep(job)
        threading.Thread(target=done, name="job", daemon=True).start()
        return job

    def _keep(self, job: Job) -> None:
        with self._guard:
            self._known[job.id] = job
            while len(self._known) > KEPT:
                self._known.popitem(last=False)


def is_preferred(prefer: str | None) -> bool:
    return prefer is not None and ASYNC in (word.strip().lower() for word in prefer.split(","))


def _outcome(job: Job, work: Callable[[str], Answer]) -> Job:
    try:
        return replace(job, result=work(job.id))
    except TokgateError as exc:
        return replace(job, error=exc)
    except Exception:  # the top of a job: whatever it was, it is an outcome
        log.exception("job.broken", job=job.id, kind=job.kind)
        return replace(job, error=unexpected())


def _jobs_of(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


JobsOf = Annotated[Jobs, Depends(_jobs_of)]
