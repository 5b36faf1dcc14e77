"""The intelligence: whether an address or a name is covered, and why; and which snapshot is kept in force."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.auth import Ctl, Operator, Reader
from api.conditional import Match
from api.intel_models import Explanation, OriginChange, OriginDrift
from api.lanes import LaneOf
from api.models import Digest, Instant, ReasonBody, Ulid
from api.reference import answers
from api.snapshot_models import Pin, PinBody, RollbackBody
from api.source_models import Refresh, RefreshBody, Scoreboard, Source, TrustBody
from ipsets.explain import MAX_LENGTH

router = APIRouter(prefix="/intel", tags=["intel"])

Question = Annotated[
    str,
    Query(
        min_length=1,
        max_length=MAX_LENGTH,
        description="one address, one name, or one network",
        examples=["www.tiktok.com"],
    ),
]
At = Annotated[Instant | None, Query(description="as it was then; now when left out")]


@router.get("/explain", summary="Covered or not, and why", responses=answers(404))
def explain(controller: Ctl, caller: Reader, q: Question, at: At = None) -> Explanation:
    """By which entry, which sources stand behind it since when, or which rule or guard keeps it out."""
    return Explanation.of(controller.explain(q, at=at))


@router.get("/drift", summary="Which networks came, went, moved or were renamed", responses=answers(404))
def origin_drift(controller: Ctl, caller: Reader, old: Digest | None = None, new: Digest | None = None) -> OriginDrift:
    """From one snapshot to another; by default to the one in force from the one before."""
    return OriginDrift(items=tuple(OriginChange.of(change) for change in controller.origin_drift(old, new)))


@router.post("/pin", summary="Keep a snapshot in force", responses=answers(404, 409, 412, 503))
def pin(controller: Ctl, caller: Operator, body: PinBody, match: Match = None) -> Pin:
    """In force at once, and over every refresh until it is unpinned. Sent again, it is the same pin, said again."""
    return Pin.of(controller.pin_snapshot(body.snapshot, actor=caller.actor, reason=body.reason))


@router.get("/scoreboard", summary="What each source is worth", responses=answers(503))
def scoreboard(controller: Ctl, caller: Reader, lane: LaneOf) -> Scoreboard:
    """How fresh, large, unique, late and right each source is beside the others, and what it caught here in 30 days.
    Seconds for large lists."""
    with lane.enter():
        return Scoreboard.of(controller.scoreboard())


@router.post("/rollback", summary="Pin the snapshot that was in force before", responses=answers(404, 409, 412, 503))
def roll_back(controller: Ctl, caller: Operator, body: RollbackBody, match: Match = None) -> Pin:
    """409 when another snapshot than `from` is in force, so sending it again does not undo it."""
    return Pin.of(controller.roll_back(actor=caller.actor, reason=body.reason, expected=body.from_))


@router.post("/refresh", summary="Ask every source", status_code=202, responses=answers(409))
def refresh(controller: Ctl, caller: Operator, response: Response, body: RefreshBody) -> Refresh:
    """Begins and answers at once; `Location` says what became of it. While one is under way, that one is answered; 409
    when it is of another kind."""
    made = controller.start_refresh(actor=caller.actor, force=body.force)
    response.headers["Location"] = f"/api/v1/intel/refresh/{made.id}"
    return Refresh.of(controller.refresh(made.id))


@router.get("/refresh/{id}", summary="What became of a refresh", responses=answers(404))
def get_refresh(controller: Ctl, caller: Reader, id: Ulid) -> Refresh:
    """Of those that were started over the API; the last 50, until the server restarts."""
    return Refresh.of(controller.refresh(id))


@router.post("/trust", summary="Vouch for a source", responses=answers(404, 409, 503))
def trust(controller: Ctl, caller: Operator, body: TrustBody) -> Source:
    """From the next refresh on all of its words count, and the rules judge what it does from now on. Sent again, it is
    said again."""
    record = controller.trust_source(body.source, actor=caller.actor, reason=body.reason)
    return Source.all_of([record], controller.troubles([record]))[0]


@router.post("/unpin", summary="Let refreshes decide again", responses=answers(409, 412, 503))
def unpin(controller: Ctl, caller: Operator, body: ReasonBody, match: Match = None) -> Pin:
    """What is in force stays until the next refresh. Answers the pin that was; 409 when there was none."""
    return Pin.of(controller.unpin_snapshot(actor=caller.actor, reason=body.reason))
