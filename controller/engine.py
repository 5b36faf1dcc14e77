"""Device work as jobs on a queue. One small interface; here the engine that runs in the process, on a thread pool.

A job is plain data, so that an engine on PostgreSQL can carry the same jobs between machines. Whatever the engine, a
job is idempotent, takes the device lock itself, and reads before it writes: running one twice costs time, nothing else.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import structlog

from controller.rehearsal import rehearsal
from core.ids import DeviceName, PlanId, RunId

log = structlog.get_logger()


class JobKind(StrEnum):
    SYNC = "sync"
    APPLY = "apply"
    COLLECT = "collect"
    PROVE = "prove"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work on one device."""

    kind: JobKind
    device: DeviceName
    actor: str
    run: RunId | None = None  # the run that waits for it
    plan: PlanId | None = None  # APPLY: exactly this plan
    force: bool = False
    override_freeze: bool = False

    @property
    def key(self) -> tuple[JobKind, DeviceName]:
        return self.kind, self.device


Handler = Callable[[Job], object]


class Engine(Protocol):
    """Where jobs go. Jobs of one device run one at a time, in order; devices run side by side."""

    def submit(self, job: Job) -> Future[object]:
        """Queue the job. A waiting job of the same kind and device that no run waits for is joined, not doubled.

        In a rehearsal nothing is queued.
        """
        ...

    def depth(self) -> int:
        """Jobs queued or running."""
        ...

    def close(self) -> None:
        """Finish what is queued, take nothing new."""
        ...


class ThreadEngine:
    """The in-process engine. Each device has its own line, so one slow device holds one thread and nobody else."""

    def __init__(self, handlers: Mapping[JobKind, Handler], *, workers: int) -> None:
        self._handlers = handlers
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="device")
        self._lines: dict[DeviceName, deque[tuple[Job, Future[object]]]] = {}
        self._guard = threading.Lock()

    def submit(self, job: Job) -> Future[object]:
        if rehearsal() is not None:
            return _nothing()
        with self._guard:
            line = self._lines.get(job.device)
            if line is None:
                line = self._lines[job.device] = deque()
                start = True
            else:
                start = False
                if job.run is None and (waiting := self._waiting(line, job)) is not None:
                    return waiting
            future: Future[object] = Future()
            line.append((job, future))
        if start:
            self._pool.submit(self._work, job.device)
        return future

    def _waiting(self, line: deque[tuple[Job, Future[object]]], job: Job) -> Future[object] | None:
        """The head of a line is running, so only the rest can be joined."""
        return next((f for other, f in list(line)[1:] if other.key == job.key and other.run is None), None)

    def _work(self, device: DeviceName) -> None:
        """Run the device's line to its end. The entry stays at the head while it runs."""
        while True:
            with self._guard:
                line = self._lines[device]
                if not line:
                    del self._lines[device]
                    return
                job, future = line[0]
            self._run(job, future)
            with self._guard:
                line.popleft()

    def _run(self, job: Job, future: Future[object]) -> None:
        try:
            future.set_result(self._handlers[job.kind](job))
        except Exception as exc:  # the top of a job: the outcome is the future's, the trace is the log's
            log.exception("job.failed", kind=job.kind.value, device=job.device, error=str(exc))
            future.set_exception(exc)

    def depth(self) -> int:
        with self._guard:
            return sum(len(line) for line in self._lines.values())

    def close(self) -> None:
        self._pool.shutdown(wait=True)


def _nothing() -> Future[object]:
    """Work that was not asked for is done."""
    done: Future[object] = Future()
    done.set_result(None)
    return done
