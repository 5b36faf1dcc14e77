"""Snapshots: what is enforced, entry by entry, and how two of them differ."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.auth import Ctl, Reader
from api.conditional import tagged
from api.models import Digest, Instant, Page
from api.pages import MOST_COUNTED, NewestFew, not_ours, paged_from
from api.reference import answers
from api.snapshot_models import Difference, Snapshot, SnapshotHead
from controller.store import SnapshotQuery
from core.ids import SnapshotId
from ipsets.errors import NoSnapshot

router = APIRouter(prefix="/snapshots", tags=["snapshots"])

WithIndicators = Annotated[bool, Query(description="also every entry before aggregation, with its provenance")]


@router.get("", summary="Snapshots, the newest first")
def list_snapshots(
    controller: Ctl,
    caller: Reader,
    ask: NewestFew,
    since: Annotated[Instant | None, Query(description="only those made at that time or later")] = None,
    until: Annotated[Instant | None, Query(description="only those made before that time")] = None,
) -> Page[SnapshotHead]:
    wanted = SnapshotQuery(since=since, until=until, text=ask.q, oldest_first=not ask.is_descending)
    after = ask.after("snapshots")
    try:
        rows = controller.snapshots(limit=ask.limit + 1, before=SnapshotId(after) if after else None, wanted=wanted)
    except NoSnapshot as exc:  # dropped since the page before, or never ours
        raise not_ours() from exc
    count = controller.snapshot_count(wanted, most=MOST_COUNTED) if ask.count else None
    return paged_from(rows, of="snapshots", key=lambda s: s.id, show=SnapshotHead.of, ask=ask, count=count)


@router.get("/current", summary="The snapshot in force", responses=answers(404))
def current(controller: Ctl, caller: Reader, response: Response, indicators: WithIndicators = False) -> Snapshot:
    """Its tag is what `pin`, `unpin`, `rollback` and `import` take as `If-Match`."""
    tagged(response, controller.store.in_force_version())
    return Snapshot.of(controller.snapshot(), owners=controller.owners, indicators=indicators, pin=controller.pin())


@router.get("/{id}", summary="One snapshot", responses=answers(404))
def get_snapshot(controller: Ctl, caller: Reader, id: Digest, indicators: WithIndicators = False) -> Snapshot:
    """By its id or how that begins."""
    return Snapshot.of(controller.snapshot(id), owners=controller.owners, indicators=indicators, pin=controller.pin())


@router.get("/{old}/diff/{new}", summary="How two snapshots differ", responses=answers(404))
def diff(controller: Ctl, caller: Reader, old: Digest, new: Digest) -> Difference:
    """What the second would enforce more, and what less."""
    first, second = controller.snapshot(old), controller.snapshot(new)
    return Difference.of(first.id, second.id, controller.diff_snapshots(first.id, second.id))
