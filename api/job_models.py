"""Long work, in one form whatever it is."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import Field

from api.models import Answer, Failure, Instant
from controller import model, refreshing

if TYPE_CHECKING:
    from api import jobs


class JobState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # as a whole; that a device of several failed stands in the result


class Job(Answer):
    """Long work: whether it is done, and what came of it."""

    id: str
    kind: str = Field(description="plans, drift, doctor, proof, pack, report, run or refresh")
    state: JobState
    started_at: Instant
    finished_at: Instant | None
    href: str | None = Field(description="where it is told in full besides; null: only here")
    result: dict[str, Any] | None = Field(description="what the call would have answered; null while it runs")
    error: Failure | None

    @classmethod
    def of(cls, job: jobs.Job) -> Job:
        ended = JobState.FAILED if job.error else JobState.DONE if job.finished_at else JobState.RUNNING
        return cls(
            id=job.id,
            kind=job.kind,
            state=ended,
            started_at=job.started_at,
            finished_at=job.finished_at,
            href=None,
            result=job.result.model_dump(mode="json", by_alias=True) if job.result is not None else None,
            error=Failure.of(job.error),
        )

    @classmethod
    def of_run(cls, run: model.Run, shown: Answer) -> Job:
        over = run.finished_at is not None
        return cls(
            id=run.id,
            kind="run",
            state=JobState.DONE if over else JobState.RUNNING,
            started_at=run.started_at,
            finished_at=run.finished_at,
            href=f"/api/v1/runs/{run.id}",
            result=shown.model_dump(mode="json", by_alias=True) if over else None,
            error=None,
        )

    @classmethod
    def of_refresh(cls, refresh: refreshing.Refresh, shown: Answer) -> Job:
        over = refresh.finished_at is not None
        ended = JobState.FAILED if refresh.error is not None else JobState.DONE
        return cls(
            id=refresh.id,
            kind="refresh",
            state=ended if over else JobState.RUNNING,
            started_at=refresh.started_at,
            finished_at=refresh.finished_at,
            href=f"/api/v1/intel/refresh/{refresh.id}",
            result=shown.model_dump(mode="json", by_alias=True) if over else None,
            error=Failure.of(refresh.error),
        )
