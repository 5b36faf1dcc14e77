"""Jobs of one device run one at a time and in order; devices run side by side; a failing job is an outcome."""

from __future__ import annotations

import threading
from collections import defaultdict
from concurrent.futures import Future

import pytest

from controller.engine import Job, JobKind, ThreadEngine
from core.ids import DeviceName, RunId

WAIT = 10


def job(device: str, *, run: str | None = None, kind: JobKind = JobKind.SYNC) -> Job:
    return Job(kind=kind, device=DeviceName(device), actor="test", run=RunId(run) if run else None)


class Gate:
    """A handler that records who runs and waits until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.running: dict[str, int] = defaultdict(int)
        self.most: dict[str, int] = defaultdict(int)
        self.order: list[Job] = []
        self._guard = threading.Lock()

    def __call__(self, work: Job) -> str:
        with self._guard:
            self.running[work.device] += 1
            self.most[work.device] = max(self.most[work.device], self.running[work.device])
            self.order.append(work)
        assert self.go.wait(WAIT)
        with self._guard:
            self.running[work.device] -= 1
        return work.device


def test_i08_jobs_of_one_device_never_overlap() -> None:
    gate = Gate()
    gate.go.set()
    engine = ThreadEngine({JobKind.SYNC: gate}, workers=8)
    futures = [engine.submit(job("fw-1", run=str(n))) for n in range(50)]
    assert [f.result(WAIT) for f in futures] == ["fw-1"] * 50
    engine.close()
    assert gate.most["fw-1"] == 1
    assert [j.run for j in gate.order] == [str(n) for n in range(50)]


def test_one_slow_device_does_not_hold_the_others() -> None:
    slow, quick = threading.Event(), threading.Event()

    def handler(work: Job) -> None:
        if work.device == "slow":
            assert slow.wait(WAIT)
        else:
            quick.set()

    engine = ThreadEngine({JobKind.SYNC: handler}, workers=2)
    waiting = [engine.submit(job("slow", run=str(n))) for n in range(5)]
    engine.submit(job("quick")).result(WAIT)
    assert quick.is_set()
    slow.set()
    assert all(f.result(WAIT) is None for f in waiting)
    engine.close()


def test_a_waiting_job_is_joined_and_a_running_one_is_not() -> None:
    gate = Gate()
    engine = ThreadEngine({JobKind.COLLECT: gate}, workers=2)
    running = engine.submit(job("fw-1", kind=JobKind.COLLECT))
    first = engine.submit(job("fw-1", kind=JobKind.COLLECT))
    second = engine.submit(job("fw-1", kind=JobKind.COLLECT))
    assert first is second
    assert first is not running
    assert engine.depth() == 2
    gate.go.set()
    first.result(WAIT)
    engine.close()
    assert len(gate.order) == 2


def test_a_job_that_a_run_waits_for_is_never_joined() -> None:
    gate = Gate()
    engine = ThreadEngine({JobKind.SYNC: gate}, workers=1)
    futures: list[Future[object]] = [engine.submit(job("fw-1", run=r)) for r in ("a", "b", "b2")]
    gate.go.set()
    for future in futures:
        future.result(WAIT)
    engine.close()
    assert [j.run for j in gate.order] == ["a", "b", "b2"]


def test_a_failing_job_is_its_own_outcome_and_the_line_goes_on() -> None:
    def handler(work: Job) -> str:
        if work.run == "bad":
            raise ValueError("no")
        return "fine"

    engine = ThreadEngine({JobKind.SYNC: handler}, workers=1)
    bad, good = engine.submit(job("fw-1", run="bad")), engine.submit(job("fw-1", run="good"))
    with pytest.raises(ValueError, match="no"):
        bad.result(WAIT)
    assert good.result(WAIT) == "fine"
    engine.close()
    assert engine.depth() == 0
