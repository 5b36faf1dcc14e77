"""Long work, in one form: what reads devices for somebody, evidence packs, runs, and refreshes."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter

from api.auth import Ctl, Follower
from api.job_models import Job
from api.jobs import JobsOf
from api.models import Ulid
from api.reference import answers
from api.run_models import Run
from api.source_models import Refresh
from controller.errors import NotFound
from controller.model import Scope

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("/{id}", summary="What became of long work", responses=answers(404))
def get_job(controller: Ctl, caller: Follower, jobs: JobsOf, id: Ulid) -> Job:
    """Of a call with `Prefer: respond-async` and of an evidence pack, for whoever made it, until the server restarts;
    of every run and of the refreshes that were started over the API, for who may read."""
    if not caller.allows(Scope.READ):
        return Job.of(jobs.get(id, caller=caller))
    with suppress(NotFound):
        run = controller.run(id)
        return Job.of_run(run, Run.of(run))
    with suppress(NotFound):
        refresh = controller.refresh(id)
        return Job.of_refresh(refresh, Refresh.of(refresh))
    return Job.of(jobs.get(id, caller=caller))
