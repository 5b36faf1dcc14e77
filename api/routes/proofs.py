"""Block proof: what firewalls say of their rules and what probes tried, as a matrix and one by one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from api.auth import Ctl, Operator, Prober, Reader
from api.jobs import JobsOf, Preferred
from api.models import Instant, Name, Page
from api.pages import MOST_COUNTED, Newest, Sorted, paged, refuse_reversed
from api.proof_models import (
    HostText,
    ProbeBody,
    ProbeTaken,
    ProbeTargets,
    ProofField,
    ProofResult,
    ProvenDevice,
    ProvenDevices,
)
from api.reference import PREVIEW, RESPONDS_ASYNC, answers
from api.run_models import Selection
from controller.proof.model import By, Path, ProofState
from controller.store import ProofQuery

router = APIRouter(prefix="/proofs", tags=["proofs"])


@router.get("", summary="Site by path: blocked, leaking or unknown", responses=answers(404))
def matrix(
    controller: Ctl,
    caller: Reader,
    ask: Sorted,
    site: Annotated[Name | None, Query(description="only of this site")] = None,
    state: Annotated[ProofState | None, Query(description="only fields in this state")] = None,
    path: Annotated[Path | None, Query(description="only of this path")] = None,
    by: Annotated[By | None, Query(description="only what firewalls say, or what probes tried")] = None,
) -> Page[ProofField]:
    """What the last round says of each kind of source on each path. Old proof is `unknown` again."""
    found = [
        cell
        for cell in controller.proofs.matrix(site)
        if state in (None, cell.state) and path in (None, cell.path) and by in (None, cell.by)
    ]
    return paged(found, of="proofs", key=lambda cell: "/".join(cell.key), show=ProofField.of, ask=ask)


@router.get("/results", summary="Single answers, the newest first")
def results(
    controller: Ctl,
    caller: Reader,
    ask: Newest,
    site: Annotated[Name | None, Query(description="only of this site")] = None,
    origin: Annotated[HostText | None, Query(description="only of this firewall, or probing host")] = None,
    state: Annotated[ProofState | None, Query(description="only what proves this")] = None,
    since: Annotated[Instant | None, Query(description="only those of that time or later")] = None,
    until: Annotated[Instant | None, Query(description="only those before that time")] = None,
) -> Page[ProofResult]:
    refuse_reversed(since, until)
    wanted = ProofQuery(
        site=site,
        origin=origin,
        state=state,
        since=since,
        until=until,
        text=ask.q,
        oldest_first=not ask.is_descending,
        cursor=ask.cursor,
        limit=ask.limit,
    )
    page = controller.proofs.results(wanted)
    count = controller.proofs.result_count(wanted, most=MOST_COUNTED) if ask.count else None
    return Page(items=tuple(map(ProofResult.of, page.items)), next_cursor=page.next_cursor, count=count)


@router.get("/targets", summary="What a probe should try now", responses=answers(404, 409))
def targets(
    controller: Ctl, caller: Prober, site: Annotated[Name, Query(description="the site that the probe is at")]
) -> ProbeTargets:
    """A few addresses and names of what is to be blocked there now, other ones every hour; none when nothing is."""
    found = controller.proofs.targets(site)
    return ProbeTargets(site=site, targets=found, controls=tuple(controller.inventory.proof.controls))


@router.post("", summary="Bring what a probe tried", status_code=201, responses=answers(404, 409, 503))
def bring(controller: Ctl, caller: Prober, body: ProbeBody) -> ProbeTaken:
    """Judged by what the site was to block at that moment. *blocked* counts only where a control answered beside it.
    Each result is taken once; one of a clock that is ahead, or that is too old, is refused."""
    report = body.report()
    return ProbeTaken.of(report, controller.proofs.take(report))


@router.post(
    "/run",
    summary="Ask firewalls now",
    response_model=ProvenDevices,
    responses={**answers(404, 503), **RESPONDS_ASYNC},
    openapi_extra=PREVIEW,
)
def run(
    controller: Ctl, caller: Operator, jobs: JobsOf, selection: Selection, prefer: Preferred = None
) -> ProvenDevices | JSONResponse:
    """Asks the selected firewalls which of their rules decide a few connections; changes nothing on them."""
    controller.refuse_unknown(selection.selection())

    def work() -> ProvenDevices:
        found = tuple(ProvenDevice.of(result) for result in controller.prove(selection.selection()))
        leaking = any(proof.state is ProofState.LEAKING for device in found for proof in device.proofs)
        return ProvenDevices(items=found, leaking=leaking)

    return jobs.answer("proof", work, caller=caller, prefer=prefer)
